//! `watchdog sla report`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::failure::{Failure, Kind};
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::times::{Time, time};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::sla::{SlaReport, SlaRow};

/// What to do with objectives.
#[derive(Debug, Subcommand)]
pub enum SlaCommand {
    /// Tell how available monitors were, and what is left of their error budgets; exit code 1 when one missed its objective
    Report(ReportArgs),
}

/// Arguments of `sla report`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Only these monitors
    #[arg(value_name = "MONITOR")]
    pub monitors: Vec<String>,
    /// A month [default: the present one]
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"])]
    pub month: Option<String>,
    /// From this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub from: Option<Time>,
    /// Up to this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, requires = "from")]
    pub to: Option<Time>,
    /// Whose month, an IANA name [default: the server's `time_zone`, or UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Only monitors whose labels match: `team="web"`; may be given several times
    #[arg(short, long = "filter", value_name = "MATCHER")]
    pub filters: Vec<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

const EXAMPLES: &str = "\
Examples:
  watchdog sla report --month 2026-10
  watchdog sla report --month 2026-10 --format md > october.md
  watchdog sla report --from -7d --filter 'team=\"web\"' --format csv";

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    #[default]
    Table,
    /// One line for each monitor, times in seconds
    Csv,
    /// Markdown, with the downtimes
    Md,
    /// As the API gives it
    Json,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or the server refuses.
pub fn run(command: &SlaCommand, ui: &mut Ui, cx: &Context) -> Done {
    let SlaCommand::Report(args) = command;
    let path = path(args, cx.clock.now());
    let client = connect::client(&cx.settings)?;
    let report: SlaReport =
        connect::block_on(async { client.get::<SlaReport>(&path).await.map_err(connect::failure) })?;
    let missing = args.monitors.iter().find(|name| !report.monitors.iter().any(|m| m.monitor == **name));
    if let Some(name) = missing {
        let why = match args.filters.is_empty() {
            true => format!("no monitor is named `{name}`"),
            false => format!("no monitor that `--filter` matches is named `{name}`"),
        };
        return Err(Failure::text(Kind::Bad, why));
    }
    match args.format {
        _ if ui.is_json() => ui.value(&report)?,
        Format::Json => ui.json_text(&serde_json::to_string_pretty(&report).unwrap_or_default()),
        Format::Table => table(ui, &report),
        Format::Csv => ui.out(format_args!("{}", csv(&report))),
        Format::Md => ui.out(format_args!("{}", markdown(&report))),
    }
    let missed = report.monitors.iter().any(|m| m.met == Some(false));
    Ok(if missed { Answer::Bad } else { Answer::Good })
}

fn path(args: &ReportArgs, now: Timestamp) -> String {
    let mut filters: Vec<String> = args.filters.iter().map(|f| f.trim_matches(['{', '}']).to_owned()).collect();
    if !args.monitors.is_empty() {
        let names: Vec<String> = args.monitors.iter().map(|name| regex::escape(name)).collect();
        filters.push(format!("monitor=~{}", serde_json::Value::from(names.join("|"))));
    }
    let mut path = "/api/v1/sla?".to_owned();
    let mut add = |name: &str, value: &str| {
        let gap = if path.ends_with('?') { "" } else { "&" };
        // Writing to a String cannot fail.
        let _ = write!(path, "{gap}{name}={}", path_segment(value));
    };
    if let Some(month) = &args.month {
        add("month", month);
    }
    if let Some(from) = args.from {
        add("from", &from.resolve(now).to_string());
    }
    if let Some(to) = args.to {
        add("to", &to.resolve(now).to_string());
    }
    if let Some(zone) = &args.timezone {
        add("timezone", zone);
    }
    if !filters.is_empty() {
        add("filter", &format!("{{{}}}", filters.join(",")));
    }
    path
}

fn ratio(value: f64) -> String {
    format!("{:.4}%", value * 100.0)
}

fn availability(row: &SlaRow) -> String {
    row.availability.map_or_else(|| "-".to_owned(), ratio)
}

