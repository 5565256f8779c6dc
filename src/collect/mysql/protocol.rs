//! As much of MySQL's protocol as one login and some queries need, over a connection of ours.
//!
//! The full client of the ecosystem opens its own connections and judges certificates itself, so policy,
//! phases and deadline would not hold; its protocol crate gives the messages and the proofs of passwords.
//! A server's greeting is read here: the crate's reader computes with a length before it looks at it.

use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakeResponse};
use mysql_common::proto::MySerialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::base::outcome::TIMEOUT;
use crate::collect::fault::Fault;
use crate::collect::judge::found;
use crate::collect::talk::capped::stream_fault;

/// Longest message that is read; a row of this size is no answer to a check.
const MAX_MESSAGE: usize = 1 << 20;
/// What we announce to read, the protocol's usual value.
const MAX_PACKET: u32 = 16 << 20;
/// Steps of a login: two plugins with three messages each are the most that servers need.
const MAX_STEPS: usize = 8;

/// A server's greeting.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// `10.11.6-MariaDB-0+deb12u1`.
    pub version: String,
    nonce: Vec<u8>,
    plugin: Vec<u8>,
}

impl Greeting {
    /// Takes what a server says first.
    ///
    /// # Errors
    /// It refuses us at once, or says something else.
    pub fn read(bytes: &[u8]) -> Result<Self, Failed> {
        match bytes.split_first() {
            Some((0xff, rest)) => Err(Failed::Refused(Refusal::parse(rest))),
            _ => Ok(Self::parse(bytes).ok_or_else(malformed)?),
        }
    }

    /// Takes a greeting apart (protocol 10, in use since MySQL 3.21).
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.strip_prefix(&[10])?.split_at(bytes.iter().skip(1).position(|b| *b == 0)?);
        let mut buf = ParseBuf(rest.get(1..)?);
        buf.checked_eat_u32_le()?;
        let mut nonce = buf.checked_eat(8)?.to_vec();
        buf.checked_eat(1)?;
        // Capabilities, character set, status, more capabilities.
        buf.checked_eat(2 + 1 + 2 + 2)?;
        let length = usize::from(buf.checked_eat_u8()?);
        buf.checked_eat(10)?;
        let more = buf.checked_eat(length.saturating_sub(8).max(13))?;
        nonce.extend_from_slice(more.strip_suffix(&[0]).unwrap_or(more));
        let plugin = buf.eat_all();
        let plugin = plugin.split(|b| *b == 0).next().unwrap_or_default();
        let version = String::from_utf8_lossy(version);
        // Old replicas did not follow a primary with two digits: MariaDB hides its version from them.
        let hidden = version.strip_prefix("5.5.5-").filter(|own| own.contains("MariaDB"));
        Some(Self { version: hidden.unwrap_or(&version).to_owned(), nonce, plugin: plugin.to_vec() })
    }
}

/// Who logs in, and where.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// The name.
    pub user: &'a str,
    /// Its password, or nothing.
    pub password: &'a str,
    /// The database to be in.
    pub database: Option<&'a str>,
    /// Whether the connection is encrypted.
    pub secure: bool,
    /// Whether the server may see the password itself.
    pub tells: bool,
}

/// A refusal by the server.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its number: `1045`.
    pub code: u16,
    /// What it says.
    pub message: String,
}

