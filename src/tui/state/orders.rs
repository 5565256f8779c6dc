//! What a person asked to be changed: what is under way, what of it is shown already, and how to take it back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::tui::action::Order;
use crate::wire::alerting::Ack;
use crate::wire::board::AlertRow;

/// How long `u` takes a change back.
pub(crate) const UNDO: Duration = Duration::from_secs(10);
/// How long an acknowledgement that the server confirmed is believed before the board tells of it.
const BELIEVED: Duration = Duration::from_secs(3);

/// Acknowledgements as they will be once the server has carried out what it was asked to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acks {
    by_alert: BTreeMap<String, (Option<Ack>, Option<Duration>)>,
}

impl Acks {
    /// Who has an alert.
    pub(crate) fn of<'a>(&'a self, alert: &'a AlertRow) -> Option<&'a Ack> {
        match self.by_alert.get(&alert.fingerprint) {
            Some((ack, _)) => ack.as_ref(),
            None => alert.ack.as_ref(),
        }
    }

    /// Expects an acknowledgement, or its end.
    pub(crate) fn expect(&mut self, fingerprint: &str, ack: Option<Ack>) {
        self.by_alert.insert(fingerprint.to_owned(), (ack, None));
    }

    /// The server has carried it out.
    pub(crate) fn confirm(&mut self, fingerprint: &str, ack: Option<Ack>, now: Duration) {
        self.by_alert.insert(fingerprint.to_owned(), (ack, Some(now + BELIEVED)));
    }

    /// It was not carried out.
    pub(crate) fn drop(&mut self, fingerprint: &str) {
        self.by_alert.remove(fingerprint);
    }

    /// Nothing is expected any more: the board is the truth.
    pub(crate) fn clear(&mut self) {
        self.by_alert.clear();
    }

    /// Drops what the board says by now, and what it should have said long ago. Returns whether anything was dropped.
    pub(crate) fn settle<'b>(&mut self, alerts: impl Iterator<Item = &'b AlertRow>, now: Duration) -> bool {
        let before = self.by_alert.len();
        if before == 0 {
            return false;
        }
        for alert in alerts {
            let told = self.by_alert.get(&alert.fingerprint).is_some_and(|(ack, confirmed)| {
                confirmed.is_some() && ack.as_ref().map(|a| a.at) == alert.ack.as_ref().map(|a| a.at)
            });
            if told {
                self.by_alert.remove(&alert.fingerprint);
            }
        }
        self.by_alert.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        self.by_alert.len() != before
    }
}

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Acknowledges alerts.
    Ack,
    /// Takes acknowledgements back.
    Unack,
    /// Makes a silence.
    Silence,
    /// Changes one.
    Change,
    /// Ends one.
    Expire,
    /// Sends notifications again.
    Resend,
    /// Sends tests.
    Test,
    /// Takes a change back.
    Undo,
}

impl Verb {
    /// What is being done to `n` things.
    pub(crate) fn doing(self, n: usize) -> String {
        match self {
            Self::Ack => format!("acknowledging {} ...", counted(n, "alert")),
            Self::Unack => format!("taking back {} ...", counted(n, "acknowledgement")),
            Self::Silence => "creating the silence ...".to_owned(),
            Self::Change => "changing the silence ...".to_owned(),
            Self::Expire => "ending the silence ...".to_owned(),
            Self::Resend => "sending it again ...".to_owned(),
            Self::Test => "sending a test ...".to_owned(),
            Self::Undo => "taking it back ...".to_owned(),
        }
    }

    /// What was done to `n` things.
    pub(crate) fn done(self, n: usize) -> String {
        match self {
            Self::Ack => format!("acked {}", counted(n, "alert")),
            Self::Unack => format!("{} taken back: escalation goes on", counted(n, "acknowledgement")),
            Self::Silence => "silence created".to_owned(),
            Self::Change => "silence changed".to_owned(),
            Self::Expire => "silence ended".to_owned(),
            Self::Resend => "queued to be sent again".to_owned(),
            Self::Test => format!("{} taken", counted(n, "test")),
            Self::Undo => "taken back".to_owned(),
        }
    }

    /// What failed.
    pub(crate) const fn failed(self) -> &'static str {
        match self {
            Self::Ack => "not acked",
            Self::Unack => "not taken back",
            Self::Silence => "no silence created",
            Self::Change => "silence not changed",
            Self::Expire => "silence not ended",
            Self::Resend => "not sent again",
            Self::Test => "test failed",
            Self::Undo => "not taken back",
        }
    }
}

/// `1 alert`, `2 alerts`.
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Orders that were given together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Its number.
    pub(crate) id: u64,
    /// What it does.
    pub(crate) verb: Verb,
    /// Orders without an answer.
    pub(crate) left: usize,
    /// Orders that were carried out.
    pub(crate) done: usize,
    /// What the server said about the others.
    pub(crate) failed: Vec<String>,
    /// What else to say at the end.
    pub(crate) notes: Vec<String>,
    /// What takes each back, where that was known before.
    pub(crate) inverse: Vec<(Order, Order)>,
    /// What takes back what was done.
    pub(crate) undo: Vec<Order>,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    /// What takes the change back.
    pub(crate) orders: Vec<Order>,
    /// Until when, on the steady clock.
    pub(crate) until: Duration,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// Numbers given so far.
    pub(crate) last: u64,
    /// What is under way.
    pub(crate) batches: Vec<Batch>,
    /// The last change that can be taken back.
    pub(crate) undo: Option<Undo>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::tui::fixture;

    #[test]
    fn an_acknowledgement_is_shown_at_once_and_believed_until_the_board_tells_of_it() {
        let board = fixture::alerting();
        let mut alert = (*board.alerts[0]).clone();
        let ack = Ack { by: "wu".into(), at: Timestamp::EPOCH, comment: String::new(), until: None };
        let mut acks = Acks::default();
        acks.expect(&alert.fingerprint, Some(ack.clone()));
        assert_eq!(acks.of(&alert).map(|a| a.by.as_str()), Some("wu"));
        assert!(!acks.settle(std::iter::once(&alert), Duration::from_secs(60)), "no answer yet");
        acks.confirm(&alert.fingerprint, Some(ack.clone()), Duration::from_secs(60));
        alert.ack = Some(ack);
        assert!(acks.settle(std::iter::once(&alert), Duration::from_secs(61)));
        alert.ack = None;
        assert_eq!(acks.of(&alert), None);
    }

    #[test]
    fn what_the_board_does_not_confirm_is_not_believed_for_long() {
        let board = fixture::alerting();
        let alert = &board.alerts[0];
        let mut acks = Acks::default();
        let ack = Ack { by: "wu".into(), at: Timestamp::EPOCH, comment: String::new(), until: None };
        acks.confirm(&alert.fingerprint, Some(ack), Duration::from_secs(60));
        assert!(!acks.settle(std::iter::once(&**alert), Duration::from_secs(62)));
        assert!(acks.settle(std::iter::once(&**alert), Duration::from_secs(63)));
    }
}
