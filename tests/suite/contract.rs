//! What every collector and notifier promises: the deadline holds, dropping is safe, hostile input
//! gets the right verdict and no secret leaves.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
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

use crate::evil::Evil;
use crate::evil::tls::{Authority, self_signed};

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
    let probe = probe(kind, text);
    let cx = context(limit);
    let outcome = probe.collector.probe(&cx).await;
    assert!(Instant::now() <= cx.deadline + SLACK, "{text}: late");
    outcome
}

/// Writes a kubeconfig for the API server at this address, whose token is a secret; its path.
fn kubeconfig(dir: &std::path::Path, at: &str) -> String {
    let file = dir.join("kubeconfig");
    let text = format!(
        "current-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{at}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: resolved-TOKEN}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
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
        ("/gzip-gzip", "", "decode_limit"),
        ("/endless", ", body_size_limit: 1MiB", "body_size_limit"),
        ("/bad-chunk", "", "protocol_error"),
        ("/short", "", "connection_closed"),
        ("/not-http", "", "protocol_error"),
        ("/1mb-header", "", "too_many_headers"),
        ("/reset", "", "connection_reset"),
        ("/chain/11", "", "redirect_limit"),
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

#[tokio::test(flavor = "multi_thread")]
async fn whatever_never_ends_ends_at_the_deadline_and_says_where() {
    let evil = Evil::start().await;
    let black_hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hole = black_hole.local_addr().unwrap();
    let mute = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let silent = mute.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let _socket = tokio::net::UnixListener::bind(dir.path().join("s")).unwrap();
    for (kind, text, phase) in [
        ("http", format!("{{url: \"{}\"}}", evil.url("/drip")), "transfer"),
        ("http", format!("{{url: \"{}\"}}", evil.url("/slow-headers")), "processing"),
        ("http", format!("{{url: \"{}\"}}", evil.url("/1xx")), "processing"),
        ("http", format!("{{url: \"{}\"}}", evil.url("/silent")), "processing"),
        ("http", format!("{{url: \"https://{hole}\"}}"), "tls"),
        ("tcp", format!("{{host: \"{hole}\", expect: {{contains: x}}}}"), "processing"),
        ("tcp", format!("{{host: \"{hole}\", tls: true}}"), "tls"),
        ("tcp", format!("{{host: \"{hole}\", steps: [{{send: x}}, {{expect: y}}]}}"), "processing"),
        ("udp", format!("{{host: \"{silent}\", send: x, expect: {{contains: x}}}}"), "processing"),
        ("unix", format!("{{path: {}, expect: {{contains: x}}}}", dir.path().join("s").display()), "processing"),
        ("tls", format!("{{host: \"{hole}\", expect: {{valid_for: 1d}}}}"), "tls"),
        ("tls", format!("{{host: \"{hole}\", starttls: smtp}}"), "processing"),
        ("grpc", format!("{{host: \"{hole}\"}}"), "processing"),
        ("websocket", format!("{{url: \"ws://{hole}/\"}}"), "processing"),
        ("smtp", format!("{{host: \"{hole}\", expect: {{extensions: [SIZE]}}}}"), "processing"),
        ("imap", format!("{{host: \"{hole}\"}}"), "processing"),
        ("ssh", format!("{{host: \"{hole}\"}}"), "processing"),
        ("ntp", format!("{{host: \"{silent}\"}}"), "processing"),
        ("redis", format!("{{host: \"{hole}\"}}"), "query"),
        ("postgres", format!("{{host: \"{hole}\", user: u, password: p}}"), "auth"),
        ("mysql", format!("{{host: \"{hole}\", user: u}}"), "auth"),
        ("mqtt", format!("{{host: \"{hole}\"}}"), "auth"),
        ("docker", format!("{{host: \"tcp://{hole}\"}}"), "processing"),
        ("kubernetes", format!("{{kubeconfig: {}}}", kubeconfig(dir.path(), &hole.to_string())), "processing"),
        ("prometheus", format!("{{url: \"{}\"}}", evil.url("/drip")), "transfer"),
        ("prometheus", format!("{{url: \"{}\"}}", evil.url("/silent")), "processing"),
        ("dns", format!("{{query_name: a.example, servers: \"tcp://{hole}\"}}"), "request"),
        ("script", "{command: [/bin/sleep, \"60\"]}".to_owned(), "run"),
    ] {
        let got = run(kind, &text, Duration::from_millis(300)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, "timeout"), "{text}: {got:?}");
        let failed: Vec<_> = got.phases.iter().filter(|p| p.failed).map(|p| &*p.name).collect();
        assert_eq!(failed, [phase], "{text}");
        assert!(got.checks.iter().all(|c| c.ok.is_none()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_may_be_dropped_at_any_moment() {
    let evil = Evil::start().await;
    let ca = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let tls = ca.server("localhost", "x", (2999, 1, 1)).await;
    for (kind, text) in [
        ("http", format!("{{url: \"{}\"}}", evil.url("/gzip"))),
        ("http", format!("{{url: \"{}\"}}", evil.url("/endless"))),
        (
            "http",
            format!("{{url: \"https://localhost:{}\", tls: {{ca_file: {}}}}}", tls.port, ca.file.path().display()),
        ),
        ("tcp", format!("{{host: \"{}\", send: x, expect: {{contains: y}}}}", evil.at)),
        ("udp", format!("{{host: \"{}\", send: x, wait: 10ms}}", evil.at)),
        ("unix", "{path: /does/not/exist}".to_owned()),
        ("tls", format!("{{host: \"localhost:{}\"}}", tls.port)),
        ("grpc", format!("{{host: \"localhost:{}\", tls: {{verify: false}}}}", tls.port)),
        ("websocket", format!("{{url: \"{}\"}}", evil.url("/endless").replace("http", "ws"))),
        ("smtp", format!("{{host: \"{}\"}}", evil.at)),
        ("imap", format!("{{host: \"{}\"}}", evil.at)),
        ("ssh", format!("{{host: \"{}\"}}", evil.at)),
        ("ntp", format!("{{host: \"{}\"}}", evil.at)),
        ("redis", format!("{{host: \"{}\"}}", evil.at)),
        ("postgres", format!("{{host: \"{}\", user: u}}", evil.at)),
        ("mysql", format!("{{host: \"{}\", user: u}}", evil.at)),
        ("mqtt", format!("{{host: \"{}\"}}", evil.at)),
        ("docker", format!("{{host: \"tcp://{}\"}}", evil.at)),
        ("domain", format!("{{domain: a.example, server: \"http://{}/silent\", method: rdap}}", evil.at)),
        ("file", "{path: /etc/hostname}".to_owned()),
        ("cert-file", "{path: /etc/ssl/certs/*.pem}".to_owned()),
        ("kubernetes", format!("{{kubeconfig: {}}}", kubeconfig(dir.path(), &evil.at.to_string()))),
        ("prometheus", format!("{{url: \"{}\"}}", evil.url("/endless"))),
        ("prometheus", format!("{{static_configs: [{{targets: [\"{0}\", \"{0}\"]}}]}}", evil.at)),
        ("script", "{command: [/bin/echo, OK]}".to_owned()),
        ("ping", "{host: 127.0.0.1, count: 3, spacing: 10ms}".to_owned()),
        ("dns", format!("{{query_name: a.example, servers: [\"{0}\", \"tcp://{0}\"]}}", evil.at)),
        ("host", "{}".to_owned()),
        ("heartbeat", "{token: 0123456789}".to_owned()),
    ] {
        let probe = probe(kind, &text);
        for micros in (0..4_000).step_by(400) {
            let cx = context(Duration::from_secs(1));
            let _ = timeout(Duration::from_micros(micros), probe.collector.probe(&cx)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_part_of_an_outcome() {
    let evil = Evil::start().await;
    let dir = tempfile::tempdir().unwrap();
    for (kind, text) in [
        ("http", format!("{{url: \"{}?k=${{env:TOKEN}}\", headers: {{Authorization: \"Bearer tok-${{env:TOKEN}}\"}}}}", evil.url("/echo"))),
        ("http", format!("{{url: \"{}?k=${{env:<TOKEN>}}\"}}", evil.url("/silent"))),
        ("http", format!("{{url: \"http://user:resolved-TOKEN@{}/echo\"}}", evil.at)),
        ("http", format!("{{url: \"{}\", method: POST, body: \"${{env:TOKEN}}\", expect: {{body: {{contains: \"${{env:TOKEN}}-x\"}}}}}}", evil.url("/echo"))),
        ("tcp", format!("{{host: \"{}\", send: \"GET /echo${{env:TOKEN}} HTTP/1.0\\r\\n\\r\\n\", expect: {{contains: nope}}}}", evil.at)),
        ("script", "{command: [/bin/sh, -c, 'echo $T; echo \"x|a$T=1\" >&2; exit 2', \"${env:TOKEN}\"], env: {T: \"${env:TOKEN}\"}}".to_owned()),
        ("tcp", format!("{{host: \"{}\", steps: [{{send_line: \"GET /echo${{env:TOKEN}} HTTP/1.0\"}}, {{send_line: \"\"}}, {{expect: nope}}]}}", evil.at)),
        ("udp", format!("{{host: \"{}\", send: \"${{env:TOKEN}}\", expect: {{contains: nope}}}}", evil.at)),
        ("unix", "{path: \"/run/${env:TOKEN}\", send: \"${env:TOKEN}\"}".to_owned()),
        ("tls", format!("{{host: \"{}\", expect: {{issuer: \"${{env:TOKEN}}\"}}}}", evil.at)),
        ("grpc", format!("{{host: \"{}\", metadata: {{authorization: \"Bearer ${{env:TOKEN}}\"}}}}", evil.at)),
        ("websocket", format!("{{url: \"{}?k=${{env:TOKEN}}\", headers: {{Authorization: \"Bearer ${{env:TOKEN}}\"}}}}", evil.url("/echo").replace("http", "ws"))),
        ("smtp", format!("{{host: \"{}\", open_login: true, user: \"${{env:TOKEN}}\", password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("imap", format!("{{host: \"{}\", open_login: true, user: \"${{env:TOKEN}}\", password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("ssh", format!("{{host: \"{}\", user: \"${{env:TOKEN}}\", password: \"${{env:TOKEN}}\", command: \"${{env:TOKEN}}\"}}", evil.at)),
        ("redis", format!("{{host: \"{}\", password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("redis", format!("{{host: \"{}\", command: [GET, \"${{env:TOKEN}}\"]}}", evil.at)),
        ("postgres", format!("{{host: \"{}\", user: u, password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("mysql", format!("{{host: \"{}\", user: u, password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("mqtt", format!("{{host: \"{}\", user: u, password: \"${{env:TOKEN}}\"}}", evil.at)),
        ("file", "{path: \"/no/${env:TOKEN}/x\"}".to_owned()),
        ("cert-file", "{path: \"/no/${env:TOKEN}/x\"}".to_owned()),
        ("docker", "{host: \"unix:///no/${env:TOKEN}/x\"}".to_owned()),
        ("kubernetes", "{kubeconfig: \"/no/${env:TOKEN}/x\"}".to_owned()),
        ("kubernetes", format!("{{kubeconfig: {}}}", kubeconfig(dir.path(), &format!("{}/echo", evil.at)))),
        ("heartbeat", "{token: \"${env:TOKEN}\"}".to_owned()),
        ("prometheus", format!("{{url: \"{}?k=${{env:TOKEN}}\", authorization: {{credentials: \"${{env:TOKEN}}\"}}}}", evil.url("/echo"))),
        ("prometheus", format!("{{url: \"http://user:resolved-TOKEN@{}/${{env:TOKEN}}\", params: {{k: \"${{env:TOKEN}}\"}}}}", evil.at)),
    ] {
        let probe = probe(kind, &text);
        assert!(!format!("{probe:?}").contains("resolved-TOKEN"), "{probe:?}");
        let got = probe.collector.probe(&context(Duration::from_millis(800))).await;
        assert_ne!(got.verdict, Verdict::Up, "{text}");
        for secret in ["resolved-TOKEN", "resolved-<TOKEN", "resolved-%3CTOKEN"] {
            assert!(!format!("{got:?}").contains(secret), "{text}: {got:?}");
        }
    }
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
    let evil = Evil::start().await;
    let bot = format!("{{bot_token: \"1:abcdefgh\", chat_id: \"1\", api_url: \"http://{}\"}}", evil.at);
    for (kind, text) in [("webhook", format!("{{url: \"{}\"}}", evil.url("/gzip"))), ("telegram", bot)] {
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

#[test]
fn every_kind_has_a_contract_case_and_a_page() {
    let this = concat!(include_str!("contract.rs"), include_str!("channels.rs"), include_str!("mail.rs"));
    for (kinds, folder) in [(Kinds.monitor_kinds(), "monitors"), (Kinds.notifier_kinds(), "notifiers")] {
        for kind in kinds {
            assert!(this.contains(&format!("\"{kind}\"")), "{kind} has no case here");
            let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(folder);
            assert!(page.join(format!("{kind}.md")).is_file(), "{kind} has no page");
        }
    }
}
