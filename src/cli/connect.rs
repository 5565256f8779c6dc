//! How commands talk to the server, and what a person is told when nobody answers.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::base::failure::{Failure, Kind};
use crate::cli::settings::Settings;
use crate::client::{Client, ClientError, Endpoint};

/// A client of the server at the socket.
///
/// # Errors
/// It is not known where the socket is.
pub fn client(settings: &Settings) -> Result<Client, Failure> {
    Ok(Client::new(Endpoint::Unix(settings.server_socket()?)))
}

/// Runs a command's asynchronous part on this thread.
///
/// # Errors
/// Those of `work`; or the operating system gives no event loop.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    run(runtime, work)
}

/// The same on threads of its own: for the engine and the screens. One for every two processors, four
/// at most: with more, each event wakes a second thread that finds nothing to do. On two processors
/// and 200 probes a second one thread took a seventh less processor time than two; it has room for
/// some 2,500 probes a second.
///
/// # Errors
/// Those of `work`; or the operating system gives no event loop.
pub fn block_on_threads<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).clamp(1, 4));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    run(runtime, work)
}

fn run<T>(runtime: io::Result<Runtime>, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime.map_err(|e| Failure::text(Kind::Internal, format!("cannot start an event loop: {e}")))?;
    let done = runtime.block_on(work);
    // A name lookup or file read that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    done
}

/// What a person is told about a failed request.
pub fn failure(e: ClientError) -> Failure {
    match e {
        ClientError::NoServer { endpoint, err } => {
            let failure = Failure::text(Kind::NoServer, format!("no server answers at `{endpoint}`: {}", plain(&err)));
            if err.kind() == io::ErrorKind::PermissionDenied {
                return failure.hint("the socket belongs to another user; run this command as that user");
            }
            failure
                .hint("start one with `watchdog serve`")
                .hint("if it listens elsewhere, name its socket with `--socket PATH`")
        }
        ClientError::Refused { kind, message, hints } => {
            hints.into_iter().fold(Failure::text(kind, message), Failure::hint)
        }
        e @ ClientError::Reply(_) => {
            Failure::new(Kind::Internal, &e).hint("is the server of the same version? see `watchdog status`")
        }
        e @ ClientError::Timeout(_) => {
            Failure::new(Kind::Unavailable, &e).hint("the server may be overloaded; its log says more")
        }
    }
}

/// The system's words without its number.
fn plain(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "the server that made it is gone".to_owned(),
        _ => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_look_that_hangs_does_not_keep_a_command_that_is_done() {
        let (release, wait) = channel::<()>();
        let done = block_on(async {
            let (begins, begun) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let _ = begins.send(());
                wait.recv_timeout(Duration::from_secs(10))
            });
            begun.await.map_err(|e| Failure::text(Kind::Internal, e.to_string()))
        });
        assert!(done.is_ok());
        // It still waits.
        assert!(release.send(()).is_ok());
    }
}
