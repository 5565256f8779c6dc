//! Who is on call: rotations by day or week, with overrides.
//!
//! A turn begins at the hand-over time of the rota's zone. Where the clock skips that time, at the moment it does;
//! where the time comes twice, the first time.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::alert::maintenance::Occurrence;
use crate::alert::window::TimeWindow;
use crate::base::time::Timestamp;

/// Changes that put the same person on call again are passed over, at most so many.
const MAX_CHANGES: usize = 1_000;

/// A rota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rota {
    /// Unique name.
    pub name: String,
    /// The first whose time it is decides; the last one has no `during`, so that there always is one.
    pub layers: Vec<Layer>,
    /// Outweigh the layers; of those that overlap the last written counts.
    pub overrides: Vec<Override>,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// People that take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Receivers, in order; at least one.
    pub members: Vec<String>,
    /// Days of one turn, at least 1.
    pub days: u16,
    /// The day on which the first member's first turn begins.
    pub start: Date,
    /// When turns begin.
    pub handover: Time,
    /// Whose clock.
    pub zone: TimeZone,
    /// The layer counts only while this is open.
    pub during: Option<TimeWindow>,
}

/// Somebody else, for once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// When.
    pub when: Occurrence,
    /// The receiver.
    pub member: String,
}

impl Rota {
    /// The receiver that is on call at that moment; empty only for a rota without layers.
    pub fn on_call(&self, at: Timestamp) -> &str {
        if let Some(instead) = self.overrides.iter().rev().find(|o| o.when.contains(at)) {
            return &instead.member;
        }
        let open = |layer: &&Layer| layer.during.as_ref().is_none_or(|window| window.contains(at));
        self.layers.iter().find(open).map_or("", |layer| layer.on_call(at))
    }

    /// When somebody else is on call next; `None` if nobody ever is.
    pub fn next_handover(&self, after: Timestamp) -> Option<Timestamp> {
        let now = self.on_call(after);
        let mut at = after;
        for _ in 0..MAX_CHANGES {
            let overrides = self.overrides.iter().flat_map(|o| [o.when.starts_at, o.when.ends_at]).filter(|t| *t > at);
            let turns = self.layers.iter().filter_map(|l| l.next_turn(at));
            let windows = self.layers.iter().filter_map(|l| l.during.as_ref()?.next_change(at));
            at = overrides.chain(turns).chain(windows).min()?;
            if self.on_call(at) != now {
                return Some(at);
            }
        }
        None
    }
}

impl Layer {
    fn on_call(&self, at: Timestamp) -> &str {
        let turns = i64::try_from(self.members.len()).unwrap_or(i64::MAX).max(1);
        let index = usize::try_from(self.turn(at).rem_euclid(turns)).unwrap_or(0);
        self.members.get(index).map_or("", String::as_str)
    }

    /// The moment after which the next turn begins; nothing with one member only.
    fn next_turn(&self, after: Timestamp) -> Option<Timestamp> {
        if self.members.len() < 2 { None } else { self.begins(self.turn(after).checked_add(1)?) }
    }

    /// The number of the turn, which may be negative.
    fn turn(&self, at: Timestamp) -> i64 {
        let clock = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default().to_zoned(self.zone.clone());
        let days = self.start.until(clock.date()).map_or(0, |span| i64::from(span.get_days()));
        let about = days.div_euclid(i64::from(self.days.max(1)));
        // The date alone is off by at most one: the hand-over of that day may be to come, or zones may turn dates.
        let begun = |turn: &i64| self.begins(*turn).is_some_and(|start| start <= at);
        [about + 1, about].into_iter().find(begun).unwrap_or(about - 1)
    }

