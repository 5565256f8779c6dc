//! `websocket` against a real websocketd, and against peers whose frames are wrong.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::task::supervisor::Supervisor;

use crate::evil::tls::Authority;
use crate::kinds::daemon::{Daemon, free_port, probe, program};

const LIMIT: Duration = Duration::from_secs(5);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_websocketd_talks() {
    let Some(websocketd) = program("websocketd", "websocketd") else { return };
    let port = free_port();
    let port_text = format!("--port={port}");
    let args = [port_text.as_str(), "--address=127.0.0.1", "--origin=good.example", "cat"];
    let server = Daemon::start(tempfile::tempdir().unwrap(), &websocketd, args).listening(port);
    let text = |origin: &str, more: &str| {
        format!("{{url: \"ws://127.0.0.1:{port}/\", headers: {{Origin: \"http://{origin}\"}}{more}}}")
    };
    let talk = ", steps: [{send: \"hello\\n\"}, {expect: '^hel(lo)', send: \"$1\\n\"}, {expect: ^lo}]";
    let good = probe("websocket", &text("good.example", talk), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.samples.iter().any(|s| s.name == "probe_websocket_ping_duration_seconds"));
    let other = probe("websocket", &text("bad.example", talk), LIMIT).await;
    assert_eq!((other.verdict, class(&other)), (Verdict::Down, "status"), "{other:?}");
    assert!(other.reason.as_ref().unwrap().message.contains("403"), "{other:?}");
    let wrong = probe(
        "websocket",
        &text("good.example", ", send: \"a\\n\", expect: {contains: b}"),
        Duration::from_millis(500),
    )
    .await;
    assert_eq!((wrong.verdict, class(&wrong)), (Verdict::Down, "answer"), "{wrong:?}");
    server.stop();
    let slow = probe("websocket", &text("good.example", talk), Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"));
    drop(server);
    let gone = probe("websocket", &text("good.example", talk), LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"));
}

/// Upgrades, and then says `first` once and `again` for ever.
async fn peer(first: Vec<u8>, again: Vec<u8>) -> (String, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("peer", |_| async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
            let head = String::from_utf8_lossy(&head).into_owned();
            let Some(key) =
                head.lines().find_map(|l| l.to_lowercase().starts_with("sec-websocket-key:").then(|| l[18..].trim()))
            else {
                continue;
            };
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            // A probe that hangs up is what most of this provokes.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.write_all(&first).await;
            while !again.is_empty() && stream.write_all(&again).await.is_ok() {}
            // What is held open is waited for; what has hung up is gone.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    (url, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_wrong_get_the_right_verdict() {
    let close = |reason: &[u8]| {
        let payload = [&1000_u16.to_be_bytes()[..], reason].concat();
        [vec![0x88, u8::try_from(payload.len()).unwrap()], payload].concat()
    };
    for (what, first, again, want) in [
        ("2^63 bytes", vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], vec![], &["too_much", "protocol_error"][..]),
        ("2^40 bytes", vec![0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], vec![], &["too_much"]),
        ("masked", vec![0x81, 0x82, 1, 2, 3, 4, b'h', b'i'], vec![], &["protocol_error"]),
        ("reserved bits", vec![0xf1, 1, b'x'], vec![], &["protocol_error"]),
        ("reserved opcode", vec![0x83, 1, b'x'], vec![], &["protocol_error"]),
        ("a continuation of nothing", vec![0x80, 1, b'x'], vec![], &["protocol_error"]),
        ("no UTF-8", vec![0x81, 2, 0xc3, 0x28], vec![], &["protocol_error"]),
        ("a ping in fragments", vec![0x09, 1, b'x'], vec![], &["protocol_error"]),
        (
            "fragments without end",
            vec![0x01, 1, b'x'],
            [0x00, 100].into_iter().chain([b'x'; 100]).collect(),
            &["too_much"],
        ),
        ("empty fragments without end", vec![0x01, 1, b'x'], [0x00, 0].repeat(1000), &["timeout", "too_much"]),
        ("pings without end", vec![], [0x89, 1, b'x'].repeat(1000), &["timeout"]),
        ("messages without end", vec![], [0x81, 1, b'x'].repeat(1000), &["too_much"]),
        ("a close with escapes", close(b"\x1b[2J\xe2\x80\xae"), vec![], &["closed"]),
        ("a close without UTF-8", close(&[0xff, 0xfe]), vec![], &["protocol_error", "closed"]),
        ("a close of one byte", vec![0x88, 1, 3], vec![], &["protocol_error", "closed"]),
    ] {
        let (url, _tasks) = peer(first, again).await;
        let start = tokio::time::Instant::now();
        let got =
            probe("websocket", &format!("{{url: \"{url}\", expect: {{contains: never}}}}"), Duration::from_secs(1))
                .await;
        assert_eq!(got.verdict, Verdict::Down, "{what}");
        assert!(want.contains(&class(&got)), "{what}: {got:?}");
        assert!(start.elapsed() < Duration::from_millis(1_500), "{what}");
        let bytes: usize = got.evidence.iter().flat_map(|e| &e.items).map(|(_, text)| text.len()).sum();
        assert!(bytes < 32 * 1024, "{what}: evidence of {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_told_and_may_be_taken() {
    let ca = Authority::new();
    let server = ca.server("localhost", "x", (2999, 1, 1)).await;
    for (tls, want) in [
        (String::new(), "cert_untrusted"),
        (", tls: {verify: false}".to_owned(), "status"),
        (format!(", tls: {{ca_file: {}}}", ca.file.path().display()), "status"),
    ] {
        let text = format!("{{url: \"wss://localhost:{}/\", ip_version: 4{tls}}}", server.port);
        let got = probe("websocket", &text, LIMIT).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, want), "{tls}: {got:?}");
    }
}
