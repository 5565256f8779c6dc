//! Deliveries against scripted notifiers, over a real database. The database answers from its own
//! thread, which a paused clock would not wait for: policies are in milliseconds of real time instead.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::alert::rule::Fingerprint;
use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::message::{DeliveryError, Status};
use crate::base::notification::{self, Notification, NotifiedAlert, Notifier, Reason, Receipt};
use crate::config::model::{Limits, RateLimit};
use crate::state::{Change, Loaded, Opened};

#[derive(Clone, Copy, Debug)]
enum Act {
    Accept,
    Fail,
    RetryAfter(Duration),
    Refuse,
    Hang,
    Panic,
}

/// Acts as scripted, then accepts; remembers what it was asked.
#[derive(Debug)]
struct Script {
    acts: Mutex<Vec<Act>>,
    asked: Mutex<Vec<(String, Instant)>>,
}

impl Script {
    fn new(acts: &[Act]) -> Arc<Self> {
        let acts = acts.iter().rev().copied().collect();
        Arc::new(Self { acts: Mutex::new(acts), asked: Mutex::new(Vec::new()) })
    }

    fn keys(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|a| a.0.clone()).collect()
    }

    fn gap(&self) -> Duration {
        let asked = self.asked.lock().unwrap();
        asked[1].1 - asked[0].1
    }
}

#[derive(Debug)]
struct Handle(Arc<Script>);

impl Notifier for Handle {
    fn deliver<'a>(&'a self, d: notification::Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        let key = d.notification.key.clone();
        self.0.asked.lock().unwrap().push((key, Instant::now()));
        let act = self.0.acts.lock().unwrap().pop().unwrap_or(Act::Accept);
        Box::pin(async move {
            match act {
                Act::Accept => Ok(Receipt::default()),
                Act::Fail => Err(DeliveryError::Retry { after: None, err: "status 500".into() }),
                Act::RetryAfter(d) => Err(DeliveryError::Retry { after: Some(d), err: "status 429".into() }),
                Act::Refuse => Err(DeliveryError::Permanent("status 401".into())),
                Act::Hang => std::future::pending().await,
                Act::Panic => panic!("scripted"),
            }
        })
    }
}

const MS: Duration = Duration::from_millis(1);

fn quick() -> Policy {
    Policy {
        timeout: 50 * MS,
        backoff: Backoff::new(2 * MS, 10 * MS),
        // Long enough for a busy test machine; what hangs says otherwise.
        grace: Duration::from_secs(10),
        // Longer than any disk of a busy test machine takes.
        record: Duration::from_secs(30),
        ..Policy::default()
    }
}

/// For receivers that never answer: neither the attempt nor the end waits for them.
fn hanging() -> Policy {
    Policy { timeout: Duration::from_secs(60), grace: 30 * MS, ..quick() }
}

struct Rig {
    inbox: mpsc::Sender<OutboxInput>,
    board: mpsc::Receiver<BoardInput>,
    evaluator: mpsc::Receiver<EvalInput>,
    tasks: Supervisor,
    db: StateDb,
    metrics: DeliveryMetrics,
    said: Vec<BoardInput>,
}

impl Rig {
    fn start(dir: &std::path::Path, policy: Policy) -> Self {
        let Opened { db, loaded, .. } = StateDb::open(dir, Clock::system()).unwrap();
        let Loaded { owed, deliveries, unsettled, .. } = loaded;
        let (inbox, input) = mpsc::channel(1_000);
        let (to_board, board) = mpsc::channel(100_000);
        let (to_evaluator, evaluator) = mpsc::channel(1_000);
        let metrics = DeliveryMetrics::default();
        let clock = Clock::system();
        let outbox = Outbox::new(db.clone(), clock, owed, deliveries, to_board, to_evaluator, metrics.clone())
            .with_unsettled(unsettled)
            .with_policy(policy);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("outbox", |stop| outbox.run(input, stop));
        Self { inbox, board, evaluator, tasks, db, metrics, said: Vec::new() }
    }

    async fn receivers(&self, scripts: &[(&str, &Arc<Script>)], complete: bool) {
        self.limited(scripts, Limits::default(), complete).await;
    }

