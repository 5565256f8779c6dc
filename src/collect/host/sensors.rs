//! `hwmon` and `thermal_zone`: temperatures, fans, voltages (Documentation/hwmon/sysfs-interface.rst).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::outcome::Sample;
use crate::collect::host::files::{labelled, named, names, number, text};
use crate::collect::metric::Metric;

/// What is told of them.
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_hwmon_chip_names", "Always 1; what a chip calls itself"),
    Metric::gauge("node_hwmon_sensor_label", "Always 1; what a sensor is said to measure"),
    Metric::counter("node_hwmon_energy*_joule_total", "Energy that was used, as a sensor counts it"),
    // Scaled like what they are about, as node_exporter does.
    Metric::gauge("node_hwmon_*_alarm_celsius", "Above 0 while a temperature is beyond this limit"),
    Metric::gauge("node_hwmon_*_alarm_volts", "Above 0 while a voltage is beyond this limit"),
    Metric::gauge("node_hwmon_*_alarm_amps", "Above 0 while a current is beyond this limit"),
    Metric::gauge("node_hwmon_*_alarm_watt", "Above 0 while a power is beyond this limit"),
    Metric::gauge("node_hwmon_temp*_celsius", "A temperature, or a limit of one"),
    Metric::gauge("node_hwmon_fan*_rpm", "Turns of a fan per minute, or a limit of them"),
    Metric::gauge("node_hwmon_*_volts", "A voltage, or a limit of one"),
    Metric::gauge("node_hwmon_*_amps", "A current, or a limit of one"),
    Metric::gauge("node_hwmon_*_watt", "A power, or a limit of one"),
    Metric::gauge("node_hwmon_*_alarm", "1 while a sensor is beyond a limit"),
    Metric::gauge("node_hwmon_*_fault", "1 while a sensor is broken"),
    Metric::gauge("node_hwmon_*", "The file of this name of a sensor below /sys/class/hwmon"),
    Metric::gauge("node_thermal_zone_temp", "Temperature of a zone, in degrees Celsius"),
    Metric::gauge("node_cooling_device_cur_state", "How hard a device cools, or throttles"),
    Metric::gauge("node_cooling_device_max_state", "How hard a device can cool, or throttle, at most"),
];

/// Kinds of sensors that series are made of.
const KINDS: [&str; 13] = [
    "beep_enable",
    "cpu",
    "curr",
    "energy",
    "fan",
    "humidity",
    "in",
    "intrusion",
    "power",
    "pwm",
    "temp",
    "update_interval",
    "vrm",
];
/// The kernel gives thousandths and millionths. Multiplied, or divided, as node_exporter does: both give the same
/// number to the last digit.
const MILLI: f64 = 0.001;
const MICROS: f64 = 1_000_000.0;

/// All sensors below `/sys`.
pub fn samples(out: &mut Vec<Sample>) {
    chips(Path::new("/sys/class/hwmon"), out);
    zones(Path::new("/sys/class/thermal"), out);
}

fn chips(root: &Path, out: &mut Vec<Sample>) {
    let mut told = BTreeSet::new();
    for entry in names(root) {
        let dir = root.join(entry);
        let chip = chip_name(&dir);
        // Two chips that nothing tells apart would be the same series twice.
        if !told.insert(chip.clone()) {
            continue;
        }
        if let Some(name) = text(dir.join("name")) {
            let sample = Sample::new("node_hwmon_chip_names", 1.0).label("chip", &*chip);
            out.push(sample.label("chip_name", clean(&name)));
        }
        // Older drivers have their files where the device is.
        let files: BTreeMap<String, PathBuf> = [dir.clone(), dir.join("device")]
            .iter()
            .flat_map(|place| names(place).into_iter().map(|name| (name.clone(), place.join(name))))
            .collect();
        for (name, path) in &files {
            out.extend(sensor(name, path, &chip));
        }
    }
}

