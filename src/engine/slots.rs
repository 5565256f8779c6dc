//! At which moments a monitor's slots are. Arithmetic alone: no task, no clock.
//!
//! Intervals run on the monotonic clock from a phase that the monitor's name gives, so slots are spread, and stay where
//! they are over restarts and reloads. Cron expressions run on the wall clock in their own zone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::fnv;
use crate::base::time::Timestamp;
use crate::config::model::{Monitor, Schedule};

/// First probes after a start or reload begin this far apart, so that a large configuration does not
/// begin with a burst: 1,000 a second.
const STAGGER: Duration = Duration::from_millis(1);
/// A cron slot is looked at again at least this often, because the wall clock may be set.
pub(super) const CRON_RECHECK: Duration = Duration::from_secs(30);

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// When to wake for it.
    pub(super) at: Instant,
    /// For cron schedules: the wall-clock time that it is.
    pub(super) cron_at: Option<Timestamp>,
    /// How many were passed over.
    pub(super) missed: u64,
}

/// How long monitors that are new wait for their first slot: [`STAGGER`] apart, short intervals first. Where more are
/// new than an interval would hold so, they are spread over it evenly: that is the pace at which they come later, too.
pub(super) fn at_start<'a>(fresh: &[&'a Arc<Monitor>]) -> Vec<(&'a Arc<Monitor>, Duration)> {
    let interval = |m: &Monitor| match &m.schedule {
        Schedule::Every(interval) => *interval,
        // Its first slot is what the expression says.
        Schedule::Cron { .. } => Duration::ZERO,
    };
    let mut sorted = fresh.to_vec();
    // Stable: equal ones stay in order of name.
    sorted.sort_by_key(|m| interval(m));
    let mut waits = Vec::with_capacity(sorted.len());
    for equal in sorted.chunk_by(|a, b| interval(a) == interval(b)) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let before = count(waits.len());
        let apart = equal.first().map_or(STAGGER, |m| STAGGER.min(interval(m) / count(waits.len() + equal.len())));
        waits.extend((before..).zip(equal).map(|(i, m)| (*m, apart * i)));
    }
    waits
}

/// The monitor's first slot after `now`, when the one before was due at `due`.
pub(super) fn after(monitor: &Monitor, due: Instant, now: Instant, wall: Timestamp) -> Next {
    match &monitor.schedule {
        Schedule::Every(step) => {
            let missed = millis(now.saturating_duration_since(due)) / millis(*step).max(1);
            let at = now + phase_delay(monitor.name.as_str(), *step, wall);
            Next { at, cron_at: None, missed }
        }
        Schedule::Cron { cron, zone, .. } => {
            let cron_at = next_cron(cron, zone, wall);
            let wait = cron_at.map_or(CRON_RECHECK, |at| at.since(wall));
            Next { at: now + wait.min(CRON_RECHECK), cron_at, missed: 0 }
        }
    }
}

/// Time from `wall` to the monitor's next slot: slots lie at multiples of the interval since the
/// epoch plus a phase that the name gives. At least half an interval away, so that a first probe
/// outside the grid is not followed at once by a second.
fn phase_delay(name: &str, interval: Duration, wall: Timestamp) -> Duration {
    let step = i64::try_from(millis(interval).max(1)).unwrap_or(i64::MAX);
    let phase = i64::try_from(fnv::of_text(name) % step.unsigned_abs()).unwrap_or(0);
    let mut wait = (phase - wall.millis()).rem_euclid(step);
    if wait * 2 < step {
        wait += step;
    }
    Duration::from_millis(wait.unsigned_abs())
}

/// The first time after `wall` that the expression names, in its own zone. A local time that a
/// clock change skips runs once after it; one that it repeats runs once.
fn next_cron(cron: &croner::Cron, zone: &jiff::tz::TimeZone, wall: Timestamp) -> Option<Timestamp> {
    let from = jiff::Timestamp::from_millisecond(wall.millis()).ok()?.to_zoned(zone.clone());
    let next = cron.find_next_occurrence(&from, false).ok()?;
    Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
}

