//! Results and configurations in, messages and board out, over a real database.

mod files;
mod impaired;
mod others;
mod parents;

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::*;
use crate::alert::policy::Policy;
use crate::alert::route::GroupBy;
use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::message::{DeliveryError, Severity, Status};
use crate::base::notification::{Delivery, Notification, Notifier, Receipt};
use crate::config::model::{Limits, Receiver};
use crate::state::{Loaded, Opened, Owed};
use crate::task::supervisor::Supervisor;
use crate::wire::api::AlertPolicy;
use crate::wire::board::{AlertState, EventKind};

/// Longer than any test takes: only [`Rig::pass`] makes it pass.
const INTERVAL: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Never;

impl Notifier for Never {
    fn deliver<'a>(&'a self, _: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(std::future::pending())
    }
}

fn monitor(name: &str) -> Monitor {
    Monitor {
        alert: Some(AlertPolicy { after: 2, clear_after: 2, severity: Severity::Critical }),
        ..Monitor::sample(name)
    }
}

fn config(monitors: &[Monitor], receivers: &[&str]) -> Config {
    let receiver = |name: &&str| {
        Arc::new(Receiver {
            name: (*name).to_owned(),
            kind: "test".to_owned(),
            send_resolved: true,
            limits: Limits::default(),
            notifier: Arc::new(Never),
            hash: 0,
        })
    };
    let monitors: BTreeMap<_, _> = monitors.iter().map(|m| (m.name.clone(), Arc::new(m.clone()))).collect();
    // The first message leaves at once, the next one after `INTERVAL`: see `Rig::pass`.
    let mut policy = Policy::of_notifiers(receivers.iter().copied());
    policy.route.group_by = GroupBy::All;
    policy.route.group_wait = Duration::ZERO;
    policy.route.group_interval = INTERVAL;
    policy.flap.changes = None;
    let receivers = receivers.iter().map(receiver).collect();
    Config { receivers, monitors, alerting: Arc::new(policy), ..Config::default() }
}

/// An evaluator over a directory; what it says is collected.
struct Rig {
    inbox: mpsc::Sender<EvalInput>,
    board: mpsc::Receiver<BoardInput>,
    outbox: mpsc::Receiver<OutboxInput>,
    tasks: Supervisor,
    db: StateDb,
    clock: i64,
}

/// Everything said between start and stop.
#[derive(Default)]
struct Said {
    messages: Vec<Owed>,
    board: Vec<BoardInput>,
}

impl Said {
    fn keys(&self) -> Vec<String> {
        let key = |n: &Notification| format!("{} {} {}", n.notifier, n.status().as_str(), n.starts_at().millis());
        self.messages.iter().map(|o| key(&o.notification)).collect()
    }

