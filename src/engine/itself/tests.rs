//! References that answer or not, and what becomes of failures meanwhile.

use std::sync::atomic::AtomicUsize;

use tokio::time;

use super::*;
use crate::base::BoxFuture;
use crate::base::labels::Labels;
use crate::base::name::MonitorName;
use crate::base::outcome::Reason;
use crate::base::probe::Collector;
use crate::base::time::Timestamp;
use crate::config::model::Schedule;

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
    let probe = Probe::new("tcp", "shop:80", Switch::default());
    Monitor {
        name: MonitorName::new("shop").unwrap(),
        probe: match host {
            Some(host) => probe.at(host),
            None => probe,
        },
        schedule: Schedule::Every(Duration::from_secs(10)),
        timeout: Duration::from_secs(1),
        retries: 0,
        retry_interval: Duration::from_secs(1),
        labels: Labels::default(),
        paused: false,
        depends_on: Vec::new(),
        alert: None,
        source: String::new(),
        hash: 0,
    }
}

fn itself(references: &[&Switch]) -> Itself {
    let itself = Itself::new(Clock::starting_at(Timestamp::from_millis(1_000_000)));
    let references = references.iter().map(|r| Probe::new("tcp", "ref:1", (*r).clone()).at("ref")).collect();
    let settings = SelfChecks { references, default_route: false, resolver: false, hash: 1, ..SelfChecks::default() };
    itself.configure(&Arc::new(settings));
    itself
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
    let found = itself.judge(&shop, down(), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Unknown, "local_uplink"));
    let text = found.headline();
    assert!(text.starts_with("none of our references answers (`ref:1`: no answer within 2 s"), "{text}");
    assert!(text.ends_with("; found: connecting: no route to host"), "{text}");
    assert!(found.reason.as_ref().is_some_and(Reason::blames_us));
    // One that answers is enough. What failed while none did is still ours.
    time::advance(FRESH * 2).await;
    two.set(true);
    let began = Instant::now();
    assert_eq!(class(&itself.judge(&shop, down(), began - FRESH * 3).await), (Verdict::Unknown, "local_uplink"));
    time::advance(FRESH * 2).await;
    assert_eq!(class(&itself.judge(&shop, down(), Instant::now()).await), (Verdict::Down, "host_unreachable"));
}

#[tokio::test(start_paused = true)]
async fn successes_and_what_needs_no_network_ask_nobody_and_many_failures_ask_once() {
    let reference = Switch::default();
    let itself = itself(&[&reference]);
    let down = || Outcome::down(TIMEOUT, "no answer within 1 s");
    let up = itself.judge(&monitor(Some("192.0.2.1")), Outcome::up("fine"), Instant::now()).await;
    assert_eq!(up.verdict, Verdict::Up);
    for host in [None, Some("127.0.0.1"), Some("[::1]"), Some("localhost"), Some("db.localhost.")] {
        let found = itself.judge(&monitor(host), down(), Instant::now()).await;
        assert_eq!(found.verdict, Verdict::Down, "{host:?}");
    }
    assert_eq!(reference.asked(), 0);
    let shop = monitor(Some("shop.example"));
    let all = futures_util::future::join_all((0..10_000).map(|_| itself.judge(&shop, down(), Instant::now()))).await;
    assert!(all.iter().all(|o| class(o) == (Verdict::Unknown, "local_uplink")));
    assert_eq!(reference.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_references_a_failure_is_the_targets() {
    let itself = itself(&[]);
    let found = itself.judge(&monitor(Some("shop.example")), Outcome::down(TIMEOUT, "no"), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Down, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_the_process_stood_still_is_ours() {
    let itself = itself(&[]);
    let began = Instant::now();
    time::advance(Duration::from_secs(5)).await;
    itself.notice_stall(began + Duration::from_secs(1));
    let shop = monitor(None);
    let found = itself.judge(&shop, Outcome::down(TIMEOUT, "no"), began).await;
    assert_eq!(class(&found), (Verdict::Unknown, "local_starved"));
    time::advance(Duration::from_secs(1)).await;
    let found = itself.judge(&shop, Outcome::down(TIMEOUT, "no"), Instant::now()).await;
    assert_eq!(class(&found), (Verdict::Down, TIMEOUT));
}
