//! What keys and answers about alerts, silences and notifications lead to.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::client::Link;
use crate::tui::action::{Failed, Order, Outcome, Reply, Request};
use crate::tui::fixture;
use crate::tui::state::form::Field;
use crate::tui::state::prompt::Confirm;
use crate::tui::state::{Overlay, Screen};
use crate::wire::alerting::{Ack, AckRequest, SilenceRequest};
use crate::wire::board::Board;
use crate::wire::stream::{Delta, Frame};

fn frame(s: &mut State, frame: Frame) -> Vec<Effect> {
    update(s, Msg::Link(Link::Frame(Box::new(frame))))
}

fn at(ms: u64) -> Msg {
    Msg::Clock(Now { steady: Duration::from_millis(ms), wall: fixture::now() })
}

fn live(board: Board, read_only: bool) -> State {
    let mut s = State::new("/run/watchdog.sock".into(), read_only, Screen::Overview, None);
    s.user = "wu".into();
    update(&mut s, at(5_000));
    frame(&mut s, Frame::Hello { protocol: 1, version: "0.1.0".into() });
    frame(&mut s, Frame::Snapshot { board: Box::new(board) });
    s
}

fn alerting() -> State {
    live(fixture::alerting(), false)
}

fn press(s: &mut State, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in keys.chars() {
        let (code, held) = match c {
            '\n' => (KeyCode::Enter, KeyModifiers::NONE),
            '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
            '\t' => (KeyCode::Tab, KeyModifiers::NONE),
            '\x13' => (KeyCode::Char('s'), KeyModifiers::CONTROL),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        effects.extend(update(s, Msg::Key(KeyEvent::new(code, held))));
    }
    effects
}

fn requests(effects: &[Effect]) -> Vec<Request> {
    effects.iter().filter_map(|e| if let Effect::Ask(r) = e { Some(r.clone()) } else { None }).collect()
}

/// What a person asked to be changed.
fn orders(effects: &[Effect]) -> Vec<Order> {
    let order = |r| if let Request::Do { order, .. } = r { Some(order) } else { None };
    requests(effects).into_iter().filter_map(order).collect()
}

/// The server carries out what was asked.
fn serve(s: &mut State, effects: &[Effect]) -> Vec<Effect> {
    let mut more = Vec::new();
    for request in requests(effects) {
        if let Some(reply) = fixture::reply(&request) {
            more.extend(update(s, Msg::Reply(request, Ok(reply))));
        }
    }
    more
}

fn refuse(s: &mut State, effects: &[Effect], message: &str) {
    for request in requests(effects) {
        update(s, Msg::Reply(request, Err(Failed { message: message.into() })));
    }
}

fn toast(s: &State) -> &str {
    s.toast.as_ref().map_or("", |t| &t.text)
}

fn named(s: &State, name: &str) -> String {
    s.board.as_ref().unwrap().alerts.iter().find(|a| a.name == name).unwrap().fingerprint.clone()
}

fn owner(s: &State, name: &str) -> Option<String> {
    let fingerprint = named(s, name);
    s.acks.of(s.alert(&fingerprint).unwrap()).map(|a| a.by.clone())
}

#[test]
fn an_alert_is_acknowledged_in_two_keys_and_shown_so_at_once() {
    let mut s = alerting();
    let effects = press(&mut s, "2a\n");
    let pg = named(&s, "PgDiskLatencyHigh");
    assert_eq!(orders(&effects), [Order::Ack(pg, AckRequest::default())]);
    assert_eq!(owner(&s, "PgDiskLatencyHigh").as_deref(), Some("wu"));
    assert_eq!(s.facts.unacked, 2);
    assert!(toast(&s).starts_with("acknowledging 1 alert"), "{}", toast(&s));
    serve(&mut s, &effects);
    assert!(toast(&s).starts_with("acked 1 alert"), "{}", toast(&s));
    assert!(s.toast.as_ref().unwrap().undo);
}

#[test]
fn marked_alerts_are_acknowledged_together_and_undo_sends_the_inverse() {
    let mut s = alerting();
    // Both critical ones, and one that lin has.
    press(&mut s, "2  jj ");
    let effects = press(&mut s, "afailing over\n");
    let names = |s: &State, orders: &[Order]| -> Vec<String> {
        let of = |o: &Order| match o {
            Order::Ack(f, _) | Order::Unack(f) => s.alert(f).unwrap().name.clone(),
            _ => String::new(),
        };
        let mut names: Vec<String> = orders.iter().map(of).collect();
        names.sort();
        names
    };
    let given = orders(&effects);
    assert_eq!(names(&s, &given), ["CheckoutDown", "PgDiskLatencyHigh", "QueueBacklog"]);
    assert!(given.iter().all(|o| matches!(o, Order::Ack(_, r) if r.comment == "failing over")));
    serve(&mut s, &effects);
    assert!(s.alerts.marks.is_empty());
    assert_eq!(s.facts.unacked, 1);
    let effects = press(&mut s, "u");
    let back = orders(&effects);
    assert_eq!(back.iter().filter(|o| matches!(o, Order::Unack(_))).count(), 2);
    // What somebody had before is given back to them.
    assert!(back.iter().any(|o| matches!(o, Order::Ack(_, r) if r.by == "lin" && r.comment.contains("draining"))));
    serve(&mut s, &effects);
    assert_eq!(toast(&s), "taken back");
    assert_eq!(owner(&s, "CheckoutDown"), None);
    assert!(press(&mut s, "u").is_empty());
}

#[test]
fn undo_ends_after_ten_seconds() {
    let mut s = alerting();
    let effects = press(&mut s, "2a\n");
    serve(&mut s, &effects);
    update(&mut s, at(14_000));
    assert!(s.orders.undo.is_some());
    frame(&mut s, Frame::Heartbeat { rev: 1, at: fixture::now() });
    update(&mut s, at(15_000));
    assert!(orders(&press(&mut s, "u")).is_empty());
    assert!(toast(&s).contains("nothing to take back"));
}

#[test]
fn what_the_server_refuses_is_not_shown_as_done() {
    let mut s = alerting();
    let effects = press(&mut s, "2a\n");
    refuse(&mut s, &effects, "the alert is over (list them: watchdog alert list)");
    assert_eq!(owner(&s, "PgDiskLatencyHigh"), None);
    assert!(s.toast.as_ref().unwrap().error);
    assert!(toast(&s).contains("PgDiskLatencyHigh: the alert is over (list"), "{}", toast(&s));
    assert!(s.orders.undo.is_none());
}

#[test]
fn nothing_is_shown_as_done_once_the_connection_is_lost() {
    for silent in [true, false] {
        let mut s = alerting();
        press(&mut s, "2a\n");
        if silent {
            update(&mut s, at(16_000));
        } else {
            let lost = Link::Lost { reason: "reset".into(), attempt: 1, retry_in: Duration::from_secs(3) };
            update(&mut s, Msg::Link(lost));
        }
        assert_eq!(owner(&s, "PgDiskLatencyHigh"), None);
        assert!(press(&mut s, "a").is_empty());
        assert_eq!(s.overlay, Overlay::None);
        assert!(toast(&s).contains("off until the server is heard again"));
    }
}

#[test]
fn an_acknowledgement_on_the_board_replaces_the_expected_one() {
    let mut s = alerting();
    let effects = press(&mut s, "2a\n");
    serve(&mut s, &effects);
    let mut alerts = s.board.as_ref().unwrap().alerts.clone();
    let row = alerts.iter_mut().find(|a| a.name == "PgDiskLatencyHigh").unwrap();
    Arc::make_mut(row).ack = Some(Ack { by: "wu".into(), at: fixture::now(), comment: String::new(), until: None });
    let delta = Delta { from_rev: 1, to_rev: 2, at: fixture::now(), alerts: Some(alerts.clone()), ..Delta::default() };
    frame(&mut s, Frame::Delta(Box::new(delta)));
    assert_eq!(owner(&s, "PgDiskLatencyHigh").as_deref(), Some("wu"));
    // Somebody else takes it back: that counts.
    let row = alerts.iter_mut().find(|a| a.name == "PgDiskLatencyHigh").unwrap();
    Arc::make_mut(row).ack = None;
    let delta = Delta { from_rev: 2, to_rev: 3, at: fixture::now(), alerts: Some(alerts), ..Delta::default() };
    frame(&mut s, Frame::Delta(Box::new(delta)));
    assert_eq!(owner(&s, "PgDiskLatencyHigh"), None);
}

#[test]
fn read_only_screens_change_nothing_and_say_why() {
    for keys in ["a", "2a", "2s", "2A", "8n", "8e", "8D", "9r", "9T", "u"] {
        let mut s = live(fixture::alerting(), true);
        assert!(orders(&press(&mut s, keys)).is_empty(), "{keys}");
        assert_eq!(s.overlay, Overlay::None, "{keys}");
        assert!(s.form.is_none(), "{keys}");
        assert!(toast(&s).contains("read only"), "{keys}: {}", toast(&s));
    }
}

#[test]
fn an_alert_that_is_over_cannot_be_acknowledged() {
    let mut s = alerting();
    press(&mut s, "2\t\t\t\ta");
    assert_eq!(s.overlay, Overlay::None);
    assert!(toast(&s).contains("it is over"));
}

#[test]
fn an_acknowledgement_is_taken_back() {
    let mut s = alerting();
    press(&mut s, "2\t\t");
    let effects = press(&mut s, "jA");
    assert_eq!(orders(&effects), [Order::Unack(named(&s, "QueueBacklog"))]);
    assert_eq!(owner(&s, "QueueBacklog"), None);
    serve(&mut s, &effects);
    let back = orders(&press(&mut s, "u"));
    assert!(matches!(&back[..], [Order::Ack(_, r)] if r.by == "lin"), "{back:?}");
}

#[test]
fn the_overview_acts_on_the_alert_under_its_cursor() {
    let mut s = alerting();
    let effects = press(&mut s, "ja\n");
    assert_eq!(orders(&effects), [Order::Ack(named(&s, "CheckoutDown"), AckRequest::default())]);
    press(&mut s, "w");
    assert_eq!(s.why.as_ref().unwrap().question.about, named(&s, "CheckoutDown"));
    press(&mut s, "\x1bs");
    assert!(s.form.is_some());
}

#[test]
fn a_monitor_is_silenced_by_its_name_and_asked_about() {
    let mut s = live(fixture::calm(), false);
    press(&mut s, "3s");
    assert_eq!(s.form.as_ref().unwrap().parts[0].text.text(), "monitor=\"api-auth\"");
    let effects = press(&mut s, "\x1bw");
    assert!(
        requests(&effects).iter().any(|r| matches!(r, Request::Why(q) if q.kind == "monitor" && q.about == "api-auth"))
    );
}

#[test]
fn a_silence_is_made_from_what_the_marked_alerts_share() {
    let mut s = alerting();
    let effects = press(&mut s, "2  s");
    assert!(requests(&effects).iter().any(|r| matches!(r, Request::Preview { .. })), "{effects:?}");
    serve(&mut s, &effects);
    assert_eq!(s.form.as_ref().unwrap().preview.as_ref().unwrap().matches.len(), 3);
    let effects = press(&mut s, "nvme reset\x13");
    let expected = SilenceRequest {
        matchers: vec!["alertname=~\"CheckoutDown|PgDiskLatencyHigh\"".into(), "service=~\"database|shop\"".into()],
        length: Some(Duration::from_secs(3_600)),
        comment: "nvme reset".into(),
        ..SilenceRequest::default()
    };
    assert_eq!(orders(&effects), [Order::Silence(Box::new(expected))]);
    assert!(s.form.is_some(), "it closes with the answer, not before");
    serve(&mut s, &effects);
    assert!(s.form.is_none());
    assert_eq!(toast(&s), "silence created");
    assert_eq!(orders(&press(&mut s, "u")), [Order::Expire("2f1c".into())]);
}

#[test]
fn a_refused_silence_stays_in_the_dialog_with_the_reason() {
    let mut s = alerting();
    press(&mut s, "2s");
    let effects = press(&mut s, "\x13");
    assert_eq!(orders(&effects).len(), 1);
    assert!(orders(&press(&mut s, "\x13")).is_empty(), "it is under way");
    refuse(&mut s, &effects, "a comment is required (say why)");
    let form = s.form.as_ref().unwrap();
    assert_eq!((form.refusal.as_deref(), form.sent), (Some("a comment is required (say why)"), None));
    press(&mut s, "x");
    assert_eq!(s.form.as_ref().unwrap().refusal, None);
}

#[test]
fn the_preview_waits_for_a_pause_in_typing() {
    let mut s = alerting();
    let effects = press(&mut s, "2s");
    serve(&mut s, &effects);
    // Up from the reason to a choice, which changes what is asked.
    let up = |s: &mut State| update(s, Msg::Key(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE)));
    up(&mut s);
    up(&mut s);
    assert_eq!(s.form.as_ref().unwrap().focus(), Field::Length);
    let previews =
        |effects: &[Effect]| requests(effects).iter().filter(|r| matches!(r, Request::Preview { .. })).count();
    assert_eq!(previews(&press(&mut s, "l")), 0);
    assert_eq!(s.wake(), Duration::from_millis(5_120));
    assert_eq!(previews(&update(&mut s, at(5_119))), 0);
    assert_eq!(previews(&update(&mut s, at(5_120))), 1);
    assert_eq!(previews(&update(&mut s, at(5_400))), 0);
}

