//! One request, one reply: HTTP/1 over a connection of its own, driven in the caller's task.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::base::failure::Kind;
use crate::client::dial::{authority, dial, no_server};
use crate::client::{ClientError, Endpoint};
use crate::wire::api::ErrorBody;

/// Largest reply that is read. A board of 10,000 monitors is about 6 MB.
const REPLY_LIMIT: usize = 64 << 20;
/// Reading is answered from memory, or from one query of the state database.
const GET_TIMEOUT: Duration = Duration::from_secs(15);
/// Commands wait for their work: a probe with its retries, a reload of thousands of files.
const POST_TIMEOUT: Duration = Duration::from_secs(180);

/// All but RFC 3986's unreserved characters.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes `name` so that it is one segment of a path, or one value of a query.
pub fn path_segment(name: &str) -> String {
    utf8_percent_encode(name, &RESERVED).to_string()
}

/// Sends requests to one server. Cheap to clone; holds no connection.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Arc<Endpoint>,
}

impl Client {
    /// A client of the server at `endpoint`; connects when asked for something.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint: Arc::new(endpoint) }
    }

    /// Where it sends its requests.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reads `path_and_query` as JSON.
    ///
    /// # Errors
    /// Nobody answers, the server refuses, or the reply is late, too large or not understood.
    pub async fn get<T: DeserializeOwned>(&self, path_and_query: &str) -> Result<T, ClientError> {
        let body = self.exchange(Method::GET, path_and_query, None, GET_TIMEOUT).await?;
        parse(&body)
    }

    /// Reads `path` as text.
    ///
    /// # Errors
    /// As [`get`](Self::get); also when the reply is not UTF-8.
    pub async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let body = self.exchange(Method::GET, path, None, GET_TIMEOUT).await?;
        String::from_utf8(body.into()).map_err(|_| ClientError::Reply("it is not UTF-8".to_owned()))
    }

    /// Sends `body` as JSON to `path_and_query` and waits for the reply.
    ///
    /// # Errors
    /// As [`get`](Self::get). A timeout does not say whether the command was carried out.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path_and_query: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|e| ClientError::Reply(e.to_string()))?;
        let body = Body { kind: "application/json", bytes: bytes.into() };
        let reply = self.exchange(Method::POST, path_and_query, Some(body), POST_TIMEOUT).await?;
        parse(&reply)
    }

    /// Removes what is at `path` and waits for the reply.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        parse(&self.exchange(Method::DELETE, path, None, POST_TIMEOUT).await?)
    }

    /// Sends `fields` as a form to `path` and returns the reply's text, which may be empty.
    ///
    /// # Errors
    /// As [`get_text`](Self::get_text).
    pub async fn post_form(&self, path: &str, fields: &[(&str, String)]) -> Result<String, ClientError> {
        let body = fields.iter().map(|(name, value)| format!("{}={}", path_segment(name), path_segment(value)));
        let body = Body { kind: "application/x-www-form-urlencoded", bytes: body.collect::<Vec<_>>().join("&").into() };
        let reply = self.exchange(Method::POST, path, Some(body), POST_TIMEOUT).await?;
        String::from_utf8(reply.into()).map_err(|_| ClientError::Reply("it is not UTF-8".to_owned()))
    }

    async fn exchange(
        &self,
        method: Method,
        path_and_query: &str,
        body: Option<Body>,
        limit: Duration,
    ) -> Result<Bytes, ClientError> {
        let mut request = Request::builder().method(method).uri(path_and_query).header(HOST, authority(&self.endpoint));
        request = match &body {
            Some(body) => request.header(CONTENT_TYPE, body.kind).header(ACCEPT, "application/json"),
            None => request.header(ACCEPT, "application/json, text/plain;q=0.9, */*;q=0.1"),
        };
        let request = request
            .body(Full::new(body.map(|b| b.bytes).unwrap_or_default()))
            .map_err(|e| ClientError::Reply(format!("`{path_and_query}` is not a path: {e}")))?;
        let (status, reply) = match timeout(limit, self.send(request)).await {
            Ok(done) => done?,
            Err(_) => return Err(ClientError::Timeout(limit)),
        };
        if status.is_success() { Ok(reply) } else { Err(refusal(status, &reply)) }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let wire = dial(&self.endpoint).await?;
        let broken = |e: hyper::Error| no_server(&self.endpoint, io::Error::other(e));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(wire)).await.map_err(broken)?;
        let exchange = async {
            let reply = sender.send_request(request).await.map_err(broken)?;
            let status = reply.status();
            let body = Limited::new(reply.into_body(), REPLY_LIMIT).collect().await;
            // An error of the body is either the limit or a connection that broke off.
            let body = body.map_err(|e| ClientError::Reply(e.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        // Its error reaches the exchange too, which says what it interrupted.
        let connection = async {
            let _ = connection.await;
        };
        tokio::pin!(exchange, connection);
        let mut open = true;
        loop {
            // Both are polled to their end and never dropped early, so nothing is lost between them.
            tokio::select! {
                done = &mut exchange => return done,
                () = &mut connection, if open => open = false,
            }
        }
    }
}

/// What a request carries.
struct Body {
    kind: &'static str,
    bytes: Bytes,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|e| ClientError::Reply(e.to_string()))
}

/// The error that a reply which is not a success stands for.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(e) => ClientError::Refused { kind: Kind::from_error_type(&e.error_type), message: e.error, hints: e.hints },
        Err(_) => ClientError::Reply(format!("HTTP {status} without a reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_segment() {
        #[track_caller]
        fn check(name: &str, segment: &str) {
            assert_eq!(path_segment(name), segment);
        }
        check("shop", "shop");
        check("shop / 店?x#y%", "shop%20%2F%20%E5%BA%97%3Fx%23y%25");
        check("a.b-c_d~e", "a.b-c_d~e");
    }

    #[test]
    fn a_refusal_keeps_the_servers_words() {
        let body = br#"{"status":"error","errorType":"not_found","error":"no monitor is named `x`","hints":["h"]}"#;
        let ClientError::Refused { kind, message, hints } = refusal(StatusCode::NOT_FOUND, body) else {
            panic!("expected a refusal")
        };
        assert_eq!((kind, message.as_str(), hints.len()), (Kind::NotFound, "no monitor is named `x`", 1));
        assert!(matches!(refusal(StatusCode::BAD_GATEWAY, b"<html>"), ClientError::Reply(_)));
    }
}
