//! Finds and reads the files of a configuration directory, and nothing outside it.
//!
//! Every path is resolved beneath the directory's own descriptor: symbolic links are followed while
//! they stay beneath it (so Kubernetes' `..data` works) and refused otherwise, also when they
//! change while we look. Only regular files are read; nothing here waits for a FIFO or opens a
//! device. Names that editors use while saving are passed over, as are hidden files.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::config::report::{Code, whole_file};
use crate::wire::api::{Level, Problem};

/// The main file.
pub const MAIN_FILE: &str = "watchdog.yaml";
/// Largest file: 4 MiB hold some 20,000 monitors.
pub const MAX_FILE: u64 = 4 << 20;
/// Largest sum of all files.
pub const MAX_TREE: u64 = 64 << 20;
/// Most files.
pub const MAX_FILES: usize = 20_000;
/// Most directory entries looked at: hidden and foreign files count here.
const MAX_ENTRIES: usize = 200_000;
/// Deepest nesting of directories, counted from the configuration directory.
const MAX_DEPTH: usize = 16;

/// Which part of the configuration a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `watchdog.yaml`.
    Main,
    /// `monitors.d`.
    Monitors,
    /// `rules.d`.
    Rules,
    /// `templates.d`.
    Templates,
}

/// The identity of a file's content on disk: a change of the content changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: i64,
    modified: (i64, i64),
    /// Cannot be set back by programs that restore the time of modification.
    changed: (i64, i64),
}

impl Stamp {
    fn of(stat: &FileStat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            length: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Time of the last change in milliseconds since 1970.
    pub fn changed_ms(&self) -> i64 {
        self.changed.0.saturating_mul(1_000).saturating_add(self.changed.1 / 1_000_000)
    }
}

/// A file that exists and may be read.
#[derive(Clone, Debug)]
pub struct Found {
    /// Path relative to the configuration directory.
    pub path: String,
    /// Where it belongs.
    pub part: Part,
    /// What it was when it was found.
    pub stamp: Stamp,
}

/// The files of a directory.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    base: PathBuf,
    /// In order of path.
    pub files: Vec<Found>,
    /// What was refused.
    pub problems: Vec<Problem>,
    /// Files and directories that exist but were not looked into: what was below them is unknown, not gone.
    pub unseen: Vec<String>,
    entries: usize,
    bytes: u64,
    full: bool,
}

