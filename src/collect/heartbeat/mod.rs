//! `type: heartbeat`: a job reports to us; silence beyond what it promised is what is wrong.
//!
//! Nothing is probed. Each slot judges what was reported by the clock, so a job that never comes back
//! is noticed although nothing calls. When a report is due says [`due`].

mod due;

use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::base::BoxFuture;
use crate::base::beat::{Beat, Run};
use crate::base::fnv::Fnv;
use crate::base::outcome::{Evidence, Outcome, Sample, UNHEARD, Verdict, WAITING};
use crate::base::probe::{Collector, ProbeCx, PushTarget, Told};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::collect::heartbeat::due::{Due, Lateness};
use crate::collect::kind::Kind;
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::collect::sender::{per_minute, same, token};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::yaml::Node;
use crate::config::{general, yaml};

/// As for every monitor without `interval`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// How late a report may be with `schedule`, where nothing is said.
const DEFAULT_GRACE: Duration = Duration::from_secs(600);
/// How often a job that reports once a day is looked at.
const JUDGED: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

/// A checked `heartbeat` monitor.
#[derive(Debug)]
struct Heartbeat {
    token: Secret<String>,
    due: Due,
    grace: Duration,
    max_runtime: Option<Duration>,
    per_minute: u32,
    mask: Mask,
}

/// The kind. Others report to it: nothing is probed.
pub const KIND: Kind = Kind {
    name: "heartbeat",
    about: "Reports pushed by a job.",
    operand: None,
    flags: &[],
    metrics: &[&[
        Metric::gauge("watchdog_heartbeat_running", "1 between the start of a run and its end"),
        Metric::gauge("watchdog_heartbeat_started_timestamp_seconds", "When the last run began, since 1970"),
        Metric::gauge("watchdog_heartbeat_last_timestamp_seconds", "When the last report came, since 1970"),
        Metric::gauge("watchdog_heartbeat_age_seconds", "How long ago the last report came"),
        Metric::gauge("watchdog_heartbeat_run_seconds", "How long the last run took"),
        Metric::gauge("watchdog_heartbeat_exit_code", "What the last run ended with"),
    ]],
    read,
};

/// Reads the options. `interval` or `schedule` are the monitor's own: when a report is due.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let token = token(fields, "token", "token: \"${env:BACKUP_TOKEN}\"");
    let grace = fields.duration("grace", Duration::ZERO..=DAY * 7);
    let max_runtime = fields.duration("max_runtime", Duration::from_secs(1)..=DAY * 30);
    let per_minute = per_minute(fields);
    let due = due(fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let (due, token) = (due?, token?);
    let grace = grace.unwrap_or_else(|| due.interval().map_or(DEFAULT_GRACE, |interval| interval / 2));
    let target = match &due {
        Due::Every(interval) => format!("a report every {}", Exact(*interval)),
        Due::At { text, zone, .. } => format!("a report by {text} {}", zone.iana_name().unwrap_or("local time")),
    };
    let judged = due.interval().unwrap_or(JUDGED).clamp(Duration::from_secs(1), JUDGED);
    let mut mask = Mask::default();
    mask.add(token.value());
    let collector = Heartbeat { token: token.secret(), due, grace, max_runtime, per_minute, mask };
    Some(Probe::new("heartbeat", target, collector).judged(judged))
}

/// `interval`, or `schedule` and `timezone`. Mistakes are reported by whoever reads the common keys; told here
/// again, they would be told once all the same.
fn due(fields: &mut Fields<'_>) -> Option<Due> {
    let (interval, schedule) = (fields.node("interval"), fields.node("schedule"));
    let (own_interval, own_schedule) = (fields.own("interval"), fields.own("schedule"));
    let zone = fields.node("timezone");
    // An own `interval` outweighs a default `schedule`, as for every monitor.
    let Some(node) = schedule.filter(|_| own_schedule.is_some() || own_interval.is_none()) else {
        let interval = interval.and_then(Node::as_str).and_then(|t| crate::base::units::parse_duration(t).ok());
        return Some(Due::Every(interval.unwrap_or(DEFAULT_INTERVAL)));
    };
    let cx = fields.cx();
    let zone = zone.map_or(Some(jiff::tz::TimeZone::UTC), |node: &yaml::Node| general::zone(cx, node))?;
    let text = cx.text(node)?;
    let cron = general::cron(cx, &text, &zone)?;
    Some(Due::At { text: text.shown().to_owned(), cron: Box::new(cron), zone })
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

    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    fn mask(&self, text: &mut String) {
        self.mask.hide(text);
    }

    fn form(&self) -> u64 {
        let mut hash = Fnv::default();
        (self.token.reveal(), self.due.to_string(), self.grace).hash(&mut hash);
        hash.finish()
    }
}

