//! `postgres` against a real PostgreSQL. It refuses to run as root, so root runs it as `nobody`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{User, chown, getuid};
use tempfile::TempDir;
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, until};
use crate::kinds::keys;
use crate::needs;

const LIMIT: Duration = Duration::from_secs(5);

/// Debian keeps the programs of each version in a folder of its own.
fn folder() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|v| v.path().join("bin")).find(|bin| bin.join("initdb").exists());
    needs::met(found.is_some(), "Debian's package postgresql").then(|| found.unwrap())
}

/// `program` and its arguments, run as somebody whom PostgreSQL takes.
fn unprivileged(program: &Path, args: &[&str]) -> (String, Vec<String>) {
    let mut words: Vec<String> = Vec::new();
    if getuid().is_root() {
        words.extend(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"].map(str::to_owned));
    }
    words.push(program.display().to_string());
    words.extend(args.iter().map(|a| (*a).to_owned()));
    let first = words.remove(0);
    (first, words)
}

fn own(path: &Path) {
    if getuid().is_root() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        chown(path, Some(nobody.uid), Some(nobody.gid)).unwrap();
    }
}

fn start(bin: &Path, port: u16) -> Daemon {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let (cert, key) = keys::write(dir.path());
    let password = dir.path().join("password");
    fs::write(&password, "right-word\n").unwrap();
    [dir.path(), &cert, &key, &password].into_iter().for_each(own);
    let data = dir.path().join("data").display().to_string();
    let (program, args) = unprivileged(
        &bin.join("initdb"),
        &["-D", &data, "-U", "admin", "-A", "scram-sha-256", "--no-sync", "--pwfile", password.to_str().unwrap()],
    );
    let made = Command::new(program).args(args).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    serve(bin, port, dir, &[format!("ssl_cert_file={}", cert.display()), format!("ssl_key_file={}", key.display())])
}

/// Runs what stands in the folder `data`.
fn serve(bin: &Path, port: u16, dir: TempDir, more: &[String]) -> Daemon {
    let (port, here) = (port.to_string(), dir.path().display().to_string());
    let data = dir.path().join("data").display().to_string();
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={here}"),
        "fsync=off".to_owned(),
        format!("ssl={}", if more.is_empty() { "off" } else { "on" }),
    ];
    let mut args = vec!["-D", &data, "-p", &port];
    args.extend(settings.iter().chain(more).flat_map(|s| ["-c", s.as_str()]));
    let (program, args) = unprivileged(&bin.join("postgres"), &args);
    Daemon::start(dir, &program, args)
}

/// A running one and its port, for other tests.
pub fn running() -> Option<(Daemon, u16)> {
    let (bin, port) = (folder()?, free_port());
    Some((start(&bin, port).listening(port), port))
}

#[tokio::test]
async fn a_real_postgresql_is_logged_in_to_and_judged() {
    let Some(bin) = folder() else { return };
    let port = free_port();
    let server = start(&bin, port).listening(port);
    let login = format!("host: \"127.0.0.1:{port}\", user: admin, password: right-word, database: postgres");
    // It takes connections before it is ready for them.
    let good = until("postgres", &format!("{{{login}, expect: {{role: primary}}}}"), "").await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.summary.starts_with("PostgreSQL "), "{}", good.summary);
    for name in ["pg_replication_is_replica", "pg_settings_max_connections", "probe_postgres_query_duration_seconds"] {
        assert!(good.samples.iter().any(|s| s.name == name), "{name}: {:?}", good.samples);
    }
    let phases: Vec<&str> = good.phases.iter().map(|p| &*p.name).collect();
    assert_eq!(phases, ["resolve", "connect", "auth", "query"]);
    let cert = server.dir().join("cert.pem").display().to_string();
    let secure = login.replace("127.0.0.1", "localhost");
    for (text, want) in [
        (login.replace("right", "wrong"), "auth"),
        (login.replace("admin", "nobody"), "auth"),
        (login.replace("database: postgres", "database: nosuch"), "database"),
        (format!("{login}, query: SELECT nosuch"), "query"),
        (format!("{login}, query: SELECT 41 + 1, expect: {{value: 42, rows: {{at_least: 1, at_most: 1}}}}"), ""),
        (format!("{login}, query: SELECT true, expect: {{value: {{above: 0}}}}"), ""),
        (format!("{login}, query: SELECT null, expect: {{value: {{contains: x}}}}"), "value"),
        (format!("{login}, query: \"SELECT generate_series(1, 9)\", expect: {{rows: {{at_most: 8}}}}"), "rows"),
        (format!("{login}, query: \"SELECT repeat('x', 3000000)\""), "too_much"),
        (format!("{login}, expect: {{role: replica}}"), "role"),
        (format!("{secure}, tls: {{ca_file: {cert}}}"), ""),
        (format!("{secure}, tls: true"), "cert_untrusted"),
    ] {
        let got = probe("postgres", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!(class(&got), want, "{text}: {got:?}");
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
    }
    let limit = Duration::from_millis(500);
    let slow = probe("postgres", &format!("{{{login}, query: SELECT pg_sleep(60)}}"), limit).await;
    assert_eq!(class(&slow), "timeout", "{slow:?}");
    // The server itself gave the query up.
    let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    let text = format!("{{{login}, query: \"{left}\", expect: {{value: 0}}}}");
    let gone = until("postgres", &text, "").await;
    assert_eq!(gone.verdict, Verdict::Up, "{gone:?}");
    ends("postgres", server, port, &format!("{{{login}}}"), "auth").await;
}

#[tokio::test]
async fn a_real_replica_is_up_as_long_as_its_primary_streams_to_it() {
    let Some(bin) = folder() else { return };
    let ports = [free_port(), free_port()];
    let login =
        ports.map(|p| format!("host: \"127.0.0.1:{p}\", user: admin, password: right-word, database: postgres"));
    let primary = start(&bin, ports[0]).listening(ports[0]);
    let ready = until("postgres", &format!("{{{}}}", login[0]), "").await;
    assert_eq!(ready.verdict, Verdict::Up, "{ready:?}");
    let dir = tempfile::tempdir().unwrap();
    own(dir.path());
    let data = dir.path().join("data").display().to_string();
    let from = format!("host=127.0.0.1 port={} user=admin password=right-word", ports[0]);
    let (program, args) =
        unprivileged(&bin.join("pg_basebackup"), &["-D", &data, "-d", &from, "-R", "-X", "stream", "-c", "fast", "-N"]);
    let made = Command::new(program).args(args).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let replica = serve(&bin, ports[1], dir, &[]).listening(ports[1]);
    let text = format!("{{{}, expect: {{role: replica, lag_below: 30s}}}}", login[1]);
    let good = until("postgres", &text, "").await;
    assert_eq!((good.verdict, class(&good)), (Verdict::Up, ""), "{good:?}\n{}", replica.log());
    assert!(good.summary.contains("replica"), "{}", good.summary);
    let primary_too = probe("postgres", &format!("{{{}, expect: {{role: replica}}}}", login[0]), LIMIT).await;
    assert_eq!(class(&primary_too), "role");
    drop(primary);
    let detached = until("postgres", &text, "role").await;
    assert_eq!((detached.verdict, class(&detached)), (Verdict::Down, "role"), "{detached:?}");
    let late = probe("postgres", &text.replace("role: replica, ", ""), LIMIT).await;
    assert_eq!(class(&late), "replication_lag", "{late:?}");
}
