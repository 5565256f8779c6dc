//! OAuth2 client credentials (RFC 6749, section 4.4): a token of a third party, kept until shortly before it expires.
//!
//! The token is asked for like everything else: within the probe's deadline, policy and limits. It is shown nowhere.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::fault::Fault;
use crate::collect::http::auth::basic;
use crate::collect::http::exchange::{self, Answer, Client, Spoken};
use crate::collect::http::hop::Hop;
use crate::collect::judge::found;
use crate::collect::mask::Mask;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Bytes of an answer with a token; tokens with many claims have a few thousand.
const MAX_ANSWER: usize = 64 * 1024;
/// A token is asked for anew this long before it expires, so that none expires on its way.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token is kept that does not say when it expires.
const UNSAID: Duration = Duration::from_secs(300);
/// The longest that any is kept.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Where tokens come from.
#[derive(Debug)]
pub struct OAuth2 {
    ask: Hop,
    tls: TlsSpec,
    /// Held while a token is asked for: whoever else needs one waits for the same.
    token: Mutex<Option<Token>>,
}

/// A token as it is sent.
pub struct Word {
    /// The token.
    pub text: String,
    /// Whether it was asked for by an earlier probe: it may have been revoked since.
    pub was_kept: bool,
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Word(was_kept: {})", self.was_kept)
    }
}

#[derive(Clone, Debug)]
struct Token {
    word: Secret<String>,
    until: Instant,
}

impl OAuth2 {
    /// Reads and finishes `oauth2:`.
    pub fn read(mut own: Fields<'_>, mask: &mut Mask) -> Option<Self> {
        let url = own.need_text("token_url", "write the address that hands out tokens");
        let id = own.need_text("client_id", "write the name that the client is registered under");
        let secret = own.need_text("client_secret", "write e.g. `client_secret: ${env:CLIENT_SECRET}`");
        let scopes = own.texts("scopes");
        let params = own.pairs("params");
        let in_body = own.parse("send", "write `header` or `body`", |word| match word {
            "header" => Ok(false),
            "body" => Ok(true),
            other => Err(format!("`{other}` is neither `header` nor `body`")),
        });
        let tls = TlsSpec::read_always(&mut own, Spoken::Any.alpn());
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        let scopes: Vec<&str> = scopes.iter().map(Text::value).collect();
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ")));
        }
        for (entry, text) in &params {
            mask.add_text(text);
            form.push((&entry.key, text.value().to_owned()));
        }
        let (Some(url), Some(id), Some(secret)) = (url, id, secret) else {
            own.finish();
            return None;
        };
        mask.add_url(&url);
        mask.add_text(&id);
        mask.add(secret.value());
        let in_body = in_body.unwrap_or(false);
        if in_body {
            form.push(("client_id", id.value().to_owned()));
            form.push(("client_secret", secret.value().to_owned()));
        }
        let body = urlencoded(&form);
        // The secret may be echoed the way it was sent.
        mask.add(&urlencoded(&[("", secret.value().to_owned())])[1..]);
        let mut ask = match Hop::new(url.value().trim(), Method::POST, Bytes::new()) {
            Ok(hop) => hop,
            Err(e) => {
                let hint = "write e.g. `https://login.example.com/oauth/token`";
                own.error(url.span, Code::BadValue, format!("`token_url` {e}"), hint);
                own.finish();
                return None;
            }
        };
        ask.set_body(Bytes::from(body), true);
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        ask.set_header(header::CONTENT_TYPE, form_type, false);
        ask.set_header(header::ACCEPT, HeaderValue::from_static("application/json"), false);
        ask.set_header(header::CONNECTION, HeaderValue::from_static("close"), false);
        if !in_body {
            // RFC 6749, section 2.3.1: both are encoded like a form's fields first.
            let coded = |t: &Text| urlencoded(&[("", t.value().to_owned())])[1..].to_owned();
            ask.set_header(header::AUTHORIZATION, basic(&coded(&id), &coded(&secret), mask), true);
        }
        own.finish();
        Some(Self { ask, tls: tls?, token: Mutex::new(None) })
    }

    /// A token that is good for now, asked for over `client`'s road when there is none: the phase `token`.
    ///
    /// # Errors
    /// None is to be had.
    pub async fn token(&self, client: &Client, cx: &ProbeCx, trace: &mut Trace) -> Result<Word, Fault> {
        trace.enter(phase::TOKEN, self.ask.shown());
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept
            && Instant::now() < token.until
        {
            trace.leave();
            return Ok(Word { text: token.word.reveal().clone(), was_kept: true });
        }
        *kept = None;
        let client = Client {
            tls: self.tls.clone(),
            spoken: Spoken::Any,
            max_body: MAX_ANSWER,
            ways: client.ways.strangers(),
            proxies: client.proxies.clone(),
        };
        let mut slot = None;
        exchange::ask(&client, &self.ask, cx, trace, &mut slot).await.map_err(|fault| {
            let message = format!("no token from {}: {}", self.ask.shown(), fault.message());
            match fault.is_before_peer() {
                true => fault.with_message(message),
                false => Fault::target("oauth2", message),
            }
        })?;
        let token = slot.as_ref().map_or_else(|| Err("no answer".to_owned()), parse);
        let token =
            token.map_err(|why| Fault::target("oauth2", format!("no token from {}: {why}", self.ask.shown())))?;
        trace.leave();
        let text = token.word.reveal().clone();
        *kept = Some(token);
        Ok(Word { text, was_kept: false })
    }

    /// Forgets a token that was refused.
    pub async fn forget(&self, word: &str) {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|t| t.word.reveal() == word) {
            *kept = None;
        }
    }
}

