//! `watchdog push`: tells a heartbeat monitor how a job fares, or runs the job and tells it all.
//!
//! Around a job it is transparent: its output passes through, its exit code is ours, and a server that does not
//! answer costs a line on standard error, never the job.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, stderr, stdout};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout};

use crate::base::failure::{Failure, Kind};
use crate::base::heard::PATIENCE;
use crate::base::term_safe::term_safe;
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect};
use crate::client::{Client, path_segment};
use crate::wire::api::{Push, PushStatus};

/// What is kept of the job's output to be sent: the server keeps no more.
const LOG: usize = 8 * 1_024;
/// How long its output may take to end after it has: something else may hold it.
const DRAINED: Duration = Duration::from_millis(200);

/// Arguments of `push`.
#[derive(Args, Debug)]
#[command(after_help = "With COMMAND: runs it, tells its start, end, duration, exit code and the end of its \
    output, and exits as it does. Without: tells what the flags say.")]
pub struct PushArgs {
    /// The heartbeat monitor
    name: String,
    /// The monitor's token
    #[arg(long, env = "WATCHDOG_PUSH_TOKEN", hide_env_values = true)]
    token: String,
    /// How the job fares, when there is no COMMAND
    #[arg(long, value_enum, default_value_t = Status::Up, conflicts_with = "command")]
    status: Status,
    /// One line to show with the monitor
    #[arg(long, default_value = "")]
    message: String,
    /// Something that the job measured; may be given again
    #[arg(long = "metric", value_name = "NAME=VALUE", value_parser = metric)]
    metrics: Vec<(String, f64)>,
    /// Keep the job's output out of the report
    #[arg(long, requires = "command")]
    no_log: bool,
    /// Program and its arguments, after `--`; no shell is involved
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Status {
    /// It succeeded
    Up,
    /// It failed
    Down,
    /// It begins
    Start,
}

fn metric(text: &str) -> Result<(String, f64), String> {
    let pair =
        text.split_once('=').and_then(|(name, value)| Some((name.trim().to_owned(), value.trim().parse().ok()?)));
    pair.ok_or_else(|| "write NAME=NUMBER, e.g. `backup_bytes=7e9`".to_owned())
}

/// Reports, or runs a job and reports.
///
/// # Errors
/// Without a job: nobody answers, or the server refuses. With one: it cannot be run.
pub fn run(args: &PushArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let metrics = args.metrics.iter().cloned().collect();
    let told = Push { message: args.message.clone(), metrics, ..Push::default() };
    if args.command.is_empty() {
        let status = match args.status {
            Status::Up => PushStatus::Up,
            Status::Down => PushStatus::Down,
            Status::Start => PushStatus::Start,
        };
        let said = connect::block_on(tell(&client, args, &Push { status, ..told }))?;
        if ui.is_json() {
            ui.value(&said)?;
        }
        return Ok(Answer::Good);
    }
    connect::block_on(around(&client, args, told))
}

async fn tell(client: &Client, args: &PushArgs, push: &Push) -> Result<Value, Failure> {
    let (name, token) = (path_segment(&args.name), path_segment(&args.token));
    let path = format!("/api/v1/push/{name}?token={token}");
    // The job waits for its start to be told.
    let sent = timeout(PATIENCE, client.post::<_, Value>(&path, push)).await;
    let late = || Failure::text(Kind::Unavailable, "the server did not answer in time");
    sent.map_err(|_| late())?.map_err(connect::failure)
}

/// A report that does not arrive must not keep a backup from being made.
async fn try_to_tell(client: &Client, args: &PushArgs, push: &Push) {
    if let Err(failure) = tell(client, args, push).await {
        let line = format!("watchdog: the report was not taken: {}\n", term_safe(failure.message()));
        // Nothing better can be done when stderr is gone.
        let _ = stderr().write_all(line.as_bytes()).await;
    }
}

async fn around(client: &Client, args: &PushArgs, told: Push) -> Done {
    try_to_tell(client, args, &Push { status: PushStatus::Start, ..Push::default() }).await;
    let started = Instant::now();
    let (end, log) = match start(args) {
        Ok(child) => follow(child).await,
        Err(e) => {
            let message = format!("cannot run `{}`: {e}", term_safe(&args.command[0]));
            let push = Push { status: PushStatus::Down, exit_code: Some(127), message: message.clone(), ..told };
            try_to_tell(client, args, &push).await;
            return Err(Failure::text(Kind::Usage, message));
        }
    };
    let code = end.code().unwrap_or_else(|| 128 + end.signal().unwrap_or_default());
    let push = Push {
        status: if code == 0 { PushStatus::Up } else { PushStatus::Down },
        exit_code: Some(code),
        duration: Some(started.elapsed().as_secs_f64()),
        log: if args.no_log { String::new() } else { String::from_utf8_lossy(&log).into_owned() },
        ..told
    };
    try_to_tell(client, args, &push).await;
    Ok(Answer::Code(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn start(args: &PushArgs) -> std::io::Result<Child> {
    let mut command = Command::new(&args.command[0]);
    // Whoever reads the job's environment needs no token.
    command.args(&args.command[1..]).env_remove("WATCHDOG_PUSH_TOKEN");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Passes the output on, signals too, and gives the end and the last of the output.
async fn follow(mut child: Child) -> (ExitStatus, Vec<u8>) {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let log = std::sync::Mutex::new(Vec::new());
    let passing = async { tokio::join!(pass(out, stdout(), &log), pass(err, stderr(), &log)) };
    tokio::pin!(passing);
    // A terminal sends its own interrupt to the job as well; a service manager's signal reaches us alone.
    let mut term = signal(SignalKind::terminate()).ok();
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    let mut open = true;
    let end = loop {
        tokio::select! {
            _ = &mut passing, if open => open = false,
            end = child.wait() => break end,
            () = arrived(&mut term) => {
                if let Some(pid) = pid {
                    // One that has ended needs no signal.
                    let _ = kill(pid, Signal::SIGTERM);
                }
            }
            () = arrived(&mut interrupt) => {}
        }
    };
    if open {
        let _ = timeout(DRAINED, &mut passing).await;
    }
    let kept = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    (end.unwrap_or_else(|_| ExitStatus::from_raw(1 << 8)), kept)
}

async fn arrived(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Copies to `to` and keeps the end.
async fn pass(from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin, log: &std::sync::Mutex<Vec<u8>>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        // A reader of ours that has gone away must not end the job.
        let _ = to.write_all(&buffer[..n]).await;
        let _ = to.flush().await;
        let mut kept = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..n]);
        let excess = kept.len().saturating_sub(LOG);
        kept.drain(..excess);
    }
}
