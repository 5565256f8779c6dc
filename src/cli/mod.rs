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
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::base::clock::Clock;
use crate::base::failure::{Failure, Kind};
use crate::base::term_safe::term_safe;
use crate::cli::commands::Cli;
use crate::cli::commands::probe::plugin;
use crate::cli::settings::{Environment, Settings};
use crate::cli::ui::{Color, Streams, Ui};
use crate::collect::script::keeper;
use crate::collect::script::run::arrange;

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; what was asked about is fine.
    Good,
    /// Done; what was asked about is bad. The exit code is 1.
    Bad,
    /// Done; the exit code is a Nagios plugin's, or that of the program that was run.
    Code(u8),
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
    // Before anything else: these are started for every run of a script.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == keeper::ARGUMENT => return keeper::keep(),
        Some(first) if first == keeper::LIMITED => return keeper::become_limited(arguments),
        Some(_) | None => {}
    }
    // By this name it is found even when the file has been replaced since.
    arrange(Path::new("/proc/self/exe"));
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
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(e) if e.use_stderr() && plugin::is_asked_for(&arguments) => {
            // Nagios takes the exit code of wrong usage, 2, for a critical state.
            let line = plugin::refusal(&Failure::text(Kind::Usage, first_line(&e)));
            let _ = streams.out.write_all(line.as_bytes()).and_then(|()| streams.out.flush());
            return plugin::UNKNOWN;
        }
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
        Ok(Answer::Code(code)) => code,
        Ok(Answer::Killed(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Err(failure) => {
            ui.failure(&failure);
            failure.kind().exit_code()
        }
    }
}

fn first_line(e: &clap::Error) -> String {
    let text = e.render().to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
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
