//! A monitor's `alert:` block as a rule.
//!
//! The identity of what a rule raises is (rule, monitor), never its whole label set: changing a
//! label or the severity of a monitor that is down must not page a second time.

use crate::base::labels::Labels;
use crate::base::message::Severity;
use crate::base::name::MonitorName;

/// Name of the rule that every monitor has unless it says `alert: false`.
pub const MONITOR_DOWN: &str = "MonitorDown";
/// Name of what the same block stands for where the monitor's own check cannot judge.
pub const MONITOR_UNKNOWN: &str = "MonitorUnknown";

/// Identity of an alert across restarts, reloads and label changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The identity of what `rule` raises about `monitor`.
    pub fn of(rule: &str, monitor: &MonitorName) -> Self {
        Self(Labels::new([("alertname", rule), ("monitor", monitor.as_str())]).fingerprint())
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16).map(Self)
    }
}

impl std::fmt::Display for Fingerprint {
    /// 16 hex digits, as Alertmanager writes fingerprints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a rule needs to know of its monitor.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Unique name.
    pub monitor: &'a MonitorName,
    /// `http`, `tcp` ….
    pub kind: &'a str,
    /// What is probed.
    pub target: &'a str,
    /// The monitor's own labels.
    pub labels: &'a Labels,
}

/// When a rule fires and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Consecutive failures until it fires; 0 counts as 1.
    pub after: u32,
    /// Consecutive successes until it is resolved; 0 counts as 1.
    pub clear_after: u32,
    /// How bad.
    pub severity: Severity,
}

/// A rule about one monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: &'static str,
    monitor: MonitorName,
    fingerprint: Fingerprint,
    thresholds: Thresholds,
    labels: Labels,
}

/// Labels and texts of one alert, as they were when it fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// How bad.
    pub severity: Severity,
    /// Labels, `alertname` included.
    pub labels: Labels,
    /// Texts for people. Untrusted.
    pub annotations: Labels,
}

impl Rule {
    /// The rule that a monitor's `alert:` block stands for. The monitor's own labels never replace
    /// those that identify the alert.
    pub fn monitor_down(subject: Subject<'_>, thresholds: Thresholds) -> Self {
        let own = Labels::new([
            ("alertname", MONITOR_DOWN),
            ("monitor", subject.monitor.as_str()),
            ("type", subject.kind),
            ("instance", subject.target),
            ("severity", thresholds.severity.as_str()),
        ]);
        Self {
            name: MONITOR_DOWN,
            monitor: subject.monitor.clone(),
            fingerprint: Fingerprint::of(MONITOR_DOWN, subject.monitor),
            thresholds: Thresholds {
                after: thresholds.after.max(1),
                clear_after: thresholds.clear_after.max(1),
                ..thresholds
            },
            labels: subject.labels.with(&own),
        }
    }

    /// The alert's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The monitor it watches.
    pub const fn monitor(&self) -> &MonitorName {
        &self.monitor
    }

    /// Identity of what it raises.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// When it fires and clears; both counts are at least 1.
    pub const fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// What is said while the monitor's own check cannot judge; `reason` is why. It is no outage: a warning at most.
    pub fn words_unknown(&self, reason: &str) -> Words {
        let severity = self.thresholds.severity.min(Severity::Warning);
        let own = Labels::new([("alertname", MONITOR_UNKNOWN), ("severity", severity.as_str())]);
        let summary = format!("{} cannot be judged", self.monitor);
        let annotations = Labels::new([("summary", summary.as_str()), ("description", reason)]);
        Words { severity, labels: self.labels.with(&own), annotations }
    }

    /// What the alert says while it holds; `reason` is why the monitor is down.
    pub fn words(&self, reason: &str) -> Words {
        let summary = format!("{} is down", self.monitor);
        let annotations = Labels::new([("summary", summary.as_str()), ("description", reason)]);
        Words { severity: self.thresholds.severity, labels: self.labels.clone(), annotations }
    }
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The target works again.
    Recovered,
    /// The monitor, or its `alert:`, is no longer in the files.
    Removed,
    /// The monitor was switched off in its file.
    Paused,
}

impl Over {
    /// The word used in events and in the annotation `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Removed => "removed",
            Self::Paused => "paused",
        }
    }
}

impl Words {
    /// What is said when the alert is over: labels as it fired with, texts that tell why.
    #[must_use]
    pub fn over(&self, monitor: &MonitorName, why: Over, detail: &str) -> Self {
        let (summary, description) = match why {
            Over::Recovered if self.labels.get("alertname") == Some(MONITOR_UNKNOWN) => {
                (format!("{monitor} can be judged again"), detail)
            }
            Over::Recovered => (format!("{monitor} is up again"), detail),
            Over::Removed => (format!("{monitor} no longer raises alerts"), "removed from the configuration"),
            Over::Paused => (format!("{monitor} is no longer probed"), "paused in the configuration"),
        };
        let told = Labels::new([("summary", summary.as_str()), ("description", description), ("reason", why.as_str())]);
        Self { annotations: told, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(labels: &Labels, severity: Severity) -> Rule {
        let monitor = MonitorName::new("shop").unwrap();
        let subject = Subject { monitor: &monitor, kind: "http", target: "https://shop.example.com", labels };
        Rule::monitor_down(subject, Thresholds { after: 0, clear_after: 0, severity })
    }

    #[test]
    fn own_labels_do_not_replace_those_that_identify_the_alert() {
        let rule = rule(&Labels::new([("team", "web"), ("alertname", "X"), ("monitor", "y")]), Severity::Critical);
        let words = rule.words("connection refused");
        assert_eq!(
            words.labels.to_string(),
            r#"{alertname="MonitorDown", instance="https://shop.example.com", monitor="shop", severity="critical", team="web", type="http"}"#
        );
        assert_eq!(words.annotations.to_string(), r#"{description="connection refused", summary="shop is down"}"#);
    }

    #[test]
    fn labels_and_severity_do_not_change_the_identity() {
        let a = rule(&Labels::default(), Severity::Warning);
        let b = rule(&Labels::new([("team", "db")]), Severity::Critical);
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert_eq!(Fingerprint::parse(&a.fingerprint().to_string()), Some(a.fingerprint()));
        assert_eq!(Fingerprint::parse("12"), None);
    }

    #[test]
    fn counts_of_zero_mean_one() {
        let t = rule(&Labels::default(), Severity::Info).thresholds();
        assert_eq!((t.after, t.clear_after), (1, 1));
    }
}
