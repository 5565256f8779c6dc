//! What the main file says of ourselves and of limits: `self:`, `probing:`, `policy:`; and `slo:` of monitors.

use std::time::Duration;

use watchdog::config::load;
use watchdog::config::load::Loaded;
use watchdog::engine::kinds::Kinds;

use crate::config::fake::{OneToken, Site, said};

fn loaded(files: &[(&str, &str)]) -> Loaded {
    let site = Site::new();
    for (file, text) in files {
        site.write(file, text);
    }
    load(site.dir(), &Kinds, &OneToken(""), None)
}

#[test]
fn everything_has_a_default_and_can_be_said() {
    let config = loaded(&[("watchdog.yaml", "query: {}\n")]).config;
    assert_eq!((config.itself.references.len(), config.itself.interval), (0, Duration::from_secs(10)));
    assert!(config.itself.default_route && config.itself.resolver);
    assert_eq!((config.probing.per_host, config.probing.per_host_rate), (4, None));
    let text = "self: {references: [{type: tcp, host: '192.0.2.1:443'}, {type: http, url: 'http://192.0.2.2/'}], timeout: 1s}\n\
                probing: {per_host: 20, per_host_rate: 50/1s}\n\
                policy: {programs: [/usr/bin/true], private: deny, networks: {allow: [10.0.0.0/8]}, ports: [443, 8000-8999]}\n";
    let loaded = loaded(&[("watchdog.yaml", text)]);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let config = &loaded.config;
    assert_eq!((config.itself.references.len(), config.itself.timeout), (2, Duration::from_secs(1)));
    assert_eq!((config.probing.per_host, config.probing.per_host_rate.unwrap().messages), (20, 50));
    assert!(
        config.policy.refuses_program("/bin/sh").is_some() && config.policy.refuses_program("/usr/bin/true").is_none()
    );
    assert!(config.policy.refuses("10.1.1.1:8080".parse().unwrap()).is_none());
    assert!(config.policy.refuses("192.168.1.1:443".parse().unwrap()).is_some());
}

#[test]
fn mistakes_are_found_where_they_stand() {
    #[track_caller]
    fn check(line: &str, column: usize, message: &str) {
        let found = loaded(&[("watchdog.yaml", &format!("{line}\n"))]);
        let found: Vec<_> = found.problems.iter().map(|p| (p.column, p.message.clone())).collect();
        assert_eq!(found, [(column, message.to_owned())], "{line}");
    }
    check("self: {references: [{type: script, command: ['true']}]}", 28, "`script` says nothing about our connection");
    check("self: {references: [{type: tpc, host: 'a:1'}]}", 28, "there is no monitor type `tpc`");
    check("self: {refs: []}", 8, "`refs` is not a key here");
    check("self: {interval: 0s}", 18, "`interval` is 0, allowed are 1s to 1h");
    check("probing: {per_host_rate: fast}", 26, "`per_host_rate`: `fast` is not a rate");
    check("policy: {private: no}", 19, "`private`: `no` is neither `allow` nor `deny`");
    check("policy: {ports: [80, 0]}", 22, "`0` is neither a port nor a range of ports");
    check("policy: {ports: [90-80]}", 18, "`90-80` is neither a port nor a range of ports");
    check("policy: {networks: {deny: [10.0.0.0/33]}}", 28, "`10.0.0.0/33` is neither an address nor a network");
    check("policy: {programs: [/opt/../bin/sh]}", 21, "`/opt/../bin/sh` is no path of a program");
    check("policy: {programs: [check_*]}", 21, "`check_*` is no path of a program");
    check("policy: {environment: [A=b]}", 24, "`A=b` is no name of a variable");
    let message = "`LD_PRELOAD` decides what code a program runs: it cannot be allowed";
    check("policy: {environment: [LD_PRELOAD]}", 24, message);
}