#[test]
fn escape_asks_before_it_forgets_what_was_written() {
    let mut s = alerting();
    press(&mut s, "2s\x1b");
    assert!(s.form.is_none() && s.overlay == Overlay::None);
    press(&mut s, "swhy\x1b");
    assert_eq!(s.overlay, Overlay::Confirm(Confirm::Discard));
    press(&mut s, "n");
    assert!(s.form.is_some() && s.overlay == Overlay::None);
    press(&mut s, "\x1by");
    assert!(s.form.is_none() && s.overlay == Overlay::None);
}

#[test]
fn in_the_dialog_letters_are_text_and_quit_nothing() {
    let mut s = alerting();
    assert!(!press(&mut s, "2sq1a?u").contains(&Effect::Quit));
    assert_eq!(s.form.as_ref().unwrap().reason.text(), "q1a?u");
    update(&mut s, Msg::Paste("\nx\x1b[2J".into()));
    assert_eq!(s.form.as_ref().unwrap().reason.text(), "q1a?u x[2J");
}

#[test]
fn a_silence_of_ones_own_ends_at_once_and_comes_back() {
    let mut s = alerting();
    let effects = press(&mut s, "8");
    serve(&mut s, &effects);
    let effects = press(&mut s, "D");
    assert_eq!(orders(&effects), [Order::Expire("2f1c".into())]);
    serve(&mut s, &effects);
    let back = orders(&press(&mut s, "u"));
    assert!(
        matches!(&back[..], [Order::Silence(r)] if r.id.is_none() && r.matchers == ["alertname=\"EdgeFlaky\""] && r.created_by == "wu"),
        "{back:?}"
    );
}

