//! `watchdog drill`.

use clap::Args;

use crate::cli::commands::notify;
use crate::cli::matching::{label, labels};
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect};
use crate::wire::alerting::{DrillRequest, TestResult};

/// Arguments of `drill`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DrillArgs {
    /// Labels of the alert, to take a certain route: `team=web severity=critical`
    #[arg(value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

const EXAMPLES: &str = "\
Examples:
  watchdog drill                             by the route of an alert of severity info
  watchdog drill severity=critical team=db   by the route of such an alert";

/// Sends a marked alert the whole way. Exit code 1 when a notifier did not take it, or nobody would be told.
///
/// # Errors
/// Nobody answers.
pub fn run(args: &DrillArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    if ui.is_terminal() && !ui.is_json() {
        ui.note("a drill's alert is on its way; this takes as long as the slowest notifier");
    }
    let request = DrillRequest { labels: labels(&args.labels) };
    let results = connect::block_on(async {
        client.post::<_, Vec<TestResult>>("/api/v1/drill", &request).await.map_err(connect::failure)
    })?;
    let good = !results.is_empty() && results.iter().all(|r| r.ok);
    if ui.is_json() {
        ui.value(&results)?;
    } else if results.is_empty() {
        ui.note("nobody would be told of such an alert; `watchdog notify routes` shows the ways");
    } else {
        notify::results(ui, &results);
    }
    Ok(if good { Answer::Good } else { Answer::Bad })
}
