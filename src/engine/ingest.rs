//! The only writer of results: keeps each monitor's history, latest details, and passes results on.
//!
//! A result goes to the history, to the board, and (a slot's last attempt only) to the evaluator.
//! Saving never holds results up: what was not saved yet waits in a bounded journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::heard::Heard;
use crate::base::name::{ByMonitor, MonitorName};
use crate::base::outcome::Verdict;
use crate::base::scraped::Scraped;
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::board::{Facts, Report};
use crate::engine::evaluator::{Doubt, EvalInput, SlotResult};
use crate::engine::history::{History, Journal};
use crate::engine::metrics::{LagWindow, Metrics};
use crate::engine::storage::recorder::Recorded;
use crate::state::Ring;
use crate::wire::api::{HistoryPoint, ProbeResult};
use crate::wire::board::STRIP_BUCKET;

/// Results are taken in this often, all that came since at once: waking for each costs more than
/// keeping it. The board shows no more than ten states a second anyway.
const TAKE_EVERY: Duration = Duration::from_millis(100);
/// How often results are handed to be saved: what a `kill -9` may cost.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How often all whole histories are saved, a portion a second: at once they would be 30 MB of 10,000 monitors. What the
/// journal had before is then superfluous.
const ROUND_EVERY: Duration = Duration::from_secs(600);
/// A round takes half of that, …
const PORTIONS: usize = 300;
/// … or less where portions would be smaller than this.
const PORTION: usize = 64;
/// What the journal may hold while the disk does not take it: about 300,000 results.
const JOURNAL_LIMIT: usize = 16 << 20;
/// What is held for the series store while it does not take results: about 40 MB, or some minutes of
/// 1,000 results a second.
const UNRECORDED_LIMIT: usize = 200_000;
/// What is held of scraped series meanwhile, in samples of about 150 bytes each.
const UNRECORDED_SERIES_LIMIT: usize = 1_000_000;
/// A cron monitor's result speaks for this long on its strip.
const CRON_COVER: Duration = Duration::from_secs(3_600);

/// One probe is done.
#[derive(Debug)]
pub struct Measured {
    /// The monitor.
    pub monitor: Arc<Monitor>,
    /// What it found.
    pub result: Arc<ProbeResult>,
    /// Series for the store, which nothing else looks at.
    pub series: Option<Scraped>,
    /// How late it started; `None` for retries, which have no due time.
    pub lag: Option<Duration>,
    /// The slot's verdict stands: no retry follows.
    pub last: bool,
}

/// What else ingest can be told.
#[derive(Debug)]
pub enum IngestInput {
    /// What runs.
    Config {
        /// All of it.
        config: Arc<Config>,
        /// Nothing is missing in it because of a broken file: monitors that it does not know are forgotten.
        complete: bool,
    },
    /// Everything kept about one monitor.
    Detail {
        /// Which.
        name: MonitorName,
        /// Gets it; empty for a monitor that has no result yet.
        reply: oneshot::Sender<Detail>,
    },
}

/// What is kept about one monitor.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// The newest result.
    pub last: Option<Arc<ProbeResult>>,
    /// The newest one that was up or degraded.
    pub last_ok: Option<Arc<ProbeResult>>,
    /// The newest one that was down or unknown.
    pub last_bad: Option<Arc<ProbeResult>>,
    /// Oldest first.
    pub history: Vec<HistoryPoint>,
}

/// What is to be saved.
#[derive(Debug)]
pub enum Save {
    /// Results since the last save.
    Journal(Vec<u8>),
    /// Whole histories of some monitors.
    Rings(Rings),
    /// When monitors have listened.
    Heard(Vec<(MonitorName, Heard)>),
}

/// A portion of whole histories.
#[derive(Debug, Default)]
pub struct Rings {
    /// They replace what was saved of these monitors.
    pub rings: Vec<(MonitorName, Vec<u8>)>,
    /// Monitors that are no more.
    pub gone: Vec<MonitorName>,
    /// A round begins with these.
    pub first: bool,
    /// All that the journal had when the round began is in its histories.
    pub last: bool,
}

