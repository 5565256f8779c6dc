//! What faces ask of alerting, and wish from it. The evaluator owns all of it; this handle sends it work
//! and waits for the answer, which comes after what was wished for is committed.

mod foreign;
pub(crate) mod preview;
pub(crate) mod setup;
mod silences;
pub(crate) mod views;
mod why;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::alert::ack::Ack as Acked;
use crate::alert::dispatch::{AlertUpdate, Dispatcher, Event as AlertEvent, Origin, Setup, Verdict};
use crate::alert::route::{DRILL, DRILL_ID};
use crate::alert::rule::Fingerprint;
use crate::base::clock::Clock;
use crate::base::labels::Labels;
use crate::base::message::{DeliveryError, Status};
use crate::base::nearest::nearest;
use crate::base::notification::{Delivery, Notification, NotifiedAlert, Reason};
use crate::base::time::Timestamp;
use crate::config::model::Receiver;
pub(crate) use crate::engine::alerting::silences::MAX_MATCHERS;
use crate::engine::evaluator::{EvalInput, Job, Turn};
use crate::engine::handle::EngineError;
use crate::engine::outbox::{LaneHealth, OutboxInput};
use crate::engine::reload::Applied;
use crate::engine::ruler::RuleBook;
pub use crate::state::DeliveryFilter;
use crate::state::{EventFilter, Owed, StateDb};
use crate::wire::alerting::{
    Ack, AckRequest, AlertDetail, Deliveries, DrillRequest, MaintenanceRow, NotifierHealth, NotifierRow, RouteMatch,
    RouteRow, RuleRow, TestResult, Upcoming,
};
use crate::wire::alertmanager::{AlertGroup, GettableAlert, PostableAlert};
use crate::wire::board::{AlertRow, Board};

/// Events of an alert's timeline.
const TIMELINE: usize = 200;
/// What a notifier did is counted over this time.
const STATS: Duration = Duration::from_secs(86_400);
/// Firings of rules are counted over this time.
const FIRINGS: Duration = Duration::from_secs(30 * 86_400);
/// One test message may take this long.
const TEST: Duration = Duration::from_secs(15);
/// Deliveries of one page.
const PAGE: usize = 500;
/// Alerts of other servers that are kept, those lately over included. Each costs memory and a row for as long as it is
/// kept, and whoever reaches the API can invent them.
const MAX_FOREIGN: usize = 20_000;
/// Reasons that one refusal names.
const REASONS: usize = 8;
/// Alert groups move on; who looks at a drill waits this long for its deliveries.
const DRILL_LASTS: Duration = Duration::from_secs(60);

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Alerting {
    /// The wall clock.
    pub clock: Clock,
    /// The evaluator's inbox. Full: the caller waits.
    pub evaluator: mpsc::Sender<EvalInput>,
    /// The outbox's inbox. Full: the caller waits.
    pub outbox: mpsc::Sender<OutboxInput>,
    /// Deliveries and history.
    pub db: StateDb,
    /// What runs.
    pub config: watch::Receiver<Applied>,
    /// What is shown.
    pub board: watch::Receiver<Arc<Board>>,
    /// The rules and how they do.
    pub rules: Arc<RuleBook>,
}