    async fn limited(&self, scripts: &[(&str, &Arc<Script>)], limits: Limits, complete: bool) {
        let receiver = |(name, script): &(&str, &Arc<Script>)| {
            Arc::new(Receiver {
                name: (*name).to_owned(),
                kind: "test".to_owned(),
                send_resolved: true,
                limits: limits.clone(),
                notifier: Arc::new(Handle((*script).clone())),
                hash: Arc::as_ptr(script) as usize as u64,
            })
        };
        let receivers = scripts.iter().map(receiver).collect();
        self.inbox.send(OutboxInput::Receivers { receivers, complete }).await.unwrap();
    }

    async fn owe(&self, all: Vec<Owed>) {
        let changes: Vec<_> = all.iter().cloned().map(Change::Owe).collect();
        self.db.commit(changes.into()).await.unwrap();
        self.inbox.send(OutboxInput::Owed(all)).await.unwrap();
    }

    /// Reads the board until `done` says so.
    async fn until(&mut self, done: impl Fn(&BoardInput) -> bool) {
        loop {
            let input = time::timeout(Duration::from_secs(30), self.board.recv()).await.unwrap().unwrap();
            let stop = done(&input);
            self.said.push(input);
            if stop {
                return;
            }
        }
    }

    async fn until_state(&mut self, alert: u64, status: Status, state: DeliveryState) {
        let fingerprint = Fingerprint(alert).to_string();
        self.until(|b| {
            matches!(b, BoardInput::Delivery { fingerprint: f, row, .. }
                if *f == fingerprint && row.status == status && row.state == state)
        })
        .await;
    }

    /// Waits for the count of owed messages that follows everything said so far.
    async fn until_owed(&mut self, count: usize) {
        self.until(|b| *b == BoardInput::Owed(count)).await;
    }

    /// The next message that the evaluator is told was given up.
    async fn given_up(&mut self) -> String {
        match time::timeout(Duration::from_secs(30), self.evaluator.recv()).await.unwrap().unwrap() {
            EvalInput::GivenUp(said) => said.key.clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn health(&self) -> Vec<(String, usize, NotifierHealth)> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(OutboxInput::Health(reply)).await.unwrap();
        answer.await.unwrap().into_iter().map(|h| (h.name, h.owed, h.health)).collect()
    }

    async fn stop(mut self) -> (Vec<Owed>, Vec<BoardInput>) {
        self.tasks.stop(Duration::from_secs(20)).await;
        while let Ok(input) = self.board.try_recv() {
            self.said.push(input);
        }
        let owed = self.db.owed().await.unwrap();
        self.db.close().await;
        (owed, self.said)
    }
}

fn owed(receiver: &str, alert: u64, status: Status) -> Owed {
    let now = Clock::system().now();
    let told = NotifiedAlert {
        status,
        fingerprint: Fingerprint(alert).to_string(),
        labels: Labels::new([("alertname", "MonitorDown"), ("monitor", "shop"), ("n", &alert.to_string())]),
        annotations: Labels::default(),
        starts_at: Timestamp::from_millis(5),
        ends_at: None,
        value: None,
        generator_url: None,
    };
    let (key, thread) = (format!("{receiver}-{alert}-{}", status.as_str()), format!("{receiver}-{alert}"));
    let notification = Arc::new(Notification::single(key, thread, receiver, told));
    Owed { notification, created: now, attempts: 0, next_attempt: now }
}

fn events(said: &[BoardInput]) -> Vec<(String, String)> {
    let event = |b: &BoardInput| match b {
        BoardInput::Event(e) => Some((e.what.clone(), e.detail.clone())),
        _ => None,
    };
    said.iter().filter_map(event).collect()
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_with_the_same_key_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Fail, Act::Panic, Act::Hang, Act::Accept, Act::Fail]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing), owed("ops", 1, Status::Resolved)]).await;
    rig.until_state(1, Status::Resolved, DeliveryState::Delivered).await;
    let metrics = rig.metrics.clone();
    let (left, said) = rig.stop().await;
    assert_eq!(left, []);
    let (f, r) = ("ops-1-firing", "ops-1-resolved");
    assert_eq!(ops.keys(), [f, f, f, f, r, r]);
    let errors: Vec<_> = said
        .iter()
        .filter_map(|b| if let BoardInput::Delivery { row, .. } = b { row.error.as_deref() } else { None })
        .collect();
    assert_eq!(errors, ["status 500", "the notifier panicked", "no answer within 50ms", "status 500"]);
    let told = [
        ("delivered".to_owned(), "MonitorDown of shop firing, attempt 4".to_owned()),
        ("delivered".to_owned(), "MonitorDown of shop resolved, attempt 2".to_owned()),
    ];
    assert_eq!(events(&said), told);
    assert_eq!((metrics.attempts("ops", "sent"), metrics.attempts("ops", "failed")), (2, 4));
    let log = rusqlite::Connection::open(dir.path().join("db/watchdog.db")).unwrap();
    let attempts: i64 = log.query_row("SELECT count(*) FROM delivery", [], |r| r.get(0)).unwrap();
    assert_eq!(attempts, 6);
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (slow, ops) = (Script::new(&[Act::Hang; 100]), Script::new(&[]));
    let mut rig = Rig::start(dir.path(), hanging());
    rig.receivers(&[("slow", &slow), ("ops", &ops)], true).await;
    rig.owe((0..20).map(|n| owed("slow", n, Status::Firing)).collect()).await;
    rig.owe((0..20).map(|n| owed("ops", n, Status::Firing)).collect()).await;
    rig.until_owed(40).await;
    rig.until_owed(20).await;
    assert_eq!(ops.keys().len(), 20);
    assert_eq!(slow.keys().len(), 1);
    let (left, _) = rig.stop().await;
    assert_eq!(left.len(), 20);
}

