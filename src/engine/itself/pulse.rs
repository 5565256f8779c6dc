//! What goes on by itself: notices when the process stood still, decides whether we are impaired and says so, and
//! looks at the uplink while nothing fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::alert::impaired::LATE;
use crate::engine::board::Report;
use crate::engine::evaluator::{EvalInput, Impaired};
use crate::engine::itself::tally::Minute;
use crate::engine::itself::{Itself, Looks};
use crate::engine::metrics::Metrics;

/// Distance between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// A beat that is late by this much means that nothing ran meanwhile.
const STALL: Duration = Duration::from_secs(1);
/// Other words for what goes on, another number of monitors above all, are told at most this often.
const REWORD: Duration = Duration::from_secs(10);
/// After a start, an alert that was remembered is not over before everything was looked at.
const SETTLED: Duration = Duration::from_secs(60);

/// The actor that says whether we are impaired.
pub struct Pulse {
    /// How we stand.
    pub itself: Arc<Itself>,
    /// Raises and ends the alerts about ourselves.
    pub evaluator: mpsc::Sender<EvalInput>,
    /// Shows them.
    pub board: mpsc::Sender<Report>,
    /// Counts them.
    pub metrics: Arc<Metrics>,
    /// One was there before the start.
    pub remembered: bool,
}

impl Pulse {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut minute = Minute::default();
        // The first finding is told whatever it is: an alert may be remembered that it ends.
        let mut said: Option<(Impaired, Instant)> = None;
        let began = Instant::now();
        let mut next = began + BEAT;
        while stop.run_until_cancelled(time::sleep_until(next)).await.is_some() {
            self.itself.notice_stall(next);
            minute.push(self.itself.tally.take());
            let settled = !self.remembered || began.elapsed() >= SETTLED;
            if !settled {
                self.itself.standing.believe();
            }
            let mut classes = self.itself.standing.trouble();
            // What a look found says it better than what failed for it.
            classes.extend(self.itself.looks().trouble());
            classes.extend(minute.trouble().map(|text| (LATE.to_owned(), text.to_owned())));
            let found = Impaired { classes, settled };
            let news = match &said {
                None => settled || !found.classes.is_empty(),
                Some((before, at)) => {
                    before.settled != settled
                        || !before.classes.keys().eq(found.classes.keys())
                        || (*before != found && at.elapsed() >= REWORD)
                }
            };
            if news {
                self.tell(said.as_ref().map(|(before, _)| before), &found).await;
                said = Some((found, Instant::now()));
            }
            // Telling may wait for those who are told, and that is no standstill.
            next = Instant::now() + BEAT;
        }
    }

    async fn tell(&self, before: Option<&Impaired>, found: &Impaired) {
        let is_new = |class: &String| before.is_none_or(|before| !before.classes.contains_key(class));
        for (class, what) in found.classes.iter().filter(|(class, _)| is_new(class)) {
            tracing::error!(class, what, "this machine is in the way of its monitors");
        }
        for class in before.iter().flat_map(|before| before.classes.keys()) {
            if !found.classes.contains_key(class) {
                tracing::info!(class, "this reason is no longer in the way of monitors");
            }
        }
        self.metrics.impaired.set(i64::from(!found.classes.is_empty()));
        let (late, unjudged): (Vec<_>, Vec<_>) = found.classes.iter().partition(|(class, _)| *class == LATE);
        let unjudged: Vec<&str> = unjudged.into_iter().map(|(_, what)| what.as_str()).collect();
        let unjudged = (!unjudged.is_empty()).then(|| format!("monitors cannot be judged: {}", unjudged.join("; ")));
        let late = late.first().map(|(_, what)| format!("this machine is overloaded: {what}"));
        let what: Vec<String> = unjudged.into_iter().chain(late).collect();
        // Both outlive this actor.
        let what = (!what.is_empty()).then(|| what.join("; "));
        let _ = self.board.send(Report::Complaint { part: "self", what }).await;
        let _ = self.evaluator.send(EvalInput::Impaired(found.clone())).await;
    }
}

impl Itself {
    pub(crate) fn notice_stall(&self, expected: Instant) {
        let now = Instant::now();
        let late = now.saturating_duration_since(expected);
        if late > STALL
            && let Ok(mut stall) = self.stall.lock()
        {
            tracing::warn!(seconds = late.as_secs_f64(), "the process stood still");
            *stall = Some((expected, now));
        }
    }
}

/// Looks at the uplink at intervals, so that trouble is known before anything fails, and its end, too.
pub async fn rounds(itself: Arc<Itself>, stop: CancellationToken) {
    let mut last: Option<Arc<Looks>> = None;
    loop {
        let looks = itself.looks();
        let now = Instant::now();
        // Who names references wants to know of trouble early: whether the name servers know the root is seen once.
        let first = last.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &looks));
        let names = (first && !looks.settings.references.is_empty()) || looks.names.known().is_some();
        let round = async {
            looks.route(now).await;
            looks.uplink(itself.clock, now).await;
            if names {
                looks.names(now).await;
            }
            // New settings are looked at with the next round; the distance is at most that of the old ones.
            time::sleep_until(now + looks.settings.interval).await;
        };
        if stop.run_until_cancelled(round).await.is_none() {
            return;
        }
        last = Some(looks);
    }
}
