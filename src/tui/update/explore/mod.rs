//! Keys of the Explore screen.

pub(crate) mod answers;
pub(crate) mod metrics;
pub(crate) mod write;

use std::time::Duration;

use crate::base::term_safe::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::Exact;
use crate::tui::action::{Effect, Explore as Do};
use crate::tui::state::explore::{Focus, QUERIES, QueryBox, RANGES, Range, Why};
use crate::tui::state::{Overlay, Screen, State};

/// Goes to the screen; from a monitor, with the query that draws it.
pub(crate) fn enter(s: &mut State) -> Vec<Effect> {
    let name = s.open.take();
    let monitor = name.as_ref().map(|n| n.as_str().replace('\\', "\\\\").replace('"', "\\\""));
    if s.screen != Screen::Explore {
        s.explore.came_from = Some((s.screen, name));
    }
    (s.overlay, s.screen) = (Overlay::None, Screen::Explore);
    if let Some(monitor) = monitor {
        let query = format!("probe_duration_seconds{{monitor=\"{monitor}\"}}");
        s.explore.remember(&query);
        return s.explore.open(&query);
    }
    if s.explore.queries.iter().all(QueryBox::is_blank) {
        s.explore.focus = Focus::Editor;
    }
    Vec::new()
}

/// Goes back to where the screen was entered from.
fn leave(s: &mut State) {
    let (screen, open) = s.explore.came_from.take().unwrap_or((Screen::Overview, None));
    (s.screen, s.open) = (screen, open);
}

/// Esc.
pub(crate) fn back(s: &mut State) -> Vec<Effect> {
    let x = &mut s.explore;
    if x.popup.take().is_some() {
        return Vec::new();
    }
    if x.is_loading() {
        let effects = x.cancel();
        s.say("stopped", false);
        return effects;
    }
    match x.focus {
        Focus::Editor => x.focus = Focus::Results,
        Focus::Results if x.inspect.take().is_some() || x.solo.take().is_some() => {}
        Focus::Results => leave(s),
    }
    Vec::new()
}

/// Takes the range under the menu's cursor.
pub(crate) fn choose(s: &mut State, at: usize) {
    if let Some((_, secs)) = RANGES.get(at) {
        s.explore.range = Range { span: Duration::from_secs(*secs), end: None };
        ranged(s);
    }
}

fn ranged(s: &mut State) {
    s.explore.pending = Some(Why::Range);
}

fn run(s: &mut State) -> Vec<Effect> {
    let (now, steady) = (s.server_now(), s.now.steady);
    let x = &mut s.explore;
    x.popup = None;
    if x.focus == Focus::Results {
        x.pending = Some(Why::Run);
        return Vec::new();
    }
    let (at, query) = (x.at, x.query());
    if query.is_blank() {
        let running = query.running.take().map(|r| Effect::Cancel(r.id));
        *query = QueryBox::default();
        x.reselect();
        return running.into_iter().collect();
    }
    if query.problem.is_some() {
        s.say("not run: the query has a mistake", false);
        return Vec::new();
    }
    let text = query.editor.text().to_owned();
    x.remember(&text);
    x.ask(at, Why::Run, now, steady)
}