/// Why a query has no answer.
#[derive(Debug)]
pub enum Failed {
    /// The server refuses it; the connection goes on.
    Refused(Refusal),
    /// The connection is of no more use.
    Broken(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

impl Refusal {
    fn parse(body: &[u8]) -> Self {
        let code = body.get(..2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        let text = body.get(2..).unwrap_or_default();
        // `#` and five characters of SQL state, but in errors before the login.
        let text = text.strip_prefix(b"#").and_then(|t| t.get(5..)).unwrap_or(text);
        Self { code, message: String::from_utf8_lossy(text).into_owned() }
    }

    /// The fault that this refusal means.
    pub fn fault(&self, doing: &str) -> Fault {
        let class = match self.code {
            // Access denied, host not allowed, host blocked, account locked, password expired.
            1044 | 1045 | 1130 | 1129 | 3118 | 1820 | 1862 | 1251 | 3159 => "auth",
            1049 => "database",
            1040 | 1203 | 1226 => "too_many_connections",
            1053 | 1927 => "not_ready",
            // Statement took longer than it may.
            1969 | 3024 => TIMEOUT,
            _ => "query",
        };
        Fault::target(class, format!("{doing}: {} ({})", found(&self.message), self.code))
    }
}

fn malformed() -> Fault {
    Fault::target("protocol_error", "the answer is not of MySQL's protocol")
}

/// A connection after the greeting, message by message.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    sequence: u8,
    logged_in: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Goes on after the greeting, and after the request for TLS where the stream speaks it: messages are counted.
    pub fn new(stream: S, secure: bool) -> Self {
        Self { stream, sequence: if secure { 2 } else { 1 }, logged_in: false }
    }

    fn capabilities() -> CapabilityFlags {
        CapabilityFlags::CLIENT_LONG_PASSWORD
            | CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_PLUGIN_AUTH
    }

    /// Logs in.
    ///
    /// # Errors
    /// The connection broke, or the server wants what we do not do.
    pub async fn log_in(&mut self, greeting: &Greeting, who: Account<'_>) -> Result<(), Failed> {
        let mut plugin = match greeting.plugin.as_slice() {
            b"" => AuthPlugin::MysqlNativePassword,
            name => AuthPlugin::from_bytes(name).into_owned(),
        };
        if !matches!(plugin, AuthPlugin::MysqlNativePassword | AuthPlugin::CachingSha2Password) {
            // The server's default need not be the account's: it tells us which that has.
            plugin = AuthPlugin::MysqlNativePassword;
        }
        let mut can = Self::capabilities();
        can.set(CapabilityFlags::CLIENT_SSL, who.secure);
        let mut nonce = greeting.nonce.clone();
        let proof = plugin.gen_data(Some(who.password), &nonce);
        let response = HandshakeResponse::new(
            proof.as_deref(),
            (10, 0, 0),
            Some(who.user.as_bytes()),
            who.database.map(str::as_bytes),
            Some(plugin.borrow()),
            can,
            None,
            MAX_PACKET,
        );
        let mut body = Vec::new();
        response.serialize(&mut body);
        self.send(&body).await?;
        for _ in 0..MAX_STEPS {
            let body = self.receive().await?;
            match (body.first(), body.get(1)) {
                (Some(0x00), _) => {
                    self.logged_in = true;
                    return Ok(());
                }
                (Some(0xff), _) => return Err(Failed::Refused(Refusal::parse(&body[1..]))),
                (Some(0xfe), Some(_)) => {
                    let request: AuthSwitchRequest<'_> = ParseBuf(&body).parse(()).map_err(|_| malformed())?;
                    plugin = request.auth_plugin().into_owned();
                    nonce = request.plugin_data().to_vec();
                    let proof = prove(&plugin, who.password, &nonce, who.tells)?;
                    self.send(&proof).await?;
                }
                // caching_sha2_password: the proof was enough, `OK` follows.
                (Some(0x01), Some(0x03)) if plugin == AuthPlugin::CachingSha2Password => {}
                // It was not: the server has to see the password itself, which it takes inside TLS only.
                (Some(0x01), Some(0x04)) if plugin == AuthPlugin::CachingSha2Password => {
                    let clear = prove(&AuthPlugin::MysqlClearPassword, who.password, &nonce, who.secure)?;
                    self.send(&clear).await?;
                }
                _ => return Err(malformed().into()),
            }
        }
        Err(malformed().into())
    }

    /// Asks a query. `row` gets the names of the columns and the values of each row, `None` for null;
    /// how many rows came is returned.
    ///
    /// # Errors
    /// The server refuses it, or the connection broke.
    pub async fn query(&mut self, sql: &str, mut row: impl FnMut(&[String], &[Option<&[u8]>])) -> Result<u64, Failed> {
        self.sequence = 0;
        self.send(&[&[0x03], sql.as_bytes()].concat()).await?;
        let head = self.receive().await?;
        let columns = match head.split_first() {
            // `OK`: a statement without rows.
            Some((0x00, _)) => return Ok(0),
            Some((0xff, rest)) => return Err(Failed::Refused(Refusal::parse(rest))),
            // The server asks for a file of ours.
            Some((0xfb, _)) | None => return Err(malformed().into()),
            Some(_) => ParseBuf(&head).checked_eat_lenenc_int().filter(|n| *n <= 4_096).ok_or_else(malformed)?,
        };
        let mut names = Vec::new();
        for _ in 0..columns {
            let body = self.receive().await?;
            names.push(column_name(&body).ok_or_else(malformed)?);
        }
        if !is_end(&self.receive().await?) {
            return Err(malformed().into());
        }
        let mut rows = 0;
        loop {
            let body = self.receive().await?;
            match body.split_first() {
                Some((0xff, rest)) => return Err(Failed::Refused(Refusal::parse(rest))),
                _ if is_end(&body) => return Ok(rows),
                _ => {}
            }
            let values = values(&body, names.len()).ok_or_else(malformed)?;
            row(&names, &values);
            rows += 1;
        }
    }

    async fn send(&mut self, body: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        // Options are far shorter than the 16 MiB at which a message would be split.
        let head = [length[0], length[1], length[2], self.sequence];
        self.sequence = self.sequence.wrapping_add(1);
        let send = async {
            self.stream.write_all(&[&head, body].concat()).await?;
            self.stream.flush().await
        };
        send.await.map_err(|e| stream_fault("sending", &e))
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Fault> {
        let doing = "reading the answer";
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.map_err(|e| stream_fault(doing, &e))?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        if length > MAX_MESSAGE {
            // Before the login, the first bytes of another protocol look like a long message.
            let class = if self.logged_in { "too_much" } else { "protocol_error" };
            let most = MAX_MESSAGE >> 20;
            let message = format!("{doing}: a message of {length} bytes; {most} MiB are read");
            return Err(Fault::target(class, message));
        }
        self.sequence = head[3].wrapping_add(1);
        // Grows with what comes, not with what is announced.
        let mut body = Vec::new();
        let got = (&mut self.stream).take(length as u64).read_to_end(&mut body).await;
        got.map_err(|e| stream_fault(doing, &e))?;
        match body.len() == length {
            true => Ok(body),
            false => Err(stream_fault(doing, &std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// `EOF`, which ends columns and rows. Shorter than any row that begins like it.
fn is_end(body: &[u8]) -> bool {
    body.first() == Some(&0xfe) && body.len() < 9
}

/// Catalogue, schema, alias of the table and its name stand before the column's.
fn column_name(body: &[u8]) -> Option<String> {
    let mut buf = ParseBuf(body);
    for _ in 0..4 {
        buf.checked_eat_lenenc_str()?;
    }
    Some(String::from_utf8_lossy(buf.checked_eat_lenenc_str()?).into_owned())
}

fn values(body: &[u8], columns: usize) -> Option<Vec<Option<&[u8]>>> {
    let mut buf = ParseBuf(body);
    let mut values = Vec::with_capacity(columns.min(64));
    for _ in 0..columns {
        values.push(match buf.0.first()? {
            0xfb => {
                buf.checked_eat(1)?;
                None
            }
            _ => Some(buf.checked_eat_lenenc_str()?),
        });
    }
    Some(values)
}

/// What proves that we know the password, in the way that the server asks for.
fn prove(plugin: &AuthPlugin<'_>, password: &str, nonce: &[u8], tells: bool) -> Result<Vec<u8>, Fault> {
    match plugin {
        AuthPlugin::MysqlNativePassword | AuthPlugin::CachingSha2Password => {
            Ok(plugin.gen_data(Some(password), nonce).map(|d| d.to_vec()).unwrap_or_default())
        }
        AuthPlugin::MysqlClearPassword if tells => Ok([password.as_bytes(), &[0]].concat()),
        AuthPlugin::MysqlClearPassword => {
            let message = "the server wants to see the password itself, and the connection has no TLS: add `tls`";
            Err(Fault::target("auth", message))
        }
        AuthPlugin::MysqlOldPassword
        | AuthPlugin::Ed25519
        | AuthPlugin::MariadbParsec { .. }
        | AuthPlugin::Other(_) => {
            let name = String::from_utf8_lossy(plugin.as_bytes()).into_owned();
            Err(Fault::target("auth", format!("the account logs in with `{}`, which is not built in", found(&name))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Vec<u8> {
        let mut bytes = b"\x0a8.4.0\0".to_vec();
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"abcdefgh\0");
        bytes.extend([0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21]);
        bytes.extend([0; 10]);
        bytes.extend(b"ijklmnopqrst\0caching_sha2_password\0");
        bytes
    }

    #[test]
    fn a_greeting_is_taken_apart() {
        let got = Greeting::parse(&greeting()).unwrap();
        assert_eq!((got.version.as_str(), got.nonce.as_slice()), ("8.4.0", &b"abcdefghijklmnopqrst"[..]));
        assert_eq!(got.plugin, b"caching_sha2_password");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_server_says_breaks_the_reader(at in 0..70usize, byte: u8, cut in 0..80usize) {
            let mut bytes = greeting();
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = Greeting::parse(&bytes);
            let _ = (column_name(&bytes), values(&bytes, usize::from(byte)), Refusal::parse(&bytes));
            let _ = ParseBuf(&bytes).parse::<AuthSwitchRequest<'_>>(());
        }
    }

    fn message(sequence: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&length[..3], &[sequence], body].concat()
    }

    /// Logs in to a server that says these messages after the client's proof; what else the client sent is
    /// given beside.
    async fn login(secure: bool, says: &[&[u8]]) -> (Result<(), Failed>, Vec<u8>) {
        let (near, mut far) = tokio::io::duplex(4096);
        let server = async {
            let mut told = vec![0; 4096];
            assert!(far.read(&mut told).await.unwrap() > 50, "the proof");
            let mut more = Vec::new();
            for (i, body) in says.iter().enumerate() {
                far.write_all(&message(u8::try_from(2 * i + 2).unwrap(), body)).await.unwrap();
                // The password follows this word of the server's, and nothing any other.
                if *body == [1, 4]
                    && let Ok(n) = far.read(&mut told).await
                {
                    more.extend_from_slice(&told[..n]);
                }
            }
            more
        };
        let client = async {
            let who = Account { user: "u", password: "secret", database: None, secure, tells: secure };
            Connection::new(near, secure).log_in(&Greeting::parse(&greeting()).unwrap(), who).await
        };
        tokio::join!(client, server)
    }

    #[tokio::test]
    async fn caching_sha2_password_proves_it_knows_and_tells_only_inside_tls() {
        const KNOWN: &[u8] = &[1, 3];
        const TELL: &[u8] = &[1, 4];
        const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
        let (got, more) = login(false, &[KNOWN, OK]).await;
        assert!(got.is_ok() && more.is_empty(), "{got:?}");
        let (got, more) = login(false, &[TELL]).await;
        assert!(matches!(&got, Err(Failed::Broken(f)) if f.class() == "auth") && more.is_empty(), "{got:?} {more:?}");
        let (got, more) = login(true, &[TELL, OK]).await;
        assert!(got.is_ok() && more.ends_with(b"secret\0"), "{got:?} {more:?}");
    }

    #[test]
    fn a_password_is_shown_only_where_nobody_listens() {
        assert!(prove(&AuthPlugin::MysqlClearPassword, "secret", b"", false).is_err());
        assert_eq!(prove(&AuthPlugin::MysqlClearPassword, "secret", b"", true).unwrap(), b"secret\0");
    }
}
