//! Where a request goes: the first hop from the options, the next ones from `Location`.
//!
//! Credentials stay with the origin they were meant for. Only http and https are followed.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use reqwest::Url;

use crate::collect::dial::Peer;
use crate::collect::fault::Fault;
use crate::collect::http::exchange::Answer;
use crate::collect::judge::found;
use crate::collect::mask::Mask;

/// One request, ready to be sent any number of times.
#[derive(Clone)]
pub struct Hop {
    url: Url,
    /// Whom to connect to.
    pub peer: Peer,
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// Headers that stay with the first origin.
    private: Vec<HeaderName>,
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

    fn from_url(mut url: Url, method: Method, body: Bytes) -> Result<Self, UrlError> {
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
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let target = Uri::try_from(path).map_err(|e| UrlError::Malformed(e.to_string()))?;
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(authority).map_err(|e| UrlError::Host(e.to_string()))?;
        headers.insert(header::HOST, host);
        Ok(Self { url, peer, method, target, headers, body, private: Vec::new() })
    }

    /// Adds a header; a `private` one is not sent to another origin.
    pub fn set_header(&mut self, name: HeaderName, value: HeaderValue, private: bool) {
        if private || matches!(name, header::AUTHORIZATION | header::COOKIE | header::PROXY_AUTHORIZATION) {
            self.private.push(name.clone());
        }
        self.headers.insert(name, value);
    }

    /// Whether a header is set.
    pub fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.contains_key(name)
    }

    /// Whether the hop is https.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The request, sharing the precomputed parts.
    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// What makes two requests the same request.
    pub fn identity(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    /// The address for people, cut to a line.
    pub fn shown(&self) -> String {
        found(self.url.as_str())
    }

    /// The request's head for a person; credentials are masked.
    pub fn describe(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\n", self.method, self.target);
        for (name, value) in &self.headers {
            let shown = match self.private.contains(name) {
                true => "***".into(),
                false => String::from_utf8_lossy(value.as_bytes()),
            };
            text += &format!("{name}: {shown}\n");
        }
        text
    }
}

/// The next hop, when `answer` is a redirect.
///
/// # Errors
/// The redirect leads to something that is not followed.
pub fn next(hop: &Hop, answer: &Answer, mask: &Mask) -> Result<Option<Hop>, Fault> {
    let keeps_method = match answer.status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => hop.method != Method::POST,
        StatusCode::SEE_OTHER => hop.method == Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let Some(location) = answer.headers.get(header::LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let refuse = |why: &str| {
        let mut shown = found(&location);
        mask.hide(&mut shown);
        Fault::target("redirect_target", format!("redirected to `{shown}`, which {why}"))
    };
    let url = hop.url.join(&location).map_err(|e| refuse(&format!("is not a URL: {e}")))?;
    let same_origin = url.origin() == hop.url.origin();
    let (method, body) = match keeps_method {
        true => (hop.method.clone(), hop.body.clone()),
        false => (Method::GET, Bytes::new()),
    };
    let mut next = Hop::from_url(url, method, body).map_err(|e| refuse(&e.to_string()))?;
    for (name, value) in &hop.headers {
        let describes_body = matches!(*name, header::CONTENT_TYPE | header::CONTENT_ENCODING);
        let private = hop.private.contains(name);
        if name == header::HOST || (!keeps_method && describes_body) || (private && !same_origin) {
            continue;
        }
        next.set_header(name.clone(), value.clone(), private);
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            reason: String::new(),
            http_version: http::Version::HTTP_11,
            headers,
            body: Vec::new(),
            truncated: false,
            regex_failed: None,
        }
    }

    fn hop(url: &str, method: Method) -> Hop {
        let mut hop = Hop::new(url, method, Bytes::from_static(b"x")).unwrap();
        hop.set_header(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"), false);
        hop.set_header(HeaderName::from_static("x-key"), HeaderValue::from_static("k"), true);
        hop.set_header(header::ACCEPT, HeaderValue::from_static("*/*"), false);
        hop
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        #[track_caller]
        fn check(location: &str, kept: bool) {
            let next = next(&hop("https://a.example/x", Method::GET), &answer(302, location), &Mask::default());
            let next = next.unwrap().unwrap();
            assert_eq!(next.has_header(&header::AUTHORIZATION), kept, "{location}");
            assert_eq!(next.has_header(&HeaderName::from_static("x-key")), kept, "{location}");
            assert!(next.has_header(&header::ACCEPT));
        }
        check("/y", true);
        check("https://a.example:443/y", true);
        check("https://b.example/y", false);
        check("http://a.example/y", false);
        check("https://a.example:8443/y", false);
    }

    #[test]
    fn a_post_becomes_a_get_unless_the_status_forbids_it() {
        #[track_caller]
        fn check(status: u16, method: Method, want: &Method) {
            let next = next(&hop("http://a/", method), &answer(status, "/b"), &Mask::default()).unwrap().unwrap();
            assert_eq!(&next.method, want, "{status}");
        }
        check(301, Method::POST, &Method::GET);
        check(302, Method::PUT, &Method::PUT);
        check(303, Method::PUT, &Method::GET);
        check(307, Method::POST, &Method::POST);
        check(308, Method::POST, &Method::POST);
    }

    #[test]
    fn only_http_is_followed() {
        for location in ["file:///etc/passwd", "gopher://x/", "http://", "javascript:alert(1)"] {
            let got = next(&hop("http://a/", Method::GET), &answer(302, location), &Mask::default());
            assert_eq!(got.err().map(|f| f.class()), Some("redirect_target"), "{location}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_location_does_harm(location in "[ -~\u{80}-\u{ff}]{0,200}", scheme in "(https?:)?//|/|") {
            let Ok(value) = HeaderValue::from_bytes(format!("{scheme}{location}").as_bytes()) else { return Ok(()) };
            let mut answer = answer(302, "/");
            answer.headers.insert(header::LOCATION, value);
            if let Ok(Some(hop)) = next(&hop("http://a/b", Method::GET), &answer, &Mask::default()) {
                proptest::prop_assert!(hop.identity().starts_with("GET http"));
                hop.request();
            }
        }
    }

    #[test]
    fn names_of_other_scripts_and_credentials_are_normalised() {
        let hop = Hop::new("https://user:pw@bücher.example/a b?q=ü#frag", Method::GET, Bytes::new()).unwrap();
        assert_eq!(hop.peer.to_string(), "xn--bcher-kva.example:443");
        assert_eq!(hop.target.to_string(), "/a%20b?q=%C3%BC");
        assert!(!hop.identity().contains("pw"));
    }
}
