//! Judges what was said by what happened. Knows nothing of how it is decided.
//!
//! Told of every fact at its time (alerts, silences, routes) and of every message as it was decided and
//! as it was received. What it asks for: no firing that lasts longer than the waits goes untold, no end
//! either; nothing muted is told; nobody hears an end without a beginning; no message twice but after a
//! fault, and then under the same key.

use std::collections::{BTreeMap, BTreeSet};

use watchdog::base::notification::{Notification, Reason};

/// An alert, by its number.
pub type Who = usize;

/// What the checker is told of an alert.
#[derive(Clone, Debug)]
pub struct Facts {
    /// 16 hex digits.
    pub fingerprint: String,
    /// Whether it fires, by its source.
    pub fires: bool,
    /// Whether something mutes it.
    pub muted: bool,
    /// Notifiers that its route leads to.
    pub routed: Vec<&'static str>,
}

/// How long what must be said may take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A firing: the waits of its group and of a digest.
    pub firing: i64,
    /// An end: the same, and the time until a flapping alert counts as quiet.
    pub end: i64,
    /// Alerts may be held as firing while they are over.
    pub flapping: bool,
}

#[derive(Default)]
struct Pair {
    /// It was decided to tell that it fires, and not yet that it is over.
    told: bool,
    /// It was received, likewise.
    believes: bool,
    /// Its thread was closed, perhaps it thinks that all is over.
    doubts: bool,
    /// It refused to hear that it fires.
    refused: bool,
    /// Since when it ought to be told that it fires, or that it is over.
    owed_since: Option<i64>,
    end_owed_since: Option<i64>,
}

/// The judge of one run.
pub struct Checker {
    bounds: Bounds,
    pairs: BTreeMap<(Who, String), Pair>,
    facts: BTreeMap<Who, Facts>,
    received: BTreeSet<String>,
    decided: BTreeSet<String>,
    /// Faults after which a message may come twice.
    pub excuses: usize,
    duplicates: usize,
    /// What is wrong.
    pub offences: Vec<String>,
    /// Whether the run is written down.
    pub keeps: bool,
    /// The run.
    pub log: Vec<String>,
}

