//! `watchdog query`: asks the server in PromQL.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;

use crate::base::failure::{Failure, Kind};
use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::base::units::Exact;
use crate::cli::commands::tui::Glyphs;
use crate::cli::times::{Time, length, time};
use crate::cli::ui::Ui;
use crate::cli::values::{chart, csv, table};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::{Client, ClientError};
use crate::promql::ast::{Expr, ExprKind};
use crate::promql::caret::caret_lines;
use crate::promql::parser::{Features, Problem, parse, place};
use crate::tui::chart_step;
use crate::wire::query::{Ask, Reply, Value, When};

/// The range of a chart for which none was named.
const RANGE: Duration = Duration::from_secs(3_600);
/// Steps of a range that is not drawn, about: as many as a terminal has columns.
const STEPS: usize = 100;

/// Arguments of `query`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct QueryArgs {
    /// The expression, in PromQL
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: String,
    /// Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["start", "end", "step", "range", "chart"])]
    pub at: Option<Time>,
    /// Evaluate at every step from this time on
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, conflicts_with = "range")]
    pub start: Option<Time>,
    /// Last time of a range [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub end: Option<Time>,
    /// Distance of the steps of a range, such as `30s` [default: about 100 steps, with `--chart` one per column]
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub step: Option<Duration>,
    /// Length of a range that ends at `--end`, such as `1h`
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub range: Option<Duration>,
    /// Draw the range; the last hour if none is named
    #[arg(long)]
    pub chart: bool,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "chart")]
    pub csv: bool,
    /// Give up after this time, if the server does not earlier
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub timeout: Option<Duration>,
    /// At most so many series
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Which characters to draw with
    #[arg(long, value_enum, default_value_t)]
    pub glyphs: Glyphs,
}

const EXAMPLES: &str = "\
Examples:
  watchdog query 'probe_success == 0'
  watchdog query 'probe_duration_seconds{monitor=\"shop\"}' --chart --range 6h
  watchdog query 'avg_over_time(probe_success[1d])' --at 2026-11-23T00:00:00Z --csv";

impl QueryArgs {
    /// The question, with its times.
    fn ask(&self, now: Timestamp, columns: usize) -> Result<Ask, Failure> {
        let ranged = self.chart || self.range.is_some() || self.start.is_some() || self.end.is_some();
        let when = if ranged {
            let end = self.end.map_or(now, |t| t.resolve(now));
            let start = match (self.start, self.range) {
                (Some(start), _) => start.resolve(now),
                (None, range) => end.minus(range.unwrap_or(RANGE)),
            };
            if start > end {
                return Err(Failure::text(
                    Kind::Usage,
                    format!("the range starts at {start} and ends before, at {end}"),
                ));
            }
            let columns = if self.chart { columns } else { STEPS };
            let fitting = chart_step(end.millis().saturating_sub(start.millis()), columns);
            let fitting = Duration::from_millis(u64::try_from(fitting).unwrap_or(1_000));
            When::Range { start, end, step: self.step.unwrap_or(fitting) }
        } else if self.step.is_some() {
            return Err(Failure::text(Kind::Usage, "`--step` belongs to a range")
                .hint("name one with `--range 1h`, or with `--start` and `--end`"));
        } else {
            When::At(self.at.map(|t| t.resolve(now)))
        };
        let limit = self.limit.and_then(|n| usize::try_from(n).ok());
        Ok(Ask { query: self.expr.clone(), when, timeout: self.timeout, limit })
    }
}

