//! Which proxy a request goes through: the one that a monitor names or the environment's, and none for the hosts that
//! either lists.
//!
//! What such a list means is what Go's programs take `NO_PROXY` for, and so blackbox_exporter and Prometheus. Names are
//! compared as they are written: none is resolved for it.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use reqwest::Url;

use crate::base::policy::Network;
use crate::base::secret::Secret;
use crate::collect::dial::Peer;
use crate::collect::http::hop::Hop;
use crate::collect::http::proxy::{Manner, Proxy};
use crate::collect::mask::Mask;
use crate::collect::tls::{TlsSpec, alpn};
use crate::config::fields::{Fields, refusal};
use crate::config::report::Code;
use crate::config::yaml::{Node, Span, Value};

/// How a proxy is written.
const HINT: &str =
    "write `http://HOST:PORT`, `https://HOST:PORT` or `socks5://HOST:PORT`, with `USER:PASSWORD@` if it asks for them";

/// The proxies of a monitor, if any.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Option<Arc<Choice>>);

#[derive(Debug, Default)]
struct Choice {
    /// For `http://`.
    plain: Option<Arc<Proxy>>,
    /// For `https://`.
    tls: Option<Arc<Proxy>>,
    direct: Vec<Direct>,
}

/// Whom no proxy is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    /// Everybody.
    All,
    /// This machine.
    Loopback,
    /// Addresses, at a port or at each.
    Network(Network, Option<u16>),
    /// A domain, in small letters and ASCII.
    Domain { name: Box<str>, itself: bool, port: Option<u16> },
}

impl Proxies {
    /// Reads the option `key`, which names a proxy, and what may stand beside it: `no_proxy`, `proxy_connect_header`,
    /// `proxy_tls`, or `proxy_from_environment` in its place. Without `proxy_tls` a proxy is trusted as targets are, by
    /// `tls`.
    pub fn read(fields: &mut Fields<'_>, key: &'static str, tls: Option<&TlsSpec>, mask: &mut Mask) -> Self {
        let url = fields.text(key);
        let from_environment = fields.bool("proxy_from_environment") == Some(true);
        let environment = fields.node("proxy_from_environment").filter(|_| from_environment);
        let (no_proxy, headers, own_tls) =
            (fields.node("no_proxy"), fields.node("proxy_connect_header"), fields.node("proxy_tls"));
        let direct = read_direct(fields);
        let lines = headers.map_or_else(Vec::new, |node| read_lines(fields, node, mask));
        let own = fields.nested("proxy_tls").and_then(|own| TlsSpec::read(own, alpn::HTTP1));
        let conflict = |node: Option<&Node>, message: &str, hint: &str| {
            if let Some(node) = node {
                fields.error(node.mark(), Code::Conflict, message, hint);
            }
        };
        let manner = || Manner {
            tls: own.or_else(|| tls.map(TlsSpec::for_proxy)).unwrap_or_else(|| TlsSpec::system(alpn::HTTP1)),
            lines: Secret::new(lines),
        };
        let (url, manner) = match (url, environment) {
            (None, None) => {
                for (name, node) in [("no_proxy", no_proxy), ("proxy_connect_header", headers), ("proxy_tls", own_tls)]
                {
                    let message = format!("`{name}` has no effect without `{key}`");
                    conflict(node, &message, "add the proxy, or take this out");
                }
                return Self::default();
            }
            (None, Some(node)) => {
                let message = "`no_proxy` beside `proxy_from_environment`, which takes that from there, too";
                conflict(no_proxy, message, "take it out");
                return Self::of_environment(fields, node.mark(), headers, &manner(), mask);
            }
            (Some(url), environment) => {
                let message = format!("`{key}` and `proxy_from_environment` exclude each other");
                conflict(environment, &message, "keep one of the two");
                (url, manner())
            }
        };
        mask.add_url(&url);
        match Proxy::parse(url.value(), &manner, mask) {
            Ok(proxy) => {
                one_login(fields, key, headers, &proxy);
                if !proxy.speaks_http() {
                    let message = "`proxy_connect_header` has no effect: this proxy is not asked by `CONNECT`";
                    conflict(headers, message, "take it out");
                }
                if !proxy.speaks_tls() {
                    let message = "`proxy_tls` has no effect: TLS is not spoken with this proxy";
                    conflict(own_tls, message, "take it out, or write `https://` if TLS is meant");
                }
                let proxy = Arc::new(proxy);
                Self(Some(Arc::new(Choice { plain: Some(Arc::clone(&proxy)), tls: Some(proxy), direct })))
            }
            Err(why) => {
                let message = if url.is_reference() { refusal(key, &url, &why) } else { format!("`{key}` {why}") };
                fields.error(url.span, Code::BadValue, message, HINT);
                Self::default()
            }
        }
    }

