//! What one probe found: a verdict with its reason, timings, samples and evidence.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::scraped::Scraped;
use crate::base::term_safe::{block, term_safe};

/// The judgement of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every expectation holds.
    Up,
    /// Works, but worse than wanted (a `degraded_above` limit).
    Degraded,
    /// The target is broken.
    Down,
    /// The probe could not judge, for a reason on our side.
    Unknown,
}

impl Verdict {
    /// The word for it, as in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a verdict is not `up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word for machines: `timeout`, `connection_refused`, `status`, `body` ….
    pub class: Cow<'static, str>,
    /// One sentence for people. May contain bytes of the target: untrusted.
    pub message: String,
}

/// What the class of a verdict begins with that this machine is to blame for: `local_files`, `local_uplink` ….
pub const OURS: &str = "local_";
/// The class of a verdict that could not be given because a monitor on which this one depends is down.
pub const PARENT_DOWN: &str = "parent_down";
/// The class of a verdict that nobody can have yet: a report is awaited, and without it the next verdict is `down`.
pub const WAITING: &str = "waiting";
/// The class of a report that may have come when nobody listened, of a job that reports by a schedule: until the next
/// time nobody can know.
pub const UNHEARD: &str = "unheard";
/// The class of a target that did not answer in time.
pub const TIMEOUT: &str = "timeout";
/// The class of an address, port or socket that the policy does not let be asked.
pub const BLOCKED_ADDRESS: &str = "blocked_address";
/// The class of a program that the policy does not let run.
pub const BLOCKED_PROGRAM: &str = "blocked_program";
/// The class of a program that says that it cannot judge.
pub const UNKNOWN: &str = "unknown";
/// The class of a program that was stopped.
pub const SIGNAL: &str = "signal";
/// The class of a program that says all is well in words that are not understood.
pub const OUTPUT: &str = "output";
/// The class of a registry that does not answer, or not in its own words.
pub const REGISTRY: &str = "registry";
/// The class of a look that ended before all files were seen.
pub const TOO_MANY_FILES: &str = "too_many_files";
/// The class of a slot that others of the same host left no place. Our limit, but no fault of this machine.
pub const HOST_BUSY: &str = "host_busy";
/// Every class of an `unknown` verdict that this machine is not to blame for: the guide says who speaks for each.
pub const NOT_OURS: [&str; 11] = [
    PARENT_DOWN,
    WAITING,
    UNHEARD,
    BLOCKED_ADDRESS,
    BLOCKED_PROGRAM,
    UNKNOWN,
    SIGNAL,
    OUTPUT,
    REGISTRY,
    TOO_MANY_FILES,
    HOST_BUSY,
];

impl Reason {
    /// Whether this machine is to blame, and not the target: `unknown(self)`.
    pub fn blames_us(&self) -> bool {
        self.class.starts_with(OURS)
    }

    /// Whether the monitor's own check cannot judge, so that nobody else speaks of it: a monitor above has its own alert,
    /// as has this machine, and a report that is awaited and does not come is `down`.
    pub fn speaks_for_itself(&self) -> bool {
        !self.blames_us() && !self.blames_parent() && self.class != WAITING
    }

    /// Whether a monitor above is to blame: `unknown(parent)`.
    pub fn blames_parent(&self) -> bool {
        self.class == PARENT_DOWN
    }

    /// Whether a monitor above may be the cause where a check cannot judge: a plugin says so, or is stopped at a limit of
    /// its own, and a registry does not answer, when the way is gone. What is not named here got through, or was not asked.
    pub fn may_be_parents(&self) -> bool {
        [UNKNOWN, SIGNAL, REGISTRY].contains(&self.class.as_ref())
    }
}

