//! Pictures of the screens, and what must hold for every one of them.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::*;
use crate::client::Link;
use crate::tui::action::{Failed, Msg, Now, Order, Question, Reply, Request};
use crate::tui::fixture;
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::theme::{Depth, Glyphs};
use crate::tui::update::update;
use crate::wire::alerting::AckRequest;
use crate::wire::board::{Board, State as MonitorState};
use crate::wire::query::{Ask, When};
use crate::wire::stream::{Delta, Frame};

/// A state that shows `board` as it arrived a moment ago.
pub(super) fn live(board: Board, columns: u16, rows: u16) -> State {
    let mut s = State::new("/run/watchdog.sock".into(), false, Screen::Overview, None);
    let now = Now { steady: Duration::from_secs(5), wall: fixture::now() };
    for msg in [
        Msg::Clock(now),
        Msg::Resize(columns, rows),
        Msg::Link(Link::Frame(Box::new(Frame::Hello { protocol: 1, version: "0.1.0".into() }))),
        Msg::Link(Link::Frame(Box::new(Frame::Snapshot { board: Box::new(board) }))),
    ] {
        update(&mut s, msg);
    }
    s
}

pub(super) fn press(s: &mut State, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        update(s, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

/// Answers the requests for details and configuration.
fn answer(s: &mut State, monitor: &str, state: MonitorState) {
    let detail = Reply::Detail(Box::new(fixture::detail(monitor, state)));
    update(s, Msg::Reply(Request::Detail(fixture::name(monitor)), Ok(detail)));
    update(s, Msg::Reply(Request::Config, Ok(Reply::Config(Box::new(fixture::config())))));
}

/// The server goes silent for `secs`.
pub(super) fn silence(s: &mut State, secs: u64) {
    let now =
        Now { steady: s.now.steady + Duration::from_secs(secs), wall: s.now.wall.plus(Duration::from_secs(secs)) };
    update(s, Msg::Clock(now));
}

pub(super) fn lose(s: &mut State) {
    update(s, Msg::Link(Link::Frame(Box::new(Frame::Goodbye { reason: "shutting down (SIGTERM)".into() }))));
    let lost = Link::Lost { reason: "connection reset by peer".into(), attempt: 3, retry_in: Duration::from_secs(3) };
    update(s, Msg::Link(lost));
}

pub(super) fn cells(s: &State, theme: &Theme) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, s.size.0, s.size.1));
    draw(s, theme, buf.area, &mut buf);
    buf
}

/// The screen as text. Times of day become letters: they depend on the zone of the machine.
pub(super) fn text(s: &State, theme: &Theme) -> String {
    let buf = cells(s, theme);
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol).max(1)).unwrap();
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for (pattern, letters) in [
        (r"\d\d:\d\d:\d\d", "hh:mm:ss"),
        (r"\d\d:\d\d", "hh:mm"),
        (r"\d{4}-\d\d-\d\d", "yyyy-mm-dd"),
        (r"\d\d-\d\d hh", "mm-dd hh"),
    ] {
        out = regex::Regex::new(pattern).unwrap().replace_all(&out, letters).into_owned();
    }
    out
}

pub(super) fn ascii() -> Theme {
    Theme::new(Depth::Mono, Glyphs::Ascii, false)
}

const SIZES: [(u16, u16); 3] = [(80, 24), (140, 40), (40, 12)];

/// Snapshots a screen at all sizes.
fn snapshot(title: &str, build: impl Fn(u16, u16) -> State) {
    for (columns, rows) in SIZES {
        let s = build(columns, rows);
        insta::assert_snapshot!(format!("{title}_{columns}x{rows}"), text(&s, &Theme::default()));
    }
}

#[test]
fn overview_when_calm() {
    snapshot("overview_calm", |c, r| live(fixture::calm(), c, r));
}

#[test]
fn overview_during_an_incident() {
    snapshot("overview_incident", |c, r| live(fixture::incident(), c, r));
}

#[test]
fn overview_after_the_server_went_away() {
    snapshot("overview_lost", |c, r| {
        let mut s = live(fixture::incident(), c, r);
        silence(&mut s, 2);
        lose(&mut s);
        s
    });
}

