//! A disk that is full: refused politely, everything else goes on, and it heals by itself. One that confirms nothing
//! ends the server.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::numbered::{Faults, Numbered};
use super::{Link, now_ms};
use crate::needs;
use crate::server::{Place, wait_for};

/// A small disk of its own; dropping it unmounts it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(at).status().unwrap();
        assert!(done.success(), "cannot mount a tmpfs at {}", at.display());
        Self(at.to_owned())
    }

    /// Takes what is free.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        // The last pieces are small, or up to a mebibyte would stay free.
        for size in [1 << 20, 4096, 1] {
            let piece = vec![1; size];
            while file.write_all(&piece).is_ok() {}
        }
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that a failing test left behind may still hold files.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_samples_politely_and_heals_by_itself() {
    if !needs::allowed(nix::unistd::geteuid().is_root(), "root, to mount a small disk") {
        return;
    }
    let place = Place::new();
    place.write("monitors.d/a.yaml", "monitors:\n  - {name: m, type: script, command: [\"true\"], interval: 1s}\n");
    let disk = SmallDisk::mount(&place.data());
    let samples = Numbered::new(now_ms() - 3_600_000);
    let server = place.serve();
    let mut link = Link::open(&place.socket()).unwrap();
    let mut acked = 0;
    let mut push = |acked: &mut i64| {
        let reply = link.write(&samples.protobuf(*acked)).unwrap();
        *acked += i64::from((200..300).contains(&reply.status));
        reply
    };
    for _ in 0..20 {
        assert!((200..300).contains(&push(&mut acked).status));
    }

    let ballast = disk.fill();
    let refused = wait_for("the refusal", || Some(push(&mut acked)).filter(|r| r.status >= 300));
    assert!([503, 507].contains(&refused.status), "{} {}", refused.status, refused.body);
    assert!(refused.head.contains("\r\nretry-after:"), "{}", refused.head);
    let probes = || -> f64 {
        let text = server.text("/metrics");
        text.lines()
            .filter(|l| l.starts_with("watchdog_probes_total"))
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    let so_far = probes();
    wait_for("two more probes", || (probes() >= so_far + 2.0).then_some(()));
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "while full");

    fs::remove_file(ballast).unwrap();
    let freed = Instant::now();
    let before = acked;
    wait_for("accepting again", || {
        push(&mut acked);
        (acked > before).then_some(())
    });
    assert!(freed.elapsed() < Duration::from_secs(10), "took {:?}", freed.elapsed());
    for _ in 0..20 {
        push(&mut acked);
    }
    assert_eq!(acked, before + 21);
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "with space again");
    server.kill();

    // Killed while it is full again: what a start needs is there.
    let server = place.serve();
    let mut link = Link::open(&place.socket()).unwrap();
    let ballast = disk.fill();
    wait_for("the refusal", || {
        let status = link.write(&samples.protobuf(acked)).unwrap().status;
        acked += i64::from(status < 300);
        (status >= 300).then_some(())
    });
    server.kill();
    fs::remove_file(ballast).unwrap();
    let server = place.serve();
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "killed while full");
    server.kill();
}

#[test]
fn a_disk_that_confirms_nothing_ends_the_server_with_74() {
    if !needs::commands(&["strace"]) || !needs::allowed(nix::unistd::geteuid().is_root(), "root, to trace a process") {
        return;
    }
    let may_trace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success());
    if !needs::allowed(may_trace, "leave to trace processes") {
        return;
    }
    let place = Place::new();
    let samples = Numbered::new(now_ms() - 3_600_000);
    let server = place.serve();
    let mut link = Link::open(&place.socket()).unwrap();
    let mut acked = 0;
    for _ in 0..5 {
        assert!((200..300).contains(&link.write(&samples.protobuf(acked)).unwrap().status));
        acked += 1;
    }
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-p"])
        .arg(server.pid().to_string())
        .spawn()
        .unwrap();
    // What is refused, or cut off by the end, was not acknowledged.
    wait_for("the end", || match link.write(&samples.protobuf(acked)) {
        Ok(reply) => {
            acked += i64::from((200..300).contains(&reply.status));
            None
        }
        Err(_) => Some(()),
    });
    assert_eq!(server.ended(), 74);
    strace.wait().unwrap();
    assert!(place.log().contains("three times in a row"), "{}", place.log());
    let server = place.serve();
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default());
    server.kill();
}
