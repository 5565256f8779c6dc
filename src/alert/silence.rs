//! Silences: what a person does not want to hear for a while.
//!
//! The edits are Alertmanager's: history stays as it was, so an edit that would change it ends the old silence and
//! begins a new one. [`Silences`] finds those that may concern an alert by one label each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::alert::matchers::Matchers;
use crate::base::labels::Labels;
use crate::base::matcher::{MatchOp, Matcher};
use crate::base::time::Timestamp;

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Unique.
    pub id: String,
    /// What it mutes.
    pub matchers: Matchers,
    /// First moment.
    pub starts_at: Timestamp,
    /// First moment after it.
    pub ends_at: Timestamp,
    /// Last edit.
    pub updated_at: Timestamp,
    /// Who.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// It ends early, once nothing that it mutes fires any more.
    pub until_resolved: bool,
    /// The place in a file that it comes from; such a one is not edited otherwise.
    pub source: Option<String>,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SilenceState {
    /// It has not begun.
    Pending,
    /// It mutes.
    Active,
    /// It is over.
    Expired,
}

/// Why a silence is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has no matchers.
    #[error("at least one matcher required")]
    NoMatchers,
    /// Its matchers match what lacks the labels.
    #[error("at least one matcher must not match the empty string")]
    MatchesEverything,
    /// It ends before it begins.
    #[error("end time must not be before start time")]
    EndsBeforeStart,
    /// It would be over at once.
    #[error("end time can't be in the past")]
    InThePast,
    /// There is none with that id.
    #[error("silence not found")]
    NotFound,
    /// A file says it.
    #[error("the silence comes from `{0}`: edit it there")]
    FromFile(String),
}

impl Silence {
    /// Where it stands at that moment.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now < self.ends_at {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    /// Whether it mutes an alert with these labels at that moment.
    pub fn mutes(&self, labels: &Labels, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && self.matchers.matches(labels)
    }

    /// Whether it may be taken.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.matchers.is_empty() {
            return Err(Refusal::NoMatchers);
        }
        if self.matchers.select_nothing() {
            return Err(Refusal::MatchesEverything);
        }
        if self.ends_at < self.starts_at { Err(Refusal::EndsBeforeStart) } else { Ok(()) }
    }

    /// Whether it may become `edited` without another past.
    fn may_become(&self, edited: &Self, now: Timestamp) -> bool {
        let second = |t: Timestamp| t.millis().div_euclid(1_000);
        self.matchers == edited.matchers
            && match self.state(now) {
                SilenceState::Active => second(self.starts_at) == second(edited.starts_at) && edited.ends_at >= now,
                SilenceState::Pending => edited.starts_at >= now,
                SilenceState::Expired => false,
            }
    }

    /// The same, over from `now` on.
    fn ended(&self, now: Timestamp) -> Self {
        Self { starts_at: self.starts_at.min(now), ends_at: now, updated_at: now, ..self.clone() }
    }
}

/// All silences.
#[derive(Clone, Debug, Default)]
pub struct Silences {
    all: BTreeMap<String, Silence>,
    /// By a label's name and one value that its matcher accepts.
    by_label: HashMap<String, HashMap<String, Vec<String>>>,
    /// Those without such a matcher.
    rest: Vec<String>,
}

/// A matcher that lists more values than this is no key to find a silence by.
const MAX_KEYS: usize = 64;

impl Silences {
    /// These, whatever they say.
    pub fn new(all: impl IntoIterator<Item = Silence>) -> Self {
        let mut silences = Self::default();
        all.into_iter().for_each(|s| silences.put(s));
        silences
    }

