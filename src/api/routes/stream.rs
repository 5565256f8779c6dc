//! `GET /api/v1/stream`: the board, then what changed, as WebSocket or as server-sent events.
//!
//! Each client has its own [`Feed`], which remembers the board that this client has. A slow client
//! asks its feed less often and so skips boards; nothing is ever queued for it beyond one frame.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::problem::ApiError;
use crate::api::stall::WRITE_STALL;
use crate::api::{App, Peer};
use crate::base::failure::{Failure, Kind};
use crate::task::supervisor::Supervisor;
use crate::wire::board::Board;
use crate::wire::stream::{Frame, PROTOCOL, diff};

/// Least time between two boards for one client.
const PACE: Duration = Duration::from_millis(100);
/// Time without a change after which a heartbeat is sent.
const BEAT: Duration = Duration::from_secs(1);
/// Rows whose writing takes longer than a thread that serves others should be held.
const MANY: usize = 200;
/// Clients have nothing to say but control frames.
const CLIENT_MESSAGE: usize = 4 << 10;

/// A WebSocket whose upgrade is done, on its way to the task group that owns it.
pub(in crate::api) struct Upgraded {
    socket: WebSocket,
    feed: Feed,
    place: Place,
}

/// One of the streams that may be open.
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_tcp: Option<OwnedSemaphorePermit>,
}

/// Owns the tasks of all WebSockets. The library's own task only hands the socket over.
pub(in crate::api) async fn run(mut upgraded: mpsc::Receiver<Upgraded>, stop: CancellationToken, grace: Duration) {
    let mut group = Supervisor::new(&CancellationToken::new());
    loop {
        let next = tokio::select! {
            u = upgraded.recv() => u,
            () = stop.cancelled() => None,
        };
        let Some(Upgraded { socket, feed, place }) = next else { break };
        group.reap();
        group.add("api stream", |_| async move {
            converse(socket, feed).await;
            drop(place);
        });
    }
    // Each feed ends by itself after its goodbye.
    group.stop(grace).await;
}

pub(super) async fn stream(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let Some(place) = take_place(&app, request.extensions().get()) else {
        let message = "as many streams are open as there may be";
        return Err(ApiError::new(Failure::text(Kind::Unavailable, message)));
    };
    let feed = Feed::new(&app);
    let wants_events = request
        .headers()
        .get_all(ACCEPT)
        .iter()
        .any(|v| v.to_str().is_ok_and(|v| v.split(',').any(|kind| kind.trim().starts_with("text/event-stream"))));
    if wants_events {
        return Ok(events(feed, place));
    }
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => Ok(websocket(upgrade, app, feed, place)),
        Err(e) => Err(not_a_websocket(&e)),
    }
}

fn take_place(app: &App, peer: Option<&Peer>) -> Option<Place> {
    let of_tcp = match peer {
        Some(Peer::Unix { .. }) => None,
        Some(Peer::Tcp(_)) | None => Some(Arc::clone(&app.tcp_streams).try_acquire_owned().ok()?),
    };
    Some(Place { _of_all: Arc::clone(&app.streams).try_acquire_owned().ok()?, _of_tcp: of_tcp })
}

fn not_a_websocket(e: &axum::extract::ws::rejection::WebSocketUpgradeRejection) -> ApiError {
    let failure = Failure::text(Kind::Usage, format!("not a WebSocket request: {}", e.body_text()));
    let failure = failure.hint("for server-sent events send `accept: text/event-stream`");
    ApiError::with_status(StatusCode::UPGRADE_REQUIRED, failure)
}

fn websocket(upgrade: WebSocketUpgrade, app: App, feed: Feed, place: Place) -> Response {
    upgrade
        .max_message_size(CLIENT_MESSAGE)
        .max_frame_size(CLIENT_MESSAGE)
        .read_buffer_size(CLIENT_MESSAGE)
        .write_buffer_size(0)
        .on_upgrade(async move |socket| {
            // Fails only when the server has stopped; then the socket is closed by dropping it.
            let _ = app.upgrades.send(Upgraded { socket, feed, place }).await;
        })
}

