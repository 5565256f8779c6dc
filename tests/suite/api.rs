//! The API over real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use watchdog::base::failure::Kind;
use watchdog::client::{Client, ClientError, Endpoint, Link, follow, path_segment};
use watchdog::task::supervisor::Supervisor;
use watchdog::wire::api::{ConfigStatus, Events, HistoryPoint, MonitorDetail, ProbeResult, Reloaded};
use watchdog::wire::board::{Board, MonitorRow, State};
use watchdog::wire::stream::{Delta, Frame, PROTOCOL, apply};

use crate::fake::{Fake, House, board, down, row};
use crate::server::PATIENCE;

/// Sends `request` as it is over TCP and reads until the server closes.
async fn raw(house: &House, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(house.tcp).await.unwrap();
    // The server may refuse and close while we are still sending.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut reply = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut reply)).await.expect("the server did not close");
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let status = reply.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, reply)
}

async fn ask(house: &House, head: &str, body: &str) -> (u16, Value) {
    let request = format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (status, reply) = raw(house, &request).await;
    let body = reply.split_once("\r\n\r\n").map(|(_, b)| b).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn local(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: localhost")
}

#[tokio::test]
async fn every_read_gives_its_wire_type() {
    let house = House::start().await;
    for client in [house.client(), Client::new(Endpoint::Tcp(house.tcp))] {
        assert_eq!(client.get::<Board>("/api/v1/board").await.unwrap().monitors.len(), 4);
        assert_eq!(client.get::<Vec<MonitorRow>>("/api/v1/monitors").await.unwrap().len(), 4);
        let path = format!("/api/v1/monitors/{}", path_segment("shop / 店 (eu)"));
        assert_eq!(client.get::<MonitorDetail>(&path).await.unwrap().row.state, State::Up);
        let history: Vec<HistoryPoint> = client.get(&format!("{path}/history?limit=3")).await.unwrap();
        assert_eq!(history.len(), 3);
        client.post::<_, ProbeResult>(&format!("{path}/run"), &()).await.unwrap();
        assert_eq!(client.get::<Events>("/api/v1/events?limit=1&kind=state").await.unwrap().events.len(), 1);
        assert_eq!(client.get::<ConfigStatus>("/api/v1/config").await.unwrap().problems.len(), 1);
        assert_eq!(client.post::<_, Reloaded>("/api/v1/reload", &()).await.unwrap().added, ["new"]);
        assert!(client.get_text("/metrics").await.unwrap().ends_with("watchdog_up 1\n"));
        let alerts: Value = client.get("/api/v1/alerts").await.unwrap();
        assert_eq!(alerts["data"]["alerts"][0]["state"], "firing");
        let openapi: Value = client.get("/api/v1/openapi.json").await.unwrap();
        assert_eq!(openapi["openapi"], "3.1.0");
    }
    house.stop().await;
}

#[tokio::test]
async fn refusals_are_json_with_the_fitting_status() {
    let house = House::start().await;
    #[track_caller]
    fn check((status, body): (u16, Value), want: u16, kind: &str) {
        assert_eq!((status, &body["status"], &body["errorType"]), (want, &json!("error"), &json!(kind)), "{body}");
        assert!(!body["error"].as_str().unwrap().is_empty());
    }
    check(ask(&house, &local("GET /nope"), "").await, 404, "not_found");
    check(ask(&house, &local("GET /api/v1/board/"), "").await, 404, "not_found");
    check(ask(&house, &local("GET /api/v1/monitors/nope"), "").await, 404, "not_found");
    check(ask(&house, &local("GET /api/v1/reload"), "").await, 405, "bad_data");
    check(ask(&house, &local("GET /api/v1/events?limit=x"), "").await, 400, "bad_data");
    let (status, body) = ask(&house, &local("GET /api/v1/events?limits=1"), "").await;
    assert!(body["error"].as_str().unwrap().starts_with("the query is not understood: limits"), "{body}");
    check((status, body), 400, "bad_data");
    check(ask(&house, &local("GET /api/v1/monitors/%ff"), "").await, 400, "bad_data");
    check(ask(&house, &local("GET /api/v1/stream"), "").await, 426, "bad_data");
    check(ask(&house, &local("POST /api/v1/monitors/nightly/run"), "").await, 409, "execution");
    let push = |token| local(&format!("POST /api/v1/push/db?token={token}")) + "\r\ncontent-type: application/json";
    check(ask(&house, &push("wrong"), "").await, 403, "forbidden");
    check(ask(&house, &local("POST /api/v1/push/db"), "").await, 403, "forbidden");
    check(ask(&house, &push("right"), "{\"status\":\"sideways\"}").await, 400, "bad_data");
    check(ask(&house, &push("right"), "{\"unknown\":1}").await, 400, "bad_data");
    check(ask(&house, &push("panic"), "").await, 500, "internal");
    let (status, body) = ask(&house, &push("broken"), "").await;
    assert!(!body.to_string().contains("/var/secret"), "inner errors stay inside: {body}");
    check((status, body), 500, "internal");
    let (status, _) = ask(&house, &local("HEAD /api/v1/push/db?token=right"), "").await;
    assert_eq!(status, 405);
    assert!(house.engine.pushed.lock().unwrap().is_empty());
    let hint = house.client().get::<Value>("/api/v1/monitors/dbb").await.unwrap_err();
    let ClientError::Refused { kind: Kind::NotFound, hints, .. } = hint else { panic!("{hint:?}") };
    assert_eq!(hints, ["did you mean `db`?"]);
    house.stop().await;
}

#[tokio::test]
async fn reports_come_by_query_and_by_body() {
    let house = House::start().await;
    let bearer =
        local("POST /api/v1/push/night%2Fly") + "\r\nauthorization: Bearer right\r\ncontent-type: application/json";
    assert_eq!(ask(&house, &bearer, r#"{"status":"down","message":"disk full"}"#).await, (200, json!({"ok": true})));
    assert_eq!(ask(&house, &local("GET /api/v1/push/db?token=right&status=down&msg=late"), "").await.0, 200);
    let long = "x".repeat(3_000);
    assert_eq!(ask(&house, &local(&format!("GET /api/v1/push/db?token=right&msg={long}")), "").await.0, 200);
    // `curl -d ''` calls nothing a form.
    let form = local("POST /api/v1/push/db?token=right") + "\r\ncontent-type: application/x-www-form-urlencoded";
    assert_eq!(ask(&house, &form, "").await.0, 200);
    assert_eq!(ask(&house, &form, "status=down").await.0, 415);
    let pushed = std::mem::take(&mut *house.engine.pushed.lock().unwrap());
    assert_eq!(pushed.len(), 4);
    assert_eq!(pushed[0], ("night/ly".to_owned(), down("disk full")));
    assert_eq!(pushed[1], ("db".to_owned(), down("late")));
    assert_eq!(pushed[2].1.message.len(), 1_024);
    house.stop().await;
}

#[tokio::test]
async fn what_a_job_printed_and_what_other_systems_send_may_be_of_any_type() {
    let house = House::start().await;
    let form = |line: &str| local(line) + "\r\ncontent-type: application/x-www-form-urlencoded";
    assert_eq!(ask(&house, &form("POST /api/v1/push/night%2Fly/3?token=right&msg=x"), "a=b\n100%").await.0, 200);
    assert_eq!(ask(&house, &local("GET /api/v1/push/db/start?token=right"), "").await.0, 200);
    assert_eq!(ask(&house, &form("POST /api/v1/push/db/256?token=right"), "").await.0, 400);
    assert_eq!(ask(&house, &form("POST /api/v1/push/db/start?token=wrong"), "").await.0, 403);
    let (_, first) = house.engine.pushed.lock().unwrap()[0].clone();
    assert_eq!((first.exit_code, first.log.as_str(), first.message.as_str()), (Some(3), "a=b\n100%", "x"));
    let (status, said) = ask(&house, &form("POST /api/v1/webhook/ci?token=right&delivery=7"), "four").await;
    assert_eq!((status, said), (200, json!({"ok": true, "events": 4})));
    assert_eq!(ask(&house, &form("POST /api/v1/webhook/ci"), "four").await.0, 403);
    // Without a token or a signature, a foreign page's call is worth nothing; with an origin it is not even read.
    let page = form("POST /api/v1/webhook/ci?token=right") + "\r\norigin: http://evil.example";
    assert_eq!(ask(&house, &page, "four").await.0, 403);
    house.stop().await;
}

#[tokio::test]
async fn foreign_pages_can_do_nothing() {
    let house = House::start().await;
    let own = format!("localhost:{}", house.tcp.port());
    let post = |extra: &str| format!("POST /api/v1/reload HTTP/1.1\r\nhost: {own}{extra}");
    assert_eq!(ask(&house, &post(""), "").await.0, 200, "programs send no origin");
    assert_eq!(ask(&house, &post(&format!("\r\norigin: http://{own}")), "").await.0, 200);
    assert_eq!(ask(&house, &post("\r\norigin: http://evil.example"), "").await.0, 403);
    assert_eq!(ask(&house, &post("\r\norigin: null"), "").await.0, 403);
    assert_eq!(ask(&house, &post("\r\ncontent-type: text/plain"), "{}").await.0, 415);
    assert_eq!(ask(&house, &post("\r\ncontent-type: application/x-www-form-urlencoded"), "a=b").await.0, 415);
    assert_eq!(ask(&house, &post(""), "{}").await.0, 415);
    for host in ["evil.example", "localhost.evil.example:80", "192.0.2.1"] {
        let head = format!("GET /api/v1/board HTTP/1.1\r\nhost: {host}");
        let (status, body) = ask(&house, &head, "").await;
        assert_eq!(status, 403, "{host}");
        assert!(body["error"].as_str().unwrap().contains(host));
    }
    let socket = local("GET /api/v1/stream")
        + "\r\norigin: http://evil.example\r\nupgrade: websocket\r\nsec-websocket-version: 13\
           \r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(ask(&house, &socket, "").await.0, 403);
    let events = local("GET /api/v1/stream") + "\r\naccept: text/event-stream\r\norigin: http://evil.example";
    assert_eq!(ask(&house, &events, "").await.0, 403);
    let (_, reply) = raw(&house, &(local("GET /health") + "\r\nconnection: close\r\n\r\n")).await;
    assert!(!reply.to_lowercase().contains("access-control"), "{reply}");
    assert!(reply.contains("nosniff") && reply.contains("no-store"), "{reply}");
    house.stop().await;
}

#[tokio::test]
async fn bodies_have_a_limit_however_they_are_announced() {
    let house = House::start().await;
    for path in ["/api/v1/push/db?token=right", "/api/v1/reload", "/api/v1/monitors/db/run"] {
        let head = local(&format!("POST {path}")) + "\r\ncontent-type: application/json";
        assert_eq!(raw(&house, &format!("{head}\r\ncontent-length: 1048577\r\n\r\n")).await.0, 413, "{path}");
    }
    let head = local("POST /api/v1/push/db?token=right") + "\r\ncontent-type: application/json";
    let chunks = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000)).repeat(2);
    let (status, _) = raw(&house, &format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")).await;
    assert_eq!(status, 413);
    let (status, _) = raw(&house, &(local("GET /health") + "\r\nx: " + &"y".repeat(200_000) + "\r\n\r\n")).await;
    assert!(matches!(status, 431 | 0), "{status}");
    house.stop().await;
}

/// Real time: a paused clock would jump while the kernel holds the bytes.
#[tokio::test]
async fn half_requests_are_closed_and_keep_nobody_waiting() {
    const HALVES: usize = 40;
    let house = House::start().await;
    let starts = [
        "",
        "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\nGET /health",
        "GET / HT",
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let open = AtomicUsize::new(0);
    let closed = futures_util::future::join_all(starts.iter().cycle().take(HALVES).map(|start| async {
        let mut stream = TcpStream::connect(house.tcp).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        open.fetch_add(1, Ordering::Relaxed);
        let mut unread = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut unread)).await.expect("still open");
        open.fetch_sub(1, Ordering::Relaxed);
    }));
    let good = async {
        let client = house.client();
        let (mut served, mut left) = (false, HALVES);
        while !served || left > 0 {
            let before = open.load(Ordering::Relaxed);
            client.get::<Value>("/health").await.unwrap();
            left = open.load(Ordering::Relaxed);
            // None was closed to make room for it.
            served |= (before, left) == (HALVES, HALVES);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(closed, good);
    house.stop().await;
}

#[tokio::test]
async fn one_source_has_64_connections_and_the_socket_still_answers() {
    let house = House::start().await;
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(house.tcp).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        held.push(stream);
    }
    for _ in 0..6 {
        let (status, body) = raw(&house, &(local("GET /health/live") + "\r\n\r\n")).await;
        assert_eq!(status, 503, "{body}");
        assert!(body.contains("too many connections from 127.0.0.1"), "{body}");
    }
    house.client().get::<Value>("/health").await.unwrap();
    held.clear();
    let again =
        async { while raw(&house, &(local("GET /health/live") + "\r\nconnection: close\r\n\r\n")).await.0 != 200 {} };
    timeout(Duration::from_secs(10), again).await.expect("places are given back");
    house.stop().await;
}

#[tokio::test]
async fn readiness_waits_for_the_first_board() {
    let house = House::with(board(0)).await;
    assert_eq!(ask(&house, &local("GET /health/live"), "").await.0, 200);
    assert_eq!(ask(&house, &local("GET /health/ready"), "").await.0, 503);
    assert_eq!(
        ask(&house, &local("GET /health"), "").await,
        (503, {
            let (_, body) = ask(&house, &local("GET /health"), "").await;
            assert_eq!(body["status"], "starting");
            body
        })
    );
    house.change(|_| {});
    assert_eq!(ask(&house, &local("GET /health/ready"), "").await.0, 200);
    let (status, body) = ask(&house, &local("GET /health"), "").await;
    assert_eq!((status, &body["status"]), (200, &json!("degraded")));
    house.change(|b| b.engine = std::sync::Arc::default());
    assert_eq!(ask(&house, &local("GET /health"), "").await.1["status"], "ok");
    house.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_too() {
    let house = House::start().await;
    let io = hyper_util::rt::TokioIo::new(TcpStream::connect(house.tcp).await.unwrap());
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, conn) =
        hyper::client::conn::http2::handshake::<_, _, http_body_util::Empty<bytes::Bytes>>(executor, io).await.unwrap();
    let ask = async move {
        let mut statuses = Vec::new();
        for host in ["localhost", "evil.example"] {
            let request = http::Request::get(format!("http://{host}/health/live"));
            let reply = sender.send_request(request.body(http_body_util::Empty::new()).unwrap()).await.unwrap();
            statuses.push(reply.status().as_u16());
        }
        statuses
    };
    tokio::select! {
        statuses = ask => assert_eq!(statuses, [200, 403]),
        end = conn => panic!("{end:?}"),
    }
    house.stop().await;
}

async fn stream(house: &House) -> WebSocketStream<UnixStream> {
    let io = UnixStream::connect(house.socket()).await.unwrap();
    tokio_tungstenite::client_async("ws://localhost/api/v1/stream", io).await.unwrap().0
}

async fn frame(socket: &mut WebSocketStream<UnixStream>) -> Option<Frame> {
    loop {
        match timeout(Duration::from_secs(10), socket.next()).await.expect("no frame") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

async fn delta(socket: &mut WebSocketStream<UnixStream>) -> Delta {
    loop {
        match frame(socket).await {
            Some(Frame::Delta(delta)) => return *delta,
            Some(Frame::Heartbeat { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stream_greets_shows_follows_beats_and_says_goodbye() {
    let house = House::start().await;
    let mut socket = stream(&house).await;
    assert!(matches!(frame(&mut socket).await, Some(Frame::Hello { protocol: PROTOCOL, .. })));
    let Some(Frame::Snapshot { board: mut mine }) = frame(&mut socket).await else { panic!("no snapshot") };
    assert_eq!((mine.rev, mine.monitors.len()), (1, 4));
    house.change(|b| {
        b.monitors.remove(0);
        b.monitors.push(std::sync::Arc::new(row("zebra", State::Up)));
    });
    let change = delta(&mut socket).await;
    assert_eq!((change.monitors.len(), change.removed.len(), change.alerts.is_none()), (1, 1, true));
    assert!(apply(&mut mine, change));
    assert_eq!(mine.monitors, house.engine.boards.borrow().monitors);
    assert!(matches!(frame(&mut socket).await, Some(Frame::Heartbeat { rev: 2, .. })));
    let stopped = house.server.stop("shutting down (SIGTERM)");
    let heard = async {
        loop {
            match frame(&mut socket).await {
                Some(Frame::Goodbye { reason }) => break reason,
                Some(Frame::Heartbeat { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let (stuck, reason) = tokio::join!(stopped, heard);
    assert_eq!((stuck, reason.as_str()), (0, "shutting down (SIGTERM)"));
    assert!(frame(&mut socket).await.is_none());
    assert!(!house.dir.path().join("w.sock").exists());
}

#[tokio::test]
async fn boards_come_at_most_ten_times_a_second() {
    let house = House::start().await;
    let mut socket = stream(&house).await;
    frame(&mut socket).await;
    frame(&mut socket).await;
    let begun = Instant::now();
    let (mut rev, mut deltas) = (1, 0);
    while begun.elapsed() < Duration::from_secs(1) {
        for _ in 0..20 {
            house.change(|_| {});
        }
        let change = delta(&mut socket).await;
        assert_eq!(change.from_rev, rev, "deltas join without a gap");
        rev = change.to_rev;
        deltas += 1;
    }
    assert!(deltas <= 11, "{deltas}");
    drop(socket);
    house.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_others_nothing() {
    let mut first = board(1);
    first.monitors = (0..2_000).map(|i| std::sync::Arc::new(row(&format!("m{i:05}"), State::Up))).collect();
    let house = House::with(first).await;
    let mut lazy = stream(&house).await;
    let mut quick = stream(&house).await;
    for _ in 0..2 {
        frame(&mut quick).await;
    }
    for round in 0..20_u64 {
        house.change(|b| {
            for i in 0..2_000 {
                let mut changed = row(&format!("m{i:05}"), State::Up);
                changed.headline = format!("round {round}").into();
                b.monitors[i] = std::sync::Arc::new(changed);
            }
        });
        let change = delta(&mut quick).await;
        assert_eq!(change.monitors.len(), 2_000);
    }
    // The one that slept gets what was on its way, and then the newest board in one step.
    let mut rev = 0;
    let mut frames = 0;
    while rev < 21 {
        frames += 1;
        rev = match frame(&mut lazy).await {
            Some(Frame::Snapshot { board }) => board.rev,
            Some(Frame::Delta(change)) => {
                assert_eq!(change.from_rev, rev);
                change.to_rev
            }
            _ => rev,
        };
    }
    assert!(frames < 10, "{frames} frames were kept for a client that did not read");
    drop((lazy, quick));
    house.stop().await;
}

#[tokio::test]
async fn streams_are_at_most_64_and_server_sent_events_count() {
    let house = House::start().await;
    let mut held = Vec::new();
    for _ in 0..63 {
        held.push(stream(&house).await);
    }
    let mut events = TcpStream::connect(house.tcp).await.unwrap();
    let head = local("GET /api/v1/stream") + "\r\naccept: text/event-stream\r\n\r\n";
    events.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("data: {\"type\":\"heartbeat\"") {
        let mut buffer = [0; 4096];
        let n = timeout(Duration::from_secs(10), events.read(&mut buffer)).await.unwrap().unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(seen.contains("content-type: text/event-stream"));
    assert!(seen.contains("data: {\"type\":\"hello\"") && seen.contains("data: {\"type\":\"snapshot\""));
    let io = UnixStream::connect(house.socket()).await.unwrap();
    let refused = tokio_tungstenite::client_async("ws://localhost/api/v1/stream", io).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    drop((held, events));
    house.stop().await;
}

#[tokio::test]
async fn a_client_finds_the_server_that_was_restarted() {
    let house = House::start().await;
    let (tx, mut links) = mpsc::channel(64);
    let mut group = Supervisor::new(&CancellationToken::new());
    let client = house.client();
    group.add("follow", |stop| follow(client, tx, std::sync::Arc::new(Notify::new()), stop));
    let mut snapshot = async || {
        let until = async {
            loop {
                if let Some(Link::Frame(f)) = links.recv().await
                    && let Frame::Snapshot { board } = *f
                {
                    break board.rev;
                }
            }
        };
        timeout(Duration::from_secs(10), until).await.expect("no snapshot")
    };
    assert_eq!(snapshot().await, 1);
    let House { server, dir, .. } = house;
    server.stop("restart").await;
    let listen = watchdog::api::Listen { socket: Some(dir.path().join("w.sock")), tcp: None };
    let bound = watchdog::api::bind(&listen).await.unwrap();
    let second = bound.serve(Fake::new(board(5)), watchdog::base::clock::Clock::system());
    assert_eq!(snapshot().await, 5);
    assert_eq!(group.stop(Duration::from_secs(5)).await, 0);
    assert_eq!(second.stop("test is over").await, 0);
}

#[tokio::test]
async fn a_client_gives_a_silent_server_up_after_ten_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let (tx, mut links) = mpsc::channel(8);
    let mut group = Supervisor::new(&CancellationToken::new());
    let client = Client::new(Endpoint::Unix(path));
    group.add("follow", |stop| follow(client, tx, std::sync::Arc::new(Notify::new()), stop));
    let _silent = tokio_tungstenite::accept_async(listener.accept().await.unwrap().0).await.unwrap();
    let begun = Instant::now();
    let lost = async {
        loop {
            if let Some(Link::Lost { reason, .. }) = links.recv().await {
                break reason;
            }
        }
    };
    let reason = timeout(Duration::from_secs(15), lost).await.unwrap();
    assert!(reason.contains("10 s") && begun.elapsed() > Duration::from_secs(9), "{reason}");
    assert_eq!(group.stop(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn the_owner_is_never_locked_out_by_tcp_streams() {
    let house = House::start().await;
    let mut held = Vec::new();
    for _ in 0..48 {
        let mut events = TcpStream::connect(house.tcp).await.unwrap();
        let head = local("GET /api/v1/stream") + "\r\naccept: text/event-stream\r\n\r\n";
        events.write_all(head.as_bytes()).await.unwrap();
        assert!(events.read(&mut [0; 512]).await.unwrap() > 0);
        held.push(events);
    }
    let head = local("GET /api/v1/stream") + "\r\naccept: text/event-stream";
    assert_eq!(ask(&house, &head, "").await.0, 503);
    assert!(matches!(frame(&mut stream(&house).await).await, Some(Frame::Hello { .. })));
    drop(held);
    house.stop().await;
}

#[tokio::test]
async fn nobody_at_the_socket_is_told_apart_from_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Endpoint::Unix(dir.path().join("none.sock")));
    assert!(matches!(client.get::<Value>("/health").await, Err(ClientError::NoServer { .. })));
}
