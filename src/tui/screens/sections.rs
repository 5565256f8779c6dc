//! The parts of a monitor's detail as lines of text: what the list's second pane and the full screen share.

use std::time::Duration;

use crate::base::outcome::{Check, Evidence, Item, Phase, Sample, Verdict};
use crate::base::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::tui::screens::monitors::percent;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::chart;
use crate::tui::widgets::strip::strip;
use crate::tui::widgets::text::{Line, age, rule, wrap};
use crate::wire::api::{MonitorDetail, ProbeResult};
use crate::wire::board::{AlertRow, AlertState, DeliveryRow, Event, MonitorRow, STRIP_BUCKET, STRIP_CELLS};

/// Lines of one piece of evidence that are shown.
const EVIDENCE_LINES: usize = 60;
/// Past probes that are shown.
const PROBES: usize = 30;
/// Measured values that are shown.
const VALUES: usize = 60;

/// What every part needs to know.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) theme: &'a Theme,
    pub(super) columns: usize,
    pub(super) fresh: bool,
    pub(super) now: Timestamp,
}

impl Page<'_> {
    pub(super) fn rule(&self, title: &str, tail: &str) -> Line {
        rule(self.theme, self.columns, title, tail, false)
    }

    /// `text` under a label, broken to the width.
    pub(super) fn field(&self, label: &str, role: Role, text: &str) -> Vec<Line> {
        let indent = 11;
        let pieces = wrap(text, self.columns.saturating_sub(indent + 1));
        let mut label = Some(label);
        let first = |l: Option<&str>| Line::new().add(Role::Dim, format!("  {}", l.unwrap_or(""))).pad(indent);
        pieces.into_iter().map(|piece| first(label.take()).add(role, piece)).collect()
    }

    pub(super) fn time(&self, at: Timestamp) -> String {
        let pattern = if self.now.since(at) < Duration::from_secs(64_800) { "%H:%M:%S" } else { "%m-%d %H:%M" };
        at.local(pattern)
    }
}

/// State, since when, and why.
pub(super) fn state(p: &Page<'_>, row: &MonitorRow) -> Line {
    let mark = p.theme.state(row.state, p.fresh);
    let since = row.since.map(|at| format!(" {}", age(p.now.since(at)))).unwrap_or_default();
    Line::new().add(mark.role, format!("{} {}{since}", mark.glyph, mark.word))
}

