//! Connections through a proxy: requests passed on, `CONNECT`, and SOCKS5 (RFC 1928, RFC 1929). With the first two the
//! proxy may be one that TLS is spoken with.
//!
//! The proxy looks names up. Its credentials go to it alone: in the requests that it passes on and in `CONNECT`,
//! never through a tunnel.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::policy::Policy;
use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::dial::{self, Peer, Route};
use crate::collect::fault::Fault;
use crate::collect::http::auth::basic;
use crate::collect::http::hop::Hop;
use crate::collect::judge::found;
use crate::collect::mask::Mask;
use crate::collect::talk::wire::Stream;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};

/// Of all that a proxy does wrong.
const CLASS: &str = "proxy";
/// Bytes of a proxy's answer to `CONNECT`.
const MAX_HEAD: usize = 16 * 1024;

/// A checked proxy.
#[derive(Debug)]
pub struct Proxy {
    peer: Peer,
    speaks: Speaks,
}

#[derive(Debug)]
enum Speaks {
    Http {
        authorization: Option<Secret<HeaderValue>>,
        /// Further lines of `CONNECT`.
        lines: Secret<Vec<u8>>,
        /// `None` where it is spoken to in the open.
        tls: Option<Box<TlsSpec>>,
    },
    Socks {
        login: Option<Secret<(String, String)>>,
    },
}

/// What else is said about proxies.
#[derive(Debug)]
pub struct Manner {
    /// How TLS is spoken with one.
    pub tls: TlsSpec,
    /// Further lines of `CONNECT`.
    pub lines: Secret<Vec<u8>>,
}

