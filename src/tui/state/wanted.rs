//! What has to be asked for so that the screen is whole and current, and when to look again.

use std::sync::Arc;
use std::time::Duration;

use crate::tui::action::{Effect, Request};
use crate::tui::state::fetch::{Due, Fetch};
use crate::tui::state::form::Wish;
use crate::tui::state::{Screen, State, deliveries, silences};

/// Not more than one request for the same monitor's detail in this time.
const DETAIL_EVERY: Duration = Duration::from_secs(1);
/// Pause between requests while the cursor runs through a list.
const DETAIL_SETTLE: Duration = Duration::from_millis(100);
/// Pause before a failed request is repeated.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Requests to make, and the time before which the others are not due.
#[derive(Default)]
struct Wishes {
    requests: Vec<Request>,
    due: Option<Duration>,
}

impl Wishes {
    fn at(&mut self, at: Duration) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn fetch<K: Clone + PartialEq, T>(
        &mut self,
        fetch: &mut Fetch<K, T>,
        key: &K,
        (stamp, now): (u64, Duration),
        request: impl FnOnce() -> Request,
    ) {
        match fetch.due(key, stamp, now) {
            Due::Now => self.requests.push(request()),
            Due::At(at) => self.at(at),
            Due::Asked => {}
        }
    }
}

impl State {
    /// What has to be asked for so that the screen is whole and current.
    pub(crate) fn wanted(&mut self) -> Vec<Effect> {
        self.due = None;
        let mut effects = Vec::new();
        if !self.is_fresh() {
            return effects;
        }
        effects.extend(self.wanted_detail().map(Effect::Ask));
        effects.extend(self.wanted_config().map(Effect::Ask));
        if self.screen == Screen::Explore && self.open.is_none() && self.why.is_none() {
            let now = self.server_now();
            effects.extend(self.explore.wanted(now, self.now.steady));
            effects.extend(self.explore.wanted_names(self.now.steady).map(Effect::Ask));
            effects.extend(self.explore.catalog.request(self.now.steady).map(Effect::Ask));
        }
        effects.extend(self.wanted_alerting().into_iter().map(Effect::Ask));
        effects
    }

    fn wanted_detail(&mut self) -> Option<Request> {
        let name = self.detailed()?;
        let row = self.row(&name)?.clone();
        let view = &mut self.detail;
        if view.asked.is_some() {
            return None;
        }
        let other = view.data.as_ref().is_none_or(|d| d.row.name != name);
        let newer = view.row.as_ref().is_none_or(|r| !Arc::ptr_eq(r, &row));
        let pause = match (other, newer) {
            _ if view.error.is_some() => RETRY_AFTER,
            (true, _) => DETAIL_SETTLE,
            (false, true) => DETAIL_EVERY,
            (false, false) => return None,
        };
        if view.asked_at.is_some_and(|at| self.now.steady.saturating_sub(at) < pause) {
            return None;
        }
        (view.asked, view.asked_at, view.row) = (Some(name.clone()), Some(self.now.steady), Some(row));
        Some(Request::Detail(name))
    }

    fn wanted_config(&mut self) -> Option<Request> {
        let engine = &self.board.as_ref()?.engine;
        let stamp = Some((engine.config_loaded, engine.problems));
        let view = &mut self.config;
        if self.screen != Screen::Config || view.asked {
            return None;
        }
        let again =
            view.error.is_some() && view.asked_at.is_none_or(|at| self.now.steady.saturating_sub(at) >= RETRY_AFTER);
        if view.seen == stamp && !again {
            return None;
        }
        (view.asked, view.asked_at, view.seen) = (true, Some(self.now.steady), stamp);
        Some(Request::Config)
    }

    /// Whether all about the selected alert is on the screen.
    fn shows_alert(&self) -> bool {
        let pane = !self.alerts.bare && (self.is_wide() || self.size.1 >= 20);
        self.screen == Screen::Alerts && self.open.is_none() && (self.alerts.open || (pane && self.alerts.len > 0))
    }

    fn wanted_alerting(&mut self) -> Vec<Request> {
        let mut wishes = Wishes::default();
        let when = (self.news, self.now.steady);
        if self.board.is_none() {
            return wishes.requests;
        }
        let server_now = self.server_now();
        if let Some(form) = &mut self.form {
            match form.wish(server_now, when.1, when.0) {
                Wish::Ask(id, silence) => wishes.requests.push(Request::Preview { id, silence }),
                Wish::At(at) => wishes.at(at),
                Wish::Nothing => {}
            }
        }
        if let Some(why) = &mut self.why {
            let question = why.question.clone();
            wishes.fetch(&mut why.answer, &question.about.clone(), when, || Request::Why(question));
        } else if self.open.is_none() {
            match self.screen {
                Screen::Alerts if self.shows_alert() => {
                    if let Some(fingerprint) = self.alerts.selected.clone().filter(|f| self.alert(f).is_some()) {
                        wishes
                            .fetch(&mut self.alerts.detail, &fingerprint, when, || Request::Alert(fingerprint.clone()));
                    }
                }
                Screen::Silences => {
                    let view = &mut self.silences;
                    wishes.fetch(&mut view.silences, &(), when, || Request::Silences);
                    if view.tab == silences::Tab::Maintenance || view.maintenance.get(&()).is_none() {
                        wishes.fetch(&mut view.maintenance, &(), when, || Request::Maintenance);
                    }
                }
                Screen::Notifications => {
                    let view = &mut self.notifications;
                    wishes.fetch(&mut view.notifiers, &(), when, || Request::Notifiers);
                    match view.tab {
                        deliveries::Tab::Deliveries => {
                            wishes.fetch(&mut view.newest, &(), when, || Request::Deliveries(None));
                            if let Some(before) = view.wants_more() {
                                wishes.fetch(&mut view.older, &before, when, || Request::Deliveries(Some(before)));
                            }
                        }
                        deliveries::Tab::Routes => wishes.fetch(&mut view.routes, &(), when, || Request::Routes),
                        deliveries::Tab::Receivers => {}
                    }
                }
                Screen::Overview | Screen::Alerts | Screen::Monitors | Screen::Explore | Screen::Config => {}
            }
        }
        self.due = wishes.due;
        wishes.requests
    }

    /// Forgets what was asked before a reconnection, so that it is asked again.
    pub(crate) fn forget_requests(&mut self) {
        self.detail.row = None;
        self.config.seen = None;
        self.news += 1;
    }

    /// What a change may have altered is asked for again at once.
    pub(crate) fn renew_lists(&mut self) {
        match self.screen {
            Screen::Silences => self.silences.silences.renew(),
            Screen::Notifications => {
                self.notifications.newest.renew();
                self.notifications.notifiers.renew();
            }
            _ => {}
        }
    }

    /// Gives up every request about alerting: which one is lost is not known.
    pub(crate) fn renew_alerting(&mut self) {
        self.alerts.detail.renew();
        self.silences.silences.renew();
        self.silences.maintenance.renew();
        self.notifications.newest.renew();
        self.notifications.older.renew();
        self.notifications.notifiers.renew();
        self.notifications.routes.renew();
        if let Some(why) = &mut self.why {
            why.answer.renew();
        }
    }

    /// When to look at the clock again, on the steady clock, at the latest.
    pub(crate) fn wake(&self) -> Duration {
        let second = Duration::from_secs(self.now.steady.as_secs() + 1);
        let settle = self.detail.asked_at.map(|at| at + DETAIL_SETTLE);
        let soonest = [settle, self.due].into_iter().flatten().filter(|at| *at > self.now.steady).min();
        soonest.map_or(second, |at| at.min(second))
    }
}
