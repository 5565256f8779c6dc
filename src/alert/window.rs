//! Time windows: Alertmanager's time intervals, in any time zone.
//!
//! A window is a condition on the wall clock of its zone, so it is constant between the minutes that its times name,
//! midnights, and the moments when that clock is set. [`TimeWindow::next_change`] looks at those only. Where a clock
//! is set back, the hour that comes twice is in the window twice; the one that is skipped never comes.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::base::time::Timestamp;

/// How far ahead a change is looked for: a 29 February on a given weekday comes back after at most 40 years.
const HORIZON_DAYS: i32 = 41 * 366;
/// A union of intervals that has no gap in so many of their changes is taken to have none.
const MAX_CHANGES: usize = 10_000;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// A named window: open while any of its intervals is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeWindow {
    /// Unique name.
    pub name: String,
    /// Its intervals.
    pub intervals: Vec<TimeInterval>,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// Conditions that must all hold; one that is empty always does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeInterval {
    /// Minutes of the day, from the first up to but without the second.
    pub times: Vec<(u16, u16)>,
    /// Days of the week, Sunday being 0, both ends included.
    pub weekdays: Vec<(i16, i16)>,
    /// Days of the month from 1, or from -1 backwards from its end; both ends included.
    pub days_of_month: Vec<(i16, i16)>,
    /// Months from 1, both ends included.
    pub months: Vec<(i16, i16)>,
    /// Years, both ends included.
    pub years: Vec<(i16, i16)>,
    /// Whose clock.
    pub zone: TimeZone,
}

impl Default for TimeInterval {
    fn default() -> Self {
        Self {
            times: Vec::new(),
            weekdays: Vec::new(),
            days_of_month: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            zone: TimeZone::UTC,
        }
    }
}

impl TimeWindow {
    /// Whether the window is open at that moment.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.intervals.iter().any(|i| i.contains(at))
    }

    /// When it next opens or closes after that moment; `None` if it never does, or not within 41 years.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let now = self.contains(after);
        let mut at = after;
        for _ in 0..MAX_CHANGES {
            at = self.intervals.iter().filter_map(|i| i.next_change(at)).min()?;
            if self.contains(at) != now {
                return Some(at);
            }
        }
        None
    }

    /// The latest moment not after `at` at which it opened, looked for in the 512 days before; `None` if it is closed.
    pub fn open_since(&self, at: Timestamp) -> Option<Timestamp> {
        const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
        if !self.contains(at) {
            return None;
        }
        let mut from = at;
        for days in [1, 8, 64, 512] {
            from = at.minus(DAY * days);
            let changes = std::iter::successors(self.next_change(from), |t| self.next_change(*t));
            if let Some(last) = changes.take_while(|t| *t <= at).last() {
                return Some(last);
            }
        }
        Some(from)
    }
}

impl TimeInterval {
    /// Whether the moment is within.
    pub fn contains(&self, at: Timestamp) -> bool {
        let at = instant(at);
        self.holds(self.zone.to_offset(at).to_datetime(at))
    }

    fn holds(&self, clock: DateTime) -> bool {
        let minute = u16::from(clock.hour().unsigned_abs()) * 60 + u16::from(clock.minute().unsigned_abs());
        self.holds_on(clock.date())
            && (self.times.is_empty() || self.times.iter().any(|(a, b)| (*a..*b).contains(&minute)))
    }

