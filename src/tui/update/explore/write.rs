//! The text of a query: what is typed, what is offered, what was run before.

use crate::tui::action::Effect;
use crate::tui::state::State;
use crate::tui::state::explore::Focus;
use crate::tui::state::explore::editor::Motion;
use crate::tui::update::explore::run;

/// Enters text at the cursor of the query.
pub(crate) fn insert(s: &mut State, text: &str) {
    s.explore.query().editor.insert(text);
    edited(s);
}

fn edited(s: &mut State) {
    s.explore.query().check();
    s.explore.recalled = None;
    // What a query would read is told with it.
    s.explore.catalog.want();
    if s.explore.popup.as_ref().is_some_and(|p| p.history) { s.explore.offer_history() } else { s.explore.offer(false) }
}

/// Moves the text cursor; at the end of a line takes what is offered there.
pub(crate) fn go(s: &mut State, motion: Motion) {
    if matches!(motion, Motion::Right | Motion::End) && s.explore.ghost().is_some() {
        s.explore.take_offer();
        return;
    }
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
