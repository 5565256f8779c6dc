//! Somebody has it: an acknowledgement of one episode of one alert.
//!
//! It stops repeats and escalation, never the news that the alert is over, and it ends with the episode.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// Somebody has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they said; may be empty. Untrusted.
    #[serde(default)]
    pub comment: String,
    /// When it lapses and escalation goes on; `None`: with the episode.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl Ack {
    /// Whether it still stands.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_stands_until_its_end_and_without_one_for_the_episode() {
        let at = Timestamp::from_millis;
        let ack = |until| Ack { by: "wu".to_owned(), at: at(0), comment: String::new(), until };
        assert!(ack(None).stands(at(i64::MAX)));
        assert!(ack(Some(at(10))).stands(at(9)));
        assert!(!ack(Some(at(10))).stands(at(10)));
    }
}
