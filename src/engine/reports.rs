//! What others tell a monitor: the reports of jobs and other systems' events. Checked, paced, remembered,
//! judged at once, stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::base::beat::{Report, Run};
use crate::base::clock::Clock;
use crate::base::exposition::is_free_name;
use crate::base::failure::Chain;
use crate::base::name::MonitorName;
use crate::base::probe::{Call, PushTarget, Refusal};
use crate::config::model::Monitor;
use crate::engine::handle::EngineError;
use crate::engine::scheduler::Command;
use crate::state::{Flush, StateDb};
use crate::wire::api::{Push, PushStatus};

/// Longest message of a report that is kept, in bytes.
const MAX_MESSAGE: usize = 1_024;
/// Longest log that is kept, in bytes: its end, where errors are.
const MAX_LOG: usize = 8 * 1_024;
/// Metrics of one report.
const MAX_METRICS: usize = 100;
/// How long whoever reports waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// After this time without a call a bucket is full, and as good as none.
const FULL: Duration = Duration::from_secs(60);

/// How many calls each monitor has had: a bucket that holds a minute's worth and refills steadily. Its tokens
/// are the monitors', so a sender that runs wild slows down nobody else.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// When a call last came, and how many more may come then.
    of: HashMap<MonitorName, (Instant, f64)>,
    /// When full ones were last forgotten.
    pruned: Option<Instant>,
}

impl Pace {
    /// Takes one call.
    ///
    /// # Errors
    /// The monitor has had its share; the time is until there is room again.
    fn take(&self, name: &MonitorName, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let most = f64::from(per_minute.max(1));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |then: Instant| now.saturating_duration_since(then);
        if buckets.pruned.is_none_or(|then| since(then) >= FULL) {
            buckets.pruned = Some(now);
            buckets.of.retain(|_, (last, _)| since(*last) < FULL);
        }
        let (last, left) = buckets.of.entry(name.clone()).or_insert((now, most));
        let earned = since(*last).as_secs_f64() * most / 60.0;
        (*last, *left) = (now, (*left + earned).min(most));
        if *left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *left) * 60.0 / most));
        }
        *left -= 1.0;
        Ok(())
    }
}

/// The way of reports through the engine.
#[derive(Debug)]
pub struct Reports {
    /// The wall clock.
    pub clock: Clock,
    /// Remembers and judges.
    pub scheduler: mpsc::Sender<Command>,
    /// Stores.
    pub db: StateDb,
    /// How much each monitor has been told.
    pub pace: Pace,
}

impl Reports {
    /// Takes a job's report.
    ///
    /// # Errors
    /// The token is not the monitor's, it is paused, or it is told too much.
    pub async fn push(&self, monitor: &Monitor, token: &str, push: Push) -> Result<(), EngineError> {
        let target = monitor.probe.collector.push().ok_or(EngineError::WrongToken)?;
        if !target.accepts(token) {
            return Err(EngineError::WrongToken);
        }
        self.admit(monitor, target.per_minute())?;
        let report = report(target, push)?;
        self.tell(monitor, vec![report]).await
    }

    /// Takes another system's call.
    ///
    /// # Errors
    /// It does not prove where it comes from, is not understood, or comes too often.
    pub async fn webhook(&self, monitor: &Monitor, call: &Call<'_>) -> Result<usize, EngineError> {
        let target = monitor.probe.collector.webhook().ok_or(EngineError::WrongToken)?;
        let reports = target.take(call, self.clock.now()).map_err(|e| match e {
            Refusal::Unproven => EngineError::WrongToken,
            Refusal::NotUnderstood(why) => EngineError::Refused(why),
        })?;
        self.admit(monitor, target.per_minute())?;
        let count = reports.len();
        if count > 0 {
            self.tell(monitor, reports).await?;
        }
        Ok(count)
    }

    /// Only who is known is counted: nobody else can use up a monitor's share.
    fn admit(&self, monitor: &Monitor, per_minute: u32) -> Result<(), EngineError> {
        if monitor.paused {
            return Err(EngineError::Paused(monitor.name.to_string()));
        }
        self.pace.take(&monitor.name, per_minute, Instant::now()).map_err(EngineError::TooOften)
    }