#[test]
fn the_silence_of_another_is_asked_about_and_that_of_a_file_left_alone() {
    let mut s = alerting();
    let effects = press(&mut s, "8");
    serve(&mut s, &effects);
    assert!(orders(&press(&mut s, "jD")).is_empty());
    assert_eq!(s.overlay, Overlay::Confirm(Confirm::Expire("9b07".into())));
    assert_eq!(orders(&press(&mut s, "y")), [Order::Expire("9b07".into())]);
    assert!(orders(&press(&mut s, "\tD")).is_empty());
    assert!(toast(&s).contains("silences.yaml:3:5"), "{}", toast(&s));
}

#[test]
fn a_silence_is_extended() {
    let mut s = alerting();
    let effects = press(&mut s, "8");
    serve(&mut s, &effects);
    press(&mut s, "e");
    assert_eq!(s.form.as_ref().unwrap().focus(), Field::Length);
    let kept = press(&mut s, "\x13");
    let ends = fixture::silences()[0].ends_at;
    assert!(matches!(&orders(&kept)[..], [Order::Silence(r)] if r.ends_at == Some(ends)), "{kept:?}");
    refuse(&mut s, &kept, "no");
    let effects = press(&mut s, "hh\x13");
    let given = orders(&effects);
    assert!(
        matches!(&given[..], [Order::Silence(r)] if r.id.as_deref() == Some("2f1c") && r.length == Some(Duration::from_secs(14_400))),
        "{given:?}"
    );
    serve(&mut s, &effects);
    assert_eq!(toast(&s), "silence changed");
    let back = orders(&press(&mut s, "u"));
    assert!(matches!(&back[..], [Order::Silence(r)] if r.ends_at == Some(ends)), "{back:?}");
}

