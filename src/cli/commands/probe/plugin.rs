//! `watchdog probe … --nagios`: the result as a Nagios plugin prints it, so that Nagios, Icinga, Checkmk and
//! Sensu can run our probes.
//!
//! Format: "Monitoring Plugins Development Guidelines", sections 2.1, 2.3 and 2.6: one line,
//! `KIND STATE - text | 'label'=value[UOM] …`, exit code 0 to 3.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::Duration;

use crate::base::failure::Failure;
use crate::base::outcome::{Outcome, Sample, Verdict};
use crate::base::term_safe::term_safe;

/// The exit code of a plugin that could not judge, wrong usage included.
pub const UNKNOWN: u8 = 3;

/// Nagios 3 and later read at most 8 KiB of a plugin.
const MAX_LINE: usize = 8_000;

/// What a verdict is called, and its exit code.
const fn state(verdict: Verdict) -> (&'static str, u8) {
    match verdict {
        Verdict::Up => ("OK", 0),
        Verdict::Degraded => ("WARNING", 1),
        Verdict::Down => ("CRITICAL", 2),
        Verdict::Unknown => ("UNKNOWN", UNKNOWN),
    }
}

/// The exit code of a verdict.
pub const fn exit_code(verdict: Verdict) -> u8 {
    state(verdict).1
}

/// Whether these arguments ask for a plugin, for mistakes that keep them from being understood.
pub fn is_asked_for(arguments: &[OsString]) -> bool {
    // What follows `--` belongs to a script.
    let own = arguments.iter().skip(1).take_while(|word| *word != "--");
    let words: Vec<_> = own.collect();
    words.iter().any(|word| *word == "probe") && words.iter().any(|word| *word == "--nagios")
}

/// The line of a mistake.
pub fn refusal(failure: &Failure) -> String {
    format!("UNKNOWN - {}\n", text(&term_safe(failure.message())))
}

/// The line of a result, whose texts are safe already.
pub fn line(kind: &str, outcome: &Outcome, took: Duration) -> String {
    let (word, _) = state(outcome.verdict);
    let mut line = format!("{} {word} - {}", kind.to_uppercase(), text(outcome.headline()));
    line.truncate(line.floor_char_boundary(MAX_LINE / 4));
    // Writing to a String cannot fail.
    let _ = write!(line, " | 'time'={:.6}s;;;0", took.as_secs_f64());
    for phase in &outcome.phases {
        let _ = write!(line, " '{}'={:.6}s;;;0", label(&phase.name), phase.took.as_secs_f64());
    }
    for sample in &outcome.samples {
        let piece = perf(sample);
        // Whole values or none: half of one would be read as another.
        if line.len() + piece.len() < MAX_LINE {
            line.push_str(&piece);
        }
    }
    line.push('\n');
    line
}

/// A bar would begin performance data, a line break the long output.
fn text(text: &str) -> String {
    text.replace('|', "¦").replace(['\n', '\r'], " ")
}

/// A label holds neither `=` nor `'`.
fn label(text: &str) -> String {
    text.replace('=', ":").replace(['\'', '"'], "").replace(['|', '\n'], " ")
}

/// ` 'name{label:value}'=1.5s`. What is not finite has no place in performance data.
fn perf(sample: &Sample) -> String {
    if !sample.value.is_finite() {
        return String::new();
    }
    let mut name = sample.name.to_string();
    let unit = match name.as_str() {
        n if n.ends_with("_total") => "c",
        n if n.ends_with("_seconds") && !n.ends_with("timestamp_seconds") => "s",
        n if n.ends_with("_bytes") => "B",
        _ => "",
    };
    if !sample.labels.is_empty() {
        let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = write!(name, "{{{}}}", labels.join(","));
    }
    format!(" '{}'={}{unit}", label(&name), sample.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::nagios;

    #[test]
    fn what_is_written_is_what_our_own_reader_reads() {
        let mut outcome = Outcome::down("status", "expected: a|b; found:\nc");
        outcome.samples = vec![
            Sample::new("probe_http_duration_seconds", 0.25).label("phase", "tls"),
            Sample::new("probe_http_content_length", 12.0),
            Sample::new("reads_total", f64::NAN),
            Sample::new("it", 1.0).label("a", "it's = |x|"),
        ];
        let line = line("http", &outcome, Duration::from_millis(1500));
        assert_eq!(line.lines().count(), 1);
        let report = nagios::parse(&line);
        assert_eq!(report.summary, "HTTP CRITICAL - expected: a¦b; found: c");
        assert!(report.rejected.is_empty(), "{report:?}");
        let seen: Vec<_> = report.values.iter().map(|v| (v.label.as_str(), v.value, v.unit.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("time", Some(1.5), "s"),
                ("probe_http_duration_seconds{phase:tls}", Some(0.25), "s"),
                ("probe_http_content_length", Some(12.0), ""),
                ("it{a:its :  x }", Some(1.0), ""),
            ]
        );
    }

    #[test]
    fn a_host_with_a_thousand_series_stays_one_line_of_whole_values() {
        let mut outcome = Outcome::up("fine");
        outcome.samples = (0..1000).map(|i| Sample::new("x_bytes", f64::from(i)).label("n", i.to_string())).collect();
        let line = line("host", &outcome, Duration::ZERO);
        assert!(line.len() <= MAX_LINE + 1);
        let report = nagios::parse(&line);
        assert!(report.values.len() > 100 && report.rejected.is_empty());
    }

    #[test]
    fn a_scripts_own_flag_asks_for_nothing() {
        let asked = |line: &str| is_asked_for(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("watchdog probe --nagios tcp"));
        assert!(asked("watchdog probe tcp x --nagios"));
        assert!(!asked("watchdog probe script -- check --nagios"));
        assert!(!asked("watchdog status --nagios"));
    }
}
