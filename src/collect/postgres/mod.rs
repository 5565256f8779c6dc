//! `type: postgres`: logs in, asks a query of the person's, and what the server says of itself.
//!
//! The client crate speaks over our connection, so that policy, phases and deadline hold; TLS is
//! asked for here, because the certificate is to be judged as everywhere else. Queries go in
//! PostgreSQL's simple protocol: every value comes as a text, whatever its type.

mod cleartext;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::time::Instant;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample, TIMEOUT};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::judge::found;
use crate::collect::kind::{Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::postgres::cleartext::Guarded;
use crate::collect::replica::{LAG, ROLE, Role, Standing};
use crate::collect::sql::{Answer, Asked, Dialect, QUERY, Sql};
use crate::collect::talk::capped::{Capped, MAX_ANSWERS, client_fault};
use crate::collect::talk::security::{OPEN_LOGIN, USER};
use crate::collect::talk::starttls::StartTls;
use crate::collect::talk::wire::{Heard, Stream, Wire};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{ROWS, VALUE, number};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

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

const DIALECT: Dialect = Dialect {
    port: 5432,
    lag_unit: Duration::from_millis(1),
    duration: "probe_postgres_query_duration_seconds",
    rows: "probe_postgres_rows",
    value: "probe_postgres_value",
};

/// A checked `postgres` monitor.
#[derive(Debug)]
struct Postgres(Sql);

/// The kind.
pub const KIND: Kind = Kind {
    name: "postgres",
    about: "One login to a PostgreSQL server, and one query.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 5432." }),
    flags: &[USER, OPEN_LOGIN, QUERY, ROLE, LAG, VALUE, ROWS, TLS_ON_DEMAND, ROUTE, LATENCY],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_postgres_query_duration_seconds", "How long the query took"),
            Metric::gauge("probe_postgres_rows", "Rows that the query brought"),
            Metric::gauge("probe_postgres_value", "The value that the query brought"),
            Metric::gauge("probe_postgres_connections", "Connections to all databases"),
            Metric::gauge("probe_postgres_wal_receivers", "Streams by which a replica gets its changes"),
            Metric::gauge("pg_replication_is_replica", "1 where the server is a replica"),
            Metric::gauge(
                "pg_replication_lag_seconds",
                "How old the last change is that a replica has made; 0 where none is missing",
            ),
            Metric::gauge("pg_postmaster_start_time_seconds", "When the server was started, since 1970"),
            Metric::gauge("pg_settings_max_connections", "How many connections there may be"),
            Metric::gauge("pg_static", "Always 1; version of the server"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let sql = Sql::read(fields, &DIALECT)?;
    let (shown, at) = (sql.endpoint.shown.clone(), sql.endpoint.peer.host().to_owned());
    Some(Probe::new("postgres", shown, Postgres(sql)).at(&at))
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    asked: Asked,
    facts: [Option<f64>; COLUMNS.len()],
}

impl Collector for Postgres {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Postgres {
    async fn converse(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let stream = self.stream(cx, trace).await?;
        trace.begin(phase::AUTH);
        let mut config = Config::new();
        config.ssl_mode(SslMode::Disable).application_name("watchdog");
        config.user(self.0.user()).password(self.0.password());
        if let Some(database) = &self.0.database {
            config.dbname(database);
        }
        let tells = self.0.tells;
        let login = config.connect_raw(Guarded::new(Capped::new(stream, MAX_ANSWERS), tells), NoTls).await;
        let (client, mut connection) = login.map_err(|e| match cleartext::is_cause(&e) {
            true => {
                let message = "the server wants to see the password itself, and the connection has no TLS: add `tls`";
                Fault::target("auth", message)
            }
            false => db_fault("logging in", &e, &mut seen.asked.said),
        })?;
        seen.asked.version = connection.parameter("server_version").map(str::to_owned);
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
            seen.asked.said = said;
        }
        done?;
        trace.end();
        Ok(())
    }

    /// Connects, and asks for TLS where it is wanted.
    async fn stream(&self, cx: &ProbeCx, trace: &mut Trace) -> Result<Stream, Fault> {
        let (endpoint, mut heard) = (&self.0.endpoint, Heard::default());
        let stream = endpoint.open(cx, trace).await?;
        let mut wire = Wire::new(Stream::Plain(stream), &mut heard);
        if let Some(tls) = self.0.security.starttls() {
            trace.begin(phase::TLS);
            StartTls::Postgres.ask(&mut wire, endpoint.peer.host()).await?;
            wire.encrypt(tls, endpoint.peer.host(), cx.now, trace).await?;
        }
        Ok(wire.into_stream())
    }