#[tokio::test]
async fn a_retrying_alert_is_overtaken_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::RetryAfter(Duration::from_secs(600))]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing), owed("ops", 1, Status::Resolved), owed("ops", 2, Status::Firing)])
        .await;
    rig.until_state(2, Status::Firing, DeliveryState::Delivered).await;
    let (left, _) = rig.stop().await;
    assert_eq!(left.len(), 2);
    assert_eq!(left[0].attempts, 1);
    assert!(left[0].next_attempt.since(left[0].created) >= Duration::from_secs(600));
}

#[tokio::test]
async fn retry_after_is_honoured_and_capped() {
    let dir = tempfile::tempdir().unwrap();
    for (asked, cap, least) in [(150 * MS, 1_000 * MS, 150 * MS), (Duration::MAX, 60 * MS, 60 * MS)] {
        let ops = Script::new(&[Act::RetryAfter(asked)]);
        let mut rig = Rig::start(dir.path(), Policy { retry_after_cap: cap, ..quick() });
        rig.receivers(&[("ops", &ops)], true).await;
        let alert = cap.as_millis() as u64;
        rig.owe(vec![owed("ops", alert, Status::Firing)]).await;
        rig.until_state(alert, Status::Firing, DeliveryState::Delivered).await;
        assert!(ops.gap() >= least, "{:?}", ops.gap());
        rig.stop().await;
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_dead_and_its_end_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Refuse]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing), owed("ops", 1, Status::Resolved)]).await;
    rig.until_state(1, Status::Resolved, DeliveryState::Dead).await;
    let (left, said) = rig.stop().await;
    assert_eq!(ops.keys(), ["ops-1-firing"]);
    assert_eq!(left, []);
    assert_eq!(events(&said), [("dead".to_owned(), "MonitorDown of shop firing: status 401".to_owned())]);
}

#[tokio::test]
async fn what_is_given_up_goes_back_to_the_evaluator_in_order_and_again_after_a_restart_until_it_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Refuse, Act::Refuse, Act::Refuse]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe((1..=3).map(|n| owed("ops", n, Status::Firing)).collect()).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(rig.given_up().await);
    }
    assert_eq!(told, ["ops-1-firing", "ops-2-firing", "ops-3-firing"]);
    rig.until_owed(0).await;
    rig.db.commit(Arc::new([Change::Settled("ops-2-firing".to_owned())])).await.unwrap();
    rig.stop().await;

    // Nobody is told before there are receivers: the evaluator has no configuration yet.
    let mut rig = Rig::start(dir.path(), quick());
    rig.health().await;
    assert!(rig.evaluator.try_recv().is_err());
    rig.receivers(&[("ops", &ops)], true).await;
    assert_eq!([rig.given_up().await, rig.given_up().await], ["ops-1-firing", "ops-3-firing"]);
    rig.health().await;
    assert!(rig.evaluator.try_recv().is_err());
    rig.stop().await;
}

