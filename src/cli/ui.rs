//! What commands print with: streams, colours by role, JSON.
//!
//! A write that fails is remembered, not returned: commands stay readable, and the one question that
//! matters, whether the reader is gone, is asked by those that run for long.

use std::fmt::{self, Display};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::base::failure::{Failure, Kind};
use crate::base::message::Severity;
use crate::base::outcome::Verdict;
use crate::base::term_safe::{json_safe, term_safe};
use crate::cli::settings::Environment;
use crate::tui::{ColorMode, TuiOptions};
use crate::wire::api::ErrorBody;
use crate::wire::board::State;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for ColorMode {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Longest answer to a question that is read, in bytes.
const ANSWER: u64 = 256;

/// Where output goes, and answers come from.
pub struct Streams {
    /// What a person types.
    pub input: Box<dyn Read>,
    /// Data.
    pub out: Box<dyn Write>,
    /// Everything else.
    pub err: Box<dyn Write>,
    /// Whether a person can answer.
    pub input_is_terminal: bool,
    /// Whether a person sees the data.
    pub out_is_terminal: bool,
    /// Whether a person sees everything else.
    pub err_is_terminal: bool,
}

impl Streams {
    /// The process's own.
    pub fn of_process() -> Self {
        Self {
            input: Box::new(io::stdin()),
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input_is_terminal: io::stdin().is_terminal(),
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
        }
    }
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Fine.
    Good,
    /// Look at it.
    Warn,
    /// Broken.
    Bad,
    /// Cannot be judged.
    Unknown,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
    /// Nothing special.
    Plain,
}

impl Role {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Unknown => "35",
            Self::Dim => "2",
            Self::Strong => "1",
            Self::Plain => "",
        }
    }
}

impl From<State> for Role {
    fn from(state: State) -> Self {
        match state {
            State::Down => Self::Bad,
            State::Degraded => Self::Warn,
            State::Unknown => Self::Unknown,
            State::Pending | State::Paused => Self::Dim,
            State::Up => Self::Good,
        }
    }
}

impl From<Verdict> for Role {
    fn from(verdict: Verdict) -> Self {
        State::from(verdict).into()
    }
}

impl From<Severity> for Role {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Bad,
            Severity::Warning => Self::Warn,
            Severity::Info => Self::Plain,
        }
    }
}

/// How text may look where it is going.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours are welcome.
    pub colour: bool,
    /// Columns to fit into.
    pub width: usize,
    /// JSON instead of text.
    pub json: bool,
}

/// The screen of a command.
pub struct Ui {
    streams: Streams,
    color: bool,
    err_color: bool,
    json: bool,
    width: Option<usize>,
    screens: TuiOptions,
    failed: Option<io::Error>,
}

impl Ui {
    /// Decides about colours and width. A flag beats `NO_COLOR`, which beats `CLICOLOR_FORCE`.
    pub fn new(streams: Streams, color: Color, json: bool, environment: &Environment) -> Self {
        let set = |name: &str| environment.var(name).is_some_and(|v| v != "0");
        let dumb = environment.var("TERM").is_some_and(|t| t == "dumb");
        let decide = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if environment.var("NO_COLOR").is_some() => false,
            Color::Auto => set("CLICOLOR_FORCE") || (terminal && !dumb),
        };
        let columns = environment.var("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
        let terminal = || crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
        let width = columns.or_else(|| if streams.out_is_terminal { terminal() } else { None });
        Self {
            color: decide(streams.out_is_terminal) && !json,
            err_color: decide(streams.err_is_terminal) && !json,
            json,
            width: width.filter(|w| *w > 0),
            screens: TuiOptions::detect(color.into(), |n| environment.var(n).map(|v| v.to_string_lossy().into_owned())),
            failed: None,
            streams,
        }
    }

    /// Colours and characters of the terminal, for what is drawn.
    pub const fn screens(&self) -> &TuiOptions {
        &self.screens
    }

    /// Whether `--json` was given.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Columns to fit into; `None` where nobody looks at columns.
    pub const fn width(&self) -> Option<usize> {
        self.width
    }

    /// How to write for whoever reads stdout.
    pub fn look(&self) -> Look {
        Look { colour: self.color, width: self.width.unwrap_or(100), json: self.json }
    }

    /// Stdout, for what writes by itself. A reader that has gone away is no error there.
    pub fn stdout(&mut self) -> &mut dyn Write {
        &mut *self.streams.out
    }

    /// Whether a person looks at stdout.
    pub const fn is_terminal(&self) -> bool {
        self.streams.out_is_terminal
    }

    /// `text`, made safe, in the colour of `role` on stdout.
    pub fn paint(&self, role: Role, text: impl AsRef<str>) -> String {
        painted(self.color, role, text.as_ref())
    }

    /// Prints one line of data. What came from outside must have gone through [`paint`](Self::paint)
    /// or [`term_safe`].
    pub fn line(&mut self, text: impl Display) {
        self.out(format_args!("{text}\n"));
    }

    /// Prints without a line break.
    pub fn out(&mut self, text: fmt::Arguments<'_>) {
        if self.failed.is_none() {
            self.failed = self.streams.out.write_fmt(text).err();
        }
    }

