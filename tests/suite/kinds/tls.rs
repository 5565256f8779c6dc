//! `tls` against bad servers of this process, a real OpenSSL, and the real servers of protocols with STARTTLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::getuid;
use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::task::supervisor::Supervisor;

use crate::evil::tls::{Authority, TlsServer, self_signed};
use crate::kinds::daemon::{Daemon, class, free_port, probe, program};
use crate::kinds::{keys, mysql, postgres, smtp};
use crate::needs;

const LIMIT: Duration = Duration::from_secs(5);

fn evidence(outcome: &Outcome) -> String {
    outcome.evidence.iter().flat_map(|e| &e.items).map(|(title, text)| format!("{title}\n{text}\n")).collect()
}

async fn tls(port: u16, more: &str) -> Outcome {
    probe("tls", &format!("{{host: \"localhost:{port}\", ip_version: 4, {more}}}"), LIMIT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_certificate_has_its_class_and_is_shown_and_judged_all_the_same() {
    let ca = Authority::new();
    let file = ca.file.path().display();
    let trusted = format!("tls: {{ca_file: {file}}}, expect: {{valid_for: 1d}}");
    let (_, stranger) = self_signed("localhost").await;
    let other = Authority::named("another authority").serve(|_| {}, 0).await;
    let long = ca.serve(|_| {}, 63).await;
    let cases = [
        ("good", ca.serve(|_| {}, 0).await, ""),
        ("year 9999", ca.serve(|p| p.not_after = date_time_ymd(9999, 12, 31), 0).await, ""),
        ("expired", ca.serve(|p| p.not_after = date_time_ymd(2021, 1, 1), 0).await, "cert_expired"),
        ("not yet valid", ca.serve(|p| p.not_before = date_time_ymd(2900, 1, 1), 0).await, "cert_not_yet_valid"),
        ("for another name", ca.server("other.example", "x", (2999, 1, 1)).await, "cert_name"),
        (
            "not for servers",
            ca.serve(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth], 0).await,
            "cert_purpose",
        ),
        ("self-signed", stranger, "cert_untrusted"),
        ("of an unknown authority", other, "cert_untrusted"),
        ("10 certificates", ca.serve(|_| {}, 9).await, ""),
        ("11 certificates", ca.serve(|_| {}, 10).await, "cert_chain"),
        ("64 certificates", long, "cert_chain"),
        (
            "an authority's",
            ca.serve(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), 0).await,
            "cert_untrusted",
        ),
    ];
    for (name, server, want) in &cases {
        let got = tls(server.port, &trusted).await;
        let verdict = if want.is_empty() { Verdict::Up } else { Verdict::Down };
        assert_eq!((got.verdict, class(&got)), (verdict, *want), "{name}: {:?}", got.reason);
        let judged = got.checks.iter().find(|c| c.name.contains("valid for")).unwrap();
        assert_eq!(judged.ok, Some(*name != "expired"), "{name}: {judged:?}");
        if !want.is_empty() {
            let seen = evidence(&got);
            assert!(seen.contains("not trusted: ") && seen.contains("sha256 "), "{name}: {seen}");
        }
        let chain = got.samples.iter().any(|s| s.name == "probe_ssl_last_chain_expiry_timestamp_seconds");
        assert_eq!(chain, want.is_empty(), "{name}");
    }
    let forever = ca.serve(|p| p.not_after = date_time_ymd(9999, 1, 1), 0).await;
    let got = tls(forever.port, &trusted).await;
    let expiry = got.samples.iter().find(|s| s.name == "probe_ssl_earliest_cert_expiry").unwrap();
    assert_eq!(expiry.value, 253_370_764_800.0);
    let large = |p: &mut rcgen::CertificateParams| {
        p.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![0; 100_000]));
    };
    let got = tls(ca.serve(large, 0).await.port, &trusted).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "cert_too_large"), "{got:?}");
    let cn = "a\u{0}b\n\u{1b}]0;x\u{7}\u{9b}2J\u{202e}";
    let hostile = ca.server("localhost", cn, (2999, 1, 1)).await;
    let got = tls(hostile.port, &format!("tls: {{ca_file: {file}}}, expect: {{names: [other.example]}}")).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "cert_name"));
    let safe = got.made_safe();
    assert!(!evidence(&safe).chars().any(|c| c.is_control() && c != '\n'), "{safe:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_has_its_class() {
    for (says, want) in [
        (Some(&b"220 mail.example.com ESMTP\r\n"[..]), "tls_protocol"),
        (Some(b"\x15\x03\x01\x00\x02\x02\x46"), "tls_version"),
        (Some(b"\x15\x03\x03\x00\x02\x02\x28"), "tls_handshake"),
        (Some(b""), "tls_handshake"),
        (None, "timeout"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = Supervisor::new(&CancellationToken::new());
        tasks.add("server", move |_| async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                match says {
                    None => kept.push(stream),
                    Some(bytes) => {
                        let mut hello = [0; 4096];
                        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
                        let _ = stream.write_all(bytes).await;
                        let _ = stream.shutdown().await;
                    }
                }
            }
        });
        let text = format!("{{host: \"127.0.0.1:{port}\", expect: {{valid_for: 1d}}}}");
        let got = probe("tls", &text, Duration::from_millis(500)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, want), "{says:?}: {got:?}");
        assert!(got.phases.iter().any(|p| p.name == "tls" && p.failed), "{says:?}");
    }
}

