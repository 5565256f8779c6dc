//! `type: mysql`: logs in to a MySQL or MariaDB server, asks a query, and what the server says of itself.

pub mod wire;

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::{Exact, Short};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::login::{Line, Login, USER};
use crate::collect::mysql::wire::{Account, Failed, Greeting, Refusal, Wire};
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{ROWS, RowChecks, VALUE, ValueChecks, number};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

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

/// A checked `mysql` monitor.
#[derive(Debug)]
struct Mysql {
    login: Login,
    database: Option<String>,
    query: Option<Secret<String>>,
    value: ValueChecks,
    rows: RowChecks,
    replica: Option<&'static str>,
    lag: Option<(Duration, String)>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "mysql",
    about: "One login to a MySQL or MariaDB server, and one query.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 3306." }),
    flags: &[
        USER,
        &[
            Flag::new("database", "database", Form::One("NAME"), "Database to be in."),
            Flag::new("query", "query", Form::One("SQL"), "Query whose first value is judged."),
            Flag::new("replica", "expect.replica", Form::Switch("true"), "The server must be a replica that runs."),
            Flag::new("lag-below", "expect.lag_below", Form::One("DURATION"), "How far a replica may be behind."),
        ],
        VALUE,
        ROWS,
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let login = Login::read(fields, 3306, 3306);
    if fields.node("user").is_none() {
        fields.missing("user", "write the name to log in with: `user: monitoring`");
    }
    let database = fields.text("database");
    let query = fields.text("query");
    let (mut value, mut rows, mut replica, mut lag) = (ValueChecks::default(), RowChecks::default(), None, None);
    if let Some(mut expect) = fields.nested_of("expect", "value") {
        value = ValueChecks::read(&mut expect);
        rows = RowChecks::read(&mut expect);
        replica = expect.bool("replica").filter(|wanted| *wanted).map(|_| "replication runs");
        let limits = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
        lag = expect.duration("lag_below", limits).map(|d| (d, format!("replication lag below {}", Exact(d))));
        if query.is_none() && !(value.is_empty() && rows.is_empty()) {
            let message = "`value` and `rows` judge the answer to `query`, and there is none";
            expect.error(expect.head(), Code::Conflict, message, "add e.g. `query: SELECT count(*) FROM orders`");
        }
        expect.finish();
    }
    let mut login = login?;
    for text in [&database, &query].into_iter().flatten() {
        login.mask.add_text(text);
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let (shown, at) = (login.shown.clone(), login.peer.host().to_owned());
    let database = database.map(|t| t.value().to_owned());
    let probe = Mysql { login, database, query: query.map(Text::secret), value, rows, replica, lag };
    Some(Probe::new("mysql", shown, probe).at(&at))
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    version: Option<String>,
    /// The first value and the number of rows.
    answer: Option<(Option<String>, u64)>,
    took: Option<Duration>,
    facts: Vec<(&'static str, f64)>,
    /// Nothing when the account may not ask.
    channels: Option<Vec<Channel>>,
    said: String,
}

/// What a replica says of one of its sources.
#[derive(Debug, Default)]
struct Channel {
    /// Empty for the only one, unless somebody gave it a name.
    name: String,
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
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut seen = Seen::default();
            let ended = timeout_at(cx.deadline, Box::pin(self.talk(cx, &mut trace, &mut seen))).await;
            let ended = trace.settle(ended, cx.deadline).map(|()| self.judge(&seen));
            let own = self.replica.iter().copied().chain(self.lag.iter().map(|(_, n)| n.as_str()));
            let names = self.value.names().chain(self.rows.names()).chain(own).collect();
            self.login.conclude(cx.show, trace, ended, names, seen.samples(), &seen.said)
        })
    }
}

