//! What others have told a monitor: the reports of jobs and the events of other systems, folded into one value
//! that is stored and judged by the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// Events that stay open with one monitor; the oldest make room.
const MAX_OPEN: usize = 100;

/// One report as it arrived, its texts already cut and without secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A job begins.
    Started,
    /// A job has ended.
    Ended(Run),
    /// Something happened elsewhere.
    Event(Incident),
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whether it says it succeeded.
    pub ok: bool,
    /// What it says, one line; untrusted.
    #[serde(default)]
    pub message: String,
    /// Its exit code, where it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The end of what it printed; untrusted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// How long it took: as told, or from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// What it measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// Something that happened in another system, and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What tells it from others; the same one again is an update.
    pub id: String,
    /// Whether it is over.
    pub resolved: bool,
    /// Whether it makes the monitor down rather than degraded.
    pub severe: bool,
    /// One line; untrusted.
    pub title: String,
    /// More to show; untrusted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When the latest word of it came.
    pub at: Timestamp,
}

/// All that is remembered of what one monitor was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beat {
    /// When the last report arrived, of whatever sort.
    pub at: Timestamp,
    /// When the run that is under way began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The last run that ended, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<(Timestamp, Run)>,
    /// When the run before that one ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Timestamp>,
    /// What is open, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Incident>,
    /// While something is open: the last that ended without being it. Perhaps its sender meant one that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stray: Option<Incident>,
}

impl Beat {
    /// The clock was ahead when it was told something: that was no later than `now`.
    pub fn not_after(&mut self, now: Timestamp) {
        let Self { at, started, last, previous, open: _, stray: _ } = self;
        let last = last.as_mut().map(|(at, _)| at);
        for at in [Some(at), started.as_mut(), last, previous.as_mut()].into_iter().flatten() {
            *at = now.min(*at);
        }
    }

    /// What is remembered after one more report.
    #[must_use]
    pub fn after(before: Option<&Self>, report: Report, now: Timestamp) -> Self {
        let mut beat = before.cloned().unwrap_or_default();
        beat.take(report, now);
        beat
    }

    /// Remembers one more report. One call may bring thousands that end something.
    pub fn take(&mut self, report: Report, now: Timestamp) {
        self.at = now;
        match report {
            Report::Started => self.started = Some(now),
            Report::Ended(mut run) => {
                let began = self.started.take();
                run.took = run.took.or_else(|| began.map(|began| now.since(began)));
                self.previous = self.last.take().map(|(at, _)| at);
                self.last = Some((now, run));
            }
            Report::Event(incident) => {
                let before = self.open.len();
                self.open.retain(|open| open.id != incident.id);
                if !incident.resolved {
                    let room = self.open.len().saturating_sub(MAX_OPEN - 1);
                    self.open.drain(..room);
                    self.open.push(incident);
                } else if self.open.is_empty() {
                    self.stray = None;
                } else if self.open.len() == before {
                    self.stray = Some(incident);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn event(id: &str, resolved: bool) -> Report {
        let (id, title) = (id.to_owned(), String::new());
        Report::Event(Incident { id, resolved, severe: true, title, labels: BTreeMap::new(), at: at(0) })
    }

    #[test]
    fn a_run_lasts_from_its_start_unless_it_says_otherwise() {
        let started = Beat::after(None, Report::Started, at(10));
        let ended = Beat::after(Some(&started), Report::Ended(Run { ok: true, ..Run::default() }), at(70));
        let (when, run) = ended.last.clone().unwrap();
        assert_eq!((when, run.took, ended.started), (at(70), Some(Duration::from_secs(60)), None));
        let told = Run { took: Some(Duration::from_secs(5)), ..Run::default() };
        let again = Beat::after(Some(&ended), Report::Ended(told), at(80));
        assert_eq!((again.previous, again.last.unwrap().1.took), (Some(at(70)), Some(Duration::from_secs(5))));
    }

    #[test]
    fn events_open_update_and_close() {
        let mut beat = None;
        for (report, open, stray) in [
            (event("a", false), vec!["a"], None),
            (event("b", false), vec!["a", "b"], None),
            (event("a", false), vec!["b", "a"], None),
            (event("b", true), vec!["a"], None),
            (event("c", true), vec!["a"], Some("c")),
            (event("a", true), vec![], None),
        ] {
            let next = Beat::after(beat.as_ref(), report, at(1));
            assert_eq!(next.open.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), open);
            assert_eq!(next.stray.as_ref().map(|i| i.id.as_str()), stray);
            beat = Some(next);
        }
        for i in 0..MAX_OPEN + 20 {
            beat = Some(Beat::after(beat.as_ref(), event(&i.to_string(), false), at(1)));
        }
        let open = beat.unwrap().open;
        assert_eq!((open.len(), open[0].id.as_str()), (MAX_OPEN, "20"));
    }
}
