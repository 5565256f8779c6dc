//! What messages lead to.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::client::Link;
use crate::tui::action::{Failed, Reply, Request};
use crate::tui::fixture;
use crate::tui::state::link::{Health, Phase};
use crate::tui::state::list::SortKey;
use crate::tui::state::{Item, Overlay, Screen};
use crate::wire::api::Reloaded;
use crate::wire::board::{AlertState, Board, State as MonitorState};
use crate::wire::stream::{Delta, Frame};

fn frame(s: &mut State, frame: Frame) -> Vec<Effect> {
    update(s, Msg::Link(Link::Frame(Box::new(frame))))
}

fn at(secs: u64) -> Msg {
    Msg::Clock(Now { steady: Duration::from_secs(secs), wall: fixture::now() })
}

fn live(board: Board) -> State {
    let mut s = State::new("/run/watchdog.sock".into(), false, Screen::Overview, None);
    update(&mut s, at(5));
    frame(&mut s, Frame::Hello { protocol: 1, version: "0.1.0".into() });
    frame(&mut s, Frame::Snapshot { board: Box::new(board) });
    s
}

fn lost(s: &mut State) {
    let lost = Link::Lost { reason: "reset".into(), attempt: 1, retry_in: Duration::from_secs(3) };
    update(s, Msg::Link(lost));
}

