//! `type: redis`: logs in, asks `PING`, one command of the person's and `INFO`.
//!
//! Requests are made and answers are taken apart by the client crate; the connection is ours, and no
//! task of the client's outlives a probe. Servers that speak the protocol (Valkey, KeyDB, Sentinel,
//! Dragonfly) are probed just as well; what they do not say in `INFO` has no series.

use std::time::Duration;

use ::redis::{Cmd, Value};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::Short;
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::login::{Line, Login, USER, io_fault};
use crate::collect::trace::{Trace, phase};
use crate::collect::value::{VALUE, ValueChecks};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Items of an answer that is a list which are shown.
const MAX_ITEMS: usize = 16;

/// A checked `redis` monitor.
#[derive(Debug)]
struct Redis {
    login: Login,
    database: i64,
    command: Vec<Secret<String>>,
    expect: ValueChecks,
    role: Option<(Role, String)>,
    replicas: Option<(u64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Master,
    Replica,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "redis",
    about: "One login to a Redis or Valkey server, and one command.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Server, `name` or `name:port`; port 6379." }),
    flags: &[
        USER,
        &[
            Flag::new("database", "database", Form::One("NUMBER"), "Database to select."),
            Flag::new("command", "command", Form::Many("WORD"), "Command whose answer is judged, word by word."),
            Flag::new("role", "expect.role", Form::One("ROLE"), "`master` or `replica`."),
            Flag::new("replicas", "expect.replicas", Form::One("COUNT"), "Replicas that must be connected at least."),
        ],
        VALUE,
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let login = Login::read(fields, 6379, 6379);
    let database = fields.integer("database", 0..=65_535).unwrap_or(0);
    let command = fields.texts("command");
    let (mut checks, mut role, mut replicas) = (ValueChecks::default(), None, None);
    if let Some(mut expect) = fields.nested_of("expect", "value") {
        checks = ValueChecks::read(&mut expect);
        role = expect.parse("role", "write `role: master` or `role: replica`", |text| match text {
            "master" => Ok((Role::Master, "role is master".to_owned())),
            "replica" | "slave" => Ok((Role::Replica, "role is replica, in touch with its master".to_owned())),
            other => Err(format!("`{other}` is no role")),
        });
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
    let mut login = login?;
    if login.user.is_some() && login.password.is_none() {
        fields.missing("password", "add the user's password, e.g. `password: ${env:REDIS_PASSWORD}`");
    }
    command.iter().for_each(|word| {
        login.mask.add_text(word);
    });
    if fields.cx().error_count() > errors {
        return None;
    }
    let (shown, at) = (login.shown.clone(), login.peer.host().to_owned());
    let command = command.into_iter().map(crate::config::fields::Text::secret).collect();
    let probe = Redis { login, database, command, expect: checks, role, replicas };
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
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut seen = Seen::default();
            let ended = timeout_at(cx.deadline, self.talk(cx, &mut trace, &mut seen)).await;
            let ended = trace.settle(ended, cx.deadline).map(|()| self.judge(&seen));
            let own = self.role.iter().map(|(_, n)| n).chain(self.replicas.iter().map(|(_, n)| n));
            let names = self.expect.names().chain(own.map(String::as_str)).collect();
            self.login.conclude(cx.show, trace, ended, names, seen.samples(), &seen.said)
        })
    }
}

impl Redis {
    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let mut line = self.login.open(cx, trace).await?;
        trace.begin(phase::AUTH);
        if let Some(password) = &self.login.password {
            let mut auth = Cmd::new();
            auth.arg("AUTH");
            if let Some(user) = &self.login.user {
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

    fn judge(&self, seen: &Seen) -> (Judge, String) {
        let mut judge = Judge::default();
        let answer = seen.answer.as_ref().and_then(Option::as_deref);
        self.expect.judge(answer, &mut judge);
        let info = seen.info.as_ref();
        let role = info.and_then(|i| i.get("role"));
        if let Some((want, name)) = &self.role {
            let link = info.and_then(|i| i.get("master_link_status"));
            let ok = match want {
                Role::Master => role == Some("master"),
                Role::Replica => role == Some("slave") && link == Some("up"),
            };
            let seen = match (role, link) {
                (None, _) => "the server does not say".to_owned(),
                (Some("slave"), Some(link)) => format!("replica, link to its master {}", found(link)),
                (Some(role), _) => found(role),
            };
            judge.hold("role", name, ok, seen);
        }
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
        if let Some(role) = role {
            summary += &format!(", {}", found(if role == "slave" { "replica" } else { role }));
        }
        if let Some(answer) = answer {
            summary += &format!(", answer {}", found(answer));
        }
        (judge, summary)
    }
}

/// Sends one command and takes its answer. An error of the server's is an answer.
async fn ask(line: &mut Line, command: &Cmd) -> Result<Value, Fault> {
    let send = async {
        line.write_all(&command.get_packed_command()).await?;
        line.flush().await
    };
    send.await.map_err(|e| io_fault("sending", &e))?;
    // A decoder per answer: without pipelining there is nothing after it.
    let answer = ::redis::parse_redis_value_async(&mut Default::default(), line).await;
    answer.map_err(|e| {
        let doing = "reading the answer";
        if let Some(fault) = line.fault(doing) {
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

    /// The server's name and version: Valkey calls itself Redis for the sake of old clients.
    fn version(&self) -> Option<(&'static str, &str)> {
        match self.get("valkey_version") {
            Some(version) => Some(("Valkey", version)),
            None => Some(("Redis", self.get("redis_version")?)),
        }
    }
}

impl Seen {
    fn samples(&self) -> Vec<Sample> {
        let mut out = Vec::new();
        if let Some(ping) = self.ping {
            out.push(Sample::new("probe_redis_ping_duration_seconds", ping.as_secs_f64()));
        }
        if let Some(n) = self.answer.as_ref().and_then(|a| crate::collect::value::number(a.as_deref()?)) {
            out.push(Sample::new("probe_redis_value", n));
        }
        let Some(info) = &self.info else { return out };
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
        out
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
        assert!(items.iter().any(|(title, text)| title == "the peer said" && text == "7"), "{items:?}");
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
        let text = format!("{{host: \"{at}\", password: pw, command: [X], expect: {{role: master}}}}");
        let bad = outcome("redis", &text).await;
        assert_eq!(bad.reason.unwrap().message, "expected: role is master; found: the server does not say");
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("redis", "{host: db, user: a}")[0].contains("`password` is missing"));
        assert!(problems("redis", "{host: db, expect: {value: 1}}")[0].contains("judges the answer to `command`"));
        assert!(problems("redis", "{host: db, expect: {role: boss}}")[0].contains("no role"));
    }
}
