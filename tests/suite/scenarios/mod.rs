//! Alerts in, messages out, over days of virtual time: what `*.yaml` beside this file says.
//!
//! A file is a list of scenarios. `truth` says in a sentence what it proves; `policy` is the text of a
//! `watchdog.yaml` and `monitors` that of a file of `monitors.d` (both optional); `policies` names others
//! that `reload` puts in force. `input` has a line for each thing that happens and `output` one for each
//! message, all of them and nothing else:
//!
//! ```text
//! 0s   fire A{severity="critical"} since -10m until 5m       1m  resolve A{…}
//! 2m   silence s1 {a="b"} for 1h until-resolved              3m  expire s1
//! 4m   ack A{…} by wu for 10m                                5m  unack A{…}
//! 6m   down gateway          6m  up gateway                  7m  reload other
//! 8m   restart               8m  stop        9m  start       9m  refused ops
//! 10m  clock -1h             1h  end         11m flap A{…} every 1s for 1h
//!
//! 30s  ops first +A{severity="critical"} -B                  (time, notifier, reason, + firing, - over)
//! ```
//!
//! The real configuration reader reads the policy. Nothing sleeps: time is a number.

mod checker;
mod play;
mod simulator;

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use play::Play;

/// One scenario as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    truth: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    monitors: String,
    #[serde(default)]
    policies: std::collections::BTreeMap<String, String>,
    input: String,
    #[serde(default)]
    output: String,
}

/// Lines without what people add for their eyes.
fn lines(text: &str) -> Vec<String> {
    let bare = text.lines().map(|l| l.split(" # ").next().unwrap_or(l));
    let words = bare.map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|l| !l.is_empty() && !l.starts_with('#')).collect()
}

/// Plays every scenario of a file; all that fail are shown.
#[track_caller]
fn play(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/scenarios").join(file);
    let scenarios: Vec<Scenario> = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!scenarios.is_empty());
    let mut report = String::new();
    for scenario in &scenarios {
        let said = Play::new(scenario).run();
        let expected = lines(&scenario.output);
        if said != expected {
            writeln!(report, "\n{}\n  expected:", scenario.truth).unwrap();
            expected.iter().for_each(|l| writeln!(report, "    {l}").unwrap());
            writeln!(report, "  said:").unwrap();
            said.iter().for_each(|l| writeln!(report, "    {l}").unwrap());
        }
    }
    assert!(report.is_empty(), "{file}{report}");
}

#[test]
fn groups_wait_flush_and_repeat_to_the_second() {
    play("groups.yaml");
}

#[test]
fn routes_say_who_hears_of_what() {
    play("routes.yaml");
}

#[test]
fn what_is_muted_is_told_when_the_mute_ends_and_never_before() {
    play("muting.yaml");
}

#[test]
fn restarts_and_reloads_page_nobody_twice_and_forget_nobody() {
    play("restarts.yaml");
}

#[test]
fn people_acknowledge_or_the_next_one_is_told() {
    play("people.yaml");
}

#[test]
fn storms_flapping_and_refusals_cost_few_messages() {
    play("storms.yaml");
}