#[tokio::test]
async fn no_more_messages_than_the_limit_leave_in_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[]);
    let mut rig = Rig::start(dir.path(), quick());
    let limits = Limits { rate: Some(RateLimit { messages: 3, per: Duration::from_secs(3_600) }), ..Limits::default() };
    rig.limited(&[("ops", &ops)], limits, true).await;
    rig.owe((0..5).map(|n| owed("ops", n, Status::Firing)).collect()).await;
    rig.until_owed(5).await;
    rig.until_owed(2).await;
    assert_eq!(rig.health().await, [("ops".to_owned(), 2, NotifierHealth::Ok)]);
    assert_eq!(ops.keys().len(), 3);
    // A limit that is lifted holds nothing back.
    rig.receivers(&[("ops", &ops)], true).await;
    rig.until_owed(0).await;
    assert_eq!(ops.keys().len(), 5);
    rig.stop().await;
}

#[tokio::test]
async fn a_notifier_that_fails_five_times_is_left_alone_until_it_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let (ops, mended) = (Script::new(&[Act::Fail; 9]), Script::new(&[]));
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe((0..9).map(|n| owed("ops", n, Status::Firing)).collect()).await;
    for _ in 0..5 {
        rig.until(|b| matches!(b, BoardInput::Delivery { row, .. } if row.attempts > 0)).await;
    }
    // The pause has some length at random, but for zero: whether it is over does not matter here.
    assert!(rig.metrics.attempts("ops", "failed") >= 5);
    assert_ne!(rig.health().await[0].2, NotifierHealth::Ok);
    rig.receivers(&[("ops", &mended)], true).await;
    rig.until_owed(0).await;
    assert_eq!(rig.health().await, [("ops".to_owned(), 0, NotifierHealth::Ok)]);
    rig.stop().await;
}

#[tokio::test]
async fn a_digest_leaves_after_what_was_before_it_and_before_what_came_later() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Fail, Act::Accept, Act::Accept, Act::Fail, Act::Fail]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    let mut digest = owed("ops", 100, Status::Firing);
    Arc::make_mut(&mut digest.notification).reason = Reason::Digest(21);
    let all =
        [owed("ops", 1, Status::Firing), owed("ops", 2, Status::Firing), digest, owed("ops", 1, Status::Resolved)];
    rig.owe(all.to_vec()).await;
    rig.until_state(1, Status::Resolved, DeliveryState::Delivered).await;
    assert_eq!(rig.stop().await.0, []);
    let keys = ops.keys();
    assert_eq!(keys[3..], ["ops-100-firing", "ops-100-firing", "ops-100-firing", "ops-1-resolved"]);
}

#[tokio::test]
async fn a_message_older_than_its_time_to_live_gets_one_last_try() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Fail, Act::Accept]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    let old = |alert| Owed { created: Timestamp::EPOCH, ..owed("ops", alert, Status::Firing) };
    rig.owe(vec![old(1)]).await;
    rig.until_state(1, Status::Firing, DeliveryState::Dead).await;
    rig.owe(vec![old(2)]).await;
    rig.until_state(2, Status::Firing, DeliveryState::Delivered).await;
    assert_eq!(rig.stop().await.0, []);
}

#[tokio::test]
async fn what_is_owed_survives_a_restart_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Hang]);
    let mut rig = Rig::start(dir.path(), hanging());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing), owed("ops", 1, Status::Resolved)]).await;
    rig.until_owed(2).await;
    assert_eq!(rig.stop().await.0.len(), 2);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.until_state(1, Status::Resolved, DeliveryState::Delivered).await;
    assert_eq!(rig.stop().await.0, []);
    let mut keys = ops.keys();
    keys.dedup();
    assert_eq!(keys, ["ops-1-firing", "ops-1-resolved"]);
}

