//! `watchdog silence add|list|expire|extend|preview`.

pub mod add;
pub mod change;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::failure::Failure;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::alert::short_id;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::Client;
use crate::wire::alerting::{SilenceRow, SilenceState};

/// What to do with silences.
#[derive(Debug, Subcommand)]
pub enum SilenceCommand {
    /// Make a silence: shows what it hides, asks, and prints its id
    Add(add::AddArgs),
    /// List silences
    List(ListArgs),
    /// End silences now
    Expire(change::ExpireArgs),
    /// Let a silence last longer
    Extend(change::ExtendArgs),
    /// Show what a silence would hide, without making it
    Preview(add::WishArgs),
}

/// Arguments of `silence list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only silences in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', default_values_t = [StateFilter::Active, StateFilter::Pending])]
    pub state: Vec<StateFilter>,
}

/// States that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateFilter {
    /// It mutes.
    Active,
    /// It has not begun.
    Pending,
    /// It is over.
    Expired,
}

impl std::fmt::Display for StateFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(word(self.of()).0)
    }
}

impl StateFilter {
    const fn of(self) -> SilenceState {
        match self {
            Self::Active => SilenceState::Active,
            Self::Pending => SilenceState::Pending,
            Self::Expired => SilenceState::Expired,
        }
    }
}

const fn word(state: SilenceState) -> (&'static str, Role) {
    match state {
        SilenceState::Active => ("active", Role::Warn),
        SilenceState::Pending => ("pending", Role::Plain),
        SilenceState::Expired => ("expired", Role::Dim),
    }
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, there is no such silence, or the server refuses.
pub fn run(command: &SilenceCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        SilenceCommand::Add(args) => add::run(args, ui, cx),
        SilenceCommand::List(args) => list(args, ui, cx),
        SilenceCommand::Expire(args) => change::expire(args, ui, cx),
        SilenceCommand::Extend(args) => change::extend(args, ui, cx),
        SilenceCommand::Preview(args) => add::preview(args, ui, cx),
    }
}

async fn all(client: &Client) -> Result<Vec<SilenceRow>, Failure> {
    client.get("/api/v1/silences").await.map_err(connect::failure)
}

fn list(args: &ListArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let mut rows = connect::block_on(all(&client))?;
    let count = rows.len();
    rows.retain(|r| args.state.iter().any(|s| s.of() == r.state));
    if ui.is_json() {
        ui.value(&rows)?;
        return Ok(Answer::Good);
    }
    let left_out = count - rows.len();
    if rows.is_empty() {
        let states = args.state.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        ui.note(format!("no silence is {states}"));
    } else {
        table(ui, &rows, cx.clock.now());
    }
    for row in &rows {
        if let Some(notice) = &row.notice {
            let text = ui.paint(Role::Warn, format!("{}: {notice}", short_id(&row.id)));
            ui.line(text);
        }
    }
    if left_out > 0 {
        ui.note(format!("{left_out} more in other states: `--state active,pending,expired`"));
    }
    Ok(Answer::Good)
}

fn table(ui: &mut Ui, rows: &[SilenceRow], now: Timestamp) {
    let header = ["STATE", "ID", "MATCHERS", "ENDS", "ALERTS", "MUTED", "BY", "COMMENT"];
    let mut table = Table::new(&header, &[2, 6, 7]).dispensable(&[5, 6]);
    for row in rows {
        let (word, role) = word(row.state);
        let ends = match (row.state, row.until_resolved) {
            (SilenceState::Pending, _) => format!("starts in {}", Short(row.starts_at.since(now))),
            (SilenceState::Active, true) => format!("resolved, or {}", Short(row.ends_at.since(now))),
            (SilenceState::Active, false) => format!("in {}", Short(row.ends_at.since(now))),
            (SilenceState::Expired, _) => format!("{} ago", Short(now.since(row.ends_at))),
        };
        let by = row.source.as_ref().map_or(&row.created_by, |source| source);
        table.row(vec![
            Cell::new(role, word),
            Cell::new(Role::Strong, short_id(&row.id)),
            Cell::plain(row.matchers.join(", ")),
            Cell::plain(ends),
            Cell::plain(row.matches.to_string()),
            Cell::plain(row.muted.to_string()),
            Cell::plain(by),
            Cell::plain(&row.comment),
        ]);
    }
    table.print(ui);
}
