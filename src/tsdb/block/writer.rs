//! Writes a block, series by series: memory is needed for one series and the index, not for the samples.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ahash::AHashMap;

use crate::base::labels::Labels;
use crate::tsdb::block::format::{
    CRC, Directory, GROUP, INLINE, LONGEST_KEY, MAGIC, Meta, Name, Place, Stats, TAIL_REACH, TIMES_PAGE, Tail,
    VALUES_PAGE, compress, put_front_coded,
};
use crate::tsdb::block::groups::Refs;
use crate::tsdb::block::postings::{INLINE_POSTINGS, Postings};
use crate::tsdb::block::{Block, Cache};
use crate::tsdb::chunk::{self, Effort, put_varint, zigzag};

/// Most samples per chunk: six hours at 15 s. Longer ones are smaller by under one percent, and an hour read
/// from the block of a day would cost the decoding of half a day.
const CHUNK: usize = 1_536;
/// Payloads remembered to be referred to again, in bytes. Buckets of a histogram that nothing fell between,
/// or the columns of a roll-up of a constant, are equal byte for byte.
const REMEMBERED: usize = 2 << 20;

/// Writes one block. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct BlockWriter {
    path: PathBuf,
    temp: PathBuf,
    file: BufWriter<File>,
    at: u64,
    meta: Meta,
    stats: Stats,
    cache: Arc<Cache>,
    finished: bool,

    /// The series begun last, and its samples so far.
    open: Option<Labels>,
    last: Option<Labels>,
    t: Vec<i64>,
    columns: Vec<Vec<f64>>,

    labels: GroupTable,
    chunks: GroupTable,
    chunk_refs: Refs,
    last_time: i64,
    payloads: Memory,

    times: Vec<TimeColumn>,
    /// Bytes of the short ones of these.
    times_own: Vec<u8>,
    /// Numbers of columns of times by their bytes.
    time_columns: Memory,
    /// The same by first and last time, before they are encoded: most series come with times that are here.
    recent: AHashMap<(i64, i64), (Vec<i64>, usize)>,
    /// Times in `recent`.
    recent_times: usize,

    directory: Directory,
    names: AHashMap<Box<str>, AHashMap<Box<str>, Members>>,
    scratch: Vec<u8>,
}

/// A column of times that chunks refer to.
#[derive(Debug)]
struct TimeColumn {
    count: u32,
    min: i64,
    max: i64,
    len: u32,
    /// In `times_own` if it is short, else in the file.
    offset: u64,
    /// A second copy, zero if there is none: made when a second chunk refers to it, because the loss of a
    /// shared column would lose the samples of many series.
    copy: u64,
}

impl TimeColumn {
    const fn wants_copy(&self) -> bool {
        self.len as usize > INLINE && self.copy == 0
    }
}

/// A table of the group being written.
#[derive(Debug, Default)]
struct GroupTable {
    raw: Vec<u8>,
    before: Vec<u8>,
    series: usize,
}

/// The series of a label value, each as its distance from the one before.
#[derive(Debug, Default)]
struct Members {
    count: u32,
    last: u32,
    distances: Vec<u8>,
}

