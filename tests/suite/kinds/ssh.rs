//! `ssh` against a real OpenSSH.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{User, getuid};
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program};

const LIMIT: Duration = Duration::from_secs(10);

fn keygen(args: &[&str]) -> String {
    let done = Command::new("ssh-keygen").args(args).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn new_key(file: &Path, kind: &str) {
    keygen(&["-q", "-t", kind, "-N", "", "-f", file.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_sshd_is_recognised_logged_in_to_and_asked() {
    let Some(sshd) = program("sshd", "openssh-server") else { return };
    if program("ssh-keygen", "openssh-client").is_none() {
        return;
    }
    if getuid().is_root() {
        // Where it locks itself in; its service makes it, which does not run here.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let (dir, port, impatient) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let at = |name: &str| dir.path().join(name).display().to_string();
    new_key(&dir.path().join("host"), "ecdsa");
    new_key(&dir.path().join("id"), "ed25519");
    new_key(&dir.path().join("stranger"), "ed25519");
    let rsa = ["OPENSSH", "PEM", "PKCS8"].map(|form| {
        let file = at(&format!("rsa-{form}"));
        // OpenSSH's own form is what `ssh-keygen` writes unless told otherwise.
        let form = if form == "OPENSSH" { "RFC4716" } else { form };
        keygen(&["-q", "-t", "rsa", "-b", "2048", "-m", form, "-N", "", "-f", &file]);
        file
    });
    let config = format!(
        "HostKey {}\nListenAddress 127.0.0.1:{port}\nListenAddress 127.0.0.1:{impatient}\nPidFile none\nUsePAM no\nStrictModes no\n\
         PermitRootLogin yes\nAuthorizedKeysFile {}\n\
         Match LocalPort {impatient}\n  MaxAuthTries 1\n",
        at("host"),
        at("id.pub")
    );
    fs::write(dir.path().join("sshd.conf"), config).unwrap();
    let args = ["-D", "-e", "-f", &at("sshd.conf")].map(str::to_owned);
    let shown = keygen(&["-l", "-f", &at("host.pub")]);
    let print = shown.split_whitespace().nth(1).unwrap().to_owned();
    let other = keygen(&["-l", "-f", &at("id.pub")]).split_whitespace().nth(1).unwrap().to_owned();
    let user = User::from_uid(getuid()).unwrap().unwrap().name;
    let (id, stranger) = (at("id"), at("stranger"));
    let server = Daemon::start(dir, &sshd, args).listening(port);
    let host = format!("host: \"127.0.0.1:{port}\"");
    let login = format!("{host}, user: {user}, key_file: {id}");
    for (text, want) in [
        (host.clone(), (Verdict::Up, "")),
        (format!("{host}, fingerprint: \"{print}\", expect: {{banner: {{contains: OpenSSH}}}}"), (Verdict::Up, "")),
        (format!("{host}, fingerprint: \"{other}\""), (Verdict::Down, "host_key")),
        (login.clone(), (Verdict::Up, "")),
        (format!("{login}, command: \"echo $((40 + 2))\", expect: {{matches: '^42$'}}"), (Verdict::Up, "")),
        (format!("{login}, command: \"echo no >&2; exit 3\""), (Verdict::Down, "exit")),
        (format!("{login}, command: \"exit 3\", expect: {{exit: 3}}"), (Verdict::Up, "")),
        (format!("{login}, command: uname, expect: {{contains: Windows}}"), (Verdict::Down, "output")),
        (format!("{login}, command: \"yes\""), (Verdict::Down, "too_much")),
        (login.replace(&id, &stranger), (Verdict::Down, "auth")),
        (format!("{host}, user: {user}, password: wrong-word"), (Verdict::Down, "auth")),
        // One failure is all that is borne there.
        (login.replace(&port.to_string(), &impatient.to_string()), (Verdict::Up, "")),
        (
            format!("host: \"127.0.0.1:{impatient}\", user: {user}, password: wrong-word"),
            (Verdict::Down, "connection_closed"),
        ),
        (login.replace(&id, "/does/not/exist"), (Verdict::Unknown, "local_identity")),
    ] {
        let got = probe("ssh", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {got:?}\n{}", server.log());
        assert!(!format!("{got:?}").contains("wrong-word"), "{got:?}");
    }
    let told = probe("ssh", &format!("{{{login}, command: \"echo ${{env:TOKEN}}; exit 3\"}}"), LIMIT).await;
    assert_eq!(class(&told), "exit", "{told:?}");
    let shown = format!("{told:?}");
    assert!(shown.contains("***") && !shown.contains("secret-TOKEN"), "{shown}");
    for file in rsa {
        let got = probe("ssh", &format!("{{{}}}", login.replace(&id, &file)), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Unknown, "local_identity"), "{file}: {got:?}");
        assert!(got.reason.unwrap().message.contains("an RSA key"), "{file}");
    }
    let slow = probe("ssh", &format!("{{{login}, command: sleep 60}}"), Duration::from_secs(1)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"));
    ends("ssh", server, port, &format!("{{{host}}}"), "processing").await;
}
