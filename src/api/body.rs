//! Bodies in and out: read within limits of size, time and memory, written compressed when asked for.

use std::io::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::api::problem::ApiError;
use crate::base::failure::{Chain, Failure, Kind};

/// Longest time for a body to arrive.
pub(super) const ARRIVAL: Duration = Duration::from_secs(30);
/// Smaller replies are not worth compressing.
const WORTH_GZIP: usize = 1_400;
/// The unit in which memory for bodies is counted.
const KIB: usize = 1 << 10;

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match timeout(ARRIVAL, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) => {
            let too_large = std::error::Error::source(&e).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
            Err(if too_large { too_large_for(limit) } else { broken(&e) })
        }
        Err(_) => Err(late()),
    }
}

/// A body and its share of memory: one lives as long as the other.
struct Held {
    bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a large body piece by piece, taking `memory` (counted in KiB) only for what has arrived, so
/// that a slow or lying sender holds none back. The share is given back when the last clone of the bytes
/// is dropped, whoever has it by then: work goes on when its caller has hung up.
pub(super) async fn read_counted(
    mut body: Body,
    limit: usize,
    memory: &std::sync::Arc<Semaphore>,
) -> Result<Bytes, ApiError> {
    let arrive = async {
        let mut bytes = Vec::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|e| broken(&e))?.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > limit {
                return Err(too_large_for(limit));
            }
            // At least one KiB each, so that a body of single bytes costs something, too.
            let have = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let more = (length / KIB + 1).saturating_sub(have);
            if let Ok(more) = u32::try_from(more)
                && more > 0
            {
                let Ok(more) = std::sync::Arc::clone(memory).try_acquire_many_owned(more) else {
                    let failure = Failure::text(Kind::Unavailable, "too many bodies at once");
                    return Err(ApiError::new(failure.hint("send again a little later")));
                };
                match &mut share {
                    Some(share) => share.merge(more),
                    None => share = Some(more),
                }
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Bytes::from_owner(Held { bytes, _share: share }))
    };
    timeout(ARRIVAL, arrive).await.unwrap_or_else(|_| Err(late()))
}

fn broken(e: &axum::Error) -> ApiError {
    ApiError::new(Failure::text(Kind::Usage, format!("the body broke off: {}", Chain(e))))
}

fn late() -> ApiError {
    let message = format!("the body did not arrive within {} s", ARRIVAL.as_secs());
    ApiError::with_status(StatusCode::REQUEST_TIMEOUT, Failure::text(Kind::Usage, message))
}

/// Refusal of a body that is too large.
pub(super) fn too_large_for(limit: usize) -> ApiError {
    let size = if limit > 1 << 20 { format!("{} MiB", limit >> 20) } else { format!("{} KiB", limit >> 10) };
    let message = format!("the body is larger than {size}");
    ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, Failure::text(Kind::Usage, message))
}

/// Whether the asker takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    accepted.flat_map(|v| v.split(',')).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
        matches!(name.trim(), "gzip" | "*") && !refused
    })
}

/// A body that is written by now, compressed if it is worth it. Takes about 10 ns per byte.
pub(super) fn packed(bytes: Vec<u8>, gzip: bool) -> (Bytes, bool) {
    if gzip && bytes.len() >= WORTH_GZIP {
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        // Writing to a vector cannot fail; if it did, the plain bytes are as good.
        if encoder.write_all(&bytes).is_ok()
            && let Ok(small) = encoder.finish()
        {
            return (small.into(), true);
        }
    }
    (bytes.into(), false)
}

/// The reply of a packed body.
pub(super) fn reply((bytes, gzip): (Bytes, bool), kind: &'static str) -> Response {
    let mut reply = ([(CONTENT_TYPE, HeaderValue::from_static(kind))], Body::from(bytes)).into_response();
    let headers = reply.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn memory_is_taken_for_what_arrived_and_given_back() {
        let memory = Arc::new(Semaphore::new(64));
        let held = read_counted(Body::from(vec![0; 40_000]), 1 << 20, &memory).await.ok().unwrap();
        assert_eq!((held.len(), memory.available_permits()), (40_000, 64 - 40));
        let second = read_counted(Body::from(vec![0; 40_000]), 1 << 20, &memory).await;
        assert_eq!(second.err().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(memory.available_permits(), 24);
        drop(held);
        assert_eq!(memory.available_permits(), 64);
        let large = read_counted(Body::from(vec![0; 2_000]), 1_999, &memory).await;
        assert_eq!(large.err().unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn gzip_is_given_to_who_takes_it() {
        #[track_caller]
        fn check(accept: &'static str, takes: bool) {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            assert_eq!(takes_gzip(&headers), takes, "{accept}");
        }
        check("gzip", true);
        check("deflate, gzip;q=0.5", true);
        check("gzip;q=0", false);
        check("br", false);
        check("*", true);
    }
}
