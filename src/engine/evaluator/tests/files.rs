//! The alert about broken configuration files.

use super::*;

#[tokio::test]
async fn broken_files_are_told_once_even_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let statuses = |said: &Said| said.messages.iter().map(|m| m.notification.status()).collect::<Vec<_>>();
    let mut rig = Rig::start(dir.path());
    rig.config_with(config(&[], &["ops"]), 2).await;
    rig.pass().await;
    let owed = loop {
        if let OutboxInput::Owed(owed) = rig.outbox.recv().await.unwrap() {
            break owed;
        }
    };
    let message = &owed[0].notification.alerts[0];
    assert_eq!((owed.len(), message.status), (1, Status::Firing));
    assert_eq!(
        message.labels.to_string(),
        r#"{alertname="WatchdogConfigInvalid", monitor="watchdog", severity="warning"}"#
    );
    assert_eq!(message.annotations.get("summary"), Some("2 errors in the configuration files"));
    assert!(message.annotations.get("description").unwrap().starts_with("monitors.d/a.yaml:3:5: `intervall`"));
    rig.config_with(config(&[], &["ops"]), 3).await;
    assert_eq!(statuses(&rig.stop().await), []);

    // A monitor of the same name has an alert of its own.
    let mut rig = Rig::start(dir.path());
    let namesake = monitor("watchdog");
    rig.config_with(config(std::slice::from_ref(&namesake), &["ops"]), 3).await;
    rig.results(&namesake, "u").await;
    let said = rig.stop().await;
    assert_eq!(statuses(&said), []);
    assert_eq!(said.alerts(), [(AlertState::Firing, "watchdog".to_owned())]);

    let rig = Rig::start(dir.path());
    rig.config(config(&[], &["ops"])).await;
    rig.pass().await;
    let said = rig.stop().await;
    assert_eq!(statuses(&said), [Status::Resolved]);
    assert_eq!(said.messages[0].notification.alerts[0].annotations.get("reason"), Some("recovered"));
}

#[tokio::test]
async fn files_that_are_mended_in_time_are_told_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path());
    rig.config_with(config(&[], &["ops"]), 1).await;
    rig.config(config(&[], &["ops"])).await;
    let said = rig.stop().await;
    assert!(said.messages.is_empty() && said.alerts().is_empty());
}
