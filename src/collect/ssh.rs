//! `type: ssh`: exchanges keys with a server, compares its host key, logs in and runs one command.
//!
//! russh runs the connection as a task of its own. Its stream is on a leash: when the probe ends, however it ends,
//! the stream fails and the task with it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, Error};

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::collect::fault::Fault;
use crate::collect::files::Looks;
use crate::collect::judge::{Judge, Latency, TextCheck, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::capped::{Capped, stream_fault};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::linger::{Leash, leash};
use crate::collect::talk::security::USER;
use crate::collect::talk::wire::closed;
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::fresh::read_file;
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::Span;

/// Bytes that one connection may hear: the handshake takes some 4 KiB, the rest is the command's.
const MAX_READ: usize = 256 * 1024;
/// Bytes of a command's output that are kept and judged.
const MAX_OUTPUT: usize = 64 * 1024;
/// A private key larger than this is not one.
const MAX_KEY: u64 = 64 << 10;

/// A checked `ssh` monitor.
#[derive(Debug)]
struct SshProbe {
    endpoint: Endpoint,
    fingerprints: Vec<String>,
    login: Option<Login>,
    command: Option<Secret<String>>,
    expect: Expect,
    mask: Mask,
}

#[derive(Debug)]
struct Login {
    user: Secret<String>,
    proof: Proof,
    /// Where the password stands that the server gets to see.
    tells: Option<Span>,
}

/// What proves who we are.
#[derive(Debug)]
enum Proof {
    Password(Secret<String>),
    Key(PathBuf, Looks),
}

#[derive(Debug, Default)]
struct Expect {
    fingerprint: Option<String>,
    banner: Vec<TextCheck>,
    output: Vec<TextCheck>,
    /// Judged when a command is run.
    exit: (u32, String),
    latency: Latency,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "ssh",
    about: "One SSH server: host key, login, one command.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name` or `name:port`." }),
    flags: &[
        &[
            Flag::new("fingerprint", "fingerprint", Form::Many("SHA256:…"), "Host key that the server must have."),
            Flag::new("key-file", "key_file", Form::Path("FILE"), "Private key to log in with.").needs("user"),
            Flag::new("command", "command", Form::One("COMMAND"), "Command to run after the login.").needs("user"),
            Flag::new("expect-contains", "expect.contains", Form::Many("TEXT"), "Text that its output must contain."),
            Flag::new("expect-matches", "expect.matches", Form::Many("REGEX"), "Expression that it must match."),
            Flag::new("expect-exit", "expect.exit", Form::One("CODE"), "Its exit code, 0 unless said otherwise."),
        ],
        USER,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_ssh_exit_code", "What the command ended with"),
            Metric::gauge("probe_ssh_info", "Always 1; what the server calls itself"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let endpoint = Endpoint::read(fields, &mut mask, Some(22));
    let fingerprints = read_fingerprints(fields);
    let login = read_login(fields, &mut mask);
    if let (Some(at), true, Some(endpoint)) = (login.as_ref().and_then(|l| l.tells), fingerprints.is_empty(), &endpoint)
        && !endpoint.is_loopback()
    {
        let message = "the password goes to whatever server answers";
        let hint = "add `fingerprint: SHA256:…`, as `ssh-keygen -lf` shows it, or log in with `key_file`";
        fields.cx().warn(at, Code::Suspicious, message, hint);
    }
    let command = fields.text("command");
    if let Some(command) = &command {
        mask.add_text(command);
        if login.is_none() {
            let hint = "add `user` and `key_file` or `password`";
            fields.error(command.span, Code::MissingKey, "`command` is run by whoever logs in", hint);
        }
    }
    let latency = Latency::read(fields);
    let mut expect = Expect { latency, ..Expect::default() };
    expect.fingerprint = fingerprints.first().map(|first| match fingerprints.len() {
        1 => format!("host key is {first}"),
        n => format!("host key is {first} or one of {} more", n - 1),
    });
    let mut exit = 0;
    if let Some(mut own) = fields.nested_of("expect", "contains") {
        if let Some(mut texts) = own.nested_of("banner", "contains") {
            expect.banner = TextCheck::read(&mut texts, "banner", true);
            texts.finish();
        }
        expect.output = TextCheck::read(&mut own, "output", true);
        exit = own.integer("exit", 0..=255).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        if command.is_none() && !expect.output.is_empty() {
            own.error(own.head(), Code::MissingKey, "only a `command` has an output", "add one");
        }
        own.finish();
    }
    expect.exit = (exit, format!("exit code is {exit}"));
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let command = command.map(Text::secret);
    Some(Probe::new("ssh", target, SshProbe { endpoint, fingerprints, login, command, expect, mask }).at(&at))
}

fn read_fingerprints(fields: &mut Fields<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for text in fields.texts("fingerprint") {
        let bare = text.value().trim().trim_end_matches('=');
        let digits = bare.strip_prefix("SHA256:").unwrap_or("");
        // 32 bytes in base64 without padding.
        if digits.len() == 43 && digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')) {
            all.push(bare.to_owned());
            continue;
        }
        let message = format!("`{}` is not a fingerprint", text.shown());
        let hint = "write `SHA256:…` as `ssh-keygen -lf` shows it";
        fields.error(text.span, Code::BadValue, message, hint);
    }
    all
}

