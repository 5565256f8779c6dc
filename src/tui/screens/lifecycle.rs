//! One alert in full: what it says, who has it, its life so far, and what comes next.

use std::time::Duration;

use crate::tui::screens::sections::{self, Page};
use crate::tui::state::State;
use crate::tui::theme::Role;
use crate::tui::widgets::plot::number;
use crate::tui::widgets::text::{Line, age, fit, fit_left, width, wrap};
use crate::wire::alerting::{AlertDetail, MuteKind};
use crate::wire::board::{AlertRow, AlertState, Event, EventKind};

/// An alert that fired this often in [`FLAP_WITHIN`] flaps.
const FLAPS: usize = 3;
const FLAP_WITHIN: Duration = Duration::from_secs(3 * 3_600);
/// Lines of the life that are shown before the oldest are left out.
const LIFE: usize = 60;

/// `CheckoutDown / api-checkout`.
pub(super) fn title(alert: &AlertRow) -> String {
    if alert.subject().is_empty() { alert.name.clone() } else { format!("{} / {}", alert.name, alert.subject()) }
}

/// `✗ CRIT firing 13m`.
pub(super) fn tail(s: &State, p: &Page<'_>, alert: &AlertRow) -> String {
    let mark = p.theme.alert(alert.severity, alert.state, p.fresh);
    let word = match alert.state {
        AlertState::Pending => "pending",
        AlertState::Firing if p.fresh => "firing",
        AlertState::Firing => "fired",
        AlertState::Resolved => "over",
    };
    let severity = match alert.state {
        AlertState::Firing => mark.word,
        AlertState::Pending | AlertState::Resolved => alert.severity.as_str(),
    };
    let now = s.server_now();
    format!("{} {severity} {word} {}", mark.glyph, age(now.since(alert.since)))
}

/// All of it, the life cut at its oldest end to fit into `room` lines.
pub(super) fn lines(s: &State, p: &Page<'_>, alert: &AlertRow, long: bool, room: usize) -> Vec<Line> {
    let detail = s.alerts.detail.get(&alert.fingerprint).map(AsRef::as_ref);
    let mut lines = Vec::new();
    lines.extend(condition(p, detail));
    let texts: &[&str] = if long { &["summary", "description"] } else { &["summary"] };
    for text in texts.iter().filter_map(|name| alert.annotations.get(name)) {
        lines.extend(
            wrap(text, p.columns.saturating_sub(3)).into_iter().map(|l| Line::new().add(Role::Text, format!("  {l}"))),
        );
    }
    lines.extend(standing(s, p, alert));
    if long {
        lines.extend(facts(p, alert, detail));
    }
    let (life, end) = match detail {
        Some(d) => (life(p, alert, &d.timeline), after(p, d)),
        None => (waiting(s, p, alert), Vec::new()),
    };
    let head = if long { vec![p.rule("LIFECYCLE", "")] } else { vec![Line::new()] };
    let fixed = lines.len() + head.len() + end.len();
    let fits = room.saturating_sub(fixed).clamp(3, LIFE);
    lines.extend(head);
    if life.len() > fits {
        let kept = fits - 1;
        let text = format!("  {} earlier", life.len() - kept);
        lines.push(Line::new().add(Role::Dim, text));
        lines.extend(life.into_iter().rev().take(kept).collect::<Vec<_>>().into_iter().rev());
    } else {
        lines.extend(life);
    }
    lines.extend(end);
    lines
}

/// What the rule asks, and where it stands.
fn condition(p: &Page<'_>, detail: Option<&AlertDetail>) -> Vec<Line> {
    let Some(d) = detail else { return Vec::new() };
    let room = p.columns.saturating_sub(3);
    if width(&d.condition) + width(&d.source) + 3 <= room {
        let tail = Line::new().add(Role::Dim, format!("{} ", d.source));
        return vec![Line::new().add(Role::Strong, format!("  {}", d.condition)).right(p.columns, tail)];
    }
    let mut lines: Vec<Line> =
        wrap(&d.condition, room).into_iter().take(3).map(|l| Line::new().add(Role::Strong, format!("  {l}"))).collect();
    if !d.source.is_empty() {
        lines.push(Line::new().add(Role::Dim, format!("  {}", fit_left(&d.source, room, p.theme))));
    }
    lines
}

/// Who has it, and what keeps it from being told.
fn standing(s: &State, p: &Page<'_>, alert: &AlertRow) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(ack) = s.acks.of(alert) {
        let mark = p.theme.acked();
        let said = if ack.comment.is_empty() { String::new() } else { format!(": {}", ack.comment) };
        let until = ack.until.map(|at| format!(", lapses {}", p.time(at))).unwrap_or_default();
        let text = format!("{} has it since {}{until}{said}", ack.by, p.time(ack.at));
        let (glyph, role) = if p.fresh { (mark.glyph, mark.role) } else { ("?", Role::Quiet) };
        lines.extend(marked(p, glyph, role, &text));
    }
    if let Some(muted) = &alert.muted {
        let kind = match muted.kind {
            MuteKind::Silence => "silenced",
            MuteKind::Maintenance => "in maintenance",
            MuteKind::Inhibition => "inhibited",
            MuteKind::Dependency => "what it depends on is down",
            MuteKind::Time => "outside of the route's times",
        };
        let until = muted.until.map(|at| format!(" until {}", p.time(at))).unwrap_or_default();
        let detail = if muted.detail.is_empty() { &muted.id } else { &muted.detail };
        lines.extend(marked(p, p.theme.muted().glyph, Role::Text, &format!("not told: {kind}{until}, {detail}")));
    }
    lines
}

