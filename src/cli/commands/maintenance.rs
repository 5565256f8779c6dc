//! `watchdog maintenance list|next`.

use clap::{Args, Subcommand};

use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::wire::alerting::MaintenanceRow;

/// What to do with maintenance windows.
#[derive(Debug, Subcommand)]
pub enum MaintenanceCommand {
    /// List the windows of the files, the open ones first
    List,
    /// List what is under way and what is to come, in order of time
    Next(NextArgs),
}

/// Arguments of `maintenance next`.
#[derive(Args, Debug)]
pub struct NextArgs {
    /// How many occurrences
    #[arg(short, long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers.
pub fn run(command: &MaintenanceCommand, ui: &mut Ui, cx: &Context) -> Done {
    let path = match command {
        MaintenanceCommand::List => "/api/v1/maintenance".to_owned(),
        MaintenanceCommand::Next(args) => format!("/api/v1/maintenance?upcoming=true&limit={}", args.limit),
    };
    let client = connect::client(&cx.settings)?;
    let rows = connect::block_on(async { client.get::<Vec<MaintenanceRow>>(&path).await.map_err(connect::failure) })?;
    let now = cx.clock.now();
    match command {
        _ if ui.is_json() => ui.value(&rows)?,
        MaintenanceCommand::List if rows.is_empty() => {
            ui.note("there are no maintenance windows; `maintenance:` in watchdog.yaml defines them");
        }
        MaintenanceCommand::Next(_) if rows.is_empty() => ui.note("no maintenance is planned"),
        MaintenanceCommand::List => list(ui, &rows, now),
        MaintenanceCommand::Next(_) => next(ui, &rows, now),
    }
    Ok(Answer::Good)
}

fn list(ui: &mut Ui, rows: &[MaintenanceRow], now: Timestamp) {
    let header = ["STATE", "NAME", "WHEN", "SCHEDULE", "MATCHERS", "ALERTS", "COMMENT"];
    let mut table = Table::new(&header, &[1, 3, 4, 6]).dispensable(&[6, 5, 3]);
    for row in rows {
        let times = match (row.active, row.starts_at, row.ends_at) {
            (true, _, Some(end)) => format!("ends in {}", Short(end.since(now))),
            (true, _, None) => "no end".to_owned(),
            (false, Some(start), _) => format!("in {}", Short(start.since(now))),
            (false, None, _) => "-".to_owned(),
        };
        table.row(vec![
            state(row),
            Cell::plain(&row.name),
            Cell::plain(times),
            Cell::plain(&row.schedule),
            Cell::plain(matchers(row)),
            Cell::plain(row.matches.to_string()),
            Cell::plain(&row.comment),
        ]);
    }
    table.print(ui);
}

fn next(ui: &mut Ui, rows: &[MaintenanceRow], now: Timestamp) {
    let mut table = Table::new(&["STARTS", "IN", "LASTS", "NAME", "MATCHERS", "COMMENT"], &[3, 4, 5]).dispensable(&[5]);
    for row in rows {
        let starts = row.starts_at.map_or_else(|| "-".to_owned(), |t| t.local("%a %F %H:%M"));
        let ahead = match row.starts_at {
            Some(start) if start > now => Cell::plain(Short(start.since(now)).to_string()),
            Some(_) | None => Cell::new(Role::Warn, "now"),
        };
        let lasts = row.starts_at.zip(row.ends_at).map(|(start, end)| Short(end.since(start)).to_string());
        table.row(vec![
            Cell::plain(starts),
            ahead,
            Cell::plain(lasts.unwrap_or_else(|| "-".to_owned())),
            Cell::plain(&row.name),
            Cell::plain(matchers(row)),
            Cell::plain(&row.comment),
        ]);
    }
    table.print(ui);
}

fn state(row: &MaintenanceRow) -> Cell {
    match (row.active, row.starts_at) {
        (true, _) => Cell::new(Role::Warn, "active"),
        (false, Some(_)) => Cell::plain("planned"),
        (false, None) => Cell::new(Role::Dim, "over"),
    }
}

fn matchers(row: &MaintenanceRow) -> String {
    if row.matchers.is_empty() { "everything".to_owned() } else { row.matchers.join(", ") }
}
