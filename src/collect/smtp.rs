//! `type: smtp`: greets a mail server, encrypts, logs in, and asks whether it would take a mail, which is never sent.
//!
//! The conversation is this kind's own: lettre's client keeps TLS to itself and expects a greeting on every stream it
//! is given, so that neither STARTTLS with our view of the certificate nor the deadline within it could be had.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, TextCheck, found};
use crate::collect::kind::{Flag, Form, Kind, LATENCY, Operand, ROUTE, TLS_ON_DEMAND};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::security::{Credentials, OPEN_LOGIN, Security, USER};
use crate::collect::talk::starttls::{Reply, reply};
use crate::collect::talk::wire::{Heard, Wire};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::tls::alpn;
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Extensions listed by one server that are looked at.
const MAX_EXTENSIONS: usize = 100;

/// A checked `smtp` monitor.
#[derive(Debug)]
struct SmtpProbe {
    endpoint: Endpoint,
    security: Security,
    hello: String,
    credentials: Option<Credentials>,
    /// Sender and recipient of the mail that is not sent.
    envelope: Option<(String, String)>,
    banner: Vec<TextCheck>,
    extensions: Vec<(String, String)>,
    latency: Latency,
    mask: Mask,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "smtp",
    about: "One mail server: greeting, encryption, login.",
    operand: Some(Operand::One { path: "host", name: "HOST", help: "Target, `name` or `name:port`." }),
    flags: &[
        &[
            Flag::new("starttls", "starttls", Form::Switch("true"), "Encrypt with STARTTLS."),
            Flag::new("hello", "hello", Form::One("NAME"), "Name to greet with."),
            Flag::new("from", "from", Form::One("ADDRESS"), "Sender of a mail that is announced, not sent.")
                .needs("to"),
            Flag::new("to", "to", Form::One("ADDRESS"), "Recipient that the server must accept.").needs("from"),
            Flag::new("expect-extension", "expect.extensions", Form::Many("NAME"), "Extension that must be offered."),
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
            Metric::gauge("probe_smtp_duration_seconds", "How long each phase took"),
            Metric::gauge("probe_smtp_status_code", "Code of the last answer"),
            Metric::gauge("probe_smtp_size_limit_bytes", "Largest message that the server takes, as it says"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let security = Security::read(fields, alpn::NONE);
    let usual = if security.is_implicit() { 465 } else { 25 };
    let endpoint = Endpoint::read(fields, &mut mask, Some(usual));
    let hello = fields.parse("hello", "write a host name", |t| word(t).map(str::to_owned));
    let credentials = security.credentials(fields, &mut mask, endpoint.as_ref());
    if let Some((user, password)) = &credentials {
        // A server may say back what it was sent.
        mask.add(&STANDARD.encode(user.reveal()));
        mask.add(&STANDARD.encode(password.reveal()));
        mask.add(&STANDARD.encode(format!("\0{}\0{}", user.reveal(), password.reveal())));
    }
    let from = fields.parse("from", "write e.g. `probe@example.com`; `<>` for none", address);
    let to = fields.parse("to", "write e.g. `postmaster@example.com`", address);
    if from.is_some() != to.is_some() {
        let message = "`from` and `to` belong together: a mail has both";
        fields.error(fields.head(), Code::MissingKey, message, "add the other one");
    }
    let (mut banner, mut extensions) = (Vec::new(), Vec::new());
    if let Some(mut own) = fields.nested_of("expect", "extensions") {
        if let Some(mut texts) = own.nested_of("banner", "contains") {
            banner = TextCheck::read(&mut texts, "banner", true);
            texts.finish();
        }
        let named = |t: &Text| (t.value().to_ascii_uppercase(), format!("offers {}", t.shown()));
        extensions = own.texts("extensions").iter().map(named).collect();
        own.finish();
    }
    let latency = Latency::read(fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let endpoint = endpoint?;
    let (target, at) = (endpoint.shown.clone(), endpoint.peer.host().to_owned());
    let hello = hello.unwrap_or_else(own_name);
    let envelope = from.zip(to);
    let probe = SmtpProbe { endpoint, security, hello, credentials, envelope, banner, extensions, latency, mask };
    Some(Probe::new("smtp", target, probe).at(&at))
}

/// What a server may look up. One that knows no name takes an address literal (RFC 5321, section 4.1.3).
fn own_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok());
    name.filter(|n| word(n).is_ok()).unwrap_or_else(|| "[127.0.0.1]".to_owned())
}

fn word(text: &str) -> Result<&str, String> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    match !text.is_empty() && text.len() <= 255 && text.chars().all(plain) {
        true => Ok(text),
        false => Err(format!("`{text}` cannot stand in a command of SMTP")),
    }
}

fn address(text: &str) -> Result<String, String> {
    match text {
        "<>" => Ok(String::new()),
        _ => word(text).map(str::to_owned),
    }
}

/// How far it came.
#[derive(Debug, Default)]
struct Said {
    heard: Heard,
    banner: Option<String>,
    extensions: Vec<String>,
    /// The last code.
    code: u16,
    /// Each part with its duration.
    parts: Vec<(&'static str, Duration)>,
}

impl Collector for SmtpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

/// What is known of the conversation, apart from what was heard.
struct Notes<'a> {
    banner: &'a mut Option<String>,
    extensions: &'a mut Vec<String>,
    code: &'a mut u16,
    parts: &'a mut Vec<(&'static str, Duration)>,
}

