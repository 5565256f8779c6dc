//! `watchdog notify list|log|resend|test|routes`.

pub mod log;
pub mod routes;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::alerting::{NotifierHealth, NotifierRow, TestResult};

/// What to do with notifiers and notifications.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// List the notifiers and how they do
    List,
    /// List what was said to whom, newest last
    Log(log::LogArgs),
    /// Say once more what a notification of the log said
    Resend(ResendArgs),
    /// Send a test message through a notifier; exit code 1 when it is not taken
    Test(TestArgs),
    /// Show the tree of routes, or where an alert with certain labels goes
    Routes(routes::RoutesArgs),
}

/// Arguments of `notify resend`.
#[derive(Args, Debug)]
pub struct ResendArgs {
    /// Its number in `notify log`
    #[arg(value_name = "ID")]
    pub id: i64,
}

/// Arguments of `notify test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Name of the notifier
    pub name: String,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or there is no such notifier or notification.
pub fn run(command: &NotifyCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        NotifyCommand::List => list(ui, cx),
        NotifyCommand::Log(args) => log::run(args, ui, cx),
        NotifyCommand::Resend(args) => resend(args, ui, cx),
        NotifyCommand::Test(args) => test(args, ui, cx),
        NotifyCommand::Routes(args) => routes::run(args, ui, cx),
    }
}

fn list(ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let rows = connect::block_on(async {
        client.get::<Vec<NotifierRow>>("/api/v1/notifiers").await.map_err(connect::failure)
    })?;
    if ui.is_json() {
        ui.value(&rows)?;
    } else if rows.is_empty() {
        ui.note("there are no notifiers: nobody is told of anything; `notifiers:` in watchdog.yaml defines them");
    } else {
        table(ui, &rows, cx.clock.now());
    }
    Ok(Answer::Good)
}

fn table(ui: &mut Ui, rows: &[NotifierRow], now: Timestamp) {
    let header = ["HEALTH", "NOTIFIER", "TYPE", "OWED", "SENT 24H", "LOST 24H", "LAST OK", "TOOK"];
    let mut table = Table::new(&header, &[1]).dispensable(&[7, 2]);
    for row in rows {
        let (word, role) = match row.health {
            NotifierHealth::Ok => ("ok", Role::Good),
            NotifierHealth::Failing => ("failing", Role::Bad),
            NotifierHealth::Open => ("paused", Role::Bad),
        };
        let count = |n: u64, role: Role| Cell::new(if n == 0 { Role::Dim } else { role }, n.to_string());
        table.row(vec![
            Cell::new(role, word),
            Cell::plain(&row.name),
            Cell::new(Role::Dim, &row.r#type),
            count(u64::try_from(row.owed).unwrap_or(u64::MAX), Role::Warn),
            count(row.delivered, Role::Plain),
            count(row.dead, Role::Bad),
            Cell::plain(row.last_ok.map_or_else(|| "never".to_owned(), |t| format!("{} ago", Short(now.since(t))))),
            Cell::plain(row.took.map_or_else(|| "-".to_owned(), |t| Short(t).to_string())),
        ]);
    }
    table.print(ui);
    // Below, where there is room for the whole sentence.
    for row in rows.iter().filter(|r| r.health != NotifierHealth::Ok) {
        if let Some(error) = &row.last_error {
            let text = ui.paint(Role::Bad, format!("{}: {error}", row.name));
            ui.line(text);
        }
    }
}

fn resend(args: &ResendArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let path = format!("/api/v1/notifications/{}/resend", args.id);
    let reply = connect::block_on(async { client.post::<_, Value>(&path, &()).await.map_err(connect::failure) })?;
    if ui.is_json() {
        ui.value(&reply)?;
    } else {
        ui.line(format_args!("notification {} is sent again; `watchdog notify log` shows whether it arrived", args.id));
    }
    Ok(Answer::Good)
}

fn test(args: &TestArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let path = format!("/api/v1/notifiers/{}/test", path_segment(&args.name));
    let result = connect::block_on(async { client.post::<_, TestResult>(&path, &()).await.map_err(connect::failure) })?;
    let answer = if result.ok { Answer::Good } else { Answer::Bad };
    if ui.is_json() {
        ui.value(&result)?;
    } else {
        results(ui, std::slice::from_ref(&result));
    }
    Ok(answer)
}

/// Prints who took a message, and how long that took.
pub fn results(ui: &mut Ui, results: &[TestResult]) {
    let mut table = Table::new(&["RESULT", "NOTIFIER", "TOOK", "DETAIL"], &[1, 3]);
    for r in results {
        let result = if r.ok { Cell::new(Role::Good, "delivered") } else { Cell::new(Role::Bad, "FAILED") };
        let took = Short(r.took).to_string();
        table.row(vec![
            result,
            Cell::plain(&r.notifier),
            Cell::plain(took),
            Cell::plain(r.detail.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(ui);
}