    /// All in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.all.values()
    }

    /// How many there are, those that are over included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.all.get(id)
    }

    /// Those that mute an alert with these labels at that moment, in order of id.
    pub fn muting(&self, labels: &Labels, now: Timestamp) -> Vec<&Silence> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let found = labels.iter().filter_map(|(name, value)| self.by_label.get(name)?.get(value)).flatten();
        let all = found.chain(&self.rest).filter_map(|id| self.all.get(id));
        let mut muting: Vec<&Silence> = all.filter(|s| s.mutes(labels, now)).collect();
        muting.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        muting
    }

    /// Takes a new silence (one without an id) or an edited one, as Alertmanager does: what changes in place, and
    /// otherwise what is ended and what begins instead under an id from `fresh`. Gives what is to be stored, the
    /// resulting silence last.
    ///
    /// # Errors
    /// Why it is not taken; then nothing changed.
    pub fn set(
        &mut self,
        mut silence: Silence,
        now: Timestamp,
        fresh: impl FnOnce() -> String,
    ) -> Result<Vec<Silence>, Refusal> {
        silence.check()?;
        let before = self.all.get(&silence.id);
        if before.is_none() && !silence.id.is_empty() {
            return Err(Refusal::NotFound);
        }
        if let Some(source) = before.and_then(|s| s.source.as_ref()) {
            return Err(Refusal::FromFile(source.clone()));
        }
        silence.updated_at = now;
        let mut stored = Vec::new();
        match before {
            Some(before) if before.may_become(&silence, now) => {}
            other => {
                if silence.ends_at <= now {
                    return Err(Refusal::InThePast);
                }
                stored.extend(other.filter(|s| s.state(now) != SilenceState::Expired).map(|s| s.ended(now)));
                silence.id = fresh();
                silence.starts_at = silence.starts_at.max(now);
            }
        }
        stored.push(silence);
        stored.iter().for_each(|s| self.put(s.clone()));
        Ok(stored)
    }

    /// Ends a silence; one that is over stays as it is. Gives what is to be stored.
    ///
    /// # Errors
    /// There is none with that id, or a file says it.
    pub fn expire(&mut self, id: &str, now: Timestamp) -> Result<Option<Silence>, Refusal> {
        let silence = self.all.get(id).ok_or(Refusal::NotFound)?;
        if let Some(source) = &silence.source {
            return Err(Refusal::FromFile(source.clone()));
        }
        if silence.state(now) == SilenceState::Expired {
            return Ok(None);
        }
        let ended = silence.ended(now);
        self.put(ended.clone());
        Ok(Some(ended))
    }

    /// Puts a silence in place, over one with the same id.
    pub fn put(&mut self, silence: Silence) {
        self.remove(&silence.id);
        let id = silence.id.clone();
        match self.key(&silence.matchers) {
            Some(key) => {
                let values = self.by_label.entry(key.name().to_owned()).or_default();
                for value in key.literals().unwrap_or_default() {
                    values.entry(value.to_string()).or_default().push(id.clone());
                }
            }
            None => self.rest.push(id.clone()),
        }
        self.all.insert(id, silence);
    }

    /// Takes a silence out, as if it had never been.
    pub fn remove(&mut self, id: &str) -> Option<Silence> {
        let silence = self.all.remove(id)?;
        // Which matcher was the key depends on what was there then: all that it may have been are searched.
        for key in silence.matchers.iter().filter(|m| is_key(m)) {
            let Some(values) = self.by_label.get_mut(key.name()) else { continue };
            for value in key.literals().unwrap_or_default() {
                if let Some(ids) = values.get_mut(&**value) {
                    ids.retain(|other| other != id);
                    if ids.is_empty() {
                        values.remove(&**value);
                    }
                }
            }
            if values.is_empty() {
                self.by_label.remove(key.name());
            }
        }
        self.rest.retain(|other| other != id);
        Some(silence)
    }

    /// When the next silence begins or ends after that moment.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        self.all.values().flat_map(|s| [s.starts_at, s.ends_at]).filter(|t| *t > after).min()
    }

    /// The matcher under which fewest other silences are found.
    fn key<'m>(&self, matchers: &'m Matchers) -> Option<&'m Matcher> {
        let crowd = |m: &Matcher| {
            let values = self.by_label.get(m.name());
            let of_value = |v: &str| values.and_then(|values| values.get(v)).map_or(0, Vec::len);
            m.literals().unwrap_or_default().iter().map(|v| of_value(v) + 1).sum::<usize>()
        };
        matchers.iter().filter(|m| is_key(m)).min_by_key(|m| crowd(m))
    }
}

