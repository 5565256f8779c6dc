//! The result of one probe, drawn for a person.

use std::fmt::Write as _;
use std::time::Duration;

use crate::base::outcome::{Check, Outcome, Phase, Verdict};
use crate::base::term_safe::{lines, term_safe};
use crate::base::units::Short;

/// Cells of a phase's bar.
const BAR: usize = 40;

/// Draws a result for a person. Everything of the target's goes through `term_safe`.
pub struct Page {
    /// With SGR sequences.
    pub colour: bool,
    /// Bars of ASCII alone.
    pub ascii: bool,
}

impl Page {
    /// The whole of it.
    pub fn draw(&self, kind: &str, target: &str, outcome: &Outcome, took: Duration) -> String {
        let mut text = String::new();
        let word = match outcome.verdict {
            Verdict::Up => self.paint("UP", "32"),
            Verdict::Degraded => self.paint("DEGRADED", "33"),
            Verdict::Down => self.paint("DOWN", "1;31"),
            Verdict::Unknown => self.paint("UNKNOWN", "35"),
        };
        let target = term_safe(target);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{word}  {kind}  {target}  {}", Short(took));
        let _ = writeln!(text, "    {}", term_safe(outcome.headline()));
        if let Some(reason) = &outcome.reason {
            let _ = writeln!(text, "    class: {}", term_safe(&reason.class));
        }
        self.draw_phases(&mut text, &outcome.phases);
        self.draw_checks(&mut text, &outcome.checks);
        for (title, body) in outcome.evidence.iter().flat_map(|e| &e.items) {
            let _ = writeln!(text, "\n{}", self.paint(&term_safe(title), "1"));
            for line in lines(body) {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }

    fn draw_phases(&self, text: &mut String, phases: &[Phase]) {
        let all: Duration = phases.iter().map(|p| p.took).sum();
        if all.is_zero() {
            return;
        }
        text.push('\n');
        // The names of steps stand before those of their phases.
        let width = phases.iter().map(|p| term_safe(&p.name).chars().count()).max().unwrap_or(0).clamp(11, 40);
        for phase in phases {
            let share = phase.took.as_secs_f64() / all.as_secs_f64();
            let bar = self.bar(share);
            let mark = if phase.failed { self.paint("  failed here", "31") } else { String::new() };
            let line = format!("    {:<width$} {:>6}  {bar}", term_safe(&phase.name), Short(phase.took));
            let _ = writeln!(text, "{}{mark}", line.trim_end());
        }
    }

    /// A bar of eighths of a cell; anything that took time shows at least one.
    fn bar(&self, share: f64) -> String {
        const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let eighths = ((share * (BAR * 8) as f64).round() as usize).clamp(usize::from(share > 0.0), BAR * 8);
        if self.ascii {
            return "#".repeat(eighths.div_ceil(8));
        }
        let mut bar = "█".repeat(eighths / 8);
        if eighths % 8 > 0 {
            bar.push(EIGHTHS[eighths % 8]);
        }
        bar
    }

    fn draw_checks(&self, text: &mut String, checks: &[Check]) {
        if checks.is_empty() {
            return;
        }
        text.push('\n');
        for check in checks {
            let word = match check.ok {
                Some(true) => self.paint("ok  ", "32"),
                Some(false) => self.paint("FAIL", "31"),
                None => "-   ".to_owned(),
            };
            let name = term_safe(&check.name);
            match check.found.as_str() {
                "" => {
                    let _ = writeln!(text, "    {word}  {name}");
                }
                found => {
                    let _ = writeln!(text, "    {word}  {name}: {}", term_safe(found));
                }
            }
        }
    }

    fn paint(&self, text: &str, sgr: &str) -> String {
        if self.colour { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::base::outcome::Evidence;

    #[test]
    fn what_a_person_sees() {
        let phase =
            |name: &'static str, ms, failed| Phase { name: name.into(), took: Duration::from_millis(ms), failed };
        let mut outcome = Outcome::down("status", "expected: status is 200-299; found: 500 \x1b[2J");
        outcome.phases = vec![phase("resolve", 1, false), phase("connect", 11, false), phase("processing", 60, true)];
        outcome.checks = vec![
            Check { name: "status is 200-299".into(), ok: Some(false), found: "500".into() },
            Check { name: "latency below 1s".into(), ok: Some(true), found: "72ms".into() },
            Check { name: "json $.a is `up`".into(), ok: None, found: String::new() },
        ];
        outcome.evidence = Some(Evidence { items: vec![(Cow::Borrowed("body"), "one\ttwo\nthr\u{202e}ee".into())] });
        let took = Duration::from_millis(72);
        insta::assert_snapshot!(Page { colour: false, ascii: false }.draw("script", "x", &outcome, took), @r"
        DOWN  script  x  72ms
            expected: status is 200-299; found: 500 \x1b[2J
            class: status

            resolve        1ms  ▌
            connect       11ms  ██████▏
            processing    60ms  █████████████████████████████████▍  failed here

            FAIL  status is 200-299: 500
            ok    latency below 1s: 72ms
            -     json $.a is `up`

        body
            one    two
            thr\u{202e}ee
        ");
        let ascii = Page { colour: false, ascii: true }.draw("script", "x", &outcome, took);
        assert!(ascii.is_ascii(), "{ascii}");
        let coloured = Page { colour: true, ascii: false }.draw("script", "x", &outcome, took);
        assert_eq!(coloured.matches('\x1b').count(), 10, "{coloured:?}");
    }
}
