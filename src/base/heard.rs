//! When others could tell a monitor something: a report that is missing may have come while nobody listened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// Absences that are told apart; of more, the oldest two become one.
const MAX_GAPS: usize = 32;

/// When a monitor has listened. Survives restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heard {
    /// The monitor's definition; another one expects something else.
    form: u64,
    /// Since when it has had this form.
    since: Timestamp,
    /// The last moment at which it is known to have listened.
    until: Timestamp,
    /// When it did not, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
}

/// A time of which a part was not heard: all of it, unless it stands for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    from: Timestamp,
    to: Timestamp,
    unheard: Duration,
}

impl Heard {
    /// A monitor of this form listens from now on; since it did last, it has not.
    pub fn begin(&mut self, form: u64, now: Timestamp) {
        if self.until > Timestamp::EPOCH && self.until < now {
            self.gaps.push(Gap { from: self.until, to: now, unheard: now.since(self.until) });
        }
        if let [first, second, ..] = self.gaps[..]
            && self.gaps.len() > MAX_GAPS
        {
            self.gaps.remove(0);
            self.gaps[0] = Gap { from: first.from, to: second.to, unheard: first.unheard + second.unheard };
        }
        if self.form != form || self.until == Timestamp::EPOCH {
            (self.form, self.since) = (form, now);
        }
        self.listens(now);
    }

    /// It still listens.
    pub fn listens(&mut self, now: Timestamp) {
        self.until = self.until.max(now);
    }

    /// Since when the monitor has had its form.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// How much of a time was not heard.
    pub fn unheard(&self, from: Timestamp, to: Timestamp) -> Duration {
        let part = |gap: &Gap| gap.to.min(to).since(gap.from.max(from)).min(gap.unheard);
        self.gaps.iter().map(part).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn absences_are_summed_up_and_the_form_counts() {
        let mut heard = Heard::default();
        heard.begin(1, at(100));
        heard.listens(at(150));
        assert_eq!((heard.since(), heard.unheard(at(0), at(200))), (at(100), Duration::ZERO));
        heard.begin(1, at(160));
        heard.listens(at(170));
        heard.begin(1, at(200));
        let unheard = |from, to| heard.unheard(at(from), at(to)).as_secs();
        assert_eq!([unheard(0, 300), unheard(155, 180), unheard(160, 170), unheard(155, 157)], [40, 15, 0, 2]);
        assert_eq!(heard.since(), at(100));
        // A new definition, while it listened.
        heard.listens(at(240));
        heard.begin(2, at(240));
        assert_eq!((heard.since(), heard.unheard(at(0), at(300)).as_secs()), (at(240), 40));
        // A clock that was set back.
        heard.begin(2, at(10));
        assert_eq!(heard.unheard(at(0), at(300)).as_secs(), 40);
    }

    #[test]
    fn of_many_absences_the_sum_is_kept() {
        let mut heard = Heard::default();
        for n in 0..1_000 {
            heard.begin(1, at(100 + n * 10));
            heard.listens(at(100 + n * 10 + 7));
        }
        assert_eq!(heard.gaps.len(), MAX_GAPS);
        assert_eq!(heard.unheard(at(0), at(20_000)).as_secs(), 3 * 999);
        let text = serde_json::to_string(&heard).unwrap();
        assert_eq!(serde_json::from_str::<Heard>(&text).unwrap(), heard);
    }
}
