//! The Explore screen's own state: queries being written, what was asked and answered, what is looked at.
//!
//! The selection, what is hidden and what is alone are labels of series, not places: an answer to the same
//! query may have other series.

pub(crate) mod catalog;
pub(crate) mod complete;
pub(crate) mod editor;
pub(crate) mod result;

use std::collections::HashSet;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::tui::action::{Effect, Request};
use crate::tui::state::Screen;
use crate::tui::state::explore::catalog::Catalog;
use crate::tui::state::explore::complete::{Names, Popup};
use crate::tui::state::explore::editor::Editor;
use crate::tui::state::explore::result::{Ran, SeriesKey};
use crate::tui::theme::Stroke;
use crate::tui::widgets::plot::{Plot, Scale, query_step};
use crate::wire::query::{Ask, When};

/// Ranges to choose from.
pub(crate) const RANGES: [(&str, u64); 14] = [
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("3h", 10_800),
    ("6h", 21_600),
    ("12h", 43_200),
    ("1d", 86_400),
    ("2d", 172_800),
    ("7d", 604_800),
    ("14d", 1_209_600),
    ("30d", 2_592_000),
    ("90d", 7_776_000),
    ("1y", 31_536_000),
];
/// Range of the first query.
const RANGE: Duration = Duration::from_secs(3_600);
/// Shortest and longest range that zooming reaches.
const SPAN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10 * 31_536_000));
/// Live charts ask again after a step, but not more often than this.
const REFRESH: Duration = Duration::from_secs(5);
/// A failed refresh is tried again after this.
const RETRY: Duration = Duration::from_secs(10);
/// Queries at one time: one letter each.
pub(crate) const QUERIES: usize = 8;
/// Queries remembered.
const HISTORY: usize = 100;

/// Where keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    /// To the text field.
    #[default]
    Editor,
    /// To chart and legend.
    Results,
}

/// What the chart spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// Its length.
    pub(crate) span: Duration,
    /// Its end; `None` follows the present.
    pub(crate) end: Option<Timestamp>,
}

impl Default for Range {
    fn default() -> Self {
        Self { span: RANGE, end: None }
    }
}

/// Why a query is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The person wants what is written now.
    Run,
    /// The range is another one; what was asked last is asked again.
    Range,
    /// Time has passed.
    Refresh,
}

/// A question that is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Which.
    pub(crate) id: u64,
    /// Since when, on the steady clock.
    pub(crate) since: Duration,
    /// Whether it only brings an answer up to date, which keeps its look meanwhile.
    pub(crate) refresh: bool,
}

/// One query.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueryBox {
    /// Its text field.
    pub(crate) editor: Editor,
    /// What is wrong with the text, told by the parser.
    pub(crate) problem: Option<complete::Problem>,
    /// The metrics it reads, when it names them all.
    pub(crate) reads: Option<Vec<String>>,
    /// The question under way.
    pub(crate) running: Option<Running>,
    /// The newest answer.
    pub(crate) ran: Option<Ran>,
    /// Why the newest question was not answered.
    pub(crate) error: Option<String>,
    /// When it was last asked, on the steady clock.
    asked_at: Duration,
    /// The text that was asked last; empty when none was.
    pub(crate) asked: String,
}

impl QueryBox {
    fn new(text: &str) -> Self {
        let mut this = Self { editor: Editor::new(text), ..Self::default() };
        this.check();
        this
    }

    /// Reads the text again after a change.
    pub(crate) fn check(&mut self) {
        (self.problem, self.reads) = complete::read(self.editor.text());
    }

