//! Takes samples from others in: remote write and text, from request body to store.
//!
//! What is acceptable is kept even when other parts of the request are not; the answer says what was
//! refused and why. Decoding and appending happen on blocking threads, as many at a time as there are
//! processors twice over; who waits longer than [`PATIENCE`] is told to come again. Decompression is
//! bounded before memory is reserved.

pub mod metrics;
pub mod read;
pub mod series;
mod text;
pub mod write;

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::base::clock::Clock;
use crate::base::exposition::Format;
use crate::base::metadata::{Kind, Meta};
use crate::base::protobuf::WireError;
use crate::config::storage::IntakeLimits;
use crate::engine::intake::metrics::IntakeMetrics;
use crate::engine::intake::series::{Admission, Jobs, Refusal};
use crate::engine::intake::write::{Decoded, Scratch};
use crate::engine::storage::{Store, StoreError};
use crate::tsdb::metadata::Metadata;
pub use crate::tsdb::{Ack, AppendError};
use crate::tsdb::{Appended, Batch, Tsdb};

/// Largest body of a push, as sent.
pub const MAX_BODY: usize = 32 << 20;
/// Largest body of a push, decompressed.
pub const MAX_DECODED: usize = 128 << 20;
/// Longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Work areas that are kept for the next request.
const KEPT: usize = 8;
/// A work area that has grown beyond this, in samples or bytes, is not kept.
const KEPT_SIZE: usize = 8 << 20;
/// Text is appended in portions of this many samples, so that a batch stays small.
const PORTION: usize = 20_000;

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `prometheus.WriteRequest`, snappy.
    RemoteWrite1,
    /// `io.prometheus.write.v2.Request`, snappy.
    RemoteWrite2,
    /// Exposition text, as it is or gzipped.
    Text {
        /// Which.
        format: Format,
        /// Compressed.
        gzip: bool,
    },
}

/// What became of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Samples that are stored now, those that were there before included.
    pub stored: u64,
    /// Samples that were refused, by reason.
    pub refused: BTreeMap<Refusal, u64>,
    /// Native histograms, none of which are kept.
    pub histograms: u64,
    /// Exemplars, none of which are kept.
    pub exemplars: u64,
    /// Lines that were not understood: number and reason, the first hundred.
    pub bad_lines: Vec<(usize, String)>,
    /// How many lines were not understood.
    pub bad_line_count: u64,
}

impl Taken {
    /// Whether something that should have been kept was not. Exemplars do not count.
    pub fn is_partial(&self) -> bool {
        !self.refused.is_empty() || self.histograms > 0 || self.bad_line_count > 0
    }

    /// What was refused, in one sentence.
    pub fn complaint(&self) -> String {
        let mut parts: Vec<String> = self
            .refused
            .iter()
            .map(|(why, n)| {
                format!(
                    "{n} {} {}",
                    if *n == 1 { "sample was refused:" } else { "samples were refused: they" },
                    why.text()
                )
            })
            .collect();
        if self.histograms > 0 {
            parts.push(format!("{} native histograms were refused: they are not supported", self.histograms));
        }
        if let Some((line, why)) = self.bad_lines.first() {
            parts.push(format!("{} lines were not understood, the first in line {line}: {why}", self.bad_line_count));
        }
        format!("{} samples stored; {}", self.stored, parts.join("; "))
    }

    fn count(&mut self, appended: &Appended) {
        self.stored += appended.stored;
        let refused = [
            (Refusal::Duplicate, appended.duplicates),
            (Refusal::TooOld, appended.too_old),
            (Refusal::SeriesLimit, appended.over_limit),
        ];
        for (why, n) in refused.into_iter().filter(|(_, n)| *n > 0) {
            *self.refused.entry(why).or_default() += n;
        }
    }

    fn merge(&mut self, decoded: &Decoded) {
        self.histograms += decoded.histograms;
        self.exemplars += decoded.exemplars;
        for (why, n) in &decoded.refused {
            *self.refused.entry(*why).or_default() += n;
        }
    }
}

