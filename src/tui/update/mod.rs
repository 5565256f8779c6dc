//! The reducer: one message in, the state changed, effects out. Pure: no clock, no I/O, no waiting.

mod explore;
mod keys;
mod link;
mod replies;

use crate::tui::action::{Effect, Msg, Now};
use crate::tui::screens;
use crate::tui::state::{Overlay, State};

pub(crate) use explore::link as explore_link;
pub(crate) use keys::refused;

/// Takes in one message.
pub(crate) fn update(s: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Clock(now) => {
            clock(s, now);
            Vec::new()
        }
        Msg::Key(key) => changed(s, |s| keys::key(s, &key)),
        Msg::Paste(text) => changed(s, |s| paste(s, &text)),
        Msg::Resize(columns, rows) => changed(s, |s| {
            s.size = (columns, rows);
            Vec::new()
        }),
        Msg::Link(link) => link::link(s, link),
        Msg::Reply(request, result) => changed(s, |s| replies::reply(s, request, result)),
        Msg::TaskPanicked(name) => changed(s, |s| {
            // Which request it was is not known; all may be asked again.
            (s.detail.asked, s.config.asked) = (None, false);
            s.running.clear();
            s.explore.cancel();
            s.explore.names.forget_requests();
            s.explore.catalog.forget_request();
            s.say(format!("a task of the screen crashed ({name}); what it fetched may be missing"), true);
            Vec::new()
        }),
    };
    effects.extend(s.wanted());
    screens::settle(s);
    effects
}

/// Counts a visible change.
fn changed(s: &mut State, change: impl FnOnce(&mut State) -> Vec<Effect>) -> Vec<Effect> {
    s.rev += 1;
    change(s)
}

/// Ages and the header's clock are shown in seconds at the finest: a new second may look different, no less does.
fn clock(s: &mut State, now: Now) {
    let fresh = s.is_fresh();
    let second = (s.now.steady.as_secs(), s.server_now().millis() / 1_000);
    s.now = now;
    if s.toast.as_ref().is_some_and(|t| !t.error && now.steady >= t.until) {
        s.toast = None;
        s.rev += 1;
    }
    if second != (now.steady.as_secs(), s.server_now().millis() / 1_000) || fresh != s.is_fresh() {
        s.rev += 1;
    }
}

/// Pasted text enters text fields; elsewhere it would run as keys.
fn paste(s: &mut State, text: &str) -> Vec<Effect> {
    if s.is_editing() {
        explore::write::insert(s, text);
        return Vec::new();
    }
    match &mut s.overlay {
        Overlay::Typing => {
            s.list.filter.push_str(text);
            keys::filter_changed(s);
        }
        Overlay::Help { typing: true, query, scroll } => {
            query.extend(text.chars().filter(|c| !c.is_control()).take(keys::QUERY_CHARS));
            *scroll = 0;
        }
        Overlay::Metrics(browser) => browser.push(text),
        Overlay::None | Overlay::Menu(_) | Overlay::Ranges(_) | Overlay::Help { .. } => {
            s.say("pasted text is ignored here: press / for a text field", false);
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
