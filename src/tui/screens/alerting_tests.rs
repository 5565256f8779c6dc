//! Pictures of the screens about alerts, silences and notifications, and what must hold for every one of them.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::tests::{ascii, cells, live, lose, silence, text};
use super::*;
use crate::tui::action::{Effect, Failed, Msg, Now, Request};
use crate::tui::fixture;
use crate::tui::state::alerts::Tab;
use crate::tui::theme::{Depth, Glyphs};
use crate::tui::update::update;
use crate::wire::board::AlertState;

/// Answers what was asked, and what is asked then.
fn serve(s: &mut State, effects: Vec<Effect>) {
    let mut open = effects;
    for _ in 0..20 {
        let asked: Vec<Request> =
            open.drain(..).filter_map(|e| if let Effect::Ask(request) = e { Some(request) } else { None }).collect();
        for request in asked {
            if let Some(reply) = fixture::reply(&request) {
                open.extend(update(s, Msg::Reply(request, Ok(reply))));
            }
        }
    }
}

/// Time passes.
fn wait(s: &mut State, ms: u64) {
    let d = Duration::from_millis(ms);
    let effects = update(s, Msg::Clock(Now { steady: s.now.steady + d, wall: s.now.wall.plus(d) }));
    serve(s, effects);
}

/// Types against a server that answers. `^` before a letter is Ctrl; `\t` is Tab.
fn drive(s: &mut State, keys: &str) {
    let mut ctrl = false;
    for c in keys.chars() {
        if c == '^' && !ctrl {
            ctrl = true;
            continue;
        }
        let held = if std::mem::take(&mut ctrl) { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        let effects = update(s, Msg::Key(KeyEvent::new(code, held)));
        serve(s, effects);
        wait(s, 150);
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (140, 40), (40, 12)];

fn snapshot(title: &str, keys: &str) {
    for (columns, rows) in SIZES {
        let mut s = live(fixture::alerting(), columns, rows);
        drive(&mut s, keys);
        insta::assert_snapshot!(format!("{title}_{columns}x{rows}"), text(&s, &Theme::default()));
    }
}

#[test]
fn overview_with_owners() {
    snapshot("overview_owners", "");
}

#[test]
fn alerts() {
    snapshot("alerts", "2j");
}

#[test]
fn alerts_in_groups_with_marks() {
    let mut s = live(fixture::alerting(), 80, 24);
    drive(&mut s, "2  B");
    insta::assert_snapshot!("alerts_group_menu", text(&s, &Theme::default()));
    let labels = crate::tui::state::alerts::AlertsView::group_labels(s.board.as_ref().unwrap());
    let place = labels.iter().position(|l| l == "service").unwrap() + 1;
    drive(&mut s, &format!("{}\n", "j".repeat(place)));
    insta::assert_snapshot!("alerts_grouped", text(&s, &Theme::default()));
    insta::assert_snapshot!("alerts_ascii", text(&s, &ascii()));
}

#[test]
fn alerts_on_the_other_tabs() {
    let mut shown = String::new();
    let mut s = live(fixture::alerting(), 100, 15);
    drive(&mut s, "2p");
    for _ in Tab::ALL {
        shown.push_str(&text(&s, &Theme::default()));
        drive(&mut s, "\t");
    }
    insta::assert_snapshot!("alerts_tabs", shown);
}

#[test]
fn one_alert_in_full() {
    snapshot("alert_page", "2j\n");
}

#[test]
fn the_line_that_acknowledges() {
    let mut s = live(fixture::alerting(), 80, 24);
    drive(&mut s, "2  a");
    insta::assert_snapshot!("ack_prompt", text(&s, &Theme::default()).lines().last().unwrap_or_default());
    drive(&mut s, "\tfailing over");
    insta::assert_snapshot!("ack_prompt_written", text(&s, &Theme::default()).lines().last().unwrap_or_default());
    drive(&mut s, "\n");
    insta::assert_snapshot!("ack_done", text(&s, &Theme::default()));
}

#[test]
fn the_silence_dialog() {
    snapshot("silence", "2  s");
}

#[test]
fn the_silence_dialog_with_a_mistake_and_in_letters() {
    let mut s = live(fixture::alerting(), 80, 24);
    drive(&mut s, "8n");
    insta::assert_snapshot!("silence_empty", text(&s, &Theme::default()));
    drive(&mut s, "team=~\"(\n");
    insta::assert_snapshot!("silence_mistake", text(&s, &ascii()));
    drive(&mut s, "\x1b");
    insta::assert_snapshot!("silence_discard", text(&s, &Theme::default()).lines().last().unwrap_or_default());
}

#[test]
fn silences() {
    snapshot("silences", "8j");
}

#[test]
fn silences_on_the_other_tabs() {
    let mut shown = String::new();
    let mut s = live(fixture::alerting(), 100, 16);
    drive(&mut s, "8");
    for _ in 0..4 {
        shown.push_str(&text(&s, &Theme::default()));
        drive(&mut s, "\t");
    }
    insta::assert_snapshot!("silences_tabs", shown);
}

#[test]
fn ending_the_silence_of_another_asks() {
    let mut s = live(fixture::alerting(), 80, 24);
    drive(&mut s, "8D");
    insta::assert_snapshot!("silence_expire", text(&s, &Theme::default()).lines().last().unwrap_or_default());
}

#[test]
fn deliveries() {
    snapshot("deliveries", "9j");
}

#[test]
fn receivers() {
    snapshot("receivers", "9\t");
}

#[test]
fn routes() {
    snapshot("routes", "9t\nj");
}

#[test]
fn why() {
    snapshot("why", "2w");
}

#[test]
fn why_in_letters_at_its_end() {
    let mut s = live(fixture::alerting(), 80, 24);
    drive(&mut s, "2wG");
    insta::assert_snapshot!("why_end_ascii", text(&s, &ascii()));
}

#[test]
fn an_error_is_shown_in_its_place() {
    let mut shown = String::new();
    for keys in ["2", "8", "9", "2w", "2s"] {
        let mut s = live(fixture::alerting(), 80, 24);
        for c in keys.chars() {
            let effects = update(&mut s, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
            for effect in effects {
                if let Effect::Ask(request) = effect {
                    let failed = Failed { message: "the store is read only: disk full (free some space)".into() };
                    update(&mut s, Msg::Reply(request, Err(failed)));
                }
            }
        }
        let all = text(&s, &Theme::default());
        let line = all.lines().find(|l| l.contains("disk full")).unwrap_or("nothing");
        shown.push_str(&format!("{keys}: {line}\n"));
    }
    insta::assert_snapshot!("alerting_errors", shown);
}

const EVERYWHERE: [&str; 14] = ["", "2", "2\n", "2 *a", "2s", "2s^s", "2B", "2w", "8", "8D", "8n", "9", "9\t", "9t\n"];

#[test]
fn nothing_is_fine_on_a_screen_of_old_data() {
    for keys in EVERYWHERE.into_iter().chain(["8\t\t\t", "9\t\t", "2\t\t\t\t", "2a\n"]) {
        for silent in [true, false] {
            let mut s = live(fixture::alerting(), 120, 40);
            drive(&mut s, keys);
            if silent {
                silence(&mut s, 11);
            } else {
                lose(&mut s);
            }
            let shown = text(&s, &Theme::default());
            assert!(!shown.contains('✓'), "{keys:?}\n{shown}");
            assert!(shown.contains("NOT current"), "{keys:?}\n{shown}");
        }
    }
}

#[test]
fn every_size_draws_every_screen() {
    for keys in EVERYWHERE {
        let mut s = live(fixture::alerting(), 80, 24);
        drive(&mut s, keys);
        for columns in (0..40).step_by(3).chain([59, 60, 80, 99, 100, 140, 400]) {
            for rows in (0..20).chain([24, 40, 100]) {
                update(&mut s, Msg::Resize(columns, rows));
                cells(&s, &ascii());
            }
        }
    }
}

#[test]
fn without_colour_nothing_has_a_colour_and_no_theme_paints_a_background() {
    use ratatui::buffer::Cell;
    for keys in EVERYWHERE {
        let mut s = live(fixture::alerting(), 140, 40);
        drive(&mut s, keys);
        let mono = cells(&s, &Theme::new(Depth::Mono, Glyphs::Unicode, false));
        assert!(mono.content().iter().all(|c| c.fg == Cell::EMPTY.fg && c.bg == Cell::EMPTY.bg));
        let colour = cells(&s, &Theme::new(Depth::True, Glyphs::Unicode, false));
        assert!(colour.content().iter().all(|c| c.bg == Cell::EMPTY.bg));
    }
}

#[test]
fn in_letters_every_cell_is_a_letter() {
    for keys in EVERYWHERE {
        let mut s = live(fixture::alerting(), 140, 40);
        drive(&mut s, keys);
        for cell in cells(&s, &ascii()).content() {
            // A monitor's own name may be in any script.
            assert!(cell.symbol().is_ascii() || cell.symbol() == "店", "{keys:?}: {:?}", cell.symbol());
        }
    }
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let hostile = "\x1b]52;c;aGk=\x07\u{202e}gpj.exe\u{9b}2J\r\n";
    let mut board = fixture::alerting();
    for row in &mut board.alerts {
        let row = std::sync::Arc::make_mut(row);
        row.name = hostile.into();
        row.annotations = crate::base::labels::Labels::new([("summary", hostile)]);
        if let Some(ack) = &mut row.ack {
            (ack.by, ack.comment) = (hostile.into(), hostile.into());
        }
        if let Some(muted) = &mut row.muted {
            muted.detail = hostile.into();
        }
    }
    for keys in EVERYWHERE {
        let mut s = live(board.clone(), 140, 40);
        drive(&mut s, keys);
        for cell in cells(&s, &Theme::default()).content() {
            let safe = crate::base::term_safe::term_safe(cell.symbol()).into_owned();
            assert_eq!(cell.symbol(), safe);
        }
    }
}

#[test]
fn a_quiet_second_changes_no_cell_and_asks_nothing() {
    let mut board = fixture::alerting();
    board.alerts.retain(|a| a.state == AlertState::Resolved);
    for row in &mut board.alerts {
        std::sync::Arc::make_mut(row).since = fixture::now().minus(Duration::from_secs(86_400));
    }
    let age = regex::Regex::new(r"\d+[smhd]").unwrap();
    for keys in ["2", "9", "9\t", "9\t\t"] {
        let mut s = live(board.clone(), 140, 40);
        drive(&mut s, keys);
        let whole = u64::try_from(s.now.steady.as_millis() % 1_000).unwrap();
        wait(&mut s, 5_000 - whole);
        s.toast = None;
        let hear = |s: &mut State| {
            let beat = crate::wire::stream::Frame::Heartbeat { rev: 1, at: s.server_now() };
            update(s, Msg::Link(crate::client::Link::Frame(Box::new(beat))));
        };
        hear(&mut s);
        let clock = |s: &State| text(s, &Theme::default());
        let before = clock(&s);
        let second = Duration::from_secs(1);
        let tick = Msg::Clock(Now { steady: s.now.steady + second, wall: s.now.wall.plus(second) });
        let effects = update(&mut s, tick);
        hear(&mut s);
        assert!(effects.is_empty(), "{keys:?}: {effects:?}");
        let ages = |t: &str| age.replace_all(t, "_").into_owned();
        assert_eq!(ages(&clock(&s)), ages(&before), "{keys:?}");
    }
}

#[test]
fn ten_thousand_alerts_draw_only_their_window() {
    let mut board = fixture::alerting();
    let one = (*board.alerts[1]).clone();
    board.alerts = (0..10_000)
        .map(|i| {
            let mut row = one.clone();
            row.fingerprint = format!("{i:016x}");
            row.name = format!("Alert{i:05}");
            std::sync::Arc::new(row)
        })
        .collect();
    let mut s = live(board, 140, 40);
    drive(&mut s, "2/Alert0999");
    let shown = text(&s, &Theme::default());
    assert!(shown.contains("Alert09999") && shown.contains("10 of 10000"), "{shown}");
}
