//! Mail against a real SMTP server: in the open, with STARTTLS, with TLS, signed in, refused.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use watchdog::base::labels::Labels;
use watchdog::base::message::{DeliveryError, Status};
use watchdog::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
use watchdog::base::time::Timestamp;
use watchdog::config::catalog::Catalog;
use watchdog::config::fields::{Cx, Fields, Resolver};
use watchdog::config::model::Server;
use watchdog::config::report::Source;
use watchdog::config::yaml;
use watchdog::engine::kinds::Kinds;

use crate::needs;

/// Prints its port, then each mail as a line of JSON. Refuses whoever is called `nobody`, and the
/// sender `busy` for now.
const SERVER: &str = r#"
import asyncio, email, email.policy, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
mode, cert, key = sys.argv[1:4]
def say(what):
    print(json.dumps(what), flush=True)
class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("busy@"):
            return "451 4.3.0 try again later"
        envelope.mail_from = address
        return "250 OK"
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say({
            "from": envelope.mail_from, "to": envelope.rcpt_tos,
            "tls": session.ssl is not None, "auth": session.authenticated,
            "headers": {k.lower(): str(v) for k, v in mail.items()}, "names": [k.lower() for k in mail.keys()],
            "plain": mail.get_body(("plain",)).get_content().replace("\r\n", "\n"), "html": mail.get_body(("html",)).get_content().replace("\r\n", "\n"),
        })
        return "250 2.0.0 queued as 4F1A"
def authenticate(server, session, envelope, mechanism, data):
    fine = data.login == b"watchdog" and data.password == b"S3cr3tPassword"
    return AuthResult(success=fine, handled=False, message=None if fine else "535 5.7.8 wrong: S3cr3tPassword?")
context = None
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
more = {}
if mode == "starttls":
    more = dict(tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)
if mode == "tls":
    more = dict(authenticator=authenticate, auth_required=True, auth_require_tls=False)
async def main():
    loop = asyncio.get_running_loop()
    make = lambda: SMTP(Handler(), hostname="mx.example.com", loop=loop, **more)
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())
"#;