#[test]
fn what_the_policy_forbids_is_an_error_at_the_monitors_line_and_stays() {
    let monitors = "monitors:\n  - {name: job, type: script, command: [/bin/sh, -c, 'true']}\n\
                    \x20 - name: db\n    type: tcp\n    host: '10.0.0.1:5432'\n\
                    \x20 - {name: shop, type: tcp, host: 'shop.example.com:443'}\n";
    let policy = "policy: {programs: [/usr/lib/nagios/plugins/*], private: deny}\n";
    let found = loaded(&[("watchdog.yaml", policy), ("monitors.d/a.yaml", monitors)]);
    assert_eq!(
        said(&found),
        [
            "monitors.d/a.yaml:2:40 W017 `policy.programs` does not allow `/bin/sh`",
            "monitors.d/a.yaml:5:12 W017 10.0.0.1 is no address of the public Internet, and `policy.private` is `deny`",
        ]
    );
    assert_eq!(found.config.monitors.len(), 3);
}

#[test]
fn objectives_are_read_and_their_rules_stand() {
    let text = "defaults: {slo: 99%}\nmonitors:\n  - {name: a, type: tcp, host: 'a:1'}\n\
                \x20 - {name: b, type: tcp, host: 'b:1', slo: {target: 99.95%, window: 7d}}\n";
    let found = loaded(&[("monitors.d/a.yaml", text)]);
    assert_eq!(said(&found), Vec::<String>::new());
    let objectives: Vec<_> =
        found.config.objectives.iter().map(|(n, o)| (n.to_string(), o.slo.to_string(), o.slo.window)).collect();
    let days = |n: u64| Duration::from_secs(n * 86_400);
    assert_eq!(
        objectives,
        [("a".to_owned(), "99%".to_owned(), days(30)), ("b".to_owned(), "99.95%".to_owned(), days(7))]
    );
    let groups: Vec<&str> = found.config.rules.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(groups, ["slo a", "slo a, long", "slo b", "slo b, long"]);
    // A paused one is reported on; nothing watches it.
    let paused = loaded(&[("monitors.d/a.yaml", &text.replace("slo: {", "paused: true, slo: {"))]);
    let of_b = paused.config.objectives.iter().find(|(name, _)| name.as_str() == "b").unwrap().1;
    assert_eq!((of_b.slo.to_string().as_str(), of_b.groups.len()), ("99.95%", 0));
    assert_eq!(paused.config.rules.len(), 2);
    let bad = loaded(&[("monitors.d/a.yaml", "monitors:\n  - {name: a, type: tcp, host: 'a:1', slo: 101%}\n")]);
    assert_eq!(
        said(&bad),
        ["monitors.d/a.yaml:2:44 W006 `slo`: `101%` is not between 50% and 99.9999%, with four digits at most"]
    );
}

#[test]
fn an_objective_that_cannot_be_watched_is_warned_of_where_it_stands() {
    #[track_caller]
    fn check(monitor: &str, want: &[&str]) {
        let text = format!("monitors:\n  - {{name: a, type: tcp, host: 'a:1', {monitor}}}\n");
        let found = loaded(&[("watchdog.yaml", "storage: {retention: 60d}\n"), ("monitors.d/a.yaml", &text)]);
        assert_eq!(said(&found), want, "{monitor}");
        assert_eq!(found.config.objectives.len(), 1);
    }
    check("slo: 99.9%, interval: 10m", &[]);
    check(
        "slo: 99.99%, interval: 5m",
        &["monitors.d/a.yaml:2:44 W016 99.99% over 30d allows 4m19s of errors: one failed probe every 5m is more"],
    );
    check(
        "slo: 90%, interval: 24h",
        &["monitors.d/a.yaml:2:44 W016 `slo` has no alert: its longest window, 3d, holds too few probes"],
    );
    check(
        "slo: {target: 99%, window: 90d}",
        &["monitors.d/a.yaml:2:44 W016 `slo` is over 90d, and `storage.retention` keeps 60d"],
    );
    // One of a file's defaults is said once.
    let text = "defaults: {slo: 99.99%, interval: 1h}\nmonitors:\n  - {name: a, type: tcp, host: 'a:1'}\n\
                \x20 - {name: b, type: tcp, host: 'b:1'}\n";
    assert_eq!(said(&loaded(&[("monitors.d/a.yaml", text)])).len(), 1);
}
