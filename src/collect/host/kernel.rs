//! `vmstat`, `pressure`, `filefd`, `entropy`, `schedstat`, `selinux`, `time`, `uname`, `os` and `interrupts`.

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;
use crate::collect::host::files::{named, names, number, text};
use crate::collect::metric::Metric;

/// What is told of it. Of the kernel's own fields node_exporter does not say which count and which measure.
pub const METRICS: &[Metric] = &[
    Metric::untyped("node_vmstat_*", "The field of this name in /proc/vmstat"),
    Metric::counter("node_pressure_cpu_waiting_seconds_total", "Time in which some task waited for a processor"),
    Metric::counter("node_pressure_io_waiting_seconds_total", "Time in which some task waited for a disk"),
    Metric::counter("node_pressure_io_stalled_seconds_total", "Time in which all tasks waited for a disk"),
    Metric::counter("node_pressure_memory_waiting_seconds_total", "Time in which some task waited for memory"),
    Metric::counter("node_pressure_memory_stalled_seconds_total", "Time in which all tasks waited for memory"),
    Metric::gauge("node_filefd_allocated", "Open files of the whole machine"),
    Metric::gauge("node_filefd_maximum", "How many files may be open"),
    Metric::gauge("node_entropy_available_bits", "Randomness that the kernel has collected"),
    Metric::gauge("node_entropy_pool_size_bits", "Randomness that the kernel can hold"),
    Metric::counter("node_schedstat_running_seconds_total", "Time in which a processor ran tasks"),
    Metric::counter("node_schedstat_waiting_seconds_total", "Time that tasks waited for a processor"),
    Metric::counter("node_schedstat_timeslices_total", "Turns of tasks on a processor"),
    Metric::gauge("node_selinux_enabled", "1 where SELinux is on"),
    Metric::gauge("node_time_seconds", "The time of the probe, since 1970"),
    Metric::gauge("node_time_zone_offset_seconds", "How far the machine's time zone is ahead of UTC"),
    Metric::gauge("node_time_clocksource_available_info", "Always 1; a clock that the kernel could use"),
    Metric::gauge("node_time_clocksource_current_info", "Always 1; the clock that the kernel uses"),
    Metric::gauge("node_uname_info", "Always 1; name and version of machine and kernel"),
    Metric::gauge("node_os_info", "Always 1; name and version of the operating system"),
    Metric::gauge("node_os_version", "The version of the operating system as a number"),
    Metric::counter("node_interrupts_total", "Interrupts by processor and source"),
];

/// All but interrupts, which are a series per processor and device.
pub fn samples(now: Timestamp, out: &mut Vec<Sample>) {
    for line in text("/proc/vmstat").unwrap_or_default().lines() {
        if let Some((name, value)) = line.split_once(' ').filter(|(name, _)| is_wanted(name))
            && let Ok(value) = value.parse()
        {
            out.push(named(format!("node_vmstat_{name}"), value));
        }
    }
    pressure(out);
    let files = text("/proc/sys/fs/file-nr").unwrap_or_default();
    let mut files = files.split_ascii_whitespace().map_while(|w| w.parse().ok());
    if let (Some(open), Some(_), Some(most)) = (files.next(), files.next(), files.next()) {
        out.push(Sample::new("node_filefd_allocated", open));
        out.push(Sample::new("node_filefd_maximum", most));
    }
    for (file, name) in [("entropy_avail", "node_entropy_available_bits"), ("poolsize", "node_entropy_pool_size_bits")]
    {
        out.extend(number(format!("/proc/sys/kernel/random/{file}")).map(|v| Sample::new(name, v)));
    }
    schedule(&text("/proc/schedstat").unwrap_or_default(), out);
    let enforcing = number("/sys/fs/selinux/enforce");
    out.push(Sample::new("node_selinux_enabled", if enforcing.is_some() { 1.0 } else { 0.0 }));
    time(now, out);
    uname(out);
    let release = text("/etc/os-release").or_else(|| text("/usr/lib/os-release"));
    system(&release.unwrap_or_default(), out);
}

/// node_exporter's default choice.
fn is_wanted(name: &str) -> bool {
    name.starts_with("oom_kill")
        || name.starts_with("pgpg")
        || name.starts_with("pswp")
        || (name.starts_with("pg") && name.contains("fault"))
}

/// Pressure stall information (Documentation/accounting/psi.rst).
fn pressure(out: &mut Vec<Sample>) {
    for (file, some, full) in [
        ("cpu", "node_pressure_cpu_waiting_seconds_total", None),
        ("io", "node_pressure_io_waiting_seconds_total", Some("node_pressure_io_stalled_seconds_total")),
        ("memory", "node_pressure_memory_waiting_seconds_total", Some("node_pressure_memory_stalled_seconds_total")),
    ] {
        let Some(text) = text(format!("/proc/pressure/{file}")) else { continue };
        for (word, name) in [("some", Some(some)), ("full", full)] {
            let micros = text.lines().find_map(|l| l.strip_prefix(word)?.rsplit_once("total=")?.1.parse::<f64>().ok());
            if let (Some(micros), Some(name)) = (micros, name) {
                out.push(Sample::new(name, micros / 1e6));
            }
        }
    }
}

/// Columns 7 to 9 of a processor's line: running, waiting, slices (Documentation/scheduler/sched-stats.rst).
fn schedule(text: &str, out: &mut Vec<Sample>) {
    for line in text.lines() {
        let Some(cpu) = line.strip_prefix("cpu") else { continue };
        let words: Vec<&str> = cpu.split_ascii_whitespace().collect();
        let [number, _, _, _, _, _, _, running, waiting, slices] = words.as_slice() else { continue };
        for (name, value, unit) in [
            ("node_schedstat_running_seconds_total", running, 1e9),
            ("node_schedstat_waiting_seconds_total", waiting, 1e9),
            ("node_schedstat_timeslices_total", slices, 1.0),
        ] {
            let Ok(value) = value.parse::<f64>() else { continue };
            out.push(Sample::new(name, value / unit).label("cpu", *number));
        }
    }
}