    /// When a turn begins; nothing beyond what calendars hold.
    fn begins(&self, turn: i64) -> Option<Timestamp> {
        let days = turn.checked_mul(i64::from(self.days.max(1)))?;
        let day = self.start.checked_add(i32::try_from(days).ok()?.days()).ok()?;
        let at = self.zone.to_timestamp(day.to_datetime(self.handover)).ok()?;
        Some(Timestamp::from_millis(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;
    use crate::alert::window::TimeInterval;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn layer(members: &[&str], days: u16, hour: i8) -> Layer {
        Layer {
            members: members.iter().map(|m| (*m).to_owned()).collect(),
            days,
            start: date(2026, 10, 19),
            handover: time(hour, 30, 0, 0),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            during: None,
        }
    }

    fn rota(layers: Vec<Layer>) -> Rota {
        Rota { name: "r".to_owned(), layers, overrides: Vec::new(), source: String::new() }
    }

    #[test]
    fn turns_change_at_the_hand_over_by_the_clock_of_the_zone() {
        let rota = rota(vec![layer(&["ann", "bob", "cid"], 7, 9)]);
        #[track_caller]
        fn check(rota: &Rota, text: &str, who: &str, next: &str) {
            let found = (rota.on_call(at(text)), rota.next_handover(at(text)));
            assert_eq!(found, (who, Some(at(next))), "{text}");
        }
        check(&rota, "2026-10-19T07:29:59Z", "cid", "2026-10-19T07:30:00Z");
        check(&rota, "2026-10-19T07:30:00Z", "ann", "2026-10-26T08:30:00Z");
        check(&rota, "2026-10-26T08:29:59.999Z", "ann", "2026-10-26T08:30:00Z");
        check(&rota, "2026-10-26T08:30:00Z", "bob", "2026-11-02T08:30:00Z");
        check(&rota, "2026-11-03T00:00:00Z", "cid", "2026-11-09T08:30:00Z");
        check(&rota, "2025-10-22T00:00:00Z", "cid", "2025-10-27T08:30:00Z");
    }

    #[test]
    fn a_hand_over_happens_once_where_its_hour_comes_twice() {
        let mut daily = layer(&["ann", "bob"], 1, 2);
        daily.start = date(2026, 10, 24);
        let rota = rota(vec![daily]);
        let mut t = at("2026-10-24T12:00:00Z");
        let mut found = Vec::new();
        for _ in 0..3 {
            t = rota.next_handover(t).unwrap();
            found.push((t.to_string()[..16].to_owned(), rota.on_call(t).to_owned()));
        }
        let own = |t: &str, who: &str| (t.to_owned(), who.to_owned());
        assert_eq!(
            found,
            [own("2026-10-25T00:30", "bob"), own("2026-10-26T01:30", "ann"), own("2026-10-27T01:30", "bob")]
        );
        assert_eq!(rota.on_call(at("2026-10-25T01:10:00Z")), "bob");
    }

    #[test]
    fn a_hand_over_in_the_hour_that_is_skipped_follows_it() {
        let mut daily = layer(&["ann", "bob"], 1, 2);
        daily.start = date(2026, 3, 28);
        let rota = rota(vec![daily]);
        assert_eq!(rota.next_handover(at("2026-03-28T12:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(rota.on_call(at("2026-03-29T01:29:00Z")), "ann");
        assert_eq!(rota.on_call(at("2026-03-29T01:30:00Z")), "bob");
    }

    #[test]
    fn overrides_and_layers_come_before_the_turn() {
        let mut nights = layer(&["owl"], 7, 9);
        nights.during = Some(TimeWindow {
            intervals: vec![TimeInterval { times: vec![(0, 360)], ..TimeInterval::default() }],
            ..TimeWindow::default()
        });
        let mut rota = rota(vec![nights, layer(&["ann"], 7, 9)]);
        rota.overrides = vec![Override {
            when: Occurrence { starts_at: at("2026-11-01T03:00:00Z"), ends_at: at("2026-11-01T12:00:00Z") },
            member: "dee".to_owned(),
        }];
        let mut t = at("2026-10-31T12:00:00Z");
        let mut found = vec![rota.on_call(t).to_owned()];
        for _ in 0..4 {
            t = rota.next_handover(t).unwrap();
            found.push(format!("{} {}", &t.to_string()[..16], rota.on_call(t)));
        }
        assert_eq!(
            found,
            ["ann", "2026-11-01T00:00 owl", "2026-11-01T03:00 dee", "2026-11-01T12:00 ann", "2026-11-02T00:00 owl"]
        );
    }

    #[test]
    fn one_person_alone_is_always_on_call() {
        let alone = rota(vec![layer(&["ann"], 7, 9)]);
        assert_eq!(
            (alone.on_call(at("1970-01-01T00:00:00Z")), alone.next_handover(at("2026-01-01T00:00:00Z"))),
            ("ann", None)
        );
        assert_eq!(alone.on_call(Timestamp::from_millis(i64::MAX)), "ann");
        assert_eq!(rota(Vec::new()).on_call(Timestamp::EPOCH), "");
    }
}
