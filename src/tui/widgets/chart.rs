//! The latency of one monitor as a line chart.
//!
//! Gaps in the data stay gaps; several points in one column show as the span between the smallest and
//! the largest, so a single spike is never lost.

use std::time::Duration;

use crate::base::outcome::Verdict;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::grid::Grid;
use crate::tui::widgets::text::{Line, width};
use crate::wire::api::HistoryPoint;
use crate::wire::board::{State, strip_cell};

/// Width of the labels of the y axis, the space after them included.
const AXIS: usize = 7;

/// Draws the durations in `points` (oldest first) as `rows` lines of `columns`, then one line of verdicts
/// and one of times on the same axis. Nothing for fewer than two points.
pub(crate) fn latency(points: &[HistoryPoint], columns: usize, rows: usize, fresh: bool, theme: &Theme) -> Vec<Line> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let cols = columns.saturating_sub(AXIS + 1);
    if points.len() < 2 || cols < 8 || rows < 2 {
        return Vec::new();
    }
    let span = last.at.since(first.at).max(Duration::from_millis(1));
    let top = nice(points.iter().map(|p| p.took).max().unwrap_or_default());
    let place = |p: &HistoryPoint| {
        let x = p.at.since(first.at).as_secs_f64() / span.as_secs_f64() * (cols * 2 - 1) as f64;
        let y = p.took.as_secs_f64() / top.as_secs_f64() * (rows * 4 - 1) as f64;
        // Clamped: a server whose clock jumped may send points that lie outside of first and last.
        ((x.round() as usize).min(cols * 2 - 1), (y.round() as usize).min(rows * 4 - 1))
    };
    let mut grid = Grid::new(cols, rows);
    let gap = gap_after(points);
    for pair in points.windows(2) {
        let (a, b) = (place(&pair[0]), place(&pair[1]));
        if pair[1].at.since(pair[0].at) > gap {
            grid.set(a.0, a.1, 0);
            grid.set(b.0, b.1, 0);
        } else {
            grid.line(a, b, 0, |_| true);
        }
    }
    let mut lines: Vec<Line> = (0..rows)
        .map(|row| {
            let label = match row {
                0 => Short(top).to_string(),
                r if r == rows - 1 => "0".to_owned(),
                r if rows >= 5 && r == rows / 2 => {
                    // The value at the middle of this row, not half of the top: rows are few.
                    let part = (rows * 4 - 1).saturating_sub(r * 4 + 2) as f64 / (rows * 4 - 1) as f64;
                    Short(top.mul_f64(part)).to_string()
                }
                _ => String::new(),
            };
            let role = if fresh { Role::Text } else { Role::Quiet };
            Line::new().num(Role::Dim, &label, AXIS - 1, theme).add(Role::Text, " ").add(role, grid.text(row, theme))
        })
        .collect();
    lines.push(verdicts(points, first.at, span, cols, fresh, theme));
    lines.push(times(first.at, last.at, cols));
    lines
}

/// The worst judgement per column, under the chart. A judgement holds until the next one, gaps apart.
fn verdicts(points: &[HistoryPoint], from: Timestamp, span: Duration, cols: usize, fresh: bool, theme: &Theme) -> Line {
    let place = |at: Timestamp| {
        let x = at.since(from).as_secs_f64() / span.as_secs_f64() * (cols - 1) as f64;
        (x.round() as usize).min(cols - 1)
    };
    let gap = gap_after(points);
    let mut worst: Vec<Option<State>> = vec![None; cols];
    for (i, point) in points.iter().enumerate() {
        let start = place(point.at);
        let next = points.get(i + 1).filter(|n| n.at.since(point.at) <= gap).map_or(start + 1, |n| place(n.at));
        let state = State::from(point.verdict);
        for cell in worst.iter_mut().take(next.max(start + 1)).skip(start) {
            // `State` is ordered worst first.
            *cell = Some(cell.map_or(state, |was| was.min(state)));
        }
    }
    let cells: String = worst.into_iter().map(strip_cell).collect();
    crate::tui::widgets::strip::strip(Line::new().pad(AXIS), &cells, cols, fresh, theme)
}

