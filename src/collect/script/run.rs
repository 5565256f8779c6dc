//! One run of a program: started, read, ended in time.
//!
//! Output is read to its end but kept only up to a limit, so that a chatty program is neither blocked nor
//! able to fill memory. Dropping a run ends the program and all that it has started.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::{sleep, timeout, timeout_at};

use crate::base::probe::ProbeCx;
use crate::base::units::Short;
use crate::collect::fault::{Fault, describe};
use crate::collect::script::keeper::{ARGUMENT, End, Order};

/// Time between the polite and the hard end of a program that overran.
const TERM_GRACE: Duration = Duration::from_millis(200);
/// A program that writes so much has gone wild; reading on would only cost processor time.
const FLOOD: usize = 64 << 20;
/// How long what a program wrote may take to be read when it has ended and something else holds its outputs.
const DRAINED: Duration = Duration::from_millis(20);

/// The executable that keeps scripts: our own, when its `main` has said that it can.
static KEEPER: OnceLock<PathBuf> = OnceLock::new();

/// Has programs run below this executable, which takes [`ARGUMENT`]. Where nobody arranges it, as in a
/// program that merely uses this library, a run is held together by its process group alone.
pub fn arrange(executable: &Path) {
    // Whoever comes second means the same executable.
    let _ = KEEPER.set(executable.to_owned());
}

/// One of a program's outputs.
#[derive(Debug)]
pub struct Output {
    /// The beginning.
    pub kept: Vec<u8>,
    /// How much there was, in bytes.
    pub total: usize,
    /// How much is kept.
    most: usize,
}

impl Output {
    /// An output of which this much is kept.
    pub fn new(most: usize) -> Self {
        Self { kept: Vec::new(), total: 0, most }
    }
}

/// Runs to the end, or to the deadline.
///
/// # Errors
/// The program cannot be run, does not end in time, or floods us.
pub async fn run(order: &Order, cx: &ProbeCx, out: &mut Output, err: &mut Output) -> Result<End, Fault> {
    let mut job = Job::start(order).await?;
    let limit = cx.remaining() - TERM_GRACE.min(cx.remaining() / 4);
    let (stdout, stderr) = job.outputs();
    // A grandchild may hold the pipes open after the program has ended: the program's end decides,
    // and what it wrote is drained without waiting for more.
    let finished = timeout(limit, async {
        let reading = async { tokio::try_join!(read_all(stdout, out), read_all(stderr, err)) };
        tokio::pin!(reading);
        let ending = job.end();
        tokio::pin!(ending);
        let mut pipes_open = true;
        loop {
            tokio::select! {
                biased;
                read = &mut reading, if pipes_open => {
                    read?;
                    pipes_open = false;
                }
                end = &mut ending => {
                    if pipes_open {
                        // Reading ends at once when nobody else holds the pipes.
                        let _ = timeout(DRAINED, &mut reading).await;
                    }
                    return end;
                }
            }
        }
    })
    .await;
    match finished {
        Ok(Ok(end)) => {
            job.over();
            Ok(end)
        }
        Ok(Err(fault)) => Err(fault),
        Err(_) => {
            job.end_politely().await;
            let _ = timeout_at(cx.deadline, job.end()).await;
            // In steps of 10 ms, so that the same failure reads the same every time.
            let limit = Short(Duration::from_secs_f64((limit.as_secs_f64() * 100.0).ceil() / 100.0));
            Err(Fault::timeout(format!("the program did not end within {limit} and was stopped")))
        }
    }
}

/// A running program. Dropping it ends the program.
#[derive(Debug)]
enum Job {
    /// Below a keeper, which ends everything when `control` is closed.
    Kept { keeper: Child, control: BufReader<UnixStream> },
    /// In a process group of its own.
    Direct(Group),
}

