//! What scenarios cannot say: cost, the trace, previews, and properties over any input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::alert::ack::Ack;
use crate::alert::dispatch::{
    AlertUpdate, Change, Digest, Dispatcher, Event, NotifierPolicy, Origin, Record, RecordKey, Setup, Verdict,
};
use crate::alert::impaired;
use crate::alert::matchers::Matchers;
use crate::alert::policy::Policy;
use crate::alert::route::{GroupBy, Route};
use crate::alert::rule::Fingerprint;
use crate::alert::silence::Silence;
use crate::alert::window::{TimeInterval, TimeWindow};
use crate::base::labels::Labels;
use crate::base::message::Status;
use crate::base::notification::Notification;
use crate::base::time::Timestamp;

fn at(s: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + s * 1_000)
}

fn setup(route: Route) -> Arc<Setup> {
    let mut policy = Policy { route, ..Policy::default() };
    policy.add_notifiers(["ops"]);
    let notifiers = BTreeMap::from([("ops".to_owned(), NotifierPolicy::default())]);
    let depends_on = BTreeMap::from([("shop".to_owned(), vec!["gateway".to_owned()])]);
    Arc::new(Setup { policy, notifiers, depends_on, ..Setup::default() })
}

fn labels(monitor: &str) -> Labels {
    Labels::new([("alertname", "MonitorDown"), ("monitor", monitor)])
}

fn update(monitor: &str, fires: bool, now: Timestamp) -> AlertUpdate {
    update_of(labels(monitor), fires, now)
}

fn update_of(labels: Labels, fires: bool, now: Timestamp) -> AlertUpdate {
    AlertUpdate {
        fingerprint: Fingerprint(labels.fingerprint()),
        origin: Origin::Monitor,
        labels,
        annotations: Labels::default(),
        starts_at: now,
        fired_at: now,
        ends_at: if fires { None } else { Some(now) },
        value: None,
        generator_url: None,
    }
}

fn silence(id: &str, matchers: &str, from: i64, to: i64) -> Silence {
    Silence {
        id: id.to_owned(),
        matchers: Matchers::parse(matchers).unwrap(),
        starts_at: at(from),
        ends_at: at(to),
        updated_at: at(from),
        created_by: "wu".to_owned(),
        comment: "flaky uplink".to_owned(),
        until_resolved: false,
        source: None,
    }
}

fn stops_at(d: &Dispatcher, monitor: &str) -> Option<&'static str> {
    let explained = d.explain_labels(&labels(monitor));
    explained.stops_at().map(|i| explained.steps[i].name)
}