    /// Prints a value as indented JSON, in which nothing commands a terminal.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn value<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(Kind::Internal, &e))?;
        self.line(json_safe(&text));
        Ok(())
    }

    /// Prints JSON that is text already.
    pub fn json_text(&mut self, text: &str) {
        self.line(json_safe(text.trim_end()));
    }

    /// Prints a value as JSON on one line, for streams of values.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn value_line<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|e| Failure::new(Kind::Internal, &e))?;
        self.line(json_safe(&text));
        self.flush();
        Ok(())
    }

    /// Says something beside the data, on stderr.
    pub fn note(&mut self, text: impl AsRef<str>) {
        let text = painted(self.err_color, Role::Dim, text.as_ref());
        // Remarks that cannot be delivered are not worth failing for.
        let _ = writeln!(self.streams.err, "{text}");
    }

    /// Whether somebody sits there who can be asked.
    pub const fn can_ask(&self) -> bool {
        self.streams.input_is_terminal && self.streams.err_is_terminal && !self.json
    }

    /// Asks on stderr; only `y` and `yes` mean yes.
    pub fn confirm(&mut self, question: &str) -> bool {
        self.flush();
        let question = painted(self.err_color, Role::Strong, question);
        // Nobody answers a question that could not be put: that is a no.
        let _ = write!(self.streams.err, "{question} [y/N] ");
        let _ = self.streams.err.flush();
        let mut answer = String::new();
        let read = BufReader::new((&mut self.streams.input).take(ANSWER)).read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Tells a failure on stderr: what, and what can be done.
    pub fn failure(&mut self, failure: &Failure) {
        let text = if self.json {
            let body = ErrorBody {
                status: "error".to_owned(),
                error_type: failure.kind().error_type().to_owned(),
                error: failure.message().to_owned(),
                hints: failure.hints().to_vec(),
            };
            json_safe(&serde_json::to_string(&body).unwrap_or_default()).into_owned()
        } else {
            let word = painted(self.err_color, Role::Bad, "error:");
            let mut text = format!("{word} {}", term_safe(failure.message()));
            for line in failure.excerpt_lines() {
                text.push_str(&format!("\n  {}", term_safe(line.trim_end())));
            }
            for hint in failure.hints() {
                text.push_str(&format!("\n  {} {}", painted(self.err_color, Role::Dim, "hint:"), term_safe(hint)));
            }
            text
        };
        // The exit code still tells it.
        let _ = writeln!(self.streams.err, "{text}");
    }

    /// Hands what was printed to the reader.
    pub fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.streams.out.flush().err();
        }
    }

    /// Whether printing on makes no sense.
    pub const fn is_closed(&self) -> bool {
        self.failed.is_some()
    }

    /// Ends the output.
    ///
    /// # Errors
    /// Something could not be written, other than to a reader that has gone away.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush();
        match self.failed.take() {
            Some(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
            Some(_) | None => Ok(()),
        }
    }
}

fn painted(color: bool, role: Role, text: &str) -> String {
    let text = term_safe(text);
    match role.code() {
        code if color && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(color: Color, terminal: bool, vars: &[(&str, &str)]) -> Ui {
        let streams = Streams {
            input: Box::new(io::empty()),
            out: Box::new(io::sink()),
            err: Box::new(io::sink()),
            input_is_terminal: terminal,
            out_is_terminal: terminal,
            err_is_terminal: terminal,
        };
        Ui::new(streams, color, false, &Environment::of(vars))
    }

    #[test]
    fn a_flag_beats_no_color_beats_force_beats_the_terminal() {
        #[track_caller]
        fn check(color: Color, terminal: bool, vars: &[(&str, &str)], colored: bool) {
            assert_eq!(ui(color, terminal, vars).paint(Role::Bad, "x").contains('\x1b'), colored);
        }
        check(Color::Auto, true, &[], true);
        check(Color::Auto, false, &[], false);
        check(Color::Auto, true, &[("NO_COLOR", "1")], false);
        check(Color::Auto, true, &[("TERM", "dumb")], false);
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "1")], true);
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "0")], false);
        check(Color::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false);
        check(Color::Always, false, &[("NO_COLOR", "1")], true);
        check(Color::Never, true, &[("CLICOLOR_FORCE", "1")], false);
    }

    #[test]
    fn painted_text_holds_no_foreign_escape() {
        assert_eq!(ui(Color::Always, true, &[]).paint(Role::Good, "a\x1b[2J"), "\x1b[32ma\\x1b[2J\x1b[0m");
    }

    #[test]
    fn only_yes_is_a_yes() {
        for (typed, yes) in
            [("y\n", true), (" YES \n", true), ("n\n", false), ("\n", false), ("", false), ("yup\n", false)]
        {
            let mut ui = ui(Color::Never, true, &[]);
            ui.streams.input = Box::new(typed.as_bytes());
            assert!(ui.can_ask());
            assert_eq!(ui.confirm("Really?"), yes, "{typed:?}");
        }
    }

    #[test]
    fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
        struct Failing(io::ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, ok) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut ui = ui(Color::Auto, false, &[]);
            ui.streams.out = Box::new(Failing(kind));
            ui.line("x");
            assert!(ui.is_closed());
            assert_eq!(ui.finish().is_ok(), ok, "{kind}");
        }
    }
}