/// Target, schedule, definition and the last result in a few lines.
pub(super) fn about(p: &Page<'_>, row: &MonitorRow, detail: Option<&MonitorDetail>, running: bool) -> Vec<Line> {
    let mut lines = p.field(&row.r#type, Role::Text, &row.target);
    if let Some(d) = detail {
        let mut text = format!("{}, timeout {}", d.schedule, Exact(d.timeout));
        if let Some(alert) = &d.alert {
            text.push_str(&format!(", {} alert after {} failures", alert.severity.as_str(), alert.after));
        }
        lines.extend(p.field("runs", Role::Text, &text));
    }
    if row.stale_config {
        let text = "its definition on disk is broken: it runs on its last good form";
        lines.extend(p.field("config", Role::Degraded, text));
    }
    let at = row.last.map_or_else(|| "never".to_owned(), |at| p.time(at));
    let headline = if row.headline.is_empty() { String::new() } else { format!("  {}", row.headline) };
    let calm = row.failures == 0 || !p.fresh;
    lines.extend(p.field("last", if calm { Role::Text } else { Role::Strong }, &format!("{at}{headline}")));
    if row.failures > 0 {
        let ok = detail.and_then(|d| d.last_ok.as_ref()).map(|r| format!(", last ok {}", p.time(r.at)));
        let text = format!("{} in a row{}", row.failures, ok.unwrap_or_default());
        lines.extend(p.field("failed", Role::Text, &text));
    }
    if running {
        lines.extend(p.field("now", Role::Pending, "being probed at your request"));
    }
    lines
}

/// Where it is defined, its labels, its next probe.
pub(super) fn definition(p: &Page<'_>, row: &MonitorRow, detail: &MonitorDetail) -> Vec<Line> {
    let mut lines = vec![p.rule("DEFINITION", "")];
    lines.extend(p.field("file", Role::Text, &detail.source));
    if !row.labels.is_empty() {
        let text = row.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("  ");
        lines.extend(p.field("labels", Role::Text, &text));
    }
    if let Some(next) = detail.next.filter(|_| p.fresh) {
        lines.extend(p.field("next", Role::Text, &p.time(next)));
    }
    lines
}

/// Durations over time.
pub(super) fn latency(p: &Page<'_>, detail: &MonitorDetail, rows: usize) -> Vec<Line> {
    let mut lines = vec![p.rule("LATENCY", &chart::summary(&detail.history, detail.row.p95))];
    if detail.history.len() < 2 {
        lines.push(Line::new().add(Role::Dim, "  too few probes so far for a chart"));
    }
    lines.extend(chart::latency(&detail.history, p.columns, rows, p.fresh, p.theme));
    lines
}

/// Where the time went: the failed probe beside the last good one.
pub(super) fn phases(p: &Page<'_>, detail: &MonitorDetail) -> Vec<Line> {
    let is_ok = |r: &&ProbeResult| matches!(r.verdict, Verdict::Up);
    let last = detail.last.as_ref();
    let ok = last.filter(is_ok).or(detail.last_ok.as_ref()).filter(|r| !r.phases.is_empty());
    let bad = last.filter(|r| !is_ok(r)).or(detail.last_bad.as_ref()).filter(|r| !r.phases.is_empty());
    if ok.is_none() && bad.is_none() {
        return Vec::new();
    }
    let title = match (bad, ok) {
        (Some(bad), Some(ok)) => format!("PHASES  failed {} against ok {}", p.time(bad.at), p.time(ok.at)),
        (Some(bad), None) => format!("PHASES  failed {}", p.time(bad.at)),
        (None, Some(ok)) => format!("PHASES  ok {}", p.time(ok.at)),
        (None, None) => String::new(),
    };
    let mut names: Vec<&str> = Vec::new();
    for phase in [ok, bad].into_iter().flatten().flat_map(|r| &r.phases) {
        if !names.contains(&phase.name.as_ref()) {
            names.push(&phase.name);
        }
    }
    let find = |r: Option<&ProbeResult>, name: &str| -> Option<Phase> {
        r.and_then(|r| r.phases.iter().find(|f| f.name == name)).cloned()
    };
    let total = [ok, bad].into_iter().flatten().map(|r| r.took).max().unwrap_or_default();
    let mut lines = vec![p.rule(&title, "")];
    let both = ok.is_some() && bad.is_some();
    // The names of steps stand before those of their phases.
    let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0).clamp(11, 24);
    let bar = p.columns.saturating_sub(13 + width + if both { 10 } else { 0 });
    for name in names {
        let (failed, good) = (find(bad, name), find(ok, name));
        let main = if bad.is_some() { &failed } else { &good };
        let broke = main.as_ref().is_some_and(|f| f.failed);
        let took = main.as_ref().map_or_else(|| "-".to_owned(), |f| Short(f.took).to_string());
        let part = main.as_ref().map_or(0.0, |f| f.took.as_secs_f64() / total.as_secs_f64().max(1e-9));
        let (glyph, role) = if broke && p.fresh { (p.theme.error().glyph, Role::Down) } else { (" ", Role::Text) };
        let glyph = if broke && !p.fresh { "!" } else { glyph };
        let mut line = Line::new()
            .add(Role::Text, "  ")
            .col(Role::Text, name, width, p.theme)
            .add(role, glyph)
            .num(role, &took, 7, p.theme)
            .add(Role::Text, " ")
            .add(if role == Role::Down { Role::DownBar } else { role }, p.theme.gauge(part, bar))
            .pad(12 + width + bar);
        if both {
            let good = good.map_or_else(|| "-".to_owned(), |f| Short(f.took).to_string());
            line = line.num(Role::Dim, &format!("ok {good}"), 10, p.theme);
        }
        lines.push(line);
    }
    lines
}

/// Each expectation and how it fared.
pub(super) fn checks(p: &Page<'_>, result: &ProbeResult) -> Vec<Line> {
    if result.checks.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![p.rule("CHECKS", &p.time(result.at))];
    for Check { name, ok, found } in &result.checks {
        let (mark, note) = match ok {
            Some(true) if p.fresh => (p.theme.good(), ""),
            Some(true) => (p.theme.verdict(Verdict::Up, false), ""),
            Some(false) if p.fresh => (p.theme.error(), ""),
            Some(false) => (p.theme.verdict(Verdict::Down, false), " (failed)"),
            None => (p.theme.state(crate::wire::board::State::Paused, true), "not reached"),
        };
        let found = if found.is_empty() { note.to_owned() } else { format!("{found}{note}") };
        let line = Line::new().add(mark.role, format!("  {} ", mark.glyph)).add(Role::Text, name);
        lines.push(if found.is_empty() { line } else { line.add(Role::Dim, format!("   {found}")) });
    }
    lines
}

