//! `watchdog alert show`.

use clap::Args;

use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::alert::{muted_by, state};
use crate::cli::table::{Cell, Table, wrap};
use crate::cli::times::when;
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::alerting::{Ack, AlertDetail, RouteMatch};
use crate::wire::board::{AlertState, DeliveryState, Event};

/// Events of the timeline that a person is shown.
const TIMELINE: usize = 30;

/// Arguments of `alert show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Id of the alert or its beginning, its name, or the monitor it is about
    #[arg(value_name = "ALERT")]
    pub alert: String,
}

/// The API's path of an alert.
pub fn path(alert: &str) -> String {
    format!("/api/v1/alerts/{}", path_segment(alert))
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, there is no such alert, or several are meant.
pub fn run(args: &ShowArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let detail =
        connect::block_on(async { client.get::<AlertDetail>(&path(&args.alert)).await.map_err(connect::failure) })?;
    let answer = if detail.alert.state == AlertState::Firing { Answer::Bad } else { Answer::Good };
    if ui.is_json() {
        ui.value(&detail)?;
        return Ok(answer);
    }
    let now = cx.clock.now();
    head(ui, &detail, now);
    told(ui, &detail, now);
    if !detail.next.is_empty() {
        heading(ui, "what comes next");
        for next in &detail.next {
            let (at, what) = (ui.paint(Role::Plain, when(next.at, now)), ui.paint(Role::Plain, &next.what));
            ui.line(format_args!("  {at}: {what}"));
        }
    }
    if !detail.timeline.is_empty() {
        heading(ui, "timeline");
        let skip = detail.timeline.len().saturating_sub(TIMELINE);
        if skip > 0 {
            ui.note(format!("{skip} earlier events: `watchdog alert history {}`", detail.alert.fingerprint));
        }
        events(ui, detail.timeline.get(skip..).unwrap_or_default(), now, false);
    }
    Ok(answer)
}

/// Prints a heading with a line before it.
pub fn heading(ui: &mut Ui, title: &str) {
    let title = ui.paint(Role::Strong, title);
    ui.line(format_args!("\n{title}"));
}

/// Who has it, since when and for how long.
pub fn owner(ack: &Ack, now: Timestamp) -> String {
    let until = ack.until.map_or_else(String::new, |until| format!(", until {}", when(until, now)));
    let comment = if ack.comment.is_empty() { String::new() } else { format!(": {}", ack.comment) };
    format!("{} since {}{until}{comment}", ack.by, when(ack.at, now))
}

fn head(ui: &mut Ui, detail: &AlertDetail, now: Timestamp) {
    let alert = &detail.alert;
    let (word, role) = state(alert);
    let (name, word) = (ui.paint(Role::Strong, &alert.name), ui.paint(role, word));
    let subject = ui.paint(Role::Plain, alert.subject());
    let gap = if alert.subject().is_empty() { "" } else { " " };
    let severity = alert.severity.as_str();
    ui.line(format_args!("{name}{gap}{subject}  {word} for {}, {severity}", Short(now.since(alert.since))));
    let muted = alert.muted.as_ref().map(|by| {
        let until = by.until.map_or_else(String::new, |until| format!(", until {}", when(until, now)));
        format!("{}{until}: {}", muted_by(by), by.detail)
    });
    let annotation = |name: &str| alert.annotations.get(name).map(str::to_owned);
    for (key, value, role) in [
        ("id", Some(alert.fingerprint.clone()), Role::Plain),
        ("summary", annotation("summary"), Role::Plain),
        ("detail", annotation("description"), Role::Plain),
        ("owner", alert.ack.as_ref().map(|ack| owner(ack, now)), Role::Good),
        ("muted by", muted, Role::Warn),
        ("condition", Some(detail.condition.clone()), Role::Plain),
        ("value", detail.value.map(crate::wire::query::value_text), Role::Plain),
        ("began", Some(when(alert.starts_at, now)), Role::Plain),
        ("labels", Some(alert.labels.to_string()), Role::Plain),
        ("source", Some(detail.source.clone()), Role::Plain),
        ("routes", Some(routes(detail)), Role::Plain),
        ("runbook", detail.runbook.clone(), Role::Strong),
    ] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            property(ui, key, &value, role);
        }
    }
}

/// Which ways it takes.
fn routes(detail: &AlertDetail) -> String {
    let one = |r: &RouteMatch| format!("{} to {} ({})", r.route, r.receiver, r.source);
    detail.routes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Prints `key  value`, the value over several lines if it is long.
pub fn property(ui: &mut Ui, key: &str, value: &str, role: Role) {
    let width = ui.width().unwrap_or(usize::MAX).saturating_sub(13).max(20);
    for (i, line) in wrap(value, width).iter().enumerate() {
        let key = ui.paint(Role::Dim, format!("{:<9}", if i == 0 { key } else { "" }));
        let line = ui.paint(role, line);
        ui.line(format_args!("  {key}  {line}"));
    }
}

/// Whom it is routed to, and what they were told.
fn told(ui: &mut Ui, detail: &AlertDetail, now: Timestamp) {
    let mut table = Table::new(&["NOTIFIER", "TOLD", "WHEN", "DETAIL"], &[0, 3]);
    let mut notifiers: Vec<&str> = Vec::new();
    let routed = detail.routes.iter().flat_map(|r| &r.notifiers);
    for notifier in routed.chain(detail.alert.deliveries.iter().map(|d| &d.receiver)) {
        if !notifiers.contains(&notifier.as_str()) {
            notifiers.push(notifier);
        }
    }
    if notifiers.is_empty() {
        return ui.note("it is routed to nobody");
    }
    for notifier in notifiers {
        let told = detail.alert.deliveries.iter().find(|d| d.receiver == notifier);
        let (what, at, detail) = match told {
            None => (Cell::new(Role::Dim, "nothing yet"), String::new(), String::new()),
            Some(d) => {
                let (word, role) = delivery(d.state);
                let tries = if d.attempts > 1 { format!(", attempt {}", d.attempts) } else { String::new() };
                let what = Cell::new(role, format!("{} {word}{tries}", d.status.as_str()));
                (what, when(d.at, now), d.error.clone().unwrap_or_default())
            }
        };
        table.row(vec![Cell::plain(notifier), what, Cell::plain(at), Cell::plain(detail)]);
    }
    ui.line("");
    table.print(ui);
}

/// The word for how far a delivery got, and its colour.
pub const fn delivery(state: DeliveryState) -> (&'static str, Role) {
    match state {
        DeliveryState::Delivered => ("delivered", Role::Good),
        DeliveryState::Owed => ("owed", Role::Warn),
        DeliveryState::Dead => ("given up", Role::Bad),
    }
}

/// Prints events as a table.
pub fn events(ui: &mut Ui, events: &[Event], now: Timestamp, subjects: bool) {
    let mut header = vec!["AT", "AGO"];
    header.extend(subjects.then_some("ABOUT"));
    header.extend(["WHAT", "DETAIL"]);
    let shrink: &[usize] = if subjects { &[2, 4] } else { &[3] };
    let mut table = Table::new(&header, shrink).dispensable(&[0]);
    for e in events {
        let mut row = vec![Cell::plain(e.at.local("%F %T")), Cell::new(Role::Dim, Short(now.since(e.at)).to_string())];
        row.extend(subjects.then(|| Cell::plain(&e.subject)));
        row.extend([Cell::plain(&e.what), Cell::plain(&e.detail)]);
        table.row(row);
    }
    table.print(ui);
}