impl Notes<'_> {
    /// Reads the reply to `what`, which must have one of these codes; a wrong one is of this class.
    async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<'_, S>,
        what: &str,
        codes: &[u16],
        class: &'static str,
    ) -> Result<Reply, Fault> {
        let reply = reply(wire).await?;
        *self.code = reply.code;
        match codes.contains(&reply.code) {
            true => Ok(reply),
            false => Err(Fault::target(class, format!("{what}: {}", reply.shown()))),
        }
    }

    /// Greets, and notes what is offered.
    async fn hello<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<'_, S>,
        name: &str,
    ) -> Result<(), Fault> {
        wire.send(format!("EHLO {name}\r\n").as_bytes()).await?;
        // Servers from before extensions know the older greeting only (RFC 5321, section 3.2).
        let offers = self.reply(wire, "EHLO", &[250, 500, 502, 504], "answer").await?;
        if offers.code != 250 {
            wire.send(format!("HELO {name}\r\n").as_bytes()).await?;
            self.extensions.clear();
            return self.reply(wire, "HELO", &[250], "answer").await.map(drop);
        }
        let lines = offers.lines.iter().skip(1).take(MAX_EXTENSIONS);
        *self.extensions = lines.map(|l| l.trim().to_ascii_uppercase()).collect();
        Ok(())
    }

    fn offers(&self, name: &str) -> Option<&str> {
        let line = self.extensions.iter().find(|l| l.split_ascii_whitespace().next() == Some(name))?;
        Some(line[name.len()..].trim())
    }

    async fn login<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<'_, S>,
        user: &str,
        password: &str,
    ) -> Result<(), Fault> {
        let ways = self.offers("AUTH").unwrap_or("").to_owned();
        let has = |way: &str| ways.split_ascii_whitespace().any(|w| w == way);
        if has("PLAIN") {
            // RFC 4616: nobody is acted for; then name and password.
            let both = STANDARD.encode(format!("\0{user}\0{password}"));
            wire.send(format!("AUTH PLAIN {both}\r\n").as_bytes()).await?;
        } else if has("LOGIN") {
            wire.send(b"AUTH LOGIN\r\n").await?;
            for secret in [user, password] {
                self.reply(wire, "AUTH", &[334], "auth").await?;
                wire.send(format!("{}\r\n", STANDARD.encode(secret)).as_bytes()).await?;
            }
        } else {
            let shown = if ways.is_empty() { "no login at all".to_owned() } else { found(&ways) };
            return Err(Fault::target("auth", format!("the server offers neither PLAIN nor LOGIN, but {shown}")));
        }
        self.reply(wire, "AUTH", &[235], "auth").await.map(drop)
    }

    fn part(&mut self, name: &'static str, since: Instant) {
        self.parts.push((name, since.elapsed()));
    }
}

