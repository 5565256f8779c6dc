//! `type: docker`: the containers of one Docker or Podman, over its socket.

pub mod api;

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::timeout_at;

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::time::Timestamp;
use crate::collect::dial::{self, Bounded, Peer, Route};
use crate::collect::docker::api::{Api, Detail, Row, Stats};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, found, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Where Docker listens unless told otherwise.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// Containers that are looked at one by one and have series.
const MAX_CONTAINERS: usize = 500;
/// States as Docker's own series has them: what is neither running nor paused counts as stopped there.
const STATES: [&str; 3] = ["running", "paused", "stopped"];

/// A checked `docker` monitor.
#[derive(Debug)]
struct Docker {
    place: Place,
    stats: bool,
    sound: bool,
    wanted: Vec<Wanted>,
    restarts: Option<(i64, String)>,
    mask: Mask,
}

enum Place {
    Unix(PathBuf),
    Tcp(Box<Peer>, Route, Option<TlsSpec>),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A reference in it may have resolved to a secret.
        f.write_str(match self {
            Self::Unix(_) => "Unix",
            Self::Tcp(..) => "Tcp",
        })
    }
}

/// One line below `expect: {containers: …}`.
#[derive(Debug)]
struct Wanted {
    which: Which,
    what: What,
    name: String,
}

