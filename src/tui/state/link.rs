//! What we know about the connection, and whether what is on the screen may still be believed.

use std::time::Duration;

use crate::base::time::Timestamp;
use crate::tui::action::Now;

/// Behind from here on: three missed heartbeats.
const LAGGING: Duration = Duration::from_secs(3);
/// From here on nothing on the screen is taken for true.
const STALE: Duration = Duration::from_secs(10);

/// What the stream last said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection yet, and none lost.
    #[default]
    Starting,
    /// Frames arrive.
    Up,
    /// The connection failed or ended.
    Down(Lost),
    /// The server speaks another protocol.
    Incompatible {
        /// The server's protocol.
        protocol: u32,
        /// The server's version.
        version: String,
    },
}

/// A lost connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// For the person. Untrusted.
    pub(crate) reason: String,
    /// Tries since the last frame.
    pub(crate) attempt: u32,
    /// Start of the next try, on the steady clock; `None` while it is being made.
    pub(crate) retry_at: Option<Duration>,
}

/// The newest frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    /// When it arrived, on the steady clock.
    steady: Duration,
    /// The server's clock in it.
    at: Timestamp,
}

/// How far the screen may be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health<'a> {
    /// No board yet.
    Connecting,
    /// Current.
    Live,
    /// Current a moment ago.
    Lagging(Duration),
    /// A change was missed; the whole board was asked for. Lasts for a round trip.
    Resync,
    /// Connected, but nothing has been heard for this long.
    Stale(Duration),
    /// Not connected.
    Down(&'a Lost),
    /// The server speaks another protocol.
    Incompatible {
        /// The server's protocol.
        protocol: u32,
        /// The server's version.
        version: &'a str,
    },
}

/// The connection as the screen sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkView {
    /// What the stream last said.
    pub(crate) phase: Phase,
    /// The server's parting words.
    pub(crate) goodbye: Option<String>,
    /// Which try at the first connection this is.
    pub(crate) attempt: u32,
    /// Whether the connection at hand began with a greeting that we refuse.
    pub(crate) refused: bool,
    heard: Option<Heard>,
    /// Whether the board came over this connection.
    synced: bool,
    /// Whether there ever was a whole board.
    ever: bool,
    /// Since when data has not been current, on the steady clock.
    old_since: Option<Duration>,
}

impl LinkView {
    /// Notes a frame; `at` is the server's clock where the frame has it.
    pub(crate) fn hear(&mut self, now: Now, at: Option<Timestamp>) {
        let at = at.or(self.heard.map(|h| h.at)).unwrap_or(now.wall);
        self.heard = Some(Heard { steady: now.steady, at });
        self.phase = Phase::Up;
    }

    /// Notes that the board is whole; returns how long it was not.
    pub(crate) fn sync(&mut self, now: Now) -> Option<Duration> {
        (self.synced, self.ever) = (true, true);
        self.goodbye = None;
        self.old_since.take().map(|since| now.steady.saturating_sub(since))
    }

    /// Notes that the board has a gap.
    pub(crate) fn lose_sync(&mut self, now: Now) {
        if !self.is_fresh(now) {
            self.old_since.get_or_insert(now.steady);
        }
        self.synced = false;
    }

    /// Notes the end of the connection.
    pub(crate) fn lose(&mut self, now: Now, lost: Lost) {
        self.synced = false;
        if self.ever {
            self.old_since.get_or_insert(now.steady);
        }
        self.phase = Phase::Down(lost);
    }

    /// Whether this board came over this connection.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Time since the newest frame.
    pub(crate) fn age(&self, now: Now) -> Option<Duration> {
        self.heard.map(|h| now.steady.saturating_sub(h.steady))
    }

    /// How far the screen may be trusted.
    pub(crate) fn health(&self, now: Now) -> Health<'_> {
        match &self.phase {
            Phase::Starting => Health::Connecting,
            Phase::Down(lost) => Health::Down(lost),
            Phase::Incompatible { protocol, version } => Health::Incompatible { protocol: *protocol, version },
            Phase::Up => match self.age(now).unwrap_or_default() {
                age if age > STALE => Health::Stale(age),
                _ if !self.synced && self.ever && self.old_since.is_none() => Health::Resync,
                _ if !self.synced => Health::Connecting,
                age if age > LAGGING => Health::Lagging(age),
                _ => Health::Live,
            },
        }
    }

    /// Whether what is on the screen may be taken for the present.
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        matches!(self.health(now), Health::Live | Health::Lagging(_) | Health::Resync)
    }

    /// The server's time: runs on while data is current, stands still when it is not.
    pub(crate) fn server_now(&self, now: Now) -> Timestamp {
        match self.heard {
            Some(h) if self.is_fresh(now) => h.at.plus(now.steady.saturating_sub(h.steady)),
            Some(h) => h.at,
            None => now.wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Now {
        Now { steady: Duration::from_secs(secs), wall: Timestamp::from_millis(0) }
    }

    #[test]
    fn trust_fades_with_silence() {
        let mut link = LinkView::default();
        assert_eq!(link.health(at(0)), Health::Connecting);
        link.hear(at(0), Some(Timestamp::from_millis(5_000)));
        link.sync(at(0));
        assert_eq!(link.health(at(3)), Health::Live);
        assert_eq!(link.health(at(4)), Health::Lagging(Duration::from_secs(4)));
        assert!(link.is_fresh(at(10)));
        assert_eq!(link.health(at(11)), Health::Stale(Duration::from_secs(11)));
        assert!(!link.is_fresh(at(11)));
    }

    #[test]
    fn the_servers_time_stands_still_when_data_is_old() {
        let mut link = LinkView::default();
        link.hear(at(0), Some(Timestamp::from_millis(5_000)));
        link.sync(at(0));
        assert_eq!(link.server_now(at(2)), Timestamp::from_millis(7_000));
        assert_eq!(link.server_now(at(60)), Timestamp::from_millis(5_000));
    }

    #[test]
    fn a_frame_after_a_loss_is_not_trusted_before_the_snapshot() {
        let mut link = LinkView::default();
        link.hear(at(0), None);
        link.sync(at(0));
        link.lose(at(1), Lost { reason: "reset".into(), attempt: 1, retry_at: None });
        link.hear(at(5), None);
        assert!(!link.is_fresh(at(5)));
        assert_eq!(link.sync(at(5)), Some(Duration::from_secs(4)));
        assert!(link.is_fresh(at(5)));
    }
}
