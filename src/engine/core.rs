//! The running engine as seen by the API: turns calls into messages to the actors.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::name::MonitorName;
use crate::base::nearest::nearest;
use crate::base::probe::Call;
use crate::base::scraped::Targets;
use crate::base::units::Exact;
use crate::config::model::{Config, Monitor, Schedule};
use crate::engine::alerting::Alerting;
use crate::engine::evidence::Captures;
use crate::engine::handle::{Engine, EngineError, EventQuery, Reply};
use crate::engine::ingest::{Detail, IngestInput};
use crate::engine::intake::Intake;
use crate::engine::metrics::Metrics;
use crate::engine::query::Queries;
use crate::engine::reload::{Applied, ReloadRequest};
use crate::engine::reports::{Reports, known};
use crate::engine::ruler::RuleBook;
use crate::engine::scheduler::Command;
use crate::engine::sla;
use crate::engine::storage::jobs::ScrapeJobs;
use crate::state::{EventFilter, StateDb};
use crate::wire::api::{ConfigStatus, Events, HistoryPoint, MonitorDetail, ProbeResult, Push, Reloaded};
use crate::wire::board::{AlertRow, Board, Event, EventKind, MonitorRow};
use crate::wire::sla::SlaReport;

/// Most events of one page.
const PAGE: usize = 1_000;
/// Events shown with a monitor.
const EVENTS_OF_MONITOR: usize = 20;

/// The engine's ends of the actors' channels.
#[derive(Debug)]
pub struct Core {
    /// The wall clock.
    pub clock: Clock,
    /// The engine's own measurements.
    pub metrics: Arc<Metrics>,
    /// The newest board.
    pub board: watch::Receiver<Arc<Board>>,
    /// The scheduler's inbox. Full: the caller waits; it empties it faster than any API can fill it.
    pub scheduler: mpsc::Sender<Command>,
    /// Ingest's inbox. Full: the caller waits behind results.
    pub ingest: mpsc::Sender<IngestInput>,
    /// The reloader's inbox. Full: the caller is refused.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// What runs.
    pub config: watch::Receiver<Applied>,
    /// Events and reports.
    pub db: StateDb,
    /// Questions about series.
    pub queries: Arc<Queries>,
    /// Alerts, silences, notifications.
    pub alerting: Alerting,
    /// Samples that others push.
    pub intake: Arc<Intake>,
    /// What others tell monitors.
    pub reports: Reports,
    /// Rules and how they do.
    pub rules: Arc<RuleBook>,
    /// Jobs that scrape.
    pub jobs: Arc<ScrapeJobs>,
    /// What was seen of targets when they failed, and while they worked.
    pub captures: Arc<Captures>,
    /// Set when the engine goes down: new commands are refused.
    pub stopping: CancellationToken,
}

impl Core {
    fn find(&self, name: &str) -> Result<Arc<Monitor>, EngineError> {
        let config = Arc::clone(&self.config.borrow().config);
        config.monitors.get(name).cloned().ok_or_else(|| {
            let near = nearest(name, config.monitors.keys().map(MonitorName::as_str)).map(str::to_owned);
            EngineError::NoSuchMonitor { name: name.to_owned(), nearest: near }
        })
    }

    fn accepting(&self) -> Result<(), EngineError> {
        if self.stopping.is_cancelled() { Err(EngineError::Stopping) } else { Ok(()) }
    }

    async fn detail(&self, name: MonitorName) -> Result<Detail, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ingest.send(IngestInput::Detail { name, reply }).await.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)
    }

    async fn full_monitor(&self, name: &str) -> Result<MonitorDetail, EngineError> {
        let monitor = self.find(name)?;
        let detail = self.detail(monitor.name.clone()).await?;
        let (reply, next) = oneshot::channel();
        let ask = Command::Next { name: monitor.name.clone(), reply };
        self.scheduler.send(ask).await.map_err(|_| EngineError::Stopping)?;
        let next = next.await.map_err(|_| EngineError::Stopping)?;
        let query = EventQuery { limit: EVENTS_OF_MONITOR, subject: Some(name.to_owned()), ..EventQuery::default() };
        let events = self.page(query).await.map(|p| p.events).unwrap_or_default();
        let board = Arc::clone(&self.board.borrow());
        let row = board
            .monitors
            .binary_search_by(|m| m.name.cmp(&monitor.name))
            .ok()
            .map(|i| MonitorRow::clone(&board.monitors[i]));
        // Between a reload and the next board, a tenth of a second, a new monitor has no row.
        let row = row.ok_or(EngineError::Busy)?;
        let seen = self.captures.seen(&monitor.name);
        let newest = |r: &Arc<ProbeResult>| detail.last.as_ref().is_some_and(|l| Arc::ptr_eq(l, r));
        let other = |r: Option<&Arc<ProbeResult>>| r.filter(|r| !newest(r)).map(|r| ProbeResult::clone(r));
        Ok(MonitorDetail {
            row,
            schedule: schedule_text(&monitor.schedule),
            timeout: monitor.timeout,
            next,
            alert: monitor.alert,
            source: monitor.source.clone(),
            last: detail.last.as_deref().cloned(),
            last_ok: other(detail.last_ok.as_ref()),
            last_bad: other(detail.last_bad.as_ref()),
            first_failure: seen.failed.as_deref().cloned(),
            last_good: seen.worked.as_deref().cloned(),
            history: detail.history,
            alerts: board
                .alerts
                .iter()
                .filter(|a| a.monitor.as_ref() == Some(&monitor.name))
                .map(|a| AlertRow::clone(a))
                .collect(),
            events,
        })
    }

    async fn page(&self, query: EventQuery) -> Result<Events, EngineError> {
        let limit = query.limit.clamp(1, PAGE);
        let filter = EventFilter {
            before: query.before,
            limit,
            kind: query.kind,
            subject: query.subject,
            alert: query.alert,
            since: query.since,
        };
        let events: Vec<Event> = self.db.events(filter).await.map_err(|e| EngineError::Store(Box::new(e)))?;
        let next = events.last().map(|e| e.id).filter(|_| events.len() == limit);
        Ok(Events { events, next })
    }

    async fn take_push(&self, name: &str, token: &str, push: Push) -> Result<(), EngineError> {
        self.accepting()?;
        self.reports.push(&*known(self.find(name))?, token, push).await
    }

    async fn take_webhook(&self, name: &str, call: &Call<'_>) -> Result<usize, EngineError> {
        self.accepting()?;
        self.reports.webhook(&*known(self.find(name))?, call).await
    }
}

