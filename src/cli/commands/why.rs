//! `watchdog why`.

use clap::{Args, ValueEnum};

use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::alert::show::heading;
use crate::cli::table::{Cell, Table, wrap};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::tui::Glyphs;
use crate::wire::alerting::{Evaluation, StepOutcome, Why, WhyStep};
use crate::wire::query::value_text;

/// Cells before a step's text: indent, glyph, name.
const INDENT: usize = 17;

/// Arguments of `why`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct WhyArgs {
    /// Id of an alert or its beginning, name of an alert, a monitor or a rule
    #[arg(value_name = "ALERT|MONITOR|RULE")]
    pub about: String,
    /// What is meant, where one name means several
    #[arg(long, value_enum)]
    pub kind: Option<About>,
}

const EXAMPLES: &str = "\
Examples:
  watchdog why shop              was somebody told that shop is down, and if not, why not
  watchdog why SlowShop --kind rule";

/// What can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum About {
    /// An alert that fires or was over lately.
    Alert,
    /// A monitor and its own alert.
    Monitor,
    /// A rule and its alerts.
    Rule,
}

impl About {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Monitor => "monitor",
            Self::Rule => "rule",
        }
    }
}

/// Prints the steps from the file to the phone. Exit code 1 when one of them stops it.
///
/// # Errors
/// Nobody answers, or nothing of that name is known.
pub fn run(args: &WhyArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let kind = args.kind.map_or_else(String::new, |k| format!("&kind={}", k.as_str()));
    let path = format!("/api/v1/why?about={}{kind}", path_segment(&args.about));
    let why = connect::block_on(async { client.get::<Why>(&path).await.map_err(connect::failure) })?;
    let answer = if why.stops_at.is_some() { Answer::Bad } else { Answer::Good };
    if ui.is_json() {
        ui.value(&why)?;
        return Ok(answer);
    }
    let stop = why.stops_at.and_then(|i| why.steps.get(i));
    let role = stop.map_or(Role::Good, |s| glyph(ui, s.outcome).1);
    let (about, verdict) =
        (ui.paint(Role::Strong, format!("{} {}", why.kind, why.about)), ui.paint(role, &why.verdict));
    ui.line(format_args!("{about}: {verdict}\n"));
    for (i, step) in why.steps.iter().enumerate() {
        self::step(ui, step, why.stops_at == Some(i));
    }
    if !why.evaluations.is_empty() {
        heading(ui, "last evaluations");
        evaluations(ui, &why.evaluations, why.at);
    }
    if let Some(command) = stop.and_then(|s| look_there(&why, s)) {
        ui.flush();
        ui.note(format!("see `watchdog {command}`"));
    }
    Ok(answer)
}

/// How a step went: in one character, and its colour.
fn glyph(ui: &Ui, outcome: StepOutcome) -> (&'static str, Role) {
    let ascii = ui.screens().glyphs == Glyphs::Ascii;
    match outcome {
        StepOutcome::Pass => (if ascii { "+" } else { "✓" }, Role::Good),
        StepOutcome::Waiting => (if ascii { "~" } else { "◔" }, Role::Warn),
        StepOutcome::Stop => (if ascii { "x" } else { "✗" }, Role::Bad),
        StepOutcome::Skipped => (if ascii { "-" } else { "·" }, Role::Dim),
    }
}

fn step(ui: &mut Ui, step: &WhyStep, stops: bool) {
    let (mark, role) = glyph(ui, step.outcome);
    let width = ui.width().unwrap_or(usize::MAX).saturating_sub(INDENT).max(20);
    let (here, text_role) = match (stops, step.outcome) {
        (true, StepOutcome::Waiting) => (" <- it waits here", Role::Strong),
        (true, _) => (" <- it stops here", Role::Strong),
        (false, StepOutcome::Skipped) => ("", Role::Dim),
        (false, _) => ("", Role::Plain),
    };
    let (mark, name) = (ui.paint(role, mark), ui.paint(text_role, format!("{:<11}", step.name)));
    for (i, line) in wrap(&format!("{}{here}", step.text), width).iter().enumerate() {
        let line = ui.paint(text_role, line);
        match i {
            0 => ui.line(format_args!("  {mark} {name}  {line}")),
            _ => ui.line(format_args!("{:INDENT$}{line}", "")),
        }
    }
    let facts = step.facts.iter().map(|(key, value)| format!("{key}: {value}"));
    for fact in facts.chain(step.source.iter().filter(|s| !s.is_empty()).map(|s| format!("at {s}"))) {
        for line in wrap(&fact, width) {
            let line = ui.paint(Role::Dim, line);
            ui.line(format_args!("{:INDENT$}{line}", ""));
        }
    }
}

fn evaluations(ui: &mut Ui, all: &[Evaluation], now: Timestamp) {
    let mut table = Table::new(&["AGO", "TOOK", "SERIES", "VALUE", "ERROR"], &[4]);
    for e in all {
        table.row(vec![
            Cell::plain(Short(now.since(e.at)).to_string()),
            Cell::plain(Short(e.took).to_string()),
            Cell::plain(e.series.to_string()),
            Cell::plain(e.value.map_or_else(|| "-".to_owned(), value_text)),
            Cell::new(Role::Bad, e.error.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(ui);
}

/// The command that shows more of what stopped it.
fn look_there(why: &Why, step: &WhyStep) -> Option<String> {
    let command = match step.name.as_str() {
        "series" | "value" | "hold" if why.kind == "monitor" => return Some(format!("monitor show '{}'", why.about)),
        "inhibition" => "alert list",
        "dependency" => "monitor list --state down",
        "window" => "maintenance list",
        "silence" => "silence list",
        "route" | "group" => "notify routes",
        "attempts" => "notify log",
        _ => return None,
    };
    Some(command.to_owned())
}
