//! One server per data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("data directory `{dir}` is in use by process {holder}", dir = dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// What the holder wrote: its process id.
        holder: String,
    },
    /// The system refused.
    #[error("cannot use data directory `{dir}`", dir = dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
}

/// A data directory held for the life of this value. The kernel releases it with the process, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory (mode 0700) if need be and takes its lock.
    ///
    /// # Errors
    /// Another process holds it, or the system refuses.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let io = |err| LockError::Io { dir: path.to_owned(), err };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let file = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(file)
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder may be between taking the lock and writing its id; the message is for a person.
                let _ = lock.take(32).read_to_string(&mut holder);
                return Err(LockError::InUse { dir: path.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(err)) => return Err(io(err)),
        }
        // The id is only for the message above: a full disk must not keep the server from starting.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = DataDir::take(&path).unwrap();
        let Err(LockError::InUse { holder, .. }) = DataDir::take(&path) else { panic!("taken twice") };
        assert_eq!(holder, std::process::id().to_string());
        drop(first);
        DataDir::take(&path).unwrap();
    }
}
