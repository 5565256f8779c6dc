//! `type: imap`: logs in to a mailbox, counts its messages and looks at the age of the newest.
//!
//! The mailbox is opened to be read only: nothing in it is marked as seen.

use std::pin::pin;
use std::time::Duration;

use async_imap::Client;
use async_imap::error::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::StreamExt;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::units::{Exact, Short};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, TextCheck, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::capped::{Capped, stream_fault};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::security::{Credentials, OPEN_LOGIN, Security, USER};
use crate::collect::talk::starttls::{StartTls, wrong};
use crate::collect::talk::wire::{Heard, MAX_HEARD, Stream, Wire, closed};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::alpn;
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// A checked `imap` monitor.
#[derive(Debug)]
struct ImapProbe {
    endpoint: Endpoint,
    security: Security,
    credentials: Option<Credentials>,
    mailbox: String,
    expect: Expect,
    mask: Mask,
}

#[derive(Debug, Default)]
struct Expect {
    banner: Vec<TextCheck>,
    least: Option<(u32, String)>,
    most: Option<(u32, String)>,
    newest: Option<(Duration, String)>,
    latency: Latency,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "imap",
    about: "One mailbox over IMAP.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name` or `name:port`." }),
    flags: &[
        &[
            Flag::new("starttls", "starttls", Form::Switch("true"), "Encrypt with STARTTLS."),
            Flag::new("mailbox", "mailbox", Form::One("NAME"), "Mailbox to look into, `INBOX` unless said otherwise."),
            Flag::new("messages-at-least", "expect.messages.at_least", Form::One("N"), "Fewest messages in it."),
            Flag::new("messages-at-most", "expect.messages.at_most", Form::One("N"), "Most messages in it."),
            Flag::new("newest-below", "expect.newest_below", Form::One("DURATION"), "Greatest age of the newest."),
        ],
        USER,
        OPEN_LOGIN,
        TLS_ON_DEMAND,
        ROUTE,
        LATENCY,
    ],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_imap_messages", "Messages in the mailbox"),
            Metric::gauge("probe_imap_newest_message_timestamp_seconds", "When the newest message came, since 1970"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let security = Security::read(fields, alpn::NONE);
    let usual = if security.is_implicit() { 993 } else { 143 };
    let endpoint = Endpoint::read(fields, &mut mask, Some(usual));
    let credentials = security.credentials(fields, &mut mask, endpoint.as_ref());
    for secret in credentials.iter().flat_map(|(user, password)| [user, password]) {
        // A server may say back what it was sent, which is quoted (RFC 3501, section 4.3).
        let quoted = secret.reveal().replace('\\', "\\\\").replace('"', "\\\"");
        if quoted != *secret.reveal() {
            mask.add(&quoted);
        }
    }
    let mailbox = fields.text("mailbox").map_or_else(|| "INBOX".to_owned(), |t| t.value().to_owned());
    let latency = Latency::read(fields);
    let mut expect = Expect { latency, ..Expect::default() };
    if let Some(mut own) = fields.nested_of("expect", "newest_below") {
        expect.read(&mut own);
        if credentials.is_none() && expect.wants_mailbox() {
            let message = "what is in a mailbox is seen by whoever logs in";
            own.error(own.head(), Code::MissingKey, message, "add `user` and `password`");
        }
        own.finish();
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    Some(Probe::new("imap", target, ImapProbe { endpoint, security, credentials, mailbox, expect, mask }).at(&at))
}

impl Expect {
    fn read(&mut self, own: &mut Fields<'_>) {
        if let Some(mut texts) = own.nested_of("banner", "contains") {
            self.banner = TextCheck::read(&mut texts, "banner", true);
            texts.finish();
        }
        if let Some(mut count) = own.nested_of("messages", "at_least") {
            let number = |n: i64| u32::try_from(n).ok();
            let least = count.integer("at_least", 0..=i64::from(u32::MAX)).and_then(number);
            let most = count.integer("at_most", 0..=i64::from(u32::MAX)).and_then(number);
            self.least = least.map(|n| (n, format!("at least {n} messages")));
            self.most = most.map(|n| (n, format!("at most {n} messages")));
            count.finish();
        }
        let limits = Duration::from_secs(1)..=Duration::from_secs(3650 * 86_400);
        let newest = own.duration("newest_below", limits);
        self.newest = newest.map(|d| (d, format!("newest message younger than {}", Exact(d))));
    }

    fn wants_mailbox(&self) -> bool {
        self.least.is_some() || self.most.is_some() || self.newest.is_some()
    }
}

/// How far it came.
#[derive(Debug, Default)]
struct Said {
    heard: Heard,
    banner: Option<String>,
    messages: Option<u32>,
    /// Seconds since the epoch at which the newest message arrived.
    newest: Option<i64>,
    /// Seconds since the epoch.
    now: i64,
}

type Session = async_imap::Session<Capped<Stream>>;

impl Collector for ImapProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

fn fault(doing: &str, class: &'static str, err: &Error) -> Fault {
    match err {
        // A decoder's error holds all that it could not read. A goodbye out of turn comes as one, too.
        Error::Io(e) if e.kind() == std::io::ErrorKind::Other => match e.to_string() {
            text if text.starts_with("status: Bye") => closed(),
            _ => foreign(doing),
        },
        Error::Io(e) => stream_fault(doing, e),
        Error::ConnectionLost => closed(),
        Error::No(text) | Error::Bad(text) => Fault::target(class, format!("{doing}: {}", told(text))),
        // What stands in a command is the person's own; the error names it, and it may be a password.
        Error::Validate(_) => Fault::target(class, format!("{doing}: a name or password cannot be sent over IMAP")),
        _ => foreign(doing),
    }
}

fn foreign(doing: &str) -> Fault {
    Fault::target("protocol_error", format!("{doing}: the answer is not IMAP's"))
}

/// What a server says to a refusal. The crate gives it in a debug form, in which the mask would not know a secret.
fn told(debug: &str) -> String {
    let text = ["info: Some(\"", "information: Some(\""].iter().find_map(|key| Some(debug.split_once(key)?.1));
    let Some(text) = text else { return "the server gives no reason".to_owned() };
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    found(&out)
}

/// A mailbox's name as it goes over the wire: what is not ASCII in base64 of its UTF-16, between `&` and `-`
/// (RFC 3501, section 5.1.3).
fn utf7(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let flush = |shifted: &mut Vec<u8>, out: &mut String| {
        if !shifted.is_empty() {
            // A comma stands for the slash, which parts the levels of a name.
            *out += &format!("&{}-", STANDARD_NO_PAD.encode(std::mem::take(shifted)).replace('/', ","));
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut shifted, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            shifted.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut shifted, &mut out);
    out
}

impl ImapProbe {
    async fn look(&self, session: &mut Session, said: &mut Said) -> Result<(), Fault> {
        let opened = session.examine(utf7(&self.mailbox)).await;
        let mailbox = opened.map_err(|e| fault("opening the mailbox", "mailbox", &e))?;
        said.messages = Some(mailbox.exists);
        if mailbox.exists == 0 {
            return Ok(());
        }
        let doing = "looking at the newest message";
        let newest = session.fetch(mailbox.exists.to_string(), "INTERNALDATE").await;
        let mut newest = pin!(newest.map_err(|e| fault(doing, "mailbox", &e))?);
        while let Some(message) = newest.next().await {
            let message = message.map_err(|e| fault(doing, "mailbox", &e))?;
            said.newest = message.internal_date().map(|at| at.timestamp()).or(said.newest);
        }
        Ok(())
    }
}

impl Talk for ImapProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        said.now = cx.now.millis().div_euclid(1000);
        let stream = self.security.open(&self.endpoint, cx, trace).await?;
        let host = self.endpoint.peer.host();
        let mut wire = Wire::new(stream, &mut said.heard);
        trace.begin(phase::PROCESSING);
        match self.security.starttls() {
            Some(tls) => {
                StartTls::Imap.ask(&mut wire, host).await?;
                wire.encrypt(tls, host, cx.now, trace).await?;
                trace.begin(phase::PROCESSING);
            }
            None => {
                let greeting = wire.line().await?;
                if !greeting.starts_with("* OK") && !greeting.starts_with("* PREAUTH") {
                    return Err(match greeting.strip_prefix("* BYE") {
                        Some(why) => {
                            Fault::target("answer", format!("the server turns us away: {}", found(why.trim())))
                        }
                        None => wrong(&greeting),
                    });
                }
            }
        }
        let stream = wire.into_stream();
        let first = String::from_utf8_lossy(&said.heard.bytes);
        said.banner = first.lines().next().map(|l| l.trim_start_matches("* OK ").to_owned());
        if let Some((user, password)) = &self.credentials {
            let login = Client::new(Capped::new(stream, MAX_HEARD)).login(user.reveal(), password.reveal()).await;
            let mut session = login.map_err(|(e, _)| fault("logging in", "auth", &e))?;
            self.look(&mut session, said).await?;
            // A farewell is polite; whether it is answered is no longer of interest.
            let _ = session.run_command_untagged("bye LOGOUT").await;
        }
        trace.end();
        Ok(())
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let banner = said.banner.as_deref().unwrap_or("");
        let mut judge = Judge::default();
        for check in &self.expect.banner {
            judge.hold("banner", check.name(), check.holds(banner), found(banner));
        }
        let count = said.messages.unwrap_or(0);
        if let Some((least, name)) = &self.expect.least {
            judge.hold("messages", name, count >= *least, count.to_string());
        }
        if let Some((most, name)) = &self.expect.most {
            judge.hold("messages", name, count <= *most, count.to_string());
        }
        let age = said.newest.map(|at| Duration::from_secs(u64::try_from(said.now - at).unwrap_or(0)));
        if let Some((limit, name)) = &self.expect.newest {
            let seen = age.map_or_else(|| "no message".to_owned(), |a| format!("{} old", Short(a)));
            judge.hold("newest", name, age.is_some_and(|a| a < *limit), seen);
        }
        self.expect.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(match said.messages {
            Some(n) => format!("{n} messages in {}", found(&self.mailbox)),
            None => found(banner),
        })
    }

    fn checks(&self) -> Vec<&str> {
        let expect = &self.expect;
        let counts = expect.least.iter().chain(&expect.most).map(|(_, n)| n.as_str());
        let own = expect.banner.iter().map(TextCheck::name).chain(counts);
        own.chain(expect.newest.iter().map(|(_, n)| n.as_str())).chain(expect.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, said: &Said, out: &mut Vec<Sample>) {
        if let Some(messages) = said.messages {
            out.push(Sample::new("probe_imap_messages", f64::from(messages)));
        }
        if let Some(at) = said.newest {
            out.push(Sample::new("probe_imap_newest_message_timestamp_seconds", at as f64));
        }
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        items.extend(talk::words(&said.heard.bytes));
        if self.credentials.is_some() {
            items.push(("mailbox".into(), self.mailbox.clone()));
        }
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
    use super::*;
    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{outcome, problems};
    use crate::collect::talk::testing::{Then, peer};

    #[tokio::test]
    async fn hostile_servers_are_cut_off() {
        const HELLO: &[u8] = b"* OK hi\r\n";
        const IN: &[u8] = b"A0001 OK in\r\n";
        for (says, then, class) in [
            (vec![&b""[..]], Then::Close, "connection_closed"),
            (vec![b"HTTP/1.1 400 Bad\r\n"], Then::Close, "protocol_error"),
            (vec![b"* BYE full\r\n"], Then::Close, "answer"),
            (vec![b"x"], Then::Flood, "too_much"),
            (vec![HELLO, b"* BYE bored\r\n"], Then::Close, "connection_closed"),
            (vec![HELLO, b"* CAPABILITY IMAP4rev1\r\n"], Then::Flood, "too_much"),
            (vec![HELLO, b"* 1 FETCH (BODY[] {99999999}\r\n"], Then::Flood, "too_much"),
            (vec![HELLO, b"\xff\0rubbish\r\n"], Then::Close, "protocol_error"),
            (vec![HELLO, b"* CAPABILITY X\r\n"], Then::Flood, "protocol_error"),
            (vec![HELLO, b"A0001 NO not you\r\n"], Then::Close, "auth"),
            (vec![HELLO, IN, b"* 1 EXISTS\r\n"], Then::Flood, "too_much"),
            (vec![HELLO, IN, b"* 1 FETCH (BODY[] {99999999}\r\n"], Then::Flood, "too_much"),
            (vec![HELLO, IN, b"* BYE bored\r\n"], Then::Close, "connection_closed"),
            (vec![HELLO, IN, b"A0002 NO not there\r\n"], Then::Close, "mailbox"),
            (vec![HELLO, IN, b"* 1 EXISTS\r\nA0002 OK\r\n", b"* 1 FETCH ()\r\n"], Then::Flood, "protocol_error"),
        ] {
            let shown = format!("{:?}, {then:?}", says.iter().map(|s| String::from_utf8_lossy(s)).collect::<Vec<_>>());
            let (at, _tasks) = peer(says.into_iter().map(<[u8]>::to_vec).collect(), then).await;
            let got = outcome("imap", &format!("{{host: \"{at}\", user: u, password: pass}}")).await;
            assert_eq!((got.verdict, &*got.reason.as_ref().unwrap().class), (Verdict::Down, class), "{shown}: {got:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        assert_eq!(told(r#"code: None, info: Some("not \"you\" \\ today")"#), r#"not "you" \ today"#);
        assert_eq!(told(r#"outcome: ResponseText { code: None, information: Some("no") }"#), "no");
        assert_eq!(told("code: None, info: None"), "the server gives no reason");
    }

    #[test]
    fn names_of_mailboxes_go_as_modified_utf7() {
        for (name, want) in [
            ("INBOX/Reports", "INBOX/Reports"),
            ("Gelöschte Elemente", "Gel&APY-schte Elemente"),
            ("R&D", "R&-D"),
            // The example of RFC 3501.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("📥", "&2D3c5Q-"),
            ("", ""),
        ] {
            assert_eq!(utf7(name), want, "{name}");
        }
    }

    #[test]
    fn a_mailbox_is_for_those_who_log_in() {
        let got = problems("imap", "{host: a, expect: {newest_below: 1h}}");
        assert!(got[0].contains("whoever logs in"), "{got:?}");
        let good = "{host: a, tls: true, user: u, password: pass, expect: {newest_below: 1h, messages: {at_most: 5}}}";
        assert!(problems("imap", good).is_empty());
    }
}