fn parse(answer: &Answer) -> Result<Token, String> {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
    if answer.status != StatusCode::OK {
        let why = [text("error"), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        return Err(found(format!("{} {why}", answer.status_text()).trim_end()));
    }
    let word = text("access_token").ok_or("the answer has no `access_token`")?;
    if !text("token_type").unwrap_or("bearer").eq_ignore_ascii_case("bearer") {
        return Err("the token is not of the type `bearer`".to_owned());
    }
    // RFC 6750, section 2.1.
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if word.is_empty() || !word.bytes().all(fits) {
        return Err("the token has characters that none may have".to_owned());
    }
    // Some servers write the number as a text.
    let life = json.get("expires_in").and_then(|v| v.as_f64().or_else(|| v.as_str()?.parse().ok()));
    let life = life.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(UNSAID).min(LONGEST);
    let kept = life.saturating_sub(MARGIN.min(life / 4));
    Ok(Token { word: Secret::new(word.to_owned()), until: Instant::now() + kept })
}

/// Fields of a form, as browsers encode them.
pub fn urlencoded(fields: &[(&str, String)]) -> String {
    // Any address will do: its query is what is wanted.
    let Ok(mut url) = Url::parse("http://host/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            reason: String::new(),
            http_version: http::Version::HTTP_11,
            headers: HeaderMap::new(),
            body: body.into(),
            truncated: false,
            regex_failed: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_kept_until_shortly_before_they_expire() {
        #[track_caller]
        fn check(body: &str, want: Result<u64, &str>) {
            let got = parse(&answer(200, body)).map(|t| (t.until - Instant::now()).as_secs());
            assert_eq!(got, want.map_err(str::to_owned), "{body}");
        }
        check(r#"{"access_token": "abc", "expires_in": 3600}"#, Ok(3570));
        check(r#"{"access_token": "abc", "expires_in": "40"}"#, Ok(30));
        check(r#"{"access_token": "abc", "token_type": "Bearer"}"#, Ok(270));
        check(r#"{"access_token": "abc", "expires_in": 1e300}"#, Ok(270));
        check(r#"{"access_token": "abc", "expires_in": -1}"#, Ok(270));
        check(r#"{"access_token": "a\r\nX: y"}"#, Err("the token has characters that none may have"));
        check(r#"{"access_token": "abc", "token_type": "mac"}"#, Err("the token is not of the type `bearer`"));
        check("<html>", Err("the answer has no `access_token`"));
    }

    #[test]
    fn a_refusal_says_why() {
        let got = parse(&answer(401, r#"{"error": "invalid_client", "error_description": "who?"}"#));
        assert_eq!(got.unwrap_err(), "401 invalid_client: who?");
    }
}
