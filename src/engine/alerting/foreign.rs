//! Alerts that other servers send: Alertmanager's rules for what they leave out.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::dispatch::{AlertUpdate, Origin};
use crate::alert::rule::Fingerprint;
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::wire::alertmanager::PostableAlert;

/// An alert without an end is over so long after it was last sent; Alertmanager's `resolve_timeout`.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Most bytes of the names and values of one alert's labels, and as many of its annotations: one notification may tell
/// of a thousand of them.
const MAX_TEXT: usize = 16 << 10;

/// What programs in Go write for a time that is not set: 0001-01-01T00:00:00Z.
const UNSET: Timestamp = Timestamp::from_millis(-62_135_596_800_000);

/// The alert as the dispatcher hears of it.
///
/// # Errors
/// Why it is not taken, in Alertmanager's words where it has them.
pub(crate) fn update(posted: &PostableAlert, now: Timestamp) -> Result<AlertUpdate, String> {
    let labels = kept(&posted.labels, "label")?;
    let annotations = kept(&posted.annotations, "annotation")?;
    if labels.is_empty() {
        return Err("at least one label pair required".to_owned());
    }
    let given = |time: Option<Timestamp>| time.filter(|t| *t > UNSET);
    let (starts_at, ends_at) = (given(posted.starts_at), given(posted.ends_at));
    let starts_at = starts_at.or(ends_at.filter(|end| *end < now)).unwrap_or(now);
    let ends_at = ends_at.unwrap_or_else(|| now.plus(RESOLVE_TIMEOUT));
    if ends_at < starts_at {
        return Err("start time must be before end time".to_owned());
    }
    Ok(AlertUpdate {
        fingerprint: Fingerprint(labels.fingerprint()),
        origin: Origin::Foreign,
        labels,
        annotations,
        starts_at,
        fired_at: starts_at.min(now),
        ends_at: Some(ends_at),
        value: None,
        generator_url: Some(posted.generator_url.clone()).filter(|u| !u.is_empty()),
    })
}

fn kept(pairs: &BTreeMap<String, String>, what: &str) -> Result<Labels, String> {
    let size: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_TEXT {
        return Err(format!("{what}s of more than {} KiB", MAX_TEXT >> 10));
    }
    if let Some(name) = pairs.keys().find(|name| !is_name(name)) {
        return Err(format!("invalid {what} set: invalid name {name:?}"));
    }
    Ok(Labels::new(pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| (n.as_str(), v.as_str()))))
}

/// Prometheus 3 sends names such as `service.name`. Of what UTF-8 allows beyond that, only what can be mistaken for
/// the text around a name is refused: labels as text are part of keys.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.-:/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(labels: &[(&str, &str)]) -> PostableAlert {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        PostableAlert { labels, ..PostableAlert::default() }
    }

    #[test]
    fn what_is_left_out_is_filled_in_as_alertmanager_does() {
        let now = Timestamp::from_millis(1_000_000);
        let at = |ms: i64| Some(Timestamp::from_millis(ms));
        let bare = update(&posted(&[("alertname", "X"), ("empty", "")]), now).unwrap();
        assert_eq!(bare.labels.to_string(), r#"{alertname="X"}"#);
        assert_eq!((bare.starts_at, bare.ends_at), (now, Some(now.plus(RESOLVE_TIMEOUT))));
        let over = PostableAlert { ends_at: at(500), ..posted(&[("alertname", "X")]) };
        let over = update(&over, now).unwrap();
        assert_eq!((over.starts_at, over.ends_at), (at(500).unwrap(), at(500)));
        let zero = Some(Timestamp::parse("0001-01-01T00:00:00.000Z").unwrap());
        let of_amtool = PostableAlert { starts_at: zero, ends_at: zero, ..posted(&[("alertname", "X")]) };
        assert_eq!(update(&of_amtool, now).unwrap(), bare);
        for name in ["__rule_uid", "service.name", "k8s.io/name", "größe"] {
            assert_eq!(update(&posted(&[(name, "x")]), now).unwrap().labels.get(name), Some("x"));
        }
        for name in ["", "a=\"x\", b", "a b", "a\u{1b}[2J"] {
            assert!(update(&posted(&[(name, "x")]), now).unwrap_err().starts_with("invalid label set"), "{name:?}");
        }
        assert_eq!(update(&posted(&[]), now).unwrap_err(), "at least one label pair required");
        let turned = PostableAlert { starts_at: at(9), ends_at: at(8), ..posted(&[("alertname", "X")]) };
        assert_eq!(update(&turned, now).unwrap_err(), "start time must be before end time");
    }
}