fn times(from: Timestamp, to: Timestamp, cols: usize) -> Line {
    let pattern = if to.since(from) < Duration::from_secs(600) { "%H:%M:%S" } else { "%H:%M" };
    let (left, mid, right) = (from.local(pattern), from.plus(to.since(from) / 2).local(pattern), to.local(pattern));
    let mut line = Line::new().pad(AXIS).add(Role::Dim, &left);
    let middle = AXIS + (cols - width(&mid).min(cols)) / 2;
    if cols > 40 {
        line = line.pad(middle).add(Role::Dim, &mid);
    }
    line.right(AXIS + cols + 1, Line::new().add(Role::Dim, &right))
}

/// The pause between two points that counts as a gap: three times the usual one.
fn gap_after(points: &[HistoryPoint]) -> Duration {
    let mut pauses: Vec<Duration> = points.windows(2).map(|w| w[1].at.since(w[0].at)).collect();
    let middle = pauses.len() / 2;
    let (_, median, _) = pauses.select_nth_unstable(middle);
    (*median * 3).max(Duration::from_millis(1))
}

/// The next 1-2-5 step, at least a millisecond.
fn nice(d: Duration) -> Duration {
    let secs = d.as_secs_f64().max(0.001);
    let scale = 10f64.powf(secs.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * scale >= secs * 0.999).unwrap_or(10.0);
    Duration::try_from_secs_f64(step * scale).unwrap_or(d)
}

/// Numbers beside the chart: newest, smallest, mean, largest duration.
pub(crate) fn summary(points: &[HistoryPoint], p95: Option<Duration>) -> String {
    let Some(last) = points.last() else {
        return String::new();
    };
    // In floating point: a sum of durations panics when it overflows, and these come from outside.
    let mean = points.iter().map(|p| p.took.as_secs_f64()).sum::<f64>() / points.len() as f64;
    let mean = Duration::try_from_secs_f64(mean).unwrap_or_default();
    let min = points.iter().map(|p| p.took).min().unwrap_or_default();
    let max = points.iter().map(|p| p.took).max().unwrap_or_default();
    let bad = points.iter().filter(|p| p.verdict != Verdict::Up).count();
    let p95 = p95.map_or_else(|| "-".to_owned(), |d| Short(d).to_string());
    format!(
        "now {}  min {}  avg {}  p95 {p95}  max {}  {bad} of {} not ok",
        Short(last.took),
        Short(min),
        Short(mean),
        Short(max),
        points.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(secs: i64, ms: u64) -> HistoryPoint {
        HistoryPoint { at: Timestamp::from_millis(secs * 1_000), verdict: Verdict::Up, took: Duration::from_millis(ms) }
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        #[track_caller]
        fn check(ms: u64, top: u64) {
            assert_eq!(nice(Duration::from_millis(ms)), Duration::from_millis(top), "{ms}");
        }
        check(0, 1);
        check(61, 100);
        check(120, 200);
        check(500, 500);
        check(9_988, 10_000);
    }

    #[test]
    fn a_single_spike_reaches_the_top_row() {
        let mut points: Vec<_> = (0..500).map(|i| point(i * 10, 50)).collect();
        points[250].took = Duration::from_secs(1);
        let lines = latency(&points, 60, 6, true, &Theme::plain());
        assert_eq!(lines.len(), 8);
        let mut grid = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 60, 8));
        lines[0].draw(&mut grid, &Theme::plain(), ratatui::layout::Rect::new(0, 0, 60, 8), 0);
        assert!(grid.content().iter().any(|c| c.symbol().chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c))));
    }

    #[test]
    fn any_size_and_any_data_draws() {
        let odd = [point(0, 0), point(0, 0), point(i64::MAX / 2_000, 5), point(3, u64::MAX)];
        for columns in 0..90 {
            for rows in 0..12 {
                latency(&odd, columns, rows, true, &Theme::plain());
                latency(&odd[..2], columns, rows, false, &Theme::plain());
            }
        }
    }
}
