//! What this machine is to blame for, and monitors whose own check cannot judge.

use super::*;
use crate::alert::impaired;
use crate::base::notification::NotifiedAlert;
use crate::engine::itself::{Itself, Pulse};

fn impaired(classes: &[(&str, &str)]) -> EvalInput {
    let classes = classes.iter().map(|(class, what)| ((*class).to_owned(), (*what).to_owned())).collect();
    EvalInput::Impaired(Impaired { classes, settled: true })
}

/// The same while not everything has been looked at since the start.
fn so_far(classes: &[(&str, &str)]) -> EvalInput {
    let EvalInput::Impaired(found) = impaired(classes) else { panic!("another input") };
    EvalInput::Impaired(Impaired { settled: false, ..found })
}

/// Name, state, and the label that tells one of ours from another, of each message.
fn told(messages: &[Owed]) -> Vec<(String, String, Status)> {
    let of = |m: &NotifiedAlert| {
        let label = |name| m.labels.get(name).unwrap_or_default().to_owned();
        let which = if label("class").is_empty() { label("monitor") } else { label("class") };
        (label("alertname"), which, m.status)
    };
    messages.iter().flat_map(|m| m.notification.alerts.iter().map(of)).collect()
}

impl Rig {
    async fn next_messages(&mut self) -> Vec<Owed> {
        loop {
            if let OutboxInput::Owed(owed) = self.outbox.recv().await.unwrap() {
                return owed;
            }
        }
    }
}

#[tokio::test]
async fn trouble_of_our_own_is_one_alert_for_each_reason_and_its_end_another_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    let file = ("local_files", "`logs`: permission denied");
    let route = ("local_route", "this machine has lost its default route");
    let late = ("late", "many probes begin more than a second late");
    rig.inbox.send(impaired(&[file])).await.unwrap();
    rig.pass().await;
    let first = rig.next_messages().await;
    let alert = &first[0].notification.alerts[0];
    assert_eq!(
        alert.labels.to_string(),
        r#"{alertname="WatchdogSelfImpaired", class="local_files", monitor="watchdog", severity="critical"}"#
    );
    assert!(alert.annotations.get("description").unwrap().starts_with("`logs`: permission denied; monitors"));
    // What goes on for ever hides nothing that comes later.
    rig.inbox.send(impaired(&[file, route, late])).await.unwrap();
    rig.pass().await;
    let mut more = rig.next_messages().await;
    while more.len() < 2 {
        more.extend(rig.next_messages().await);
    }
    let name = "WatchdogSelfImpaired".to_owned();
    let mut seen = told(&more);
    seen.sort_by(|a, b| a.1.cmp(&b.1));
    let want = ["late", "local_route"].map(|class| (name.clone(), class.to_owned(), Status::Firing));
    assert_eq!(seen, want);
    let of_late = more.iter().find(|m| told(std::slice::from_ref(m))[0].1 == "late").unwrap();
    let said = &of_late.notification.alerts[0].annotations;
    assert_eq!(said.get("summary"), Some("Watchdog is overloaded"));
    assert_eq!(said.get("description"), Some("many probes begin more than a second late"));
    rig.inbox.send(impaired(&[file])).await.unwrap();
    rig.pass().await;
    let mut seen = told(&rig.stop().await.messages);
    seen.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(seen, ["late", "local_route"].map(|class| (name.clone(), class.to_owned(), Status::Resolved)));
}

#[tokio::test]
async fn a_check_that_cannot_judge_is_told_of_with_its_own_labels_and_ends_when_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = monitor("shop");
    shop.labels = Labels::new([("team", "web")]);
    let quiet = Monitor { alert: None, ..monitor("quiet") };
    let cut_off = monitor("cut-off");
    let all = [shop.clone(), quiet.clone(), cut_off.clone()];
    let mut rig = Rig::start(dir.path());
    rig.config(config(&all, &["ops"])).await;
    // One is not enough, what this machine is to blame for counts neither way, and one above that is down begins it anew.
    rig.results(&shop, "okpou").await;
    rig.results(&quiet, "oooooo").await;
    rig.results(&cut_off, "kkkkkk").await;
    rig.results(&shop, "oko").await;
    rig.pass().await;
    let first = rig.next_messages().await;
    assert_eq!(told(&first), [("MonitorUnknown".to_owned(), "shop".to_owned(), Status::Firing)]);
    let alert = &first[0].notification.alerts[0];
    assert_eq!((alert.labels.get("team"), alert.labels.get("severity")), (Some("web"), Some("warning")));
    assert_eq!(alert.annotations.get("summary"), Some("shop cannot be judged"));
    assert_eq!(alert.annotations.get("description"), Some("the plugin says UNKNOWN"));
    assert_eq!(rig.stop().await.alerts(), [(AlertState::Firing, "shop".to_owned())]);

    // Over a restart, and beside an outage that fired.
    let mut rig = Rig::start(dir.path());
    rig.config(config(&all, &["ops"])).await;
    rig.results(&shop, "ko").await;
    rig.results(&shop, "dd").await;
    rig.pass().await;
    let mut more = rig.next_messages().await;
    while more.len() < 2 {
        more.extend(rig.next_messages().await);
    }
    let mut seen = told(&more);
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let of_shop = |name: &str, status| (name.to_owned(), "shop".to_owned(), status);
    assert_eq!(seen, [of_shop("MonitorDown", Status::Firing), of_shop("MonitorUnknown", Status::Resolved)]);
    let over = more.iter().find(|m| m.notification.status() == Status::Resolved).unwrap();
    assert_eq!(over.notification.alerts[0].annotations.get("summary"), Some("shop can be judged again"));
    rig.stop().await;
}

