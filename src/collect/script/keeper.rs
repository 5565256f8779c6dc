//! The keeper: a small process between Watchdog and a program that it runs, so that nothing of what the
//! program starts outlives it.
//!
//! A program may fork twice, start a session of its own and so leave its process group; only its ancestors
//! can still find it. The keeper is that ancestor: as a "subreaper" (prctl(2)) it inherits every orphan
//! below it, and it ends when Watchdog's end of its standard input is closed, for whatever reason, the
//! death of Watchdog included. It also is the place to set limits before the program runs: in a
//! process with threads nothing but `exec` may happen between `fork` and the program.
//!
//! It is this very executable with [`ARGUMENT`]: one `exec` more per run, some 3 ms. On standard input it
//! gets an [`Order`] as one line of JSON, later perhaps `t` (end politely), and answers with an [`End`].
//!
//! How much address space the program may have would bind the keeper, too, while it starts one. So with `max_memory` it
//! starts this executable once more, with [`LIMITED`], which binds itself and becomes the program.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, getpid, setsid};
use serde::{Deserialize, Serialize};

/// What the command line says to make this executable a keeper.
pub const ARGUMENT: &str = "__keep-script";
/// What it says to make it become a program of limited memory.
pub const LIMITED: &str = "__limit-script";

/// How often the keeper counts the program's processes: root is not bound by `RLIMIT_NPROC`. Two processors
/// can fork some hundred times in between; counting three processes takes 30 µs.
const COUNTED: Duration = Duration::from_millis(20);
/// What the program may have open before it asks for more. Watchdog's own limit may be a million, and some
/// programs close every possible file first.
const FILES: u64 = 1_024;
/// Rounds of killing before processes that do not die (waiting for a dead disk) are left to the kernel.
const ROUNDS: usize = 2_000;

/// What to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// All of its environment.
    pub env: Vec<(String, String)>,
    /// Where.
    pub cwd: Option<PathBuf>,
    /// As which user and group; otherwise as ourselves.
    pub ids: Option<(u32, u32)>,
    /// How many processes it may have at a time.
    pub max_processes: u64,
    /// How much address space each of them may have, in bytes.
    pub max_memory: Option<u64>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It could not be started: an error's number.
    Refused(i32),
    /// It was not started: as whom it is to run may not run this executable, as a limit of memory needs.
    Barred,
    /// It had too many processes and was killed.
    Crowded,
}

impl Order {
    /// The command, in a process group of its own, without standard input. Its memory is not limited.
    pub fn command(&self) -> Option<Command> {
        let (program, args) = self.argv.split_first()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null());
        self.place(&mut command);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        Some(command)
    }

    /// With what a command runs, and as whom.
    fn place(&self, command: &mut Command) {
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value))).process_group(0);
        if let Some((user, group)) = self.ids {
            // Supplementary groups are dropped with it.
            command.uid(user).gid(group);
        }
    }

    fn spawn(&self) -> Result<Child, End> {
        match (self.max_memory, self.command()) {
            (Some(bytes), _) => self.spawn_limited(bytes),
            (None, Some(mut command)) => command.spawn().map_err(|e| refused(&e)),
            (None, None) => Err(End::Refused(Errno::ENOENT as i32)),
        }
    }

    /// Spawns what becomes the program, and waits until it has.
    ///
    /// As the user already, not as root until then: the environment is the program's, and with it what the loader is told
    /// to load (`LD_PRELOAD`).
    fn spawn_limited(&self, bytes: u64) -> Result<Child, End> {
        let (mut told, theirs) = UnixStream::pair().map_err(|e| refused(&e))?;
        // By this name whoever may run us can, whatever folder we are in.
        let mut command = Command::new("/proc/self/exe");
        command.args([LIMITED, &bytes.to_string()]).arg(self.cwd.as_deref().unwrap_or(Path::new("")));
        command.args(&self.argv).stdin(OwnedFd::from(theirs));
        self.place(&mut command);
        let mut child = command.spawn().map_err(|e| match self.ids {
            // Of the program and its folder it has not come to think.
            Some(_) if errno(&e) == Errno::EACCES as i32 => End::Barred,
            _ => refused(&e),
        })?;
        // Its copy of the other end: what is left of that is closed by `exec`.
        drop(command);
        let mut failed = [0; 4];
        match told.read_exact(&mut failed) {
            Ok(()) => {
                child.wait().map_err(|e| refused(&e))?;
                Err(End::Refused(i32::from_ne_bytes(failed)))
            }
            Err(_) => Ok(child),
        }
    }
}

/// Binds this process, and becomes a program: `args` are the bytes of address space, the folder to run in (none if
/// empty), the program and its arguments. Who started it has set up all the rest.
///
/// Under the limit nothing may be allocated: there may be no room. Before it holds, the arguments are ready, and the
/// environment stays as it is; of such a command `exec` makes only system calls, as it must between `fork` and `exec`.
pub fn become_limited(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let bytes: Option<u64> = args.next().and_then(|bytes| bytes.to_str()?.parse().ok());
    let (cwd, program) = (args.next(), args.next());
    let (Some(bytes), Some(cwd), Some(program), Ok(told)) =
        (bytes, cwd, program, io::stdin().as_fd().try_clone_to_owned())
    else {
        return ExitCode::FAILURE;
    };
    let mut told = UnixStream::from(told);
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    if !cwd.is_empty() {
        command.current_dir(cwd);
    }
    let failed = match limit_memory(bytes) {
        Ok(()) => command.exec(),
        Err(e) => e.into(),
    };
    let _ = told.write_all(&errno(&failed).to_ne_bytes());
    ExitCode::FAILURE
}

