//! `dns` against a real unbound and a real dnsmasq.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, class, free_port, probe, program};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

/// Records of which each is written in a way of its own.
const FORMS: [&str; 15] = [
    "forms.example. 60 IN A 192.0.2.7",
    "forms.example. 60 IN AAAA 2001:db8::7",
    "forms.example. 60 IN NS ns.xn--bcher-kva.example.",
    "forms.example. 60 IN MX 10 xn--mnchen-3ya.example.",
    "forms.example. 60 IN SRV 1 2 443 a_b.example.",
    "forms.example. 60 IN SOA ns.example. first\\.last.example. 7 1 2 3 60",
    "forms.example. 60 IN TXT \"v=spf1 -all\" \"a \\\"b\\\" ; \\\\ \\255\"",
    "forms.example. 60 IN CAA 0 issue \"ca.example\"",
    "forms.example. 60 IN NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b.example!\" .",
    "forms.example. 60 IN HINFO \"x y\" \"z\"",
    "forms.example. 60 IN SSHFP 1 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789",
    "forms.example. 60 IN TLSA 3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
    "forms.example. 60 IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    "forms.example. 60 IN TYPE65280 \\# 3 01AB00",
    "alias.example. 60 IN CNAME forms.example.",
];

/// Where an unbound listens.
pub struct Unbound {
    /// The process.
    pub daemon: Daemon,
    /// For datagrams and TCP.
    pub port: u16,
    tls: u16,
    https: u16,
}

/// One with the zone `example.` and this serial number.
pub fn unbound(serial: u32) -> Option<Unbound> {
    let unbound = program("unbound", "unbound")?;
    let dir = tempfile::tempdir().unwrap();
    let (port, tls, https) = (free_port(), free_port(), free_port());
    keys::write(dir.path());
    let at = dir.path().display();
    let mut conf = format!(
        "server:\n  directory: \"{at}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
         do-daemonize: no\n  num-threads: 1\n  interface: 127.0.0.1@{port}\n  interface: 127.0.0.1@{tls}\n  \
         interface: 127.0.0.1@{https}\n  tls-port: {tls}\n  https-port: {https}\n  tls-service-pem: \"{at}/cert.pem\"\n  \
         tls-service-key: \"{at}/key.pem\"\n  auto-trust-anchor-file: \"\"\n  module-config: \"iterator\"\n  \
         local-zone: \"example.\" static\n  local-data: \"example. 60 IN SOA ns.example. hostmaster.example. {serial} 1 1 1 60\"\n  \
         local-data: \"www.example. 60 IN A 192.0.2.1\"\n  local-data: \"www.example. 60 IN AAAA 2001:db8::1\"\n  \
         local-data: \"two.example. 60 IN A 192.0.2.80\"\n  local-data: \"two.example. 60 IN A 192.0.2.8\"\n  \
         local-data: \"example. 60 IN MX 10 mail.example.\"\n  local-data: 'example. 60 IN TXT \"v=spf1 -all\"'\n"
    );
    for line in FORMS {
        let _ = writeln!(conf, "  local-data: '{line}'");
    }
    for i in 0..12 {
        let _ = writeln!(conf, "  local-data: 'large.example. 60 IN TXT \"{i} {}\"'", "x".repeat(200));
    }
    conf += "remote-control:\n  control-enable: no\n";
    let file = dir.path().join("unbound.conf");
    fs::write(&file, conf).unwrap();
    let args = ["-d".to_owned(), "-c".to_owned(), file.display().to_string()];
    let daemon = Daemon::start(dir, &unbound, args).listening(port);
    Some(Unbound { daemon, port, tls, https })
}

