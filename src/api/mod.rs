//! The HTTP interface of a running engine, on a Unix socket and on loopback TCP.
//!
//! It translates and guards; it decides nothing about monitoring. Every connection, header, body and
//! reply has a limit in size and time, so that no client can slow the engine or another client. On
//! TCP, where a browser could be tricked into asking for us, names and origins are checked.

mod accept;
mod alertmanager;
mod body;
mod guard;
mod listen;
mod problem;
mod prometheus;
mod routes;
mod stall;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::engine::handle::Engine;
use crate::task::supervisor::Supervisor;

pub use crate::api::listen::{Bound, Listen, bind, check_listen};

/// Streams served at once; each holds at most one frame.
const STREAMS: usize = 64;
/// Streams that TCP clients may take of these; the rest is for the owner at the socket.
const TCP_STREAMS: usize = 48;
/// Memory for bodies of pushes that have arrived, in KiB: a crowd of large ones is told to come again.
const BODY_MEMORY: usize = 192 << 10;
/// How long connections may take to finish after the goodbye.
const GRACE: Duration = Duration::from_secs(3);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, known by the kernel's word.
    Unix {
        /// Its effective user.
        uid: u32,
    },
    /// A TCP client, of whom only the address is known.
    Tcp(SocketAddr),
}

/// What handlers share. Cheap to clone.
#[derive(Clone)]
struct App {
    engine: Arc<dyn Engine>,
    clock: Clock,
    snapshots: Arc<routes::board::Snapshots>,
    upgrades: mpsc::Sender<routes::stream::Upgraded>,
    streams: Arc<Semaphore>,
    tcp_streams: Arc<Semaphore>,
    /// Memory for bodies, in KiB.
    memory: Arc<Semaphore>,
    closing: Arc<Closing>,
}

/// Tells streams that the server goes away, and why.
#[derive(Debug, Default)]
struct Closing {
    token: CancellationToken,
    reason: OnceLock<String>,
}

/// The running interface. Dropping it aborts its tasks; [`stop`](Self::stop) ends it politely.
#[derive(Debug)]
pub struct Server {
    group: Supervisor,
    closing: Arc<Closing>,
    socket: Option<listen::SocketFile>,
}

impl Bound {
    /// Starts to answer with what `engine` says. Connections made since [`bind`] have waited for this.
    pub fn serve(self, engine: Arc<dyn Engine>, clock: Clock) -> Server {
        let closing = Arc::new(Closing::default());
        // When full, an upgrade waits; permits keep it from ever holding more than one per stream.
        let (upgrades, upgraded) = mpsc::channel(STREAMS);
        let app = App {
            engine,
            clock,
            snapshots: Arc::default(),
            upgrades,
            streams: Arc::new(Semaphore::new(STREAMS)),
            tcp_streams: Arc::new(Semaphore::new(TCP_STREAMS)),
            memory: Arc::new(Semaphore::new(BODY_MEMORY)),
            closing: Arc::clone(&closing),
        };
        let router = routes::router(app);
        let mut group = Supervisor::new(&CancellationToken::new());
        group.add("api streams", |stop| routes::stream::run(upgraded, stop, GRACE));
        if let Some(unix) = self.unix {
            let router = router.clone();
            group.add("api unix", |stop| accept::run(accept::Listener::Unix(unix), router, stop, GRACE));
        }
        if let Some(tcp) = self.tcp {
            group.add("api tcp", |stop| accept::run(accept::Listener::Tcp(tcp), router, stop, GRACE));
        }
        Server { group, closing, socket: self.file }
    }
}

impl Server {
    /// The Unix socket, when there is one.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(listen::SocketFile::path)
    }

    /// Says goodbye to streams, lets running requests finish for a few seconds, and removes the
    /// socket if it is still ours. Returns how many tasks had to be aborted.
    pub async fn stop(self, reason: &str) -> usize {
        // Only the first reason counts, and `stop` consumes the server: this cannot fail.
        let _ = self.closing.reason.set(reason.to_owned());
        self.closing.token.cancel();
        let stuck = self.group.stop(GRACE + Duration::from_secs(1)).await;
        drop(self.socket);
        stuck
    }
}
