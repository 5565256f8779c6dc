//! Keys of the screens about alerts, silences and notifications, and of the page that says why.

use crate::tui::action::{Alerting as Do, Effect, Order, Question, Request};
use crate::tui::screens;
use crate::tui::state::alerts::{AlertSort, AlertsView, Tab as AlertTab};
use crate::tui::state::deliveries::Tab as NotifyTab;
use crate::tui::state::explore::editor::Editor;
use crate::tui::state::form::Form;
use crate::tui::state::orders::Verb;
use crate::tui::state::prompt::{AckPrompt, Choose, Confirm, LAPSES};
use crate::tui::state::silences::{Tab as SilenceTab, state as silence_state};
use crate::tui::state::why::WhyView;
use crate::tui::state::{Item, Overlay, Screen, State};
use crate::tui::update::keys::{clipboard, refused};
use crate::tui::update::orders::{give, restore, undo};
use crate::wire::alerting::{AckRequest, SilenceRequest, SilenceState};
use crate::wire::board::{AlertRow, AlertState, DeliveryState};

/// Does what a key means.
pub(super) fn act(s: &mut State, action: Do) -> Vec<Effect> {
    match action {
        Do::NextTab => turn(s, 1),
        Do::PreviousTab => turn(s, -1),
        Do::Mark => mark(s),
        Do::MarkAll => mark_all(s),
        Do::Ack => ack(s),
        Do::Unack => return unack(s),
        Do::Silence => silence(s),
        Do::Why => why(s),
        Do::Group => s.overlay = Overlay::Choose(Choose::Group, 0),
        Do::Preview => s.alerts.bare = !s.alerts.bare,
        Do::Runbook => return runbook(s),
        Do::CopyName | Do::CopyLabels | Do::CopyCommand => return copy(s, action),
        Do::Undo => return undo(s),
        Do::New => begin(s, Form::empty()),
        Do::Change => change(s),
        Do::Expire => return expire(s),
        Do::Resend => return resend(s),
        Do::Test => return test(s),
        Do::TryLabels => try_labels(s),
        Do::Refresh => {
            if let Some(why) = &mut s.why {
                why.answer.renew();
            }
        }
        Do::Lapse => {
            if let Overlay::Ack(prompt) = &mut s.overlay {
                prompt.lapse = (prompt.lapse + 1) % LAPSES.len();
            }
        }
        Do::Create => return create(s),
        Do::Toggle | Do::ChoiceOn | Do::ChoiceBack => {
            let now = s.now.steady;
            if let Some(form) = &mut s.form {
                match action {
                    Do::ChoiceOn => form.choose(1),
                    Do::ChoiceBack => form.choose(-1),
                    _ => form.toggle(),
                }
                form.touch(now);
            }
        }
        Do::NextField | Do::PreviousField => {
            if let Some(form) = &mut s.form {
                form.step(if action == Do::NextField { 1 } else { -1 });
            }
        }
        Do::Yes => return yes(s),
        Do::No => s.overlay = Overlay::None,
    }
    Vec::new()
}

fn turn(s: &mut State, by: isize) {
    fn next<T: Copy + PartialEq>(all: &[T], tab: T, by: isize) -> T {
        let at = all.iter().position(|t| *t == tab).unwrap_or(0);
        let len = all.len().max(1);
        all.get(at.saturating_add_signed(by.rem_euclid(len as isize)) % len).copied().unwrap_or(tab)
    }
    let now = s.server_now();
    match s.screen {
        Screen::Alerts if !s.alerts.open => {
            (s.alerts.tab, s.alerts.at, s.alerts.top) = (next(&AlertTab::ALL, s.alerts.tab, by), 0, 0);
            relist(s);
        }
        Screen::Silences => {
            let v = &mut s.silences;
            (v.tab, v.at, v.top) = (next(&SilenceTab::ALL, v.tab, by), 0, 0);
            v.refresh(now);
        }
        Screen::Notifications => {
            let v = &mut s.notifications;
            (v.tab, v.at, v.top) = (next(&NotifyTab::ALL, v.tab, by), 0, 0);
            v.refresh();
        }
        _ => {}
    }
}