#[derive(Debug)]
enum Which {
    Name(String),
    Label(String, Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Running,
    Healthy,
    Exited,
    Absent,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "docker",
    about: "The containers of a Docker or Podman.",
    operand: Some(Operand::Nothing),
    flags: &[
        &[
            Flag::new("host", "host", Form::One("ADDRESS"), "`unix:///var/run/docker.sock` or `tcp://name:2376`."),
            Flag::new(
                "container",
                "expect.containers.*",
                Form::Pairs('=', "NAME=STATE"),
                "A container (or `label:KEY`) must be `running`, `healthy`, `exited` or `absent`.",
            ),
            Flag::new("restarts-below", "expect.restarts_below", Form::One("COUNT"), "Restarts that none may reach."),
            Flag::new("stats", "stats", Form::Switch("true"), "Ask what each container uses, too."),
        ],
        TLS_ON_DEMAND,
        ROUTE,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("engine_daemon_container_states_containers", "Containers in each state"),
            Metric::gauge("probe_docker_container_running", "1 while a container runs"),
            Metric::gauge("probe_docker_container_healthy", "1 while a container's own check says that it is well"),
            Metric::counter("probe_docker_container_restarts_total", "How often a container was restarted"),
            Metric::gauge("probe_docker_container_exit_code", "What a container last ended with"),
            Metric::gauge("container_spec_memory_limit_bytes", "Memory that a container may use; 0 is no limit"),
            Metric::gauge("container_start_time_seconds", "When a container was started, since 1970"),
            Metric::counter("container_cpu_usage_seconds_total", "Time of processors that a container has used"),
            Metric::gauge(
                "container_memory_usage_bytes",
                "Memory that a container uses, files that are held for it included",
            ),
            Metric::gauge(
                "container_memory_working_set_bytes",
                "Memory that a container uses, without files that could be given up",
            ),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let text = fields.text("host");
    let tls = TlsSpec::read_on_demand(fields, alpn::NONE);
    let route = Route::read(fields);
    let routed = ["ip_version", "resolver", "connect_to"].into_iter().find_map(|key| fields.node(key));
    let address = text.as_ref().map_or(SOCKET, |t| t.value());
    let (place, at) = match (address.strip_prefix("unix://"), address.strip_prefix("tcp://")) {
        (Some(_), _) if let Some(node) = routed => {
            let message = "a socket of this machine is reached without a name or an address";
            fields.error(node.span, Code::Conflict, message, "take the option out");
            (None, None)
        }
        (Some(path), _) if path.starts_with('/') && tls.is_none() => (Some(Place::Unix(PathBuf::from(path))), None),
        (Some(_), _) if tls.is_some() => {
            fields.error(
                fields.head(),
                Code::Conflict,
                "`tls` has no place on a socket of this machine",
                "remove `tls`",
            );
            (None, None)
        }
        (_, Some(name)) => {
            let port = if tls.is_some() { 2376 } else { 2375 };
            let peer = Peer::parse(name).or_else(|_| Peer::new(name, port)).ok();
            let at = peer.as_ref().map(|p| p.host().to_owned());
            (peer.map(|peer| Place::Tcp(Box::new(peer), route, tls)), at)
        }
        _ => (None, None),
    };
    if let (None, Some(text)) = (&place, &text)
        && fields.cx().error_count() == errors
    {
        let message = format!("`{}` is no address of a Docker", text.shown());
        fields.error(text.span, Code::BadValue, message, "write `unix:///path` or `tcp://name:port`");
    }
    if let Some(text) = &text {
        mask.add_text(text);
    }
    let stats = fields.bool("stats").unwrap_or(false);
    let (mut sound, mut wanted, mut restarts) = (true, Vec::new(), None);
    if let Some(mut own) = fields.nested_of("expect", "containers") {
        sound = own.bool("sound").unwrap_or(true);
        wanted = read_wanted(&mut own);
        restarts = own.integer("restarts_below", 1..=1_000_000).map(|n| (n, format!("restarts below {n}")));
        own.finish();
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let shown = text.map_or_else(|| SOCKET.to_owned(), |t| t.shown().to_owned());
    let probe = Docker { place: place?, stats, sound, wanted, restarts, mask };
    let probe = Probe::new("docker", shown, probe);
    Some(match at {
        Some(at) => probe.at(&at),
        None => probe,
    })
}

fn read_wanted(own: &mut Fields<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (entry, text) in own.pairs("containers") {
        let what = match text.value() {
            "running" => What::Running,
            "healthy" => What::Healthy,
            "exited" => What::Exited,
            "absent" => What::Absent,
            _ => {
                let message = format!("`{}` is no state of a container", text.shown());
                own.error(text.span, Code::BadValue, message, "write `running`, `healthy`, `exited` or `absent`");
                continue;
            }
        };
        let which = match entry.key.strip_prefix("label:") {
            Some(label) => match label.split_once('=') {
                Some((key, value)) => Which::Label(key.to_owned(), Some(value.to_owned())),
                None => Which::Label(label.to_owned(), None),
            },
            None => Which::Name(entry.key.trim_start_matches('/').to_owned()),
        };
        wanted.push(Wanted { which, what, name: format!("`{}` is {}", found(&entry.key), text.value()) });
    }
    wanted
}

impl Which {
    fn is(&self, row: &Row) -> bool {
        match self {
            Self::Name(name) => row.names.iter().any(|n| n.trim_start_matches('/') == name),
            Self::Label(key, value) => {
                let seen = row.labels.as_ref().and_then(|labels| labels.get(key));
                seen.is_some_and(|seen| value.as_ref().is_none_or(|v| v == seen))
            }
        }
    }
}

impl What {
    fn holds(self, row: &Row) -> bool {
        match self {
            // One without a health check says nothing of its health, so it is not known to be healthy.
            Self::Healthy => row.state == "running" && row.health() == Some("healthy"),
            Self::Running => row.state == "running",
            Self::Exited => row.state == "exited",
            Self::Absent => false,
        }
    }
}

/// One container.
#[derive(Debug)]
struct Container {
    row: Row,
    detail: Option<Detail>,
    stats: Option<Stats>,
}

impl Collector for Docker {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut seen = Vec::new();
            let ended = timeout_at(cx.deadline, Box::pin(self.talk(cx, &mut trace, &mut seen))).await;
            let listed = matches!(ended, Ok(Ok(()))) || !seen.is_empty();
            let mut outcome = match trace.settle(ended, cx.deadline) {
                Ok(()) => self.judge(&seen),
                Err(fault) => {
                    trace.fail();
                    let mut outcome = fault.outcome();
                    outcome.checks = unjudged(self.names());
                    outcome
                }
            };
            if let Place::Tcp(..) = self.place {
                trace.network_samples(&mut outcome.samples);
            }
            if listed {
                outcome.samples.extend(samples(&seen));
            }
            if outcome.verdict != Verdict::Up || cx.show {
                outcome.evidence = Some(self.evidence(&trace, &seen));
            }
            outcome.phases = trace.take_phases();
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl Docker {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|w| w.name.as_str()).chain(self.restarts.iter().map(|(_, n)| n.as_str()))
    }

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Vec<Container>) -> Result<(), Fault> {
        match &self.place {
            Place::Unix(path) => {
                if let Some(why) = cx.policy.refuses_socket(&path.to_string_lossy()) {
                    return Err(Fault::blocked(why));
                }
                trace.begin(phase::CONNECT);
                let stream = UnixStream::connect(path).await.map_err(|e| match e.kind() {
                    std::io::ErrorKind::NotFound => {
                        Fault::target("absent", format!("there is no socket `{}`", path.display()))
                    }
                    _ => Fault::io(&format!("connecting to `{}`", path.display()), &e),
                })?;
                let stream = Bounded::new(stream, cx);
                self.ask(Api::over(stream, "localhost".to_owned()).await?, trace, seen).await
            }
            Place::Tcp(peer, route, None) => {
                let stream = dial::open_by(peer, route, cx, trace).await?;
                self.ask(Api::over(stream, peer.to_string()).await?, trace, seen).await
            }
            Place::Tcp(peer, route, Some(tls)) => {
                let stream = dial::open_by(peer, route, cx, trace).await?;
                let stream = tls.handshake(stream, peer, cx.now, trace).await?;
                self.ask(Api::over(stream, peer.to_string()).await?, trace, seen).await
            }
        }
    }

    async fn ask<S>(&self, mut api: Api<S>, trace: &mut Trace, seen: &mut Vec<Container>) -> Result<(), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let rows = api.list(trace).await?;
        seen.extend(rows.into_iter().map(|row| Container { row, detail: None, stats: None }));
        for container in seen.iter_mut().take(MAX_CONTAINERS) {
            container.detail = api.detail(&container.row.id, trace).await?;
            if self.stats && container.row.state == "running" {
                container.stats = api.stats(&container.row.id, trace).await?;
            }
        }
        Ok(())
    }

