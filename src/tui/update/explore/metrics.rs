//! The list of metrics over the Explore screen.

use crate::tui::action::{Failed, Reply};
use crate::tui::state::explore::Focus;
use crate::tui::state::explore::catalog::Browser;
use crate::tui::state::{Overlay, State};

/// Opens it.
pub(crate) fn open(s: &mut State) {
    s.explore.popup = None;
    s.explore.catalog.want();
    s.overlay = Overlay::Metrics(Browser::default());
}

/// Writes the marked metric into the query, in place of the word at the cursor.
pub(crate) fn take(s: &mut State) {
    let Overlay::Metrics(browser) = &s.overlay else { return };
    let name = s.explore.catalog.fitting(&browser.filter).get(browser.at).map(|m| m.name.clone());
    let Some(name) = name else { return };
    s.overlay = Overlay::None;
    s.explore.write_metric(&name);
    (s.explore.focus, s.explore.recalled) = (Focus::Editor, None);
}

/// Takes in which metrics there are.
pub(crate) fn told(s: &mut State, result: Result<Reply, Failed>) {
    let result = match result {
        Ok(Reply::Metrics(metrics)) => Ok(metrics),
        Ok(_) => Err(Failed { message: "the server answered another question".to_owned() }),
        Err(failed) => Err(failed),
    };
    s.explore.catalog.take(result);
    // The marked row is another one now.
    if let Overlay::Metrics(browser) = &mut s.overlay {
        (browser.at, browser.top) = (0, 0);
    }
}
