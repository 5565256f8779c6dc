//! `script` with Debian's own Nagios plugins, with programs that want to stay, and `probe --nagios` as a plugin.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::probe;
use crate::needs;
use crate::server::{Place, wait_for};

const PLUGINS: &str = "/usr/lib/nagios/plugins";
const AS_OTHERS: &str = "root, to run a program as another user";

async fn plugin(name: &str, args: &str) -> Outcome {
    probe("script", &format!("{{command: [{PLUGINS}/{name}, {args}]}}"), Duration::from_secs(10)).await
}

fn perf(outcome: &Outcome, name: &str, label: &str) -> Option<f64> {
    let of = |l: &watchdog::base::outcome::Label| l.0 == "label" && l.1 == label;
    outcome.samples.iter().find(|s| s.name == name && s.labels.iter().any(of)).map(|s| s.value)
}

#[tokio::test]
async fn debians_plugins_run_as_they_are() {
    let found = Path::new(PLUGINS).join("check_load").exists();
    if !needs::met(found, "Debian's package monitoring-plugins-basic") {
        return;
    }
    for (state, verdict) in
        [("0", Verdict::Up), ("1", Verdict::Degraded), ("2", Verdict::Down), ("3", Verdict::Unknown)]
    {
        let got = plugin("check_dummy", &format!("\"{state}\", a text")).await;
        assert_eq!(got.verdict, verdict, "{got:?}");
        assert!(got.headline().ends_with("a text"), "{got:?}");
    }
    let load = plugin("check_load", "-w, 10000, -c, 20000").await;
    assert_eq!(load.verdict, Verdict::Up, "{load:?}");
    assert_eq!(perf(&load, "nagios_perf_warn", "load1"), Some(10_000.0));
    assert!(perf(&load, "nagios_perf", "load15").is_some());
    let disk = plugin("check_disk", "-w, \"1\", -c, \"1\", -p, /").await;
    assert!(perf(&disk, "nagios_perf", "/").is_some_and(|used| used > 0.0), "{disk:?}");
    assert!(perf(&disk, "nagios_perf_max", "/").is_some_and(|size| size > 0.0), "{disk:?}");
    let procs = plugin("check_procs", "-w, \"1:100000\", -c, \"1:\"").await;
    assert_eq!(procs.verdict, Verdict::Up, "{procs:?}");
    assert_eq!(perf(&procs, "nagios_perf_crit", "procs"), Some(1.0));
    let tcp = plugin("check_tcp", "-H, 127.0.0.1, -p, \"1\", -t, \"3\"").await;
    assert_eq!(tcp.verdict, Verdict::Down, "{tcp:?}");
    let usage = plugin("check_load", "--no-such-option").await;
    assert_eq!(usage.verdict, Verdict::Unknown, "{usage:?}");
}

/// `watchdog probe` with these words, by the very program that users have.
fn watchdog(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchdog")).arg("probe").args(words).output().unwrap()
}

/// Processes whose environment bears this mark.
fn marked(mark: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|e| fs::read(e.path().join("environ")).is_ok_and(|env| contains(&env, mark.as_bytes()))).count()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

/// Runs a shell's script with a mark of its own and waits until nothing of it is left.
fn wild(name: &str, more: &[&str], script: &str) -> (String, Option<i32>) {
    let mark = format!("WATCHDOG_TEST_MARK={name}-{}", std::process::id());
    let mut words = vec!["--timeout", "4s", "--nagios", "script", "--env", &mark];
    words.extend(more);
    words.extend(["--", "/bin/sh", "-c", script]);
    let out = watchdog(&words);
    wait_for("the end of all that the script started", || (marked(&mark) == 0).then_some(()));
    (String::from_utf8_lossy(&out.stdout).into_owned(), out.status.code())
}

#[test]
fn nothing_of_a_program_outlives_its_run() {
    // In a session of its own, with no parent, without the pipes: what daemons do.
    let (text, code) = wild("daemon", &[], "(setsid sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 &) ; echo fine");
    assert_eq!((code, text.starts_with("SCRIPT OK - fine")), (Some(0), true), "{text}");
    // The same, ignoring the polite signal, in a program that does not end.
    let (text, code) =
        wild("stubborn", &[], "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 300; sleep 300' &) ; sleep 300");
    assert_eq!((code, text.contains("did not end within")), (Some(2), true), "{text}");
    // Waiting for input that never comes: there is none to wait for.
    let (text, code) = wild("input", &[], "cat; echo read");
    assert_eq!((code, text.starts_with("SCRIPT OK - read")), (Some(0), true), "{text}");
}