/// One timed part of a probe, in the order in which the parts happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// blackbox_exporter's word: `resolve`, `connect`, `tls`, `processing`, `transfer`.
    pub name: Cow<'static, str>,
    /// How long it took; for the failed phase, until it failed.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// Whether the probe failed in this phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// The result of one expectation (a line below `expect:`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was expected, as configured: `status is 200-299`.
    pub name: String,
    /// `None` when the probe failed before it could be judged.
    pub ok: Option<bool>,
    /// What was found. Untrusted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
}

/// One measured value. The monitor's own labels are added by the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Metric name, Prometheus conventions.
    pub name: Cow<'static, str>,
    /// Labels beyond the monitor's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// The value, in base units (seconds, bytes, ratio).
    #[serde(with = "value")]
    pub value: f64,
}

/// Name and value of a label.
pub type Label = (Cow<'static, str>, Cow<'static, str>);

impl Sample {
    /// A sample without labels of its own.
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name: Cow::Borrowed(name), labels: Vec::new(), value }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(self, name: &'static str, value: impl Into<String>) -> Self {
        self.word(name, value.into())
    }

    /// Adds a label whose value is mostly one of a few that are known beforehand: those cost nothing.
    #[must_use]
    pub fn word(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        // Most have one, or two; thousands of results are kept.
        self.labels.reserve_exact(1);
        self.labels.push((Cow::Borrowed(name), value.into()));
        self
    }
}

/// What was seen, kept to show a person. Every text is untrusted and already capped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Titled texts in reading order: `request`, `response headers`, `body (first 4 KiB of 90 KiB)` ….
    pub items: Vec<Item>,
}

/// A titled text.
pub type Item = (Cow<'static, str>, String);

impl Evidence {
    /// What this says and what another says of the same thing, side by side: by their titles, or else by what these name
    /// (`path to 192.0.2.1`, `path to 192.0.2.2`). In the order of this one, then what only the other one has.
    pub fn beside<'a>(&'a self, other: &'a Self) -> Vec<(Option<&'a Item>, Option<&'a Item>)> {
        let mut theirs: Vec<Option<&Item>> = other.items.iter().map(Some).collect();
        let mut take = |same: &dyn Fn(&str) -> bool| {
            theirs.iter_mut().find(|item| item.is_some_and(|(title, _)| same(title))).and_then(Option::take)
        };
        let mut found: Vec<Option<&Item>> = self.items.iter().map(|(title, _)| take(&|t| t == title)).collect();
        for ((title, _), pair) in self.items.iter().zip(&mut found).filter(|(_, pair)| pair.is_none()) {
            *pair = take(&|t| subject(t) == subject(title));
        }
        let pairs = self.items.iter().map(Some).zip(found);
        pairs.chain(theirs.into_iter().flatten().map(|item| (None, Some(item)))).collect()
    }
}

/// What a title names: the step, where it is of one, and the thing: `step 2` and `address` of `step 2: addresses tried`.
fn subject(title: &str) -> (&str, &str) {
    let (step, rest) = title.rsplit_once(": ").unwrap_or(("", title));
    let word = rest.split(' ').next().unwrap_or_default();
    (step, if word == "addresses" { "address" } else { word })
}

/// All that one probe returns. Building one cannot fail: a broken target is `Down`, a broken probe `Unknown`.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Why not `up`; `None` for `Up`.
    pub reason: Option<Reason>,
    /// One short line about a success (`200 OK, 1.2 KiB`); untrusted.
    pub summary: String,
    /// Timed parts.
    pub phases: Vec<Phase>,
    /// Expectations and how each fared.
    pub checks: Vec<Check>,
    /// Values beyond `probe_success` and `probe_duration_seconds`, which the engine adds.
    pub samples: Vec<Sample>,
    /// What was seen; collectors fill it when the verdict is not `up`.
    pub evidence: Option<Evidence>,
    /// Series that go into the store as they are, for kinds that scrape.
    pub series: Option<Scraped>,
    /// The machine that the reason speaks of, where the probe is of many.
    pub host: Option<Box<str>>,
}

