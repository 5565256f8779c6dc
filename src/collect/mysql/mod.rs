//! `type: mysql`: logs in to a MySQL or MariaDB server, asks a query, and what the server says of itself.

pub mod protocol;

use std::time::Duration;

use tokio::time::Instant;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::judge::found;
use crate::collect::kind::{Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::mysql::protocol::{Account, Connection, Failed, Greeting};
use crate::collect::replica::{LAG, ROLE, Role, Standing};
use crate::collect::sql::{Answer, Asked, Dialect, QUERY, Sql};
use crate::collect::talk::capped::{Capped, MAX_ANSWERS};
use crate::collect::talk::security::{OPEN_LOGIN, USER};
use crate::collect::talk::starttls::{mysql_greeting, mysql_request};
use crate::collect::talk::wire::{Heard, Stream, Wire};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{ROWS, VALUE, number};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// `SHOW GLOBAL STATUS` and `SHOW GLOBAL VARIABLES`, with mysqld_exporter's names.
const FACTS: [(&str, &str); 10] = [
    ("uptime", "mysql_global_status_uptime"),
    ("threads_connected", "mysql_global_status_threads_connected"),
    ("threads_running", "mysql_global_status_threads_running"),
    ("questions", "mysql_global_status_questions"),
    ("slow_queries", "mysql_global_status_slow_queries"),
    ("aborted_connects", "mysql_global_status_aborted_connects"),
    ("innodb_row_lock_waits", "mysql_global_status_innodb_row_lock_waits"),
    ("wsrep_cluster_size", "mysql_global_status_wsrep_cluster_size"),
    ("max_connections", "mysql_global_variables_max_connections"),
    ("read_only", "mysql_global_variables_read_only"),
];

/// Channels of replication that have series.
const MAX_CHANNELS: usize = 64;

const DIALECT: Dialect = Dialect {
    port: 3306,
    lag_unit: Duration::from_secs(1),
    duration: "probe_mysql_query_duration_seconds",
    rows: "probe_mysql_rows",
    value: "probe_mysql_value",
};

/// A checked `mysql` monitor.
#[derive(Debug)]
struct Mysql(Sql);

/// The kind.
pub const KIND: Kind = Kind {
    name: "mysql",
    about: "One login to a MySQL or MariaDB server, and one query.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 3306." }),
    flags: &[USER, OPEN_LOGIN, QUERY, ROLE, LAG, VALUE, ROWS, TLS_ON_DEMAND, ROUTE, LATENCY],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_mysql_query_duration_seconds", "How long the query took"),
            Metric::gauge("probe_mysql_rows", "Rows that the query brought"),
            Metric::gauge("probe_mysql_value", "The value that the query brought"),
            Metric::untyped("mysql_global_status_*", "The status variable of this name"),
            Metric::gauge("mysql_global_variables_*", "The system variable of this name"),
            Metric::untyped("mysql_slave_status_*", "What the server says of replication under this name; yes is 1"),
            Metric::gauge("mysql_version_info", "Always 1; version of the server"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let sql = Sql::read(fields, &DIALECT)?;
    let (shown, at) = (sql.endpoint.shown.clone(), sql.endpoint.peer.host().to_owned());
    Some(Probe::new("mysql", shown, Mysql(sql)).at(&at))
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    asked: Asked,
    facts: Vec<(&'static str, f64)>,
    /// Nothing when the account may not ask.
    channels: Option<Vec<Channel>>,
}

/// What a replica says of one of its sources.
#[derive(Debug, Default)]
struct Channel {
    /// Empty for the only one, unless somebody gave it a name.
    name: String,
    /// mysqld_exporter's label for it: MariaDB calls channels connections.
    label: &'static str,
    io: String,
    sql: String,
    behind: Option<f64>,
}

impl Channel {
    fn runs(&self) -> bool {
        self.io == "Yes" && self.sql == "Yes"
    }

    fn told(&self) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!("`{}`: ", found(&self.name)) };
        format!("{name}IO thread {}, SQL thread {}", found(&self.io), found(&self.sql))
    }
}