/// Lists the configuration files of `dir`, which may be a symbolic link itself.
///
/// # Errors
/// `dir` is not a directory that can be opened.
pub fn scan(dir: &Path) -> io::Result<Tree> {
    let root = File::open(dir)?;
    if !root.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    let base = std::fs::canonicalize(dir)?;
    let mut tree = Tree {
        root: root.into(),
        base,
        files: Vec::new(),
        problems: Vec::new(),
        unseen: Vec::new(),
        entries: 0,
        bytes: 0,
        full: false,
    };
    tree.add_path(MAIN_FILE, Part::Main, &mut Vec::new());
    for (name, part) in [("monitors.d", Part::Monitors), ("rules.d", Part::Rules), ("templates.d", Part::Templates)] {
        tree.add_folder(name, part);
    }
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

impl Tree {
    /// Whether a file that was there before and is not listed now may still exist.
    pub fn may_hold(&self, path: &str) -> bool {
        self.full
            || self
                .unseen
                .iter()
                .any(|u| path.strip_prefix(u.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Reads a file. The stamp is that of the content returned, which may be newer than the one found.
    ///
    /// `None` when it is gone by now.
    ///
    /// # Errors
    /// The problem to report: the file cannot be read, or is not what it may be.
    pub fn read(&self, path: &str) -> Result<Option<(Stamp, String)>, Box<Problem>> {
        let refuse = |code, message: String, hint: &str| Box::new(whole_file(Level::Error, path, code, message, hint));
        let failed =
            |e: &io::Error| refuse(Code::BadFile, format!("cannot be read: {e}"), "make it readable for Watchdog");
        let fd = match self.open(path, OFlag::O_RDONLY) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(e) => {
                let (message, hint) = why_unopened(e);
                return Err(refuse(Code::BadFile, message, hint));
            }
        };
        let stat = fstat(fd.as_fd()).map_err(|e| failed(&e.into()))?;
        if kind(&stat) != SFlag::S_IFREG {
            return Err(refuse(Code::BadFile, "is not a regular file".to_owned(), "put a regular file here"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0).min(MAX_FILE as usize + 1));
        // The file may grow while it is read: one byte more than allowed tells.
        File::from(fd).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(Box::new(too_large(path)));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            let message = format!("is not UTF-8: byte {} is not part of a character", at + 1);
            refuse(Code::BadFile, message, "save the file as UTF-8")
        })?;
        Ok(Some((Stamp::of(&stat), text)))
    }

    fn add_folder(&mut self, name: &str, part: Part) {
        match self.open(name, OFlag::O_PATH).and_then(|fd| fstat(fd.as_fd())) {
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => self.add_directory(name, part, &mut Vec::new()),
            Ok(_) => {
                self.unseen.push(name.to_owned());
                self.refuse(
                    name,
                    Code::BadFile,
                    "is not a directory",
                    format!("make `{name}` a directory of YAML files"),
                );
            }
            Err(e) => self.refuse_errno(name, e),
        }
    }

    /// Takes in what stands at `path`, following links beneath the root. `above` holds the
    /// identities of the directories on the way down, by which loops are seen.
    fn add_path(&mut self, path: &str, part: Part, above: &mut Vec<(u64, u64)>) {
        match self.open(path, OFlag::O_PATH).and_then(|fd| fstat(fd.as_fd())) {
            Err(e) => self.refuse_errno(path, e),
            Ok(stat) => self.add_stat(path, part, above, &stat),
        }
    }

    fn add_stat(&mut self, path: &str, part: Part, above: &mut Vec<(u64, u64)>, stat: &FileStat) {
        match kind(stat) {
            SFlag::S_IFDIR if part == Part::Main => {
                self.refuse(path, Code::BadFile, "is a directory", "put the main file here, or nothing");
            }
            SFlag::S_IFDIR => self.add_directory(path, part, above),
            SFlag::S_IFREG if part == Part::Main || is_yaml(path) => self.add_file(path, part, stat),
            SFlag::S_IFREG => {}
            _ if part == Part::Main || is_yaml(path) => {
                self.refuse(path, Code::BadFile, "is not a regular file", "put a regular file here, or take it away");
            }
            _ => {}
        }
    }

    fn add_file(&mut self, path: &str, part: Part, stat: &FileStat) {
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        if length > MAX_FILE {
            self.unseen.push(path.to_owned());
            self.problems.push(too_large(path));
            return;
        }
        if self.files.len() >= MAX_FILES {
            return self.give_up(
                path,
                format!("is beyond the limit of {MAX_FILES} files"),
                "put several monitors into one file",
            );
        }
        if self.bytes + length > MAX_TREE {
            return self.give_up(
                path,
                format!("is beyond the limit of {} MiB for all files", MAX_TREE >> 20),
                "remove files",
            );
        }
        self.bytes += length;
        if part == Part::Main && stat.st_mode & 0o022 != 0 {
            let message = format!("can be changed by others than its owner (mode {:03o})", stat.st_mode & 0o777);
            let hint = format!("run `chmod go-w {path}`");
            self.problems.push(whole_file(Level::Warning, path, Code::Suspicious, message, hint));
        }
        self.files.push(Found { path: path.to_owned(), part, stamp: Stamp::of(stat) });
    }

    fn add_directory(&mut self, path: &str, part: Part, above: &mut Vec<(u64, u64)>) {
        if path.split('/').count() > MAX_DEPTH {
            let message = format!("is nested deeper than {MAX_DEPTH} directories");
            return self.refuse(path, Code::TooLarge, message, "move its files up");
        }
        let opened = self.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).and_then(|fd| {
            let stat = fstat(fd.as_fd())?;
            Ok(((stat.st_dev, stat.st_ino), Dir::from_fd(fd)?))
        });
        let (identity, mut listing) = match opened {
            Ok(opened) => opened,
            Err(e) => return self.refuse_errno(path, e),
        };
        if above.contains(&identity) {
            let hint = "remove the link; every directory is read where it stands";
            return self.refuse(path, Code::BadFile, "is a link to a directory above it", hint);
        }
        let mut names = Vec::new();
        for entry in listing.iter() {
            let Ok(entry) = entry else {
                self.unseen.push(path.to_owned());
                break;
            };
            if is_passed_over(entry.file_name()) {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let message = format!("is beyond the limit of {MAX_ENTRIES} directory entries");
                return self.give_up(path, message, "keep other files elsewhere");
            }
            let is_directory_or_link = !matches!(entry.file_type(), Some(Type::File));
            match entry.file_name().to_str() {
                Ok(name) if is_directory_or_link || is_yaml(name) => names.push((name.to_owned(), entry.file_type())),
                Ok(_) => {}
                Err(_) => {
                    let shown = format!("{path}/{}", entry.file_name().to_string_lossy());
                    self.refuse(&shown, Code::BadFile, "has a name that is not UTF-8", "rename it");
                }
            }
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        above.push(identity);
        for (name, kind) in names {
            if self.full {
                break;
            }
            let child = format!("{path}/{name}");
            match kind {
                // One system call less for the common case; a link put in its place is seen when it is read.
                Some(Type::File) => match fstatat(listing.as_fd(), name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Ok(stat) if kind_is_link(&stat) => self.add_path(&child, part, above),
                    Ok(stat) => self.add_stat(&child, part, above, &stat),
                    Err(e) => self.refuse_errno(&child, e),
                },
                _ => self.add_path(&child, part, above),
            }
        }
        above.pop();
    }

    fn open(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        // O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let flags = if flags.contains(OFlag::O_PATH) { OFlag::O_PATH | OFlag::O_CLOEXEC } else { flags };
        let how =
            OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match openat2(self.root.as_fd(), path, how) {
            // EXDEV: an absolute link, which may lead to a place beneath us all the same.
            // The others: a kernel or a sandbox without openat2, or a rename in between.
            Err(Errno::EXDEV | Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::EAGAIN) => {
                self.open_resolved(path, flags)
            }
            other => other,
        }
    }

    /// Resolves the links first, then walks down without following any: whoever puts a link in
    /// place meanwhile gets an error.
    fn open_resolved(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let errno = |e: io::Error| e.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        let real = std::fs::canonicalize(self.base.join(path)).map_err(errno)?;
        let beneath = real.strip_prefix(&self.base).map_err(|_| Errno::EXDEV)?;
        let steps: Vec<_> = beneath.components().collect();
        let mut at: Option<OwnedFd> = None;
        for (i, step) in steps.iter().enumerate() {
            let Component::Normal(name) = step else { return Err(Errno::EXDEV) };
            let from: BorrowedFd<'_> = at.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let way = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let how = if i + 1 == steps.len() { flags } else { way };
            at = Some(openat(from, *name, how | OFlag::O_NOFOLLOW, Mode::empty())?);
        }
        at.ok_or(Errno::EXDEV)
    }

    fn give_up(&mut self, path: &str, message: String, hint: &str) {
        if !self.full {
            self.full = true;
            self.refuse(path, Code::TooLarge, message, hint);
        }
    }

    /// What cannot be opened: gone since it was listed, or there and refused.
    fn refuse_errno(&mut self, path: &str, errno: Errno) {
        let gone = errno == Errno::ENOENT && fstatat(self.root.as_fd(), path, AtFlags::AT_SYMLINK_NOFOLLOW).is_err();
        if !gone {
            let (message, hint) = why_unopened(errno);
            self.refuse(path, Code::BadFile, message, hint);
        }
    }

    fn refuse(&mut self, path: &str, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.unseen.push(path.to_owned());
        self.problems.push(whole_file(Level::Error, path, code, message, hint));
    }
}

fn why_unopened(errno: Errno) -> (String, &'static str) {
    match errno {
        Errno::EXDEV => (
            "is a link that leads out of the configuration directory; it was not read".to_owned(),
            "put the file itself here, or link to one inside the configuration directory",
        ),
        Errno::ELOOP => ("is a link that leads in a circle".to_owned(), "remove the link"),
        Errno::ENOENT => {
            ("is a link to something that does not exist".to_owned(), "remove the link or restore its target")
        }
        other => (format!("cannot be read: {}", io::Error::from(other)), "make it readable for Watchdog"),
    }
}

fn too_large(path: &str) -> Problem {
    let message = format!("is larger than {} MiB", MAX_FILE >> 20);
    whole_file(Level::Error, path, Code::TooLarge, message, "split it into several files")
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn kind_is_link(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFLNK
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Names that are never ours: hidden ones (`..data`, `.#lock`, `.file.swp`) and those that editors
/// use while they save (`file~`, `#file#`, `4913`, `file.tmp`).
fn is_passed_over(name: &CStr) -> bool {
    let name = name.to_bytes();
    name.starts_with(b".")
        || name.ends_with(b"~")
        || (name.starts_with(b"#") && name.ends_with(b"#"))
        || name.ends_with(b".swp")
        || name.ends_with(b".tmp")
        || name == b"4913"
}