    fn holds_on(&self, day: Date) -> bool {
        let any =
            |ranges: &[(i16, i16)], n: i16| ranges.is_empty() || ranges.iter().any(|(a, b)| (*a..=*b).contains(&n));
        let length = i16::from(day.days_in_month());
        let from_start = |n: i16| if n < 0 { length + n + 1 } else { n };
        let of_month = |(a, b): &(i16, i16)| (from_start(*a)..=from_start(*b)).contains(&i16::from(day.day()));
        any(&self.years, day.year())
            && any(&self.months, i16::from(day.month()))
            && any(&self.weekdays, i16::from(day.weekday().to_sunday_zero_offset()))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(of_month))
    }

    /// Whether it holds at any time.
    fn is_unbounded(&self) -> bool {
        let whole = |ranges: &[(i16, i16)], a, b| ranges.is_empty() || ranges.contains(&(a, b));
        (self.times.is_empty() || self.times.contains(&(0, MINUTES_OF_DAY)))
            && whole(&self.weekdays, 0, 6)
            && whole(&self.days_of_month, 1, 31)
            && whole(&self.months, 1, 12)
            && self.years.is_empty()
    }

    /// When it next begins or ceases to hold.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        if self.is_unbounded() {
            return None;
        }
        let now = self.contains(after);
        let mut minutes: Vec<u16> = self.times.iter().flat_map(|(a, b)| [*a, *b]).collect();
        // The end of one day is the beginning of the next, which is where days begin anyway.
        minutes.push(0);
        minutes.retain(|m| *m < MINUTES_OF_DAY);
        minutes.sort_unstable();
        minutes.dedup();
        let mut from = instant(after);
        let horizon = from.checked_add(jiff::SignedDuration::from_hours(24 * i64::from(HORIZON_DAYS))).ok()?;
        // While its offset stays the same, a zone's clock runs as any other does.
        while from < horizon {
            let offset = self.zone.to_offset(from);
            let until = self.zone.following(from).next().map_or(horizon, |t| t.timestamp().min(horizon));
            let clock = |at: jiff::Timestamp| offset.to_datetime(at);
            let last = clock(until).date();
            let mut day = clock(from).date();
            while day <= last {
                // Most days of most windows are told by their date alone: a change needs a day that holds, or the
                // midnight after one.
                if now || self.holds_on(day) {
                    for minute in &minutes {
                        let (hour, minute) = (minute / 60, minute % 60);
                        let (Ok(hour), Ok(minute)) = (i8::try_from(hour), i8::try_from(minute)) else { continue };
                        let wall = day.at(hour, minute, 0, 0);
                        let Ok(at) = offset.to_timestamp(wall) else { continue };
                        if from < at && at < until && self.holds(wall) != now {
                            return Some(Timestamp::from_millis(at.as_millisecond()));
                        }
                    }
                    day = day.tomorrow().ok()?;
                } else {
                    day = self.next_candidate(day)?;
                }
            }
            if until < horizon && self.holds(self.zone.to_offset(until).to_datetime(until)) != now {
                return Some(Timestamp::from_millis(until.as_millisecond()));
            }
            from = until;
        }
        None
    }

    /// The first day after one that does not hold whose month and year do, or an earlier one.
    fn next_candidate(&self, day: Date) -> Option<Date> {
        let within =
            |ranges: &[(i16, i16)], n: i16| ranges.is_empty() || ranges.iter().any(|(a, b)| (*a..=*b).contains(&n));
        if !within(&self.years, day.year()) {
            return Date::new(day.year().checked_add(1)?, 1, 1).ok();
        }
        if !within(&self.months, i16::from(day.month())) {
            return day.last_of_month().tomorrow().ok();
        }
        day.tomorrow().ok()
    }
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    let limit = if at.millis() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(limit)
}

/// A range of times, days, months or years that does not stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// Not a time of day.
    #[error("`{0}` is not a time of day")]
    Time(String),
    /// Not a day of the week.
    #[error("`{0}` is not a day of the week")]
    Weekday(String),
    /// Not a day of the month.
    #[error("`{0}` is not a day of the month")]
    Day(String),
    /// Not a month.
    #[error("`{0}` is not a month")]
    Month(String),
    /// Not a year.
    #[error("`{0}` is not a year")]
    Year(String),
    /// The end stands before the beginning.
    #[error("`{0}` ends before it begins")]
    Backwards(String),
    /// A range that begins with a negative day and ends with a positive one.
    #[error("`{0}` begins at the month's end and ends at its beginning")]
    Mixed(String),
}