/// Goes to what the screen's filter is about.
pub(super) fn show_filtered(s: &mut State) {
    if s.screen == Screen::Notifications {
        s.notifications.tab = NotifyTab::Deliveries;
        s.notifications.refresh();
    }
}

/// Lists the alerts anew.
pub(super) fn relist(s: &mut State) {
    if let Some(board) = &s.board {
        s.alerts.refresh(board, &s.acks);
    }
}

/// Moves the cursor of an alerting screen.
pub(super) fn step(s: &mut State, by: isize) {
    let now = s.server_now();
    if let Some(why) = &mut s.why {
        let at = why.step().saturating_add_signed(by);
        why.at = Some(at);
        why.at = Some(why.step());
        return;
    }
    match s.screen {
        Screen::Alerts if s.alerts.open => s.alerts.scroll = s.alerts.scroll.saturating_add_signed(by),
        Screen::Alerts => {
            if let Some(board) = &s.board {
                s.alerts.select(board, s.alerts.at.saturating_add_signed(by));
            }
        }
        Screen::Silences => s.silences.select(s.silences.at.saturating_add_signed(by), now),
        Screen::Notifications => s.notifications.select(s.notifications.at.saturating_add_signed(by)),
        _ => {}
    }
}

/// Enter on an alert: all about it.
pub(super) fn open(s: &mut State, fingerprint: &str) {
    let Some(board) = &s.board else { return };
    if s.screen != Screen::Alerts {
        s.screen = Screen::Alerts;
        s.alerts.show(board, &s.acks, fingerprint);
    }
    (s.alerts.open, s.alerts.scroll) = (true, 0);
}

/// Esc; returns whether there was something to close.
pub(super) fn back(s: &mut State) -> bool {
    if let Some(form) = &mut s.form {
        if form.writing {
            form.enter();
        } else if form.edited {
            s.overlay = Overlay::Confirm(Confirm::Discard);
        } else {
            s.form = None;
        }
        return true;
    }
    if s.why.take().is_some() {
        return true;
    }
    if s.screen == Screen::Alerts && s.open.is_none() {
        let v = &mut s.alerts;
        if v.open {
            (v.open, v.scroll) = (false, 0);
            return true;
        }
        if !v.marks.is_empty() {
            v.marks.clear();
            return true;
        }
    }
    false
}

/// Takes what a menu's cursor is on.
pub(super) fn chosen(s: &mut State, what: Choose, at: usize) {
    let Some(board) = &s.board else { return };
    match what {
        Choose::Sort => s.alerts.sort = AlertSort::ALL.get(at).copied().unwrap_or_default(),
        Choose::Group => {
            let labels = AlertsView::group_labels(board);
            s.alerts.group = at.checked_sub(1).and_then(|at| labels.get(at).cloned());
        }
    }
    relist(s);
}

fn mark(s: &mut State) {
    let Some(fingerprint) = s.alerts.selected.clone().filter(|_| s.alerts.len > 0) else { return };
    if !s.alerts.marks.remove(&fingerprint) {
        s.alerts.marks.insert(fingerprint);
    }
    if !s.alerts.open {
        step(s, 1);
    }
}

fn mark_all(s: &mut State) {
    let Some(board) = &s.board else { return };
    let all = s.alerts.all(board);
    if all.iter().all(|f| s.alerts.marks.contains(f)) {
        s.alerts.marks.clear();
    } else {
        s.alerts.marks.extend(all);
    }
}

/// The alerts that are not over among those that actions are about.
fn targets(s: &mut State, what: &str) -> Vec<String> {
    let all = s.alert_targets();
    let live: Vec<String> =
        all.iter().filter(|f| s.alert(f).is_some_and(|a| a.state != AlertState::Resolved)).cloned().collect();
    if live.is_empty() {
        let text = if all.is_empty() { "no alert here" } else { "it is over" };
        s.say(format!("{text}: nothing to {what}"), false);
    }
    live
}

