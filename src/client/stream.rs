//! The stream of boards, kept open: connects, reports frames, and connects again for as long as it
//! is wanted.
//!
//! It never decides what a frame means; it only refuses a protocol that it does not speak.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::client::dial::{Wire, authority, dial};
use crate::client::request::refusal;
use crate::client::{Client, ClientError, Link};
use crate::wire::stream::{Frame, PROTOCOL};

/// Pauses between tries, the last one repeated. Short first: a restart takes less than a second.
const RETRY: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// The server sends a heartbeat every second; ten missed ones are an end.
const SILENCE: Duration = Duration::from_secs(10);
/// From connection to the server's agreement to speak WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Largest frame; a snapshot of 10,000 monitors is about 6 MB.
const FRAME_LIMIT: usize = 64 << 20;

/// Follows the server's stream until `stop`, or until nobody receives `links` any more.
///
/// After a loss it tries again by itself. A `nudge` ends the pause before the next try; while
/// connected it drops the connection and opens a new one, which begins with a fresh snapshot.
pub async fn follow(client: Client, links: mpsc::Sender<Link>, nudge: Arc<Notify>, stop: CancellationToken) {
    let work = async {
        let mut attempt = 0;
        let mut losses = 0;
        loop {
            attempt += 1;
            links.send(Link::Connecting { attempt }).await?;
            let end = session(&client, &links, &nudge, &mut || (attempt, losses) = (0, 0)).await?;
            let End::Lost(reason) = end else { continue };
            let retry_in = RETRY[losses.min(RETRY.len() - 1)];
            losses += 1;
            links.send(Link::Lost { reason, attempt, retry_in }).await?;
            tokio::select! {
                () = sleep(retry_in) => {}
                () = nudge.notified() => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        end = work => {
            let Err::<std::convert::Infallible, _>(mpsc::error::SendError(_unheard)) = end;
        }
    }
}

/// How a connection ended.
enum End {
    /// Failed, or ended by the server.
    Lost(String),
    /// Given up because a fresh one was asked for.
    Renew,
}

type Unheard = mpsc::error::SendError<Link>;

/// One connection from its start to its end; `alive` is called when boards arrive.
async fn session(
    client: &Client,
    links: &mpsc::Sender<Link>,
    nudge: &Notify,
    alive: &mut (dyn FnMut() + Send),
) -> Result<End, Unheard> {
    let mut socket = match timeout(HANDSHAKE, connect(client)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(e)) => return Ok(End::Lost(Chain(&e).to_string())),
        Err(_) => return Ok(End::Lost(format!("no answer within {HANDSHAKE:?}"))),
    };
    loop {
        // Reading a message is cancel-safe: a partial one stays in the socket's buffer.
        let message = tokio::select! {
            m = timeout(SILENCE, socket.next()) => m,
            () = nudge.notified() => return Ok(End::Renew),
        };
        let text = match message {
            Err(_) => return Ok(End::Lost(format!("nothing heard for {} s", SILENCE.as_secs()))),
            Ok(None) => return Ok(End::Lost("the server closed the connection".to_owned())),
            Ok(Some(Err(e))) => return Ok(End::Lost(Chain(&e).to_string())),
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(frame)))) => {
                let reason = frame.map(|f| f.reason.to_string()).filter(|r| !r.is_empty());
                return Ok(End::Lost(reason.unwrap_or_else(|| "the server closed the connection".to_owned())));
            }
            // Pings are answered by the library; binary messages are not part of the protocol.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_)))) => continue,
        };
        let frame = match serde_json::from_str::<Frame>(&text) {
            Ok(frame) => frame,
            Err(e) => return Ok(End::Lost(format!("a frame is not understood: {e}"))),
        };
        let end = match &frame {
            Frame::Hello { protocol, version } if *protocol != PROTOCOL => {
                let reason = format!(
                    "the server ({version}) speaks protocol {protocol}, this program ({}) protocol {PROTOCOL}",
                    env!("CARGO_PKG_VERSION")
                );
                // The greeting is passed on: a screen explains more than a reason can.
                Some(End::Lost(reason))
            }
            Frame::Goodbye { reason } => Some(End::Lost(reason.clone())),
            // A greeting alone proves nothing: a server that dies right after it must not be asked
            // again five times a second.
            Frame::Hello { .. } => None,
            Frame::Snapshot { .. } | Frame::Delta(_) | Frame::Heartbeat { .. } => {
                alive();
                None
            }
        };
        links.send(Link::Frame(Box::new(frame))).await?;
        if let Some(end) = end {
            return Ok(end);
        }
    }
}

