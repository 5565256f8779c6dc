//! A mistake must not blind anybody: what was good before stands in for what is broken now.

use watchdog::config::load::Loaded;

use crate::config::fake::{Site, monitors, names, said, stale};

#[test]
fn on_a_first_start_the_valid_rest_runs() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors: [")
        .write("monitors.d/b.yaml", monitors(&["b"]) + "  - {name: c, type: nonsense}\n")
        .write("watchdog.yaml", "notifiers: [{name: ops, type: webhook, url: x}, {name: bad, type: webhook}]\n");
    let loaded = site.load();
    assert_eq!(names(&loaded), ["b"]);
    assert_eq!(loaded.config.receivers.len(), 1);
    assert_eq!(stale(&loaded), Vec::<&str>::new());
    assert_eq!(loaded.errors(), 3, "{:#?}", said(&loaded));
}

#[test]
fn a_file_that_cannot_be_used_keeps_its_monitors() {
    #[track_caller]
    fn check(broken: &[u8]) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", monitors(&["one", "two"])).write("monitors.d/b.yaml", monitors(&["b"]));
        let first = site.load();
        site.write("monitors.d/a.yaml", broken);
        let second = site.reload(&first);
        assert_eq!(names(&second), ["b", "one", "two"]);
        assert_eq!(stale(&second), ["one", "two"]);
        assert_eq!(second.errors(), 1, "{:#?}", said(&second));
        // … for as long as it takes, and whatever else is wrong meanwhile.
        site.write("monitors.d/a.yaml", "monitors: {");
        let third = site.reload(&second);
        assert_eq!(stale(&third), ["one", "two"]);
        site.write("monitors.d/a.yaml", monitors(&["two"]));
        let fourth = site.reload(&third);
        assert_eq!((names(&fourth), stale(&fourth)), (vec!["b", "two"], vec![]));
        assert_eq!(said(&fourth), Vec::<String>::new());
    }
    check(b"monitors: [");
    check(b"\xff\xfe\x00");
    check(b"monitors: 3");
    check(b"monitrs: []");
    check(b"- name: one");
    check(b"just words");
    check(&vec![b' '; (4 << 20) + 1]);
}

#[test]
fn a_monitor_that_no_longer_stands_keeps_its_last_good_form() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["one", "two"]));
    let first = site.load();
    site.write("monitors.d/a.yaml", "monitors:\n- {name: one, type: http, url: 'http://new', interval: 5}\n- {name: three, type: http, url: 'http://x'}\n");
    let second = site.reload(&first);
    assert_eq!(names(&second), ["one", "three"]);
    assert_eq!(stale(&second), ["one"]);
    assert_eq!(second.config.monitors["one"].probe.target, "http://one.test/");
}

#[test]
fn a_monitor_whose_name_is_broken_is_not_lost() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["one", "two"]));
    let first = site.load();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n- {nam: one, type: http, url: 'http://x'}\n- {name: two, type: http, url: 'http://x'}\n",
    );
    let second = site.reload(&first);
    assert_eq!((names(&second), stale(&second)), (vec!["one", "two"], vec!["one"]));
}

#[test]
fn what_is_gone_is_gone() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["a"])).write("monitors.d/b.yaml", monitors(&["b"]));
    let first = site.load();
    site.remove("monitors.d/a.yaml").write("monitors.d/b.yaml", "");
    let second = site.reload(&first);
    assert_eq!(names(&second), Vec::<&str>::new());
    assert_eq!(said(&second), Vec::<String>::new());
}

#[test]
fn a_monitor_that_moved_out_of_a_broken_file_runs_in_its_new_form() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["one", "two"]));
    let first = site.load();
    site.write("monitors.d/a.yaml", "monitors: [")
        .write("monitors.d/z.yaml", "monitors: [{name: one, type: tcp, host: x}]");
    let second = site.reload(&first);
    assert_eq!((names(&second), stale(&second)), (vec!["one", "two"], vec!["two"]));
    assert_eq!(second.config.monitors["one"].probe.kind, "tcp");
}

