//! `type: heartbeat`: a job reports to us; silence beyond its interval is what is wrong.
//!
//! Nothing is probed. Each slot judges the last report by the clock, so a job that never comes back
//! is noticed although nothing calls.

use std::time::Duration;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx, PushTarget};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::collect::kind::Kind;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// As for every monitor without `interval`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// Shorter tokens can be guessed through the API.
const MIN_TOKEN: usize = 8;

/// A checked `heartbeat` monitor.
#[derive(Debug)]
struct Heartbeat {
    token: Secret<String>,
    interval: Duration,
    grace: Duration,
}

/// The kind. Others report to it: nothing is probed.
pub const KIND: Kind = Kind { name: "heartbeat", about: "Reports pushed by a job.", operand: None, flags: &[], read };

/// Reads the options. `interval` is the monitor's own: how often a report is due.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let token =
        fields.need_text("token", "write a secret of at least 8 characters, e.g. `token: \"${env:BACKUP_TOKEN}\"`");
    if let Some(token) = &token
        && token.value().len() < MIN_TOKEN
    {
        let message = format!("`token` has fewer than {MIN_TOKEN} characters");
        fields.error(token.span, Code::BadValue, message, "write a longer one, e.g. from `openssl rand -hex 16`");
    }
    let day = Duration::from_secs(86_400);
    let grace = fields.duration("grace", Duration::ZERO..=day * 7);
    if let Some(schedule) = fields.node("schedule") {
        let message = "a heartbeat has no `schedule`: reports are due at an interval";
        fields.error(schedule.span, Code::Conflict, message, "write e.g. `interval: 1d` and `grace: 2h`");
    }
    // A wrong `interval` is reported by whoever reads the common keys; here it must not be reported twice.
    let interval = fields.node("interval").and_then(crate::config::yaml::Node::as_str);
    let interval = interval.and_then(|t| crate::base::units::parse_duration(t).ok()).unwrap_or(DEFAULT_INTERVAL);
    if fields.cx().error_count() > errors {
        return None;
    }
    let grace = grace.unwrap_or(interval / 2);
    let target = format!("a report every {}", crate::base::units::Exact(interval));
    let collector = Heartbeat { token: token?.secret(), interval, grace };
    Some(Probe::new("heartbeat", target, collector))
}

impl Collector for Heartbeat {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(self.judge(cx)))
    }

    fn push(&self) -> Option<&dyn PushTarget> {
        Some(self)
    }
}

impl PushTarget for Heartbeat {
    fn accepts(&self, token: &str) -> bool {
        same(self.token.reveal().as_bytes(), token.as_bytes())
    }
}

/// Compares in a time that depends on the length of `given` alone.
fn same(secret: &[u8], given: &[u8]) -> bool {
    let mut difference = secret.len() ^ given.len();
    for (i, byte) in given.iter().enumerate() {
        let other = secret.get(i % secret.len().max(1)).copied().unwrap_or(0);
        difference |= usize::from(byte ^ other);
        // Keeps the compiler from leaving the loop at the first difference.
        difference = std::hint::black_box(difference);
    }
    difference == 0
}

impl Heartbeat {
    fn judge(&self, cx: &ProbeCx) -> Outcome {
        let window = self.interval + self.grace;
        let age = |t: Timestamp| cx.now.since(t);
        let mut outcome = match &cx.last_beat {
            None if age(cx.since) <= window => Outcome::unknown(
                "waiting",
                format!("no report yet; one is due within {}", Short(window - age(cx.since))),
            ),
            None => Outcome::down("late", format!("no report since the monitor started {} ago", Short(age(cx.since)))),
            Some(beat) if age(beat.at) > window => {
                let due = Short(age(beat.at).saturating_sub(self.interval));
                let message =
                    format!("the last report came {} ago and the next was due {due} ago", Short(age(beat.at)));
                Outcome::down("late", message)
            }
            Some(beat) if !beat.ok => Outcome::down(
                "reported",
                match beat.message.as_str() {
                    "" => "the job reported a failure".to_owned(),
                    said => format!("the job reported a failure: {said}"),
                },
            ),
            Some(beat) => Outcome::up(match beat.message.as_str() {
                "" => format!("reported {} ago", Short(age(beat.at))),
                said => said.to_owned(),
            }),
        };
        if let Some(beat) = &cx.last_beat {
            let seconds = beat.at.millis() as f64 / 1000.0;
            outcome.samples.push(Sample::new("watchdog_heartbeat_last_timestamp_seconds", seconds));
            outcome.samples.push(Sample::new("watchdog_heartbeat_age_seconds", age(beat.at).as_secs_f64()));
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::base::probe::Beat;
    use crate::collect::kinds::testing::problems;

    fn judge(now_s: i64, beat: Option<(i64, bool)>) -> (Verdict, String) {
        let beat = beat.map(|(at, ok)| Beat { at: Timestamp::from_millis(at * 1000), ok, message: String::new() });
        let cx = ProbeCx { last_beat: beat, ..ProbeCx::new(Instant::now(), Timestamp::from_millis(now_s * 1000)) };
        let own = Heartbeat {
            token: Secret::new("0123456789".into()),
            interval: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        };
        let outcome = own.judge(&cx);
        (outcome.verdict, outcome.reason.map_or_else(String::new, |r| r.class.into_owned()))
    }

    #[tokio::test]
    async fn silence_is_judged_by_the_clock() {
        assert_eq!(judge(89, None), (Verdict::Unknown, "waiting".into()));
        assert_eq!(judge(91, None), (Verdict::Down, "late".into()));
        assert_eq!(judge(190, Some((100, true))), (Verdict::Up, String::new()));
        assert_eq!(judge(191, Some((100, true))), (Verdict::Down, "late".into()));
        assert_eq!(judge(101, Some((100, false))), (Verdict::Down, "reported".into()));
        // A clock that was set back does not make a report late.
        assert_eq!(judge(50, Some((100, true))), (Verdict::Up, String::new()));
    }

    #[test]
    fn only_the_whole_token_is_accepted() {
        assert!(same(b"0123456789", b"0123456789"));
        for wrong in ["", "0123456788", "012345678", "01234567890123456789", "01234567890"] {
            assert!(!same(b"0123456789", wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn tokens_that_can_be_guessed_are_refused() {
        assert!(problems("heartbeat", "{token: short}")[0].contains("fewer than 8"));
        assert!(problems("heartbeat", "{grace: 5m}")[0].contains("`token` is missing"));
        assert!(problems("heartbeat", "{token: long-enough}").is_empty());
        assert!(problems("heartbeat", "{token: long-enough, schedule: 0 3 * * *}")[0].contains("no `schedule`"));
    }
}
