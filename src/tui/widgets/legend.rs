//! The table under a chart: which line is which, and its numbers.

use crate::tui::theme::{Role, Stroke, Theme};
use crate::tui::widgets::plot::number;
use crate::tui::widgets::text::{Line, width};

/// Columns of one number.
const NUMBER: usize = 9;
/// The numbers behind the newest value.
const TITLES: [&str; 4] = ["MIN", "AVG", "MAX", "P95"];

/// The numbers of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stats {
    /// The newest value.
    pub(crate) last: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The mean.
    pub(crate) avg: f64,
    /// The largest.
    pub(crate) max: f64,
    /// 95 % are not larger: PromQL's quantile.
    pub(crate) p95: f64,
}

impl Stats {
    /// Of these points, NaN left out where there is anything else.
    pub(crate) fn of(points: &[(i64, f64)]) -> Self {
        let last = points.last().map_or(f64::NAN, |(_, v)| *v);
        let mut values: Vec<f64> = points.iter().map(|(_, v)| *v).filter(|v| !v.is_nan()).collect();
        // `min` and `max` of floats ignore NaN.
        let (min, max) = values.iter().fold((f64::NAN, f64::NAN), |(min, max), v| (v.min(min), v.max(max)));
        let avg = if values.is_empty() { f64::NAN } else { values.iter().sum::<f64>() / values.len() as f64 };
        Self { last, min, avg, max, p95: quantile(&mut values, 0.95) }
    }
}

/// What the part `q` of the values is not larger than, between two of them in proportion. Leaves them in no order.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let rank = q * last as f64;
    let (_, low, above) = values.select_nth_unstable_by(rank as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    // Not `low + (high - low) * part`: that is none between infinities.
    if high == low { low } else { low * (1.0 - rank.fract()) + high * rank.fract() }
}

/// What a legend tells of one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Its sign; `None` while it is not drawn.
    pub(crate) stroke: Option<Stroke>,
    /// Its name. Untrusted.
    pub(crate) name: &'a str,
    /// Its numbers.
    pub(crate) stats: Stats,
    /// Whether the cursor is on it.
    pub(crate) picked: bool,
}

/// Columns of a table whose longest name is this: numbers stand beside the names, not at the far end of a wide
/// terminal.
pub(crate) fn fitting(columns: usize, longest: usize) -> usize {
    columns.min(longest.max(20) + 4 + (1 + TITLES.len()) * NUMBER + 2)
}

/// How the columns are divided: those of the name, and how many numbers follow.
fn widths(columns: usize) -> (usize, usize) {
    let numbers = match columns {
        0..24 => 0,
        24..44 => 1,
        44..60 => 2,
        60..70 => 4,
        _ => 1 + TITLES.len(),
    };
    (columns.saturating_sub(4 + numbers * NUMBER), numbers)
}

/// The titles; `last` is that of the first number.
pub(crate) fn head(columns: usize, last: &str, theme: &Theme) -> Line {
    let (name, numbers) = widths(columns);
    let line = Line::new().pad(4).col(Role::Dim, "SERIES", name, theme);
    let rest: &[&str] = if numbers == 2 { &["MAX"] } else { &TITLES };
    let titles = std::iter::once(&last).chain(rest);
    titles.take(numbers).fold(line, |line, title| line.num(Role::Dim, title, NUMBER, theme))
}

/// One line.
pub(crate) fn row(entry: &Entry<'_>, fresh: bool, columns: usize, theme: &Theme) -> Line {
    let (name, numbers) = widths(columns);
    let cursor = if entry.picked { theme.cursor() } else { " " };
    let (sign, role) = match entry.stroke {
        Some(stroke) if !fresh => (theme.swatch(stroke), Role::Quiet),
        Some(stroke) if entry.picked => (theme.swatch(stroke), Role::Picked(stroke)),
        Some(stroke) => (theme.swatch(stroke), Role::Series(stroke)),
        None => (' ', Role::Quiet),
    };
    let text = if fresh && entry.stroke.is_some() { Role::Text } else { Role::Quiet };
    let line = Line::new().add(Role::Strong, cursor).add(Role::Text, " ").add(role, sign.to_string()).add(text, " ");
    let line = line.col(text, entry.name, name, theme);
    let s = entry.stats;
    let values: &[f64] = if numbers == 2 { &[s.last, s.max] } else { &[s.last, s.min, s.avg, s.max, s.p95] };
    values.iter().take(numbers).fold(line, |line, v| line.num(text, &number(*v), NUMBER, theme))
}

