//! Which blocks there are: the directory is the catalogue.
//!
//! A block that names others as replaced makes them superfluous the moment it exists, so that replacing
//! needs no second step; what a crash left behind of them goes at the next start. See `crate::tsdb::leftover`
//! for files that do not go.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use crate::promql::source::Resolution;
use crate::tsdb::block::{Block, Cache, OpenError};
use crate::tsdb::fs::Fs;

/// The blocks at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// In the order in which their samples were written.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// What is wrong with blocks that could not be opened, in words.
    pub(crate) lost: Vec<String>,
}

/// Where blocks are.
pub(crate) fn dir(store: &Path) -> PathBuf {
    store.join("blocks")
}

impl Catalog {
    /// Reads the directory, and removes from it what a crash left. Also gives the superfluous blocks whose files
    /// could not be removed.
    ///
    /// # Errors
    /// The directory cannot be read, or holds a block of a newer version.
    pub(crate) fn load(fs: &dyn Fs, store: &Path, cache: &Arc<Cache>) -> io::Result<(Self, Vec<Arc<Block>>)> {
        let mut catalog = Self::default();
        for entry in std::fs::read_dir(dir(store))? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("tmp") => fs.remove(&path)?,
                Some("block") => match Block::open(&path, cache) {
                    Ok(block) => catalog.blocks.push(Arc::new(block)),
                    Err(err @ OpenError::Version { .. }) => {
                        return Err(io::Error::new(io::ErrorKind::Unsupported, err));
                    }
                    Err(err @ OpenError::Read { .. }) => catalog.lose(&path, &err),
                    Err(err @ OpenError::Damaged { .. }) => {
                        catalog.lose(&path, &err);
                        if let Err(err) = set_aside(fs, store, &path) {
                            warn!(block = %path.display(), error = %err, "cannot move a damaged block to the quarantine");
                        }
                    }
                },
                _ => {}
            }
        }
        let replaced: HashSet<u64> = catalog.blocks.iter().flat_map(|b| b.meta().replaces.iter().copied()).collect();
        let (gone, kept) = catalog.blocks.into_iter().partition(|b| replaced.contains(&b.meta().id));
        catalog.blocks = kept;
        let mut gone: Vec<Arc<Block>> = gone;
        gone.retain(|block| {
            let removed = fs.remove(block.path());
            removed
                .inspect_err(|err| warn!(block = %block.path().display(), error = %err, "a superfluous block stays"))
                .is_err()
        });
        catalog.sort();
        Ok((catalog, gone))
    }

    fn lose(&mut self, path: &Path, err: &OpenError) {
        warn!(block = %path.display(), error = %err, "a block is not used");
        self.lost.push(err.to_string());
    }

    fn sort(&mut self) {
        self.blocks.sort_by_key(|b| (b.meta().sequence, b.meta().id));
    }

    /// This catalogue with a block more, and without those that it replaces.
    pub(crate) fn with(&self, block: Block) -> Self {
        let replaced = &block.meta().replaces;
        let kept = self.blocks.iter().filter(|b| !replaced.contains(&b.meta().id));
        let mut blocks: Vec<Arc<Block>> = kept.map(Arc::clone).collect();
        blocks.push(Arc::new(block));
        let mut catalog = Self { blocks, lost: self.lost.clone() };
        catalog.sort();
        catalog
    }

    /// This catalogue without some blocks.
    pub(crate) fn without(&self, ids: &[u64]) -> Self {
        let kept = self.blocks.iter().filter(|b| !ids.contains(&b.meta().id));
        Self { blocks: kept.map(Arc::clone).collect(), lost: self.lost.clone() }
    }

    /// The blocks of one resolution.
    pub(crate) fn of(&self, resolution: Resolution) -> impl Iterator<Item = &Arc<Block>> {
        self.blocks.iter().filter(move |b| b.meta().resolution == resolution)
    }

    /// From which time on no raw sample was removed, as far as the blocks tell: before the oldest of them
    /// there may be roll-ups of what is gone.
    pub(crate) fn raw_from(&self) -> i64 {
        let oldest = self.of(Resolution::Raw).map(|b| b.stats().min_time).min().unwrap_or(i64::MAX);
        let rolled = self.blocks.iter().filter(|b| b.meta().resolution != Resolution::Raw);
        let gone = rolled.map(|b| b.stats().max_time).filter(|t| *t < oldest).max();
        gone.map_or(i64::MIN, |t| t.saturating_add(1))
    }

    /// The last flush that a block holds: the samples of all up to it are in blocks, or were retired.
    pub(crate) fn flushed(&self) -> u64 {
        self.blocks.iter().map(|b| b.meta().sequence.1).max().unwrap_or(0)
    }

    /// The highest number of a block.
    pub(crate) fn last_id(&self) -> u64 {
        let named = |b: &Arc<Block>| b.meta().replaces.iter().chain(&b.meta().sources).copied().max();
        self.blocks.iter().map(|b| b.meta().id.max(named(b).unwrap_or(0))).max().unwrap_or(0)
    }
}

/// Keeps a file that is no block, out of the way.
///
/// # Errors
/// It is where it was.
pub(crate) fn set_aside(fs: &dyn Fs, store: &Path, path: &Path) -> io::Result<()> {
    let quarantine = store.join("quarantine");
    fs.create_dir(&quarantine)?;
    path.file_name().map_or(Ok(()), |name| fs.rename(path, &quarantine.join(name)))
}
