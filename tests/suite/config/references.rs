//! `${env:}` and `${file:}`: resolved where they stand, re-read on every load, never quoted.

use watchdog::config::fields::Resolver;
use watchdog::config::resolve::FromSystem;

use crate::config::fake::{Site, monitors, said};

#[test]
fn a_file_reference_is_relative_to_the_directory_and_loses_one_line_end() {
    let site = Site::new();
    site.write("secrets/token", "s3cret\n").write("secrets/two", "a\n\n").write("secrets/dos", "a\r\n");
    let resolver = FromSystem::new(site.dir());
    assert_eq!(resolver.resolve("file", "secrets/token"), Ok("s3cret".to_owned()));
    assert_eq!(resolver.resolve("file", "secrets/two"), Ok("a\n".to_owned()));
    assert_eq!(resolver.resolve("file", "secrets/dos"), Ok("a".to_owned()));
    let absolute = site.path("secrets/token").display().to_string();
    assert_eq!(resolver.resolve("file", &absolute), Ok("s3cret".to_owned()));
}

#[test]
fn what_does_not_resolve_says_why() {
    let site = Site::new();
    site.write("big", vec![b'x'; (64 << 10) + 1]).write("bytes", [0xff, 0xfe]).write("dir/x", "");
    nix::unistd::mkfifo(&site.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let resolver = FromSystem::new(site.dir());
    #[track_caller]
    fn check(resolver: &FromSystem, scheme: &str, name: &str, part: &str) {
        let message = resolver.resolve(scheme, name).unwrap_err();
        assert!(message.contains(part), "{message}");
    }
    check(&resolver, "file", "missing", "cannot be read");
    check(&resolver, "file", "big", "larger than 64 KiB");
    check(&resolver, "file", "bytes", "not UTF-8");
    check(&resolver, "file", "dir", "not a regular file");
    check(&resolver, "file", "pipe", "not a regular file");
    check(&resolver, "file", "", "names no file");
    check(&resolver, "env", "WATCHDOG_TEST_SURELY_NOT_SET", "not set");
    check(&resolver, "env", "A=B", "not set");
    check(&resolver, "secret", "x", "not part of this version");
    check(&resolver, "evn", "x", "not a kind of reference");
}

#[test]
fn an_unresolved_reference_is_marked_within_its_value() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n- {name: a, type: tcp, host: \"x-${env:NOPE}-y\"}\n- {name: b, type: tcp, host: '${env:TOKEN'}\n",
    );
    let loaded = site.load();
    assert_eq!(
        said(&loaded),
        ["monitors.d/a.yaml:2:33 W010 `env:NOPE` is not there", "monitors.d/a.yaml:3:31 W010 `${` without its `}`",]
    );
    assert_eq!(loaded.problems[0].length, "${env:NOPE}".len());
}

#[test]
fn two_dollars_stand_for_one_and_nothing_is_resolved() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors: [{name: 'a $${env:NOPE} ${env:TOKEN} $$ $', type: tcp, host: x}]");
    let loaded = site.load();
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert!(loaded.config.monitors.contains_key("a ${env:NOPE} t0ken $$ $"));
}

#[test]
fn no_problem_quotes_what_a_reference_holds() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n\
         - {name: a, type: tcp, host: x, interval: '${env:TOKEN}', timeout: '${env:TOKEN}', retries: '${env:TOKEN}',\n\
         \x20  paused: '${env:TOKEN}', schedule: '${env:TOKEN}', timezone: '${env:TOKEN}', alert: '${env:TOKEN}'}\n\
         - {name: b, type: '${env:TOKEN}', labels: '${env:TOKEN}'}\n\
         - {name: c, type: tcp, host: x, alert: {severity: '${env:TOKEN}', after: '${env:TOKEN}'}}\n",
    )
    .write(
        "watchdog.yaml",
        "server: {listen: '${env:TOKEN}', external_url: '${env:TOKEN}'}\nroute: {receiver: '${env:TOKEN}'}\n",
    );
    let loaded = site.load();
    assert!(loaded.problems.len() >= 12, "{:#?}", said(&loaded));
    assert!(!format!("{:?}", loaded.problems).contains("t0ken"));
}

#[test]
fn a_file_reference_that_appears_later_makes_the_monitor_whole() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors: [{name: a, type: tcp, host: '${file:host}'}]")
        .write("monitors.d/b.yaml", monitors(&["b"]));
    let load = |previous| {
        watchdog::config::load(site.dir(), &crate::config::fake::Kinds, &FromSystem::new(site.dir()), previous)
    };
    let first = load(None);
    assert_eq!((first.config.monitors.len(), first.errors()), (1, 1));
    site.write("host", "db\n");
    let second = load(Some(&first));
    assert_eq!((second.config.monitors.len(), second.errors()), (2, 0));
    assert_eq!(second.config.monitors["a"].probe.target, "${file:host}");
}
