//! Redirects: the next hop, from `Location`, and following them to the end.
//!
//! Credentials stay with the origin they were meant for. Only http and https are followed.

use bytes::Bytes;
use http::{Method, StatusCode, header};

use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::http::exchange::{self, Answer, Client};
use crate::collect::http::hop::Hop;
use crate::collect::judge::found;
use crate::collect::mask::Mask;
use crate::collect::trace::Trace;

/// Requests that Go's client makes before it gives up, and so whoever is asked in Prometheus' way.
const GO_ASKS: usize = 10;

/// Asks `hop`, and whom it redirects to where `redirects` are followed, until an answer stands in `slot`.
///
/// # Errors
/// No answer, or a redirect that is not followed.
pub async fn follow(
    client: &Client,
    mut hop: Hop,
    redirects: bool,
    mask: &Mask,
    cx: &ProbeCx,
    trace: &mut Trace,
    slot: &mut Option<Answer>,
) -> Result<(), Fault> {
    for passed in 0..GO_ASKS {
        *slot = None;
        let asked = exchange::ask(client, &hop, cx, trace, slot).await;
        asked.map_err(|fault| if passed > 0 { fault.led_by_target() } else { fault })?;
        match slot.as_ref().filter(|_| redirects).map(|answer| next(&hop, answer, mask)).transpose()?.flatten() {
            Some(next) => hop = next,
            None => return Ok(()),
        }
    }
    Err(Fault::target("redirect_limit", format!("redirected again after {GO_ASKS} requests")))
}

/// The next hop, when `answer` is a redirect.
///
/// # Errors
/// The redirect leads to something that is not followed.
pub fn next(hop: &Hop, answer: &Answer, mask: &Mask) -> Result<Option<Hop>, Fault> {
    let keeps_method = match answer.status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *hop.method() != Method::POST,
        StatusCode::SEE_OTHER => *hop.method() == Method::HEAD,
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
    let url = hop.url().join(&location).map_err(|e| refuse(&format!("is not a URL: {e}")))?;
    let same_origin = url.origin() == hop.url().origin();
    let method = if keeps_method { hop.method().clone() } else { Method::GET };
    let mut next = Hop::from_url(url, method, Bytes::new()).map_err(|e| refuse(&e.to_string()))?;
    next.follow(hop);
    if keeps_method {
        if hop.has_private_body() && !same_origin {
            return Err(refuse("would take the secrets of the body to another origin"));
        }
        next.set_body(hop.body().clone(), hop.has_private_body());
    }
    for (name, value, private) in hop.headers() {
        let describes_body = matches!(*name, header::CONTENT_TYPE | header::CONTENT_ENCODING);
        // A name that stands in for the address is that of the origin alone.
        let of_address = name == header::HOST && !(same_origin && hop.has_own_host());
        if of_address || (!keeps_method && describes_body) || (private && !same_origin) {
            continue;
        }
        next.set_header(name.clone(), value.clone(), private);
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

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
            assert_eq!(next.method(), want, "{status}");
        }
        check(301, Method::POST, &Method::GET);
        check(302, Method::PUT, &Method::PUT);
        check(303, Method::PUT, &Method::GET);
        check(307, Method::POST, &Method::POST);
        check(308, Method::POST, &Method::POST);
    }

    #[test]
    fn a_body_with_secrets_stays_with_its_origin() {
        #[track_caller]
        fn check(status: u16, location: &str, class: Option<&str>) {
            let mut hop = hop("https://a.example/x", Method::POST);
            hop.set_body(Bytes::from_static(b"password=x"), true);
            let got = next(&hop, &answer(status, location), &Mask::default());
            assert_eq!(got.err().map(|f| f.class()), class, "{status} {location}");
        }
        check(307, "/y", None);
        check(307, "https://b.example/y", Some("redirect_target"));
        check(308, "http://a.example/y", Some("redirect_target"));
        check(302, "https://b.example/y", None);
    }

    #[test]
    fn what_is_said_of_tls_is_meant_for_the_first_origin() {
        #[track_caller]
        fn check(first: &str, locations: &[&str], want: bool) {
            let mut at = hop(first, Method::GET);
            for location in locations {
                at = next(&at, &answer(302, location), &Mask::default()).unwrap().unwrap();
            }
            assert_eq!(at.is_tls_home(), want, "{first} {locations:?}");
        }
        check("https://a/", &[], true);
        check("https://a/", &["/b", "https://a:443/c"], true);
        check("https://a/", &["https://b/"], false);
        check("https://a/", &["https://a:8443/"], false);
        check("https://a/", &["https://b/", "https://a/"], true);
        check("http://a/", &["https://a/"], true);
        check("http://a/", &["https://b/"], false);
    }

    #[test]
    fn a_host_of_its_own_stays_with_its_origin() {
        #[track_caller]
        fn check(own: Option<&'static str>, location: &str, want: &str) {
            let mut hop = hop("http://10.0.0.5/x", Method::GET);
            if let Some(own) = own {
                hop.set_header(header::HOST, HeaderValue::from_static(own), false);
            }
            let next = next(&hop, &answer(302, location), &Mask::default()).unwrap().unwrap();
            assert_eq!(next.request().headers()[header::HOST], want, "{location}");
        }
        check(Some("shop.example"), "/login", "shop.example");
        check(Some("shop.example"), "http://10.0.0.5/login", "shop.example");
        check(Some("shop.example"), "http://10.0.0.6/login", "10.0.0.6");
        check(Some("shop.example"), "http://10.0.0.5:81/login", "10.0.0.5:81");
        check(None, "/login", "10.0.0.5");
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
}