/// What a file says: `temp1_crit` is the fact `crit` of the sensor `temp1` of the kind `temp`.
fn sensor(file: &str, path: &Path, chip: &str) -> Option<Sample> {
    let digit = file.find(|c: char| c.is_ascii_digit());
    // Without a number the name is that of the kind, which may have an underscore.
    let (kind, rest) = file.split_at(digit.unwrap_or(file.len()));
    if !KINDS.contains(&kind) {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number_of, fact) = rest.split_at(end);
    let fact = match fact.strip_prefix('_') {
        Some(fact) => fact,
        None if fact.is_empty() => "",
        None => return None,
    };
    let sensor = format!("{kind}{}", if number_of.is_empty() { "0" } else { number_of });
    let own = |name: &str, value: f64| labelled(name.to_owned(), value, "chip", chip).label("sensor", sensor.as_str());
    if fact == "label" {
        return Some(own("node_hwmon_sensor_label", 1.0).label("label", text(path).unwrap_or_default()));
    }
    let value = number(path)?;
    let named = |unit: &str, value: f64| {
        let between = if matches!(fact, "" | "input") { String::new() } else { format!("_{fact}") };
        own(&format!("node_hwmon_{kind}{between}{unit}"), value)
    };
    Some(match (kind, fact) {
        ("beep_enable", _) => own("node_hwmon_beep_enabled", value),
        ("vrm", _) => own("node_hwmon_voltage_regulator_version", value),
        ("update_interval", _) => own("node_hwmon_update_interval_seconds", value * MILLI),
        (_, "alarm" | "fault") => named("", value),
        (_, "beep") => own(&format!("node_hwmon_{kind}_beep_enabled"), value),
        ("in" | "cpu", _) => named("_volts", value * MILLI),
        ("temp", "type") => named("", value),
        ("temp", _) => named("_celsius", value * MILLI),
        ("curr", _) => named("_amps", value * MILLI),
        ("energy", _) => named("_joule_total", value / MICROS),
        ("power", "accuracy") => named("", value / MICROS),
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
            named("_seconds", value * MILLI)
        }
        ("power", _) => named("_watt", value / MICROS),
        ("humidity", _) => named("", value / MICROS),
        ("fan", "" | "input" | "min" | "max" | "target") => named("_rpm", value),
        _ => named("", value),
    })
}

/// node_exporter's name of a chip: the names of its device and of the directory above, which do not change with the
/// order in which drivers start; or the driver's own name, or that of the entry.
fn chip_name(dir: &Path) -> String {
    let part = |path: &Path| path.file_name().map(|n| clean(&n.to_string_lossy())).filter(|n| !n.is_empty());
    let device = fs::canonicalize(dir.join("device")).ok();
    let own = device.as_deref().and_then(part);
    let above = device.as_deref().and_then(Path::parent).and_then(part);
    match (above, own) {
        (Some(above), Some(own)) => format!("{above}_{own}"),
        (None, Some(own)) => own,
        (_, None) => {
            let name = text(dir.join("name")).map(|n| clean(&n)).filter(|n| !n.is_empty());
            name.or_else(|| part(dir)).unwrap_or_else(|| "unknown".to_owned())
        }
    }
}

/// What is no letter or digit becomes `_`, as node_exporter writes it.
fn clean(text: &str) -> String {
    let text = text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != ':', "_");
    text.trim_matches('_').to_owned()
}