/// Slots a second.
pub(super) fn rate(monitor: &Monitor) -> f64 {
    match &monitor.schedule {
        Schedule::Every(interval) => 1.0 / interval.as_secs_f64().max(1e-3),
        Schedule::Cron { .. } => 0.0,
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(name: &str, interval: u64) -> Arc<Monitor> {
        Arc::new(Monitor { schedule: Schedule::Every(Duration::from_secs(interval)), ..Monitor::sample(name) })
    }

    /// The most that begin within 10 ms, and the last of each interval.
    fn started(groups: &[(usize, u64)]) -> (usize, Vec<Duration>) {
        let all: Vec<Arc<Monitor>> = groups
            .iter()
            .flat_map(|(count, interval)| (0..*count).map(move |i| monitor(&format!("m{interval}-{i}"), *interval)))
            .collect();
        let waits = at_start(&all.iter().collect::<Vec<_>>());
        assert_eq!(waits.len(), all.len());
        let of = |interval: u64| {
            let equal =
                waits.iter().filter(|(m, _)| matches!(m.schedule, Schedule::Every(i) if i.as_secs() == interval));
            equal.map(|(_, wait)| *wait).max().unwrap()
        };
        let mut windows = std::collections::BTreeMap::<u128, usize>::new();
        waits.iter().for_each(|(_, wait)| *windows.entry(wait.as_millis() / 10).or_default() += 1);
        (windows.into_values().max().unwrap(), groups.iter().map(|(_, interval)| of(*interval)).collect())
    }

    #[test]
    fn a_start_is_a_thousand_a_second_or_what_comes_later_anyway() {
        let secs = Duration::from_secs;
        assert_eq!(started(&[(5_000, 30)]), (10, vec![Duration::from_millis(4_999)]));
        // 3,333 a second.
        let (most, last) = started(&[(100_000, 30)]);
        assert!((33..=34).contains(&most) && last[0] < secs(30) && last[0] > secs(29), "{most} {last:?}");
        // Short intervals do not wait for long ones.
        let (most, last) = started(&[(100_000, 3_600), (2_000, 1), (10_000, 10)]);
        assert!(most <= 40, "{most}");
        assert!(last[1] < secs(1) && last[2] < secs(10) && last[0] > secs(100), "{last:?}");
    }

    #[test]
    fn a_slot_is_at_least_half_an_interval_away() {
        let step = Duration::from_secs(10);
        for millis in (0..20_000).step_by(137) {
            let wait = phase_delay("shop", step, Timestamp::from_millis(1_700_000_000_000 + millis));
            assert!(wait * 2 >= step && wait * 2 < step * 3, "{wait:?}");
        }
    }

    #[test]
    fn cron_follows_its_zone_over_clock_changes() {
        #[track_caller]
        fn check(text: &str, zone: &str, from: &str, want: &str) {
            let cron = text.parse::<croner::Cron>().unwrap();
            let zone = jiff::tz::TimeZone::get(zone).unwrap();
            let next = next_cron(&cron, &zone, Timestamp::parse(from).unwrap()).unwrap();
            assert_eq!(next, Timestamp::parse(want).unwrap(), "{text} from {from}");
        }
        check("0 3 * * *", "UTC", "2026-11-23T02:00:00Z", "2026-11-23T03:00:00Z");
        check("0 3 * * *", "Europe/Berlin", "2026-11-23T02:30:00Z", "2026-11-24T02:00:00Z");
        // 02:30 does not exist on 29 March 2026 in Berlin: once, after the gap.
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
        // 02:30 comes twice on 25 October 2026 in Berlin: once.
        check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
        check("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        check("0 0 29 2 *", "UTC", "2026-11-23T00:00:00Z", "2028-02-29T00:00:00Z");
    }
}
