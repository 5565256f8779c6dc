//! The tree that says who hears of an alert: Alertmanager's, with inherited values filled in.

use std::time::Duration;

use crate::alert::impaired;
use crate::alert::matchers::Matchers;
use crate::base::labels::Labels;

/// Name of the alert that a drill raises.
pub const DRILL: &str = "Drill";
/// The label that tells one drill from another.
pub const DRILL_ID: &str = "drill";
/// The receiver of a tree that names none: every notifier. Nothing else may have this name.
pub const EVERY_NOTIFIER: &str = "every notifier";

/// One node of the tree. An alert that matches a node and none of its children belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Alertmanager's `Route.ID()`: unique in the tree, the same while the tree above it stays as it is:
    /// `{}/{severity="critical"}/0`.
    pub id: String,
    /// Alertmanager's `Route.Key()`, the first part of group keys. Not unique.
    pub key: String,
    /// The receiver's name.
    pub receiver: String,
    /// Which of the parent's alerts come here.
    pub matchers: Matchers,
    /// What makes a group.
    pub group_by: GroupBy,
    /// How long a new group waits for more alerts.
    pub group_wait: Duration,
    /// How long a group waits before it tells of changes.
    pub group_interval: Duration,
    /// After how long an unchanged group is told again.
    pub repeat_interval: Duration,
    /// Time windows in which nothing is told. Not inherited.
    pub mute: Vec<String>,
    /// Time windows outside which nothing is told; empty: always. Not inherited.
    pub active: Vec<String>,
    /// Whether an alert that matches goes on to the next sibling.
    pub continues: bool,
    /// The escalation policy's name.
    pub escalation: Option<String>,
    /// Children, in order.
    pub routes: Vec<Self>,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// What makes a group of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// `['...']`: all labels, so every alert is a group.
    All,
    /// These labels, sorted; none: one group of all.
    Labels(Vec<String>),
}

/// A node as written: what is absent comes from the parent.
#[derive(Clone, Debug, Default)]
pub struct RouteSpec {
    /// `receiver:`
    pub receiver: Option<String>,
    /// `matchers:`
    pub matchers: Matchers,
    /// `group_by:`
    pub group_by: Option<GroupBy>,
    /// `group_wait:`
    pub group_wait: Option<Duration>,
    /// `group_interval:`
    pub group_interval: Option<Duration>,
    /// `repeat_interval:`
    pub repeat_interval: Option<Duration>,
    /// `mute_time_intervals:`
    pub mute: Vec<String>,
    /// `active_time_intervals:`
    pub active: Vec<String>,
    /// `continue:`
    pub continues: bool,
    /// `escalation:`; `Some(None)` for none where the parent has one.
    pub escalation: Option<Option<String>>,
    /// `routes:`
    pub routes: Vec<Self>,
    /// Where it stands.
    pub source: String,
}

impl Default for Route {
    /// Everything to every notifier. A page leaves within two seconds of the decision, so a new group waits one;
    /// Alertmanager's 30 s are for those who write them.
    fn default() -> Self {
        Self {
            id: "{}".to_owned(),
            key: "{}".to_owned(),
            receiver: EVERY_NOTIFIER.to_owned(),
            matchers: Matchers::default(),
            group_by: GroupBy::labels(["alertname", "monitor"]),
            group_wait: Duration::from_secs(1),
            group_interval: Duration::from_secs(5 * 60),
            repeat_interval: Duration::from_secs(4 * 3_600),
            mute: Vec::new(),
            active: Vec::new(),
            continues: false,
            escalation: None,
            routes: Vec::new(),
            source: String::new(),
        }
    }
}

impl GroupBy {
    /// These labels.
    pub fn labels<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self::Labels(names)
    }
}

impl RouteSpec {
    /// The tree below this root.
    pub fn build(self) -> Route {
        let defaults = Route::default();
        let (id, key) = (self.matchers.to_string(), self.matchers.to_string());
        self.under(&defaults, id, key)
    }

    fn under(self, parent: &Route, id: String, key: String) -> Route {
        let mut route = Route {
            id,
            key,
            receiver: self.receiver.unwrap_or_else(|| parent.receiver.clone()),
            matchers: self.matchers,
            group_by: self.group_by.unwrap_or_else(|| parent.group_by.clone()),
            group_wait: self.group_wait.unwrap_or(parent.group_wait),
            group_interval: self.group_interval.unwrap_or(parent.group_interval),
            repeat_interval: self.repeat_interval.unwrap_or(parent.repeat_interval),
            mute: self.mute,
            active: self.active,
            continues: self.continues,
            escalation: self.escalation.unwrap_or_else(|| parent.escalation.clone()),
            routes: Vec::new(),
            source: self.source,
        };
        let children = self.routes.into_iter().enumerate().map(|(i, child)| {
            let id = format!("{}/{}/{i}", route.id, child.matchers);
            let key = format!("{}/{}", route.key, child.matchers);
            child.under(&route, id, key)
        });
        route.routes = children.collect();
        route
    }
}