    /// Whether there is anything to ask.
    pub(crate) fn is_blank(&self) -> bool {
        self.editor.text().trim().is_empty()
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Explore {
    /// The queries, never none.
    pub(crate) queries: Vec<QueryBox>,
    /// Which one is being written.
    pub(crate) at: usize,
    /// Where keys go.
    pub(crate) focus: Focus,
    /// Whether values are listed instead of drawn.
    pub(crate) table: bool,
    /// What the chart spans.
    pub(crate) range: Range,
    /// The value axis.
    pub(crate) scale: Scale,
    /// The row under the cursor.
    pub(crate) picked: Option<SeriesKey>,
    /// Its place.
    pub(crate) row: usize,
    /// First row shown.
    pub(crate) top: usize,
    /// Series that are not drawn.
    pub(crate) hidden: HashSet<SeriesKey>,
    /// The only series drawn.
    pub(crate) solo: Option<SeriesKey>,
    /// The series that are told apart, by the place of their stroke: kept while they are there, so that a line
    /// does not change its look.
    strokes: [Option<SeriesKey>; 4],
    /// The time that is inspected.
    pub(crate) inspect: Option<i64>,
    /// Completion, or the search through the history.
    pub(crate) popup: Option<Popup>,
    /// Names asked from the server.
    pub(crate) names: Names,
    /// Queries that were run, newest last.
    pub(crate) history: Vec<String>,
    /// Which of them is in the field, and what was there before.
    pub(crate) recalled: Option<(usize, String)>,
    /// Where Esc leads back to.
    pub(crate) came_from: Option<(Screen, Option<MonitorName>)>,
    /// Columns of the screen when it was last settled: they decide the step.
    pub(crate) columns: usize,
    /// Why all queries are to be asked for, as soon as the server is heard.
    pub(crate) pending: Option<Why>,
    /// The metrics there are.
    pub(crate) catalog: Catalog,
    /// A time that is an end of the range while that is live.
    anchor: Timestamp,
    next_id: u64,
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            queries: vec![QueryBox::default()],
            at: 0,
            focus: Focus::default(),
            table: false,
            range: Range::default(),
            scale: Scale::default(),
            picked: None,
            row: 0,
            top: 0,
            hidden: HashSet::new(),
            solo: None,
            strokes: Default::default(),
            inspect: None,
            popup: None,
            names: Names::default(),
            history: Vec::new(),
            recalled: None,
            came_from: None,
            columns: 80,
            pending: None,
            catalog: Catalog::default(),
            anchor: Timestamp::EPOCH,
            next_id: 0,
        }
    }
}

impl Explore {
    /// The query being written. There is always one.
    pub(crate) fn query(&mut self) -> &mut QueryBox {
        if self.queries.is_empty() {
            self.queries.push(QueryBox::default());
        }
        self.at = self.at.min(self.queries.len() - 1);
        &mut self.queries[self.at]
    }

    /// Puts a query into the first field, to be asked for at once in place of what is being answered.
    pub(crate) fn open(&mut self, text: &str) -> Vec<Effect> {
        let given_up = self.cancel();
        self.queries = vec![QueryBox::new(text)];
        (self.at, self.focus, self.popup) = (0, Focus::Results, None);
        (self.solo, self.inspect, self.pending) = (None, None, Some(Why::Run));
        self.hidden.clear();
        given_up
    }

    /// The distance of two points, in milliseconds.
    pub(crate) fn step(&self) -> i64 {
        let room = i64::try_from(Plot::room(self.columns)).unwrap_or(1);
        query_step(i64::try_from(self.range.span.as_millis()).unwrap_or(i64::MAX) / room)
    }

    /// Both edges in milliseconds, a number of whole steps apart. A live range ends at most a step before `now`:
    /// where it ended when it was anchored, or whole steps later, since a refresh must not shift what is drawn.
    pub(crate) fn edges(&self, now: Timestamp) -> (i64, i64) {
        let step = self.step();
        let end = self.range.end.unwrap_or_else(|| {
            let late = now.millis().saturating_sub(self.anchor.millis()).rem_euclid(step);
            Timestamp::from_millis(now.millis().saturating_sub(late))
        });
        let span = i64::try_from(self.range.span.as_millis()).unwrap_or(i64::MAX);
        (end.millis().saturating_sub((span / step).max(1).saturating_mul(step)), end.millis())
    }

