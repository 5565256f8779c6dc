//! One request of a probe: where it goes, what it says, and which of its headers are private.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use reqwest::Url;

use crate::collect::dial::Peer;
use crate::collect::judge::found;

/// Whom a monitor is about: what its options say of TLS and of addresses is meant for it alone.
#[derive(Debug)]
struct Home {
    host: Box<str>,
    port: u16,
    tls: bool,
}

/// One request, ready to be sent any number of times.
#[derive(Clone)]
pub struct Hop {
    url: Url,
    home: Arc<Home>,
    /// Whom to connect to.
    pub peer: Peer,
    method: Method,
    target: Uri,
    /// Each name once. A map of four takes twice the room, in ten thousand monitors.
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// Whether the body holds secrets.
    body_is_private: bool,
    /// Headers that stay with the first origin.
    private: Vec<HeaderName>,
    /// What the probe's own cookie jar has for this address.
    cookies: Option<HeaderValue>,
}

impl std::fmt::Debug for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the query nor the headers: both may carry secrets.
        f.debug_struct("Hop").field("method", &self.method).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why an address cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address at all.
    #[error("is not a URL: {0}")]
    Malformed(String),
    /// Something else than http and https.
    #[error("begins with `{0}:`, only http and https are probed")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error("has no usable host: {0}")]
    Host(String),
}

impl Hop {
    /// A hop to `url` without headers but `Host`.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn new(url: &str, method: Method, body: Bytes) -> Result<Self, UrlError> {
        let parsed = Url::parse(url).map_err(|e| UrlError::Malformed(e.to_string()))?;
        Self::from_url(parsed, method, body)
    }

    /// The same from a parsed address.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn from_url(mut url: Url, method: Method, body: Bytes) -> Result<Self, UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme(url.scheme().to_owned()));
        }
        url.set_fragment(None);
        // Credentials become a header in `spec`; they never travel in a request line.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| UrlError::Host("no host".to_owned()))?;
        let host = url.host_str().ok_or_else(|| UrlError::Host("no host".to_owned()))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let peer = Peer::new(host, port).map_err(|e| UrlError::Host(e.to_string()))?;
        let authority = authority(&url);
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let target = Uri::try_from(path).map_err(|e| UrlError::Malformed(e.to_string()))?;
        let host = HeaderValue::try_from(authority).map_err(|e| UrlError::Host(e.to_string()))?;
        let home = Home { host: peer.host().into(), port, tls: url.scheme() == "https" };
        Ok(Self {
            url,
            home: Arc::new(home),
            peer,
            method,
            target,
            headers: vec![(header::HOST, host)],
            body,
            body_is_private: false,
            private: Vec::new(),
            cookies: None,
        })
    }

    /// The same request to another address.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn at(&self, url: &str) -> Result<Self, UrlError> {
        let mut hop = Self::new(url, self.method.clone(), self.body.clone())?;
        hop.home = Arc::clone(&self.home);
        hop.body_is_private = self.body_is_private;
        hop.private.clone_from(&self.private);
        let own_host = self.has_own_host();
        for (name, value) in self.headers.iter().filter(|(name, _)| own_host || *name != header::HOST) {
            hop.put(name.clone(), value.clone());
        }
        Ok(hop)
    }

    /// Makes this a hop of the same monitor as `first`.
    pub fn follow(&mut self, first: &Self) {
        self.home = Arc::clone(&first.home);
    }

    /// Whether the monitor's own host is asked.
    pub fn is_home_host(&self) -> bool {
        *self.home.host == *self.peer.host()
    }

    /// Whether that is at the monitor's own port.
    pub fn is_home_port(&self) -> bool {
        self.home.port == self.peer.port()
    }

    /// Whether TLS' options are meant for this hop. Those of a monitor that begins with plain HTTP are for wherever
    /// its host turns to TLS.
    pub fn is_tls_home(&self) -> bool {
        self.is_home_host() && (self.is_home_port() || !self.home.tls)
    }

    /// Whether `Host` says something else than the address.
    pub fn has_own_host(&self) -> bool {
        let host = self.headers.iter().find(|(name, _)| *name == header::HOST);
        host.map(|(_, value)| value.as_bytes()) != Some(authority(&self.url).as_bytes())
    }

    /// Adds a header; a `private` one is not sent to another origin.
    pub fn set_header(&mut self, name: HeaderName, value: HeaderValue, private: bool) {
        if private || matches!(name, header::AUTHORIZATION | header::COOKIE | header::PROXY_AUTHORIZATION) {
            self.private.push(name.clone());
        }
        self.put(name, value);
    }

    fn put(&mut self, name: HeaderName, value: HeaderValue) {
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name, value)),
        }
    }

    /// Takes a header out.
    pub fn remove_header(&mut self, name: &HeaderName) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// Whether a header is set.
    pub fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    /// Every header with whether it is private.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue, bool)> {
        self.headers.iter().map(|(name, value)| (name, value, self.private.contains(name)))
    }

    /// Replaces the body; a `private` one is not sent to another origin.
    pub fn set_body(&mut self, body: Bytes, private: bool) {
        self.body = body;
        self.body_is_private = private;
    }

    /// Whether the body holds secrets.
    pub fn has_private_body(&self) -> bool {
        self.body_is_private && !self.body.is_empty()
    }

    /// Sets what the cookie jar has for this address.
    pub fn set_cookies(&mut self, cookies: Option<HeaderValue>) {
        self.cookies = cookies;
    }

    /// Whether the hop is https.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Path and query, as in the request line.
    pub fn target(&self) -> &Uri {
        &self.target
    }

    /// The request as it is sent to the server itself, sharing the precomputed parts.
    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        request.headers_mut().extend(self.headers.iter().cloned());
        // Servers wait for the body of these, or refuse them, unless they are told that there is none (RFC 9110,
        // section 8.6).
        if self.body.is_empty() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(cookies) = &self.cookies {
            join_cookies(request.headers_mut(), cookies);
        }
        request
    }

    /// The request for a proxy (RFC 9112, section 3.2.2): with the whole address.
    pub fn request_to_proxy(&self, authorization: Option<&HeaderValue>) -> Request<Full<Bytes>> {
        let mut request = self.request();
        if let Ok(uri) = Uri::try_from(self.url.as_str()) {
            *request.uri_mut() = uri;
        }
        if let Some(value) = authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        request
    }

    /// The request for HTTP/2 (RFC 9113, section 8.3.1): `Host` becomes `:authority`, and nothing is said about the
    /// connection.
    ///
    /// # Errors
    /// `Host` is set to something that is no authority.
    pub fn request_h2(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = self.request();
        let host = request.headers_mut().remove(header::HOST);
        let authority = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let uri = Uri::builder().scheme(self.url.scheme()).authority(authority);
        let path = self.target.path_and_query().map_or("/", |p| p.as_str());
        *request.uri_mut() = uri.path_and_query(path).build()?;
        for name in [header::CONNECTION, header::UPGRADE, HeaderName::from_static("keep-alive")] {
            request.headers_mut().remove(name);
        }
        Ok(request)
    }

    /// What makes two requests the same request.
    pub fn identity(&self) -> String {
        let cookies = self.cookies.as_ref().map_or(Cow::Borrowed(""), |c| String::from_utf8_lossy(c.as_bytes()));
        format!("{} {} {cookies}", self.method, self.url)
    }

    /// The address for people, cut to a line.
    pub fn shown(&self) -> String {
        found(self.url.as_str())
    }

    /// The request's head for a person; credentials are masked.
    pub fn describe(&self, version: &str) -> String {
        let mut text = format!("{} {} {version}\n", self.method, self.target);
        for (name, value, private) in self.headers() {
            let shown = match private {
                true => "***".into(),
                false => String::from_utf8_lossy(value.as_bytes()),
            };
            text += &format!("{name}: {shown}\n");
        }
        if self.cookies.is_some() && !self.has_header(&header::COOKIE) {
            text += "cookie: ***\n";
        }
        text
    }
}

