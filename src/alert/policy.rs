//! Everything that says who is told of an alert, and when not: checked, without names that lead nowhere.

use std::collections::BTreeMap;

use crate::alert::escalate::Escalation;
use crate::alert::flap::FlapPolicy;
use crate::alert::inhibit::InhibitRule;
use crate::alert::maintenance::MaintenanceWindow;
use crate::alert::oncall::Rota;
use crate::alert::route::{EVERY_NOTIFIER, Route};
use crate::alert::silence::Silence;
use crate::alert::window::TimeWindow;
use crate::base::time::Timestamp;

/// The policy. Every name in it is that of something in it.
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
    /// When an alert counts as flapping.
    pub flap: FlapPolicy,
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

    /// Makes each notifier a receiver of its own name, unless a receiver has that name.
    pub fn add_notifiers<'n>(&mut self, notifiers: impl IntoIterator<Item = &'n str>) {
        let every: Vec<String> = notifiers.into_iter().map(str::to_owned).collect();
        for name in &every {
            self.receivers.entry(name.clone()).or_insert_with(|| vec![name.clone()]);
        }
        self.receivers.insert(EVERY_NOTIFIER.to_owned(), every);
    }

    /// The notifiers of a receiver, in the order written; none for a name that is not there.
    pub fn notifiers(&self, receiver: &str) -> &[String] {
        self.receivers.get(receiver).map_or(&[], Vec::as_slice)
    }

    /// The notifiers that whoever is on call by this rota at that moment hears through.
    pub fn on_call(&self, rota: &str, at: Timestamp) -> &[String] {
        self.oncall.get(rota).map_or(&[], |rota| self.notifiers(rota.on_call(at)))
    }

    /// What keeps a route from telling anything at that moment: the name of the window and whether it is one that
    /// mutes (or one outside which nothing is told), as Alertmanager decides.
    pub fn muted_by_time<'a>(&'a self, route: &'a Route, at: Timestamp) -> Option<(&'a str, bool)> {
        let open = |name: &&String| self.windows.get(*name).is_some_and(|w| w.contains(at));
        if let Some(name) = route.mute.iter().find(open) {
            return Some((name, true));
        }
        let first = route.active.first()?;
        if route.active.iter().any(|name| open(&name)) { None } else { Some((first, false)) }
    }
}
