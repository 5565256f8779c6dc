//! Hot reload of the running server, the way editors, git and Kubernetes change files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::server::{Place, Server, wait_for};

/// Monitors that need no network: nothing here is probed within the test's time.
fn monitors(names: &[&str], interval: &str) -> String {
    let mut text = format!("defaults: {{interval: {interval}, timeout: 1s}}\nmonitors:\n");
    for name in names {
        text.push_str(&format!("  - {{name: {name}, type: script, command: [\"true\"]}}\n"));
    }
    text
}

fn names(server: &Server) -> Vec<String> {
    let board = server.get("/api/v1/board");
    board["monitors"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn becomes(server: &Server, want: &[&str]) {
    wait_for(&format!("{want:?}"), || (names(server) == want).then_some(()));
}

/// Loads by request, so that what was written before has been seen, and gives the reply.
fn reload(server: &Server) -> Value {
    server.post("/api/v1/reload")
}

fn problems(server: &Server) -> usize {
    server.get("/api/v1/config")["problems"].as_array().unwrap().len()
}

#[test]
fn a_new_file_an_edit_and_a_removal_take_effect_by_themselves() {
    let place = Place::new();
    place.write("monitors.d/a.yaml", &monitors(&["one"], "1h"));
    let server = place.serve();
    becomes(&server, &["one"]);
    place.write("monitors.d/sub/b.yaml", &monitors(&["two"], "1h"));
    becomes(&server, &["one", "two"]);
    place.write("monitors.d/sub/b.yaml", &monitors(&["two", "three"], "1h"));
    becomes(&server, &["one", "three", "two"]);
    fs::remove_file(place.config().join("monitors.d/a.yaml")).unwrap();
    becomes(&server, &["three", "two"]);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_broken_file_keeps_its_last_good_content_and_is_reported() {
    let place = Place::new();
    place.write("monitors.d/a.yaml", &monitors(&["one", "two"], "1h"));
    place.write("monitors.d/b.yaml", &monitors(&["three"], "1h"));
    let server = place.serve();
    place.write("monitors.d/a.yaml", "monitors:\n  - {name: one, type: script, command: [\"true\"]\n");
    wait_for("the report", || (problems(&server) > 0).then_some(()));
    assert_eq!(names(&server), ["one", "three", "two"]);
    let problem = server.get("/api/v1/config")["problems"][0].clone();
    assert_eq!(problem["file"], "monitors.d/a.yaml");
    assert!(problem["line"].as_u64().unwrap() >= 2, "{problem}");
    wait_for("the complaint", || {
        let board = server.get("/api/v1/board");
        board["engine"]["complaints"][0].as_str().map(|c| assert!(c.contains("configuration"), "{c}"))
    });
    place.write("monitors.d/a.yaml", &monitors(&["one"], "1h"));
    becomes(&server, &["one", "three"]);
    assert_eq!(problems(&server), 0);
}

#[test]
fn editors_leave_no_trace() {
    let place = Place::new();
    let text = monitors(&["one"], "1h");
    place.write("monitors.d/a.yaml", &text);
    let server = place.serve();
    let dir = place.config().join("monitors.d");
    // vim: probe file, backup by rename, new file, backup removed; a swap file all along.
    fs::write(dir.join(".a.yaml.swp"), "b0VIM").unwrap();
    fs::write(dir.join("4913"), "").unwrap();
    fs::remove_file(dir.join("4913")).unwrap();
    fs::rename(dir.join("a.yaml"), dir.join("a.yaml~")).unwrap();
    fs::write(dir.join("a.yaml"), monitors(&["one", "two"], "1h")).unwrap();
    becomes(&server, &["one", "two"]);
    // emacs: a lock that is a dangling link, an autosave.
    symlink("me@host.1234:5678", dir.join(".#a.yaml")).unwrap();
    fs::write(dir.join("#a.yaml#"), "monitors: [").unwrap();
    // sed -i and friends: a temporary name, then rename.
    fs::write(dir.join("sedX1Y2Z3"), &text).unwrap();
    fs::rename(dir.join("sedX1Y2Z3"), dir.join("a.yaml")).unwrap();
    becomes(&server, &["one"]);
    reload(&server);
    assert_eq!(problems(&server), 0, "{}", server.get("/api/v1/config"));
}

#[test]
fn a_hundred_saves_in_a_second_end_in_the_last_one_and_disturb_nobody() {
    let place = Place::new();
    place.write("monitors.d/steady.yaml", &monitors(&["steady"], "1h"));
    let server = place.serve();
    let first = wait_for("the first result", || server.row("steady").filter(|r| r["state"] == "up"));
    for i in 0..100 {
        place.write("monitors.d/a.yaml", &monitors(&[&format!("m{i}")], "1h"));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    becomes(&server, &["m99", "steady"]);
    let metrics = server.text("/metrics");
    let reloads: f64 = metrics
        .lines()
        .find_map(|l| l.strip_prefix("watchdog_config_reloads_total "))
        .and_then(|v| v.parse().ok())
        .unwrap();
    assert!((1.0..=5.0).contains(&reloads), "{reloads} reloads");
    let now = server.row("steady").unwrap();
    assert_eq!((&now["since"], &now["last"]), (&first["since"], &first["last"]), "the unchanged monitor ran again");
}

#[test]
fn a_config_map_swap_is_seen() {
    let place = Place::new();
    let dir = place.config().join("monitors.d");
    let version = |n: u32, text: &str| {
        let name = format!("..2026_{n}");
        fs::create_dir_all(dir.join(&name)).unwrap();
        fs::write(dir.join(&name).join("web.yaml"), text).unwrap();
        // The atomic writer: a new link, renamed over the old one.
        symlink(&name, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        if n > 0 {
            fs::remove_dir_all(dir.join(format!("..2026_{}", n - 1))).unwrap();
        }
    };
    version(0, &monitors(&["v0"], "1h"));
    symlink("..data/web.yaml", dir.join("web.yaml")).unwrap();
    let server = place.serve();
    becomes(&server, &["v0"]);
    for n in 1..5 {
        version(n, &monitors(&[&format!("v{n}")], "1h"));
        becomes(&server, &[&format!("v{n}")]);
    }
    assert_eq!(problems(&server), 0);
}

#[test]
fn a_directory_removed_and_put_back_blinds_nobody() {
    let place = Place::new();
    place.write("monitors.d/a.yaml", &monitors(&["one", "two"], "1h"));
    let server = place.serve();
    becomes(&server, &["one", "two"]);
    let (dir, aside) = (place.config(), place.data().join("aside"));
    fs::rename(&dir, &aside).unwrap();
    reload(&server);
    assert_eq!(names(&server), ["one", "two"], "a vanished directory is not believed");
    fs::rename(&aside, &dir).unwrap();
    place.write("monitors.d/b.yaml", &monitors(&["three"], "1h"));
    becomes(&server, &["one", "three", "two"]);
    // The same with the folder inside, deleted and written anew.
    fs::remove_dir_all(dir.join("monitors.d")).unwrap();
    reload(&server);
    assert_eq!(names(&server), ["one", "three", "two"]);
    place.write("monitors.d/a.yaml", &monitors(&["four"], "1h"));
    becomes(&server, &["four"]);
}

#[test]
fn a_checkout_shows_one_commit_or_the_other() {
    let place = Place::new();
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t", "-C"])
            .arg(place.config())
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let commit = |tag: &str| {
        for file in ["a", "b", "c"] {
            place.write(&format!("monitors.d/{file}.yaml"), &monitors(&[&format!("{file}-{tag}")], "1h"));
        }
        git(&["add", "-A"]);
        git(&["commit", "-qm", tag]);
        git(&["tag", tag]);
    };
    git(&["init", "-q"]);
    commit("old");
    commit("new");
    let server = place.serve();
    for _ in 0..10 {
        for tag in ["old", "new"] {
            git(&["checkout", "-q", tag]);
            let want = [format!("a-{tag}"), format!("b-{tag}"), format!("c-{tag}")];
            wait_for(tag, || {
                let now = names(&server);
                let mixed = now.iter().any(|n| n.ends_with("old")) && now.iter().any(|n| n.ends_with("new"));
                assert!(!mixed, "half a checkout: {now:?}");
                (now == want).then_some(())
            });
        }
    }
}

#[test]
fn a_first_start_with_broken_files_runs_the_rest_and_strict_refuses() {
    let place = Place::new();
    place.write("monitors.d/good.yaml", &monitors(&["good"], "1h"));
    place.write("monitors.d/bad.yaml", "monitors:\n  - {name: bad, type: htpp, url: x}\n");
    let strict = place.command().args(["serve", "--strict"]).output().unwrap();
    assert_eq!(strict.status.code(), Some(78), "{}", String::from_utf8_lossy(&strict.stderr));
    let server = place.serve();
    becomes(&server, &["good"]);
    let second = place.command().arg("serve").output().unwrap();
    assert_eq!(second.status.code(), Some(73), "{}", String::from_utf8_lossy(&second.stderr));
    let holder = server.pid().to_string();
    assert!(String::from_utf8_lossy(&second.stderr).contains(&holder));
    assert!(Path::new(&place.socket()).exists());
    assert_eq!(server.stop(), 0);
    assert!(!Path::new(&place.socket()).exists(), "the socket is removed");
}
