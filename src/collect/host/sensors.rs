//! `hwmon` and `thermal_zone`: temperatures, fans, voltages (Documentation/hwmon/sysfs-interface.rst).

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::outcome::Sample;
use crate::collect::host::files::{labelled, named, names, number, text};

/// Kind of sensor → its unit in series, and what the kernel's number is divided by.
const KINDS: [(&str, &str, f64); 7] = [
    ("temp", "_celsius", 1_000.0),
    ("in", "_volts", 1_000.0),
    ("fan", "_rpm", 1.0),
    ("curr", "_amps", 1_000.0),
    ("power", "_watt", 1_000_000.0),
    ("energy", "_joule_total", 1_000_000.0),
    ("humidity", "", 1_000_000.0),
];
/// Facts about a sensor that have its unit.
const LIMITS: [&str; 6] = ["max", "min", "crit", "lcrit", "crit_hyst", "max_hyst"];

/// All sensors below `/sys`.
pub fn samples(out: &mut Vec<Sample>) {
    chips(Path::new("/sys/class/hwmon"), out);
    zones(Path::new("/sys/class/thermal"), out);
}

fn chips(root: &Path, out: &mut Vec<Sample>) {
    for entry in names(root) {
        let dir = root.join(entry);
        let chip = chip_name(&dir);
        if let Some(name) = text(dir.join("name")) {
            let sample = Sample::new("node_hwmon_chip_names", 1.0).label("chip", &*chip);
            out.push(sample.label("chip_name", clean(&name)));
        }
        for file in names(&dir) {
            let Some((sensor, fact)) = file.split_once('_') else { continue };
            let kind = sensor.trim_end_matches(|c: char| c.is_ascii_digit());
            let Some((_, unit, divisor)) = KINDS.into_iter().find(|(k, ..)| *k == kind) else { continue };
            let own = |name: String, value: f64| labelled(name, value, "chip", &chip).label("sensor", sensor);
            if fact == "label" {
                let label = text(dir.join(&file)).map(|l| clean(&l)).unwrap_or_default();
                out.push(own("node_hwmon_sensor_label".to_owned(), 1.0).label("label", label));
                continue;
            }
            let Some(value) = number(dir.join(&file)) else { continue };
            match fact {
                "input" => out.push(own(format!("node_hwmon_{kind}{unit}"), value / divisor)),
                "alarm" => out.push(own(format!("node_hwmon_{kind}_alarm"), value)),
                limit if LIMITS.contains(&limit) => {
                    out.push(own(format!("node_hwmon_{kind}_{limit}{unit}"), value / divisor));
                }
                _ => {}
            }
        }
    }
}

/// node_exporter's name of a chip: its place in the tree of devices, which does not change with the order in
/// which drivers start, or the driver's own name.
fn chip_name(dir: &Path) -> String {
    let device = fs::canonicalize(dir.join("device")).ok();
    let part = |path: &PathBuf| path.file_name().map(|n| clean(&n.to_string_lossy()));
    let own = device.as_ref().and_then(part);
    let above = device.as_ref().and_then(|d| fs::canonicalize(d.join("subsystem")).ok()).as_ref().and_then(part);
    match (above, own) {
        (Some(above), Some(own)) => format!("{above}_{own}"),
        (None, Some(own)) => own,
        (_, None) => text(dir.join("name")).map_or_else(|| "unknown".to_owned(), |n| clean(&n)),
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
    use super::*;

    #[test]
    fn chips_and_zones_of_a_made_up_machine() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("hwmon/hwmon0/name", "coretemp\n");
        write("hwmon/hwmon0/temp1_input", "48000\n");
        write("hwmon/hwmon0/temp1_crit", "100000\n");
        write("hwmon/hwmon0/temp1_label", "Package id 0\n");
        write("hwmon/hwmon0/fan2_input", "1200\n");
        write("hwmon/hwmon0/fan2_alarm", "0\n");
        write("hwmon/hwmon0/pwm1", "3\n");
        write("thermal/thermal_zone0/type", "acpitz\n");
        write("thermal/thermal_zone0/temp", "27800\n");
        write("thermal/cooling_device0/type", "Processor\n");
        write("thermal/cooling_device0/cur_state", "0\n");
        let mut out = Vec::new();
        chips(&dir.path().join("hwmon"), &mut out);
        zones(&dir.path().join("thermal"), &mut out);
        let shown: Vec<String> = out
            .iter()
            .map(|s| {
                let labels: Vec<String> = s.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("{}{{{}}} {}", s.name, labels.join(","), s.value)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "node_hwmon_chip_names{chip=coretemp,chip_name=coretemp} 1",
                "node_hwmon_fan_alarm{chip=coretemp,sensor=fan2} 0",
                "node_hwmon_fan_rpm{chip=coretemp,sensor=fan2} 1200",
                "node_hwmon_temp_crit_celsius{chip=coretemp,sensor=temp1} 100",
                "node_hwmon_temp_celsius{chip=coretemp,sensor=temp1} 48",
                "node_hwmon_sensor_label{chip=coretemp,sensor=temp1,label=package_id_0} 1",
                "node_cooling_device_cur_state{name=0,type=Processor} 0",
                "node_thermal_zone_temp{zone=0,type=acpitz} 27.8",
            ]
        );
    }
}
