//! When a report is due, and whether it is late. Pure.

use std::fmt;
use std::time::Duration;

use crate::base::heard::Heard;
use crate::base::time::Timestamp;
use crate::base::units::Exact;

/// What a report may be earlier or later than the last ones, however near to its time those came; with a short grace an
/// eighth of that.
const AROUND: Duration = Duration::from_secs(60);

/// When reports are due.
#[derive(Clone)]
pub enum Due {
    /// No longer than this after the one before.
    Every(Duration),
    /// By these times.
    At {
        /// The expression as written.
        text: String,
        /// The expression.
        cron: Box<croner::Cron>,
        /// By which clock.
        zone: jiff::tz::TimeZone,
    },
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {}", Exact(*interval)),
            Self::At { text, zone, .. } => write!(f, "by {text} {}", zone.iana_name().unwrap_or("local time")),
        }
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a report is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// None is.
    Punctual,
    /// One has been due since then, and the grace is over.
    Late(Timestamp),
    /// The same, but it may have come when nobody listened: the monitor was paused, or Watchdog was not there.
    Unheard(Timestamp),
}

impl Due {
    /// The distance, where it is fixed.
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Every(interval) => Some(*interval),
            Self::At { .. } => None,
        }
    }

    /// Whether a report is late by more than `grace`, for a monitor that has listened like this.
    ///
    /// A report serves the time that it was due by, or, when it comes too late for that one and nothing served
    /// that one, the one it missed: a backup that reports at noon instead of 3:30 says nothing about the next
    /// night.
    pub fn late(
        &self,
        now: Timestamp,
        heard: &Heard,
        last: Option<Timestamp>,
        previous: Option<Timestamp>,
        grace: Duration,
    ) -> Lateness {
        let since = heard.since();
        match self {
            Self::Every(interval) => {
                let (from, allowed) = (last.unwrap_or(since), *interval + grace);
                if now.since(from) <= allowed {
                    return Lateness::Punctual;
                }
                // What was late before the monitor had this form begins anew.
                let from_here = if from.plus(allowed) >= since { from } else { since };
                let unheard = heard.unheard(from_here, now);
                match now.since(from_here) > allowed + unheard {
                    true => Lateness::Late(from_here.plus(*interval + unheard)),
                    false => Lateness::Unheard(from.plus(*interval)),
                }
            }
            Self::At { .. } => match self.unserved(now, since, last, previous, grace) {
                None => Lateness::Punctual,
                Some(due) if due.plus(grace) < since || is_unheard(heard, due, grace) => Lateness::Unheard(due),
                Some(due)
                    if [(last, previous), (previous, None)].into_iter().any(|(report, before)| {
                        report.is_some_and(|report| self.is_away(heard, due, report, before, grace))
                    }) =>
                {
                    Lateness::Unheard(due)
                }
                Some(due) => Lateness::Late(due),
            },
        }
    }

    /// The last time of a schedule that no report serves, and whose grace is over.
    fn unserved(
        &self,
        now: Timestamp,
        since: Timestamp,
        last: Option<Timestamp>,
        previous: Option<Timestamp>,
        grace: Duration,
    ) -> Option<Timestamp> {
        // Strictly: at the very end of the grace it is not late yet.
        let due = self.before(now.minus(grace))?;
        let served = match last {
            Some(last) => due <= self.served(last, previous, grace)?,
            None => due <= since,
        };
        (!served).then_some(due)
    }

    /// By when the first report must come.
    pub fn deadline(&self, now: Timestamp, heard: &Heard, grace: Duration) -> Option<Timestamp> {
        let since = heard.since();
        match self {
            Self::Every(interval) => Some(since.plus(*interval + grace + heard.unheard(since, now))),
            Self::At { .. } => Some(self.after(now.minus(grace).max(since))?.plus(grace)),
        }
    }

    /// The latest time that this report serves.
    fn served(&self, report: Timestamp, previous: Option<Timestamp>, grace: Duration) -> Option<Timestamp> {
        let Some(missed) = self.before(report.minus(grace)) else { return self.after(report) };
        let earlier = self.before(missed);
        let was_served = previous.is_some_and(|p| earlier.is_none_or(|earlier| p > earlier.plus(grace)));
        let next = self.after(missed)?;
        // One that is nearer to the next is early, not a day late.
        let is_early = next.since(report) < report.since(missed);
        Some(if was_served || is_early { next } else { missed })
    }

    /// Whether the report for `due` may have been lost when it was likely to come: as long before or after its time as this
    /// one came, give or take half of that, and no less than [`AROUND`].
    fn is_away(
        &self,
        heard: &Heard,
        due: Timestamp,
        report: Timestamp,
        before: Option<Timestamp>,
        grace: Duration,
    ) -> bool {
        let Some(served) = self.served(report, before, grace) else { return false };
        let (early, late) = (served.since(report), report.since(served));
        let around = ((early + late) / 2).max(AROUND.min(grace / 8));
        let expected = due.minus(early).plus(late);
        // What it slept through before that report cannot have been the next.
        let from = expected.minus(around).max(report);
        heard.may_have_lost(expected, from, expected.plus(around).min(due.plus(grace)))
    }

    /// The last time before `at`.
    fn before(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::At { cron, zone, .. } = self else { return None };
        stamp(&cron.find_previous_occurrence(&zoned(at, zone)?, false).ok()?)
    }

    /// The first time after `at`.
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::At { cron, zone, .. } = self else { return None };
        stamp(&cron.find_next_occurrence(&zoned(at, zone)?, false).ok()?)
    }
}