fn zones(root: &Path, out: &mut Vec<Sample>) {
    for entry in names(root) {
        let dir = root.join(&entry);
        let kind = text(dir.join("type")).unwrap_or_default();
        if let Some(zone) = entry.strip_prefix("thermal_zone") {
            let value = number(dir.join("temp")).map(|v| named("node_thermal_zone_temp".to_owned(), v / 1_000.0));
            out.extend(value.map(|s| s.label("zone", zone).label("type", kind)));
        } else if let Some(device) = entry.strip_prefix("cooling_device") {
            for (file, name) in
                [("cur_state", "node_cooling_device_cur_state"), ("max_state", "node_cooling_device_max_state")]
            {
                let value = number(dir.join(file)).map(|v| Sample::new(name, v));
                out.extend(value.map(|s| s.label("name", device).label("type", &*kind)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::base::metadata::Kind;

    fn write(root: &Path, dir: &str, files: &[(&str, &str)]) {
        let dir = root.join(dir);
        fs::create_dir_all(&dir).unwrap();
        files.iter().for_each(|(name, text)| fs::write(dir.join(name), format!("{text}\n")).unwrap());
    }

    fn shown(out: &[Sample]) -> Vec<String> {
        let line = |s: &Sample| {
            let labels: Vec<String> = s.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
            format!("{}{{{}}} {}", s.name.trim_start_matches("node_"), labels.join(","), s.value)
        };
        let mut all: Vec<String> = out.iter().map(line).collect();
        all.sort();
        all
    }

    /// What is expected is what node_exporter 1.5.0, Debian's, says of the same tree (`--path.sysfs`).
    #[test]
    fn chips_have_node_exporters_names_and_series() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let core = "devices/platform/coretemp.0/hwmon/hwmon0";
        let nvme = "devices/pci0000:00/0000:03:00.0/nvme/nvme0/hwmon1";
        let old = "devices/pci0000:00/0000:00:1f.4/i2c-0/0-002d/hwmon/hwmon2";
        let zone = "devices/virtual/thermal/thermal_zone0/hwmon3";
        let bare = "devices/virtual/hwmon/hwmon4";
        let none = "devices/virtual/hwmon/hwmon5";
        write(root, core, &[("name", "coretemp"), ("temp1_input", "48000"), ("temp1_label", "Package id 0")]);
        write(root, core, &[("temp1_crit", "100000"), ("temp1_crit_alarm", "0"), ("temp1_fault", "1")]);
        write(root, nvme, &[("name", "nvme"), ("temp1_max", "81850"), ("temp1_alarm", "0")]);
        write(root, old, &[("name", "w83795adg")]);
        write(root, zone, &[("name", "acpitz"), ("temp1_input", "27800")]);
        write(root, bare, &[("name", "Foo Bar-x"), ("temp1_input", "1000")]);
        write(root, none, &[("temp1_input", "2000"), ("freq1_input", "3"), ("temp2_input", "abc"), ("alarms", "1")]);
        // Beside the device, as older drivers have it.
        write(
            root,
            "devices/pci0000:00/0000:00:1f.4/i2c-0/0-002d",
            &[
                ("name", "w83795"),
                ("beep_enable", "1"),
                ("beep_mask", "3"),
                ("cpu0_vid", "1250"),
                ("curr1_max", "700"),
                ("energy1_input", "12345678"),
                ("fan1_beep", "0"),
                ("fan1_div", "2"),
                ("fan1_input", "1200"),
                ("fan1_target", "1500"),
                ("humidity1_input", "45600"),
                ("in0_input", "1020"),
                ("in10_lcrit", "800"),
                ("intrusion0_alarm", "1"),
                ("power1_accuracy", "5%"),
                ("power1_average", "85000000"),
                ("power1_average_interval", "300000"),
                ("pwm1", "128"),
                ("pwm1_enable", "2"),
                ("temp2_offset", "-1000"),
                ("temp2_type", "4"),
                ("update_interval", "1000"),
                ("vrm", "90"),
            ],
        );
        let class = root.join("class/hwmon");
        fs::create_dir_all(&class).unwrap();
        for (n, dir) in [core, nvme, old, zone, bare, none].into_iter().enumerate() {
            symlink(root.join(dir), class.join(format!("hwmon{n}"))).unwrap();
        }
        for (dir, device) in [(core, "../.."), (nvme, ".."), (old, "../.."), (zone, "..")] {
            symlink(device, root.join(dir).join("device")).unwrap();
        }
        let mut out = Vec::new();
        chips(&class, &mut out);
        let want = [
            "hwmon_beep_enabled{chip=i2c_0_0_002d,sensor=beep_enable0} 1",
            "hwmon_chip_names{chip=foo_bar_x,chip_name=foo_bar_x} 1",
            "hwmon_chip_names{chip=i2c_0_0_002d,chip_name=w83795adg} 1",
            "hwmon_chip_names{chip=nvme_nvme0,chip_name=nvme} 1",
            "hwmon_chip_names{chip=platform_coretemp_0,chip_name=coretemp} 1",
            "hwmon_chip_names{chip=thermal_thermal_zone0,chip_name=acpitz} 1",
            "hwmon_cpu_vid_volts{chip=i2c_0_0_002d,sensor=cpu0} 1.25",
            "hwmon_curr_max_amps{chip=i2c_0_0_002d,sensor=curr1} 0.7000000000000001",
            "hwmon_energy_joule_total{chip=i2c_0_0_002d,sensor=energy1} 12.345678",
            "hwmon_fan_beep_enabled{chip=i2c_0_0_002d,sensor=fan1} 0",
            "hwmon_fan_div{chip=i2c_0_0_002d,sensor=fan1} 2",
            "hwmon_fan_rpm{chip=i2c_0_0_002d,sensor=fan1} 1200",
            "hwmon_fan_target_rpm{chip=i2c_0_0_002d,sensor=fan1} 1500",
            "hwmon_humidity{chip=i2c_0_0_002d,sensor=humidity1} 0.0456",
            "hwmon_in_lcrit_volts{chip=i2c_0_0_002d,sensor=in10} 0.8",
            "hwmon_in_volts{chip=i2c_0_0_002d,sensor=in0} 1.02",
            "hwmon_intrusion_alarm{chip=i2c_0_0_002d,sensor=intrusion0} 1",
            "hwmon_power_average_interval_seconds{chip=i2c_0_0_002d,sensor=power1} 300",
            "hwmon_power_average_watt{chip=i2c_0_0_002d,sensor=power1} 85",
            "hwmon_pwm_enable{chip=i2c_0_0_002d,sensor=pwm1} 2",
            "hwmon_pwm{chip=i2c_0_0_002d,sensor=pwm1} 128",
            "hwmon_sensor_label{chip=platform_coretemp_0,sensor=temp1,label=Package id 0} 1",
            "hwmon_temp_alarm{chip=nvme_nvme0,sensor=temp1} 0",
            "hwmon_temp_celsius{chip=foo_bar_x,sensor=temp1} 1",
            "hwmon_temp_celsius{chip=hwmon5,sensor=temp1} 2",
            "hwmon_temp_celsius{chip=platform_coretemp_0,sensor=temp1} 48",
            "hwmon_temp_celsius{chip=thermal_thermal_zone0,sensor=temp1} 27.8",
            "hwmon_temp_crit_alarm_celsius{chip=platform_coretemp_0,sensor=temp1} 0",
            "hwmon_temp_crit_celsius{chip=platform_coretemp_0,sensor=temp1} 100",
            "hwmon_temp_fault{chip=platform_coretemp_0,sensor=temp1} 1",
            "hwmon_temp_max_celsius{chip=nvme_nvme0,sensor=temp1} 81.85000000000001",
            "hwmon_temp_offset_celsius{chip=i2c_0_0_002d,sensor=temp2} -1",
            "hwmon_temp_type{chip=i2c_0_0_002d,sensor=temp2} 4",
            "hwmon_update_interval_seconds{chip=i2c_0_0_002d,sensor=update_interval0} 1",
            "hwmon_voltage_regulator_version{chip=i2c_0_0_002d,sensor=vrm0} 90",
        ];
        assert_eq!(shown(&out), want);
        let counts = |s: &&Sample| METRICS.iter().find(|m| m.is(&s.name)).unwrap().kind == Kind::Counter;
        let counters: Vec<&str> = out.iter().filter(counts).map(|s| &*s.name).collect();
        assert_eq!(counters, ["node_hwmon_energy_joule_total"]);
    }

    #[test]
    fn zones_of_a_made_up_machine() {
        let tree = tempfile::tempdir().unwrap();
        write(tree.path(), "thermal_zone0", &[("type", "acpitz"), ("temp", "27800")]);
        write(tree.path(), "cooling_device0", &[("type", "Processor"), ("cur_state", "0")]);
        let mut out = Vec::new();
        zones(tree.path(), &mut out);
        let want = ["cooling_device_cur_state{name=0,type=Processor} 0", "thermal_zone_temp{zone=0,type=acpitz} 27.8"];
        assert_eq!(shown(&out), want);
    }
}
