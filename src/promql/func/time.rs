//! Parts of a date and time in UTC, of seconds since the Unix epoch, in the Gregorian calendar without
//! beginning or end.

use crate::promql::func::Func;

const DAY: i128 = 86_400;

/// What a function of times gives for each of them; nothing for other functions.
pub fn part(func: Func) -> Option<fn(f64) -> f64> {
    Some(match func {
        Func::DayOfMonth => |t| f64::from(Date::of(t).day),
        Func::DayOfWeek => |t| weekday(days(t)),
        Func::DayOfYear => |t| day_of_year(&Date::of(t)),
        Func::DaysInMonth => |t| days_in_month(&Date::of(t)),
        Func::Hour => |t| (seconds(t).rem_euclid(DAY) / 3_600) as f64,
        Func::Minute => |t| (seconds(t).rem_euclid(3_600) / 60) as f64,
        Func::Month => |t| f64::from(Date::of(t).month),
        Func::Year => |t| Date::of(t).year as f64,
        _ => return None,
    })
}

/// Whole seconds, cut towards zero. Go counts them in 64 bits without a sign from a year so far back that
/// only the first 257 years that 64 bits can say are before it; times there come out in the far future, among
/// them all that a float can say and 64 bits cannot, which its most common processors make the smallest number.
fn seconds(t: f64) -> i128 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    /// From the first day of Go's calendar to the epoch.
    const BEFORE: i128 = 106_751_991_073_400 * 86_400;
    let seconds = if (-LIMIT..LIMIT).contains(&t) { t as i64 } else { i64::MIN };
    (i128::from(seconds) + BEFORE).rem_euclid(1 << 64) - BEFORE
}

/// Days since the epoch.
fn days(t: f64) -> i64 {
    seconds(t).div_euclid(DAY) as i64
}

/// Sunday is zero; the epoch was a Thursday.
fn weekday(days: i64) -> f64 {
    (days + 4).rem_euclid(7) as f64
}

struct Date {
    year: i64,
    /// From 1.
    month: u8,
    /// From 1.
    day: u8,
}

impl Date {
    fn of(t: f64) -> Self {
        Self::of_days(days(t))
    }

    /// Years are counted from March here, so that the leap day is the last of its year and months begin at
    /// the same days of every year; 400 of them are a whole number of days.
    fn of_days(days: i64) -> Self {
        const ERA: i64 = 146_097;
        const EPOCH_SINCE_MARCH_OF_YEAR_0: i64 = 719_468;
        let days = days + EPOCH_SINCE_MARCH_OF_YEAR_0;
        let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Five months from March on are 153 days, whichever they are.
        let march_month = (5 * day + 2) / 153;
        let day = day - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year + i64::from(month <= 2);
        Self { year, month: month as u8, day: day as u8 }
    }
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days of the months of a year that is not a leap year.
const MONTHS: [u16; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn days_in_month(date: &Date) -> f64 {
    let leap_day = date.month == 2 && is_leap(date.year);
    f64::from(MONTHS[usize::from(date.month - 1)]) + f64::from(u8::from(leap_day))
}

fn day_of_year(date: &Date) -> f64 {
    let before: u16 = MONTHS[..usize::from(date.month - 1)].iter().sum();
    let leap_day = date.month > 2 && is_leap(date.year);
    f64::from(before + u16::from(date.day) + u16::from(leap_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Func; 8] = [
        Func::Year,
        Func::Month,
        Func::DayOfMonth,
        Func::Hour,
        Func::Minute,
        Func::DayOfWeek,
        Func::DayOfYear,
        Func::DaysInMonth,
    ];

    fn parts(t: f64) -> [f64; 8] {
        ALL.map(|f| part(f).unwrap()(t))
    }

    #[test]
    fn parts_of_known_times() {
        #[track_caller]
        fn check(t: f64, want: [f64; 8]) {
            assert_eq!(parts(t), want);
        }
        check(0.0, [1970.0, 1.0, 1.0, 0.0, 0.0, 4.0, 1.0, 31.0]);
        // One second and a half before the epoch is cut to one second before.
        check(-1.5, [1969.0, 12.0, 31.0, 23.0, 59.0, 3.0, 365.0, 31.0]);
        check(1_582_979_699.9, [2020.0, 2.0, 29.0, 12.0, 34.0, 6.0, 60.0, 29.0]);
        check(4_107_542_399.0, [2100.0, 2.0, 28.0, 23.0, 59.0, 0.0, 59.0, 28.0]);
        check(951_782_400.0, [2000.0, 2.0, 29.0, 0.0, 0.0, 2.0, 60.0, 29.0]);
        check(1_735_603_200.0, [2024.0, 12.0, 31.0, 0.0, 0.0, 2.0, 366.0, 31.0]);
    }

    #[test]
    fn nothing_is_out_of_range() {
        for t in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 9.2e18, -9.2e18] {
            let [_, month, day, hour, minute, weekday, yearday, month_days] = parts(t);
            assert!((1.0..=12.0).contains(&month) && (1.0..=month_days).contains(&day), "{t}");
            assert!(hour < 24.0 && minute < 60.0 && weekday < 7.0 && (1.0..=366.0).contains(&yearday), "{t}");
        }
    }

    #[test]
    fn what_is_no_time_is_far_in_the_future_as_in_go() {
        for t in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(parts(t), [292_277_026_596.0, 12.0, 4.0, 15.0, 30.0, 0.0, 339.0, 31.0]);
        }
        assert_eq!(part(Func::Year).unwrap()(-9.2e18), -291_536_392_293.0);
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = Date::of_days(-200_000);
        for days in -199_999..200_000 {
            let date = Date::of_days(days);
            let last = f64::from(before.day) == days_in_month(&before);
            let want = match (last, before.month) {
                (false, month) => (before.year, month, before.day + 1),
                (true, 12) => (before.year + 1, 1, 1),
                (true, month) => (before.year, month + 1, 1),
            };
            assert_eq!((date.year, date.month, date.day), want);
            before = date;
        }
    }
}
