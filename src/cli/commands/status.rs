//! `watchdog status`: how everything is, once or again with every change.

use std::sync::Arc;

use clap::Args;
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Failure;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::{alert, monitor, reload};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::{Client, Link, follow};
use crate::task::supervisor::Supervisor;
use crate::wire::api::ConfigStatus;
use crate::wire::board::{AlertRow, Board, MonitorRow, State};
use crate::wire::stream::{Frame, apply};

/// Monitors shown to a person; a screen holds about as many. Pipes get all.
const TROUBLED: usize = 20;

/// Arguments of `status`.
#[derive(Args, Debug, Default)]
pub struct StatusArgs {
    /// Show it again with every change, until interrupted; with `--json` one value per line
    #[arg(short, long)]
    pub watch: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Status<'a> {
    board: &'a Board,
    /// With `--watch`, null while the server does not tell.
    config: Option<&'a ConfigStatus>,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or the server refuses. `--watch` waits for a server instead.
pub fn run(args: &StatusArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    if args.watch {
        return connect::block_on(watch(&client, ui, cx));
    }
    let (board, config) = connect::block_on(async {
        let board = client.get::<Board>("/api/v1/board").await.map_err(connect::failure)?;
        Ok((board, config(&client).await?))
    })?;
    if ui.is_json() {
        ui.value(&Status { board: &board, config: Some(&config) })?;
    } else {
        print(ui, &board, Some(&config), cx.clock.now());
    }
    Ok(match board.monitors.iter().any(|m| m.state == State::Down) {
        true => Answer::Bad,
        false => Answer::Good,
    })
}

async fn config(client: &Client) -> Result<ConfigStatus, Failure> {
    client.get("/api/v1/config").await.map_err(connect::failure)
}

/// Shows every board until the reader goes away or the process is interrupted.
async fn watch(client: &Client, ui: &mut Ui, cx: &Context) -> Done {
    // When full, the stream waits, and the server skips boards for us.
    let (tx, mut links) = mpsc::channel(8);
    let nudge = Arc::new(Notify::new());
    let mut group = Supervisor::new(&CancellationToken::new());
    let (followed, asked) = (client.clone(), Arc::clone(&nudge));
    group.add("status stream", |stop| follow(followed, tx, asked, stop));
    let mut view: Option<View> = None;
    // One listener for the whole time, or a signal between two rounds would go unheard.
    let interrupted = tokio::signal::ctrl_c().fuse();
    tokio::pin!(interrupted);
    while !ui.is_closed() {
        let link = tokio::select! {
            link = links.recv() => link,
            // An error means that there is no handler; then the default one ends us.
            Ok(()) = &mut interrupted => None,
        };
        let changed = match link {
            None => break,
            Some(Link::Connecting { .. }) => false,
            Some(Link::Lost { reason, attempt, .. }) => {
                // Once per loss, not once per try; what was shown is not current any more.
                if attempt <= 1 {
                    let what = if view.is_some() { "not current any more" } else { "not connected" };
                    ui.note(format!("{what}: {reason}; trying again"));
                }
                view = None;
                false
            }
            Some(Link::Frame(frame)) => update(&mut view, *frame, client, &nudge).await,
        };
        if changed && let Some(View { board, config }) = &view {
            show(ui, board, config.as_ref(), cx.clock.now())?;
        }
    }
    group.stop(std::time::Duration::from_secs(1)).await;
    Ok(Answer::Good)
}

/// What is shown while watching.
struct View {
    board: Board,
    /// Asked for when the board says that it changed; `None` when that failed, until the next board.
    config: Option<ConfigStatus>,
}

/// Takes a frame in; tells whether there is something new to show.
async fn update(view: &mut Option<View>, frame: Frame, client: &Client, nudge: &Notify) -> bool {
    match (frame, &mut *view) {
        (Frame::Snapshot { board }, _) => {
            *view = Some(View { board: *board, config: config(client).await.ok() });
            true
        }
        (Frame::Delta(delta), Some(View { board, config: loaded })) => {
            let before = (board.engine.config_loaded, board.engine.problems);
            if !apply(board, *delta) {
                // A board was missed: a new connection begins with a whole one.
                nudge.notify_one();
                return false;
            }
            if loaded.is_none() || (board.engine.config_loaded, board.engine.problems) != before {
                *loaded = config(client).await.ok();
            }
            true
        }
        (Frame::Delta(_) | Frame::Hello { .. } | Frame::Heartbeat { .. } | Frame::Goodbye { .. }, _) => false,
    }
}

fn show(ui: &mut Ui, board: &Board, config: Option<&ConfigStatus>, now: Timestamp) -> Result<(), Failure> {
    if ui.is_json() {
        return ui.value_line(&Status { board, config });
    }
    if ui.is_terminal() {
        // To the upper left, then clear what is below.
        ui.out(format_args!("\x1b[H\x1b[J"));
    } else {
        let time = now.local("%H:%M:%S");
        ui.line(format_args!("--- {time}"));
    }
    print(ui, board, config, now);
    ui.flush();
    Ok(())
}

/// Prints the verdict, what is not well, and how the engine does.
fn print(ui: &mut Ui, board: &Board, config: Option<&ConfigStatus>, now: Timestamp) {
    let headline = &board.verdict;
    let role = headline.worst.map_or(Role::Strong, Role::from);
    let starting = "Starting: there is nothing to judge yet.";
    let sentence = if headline.sentence.is_empty() { starting } else { &headline.sentence };
    let sentence = ui.paint(role, sentence);
    let since = headline.since.map_or_else(String::new, |t| format!("  for {}", Short(now.since(t))));
    ui.line(format_args!("{sentence}{since}"));
    if let Some(first) = &headline.first_to_break {
        let first = ui.paint(Role::Plain, first);
        ui.line(first);
    }
    ui.line(counts(ui, board));
    let not_ok = |m: &MonitorRow| matches!(m.state, State::Down | State::Degraded | State::Unknown) || m.stale_config;
    let mut troubled: Vec<_> = board.monitors.iter().filter(|m| not_ok(m)).cloned().collect();
    if !troubled.is_empty() {
        ui.line("");
        troubled.sort_by_key(|m| m.state);
        let hidden = if ui.is_terminal() { troubled.len().saturating_sub(TROUBLED) } else { 0 };
        troubled.truncate(troubled.len() - hidden);
        monitor::table(ui, &troubled, now);
        if hidden > 0 {
            let more = "`watchdog monitor list --state down,degraded,unknown` shows all";
            let more = ui.paint(Role::Dim, format!("and {hidden} more; {more}"));
            ui.line(more);
        }
    }
    let alerts: Vec<&AlertRow> = board.alerts.iter().map(|a| &**a).collect();
    if !alerts.is_empty() {
        ui.line("");
        alert::table(ui, &alerts, now);
    }
    reload::problems(ui, config.map(|c| c.problems.as_slice()).unwrap_or_default());
    engine(ui, board, config, now);
}

fn counts(ui: &Ui, board: &Board) -> String {
    let mut parts = Vec::new();
    for state in State::ALL {
        let count = board.monitors.iter().filter(|m| m.state == state).count();
        if count > 0 {
            parts.push(ui.paint(state.into(), format!("{count} {}", state.as_str())));
        }
    }
    let noun = if board.monitors.len() == 1 { "monitor" } else { "monitors" };
    let detail = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{} {noun}{detail}", board.monitors.len())
}

fn engine(ui: &mut Ui, board: &Board, config: Option<&ConfigStatus>, now: Timestamp) {
    let (server, health) = (&board.server, &board.engine);
    ui.line("");
    for complaint in &health.complaints {
        let complaint = ui.paint(Role::Warn, format!("engine: {complaint}"));
        ui.line(complaint);
    }
    let http = server.http.as_ref().map_or_else(String::new, |a| format!(", {a}"));
    let about = format!(
        "watchdog {} on {} (pid {}{http}), up {}; start lag p99 {}, slots missed {}, messages owed {}, receivers {}",
        server.version,
        server.instance,
        server.pid,
        Short(now.since(server.started)),
        Short(health.lag_p99),
        health.missed_slots,
        health.outbox,
        health.receivers,
    );
    let files = config.map(|c| {
        let age = Short(now.since(c.loaded));
        format!("configuration {}: files {}, monitors {}, loaded {age} ago", c.dir, c.files, c.monitors)
    });
    for line in [Some(about), files].into_iter().flatten() {
        let line = ui.paint(Role::Dim, line);
        ui.line(line);
    }
}
