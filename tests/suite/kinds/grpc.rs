//! `grpc` against a server of hyper's HTTP/2. Debian's packages hold no server of gRPC that could be started here.

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
use watchdog::base::outcome::Verdict;
use watchdog::task::supervisor::Supervisor;

use crate::kinds::daemon::{class, probe};

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
        if service != "huge" {
            assert_eq!(value("probe_grpc_status_code", ""), Some(code), "{service}");
        }
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
    drop(hole);
    let got = probe("grpc", &text, Duration::from_secs(5)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "connection_refused"));
}
