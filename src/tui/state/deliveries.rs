//! Notifications: what was sent to whom, how the receivers do, where alerts go.

use crate::tui::state::fetch::Fetch;
use crate::tui::state::filter::{Filter, Filtered, contains};
use crate::tui::state::list::settled;
use crate::wire::alerting::{Deliveries, DeliveryItem, NotifierRow, RouteMatch, RouteRow};
use crate::wire::board::DeliveryState;

/// Deliveries that are kept; older ones are asked for again.
const KEPT: usize = 2_000;

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// What was sent, newest first.
    #[default]
    Deliveries,
    /// Through what.
    Receivers,
    /// Where alerts go.
    Routes,
}

impl Tab {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Deliveries, Self::Receivers, Self::Routes];

    /// Its title.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Deliveries => "Deliveries",
            Self::Receivers => "Receivers",
            Self::Routes => "Routes",
        }
    }
}

/// The screen's own state.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotificationsView {
    /// What is listed.
    pub(crate) tab: Tab,
    /// Which deliveries.
    pub(crate) filter: Filter,
    /// Deliveries, newest first.
    pub(crate) items: Vec<DeliveryItem>,
    /// Where the next page begins; `None` at the end.
    pub(crate) next: Option<i64>,
    /// The newest page.
    pub(crate) newest: Fetch<(), ()>,
    /// An older page, by where it begins.
    pub(crate) older: Fetch<i64, ()>,
    /// The notifiers.
    pub(crate) notifiers: Fetch<(), Vec<NotifierRow>>,
    /// The tree of routes.
    pub(crate) routes: Fetch<(), Box<RouteRow>>,
    /// Labels that were tried, and the routes that take them.
    pub(crate) tried: Option<(String, Result<Vec<RouteMatch>, String>)>,
    /// The delivery, notifier or route under the cursor.
    pub(crate) selected: Option<String>,
    /// Its place.
    pub(crate) at: usize,
    /// First row on the screen.
    pub(crate) top: usize,
}

impl NotificationsView {
    /// The listed deliveries.
    pub(crate) fn listed(&self) -> Vec<&DeliveryItem> {
        self.items.iter().filter(|item| self.filter.matches(*item)).collect()
    }

    /// The notifiers, those in trouble first.
    pub(crate) fn rows(&self) -> Vec<&NotifierRow> {
        let mut rows: Vec<_> = self.notifiers.get(&()).into_iter().flatten().collect();
        rows.sort_by_key(|n| std::cmp::Reverse(n.health as u8));
        rows
    }