#[test]
fn overview_in_letters() {
    insta::assert_snapshot!("overview_ascii", text(&live(fixture::incident(), 80, 24), &ascii()));
}

#[test]
fn monitors() {
    snapshot("monitors", |c, r| {
        let mut s = live(fixture::incident(), c, r);
        press(&mut s, "3");
        answer(&mut s, "api-checkout", MonitorState::Down);
        s
    });
}

#[test]
fn monitors_in_letters() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3");
    insta::assert_snapshot!("monitors_ascii", text(&s, &ascii()));
}

#[test]
fn monitors_that_are_old() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3");
    silence(&mut s, 14);
    insta::assert_snapshot!("monitors_stale", text(&s, &Theme::default()));
}

#[test]
fn monitors_while_a_filter_is_typed() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3/!state:ok team=w");
    insta::assert_snapshot!("monitors_typing", text(&s, &Theme::default()));
    press(&mut s, "zzz\n");
    insta::assert_snapshot!("monitors_no_match", text(&s, &Theme::default()));
}

#[test]
fn monitors_with_the_sort_menu() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3oj");
    insta::assert_snapshot!("monitors_menu", text(&s, &Theme::default()));
}

#[test]
fn no_monitors_yet() {
    let mut s = live(fixture::board(&[]), 80, 24);
    press(&mut s, "3");
    insta::assert_snapshot!("monitors_none", text(&s, &Theme::default()));
}

#[test]
fn detail_of_a_monitor_that_is_down() {
    snapshot("detail_down", |c, r| {
        let mut s = live(fixture::incident(), c, r);
        press(&mut s, "3\n");
        answer(&mut s, "api-checkout", MonitorState::Down);
        s
    });
}

#[test]
fn detail_scrolled_to_the_end() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3\n");
    answer(&mut s, "api-checkout", MonitorState::Down);
    press(&mut s, "G");
    insta::assert_snapshot!("detail_end", text(&s, &Theme::default()));
}

/// Scrolls down until a line begins with this, and shows what follows.
fn scrolled_to(columns: u16, rows: u16, title: &str) -> String {
    let mut s = live(fixture::incident(), columns, rows);
    press(&mut s, "3\n");
    answer(&mut s, "api-checkout", MonitorState::Down);
    for _ in 0..200 {
        let seen = text(&s, &Theme::default());
        if seen.lines().nth(3).is_some_and(|line| line.contains(title)) {
            return seen;
        }
        press(&mut s, "j");
    }
    text(&s, &Theme::default())
}

#[test]
fn the_first_failure_stands_beside_the_last_success_where_there_is_room() {
    let wide = scrolled_to(140, 16, "FIRST FAILURE");
    let beside = wide.lines().find(|line| line.contains("FIRST FAILURE")).unwrap();
    assert!(beside.contains("LAST GOOD"), "{wide}");
    insta::assert_snapshot!("detail_captures_140x16", wide);
    let narrow = scrolled_to(80, 24, "FIRST FAILURE");
    assert!(narrow.contains("LAST GOOD") && !narrow.lines().any(|l| l.contains("FIRST") && l.contains("LAST GOOD")));
    insta::assert_snapshot!("detail_captures_80x24", narrow);
}

#[test]
fn detail_of_a_monitor_that_is_up_and_in_letters() {
    let mut s = live(fixture::calm(), 80, 24);
    press(&mut s, "3\n");
    answer(&mut s, "api-auth", MonitorState::Up);
    insta::assert_snapshot!("detail_up_ascii", text(&s, &ascii()));
}

#[test]
fn detail_of_old_data() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3\n");
    answer(&mut s, "api-checkout", MonitorState::Down);
    lose(&mut s);
    insta::assert_snapshot!("detail_lost", text(&s, &Theme::default()));
}

#[test]
fn config() {
    snapshot("config", |c, r| {
        let mut s = live(fixture::incident(), c, r);
        press(&mut s, "0");
        answer(&mut s, "api-checkout", MonitorState::Down);
        s
    });
}

