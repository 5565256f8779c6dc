//! Random alerts, people, reloads, crashes and faults from a seed, judged by [`super::checker`].
//!
//! The same seed gives the same run. `WATCHDOG_SIMULATOR_SEEDS=10000` runs that many, `WATCHDOG_SIMULATOR_SEED=42`
//! that one alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watchdog::alert::ack::Ack;
use watchdog::alert::dispatch::{AlertUpdate, Change, Dispatcher, Event, Origin, Record, RecordKey, Setup};
use watchdog::alert::matchers::Matchers;
use watchdog::alert::rule::Fingerprint;
use watchdog::alert::silence::Silence;
use watchdog::base::labels::Labels;
use watchdog::base::notification::Notification;
use watchdog::base::time::Timestamp;

use super::checker::{Bounds, Checker, Facts, Who};
use super::play::{labels, setup_of};

const START: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
/// Seeds of the usual run.
const USUAL: u64 = 300;
/// Waits of the slowest group and the longest pause between digests, and a second.
const SLOWEST: i64 = 5 * MINUTE + 5 * MINUTE + 1_000;
/// The default time until a flapping alert is quiet.
const QUIET: i64 = 15 * MINUTE;

const ALERTS: [&str; 7] = [
    r#"A{team="x",severity="critical"}"#,
    r#"A{team="x",severity="warning"}"#,
    r#"A{team="y",severity="critical"}"#,
    r#"B{team="y",severity="warning"}"#,
    r#"C{team="z",severity="info"}"#,
    r#"MonitorDown{monitor="gateway",severity="critical",team="g"}"#,
    r#"MonitorDown{monitor="shop",severity="info",team="z"}"#,
];
const GATEWAY: Who = 5;
const SHOP: Who = 6;

const NOTIFIERS: &str = "notifiers:
  - {name: n0, type: webhook, url: 'http://127.0.0.1/', fallback: n2}
  - {name: n1, type: webhook, url: 'http://127.0.0.1/'}
  - {name: n2, type: webhook, url: 'http://127.0.0.1/'}
  - {name: n3, type: webhook, url: 'http://127.0.0.1/', send_resolved: false}
receivers: [{name: both, notifiers: [n0, n1]}]
inhibit: [{source: ['severity=\"critical\"'], target: ['severity=\"warning\"'], equal: [team]}]
";
const ROUTES: [&str; 4] = [
    "route: {receiver: n0, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h}",
    "route: {receiver: n1, group_by: [], group_wait: 1s, group_interval: 4m, repeat_interval: 30m, routes: [{matchers: ['team=\"x\"'], receiver: both}]}",
    "route: {receiver: n0, group_by: ['...'], group_wait: 10s, group_interval: 3m, repeat_interval: 2h, routes: [{matchers: ['team=\"x\"'], receiver: n1, continue: true}, {receiver: n3}]}",
    "route: {receiver: n0, group_by: [team], group_wait: 30s, group_interval: 5m, repeat_interval: 1h, escalation: up}
escalations: [{name: up, steps: [{after: 10m, receiver: n2}, {after: 20m, receiver: n1}]}]",
];
const MONITORS: &str = "monitors:
  - {name: gateway, type: tcp, host: a}
  - {name: shop, type: tcp, host: b, depends_on: [gateway]}
";

/// The alerts' labels.
fn known() -> &'static [Labels] {
    static KNOWN: std::sync::OnceLock<Vec<Labels>> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| ALERTS.map(labels).to_vec())
}

fn fingerprint(who: Who) -> Fingerprint {
    Fingerprint(known()[who].fingerprint())
}

/// Where a policy's alerts go, said once more and independently.
fn routed(policy: usize, who: Who) -> Vec<&'static str> {
    let team_x = who < 2;
    match (policy, team_x) {
        (0 | 3, _) => vec!["n0"],
        (1, true) => vec!["n0", "n1"],
        (1, false) => vec!["n1"],
        (2, true) => vec!["n1", "n3"],
        _ => vec!["n3"],
    }
}

struct Quiet {
    id: String,
    team: &'static str,
    starts_at: i64,
    ends_at: i64,
}

/// A message on its way.
struct Owed {
    notification: Notification,
    not_before: i64,
}

