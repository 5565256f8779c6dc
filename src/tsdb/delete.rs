//! Deletion: at once for readers, on disk when blocks are merged.
//!
//! Samples in memory are removed, with a record in the write-ahead log so that a replay removes them at the
//! same place. Samples in blocks are hidden by a tombstone, kept in the file `tombstones`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::matcher::{MatchOp, Matcher};
use crate::promql::source::Resolution;
use crate::tsdb::append::append_error;
use crate::tsdb::batch::AppendError;
use crate::tsdb::block::Block;
use crate::tsdb::compact::Tombstone;
use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::frame::{Input, put_bytes, put_varint, unzigzag, zigzag};
use crate::tsdb::maintain::{Upkeep, Work};
use crate::tsdb::small_file;

/// Kind and version of the file.
pub(crate) const MAGIC: [u8; 8] = *b"WDtombs\x01";

/// Where it is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("tombstones")
}

const OPS: [MatchOp; 4] = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];

/// The payload of the file.
fn encode(all: &[Tombstone]) -> Vec<u8> {
    let mut out = Vec::new();
    for tombstone in all {
        put_varint(&mut out, tombstone.block);
        put_varint(&mut out, zigzag(tombstone.from));
        put_varint(&mut out, zigzag(tombstone.to));
        put_varint(&mut out, tombstone.matchers.len() as u64);
        for m in &tombstone.matchers {
            put_bytes(&mut out, m.name().as_bytes());
            out.push(OPS.iter().position(|op| *op == m.op()).unwrap_or_default() as u8);
            put_bytes(&mut out, m.value().as_bytes());
        }
    }
    out
}

/// Reads the payload; `None` if it is not one.
pub(crate) fn decode(payload: &[u8]) -> Option<Vec<Tombstone>> {
    let mut input = Input(payload);
    let mut all = Vec::new();
    while !input.is_empty() {
        let block = input.varint()?;
        let (from, to) = (unzigzag(input.varint()?), unzigzag(input.varint()?));
        let n = input.varint()?;
        let mut matchers = Vec::new();
        for _ in 0..n {
            let name = input.text()?;
            let op = *OPS.get(usize::from(input.byte()?))?;
            matchers.push(Matcher::new(name, op, input.text()?).ok()?);
        }
        all.push(Tombstone { matchers, from, to, block });
    }
    Some(all)
}

impl Tsdb {
    /// Deletes the samples from one time to another, both inclusive, of the series that fulfil all matchers.
    /// What is appended afterwards stays, whatever its time.
    ///
    /// # Errors
    /// The disk refused. Some of the samples may be deleted; calling again deletes the rest.
    pub fn delete_series(&self, matchers: &[Matcher], from: i64, to: i64) -> Result<(), AppendError> {
        self.shared().delete(matchers, from, to)
    }

    /// Rewrites the blocks that hold deleted samples, so that their space is freed.
    ///
    /// # Errors
    /// The disk refused. Nothing is lost by that.
    pub fn clean_tombstones(&self) -> io::Result<Work> {
        let shared = self.shared();
        let mut work = Work::default();
        shared.clean_tombstones(&mut shared.upkeep(), &mut work)?;
        Ok(work)
    }
}

