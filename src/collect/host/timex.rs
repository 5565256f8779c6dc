//! `timex`: how far the kernel's clock can be trusted, as whoever steers it has told the kernel (adjtimex(2)).

use rtime_clock::adjtime::{Timex, adjtimex};

use crate::base::outcome::Sample;
use crate::collect::metric::Metric;

/// Bit of the status: offset and jitter are in nanoseconds, and not in microseconds.
const STA_NANO: i32 = 0x2000;
/// What the call returns while nobody steers the clock.
const TIME_ERROR: i32 = 5;
const MICROS: f64 = 1e6;
const NANOS: f64 = 1e9;
/// Frequencies are in parts per million, with 16 bits behind the point.
const PPM: f64 = 65_536.0 * 1e6;

/// What is told of it.
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_timex_offset_seconds", "What the clock is still to be moved by"),
    Metric::gauge(
        "node_timex_frequency_adjustment_ratio",
        "How much faster than its own pace the clock is made to run",
    ),
    Metric::gauge("node_timex_maxerror_seconds", "Most that the clock can be wrong by; grows while nobody steers it"),
    Metric::gauge("node_timex_estimated_error_seconds", "What the clock is likely to be wrong by"),
    Metric::gauge("node_timex_status", "The kernel's bits about the clock (STA_…)"),
    Metric::gauge("node_timex_sync_status", "1 while somebody keeps the clock right"),
    Metric::gauge("node_timex_loop_time_constant", "How slowly the kernel's clock follows its reference"),
    Metric::gauge("node_timex_tick_seconds", "What one tick of the clock adds to it"),
    Metric::gauge("node_timex_tai_offset_seconds", "How far atomic time is ahead of UTC"),
    Metric::gauge(
        "node_timex_pps_frequency_hertz",
        "Frequency of the clock by the signal that comes once a second (PPS)",
    ),
    Metric::gauge("node_timex_pps_jitter_seconds", "How unsteady the signal that comes once a second (PPS) is"),
    Metric::gauge(
        "node_timex_pps_shift_seconds",
        "Over how long the signal that comes once a second (PPS) is measured",
    ),
    Metric::gauge(
        "node_timex_pps_stability_hertz",
        "How much the frequency of the clock by the signal that comes once a second (PPS) changes",
    ),
    Metric::counter(
        "node_timex_pps_jitter_total",
        "How often the signal that comes once a second (PPS) was too unsteady",
    ),
    Metric::counter(
        "node_timex_pps_calibration_total",
        "How often the signal that comes once a second (PPS) was measured",
    ),
    Metric::counter(
        "node_timex_pps_error_total",
        "How often measuring the signal that comes once a second (PPS) failed",
    ),
    Metric::counter(
        "node_timex_pps_stability_exceeded_total",
        "How often the frequency by the signal that comes once a second (PPS) changed too much",
    ),
];

/// node_exporter's series; none where the call is not allowed.
pub fn samples(out: &mut Vec<Sample>) {
    // With no bits of `modes` set it only reads.
    let mut now = Timex::default();
    if let Ok(state) = adjtimex(&mut now) {
        series(state, &now, out);
    }
}

fn series(state: i32, Timex(now): &Timex, out: &mut Vec<Sample>) {
    let fine = if now.status & STA_NANO == 0 { MICROS } else { NANOS };
    for (name, value) in [
        ("node_timex_offset_seconds", now.offset as f64 / fine),
        ("node_timex_frequency_adjustment_ratio", 1.0 + now.freq as f64 / PPM),
        ("node_timex_maxerror_seconds", now.maxerror as f64 / MICROS),
        ("node_timex_estimated_error_seconds", now.esterror as f64 / MICROS),
        ("node_timex_status", f64::from(now.status)),
        ("node_timex_sync_status", if state == TIME_ERROR { 0.0 } else { 1.0 }),
        ("node_timex_loop_time_constant", now.constant as f64),
        ("node_timex_tick_seconds", now.tick as f64 / MICROS),
        ("node_timex_tai_offset_seconds", f64::from(now.tai)),
        ("node_timex_pps_frequency_hertz", now.ppsfreq as f64 / PPM),
        ("node_timex_pps_jitter_seconds", now.jitter as f64 / fine),
        ("node_timex_pps_shift_seconds", f64::from(now.shift)),
        ("node_timex_pps_stability_hertz", now.stabil as f64 / PPM),
        ("node_timex_pps_jitter_total", now.jitcnt as f64),
        ("node_timex_pps_calibration_total", now.calcnt as f64),
        ("node_timex_pps_error_total", now.errcnt as f64),
        ("node_timex_pps_stability_exceeded_total", now.stbcnt as f64),
    ] {
        out.push(Sample::new(name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_steered_finely_is_in_nanoseconds() {
        #[track_caller]
        fn check(state: i32, status: i32, name: &str, want: f64) {
            let mut now = Timex::default();
            now.0.status = status;
            (now.0.offset, now.0.maxerror, now.0.freq, now.0.tick) = (2_000, 3_000, -65_536, 10_000);
            let mut out = Vec::new();
            series(state, &now, &mut out);
            let found = out.iter().find(|s| s.name == name).unwrap().value;
            assert!((found - want).abs() < 1e-12, "{name}: {found}, not {want}");
        }
        check(0, 0, "node_timex_offset_seconds", 0.002);
        check(0, STA_NANO, "node_timex_offset_seconds", 0.000_002);
        check(0, STA_NANO, "node_timex_maxerror_seconds", 0.003);
        check(0, 0, "node_timex_frequency_adjustment_ratio", 0.999_999);
        check(0, 0, "node_timex_tick_seconds", 0.01);
        check(0, 0, "node_timex_sync_status", 1.0);
        check(TIME_ERROR, 0, "node_timex_sync_status", 0.0);
    }
}
