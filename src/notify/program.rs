//! Runs a program for a notification: no shell, no inherited environment, a deadline, and the whole
//! process group killed when it ends or is dropped. Its output is read to the end and kept in part.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::base::message::DeliveryError;
use crate::base::secret::Secret;
use crate::base::units::Exact;
use crate::notify::sending::SendError;

/// What is passed on of our own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];
/// Bytes kept of each of the two outputs.
const MAX_OUTPUT: usize = 16 * 1024;

/// What to run.
#[derive(Debug)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<Secret<String>>,
    /// Variables besides `PATH`, `HOME` and `LANG`.
    pub env: Vec<(String, Secret<String>)>,
    /// Variables of ours that it gets too.
    pub inherit: &'static [&'static str],
    /// Where it starts.
    pub cwd: Option<PathBuf>,
    /// For all of it.
    pub limit: Duration,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// The beginning of what it wrote.
    pub stdout: String,
    /// The beginning of what it complained of.
    pub stderr: String,
}

/// Kills the whole group however the run ends: `kill_on_drop` alone leaves grandchildren.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // A group that is gone is what we want.
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

impl Program {
    /// Runs it with further variables and arguments and `input` on its standard input.
    ///
    /// # Errors
    /// It cannot be started, or did not end in time.
    pub async fn run(&self, env: &[(&str, String)], args: &[String], input: &[u8]) -> Result<Ended, DeliveryError> {
        let Some((program, own)) = self.argv.split_first() else {
            return Err(SendError::Local("there is no program to run".to_owned()).permanent());
        };
        let mut command = Command::new(program.reveal());
        command.args(own.iter().map(Secret::reveal)).args(args).env_clear();
        let inherited = INHERITED.iter().chain(self.inherit);
        command.envs(inherited.filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))));
        // Of other people's text: a NUL would end the variable and fail the start.
        command.envs(env.iter().map(|(name, value)| (name, value.replace('\0', ""))));
        command.envs(self.env.iter().map(|(name, value)| (name, value.reveal())));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| {
            // Installing it later helps.
            SendError::Local(format!("cannot run `{}`: {e}", shown(program.reveal()))).retry(None)
        })?;
        let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let run = async {
            let feed = async {
                if let Some(pipe) = &mut stdin {
                    // A program that does not read its input is free to.
                    let _ = pipe.write_all(input).await;
                }
                drop(stdin.take());
            };
            let outputs = async { tokio::join!(feed, read(stdout), read(stderr)) };
            tokio::pin!(outputs);
            // The program's end decides; whoever it left behind may hold the pipes open.
            let mut written = None;
            let status = loop {
                tokio::select! {
                    biased;
                    all = &mut outputs, if written.is_none() => written = Some(all),
                    status = child.wait() => break status,
                }
            };
            if written.is_none() {
                written = timeout(Duration::from_millis(20), &mut outputs).await.ok();
            }
            (status, written)
        };
        match timeout(self.limit, run).await {
            Ok((Ok(status), written)) => {
                let ((), stdout, stderr) = written.unwrap_or_default();
                Ok(Ended { status, stdout, stderr })
            }
            Ok((Err(e), _)) => Err(SendError::Local(format!("waiting for the program: {e}")).retry(None)),
            Err(_) => {
                let text = format!("the program did not end within {} and was killed", Exact(self.limit));
                Err(SendError::Local(text).retry(None))
            }
        }
    }
}

/// The name of a program without its directories, which say nothing here.
fn shown(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Reads to the end, keeps the beginning.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return String::new() };
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let room = MAX_OUTPUT - kept.len();
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