impl Heartbeat {
    fn judge(&self, cx: &ProbeCx) -> Outcome {
        let nothing = (Told::default(), Beat::default());
        let told = cx.told.as_deref().unwrap_or(&nothing.0);
        let (heard, beat) = (&told.heard, told.beat.as_ref().unwrap_or(&nothing.1));
        let ago = |at: Timestamp| Short(cx.now.since(at));
        let last = beat.last.as_ref();
        let late = self.due.late(cx.now, heard, last.map(|(at, _)| *at), beat.previous, self.grace);
        let overrun = beat.started.filter(|at| self.max_runtime.is_some_and(|most| cx.now.since(*at) > most));
        let running = beat.started.map(|at| format!("running for {}", ago(at)));
        let mut outcome = match (last, late) {
            (_, _) if let (Some(started), Some(most)) = (overrun, self.max_runtime) => {
                let message = format!("started {} ago and has not ended within {}", ago(started), Short(most));
                Outcome::down("overrun", message)
            }
            (None, Lateness::Late(_)) => {
                let message = format!("no report since the monitor started {} ago", ago(heard.since()));
                Outcome::down("late", message)
            }
            (None, Lateness::Punctual) => {
                let due = self.due.deadline(cx.now, heard, self.grace);
                let due = due.map_or_else(String::new, |at| format!("; one is due within {}", Short(at.since(cx.now))));
                Outcome::unknown(WAITING, running.unwrap_or_else(|| format!("no report yet{due}")))
            }
            (_, Lateness::Unheard(_)) => {
                let message = match last {
                    Some((at, _)) => {
                        format!("the last report came {} ago; the next may have come unheard", ago(*at))
                    }
                    None => "no report yet; one may have come unheard".to_owned(),
                };
                // One that is due after some time of listening is `down` when it does not come; one that is due at its
                // times is not known of until the next.
                let class = if self.due.interval().is_some() { WAITING } else { UNHEARD };
                Outcome::unknown(class, running.unwrap_or(message))
            }
            (Some((at, _)), Lateness::Late(due)) => {
                let message = format!("the last report came {} ago and the next was due {} ago", ago(*at), ago(due));
                Outcome::down("late", message)
            }
            (Some((_, run)), Lateness::Punctual) if !run.ok => Outcome::down("reported", failure(run)),
            (Some((at, run)), Lateness::Punctual) => {
                let said = match run.message.as_str() {
                    "" => format!("reported {} ago", ago(*at)),
                    said => said.to_owned(),
                };
                Outcome::up(running.map_or(said.clone(), |running| format!("{running}; before that: {said}")))
            }
        };
        self.samples(beat, cx.now, &mut outcome.samples);
        let log = last.map_or("", |(_, run)| run.log.as_str());
        if !log.is_empty() {
            outcome.evidence = Some(Evidence { items: vec![("log".into(), log.to_owned())] });
        } else if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(self.evidence(beat));
        }
        self.mask.hide_in(&mut outcome);
        outcome
    }

    fn samples(&self, beat: &Beat, now: Timestamp, out: &mut Vec<Sample>) {
        let seconds = |at: Timestamp| at.millis() as f64 / 1000.0;
        if self.max_runtime.is_some() || beat.started.is_some() {
            let running = if beat.started.is_some() { 1.0 } else { 0.0 };
            out.push(Sample::new("watchdog_heartbeat_running", running));
        }
        if let Some(at) = beat.started {
            out.push(Sample::new("watchdog_heartbeat_started_timestamp_seconds", seconds(at)));
        }
        let Some((at, run)) = &beat.last else { return };
        out.push(Sample::new("watchdog_heartbeat_last_timestamp_seconds", seconds(*at)));
        out.push(Sample::new("watchdog_heartbeat_age_seconds", now.since(*at).as_secs_f64()));
        out.extend(run.took.map(|took| Sample::new("watchdog_heartbeat_run_seconds", took.as_secs_f64())));
        out.extend(run.code.map(|code| Sample::new("watchdog_heartbeat_exit_code", f64::from(code))));
        for (name, value) in &run.metrics {
            out.push(Sample { name: name.clone().into(), labels: Vec::new(), value: *value });
        }
    }

    fn evidence(&self, beat: &Beat) -> Evidence {
        let mut items = vec![("expected".into(), format!("{}, {} of grace", self.due, Exact(self.grace)))];
        if let Some((at, run)) = &beat.last {
            let how = if run.ok { "success" } else { "failure" };
            items.push(("last report".into(), format!("{at} {how} {}", run.message)));
        }
        if let Some(at) = beat.started {
            items.push(("last start".into(), at.to_string()));
        }
        Evidence { items }
    }
}

