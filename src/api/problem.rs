//! How the API says no: one JSON shape for every error, and extractors whose refusals have it.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use crate::api::body;
use crate::base::failure::{Chain, Failure, Kind};
use crate::engine::handle::EngineError;
use crate::wire::api::ErrorBody;

/// Largest body of a request.
pub(super) const BODY_LIMIT: usize = 1 << 20;

/// A refusal on its way to the client.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    failure: Failure,
    /// Prometheus' `errorType`, where it is not that of the failure's kind.
    word: Option<&'static str>,
    /// When to come again, in seconds.
    retry_after: Option<u16>,
}

impl ApiError {
    /// A refusal with the status of its kind.
    pub(super) fn new(failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::with_status(status, failure)
    }

    /// A refusal whose status says more than its kind.
    pub(super) fn with_status(status: StatusCode, failure: Failure) -> Self {
        Self { status, failure, word: None, retry_after: None }
    }

    /// A refusal with an `errorType` of its own.
    pub(super) fn worded(status: StatusCode, word: &'static str, failure: Failure) -> Self {
        Self { word: Some(word), ..Self::with_status(status, failure) }
    }

    /// The same with the time after which to come again, in seconds.
    #[must_use]
    pub(super) fn retry_after(mut self, seconds: u16) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The status of the reply.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    fn bad_request(status: StatusCode, message: String) -> Self {
        Self::with_status(status, Failure::text(Kind::Usage, message))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            status: "error".to_owned(),
            error_type: self.word.unwrap_or(self.failure.kind().error_type()).to_owned(),
            error: self.failure.message().to_owned(),
            hints: self.failure.hints().to_vec(),
        };
        let mut reply = (self.status, axum::Json(body)).into_response();
        let busy = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.retry_after.or(busy) {
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}

impl From<EngineError> for ApiError {
    fn from(e: EngineError) -> Self {
        let text = e.to_string();
        match e {
            EngineError::NoSuchMonitor { nearest, .. } => {
                let failure = Failure::text(Kind::NotFound, text);
                Self::new(match nearest {
                    Some(name) => failure.hint(format!("did you mean `{name}`?")),
                    None => failure.hint("`watchdog monitor list` shows all names"),
                })
            }
            EngineError::Paused(_) => {
                let failure = Failure::text(Kind::Bad, text).hint("it is switched off in its file");
                Self::with_status(StatusCode::CONFLICT, failure)
            }
            EngineError::AlreadyRunning(_) => {
                let failure = Failure::text(Kind::Unavailable, text).hint("try again when that probe has ended");
                Self::with_status(StatusCode::CONFLICT, failure)
            }
            EngineError::NotPush(_) => {
                Self::new(Failure::text(Kind::Usage, text).hint("only monitors of type `heartbeat` are reported to"))
            }
            EngineError::NoSuchAlert { .. } => {
                Self::new(Failure::text(Kind::NotFound, text).hint("`watchdog alert list` shows all"))
            }
            EngineError::Ambiguous { which, .. } => {
                let failure = Failure::text(Kind::Usage, text);
                Self::new(which.into_iter().fold(failure, |f, one| f.hint(format!("`{one}`"))))
            }
            EngineError::NoSuchSilence(_) => {
                Self::new(Failure::text(Kind::NotFound, text).hint("`watchdog silence list` shows all"))
            }
            EngineError::NoSuchDelivery(_) => {
                Self::new(Failure::text(Kind::NotFound, text).hint("`watchdog notify log` shows their numbers"))
            }
            EngineError::NoSuchNotifier { nearest, .. } => {
                let failure = Failure::text(Kind::NotFound, text);
                Self::new(match nearest {
                    Some(name) => failure.hint(format!("did you mean `{name}`?")),
                    None => failure.hint("`watchdog notify list` shows all names"),
                })
            }
            EngineError::NothingToExplain { nearest, .. } => {
                let failure = Failure::text(Kind::NotFound, text);
                Self::new(match nearest {
                    Some(name) => failure.hint(format!("did you mean `{name}`?")),
                    None => failure.hint("`watchdog monitor list` and `watchdog alert list` show what there is"),
                })
            }
            EngineError::Refused(_) => Self::new(Failure::text(Kind::Usage, text)),
            EngineError::NotSo(_) | EngineError::TooMany(_) => Self::new(Failure::text(Kind::Bad, text)),
            EngineError::TooOften(wait) => {
                let failure =
                    Failure::text(Kind::Unavailable, text).hint("report less often, or raise `max_per_minute`");
                let seconds = u16::try_from(wait.as_secs() + 1).unwrap_or(u16::MAX);
                Self::with_status(StatusCode::TOO_MANY_REQUESTS, failure).retry_after(seconds)
            }
            EngineError::WrongToken => Self::new(Failure::text(Kind::Forbidden, text)),
            EngineError::Busy | EngineError::Stopping => Self::new(Failure::text(Kind::Unavailable, text)),
            EngineError::Store(source) => {
                // Paths and statements are for the log, not for the client.
                tracing::error!(error = %Chain(&*source), "the state database failed");
                Self::new(Failure::text(Kind::Internal, text).hint("the server's log has the cause"))
            }
        }
    }
}

/// Reply to a path that leads nowhere.
pub(super) async fn no_route() -> ApiError {
    let failure = Failure::text(Kind::NotFound, "there is nothing at this path");
    ApiError::new(failure.hint("`/api/v1/openapi.json` lists what there is"))
}

/// Reply to a method that a path does not have.
pub(super) async fn no_method() -> ApiError {
    ApiError::bad_request(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method".to_owned())
}

/// Reply to a `HEAD` where `GET` would act.
pub(super) async fn no_head() -> Response {
    let mut reply = no_method().await.into_response();
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    reply
}

/// The last variable part of the path, decoded.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(e) => Err(ApiError::bad_request(e.status(), e.body_text())),
        }
    }
}

