//! The file operations that durability rests on, behind a trait so that tests can make the n-th of them fail.
//!
//! Reading is not here: whatever is read is checked by its checksums, so a failed read and a damaged file
//! are the same case.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A file that grows at its end.
pub trait Log: fmt::Debug + Send + Sync {
    /// Writes all of `bytes` at a position.
    ///
    /// # Errors
    /// Not all was written; what stands behind `at` is unknown.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// The length is unknown.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// The content since the last success may be lost, and calling again proves nothing: the kernel
    /// may have dropped the pages and cleared the error.
    fn sync(&self) -> io::Result<()>;
}

/// Room on a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What an unprivileged process may still write.
    pub free: u64,
    /// Size of the file system.
    pub total: u64,
}

impl Space {
    /// Below this much free space nothing new is taken in, so that what is there can still be compacted,
    /// and other programs keep running: 100 MB or 2 %, but never more than a sixteenth of a small disk.
    pub fn floor(self) -> u64 {
        (self.total / 50).max(100_000_000).min(self.total / 16)
    }

    /// What may be used before the floor is reached.
    pub fn above_floor(self) -> u64 {
        self.free.saturating_sub(self.floor())
    }
}

/// A file system.
pub trait Fs: fmt::Debug + Send + Sync {
    /// Creates a file, empty if it existed.
    ///
    /// # Errors
    /// As the operating system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Log>>;

    /// Opens an existing file for writing.
    ///
    /// # Errors
    /// As the operating system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Log>>;

    /// Renames, over a file of the new name.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a directory, and those above it.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Room on the file system that holds `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Whether nothing can be changed.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Replaces a small file by another content: after a crash there is the old one or the new one.
    ///
    /// # Errors
    /// The old content stands.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temp = path.with_extension("tmp");
        let file = self.create(&temp)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        drop(file);
        self.rename(&temp, path)?;
        path.parent().map_or(Ok(()), |dir| self.sync_dir(dir))
    }
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Log for File {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Fs for Disk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
        Ok(Arc::new(OpenOptions::new().write(true).create(true).truncate(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Log>> {
        Ok(Arc::new(OpenOptions::new().write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = nix::sys::statvfs::statvfs(path)?;
        // Widths of these differ between platforms.
        #[expect(clippy::useless_conversion, reason = "not useless where they are 32 bits wide")]
        let (unit, free, total) =
            (u64::from(stat.fragment_size()), u64::from(stat.blocks_available()), u64::from(stat.blocks()));
        Ok(Space { free: free.saturating_mul(unit), total: total.saturating_mul(unit) })
    }
}

/// A file system on which nothing can be changed, and pretends that it was: for looking at a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peek;

impl Log for Peek {
    fn write_at(&self, _bytes: &[u8], _at: u64) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Fs for Peek {
    fn create(&self, _path: &Path) -> io::Result<Arc<dyn Log>> {
        Ok(Arc::new(Self))
    }

    fn open(&self, _path: &Path) -> io::Result<Arc<dyn Log>> {
        Ok(Arc::new(Self))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_leaves_most_of_a_small_disk() {
        let floor = |total| Space { free: 0, total }.floor();
        assert_eq!(floor(64_000_000), 4_000_000);
        assert_eq!(floor(10_000_000_000), 200_000_000);
        assert_eq!(floor(2_000_000_000), 100_000_000);
    }

    #[test]
    fn a_replaced_file_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for content in [b"one".as_slice(), b"2"] {
            Disk.replace(&path, content).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
