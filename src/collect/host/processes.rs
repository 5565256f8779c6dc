//! `processes`: how many there are in which state, and whether those that must run do.

use std::collections::BTreeMap;

use crate::base::outcome::Sample;
use crate::collect::host::files::{names, number, text};
use crate::collect::metric::Metric;

/// What is told of them.
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_processes_state", "Processes in each state, by the kernel's letter"),
    Metric::gauge("node_processes_pids", "How many processes there are"),
    Metric::gauge("node_processes_threads", "How many threads there are"),
    Metric::gauge(
        "node_processes_max_processes",
        "How many processes there may be, which is the limit of their numbers",
    ),
    Metric::gauge("node_processes_max_threads", "How many threads there may be"),
];

/// All processes at one moment.
#[derive(Debug, Default)]
pub struct Processes {
    states: BTreeMap<char, u32>,
    threads: u64,
    all: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    /// As the kernel knows it: at most 15 bytes, and what threads and services call themselves.
    comm: String,
    /// The name of the program's file, from its arguments.
    program: String,
}

impl Processes {
    /// Reads them all: about 20 µs each.
    pub fn now() -> Self {
        let mut seen = Self::default();
        for pid in names("/proc").into_iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
            // It may be gone by now.
            if let Some(stat) = text(format!("/proc/{pid}/stat")) {
                seen.add(&stat, &text(format!("/proc/{pid}/cmdline")).unwrap_or_default());
            }
        }
        seen
    }

    fn add(&mut self, stat: &str, cmdline: &str) {
        // `7 (a name (of) any kind) S …`: the last bracket ends the name.
        let Some((head, rest)) = stat.rsplit_once(')') else { return };
        let comm = head.split_once('(').map_or("", |(_, name)| name);
        let mut words = rest.split_ascii_whitespace();
        let Some(state) = words.next().and_then(|w| w.chars().next()) else { return };
        *self.states.entry(state).or_default() += 1;
        // Field 20 of the whole line; `state` was the third.
        self.threads += words.nth(16).and_then(|w| w.parse().ok()).unwrap_or(1_u64);
        let program = cmdline.split('\0').next().unwrap_or_default();
        // `nginx: master process …` and `sshd: somebody` write over their arguments.
        let program = program.split([' ', ':']).next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        self.all.push(Process { comm: comm.to_owned(), program: program.to_owned() });
    }

    /// How many run by this name: the program's file, or what the kernel calls it.
    pub fn running(&self, name: &str) -> usize {
        self.all.iter().filter(|p| p.program == name || p.comm == name).count()
    }

    /// node_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for (state, count) in &self.states {
            out.push(Sample::new("node_processes_state", f64::from(*count)).label("state", state.to_string()));
        }
        out.push(Sample::new("node_processes_pids", self.all.len() as f64));
        out.push(Sample::new("node_processes_threads", self.threads as f64));
        for (file, name) in [
            ("/proc/sys/kernel/pid_max", "node_processes_max_processes"),
            ("/proc/sys/kernel/threads-max", "node_processes_max_threads"),
        ] {
            out.extend(number(file).map(|v| Sample::new(name, v)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_use() {
        let mut all = Processes::default();
        let stat = |comm: &str| format!("7 ({comm}) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 99");
        all.add(&stat("nginx"), "nginx: master process /usr/sbin/nginx\0");
        all.add(&stat("nginx"), "nginx: worker process\0");
        all.add(&stat("java"), "/usr/lib/jvm/bin/java\0-jar\0x.jar\0");
        all.add(&stat("kworker/0:1) x"), "");
        all.add(&stat("a-very-long-nam"), "/opt/a-very-long-name\0");
        all.add("junk", "");
        for (name, count) in [("nginx", 2), ("java", 1), ("a-very-long-name", 1), ("kworker/0:1) x", 1), ("ngin", 0)] {
            assert_eq!(all.running(name), count, "{name}");
        }
        assert_eq!((all.threads, all.states[&'S']), (15, 5));
    }

    #[test]
    fn this_test_is_among_them() {
        let all = Processes::now();
        let own = text("/proc/self/comm").unwrap();
        assert!(all.running(&own) >= 1 && all.threads > 1);
    }
}