    async fn ask(&self, cx: &ProbeCx, client: &Client, seen: &mut Seen) -> Result<(), Fault> {
        let Seen { asked, facts } = seen;
        // Poolers' consoles know neither timeouts nor functions.
        let plain = asked.version.as_deref().is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
        let server = plain && !asked.version.as_deref().is_some_and(|v| v.contains("bouncer"));
        if let Some(query) = &self.0.query {
            // A probe that is given up must leave no query running there. `LOCAL`: a pooler hands the
            // connection to others afterwards.
            let limit = cx.remaining().as_millis().max(1);
            let prefix = if server { format!("SET LOCAL statement_timeout = {limit}; ") } else { String::new() };
            let since = Instant::now();
            let answer = rows(client, &format!("{prefix}{}", query.reveal()), |_| {}).await;
            let answer = answer.map_err(|e| db_fault("querying", &e, &mut asked.said))?;
            asked.took = Some(since.elapsed());
            asked.said = answer.first.clone().unwrap_or_default();
            asked.answer = Some(answer);
        }
        if server {
            // A server that does not answer this lacks the facts, no more.
            let since = Instant::now();
            let answer = rows(client, FACTS, |row| {
                for (i, fact) in facts.iter_mut().enumerate() {
                    *fact = row.try_get(i).ok().flatten().and_then(number);
                }
            });
            if let Err(e) = answer.await
                && (e.is_closed() || e.code().is_some_and(|c| c.code().starts_with(INTERVENTION)))
            {
                return Err(db_fault("querying", &e, &mut asked.said));
            }
            asked.took.get_or_insert(since.elapsed());
        }
        Ok(())
    }
}

impl Seen {
    fn standing(&self) -> Standing {
        let [recovery, _, _, _, lag, streams] = self.facts;
        Standing {
            role: recovery.map(|r| if r > 0.0 { Role::Replica } else { Role::Primary }),
            detached: (streams == Some(0.0)).then(|| "nothing streams to it".to_owned()),
            lag: lag.map(|s| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)),
        }
    }
}

impl Talk for Postgres {
    type Said = Seen;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        // The client's future is large.
        Box::pin(self.converse(cx, trace, seen)).await
    }

    fn judge(&self, trace: &Trace, seen: &Seen) -> Outcome {
        let version = seen.asked.version.as_deref().unwrap_or("of an unknown version");
        self.0.judge(trace, &seen.asked, &seen.standing(), format!("PostgreSQL {}", found(version)))
    }

    fn checks(&self) -> Vec<&str> {
        self.0.checks()
    }

    fn samples(&self, _: &Trace, seen: &Seen, out: &mut Vec<Sample>) {
        self.0.samples(&seen.asked, out);
        let facts = COLUMNS.iter().zip(seen.facts);
        out.extend(facts.filter_map(|(name, value)| Some(Sample::new(name, value?))));
        if let Some(version) = &seen.asked.version {
            let short = version.split_whitespace().next().unwrap_or_default();
            out.push(Sample::new("pg_static", 1.0).label("short_version", found(short)));
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
        if let Some(fault) = client_fault(doing, err) {
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
        "57014" => TIMEOUT,
        _ => "query",
    };
    Fault::target(class, format!("{doing}: {} ({})", found(db.message()), found(db.code().code())))
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    use crate::base::outcome::Verdict;
    use crate::collect::dial::testing::{NameServer, Says};
    use crate::collect::kinds::testing::outcome;

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
            (long, "too_much"),
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
    async fn a_password_is_told_only_where_nobody_listens() {
        let names = NameServer::start(|_| Says::A("127.0.0.1", 60)).await;
        let clear = message(b'R', &[0, 0, 0, 3]);
        for (more, want) in [("", "auth"), (", open_login: true", "")] {
            let (at, mut told, _tasks) = listening(vec![clear.clone(), accepted(), row(&[Some("1")])]).await;
            let port = at.rsplit_once(':').unwrap().1;
            // A name that is of this machine by chance is not known to be.
            let host = format!("host: \"db.test:{port}\", resolver: \"{}\"", names.at);
            let got = outcome("postgres", &format!("{{{host}, user: u, password: open-sesame{more}}}")).await;
            assert_eq!(got.reason.as_ref().map_or("", |r| &r.class), want, "{got:?}");
            drop(told.recv().await);
            let second = told.recv().await.unwrap_or_default();
            assert_eq!(second == message(b'p', b"open-sesame\0"), want.is_empty(), "{second:?}");
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
        assert_eq!(got.reason.unwrap().class, "starttls");
        assert!(got.phases.iter().any(|p| p.name == "tls" && p.failed));
    }
}
