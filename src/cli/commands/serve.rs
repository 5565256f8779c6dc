//! `watchdog serve`.

use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::failure::{Failure, Kind};
use crate::cli::boot::{Plan, boot};
use crate::cli::settings::parse_listen;
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect, logs};
use crate::engine::start::Crash;

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

/// Runs the engine until SIGTERM or SIGINT; SIGHUP loads the configuration again. A second SIGTERM or
/// SIGINT ends the process without the ordered shutdown.
///
/// # Errors
/// The engine cannot start, a part of it crashed, or the disk does not confirm what is written (exit 74).
pub fn run(args: &ServeArgs, ui: &mut Ui, cx: &Context) -> Done {
    let plan = Plan::new(&cx.settings, args.strict)?;
    connect::block_on_threads(async {
        let (mut signals, mut hup) = (Signals::listen()?, on(SignalKind::hangup())?);
        let mut booted = tokio::select! {
            booted = boot(plan, |data| logs::start(data, true)) => booted?,
            // Nothing was measured or promised yet.
            _ = signals.stop() => return Ok(Answer::Good),
        };
        let (mut ready, mut is_ready) = (std::pin::pin!(booted.ready()), false);
        let (reason, end) = loop {
            tokio::select! {
                () = &mut ready, if !is_ready => {
                    is_ready = true;
                    ui.line(&booted.ready_line);
                    ui.flush();
                }
                (name, _) = signals.stop() => break (format!("shutting down ({name})"), Ok(Answer::Good)),
                _ = hup.recv() => booted.reload(),
                crash = booted.crashed() => break fallen(crash),
            }
        };
        tokio::select! {
            () = booted.stop(&reason) => end,
            (name, number) = signals.stop() => {
                tracing::warn!(signal = name, "asked again to stop: ending at once");
                Ok(Answer::Killed(number))
            }
        }
    })
}

/// What is written down before the end, and what the person is told.
fn fallen(crash: Crash) -> (String, Done) {
    let (reason, failure) = match crash {
        Crash::Part(part) => {
            let failure = Failure::text(Kind::Internal, format!("a part of the engine crashed: {part}"));
            (format!("{part} crashed"), failure.hint("the log says where; start it again"))
        }
        Crash::Disk => {
            let what = "the disk did not confirm what was written, three times in a row";
            (what.to_owned(), Failure::text(Kind::Disk, what).hint("look at the disk, then start it again"))
        }
    };
    (reason, Err(failure))
}

struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self { term: on(SignalKind::terminate())?, int: on(SignalKind::interrupt())? })
    }

    /// The next signal to stop. Cancel-safe.
    async fn stop(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.term.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.int.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        }
    }
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::text(Kind::Internal, format!("cannot listen to signals: {e}")))
}
