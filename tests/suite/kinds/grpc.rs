//! `grpc` against a real etcd, whose server is that of gRPC for Go, and against a server of hyper's HTTP/2 that says what
//! no etcd does.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::task::supervisor::Supervisor;

use crate::evil::tls::Authority;
use crate::kinds::daemon::{Daemon, class, free_port, probe, program};

fn code(outcome: &Outcome) -> f64 {
    outcome.samples.iter().find(|s| s.name == "probe_grpc_status_code").unwrap().value
}

type Answer = Response<StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>>;

/// Answers by the name of the service.
async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    assert_eq!((request.uri().path(), request.version()), ("/grpc.health.v1.Health/Check", http::Version::HTTP_2));
    assert_eq!(request.headers()["te"], "trailers");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let service = String::from_utf8_lossy(body.get(7..).unwrap_or(b"")).into_owned();
    let trailers = |code: &str, message: &str| {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", code.parse().unwrap());
        map.insert("grpc-message", message.parse().unwrap());
        Ok(Frame::trailers(map))
    };
    let data = |bytes: &[u8]| Ok(Frame::data(Bytes::copy_from_slice(bytes)));
    let state = |n: u8| vec![data(&[0, 0, 0, 0, 2, 8, n]), trailers("0", "")];
    let (status, frames) = match service.as_str() {
        "" => (200, state(1)),
        "sick" => (200, state(2)),
        "split" => (200, vec![data(&[0, 0, 0]), data(&[0, 2, 8]), data(&[1]), trailers("0", "")]),
        "gone" => (200, vec![trailers("5", "no%20such service")]),
        "proxy" => (503, Vec::new()),
        "junk" => (200, vec![data(b"hello, world"), trailers("0", "")]),
        _ => (200, vec![data(&[0; 100_000]), trailers("0", "")]),
    };
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    *response.status_mut() = status.try_into().unwrap();
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    Ok(response)
}

async fn server() -> (u16, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = Supervisor::new(&CancellationToken::new());
    tasks.add("grpc", |stop| async move {
        let mut connections = Supervisor::new(&stop);
        while let Ok((stream, _)) = listener.accept().await {
            connections.add("connection", |_| async move {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    (port, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_for_and_judged() {
    let (port, tasks) = server().await;
    for (service, want, code) in [
        ("", (Verdict::Up, ""), 0.0),
        ("split", (Verdict::Up, ""), 0.0),
        ("sick", (Verdict::Down, "grpc_health"), 0.0),
        ("gone", (Verdict::Down, "grpc_status"), 5.0),
        ("proxy", (Verdict::Down, "grpc_status"), 14.0),
        ("junk", (Verdict::Down, "protocol_error"), 0.0),
        ("huge", (Verdict::Down, "too_much"), 14.0),
    ] {
        let text = format!("{{host: \"127.0.0.1:{port}\", service: \"{service}\"}}");
        let got = probe("grpc", &text, Duration::from_secs(5)).await;
        assert_eq!((got.verdict, class(&got)), want, "{service}: {got:?}");
        let value = |name: &str, label: &str| {
            got.samples.iter().find(|s| s.name == name && s.labels.iter().all(|(_, v)| v == label)).map(|s| s.value)
        };
        assert_eq!(value("probe_grpc_status_code", ""), Some(code), "{service}");
        let up = f64::from(u8::from(want.0 == Verdict::Up));
        assert_eq!(value("probe_grpc_healthcheck_response", "SERVING"), Some(up), "{service}");
    }
    drop(tasks);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_speak_http2_is_down() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!("{{host: \"{}\"}}", hole.local_addr().unwrap());
    let got = probe("grpc", &text, Duration::from_millis(300)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "timeout"));
    assert_eq!(code(&got), 4.0);
    drop(hole);
    let got = probe("grpc", &text, Duration::from_secs(5)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "connection_refused"));
    assert_eq!(code(&got), 14.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_etcd_is_asked() {
    let Some(etcd) = program("etcd", "etcd-server") else { return };
    let (port, peer) = (free_port(), free_port());
    let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
    let cluster = format!("default={peers}");
    let args = [
        "--data-dir=data",
        "--listen-client-urls",
        &clients,
        "--advertise-client-urls",
        &clients,
        "--listen-peer-urls",
        &peers,
        "--initial-advertise-peer-urls",
        &peers,
        "--initial-cluster",
        &cluster,
    ];
    let server = Daemon::start(tempfile::tempdir().unwrap(), &etcd, args).listening(port);
    let text = |service: &str| format!("{{host: \"127.0.0.1:{port}\", service: \"{service}\"}}");
    let limit = Duration::from_secs(5);
    let good = probe("grpc", &text(""), limit).await;
    assert_eq!((good.verdict, good.summary.as_str(), code(&good)), (Verdict::Up, "SERVING", 0.0), "{good:?}");
    let unknown = probe("grpc", &text("nobody.knows.It"), limit).await;
    assert_eq!((unknown.verdict, class(&unknown), code(&unknown)), (Verdict::Down, "grpc_status", 5.0), "{unknown:?}");
    let tls = probe("grpc", &format!("{{host: \"127.0.0.1:{port}\", tls: true}}"), limit).await;
    assert_eq!((tls.verdict, class(&tls)), (Verdict::Down, "tls_handshake"), "{tls:?}");
    server.stop();
    let slow = probe("grpc", &text(""), Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow), code(&slow)), (Verdict::Down, "timeout", 4.0), "{slow:?}");
    drop(server);
    let gone = probe("grpc", &text(""), limit).await;
    assert_eq!((gone.verdict, class(&gone), code(&gone)), (Verdict::Down, "connection_refused", 14.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_told_and_may_be_taken() {
    let ca = Authority::new();
    let server = ca.server("localhost", "x", (2999, 1, 1)).await;
    for (tls, want) in [("true", "cert_untrusted"), ("{verify: false}", "protocol_error")] {
        let text = format!("{{host: \"localhost:{}\", ip_version: 4, tls: {tls}}}", server.port);
        let got = probe("grpc", &text, Duration::from_secs(5)).await;
        // What is behind TLS speaks HTTP/1.1, and says so too late.
        assert_eq!(got.verdict, Verdict::Down, "{tls}");
        assert!(
            class(&got) == want || want != "cert_untrusted" && class(&got) == "connection_closed",
            "{tls}: {got:?}"
        );
    }
}
