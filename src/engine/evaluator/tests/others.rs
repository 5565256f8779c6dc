//! Alerts of other servers.

use super::*;
use crate::alert::dispatch::AlertUpdate;
use crate::alert::rule::Fingerprint;
use crate::engine::alerting::make_room;

#[tokio::test]
async fn alerts_of_other_servers_have_a_limit_that_is_complained_about_while_it_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path());
    rig.config(config(&[], &[])).await;
    let post = |names: &'static [&'static str], fires: bool, expected: usize| {
        rig.act(move |turn| {
            let one = |name: &&str| {
                let labels = Labels::new([("alertname", *name)]);
                AlertUpdate {
                    fingerprint: Fingerprint(labels.fingerprint()),
                    origin: Origin::Foreign,
                    labels,
                    annotations: Labels::default(),
                    starts_at: turn.now(),
                    fired_at: turn.now(),
                    ends_at: Some(if fires { turn.now().plus(INTERVAL) } else { turn.now() }),
                    value: None,
                    generator_url: None,
                }
            };
            let mut updates: Vec<_> = names.iter().map(one).collect();
            let left_out = make_room(turn, &mut updates, 2);
            assert_eq!((left_out, updates.len()), (expected, names.len() - expected), "{names:?}");
            turn.step(AlertEvent::Alerts(updates));
        })
    };
    post(&["A"], true, 0).await;
    post(&["A", "B", "C", "D"], true, 2).await;
    post(&["C"], true, 1).await;
    post(&["A", "B"], true, 0).await;
    let said = rig.stop().await;
    let complaints = said.board.iter().filter_map(|b| match b {
        BoardInput::Complaint { text, .. } => Some(text.as_deref()),
        _ => None,
    });
    assert_eq!(complaints.collect::<Vec<_>>(), [Some("there are 2 alerts of other servers: new ones are not taken")]);
}