#[test]
fn the_trace_names_the_first_step_that_stops_an_alert() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    assert_eq!(stops_at(&d, "shop"), Some("state"));
    d.step(at(0), Event::Alerts(vec![update("shop", true, at(0))]));
    assert_eq!(stops_at(&d, "shop"), None);
    d.step(at(0), Event::Monitors(vec![("gateway".to_owned(), true)]));
    assert_eq!(stops_at(&d, "shop"), Some("dependency"));
    d.step(at(0), Event::Monitors(vec![("gateway".to_owned(), false)]));
    d.step(at(0), Event::SilenceSet(silence("s1", r#"monitor="shop""#, 0, 60)));
    assert_eq!(stops_at(&d, "shop"), Some("silence"));
    d.step(at(0), Event::SilenceExpired("s1".to_owned()));
    let fx = d.step(at(1), Event::Tick);
    assert_eq!(fx.notifications.len(), 1);
    let explained = d.explain(Fingerprint(labels("shop").fingerprint())).unwrap();
    let names: Vec<&str> = explained.steps.iter().map(|s| s.name).collect();
    assert_eq!(names, ["state", "dependency", "inhibition", "window", "silence", "route", "group", "decision"]);
    let decision = explained.steps.last().unwrap();
    assert_eq!((decision.verdict, decision.text.as_str()), (Verdict::Pass, "ops was told"));
    assert!(decision.facts.contains(&("key".to_owned(), fx.notifications[0].key.clone())));
}

#[test]
fn only_a_parent_that_is_down_mutes_what_depends_on_it() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    let of_gateway = |name, fires| update_of(Labels::new([("alertname", name), ("monitor", "gateway")]), fires, at(0));
    d.step(at(0), Event::Alerts(vec![update("shop", true, at(0)), of_gateway("MonitorUnknown", true)]));
    assert_eq!(stops_at(&d, "shop"), None);
    d.step(at(0), Event::Alerts(vec![of_gateway("MonitorDown", true)]));
    assert_eq!(stops_at(&d, "shop"), Some("dependency"));
    d.step(at(0), Event::Alerts(vec![of_gateway("MonitorUnknown", false)]));
    assert_eq!(stops_at(&d, "shop"), Some("dependency"));
    d.step(at(0), Event::Alerts(vec![of_gateway("MonitorDown", false)]));
    assert_eq!(stops_at(&d, "shop"), None);
}

#[test]
fn what_is_said_of_ourselves_has_nothing_to_do_with_a_monitor_of_that_name() {
    let depends_on = |from: &str, on: &str| (from.to_owned(), vec![on.to_owned()]);
    let depends_on = BTreeMap::from([depends_on("watchdog", "gateway"), depends_on("shop", "watchdog")]);
    let mut d = Dispatcher::new(Arc::new(Setup { depends_on, ..Setup::clone(&setup(Route::default())) }), at(0));
    let about_us = impaired::words("local_route", "").labels;
    let ours = AlertUpdate { origin: Origin::Own, ..update_of(about_us.clone(), true, at(0)) };
    d.step(at(0), Event::Monitors(vec![("gateway".to_owned(), true)]));
    d.step(at(0), Event::Alerts(vec![ours, update("watchdog", true, at(0))]));
    let explained = d.explain_labels(&about_us);
    assert_eq!((explained.stops_at(), explained.steps[1].text.as_str()), (None, "it depends on nothing"));
    assert_eq!(stops_at(&d, "watchdog"), Some("dependency"));
    d.step(at(0), Event::Monitors(vec![("gateway".to_owned(), false)]));
    d.step(at(0), Event::Alerts(vec![update("watchdog", false, at(0)), update("shop", true, at(0))]));
    assert_eq!(stops_at(&d, "shop"), None);
}

#[test]
fn another_reason_for_which_we_are_impaired_does_not_wait_for_the_first_ones_group() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    let ours = |class, now| update_of(impaired::words(class, "").labels, true, now);
    d.step(at(0), Event::Alerts(vec![ours("local_exec", at(0))]));
    assert_eq!(d.step(at(1), Event::Tick).notifications.len(), 1);
    d.step(at(10), Event::Alerts(vec![ours("local_uplink", at(10))]));
    let told = d.step(at(11), Event::Tick).notifications;
    let classes: Vec<_> = told.iter().flat_map(|n| &n.alerts).map(|a| a.labels.get("class")).collect();
    assert_eq!(classes, [Some("local_uplink")]);
}