    fn alerts(&self) -> Vec<(AlertState, String)> {
        let last = self.board.iter().rev().find_map(|b| match b {
            BoardInput::Alerts(rows) => Some(rows.iter().map(|r| (r.state, r.subject().to_owned())).collect()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    fn events(&self) -> Vec<(String, String, String)> {
        let event = |b: &BoardInput| match b {
            BoardInput::Event(e) => Some((e.subject.clone(), e.what.clone(), e.detail.clone())),
            _ => None,
        };
        self.board.iter().filter_map(event).collect()
    }

    fn last_status(&self, name: &str) -> Option<(State, u32)> {
        self.board.iter().rev().find_map(|b| match b {
            BoardInput::Status { name: n, state, failures, .. } if n.as_str() == name => Some((*state, *failures)),
            _ => None,
        })
    }
}

impl Rig {
    fn start(dir: &std::path::Path) -> Self {
        let Opened { db, loaded, .. } = StateDb::open(dir, Clock::system()).unwrap();
        Self::with(db, loaded)
    }

    fn with(db: StateDb, loaded: Loaded) -> Self {
        let (inbox, input) = mpsc::channel(10_000);
        let (to_board, board) = mpsc::channel(100_000);
        let (to_outbox, outbox) = mpsc::channel(10_000);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
        let saved = Saved { monitors: loaded.monitors, alerts: loaded.alerts, alerting: loaded.alerting };
        let evaluator = Evaluator::new(db.clone(), clock, saved, to_board, to_outbox);
        tasks.add("evaluator", |stop| evaluator.run(input, stop));
        Self { inbox, board, outbox, tasks, db, clock: 1_000_000 }
    }

    async fn config(&self, config: Config) {
        self.config_with(config, 0).await;
    }

    /// The same with so many errors in the files.
    async fn config_with(&self, config: Config, errors: usize) {
        let first = "monitors.d/a.yaml:3:5: `intervall` is not a key here".to_owned();
        let faults = (errors > 0).then_some(Faults { errors, first });
        self.inbox.send(EvalInput::Config { config: Arc::new(config), complete: true, faults }).await.unwrap();
    }

    /// One result per character: `u`p, `d`own, de`g`raded, un`k`nown, unknown for a `p`arent, unknown for a reason of its
    /// `o`wn, or of its own for which it is `b`locked.
    async fn results(&mut self, monitor: &Monitor, script: &str) {
        let monitor = Arc::new(monitor.clone());
        for c in script.chars() {
            let (verdict, headline) = match c {
                'u' => (Verdict::Up, "200 OK"),
                'd' => (Verdict::Down, "connection refused"),
                'g' => (Verdict::Degraded, "slow"),
                'p' => (Verdict::Unknown, "`gateway` is down"),
                'o' => (Verdict::Unknown, "the plugin says UNKNOWN"),
                'b' => (Verdict::Unknown, "the policy does not let it run"),
                _ => (Verdict::Unknown, "no file descriptors"),
            };
            self.clock += 1;
            let at = Timestamp::from_millis(self.clock);
            let result = SlotResult {
                monitor: monitor.clone(),
                at,
                verdict,
                doubt: match c {
                    'p' => Some(Doubt::Parent),
                    'o' | 'b' => Some(Doubt::Own { may_be_parents: c == 'o' }),
                    _ => None,
                },
                headline: headline.to_owned(),
            };
            self.inbox.send(EvalInput::Result(result)).await.unwrap();
        }
    }

    /// Does something to the alerts; returns when it is committed, with everything that was sent before.
    async fn act(&self, work: impl FnOnce(&mut Turn<'_>) + Send + 'static) {
        let (reply, done) = oneshot::channel();
        let job = Job::new(move |turn| {
            work(turn);
            turn.answer(move || reply.send(()).unwrap());
        });
        self.inbox.send(EvalInput::Job(job)).await.unwrap();
        done.await.unwrap();
    }

    /// Lets everything sent so far be decided, the group's interval pass, and what is then due be told.
    async fn pass(&self) {
        self.act(|_| {}).await;
        time::pause();
        // A restarted clock may lag behind the one that set the timer.
        time::advance(INTERVAL * 2).await;
        time::resume();
        self.act(|turn| turn.step(AlertEvent::Tick)).await;
    }

    async fn stop(mut self) -> Said {
        assert_eq!(self.tasks.stop(Duration::from_secs(20)).await, 0);
        let mut said = Said::default();
        while let Ok(input) = self.board.try_recv() {
            said.board.push(input);
        }
        while let Ok(input) = self.outbox.try_recv() {
            if let OutboxInput::Owed(owed) = input {
                said.messages.extend(owed);
            }
        }
        self.db.close().await;
        said
    }
}

#[tokio::test]
async fn a_target_that_breaks_and_recovers_is_told_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, mut rig) = (monitor("shop"), Rig::start(dir.path()));
    rig.config(config(std::slice::from_ref(&shop), &["ops", "hook"])).await;
    rig.results(&shop, "uddddkduu").await;
    rig.pass().await;
    let said = rig.stop().await;
    let start = 1_000_002;
    let want = ["hook firing", "ops firing", "hook resolved", "ops resolved"].map(|w| format!("{w} {start}"));
    assert_eq!(said.keys(), want);
    let end = &said.messages[2].notification.alerts[0];
    assert_eq!(end.annotations.get("summary"), Some("shop is up again"));
    assert_eq!(end.labels, said.messages[0].notification.alerts[0].labels);
    assert_eq!(said.alerts(), [(AlertState::Resolved, "shop".to_owned())]);
    assert_eq!(said.last_status("shop"), Some((State::Up, 0)));
    let words: Vec<_> = said.events().into_iter().map(|(_, what, _)| what).collect();
    let told = ["down", "pending", "firing", "told", "told", "unknown", "down", "up", "resolved", "told", "told"];
    assert_eq!(words, told);
}

#[tokio::test]
async fn a_restart_while_firing_neither_tells_again_nor_forgets_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000001"]);

    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(said.keys(), Vec::<String>::new());
    assert_eq!(said.alerts(), [(AlertState::Firing, "shop".to_owned())]);

    // One success before, one after a restart: counters survive.
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "u").await;
    assert_eq!(rig.stop().await.keys(), Vec::<String>::new());
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "uu").await;
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops resolved 1000001"]);
}