impl Checker {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            pairs: BTreeMap::new(),
            facts: BTreeMap::new(),
            received: BTreeSet::new(),
            decided: BTreeSet::new(),
            excuses: 0,
            duplicates: 0,
            offences: Vec::new(),
            keeps: false,
            log: Vec::new(),
        }
    }

    /// Writes down what happened, for whoever looks at one seed.
    pub fn note(&mut self, at: i64, what: &str) {
        if self.keeps {
            self.log.push(format!("{}s {what}", at as f64 / 1_000.0));
        }
    }

    fn offence(&mut self, at: i64, text: &str) {
        self.offences.push(format!("{}s: {text}", at as f64 / 1_000.0));
    }

    fn who(&self, fingerprint: &str) -> Option<Who> {
        self.facts.iter().find(|(_, f)| f.fingerprint == fingerprint).map(|(who, _)| *who)
    }

    /// How things stand at `at`, after everything that happened then.
    pub fn observe(&mut self, at: i64, facts: &BTreeMap<Who, Facts>, ends_wanted: impl Fn(&str) -> bool) {
        self.facts.clone_from(facts);
        for (who, f) in facts {
            for notifier in &f.routed {
                self.pairs.entry((*who, (*notifier).to_owned())).or_default();
            }
        }
        let mut late = Vec::new();
        for ((who, notifier), pair) in &mut self.pairs {
            let Some(f) = facts.get(who) else { continue };
            let routed = f.routed.iter().any(|n| n == notifier);
            if !f.fires {
                // The next episode is news to whoever refused to hear of this one.
                pair.doubts |= pair.refused;
                pair.refused = pair.refused && pair.told;
            }
            if !ends_wanted(notifier) {
                // Whoever wants to hear of no end may hear of the next firing as news or not, until the
                // end is old enough for the group to have forgotten it.
                pair.doubts |= !f.fires;
                pair.end_owed_since = (!f.fires).then(|| pair.end_owed_since.unwrap_or(at));
                if pair.end_owed_since.is_some_and(|since| at - since > self.bounds.end) {
                    (pair.told, pair.believes) = (false, false);
                }
            }
            let owed = f.fires && !f.muted && routed && !pair.told && !pair.refused;
            let end_owed = !f.fires && !f.muted && pair.told && !pair.refused && ends_wanted(notifier);
            pair.owed_since = owed.then(|| pair.owed_since.unwrap_or(at));
            if ends_wanted(notifier) {
                pair.end_owed_since = end_owed.then(|| pair.end_owed_since.unwrap_or(at));
            }
            if pair.owed_since.is_some_and(|since| at - since > self.bounds.firing) {
                late.push(format!("{notifier} was not told that {who} fires"));
                pair.owed_since = None;
            }
            if end_owed && pair.end_owed_since.is_some_and(|since| at - since > self.bounds.end) {
                late.push(format!("{notifier} was not told that {who} is over"));
                pair.end_owed_since = None;
            }
        }
        late.into_iter().for_each(|text| self.offence(at, &text));
    }

    /// It was decided, and stored, to say this.
    pub fn decided(&mut self, at: i64, n: &Notification) {
        if !self.decided.insert(n.key.clone()) {
            self.offence(at, &format!("the key {} was decided twice", n.key));
        }
        let alerts: String = n.alerts.iter().map(|a| format!(" {:?} {}", a.status, a.labels)).collect();
        self.note(at, &format!("decided {} {:?} {}{alerts}", n.notifier, n.reason, n.key));
        let mut news = false;
        for alert in &n.alerts {
            let Some(who) = self.who(&alert.fingerprint) else { continue };
            let fires = alert.status == watchdog::base::message::Status::Firing;
            let (muted, truth) = self.facts.get(&who).map_or((false, false), |f| (f.muted, f.fires));
            if muted {
                self.offence(at, &format!("{} hears of {who}, which is muted: {:?}", n.notifier, n.reason));
            }
            if fires != truth && !(fires && self.bounds.flapping) {
                self.offence(at, &format!("{} hears that {who} fires: {fires}, which is wrong", n.notifier));
            }
            let pair = self.pairs.entry((who, n.notifier.clone())).or_default();
            news |= pair.told != fires || pair.doubts;
            let stranger = !fires && !pair.told;
            if fires {
                (pair.told, pair.doubts, pair.refused) = (true, false, false);
            } else {
                pair.told = false;
            }
            if stranger {
                self.offence(at, &format!("{} hears that {who} is over and was never told that it fires", n.notifier));
            }
        }
        let repeats = matches!(n.reason, Reason::RepeatDue | Reason::Escalated(_));
        let mentions = n.alerts.iter().any(|a| self.who(&a.fingerprint).is_some());
        if mentions && !news && !repeats && !self.bounds.flapping && !matches!(n.reason, Reason::Digest(_)) {
            self.offence(at, &format!("{} hears nothing new: {:?}", n.notifier, n.reason));
        }
        if mentions && n.firing().next().is_none() {
            self.pairs.iter_mut().filter(|((_, to), p)| *to == n.notifier && p.told).for_each(|(_, p)| p.doubts = true);
        }
    }

    /// It arrived.
    pub fn received(&mut self, at: i64, n: &Notification) {
        if !self.decided.contains(&n.key) {
            self.offence(at, &format!("{} was received and never decided", n.key));
        }
        if !self.received.insert(n.key.clone()) {
            self.duplicates += 1;
            if self.duplicates > self.excuses {
                self.offence(at, &format!("{} came once too often", n.key));
            }
            return;
        }
        for alert in &n.alerts {
            let Some(who) = self.who(&alert.fingerprint) else { continue };
            let pair = self.pairs.entry((who, n.notifier.clone())).or_default();
            let fires = alert.status == watchdog::base::message::Status::Firing;
            if !fires && !pair.believes && !pair.refused {
                let text = format!("{} received the end of {who} before its beginning", n.notifier);
                self.offences.push(format!("{}s: {text}", at as f64 / 1_000.0));
            }
            pair.believes = fires;
        }
    }

    /// It was refused for good.
    pub fn refused(&mut self, at: i64, n: &Notification) {
        self.note(at, &format!("refused {}", n.key));
        self.received.insert(n.key.clone());
        for alert in &n.alerts {
            let Some(who) = self.who(&alert.fingerprint) else { continue };
            let pair = self.pairs.entry((who, n.notifier.clone())).or_default();
            pair.refused = true;
            pair.believes &= alert.status == watchdog::base::message::Status::Firing;
        }
    }

    /// All that was decided has arrived or was refused, and everybody believes what is true.
    pub fn finish(&mut self, at: i64, ends_wanted: impl Fn(&str) -> bool) {
        let lost: Vec<String> = self.decided.difference(&self.received).cloned().collect();
        lost.into_iter().for_each(|key| self.offence(at, &format!("{key} never arrived")));
        let mut wrong = Vec::new();
        for ((who, notifier), pair) in &self.pairs {
            let Some(f) = self.facts.get(who) else { continue };
            let routed = f.routed.iter().any(|n| n == notifier);
            let differs = if f.fires { routed && !pair.believes } else { pair.believes && ends_wanted(notifier) };
            if differs && !f.muted && !pair.refused {
                wrong.push(format!(
                    "{notifier} believes of {who}: {}, of which the truth is {}",
                    pair.believes, f.fires
                ));
            }
        }
        wrong.into_iter().for_each(|text| self.offence(at, &text));
    }
}
