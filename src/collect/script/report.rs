//! What a program printed → an outcome: Nagios' output, Prometheus' text, or JSON. Pure.
//!
//! Whatever the output, the exit code is judged as Nagios judges it; JSON may make the verdict worse.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::base::exposition::is_free_name;
use crate::base::outcome::{Check, OUTPUT, Outcome, SIGNAL, Sample, UNKNOWN, Verdict};
use crate::collect::judge::found;
use crate::collect::nagios;
use crate::collect::script::exposition::{self, Described, Printed};
use crate::collect::script::keeper::End;
use crate::collect::script::run::Output;

/// Samples taken of one output.
const MAX_SAMPLES: usize = 10_000;
/// Checks taken of one output.
const MAX_CHECKS: usize = 200;
/// Longest summary in characters.
const MAX_SUMMARY: usize = 500;

/// What is on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A Nagios plugin's.
    #[default]
    Nagios,
    /// Prometheus' text format.
    Prometheus,
    /// One JSON object.
    Json,
}

/// A format that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a format of output")]
pub struct NoFormat(String);

impl Format {
    /// Reads what a file says.
    ///
    /// # Errors
    /// It is none of the three.
    pub fn parse(text: &str) -> Result<Self, NoFormat> {
        match text {
            "nagios" => Ok(Self::Nagios),
            "prometheus" => Ok(Self::Prometheus),
            "json" => Ok(Self::Json),
            other => Err(NoFormat(found(other))),
        }
    }
}

/// Judges a program that has ended by itself. `hear` is given what it says of the metrics that it prints.
pub fn judge(format: Format, end: End, out: &Output, err: &Output, hear: impl FnOnce(&Described<'_>)) -> Outcome {
    let text = String::from_utf8_lossy(&out.kept);
    let text = if out.total > out.kept.len() { whole(format, &text) } else { &text };
    let complaint = || first_line(&String::from_utf8_lossy(&err.kept));
    match format {
        Format::Nagios => {
            let report = nagios::parse(text);
            let said = if report.summary.is_empty() { complaint() } else { cut(&report.summary) };
            let mut outcome = by_end(end, &said);
            report.samples(&mut outcome.samples);
            if !report.rejected.is_empty() {
                tracing::debug!(pieces = report.rejected.len(), "performance data that is not understood");
            }
            outcome
        }
        Format::Prometheus => {
            let Printed { samples, described, wrong } = exposition::read(text, MAX_SAMPLES);
            hear(&described);
            let count = format!("{} samples", samples.len());
            let said = complaint();
            let mut outcome = by_end(end, if end == End::Code(0) { &count } else { &said });
            outcome.samples = samples;
            match wrong {
                _ if out.total > out.kept.len() => spoil(outcome, format!("the output is larger than {}", bytes(out))),
                Some((line, why)) => spoil(outcome, format!("line {line} of the output: {why}")),
                None => outcome,
            }
        }
        Format::Json => match serde_json::from_str::<Said>(text) {
            Ok(said) => said.outcome(end, &complaint()),
            Err(_) if end != End::Code(0) => by_end(end, &complaint()),
            Err(_) if out.total > out.kept.len() => {
                spoil(by_end(end, ""), format!("the output is larger than {}", bytes(out)))
            }
            Err(e) => spoil(by_end(end, ""), format!("the output is not what was expected: {e}")),
        },
    }
}

fn bytes(out: &Output) -> String {
    format!("`max_output` ({} bytes)", out.kept.len())
}

/// What is whole of an output that was cut: half a number is another number.
fn whole(format: Format, text: &str) -> &str {
    let cut = match format {
        Format::Nagios if text.contains('|') => text.rfind(|c: char| c.is_whitespace() || c == '|'),
        // A shortened sentence is not wrong, and half of an object is none.
        Format::Nagios | Format::Json => None,
        Format::Prometheus => text.rfind('\n'),
    };
    &text[..cut.unwrap_or(if format == Format::Prometheus { 0 } else { text.len() })]
}

/// An output that is not understood is the probe's own failure, unless there was a worse one.
fn spoil(outcome: Outcome, why: String) -> Outcome {
    match outcome.verdict {
        Verdict::Up | Verdict::Degraded => outcome.with_verdict(Verdict::Unknown, OUTPUT, why),
        Verdict::Down | Verdict::Unknown => outcome,
    }
}

/// The verdict that the end of a program means, with what it said.
fn by_end(end: End, said: &str) -> Outcome {
    let or = |other: String| if said.is_empty() { other } else { said.to_owned() };
    let code = match end {
        End::Code(0) => return Outcome::up(or("exit code 0".to_owned())),
        End::Code(code) => code,
        End::Signal(signal) => {
            let name = Signal::try_from(signal).map_or("a signal", Signal::as_str);
            return Outcome::unknown(SIGNAL, format!("the program was ended by {name}"));
        }
        End::Refused(_) | End::Barred | End::Crowded => return Outcome::unknown(SIGNAL, "the program was stopped"),
    };
    let (verdict, class) = match code {
        1 => (Verdict::Degraded, "warning"),
        2 => (Verdict::Down, "critical"),
        3 => (Verdict::Unknown, UNKNOWN),
        // A shell's words (POSIX, "Exit Status for Commands") for a program that is missing or may not be run here.
        // Nagios calls that critical; but nothing was checked.
        126 | 127 => (Verdict::Unknown, "local_exec"),
        // Beyond what plugins say: critical for Nagios' core, and the usual word of a program that failed.
        _ => (Verdict::Down, "exit_code"),
    };
    let text = match code {
        1..=3 => or(format!("exit code {code}, no output")),
        126 | 127 => format!("exit code {code}: the program could not run something: {said}"),
        _ => format!("exit code {code}: {said}"),
    };
    Outcome::up("").with_verdict(verdict, class, text.trim_end_matches([':', ' ']))
}

fn first_line(text: &str) -> String {
    cut(text.lines().next().unwrap_or_default().trim())
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_SUMMARY).collect()
}

