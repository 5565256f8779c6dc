//! HTTP digest authentication (RFC 7616): MD5 and SHA-256, plain and `-sess`, with `qop=auth` and without.
//!
//! The challenge is asked for in every probe: a probe measures what a new visitor gets.

use std::fmt::Write as _;

use http::header::{self, HeaderMap, HeaderValue};
use md5::{Digest as _, Md5};

use crate::base::secret::Secret;

/// Challenges of one answer that are looked at.
const MAX_CHALLENGES: usize = 16;

/// A user and a password.
#[derive(Debug)]
pub struct Digest {
    login: Secret<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Hash {
    Md5,
    Sha256,
}

/// What a server asks.
#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server spells it.
    algorithm: Option<String>,
    hash: Hash,
    session: bool,
    qop: bool,
    userhash: bool,
}

impl Digest {
    /// Authorizes as `user`.
    pub fn new(user: String, password: String) -> Self {
        Self { login: Secret::new((user, password)) }
    }

    /// The answer to the best challenge among the headers, if there is one that is understood. `cnonce` is any word
    /// that was not used before.
    pub fn answer(&self, headers: &HeaderMap, method: &str, uri: &str, cnonce: &str) -> Option<HeaderValue> {
        let all = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok());
        let challenges = all.flat_map(challenges).take(MAX_CHALLENGES).filter_map(|(scheme, params)| {
            scheme.eq_ignore_ascii_case("digest").then(|| Challenge::of(&params)).flatten()
        });
        let mut best: Option<Challenge> = None;
        for challenge in challenges {
            // The first of the strongest: that is the order in which servers prefer them.
            if best.as_ref().is_none_or(|b| challenge.hash > b.hash) {
                best = Some(challenge);
            }
        }
        let mut value = HeaderValue::try_from(self.respond(&best?, method, uri, cnonce)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn respond(&self, ask: &Challenge, method: &str, uri: &str, cnonce: &str) -> String {
        let (user, password) = self.login.reveal();
        let hash = |text: String| ask.hash.hex(text.as_bytes());
        let mut secret = hash(format!("{user}:{}:{password}", ask.realm));
        if ask.session {
            secret = hash(format!("{secret}:{}:{cnonce}", ask.nonce));
        }
        let what = hash(format!("{method}:{uri}"));
        let response = match ask.qop {
            true => hash(format!("{secret}:{}:00000001:{cnonce}:auth:{what}", ask.nonce)),
            false => hash(format!("{secret}:{}:{what}", ask.nonce)),
        };
        let shown_user = match ask.userhash {
            true => hash(format!("{user}:{}", ask.realm)),
            false => user.clone(),
        };
        let mut out = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(&shown_user),
            quoted(&ask.realm),
            quoted(&ask.nonce),
            quoted(uri),
        );
        if let Some(algorithm) = &ask.algorithm {
            let _ = write!(out, ", algorithm={algorithm}");
        }
        if let Some(opaque) = &ask.opaque {
            let _ = write!(out, ", opaque={}", quoted(opaque));
        }
        if ask.qop {
            let _ = write!(out, ", qop=auth, nc=00000001");
        }
        if ask.qop || ask.session {
            let _ = write!(out, ", cnonce={}", quoted(cnonce));
        }
        if ask.userhash {
            out += ", userhash=true";
        }
        out
    }
}

impl Challenge {
    /// `None` when something in it is not known here.
    fn of(params: &[(String, String)]) -> Option<Self> {
        let get = |name: &str| params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        let algorithm = get("algorithm");
        let upper = algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (name, session) = upper.strip_suffix("-SESS").map_or((upper.as_str(), false), |n| (n, true));
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            _ => return None,
        };
        let qop = match get("qop") {
            // RFC 2069, which some devices still speak.
            None => false,
            Some(list) if list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        let userhash = get("userhash").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm,
            hash,
            session,
            qop,
            userhash,
        })
    }
}

impl Hash {
    fn hex(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(bytes)),
            Self::Sha256 => hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The challenges of one header (RFC 9110, section 11.6.1): a scheme, then `name=value` with commas between. What is
/// not understood is skipped.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if rest.is_empty() {
            return found;
        }
        match after.trim_start().strip_prefix('=') {
            Some(after) if !word.is_empty() => {
                let (value, after) = value(after.trim_start());
                if let Some((_, params)) = found.last_mut() {
                    params.push((word.to_owned(), value));
                }
                rest = after;
            }
            // A `=` without a name.
            Some(after) => rest = after,
            None => {
                found.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut out = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (out, &inner[at + 1..]),
            _ => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in all {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap());
        }
        headers
    }

    #[track_caller]
    fn answer(all: &[&str], user: &str, password: &str, uri: &str, cnonce: &str) -> String {
        let digest = Digest::new(user.to_owned(), password.to_owned());
        let value = digest.answer(&headers(all), "GET", uri, cnonce).unwrap();
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        // RFC 7616, section 3.9.1.
        let ask = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                   nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                   opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let sha = format!("Digest {ask}, algorithm=SHA-256");
        let md5 = format!("Digest {ask}, algorithm=MD5");
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let of = |all: &[&str]| answer(all, "Mufasa", "Circle of Life", "/dir/index.html", cnonce);
        let strong = "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
        assert!(of(&[&md5]).contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{}", of(&[&md5]));
        assert!(of(&[&md5, &sha]).contains(strong), "{}", of(&[&md5, &sha]));
        assert!(of(&[&format!("Basic realm=\"x\", {sha}, {md5}")]).contains(strong));
        // RFC 2617, section 3.5.
        let old = "Digest realm=\"testrealm@host.com\", qop=\"auth\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let got = answer(&[old], "Mufasa", "Circle Of Life", "/dir/index.html", "0a4f113b");
        assert!(got.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{got}");
    }

    #[test]
    fn what_is_not_understood_is_not_answered() {
        #[track_caller]
        fn check(ask: &str, ok: bool) {
            let digest = Digest::new("u".into(), "p".into());
            assert_eq!(digest.answer(&headers(&[ask]), "GET", "/", "c").is_some(), ok, "{ask}");
        }
        check("Digest realm=\"r\", nonce=\"n\"", true);
        check("digest REALM=r, Nonce=n, algorithm=md5-sess, qop=auth", true);
        check("Digest realm=\"a \\\" b\", nonce=\"n\", userhash=true, qop=\"auth\"", true);
        check("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", false);
        check("Digest realm=\"r\", nonce=\"n\", qop=auth-int", false);
        check("Digest realm=\"r\"", false);
        check("Basic realm=\"r\"", false);
        check("Digest", false);
        check("===,,,=\"", false);
    }

    proptest::proptest! {
        #[test]
        fn no_challenge_does_harm(text in "(Digest |Basic )?[ -~]{0,200}", more in "[a-z]{1,9}=\"?[ -~]{0,20}") {
            challenges(&text);
            let all = format!("Digest realm=\"r\", nonce=\"n\", {more}, {text}");
            let Ok(value) = HeaderValue::from_str(&all) else { return Ok(()) };
            let mut headers = HeaderMap::new();
            headers.insert(header::WWW_AUTHENTICATE, value);
            let _ = Digest::new("u".into(), "p".into()).answer(&headers, "GET", "/", "c");
        }
    }
}