impl Talk for SmtpProbe {
    type Said = Said;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Said) -> Result<(), Fault> {
        let stream = self.security.open(&self.endpoint, cx, trace).await?;
        let host = self.endpoint.peer.host();
        let mut notes = Notes {
            banner: &mut said.banner,
            extensions: &mut said.extensions,
            code: &mut said.code,
            parts: &mut said.parts,
        };
        let mut wire = Wire::new(stream, &mut said.heard);
        trace.begin(phase::PROCESSING);
        let since = Instant::now();
        let greeting = notes.reply(&mut wire, "greeting", &[220], "answer").await?;
        *notes.banner = Some(greeting.lines.join(" "));
        notes.part("greeting", since);
        let since = Instant::now();
        notes.hello(&mut wire, &self.hello).await?;
        notes.part("hello", since);
        if let Some(tls) = self.security.starttls() {
            if notes.offers("STARTTLS").is_none() {
                return Err(Fault::target("starttls", "the server does not offer STARTTLS"));
            }
            let since = Instant::now();
            wire.send(b"STARTTLS\r\n").await?;
            notes.reply(&mut wire, "STARTTLS", &[220], "starttls").await?;
            wire.encrypt(tls, host, cx.now, trace).await?;
            trace.begin(phase::PROCESSING);
            // RFC 3207, section 4.2: what was offered in the open counts no more.
            notes.hello(&mut wire, &self.hello).await?;
            notes.part("starttls", since);
        }
        if let Some((user, password)) = &self.credentials {
            let since = Instant::now();
            notes.login(&mut wire, user.reveal(), password.reveal()).await?;
            notes.part("auth", since);
        }
        if let Some((from, to)) = &self.envelope {
            let since = Instant::now();
            wire.send(format!("MAIL FROM:<{from}>\r\n").as_bytes()).await?;
            notes.reply(&mut wire, "MAIL FROM", &[250], "sender").await?;
            wire.send(format!("RCPT TO:<{to}>\r\n").as_bytes()).await?;
            notes.reply(&mut wire, "RCPT TO", &[250, 251], "recipient").await?;
            wire.send(b"RSET\r\n").await?;
            notes.reply(&mut wire, "RSET", &[250], "answer").await?;
            notes.part("envelope", since);
        }
        // A farewell is polite; whether it is answered is no longer of interest.
        let _ = wire.send(b"QUIT\r\n").await;
        trace.end();
        Ok(())
    }

    fn judge(&self, trace: &Trace, said: &Said) -> Outcome {
        let banner = said.banner.as_deref().unwrap_or("");
        let mut judge = Judge::default();
        for check in &self.banner {
            judge.hold("banner", check.name(), check.holds(banner), found(banner));
        }
        for (wanted, name) in &self.extensions {
            let ok = said
                .extensions
                .iter()
                .any(|l| l == wanted || l.split_ascii_whitespace().next() == Some(wanted.as_str()));
            judge.hold("extension", name, ok, found(&said.extensions.join(", ")));
        }
        self.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(found(banner))
    }

    fn checks(&self) -> Vec<&str> {
        let own = self.banner.iter().map(TextCheck::name).chain(self.extensions.iter().map(|(_, n)| n.as_str()));
        own.chain(self.latency.names()).collect()
    }

    fn samples(&self, _: &Trace, said: &Said, out: &mut Vec<Sample>) {
        for (name, took) in &said.parts {
            out.push(Sample::new("probe_smtp_duration_seconds", took.as_secs_f64()).word("phase", *name));
        }
        if said.code > 0 {
            out.push(Sample::new("probe_smtp_status_code", f64::from(said.code)));
        }
        let size = said.extensions.iter().find_map(|l| l.strip_prefix("SIZE ")?.trim().parse::<u64>().ok());
        if let Some(size) = size {
            out.push(Sample::new("probe_smtp_size_limit_bytes", size as f64));
        }
    }

    fn evidence(&self, said: &Said, items: &mut Items) {
        items.extend(talk::words(&said.heard.bytes));
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
        const HELLO: &[u8] = b"220 mail\r\n";
        const OFFERS: &[u8] = b"250-mail\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n";
        for (says, then, more, class) in [
            (vec![&b""[..]], Then::Close, "", "connection_closed"),
            (vec![b"SSH-2.0-x\r\n"], Then::Close, "", "protocol_error"),
            (vec![b"421 busy\r\n"], Then::Close, "", "answer"),
            (vec![b"220-on and on\r\n"], Then::Flood, "", "protocol_error"),
            (vec![b"x"], Then::Flood, "", "too_much"),
            (vec![HELLO, b"250-on and on\r\n"], Then::Flood, "", "protocol_error"),
            (vec![HELLO, b"x"], Then::Flood, "", "too_much"),
            (vec![HELLO, b"421 bored\r\n"], Then::Close, "", "answer"),
            (vec![HELLO, OFFERS, b"535 not you\r\n"], Then::Close, ", user: u, password: pass", "auth"),
            (vec![HELLO, OFFERS, b"421 bored\r\n"], Then::Close, ", starttls: true", "starttls"),
            (
                vec![HELLO, OFFERS, b"220 go\r\n250 AUTH PLAIN\r\n"],
                Then::Close,
                ", starttls: true",
                "starttls_injection",
            ),
        ] {
            let shown = format!("{:?}, {then:?}", says.iter().map(|s| String::from_utf8_lossy(s)).collect::<Vec<_>>());
            let (at, _tasks) = peer(says.into_iter().map(<[u8]>::to_vec).collect(), then).await;
            let got = outcome("smtp", &format!("{{host: \"{at}\"{more}}}")).await;
            assert_eq!((got.verdict, &*got.reason.as_ref().unwrap().class), (Verdict::Down, class), "{shown}: {got:?}");
        }
    }

    #[tokio::test]
    async fn a_server_from_before_extensions_is_greeted_the_older_way() {
        for (helo, tls, want) in [
            (&b"250 mail\r\n"[..], "", (Verdict::Up, "")),
            (b"550 no\r\n", "", (Verdict::Down, "answer")),
            (b"250 mail\r\n", ", starttls: true", (Verdict::Down, "starttls")),
        ] {
            let says = [&b"220 mail\r\n"[..], b"502 what?\r\n", helo, b"221 bye\r\n"];
            let (at, _tasks) = peer(says.map(<[u8]>::to_vec).to_vec(), Then::Close).await;
            let got = outcome("smtp", &format!("{{host: \"{at}\"{tls}}}")).await;
            let class = got.reason.as_ref().map_or("", |r| &r.class);
            assert_eq!((got.verdict, class), want, "{got:?}");
        }
    }

    #[test]
    fn what_would_end_a_command_is_no_address() {
        for bad in ["a b@c", "a@b\r\nDATA", "<a@b>", ""] {
            assert!(word(bad).is_err(), "{bad:?}");
        }
        assert_eq!(address("<>"), Ok(String::new()));
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("smtp", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        check("{host: a, from: a@b}", "belong together");
        check("{host: a, user: u, password: pass}", "in the open");
        check("{host: a, user: u, tls: true}", "belong together");
        check("{host: a, tls: true, starttls: true}", "from the start");
        assert!(problems("smtp", "{host: a, user: u, password: pass, starttls: true}").is_empty());
    }
}