    /// Lets a live range end at `now` exactly: the newest sample is in it, also when there is no other yet.
    pub(crate) fn anchor(&mut self, now: Timestamp) {
        self.anchor = now;
    }

    /// Asks for a query, in place of a question about it that is under way. Nothing for a blank or broken one.
    pub(crate) fn ask(&mut self, i: usize, why: Why, now: Timestamp, steady: Duration) -> Vec<Effect> {
        // Where nothing is drawn nothing shifts.
        if why != Why::Refresh || self.rows() == 0 {
            self.anchor(now);
        }
        let (from, to) = self.edges(now);
        let step = Duration::from_millis(u64::try_from(self.step()).unwrap_or(1_000));
        let Some(query) = self.queries.get_mut(i) else { return Vec::new() };
        if why == Why::Run {
            query.asked = query.editor.text().trim().to_owned();
            query.error = None;
        }
        if query.asked.is_empty() || (why == Why::Run && query.problem.is_some()) {
            return Vec::new();
        }
        self.next_id += 1;
        let id = self.next_id;
        let running = Running { id, since: steady, refresh: why == Why::Refresh };
        let before = query.running.replace(running).map(|old| Effect::Cancel(old.id));
        query.asked_at = steady;
        let when = When::Range { start: Timestamp::from_millis(from), end: Timestamp::from_millis(to), step };
        let ask = Ask { query: query.asked.clone(), when, timeout: None, limit: None };
        before.into_iter().chain([Effect::Ask(Request::Query { id, ask: Box::new(ask) })]).collect()
    }

    /// The questions for a chart that is to be current.
    pub(crate) fn wanted(&mut self, now: Timestamp, steady: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        let pending = self.pending.take();
        let every = Duration::from_millis(u64::try_from(self.step()).unwrap_or(1_000)).max(REFRESH);
        for i in 0..self.queries.len() {
            let q = &self.queries[i];
            let pause = match &q.ran {
                _ if q.error.is_some() => every.max(RETRY),
                // The first sample may come any time.
                Some(ran) if ran.lines.is_empty() => REFRESH,
                _ => every,
            };
            let due = q.running.is_none() && self.range.end.is_none() && steady.saturating_sub(q.asked_at) >= pause;
            match pending {
                Some(why) => effects.extend(self.ask(i, why, now, steady)),
                None if due => effects.extend(self.ask(i, Why::Refresh, now, steady)),
                None => {}
            }
        }
        effects
    }

    /// Gives up what is being answered.
    pub(crate) fn cancel(&mut self) -> Vec<Effect> {
        let running = self.queries.iter_mut().filter_map(|q| q.running.take());
        running.map(|r| Effect::Cancel(r.id)).collect()
    }

    /// Remembers a query that was run.
    pub(crate) fn remember(&mut self, text: &str) {
        let text = text.trim();
        self.history.retain(|h| h != text);
        self.history.push(text.to_owned());
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        self.recalled = None;
    }

    /// Every series of every answer: the query's place and the series.
    pub(crate) fn series(&self) -> impl Iterator<Item = (usize, &result::Line)> {
        self.queries
            .iter()
            .enumerate()
            .flat_map(|(i, q)| q.ran.iter().flat_map(|r| &r.lines).map(move |line| (i, line)))
    }

    /// Columns of the longest name.
    pub(crate) fn longest(&self) -> usize {
        let answers = self.queries.iter().filter_map(|q| q.ran.as_ref());
        answers.map(|r| if self.table { r.longest.1 } else { r.longest.0 }).max().unwrap_or(0)
    }

    /// How many there are.
    pub(crate) fn rows(&self) -> usize {
        self.queries.iter().filter_map(|q| q.ran.as_ref()).map(|r| r.lines.len()).sum()
    }

