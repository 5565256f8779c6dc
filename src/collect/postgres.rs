//! `type: postgres`: logs in, asks a query of the person's, and what the server says of itself.
//!
//! The client crate speaks over our connection, so that policy, phases and deadline hold; TLS is
//! asked for here (`SSLRequest`), because the certificate is to be judged as everywhere else. Queries go in
//! PostgreSQL's simple protocol: every value comes as a text, whatever its type.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::{Exact, Short};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::login::{Line, Login, USER, io_fault, line_fault};
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{ROWS, RowChecks, VALUE, ValueChecks, number};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// "Speak TLS?": length 8, then the number of the request (PostgreSQL's documentation, message formats).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What the server says of itself, in one row of numbers. Works without rights, from version 10 on: who lacks them sees
/// a WAL receiver without its status.
const FACTS: &str = "SELECT pg_is_in_recovery(), EXTRACT(EPOCH FROM pg_postmaster_start_time()), \
    current_setting('max_connections'), (SELECT sum(numbackends) FROM pg_stat_database), \
    CASE WHEN NOT pg_is_in_recovery() OR w.streams > 0 AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() \
    THEN 0 ELSE EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp()) END, \
    CASE WHEN pg_is_in_recovery() THEN w.streams END \
    FROM (SELECT count(*) AS streams FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming') w";

/// The columns of [`FACTS`]. Names are those of postgres_exporter where it has one.
const COLUMNS: [&str; 6] = [
    "pg_replication_is_replica",
    "pg_postmaster_start_time_seconds",
    "pg_settings_max_connections",
    "probe_postgres_connections",
    "pg_replication_lag_seconds",
    "probe_postgres_wal_receivers",
];

/// The class of errors by which an operator ends a session (PostgreSQL's documentation, appendix A).
const INTERVENTION: &str = "57P";
/// Of a replica without its primary.
const DETACHED: &str = "nothing streams to it";

/// A checked `postgres` monitor.
#[derive(Debug)]
struct Postgres {
    login: Login,
    database: Option<String>,
    query: Option<Secret<String>>,
    value: ValueChecks,
    rows: RowChecks,
    /// Whether the server is to be a replica.
    replica: Option<(bool, &'static str)>,
    lag: Option<(Duration, String)>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "postgres",
    about: "One login to a PostgreSQL server, and one query.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 5432." }),
    flags: &[
        USER,
        &[
            Flag::new("database", "database", Form::One("NAME"), "Database; without it the one named like the user."),
            Flag::new("query", "query", Form::One("SQL"), "Query whose first value is judged."),
            Flag::new("role", "expect.role", Form::One("ROLE"), "`primary` or `replica`."),
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
    let login = Login::read(fields, 5432, 5432);
    if fields.node("user").is_none() {
        fields.missing("user", "write the name to log in with: `user: monitoring`");
    }
    let database = fields.text("database");
    let query = fields.text("query");
    let (mut value, mut rows, mut replica, mut lag) = (ValueChecks::default(), RowChecks::default(), None, None);
    if let Some(mut expect) = fields.nested_of("expect", "value") {
        value = ValueChecks::read(&mut expect);
        rows = RowChecks::read(&mut expect);
        replica = expect.parse("role", "write `role: primary` or `role: replica`", |text| match text {
            "primary" | "master" => Ok((false, "role is primary")),
            "replica" | "standby" => Ok((true, "role is replica, in touch with its primary")),
            other => Err(format!("`{other}` is no role")),
        });
        let limits = Duration::from_millis(1)..=Duration::from_secs(30 * 86_400);
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
        nul(fields, text);
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let (shown, at) = (login.shown.clone(), login.peer.host().to_owned());
    let database = database.map(|t| t.value().to_owned());
    let probe = Postgres { login, database, query: query.map(Text::secret), value, rows, replica, lag };
    Some(Probe::new("postgres", shown, probe).at(&at))
}

/// Both protocols of databases end texts with a NUL byte.
fn nul(fields: &Fields<'_>, text: &Text) {
    if text.value().contains('\0') {
        fields.error(text.span, Code::BadValue, "the text holds a NUL byte", "remove it");
    }
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    version: Option<String>,
    answer: Option<Answer>,
    took: Option<Duration>,
    facts: [Option<f64>; COLUMNS.len()],
    said: String,
}

/// The answer to a query.
#[derive(Debug, Default)]
struct Answer {
    /// The first column of the first row.
    first: Option<String>,
    rows: u64,
}

impl Collector for Postgres {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut seen = Seen::default();
            let ended = timeout_at(cx.deadline, Box::pin(self.talk(cx, &mut trace, &mut seen))).await;
            let ended = trace.settle(ended, cx.deadline).map(|()| self.judge(&seen));
            let own = self.replica.iter().map(|(_, n)| *n).chain(self.lag.iter().map(|(_, n)| n.as_str()));
            let names = self.value.names().chain(self.rows.names()).chain(own).collect();
            self.login.conclude(cx.show, trace, ended, names, seen.samples(), &seen.said)
        })
    }
}

