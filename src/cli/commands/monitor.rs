//! `watchdog monitor list|show|run|history`.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::message::Severity;
use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::cli::commands::alert;
use crate::cli::matching::label;
use crate::cli::result;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::api::{HistoryPoint, MonitorDetail, ProbeResult};
use crate::wire::board::{MonitorRow, State};

/// Columns that a line must have so that captures stand side by side.
const BESIDE: usize = 120;

/// What to do with monitors.
#[derive(Debug, Subcommand)]
pub enum MonitorCommand {
    /// List monitors, the broken ones first
    List(ListArgs),
    /// Show everything about one monitor; exit code 1 when it is down
    Show(NameArgs),
    /// Probe a monitor now, outside its schedule; exit code 1 when the probe fails
    Run(NameArgs),
    /// List the kept results of a monitor, newest last
    History(HistoryArgs),
}

/// Arguments of `monitor list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only monitors in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<StateFilter>,
    /// Only monitors of these types
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub r#type: Vec<String>,
    /// Only monitors with this label; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
}

/// States that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateFilter(State);

impl ValueEnum for StateFilter {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [StateFilter; State::ALL.len()] = {
            let mut all = [StateFilter(State::Down); State::ALL.len()];
            let mut i = 0;
            while i < all.len() {
                all[i] = StateFilter(State::ALL[i]);
                i += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

/// Arguments of commands about one monitor.
#[derive(Args, Debug)]
pub struct NameArgs {
    /// Name of the monitor
    pub name: String,
}

/// Arguments of `monitor history`.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Name of the monitor
    pub name: String,
    /// How many results
    #[arg(short, long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, there is no such monitor, or the server refuses.
pub fn run(command: &MonitorCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        MonitorCommand::List(args) => list(args, ui, cx),
        MonitorCommand::Show(args) => show(&args.name, ui, cx),
        MonitorCommand::Run(args) => run_now(&args.name, ui, cx),
        MonitorCommand::History(args) => history(args, ui, cx),
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/monitors/{}", path_segment(name))
}

impl ListArgs {
    fn admits(&self, row: &MonitorRow) -> bool {
        (self.state.is_empty() || self.state.contains(&StateFilter(row.state)))
            && (self.r#type.is_empty() || self.r#type.iter().any(|kind| **kind == *row.r#type))
            // An absent label is an empty one, as in Prometheus.
            && self.label.iter().all(|(name, value)| row.labels.get(name).unwrap_or_default() == value)
    }
}

fn list(args: &ListArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let mut rows = connect::block_on(async {
        client.get::<Vec<Arc<MonitorRow>>>("/api/v1/monitors").await.map_err(connect::failure)
    })?;
    let all = rows.len();
    rows.retain(|r| args.admits(r));
    if ui.is_json() {
        ui.value(&rows)?;
        return Ok(Answer::Good);
    }
    match (all, rows.len()) {
        (0, _) => ui.note("there are no monitors"),
        (_, 0) => ui.note(format!("none of {all} monitors matches")),
        _ => table(ui, &rows, cx.clock.now()),
    }
    Ok(Answer::Good)
}

/// Prints monitors as a table, the worst first.
pub fn table(ui: &mut Ui, rows: &[Arc<MonitorRow>], now: Timestamp) {
    let mut sorted: Vec<&MonitorRow> = rows.iter().map(|r| &**r).collect();
    // Stable: equal states stay in order of name.
    sorted.sort_by_key(|r| r.state);
    let header = ["STATE", "MONITOR", "TYPE", "FOR", "TOOK", "P95", "UPTIME", "LAST RESULT"];
    let mut table = Table::new(&header, &[1, 7]).dispensable(&[5, 2, 6, 4]);
    for r in sorted {
        let short = |d: Option<std::time::Duration>| d.map_or_else(|| "-".to_owned(), |d| Short(d).to_string());
        let note = if r.stale_config { "(runs on its last good form) " } else { "" };
        table.row(vec![
            Cell::new(r.state.into(), r.state.as_str()),
            Cell::plain(r.name.as_str()),
            Cell::new(Role::Dim, &r.r#type),
            Cell::plain(short(r.since.map(|t| now.since(t)))),
            Cell::plain(short(r.took)),
            Cell::plain(short(r.p95)),
            Cell::plain(r.uptime.map_or_else(|| "-".to_owned(), percent)),
            Cell::plain(format!("{note}{}", r.headline)),
        ]);
    }
    table.print(ui);
}

/// Rounded down: 99.99 % must not look like never having failed.
fn percent(part: f64) -> String {
    if part >= 1.0 { "100%".to_owned() } else { format!("{:.2}%", (part * 10_000.0).floor() / 100.0) }
}

fn show(name: &str, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let detail = connect::block_on(async { client.get::<MonitorDetail>(&path(name)).await.map_err(connect::failure) })?;
    let answer = if detail.row.state == State::Down { Answer::Bad } else { Answer::Good };
    if ui.is_json() {
        ui.value(&detail)?;
        return Ok(answer);
    }
    let now = cx.clock.now();
    head(ui, &detail, now);
    for (title, result) in
        [("last result", &detail.last), ("last success", &detail.last_ok), ("last failure", &detail.last_bad)]
    {
        if let Some(result) = result {
            heading(ui, title);
            result::print(ui, result, now);
        }
    }
    captures(ui, &detail, now);
    if !detail.history.is_empty() {
        heading(ui, "history");
        let strip = result::strip(ui, &detail.history);
        let uptime = detail.row.uptime.map_or_else(|| "-".to_owned(), percent);
        ui.line(format_args!("  {strip}  {uptime} of {} results", detail.history.len()));
    }
    if !detail.alerts.is_empty() {
        heading(ui, "alerts");
        alert::table(ui, &detail.alerts.iter().collect::<Vec<_>>(), now);
    }
    if !detail.events.is_empty() {
        heading(ui, "events");
        let mut table = Table::new(&["WHEN", "WHAT", "DETAIL"], &[2]);
        for e in &detail.events {
            let when = format!("{} ago", Short(now.since(e.at)));
            table.row(vec![Cell::new(Role::Dim, when), Cell::plain(&e.what), Cell::plain(&e.detail)]);
        }
        table.print(ui);
    }
    Ok(answer)
}

/// How it failed first beside how it was when it last worked; one after the other where they have no room, or nobody
/// looks at columns.
fn captures(ui: &mut Ui, detail: &MonitorDetail, now: Timestamp) {
    let (bad, good) = (&detail.first_failure, &detail.last_good);
    let wide = ui.width().filter(|width| *width >= BESIDE);
    if let (Some(bad), Some(good), Some(width)) = (bad, good, wide) {
        heading(ui, "how it failed first, and when it last worked");
        let seen = |title: &str, at: Timestamp| format!("{title}, {} AGO", Short(now.since(at)));
        let header = ["WHAT", &seen("FIRST FAILURE", bad.at), &seen("LAST GOOD", good.at)];
        result::beside(ui, &header, bad.evidence.beside(&good.evidence), width);
        return;
    }
    for (title, capture) in [("how it failed first", bad), ("when it last worked", good)] {
        if let Some(capture) = capture {
            heading(ui, title);
            ui.line(format_args!("  seen {} ago", Short(now.since(capture.at))));
            result::evidence(ui, &capture.evidence);
        }
    }
}

fn heading(ui: &mut Ui, title: &str) {
    let title = ui.paint(Role::Strong, title);
    ui.line(format_args!("\n{title}"));
}

fn head(ui: &mut Ui, detail: &MonitorDetail, now: Timestamp) {
    let row = &detail.row;
    let name = ui.paint(Role::Strong, row.name.as_str());
    let state = ui.paint(row.state.into(), row.state.as_str());
    let since = row.since.map_or_else(String::new, |t| format!(" for {}", Short(now.since(t))));
    let failures = if row.failures > 1 { format!(", {} failures in a row", row.failures) } else { String::new() };
    ui.line(format_args!("{name}  {state}{since}{failures}"));
    if row.stale_config {
        let note = "its file no longer yields it: it runs on its last good form";
        let note = ui.paint(Role::Warn, note);
        ui.line(format_args!("  {note}"));
    }
    let next = detail.next.map_or_else(String::new, |t| format!(", next in {}", Short(t.since(now))));
    let policy = detail.alert.map_or_else(
        || "none".to_owned(),
        |a| format!("{} after {} failures, clear after {}", severity(a.severity), a.after, a.clear_after),
    );
    let labels = if row.labels.is_empty() { String::new() } else { row.labels.to_string() };
    for (key, value) in [
        ("type", &*row.r#type),
        ("target", &row.target),
        ("schedule", &format!("{}{next}", detail.schedule)),
        ("timeout", &Exact(detail.timeout).to_string()),
        ("alert", &policy),
        ("labels", &labels),
        ("source", &detail.source),
    ] {
        if !value.is_empty() {
            let (key, value) = (ui.paint(Role::Dim, format!("{key:<8}")), ui.paint(Role::Plain, value));
            ui.line(format_args!("  {key}  {value}"));
        }
    }
}

const fn severity(severity: Severity) -> &'static str {
    severity.as_str()
}

fn run_now(name: &str, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let result = connect::block_on(async {
        client.post::<_, ProbeResult>(&format!("{}/run", path(name)), &()).await.map_err(connect::failure)
    })?;
    if ui.is_json() {
        ui.value(&result)?;
    } else {
        result::print(ui, &result, cx.clock.now());
    }
    Ok(match result.verdict {
        Verdict::Up | Verdict::Degraded => Answer::Good,
        Verdict::Down | Verdict::Unknown => Answer::Bad,
    })
}

fn history(args: &HistoryArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let path = format!("{}/history?limit={}", path(&args.name), args.limit);
    let points = connect::block_on(async { client.get::<Vec<HistoryPoint>>(&path).await.map_err(connect::failure) })?;
    if ui.is_json() {
        ui.value(&points)?;
        return Ok(Answer::Good);
    }
    if points.is_empty() {
        ui.note("there are no results yet");
        return Ok(Answer::Good);
    }
    let now = cx.clock.now();
    let longest = points.iter().map(|p| p.took).max().unwrap_or_default().as_secs_f64();
    let mut table = Table::new(&["AT", "AGO", "VERDICT", "TOOK", ""], &[4]);
    for p in &points {
        let part = if longest > 0.0 { p.took.as_secs_f64() / longest } else { 0.0 };
        table.row(vec![
            Cell::plain(p.at.local("%Y-%m-%d %H:%M:%S")),
            Cell::new(Role::Dim, Short(now.since(p.at)).to_string()),
            Cell::new(p.verdict.into(), p.verdict.as_str()),
            Cell::plain(Short(p.took).to_string()),
            Cell::new(p.verdict.into(), "▇".repeat((part * 24.0).round() as usize)),
        ]);
    }
    table.print(ui);
    Ok(Answer::Good)
}