#[tokio::test]
async fn messages_to_a_removed_receiver_are_dead_and_one_event_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::RetryAfter(Duration::from_secs(60)); 9]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing), owed("ops", 2, Status::Firing)]).await;
    rig.until(|b| matches!(b, BoardInput::Delivery { row, .. } if row.attempts == 1)).await;
    rig.until(|b| matches!(b, BoardInput::Delivery { row, .. } if row.attempts == 1)).await;
    rig.receivers(&[], true).await;
    rig.until(|b| matches!(b, BoardInput::Event(_))).await;
    let (left, said) = rig.stop().await;
    assert_eq!(left, []);
    let detail = "the receiver is no longer configured: 2 owed messages are not sent";
    assert_eq!(events(&said), [("dead".to_owned(), detail.to_owned())]);
}

#[tokio::test]
async fn messages_to_a_receiver_missing_from_a_broken_file_wait() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[], false).await;
    rig.owe(vec![owed("ops", 1, Status::Firing)]).await;
    rig.until_owed(1).await;
    rig.receivers(&[("ops", &ops)], true).await;
    rig.until_state(1, Status::Firing, DeliveryState::Delivered).await;
    assert_eq!(rig.stop().await.0, []);
}

#[tokio::test]
async fn a_repaired_receiver_is_tried_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (broken, repaired) = (Script::new(&[Act::RetryAfter(Duration::from_secs(600))]), Script::new(&[]));
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &broken)], true).await;
    rig.owe(vec![owed("ops", 1, Status::Firing)]).await;
    rig.until(|b| matches!(b, BoardInput::Delivery { row, .. } if row.attempts == 1)).await;
    rig.receivers(&[("ops", &repaired)], true).await;
    rig.until_state(1, Status::Firing, DeliveryState::Delivered).await;
    assert_eq!(repaired.keys(), broken.keys());
    rig.stop().await;
}

#[tokio::test]
async fn without_a_database_messages_leave_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[Act::Fail]);
    let mut rig = Rig::start(dir.path(), quick());
    rig.db.close().await;
    rig.receivers(&[("ops", &ops)], true).await;
    rig.inbox.send(OutboxInput::Owed(vec![owed("ops", 1, Status::Firing)])).await.unwrap();
    rig.until_state(1, Status::Firing, DeliveryState::Delivered).await;
    rig.tasks.stop(Duration::from_secs(20)).await;
    assert_eq!(ops.keys().len(), 2);
}

#[tokio::test]
async fn an_end_that_could_not_be_recorded_is_recorded_later() {
    let dir = tempfile::tempdir().unwrap();
    let ops = Script::new(&[]);
    let mut rig = Rig::start(dir.path(), Policy { record: 20 * MS, ..quick() });
    rig.receivers(&[("ops", &ops)], true).await;
    // Sent from memory: the commit failed. It works later, when the message has long been delivered.
    let message = owed("ops", 1, Status::Firing);
    rig.inbox.send(OutboxInput::Owed(vec![message.clone()])).await.unwrap();
    rig.until_state(1, Status::Firing, DeliveryState::Delivered).await;
    rig.db.commit(Arc::new([Change::Owe(message)])).await.unwrap();
    rig.until(|b| matches!(b, BoardInput::Event(_))).await;
    let (left, _) = rig.stop().await;
    assert_eq!(left, []);
    assert_eq!(ops.keys().len(), 1);
}

#[tokio::test]
async fn a_hundred_alerts_leave_in_order_through_a_receiver_that_fails_at_random() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let acts: Vec<_> = (0..150).map(|_| if random.u8(..4) == 0 { Act::Fail } else { Act::Accept }).collect();
    let ops = Script::new(&acts);
    let mut rig = Rig::start(dir.path(), quick());
    rig.receivers(&[("ops", &ops)], true).await;
    let all = (0..100).flat_map(|n| [owed("ops", n, Status::Firing), owed("ops", n, Status::Resolved)]).collect();
    rig.owe(all).await;
    rig.until_owed(200).await;
    rig.until_owed(0).await;
    assert_eq!(rig.stop().await.0, []);
    let mut last: HashMap<String, Vec<String>> = HashMap::new();
    for key in ops.keys() {
        let (alert, status) = key.rsplit_once('-').unwrap();
        let seen = last.entry(alert.to_owned()).or_default();
        if seen.last().is_none_or(|s| s != status) {
            seen.push(status.to_owned());
        }
    }
    assert_eq!(last.len(), 100);
    assert!(last.values().all(|s| s == &["firing", "resolved"]));
}