/// One WebSocket client until either side ends it.
async fn converse(socket: WebSocket, mut feed: Feed) {
    let (mut sink, mut source) = socket.split();
    loop {
        // Both arms are cancel-safe: a feed changes only when it yields, and the socket keeps a
        // partial message in its buffer.
        let frame = tokio::select! {
            frame = feed.next() => frame,
            said = source.next() => match said {
                // Nothing a client says has a meaning; pings are answered by the library.
                Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        };
        let message = match frame {
            Some(json) => text(json),
            None => Message::Close(Some(CloseFrame { code: close_code::AWAY, reason: Utf8Bytes::from_static("") })),
        };
        let last = matches!(message, Message::Close(_));
        if !matches!(timeout(WRITE_STALL, sink.send(message)).await, Ok(Ok(()))) || last {
            return;
        }
    }
}

fn text(json: Bytes) -> Message {
    // JSON is UTF-8 by construction.
    Message::Text(Utf8Bytes::try_from(json).unwrap_or_default())
}

/// The same frames as server-sent events, one `data:` line each.
fn events(feed: Feed, place: Place) -> Response {
    let stream = futures_util::stream::unfold((feed, place), async |(mut feed, place)| {
        let json = feed.next().await?;
        let mut event = Vec::with_capacity(json.len() + 8);
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(&json);
        event.extend_from_slice(b"\n\n");
        Some((Ok::<_, Infallible>(Bytes::from(event)), (feed, place)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

/// The frames for one client.
struct Feed {
    app: App,
    boards: watch::Receiver<Arc<Board>>,
    stage: Stage,
    /// The board that the client has.
    sent: Option<Arc<Board>>,
    /// Before this, no board is sent.
    not_before: Instant,
    /// At this time, a heartbeat is due.
    beat_at: Instant,
}

enum Stage {
    Greeting,
    Running,
    Over,
}

impl Feed {
    fn new(app: &App) -> Self {
        let now = Instant::now();
        Self {
            app: app.clone(),
            boards: app.engine.board(),
            stage: Stage::Greeting,
            sent: None,
            not_before: now,
            beat_at: now + BEAT,
        }
    }

    /// The next frame as JSON, when it is due; `None` after the goodbye. Cancel-safe.
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Over => return None,
            Stage::Greeting => {
                self.stage = Stage::Running;
                return json(&Frame::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() });
            }
            Stage::Running => {}
        }
        loop {
            let board = Arc::clone(&self.boards.borrow_and_update());
            // A board of revision 0 is what there is before the first one.
            let news = board.rev > 0 && !self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, &board));
            tokio::select! {
                biased;
                () = self.app.closing.token.cancelled() => return self.goodbye(),
                () = sleep_until(self.not_before), if news => return self.bring().await,
                changed = self.boards.changed(), if !news => if changed.is_err() {
                    return self.goodbye();
                },
                () = sleep_until(self.beat_at), if !news => return self.beat(),
            }
        }
    }

    /// The newest board, which may be newer than the one that was waited with.
    async fn bring(&mut self) -> Option<Bytes> {
        let board = Arc::clone(&self.boards.borrow_and_update());
        let frame = match &self.sent {
            Some(sent) => {
                let delta = diff(sent, &board);
                let many = delta.monitors.len() > MANY;
                let frame = Frame::Delta(Box::new(delta));
                // Cancelled here, nothing is lost: the next call begins again from `sent`.
                if many { tokio::task::spawn_blocking(move || json(&frame)).await.ok()? } else { json(&frame) }
            }
            None => self.app.snapshots.frame(&board).await.ok(),
        };
        let now = Instant::now();
        self.not_before = now + PACE;
        self.beat_at = now + BEAT;
        self.sent = Some(board);
        frame
    }

    fn beat(&mut self) -> Option<Bytes> {
        self.beat_at = Instant::now() + BEAT;
        let rev = self.sent.as_ref().map_or(0, |b| b.rev);
        json(&Frame::Heartbeat { rev, at: self.app.clock.now() })
    }

    fn goodbye(&mut self) -> Option<Bytes> {
        self.stage = Stage::Over;
        let reason = self.app.closing.reason.get().cloned().unwrap_or_else(|| "the engine has stopped".to_owned());
        json(&Frame::Goodbye { reason })
    }
}

fn json(frame: &Frame) -> Option<Bytes> {
    match serde_json::to_vec(frame) {
        Ok(bytes) => Some(bytes.into()),
        Err(e) => {
            // Frames hold no map with keys other than text; it would be our mistake, and ends the stream.
            tracing::error!(error = %e, "a frame could not be written");
            None
        }
    }
}
