//! Who is told of a transition, and why, or why not.
//!
//! A resolve goes to exactly those who were told, or are owed, the firing: nobody hears the end of a
//! story they never heard begin, and nobody is left with an alarm that is over.

use std::fmt;

use crate::alert::instance::{Instance, Phase};
use crate::alert::rule::{Fingerprint, Words};
use crate::base::labels::Labels;
use crate::base::message::Status;
use crate::base::notification::{Notification, NotifiedAlert};
use crate::base::time::Timestamp;

/// What the decision needs to know of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Unique name.
    pub name: &'a str,
    /// Whether it hears that an alert is over.
    pub send_resolved: bool,
}

/// Why a receiver is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// The episode fires and this receiver has not heard of it.
    FirstTime,
    /// It heard that the alert fires; it hears that it is over.
    Resolved,
}

/// Why nobody, or one receiver, is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// No receiver is configured, or the route names one that does not exist.
    NoReceiver,
    /// The route sends to another receiver.
    NotRouted(String),
    /// It has `send_resolved: false`.
    ResolvedNotWanted(String),
    /// It never heard that the alert fires.
    NeverTold(String),
    /// It was told, and is no longer configured.
    Gone(String),
}

/// One decision about one receiver, or about all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Tell this receiver.
    Send(String, Notify),
    /// Tell nobody, or not this one.
    Hold(Hold),
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstTime => "it fires for the first time",
            Self::Resolved => "it was told that it fires",
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReceiver => f.write_str("no receiver is configured"),
            Self::NotRouted(r) => write!(f, "the route does not lead to {r}"),
            Self::ResolvedNotWanted(r) => write!(f, "{r} does not want to hear of an end"),
            Self::NeverTold(r) => write!(f, "{r} was never told that it fires"),
            Self::Gone(r) => write!(f, "{r} is no longer configured"),
        }
    }
}

/// Decides who hears that an alert fires.
pub fn firing(receivers: &[Candidate<'_>], route: Option<&str>) -> Vec<Decision> {
    let routed = |name: &str| route.is_none_or(|r| r == name);
    if !receivers.iter().any(|r| routed(r.name)) {
        return vec![Decision::Hold(Hold::NoReceiver)];
    }
    let one = |r: &Candidate<'_>| {
        let name = r.name.to_owned();
        if routed(r.name) { Decision::Send(name, Notify::FirstTime) } else { Decision::Hold(Hold::NotRouted(name)) }
    };
    receivers.iter().map(one).collect()
}

/// Decides who hears that an alert is over; `told` are those who heard that it fires. The route plays
/// no part: it may have changed since.
pub fn resolved(receivers: &[Candidate<'_>], told: &[String]) -> Vec<Decision> {
    let mut out = Vec::with_capacity(told.len());
    for name in told {
        out.push(match receivers.iter().find(|r| r.name == name) {
            None => Decision::Hold(Hold::Gone(name.clone())),
            Some(r) if !r.send_resolved => Decision::Hold(Hold::ResolvedNotWanted(name.clone())),
            Some(_) => Decision::Send(name.clone(), Notify::Resolved),
        });
    }
    let strangers = receivers.iter().filter(|r| told.iter().all(|t| t != r.name));
    out.extend(strangers.map(|r| Decision::Hold(Hold::NeverTold(r.name.to_owned()))));
    out
}

/// The message to one receiver about `alert` in its present phase; `None` while there is nothing to
/// say. `words` are the alert's own, or what is said at its end.
pub fn message(alert: &Instance, words: &Words, receiver: &str) -> Option<Notification> {
    let (status, starts_at, ends_at) = match alert.phase {
        Phase::Inactive | Phase::Pending { .. } => return None,
        Phase::Firing { starts_at, .. } => (Status::Firing, starts_at, None),
        Phase::Resolved { starts_at, ends_at } => (Status::Resolved, starts_at, Some(ends_at)),
    };
    let told = NotifiedAlert {
        status,
        fingerprint: alert.fingerprint.to_string(),
        labels: words.labels.clone(),
        annotations: words.annotations.clone(),
        starts_at,
        ends_at,
        value: None,
        generator_url: None,
    };
    let key = idempotency_key(receiver, alert.fingerprint, starts_at, status);
    Some(Notification::single(key, thread(receiver, alert.fingerprint, starts_at), receiver, told))
}

/// The key of one decision: the same after any restart, another one for another episode. Safe in an
/// HTTP header whatever the receiver is called, hence the hash.
pub fn idempotency_key(receiver: &str, alert: Fingerprint, starts_at: Timestamp, status: Status) -> String {
    let receiver = Labels::new([("receiver", receiver)]).fingerprint();
    format!("{alert}-{}-{}-{receiver:016x}", starts_at.millis(), status.as_str())
}

/// What all messages of one episode to one receiver share.
pub fn thread(receiver: &str, alert: Fingerprint, starts_at: Timestamp) -> String {
    let receiver = Labels::new([("receiver", receiver)]).fingerprint();
    format!("{alert}-{}-{receiver:016x}", starts_at.millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: Candidate<'_> = Candidate { name: "ops", send_resolved: true };
    const HOOK: Candidate<'_> = Candidate { name: "hook", send_resolved: false };

    #[test]
    fn who_hears_that_it_fires() {
        let send = |n: &str| Decision::Send(n.to_owned(), Notify::FirstTime);
        assert_eq!(firing(&[], None), [Decision::Hold(Hold::NoReceiver)]);
        assert_eq!(firing(&[OPS], Some("gone")), [Decision::Hold(Hold::NoReceiver)]);
        assert_eq!(firing(&[OPS, HOOK], None), [send("ops"), send("hook")]);
        let routed = [Decision::Hold(Hold::NotRouted("ops".to_owned())), send("hook")];
        assert_eq!(firing(&[OPS, HOOK], Some("hook")), routed);
    }

    #[test]
    fn who_hears_that_it_is_over() {
        let told = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let never = |n: &str| Decision::Hold(Hold::NeverTold(n.to_owned()));
        assert_eq!(resolved(&[OPS], &told(&["ops"])), [Decision::Send("ops".to_owned(), Notify::Resolved)]);
        assert_eq!(resolved(&[OPS], &[]), [never("ops")]);
        assert_eq!(resolved(&[HOOK], &told(&["hook"])), [Decision::Hold(Hold::ResolvedNotWanted("hook".to_owned()))]);
        assert_eq!(resolved(&[OPS], &told(&["hook"])), [Decision::Hold(Hold::Gone("hook".to_owned())), never("ops")]);
    }

    #[test]
    fn keys_are_stable_and_differ_where_they_must() {
        let at = Timestamp::from_millis;
        let key = |r, f, s, st| idempotency_key(r, Fingerprint(f), at(s), st);
        let base = key("ops", 1, 5, Status::Firing);
        assert_eq!(base, "0000000000000001-5-firing-0de336ddbd64e4a4");
        for other in [
            key("hook", 1, 5, Status::Firing),
            key("ops", 2, 5, Status::Firing),
            key("ops", 1, 6, Status::Firing),
            key("ops", 1, 5, Status::Resolved),
        ] {
            assert_ne!(base, other);
        }
    }
}
