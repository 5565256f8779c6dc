//! `watchdog tsdb dump`.

use std::io;
use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::base::failure::{Failure, Kind};
use crate::base::labels::Labels;
use crate::base::sample::{Column, is_stale};
use crate::base::term_safe::{json_safe, term_safe};
use crate::cli::commands::query::pointed;
use crate::cli::commands::tsdb::Place;
use crate::cli::times::{Time, time};
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done};
use crate::promql::parser::parse_selector;
use crate::promql::source::Resolution;
use crate::tsdb::inspect;
use crate::wire::query::{series_name, value_text};

/// Arguments of `tsdb dump`.
#[derive(Args, Debug)]
pub struct DumpArgs {
    /// Which series, as in a query: `{job="shop"}`
    #[arg(value_name = "SELECTOR", default_value = "{__name__!=\"\"}")]
    pub selector: String,
    /// Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub start: Option<Time>,
    /// Only samples up to this time
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub end: Option<Time>,
    /// Samples as written, or roll-ups
    #[arg(long, value_enum, default_value_t)]
    pub resolution: Step,
}

/// Which samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// As written.
    #[default]
    Raw,
    /// The last value of every five minutes.
    #[value(name = "5m")]
    FiveMinutes,
    /// The last value of every hour.
    #[value(name = "1h")]
    Hour,
}

impl From<Step> for Resolution {
    fn from(step: Step) -> Self {
        match step {
            Step::Raw => Self::Raw,
            Step::FiveMinutes => Self::FiveMinutes,
            Step::Hour => Self::Hour,
        }
    }
}

/// What `--json` prints, one line per series.
#[derive(Serialize)]
struct SeriesLine<'a> {
    metric: &'a Labels,
    /// Milliseconds since the Unix epoch.
    times: &'a [i64],
    /// In text: JSON has no `NaN`.
    values: Vec<String>,
}

/// Runs the command. Samples are printed series by series, as text that `/api/v1/import/prometheus` takes.
///
/// # Errors
/// The selector is not understood, there is no store, or it cannot be read.
pub fn run(args: &DumpArgs, ui: &mut Ui, cx: &Context) -> Done {
    let matchers = parse_selector(&args.selector).map_err(|e| match e.problems().first() {
        Some(problem) => pointed(&args.selector, problem, ui.look().width),
        None => Failure::new(Kind::Usage, &e),
    })?;
    let now = cx.clock.now();
    let start = args.start.map_or(i64::MIN, |t| t.resolve(now).millis());
    let end = args.end.map_or(i64::MAX, |t| t.resolve(now).millis());
    let place = Place::find(ui, cx)?;
    let (json, person) = (ui.is_json(), ui.is_terminal());
    let mut closed = false;
    let out = ui.stdout();
    let notes = inspect::dump(&place.dir, &matchers, (start, end), args.resolution.into(), |metric, column| {
        let done = if json { series(out, metric, column) } else { exposition(out, metric, column, person) };
        // A reader that has gone away has seen enough.
        closed = done.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
        done
    });
    match notes {
        Err(_) if closed => {}
        Err(e) => return Err(place.failure(&e)),
        Ok(notes) => notes.iter().for_each(|note| ui.note(note)),
    }
    Ok(Answer::Good)
}

/// `name{label="value"} value milliseconds`, a line per sample. A staleness marker is written as a comment: the
/// format has no word for it.
fn exposition(out: &mut dyn Write, metric: &Labels, column: &Column, person: bool) -> io::Result<()> {
    let name = series_name(metric);
    let name = if person { term_safe(&name) } else { name.as_str().into() };
    for (t, v) in column.iter() {
        if is_stale(v) {
            writeln!(out, "# stale {name} {t}")?;
        } else {
            writeln!(out, "{name} {} {t}", value_text(v))?;
        }
    }
    Ok(())
}

fn series(out: &mut dyn Write, metric: &Labels, column: &Column) -> io::Result<()> {
    let word = |v: f64| if is_stale(v) { "stale".to_owned() } else { value_text(v) };
    let line = SeriesLine { metric, times: &column.t, values: column.v.iter().map(|v| word(*v)).collect() };
    let text = serde_json::to_string(&line).map_err(io::Error::other)?;
    writeln!(out, "{}", json_safe(&text))
}
