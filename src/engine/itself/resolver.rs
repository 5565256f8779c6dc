//! Whether the name servers of this machine answer at all.
//!
//! They are asked for the name servers of the root, which every resolver knows. No reply means that none
//! is there; a reply that it failed (`SERVFAIL`) means the same of one that answered before, since stub
//! resolvers say so when they reach nobody. Whatever else comes back is an answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Which name servers a machine has.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The system's own resolver asks no more.
const MAX_SERVERS: usize = 3;

/// What a name server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Answer,
    Failed,
    Nothing,
}

/// The name servers, as they were seen so far.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// One of them knew the root once.
    answered: AtomicBool,
    id: AtomicU16,
}

impl Resolver {
    /// Why nothing can be resolved, if so.
    pub(crate) async fn trouble(&self, limit: Duration) -> Option<String> {
        let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
        self.ask(&servers(&text), limit).await
    }

    async fn ask(&self, servers: &[SocketAddr], limit: Duration) -> Option<String> {
        let mut replies: FuturesUnordered<_> = servers.iter().map(|to| self.ask_one(*to, limit)).collect();
        let mut failed = false;
        while let Some(said) = replies.next().await {
            match said {
                Said::Answer => {
                    self.answered.store(true, Ordering::Relaxed);
                    return None;
                }
                Said::Failed => failed = true,
                Said::Nothing => {}
            }
        }
        let list = || servers.iter().map(|s| s.ip().to_string()).collect::<Vec<_>>().join(", ");
        match failed {
            true if !self.answered.load(Ordering::Relaxed) => None,
            true => Some(format!("the name servers of this machine resolve nothing any more ({})", list())),
            false => Some(format!("no name server of this machine answers ({})", list())),
        }
    }

    async fn ask_one(&self, to: SocketAddr, limit: Duration) -> Said {
        let id = self.id.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let ask = async {
            let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { ([0u16; 8], 0).into() };
            let socket = UdpSocket::bind(any).await?;
            // Only datagrams of this server are received then, and its refusals are errors.
            socket.connect(to).await?;
            // Header: id, recursion desired, one question. Question: the root, type NS, class IN.
            let query = [id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
            socket.send(&query).await?;
            let mut reply = [0; 512];
            loop {
                let n = socket.recv(&mut reply).await?;
                if n >= 12 && reply[..2] == id {
                    return std::io::Result::Ok(reply[3] & 0x0f);
                }
            }
        };
        match timeout(limit, ask).await {
            Ok(Ok(2)) => Said::Failed,
            Ok(Ok(_)) => Said::Answer,
            Ok(Err(_)) | Err(_) => Said::Nothing,
        }
    }
}

/// The `nameserver` lines; without any the system asks this machine.
fn servers(conf: &str) -> Vec<SocketAddr> {
    let lines = conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let word = words.next().filter(|w| *w == "nameserver").and_then(|_| words.next())?;
        // An address may bear a zone: `fe80::1%eth0`, which is for the system to understand.
        word.parse::<IpAddr>().ok()
    });
    let mut found: Vec<SocketAddr> = lines.take(MAX_SERVERS).map(|ip| SocketAddr::new(ip, 53)).collect();
    if found.is_empty() {
        found.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_system_reads_them() {
        let found = servers("# old\nsearch x\nnameserver 192.0.2.1\n nameserver 2001:db8::1 \nnameserver z\n");
        let want: Vec<SocketAddr> = ["192.0.2.1:53", "[2001:db8::1]:53"].map(|a| a.parse().unwrap()).into();
        assert_eq!(found, want);
        assert_eq!(servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }

    /// A name server that answers everything with this code; `None`: with nothing.
    async fn server(codes: Vec<Option<u8>>) -> (SocketAddr, crate::task::supervisor::Supervisor) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut group = crate::task::supervisor::Supervisor::new(&tokio_util::sync::CancellationToken::new());
        group.add("name server", |_| async move {
            let mut buf = [0; 512];
            for code in codes {
                let (n, from) = socket.recv_from(&mut buf).await.unwrap();
                assert_eq!(&buf[12..n], [0, 0, 2, 0, 1]);
                let Some(code) = code else { continue };
                buf[2] |= 0x80;
                buf[3] = code;
                socket.send_to(&buf[..n], from).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        (at, group)
    }

    #[tokio::test]
    async fn a_resolver_is_dead_when_none_answers_or_one_that_answered_fails() {
        let limit = Duration::from_secs(5);
        let (at, _group) = server(vec![Some(2), Some(3), Some(2)]).await;
        let resolver = Resolver::default();
        // It never knew the root: it may be one for a few names of its own.
        assert_eq!(resolver.ask(&[at], limit).await, None);
        assert_eq!(resolver.ask(&[at], limit).await, None);
        let text = resolver.ask(&[at], limit).await.unwrap();
        assert_eq!(text, "the name servers of this machine resolve nothing any more (127.0.0.1)");
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = resolver.ask(&[closed], limit).await.unwrap();
        assert_eq!(text, "no name server of this machine answers (127.0.0.1)");
        let (good, _good) = server(vec![Some(0)]).await;
        assert_eq!(resolver.ask(&[closed, good], limit).await, None);
    }
}