impl Engine for Core {
    fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.board.clone()
    }

    fn monitor<'a>(&'a self, name: &'a str) -> Reply<'a, MonitorDetail> {
        Box::pin(self.full_monitor(name))
    }

    fn history<'a>(&'a self, name: &'a str, limit: usize) -> Reply<'a, Vec<HistoryPoint>> {
        Box::pin(async move {
            let monitor = self.find(name)?;
            let mut points = self.detail(monitor.name.clone()).await?.history;
            points.drain(..points.len().saturating_sub(limit));
            Ok(points)
        })
    }

    fn run_now<'a>(&'a self, name: &'a str) -> Reply<'a, ProbeResult> {
        Box::pin(async move {
            self.accepting()?;
            let monitor = self.find(name)?;
            let (reply, answer) = oneshot::channel();
            let ask = Command::RunNow { name: monitor.name.clone(), reply };
            self.scheduler.send(ask).await.map_err(|_| EngineError::Stopping)?;
            // The reply is dropped when the monitor changes under the probe.
            let result = answer.await.map_err(|_| EngineError::Busy)??;
            Ok(ProbeResult::clone(&result))
        })
    }

    fn push<'a>(&'a self, name: &'a str, token: &'a str, push: Push) -> Reply<'a, ()> {
        Box::pin(self.take_push(name, token, push))
    }

    fn webhook<'a>(&'a self, name: &'a str, call: Call<'a>) -> Reply<'a, usize> {
        Box::pin(async move { self.take_webhook(name, &call).await })
    }

    fn events(&self, query: EventQuery) -> Reply<'_, Events> {
        Box::pin(self.page(query))
    }

    fn config(&self) -> Reply<'_, ConfigStatus> {
        let status = ConfigStatus::clone(&self.config.borrow().status);
        Box::pin(std::future::ready(Ok(status)))
    }

    fn reload(&self) -> Reply<'_, Reloaded> {
        Box::pin(async move {
            self.accepting()?;
            let (reply, answer) = oneshot::channel();
            self.reload.try_send(reply).map_err(|_| EngineError::Busy)?;
            answer.await.map_err(|_| EngineError::Stopping)?
        })
    }

    fn sla(&self, ask: sla::Ask) -> Reply<'_, SlaReport> {
        let config = Arc::clone(&self.config.borrow().config);
        Box::pin(async move { sla::report(&self.queries, config, ask).await })
    }

    fn queries(&self) -> &Queries {
        &self.queries
    }

    fn alerting(&self) -> &Alerting {
        &self.alerting
    }

    fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    fn rules(&self) -> &RuleBook {
        &self.rules
    }

    fn targets(&self) -> Vec<(MonitorName, Targets)> {
        self.jobs.targets()
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let config = Arc::clone(&self.config.borrow().config);
        settings(&config)
    }

    fn metrics(&self) -> String {
        self.metrics.text()
    }
}

fn schedule_text(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(interval) => format!("every {}", Exact(*interval)),
        Schedule::Cron { text, zone, .. } => format!("{text} {}", zone.iana_name().unwrap_or("local time")),
    }
}

fn settings(Config { storage, query, intake, .. }: &Config) -> Vec<(&'static str, String)> {
    let time = |d: Duration| Exact(d).to_string();
    let limit = intake.max_series_per_job.map_or_else(|| "none".to_owned(), |n| n.to_string());
    vec![
        ("storage.retention", time(storage.retention)),
        ("storage.max_size", storage.max_size.to_string()),
        ("storage.rollups.5m", time(storage.rollup_5m)),
        ("storage.rollups.1h", time(storage.rollup_1h)),
        ("storage.fsync", time(storage.fsync)),
        ("storage.max_series", storage.max_series.to_string()),
        ("query.timeout", time(query.timeout)),
        ("query.max_samples", query.max_samples.to_string()),
        ("query.max_series", query.max_series.to_string()),
        ("query.concurrency", query.concurrency.to_string()),
        ("query.lookback", time(query.lookback)),
        ("query.default_step", time(query.default_step)),
        ("query.experimental", query.experimental.to_string()),
        ("intake.max_samples_per_request", intake.max_samples_per_request.to_string()),
        ("intake.max_series_per_job", limit),
    ]
}

/// An event of this server's own life.
pub fn server_event(clock: &Clock, what: &'static str, detail: String) -> crate::state::NewEvent {
    crate::state::NewEvent::new(clock.now(), EventKind::Server, "watchdog", what, detail)
}