/// Host, and port unless it is the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Cookies stand in one header (RFC 6265, section 5.4): those of the monitor first.
fn join_cookies(headers: &mut HeaderMap, more: &HeaderValue) {
    let joined = match headers.get(header::COOKIE) {
        None => Ok(more.clone()),
        Some(own) => HeaderValue::from_bytes(&[own.as_bytes(), b"; ", more.as_bytes()].concat()),
    };
    if let Ok(value) = joined {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_scripts_and_credentials_are_normalised() {
        let hop = Hop::new("https://user:pw@bücher.example/a b?q=ü#frag", Method::GET, Bytes::new()).unwrap();
        assert_eq!(hop.peer.to_string(), "xn--bcher-kva.example:443");
        assert_eq!(hop.target.to_string(), "/a%20b?q=%C3%BC");
        assert!(!hop.identity().contains("pw"));
    }

    #[test]
    fn a_body_that_is_expected_and_empty_is_said_to_be() {
        for (method, want) in [(Method::POST, true), (Method::PUT, true), (Method::PATCH, true), (Method::GET, false)] {
            let hop = Hop::new("http://a/", method.clone(), Bytes::new()).unwrap();
            assert_eq!(hop.request().headers().get(header::CONTENT_LENGTH).is_some(), want, "{method}");
            let hop = Hop::new("http://a/", method, Bytes::from_static(b"x")).unwrap();
            assert!(!hop.request().headers().contains_key(header::CONTENT_LENGTH));
        }
    }

    #[test]
    fn each_form_of_a_request_says_what_its_reader_needs() {
        let mut hop = Hop::new("http://a.example:81/x?y=1", Method::GET, Bytes::new()).unwrap();
        hop.set_header(header::CONNECTION, HeaderValue::from_static("close"), false);
        hop.set_header(header::COOKIE, HeaderValue::from_static("own=1"), true);
        hop.set_cookies(Some(HeaderValue::from_static("jar=2")));
        let plain = hop.request();
        assert_eq!(plain.uri(), "/x?y=1");
        assert_eq!(plain.headers()["cookie"], "own=1; jar=2");
        let proxied = hop.request_to_proxy(Some(&HeaderValue::from_static("Basic x")));
        assert_eq!(proxied.uri(), "http://a.example:81/x?y=1");
        assert_eq!(proxied.headers()["proxy-authorization"], "Basic x");
        let h2 = hop.request_h2().unwrap();
        assert_eq!(h2.uri(), "http://a.example:81/x?y=1");
        assert!(!h2.headers().contains_key("host") && !h2.headers().contains_key("connection"));
        assert!(!hop.describe("HTTP/1.1").contains("own=1"));
    }
}