#[test]
fn only_what_was_given_up_is_sent_again_without_a_question() {
    let mut s = alerting();
    let effects = press(&mut s, "9");
    serve(&mut s, &effects);
    assert!(orders(&press(&mut s, "r")).is_empty());
    assert!(toast(&s).contains("tried again by itself"));
    press(&mut s, "jr");
    assert_eq!(s.overlay, Overlay::Confirm(Confirm::Resend(8)));
    press(&mut s, "\n");
    assert_eq!(orders(&press(&mut s, "Gr")), [Order::Resend(5)]);
}

#[test]
fn a_test_tells_what_the_receiver_said() {
    let mut s = alerting();
    let effects = press(&mut s, "9\t");
    serve(&mut s, &effects);
    let effects = press(&mut s, "T");
    assert_eq!(orders(&effects), [Order::Test("ticket".into())]);
    serve(&mut s, &effects);
    assert!(toast(&s).contains("test failed: ticket refused it in 412ms: 401"), "{}", toast(&s));
    let effects = press(&mut s, "jT");
    serve(&mut s, &effects);
    assert!(toast(&s).contains("telegram took it in 412ms"), "{}", toast(&s));
}

#[test]
fn labels_are_tried_against_the_routes() {
    let mut s = alerting();
    let effects = press(&mut s, "9t");
    serve(&mut s, &effects);
    for _ in 0..80 {
        update(&mut s, Msg::Key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)));
    }
    let effects = press(&mut s, "team=payments\n");
    assert!(requests(&effects).contains(&Request::Route(vec![("team".into(), "payments".into())])));
    serve(&mut s, &effects);
    assert!(matches!(&s.notifications.tried, Some((_, Ok(m))) if m.len() == 1));
}