    fn judge(&self, seen: &[Container]) -> Outcome {
        let mut judge = Judge::default();
        for wanted in &self.wanted {
            let mut matching = seen.iter().filter(|c| wanted.which.is(&c.row)).peekable();
            if matching.peek().is_none() {
                judge.hold("container", &wanted.name, wanted.what == What::Absent, "no such container");
                continue;
            }
            // Of several with a label every one counts.
            let bad = matching.find(|c| !wanted.what.holds(&c.row));
            judge.hold("container", &wanted.name, bad.is_none(), bad.map_or_else(String::new, Container::told));
        }
        if let Some((limit, name)) = &self.restarts {
            let most = seen.iter().filter_map(|c| Some((c.detail.as_ref()?.restart_count, c))).max_by_key(|(n, _)| *n);
            let ok = most.is_none_or(|(n, _)| n < *limit);
            let told = most.map_or_else(String::new, |(n, c)| format!("{}: {n} restarts", found(c.row.name())));
            judge.hold("restarts", name, ok, if ok { String::new() } else { told });
        }
        if self.sound {
            let sick = |c: &&Container| {
                matches!(c.row.state.as_str(), "restarting" | "dead") || c.row.health() == Some("unhealthy")
            };
            for container in seen.iter().filter(sick) {
                judge.fail("container", container.told());
            }
        }
        let running = seen.iter().filter(|c| c.row.state == "running").count();
        let plural = if seen.len() == 1 { "" } else { "s" };
        judge.outcome(format!("{} container{plural}, {running} running", seen.len()))
    }

    fn evidence(&self, trace: &Trace, seen: &[Container]) -> Evidence {
        let target = match &self.place {
            Place::Unix(path) => format!("unix://{}", path.display()),
            Place::Tcp(peer, ..) => format!("tcp://{peer}"),
        };
        let mut items = vec![("target".into(), target)];
        if let Some(cert) = &trace.cert {
            items.push(("certificate".into(), cert.describe()));
        }
        if !seen.is_empty() {
            let lines: Vec<String> = seen.iter().take(50).map(Container::told).collect();
            items.push(("containers".into(), lines.join("\n")));
        }
        Evidence { items }
    }
}

impl Container {
    /// `web: exited, code 137 (out of memory)`.
    fn told(&self) -> String {
        let mut text = format!("{}: {}", found(self.row.name()), found(&self.row.state));
        if let Some(health) = self.row.health() {
            text += &format!(", {health}");
        }
        if let Some(detail) = self.detail.as_ref().filter(|_| self.row.state != "running") {
            text += &format!(", code {}", detail.state.exit_code);
            if detail.state.oom_killed {
                text += " (out of memory)";
            }
        }
        text
    }
}

