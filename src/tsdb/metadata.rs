//! What metrics are: type, help and unit, as their sources told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::tsdb::db::{Shared, Tsdb};
use crate::tsdb::frame::{Input, put_bytes};
use crate::tsdb::small_file;

/// Kind and version of the file.
pub(crate) const MAGIC: [u8; 8] = *b"WDmetad\x01";
/// Most metrics that are described; further ones are not.
const MOST: usize = 100_000;
/// Longest name, help or unit in bytes; longer help is cut, longer others are not kept.
const LONGEST: usize = 1_024;

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
        Some(Self { metrics, changed: false })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, m) in &self.metrics {
            [&**name, &m.kind, &m.help, &m.unit].iter().for_each(|text| put_bytes(&mut out, text.as_bytes()));
        }
        out
    }

    fn set(&mut self, metric: &str, kind: &str, help: &str, unit: &str) {
        let help = cut(help);
        if let Some(known) = self.metrics.get_mut(metric) {
            if (&*known.kind, &*known.help, &*known.unit) != (kind, help, unit) {
                *known = Metadata { kind: kind.into(), help: help.into(), unit: unit.into() };
                self.changed = true;
            }
        } else if self.metrics.len() < MOST && [metric, kind, unit].iter().all(|text| text.len() <= LONGEST) {
            let new = Metadata { kind: kind.into(), help: help.into(), unit: unit.into() };
            self.metrics.insert(metric.into(), new);
            self.changed = true;
        }
    }
}

impl Tsdb {
    /// Notes what a metric is; the newest word stands. It is on disk after the next [`maintain`](Self::maintain)
    /// or [`close`](Self::close).
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
    /// Writes the file if something changed.
    pub(crate) fn save_metadata(&self) -> io::Result<()> {
        let mut all = self.metadata();
        if !all.changed {
            return Ok(());
        }
        let bytes = small_file::encode(MAGIC, &all.encode());
        all.changed = false;
        drop(all);
        self.fs.replace(&path(&self.dir), &bytes).inspect_err(|_| self.metadata().changed = true)
    }
}