#[test]
fn help() {
    snapshot("help", |c, r| {
        let mut s = live(fixture::incident(), c, r);
        press(&mut s, "3?");
        s
    });
}

#[test]
fn connect() {
    snapshot("connect", |c, r| {
        let mut s = State::new("/run/watchdog.sock".into(), false, Screen::Overview, None);
        update(&mut s, Msg::Resize(c, r));
        let lost = Link::Lost { reason: "no such file".into(), attempt: 2, retry_in: Duration::from_secs(1) };
        update(&mut s, Msg::Link(lost));
        s
    });
}

#[test]
fn connecting_for_a_while() {
    let mut s = State::new("/run/watchdog.sock".into(), false, Screen::Overview, None);
    silence(&mut s, 3);
    insta::assert_snapshot!("connecting", text(&s, &Theme::default()));
}

#[test]
fn incompatible() {
    let mut s = State::new("/run/watchdog.sock".into(), false, Screen::Overview, None);
    let hello = Frame::Hello { protocol: 9, version: "7.0.0".into() };
    update(&mut s, Msg::Link(Link::Frame(Box::new(hello))));
    insta::assert_snapshot!("incompatible", text(&s, &Theme::default()));
}

#[test]
fn nothing_is_fine_on_a_screen_of_old_data() {
    for keys in ["1", "3", "0", "5up", "3\n", "3\n5", "3/ok"] {
        for silent in [true, false] {
            let mut s = live(fixture::calm(), 120, 40);
            press(&mut s, keys);
            answer(&mut s, "api-auth", MonitorState::Up);
            if silent {
                silence(&mut s, 11);
            } else {
                lose(&mut s);
            }
            let shown = text(&s, &Theme::default());
            assert!(!shown.contains('✓'), "{keys:?}\n{shown}");
            assert!(!shown.contains("all ok") && !shown.contains("are ok"), "{keys:?}\n{shown}");
            assert!(shown.contains("NOT current"), "{keys:?}\n{shown}");
        }
    }
}

#[test]
fn without_colour_the_cursor_row_is_reversed_and_nothing_has_a_colour() {
    use ratatui::buffer::Cell;
    use ratatui::style::Modifier;
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3j");
    let shown = cells(&s, &Theme::new(Depth::Mono, Glyphs::Unicode, false));
    let reversed = |y: u16| shown[(0, y)].modifier.contains(Modifier::REVERSED);
    assert!(reversed(5) && !reversed(4) && !reversed(6));
    assert!(shown.content().iter().all(|c| c.fg == Cell::EMPTY.fg && c.bg == Cell::EMPTY.bg));
}

#[test]
fn no_theme_paints_a_background() {
    use ratatui::buffer::Cell;
    for depth in [Depth::Ansi16, Depth::Ansi256, Depth::True] {
        for keys in ["1", "3", "0", "3\n", "?"] {
            let mut s = live(fixture::incident(), 140, 40);
            press(&mut s, keys);
            let shown = cells(&s, &Theme::new(depth, Glyphs::Unicode, false));
            assert!(shown.content().iter().all(|c| c.bg == Cell::EMPTY.bg));
            assert!(shown.content().iter().any(|c| c.fg != Cell::EMPTY.fg) || keys == "?");
        }
    }
}

#[test]
fn a_monitor_that_is_gone_says_so() {
    let mut s = live(fixture::incident(), 80, 24);
    press(&mut s, "3\n");
    let delta = Delta {
        from_rev: 1,
        to_rev: 2,
        at: fixture::now(),
        removed: vec![fixture::name("api-checkout")],
        ..Delta::default()
    };
    update(&mut s, Msg::Link(Link::Frame(Box::new(Frame::Delta(Box::new(delta))))));
    assert!(text(&s, &Theme::default()).contains("There is no monitor `api-checkout`"));
    press(&mut s, "\x1b");
    assert!(text(&s, &Theme::default()).contains("api-payments"));
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let mut board = fixture::incident();
    for row in &mut board.monitors {
        let row = std::sync::Arc::make_mut(row);
        row.headline = "\x1b]52;c;aGk=\x07\u{202e}gpj.exe\u{9b}2J".into();
        row.target = "a\r\nb\u{200b}".into();
    }
    for keys in ["1", "3", "3\n"] {
        let mut s = live(board.clone(), 140, 40);
        press(&mut s, keys);
        answer(&mut s, "api-checkout", MonitorState::Down);
        for cell in cells(&s, &Theme::default()).content() {
            let safe = crate::base::term_safe::term_safe(cell.symbol()).into_owned();
            assert_eq!(cell.symbol(), safe);
        }
    }
}