impl Mysql {
    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let stream = self.login.dial(cx, trace).await?;
        trace.begin(phase::AUTH);
        let (wire, greeting) = Wire::greet(stream).await?;
        let greeting: Greeting = greeting.map_err(|r| refused(&r, "connecting", seen))?;
        seen.version = Some(greeting.version.clone());
        let mut wire = match &self.login.tls {
            None => wire.over(Line::plain),
            Some(_) if !greeting.speaks_tls() => {
                trace.begin(phase::TLS);
                return Err(Fault::target("tls_refused", "the server does not speak TLS"));
            }
            Some(_) => {
                let stream = wire.ask_tls().await?;
                Wire::resumed(self.login.secure(stream, cx, trace).await?)
            }
        };
        trace.begin(phase::AUTH);
        let who =
            Account { user: self.login.user(), password: self.login.password(), database: self.database.as_deref() };
        wire.log_in(&greeting, who, self.login.tls.is_some()).await.map_err(|f| failed(f, "logging in", seen))?;
        trace.begin(phase::QUERY);
        if let Some(query) = &self.query {
            // A probe that is given up must leave no query running there. Servers too old to know say no.
            let left = cx.remaining().as_secs_f64().max(0.001);
            let limit = match greeting.version.contains("MariaDB") {
                true => format!("SET SESSION max_statement_time = {left:.3}"),
                false => format!("SET SESSION max_execution_time = {:.0}", left * 1000.0),
            };
            optional(wire.query(&limit, |_, _| {}).await)?;
            let (mut first, mut started) = (None, false);
            let asked = Instant::now();
            let rows = wire.query(query.reveal(), |_, values| {
                if !std::mem::replace(&mut started, true) {
                    first = values.first().copied().flatten().map(|v| String::from_utf8_lossy(v).into_owned());
                }
            });
            let rows = rows.await.map_err(|f| failed(f, "querying", seen))?;
            seen.took = Some(asked.elapsed());
            seen.said = first.clone().unwrap_or_default();
            seen.answer = Some((first, rows));
        }
        let asked = Instant::now();
        self.facts(&mut wire, seen).await?;
        seen.took.get_or_insert(asked.elapsed());
        trace.end();
        Ok(())
    }

    /// What the server says of itself. An account may not be allowed to ask, which is no fault.
    async fn facts(&self, wire: &mut Wire<Line>, seen: &mut Seen) -> Result<(), Fault> {
        let names: Vec<String> = FACTS.iter().map(|(key, _)| format!("'{key}'")).collect();
        for what in ["STATUS", "VARIABLES"] {
            let sql = format!("SHOW GLOBAL {what} WHERE Variable_name IN ({})", names.join(","));
            let facts = &mut seen.facts;
            let answer = wire.query(&sql, |_, values| {
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
        if self.replica.is_none() && self.lag.is_none() {
            return Ok(());
        }
        // MariaDB's last form shows the one channel without a name alone. MySQL's later versions know the last alone.
        let forms = match seen.version.as_deref().is_some_and(|v| v.contains("MariaDB")) {
            true => ["SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"],
            false => ["SHOW SLAVE STATUS", "SHOW REPLICA STATUS"],
        };
        for sql in forms {
            let mut channels = Vec::new();
            let answer = wire.query(sql, |names, values| {
                let get = |wanted: [&str; 2]| {
                    let at = names.iter().position(|n| wanted.iter().any(|w| n.eq_ignore_ascii_case(w)));
                    at.and_then(|i| values.get(i).copied().flatten()).map(|v| String::from_utf8_lossy(v).into_owned())
                };
                channels.push(Channel {
                    name: get(["Connection_name", "Channel_Name"]).unwrap_or_default(),
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

    fn judge(&self, seen: &Seen) -> (Judge, String) {
        let mut judge = Judge::default();
        if let Some((first, rows)) = &seen.answer {
            self.value.judge(first.as_deref(), &mut judge);
            self.rows.judge(*rows, &mut judge);
        }
        let channels = seen.channels.as_deref();
        if let Some(name) = self.replica {
            let halted = channels.unwrap_or_default().iter().find(|c| !c.runs());
            let (ok, seen) = match (channels, halted) {
                (None, _) => (false, "the account may not ask".to_owned()),
                (Some([]), _) => (false, "no replica".to_owned()),
                (Some(_), Some(channel)) => (false, channel.told()),
                (Some(all), None) => (true, format!("{} running", all.len())),
            };
            judge.hold("role", name, ok, seen);
        }
        if let Some((limit, name)) = &self.lag {
            let behind = seen.behind();
            let seen = behind.map_or_else(|| "the server does not say".to_owned(), |d| Short(d).to_string());
            judge.hold("replication_lag", name, behind.is_some_and(|d| d < *limit), seen);
        }
        let version = seen.version.as_deref().unwrap_or_default();
        let product = if version.contains("MariaDB") { "" } else { "MySQL " };
        let mut summary = format!("{product}{}", found(version));
        if let Some((first, rows)) = &seen.answer {
            summary += &format!(", {rows} row{}", if *rows == 1 { "" } else { "s" });
            if let Some(first) = first {
                summary += &format!(", value {}", found(first));
            }
        }
        (judge, summary)
    }
}

fn refused(refusal: &Refusal, doing: &str, seen: &mut Seen) -> Fault {
    seen.said = format!("ERROR {}: {}", refusal.code, refusal.message);
    refusal.fault(doing)
}

fn failed(failed: Failed, doing: &str, seen: &mut Seen) -> Fault {
    match failed {
        Failed::Refused(refusal) => refused(&refusal, doing, seen),
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

impl Seen {
    /// How far behind it is, which is the channel that is the furthest. Unknown when it is of any.
    fn behind(&self) -> Option<Duration> {
        let each: Option<Vec<f64>> = self.channels.as_ref()?.iter().map(|c| c.behind).collect();
        Duration::try_from_secs_f64(each?.into_iter().reduce(f64::max)?).ok()
    }

    fn samples(&self) -> Vec<Sample> {
        let mut out = Vec::new();
        if let Some(took) = self.took {
            out.push(Sample::new("probe_mysql_query_duration_seconds", took.as_secs_f64()));
        }
        if let Some((first, rows)) = &self.answer {
            out.push(Sample::new("probe_mysql_rows", *rows as f64));
            out.extend(first.as_deref().and_then(number).map(|n| Sample::new("probe_mysql_value", n)));
        }
        out.extend(self.facts.iter().map(|(name, value)| Sample::new(name, *value)));
        for channel in self.channels.iter().flatten().take(MAX_CHANNELS) {
            let mut push = |name: &'static str, value: f64| {
                let sample = Sample::new(name, value);
                out.push(match channel.name.as_str() {
                    "" => sample,
                    name => sample.label("channel_name", found(name)),
                });
            };
            let runs = |state: &str| f64::from(u8::from(state == "Yes"));
            push("mysql_slave_status_slave_io_running", runs(&channel.io));
            push("mysql_slave_status_slave_sql_running", runs(&channel.sql));
            if let Some(behind) = channel.behind {
                push("mysql_slave_status_seconds_behind_master", behind);
            }
        }
        if let Some(version) = &self.version {
            out.push(Sample::new("mysql_version_info", 1.0).label("version", found(version)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{outcome, problems};

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
            (vec![0xff, 0xff, 0x0f, 0], "connection_closed"),
            (message(&[10]), "protocol_error"),
            (message(b"\xff\x10\x04Too many connections"), "too_many_connections"),
            (message(b"\xff\x6a\x04Host 'x' is not allowed to connect"), "auth"),
        ] {
            let shown = String::from_utf8_lossy(&says).into_owned();
            let (at, _tasks) = server(says).await;
            let got = outcome("mysql", &format!("{{host: \"{at}\", user: u}}")).await;
            let reason = got.reason.unwrap();
            let closed = ["connection_closed", "connection_reset", "protocol_error"];
            assert_eq!(got.verdict, Verdict::Down, "{shown:?}");
            assert!(
                reason.class == class || class == closed[0] && closed.contains(&&*reason.class),
                "{shown:?}: {reason:?}"
            );
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
        const COLUMNS: [&str; 4] = ["Channel_Name", "Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"];
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
            let (at, _tasks) = knowing(version, question, rows(&COLUMNS, channels)).await;
            let text = format!("{{host: \"{at}\", user: u, expect: {{replica: true, lag_below: 30s}}}}");
            let got = outcome("mysql", &text).await;
            assert_eq!(got.reason.as_ref().map_or("", |r| &r.class), want, "{channels:?}: {got:?}");
            let series = got.samples.iter().filter(|s| s.name == "mysql_slave_status_slave_io_running");
            assert_eq!(series.count(), channels.len());
        }
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("mysql", "{host: db}")[0].contains("`user` is missing"));
        assert!(problems("mysql", "{host: db, user: u, expect: {value: 1}}")[0].contains("judge the answer"));
    }
}