/// Where ingest passes things on to.
#[derive(Debug)]
pub struct Outlets {
    /// Full: results wait (bounded by the probes under way).
    pub board: mpsc::Sender<Report>,
    /// Full: results wait.
    pub evaluator: mpsc::Sender<EvalInput>,
    /// Full: the journal keeps what it has and grows.
    pub saves: mpsc::Sender<Save>,
    /// Full: results are held here, up to a limit; beyond it the oldest are dropped and counted.
    pub recorder: mpsc::Sender<Vec<Recorded>>,
}

/// The actor.
pub struct Ingest {
    clock: Clock,
    metrics: Arc<Metrics>,
    out: Outlets,
    kept: ByMonitor<Kept>,
    journal: Journal,
    journal_size: usize,
    /// Monitors whose histories are to be saved in this round.
    round: Vec<MonitorName>,
    round_at: time::Instant,
    /// The journal is longer than two rounds let it become: servers that were killed again and again left it.
    overlong: bool,
    /// Monitors that are no more, for the next portion.
    gone: Vec<MonitorName>,
    lag: LagWindow,
    strip_bucket: i64,
    /// What the board has not been told of.
    news: Vec<(MonitorName, Facts)>,
    /// Results that the recorder has not taken yet.
    unrecorded: Vec<Recorded>,
    /// Results for the recorder were dropped.
    behind: bool,
}

/// Ingest's two inboxes.
#[derive(Debug)]
pub struct Inlets {
    /// Results. Full: probes wait, nothing is dropped.
    pub results: mpsc::Receiver<Measured>,
    /// Requests and configurations.
    pub inputs: mpsc::Receiver<IngestInput>,
}

#[derive(Default)]
struct Kept {
    history: History,
    cover: Duration,
    last: Option<Arc<ProbeResult>>,
    last_ok: Option<Arc<ProbeResult>>,
    last_bad: Option<Arc<ProbeResult>>,
}

impl Ingest {
    /// Starts from what was saved: whole histories, then journals in the order written.
    pub fn new(clock: Clock, metrics: Arc<Metrics>, out: Outlets, rings: &[Ring], journals: &[(i64, Vec<u8>)]) -> Self {
        let mut kept: ByMonitor<Kept> = ByMonitor::default();
        let mut covers: ByMonitor<i64> = ByMonitor::default();
        for Ring { monitor, data, covers: newest } in rings {
            match History::decode(data) {
                Some(history) => {
                    kept.insert(monitor.clone(), Kept { history, ..Kept::default() });
                    covers.insert(monitor.clone(), *newest);
                }
                None => tracing::warn!(%monitor, "a saved history is not readable and starts anew"),
            }
        }
        for (piece, blob) in journals {
            Journal::replay(blob, |name, cover, p| {
                if let Ok(name) = MonitorName::new(name)
                    && covers.get(&name).is_none_or(|newest| newest < piece)
                {
                    kept.entry(name).or_default().history.push(p.at, p.took, p.verdict, cover);
                }
            });
        }
        let (journal, lag) = (Journal::default(), LagWindow::default());
        Self {
            clock,
            metrics,
            out,
            kept,
            journal,
            journal_size: 0,
            round: Vec::new(),
            round_at: time::Instant::now() + ROUND_EVERY,
            overlong: journals.len() as u64 > 2 * ROUND_EVERY.as_secs(),
            gone: Vec::new(),
            lag,
            strip_bucket: 0,
            news: Vec::new(),
            unrecorded: Vec::new(),
            behind: false,
        }
    }

