//! Queries in PromQL, their chart, and the legend with its numbers.

pub(super) mod metrics;
mod popup;
mod query;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::tui::screens::mark_row;
use crate::tui::state::State;
use crate::tui::state::explore::result::Ran;
use crate::tui::state::explore::{Explore, Focus};
use crate::tui::state::list::settled;
use crate::tui::theme::{Role, Stroke, Theme};
use crate::tui::widgets::legend::{self, Entry, Stats};
use crate::tui::widgets::plot::{Curve, Plot, Scale, number};
use crate::tui::widgets::text::{Line, rule, width, wrap};

pub(super) use popup::menu;

/// Rows of the legend beside a chart, its title and heads not counted.
const LEGEND_ROWS: usize = 8;
/// Lines of remarks to an answer.
const NOTES: usize = 2;

/// Where the parts are.
struct Areas {
    queries: Rect,
    chart: Rect,
    legend: Rect,
    status: Rect,
}

fn areas(s: &State, body: Rect) -> Areas {
    let x = &s.explore;
    let cut = |wanted: usize, of: u16| u16::try_from(wanted).unwrap_or(u16::MAX).min(of);
    let queries = cut(query::height(x, usize::from(body.width), body.height), body.height);
    let status = cut(1 + notes(x).count(), body.height - queries);
    let rest = body.height - queries - status;
    let rows = x.rows();
    let legend = match rows {
        0 => 0,
        _ if x.table => rest,
        // A chart of less than six lines tells nothing.
        n => cut(n.min(LEGEND_ROWS) + 2, (rest * 2 / 5).max(4).min(rest.saturating_sub(6))),
    };
    // A title and heads without a row tell nothing.
    let legend = if legend < 3 { 0 } else { legend };
    let part = |y: u16, height: u16| Rect { y: body.y + y, height, ..body };
    Areas {
        queries: part(0, queries),
        chart: part(queries, rest - legend),
        legend: part(queries + rest - legend, legend),
        status: part(queries + rest, status),
    }
}

/// Rows of the legend that fit.
pub(super) fn rows(s: &State, body: Rect) -> usize {
    usize::from(areas(s, body).legend.height.saturating_sub(2))
}

/// Keeps the cursor in view, and tells the state how wide the chart is.
pub(super) fn settle(s: &mut State, body: Rect) {
    s.explore.columns = usize::from(body.width);
    let rows = rows(s, body);
    let x = &mut s.explore;
    let len = x.rows();
    x.row = x.row.min(len.saturating_sub(1));
    x.top = settled(x.top, x.row, rows, len);
    popup::settle(x);
    metrics::settle(s, body);
}

/// Draws the screen.
pub(super) fn draw(s: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    let areas = areas(s, body);
    let caret = query::draw(s, theme, areas.queries, buf);
    if areas.chart.height > 0 {
        chart(s, theme, areas.chart, buf);
    }
    let parked = table(s, theme, areas.legend, buf);
    status(s, theme, areas.status, buf);
    if let (Some(popup), Some(at), Some(query)) = (&s.explore.popup, caret, s.explore.queries.get(s.explore.at)) {
        let back = popup::back(query.editor.text(), popup, query.editor.cursor());
        popup::draw(popup, theme, body, Position::new(at.x.saturating_sub(back), at.y), buf);
    }
    if s.explore.focus == Focus::Editor { caret } else { parked }
}

/// Whether the answer to a query is the present.
fn is_current(s: &State, query: usize) -> bool {
    let loading = s.explore.queries.get(query).and_then(|q| q.running).is_some_and(|r| !r.refresh);
    s.is_fresh() && !loading
}