impl Outcome {
    /// A success without details.
    pub fn up(summary: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Up,
            reason: None,
            summary: summary.into(),
            phases: Vec::new(),
            checks: Vec::new(),
            samples: Vec::new(),
            evidence: None,
            series: None,
            host: None,
        }
    }

    /// A broken target.
    pub fn down(class: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::up("").with_verdict(Verdict::Down, class, message)
    }

    /// A probe that could not judge, for a reason on our side.
    pub fn unknown(class: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::up("").with_verdict(Verdict::Unknown, class, message)
    }

    /// The same outcome judged otherwise.
    #[must_use]
    pub fn with_verdict(
        mut self,
        verdict: Verdict,
        class: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let reason = Reason { class: class.into(), message: message.into() };
        let is_known = reason.blames_us() || NOT_OURS.contains(&reason.class.as_ref());
        debug_assert!(verdict != Verdict::Unknown || is_known, "nobody speaks for `{}`", reason.class);
        (self.verdict, self.reason) = (verdict, Some(reason));
        self
    }

    /// The same outcome with every text of the target's made safe for terminals, logs and other programs. `series` goes
    /// into the store as it is: whoever prints what is stored makes it safe then.
    #[must_use]
    pub fn made_safe(mut self) -> Self {
        line(&mut self.summary);
        if let Some(reason) = &mut self.reason {
            word(&mut reason.class);
            line(&mut reason.message);
        }
        for phase in &mut self.phases {
            word(&mut phase.name);
        }
        for check in &mut self.checks {
            line(&mut check.name);
            line(&mut check.found);
        }
        for sample in &mut self.samples {
            // An exposition may name anything anyhow: names in quotes hold all of Unicode.
            word(&mut sample.name);
            for (name, value) in &mut sample.labels {
                word(name);
                word(value);
            }
        }
        for (title, text) in self.evidence.iter_mut().flat_map(|e| &mut e.items) {
            word(title);
            if let Cow::Owned(safe) = block(text) {
                *text = safe;
            }
        }
        self
    }

    /// The reason's sentence, or the summary of a success.
    pub fn headline(&self) -> &str {
        self.reason.as_ref().map_or(&self.summary, |r| &r.message)
    }
}

fn line(text: &mut String) {
    if let Cow::Owned(safe) = term_safe(text) {
        *text = safe;
    }
}

/// What is borrowed stands in this program: no target says it.
fn word(text: &mut Cow<'static, str>) {
    if let Cow::Owned(text) = text {
        line(text);
    }
}

/// Values that JSON has no numbers for, as Prometheus' API has them: `"NaN"`, `"+Inf"`, `"-Inf"`; the others as numbers.
mod value {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        match *v {
            v if v.is_nan() => s.serialize_str("NaN"),
            f64::INFINITY => s.serialize_str("+Inf"),
            f64::NEG_INFINITY => s.serialize_str("-Inf"),
            v => s.serialize_f64(v),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<'a> {
            Number(f64),
            #[serde(borrow)]
            Text(std::borrow::Cow<'a, str>),
        }
        match Either::deserialize(d)? {
            Either::Number(v) => Ok(v),
            // Rust reads all three.
            Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// Durations as fractional seconds, the unit of every Prometheus metric.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes seconds with microsecond resolution.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64((d.as_secs_f64() * 1e6).round() / 1e6)
    }

    /// Reads seconds.
    ///
    /// # Errors
    /// Not a number, or negative, or too large.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::term_safe::tests::is_forbidden;

