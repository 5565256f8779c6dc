//! One HTTP request to a receiver: bounded in time and size, its failure sorted into "again" and "never".
//!
//! No redirects: a receiver that moved must be written down where it is now, and a token must not
//! follow it. No address appears in an error, because addresses of receivers hold tokens.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, header};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::base::clock::Clock;
use crate::base::failure::Chain;
use crate::base::message::DeliveryError;
use crate::base::retry_after;

/// What [`crate::base::notification::Notifier`] promises.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a reply that are read.
const MAX_REPLY: usize = 64 * 1024;
/// A receiver may ask for a pause, not for silence.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

/// One client for all receivers: it keeps connections, and its trust anchors are loaded once.
static CLIENT: OnceCell<Client> = OnceCell::const_new();

/// Why a receiver did not take a message. Texts hold no address and no token.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The request did not get through.
    #[error("{0}")]
    Transport(String),
    /// The receiver said no.
    #[error("the receiver answered {status}{}{detail}", if .detail.is_empty() { "" } else { ": " })]
    Refused {
        /// `429 Too Many Requests`.
        status: StatusCode,
        /// What it said; untrusted and short.
        detail: String,
    },
    /// Nothing can be sent from here.
    #[error("{0}")]
    Local(String),
}

impl SendError {
    /// Worth another try.
    pub fn retry(self, after: Option<Duration>) -> DeliveryError {
        DeliveryError::Retry { after: after.map(|d| d.min(MAX_RETRY_AFTER)), err: Box::new(self) }
    }

    /// Not worth another try.
    pub fn permanent(self) -> DeliveryError {
        DeliveryError::Permanent(Box::new(self))
    }
}

/// What a receiver answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Its `Retry-After`, as a span from now.
    pub retry_after: Option<Duration>,
    /// The first 64 KiB of its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether the receiver took the message, by its status alone. `detail` says why not.
    ///
    /// # Errors
    /// Any status outside 200 to 299.
    pub fn accepted(&self, detail: String, retry_after: Option<Duration>) -> Result<(), DeliveryError> {
        if self.status.is_success() {
            return Ok(());
        }
        let again = self.status.is_server_error()
            || matches!(
                self.status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        let detail = match self.status.is_redirection() {
            true => "redirects are not followed, write the address it leads to".to_owned(),
            false => detail,
        };
        let err = SendError::Refused { status: self.status, detail };
        Err(if again { err.retry(retry_after.or(self.retry_after)) } else { err.permanent() })
    }

    /// The beginning of the body as one line, for an error. A receiver may echo what it was sent.
    pub fn excerpt(&self, secrets: &[&str]) -> String {
        self.one_line(&String::from_utf8_lossy(&self.body), secrets)
    }

    /// Text of the receiver's, without secrets, short and safe to print.
    pub fn one_line(&self, text: &str, secrets: &[&str]) -> String {
        // Hidden before it is cut, so that no half of a secret stays.
        let hidden = secrets.iter().filter(|s| s.len() >= 4);
        let text = hidden.fold(text.to_owned(), |t, secret| t.replace(secret, "***"));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        crate::base::term_safe::term_safe(&line.chars().take(200).collect::<String>()).into_owned()
    }
}

/// The shared client.
///
/// # Errors
/// TLS cannot be set up.
pub async fn client() -> Result<&'static Client, DeliveryError> {
    CLIENT
        .get_or_try_init(|| async {
            // Reading the system's certificates takes some 20 ms.
            match tokio::task::spawn_blocking(new_client).await {
                Ok(made) => made,
                Err(e) => Err(e.to_string()),
            }
        })
        .await
        .map_err(|e| SendError::Local(format!("HTTP is not available on this machine: {e}")).retry(None))
}

fn new_client() -> Result<Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        // Plain HTTP still works; an https receiver will fail with its own error, and be retried.
        tracing::warn!("this machine has no CA certificates: https receivers cannot be reached");
    }
    // The provider is named here, so that nothing depends on a process-wide default.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("watchdog/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(Duration::from_secs(60))
        .timeout(MAX_TIMEOUT)
        .build()
        .map_err(|e| Chain(&e.without_url()).to_string())
}

/// Sends and reads the reply, all within `limit`.
///
/// # Errors
/// The request did not get through; an answer of any status is not an error here.
pub async fn send(request: RequestBuilder, limit: Duration) -> Result<Reply, DeliveryError> {
    match timeout(limit, exchange(request)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(e)) => Err(transport(e)),
        Err(_) => Err(SendError::Timeout(limit).retry(None)),
    }
}

async fn exchange(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(retry_after);
    let mut body = Vec::new();
    // A reply that breaks off is still a reply: the status was read.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_REPLY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Reply { status, retry_after, body })
}

fn transport(err: reqwest::Error) -> DeliveryError {
    let err = err.without_url();
    let text = Chain(&err).to_string();
    if err.is_builder() { SendError::Transport(text).permanent() } else { SendError::Transport(text).retry(None) }
}

fn retry_after(value: &str) -> Option<Duration> {
    retry_after::parse(value, Clock::system().now()).map(|span| span.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_honoured_up_to_a_quarter_of_an_hour() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("86400"), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("Wed, 21 Oct 2145 07:28:00 GMT"), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }

    #[test]
    fn statuses_are_sorted_into_again_and_never() {
        #[track_caller]
        fn check(status: u16, again: Option<bool>) {
            let reply = Reply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: Vec::new() };
            let got = match reply.accepted(String::new(), None) {
                Ok(()) => None,
                Err(DeliveryError::Retry { .. }) => Some(true),
                Err(DeliveryError::Permanent(_)) => Some(false),
            };
            assert_eq!(got, again, "{status}");
        }
        let moved = Reply { status: StatusCode::FOUND, retry_after: None, body: Vec::new() };
        match moved.accepted(String::new(), None) {
            Err(DeliveryError::Permanent(err)) => assert!(err.to_string().contains("redirects are not followed")),
            other => panic!("{other:?}"),
        }
        check(200, None);
        check(204, None);
        for again in [408, 425, 429, 500, 502, 503, 504] {
            check(again, Some(true));
        }
        for never in [301, 400, 401, 403, 404, 410, 413] {
            check(never, Some(false));
        }
    }
}
