//! A name server on loopback for tests: says what it is told to, and counts what it is asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// An answer.
pub enum Says {
    /// One address of IPv4 with a time to live, none of IPv6.
    A(&'static str, u32),
    /// Several addresses of IPv4.
    All(Vec<std::net::Ipv4Addr>),
    /// The name has no address.
    Empty,
    /// There is no such name.
    NoName,
    /// SERVFAIL.
    Broken,
    /// REFUSED.
    Refused,
    /// No answer at all.
    Nothing,
}

/// The server; it ends when dropped.
pub struct NameServer {
    /// Where it listens.
    pub at: SocketAddr,
    asked: Arc<Mutex<HashMap<String, usize>>>,
    news: Arc<Notify>,
    _task: JoinSet<()>,
}

impl NameServer {
    /// Starts one that answers by name.
    pub async fn start(says: impl Fn(&str) -> Says + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<HashMap<String, usize>>>::default();
        let news = Arc::<Notify>::default();
        let mut task = JoinSet::new();
        let (counts, tell) = (Arc::clone(&asked), Arc::clone(&news));
        task.spawn(async move {
            let mut bytes = [0; 2048];
            while let Ok((n, from)) = socket.recv_from(&mut bytes).await {
                let Ok(query) = Message::from_vec(&bytes[..n]) else { continue };
                let question = query.queries[0].clone();
                let name = question.name().to_string();
                *counts.lock().unwrap().entry(name.clone()).or_default() += 1;
                let mut answer = query.clone().into_response();
                let v4 = question.query_type() == RecordType::A;
                let add = |answer: &mut Message, ip: std::net::Ipv4Addr, ttl| {
                    if v4 {
                        answer.add_answer(Record::from_rdata(question.name().clone(), ttl, RData::A(A(ip))));
                    }
                };
                match says(&name) {
                    Says::A(ip, ttl) => add(&mut answer, ip.parse().unwrap(), ttl),
                    Says::All(ips) => ips.into_iter().for_each(|ip| add(&mut answer, ip, 60)),
                    Says::Empty => {}
                    Says::NoName => answer.metadata.response_code = ResponseCode::NXDomain,
                    Says::Broken => answer.metadata.response_code = ResponseCode::ServFail,
                    Says::Refused => answer.metadata.response_code = ResponseCode::Refused,
                    Says::Nothing => {
                        tell.notify_one();
                        continue;
                    }
                }
                let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
                tell.notify_one();
            }
        });
        Self { at, asked, news, _task: task }
    }

    /// How often it was asked for a name, which ends in a dot.
    pub fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Waits for the next question.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}