/// Does what a key of this screen means.
pub(crate) fn act(s: &mut State, action: Do) -> Vec<Effect> {
    let now = s.server_now();
    let x = &mut s.explore;
    match action {
        Do::NewLine => write::insert(s, "\n"),
        Do::Undo | Do::Redo => {
            let editor = &mut x.query().editor;
            let done = if action == Do::Undo { editor.undo() } else { editor.redo() };
            x.query().check();
            x.popup = None;
            if !done {
                s.say(if action == Do::Undo { "nothing to take back" } else { "nothing to make again" }, false);
            }
        }
        Do::Complete if x.popup.is_some() => x.take_offer(),
        Do::Complete => {
            x.offer(true);
            if x.popup.is_none() {
                s.say("nothing to offer here", false);
            }
        }
        Do::History => {
            x.offer_history();
            if x.popup.is_none() {
                s.say("no other query was run that contains this", false);
            }
        }
        Do::Metrics => metrics::open(s),
        Do::Run => return run(s),
        Do::NextPane | Do::PreviousPane => pane(s, action == Do::NextPane),
        Do::Edit => x.focus = Focus::Editor,
        Do::New if x.queries.len() >= QUERIES => s.say(format!("{QUERIES} queries are the most"), false),
        Do::New => {
            // A blank one is as good as new.
            let blank = x.queries.iter().position(QueryBox::is_blank);
            x.at = blank.unwrap_or(x.queries.len());
            if blank.is_none() {
                x.queries.push(QueryBox::default());
            }
            x.focus = Focus::Editor;
        }
        Do::Drop => {
            let at = x.at;
            let query = x.queries.remove(at);
            // The places of the others change, and with them the keys of their series.
            x.hidden.clear();
            x.solo = None;
            x.query();
            x.renumber();
            x.reselect();
            s.say(format!("dropped: {}", term_safe(query.editor.text().trim())), false);
            return query.running.map(|r| Effect::Cancel(r.id)).into_iter().collect();
        }
        Do::Hide => {
            if let Some(key) = x.picked.clone()
                && !x.hidden.remove(&key)
            {
                x.hidden.insert(key);
            }
            x.solo = None;
        }
        Do::Solo => x.solo = if x.solo.is_some() && x.solo == x.picked { None } else { x.picked.clone() },
        Do::Table => x.table = !x.table,
        Do::RangeMenu => {
            let span = x.range.span;
            let at = RANGES.iter().position(|(_, secs)| Duration::from_secs(*secs) >= span);
            s.overlay = Overlay::Ranges(at.unwrap_or(RANGES.len() - 1));
        }
        Do::ZoomIn | Do::ZoomOut => {
            x.zoom(action == Do::ZoomOut, now);
            ranged(s);
        }
        Do::PanBack | Do::PanOn => {
            x.pan(action == Do::PanBack, now);
            ranged(s);
        }
        Do::Live => {
            (x.range.end, x.inspect) = (None, None);
            ranged(s);
        }
        Do::Scale => {
            x.scale = x.scale.next();
            let word = x.scale.word();
            s.say(format!("value axis: {word}"), false);
        }
        Do::Inspect => {
            let (_, to) = x.shown().unwrap_or_else(|| x.edges(now));
            x.inspect = if x.inspect.is_some() { None } else { Some(to) };
        }
        Do::InspectBack | Do::InspectOn => inspect(s, action == Do::InspectOn),
        Do::CopyQuery | Do::CopyCommand | Do::CopySeries => return copy(s, action),
    }
    Vec::new()
}

/// Moves the inspected time by a column's worth.
fn inspect(s: &mut State, on: bool) {
    let now = s.server_now();
    let x = &mut s.explore;
    let (from, to) = x.shown().unwrap_or_else(|| x.edges(now));
    let step = if on { x.step() } else { -x.step() };
    x.inspect = Some(x.inspect.map_or(to, |at| at.saturating_add(step)).clamp(from.min(to), to));
}

/// Goes round: the queries, then the chart.
fn pane(s: &mut State, next: bool) {
    let x = &mut s.explore;
    x.popup = None;
    let last = x.queries.len() - 1;
    (x.focus, x.at) = match (x.focus, next) {
        (Focus::Results, true) => (Focus::Editor, 0),
        (Focus::Results, false) => (Focus::Editor, last),
        (Focus::Editor, true) if x.at < last => (Focus::Editor, x.at + 1),
        (Focus::Editor, false) if x.at > 0 => (Focus::Editor, x.at - 1),
        (Focus::Editor, _) => (Focus::Results, x.at),
    };
}

fn copy(s: &mut State, what: Do) -> Vec<Effect> {
    let x = &mut s.explore;
    let text = match what {
        Do::CopySeries => x.series().nth(x.row).map(|(_, line)| line.whole.clone()).unwrap_or_default(),
        Do::CopyCommand => {
            let (range, query) = (x.range, x.query().editor.text().trim().to_owned());
            let end = range.end.map(|at| format!(" --end {at}")).unwrap_or_default();
            let quoted = query.replace('\'', r"'\''");
            format!("watchdog query '{quoted}' --chart --range {}{end}", Exact(range.span))
        }
        _ => x.query().editor.text().trim().to_owned(),
    };
    crate::tui::update::keys::clipboard(s, text)
}

/// The query and range that the command line names.
pub(crate) fn link(s: &mut State, query: &str, span: Option<Duration>, end: Option<Timestamp>) {
    s.screen = Screen::Explore;
    if let Some(span) = span {
        s.explore.range.span = span;
    }
    s.explore.range.end = end;
    if !query.trim().is_empty() {
        s.explore.remember(query);
        let given_up = s.explore.open(query);
        debug_assert!(given_up.is_empty(), "the interface begins with this");
    }
}

#[cfg(test)]
mod tests;