#[tokio::test]
async fn a_removed_monitor_and_one_without_alert_are_resolved_once() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, db) = (monitor("shop"), monitor("db"));
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[shop.clone(), db.clone()], &["ops"])).await;
    rig.results(&shop, "dd").await;
    rig.results(&db, "dd").await;
    let silent = Monitor { alert: None, ..db.clone() };
    for _ in 0..2 {
        rig.config(config(std::slice::from_ref(&silent), &["ops"])).await;
    }
    rig.results(&silent, "ddd").await;
    rig.pass().await;
    let said = rig.stop().await;
    let ends: Vec<_> = said.messages.iter().filter(|m| m.notification.status() == Status::Resolved).collect();
    assert_eq!(ends.len(), 2);
    for end in ends {
        assert_eq!(end.notification.alerts[0].annotations.get("reason"), Some("removed"));
    }
}

#[tokio::test]
async fn a_monitor_missing_because_its_file_is_broken_keeps_its_alert() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    rig.stop().await;

    let rig = Rig::start(dir.path());
    let broken = EvalInput::Config { config: Arc::new(config(&[], &["ops"])), complete: false, faults: None };
    rig.inbox.send(broken).await.unwrap();
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(said.keys(), Vec::<String>::new());
    assert_eq!(said.alerts(), [(AlertState::Firing, "shop".to_owned())]);

    let rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops resolved 1000001"]);
}

#[tokio::test]
async fn labels_severity_and_policy_may_change_while_firing() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    let changed = Monitor {
        labels: Labels::new([("team", "web")]),
        alert: Some(AlertPolicy { after: 9, clear_after: 1, severity: Severity::Warning }),
        hash: 1,
        ..shop.clone()
    };
    rig.config(config(std::slice::from_ref(&changed), &["ops"])).await;
    rig.results(&changed, "ddu").await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(said.keys(), ["ops firing 1000001", "ops resolved 1000001"]);
    assert_eq!(said.messages[1].notification.alerts[0].labels, said.messages[0].notification.alerts[0].labels);
}

#[tokio::test]
async fn a_notifier_that_comes_later_hears_of_what_fires_and_one_that_is_gone_of_no_end() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops", "gone"])).await;
    rig.results(&shop, "dd").await;
    rig.config(config(std::slice::from_ref(&shop), &["ops", "new"])).await;
    rig.pass().await;
    rig.results(&shop, "uu").await;
    rig.pass().await;
    let want = ["gone firing", "ops firing", "new firing", "new resolved", "ops resolved"];
    assert_eq!(rig.stop().await.keys(), want.map(|w| format!("{w} 1000001")));
}

#[tokio::test]
async fn an_alert_that_is_over_before_a_new_notifier_could_hear_of_it_is_not_told_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    rig.config(config(std::slice::from_ref(&shop), &["ops", "new"])).await;
    rig.results(&shop, "uu").await;
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000001", "ops resolved 1000001"]);
}

