//! `watchdog init`: writes the starter configuration, which is the one that this repository ships.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::base::failure::{Failure, Kind};
use crate::base::term_safe::term_safe;
use crate::cli::ui::Look;
use crate::cli::{Answer, Done};

/// Write a starter configuration that watches this machine
#[derive(Args, Clone, Debug, Default)]
pub struct InitArgs {
    /// Directory to write into; created when it does not exist [default: the current directory]
    pub dir: Option<PathBuf>,
}

/// A row per starter file: its place and its text.
macro_rules! starter {
    ($($path:literal),* $(,)?) => { [$(($path, include_str!(concat!("../../../", $path)))),*] };
}

/// The starter files, embedded so that there is one truth.
pub const FILES: [(&str, &str); 12] = starter![
    "watchdog.yaml",
    "monitors.d/host.yaml",
    "monitors.d/self.yaml",
    "monitors.d/examples/http.yaml",
    "monitors.d/examples/tcp.yaml",
    "monitors.d/examples/script.yaml",
    "monitors.d/examples/host.yaml",
    "monitors.d/examples/heartbeat.yaml",
    "monitors.d/examples/webhook.yaml",
    "rules.d/README.md",
    "rules.d/machine.yaml",
    "templates.d/README.md",
];

#[derive(Debug, Serialize)]
struct Report {
    dir: String,
    written: Vec<&'static str>,
}

/// Writes the starter files into `args.dir` and says what to do next.
///
/// # Errors
/// One of the files exists (then nothing is written at all), or a file cannot be written.
pub fn run(args: &InitArgs, look: Look, out: &mut dyn Write) -> Done {
    let dir = args.dir.as_deref().unwrap_or(Path::new("."));
    let taken: Vec<&str> = FILES.iter().map(|f| f.0).filter(|path| dir.join(path).symlink_metadata().is_ok()).collect();
    if let Some(first) = taken.first() {
        let rest = if taken.len() > 1 { format!(" (and {} more)", taken.len() - 1) } else { String::new() };
        let message = format!("`{}` exists{rest}; nothing was written", dir.join(first).display());
        return Err(Failure::text(Kind::Bad, message).hint("name another directory, or move the files away"));
    }
    for (path, text) in FILES {
        create(&dir.join(path), text).map_err(|e| {
            let message = format!("cannot write `{}`: {e}", dir.join(path).display());
            Failure::text(Kind::Bad, message).hint("name a directory in which you may write")
        })?;
    }
    match say(dir, look.json, out) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(Kind::Internal, &e)),
        Ok(()) | Err(_) => Ok(Answer::Good),
    }
}

/// Never replaces anything, also when somebody else creates the file at this moment.
fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn say(dir: &Path, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        let written = FILES.iter().map(|f| f.0).collect();
        serde_json::to_writer_pretty(&mut *out, &Report { dir: dir.display().to_string(), written })?;
        writeln!(out)?;
        return out.flush();
    }
    for (path, _) in FILES {
        writeln!(out, "wrote  {}", term_safe(&dir.join(path).display().to_string()))?;
    }
    let shown = dir.display().to_string();
    let shown = term_safe(&shown);
    writeln!(out, "\nnext   watchdog check {shown}      lists mistakes, if any")?;
    writeln!(
        out,
        "       watchdog -c {shown}         shows it live; `watchdog serve -c {shown}` runs it without a screen"
    )?;
    out.flush()
}
