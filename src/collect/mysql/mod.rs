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
    replication: Option<Replication>,
    said: String,
}

/// What a replica says of itself.
#[derive(Debug, Default)]
struct Replication {
    io: String,
    sql: String,
    behind: Option<f64>,
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
        // The older form is the one that every version of both servers but MySQL 8.4 and later knows.
        for sql in ["SHOW SLAVE STATUS", "SHOW REPLICA STATUS"] {
            let found = &mut seen.replication;
            let answer = wire.query(sql, |names, values| {
                let get = |wanted: [&str; 2]| {
                    let at = names.iter().position(|n| wanted.iter().any(|w| n.eq_ignore_ascii_case(w)));
                    at.and_then(|i| values.get(i).copied().flatten()).map(|v| String::from_utf8_lossy(v).into_owned())
                };
                *found = Some(Replication {
                    io: get(["Slave_IO_Running", "Replica_IO_Running"]).unwrap_or_default(),
                    sql: get(["Slave_SQL_Running", "Replica_SQL_Running"]).unwrap_or_default(),
                    behind: get(["Seconds_Behind_Master", "Seconds_Behind_Source"]).as_deref().and_then(number),
                });
            });
            if optional(answer.await)? {
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
        let replication = seen.replication.as_ref();
        if let Some(name) = self.replica {
            let ok = replication.is_some_and(|r| r.io == "Yes" && r.sql == "Yes");
            let seen = match replication {
                None => "no replica, or the account may not ask".to_owned(),
                Some(r) => format!("IO thread {}, SQL thread {}", found(&r.io), found(&r.sql)),
            };
            judge.hold("role", name, ok, seen);
        }
        if let Some((limit, name)) = &self.lag {
            let behind = replication.and_then(|r| Duration::try_from_secs_f64(r.behind?).ok());
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
        if let Some(r) = &self.replication {
            let runs = |state: &str| f64::from(u8::from(state == "Yes"));
            out.push(Sample::new("mysql_slave_status_slave_io_running", runs(&r.io)));
            out.push(Sample::new("mysql_slave_status_slave_sql_running", runs(&r.sql)));
            out.extend(r.behind.map(|s| Sample::new("mysql_slave_status_seconds_behind_master", s)));
        }
        if let Some(version) = &self.version {
            out.push(Sample::new("mysql_version_info", 1.0).label("version", found(version)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
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

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("mysql", "{host: db}")[0].contains("`user` is missing"));
        assert!(problems("mysql", "{host: db, user: u, expect: {value: 1}}")[0].contains("judge the answer"));
    }
}