/// Runs the command.
///
/// # Errors
/// The expression is not understood, nobody answers, or the server refuses.
pub fn run(args: &QueryArgs, ui: &mut Ui, cx: &Context) -> Done {
    let now = cx.clock.now();
    let ask = args.ask(now, ui.look().width)?;
    let expr = understood(&args.expr, ui.look().width)?;
    let client = connect::client(&cx.settings)?;
    let text = connect::block_on(send(&client, &ask))?;
    let reply: Reply = serde_json::from_str(&text).map_err(|e| connect::failure(ClientError::Reply(e.to_string())))?;
    for note in reply.warnings.iter().chain(&reply.infos) {
        ui.note(note);
    }
    let resolution = reply.data.resolution.as_deref().filter(|r| *r != "raw");
    if let Some(resolution) = resolution {
        ui.note(format!("answered from roll-ups of {resolution}"));
    }
    if ui.is_json() {
        // As the server wrote it: its order, its digits.
        ui.json_text(&text);
        return Ok(Answer::Good);
    }
    let value = &reply.data.value;
    if args.csv {
        csv(ui, value);
        return Ok(Answer::Good);
    }
    match (value, ask.when) {
        (Value::Vector(samples), _) if samples.is_empty() => ui.note("no series"),
        (Value::Matrix(series), _) if series.is_empty() => ui.note("no series"),
        (Value::Matrix(series), When::Range { start, end, step }) if args.chart => {
            let glyphs = args.glyphs.over(ui.screens().glyphs);
            chart(ui, series, [start, end], step, glyphs);
            ui.note(format!("{} series, {} points, step {}", series.len(), value.points(), Exact(step)));
        }
        (value, when) => {
            let ages = match when {
                When::At(at) if is_selector(&expr) => {
                    // The values are what was asked for; without their ages they are still worth printing.
                    connect::block_on(ages(&client, &ask, at.unwrap_or(now))).unwrap_or_default()
                }
                When::At(_) | When::Range { .. } => HashMap::new(),
            };
            table(ui, value, matches!(when, When::Range { .. }), &|metric| ages.get(&nameless(metric)).copied());
        }
    }
    Ok(Answer::Good)
}

async fn send(client: &Client, ask: &Ask) -> Result<String, Failure> {
    client.post_form(ask.path(), &ask.form()).await.map_err(connect::failure)
}

fn nameless(metric: &Labels) -> Labels {
    metric.filtered(|name| name != crate::base::labels::METRIC_NAME)
}

/// How old the samples are that an instant selector found. An answer has the time of the question, not that of
/// its samples, so this takes another question.
async fn ages(client: &Client, ask: &Ask, at: Timestamp) -> Result<HashMap<Labels, Duration>, Failure> {
    let ask = Ask { query: format!("timestamp({}\n)", ask.query), ..ask.clone() };
    let text = send(client, &ask).await?;
    let Ok(Reply { data: crate::wire::query::Data { value: Value::Vector(samples), .. }, .. }) =
        serde_json::from_str(&text)
    else {
        return Ok(HashMap::new());
    };
    let age = |secs: f64| at.since(Timestamp::from_millis((secs * 1e3).round() as i64));
    Ok(samples.into_iter().map(|s| (nameless(&s.metric), age(s.value.v))).collect())
}

/// Whether the expression is an instant selector and nothing else.
fn is_selector(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Vector(_) => true,
        ExprKind::Paren(inner) => is_selector(inner),
        _ => false,
    }
}

/// Reads the expression here first: the server's answer would have no place to point at.
fn understood(text: &str, columns: usize) -> Result<Expr, Failure> {
    // What is experimental is left to the server, which knows its settings.
    let parsed = parse(text, Features::all());
    match (parsed.problems.first(), parsed.expr) {
        (None, Some(expr)) => Ok(expr),
        (None, None) => Err(Failure::text(Kind::Usage, "the expression is empty")),
        (Some(problem), _) => Err(pointed(text, problem, columns)),
    }
}

/// A mistake in `text` with carets below it.
pub fn pointed(text: &str, problem: &Problem, columns: usize) -> Failure {
    let (line, column) = place(text, problem.at);
    // The sentence stands in front; only the marks go below the text.
    let bare = Problem { message: String::new(), hint: None, ..problem.clone() };
    let failure = Failure::text(Kind::Usage, format!("{line}:{column}: parse error: {}", problem.message));
    problem.hint.iter().fold(failure.excerpt(caret_lines(text, &bare, columns)), Failure::hint)
}