fn read_login(fields: &mut Fields<'_>, mask: &mut Mask) -> Option<Login> {
    let (user, password, key) = (fields.text("user"), fields.text("password"), fields.text("key_file"));
    if let Some(user) = &user {
        mask.add_text(user);
    }
    if let Some(password) = &password {
        mask.add(password.value());
    }
    if let Some(key) = key.as_ref().filter(|k| !k.value().starts_with('/')) {
        let message = format!("`key_file` is `{}`, which is not an absolute path", key.shown());
        fields.error(key.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
    }
    let tells = password.as_ref().map(|t| t.span);
    let at = user.as_ref().or(password.as_ref()).or(key.as_ref()).map(|t| t.span)?;
    let proof = match (password, key) {
        (Some(_), Some(_)) => {
            fields.error(at, Code::Conflict, "`password` beside `key_file`", "keep one of them");
            return None;
        }
        (Some(password), None) => Some(Proof::Password(password.secret())),
        (None, Some(key)) => Some(Proof::Key(PathBuf::from(key.value()), Looks::at_credentials())),
        (None, None) => None,
    };
    match (user, proof) {
        (Some(user), Some(proof)) => Some(Login { user: user.secret(), proof, tells }),
        _ => {
            let message = "a login needs `user`, and `password` or `key_file`";
            fields.error(at, Code::MissingKey, message, "add what is missing");
            None
        }
    }
}

/// How far it came.
#[derive(Debug, Default)]
struct Said {
    banner: Option<String>,
    host_key: Option<String>,
    output: Vec<u8>,
    exit: Option<u32>,
}

/// Looks at the host key. Lives in russh's task, so that what it saw is shared.
struct Look {
    wanted: Vec<String>,
    seen: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Look {
    type Error = Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        let print = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            PublicKeyOrCertificate::Certificate(cert) => cert.public_key().fingerprint(HashAlg::Sha256),
        };
        let print = print.to_string();
        let ok = self.wanted.is_empty() || self.wanted.contains(&print);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(print);
        Ok(ok)
    }
}

impl Collector for SshProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

fn fault(err: &Error) -> Fault {
    match err {
        Error::IO(e) => stream_fault("speaking SSH", e),
        Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError => closed(),
        Error::NoCommonAlgo { kind, theirs, .. } => {
            let message = format!("no {kind:?} in common; the server has {}", found(&theirs.join(", ")));
            Fault::target("ssh_algorithms", message)
        }
        Error::Version | Error::KexInit | Error::Kex => Fault::target("protocol_error", "the peer does not speak SSH"),
        other => Fault::target("protocol_error", format!("SSH: {}", found(&other.to_string()))),
    }
}

fn banner(first: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(first);
    // RFC 4253, section 4.2: other lines may stand before it.
    text.lines().find(|l| l.starts_with("SSH-")).map(|l| found(l.trim_end()))
}

impl SshProbe {
    /// Everything that is said over one connection. `leash` ends it.
    async fn converse(&self, session: &mut Handle<Look>, said: &mut Said) -> Result<(), Fault> {
        let Some(login) = &self.login else { return Ok(()) };
        let result = match &login.proof {
            Proof::Password(password) => {
                session.authenticate_password(login.user.reveal(), password.reveal()).await.map_err(|e| fault(&e))?
            }
            Proof::Key(path, looks) => {
                let key = load_key(path, looks).await?;
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
                session.authenticate_publickey(login.user.reveal(), key).await.map_err(|e| fault(&e))?
            }
        };
        if let AuthResult::Failure { remaining_methods, .. } = result {
            // The crate's word for a connection that ended meanwhile.
            if remaining_methods.is_empty() {
                return Err(Fault::target("connection_closed", "the server closed the connection during the login"));
            }
            let ways: Vec<String> = remaining_methods.iter().map(|m| <&str>::from(m).to_owned()).collect();
            let message = format!("the server refuses the login; it takes {}", found(&ways.join(", ")));
            return Err(Fault::target("auth", message));
        }
        let Some(command) = &self.command else { return Ok(()) };
        let mut channel = session.channel_open_session().await.map_err(|e| fault(&e))?;
        channel.exec(true, command.reveal().as_str()).await.map_err(|e| fault(&e))?;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                    let room = MAX_OUTPUT - said.output.len();
                    said.output.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        let message = "the command prints more than 64 KiB";
                        return Err(Fault::target("too_much", message));
                    }
                }
                ChannelMsg::ExitStatus { exit_status } => said.exit = Some(exit_status),
                ChannelMsg::Failure => return Err(Fault::target("command", "the server refuses to run the command")),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads a private key with which this build can log in.
