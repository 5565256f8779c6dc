//! What keeps an alert from being told: dependencies, inhibition, time, maintenance, silences.

use std::collections::HashSet;
use std::time::Duration;

use crate::alert::dispatch::Dispatcher;
use crate::alert::dispatch::event::{Decision, Effects, Hold, MuteKind, MutedBy, Origin, Outcome};
use crate::alert::dispatch::state::Alert;
use crate::alert::dispatch::timers::Timer;
use crate::alert::maintenance::Occurrence;
use crate::alert::route::Route;
use crate::alert::rule::Fingerprint;
use crate::alert::silence::{Silence, SilenceState};
use crate::base::time::Timestamp;

/// With more alerts than this the board's mutes are brought up to date once a second, not at once.
const AT_ONCE: usize = 100;

/// The maintenance windows that are open now, looked up once per change instead of once per alert.
#[derive(Debug, Default)]
pub(super) struct Windows {
    maintenance: Vec<Option<Occurrence>>,
}

/// Who, and what they said, if anything.
pub(super) fn said_by(who: &str, comment: &str) -> String {
    if comment.is_empty() { who.to_owned() } else { format!("{who}: {comment}") }
}

fn by_silence(silence: &Silence) -> MutedBy {
    MutedBy {
        kind: MuteKind::Silence,
        id: silence.id.clone(),
        detail: said_by(&silence.created_by, &silence.comment),
        until: Some(silence.ends_at),
        source: silence.source.clone(),
    }
}

impl Dispatcher {
    /// What mutes an alert now, on its way through any of its routes; `None` when nothing does.
    pub fn muted(&self, fingerprint: Fingerprint) -> Option<MutedBy> {
        self.mute_of(self.alerts.get(&fingerprint)?)
    }

    pub(super) fn mute_of(&self, alert: &Alert) -> Option<MutedBy> {
        let before_time = self.cause_elsewhere(alert);
        before_time.or_else(|| self.all_routes_muted(alert)).or_else(|| self.wanted_quiet(alert))
    }

    /// What mutes an alert in a group; `by_time` is what the group's route says of now.
    pub(super) fn mute_in(&self, alert: &Alert, by_time: Option<&MutedBy>) -> Option<MutedBy> {
        self.cause_elsewhere(alert).or_else(|| by_time.cloned()).or_else(|| self.wanted_quiet(alert))
    }

    /// What mutes an alert on its way to one notifier: of the routes only those that lead there count, if any does.
    pub(super) fn mute_to(&self, alert: &Alert, notifier: &str) -> Option<MutedBy> {
        let groups = || alert.groups.iter().filter_map(|id| self.groups.get(id));
        let mut to = groups().filter(|g| self.is_of_route(g, notifier)).map(|g| self.route_mute(&g.route)).peekable();
        if to.peek().is_none() {
            return self.mute_of(alert);
        }
        let by_time = to.collect::<Option<Vec<MutedBy>>>().and_then(|all| all.into_iter().next());
        self.mute_in(alert, by_time.as_ref())
    }

    /// A dependency or an inhibiting alert.
    pub(super) fn cause_elsewhere(&self, alert: &Alert) -> Option<MutedBy> {
        self.dependency(alert).or_else(|| self.inhibition(alert))
    }

    /// Maintenance or a silence.
    pub(super) fn wanted_quiet(&self, alert: &Alert) -> Option<MutedBy> {
        self.maintenance(alert).or_else(|| self.silencing(alert))
    }

    pub(super) fn dependency(&self, alert: &Alert) -> Option<MutedBy> {
        let by = self.broken_dependency(self.dependent(alert)?)?;
        let detail = format!("{by} is down");
        Some(MutedBy { kind: MuteKind::Dependency, id: by.to_owned(), detail, until: None, source: None })
    }

