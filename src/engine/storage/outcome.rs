//! One probe's result → samples, under the names that exporters use (DESIGN of series: blackbox_exporter's).
//!
//! Every sample bears `monitor`, `type`, `instance` and the monitor's own labels. Where a measured value
//! has a label of the same name, it becomes `exported_…`, as Prometheus does.

use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::outcome::{Label, Reason, Verdict};
use crate::config::model::Monitor;
use crate::wire::api::ProbeResult;

/// `watchdog_monitor_state` of a monitor that is switched off.
pub const PAUSED: f64 = 4.0;
/// `watchdog_monitor_state` of a monitor that cannot be judged because one above is down.
pub const PARENT_IS_DOWN: f64 = 5.0;
/// The series that says where a monitor stands.
pub const STATE: &str = "watchdog_monitor_state";

/// The labels that all samples of a monitor bear.
pub fn labels_of(monitor: &Monitor) -> Labels {
    let mut buf = monitor.labels.to_buf();
    buf.set("instance", &monitor.probe.target);
    buf.set("monitor", monitor.name.as_str());
    buf.set("type", monitor.probe.kind);
    buf.labels()
}

/// One sample: its metric, its own labels, its value.
pub type Said<'a> = (&'a str, &'a [Label], f64);

/// The samples of a result. One that is unknown says nothing of the target, neither success nor duration.
pub fn samples(result: &ProbeResult) -> impl Iterator<Item = Said<'_>> {
    let took = result.took.as_secs_f64();
    let judged = |success, state| (state, Some([("probe_success", success), ("probe_duration_seconds", took)]));
    let (state, own) = match result.verdict {
        Verdict::Up => judged(1.0, 1.0),
        Verdict::Degraded => judged(1.0, 2.0),
        Verdict::Down => judged(0.0, 0.0),
        Verdict::Unknown if result.reason.as_ref().is_some_and(Reason::blames_parent) => (PARENT_IS_DOWN, None),
        Verdict::Unknown => (3.0, None),
    };
    let own = own.into_iter().flatten().chain([(STATE, state)]).map(|(name, value)| (name, &[] as &[_], value));
    let measured = result.samples.iter().filter(|s| !s.name.is_empty());
    own.chain(measured.map(|s| (s.name.as_ref(), s.labels.as_slice(), s.value)))
}

/// The labels of the series that a sample belongs to.
pub fn labels(base: &Labels, name: &str, own: &[Label]) -> LabelsBuf {
    let mut buf = series(base, name);
    for (name, value) in own.iter().filter(|(name, _)| !name.is_empty() && name != METRIC_NAME) {
        match base.get(name) {
            Some(_) => buf.set(&format!("exported_{name}"), value),
            None => buf.set(name, value),
        }
    }
    buf
}

/// The labels of a monitor's series of this name.
pub fn series(base: &Labels, name: &str) -> LabelsBuf {
    let mut buf = base.to_buf();
    buf.set(METRIC_NAME, name);
    buf
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::outcome::Sample;
    use crate::base::time::Timestamp;

    #[test]
    fn a_result_becomes_series_with_the_monitors_labels() {
        let base = Labels::new([("instance", "http://x"), ("monitor", "shop"), ("team", "web"), ("type", "http")]);
        let result = ProbeResult {
            at: Timestamp::EPOCH,
            verdict: Verdict::Degraded,
            reason: None,
            summary: String::new(),
            took: Duration::from_millis(250),
            attempt: 1,
            phases: Vec::new(),
            checks: Vec::new(),
            samples: vec![
                Sample::new("probe_http_duration_seconds", 0.1).label("phase", "connect"),
                Sample::new("x", 2.0).label("instance", "inner").label("", "nothing"),
            ],
            evidence: None,
        };
        let mut found = Vec::new();
        for (name, own, v) in samples(&result) {
            found.push(format!("{} {v}", labels(&base, name, own).labels()));
        }
        let rest = r#"instance="http://x", monitor="shop""#;
        assert_eq!(
            found,
            [
                format!(r#"{{__name__="probe_success", {rest}, team="web", type="http"}} 1"#),
                format!(r#"{{__name__="probe_duration_seconds", {rest}, team="web", type="http"}} 0.25"#),
                format!(r#"{{__name__="watchdog_monitor_state", {rest}, team="web", type="http"}} 2"#),
                format!(
                    r#"{{__name__="probe_http_duration_seconds", {rest}, phase="connect", team="web", type="http"}} 0.1"#
                ),
                format!(r#"{{__name__="x", exported_instance="inner", {rest}, team="web", type="http"}} 2"#),
            ]
        );
    }
}
