//! How protocols that begin in the open are asked for TLS.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::judge::found;
use crate::collect::talk::wire::{Wire, closed};

/// Lines that one reply may have.
const MAX_REPLY: usize = 100;

/// The protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    /// RFC 3207.
    Smtp,
    /// RFC 9051, section 6.2.1.
    Imap,
    /// RFC 2595.
    Pop3,
    /// RFC 4513, section 3.
    Ldap,
    /// RFC 4217.
    Ftp,
    /// The `SSLRequest` of PostgreSQL's protocol.
    Postgres,
    /// `CLIENT_SSL` of MySQL's and MariaDB's.
    Mysql,
    /// RFC 6120, section 5.
    Xmpp,
}

impl StartTls {
    /// All of them, as written.
    pub const ALL: [(&'static str, Self); 8] = [
        ("smtp", Self::Smtp),
        ("imap", Self::Imap),
        ("pop3", Self::Pop3),
        ("ldap", Self::Ldap),
        ("ftp", Self::Ftp),
        ("postgres", Self::Postgres),
        ("mysql", Self::Mysql),
        ("xmpp", Self::Xmpp),
    ];

    /// Reads a name.
    ///
    /// # Errors
    /// A sentence for the person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, this)| *this).ok_or_else(|| format!("`{text}` is no protocol with STARTTLS"))
    }

    /// The port on which it is commonly spoken.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ldap => 389,
            Self::Ftp => 21,
            Self::Postgres => 5432,
            Self::Mysql => 3306,
            Self::Xmpp => 5222,
        }
    }

    /// Says what must be said until the peer has agreed to TLS. `host` is whom we want to reach.
    ///
    /// # Errors
    /// The peer does not agree, or speaks another protocol.
    pub async fn ask<S>(self, wire: &mut Wire<'_, S>, host: &str) -> Result<(), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Smtp => smtp(wire).await,
            Self::Imap => tagged(wire, "* OK", "a1 STARTTLS\r\n", "a1 ").await,
            Self::Pop3 => tagged(wire, "+OK", "STLS\r\n", "").await,
            Self::Ldap => ldap(wire).await,
            Self::Ftp => {
                reply_of(wire, 220, "greeting").await?;
                wire.send(b"AUTH TLS\r\n").await?;
                reply_of(wire, 234, "AUTH TLS").await.map(drop)
            }
            Self::Postgres => postgres(wire).await,
            Self::Mysql => mysql(wire).await,
            Self::Xmpp => xmpp(wire, host).await,
        }
    }
}

fn no_starttls(said: &str) -> Fault {
    Fault::target("starttls", format!("the peer does not offer TLS here; it says: {}", found(said)))
}