#[test]
fn a_directory_that_is_away_for_a_while_takes_nothing_with_it() {
    let site = Site::new();
    site.write("conf/monitors.d/a.yaml", monitors(&["a"]));
    let load = |previous| {
        watchdog::config::load(
            &site.path("conf"),
            &crate::config::fake::Kinds,
            &crate::config::fake::OneToken(""),
            previous,
        )
    };
    let first = load(None);
    std::fs::rename(site.path("conf"), site.path("away")).unwrap();
    let second = load(Some(&first));
    assert_eq!((names(&second), stale(&second), second.errors()), (vec!["a"], vec!["a"], 1));
    std::fs::rename(site.path("away"), site.path("conf")).unwrap();
    let third = load(Some(&second));
    assert_eq!((names(&third), stale(&third), third.errors()), (vec!["a"], vec![], 0));
}

#[test]
fn a_broken_main_file_keeps_the_last_good_one() {
    let site = Site::new();
    site.write(
        "watchdog.yaml",
        "server: {listen: 127.0.0.1:1}\nnotifiers: [{name: ops, type: webhook, url: x}]\nroute: {receiver: ops}\n",
    );
    let first = site.load();
    site.write("watchdog.yaml", "server: {listen: 127.0.0.1:2}\nnotifiers: [{name: ops, type: webhok}]\n");
    let second = site.reload(&first);
    assert_eq!(second.config.server, first.config.server);
    assert_eq!((second.config.receivers.len(), second.config.alerting.route.receiver.as_str()), (1, "ops"));
    assert_eq!(second.errors(), 1);
    site.remove("watchdog.yaml").write("monitors.d/a.yaml", "");
    assert!(site.reload(&second).config.receivers.is_empty());
}

#[test]
fn what_this_version_does_not_do_is_said_and_the_rest_runs() {
    let site = Site::new();
    site.write("watchdog.yaml", "backup: {to: /mnt}\nserver: {listen: 127.0.0.1:1}\n")
        .write("monitors.d/a.yaml", "monitors: [{name: a, type: tcp, host: x, template: t}]\nuse: [{template: t}]\n")
        .write("rules.d/r.yaml", "# nothing yet\n")
        .write("rules.d/s.yaml", "groups: [{name: g, rules: []}]\n")
        .write("templates.d/t.yaml", "templates: [{name: t}]\n");
    let loaded = site.load();
    assert_eq!(names(&loaded), ["a"]);
    assert!(loaded.config.server.listen.is_some());
    assert!(loaded.problems.iter().all(|p| p.code == "W015"), "{:#?}", said(&loaded));
    assert_eq!(loaded.problems.len(), 4);
}

#[test]
fn a_file_of_rules_with_a_mistake_keeps_what_it_held() {
    let rules = |loaded: &Loaded| -> Vec<String> {
        let all = loaded.config.rules.iter().flat_map(|g| g.rules.iter().map(|r| format!("{} {}", r.name, r.query)));
        all.collect()
    };
    let site = Site::new();
    site.write("rules.d/a.yaml", "rules: [{name: A, query: up == 0}, {name: B, query: 'x +'}]\n")
        .write("rules.d/b.yaml", "groups: [{name: g, rules: [{record: c, expr: sum(x)}]}]\n")
        .write("rules.d/b.test.yaml", "tests: []\n");
    let first = site.load();
    assert_eq!(rules(&first), ["A up == 0", "c sum(x)"], "at first, what stands");
    site.write("rules.d/a.yaml", "rules: [{name: A, query: up == 1}, {name: B, query: x}]\n");
    let second = site.reload(&first);
    assert_eq!(rules(&second), ["A up == 1", "B x", "c sum(x)"]);
    site.write("rules.d/a.yaml", "rules: [{name: A, query: up == 2}, {name: B, query: x, nope: 1}]\n");
    let third = site.reload(&second);
    assert_eq!(rules(&third), rules(&second));
    assert!(third.errors() > 0);
    site.write("rules.d/a.yaml", ": not yaml [\n");
    assert_eq!(rules(&site.reload(&third)), rules(&second));
    site.remove("rules.d/a.yaml");
    assert_eq!(rules(&site.reload(&third)), ["c sum(x)"]);
}
