//! Opens the byte stream to a server: a Unix socket or TCP.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::client::{ClientError, Endpoint};

/// A server on this machine accepts at once, or its queue is full and it is in trouble.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connected byte stream of either kind.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to `endpoint` within a second.
pub(super) async fn dial(endpoint: &Endpoint) -> Result<Box<dyn Wire>, ClientError> {
    let connect = async {
        Ok::<Box<dyn Wire>, io::Error>(match endpoint {
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Requests and heartbeats are small; waiting to merge them only adds delay.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    };
    match timeout(CONNECT_TIMEOUT, connect).await {
        Ok(Ok(wire)) => Ok(wire),
        Ok(Err(err)) => Err(no_server(endpoint, err)),
        Err(_) => Err(no_server(endpoint, io::Error::from(io::ErrorKind::TimedOut))),
    }
}

/// What `Host` says; the server accepts only names of this machine.
pub(super) fn authority(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(_) => "localhost".to_owned(),
        Endpoint::Tcp(address) => address.to_string(),
    }
}

/// Nobody answers, with the system's reason.
pub(super) fn no_server(endpoint: &Endpoint, err: io::Error) -> ClientError {
    ClientError::NoServer { endpoint: endpoint.to_string(), err }
}