impl Route {
    /// The nodes that an alert with these labels belongs to: of each branch the deepest that matches. Siblings
    /// after a match are asked only where it says `continue`. Empty when the root does not match.
    pub fn matching<'a>(&'a self, labels: &Labels) -> Vec<&'a Self> {
        let mut found = Vec::new();
        self.collect(labels, &mut found);
        found
    }

    fn collect<'a>(&'a self, labels: &Labels, found: &mut Vec<&'a Self>) -> bool {
        if !self.matchers.matches(labels) {
            return false;
        }
        let before = found.len();
        for child in &self.routes {
            if child.collect(labels, found) && !child.continues {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
        true
    }

    /// The labels that tell the alert's group from others of this node. Each drill has its own: it must not wait
    /// until the group of the one before may be told again. So has each reason for which we are impaired, where alerts
    /// of different names are told apart: one that stands for weeks must not delay another.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let named = |name: &str| names.iter().any(|n| n == name);
                let own = match labels.get("alertname") {
                    Some(DRILL) => Some(DRILL_ID),
                    Some(impaired::SELF_IMPAIRED) if named("alertname") => Some(impaired::CLASS),
                    Some(_) | None => None,
                };
                labels.filtered(|name| named(name) || own == Some(name))
            }
        }
    }

    /// Alertmanager's group key of an alert with these labels: `{}/{team="web"}:{alertname="X"}`.
    pub fn group_key(&self, labels: &Labels) -> String {
        format!("{}:{}", self.key, self.group_labels(labels))
    }

    /// This node and all below it, parents first, siblings in order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let route = open.pop()?;
            open.extend(route.routes.iter().rev());
            Some(route)
        })
    }

    /// The node with this id.
    pub fn find(&self, id: &str) -> Option<&Self> {
        self.walk().find(|route| route.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(matchers: &str, receiver: &str, routes: Vec<RouteSpec>) -> RouteSpec {
        let receiver = Some(receiver).filter(|r| !r.is_empty()).map(str::to_owned);
        RouteSpec { matchers: Matchers::parse(matchers).unwrap(), receiver, routes, ..RouteSpec::default() }
    }

    fn on(spec: RouteSpec) -> RouteSpec {
        RouteSpec { continues: true, ..spec }
    }

    fn labels(text: &str) -> Labels {
        Labels::new(text.split(' ').filter_map(|pair| pair.split_once('=')))
    }

    fn tree() -> Route {
        let a = spec(
            "{owner=\"team-A\"}",
            "notify-A",
            vec![
                spec("{env=\"testing\"}", "notify-testing", vec![]),
                on(spec("env=\"production\"", "notify-productionA", vec![])),
                spec("env=~\"produ.*\",job=~\".*\"", "notify-productionB", vec![]),
            ],
        );
        let b = spec("owner=~\"team-(B|C)\"", "notify-BC", vec![]);
        RouteSpec { group_wait: Some(Duration::from_secs(30)), ..spec("", "notify-def", vec![a, b]) }.build()
    }

    #[test]
    fn the_deepest_match_of_each_branch_gets_the_alert() {
        let tree = tree();
        #[track_caller]
        fn check(tree: &Route, text: &str, receivers: &[&str]) {
            let found: Vec<&str> = tree.matching(&labels(text)).iter().map(|r| r.receiver.as_str()).collect();
            assert_eq!(found, receivers, "{text}");
        }
        check(&tree, "owner=team-A", &["notify-A"]);
        check(&tree, "owner=team-A env=unset", &["notify-A"]);
        check(&tree, "owner=team-C", &["notify-BC"]);
        check(&tree, "owner=team-A env=testing", &["notify-testing"]);
        check(&tree, "owner=team-A env=production", &["notify-productionA", "notify-productionB"]);
        check(&tree, "owner=team-A env=produce", &["notify-productionB"]);
        check(&tree, "", &["notify-def"]);
        check(&tree, "owner=team-D", &["notify-def"]);
    }

    #[test]
    fn what_a_child_does_not_say_comes_from_its_parent() {
        let mut root = spec("", "r", vec![spec("a=\"b\"", "", vec![spec("c=\"d\"", "", vec![])])]);
        root.repeat_interval = Some(Duration::from_secs(7));
        root.mute = vec!["nights".to_owned()];
        root.escalation = Some(Some("slow".to_owned()));
        root.routes[0].group_by = Some(GroupBy::All);
        root.routes[0].routes[0].escalation = Some(None);
        let root = root.build();
        let leaf = root.matching(&labels("a=b c=d"))[0];
        assert_eq!(leaf.id, "{}/{a=\"b\"}/0/{c=\"d\"}/0");
        assert_eq!(leaf.key, "{}/{a=\"b\"}/{c=\"d\"}");
        assert_eq!((leaf.receiver.as_str(), leaf.repeat_interval.as_secs(), &leaf.group_by), ("r", 7, &GroupBy::All));
        assert!(leaf.mute.is_empty(), "time windows are each node's own");
        assert_eq!((leaf.escalation.as_deref(), root.routes[0].escalation.as_deref()), (None, Some("slow")));
        assert_eq!(root.find(&leaf.id), Some(leaf));
        assert_eq!(root.walk().count(), 3);
    }

    #[test]
    fn a_group_is_named_by_the_labels_that_form_it() {
        let mut root = spec("", "r", vec![spec("team=\"web\"", "", vec![])]);
        root.group_by = Some(GroupBy::labels(["job", "alertname", "absent"]));
        let root = root.build();
        let of = labels("alertname=X team=web job=a host=b");
        assert_eq!(root.matching(&of)[0].group_key(&of), "{}/{team=\"web\"}:{alertname=\"X\", job=\"a\"}");
        let all = Route { group_by: GroupBy::All, ..Route::default() };
        assert_eq!(all.group_labels(&of), of);
        let none = Route { group_by: GroupBy::labels::<&str>([]), ..Route::default() };
        assert_eq!(none.group_key(&of), "{}:{}");
        let drill = Labels::new([("alertname", DRILL), (DRILL_ID, "1f"), ("job", "a")]);
        assert_eq!(none.group_key(&drill), r#"{}:{drill="1f"}"#);
        let ours = impaired::words("late", "").labels;
        let late = r#"{}:{alertname="WatchdogSelfImpaired", class="late", monitor="watchdog"}"#;
        assert_eq!(Route::default().group_key(&ours), late);
        assert_eq!(none.group_key(&ours), "{}:{}");
    }
}
