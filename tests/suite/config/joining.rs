//! Many files, one configuration: names, defaults, hashes, order.

use std::time::Duration;

use watchdog::base::name::MonitorName;
use watchdog::config::diff;
use watchdog::config::load;
use watchdog::config::model::Schedule;

use crate::config::fake::{Kinds, OneToken, Site, monitors, names, said};

#[test]
fn all_files_of_all_folders_are_read() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["one", "two"]))
        .write("monitors.d/deep/er/b.yml", monitors(&["three"]))
        .write("monitors.d/README.md", "not: [ours")
        .write("watchdog.yaml", "server: {listen: 127.0.0.1:8080}\nnotifiers: [{name: ops, type: webhook, url: 'http://x'}]\nroute: {receiver: ops}\n");
    let loaded = site.load();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["one", "three", "two"]);
    assert_eq!(loaded.files, 3);
    assert_eq!(loaded.config.server.listen, Some("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(loaded.config.alerting.route.receiver, "ops");
    assert_eq!(loaded.config.monitors["three"].source, "monitors.d/deep/er/b.yml:2:5");
}

#[test]
fn names_that_editors_use_are_passed_over() {
    let site = Site::new();
    for name in [".a.yaml", ".#b.yaml", "#c.yaml#", "d.yaml~", "e.yaml.swp", "4913", "f.yaml.tmp", ".hidden/g.yaml"] {
        site.write(&format!("monitors.d/{name}"), "broken: [");
    }
    site.write("monitors.d/real.yaml", monitors(&["real"]));
    let loaded = site.load();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(loaded.files, 1);
}

#[test]
fn a_name_belongs_to_the_first_file_and_the_second_is_told_where() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["shop"])).write("monitors.d/b.yaml", monitors(&["other", "shop"]));
    assert_eq!(
        said(&site.load()),
        ["monitors.d/b.yaml:3:12 W009 the name `shop` is taken by the monitor at monitors.d/a.yaml:2:12"]
    );
}

#[test]
fn defaults_fill_what_a_monitor_leaves_out() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "defaults: {interval: 1m, timeout: 5s, retries: 2, labels: {team: web, tier: '1'}, alert: {after: 7}, schedule: null}\n\
         monitors:\n\
         \x20 - {name: plain, type: http, url: 'http://a'}\n\
         \x20 - {name: own, type: http, url: 'http://a', interval: 10s, labels: {team: ops}, alert: false}\n\
         \x20 - {name: cron, type: http, url: 'http://a', schedule: '0 3 * * *', timezone: Europe/Berlin}\n",
    );
    let loaded = site.load();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let plain = &loaded.config.monitors["plain"];
    assert!(matches!(plain.schedule, Schedule::Every(d) if d == Duration::from_secs(60)));
    assert_eq!((plain.timeout, plain.retries, plain.alert.unwrap().after), (Duration::from_secs(5), 2, 7));
    let own = &loaded.config.monitors["own"];
    assert_eq!(own.labels.to_string(), r#"{team="ops", tier="1"}"#);
    assert!(own.alert.is_none());
    let Schedule::Cron { text, zone, .. } = &loaded.config.monitors["cron"].schedule else { panic!() };
    assert_eq!((text.as_str(), zone.iana_name()), ("0 3 * * *", Some("Europe/Berlin")));
}

#[test]
fn defaults_hold_only_what_every_kind_has() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "defaults: {url: 'http://a', intervall: 5s}\nmonitors:\n- {name: a, type: http}\n");
    assert_eq!(
        said(&site.load()),
        [
            "monitors.d/a.yaml:1:12 W003 `url` is not a key here",
            "monitors.d/a.yaml:1:29 W003 `intervall` is not a key here",
            "monitors.d/a.yaml:3:4 W004 `url` is missing",
        ]
    );
}