fn read_key(text: &str) -> Result<PrivateKey, &'static str> {
    const RSA: &str = "an RSA key, with which this build cannot log in; make one of Ed25519 or ECDSA";
    match decode_secret_key(text, None) {
        Ok(key) if key.is_encrypted() => Err("a private key with a passphrase"),
        Ok(key) => match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(key),
            Algorithm::Rsa { .. } => Err(RSA),
            _ => Err("a private key that is neither of Ed25519 nor of ECDSA"),
        },
        Err(_) if is_rsa(text) => Err(RSA),
        // What a parser says about a private key may quote it.
        Err(_) => Err("not a private key, or one with a passphrase"),
    }
}

/// Whether a file in OpenSSL's forms, PKCS #1 or PKCS #8, holds an RSA key.
fn is_rsa(text: &str) -> bool {
    /// 1.2.840.113549.1.1.1, `rsaEncryption`, as it stands in PKCS #8.
    const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    if text.contains("-----BEGIN RSA PRIVATE KEY-----") {
        return true;
    }
    let body: String = text.lines().map(str::trim).filter(|l| !l.starts_with("-----")).collect();
    let bytes = STANDARD.decode(body).unwrap_or_default();
    bytes.windows(RSA_ENCRYPTION.len()).any(|w| w == RSA_ENCRYPTION)
}

async fn load_key(path: &std::path::Path, looks: &Looks) -> Result<PrivateKey, Fault> {
    const CLASS: &str = "local_identity";
    let refuse = |path: &std::path::Path, why: &str| Fault::local(CLASS, format!("`{}`: {why}", path.display()));
    let own = path.to_owned();
    let read = looks.run_soon(move |_| {
        let bytes = read_file(&own, MAX_KEY, CLASS)?;
        let text = String::from_utf8(bytes).map_err(|_| refuse(&own, "not a private key"))?;
        read_key(&text).map_err(|why| refuse(&own, why))
    });
    read.await.map_err(|fault| refuse(path, fault.message()))?
}