    /// The proxies that the variables of this process name, as Go's programs take them: capitals come first, and
    /// `HTTP_PROXY` is left alone in a CGI program, whose caller can set it. This machine itself is asked directly.
    fn of_environment(fields: &Fields<'_>, at: Span, headers: Option<&Node>, manner: &Manner, mask: &mut Mask) -> Self {
        let cx = fields.cx();
        let variable = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, cx.environment(name)?)));
        let mut proxy = |names: &[&'static str]| {
            let (name, value) = variable(names)?;
            let url = if value.contains("://") { value } else { format!("http://{value}") };
            match Proxy::parse(&url, manner, mask) {
                Ok(proxy) => {
                    one_login(fields, name, headers, &proxy);
                    Some(Arc::new(proxy))
                }
                Err(why) => {
                    fields.error(at, Code::BadValue, format!("`{name}` of the environment {why}"), HINT);
                    None
                }
            }
        };
        let plain: &[_] = match cx.environment("REQUEST_METHOD") {
            None => &["HTTP_PROXY", "http_proxy"],
            Some(_) => &["http_proxy"],
        };
        let (plain, tls) = (proxy(plain), proxy(&["HTTPS_PROXY", "https_proxy"]));
        if plain.is_none() && tls.is_none() {
            return Self::default();
        }
        let mut direct = vec![Direct::Loopback];
        // It is there for all programs, each of which understands some of it.
        let list = variable(&["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, list)| list);
        direct.extend(words(&list).filter_map(|word| Direct::parse(word).ok()));
        Self(Some(Arc::new(Choice { plain, tls, direct })))
    }

    /// Whom this request goes through; `None` for its own host.
    pub fn of(&self, hop: &Hop) -> Option<&Proxy> {
        let choice = self.0.as_deref()?;
        let proxy = if hop.is_tls() { &choice.tls } else { &choice.plain };
        proxy.as_deref().filter(|_| !choice.direct.iter().any(|direct| direct.has(&hop.peer)))
    }

    /// Whether no host is asked directly.
    pub fn are_for_all(&self) -> bool {
        self.0.as_ref().is_some_and(|choice| choice.direct.is_empty())
    }
}

/// What to write in a list of hosts.
const DIRECT_HINT: &str = "write e.g. `example.com`, `.example.com`, `10.0.0.0/8`, `192.0.2.1:8080` or `*`";

/// Reads `no_proxy`: a list, or a text of several with commas as the variable has them.
fn read_direct(fields: &mut Fields<'_>) -> Vec<Direct> {
    let mut all = Vec::new();
    if fields.node("no_proxy").is_none() {
        return all;
    }
    for text in fields.texts("no_proxy") {
        for word in words(text.value()) {
            // As in Go, whoever lists any host asks this machine directly, too.
            if all.is_empty() {
                all.push(Direct::Loopback);
            }
            match Direct::parse(word) {
                Ok(direct) => all.push(direct),
                Err(why) => fields.error(text.span, Code::BadValue, refusal("no_proxy", &text, &why), DIRECT_HINT),
            }
        }
    }
    all
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

impl Direct {
    fn parse(word: &str) -> Result<Self, String> {
        if word == "*" {
            return Ok(Self::All);
        }
        let bare = |host: &str| host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).to_owned();
        if let Ok(network) = bare(word).parse() {
            return Ok(Self::Network(network, None));
        }
        let (host, port) = match word.rsplit_once(':') {
            None => (word, None),
            Some((host, port)) => match port.parse() {
                Ok(port @ 1..) => (host, Some(port)),
                Ok(0) | Err(_) => return Err(format!("`{port}` is not a port from 1 to 65535")),
            },
        };
        if let Ok(ip) = bare(host).parse::<IpAddr>() {
            let network = ip.to_string().parse().map_err(|_| format!("`{host}` is not an address"))?;
            return Ok(Self::Network(network, port));
        }
        // `*.example.com` is how others write `.example.com`.
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let (name, itself) = host.strip_prefix('.').map_or((host, true), |name| (name, false));
        let name = name.strip_suffix('.').unwrap_or(name);
        // As it stands in addresses: in small letters, and in ASCII.
        let is_host = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let url = Url::parse(&format!("http://{name}/")).ok().filter(|_| is_host);
        match url.as_ref().and_then(Url::host_str) {
            Some(name) => Ok(Self::Domain { name: name.into(), itself, port }),
            None => Err(format!("`{word}` is neither a host nor a network")),
        }
    }

    fn has(&self, peer: &Peer) -> bool {
        let host = peer.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        let ip = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let at = |port: &Option<u16>| port.is_none_or(|port| port == peer.port());
        match self {
            Self::All => true,
            Self::Loopback => host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()),
            Self::Network(network, port) => ip.is_some_and(|ip| network.contains(ip)) && at(port),
            Self::Domain { name, itself, port } => {
                let head = host.strip_suffix(&**name);
                head.is_some_and(|head| head.ends_with('.') || (*itself && head.is_empty())) && at(port)
            }
        }
    }
}