/// `the job reported a failure: exit code 3: disk full`
fn failure(run: &Run) -> String {
    let code = run.code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    let said = Some(run.message.clone()).filter(|m| !m.is_empty());
    let more: Vec<String> = code.into_iter().chain(said).collect();
    match more.is_empty() {
        true => "the job reported a failure".to_owned(),
        false => format!("the job reported a failure: {}", more.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::base::beat::Report;
    use crate::collect::kinds::testing::problems;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn own(max_runtime: Option<u64>) -> Heartbeat {
        let mut mask = Mask::default();
        mask.add("0123456789");
        Heartbeat {
            token: Secret::new("0123456789".into()),
            due: Due::Every(Duration::from_secs(60)),
            grace: Duration::from_secs(30),
            max_runtime: max_runtime.map(Duration::from_secs),
            per_minute: 1,
            mask,
        }
    }

    fn ended(ok: bool) -> Report {
        Report::Ended(Run { ok, ..Run::default() })
    }

    fn judge(own: &Heartbeat, now_s: i64, reports: impl IntoIterator<Item = (i64, Report)>) -> Outcome {
        let mut beat = None;
        for (when, report) in reports {
            beat = Some(Beat::after(beat.as_ref(), report, at(when)));
        }
        let told = Some(Arc::new(Told { beat, ..Told::default() }));
        own.judge(&ProbeCx { told, ..ProbeCx::new(Instant::now(), at(now_s)) })
    }

    #[tokio::test]
    async fn silence_is_judged_by_the_clock() {
        #[track_caller]
        fn check(now_s: i64, reports: Vec<(i64, Report)>, want: (Verdict, &str)) {
            let got = judge(&own(Some(40)), now_s, reports);
            assert_eq!((got.verdict, got.reason.as_ref().map_or("", |r| &*r.class)), want, "{got:?}");
        }
        check(89, vec![], (Verdict::Unknown, "waiting"));
        check(91, vec![], (Verdict::Down, "late"));
        check(190, vec![(100, ended(true))], (Verdict::Up, ""));
        check(191, vec![(100, ended(true))], (Verdict::Down, "late"));
        check(101, vec![(100, ended(false))], (Verdict::Down, "reported"));
        // A clock that was set back does not make a report late.
        check(50, vec![(100, ended(true))], (Verdict::Up, ""));
        // A run under way changes nothing until it is overdue.
        check(150, vec![(100, ended(true)), (120, Report::Started)], (Verdict::Up, ""));
        check(161, vec![(100, ended(true)), (120, Report::Started)], (Verdict::Down, "overrun"));
        check(80, vec![(60, Report::Started)], (Verdict::Unknown, "waiting"));
    }

    #[tokio::test]
    async fn what_a_run_said_is_shown_without_the_token() {
        let run = Run {
            ok: false,
            message: "disk full".into(),
            code: Some(3),
            log: "curl -H 0123456789\nlast line".into(),
            metrics: [("backup_bytes".to_owned(), 7.0)].into(),
            ..Run::default()
        };
        let got = judge(&own(None), 110, [(90, Report::Started), (100, Report::Ended(run))]);
        assert_eq!(got.headline(), "the job reported a failure: exit code 3: disk full");
        assert_eq!(got.evidence.unwrap().items, [("log".into(), "curl -H ***\nlast line".to_owned())]);
        for (name, value) in
            [("watchdog_heartbeat_run_seconds", 10.0), ("watchdog_heartbeat_exit_code", 3.0), ("backup_bytes", 7.0)]
        {
            assert!(got.samples.contains(&Sample::new(name, value)), "{name}: {:?}", got.samples);
        }
    }

    #[test]
    fn tokens_that_can_be_guessed_are_refused() {
        assert!(problems("heartbeat", "{token: short}")[0].contains("fewer than 8"));
        assert!(problems("heartbeat", "{grace: 5m}")[0].contains("`token` is missing"));
        assert!(problems("heartbeat", "{token: long-enough}").is_empty());
        assert!(problems("heartbeat", "{token: long-enough, schedule: 0 3 * * *}").is_empty());
        assert!(problems("heartbeat", "{token: long-enough, schedule: 0 3 * *}")[0].contains("not a cron"));
    }
}
