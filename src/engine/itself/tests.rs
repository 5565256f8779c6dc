//! References that answer or not, and what becomes of failures meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::base::BoxFuture;
use crate::base::message::Severity;
use crate::base::name::MonitorName;
use crate::base::outcome::{NOT_OURS, PARENT_DOWN, Reason, WAITING};
use crate::base::probe::Collector;
use crate::base::time::Timestamp;
use crate::engine::evaluator::{EvalInput, Impaired};
use crate::engine::metrics::Metrics;
use crate::task::supervisor::Supervisor;
use crate::wire::api::AlertPolicy;

/// Longer than a look is remembered.
const LATER: Duration = Duration::from_secs(4);

/// A reference that can be switched off.
#[derive(Clone, Debug, Default)]
struct Switch(Arc<(AtomicBool, AtomicUsize)>);

impl Switch {
    fn set(&self, works: bool) {
        self.0.0.store(works, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

impl Collector for Switch {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.0.1.fetch_add(1, Ordering::Relaxed);
            match self.0.0.load(Ordering::Relaxed) {
                true => Outcome::up("connected"),
                false => Outcome::down(TIMEOUT, "no answer within 2 s"),
            }
        })
    }
}

fn monitor(host: Option<&str>) -> Monitor {
    let mut monitor = Monitor::sample("shop");
    monitor.probe.host = host.map(Into::into);
    monitor
}

fn itself(references: &[&Switch]) -> Itself {
    let references = references.iter().map(|r| Probe::new("tcp", "ref:1", (*r).clone()).at("ref")).collect();
    with(SelfChecks { references, default_route: false, resolver: false, hash: 1, ..SelfChecks::default() }, &[])
}

fn with(settings: SelfChecks, monitors: &[Monitor]) -> Itself {
    let itself = Itself::new(Clock::starting_at(Timestamp::from_millis(1_000_000)));
    let monitors = monitors.iter().map(|m| (m.name.clone(), Arc::new(m.clone()))).collect();
    itself.configure(&Config { itself: Arc::new(settings), monitors, ..Config::default() });
    itself
}

async fn judge(itself: &Itself, monitor: &Monitor, outcome: Outcome, started: Instant) -> Outcome {
    itself.judge(monitor, outcome, &Way::default(), started).await
}

fn class(outcome: &Outcome) -> (Verdict, &str) {
    (outcome.verdict, outcome.reason.as_ref().map_or("", |r| r.class.as_ref()))
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_ours_when_no_reference_answers() {
    let (one, two) = (Switch::default(), Switch::default());
    let itself = itself(&[&one, &two]);
    let shop = monitor(Some("192.0.2.1"));
    let down = || Outcome::down("host_unreachable", "connecting: no route to host");
    let found = judge(&itself, &shop, down(), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Unknown, "local_uplink"));
    let text = found.headline();
    assert!(text.starts_with("none of our references answers (`ref:1`: no answer within 2 s"), "{text}");
    assert!(text.ends_with("; found: connecting: no route to host"), "{text}");
    assert!(found.reason.as_ref().is_some_and(Reason::blames_us));
    // One that answers is enough. What failed while none did is still ours.
    time::advance(LATER).await;
    two.set(true);
    let began = Instant::now();
    assert_eq!(class(&judge(&itself, &shop, down(), began - LATER * 2).await), (Verdict::Unknown, "local_uplink"));
    time::advance(LATER).await;
    assert_eq!(class(&judge(&itself, &shop, down(), Instant::now()).await), (Verdict::Down, "host_unreachable"));
}

