//! How the answer to a query looks: tables, charts, comma-separated values.

use std::fmt::Write;
use std::time::Duration;

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::term_safe::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::tui::{self, Chart, TuiOptions};
use crate::wire::query::{Sample, Series, Value, series_name, value_text};

/// Rows of a chart, its time axis included.
const CHART_ROWS: usize = 16;

/// How old the newest sample behind each row is, when that is known.
pub type Ages<'a> = &'a dyn Fn(&Labels) -> Option<Duration>;

/// Prints a value as a table, or as it is when it is a single one.
pub fn table(ui: &mut Ui, value: &Value, range: bool, ages: Ages<'_>) {
    match value {
        Value::Scalar(point) => ui.line(value_text(point.v)),
        Value::String(text) => {
            let text = ui.paint(Role::Plain, &text.text);
            ui.line(text);
        }
        Value::Vector(samples) => vector(ui, samples, ages),
        Value::Matrix(series) if range => matrix(ui, series),
        Value::Matrix(series) => listing(ui, series),
    }
}

/// One row per series: labels in columns if they fit, else the series as it is written in a query.
fn vector(ui: &mut Ui, samples: &[Sample], ages: Ages<'_>) {
    let mut labels: Vec<&str> = samples.iter().flat_map(|s| s.metric.iter()).map(|(name, _)| name).collect();
    labels.sort_unstable_by_key(|name| (*name != METRIC_NAME, *name));
    labels.dedup();
    let (title, values) = right(samples.iter().map(|s| value_text(s.value.v)), "VALUE");
    let known: Vec<Option<Duration>> = samples.iter().map(|s| ages(&s.metric)).collect();
    let aged = known.iter().any(Option::is_some);
    let tail: &[&str] = if aged { &[&title, "AGE"] } else { &[&title] };
    let heads = labels.iter().map(|l| if *l == METRIC_NAME { "NAME" } else { *l });
    let mut columns = Table::new(&heads.chain(tail.iter().copied()).collect::<Vec<_>>(), &[]);
    let mut whole = Table::new(&[&["SERIES"], tail].concat(), &[0]);
    for ((sample, value), age) in samples.iter().zip(&values).zip(&known) {
        let mut cells = vec![Cell::new(Role::Strong, value)];
        if aged {
            cells.push(Cell::new(Role::Dim, age.map_or_else(|| "-".to_owned(), |d| Short(d).to_string())));
        }
        let each = labels.iter().map(|l| Cell::plain(sample.metric.get(l).unwrap_or_default()));
        columns.row(each.chain(cells.iter().cloned()).collect());
        whole.row(std::iter::once(Cell::plain(series_name(&sample.metric))).chain(cells).collect());
    }
    if !labels.is_empty() && columns.fits(ui.width()) { columns.print(ui) } else { whole.print(ui) }
}

/// One row per series with the numbers of its range.
fn matrix(ui: &mut Ui, series: &[Series]) {
    let numbers: Vec<[f64; 4]> = series.iter().map(|s| statistics(&s.values)).collect();
    let column = |i: usize, title: &str| right(numbers.iter().map(|n| value_text(round(n[i]))), title);
    let points = right(series.iter().map(|s| s.values.len().to_string()), "POINTS");
    let each = [points, column(0, "LAST"), column(1, "MIN"), column(2, "AVG"), column(3, "MAX")];
    let header: Vec<&str> = std::iter::once("SERIES").chain(each.iter().map(|(title, _)| title.as_str())).collect();
    let mut table = Table::new(&header, &[0]).dispensable(&[1, 3]);
    for (i, s) in series.iter().enumerate() {
        let cells = each.iter().map(|(_, cells)| Cell::plain(&cells[i]));
        table.row(std::iter::once(Cell::plain(series_name(&s.metric))).chain(cells).collect());
    }
    table.print(ui);
}

/// Every sample: what a range selector gives at one time.
fn listing(ui: &mut Ui, series: &[Series]) {
    for s in series {
        let name = ui.paint(Role::Strong, series_name(&s.metric));
        ui.line(name);
        for point in &s.values {
            let at = ui.paint(Role::Dim, Timestamp::from_millis(point.t).to_string());
            ui.line(format_args!("  {at}  {}", value_text(point.v)));
        }
    }
}

