//! `unix` against a real Redis, and against peers that mean no good.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::time::Instant;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::server::wait_for;

const LIMIT: Duration = Duration::from_secs(5);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test]
async fn a_real_redis_is_judged_by_what_it_answers_on_its_socket() {
    let Some(redis) = program("redis-server", "redis-server") else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let socket = dir.path().join("redis.sock").display().to_string();
    let port_text = port.to_string();
    let args =
        ["--unixsocket", &socket, "--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let server = Daemon::start(dir, &redis, args).listening(port);
    wait_for("a connection to the socket", || std::os::unix::net::UnixStream::connect(&socket).ok());
    // It hangs up after its answers, so nothing more is to be waited for.
    let ask = |expect: &str| format!("{{path: {socket}, send: \"PING\\r\\nQUIT\\r\\n\", expect: {expect}}}");
    let good = probe("unix", &ask("{contains: +PONG}"), LIMIT).await;
    assert_eq!((good.verdict, good.summary.as_str()), (Verdict::Up, "+PONG"), "{good:?}");
    let wrong = probe("unix", &ask("{matches: '^-ERR'}"), LIMIT).await;
    assert_eq!((wrong.verdict, class(&wrong)), (Verdict::Down, "answer"), "{wrong:?}");
    server.stop();
    let slow = probe("unix", &ask("{contains: +PONG}"), Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{slow:?}");
    kill(Pid::from_raw(server.pid()), Signal::SIGCONT).unwrap();
    drop(server);
    let gone = probe("unix", &ask("{contains: +PONG}"), LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "no_socket"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_peers_have_their_class_within_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    for (name, says, endless) in [
        ("endless", "x".repeat(8192), true),
        ("junk", "\u{0}\u{1b}[2J\n".to_owned(), false),
        ("mute", String::new(), false),
    ] {
        let path = dir.path().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 16]).await;
                while stream.write_all(says.as_bytes()).await.is_ok() && endless {}
            }
        });
        let start = Instant::now();
        let text = format!("{{path: {}, send: x, expect: {{contains: never}}}}", path.display());
        let got = probe("unix", &text, LIMIT).await;
        assert!(start.elapsed() < LIMIT, "{name}: late");
        // What was not read of our words when a peer hangs up makes a reset of its end.
        let classes = ["answer", "connection_reset"];
        assert!(got.verdict == Verdict::Down && classes.contains(&class(&got)), "{name}: {got:?}");
    }
}
