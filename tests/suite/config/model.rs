//! Any history of edits: a reload, with its cache and its last good content, against a fresh load.

use proptest::prelude::*;

use crate::config::fake::{Site, monitors, names, stale};

/// One edit of one file.
#[derive(Clone, Debug)]
enum Edit {
    Write(u8, &'static str),
    Remove(u8),
    Rename(u8, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let text = prop::sample::select(vec![
        "",
        "monitors: [",
        "monitors: 3\n",
        "monitors:\n- {name: a, type: tcp, host: x}\n",
        "monitors:\n- {name: a, type: tcp, host: y}\n- {name: b, type: tcp, host: x}\n",
        "monitors:\n- {name: a, type: tcp, host: x, interval: 5}\n- {name: c, type: tcp, host: x}\n",
        "monitors:\n- {nam: a, type: tcp, host: x}\n- {name: b, type: http, url: 'http://x'}\n",
        "monitors:\n- {name: c, type: nothing}\n- {name: d, type: tcp, host: '${env:TOKEN}'}\n",
        "monitors:\n- {name: d, type: tcp, host: '${env:NOPE}'}\nunknown: 1\n",
    ]);
    prop_oneof![
        4 => (0..4u8, text).prop_map(|(file, text)| Edit::Write(file, text)),
        1 => (0..4u8).prop_map(Edit::Remove),
        1 => (0..4u8, 0..4u8).prop_map(|(from, to)| Edit::Rename(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reload_differs_from_a_fresh_load_by_its_stale_monitors_alone(edits in prop::collection::vec(edit(), 1..12)) {
        let site = Site::new();
        site.write("monitors.d/z.yaml", monitors(&["a", "z"]));
        let mut last = site.load();
        for edit in edits {
            let path = |file: u8| format!("monitors.d/{file}.yaml");
            let before = last;
            match &edit {
                Edit::Write(file, text) => drop(site.write(&path(*file), text)),
                Edit::Remove(file) => drop(std::fs::remove_file(site.path(&path(*file)))),
                Edit::Rename(from, to) => drop(std::fs::rename(site.path(&path(*from)), site.path(&path(*to)))),
            }
            last = site.reload(&before);
            let fresh = site.load();
            prop_assert_eq!(&last.problems, &fresh.problems, "{:?}", edit);
            let mut expected = names(&fresh);
            expected.extend(stale(&last));
            expected.sort_unstable();
            prop_assert_eq!(names(&last), expected, "{:?}", edit);
            for (name, monitor) in &fresh.config.monitors {
                prop_assert_eq!(monitor.hash, last.config.monitors[name].hash);
            }
            for name in &last.stale {
                prop_assert_eq!(last.config.monitors[name].hash, before.config.monitors[name].hash);
            }
            if fresh.errors() == 0 {
                prop_assert!(last.stale.is_empty());
            }
        }
    }
}
