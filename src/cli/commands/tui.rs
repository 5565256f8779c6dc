//! `watchdog tui`, and `watchdog` alone.

use clap::{Args, ValueEnum};

use crate::base::failure::{Failure, Kind};
use crate::cli::ui::Ui;
use crate::cli::{Context, Done};

/// Arguments of `tui`.
#[derive(Args, Debug, Default)]
pub struct TuiArgs {
    /// Which characters to draw with
    #[arg(long, value_enum, default_value_t)]
    pub glyphs: Glyphs,
    /// Offer nothing that changes anything
    #[arg(long)]
    pub read_only: bool,
}

/// Which characters to draw with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Glyphs {
    /// As the locale says.
    #[default]
    Auto,
    /// Lines, blocks and dots of Unicode.
    Unicode,
    /// Nothing beyond ASCII.
    Ascii,
}

/// Shows the interface of a running server.
///
/// # Errors
/// There is no terminal.
pub fn run(_args: &TuiArgs, _ui: &mut Ui, _cx: &Context) -> Done {
    Err(Failure::text(Kind::Internal, "this build has no terminal interface"))
}

/// Shows the interface, with an engine in this process when no server answers.
///
/// # Errors
/// There is no terminal, or the engine cannot start.
pub fn run_bare(ui: &mut Ui, cx: &Context) -> Done {
    run(&TuiArgs::default(), ui, cx)
}