impl Alerting {
    /// Looks at alerts, groups and silences as they stand between two inputs.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Dispatcher, Timestamp) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        self.ask(|turn| look(turn.dispatcher(), turn.now())).await
    }

    /// Looks at whatever the evaluator knows.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Turn<'_>) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(move |turn| {
            // Whoever asked may have gone.
            let _ = reply.send(ask(turn));
        });
        self.evaluator.send(EvalInput::Job(job)).await.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)
    }

    /// Changes something; answers when that is committed.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Turn<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(move |turn| {
            let done = act(turn);
            // Whoever asked may have gone.
            turn.answer(move || drop(reply.send(done)));
        });
        self.evaluator.send(EvalInput::Job(job)).await.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// All rules, each with how often its alerts fired in [`FIRINGS`]; without the history, since the start.
    pub async fn rules(&self) -> Vec<RuleRow> {
        let mut rows = self.rules.rows();
        match self.db.firings(self.clock.now().minus(FIRINGS)).await {
            Ok(counts) => rows.iter_mut().filter(|r| r.kind == "alert").for_each(|r| {
                r.firings = counts.get(&r.name).copied().unwrap_or_default();
            }),
            Err(e) => {
                let error = crate::base::failure::Chain(&e);
                tracing::warn!(error = %error, "the history of rules could not be read");
            }
        }
        rows
    }

    /// Alerts in Alertmanager's form, those that `keep` wants, by fingerprint.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn gettable(
        &self,
        keep: impl Fn(&GettableAlert) -> bool + Send + 'static,
    ) -> Result<Vec<GettableAlert>, EngineError> {
        self.look(move |d, now| {
            let firing = d.alerts().filter(|a| a.fires()).map(|a| views::gettable(d, a, now));
            firing.filter(|a| keep(a)).collect()
        })
        .await
    }

    /// Groups in Alertmanager's form, with the alerts that `keep` wants.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn groups(
        &self,
        keep: impl Fn(&GettableAlert) -> bool + Send + 'static,
    ) -> Result<Vec<AlertGroup>, EngineError> {
        self.look(move |d, now| views::groups(d, keep, now)).await
    }

    /// Takes alerts of another server. Those that are sound are taken even if others are not; new ones while there is
    /// room.
    ///
    /// # Errors
    /// What is wrong with the others.
    pub async fn receive(&self, posted: Vec<PostableAlert>) -> Result<(), EngineError> {
        self.act(move |turn| {
            let (mut updates, mut wrong) = (Vec::with_capacity(posted.len()), Vec::new());
            for alert in &posted {
                match foreign::update(alert, turn.now()) {
                    Ok(update) => updates.push(update),
                    Err(why) => wrong.push(why),
                }
            }
            let left_out = make_room(turn, &mut updates, MAX_FOREIGN);
            turn.step(AlertEvent::Alerts(updates));
            if left_out > 0 {
                return Err(EngineError::TooMany(format!(
                    "there are {MAX_FOREIGN} alerts of other servers, which is the limit: {left_out} are not taken"
                )));
            }
            if wrong.is_empty() { Ok(()) } else { Err(EngineError::Refused(reasons(&wrong))) }
        })
        .await
    }

    /// Everything about one alert.
    ///
    /// # Errors
    /// None, or several, are meant.
    pub async fn detail(&self, id: &str) -> Result<AlertDetail, EngineError> {
        let wanted = id.to_owned();
        let (fingerprint, row, routes, mut next, origin, generator) = self
            .look(move |d, now| {
                let fingerprint = find(d, &wanted)?;
                let alert = d.alert(fingerprint).ok_or_else(|| EngineError::NoSuchAlert { id: wanted.clone() })?;
                let routes = views::route_matches(d, alert.labels());
                let mut next: Vec<Upcoming> = Vec::new();
                if alert.fires() {
                    let escalation = d.next_step(alert);
                    next.extend(escalation.map(|(at, step, to)| Upcoming {
                        at,
                        what: format!("step {step} of the escalation: tell {to} unless somebody acknowledges"),
                    }));
                    let repeats = alert.told().iter().filter(|_| alert.ack().is_none());
                    next.extend(repeats.filter_map(|(notifier, told)| {
                        let route = d.setup().policy.route.matching(alert.labels());
                        let every = route.iter().find(|r| r.receiver == told.receiver)?.repeat_interval;
                        Some(Upcoming { at: told.at.plus(every).max(now), what: format!("repeat to {notifier}") })
                    }));
                }
                let generator = alert.generator_url().map(str::to_owned);
                Ok((fingerprint, views::alert_row(alert), routes, next, alert.origin(), generator))
            })
            .await??;
        next.sort_by_key(|n| n.at);
        // The board's row has the deliveries, and says of a monitor's alert what it said when it fired.
        let shown = self.board.borrow().alerts.iter().find(|a| a.fingerprint == row.fingerprint).cloned();
        // Boards come some time after a change; who has it and what mutes it is known already.
        let row = match shown {
            Some(shown) => AlertRow { ack: row.ack, muted: row.muted, ..AlertRow::clone(&shown) },
            None => row,
        };
        let filter = EventFilter { limit: TIMELINE, alert: Some(fingerprint), ..EventFilter::default() };
        let mut timeline = self.db.events(filter).await.map_err(store)?;
        timeline.reverse();
        let config = Arc::clone(&self.config.borrow().config);
        let rule = |name: &str| self.rules.alerting(name);
        let (condition, source) = views::condition(origin, &row, &config, rule, generator);
        let runbook = ["runbook_url", "runbook"].iter().find_map(|n| row.annotations.get(n)).map(str::to_owned);
        Ok(AlertDetail { value: row.value, alert: row, condition, source, routes, timeline, next, runbook })
    }

    /// Somebody has it.
    ///
    /// # Errors
    /// None, or several, are meant, or it does not fire.
    pub async fn acknowledge(&self, id: &str, request: AckRequest) -> Result<Ack, EngineError> {
        let id = id.to_owned();
        self.act(move |turn| {
            let fingerprint = find(turn.dispatcher(), &id)?;
            if !turn.dispatcher().alert(fingerprint).is_some_and(crate::alert::dispatch::Alert::fires) {
                return Err(EngineError::NotSo(format!("alert `{id}` does not fire: there is nothing to acknowledge")));
            }
            let now = turn.now();
            if request.until.is_some_and(|until| until <= now) {
                return Err(EngineError::Refused("the acknowledgement would be over at once".to_owned()));
            }
            let ack = Acked { by: request.by, at: now, comment: request.comment, until: request.until };
            turn.step(AlertEvent::Acknowledged(fingerprint, ack.clone()));
            Ok(views::ack(&ack))
        })
        .await
    }

    /// Nobody has it any more.
    ///
    /// # Errors
    /// None, or several, are meant, or nobody has it.
    pub async fn unacknowledge(&self, id: &str) -> Result<(), EngineError> {
        let id = id.to_owned();
        self.act(move |turn| {
            let fingerprint = find(turn.dispatcher(), &id)?;
            if turn.dispatcher().alert(fingerprint).is_none_or(|a| a.ack().is_none()) {
                return Err(EngineError::NotSo(format!("nobody has acknowledged alert `{id}`")));
            }
            turn.step(AlertEvent::Unacknowledged(fingerprint));
            Ok(())
        })
        .await
    }

    /// Maintenance windows: the open ones, then by their next start.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn maintenance(&self, limit: usize) -> Result<Vec<MaintenanceRow>, EngineError> {
        let mut rows: Vec<MaintenanceRow> = self
            .look(|d, now| d.setup().policy.maintenance.iter().map(|w| views::maintenance_row(d, w, now)).collect())
            .await?;
        rows.sort_by_key(|r| (!r.active, r.starts_at.is_none(), r.starts_at));
        rows.truncate(limit);
        Ok(rows)
    }

    /// The running and the next occurrences of all maintenance windows, soonest first.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn upcoming_maintenance(&self, limit: usize) -> Result<Vec<MaintenanceRow>, EngineError> {
        self.look(move |d, now| views::upcoming_maintenance(d, now, limit)).await
    }

    /// The policy in force.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn setup(&self) -> Result<Arc<Setup>, EngineError> {
        self.look(|d, _| Arc::clone(d.setup())).await
    }

    /// Every receiver that there is, by name.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn receivers(&self) -> Result<Vec<String>, EngineError> {
        self.look(|d, _| d.setup().policy.receivers.keys().cloned().collect()).await
    }

    /// The tree of routes.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn routes(&self) -> Result<RouteRow, EngineError> {
        self.look(|d, _| views::route_row(&d.setup().policy.route)).await
    }

    /// Where an alert with these labels goes.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn route_test(&self, labels: Labels) -> Result<Vec<RouteMatch>, EngineError> {
        self.look(move |d, _| views::route_matches(d, &labels)).await
    }

    /// A page of what was said to whom.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn deliveries(&self, filter: DeliveryFilter) -> Result<Deliveries, EngineError> {
        let limit = filter.limit.clamp(1, PAGE);
        self.db.deliveries(DeliveryFilter { limit, ..filter }).await.map_err(store)
    }

    /// Says once more what a delivery said, under a key of its own.
    ///
    /// # Errors
    /// There is no such delivery, or its notifier is gone.
    pub async fn resend(&self, id: i64) -> Result<(), EngineError> {
        let said = self.db.delivered(id).await.map_err(store)?;
        let said = said.ok_or_else(|| EngineError::NoSuchDelivery(id))?;
        self.receiver(&said.notifier)?;
        let now = self.clock.now();
        let again = Notification { key: format!("again-{id}-{}", now.millis()), ..said };
        self.act(move |turn| {
            turn.owe(Owed { notification: Arc::new(again), created: now, attempts: 0, next_attempt: now });
            Ok(())
        })
        .await
    }

    /// Every notifier and how it does.
    ///
    /// # Errors
    /// The engine is stopping, or the database cannot be read.
    pub async fn notifiers(&self) -> Result<Vec<NotifierRow>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.outbox.send(OutboxInput::Health(reply)).await.map_err(|_| EngineError::Stopping)?;
        let health: Vec<LaneHealth> = answer.await.map_err(|_| EngineError::Stopping)?;
        let config = Arc::clone(&self.config.borrow().config);
        let since = self.clock.now().minus(STATS);
        let mut rows = Vec::with_capacity(config.receivers.len());
        for receiver in &config.receivers {
            let stats = self.db.notifier_stats(receiver.name.clone(), since).await.map_err(store)?;
            let lane = health.iter().find(|h| h.name == receiver.name);
            let users = config.alerting.receivers.iter().filter(|(_, notifiers)| notifiers.contains(&receiver.name));
            let latest_failed = match (&stats.last_ok, &stats.last_error) {
                (Some((ok, _)), Some((bad, _))) => bad > ok,
                (None, bad) => bad.is_some(),
                (Some(_), None) => false,
            };
            rows.push(NotifierRow {
                name: receiver.name.clone(),
                r#type: receiver.kind.clone(),
                health: match lane.map(|l| l.health) {
                    Some(NotifierHealth::Open) => NotifierHealth::Open,
                    Some(NotifierHealth::Failing) => NotifierHealth::Failing,
                    Some(NotifierHealth::Ok) | None if latest_failed => NotifierHealth::Failing,
                    Some(NotifierHealth::Ok) | None => NotifierHealth::Ok,
                },
                owed: lane.map_or(0, |l| l.owed),
                delivered: stats.delivered,
                dead: stats.dead,
                last_ok: stats.last_ok.map(|(at, _)| at),
                took: stats.last_ok.map(|(_, took)| took),
                last_error: stats.last_error.map(|(_, error)| error),
                receivers: users.map(|(name, _)| name.clone()).collect(),
                fallback: receiver.limits.fallback.clone(),
            });
        }
        Ok(rows)
    }

    /// Sends one test message through a notifier and waits for its answer.
    ///
    /// # Errors
    /// There is no such notifier.
    pub async fn test(&self, name: &str) -> Result<TestResult, EngineError> {
        let receiver = self.receiver(name)?;
        let now = self.clock.now();
        let key = format!("test-{}", now.millis());
        let alert = sample("WatchdogTest", "this is a test: nothing is wrong", &Labels::default(), now);
        let said = Notification { reason: Reason::Test, ..Notification::single(key.clone(), key, name, alert) };
        let start = tokio::time::Instant::now();
        let sent = receiver.notifier.deliver(Delivery { notification: &said, previous: None });
        let (ok, detail) = match tokio::time::timeout(TEST, sent).await {
            Ok(Ok(receipt)) => (true, receipt.detail),
            Ok(Err(DeliveryError::Retry { err, .. } | DeliveryError::Permanent(err))) => {
                (false, Some(crate::base::failure::Chain(&*err).to_string()))
            }
            Err(_) => (false, Some(format!("no answer within {} s", TEST.as_secs()))),
        };
        Ok(TestResult { notifier: name.to_owned(), ok, took: start.elapsed(), detail })
    }

    /// Sends a marked alert the whole way, and says when each notifier took it. It ends by itself.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn drill(&self, request: DrillRequest) -> Result<Vec<TestResult>, EngineError> {
        let began = self.clock.now();
        let id = format!("{:08x}", fastrand::u32(..));
        let own = Labels::new([("alertname", DRILL), (DRILL_ID, id.as_str()), ("severity", "info")]);
        let labels = Labels::new([("severity", "info")]).with(&request.labels).with(&own.filtered(|n| n != "severity"));
        let fingerprint = Fingerprint(labels.fingerprint());
        let posted = |ends_at: Timestamp| PostableAlert {
            labels: labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            annotations: [("summary".to_owned(), "this is a drill: nothing is wrong".to_owned())].into(),
            starts_at: Some(began),
            ends_at: Some(ends_at),
            generator_url: String::new(),
        };
        self.receive(vec![posted(began.plus(DRILL_LASTS * 5))]).await?;
        let routes = self.route_test(labels.clone()).await?;
        let mut waiting: Vec<String> = routes.into_iter().flat_map(|r| r.notifiers).collect();
        waiting.sort();
        waiting.dedup();
        let mut results = Vec::new();
        let deadline = tokio::time::Instant::now() + DRILL_LASTS;
        while !waiting.is_empty() && tokio::time::Instant::now() < deadline {
            let filter = DeliveryFilter { limit: PAGE, alert: Some(fingerprint), ..DeliveryFilter::default() };
            for item in self.db.deliveries(filter).await.map_err(store)?.deliveries {
                let Some(last) = item.attempts.last().filter(|_| waiting.contains(&item.notifier)) else { continue };
                waiting.retain(|n| *n != item.notifier);
                let took = last.at.plus(last.took).since(began);
                results.push(TestResult { notifier: item.notifier, ok: last.ok, took, detail: last.detail.clone() });
            }
            // Who is not to hear of it need not be waited for.
            let explained = self.look(move |d, _| d.explain(fingerprint)).await?;
            for step in explained.into_iter().flat_map(|e| e.steps).filter(|s| s.verdict == Verdict::Stop) {
                let Some((_, notifier)) = step.facts.iter().find(|(name, _)| name == "notifier") else { continue };
                if let Some(i) = waiting.iter().position(|n| n == notifier) {
                    let (notifier, took) = (waiting.remove(i), self.clock.now().since(began));
                    results.push(TestResult { notifier, ok: false, took, detail: Some(step.text) });
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let late = waiting.into_iter().map(|notifier| TestResult {
            notifier,
            ok: false,
            took: self.clock.now().since(began),
            detail: Some("nothing was sent in time; does its group wait for longer?".to_owned()),
        });
        results.extend(late);
        self.receive(vec![posted(self.clock.now())]).await?;
        Ok(results)
    }

    fn receiver(&self, name: &str) -> Result<Arc<Receiver>, EngineError> {
        let config = Arc::clone(&self.config.borrow().config);
        config.receivers.iter().find(|r| r.name == name).cloned().ok_or_else(|| EngineError::NoSuchNotifier {
            name: name.to_owned(),
            nearest: nearest(name, config.receivers.iter().map(|r| r.name.as_str())).map(str::to_owned),
        })
    }
}

/// Drops those updates that would bring more than `limit` alerts of other servers, and complains while there are as
/// many. Gives how many were dropped.
pub(crate) fn make_room(turn: &mut Turn<'_>, updates: &mut Vec<AlertUpdate>, limit: usize) -> usize {
    let known = |d: &Dispatcher, u: &AlertUpdate| d.alert(u.fingerprint).is_some();
    let all_known = updates.iter().all(|u| known(turn.dispatcher(), u));
    if all_known && !turn.crowded() {
        return 0;
    }
    let held = turn.dispatcher().alerts().filter(|a| a.origin() == Origin::Foreign).count();
    let (mut room, before) = (limit.saturating_sub(held), updates.len());
    updates.retain(|u| {
        let fits = known(turn.dispatcher(), u) || room > 0;
        room -= usize::from(fits && !known(turn.dispatcher(), u));
        fits
    });
    turn.crowd((room == 0).then(|| format!("there are {limit} alerts of other servers: new ones are not taken")));
    before - updates.len()
}

/// What is wrong, the first few things of many.
fn reasons(wrong: &[String]) -> String {
    let mut text = wrong.iter().take(REASONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    if let Some(more) = wrong.len().checked_sub(REASONS).filter(|more| *more > 0) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// An alert for tests.
fn sample(name: &str, summary: &str, labels: &Labels, now: Timestamp) -> NotifiedAlert {
    let labels = labels.with(&Labels::new([("alertname", name), ("severity", "info")]));
    NotifiedAlert {
        status: Status::Firing,
        fingerprint: Fingerprint(labels.fingerprint()).to_string(),
        labels,
        annotations: Labels::new([("summary", summary)]),
        starts_at: now,
        ends_at: None,
        value: None,
        generator_url: None,
    }
}

fn find(dispatcher: &Dispatcher, id: &str) -> Result<Fingerprint, EngineError> {
    views::find(dispatcher, id).map_err(|unfound| match unfound {
        views::Unfound::None => EngineError::NoSuchAlert { id: id.to_owned() },
        views::Unfound::Many(which) => EngineError::Ambiguous { id: id.to_owned(), which },
    })
}

fn store(e: crate::state::StateError) -> EngineError {
    EngineError::Store(Box::new(e))
}