fn value(outcome: &Outcome, name: &str) -> Option<f64> {
    outcome.samples.iter().find(|s| s.name == name).map(|s| s.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_unbound_is_judged_by_what_it_answers() {
    let Some(server) = unbound(7) else { return };
    let at = format!("servers: \"127.0.0.1:{}\"", server.port);
    for (text, want, headline) in [
        ("query_name: www.example", (Verdict::Up, ""), "NOERROR, 192.0.2.1"),
        ("query_name: WWW.Example., query_type: aaaa", (Verdict::Up, ""), "NOERROR, 2001:db8::1"),
        (
            "query_name: example, query_type: MX, expect: {answer: {contains: mail.example.}}",
            (Verdict::Up, ""),
            "NOERROR, 10 mail.example.",
        ),
        ("query_name: example, query_type: TXT, expect: {answer: {matches: 'spf1 .all'}}", (Verdict::Up, ""), ""),
        ("query_name: example, query_type: SOA, expect: {authoritative: true}", (Verdict::Up, ""), ""),
        (
            "query_name: www.example, expect: {answer: {fail_if_none_matches_regexp: '192\\.0\\.2\\.9'}}",
            (Verdict::Down, "answer"),
            "",
        ),
        (
            "query_name: www.example, expect: {answer: {fail_if_matches_regexp: '192\\.0\\.2\\.1'}}",
            (Verdict::Down, "answer"),
            "",
        ),
        (
            "query_name: www.example, expect: {answer: {fail_if_not_matches_regexp: '\\tIN\\tA\\t'}}",
            (Verdict::Up, ""),
            "",
        ),
        // Each record is a line of its own, whichever comes first.
        ("query_name: two.example, expect: {answer: {matches: '192\\.0\\.2\\.80$'}}", (Verdict::Up, ""), ""),
        ("query_name: two.example, expect: {answer: {matches: '192\\.0\\.2\\.8$'}}", (Verdict::Up, ""), ""),
        ("query_name: two.example, expect: {answer: {matches: '192\\.0\\.2\\.9$'}}", (Verdict::Down, "answer"), ""),
        (
            "query_name: two.example, expect: {answer: {not_matches: '192\\.0\\.2\\.80$'}}",
            (Verdict::Down, "answer"),
            "",
        ),
        ("query_name: two.example, expect: {answer: {not_matches: '192\\.0\\.2\\.8$'}}", (Verdict::Down, "answer"), ""),
        ("query_name: two.example, expect: {answer: {not_matches: '192\\.0\\.2\\.9$'}}", (Verdict::Up, ""), ""),
        ("query_name: none.example", (Verdict::Down, "rcode"), "expected: rcode is NOERROR; found: NXDOMAIN"),
        ("query_name: none.example, expect: {rcode: NXDOMAIN}", (Verdict::Up, ""), "NXDOMAIN, no answer records"),
        ("query_name: www.example, expect: {authenticated: true}", (Verdict::Down, "flags"), ""),
    ] {
        let got = probe("dns", &format!("{{{text}, {at}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {got:?}");
        assert!(headline.is_empty() || got.headline() == headline, "{text}: {}", got.headline());
        assert_eq!(value(&got, "probe_dns_query_succeeded"), Some(1.0), "{text}");
    }
    let soa = probe("dns", &format!("{{query_name: example, query_type: SOA, {at}}}"), LIMIT).await;
    assert_eq!(value(&soa, "probe_dns_serial"), Some(7.0));
    assert!(soa.phases.iter().map(|p| &*p.name).eq(["resolve", "connect", "request"]), "{:?}", soa.phases);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_a_datagram_comes_over_tcp() {
    let Some(server) = unbound(1) else { return };
    let text = format!("{{query_name: large.example, query_type: TXT, servers: \"127.0.0.1:{}\"}}", server.port);
    let got = probe("dns", &text, LIMIT).await;
    assert_eq!((got.verdict, value(&got, "probe_dns_answer_rrs")), (Verdict::Up, Some(12.0)), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_over_every_transport() {
    let Some(server) = unbound(1) else { return };
    let ca = server.daemon.dir().join("cert.pem");
    let ca = ca.display();
    for at in [
        format!("tcp://127.0.0.1:{}", server.port),
        format!("tls://localhost:{}", server.tls),
        format!("https://localhost:{}/dns-query", server.https),
    ] {
        let text = format!("{{query_name: www.example, servers: \"{at}\", tls: {{ca_file: {ca}}}, ip_version: 4}}");
        let got = probe("dns", &text, LIMIT).await;
        assert_eq!((got.verdict, got.headline()), (Verdict::Up, "NOERROR, 192.0.2.1"), "{at}: {got:?}");
        if !at.starts_with("tcp") {
            let text = format!("{{query_name: www.example, servers: \"{at}\", ip_version: 4}}");
            let got = probe("dns", &text, LIMIT).await;
            assert_eq!((got.verdict, class(&got)), (Verdict::Down, "cert_untrusted"), "{at}: {got:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_have_the_same_zone_are_told_apart() {
    let (Some(one), Some(other), Some(same)) = (unbound(1), unbound(2), unbound(1)) else { return };
    let text = |ports: [u16; 2]| {
        let [a, b] = ports;
        format!(
            "{{query_name: example, query_type: SOA, soa_agree: true, servers: [\"127.0.0.1:{a}\", \"127.0.0.1:{b}\"]}}"
        )
    };
    let good = probe("dns", &text([one.port, same.port]), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    let servers = good.samples.iter().filter(|s| s.name == "probe_dns_serial" && s.labels.len() == 1).count();
    assert_eq!(servers, 2);
    let bad = probe("dns", &text([one.port, other.port]), LIMIT).await;
    assert_eq!((bad.verdict, class(&bad)), (Verdict::Down, "soa"));
    let want = format!(
        "expected: all servers have the same serial number; found: 127.0.0.1:{} 1, 127.0.0.1:{} 2",
        one.port, other.port
    );
    assert_eq!(bad.headline(), want);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_or_gone_is_down() {
    let Some(server) = unbound(1) else { return };
    let text = format!("{{query_name: www.example, servers: \"127.0.0.1:{}\"}}", server.port);
    let pid = Pid::from_raw(server.daemon.pid());
    server.daemon.stop();
    let slow = probe("dns", &text, Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{slow:?}");
    assert!(slow.phases.iter().any(|p| p.name == "request" && p.failed));
    assert_eq!(value(&slow, "probe_dns_query_succeeded"), Some(0.0));
    kill(pid, Signal::SIGCONT).unwrap();
    drop(server);
    let gone = probe("dns", &text, LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_dnsmasq_resolves_for_a_monitor_of_another_kind() {
    let Some(dnsmasq) = program("dnsmasq", "dnsmasq-base") else { return };
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "--no-daemon".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        format!("--port={port}"),
        "--listen-address=127.0.0.1".to_owned(),
        "--bind-interfaces".to_owned(),
        "--no-resolv".to_owned(),
        "--no-hosts".to_owned(),
        "--address=/db.example/127.0.0.1".to_owned(),
        // It asks nobody else, so other names do not exist rather than being refused.
        "--local=/#/".to_owned(),
        "--user=".to_owned(),
    ];
    let _server = Daemon::start(dir, &dnsmasq, args).listening(port);
    let own = format!("servers: \"127.0.0.1:{port}\"");
    let got = probe("dns", &format!("{{query_name: db.example, {own}}}"), LIMIT).await;
    assert_eq!((got.verdict, got.headline()), (Verdict::Up, "NOERROR, 127.0.0.1"), "{got:?}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().port();
    let text = format!("{{host: \"db.example:{target}\", resolver: \"127.0.0.1:{port}\"}}");
    let got = probe("tcp", &text, LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    let text = format!("{{host: \"db.example:{target}\", resolver: \"127.0.0.1:{port}\", ip_version: 6}}");
    let got = probe("tcp", &text, LIMIT).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "dns"), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_as_dig_writes_them() {
    let (Some(server), Some(dig)) = (unbound(1), program("dig", "bind9-dnsutils")) else { return };
    for line in FORMS {
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let (name, kind) = (parts[0], parts[3]);
        let output = std::process::Command::new(&dig)
            .args([
                "@127.0.0.1",
                "-p",
                &server.port.to_string(),
                "+norecurse",
                "+noall",
                "+answer",
                "+nosplit",
                name,
                kind,
            ])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let told: Vec<&str> = told.trim().splitn(2, kind).collect();
        let want = told.last().unwrap().trim();
        let text = format!("{{query_name: {name}, query_type: {kind}, servers: \"127.0.0.1:{}\"}}", server.port);
        let got = probe("dns", &text, LIMIT).await;
        assert_eq!(got.headline(), format!("NOERROR, {want}"), "{line}");
    }
}
