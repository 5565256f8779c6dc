//! The options of `type: http`.

use std::sync::Arc;

use bytes::Bytes;
use http::header;

use crate::collect::dial::Route;
use crate::collect::http::HttpProbe;
use crate::collect::http::auth::{Auth, basic};
use crate::collect::http::content::{Content, read_headers};
use crate::collect::http::decode::KNOWN;
use crate::collect::http::exchange::{Client, Spoken, Ways};
use crate::collect::http::expect::Expect;
use crate::collect::http::flags;
use crate::collect::http::hop::{Hop, UrlError};
use crate::collect::http::proxies::Proxies;
use crate::collect::http::request::{BodyFile, Request};
use crate::collect::http::steps::{self, StepsProbe};
use crate::collect::judge::Latency;
use crate::collect::kind::{EXPECT_LATENCY, Kind, Operand, ROUTE, TLS};
use crate::collect::mask::Mask;
use crate::collect::metric::{Metric, NETWORK};
use crate::collect::tls::TlsSpec;
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::Span;

/// Bytes of a body that are read unless the monitor says otherwise.
const DEFAULT_BODY: u64 = 1 << 20;
/// Most that it may say.
const MAX_BODY: u64 = 16 << 20;
/// As browsers and curl do, give or take.
const DEFAULT_REDIRECTS: i64 = 10;

/// The kind.
pub const KIND: Kind = Kind {
    name: "http",
    about: "One HTTP request, or several steps.",
    operand: Some(Operand::One { path: "url", name: "URL", help: "Address, e.g. `https://example.com/health`." }),
    flags: &[flags::REQUEST, flags::EXPECT, EXPECT_LATENCY, TLS, ROUTE],
    metrics: &[
        NETWORK,
        &[
            Metric::gauge("probe_http_duration_seconds", "How long each phase took, all redirects together"),
            Metric::gauge("probe_http_redirects", "Redirects that were followed"),
            Metric::gauge("probe_http_ssl", "1 where the last answer came over TLS"),
            Metric::gauge("probe_http_status_code", "Status of the last answer"),
            Metric::gauge("probe_http_version", "Version of HTTP that the last answer came in"),
            Metric::gauge(
                "probe_http_content_length",
                "Length of the body as the answer says it; -1 where it does not",
            ),
            Metric::gauge("probe_http_uncompressed_body_length", "Bytes of the body, decompressed"),
            Metric::gauge("probe_failed_due_to_regex", "1 where a regular expression decided against the target"),
            Metric::gauge(
                "probe_http_last_modified_timestamp_seconds",
                "When the page was changed, as the answer says it, since 1970",
            ),
            Metric::gauge("probe_http_body_truncated", "1 where the body was longer than what is read"),
            Metric::gauge("probe_http_step_success", "1 where a step was as expected"),
            Metric::gauge("probe_http_step_duration_seconds", "How long a step took"),
        ],
    ],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let client = read_client(fields, &mut mask);
    let cookies = fields.bool("cookies").unwrap_or(true);
    let max_redirects = read_redirects(fields);
    let auth = Auth::read(fields, &mut mask).map(Arc::new);
    if fields.node("steps").is_some() {
        let probe = read_steps(fields, client?, cookies, max_redirects, auth.as_ref(), mask);
        return probe.filter(|_| fields.cx().error_count() == errors);
    }
    let url = fields.need_text("url", "write the address, e.g. `url: https://example.com/health`");
    let mut content = Content::read(fields, &mut mask);
    let mut expect = Expect::read(fields);
    read_compression(fields, &mut content, &mut expect);
    content.add_defaults();
    content.headers.iter().for_each(|line| line.check(fields, &line.value));
    let (client, url) = (client?, url?);
    let first = first_hop(fields, &url, content.method.clone(), &mut mask)?;
    let request = Draft { content, expect, auth, max_redirects }.request(fields, first, url.span);
    if fields.cx().error_count() > errors {
        return None;
    }
    let at = request.first.peer.host().to_owned();
    let probe = HttpProbe { client, request, cookies, mask };
    Some(Probe::new("http", shown_url(&url), probe).at(&at))
}

