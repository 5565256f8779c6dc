//! Keys and answers of the Explore screen.

use std::time::Duration;

use crate::base::term_safe::term_safe;
use crate::base::time::Timestamp;
use crate::base::units::Exact;
use crate::tui::action::{Effect, Explore as Do, Failed, Reply};
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::state::explore::editor::Motion;
use crate::tui::state::explore::result::Ran;
use crate::tui::state::explore::{Focus, QUERIES, QueryBox, RANGES, Range, Why};
use crate::tui::state::{Overlay, Screen, State};
use crate::wire::query::Ask;

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

/// Enters text at the cursor of the query.
pub(crate) fn insert(s: &mut State, text: &str) {
    s.explore.query().editor.insert(text);
    edited(s);
}

fn edited(s: &mut State) {
    s.explore.query().check();
    s.explore.recalled = None;
    if s.explore.popup.as_ref().is_some_and(|p| p.history) { s.explore.offer_history() } else { s.explore.offer(false) }
}

/// Moves the text cursor.
pub(crate) fn go(s: &mut State, motion: Motion) {
    s.explore.query().editor.go(motion);
    s.explore.popup = None;
}

/// Deletes text.
pub(crate) fn delete(s: &mut State, motion: Motion) {
    s.explore.query().editor.delete(motion);
    edited(s);
}

/// Moves a cursor up or down: that of the offers, of the text, of the history, of the legend.
pub(crate) fn step(s: &mut State, by: isize) {
    let x = &mut s.explore;
    if let Some(popup) = &mut x.popup {
        popup.at = popup.at.saturating_add_signed(by).min(popup.items.len().saturating_sub(1));
        popup.moved = true;
    } else if x.focus == Focus::Results {
        x.select(x.row.saturating_add_signed(by));
    } else if !x.query().editor.vertical(by > 0) {
        recall(s, by > 0);
    }
}

/// Puts the next query of the history into the field; beyond the newest one what was there before.
fn recall(s: &mut State, newer: bool) {
    let x = &mut s.explore;
    let written = x.query().editor.text().to_owned();
    let (place, kept) = x.recalled.take().unwrap_or((x.history.len(), written.clone()));
    let next = if newer { place + 1 } else { place.wrapping_sub(1) };
    let text = match x.history.get(next) {
        Some(text) if *text == written && !newer => x.history.get(next.wrapping_sub(1)).cloned(),
        Some(text) => Some(text.clone()),
        None if newer && place < x.history.len() => Some(kept.clone()),
        None => None,
    };
    let Some(text) = text else {
        x.recalled = (place < x.history.len()).then_some((place, kept));
        return;
    };
    let next = x.history.iter().position(|h| *h == text).unwrap_or(x.history.len());
    x.query().editor.set(&text);
    x.query().check();
    x.recalled = Some((next, kept));
}

