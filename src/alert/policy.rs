//! Everything that says who is told of an alert, and when not: checked, without names that lead nowhere.

use std::collections::BTreeMap;

use crate::alert::escalate::Escalation;
use crate::alert::inhibit::InhibitRule;
use crate::alert::maintenance::MaintenanceWindow;
use crate::alert::oncall::Rota;
use crate::alert::route::{EVERY_NOTIFIER, Route};
use crate::alert::silence::Silence;
use crate::alert::window::TimeWindow;
use crate::base::time::Timestamp;

/// The policy. A name in it is that of something in it, unless that had a mistake on the very first load.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The root of the tree.
    pub route: Route,
    /// Notifiers by receiver. Holds each notifier as a receiver of its own name, and
    /// [`EVERY_NOTIFIER`].
    pub receivers: BTreeMap<String, Vec<String>>,
    /// Inhibition rules in order.
    pub inhibit: Vec<InhibitRule>,
    /// Time windows by name.
    pub windows: BTreeMap<String, TimeWindow>,
    /// Maintenance windows in order.
    pub maintenance: Vec<MaintenanceWindow>,
    /// Escalation policies by name.
    pub escalations: BTreeMap<String, Escalation>,
    /// Rotas by name.
    pub oncall: BTreeMap<String, Rota>,
    /// Silences that files say.
    pub silences: Vec<Silence>,
    /// Equal for equal definitions: what reload compares.
    pub hash: u64,
}

impl Policy {
    /// Everything to these notifiers: what holds where no file says otherwise.
    pub fn of_notifiers<'n>(notifiers: impl IntoIterator<Item = &'n str>) -> Self {
        let mut policy = Self::default();
        policy.add_notifiers(notifiers);
        policy
    }

    /// Makes each notifier a receiver of its own name, unless a receiver has that name, and takes out of receivers
    /// what is none of these.
    pub fn add_notifiers<'n>(&mut self, notifiers: impl IntoIterator<Item = &'n str>) {
        let every: Vec<String> = notifiers.into_iter().map(str::to_owned).collect();
        self.receivers.values_mut().for_each(|names| names.retain(|name| every.contains(name)));
        self.receivers.retain(|_, names| !names.is_empty());
        for name in &every {
            self.receivers.entry(name.clone()).or_insert_with(|| vec![name.clone()]);
        }
        self.receivers.insert(EVERY_NOTIFIER.to_owned(), every);
    }

    /// The notifiers of a receiver, in the order written. One that does not stand is every notifier: rather told once
    /// too often than never.
    pub fn notifiers(&self, receiver: &str) -> &[String] {
        let found = self.receivers.get(receiver).or_else(|| self.receivers.get(EVERY_NOTIFIER));
        found.map_or(&[], Vec::as_slice)
    }

    /// The notifiers that whoever is on call by this rota at that moment hears through.
    pub fn on_call(&self, rota: &str, at: Timestamp) -> &[String] {
        self.oncall.get(rota).map_or(&[], |rota| self.notifiers(rota.on_call(at)))
    }

    /// What keeps a route from telling anything at that moment: the name of the window and whether it is one that
    /// mutes (or one outside which nothing is told), as Alertmanager decides.
    pub fn muted_by_time<'a>(&'a self, route: &'a Route, at: Timestamp) -> Option<(&'a str, bool)> {
        // A window that does not stand mutes nothing.
        let mutes = |name: &&String| self.windows.get(*name).is_some_and(|w| w.contains(at));
        if let Some(name) = route.mute.iter().find(mutes) {
            return Some((name, true));
        }
        let first = route.active.first()?;
        let open = |name: &String| self.windows.get(name).is_none_or(|w| w.contains(at));
        if route.active.iter().any(open) { None } else { Some((first, false)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stand_keeps_nobody_from_hearing() {
        let mut policy = Policy::default();
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<String>>();
        policy.receivers.insert("team".to_owned(), list(&["broken", "ops"]));
        policy.receivers.insert("others".to_owned(), list(&["broken"]));
        policy.add_notifiers(["ops", "hook"]);
        assert_eq!(policy.notifiers("team"), ["ops"]);
        assert_eq!(policy.notifiers("hook"), ["hook"]);
        for receiver in ["others", "broken", EVERY_NOTIFIER] {
            assert_eq!(policy.notifiers(receiver), ["ops", "hook"], "{receiver}");
        }
        let route = Route { mute: list(&["gone"]), active: list(&["gone"]), ..Route::default() };
        assert_eq!(policy.muted_by_time(&route, Timestamp::EPOCH), None);
        assert!(Policy::default().notifiers("ops").is_empty());
    }

    #[test]
    fn a_route_is_told_within_its_active_windows_and_outside_its_mute_ones() {
        let mut policy = Policy::default();
        policy.windows.insert("never".to_owned(), TimeWindow::default());
        let always =
            TimeWindow { intervals: vec![crate::alert::window::TimeInterval::default()], ..TimeWindow::default() };
        policy.windows.insert("always".to_owned(), always);
        let muted = |mute: &[&str], active: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            let route = Route { mute: list(mute), active: list(active), ..Route::default() };
            policy.muted_by_time(&route, Timestamp::EPOCH).map(|(name, mutes)| (name.to_owned(), mutes))
        };
        assert_eq!(muted(&[], &[]), None);
        assert_eq!(muted(&["never"], &["never", "always"]), None);
        assert_eq!(muted(&["never", "always"], &["always"]), Some(("always".to_owned(), true)));
        assert_eq!(muted(&[], &["never"]), Some(("never".to_owned(), false)));
    }
}