/// The JSON form: `{"status": "up", "summary": "…", "metrics": {"name": 1}, "checks": {"name": true}}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    status: Option<Status>,
    #[serde(alias = "message")]
    summary: String,
    metrics: Metrics,
    checks: Checks,
}

/// A verdict by its name, by Nagios' name, or by its exit code.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[serde(alias = "ok", alias = "OK", alias = "0", alias = "UP")]
    Up,
    #[serde(alias = "warning", alias = "WARNING", alias = "1", alias = "DEGRADED")]
    Degraded,
    #[serde(alias = "critical", alias = "CRITICAL", alias = "2", alias = "DOWN")]
    Down,
    #[serde(alias = "UNKNOWN", alias = "3")]
    Unknown,
}

/// Values: a mapping of names, or a list when there are labels.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Metrics {
    Named(BTreeMap<String, f64>),
    Listed(Vec<Metric>),
}

impl Default for Metrics {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    name: String,
    value: f64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Expectations: a mapping of names, or a list when there is something found.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Checks {
    Named(BTreeMap<String, bool>),
    Listed(Vec<OwnCheck>),
}

impl Default for Checks {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnCheck {
    name: String,
    ok: bool,
    #[serde(default)]
    found: String,
}

impl Said {
    fn outcome(self, end: End, complaint: &str) -> Outcome {
        let checks = match self.checks {
            Checks::Named(all) => {
                all.into_iter().map(|(name, ok)| OwnCheck { name, ok, found: String::new() }).collect()
            }
            Checks::Listed(all) => all,
        };
        let mut metrics = match self.metrics {
            Metrics::Named(all) => {
                all.into_iter().map(|(name, value)| Metric { name, value, labels: BTreeMap::new() }).collect()
            }
            Metrics::Listed(all) => all,
        };
        let said = cut(&self.summary);
        let mut outcome = by_end(end, if said.is_empty() { complaint } else { &said });
        let own = match self.status {
            Some(Status::Down) => Some((Verdict::Down, "critical")),
            Some(Status::Degraded) => Some((Verdict::Degraded, "warning")),
            Some(Status::Unknown) => Some((Verdict::Unknown, UNKNOWN)),
            Some(Status::Up) | None => None,
        };
        if let Some((verdict, class)) = own.filter(|(verdict, _)| gravity(*verdict) > gravity(outcome.verdict)) {
            let text = if said.is_empty() { format!("the program says {class}") } else { said };
            outcome = outcome.with_verdict(verdict, class, text);
        }
        let failed = checks.iter().find(|c| !c.ok);
        if let Some(failed) = failed.filter(|_| outcome.verdict == Verdict::Up) {
            let text = match failed.found.as_str() {
                "" => format!("expected: {}", cut(&failed.name)),
                seen => format!("expected: {}; found: {}", cut(&failed.name), found(seen)),
            };
            outcome = outcome.with_verdict(Verdict::Down, "check", text);
        }
        let own = |c: OwnCheck| Check { name: cut(&c.name), ok: Some(c.ok), found: found(&c.found) };
        outcome.checks = checks.into_iter().take(MAX_CHECKS).map(own).collect();
        // In the store, an empty label is none.
        metrics.iter_mut().for_each(|metric| metric.labels.retain(|_, value| !value.is_empty()));
        let (mut known, mut wrong) = (BTreeSet::new(), None);
        for metric in &metrics {
            let name = || found(&metric.name);
            if !is_free_name(&metric.name) {
                wrong.get_or_insert_with(|| format!("`{}` is no name that a program may give a metric", name()));
            } else if !known.insert((&metric.name, &metric.labels)) {
                wrong.get_or_insert_with(|| format!("`{}` with these labels comes twice", name()));
            } else if outcome.samples.len() < MAX_SAMPLES {
                outcome.samples.push(metric.sample());
            }
        }
        match wrong {
            Some(why) => spoil(outcome, why),
            None => outcome,
        }
    }
}

impl Metric {
    fn sample(&self) -> Sample {
        let labels =
            self.labels.iter().map(|(name, value)| (Cow::Owned(name.clone()), Cow::Owned(value.clone()))).collect();
        Sample { name: Cow::Owned(self.name.clone()), labels, value: self.value }
    }
}

/// What is worse is told.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Up => 0,
        Verdict::Degraded => 1,
        Verdict::Unknown => 2,
        Verdict::Down => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Output {
        let mut output = Output::new(1 << 20);
        (output.kept, output.total) = (text.into(), text.len());
        output
    }

