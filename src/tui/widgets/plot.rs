//! A chart of several lines over time, with axes at round numbers and round times.
//!
//! Gaps in the data stay gaps. Several points in one column show as the span between the smallest and the
//! largest, so a single spike is never lost. What is no finite number is not drawn.

use crate::base::time::Timestamp;
use crate::tui::theme::{Role, Stroke, Theme};
use crate::tui::widgets::grid::Grid;
use crate::tui::widgets::text::{Line, width};

/// Columns between two labels of the time axis, at least.
const TIME_ROOM: usize = 16;
/// Rows between two labels of the value axis, about.
const VALUE_ROOM: usize = 4;

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'a> {
    /// Times in milliseconds, and values.
    pub(crate) points: &'a [(i64, f64)],
    /// How it looks.
    pub(crate) stroke: Stroke,
    /// Whether the cursor is on it: drawn over the others.
    pub(crate) picked: bool,
}

/// What the value axis shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From zero, unless the lines would lie flat far above it.
    #[default]
    Auto,
    /// From the smallest to the largest.
    Fit,
    /// By powers of ten; what is not positive is not drawn.
    Log,
}

impl Scale {
    /// The next one.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Auto => Self::Fit,
            Self::Fit => Self::Log,
            Self::Log => Self::Auto,
        }
    }

    /// For the person.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fit => "fit",
            Self::Log => "log",
        }
    }
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Plot<'a> {
    /// The lines; later ones lie over earlier ones.
    pub(crate) curves: Vec<Curve<'a>>,
    /// Time at the left edge, in milliseconds.
    pub(crate) from: i64,
    /// Time at the right edge.
    pub(crate) to: i64,
    /// Points further apart than this are not joined.
    pub(crate) gap: i64,
    /// The value axis.
    pub(crate) scale: Scale,
    /// A time to mark.
    pub(crate) cursor: Option<i64>,
    /// Whether this is the present.
    pub(crate) fresh: bool,
}

