//! Ways to log in: what is sent to whom, and what is shown of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use watchdog::base::clock::Clock;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::policy::Policy;
use watchdog::base::probe::ProbeCx;
use watchdog::task::supervisor::Supervisor;

use crate::evil::tls::{Authority, TlsServer, config};
use crate::evil::{answer, head};
use crate::kinds::daemon::{build, probe};

const LIMIT: Duration = Duration::from_secs(5);

/// A server whose answers a function of the request's head gives, and the heads that came.
struct Scripted {
    at: String,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: Supervisor,
}

impl Scripted {
    async fn start(says: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("scripted", |_| async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some((head, _)) = head(&mut stream).await else { continue };
                let reply = says(&head);
                log.lock().unwrap().push(head);
                let _ = stream.write_all(&reply).await;
            }
        });
        Self { at, seen, _tasks: tasks }
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_once() {
    let server = Scripted::start(|head| {
        let ask = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n";
        match head.contains("username=\"probe\"")
            && head.contains("uri=\"/private?x=1\"")
            && head.contains("nc=00000001")
        {
            true => answer("200 OK", "", b"in"),
            false => answer("401 Unauthorized", ask, b"out"),
        }
    })
    .await;
    let text = |user: &str| {
        format!(
            "{{url: \"http://{}/private?x=1\", auth: {{digest: {{username: {user}, password: digest-pw}}}}}}",
            server.at
        )
    };
    let good = probe("http", &text("probe"), LIMIT).await;
    assert_eq!((good.verdict, server.count()), (Verdict::Up, 2), "{good:?}");
    let bad = probe("http", &text("other"), LIMIT).await;
    assert_eq!((bad.verdict, class(&bad), server.count()), (Verdict::Down, "status", 4));
    let shown = format!("{bad:?}");
    assert!(!shown.contains("digest-pw") && !shown.contains("response=\\\""), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_address_of_a_host_gets_an_answer_of_its_own() {
    let server = Scripted::start(|head| {
        let ask = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n";
        let path = head.split_whitespace().nth(1).unwrap();
        match head.contains(&format!("uri=\"{path}\"")) {
            true if path == "/in" => answer("200 OK", "", b"in"),
            true => answer("302 Found", "Location: /in\r\n", b""),
            false if head.to_lowercase().contains("authorization") => answer("400 Bad Request", "", b""),
            false => answer("401 Unauthorized", ask, b""),
        }
    })
    .await;
    let text = format!("{{url: \"http://{}/\", auth: {{digest: \"probe:digest-pw\"}}}}", server.at);
    let got = probe("http", &text, LIMIT).await;
    assert_eq!((got.verdict, server.count()), (Verdict::Up, 4), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_redirect_leads_to_gets_no_answer_to_its_challenge() {
    let ask = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n";
    let second = Scripted::start(move |_| answer("401 Unauthorized", ask, b"tell me")).await;
    let to = format!("Location: http://{}/\r\n", second.at);
    let first = Scripted::start(move |_| answer("302 Found", &to, b"")).await;
    let text = format!("{{url: \"http://{}/\", auth: {{digest: \"probe:digest-pw\"}}}}", first.at);
    let got = probe("http", &text, LIMIT).await;
    assert_eq!((got.verdict, class(&got), second.count()), (Verdict::Down, "status", 1));
    assert!(!second.seen.lock().unwrap()[0].to_lowercase().contains("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_once_and_shown_nowhere() {
    let login = Scripted::start(|head| {
        let basic = "authorization: basic chjvymu6c2vjcmv0jti2mq=="; // probe:secret%261
        match head.to_lowercase().contains(basic) {
            true => {
                answer("200 OK", "", br#"{"access_token": "tok-abcdefgh", "token_type": "bearer", "expires_in": 3600}"#)
            }
            false => answer("401 Unauthorized", "", br#"{"error": "invalid_client"}"#),
        }
    })
    .await;
    let target = Scripted::start(|head| match head.contains("Bearer tok-abcdefgh") {
        true => answer("200 OK", "", b"in"),
        false => answer("401 Unauthorized", "", b"you sent tok-abcdefgh"),
    })
    .await;
    let text = |secret: &str, path: &str| {
        format!(
            "{{url: \"http://{}{path}\", auth: {{oauth2: {{token_url: \"http://{}/token\", client_id: probe, \
              client_secret: \"{secret}\"}}}}, expect: {{body: {{contains: in}}}}}}",
            target.at, login.at
        )
    };
    let monitor = build("http", &text("secret&1", "/"));
    for _ in 0..3 {
        let cx = ProbeCx::new(tokio::time::Instant::now() + LIMIT, Clock::system().now());
        let got = monitor.collector.probe(&cx).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        assert!(got.samples.iter().all(|s| s.labels.iter().all(|(_, v)| !v.contains("tok-"))));
    }
    assert_eq!((login.count(), target.count()), (1, 3));
    assert!(!format!("{monitor:?}").contains("secret&1"));

    let refused = probe("http", &text("wrong-secret", "/"), LIMIT).await;
    assert_eq!((refused.verdict, class(&refused)), (Verdict::Down, "oauth2"));
    let message = &refused.reason.as_ref().unwrap().message;
    assert!(message.ends_with("401 Unauthorized invalid_client"), "{message}");
    assert!(!format!("{refused:?}").contains("wrong-secret"));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = text("secret&1", "/").replace(&login.at, &silent.local_addr().unwrap().to_string());
    let slow = probe("http", &text, Duration::from_millis(300)).await;
    assert_eq!(class(&slow), "oauth2");
    assert!(slow.phases.iter().any(|p| p.name == "token" && p.failed), "{:?}", slow.phases);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_revoked_is_replaced_once() {
    let (issued, accepted) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(1)));
    let (issue, accept) = (Arc::clone(&issued), Arc::clone(&accepted));
    let login = Scripted::start(move |_| {
        let n = issue.load(Ordering::Relaxed);
        answer("200 OK", "", format!("{{\"access_token\": \"token-{n}\", \"expires_in\": 3600}}").as_bytes())
    })
    .await;
    let target = Scripted::start(move |head| {
        match head.contains(&format!("Bearer token-{}\r", accept.load(Ordering::Relaxed))) {
            true => answer("200 OK", "", b"in"),
            false => answer("401 Unauthorized", "", b"out"),
        }
    })
    .await;
    let text = format!(
        "{{url: \"http://{}/\", auth: {{oauth2: {{token_url: \"http://{}/\", client_id: a, client_secret: secret}}}}}}",
        target.at, login.at
    );
    let monitor = build("http", &text);
    // What is issued, what is accepted, the verdict, and how often both were asked by then.
    for (issue, accept, want) in [
        (1, 1, (Verdict::Up, 1, 1)),
        (2, 2, (Verdict::Up, 2, 3)),
        (2, 9, (Verdict::Down, 3, 5)),
        (2, 9, (Verdict::Down, 4, 6)),
        (9, 9, (Verdict::Up, 5, 7)),
    ] {
        issued.store(issue, Ordering::Relaxed);
        accepted.store(accept, Ordering::Relaxed);
        let cx = ProbeCx::new(tokio::time::Instant::now() + LIMIT, Clock::system().now());
        let got = monitor.collector.probe(&cx).await;
        assert_eq!((got.verdict, login.count(), target.count()), want, "{got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_that_hangs_is_named_and_nobody_else() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let text = format!(
        "{{url: \"http://127.0.0.1:9/api\", auth: {{oauth2: {{token_url: \"http://{at}/t\", client_id: a, client_secret: secret}}}}}}",
    );
    let cx = ProbeCx::new(tokio::time::Instant::now() + std::time::Duration::from_millis(500), Clock::system().now());
    let got = build("http", &text).collector.probe(&cx).await;
    let reason = got.reason.as_ref().unwrap();
    assert_eq!((got.verdict, reason.class.as_ref()), (Verdict::Down, "oauth2"), "{got:?}");
    assert!(reason.message.starts_with(&format!("no token from http://{at}/t ({at}) within ")), "{}", reason.message);
    assert!(!format!("{:?}", got.evidence).contains("/api"), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_of_the_monitors_own_that_is_dead_is_no_fault_of_ours_for_a_token_either() {
    let mute = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "{{url: \"http://127.0.0.1:9/\", resolver: \"{}\", auth: {{oauth2: {{token_url: \"http://login.example/\", \
          client_id: a, client_secret: secret}}}}}}",
        mute.local_addr().unwrap()
    );
    let got = probe("http", &text, Duration::from_millis(300)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "oauth2"), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_monitor_says_of_its_own_host_is_for_no_other() {
    // `connect_to` with a port is for that port.
    let second = Scripted::start(|_| answer("200 OK", "", b"second")).await;
    let port = |at: &str| at.rsplit(':').next().unwrap().to_owned();
    let to = format!("Location: http://a.example:{}/\r\n", port(&second.at));
    let first = Scripted::start(move |_| answer("302 Found", &to, b"")).await;
    let text = format!("{{url: \"http://a.example:{}/\", connect_to: \"{}\"}}", port(&first.at), first.at);
    let got = probe("http", &text, LIMIT).await;
    assert_eq!((got.verdict, first.count(), second.count()), (Verdict::Up, 1, 1), "{got:?}");
    // `server_name` is for this host.
    let ca = Authority::new();
    let tls = ca.server("localhost", "x", (2999, 1, 1)).await;
    let to = format!("Location: https://localhost:{}/\r\n", tls.port);
    let first = Scripted::start(move |_| answer("302 Found", &to, b"")).await;
    let options = format!("{{ca_file: {}, server_name: other.example}}", ca.file.path().display());
    let got = probe("http", &format!("{{url: \"http://{}/\", tls: {options}}}", first.at), LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_takes_credentials_along() {
    let sink = Scripted::start(|_| answer("200 OK", "", br#"{"access_token": "token-of-sink"}"#)).await;
    let to = format!("Location: http://{}/\r\n", sink.at);
    // From https to http.
    let ca = Authority::new();
    let (cert, key) = ca.sign(|_| {});
    let tls = TlsServer::saying(config(vec![cert], &key), answer("302 Found", &to, b"")).await;
    let text = format!(
        "{{url: \"https://localhost:{}/\", ip_version: 4, tls: {{ca_file: {}}}, auth: {{bearer: token-of-home}}, \
          headers: {{Cookie: sid=cookie-of-home, X-Key: \"${{env:KEY}}\"}}}}",
        tls.port,
        ca.file.path().display()
    );
    let got = probe("http", &text, LIMIT).await;
    assert_eq!((got.verdict, sink.count()), (Verdict::Up, 1), "{got:?}");
    // Who hands out tokens is not followed at all: the request holds the client's secret.
    let login = Scripted::start(move |_| answer("307 Temporary Redirect", &to, b"")).await;
    for send in ["header", "body"] {
        let text = format!(
            "{{url: \"http://{}/\", auth: {{oauth2: {{token_url: \"http://{}/\", client_id: a, \
              client_secret: secret-of-home, send: {send}}}}}}}",
            sink.at, login.at
        );
        let got = probe("http", &text, LIMIT).await;
        assert_eq!((got.verdict, class(&got), sink.count()), (Verdict::Down, "oauth2", 1), "{got:?}");
    }
    let seen = sink.seen.lock().unwrap().join("\n").to_lowercase();
    for word in ["authorization", "cookie", "x-key", "of-home"] {
        assert!(!seen.contains(word), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_to_no_port_that_the_policy_does_not_allow() {
    let second = Scripted::start(|_| answer("200 OK", "", b"second")).await;
    let to = format!("Location: http://{}/\r\n", second.at);
    let first = Scripted::start(move |_| answer("302 Found", &to, b"")).await;
    let mut cx = ProbeCx::new(tokio::time::Instant::now() + LIMIT, Clock::system().now());
    let port: u16 = first.at.rsplit(':').next().unwrap().parse().unwrap();
    cx.policy = Arc::new(Policy { ports: vec![port..=port], ..Policy::default() });
    let got = build("http", &format!("{{url: \"http://{}/\"}}", first.at)).collector.probe(&cx).await;
    assert_eq!((class(&got), first.count(), second.count()), ("blocked_address", 1, 0), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_what_was_not_read() {
    let server = Scripted::start(|head| match head.split_whitespace().nth(1) {
        Some("/compress") => answer("200 OK", "Content-Encoding: compress\r\n", b"not decoded"),
        _ => answer("200 OK", "", "x".repeat(3_000).as_bytes()),
    })
    .await;
    for (path, more, want) in [
        ("/", "max_body: 1KiB, expect: {body: {not_contains: y}}", (Verdict::Down, "body")),
        ("/", "max_body: 1KiB, expect: {body: {not_matches: y}}", (Verdict::Down, "body")),
        ("/", "max_body: 1KiB, expect: {body: {contains: x}}", (Verdict::Up, "")),
        ("/", "expect: {body: {not_contains: y, not_matches: y}}", (Verdict::Up, "")),
        ("/compress", "expect: {status: 200}", (Verdict::Up, "")),
        ("/compress", "expect: {body: {not_contains: y}}", (Verdict::Down, "decode")),
        ("/compress", "expect: {title: y}", (Verdict::Down, "decode")),
        ("/compress", "expect: {json: {\"$.a\": {exists: false}}}", (Verdict::Down, "decode")),
    ] {
        let got = probe("http", &format!("{{url: \"http://{}{path}\", {more}}}", server.at), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{path} {more}: {got:?}");
        let truncated = got.samples.iter().find(|s| s.name == "probe_http_body_truncated").map(|s| s.value);
        assert_eq!(truncated, more.starts_with("max_body").then_some(1.0), "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_and_bodies_stay_with_their_host() {
    let second = Scripted::start(|_| answer("200 OK", "", b"second")).await;
    // The same machine under another name: another host for cookies and credentials.
    let elsewhere = second.at.replace("127.0.0.1", "localhost");
    let to = elsewhere.clone();
    let first = Scripted::start(move |head| {
        let set = "Set-Cookie: sid=session-cookie; Path=/\r\n";
        match head.split_whitespace().nth(1) {
            Some("/here") if head.contains("sid=session-cookie") => answer("200 OK", "", b"first"),
            Some("/") => answer("302 Found", &format!("{set}Location: /here\r\n"), b""),
            Some("/loop") if head.contains("sid=session-cookie") => answer("200 OK", "", b"first"),
            Some("/loop") => answer("302 Found", &format!("{set}Location: /loop\r\n"), b""),
            Some("/keep") => answer("307 Temporary Redirect", &format!("{set}Location: http://{to}/\r\n"), b""),
            _ => answer("302 Found", &format!("{set}Location: http://{to}/\r\n"), b""),
        }
    })
    .await;
    let url = |path: &str| format!("url: \"http://{}{path}\"", first.at);
    for (text, want) in [
        (url("/"), (Verdict::Up, "")),
        // A page that sets a cookie and asks to come back is no circle.
        (url("/loop"), (Verdict::Up, "")),
        (url("/loop") + ", cookies: false", (Verdict::Down, "redirect_loop")),
        (url("/away") + ", auth: {bearer: token-of-first}", (Verdict::Up, "")),
        (url("/keep") + ", method: POST, body: open", (Verdict::Up, "")),
        (url("/keep") + ", method: POST, body: \"${env:PASSWORD}\"", (Verdict::Down, "redirect_target")),
    ] {
        let got = probe("http", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {:?}", got.reason);
        assert!(!format!("{got:?}").contains("session-cookie"), "{got:?}");
    }
    let seen = second.seen.lock().unwrap().join("\n").to_lowercase();
    assert!(seen.contains("host: localhost") && !seen.contains("cookie") && !seen.contains("authorization"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_monitor_go_to_the_host_of_its_first_step() {
    let second = Scripted::start(|_| answer("200 OK", "", b"second")).await;
    let elsewhere = second.at.replace("127.0.0.1", "localhost");
    let body = format!("{{\"next\": \"http://{elsewhere}/chosen\"}}");
    let first = Scripted::start(move |_| answer("200 OK", "", body.as_bytes())).await;
    let text = format!(
        "{{auth: {{bearer: token-of-first}}, headers: {{X-Key: \"${{env:KEY}}\", X-Open: yes}}, steps: [\
          {{url: \"http://{0}/\", extract: {{next: {{json: $.next}}}}}}, {{url: \"http://{0}/again\"}}, \
          {{url: \"http://{elsewhere}/written\"}}, {{url: \"{{{{ next }}}}\"}}]}}",
        first.at
    );
    let got = probe("http", &text, LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    let at_home = first.seen.lock().unwrap().clone();
    assert_eq!(at_home.len(), 2);
    for head in at_home {
        assert!(head.contains("token-of-first") && head.contains("secret-KEY"), "{head}");
    }
    let abroad = second.seen.lock().unwrap().join("\n");
    assert!(
        abroad.contains("GET /written") && abroad.contains("GET /chosen") && abroad.contains("x-open: yes"),
        "{abroad}"
    );
    assert!(!abroad.contains("token-of-first") && !abroad.contains("secret-KEY"), "{abroad}");
}