    /// Works until `stop`; then takes what is in the inboxes, and hands out everything to be saved.
    pub async fn run(mut self, mut from: Inlets, stop: CancellationToken) {
        let mut second = time::interval(SAVE_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = time::interval(TAKE_EVERY);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = second.tick() => {
                    self.every_second().await;
                    self.save_rings();
                }
                _ = round.tick() => self.drain(&mut from.results).await,
                Some(input) = from.inputs.recv() => {
                    self.drain(&mut from.results).await;
                    self.take(input).await;
                }
            }
        }
        self.drain(&mut from.results).await;
        while let Ok(input) = from.inputs.try_recv() {
            self.take(input).await;
        }
        // The recorder outlives ingest, too.
        if !self.unrecorded.is_empty() {
            let _ = self.out.recorder.send(std::mem::take(&mut self.unrecorded)).await;
        }
        // The saver outlives ingest, so waiting for a place in its inbox ends.
        if let Some(blob) = self.journal.take() {
            let _ = self.out.saves.send(Save::Journal(blob)).await;
        }
        let whole = self.whole();
        let _ = self.out.saves.send(Save::Rings(whole)).await;
    }

    async fn drain(&mut self, results: &mut mpsc::Receiver<Measured>) {
        let now = self.clock.now();
        while let Ok(measured) = results.try_recv() {
            self.result(measured, now).await;
        }
        self.hand_to_recorder().await;
        if self.news.is_empty() {
            return;
        }
        // Closed inboxes mean shutdown; results are in the history already.
        let _ = self.out.board.send(Report::Facts(std::mem::take(&mut self.news))).await;
    }

    /// Never waits: the series store may stand on a slow disk.
    async fn hand_to_recorder(&mut self) {
        if self.unrecorded.is_empty() {
            return;
        }
        if let Ok(place) = self.out.recorder.try_reserve() {
            place.send(std::mem::take(&mut self.unrecorded));
            if std::mem::take(&mut self.behind) {
                let _ = self.out.board.send(Report::Complaint { part: "recorder", what: None }).await;
            }
            return;
        }
        let mut held: usize = self.unrecorded.iter().map(Recorded::scraped).sum();
        let mut excess = self.unrecorded.len().saturating_sub(UNRECORDED_LIMIT);
        held -= self.unrecorded.iter().take(excess).map(Recorded::scraped).sum::<usize>();
        while held > UNRECORDED_SERIES_LIMIT && excess < self.unrecorded.len() {
            held -= self.unrecorded[excess].scraped();
            excess += 1;
        }
        if excess > 0 {
            let lost = self.unrecorded.drain(..excess).map(|r| r.samples()).sum();
            self.metrics.intake.lost(lost);
            if !std::mem::replace(&mut self.behind, true) {
                let what = "results are dropped: the series store does not take them fast enough".to_owned();
                tracing::error!("{what}");
                let _ = self.out.board.send(Report::Complaint { part: "recorder", what: Some(what) }).await;
            }
        }
    }

    async fn take(&mut self, input: IngestInput) {
        match input {
            IngestInput::Config { config, complete } => {
                if complete {
                    let gone = self.kept.keys().filter(|name| !config.monitors.contains_key(*name));
                    self.gone.extend(gone.cloned());
                    self.kept.retain(|name, _| config.monitors.contains_key(name));
                }
                for (name, monitor) in &config.monitors {
                    let kept = self.kept.entry(name.clone()).or_default();
                    kept.cover = distance(monitor);
                }
                self.send_all().await;
            }
            IngestInput::Detail { name, reply } => {
                let detail = self.kept.get(&name).map(Kept::detail).unwrap_or_default();
                // The asker may have gone.
                let _ = reply.send(detail);
            }
        }
    }

    async fn result(&mut self, measured: Measured, now: Timestamp) {
        let Measured { monitor, result, series, lag, last } = measured;
        if let Some(lag) = lag {
            self.lag.record(lag);
        }
        // `probe_success`, `probe_duration_seconds` and the state come on top of the kind's own.
        let own = if result.verdict == Verdict::Unknown { 1 } else { 3 };
        self.metrics.samples.inc_by(result.samples.len() as u64 + own);
        let cover = distance(&monitor);
        // The history counts slots: an attempt that is repeated is none.
        if last {
            self.journal.add(&monitor.name, cover, result.at, result.took, result.verdict);
            self.journal_size += 30 + monitor.name.as_str().len();
            if self.journal_size > JOURNAL_LIMIT {
                tracing::error!("results of the last minutes could not be saved and will be missing after a restart");
                self.journal.take();
                self.journal_size = 0;
            }
        }
        let kept = self.kept.entry(monitor.name.clone()).or_default();
        kept.cover = cover;
        if last {
            kept.history.push(result.at, result.took, result.verdict, cover);
        }
        let slot = match result.verdict {
            Verdict::Up | Verdict::Degraded => &mut kept.last_ok,
            Verdict::Down | Verdict::Unknown => &mut kept.last_bad,
        };
        *slot = Some(Arc::clone(&result));
        kept.last = Some(Arc::clone(&result));
        self.news.push((monitor.name.clone(), kept.facts(now)));
        if last || series.is_some() {
            // Series of an attempt that is repeated are stored all the same: the job counts them as written.
            let result = last.then(|| Arc::clone(&result));
            self.unrecorded.push(Recorded { monitor: Arc::clone(&monitor), result, series });
        }
        if last {
            let headline = result.reason.as_ref().map_or_else(|| result.summary.clone(), |r| r.message.clone());
            let reason = result.reason.as_ref();
            let slot = SlotResult {
                monitor,
                at: result.at,
                verdict: result.verdict,
                doubt: reason.filter(|_| result.verdict == Verdict::Unknown).and_then(Doubt::of),
                headline,
            };
            let _ = self.out.evaluator.send(EvalInput::Result(slot)).await;
        }
    }

    async fn every_second(&mut self) {
        if let Ok(place) = self.out.saves.try_reserve()
            && let Some(blob) = self.journal.take()
        {
            self.journal_size = 0;
            place.send(Save::Journal(blob));
        }
        self.lag.tick();
        let _ = self.out.board.send(Report::Lag(self.lag.p99())).await;
        let bucket = self.clock.now().millis().div_euclid(STRIP_BUCKET.as_millis() as i64);
        if bucket != self.strip_bucket {
            self.strip_bucket = bucket;
            self.send_all().await;
        }
    }

    async fn send_all(&self) {
        let now = self.clock.now();
        let facts = self.kept.iter().map(|(name, kept)| (name.clone(), kept.facts(now))).collect();
        let _ = self.out.board.send(Report::Facts(facts)).await;
    }

    /// Saves the next portion if it is time and there is a place for it; else it is tried again a second later. So it is
    /// when part of the journal waits: what a history has is to be in no later piece.
    fn save_rings(&mut self) {
        if self.journal_size > 0 {
            return;
        }
        let Ok(place) = self.out.saves.clone().try_reserve_owned() else { return };
        let portion = match std::mem::take(&mut self.overlong) {
            true => Some(self.whole()),
            false => self.portion(),
        };
        if let Some(portion) = portion {
            place.send(Save::Rings(portion));
        }
    }

    /// The next portion of histories; of the next round, if it is time for that.
    fn portion(&mut self) -> Option<Rings> {
        let first = self.round.is_empty();
        if first {
            if time::Instant::now() < self.round_at {
                return None;
            }
            self.round_at = time::Instant::now() + ROUND_EVERY;
            self.round = self.kept.keys().cloned().collect();
        }
        let size = self.kept.len().div_ceil(PORTIONS).max(PORTION).min(self.round.len());
        let names = self.round.drain(self.round.len() - size..);
        let rings = names.filter_map(|name| Some((name.clone(), self.kept.get(&name)?.history.encode()))).collect();
        Some(Rings { rings, gone: std::mem::take(&mut self.gone), first, last: self.round.is_empty() })
    }

    /// A round in one portion.
    fn whole(&mut self) -> Rings {
        let rings = self.kept.iter().map(|(name, kept)| (name.clone(), kept.history.encode())).collect();
        Rings { rings, gone: std::mem::take(&mut self.gone), first: true, last: true }
    }
}

