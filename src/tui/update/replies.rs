//! What the server answered.

use crate::base::units::Short;
use crate::tui::action::{Effect, Failed, Reply, Request};
use crate::tui::state::State;
use crate::tui::update::explore;
use crate::wire::api::{Level, ProbeResult, Reloaded};

/// Takes in the end of a request. A reply about something that is no longer on the screen is dropped.
pub(crate) fn reply(s: &mut State, request: Request, result: Result<Reply, Failed>) -> Vec<Effect> {
    match (request, result) {
        (Request::Detail(name), result) => {
            s.detail.asked = None;
            if s.detailed().as_ref() != Some(&name) {
                return Vec::new();
            }
            match result {
                Ok(Reply::Detail(detail)) => {
                    (s.detail.data, s.detail.error) = (Some(detail), None);
                }
                Ok(_) => s.detail.error = Some("the server answered another question".to_owned()),
                Err(failed) => s.detail.error = Some(failed.message),
            }
        }
        (Request::Config, result) => {
            s.config.asked = false;
            match result {
                Ok(Reply::Config(status)) => {
                    s.config.at = s.config.at.min(status.problems.len().saturating_sub(1));
                    (s.config.data, s.config.error) = (Some(status), None);
                }
                Ok(_) => s.config.error = Some("the server answered another question".to_owned()),
                Err(failed) => s.config.error = Some(failed.message),
            }
        }
        (Request::Run(name), result) => {
            s.running.retain(|n| *n != name);
            match result {
                Ok(Reply::Ran(result)) => s.say(format!("{name}: {}", ran(&result)), false),
                Ok(_) => s.say(format!("{name}: the server answered another question"), true),
                Err(failed) => s.say(format!("{name} was not probed: {}", failed.message), true),
            }
        }
        (Request::Query { id, ask }, result) => explore::answers::answered(s, id, &ask, result),
        (Request::Names(of), result) => explore::answers::named(s, &of, result),
        (Request::Metrics, result) => explore::metrics::told(s, result),
        (Request::Reload, result) => match result {
            Ok(Reply::Reloaded(reloaded)) => {
                let errors = reloaded.problems.iter().any(|p| p.level == Level::Error);
                s.say(loaded(&reloaded), errors);
                s.forget_requests();
            }
            Ok(_) => s.say("reload: the server answered another question", true),
            Err(failed) => s.say(format!("not reloaded: {}", failed.message), true),
        },
    }
    Vec::new()
}

fn ran(result: &ProbeResult) -> String {
    let text = result.reason.as_ref().map_or(&result.summary, |r| &r.message);
    let word = crate::wire::board::State::from(result.verdict).as_str();
    let colon = if text.is_empty() { "" } else { ": " };
    format!("{word} in {}{colon}{text}", Short(result.took))
}

fn loaded(r: &Reloaded) -> String {
    let mut parts = Vec::new();
    for (names, word) in [(&r.added, "added"), (&r.changed, "changed"), (&r.removed, "removed")] {
        match names.as_slice() {
            [] => {}
            [one] => parts.push(format!("{one} {word}")),
            many => parts.push(format!("{} {word}", many.len())),
        }
    }
    if parts.is_empty() {
        parts.push("nothing changed".to_owned());
    }
    if !r.problems.is_empty() {
        parts.push(format!("{} problems", r.problems.len()));
    }
    format!("reloaded: {}, {} unchanged", parts.join(", "), r.unchanged)
}
