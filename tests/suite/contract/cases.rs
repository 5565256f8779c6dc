//! One row for each kind and each promise. Words in capitals stand for what a test has at hand, see [`Peers`]:
//! `EVIL` a server that does what the path says, `HOLE` one that takes connections and says nothing, `MUTE` the same
//! over UDP, `DIR` a folder with a socket `s`, a kubeconfig for `HOLE`, a secret in `token`, a kubeconfig of a server that echoes, and a CA's certificate, `TLS` the port of a good
//! server, `LONG` a label that no resolver asks for.

use watchdog::config::catalog::Catalog as _;
use watchdog::engine::kinds::Kinds;

/// A kind, its options, and what is asked of it.
pub type Case<T> = (&'static str, &'static str, T);
/// Kinds without a row, and why.
pub type Exempt = &'static [(&'static str, &'static str)];

/// Never ends by itself: the phase in which the deadline ends it.
pub const DEADLINE: &[Case<&str>] = &[
    ("http", "{url: \"http://EVIL/drip\"}", "transfer"),
    ("http", "{url: \"http://EVIL/slow-headers\"}", "processing"),
    ("http", "{url: \"http://EVIL/1xx\"}", "processing"),
    ("http", "{url: \"http://EVIL/silent\"}", "processing"),
    ("http", "{url: \"https://HOLE\"}", "tls"),
    ("http", "{url: \"http://a.invalid/\", proxy: \"https://HOLE\"}", "tls"),
    ("http", "{url: \"https://a.invalid/\", proxy: \"http://HOLE\"}", "connect"),
    ("tcp", "{host: \"HOLE\", expect: {contains: x}}", "processing"),
    ("tcp", "{host: \"HOLE\", tls: true}", "tls"),
    ("tcp", "{host: \"HOLE\", steps: [{send: x}, {expect: y}]}", "processing"),
    ("udp", "{host: \"MUTE\", send: x, expect: {contains: x}}", "processing"),
    ("unix", "{path: DIR/s, expect: {contains: x}}", "processing"),
    ("tls", "{host: \"HOLE\", expect: {valid_for: 1d}}", "tls"),
    ("tls", "{host: \"HOLE\", starttls: smtp}", "processing"),
    ("grpc", "{host: \"HOLE\"}", "processing"),
    ("websocket", "{url: \"ws://HOLE/\"}", "processing"),
    ("smtp", "{host: \"HOLE\", expect: {extensions: [SIZE]}}", "processing"),
    ("imap", "{host: \"HOLE\"}", "processing"),
    ("ssh", "{host: \"HOLE\"}", "processing"),
    ("ntp", "{host: \"MUTE\"}", "processing"),
    ("redis", "{host: \"HOLE\"}", "query"),
    ("postgres", "{host: \"HOLE\", user: u, password: p}", "auth"),
    ("mysql", "{host: \"HOLE\", user: u}", "auth"),
    ("mqtt", "{host: \"HOLE\"}", "auth"),
    ("docker", "{host: \"tcp://HOLE\"}", "processing"),
    ("domain", "{domain: a.example, server: \"http://HOLE/\", method: rdap}", "processing"),
    ("kubernetes", "{kubeconfig: DIR/kubeconfig}", "processing"),
    ("prometheus", "{url: \"http://EVIL/drip\"}", "transfer"),
    ("prometheus", "{url: \"http://HOLE/metrics\"}", "processing"),
    ("dns", "{query_name: a.example, servers: \"tcp://HOLE\"}", "request"),
    ("script", "{command: [/bin/sleep, \"60\"]}", "run"),
];

/// Kinds that are `unknown` where others are down, with the class of that: who does not answer is not the target, but
/// somebody who knows of it, or this machine.
pub const UNKNOWN: &[(&str, &str)] = &[("domain", "registry"), ("host", "local_timeout")];

/// What answers at once unless something is broken for good: the deadline is over before they begin. The phase, if
/// there are any.
pub const NO_TIME: &[Case<&str>] = &[
    ("ping", "{host: 127.0.0.1}", "rtt"),
    ("file", "{path: DIR/kubeconfig}", "read"),
    ("cert-file", "{path: DIR/ca.pem}", "read"),
    ("host", "{}", ""),
];

pub const WITHOUT_DEADLINE: Exempt = &[
    ("heartbeat", "nothing is asked of anybody: what was told is judged"),
    ("webhook", "nothing is asked of anybody: what was told is judged"),
];