fn code(s: &mut State, code: KeyCode) -> Vec<Effect> {
    update(s, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn ctrl(s: &mut State, c: char) -> Vec<Effect> {
    update(s, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
}

/// Types; `\n` is Enter. Returns the effects of the last key.
fn press(s: &mut State, keys: &str) -> Vec<Effect> {
    let key = |c| match c {
        '\n' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    keys.chars().map(|c| code(s, key(c))).last().unwrap_or_default()
}

fn selected(s: &State) -> &str {
    s.list.selected.as_ref().map_or("", |n| n.as_str())
}

fn toast(s: &State) -> &str {
    s.toast.as_ref().map_or("", |t| &t.text)
}

fn ask(request: Request) -> Effect {
    Effect::Ask(request)
}

#[test]
fn digits_go_to_screens_and_escape_goes_back_but_never_quits() {
    let mut s = live(fixture::incident());
    press(&mut s, "3");
    assert_eq!(s.screen, Screen::Monitors);
    press(&mut s, "0");
    assert_eq!(s.screen, Screen::Config);
    for _ in 0..5 {
        assert!(!press(&mut s, "\x1b").contains(&Effect::Quit));
    }
    assert_eq!(s.screen, Screen::Overview);
}

#[test]
fn q_closes_help_and_else_quits() {
    let mut s = live(fixture::incident());
    assert!(press(&mut s, "?q").is_empty());
    assert_eq!(s.overlay, Overlay::None);
    assert_eq!(press(&mut s, "q"), [Effect::Quit]);
}

#[test]
fn ctrl_c_quits_from_a_text_field_where_q_is_a_letter() {
    let mut s = live(fixture::incident());
    assert!(press(&mut s, "3/q").is_empty());
    assert_eq!(s.list.filter.text(), "q");
    assert_eq!(ctrl(&mut s, 'c'), [Effect::Quit]);
}

#[test]
fn pasted_text_runs_nothing_outside_of_a_field() {
    let mut s = live(fixture::incident());
    assert!(update(&mut s, Msg::Paste("q\nr3".into())).is_empty());
    assert_eq!(s.screen, Screen::Overview);
    assert!(toast(&s).contains("ignored"));
    press(&mut s, "3/");
    update(&mut s, Msg::Paste("api\x1b[2J\n".into()));
    assert_eq!(s.list.filter.text(), "api[2J");
}

#[test]
fn the_cursor_stays_on_its_monitor_when_rows_move() {
    let mut s = live(fixture::incident());
    press(&mut s, "3jjj");
    let before = selected(&s).to_owned();
    let row = Arc::new(fixture::row("aaa-new", MonitorState::Down));
    let delta = Delta { from_rev: 1, to_rev: 2, at: fixture::now(), monitors: vec![row], ..Delta::default() };
    frame(&mut s, Frame::Delta(Box::new(delta)));
    assert_eq!(selected(&s), before);
    assert_eq!(s.list.at, 4);
    assert!(press(&mut s, "r").contains(&ask(Request::Run(fixture::name(&before)))));
}

#[test]
fn the_overviews_cursor_stays_on_its_thing_too() {
    let mut s = live(fixture::incident());
    press(&mut s, "jjjjjj");
    let before = s.overview.selected.clone();
    assert!(matches!(before, Some(Item::Monitor(_))), "{before:?}");
    let mut alerts = s.board.as_ref().unwrap().alerts.clone();
    alerts.truncate(1);
    let delta = Delta { from_rev: 1, to_rev: 2, at: fixture::now(), alerts: Some(alerts), ..Delta::default() };
    frame(&mut s, Frame::Delta(Box::new(delta)));
    assert_eq!(s.overview.selected, before);
}

#[test]
fn enter_on_an_alert_opens_its_monitor_and_escape_returns_to_the_alert() {
    let mut s = live(fixture::incident());
    let before = s.overview.selected.clone();
    let effects = press(&mut s, "\n");
    assert_eq!(s.open, Some(fixture::name("api-checkout")));
    assert!(effects.contains(&ask(Request::Detail(fixture::name("api-checkout")))));
    press(&mut s, "\x1b");
    assert_eq!((s.open.as_ref(), s.screen), (None, Screen::Overview));
    assert_eq!(s.overview.selected, before);
}

#[test]
fn enter_on_a_type_lists_its_monitors() {
    let mut s = live(fixture::calm());
    press(&mut s, "jj\n");
    assert_eq!((s.screen, s.list.filter.text()), (Screen::Monitors, "type:http"));
    assert_eq!(s.list.order.len(), 3);
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_escape_clears_it() {
    let mut s = live(fixture::incident());
    press(&mut s, "3/api");
    assert_eq!(s.list.order.len(), 5);
    press(&mut s, "-ch\n");
    assert_eq!((s.list.order.len(), s.overlay.clone()), (1, Overlay::None));
    press(&mut s, "\x1b");
    assert_eq!((s.list.order.len(), s.screen), (10, Screen::Monitors));
}

#[test]
fn text_fields_edit_as_shells_do() {
    let mut s = live(fixture::incident());
    press(&mut s, "3/state:down team=web");
    ctrl(&mut s, 'w');
    assert_eq!(s.list.filter.text(), "state:down ");
    code(&mut s, KeyCode::Backspace);
    code(&mut s, KeyCode::Backspace);
    assert_eq!(s.list.filter.text(), "state:dow");
    ctrl(&mut s, 'u');
    assert_eq!(s.list.filter.text(), "");
    assert_eq!(s.list.order.len(), 10);
}

#[test]
fn the_sort_menu_sorts_and_the_capital_reverses() {
    let mut s = live(fixture::incident());
    press(&mut s, "3oj\n");
    assert_eq!(s.list.sort, SortKey::Name);
    let first = |s: &State| s.board.as_ref().unwrap().monitors[s.list.order[0] as usize].name.to_string();
    assert_eq!(first(&s), "api-auth");
    press(&mut s, "O");
    assert_eq!(first(&s), "店-checkout");
    press(&mut s, "o\x1b");
    assert_eq!((s.list.sort, s.overlay.clone()), (SortKey::Name, Overlay::None));
}

#[test]
fn gg_and_capital_g_reach_the_ends() {
    let mut s = live(fixture::incident());
    press(&mut s, "3G");
    assert_eq!(s.list.at, 9);
    press(&mut s, "g");
    assert_eq!(s.list.at, 9);
    press(&mut s, "g");
    assert_eq!(s.list.at, 0);
    press(&mut s, "Ggjg");
    assert_eq!(s.list.at, 9);
}

#[test]
fn the_next_monitor_opens_from_the_detail() {
    let mut s = live(fixture::incident());
    press(&mut s, "3\n");
    press(&mut s, "n");
    assert_eq!(s.open, Some(fixture::name("api-payments")));
    press(&mut s, "N");
    assert_eq!(s.open, Some(fixture::name("api-checkout")));
}

#[test]
fn a_probe_is_asked_for_once_and_its_result_is_told() {
    let mut s = live(fixture::incident());
    let run = Request::Run(fixture::name("api-checkout"));
    assert!(press(&mut s, "3r").contains(&ask(run.clone())));
    assert!(!press(&mut s, "r").contains(&ask(run.clone())));
    let result = fixture::detail("api-checkout", MonitorState::Down).last.unwrap();
    update(&mut s, Msg::Reply(run.clone(), Ok(Reply::Ran(Box::new(result)))));
    assert_eq!(toast(&s), "api-checkout: down in 10s: timeout after 10s in processing");
    assert!(press(&mut s, "r").contains(&ask(run.clone())));
    update(&mut s, Msg::Reply(run, Err(Failed { message: "it is paused".into() })));
    assert!(s.toast.as_ref().is_some_and(|t| t.error && t.text.contains("it is paused")));
}

#[test]
fn nothing_is_changed_without_a_connection_or_when_read_only() {
    let mut s = live(fixture::incident());
    s.read_only = true;
    assert!(press(&mut s, "3r").iter().all(|e| !matches!(e, Effect::Ask(Request::Run(_)))));
    assert!(toast(&s).contains("read only"));
    s.read_only = false;
    lost(&mut s);
    assert_eq!(press(&mut s, "r"), [Effect::Retry]);
    press(&mut s, "0");
    assert_eq!(press(&mut s, "r"), [Effect::Retry]);
}

#[test]
fn silence_makes_data_old_and_r_renews_the_connection() {
    let mut s = live(fixture::incident());
    update(&mut s, at(15));
    assert!(s.is_fresh());
    update(&mut s, at(16));
    assert!(!s.is_fresh());
    assert_eq!(press(&mut s, "r"), [Effect::Resync]);
    frame(&mut s, Frame::Heartbeat { rev: 1, at: fixture::now() });
    assert!(!s.is_fresh(), "only a whole board is trusted after a renewal");
    frame(&mut s, Frame::Snapshot { board: Box::new(fixture::incident()) });
    assert!(s.is_fresh());
}

#[test]
fn a_heartbeat_brings_silent_data_back_to_life() {
    let mut s = live(fixture::incident());
    update(&mut s, at(16));
    frame(&mut s, Frame::Heartbeat { rev: 1, at: fixture::now() });
    assert!(s.is_fresh());
}

#[test]
fn a_gap_asks_for_a_new_board() {
    let mut s = live(fixture::incident());
    let delta = Delta { from_rev: 7, to_rev: 8, at: fixture::now(), ..Delta::default() };
    assert_eq!(frame(&mut s, Frame::Delta(Box::new(delta.clone()))), [Effect::Resync]);
    assert_eq!(s.health(), Health::Resync);
    assert!(frame(&mut s, Frame::Delta(Box::new(delta))).is_empty(), "asked for once");
    let mut s = live(fixture::incident());
    assert_eq!(frame(&mut s, Frame::Heartbeat { rev: 2, at: fixture::now() }), [Effect::Resync]);
}

#[test]
fn the_way_back_tells_what_changed_and_keeps_the_cursor() {
    let mut s = live(fixture::incident());
    press(&mut s, "3jj");
    let before = selected(&s).to_owned();
    lost(&mut s);
    update(&mut s, at(63));
    let mut board = fixture::incident();
    Arc::make_mut(&mut board.server).pid = 1;
    Arc::make_mut(&mut board.monitors[0]).state = MonitorState::Down;
    Arc::make_mut(&mut board.alerts[0]).state = AlertState::Resolved;
    Arc::make_mut(&mut board.alerts[3]).state = AlertState::Firing;
    frame(&mut s, Frame::Hello { protocol: 1, version: "0.1.0".into() });
    assert!(!s.is_fresh());
    frame(&mut s, Frame::Snapshot { board: Box::new(board) });
    assert_eq!(
        toast(&s),
        "back after 58s: the server was restarted, 1 new alert, 1 no longer firing, 1 monitor changed"
    );
    assert_eq!(selected(&s), before);
}

#[test]
fn a_lost_connection_counts_down_and_keeps_the_board() {
    let mut s = live(fixture::incident());
    frame(&mut s, Frame::Goodbye { reason: "shutting down".into() });
    lost(&mut s);
    assert!(s.board.is_some());
    let Health::Down(down) = s.health() else { panic!("{:?}", s.health()) };
    assert_eq!((down.attempt, down.retry_at), (1, Some(Duration::from_secs(8))));
    update(&mut s, Msg::Link(Link::Connecting { attempt: 2 }));
    let Health::Down(down) = s.health() else { panic!("{:?}", s.health()) };
    assert_eq!((down.attempt, down.retry_at), (2, None));
    assert_eq!(s.link.goodbye.as_deref(), Some("shutting down"));
}

#[test]
fn another_protocol_is_refused_until_the_server_speaks_ours() {
    let mut s = State::new("/s".into(), false, Screen::Overview, None);
    frame(&mut s, Frame::Hello { protocol: 2, version: "9".into() });
    frame(&mut s, Frame::Snapshot { board: Box::new(fixture::calm()) });
    lost(&mut s);
    assert!(matches!(s.link.phase, Phase::Incompatible { protocol: 2, .. }));
    assert!(s.board.is_none());
    update(&mut s, Msg::Link(Link::Connecting { attempt: 2 }));
    assert!(matches!(s.health(), Health::Incompatible { .. }), "until the next try ends");
    lost(&mut s);
    assert!(matches!(s.health(), Health::Down(_)), "that server is gone");
    frame(&mut s, Frame::Hello { protocol: 1, version: "0.1.0".into() });
    frame(&mut s, Frame::Snapshot { board: Box::new(fixture::calm()) });
    assert!(s.is_fresh());
}

#[test]
fn details_are_fetched_again_when_the_row_changes_but_at_most_once_a_second() {
    let mut s = live(fixture::incident());
    let detail = Request::Detail(fixture::name("api-checkout"));
    assert_eq!(press(&mut s, "\n"), [ask(detail.clone())]);
    assert!(press(&mut s, "j").is_empty(), "one request at a time");
    let reply = || Ok(Reply::Detail(Box::new(fixture::detail("api-checkout", MonitorState::Down))));
    assert!(update(&mut s, Msg::Reply(detail.clone(), reply())).is_empty());
    assert!(update(&mut s, at(9)).is_empty(), "nothing changed");
    let row = Arc::new(fixture::row("api-checkout", MonitorState::Up));
    let delta = |from_rev| Delta {
        from_rev,
        to_rev: from_rev + 1,
        at: fixture::now(),
        monitors: vec![row.clone()],
        ..Delta::default()
    };
    assert_eq!(frame(&mut s, Frame::Delta(Box::new(delta(1)))), [ask(detail.clone())]);
    update(&mut s, Msg::Reply(detail.clone(), reply()));
    let mut again = delta(2);
    again.monitors = vec![Arc::new(fixture::row("api-checkout", MonitorState::Down))];
    assert!(frame(&mut s, Frame::Delta(Box::new(again))).is_empty(), "not within the same second");
    assert_eq!(update(&mut s, at(10)), [ask(detail)]);
}

#[test]
fn a_reply_about_what_is_no_longer_open_is_dropped() {
    let mut s = live(fixture::incident());
    press(&mut s, "\n\x1b");
    let reply = Ok(Reply::Detail(Box::new(fixture::detail("api-checkout", MonitorState::Down))));
    update(&mut s, Msg::Reply(Request::Detail(fixture::name("api-checkout")), reply));
    assert!(s.detail.data.is_none());
}

#[test]
fn a_failed_request_is_shown_and_repeated_after_a_pause() {
    let mut s = live(fixture::incident());
    let detail = Request::Detail(fixture::name("api-checkout"));
    press(&mut s, "\n");
    update(&mut s, Msg::Reply(detail.clone(), Err(Failed { message: "no reply within 5s".into() })));
    assert_eq!(s.detail.error.as_deref(), Some("no reply within 5s"));
    assert!(update(&mut s, at(7)).is_empty());
    assert_eq!(update(&mut s, at(8)), [ask(detail)]);
}

#[test]
fn the_configuration_is_fetched_when_looked_at_and_when_it_changed() {
    let mut s = live(fixture::incident());
    assert_eq!(press(&mut s, "0"), [ask(Request::Config)]);
    update(&mut s, Msg::Reply(Request::Config, Ok(Reply::Config(Box::new(fixture::config())))));
    assert!(press(&mut s, "jjj").is_empty());
    assert_eq!(s.config.at, 1);
    assert_eq!(press(&mut s, "y"), [Effect::Copy("monitors.d/edge.yaml:44:14".into())]);
    let mut engine = (*s.board.as_ref().unwrap().engine).clone();
    engine.problems = 0;
    let delta =
        Delta { from_rev: 1, to_rev: 2, at: fixture::now(), engine: Some(Arc::new(engine)), ..Delta::default() };
    assert_eq!(frame(&mut s, Frame::Delta(Box::new(delta))), [ask(Request::Config)]);
}

#[test]
fn a_reload_tells_what_it_changed() {
    let mut s = live(fixture::incident());
    press(&mut s, "0");
    assert!(press(&mut s, "r").contains(&ask(Request::Reload)));
    let reloaded = Reloaded {
        added: vec!["a".into()],
        removed: vec!["b".into(), "c".into()],
        unchanged: 7,
        ..Reloaded::default()
    };
    update(&mut s, Msg::Reply(Request::Reload, Ok(Reply::Reloaded(Box::new(reloaded)))));
    assert_eq!(toast(&s), "reloaded: a added, 2 removed, 7 unchanged");
}

#[test]
fn a_name_is_handed_to_the_clipboard_without_claiming_that_it_arrived() {
    let mut s = live(fixture::incident());
    assert!(press(&mut s, "3y").contains(&Effect::Copy("api-checkout".into())));
    assert!(toast(&s).starts_with("sent to"));
}

#[test]
fn messages_go_after_four_seconds_and_errors_with_the_next_key() {
    let mut s = live(fixture::incident());
    s.say("note", false);
    update(&mut s, at(8));
    assert_eq!(toast(&s), "note");
    update(&mut s, at(9));
    assert!(s.toast.is_none());
    s.say("error", true);
    update(&mut s, at(99));
    assert_eq!(toast(&s), "error");
    press(&mut s, "j");
    assert!(s.toast.is_none());
}

#[test]
fn a_heartbeat_on_a_live_screen_is_no_reason_to_draw() {
    let mut s = live(fixture::incident());
    let rev = s.rev;
    frame(&mut s, Frame::Heartbeat { rev: 1, at: fixture::now() });
    assert_eq!(s.rev, rev);
}

#[test]
fn help_scrolls_within_its_lines_and_can_be_searched() {
    let mut s = live(fixture::incident());
    press(&mut s, "?G");
    let Overlay::Help { scroll, .. } = s.overlay else { panic!("{:?}", s.overlay) };
    let lines = crate::tui::keys::binds().count() + crate::tui::keys::Context::ALL.len();
    assert!(scroll > 0 && scroll < lines, "{scroll}");
    press(&mut s, "/suspend\n");
    assert!(matches!(&s.overlay, Overlay::Help { query, scroll: 0, typing: false } if query == "suspend"));
    press(&mut s, "\x1b");
    assert!(matches!(&s.overlay, Overlay::Help { query, .. } if query.is_empty()));
    press(&mut s, "\x1b");
    assert_eq!(s.overlay, Overlay::None);
}

#[test]
fn terminal_keys_become_effects() {
    let mut s = live(fixture::incident());
    assert_eq!(ctrl(&mut s, 'z'), [Effect::Suspend]);
    assert_eq!(ctrl(&mut s, 'l'), [Effect::Repaint]);
    assert_eq!(ctrl(&mut s, 'c'), [Effect::Quit]);
}

#[test]
fn a_crashed_task_is_told_and_what_it_fetched_is_asked_again() {
    let mut s = live(fixture::incident());
    press(&mut s, "\n");
    update(&mut s, Msg::TaskPanicked("request".into()));
    assert!(toast(&s).contains("crashed"));
    assert_eq!(update(&mut s, at(6)), [ask(Request::Detail(fixture::name("api-checkout")))]);
}
