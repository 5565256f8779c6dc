//! What goes on by itself: notices when the process stood still, decides whether we are impaired and says so, and
//! looks at the uplink while nothing fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::engine::board::Report;
use crate::engine::evaluator::EvalInput;
use crate::engine::itself::tally::Minute;
use crate::engine::itself::{Itself, Looks};
use crate::engine::metrics::Metrics;

/// Distance between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// A beat that is late by this much means that nothing ran meanwhile.
const STALL: Duration = Duration::from_secs(1);
/// Other words for what goes on, another number of monitors above all, are told at most this often. So is another
/// cause: of two that are about as large, now one is the larger and now the other.
const REWORD: Duration = Duration::from_secs(10);
/// After a start, an alert that was remembered is not over before everything was looked at.
const SETTLED: Duration = Duration::from_secs(60);

/// What is wrong with us: its class, and in words; `None` when nothing is.
type Finding = Option<(String, String)>;

/// The actor that says whether we are impaired.
pub struct Pulse {
    /// How we stand.
    pub itself: Arc<Itself>,
    /// Raises and ends the alert about ourselves.
    pub evaluator: mpsc::Sender<EvalInput>,
    /// Shows it.
    pub board: mpsc::Sender<Report>,
    /// Counts it.
    pub metrics: Arc<Metrics>,
    /// The alert was there before the start.
    pub remembered: bool,
}

impl Pulse {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut minute = Minute::default();
        // The first finding is told whatever it is: an alert may be remembered that it ends.
        let mut said: Option<(Finding, Instant)> = None;
        let began = Instant::now();
        let mut next = began + BEAT;
        while stop.run_until_cancelled(time::sleep_until(next)).await.is_some() {
            self.itself.notice_stall(next);
            minute.push(self.itself.tally.take());
            let unsettled = self.remembered && said.is_none();
            if unsettled {
                self.itself.standing.believe();
            }
            let looks = self.itself.looks();
            let found = looks.trouble().or_else(|| self.itself.standing.trouble()).or_else(|| minute.trouble());
            let news = match &said {
                None => found.is_some() || !unsettled || began.elapsed() >= SETTLED,
                Some((before, at)) => {
                    before.is_some() != found.is_some() || (*before != found && at.elapsed() >= REWORD)
                }
            };
            if news {
                let class = |f: &Finding| f.as_ref().map(|(class, _)| class.clone());
                let before = said.as_ref().and_then(|(before, _)| class(before));
                self.tell(&found, before != class(&found)).await;
                said = Some((found, Instant::now()));
            }
            // Telling may wait for those who are told, and that is no standstill.
            next = Instant::now() + BEAT;
        }
    }

    /// `changed`: it is no longer the same cause.
    async fn tell(&self, found: &Finding, changed: bool) {
        let text = found.as_ref().map(|(_, text)| text.clone());
        match &text {
            Some(what) if changed => tracing::error!(what, "monitors cannot be judged"),
            None if changed => tracing::info!("all monitors can be judged again"),
            Some(_) | None => {}
        }
        self.metrics.impaired.set(i64::from(text.is_some()));
        // Both outlive this actor.
        let what = text.as_ref().map(|text| format!("monitors cannot be judged: {text}"));
        let _ = self.board.send(Report::Complaint { part: "self", what }).await;
        let _ = self.evaluator.send(EvalInput::Impaired(text)).await;
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
