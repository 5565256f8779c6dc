//! Two hours of samples: hosts as node_exporter shows them, requests, and series that are awkward.

use std::f64::consts::TAU;

/// Milliseconds from the first sample to the last.
pub const LENGTH: i64 = 7_200_000;

/// Prometheus' staleness marker.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Samples in one request.
const BATCH: usize = 2_000;

struct Series {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, f64)>,
}

/// The data as remote-write requests, in order of time.
pub fn requests(base: i64) -> Vec<Vec<u8>> {
    let all = series();
    let mut samples: Vec<(i64, usize, f64)> = Vec::new();
    for (i, s) in all.iter().enumerate() {
        samples.extend(s.samples.iter().map(|(t, v)| (base + t, i, *v)));
    }
    samples.sort_by_key(|(t, i, _)| (*t, *i));
    samples.chunks(BATCH).map(|chunk| request(&all, chunk)).collect()
}

/// `WriteRequest { repeated TimeSeries { repeated Label = 1; repeated Sample = 2 } = 1 }`.
fn request(all: &[Series], samples: &[(i64, usize, f64)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (t, i, v) in samples {
        let mut series = Vec::new();
        for (name, value) in &all[*i].labels {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut series, 1, &label);
        }
        let mut sample = vec![1 << 3 | 1];
        sample.extend_from_slice(&v.to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, t.cast_unsigned());
        field(&mut series, 2, &sample);
        field(&mut message, 1, &series);
    }
    snap::raw::Encoder::new().compress_vec(&message).expect("a request is far below Snappy's limit")
}

