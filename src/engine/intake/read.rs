//! Remote read: `prometheus.ReadRequest` → selections → `prometheus.ReadResponse`, both snappy.
//!
//! The sampled response only. The streamed one carries chunks in Prometheus' own encoding, which this
//! store does not have; making them would cost what it is meant to save. Clients that prefer chunks
//! take samples as well. <https://prometheus.io/docs/specs/remote_read_api/>

use bytes::Bytes;

use crate::base::matcher::{BadRegex, MatchOp, Matcher};
use crate::base::protobuf::{Reader, WireError, put_bytes, put_double, put_int};
use crate::base::sample::Column;
use crate::engine::intake::{IntakeError, unsnap};
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::promql::source::{Resolution, Select, Source, Want};
use crate::promql::value::{Cancel, EvalError};
use crate::tsdb::Tsdb;

/// Largest answer before compression, in bytes.
const MAX_ANSWER: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The request is not understood.
    #[error(transparent)]
    Request(#[from] IntakeError),
    /// A matcher that does not stand.
    #[error("a matcher is not understood")]
    Matcher(#[from] BadRegex),
    /// More than [`MAX_ANSWER`].
    #[error("the answer would be larger than {} MiB; ask for less time or fewer series", MAX_ANSWER >> 20)]
    TooLarge,
    /// The store could not be asked.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl From<WireError> for ReadError {
    fn from(e: WireError) -> Self {
        Self::Request(e.into())
    }
}

/// One selection of a request.
struct Wanted {
    start: i64,
    end: i64,
    matchers: Vec<Matcher>,
}

impl Queries {
    /// Answers a remote read.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn remote_read(&self, body: Bytes) -> Result<Vec<u8>, ReadError> {
        let limits = self.limits();
        let read = move |tsdb: &Tsdb, cancel: &Cancel| {
            let mut message = Vec::new();
            unsnap(&body, &mut message)?;
            let wanted = request(&message)?;
            answer(&wanted, tsdb, limits.max_series, limits.max_samples, cancel)
        };
        let work = move |tsdb: &Tsdb, cancel: &Cancel| Ok(read(tsdb, cancel));
        let (answered, _) = self.in_turn(Kind::Read, None, work).await?;
        answered
    }
}

fn request(message: &[u8]) -> Result<Vec<Wanted>, ReadError> {
    let mut wanted = Vec::new();
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        // Field 2 lists accepted kinds of response; samples are always accepted.
        if number == 1 {
            wanted.push(query(value.bytes()?)?);
        }
    }
    Ok(wanted)
}

fn query(message: &[u8]) -> Result<Wanted, ReadError> {
    let mut wanted = Wanted { start: 0, end: 0, matchers: Vec::new() };
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        match number {
            1 => wanted.start = value.varint()?.cast_signed(),
            2 => wanted.end = value.varint()?.cast_signed(),
            3 => wanted.matchers.push(matcher(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(wanted)
}

fn matcher(message: &[u8]) -> Result<Matcher, ReadError> {
    let (mut op, mut name, mut pattern) = (MatchOp::Equal, "", "");
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| WireError::WrongType);
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        match number {
            1 => {
                op = match value.varint()? {
                    0 => MatchOp::Equal,
                    1 => MatchOp::NotEqual,
                    2 => MatchOp::Regex,
                    3 => MatchOp::NotRegex,
                    _ => return Err(WireError::WrongType.into()),
                }
            }
            2 => name = text(value.bytes()?)?,
            3 => pattern = text(value.bytes()?)?,
            _ => {}
        }
    }
    Ok(Matcher::new(name, op, pattern)?)
}

fn answer(
    wanted: &[Wanted],
    tsdb: &Tsdb,
    max_series: usize,
    max_samples: usize,
    cancel: &Cancel,
) -> Result<Vec<u8>, ReadError> {
    let mut out = Vec::new();
    let (mut result, mut series, mut part) = (Vec::new(), Vec::new(), Vec::new());
    let mut column = Column::default();
    let mut left = max_samples;
    for Wanted { start, end, matchers } in wanted {
        let select = Select {
            matchers,
            start: *start,
            end: *end,
            step: 0,
            window: 0,
            want: Want::Last,
            resolution: Some(Resolution::Raw),
            max_series,
            cancel: Some(cancel),
        };
        let set = tsdb.select(&select).map_err(QueryError::from)?;
        let mut reader = set.reader();
        result.clear();
        for i in 0..set.len() {
            if cancel.cancelled() {
                return Err(QueryError::from(EvalError::Cancelled).into());
            }
            reader.read(i, &mut column).map_err(QueryError::from)?;
            if column.is_empty() {
                continue;
            }
            left = left.checked_sub(column.len()).ok_or(QueryError::from(EvalError::TooManySamples))?;
            series.clear();
            for (name, value) in set.labels(i).iter() {
                part.clear();
                put_bytes(&mut part, 1, name.as_bytes());
                put_bytes(&mut part, 2, value.as_bytes());
                put_bytes(&mut series, 1, &part);
            }
            for (t, v) in column.iter() {
                part.clear();
                put_double(&mut part, 1, v);
                put_int(&mut part, 2, t.cast_unsigned());
                put_bytes(&mut series, 2, &part);
            }
            put_bytes(&mut result, 1, &series);
            if out.len() + result.len() > MAX_ANSWER {
                return Err(ReadError::TooLarge);
            }
        }
        put_bytes(&mut out, 1, &result);
    }
    // Only input beyond 4 GiB is refused.
    snap::raw::Encoder::new().compress_vec(&out).map_err(|_| ReadError::TooLarge)
}