    /// The monitor whose dependencies are the alert's.
    pub(super) fn dependent<'a>(&self, alert: &'a Alert) -> Option<&'a str> {
        alert.monitor().filter(|m| alert.origin != Origin::Own && self.setup.depends_on.contains_key(*m))
    }

    /// The nearest monitor, going up, that is broken.
    fn broken_dependency(&self, monitor: &str) -> Option<&str> {
        let above = &self.setup.depends_on;
        let mut seen = HashSet::from([monitor]);
        let mut open: std::collections::VecDeque<&str> = above.get(monitor)?.iter().map(String::as_str).collect();
        while let Some(next) = open.pop_front() {
            if !seen.insert(next) {
                continue;
            }
            if self.down.contains(next) || self.broken.contains_key(next) {
                return Some(next);
            }
            open.extend(above.get(next).into_iter().flatten().map(String::as_str));
        }
        None
    }

    pub(super) fn inhibition(&self, alert: &Alert) -> Option<MutedBy> {
        let found = self.inhibitor.inhibits(&alert.labels)?;
        let detail = self.alerts.get(&found.by).map(|a| a.labels.to_string()).unwrap_or_default();
        let source = self.inhibitor.rules().nth(found.rule).map(|r| r.place.clone());
        Some(MutedBy { kind: MuteKind::Inhibition, id: found.by.to_string(), detail, until: None, source })
    }

    /// What a route's time intervals say of now.
    pub(super) fn route_mute(&self, route: &Route) -> Option<MutedBy> {
        let (name, mutes) = self.setup.policy.muted_by_time(route, self.now)?;
        let detail = if mutes { "the route is muted then" } else { "the route is active only then" };
        let window = self.setup.policy.windows.get(name);
        let until = window.and_then(|w| w.next_change(self.now));
        let source = Some(route.source.clone());
        Some(MutedBy { kind: MuteKind::Time, id: name.to_owned(), detail: detail.to_owned(), until, source })
    }

    fn all_routes_muted(&self, alert: &Alert) -> Option<MutedBy> {
        let mut first = None;
        for id in &alert.groups {
            let by = self.route_mute(&self.groups.get(id)?.route)?;
            first.get_or_insert(by);
        }
        first
    }

    pub(super) fn maintenance(&self, alert: &Alert) -> Option<MutedBy> {
        let all = self.setup.policy.maintenance.iter().zip(&self.windows.maintenance);
        let (window, on) = all.filter_map(|(w, on)| Some((w, (*on)?))).find(|(w, _)| w.covers(&alert.labels))?;
        Some(MutedBy {
            kind: MuteKind::Maintenance,
            id: window.name.clone(),
            detail: window.comment.clone(),
            until: Some(on.ends_at),
            source: Some(window.source.clone()),
        })
    }

    /// Of several silences the one that ends last.
    pub(super) fn silencing(&self, alert: &Alert) -> Option<MutedBy> {
        let of_alert = alert.silences.iter().filter_map(|id| self.silences.get(id)).map(|s| &s.silence);
        let active = of_alert.filter(|s| s.state(self.now) == SilenceState::Active);
        active.max_by_key(|s| s.ends_at).map(by_silence)
    }

    /// Everything that mutes an alert now, where [`Dispatcher::muted`] names one thing.
    pub fn mutes(&self, alert: &Alert) -> Vec<MutedBy> {
        let causes = [self.dependency(alert), self.inhibition(alert), self.all_routes_muted(alert)];
        let of_alert = alert.silences.iter().filter_map(|id| self.silences.get(id)).map(|s| &s.silence);
        let silences = of_alert.filter(|s| s.state(self.now) == SilenceState::Active).map(by_silence);
        causes.into_iter().chain([self.maintenance(alert)]).flatten().chain(silences).collect()
    }

    /// A time interval or maintenance window began or ended, or may have.
    pub(super) fn windows_changed(&mut self) {
        let (policy, now) = (&self.setup.policy, self.now);
        self.windows.maintenance = policy.maintenance.iter().map(|w| w.active(now)).collect();
        let of_time = policy.windows.values().filter_map(|w| w.next_change(now));
        let next: Option<Timestamp> = of_time.chain(policy.maintenance.iter().filter_map(|w| w.next_change(now))).min();
        self.timers.put(Timer::Windows, next);
        self.refresh_soon();
    }

    /// Something that may mute alerts changed.
    pub(super) fn refresh_soon(&mut self) {
        if self.timers.at(&Timer::Mutes).is_none() {
            let wait = if self.alerts.len() > AT_ONCE { Duration::from_secs(1) } else { Duration::ZERO };
            self.timers.set(Timer::Mutes, self.now.plus(wait));
        }
    }

    /// Brings what the board shows of mutes up to date.
    pub(super) fn refresh_mutes(&mut self, fx: &mut Effects) {
        let mut differ = Vec::new();
        for alert in self.alerts.values() {
            let now = if alert.fires() || !alert.told.is_empty() { self.mute_of(alert) } else { None };
            let same = |a: &MutedBy, b: &MutedBy| (a.kind, &a.id, a.until) == (b.kind, &b.id, b.until);
            let unchanged = match (&alert.muted, &now) {
                (None, None) => true,
                (Some(a), Some(b)) => same(a, b),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if !unchanged {
                differ.push((alert.fingerprint, now));
            }
        }
        for (fingerprint, now) in differ {
            let Some(alert) = self.alerts.get_mut(&fingerprint) else { continue };
            if let (Some(by), true) = (&now, alert.fires()) {
                let held = Outcome::Held(Hold::Muted(by.clone()));
                fx.history.push(Decision::new(self.now, &[fingerprint], held));
            }
            alert.muted = now;
            self.changed.touched.insert(fingerprint);
        }
    }
}