/// Whether whatever it accepts has the label, with one of a few values.
fn is_key(m: &Matcher) -> bool {
    matches!(m.op(), MatchOp::Equal | MatchOp::Regex)
        && m.literals().is_some_and(|v| v.len() <= MAX_KEYS && v.iter().all(|v| !v.is_empty()))
}

/// A silence that lasts longer than this is rarely meant to.
const LONG: Duration = Duration::from_secs(30 * 86_400);
/// Muting nothing for this long, a silence is idle.
const IDLE: Duration = Duration::from_secs(86_400);
/// Still muting after this long, a silence may hide what somebody should mend.
const FORGOTTEN: Duration = Duration::from_secs(7 * 86_400);
/// So long before its end the people are reminded whose alerts will be heard again.
const SOON: Duration = Duration::from_secs(3_600);
/// Fewer firing alerts than this, all of them muted, are no sign of a broad silence.
const FEW: usize = 10;

/// What a silence has done so far: counted by whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Alerts that it mutes now.
    pub muted: usize,
    /// Alerts that fire now, muted ones included.
    pub firing: usize,
    /// When it last muted an alert.
    pub last_muted: Option<Timestamp>,
}

/// Something about a silence that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It mutes more than half of all that fires.
    Broad {
        /// So many.
        muted: usize,
        /// Of so many.
        firing: usize,
    },
    /// It mutes nothing, and has not for this long.
    Idle(Duration),
    /// It lasts so long from its start to its end.
    OverLong(Duration),
    /// It has been muting firing alerts for this long.
    Forgotten(Duration),
    /// It ends in this long, and what it mutes still fires.
    EndsSoon(Duration),
}

