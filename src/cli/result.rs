//! How one probe's result looks: verdict, phases as bars, checks, evidence, and the history strip.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use crate::base::outcome::{Check, Evidence, Item, Phase, Verdict};
use crate::base::term_safe::lines;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table, wrap};
use crate::cli::ui::{Role, Ui};
use crate::wire::api::{HistoryPoint, ProbeResult};

/// Cells of a whole bar.
const BAR: usize = 30;
/// Lines of one piece of evidence.
const EVIDENCE_LINES: usize = 20;
/// Columns of the titles where two pieces of evidence stand side by side.
const TITLES: usize = 24;

/// Prints a result in full.
pub fn print(ui: &mut Ui, result: &ProbeResult, now: Timestamp) {
    let word = ui.paint(result.verdict.into(), result.verdict.as_str());
    let headline = result.reason.as_ref().map_or(&result.summary, |r| &r.message);
    let headline = ui.paint(Role::Plain, headline);
    let tries = if result.attempt > 1 { format!(", attempt {}", result.attempt) } else { String::new() };
    let when = format!("{} ago, took {}{tries}", Short(now.since(result.at)), Short(result.took));
    let when = ui.paint(Role::Dim, when);
    ui.line(format_args!("{word}  {headline}  {when}"));
    phases(ui, &result.phases);
    checks(ui, &result.checks);
    if let Some(evidence) = &result.evidence {
        self::evidence(ui, evidence);
    }
}

/// Prints the timed parts, each bar beginning where the one before ended.
pub fn phases(ui: &mut Ui, phases: &[Phase]) {
    let total: Duration = phases.iter().map(|p| p.took).sum();
    let name_width = phases.iter().map(|p| p.name.width()).max().unwrap_or(0);
    let mut before = Duration::ZERO;
    for phase in phases {
        let (from, to) = (cells(before, total), cells(before + phase.took, total));
        before += phase.took;
        // A part that happened is seen, however short it was.
        let bar = format!("{}{}", " ".repeat(from.min(BAR - 1)), "█".repeat((to - from).max(1)));
        let padding = " ".repeat(BAR.saturating_sub(bar.width()));
        let role = if phase.failed { Role::Bad } else { Role::Good };
        let (bar, name) = (ui.paint(role, bar), ui.paint(Role::Plain, &phase.name));
        let gap = " ".repeat(name_width - phase.name.width());
        let failed = if phase.failed { "  failed" } else { "" };
        ui.line(format_args!("  {name}{gap}  {bar}{padding}  {:>6}{failed}", Short(phase.took)));
    }
}

fn cells(part: Duration, total: Duration) -> usize {
    if total.is_zero() {
        return 0;
    }
    ((part.as_secs_f64() / total.as_secs_f64() * BAR as f64).round() as usize).min(BAR)
}

/// Prints expectations and how each fared.
pub fn checks(ui: &mut Ui, checks: &[Check]) {
    for check in checks {
        let (role, word) = match check.ok {
            Some(true) => (Role::Good, "ok    "),
            Some(false) => (Role::Bad, "failed"),
            None => (Role::Dim, "-     "),
        };
        let (word, name) = (ui.paint(role, word), ui.paint(Role::Plain, &check.name));
        let found = match check.found.is_empty() {
            true => String::new(),
            false => format!("  found {}", ui.paint(Role::Plain, &check.found)),
        };
        ui.line(format_args!("  {word}  {name}{found}"));
    }
}

/// Prints titled texts.
pub fn evidence(ui: &mut Ui, evidence: &Evidence) {
    for (title, text) in &evidence.items {
        let title = ui.paint(Role::Dim, title);
        ui.line(format_args!("  {title}"));
        for line in lines(text).take(EVIDENCE_LINES) {
            ui.line(format_args!("    {line}"));
        }
        let more = text.lines().count().saturating_sub(EVIDENCE_LINES);
        if more > 0 {
            let more = ui.paint(Role::Dim, format!("({more} more lines; `--json` shows all)"));
            ui.line(format_args!("    {more}"));
        }
    }
}

/// Prints two pieces of evidence side by side: each title, what one says of it, and what the other does.
pub fn beside(ui: &mut Ui, header: &[&str], pairs: Vec<(Option<&Item>, Option<&Item>)>, width: usize) {
    // Two gaps of two.
    let half = width.saturating_sub(TITLES + 4) / 2;
    let mut table = Table::new(header, &[0, 1, 2]);
    for (ours, theirs) in pairs {
        let mut titles: Vec<&str> = [ours, theirs].into_iter().flatten().map(|(title, _)| title.as_ref()).collect();
        titles.dedup();
        let titles: Vec<String> = titles.iter().flat_map(|title| wrap(title, TITLES)).collect();
        let texts = [ours, theirs].map(|item| item.map_or_else(Vec::new, |(_, text)| cut(text, half)));
        let rows = titles.len().max(texts[0].len()).max(texts[1].len());
        for row in 0..rows {
            let at = |column: &[String]| column.get(row).cloned().unwrap_or_default();
            table.row(vec![Cell::new(Role::Dim, at(&titles)), Cell::plain(at(&texts[0])), Cell::plain(at(&texts[1]))]);
        }
    }
    table.print(ui);
}

/// The first lines of a text, none longer than this.
fn cut(text: &str, width: usize) -> Vec<String> {
    let mut all: Vec<String> = lines(text).flat_map(|line| wrap(&line, width)).collect();
    let more = all.len().saturating_sub(EVIDENCE_LINES);
    if more > 0 {
        all.truncate(EVIDENCE_LINES);
        all.push(format!("({more} more lines; `--json` shows all)"));
    }
    all
}

/// The newest results as one character each, readable without colours, oldest first.
pub fn strip(ui: &Ui, history: &[HistoryPoint]) -> String {
    let room = ui.width().map_or(60, |w| w.saturating_sub(20).clamp(10, 60));
    let shown = &history[history.len().saturating_sub(room)..];
    shown.iter().map(|p| ui.paint(p.verdict.into(), strip_glyph(p.verdict))).collect()
}

const fn strip_glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "▂",
        Verdict::Degraded => "▅",
        Verdict::Down => "█",
        Verdict::Unknown => "?",
    }
}
