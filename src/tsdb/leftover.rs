//! Files of blocks that are superfluous and could not be removed.
//!
//! Such a file would be a block again at the next start, with samples that were deleted since. So upkeep
//! tries again and again; every block that is written meanwhile names it among those that it replaces; and
//! tombstones that hide samples of it stay, for when those blocks are retired first.

use std::io;
use std::sync::Arc;

use crate::tsdb::block::Block;
use crate::tsdb::catalog;
use crate::tsdb::db::Shared;
use crate::tsdb::maintain::Upkeep;

/// With more than this many files that cannot be removed no more are made.
const MANY: usize = 256;

/// What is to become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All that is in it is elsewhere, or too old.
    Removed,
    /// Parts of it could not be read: it is kept aside for a person.
    SetAside,
}

/// Blocks that are in no catalogue any more, and whose files may still be there.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Vec<(Arc<Block>, Fate)>);

impl Leftovers {
    pub(crate) fn new(blocks: Vec<Arc<Block>>) -> Self {
        Self(blocks.into_iter().map(|block| (block, Fate::Removed)).collect())
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.0.iter().map(|(block, _)| block)
    }

    /// Whether merging has to wait: it would only make more of them, and the list of what a block replaces has bounds.
    pub(crate) const fn are_many(&self) -> bool {
        self.0.len() > MANY
    }

    /// Their numbers, for the next block.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.blocks().map(|b| b.meta().id).collect()
    }
}

impl Shared {
    /// Removes the files of blocks that are superfluous. What cannot be removed now is tried again by
    /// [`remove_leftovers`](Self::remove_leftovers), which tells of it.
    pub(crate) fn discard(&self, upkeep: &mut Upkeep, blocks: impl IntoIterator<Item = Arc<Block>>, fate: Fate) {
        upkeep.leftovers.0.extend(blocks.into_iter().map(|block| (block, fate)));
        let _ = self.remove_leftovers(upkeep);
    }

    /// Removes the files that are left over.
    pub(crate) fn remove_leftovers(&self, upkeep: &mut Upkeep) -> io::Result<()> {
        let all = std::mem::take(&mut upkeep.leftovers.0);
        if all.is_empty() {
            return Ok(());
        }
        let mut failed = Ok(());
        let mut left = Vec::new();
        for (block, fate) in &all {
            let done = match fate {
                Fate::Removed => self.fs.remove(block.path()),
                Fate::SetAside => catalog::set_aside(&*self.fs, &self.dir, block.path()),
            };
            match done {
                Err(err) if err.kind() != io::ErrorKind::NotFound => {
                    left.push((Arc::clone(block), *fate));
                    let what = format!("the superfluous block `{}` cannot be removed: {err}", block.path().display());
                    failed = failed.and(Err(io::Error::new(err.kind(), what)));
                }
                _ => {}
            }
        }
        // A name that comes back after a crash is a file that was not removed.
        let synced = self.fs.sync_dir(&catalog::dir(&self.dir));
        upkeep.leftovers.0 = if synced.is_ok() { left } else { all };
        failed.and(synced)
    }
}