impl Postgres {
    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let line = self.line(cx, trace).await?;
        trace.begin(phase::AUTH);
        let mut config = Config::new();
        config.ssl_mode(SslMode::Disable).application_name("watchdog");
        config.user(self.login.user()).password(self.login.password());
        if let Some(database) = &self.database {
            config.dbname(database);
        }
        let (client, mut connection) =
            config.connect_raw(line, NoTls).await.map_err(|e| db_fault("logging in", &e, &mut seen.said))?;
        seen.version = connection.parameter("server_version").map(str::to_owned);
        trace.begin(phase::QUERY);
        let (done, said) = {
            // The connection has to be polled beside the client that asks over it.
            let lost = poll_fn(|cx| connection.poll_message(cx).map(|m| m.and_then(Result::err)));
            let (mut lost, mut work) = (pin!(lost), pin!(self.ask(cx, &client, seen)));
            loop {
                tokio::select! {
                    biased;
                    // Both are state machines that stay where they are: nothing is lost between turns.
                    end = &mut lost => if let Some(e) = end {
                        // The server's last words may have come with the end: the asker has yet to read them.
                        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
                            break (done, String::new());
                        }
                        let mut said = String::new();
                        break (Err(db_fault("querying", &e, &mut said)), said);
                    },
                    done = &mut work => break (done, String::new()),
                }
            }
        };
        if !said.is_empty() {
            seen.said = said;
        }
        done?;
        trace.end();
        Ok(())
    }

    /// Connects, and asks for TLS where it is wanted.
    async fn line(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Line, Fault> {
        let mut stream = self.login.dial(cx, trace).await?;
        if self.login.tls.is_some() {
            trace.begin(phase::TLS);
            stream.write_all(&SSL_REQUEST).await.map_err(|e| io_fault("asking for TLS", &e))?;
            let mut answer = [0];
            stream.read_exact(&mut answer).await.map_err(|e| io_fault("asking for TLS", &e))?;
            match answer[0] {
                b'S' => {}
                b'N' => return Err(Fault::target("tls_refused", "the server does not speak TLS")),
                _ => return Err(Fault::target("protocol_error", "the answer is not of PostgreSQL's protocol")),
            }
        }
        self.login.secure(stream, cx, trace).await
    }

    async fn ask(&self, cx: &ProbeCx, client: &Client, seen: &mut Seen) -> Result<(), Fault> {
        // Poolers' consoles know neither timeouts nor functions.
        let plain = seen.version.as_deref().is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
        let server = plain && !seen.version.as_deref().is_some_and(|v| v.contains("bouncer"));
        if let Some(query) = &self.query {
            // A probe that is given up must leave no query running there. `LOCAL`: a pooler hands the
            // connection to others afterwards.
            let limit = cx.remaining().as_millis().max(1);
            let prefix = if server { format!("SET LOCAL statement_timeout = {limit}; ") } else { String::new() };
            let asked = Instant::now();
            let answer = rows(client, &format!("{prefix}{}", query.reveal()), |_| {}).await;
            let answer = answer.map_err(|e| db_fault("querying", &e, &mut seen.said))?;
            seen.took = Some(asked.elapsed());
            seen.said = answer.first.clone().unwrap_or_default();
            seen.answer = Some(answer);
        }
        if server {
            let facts = &mut seen.facts;
            // A server that does not answer this lacks the facts, no more.
            let asked = Instant::now();
            let answer = rows(client, FACTS, |row| {
                for (i, fact) in facts.iter_mut().enumerate() {
                    *fact = row.try_get(i).ok().flatten().and_then(number);
                }
            });
            if let Err(e) = answer.await
                && (e.is_closed() || e.code().is_some_and(|c| c.code().starts_with(INTERVENTION)))
            {
                return Err(db_fault("querying", &e, &mut seen.said));
            }
            seen.took.get_or_insert(asked.elapsed());
        }
        Ok(())
    }

    fn judge(&self, seen: &Seen) -> (Judge, String) {
        let mut judge = Judge::default();
        if let Some(answer) = &seen.answer {
            self.value.judge(answer.first.as_deref(), &mut judge);
            self.rows.judge(answer.rows, &mut judge);
        }
        let [recovery, _, _, _, lag, streams] = seen.facts;
        let replica = recovery.map(|r| r > 0.0);
        let says = || "the server does not say".to_owned();
        let role = replica.map(|r| if r { "replica" } else { "primary" });
        // What has been replayed is all there is only as long as more would come.
        let detached = streams == Some(0.0);
        if let Some((want, name)) = &self.replica {
            let seen = role.map_or_else(says, |r| if detached { format!("{r}, {DETACHED}") } else { r.to_owned() });
            judge.hold("role", name, replica == Some(*want) && !detached, seen);
        }
        if let Some((limit, name)) = &self.lag {
            let seen = lag.map(|s| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX));
            let ok = seen.is_some_and(|s| s < *limit) && !detached;
            let shown = seen.map_or_else(says, |s| Short(s).to_string());
            judge.hold("replication_lag", name, ok, if detached { DETACHED.to_owned() } else { shown });
        }
        let version = seen.version.as_deref().unwrap_or("of an unknown version");
        let mut summary = format!("PostgreSQL {}", found(version));
        if let Some(role) = role {
            summary += &format!(", {role}");
        }
        if let Some(answer) = &seen.answer {
            let plural = if answer.rows == 1 { "" } else { "s" };
            summary += &format!(", {} row{plural}", answer.rows);
            if let Some(first) = &answer.first {
                summary += &format!(", value {}", found(first));
            }
        }
        (judge, summary)
    }
}