/// What ranges are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `monday:friday`, `mon-fri`, `saturday`; `fri-mon` goes over the week's end.
    Weekday,
    /// `1:5`, `-3:-1`, `15`.
    DayOfMonth,
    /// `january:march`, `jan-mar`, `1:3`, `5`.
    Month,
    /// `2026:2028`, `2026`.
    Year,
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl Unit {
    /// Reads one range: Alertmanager's with a colon, or one with a dash. Weekdays over the end of a week give two.
    ///
    /// # Errors
    /// What is not understood in it.
    pub fn ranges(self, text: &str) -> Result<Vec<(i16, i16)>, BadRange> {
        let whole = text.trim();
        // A dash at the beginning is a sign.
        let dash = || whole.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(i, _)| i);
        let (from, to) = match whole.find(':').or_else(dash) {
            Some(i) => (self.member(&whole[..i])?, self.member(&whole[i + 1..])?),
            None => (self.member(whole)?, self.member(whole)?),
        };
        let backwards = || Err(BadRange::Backwards(whole.to_owned()));
        match self {
            Self::Weekday if from > to && !whole.contains(':') => Ok(vec![(from, 6), (0, to)]),
            // The shortest month tells what may never be in order.
            Self::DayOfMonth if from < 0 && to > 0 => Err(BadRange::Mixed(whole.to_owned())),
            Self::DayOfMonth if in_shortest_month(from) > in_shortest_month(to) => backwards(),
            Self::Weekday | Self::Month | Self::Year if from > to => backwards(),
            Self::Weekday | Self::DayOfMonth | Self::Month | Self::Year => Ok(vec![(from, to)]),
        }
    }

    fn member(self, text: &str) -> Result<i16, BadRange> {
        let word = text.trim().to_ascii_lowercase();
        let named = |names: &[&str]| {
            names
                .iter()
                .position(|n| *n == word || word.len() == 3 && n.starts_with(&word))
                .and_then(|i| i16::try_from(i).ok())
        };
        let number = || word.parse::<i16>().ok();
        let said = || text.trim().to_owned();
        match self {
            Self::Weekday => named(&WEEKDAYS).ok_or_else(|| BadRange::Weekday(said())),
            Self::DayOfMonth => {
                number().filter(|n| *n != 0 && (-31..=31).contains(n)).ok_or_else(|| BadRange::Day(said()))
            }
            Self::Month => named(&MONTHS)
                .map(|i| i + 1)
                .or_else(|| number().filter(|n| (1..=12).contains(n)))
                .ok_or_else(|| BadRange::Month(said())),
            Self::Year => number().filter(|n| (1..=9_999).contains(n)).ok_or_else(|| BadRange::Year(said())),
        }
    }
}

const fn in_shortest_month(day: i16) -> i16 {
    if day < 0 { 28 + day } else { day }
}

/// Reads a time of day, `00:00` to `24:00`, as minutes.
///
/// # Errors
/// It is not one.
pub fn minute_of_day(text: &str) -> Result<u16, BadRange> {
    let bad = || BadRange::Time(text.trim().to_owned());
    let (hour, minute) = text.trim().split_once(':').ok_or_else(bad)?;
    let two = |s: &str| {
        Some(s).filter(|s| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).and_then(|s| s.parse().ok())
    };
    let (hour, minute): (u16, u16) = (two(hour).ok_or_else(bad)?, two(minute).ok_or_else(bad)?);
    let of_day = hour * 60 + minute;
    if minute > 59 || of_day > MINUTES_OF_DAY { Err(bad()) } else { Ok(of_day) }
}

/// Reads `22:00-24:00`.
///
/// # Errors
/// A time is not one, or the range does not end after it begins: one over midnight is two.
pub fn time_range(text: &str) -> Result<(u16, u16), BadRange> {
    let (from, to) = text.split_once('-').ok_or_else(|| BadRange::Time(text.trim().to_owned()))?;
    let (from, to) = (minute_of_day(from)?, minute_of_day(to)?);
    if from < to { Ok((from, to)) } else { Err(BadRange::Backwards(text.trim().to_owned())) }
}