async fn connect(client: &Client) -> Result<WebSocketStream<Box<dyn Wire>>, ClientError> {
    let wire = dial(client.endpoint()).await?;
    let not_understood = |e: WsError| ClientError::Reply(e.to_string());
    let request = format!("ws://{}/api/v1/stream", authority(client.endpoint())).into_client_request();
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
    let request = request.map_err(not_understood)?;
    match tokio_tungstenite::client_async_with_config(request, wire, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(reply)) => Err(refusal(reply.status(), reply.body().as_deref().unwrap_or_default())),
        Err(e) => Err(not_understood(e)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use futures_util::SinkExt;
    use tokio::net::{UnixListener, UnixStream};

    use super::*;
    use crate::base::time::Timestamp;
    use crate::client::Endpoint;
    use crate::task::supervisor::Supervisor;

    struct Following {
        links: mpsc::Receiver<Link>,
        nudge: Arc<Notify>,
        group: Supervisor,
    }

    fn start(socket: &Path) -> Following {
        let (tx, links) = mpsc::channel(16);
        let nudge = Arc::new(Notify::new());
        let mut group = Supervisor::new(&CancellationToken::new());
        let client = Client::new(Endpoint::Unix(socket.to_owned()));
        let n = Arc::clone(&nudge);
        group.add("follow", |stop| follow(client, tx, n, stop));
        Following { links, nudge, group }
    }

    async fn accept(listener: &UnixListener) -> WebSocketStream<UnixStream> {
        let (io, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(io).await.unwrap()
    }

    async fn say(socket: &mut WebSocketStream<UnixStream>, frame: &Frame) {
        socket.send(Message::text(serde_json::to_string(frame).unwrap())).await.unwrap();
    }

    fn beat(rev: u64) -> Frame {
        Frame::Heartbeat { rev, at: Timestamp::EPOCH }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_three_seconds_and_a_nudge_ends_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut f = start(&dir.path().join("none"));
        for (n, pause) in [200, 500, 1000, 2000, 3000, 3000].into_iter().enumerate() {
            let count = u32::try_from(n).unwrap() + 1;
            assert!(matches!(f.links.recv().await, Some(Link::Connecting { attempt }) if attempt == count));
            let Some(Link::Lost { reason, attempt, retry_in }) = f.links.recv().await else { panic!("not lost") };
            assert!(reason.contains("no server answers"), "{reason}");
            assert_eq!((attempt, retry_in), (count, Duration::from_millis(pause)));
        }
        let before = tokio::time::Instant::now();
        f.nudge.notify_one();
        assert!(matches!(f.links.recv().await, Some(Link::Connecting { attempt: 7 })));
        assert!(before.elapsed() < Duration::from_secs(1));
        assert_eq!(f.group.stop(Duration::from_secs(5)).await, 0);
    }

    #[tokio::test]
    async fn frames_arrive_and_a_lost_server_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut f = start(&path);
        let mut server = accept(&listener).await;
        say(&mut server, &Frame::Hello { protocol: PROTOCOL, version: "1".into() }).await;
        say(&mut server, &beat(1)).await;
        assert!(matches!(f.links.recv().await, Some(Link::Connecting { attempt: 1 })));
        for _ in 0..2 {
            assert!(matches!(f.links.recv().await, Some(Link::Frame(_))));
        }
        say(&mut server, &Frame::Goodbye { reason: "restarting".into() }).await;
        assert!(matches!(f.links.recv().await, Some(Link::Frame(g)) if matches!(*g, Frame::Goodbye { .. })));
        let Some(Link::Lost { reason, attempt: 0, .. }) = f.links.recv().await else { panic!("not lost") };
        assert_eq!(reason, "restarting");
        let mut server = accept(&listener).await;
        say(&mut server, &beat(2)).await;
        assert!(matches!(f.links.recv().await, Some(Link::Connecting { attempt: 1 })));
        assert!(matches!(f.links.recv().await, Some(Link::Frame(_))));
        f.nudge.notify_one();
        assert!(matches!(f.links.recv().await, Some(Link::Connecting { attempt: 1 })), "a nudge renews");
        let _server = accept(&listener).await;
        assert_eq!(f.group.stop(Duration::from_secs(5)).await, 0);
    }

    #[tokio::test]
    async fn another_protocol_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut f = start(&path);
        let mut server = accept(&listener).await;
        say(&mut server, &Frame::Hello { protocol: PROTOCOL + 1, version: "9.9".into() }).await;
        assert!(matches!(f.links.recv().await, Some(Link::Connecting { .. })));
        let Some(Link::Frame(greeting)) = f.links.recv().await else { panic!("no greeting") };
        assert!(matches!(*greeting, Frame::Hello { protocol, .. } if protocol == PROTOCOL + 1));
        let Some(Link::Lost { reason, .. }) = f.links.recv().await else { panic!("not lost") };
        assert!(reason.contains("9.9"), "{reason}");
        assert_eq!(f.group.stop(Duration::from_secs(5)).await, 0);
    }
}