impl Collector for Mysql {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Mysql {
    async fn converse(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let (sql, mut heard) = (&self.0, Heard::default());
        let stream = sql.endpoint.open(cx, trace).await?;
        trace.begin(phase::AUTH);
        let mut wire = Wire::new(Stream::Plain(stream), &mut heard);
        let hello = mysql_greeting(&mut wire).await?;
        let greeting = Greeting::read(&hello).map_err(|f| failed(f, "connecting", &mut seen.asked))?;
        seen.asked.version = Some(greeting.version.clone());
        if let Some(tls) = sql.security.starttls() {
            trace.begin(phase::TLS);
            mysql_request(&mut wire, &hello).await?;
            wire.encrypt(tls, sql.endpoint.peer.host(), cx.now, trace).await?;
        }
        trace.begin(phase::AUTH);
        let who = Account {
            user: sql.user(),
            password: sql.password(),
            database: sql.database.as_deref(),
            secure: wire.is_tls(),
            tells: sql.tells,
        };
        let mut connection = Connection::new(Capped::new(wire.into_stream(), MAX_ANSWERS), who.secure);
        connection.log_in(&greeting, who).await.map_err(|f| failed(f, "logging in", &mut seen.asked))?;
        trace.begin(phase::QUERY);
        if let Some(query) = &sql.query {
            // A probe that is given up must leave no query running there. Servers too old to know say no.
            let left = cx.remaining().as_secs_f64().max(0.001);
            let limit = match greeting.version.contains("MariaDB") {
                true => format!("SET SESSION max_statement_time = {left:.3}"),
                false => format!("SET SESSION max_execution_time = {:.0}", left * 1000.0),
            };
            optional(connection.query(&limit, |_, _| {}).await)?;
            let (mut first, mut started) = (None, false);
            let since = Instant::now();
            let rows = connection.query(query.reveal(), |_, values| {
                if !std::mem::replace(&mut started, true) {
                    first = values.first().copied().flatten().map(|v| String::from_utf8_lossy(v).into_owned());
                }
            });
            let rows = rows.await.map_err(|f| failed(f, "querying", &mut seen.asked))?;
            seen.asked.took = Some(since.elapsed());
            seen.asked.said = first.clone().unwrap_or_default();
            seen.asked.answer = Some(Answer { first, rows });
        }
        let since = Instant::now();
        self.facts(&mut connection, seen).await?;
        seen.asked.took.get_or_insert(since.elapsed());
        trace.end();
        Ok(())
    }

    /// What the server says of itself. An account may not be allowed to ask, which is no fault.
    async fn facts(&self, connection: &mut Connection<Capped<Stream>>, seen: &mut Seen) -> Result<(), Fault> {
        let names: Vec<String> = FACTS.iter().map(|(key, _)| format!("'{key}'")).collect();
        for what in ["STATUS", "VARIABLES"] {
            let sql = format!("SHOW GLOBAL {what} WHERE Variable_name IN ({})", names.join(","));
            let facts = &mut seen.facts;
            let answer = connection.query(&sql, |_, values| {
                let [Some(key), Some(value), ..] = values else { return };
                let key = String::from_utf8_lossy(key).to_lowercase();
                let value = String::from_utf8_lossy(value);
                let value = match &*value {
                    "ON" => Some(1.0),
                    "OFF" => Some(0.0),
                    other => number(other),
                };
                let known = FACTS.iter().find(|(k, _)| *k == key);
                facts.extend(known.zip(value).map(|((_, name), value)| (*name, value)));
            });
            optional(answer.await)?;
        }
        if self.0.replication.is_empty() {
            return Ok(());
        }
        // MariaDB's last form shows the one channel without a name alone. MySQL's later versions know the last alone.
        let forms = match seen.asked.version.as_deref().is_some_and(|v| v.contains("MariaDB")) {
            true => ["SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"],
            false => ["SHOW SLAVE STATUS", "SHOW REPLICA STATUS"],
        };
        for sql in forms {
            let mut channels = Vec::new();
            let answer = connection.query(sql, |names, values| {
                let get = |wanted: [&str; 2]| {
                    let at = names.iter().position(|n| wanted.iter().any(|w| n.eq_ignore_ascii_case(w)));
                    at.and_then(|i| values.get(i).copied().flatten()).map(|v| String::from_utf8_lossy(v).into_owned())
                };
                let get_one = |name: &'static str| get([name, name]);
                let connection = get_one("Connection_name").map(|name| ("connection_name", name));
                let channel = || get_one("Channel_Name").map(|name| ("channel_name", name));
                let (label, name) = connection.or_else(channel).unwrap_or_default();
                channels.push(Channel {
                    name,
                    label,
                    io: get(["Slave_IO_Running", "Replica_IO_Running"]).unwrap_or_default(),
                    sql: get(["Slave_SQL_Running", "Replica_SQL_Running"]).unwrap_or_default(),
                    behind: get(["Seconds_Behind_Master", "Seconds_Behind_Source"]).as_deref().and_then(number),
                });
            });
            if optional(answer.await)? {
                seen.channels = Some(channels);
                break;
            }
        }
        Ok(())
    }
}

impl Talk for Mysql {
    type Said = Seen;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        // Its future is large.
        Box::pin(self.converse(cx, trace, seen)).await
    }