/// `99.9%`, without zeros at the end.
fn objective(row: &SlaRow) -> String {
    row.objective.map_or_else(|| "-".to_owned(), |o| format!("{}%", (o * 1e6).round() / 1e4))
}

fn short(d: Duration) -> String {
    if d.is_zero() { "0".to_owned() } else { Short(d).to_string() }
}

fn left(row: &SlaRow) -> String {
    row.budget.map_or_else(
        || "-".to_owned(),
        |b| {
            let amount = short(Duration::try_from_secs_f64(b.left.abs()).unwrap_or_default());
            let sign = if b.left < 0.0 { "-" } else { "" };
            format!("{sign}{amount} ({:.0}%)", b.left_ratio * 100.0)
        },
    )
}

/// What does not count, by cause.
fn excluded(row: &SlaRow) -> String {
    let e = row.excluded;
    let parts = [
        ("maintenance", e.maintenance),
        ("unknown", e.own),
        ("parent down", e.parent),
        ("paused", e.paused),
        ("no data", e.no_data),
    ];
    let said = parts.iter().filter(|(_, d)| !d.is_zero()).map(|(what, d)| format!("{what} {}", short(*d)));
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "-".to_owned() } else { said }
}

fn span(report: &SlaReport) -> String {
    let zone = jiff::tz::TimeZone::get(&report.timezone).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = |t: Timestamp| {
        let t = jiff::Timestamp::from_millisecond(t.millis()).unwrap_or_default().to_zoned(zone.clone());
        t.strftime("%F %H:%M").to_string()
    };
    let so_far = if report.partial { ", so far" } else { "" };
    format!("{} to {} {}{so_far}", at(report.from), at(report.to), report.timezone)
}

fn table(ui: &mut Ui, report: &SlaReport) {
    ui.line(format_args!("availability from {}", span(report)));
    let header = ["MONITOR", "AVAILABLE", "OBJECTIVE", "DOWN", "TIMES", "MTTR", "BUDGET LEFT", "NOT COUNTED"];
    let mut table = Table::new(&header, &[0, 7]).dispensable(&[7, 5, 4]);
    for row in &report.monitors {
        let role = match row.met {
            Some(true) => Role::Good,
            Some(false) => Role::Bad,
            None => Role::Plain,
        };
        table.row(vec![
            Cell::plain(&row.monitor),
            Cell::new(role, availability(row)),
            Cell::plain(objective(row)),
            Cell::plain(short(row.down)),
            Cell::plain(row.outages.to_string()),
            Cell::plain(row.mttr.map_or_else(|| "-".to_owned(), short)),
            Cell::plain(left(row)),
            Cell::plain(excluded(row)),
        ]);
    }
    table.print(ui);
    ui.note(report.method.join("; "));
}