/// Last, smallest, mean, largest.
fn statistics(points: &[crate::wire::query::Point]) -> [f64; 4] {
    let known = || points.iter().map(|p| p.v).filter(|v| !v.is_nan());
    let n = known().count();
    let avg = if n > 0 { known().sum::<f64>() / n as f64 } else { f64::NAN };
    let last = points.last().map_or(f64::NAN, |p| p.v);
    [last, known().fold(f64::NAN, f64::min), avg, known().fold(f64::NAN, f64::max)]
}

/// To six digits: statistics are for people, who are not served by the noise of binary fractions.
fn round(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

/// A title and cells filled on the left, so that numbers stand under each other.
fn right(cells: impl Iterator<Item = String>, title: &str) -> (String, Vec<String>) {
    let cells: Vec<String> = cells.collect();
    let width = cells.iter().map(String::len).max().unwrap_or(0).max(title.len());
    (format!("{title:>width$}"), cells.into_iter().map(|c| format!("{c:>width$}")).collect())
}

/// Draws a range.
pub fn chart(ui: &mut Ui, series: &[Series], [from, to]: [Timestamp; 2], step: Duration, glyphs: tui::Glyphs) {
    let points = |s: &Series| s.values.iter().map(|p| (p.t, p.v)).collect();
    let chart = Chart {
        series: series.iter().map(|s| (&s.metric, points(s))).collect(),
        from: from.millis(),
        to: to.millis(),
        step: i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
    };
    let look = ui.look();
    let options = TuiOptions { glyphs, ..ui.screens().clone() };
    for line in chart.lines(look.width, CHART_ROWS, &options, look.colour) {
        ui.line(line);
    }
}

/// Prints comma-separated values (RFC 4180): a column per label, then time and value; a row per sample.
pub fn csv(ui: &mut Ui, value: &Value) {
    let none = Labels::default();
    let rows: Box<dyn Iterator<Item = (&Labels, i64, String)>> = match value {
        Value::Scalar(p) => Box::new(std::iter::once((&none, p.t, value_text(p.v)))),
        Value::String(t) => Box::new(std::iter::once((&none, t.t, t.text.clone()))),
        Value::Vector(samples) => Box::new(samples.iter().map(|s| (&s.metric, s.value.t, value_text(s.value.v)))),
        Value::Matrix(series) => {
            Box::new(series.iter().flat_map(|s| s.values.iter().map(|p| (&s.metric, p.t, value_text(p.v)))))
        }
    };
    let mut labels: Vec<&str> = match value {
        Value::Scalar(_) | Value::String(_) => Vec::new(),
        Value::Vector(samples) => samples.iter().flat_map(|s| s.metric.iter()).map(|(name, _)| name).collect(),
        Value::Matrix(series) => series.iter().flat_map(|s| s.metric.iter()).map(|(name, _)| name).collect(),
    };
    labels.sort_unstable_by_key(|name| (*name != METRIC_NAME, *name));
    labels.dedup();
    let person = ui.is_terminal();
    let mut line = String::new();
    let mut put = |ui: &mut Ui, fields: &mut dyn Iterator<Item = &str>| {
        line.clear();
        for (i, field) in fields.enumerate() {
            if i > 0 {
                line.push(',');
            }
            // A pipe gets the text as it is, a terminal nothing that commands it.
            let field = if person { term_safe(field) } else { field.into() };
            if field.contains(['"', ',', '\n', '\r']) {
                let done = write!(line, "\"{}\"", field.replace('"', "\"\""));
                debug_assert!(done.is_ok(), "writing to a String cannot fail");
            } else {
                line.push_str(&field);
            }
        }
        ui.line(&line);
    };
    put(ui, &mut labels.iter().copied().chain(["time", "value"]));
    for (metric, t, value) in rows {
        if ui.is_closed() {
            return;
        }
        let at = Timestamp::from_millis(t).to_string();
        put(ui, &mut labels.iter().map(|l| metric.get(l).unwrap_or_default()).chain([at.as_str(), value.as_str()]));
    }
}