/// Accepts an offer that was moved to, else runs the query.
pub(crate) fn accept(s: &mut State) -> Vec<Effect> {
    if s.explore.popup.as_ref().is_some_and(|p| p.moved) {
        s.explore.take_offer();
        return Vec::new();
    }
    run(s)
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
        Do::NewLine => insert(s, "\n"),
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

/// Takes in the answer to a question, unless a newer one was asked since.
pub(crate) fn answered(s: &mut State, id: u64, ask: &Ask, result: Result<Reply, Failed>) {
    let x = &mut s.explore;
    let Some(i) = x.queries.iter().position(|q| q.running.is_some_and(|r| r.id == id)) else { return };
    let query = &mut x.queries[i];
    query.running = None;
    match result {
        Ok(Reply::Queried(reply)) => {
            let other = query.ran.as_ref().is_none_or(|ran| ran.query != ask.query);
            query.ran = Some(Ran::of(i, ask, *reply));
            query.error = None;
            x.assign_strokes(other);
        }
        Ok(_) => query.error = Some("the server answered another question".to_owned()),
        Err(failed) => query.error = Some(failed.message),
    }
    x.reselect();
}

/// Takes in a list of names.
pub(crate) fn named(s: &mut State, of: &NamesOf, result: Result<Reply, Failed>) {
    let names = match result {
        Ok(Reply::Names(names)) => Some(names),
        // Offers are a convenience; what is wrong is told when the query is run.
        Ok(_) | Err(_) => None,
    };
    s.explore.names.take(of, names);
    if s.explore.popup.as_ref().is_some_and(|p| !p.history) {
        s.explore.offer(true);
    }
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
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::client::Link;
    use crate::tui::action::{Msg, Now, Request};
    use crate::tui::fixture;
    use crate::tui::update::update;
    use crate::wire::query::When;
    use crate::wire::stream::Frame;

    fn live() -> State {
        let mut s = State::new("/s".into(), false, Screen::Overview, None);
        at(&mut s, 5);
        for frame in [
            Frame::Hello { protocol: 1, version: "0.1.0".into() },
            Frame::Snapshot { board: Box::new(fixture::incident()) },
        ] {
            update(&mut s, Msg::Link(Link::Frame(Box::new(frame))));
        }
        s
    }

    /// Moves both clocks; the server is heard all the while.
    fn at(s: &mut State, secs: u64) -> Vec<Effect> {
        let wall = fixture::now().plus(Duration::from_secs(secs.saturating_sub(5)));
        let mut effects = update(s, Msg::Clock(Now { steady: Duration::from_secs(secs), wall }));
        let beat = Frame::Heartbeat { rev: 1, at: wall };
        effects.extend(update(s, Msg::Link(Link::Frame(Box::new(beat)))));
        effects
    }

    fn key(s: &mut State, code: KeyCode, held: KeyModifiers) -> Vec<Effect> {
        update(s, Msg::Key(KeyEvent::new(code, held)))
    }

    /// `\n` is Enter, `\t` Tab; returns the effects of the last key.
    fn press(s: &mut State, keys: &str) -> Vec<Effect> {
        let code = |c| match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        keys.chars().map(|c| key(s, code(c), KeyModifiers::NONE)).last().unwrap_or_default()
    }

    fn ctrl(s: &mut State, c: char) -> Vec<Effect> {
        key(s, KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    #[track_caller]
    fn asked(effects: &[Effect]) -> (u64, Ask) {
        let found = effects.iter().find_map(|e| match e {
            Effect::Ask(Request::Query { id, ask }) => Some((*id, Ask::clone(ask))),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no question in {effects:?}"))
    }

    fn reply(s: &mut State, effects: &[Effect], services: &[&str]) {
        let (id, ask) = asked(effects);
        let result = Ok(Reply::Queried(Box::new(fixture::answer(services))));
        update(s, Msg::Reply(Request::Query { id, ask: Box::new(ask) }, result));
    }

    fn written(s: &mut State) -> String {
        s.explore.query().editor.text().to_owned()
    }

    #[test]
    fn enter_asks_for_what_is_written_over_the_range_at_whole_steps() {
        let mut s = live();
        let effects = press(&mut s, "5up == 0\n");
        let (_, ask) = asked(&effects);
        assert_eq!(ask.query, "up == 0");
        let When::Range { start, end, step } = ask.when else { panic!("{ask:?}") };
        assert_eq!((end.since(start), step), (Duration::from_secs(3_600), Duration::from_secs(30)));
        assert_eq!(end.millis() % 30_000, 0);
        reply(&mut s, &effects, &["a", "b"]);
        assert_eq!(s.explore.rows(), 2);
    }

    #[test]
    fn digits_are_text_in_the_field_and_screens_beside_it() {
        let mut s = live();
        press(&mut s, "5up > 3");
        assert_eq!((s.screen, written(&mut s).as_str()), (Screen::Explore, "up > 3"));
        press(&mut s, "\x1b3");
        assert_eq!(s.screen, Screen::Monitors);
        press(&mut s, "5");
        assert_eq!(written(&mut s), "up > 3", "what was written is kept");
    }

    #[test]
    fn a_mistake_is_not_sent() {
        let mut s = live();
        press(&mut s, "5rate(up)");
        assert!(s.explore.query().problem.is_some());
        assert!(press(&mut s, "\n").is_empty());
        assert!(s.toast.as_ref().is_some_and(|t| t.text.contains("mistake")));
        press(&mut s, "\x1be");
        for _ in 0..9 {
            key(&mut s, KeyCode::Backspace, KeyModifiers::NONE);
        }
        assert!(s.explore.query().problem.is_none(), "nothing is wrong with nothing");
    }

    #[test]
    fn a_range_of_samples_is_told_to_need_a_function() {
        let mut s = live();
        press(&mut s, "5up[5m]");
        let problem = s.explore.query().problem.clone().unwrap();
        assert!(problem.hint.unwrap().contains("rate"));
    }

    #[test]
    fn five_on_a_monitor_draws_its_latency_and_esc_leads_back() {
        let mut s = live();
        press(&mut s, "3\n");
        let open = s.open.clone();
        let effects = press(&mut s, "5");
        assert_eq!(asked(&effects).1.query, r#"probe_duration_seconds{monitor="api-checkout"}"#);
        assert_eq!(s.open, None);
        reply(&mut s, &effects, &["a"]);
        press(&mut s, "\x1b");
        assert_eq!((s.screen, s.open.clone()), (Screen::Monitors, open));
    }

    #[test]
    fn a_live_chart_is_asked_again_after_a_step_and_a_fixed_one_is_not() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a"]);
        press(&mut s, "\x1b");
        assert!(at(&mut s, 34).is_empty());
        let effects = at(&mut s, 35);
        assert_eq!(asked(&effects).1.query, "up");
        assert!(at(&mut s, 80).is_empty(), "one question at a time");
        reply(&mut s, &effects, &["a"]);
        let effects = press(&mut s, "[");
        reply(&mut s, &effects, &["a"]);
        assert!(at(&mut s, 200).is_empty());
        let effects = press(&mut s, "=");
        let When::Range { end, .. } = asked(&effects).1.when else { panic!("no range") };
        assert!(s.server_now().since(end) < Duration::from_secs(30));
    }

    #[test]
    fn a_refresh_asks_for_what_was_run_not_for_what_is_being_written() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a"]);
        press(&mut s, " + on");
        assert_eq!(asked(&at(&mut s, 60)).1.query, "up");
    }

    #[test]
    fn an_answer_to_an_older_question_is_dropped() {
        let mut s = live();
        let first = press(&mut s, "5up\n");
        let second = press(&mut s, "3\n");
        assert!(second.contains(&Effect::Cancel(asked(&first).0)));
        reply(&mut s, &first, &["old"]);
        assert_eq!(s.explore.rows(), 0);
        reply(&mut s, &second, &["a", "b", "c"]);
        assert_eq!(s.explore.rows(), 3);
    }

    #[test]
    fn esc_stops_a_query_before_it_leaves() {
        let mut s = live();
        let (id, _) = asked(&press(&mut s, "5up\n"));
        assert_eq!(press(&mut s, "\x1b"), [Effect::Cancel(id)]);
        assert_eq!((s.screen, s.explore.focus), (Screen::Explore, Focus::Editor));
        press(&mut s, "\x1b");
        assert_eq!(s.explore.focus, Focus::Results);
        press(&mut s, "\x1b");
        assert_eq!(s.screen, Screen::Overview);
    }

    #[test]
    fn the_query_of_a_monitor_takes_the_place_of_what_runs() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a"]);
        press(&mut s, "\x1b ");
        assert_eq!(s.explore.hidden.len(), 1);
        let (id, _) = asked(&press(&mut s, "+"));
        press(&mut s, "3\n");
        let effects = press(&mut s, "5");
        assert!(effects.contains(&Effect::Cancel(id)), "{effects:?}");
        assert!(s.explore.hidden.is_empty());
    }

    #[test]
    fn zooming_keeps_the_end_or_the_inspected_time_in_view() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a"]);
        let effects = press(&mut s, "\x1b+");
        assert_eq!((s.explore.range.span, s.explore.range.end), (Duration::from_secs(1_800), None));
        reply(&mut s, &effects, &["a"]);
        for _ in 0..60 {
            press(&mut s, "h");
        }
        let seen = s.explore.inspect.unwrap();
        press(&mut s, "+");
        let (from, to) = s.explore.edges(s.server_now());
        assert!((from..=to).contains(&seen) && s.explore.range.end.is_some());
        for _ in 0..80 {
            press(&mut s, "-");
        }
        for _ in 0..80 {
            press(&mut s, "+[]");
        }
        assert_eq!(s.explore.range.span, Duration::from_secs(60));
    }

    #[test]
    fn the_cursor_stays_on_its_series_when_others_come() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["b", "c"]);
        press(&mut s, "\x1bj ");
        assert_eq!(s.explore.row, 1);
        let effects = at(&mut s, 60);
        reply(&mut s, &effects, &["a", "b", "c"]);
        assert_eq!(s.explore.row, 2);
        let drawn: Vec<bool> = s.explore.series().map(|(_, line)| s.explore.drawn()(&line.key)).collect();
        assert_eq!(drawn, [true, true, false], "what was hidden stays hidden");
    }

    #[test]
    fn tab_takes_an_offer_that_the_server_named() {
        let mut s = live();
        let effects = press(&mut s, "5prob");
        assert_eq!(press(&mut s, ""), []);
        let names = Request::Names(NamesOf::Metrics);
        assert!(s.explore.popup.is_some() || effects.contains(&Effect::Ask(names.clone())), "{effects:?}");
        update(&mut s, Msg::Reply(names, Ok(Reply::Names(vec!["probe_duration_seconds".into(), "up".into()]))));
        press(&mut s, "\t");
        assert_eq!(written(&mut s), "probe_duration_seconds");
        let effects = press(&mut s, "{");
        let labels = NamesOf::Labels(Some(r#"{__name__="probe_duration_seconds"}"#.into()));
        assert!(effects.contains(&Effect::Ask(Request::Names(labels.clone()))), "{effects:?}");
        update(&mut s, Msg::Reply(Request::Names(labels), Ok(Reply::Names(vec!["job".into(), "monitor".into()]))));
        press(&mut s, "mo\t=\"");
        let of = NamesOf::Values("monitor".into(), Some(r#"{__name__="probe_duration_seconds"}"#.into()));
        update(&mut s, Msg::Reply(Request::Names(of), Ok(Reply::Names(vec!["a\"b".into()]))));
        press(&mut s, "\t");
        assert_eq!(written(&mut s), r#"probe_duration_seconds{monitor="a\"b"#);
    }

    #[test]
    fn enter_runs_unless_the_mark_was_moved() {
        let mut s = live();
        press(&mut s, "5ra");
        assert!(s.explore.popup.is_some());
        let effects = press(&mut s, "\n");
        assert_eq!(asked(&effects).1.query, "ra");
        ctrl(&mut s, 'u');
        press(&mut s, "ra");
        key(&mut s, KeyCode::Down, KeyModifiers::NONE);
        let effects = press(&mut s, "\n");
        assert!(!effects.iter().any(|e| matches!(e, Effect::Ask(Request::Query { .. }))));
        assert!(written(&mut s).starts_with("ran"), "{}", written(&mut s));
    }

    #[test]
    fn queries_that_were_run_come_back() {
        let mut s = live();
        press(&mut s, "5");
        for query in ["up", "sum(up)", "up"] {
            ctrl(&mut s, 'u');
            press(&mut s, query);
            press(&mut s, "\n");
        }
        ctrl(&mut s, 'u');
        press(&mut s, "dra");
        let up = |s: &mut State| {
            s.explore.popup = None;
            key(s, KeyCode::Up, KeyModifiers::NONE);
            written(s)
        };
        assert_eq!((up(&mut s).as_str(), up(&mut s).as_str(), up(&mut s).as_str()), ("up", "sum(up)", "sum(up)"));
        key(&mut s, KeyCode::Down, KeyModifiers::NONE);
        key(&mut s, KeyCode::Down, KeyModifiers::NONE);
        assert_eq!(written(&mut s), "dra", "what was being written is not lost");
        ctrl(&mut s, 'u');
        press(&mut s, "su");
        s.explore.popup = None;
        ctrl(&mut s, 'r');
        press(&mut s, "\n");
        assert_eq!(written(&mut s), "sum(up)");
    }

    #[test]
    fn pasted_text_enters_the_query_and_runs_nothing() {
        let mut s = live();
        press(&mut s, "5");
        let effects = update(&mut s, Msg::Paste("sum(\r\n  up\n)".into()));
        assert!(!effects.iter().any(|e| matches!(e, Effect::Ask(Request::Query { .. }))));
        assert_eq!(written(&mut s), "sum(\n  up\n)");
    }

    #[test]
    fn queries_are_added_walked_through_and_dropped() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a"]);
        press(&mut s, "\x1bnsum(up)");
        let effects = press(&mut s, "\n");
        reply(&mut s, &effects, &["a", "b"]);
        assert_eq!((s.explore.queries.len(), s.explore.rows()), (2, 3));
        press(&mut s, "\x1b\t");
        assert_eq!((s.explore.at, s.explore.focus), (0, Focus::Editor));
        press(&mut s, "\x1bD");
        assert_eq!((s.explore.queries.len(), s.explore.rows()), (1, 2));
        assert!(s.explore.series().all(|(query, line)| (query, line.key.query) == (0, 0)));
        press(&mut s, "D");
        assert_eq!((s.explore.queries.len(), s.explore.rows()), (1, 0), "there is always one");
    }

    #[test]
    fn the_command_that_asks_the_same_is_copied() {
        let mut s = live();
        let effects = press(&mut s, "5up{a='b'}\n");
        reply(&mut s, &effects, &["a"]);
        press(&mut s, "\x1by");
        let command = r"watchdog query 'up{a='\''b'\''}' --chart --range 1h";
        assert_eq!(press(&mut s, "c"), [Effect::Copy(command.into())]);
        press(&mut s, "y");
        assert_eq!(press(&mut s, "q"), [Effect::Copy("up{a='b'}".into())], "q is no quit behind y");
    }

    #[test]
    fn a_link_opens_its_query_over_its_range() {
        let mut s = State::new("/s".into(), false, Screen::Overview, None);
        link(&mut s, "up==0", Some(Duration::from_secs(21_600)), None);
        at(&mut s, 5);
        let hello = Frame::Hello { protocol: 1, version: "0.1.0".into() };
        assert!(update(&mut s, Msg::Link(Link::Frame(Box::new(hello)))).is_empty());
        let board = Frame::Snapshot { board: Box::new(fixture::calm()) };
        let (_, ask) = asked(&update(&mut s, Msg::Link(Link::Frame(Box::new(board)))));
        let When::Range { start, end, .. } = ask.when else { panic!("{ask:?}") };
        assert_eq!((ask.query.as_str(), end.since(start)), ("up==0", Duration::from_secs(21_600)));
    }

    #[test]
    fn lines_keep_their_look_when_values_change() {
        let mut s = live();
        let effects = press(&mut s, "5up\n");
        reply(&mut s, &effects, &["a", "b", "c", "d", "e", "f"]);
        let look =
            |s: &State| s.explore.series().map(|(_, l)| (l.name.clone(), s.explore.stroke(&l.key))).collect::<Vec<_>>();
        let before = look(&s);
        let effects = at(&mut s, 60);
        reply(&mut s, &effects, &["f", "e", "d", "c", "b", "a"]);
        let mut after = look(&s);
        after.reverse();
        assert_eq!(before, after);
    }
}
