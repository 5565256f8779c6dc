//! `tcp` against a real Redis.

use std::time::Duration;

use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, free_port, probe, program};

#[tokio::test]
async fn a_real_redis_answers_ping_and_a_stopped_one_does_not() {
    let Some(redis) = program("redis-server", "redis-server") else { return };
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let args = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let server = Daemon::start(dir, &redis, args).listening(port);
    let text = format!("{{host: \"127.0.0.1:{port}\", send: \"PING\\r\\n\", expect: {{contains: +PONG}}}}");
    let good = probe("tcp", &text, Duration::from_secs(5)).await;
    assert_eq!((good.verdict, good.summary.as_str()), (Verdict::Up, "+PONG"));
    drop(server);
    let gone = probe("tcp", &text, Duration::from_secs(5)).await;
    assert_eq!(gone.reason.unwrap().class, "connection_refused");
}