/// The value axis: what the bottom and the top stand for, and where labels are.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Plot<'_> {
    /// The chart as `rows` lines of `columns`, the last one for times. Nothing when there is no room.
    pub(crate) fn lines(&self, columns: usize, rows: usize, theme: &Theme) -> Vec<Line> {
        let Some(height) = rows.checked_sub(1).filter(|h| *h >= 2) else { return Vec::new() };
        let axis = self.axis(height);
        let label = axis.ticks.iter().map(|(_, text)| width(text)).max().unwrap_or(0).clamp(3, 9);
        let Some(cols) = columns.checked_sub(label + 2).filter(|c| *c >= 8) else { return Vec::new() };
        let mut grid = Grid::new(cols, height);
        let mut order: Vec<(usize, &Curve<'_>)> = self.curves.iter().enumerate().collect();
        order.sort_by_key(|(_, c)| (c.picked, c.stroke != Stroke::Rest));
        for (owner, curve) in order {
            // Owners beyond 255 share the last one's colour, that of the rest.
            self.draw(&mut grid, &axis, curve, u8::try_from(owner).unwrap_or(u8::MAX), theme);
        }
        let mark = self.cursor.map(|at| self.x(at, cols * 2) / 2);
        let mut labels = vec![None; height];
        for (value, text) in &axis.ticks {
            let row = height - 1 - (axis.y(*value, grid.height()) / 4).min(height - 1);
            labels[row] = Some(text);
        }
        let mut lines: Vec<Line> = (0..height)
            .map(|row| {
                let text = labels[row].map_or("", String::as_str);
                let line = Line::new().num(Role::Dim, text, label, theme).add(Role::Dim, " ");
                self.row(line, &grid, row, mark, theme)
            })
            .collect();
        lines.push(self.times(label + 1, cols));
        lines
    }

    /// How many columns of `columns` are time, for choosing a step.
    pub(crate) fn room(columns: usize) -> usize {
        columns.saturating_sub(8).max(8)
    }

    /// The time under a column of the last `lines` call of the same size, for the inspection cursor.
    pub(crate) fn x(&self, at: i64, dots: usize) -> usize {
        let span = (self.to.saturating_sub(self.from)).max(1) as f64;
        let part = (at.saturating_sub(self.from)) as f64 / span;
        (part.clamp(0.0, 1.0) * (dots.saturating_sub(1)) as f64).round() as usize
    }

    fn axis(&self, rows: usize) -> Axis {
        let wanted = |v: &f64| v.is_finite() && (self.scale != Scale::Log || *v > 0.0);
        let values = || self.curves.iter().flat_map(|c| c.points).filter(|(t, _)| (self.from..=self.to).contains(t));
        let (low, high) = values()
            .map(|(_, v)| *v)
            .filter(wanted)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return Axis { low: 0.0, high: 1.0, log: false, ticks: vec![(0.0, "0".to_owned())] };
        }
        if self.scale == Scale::Log { Axis::log(low, high, rows) } else { Axis::linear(low, high, self.scale, rows) }
    }

    fn draw(&self, grid: &mut Grid, axis: &Axis, curve: &Curve<'_>, owner: u8, theme: &Theme) {
        let dots = (grid.width(), grid.height());
        let dashes = theme.has_dashes();
        let mut walked = 0;
        let mut before: Option<(i64, (usize, usize))> = None;
        for &(t, v) in curve.points {
            if !(self.from..=self.to).contains(&t) {
                continue;
            }
            if !v.is_finite() || (axis.log && v <= 0.0) {
                before = None;
                continue;
            }
            let at = (self.x(t, dots.0), axis.y(v, dots.1));
            match before {
                Some((then, from)) if t.saturating_sub(then) <= self.gap => {
                    let start = walked;
                    grid.line(from, at, owner, |i| !dashes || curve.stroke.is_on(start + i));
                    walked += from.0.abs_diff(at.0).max(from.1.abs_diff(at.1));
                }
                // A point on its own is seen, whatever the dashes.
                _ => grid.set(at.0, at.1, owner),
            }
            before = Some((t, at));
        }
    }

    fn row(&self, mut line: Line, grid: &Grid, row: usize, mark: Option<usize>, theme: &Theme) -> Line {
        let mut text = String::new();
        let mut role = Role::Text;
        for (col, (bits, owner)) in grid.row(row).enumerate() {
            let (c, next) = if bits == 0 && mark == Some(col) {
                (theme.bar().chars().next().unwrap_or('|'), Role::Strong)
            } else if bits == 0 {
                // A blank has no colour to change to.
                (' ', role)
            } else {
                let curve = self.curves.get(usize::from(owner));
                let stroke = curve.map_or(Stroke::Rest, |c| c.stroke);
                let next = match curve {
                    _ if !self.fresh => Role::Quiet,
                    Some(c) if c.picked => Role::Picked(stroke),
                    _ => Role::Series(stroke),
                };
                (theme.ink(bits, stroke), next)
            };
            if next != role {
                line = line.add(role, &text);
                text.clear();
                role = next;
            }
            text.push(c);
        }
        line.add(role, &text)
    }

    /// The last line: labels at round local times.
    fn times(&self, left: usize, cols: usize) -> Line {
        let span = self.to.saturating_sub(self.from).max(1);
        let most = (cols / TIME_ROOM).clamp(1, 12);
        let step = time_step(span / i64::try_from(most).unwrap_or(1));
        let pattern = match (step, span) {
            (s, _) if s >= DAY => "%m-%d",
            (_, s) if s > DAY => "%m-%d %H:%M",
            (s, _) if s < MINUTE => "%H:%M:%S",
            _ => "%H:%M",
        };
        let offset = utc_offset(self.to);
        let mut line = Line::new();
        let first = self.from.saturating_add(offset).div_euclid(step).saturating_mul(step).saturating_sub(offset);
        for i in 0..=i64::try_from(most).unwrap_or(1) + 2 {
            let at = first.saturating_add(step.saturating_mul(i));
            if at < self.from || at > self.to {
                continue;
            }
            let text = Timestamp::from_millis(at).local(pattern);
            let middle = left + self.x(at, cols * 2) / 2;
            let start = middle.saturating_sub(width(&text) / 2).min((left + cols + 1).saturating_sub(width(&text)));
            if line.width() == 0 || start > line.width() {
                line = line.pad(start).add(Role::Dim, &text);
            }
        }
        line
    }
}

impl Axis {
    fn linear(low: f64, high: f64, scale: Scale, rows: usize) -> Self {
        let (mut low, mut high) = (low, high);
        // Flat lines far from zero would otherwise be all the same line.
        if scale == Scale::Auto && low >= 0.0 && (high - low) * 5.0 >= high {
            low = 0.0;
        } else if scale == Scale::Auto && high <= 0.0 && (low - high) * 5.0 <= low {
            high = 0.0;
        }
        if high - low < high.abs().max(low.abs()) * 1e-9 || high == low {
            // One value: the line lies in the middle, or on the floor when it is zero.
            let pad = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            (low, high) = (if low == 0.0 { 0.0 } else { low - pad }, high + pad);
        }
        let count = (rows / VALUE_ROOM).clamp(1, 10) as f64;
        let step = nice((high - low) / count);
        let bottom = (low / step + 1e-9).floor() * step;
        let top = (high / step - 1e-9).ceil() * step;
        if !(step.is_finite() && bottom.is_finite() && top.is_finite() && top > bottom) {
            // Numbers at the edge of what floats hold.
            return Self { low, high, log: false, ticks: vec![(low, number(low)), (high, number(high))] };
        }
        let largest = bottom.abs().max(top.abs());
        let n = (((top - bottom) / step).round() as usize).min(20);
        let ticks = (0..=n).map(|i| bottom + step * i as f64).map(|v| (v, tick(v, step, largest))).collect();
        Self { low: bottom, high: top, log: false, ticks }
    }

