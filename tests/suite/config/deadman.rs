//! `heartbeat:` of the main file.

use std::time::Duration;

use crate::config::fake::Site;

#[test]
fn an_address_is_enough() {
    let site = Site::new();
    site.write("watchdog.yaml", "heartbeat: {url: 'https://hc.example.com/ping/abc'}\n");
    let loaded = site.load();
    assert_eq!(loaded.problems, []);
    let heartbeat = loaded.config.heartbeat.clone().unwrap();
    assert_eq!((heartbeat.url.reveal().as_str(), heartbeat.post), ("https://hc.example.com/ping/abc", false));
    assert_eq!(heartbeat.interval, Duration::from_secs(60));
    assert!(!format!("{:?}", loaded.config).contains("abc"), "whoever knows the address can pretend that we live");
    site.write("watchdog.yaml", "heartbeat: {url: 'http://127.0.0.1:9/', interval: 10s, method: POST}\n");
    let heartbeat = site.load().config.heartbeat.clone().unwrap();
    assert_eq!((heartbeat.interval, heartbeat.post), (Duration::from_secs(10), true));
    site.write("watchdog.yaml", "query: {}\n");
    assert_eq!(site.load().config.heartbeat, None);
}

#[test]
fn mistakes_are_found_where_they_stand() {
    #[track_caller]
    fn check(line: &str, column: usize, message: &str) {
        let site = Site::new();
        site.write("watchdog.yaml", format!("{line}\n"));
        let loaded = site.load();
        let found: Vec<_> = loaded.problems.iter().map(|p| (p.column, p.message.as_str())).collect();
        assert_eq!(found, [(column, message)], "{line}");
        assert_eq!(loaded.config.heartbeat.is_some(), !message.contains("`url`"), "{line}");
    }
    let wrong = "`url`: is not an address that begins with `http://` or `https://`";
    check("heartbeat: {interval: 1m}", 13, "`url` is missing");
    check("heartbeat: {url: hc.example.com}", 18, wrong);
    check("heartbeat: {url: 'ftp://hc.example.com'}", 19, wrong);
    check("heartbeat: {url: 'http://h/', interval: 2d}", 41, "`interval` is 2d, allowed are 1s to 1d");
    check("heartbeat: {url: 'http://h/', method: PUT}", 39, "`method`: is neither `GET` nor `POST`");
    check("heartbeat: {url: 'http://h/', every: 1m}", 31, "`every` is not a key here");
}

#[test]
fn a_change_is_seen_as_one() {
    let site = Site::new();
    site.write("watchdog.yaml", "heartbeat: {url: 'http://127.0.0.1:9/a'}\n");
    let first = site.load();
    site.write("watchdog.yaml", "heartbeat: {url: 'http://127.0.0.1:9/b'}\n");
    assert!(watchdog::config::diff(&first.config, &site.reload(&first).config).heartbeat);
}
