//! `watchdog rule list` and `watchdog rule eval`.

use clap::{Args, Subcommand};

use crate::base::failure::{Failure, Kind};
use crate::base::nearest::nearest;
use crate::base::units::{Exact, Short};
use crate::cli::table::{Cell, Table};
use crate::cli::times::{Time, time};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::alerting::{RuleRow, RuleState};

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// List the rules with their last values
    List(ListArgs),
    /// Evaluate a rule now, or at another time, and show what it gives; changes nothing
    Eval(EvalArgs),
}

/// Arguments of `rule list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only rules whose name or file contains this
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Only rules that fail, or never gave a series
    #[arg(long)]
    pub suspicious: bool,
}

/// Arguments of `rule eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// Name of the rule, or a file of rules such as `rules.d/web.yaml`
    #[arg(value_name = "NAME|FILE")]
    pub what: String,
    /// Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub at: Option<Time>,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or the server refuses.
pub fn run(command: &RuleCommand, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let rows =
        connect::block_on(async { client.get::<Vec<RuleRow>>("/api/v1/rules/list").await.map_err(connect::failure) })?;
    match command {
        RuleCommand::List(args) => {
            list(args, &rows, ui, cx)?;
            Ok(Answer::Good)
        }
        RuleCommand::Eval(args) => eval(args, &rows, ui, cx),
    }
}

fn list(args: &ListArgs, rows: &[RuleRow], ui: &mut Ui, cx: &Context) -> Result<(), Failure> {
    let wanted = |r: &&RuleRow| {
        args.text.as_ref().is_none_or(|t| r.name.contains(t.as_str()) || r.source.contains(t.as_str()))
            && (!args.suspicious || r.never_matched || r.health == "err")
    };
    let rows: Vec<&RuleRow> = rows.iter().filter(wanted).collect();
    if ui.is_json() {
        return ui.value(&rows);
    }
    if rows.is_empty() {
        ui.note("no rules");
        return Ok(());
    }
    let now = cx.clock.now();
    let header = ["STATE", "RULE", "VALUE", "SERIES", "TOOK", "LAST", "FIRED", "MISSED", "FILE", "NOTE"];
    let mut table = Table::new(&header, &[1, 8, 9]).dispensable(&[4, 7, 6, 3]);
    for r in rows {
        let (word, role) = match (&*r.health, r.state) {
            ("err", _) => ("error", Role::Bad),
            ("unknown", _) => ("waiting", Role::Dim),
            (_, Some(RuleState::Firing)) => ("firing", Role::Bad),
            (_, Some(RuleState::Pending)) => ("pending", Role::Warn),
            (_, Some(RuleState::Inactive)) => ("inactive", Role::Good),
            (_, None) => ("records", Role::Good),
        };
        let note = match &r.last_error {
            Some(error) => error.clone(),
            None if r.never_matched => "never gave a series".to_owned(),
            None => String::new(),
        };
        let value = r.value.map_or_else(|| "-".to_owned(), |v| v.to_string());
        table.row(vec![
            Cell::new(role, word),
            Cell::plain(&r.name),
            Cell::plain(value),
            Cell::plain(r.series.to_string()),
            Cell::plain(r.took.map_or_else(|| "-".to_owned(), |d| format!("{:.1}ms", d.as_secs_f64() * 1e3))),
            Cell::plain(r.last_evaluation.map_or_else(|| "-".to_owned(), |t| Short(now.since(t)).to_string())),
            Cell::plain(r.firings.to_string()),
            Cell::plain(r.missed.to_string()),
            Cell::plain(&r.source),
            Cell::plain(note),
        ]);
    }
    table.print(ui);
    Ok(())
}

/// What one rule gives.
#[derive(serde::Serialize)]
struct Evaluated<'a> {
    rule: &'a str,
    source: &'a str,
    query: &'a str,
    result: serde_json::Value,
}

fn eval(args: &EvalArgs, rows: &[RuleRow], ui: &mut Ui, cx: &Context) -> Done {
    let in_file = |r: &&RuleRow| {
        r.source.split(':').next().is_some_and(|f| f == args.what || f.ends_with(&format!("/{}", args.what)))
    };
    let found: Vec<&RuleRow> = rows.iter().filter(|r| r.name == args.what || in_file(r)).collect();
    if found.is_empty() {
        let failure = Failure::text(Kind::Bad, format!("no rule and no file of rules is named `{}`", args.what));
        let near = nearest(&args.what, rows.iter().map(|r| r.name.as_str()));
        return Err(match near {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("list the rules with `watchdog rule list`"),
        });
    }
    let client = connect::client(&cx.settings)?;
    let at = args.at.map_or_else(|| cx.clock.now(), |t| t.resolve(cx.clock.now()));
    let mut out = Vec::new();
    for rule in found {
        let query = path_segment(&rule.query);
        let path = format!("/api/v1/query?time={}&query={query}", at.millis() as f64 / 1e3);
        let reply: serde_json::Value = connect::block_on(async { client.get(&path).await.map_err(connect::failure) })?;
        let result = reply["data"]["result"].clone();
        out.push(Evaluated { rule: &rule.name, source: &rule.source, query: &rule.query, result });
    }
    if ui.is_json() {
        ui.value(&out)?;
        return Ok(Answer::Good);
    }
    for (i, one) in out.iter().enumerate() {
        if i > 0 {
            ui.line("");
        }
        let row = rows.iter().find(|r| r.source == one.source);
        let hold = row.and_then(|r| r.hold).filter(|d| !d.is_zero()).map(|d| format!(", for {}", Exact(d)));
        ui.line(format!("{}  ({}{})", one.rule, one.source, hold.unwrap_or_default()));
        ui.line(format!("  {}", one.query.replace('\n', "\n  ")));
        match one.result.as_array() {
            Some(list) if list.is_empty() => ui.line("  gives nothing"),
            Some(list) => {
                for item in list {
                    match (&item["metric"], &item["value"][1]) {
                        (serde_json::Value::Object(metric), value) => {
                            let labels: Vec<String> = metric.iter().map(|(k, v)| format!("{k}={v}")).collect();
                            ui.line(format!("  {{{}}} {}", labels.join(", "), value.as_str().unwrap_or_default()));
                        }
                        _ => ui.line(format!("  {item}")),
                    }
                }
            }
            None => ui.line(format!("  {}", one.result)),
        }
    }
    Ok(Answer::Good)
}