    fn log(low: f64, high: f64, rows: usize) -> Self {
        let (bottom, mut top) = (low.log10().floor(), high.log10().ceil());
        if top <= bottom {
            top = bottom + 1.0;
        }
        let every = ((top - bottom) / (rows / 2).max(1) as f64).ceil().max(1.0);
        let n = ((top - bottom) / every) as usize;
        let ticks = (0..=n).map(|i| 10f64.powf(bottom + every * i as f64)).map(|v| (v, number(v))).collect();
        Self { low: bottom, high: top, log: true, ticks }
    }

    /// The dot from the bottom at which a value lies.
    fn y(&self, v: f64, dots: usize) -> usize {
        let v = if self.log { v.log10() } else { v };
        // Halves first: the difference of two finite numbers need not be finite.
        let part = (v / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        (part.clamp(0.0, 1.0) * dots.saturating_sub(1) as f64).round() as usize
    }
}

/// The next 1-2-5 step.
fn nice(v: f64) -> f64 {
    if !v.is_finite() || v <= 0.0 {
        return 1.0;
    }
    let scale = 10f64.powf(v.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * scale >= v * 0.999).unwrap_or(10.0);
    step * scale
}

const SUFFIXES: [(f64, &str); 5] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

/// A label of the value axis: all of an axis have the same unit and as many decimals as the step needs.
fn tick(v: f64, step: f64, largest: f64) -> String {
    if largest >= 1e18 || (largest < 1e-4 && largest > 0.0) {
        return number(v);
    }
    let (unit, suffix) = SUFFIXES.into_iter().find(|(u, _)| largest >= *u * 10.0).unwrap_or((1.0, ""));
    let decimals = (-(step / unit).log10().floor()).clamp(0.0, 6.0) as usize;
    // Not `-0`.
    let v = v / unit + 0.0;
    format!("{v:.decimals$}{suffix}")
}

/// A number in at most eight columns: `0.812`, `412`, `12.4k`, `1.2e-7`.
pub(crate) fn number(v: f64) -> String {
    let size = v.abs();
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e18).contains(&size) {
        return format!("{v:.1e}");
    }
    // Whole numbers of up to five digits are told as they are.
    if size < 1e5 && v.fract() == 0.0 {
        return format!("{v}");
    }
    let (unit, suffix) = SUFFIXES.into_iter().find(|(u, _)| size >= *u * 0.9995).unwrap_or((1.0, ""));
    let v = v / unit;
    let digits = (2.0 - v.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{v:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Distances that people expect between times.
const TIME_STEPS: [i64; 24] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    30 * DAY,
    60 * DAY,
    180 * DAY,
];

/// The smallest such distance that is at least `ms`.
fn time_step(ms: i64) -> i64 {
    TIME_STEPS.into_iter().find(|s| *s >= ms).unwrap_or_else(|| ms.max(365 * DAY))
}

/// The largest such distance that is at most `ms`, for the step of a query; at least a second.
pub(crate) fn query_step(ms: i64) -> i64 {
    TIME_STEPS.into_iter().rev().find(|s| *s <= ms).unwrap_or(SECOND)
}

/// How far the system's time zone is ahead of UTC at a time, in milliseconds.
fn utc_offset(at: i64) -> i64 {
    let text = Timestamp::from_millis(at).local("%z");
    let (sign, digits) = text.split_at_checked(1).unwrap_or(("+", "0000"));
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse::<i64>().ok()).unwrap_or(0);
    let ms = part(0..2) * HOUR + part(2..4) * MINUTE;
    if sign == "-" { -ms } else { ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Depth, Glyphs};

    fn plot(curves: &[&[(i64, f64)]]) -> Vec<String> {
        draw(curves, Scale::Auto, &Theme::plain())
    }

    fn draw(curves: &[&[(i64, f64)]], scale: Scale, theme: &Theme) -> Vec<String> {
        let curves = curves.iter().enumerate();
        let curves = curves.map(|(i, points)| Curve { points, stroke: Stroke::at(i), picked: false }).collect();
        let plot = Plot { curves, from: 0, to: 3_600_000, gap: 90_000, scale, cursor: None, fresh: true };
        plot.lines(60, 9, theme).iter().map(Line::text).collect()
    }

    fn line(f: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
        (0..=60).map(|i| (i * 60_000, f(i))).collect()
    }

    #[test]
    fn lines_have_axes_and_keep_apart() {
        let (a, b) = (line(|i| (i as f64 / 8.0).sin().abs()), line(|i| i as f64 / 100.0));
        let mut text = plot(&[&a, &b]).join("\n");
        let ascii = Theme::new(Depth::Mono, Glyphs::Ascii, false);
        text += "\n--- letters\n";
        text += &draw(&[&a, &b], Scale::Auto, &ascii).join("\n");
        insta::assert_snapshot!(regex::Regex::new(r"\d\d:\d\d").unwrap().replace_all(&text, "hh:mm"));
    }

    #[test]
    fn gaps_and_what_is_no_number_are_not_drawn_across() {
        let mut points = line(|_| 5.0);
        points.retain(|(t, _)| !(1_200_000..2_400_000).contains(t));
        points[5].1 = f64::NAN;
        let row = plot(&[&points])
            .into_iter()
            .find(|l| l.contains('⣀') || l.contains('⠤') || l.contains('⠒') || l.contains('⠉'));
        let dots = row.unwrap();
        let drawn = dots.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!((30..40).contains(&drawn), "{dots}");
    }

    #[test]
    fn a_single_spike_reaches_the_top_row() {
        let points: Vec<_> = (0..5_000).map(|i| (i * 720, if i == 2_500 { 100.0 } else { 1.0 })).collect();
        let lines = plot(&[&points]);
        assert!(lines[0].chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{}", lines[0]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        #[track_caller]
        fn check(low: f64, high: f64, scale: Scale, ticks: &[&str]) {
            let axis = if scale == Scale::Log { Axis::log(low, high, 8) } else { Axis::linear(low, high, scale, 8) };
            assert_eq!(axis.ticks.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>(), ticks);
        }
        check(0.0, 0.9, Scale::Auto, &["0.0", "0.5", "1.0"]);
        check(0.0, 1.0, Scale::Auto, &["0.0", "0.5", "1.0"]);
        check(0.0, 0.0, Scale::Auto, &["0.0", "0.5", "1.0"]);
        check(99.0, 100.0, Scale::Auto, &["99.0", "99.5", "100.0"]);
        check(20.0, 100.0, Scale::Fit, &["0", "50", "100"]);
        check(-3.0, 4.0, Scale::Auto, &["-5", "0", "5"]);
        check(0.0, 23_000.0, Scale::Auto, &["0k", "20k", "40k"]);
        check(0.02, 30.0, Scale::Log, &["0.01", "0.1", "1", "10", "100"]);
    }

    #[test]
    fn numbers_are_short() {
        #[track_caller]
        fn check(v: f64, text: &str) {
            assert_eq!(number(v), text);
            assert!(text.len() <= 8);
        }
        check(0.0, "0");
        check(0.8123, "0.812");
        check(412.0, "412");
        check(99.95, "100");
        check(12_345.0, "12345");
        check(123_456.0, "123k");
        check(1_234_567.8, "1.23M");
        check(-0.000_012, "-1.2e-5");
        check(2e30, "2.0e30");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn steps_of_queries_are_round() {
        assert_eq!(query_step(50_000), 30_000);
        assert_eq!(query_step(27_000), 15_000);
        assert_eq!(query_step(3), 1_000);
        assert_eq!(query_step(i64::MAX), 180 * DAY);
    }

    #[test]
    fn any_size_and_any_data_draws() {
        let odd = [(i64::MIN, f64::MAX), (0, f64::MIN), (1, f64::NAN), (2, f64::MAX), (i64::MAX, 1e-320)];
        let theme = Theme::plain();
        for scale in [Scale::Auto, Scale::Fit, Scale::Log] {
            for (from, to) in [(0, 10), (i64::MIN, i64::MAX), (5, 5), (9, 3)] {
                let curves = vec![Curve { points: &odd, stroke: Stroke::Rest, picked: true }; 300];
                let plot = Plot { curves, from, to, gap: 1, scale, cursor: Some(7), fresh: false };
                for (columns, rows) in [(0, 0), (3, 9), (12, 3), (20, 2), (90, 12), (300, 1)] {
                    plot.lines(columns, rows, &theme);
                }
            }
        }
    }
}