impl Talk for SshProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let stream = self.endpoint.open(cx, trace).await?;
        let (leash, stream): (Leash, _) = leash(Capped::new(stream, MAX_READ));
        trace.begin(phase::PROCESSING);
        let seen = Arc::<Mutex<Option<String>>>::default();
        let look = Look { wanted: self.fingerprints.clone(), seen: Arc::clone(&seen) };
        let config = client::Config { channel_buffer_size: 8, ..client::Config::default() };
        let connecting = Box::pin(client::connect_stream(Arc::new(config), stream, look)).await;
        said.banner = banner(&leash.first());
        said.host_key = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut session = match connecting {
            Ok(session) => session,
            Err(Error::UnknownKey) => {
                let key = said.host_key.as_deref().unwrap_or("none");
                return Err(Fault::target(
                    "host_key",
                    format!("the server's host key is {key}, which is not expected"),
                ));
            }
            Err(e) => {
                let first = leash.first();
                let is_connection = matches!(e, Error::IO(_)) || first.is_empty();
                if is_connection || said.banner.is_some() {
                    return Err(fault(&e));
                }
                let what = found(&String::from_utf8_lossy(&first));
                return Err(Fault::target("protocol_error", format!("the peer does not speak SSH; it says: {what}")));
            }
        };
        self.converse(&mut session, said).await?;
        trace.end();
        Ok(())
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let banner = said.banner.as_deref().unwrap_or("");
        let mut judge = Judge::default();
        if let Some(name) = &self.expect.fingerprint {
            // A key that is not expected ends the connection: whoever comes here has seen the right one.
            judge.hold("host_key", name, true, said.host_key.as_deref().unwrap_or(""));
        }
        for check in &self.expect.banner {
            judge.hold("banner", check.name(), check.holds(banner), banner);
        }
        if self.command.is_some() {
            let (wanted, name) = &self.expect.exit;
            let seen = said.exit.map_or_else(|| "none".to_owned(), |n| n.to_string());
            judge.hold("exit", name, said.exit == Some(*wanted), seen);
            let text = String::from_utf8_lossy(&said.output);
            // The last line's end is the terminal's, as in a shell's `$(…)`: `^42$` means the whole output.
            let text = text.trim_end_matches(['\r', '\n']);
            for check in &self.expect.output {
                judge.hold("output", check.name(), check.holds(text), found(text));
            }
        }
        self.expect.latency.judge(trace.elapsed(), &mut judge);
        let text = String::from_utf8_lossy(&said.output);
        let first = text.lines().map(str::trim).find(|l| !l.is_empty());
        judge.outcome(first.map_or_else(|| banner.to_owned(), found))
    }

    fn failed(&self, _: &Trace, said: &Said, fault: Fault) -> Outcome {
        let wrong_key = fault.class() == "host_key";
        let mut outcome = fault.outcome();
        outcome.checks = crate::collect::judge::unjudged(self.checks());
        if let (true, Some(check)) = (wrong_key, outcome.checks.first_mut()) {
            check.ok = Some(false);
            check.found = said.host_key.clone().unwrap_or_default();
        }
        outcome
    }

    fn checks(&self) -> Vec<&str> {
        let expect = &self.expect;
        let first = expect.fingerprint.iter().map(String::as_str).chain(expect.banner.iter().map(TextCheck::name));
        let exit = self.command.iter().map(|_| expect.exit.1.as_str());
        first.chain(exit).chain(expect.output.iter().map(TextCheck::name)).chain(expect.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, said: &Said, out: &mut Vec<Sample>) {
        if let Some(exit) = said.exit {
            out.push(Sample::new("probe_ssh_exit_code", f64::from(exit)));
        }
        if let (Some(banner), Some(key)) = (&said.banner, &said.host_key) {
            let info = Sample::new("probe_ssh_info", 1.0).label("banner", banner.as_str());
            out.push(info.label("fingerprint_sha256", key.as_str()));
        }
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        for (title, text) in [("banner", &said.banner), ("host key", &said.host_key)] {
            if let Some(text) = text {
                items.push((title.into(), text.clone()));
            }
        }
        items.extend(talk::words(&said.output));
    }

    fn target(&self) -> String {
        self.endpoint.peer.to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{outcome, problems};
    use crate::collect::talk::testing::{Then, peer};

    #[tokio::test]
    async fn what_is_no_ssh_is_down() {
        for (says, want) in [
            (&b""[..], "connection_closed"),
            (b"220 mail\r\n", "protocol_error"),
            (b"SSH-2.0-x\r\n", "connection_closed"),
            (b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", "protocol_error"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(says).await;
                let _ = stream.shutdown().await;
                let mut rest = Vec::new();
                let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
            });
            let got = outcome("ssh", &format!("{{host: \"{at}\"}}")).await;
            assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Down, want), "{says:?}");
        }
    }

    #[tokio::test]
    async fn hostile_servers_are_cut_off() {
        for (says, then, class) in [
            (&b"hello there\r\n"[..], Then::Flood, "protocol_error"),
            (b"x", Then::Flood, "protocol_error"),
            (b"SSH-2.0-x\r\n\x80\0\0\0\x04", Then::Close, "protocol_error"),
            (b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x04", Then::Flood, "protocol_error"),
        ] {
            let (at, _tasks) = peer(vec![says.to_vec()], then).await;
            let got = outcome("ssh", &format!("{{host: \"{at}\"}}")).await;
            assert_eq!(
                (got.verdict, &*got.reason.as_ref().unwrap().class),
                (Verdict::Down, class),
                "{says:?}: {got:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_reset_before_the_first_line_is_told_as_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // Without lingering, what is closed is reset.
            socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        });
        let got = outcome("ssh", &format!("{{host: \"{at}\"}}")).await;
        assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Down, "connection_reset"));
    }

    #[test]
    fn logins_are_checked() {
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("ssh", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        check("{host: a, user: u}", "a login needs `user`");
        check("{host: a, user: u, password: pass, key_file: /k}", "keep one");
        check("{host: a, user: u, key_file: k}", "not an absolute path");
        check("{host: a, command: id}", "whoever logs in");
        check("{host: a, fingerprint: abc}", "not a fingerprint");
        check("{host: a, user: u, password: pass}", "whatever server answers");
        assert!(problems("ssh", "{host: localhost, user: u, password: pass}").is_empty());
        let key = "SHA256:uNiVztksCsDhcc0u9e8BrTrXVVY0y9QT3GKRGzPBBGM";
        assert!(problems("ssh", &format!("{{host: a, user: u, password: pass, fingerprint: \"{key}\"}}")).is_empty());
    }
}