struct Mx {
    port: u64,
    ca: String,
    out: BufReader<std::process::ChildStdout>,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Mx {
    fn start(mode: &str) -> Option<Self> {
        let found = Command::new("/usr/bin/python3").args(["-c", "import aiosmtpd"]).output();
        if !needs::met(found.is_ok_and(|o| o.status.success()), "python3-aiosmtpd") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (cert, key) = (file("cert.pem", cert.pem()), file("key.pem", key.serialize_pem()));
        let ca = file("ca.pem", authority.pem());
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", SERVER, mode, &cert, &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut mx = Self { port: 0, ca, out: BufReader::new(child.stdout.take().unwrap()), child, _dir: dir };
        mx.port = mx.next().as_u64().unwrap();
        Some(mx)
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn mailer(&self, more: &str) -> std::sync::Arc<dyn Notifier> {
        let text = format!(
            "{{host: localhost, port: {}, from: \"Watch Dog <watchdog@example.com>\", ca_file: {}, {more}}}",
            self.port, self.ca
        );
        build(&text)
    }
}

impl Drop for Mx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Env;

impl Resolver for Env {
    fn resolve(&self, _: &str, _: &str) -> Result<String, String> {
        Ok("S3cr3tPassword".to_owned())
    }
}

fn problems(text: &str) -> (Option<std::sync::Arc<dyn Notifier>>, Vec<String>) {
    let root = yaml::parse(text).0.unwrap();
    let cx = Cx::new(Source::new("test.yaml", text), &Env);
    let mut fields = Fields::of(&cx, &root).unwrap();
    let made = Kinds.notifier("email", &Server::default(), &mut fields);
    fields.finish();
    (made, cx.into_problems().into_iter().map(|p| p.message).collect())
}

fn build(text: &str) -> std::sync::Arc<dyn Notifier> {
    let (made, problems) = problems(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    made.unwrap()
}

fn notification(status: Status, key: &str, summary: &str) -> Notification {
    let alert = NotifiedAlert {
        status,
        fingerprint: "fe6993caee5e5b46".into(),
        labels: Labels::new([("alertname", "DiskFull\r\nBcc: evil@example.com"), ("severity", "critical")]),
        annotations: Labels::new([("summary", summary)]),
        starts_at: Timestamp::from_millis(1_763_900_000_120),
        ends_at: None,
        value: None,
        generator_url: None,
    };
    Notification::single(key.to_owned(), "thread-1".into(), "ops", alert)
}

async fn deliver(to: &dyn Notifier, n: &Notification, previous: Option<&str>) -> Result<Receipt, DeliveryError> {
    to.deliver(Delivery { notification: n, previous }).await
}

const AUTH: &str = "username: watchdog, password: \"${env:P}\"";

#[tokio::test(flavor = "multi_thread")]
async fn mails_of_one_incident_are_one_conversation() {
    let Some(mut mx) = Mx::start("plain") else { return };
    let to = mx.mailer("tls: none, to: [ops@example.com, \"Ada <ada@example.com>\"], cc: [c@example.com], bcc: [b@example.com], reply_to: r@example.com, language: zh");
    let long = format!(".\r\n.hidden line\r\n<script>&</script> 磁盘满了\n{}", "x".repeat(5_000));
    let first = deliver(&*to, &notification(Status::Firing, "key-1", &long), None).await.unwrap();
    assert_eq!(first.remote.as_deref(), Some("<key-1@example.com>"));
    assert_eq!(first.detail.as_deref(), Some("250 2.0.0 queued as 4F1A"));
    let got = mx.next();
    assert_eq!(got["from"], "watchdog@example.com");
    assert_eq!(got["to"], serde_json::json!(["ops@example.com", "ada@example.com", "c@example.com", "b@example.com"]));
    let header = |got: &Value, name: &str| got["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header(&got, "from"), "Watch Dog <watchdog@example.com>");
    assert_eq!(header(&got, "message-id"), "<key-1@example.com>");
    assert_eq!(header(&got, "references"), "<thread-1@example.com>");
    assert_eq!(header(&got, "subject"), "\u{1f534} 告警：DiskFull Bcc: evil@example.com");
    assert_eq!(header(&got, "importance"), "high");
    assert_eq!(header(&got, "reply-to"), "r@example.com");
    let names = got["names"].as_array().unwrap();
    assert!(!names.contains(&"bcc".into()) && names.contains(&"auto-submitted".into()), "{names:?}");
    let (plain, html) = (got["plain"].as_str().unwrap(), got["html"].as_str().unwrap());
    assert!(plain.starts_with(".\n.hidden line\n<script>&</script> 磁盘满了\n"), "{plain}");
    assert!(plain.trim_end().ends_with("watchdog tui alert/fe6993caee5e5b46"));
    assert!(html.contains("&lt;script&gt;&amp;&lt;/script&gt; 磁盘满了") && !html.contains("<script>"));
    deliver(&*to, &notification(Status::Resolved, "key-2", "x"), first.remote.as_deref()).await.unwrap();
    let end = mx.next();
    assert_eq!(header(&end, "message-id"), "<key-2@example.com>");
    assert_eq!(header(&end, "in-reply-to"), "<key-1@example.com>");
    assert_eq!(header(&end, "references"), "<thread-1@example.com> <key-1@example.com>");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_before_it_is_encrypted() {
    for mode in ["starttls", "tls"] {
        let Some(mut mx) = Mx::start(mode) else { return };
        let to = mx.mailer(&format!("tls: {mode}, to: ops@example.com, {AUTH}"));
        assert!(!format!("{to:?}").contains("S3cr3t"));
        deliver(&*to, &notification(Status::Firing, "key-1", "x"), None).await.unwrap();
        let got = mx.next();
        assert_eq!((&got["auth"], &got["to"][0]), (&Value::Bool(true), &Value::from("ops@example.com")), "{mode}");
        assert_eq!(got["tls"], mode == "starttls" || got["tls"] == true, "{mode}");
        // The certificate of somebody else.
        let text = format!(
            "{{host: localhost, port: {}, tls: {mode}, from: w@example.com, to: o@example.com, {AUTH}}}",
            mx.port
        );
        match deliver(&*build(&text), &notification(Status::Firing, "key-1", "x"), None).await {
            Err(DeliveryError::Retry { err, .. }) => assert!(!err.to_string().contains("S3cr3t"), "{err}"),
            other => panic!("{mode}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_sorted_and_some_recipients_are_better_than_none() {
    let Some(mut mx) = Mx::start("plain") else { return };
    let n = notification(Status::Firing, "key-1", "x");
    let to = mx.mailer("tls: none, to: [nobody@example.com, ops@example.com]");
    let receipt = deliver(&*to, &n, None).await.unwrap();
    assert_eq!(receipt.detail.as_deref(), Some("250 2.0.0 queued as 4F1A; refused: nobody@example.com"));
    assert_eq!(mx.next()["to"], serde_json::json!(["ops@example.com"]));
    let permanent = |got: Result<Receipt, DeliveryError>| match got {
        Err(DeliveryError::Permanent(err)) => err.to_string(),
        other => panic!("{other:?}"),
    };
    let text = permanent(deliver(&*mx.mailer("tls: none, to: nobody@example.com"), &n, None).await);
    assert!(text.contains("every recipient") && text.contains("no such user"), "{text}");
    let text = permanent(deliver(&*mx.mailer("tls: starttls, to: ops@example.com"), &n, None).await);
    assert!(text.contains("offers no STARTTLS"), "{text}");
    let busy = format!("{{host: localhost, port: {}, tls: none, from: busy@example.com, to: o@example.com}}", mx.port);
    assert!(matches!(deliver(&*build(&busy), &n, None).await, Err(DeliveryError::Retry { .. })));
    let Some(mx) = Mx::start("starttls") else { return };
    let to = mx.mailer("tls: starttls, to: ops@example.com, username: stranger, password: \"${env:P}\"");
    let text = permanent(deliver(&*to, &n, None).await);
    assert!(text.contains("signing in") && text.contains("535") && !text.contains("S3cr3t"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_never_stops_talking_is_left() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.write_all(&[b'2'; 65_536]).await.is_ok() {}
    });
    let to = build(&format!("{{host: 127.0.0.1, port: {port}, tls: none, from: w@example.com, to: o@example.com}}"));
    match deliver(&*to, &notification(Status::Firing, "key-1", "x"), None).await {
        Err(DeliveryError::Retry { err, .. }) => assert!(err.to_string().contains("does not stop talking"), "{err}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let check = |text: &str, wanted: &str| {
        let (made, said) = problems(text);
        assert!(made.is_none() && said.iter().any(|m| m.contains(wanted)), "{text}: {said:?}");
    };
    check("{from: w@example.com, to: o@example.com}", "`host` is missing");
    check("{host: mx, from: w@example.com}", "`to` is missing");
    check("{host: mx, from: w@example.com, to: \"no address\"}", "is not a mail address");
    check("{host: mx, from: \"w@example.com\\nBcc: x@example.com\", to: o@example.com}", "is not a mail address");
    check(
        &format!("{{host: mx.example.com, tls: none, from: w@example.com, to: o@example.com, {AUTH}}}"),
        "for everyone to read",
    );
    check("{host: mx, from: w@example.com, to: o@example.com, username: x}", "belong together");
}
