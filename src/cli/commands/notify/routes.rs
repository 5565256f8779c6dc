//! `watchdog notify routes`.

use clap::Args;

use crate::base::units::Exact;
use crate::cli::matching::{label, labels};
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::tui::Glyphs;
use crate::wire::alerting::{RouteMatch, RouteRow};

/// Arguments of `notify routes`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RoutesArgs {
    /// Labels of an alert: where would it go?
    #[arg(value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

const EXAMPLES: &str = "\
Examples:
  watchdog notify routes
  watchdog notify routes severity=critical team=web";

/// Runs the command.
///
/// # Errors
/// Nobody answers.
pub fn run(args: &RoutesArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    if args.labels.is_empty() {
        let root =
            connect::block_on(async { client.get::<RouteRow>("/api/v1/routes").await.map_err(connect::failure) })?;
        if ui.is_json() {
            ui.value(&root)?;
        } else {
            branch(ui, &root, None, "", "");
        }
        return Ok(Answer::Good);
    }
    let labels = labels(&args.labels);
    let matches = connect::block_on(async {
        client.post::<_, Vec<RouteMatch>>("/api/v1/routes/test", &labels).await.map_err(connect::failure)
    })?;
    if ui.is_json() {
        ui.value(&matches)?;
        return Ok(Answer::Good);
    }
    let mut table = Table::new(&["RECEIVER", "NOTIFIERS", "ROUTE", "AT", "GROUP"], &[1, 2, 4]).dispensable(&[4]);
    for m in &matches {
        table.row(vec![
            Cell::plain(&m.receiver),
            match m.notifiers.is_empty() {
                true => Cell::new(Role::Bad, "nobody"),
                false => Cell::plain(m.notifiers.join(", ")),
            },
            Cell::plain(&m.route),
            Cell::new(Role::Dim, &m.source),
            Cell::new(Role::Dim, &m.group_key),
        ]);
    }
    table.print(ui);
    Ok(Answer::Good)
}

/// Prints a route and those below it; of its settings only what its parent does not have.
fn branch(ui: &mut Ui, route: &RouteRow, parent: Option<&RouteRow>, lead: &str, below: &str) {
    let matchers = match (route.matchers.is_empty(), parent) {
        (true, None) => String::new(),
        (true, Some(_)) => "  everything".to_owned(),
        (false, _) => format!("  {}", route.matchers.join(", ")),
    };
    let mut settings = Vec::new();
    if parent.is_none_or(|p| p.group_by != route.group_by) {
        settings.push(match route.group_by.as_slice() {
            [] => "one group".to_owned(),
            [all] if all == "..." => "each alone".to_owned(),
            names => format!("by {}", names.join(", ")),
        });
    }
    for (name, own, inherited) in [
        ("wait", route.group_wait, parent.map(|p| p.group_wait)),
        ("interval", route.group_interval, parent.map(|p| p.group_interval)),
        ("repeat", route.repeat_interval, parent.map(|p| p.repeat_interval)),
    ] {
        if inherited != Some(own) {
            settings.push(format!("{name} {}", Exact(own)));
        }
    }
    if route.r#continue {
        settings.push("continue".to_owned());
    }
    settings.extend((!route.source.is_empty()).then(|| route.source.clone()));
    let receiver = ui.paint(Role::Strong, &route.receiver);
    let matchers = ui.paint(Role::Plain, matchers);
    let settings = ui.paint(Role::Dim, settings.join("; "));
    ui.line(format_args!("{lead}{receiver}{matchers}"));
    let ascii = ui.screens().glyphs == Glyphs::Ascii;
    let bar = |last: bool| match (last, ascii) {
        (true, _) => "   ",
        (false, true) => "|  ",
        (false, false) => "│  ",
    };
    if !settings.is_empty() {
        let bar = bar(route.routes.is_empty());
        ui.line(format_args!("{below}{bar}{settings}"));
    }
    for (i, child) in route.routes.iter().enumerate() {
        let last = i + 1 == route.routes.len();
        let fork = match (last, ascii) {
            (_, true) => "+- ",
            (true, false) => "└─ ",
            (false, false) => "├─ ",
        };
        branch(ui, child, Some(route), &format!("{below}{fork}"), &format!("{below}{}", bar(last)));
    }
}