/// `kill_on_drop` alone would leave grandchildren running.
#[derive(Debug)]
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // A group that is gone is what we want.
            let _ = killpg(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Job {
    async fn start(order: &Order) -> Result<Self, Fault> {
        match KEEPER.get() {
            Some(keeper) => Self::keep(keeper, order).await.map_err(|e| {
                let message = format!("cannot start the process that keeps the program: {}", describe(&e));
                Fault::local("local_exec", message)
            }),
            None => Self::direct(order).await,
        }
    }

    async fn keep(keeper: &Path, order: &Order) -> std::io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let mut command = Command::new(keeper);
        command.arg0("watchdog").arg(ARGUMENT).env_clear();
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let keeper = command.spawn()?;
        // Its copy of the keeper's end must be closed here, or the keeper's death would go unnoticed.
        drop(command);
        let mut control = BufReader::new(control);
        let mut text = serde_json::to_vec(order)?;
        text.push(b'\n');
        control.write_all(&text).await?;
        Ok(Self::Kept { keeper, control })
    }

    async fn direct(order: &Order) -> Result<Self, Fault> {
        let mut tries = 0;
        loop {
            let Some(command) = order.command() else {
                return Err(Fault::local("local_exec", "there is no program to run"));
            };
            let mut command = Command::from(command);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
            let failed = match command.spawn() {
                Ok(child) => {
                    let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
                    return Ok(Self::Direct(Group { child, leader }));
                }
                Err(e) => e,
            };
            // Another thread that forks at the wrong moment inherits a file being written (golang/go#22315
            // describes the race); it is over in a moment.
            if failed.raw_os_error() == Some(Errno::ETXTBSY as i32) && tries == 0 {
                tries += 1;
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            return Err(not_started(order, &failed));
        }
    }

    fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        let child = match self {
            Self::Kept { keeper, .. } => keeper,
            Self::Direct(group) => &mut group.child,
        };
        (child.stdout.take(), child.stderr.take())
    }

    /// Waits for the program's end.
    async fn end(&mut self) -> Result<End, Fault> {
        use std::os::unix::process::ExitStatusExt;
        match self {
            Self::Kept { control, .. } => {
                let mut line = String::new();
                let read = control.read_line(&mut line).await;
                let end = read.ok().and_then(|_| serde_json::from_str(&line).ok());
                end.ok_or_else(|| Fault::local("local_exec", "the process that keeps the program was killed"))
            }
            Self::Direct(group) => {
                let status = group.child.wait().await;
                let status = status
                    .map_err(|e| Fault::local("local_exec", format!("waiting for the program: {}", describe(&e))))?;
                Ok(status.code().map_or_else(|| End::Signal(status.signal().unwrap_or_default()), End::Code))
            }
        }
    }

    async fn end_politely(&mut self) {
        match self {
            // A keeper that does not take it has lost its program already.
            Self::Kept { control, .. } => drop(control.write_all(b"t").await),
            Self::Direct(group) => group.signal(Signal::SIGTERM),
        }
    }

    /// The program has ended; what it left behind in the background would pile up with every probe.
    fn over(&mut self) {
        if let Self::Direct(group) = self {
            // Numbers of processes are handed out in order, so this one cannot be somebody else's already.
            group.signal(Signal::SIGKILL);
            group.leader = None;
        }
    }
}

/// Why a program could not be started.
pub fn not_started(order: &Order, err: &std::io::Error) -> Fault {
    let program = order.argv.first().map_or("", String::as_str);
    let what = match &order.cwd {
        Some(cwd) if !cwd.is_dir() => format!("the directory `{}` does not exist", cwd.display()),
        _ => format!("cannot run `{program}`: {}", describe(err)),
    };
    Fault::local("local_exec", what)
}

/// Reads to the end, keeps the beginning.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>, output: &mut Output) -> Result<(), Fault> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = [0; 4096];
    // An error ends the reading like an end does: the exit code is what is judged.
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let room = output.most - output.kept.len();
        output.kept.extend_from_slice(&buffer[..n.min(room)]);
        output.total += n;
        if output.total > FLOOD {
            let message = format!("the program wrote more than {} MiB and was stopped", FLOOD >> 20);
            return Err(Fault::target("output_limit", message));
        }
    }
    Ok(())
}