/// Asks in the simple protocol; every row is counted and shown to `each`, none is kept.
async fn rows(
    client: &Client,
    query: &str,
    mut each: impl FnMut(&tokio_postgres::SimpleQueryRow),
) -> Result<Answer, tokio_postgres::Error> {
    let mut answer = Answer::default();
    let mut stream = pin!(client.simple_query_raw(query).await?);
    while let Some(message) = stream.try_next().await? {
        if let SimpleQueryMessage::Row(row) = message {
            if answer.rows == 0 {
                answer.first = row.try_get(0).ok().flatten().map(str::to_owned);
            }
            answer.rows += 1;
            each(&row);
        }
    }
    Ok(answer)
}

/// Sorts an error of the client's. What the server said goes to `said`.
fn db_fault(doing: &str, err: &tokio_postgres::Error, said: &mut String) -> Fault {
    let Some(db) = err.as_db_error() else {
        if let Some(fault) = line_fault(doing, err) {
            return fault;
        }
        if err.is_closed() {
            return Fault::target("connection_closed", format!("{doing}: the server closed the connection"));
        }
        let why = std::error::Error::source(err).map_or_else(|| err.to_string(), ToString::to_string);
        // Without a cause it is a message out of turn; with one, a login that the client cannot or will not do.
        let class = if std::error::Error::source(err).is_some() { "auth" } else { "protocol_error" };
        return Fault::target(class, format!("{doing}: {}", found(&why)));
    };
    *said = format!("{} {}: {}", db.severity(), db.code().code(), db.message());
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        *said += &format!("\n{more}");
    }
    let class = match db.code().code() {
        code if code.starts_with("28") => "auth",
        "3D000" => "database",
        "53300" => "too_many_connections",
        // Shut down by an administrator or by a crash, or not up yet.
        "57P01" | "57P02" | "57P03" => "not_ready",
        "57014" => "timeout",
        _ => "query",
    };
    Fault::target(class, format!("{doing}: {} ({})", found(db.message()), found(db.code().code())))
}