#[test]
fn without_defaults_a_timeout_is_never_longer_than_the_interval() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n- {name: a, type: http, url: 'http://a', interval: 2s}\n- {name: b, type: http, url: 'http://a'}\n",
    );
    let loaded = site.load();
    assert_eq!(loaded.config.monitors["a"].timeout, Duration::from_secs(2));
    assert_eq!(loaded.config.monitors["b"].timeout, Duration::from_secs(10));
}

#[test]
fn the_hash_follows_the_meaning_and_not_the_place() {
    #[track_caller]
    fn check(first: &str, second: &str, same: bool) {
        let hash = |text: &str| {
            let site = Site::new();
            site.write("monitors.d/a.yaml", text);
            let loaded = site.load();
            assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
            loaded.config.monitors["a"].hash
        };
        assert_eq!(hash(first) == hash(second), same, "{first}\n{second}");
    }
    let base = "monitors: [{name: a, type: http, url: 'http://a', interval: 1m}]";
    check(base, "\n\n# moved\nmonitors:\n- interval: 60s\n  url: http://a\n  type: http\n  name: a\n", true);
    check(base, "defaults: {interval: 1m}\nmonitors: [{name: a, type: http, url: 'http://a'}]", true);
    check(base, "defaults: {interval: 5s}\nmonitors: [{name: a, type: http, url: 'http://a', interval: 1m}]", true);
    check(base, "defaults: {retries: 1}\nmonitors: [{name: a, type: http, url: 'http://a', interval: 1m}]", false);
    check(base, "monitors: [{name: a, type: http, url: 'http://b', interval: 1m}]", false);
    check(base, "monitors: [{name: a, type: http, url: 'http://a', interval: 1m, paused: true}]", false);
    check(base, "monitors: [{name: a, type: http, url: 'http://a', interval: 1m, headers: {a: b}}]", false);
    let token = "monitors: [{name: a, type: http, url: 'http://a', headers: {x: '${env:TOKEN}'}}]";
    check(token, "monitors: [{name: a, type: http, url: 'http://a', headers: {x: t0ken}}]", true);
}

#[test]
fn a_changed_reference_changes_the_monitor_without_a_changed_file() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors: [{name: a, type: http, url: 'http://a', headers: {x: '${env:TOKEN}'}}]");
    site.write("monitors.d/b.yaml", monitors(&["b"]));
    let first = load(site.dir(), &Kinds, &OneToken("one"), None);
    let second = load(site.dir(), &Kinds, &OneToken("two"), Some(&first));
    let diff = diff(&first.config, &second.config);
    assert_eq!(diff.changed.iter().map(MonitorName::as_str).collect::<Vec<_>>(), ["a"]);
    assert_eq!(diff.unchanged, 1);
}

#[test]
fn the_difference_names_what_is_new_changed_and_gone() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["keep", "change", "remove"]));
    let first = site.load();
    site.write("monitors.d/a.yaml", monitors(&["keep", "add"]) + "  - {name: change, type: tcp, host: x}\n");
    site.write("watchdog.yaml", "notifiers: [{name: ops, type: webhook, url: 'http://x'}]\n");
    let second = site.reload(&first);
    let diff = diff(&first.config, &second.config);
    assert_eq!(
        (format!("{:?} {:?} {:?}", diff.added, diff.changed, diff.removed), diff.unchanged),
        (r#"[MonitorName("add")] [MonitorName("change")] [MonitorName("remove")]"#.to_owned(), 1)
    );
    assert_eq!((diff.receivers, diff.alerting, diff.server), (true, true, false));
    assert!(watchdog::config::diff(&second.config, &second.config).is_empty());
}

#[test]
fn unchanged_files_are_reused_and_the_result_is_the_same() {
    let site = Site::new();
    for i in 0..50 {
        site.write(&format!("monitors.d/{i}.yaml"), monitors(&[&format!("m{i}")]) + "unknown: 1\n");
    }
    let first = site.load();
    let second = site.reload(&first);
    assert_eq!(first.problems, second.problems);
    for (name, monitor) in &first.config.monitors {
        assert!(std::sync::Arc::ptr_eq(monitor, &second.config.monitors[name]), "{name} was read again");
    }
}