impl Proxy {
    /// From `http://HOST:PORT`, `https://…` or `socks5://…`, perhaps with `USER:PASSWORD@`.
    ///
    /// # Errors
    /// A sentence about the address.
    pub fn parse(text: &str, manner: &Manner, mask: &mut Mask) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|e| format!("is not a URL: {e}"))?;
        let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8_lossy().into_owned();
        let login = (!url.username().is_empty() || url.password().is_some())
            .then(|| (decode(url.username()), decode(url.password().unwrap_or(""))));
        if let Some((_, password)) = &login {
            mask.add(password);
        }
        let (speaks, port) = match url.scheme() {
            scheme @ ("http" | "https") => {
                let authorization = login.map(|(user, password)| Secret::new(basic(&user, &password, mask)));
                let tls = (scheme == "https").then(|| Box::new(manner.tls.clone()));
                let port = if tls.is_some() { 443 } else { 80 };
                (Speaks::Http { authorization, lines: manner.lines.clone(), tls }, port)
            }
            "socks5" | "socks5h" => {
                // RFC 1929 has one byte for each length.
                if login.as_ref().is_some_and(|(u, p)| u.len() > 255 || p.len() > 255 || u.is_empty() || p.is_empty()) {
                    return Err("has a user or password that is empty or longer than 255 bytes".to_owned());
                }
                (Speaks::Socks { login: login.map(Secret::new) }, 1080)
            }
            other => return Err(format!("begins with `{other}:`, which no proxy here speaks")),
        };
        let host = url.host_str().unwrap_or("");
        let peer = Peer::new(host, url.port_or_known_default().unwrap_or(port)).map_err(|e| e.to_string())?;
        Ok(Self { peer, speaks })
    }

    /// Whether it is asked by `CONNECT`.
    pub fn speaks_http(&self) -> bool {
        matches!(self.speaks, Speaks::Http { .. })
    }

    /// Whether its address has a user for HTTP.
    pub fn logs_in(&self) -> bool {
        matches!(self.speaks, Speaks::Http { authorization: Some(_), .. })
    }

    /// Whether TLS is spoken with it.
    pub fn speaks_tls(&self) -> bool {
        matches!(self.speaks, Speaks::Http { tls: Some(_), .. })
    }

    /// The request for a proxy that passes plain requests on; `None` when it only builds tunnels.
    pub fn passes(&self, hop: &Hop) -> Option<Request<Full<Bytes>>> {
        match &self.speaks {
            Speaks::Http { authorization, .. } => {
                Some(hop.request_to_proxy(authorization.as_ref().map(Secret::reveal)))
            }
            Speaks::Socks { .. } => None,
        }
    }

    /// A connection to the proxy itself.
    ///
    /// # Errors
    /// The proxy takes no connection, or the target is one that may not be asked.
    pub async fn connect(&self, hop: &Hop, way: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Stream, Fault> {
        if let Some(why) = refuses(&hop.peer, &cx.policy) {
            return Err(Fault::blocked(why));
        }
        let stream = dial::open_by(&self.peer, way, cx, trace).await.map_err(|fault| self.blame(fault))?;
        let Speaks::Http { tls: Some(tls), .. } = &self.speaks else { return Ok(Stream::Plain(stream)) };
        let shaken = tls.handshake(stream, &self.peer, cx.now, trace).await;
        // What is told of a certificate is told of the target's.
        trace.cert = None;
        shaken.map(|stream| Stream::Tls(Box::new(stream))).map_err(|fault| self.blame(fault))
    }

    /// The same fault as one of this proxy, unless it is one already or nobody was asked.
    fn blame(&self, fault: Fault) -> Fault {
        match fault.class() {
            _ if fault.is_before_peer() => fault,
            CLASS => fault,
            "tls_client_cert" => {
                self.fault(&format!("{}; what this proxy is shown is `proxy_tls.cert_file`", fault.message()))
            }
            _ => self.fault(fault.message()),
        }
    }

    /// The same for a request that it should have passed on, and to which no answer came: TLS is spoken with the proxy
    /// alone, which refuses client certificates only after the handshake, and whose own end of the connection it is.
    pub fn blame_unanswered(&self, fault: Fault) -> Fault {
        match fault.class() {
            "tls_client_cert" | "tls_alert" | "connection_reset" => self.blame(fault),
            _ => fault,
        }
    }

    /// A connection to the target, through the proxy. Counts as the phase `connect`.
    ///
    /// # Errors
    /// The proxy takes no connection, or makes none.
    pub async fn tunnel(&self, hop: &Hop, way: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Stream, Fault> {
        let mut stream = self.connect(hop, way, cx, trace).await?;
        trace.begin(phase::CONNECT);
        self.lead(&mut stream, hop).await.map_err(|fault| self.blame(fault))?;
        trace.end();
        Ok(stream)
    }

    /// Has the proxy connect to the target.
    async fn lead(&self, stream: &mut Stream, hop: &Hop) -> Result<(), Fault> {
        match &self.speaks {
            Speaks::Http { authorization, lines, .. } => {
                let request = connect_request(&hop.peer, authorization.as_ref().map(Secret::reveal), lines.reveal());
                let io = |e: std::io::Error| Fault::io("asking for the target", &e);
                stream.write_all(&request).await.map_err(io)?;
                stream.flush().await.map_err(io)?;
                self.connected(stream).await
            }
            Speaks::Socks { login } => self.socks(stream, &hop.peer, login.as_ref()).await,
        }
    }

    /// Reads the answer to `CONNECT`.
    async fn connected(&self, stream: &mut Stream) -> Result<(), Fault> {
        let mut head = Vec::new();
        let end = loop {
            let n = stream.read_buf(&mut head).await.map_err(|e| Fault::io("reading its answer", &e))?;
            if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if n == 0 || head.len() > MAX_HEAD {
                return Err(self.fault("its answer to CONNECT has no end"));
            }
        };
        let line = String::from_utf8_lossy(&head[..end]);
        let line = line.lines().next().unwrap_or("");
        let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
        match code {
            // The server speaks second, in TLS and in HTTP/2 alike: nothing may have come from it yet.
            Some(200..=299) if head.len() == end => Ok(()),
            Some(200..=299) => Err(self.fault("it sent more than its answer to CONNECT")),
            Some(407) => Err(self.fault("it wants a user and a password (407)")),
            Some(_) => Err(self.fault(&format!("it answered `{}` to CONNECT", found(line)))),
            None => Err(self.fault("its answer to CONNECT is not HTTP")),
        }
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::target(CLASS, format!("the proxy {}: {why}", self.peer))
    }

    async fn socks(
        &self,
        stream: &mut Stream,
        to: &Peer,
        login: Option<&Secret<(String, String)>>,
    ) -> Result<(), Fault> {
        let io = |e: std::io::Error| Fault::io("asking for the target", &e);
        // Version 5; no authentication, or user and password.
        let methods: &[u8] = if login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        stream.write_all(methods).await.map_err(io)?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await.map_err(io)?;
        match (chosen, login) {
            ([5, 0], _) => {}
            ([5, 2], Some(login)) => {
                let (user, password) = login.reveal();
                let mut words = vec![1];
                push_short(&mut words, user.as_bytes());
                push_short(&mut words, password.as_bytes());
                stream.write_all(&words).await.map_err(io)?;
                let mut answer = [0; 2];
                stream.read_exact(&mut answer).await.map_err(io)?;
                if answer[1] != 0 {
                    return Err(self.fault("it refuses the user and the password"));
                }
            }
            ([5, 0xff], _) => return Err(self.fault("it wants another kind of login")),
            _ => return Err(self.fault("it does not speak SOCKS5")),
        }
        let mut request = vec![5, 1, 0];
        match to.host().parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => request.extend([&[1], &ip.octets()[..]].concat()),
            Ok(IpAddr::V6(ip)) => request.extend([&[4], &ip.octets()[..]].concat()),
            Err(_) => {
                request.push(3);
                push_short(&mut request, to.host().as_bytes());
            }
        }
        request.extend(to.port().to_be_bytes());
        stream.write_all(&request).await.map_err(io)?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.map_err(io)?;
        let [version, reply, _, kind] = head;
        if version != 5 {
            return Err(self.fault("it does not speak SOCKS5"));
        }
        if reply != 0 {
            return Err(self.fault(&format!("no connection to {to}: {}", reply_name(reply))));
        }
        // The address it connected from is of no use, but stands before the first byte of the target's.
        let length = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(stream.read_u8().await.map_err(io)?),
            _ => return Err(self.fault("it does not speak SOCKS5")),
        };
        let mut bound = vec![0; length + 2];
        stream.read_exact(&mut bound).await.map_err(io)?;
        Ok(())
    }
}