struct World<'s> {
    rng: fastrand::Rng,
    setups: &'s [Arc<Setup>],
    policy: usize,
    setup: Arc<Setup>,
    flapping: bool,
    dispatcher: Dispatcher,
    rows: BTreeMap<RecordKey, Record>,
    outbox: BTreeMap<String, VecDeque<Owed>>,
    firing: BTreeMap<Who, i64>,
    silences: Vec<Quiet>,
    checker: Checker,
    now: i64,
    skew: i64,
    faults: bool,
}

impl World<'_> {
    fn shown(&self) -> Timestamp {
        Timestamp::from_millis(START + self.now + self.skew)
    }

    fn muted(&self, who: Who) -> bool {
        let team = known()[who].get("team").unwrap_or_default();
        let shown = self.shown().millis();
        let silenced = |s: &Quiet| s.team == team && s.starts_at <= shown && shown < s.ends_at;
        let fires = |who: Who| self.firing.contains_key(&who);
        // A warning is inhibited by a critical alert of its team; the shop hangs on the gateway.
        let inhibited = who == 1 && fires(0) || who == 3 && fires(2);
        self.silences.iter().any(silenced) || inhibited || who == SHOP && fires(GATEWAY)
    }

    fn facts(&self) -> BTreeMap<Who, Facts> {
        let of = |who: Who| Facts {
            fingerprint: fingerprint(who).to_string(),
            fires: self.firing.contains_key(&who),
            muted: self.muted(who),
            routed: routed(self.policy, who),
        };
        (0..ALERTS.len()).map(|who| (who, of(who))).collect()
    }

    fn observe(&mut self) {
        let facts = self.facts();
        self.checker.observe(self.now, &facts, |n| n != "n3");
    }

    /// Applies an event, commits it or crashes before, and delivers nothing.
    fn step(&mut self, event: &Event) {
        let shown = self.shown();
        if self.checker.keeps && !matches!(event, Event::Tick) {
            let what = match event {
                Event::Alerts(all) => all.iter().map(|a| format!("{} {:?}", a.labels, a.ends_at)).collect(),
                other => format!("{other:?}"),
            };
            self.checker.note(self.now, &what);
        }
        let fx = self.dispatcher.step(shown, event.clone());
        if self.faults && self.rng.u32(..200) == 0 && !matches!(event, Event::ClockJumped(_)) {
            self.crash();
            // A tick is lost; whoever asked for anything else asks again.
            if !matches!(event, Event::Tick) {
                let fx = self.dispatcher.step(shown, event.clone());
                self.commit(fx);
            }
            return;
        }
        self.commit(fx);
    }

    fn commit(&mut self, fx: watchdog::alert::dispatch::Effects) {
        for change in fx.changes {
            match change {
                Change::Put(record) => self.rows.insert(record.key(), record),
                Change::Delete(key) => self.rows.remove(&key),
            };
        }
        let facts = self.facts();
        self.checker.observe(self.now, &facts, |n| n != "n3");
        for notification in fx.notifications {
            self.checker.decided(self.now, &notification);
            let not_before = self.now + 10;
            let queue = self.outbox.entry(notification.notifier.clone()).or_default();
            queue.push_back(Owed { notification, not_before });
        }
    }

    /// Everything but the rows and the outbox is gone; sources say again how they stand.
    fn crash(&mut self) {
        self.checker.note(self.now, "crash");
        let rows = self.rows.values().cloned().collect();
        self.dispatcher = Dispatcher::restore(rows, Arc::clone(&self.setup), self.shown());
        let all = (0..ALERTS.len()).map(|who| self.update(who)).collect();
        let fx = self.dispatcher.step(self.shown(), Event::Alerts(all));
        self.commit(fx);
    }

    fn update(&self, who: Who) -> AlertUpdate {
        let labels = known()[who].clone();
        let since = self.firing.get(&who).copied();
        AlertUpdate {
            fingerprint: Fingerprint(labels.fingerprint()),
            origin: if who >= GATEWAY { Origin::Monitor } else { Origin::Rule },
            labels,
            annotations: Labels::default(),
            starts_at: since.map_or(self.shown(), Timestamp::from_millis),
            fired_at: since.map_or(self.shown(), Timestamp::from_millis),
            ends_at: if since.is_some() { None } else { Some(self.shown()) },
            value: None,
            generator_url: None,
        }
    }

    fn happen(&mut self) {
        let who = self.rng.usize(..ALERTS.len());
        match self.rng.u32(..100) {
            0..=54 => {
                if self.firing.remove(&who).is_none() {
                    self.firing.insert(who, self.shown().millis());
                }
                let update = self.update(who);
                self.step(&Event::Alerts(vec![update]));
            }
            55..=60 => {
                let shown = self.shown().millis();
                (0..ALERTS.len()).for_each(|who| {
                    self.firing.entry(who).or_insert(shown);
                });
                let all = (0..ALERTS.len()).map(|who| self.update(who)).collect();
                self.step(&Event::Alerts(all));
            }
            61..=66 => {
                self.firing.clear();
                let all = (0..ALERTS.len()).map(|who| self.update(who)).collect();
                self.step(&Event::Alerts(all));
            }
            67..=76 => self.silence(),
            77..=80 => {
                let shown = self.shown().millis();
                let active = |s: &&mut Quiet| shown < s.ends_at;
                let ended = self.silences.iter_mut().find(active).map(|s| {
                    (s.starts_at, s.ends_at) = (s.starts_at.min(shown), shown);
                    s.id.clone()
                });
                if let Some(id) = ended {
                    self.step(&Event::SilenceExpired(id));
                }
            }
            81..=86 => {
                let until = self.rng.bool().then(|| self.shown().plus(std::time::Duration::from_secs(900)));
                let ack = Ack { by: "wu".to_owned(), at: self.shown(), comment: String::new(), until };
                self.step(&Event::Acknowledged(fingerprint(who), ack));
            }
            87..=88 => self.step(&Event::Unacknowledged(fingerprint(who))),
            89..=93 => {
                self.policy = self.rng.usize(..ROUTES.len());
                self.setup = Arc::clone(&self.setups[self.policy]);
                if !self.flapping {
                    Arc::make_mut(&mut self.setup).policy.flap.changes = None;
                }
                self.step(&Event::Reloaded(Arc::clone(&self.setup)));
            }
            94..=96 if self.faults => self.crash(),
            97..=98 if self.faults => {
                let by = self.rng.i64(-90..90) * MINUTE;
                self.skew += by;
                self.step(&Event::ClockJumped(by));
            }
            _ => self.step(&Event::Tick),
        }
    }

    fn silence(&mut self) {
        let team = ["x", "y", "z", "g"][self.rng.usize(..4)];
        let starts_at = self.shown().millis() + self.rng.i64(0..3) * 4 * MINUTE;
        let ends_at = starts_at + self.rng.i64(1..40) * MINUTE;
        let id = format!("s{}", self.silences.len());
        self.silences.push(Quiet { id: id.clone(), team, starts_at, ends_at });
        let silence = Silence {
            id,
            matchers: Matchers::parse(&format!("team={team}")).unwrap(),
            starts_at: Timestamp::from_millis(starts_at),
            ends_at: Timestamp::from_millis(ends_at),
            updated_at: self.shown(),
            created_by: "wu".to_owned(),
            comment: String::new(),
            until_resolved: false,
            source: None,
        };
        self.step(&Event::SilenceSet(silence));
    }

    /// Tries the first message of each notifier that may be tried.
    fn deliver(&mut self) {
        let notifiers: Vec<String> = self.outbox.keys().cloned().collect();
        for notifier in notifiers {
            loop {
                let now = self.now;
                let Some(queue) = self.outbox.get_mut(&notifier) else { break };
                let Some(first) = queue.front_mut().filter(|o| o.not_before <= now) else { break };
                let fate = if self.faults { self.rng.u32(..100) } else { 99 };
                let notification = first.notification.clone();
                match fate {
                    // It hangs, or is busy.
                    0..=9 => {
                        first.not_before = now + self.rng.i64(1..120) * 1_000;
                        break;
                    }
                    // It took it, and the answer, or our record of it, is lost.
                    10..=13 => {
                        first.not_before = now + self.rng.i64(1..30) * 1_000;
                        self.checker.excuses += 1;
                        self.checker.received(now, &notification);
                        if self.rng.bool() {
                            self.crash();
                        }
                        break;
                    }
                    // Only one notifier has somebody to take over.
                    14..=16 if notifier == "n0" => {
                        queue.pop_front();
                        self.checker.refused(now, &notification);
                        self.step(&Event::GivenUp(Arc::new(notification)));
                    }
                    _ => {
                        queue.pop_front();
                        self.checker.received(now, &notification);
                    }
                }
            }
        }
    }

    /// The next moment at which anything happens, `until` at the latest.
    fn next(&self, until: i64) -> i64 {
        let due = self.dispatcher.next_due().map(|t| t.millis() - START - self.skew);
        let owed = self.outbox.values().filter_map(|q| q.front()).map(|o| o.not_before).min();
        let edges = self.silences.iter().flat_map(|s| [s.starts_at, s.ends_at]);
        let edge = edges.map(|t| t - START - self.skew).filter(|t| *t > self.now).min();
        [due, owed, edge].into_iter().flatten().min().unwrap_or(until).clamp(self.now, until)
    }

    fn run_until(&mut self, until: i64) {
        loop {
            let next = self.next(until);
            self.now = next;
            if self.dispatcher.next_due().is_some_and(|t| t <= self.shown()) && next < until {
                self.step(&Event::Tick);
            }
            self.observe();
            self.deliver();
            if next >= until {
                return;
            }
        }
    }
}