/// A server that takes only clients with a certificate of this authority.
async fn strict(ca: &Authority) -> TlsServer {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (cert, key) = ca.sign(|_| {});
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![cert], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    TlsServer::of(config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_to_who_asks_and_its_lack_is_told() {
    let (ca, other) = (Authority::new(), Authority::new());
    let server = strict(&ca).await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, ca: &Authority| {
        let (cert, key) = ca.sign(|_| {});
        let file = dir.path().join(name);
        let body = |label: &str, der: &[u8]| {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        fs::write(&file, body("CERTIFICATE", &cert) + &body("PRIVATE KEY", &key.serialize_der())).unwrap();
        file
    };
    let (good, bad) = (write("good.pem", &ca), write("bad.pem", &other));
    let file = ca.file.path().display();
    for version in ["1.2", "1.3"] {
        for (more, want) in [
            (format!(", cert_file: {}", good.display()), (Verdict::Up, "")),
            (String::new(), (Verdict::Down, "tls_client_cert")),
            (format!(", cert_file: {}", bad.display()), (Verdict::Down, "tls_client_cert")),
            (format!(", cert_file: {file}"), (Verdict::Unknown, "local_identity")),
        ] {
            let got = tls(server.port, &format!("tls: {{ca_file: {file}, max_version: {version}{more}}}")).await;
            assert_eq!((got.verdict, class(&got)), want, "{version}{more}: {:?}", got.reason);
        }
    }
}

/// A directory with an authority, and a certificate for `localhost` signed by it with `digest`.
fn issue(digest: &str) -> Option<TempDir> {
    program("openssl", "openssl")?;
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &str| {
        let done = Command::new("openssl").args(args.split(' ')).current_dir(dir.path()).output().unwrap();
        assert!(done.status.success(), "{args}: {}", String::from_utf8_lossy(&done.stderr));
    };
    fs::write(dir.path().join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    fs::write(dir.path().join("index"), "").unwrap();
    run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 30");
    run("req -newkey rsa:2048 -nodes -keyout key.pem -out csr -subj /CN=localhost/O=Test");
    run(&format!(
        "x509 -req -in csr -CA ca.pem -CAkey ca.key -set_serial 0x1001 -days 20 -extfile ext -{digest} -out cert.pem"
    ));
    Some(dir)
}

/// `openssl s_server` in such a directory.
fn openssl(dir: TempDir, more: &[&str]) -> (Daemon, u16) {
    let port = free_port();
    let at = port.to_string();
    let mut args =
        vec!["s_server", "-accept", &at, "-cert", "cert.pem", "-key", "key.pem", "-cert_chain", "ca.pem", "-www"];
    args.extend(more);
    (Daemon::start(dir, "openssl", args).listening(port), port)
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_and_broken_digests_of_a_real_openssl_are_refused() {
    for (digest, more, want) in [
        ("sha256", &[][..], (Verdict::Up, "")),
        ("sha256", &["-tls1_2"], (Verdict::Up, "")),
        ("sha256", &["-tls1", "-cipher", "ALL:@SECLEVEL=0"], (Verdict::Down, "tls_version")),
        ("sha1", &["-cipher", "ALL:@SECLEVEL=0"], (Verdict::Down, "cert_signature")),
    ] {
        let Some(dir) = issue(digest) else { return };
        let ca = dir.path().join("ca.pem");
        let (_server, port) = openssl(dir, more);
        let got = tls(port, &format!("tls: {{ca_file: {}}}, expect: {{chain: ordered}}", ca.display())).await;
        assert_eq!((got.verdict, class(&got)), want, "{digest} {more:?}: {:?}", got.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stapled_response_is_read_and_only_its_issuers_counts() {
    let states = [
        ("V\t300101000000Z\t\t1001\tunknown\t/CN=localhost\n", "good", (Verdict::Up, "")),
        ("R\t300101000000Z\t260101000000Z\t1001\tunknown\t/CN=localhost\n", "good", (Verdict::Down, "ocsp")),
        ("R\t300101000000Z\t260101000000Z\t1001\tunknown\t/CN=localhost\n", "stapled", (Verdict::Up, "")),
        ("forged", "stapled", (Verdict::Down, "ocsp")),
        ("none", "stapled", (Verdict::Down, "ocsp")),
    ];
    for (index, wanted, want) in states {
        let Some(dir) = issue("sha256") else { return };
        // Another authority of the same name signs what is forged.
        let Some(other) = issue("sha256") else { return };
        let line = if index.len() > 10 { index } else { states[0].0 };
        fs::write(dir.path().join("index"), line).unwrap();
        let signer = if index == "forged" { other.path() } else { dir.path() };
        let file = |dir: &Path, name: &str| dir.join(name).display().to_string();
        let args = [
            "ocsp",
            "-index",
            "index",
            "-CA",
            "ca.pem",
            "-issuer",
            "ca.pem",
            "-cert",
            "cert.pem",
            "-ndays",
            "7",
            "-noverify",
            "-respout",
            "response.der",
            "-rsigner",
            &file(signer, "ca.pem"),
            "-rkey",
            &file(signer, "ca.key"),
        ];
        let done = Command::new("openssl").args(args).current_dir(dir.path()).output().unwrap();
        assert!(dir.path().join("response.der").exists(), "{done:?}");
        let ca = dir.path().join("ca.pem");
        let more: &[&str] = if index == "none" { &[] } else { &["-status_file", "response.der"] };
        let (_server, port) = openssl(dir, more);
        let text = format!("tls: {{ca_file: {}}}, expect: {{ocsp: {wanted}}}", ca.display());
        let got = tls(port, &text).await;
        assert_eq!((got.verdict, class(&got)), want, "{index}: {:?}", got.checks);
        let stapled = got.samples.iter().find(|s| s.name == "probe_ssl_ocsp_response_stapled").unwrap();
        assert_eq!(stapled.value, f64::from(u8::from(index != "none")), "{index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_are_those_of_a_real_blackbox_exporter() {
    let Some(exporter) = program("prometheus-blackbox-exporter", "prometheus-blackbox-exporter") else { return };
    let Some(dir) = issue("sha256") else { return };
    let ca = dir.path().join("ca.pem");
    let module = format!("tcp:\n    prober: tcp\n    tcp: {{tls: true, tls_config: {{ca_file: {}}}}}\n", ca.display());
    let modules = tempfile::tempdir().unwrap();
    fs::write(modules.path().join("modules.yml"), format!("modules:\n  {module}")).unwrap();
    let (_server, port) = openssl(dir, &[]);
    let web = free_port();
    let args = [format!("--web.listen-address=127.0.0.1:{web}"), "--config.file=modules.yml".to_owned()];
    let _peer = Daemon::start(modules, &exporter, args).listening(web);
    let question = format!("GET /probe?module=tcp&target=localhost:{port} HTTP/1.0\r\n\r\n");
    let mut theirs = String::new();
    let mut stream = TcpStream::connect(("127.0.0.1", web)).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    stream.read_to_string(&mut theirs).unwrap();
    let ours = tls(port, &format!("tls: {{ca_file: {}}}", ca.display())).await;
    let mut compared = 0;
    for line in theirs.lines().filter(|l| l.starts_with("probe_ssl_") || l.starts_with("probe_tls_version")) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let own = ours.samples.iter().find(|s| s.name == name);
        let own = own.unwrap_or_else(|| panic!("{line}: not among {:?}", ours.samples));
        assert_eq!(value.parse::<f64>().unwrap(), own.value, "{line}");
        for label in labels.trim_end_matches('}').split("\",").filter(|l| !l.is_empty()) {
            let (key, text) = label.split_once("=\"").unwrap();
            let known = own.labels.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_ref());
            assert_eq!(known, Some(text.trim_end_matches('"')), "{line}");
        }
        compared += 1;
    }
    assert!(compared >= 3, "{theirs}");
}

/// Probes a server that turns to TLS: its own certificate is the one in `cert`.
async fn check_starttls(protocol: &str, port: u16, cert: &Path) {
    let text = format!(
        "starttls: {protocol}, tls: {{ca_file: {}}}, expect: {{names: [localhost], valid_for: 1h}}",
        cert.display()
    );
    let got = tls(port, &text).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Up, ""), "{protocol}: {:?}\n{}", got.reason, evidence(&got));
    let got = tls(port, &format!("starttls: {protocol}")).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "cert_untrusted"), "{protocol}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_databases_turn_to_tls() {
    if let Some((server, port)) = postgres::running() {
        check_starttls("postgres", port, &server.dir().join("cert.pem")).await;
    }
    if let Some((server, port)) = mysql::running() {
        check_starttls("mysql", port, &server.dir().join("cert.pem")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_aiosmtpd_turns_to_tls() {
    if let Some((_server, cert, port)) = smtp::aiosmtpd() {
        check_starttls("smtp", port, &cert).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_openssl_that_stands_still_or_is_gone_is_told_apart() {
    let Some(dir) = issue("sha256") else { return };
    let (server, port) = openssl(dir, &[]);
    let text = format!("{{host: \"localhost:{port}\", ip_version: 4, tls: {{verify: false}}}}");
    assert_eq!(probe("tls", &text, LIMIT).await.verdict, Verdict::Up);
    server.stop();
    let slow = probe("tls", &text, Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{slow:?}");
    drop(server);
    let gone = probe("tls", &text, LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_trusts_no_stranger_unless_it_is_told_to() {
    let server = Authority::new().serve(|_| {}, 0).await;
    let url = format!("url: \"https://localhost:{}/metrics\"", server.port);
    let strange = probe("prometheus", &format!("{{{url}}}"), LIMIT).await;
    assert_eq!((strange.verdict, class(&strange)), (Verdict::Down, "cert_untrusted"), "{strange:?}");
    // What then comes is no exposition.
    let taken = probe("prometheus", &format!("{{{url}, tls: {{verify: false}}}}"), LIMIT).await;
    assert_eq!((taken.verdict, class(&taken)), (Verdict::Down, "content_type"), "{taken:?}");
}

/// A directory that servers which give up their rights can read, with certificate and key.
fn shared_dir() -> (TempDir, PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (cert, key) = keys::write(dir.path());
    (dir, cert, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_vsftpd_turns_to_tls() {
    let Some(vsftpd) = program("vsftpd", "vsftpd") else { return };
    let (dir, cert, key) = shared_dir();
    let port = free_port();
    fs::create_dir(dir.path().join("empty")).unwrap();
    let config = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
         secure_chroot_dir={}\nanonymous_enable=YES\nssl_enable=YES\nrsa_cert_file={}\nrsa_private_key_file={}\n\
         seccomp_sandbox=NO\n",
        dir.path().join("empty").display(),
        cert.display(),
        key.display()
    );
    let file = dir.path().join("vsftpd.conf");
    fs::write(&file, config).unwrap();
    let _server = Daemon::start(dir, &vsftpd, [&file]).listening(port);
    check_starttls("ftp", port, &cert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_slapd_turns_to_tls() {
    let Some(slapd) = program("slapd", "slapd") else { return };
    let (dir, cert, key) = shared_dir();
    let port = free_port();
    let file = dir.path().join("slapd.conf");
    let config = format!(
        "TLSCertificateFile {}\nTLSCertificateKeyFile {}\npidfile {}\n",
        cert.display(),
        key.display(),
        dir.path().join("pid").display()
    );
    fs::write(&file, config).unwrap();
    let args = ["-f", file.to_str().unwrap(), "-h", &format!("ldap://127.0.0.1:{port}"), "-d", "0"].map(str::to_owned);
    let _server = Daemon::start(dir, &slapd, args).listening(port);
    check_starttls("ldap", port, &cert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prosody_turns_to_tls() {
    let Some(prosody) = program("prosody", "prosody") else { return };
    let (dir, cert, key) = shared_dir();
    let port = free_port();
    let file = dir.path().join("prosody.cfg.lua");
    let config = format!(
        "run_as_root = true\npidfile = \"{0}/pid\"\ndata_path = \"{0}\"\nc2s_ports = {{ {port} }}\ns2s_ports = {{ }}\n\
         interfaces = {{ \"127.0.0.1\" }}\nmodules_enabled = {{ \"tls\", \"saslauth\" }}\nmodules_disabled = {{ \"s2s\" }}\n\
         log = {{ info = \"*console\" }}\nVirtualHost \"localhost\"\n  ssl = {{ key = \"{1}\"; certificate = \"{2}\" }}\n",
        dir.path().display(),
        key.display(),
        cert.display()
    );
    fs::write(&file, config).unwrap();
    let args = ["-F", "--config", file.to_str().unwrap()].map(str::to_owned);
    let _server = Daemon::start(dir, &prosody, args).listening(port);
    check_starttls("xmpp", port, &cert).await;
}

/// A real Dovecot, which insists on starting as root. Ports of IMAP, IMAP over TLS and POP3.
pub fn dovecot() -> Option<(Daemon, [u16; 3])> {
    let dovecot = program("dovecot", "dovecot-imapd")?;
    let parts = ["imap", "pop3"].iter().all(|p| Path::new("/usr/lib/dovecot").join(p).exists());
    if !needs::met(parts, "Debian's packages dovecot-imapd and dovecot-pop3d")
        || !needs::allowed(getuid().is_root(), "root")
    {
        return None;
    }
    let (dir, cert, key) = shared_dir();
    let ports = [free_port(), free_port(), free_port()];
    let [imap, imaps, pop3] = ports;
    let at = dir.path().display();
    let config = format!(
        "base_dir = {at}/run\nlog_path = /dev/stderr\nprotocols = imap pop3\nlisten = 127.0.0.1\nssl = yes\n\
         ssl_cert = <{}\nssl_key = <{}\ndisable_plaintext_auth = no\nmail_location = maildir:{at}/mail\n\
         passdb {{\n  driver = static\n  args = password=right-word\n}}\n\
         userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={at}/mail\n}}\n\
         service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {imap}\n  }}\n\
         \n  inet_listener imaps {{\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
         service pop3-login {{\n  chroot =\n  inet_listener pop3 {{\n    port = {pop3}\n  }}\n\
         \n  inet_listener pop3s {{\n    port = 0\n  }}\n}}\n\
         service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n",
        cert.display(),
        key.display()
    );
    let file = dir.path().join("dovecot.conf");
    fs::write(&file, config).unwrap();
    let args = ["-F", "-c", file.to_str().unwrap()].map(str::to_owned);
    let server = Daemon::start(dir, &dovecot, args).listening(imap).listening(imaps).listening(pop3);
    Some((server, ports))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_dovecot_turns_to_tls() {
    let Some((server, [imap, _, pop3])) = dovecot() else { return };
    let cert = server.dir().join("cert.pem");
    check_starttls("imap", imap, &cert).await;
    check_starttls("pop3", pop3, &cert).await;
}