#[tokio::test]
async fn who_takes_the_alert_away_ends_what_was_told_of_a_check_that_cannot_judge() {
    let shop = monitor("shop");
    for (changed, why) in [
        (vec![Monitor { alert: None, ..shop.clone() }], "removed"),
        (vec![Monitor { paused: true, ..shop.clone() }], "paused"),
        (vec![], "removed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        rig.config(config(std::slice::from_ref(&shop), &["ops"])).await;
        rig.results(&shop, "oo").await;
        rig.pass().await;
        rig.next_messages().await;
        rig.stop().await;
        // It is the same when it was changed while nothing ran.
        let mut rig = Rig::start(dir.path());
        rig.config(config(&changed, &["ops"])).await;
        rig.pass().await;
        let over = rig.next_messages().await;
        assert_eq!(told(&over), [("MonitorUnknown".to_owned(), "shop".to_owned(), Status::Resolved)]);
        assert_eq!(over[0].notification.alerts[0].annotations.get("reason"), Some(why));
        rig.stop().await;
    }
}

#[tokio::test]
async fn trouble_that_is_over_after_a_restart_ends_its_alert() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    rig.inbox.send(impaired(&[("local_files", "no file is left")])).await.unwrap();
    rig.pass().await;
    while !matches!(rig.outbox.recv().await.unwrap(), OutboxInput::Owed(_)) {}
    rig.stop().await;

    let Opened { db, loaded, .. } = StateDb::open(dir.path(), Clock::system()).unwrap();
    let saved = Saved { alerts: loaded.alerts.clone(), ..Saved::default() };
    assert!(saved.is_impaired());
    let mut rig = Rig::with(db, loaded);
    rig.config(config(&[], &["ops"])).await;
    rig.act(|turn| assert_eq!(turn.dispatcher().alerts().count(), 1)).await;
    let (board, _shown) = mpsc::channel(100);
    let itself = Arc::new(Itself::new(Clock::system()));
    let pulse =
        Pulse { itself, evaluator: rig.inbox.clone(), board, metrics: Arc::default(), remembered: saved.is_impaired() };
    rig.tasks.add("pulse", |stop| pulse.run(stop));
    rig.act(|_| {}).await;
    time::pause();
    time::advance(Duration::from_secs(61)).await;
    loop {
        let OutboxInput::Owed(owed) = rig.outbox.recv().await.unwrap() else { continue };
        assert_eq!(owed[0].notification.alerts[0].status, Status::Resolved);
        break;
    }
    assert_eq!(rig.stop().await.alerts(), [(AlertState::Resolved, "watchdog".to_owned())]);
}

#[tokio::test]
async fn after_a_restart_trouble_of_a_moment_is_no_alert_and_what_fired_ends_when_all_was_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let exec = ("local_exec", "`disk`: permission denied");
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    rig.inbox.send(impaired(&[exec])).await.unwrap();
    rig.pass().await;
    rig.next_messages().await;
    rig.stop().await;

    let (credentials, route) = (("local_credentials", "`db`: no such file"), ("local_route", "no default route"));
    let mut rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    for found in [&[credentials, route][..], &[route]] {
        rig.inbox.send(so_far(found)).await.unwrap();
    }
    rig.pass().await;
    let of = |class: &str, status| [("WatchdogSelfImpaired".to_owned(), class.to_owned(), status)];
    assert_eq!(told(&rig.next_messages().await), of("local_route", Status::Firing));
    // It is found again, and is gone again before everything has been looked at.
    for found in [&[exec, route][..], &[route]] {
        rig.inbox.send(so_far(found)).await.unwrap();
    }
    rig.act(|turn| assert_eq!(turn.dispatcher().alerts().filter(|a| a.fires()).count(), 2)).await;
    rig.inbox.send(impaired(&[route])).await.unwrap();
    rig.pass().await;
    assert_eq!(told(&rig.stop().await.messages), of("local_exec", Status::Resolved));
}

#[tokio::test]
async fn trouble_of_our_own_is_told_whatever_a_monitor_of_that_name_depends_on() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = monitor("gateway");
    let watchdog = Monitor { depends_on: vec![gateway.name.clone()], ..monitor("watchdog") };
    let mut rig = Rig::start(dir.path());
    rig.config_with(config(&[gateway.clone(), watchdog], &["ops"]), 1).await;
    rig.results(&gateway, "d").await;
    rig.inbox.send(impaired(&[("local_files", "no file is left")])).await.unwrap();
    rig.pass().await;
    let mut seen = told(&rig.next_messages().await);
    while seen.len() < 2 {
        seen.extend(told(&rig.next_messages().await));
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let ours = |name: &str, which: &str| (name.to_owned(), which.to_owned(), Status::Firing);
    assert_eq!(seen, [ours("WatchdogConfigInvalid", "watchdog"), ours("WatchdogSelfImpaired", "local_files")]);
    rig.stop().await;
}

#[test]
fn what_was_about_to_be_told_of_ourselves_before_the_start_is_shown_as_long_as_it_has_lasted_since() {
    let at = |s: i64| Timestamp::from_millis(s * 1_000);
    let about_us = Instance {
        fingerprint: impaired::fingerprint("late"),
        rule: impaired::SELF_IMPAIRED.to_owned(),
        monitor: MonitorName::new("watchdog").unwrap(),
        phase: Phase::Pending { since: at(5) },
        words: Arc::new(impaired::words("late", "")),
    };
    let mut shown = Shown::default();
    Book::new(Vec::new(), vec![about_us], &mut shown, at(36_000));
    let rows = shown.if_changed(at(36_000)).unwrap();
    assert_eq!((rows[0].state, rows[0].since, rows[0].starts_at), (AlertState::Pending, at(36_000), at(36_000)));
}