impl Shared {
    fn delete(&self, matchers: &[Matcher], from: i64, to: i64) -> Result<(), AppendError> {
        let mut upkeep = self.upkeep();
        if self.writer().closed {
            return Err(AppendError::Closed);
        }
        if upkeep.is_flushing() {
            // What is set aside could not be changed.
            self.flush(&mut upkeep, &mut Work::default(), &|| false).map_err(append_error)?;
        }
        let tombstone = Tombstone { matchers: matchers.to_vec(), from, to, block: upkeep.next_id - 1 };
        let hides = |meta, min, max| tombstone.applies(meta) && min <= to && max >= from;
        // A file that could not be removed may be a block again.
        let (catalog, leftovers) = (self.catalog(), upkeep.leftovers.blocks());
        let mut blocks = catalog.blocks.iter().chain(leftovers);
        if blocks.any(|b| hides(b.meta(), b.stats().min_time, b.stats().max_time)) {
            let mut all = self.tombstones().to_vec();
            if !all.contains(&tombstone) {
                all.push(tombstone);
                self.set_tombstones(all).map_err(append_error)?;
            }
        }
        let mut writer = self.writer();
        let head = self.head();
        let slots = head.select(matchers);
        let ids: Vec<u64> = slots.iter().filter_map(|slot| head.get(*slot)).map(|s| s.id).collect();
        drop(head);
        if ids.is_empty() {
            return Ok(());
        }
        writer.wal.begin().map_err(append_error)?;
        writer.wal.deletion(&ids, from, to);
        let position = writer.commit().map_err(append_error)?;
        let mut head = self.head_mut();
        slots.iter().for_each(|slot| head.delete(*slot, from, to));
        drop(head);
        drop(writer);
        self.syncer.wait(position).map_err(AppendError::Wal)
    }

    /// Replaces the tombstones; the caller holds the upkeep.
    pub(crate) fn set_tombstones(&self, all: Vec<Tombstone>) -> io::Result<()> {
        self.fs.replace(&path(&self.dir), &small_file::encode(MAGIC, &encode(&all)))?;
        self.publish_tombstones(all.into());
        Ok(())
    }

    /// Forgets the tombstones that hide nothing any more.
    pub(crate) fn drop_tombstones(&self, upkeep: &Upkeep) -> io::Result<()> {
        let (all, catalog) = (self.tombstones(), self.catalog());
        let blocks = || catalog.blocks.iter().chain(upkeep.leftovers.blocks());
        let hides = |t: &Tombstone| blocks().any(|b| t.applies(b.meta()) && b.overlaps(t.from, t.to));
        if all.iter().all(hides) {
            return Ok(());
        }
        self.set_tombstones(all.iter().filter(|t| hides(t)).cloned().collect())
    }

    fn clean_tombstones(&self, upkeep: &mut Upkeep, work: &mut Work) -> io::Result<()> {
        if self.fs.is_read_only() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let tombstones: Arc<[Tombstone]> = self.tombstones();
        let catalog = self.catalog();
        let mut blocks: Vec<&Arc<Block>> = catalog.blocks.iter().collect();
        blocks.sort_by_key(|b| b.meta().id);
        let mut written: Vec<&Arc<Block>> = Vec::new();
        for block in blocks {
            let (meta, stats) = (block.meta(), block.stats());
            let hidden =
                tombstones.iter().any(|t| t.applies(meta) && t.from <= stats.max_time && t.to >= stats.min_time);
            // Of roll-ups the newest stands: one that stood before another must do so afterwards.
            let stands_before = |b: &&Arc<Block>| {
                let shared = |(a, u): (i64, i64), (after, until): (i64, i64)| a < until && u > after;
                let both = b.meta().covers.zip(meta.covers);
                b.meta().resolution == meta.resolution && both.is_some_and(|(x, y)| shared(x, y))
            };
            if hidden && (meta.resolution != Resolution::Raw || stats.samples > 0) || written.iter().any(stands_before)
            {
                written.push(block);
            }
        }
        let numbered: Vec<_> = written.into_iter().map(|block| (upkeep.take_id(), block)).collect();
        // The newest first, so that they stand also if the others fail.
        for (id, block) in numbered.into_iter().rev() {
            self.merge(upkeep, id, std::slice::from_ref(block), i64::MIN, work, &|| false)?;
        }
        let removed = self.remove_leftovers(upkeep);
        removed.and(self.drop_tombstones(upkeep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_come_back() {
        let m = |op, v| Matcher::new("ä", op, v).unwrap();
        let all = vec![
            Tombstone { matchers: vec![], from: i64::MIN, to: i64::MAX, block: 7 },
            Tombstone {
                matchers: vec![m(MatchOp::Equal, "x"), m(MatchOp::NotRegex, "a|b.*")],
                from: -5,
                to: 5,
                block: u64::MAX,
            },
        ];
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(decode(&[1, 2, 3]), None);
    }
}
