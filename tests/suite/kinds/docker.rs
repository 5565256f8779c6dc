//! `docker` against a real Podman, which speaks Docker's protocol. Containers are made, not run: that needs control
//! groups, which not every machine leaves to a test.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::needs;

const LIMIT: Duration = Duration::from_secs(10);

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

fn states(outcome: &Outcome) -> Vec<(String, f64)> {
    let all = outcome.samples.iter().filter(|s| s.name == "engine_daemon_container_states_containers");
    all.map(|s| (s.labels[0].1.to_string(), s.value)).collect()
}

/// Options by which all that Podman writes is in this directory.
fn place(dir: &Path) -> Vec<String> {
    let of = |name: &str| dir.join(name).display().to_string();
    [
        "--root",
        &of("r"),
        "--runroot",
        &of("n"),
        "--tmpdir",
        &of("t"),
        "--storage-driver",
        "vfs",
        "--events-backend",
        "none",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn run(podman: &str, dir: &Path, args: &[&str]) -> Output {
    Command::new(podman).args(place(dir)).args(args).current_dir(dir).output().unwrap()
}

#[tokio::test]
async fn a_real_podman_is_judged_by_its_containers() {
    let Some(podman) = program("podman", "podman") else { return };
    if !needs::allowed(nix::unistd::geteuid().is_root(), "root, for Podman's storage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    if !needs::allowed(run(&podman, dir.path(), &["info"]).status.success(), "a machine on which Podman works") {
        return;
    }
    let port = free_port();
    let mut args = place(dir.path());
    args.extend(["system", "service", "--time=0", &format!("tcp://127.0.0.1:{port}")].map(str::to_owned));
    let server = Daemon::start(dir, &podman, args).listening(port);
    let text = |expect: &str| format!("{{host: \"tcp://127.0.0.1:{port}\", expect: {expect}}}");
    let own = |n: [f64; 3]| [("running".to_owned(), n[0]), ("paused".to_owned(), n[1]), ("stopped".to_owned(), n[2])];

    let empty = probe("docker", &text("{}"), LIMIT).await;
    assert_eq!((empty.verdict, empty.summary.as_str()), (Verdict::Up, "0 containers, 0 running"), "{empty:?}");
    assert_eq!(states(&empty), own([0.0; 3]));

    // An image of one file, so that no registry is asked.
    fs::write(server.dir().join("x"), "").unwrap();
    let tar = Command::new("tar").args(["-cf", "x.tar", "x"]).current_dir(server.dir()).output().unwrap();
    assert!(tar.status.success(), "{tar:?}");
    let imported = run(&podman, server.dir(), &["import", "x.tar", "wd-test"]);
    assert!(imported.status.success(), "{imported:?}");
    let make = ["create", "--name", "web", "--label", "role=front", "--network=none", "localhost/wd-test", "/x"];
    let made = run(&podman, server.dir(), &make);
    assert!(made.status.success(), "{made:?}");

    for (expect, want) in [
        ("{containers: {ghost: absent}}", (Verdict::Up, "")),
        ("{containers: {web: running}}", (Verdict::Down, "container")),
        ("{containers: {\"label:role=front\": running}}", (Verdict::Down, "container")),
        ("{containers: {\"label:role=back\": absent}}", (Verdict::Up, "")),
        ("{containers: {web: absent}}", (Verdict::Down, "container")),
        ("{restarts_below: 1}", (Verdict::Up, "")),
    ] {
        let got = probe("docker", &text(expect), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{expect}: {got:?}");
        assert_eq!(states(&got), own([0.0, 0.0, 1.0]));
        assert!(got.samples.iter().any(|s| s.name == "probe_docker_container_restarts_total"), "{got:?}");
    }

    server.stop();
    let slow = probe("docker", &text("{}"), Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{slow:?}");
    assert!(states(&slow).is_empty(), "nothing is known");
    kill(Pid::from_raw(server.pid()), Signal::SIGCONT).unwrap();
    drop(server);
    let gone = probe("docker", &text("{}"), LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"), "{gone:?}");
}
