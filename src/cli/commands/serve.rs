//! `watchdog serve`.

use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::failure::{Failure, Kind};
use crate::cli::boot::{Plan, boot};
use crate::cli::settings::parse_listen;
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect, logs};

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

/// Runs the engine until SIGTERM or SIGINT; SIGHUP loads the configuration again.
///
/// # Errors
/// The engine cannot start.
pub fn run(args: &ServeArgs, ui: &mut Ui, cx: &Context) -> Done {
    let plan = Plan::new(&cx.settings, args.strict)?;
    connect::block_on_threads(async {
        let mut term = on(SignalKind::terminate())?;
        let mut int = on(SignalKind::interrupt())?;
        let mut hup = on(SignalKind::hangup())?;
        let booted = boot(plan, |data| logs::start(data, true)).await?;
        ui.line(&booted.ready_line);
        ui.flush();
        let reason = loop {
            tokio::select! {
                _ = term.recv() => break "SIGTERM",
                _ = int.recv() => break "SIGINT",
                _ = hup.recv() => booted.reload().await,
            }
        };
        booted.stop(&format!("shutting down ({reason})")).await;
        Ok(Answer::Good)
    })
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::text(Kind::Internal, format!("cannot listen to signals: {e}")))
}