/// Reports that a proxy, which `whence` names, would be told two logins.
fn one_login(fields: &Fields<'_>, whence: &str, headers: Option<&Node>, proxy: &Proxy) {
    let Some(Value::Map(entries)) = headers.filter(|_| proxy.logs_in()).map(|node| &node.value) else { return };
    for entry in entries.iter().filter(|entry| entry.key.eq_ignore_ascii_case(header::PROXY_AUTHORIZATION.as_str())) {
        let message = format!("`{}` beside the user in `{whence}`: the proxy would get both", entry.key);
        fields.error(entry.key_span, Code::Conflict, message, "keep one of the two");
    }
}

/// Reads `proxy_connect_header`: names with a value, or with several.
fn read_lines(fields: &Fields<'_>, node: &Node, mask: &mut Mask) -> Vec<u8> {
    let Value::Map(entries) = &node.value else {
        let message = format!("`proxy_connect_header` takes `name: value` lines, not {}", node.kind_name());
        fields.error(node.mark(), Code::WrongType, message, "write `proxy_connect_header: {X-Team: shop}`");
        return Vec::new();
    };
    let mut lines = Vec::new();
    for entry in entries {
        let Ok(name) = HeaderName::try_from(entry.key.as_str()) else {
            let message = format!("`{}` is not a header name", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `-`");
            continue;
        };
        if matches!(name, header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING) {
            let message = format!("`{}` is set by the probe itself", entry.key);
            fields.error(entry.key_span, Code::Conflict, message, "remove this line");
            continue;
        }
        let values = match &entry.value.value {
            Value::Seq(items) => items.iter().collect(),
            Value::Scalar { .. } | Value::Map(_) => vec![&entry.value],
        };
        for text in values.into_iter().filter_map(|value| fields.cx().text(value)) {
            mask.add_text(&text);
            if matches!(name, header::PROXY_AUTHORIZATION | header::AUTHORIZATION) {
                mask.add_credentials(text.value());
            }
            if HeaderValue::from_str(text.value()).is_err() {
                let message = format!("the value of `{}` has characters that no header may have", entry.key);
                fields.error(text.span, Code::BadValue, message, "remove line breaks and control characters");
            }
            lines.extend([name.as_str().as_bytes(), b": ", text.value().as_bytes(), b"\r\n"].concat());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::{build, problems};

    #[test]
    fn whom_no_proxy_is_for() {
        #[track_caller]
        fn check(word: &str, asked: &str, direct: bool) {
            let peer = Peer::parse(asked).unwrap();
            assert_eq!(Direct::parse(word).unwrap().has(&peer), direct, "{word} {asked}");
        }
        for (asked, direct) in [
            ("example.com:80", true),
            ("example.com.:80", true),
            ("a.example.com:443", true),
            ("b.a.example.com:443", true),
            ("notexample.com:80", false),
            ("example.com.evil.example:80", false),
            ("example.org:80", false),
            ("192.0.2.1:80", false),
        ] {
            check("example.com", asked, direct);
            check("EXAMPLE.com.", asked, direct);
            // With a dot before it, what is below it.
            for word in [".example.com", "*.example.com"] {
                check(word, asked, direct && asked.starts_with(['a', 'b']));
            }
        }
        check("example.com:8080", "a.example.com:8080", true);
        check("example.com:8080", "example.com:80", false);
        check("bücher.example", "xn--bcher-kva.example:80", true);
        check("my_host", "my_host:80", true);
        check("*", "example.com:80", true);
        check("*", "192.0.2.1:80", true);
        for (word, asked, direct) in [
            ("192.0.2.1", "192.0.2.1:80", true),
            ("192.0.2.1", "192.0.2.10:80", false),
            ("192.0.2.1:8080", "192.0.2.1:8080", true),
            ("192.0.2.1:8080", "192.0.2.1:80", false),
            ("10.0.0.0/8", "10.1.2.3:443", true),
            ("10.0.0.0/8", "11.1.2.3:443", false),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:443", true),
            // A name that may lead there is a name.
            ("10.0.0.0/8", "ten.example.com:443", false),
            ("2001:db8::/32", "[2001:db8::1]:443", true),
            ("::1", "[::1]:443", true),
            ("[::1]:443", "[::1]:443", true),
            ("[::1]:443", "[::1]:80", false),
            ("[2001:db8::1]", "[2001:db8::1]:80", true),
        ] {
            check(word, asked, direct);
        }
        for (asked, direct) in
            [("localhost:80", true), ("127.9.9.9:80", true), ("[::1]:80", true), ("192.0.2.1:80", false)]
        {
            assert_eq!(Direct::Loopback.has(&Peer::parse(asked).unwrap()), direct, "{asked}");
        }
    }

    #[test]
    fn what_is_no_host_is_said() {
        for word in ["a/b", "10.0.0.0/33", "a:b", "a:0", "a:70000", ".", "*.", "a*b", "u@a", "http://a", "a?b", "[::1"]
        {
            assert!(Direct::parse(word).is_err(), "{word}: {:?}", Direct::parse(word));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_list_does_harm(list in "\\PC{0,80}", host in "[a-z.]{1,20}") {
            let peer = Peer::new(&host, 80).unwrap();
            for word in words(&list) {
                if let Ok(direct) = Direct::parse(word) {
                    direct.has(&peer);
                }
            }
        }
    }

    #[test]
    fn options_of_a_proxy_are_judged_together() {
        #[track_caller]
        fn check(more: &str, want: &str) {
            let got = problems("http", &format!("{{url: \"http://a.example/\", {more}}}"));
            assert!(!got.iter().any(|p| p.contains("resolved-A")), "{more}: {got:?}");
            match want {
                "" => assert_eq!(got, Vec::<String>::new(), "{more}"),
                want => assert!(got.iter().any(|p| p.contains(want)), "{more}: {got:?}"),
            }
        }
        let with = |more: &str| format!("proxy: \"http://p:1\", {more}");
        check(&with("no_proxy: [example.com, 10.0.0.0/8, \"[::1]:80\"]"), "");
        check(&with("no_proxy: \"example.com, 10.0.0.0/8\""), "");
        check(&with("no_proxy: [a/b]"), "`a/b` is neither a host nor a network");
        // What comes from elsewhere is not shown: the variable may be the wrong one.
        for bad in ["no_proxy: \"${env:A}/\"", "no_proxy: \"a:${env:A}\"", "no_proxy: [b, \"${env:A}?\"]"] {
            check(&with(bad), "`no_proxy`: the value of `");
        }
        check("proxy: \"${env:A}:b\"", "`proxy`: the value of `${env:A}:b`");
        check(&with("no_proxy: example.com, connect_to: 192.0.2.1"), "");
        check("no_proxy: example.com", "`no_proxy` has no effect without `proxy`");
        check("proxy_connect_header: {A: b}", "`proxy_connect_header` has no effect without `proxy`");
        check("proxy_tls: {verify: false}", "`proxy_tls` has no effect without `proxy`");
        check(&with("proxy_from_environment: true"), "exclude each other");
        check("proxy_from_environment: true, no_proxy: a", "takes that from there, too");
        check("proxy_from_environment: true, proxy_connect_header: {A: b}", "");
        check("proxy_from_environment: false", "");
        check(&with("proxy_connect_header: {X-Team: shop, X-Many: [a, b]}"), "");
        check(&with("proxy_connect_header: {Host: shop}"), "set by the probe itself");
        check(&with("proxy_connect_header: {X-A: \"a\\nb\"}"), "no header may have");
        check(&with("proxy_connect_header: {\"a b\": c}"), "not a header name");
        let login = "proxy_connect_header: {proxy-authorization: Bearer abcdefgh}";
        check(&with(login), "");
        check(
            &format!("proxy: \"http://u:secret-pw@p:1\", {login}"),
            "`proxy-authorization` beside the user in `proxy`",
        );
        check(&with("proxy_connect_header: x"), "takes `name: value` lines");
        check(&with("proxy_tls: {verify: false}"), "TLS is not spoken with this proxy");
        check("proxy: \"https://p\", proxy_tls: {verify: false}", "");
        check("proxy: \"socks5://p:1\", proxy_connect_header: {A: b}", "not asked by `CONNECT`");
    }

    #[test]
    fn no_secret_of_a_proxy_is_in_the_debug_form() {
        let text = "{url: \"http://a/\", proxy: \"https://u:proxy-pw@p:1\", no_proxy: b, \
                    proxy_connect_header: {Authorization: Bearer proxy-token, X-A: \"${env:A}\"}}";
        let (probe, problems) = build("http", text);
        assert_eq!(problems, Vec::<String>::new());
        let shown = format!("{:?}", probe.unwrap());
        for secret in ["proxy-pw", "proxy-token", "resolved-A"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}
