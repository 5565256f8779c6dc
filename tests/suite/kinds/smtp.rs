//! `smtp` against a real OpenSMTPD, and with STARTTLS and a login against aiosmtpd: the TLS of Debian's OpenSMTPD does
//! not work with its OpenSSL.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::getuid;
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program};
use crate::kinds::keys;
use crate::needs;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_real_opensmtpd_says_whether_it_would_take_a_mail() {
    let Some(smtpd) = program("smtpd", "opensmtpd") else { return };
    if !needs::allowed(getuid().is_root(), "root") {
        return;
    }
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let file = dir.path().join("smtpd.conf");
    let config = format!(
        "listen on 127.0.0.1 port {port} hostname mail.test\naction \"keep\" maildir \"{}/mail\"\n\
         match from any for domain \"here.test\" action \"keep\"\n",
        dir.path().display()
    );
    fs::write(&file, config).unwrap();
    let args = ["-d", "-f", file.to_str().unwrap()].map(str::to_owned);
    let server = Daemon::start(dir, &smtpd, args).listening(port);
    let host = format!("host: \"127.0.0.1:{port}\"");
    for (more, want) in [
        ("", (Verdict::Up, "")),
        (", expect: {extensions: [8BITMIME], banner: {contains: mail.test}}", (Verdict::Up, "")),
        (", expect: {extensions: [STARTTLS]}", (Verdict::Down, "extension")),
        (", starttls: true", (Verdict::Down, "starttls")),
        (", open_login: true, user: u, password: wrong-word", (Verdict::Down, "auth")),
        (", from: a@else.test, to: root@here.test", (Verdict::Up, "")),
        (", from: <>, to: root@here.test", (Verdict::Up, "")),
        (", from: a@else.test, to: b@else.test", (Verdict::Down, "recipient")),
    ] {
        let got = probe("smtp", &format!("{{{host}{more}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{more}: {got:?}\n{}", server.log());
        assert!(!format!("{got:?}").contains("wrong-word"), "{got:?}");
    }
    ends("smtp", server, port, &format!("{{{host}}}"), "processing").await;
}

/// Offers STARTTLS, and a login to whoever used it.
const AIOSMTPD: &str = r#"
import ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult
cert, key, port = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
def check(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"probe", b"right-word"), handled=False)
Controller(Sink(), hostname="127.0.0.1", port=int(port), tls_context=context, authenticator=check).start()
while True:
    time.sleep(60)
"#;

/// A running aiosmtpd, its certificate and its port.
pub fn aiosmtpd() -> Option<(Daemon, PathBuf, u16)> {
    let python = Path::new("/usr/bin/python3");
    let has = python.exists()
        && std::process::Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .output()
            .is_ok_and(|o| o.status.success());
    if !needs::met(has, "Debian's package python3-aiosmtpd") {
        return None;
    }
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let (cert, key) = keys::write(dir.path());
    let args = ["-c", AIOSMTPD, cert.to_str().unwrap(), key.to_str().unwrap(), &port.to_string()].map(str::to_owned);
    Some((Daemon::start(dir, "/usr/bin/python3", args).listening(port), cert, port))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_over_tls_or_not_at_all() {
    let Some((server, cert, port)) = aiosmtpd() else { return };
    let host = format!("host: \"localhost:{port}\", ip_version: 4");
    let tls = format!("starttls: true, tls: {{ca_file: {}}}", cert.display());
    for (more, want) in [
        (format!("{tls}, user: probe, password: right-word, from: a@b.test, to: c@d.test"), (Verdict::Up, "")),
        (format!("{tls}, user: probe, password: wrong-word"), (Verdict::Down, "auth")),
        ("starttls: true, user: probe, password: right-word".to_owned(), (Verdict::Down, "cert_untrusted")),
        ("open_login: true, user: probe, password: right-word".to_owned(), (Verdict::Down, "auth")),
    ] {
        let got = probe("smtp", &format!("{{{host}, {more}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{more}: {got:?}\n{}", server.log());
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
        let part = got.samples.iter().any(|s| s.labels.iter().any(|(_, v)| v == "auth"));
        assert_eq!(part, want.0 == Verdict::Up, "{more}");
    }
    ends("smtp", server, port, &format!("{{{host}}}"), "processing").await;
}