/// cAdvisor's series where it has them. Containers beyond the limit are only counted.
fn samples(seen: &[Container]) -> Vec<Sample> {
    let mut out = Vec::new();
    for state in STATES {
        let counted_as = |c: &Container| match c.row.state.as_str() {
            "running" => "running",
            "paused" => "paused",
            _ => "stopped",
        };
        let count = seen.iter().filter(|c| counted_as(c) == state).count();
        out.push(Sample::new("engine_daemon_container_states_containers", count as f64).label("state", state));
    }
    for container in seen.iter().take(MAX_CONTAINERS) {
        let row = &container.row;
        let mut push = |name: &'static str, value: f64| {
            out.push(Sample::new(name, value).label("name", found(row.name())).label("image", found(&row.image)));
        };
        let flag = |yes: bool| f64::from(u8::from(yes));
        push("probe_docker_container_running", flag(row.state == "running"));
        if let Some(health) = row.health() {
            push("probe_docker_container_healthy", flag(health == "healthy"));
        }
        if let Some(detail) = &container.detail {
            push("probe_docker_container_restarts_total", detail.restart_count as f64);
            push("probe_docker_container_exit_code", detail.state.exit_code as f64);
            push("container_spec_memory_limit_bytes", detail.host_config.memory as f64);
            if let Ok(at) = Timestamp::parse(&detail.state.started_at)
                && at.millis() > 0
            {
                push("container_start_time_seconds", at.millis() as f64 / 1000.0);
            }
        }
        if let Some(stats) = &container.stats {
            push("container_cpu_usage_seconds_total", stats.cpu_stats.cpu_usage.total_usage as f64 / 1e9);
            push("container_memory_usage_bytes", stats.memory_stats.usage as f64);
            push("container_memory_working_set_bytes", stats.memory_stats.working_set() as f64);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    const LIST: &str = r#"[
        {"Id": "aa11", "Names": ["/web"], "Image": "nginx:1", "State": "running", "Status": "Up 2 hours (healthy)",
         "Labels": {"role": "front"}},
        {"Id": "bb22", "Names": ["/db"], "Image": "postgres:16", "State": "running", "Status": "Up 2 hours",
         "Labels": {"role": "back"}},
        {"Id": "cc33", "Names": ["/job"], "Image": "busybox", "State": "exited", "Status": "Exited (137) 1 hour ago",
         "Labels": null}]"#;
    const SICK: &str = r#"[{"Id": "dd44", "Names": ["/sick"], "Image": "x", "State": "running",
        "Status": "Up 1 hour (unhealthy)"}]"#;
    const DETAIL: &str = r#"{"RestartCount": 3, "HostConfig": {"Memory": 1048576},
        "State": {"ExitCode": 137, "OOMKilled": true, "StartedAt": "2026-01-01T00:00:00.123456789Z"}}"#;
    const STATS: &str = r#"{"cpu_stats": {"cpu_usage": {"total_usage": 1500000000}},
        "memory_stats": {"usage": 4096, "stats": {"inactive_file": 1024}}}"#;

    /// A Docker that has these containers, on a socket in a directory of its own.
    fn docker(list: &'static str) -> (String, TempDir, JoinSet<()>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((mut s, _)) = listener.accept().await {
                talks.spawn(async move {
                    let mut told = vec![0; 4096];
                    while let Ok(n @ 1..) = s.read(&mut told).await {
                        let question = String::from_utf8_lossy(&told[..n]).into_owned();
                        let body = match question.split(' ').nth(1).unwrap_or("") {
                            "/containers/json?all=1" => list,
                            path if path.contains("/stats?") => STATS,
                            _ => DETAIL,
                        };
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                        if s.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        (format!("unix://{}", path.display()), dir, tasks)
    }

    #[tokio::test]
    async fn containers_are_judged_by_name_and_label() {
        let (at, _dir, _tasks) = docker(LIST);
        for (expect, want) in [
            ("{}", ""),
            ("{containers: {web: healthy, db: running, job: exited, ghost: absent}}", ""),
            ("{containers: {\"label:role\": running, \"label:role=front\": healthy}}", ""),
            ("{containers: {db: healthy}}", "container"),
            ("{containers: {job: running}}", "container"),
            ("{containers: {ghost: running}}", "container"),
            ("{containers: {web: absent}}", "container"),
            ("{restarts_below: 4}", ""),
            ("{restarts_below: 3}", "restarts"),
        ] {
            let got = outcome("docker", &format!("{{host: '{at}', stats: true, expect: {expect}}}")).await;
            assert_eq!(got.reason.as_ref().map_or("", |r| &r.class), want, "{expect}: {got:?}");
        }
        // A success brings what it saw when somebody may want to compare a failure with it.
        let cx = crate::base::probe::ProbeCx { show: true, ..context(Duration::from_secs(5)) };
        let shown = build("docker", &format!("{{host: '{at}'}}")).0.unwrap().collector.probe(&cx).await;
        assert!(shown.evidence.unwrap().items.iter().any(|(title, _)| title == "containers"));
        let got = outcome("docker", &format!("{{host: '{at}', stats: true}}")).await;
        assert_eq!(got.summary, "3 containers, 2 running");
        let value = |name: &str| got.samples.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name}")).value;
        assert_eq!(value("container_cpu_usage_seconds_total"), 1.5);
        assert_eq!(value("container_memory_working_set_bytes"), 3072.0);
        assert_eq!(value("probe_docker_container_restarts_total"), 3.0);
        let states = |got: &Outcome| {
            let all = got.samples.iter().filter(|s| s.name == "engine_daemon_container_states_containers");
            all.map(|s| (s.labels[0].1.clone(), s.value)).collect::<Vec<_>>()
        };
        let own = |n: [f64; 3]| [("running".into(), n[0]), ("paused".into(), n[1]), ("stopped".into(), n[2])];
        assert_eq!(states(&got), own([2.0, 0.0, 1.0]));
        let (empty, _dir, _tasks) = docker("[]");
        assert_eq!(states(&outcome("docker", &format!("{{host: '{empty}'}}")).await), own([0.0; 3]));
        let bad = outcome("docker", &format!("{{host: '{at}', expect: {{containers: {{job: running}}}}}}")).await;
        assert!(bad.reason.unwrap().message.contains("job: exited, code 137 (out of memory)"));
    }

    #[tokio::test]
    async fn a_sick_container_is_down_unless_that_is_allowed() {
        let (at, _dir, _tasks) = docker(SICK);
        assert_eq!(outcome("docker", &format!("{{host: '{at}'}}")).await.verdict, Verdict::Down);
        let allowed = format!("{{host: '{at}', expect: {{sound: false}}}}");
        assert_eq!(outcome("docker", &allowed).await.verdict, Verdict::Up);
    }

    #[tokio::test]
    async fn hostile_sockets_have_their_class() {
        for (list, want) in [("[{\"Id\": 7}]", "protocol_error"), ("<html>", "protocol_error")] {
            let (at, _dir, _tasks) = docker(list);
            assert_eq!(outcome("docker", &format!("{{host: '{at}'}}")).await.reason.unwrap().class, want);
        }
        let large: &'static str = Box::leak(" ".repeat(5 << 20).into_boxed_str());
        let (at, dir, _tasks) = docker(large);
        assert_eq!(outcome("docker", &format!("{{host: '{at}'}}")).await.reason.unwrap().class, "too_large");
        let gone = dir.path().join("gone");
        let text = format!("{{host: 'unix://{}'}}", gone.display());
        assert_eq!(outcome("docker", &text).await.reason.unwrap().class, "absent");
        let silent = UnixListener::bind(&gone).unwrap();
        let cx = context(Duration::from_millis(200));
        let got = build("docker", &text).0.unwrap().collector.probe(&cx).await;
        assert_eq!(got.reason.unwrap().class, "timeout");
        drop(silent);
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("docker", "{host: docker.sock}")[0].contains("no address of a Docker"));
        assert!(problems("docker", "{host: 'unix:///x', tls: true}")[0].contains("no place"));
        assert!(problems("docker", "{ip_version: 4}")[0].contains("without a name"));
        assert!(problems("docker", "{expect: {containers: {web: fine}}}")[0].contains("no state of a container"));
    }
}