impl Silence {
    /// What a person should look at; nothing for one that is not active.
    pub fn notices(&self, usage: &Usage, now: Timestamp) -> Vec<Notice> {
        if self.state(now) != SilenceState::Active {
            return Vec::new();
        }
        let (length, age, left) =
            (self.ends_at.since(self.starts_at), now.since(self.starts_at), self.ends_at.since(now));
        let quiet = now.since(usage.last_muted.unwrap_or(self.starts_at).max(self.starts_at));
        let Usage { muted, firing, .. } = *usage;
        let notices = [
            (firing >= FEW && muted > firing / 2).then_some(Notice::Broad { muted, firing }),
            (muted == 0 && quiet >= IDLE).then_some(Notice::Idle(quiet)),
            (length > LONG).then_some(Notice::OverLong(length)),
            (muted > 0 && age >= FORGOTTEN).then_some(Notice::Forgotten(age)),
            // One shorter than two hours would remind as soon as it begins.
            (muted > 0 && left <= SOON && length >= SOON * 2).then_some(Notice::EndsSoon(left)),
        ];
        notices.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    fn silence(id: &str, matchers: &str, from: i64, to: i64) -> Silence {
        Silence {
            id: id.to_owned(),
            matchers: Matchers::parse(matchers).unwrap(),
            starts_at: t(from),
            ends_at: t(to),
            updated_at: t(0),
            created_by: "wu".to_owned(),
            comment: String::new(),
            until_resolved: false,
            source: None,
        }
    }

    fn labels(text: &str) -> Labels {
        Labels::new(text.split(' ').filter_map(|pair| pair.split_once('=')))
    }

    #[test]
    fn a_silence_mutes_from_its_start_up_to_its_end() {
        let s = silence("a", "x=y", 10, 20);
        let of = |minute| (s.state(t(minute)), s.mutes(&labels("x=y"), t(minute)));
        assert_eq!(of(9), (SilenceState::Pending, false));
        assert_eq!(of(10), (SilenceState::Active, true));
        assert_eq!(of(20), (SilenceState::Expired, false));
        assert!(!s.mutes(&labels("x=z"), t(15)));
    }

    #[test]
    fn what_would_mute_everything_is_refused() {
        assert_eq!(silence("", "{}", 0, 1).check(), Err(Refusal::NoMatchers));
        assert_eq!(silence("", "a=~.*,b=\"\"", 0, 1).check(), Err(Refusal::MatchesEverything));
        assert_eq!(silence("", "a=b", 2, 1).check(), Err(Refusal::EndsBeforeStart));
        assert_eq!(silence("", "a!=b", 0, 1).check(), Ok(()));
    }

    /// Sets `edited` over a silence "old" from minute 10 to 20, at minute `now`.
    #[track_caller]
    fn edit(edited: Silence, now: i64, stored: &[(&str, i64, i64)]) -> Silences {
        let mut all = Silences::new([silence("old", "x=y", 10, 20)]);
        let found = all.set(edited, t(now), || "new".to_owned()).unwrap();
        let found: Vec<_> =
            found.iter().map(|s| (s.id.as_str(), s.starts_at.millis() / 60_000, s.ends_at.millis() / 60_000)).collect();
        assert_eq!(found, stored);
        all
    }

    #[test]
    fn an_edit_keeps_history_as_it_was() {
        // A later end, and an earlier one, need no new silence.
        edit(silence("old", "x=y", 10, 30), 15, &[("old", 10, 30)]);
        edit(silence("old", "x=y", 10, 16), 15, &[("old", 10, 16)]);
        // Other matchers, or another start, do.
        let all = edit(silence("old", "x=z", 10, 30), 15, &[("old", 10, 15), ("new", 15, 30)]);
        assert_eq!((all.muting(&labels("x=y"), t(15)).len(), all.muting(&labels("x=z"), t(15)).len()), (0, 1));
        edit(silence("old", "x=y", 5, 30), 15, &[("old", 10, 15), ("new", 15, 30)]);
        // What has not begun may move within the future.
        edit(silence("old", "x=y", 12, 30), 5, &[("old", 12, 30)]);
        edit(silence("old", "x=z", 12, 30), 5, &[("old", 5, 5), ("new", 12, 30)]);
        edit(silence("old", "x=y", 3, 30), 5, &[("old", 5, 5), ("new", 5, 30)]);
        // What is over stays over.
        edit(silence("old", "x=y", 10, 30), 25, &[("new", 25, 30)]);
        edit(silence("", "x=y", 0, 30), 15, &[("new", 15, 30)]);
    }

    #[test]
    fn refusals_change_nothing() {
        let mut all = Silences::new([silence("old", "x=y", 10, 20)]);
        let mut set = |s: Silence| all.set(s, t(15), || "new".to_owned());
        assert_eq!(set(silence("gone", "x=y", 10, 30)), Err(Refusal::NotFound));
        assert_eq!(set(silence("", "x=y", 1, 14)), Err(Refusal::InThePast));
        assert_eq!(set(silence("old", "{}", 10, 30)), Err(Refusal::NoMatchers));
        let of_file = Silence { source: Some("watchdog.yaml:3:3".to_owned()), ..silence("file", "x=y", 0, 30) };
        all.put(of_file.clone());
        let from_file = Refusal::FromFile("watchdog.yaml:3:3".to_owned());
        assert_eq!(all.set(of_file, t(15), || "new".to_owned()), Err(from_file.clone()));
        assert_eq!((all.expire("file", t(15)), all.expire("gone", t(15))), (Err(from_file), Err(Refusal::NotFound)));
        assert_eq!(all.len(), 2);
        assert_eq!(all.get("old"), Some(&silence("old", "x=y", 10, 20)));
    }

    #[test]
    fn a_silence_ends_when_told_and_only_once() {
        let mut all = Silences::new([silence("a", "x=y", 10, 20), silence("b", "x=y", 30, 40)]);
        let ended = all.expire("a", t(12)).unwrap().unwrap();
        assert_eq!((ended.starts_at, ended.ends_at, ended.state(t(12))), (t(10), t(12), SilenceState::Expired));
        assert_eq!(all.expire("a", t(13)), Ok(None));
        let ended = all.expire("b", t(12)).unwrap().unwrap();
        assert_eq!((ended.starts_at, ended.ends_at), (t(12), t(12)));
    }

    #[test]
    fn the_index_finds_what_asking_each_finds() {
        let mut rng = fastrand::Rng::with_seed(3);
        let texts = ["a=1", "a=~1|2", "a!=1", "a=~.+", "b=1,a=2", "c=\"\",b=2", "a=~1.*,b=~1|2|3", "d=9", "a=~|1"];
        let mut all = Silences::default();
        for step in 0..2_000 {
            let id = rng.usize(..200).to_string();
            if rng.u8(..4) == 0 {
                all.remove(&id);
            } else {
                all.put(silence(&id, texts[rng.usize(..texts.len())], rng.i64(0..5), 5 + rng.i64(0..5)));
            }
            if step % 10 == 0 {
                let some = labels(&format!("a={} b={} c={}", rng.u8(..4), rng.u8(..4), rng.u8(..2)));
                let now = t(rng.i64(0..10));
                let mut expected: Vec<&Silence> = all.iter().filter(|s| s.mutes(&some, now)).collect();
                expected.sort_by(|a, b| a.id.cmp(&b.id));
                assert_eq!(all.muting(&some, now), expected);
            }
        }
        let ids: Vec<String> = all.iter().map(|s| s.id.clone()).collect();
        ids.iter().for_each(|id| drop(all.remove(id)));
        assert!(all.by_label.is_empty() && all.rest.is_empty());
    }

    #[test]
    fn an_alert_is_compared_with_few_of_a_thousand_silences() {
        let each = |i: i64| silence(&i.to_string(), &format!("alertname=X,instance=h{i}"), 0, 10);
        let all = Silences::new((0..1_000).map(each));
        assert_eq!(all.muting(&labels("alertname=X instance=h7"), t(5)).len(), 1);
        // Filed under the label that tells them apart, but for the first, which could not know.
        let filed =
            |name: &str| all.by_label.get(name).map_or(0, |values| values.values().map(Vec::len).sum::<usize>());
        assert!(filed("alertname") <= 1, "{}", filed("alertname"));
        assert_eq!(filed("instance") + filed("alertname"), 1_000);
    }

    #[test]
    fn notices_name_what_a_person_should_look_at() {
        const DAY: i64 = 24 * 60;
        #[track_caller]
        fn check(to: i64, usage: Usage, now: i64, notices: &[Notice]) {
            assert_eq!(silence("a", "x=y", 0, to).notices(&usage, t(now)), notices);
        }
        let minutes = |n: i64| Duration::from_secs(60 * n as u64);
        let busy = Usage { muted: 1, firing: 3, last_muted: Some(t(5)) };
        check(120, busy, 30, &[]);
        check(120, busy, 70, &[Notice::EndsSoon(minutes(50))]);
        check(60, busy, 30, &[]);
        check(2 * DAY, Usage { muted: 9, firing: 12, ..busy }, 60, &[Notice::Broad { muted: 9, firing: 12 }]);
        check(3 * DAY, Usage { muted: 0, last_muted: Some(t(DAY)), firing: 0 }, 2 * DAY, &[Notice::Idle(minutes(DAY))]);
        check(3 * DAY, Usage::default(), DAY - 1, &[]);
        check(31 * DAY, Usage::default(), 10, &[Notice::OverLong(minutes(31 * DAY))]);
        check(20 * DAY, busy, 8 * DAY, &[Notice::Forgotten(minutes(8 * DAY))]);
        check(10, Usage::default(), 20, &[]);
    }
}