/// Byte strings and what they stand for; the oldest are forgotten.
#[derive(Debug, Default)]
struct Memory {
    known: AHashMap<Arc<[u8]>, u64>,
    order: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Memory {
    fn put(&mut self, bytes: &[u8], meaning: u64) {
        let key: Arc<[u8]> = bytes.into();
        self.bytes += key.len();
        self.order.push_back(Arc::clone(&key));
        self.known.insert(key, meaning);
        while self.bytes > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.len();
            self.known.remove(&oldest);
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl BlockWriter {
    /// Begins a block in `dir`, under a temporary name.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn create(dir: &Path, meta: Meta, cache: &Arc<Cache>) -> io::Result<Self> {
        let path = dir.join(meta.file_name());
        let temp = path.with_extension("tmp");
        let file = BufWriter::with_capacity(1 << 18, File::create(&temp)?);
        let columns = vec![Vec::new(); meta.columns()];
        let mut writer = Self {
            path,
            temp,
            file,
            at: 0,
            meta,
            stats: Stats { min_time: i64::MAX, max_time: i64::MIN, ..Stats::default() },
            cache: Arc::clone(cache),
            finished: false,
            open: None,
            last: None,
            t: Vec::new(),
            columns,
            labels: GroupTable::default(),
            chunks: GroupTable::default(),
            chunk_refs: Refs::default(),
            last_time: 0,
            payloads: Memory::default(),
            times: Vec::new(),
            times_own: Vec::new(),
            time_columns: Memory::default(),
            recent: AHashMap::new(),
            recent_times: 0,
            directory: Directory::default(),
            names: AHashMap::new(),
            scratch: Vec::new(),
        };
        writer.write(&MAGIC)?;
        Ok(writer)
    }

    /// Begins a series; label sets rise strictly. One that gets no samples is left out.
    ///
    /// # Errors
    /// The labels are out of order or too long, or the file cannot be written.
    pub fn series(&mut self, labels: &Labels) -> io::Result<()> {
        self.end_series()?;
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(invalid("series of a block are sorted by labels"));
        }
        if labels.as_key().len() > LONGEST_KEY {
            return Err(invalid("the labels of a series are longer than a block takes"));
        }
        self.open = Some(labels.clone());
        Ok(())
    }

    /// Adds samples of the series begun last: times rise strictly, columns are as long as they are.
    ///
    /// # Errors
    /// The samples are out of order, the columns are not as many or as long as they must be, or the file
    /// cannot be written.
    pub fn chunk(&mut self, t: &[i64], columns: &[&[f64]]) -> io::Result<()> {
        if columns.len() != self.columns.len() || columns.iter().any(|c| c.len() != t.len()) {
            return Err(invalid("columns of a chunk fit its block and are of one length"));
        }
        let rises = |a: &i64, b: &i64| a < b;
        let joins = self.t.last().is_none_or(|last| t.first().is_none_or(|t| last < t));
        if self.open.is_none() || !joins || !t.is_sorted_by(rises) {
            return Err(invalid("samples of a series are sorted by time"));
        }
        self.t.extend_from_slice(t);
        for (all, new) in self.columns.iter_mut().zip(columns) {
            all.extend_from_slice(new);
        }
        Ok(())
    }

    /// Writes the index, makes the file durable and gives it its name. Nothing, and no file, if there are no
    /// samples, unless the block says by that what it [covers](Meta::covers).
    ///
    /// # Errors
    /// The file cannot be written; it is removed.
    pub fn finish(mut self) -> io::Result<Option<Block>> {
        self.end_series()?;
        if self.stats.series == 0 {
            let Some((after, until)) = self.meta.covers else { return Ok(None) };
            (self.stats.min_time, self.stats.max_time) = (after.saturating_add(1), until);
        }
        self.end_group()?;
        let data_end = self.at;
        self.times_table()?;
        self.values()?;
        let directory = self.directory.encode(MAGIC.len() as u64);
        let copies = [self.part(&directory)?, self.part(&directory)?];
        let mut tail = Tail { meta: self.meta.clone(), stats: self.stats, data_end, directory: copies };
        // The tail says how long the file is, itself included; its length depends on that a little.
        let mut bytes = tail.encode();
        loop {
            tail.stats.bytes = self.at + 2 * bytes.len() as u64;
            tail.stats.index_bytes = self.stats.index_bytes + 2 * (directory.len() + bytes.len()) as u64;
            let again = tail.encode();
            let stable = again.len() == bytes.len();
            bytes = again;
            if stable {
                break;
            }
        }
        if 2 * bytes.len() > TAIL_REACH {
            return Err(invalid("a block names too many others"));
        }
        self.write(&bytes)?;
        self.write(&bytes)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.temp, &self.path)?;
        self.finished = true;
        let named = self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all());
        let block = named.and_then(|()| Block::open(&self.path, &self.cache).map_err(io::Error::other));
        // Nobody would know of it, until a restart finds it beside what was written in its place.
        block.map(Some).inspect_err(|_| drop(fs::remove_file(&self.path)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Writes a part whose checksum is kept with the reference to it.
    fn part(&mut self, bytes: &[u8]) -> io::Result<Place> {
        let len = u32::try_from(bytes.len()).map_err(|_| invalid("a part of a block is below 4 GB"))?;
        let place = Place { offset: self.at, len, crc: crc32fast::hash(bytes) };
        self.write(bytes)?;
        Ok(place)
    }

    /// Writes a part of the index.
    fn index_part(&mut self, raw: &[u8]) -> io::Result<Place> {
        let place = self.part(&compress(raw))?;
        self.stats.index_bytes += u64::from(place.len);
        Ok(place)
    }

    /// Writes bytes with their checksum behind them; returns where they are.
    fn sealed(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let offset = self.at;
        self.write(bytes)?;
        self.write(&crc32fast::hash(bytes).to_le_bytes())?;
        Ok(offset)
    }

    fn end_series(&mut self) -> io::Result<()> {
        let Some(labels) = self.open.take() else { return Ok(()) };
        if self.t.is_empty() {
            return Ok(());
        }
        let t = std::mem::take(&mut self.t);
        let columns = std::mem::take(&mut self.columns);
        let chunks = t.len().div_ceil(CHUNK);
        put_varint(&mut self.chunks.raw, chunks as u64);
        // Chunks of about equal length, so that the last one is not a short rest.
        let len = t.len().div_ceil(chunks);
        for from in (0..t.len()).step_by(len) {
            let to = t.len().min(from + len);
            self.encode(&t[from..to], &columns, from..to)?;
        }
        self.stats.min_time = self.stats.min_time.min(t[0]);
        self.stats.max_time = self.stats.max_time.max(t[t.len() - 1]);
        self.stats.samples += t.len() as u64;
        self.stats.chunks += chunks as u64;
        (self.t, self.columns) = (t, columns);
        self.t.clear();
        self.columns.iter_mut().for_each(Vec::clear);
        self.index(&labels);
        self.last = Some(labels);
        if self.labels.series == GROUP {
            self.end_group()?;
        }
        Ok(())
    }

    fn encode(&mut self, t: &[i64], columns: &[Vec<f64>], range: std::ops::Range<usize>) -> io::Result<()> {
        let number = self.time_column(t)?;
        put_varint(&mut self.chunks.raw, zigzag(number - self.last_time));
        self.last_time = number;
        let mut bytes = std::mem::take(&mut self.scratch);
        for column in columns {
            bytes.clear();
            chunk::encode_values(&column[range.clone()], Effort::Dense, &mut bytes);
            if bytes.len() <= INLINE {
                Refs::inline(&mut self.chunks.raw, &bytes);
                continue;
            }
            let offset = match self.payloads.known.get(&*bytes) {
                Some(offset) => *offset,
                None => {
                    let offset = self.sealed(&bytes)?;
                    self.payloads.put(&bytes, offset);
                    offset
                }
            };
            self.chunk_refs.file(&mut self.chunks.raw, offset, bytes.len());
        }
        self.scratch = bytes;
        Ok(())
    }

    /// The number of a column of times, which is written if it is new.
    fn time_column(&mut self, t: &[i64]) -> io::Result<i64> {
        let ends = (t[0], t[t.len() - 1]);
        let known = self.recent.get(&ends).filter(|(same, _)| same == t).map(|(_, number)| *number);
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        if known.is_none() || known.is_some_and(|n| self.times[n].wants_copy()) {
            chunk::encode_times(t, Effort::Dense, &mut bytes);
        }
        let number = match known.or_else(|| self.time_columns.known.get(&*bytes).map(|n| *n as usize)) {
            Some(number) => {
                if self.times[number].wants_copy() {
                    self.times[number].copy = self.sealed(&bytes)?;
                }
                number
            }
            None => {
                let offset = if bytes.len() > INLINE {
                    self.sealed(&bytes)?
                } else {
                    self.times_own.extend_from_slice(&bytes);
                    (self.times_own.len() - bytes.len()) as u64
                };
                let (count, len) = (t.len() as u32, bytes.len() as u32);
                self.times.push(TimeColumn { count, min: ends.0, max: ends.1, len, offset, copy: 0 });
                self.time_columns.put(&bytes, self.times.len() as u64 - 1);
                self.times.len() - 1
            }
        };
        self.scratch = bytes;
        if known.is_none() {
            if self.recent_times > REMEMBERED / 8 {
                self.recent.clear();
                self.recent_times = 0;
            }
            self.recent_times += t.len();
            self.recent.insert(ends, (t.to_vec(), number));
        }
        Ok(number as i64)
    }

    /// Writes the table of times, each page twice: most series may depend on one.
    fn times_table(&mut self) -> io::Result<()> {
        for page in std::mem::take(&mut self.times).chunks(TIMES_PAGE) {
            let (mut raw, mut refs, mut before) = (Vec::new(), Refs::default(), 0);
            for column in page {
                put_varint(&mut raw, u64::from(column.count));
                put_varint(&mut raw, zigzag(column.min.wrapping_sub(before)));
                put_varint(&mut raw, column.max.wrapping_sub(column.min) as u64);
                before = column.min;
                if column.len as usize <= INLINE {
                    let from = column.offset as usize;
                    Refs::inline(&mut raw, &self.times_own[from..from + column.len as usize]);
                } else {
                    refs.file(&mut raw, column.offset, column.len as usize);
                    put_varint(&mut raw, column.copy.saturating_sub(column.offset));
                }
            }
            let places = [self.index_part(&raw)?, self.index_part(&raw)?];
            self.directory.times.push(places);
        }
        Ok(())
    }

    /// Notes the series in its group and under its labels.
    fn index(&mut self, labels: &Labels) {
        let id = self.stats.series as u32;
        self.stats.series += 1;
        let key = labels.as_key().as_bytes();
        put_front_coded(&mut self.labels.raw, &self.labels.before, key);
        self.labels.before.clear();
        self.labels.before.extend_from_slice(key);
        self.labels.series += 1;
        for (name, value) in labels.iter() {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), AHashMap::new());
            }
            let Some(values) = self.names.get_mut(name) else { continue };
            if !values.contains_key(value) {
                values.insert(value.into(), Members::default());
            }
            let Some(members) = values.get_mut(value) else { continue };
            put_varint(&mut members.distances, u64::from(id - members.last));
            members.last = id;
            members.count += 1;
        }
    }

    fn end_group(&mut self) -> io::Result<()> {
        if self.labels.series > 0 {
            let (labels, chunks) = (std::mem::take(&mut self.labels), std::mem::take(&mut self.chunks));
            let group = (self.index_part(&labels.raw)?, self.index_part(&chunks.raw)?);
            self.directory.groups.push(group);
            (self.chunk_refs, self.last_time) = (Refs::default(), 0);
        }
        Ok(())
    }

    /// Writes label values with their postings.
    fn values(&mut self) -> io::Result<()> {
        let mut names: Vec<_> = std::mem::take(&mut self.names).into_iter().collect();
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let (mut ids, mut postings) = (Vec::new(), Vec::new());
        for (text, values) in names {
            let mut values: Vec<_> = values.into_iter().collect();
            values.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let series = values.iter().map(|(_, m)| u64::from(m.count)).sum();
            let mut name = Name { text, values: values.len() as u64, series, pages: Vec::new() };
            for page in values.chunks(VALUES_PAGE) {
                let (mut raw, mut before) = (Vec::new(), &b""[..]);
                for (value, members) in page {
                    put_front_coded(&mut raw, before, value.as_bytes());
                    before = value.as_bytes();
                    put_varint(&mut raw, u64::from(members.count));
                    members.ids(&mut ids);
                    postings.clear();
                    Postings::encode(&ids, &mut postings);
                    put_varint(&mut raw, postings.len() as u64);
                    if postings.len() <= INLINE_POSTINGS {
                        raw.extend_from_slice(&postings);
                    } else {
                        let offset = self.sealed(&postings)?;
                        self.stats.index_bytes += (postings.len() + CRC) as u64;
                        put_varint(&mut raw, offset);
                    }
                }
                let place = self.index_part(&raw)?;
                name.pages.push((page[0].0.clone(), place));
            }
            self.directory.names.push(name);
        }
        Ok(())
    }
}

impl Members {
    fn ids(&self, ids: &mut Vec<i64>) {
        ids.clear();
        let (mut from, mut id) = (chunk::Cursor(&self.distances), 0);
        while let Ok(distance) = from.varint() {
            id += distance as i64;
            ids.push(id);
        }
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing better can be done than what opening does: remove leftovers.
            let _ = fs::remove_file(&self.temp);
        }
    }
}
