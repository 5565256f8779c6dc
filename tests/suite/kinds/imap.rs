//! `imap` against a real Dovecot.

use std::fs;
use std::time::Duration;

use nix::unistd::{User, chown};
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{class, ends, probe};
use crate::kinds::tls::dovecot;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_real_mailbox_is_counted_and_its_newest_message_dated() {
    let Some((server, [imap, imaps, _])) = dovecot() else { return };
    let inbox = server.dir().join("mail/new");
    for folder in ["new", "cur", "tmp"] {
        fs::create_dir_all(server.dir().join("mail").join(folder)).unwrap();
    }
    // Dovecot serves no mail to root.
    let nobody = User::from_name("nobody").unwrap().unwrap();
    for folder in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
        chown(&server.dir().join(folder), Some(nobody.uid), Some(nobody.gid)).unwrap();
    }
    let cert = server.dir().join("cert.pem").display().to_string();
    let tls = format!("tls: {{ca_file: {cert}}}");
    let plain = format!("host: \"localhost:{imap}\", ip_version: 4");
    let user = "user: probe, password: right-word";
    let secure = format!("host: \"localhost:{imaps}\", ip_version: 4, {tls}, {user}");
    let first = probe("imap", &format!("{{{secure}, expect: {{messages: {{at_most: 0}}}}}}"), LIMIT).await;
    assert_eq!((first.verdict, class(&first)), (Verdict::Up, ""), "{first:?}\n{}", server.log());
    for i in 0..3 {
        fs::write(inbox.join(format!("{i}.a.b")), "Subject: hello\n\nworld\n").unwrap();
    }
    for (text, want) in [
        (plain.clone(), (Verdict::Up, "")),
        (format!("{plain}, expect: {{banner: {{contains: Dovecot}}}}"), (Verdict::Up, "")),
        (format!("{plain}, starttls: true, {tls}, {user}"), (Verdict::Up, "")),
        (format!("{plain}, starttls: true"), (Verdict::Down, "cert_untrusted")),
        (format!("{plain}, open_login: true, {user}"), (Verdict::Up, "")),
        (format!("{secure}, expect: {{newest_below: 1h, messages: {{at_least: 3, at_most: 3}}}}"), (Verdict::Up, "")),
        (format!("{secure}, expect: {{messages: {{at_least: 4}}}}"), (Verdict::Down, "messages")),
        (format!("{secure}, mailbox: Nowhere"), (Verdict::Down, "mailbox")),
        (secure.replace("right-word", "wrong-word"), (Verdict::Down, "auth")),
    ] {
        let got = probe("imap", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {got:?}\n{}", server.log());
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
    }
    let counted = probe("imap", &format!("{{{secure}}}"), LIMIT).await;
    assert_eq!(counted.summary, "3 messages in INBOX");
    assert!(counted.samples.iter().any(|s| s.name == "probe_imap_newest_message_timestamp_seconds"), "{counted:?}");
    ends("imap", server, imap, &format!("{{{plain}}}"), "processing").await;
}
