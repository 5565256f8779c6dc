//! Pictures of the Explore screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::action::{Effect, Failed, Msg, Reply, Request};
use crate::tui::fixture;
use crate::tui::screens::tests::{ascii, cells, live, lose, press, text};
use crate::tui::state::State;
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::theme::{Depth, Glyphs, Theme};
use crate::tui::update::update;

/// Types `keys` on the screen (`\u{f}` is ^o) and answers every question with these services.
fn explored(columns: u16, rows: u16, keys: &str, services: &[&str]) -> State {
    let mut s = live(fixture::calm(), columns, rows);
    press(&mut s, "5");
    for c in keys.chars() {
        let (code, held) = match c {
            '\n' => (KeyCode::Enter, KeyModifiers::NONE),
            '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
            '\t' => (KeyCode::Tab, KeyModifiers::NONE),
            '\u{f}' => (KeyCode::Char('o'), KeyModifiers::CONTROL),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        let effects = update(&mut s, Msg::Key(KeyEvent::new(code, held)));
        answer(&mut s, effects, services);
    }
    s
}

fn answer(s: &mut State, effects: Vec<Effect>, services: &[&str]) {
    for effect in effects {
        let Effect::Ask(request) = effect else { continue };
        let reply = match &request {
            Request::Query { .. } => Reply::Queried(Box::new(fixture::answer(services))),
            Request::Names(NamesOf::Metrics) => {
                Reply::Names(["p50", "p95", "probe_duration_seconds", "up"].map(str::to_owned).to_vec())
            }
            Request::Names(NamesOf::Labels(_)) => {
                Reply::Names(["job", "server", "service"].map(str::to_owned).to_vec())
            }
            Request::Metrics => Reply::Metrics(metrics()),
            Request::Names(NamesOf::Values(..)) => Reply::Names(["checkout", "search"].map(str::to_owned).to_vec()),
            _ => continue,
        };
        let more = update(s, Msg::Reply(request, Ok(reply)));
        answer(s, more, services);
    }
}

fn metrics() -> Vec<Metric> {
    let metric = |name: &str, kind: &str, help: &str, unit: &str, series: Option<u64>| Metric {
        name: name.into(),
        kind: kind.into(),
        help: help.into(),
        unit: unit.into(),
        series,
    };
    let mut metrics = vec![
        metric("p50", "gauge", "Half of the requests took no longer, by route and service.", "seconds", Some(12)),
        metric("p95", "gauge", "Few requests took longer.", "", Some(1_840)),
        metric("up", "", "", "", None),
    ];
    metrics.extend((0..40).map(|i| metric(&format!("node_metric_{i:02}_total"), "counter", "Things.", "", Some(i))));
    metrics
}

fn snapshot(title: &str, keys: &str, services: &[&str]) {
    for (columns, rows) in [(80, 24), (140, 40), (40, 12)] {
        let s = explored(columns, rows, keys, services);
        insta::assert_snapshot!(format!("{title}_{columns}x{rows}"), text(&s, &Theme::default()));
    }
}

#[test]
fn nothing_asked_yet() {
    snapshot("empty", "", &[]);
}

#[test]
fn a_chart_with_its_legend() {
    snapshot("chart", "p95\n\x1bj", &["search", "checkout"]);
}

#[test]
fn a_mistake_while_it_is_written() {
    snapshot("mistake", "rate(p95[5m)", &[]);
}

#[test]
fn offers_for_a_label() {
    snapshot("labels", "sum by (service) (rate(p95{serv", &[]);
}

#[test]
fn offers_for_a_value_and_for_functions() {
    let s = explored(80, 24, "p95{service=\"", &[]);
    insta::assert_snapshot!("values", text(&s, &Theme::default()));
    let s = explored(80, 24, "sum(p", &[]);
    insta::assert_snapshot!("metrics", text(&s, &Theme::default()));
}

#[test]
fn several_queries_hidden_series_and_a_time_read() {
    snapshot("several", "p95\n\x1bnp50 > 0.2\n\x1b vhhhhhhhhhhhhhhhhhhhh", &["search", "checkout"]);
}

#[test]
fn many_series_as_a_table() {
    let services: Vec<String> = (0..30).map(|i| format!("service-{i:02}")).collect();
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    let s = explored(80, 24, "p95\n\x1bojjj", &services);
    insta::assert_snapshot!("table", text(&s, &Theme::default()));
    let s = explored(80, 24, "p95\n\x1bjjj\n", &services);
    insta::assert_snapshot!("solo", text(&s, &Theme::default()));
}

#[test]
fn the_list_of_metrics() {
    snapshot("catalog", "\u{f}", &[]);
    let s = explored(80, 24, "\u{f}p5", &[]);
    insta::assert_snapshot!("catalog_searched", text(&s, &Theme::default()));
    let s = explored(80, 24, "\u{f}nothing like this", &[]);
    insta::assert_snapshot!("catalog_empty", text(&s, &Theme::default()));
}

#[test]
fn what_is_offered_goes_on_in_the_line_and_its_cost_is_told() {
    let s = explored(80, 24, "sum(p9", &[]);
    insta::assert_snapshot!("ghost", text(&s, &Theme::default()));
    let s = explored(80, 24, "sum(p95) / sum(p50)", &[]);
    insta::assert_snapshot!("preview", text(&s, &Theme::default()));
}

#[test]
fn the_menu_of_ranges() {
    let s = explored(80, 24, "p95\n\x1btjj", &["search"]);
    insta::assert_snapshot!("ranges", text(&s, &Theme::default()));
}

#[test]
fn letters_only() {
    let s = explored(80, 24, "p95\n\x1b", &["search", "checkout", "cart"]);
    insta::assert_snapshot!("ascii", text(&s, &ascii()));
}

#[test]
fn an_error_of_the_server_and_a_remark() {
    let mut s = live(fixture::calm(), 80, 24);
    let ask = |s: &mut State, keys: &str| -> Request {
        for c in keys.chars() {
            update(s, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        let effects = update(s, Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
        effects.into_iter().find_map(|e| if let Effect::Ask(r) = e { Some(r) } else { None }).unwrap()
    };
    let request = ask(&mut s, "5up");
    let mut reply = fixture::answer(&["search"]);
    reply.warnings = vec!["PromQL warning: this is one".into()];
    reply.data.resolution = Some("5m".into());
    update(&mut s, Msg::Reply(request, Ok(Reply::Queried(Box::new(reply)))));
    let request = ask(&mut s, " + foo");
    insta::assert_snapshot!("loading", text(&s, &Theme::default()));
    let failed = Failed { message: "query processing would load too many samples into memory".into() };
    update(&mut s, Msg::Reply(request, Err(failed)));
    insta::assert_snapshot!("error", text(&s, &Theme::default()));
}

#[test]
fn old_data_has_no_colour() {
    let theme = Theme::new(Depth::True, Glyphs::Unicode, false);
    let mut s = explored(80, 24, "p95\n\x1b", &["search", "checkout"]);
    let colored =
        |s: &State| cells(s, &theme).content().iter().filter(|c| c.fg != ratatui::buffer::Cell::EMPTY.fg).count();
    assert!(colored(&s) > 50);
    lose(&mut s);
    assert_eq!(colored(&s), 0, "{}", text(&s, &theme));
    assert!(text(&s, &theme).contains("NOT current"));
}

#[test]
fn names_of_series_cannot_command_the_terminal() {
    let evil = "\x1b]52;c;aGk=\x07\u{202e}x\u{9b}2J";
    for keys in ["p95\n\x1b", "p95\n\x1bo", "p95\n\x1bnup{a=\""] {
        let s = explored(140, 40, keys, &[evil, "b"]);
        for cell in cells(&s, &Theme::default()).content() {
            assert_eq!(cell.symbol(), crate::base::term_safe::term_safe(cell.symbol()));
        }
    }
}

#[test]
fn what_is_told_of_metrics_cannot_command_the_terminal() {
    let mut s = explored(140, 40, "\u{f}", &[]);
    let evil = "\x1b]52;c;aGk=\x07\u{202e}x\u{9b}2J".to_owned();
    let metric = Metric { name: evil.clone(), kind: evil.clone(), help: evil.clone(), unit: evil, series: Some(1) };
    update(&mut s, Msg::Reply(Request::Metrics, Ok(Reply::Metrics(vec![metric]))));
    assert!(text(&s, &Theme::default()).contains("52;c"));
    for cell in cells(&s, &Theme::default()).content() {
        assert_eq!(cell.symbol(), crate::base::term_safe::term_safe(cell.symbol()));
    }
}

#[test]
fn without_colour_the_mistake_is_underlined() {
    use ratatui::style::Modifier;
    let s = explored(80, 24, "rate(p95[5m)", &[]);
    let shown = cells(&s, &Theme::default());
    let underlined = (0..80).filter(|x| shown[(*x, 3)].modifier.contains(Modifier::UNDERLINED)).count();
    assert!(underlined > 0);
}