    fn judge(&self, trace: &Trace, seen: &Seen) -> Outcome {
        let version = seen.asked.version.as_deref().unwrap_or_default();
        let product = if version.contains("MariaDB") { "" } else { "MySQL " };
        self.0.judge(trace, &seen.asked, &seen.standing(), format!("{product}{}", found(version)))
    }

    fn checks(&self) -> Vec<&str> {
        self.0.checks()
    }

    fn samples(&self, _: &Trace, seen: &Seen, out: &mut Vec<Sample>) {
        self.0.samples(&seen.asked, out);
        out.extend(seen.facts.iter().map(|(name, value)| Sample::new(name, *value)));
        for channel in seen.channels.iter().flatten().take(MAX_CHANNELS) {
            let mut push = |name: &'static str, value: f64| {
                let sample = Sample::new(name, value);
                out.push(match channel.name.as_str() {
                    "" => sample,
                    name => sample.label(channel.label, found(name)),
                });
            };
            let runs = |state: &str| f64::from(u8::from(state == "Yes"));
            push("mysql_slave_status_slave_io_running", runs(&channel.io));
            push("mysql_slave_status_slave_sql_running", runs(&channel.sql));
            if let Some(behind) = channel.behind {
                push("mysql_slave_status_seconds_behind_master", behind);
            }
        }
        if let Some(version) = &seen.asked.version {
            out.push(Sample::new("mysql_version_info", 1.0).label("version", found(version)));
        }
    }

    fn evidence(&self, seen: &Seen, items: &mut Items) {
        items.extend(talk::words(seen.asked.said.as_bytes()));
    }

    fn target(&self) -> String {
        self.0.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.0.mask
    }
}

impl Seen {
    fn standing(&self) -> Standing {
        let channels = self.channels.as_deref();
        let role = channels.map(|c| if c.is_empty() { Role::Primary } else { Role::Replica });
        let halted = channels.unwrap_or_default().iter().find(|c| !c.runs());
        Standing { role, detached: halted.map(Channel::told), lag: self.behind() }
    }

    /// How far behind it is, which is the channel that is the furthest. Unknown when it is of any; whoever follows
    /// nobody is not behind.
    fn behind(&self) -> Option<Duration> {
        let each: Option<Vec<f64>> = self.channels.as_ref()?.iter().map(|c| c.behind).collect();
        Duration::try_from_secs_f64(each?.into_iter().fold(0.0, f64::max)).ok()
    }
}

fn failed(failed: Failed, doing: &str, asked: &mut Asked) -> Fault {
    match failed {
        Failed::Refused(refusal) => {
            asked.said = format!("ERROR {}: {}", refusal.code, refusal.message);
            refusal.fault(doing)
        }
        Failed::Broken(fault) => fault,
    }
}