#[test]
fn a_preview_shows_what_a_silence_would_mute_and_counters_what_it_did() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    let both = vec![update("shop", true, at(0)), update("db", true, at(0))];
    d.step(at(0), Event::Alerts(both));
    let matchers = Matchers::parse(r#"monitor=~"s.*""#).unwrap();
    assert_eq!(d.preview(&matchers), [Fingerprint(labels("shop").fingerprint())]);
    d.step(at(0), Event::SilenceSet(silence("s1", r#"monitor=~"s.*""#, 0, 3_600)));
    assert_eq!(d.silence_matches("s1"), 1);
    for s in [1, 301, 601] {
        d.step(at(s), Event::Tick);
    }
    let s1 = d.silence("s1").unwrap();
    assert_eq!((s1.muted(), s1.last_muted()), (1, Some(at(1))));
}

#[test]
fn everything_that_mutes_an_alert_is_named() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    d.step(at(0), Event::Alerts(vec![update("shop", true, at(0))]));
    d.step(at(0), Event::SilenceSet(silence("s1", r#"monitor="shop""#, 0, 60)));
    d.step(at(0), Event::SilenceSet(silence("s2", r#"alertname=~"M.*""#, 0, 90)));
    d.step(at(0), Event::Monitors(vec![("gateway".to_owned(), true)]));
    let ids = |d: &Dispatcher| d.alerts().flat_map(|a| d.mutes(a)).map(|by| by.id).collect::<Vec<_>>();
    assert_eq!(ids(&d), ["gateway", "s1", "s2"]);
    d.step(at(60), Event::Monitors(vec![("gateway".to_owned(), false)]));
    assert_eq!(ids(&d), ["s2"]);
}

#[test]
fn alerts_that_are_over_leave_nothing_behind() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    let mut rows: BTreeMap<RecordKey, Record> = BTreeMap::new();
    let mut keep = |changes: Vec<Change>| {
        for change in changes {
            match change {
                Change::Put(record) => rows.insert(record.key(), record),
                Change::Delete(key) => rows.remove(&key),
            };
        }
        rows.len()
    };
    keep(d.step(at(0), Event::Alerts(vec![update("shop", true, at(0))])).changes);
    keep(d.step(at(1), Event::Tick).changes);
    keep(d.step(at(9), Event::Alerts(vec![update("shop", false, at(9))])).changes);
    let mut left = 0;
    while let Some(due) = d.next_due() {
        left = keep(d.step(due, Event::Tick).changes);
    }
    // The counter that keys are made of stays.
    assert_eq!((left, d.alerts().count(), d.groups().count()), (1, 0, 0));
}

#[test]
fn a_storm_is_one_decision_per_group_and_one_message() {
    let route = Route { group_by: GroupBy::labels(["monitor"]), ..Route::default() };
    let mut d = Dispatcher::new(setup(route), at(0));
    let all = |fires, now| (0..10_000).map(|i| update(&i.to_string(), fires, now)).collect::<Vec<_>>();
    d.step(at(0), Event::Alerts(all(true, at(0))));
    let told = d.step(at(1), Event::Tick).notifications;
    assert_eq!((told.len(), told[0].alerts.len(), told[0].omitted), (1, 20, 9_980));
    d.step(at(60), Event::Alerts(all(false, at(60))));
    let mut told = Vec::new();
    while let Some(due) = d.next_due().filter(|due| *due <= at(1_200)) {
        told.extend(d.step(due, Event::Tick).notifications);
    }
    assert_eq!((told.len(), told[0].alerts.len(), told[0].omitted), (1, 20, 9_980));
}

#[test]
fn a_storm_that_comes_and_goes_within_ten_seconds_ends_with_one_message() {
    let route = Route { group_by: GroupBy::labels(["monitor"]), ..Route::default() };
    let mut d = Dispatcher::new(setup(route), at(0));
    let mut told = Vec::new();
    for (fires, from) in [(true, 0), (false, 60)] {
        for second in 0..10 {
            let now = at(from + second);
            while let Some(due) = d.next_due().filter(|due| *due < now) {
                told.extend(d.step(due, Event::Tick).notifications);
            }
            let some = (0..100).map(|i| update(&format!("{second}-{i}"), fires, now)).collect();
            told.extend(d.step(now, Event::Alerts(some)).notifications);
        }
    }
    while let Some(due) = d.next_due().filter(|due| *due <= at(1_200)) {
        told.extend(d.step(due, Event::Tick).notifications);
    }
    let size = |n: &Notification| (n.status(), n.alerts.len() + n.omitted);
    let ends: Vec<_> = told.iter().map(size).filter(|(status, _)| *status == Status::Resolved).collect();
    assert_eq!(ends, [(Status::Resolved, 1_000)]);
    assert!(told.len() <= 5, "{:?}", told.iter().map(size).collect::<Vec<_>>());
    assert!(d.alerts().all(|a| a.told().is_empty()));
}

#[test]
fn another_server_ends_no_alert_of_our_own() {
    let mut d = Dispatcher::new(setup(Route::default()), at(0));
    let foreign =
        |ends| AlertUpdate { origin: Origin::Foreign, ends_at: Some(at(ends)), ..update("shop", true, at(0)) };
    let fires = |d: &Dispatcher| d.alerts().next().is_some_and(|a| a.fires() && a.origin() == Origin::Monitor);
    d.step(at(0), Event::Alerts(vec![update("shop", true, at(0))]));
    d.step(at(1), Event::Alerts(vec![foreign(1)]));
    assert!(fires(&d), "it does not end it at once");
    d.step(at(2), Event::Alerts(vec![foreign(60)]));
    d.step(at(61), Event::Tick);
    assert!(fires(&d), "nor later");
    d.step(at(62), Event::Alerts(vec![update("shop", false, at(62))]));
    d.step(at(63), Event::Alerts(vec![foreign(90)]));
    assert!(d.alerts().next().is_some_and(|a| a.fires() && a.origin() == Origin::Foreign), "its own is told of");
}

#[test]
fn the_fallback_hears_of_all_that_was_refused_shown_or_not() {
    for (alerts, above) in [(3, None), (1_100, None), (30, Some(Digest::default()))] {
        let group_by = if above.is_some() { GroupBy::labels(["monitor"]) } else { GroupBy::labels(["alertname"]) };
        let mut setup = (*setup(Route { group_by, ..Route::default() })).clone();
        let ops = NotifierPolicy { fallback: Some("mail".to_owned()), digest: above, send_resolved: true };
        setup.notifiers = [("ops".to_owned(), ops), ("mail".to_owned(), NotifierPolicy::default())].into();
        let mut d = Dispatcher::new(Arc::new(setup), at(0));
        d.step(at(0), Event::Alerts((0..alerts).map(|i| update(&i.to_string(), true, at(0))).collect()));
        let told = d.step(at(1), Event::Tick).notifications;
        assert_eq!(told.len(), 1);
        let taken = d.step(at(2), Event::GivenUp(Arc::new(told[0].clone()))).notifications;
        assert_eq!((taken.len(), taken[0].alerts.len() + taken[0].omitted), (1, alerts));
        assert!(d.alerts().all(|a| a.told()["ops"].refused && a.told().contains_key("mail")));
    }
}

/// From ten past midnight on, in the test's time.
fn night() -> TimeWindow {
    let interval = TimeInterval {
        times: vec![(10, 1_440)],
        weekdays: Vec::new(),
        days_of_month: Vec::new(),
        months: Vec::new(),
        years: Vec::new(),
        zone: jiff::tz::TimeZone::UTC,
    };
    TimeWindow { name: "night".to_owned(), intervals: vec![interval], source: String::new() }
}

#[test]
fn the_end_of_a_storm_names_nothing_that_is_muted_on_the_way_to_who_hears_it() {
    // Half of the alerts reach `ops` through a route that is muted from 00:10 on; `mail` hears of all of them.
    let of_half = Matchers::parse(r#"monitor=~"1.*""#).unwrap();
    let child = |id: &str, receiver: &str, matchers: Matchers, mute: &[&str]| Route {
        id: id.to_owned(),
        receiver: receiver.to_owned(),
        matchers,
        group_by: GroupBy::labels(["monitor"]),
        mute: mute.iter().map(|m| (*m).to_owned()).collect(),
        continues: true,
        ..Route::default()
    };
    let routes = vec![
        child("c0", "mail", Matchers::default(), &[]),
        child("c1", "ops", of_half.clone(), &["night"]),
        child("c2", "ops", Matchers::parse(r#"monitor!~"1.*""#).unwrap(), &[]),
    ];
    let mut setup = (*setup(Route { routes, ..Route::default() })).clone();
    setup.notifiers.insert("mail".to_owned(), NotifierPolicy::default());
    setup.policy.add_notifiers(["ops", "mail"]);
    setup.policy.windows.insert("night".to_owned(), night());
    let mut d = Dispatcher::new(Arc::new(setup), at(0));
    d.step(at(0), Event::Alerts((0..100).map(|i| update(&i.to_string(), true, at(0))).collect()));
    let told = d.step(at(1), Event::Tick).notifications;
    assert_eq!(told.iter().map(|n| n.alerts.len() + n.omitted).collect::<Vec<_>>(), [100, 100]);
    let over = (20..100).filter(|i| i % 2 == 0).map(|i| update(&i.to_string(), false, at(660))).collect();
    d.step(at(660), Event::Alerts(over));
    while let Some(due) = d.next_due().filter(|due| *due <= at(1_500)) {
        for n in d.step(due, Event::Tick).notifications.iter().filter(|n| n.notifier == "ops") {
            assert!(n.alerts.iter().all(|a| !of_half.matches(&a.labels)), "{n:?}");
        }
    }
}

#[derive(Clone, Debug)]
enum Move {
    Alert(usize, bool),
    Silence(usize, i64),
    Ack(usize),
    Monitor(bool),
    Pass(i64),
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0..4usize, any::<bool>()).prop_map(|(who, fires)| Move::Alert(who, fires)),
        1 => (0..4usize, 1..2_000i64).prop_map(|(who, length)| Move::Silence(who, length)),
        1 => (0..4usize).prop_map(Move::Ack),
        1 => any::<bool>().prop_map(Move::Monitor),
        3 => (-5_000..2_000i64).prop_map(Move::Pass),
        1 => Just(Move::Restart),
    ];
    proptest::collection::vec(one, 1..60)
}

const WHO: [&str; 4] = ["shop", "gateway", "db", "web"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, whatever the clock does: the rows written one by one are those that the whole
    /// amounts to, keys are used once, and an end follows a beginning.
    #[test]
    fn rows_amount_to_the_state_and_ends_follow_beginnings(moves in moves()) {
        let setup = setup(Route { group_interval: Duration::from_secs(60), ..Route::default() });
        let mut d = Dispatcher::new(Arc::clone(&setup), at(0));
        let mut rows: BTreeMap<RecordKey, Record> = BTreeMap::new();
        let mut keys = std::collections::BTreeSet::new();
        let mut believed = std::collections::BTreeSet::new();
        let mut now = 10_000;
        for (i, step) in moves.into_iter().enumerate() {
            let event = match step {
                Move::Alert(who, fires) => Event::Alerts(vec![update(WHO[who], fires, at(now))]),
                Move::Silence(who, length) => {
                    let matchers = format!("monitor={}", WHO[who]);
                    Event::SilenceSet(silence(&format!("s{i}"), &matchers, now, now + length))
                }
                Move::Ack(who) => {
                    let ack = Ack { by: "wu".to_owned(), at: at(now), comment: String::new(), until: None };
                    Event::Acknowledged(Fingerprint(labels(WHO[who]).fingerprint()), ack)
                }
                Move::Monitor(down) => Event::Monitors(vec![("gateway".to_owned(), down)]),
                Move::Pass(seconds) => {
                    now += seconds;
                    Event::Tick
                }
                Move::Restart => {
                    d = Dispatcher::restore(rows.values().cloned().collect(), Arc::clone(&setup), at(now));
                    Event::Tick
                }
            };
            let fx = d.step(at(now), event);
            for n in fx.notifications {
                prop_assert!(keys.insert(n.key.clone()), "{} twice", n.key);
                for alert in n.resolved() {
                    prop_assert!(believed.remove(&alert.fingerprint));
                }
                believed.extend(n.firing().map(|a| a.fingerprint.clone()));
            }
            for change in fx.changes {
                match change {
                    Change::Put(record) => rows.insert(record.key(), record),
                    Change::Delete(key) => rows.remove(&key),
                };
            }
            let whole: BTreeMap<RecordKey, Record> = d.records().into_iter().map(|r| (r.key(), r)).collect();
            let stored: Vec<_> = rows.keys().filter(|k| !k.id.is_empty()).collect();
            let living: Vec<_> = whole.keys().filter(|k| !k.id.is_empty()).collect();
            prop_assert_eq!(stored, living);
        }
    }
}