fn ack(s: &mut State) {
    let targets = targets(s, "acknowledge");
    if !targets.is_empty() {
        s.overlay = Overlay::Ack(AckPrompt { targets, ..AckPrompt::default() });
    }
}

/// Enter in the line that acknowledges.
pub(super) fn acknowledge(s: &mut State, prompt: &AckPrompt) -> Vec<Effect> {
    if let Some(reason) = refused(s) {
        s.say(reason, false);
        return Vec::new();
    }
    let now = s.server_now();
    let until = LAPSES.get(prompt.lapse).and_then(|(_, length)| *length).map(|length| now.plus(length));
    let request = AckRequest { by: String::new(), comment: prompt.comment.text().trim().to_owned(), until };
    // Some may have ended while the comment was written.
    let live = prompt.targets.iter().filter(|f| s.alert(f).is_some_and(|a| a.state != AlertState::Resolved));
    let orders: Vec<_> = live
        .map(|f| {
            let before = s.alert(f).and_then(|a| s.acks.of(a));
            let back = before.map_or_else(|| Order::Unack(f.clone()), |ack| restore(f, ack));
            (Order::Ack(f.clone(), request.clone()), Some(back))
        })
        .collect();
    if orders.is_empty() {
        s.say("it ended meanwhile: nothing to acknowledge", false);
    }
    give(s, Verb::Ack, orders)
}

fn unack(s: &mut State) -> Vec<Effect> {
    let orders: Vec<_> = s
        .alert_targets()
        .iter()
        .filter_map(|f| {
            let ack = s.acks.of(s.alert(f)?)?;
            Some((Order::Unack(f.clone()), Some(restore(f, ack))))
        })
        .collect();
    if orders.is_empty() {
        s.say("nobody has it: nothing to take back", false);
    }
    give(s, Verb::Unack, orders)
}

/// Opens the silence dialog. Its keys stand where the last message was.
fn begin(s: &mut State, form: Form) {
    (s.form, s.toast) = (Some(form), None);
}

fn silence(s: &mut State) {
    let targets = s.alert_targets();
    let alerts: Vec<&AlertRow> = targets.iter().filter_map(|f| s.alert(f)).map(AsRef::as_ref).collect();
    if alerts.is_empty() {
        match s.target() {
            Some(name) => begin(s, Form::of_monitor(name.as_str())),
            None => s.say("no alert or monitor here: nothing to silence", false),
        }
    } else {
        let form = Form::of_alerts(&alerts);
        begin(s, form);
    }
}

fn why(s: &mut State) {
    let alert = |a: &AlertRow| {
        let on = if a.subject().is_empty() { String::new() } else { format!(" / {}", a.subject()) };
        (Question { about: a.fingerprint.clone(), kind: "alert" }, format!("{}{on}", a.name))
    };
    let monitor = s.target().map(|name| (Question { about: name.to_string(), kind: "monitor" }, name.to_string()));
    let found = match (s.screen, &s.overview.selected) {
        _ if s.open.is_some() => monitor,
        (Screen::Alerts, _) => {
            let selected = s.alerts.selected.as_ref().filter(|_| s.alerts.len > 0 || s.alerts.open);
            selected.and_then(|f| s.alert(f)).map(|a| alert(a))
        }
        (Screen::Overview, Some(Item::Alert(f))) => s.alert(f).map(|a| alert(a)),
        (Screen::Notifications, _) => s.notifications.delivery().and_then(|d| {
            let about = d.fingerprints.first()?.clone();
            Some((Question { about, kind: "alert" }, d.subject.clone()))
        }),
        _ => monitor,
    };
    match found {
        Some((question, title)) => s.why = Some(WhyView::new(question, title)),
        None => s.say("nothing here to ask about", false),
    }
}

fn runbook(s: &mut State) -> Vec<Effect> {
    let Some(fingerprint) = s.alerts.selected.clone() else { return Vec::new() };
    let known = s.alerts.detail.get(&fingerprint).and_then(|d| d.runbook.clone());
    let noted = || {
        let annotations = &s.alert(&fingerprint)?.annotations;
        ["runbook_url", "runbook"].iter().find_map(|name| annotations.get(name)).map(str::to_owned)
    };
    match known.or_else(noted) {
        Some(url) => clipboard(s, url),
        None => {
            s.say("this alert has no runbook: give its rule the annotation `runbook_url`", false);
            Vec::new()
        }
    }
}

