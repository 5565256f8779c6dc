//! Decoded parts of block indexes, shared by all blocks, bounded in bytes.
//!
//! Two generations: what is used moves into the young one; when that holds half of the budget, the old
//! one is dropped and the young one grows old. What is asked for often survives, and nothing is ordered
//! or counted per entry.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::AHashMap;

use crate::base::labels::Labels;
use crate::tsdb::block::format::Directory;
use crate::tsdb::block::groups::{Chunks, Times};
use crate::tsdb::block::postings::{Postings, Values};

/// A part: the block's number, which kind, which of its kind.
type Key = (u64, Kind, u64);

/// Kinds of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Directory,
    Labels,
    Chunks,
    Times,
    Values,
    Postings,
}

/// A decoded part.
#[derive(Clone)]
pub(super) enum Part {
    Directory(Arc<Directory>),
    Labels(Arc<[Labels]>),
    Chunks(Arc<Chunks>),
    Times(Arc<Times>),
    Values(Arc<Values>),
    Postings(Arc<Postings>),
}

impl Part {
    fn bytes(&self) -> usize {
        /// The entry itself, its key, and the allocator's share.
        const ENTRY: usize = 96;
        ENTRY
            + match self {
                Self::Directory(d) => d.bytes(),
                Self::Labels(all) => all.iter().map(|l| l.as_key().len() + 40).sum(),
                Self::Chunks(c) => c.bytes(),
                Self::Times(t) => t.bytes(),
                Self::Values(v) => v.bytes(),
                Self::Postings(p) => p.bytes(),
            }
    }
}

/// Decoded parts of blocks. Shared by all blocks of a store.
pub struct Cache {
    budget: usize,
    /// Lookups are short; nothing is decoded under the lock.
    state: Mutex<Generations>,
    next: AtomicU64,
}

#[derive(Default)]
struct Generations {
    young: AHashMap<Key, Part>,
    old: AHashMap<Key, Part>,
    young_bytes: usize,
    old_bytes: usize,
}

impl Cache {
    /// A cache of at most so many bytes, one part more at times.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { budget: bytes, state: Mutex::default(), next: AtomicU64::new(0) })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.young_bytes + state.old_bytes
    }

    /// A number for a block, never given twice: files may be opened again under the same name.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: Key) -> Option<Part> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = state.young.get(&key) {
            return Some(part.clone());
        }
        let part = state.old.remove(&key)?;
        state.old_bytes = state.old_bytes.saturating_sub(part.bytes());
        state.put(key, part.clone(), self.budget);
        Some(part)
    }

    pub(super) fn put(&self, key: Key, part: Part) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.put(key, part, self.budget);
    }

    /// Forgets all parts of a block.
    pub(super) fn forget(&self, block: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old, young_bytes, old_bytes } = &mut *state;
        for (map, bytes) in [(young, young_bytes), (old, old_bytes)] {
            map.retain(|key, part| {
                if key.0 == block {
                    *bytes = bytes.saturating_sub(part.bytes());
                }
                key.0 != block
            });
        }
    }
}

impl Generations {
    fn put(&mut self, key: Key, part: Part, budget: usize) {
        self.young_bytes += part.bytes();
        if let Some(before) = self.young.insert(key, part) {
            self.young_bytes = self.young_bytes.saturating_sub(before.bytes());
        }
        if self.young_bytes > budget / 2 {
            self.old = std::mem::take(&mut self.young);
            self.old_bytes = std::mem::take(&mut self.young_bytes);
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("budget", &self.budget).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