impl Seen {
    fn samples(&self) -> Vec<Sample> {
        let mut out = Vec::new();
        if let Some(took) = self.took {
            out.push(Sample::new("probe_postgres_query_duration_seconds", took.as_secs_f64()));
        }
        if let Some(answer) = &self.answer {
            out.push(Sample::new("probe_postgres_rows", answer.rows as f64));
            if let Some(n) = answer.first.as_deref().and_then(number) {
                out.push(Sample::new("probe_postgres_value", n));
            }
        }
        let facts = COLUMNS.iter().zip(self.facts);
        out.extend(facts.filter_map(|(name, value)| Some(Sample::new(name, value?))));
        if let Some(version) = &self.version {
            let short = version.split_whitespace().next().unwrap_or_default();
            out.push(Sample::new("pg_static", 1.0).label("short_version", found(short)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{outcome, problems};

    /// A server that says this to whoever begins to speak, and closes.
    async fn server(answer: Vec<u8>) -> (String, JoinSet<()>) {
        talker(vec![answer]).await
    }

    /// A server that gives the next of `answers` to each thing it is told, and closes after the last.
    async fn talker(answers: Vec<Vec<u8>>) -> (String, JoinSet<()>) {
        let (at, _, tasks) = listening(answers).await;
        (at, tasks)
    }

    /// The same, with what it was told.
    async fn listening(answers: Vec<Vec<u8>>) -> (String, mpsc::Receiver<Vec<u8>>, JoinSet<()>) {
        let (heard, told) = mpsc::channel(16);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                for answer in &answers {
                    let mut told = [0; 4096];
                    let n = s.read(&mut told).await.unwrap_or(0);
                    let _ = heard.try_send(told[..n].to_vec());
                    let _ = s.write_all(answer).await;
                }
            }
        });
        (at, told, tasks)
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &len.to_be_bytes(), body].concat()
    }

    #[tokio::test]
    async fn hostile_answers_have_their_class() {
        let error = |code: &str| message(b'E', format!("SFATAL\0C{code}\0Mno\0\0").as_bytes());
        let gss = message(b'R', &[0, 0, 0, 7]);
        let long = [&[b'R'][..], &i32::MAX.to_be_bytes(), &vec![b'x'; 2 << 20]].concat();
        for (answer, class) in [
            (Vec::new(), "connection_closed"),
            (b"HTTP/1.1 400 Bad\r\n\r\n".to_vec(), "protocol_error"),
            (b"R\0\0\0\x01".to_vec(), "protocol_error"),
            (error("28P01"), "auth"),
            (error("3D000"), "database"),
            (error("53300"), "too_many_connections"),
            (error("57P01"), "not_ready"),
            (error("57P02"), "not_ready"),
            (error("57P03"), "not_ready"),
            (gss, "auth"),
            (long, "too_large"),
        ] {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
            let (at, _tasks) = server(answer).await;
            let got = outcome("postgres", &format!("{{host: \"{at}\", user: u, password: pw}}")).await;
            assert_eq!(got.verdict, Verdict::Down, "{shown:?}");
            assert_eq!(got.reason.as_ref().unwrap().class, class, "{shown:?}: {got:?}");
        }
    }

