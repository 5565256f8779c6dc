//! An answer, made ready to be drawn.

use crate::base::labels::Labels;
use crate::tui::widgets::legend::{Stats, longest, names};
use crate::wire::query::{Ask, Reply, Value, When, series_name};

/// Series kept of one answer: more cannot be told apart, and each row costs memory on every refresh.
const SERIES: usize = 1_000;

/// Which series: the query's letter and the labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeriesKey {
    /// Place of the query.
    pub(crate) query: usize,
    /// Its labels. Untrusted.
    pub(crate) labels: Labels,
}

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Which.
    pub(crate) key: SeriesKey,
    /// Its name without what all series of the answer share.
    pub(crate) name: String,
    /// Its whole name.
    pub(crate) whole: String,
    /// Times in milliseconds, and values.
    pub(crate) points: Vec<(i64, f64)>,
    /// Its numbers.
    pub(crate) stats: Stats,
}

impl Line {
    /// The value at a time: the newest one that is at most a step older.
    pub(crate) fn value_at(&self, at: i64, step: i64) -> f64 {
        let i = self.points.partition_point(|(t, _)| *t <= at);
        let before = i.checked_sub(1).and_then(|i| self.points.get(i));
        before.filter(|(t, _)| at.saturating_sub(*t) < step).map_or(f64::NAN, |(_, v)| *v)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    /// The expression it answers.
    pub(crate) query: String,
    /// Time at the left edge, in milliseconds.
    pub(crate) from: i64,
    /// Time at the right edge.
    pub(crate) to: i64,
    /// Distance of the points.
    pub(crate) step: i64,
    /// Its series.
    pub(crate) lines: Vec<Line>,
    /// Columns of the longest name, and of the longest whole name.
    pub(crate) longest: (usize, usize),
    /// Series that were left out because there are too many.
    pub(crate) more: usize,
    /// Points of all series.
    pub(crate) points: usize,
    /// Remarks. Untrusted.
    pub(crate) notes: Vec<String>,
    /// Seconds that the server took.
    pub(crate) took: Option<f64>,
    /// Samples that it looked at.
    pub(crate) samples: Option<u64>,
    /// The resolution it read, when not that of the samples.
    pub(crate) resolution: Option<String>,
}

impl Ran {
    /// Of a reply to a range query in field `query`.
    pub(crate) fn of(query: usize, ask: &Ask, reply: Reply) -> Self {
        let (from, to, step) = match ask.when {
            When::Range { start, end, step } => {
                (start.millis(), end.millis(), i64::try_from(step.as_millis()).unwrap_or(i64::MAX))
            }
            When::At(at) => (at.unwrap_or_default().millis(), at.unwrap_or_default().millis(), 1),
        };
        let points = reply.data.value.points();
        let mut series: Vec<(Labels, Vec<(i64, f64)>)> = match reply.data.value {
            Value::Scalar(p) => vec![(Labels::default(), vec![(p.t, p.v)])],
            Value::String(text) => vec![(Labels::new([("text", text.text)]), Vec::new())],
            Value::Vector(samples) => samples.into_iter().map(|s| (s.metric, vec![(s.value.t, s.value.v)])).collect(),
            Value::Matrix(series) => {
                series.into_iter().map(|s| (s.metric, s.values.iter().map(|p| (p.t, p.v)).collect())).collect()
            }
        };
        let more = series.len().saturating_sub(SERIES);
        series.truncate(SERIES);
        let metrics: Vec<&Labels> = series.iter().map(|(metric, _)| metric).collect();
        let (_, own) = names(&metrics);
        let lines = own.into_iter().zip(series);
        let lines = lines.map(|(name, (labels, points))| {
            // A number has no labels; its expression is its name.
            let bare = labels.is_empty();
            let whole = if bare { ask.query.clone() } else { series_name(&labels) };
            let name = if bare { whole.clone() } else { name };
            Line { name, whole, stats: Stats::of(&points), points, key: SeriesKey { query, labels } }
        });
        let lines: Vec<Line> = lines.collect();
        let stats = reply.data.stats;
        Self {
            query: ask.query.clone(),
            from,
            to,
            step,
            longest: (longest(lines.iter().map(|l| l.name.as_str())), longest(lines.iter().map(|l| l.whole.as_str()))),
            lines,
            more,
            points,
            notes: reply.warnings.into_iter().chain(reply.infos).collect(),
            took: stats.as_ref().map(|s| s.timings.exec_total_time).filter(|t| t.is_finite() && *t >= 0.0),
            samples: stats.map(|s| s.samples.total_queryable_samples),
            resolution: reply.data.resolution.filter(|r| r != "raw"),
        }
    }
}