/// Peers that close at once, send garbage or flood are given to the rows of [`DEADLINE`] that have one.
pub const WITHOUT_PEER: Exempt = &[
    ("ping", "the kernel answers; foreign packets are tried beside its code"),
    ("script", "what programs print is tried beside its code, what they do to us in `kinds::script`"),
    ("file", "contents are tried beside its code"),
    ("cert-file", "contents are tried beside its code"),
    ("host", "the kernel answers"),
    ("heartbeat", "callers are tried in `kinds::reports`"),
    ("webhook", "callers are tried in `kinds::reports`"),
];

/// Dropped at many moments.
pub const DROPPED: &[Case<()>] = &[
    ("http", "{url: \"http://EVIL/gzip\"}", ()),
    ("http", "{url: \"http://EVIL/endless\"}", ()),
    ("http", "{url: \"https://localhost:TLS\", tls: {ca_file: DIR/ca.pem}}", ()),
    ("http", "{url: \"http://a.invalid/\", proxy: \"https://localhost:TLS\", tls: {ca_file: DIR/ca.pem}}", ()),
    ("tcp", "{host: \"EVIL\", send: x, expect: {contains: y}}", ()),
    ("udp", "{host: \"EVIL\", send: x, wait: 10ms}", ()),
    ("unix", "{path: DIR/s, send: x, expect: {contains: y}}", ()),
    ("tls", "{host: \"localhost:TLS\"}", ()),
    ("grpc", "{host: \"localhost:TLS\", tls: {verify: false}}", ()),
    ("websocket", "{url: \"ws://EVIL/endless\"}", ()),
    ("smtp", "{host: \"EVIL\"}", ()),
    ("imap", "{host: \"EVIL\"}", ()),
    ("ssh", "{host: \"EVIL\"}", ()),
    ("ntp", "{host: \"EVIL\"}", ()),
    ("redis", "{host: \"EVIL\"}", ()),
    ("postgres", "{host: \"EVIL\", user: u}", ()),
    ("mysql", "{host: \"EVIL\", user: u}", ()),
    ("mqtt", "{host: \"EVIL\"}", ()),
    ("docker", "{host: \"tcp://HOLE\"}", ()),
    ("domain", "{domain: a.example, server: \"http://HOLE/\", method: rdap}", ()),
    ("file", "{path: /etc/hostname}", ()),
    ("cert-file", "{path: \"/etc/ssl/certs/*.pem\"}", ()),
    ("kubernetes", "{kubeconfig: DIR/kubeconfig}", ()),
    ("prometheus", "{url: \"http://EVIL/endless\"}", ()),
    ("prometheus", "{static_configs: [{targets: [\"EVIL\", \"HOLE\"]}], metrics_path: /endless}", ()),
    ("script", "{command: [/bin/echo, OK]}", ()),
    ("script", "{command: [/bin/sh, -c, \"sleep 60 & sleep 60\"]}", ()),
    ("ping", "{host: 127.0.0.1, count: 3, spacing: 10ms}", ()),
    ("dns", "{query_name: a.example, servers: [\"EVIL\", \"tcp://EVIL\"]}", ()),
    ("host", "{}", ()),
    ("heartbeat", "{token: 0123456789}", ()),
    ("webhook", "{token: 0123456789, event: {status: $.state, id: $.id, title: $.message}}", ()),
];