/// RFC 4180, with a header; times in seconds, ratios as fractions.
fn csv(report: &SlaReport) -> String {
    let mut out = "monitor,from,to,availability,objective,met,up_seconds,degraded_seconds,down_seconds,\
                   maintenance_seconds,unknown_seconds,parent_down_seconds,paused_seconds,no_data_seconds,\
                   outages,mttr_seconds,budget_seconds,budget_left_seconds\n"
        .to_owned();
    for row in &report.monitors {
        let e = row.excluded;
        let number = |v: Option<f64>| v.map(|v| ((v * 1e9).round() / 1e9).to_string()).unwrap_or_default();
        let secs = |d: Duration| d.as_secs_f64().to_string();
        let cells = [
            quoted(&row.monitor),
            report.from.to_string(),
            report.to.to_string(),
            number(row.availability),
            number(row.objective),
            row.met.map(|met| met.to_string()).unwrap_or_default(),
            secs(row.up),
            secs(row.degraded),
            secs(row.down),
            secs(e.maintenance),
            secs(e.own),
            secs(e.parent),
            secs(e.paused),
            secs(e.no_data),
            row.outages.to_string(),
            row.mttr.map(secs).unwrap_or_default(),
            row.budget.map(|b| secs(b.allowed)).unwrap_or_default(),
            number(row.budget.map(|b| b.left)),
        ];
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// A text in a table of others' making: quoted where it must be, and never the beginning of a formula.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn markdown(report: &SlaReport) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let mut out = format!("# Availability, {}\n\n", span(report));
    out.push_str("| monitor | available | objective | down | times | MTTR | budget left | not counted |\n");
    out.push_str("|---|--:|--:|--:|--:|--:|--:|---|\n");
    for row in &report.monitors {
        let cells = [
            cell(&row.monitor),
            availability(row),
            objective(row),
            short(row.down),
            row.outages.to_string(),
            row.mttr.map_or_else(|| "-".to_owned(), short),
            left(row),
            excluded(row),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    for row in report.monitors.iter().filter(|row| !row.downtimes.is_empty()) {
        out.push_str(&format!("\n## Downtimes of {}\n\n| from | to | counted |\n|---|---|--:|\n", cell(&row.monitor)));
        for down in &row.downtimes {
            let end = down.ends_at.map_or_else(|| "lasts".to_owned(), |t| t.to_string());
            out.push_str(&format!("| {} | {end} | {} |\n", down.starts_at, short(down.counted)));
        }
        let hidden = row.outages - row.downtimes.len();
        if hidden > 0 {
            out.push_str(&format!("\nand {hidden} more\n"));
        }
    }
    out.push_str("\n## How it was counted\n\n");
    for sentence in &report.method {
        out.push_str(&format!("- {sentence}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sla::{Budget, Downtime, Excluded};

    fn report() -> SlaReport {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let secs = Duration::from_secs;
        let excluded = Excluded { maintenance: secs(7_200), own: secs(60), ..Excluded::default() };
        let row = SlaRow {
            monitor: "shop | a,b".to_owned(),
            objective: Some(0.999),
            availability: Some(0.9985),
            met: Some(false),
            up: secs(998_500),
            degraded: secs(10),
            down: secs(1_500),
            excluded,
            budget: Some(Budget { allowed: secs(1_000), left: -500.0, left_ratio: -0.5 }),
            outages: 1,
            mttr: Some(secs(1_500)),
            downtimes: vec![Downtime {
                starts_at: at("2026-10-03T02:00:00Z"),
                ends_at: Some(at("2026-10-03T02:25:00Z")),
                counted: secs(1_500),
            }],
        };
        let new = SlaRow { monitor: "new".to_owned(), ..SlaRow::default() };
        SlaReport {
            from: at("2026-09-30T22:00:00Z"),
            to: at("2026-10-31T23:00:00Z"),
            partial: false,
            at: at("2026-11-02T00:00:00Z"),
            timezone: "Europe/Berlin".to_owned(),
            method: vec!["as it is".to_owned()],
            monitors: vec![row, new],
        }
    }

    #[test]
    fn markdown_shows_the_month_the_budget_and_each_downtime() {
        insta::assert_snapshot!(markdown(&report()), @r"
        # Availability, 2026-10-01 00:00 to 2026-11-01 00:00 Europe/Berlin

        | monitor | available | objective | down | times | MTTR | budget left | not counted |
        |---|--:|--:|--:|--:|--:|--:|---|
        | shop \| a,b | 99.8500% | 99.9% | 25m | 1 | 25m | -8m (-50%) | maintenance 2h00m, unknown 60s |
        | new | - | - | 0 | 0 | - | - | - |

        ## Downtimes of shop \| a,b

        | from | to | counted |
        |---|---|--:|
        | 2026-10-03T02:00:00.000Z | 2026-10-03T02:25:00.000Z | 25m |

        ## How it was counted

        - as it is
        ");
    }

    #[test]
    fn csv_has_a_line_for_each_monitor_and_starts_no_formula() {
        let text = csv(&report());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[1],
            "\"shop | a,b\",2026-09-30T22:00:00.000Z,2026-10-31T23:00:00.000Z,0.9985,0.999,false,998500,10,1500,7200,\
             60,0,0,0,1,1500,1000,-500"
        );
        let columns = lines[0].split(',').count();
        assert_eq!(lines[2].split(',').count(), columns);
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