fn chart(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let x = &s.explore;
    let columns = usize::from(area.width);
    let focused = x.focus == Focus::Results;
    let tail = match x.inspect {
        Some(at) => format!("at {}  h l move  v leave", clock(at)),
        None => "+ - zoom  [ ] pan  v inspect  Y axis".to_owned(),
    };
    let title = if x.scale == Scale::Auto { "CHART".to_owned() } else { format!("CHART {}", x.scale.word()) };
    rule(theme, columns, &title, &tail, focused).draw(buf, theme, area, 0);
    let inner = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let Some((from, to)) = x.shown().filter(|_| x.rows() > 0) else {
        for (row, line) in (0..inner.height).zip(nothing(s, columns)) {
            line.draw(buf, theme, inner, row);
        }
        return;
    };
    let is_drawn = x.drawn();
    let curves = x.series().enumerate().filter(|(_, (_, line))| is_drawn(&line.key)).map(|(i, (_, line))| {
        let picked = focused && i == x.row;
        let alone = x.solo.as_ref() == Some(&line.key);
        let stroke = x.stroke(&line.key);
        let stroke = if alone && stroke == Stroke::Rest { Stroke::Solid } else { stroke };
        Curve { points: &line.points, stroke, picked }
    });
    let step = x.queries.iter().filter_map(|q| q.ran.as_ref()).map(|r| r.step).max().unwrap_or(1);
    let plot = Plot {
        curves: curves.collect(),
        from,
        to,
        gap: step.saturating_mul(3) / 2,
        scale: x.scale,
        cursor: x.inspect,
        fresh: s.is_fresh() && !x.is_loading(),
    };
    for (row, line) in (0..).zip(plot.lines(columns, usize::from(inner.height), theme)) {
        line.draw(buf, theme, inner, row);
    }
}

/// What stands in place of a chart.
fn nothing(s: &State, columns: usize) -> Vec<Line> {
    let x = &s.explore;
    let say = |text: &str| {
        wrap(text, columns.saturating_sub(2))
            .into_iter()
            .map(|l| Line::new().add(Role::Text, format!(" {l}")))
            .collect()
    };
    if x.queries.iter().any(|q| q.running.is_some()) {
        return say("asking ...");
    }
    if x.queries.iter().any(|q| q.error.is_some()) {
        return Vec::new();
    }
    if x.queries.iter().any(|q| q.ran.is_some()) {
        return say(
            "No series has samples in this range. Is the name right, are the labels? Tab in the query offers those that exist.",
        );
    }
    let mut lines: Vec<Line> = say("Write a query and press Enter. Tab offers metrics, labels and functions.");
    for (query, what) in [
        ("probe_success", "1 while a monitor is up, 0 while it is down"),
        ("probe_duration_seconds", "how long probes took"),
        ("avg_over_time(probe_success[1h])", "uptime of the hour before each point"),
        ("topk(5, probe_duration_seconds)", "the five slowest"),
    ] {
        lines.push(Line::new().pad(3).add(Role::Strong, query).pad(36).add(Role::Dim, format!(" {what}")));
    }
    lines
}

fn clock(ms: i64) -> String {
    Timestamp::from_millis(ms).local("%H:%M:%S")
}

/// The legend, which is a table of values when there is no chart.
fn table(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    let x = &s.explore;
    let columns = usize::from(area.width);
    let is_drawn = x.drawn();
    let (all, drawn) = (x.rows(), x.series().filter(|(_, line)| is_drawn(&line.key)).count());
    let title = if drawn == all { format!("SERIES {all}") } else { format!("SERIES {drawn} of {all}") };
    let more: usize = x.queries.iter().filter_map(|q| q.ran.as_ref()).map(|r| r.more).sum();
    let tail = match (more, x.table) {
        (0, false) => "space hide  Enter solo  o table".to_owned(),
        (0, true) => "space hide  Enter solo  o chart".to_owned(),
        (n, _) => format!("{n} more are not shown: narrow the query down"),
    };
    rule(theme, columns, &title, &tail, x.focus == Focus::Results && x.table).draw(buf, theme, area, 0);
    let lettered = x.queries.iter().filter(|q| q.ran.is_some()).count() > 1;
    let columns = legend::fitting(columns, x.longest() + if lettered { 2 } else { 0 });
    legend::head(columns, x.inspect.map_or("LAST", |_| "AT"), theme).draw(buf, theme, area, 1);
    let mut parked = None;
    for (row, (i, (query, line))) in (2..area.height).zip(x.series().enumerate().skip(x.top)) {
        let picked = i == x.row && x.focus == Focus::Results;
        let name = if x.table { &line.whole } else { &line.name };
        let name = if lettered { format!("{} {name}", letter(query)) } else { name.clone() };
        let step = x.queries.get(query).and_then(|q| q.ran.as_ref()).map_or(1, |r| r.step);
        let last = x.inspect.map_or(line.stats.last, |at| line.value_at(at, step));
        let stroke = is_drawn(&line.key).then(|| x.stroke(&line.key));
        let entry = Entry { stroke, name: &name, stats: Stats { last, ..line.stats }, picked };
        legend::row(&entry, is_current(s, query), columns, theme).draw(buf, theme, area, row);
        if picked {
            parked = mark_row(theme, buf, area, row);
        }
    }
    parked
}