fn copy(s: &mut State, action: Do) -> Vec<Effect> {
    let now = s.server_now();
    let text = if let Some(why) = &s.why {
        match action {
            Do::CopyCommand => Some(format!("watchdog why {}", quoted(&why.question.about))),
            _ => why.why().map(|answer| screens::why_text(answer, &why.title)),
        }
    } else {
        match s.screen {
            Screen::Alerts => s.alerts.selected.as_ref().and_then(|f| s.alert(f)).map(|a| match action {
                Do::CopyLabels => {
                    let pairs: Vec<String> = a.labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
                    format!("{{{}}}", pairs.join(","))
                }
                Do::CopyCommand => format!("watchdog why {}", a.fingerprint),
                _ => a.name.clone(),
            }),
            Screen::Silences => {
                s.silences.silence(now).map(|x| x.id.clone()).or_else(|| s.silences.window().map(|w| w.name.clone()))
            }
            Screen::Notifications => {
                let v = &s.notifications;
                let name = || v.notifier().map(|n| n.name.clone()).or_else(|| v.route().map(|r| r.id.clone()));
                v.delivery().map(|d| d.key.clone()).or_else(name)
            }
            _ => None,
        }
    };
    text.map_or_else(Vec::new, |text| clipboard(s, text))
}

/// A word of a command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if word.chars().all(plain) && !word.is_empty() {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn change(s: &mut State) {
    let now = s.server_now();
    let Some(row) = s.silences.silence(now) else {
        if s.silences.window().is_some() {
            s.say("windows of maintenance stand in files: change it there", false);
        }
        return;
    };
    if let Some(source) = &row.source {
        let text = format!("it stands in {source}: change it there");
        s.say(text, false);
    } else {
        let mut form = Form::of_silence(row, now);
        if silence_state(row, now) == SilenceState::Expired {
            // What is over stays over: its like begins anew.
            (form.id, form.length) = (None, 1);
        }
        begin(s, form);
    }
}

fn expire(s: &mut State) -> Vec<Effect> {
    let now = s.server_now();
    let Some(row) = s.silences.silence(now) else { return Vec::new() };
    let (id, by) = (row.id.clone(), row.created_by.clone());
    if let Some(source) = &row.source {
        let text = format!("it stands in {source}: take it out there");
        s.say(text, false);
    } else if silence_state(row, now) == SilenceState::Expired {
        s.say("it is over already", false);
    } else if by == s.user {
        return end(s, &id);
    } else {
        s.overlay = Overlay::Confirm(Confirm::Expire(id));
    }
    Vec::new()
}

/// Ends a silence. What takes that back is another one like it.
fn end(s: &mut State, id: &str) -> Vec<Effect> {
    let rows = s.silences.silences.get(&());
    let Some(row) = rows.and_then(|rows| rows.iter().find(|row| row.id == id)) else { return Vec::new() };
    let again = SilenceRequest {
        id: None,
        matchers: row.matchers.clone(),
        starts_at: (row.starts_at > s.server_now()).then_some(row.starts_at),
        ends_at: Some(row.ends_at),
        length: None,
        until_resolved: row.until_resolved,
        created_by: row.created_by.clone(),
        comment: row.comment.clone(),
    };
    give(s, Verb::Expire, vec![(Order::Expire(id.to_owned()), Some(Order::Silence(Box::new(again))))])
}

fn resend(s: &mut State) -> Vec<Effect> {
    let Some(delivery) = s.notifications.delivery() else { return Vec::new() };
    let id = delivery.id;
    match delivery.state {
        DeliveryState::Owed => {
            s.say("it has not been given up: it is tried again by itself", false);
            Vec::new()
        }
        DeliveryState::Delivered => {
            s.overlay = Overlay::Confirm(Confirm::Resend(id));
            Vec::new()
        }
        DeliveryState::Dead => give(s, Verb::Resend, vec![(Order::Resend(id), None)]),
    }
}