/// A reply of SMTP or FTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Its lines without the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// As one line, for people.
    pub fn shown(&self) -> String {
        found(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

/// Reads a reply of one or several lines (RFC 5321, section 4.2; RFC 959, section 4.2).
///
/// # Errors
/// The connection ended, or something else was said.
pub async fn reply<S>(wire: &mut Wire<'_, S>) -> Result<Reply, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = Vec::new();
    let mut first = None;
    loop {
        let line = wire.line().await?;
        let code = line.get(..3).and_then(|c| c.parse::<u16>().ok()).filter(|c| (100..=599).contains(c));
        let last = !matches!(line.as_bytes().get(3), Some(b'-'));
        match (first, code) {
            (None, None) => return Err(wrong(&line)),
            (None, Some(code)) => first = Some(code),
            (Some(_), _) => {}
        }
        // FTP leaves the code out of lines between; only the first code with a space ends the reply.
        let ends = last && code == first;
        lines.push(line.get(4..).filter(|_| code.is_some()).unwrap_or("").to_owned());
        if let (Some(code), true) = (first, ends) {
            return Ok(Reply { code, lines });
        }
        if lines.len() > MAX_REPLY {
            return Err(Fault::target("protocol_error", format!("a reply has more than {MAX_REPLY} lines")));
        }
    }
}

/// What is not the protocol that was asked for.
pub fn wrong(said: &str) -> Fault {
    Fault::target("protocol_error", format!("the peer speaks another protocol: {}", found(said)))
}

/// Reads a reply that must have this code; `what` is what it answers.
///
/// # Errors
/// It has another.
pub async fn reply_of<S>(wire: &mut Wire<'_, S>, code: u16, what: &str) -> Result<Reply, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reply = reply(wire).await?;
    match reply.code == code {
        true => Ok(reply),
        false if matches!(what, "STARTTLS" | "AUTH TLS") => Err(no_starttls(&reply.shown())),
        false => Err(Fault::target("answer", format!("{what}: {}", reply.shown()))),
    }
}

async fn smtp<S>(wire: &mut Wire<'_, S>) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    reply_of(wire, 220, "greeting").await?;
    wire.send(b"EHLO watchdog.invalid\r\n").await?;
    let offers = reply_of(wire, 250, "EHLO").await?;
    if !offers.lines.iter().any(|l| l.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(no_starttls(&offers.shown()));
    }
    wire.send(b"STARTTLS\r\n").await?;
    reply_of(wire, 220, "STARTTLS").await.map(drop)
}

/// IMAP and POP3: a greeting, a command, a line that begins with the tag and says OK.
async fn tagged<S>(wire: &mut Wire<'_, S>, greeting: &str, command: &str, tag: &str) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = wire.line().await?;
    if !hello.get(..greeting.len()).is_some_and(|start| start.eq_ignore_ascii_case(greeting)) {
        return Err(wrong(&hello));
    }
    wire.send(command.as_bytes()).await?;
    for _ in 0..MAX_REPLY {
        let line = wire.line().await?;
        let Some(answer) = line.strip_prefix(tag) else { continue };
        let ok = ["OK", "+OK"].iter().any(|ok| answer.get(..ok.len()).is_some_and(|s| s.eq_ignore_ascii_case(ok)));
        return if ok { Ok(()) } else { Err(no_starttls(&line)) };
    }
    Err(Fault::target("protocol_error", "the peer does not answer STARTTLS"))
}

/// `ExtendedRequest` with the name 1.3.6.1.4.1.1466.20037, message 1.
const LDAP_STARTTLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

async fn ldap<S>(wire: &mut Wire<'_, S>) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    wire.send(LDAP_STARTTLS).await?;
    let head = wire.exactly(2).await?;
    if head[0] != 0x30 {
        return Err(wrong(&String::from_utf8_lossy(&head)));
    }
    // X.690, section 8.1.3: a length is one byte, or a count of the bytes that hold it.
    let length = match head[1] {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x82 => {
            wire.exactly(usize::from(long & 0x7f)).await?.iter().fold(0, |n, b| (n << 8) | usize::from(*b))
        }
        _ => return Err(Fault::target("protocol_error", "an answer of LDAP that is too long")),
    };
    let body = wire.exactly(length).await?;
    // INTEGER message, then [APPLICATION 24] with ENUMERATED resultCode as its first element.
    let answer = body.windows(3).position(|w| w[..2] == [0x0a, 0x01]);
    match answer.and_then(|at| body.get(at + 2)) {
        Some(0) if body.contains(&0x78) => Ok(()),
        Some(code) => Err(no_starttls(&format!("LDAP result {code}"))),
        None => Err(Fault::target("protocol_error", "an answer that is not LDAP's")),
    }
}

async fn postgres<S>(wire: &mut Wire<'_, S>) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    wire.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
    match wire.exactly(1).await?[0] {
        b'S' => Ok(()),
        b'N' => Err(no_starttls("N")),
        other => Err(wrong(&char::from(other).to_string())),
    }
}

/// `CLIENT_SSL` among the capabilities.
const MYSQL_SSL: u32 = 0x0800;
/// What a client says at least: protocol 4.1 (0x200), secure connection (0x8000), plugin auth (0x80000), TLS.
const MYSQL_CLIENT: u32 = 0x0008_8200 | MYSQL_SSL;

async fn mysql<S>(wire: &mut Wire<'_, S>) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let greeting = mysql_greeting(wire).await?;
    match greeting[0] {
        10 => mysql_request(wire, &greeting).await,
        // An error instead of a greeting, such as too many connections; its text follows the number.
        0xff => Err(Fault::target("answer", found(&String::from_utf8_lossy(greeting.get(3..).unwrap_or(&[]))))),
        _ => Err(wrong(&String::from_utf8_lossy(&greeting))),
    }
}

/// Reads what a server of MySQL's protocol says first: at least one byte.
///
/// # Errors
/// The connection ended, or something else was said.
pub async fn mysql_greeting<S>(wire: &mut Wire<'_, S>) -> Result<Vec<u8>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = wire.exactly(4).await?;
    let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
    match (1..=4096).contains(&length) {
        true => wire.exactly(length).await,
        // The first bytes of another protocol look like a long message.
        false => Err(wrong(&String::from_utf8_lossy(&head))),
    }
}

/// Announces TLS to a server that greeted like this.
///
/// # Errors
/// It does not speak TLS.
pub async fn mysql_request<S>(wire: &mut Wire<'_, S>, greeting: &[u8]) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Version, a NUL, the connection's number (4), random (8), a NUL, then the lower capabilities (2).
    let version = greeting[1..].iter().position(|b| *b == 0).map(|n| n + 1);
    let at = version.map(|end| end + 1 + 4 + 8 + 1).filter(|at| at + 2 <= greeting.len());
    let Some(at) = at else { return Err(Fault::target("protocol_error", "a greeting of MySQL that is too short")) };
    let offered = u32::from(greeting[at]) | u32::from(greeting[at + 1]) << 8;
    if offered & MYSQL_SSL == 0 {
        return Err(no_starttls("no CLIENT_SSL among its capabilities"));
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend_from_slice(&MYSQL_CLIENT.to_le_bytes());
    request.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    // utf8mb4; 23 bytes are reserved.
    request.push(45);
    request.resize(4 + 32, 0);
    wire.send(&request).await
}

async fn xmpp<S>(wire: &mut Wire<'_, S>, host: &str) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = format!(
        "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    wire.send(hello.as_bytes()).await?;
    let features =
        until(wire, &["</stream:features>", "<stream:features/>", "</stream:error>", "</stream:stream>"]).await?;
    if !features.contains("<starttls") {
        return Err(no_starttls(&features));
    }
    wire.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
    let answer = until(wire, &[">"]).await?;
    match answer.trim_start().starts_with("<proceed") {
        true => Ok(()),
        false => Err(no_starttls(&answer)),
    }
}

/// Everything up to the first of these marks, which is taken with it.
async fn until<S>(wire: &mut Wire<'_, S>, marks: &[&str]) -> Result<String, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut from = 0;
    loop {
        let rest = wire.heard.rest();
        let ends = marks.iter().filter_map(|mark| {
            let at = rest[from..].windows(mark.len()).position(|w| w == mark.as_bytes())?;
            Some(from + at + mark.len())
        });
        if let Some(end) = ends.min() {
            let text = String::from_utf8_lossy(&rest[..end]).into_owned();
            wire.heard.take(end);
            return Ok(text);
        }
        // A mark may have come in part: its beginning is looked at again.
        from = rest.len().saturating_sub(32);
        if wire.hear().await? == 0 {
            return Err(closed());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::collect::talk::wire::{Heard, Stream};

    /// What becomes of a peer that says all this at once, then closes.
    async fn check(kind: &str, said: &[u8]) -> Result<(), &'static str> {
        let mut heard = Heard::default();
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(said).await.unwrap();
        far.shutdown().await.unwrap();
        let mut wire = Wire::new(Stream::Plain(near), &mut heard);
        StartTls::parse(kind).unwrap().ask(&mut wire, "example.com").await.map_err(|f| f.class())
    }

    #[tokio::test]
    async fn agreement_refusal_and_other_protocols() {
        let ldap_ok = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        let ldap_no = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        let mut mysql = b"\x20\0\0\0\x0a5.5.5-10.11\0\x01\0\0\0abcdefgh\0\xff\xff".to_vec();
        mysql.resize(4 + 0x20, 0);
        let mut without = mysql.clone();
        // The upper byte of the lower capabilities: after version, number, random and a NUL.
        without[4 + 1 + 12 + 4 + 8 + 1 + 1] = 0;
        for (kind, said, want) in [
            ("smtp", b"220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n".as_slice(), Ok(())),
            ("smtp", b"220 a\r\n250-a\r\n250 SIZE\r\n", Err("starttls")),
            ("smtp", b"220 a\r\n250-a\r\n250 STARTTLS\r\n454 no\r\n", Err("starttls")),
            ("smtp", b"554 go away\r\n", Err("answer")),
            ("smtp", b"SSH-2.0-x\r\n", Err("protocol_error")),
            ("smtp", b"", Err("connection_closed")),
            ("imap", b"* OK hi\r\n* CAPABILITY X\r\na1 OK go\r\n", Ok(())),
            ("imap", b"* OK hi\r\na1 BAD what\r\n", Err("starttls")),
            ("imap", b"* BYE\r\n", Err("protocol_error")),
            ("pop3", b"+OK hi\r\n+OK go\r\n", Ok(())),
            ("pop3", b"+OK hi\r\n-ERR no\r\n", Err("starttls")),
            ("ftp", b"220-one\r\n two\r\n220 three\r\n234 go\r\n", Ok(())),
            ("ftp", b"220 hi\r\n530 no\r\n", Err("starttls")),
            ("ldap", ldap_ok, Ok(())),
            ("ldap", ldap_no, Err("starttls")),
            ("ldap", b"\x30\x84\xff\xff\xff\xff", Err("protocol_error")),
            ("postgres", b"S", Ok(())),
            ("postgres", b"N", Err("starttls")),
            ("postgres", b"E", Err("protocol_error")),
            ("mysql", &mysql, Ok(())),
            ("mysql", &without, Err("starttls")),
            ("mysql", b"\x08\0\0\0\xff\x10\x04busy!", Err("answer")),
            ("mysql", b"\xff\xff\xff\0", Err("protocol_error")),
            ("xmpp", b"<stream:stream><stream:features><starttls xmlns='x'/></stream:features><proceed/>", Ok(())),
            ("xmpp", b"<stream:stream><stream:features></stream:features>", Err("starttls")),
            ("xmpp", b"<stream:stream>", Err("connection_closed")),
        ] {
            assert_eq!(check(kind, said).await, want, "{kind} {}", String::from_utf8_lossy(said));
        }
        assert_eq!(check("smtp", &[b"250-x\r\n".as_slice(); 10_000].concat()).await, Err("protocol_error"));
    }

    proptest::proptest! {
        #[test]
        fn no_peer_does_harm(kind in 0..8usize, said in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(check(StartTls::ALL[kind].0, &said));
        }
    }
}
