//! `type: redis`: logs in, asks `PING`, one command of the person's and `INFO`.
//!
//! Requests are made and answers are taken apart by the client crate; the connection is ours, and no
//! task of the client's outlives a probe. Servers that speak the protocol (Valkey, KeyDB, Sentinel,
//! Dragonfly) are probed just as well; what they do not say in `INFO` has no series.

use std::time::Duration;

use ::redis::{Cmd, Value};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::Short;
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::replica::{ROLE, Replication, Role, Standing};
use crate::collect::talk::capped::{Capped, MAX_ANSWERS, stream_fault};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::security::{OPEN_LOGIN, Security, USER};
use crate::collect::talk::wire::Stream;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::alpn;
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{VALUE, ValueChecks};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Items of an answer that is a list which are shown.
const MAX_ITEMS: usize = 16;

/// A checked `redis` monitor.
#[derive(Debug)]
struct Redis {
    endpoint: Endpoint,
    security: Security,
    user: Option<Secret<String>>,
    password: Option<Secret<String>>,
    database: i64,
    command: Vec<Secret<String>>,
    expect: ValueChecks,
    replication: Replication,
    replicas: Option<(u64, String)>,
    latency: Latency,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "redis",
    about: "One login to a Redis or Valkey server, and one command.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 6379." }),
    flags: &[
        USER,
        OPEN_LOGIN,
        ROLE,
        &[
            Flag::new("database", "database", Form::One("NUMBER"), "Database to select."),
            Flag::new("command", "command", Form::Many("WORD"), "Command whose answer is judged, word by word."),
            Flag::new("replicas", "expect.replicas", Form::One("COUNT"), "Replicas that must be connected at least."),
        ],
        VALUE,
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_redis_ping_duration_seconds", "How long the answer to a PING took"),
            Metric::gauge("probe_redis_value", "The answer to the command, where it is a number"),
            Metric::gauge("redis_connected_slaves", "Replicas that are connected"),
            Metric::gauge("redis_connected_clients", "Clients that are connected"),
            Metric::gauge("redis_blocked_clients", "Clients that wait in a blocking command"),
            Metric::gauge("redis_config_maxclients", "How many clients may be connected"),
            Metric::gauge("redis_memory_used_bytes", "Memory that the server has taken"),
            Metric::gauge("redis_memory_max_bytes", "Memory that the server may take; 0 is no limit"),
            Metric::gauge("redis_mem_fragmentation_ratio", "Memory by the kernel for each byte by the server"),
            Metric::gauge("redis_uptime_in_seconds", "How long the server has run"),
            Metric::counter("redis_keyspace_hits_total", "Keys that were asked for and found"),
            Metric::counter("redis_keyspace_misses_total", "Keys that were asked for and not found"),
            Metric::counter("redis_evicted_keys_total", "Keys that were thrown away for lack of memory"),
            Metric::counter("redis_expired_keys_total", "Keys whose time was over"),
            Metric::counter("redis_rejected_connections_total", "Connections that were too many"),
            Metric::counter("redis_commands_processed_total", "Commands that were carried out"),
            Metric::gauge("redis_rdb_changes_since_last_save", "Changes that no snapshot holds yet"),
            Metric::gauge("redis_master_link_up", "1 while a replica is connected to its master"),
            Metric::gauge("redis_rdb_last_bgsave_status", "1 where the last snapshot was written"),
            Metric::gauge("redis_aof_last_write_status", "1 where the last write to the log of commands was done"),
            Metric::gauge("redis_instance_info", "Always 1; role and version of the server"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let security = Security::from_start(fields, alpn::NONE);
    let endpoint = Endpoint::read(fields, &mut mask, Some(6379));
    let account = security.account(fields, &mut mask, endpoint.as_ref());
    account.refuse_open(fields, "add `tls: true`, or `open_login: true` if that is meant");
    let latency = Latency::read(fields);
    let database = fields.integer("database", 0..=65_535).unwrap_or(0);
    let command = fields.texts("command");
    let (mut checks, mut replication, mut replicas) = (ValueChecks::default(), Replication::default(), None);
    if let Some(mut expect) = fields.nested_of("expect", "value") {
        checks = ValueChecks::read(&mut expect);
        replication = Replication::read(&mut expect);
        replicas = expect
            .integer("replicas", 1..=1_000)
            .and_then(|n| u64::try_from(n).ok())
            .map(|n| (n, format!("at least {n} replicas connected")));
        if command.is_empty() && !checks.is_empty() {
            let message = "`expect.value` judges the answer to `command`, and there is none";
            expect.error(expect.head(), Code::Conflict, message, "add e.g. `command: [DBSIZE]`");
        }
        expect.finish();
    }
    if account.user.is_some() && account.password.is_none() {
        fields.missing("password", "add the user's password, e.g. `password: ${env:REDIS_PASSWORD}`");
    }
    command.iter().for_each(|word| {
        mask.add_text(word);
    });
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (shown, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let (user, password) = (account.user.map(Text::secret), account.password.map(Text::secret));
    let command = command.into_iter().map(Text::secret).collect();
    let probe = Redis {
        endpoint,
        security,
        user,
        password,
        database,
        command,
        expect: checks,
        replication,
        replicas,
        latency,
        mask,
    };
    Some(Probe::new("redis", shown, probe).at(&at))
}

/// What one probe learnt.
#[derive(Debug, Default)]
struct Seen {
    ping: Option<Duration>,
    /// `None` inside when the server has no such value.
    answer: Option<Option<String>>,
    info: Option<Info>,
    said: String,
}

impl Collector for Redis {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Talk for Redis {
    type Said = Seen;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let stream = self.security.open(&self.endpoint, cx, trace).await?;
        let mut line = Capped::new(stream, MAX_ANSWERS);
        trace.begin(phase::AUTH);
        if let Some(password) = &self.password {
            let mut auth = Cmd::new();
            auth.arg("AUTH");
            if let Some(user) = &self.user {
                auth.arg(user.reveal());
            }
            let reply = ask(&mut line, auth.arg(password.reveal())).await?;
            accepted("auth", "the login was refused", &reply, seen)?;
        }
        if self.database != 0 {
            let reply = ask(&mut line, Cmd::new().arg("SELECT").arg(self.database)).await?;
            accepted("database", "the database cannot be selected", &reply, seen)?;
        }
        trace.begin(phase::QUERY);
        let asked = Instant::now();
        let reply = ask(&mut line, Cmd::new().arg("PING")).await?;
        seen.ping = Some(asked.elapsed());
        if let Value::ServerError(e) = &reply {
            let class = if matches!(e.code(), "NOAUTH" | "NOPERM") { "auth" } else { "query" };
            accepted(class, "PING was refused", &reply, seen)?;
        }
        if text(&reply).as_deref() != Some("PONG") {
            seen.said = text(&reply).unwrap_or_else(|| "nil".to_owned());
            let message = format!("PING is answered by `{}`", found(&seen.said));
            return Err(Fault::target("protocol_error", message));
        }
        if !self.command.is_empty() {
            let mut own = Cmd::new();
            for word in &self.command {
                own.arg(word.reveal());
            }
            let reply = ask(&mut line, &own).await?;
            accepted("query", "the command was refused", &reply, seen)?;
            let text = text(&reply);
            seen.said = text.clone().unwrap_or_else(|| "nil".to_owned());
            seen.answer = Some(text);
        }
        // A user may not be allowed to ask: that is no fault unless something of it is expected.
        let reply = ask(&mut line, Cmd::new().arg("INFO")).await?;
        seen.info = match &reply {
            Value::ServerError(_) => None,
            other => text(other).map(Info),
        };
        trace.end();
        Ok(())
    }

    fn judge(&self, trace: &Trace, seen: &Seen) -> Outcome {
        let mut judge = Judge::default();
        let answer = seen.answer.as_ref().and_then(Option::as_deref);
        self.expect.judge(answer, &mut judge);
        let info = seen.info.as_ref();
        let standing = info.map(Info::standing).unwrap_or_default();
        self.replication.judge(&standing, &mut judge);
        if let Some((want, name)) = &self.replicas {
            let count = info.and_then(|i| i.number("connected_slaves"));
            let seen = count.map_or_else(|| "the server does not say".to_owned(), |n| n.to_string());
            judge.hold("replicas", name, count.is_some_and(|n| n >= *want as f64), seen);
        }
        let ping = seen.ping.unwrap_or_default();
        let mut summary = format!("PONG in {}", Short(ping));
        if let Some(version) = info.and_then(Info::version) {
            summary = format!("{} {}, {summary}", version.0, found(version.1));
        }
        // Sentinel has a word of its own.
        let other = info.and_then(|i| i.get("role"));
        if let Some(role) = standing.role.map(Role::word).or(other) {
            summary += &format!(", {}", found(role));
        }
        if let Some(answer) = answer {
            summary += &format!(", answer {}", found(answer));
        }
        self.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(summary)
    }

    fn checks(&self) -> Vec<&str> {
        let own = self.replication.names().chain(self.replicas.iter().map(|(_, n)| n.as_str()));
        self.expect.names().chain(own).chain(self.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, seen: &Seen, out: &mut Vec<Sample>) {
        seen.samples(out);
    }

    fn evidence(&self, seen: &Seen, items: &mut Items) {
        items.extend(talk::words(seen.said.as_bytes()));
    }

    fn target(&self) -> String {
        self.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

/// Sends one command and takes its answer. An error of the server's is an answer.
async fn ask(line: &mut Capped<Stream>, command: &Cmd) -> Result<Value, Fault> {
    let send = async {
        line.write_all(&command.get_packed_command()).await?;
        line.flush().await
    };
    send.await.map_err(|e| stream_fault("sending", &e))?;
    // A decoder per answer: without pipelining there is nothing after it.
    let answer = ::redis::parse_redis_value_async(&mut Default::default(), line).await;
    answer.map_err(|e| {
        if let Some(fault) = line.failed() {
            return fault;
        }
        match e.is_connection_dropped() {
            true => Fault::target("connection_closed", "the server closed the connection"),
            false => Fault::target("protocol_error", "the answer is not of Redis' protocol"),
        }
    })
}

/// Refuses an answer that is an error of the server's.
fn accepted(class: &'static str, what: &str, reply: &Value, seen: &mut Seen) -> Result<(), Fault> {
    let Value::ServerError(e) = reply else { return Ok(()) };
    seen.said = format!("{} {}", e.code(), e.details().unwrap_or_default());
    Err(Fault::target(class, format!("{what}: {}", found(seen.said.trim_end()))))
}

/// An answer as a text; `None` for nil.
fn text(value: &Value) -> Option<String> {
    let list = |items: &[Value]| {
        let shown: Vec<String> =
            items.iter().take(MAX_ITEMS).map(|v| text(v).unwrap_or_else(|| "nil".into())).collect();
        let more = if items.len() > MAX_ITEMS { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    Some(match value {
        Value::Nil => return None,
        Value::Int(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Boolean(b) => b.to_string(),
        Value::Okay => "OK".to_owned(),
        Value::SimpleString(s) | Value::VerbatimString { text: s, .. } => s.clone(),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Array(items) | Value::Set(items) | Value::Push { data: items, .. } => list(items),
        Value::Map(pairs) => {
            let flat: Vec<Value> = pairs.iter().take(MAX_ITEMS).flat_map(|(k, v)| [k.clone(), v.clone()]).collect();
            list(&flat)
        }
        Value::Attribute { data, .. } => return text(data),
        Value::ServerError(e) => format!("{} {}", e.code(), e.details().unwrap_or_default()),
        // The crate may learn further types.
        _ => "?".to_owned(),
    })
}

/// The answer to `INFO`: `key:value` lines.
#[derive(Debug)]
struct Info(String);

/// Gauges of `INFO` and their series in redis_exporter.
const FACTS: [(&str, &str); 15] = [
    ("connected_slaves", "redis_connected_slaves"),
    ("connected_clients", "redis_connected_clients"),
    ("blocked_clients", "redis_blocked_clients"),
    ("maxclients", "redis_config_maxclients"),
    ("used_memory", "redis_memory_used_bytes"),
    ("maxmemory", "redis_memory_max_bytes"),
    ("mem_fragmentation_ratio", "redis_mem_fragmentation_ratio"),
    ("uptime_in_seconds", "redis_uptime_in_seconds"),
    ("keyspace_hits", "redis_keyspace_hits_total"),
    ("keyspace_misses", "redis_keyspace_misses_total"),
    ("evicted_keys", "redis_evicted_keys_total"),
    ("expired_keys", "redis_expired_keys_total"),
    ("rejected_connections", "redis_rejected_connections_total"),
    ("total_commands_processed", "redis_commands_processed_total"),
    ("rdb_changes_since_last_save", "redis_rdb_changes_since_last_save"),
];

impl Info {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.parse().ok().filter(|n: &f64| n.is_finite())
    }

    fn standing(&self) -> Standing {
        let role = match self.get("role") {
            Some("master") => Some(Role::Primary),
            Some("slave") => Some(Role::Replica),
            _ => None,
        };
        let link = self.get("master_link_status").filter(|link| *link != "up");
        Standing { role, detached: link.map(|link| format!("link to its primary {}", found(link))), lag: None }
    }

    /// The server's name and version: Valkey calls itself Redis for the sake of old clients.
    fn version(&self) -> Option<(&'static str, &str)> {
        match self.get("valkey_version") {
            Some(version) => Some(("Valkey", version)),
            None => Some(("Redis", self.get("redis_version")?)),
        }
    }
}

impl Seen {
    fn samples(&self, out: &mut Vec<Sample>) {
        if let Some(ping) = self.ping {
            out.push(Sample::new("probe_redis_ping_duration_seconds", ping.as_secs_f64()));
        }
        if let Some(n) = self.answer.as_ref().and_then(|a| crate::collect::value::number(a.as_deref()?)) {
            out.push(Sample::new("probe_redis_value", n));
        }
        let Some(info) = &self.info else { return };
        let known = FACTS.iter().filter_map(|(key, name)| Some(Sample::new(name, info.number(key)?)));
        out.extend(known);
        for (key, name, good) in [
            ("master_link_status", "redis_master_link_up", "up"),
            ("rdb_last_bgsave_status", "redis_rdb_last_bgsave_status", "ok"),
            ("aof_last_write_status", "redis_aof_last_write_status", "ok"),
        ] {
            if let Some(value) = info.get(key) {
                out.push(Sample::new(name, f64::from(u8::from(value == good))));
            }
        }
        if let (Some(role), Some((_, version))) = (info.get("role"), info.version()) {
            let sample = Sample::new("redis_instance_info", 1.0).label("role", found(role));
            out.push(sample.label("redis_version", found(version)));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    /// A server that gives the next of `answers` to each thing it is told.
    async fn server(answers: &'static [&'static str]) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                for answer in answers {
                    let mut told = [0; 1024];
                    if !matches!(s.read(&mut told).await, Ok(1..)) || s.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        });
        (at, tasks)
    }

    #[tokio::test]
    async fn hostile_answers_have_their_class() {
        for (answers, class) in [
            (&[""][..], "connection_closed"),
            (&["HTTP/1.1 400 Bad\r\n\r\n"], "protocol_error"),
            (&["$99999999999\r\nx"], "connection_closed"),
            (&["*-5\r\n"], "protocol_error"),
            (&[":1\r\n"], "protocol_error"),
            (&["$-1\r\n"], "protocol_error"),
            (&["-NOAUTH Authentication required.\r\n"], "auth"),
            (&["-LOADING Redis is loading\r\n"], "query"),
            (&["+PONG\r\n", "-ERR unknown command\r\n"], "query"),
        ] {
            let (at, _tasks) = server(answers).await;
            let got = outcome("redis", &format!("{{host: \"{at}\", command: [X]}}")).await;
            assert_eq!(got.verdict, Verdict::Down, "{answers:?}");
            assert_eq!(got.reason.unwrap().class, class, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn a_success_brings_its_evidence_when_asked() {
        let (at, _tasks) = server(&["+PONG\r\n", ":7\r\n", "-NOPERM no\r\n"]).await;
        let (probe, _) = build("redis", &format!("{{host: \"{at}\", command: [DBSIZE]}}"));
        let cx = ProbeCx { show: true, ..context(Duration::from_secs(5)) };
        let got = probe.unwrap().collector.probe(&cx).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        let items = got.evidence.unwrap().items;
        assert!(items.iter().any(|(title, text)| title == "answer (1 bytes)" && text == "7"), "{items:?}");
    }

    #[tokio::test]
    async fn a_nest_of_lists_is_refused() {
        let nest: &'static str = Box::leak("*1\r\n".repeat(10_000).into_boxed_str());
        let (at, _tasks) = server(Box::leak(Box::new([nest]))).await;
        let got = outcome("redis", &format!("{{host: \"{at}\"}}")).await;
        assert_eq!(got.reason.unwrap().class, "protocol_error");
    }

    #[tokio::test]
    async fn a_server_without_info_is_still_judged() {
        let answers = &["+OK\r\n", "+PONG\r\n", "*3\r\n:1\r\n$-1\r\n$1\r\na\r\n", "-NOPERM no\r\n"];
        let (at, _tasks) = server(answers).await;
        let text = format!("{{host: \"{at}\", password: pw, command: [X], expect: {{value: '1, nil, a'}}}}");
        let good = outcome("redis", &text).await;
        assert_eq!(good.verdict, Verdict::Up, "{good:?}");
        let (at, _tasks) = server(answers).await;
        let text = format!("{{host: \"{at}\", password: pw, command: [X], expect: {{role: primary}}}}");
        let bad = outcome("redis", &text).await;
        assert_eq!(bad.reason.unwrap().message, "expected: role is primary; found: the server does not say");
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("redis", "{host: db, user: a}")[0].contains("`password` is missing"));
        assert!(problems("redis", "{host: db, expect: {value: 1}}")[0].contains("judges the answer to `command`"));
        assert!(problems("redis", "{host: db, expect: {role: boss}}")[0].contains("no role"));
    }
}
