//! What the server answers on the Explore screen.

use crate::tui::action::{Failed, Reply};
use crate::tui::state::State;
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::state::explore::result::Ran;
use crate::wire::query::Ask;

/// Takes in the answer to a question, unless a newer one was asked since.
pub(crate) fn answered(s: &mut State, id: u64, ask: &Ask, result: Result<Reply, Failed>) {
    let x = &mut s.explore;
    let Some(i) = x.queries.iter().position(|q| q.running.is_some_and(|r| r.id == id)) else { return };
    let query = &mut x.queries[i];
    query.running = None;
    match result {
        Ok(Reply::Queried(reply)) => {
            let other = query.ran.as_ref().is_none_or(|ran| ran.query != ask.query);
            query.ran = Some(Ran::of(i, ask, *reply));
            query.error = None;
            x.assign_strokes(other);
        }
        Ok(_) => query.error = Some("the server answered another question".to_owned()),
        Err(failed) => query.error = Some(failed.message),
    }
    x.reselect();
}

/// Takes in a list of names.
pub(crate) fn named(s: &mut State, of: &NamesOf, result: Result<Reply, Failed>) {
    let names = match result {
        Ok(Reply::Names(names)) => Some(names),
        // Offers are a convenience; what is wrong is told when the query is run.
        Ok(_) | Err(_) => None,
    };
    s.explore.names.take(of, names);
    if s.explore.popup.as_ref().is_some_and(|p| !p.history) {
        s.explore.offer(true);
    }
}