/// The query string, with unknown and malformed parameters refused.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(e) => {
                let why = std::error::Error::source(&e).map_or_else(|| e.body_text(), ToString::to_string);
                Err(ApiError::bad_request(e.status(), format!("the query is not understood: {why}")))
            }
        }
    }
}

/// A JSON body within limits of size and time; the default when there is none.
pub(super) struct Payload<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Payload<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = body::read(request.into_body(), BODY_LIMIT).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        let parsed = serde_json::from_slice(&body);
        parsed
            .map(Self)
            .map_err(|e| ApiError::bad_request(StatusCode::BAD_REQUEST, format!("the body is not understood: {e}")))
    }
}

/// Refusal of a body that is not JSON.
pub(super) fn not_json(found: Option<&HeaderValue>) -> ApiError {
    let found = found.and_then(|v| v.to_str().ok()).unwrap_or("none");
    let message = format!("bodies are JSON, and `{CONTENT_TYPE}` is `{found}`");
    let failure = Failure::text(Kind::Usage, message).hint("send `content-type: application/json`");
    ApiError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, failure)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::wire::api::Push;

    async fn refusal(body: Body) -> StatusCode {
        match Payload::<Push>::from_request(Request::new(body), &()).await {
            Ok(_) => StatusCode::OK,
            Err(e) => e.status,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let begun = tokio::time::Instant::now();
        let endless = Body::from_stream(futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
        assert_eq!(refusal(endless).await, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(begun.elapsed(), body::ARRIVAL);
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_are_read() {
        assert_eq!(refusal(Body::empty()).await, StatusCode::OK);
        assert_eq!(refusal(Body::from(" ".repeat(BODY_LIMIT))).await, StatusCode::OK);
        assert_eq!(refusal(Body::from(" ".repeat(BODY_LIMIT + 1))).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(refusal(Body::from("[".repeat(10_000))).await, StatusCode::BAD_REQUEST);
    }
}
