//! The dispatcher's policy out of a configuration.

use crate::alert::dispatch::{Digest, NotifierPolicy, Setup};
use crate::config::model::{Config, Receiver};

/// Kinds of notifiers that keep one incident for each group: a digest would open one that nothing closes.
const INCIDENT_KINDS: [&str; 2] = ["pagerduty", "opsgenie"];

/// What a configuration says about who is told. Not `complete`: notifiers that it lacks may be in a file
/// that could not be read.
pub(crate) fn of(config: &Config, complete: bool) -> Setup {
    let depends_on = config.monitors.values().filter(|m| !m.depends_on.is_empty());
    Setup {
        policy: (*config.alerting).clone(),
        notifiers: config.receivers.iter().map(|r| (r.name.clone(), notifier(r))).collect(),
        depends_on: depends_on
            .map(|m| (m.name.to_string(), m.depends_on.iter().map(ToString::to_string).collect()))
            .collect(),
        partial: !complete,
        ..Setup::default()
    }
}

fn notifier(receiver: &Receiver) -> NotifierPolicy {
    let default = Digest::default();
    let above = receiver.limits.digest_above;
    let keeps_incidents = INCIDENT_KINDS.contains(&receiver.kind.as_str());
    NotifierPolicy {
        send_resolved: receiver.send_resolved,
        fallback: receiver.limits.fallback.clone(),
        // `digest_above: 0` means never.
        digest: match above {
            Some(0) => None,
            None if keeps_incidents => None,
            Some(above) => Some(Digest { above, ..default }),
            None => Some(default),
        },
    }
}
