//! `watchdog serve`.

use std::net::SocketAddr;

use clap::Args;

use crate::base::failure::{Failure, Kind};
use crate::cli::settings::parse_listen;
use crate::cli::ui::Ui;
use crate::cli::{Context, Done};

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Also answer HTTP on this loopback address; port 0 takes a free one [env: WATCHDOG_LISTEN]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
    /// Refuse to start when the configuration has errors
    #[arg(long)]
    pub strict: bool,
}

/// Runs the engine until it is told to stop.
///
/// # Errors
/// The engine cannot start.
pub fn run(_args: &ServeArgs, _ui: &mut Ui, _cx: &Context) -> Done {
    Err(Failure::text(Kind::Internal, "this build has no engine"))
}
