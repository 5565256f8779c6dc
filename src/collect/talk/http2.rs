//! One exchange over HTTP/2, trailers included.

use std::pin::pin;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::http::connection::{Driver, fault, http2};

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Status of the head.
    pub status: StatusCode,
    /// Headers of the head.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// What came after the body.
    pub trailers: HeaderMap,
}

/// Asks and reads the answer into `answer`, as far as it comes.
///
/// # Errors
/// The peer does not speak HTTP/2, not to the end, or says more than `max_body`.
pub async fn ask<S>(stream: S, request: Request<Full<Bytes>>, max_body: usize, answer: &mut Answer) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2(stream).await?;
    let exchange = async {
        let (head, mut body) = sender.send_request(request).await.map_err(|e| fault(&e))?.into_parts();
        answer.status = head.status;
        answer.headers = head.headers;
        while let Some(frame) = body.frame().await {
            match frame.map_err(|e| fault(&e))?.into_data() {
                Ok(data) if answer.body.len() + data.len() > max_body => {
                    return Err(Fault::target("too_much", format!("the answer is longer than {max_body} bytes")));
                }
                Ok(data) => answer.body.extend_from_slice(&data),
                Err(other) => answer.trailers.extend(other.into_trailers().unwrap_or_default()),
            }
        }
        Ok(())
    };
    Driver::new(pin!(connection)).drive(exchange).await
}