/// The hard limit, too: the program cannot lift it.
fn limit_memory(bytes: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
    let most = bytes.min(hard);
    setrlimit(Resource::RLIMIT_AS, most, most)
}

/// The whole life of a keeper.
pub fn keep() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // Watchdog sees that there is no answer.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    close_inherited();
    // Not in Watchdog's session: no terminal, no signal that is meant for Watchdog.
    let _ = setsid();
    set_child_subreaper(true)?;
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut lines = BufReader::new(control.try_clone()?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let end = run(&order, lines);
    let mut answer = serde_json::to_string(&end)?;
    answer.push('\n');
    control.write_all(answer.as_bytes())
}

/// Closes what whoever started Watchdog has left open: all of our own files are closed by `exec`.
fn close_inherited() {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = open.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // The directory's own is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// The program's group; 0 before it runs.
static LEADER: AtomicI32 = AtomicI32::new(0);
/// Whether it was killed for its many processes.
static CROWDED: AtomicBool = AtomicBool::new(false);

fn run(order: &Order, control: BufReader<UnixStream>) -> End {
    let most = usize::try_from(order.max_processes).unwrap_or(usize::MAX);
    // Before the limits hold: a program that forks without end would leave no room for this thread.
    let listening = thread::Builder::new().spawn(move || {
        listen(control, most);
        // Watchdog is gone, or wants no answer any more.
        end_all();
        process::exit(0);
    });
    if let Err(e) = listening {
        return refused(&e);
    }
    limit(order);
    let leader = match order.spawn() {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(end) => return end,
    };
    LEADER.store(leader.as_raw(), Ordering::Relaxed);
    let end = loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == leader => break End::Code(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == leader => break End::Signal(signal as i32),
            // An orphan that was inherited.
            Ok(_) | Err(Errno::EINTR) => {}
            // The other thread has reaped it while killing all.
            Err(_) => break End::Signal(Signal::SIGKILL as i32),
        }
    };
    // What it left behind in the background would pile up with every probe.
    end_all();
    if CROWDED.load(Ordering::Relaxed) { End::Crowded } else { end }
}

fn refused(err: &io::Error) -> End {
    End::Refused(errno(err))
}

fn errno(err: &io::Error) -> i32 {
    err.raw_os_error().unwrap_or(Errno::EIO as i32)
}

/// Follows orders until there is nobody to give any; now and then counts the program's processes.
fn listen(mut control: BufReader<UnixStream>, most: usize) {
    if control.get_ref().set_read_timeout(Some(COUNTED)).is_err() {
        return;
    }
    let mut byte = [0];
    loop {
        match control.read(&mut byte) {
            Ok(0) => return,
            Ok(_) => match LEADER.load(Ordering::Relaxed) {
                0 => return,
                // A group that is gone is what we want.
                leader => drop(killpg(Pid::from_raw(leader), Signal::SIGTERM)),
            },
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                if descendants(most).len() > most {
                    CROWDED.store(true, Ordering::Relaxed);
                    end_all();
                }
            }
            Err(_) => return,
        }
    }
}

/// Limits that the program inherits and that the keeper can live with. One that cannot be set is one that is stricter already.
fn limit(order: &Order) {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, FILES.min(hard), hard);
    }
    // The kernel counts all tasks of a user, ours among them, and does not bind root.
    let user = order.ids.map_or_else(|| nix::unistd::getuid().as_raw(), |(user, _)| user);
    if user != 0 {
        let most = tasks_of(user) + order.max_processes;
        let _ = setrlimit(Resource::RLIMIT_NPROC, most, most);
    }
}

/// How many tasks a user has.
fn tasks_of(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut tasks = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().to_str().is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if is_process && entry.metadata().is_ok_and(|m| m.uid() == user) {
            // A process without threads has one task; the entry may be gone by now.
            tasks += fs::read_dir(entry.path().join("task")).map_or(1, |tasks| tasks.count() as u64);
        }
    }
    tasks
}

/// Every process below this one, zombies included. Stops when there are more than `most`: whoever forks
/// without end makes them faster than they can be counted.
fn descendants(most: usize) -> BTreeSet<Pid> {
    let mut found = BTreeSet::new();
    let mut open = vec![getpid()];
    while let Some(pid) = open.pop()
        && found.len() <= most
    {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_ascii_whitespace().filter_map(|p| p.parse().ok()).map(Pid::from_raw);
            open.extend(children.filter(|child| found.insert(*child)));
        }
    }
    found
}

/// Kills everything below and reaps it.
fn end_all() {
    for round in 0..ROUNDS {
        // To a whole group the kernel sends a signal at once: nobody in it can fork and get away.
        let leader = LEADER.load(Ordering::Relaxed);
        if leader != 0 {
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
        let all = descendants(usize::MAX);
        if all.is_empty() {
            return;
        }
        let groups: BTreeSet<Pid> = all.iter().filter_map(|p| nix::unistd::getpgid(Some(*p)).ok()).collect();
        for group in groups.into_iter().filter(|g| *g != getpgrp()) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        for pid in all {
            let _ = kill(pid, Signal::SIGKILL);
        }
        while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|s| s != WaitStatus::StillAlive) {}
        if round > 10 {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