fn read_steps(
    fields: &mut Fields<'_>,
    client: Client,
    cookies: bool,
    max_redirects: usize,
    auth: Option<&Arc<Auth>>,
    mut mask: Mask,
) -> Option<Probe> {
    let base = fields.text("url");
    let headers = read_headers(fields, &mut mask);
    headers.iter().for_each(|line| line.check(fields, &line.value));
    let shared = steps::Shared { base: base.as_ref(), headers: &headers, auth, max_redirects };
    let steps = steps::read(fields, &shared, &mut mask);
    let latency = fields.nested_of("expect", "latency").map_or_else(Latency::default, |mut own| {
        let latency = Latency::read(&mut own);
        own.finish();
        latency
    });
    let first = steps.first()?;
    let (target, at) = (first.target().to_owned(), first.host().to_owned());
    let target = base.as_ref().map_or(target, shown_url);
    let probe = StepsProbe { client, steps, cookies, latency, mask };
    Some(Probe::new("http", target, probe).at(&at))
}

/// How servers are reached: `tls`, `http_version`, `proxy` and what is said beside it, `max_body`, and the options of a route.
pub fn read_client(fields: &mut Fields<'_>, mask: &mut Mask) -> Option<Client> {
    let spoken = fields.parse("http_version", "write `1.1` or `2`", |version| match version {
        "1.1" | "1" => Ok(Spoken::One),
        "2" | "2.0" => Ok(Spoken::Two),
        other => Err(format!("`{other}` is not a version of HTTP that is spoken here")),
    });
    let spoken = spoken.unwrap_or_default();
    let tls = TlsSpec::read_always(fields, spoken.alpn());
    let proxies = Proxies::read(fields, "proxy", tls.as_ref(), mask);
    let max_body = fields.size("max_body", 1..=MAX_BODY).unwrap_or(DEFAULT_BODY);
    let max_body = usize::try_from(max_body).unwrap_or(usize::MAX);
    let route = Route::read(fields);
    if route.is_pinned() && proxies.are_for_all() {
        let message = "`connect_to` has no effect with a `proxy`, which looks the name up itself";
        fields.error(fields.head(), Code::Conflict, message, "remove one of the two");
    }
    Some(Client { tls: tls?, spoken, proxies, max_body, ways: Ways::new(route) })
}

/// `redirects` and `follow`.
pub fn read_redirects(fields: &mut Fields<'_>) -> usize {
    let most = fields.integer("redirects", 0..=50);
    let follow = fields.bool("follow");
    if let (Some(1..), Some(false)) = (most, follow) {
        let message = "`follow: false` and `redirects` contradict each other";
        fields.error(fields.head(), Code::Conflict, message, "remove one of the two");
    }
    match follow {
        Some(false) => 0,
        Some(true) | None => usize::try_from(most.unwrap_or(DEFAULT_REDIRECTS)).unwrap_or(0),
    }
}

/// Reads `compression`, which is asked for and must come.
pub fn read_compression(fields: &mut Fields<'_>, content: &mut Content, expect: &mut Expect) {
    let name = fields.parse("compression", "write gzip, deflate, br, zstd or identity", |word| {
        let mut known = KNOWN.into_iter().chain(["identity"]);
        known.find(|k| *k == word).ok_or_else(|| format!("`{word}` is not decoded here"))
    });
    if let Some(name) = name {
        content.default_header(header::ACCEPT_ENCODING, name);
        expect.want_encoding(name);
    }
}

/// A request whose first hop is yet to be filled.
pub struct Draft {
    /// What it says.
    pub content: Content,
    /// What must come back.
    pub expect: Expect,
    /// How it is authorized.
    pub auth: Option<Arc<Auth>>,
    /// Redirects that are followed.
    pub max_redirects: usize,
}