    /// The routes, each with its depth, in the order in which they are tried.
    pub(crate) fn tree(&self) -> Vec<(usize, &RouteRow)> {
        fn walk<'r>(out: &mut Vec<(usize, &'r RouteRow)>, depth: usize, route: &'r RouteRow) {
            out.push((depth, route));
            // As deep as a configuration can be; what a strange server sends must not exhaust the stack.
            if depth < 64 {
                for below in &route.routes {
                    walk(out, depth + 1, below);
                }
            }
        }
        let mut out = Vec::new();
        if let Some(root) = self.routes.get(&()) {
            walk(&mut out, 0, root);
        }
        out
    }

    fn keys(&self) -> Vec<String> {
        match self.tab {
            Tab::Deliveries => self.listed().into_iter().map(|d| d.id.to_string()).collect(),
            Tab::Receivers => self.rows().into_iter().map(|n| n.name.clone()).collect(),
            Tab::Routes => self.tree().into_iter().map(|(_, r)| r.id.clone()).collect(),
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match self.tab {
            Tab::Deliveries => self.listed().len(),
            Tab::Receivers => self.rows().len(),
            Tab::Routes => self.tree().len(),
        }
    }

    /// The delivery under the cursor.
    pub(crate) fn delivery(&self) -> Option<&DeliveryItem> {
        (self.tab == Tab::Deliveries).then(|| self.listed().get(self.at).copied()).flatten()
    }

    /// The notifier under the cursor.
    pub(crate) fn notifier(&self) -> Option<&NotifierRow> {
        (self.tab == Tab::Receivers).then(|| self.rows().get(self.at).copied()).flatten()
    }

    /// The route under the cursor.
    pub(crate) fn route(&self) -> Option<&RouteRow> {
        (self.tab == Tab::Routes).then(|| self.tree().get(self.at).map(|(_, route)| *route)).flatten()
    }

    /// Keeps the cursor on its thing, or where it was when that is gone.
    pub(crate) fn refresh(&mut self) {
        let keys = self.keys();
        let found = self.selected.as_ref().and_then(|key| keys.iter().position(|k| k == key));
        self.put(&keys, found.unwrap_or(self.at));
    }

    /// Puts the cursor on row `at`, or on the last one.
    pub(crate) fn select(&mut self, at: usize) {
        let keys = self.keys();
        self.put(&keys, at);
    }

    fn put(&mut self, keys: &[String], at: usize) {
        self.at = at.min(keys.len().saturating_sub(1));
        if let Some(key) = keys.get(self.at) {
            self.selected = Some(key.clone());
        }
    }

    /// Scrolls as little as needed to show the cursor.
    pub(crate) fn settle(&mut self, rows: usize) {
        self.top = settled(self.top, self.at, rows, self.len());
    }

    /// Whether the cursor is so near the end that the next page is wanted.
    pub(crate) fn wants_more(&self) -> Option<i64> {
        let near = self.tab == Tab::Deliveries && self.at + 20 >= self.listed().len();
        self.next.filter(|_| near && self.items.len() < KEPT)
    }

    /// Takes in a page: the newest when `before` is `None`.
    pub(crate) fn take(&mut self, before: Option<i64>, page: Deliveries) {
        let first = self.items.is_empty();
        let oldest = page.deliveries.last().map(|d| d.id);
        // A gap between the pages would look as if nothing had been sent in it.
        let joins = oldest.is_none_or(|id| self.items.first().is_none_or(|newest| newest.id >= id));
        match before {
            None if !joins => (self.items, self.next) = (page.deliveries, page.next),
            None => {
                let seen: std::collections::BTreeSet<i64> = page.deliveries.iter().map(|d| d.id).collect();
                let rest = std::mem::take(&mut self.items);
                self.items = page.deliveries;
                self.items.extend(rest.into_iter().filter(|d| !seen.contains(&d.id)));
                if first {
                    self.next = page.next;
                }
            }
            Some(before) if self.next == Some(before) => {
                let last = self.items.last().map_or(i64::MAX, |d| d.id);
                self.items.extend(page.deliveries.into_iter().filter(|d| d.id < last));
                self.next = page.next;
            }
            Some(_) => {}
        }
        if self.items.len() > KEPT {
            self.items.truncate(KEPT);
            self.next = self.items.last().map(|d| d.id);
        }
        self.refresh();
    }
}

impl Filtered for DeliveryItem {
    fn mentions(&self, needle: &str) -> bool {
        contains(&self.subject, needle)
            || contains(&self.receiver, needle)
            || contains(&self.notifier, needle)
            || self.attempts.iter().any(|a| a.detail.as_ref().is_some_and(|d| contains(d, needle)))
    }

    fn is_state(&self, start: &str) -> bool {
        let words: &[&str] = match self.state {
            DeliveryState::Owed => &["owed", "retrying"],
            DeliveryState::Delivered => &["delivered", "sent"],
            DeliveryState::Dead => &["dead", "failed"],
        };
        words.iter().any(|word| word.starts_with(start)) || self.status.as_str().starts_with(start)
    }

    fn kind(&self) -> &str {
        &self.notifier
    }

    fn label(&self, name: &str) -> Option<&str> {
        match name {
            "receiver" => Some(&self.receiver),
            "notifier" => Some(&self.notifier),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn pages_join_without_doubles_and_without_gaps() {
        let all = fixture::deliveries();
        let page = |ids: std::ops::Range<i64>, next| Deliveries {
            deliveries: ids.rev().map(|id| DeliveryItem { id, ..all[0].clone() }).collect(),
            next,
        };
        let ids = |v: &NotificationsView| v.items.iter().map(|d| d.id).collect::<Vec<_>>();
        let mut view = NotificationsView::default();
        view.take(None, page(5..8, Some(5)));
        view.take(Some(5), page(3..5, None));
        assert_eq!(ids(&view), [7, 6, 5, 4, 3]);
        view.take(None, page(6..10, Some(6)));
        assert_eq!((ids(&view), view.next), (vec![9, 8, 7, 6, 5, 4, 3], None));
        view.take(Some(5), page(1..3, None));
        assert_eq!(view.items.len(), 7, "an answer to a question that no longer stands");
        view.take(None, page(20..23, Some(20)));
        assert_eq!((ids(&view), view.next), (vec![22, 21, 20], Some(20)), "what lies between is not known");
    }
}