#[test]
fn every_size_draws_every_screen() {
    for keys in ["1", "3", "0", "5", "5?", "5sum(x", "5up\n\x1bt", "5\x1bm", "3\n", "3?", "3o", "3/x"] {
        let mut s = live(fixture::incident(), 80, 24);
        press(&mut s, keys);
        answer(&mut s, "api-checkout", MonitorState::Down);
        for columns in (0..40).chain([59, 60, 80, 99, 100, 140, 400]) {
            for rows in (0..20).chain([24, 40, 100]) {
                update(&mut s, Msg::Resize(columns, rows));
                cells(&s, &ascii());
            }
        }
    }
}

#[test]
fn a_quiet_second_changes_no_cell() {
    let mut s = live(fixture::calm(), 140, 40);
    let before = cells(&s, &Theme::default());
    silence(&mut s, 1);
    let beat = Frame::Heartbeat { rev: 1, at: fixture::now().plus(Duration::from_secs(1)) };
    update(&mut s, Msg::Link(Link::Frame(Box::new(beat))));
    assert!(cells(&s, &Theme::default()) == before);
}

#[test]
fn ten_thousand_monitors_draw_only_their_window_and_filter() {
    let names: Vec<String> = (0..10_000).map(|i| format!("monitor-{i:05}")).collect();
    let all: Vec<_> = names.iter().map(|n| (n.as_str(), MonitorState::Up)).collect();
    let mut s = live(fixture::board(&all), 140, 40);
    press(&mut s, "3");
    assert!(text(&s, &Theme::default()).contains("of 10000"), "{}", text(&s, &Theme::default()));
    press(&mut s, "/monitor-0999");
    let drawn = text(&s, &Theme::default());
    assert!(drawn.contains("1-10 of 10 ") && drawn.contains("monitor-09999"), "{drawn}");
}

fn some_request() -> impl Strategy<Value = Request> {
    let fingerprint = fixture::alerting().alerts[3].fingerprint.clone();
    let order = prop::sample::select(vec![
        Order::Ack(fingerprint.clone(), AckRequest::default()),
        Order::Unack(fingerprint.clone()),
        Order::Silence(Box::default()),
        Order::Expire("2f1c".into()),
        Order::Resend(8),
        Order::Test("ticket".into()),
    ]);
    let asked = Question { about: fingerprint.clone(), kind: "alert" };
    prop_oneof![
        3 => (1..4u64, order).prop_map(|(batch, order)| Request::Do { batch, order }),
        1 => Just(Request::Alert(fingerprint)),
        1 => Just(Request::Silences),
        1 => Just(Request::Maintenance),
        2 => (1..4u64).prop_map(|id| Request::Preview { id, silence: Box::default() }),
        1 => prop::option::of(0..9i64).prop_map(Request::Deliveries),
        1 => Just(Request::Notifiers),
        1 => Just(Request::Routes),
        1 => Just(Request::Route(vec![("a".into(), "b".into())])),
        2 => Just(Request::Why(asked)),
    ]
}

