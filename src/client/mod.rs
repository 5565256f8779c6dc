//! Talks to a running server: requests, and a stream that reconnects by itself.
//!
//! The TUI and every command but those that start the engine reach it through here only. Every wait
//! has a deadline and every reply a size limit: a server that hangs or talks without end costs its
//! client an error, not its life. Texts of a reply are untrusted; whoever shows them makes them safe.

mod dial;
mod request;
mod stream;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::failure::Kind;
use crate::wire::stream::Frame;

pub use crate::client::request::Client;
pub use crate::client::request::path_segment;
pub use crate::client::stream::follow;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP on TCP.
    Tcp(SocketAddr),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "http://{address}"),
        }
    }
}

/// Why a request did not give its reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no server answers at {endpoint}")]
    NoServer {
        /// Where.
        endpoint: String,
        /// What the system said.
        #[source]
        err: std::io::Error,
    },
    /// The server refused, with a reason for people.
    #[error("{message}")]
    Refused {
        /// What sort.
        kind: Kind,
        /// The server's sentence. Untrusted.
        message: String,
        /// What can be done.
        hints: Vec<String>,
    },
    /// The reply is not what this version understands.
    #[error("the server's reply is not understood: {0}")]
    Reply(String),
    /// No reply within the deadline.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
}

/// What the stream reports.
#[derive(Debug)]
pub enum Link {
    /// Trying to connect, `attempt` counting from 1.
    Connecting {
        /// Which try this is.
        attempt: u32,
    },
    /// A frame arrived.
    Frame(Box<Frame>),
    /// The connection failed or ended; the next try starts after `retry_in`.
    Lost {
        /// For the person. Untrusted.
        reason: String,
        /// Tries so far since the last frame.
        attempt: u32,
        /// Pause before the next try unless nudged: 0.2, 0.5, 1, 2, 3, 3 … s.
        retry_in: Duration,
    },
}
