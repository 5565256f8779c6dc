//! `mysql` against a real MariaDB.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{User, getuid};
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program, until};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

const USERS: &str = "CREATE USER 'watch'@'%' IDENTIFIED BY 'right-word';
CREATE DATABASE shop;
GRANT SELECT ON shop.* TO 'watch'@'%';
CREATE TABLE shop.orders (id INT);
INSERT INTO shop.orders VALUES (41), (42), (NULL);
";

/// `statements` are run at its start.
fn start(mariadbd: &str, install: &str, port: u16, statements: &str, more: &[&str]) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = keys::write(dir.path());
    let users = dir.path().join("users.sql");
    fs::write(&users, statements).unwrap();
    let data = format!("--datadir={}", dir.path().join("data").display());
    let user = format!("--user={}", User::from_uid(getuid()).unwrap().unwrap().name);
    // A server takes temporary tables of another in the same folder for remains of its own, and removes them.
    let made = Command::new(install)
        .env("TMPDIR", dir.path())
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
        format!("--tmpdir={}", dir.path().display()),
        format!("--ssl-cert={}", cert.display()),
        format!("--ssl-key={}", key.display()),
        "--innodb-flush-method=nosync".to_owned(),
    ];
    Daemon::start(dir, mariadbd, args.into_iter().chain(more.iter().map(|a| (*a).to_owned())))
}

/// A running one and its port, for other tests.
pub fn running() -> Option<(Daemon, u16)> {
    let mariadbd = program("mariadbd", "mariadb-server")?;
    let install = program("mariadb-install-db", "mariadb-server")?;
    let port = free_port();
    Some((start(&mariadbd, &install, port, USERS, &[]).listening(port), port))
}

#[tokio::test]
async fn a_real_mariadb_is_logged_in_to_and_judged() {
    let Some(mariadbd) = program("mariadbd", "mariadb-server") else { return };
    let Some(install) = program("mariadb-install-db", "mariadb-server") else { return };
    let port = free_port();
    let server = start(&mariadbd, &install, port, USERS, &[]).listening(port);
    let login = format!("host: \"127.0.0.1:{port}\", user: watch, password: right-word, database: shop");
    let good = probe("mysql", &format!("{{{login}}}"), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.summary.contains("MariaDB"), "{}", good.summary);
    for name in ["mysql_global_status_uptime", "mysql_global_variables_max_connections", "mysql_version_info"] {
        assert!(good.samples.iter().any(|s| s.name == name), "{name}: {:?}", good.samples);
    }
    let version = good.samples.iter().find(|s| s.name == "mysql_version_info").unwrap();
    let asked = format!("{{{login}, query: SELECT version(), expect: {{value: \"{}\"}}}}", version.labels[0].1);
    let same = probe("mysql", &asked, LIMIT).await;
    assert_eq!(same.verdict, Verdict::Up, "{same:?}");
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
        (format!("{login}, query: \"SELECT repeat('x', 3000000)\""), "too_much"),
        (format!("{login}, query: DO 1, expect: {{rows: {{at_most: 0}}}}"), ""),
        (format!("{login}, expect: {{role: replica}}"), "role"),
        (format!("{secure}, tls: {{ca_file: {cert}}}, query: SELECT 1"), ""),
        (format!("{secure}, tls: true"), "cert_untrusted"),
    ] {
        let got = probe("mysql", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!(class(&got), want, "{text}: {got:?}");
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
    }
    let slow = probe("mysql", &format!("{{{login}, query: SELECT sleep(60)}}"), Duration::from_millis(500)).await;
    assert_eq!(class(&slow), "timeout", "{slow:?}");
    // The server itself gave the query up. An account sees its own sessions.
    let left = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%sleep(60)%' \
        AND id <> connection_id()";
    let gone = until("mysql", &format!("{{{login}, query: \"{left}\", expect: {{value: 0}}}}"), "").await;
    assert_eq!(gone.verdict, Verdict::Up, "{gone:?}");
    ends("mysql", server, port, &format!("{{{login}}}"), "auth").await;
}

#[tokio::test]
async fn a_real_replica_is_up_as_long_as_its_primary_is_there() {
    let Some(mariadbd) = program("mariadbd", "mariadb-server") else { return };
    let Some(install) = program("mariadb-install-db", "mariadb-server") else { return };
    let ports = [free_port(), free_port()];
    let rights = format!("{USERS}GRANT REPLICATION SLAVE, REPLICA MONITOR ON *.* TO 'watch'@'%';\n");
    let primary =
        start(&mariadbd, &install, ports[0], &rights, &["--server-id=1", "--log-bin=log"]).listening(ports[0]);
    // The account comes to it by replication. A channel with a name is not in the answer to the older question.
    let follow = format!(
        "CHANGE MASTER 'shop' TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='watch', \
         MASTER_PASSWORD='right-word', MASTER_CONNECT_RETRY=1;\nSTART SLAVE 'shop';\n",
        ports[0]
    );
    let replica = start(&mariadbd, &install, ports[1], &follow, &["--server-id=2"]).listening(ports[1]);
    let login = format!("host: \"127.0.0.1:{}\", user: watch, password: right-word", ports[1]);
    let text = format!("{{{login}, expect: {{role: replica, lag_below: 30s}}}}");
    let good = until("mysql", &text, "").await;
    assert_eq!((good.verdict, class(&good)), (Verdict::Up, ""), "{good:?}\n{}", replica.log());
    let series = good.samples.iter().find(|s| s.name == "mysql_slave_status_slave_io_running").unwrap();
    assert_eq!((series.value, &series.labels[..]), (1.0, &[("connection_name".into(), "shop".into())][..]));
    let other = text.replace(&ports[1].to_string(), &ports[0].to_string());
    assert_eq!(class(&probe("mysql", &other, LIMIT).await), "role");
    let primary_too = probe("mysql", &other.replace("replica, lag_below: 30s", "primary"), LIMIT).await;
    assert_eq!(primary_too.verdict, Verdict::Up, "{primary_too:?}");
    let not_behind = probe("mysql", &other.replace("role: replica, ", ""), LIMIT).await;
    assert_eq!(not_behind.verdict, Verdict::Up, "{not_behind:?}");
    drop(primary);
    let detached = until("mysql", &text, "role").await;
    assert_eq!((detached.verdict, class(&detached)), (Verdict::Down, "role"), "{detached:?}");
}
