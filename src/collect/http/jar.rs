//! Cookies within one probe: what a server sets goes to it, and to nobody else, on later hops and steps.

use cookie_store::CookieStore;
use http::header::{self, HeaderMap, HeaderValue};
use reqwest::Url;

/// Cookies taken from one answer; browsers keep 180 of a site.
const MAX_PER_ANSWER: usize = 50;
/// Cookies that are sent.
const MAX_SENT: usize = 50;
/// Longest cookie (RFC 6265, section 6.1).
const MAX_COOKIE: usize = 4096;

/// The jar of one probe. Its `Debug` form says nothing of what is in it.
#[derive(Default)]
pub struct Jar(CookieStore);

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Jar")
    }
}

impl Jar {
    /// Takes the cookies of an answer from `url`. What is malformed or meant for another domain is left out.
    pub fn store(&mut self, url: &Url, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE).iter().take(MAX_PER_ANSWER) {
            if value.len() > MAX_COOKIE {
                continue;
            }
            let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
            // A whole top-level domain shares no cookie.
            if domain(text).is_some_and(|d| !d.trim_matches('.').contains('.') && url.host_str() != Some(d)) {
                continue;
            }
            // A cookie that is refused is one that is not sent: nothing else follows from it.
            let _ = self.0.parse(text, url);
        }
    }

    /// The header for a request to `url`; longer paths first (RFC 6265, section 5.4).
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let mut cookies = self.0.matches(url);
        cookies.sort_by(|a, b| {
            let path = |c: &cookie_store::Cookie<'_>| std::cmp::Reverse(c.path.len());
            (path(a), a.name()).cmp(&(path(b), b.name()))
        });
        let pairs: Vec<String> = cookies.iter().take(MAX_SENT).map(|c| format!("{}={}", c.name(), c.value())).collect();
        let mut value = HeaderValue::try_from(pairs.join("; ")).ok().filter(|v| !v.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Names and values of the cookies that would be sent to `url`.
    pub fn values(&self, url: &Url) -> Vec<(String, String)> {
        self.0.matches(url).iter().map(|c| (c.name().to_owned(), c.value().to_owned())).collect()
    }
}

/// The `Domain` attribute of a cookie.
fn domain(cookie: &str) -> Option<&str> {
    let attributes = cookie.split(';').skip(1).filter_map(|a| a.split_once('='));
    attributes.filter(|(name, _)| name.trim().eq_ignore_ascii_case("domain")).map(|(_, v)| v.trim()).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_where_they_came_from_and_nowhere_else() {
        #[track_caller]
        fn check(set: &str, from: &str, to: &str, want: Option<&str>) {
            let mut jar = Jar::default();
            let mut headers = HeaderMap::new();
            headers.insert(header::SET_COOKIE, HeaderValue::from_str(set).unwrap());
            jar.store(&Url::parse(from).unwrap(), &headers);
            let got = jar.header(&Url::parse(to).unwrap());
            assert_eq!(got.as_ref().and_then(|v| v.to_str().ok()), want, "{set} from {from} to {to}");
        }
        let shop = "https://shop.example.com/a/b";
        check("s=1", shop, "https://shop.example.com/a/c", Some("s=1"));
        check("s=1", shop, "https://shop.example.com/x", None);
        check("s=1; Path=/", shop, "https://shop.example.com/x", Some("s=1"));
        check("s=1; Path=/", shop, "https://www.example.com/", None);
        check("s=1; Path=/; Domain=example.com", shop, "https://www.example.com/", Some("s=1"));
        check("s=1; Path=/; Domain=com", shop, "https://other.com/", None);
        check("s=1; Path=/; Domain=other.com", shop, "https://other.com/", None);
        check("s=1; Path=/; Secure", shop, "http://shop.example.com/", None);
        check("s=1; Path=/; Max-Age=0", shop, "https://shop.example.com/", None);
        check("s=1; Path=/", "http://127.0.0.1:81/", "http://127.0.0.1:82/", Some("s=1"));
    }

    #[test]
    fn a_flood_of_cookies_is_cut() {
        let mut jar = Jar::default();
        let mut headers = HeaderMap::new();
        for i in 0..300 {
            headers.append(header::SET_COOKIE, HeaderValue::try_from(format!("c{i}=x")).unwrap());
        }
        headers.append(header::SET_COOKIE, HeaderValue::try_from(format!("big={}", "x".repeat(5_000))).unwrap());
        let url = Url::parse("http://a.example/").unwrap();
        jar.store(&url, &headers);
        assert_eq!(jar.header(&url).unwrap().to_str().unwrap().matches('=').count(), 50);
    }
}
