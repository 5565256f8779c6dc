//! How `watchdog probe http` spells the options.

use crate::collect::kind::{Flag, Form};

/// The request.
pub const REQUEST: &[Flag] = &[
    Flag::new("method", "method", Form::One("METHOD"), "Request method."),
    Flag::new("header", "headers.*", Form::Pairs(':', "NAME: VALUE"), "Request header, `Name: value`."),
    Flag::new("body", "body", Form::One("BODY"), "Request body."),
    Flag::new("body-file", "body_file", Form::Path("FILE"), "File that holds the request body."),
    Flag::new(
        "json-body",
        "json",
        Form::One("JSON"),
        "Request body of JSON; the method is then POST if none is given.",
    ),
    Flag::new("user", "auth.basic", Form::One("USER:PASSWORD"), "Basic authentication."),
    Flag::new("digest", "auth.digest", Form::One("USER:PASSWORD"), "Digest authentication."),
    Flag::new("bearer", "auth.bearer", Form::One("TOKEN"), "Bearer token."),
    Flag::new("http1", "http_version", Form::Switch("1.1"), "Speak HTTP/1.1 alone."),
    Flag::new("http2", "http_version", Form::Switch("2"), "Speak HTTP/2 alone; without TLS with prior knowledge."),
    Flag::new(
        "proxy",
        "proxy",
        Form::One("URL"),
        "Proxy, e.g. `http://proxy.example.com:3128`, `https://…` or `socks5://…`.",
    ),
    Flag::new("no-proxy", "no_proxy", Form::List("HOST"), "Host, domain or network that is asked without the proxy.")
        .needs("proxy"),
    Flag::new(
        "proxy-from-environment",
        "proxy_from_environment",
        Form::Switch("true"),
        "Take the proxy from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment.",
    ),
    Flag::new(
        "proxy-header",
        "proxy_connect_header.*",
        Form::Pairs(':', "NAME: VALUE"),
        "Header of `CONNECT`, which the proxy alone sees, `Name: value`.",
    ),
    Flag::new(
        "compression",
        "compression",
        Form::One("NAME"),
        "Encoding that is asked for and must come: gzip, deflate, br or zstd.",
    ),
    Flag::new("redirects", "redirects", Form::One("N"), "Redirects followed; 0 takes the redirect as the answer."),
    Flag::new("no-follow", "follow", Form::Switch("false"), "Take a redirect as the answer."),
    Flag::new("no-cookies", "cookies", Form::Switch("false"), "Forget cookies between redirects."),
    Flag::new("max-body", "max_body", Form::One("SIZE"), "Bytes of the body that are read, e.g. `64KiB`."),
];

/// The answer.
pub const EXPECT: &[Flag] = &[
    Flag::new(
        "expect-status",
        "expect.status",
        Form::List("STATUS"),
        "Status codes that are fine, e.g. `200-299,404`.",
    ),
    Flag::new("expect-contains", "expect.body.contains", Form::Many("TEXT"), "Text that the body must contain."),
    Flag::new(
        "expect-not-contains",
        "expect.body.not_contains",
        Form::Many("TEXT"),
        "Text that the body must not contain.",
    ),
    Flag::new(
        "expect-matches",
        "expect.body.matches",
        Form::Many("REGEX"),
        "Regular expression that the body must match.",
    ),
    Flag::new(
        "expect-not-matches",
        "expect.body.not_matches",
        Form::Many("REGEX"),
        "Regular expression that the body must not match.",
    ),
    Flag::new("expect-json", "expect.json.*", Form::Pairs('=', "PATH=VALUE"), "JSON path and the value it must have."),
    Flag::new(
        "expect-header",
        "expect.header.*",
        Form::Pairs('=', "NAME=VALUE"),
        "Response header and its value, or a regular expression between slashes.",
    ),
    Flag::new(
        "expect-title",
        "expect.title",
        Form::One("TITLE"),
        "Title of the page, or a regular expression between slashes.",
    ),
    Flag::new(
        "expect-final-url",
        "expect.redirects.final_url",
        Form::One("URL"),
        "Address that answers in the end, or a regular expression between slashes.",
    ),
    Flag::new("expect-redirects", "expect.redirects.count", Form::One("N"), "Number of redirects."),
    Flag::new(
        "cert-valid-for",
        "expect.cert.valid_for",
        Form::One("DURATION"),
        "Least time for which the certificate must still be valid, e.g. `14d`.",
    ),
];