/// Why a push was not taken at all.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Decompressed it is more than [`MAX_DECODED`].
    #[error("the body is larger than {} MiB when decompressed", MAX_DECODED >> 20)]
    TooLarge,
    /// Not snappy.
    #[error("the body is not snappy in its block format")]
    Snappy(#[source] snap::Error),
    /// Not gzip.
    #[error("the body is not gzip")]
    Gzip(#[source] std::io::Error),
    /// Not the protobuf message it should be.
    #[error("the body is not the message it is declared to be")]
    Protobuf(#[from] WireError),
    /// No turn in time.
    #[error("too many pushes at once")]
    Overloaded,
    /// The store takes nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not take it.
    #[error("the samples could not be stored")]
    Append(#[from] AppendError),
    /// A mistake of ours.
    #[error("taking the samples in crashed")]
    Crashed,
}

/// The intake.
#[derive(Debug)]
pub struct Intake {
    clock: Clock,
    store: Arc<Store>,
    metrics: IntakeMetrics,
    limits: ArcSwap<IntakeLimits>,
    turns: Arc<Semaphore>,
    /// Work areas for reuse. Leaf data, held to push or pop.
    idle: Mutex<Vec<Work>>,
    /// Series of each job; held for one series, and only with a limit configured.
    jobs: Mutex<Jobs>,
}

/// What decoding and appending work with.
#[derive(Debug, Default)]
struct Work {
    decoded: Vec<u8>,
    scratch: Scratch,
    batch: Batch,
}

impl Intake {
    /// An intake for `store`.
    pub fn new(clock: Clock, store: Arc<Store>, metrics: IntakeMetrics) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            clock,
            store,
            metrics,
            limits: ArcSwap::from_pointee(IntakeLimits::default()),
            turns: Arc::new(Semaphore::new(processors * 2)),
            idle: Mutex::default(),
            jobs: Mutex::new(Jobs::new(usize::MAX)),
        }
    }

    /// Sets other limits from now on.
    pub fn configure(&self, limits: IntakeLimits) {
        self.limits.store(Arc::new(limits));
    }

    /// Descriptions of metrics, of one or of all, at most `limit`.
    pub fn metadata(&self, metric: Option<&str>, limit: usize) -> Vec<(String, Meta)> {
        let Ok(tsdb) = self.store.open() else { return Vec::new() };
        let found = tsdb.metadata(metric, limit).into_iter();
        found
            .map(|(name, m)| {
                let kind = Kind::from_word(&m.kind).unwrap_or_default();
                (name.into_string(), Meta { kind, help: m.help.into_string(), unit: m.unit.into_string() })
            })
            .collect()
    }

    /// Keeps descriptions; without a store they are told again soon.
    pub fn describe(&self, described: impl IntoIterator<Item = (String, Meta)>) {
        let Ok(tsdb) = self.store.open() else { return };
        for (metric, meta) in described {
            let meta = match tsdb.metadata(Some(&metric), 1).first() {
                Some((_, older)) => completed(meta, older),
                None => meta,
            };
            tsdb.set_metadata(&metric, meta.kind.word(), &meta.help, &meta.unit);
        }
    }

    /// Takes a body in. Not undone when the caller goes away.
    ///
    /// # Errors
    /// Nothing was stored, or (for text) no more than a part.
    pub async fn take(self: &Arc<Self>, body: Bytes, encoding: Encoding, ack: Ack) -> Result<Taken, IntakeError> {
        let taken = self.take_in_turn(body, encoding, ack).await;
        self.metrics.count(encoding, &taken);
        taken
    }

    async fn take_in_turn(self: &Arc<Self>, body: Bytes, encoding: Encoding, ack: Ack) -> Result<Taken, IntakeError> {
        let tsdb = self.store.open()?;
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        // Never closed, so the inner error cannot happen; the outer one is the time-out.
        let Ok(Ok(turn)) = turn else { return Err(IntakeError::Overloaded) };
        let intake = Arc::clone(self);
        let work = move || {
            // Held, as the body with its share of memory is, until the work has really ended, not only
            // until nobody waits for it.
            let (_turn, body) = (turn, body);
            let mut work = intake.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let taken = match encoding {
                Encoding::RemoteWrite1 | Encoding::RemoteWrite2 => {
                    intake.remote_write(&body, encoding, &tsdb, ack, &mut work)
                }
                Encoding::Text { format, gzip } => intake.text(&body, format, gzip, &tsdb, ack, &mut work),
            };
            intake.keep(work);
            taken
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(IntakeError::Crashed))
    }

    fn keep(&self, mut work: Work) {
        work.batch.clear();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && work.decoded.capacity() <= KEPT_SIZE {
            idle.push(work);
        }
    }

    /// Runs `decode` behind the gate that the limits make.
    fn admitted<T>(&self, decode: impl FnOnce(&mut Admission<'_>) -> T) -> T {
        let (limits, now) = (**self.limits.load(), self.clock.now());
        match limits.max_series_per_job {
            None => decode(&mut Admission::new(now, limits.max_samples_per_request, None)),
            Some(limit) => {
                self.jobs.lock().unwrap_or_else(PoisonError::into_inner).prepare(limit, now);
                decode(&mut Admission::new(now, limits.max_samples_per_request, Some(&self.jobs)))
            }
        }
    }

    fn remote_write(
        &self,
        body: &[u8],
        encoding: Encoding,
        tsdb: &Tsdb,
        ack: Ack,
        work: &mut Work,
    ) -> Result<Taken, IntakeError> {
        let Work { decoded: message, scratch, batch } = work;
        unsnap(body, message)?;
        batch.clear();
        let decoded = self.admitted(|admit| match encoding {
            Encoding::RemoteWrite2 => write::version_2(message, scratch, admit, batch),
            Encoding::RemoteWrite1 | Encoding::Text { .. } => write::version_1(message, scratch, admit, batch),
        })?;
        let mut taken = Taken::default();
        taken.merge(&decoded);
        if !batch.is_empty() {
            taken.count(&tsdb.append(batch, ack, self.clock.now())?);
        }
        if !decoded.metadata.is_empty() {
            self.describe(decoded.metadata);
        }
        Ok(taken)
    }

    fn text(
        &self,
        body: &[u8],
        format: Format,
        gzip: bool,
        tsdb: &Tsdb,
        ack: Ack,
        work: &mut Work,
    ) -> Result<Taken, IntakeError> {
        let Work { decoded: plain, batch, .. } = work;
        let text = if gzip {
            gunzip(body, plain)?;
            plain.as_slice()
        } else {
            body
        };
        self.admitted(|admit| {
            text::take(text, format, self.clock.now(), admit, batch, |batch, taken| {
                taken.count(&tsdb.append(batch, ack, self.clock.now())?);
                Ok(())
            })
        })
        .map(|(taken, described)| {
            self.describe(described);
            taken
        })
    }
}

/// A description with what it does not say taken from an older one.
fn completed(mut meta: Meta, older: &Metadata) -> Meta {
    if meta.kind == Kind::Unknown {
        meta.kind = Kind::from_word(&older.kind).unwrap_or_default();
    }
    for (text, old) in [(&mut meta.help, &older.help), (&mut meta.unit, &older.unit)] {
        if text.is_empty() {
            text.push_str(old);
        }
    }
    meta
}

/// Decompresses snappy's block format into `out`.
///
/// # Errors
/// It is not snappy, or more than [`MAX_DECODED`].
pub fn unsnap(body: &[u8], out: &mut Vec<u8>) -> Result<(), IntakeError> {
    let length = snap::raw::decompress_len(body).map_err(IntakeError::Snappy)?;
    // No element of the format makes more than 64 bytes from two, so a larger claim is a lie; memory is
    // reserved for honest ones alone.
    if length > MAX_DECODED || length / 32 > body.len() {
        return Err(IntakeError::TooLarge);
    }
    out.resize(length, 0);
    let written = snap::raw::Decoder::new().decompress(body, out).map_err(IntakeError::Snappy)?;
    out.truncate(written);
    Ok(())
}

fn gunzip(body: &[u8], out: &mut Vec<u8>) -> Result<(), IntakeError> {
    out.clear();
    let mut bounded = flate2::read::MultiGzDecoder::new(body).take(MAX_DECODED as u64 + 1);
    bounded.read_to_end(out).map_err(IntakeError::Gzip)?;
    if out.len() > MAX_DECODED { Err(IntakeError::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::tsdb::Options;

    fn intake(dir: &std::path::Path) -> Arc<Intake> {
        let clock = Clock::system();
        let tsdb = Tsdb::open(dir, Options::default(), Timestamp::from_millis(0)).unwrap();
        let store = Arc::new(Store::default());
        let _ = store.set(Ok(Arc::new(tsdb)));
        Arc::new(Intake::new(clock, store, IntakeMetrics::default()))
    }

    #[tokio::test]
    async fn a_turn_and_the_body_are_held_until_the_work_ends_whoever_hangs_up() {
        let dir = tempfile::tempdir().unwrap();
        let intake = intake(dir.path());
        let turns = intake.turns.available_permits();
        let memory = Arc::new(());
        struct Owner {
            _memory: Arc<()>,
        }
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                b"a 1\n"
            }
        }
        let body = Bytes::from_owner(Owner { _memory: Arc::clone(&memory) });
        // The work cannot begin without a work area.
        let gate = intake.idle.lock().unwrap();
        let text = Encoding::Text { format: Format::Text, gzip: false };
        assert!(intake.take(body, text, Ack::Written).now_or_never().is_none());
        assert_eq!((intake.turns.available_permits(), Arc::strong_count(&memory)), (turns - 1, 2));
        drop(gate);
        let _all = intake.turns.acquire_many(turns as u32).await.unwrap();
        assert_eq!(Arc::strong_count(&memory), 1);
    }

    #[test]
    fn a_description_completes_what_is_known() {
        let older = Metadata { kind: "counter".into(), help: "old".into(), unit: "bytes".into() };
        let newer = Meta { kind: Kind::Unknown, help: "new".to_owned(), unit: String::new() };
        let both = Meta { kind: Kind::Counter, help: "new".to_owned(), unit: "bytes".to_owned() };
        assert_eq!(completed(newer, &older), both);
    }

    #[test]
    fn a_lie_about_the_size_reserves_nothing() {
        let mut out = Vec::new();
        // Claims 2^32 - 1 and 100 MiB.
        for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x80, 0x80, 0x80, 0x32]] {
            assert!(matches!(unsnap(claim, &mut out), Err(IntakeError::TooLarge)));
            assert_eq!(out.capacity(), 0);
        }
        assert!(matches!(unsnap(b"", &mut out), Err(IntakeError::Snappy(_))));
        assert!(matches!(unsnap(b"\x05hello", &mut out), Err(IntakeError::Snappy(_))));
    }

    #[test]
    fn honest_bodies_come_through_however_well_they_compress() {
        for text in [vec![0; 10 << 20], b"abc".repeat(1_000_000), vec![]] {
            let mut out = Vec::new();
            unsnap(&snap::raw::Encoder::new().compress_vec(&text).unwrap(), &mut out).unwrap();
            assert!(out == text);
        }
    }
}
