//! `watchdog alert list|show|ack|unack|history`.

pub mod ack;
pub mod history;
pub mod show;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::message::Status;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect, matching};
use crate::wire::alerting::{MuteKind, MutedBy};
use crate::wire::board::{AlertRow, AlertState, Board, DeliveryRow, DeliveryState};

/// A terminal of so many columns has room for a sentence beside all else.
const ROOMY: usize = 100;

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// List pending, firing and recently resolved alerts
    List(ListArgs),
    /// Show everything about one alert; exit code 1 while it fires
    Show(show::ShowArgs),
    /// Say that you have it: escalation and repeats pause
    Ack(ack::AckArgs),
    /// Take an acknowledgement back
    Unack(ack::UnackArgs),
    /// List what happened to alerts, newest last
    History(history::HistoryArgs),
}

/// Arguments of `alert list`.
#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Only alerts whose labels match all of these: `severity=critical`, `team=~web|db`; a first word alone is a name
    #[arg(value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Only alerts in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<StateFilter>,
    /// Only alerts that somebody has
    #[arg(long, conflicts_with = "unacked")]
    pub acked: bool,
    /// Only alerts that nobody has
    #[arg(long)]
    pub unacked: bool,
    /// Only alerts that a silence, a window, an inhibition or a dependency keeps from being told
    #[arg(long)]
    pub muted: bool,
}

const LIST_EXAMPLES: &str = "\
Examples:
  watchdog alert list --state firing --unacked
  watchdog alert list severity=critical 'team=~web|db'";

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
/// Nobody answers, there is no such alert, or the server refuses.
pub fn run(command: &AlertCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        AlertCommand::List(args) => list(args, ui, cx),
        AlertCommand::Show(args) => show::run(args, ui, cx),
        AlertCommand::Ack(args) => ack::run(args, ui, cx),
        AlertCommand::Unack(args) => ack::run_unack(args, ui, cx),
        AlertCommand::History(args) => history::run(args, ui, cx),
    }
}

fn list(args: &ListArgs, ui: &mut Ui, cx: &Context) -> Done {
    let matchers = matching::matchers(&args.matchers)?;
    let client = connect::client(&cx.settings)?;
    let board = connect::block_on(async { client.get::<Board>("/api/v1/board").await.map_err(connect::failure) })?;
    let wanted = |a: &AlertRow| {
        (args.state.is_empty() || args.state.iter().any(|s| s.admits(a.state)))
            && (!args.acked || a.ack.is_some())
            && (!args.unacked || a.ack.is_none())
            && (!args.muted || a.muted.is_some())
            && matchers.matches(&a.labels)
    };
    let alerts: Vec<&AlertRow> = board.alerts.iter().map(|a| &**a).filter(|a| wanted(a)).collect();
    if ui.is_json() {
        ui.value(&alerts)?;
        return Ok(Answer::Good);
    }
    match (board.alerts.len(), alerts.len()) {
        (0, _) => ui.note("no alerts"),
        (all, 0) => ui.note(format!("none of {all} alerts matches")),
        _ => table(ui, &alerts, cx.clock.now()),
    }
    Ok(Answer::Good)
}

/// So much of a fingerprint, or of a silence's UUID, as tells it from others.
pub fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The word for a state, and its colour.
pub fn state(alert: &AlertRow) -> (&'static str, Role) {
    match alert.state {
        AlertState::Pending => ("pending", Role::Warn),
        AlertState::Firing => ("firing", alert.severity.into()),
        AlertState::Resolved => ("resolved", Role::Good),
    }
}

/// What mutes it, in short: the sort, and which one.
pub fn muted_by(by: &MutedBy) -> String {
    match by.kind {
        MuteKind::Silence => format!("silence {}", short_id(&by.id)),
        MuteKind::Maintenance => format!("window {}", by.id),
        MuteKind::Inhibition => format!("alert {}", short_id(&by.id)),
        MuteKind::Dependency => format!("monitor {}", by.id),
        MuteKind::Time => format!("time {}", by.id),
    }
}

/// Prints alerts as a table. Columns that all rows would leave empty are left out.
pub fn table(ui: &mut Ui, alerts: &[&AlertRow], now: Timestamp) {
    let (owned, muted) = (alerts.iter().any(|a| a.ack.is_some()), alerts.iter().any(|a| a.muted.is_some()));
    let mut header = vec!["STATE", "SEVERITY", "ID", "ALERT", "MONITOR", "FOR"];
    header.extend(owned.then_some("OWNER"));
    header.extend(muted.then_some("MUTED BY"));
    header.push("SENT");
    // Who has it and what mutes it say more than the end of a sentence that is cut to a few letters.
    let summary = !(owned || muted) || ui.width().is_none_or(|w| w >= ROOMY);
    header.extend(summary.then_some("SUMMARY"));
    let shrink: Vec<usize> = (3..header.len()).filter(|i| *i != 5).collect();
    // What it is about names it well enough where there is no room for more.
    let mut table = Table::new(&header, &shrink).dispensable(&[1, 3]);
    for a in alerts {
        let (word, role) = state(a);
        let mut row = vec![
            Cell::new(role, word),
            Cell::plain(a.severity.as_str()),
            Cell::new(Role::Dim, short_id(&a.fingerprint)),
            Cell::plain(&a.name),
            Cell::plain(a.subject()),
            Cell::plain(Short(now.since(a.since)).to_string()),
        ];
        row.extend(owned.then(|| a.ack.as_ref().map_or_else(nothing, |ack| Cell::plain(&ack.by))));
        row.extend(muted.then(|| a.muted.as_ref().map_or_else(nothing, |by| Cell::new(Role::Warn, muted_by(by)))));
        row.push(deliveries(&a.deliveries));
        row.extend(summary.then(|| Cell::plain(a.annotations.get("summary").unwrap_or_default())));
        table.row(row);
    }
    table.print(ui);
}

fn nothing() -> Cell {
    Cell::new(Role::Dim, "-")
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
    if parts.is_empty() { nothing() } else { Cell::new(worst, parts.join(", ")) }
}
