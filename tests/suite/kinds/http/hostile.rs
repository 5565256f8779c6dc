//! Peers of `http` that do what no peer should, above all over HTTP/2 and as proxies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use watchdog::base::clock::Clock;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::policy::Policy;
use watchdog::base::probe::ProbeCx;
use watchdog::task::supervisor::Supervisor;

use crate::evil::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, Server, frame, header,
    status,
};
use crate::evil::{Evil, answer, head};
use crate::kinds::daemon::{build, probe};

const LIMIT: Duration = Duration::from_secs(5);
/// How far past its deadline a probe may come back; two busy processors need some.
const SLACK: Duration = Duration::from_millis(500);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

async fn ask(at: &str, limit: Duration) -> Outcome {
    let start = Instant::now();
    let got = probe("http", &format!("{{url: \"http://{at}/\", http_version: 2}}"), limit).await;
    assert!(start.elapsed() < limit + SLACK, "late: {got:?}");
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_that_is_wrong_gets_the_right_verdict() {
    let ok = || frame(HEADERS, END_HEADERS, 1, &status("200"));
    let many: Vec<u8> = (0..300).flat_map(|i| header(&format!("x-{i}"), "y")).collect();
    let long: Vec<u8> = (0..700).flat_map(|i| header(&format!("x-{i}"), &"y".repeat(120))).collect();
    let in_pieces = |block: &[u8]| {
        let mut pieces = block.chunks(16_000);
        let mut out = frame(HEADERS, 0, 1, pieces.next().unwrap());
        for piece in pieces {
            out.extend(frame(CONTINUATION, 0, 1, piece));
        }
        out.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
        out
    };
    for (what, first, again, want) in [
        ("good", [ok(), frame(DATA, END_STREAM, 1, b"hello")].concat(), vec![], (Verdict::Up, "")),
        ("endless body", ok(), frame(DATA, 0, 1, &[b'x'; 8_000]), (Verdict::Up, "")),
        (
            "many headers",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[status("200"), many].concat()),
            vec![],
            (Verdict::Down, "too_many_headers"),
        ),
        ("long headers", in_pieces(&[status("200"), long].concat()), vec![], (Verdict::Down, "protocol_error")),
        (
            "continuation flood",
            frame(HEADERS, 0, 1, &status("200")),
            frame(CONTINUATION, 0, 1, &[]),
            (Verdict::Down, "protocol_error"),
        ),
        ("reset", frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]), vec![], (Verdict::Down, "protocol_error")),
        ("going away", frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]), vec![], (Verdict::Down, "protocol_error")),
        ("another stream", frame(DATA, 0, 5, b"hello"), vec![], (Verdict::Down, "protocol_error")),
        ("not frames", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![], (Verdict::Down, "protocol_error")),
        ("bad hpack", frame(HEADERS, END_HEADERS, 1, &[0xff; 20]), vec![], (Verdict::Down, "protocol_error")),
        ("nothing", vec![], vec![], (Verdict::Down, "connection_closed")),
        ("half a body", [ok(), frame(DATA, 0, 1, b"hel")].concat(), vec![], (Verdict::Down, "connection_closed")),
    ] {
        let server = Server::start(first, again).await;
        let got = ask(&server.at, LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{what}: {:?}", got.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_that_never_ends_ends_at_the_deadline() {
    for (what, first, again, phase) in [
        ("1xx", vec![], frame(HEADERS, END_HEADERS, 1, &status("103")).repeat(100), "processing"),
        ("pings", vec![], frame(PING, 1, 0, &[0; 8]).repeat(100), "processing"),
        ("settings", vec![], frame(SETTINGS, 1, 0, &[]), "processing"),
        ("empty data", frame(HEADERS, END_HEADERS, 1, &status("200")), frame(DATA, 0, 1, &[]).repeat(100), "transfer"),
    ] {
        let server = Server::start(first, again).await;
        let got = ask(&server.at, Duration::from_millis(300)).await;
        // A library may refuse a flood before the deadline does; it must not outlast it.
        assert_eq!(got.verdict, Verdict::Down, "{what}");
        assert!(matches!(class(&got), "timeout" | "protocol_error"), "{what}: {:?}", got.reason);
        let failed: Vec<_> = got.phases.iter().filter(|p| p.failed).map(|p| &*p.name).collect();
        assert_eq!(failed, [phase], "{what}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let got = ask(&silent.local_addr().unwrap().to_string(), Duration::from_millis(300)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "timeout"));
}

/// A proxy that answers whatever comes with `says`, piece by piece, each after it has read something.
async fn proxy(says: Vec<Vec<u8>>) -> (String, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("proxy", |_| async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for piece in &says {
                if stream.read(&mut [0; 1024]).await.unwrap_or(0) == 0 {
                    break;
                }
                let _ = stream.write_all(piece).await;
            }
        }
    });
    (at, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_wrong_is_named() {
    let socks = [5, 0].to_vec();
    for (scheme, says, want) in [
        ("http", vec![b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_vec()], "a user and a password (407)"),
        ("http", vec![b"HTTP/1.1 403 Filtered\r\n\r\n".to_vec()], "`HTTP/1.1 403 Filtered`"),
        ("http", vec![b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec()], "more than its answer"),
        ("http", vec![b"220 mail.example.com\r\n\r\n".to_vec()], "is not HTTP"),
        ("http", vec![b"HTTP/1.1 200 OK\r\n".to_vec()], "has no end"),
        ("http", vec![vec![b'x'; 20_000]], "has no end"),
        ("socks5", vec![vec![5, 0xff]], "another kind of login"),
        ("socks5", vec![vec![4, 0]], "does not speak SOCKS5"),
        ("socks5", vec![vec![5, 2]], "does not speak SOCKS5"),
        ("socks5", vec![socks.clone(), vec![5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "not allowed by its rules"),
        ("socks5", vec![socks.clone(), vec![5, 0, 0, 9]], "does not speak SOCKS5"),
        ("socks5", vec![b"HTTP/1.1 400 Bad Request".to_vec()], "does not speak SOCKS5"),
        ("socks5", vec![vec![5]], "asking for the target"),
    ] {
        let (at, _tasks) = proxy(says).await;
        let text = format!("{{url: \"https://target.invalid/\", proxy: \"{scheme}://{at}\"}}");
        let got = probe("http", &text, LIMIT).await;
        let message = got.reason.as_ref().map_or("", |r| &r.message);
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, "proxy"), "{want}");
        assert!(message.contains(want), "{scheme}: {message}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone =
        probe("http", &format!("{{url: \"https://target.invalid/\", proxy: \"socks5://{silent}\"}}"), LIMIT).await;
    assert_eq!(class(&gone), "proxy");
}

async fn lead(mut stream: tokio::net::TcpStream, to: &str) -> std::io::Result<()> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    stream.read_exact(&mut vec![0; usize::from(head[1])]).await?;
    stream.write_all(&[5, 2]).await?;
    let mut login = [0; 2 + 5 + 1 + 9];
    stream.read_exact(&mut login).await?;
    stream.write_all(&[1, u8::from(login != *b"\x01\x05probe\x09socks-pw!")]).await?;
    let mut request = [0; 5 + 14 + 2];
    stream.read_exact(&mut request).await?;
    assert_eq!(request, *b"\x05\x01\x00\x03\x0etarget.invalid\x00\x50");
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut target = tokio::net::TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut target).await.map(drop)
}

/// A SOCKS5 server for one user that leads everywhere to `to`.
async fn socks(to: String) -> (String, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("socks", |_| async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A probe that is dropped hangs up anywhere.
            let _ = lead(stream, &to).await;
        }
    });
    (at, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_a_proxy_go_to_the_proxy_alone() {
    let target = Evil::start().await;
    let (socks, _tasks) = socks(target.at.clone()).await;
    let good = format!("{{url: \"http://target.invalid/chain/0\", proxy: \"socks5://probe:socks-pw!@{socks}\"}}");
    let got = probe("http", &good, LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    let bad = probe("http", &good.replace("socks-pw!", "wrong-pw!"), LIMIT).await;
    assert!(bad.reason.as_ref().unwrap().message.contains("refuses the user"), "{bad:?}");
    assert!(!format!("{bad:?}").contains("wrong-pw"));

    // One that passes requests on sees its own password in each, and no other host's.
    let passing = Evil::start().await;
    let text = format!(
        "{{url: \"http://a.invalid/to/b.invalid/chain/0\", proxy: \"http://probe:proxy-pw@{}\", \
          auth: {{bearer: token-of-a}}}}",
        passing.at
    );
    // It says nothing: what it heard is what counts.
    probe("http", &text, Duration::from_millis(500)).await;
    let seen = passing.seen.lock().unwrap().join("\n").to_lowercase();
    assert!(seen.contains("get http://a.invalid/to/b.invalid/chain/0 http/1.1"), "{seen}");
    assert!(seen.contains("proxy-authorization: basic chjvymu6chjvehktchc="), "{seen}");
    let direct = target.seen.lock().unwrap().join("\n").to_lowercase();
    assert!(!direct.contains("proxy-authorization"), "{direct}");
}

/// A proxy that takes down what it hears: it builds no tunnels, and answers plain requests itself with `says`.
async fn listener(says: Vec<u8>) -> (String, Arc<Mutex<Vec<String>>>, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("proxy", |_| async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some((head, _)) = head(&mut stream).await else { continue };
            let answer = match head.starts_with("CONNECT ") {
                // With an echo of all that it was told, as some do.
                true => format!("HTTP/1.1 403 {}\r\n\r\n", head.replace("\r\n", " ")).into_bytes(),
                false => says.clone(),
            };
            log.lock().unwrap().push(head);
            let _ = stream.write_all(&answer).await;
        }
    });
    (at, seen, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_go_through_the_proxy_or_past_it_as_their_hosts_say() {
    let target = Evil::start().await;
    let port = target.at.rsplit(':').next().unwrap();
    let away = answer("302 Found", &format!("Location: http://localhost:{port}/chain/1\r\n"), b"");
    let (at, seen, _tasks) = listener(away).await;
    let text = format!(
        "{{url: \"http://a.invalid/\", proxy: \"http://probe:proxy-pw@{at}\", no_proxy: [localhost], \
          expect: {{redirects: {{count: 2}}}}}}"
    );
    let got = probe("http", &text, LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    assert_eq!(seen.lock().unwrap().len(), 1);
    let direct = target.seen.lock().unwrap().join("\n").to_lowercase();
    assert!(direct.contains("get /chain/1 http/1.1") && direct.contains("get /chain/0 http/1.1"), "{direct}");
    assert!(!direct.contains("proxy-authorization"), "{direct}");

    // The other way round: who is asked directly sends the probe to somebody who is not.
    let (at, seen, _tasks) = listener(answer("404 Not Found", "", b"")).await;
    let text = format!(
        "{{url: \"{}\", proxy: \"http://probe:proxy-pw@{at}\", no_proxy: 127.0.0.1, headers: {{Authorization: Bearer abcdefgh}}}}",
        target.url("/to/b.invalid/x")
    );
    let got = probe("http", &text, LIMIT).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "status"), "{got:?}");
    let seen = seen.lock().unwrap().join("\n").to_lowercase();
    assert!(seen.starts_with("get http://b.invalid/x http/1.1") && !seen.contains("bearer"), "{seen}");
    let items = got.evidence.unwrap().items;
    assert!(items.iter().any(|(title, text)| title == "proxy" && text.ends_with(&at)), "{items:?}");

    // Whoever lists any host asks this machine directly, too, and whoever lists none does not.
    let text = format!("{{url: \"{}\", proxy: \"http://{at}\", no_proxy: 10.0.0.0/8}}", target.url("/chain/0"));
    assert_eq!(probe("http", &text, LIMIT).await.verdict, Verdict::Up);
    let text = text.replace("no_proxy: 10.0.0.0/8", "no_proxy: []");
    assert_eq!(class(&probe("http", &text, LIMIT).await), "status");

    // Evidence of a host that was asked directly names no proxy.
    let text = format!("{{url: \"{}\", proxy: \"http://{at}\", no_proxy: \"*\"}}", target.url("/loop"));
    let items = probe("http", &text, LIMIT).await.evidence.unwrap().items;
    assert!(!items.iter().any(|(title, _)| title == "proxy"), "{items:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_a_proxy_alone_stands_in_connect_alone_and_nowhere_else() {
    let (at, seen, _tasks) = listener(answer("200 OK", "", b"")).await;
    for (kind, url, proxy) in [("http", "url", "proxy"), ("prometheus", "url", "proxy_url")] {
        let text = format!(
            "{{{url}: \"https://a.invalid/\", {proxy}: \"http://{at}\", headers: {{X-Own: own}}, proxy_connect_header: \
              {{X-Team: [shop, \"${{env:TEAM}}\"], Proxy-Authorization: Bearer proxy-token}}}}"
        );
        let text = if kind == "http" { text } else { text.replace("headers: {X-Own: own}, ", "") };
        let got = probe(kind, &text, LIMIT).await;
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let lines: Vec<_> = seen[0].lines().collect();
        assert_eq!(lines[0], "CONNECT a.invalid:443 HTTP/1.1");
        for line in ["x-team: shop", "x-team: secret-TEAM", "proxy-authorization: Bearer proxy-token"] {
            assert!(lines.contains(&line), "{kind}: {line}: {lines:?}");
        }
        assert!(!seen[0].to_lowercase().contains("x-own"), "{lines:?}");
        let shown = format!("{got:?}");
        assert!(shown.contains("x-team: shop"), "{kind}: {shown}");
        assert!(!shown.contains("secret-TEAM") && !shown.contains("proxy-token"), "{kind}: {shown}");
    }
    // A request that is passed on has none of it.
    let text =
        format!("{{url: \"http://a.invalid/\", proxy: \"http://{at}\", proxy_connect_header: {{X-Team: shop}}}}");
    assert_eq!(probe("http", &text, LIMIT).await.verdict, Verdict::Up);
    assert!(!seen.lock().unwrap()[0].to_lowercase().contains("x-team"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_proxies_as_it_does_for_programs_of_go() {
    let (at, _seen, _tasks) = listener(answer("200 OK", "", b"")).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = format!("http://probe:proxy-pw@{at}");
    let (plain, tls) = (format!("http://a.invalid:{}/", gone.port()), format!("https://a.invalid:{}/", gone.port()));
    let direct = "connection_refused";
    for (variables, url, want) in [
        (vec![("http_proxy", proxy.as_str())], &plain, ""),
        (vec![("http_proxy", &at)], &plain, ""),
        (vec![("http_proxy", &proxy)], &tls, direct),
        (vec![("https_proxy", &proxy)], &plain, direct),
        (vec![("https_proxy", &proxy)], &tls, "proxy"),
        (vec![("HTTPS_PROXY", &proxy)], &tls, "proxy"),
        (vec![("HTTP_PROXY", &proxy)], &plain, ""),
        // In a CGI program it is a header of whoever calls.
        (vec![("HTTP_PROXY", &proxy), ("REQUEST_METHOD", "GET")], &plain, direct),
        (vec![("http_proxy", &proxy), ("REQUEST_METHOD", "GET")], &plain, ""),
        // Capitals come first.
        (vec![("http_proxy", "http://x.invalid"), ("HTTP_PROXY", &proxy)], &plain, ""),
        (vec![], &plain, direct),
        (vec![("http_proxy", &proxy), ("no_proxy", "b.invalid,,1.2.3.4/33, a.invalid")], &plain, direct),
        (vec![("http_proxy", &proxy), ("NO_PROXY", ".invalid")], &plain, direct),
        (vec![("http_proxy", &proxy), ("NO_PROXY", "b.invalid")], &plain, ""),
        (vec![("http_proxy", &proxy)], &format!("http://{gone}/"), direct),
    ] {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_watchdog"))
            .args(["--json", "probe", "http", url, "--proxy-from-environment", "--connect-to", "127.0.0.1"])
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let got: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert_eq!(got["reason"]["class"].as_str().unwrap_or(""), want, "{variables:?} {url}: {got}");
        assert!(!format!("{output:?}").contains("proxy-pw"), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_may_be_dropped_at_any_moment() {
    let good = [frame(HEADERS, END_HEADERS, 1, &status("200")), frame(DATA, END_STREAM, 1, b"hello")].concat();
    let h2 = Server::start(good, vec![]).await;
    let target = Evil::start().await;
    let (socks, _tasks) = socks(target.at.clone()).await;
    for text in [
        format!("{{url: \"http://{}/\", http_version: 2}}", h2.at),
        format!("{{url: \"http://target.invalid/gzip\", proxy: \"socks5://probe:socks-pw!@{socks}\"}}"),
        format!(
            "{{url: \"http://{}\", steps: [{{url: /gzip, extract: {{v: {{json: $.db.status}}}}}}, {{url: \"/chain/{{{{ v }}}}\"}}]}}",
            target.at
        ),
    ] {
        let probe = build("http", &text);
        let cx = |limit| ProbeCx::new(Instant::now() + limit, Clock::system().now());
        for micros in (0..4_000).step_by(400) {
            let cx = cx(Duration::from_secs(1));
            let _ = timeout(Duration::from_micros(micros), probe.collector.probe(&cx)).await;
        }
        // Nothing of those that were dropped stands in the way of the next.
        let after = probe.collector.probe(&cx(LIMIT)).await;
        assert_eq!(after.verdict, Verdict::Up, "{text}: {after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_and_paths_of_steps_are_linear_and_bounded() {
    let evil = Evil::start().await;
    for (path, extract, want) in [
        ("/as", "{v: {regex: '(?:a+)+$'}}", "the value has 1048576 bytes"),
        ("/as", "{v: {regex: '(?:a+)+b'}}", "the body does not match"),
        ("/deep-json", "{v: {json: $.a}}", "JSON values, which is not parsed"),
        ("/endless", "{v: {json: $.a}}", "raise `max_body`"),
        ("/chain/0", "{v: {header: X-Nothing}}", "no such header"),
        ("/chain/0", "{v: {cookie: nothing}}", "no such cookie"),
    ] {
        let text = format!("{{steps: [{{url: \"{}\", extract: {extract}}}]}}", evil.url(path));
        let got = probe("http", &text, LIMIT).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, "extract"), "{path}: {got:?}");
        let message = &got.reason.as_ref().unwrap().message;
        assert!(message.contains(want), "{path}: {message}");
        assert!(got.evidence.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_holds_on_every_hop_and_through_a_proxy() {
    let evil = Evil::start().await;
    let policy = Policy { public_only: true, allow: vec!["127.0.0.1/32".parse().unwrap()], ..Policy::default() };
    let mut cx = ProbeCx::new(Instant::now() + LIMIT, Clock::system().now());
    cx.policy = Arc::new(policy);
    // Where the options lead is our own doing, and says nothing about the target. Where the target leads is its doing.
    let (ours, its) = (Verdict::Unknown, Verdict::Down);
    for (verdict, text) in [
        (ours, "url: \"http://169.254.169.254/latest/meta-data\"".to_owned()),
        (its, format!("url: \"{}\"", evil.url("/to/169.254.169.254/latest/meta-data"))),
        (its, format!("url: \"{}\"", evil.url("/to/0xa9fea9fe/latest/meta-data"))),
        (its, format!("url: \"{}\"", evil.url("/to/[::ffff:169.254.169.254]/latest/meta-data"))),
        (ours, format!("url: \"http://169.254.169.254/\", proxy: \"http://{}\"", evil.at)),
        (ours, format!("url: \"https://169.254.169.254/\", proxy: \"socks5://{}\"", evil.at)),
        (
            ours,
            format!(
                "url: \"{}\", auth: {{oauth2: {{token_url: \"http://10.0.0.1/\", client_id: a, client_secret: abcd}}}}",
                evil.url("/chain/0")
            ),
        ),
        (ours, format!("url: \"{}\", steps: [{{url: /chain/0}}, {{url: \"http://169.254.169.254/\"}}]", evil.url(""))),
    ] {
        let got = build("http", &format!("{{{text}}}")).collector.probe(&cx).await;
        assert_eq!((got.verdict, class(&got)), (verdict, "blocked_address"), "{text}: {:?}", got.reason);
    }
    let good = build("http", &format!("{{url: \"{}\"}}", evil.url("/chain/0"))).collector.probe(&cx).await;
    assert_eq!(good.verdict, Verdict::Up);
}