fn marked(p: &Page<'_>, glyph: &str, role: Role, text: &str) -> Vec<Line> {
    let mut glyph = Some(glyph);
    wrap(text, p.columns.saturating_sub(5))
        .into_iter()
        .map(|l| Line::new().add(role, format!("  {} ", glyph.take().unwrap_or(" "))).add(Role::Text, l))
        .collect()
}

fn facts(p: &Page<'_>, alert: &AlertRow, detail: Option<&AlertDetail>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(value) = detail.and_then(|d| d.value).or(alert.value) {
        lines.extend(p.field("value", Role::Text, &number(value)));
    }
    let labels: Vec<String> = alert.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    lines.extend(p.field("labels", Role::Text, &labels.join("  ")));
    let others =
        alert.annotations.iter().filter(|(k, _)| !["summary", "description", "runbook_url", "runbook"].contains(k));
    for (name, text) in others {
        lines.extend(p.field(&fit(name, 8, p.theme), Role::Text, text));
    }
    for route in detail.map(|d| d.routes.as_slice()).unwrap_or_default() {
        let through = if route.notifiers == [route.receiver.as_str()] || route.notifiers.is_empty() {
            String::new()
        } else {
            format!(" through {}", route.notifiers.join(", "))
        };
        let text = format!("{}{through}  {}  {}", route.receiver, route.route, route.source);
        lines.extend(p.field("goes to", Role::Text, &text));
    }
    lines
}

/// The events of its life, oldest first.
fn life(p: &Page<'_>, alert: &AlertRow, timeline: &[Event]) -> Vec<Line> {
    let mut lines: Vec<Line> = timeline.iter().map(|e| event(p, alert, e)).collect();
    let fired = timeline.iter().filter(|e| is_firing(e) && p.now.since(e.at) <= FLAP_WITHIN).count();
    if fired >= FLAPS {
        let text = format!("  ~ flapping: fired {fired} times in {}", age(FLAP_WITHIN));
        lines.push(Line::new().add(if p.fresh { Role::Degraded } else { Role::Quiet }, text));
    }
    lines
}

fn is_firing(e: &Event) -> bool {
    e.kind == EventKind::Alert && e.what == "firing"
}

fn event(p: &Page<'_>, alert: &AlertRow, e: &Event) -> Line {
    let mark = p.theme.event(e, alert.severity, p.fresh);
    let line = Line::new()
        .add(Role::Dim, format!("  {} {} ", p.time(e.at), p.theme.bar()))
        .add(mark.role, format!("{} ", mark.glyph))
        .col(mark.role, &e.what, 10, p.theme)
        .add(Role::Text, " ");
    let subject = if e.kind == EventKind::Delivery { format!("{}  ", e.subject) } else { String::new() };
    line.add(Role::Text, format!("{subject}{}", e.detail))
}

/// What comes next, and what to do.
fn after(p: &Page<'_>, d: &AlertDetail) -> Vec<Line> {
    let mut lines = Vec::new();
    for next in d.next.iter().filter(|_| p.fresh) {
        let wait = next.at.since(p.now);
        let wait = if wait.is_zero() { "now".to_owned() } else { format!("in {}", age(wait)) };
        lines.push(
            Line::new()
                .add(Role::Dim, format!("  {} {} ", p.time(next.at), p.theme.bar()))
                .add(Role::Text, format!("{} ", p.theme.planned()))
                .col(Role::Text, &wait, 10, p.theme)
                .add(Role::Text, format!(" {}", next.what)),
        );
    }
    if let Some(url) = &d.runbook {
        lines.extend(p.field("runbook", Role::Text, url));
    }
    lines
}

/// What the board alone tells, until the rest has come.
fn waiting(s: &State, p: &Page<'_>, alert: &AlertRow) -> Vec<Line> {
    let mut lines: Vec<Line> = alert.deliveries.iter().map(|d| sections::delivery(p, d)).collect();
    if let Some(error) = s.alerts.detail.error(&alert.fingerprint) {
        lines.extend(marked(p, p.theme.warning().glyph, Role::Degraded, &format!("details: {error}")));
    } else if !p.fresh {
        let text = "  no details: they were not fetched before the connection was lost";
        lines.push(Line::new().add(Role::Dim, text));
    } else if s.alerts.detail.is_slow(s.now.steady) {
        lines.push(Line::new().add(Role::Dim, "  waiting for details ..."));
    }
    lines
}