impl Draft {
    /// Fills `first`; conflicts are reported at `span`, where the address stands.
    pub fn request(self, fields: &Fields<'_>, mut first: Hop, span: Span) -> Request {
        let has_login = first.has_header(&header::AUTHORIZATION);
        let has_header = self.content.headers.iter().any(|l| l.name == header::AUTHORIZATION);
        if self.auth.is_some() && (has_login || has_header) {
            let message = "`auth` and another authorization contradict each other";
            fields.error(span, Code::Conflict, message, "keep `auth` alone");
        }
        let body_file = self.content.fill(&mut first);
        if let Some(Auth::Header(value)) = self.auth.as_deref() {
            first.set_header(header::AUTHORIZATION, value.clone(), true);
        }
        if self.expect.wants_cert() && !first.is_tls() && self.max_redirects == 0 {
            let message = "`expect.cert` cannot hold: the address is not https";
            fields.error(span, Code::Conflict, message, "write `https://`, or remove `cert`");
        }
        // What is known beforehand needs nothing more during the probe.
        let auth = self.auth.filter(|auth| !matches!(**auth, Auth::Header(_)));
        let body_file = body_file.map(BodyFile::new);
        Request { first, body_file, auth, max_redirects: self.max_redirects, expect: self.expect.shared() }
    }
}

/// Builds the first hop; `user:password@` becomes an `Authorization` header.
fn first_hop(fields: &Fields<'_>, url: &Text, method: http::Method, mask: &mut Mask) -> Option<Hop> {
    mask.add_url(url);
    let mut hop = match Hop::new(url.value().trim(), method, Bytes::new()) {
        Ok(hop) => hop,
        Err(e) => {
            let hint = match &e {
                UrlError::Malformed(_) if !url.value().contains("://") => {
                    format!("write the scheme: `http://{}`", url.shown())
                }
                UrlError::Malformed(_) | UrlError::Host(_) => "write e.g. `https://example.com/health`".to_owned(),
                UrlError::Scheme(_) => "for other protocols use `type: tcp` or `type: script`".to_owned(),
            };
            fields.error(url.span, Code::BadValue, format!("`url` {e}"), hint);
            return None;
        }
    };
    if let Some((user, password)) = userinfo(url.value()) {
        hop.set_header(header::AUTHORIZATION, basic(&user, &password, mask), true);
    }
    Some(hop)
}

/// `user:password@` of an address, decoded.
pub fn userinfo(url: &str) -> Option<(String, String)> {
    let parsed = reqwest::Url::parse(url.trim()).ok()?;
    if parsed.username().is_empty() && parsed.password().is_none() {
        return None;
    }
    let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8_lossy().into_owned();
    Some((decode(parsed.username()), decode(parsed.password().unwrap_or(""))))
}