/// The letter of a query.
fn letter(query: usize) -> char {
    u8::try_from(query).map_or('?', |q| char::from(b'A'.saturating_add(q)))
}

/// Remarks to the answers.
fn notes(x: &Explore) -> impl Iterator<Item = String> {
    let of = |r: &Ran| {
        let resolution = r.resolution.as_ref().map(|r| format!("answered from roll-ups of {r}"));
        r.notes.iter().cloned().chain(resolution).collect::<Vec<_>>()
    };
    x.queries.iter().filter_map(|q| q.ran.as_ref()).flat_map(of).take(NOTES)
}

/// What the answers cost, and remarks to them.
fn status(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let x = &s.explore;
    let several = x.queries.len() > 1;
    let mut line = Line::new();
    for (i, query) in x.queries.iter().enumerate() {
        let head = if several { format!(" {}", letter(i)) } else { String::new() };
        let preview = previewed(x, i);
        let (role, text) = match (&query.running, &query.ran) {
            (Some(r), _) if !r.refresh => {
                let since = s.now.steady.saturating_sub(r.since);
                (Role::Pending, format!("running {}  Esc stops it", Short(Duration::from_secs(since.as_secs()))))
            }
            _ if query.problem.is_some() && query.asked.is_empty() => (Role::Dim, "has a mistake, not run".to_owned()),
            _ if preview.is_some() => (Role::Dim, preview.unwrap_or_default()),
            _ if query.error.is_some() => (Role::Degraded, "failed".to_owned()),
            (_, Some(ran)) => (Role::Dim, cost(ran)),
            (_, None) => continue,
        };
        line = line.add(Role::Strong, head).add(role, format!(" {text} "));
    }
    line.draw(buf, theme, area, 0);
    for (row, note) in (1..area.height).zip(notes(x)) {
        let mark = theme.warning();
        Line::new().add(mark.role, format!(" {} ", mark.glyph)).add(Role::Text, note).draw(buf, theme, area, row);
    }
}

/// What running the query that is being written would look at.
fn previewed(x: &Explore, query: usize) -> Option<String> {
    let being_written = x.focus == Focus::Editor && x.at == query;
    let preview = x.queries.get(query).filter(|_| being_written).and_then(|q| x.preview(q))?;
    let (series, steps) = (number(preview.series as f64), number(preview.steps as f64));
    Some(format!("not run yet: up to {series} series at {steps} steps"))
}

fn cost(ran: &Ran) -> String {
    let plural = |n: usize, word: &str| if n == 1 { format!("{n} {word}") } else { format!("{n} {word}s") };
    let series = if ran.lines.len() + ran.more == 1 {
        "1 series".to_owned()
    } else {
        format!("{} series", ran.lines.len() + ran.more)
    };
    let mut parts = vec![series, plural(ran.points, "point")];
    if let Some(took) = ran.took {
        parts.push(Short(Duration::try_from_secs_f64(took).unwrap_or_default()).to_string());
    }
    if let Some(samples) = ran.samples {
        parts.push(format!("{} samples read", number(samples as f64)));
    }
    parts.join(", ")
}

/// What the chart spans, for the title above the queries.
fn span(s: &State) -> String {
    let x = &s.explore;
    let step = Duration::from_millis(u64::try_from(x.step()).unwrap_or(1_000));
    let end = match (x.range.end, x.shown()) {
        (Some(end), _) => format!("until {}", end.local("%Y-%m-%d %H:%M:%S")),
        (None, Some((_, to))) => format!("as of {}", clock(to)),
        (None, None) => "live".to_owned(),
    };
    format!("range {}  step {}  {end}", Exact(x.range.span), Exact(step))
}

/// Columns that `text` takes, for what is placed by hand.
fn columns_of(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