    /// Puts the cursor on a row, or on the last one.
    pub(crate) fn select(&mut self, row: usize) {
        self.row = row.min(self.rows().saturating_sub(1));
        let picked = self.series().nth(self.row).map(|(_, line)| line.key.clone());
        self.picked = picked;
    }

    /// Finds the row of the series under the cursor again after an answer.
    pub(crate) fn reselect(&mut self) {
        let at = self.picked.as_ref().and_then(|key| self.series().position(|(_, line)| line.key == *key));
        self.select(at.unwrap_or(self.row));
    }

    /// How a series looks.
    pub(crate) fn stroke(&self, key: &SeriesKey) -> Stroke {
        let place = self.strokes.iter().position(|s| s.as_ref() == Some(key));
        place.map_or(Stroke::Rest, Stroke::at)
    }

    /// Gives free strokes to the series with the largest values; all are free for another question.
    pub(crate) fn assign_strokes(&mut self, other: bool) {
        let mut strokes = std::mem::take(&mut self.strokes);
        for stroke in &mut strokes {
            let kept = stroke.take().filter(|_| !other);
            *stroke = kept.filter(|key| self.series().any(|(_, line)| line.key == *key));
        }
        let mut rest: Vec<&result::Line> = self.series().map(|(_, line)| line).collect();
        rest.retain(|line| !strokes.iter().flatten().any(|key| *key == line.key));
        let size = |line: &result::Line| if line.stats.max.is_nan() { f64::NEG_INFINITY } else { line.stats.max };
        rest.sort_by(|a, b| size(b).total_cmp(&size(a)));
        let keys: Vec<SeriesKey> = rest.iter().take(strokes.len()).map(|line| line.key.clone()).collect();
        let mut keys = keys.into_iter();
        for free in strokes.iter_mut().filter(|s| s.is_none()) {
            *free = keys.next();
        }
        self.strokes = strokes;
    }

    /// Gives series the places of their queries, after one was dropped.
    pub(crate) fn renumber(&mut self) {
        for (i, query) in self.queries.iter_mut().enumerate() {
            query.ran.iter_mut().flat_map(|r| &mut r.lines).for_each(|line| line.key.query = i);
        }
        self.assign_strokes(true);
    }

    /// The edges of what the answers span.
    pub(crate) fn shown(&self) -> Option<(i64, i64)> {
        let answers = || self.queries.iter().filter_map(|q| q.ran.as_ref());
        Some((answers().map(|r| r.from).min()?, answers().map(|r| r.to).max()?))
    }

    /// Tells which series are drawn.
    pub(crate) fn drawn(&self) -> impl Fn(&SeriesKey) -> bool {
        // A series that is gone does not keep the others away.
        let solo = self.solo.as_ref().filter(|solo| self.series().any(|(_, line)| line.key == **solo));
        move |key| solo.map_or_else(|| !self.hidden.contains(key), |solo| solo == key)
    }

    /// Whether an answer to a new question is awaited.
    pub(crate) fn is_loading(&self) -> bool {
        self.queries.iter().any(|q| q.running.is_some_and(|r| !r.refresh))
    }

    /// Makes the range longer or shorter, around its end or what is inspected.
    pub(crate) fn zoom(&mut self, out: bool, now: Timestamp) {
        let span = if out { self.range.span * 2 } else { self.range.span / 2 }.clamp(SPAN.0, SPAN.1);
        if let Some(at) = self.inspect {
            let end = Timestamp::from_millis(at).plus(span / 2);
            self.range.end = (end < now).then_some(end);
        }
        self.range.span = span;
    }

    /// Moves the range by half of its length.
    pub(crate) fn pan(&mut self, back: bool, now: Timestamp) {
        let end = self.range.end.unwrap_or(now);
        let half = self.range.span / 2;
        let end = if back { end.minus(half) } else { end.plus(half) };
        self.range.end = (end < now).then_some(end);
        self.inspect = None;
    }
}