fn field(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn series() -> Vec<Series> {
    // The data are always the same, so that a seed names a query and its answer.
    let mut rng = fastrand::Rng::with_seed(42);
    let mut all = Vec::new();
    for host in 0..4 {
        let instance = format!("host-{host}:9100");
        // Hosts are scraped at their own offsets; one exactly on the grid.
        let offset = host * 3_210;
        node(&mut all, &mut rng, &instance, offset);
        for code in ["200", "404", "503"] {
            for method in ["GET", "POST"] {
                let labels = [("instance", instance.as_str()), ("code", code), ("method", method), ("job", "shop")];
                let values = counter(&mut rng, 40.0, if host == 2 { 0.02 } else { 0.0 });
                all.push(on_grid("http_requests_total", &labels, offset, values));
            }
        }
        histogram(&mut all, &mut rng, &instance, offset, host);
    }
    awkward(&mut all, &mut rng);
    all
}

fn node(all: &mut Vec<Series>, rng: &mut fastrand::Rng, instance: &str, offset: i64) {
    let mut push = |name: &str, more: &[(&str, &str)], values: Vec<f64>| {
        let mut labels = vec![("instance", instance), ("job", "node")];
        labels.extend_from_slice(more);
        all.push(on_grid(name, &labels, offset, values));
    };
    for cpu in ["0", "1"] {
        for mode in ["idle", "system", "user"] {
            let values = counter(rng, 1_500.0, 0.0).into_iter().map(|v| v / 100.0).collect();
            push("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)], values);
        }
    }
    let mut infos = Vec::new();
    let phase = rng.f64() * TAU;
    let wave = |i: usize| (i as f64 / 77.0 + phase).sin();
    let n = count(offset);
    push("node_load1", &[], (0..n).map(|i| ((2.0 + wave(i)) * 100.0).round() / 100.0).collect());
    let pages = (0..n).map(|i| ((wave(i) + 1.5) * 1e6 + rng.f64() * 1e4).round() * 4096.0).collect();
    push("node_memory_MemAvailable_bytes", &[], pages);
    push("node_memory_MemTotal_bytes", &[], vec![16e9; n]);
    for (device, mountpoint) in [("sda1", "/"), ("sdb1", "/srv/data")] {
        let values = (0..n).map(|i| 1e11 - (i * 40_960) as f64 - rng.f64() * 1e6).collect();
        push("node_filesystem_avail_bytes", &[("device", device), ("mountpoint", mountpoint)], values);
    }
    push("up", &[], (0..n).map(|_| f64::from(u8::from(rng.f64() > 0.05))).collect());
    push("node_uname_info", &[("release", "6.1.0-10"), ("nodename", &instance[..6])], vec![1.0; n]);
    // A host that was updated halfway, and is known under both versions for a while.
    let versions = [("1.4.2", 0, n * 5 / 9), ("1.5.0", n / 2, n)];
    for (version, from, to) in versions {
        let labels =
            sorted("target_info", &[("instance", instance), ("job", "node"), ("version", version), ("os", "linux")]);
        let samples = (from..to).map(|i| (offset + i as i64 * 15_000, 1.0)).collect();
        infos.push(Series { labels, samples });
    }
    push("temperature_celsius", &[("sensor", "Ä \"x\"\\")], (0..n).map(|i| wave(i) * 20.0 - 5.0).collect());
    all.extend(infos);
}

/// Five buckets, their sum and count; of one host they fall now and then, of another `+Inf` is missing.
fn histogram(all: &mut Vec<Series>, rng: &mut fastrand::Rng, instance: &str, offset: i64, host: i64) {
    let bounds = ["0.05", "0.1", "0.5", "2.5", "+Inf"];
    let n = count(offset);
    let mut counts = vec![vec![0.0; n]; bounds.len()];
    let (mut now, mut sum, mut sums) = ([0.0; 5], 0.0, Vec::new());
    for i in 0..n {
        for _ in 0..rng.u32(0..20) {
            let took = -rng.f64().max(1e-9).ln() * 0.3;
            sum += took;
            for (b, bound) in bounds.iter().enumerate() {
                now[b] += f64::from(u8::from(took <= bound.parse().unwrap_or(f64::INFINITY)));
            }
        }
        sums.push(sum);
        for (b, column) in counts.iter_mut().enumerate() {
            column[i] = if host == 3 && b == 2 && i % 7 == 0 { now[b] * 0.9 } else { now[b] };
        }
    }
    let labels = [("instance", instance), ("job", "shop")];
    for (bound, values) in bounds.iter().zip(&counts) {
        if !(host == 1 && *bound == "+Inf") {
            let labels = [labels[0], labels[1], ("le", bound)];
            all.push(on_grid("request_duration_seconds_bucket", &labels, offset, values.clone()));
        }
    }
    all.push(on_grid("request_duration_seconds_count", &labels, offset, counts[4].clone()));
    all.push(on_grid("request_duration_seconds_sum", &labels, offset, sums));
}

fn awkward(all: &mut Vec<Series>, rng: &mut fastrand::Rng) {
    let n = count(0);
    let mut one_of = |values: &[f64]| -> Vec<f64> { (0..n).map(|_| values[rng.usize(0..values.len())]).collect() };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for (kind, values) in [
        ("nan", one_of(&[nan, nan, 1.0, 2.5])),
        ("all_nan", vec![nan; n]),
        ("inf", one_of(&[inf, 1.0, 2.0, 3.0])),
        ("both_inf", one_of(&[inf, -inf, 0.0, 7.0])),
        ("zeros", one_of(&[0.0, -0.0])),
        ("huge", one_of(&[1e308, 1.7e308, -1e308])),
        ("tiny", one_of(&[1e-307, -1e-300, 0.0])),
        ("flip", one_of(&[-1.0, 1.0])),
        ("constant", vec![0.1; n]),
        ("cancelling", one_of(&[1e16, -1e16, 1.0, 3.0])),
    ] {
        all.push(on_grid("awkward", &[("kind", kind), ("job", "odd")], 0, values));
    }
    // Gaps longer than the look-back, some ended by a marker and some not, at odd times.
    for (kind, marked) in [("marked", true), ("plain", false)] {
        let (mut t, mut samples) = (rng.i64(0..60_000), Vec::new());
        while t < LENGTH {
            for _ in 0..rng.u32(1..20) {
                samples.push((t, (rng.f64() * 1e4).round() / 10.0));
                t += rng.i64(1..60_000);
            }
            if marked {
                samples.push((t, STALE));
            }
            t += rng.i64(20_000..900_000);
        }
        samples.retain(|(t, _)| *t <= LENGTH);
        all.push(Series { labels: sorted("gappy", &[("kind", kind), ("job", "odd")]), samples });
    }
    for i in 0..3 {
        // Comes late, ends early, and starts from zero again.
        let name = format!("batch-{i}");
        let from = 1_000_000 + i * 1_500_000;
        let values = counter(rng, 5.0, 0.05);
        let mut samples: Vec<_> =
            values.iter().take(120).enumerate().map(|(k, v)| (from + k as i64 * 15_000, *v)).collect();
        samples.push((from + 120 * 15_000, STALE));
        all.push(Series { labels: sorted("jobs_total", &[("batch", &name), ("job", "odd")]), samples });
    }
    let sparse = (0..LENGTH / 240_000).map(|i| (i * 240_000 + 7, i as f64)).collect();
    all.push(Series { labels: sorted("sparse", &[("job", "odd")]), samples: sparse });
}

/// A counter of integers that starts again from zero with this probability.
fn counter(rng: &mut fastrand::Rng, speed: f64, reset: f64) -> Vec<f64> {
    let mut now = (rng.f64() * speed * 10.0).floor();
    let idle = rng.f64() < 0.2;
    (0..count(0))
        .map(|_| {
            now = if rng.f64() < reset { 0.0 } else { now };
            now += if idle && rng.f64() < 0.95 { 0.0 } else { (rng.f64() * speed).floor() };
            now
        })
        .collect()
}

/// How many samples lie on a grid of 15 seconds.
fn count(offset: i64) -> usize {
    usize::try_from((LENGTH - offset) / 15_000 + 1).unwrap_or(0)
}

fn on_grid(name: &str, labels: &[(&str, &str)], offset: i64, values: Vec<f64>) -> Series {
    let samples = values.into_iter().take(count(offset)).enumerate();
    let samples = samples.map(|(i, v)| (offset + i as i64 * 15_000, v)).collect();
    Series { labels: sorted(name, labels), samples }
}

fn sorted(name: &str, labels: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    all.push(("__name__".to_owned(), name.to_owned()));
    all.sort();
    all
}