/// Why a proxy may not be asked for a target. Where a name leads is for the proxy to find out: nothing that is checked
/// here would hold there.
fn refuses(target: &Peer, policy: &Policy) -> Option<String> {
    let of_name = || {
        let host = target.host();
        let why = "a proxy looks it up, and `policy` limits addresses";
        policy.limits_addresses().then(|| format!("where `{host}` leads is not known here: {why}"))
    };
    policy.refuses_port(target.port()).or_else(|| match target.host().parse::<IpAddr>() {
        Ok(ip) => policy.refuses(SocketAddr::new(ip, target.port())),
        Err(_) => of_name(),
    })
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.speaks {
            Speaks::Http { tls: None, .. } => "http",
            Speaks::Http { tls: Some(_), .. } => "https",
            Speaks::Socks { .. } => "socks5",
        };
        write!(f, "{scheme}://{}", self.peer)
    }
}

fn connect_request(to: &Peer, authorization: Option<&HeaderValue>, lines: &[u8]) -> Vec<u8> {
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(value) = authorization {
        request.extend([b"Proxy-Authorization: ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend(lines);
    request.extend(b"\r\n");
    request
}

/// One byte of length, then the bytes. Callers have checked that there are at most 255: names have 253.
fn push_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend(&bytes[..bytes.len().min(255)]);
}

/// RFC 1928, section 6.
fn reply_name(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "it knows no CONNECT",
        8 => "it knows no such address",
        _ => "a failure that SOCKS5 does not define",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_password_is_one() {
        use crate::collect::kinds::testing::build;
        let text = |proxy: &str| format!("{{url: \"http://a/\", proxy: \"{proxy}\"}}");
        let (_, problems) = build("http", &text("socks5://user@p:1"));
        assert!(problems[0].contains("empty or longer"), "{problems:?}");
        let (probe, problems) = build("http", &text("http://user@p:1"));
        assert_eq!(problems, Vec::<String>::new());
        assert!(format!("{:?}", probe.unwrap()).contains("authorization: Some"));
    }

    #[test]
    fn what_tls_refuses_late_is_the_proxys() {
        let manner = Manner { tls: TlsSpec::system(crate::collect::tls::alpn::HTTP1), lines: Secret::new(Vec::new()) };
        let proxy = Proxy::parse("https://p.example:3129", &manner, &mut Mask::default()).unwrap();
        let asks = proxy.blame_unanswered(Fault::target("tls_client_cert", "it asks"));
        let want = "the proxy p.example:3129: it asks; what this proxy is shown is `proxy_tls.cert_file`";
        assert_eq!((asks.class(), asks.message()), ("proxy", want));
        assert_eq!(proxy.blame(asks).message(), want);
        let local = Fault::local("local_files", "none left");
        assert_eq!(proxy.blame(local.clone()), local);
        // What comes after it is the target's, as far as anybody knows.
        assert_eq!(proxy.blame_unanswered(Fault::target("connection_closed", "x")).class(), "connection_closed");
    }

    #[test]
    fn no_proxy_leads_past_the_policy() {
        #[track_caller]
        fn check(policy: &Policy, target: &str, refused: bool) {
            assert_eq!(refuses(&Peer::parse(target).unwrap(), policy).is_some(), refused, "{target}");
        }
        let ports = Policy { ports: vec![443..=443], ..Policy::default() };
        check(&ports, "a.example:443", false);
        check(&ports, "a.example:80", true);
        check(&ports, "10.0.0.1:443", false);
        let public = Policy { public_only: true, ..Policy::default() };
        let deny = Policy { deny: vec!["10.0.0.0/8".parse().unwrap()], ..Policy::default() };
        for policy in [&public, &deny] {
            check(policy, "a.example:443", true);
            check(policy, "10.0.0.1:443", true);
            check(policy, "[::ffff:10.0.0.1]:443", true);
            check(policy, "8.8.8.8:443", false);
        }
    }
}
