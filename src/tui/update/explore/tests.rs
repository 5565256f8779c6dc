//! What keys and answers do on the Explore screen.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::client::Link;
use crate::tui::action::{Effect, Failed, Msg, Now, Reply, Request};
use crate::tui::fixture;
use crate::tui::state::explore::Focus;
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::state::{Overlay, Screen, State};
use crate::tui::update::explore::link;
use crate::tui::update::update;
use crate::wire::query::{Ask, When};
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
fn enter_asks_for_what_is_written_over_the_range_until_this_moment() {
    let mut s = live();
    let effects = press(&mut s, "5up == 0\n");
    let (_, ask) = asked(&effects);
    assert_eq!(ask.query, "up == 0");
    let When::Range { start, end, step } = ask.when else { panic!("{ask:?}") };
    assert_eq!((end.since(start), step), (Duration::from_secs(3_600), Duration::from_secs(30)));
    assert_eq!(end, s.server_now(), "the newest sample is in it");
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

fn metric(name: &str, help: &str, series: u64) -> Metric {
    Metric { name: name.into(), kind: "gauge".into(), help: help.into(), series: Some(series), ..Metric::default() }
}

fn tell_metrics(s: &mut State) {
    let metrics = vec![metric("up", "Whether it answers.", 12), metric("probe_success", "", 3), metric("a.b", "", 1)];
    update(s, Msg::Reply(Request::Metrics, Ok(Reply::Metrics(metrics))));
}

#[test]
fn a_server_that_has_just_begun_shows_its_first_sample_and_then_keeps_its_place() {
    let mut s = live();
    let range = |effects: &[Effect]| match asked(effects).1.when {
        When::Range { start, end, step } => (start, end, step),
        When::At(at) => panic!("{at:?}"),
    };
    let effects = press(&mut s, "5up\n");
    let (_, end, step) = range(&effects);
    assert_eq!(end, s.server_now());
    reply(&mut s, &effects, &[]);
    // Nothing came, so it is asked for again before a step has passed, until that moment again.
    let effects = at(&mut s, 10);
    assert_eq!(range(&effects).1, s.server_now());
    reply(&mut s, &effects, &["a"]);
    let anchored = range(&effects).1;
    assert!(at(&mut s, 39).is_empty());
    let effects = at(&mut s, 47);
    assert_eq!(range(&effects).1, anchored.plus(step), "what is drawn does not shift");
    assert_eq!(range(&effects).1.since(range(&effects).0), Duration::from_secs(3_600));
}

#[test]
fn a_metric_is_looked_for_and_written_into_the_query() {
    let mut s = live();
    press(&mut s, "5sum(");
    let effects = ctrl(&mut s, 'o');
    assert!(!effects.contains(&Effect::Ask(Request::Metrics)), "it was asked for as soon as something was written");
    tell_metrics(&mut s);
    press(&mut s, "answers");
    assert!(matches!(&s.overlay, Overlay::Metrics(b) if b.filter == "answers"));
    press(&mut s, "\n");
    assert_eq!((written(&mut s).as_str(), s.overlay.clone()), ("sum(up", Overlay::None));
    press(&mut s, ") + pr");
    ctrl(&mut s, 'o');
    press(&mut s, "xx");
    press(&mut s, "\n");
    assert_eq!(written(&mut s), "sum(up) + pr", "nothing fits");
    ctrl(&mut s, 'u');
    for code in [KeyCode::Down, KeyCode::Down, KeyCode::Down, KeyCode::Up, KeyCode::Enter] {
        key(&mut s, code, KeyModifiers::NONE);
    }
    assert_eq!(written(&mut s), "sum(up) + probe_success", "in place of the word at the cursor");
    press(&mut s, "\x1b");
    assert_eq!(s.explore.focus, Focus::Results);
    press(&mut s, "m");
    press(&mut s, "\x1b");
    assert_eq!((s.screen, s.explore.focus), (Screen::Explore, Focus::Results), "Esc closes the list only");
    press(&mut s, "m\n");
    assert_eq!(written(&mut s), r#"sum(up) + {"a.b"}"#, "a name beyond the old alphabet is quoted");
}

#[test]
fn metrics_that_were_refused_are_asked_for_again() {
    let mut s = live();
    let effects = press(&mut s, "5u");
    assert!(effects.contains(&Effect::Ask(Request::Metrics)), "{effects:?}");
    update(&mut s, Msg::Reply(Request::Metrics, Err(Failed { message: "no".into() })));
    assert_eq!(s.explore.catalog.error.as_deref(), Some("no"));
    let effects = press(&mut s, "p");
    assert!(effects.contains(&Effect::Ask(Request::Metrics)), "{effects:?}");
    tell_metrics(&mut s);
    assert_eq!((s.explore.catalog.error.clone(), s.explore.catalog.metrics.len()), (None, 3));
    assert!(!press(&mut s, "x").contains(&Effect::Ask(Request::Metrics)), "those are fresh");
}

#[test]
fn what_a_query_would_read_is_told_before_it_is_run() {
    let mut s = live();
    let told = |s: &State| s.explore.preview(&s.explore.queries[0]).map(|p| (p.series, p.steps));
    press(&mut s, "5sum(up");
    tell_metrics(&mut s);
    assert_eq!(told(&s), None, "it is not whole");
    press(&mut s, ") / sum(up{job=\"x\"} + probe_success)");
    assert_eq!(told(&s), Some((15, 121)));
    let effects = press(&mut s, "\n");
    assert_eq!(told(&s), None, "its answer tells");
    reply(&mut s, &effects, &["a"]);
    press(&mut s, " + {job=\"x\"}");
    assert_eq!(told(&s), None, "nobody knows");
}

#[test]
fn what_goes_on_from_what_is_written_is_taken_at_the_end_of_the_line() {
    let mut s = live();
    press(&mut s, "5prob");
    let names = Request::Names(NamesOf::Metrics);
    let known = vec!["probe_duration_seconds".to_owned(), "probe_success".to_owned()];
    update(&mut s, Msg::Reply(names, Ok(Reply::Names(known))));
    assert_eq!(s.explore.ghost(), Some("e_duration_seconds"));
    key(&mut s, KeyCode::Down, KeyModifiers::NONE);
    assert_eq!(s.explore.ghost(), Some("e_success"));
    key(&mut s, KeyCode::Right, KeyModifiers::NONE);
    assert_eq!((written(&mut s).as_str(), s.explore.ghost()), ("probe_success", None));
    key(&mut s, KeyCode::Left, KeyModifiers::NONE);
    key(&mut s, KeyCode::Right, KeyModifiers::NONE);
    assert_eq!(written(&mut s), "probe_success", "nothing is offered once the cursor was moved");
    ctrl(&mut s, 'u');
    press(&mut s, "PROB");
    assert_eq!(s.explore.ghost(), None, "it would not go on from this");
}