fn some_msg() -> impl Strategy<Value = Msg> {
    let key = prop_oneof![
        prop::sample::select(vec![
            '1', '3', '5', '0', 'j', 'k', 'h', 'l', 'v', 't', ' ', '+', '-', '[', ']', '=', 'e', 'D', 'Y', '(', '{',
            'g', 'G', '/', 'o', 'O', '<', '>', 'r', 'y', 'n', 'N', '?', 'x', '店', '2', '8', '9', 'a', 'A', 's', 'w',
            '*', 'B', 'u', 'p', 'b', 'T', '"', '2', 's'
        ])
        .prop_map(KeyCode::Char),
        prop::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Backspace,
            KeyCode::PageDown,
            KeyCode::PageUp,
            KeyCode::End,
            KeyCode::Home,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::Down
        ]),
    ];
    let state = prop::sample::select(MonitorState::ALL.to_vec());
    prop_oneof![
        8 => (key, prop::bool::weighted(0.1)).prop_map(|(code, ctrl)| {
            let held = if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            Msg::Key(KeyEvent::new(code, held))
        }),
        1 => (1..200u16, 1..60u16).prop_map(|(c, r)| Msg::Resize(c, r)),
        1 => any::<String>().prop_map(Msg::Paste),
        2 => (0..30u64).prop_map(|s| Msg::Clock(Now { steady: Duration::from_secs(s), wall: fixture::now() })),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Frame(Box::new(Frame::Snapshot { board: Box::new(fixture::incident()) })))),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Frame(Box::new(Frame::Snapshot { board: Box::new(fixture::board(&[])) })))),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Frame(Box::new(Frame::Hello { protocol: 1, version: String::new() })))),
        1 => (0..4u64).prop_map(|rev| Msg::Link(Link::Frame(Box::new(Frame::Heartbeat { rev, at: fixture::now() })))),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Lost { reason: "gone".into(), attempt: 1, retry_in: Duration::from_secs(1) })),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Connecting { attempt: 2 })),
        2 => (0..3u64, "[a-c]{1,2}", state).prop_map(|(rev, name, state)| {
            let delta = Delta {
                from_rev: rev,
                to_rev: rev + 1,
                at: fixture::now(),
                monitors: vec![std::sync::Arc::new(fixture::row(&name, state))],
                removed: vec![fixture::name("api-checkout")],
                ..Delta::default()
            };
            Msg::Link(Link::Frame(Box::new(Frame::Delta(Box::new(delta)))))
        }),
        1 => Just(()).prop_map(|()| Msg::Reply(
            Request::Detail(fixture::name("api-checkout")),
            Ok(Reply::Detail(Box::new(fixture::detail("api-checkout", MonitorState::Down))))
        )),
        2 => (1..20u64).prop_map(|id| {
            let when = When::At(None);
            let ask = Box::new(Ask { query: "up".into(), when, timeout: None, limit: None });
            Msg::Reply(Request::Query { id, ask }, Ok(Reply::Queried(Box::new(fixture::answer(&["a", "b"])))))
        }),
        1 => Just(()).prop_map(|()| Msg::Reply(
            Request::Names(NamesOf::Metrics),
            Ok(Reply::Names(vec!["up".into(), "x\u{202e}y".into()]))
        )),
        1 => Just(()).prop_map(|()| Msg::Link(Link::Frame(Box::new(Frame::Snapshot { board: Box::new(fixture::alerting()) })))),
        4 => some_request().prop_filter_map("the fixture has no answer", |request| {
            let reply = fixture::reply(&request)?;
            Some(Msg::Reply(request, Ok(reply)))
        }),
        2 => some_request().prop_map(|request| Msg::Reply(request, Err(Failed { message: "no\x1b[2J".into() }))),
        1 => Just(()).prop_map(|()| {
            let metric = |name: &str| Metric { name: name.into(), help: "\x1b]0;x".into(), ..Metric::default() };
            Msg::Reply(Request::Metrics, Ok(Reply::Metrics(vec![metric("up"), metric("x\u{202e}y")])))
        }),
        1 => Just(()).prop_map(|()| Msg::Reply(Request::Config, Ok(Reply::Config(Box::new(fixture::config()))))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_panics_or_claims_old_data_to_be_fine(msgs in prop::collection::vec(some_msg(), 1..120)) {
        let mut s = live(fixture::calm(), 80, 24);
        for msg in msgs {
            update(&mut s, msg);
            let shown = cells(&s, &Theme::default());
            let fine = shown.content().iter().any(|c| c.symbol() == "✓");
            prop_assert!(s.is_fresh() || !fine);
        }
    }
}
