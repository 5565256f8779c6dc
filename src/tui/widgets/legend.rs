//! The table under a chart: which line is which, and its numbers.

use crate::tui::theme::{Role, Stroke, Theme};
use crate::tui::widgets::plot::number;
use crate::tui::widgets::text::{Line, width};

/// Columns of one number.
const NUMBER: usize = 9;

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
}

impl Stats {
    /// Of these points, NaN left out where there is anything else.
    pub(crate) fn of(points: &[(i64, f64)]) -> Self {
        let (mut min, mut max, mut sum, mut n) = (f64::NAN, f64::NAN, 0.0, 0_u32);
        for (_, v) in points.iter().filter(|(_, v)| !v.is_nan()) {
            // `min` and `max` of floats ignore NaN.
            (min, max, sum, n) = (min.min(*v), max.max(*v), sum + v, n.saturating_add(1));
        }
        let last = points.last().map_or(f64::NAN, |(_, v)| *v);
        Self { last, min, avg: if n > 0 { sum / f64::from(n) } else { f64::NAN }, max }
    }
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
    columns.min(longest.max(20) + 4 + 4 * NUMBER + 2)
}

/// How the columns are divided: those of the name, and how many numbers follow.
fn widths(columns: usize) -> (usize, usize) {
    let numbers = match columns {
        0..24 => 0,
        24..44 => 1,
        44..60 => 2,
        _ => 4,
    };
    (columns.saturating_sub(4 + numbers * NUMBER), numbers)
}

/// The titles; `last` is that of the first number.
pub(crate) fn head(columns: usize, last: &str, theme: &Theme) -> Line {
    let (name, numbers) = widths(columns);
    let line = Line::new().pad(4).col(Role::Dim, "SERIES", name, theme);
    let titles: &[&str] = if numbers == 2 { &[last, "MAX"] } else { &[last, "MIN", "AVG", "MAX"] };
    titles.iter().take(numbers).fold(line, |line, title| line.num(Role::Dim, title, NUMBER, theme))
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
    let values: &[f64] = if numbers == 2 { &[s.last, s.max] } else { &[s.last, s.min, s.avg, s.max] };
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
        assert_eq!(stats, Stats { last: 4.0, min: 1.0, avg: 2.5, max: 4.0 });
        assert!(Stats::of(&[]).avg.is_nan() && Stats::of(&[(0, f64::NAN)]).max.is_nan());
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
        for columns in [30, 50, 60, 80] {
            assert_eq!(row(&entry, true, columns, &Theme::plain()).width(), columns);
            assert_eq!(head(columns, "LAST", &Theme::plain()).width(), columns);
        }
    }
}