fn time(now: Timestamp, out: &mut Vec<Sample>) {
    out.push(Sample::new("node_time_seconds", now.millis() as f64 / 1000.0));
    let zone = jiff::tz::TimeZone::system();
    let at = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    let info = zone.to_offset_info(at);
    let seconds = f64::from(info.offset().seconds());
    out.push(Sample::new("node_time_zone_offset_seconds", seconds).label("time_zone", info.abbreviation()));
    const SOURCES: &str = "/sys/devices/system/clocksource";
    for device in names(SOURCES) {
        let Some(number) = device.strip_prefix("clocksource") else { continue };
        let of = |file: &str| text(format!("{SOURCES}/{device}/{file}")).unwrap_or_default();
        for (name, found) in [
            ("node_time_clocksource_available_info", of("available_clocksource")),
            ("node_time_clocksource_current_info", of("current_clocksource")),
        ] {
            let of = |source| Sample::new(name, 1.0).label("clocksource", source).label("device", number);
            out.extend(found.split_ascii_whitespace().map(of));
        }
    }
}

fn uname(out: &mut Vec<Sample>) {
    let Ok(u) = nix::sys::utsname::uname() else { return };
    let text = |s: &std::ffi::OsStr| s.to_string_lossy().into_owned();
    out.push(
        Sample::new("node_uname_info", 1.0)
            .label("sysname", text(u.sysname()))
            .label("release", text(u.release()))
            .label("version", text(u.version()))
            .label("machine", text(u.machine()))
            .label("nodename", text(u.nodename()))
            .label("domainname", text(u.domainname())),
    );
}

/// `os-release` (os-release(5)).
fn system(release: &str, out: &mut Vec<Sample>) {
    if release.is_empty() {
        return;
    }
    let of = |key: &str| {
        let line = release.lines().filter_map(|l| l.split_once('=')).find(|(k, _)| *k == key);
        line.map_or("", |(_, value)| value.trim_matches(['"', '\'']))
    };
    let mut info = Sample::new("node_os_info", 1.0);
    for (label, key) in [
        ("build_id", "BUILD_ID"),
        ("id", "ID"),
        ("id_like", "ID_LIKE"),
        ("image_id", "IMAGE_ID"),
        ("image_version", "IMAGE_VERSION"),
        ("name", "NAME"),
        ("pretty_name", "PRETTY_NAME"),
        ("variant", "VARIANT"),
        ("variant_id", "VARIANT_ID"),
        ("version", "VERSION"),
        ("version_codename", "VERSION_CODENAME"),
        ("version_id", "VERSION_ID"),
    ] {
        info = info.label(label, of(key));
    }
    out.push(info);
    // `22.04.1` is the number 22.04.
    let mut parts = of("VERSION_ID").split('.');
    let number = [parts.next().unwrap_or_default(), parts.next().unwrap_or("0")].join(".");
    if let Ok(version) = number.parse()
        && !number.starts_with('.')
    {
        let sample = Sample::new("node_os_version", version).label("id", of("ID"));
        out.push(sample.label("id_like", of("ID_LIKE")).label("name", of("NAME")));
    }
}

/// One series per processor and source.
pub fn interrupts(out: &mut Vec<Sample>) {
    let text = text("/proc/interrupts").unwrap_or_default();
    let mut lines = text.lines();
    let cpus: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    for line in lines {
        let Some((kind, rest)) = line.split_once(':') else { continue };
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        if words.len() < cpus.len() {
            continue;
        }
        let (counts, what) = words.split_at(cpus.len());
        // Numbered sources: chip, and its devices. Named ones: a sentence.
        let is_numbered = kind.trim().bytes().all(|b| b.is_ascii_digit());
        let (info, devices) = match what {
            [chip, devices @ ..] if is_numbered => ((*chip).to_owned(), devices.join(" ")),
            sentence => (sentence.join(" "), String::new()),
        };
        for (cpu, count) in cpus.iter().zip(counts) {
            let Ok(count) = count.parse() else { continue };
            out.push(
                Sample::new("node_interrupts_total", count)
                    .label("cpu", cpu.trim_start_matches("CPU"))
                    .label("type", kind.trim())
                    .label("info", &*info)
                    .label("devices", &*devices),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_numbers_where_they_can_be() {
        #[track_caller]
        fn check(text: &str, want: Option<f64>) {
            let mut out = Vec::new();
            system(text, &mut out);
            assert_eq!(out.iter().find(|s| s.name == "node_os_version").map(|s| s.value), want, "{text}");
        }
        check("ID=debian\nVERSION_ID=\"12\"", Some(12.0));
        check("ID=ubuntu\nVERSION_ID=\"22.04.1\"", Some(22.04));
        check("ID=arch\nBUILD_ID=rolling", None);
        check("", None);
    }

    #[test]
    fn processors_schedules_are_seconds() {
        let mut out = Vec::new();
        schedule("version 15\ncpu0 0 0 0 0 0 0 2000000000 1000000000 7\ndomain0 3\ncpu1 0 0", &mut out);
        let seen: Vec<_> = out.iter().map(|s| (s.labels[0].1.as_ref(), s.value)).collect();
        assert_eq!(seen, [("0", 2.0), ("0", 1.0), ("0", 7.0)]);
    }
}
