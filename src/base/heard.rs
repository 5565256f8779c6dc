//! When others could tell a monitor something: a report that is missing may have come while nobody listened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// Who reports waits so long for an answer: `watchdog push` says so, and a connection that this machine's kernel, or a
/// repeated packet, made meanwhile stands in the queue until the process goes on.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// An absence explains that a report is missing when it was no further from its usual time than so many times its own
/// length: ten seconds may be a minute off.
const NEAR: u32 = 6;
/// Absences that lost something and are told apart; of more, two become one.
const MAX_GAPS: usize = 128;
/// The same of short ones, which, however many, take nothing from what is known of the others.
const MAX_QUEUED: usize = 32;

/// When a monitor has listened. Survives restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heard {
    /// What says when a report is due; another one expects something else.
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
    /// It listened again before a reporter gave up: what came meanwhile was late, not lost. True of all that it stands
    /// for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    queued: bool,
}

impl Heard {
    /// A monitor of this form listens from now on; since it did last, it has not.
    pub fn begin(&mut self, form: u64, now: Timestamp) {
        let is_new = self.until == Timestamp::EPOCH;
        if !is_new {
            // Who comes to a closed door does not wait.
            self.missed(self.until, now, false);
        }
        if self.form != form || is_new {
            (self.form, self.since) = (form, now);
        }
        self.listens(now);
    }

    /// It stood still from one time to another, which is now. When that is earlier, the clock was ahead: what it said is
    /// not believed any more.
    pub fn absent(&mut self, from: Timestamp, now: Timestamp) {
        self.missed(from, now, now.since(from) < PATIENCE);
    }

    fn missed(&mut self, from: Timestamp, now: Timestamp, queued: bool) {
        (self.since, self.until) = (self.since.min(now), now);
        self.gaps.retain(|gap| gap.from < now);
        for gap in &mut self.gaps {
            gap.unheard = gap.unheard_in(gap.from, now);
            gap.to = gap.to.min(now);
        }
        if from < now {
            self.gaps.push(Gap { from, to: now, unheard: now.since(from), queued });
            self.join(queued, now);
        }
    }

    /// Makes one of two neighbours of this kind if there are too many: of those whose span is smallest beside the square of
    /// how long ago they were. What was lately is known best, and what is far apart stays apart.
    fn join(&mut self, queued: bool, now: Timestamp) {
        let kind: Vec<usize> = (0..self.gaps.len()).filter(|i| self.gaps[*i].queued == queued).collect();
        if kind.len() <= if queued { MAX_QUEUED } else { MAX_GAPS } {
            return;
        }
        let span = |pair: &[usize]| {
            let (first, second) = (self.gaps[pair[0]], self.gaps[pair[1]]);
            second.to.since(first.from).as_secs_f64() / now.since(second.to).as_secs_f64().powi(2)
        };
        let Some(&[first, second]) = kind.windows(2).min_by(|a, b| span(a).total_cmp(&span(b))) else { return };
        let gone = self.gaps.remove(second);
        let gap = &mut self.gaps[first];
        (gap.to, gap.unheard) = (gone.to, gap.unheard + gone.unheard);
    }

    /// It still listens.
    pub fn listens(&mut self, now: Timestamp) {
        self.until = self.until.max(now);
    }

    /// The last moment at which it is known to have listened.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// What changes seldom, and until when it listened, which changes all the time.
    pub fn parted(&self) -> (Self, Timestamp) {
        (Self { until: Timestamp::EPOCH, ..self.clone() }, self.until)
    }

    /// Both put together again.
    #[must_use]
    pub fn joined(self, until: Timestamp) -> Self {
        Self { until, ..self }
    }

    /// Since when the monitor has had its form.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// How much of a time was not heard.
    pub fn unheard(&self, from: Timestamp, to: Timestamp) -> Duration {
        self.gaps.iter().map(|gap| gap.unheard_in(from, to)).sum()
    }

    /// Whether a report may have been lost that was to come at about `usual`, if it came within `from..to`.
    pub fn may_have_lost(&self, usual: Timestamp, from: Timestamp, to: Timestamp) -> bool {
        self.gaps.iter().filter(|gap| !gap.queued).any(|gap| {
            let near = gap.unheard.saturating_mul(NEAR);
            gap.from < to.min(usual.plus(near)) && gap.to > from.max(usual.minus(near))
        })
    }
}

impl Gap {
    /// How much of a time it takes away. What it stands for is taken to be spread evenly: a day with a moment's absence
    /// every minute leaves most of each hour heard.
    fn unheard_in(&self, from: Timestamp, to: Timestamp) -> Duration {
        let (part, span) = (self.to.min(to).since(self.from.max(from)), self.to.since(self.from));
        let shared = part.as_millis() * self.unheard.as_millis() / span.as_millis().max(1);
        Duration::from_millis(u64::try_from(shared).unwrap_or(u64::MAX))
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
    }

