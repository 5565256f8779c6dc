//! The chart of the screens as plain lines, for commands that print and end.

use std::fmt::Write;

use crate::base::labels::Labels;
use crate::tui::TuiOptions;
use crate::tui::theme::{Stroke, Theme};
use crate::tui::widgets::legend::{Entry, Stats, fitting, head, longest, names, row};
use crate::tui::widgets::plot::{Curve, Plot, Scale, query_step};
use crate::tui::widgets::text::Line;

/// Lines drawn apart under the chart; the number of the others is told.
const LEGEND: usize = 40;

/// A chart to print.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Labels of each line, times in milliseconds, values. Untrusted.
    pub series: Vec<(&'a Labels, Vec<(i64, f64)>)>,
    /// Time at the left edge, in milliseconds.
    pub from: i64,
    /// Time at the right edge.
    pub to: i64,
    /// Distance of two points that belong together.
    pub step: i64,
}

/// A step, in milliseconds, at which a range of `ms` fills a chart of so many columns.
pub fn step(ms: i64, columns: usize) -> i64 {
    query_step(ms / i64::try_from(Plot::room(columns)).unwrap_or(1))
}

impl Chart<'_> {
    /// The chart and its legend as lines of at most `columns`, `rows` of them for the chart; with the escape
    /// sequences of colours if `colour`.
    pub fn lines(&self, columns: usize, rows: usize, options: &TuiOptions, colour: bool) -> Vec<String> {
        let theme = Theme::new(options.depth, options.glyphs, options.light);
        let stats: Vec<Stats> = self.series.iter().map(|(_, points)| Stats::of(points)).collect();
        // Those with the largest values are told apart.
        let mut order: Vec<usize> = (0..stats.len()).collect();
        let size = |i: &usize| stats.get(*i).map_or(f64::NAN, |s| s.max);
        order.sort_by(|a, b| size(a).is_nan().cmp(&size(b).is_nan()).then(size(b).total_cmp(&size(a))));
        let mut strokes = vec![Stroke::Rest; stats.len()];
        for (place, i) in order.into_iter().enumerate() {
            strokes[i] = Stroke::at(place);
        }
        let curves = self.series.iter().zip(&strokes);
        let curves = curves.map(|((_, points), stroke)| Curve { points, stroke: *stroke, picked: false }).collect();
        let plot = Plot {
            curves,
            from: self.from,
            to: self.to,
            gap: self.step.saturating_mul(3) / 2,
            scale: Scale::Auto,
            cursor: None,
            fresh: true,
        };
        let mut lines = plot.lines(columns, rows, &theme);
        let metrics: Vec<&Labels> = self.series.iter().map(|(metric, _)| *metric).collect();
        let (_, names) = names(&metrics);
        let columns = fitting(columns, longest(names.iter().map(String::as_str)));
        lines.push(head(columns, "LAST", &theme));
        for ((name, stats), stroke) in names.iter().zip(stats).zip(strokes).take(LEGEND) {
            let entry = Entry { stroke: Some(stroke), name, stats, picked: false };
            lines.push(row(&entry, true, columns, &theme));
        }
        let more = self.series.len().saturating_sub(LEGEND);
        let mut out: Vec<String> = lines.iter().map(|line| painted(line, &theme, colour)).collect();
        if more > 0 {
            out.push(format!("    and {more} more"));
        }
        out
    }
}

fn painted(line: &Line, theme: &Theme, colour: bool) -> String {
    let mut out = String::new();
    for (role, text) in line.spans() {
        let codes = if colour { theme.codes(role) } else { String::new() };
        let done = match (codes.is_empty(), text.trim().is_empty()) {
            (false, false) => write!(out, "\x1b[{codes}m{text}\x1b[0m"),
            _ => write!(out, "{text}"),
        };
        debug_assert!(done.is_ok(), "writing to a String cannot fail");
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{Depth, Glyphs};

    #[test]
    fn colours_are_sequences_only_when_wanted() {
        let (a, b) = (Labels::new([("a", "1")]), Labels::new([("a", "\x1b[2J")]));
        let points: Vec<_> = (0..60).map(|i| (i * 1_000, i as f64)).collect();
        let flat: Vec<_> = points.iter().map(|(t, _)| (*t, 30.0)).collect();
        let chart = Chart { series: vec![(&a, points), (&b, flat)], from: 0, to: 60_000, step: 1_000 };
        let options = TuiOptions { depth: Depth::Ansi16, glyphs: Glyphs::Unicode, ..TuiOptions::default() };
        let plain = chart.lines(60, 8, &options, false).join("\n");
        assert!(!plain.contains('\x1b'), "{plain}");
        let colored = chart.lines(60, 8, &options, true).join("\n");
        assert!(colored.contains("\x1b[36m") && colored.contains("\x1b[33m") && !colored.contains("\x1b[2J"));
        assert!(plain.contains(r#"{a="1"}"#) && plain.contains("59"));
    }
}