/// What was measured.
pub(super) fn values(p: &Page<'_>, result: &ProbeResult) -> Vec<Line> {
    if result.samples.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![p.rule(&format!("VALUES {}", result.samples.len()), &p.time(result.at))];
    let room = p.columns.saturating_sub(16);
    let mut family = "";
    for (i, sample) in result.samples.iter().enumerate().take(VALUES) {
        let labels = sample.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
        let next = result.samples.get(i + 1).is_some_and(|n| n.name == sample.name);
        let name = if sample.name == family {
            format!("  {labels}")
        } else if next && !labels.is_empty() {
            // A family has its name on a line of its own; the labels say which member it is.
            lines.push(Line::new().add(Role::Dim, format!("  {}", sample.name)));
            format!("  {labels}")
        } else {
            format!("{} {labels}", sample.name)
        };
        family = &sample.name;
        let line = Line::new().add(Role::Text, "  ").col(Role::Dim, &name, room, p.theme);
        lines.push(line.num(Role::Text, &value(sample), 13, p.theme));
    }
    lines.extend(more(result.samples.len(), VALUES));
    lines
}

/// A value with the unit that its name tells.
fn value(sample: &Sample) -> String {
    let v = sample.value;
    if sample.name.ends_with("_bytes") && v.is_finite() {
        for (unit, scale) in [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)] {
            if v.abs() >= scale {
                return format!("{:.1} {unit}", v / scale);
            }
        }
        return format!("{v} B");
    }
    if sample.name.ends_with("_seconds")
        && let Ok(d) = Duration::try_from_secs_f64(v)
        && v < 1e9
    {
        return Short(d).to_string();
    }
    if v.fract() == 0.0 && v.abs() < 1e15 {
        return format!("{v}");
    }
    let text = format!("{v:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The status strip with uptime.
pub(super) fn history(p: &Page<'_>, row: &MonitorRow) -> Vec<Line> {
    let cells = p.columns.saturating_sub(4).min(STRIP_CELLS);
    let covered = STRIP_BUCKET * u32::try_from(cells).unwrap_or(0);
    let tail = format!("uptime {}   1 cell = {}", percent(row.uptime), Short(STRIP_BUCKET));
    vec![
        p.rule(&format!("LAST {}", Short(covered)), &tail),
        strip(Line::new().add(Role::Text, "  "), &row.strip, cells, p.fresh, p.theme),
    ]
}

/// What was seen when it last failed.
pub(super) fn evidence(p: &Page<'_>, detail: &MonitorDetail) -> Vec<Line> {
    let seen = |r: &Option<ProbeResult>| r.as_ref().and_then(|r| r.evidence.clone().map(|e| (r.at, e)));
    let Some((at, evidence)) = seen(&detail.last).or_else(|| seen(&detail.last_bad)) else {
        return Vec::new();
    };
    let mut lines = vec![p.rule("EVIDENCE", &p.time(at))];
    texts(p, &evidence, &mut lines);
    lines
}

/// Columns that a screen must have so that captures stand side by side.
pub(super) const BESIDE: usize = 120;

/// How it failed first beside how it was when it last worked: what they say of the same thing begins on one line.
/// `None` where there are not both.
pub(super) fn captures_beside(
    left: &Page<'_>,
    right: &Page<'_>,
    detail: &MonitorDetail,
) -> Option<(Vec<Line>, Vec<Line>)> {
    let (bad, good) = (detail.first_failure.as_ref()?, detail.last_good.as_ref()?);
    let mut of_bad = vec![left.rule("FIRST FAILURE", &left.time(bad.at))];
    let mut of_good = vec![right.rule("LAST GOOD", &right.time(good.at))];
    for (ours, theirs) in bad.evidence.beside(&good.evidence) {
        ours.into_iter().for_each(|item| item_lines(left, item, &mut of_bad));
        theirs.into_iter().for_each(|item| item_lines(right, item, &mut of_good));
        level(&mut of_bad, &mut of_good);
    }
    Some((of_bad, of_good))
}

/// Makes both as long as the longer one.
pub(super) fn level(left: &mut Vec<Line>, right: &mut Vec<Line>) {
    let most = left.len().max(right.len());
    left.resize_with(most, Line::new);
    right.resize_with(most, Line::new);
}

/// How it failed first, and how it was when it last worked, one after the other.
pub(super) fn captures(p: &Page<'_>, detail: &MonitorDetail) -> Vec<Line> {
    let mut lines = Vec::new();
    for (title, capture) in [("FIRST FAILURE", &detail.first_failure), ("LAST GOOD", &detail.last_good)] {
        if let Some(capture) = capture {
            lines.push(p.rule(title, &p.time(capture.at)));
            texts(p, &capture.evidence, &mut lines);
        }
    }
    lines
}

fn texts(p: &Page<'_>, evidence: &Evidence, lines: &mut Vec<Line>) {
    evidence.items.iter().for_each(|item| item_lines(p, item, lines));
}

fn item_lines(p: &Page<'_>, (title, text): &Item, lines: &mut Vec<Line>) {
    lines.push(Line::new().add(Role::Heading, format!("  {title}")));
    let mut left = EVIDENCE_LINES;
    for piece in term_safe::lines(text).flat_map(|l| wrap(&l, p.columns.saturating_sub(6))) {
        if left == 0 {
            lines.push(Line::new().add(Role::Dim, "    ... cut here; `watchdog monitor show` prints all of it"));
            break;
        }
        left -= 1;
        lines.push(Line::new().add(Role::Text, format!("    {piece}")));
    }
}

/// The newest probes; runs of the same judgement are folded.
pub(super) fn probes(p: &Page<'_>, detail: &MonitorDetail) -> Vec<Line> {
    if detail.history.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![p.rule("RECENT PROBES", &format!("{} kept", detail.history.len()))];
    let mut rest = detail.history.iter().rev().peekable();
    let mut run = 0;
    let mut before = None;
    while let Some(point) = rest.next() {
        if lines.len() > PROBES {
            break;
        }
        run = if before == Some(point.verdict) { run + 1 } else { 0 };
        before = Some(point.verdict);
        // Four of a kind in full, then how many more there are.
        if run == 4 {
            let mut folded = 1;
            let mut oldest = point;
            while let Some(same) = rest.next_if(|n| n.verdict == point.verdict) {
                (folded, oldest) = (folded + 1, same);
            }
            let text = format!("  ... {folded} more of the same, back to {}", p.time(oldest.at));
            lines.push(Line::new().add(Role::Dim, text));
            continue;
        }
        let mark = p.theme.verdict(point.verdict, p.fresh);
        lines.push(
            Line::new()
                .add(Role::Dim, format!("  {} ", p.time(point.at)))
                .add(mark.role, format!("{} ", mark.glyph))
                .col(mark.role, mark.word, 9, p.theme)
                .num(Role::Text, &Short(point.took).to_string(), 7, p.theme),
        );
    }
    lines
}

/// The monitor's alerts with what was sent about them.
pub(super) fn alerts(p: &Page<'_>, alerts: &[AlertRow]) -> Vec<Line> {
    if alerts.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![p.rule("ALERTS", "")];
    for alert in alerts {
        let mark = p.theme.alert(alert.severity, alert.state, p.fresh);
        let word = match alert.state {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Resolved => "over",
        };
        let text = format!("{} {} {word} for {}", mark.glyph, alert.name, age(p.now.since(alert.since)));
        lines.push(Line::new().add(mark.role, format!("  {text}")));
        lines.extend(alert.deliveries.iter().map(|d| delivery(p, d)));
    }
    lines
}

/// What was sent to one receiver about an alert.
pub(super) fn delivery(p: &Page<'_>, d: &DeliveryRow) -> Line {
    let mark = p.theme.delivery(d.state, d.attempts, p.fresh);
    let tries = if d.attempts > 1 { format!(" (try {})", d.attempts) } else { String::new() };
    let line = Line::new()
        .add(Role::Text, "    ")
        .add(mark.role, format!("{} {}", mark.glyph, d.receiver))
        .add(Role::Dim, format!("  {} {} {}{tries}", d.status.as_str(), mark.word, p.time(d.at)));
    match &d.error {
        Some(error) => line.add(Role::Text, format!("  {error}")),
        None => line,
    }
}

/// Events, newest first.
pub(super) fn events<'e>(p: &Page<'_>, events: impl Iterator<Item = &'e Event>, subject: bool) -> Vec<Line> {
    events.map(|e| event(p, e, subject)).collect()
}

/// One event.
pub(super) fn event(p: &Page<'_>, e: &Event, subject: bool) -> Line {
    let role = match e.what.as_str() {
        "down" | "firing" | "dead" | "refused" if p.fresh => Role::Down,
        "degraded" | "retry" if p.fresh => Role::Degraded,
        "unknown" if p.fresh => Role::Unknown,
        _ => Role::Text,
    };
    let line = Line::new().add(Role::Dim, format!("  {}  ", p.time(e.at))).col(role, &e.what, 10, p.theme);
    let line = line.add(Role::Text, " ");
    let width = (p.columns / 4).clamp(10, 24);
    let line = if subject { line.col(Role::Text, &e.subject, width, p.theme).add(Role::Text, " ") } else { line };
    line.add(Role::Dim, &e.detail)
}

/// `+3 more` below a cut list.
pub(super) fn more(len: usize, shown: usize) -> Option<Line> {
    (len > shown).then(|| Line::new().add(Role::Dim, format!("  +{} more", len - shown)))
}