/// Whether a question that may be refused was answered.
fn optional(answer: Result<u64, Failed>) -> Result<bool, Fault> {
    match answer {
        Ok(_) => Ok(true),
        Err(Failed::Refused(_)) => Ok(false),
        Err(Failed::Broken(fault)) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::outcome;

    async fn server(says: Vec<u8>) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = s.write_all(&says).await;
            }
        });
        (at, tasks)
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&length[..3], &[0], body].concat()
    }

    #[tokio::test]
    async fn hostile_greetings_have_their_class() {
        for (says, class) in [
            (Vec::new(), "connection_closed"),
            (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "protocol_error"),
            (b"220 mail\r\n".to_vec(), "protocol_error"),
            (vec![0xff, 0xff, 0x0f, 0], "protocol_error"),
            (message(&[10]), "protocol_error"),
            (message(b"\xff\x10\x04Too many connections"), "too_many_connections"),
            (message(b"\xff\x6a\x04Host 'x' is not allowed to connect"), "auth"),
        ] {
            let shown = String::from_utf8_lossy(&says).into_owned();
            let (at, _tasks) = server(says).await;
            let got = outcome("mysql", &format!("{{host: \"{at}\", user: u}}")).await;
            let reason = got.reason.unwrap();
            assert_eq!((got.verdict, &*reason.class), (Verdict::Down, class), "{shown:?}: {reason:?}");
        }
    }

    /// An answer of rows: names of columns, then rows of texts.
    fn rows(names: &[&str], rows: &[&[&str]]) -> Vec<u8> {
        let text = |out: &mut Vec<u8>, t: &str| {
            out.push(u8::try_from(t.len()).unwrap());
            out.extend(t.as_bytes());
        };
        let mut out = message(&[u8::try_from(names.len()).unwrap()]);
        for name in names {
            let mut column = vec![0; 4];
            text(&mut column, name);
            out.extend(message(&column));
        }
        out.extend(message(&[0xfe, 0, 0, 0, 0]));
        for row in rows {
            let mut values = Vec::new();
            row.iter().for_each(|v| text(&mut values, v));
            out.extend(message(&values));
        }
        out.extend(message(&[0xfe, 0, 0, 0, 0]));
        out
    }

    /// A server that greets, lets anybody in, and knows the answer to one question; the first word to others is no.
    async fn knowing(version: &str, question: &'static str, answer: Vec<u8>) -> (String, JoinSet<()>) {
        let mut hello = [b"\x0a", version.as_bytes(), b"\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x81\x15"].concat();
        hello.extend([0; 10]);
        hello.extend(b"ijklmnopqrst\0mysql_native_password\0");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = s.write_all(&message(&hello)).await;
                let mut told = [0; 4096];
                let mut say = message(&[0, 0, 0, 2, 0, 0, 0]);
                while let Ok(n @ 1..) = s.read(&mut told).await {
                    if told[4] == 3 {
                        let asked = String::from_utf8_lossy(&told[5..n]) == question;
                        say = if asked { answer.clone() } else { message(b"\xff\x28\x04no") };
                    }
                    let _ = s.write_all(&say).await;
                }
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn every_channel_of_replication_counts() {
        const STATE: [&str; 3] = ["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"];
        let halted: &[&[&str]] = &[&["a", "No", "Yes", "2"], &["b", "Yes", "Yes", "1"]];
        let late: &[&[&str]] = &[&["a", "Yes", "Yes", "90"], &["b", "Yes", "Yes", "1"]];
        for (version, question, channels, want) in [
            ("8.0.30", "SHOW SLAVE STATUS", halted, "role"),
            ("8.4.0", "SHOW REPLICA STATUS", late, "replication_lag"),
            ("10.11.6-MariaDB", "SHOW ALL SLAVES STATUS", halted, "role"),
            ("10.11.6-MariaDB", "SHOW ALL SLAVES STATUS", late, "replication_lag"),
            ("10.11.6-MariaDB", "SHOW ALL SLAVES STATUS", &late[1..], ""),
            ("10.11.6-MariaDB", "SHOW ALL SLAVES STATUS", &[], "role"),
        ] {
            let label = if version.contains("MariaDB") { "Connection_name" } else { "Channel_Name" };
            let columns = [&[label], &STATE[..]].concat();
            let (at, _tasks) = knowing(version, question, rows(&columns, channels)).await;
            let text = format!("{{host: \"{at}\", user: u, expect: {{role: replica, lag_below: 30s}}}}");
            let got = outcome("mysql", &text).await;
            assert_eq!(got.reason.as_ref().map_or("", |r| &r.class), want, "{channels:?}: {got:?}");
            let series = got.samples.iter().filter(|s| s.name == "mysql_slave_status_slave_io_running");
            assert!(series.clone().all(|s| s.labels[0].0 == label.to_lowercase()), "{got:?}");
            assert_eq!(series.count(), channels.len());
        }
    }

    #[tokio::test]
    async fn a_server_that_follows_nobody_is_not_behind() {
        let answer = rows(&["Connection_name", "Seconds_Behind_Master"], &[]);
        let (at, _tasks) = knowing("5.5.5-10.11.6-MariaDB", "SHOW ALL SLAVES STATUS", answer).await;
        let got = outcome("mysql", &format!("{{host: \"{at}\", user: u, expect: {{lag_below: 30s}}}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        let version = got.samples.iter().find(|s| s.name == "mysql_version_info").unwrap();
        assert_eq!(version.labels[0].1, "10.11.6-MariaDB");
    }
}
