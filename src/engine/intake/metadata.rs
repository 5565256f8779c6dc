//! What senders say of their metrics: type, help, unit. Kept in memory, bounded.

use std::collections::BTreeMap;

/// Most metrics that are described; further ones are forgotten.
const MAX_METRICS: usize = 50_000;
/// Longest help or unit, in bytes; the rest is cut.
const MAX_TEXT: usize = 1_024;

/// The type of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is OpenMetrics' own word")]
pub enum Kind {
    #[default]
    Unknown,
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Info,
    StateSet,
}

/// All kinds, in the order of remote write's numbers.
const KINDS: [(Kind, &str); 8] = [
    (Kind::Unknown, "unknown"),
    (Kind::Counter, "counter"),
    (Kind::Gauge, "gauge"),
    (Kind::Histogram, "histogram"),
    (Kind::GaugeHistogram, "gaugehistogram"),
    (Kind::Summary, "summary"),
    (Kind::Info, "info"),
    (Kind::StateSet, "stateset"),
];

impl Kind {
    /// From the number in `MetricMetadata.MetricType`, of both versions of remote write.
    pub fn from_number(n: u64) -> Self {
        usize::try_from(n).ok().and_then(|n| KINDS.get(n)).map_or(Self::Unknown, |(kind, _)| *kind)
    }

    /// From the word in a `# TYPE` line; `untyped` is the older format's word for unknown.
    pub fn from_word(word: &str) -> Option<Self> {
        let found = KINDS.iter().find(|(_, w)| *w == word).map(|(kind, _)| *kind);
        found.or_else(|| (word == "untyped").then_some(Self::Unknown))
    }

    /// The word.
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("unknown", |(_, word)| word)
    }
}

/// What is said of one metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its type.
    pub kind: Kind,
    /// What it means.
    pub help: String,
    /// Its unit.
    pub unit: String,
}

/// Descriptions by metric.
#[derive(Debug, Default)]
pub struct Metadata {
    by_metric: BTreeMap<String, Meta>,
}

impl Metadata {
    /// Takes a description; what it does not say stays as it was.
    pub fn set(&mut self, metric: &str, mut meta: Meta) {
        for text in [&mut meta.help, &mut meta.unit] {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
        let full = self.by_metric.len() >= MAX_METRICS;
        match self.by_metric.get_mut(metric) {
            Some(known) => {
                if meta.kind != Kind::Unknown {
                    known.kind = meta.kind;
                }
                if !meta.help.is_empty() {
                    known.help = meta.help;
                }
                if !meta.unit.is_empty() {
                    known.unit = meta.unit;
                }
            }
            None if !full && metric.len() <= MAX_TEXT => {
                self.by_metric.insert(metric.to_owned(), meta);
            }
            None => {}
        }
    }

    /// At most `limit` descriptions, of one metric or of all, in order of name.
    pub fn list(&self, metric: Option<&str>, limit: usize) -> Vec<(String, Meta)> {
        match metric {
            Some(name) => self.by_metric.get(name).map(|m| (name.to_owned(), m.clone())).into_iter().collect(),
            None => self.by_metric.iter().take(limit).map(|(k, m)| (k.clone(), m.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_completes_what_is_known() {
        let mut all = Metadata::default();
        all.set("a", Meta { kind: Kind::Counter, help: String::new(), unit: "bytes".to_owned() });
        all.set("a", Meta { kind: Kind::Unknown, help: "ü".repeat(2_000), unit: String::new() });
        let list = all.list(None, 10);
        assert_eq!(list.len(), 1);
        let (_, meta) = &list[0];
        assert_eq!((meta.kind.word(), meta.unit.as_str(), meta.help.len()), ("counter", "bytes", MAX_TEXT));
        assert!(all.list(Some("b"), 10).is_empty());
    }

    #[test]
    fn kinds_have_their_numbers_and_words() {
        for (n, (kind, word)) in KINDS.iter().enumerate() {
            assert_eq!((Kind::from_number(n as u64), Kind::from_word(word)), (*kind, Some(*kind)));
        }
        assert_eq!(Kind::from_number(99), Kind::Unknown);
        assert_eq!(Kind::from_word("nonsense"), None);
    }
}
