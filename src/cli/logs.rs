//! Where the program's own log lines go: a daily file in the data directory, and stderr for `serve`.

use std::fs::DirBuilder;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Daily files kept.
const KEPT: usize = 14;
/// Lines that wait for the disk; their places are allocated at once.
const WAITING: usize = 4_096;

/// Writes what is still in memory when dropped.
#[derive(Debug)]
pub struct Logs {
    _file: Option<WorkerGuard>,
    _screen: Option<WorkerGuard>,
}

/// Starts logging; `WATCHDOG_LOG` sets the level (`info` by default, `debug`, `watchdog::engine=debug` …).
///
/// A directory that cannot be written loses the file, not the server: `to_stderr` still speaks.
pub fn start(data_dir: &Path, to_stderr: bool) -> Logs {
    let filter = || EnvFilter::try_from_env("WATCHDOG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let dir = data_dir.join("logs");
    // The appender complains on stderr about a directory that it is about to make.
    let _ = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("watchdog")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(dir);
    let (file, guard) = match appender {
        Ok(appender) => {
            // Full: lines are dropped rather than waited for; a slow disk must not slow a probe.
            let (writer, guard) = in_background(appender);
            (Some(fmt::layer().with_writer(writer).with_ansi(false).with_filter(filter())), Some(guard))
        }
        Err(_) => (None, None),
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    // The same for a pipe that nobody reads, such as that of a log collector which hangs.
    let (screen, screen_guard) = match to_stderr.then(|| in_background(std::io::stderr())) {
        Some((writer, guard)) => {
            (Some(fmt::layer().with_writer(writer).with_ansi(colour).with_filter(filter())), Some(guard))
        }
        None => (None, None),
    };
    // A second call, in tests, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(file).with(screen).try_init();
    Logs { _file: guard, _screen: screen_guard }
}

fn in_background<W: Write + Send + 'static>(to: W) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(WAITING).finish(to)
}
