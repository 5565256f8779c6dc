//! What the stream says: the board, its changes, and the end of the connection.

use crate::base::units::Short;
use crate::client::Link;
use crate::tui::action::Effect;
use crate::tui::state::State;
use crate::tui::state::link::{Health, Lost, Phase};
use crate::wire::board::{AlertState, Board};
use crate::wire::stream::{Frame, PROTOCOL, apply};

/// Takes in one report of the stream.
pub(crate) fn link(s: &mut State, link: Link) -> Vec<Effect> {
    match link {
        Link::Connecting { attempt } => {
            s.rev += 1;
            s.link.refused = false;
            match &mut s.link.phase {
                Phase::Down(lost) => (lost.retry_at, lost.attempt) = (None, attempt),
                Phase::Starting | Phase::Up | Phase::Incompatible { .. } => s.link.attempt = attempt,
            }
            Vec::new()
        }
        Link::Lost { reason, attempt, retry_in } => {
            s.rev += 1;
            if s.link.refused {
                // The greeting told why. A server that is gone at the next try is another matter.
                return Vec::new();
            }
            let retry_at = Some(s.now.steady + retry_in);
            s.link.lose(s.now, Lost { reason, attempt, retry_at });
            s.acks.clear();
            s.board_changed();
            Vec::new()
        }
        Link::Frame(frame) => take(s, *frame),
    }
}

fn take(s: &mut State, frame: Frame) -> Vec<Effect> {
    match frame {
        Frame::Hello { protocol, version } => {
            s.rev += 1;
            s.link.hear(s.now, None);
            if protocol != PROTOCOL {
                s.link.lose_sync(s.now);
                s.link.refused = true;
                s.link.phase = Phase::Incompatible { protocol, version };
            }
            Vec::new()
        }
        _ if matches!(s.link.phase, Phase::Incompatible { .. }) => Vec::new(),
        Frame::Snapshot { board } => {
            s.rev += 1;
            s.link.hear(s.now, Some(board.at));
            let away = s.link.sync(s.now);
            let before = s.board.replace(*board);
            if let (Some(away), Some(before), Some(after)) = (away, before, s.board.as_ref()) {
                let text = format!("back after {}: {}", Short(away), news(&before, after));
                s.say(text, false);
            }
            s.forget_requests();
            s.acks.clear();
            s.board_changed();
            Vec::new()
        }
        Frame::Delta(delta) => {
            s.rev += 1;
            s.link.hear(s.now, Some(delta.at));
            if !s.link.is_synced() {
                return Vec::new();
            }
            let told = delta.alerts.is_some() || delta.events.is_some();
            if s.board.as_mut().is_some_and(|board| apply(board, *delta)) {
                s.news += u64::from(told);
                s.board_changed();
                Vec::new()
            } else {
                resync(s)
            }
        }
        Frame::Heartbeat { rev, at } => {
            let live = matches!(s.health(), Health::Live);
            s.link.hear(s.now, Some(at));
            // While all is well a heartbeat looks like nothing, so that a quiet screen is not drawn.
            s.rev += u64::from(!live);
            if s.link.is_synced() && s.board.as_ref().is_none_or(|b| b.rev != rev) { resync(s) } else { Vec::new() }
        }
        Frame::Goodbye { reason } => {
            s.rev += 1;
            s.link.goodbye = Some(reason);
            Vec::new()
        }
    }
}

fn resync(s: &mut State) -> Vec<Effect> {
    s.rev += 1;
    s.link.lose_sync(s.now);
    vec![Effect::Resync]
}

/// What changed while nobody looked, in a few words.
fn news(before: &Board, after: &Board) -> String {
    let mut changed = 0;
    let mut old = before.monitors.iter().peekable();
    for row in &after.monitors {
        while old.next_if(|o| o.name < row.name).is_some() {
            changed += 1;
        }
        match old.next_if(|o| o.name == row.name) {
            Some(o) if o.state == row.state => {}
            Some(_) | None => changed += 1,
        }
    }
    changed += old.count();
    let fires = |b: &Board, fingerprint: &str| {
        b.alerts.iter().any(|a| a.fingerprint == fingerprint && a.state == AlertState::Firing)
    };
    let firing = |in_: &Board, not_in: &Board| {
        let all = in_.alerts.iter().filter(|a| a.state == AlertState::Firing);
        all.filter(|a| !fires(not_in, &a.fingerprint)).count()
    };
    let (new, over) = (firing(after, before), firing(before, after));
    let mut parts = Vec::new();
    if before.server.pid != after.server.pid || before.server.started != after.server.started {
        parts.push("the server was restarted".to_owned());
    }
    if new > 0 {
        parts.push(format!("{new} new alert{}", plural(new)));
    }
    if over > 0 {
        parts.push(format!("{over} no longer firing"));
    }
    if changed > 0 {
        parts.push(format!("{changed} monitor{} changed", plural(changed)));
    }
    if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
}

/// `s` for every number but one.
fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