#[test]
fn a_program_that_forks_without_end_is_stopped() {
    // Two thousand processes at most, should nobody stop it.
    let bomb = "f() { [ $1 -gt 0 ] && { f $(($1-1)) & f $(($1-1)) & wait; }; sleep 1; }; f 10";
    let (text, code) = wild("bomb", &["--set", "max_processes=50"], bomb);
    // Root's processes are counted. Anybody else's cannot fork: what the shell makes of that is its own business.
    if needs::allowed(geteuid().is_root(), "root, whose processes are counted") {
        assert_eq!((code, text.contains("more than 50 processes")), (Some(2), true), "{text}");
        wild("bomb-of-nobody", &["--set", "max_processes=50", "--user", "nobody"], bomb);
    }
}

#[test]
fn a_program_that_writes_without_end_is_stopped() {
    let (text, code) = wild("flood", &[], "yes | head -c 10000000000");
    assert_eq!((code, text.contains("more than 64 MiB")), (Some(2), true), "{text}");
}

#[test]
fn what_a_program_is_given_is_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    let evil = format!("$(touch {});-oProxyCommand=", file.display());
    let out = watchdog(&["--nagios", "script", "--", "/bin/echo", "--", &evil]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains(&evil) && !file.exists(), "{text}");
    // Nothing of Watchdog's is open in the program.
    let out = watchdog(&["--nagios", "script", "--", "/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let open = text.split(" | ").next().unwrap().trim_start_matches("SCRIPT OK - ").to_owned();
    // The fourth is the directory that is being read.
    assert_eq!(open.trim(), "0 1 2 3", "{text}");
    if needs::allowed(geteuid().is_root(), AS_OTHERS) {
        let out = watchdog(&["--nagios", "script", "--user", "nobody", "--", "/usr/bin/id", "-un"]);
        assert!(String::from_utf8_lossy(&out.stdout).starts_with("SCRIPT OK - nobody"), "{out:?}");
    }
}

#[test]
fn a_program_has_limits_a_group_of_its_own_and_no_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = fs::canonicalize(dir.path()).unwrap();
    // The fields of stat behind the name: state, parent, group, session, terminal.
    let look = "ulimit -c; ulimit -n; ulimit -v; sed 's/.*) //' /proc/$$/stat; echo $$; pwd; id -G";
    let run = |more: &[&str]| {
        let mut words = vec!["--nagios", "script", "--cwd", cwd.to_str().unwrap()];
        words.extend(more);
        // The first line is the summary; what is not up is shown in full.
        words.extend(["--set", "max_memory=512MiB", "--", "/bin/sh", "-c"]);
        let script = format!("({look}) | tr '\\n' ';'");
        let out = watchdog(&[&words[..], &[&script]].concat());
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let text = text.trim_start_matches("SCRIPT OK - ").split(" | ").next().unwrap().to_owned();
        text.split(';').map(str::to_owned).collect::<Vec<_>>()
    };
    let got = run(&[]);
    let [core, files, memory, stat, pid, folder, _groups, ..] = &got[..] else { panic!("{got:?}") };
    assert_eq!((core.as_str(), files.as_str(), memory.as_str()), ("0", "1024", "524288"), "{got:?}");
    let stat: Vec<&str> = stat.split(' ').collect();
    let (parent, group, session, terminal) = (stat[1], stat[2], stat[3], stat[4]);
    assert_eq!((group, terminal), (pid.as_str(), "0"), "{got:?}");
    // The keeper's session, not ours.
    assert_eq!(session, parent, "{got:?}");
    assert_eq!(folder, cwd.to_str().unwrap());
    if needs::allowed(geteuid().is_root(), AS_OTHERS) {
        fs::set_permissions(&cwd, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let got = run(&["--user", "nobody"]);
        // No group of root's is left.
        let groups = got[6].split(' ').collect::<Vec<_>>();
        assert!(groups.len() == 1 && groups != ["0"], "{got:?}");
    }
}

/// What `watchdog probe script` prints of a shell's command, with such a path and nothing else to pass on.
fn shell_with(path: &str, more: &[&str], command: &str) -> String {
    let mut probe = Command::new(env!("CARGO_BIN_EXE_watchdog"));
    probe.env_clear().env("PATH", path).args(["probe", "--nagios", "script"]).args(more);
    let out = probe.args(["--", "/bin/sh", "-c", command]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn the_least_memory_is_the_programs_whatever_its_environment() {
    let own = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for length in [0, 16, 48, 52, 64, 96, 112, 128, 176, 192, 240, 256, 320, 384, 576, 4_096, 100_000] {
        let path = format!("{own}:{}", "x".repeat(length));
        let look = "(ulimit -S -v unlimited) 2>&- && lifted=yes; echo $(ulimit -S -v) $(ulimit -H -v) $lifted";
        let got = shell_with(&path, &["--set", "max_memory=16MiB"], look);
        assert!(got.starts_with("SCRIPT OK - 16384 16384 | "), "{length}: {got}");
    }
}

#[test]
fn a_limit_of_memory_changes_nothing_else() {
    // The environment in its order, the arguments, what is open, whom it belongs to, and which signals are blocked or ignored.
    let look = "tr '\\0' ' ' </proc/$$/environ; tr '\\0' ' ' </proc/$$/cmdline; ls /proc/self/fd | tr '\\n' ' '; \
                sed 's/.*) //' /proc/$$/stat | cut -d' ' -f5; grep -h ^Sig[BI] /proc/$$/status; umask; ulimit -n -c";
    let (own, more) = ("/usr/bin:/bin", ["--set", "env={A: 1, B_C.D: 'x y'}", "--cwd", "/"]);
    let plain = shell_with(own, &more, &format!("({look}) | tr '\\n' ' '"));
    let limited =
        shell_with(own, &[&more[..], &["--set", "max_memory=16MiB"]].concat(), &format!("({look}) | tr '\\n' ' '"));
    let shown = |text: &str| text.split(" | 'time'").next().unwrap().to_owned();
    assert!(plain.contains("A=1 B_C.D=x y PATH=/usr/bin:/bin"), "{plain}");
    assert_eq!(shown(&limited), shown(&plain));
}

#[test]
fn a_program_of_limited_memory_that_cannot_be_run_is_told_as_any() {
    for (program, why) in [("/does/not/exist", "no such file or directory"), ("/etc/passwd", "permission denied")] {
        let out = watchdog(&["--nagios", "script", "--set", "max_memory=16MiB", "--", program]);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(text.starts_with(&format!("SCRIPT UNKNOWN - cannot run `{program}`: {why}")), "{text}");
    }
}

#[test]
fn a_user_who_may_not_run_watchdog_is_told_so_and_no_programs_fault() {
    if !needs::allowed(geteuid().is_root(), AS_OTHERS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // As an umask of 077 installs it.
    let own = dir.path().join("watchdog");
    fs::copy(env!("CARGO_BIN_EXE_watchdog"), &own).unwrap();
    fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let said = |more: &[&str]| {
        let mut probe = Command::new(&own);
        probe.args(["probe", "--nagios", "script", "--user", "nobody"]).args(more).args(["--", "/bin/echo", "hi"]);
        String::from_utf8_lossy(&probe.output().unwrap().stdout).into_owned()
    };
    let (limited, nowhere) = (["--set", "max_memory=512MiB"], ["--cwd", dir.path().to_str().unwrap()]);
    let text = said(&limited);
    assert!(text.starts_with("SCRIPT UNKNOWN - `nobody` may not run Watchdog's own file"), "{text}");
    assert!(said(&[]).starts_with("SCRIPT OK - hi"));
    // One that it may run, in a folder of root's.
    fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(said(&limited).starts_with("SCRIPT OK - hi"));
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let text = said(&[&limited[..], &nowhere].concat());
    assert!(text.starts_with("SCRIPT UNKNOWN - cannot run `/bin/echo`: permission denied"), "{text}");
}

#[test]
fn no_daemon_outlives_its_monitor_or_the_server() {
    let place = Place::new();
    let mark = format!("WATCHDOG_TEST_MARK=served-{}", std::process::id());
    let (name, value) = mark.split_once('=').unwrap();
    // Leaves a daemon behind, and does not end itself.
    let daemon = "(setsid sh -c \"trap '' TERM; sleep 300; sleep 300\" >/dev/null 2>&1 &); sleep 300";
    let monitors = |names: &[&str]| {
        let monitor = |n: &&str| {
            let command = serde_json::to_string(&["/bin/sh", "-c", daemon]).unwrap();
            format!("  - {{name: {n}, type: script, command: {command}, env: {{{name}: {value}}}}}\n")
        };
        let all: String = names.iter().map(monitor).collect();
        format!("defaults: {{interval: 1s, timeout: 900ms, retries: 0}}\nmonitors:\n{all}")
    };
    let gone = |what: &str| {
        let end = Instant::now() + Duration::from_secs(5);
        wait_for(what, || (marked(&mark) == 0).then_some(()));
        assert!(Instant::now() < end, "{what} took more than 5 s");
    };
    place.write("monitors.d/a.yaml", &monitors(&["one", "two"]));
    let server = place.serve();
    wait_for("daemons", || (marked(&mark) >= 4).then_some(()));
    // Removed in the middle of a run, while the others go on.
    place.write(
        "monitors.d/a.yaml",
        "monitors:\n  - {name: calm, type: heartbeat, token: a-token-of-one, interval: 1h}\n",
    );
    wait_for("the removal", || server.row("one").is_none().then_some(()));
    gone("the end of removed monitors' processes");
    wait_for("the end of the keepers", || children(server.pid()).is_empty().then_some(()));
    // Killed: nobody is left to clean up but the keepers.
    place.write("monitors.d/a.yaml", &monitors(&["three"]));
    wait_for("a daemon", || (marked(&mark) >= 2).then_some(()));
    server.kill();
    gone("the end of a killed server's processes");
}

/// Processes that have this parent, zombies included.
fn children(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn what_a_program_says_of_its_metrics_is_told() {
    let place = Place::new();
    let print = "echo '# HELP jobs_total Jobs done.'; echo '# TYPE jobs_total counter'; echo jobs_total 3";
    let command = serde_json::to_string(&["/bin/sh", "-c", print]).unwrap();
    let text = format!("monitors: [{{name: a, type: script, command: {command}, output: prometheus, interval: 1s}}]");
    place.write("monitors.d/a.yaml", &text);
    let server = place.serve();
    let told = wait_for("a description", || {
        Some(server.get("/api/v1/metadata?metric=jobs_total")["data"].get("jobs_total")?[0].clone())
    });
    assert_eq!((&told["type"], &told["help"]), (&"counter".into(), &"Jobs done.".into()));
}

#[test]
fn what_a_program_says_later_of_its_metrics_is_told_then() {
    let place = Place::new();
    let file = place.socket().with_file_name("printed");
    fs::write(&file, "edit_x 1\n").unwrap();
    let text = format!(
        "monitors: [{{name: a, type: script, command: [/bin/cat, {}], output: prometheus, interval: 1s}}]",
        file.display()
    );
    place.write("monitors.d/a.yaml", &text);
    let server = place.serve();
    wait_for("a sample", || {
        let found = server.get("/api/v1/query?query=edit_x");
        (!found["data"]["result"].as_array()?.is_empty()).then_some(())
    });
    assert!(server.get("/api/v1/metadata?metric=edit_x")["data"].as_object().unwrap().is_empty());
    fs::write(&file, "# HELP edit_x Edits.\n# HELP node_load1 LIE\nedit_x 2\n").unwrap();
    let told = wait_for("a description", || {
        Some(server.get("/api/v1/metadata?metric=edit_x")["data"].get("edit_x")?[0]["help"].clone())
    });
    assert_eq!(told, "Edits.");
    assert!(server.get("/api/v1/metadata?metric=node_load1")["data"].as_object().unwrap().is_empty());
}

#[test]
fn names_of_series_that_a_program_prints_obey_no_terminal() {
    let printf = r#"printf '{"a\033]0;x\007","b\302\233"="c"} 1'"#;
    let words = ["--nagios", "script", "--set", "output=prometheus", "--", "/bin/sh", "-c", printf];
    let out = watchdog(&words);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains(r"a\x1b]0;x\x07"), "{text:?}");
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(|c: char| c < ' ' || ('\u{80}'..='\u{9f}').contains(&c)), "{text:?}");
}

#[test]
fn a_probe_is_a_nagios_plugin() {
    #[track_caller]
    fn check(words: &[&str], code: i32, start: &str) {
        let out = watchdog(words);
        let text = String::from_utf8_lossy(&out.stdout);
        assert_eq!(out.status.code(), Some(code), "{text}");
        assert!(text.starts_with(start) && text.lines().count() == 1, "{text}");
    }
    check(&["host", "--nagios"], 0, "HOST OK - cpu ");
    check(&["tcp", "127.0.0.1:1", "--nagios"], 2, "TCP CRITICAL - connecting to 127.0.0.1:1");
    check(&["--nagios", "script", "--", "/bin/sh", "-c", "echo w; exit 1"], 1, "SCRIPT WARNING - w | 'time'=");
    check(&["--nagios", "script", "--", "/does/not/exist"], 3, "SCRIPT UNKNOWN - cannot run `/does/not/exist`");
    check(&["tcp", "db", "--nagios"], 3, "UNKNOWN - ");
    check(&["tcp", "--no-such-flag", "--nagios"], 3, "UNKNOWN - ");
}