#[tokio::test(start_paused = true)]
async fn successes_and_what_needs_no_network_ask_nobody_and_many_failures_ask_once() {
    let reference = Switch::default();
    let itself = itself(&[&reference]);
    let down = || Outcome::down(TIMEOUT, "no answer within 1 s");
    let up = judge(&itself, &monitor(Some("192.0.2.1")), Outcome::up("fine"), Instant::now()).await;
    assert_eq!(up.verdict, Verdict::Up);
    for host in [None, Some("127.0.0.1"), Some("[::1]"), Some("localhost"), Some("db.localhost.")] {
        let found = judge(&itself, &monitor(host), down(), Instant::now()).await;
        assert_eq!(found.verdict, Verdict::Down, "{host:?}");
    }
    assert_eq!(reference.asked(), 0);
    let shop = monitor(Some("shop.example"));
    let all = futures_util::future::join_all((0..10_000).map(|_| judge(&itself, &shop, down(), Instant::now()))).await;
    assert!(all.iter().all(|o| class(o) == (Verdict::Unknown, "local_uplink")));
    assert_eq!(reference.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_references_a_failure_is_the_targets() {
    let itself = itself(&[]);
    let found = judge(&itself, &monitor(Some("shop.example")), Outcome::down(TIMEOUT, "no"), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Down, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_the_process_stood_still_is_ours() {
    let itself = itself(&[]);
    let began = Instant::now();
    time::advance(Duration::from_secs(5)).await;
    itself.notice_stall(began + Duration::from_secs(1));
    let shop = monitor(None);
    let found = judge(&itself, &shop, Outcome::down(TIMEOUT, "no"), began).await;
    assert_eq!(class(&found), (Verdict::Unknown, "local_starved"));
    time::advance(Duration::from_secs(1)).await;
    let found = judge(&itself, &shop, Outcome::down(TIMEOUT, "no"), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Down, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn what_this_machine_has_no_route_to_is_ours_and_what_it_reaches_without_a_default_route_is_not() {
    let itself = with(SelfChecks { resolver: false, hash: 1, ..SelfChecks::default() }, &[]);
    let shop = monitor(Some("shop.example"));
    let judged = async |to: [u8; 4]| {
        let way = Way::default();
        way.dials([IpAddr::from(to)].into_iter());
        itself.judge(&shop, Outcome::down(TIMEOUT, "no answer"), &way, Instant::now()).await
    };
    // No datagram may be connected there, whatever routes there are.
    let found = judged([255; 4]).await;
    assert_eq!(class(&found), (Verdict::Unknown, "local_route"));
    assert_eq!(found.headline(), "this machine has no route to 255.255.255.255; found: no answer");
    assert_eq!(class(&judged([127, 0, 0, 1]).await), (Verdict::Down, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_such_name_is_an_answer_and_no_reason_to_ask_the_name_servers() {
    let itself = with(SelfChecks { default_route: false, hash: 1, ..SelfChecks::default() }, &[]);
    let gone = || Outcome::down("dns", "`shop.example` does not resolve: there is no such name");
    let found = judge(&itself, &monitor(Some("shop.example")), gone(), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Down, "dns"));
}

/// A reference that drops what it is asked.
#[derive(Debug)]
struct Drops;

impl Collector for Drops {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::pending())
    }
}

/// What the pulse says: seconds after the start, and what is wrong.
struct Heard {
    inbox: mpsc::Receiver<EvalInput>,
    began: Instant,
    group: Supervisor,
}

impl Heard {
    fn of(itself: &Arc<Itself>, remembered: bool) -> Self {
        let (evaluator, inbox) = mpsc::channel(1_000);
        let (board, mut shown) = mpsc::channel(1_000);
        let metrics = Arc::new(Metrics::default());
        let pulse = Pulse { itself: Arc::clone(itself), evaluator, board, metrics, remembered };
        let mut group = Supervisor::new(&CancellationToken::new());
        group.add("pulse", |stop| pulse.run(stop));
        let itself = Arc::clone(itself);
        group.add("references", |stop| rounds(itself, stop));
        group.add("board", |_| async move { while shown.recv().await.is_some() {} });
        Self { inbox, began: Instant::now(), group }
    }

    async fn until(&mut self, second: u64) -> Vec<(u64, BTreeMap<String, String>)> {
        let mut all = Vec::new();
        let end = self.began + Duration::from_secs(second);
        while let Ok(Some(EvalInput::Impaired(what))) = time::timeout_at(end, self.inbox.recv()).await {
            all.push((self.began.elapsed().as_secs(), what.classes));
        }
        all
    }

    async fn end(self) {
        assert_eq!(self.group.stop(Duration::from_secs(1)).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_uplink_is_dead_the_alert_neither_ends_nor_begins_again() {
    let references = vec![Probe::new("tcp", "ref:1", Drops).at("ref"), Probe::new("tcp", "ref:2", Drops).at("ref")];
    let shop = monitor(Some("192.0.2.1"));
    let settings = SelfChecks { references, default_route: false, resolver: false, hash: 1, ..SelfChecks::default() };
    let itself = Arc::new(with(settings, std::slice::from_ref(&shop)));
    let mut heard = Heard::of(&itself, false);
    let mut said = Vec::new();
    for minute in 1..=10 {
        said.extend(heard.until(minute * 60).await);
        let found = judge(&itself, &shop, Outcome::down(TIMEOUT, "no answer"), Instant::now()).await;
        assert_eq!(class(&found), (Verdict::Unknown, "local_uplink"));
        itself.note(&shop, found.verdict, found.reason.as_ref());
    }
    let bad: Vec<Vec<&String>> = said.iter().map(|(_, what)| what.keys().collect()).collect();
    assert_eq!(bad, [vec![], vec!["local_uplink"]], "{said:?}");
    heard.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_finding_is_told_even_if_all_is_well_and_ends_a_remembered_alert_after_a_look_at_everything() {
    for (remembered, second) in [(false, 1), (true, 60)] {
        let mut heard = Heard::of(&Arc::new(itself(&[])), remembered);
        assert_eq!(heard.until(600).await, [(second, BTreeMap::new())]);
        heard.end().await;
    }
}

fn named(name: &str, host: &str, after: u32) -> Monitor {
    let alert = Some(AlertPolicy { after, clear_after: 1, severity: Severity::Critical });
    Monitor { name: MonitorName::new(name).unwrap(), alert, ..monitor(Some(host)) }
}

#[tokio::test(start_paused = true)]
async fn a_few_monitors_that_cannot_be_judged_are_told_of_after_as_many_slots_as_their_alert_takes() {
    let mut all: Vec<Monitor> = (0..100).map(|i| named(&format!("m{i:02}"), "192.0.2.1", 3)).collect();
    all.push(named("file", "localhost", 2));
    let itself = with(SelfChecks { default_route: false, resolver: false, hash: 1, ..SelfChecks::default() }, &all);
    let ours = Outcome::unknown("local_network", "connecting to 192.0.2.1:80: network is unreachable");
    let note = |of: &[Monitor], found: &Outcome| {
        of.iter().for_each(|m| itself.note(m, found.verdict, found.reason.as_ref()));
        itself.standing.trouble()
    };
    let one = |class: &str, text: &str| BTreeMap::from([(class.to_owned(), text.to_owned())]);
    let none = BTreeMap::new();
    assert_eq!(note(&all[..10], &ours), none);
    assert_eq!(note(&all[..10], &ours), none);
    let text = "`m00`, `m01`, `m02` and 7 more: connecting to 192.0.2.1:80: network is unreachable";
    assert_eq!(note(&all[..10], &ours), one("local_network", text));
    // A failure is a judgement, too; so is the fault of a parent no fault of ours.
    let text = "`m09`: connecting to 192.0.2.1:80: network is unreachable";
    assert_eq!(note(&all[..9], &Outcome::down(TIMEOUT, "no")), one("local_network", text));
    assert_eq!(note(&all[9..10], &Outcome::unknown("parent_down", "no")), none);
    // A quarter of those that ask other machines is many, at once.
    assert_eq!(note(&all[..24], &ours), none);
    assert!(note(&all[24..25], &ours)["local_network"].starts_with("`m00`, `m01`, `m02` and 22 more: "));
    assert_eq!(note(&all[..25], &Outcome::up("fine")), none);
    // What concerns one monitor alone is told just as well, and neither hides nor is hidden.
    let denied = Outcome::unknown("local_denied", "reading `a`: permission denied");
    assert_eq!(note(&all[100..], &denied), none);
    let of_file = one("local_denied", "`file`: reading `a`: permission denied");
    assert_eq!(note(&all[100..], &denied), of_file);
    for _ in 0..2 {
        assert_eq!(note(&all[..2], &ours), of_file);
    }
    let both = note(&all[..2], &ours);
    assert_eq!(both.keys().collect::<Vec<_>>(), ["local_denied", "local_network"]);
    assert_eq!(note(&all[..2], &Outcome::up("fine")), of_file);
    // Reasons that take turns are one.
    let starved = Outcome::unknown("local_starved", "no time");
    for found in [&ours, &starved, &ours, &starved] {
        note(&all[..1], found);
    }
    assert_eq!(note(&[], &ours)["local_network"], "`m00`: no time");
    assert_eq!(note(&all[..1], &starved)["local_starved"], "`m00`: no time");
    assert_eq!(note(&all[..1], &Outcome::up("fine")), of_file);
    // One that is gone is not told of, and nothing of it comes after.
    itself.configure(&Config::default());
    assert_eq!(note(&all[100..], &denied), none);
    assert_eq!(note(&all[100..], &denied), none);
}

#[test]
fn what_this_machine_is_not_to_blame_for_is_told_elsewhere() {
    for class in NOT_OURS {
        let all: Vec<Monitor> = (0..8).map(|i| named(&format!("m{i}"), "192.0.2.1", 2)).collect();
        let itself = with(SelfChecks { hash: 1, ..SelfChecks::default() }, &all);
        let found = Outcome::unknown(class, "why");
        for _ in 0..4 {
            all.iter().for_each(|m| itself.note(m, found.verdict, found.reason.as_ref()));
        }
        assert!(itself.standing.trouble().is_empty(), "{class}");
        let speaks = ![PARENT_DOWN, WAITING].contains(&class);
        assert_eq!(found.reason.unwrap().speaks_for_itself(), speaks, "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_cause_and_its_end_are_told_at_once_and_other_words_now_and_then() {
    let all: Vec<Monitor> = (0..20).map(|i| named(&format!("m{i:02}"), "192.0.2.1", 1)).collect();
    let settings = SelfChecks { default_route: false, resolver: false, hash: 1, ..SelfChecks::default() };
    let itself = Arc::new(with(settings, &all));
    let mut heard = Heard::of(&itself, false);
    let note = |m: &Monitor, class: &'static str| {
        let found = Outcome::unknown(class, class);
        itself.note(m, found.verdict, found.reason.as_ref());
    };
    for second in 1..=18 {
        note(&all[second as usize - 1], "local_files");
        heard.until(second).await;
    }
    let said = heard.until(40).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].1["local_files"].ends_with(" and 15 more: local_files"), "{said:?}");
    note(&all[19], "local_ports");
    let said = heard.until(42).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].1.keys().collect::<Vec<_>>(), ["local_files", "local_ports"]);
    all.iter().for_each(|m| itself.note(m, Verdict::Up, None));
    assert!(matches!(&heard.until(44).await[..], [(_, what)] if what.is_empty()));
    heard.end().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_those_who_are_told_is_no_standstill() {
    let itself = Arc::new(itself(&[]));
    let (evaluator, mut inbox) = mpsc::channel(1);
    let (board, _shown) = mpsc::channel(10);
    evaluator.send(EvalInput::Impaired(Impaired::default())).await.unwrap();
    let metrics = Arc::new(Metrics::default());
    let pulse = Pulse { itself: Arc::clone(&itself), evaluator, board, metrics, remembered: false };
    let mut group = Supervisor::new(&CancellationToken::new());
    group.add("pulse", |stop| pulse.run(stop));
    time::sleep(Duration::from_secs(10)).await;
    inbox.recv().await.unwrap();
    inbox.recv().await.unwrap();
    time::sleep(Duration::from_secs(10)).await;
    assert_eq!(*itself.stall.lock().unwrap(), None);
    assert_eq!(group.stop(Duration::from_secs(1)).await, 0);
}