/// Whether most of the time in which a report was to come was not heard.
fn is_unheard(heard: &Heard, due: Timestamp, grace: Duration) -> bool {
    // Without grace it is the moment itself.
    let grace = grace.max(Duration::from_millis(1));
    heard.unheard(due, due.plus(grace)) * 2 > grace
}

fn zoned(at: Timestamp, zone: &jiff::tz::TimeZone) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_millisecond(at.millis()).ok()?.to_zoned(zone.clone()))
}

fn stamp(at: &jiff::Zoned) -> Option<Timestamp> {
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(&format!("{text}:00Z")).unwrap()
    }

    fn nightly(zone: &str) -> Due {
        let cron = Box::new(croner::Cron::from_str("30 3 * * *").unwrap());
        Due::At { text: "30 3 * * *".into(), cron, zone: jiff::tz::TimeZone::get(zone).unwrap() }
    }

    /// Whether the nightly backup is late, given its last two reports.
    #[track_caller]
    fn check(zone: &str, now: &str, last: Option<&str>, previous: Option<&str>, late: Option<&str>) {
        let got = nightly(zone).late(
            time(now),
            &heard(&[("2026-01-01T00:00", now)]),
            last.map(time),
            previous.map(time),
            Duration::from_secs(1_800),
        );
        assert_eq!(
            got,
            late.map_or(Lateness::Punctual, |at| Lateness::Late(time(at))),
            "{now}: {last:?}, {previous:?}"
        );
    }

    /// What a monitor has heard that listened at these times.
    fn heard(listened: &[(&str, &str)]) -> Heard {
        let mut heard = Heard::default();
        for (from, to) in listened {
            heard.begin(1, time(from));
            heard.listens(time(to));
        }
        heard
    }

    #[track_caller]
    fn check_heard(due: &Due, listened: &[(&str, &str)], last: Option<&str>, now: &str, want: Lateness) {
        let got = due.late(time(now), &heard(listened), last.map(time), None, Duration::from_secs(1_800));
        assert_eq!(got, want, "{listened:?} {now}");
    }

    #[test]
    fn of_a_period_only_what_could_be_heard_counts() {
        let every = Due::Every(Duration::from_secs(3_600));
        let (late, unheard) = (|at| Lateness::Late(time(at)), |at| Lateness::Unheard(time(at)));
        let last = Some("2026-05-10T12:00");
        // Away for a day, half an hour after the report.
        let day = [("2026-05-01T00:00", "2026-05-10T12:30"), ("2026-05-11T12:30", "2026-05-12T00:00")];
        check_heard(&every, &day, last, "2026-05-10T13:30", Lateness::Punctual);
        check_heard(&every, &day, last, "2026-05-11T13:30", unheard("2026-05-10T13:00"));
        check_heard(&every, &day, last, "2026-05-11T13:31", late("2026-05-11T13:00"));
        // There for five minutes of ten: late after three hours instead of one and a half.
        let times: Vec<(String, String)> = (12..18)
            .flat_map(|hour| (0..6).map(move |ten| (hour, ten)))
            .map(|(hour, ten)| (format!("2026-05-10T{hour}:{ten}0"), format!("2026-05-10T{hour}:{ten}5")))
            .collect();
        let flapping = |until: &str| -> Vec<(&str, &str)> {
            let times = times.iter().map(|(from, to)| (from.as_str(), to.as_str()));
            times.filter(|(from, _)| *from <= until).collect()
        };
        for last in [last, None] {
            let now = "2026-05-10T14:44";
            check_heard(&every, &flapping(now), last, now, unheard("2026-05-10T13:00"));
            let now = "2026-05-10T15:01";
            check_heard(&every, &flapping(now), last, now, late("2026-05-10T14:30"));
        }
        // One that is defined anew when it is late begins anew, and otherwise goes on.
        let mut heard = heard(&[("2026-05-01T00:00", "2026-05-10T13:10")]);
        heard.listens(time("2026-05-10T13:20"));
        heard.begin(2, time("2026-05-10T13:20"));
        let grace = Duration::from_secs(1_800);
        assert_eq!(every.late(time("2026-05-10T13:31"), &heard, last.map(time), None, grace), late("2026-05-10T13:00"));
        heard.listens(time("2026-05-10T18:00"));
        heard.begin(3, time("2026-05-10T18:00"));
        let now = time("2026-05-10T19:00");
        assert_eq!(every.late(now, &heard, last.map(time), None, grace), unheard("2026-05-10T13:00"));
    }

    #[test]
    fn a_time_of_a_schedule_is_forgiven_if_most_of_its_grace_was_not_heard() {
        let night = nightly("UTC");
        let last = Some("2026-05-10T02:50");
        let check = |away: (&str, &str), now: &str, want| {
            let [from, to] = [away.0, away.1].map(|t| format!("2026-05-11T{t}"));
            check_heard(&night, &[("2026-05-01T00:00", &from), (&to, "2026-05-13T00:00")], last, now, want);
        };
        let (late, unheard) = (Lateness::Late(time("2026-05-11T03:30")), Lateness::Unheard(time("2026-05-11T03:30")));
        check(("03:58", "03:59"), "2026-05-11T04:01", late);
        check(("03:59", "04:02"), "2026-05-11T04:03", late);
        check(("11:59", "12:00"), "2026-05-11T12:01", late);
        check(("03:31", "07:00"), "2026-05-11T07:01", unheard);
        check(("01:00", "12:00"), "2026-05-11T12:01", unheard);
        // Until it is due again.
        check(("01:00", "12:00"), "2026-05-12T04:01", Lateness::Late(time("2026-05-12T03:30")));
    }

    #[test]
    fn a_time_is_forgiven_when_nobody_listened_when_the_report_came_the_last_times() {
        let night = nightly("UTC");
        let grace = Duration::from_secs(1_800);
        let check = |last: &str, previous: Option<&str>, away: (&str, &str), forgiven: bool| {
            let [from, to] = [away.0, away.1].map(|t| format!("2026-05-11T{t}"));
            let heard = heard(&[("2026-05-01T00:00", &from), (&to, "2026-05-13T00:00")]);
            let [last, previous] = [Some(last), previous].map(|t| t.map(time));
            let got = night.late(time("2026-05-11T04:01"), &heard, last, previous, grace);
            let due = time("2026-05-11T03:30");
            let want = if forgiven { Lateness::Unheard(due) } else { Lateness::Late(due) };
            assert_eq!(got, want, "{last:?} {previous:?} {away:?}");
        };
        // It reports at 2:50 for 3:30, or at 3:45, and last night otherwise.
        let early = "2026-05-10T02:50";
        check(early, None, ("02:40", "03:20"), true);
        check(early, None, ("02:45", "02:55"), true);
        check(early, None, ("00:10", "01:40"), false);
        check(early, None, ("03:20", "03:25"), false);
        check("2026-05-10T03:45", None, ("03:40", "03:50"), true);
        check("2026-05-10T03:45", None, ("02:45", "02:55"), false);
        check("2026-05-10T03:20", Some("2026-05-09T02:50"), ("02:45", "02:55"), true);
        check("2026-05-10T03:20", Some("2026-05-09T03:20"), ("02:45", "02:55"), false);
        // Every two minutes: a minute away shortly before it is due.
        let cron = Box::new(croner::Cron::from_str("*/2 * * * *").unwrap());
        let often = Due::At { text: "*/2 * * * *".into(), cron, zone: jiff::tz::TimeZone::UTC };
        let at = |text: &str| Timestamp::parse(&format!("2026-05-11T{text}Z")).unwrap();
        let mut heard = Heard::default();
        heard.begin(1, at("09:00:00"));
        heard.listens(at("09:50:20"));
        heard.begin(1, at("09:51:20"));
        heard.listens(at("09:52:30"));
        let got = often.late(at("09:52:30"), &heard, Some(at("09:49:29")), None, Duration::from_secs(5));
        assert_eq!(got, Lateness::Unheard(at("09:52:00")));
    }

    #[test]
    fn a_job_that_reports_on_time_may_take_a_few_seconds_more_while_nobody_listens() {
        let at = |text: &str| Timestamp::parse(&format!("2026-05-{text}Z")).unwrap();
        let check = |last: &str, grace: u64, away: (&str, &str), forgiven: bool| {
            let mut heard = Heard::default();
            heard.begin(1, at("01T00:00:00"));
            heard.listens(at(&format!("11T{}", away.0)));
            heard.begin(1, at(&format!("11T{}", away.1)));
            heard.listens(at("11T05:00:00"));
            let (last, grace) = (at(&format!("10T{last}")), Duration::from_secs(grace));
            let got = nightly("UTC").late(at("11T05:00:00"), &heard, Some(last), None, grace);
            let due = at("11T03:30:00");
            let want = if forgiven { Lateness::Unheard(due) } else { Lateness::Late(due) };
            assert_eq!(got, want, "{last:?} {grace:?} {away:?}");
        };
        check("03:30:02", 1_800, ("03:30:04", "03:30:14"), true);
        check("03:30:00", 1_800, ("03:30:04", "03:30:14"), true);
        check("03:29:59", 1_800, ("03:29:50", "03:29:55"), true);
        check("03:30:02", 1_800, ("03:31:04", "03:31:14"), false);
        check("03:30:02", 80, ("03:30:11", "03:30:15"), true);
        check("03:30:02", 80, ("03:30:13", "03:30:15"), false);
    }

    #[test]
    fn a_moments_absence_about_the_usual_time_hides_no_missing_report() {
        let at = |text: &str| Timestamp::parse(&format!("2026-05-{text}Z")).unwrap();
        let grace = Duration::from_secs(1_800);
        let check = |restart: bool, from: &str, to: &str, forgiven: bool| {
            let mut heard = Heard::default();
            heard.begin(1, at("01T00:00:00"));
            let [from, to] = [from, to].map(|t| at(&format!("11T{t}")));
            heard.listens(from);
            match restart {
                true => heard.begin(1, to),
                false => heard.absent(from, to),
            }
            heard.listens(at("11T05:00:00"));
            let got = nightly("UTC").late(at("11T05:00:00"), &heard, Some(at("10T03:30:02")), None, grace);
            let due = at("11T03:30:00");
            let want = if forgiven { Lateness::Unheard(due) } else { Lateness::Late(due) };
            assert_eq!(got, want, "{restart} {from} {to}");
        };
        // A snapshot of the machine, and a clock that is set.
        check(false, "03:29:30", "03:29:32", false);
        check(false, "03:30:01", "03:30:03", false);
        check(true, "03:31:00", "03:31:01", false);
        check(true, "03:30:02", "03:30:03", true);
        check(true, "03:30:04", "03:30:14", true);
        check(false, "03:29:50", "03:30:50", true);
    }

    #[test]
    fn a_nightly_backup_must_report_by_half_past_three() {
        let evening = Some("2026-05-10T02:50");
        // Due on the 11th at 3:30; late from 4:00 on.
        check("UTC", "2026-05-11T03:59", evening, Some("2026-05-09T02:50"), None);
        check("UTC", "2026-05-11T04:00", evening, Some("2026-05-09T02:50"), None);
        check("UTC", "2026-05-11T04:01", evening, Some("2026-05-09T02:50"), Some("2026-05-11T03:30"));
        check("UTC", "2026-05-11T04:01", Some("2026-05-11T01:00"), evening, None);
        // Within the grace it serves its own night, and not the next.
        check("UTC", "2026-05-11T12:00", Some("2026-05-11T03:45"), evening, None);
        check("UTC", "2026-05-12T04:01", Some("2026-05-11T03:45"), evening, Some("2026-05-12T03:30"));
    }

    #[test]
    fn a_report_that_comes_too_late_is_not_the_next_nights() {
        let (noon, before) = (Some("2026-05-11T12:00"), Some("2026-05-10T02:50"));
        check("UTC", "2026-05-11T12:01", noon, before, None);
        check("UTC", "2026-05-12T04:01", noon, before, Some("2026-05-12T03:30"));
        // A second run on the same day, after one in time, is the next night's: it may have been moved.
        check("UTC", "2026-05-12T04:01", noon, Some("2026-05-11T03:00"), None);
    }

    #[test]
    fn nothing_is_late_that_was_due_before_the_monitor_began() {
        check("UTC", "2026-01-01T03:59", None, None, None);
        check("UTC", "2026-01-01T04:01", None, None, Some("2026-01-01T03:30"));
    }

    #[test]
    fn the_clock_is_the_zones_in_summer_and_winter() {
        // 3:30 in Berlin is 1:30 in summer and 2:30 in winter.
        check("Europe/Berlin", "2026-07-02T02:01", Some("2026-07-01T01:00"), None, Some("2026-07-02T01:30"));
        check("Europe/Berlin", "2026-12-02T02:01", Some("2026-12-01T02:00"), None, None);
        check("Europe/Berlin", "2026-12-02T03:01", Some("2026-12-01T02:00"), None, Some("2026-12-02T02:30"));
    }
}
