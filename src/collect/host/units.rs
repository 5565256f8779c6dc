//! `systemd`: the units of the service manager, as `systemctl` tells them.
//!
//! `systemctl` rather than D-Bus: it finds the manager's private socket where no bus runs, its first columns
//! have not changed in ten years, and no client of the bus is needed. Control groups alone would not tell
//! a failed unit from one that was never started.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::base::outcome::Sample;
use crate::collect::host::tool::ask;
use crate::collect::metric::Metric;

/// What is told of them.
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_systemd_units", "Units in each state"),
    Metric::gauge("node_systemd_unit_state", "1 for the state that a unit is in, 0 for the others"),
];

/// The states that node_exporter writes a series for.
const STATES: [&str; 5] = ["activating", "active", "deactivating", "failed", "inactive"];
/// What node_exporter leaves out: units that the kernel and users make by the dozen.
const LEFT_OUT: [&str; 5] = [".automount", ".device", ".mount", ".scope", ".slice"];

/// Units' states by name.
#[derive(Debug, Default)]
pub struct Units(BTreeMap<String, String>);

impl Units {
    /// Asks; `None` where no systemd answers.
    pub async fn now(deadline: Instant) -> Option<Self> {
        let args = ["list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full"];
        let units = Self::parse(&ask("systemctl", &args, deadline).await?);
        (!units.0.is_empty()).then_some(units)
    }

    /// `ssh.service loaded active running OpenBSD Secure Shell server`
    pub fn parse(text: &str) -> Self {
        let mut units = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(load), Some(active)) = (words.next(), words.next(), words.next()) else { continue };
            // What others merely mention is no unit of this machine.
            if name.contains('.') && load != "not-found" && load != "masked" {
                units.insert(name.to_owned(), active.to_owned());
            }
        }
        Self(units)
    }

    /// A unit's state; a service needs no suffix.
    pub fn state(&self, name: &str) -> Option<&str> {
        let found = self.0.get(name).or_else(|| self.0.get(&format!("{name}.service")));
        found.map(String::as_str)
    }

    /// node_exporter's series, without the label `type`, which would take a question per unit.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for state in STATES {
            let count = self.0.values().filter(|own| *own == state).count();
            out.push(Sample::new("node_systemd_units", count as f64).label("state", state));
        }
        for (name, own) in self.0.iter().filter(|(name, _)| !LEFT_OUT.iter().any(|end| name.ends_with(end))) {
            for state in STATES {
                let sample = Sample::new("node_systemd_unit_state", if own == state { 1.0 } else { 0.0 });
                out.push(sample.label("name", &**name).label("state", state));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_as_systemctl_lists_them() {
        let text = "ssh.service loaded active running OpenBSD Secure Shell server\n\
            backup.service loaded failed failed Backup\n\
            x.service not-found inactive dead x.service\n\
            -.mount loaded active mounted Root Mount\njunk\n";
        let units = Units::parse(text);
        assert_eq!(units.state("ssh"), Some("active"));
        assert_eq!(units.state("backup.service"), Some("failed"));
        assert_eq!(units.state("x"), None);
        let mut out = Vec::new();
        units.samples(&mut out);
        assert_eq!(out.iter().filter(|s| s.name == "node_systemd_unit_state").count(), 10);
        let active = out.iter().find(|s| s.name == "node_systemd_units" && s.labels[0].1 == "active").unwrap();
        assert_eq!(active.value, 2.0);
    }
}