    async fn tell(&self, monitor: &Monitor, reports: Vec<Report>) -> Result<(), EngineError> {
        let name = monitor.name.clone();
        let (reply, beat) = oneshot::channel();
        // It counts before it is stored: a disk that stalls must not make a punctual report late.
        let command = Command::Beat { name: name.clone(), reports, at: self.clock.now(), reply };
        self.scheduler.send(command).await.map_err(|_| EngineError::Stopping)?;
        let beat = beat.await.map_err(|_| EngineError::Stopping)?;
        let flush = Flush { beats: vec![(name.clone(), beat)], ..Flush::default() };
        // One that could not be stored counts all the same; the database's own complaint is loud.
        match timeout(PATIENCE, self.db.flush(flush)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(monitor = %name, error = %Chain(&e), "a report could not be stored"),
            Err(_) => tracing::warn!(monitor = %name, "a report could not be stored in time"),
        }
        Ok(())
    }
}

/// What a job said, cut to size and without its token.
fn report(target: &dyn PushTarget, push: Push) -> Result<Report, EngineError> {
    if push.status == PushStatus::Start {
        return Ok(Report::Started);
    }
    let refuse = |why: String| Err(EngineError::Refused(why));
    if push.metrics.len() > MAX_METRICS {
        return refuse(format!("a report has at most {MAX_METRICS} metrics"));
    }
    if let Some(name) = push.metrics.keys().find(|name| !is_free_name(name)) {
        return refuse(format!("`{name}` is not a name that a report may give a metric"));
    }
    let took = match push.duration.map(Duration::try_from_secs_f64) {
        Some(Err(_)) => return refuse("`duration` is not a number of seconds".to_owned()),
        Some(Ok(took)) => Some(took),
        None => None,
    };
    let mut message = push.message;
    target.mask(&mut message);
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    let log = kept(push.log, |log| target.mask(log));
    let ok = push.status == PushStatus::Up && push.exit_code.is_none_or(|code| code == 0);
    Ok(Report::Ended(Run { ok, message, code: push.exit_code, log, took, metrics: push.metrics }))
}

/// The end of a log, masked.
fn kept(mut log: String, mask: impl Fn(&mut String)) -> String {
    // What is far from the end is dropped before it is searched, in whole lines: no secret goes beyond its line.
    let far = log.floor_char_boundary(log.len().saturating_sub(4 * MAX_LOG));
    let is_cut = log[..far].rfind('\n').map(|end| log.drain(..=end)).is_some();
    mask(&mut log);
    match log.len() > MAX_LOG {
        true => format!("…{}", &log[log.ceil_char_boundary(log.len() - MAX_LOG)..]),
        false if is_cut => format!("…{log}"),
        false => log,
    }
}

/// A monitor that does not exist is refused as one with a wrong token: the sender learns nothing.
pub fn known(monitor: Result<Arc<Monitor>, EngineError>) -> Result<Arc<Monitor>, EngineError> {
    monitor.map_err(|_| EngineError::WrongToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_runs_wild_is_slowed_down_and_no_other() {
        let pace = Pace::default();
        let (a, b) = (MonitorName::new("a").unwrap(), MonitorName::new("b").unwrap());
        let start = Instant::now();
        for _ in 0..6 {
            assert_eq!(pace.take(&a, 6, start), Ok(()));
        }
        assert_eq!(pace.take(&a, 6, start), Err(Duration::from_secs(10)));
        assert_eq!(pace.take(&b, 6, start), Ok(()));
        let later = start + Duration::from_secs(11);
        assert_eq!(pace.take(&a, 6, later), Ok(()));
        assert!(pace.take(&a, 6, later).is_err());
    }

    #[test]
    fn of_a_log_the_end_is_kept_and_only_what_is_near_it_is_masked() {
        let mask = |log: &mut String| {
            assert!(log.len() < 5 * MAX_LOG);
            *log = log.replace("secret", "***");
        };
        let line = "a line with its secret\n";
        let got = kept(line.repeat(100_000), mask);
        assert!(got.starts_with('…') && got.len() <= MAX_LOG + '…'.len_utf8() && got.ends_with("with its ***\n"));
        assert_eq!(kept(line.into(), mask), "a line with its ***\n");
        // What masking leaves is shorter than what is kept, and says that there was more.
        let got = kept(format!("first\n{}", "secret".repeat(MAX_LOG)), |log| *log = "***".into());
        assert_eq!(got, "…***");
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (pace, start) = (Pace::default(), Instant::now());
        let take = |name: &str, secs| pace.take(&MonitorName::new(name).unwrap(), 1, start + Duration::from_secs(secs));
        assert!(take("gone", 0).is_ok() && take("busy", 30).is_ok());
        assert!(take("busy", 61).is_err());
        let names: Vec<String> = pace.0.lock().unwrap().of.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["busy"]);
    }
}
