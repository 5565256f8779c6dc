//! A real server for a test: in a directory of its own, on a port of its own, gone with the test.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::{Instant, interval};
use watchdog::base::clock::Clock;
use watchdog::base::outcome::{Outcome, Verdict};
use watchdog::base::probe::ProbeCx;
use watchdog::collect::kinds::metric;
use watchdog::config::catalog::{Catalog, Probe};
use watchdog::config::fields::{Cx, Fields, Resolver};
use watchdog::config::report::Source;
use watchdog::config::yaml;
use watchdog::engine::kinds::Kinds;

use crate::needs;
use crate::server::wait_for;

/// A running server.
pub struct Daemon {
    child: Child,
    dir: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for pid in self.family() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Daemon {
    /// Starts `program` in `dir`, which holds its configuration. What it prints goes to `log` there. It must stay
    /// in the foreground.
    pub fn start<S: AsRef<std::ffi::OsStr>>(dir: TempDir, program: &str, args: impl IntoIterator<Item = S>) -> Self {
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(args)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    /// Waits until something takes connections at this port of loopback.
    #[must_use]
    pub fn listening(mut self, port: u16) -> Self {
        let up = wait_for("a connection to the server", || {
            let dead = self.child.try_wait().unwrap().is_some();
            assert!(!dead, "the server ended: {}", self.log());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        drop(up);
        self
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    /// Stops it where it stands, with all its processes and threads: a signal takes a moment to reach them.
    pub fn stop(&self) {
        // Its first process goes first: it would start another for one that it misses.
        for pid in self.family() {
            // One may have come to its end meanwhile.
            let _ = kill(pid, Signal::SIGSTOP);
        }
        wait_for("a standstill of the server", || {
            let tasks = self.family().into_iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok());
            let mut states = tasks.flatten().flatten().filter_map(|t| fs::read_to_string(t.path().join("stat")).ok());
            // What has ended stands still, too.
            states.all(|stat| stat.rsplit(") ").next().is_some_and(|s| s.starts_with(['T', 'Z']))).then_some(())
        });
    }

    /// Its first process and all that came from it.
    fn family(&self) -> Vec<Pid> {
        let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                // The name may hold anything; after it come the state and the parent.
                Some((pid, stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()?))
            })
            .collect();
        let mut found = vec![self.pid()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        found.into_iter().map(Pid::from_raw).collect()
    }

    /// Its process, for signals.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }
}

/// A port of loopback that was free a moment ago, and that nobody else here is given: servers that cannot be asked which
/// they took get one.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// A program's path when it is installed, where services are too; says so when it is not.
pub fn program(name: &str, package: &str) -> Option<String> {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"]
        .iter()
        .map(|dir| PathBuf::from(dir).join(name))
        .find(|path| path.exists());
    needs::met(found.is_some(), &format!("Debian's package {package}")).then(|| found.unwrap().display().to_string())
}

struct NoSecrets;

impl Resolver for NoSecrets {
    fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
        Ok(format!("secret-{name}"))
    }
}

/// Builds a probe from options as YAML text. `${env:NAME}` gives `secret-NAME`.
pub fn build(kind: &str, text: &str) -> Probe {
    let root = yaml::parse(text).0.unwrap();
    let cx = Cx::new(Source::new("test.yaml", text), &NoSecrets);
    let mut fields = Fields::of(&cx, &root).unwrap();
    let probe = Kinds.monitor(kind, &mut fields);
    fields.finish();
    assert_eq!(cx.into_problems(), [], "{text}");
    probe.unwrap()
}

/// Probes once. Whatever is measured is described, too; programs name their metrics as they like.
pub async fn probe(kind: &str, text: &str, limit: Duration) -> Outcome {
    let probe = build(kind, text);
    let cx = ProbeCx::new(tokio::time::Instant::now() + limit, Clock::system().now());
    let outcome = probe.collector.probe(&cx).await;
    let silent = outcome.samples.iter().find(|s| kind != "script" && metric(kind, &s.name).is_none());
    assert_eq!(silent, None, "no row of `metrics` says what it is");
    outcome
}

/// The class of a failure; nothing of a success.
pub fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

/// Probes until the class of the outcome is this one; what it is in the end: servers do much beside answering.
pub async fn until(kind: &str, text: &str, wanted: &str) -> Outcome {
    let end = Instant::now() + Duration::from_secs(20);
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        let got = probe(kind, text, Duration::from_secs(5)).await;
        if class(&got) == wanted || Instant::now() > end {
            return got;
        }
    }
}

/// The end of a server, which takes connections at this port: one that stands still lets the deadline strike in this
/// phase, one that is gone refuses.
pub async fn ends(kind: &str, server: Daemon, port: u16, text: &str, phase: &str) {
    server.stop();
    let stopped = probe(kind, text, Duration::from_millis(300)).await;
    assert_eq!((stopped.verdict, class(&stopped)), (Verdict::Down, "timeout"), "{stopped:?}");
    assert!(stopped.phases.iter().any(|p| p.name == phase && p.failed), "{:?}", stopped.phases);
    drop(server);
    wait_for("the end of the server", || TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()));
    let gone = probe(kind, text, Duration::from_secs(5)).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"), "{gone:?}");
}
