//! `redis` against a real Redis.

use std::time::Duration;

use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test]
async fn a_real_redis_is_logged_in_to_and_judged() {
    let Some(redis) = program("redis-server", "redis-server") else { return };
    let (port, secure) = (free_port(), free_port());
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = keys::write(dir.path());
    let files = (cert.display().to_string(), key.display().to_string());
    let (plain, tls) = (port.to_string(), secure.to_string());
    let args = [
        "--port",
        &plain,
        "--tls-port",
        &tls,
        "--tls-cert-file",
        &files.0,
        "--tls-key-file",
        &files.1,
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &files.0,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--requirepass",
        "right-word",
    ];
    let server = Daemon::start(dir, &redis, args).listening(port).listening(secure);
    let at = format!("host: \"127.0.0.1:{port}\"");
    let login = format!("{at}, password: right-word");
    let good = probe("redis", &format!("{{{login}, expect: {{role: master}}}}"), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.summary.starts_with("Redis "), "{}", good.summary);
    for name in ["probe_redis_ping_duration_seconds", "redis_connected_clients", "redis_memory_used_bytes"] {
        assert!(good.samples.iter().any(|s| s.name == name), "{name}: {:?}", good.samples);
    }
    let phases: Vec<&str> = good.phases.iter().map(|p| &*p.name).collect();
    assert_eq!(phases, ["resolve", "connect", "auth", "query"]);
    for (text, want) in [
        (format!("{{{at}}}"), "auth"),
        (format!("{{{at}, password: wrong-word}}"), "auth"),
        (format!("{{{login}, database: 99}}"), "database"),
        (format!("{{{login}, command: [NOSUCH]}}"), "query"),
        (format!("{{{login}, command: [DBSIZE], expect: {{value: 0}}}}"), ""),
        (format!("{{{login}, command: [DBSIZE], expect: {{value: {{above: 0}}}}}}"), "value"),
        (format!("{{{login}, expect: {{role: replica}}}}"), "role"),
        (format!("{{{login}, expect: {{replicas: 1}}}}"), "replicas"),
        (format!("{{host: \"localhost:{secure}\", password: right-word, tls: {{ca_file: {}}}}}", files.0), ""),
        (format!("{{host: \"localhost:{secure}\", password: right-word, tls: true}}"), "cert_untrusted"),
    ] {
        let got = probe("redis", &text, LIMIT).await;
        assert_eq!(class(&got), want, "{text}: {got:?}");
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
    }
    server.stop();
    let slow = probe("redis", &format!("{{{login}}}"), Duration::from_millis(300)).await;
    assert_eq!(class(&slow), "timeout", "{slow:?}");
    assert!(slow.phases.iter().any(|p| p.name == "auth" && p.failed), "{:?}", slow.phases);
    drop(server);
    assert_eq!(class(&probe("redis", &format!("{{{login}}}"), LIMIT).await), "connection_refused");
}