impl Kept {
    fn facts(&self, now: Timestamp) -> Facts {
        let (took, headline) = match &self.last {
            Some(r) => (Some(r.took), r.reason.as_ref().map_or_else(|| r.summary.clone(), |r| r.message.clone())),
            None => (self.history.points(1).first().map(|p| p.took), String::new()),
        };
        Facts {
            last: self.history.last_at(),
            took,
            headline,
            strip: self.history.strip(now, self.cover),
            uptime: self.history.uptime(),
            p95: self.history.p95(),
        }
    }

    fn detail(&self) -> Detail {
        Detail {
            last: self.last.clone(),
            last_ok: self.last_ok.clone(),
            last_bad: self.last_bad.clone(),
            history: self.history.points(usize::MAX),
        }
    }
}

/// How far apart results are.
pub(crate) fn distance(monitor: &Monitor) -> Duration {
    match &monitor.schedule {
        Schedule::Every(interval) => *interval,
        Schedule::Cron { .. } => CRON_COVER,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::engine::history::POINTS;

    /// What a database holds after some saves, as `engine/upkeep` and `state` keep it.
    #[derive(Default)]
    struct Saved {
        rings: HashMap<MonitorName, Ring>,
        journal: Vec<(i64, Vec<u8>)>,
        next: i64,
        covered: i64,
    }

    impl Saved {
        fn take(&mut self, save: Save) {
            match save {
                Save::Journal(blob) => {
                    self.next += 1;
                    self.journal.push((self.next, blob));
                }
                Save::Rings(Rings { rings, gone, first, last }) => {
                    if first {
                        self.covered = self.next;
                    }
                    gone.iter().for_each(|name| drop(self.rings.remove(name)));
                    let covers = self.next;
                    let rings =
                        rings.into_iter().map(|(monitor, data)| (monitor.clone(), Ring { monitor, data, covers }));
                    self.rings.extend(rings);
                    if last {
                        self.journal.retain(|(id, _)| *id > self.covered);
                    }
                }
                Save::Heard(_) => {}
            }
        }

        /// What is known after a start with it.
        fn read(&self) -> ByMonitor<History> {
            let rings: Vec<_> = self.rings.values().cloned().collect();
            let (ingest, ..) = ingest(&rings, &self.journal);
            ingest.kept.into_iter().map(|(name, kept)| (name, kept.history)).collect()
        }
    }

    fn result(at: Timestamp) -> ProbeResult {
        ProbeResult {
            at,
            verdict: Verdict::Up,
            reason: None,
            summary: String::new(),
            took: Duration::from_micros(1_234),
            attempt: 1,
            phases: Vec::new(),
            checks: Vec::new(),
            samples: Vec::new(),
            evidence: None,
        }
    }

    fn ingest(rings: &[Ring], journals: &[(i64, Vec<u8>)]) -> (Ingest, mpsc::Receiver<Save>) {
        let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        let (saves, saved) = mpsc::channel(1_000);
        // Closed: nobody is told.
        let out =
            Outlets { board: mpsc::channel(1).0, evaluator: mpsc::channel(1).0, saves, recorder: mpsc::channel(1).0 };
        (Ingest::new(clock, Arc::default(), out, rings, journals), saved)
    }

    #[tokio::test(start_paused = true)]
    async fn whenever_it_ends_a_server_finds_each_result_that_was_saved_once() {
        let (mut ingest, mut saved) = ingest(&[], &[]);
        let monitors: Vec<_> = (0..200).map(|i| Arc::new(Monitor::sample(&format!("m{i}")))).collect();
        let (mut store, mut portions) = (Saved::default(), 0);
        for second in 0..1_300_u64 {
            time::advance(SAVE_EVERY).await;
            // The clock was ahead for a while.
            let now = Timestamp::from_millis(ingest.clock.now().millis() - if second > 640 { 7_200_000 } else { 0 });
            for monitor in monitors.iter().skip(second as usize % 7).step_by(7) {
                let result = Arc::new(result(now));
                let measured = Measured { monitor: Arc::clone(monitor), result, series: None, lag: None, last: true };
                ingest.result(measured, now).await;
            }
            ingest.every_second().await;
            ingest.save_rings();
            while let Ok(save) = saved.try_recv() {
                portions += usize::from(matches!(&save, Save::Rings(rings) if rings.rings.len() <= PORTION));
                store.take(save);
            }
            if second % 50 == 3 || ingest.round.len() > PORTION {
                let read = store.read();
                for (name, kept) in &ingest.kept {
                    assert_eq!(read[name].points(POINTS), kept.history.points(POINTS), "{name} after {second} s");
                }
            }
        }
        assert_eq!((portions, store.rings.len()), (8, 200), "two rounds of four portions");
        assert!(store.journal.len() < 710, "{}", store.journal.len());
        // One that is gone is so with the next portion, but none that may only be in a file that is broken.
        for (complete, left) in [(false, 200), (true, 0)] {
            ingest.take(IngestInput::Config { config: Arc::default(), complete }).await;
            store.take(Save::Rings(ingest.whole()));
            assert_eq!((store.rings.len(), store.journal.len()), (left, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_no_server_lived_to_shorten_is_shortened_at_once() {
        for (pieces, shortens) in [(1_200, false), (1_201, true)] {
            let mut journal = Journal::default();
            journal.add(&MonitorName::new("m").unwrap(), SAVE_EVERY, Timestamp::EPOCH, SAVE_EVERY, Verdict::Up);
            let journals = vec![(1, journal.take().unwrap()); pieces];
            let (mut ingest, mut saved) = ingest(&[], &journals);
            ingest.save_rings();
            assert_eq!(matches!(saved.try_recv(), Ok(Save::Rings(Rings { last: true, .. }))), shortens, "{pieces}");
        }
    }
}