/// With a secret in what it is given.
pub const SECRET: &[Case<()>] = &[
    ("http", "{url: \"http://EVIL/echo?k=${env:TOKEN}\", headers: {Authorization: \"Bearer tok-${env:TOKEN}\"}}", ()),
    ("http", "{url: \"http://EVIL/silent?k=${env:<TOKEN>}\"}", ()),
    ("http", "{url: \"http://user:resolved-TOKEN@EVIL/echo\"}", ()),
    (
        "http",
        "{url: \"https://a.invalid/\", proxy: \"http://u:${env:TOKEN}@EVIL\", proxy_connect_header: {X-A: \"${env:TOKEN}\"}}",
        (),
    ),
    ("http", "{url: \"http://a.invalid/\", proxy: \"https://u:resolved-TOKEN@EVIL\"}", ()),
    (
        "http",
        "{url: \"http://EVIL/echo?k=${env:TOKEN}\", proxy: \"http://u:resolved-TOKEN@HOLE\", no_proxy: 127.0.0.0/8}",
        (),
    ),
    (
        "http",
        "{url: \"http://EVIL/echo\", method: POST, body: \"${env:TOKEN}\", expect: {body: {contains: \"${env:TOKEN}-x\"}}}",
        (),
    ),
    ("tcp", "{host: \"EVIL\", send: \"GET /echo${env:TOKEN} HTTP/1.0\\r\\n\\r\\n\", expect: {contains: nope}}", ()),
    (
        "script",
        "{command: [/bin/sh, -c, 'echo $T; echo \"x|a$T=1\" >&2; exit 2', \"${env:TOKEN}\"], env: {T: \"${env:TOKEN}\"}}",
        (),
    ),
    (
        "tcp",
        "{host: \"EVIL\", steps: [{send_line: \"GET /echo${env:TOKEN} HTTP/1.0\"}, {send_line: \"\"}, {expect: nope}]}",
        (),
    ),
    ("udp", "{host: \"EVIL\", send: \"${env:TOKEN}\", expect: {contains: nope}}", ()),
    ("unix", "{path: \"/run/${env:TOKEN}\", send: \"${env:TOKEN}\"}", ()),
    ("tls", "{host: \"EVIL\", expect: {issuer: \"${env:TOKEN}\"}}", ()),
    ("grpc", "{host: \"EVIL\", metadata: {authorization: \"Bearer ${env:TOKEN}\"}}", ()),
    ("websocket", "{url: \"ws://EVIL/echo?k=${env:TOKEN}\", headers: {Authorization: \"Bearer ${env:TOKEN}\"}}", ()),
    ("smtp", "{host: \"EVIL\", open_login: true, user: \"${env:TOKEN}\", password: \"${env:TOKEN}\"}", ()),
    ("imap", "{host: \"EVIL\", open_login: true, user: \"${env:TOKEN}\", password: \"${env:TOKEN}\"}", ()),
    ("ssh", "{host: \"EVIL\", user: \"${env:TOKEN}\", password: \"${env:TOKEN}\", command: \"${env:TOKEN}\"}", ()),
    ("redis", "{host: \"EVIL\", password: \"${env:TOKEN}\"}", ()),
    ("redis", "{host: \"EVIL\", command: [GET, \"${env:TOKEN}\"]}", ()),
    ("postgres", "{host: \"EVIL\", user: u, password: \"${env:TOKEN}\"}", ()),
    ("mysql", "{host: \"EVIL\", user: u, password: \"${env:TOKEN}\"}", ()),
    ("mqtt", "{host: \"EVIL\", user: u, password: \"${env:TOKEN}\"}", ()),
    ("file", "{path: \"/no/${env:TOKEN}/x\"}", ()),
    ("cert-file", "{path: \"/no/${env:TOKEN}/x\"}", ()),
    ("docker", "{host: \"unix:///no/${env:TOKEN}/x\"}", ()),
    ("kubernetes", "{kubeconfig: \"/no/${env:TOKEN}/x\"}", ()),
    ("ping", "{host: \"LONG.${env:TOKEN}\"}", ()),
    ("ntp", "{host: \"LONG.${env:TOKEN}\"}", ()),
    ("dns", "{query_name: a.example, servers: \"https://EVIL/${env:TOKEN}?k=${env:TOKEN}\"}", ()),
    ("domain", "{domain: a.example, server: \"http://EVIL/echo/${env:TOKEN}/\", method: rdap}", ()),
    ("heartbeat", "{token: \"${env:TOKEN}\"}", ()),
    ("webhook", "{token: \"${env:TOKEN}\", event: {status: $.state, id: $.id, title: $.message}}", ()),
    ("webhook", "{preset: github, signature: {secret: \"${env:TOKEN}\"}}", ()),
    ("prometheus", "{url: \"http://EVIL/echo?k=${env:TOKEN}\", authorization: {credentials: \"${env:TOKEN}\"}}", ()),
    ("prometheus", "{url: \"http://user:resolved-TOKEN@EVIL/${env:TOKEN}\", params: {k: \"${env:TOKEN}\"}}", ()),
    ("grpc", "{host: \"EVIL\", service: \"${env:TOKEN}\", authority: \"${env:TOKEN}\"}", ()),
    ("websocket", "{url: \"ws://EVIL/echo\", subprotocols: [\"${env:TOKEN}\"]}", ()),
    ("kubernetes", "{kubeconfig: DIR/echo-kubeconfig}", ()),
    ("http", "{url: \"http://EVIL/echo\", expect: {status: 500, body: {not_contains: \"${env:TOKEN}\"}}}", ()),
    ("http", "{url: \"http://EVIL/echo\", expect: {header: {X-Sent: \"/^${env:TOKEN}/\"}}}", ()),
    ("http", "{url: \"http://EVIL/echo\", expect: {title: \"${env:TOKEN}\", json: {$.a: \"${env:TOKEN}\"}}}", ()),
    (
        "prometheus",
        "{static_configs: [{targets: [\"EVIL\"]}], metrics_path: /echo, params: {k: [\"${env:TOKEN}\", \"a ${env:TO/KEN}\"]}}",
        (),
    ),
    (
        "prometheus",
        "{static_configs: [{targets: [\"EVIL\", \"EVIL\"], labels: {__param_k: \"${env:TOKEN}\", a: \"${env:TOKEN}\"}}], \
         metrics_path: \"${env:TOKEN}\"}",
        (),
    ),
    ("prometheus", "{url: \"http://EVIL/echo\", basic_auth: {username: u, password_file: \"DIR/token\"}}", ()),
    ("prometheus", "{url: \"http://EVIL/echo\", authorization: {credentials_file: \"DIR/token\"}}", ()),
    ("prometheus", "{http_sd_configs: [{url: \"http://EVIL/echo\", bearer_token_file: \"DIR/token\"}]}", ()),
];

