//! Thousands of monitors: what a reload touches, and what it leaves alone.

use std::sync::Arc;

use watchdog::config::{Loaded, diff};

use crate::config::fake::{Site, said};

/// Enough to notice work that grows with the square.
const COUNT: usize = 3_000;

fn monitor(i: usize) -> String {
    format!(
        "  - name: service-{i}\n    type: http\n    url: https://service-{i}.example.com/health\n    \
         expect: {{status: [200-299], latency: {{below: 800ms}}}}\n    labels: {{team: t{}}}\n",
        i % 50
    )
}

fn read_again(old: &Loaded, new: &Loaded) -> usize {
    new.config.monitors.iter().filter(|(n, m)| !old.config.monitors.get(*n).is_some_and(|o| Arc::ptr_eq(o, m))).count()
}

#[test]
fn one_changed_file_among_thousands_is_the_only_one_read_again() {
    let site = Site::new();
    for i in 0..COUNT {
        site.write(&format!("monitors.d/{:02}/{i}.yaml", i % 100), format!("monitors:\n{}", monitor(i)));
    }
    let first = site.load();
    assert_eq!((first.config.monitors.len(), first.files, said(&first)), (COUNT, COUNT, vec![]));
    site.write("monitors.d/07/1007.yaml", format!("monitors:\n{}    retries: 1\n", monitor(1007)));
    let second = site.reload(&first);
    let d = diff(&first.config, &second.config);
    assert_eq!((d.changed.len(), d.unchanged, read_again(&first, &second)), (1, COUNT - 1, 1));
}

#[test]
fn ten_thousand_monitors_may_stand_in_one_file() {
    let site = Site::new();
    let text = (0..10_000).map(monitor).collect::<String>();
    site.write("monitors.d/all.yaml", format!("monitors:\n{text}"));
    let first = site.load();
    assert_eq!((first.config.monitors.len(), said(&first)), (10_000, vec![]));
}