#[tokio::test]
async fn a_notifier_that_a_broken_file_hides_hears_of_the_end_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000001"]);

    let mut rig = Rig::start(dir.path());
    let config = |receivers: &[&str]| Arc::new(config(std::slice::from_ref(&shop), receivers));
    let broken = EvalInput::Config { config: config(&[]), complete: false, faults: None };
    rig.inbox.send(broken).await.unwrap();
    rig.results(&shop, "uu").await;
    rig.pass().await;
    let mended = EvalInput::Config { config: config(&["ops"]), complete: true, faults: None };
    rig.inbox.send(mended).await.unwrap();
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops resolved 1000001"]);
}

#[tokio::test]
async fn nothing_is_decided_before_the_first_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dduu").await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000001"]);

    // The end was due long ago, and somebody asks at once.
    let rig = Rig::start(dir.path());
    let (reply, answer) = oneshot::channel();
    let job = Job::new(move |turn| {
        turn.step(AlertEvent::Tick);
        turn.answer(move || reply.send(()).unwrap());
    });
    rig.inbox.send(EvalInput::Job(job)).await.unwrap();
    rig.inbox
        .send(EvalInput::Event(NewEvent::new(Timestamp::EPOCH, EventKind::Server, "w", "started", String::new())))
        .await
        .unwrap();
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    answer.await.unwrap();
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops resolved 1000001"]);

    // One that is stopped before answers nobody, and forgets nothing.
    let rig = Rig::start(dir.path());
    let (reply, answer) = oneshot::channel::<()>();
    let job = Job::new(move |turn| turn.answer(move || reply.send(()).unwrap()));
    rig.inbox.send(EvalInput::Job(job)).await.unwrap();
    rig.stop().await;
    assert!(answer.await.is_err());
}

#[tokio::test]
async fn an_alert_is_over_however_far_ahead_the_clock_was_when_its_slot_was_set() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.clock += 1_000_000_000;
    rig.results(&shop, "dduu").await;
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1001000001", "ops resolved 1001000001"]);
}

#[tokio::test]
async fn without_receivers_the_event_says_that_nobody_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &[])).await;
    rig.results(&shop, "dd").await;
    let said = rig.stop().await;
    assert!(said.messages.is_empty());
    let held = said.events().into_iter().find(|e| e.1 == "held").unwrap();
    assert_eq!(held.2, "not told: the receiver every notifier has no notifier");
}

#[tokio::test]
async fn who_comes_hears_of_what_nobody_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &[])).await;
    rig.results(&shop, "dd").await;
    rig.stop().await;
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.pass().await;
    rig.results(&shop, "uu").await;
    rig.pass().await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000001", "ops resolved 1000001"]);
}

#[tokio::test]
async fn a_paused_monitor_is_resolved_and_starts_afresh() {
    let dir = tempfile::tempdir().unwrap();
    let shop = monitor("shop");
    let mut rig = Rig::start(dir.path());
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    rig.config(config(&[Monitor { paused: true, ..shop.clone() }], &["ops"])).await;
    // A probe that was under way.
    rig.results(&shop, "d").await;
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "d").await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(said.keys(), ["ops firing 1000001", "ops resolved 1000001"]);
    assert_eq!(said.last_status("shop"), Some((State::Down, 1)));
    assert_eq!(said.alerts(), [(AlertState::Pending, "shop".to_owned())]);
}

#[tokio::test]
async fn alerts_are_shown_most_urgent_first() {
    let dir = tempfile::tempdir().unwrap();
    let policy = |after, severity| Some(AlertPolicy { after, clear_after: 1, severity });
    let warn = Monitor { alert: policy(1, Severity::Warning), ..monitor("a-warning") };
    let early = Monitor { alert: policy(1, Severity::Critical), ..monitor("z-early") };
    let late = Monitor { alert: policy(1, Severity::Critical), ..monitor("b-late") };
    let pending = Monitor { alert: policy(5, Severity::Critical), ..monitor("a-pending") };
    let over = Monitor { alert: policy(1, Severity::Critical), ..monitor("a-over") };
    let mut rig = Rig::start(dir.path());
    let all = [warn, early, late, pending, over];
    rig.config(config(&all, &[])).await;
    for m in &all {
        rig.results(m, "d").await;
    }
    rig.results(&all[4], "u").await;
    let names: Vec<_> = rig.stop().await.alerts().into_iter().map(|(_, n)| n).collect();
    assert_eq!(names, ["z-early", "b-late", "a-warning", "a-pending", "a-over"]);
}

