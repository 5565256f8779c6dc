//! Silences: listed, set, ended.

use std::time::Duration;

use crate::alert::dispatch::{Dispatcher, Event as AlertEvent};
use crate::alert::matchers::{BadMatchers, Matchers};
use crate::alert::silence::{Refusal, Silence, SilenceState, Silences};
use crate::base::time::Timestamp;
use crate::engine::alerting::{Alerting, views};
use crate::engine::handle::EngineError;
use crate::wire::alerting::{SilenceRequest, SilenceRow};
use crate::wire::alertmanager::GettableSilence;

/// A silence for which no end is given.
const DEFAULT_LENGTH: Duration = Duration::from_secs(3_600);
/// An `until_resolved` silence for which no end is given: it ends before, or somebody forgot it.
const UNTIL_RESOLVED: Duration = Duration::from_secs(7 * 86_400);
/// Longest reason, in bytes.
const MAX_COMMENT: usize = 4_096;
/// Longest name of a person, in bytes.
const MAX_WHO: usize = 200;
/// Conditions of one silence: each is tried on every alert.
pub(crate) const MAX_MATCHERS: usize = 100;
/// Silences that are kept, those lately over included: each new alert is held against all of them.
const MAX_SILENCES: usize = 10_000;

impl Alerting {
    /// Silences, active ones first, then by their end.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn silences(&self) -> Result<Vec<SilenceRow>, EngineError> {
        let mut rows: Vec<SilenceRow> =
            self.look(|d, now| d.silences().map(|s| views::silence_row(d, s, now)).collect()).await?;
        let rank = |r: &SilenceRow| (r.state as u8, r.ends_at);
        rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
        Ok(rows)
    }

    /// Silences in Alertmanager's form.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn gettable_silences(&self) -> Result<Vec<GettableSilence>, EngineError> {
        self.look(|d, now| d.silences().map(|s| views::gettable_silence(s.silence(), now)).collect()).await
    }

    /// Makes a silence, or changes one: as in Alertmanager a change that would rewrite the past ends the
    /// old one and makes another.
    ///
    /// # Errors
    /// It is not one.
    pub async fn set_silence(&self, request: SilenceRequest) -> Result<SilenceRow, EngineError> {
        let wanted = checked(&request, self.clock.now())?;
        self.act(move |turn| {
            let now = turn.now();
            let mut all = Silences::new(turn.dispatcher().silences().map(|s| s.silence().clone()));
            let wished = wanted.id.clone();
            let stored = all.set(wanted, now, new_id).map_err(|why| match why {
                Refusal::NotFound => EngineError::NoSuchSilence(wished),
                other => refused(other),
            })?;
            let id = stored.last().map(|s| s.id.clone()).unwrap_or_default();
            if turn.dispatcher().silence(&id).is_none() && turn.dispatcher().silences().count() >= MAX_SILENCES {
                return Err(EngineError::TooMany(format!(
                    "there are {MAX_SILENCES} silences, which is the limit; one that is over counts for five days"
                )));
            }
            for silence in stored {
                turn.step(AlertEvent::SilenceSet(silence));
            }
            let d = turn.dispatcher();
            d.silence(&id).map(|s| views::silence_row(d, s, now)).ok_or(EngineError::NoSuchSilence(id))
        })
        .await
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// There is none, it is over, or a file says it.
    pub async fn expire_silence(&self, id: &str) -> Result<(), EngineError> {
        let id = id.to_owned();
        self.act(move |turn| {
            let id = find(turn.dispatcher(), &id)?;
            let silence = turn.dispatcher().silence(&id).map(|s| s.silence().clone());
            let Some(silence) = silence else { return Err(EngineError::NoSuchSilence(id)) };
            if let Some(source) = silence.source {
                return Err(refused(Refusal::FromFile(source)));
            }
            if silence.ends_at <= turn.now() {
                return Err(EngineError::NotSo(format!("silence {id} is over already")));
            }
            turn.step(AlertEvent::SilenceExpired(id));
            Ok(())
        })
        .await
    }
}

