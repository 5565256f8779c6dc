//! `cert-file` against what openssl writes, and what only looks like a file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{probe, program};

const LIMIT: Duration = Duration::from_secs(5);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

/// Runs openssl in a directory.
fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {output:?}");
}

#[tokio::test]
async fn every_form_that_openssl_writes_is_read() {
    if program("openssl", "openssl").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = |args: &str| openssl(dir.path(), args);
    let subject = "-subj /CN=a.example -addext subjectAltName=DNS:a.example -days 90";
    for (name, kind) in [
        ("rsa", "rsa:2048"),
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
        ("ed", "ed25519"),
    ] {
        made(&format!("req -x509 -newkey {kind} -noenc -keyout {name}.key -out {name}.pem {subject}"));
    }
    made("x509 -in rsa.pem -outform DER -out rsa.der");
    made("crl2pkcs7 -nocrl -certfile rsa.pem -certfile p256.pem -out both.p7b");
    made("crl2pkcs7 -nocrl -certfile rsa.pem -outform DER -out rsa.p7");
    made("x509 -in rsa.pem -trustout -addtrust serverAuth -out trusted.pem");
    made("x509 -in rsa.pem -text -out text.pem");
    made("pkcs12 -export -in rsa.pem -inkey rsa.key -passout pass:x -out store.p12");
    let at = |name: &str| dir.path().join(name).display().to_string();
    for (file, key, want) in [
        ("rsa.pem", "rsa.key", ""),
        ("rsa.pem", "p256.key", "key"),
        ("p256.pem", "p256.key", ""),
        ("p521.pem", "p521.key", ""),
        ("p521.pem", "p256.key", "key"),
        ("p256.pem", "p521.key", "key"),
        ("ed.pem", "ed.key", ""),
        ("rsa.der", "rsa.key", ""),
        ("both.p7b", "rsa.key", ""),
        ("rsa.p7", "rsa.key", ""),
        ("trusted.pem", "rsa.key", ""),
        ("text.pem", "rsa.key", ""),
        ("store.p12", "rsa.key", "cert_invalid"),
        ("rsa.key", "rsa.key", "cert_invalid"),
    ] {
        let text = format!("{{path: {}, key: {}, expect: {{names: [a.example], valid_for: 30d}}}}", at(file), at(key));
        let got = probe("cert-file", &text, LIMIT).await;
        assert_eq!(class(&got), want, "{file} {key}: {got:?}");
        assert!(!format!("{got:?}").contains("PRIVATE"));
    }
    let far = format!("{{path: {}, expect: {{valid_for: 91d}}}}", at("rsa.pem"));
    assert_eq!(class(&probe("cert-file", &far, LIMIT).await), "cert");
}

#[tokio::test]
async fn a_pipe_or_a_device_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(dir.path().join("x"), "").unwrap();
    for path in [pipe.display().to_string(), "/dev/zero".to_owned(), dir.path().display().to_string()] {
        let got = probe("cert-file", &format!("{{path: {path}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, "io"), "{path}: {got:?}");
    }
}

#[tokio::test]
async fn a_file_without_end_holds_nobody_beyond_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge");
    // Nothing of it is on the disk; to hash it takes minutes.
    fs::File::create(&path).unwrap().set_len(1 << 36).unwrap();
    let text = format!("{{path: {}, expect: {{sha256: {}}}}}", path.display(), "0".repeat(64));
    let start = tokio::time::Instant::now();
    let got = probe("file", &text, Duration::from_millis(200)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "timeout"), "{got:?}");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(got.checks.iter().all(|check| check.ok.is_none()) && got.phases.iter().any(|p| p.failed));
}
