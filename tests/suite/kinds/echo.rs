//! Peers that say back what they heard, within an error of their protocol: nothing of it may be shown that is secret.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{class, probe};

/// A password that protocols have to quote.
const PASSWORD: &str = r#"ze"bra\horse"#;
/// Pieces of it, and of what `${env:…}` gives.
const SECRET: [&str; 4] = ["bra", "horse", "secret-", "NAME"];

type Reply = fn(turn: usize, heard: &[u8]) -> Vec<u8>;

/// A peer that greets, and gives to each thing that it hears the reply of its protocol.
async fn peer(greeting: &'static [u8], reply: Reply) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut s, _)) = listener.accept().await {
            let _ = s.write_all(greeting).await;
            let mut told = [0; 4096];
            let mut turn = 0;
            while let Ok(n @ 1..) = s.read(&mut told).await {
                let _ = s.write_all(&reply(turn, &told[..n])).await;
                turn += 1;
            }
        }
    });
    (at, tasks)
}

/// All texts that an outcome shows.
fn texts(outcome: &Outcome) -> String {
    let mut all = vec![outcome.summary.clone()];
    all.extend(outcome.reason.iter().map(|r| r.message.clone()));
    all.extend(outcome.checks.iter().flat_map(|c| [c.name.clone(), c.found.clone()]));
    all.extend(outcome.samples.iter().flat_map(|s| &s.labels).map(|(_, v)| v.to_string()));
    all.extend(outcome.evidence.iter().flat_map(|e| &e.items).map(|(_, text)| text.clone()));
    all.join("\n")
}

/// One line of what was heard.
fn line(heard: &[u8]) -> String {
    String::from_utf8_lossy(heard).replace(['\r', '\n', '\0'], " ")
}

fn redis(_: usize, heard: &[u8]) -> Vec<u8> {
    format!("-ERR {}\r\n", line(heard)).into_bytes()
}

fn pg_message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag][..], &length, body].concat()
}

/// Asks for the password in clear text first.
fn postgres(turn: usize, heard: &[u8]) -> Vec<u8> {
    match turn {
        0 => pg_message(b'R', &[0, 0, 0, 3]),
        _ => pg_message(b'E', format!("SFATAL\0C28P01\0M{0}\0D{0}\0\0", line(heard)).as_bytes()),
    }
}

fn postgres_at_once(_: usize, heard: &[u8]) -> Vec<u8> {
    postgres(1, heard)
}

fn mysql_message(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

const MYSQL_GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.30\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x81\x15\
    \0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";

/// Asks for the password in clear text first.
fn mysql(turn: usize, heard: &[u8]) -> Vec<u8> {
    match turn {
        0 => mysql_message(2, b"\xfemysql_clear_password\0"),
        _ => mysql_message(4, &[b"\xff\x15\x04#28000", line(heard).as_bytes()].concat()),
    }
}

fn mysql_at_once(_: usize, heard: &[u8]) -> Vec<u8> {
    mysql(1, heard)
}

/// A refusal of MQTT 5 with a reason.
fn mqtt(_: usize, heard: &[u8]) -> Vec<u8> {
    let reason = line(heard);
    let length = u16::try_from(reason.len()).unwrap().to_be_bytes();
    let property = [&[0x1f][..], &length, reason.as_bytes()].concat();
    let body = [&[0, 0x87][..], &varint(property.len()), &property].concat();
    [&[0x20][..], &varint(body.len()), &body].concat()
}

/// MQTT 5, section 1.5.5.
fn varint(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(n % 128).unwrap();
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            return out;
        }
    }
}

fn imap(_: usize, heard: &[u8]) -> Vec<u8> {
    let heard = line(heard);
    let tag = heard.split(' ').next().unwrap_or_default().to_owned();
    format!("{tag} NO {heard}\r\n").into_bytes()
}

fn smtp_plain(turn: usize, heard: &[u8]) -> Vec<u8> {
    match turn {
        0 => b"250-mail\r\n250 AUTH PLAIN\r\n".to_vec(),
        _ => format!("535 {}\r\n", line(heard)).into_bytes(),
    }
}

/// Refuses the name, or with `turn` 3 the password.
fn smtp_login(turn: usize, heard: &[u8]) -> Vec<u8> {
    match turn {
        0 => b"250-mail\r\n250 AUTH LOGIN\r\n".to_vec(),
        1 => b"334 VXNlcm5hbWU6\r\n".to_vec(),
        _ => format!("535 {}\r\n", line(heard)).into_bytes(),
    }
}

fn smtp_login_late(turn: usize, heard: &[u8]) -> Vec<u8> {
    if turn == 2 { b"334 UGFzc3dvcmQ6\r\n".to_vec() } else { smtp_login(turn, heard) }
}

#[tokio::test]
async fn what_a_peer_says_back_is_masked() {
    let smtp: &[u8] = b"220 mail\r\n";
    for (name, kind, greeting, reply, more, want) in [
        ("redis", "redis", &b""[..], redis as Reply, "", "auth"),
        ("postgres, password", "postgres", b"", postgres, "", "auth"),
        ("postgres, name", "postgres", b"", postgres_at_once, "", "auth"),
        ("mysql, password", "mysql", MYSQL_GREETING, mysql, "", "auth"),
        ("mysql, name", "mysql", MYSQL_GREETING, mysql_at_once, "", "auth"),
        ("mqtt", "mqtt", b"", mqtt, ", version: \"5\"", "auth"),
        ("imap", "imap", b"* OK hi\r\n", imap, "", "auth"),
        ("smtp, PLAIN", "smtp", smtp, smtp_plain, "", "auth"),
        ("smtp, LOGIN, name", "smtp", smtp, smtp_login, "", "auth"),
        ("smtp, LOGIN, password", "smtp", smtp, smtp_login_late, "", "auth"),
    ] {
        let (at, _tasks) = peer(greeting, reply).await;
        let text = format!("{{host: \"{at}\", user: \"${{env:NAME}}\", password: '{PASSWORD}'{more}}}");
        let got = probe(kind, &text, Duration::from_secs(5)).await;
        assert_eq!((got.verdict, class(&got)), (Verdict::Down, want), "{name}: {got:?}");
        let shown = texts(&got);
        assert!(shown.contains("***"), "{name}: the peer said back nothing: {shown}");
        for piece in SECRET {
            assert!(!shown.contains(piece), "{name}: `{piece}` in {shown}");
        }
        // In base64, which SMTP sends: of the name, of the password, of both as PLAIN has them.
        for piece in ["c2VjcmV0", "emUiYnJh", "AHNlY3Jl"] {
            assert!(!shown.contains(piece), "{name}: `{piece}` in {shown}");
        }
    }
}
