//! The command line: arguments in, text or JSON out, an exit code at the end.
//!
//! Data goes to stdout, everything else to stderr. Text from outside is made safe before it is
//! printed. The exit codes are those of [`crate::base::failure::Kind`]; a closed pipe is success.

pub mod boot;
pub mod commands;
pub mod connect;
pub mod generate;
pub mod logs;
pub mod matching;
pub mod result;
pub mod settings;
pub mod table;
pub mod times;
pub mod ui;
pub mod values;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;

use crate::base::clock::Clock;
use crate::base::failure::{Failure, Kind};
use crate::base::term_safe::term_safe;
use crate::cli::commands::Cli;
use crate::cli::settings::{Environment, Settings};
use crate::cli::ui::{Color, Streams, Ui};

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; what was asked about is fine.
    Good,
    /// Done; what was asked about is bad. The exit code is 1.
    Bad,
    /// A signal ended it after it had cleaned up. The exit code is 128 and the signal's number.
    Killed(i32),
}

/// How every command ends.
pub type Done = Result<Answer, Failure>;

/// What every command is given beside its arguments.
#[derive(Debug)]
pub struct Context {
    /// Directories, socket, address.
    pub settings: Settings,
    /// The time that ages are counted to.
    pub clock: Clock,
    /// What `--color` says.
    pub color: Color,
}

/// Runs the program with the process's arguments and environment.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        // Nothing better can be done when stderr is gone.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), last_words(&info.to_string()).as_bytes());
    }));
    let run = || run(std::env::args_os(), &Environment::of_process(), Clock::system(), Streams::of_process());
    ExitCode::from(panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(Kind::Internal.exit_code()))
}

fn last_words(panic: &str) -> String {
    format!("watchdog: internal error: {}\nThis is a mistake in Watchdog; please report it.\n", term_safe(panic))
}

/// Runs one command line and returns the exit code.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    clock: Clock,
    mut streams: Streams,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => return not_understood(&e, &mut streams),
    };
    let mut ui = Ui::new(streams, cli.global.color, cli.global.json, environment);
    let color = cli.global.color;
    let done = Settings::resolve(&cli.global, cli.listen(), environment)
        .and_then(|settings| commands::run(cli.command, &mut ui, &Context { settings, clock, color }));
    let done = match (done, ui.finish()) {
        (Ok(_), Err(e)) => Err(Failure::text(Kind::Internal, format!("cannot write the output: {e}"))),
        (done, _) => done,
    };
    match done {
        Ok(Answer::Good) => 0,
        Ok(Answer::Bad) => 1,
        Ok(Answer::Killed(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Err(failure) => {
            ui.failure(&failure);
            failure.kind().exit_code()
        }
    }
}

/// Help and version are asked for and go to stdout; mistakes go to stderr.
fn not_understood(e: &clap::Error, streams: &mut Streams) -> u8 {
    let usage = e.use_stderr();
    let colored = if usage { streams.err_is_terminal } else { streams.out_is_terminal };
    let text = if colored { e.render().ansi().to_string() } else { e.render().to_string() };
    let to = if usage { &mut streams.err } else { &mut streams.out };
    // A reader that has gone away has seen enough.
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    if usage { Kind::Usage.exit_code() } else { 0 }
}
