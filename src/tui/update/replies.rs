//! What the server answered.

use crate::base::units::Short;
use crate::tui::action::{Effect, Failed, Reply, Request};
use crate::tui::state::State;
use crate::tui::update::{explore, orders};
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
        (Request::Do { batch, order }, result) => orders::answered(s, batch, &order, result),
        (Request::Alert(fingerprint), result) => {
            let answer = wanted(result, |reply| if let Reply::Alert(detail) = reply { Some(detail) } else { None });
            s.alerts.detail.answer(fingerprint, answer);
        }
        (Request::Silences, result) => {
            let answer = wanted(result, |reply| if let Reply::Silences(rows) = reply { Some(rows) } else { None });
            s.silences.silences.answer((), answer);
            s.silences.refresh(s.link.server_now(s.now));
        }
        (Request::Maintenance, result) => {
            let answer = wanted(result, |reply| if let Reply::Maintenance(rows) = reply { Some(rows) } else { None });
            s.silences.maintenance.answer((), answer);
            s.silences.refresh(s.link.server_now(s.now));
        }
        (Request::Preview { id, .. }, result) => {
            let answer = wanted(result, |reply| if let Reply::Preview(preview) = reply { Some(preview) } else { None });
            if let Some(form) = &mut s.form {
                form.answered(id, answer);
            }
        }
        (Request::Deliveries(before), result) => {
            let page = wanted(result, |reply| if let Reply::Deliveries(page) = reply { Some(page) } else { None });
            let v = &mut s.notifications;
            let done = page.map(|page| v.take(before, page));
            match before {
                None => v.newest.answer((), done),
                Some(before) => v.older.answer(before, done),
            }
        }
        (Request::Notifiers, result) => {
            let answer = wanted(result, |reply| if let Reply::Notifiers(rows) = reply { Some(rows) } else { None });
            s.notifications.notifiers.answer((), answer);
            s.notifications.refresh();
        }
        (Request::Routes, result) => {
            let answer = wanted(result, |reply| if let Reply::Routes(root) = reply { Some(root) } else { None });
            s.notifications.routes.answer((), answer);
            s.notifications.refresh();
        }
        (Request::Route(labels), result) => {
            let answer = wanted(result, |reply| if let Reply::Route(matches) = reply { Some(matches) } else { None });
            let labels = labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
            s.notifications.tried = Some((labels, answer));
        }
        (Request::Why(question), result) => {
            let answer = wanted(result, |reply| if let Reply::Why(why) = reply { Some(why) } else { None });
            if let Some(why) = s.why.as_mut().filter(|w| w.question == question) {
                why.answer.answer(question.about, answer);
            }
        }
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

/// The reply that was expected, or what to tell instead.
fn wanted<T>(result: Result<Reply, Failed>, pick: impl FnOnce(Reply) -> Option<T>) -> Result<T, String> {
    let reply = result.map_err(|failed| failed.message)?;
    pick(reply).ok_or_else(|| "the server answered another question".to_owned())
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
