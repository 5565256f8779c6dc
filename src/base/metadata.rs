//! What senders and targets say of their metrics: type, help, unit.

/// The type of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

    /// How the names of its samples may end beyond the metric's own: `jobs` is a counter whose sample is `jobs_total`.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total", "_created"],
            Self::Histogram => &["_bucket", "_sum", "_count", "_created"],
            Self::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
            Self::Summary => &["_sum", "_count", "_created"],
            Self::Info => &["_info"],
            Self::Unknown | Self::Gauge | Self::StateSet => &[],
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_numbers_and_words() {
        for (n, (kind, word)) in KINDS.iter().enumerate() {
            assert_eq!((Kind::from_number(n as u64), Kind::from_word(word), kind.word()), (*kind, Some(*kind), *word));
        }
        assert_eq!(Kind::from_number(99), Kind::Unknown);
        assert_eq!(Kind::from_word("untyped"), Some(Kind::Unknown));
        assert_eq!(Kind::from_word("nonsense"), None);
    }
}