    fn seen(format: Format, code: i32, text: &str) -> (Verdict, String, String) {
        let got = judge(format, End::Code(code), &output(text), &output(""), |_| {});
        let class = got.reason.as_ref().map_or("", |r| &*r.class).to_owned();
        (got.verdict, class, got.headline().to_owned())
    }

    #[test]
    fn prometheus_text_is_taken_as_it_is() {
        let text = "# TYPE jobs gauge\njobs{queue=\"a \\\"b\\\"\"} 3\nup_since 1e3 1700000000000\n";
        let got = judge(Format::Prometheus, End::Code(0), &output(text), &output(""), |_| {});
        assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "2 samples"));
        assert_eq!(got.samples[0], Sample::new("jobs", 3.0).label("queue", "a \"b\""));
        assert_eq!(got.samples[1], Sample::new("up_since", 1000.0));
        let (verdict, class, text) = seen(Format::Prometheus, 0, "a 1\nb{ 2\n");
        assert_eq!((verdict, class.as_str()), (Verdict::Unknown, "output"));
        assert!(text.starts_with("line 2 of the output"), "{text}");
        assert_eq!(seen(Format::Prometheus, 2, "a 1\n").0, Verdict::Down);
    }

    #[test]
    fn half_a_number_is_not_taken() {
        let cut = |text: &str| {
            let mut cut = output(text);
            cut.total += 1;
            cut
        };
        let got = judge(Format::Prometheus, End::Code(0), &cut("a 1\nb 12"), &output(""), |_| {});
        assert_eq!(got.samples, [Sample::new("a", 1.0)]);
        assert_eq!(got.reason.unwrap().class, "output");
        assert!(judge(Format::Prometheus, End::Code(0), &cut("b 12"), &output(""), |_| {}).samples.is_empty());
        let got = judge(Format::Nagios, End::Code(0), &cut("OK|a=1 b=12"), &output(""), |_| {});
        assert_eq!((got.samples.len(), got.summary.as_str()), (1, "OK"));
        assert!(judge(Format::Nagios, End::Code(0), &cut("OK|b=12"), &output(""), |_| {}).samples.is_empty());
        assert_eq!(
            judge(Format::Nagios, End::Code(0), &cut("all is well so fa"), &output(""), |_| {}).summary,
            "all is well so fa"
        );
    }

    #[test]
    fn json_may_say_its_verdict_its_metrics_and_its_checks() {
        #[track_caller]
        fn check(code: i32, text: &str, want: (Verdict, &str, &str)) {
            let (verdict, class, said) = seen(Format::Json, code, text);
            assert_eq!((verdict, class.as_str(), said.as_str()), want, "{text}");
        }
        check(0, r#"{"summary": "3 jobs", "metrics": {"jobs": 3}}"#, (Verdict::Up, "", "3 jobs"));
        check(0, r#"{"status": "critical", "message": "no jobs"}"#, (Verdict::Down, "critical", "no jobs"));
        check(0, r#"{"status": "degraded"}"#, (Verdict::Degraded, "warning", "the program says warning"));
        check(2, r#"{"status": "ok", "summary": "x"}"#, (Verdict::Down, "critical", "x"));
        check(0, r#"{"checks": {"disk": true, "raid": false}}"#, (Verdict::Down, "check", "expected: raid"));
        check(
            0,
            r#"{"checks": [{"name": "raid", "ok": false, "found": "degraded"}]}"#,
            (Verdict::Down, "check", "expected: raid; found: degraded"),
        );
        check(
            0,
            r#"{"metrics": {"a b": 1}}"#,
            (Verdict::Unknown, "output", "`a b` is no name that a program may give a metric"),
        );
        check(
            0,
            r#"{"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]}"#,
            (Verdict::Unknown, "output", "`a` with these labels comes twice"),
        );
        check(
            0,
            r#"{"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 2, "labels": {"x": ""}}]}"#,
            (Verdict::Unknown, "output", "`a` with these labels comes twice"),
        );
        check(1, "no json", (Verdict::Degraded, "warning", "exit code 1, no output"));
        check(7, "no json", (Verdict::Down, "exit_code", "exit code 7"));
        let (verdict, class, _) = seen(Format::Json, 0, "[1]");
        assert_eq!((verdict, class.as_str()), (Verdict::Unknown, "output"));
        let labelled = r#"{"metrics": [{"name": "jobs", "value": 2, "labels": {"queue": "a"}}]}"#;
        let got = judge(Format::Json, End::Code(0), &output(labelled), &output(""), |_| {});
        assert_eq!(got.samples, [Sample::new("jobs", 2.0).label("queue", "a")]);
    }
}