#[tokio::test]
async fn a_database_that_fails_stops_neither_evaluation_nor_paging() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { db, loaded, .. } = StateDb::open(dir.path(), Clock::system()).unwrap();
    db.close().await;
    let shop = monitor("shop");
    let mut rig = Rig::with(db, loaded);
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    for script in ["dd", "uu", "dd"] {
        rig.results(&shop, script).await;
        rig.pass().await;
    }
    let said = rig.stop().await;
    assert_eq!(said.keys(), ["ops firing 1000001", "ops resolved 1000001", "ops firing 1000005"]);
    let complaints: Vec<_> =
        said.board.iter().filter(|b| matches!(b, BoardInput::Complaint { text: Some(_), .. })).collect();
    assert_eq!(complaints.len(), 1);
    let ids: Vec<_> =
        said.board.iter().filter_map(|b| if let BoardInput::Event(e) = b { Some(e.id) } else { None }).collect();
    assert!(ids.is_sorted() && ids.len() >= 6, "{ids:?}");
}

fn result(monitor: &Monitor, at: i64, verdict: Verdict) -> SlotResult {
    let at = Timestamp::from_millis(at);
    let headline = "200 OK".to_owned();
    SlotResult { monitor: Arc::new(monitor.clone()), at, verdict, doubt: None, headline }
}

#[test]
fn ten_thousand_quiet_monitors_change_and_write_nothing() {
    let monitors: Vec<_> = (0..10_000).map(|n| monitor(&format!("m{n}"))).collect();
    let mut book = Book::new(Vec::new(), Vec::new(), &mut Shown::default(), Timestamp::EPOCH);
    book.configure(&config(&monitors, &["ops"]), true, Timestamp::EPOCH, &mut Decisions::default());
    for m in &monitors {
        book.result(&result(m, 1, Verdict::Up), &mut Decisions::default());
    }
    let mut out = Decisions::default();
    for m in &monitors {
        book.result(&result(m, 2, Verdict::Up), &mut out);
    }
    assert!(out.changes.is_empty() && out.board.is_empty() && out.owed.is_empty());
    assert!(!book.has_dirty());
}

#[test]
fn a_resolved_alert_is_shown_for_a_quarter_of_an_hour() {
    let shop =
        Monitor { alert: Some(AlertPolicy { after: 1, clear_after: 1, severity: Severity::Info }), ..monitor("shop") };
    let (at, minute) = (Timestamp::from_millis, Duration::from_secs(60));
    let mut shown = Shown::default();
    let mut book = Book::new(Vec::new(), Vec::new(), &mut shown, at(0));
    let mut out = Decisions::default();
    book.configure(&config(std::slice::from_ref(&shop), &[]), true, at(0), &mut out);
    book.result(&result(&shop, 1, Verdict::Down), &mut out);
    book.result(&result(&shop, 2, Verdict::Up), &mut out);
    out.rows.into_iter().for_each(|row| shown.put(row));
    assert_eq!(shown.next_show(at(2)), Some(Duration::ZERO));
    let rows = shown.if_changed(at(2)).unwrap();
    assert_eq!(rows[0].state, AlertState::Resolved);
    assert_eq!(shown.next_show(at(2)), Some(15 * minute));
    assert_eq!(shown.if_changed(at(3).plus(14 * minute)), None);
    assert_eq!(shown.if_changed(at(2).plus(15 * minute)), Some(Vec::new()));
    assert_eq!(shown.next_show(at(2).plus(15 * minute)), None);
}

#[tokio::test]
async fn a_monitor_that_was_removed_while_it_failed_mutes_nothing_that_still_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = monitor("gateway");
    let shop = Monitor { depends_on: vec![gateway.name.clone()], ..monitor("shop") };
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[gateway.clone(), shop.clone()], &["ops"])).await;
    rig.results(&gateway, "d").await;
    rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
    rig.results(&shop, "dd").await;
    assert_eq!(rig.stop().await.keys(), ["ops firing 1000002"]);
}