impl fmt::Display for TimeInterval {
    /// For people: `mon-fri 22:00-24:00 Europe/Berlin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        let named = |names: &[&str], n: i16| {
            usize::try_from(n)
                .ok()
                .and_then(|n| names.get(n))
                .map_or_else(|| n.to_string(), |name| name[..3].to_owned())
        };
        let mut list = |ranges: &[(i16, i16)], show: &dyn Fn(i16) -> String| {
            let shown =
                ranges.iter().map(|(a, b)| if a == b { show(*a) } else { format!("{}-{}", show(*a), show(*b)) });
            if !ranges.is_empty() {
                parts.push(shown.collect::<Vec<_>>().join(","));
            }
        };
        list(&self.years, &|n| n.to_string());
        list(&self.months, &|n| named(&MONTHS, n - 1));
        list(&self.days_of_month, &|n| format!("day {n}"));
        list(&self.weekdays, &|n| named(&WEEKDAYS, n));
        let clock = |m: &u16| format!("{:02}:{:02}", m / 60, m % 60);
        if !self.times.is_empty() {
            let times = self.times.iter().map(|(a, b)| format!("{}-{}", clock(a), clock(b)));
            parts.push(times.collect::<Vec<_>>().join(","));
        }
        if parts.is_empty() {
            parts.push("always".to_owned());
        }
        parts.push(self.zone.iana_name().unwrap_or("UTC").to_owned());
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn window(interval: TimeInterval) -> TimeWindow {
        TimeWindow { intervals: vec![interval], ..TimeWindow::default() }
    }

    #[test]
    fn ranges_that_are_understood() {
        #[track_caller]
        fn check(unit: Unit, text: &str, ranges: &[(i16, i16)]) {
            assert_eq!(unit.ranges(text).as_deref(), Ok(ranges), "{text}");
        }
        check(Unit::Weekday, "monday:friday", &[(1, 5)]);
        check(Unit::Weekday, "mon-fri", &[(1, 5)]);
        check(Unit::Weekday, "Saturday", &[(6, 6)]);
        check(Unit::Weekday, "fri-mon", &[(5, 6), (0, 1)]);
        check(Unit::DayOfMonth, "1:5", &[(1, 5)]);
        check(Unit::DayOfMonth, "-3:-1", &[(-3, -1)]);
        check(Unit::DayOfMonth, "-1", &[(-1, -1)]);
        check(Unit::DayOfMonth, "15:-1", &[(15, -1)]);
        check(Unit::DayOfMonth, "1-5", &[(1, 5)]);
        check(Unit::Month, "january:march", &[(1, 3)]);
        check(Unit::Month, "5", &[(5, 5)]);
        check(Unit::Month, "may:august", &[(5, 8)]);
        check(Unit::Year, "2020:2022", &[(2020, 2022)]);
        assert_eq!(time_range("22:00-24:00"), Ok((1_320, 1_440)));
    }

    #[test]
    fn ranges_that_are_refused() {
        for (unit, text) in [
            (Unit::Weekday, "friday:monday"),
            (Unit::Weekday, "mo"),
            (Unit::Weekday, ""),
            (Unit::DayOfMonth, "0"),
            (Unit::DayOfMonth, "32"),
            (Unit::DayOfMonth, "-3:1"),
            (Unit::DayOfMonth, "30:-25"),
            (Unit::Month, "13"),
            (Unit::Month, "march:january"),
            (Unit::Year, "2022:2020"),
            (Unit::Year, "99999"),
        ] {
            assert!(unit.ranges(text).is_err(), "{text}");
        }
        for text in ["24:01-24:00", "9:00-10:00", "22:00-06:00", "12:00", "12:60-13:00", "12:00-12:00", "ü-ü"] {
            assert!(time_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_mean_what_alertmanager_means() {
        #[track_caller]
        fn check(interval: &TimeInterval, text: &str, within: bool) {
            assert_eq!(interval.contains(at(text)), within, "{interval} {text}");
        }
        let hours = TimeInterval { times: vec![(540, 1_020)], weekdays: vec![(1, 5)], ..TimeInterval::default() };
        check(&hours, "2020-07-10T08:59:59Z", false);
        check(&hours, "2020-07-10T09:00:00Z", true);
        check(&hours, "2020-07-10T16:59:59.999Z", true);
        check(&hours, "2020-07-10T17:00:00Z", false);
        check(&hours, "2020-07-11T12:00:00Z", false);
        let end = TimeInterval { days_of_month: vec![(-3, -1)], months: vec![(2, 2)], ..TimeInterval::default() };
        check(&end, "2024-02-26T12:00:00Z", false);
        check(&end, "2024-02-27T12:00:00Z", true);
        check(&end, "2023-02-26T12:00:00Z", true);
        check(&end, "2024-03-31T12:00:00Z", false);
        // Beyond the end of a month a range is cut off, and one that begins there never comes.
        let long = TimeInterval { days_of_month: vec![(29, 31)], ..TimeInterval::default() };
        check(&long, "2023-02-28T12:00:00Z", false);
        check(&long, "2023-04-30T12:00:00Z", true);
        let zoned = TimeInterval {
            times: vec![(0, 60)],
            zone: TimeZone::get("Australia/Sydney").unwrap(),
            years: vec![(2024, 2024)],
            ..TimeInterval::default()
        };
        check(&zoned, "2023-12-31T13:30:00Z", true);
        check(&zoned, "2023-12-31T12:30:00Z", false);
    }

    #[test]
    fn nights_that_touch_at_midnight_are_one() {
        let nights =
            window(TimeInterval { times: vec![(1_320, 1_440), (0, 360)], zone: berlin(), ..TimeInterval::default() });
        assert_eq!(nights.next_change(at("2026-11-26T20:00:00Z")), Some(at("2026-11-26T21:00:00Z")));
        assert_eq!(nights.next_change(at("2026-11-26T21:00:00Z")), Some(at("2026-11-27T05:00:00Z")));
        assert_eq!(nights.open_since(at("2026-11-27T04:00:00Z")), Some(at("2026-11-26T21:00:00Z")));
        assert_eq!(nights.open_since(at("2026-11-27T12:00:00Z")), None);
    }

    #[test]
    fn clocks_that_are_set_skip_an_hour_or_bring_it_twice() {
        let hour = window(TimeInterval { times: vec![(120, 180)], zone: berlin(), ..TimeInterval::default() });
        // 29 March 2026: 02:00 to 03:00 does not come.
        assert_eq!(hour.next_change(at("2026-03-28T02:00:00Z")), Some(at("2026-03-30T00:00:00Z")));
        // 25 October 2026: it comes twice, without a gap.
        assert_eq!(hour.next_change(at("2026-10-24T12:00:00Z")), Some(at("2026-10-25T00:00:00Z")));
        assert_eq!(hour.next_change(at("2026-10-25T00:00:00Z")), Some(at("2026-10-25T02:00:00Z")));
        // A part of it comes twice with a gap.
        let half = window(TimeInterval { times: vec![(120, 150)], zone: berlin(), ..TimeInterval::default() });
        let mut changes = Vec::new();
        let mut t = at("2026-10-24T12:00:00Z");
        for _ in 0..4 {
            t = half.next_change(t).unwrap();
            changes.push(t.to_string()[11..16].to_owned());
        }
        assert_eq!(changes, ["00:00", "00:30", "01:00", "01:30"]);
    }

    #[test]
    fn what_never_changes_is_said_soon() {
        let always = window(TimeInterval::default());
        assert!(always.contains(at("2026-01-01T00:00:00Z")));
        assert_eq!(always.next_change(at("2026-01-01T00:00:00Z")), None);
        let never = window(TimeInterval {
            months: vec![(2, 2)],
            days_of_month: vec![(30, 30)],
            zone: berlin(),
            ..TimeInterval::default()
        });
        assert_eq!(never.next_change(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(TimeWindow::default().next_change(at("2026-01-01T00:00:00Z")), None);
        let rare = window(TimeInterval {
            months: vec![(2, 2)],
            days_of_month: vec![(29, 29)],
            weekdays: vec![(1, 1)],
            ..TimeInterval::default()
        });
        assert_eq!(rare.next_change(at("2024-03-01T00:00:00Z")), Some(at("2044-02-29T00:00:00Z")));
        let halves = TimeWindow {
            intervals: vec![
                TimeInterval { times: vec![(0, 720)], ..TimeInterval::default() },
                TimeInterval { times: vec![(720, 1_440)], ..TimeInterval::default() },
            ],
            ..TimeWindow::default()
        };
        assert_eq!(halves.next_change(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(rare.next_change(Timestamp::from_millis(i64::MAX)), None);
        assert!(!rare.contains(Timestamp::from_millis(i64::MIN)));
    }

    prop_compose! {
        fn intervals()(
            times in prop::collection::vec((0_u16..48, 1_u16..24), 0..3),
            weekdays in prop::collection::vec((0_i16..5, 0_i16..3), 0..2),
            days in prop::collection::vec((1_i16..28, 0_i16..4), 0..2),
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Africa/Cairo", "America/Havana"]),
        ) -> TimeInterval {
            TimeInterval {
                times: times.iter().map(|(a, n)| (a * 30, ((a + n) * 30).min(MINUTES_OF_DAY))).collect(),
                weekdays: weekdays.iter().map(|(a, n)| (*a, (a + n).min(6))).collect(),
                days_of_month: days.iter().map(|(a, n)| (*a, a + n)).collect(),
                zone: TimeZone::get(zone).unwrap(),
                ..TimeInterval::default()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against every quarter of an hour of twelve days around the days when clocks are set.
        #[test]
        fn a_window_changes_exactly_when_it_says(
            all in prop::collection::vec(intervals(), 1..3),
            from in prop::sample::select(vec!["2026-03-02T00:07:00Z", "2026-03-24T00:07:00Z", "2026-04-01T00:07:00Z", "2026-09-30T00:07:00Z", "2026-10-20T00:07:00Z", "2026-10-28T00:07:00Z"]),
        ) {
            const STEP: std::time::Duration = std::time::Duration::from_secs(15 * 60);
            let window = TimeWindow { intervals: all, ..TimeWindow::default() };
            let begin = at(from);
            let mut t = begin;
            let mut expected = Vec::new();
            for _ in 0..12 * 96 {
                let next = t.plus(STEP);
                if window.contains(t) != window.contains(next) {
                    // All boundaries are at whole quarters; the samples lie seven minutes behind.
                    expected.push(next.minus(std::time::Duration::from_secs(7 * 60)));
                }
                t = next;
            }
            let found: Vec<Timestamp> = std::iter::successors(window.next_change(begin), |t| window.next_change(*t)).take_while(|c| *c < t).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
