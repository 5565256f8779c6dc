//! `${env:NAME}` and `${file:PATH}`: values that stand outside the configuration.
//!
//! A file may lie anywhere its path leads (a mounted secret seldom lies in the configuration
//! directory); it must be regular and small. No message holds a value.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::cx::Resolver;

/// Largest file that a reference may name.
const MAX_VALUE: u64 = 64 << 10;

/// Resolves from the process environment and the file system.
#[derive(Clone, Debug)]
pub struct FromSystem {
    dir: PathBuf,
}

impl FromSystem {
    /// Relative paths count from `dir`, the configuration directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn file(&self, name: &str) -> Result<String, String> {
        if name.is_empty() || name.contains('\0') {
            return Err("`${file:}` names no file".to_owned());
        }
        let fail = |e: std::io::Error| format!("file `{name}` cannot be read: {e}");
        // Opened without waiting, so that a FIFO cannot hold the load up.
        let flags = (nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.dir.join(name)).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if !meta.is_file() {
            return Err(format!("`{name}` is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_VALUE + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > MAX_VALUE {
            return Err(format!("file `{name}` is larger than {} KiB", MAX_VALUE >> 10));
        }
        let mut text = String::from_utf8(bytes).map_err(|_| format!("file `{name}` is not UTF-8"))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }
}

impl Resolver for FromSystem {
    fn resolve(&self, scheme: &str, name: &str) -> Result<String, String> {
        match scheme {
            "env" => match std::env::var(name) {
                Ok(value) => Ok(value),
                Err(std::env::VarError::NotPresent) => Err(format!("environment variable `{name}` is not set")),
                Err(std::env::VarError::NotUnicode(_)) => Err(format!("environment variable `{name}` is not UTF-8")),
            },
            "file" => self.file(name),
            "secret" => Err("`${secret:}` is not part of this version".to_owned()),
            other => Err(format!("`{other}` is not a kind of reference")),
        }
    }
}
