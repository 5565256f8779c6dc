//! `redis` against a real Redis.

use std::time::Duration;

use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program, until};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

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
    let good = probe("redis", &format!("{{{login}, expect: {{role: primary}}}}"), LIMIT).await;
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
    ends("redis", server, port, &format!("{{{login}}}"), "auth").await;
}

#[tokio::test]
async fn a_real_replica_is_up_as_long_as_its_primary_is_there() {
    let Some(redis) = program("redis-server", "redis-server") else { return };
    let ports = [free_port(), free_port()];
    let start = |at: u16, more: &[&str]| {
        let common =
            ["--port", &at.to_string(), "--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0"];
        let args: Vec<&str> = common.into_iter().chain(more.iter().copied()).collect();
        Daemon::start(tempfile::tempdir().unwrap(), &redis, args).listening(at)
    };
    let primary = start(ports[0], &[]);
    let replica = start(ports[1], &["--replicaof", "127.0.0.1", &ports[0].to_string()]);
    let text = ports.map(|p| format!("{{host: \"127.0.0.1:{p}\", expect: {{role: replica}}}}"));
    let good = until("redis", &text[1], "").await;
    assert_eq!((good.verdict, class(&good)), (Verdict::Up, ""), "{good:?}\n{}", replica.log());
    assert_eq!(class(&probe("redis", &text[0], LIMIT).await), "role");
    let followed = text[0].replace("role: replica", "role: primary, replicas: 1");
    assert_eq!(until("redis", &followed, "").await.verdict, Verdict::Up);
    drop(primary);
    let detached = until("redis", &text[1], "role").await;
    assert_eq!((detached.verdict, class(&detached)), (Verdict::Down, "role"), "{detached:?}");
}
