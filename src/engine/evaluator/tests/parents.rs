//! Monitors that depend on others.

use super::*;
use crate::alert::rule::{MONITOR_DOWN, MONITOR_UNKNOWN};

fn family() -> (Monitor, Monitor, Config) {
    let gateway = monitor("gateway");
    let shop = Monitor { depends_on: vec![gateway.name.clone()], ..monitor("shop") };
    let config = config(&[gateway.clone(), shop.clone()], &["ops"]);
    (gateway, shop, config)
}

fn told(said: &Said) -> Vec<(String, Status)> {
    let name = |o: &Owed| o.notification.alerts[0].labels.get("monitor").unwrap_or_default().to_owned();
    said.messages.iter().map(|o| (name(o), o.notification.status())).collect()
}

#[tokio::test]
async fn a_child_that_fails_before_its_parent_is_found_down_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&gateway, "u").await;
    rig.results(&shop, "uddd").await;
    rig.results(&gateway, "d").await;
    // Judged with the parent's failure known.
    rig.results(&shop, "dpp").await;
    rig.results(&gateway, "d").await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(told(&said), [("gateway".to_owned(), Status::Firing)]);
    assert_eq!(said.last_status("shop"), Some((State::Unknown, 0)));
}

#[tokio::test]
async fn a_child_that_fails_alone_is_told_once_its_parent_was_found_up() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&gateway, "u").await;
    rig.results(&shop, "udd").await;
    rig.act(|turn| assert!(turn.dispatcher().alerts().next().is_none())).await;
    rig.results(&gateway, "u").await;
    rig.pass().await;
    assert_eq!(told(&rig.stop().await), [("shop".to_owned(), Status::Firing)]);
}

#[tokio::test]
async fn a_parent_that_is_not_probed_holds_nothing_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (_, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&shop, "udd").await;
    // Interval, timeout and what a result may be late by: 13 s.
    rig.clock += 13_000;
    rig.results(&shop, "d").await;
    rig.pass().await;
    assert_eq!(told(&rig.stop().await), [("shop".to_owned(), Status::Firing)]);
}

#[tokio::test]
async fn a_parent_that_failed_once_and_cannot_be_judged_since_holds_nothing_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&gateway, "udk").await;
    rig.results(&shop, "udd").await;
    rig.act(|turn| assert!(turn.dispatcher().alerts().next().is_none())).await;
    rig.clock += 13_000;
    rig.results(&gateway, "k").await;
    rig.results(&shop, "d").await;
    rig.pass().await;
    assert_eq!(told(&rig.stop().await), [("shop".to_owned(), Status::Firing)]);
}

#[tokio::test]
async fn once_the_parent_is_back_the_child_is_judged_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&shop, "d").await;
    rig.results(&gateway, "du").await;
    // One failure from before, one after: not two in a row.
    rig.results(&shop, "pd").await;
    rig.results(&gateway, "u").await;
    rig.act(|turn| assert!(turn.dispatcher().alerts().next().is_none())).await;
    rig.results(&shop, "d").await;
    rig.results(&gateway, "u").await;
    rig.pass().await;
    assert_eq!(told(&rig.stop().await), [("shop".to_owned(), Status::Firing)]);
}

#[tokio::test]
async fn what_fires_neither_ends_nor_is_told_again_while_nothing_can_be_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&shop, "dd").await;
    rig.results(&gateway, "u").await;
    rig.results(&shop, "kkkkkkpppp").await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(told(&said), [("shop".to_owned(), Status::Firing)]);
    assert_eq!(said.alerts(), [(AlertState::Firing, "shop".to_owned())]);
}

#[tokio::test]
async fn a_check_that_cannot_judge_waits_for_its_parent_as_one_that_fails() {
    let (gateway, shop, config) = family();
    for (gateway_is, told_of) in [("dd", "gateway"), ("u", "shop")] {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        rig.config(config.clone()).await;
        rig.results(&gateway, "u").await;
        rig.results(&shop, "uooo").await;
        rig.act(|turn| assert!(turn.dispatcher().alerts().next().is_none())).await;
        rig.results(&gateway, gateway_is).await;
        rig.pass().await;
        assert_eq!(told(&rig.stop().await), [(told_of.to_owned(), Status::Firing)]);
    }
}

#[tokio::test]
async fn once_the_parent_is_back_a_check_that_cannot_judge_is_counted_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    rig.results(&shop, "o").await;
    rig.results(&gateway, "du").await;
    // One from before, one after: not two in a row.
    rig.results(&shop, "po").await;
    rig.results(&gateway, "u").await;
    rig.act(|turn| assert!(turn.dispatcher().alerts().next().is_none())).await;
    rig.results(&shop, "o").await;
    rig.results(&gateway, "u").await;
    rig.pass().await;
    assert_eq!(told(&rig.stop().await), [("shop".to_owned(), Status::Firing)]);
}

#[tokio::test]
async fn who_is_waited_for_is_known_although_it_began_to_be_unjudged_for_another_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, shop, config) = family();
    let mut rig = Rig::start(dir.path());
    rig.config(config).await;
    // Unknown from before the gateway's last result on, and for a reason of its own since.
    rig.results(&shop, "p").await;
    rig.results(&gateway, "u").await;
    rig.results(&shop, "ooo").await;
    let progress = |turn: &mut Turn<'_>, rule| {
        let progress = turn.progress(&MonitorName::new("shop").unwrap(), rule);
        (progress.failures, progress.fires, progress.waits_for.map(|n| n.to_string()))
    };
    rig.act(move |turn| assert_eq!(progress(turn, MONITOR_UNKNOWN), (3, false, Some("gateway".to_owned())))).await;
    rig.results(&gateway, "u").await;
    rig.act(move |turn| assert_eq!(progress(turn, MONITOR_UNKNOWN), (3, true, None))).await;
    rig.results(&shop, "ddd").await;
    rig.act(move |turn| assert_eq!(progress(turn, MONITOR_DOWN), (3, false, Some("gateway".to_owned())))).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_no_parent_can_be_the_cause_of_waits_for_none() {
    let (gateway, shop, config) = family();
    for of_gateway in ["u", "d"] {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        rig.config(config.clone()).await;
        rig.results(&gateway, of_gateway).await;
        rig.results(&shop, "bb").await;
        rig.act(|turn| {
            let fires = |a: &crate::alert::dispatch::Alert| a.fires() && a.monitor() == Some("shop");
            assert!(turn.dispatcher().alerts().any(fires));
        })
        .await;
        rig.stop().await;
    }
}
