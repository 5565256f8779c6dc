//! `mysql` against a real MariaDB.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{User, getuid};
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

const USERS: &str = "CREATE USER 'watch'@'%' IDENTIFIED BY 'right-word';
CREATE DATABASE shop;
GRANT SELECT ON shop.* TO 'watch'@'%';
CREATE TABLE shop.orders (id INT);
INSERT INTO shop.orders VALUES (41), (42), (NULL);
";

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

fn start(mariadbd: &str, install: &str, port: u16) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = keys::write(dir.path());
    let users = dir.path().join("users.sql");
    fs::write(&users, USERS).unwrap();
    let data = format!("--datadir={}", dir.path().join("data").display());
    let user = format!("--user={}", User::from_uid(getuid()).unwrap().unwrap().name);
    let made = Command::new(install)
        .args(["--no-defaults", &data, &user, "--auth-root-authentication-method=normal", "--skip-test-db"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let socket = format!("--socket={}", dir.path().join("socket").display());
    let args = [
        "--no-defaults".to_owned(),
        data,
        user,
        socket,
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--init-file={}", users.display()),
        format!("--ssl-cert={}", cert.display()),
        format!("--ssl-key={}", key.display()),
        "--innodb-flush-method=nosync".to_owned(),
    ];
    Daemon::start(dir, mariadbd, args)
}

/// A running one and its port, for other tests.
pub fn running() -> Option<(Daemon, u16)> {
    let mariadbd = program("mariadbd", "mariadb-server")?;
    let install = program("mariadb-install-db", "mariadb-server")?;
    let port = free_port();
    Some((start(&mariadbd, &install, port).listening(port), port))
}

#[tokio::test]
async fn a_real_mariadb_is_logged_in_to_and_judged() {
    let Some(mariadbd) = program("mariadbd", "mariadb-server") else { return };
    let Some(install) = program("mariadb-install-db", "mariadb-server") else { return };
    let port = free_port();
    let server = start(&mariadbd, &install, port).listening(port);
    let login = format!("host: \"127.0.0.1:{port}\", user: watch, password: right-word, database: shop");
    let good = probe("mysql", &format!("{{{login}}}"), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.summary.contains("MariaDB"), "{}", good.summary);
    for name in ["mysql_global_status_uptime", "mysql_global_variables_max_connections", "mysql_version_info"] {
        assert!(good.samples.iter().any(|s| s.name == name), "{name}: {:?}", good.samples);
    }
    let phases: Vec<&str> = good.phases.iter().map(|p| &*p.name).collect();
    assert_eq!(phases, ["resolve", "connect", "auth", "query"]);
    let cert = server.dir().join("cert.pem").display().to_string();
    let secure = login.replace("127.0.0.1", "localhost");
    for (text, want) in [
        (login.replace("right", "wrong"), "auth"),
        (login.replace("watch", "nobody"), "auth"),
        (login.replace("database: shop", "database: nosuch"), "auth"),
        (format!("{login}, query: SELECT nosuch"), "query"),
        (format!("{login}, query: SELECT max(id) FROM orders, expect: {{value: 42, rows: {{at_most: 1}}}}"), ""),
        (format!("{login}, query: SELECT id FROM orders WHERE id IS NULL, expect: {{value: {{above: 0}}}}"), "value"),
        (format!("{login}, query: SELECT id FROM orders, expect: {{rows: {{at_least: 4}}}}"), "rows"),
        (format!("{login}, query: \"SELECT repeat('x', 1040000)\""), ""),
        (format!("{login}, query: \"SELECT repeat('x', 3000000)\""), "protocol_error"),
        (format!("{login}, query: DO 1, expect: {{rows: {{at_most: 0}}}}"), ""),
        (format!("{login}, expect: {{replica: true}}"), "role"),
        (format!("{secure}, tls: {{ca_file: {cert}}}, query: SELECT 1"), ""),
        (format!("{secure}, tls: true"), "cert_untrusted"),
    ] {
        let got = probe("mysql", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!(class(&got), want, "{text}: {got:?}");
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
    }
    let slow = probe("mysql", &format!("{{{login}, query: SELECT sleep(60)}}"), Duration::from_millis(500)).await;
    assert_eq!(class(&slow), "timeout", "{slow:?}");
    server.stop();
    let stopped = probe("mysql", &format!("{{{login}}}"), Duration::from_millis(300)).await;
    assert_eq!(class(&stopped), "timeout", "{stopped:?}");
    assert!(stopped.phases.iter().any(|p| p.name == "auth" && p.failed), "{:?}", stopped.phases);
    drop(server);
    assert_eq!(class(&probe("mysql", &format!("{{{login}}}"), LIMIT).await), "connection_refused");
}