fn test(s: &mut State) -> Vec<Effect> {
    let v = &s.notifications;
    let names: Vec<String> = match v.tab {
        NotifyTab::Deliveries => v.delivery().map(|d| d.notifier.clone()).into_iter().collect(),
        NotifyTab::Receivers => v.notifier().map(|n| n.name.clone()).into_iter().collect(),
        NotifyTab::Routes => {
            let Some(receiver) = v.route().map(|r| &r.receiver) else { return Vec::new() };
            let of = v.rows().into_iter().filter(|n| n.name == *receiver || n.receivers.contains(receiver));
            of.map(|n| n.name.clone()).collect()
        }
    };
    if names.is_empty() {
        s.say("no notifier here to test", false);
    }
    give(s, Verb::Test, names.into_iter().map(|name| (Order::Test(name), None)).collect())
}

fn try_labels(s: &mut State) {
    let labels = s.alerts.selected.as_ref().and_then(|f| s.alert(f)).map(|a| {
        let pairs = a.labels.iter().filter(|(_, v)| !v.contains(' '));
        pairs.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    });
    (s.notifications.tab, s.notifications.at) = (NotifyTab::Routes, 0);
    s.notifications.refresh();
    s.overlay = Overlay::TryLabels(Editor::new(labels.as_deref().unwrap_or("alertname=")));
}

/// Enter in the line of labels.
pub(super) fn tried(s: &mut State, text: &str) -> Vec<Effect> {
    let mut labels = Vec::new();
    for word in text.split_whitespace() {
        match word.split_once('=').filter(|(name, _)| crate::base::labels::is_label_name(name)) {
            Some((name, value)) => labels.push((name.to_owned(), value.trim_matches('"').to_owned())),
            None => {
                s.say(format!("`{word}` is no label: write name=value"), true);
                return Vec::new();
            }
        }
    }
    if labels.is_empty() {
        s.notifications.tried = None;
        return Vec::new();
    }
    vec![Effect::Ask(Request::Route(labels))]
}

fn create(s: &mut State) -> Vec<Effect> {
    let now = s.server_now();
    let Some(form) = &mut s.form else { return Vec::new() };
    if form.sent.is_some() {
        return Vec::new();
    }
    form.writing = false;
    let request = match form.request(now) {
        Ok(request) => request,
        Err(mistake) => {
            form.refusal = Some(mistake);
            return Vec::new();
        }
    };
    let (verb, back) = match &request.id {
        None => (Verb::Silence, None),
        Some(id) => {
            let rows = s.silences.silences.get(&());
            let before = rows.and_then(|rows| rows.iter().find(|row| row.id == *id)).map(|row| SilenceRequest {
                id: Some(row.id.clone()),
                matchers: row.matchers.clone(),
                starts_at: (row.starts_at > now).then_some(row.starts_at),
                ends_at: Some(row.ends_at),
                length: None,
                until_resolved: row.until_resolved,
                created_by: row.created_by.clone(),
                comment: row.comment.clone(),
            });
            (Verb::Change, before.map(|b| Order::Silence(Box::new(b))))
        }
    };
    let effects = give(s, verb, vec![(Order::Silence(Box::new(request)), back)]);
    if let Some(form) = &mut s.form {
        form.sent = Some(s.orders.last);
    }
    effects
}

fn yes(s: &mut State) -> Vec<Effect> {
    let Overlay::Confirm(what) = std::mem::take(&mut s.overlay) else { return Vec::new() };
    if what == Confirm::Discard {
        s.form = None;
        return Vec::new();
    }
    if let Some(reason) = refused(s) {
        s.say(reason, false);
        return Vec::new();
    }
    match what {
        Confirm::Discard => Vec::new(),
        Confirm::Expire(id) => end(s, &id),
        Confirm::Resend(id) => give(s, Verb::Resend, vec![(Order::Resend(id), None)]),
    }
}
