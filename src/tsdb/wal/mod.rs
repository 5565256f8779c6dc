//! The write-ahead log: what was acknowledged but is not yet in a block.
//!
//! Segments are numbered files of frames (`crate::tsdb::frame`); one append is one `write`. A write that
//! fails leaves nothing behind. Segments are removed as a whole once a durable block holds their samples.
//! Format: `docs/formats/wal.md`.

pub(crate) mod record;
pub mod replay;
pub mod sync;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use crate::tsdb::frame::{self, HEADER};
use crate::tsdb::fs::{Fs, Log};
use crate::tsdb::wal::record::Encoder;
use crate::tsdb::wal::sync::Syncer;

/// Kind and version of a segment.
pub(crate) const MAGIC: [u8; 8] = *b"WDwal\0\0\x01";
/// A segment is closed when it is longer. Small, so that a flush soon frees what it made superfluous and
/// damage to a header costs little.
const SEGMENT: u64 = 16 << 20;
/// A record is closed when it is longer, far from the longest that a reader accepts.
const RECORD: usize = 1 << 20;
/// Most samples of one series in one piece; at most 19 bytes each, so a record stays readable.
const PIECE: usize = 1 << 15;
/// A write buffer that grew beyond this is given back.
const BUFFER: usize = 1 << 20;

/// The writing end. One owner.
#[derive(Debug)]
pub(crate) struct Wal {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    syncer: Arc<Syncer>,
    current: Option<Segment>,
    /// Segments that are complete: number and length.
    closed: Vec<(u64, u64)>,
    next: u64,
    /// Bytes written in all.
    written: u64,
    buffer: Vec<u8>,
    encoder: Encoder,
    /// Where the open record begins in the buffer.
    begun: Option<usize>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<dyn Log>,
    len: u64,
}

/// Where a segment is.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}.wal"))
}

impl Wal {
    /// Continues after `closed` segments, in a new one.
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: PathBuf, syncer: Arc<Syncer>, closed: Vec<(u64, u64)>, next: u64) -> Self {
        let next = closed.last().map_or(next, |(n, _)| next.max(n + 1));
        Self {
            fs,
            dir,
            syncer,
            current: None,
            closed,
            next,
            written: 0,
            buffer: Vec::new(),
            encoder: Encoder::default(),
            begun: None,
        }
    }

    /// Begins an append: afterwards there is a segment to write to.
    ///
    /// # Errors
    /// A new segment was needed and could not be made.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.begun = None;
        if self.current.as_ref().is_some_and(|s| s.len > SEGMENT) {
            self.rotate();
        }
        if self.current.is_none() {
            self.current = Some(self.create()?);
        }
        Ok(())
    }

    fn create(&mut self) -> io::Result<Segment> {
        let number = self.next;
        let path = path(&self.dir, number);
        let file = self.fs.create(&path)?;
        let made = file.write_at(&frame::header(MAGIC, number), 0).and_then(|()| self.fs.sync_dir(&self.dir));
        if let Err(err) = made {
            let _ = self.fs.remove(&path);
            return Err(err);
        }
        self.next += 1;
        Ok(Segment { number, file, len: HEADER as u64 })
    }

    /// Closes the current segment, so that all written so far is in closed ones. Returns the number of
    /// the last of them.
    pub(crate) fn rotate(&mut self) -> u64 {
        if let Some(segment) = self.current.take() {
            self.closed.push((segment.number, segment.len));
        }
        self.next - 1
    }

    /// Closes the current segment for a flush. Returns the numbers of the first and the last segment that
    /// the flush makes superfluous, and leaves out the number before the segments that follow.
    pub(crate) fn rotate_for_flush(&mut self) -> (u64, u64) {
        let through = self.rotate();
        self.next += 1;
        (self.closed.first().map_or(through, |(number, _)| *number), through)
    }

    fn open_record(&mut self) -> (u64, u64) {
        let (number, base) = self.current.as_ref().map_or((0, 0), |s| (s.number, s.len));
        if self.begun.is_none() {
            self.begun = Some(frame::begin(&mut self.buffer));
        }
        (number, base)
    }

    fn close_record(&mut self) {
        let (number, base) = self.current.as_ref().map_or((0, 0), |s| (s.number, s.len));
        if let Some(begun) = self.begun.take() {
            frame::end(&mut self.buffer, begun, number, base);
        }
    }

    /// Adds samples of a series to the append.
    pub(crate) fn samples(&mut self, id: u64, samples: &[(i64, f64)]) {
        for piece in samples.chunks(PIECE) {
            if self.begun.is_none() {
                self.open_record();
                self.encoder = Encoder::begin(&mut self.buffer);
            }
            self.encoder.series(&mut self.buffer, id, piece);
            if self.begun.is_some_and(|b| self.buffer.len() - b > RECORD) {
                self.close_record();
            }
        }
    }

    /// Adds a deletion to the append.
    pub(crate) fn deletion(&mut self, ids: &[u64], from: i64, to: i64) {
        // Ten bytes a series at most.
        for piece in ids.chunks(RECORD / 10) {
            self.close_record();
            self.open_record();
            record::encode_deletion(&mut self.buffer, piece, from, to);
        }
        self.close_record();
    }

    /// Writes the append. Returns the position that is durable once all of it is.
    ///
    /// # Errors
    /// Nothing of it stays.
    pub(crate) fn commit(&mut self, definitions: Option<&Arc<dyn Log>>) -> io::Result<u64> {
        self.close_record();
        let Some(segment) = &mut self.current else { return Ok(self.written) };
        if self.buffer.is_empty() {
            return Ok(self.written);
        }
        if let Err(err) = segment.file.write_at(&self.buffer, segment.len) {
            // What was written of it is cut off; if that fails too, the next append writes over it, and
            // until then it is an unfinished record at the end, which readers drop.
            let _ = segment.file.truncate(segment.len);
            return Err(err);
        }
        segment.len += self.buffer.len() as u64;
        self.written += self.buffer.len() as u64;
        self.syncer.wrote(definitions, &segment.file, self.written);
        if self.buffer.capacity() > BUFFER {
            self.buffer = Vec::new();
        }
        Ok(self.written)
    }

    /// Removes the segments up to a number: a block holds their samples.
    pub(crate) fn cut(&mut self, through: u64) {
        self.closed.retain(|&(number, _)| {
            if number > through {
                return true;
            }
            match self.fs.remove(&path(&self.dir, number)) {
                Ok(()) => false,
                Err(err) if err.kind() == io::ErrorKind::NotFound => false,
                Err(err) => {
                    warn!(segment = number, error = %err, "cannot remove a segment of the write-ahead log");
                    true
                }
            }
        });
    }

    /// Bytes in segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.closed.iter().map(|(_, len)| len).sum::<u64>() + self.current.as_ref().map_or(0, |s| s.len)
    }

    /// How many segments.
    pub(crate) fn segments(&self) -> usize {
        self.closed.len() + usize::from(self.current.is_some())
    }

    /// Bytes written since the start.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }
}