#[test]
fn why_is_copied_as_text() {
    let mut s = alerting();
    let effects = press(&mut s, "2w");
    serve(&mut s, &effects);
    let effects = press(&mut s, "yy");
    let Some(Effect::Copy(text)) = effects.first() else { panic!("{effects:?}") };
    assert!(text.contains(" 4 waits hold") && text.contains("rules.d/api.yml:14:5"), "{text}");
    assert!(press(&mut s, "yc").contains(&Effect::Copy(format!("watchdog why {}", named(&s, "PgDiskLatencyHigh")))));
    press(&mut s, "\x1b");
    assert_eq!((s.why.is_none(), s.screen), (true, Screen::Alerts));
}

#[test]
fn an_answer_to_a_page_that_was_closed_is_dropped() {
    let mut s = alerting();
    let first = press(&mut s, "2w");
    press(&mut s, "\x1bjw");
    serve(&mut s, &first);
    assert!(s.why.as_ref().unwrap().why().is_none());
    let preview = press(&mut s, "\x1bs");
    press(&mut s, "\x1b");
    serve(&mut s, &preview);
    assert!(s.form.is_none());
}

#[test]
fn enter_on_an_alert_without_a_monitor_opens_the_alert_and_escape_leads_back() {
    let mut s = alerting();
    press(&mut s, "\n");
    assert_eq!((s.screen, s.alerts.open, s.open.is_none()), (Screen::Alerts, true, true));
    assert_eq!(s.alerts.selected, Some(named(&s, "PgDiskLatencyHigh")));
    press(&mut s, "\x1b");
    assert!(!s.alerts.open);
    press(&mut s, "\x1b");
    assert_eq!(s.screen, Screen::Overview);
}

#[test]
fn escape_drops_marks_before_the_filter_and_the_filter_before_the_screen() {
    let mut s = alerting();
    press(&mut s, "2/check\n *");
    press(&mut s, "*");
    assert_eq!(s.alerts.marks.len(), 1);
    press(&mut s, "\x1b");
    assert!(s.alerts.marks.is_empty() && !s.alerts.filter.is_empty());
    press(&mut s, "\x1b");
    assert!(s.alerts.filter.is_empty() && s.screen == Screen::Alerts);
    press(&mut s, "\x1b");
    assert_eq!(s.screen, Screen::Overview);
}

#[test]
fn the_order_of_an_answer_that_nobody_waits_for_changes_nothing() {
    let mut s = alerting();
    let stray = Request::Do { batch: 77, order: Order::Expire("x".into()) };
    update(&mut s, Msg::Reply(stray, Ok(Reply::Done(Outcome::Done))));
    assert!(s.toast.is_none() && s.orders.undo.is_none());
}
