//! What every collector and notifier promises: the deadline holds, dropping is safe, hostile input
//! gets the right verdict and no secret leaves.

mod cases;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use watchdog::base::clock::Clock;
use watchdog::base::failure::Chain;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Status};
use watchdog::base::notification::{Delivery, Notification, NotifiedAlert};
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::probe::ProbeCx;
use watchdog::base::time::Timestamp;
use watchdog::config::catalog::{Catalog, Probe};
use watchdog::config::fields::{Cx, Fields, Resolver};
use watchdog::config::model::Server;
use watchdog::config::report::Source;
use watchdog::config::yaml;
use watchdog::engine::kinds::Kinds;
use watchdog::task::supervisor::Supervisor;

use crate::contract::cases::{DEADLINE, DELIVERIES, DROPPED, NO_TIME, SECRET, UNKNOWN, has_peer};
use crate::evil::Evil;
use crate::evil::tls::{Authority, TlsServer, self_signed};

/// How far past its deadline a probe may come back; two busy processors need some.
const SLACK: Duration = Duration::from_millis(300);

struct Fake;

impl Resolver for Fake {
    fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
        Ok(format!("resolved-{name}"))
    }
}

fn fields<T>(text: &str, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> T {
    let root = yaml::parse(text).0.unwrap();
    let cx = Cx::new(Source::new("test.yaml", text), &Fake);
    let mut fields = Fields::of(&cx, &root).unwrap();
    let made = read(&mut fields);
    fields.finish();
    assert_eq!(cx.into_problems(), [], "{text}");
    made.unwrap()
}

fn probe(kind: &str, text: &str) -> Probe {
    fields(text, |f| Kinds.monitor(kind, f))
}

fn context(limit: Duration) -> ProbeCx {
    ProbeCx::new(Instant::now() + limit, Clock::system().now())
}

async fn run(kind: &str, text: &str, limit: Duration) -> Outcome {
    run_until(kind, text, Instant::now() + limit).await
}

async fn run_until(kind: &str, text: &str, deadline: Instant) -> Outcome {
    let probe = probe(kind, text);
    let cx = ProbeCx::new(deadline, Clock::system().now());
    let outcome = probe.collector.probe(&cx).await;
    assert!(Instant::now() <= cx.deadline + SLACK, "{text}: late");
    outcome
}

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_get_the_right_verdict() {
    let evil = Evil::start().await;
    let limit = Duration::from_secs(5);
    for (path, more, want) in [
        ("/bomb", "", (Verdict::Down, "decode_limit")),
        ("/gzip-gzip", "", (Verdict::Down, "decode_limit")),
        ("/gzip", ", expect: {json: {\"$.db.status\": up}}", (Verdict::Up, "")),
        ("/bomb-br", "", (Verdict::Down, "decode_limit")),
        ("/bomb-br", ", max_body: 16MiB", (Verdict::Down, "decode_limit")),
        ("/br-br", "", (Verdict::Down, "decode_limit")),
        ("/br", ", compression: br, expect: {json: {\"$.db.status\": up}}", (Verdict::Up, "")),
        ("/br-cut", "", (Verdict::Down, "decode")),
        ("/br-and-more", "", (Verdict::Down, "decode")),
        ("/endless", "", (Verdict::Up, "")),
        ("/endless", ", max_body: 16MiB", (Verdict::Up, "")),
        ("/bad-length", "", (Verdict::Down, "protocol_error")),
        ("/two-lengths", "", (Verdict::Down, "protocol_error")),
        ("/negative-length", "", (Verdict::Down, "protocol_error")),
        ("/bad-chunk", "", (Verdict::Down, "protocol_error")),
        ("/short", "", (Verdict::Down, "connection_closed")),
        ("/not-http", "", (Verdict::Down, "protocol_error")),
        ("/nothing", "", (Verdict::Down, "connection_closed")),
        ("/folded", "", (Verdict::Down, "protocol_error")),
        ("/control-in-reason", "", (Verdict::Down, "protocol_error")),
        ("/100k-headers", "", (Verdict::Down, "too_many_headers")),
        ("/1mb-header", "", (Verdict::Down, "too_many_headers")),
        ("/reset", "", (Verdict::Down, "connection_reset")),
        ("/loop", "", (Verdict::Down, "redirect_loop")),
        ("/chain/10", "", (Verdict::Up, "")),
        ("/chain/11", "", (Verdict::Down, "redirect_limit")),
        ("/chain/11", ", redirects: 0, expect: {status: 302}", (Verdict::Up, "")),
        ("/to-file", "", (Verdict::Down, "redirect_target")),
        ("/as", ", expect: {body: {matches: '(a+)+$'}}", (Verdict::Up, "")),
        ("/deep-json", ", expect: {json: {\"$.x\": 1}}", (Verdict::Down, "json")),
        ("/as-then-b", ", expect: {body: {matches: '(a+)+$'}}", (Verdict::Down, "body")),
        ("/nested-json", ", expect: {json: {\"$..a..a..a\": 1}}", (Verdict::Down, "json")),
        ("/slow-chain/3", "", (Verdict::Up, "")),
        ("/bomb-zlib", "", (Verdict::Down, "decode_limit")),
        ("/bomb-raw", "", (Verdict::Down, "decode_limit")),
        ("/gzip-twice", "", (Verdict::Down, "decode_limit")),
        // What is done to the transfer and not undone here is no text.
        ("/gzip-in-transfer", ", expect: {body: {contains: hello}}", (Verdict::Down, "body")),
        ("/headers/100", "", (Verdict::Up, "")),
        ("/headers/101", "", (Verdict::Down, "too_many_headers")),
        ("/header-flood", "", (Verdict::Down, "too_many_headers")),
        ("/length-and-chunks", ", expect: {body: {matches: '^hello$'}}", (Verdict::Up, "")),
        ("/chunked-twice", "", (Verdict::Down, "protocol_error")),
        ("/nul-in-header", "", (Verdict::Down, "protocol_error")),
    ] {
        let got = run("http", &format!("{{url: \"{}\"{more}}}", evil.url(path)), limit).await;
        assert_eq!((got.verdict, class(&got)), want, "{path}: {:?}", got.reason);
        assert_eq!(got.evidence.is_some(), want.0 != Verdict::Up, "{path}");
        let bytes: usize = got.evidence.iter().flat_map(|e| &e.items).map(|(_, text)| text.len()).sum();
        assert!(bytes < 32 * 1024, "{path}: evidence of {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_expositions_store_nothing_but_that_they_failed() {
    let evil = Evil::start().await;
    for (path, more, want) in [
        ("/bomb", "", "decode_limit"),
        ("/bomb-br", "", "decode_limit"),
        ("/gzip-gzip", "", "decode_limit"),
        ("/endless", ", body_size_limit: 1MiB", "body_size_limit"),
        ("/bad-chunk", "", "protocol_error"),
        ("/short", "", "connection_closed"),
        ("/not-http", "", "protocol_error"),
        ("/1mb-header", "", "too_many_headers"),
        ("/reset", "", "connection_reset"),
        ("/chain/9", "", "content_type"),
        ("/chain/10", "", "redirect_limit"),
        ("/to-file", "", "redirect_target"),
        ("/as", ", fallback_scrape_protocol: PrometheusText0.0.4", "exposition"),
        ("/as", ", fallback_scrape_protocol: PrometheusProto", "exposition"),
    ] {
        let text = format!("{{url: \"{}\"{more}}}", evil.url(path));
        let got = run("prometheus", &text, Duration::from_secs(5)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, want), "{path}: {:?}", got.reason);
        let series = got.series.unwrap();
        let samples: Vec<_> = series.batches.iter().flat_map(watchdog::base::batch::Batch::iter).collect();
        assert_eq!(samples.len(), 5, "{path}: `up` and its like");
        assert!(samples[0].0.contains("up") && samples[0].1[0].1 == 0.0, "{path}");
        let bytes: usize = got.evidence.iter().flat_map(|e| &e.items).map(|(_, text)| text.len()).sum();
        assert!(bytes < 32 * 1024, "{path}: evidence of {bytes} bytes");
    }
}

/// What stands behind the words of the tables.
struct Peers {
    evil: Evil,
    /// Takes connections, for nobody.
    hole: TcpListener,
    mute: UdpSocket,
    tls: u16,
    dir: tempfile::TempDir,
    _kept: (UnixListener, Authority, TlsServer),
}

impl Peers {
    async fn start() -> Self {
        let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixListener::bind(dir.path().join("s")).unwrap();
        let ca = Authority::new();
        let server = ca.server("localhost", "x", (2999, 1, 1)).await;
        std::fs::copy(ca.file.path(), dir.path().join("ca.pem")).unwrap();
        let peers = Self {
            evil: Evil::start().await,
            mute: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            tls: server.port,
            dir,
            _kept: (socket, ca, server),
            hole,
        };
        std::fs::write(peers.dir.path().join("token"), "resolved-TOKEN\n").unwrap();
        peers.cluster_at(peers.hole.local_addr().unwrap());
        peers.write_cluster("echo-kubeconfig", &format!("{}/echo", peers.evil.at));
        peers
    }

    /// Makes the kubeconfig lead there.
    fn cluster_at(&self, at: SocketAddr) {
        self.write_cluster("kubeconfig", &at.to_string());
    }

    fn write_cluster(&self, file: &str, at: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{at}'}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             users: [{{name: u, user: {{token: resolved-TOKEN}}}}]\n"
        );
        std::fs::write(self.dir.path().join(file), text).unwrap();
    }

    /// The options with the words replaced.
    fn fill(&self, text: &str) -> String {
        self.fill_with(text, self.hole.local_addr().unwrap(), self.mute.local_addr().unwrap(), "s")
    }

    fn fill_with(&self, text: &str, hole: SocketAddr, mute: SocketAddr, socket: &str) -> String {
        text.replace("EVIL", &self.evil.at)
            .replace("HOLE", &hole.to_string())
            .replace("MUTE", &mute.to_string())
            .replace("DIR/s,", &format!("DIR/{socket},"))
            .replace("DIR", &self.dir.path().display().to_string())
            .replace("TLS", &self.tls.to_string())
            .replace("LONG", &"a".repeat(64))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_deadline_covers_hops_steps_name_servers_and_proxies() {
    let evil = Evil::start().await;
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hole = hole.local_addr().unwrap();
    let mute = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mute = mute.local_addr().unwrap();
    let step = "{url: /slow-chain/0}";
    let limit = Duration::from_millis(300);
    // Each part alone takes less than the limit.
    for (text, want) in [
        (format!("url: \"{}\"", evil.url("/slow-chain/9")), (Verdict::Down, "timeout")),
        (
            format!("url: \"{}\", steps: [{step}, {step}, {step}, {step}, {step}]", evil.url("")),
            (Verdict::Down, "timeout"),
        ),
        (format!("url: \"http://a.example/\", resolver: \"{mute}\""), (Verdict::Down, "timeout")),
        (format!("url: \"http://a.example/\", proxy: \"http://{hole}\""), (Verdict::Down, "timeout")),
        (format!("url: \"https://a.example/\", proxy: \"http://{hole}\""), (Verdict::Down, "timeout")),
        (format!("url: \"http://a.example/\", proxy: \"socks5://{hole}\""), (Verdict::Down, "timeout")),
        (format!("url: \"http://a.example/\", proxy: \"https://{hole}\""), (Verdict::Down, "timeout")),
    ] {
        let probe = probe("http", &format!("{{{text}}}"));
        let start = Instant::now();
        let got = probe.collector.probe(&context(limit)).await;
        let took = start.elapsed();
        assert_eq!((got.verdict, class(&got)), want, "{text}: {got:?}");
        assert!(took + Duration::from_millis(20) >= limit && took < limit + SLACK, "{text}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_never_ends_ends_at_the_deadline_and_says_where() {
    let peers = Peers::start().await;
    let rows = DEADLINE.iter().map(|row| (row, true)).chain(NO_TIME.iter().map(|row| (row, false)));
    let mut wrong = Vec::new();
    for ((kind, text, phase), time) in rows {
        let text = peers.fill(text);
        // Timers count milliseconds: over is what lies well back.
        let now = Instant::now();
        let deadline = if time { now + Duration::from_millis(300) } else { now - Duration::from_millis(50) };
        let got = run_until(kind, &text, deadline).await;
        let failed: Vec<_> = got.phases.iter().filter(|p| p.failed).map(|p| &*p.name).collect();
        let want = unknown_class(kind).map_or((Verdict::Down, "timeout"), |class| (Verdict::Unknown, class));
        let judged = got.checks.iter().any(|c| c.ok.is_some());
        if (got.verdict, class(&got)) != want || failed.concat() != *phase || judged {
            wrong.push(format!("{kind} {text}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The class of what goes wrong where it says nothing of the target.
fn unknown_class(kind: &str) -> Option<&'static str> {
    UNKNOWN.iter().find(|(name, _)| *name == kind).map(|(_, class)| *class)
}

/// What a peer does with whoever connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ill {
    Closes,
    Garbage,
    Floods,
}

/// Bytes that are no text and no protocol, the same each time.
fn garbage() -> Vec<u8> {
    (0..4_096_u32).map(|i| 0x80 | (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn ill(mut stream: impl AsyncWrite + Unpin, how: Ill) {
    // Whoever hangs up has seen enough.
    match how {
        Ill::Closes => {}
        Ill::Garbage => drop(stream.write_all(&garbage()).await),
        Ill::Floods => while stream.write_all(&garbage()).await.is_ok() {},
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_peer_makes_a_kind_say_more_than_that_it_is_down() {
    let peers = Peers::start().await;
    let mut wrong = Vec::new();
    for how in [Ill::Closes, Ill::Garbage, Ill::Floods] {
        let mut tasks = Supervisor::new(&CancellationToken::new());
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let name = format!("{how:?}");
        let unix = UnixListener::bind(peers.dir.path().join(&name)).unwrap();
        let (at, udp_at) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
        peers.cluster_at(at);
        tasks.add("tcp", |stop| async move {
            let mut talks = Supervisor::new(&stop);
            while let Ok((stream, _)) = tcp.accept().await {
                talks.reap();
                talks.add("talk", |_| ill(stream, how));
            }
        });
        tasks.add("unix", |stop| async move {
            let mut talks = Supervisor::new(&stop);
            while let Ok((stream, _)) = unix.accept().await {
                talks.add("talk", |_| ill(stream, how));
            }
        });
        tasks.add("udp", |_| async move {
            let mut asked = [0; 2_048];
            while let Ok((_, from)) = udp.recv_from(&mut asked).await {
                if how != Ill::Closes {
                    let _ = udp.send_to(&garbage()[..1_024], from).await;
                }
            }
        });
        for (kind, text, _) in DEADLINE.iter().filter(|row| has_peer(row.1)) {
            let text = peers.fill_with(text, at, udp_at, &name);
            let got = run(kind, &text, Duration::from_millis(1_500)).await;
            let fine = match unknown_class(kind) {
                Some(unknown) => (got.verdict, class(&got)) == (Verdict::Unknown, unknown),
                None => got.verdict == Verdict::Down && !class(&got).is_empty(),
            };
            let bytes: usize = got.evidence.iter().flat_map(|e| &e.items).map(|(_, text)| text.len()).sum();
            if !fine || bytes >= 32 * 1024 {
                wrong.push(format!(
                    "{how:?} {kind} {text}: evidence of {bytes} bytes, {:?} {:?}",
                    got.verdict, got.reason
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Set where the test below runs in a process of its own.
const ALONE: &str = "WATCHDOG_TEST_ALONE";

/// Open files and child processes of this process, zombies included.
fn held() -> (usize, usize) {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    (files, children.map(|list| list.split_whitespace().count()).sum())
}

#[test]
fn a_dropped_probe_leaves_nothing_behind_and_nothing_in_the_way() {
    // Other tests open files meanwhile, so what is counted is counted in another process.
    let this = std::env::current_exe().unwrap();
    let name = "contract::probes_are_dropped_at_many_moments";
    let out = std::process::Command::new(this).args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_dropped_at_many_moments() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let peers = Peers::start().await;
    let limit = Duration::from_millis(700);
    let mut wrong = Vec::new();
    for (kind, text, ()) in DROPPED {
        let text = peers.fill(text);
        let probe = probe(kind, &text);
        let before = probe.collector.probe(&context(limit)).await;
        let held_before = held();
        for micros in (0..4_000).step_by(400) {
            let cx = context(limit);
            let _ = timeout(Duration::from_micros(micros), probe.collector.probe(&cx)).await;
        }
        // Nothing of those that were dropped stands in the way of the next.
        let after = probe.collector.probe(&context(limit)).await;
        if (after.verdict, class(&after)) != (before.verdict, class(&before)) {
            wrong.push(format!("{kind} {text}: {before:?} became {after:?}"));
        }
        let gone = async {
            while held().0 > held_before.0 || held().1 > held_before.1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Connections are closed, and processes reaped, a moment after.
        if timeout(Duration::from_secs(10), gone).await.is_err() {
            wrong.push(format!("{kind} {text}: files and processes were {held_before:?} and are {:?}", held()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_part_of_an_outcome() {
    let peers = Peers::start().await;
    let mut wrong = Vec::new();
    for (kind, text, ()) in SECRET {
        let text = peers.fill(text);
        let probe = probe(kind, &text);
        // The name of a machine is what policy and limits go by; only what is shown of it is masked.
        if format!("{probe:?}").contains("resolved-TOKEN") && !text.contains("host: \"aaa") {
            wrong.push(format!("{text}: {probe:?}"));
        }
        let got = probe.collector.probe(&context(Duration::from_millis(800))).await;
        let targets = got.series.as_ref().map(|series| series.job.targets());
        let shown = format!("{got:?} {targets:?}");
        // The last is `u:resolved-TOKEN` as it travels.
        let secrets = ["resolved-TO", "resolved-<TOKEN", "resolved-%3CTOKEN", "dTpyZXNvbHZlZC1UT0tFTg"];
        // Nobody has told a webhook of anything bad.
        let untried = got.verdict == Verdict::Up && *kind != "webhook";
        if untried || secrets.iter().any(|secret| shown.contains(secret)) {
            wrong.push(format!("{text}: {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let (first, second) = (Evil::start().await, Evil::start().await);
    let text = format!(
        "{{url: \"{}\", headers: {{Authorization: Bearer abcdefgh, Cookie: a=b, X-Key: \"${{env:K}}\", X-Open: yes}}}}",
        first.url(&format!("/to/{}/chain/0", second.at))
    );
    assert_eq!(run("http", &text, Duration::from_secs(5)).await.verdict, Verdict::Up);
    let sent = second.seen.lock().unwrap().join("\n").to_lowercase();
    assert!(sent.contains("x-open: yes"), "{sent}");
    for secret in ["authorization", "cookie", "x-key"] {
        assert!(!sent.contains(secret), "{sent}");
    }
    assert!(first.seen.lock().unwrap()[0].to_lowercase().contains("authorization: bearer abcdefgh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_judged_and_shown() {
    let ca = Authority::new();
    let file = ca.file.path().display();
    let limit = Duration::from_secs(5);
    let good = ca.server("localhost", "fine", (2999, 1, 1)).await;
    let old = ca.server("localhost", "\u{1b}]0;owned\u{7}\u{9b}2J", (2021, 1, 1)).await;
    let other = ca.server("other.example", "other", (2999, 1, 1)).await;
    for (port, more, want) in [
        (good.port, format!("tls: {{ca_file: {file}}}"), (Verdict::Up, "")),
        (good.port, "tls: {verify: false}".to_owned(), (Verdict::Up, "")),
        (good.port, "redirects: 3".to_owned(), (Verdict::Down, "cert_untrusted")),
        (good.port, format!("tls: {{ca_file: {file}, server_name: else.example}}"), (Verdict::Down, "cert_name")),
        (old.port, format!("tls: {{ca_file: {file}}}"), (Verdict::Down, "cert_expired")),
        (old.port, "tls: {verify: false}, expect: {cert: {valid_for: 14d}}".to_owned(), (Verdict::Down, "cert")),
        (other.port, format!("tls: {{ca_file: {file}}}"), (Verdict::Down, "cert_name")),
        (other.port, format!("tls: {{ca_file: {file}, server_name: other.example}}"), (Verdict::Up, "")),
        (good.port, "tls: {ca_file: /does/not/exist}".to_owned(), (Verdict::Unknown, "local_ca")),
    ] {
        let got = run("http", &format!("{{url: \"https://localhost:{port}/\", {more}}}"), limit).await;
        assert_eq!((got.verdict, class(&got)), want, "{more}: {:?}", got.reason);
        assert!(got.samples.iter().any(|s| s.name == "probe_ssl_earliest_cert_expiry"), "{more}");
        assert!(got.phases.iter().any(|p| p.name == "tls"), "{more}");
        if want.0 != Verdict::Up {
            let evidence = got.evidence.unwrap();
            assert!(evidence.items.iter().any(|(title, _)| title == "certificate"), "{more}");
        }
    }
    for (tls, want) in [
        (format!("{{ca_file: {file}}}"), (Verdict::Up, "")),
        ("true".to_owned(), (Verdict::Down, "cert_untrusted")),
        ("{verify: false}".to_owned(), (Verdict::Up, "")),
    ] {
        let text = format!(
            "{{host: \"localhost:{}\", tls: {tls}, send: \"GET / HTTP/1.0\\r\\n\\r\\n\", expect: {{matches: 'ok$'}}}}",
            good.port
        );
        let got = run("tcp", &text, limit).await;
        assert_eq!((got.verdict, class(&got)), want, "{tls}: {:?}", got.reason);
    }
    let evil = Evil::start().await;
    let got = run("http", &format!("{{url: \"https://{}/nothing\"}}", evil.at), Duration::from_secs(1)).await;
    assert_eq!(got.verdict, Verdict::Down);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_trusted_when_it_is_the_one_in_the_file() {
    let (file, server) = self_signed("localhost").await;
    let (other, _) = self_signed("localhost").await;
    for (tls, want) in [
        (format!("ca_file: {}", file.path().display()), (Verdict::Up, "")),
        (format!("ca_file: {}, server_name: else.example", file.path().display()), (Verdict::Down, "cert_name")),
        (format!("ca_file: {}", other.path().display()), (Verdict::Down, "cert_untrusted")),
    ] {
        let text = format!("{{url: \"https://localhost:{}/\", tls: {{{tls}}}}}", server.port);
        let got = run("http", &text, Duration::from_secs(5)).await;
        assert_eq!((got.verdict, class(&got)), want, "{tls}: {:?}", got.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_resolve_are_down_and_nothing_listening_is_refused() {
    let limit = Duration::from_secs(9);
    // A label of more than 63 characters is refused by the resolver itself: no question leaves.
    let got = run("http", &format!("{{url: \"http://{}.invalid/\"}}", "a".repeat(64)), limit).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "dns"), "{got:?}");
    assert!(got.phases.iter().any(|p| p.name == "resolve" && p.failed));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let got = run("http", &format!("{{url: \"http://{closed}/\"}}"), limit).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "connection_refused"));
    assert!(got.reason.unwrap().message.contains(&closed.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_sequences_stay_text_and_are_made_safe_for_terminals() {
    let evil = Evil::start().await;
    for path in ["/escapes-in-reason", "/escapes-in-header", "/escapes-in-body"] {
        let got = run("http", &format!("{{url: \"{}\"}}", evil.url(path)), Duration::from_secs(5)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, "status"), "{path}");
        let safe = watchdog::base::term_safe::term_safe(got.headline()).into_owned();
        assert!(!safe.chars().any(char::is_control), "{safe:?}");
    }
}

fn notification() -> Notification {
    let alert = NotifiedAlert {
        status: Status::Firing,
        fingerprint: "0000000000000001".into(),
        labels: Labels::new([("alertname", "X"), ("monitor", "m")]),
        annotations: Labels::new([("summary", "\u{1b}]0;x\u{7}<script>&")]),
        starts_at: Timestamp::from_millis(1_763_900_000_000),
        ends_at: None,
        value: None,
        generator_url: None,
    };
    Notification::single("key-1".into(), "thread-1".into(), "ops", alert)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_receiver_neither_hangs_nor_fills_memory_nor_learns_more() {
    let evil = Evil::start().await;
    for (path, again) in [
        ("/endless", false),
        ("/bomb", false),
        ("/reset", true),
        ("/not-http", true),
        ("/100k-headers", true),
        ("/silent", true),
        ("/1xx", true),
        ("/loop", false),
    ] {
        let text = format!("{{url: \"{}\", timeout: 500ms}}", evil.url(path));
        let hook = fields(&text, |f| Kinds.notifier("webhook", &Server::default(), f));
        let start = Instant::now();
        let result = hook.deliver(Delivery { notification: &notification(), previous: None }).await;
        assert!(start.elapsed() < Duration::from_millis(500) + SLACK, "{path}");
        match (path, result) {
            ("/endless" | "/bomb", Ok(_)) => {}
            (_, Err(DeliveryError::Retry { err, .. })) if again => {
                assert!(!Chain(&*err).to_string().contains(path), "{err}");
            }
            (_, Err(DeliveryError::Permanent(_))) if !again => {}
            (_, other) => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_may_be_dropped_at_any_moment() {
    let peers = Peers::start().await;
    for (kind, text, ()) in DELIVERIES {
        let text = peers.fill(text);
        let notifier = fields(&text, |f| Kinds.notifier(kind, &Server::default(), f));
        let notification = notification();
        for micros in (0..4_000).step_by(500) {
            let _ = timeout(
                Duration::from_micros(micros),
                notifier.deliver(Delivery { notification: &notification, previous: None }),
            )
            .await;
        }
        assert!(!format!("{notifier:?}").contains("abcdefgh"));
    }
}