    /// The end of a login: accepted, the version, ready.
    fn accepted() -> Vec<u8> {
        let version = message(b'S', b"server_version\x0015.6\0");
        [message(b'R', &[0; 4]), version, message(b'Z', b"I")].concat()
    }

    /// A row of texts with its description before and its end after it.
    fn row(values: &[Option<&str>]) -> Vec<u8> {
        let count = u16::try_from(values.len()).unwrap().to_be_bytes();
        let columns =
            [&count[..], &b"x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0".repeat(values.len())].concat();
        let mut row = count.to_vec();
        for value in values {
            row.extend(value.map_or(-1, |v| i32::try_from(v.len()).unwrap()).to_be_bytes());
            row.extend(value.unwrap_or_default().as_bytes());
        }
        [message(b'T', &columns), message(b'D', &row), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
    }

    #[tokio::test]
    async fn the_last_words_of_a_server_are_kept() {
        for more in ["", ", query: SELECT 1"] {
            let end = message(b'E', b"SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0");
            let (at, _tasks) = talker(vec![accepted(), end]).await;
            let got = outcome("postgres", &format!("{{host: \"{at}\", user: u{more}}}")).await;
            let reason = got.reason.unwrap();
            assert_eq!((got.verdict, &*reason.class), (Verdict::Down, "not_ready"), "{reason:?}");
            assert!(reason.message.contains("administrator"), "{reason:?}");
        }
    }

    #[tokio::test]
    async fn a_password_is_proved_by_md5() {
        // md5(md5("pwu") + salt), as the server computes it.
        let challenge = message(b'R', b"\0\0\0\x05salt");
        let (at, mut told, _tasks) = listening(vec![challenge, accepted(), row(&[Some("1")])]).await;
        let got = outcome("postgres", &format!("{{host: \"{at}\", user: u, password: pw}}")).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        let proof = told.recv().await.and(told.recv().await).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let inner = hex(&Md5::digest(b"pwu"));
        let want = format!("md5{}\0", hex(&Md5::digest([inner.as_bytes(), b"salt"].concat())));
        assert_eq!(proof, message(b'p', want.as_bytes()));
    }

    #[tokio::test]
    async fn a_replica_to_which_nothing_streams_is_none() {
        for (facts, want) in [
            ([Some("t"), Some("1"), Some("100"), Some("3"), Some("0"), Some("1")], ["", ""]),
            ([Some("t"), Some("1"), Some("100"), Some("3"), Some("5"), Some("0")], ["role", "replication_lag"]),
            ([Some("t"), Some("1"), Some("100"), Some("3"), Some("90"), Some("1")], ["", "replication_lag"]),
            ([Some("f"), Some("1"), Some("100"), Some("3"), Some("0"), None], ["role", ""]),
        ] {
            for (expect, want) in ["role: replica", "lag_below: 30s"].into_iter().zip(want) {
                let (at, _tasks) = talker(vec![accepted(), row(&facts)]).await;
                let got = outcome("postgres", &format!("{{host: \"{at}\", user: u, expect: {{{expect}}}}}")).await;
                assert_eq!(got.reason.as_ref().map_or("", |r| &r.class), want, "{facts:?} {expect}: {got:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_is_not_spoken_to_without() {
        let (at, _tasks) = server(b"N".to_vec()).await;
        let got = outcome("postgres", &format!("{{host: \"{at}\", user: u, password: pw, tls: true}}")).await;
        assert_eq!(got.reason.unwrap().class, "tls_refused");
        assert!(got.phases.iter().any(|p| p.name == "tls" && p.failed));
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("postgres", "{host: db}")[0].contains("`user` is missing"));
        let got = problems("postgres", "{host: db, user: u, expect: {rows: {at_least: 1}}}");
        assert!(got[0].contains("judge the answer to `query`"), "{got:?}");
    }
}