/// The id that a text is, or begins.
fn find(dispatcher: &Dispatcher, text: &str) -> Result<String, EngineError> {
    if dispatcher.silence(text).is_some() {
        return Ok(text.to_owned());
    }
    let mut found = dispatcher.silences().map(|s| &s.silence().id).filter(|id| text.len() >= 4 && id.starts_with(text));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id.clone()),
        (Some(a), Some(b)) => Err(EngineError::Ambiguous { id: text.to_owned(), which: vec![a.clone(), b.clone()] }),
        (None, _) => Err(EngineError::NoSuchSilence(text.to_owned())),
    }
}

/// The silence that is wished for, with an empty id where it is a new one.
pub(super) fn checked(request: &SilenceRequest, now: Timestamp) -> Result<Silence, EngineError> {
    let matchers = matchers(&request.matchers)?;
    let starts_at = request.starts_at.unwrap_or(now);
    let ends_at = match (request.ends_at, request.length) {
        (Some(_), Some(_)) => {
            return Err(EngineError::Refused("give either the end or the length of a silence".to_owned()));
        }
        (Some(end), None) => end,
        (None, Some(length)) => starts_at.plus(length),
        (None, None) if request.until_resolved => starts_at.plus(UNTIL_RESOLVED),
        (None, None) => starts_at.plus(DEFAULT_LENGTH),
    };
    if request.comment.len() > MAX_COMMENT {
        return Err(EngineError::Refused(format!("a comment has at most {MAX_COMMENT} bytes")));
    }
    if request.created_by.len() > MAX_WHO {
        return Err(EngineError::Refused(format!("the name of a person has at most {MAX_WHO} bytes")));
    }
    let silence = Silence {
        id: request.id.clone().unwrap_or_default(),
        matchers,
        starts_at,
        ends_at,
        updated_at: now,
        created_by: request.created_by.clone(),
        comment: request.comment.clone(),
        until_resolved: request.until_resolved,
        source: None,
    };
    silence.check().map_err(refused)?;
    if silence.state(now) == SilenceState::Expired {
        return Err(refused(Refusal::InThePast));
    }
    Ok(silence)
}

/// The matchers of these texts.
pub(super) fn matchers(texts: &[String]) -> Result<Matchers, EngineError> {
    let too_many = || EngineError::Refused(format!("a silence has at most {MAX_MATCHERS} matchers"));
    if texts.len() > MAX_MATCHERS {
        return Err(too_many());
    }
    let bad = |(i, e): (usize, BadMatchers)| EngineError::Refused(format!("bad matcher `{}`: {e}", texts[i]));
    let matchers = Matchers::of_words(texts).map_err(bad)?;
    if matchers.iter().count() > MAX_MATCHERS { Err(too_many()) } else { Ok(matchers) }
}

fn refused(refusal: Refusal) -> EngineError {
    match refusal {
        Refusal::FromFile(_) => EngineError::NotSo(refusal.to_string()),
        Refusal::NotFound => EngineError::NoSuchSilence(String::new()),
        other => EngineError::Refused(other.to_string()),
    }
}

/// A random UUID (RFC 9562, version 4).
fn new_id() -> String {
    let bits = (fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_silence_may_say_has_limits() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let with = |matchers: usize, who: usize| {
            let matchers = (0..matchers).map(|i| format!("l{i}=x")).collect();
            checked(&SilenceRequest { matchers, created_by: "w".repeat(who), ..SilenceRequest::default() }, now)
        };
        assert!(with(MAX_MATCHERS, MAX_WHO).is_ok());
        assert_eq!(with(MAX_MATCHERS + 1, 1).unwrap_err().to_string(), "a silence has at most 100 matchers");
        assert_eq!(with(1, MAX_WHO + 1).unwrap_err().to_string(), "the name of a person has at most 200 bytes");
        let in_one = (0..=MAX_MATCHERS).map(|i| format!("l{i}=x")).collect::<Vec<_>>().join(",");
        let in_one = SilenceRequest { matchers: vec![in_one], ..SilenceRequest::default() };
        assert_eq!(checked(&in_one, now).unwrap_err().to_string(), "a silence has at most 100 matchers");
    }
}