/// The names of lines without what all of them share: `{instance="a"}`, not `up{instance="a", job="x"}`. What
/// is shared is the first part of the pair.
pub(crate) fn names(metrics: &[&crate::base::labels::Labels]) -> (String, Vec<String>) {
    use crate::base::labels::Labels;
    use crate::wire::query::series_name;
    let [first, rest @ ..] = metrics else { return (String::new(), Vec::new()) };
    if rest.is_empty() {
        return (series_name(first), vec![series_name(first)]);
    }
    let shared = Labels::new(first.iter().filter(|(name, value)| rest.iter().all(|m| m.get(name) == Some(value))));
    let own = |m: &Labels| series_name(&m.filtered(|name| shared.get(name).is_none()));
    (if shared.is_empty() { String::new() } else { series_name(&shared) }, metrics.iter().map(|m| own(m)).collect())
}

/// Columns that the longest of these names takes.
pub(crate) fn longest<'a>(names: impl IntoIterator<Item = &'a str>) -> usize {
    names.into_iter().map(width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::labels::Labels;

    #[test]
    fn numbers_of_a_line_leave_out_what_is_none() {
        let stats = Stats::of(&[(0, 1.0), (1, f64::NAN), (2, 4.0)]);
        assert_eq!(stats, Stats { last: 4.0, min: 1.0, avg: 2.5, max: 4.0, p95: 1.0 * (1.0 - 0.95) + 4.0 * 0.95 });
        assert!(Stats::of(&[]).avg.is_nan() && Stats::of(&[(0, f64::NAN)]).max.is_nan());
    }

    #[test]
    fn the_quantile_is_that_of_promql() {
        #[track_caller]
        fn check(values: &[f64], want: f64) {
            assert_eq!(quantile(&mut values.to_vec(), 0.95).to_bits(), want.to_bits(), "{values:?}");
        }
        check(&[7.0], 7.0);
        check(&[3.0, 1.0, 2.0, 5.0, 4.0], 4.8);
        check(&[f64::INFINITY, f64::INFINITY], f64::INFINITY);
        check(&[f64::NEG_INFINITY, 1.0], f64::NEG_INFINITY);
        let hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        check(&hundred, 95.0);
        assert!(quantile(&mut [], 0.95).is_nan());
    }

    #[test]
    fn names_leave_out_what_all_share() {
        let a = Labels::new([("__name__", "up"), ("job", "x"), ("instance", "a")]);
        let b = Labels::new([("__name__", "up"), ("job", "x"), ("instance", "b")]);
        let (shared, own) = names(&[&a, &b]);
        assert_eq!(shared, r#"up{job="x"}"#);
        assert_eq!(own, [r#"{instance="a"}"#, r#"{instance="b"}"#]);
        assert_eq!(names(&[&a]).1, [r#"up{instance="a", job="x"}"#]);
        assert_eq!(names(&[]).1, [""; 0]);
    }

    #[test]
    fn a_row_is_as_wide_as_asked() {
        let stats = Stats::of(&[(0, 0.1234)]);
        let entry =
            Entry {
                stroke: Some(Stroke::Dotted), name: "{x=\"店店店店店店店店店店店店\"}", stats, picked: true
            };
        for columns in [30, 50, 60, 70, 80] {
            assert_eq!(row(&entry, true, columns, &Theme::plain()).width(), columns);
            assert_eq!(head(columns, "LAST", &Theme::plain()).width(), columns);
        }
    }
}