    #[test]
    fn what_two_pieces_of_evidence_say_of_the_same_thing_is_paired() {
        let of = |titles: &[&str]| Evidence {
            items: titles.iter().map(|t| (Cow::Owned((*t).to_owned()), String::new())).collect(),
        };
        let bad = of(&["phases", "path to 192.0.2.1", "response"]);
        let good = of(&["resolver", "path to 192.0.2.2", "phases"]);
        let pairs = bad.beside(&good);
        let titles: Vec<_> = pairs.iter().map(|(a, b)| [a, b].map(|i| i.map_or("", |(t, _)| t.as_ref()))).collect();
        let path = ["path to 192.0.2.1", "path to 192.0.2.2"];
        assert_eq!(titles, [["phases", "phases"], path, ["response", ""], ["", "resolver"]]);
        // Nothing of one step stands beside what is of another.
        let bad = of(&["log in: request", "log in: addresses tried", "log in: note: body (its first 4 KiB)"]);
        let good = of(&["log out: request", "log in: response", "log in: address", "log in: note: body"]);
        let pairs = bad.beside(&good);
        let pairs = pairs.iter().map(|(a, b)| [a, b].map(Option::is_some));
        assert_eq!(
            pairs.collect::<Vec<_>>(),
            [[true, false], [true, true], [true, true], [false, true], [false, true]]
        );
    }

    proptest::proptest! {
        #[test]
        fn every_value_of_a_sample_survives_json(bits: u64, name in ".*", label in ".*") {
            for value in [f64::from_bits(bits), f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
                let sample = Sample { name: name.clone().into(), labels: vec![("l".into(), label.clone().into())], value };
                let text = serde_json::to_string(&sample).unwrap();
                let back: Sample = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!((&back.name, &back.labels), (&sample.name, &sample.labels));
                // The reader of numbers may err in the last place.
                let same = back.value == value || ((back.value - value) / value).abs() < 1e-14;
                proptest::prop_assert!(same || back.value.is_nan() && value.is_nan(), "{text}");
            }
        }
    }

    #[test]
    fn values_without_a_number_in_json_are_texts() {
        let json = |value| serde_json::to_value(Sample::new("a", value)).unwrap()["value"].to_string();
        assert_eq!([f64::NAN, f64::INFINITY, 1.5].map(json), [r#""NaN""#, r#""+Inf""#, "1.5"]);
    }

    #[test]
    fn no_text_of_an_outcome_keeps_a_character_that_a_terminal_obeys_or_nobody_sees() {
        let bad: String = (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_forbidden(*c)).collect();
        let word = || Cow::Owned(bad.clone());
        let outcome = Outcome {
            verdict: Verdict::Down,
            reason: Some(Reason { class: word(), message: bad.clone() }),
            summary: bad.clone(),
            phases: vec![Phase { name: word(), took: Duration::ZERO, failed: true }],
            checks: vec![Check { name: bad.clone(), ok: None, found: bad.clone() }],
            samples: vec![Sample { name: word(), labels: vec![(word(), word())], value: 1.0 }],
            evidence: Some(Evidence { items: vec![(word(), bad.clone())] }),
            series: None,
            host: None,
        };
        // Every field by name: one more has to be thought of here.
        // The host is the configuration's word, and shown nowhere.
        let safe = outcome.made_safe();
        let Outcome { verdict: _, reason, summary, phases, checks, samples, evidence, series: _, host: _ } = safe;
        let Reason { class, message } = reason.unwrap();
        let mut lines = vec![class.into_owned(), message, summary];
        lines.extend(phases.into_iter().map(|Phase { name, took: _, failed: _ }| name.into_owned()));
        lines.extend(checks.into_iter().flat_map(|Check { name, ok: _, found }| [name, found]));
        for Sample { name, labels, value: _ } in samples {
            lines.push(name.into_owned());
            lines.extend(labels.into_iter().flat_map(|(name, value)| [name.into_owned(), value.into_owned()]));
        }
        let Evidence { items } = evidence.unwrap();
        for (title, text) in items {
            lines.push(title.into_owned());
            // A text keeps its lines and tabs.
            lines.push(text.replace(['\n', '\t'], " "));
        }
        assert_eq!(lines.len(), 11);
        for line in lines {
            assert!(line.starts_with("\\x00\\x01"), "{line}");
            assert!(!line.contains(is_forbidden), "{line:?}");
        }
    }
}
