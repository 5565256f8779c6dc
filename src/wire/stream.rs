//! Frames of `GET /api/v1/stream`: the board, then what changed, and a heartbeat every second.
//!
//! Every frame says which revision it leads from, so a reader notices a gap and asks anew.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::wire::board::{AlertRow, Board, EngineHealth, Event, Headline, MonitorRow};

/// Version of this protocol; a reader refuses another one.
pub const PROTOCOL: u32 = 1;

/// One text message of the WebSocket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Frame {
    /// First message: who speaks which protocol.
    Hello {
        /// See [`PROTOCOL`].
        protocol: u32,
        /// Version of the server's binary.
        version: String,
    },
    /// The whole board.
    Snapshot {
        /// The board.
        board: Box<Board>,
    },
    /// What changed since the last frame sent to this client.
    Delta(Box<Delta>),
    /// Sent every second while nothing changes.
    Heartbeat {
        /// Revision of the board that the client has.
        rev: u64,
        /// The server's clock.
        at: Timestamp,
    },
    /// The server is going away, and why.
    Goodbye {
        /// For the person: `shutting down (SIGTERM)`.
        reason: String,
    },
}

/// What changed between two boards. Absent lists did not change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delta {
    /// The board this leads from.
    pub from_rev: u64,
    /// The board this leads to.
    pub to_rev: u64,
    /// The server's clock.
    pub at: Timestamp,
    /// New or changed monitors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Arc<MonitorRow>>,
    /// Monitors that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<MonitorName>,
    /// The whole new list, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Arc<AlertRow>>>,
    /// The whole new list, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Arc<Event>>>,
    /// When it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Arc<EngineHealth>>,
    /// When it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Arc<Headline>>,
}

/// What leads from `old` to `new`. Costs one pointer comparison per unchanged row.
pub fn diff(old: &Board, new: &Board) -> Delta {
    let mut delta = Delta { from_rev: old.rev, to_rev: new.rev, at: new.at, ..Delta::default() };
    let mut before = old.monitors.iter().peekable();
    for row in &new.monitors {
        while let Some(gone) = before.next_if(|o| o.name < row.name) {
            delta.removed.push(gone.name.clone());
        }
        match before.next_if(|o| o.name == row.name) {
            Some(same) if Arc::ptr_eq(same, row) || same == row => {}
            Some(_) | None => delta.monitors.push(Arc::clone(row)),
        }
    }
    delta.removed.extend(before.map(|o| o.name.clone()));
    if !same_items(&old.alerts, &new.alerts) {
        delta.alerts = Some(new.alerts.clone());
    }
    if !same_items(&old.events, &new.events) {
        delta.events = Some(new.events.clone());
    }
    if old.engine != new.engine {
        delta.engine = Some(Arc::clone(&new.engine));
    }
    if old.verdict != new.verdict {
        delta.verdict = Some(Arc::clone(&new.verdict));
    }
    delta
}

/// Applies `delta` to `board`. Returns false, and leaves the board alone, when it leads from another revision.
#[must_use]
pub fn apply(board: &mut Board, delta: Delta) -> bool {
    if board.rev != delta.from_rev {
        return false;
    }
    for name in &delta.removed {
        if let Ok(i) = board.monitors.binary_search_by(|m| m.name.cmp(name)) {
            board.monitors.remove(i);
        }
    }
    for row in delta.monitors {
        match board.monitors.binary_search_by(|m| m.name.cmp(&row.name)) {
            Ok(i) => board.monitors[i] = row,
            Err(i) => board.monitors.insert(i, row),
        }
    }
    board.alerts = delta.alerts.unwrap_or_else(|| std::mem::take(&mut board.alerts));
    board.events = delta.events.unwrap_or_else(|| std::mem::take(&mut board.events));
    board.engine = delta.engine.unwrap_or_else(|| Arc::clone(&board.engine));
    board.verdict = delta.verdict.unwrap_or_else(|| Arc::clone(&board.verdict));
    board.rev = delta.to_rev;
    board.at = delta.at;
    true
}

fn same_items<T: PartialEq>(a: &[Arc<T>], b: &[Arc<T>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| Arc::ptr_eq(x, y) || x == y)
}
