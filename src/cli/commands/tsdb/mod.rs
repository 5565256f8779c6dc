//! `watchdog tsdb`: the store's own commands.

mod delete;

use clap::Subcommand;

use crate::cli::ui::Ui;
use crate::cli::{Context, Done};

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum TsdbCommand {
    /// Delete samples of a running server; tells first how many series it would be
    Delete(delete::DeleteArgs),
}

/// Runs the command.
///
/// # Errors
/// Those of each command.
pub fn run(command: &TsdbCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        TsdbCommand::Delete(args) => delete::run(args, ui, cx),
    }
}