pub const WITHOUT_SECRET: Exempt =
    &[("host", "takes limits, names of programs and states of units: no texts of one's own")];

/// Kinds of notifiers that are dropped here; all others are in `channels` and `mail`.
pub const DELIVERIES: &[Case<()>] = &[
    ("webhook", "{url: \"http://EVIL/gzip\"}", ()),
    ("telegram", "{bot_token: \"1:abcdefgh\", chat_id: \"1\", api_url: \"http://EVIL\"}", ()),
];

/// Whether a row has a peer that can be another one.
pub fn has_peer(text: &str) -> bool {
    ["HOLE", "MUTE", "DIR/"].iter().any(|word| text.contains(word))
}

#[test]
fn every_kind_of_monitor_has_a_row_in_every_table_or_a_reason() {
    #[track_caller]
    fn check(table: &str, rows: &[&str], without: Exempt) {
        for kind in Kinds.monitor_kinds() {
            let exempt = without.iter().any(|(name, why)| *name == kind && !why.is_empty());
            assert!(rows.contains(&kind) != exempt, "{kind} in {table}: a row, or else a reason");
        }
        let known = Kinds.monitor_kinds();
        let odd: Vec<_> =
            rows.iter().chain(without.iter().map(|(name, _)| name)).filter(|k| !known.contains(k)).collect();
        assert!(odd.is_empty(), "{table}: {odd:?}");
    }
    let kinds = |rows: &[Case<()>]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
    check("deadline", &DEADLINE.iter().chain(NO_TIME).map(|row| row.0).collect::<Vec<_>>(), WITHOUT_DEADLINE);
    let hostile: Vec<_> = DEADLINE.iter().filter(|row| has_peer(row.1)).map(|row| row.0).collect();
    check("hostile", &hostile, WITHOUT_PEER);
    check("dropped", &kinds(DROPPED), &[]);
    check("secret", &kinds(SECRET), WITHOUT_SECRET);
}

#[test]
fn every_kind_of_notifier_has_a_case_and_every_kind_has_a_page() {
    let channels =
        concat!(include_str!("../channels/mod.rs"), include_str!("../channels/words.rs"), include_str!("../mail.rs"));
    for kind in Kinds.notifier_kinds() {
        let here = DELIVERIES.iter().any(|row| row.0 == kind);
        assert!(here || channels.contains(&format!("\"{kind}\"")), "{kind} has no case");
    }
    for (kinds, folder) in [(Kinds.monitor_kinds(), "monitors"), (Kinds.notifier_kinds(), "notifiers")] {
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(folder);
        for kind in kinds {
            assert!(pages.join(format!("{kind}.md")).is_file(), "{kind} has no page");
        }
    }
}