/// The address as written, without a literal `user:password@`.
pub fn shown_url(url: &Text) -> String {
    let shown = url.shown().trim();
    match shown.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => shown.to_owned(),
            }
        }
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::collect::kinds::testing::{build, problems};

    #[test]
    fn mistakes_are_told_where_they_stand() {
        #[track_caller]
        fn check(yaml: &str, want: &str) {
            let got = problems("http", yaml);
            assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
        }
        let url = |more: &str| format!("{{url: \"http://a.example/\", {more}}}");
        check("{}", "`url` is missing");
        check("{url: a.example}", "http://a.example");
        check("{url: \"ftp://a.example\"}", "only http and https");
        check(&url("http_version: 3"), "not a version of HTTP");
        check(&url("proxy: \"ftp://p\""), "no proxy here speaks");
        check(&url("proxy: \"socks5://p:1080\", connect_to: 192.0.2.1"), "has no effect with a `proxy`");
        check(&url("headers: {Proxy-Authorization: x}"), "would go to the server");
        check(&url("headers: {Content-Length: 5}"), "set by the probe itself");
        check(&url("headers: {X-A: \"a\\nb\"}"), "no header may have");
        check(&url("body: x, json: {a: 1}"), "a request has one body");
        check(&url("json: nonsense"), "is not JSON");
        check(&url("body_file: relative"), "not an absolute path");
        check(&url("auth: {}"), "`auth` is empty");
        check(&url("auth: {basic: nobody}"), "no `:` between user and password");
        check(&url("auth: {basic: \"a:b\", bearer: c}"), "one way, not several");
        check(&url("auth: {bearer: c}, headers: {Authorization: d}"), "contradict each other");
        check(&url("auth: {oauth2: {token_url: \"http://x/\", client_id: a}}"), "`client_secret` is missing");
        check(&url("compression: compress"), "not decoded here");
        check(&url("redirects: 3, follow: false"), "contradict each other");
        check(&url("expect: {redirects: {count: 1, at_most: 2}}"), "say the same twice");
        check(&url("expect: {title: \"/(/\"}"), "not a regular expression");
        check(&url("expect: {header: {X-A: {}}}"), "nothing is said about this header");
        check(&url("expect: {json: {\"$.a\": {blow: 5}}}"), "did you mean `below`?");
        check(&url("expect: {json: {\"$.a\": {type: text}}}"), "not a type of JSON");
        check(&url("expect: {cert: {issuer: x}}, follow: false"), "the address is not https");
        check("{url: \"https://a/\", expect: {cert: {}}}", "`valid_for` is missing");
    }

    #[test]
    fn mistakes_in_steps_are_told_where_they_stand() {
        #[track_caller]
        fn check(steps: &str, want: &str) {
            let got = problems("http", &format!("{{url: \"http://a.example\", steps: {steps}}}"));
            assert!(got.iter().any(|p| p.contains(want)), "{steps}: {got:?}");
        }
        check("[]", "has 0 steps");
        check("[{name: a}]", "`url` is missing");
        check("[{url: /a, urll: x}]", "`urll` is not a key here");
        check("[{name: a, url: /a}, {name: a, url: /b}]", "two steps are called `a`");
        check("[{url: \"/{{ token }}\"}]", "no step before this one extracts `token`");
        check("[{url: /, extract: {token: {json: $.t}}}, {url: \"/{{ tokn }}\"}]", "did you mean `token`?");
        check("[{url: \"/{{ token\"}]", "without its `}}`");
        check("[{url: /, body: \"{{ a b }}\"}]", "is not a name");
        check("[{url: \"http://u:p@b.example/\"}]", "holds a user");
        check("[{url: /, extract: {\"a-b\": {json: $.t}}}]", "not a name for a value");
        check("[{url: /, extract: {a: {json: $.t, cookie: b}}}]", "comes from one place");
        check("[{url: /, extract: {a: {regex: '(a)(b)'}}}]", "which is meant?");
        let got = problems("http", "{url: \"http://a/\", method: POST, steps: [{url: /}]}");
        assert!(got.iter().any(|p| p.contains("`method` is not a key here")), "{got:?}");
    }

    #[test]
    fn no_secret_is_in_the_debug_form() {
        let text = "{url: \"http://u:pass-word@a.example/?k=${env:Q}\", proxy: \"http://p:proxy-pw@p:1\", \
                    headers: {X: \"${env:H}\"}, json: {a: \"${env:B}\"}, expect: {body: {contains: \"${env:E}\"}}}";
        let steps = "{auth: {basic: \"u:pass-word\"}, steps: [{url: \"http://a/${env:Q}\", body: \"${env:B}\"}]}";
        for text in [text, steps] {
            let (probe, problems) = build("http", text);
            assert!(problems.is_empty(), "{problems:?}");
            let shown = format!("{:?}", probe.unwrap());
            for secret in ["pass-word", "proxy-pw", "resolved-"] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
        }
    }
}
