//! `watchdog alert list`.

use clap::{Args, Subcommand, ValueEnum};

use crate::base::message::Status;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::wire::board::{AlertRow, AlertState, Board, DeliveryRow, DeliveryState};

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// List pending, firing and recently resolved alerts
    List(ListArgs),
}

/// Arguments of `alert list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only alerts in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<StateFilter>,
}

/// States that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateFilter {
    /// The condition holds, not yet long enough.
    Pending,
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

impl StateFilter {
    const fn admits(self, state: AlertState) -> bool {
        matches!(
            (self, state),
            (Self::Pending, AlertState::Pending)
                | (Self::Firing, AlertState::Firing)
                | (Self::Resolved, AlertState::Resolved)
        )
    }
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or the server refuses.
pub fn run(command: &AlertCommand, ui: &mut Ui, cx: &Context) -> Done {
    let AlertCommand::List(args) = command;
    let client = connect::client(&cx.settings)?;
    let board = connect::block_on(async { client.get::<Board>("/api/v1/board").await.map_err(connect::failure) })?;
    let wanted = |a: &AlertRow| args.state.is_empty() || args.state.iter().any(|s| s.admits(a.state));
    let alerts: Vec<&AlertRow> = board.alerts.iter().map(|a| &**a).filter(|a| wanted(a)).collect();
    if ui.is_json() {
        ui.value(&alerts)?;
    } else if alerts.is_empty() {
        ui.note("no alerts");
    } else {
        table(ui, &alerts, cx.clock.now());
    }
    Ok(Answer::Good)
}

/// Prints alerts as a table.
pub fn table(ui: &mut Ui, alerts: &[&AlertRow], now: Timestamp) {
    let mut table = Table::new(&["STATE", "SEVERITY", "ALERT", "MONITOR", "FOR", "SENT", "SUMMARY"], &[2, 3, 5, 6])
        .dispensable(&[1, 2]);
    for a in alerts {
        let (word, role) = match a.state {
            AlertState::Pending => ("pending", Role::Warn),
            AlertState::Firing => ("firing", a.severity.into()),
            AlertState::Resolved => ("resolved", Role::Good),
        };
        table.row(vec![
            Cell::new(role, word),
            Cell::plain(a.severity.as_str()),
            Cell::plain(&a.name),
            Cell::plain(a.subject()),
            Cell::plain(Short(now.since(a.since)).to_string()),
            deliveries(&a.deliveries),
            Cell::plain(a.annotations.get("summary").unwrap_or_default()),
        ]);
    }
    table.print(ui);
}

/// Whom it was sent to, and what is owed: a page that did not go out matters most.
fn deliveries(rows: &[DeliveryRow]) -> Cell {
    let mut worst = Role::Plain;
    let mut parts = Vec::new();
    for d in rows {
        let of = match d.status {
            Status::Firing => "",
            Status::Resolved => "resolved ",
        };
        parts.push(match d.state {
            DeliveryState::Delivered => format!("{of}{}", d.receiver),
            DeliveryState::Owed => {
                worst = if worst == Role::Bad { Role::Bad } else { Role::Warn };
                format!("{of}{} owed", d.receiver)
            }
            DeliveryState::Dead => {
                worst = Role::Bad;
                format!("{of}{} FAILED", d.receiver)
            }
        });
    }
    if parts.is_empty() { Cell::new(Role::Dim, "-") } else { Cell::new(worst, parts.join(", ")) }
}
