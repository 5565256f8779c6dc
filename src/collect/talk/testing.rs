//! Peers for tests: they say what they are told to, in turn, and then close or never end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What follows the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The peer says no more, and closes when the other side does.
    Close,
    /// It says the same again and again.
    Flood,
}

/// Listens on loopback. The first of `says` comes unasked, each further one after something was heard.
pub async fn peer(says: Vec<Vec<u8>>, then: Then) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut s, _)) = listener.accept().await {
            let mut told = [0; 4096];
            for (turn, word) in says.iter().enumerate() {
                if turn > 0 && !matches!(s.read(&mut told).await, Ok(1..)) {
                    break;
                }
                let _ = s.write_all(word).await;
            }
            if let (Then::Flood, Some(last)) = (then, says.last()) {
                let many = last.repeat(1 + 4096 / last.len().max(1));
                while s.write_all(&many).await.is_ok() {}
            }
            let _ = s.shutdown().await;
            while matches!(s.read(&mut told).await, Ok(1..)) {}
        }
    });
    (at, tasks)
}
