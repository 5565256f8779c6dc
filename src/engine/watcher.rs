//! Says when something below the configuration directory may have changed.
//!
//! It only ever nudges: what changed is found by loading. Directories are watched, not files, so
//! editors' renames, atomic symlink swaps and a directory that is removed and put back are seen. The
//! parent is watched only where the directory is itself a link, which can be swapped unseen: a busy
//! parent such as `/tmp` costs a wake-up for every write in it. Where the system cannot watch
//! (limits, network file systems) the caller's periodic reload is what is left.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Folders below the configuration directory that are watched with all they hold.
pub const FOLDERS: [&str; 3] = ["monitors.d", "rules.d", "templates.d"];

/// Watches one configuration directory.
pub struct Watcher {
    dir: PathBuf,
    inner: Option<RecommendedWatcher>,
    /// What is watched, with the identity it had: a directory put back has another inode.
    armed: BTreeMap<PathBuf, (u64, u64)>,
    complained: bool,
}

impl Watcher {
    /// Starts watching. `dir` must be absolute. The channel gets a unit when something may have changed.
    pub fn new(dir: &Path) -> (Self, mpsc::Receiver<()>) {
        // Full: a nudge is already waiting, another one adds nothing.
        let (nudge, nudges) = mpsc::channel(1);
        let root = dir.to_owned();
        let nudger = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |e| concerns(&e, &root)) {
                let _ = nudge.try_send(());
            }
        };
        // A link to `/` must not have the whole machine watched. Changes behind links are found by the
        // periodic reload; a link that is swapped is itself a change.
        let inner = RecommendedWatcher::new(nudger, notify::Config::default().with_follow_symlinks(false));
        let inner = inner
            .inspect_err(|e| tracing::warn!(error = %e, "file changes cannot be watched; looking every 30 s"))
            .ok();
        let mut watcher = Self { dir: dir.to_owned(), inner, armed: BTreeMap::new(), complained: false };
        watcher.arm();
        (watcher, nudges)
    }

    /// Watches what exists now. Call it after every load: directories come and go. Returns whether a
    /// directory is newly watched: what happened in it before may have gone unseen, so load again.
    pub fn arm(&mut self) -> bool {
        let Some(inner) = &mut self.inner else { return false };
        let mut fresh = false;
        let mut wanted: Vec<(PathBuf, RecursiveMode)> = vec![(self.dir.clone(), RecursiveMode::NonRecursive)];
        if self.dir.is_symlink() {
            wanted.extend(self.dir.parent().map(|p| (p.to_owned(), RecursiveMode::NonRecursive)));
        }
        wanted.extend(FOLDERS.iter().map(|f| (self.dir.join(f), RecursiveMode::Recursive)));
        for (path, mode) in wanted {
            let identity = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_dir).map(|m| (m.dev(), m.ino()));
            if self.armed.get(&path).copied() == identity {
                continue;
            }
            if self.armed.remove(&path).is_some() {
                // The old watch died with its directory; an error only says so.
                let _ = inner.unwatch(&path);
            }
            let Some(identity) = identity else { continue };
            match inner.watch(&path, mode) {
                Ok(()) => {
                    self.armed.insert(path, identity);
                    fresh = true;
                }
                Err(e) if !self.complained => {
                    self.complained = true;
                    tracing::warn!(error = %e, path = %path.display(), "cannot watch; looking every 30 s");
                }
                Err(_) => {}
            }
        }
        fresh
    }
}

/// Reading files raises events too; only writes, and only below (or of) the directory, count.
fn concerns(event: &notify::Event, root: &Path) -> bool {
    let written = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    written && (event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(|p| p.starts_with(root)))
}
