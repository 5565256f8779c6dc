//! What metrics are: type, help and unit, as their sources told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::frame::{Input, put_bytes};
use crate::tsdb::small_file;

/// Kind and version of the file.
pub(crate) const MAGIC: [u8; 8] = *b"WDmetad\x01";
/// Most metrics that are described; further ones are not.
const MOST: usize = 100_000;
/// Longest name, help or unit in bytes; longer help is cut, longer others are not kept.
const LONGEST: usize = 1_024;

/// The file is written at most this often while the store is open: senders that contradict each other change
/// it for ever.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What a metric is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram` and so on, in Prometheus' words.
    pub kind: Box<str>,
    /// What it says.
    pub help: Box<str>,
    /// Its unit, or nothing.
    pub unit: Box<str>,
}

/// All metrics.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    metrics: BTreeMap<Box<str>, Metadata>,
    /// Whether the file lacks something.
    changed: bool,
    /// When the file was written.
    saved: Option<Instant>,
}

/// Where the file is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("metadata")
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

impl Catalogue {
    /// Reads the payload of the file; `None` if it is not one.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Input(payload);
        let mut metrics = BTreeMap::new();
        while !input.is_empty() {
            let name = input.text()?.into();
            let (kind, help, unit) = (input.text()?.into(), input.text()?.into(), input.text()?.into());
            metrics.insert(name, Metadata { kind, help, unit });
        }
        Some(Self { metrics, changed: false, saved: None })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, m) in &self.metrics {
            [&**name, &m.kind, &m.help, &m.unit].iter().for_each(|text| put_bytes(&mut out, text.as_bytes()));
        }
        out
    }

    fn set(&mut self, metric: &str, kind: &str, help: &str, unit: &str) {
        if [metric, kind, unit].iter().any(|text| text.len() > LONGEST) {
            return;
        }
        let help = cut(help);
        if let Some(known) = self.metrics.get_mut(metric) {
            if (&*known.kind, &*known.help, &*known.unit) != (kind, help, unit) {
                *known = Metadata { kind: kind.into(), help: help.into(), unit: unit.into() };
                self.changed = true;
            }
        } else if self.metrics.len() < MOST {
            let new = Metadata { kind: kind.into(), help: help.into(), unit: unit.into() };
            self.metrics.insert(metric.into(), new);
            self.changed = true;
        }
    }
}

impl Tsdb {
    /// Notes what a metric is; the newest word stands. It is on disk a minute later, if
    /// [`maintain`](Self::maintain) is called, and after [`close`](Self::close).
    pub fn set_metadata(&self, metric: &str, kind: &str, help: &str, unit: &str) {
        self.shared().metadata().set(metric, kind, help, unit);
    }

    /// What metrics are, by name: of one, or of all, at most `limit`. A hundred thousand take milliseconds.
    pub fn metadata(&self, metric: Option<&str>, limit: usize) -> Vec<(Box<str>, Metadata)> {
        let all = self.shared().metadata();
        match metric {
            Some(name) => {
                all.metrics.get_key_value(name).into_iter().take(limit).map(|(n, m)| (n.clone(), m.clone())).collect()
            }
            None => all.metrics.iter().take(limit).map(|(n, m)| (n.clone(), m.clone())).collect(),
        }
    }
}

impl Shared {
    /// Writes the file if something changed and it was not written just now.
    pub(crate) fn save_metadata(&self) -> io::Result<()> {
        // The lock ends with the statement.
        let recent = self.metadata().saved.is_some_and(|at| at.elapsed() < SAVE_EVERY);
        if recent { Ok(()) } else { self.save_metadata_now() }
    }

    /// Writes the file if something changed.
    pub(crate) fn save_metadata_now(&self) -> io::Result<()> {
        let mut all = self.metadata();
        if !all.changed {
            return Ok(());
        }
        let bytes = small_file::encode(MAGIC, &all.encode());
        all.changed = false;
        drop(all);
        let result = self.fs.replace(&path(&self.dir), &bytes);
        let mut all = self.metadata();
        match result {
            Ok(()) => all.saved = Some(Instant::now()),
            Err(_) => all.changed = true,
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_changes_nothing_known() {
        let mut all = Catalogue::default();
        all.set("a", "gauge", "help", "bytes");
        let long = "x".repeat(LONGEST + 1);
        all.set("a", &long, "help", "");
        all.set("a", "gauge", "help", &long);
        assert_eq!((&*all.metrics["a"].kind, &*all.metrics["a"].unit), ("gauge", "bytes"));
    }
}