    #[test]
    fn a_clock_that_was_ahead_is_believed_no_longer_than_until_it_is_right() {
        // Ahead by two hours since the monitor began, with an absence; right from a restart on.
        let ahead = || {
            let mut heard = Heard::default();
            heard.begin(1, at(7_200));
            heard.listens(at(7_230));
            heard.begin(1, at(7_290));
            heard
        };
        let mut heard = ahead();
        heard.begin(1, at(100));
        assert_eq!((heard.since(), heard.until()), (at(100), at(100)));
        assert_eq!(heard.unheard(at(0), at(8_000)), Duration::ZERO);
        // What is missed from then on is known.
        heard.listens(at(150));
        heard.begin(1, at(200));
        assert_eq!((heard.since(), heard.unheard(at(100), at(300)).as_secs()), (at(100), 50));
        // The same while it runs.
        let mut heard = ahead();
        heard.absent(at(7_300), at(110));
        assert_eq!((heard.since(), heard.until(), heard.unheard(at(0), at(8_000))), (at(110), at(110), Duration::ZERO));
        // One that was behind has heard nothing of what it leapt over.
        heard.absent(at(120), at(3_720));
        assert_eq!((heard.since(), heard.unheard(at(0), at(8_000)).as_secs()), (at(110), 3_600));
    }

    #[test]
    fn a_report_is_lost_when_nobody_listened_near_its_time_for_longer_than_a_reporter_waits() {
        let lost = |heard: &Heard, usual| heard.may_have_lost(at(usual), at(usual - 60), at(usual + 60));
        // A restart is near for six times its length, and so is a long stall; in a short one reports wait.
        for (restart, seconds, off, want) in [
            (true, 2, 0, true),
            (true, 2, 11, true),
            (true, 2, 13, false),
            (true, 10, 59, true),
            (true, 100, 59, true),
            (true, 100, 61, false),
            (false, 9, 0, false),
            (false, 10, 59, true),
        ] {
            let mut heard = Heard::default();
            heard.begin(1, at(100));
            heard.listens(at(1_000));
            match restart {
                true => heard.begin(1, at(1_000 + seconds)),
                false => heard.absent(at(1_000), at(1_000 + seconds)),
            }
            assert_eq!(lost(&heard, 1_000 - off), want, "{restart} {seconds} {off}");
            assert_eq!(lost(&heard, 1_000 + seconds + off), want, "{restart} {seconds} {off}");
        }
        // A short stall every minute, for longer than each is remembered, and a restart before, between or after them.
        for restart in [500, 3_025, 6_975] {
            let mut heard = Heard::default();
            heard.begin(1, at(100));
            let mut all: Vec<(i64, i64)> = (0..100).map(|minute| (1_000 + minute * 60, 2)).collect();
            all.push((restart, 1));
            all.sort_unstable();
            for (from, seconds) in all {
                heard.listens(at(from));
                match seconds {
                    1 => heard.begin(1, at(from + 1)),
                    _ => heard.absent(at(from), at(from + seconds)),
                }
            }
            for usual in (100..8_000).step_by(25) {
                let near = (restart - 5..restart + 7).contains(&usual);
                assert_eq!(lost(&heard, usual), near, "{restart} {usual}");
            }
            assert_eq!(heard.unheard(at(0), at(9_000)).as_secs(), 201);
            // Of any ten minutes as much as there was.
            for from in (1_000..6_000).step_by(600) {
                let unheard = heard.unheard(at(from), at(from + 600)).as_secs();
                assert!((17..=24).contains(&unheard), "{restart} {from} {unheard}");
            }
        }
    }

    #[test]
    fn restarts_at_regular_distances_hide_no_report_that_was_to_come_eight_hours_ago() {
        for apart in [600, 1_200, 3_600] {
            let mut heard = Heard::default();
            heard.begin(1, at(0));
            for from in (apart..14 * 86_400).step_by(apart as usize) {
                heard.listens(at(from));
                heard.begin(1, at(from + 5));
                // Between two of them, eight hours ago.
                let usual = from - 28_800 / apart * apart - apart / 2;
                assert!(
                    usual <= 0 || !heard.may_have_lost(at(usual), at(usual - 60), at(usual + 60)),
                    "{apart} {from}"
                );
            }
            assert!(heard.gaps.len() <= MAX_GAPS);
        }
    }

    #[test]
    fn many_restarts_at_once_say_nothing_about_the_time_since_the_one_before() {
        let mut heard = Heard::default();
        heard.begin(1, at(0));
        let restart = |heard: &mut Heard, from| {
            heard.listens(at(from));
            heard.begin(1, at(from + 1));
        };
        // In the evening, in the morning, and a loop of crashes soon after.
        restart(&mut heard, 64_800);
        restart(&mut heard, 118_800);
        (0..200).for_each(|n| restart(&mut heard, 118_860 + n * 10));
        let lost = |usual| heard.may_have_lost(at(usual), at(usual - 60), at(usual + 60));
        assert_eq!([64_800, 99_000, 118_800, 119_500].map(lost), [true, false, true, true]);
        assert_eq!(heard.unheard(at(0), at(200_000)).as_secs(), 202);
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