fn run(seed: u64, setups: &[Arc<Setup>], keeps: bool) -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (flapping, faults, digests) = (rng.u32(..4) == 0, rng.u32(..5) > 0, rng.bool());
    // The second half of the setups makes a digest of three groups.
    let setups = if digests { &setups[ROUTES.len()..] } else { &setups[..ROUTES.len()] };
    // What is held as flapping also inhibits until it is quiet.
    let bound = if flapping { SLOWEST + QUIET } else { SLOWEST };
    let bounds = Bounds { firing: bound, end: bound, flapping };
    let mut setup = Arc::clone(&setups[0]);
    if !flapping {
        Arc::make_mut(&mut setup).policy.flap.changes = None;
    }
    let mut world = World {
        rng,
        setups,
        policy: 0,
        dispatcher: Dispatcher::new(Arc::clone(&setup), Timestamp::from_millis(START)),
        setup,
        flapping,
        rows: BTreeMap::new(),
        outbox: BTreeMap::new(),
        firing: BTreeMap::new(),
        silences: Vec::new(),
        checker: Checker::new(bounds),
        now: 0,
        skew: 0,
        faults,
    };
    world.checker.keeps = keeps;
    for _ in 0..world.rng.usize(10..50) {
        let pause = [1_000, 5_000, 31_000, 2 * MINUTE, 6 * MINUTE, 20 * MINUTE][world.rng.usize(..6)];
        let until = world.now + world.rng.i64(1..=pause);
        world.run_until(until);
        world.happen();
    }
    world.faults = false;
    world.run_until(world.now + 4 * 60 * MINUTE);
    let at = world.now;
    world.checker.finish(at, |n| n != "n3");
    let Checker { mut offences, log, .. } = world.checker;
    if !offences.is_empty() {
        offences.extend(log);
    }
    offences
}

#[test]
fn nothing_is_lost_repeated_or_told_while_muted_whatever_happens() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let with = |digest: &str| {
        let notifiers = NOTIFIERS.replace("url: 'http://127.0.0.1/'", &format!("url: 'http://127.0.0.1/'{digest}"));
        ROUTES.map(|route| Arc::new(setup_of(&format!("{notifiers}{route}\n"), MONITORS)))
    };
    let setups = [with(""), with(", digest_above: 2")].concat();
    let seeds = match variable("WATCHDOG_SIMULATOR_SEED") {
        Some(one) => one..one + 1,
        None => 0..variable("WATCHDOG_SIMULATOR_SEEDS").unwrap_or(USUAL),
    };
    let alone = seeds.end == seeds.start + 1;
    let mut bad = Vec::new();
    for seed in seeds {
        let offences = run(seed, &setups, alone);
        if !offences.is_empty() {
            bad.push(format!("seed {seed}:\n  {}", offences.join("\n  ")));
        }
    }
    assert!(bad.is_empty(), "{} seeds:\n{}", bad.len(), bad[..bad.len().min(5)].join("\n"));
}
