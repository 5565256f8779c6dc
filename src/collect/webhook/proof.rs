//! Who sent a call: a token, or a signature over the body. Pure.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::base::probe::Call;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::collect::sender::same;

/// Signatures of one header that are tried: while a secret is changed, senders sign with both.
const MAX_SIGNATURES: usize = 5;

/// What a call must show.
#[derive(Debug)]
pub enum Proof {
    /// A shared word.
    Token {
        /// The word.
        token: Secret<String>,
        /// The header it stands in; otherwise `authorization: Bearer`, or `?token=`.
        header: Option<String>,
    },
    /// An HMAC.
    Signature(Box<Signature>),
}

/// How bodies are signed.
#[derive(Debug)]
pub struct Signature {
    /// The shared secret.
    pub secret: Secret<String>,
    /// The header with the signature.
    pub header: String,
    /// SHA-1 instead of SHA-256.
    pub sha1: bool,
    /// What stands before the signature: `sha256=`.
    pub prefix: String,
    /// Base64 instead of hexadecimal digits.
    pub base64: bool,
    /// What is signed where it is not the body alone.
    pub stamped: Option<Stamped>,
}

/// A signature over a time and the body, so that an old call cannot be sent again.
#[derive(Debug)]
pub struct Stamped {
    /// `{timestamp}.{body}`: what stands around the time.
    pub before: String,
    /// And between the time and the body.
    pub between: String,
    /// The header with the time in seconds; otherwise the `t=` in the signature's header.
    pub header: Option<String>,
    /// How far the time may be from ours.
    pub tolerance: Duration,
}

impl Proof {
    /// Whether the call shows it.
    pub fn holds(&self, call: &Call<'_>, now: Timestamp) -> bool {
        match self {
            Self::Token { token, header } => {
                let given = match header {
                    Some(header) => call.header(header),
                    None => call.header("authorization").and_then(bearer).or(call.token),
                };
                given.is_some_and(|given| same(token.reveal().as_bytes(), given.as_bytes()))
            }
            Self::Signature(signature) => signature.holds(call, now),
        }
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Signature {
    fn holds(&self, call: &Call<'_>, now: Timestamp) -> bool {
        let Some(value) = call.header(&self.header) else { return false };
        let parts = || value.split(',').map(str::trim);
        let mut message = Vec::new();
        if let Some(stamped) = &self.stamped {
            let own = || parts().find_map(|part| part.strip_prefix("t="));
            let time = stamped.header.as_deref().map_or_else(own, |header| call.header(header));
            let Some(time) = time.filter(|time| stamped.is_fresh(time, now)) else { return false };
            for text in [stamped.before.as_str(), time, stamped.between.as_str()] {
                message.extend_from_slice(text.as_bytes());
            }
        }
        message.extend_from_slice(call.body);
        let algorithm = if self.sha1 { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { hmac::HMAC_SHA256 };
        let key = hmac::Key::new(algorithm, self.secret.reveal().as_bytes());
        let signatures = parts().filter_map(|part| self.decode(part.strip_prefix(self.prefix.as_str())?));
        // Compares in constant time.
        signatures.take(MAX_SIGNATURES).any(|signature| hmac::verify(&key, &message, &signature).is_ok())
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        if self.base64 {
            return STANDARD.decode(text).ok();
        }
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|d| d.len() % 2 == 0)?;
        Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}

impl Stamped {
    fn is_fresh(&self, seconds: &str, now: Timestamp) -> bool {
        let Some(at) = seconds.parse::<i64>().ok().and_then(|s| s.checked_mul(1_000)) else { return false };
        let at = Timestamp::from_millis(at);
        at.since(now).max(now.since(at)) <= self.tolerance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(stamped: Option<Stamped>, prefix: &str) -> Proof {
        Proof::Signature(Box::new(Signature {
            secret: Secret::new("It's a Secret to Everybody".into()),
            header: "x-hub-signature-256".into(),
            sha1: false,
            prefix: prefix.into(),
            base64: false,
            stamped,
        }))
    }

    fn hex(secret: &str, message: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, message.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    #[track_caller]
    fn check(proof: &Proof, header: (&str, &str), body: &str, holds: bool) {
        let call = Call { headers: &[header], token: None, body: body.as_bytes() };
        assert_eq!(proof.holds(&call, Timestamp::from_millis(1_000_000)), holds, "{header:?} {body}");
    }

    #[test]
    fn githubs_own_example_holds_and_nothing_near_it() {
        // From GitHub's guide "Validating webhook deliveries".
        let good = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let proof = signature(None, "sha256=");
        let header = |value: &str| ("x-hub-signature-256", value.to_owned());
        for (value, body, holds) in [
            (format!("sha256={good}"), "Hello, World!", true),
            (format!("sha256={}", good.to_uppercase()), "Hello, World!", true),
            (format!("sha256={good}"), "Hello, World", false),
            (good.to_owned(), "Hello, World!", false),
            (format!("sha256={}", &good[..62]), "Hello, World!", false),
            (format!("sha256={}ä", &good[..62]), "Hello, World!", false),
            ("sha256=".to_owned(), "Hello, World!", false),
            (format!("sha256=00,sha256={good}"), "Hello, World!", true),
        ] {
            let (name, value) = header(&value);
            check(&proof, (name, &value), body, holds);
        }
        check(&proof, ("x-other", &format!("sha256={good}")), "Hello, World!", false);
    }

    #[test]
    fn a_stamped_call_is_good_for_a_while() {
        let stamped = |header: Option<&str>| Stamped {
            before: String::new(),
            between: ".".into(),
            header: header.map(str::to_owned),
            tolerance: Duration::from_secs(300),
        };
        let proof = signature(Some(stamped(None)), "v1=");
        let sign = |at: &str| format!("t={at},v1={}", hex("It's a Secret to Everybody", &format!("{at}.x")));
        for (at, holds) in
            [("1000", true), ("700", true), ("1300", true), ("699", false), ("1301", false), ("x", false)]
        {
            check(&proof, ("x-hub-signature-256", &sign(at)), "x", holds);
        }
        // A time that was not signed is no time.
        let forged = sign("699").replace("t=699", "t=1000");
        check(&proof, ("x-hub-signature-256", &forged), "x", false);
    }

    #[test]
    fn a_token_is_taken_from_where_it_is_expected_and_nowhere_else() {
        let token = || Secret::new("0123456789".to_owned());
        let bearer = Proof::Token { token: token(), header: None };
        check(&bearer, ("authorization", "Bearer 0123456789"), "", true);
        check(&bearer, ("authorization", "bearer 0123456789"), "", true);
        check(&bearer, ("authorization", "Basic 0123456789"), "", false);
        check(&bearer, ("x-gitlab-token", "0123456789"), "", false);
        let own = Proof::Token { token: token(), header: Some("X-Gitlab-Token".into()) };
        check(&own, ("x-gitlab-token", "0123456789"), "", true);
        check(&own, ("x-gitlab-token", "012345678"), "", false);
        check(&own, ("authorization", "Bearer 0123456789"), "", false);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_fail(value in "(t=|v1=|,|[0-9a-f]{2}|\\PC){0,30}") {
            let stamped = Stamped { before: String::new(), between: ".".into(), header: None, tolerance: Duration::MAX };
            let call = Call { headers: &[("x-hub-signature-256", &value)], token: None, body: b"" };
            proptest::prop_assert!(!signature(Some(stamped), "v1=").holds(&call, Timestamp::EPOCH));
        }
    }
}
