//! `smart`: what disks say about their own health, where `smartctl` is installed and may ask them.

use serde::Deserialize;
use tokio::time::Instant;

use crate::base::outcome::Sample;
use crate::collect::host::tool::ask;
use crate::collect::metric::Metric;

/// What is told of it.
pub const METRICS: &[Metric] = &[
    Metric::gauge("smartctl_device_smart_status", "1 while a disk says that it is well"),
    Metric::gauge("smartctl_device_temperature", "Temperature of a disk, in degrees Celsius"),
    Metric::counter("smartctl_device_power_on_seconds", "How long a disk has run in its life"),
];

/// Disks asked.
const MAX_DISKS: usize = 32;

#[derive(Debug, Deserialize)]
struct Scan {
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Debug, Deserialize)]
struct Device {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The parts of `smartctl --json` that all disks have.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    model_name: String,
    smart_status: Option<Passed>,
    temperature: Option<Temperature>,
    power_on_time: Option<Hours>,
}

#[derive(Debug, Deserialize)]
struct Passed {
    passed: bool,
}

#[derive(Debug, Deserialize)]
struct Temperature {
    current: f64,
}

#[derive(Debug, Deserialize)]
struct Hours {
    hours: f64,
}

/// The health of all disks.
#[derive(Debug, Default)]
pub struct Health {
    samples: Vec<Sample>,
    failing: Vec<String>,
    asked: usize,
}

impl Health {
    /// Asks every disk in turn, until `deadline`.
    pub async fn now(deadline: Instant) -> Self {
        let mut health = Self::default();
        let scan = ask("smartctl", &["--json", "--scan"], deadline).await.unwrap_or_default();
        let Ok(scan) = serde_json::from_str::<Scan>(&scan) else { return health };
        for Device { name, kind } in scan.devices.into_iter().take(MAX_DISKS) {
            let what = ["--json", "--health", "--info", "--attributes"];
            // A sleeping disk is not woken up: monitoring must not wear it out.
            let how = ["--nocheck=standby", "--device", &kind, "--", &name];
            if let Some(text) = ask("smartctl", &[&what[..], &how[..]].concat(), deadline).await {
                health.add(&name, &text);
            }
        }
        health
    }

    fn add(&mut self, disk: &str, text: &str) {
        let Ok(said) = serde_json::from_str::<Said>(text) else { return };
        let own = |name, value| Sample::new(name, value).label("device", disk);
        if let Some(status) = said.smart_status {
            self.asked += 1;
            if !status.passed {
                self.failing.push(disk.to_owned());
            }
            let healthy = if status.passed { 1.0 } else { 0.0 };
            self.samples.push(own("smartctl_device_smart_status", healthy).label("model_name", said.model_name));
        }
        self.samples.extend(said.temperature.map(|t| own("smartctl_device_temperature", t.current)));
        self.samples.extend(said.power_on_time.map(|t| own("smartctl_device_power_on_seconds", t.hours * 3_600.0)));
    }

    /// Disks that say they will fail.
    pub fn failing(&self) -> &[String] {
        &self.failing
    }

    /// How many disks told their health.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// smartctl_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        out.extend_from_slice(&self.samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_says_it_fails_is_named() {
        let mut health = Health::default();
        health.add(
            "/dev/sda",
            r#"{"model_name": "M", "smart_status": {"passed": true}, "temperature": {"current": 31}}"#,
        );
        health.add("/dev/sdb", r#"{"smart_status": {"passed": false}, "power_on_time": {"hours": 2}}"#);
        health.add("/dev/vda", r#"{"smartctl": {"exit_status": 1}}"#);
        health.add("/dev/vdb", "no json");
        assert_eq!((health.failing(), health.asked()), (&["/dev/sdb".to_owned()][..], 2));
        let seen: Vec<_> = health.samples.iter().map(|s| (&*s.name, s.value)).collect();
        assert_eq!(
            seen,
            [
                ("smartctl_device_smart_status", 1.0),
                ("smartctl_device_temperature", 31.0),
                ("smartctl_device_smart_status", 0.0),
                ("smartctl_device_power_on_seconds", 7200.0),
            ]
        );
    }
}
