//! Changes that a person asked for: given to the server at once, told when it has answered, taken back by `u`.

use crate::base::units::Short;
use crate::tui::action::{Effect, Failed, Order, Outcome, Reply, Request};
use crate::tui::state::orders::{Batch, UNDO, Undo, Verb};
use crate::tui::state::{State, Toast};
use crate::wire::alerting::{Ack, AckRequest};

/// Gives orders together, each with what takes it back where that is known by now.
pub(super) fn give(s: &mut State, verb: Verb, orders: Vec<(Order, Option<Order>)>) -> Vec<Effect> {
    if orders.is_empty() {
        return Vec::new();
    }
    s.orders.last += 1;
    let id = s.orders.last;
    for (order, _) in &orders {
        match order {
            Order::Ack(fingerprint, request) => {
                let by = if request.by.is_empty() { s.user.clone() } else { request.by.clone() };
                let by = if by.is_empty() { "you".to_owned() } else { by };
                let ack = Ack { by, at: s.server_now(), comment: request.comment.clone(), until: request.until };
                s.acks.expect(fingerprint, Some(ack));
            }
            Order::Unack(fingerprint) => s.acks.expect(fingerprint, None),
            Order::Silence(_) | Order::Expire(_) | Order::Resend(_) | Order::Test(_) => {}
        }
    }
    s.board_changed();
    s.say(verb.doing(orders.len()), false);
    let (effects, inverse) = orders
        .into_iter()
        .map(|(order, back)| (Effect::Ask(Request::Do { batch: id, order: order.clone() }), back.map(|b| (order, b))))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    s.orders.batches.push(Batch {
        id,
        verb,
        left: effects.len(),
        done: 0,
        failed: Vec::new(),
        notes: Vec::new(),
        inverse: inverse.into_iter().flatten().collect(),
        undo: Vec::new(),
    });
    effects
}

/// Takes in the end of an order.
pub(super) fn answered(s: &mut State, id: u64, order: &Order, result: Result<Reply, Failed>) {
    let now = s.now.steady;
    let outcome = match result {
        Ok(Reply::Done(outcome)) => Ok(outcome),
        Ok(_) => Err("the server answered another question".to_owned()),
        Err(failed) => Err(failed.message),
    };
    let fresh = s.is_fresh();
    match (order, &outcome) {
        // While nothing is heard the board is shown as it was, and nothing else.
        (Order::Ack(f, _), Ok(Outcome::Acked(ack))) if fresh => s.acks.confirm(f, Some(ack.clone()), now),
        (Order::Unack(f), Ok(_)) if fresh => s.acks.confirm(f, None, now),
        (Order::Ack(f, _) | Order::Unack(f), _) => s.acks.drop(f),
        _ => {}
    }
    s.board_changed();
    let subject = match order {
        Order::Ack(f, _) | Order::Unack(f) => s.alert(f).map_or_else(|| f.clone(), |a| a.name.clone()),
        Order::Test(name) => name.clone(),
        Order::Silence(_) | Order::Expire(_) | Order::Resend(_) => String::new(),
    };
    let Some(batch) = s.orders.batches.iter_mut().find(|b| b.id == id) else { return };
    batch.left = batch.left.saturating_sub(1);
    let colon = if subject.is_empty() { "" } else { ": " };
    match outcome {
        Ok(outcome) => {
            let back = batch.inverse.iter().find(|(o, _)| o == order).map(|(_, back)| back.clone());
            batch.undo.extend(back);
            match outcome {
                Outcome::Silenced(row) if batch.verb == Verb::Silence => batch.undo.push(Order::Expire(row.id)),
                Outcome::Tested(test) => {
                    let detail = test.detail.map(|d| format!(": {d}")).unwrap_or_default();
                    let text = format!(
                        "{subject} {} in {}{detail}",
                        if test.ok { "took it" } else { "refused it" },
                        Short(test.took)
                    );
                    if test.ok {
                        batch.notes.push(text);
                    } else {
                        batch.failed.push(text);
                        settle(s, id);
                        return;
                    }
                }
                Outcome::Done | Outcome::Acked(_) | Outcome::Silenced(_) => {}
            }
            batch.done += 1;
        }
        Err(error) => batch.failed.push(format!("{subject}{colon}{error}")),
    }
    settle(s, id);
}

/// Tells of a batch once all of it has been answered.
fn settle(s: &mut State, id: u64) {
    let Some(at) = s.orders.batches.iter().position(|b| b.id == id && b.left == 0) else { return };
    let batch = s.orders.batches.remove(at);
    s.news += 1;
    s.renew_lists();
    if let Some(form) = s.form.as_mut().filter(|f| f.sent == Some(id)) {
        form.sent = None;
        match batch.failed.first() {
            // In its place: what was written stays, and can be mended.
            Some(error) => {
                form.refusal = Some(error.clone());
                s.toast = None;
                return;
            }
            None => s.form = None,
        }
    }
    let undo = batch.verb != Verb::Undo && !batch.undo.is_empty();
    if undo {
        s.orders.undo = Some(Undo { orders: batch.undo, until: s.now.steady + UNDO });
    }
    match (batch.failed.first(), batch.done) {
        (None, n) => {
            let mut text = batch.verb.done(n);
            if !batch.notes.is_empty() {
                text = batch.notes.join("   ");
            }
            if matches!(batch.verb, Verb::Ack | Verb::Silence) {
                s.alerts.marks.clear();
            }
            if batch.verb == Verb::Ack {
                text.push_str(", escalation stops");
            }
            let until = s.now.steady + if undo { UNDO } else { crate::tui::state::TOAST };
            s.toast = Some(Toast { text, error: false, until, undo });
        }
        (Some(error), 0) => s.say(format!("{}: {error}", batch.verb.failed()), true),
        (Some(error), n) => {
            let of = n + batch.failed.len();
            s.say(format!("{} of {of}; {}: {error}", batch.verb.done(n), batch.verb.failed()), true);
        }
    }
}

/// Takes the last change back.
pub(super) fn undo(s: &mut State) -> Vec<Effect> {
    match s.orders.undo.take() {
        Some(undo) => {
            let orders = undo.orders.into_iter().map(|order| (order, None)).collect();
            give(s, Verb::Undo, orders)
        }
        None => {
            s.say("nothing to take back: `u` works for ten seconds after a change", false);
            Vec::new()
        }
    }
}

/// What gives an acknowledgement back as it was.
pub(super) fn restore(fingerprint: &str, ack: &Ack) -> Order {
    let request = AckRequest { by: ack.by.clone(), comment: ack.comment.clone(), until: ack.until };
    Order::Ack(fingerprint.to_owned(), request)
}
