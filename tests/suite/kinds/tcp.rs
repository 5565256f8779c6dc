//! `tcp` against a real Redis.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, free_port, probe, program};

#[tokio::test]
async fn a_real_redis_is_judged_by_what_it_answers() {
    let Some(redis) = program("redis-server", "redis-server") else { return };
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let args = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let server = Daemon::start(dir, &redis, args).listening(port);
    let text = format!("{{host: \"127.0.0.1:{port}\", send: \"PING\\r\\n\", expect: {{contains: +PONG}}}}");
    let good = probe("tcp", &text, Duration::from_secs(5)).await;
    assert_eq!((good.verdict, good.summary.as_str()), (Verdict::Up, "+PONG"));
    // It hangs up, so nothing more is to be waited for.
    let wrong = format!("{{host: \"127.0.0.1:{port}\", send: \"PING\\r\\nQUIT\\r\\n\", expect: {{matches: '^-ERR'}}}}");
    let wrong = probe("tcp", &wrong, Duration::from_secs(5)).await;
    assert_eq!((wrong.verdict, &*wrong.reason.unwrap().class), (Verdict::Down, "answer"));
    let pid = Pid::from_raw(server.pid());
    server.stop();
    let slow = probe("tcp", &text, Duration::from_millis(300)).await;
    assert_eq!(slow.reason.unwrap().message, format!("no answer (127.0.0.1:{port}) within 300ms"));
    kill(pid, Signal::SIGCONT).unwrap();
    drop(server);
    let gone = probe("tcp", &text, Duration::from_secs(5)).await;
    assert_eq!(gone.reason.unwrap().class, "connection_refused");
}
