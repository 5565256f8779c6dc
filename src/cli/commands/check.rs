//! `watchdog check`: reads the configuration as the server would and lists every mistake. Needs no
//! server and opens no connection.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::base::failure::{Failure, Kind};
use crate::base::term_safe::json_safe;
use crate::cli::ui::Look;
use crate::cli::{Answer, Done};
use crate::config::catalog::Catalog;
use crate::config::resolve::FromSystem;
use crate::config::{Loaded, load, render};
use crate::wire::api::Problem;

/// Check the configuration and list every mistake with its place
#[derive(Args, Clone, Debug, Default)]
pub struct CheckArgs {
    /// Configuration directory [default: the one that the server would use]
    pub dir: Option<PathBuf>,
}

/// The contract of `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    dir: String,
    files: usize,
    monitors: usize,
    problems: &'a [Problem],
}

/// Checks `args.dir`, or `default_dir`. 0 when there are no errors (warnings are fine), 1 when there are.
///
/// # Errors
/// The directory does not exist or cannot be opened (a usage failure), or nothing can be written.
pub fn run(args: &CheckArgs, default_dir: &Path, catalog: &dyn Catalog, look: Look, out: &mut dyn Write) -> Done {
    let dir = args.dir.as_deref().unwrap_or(default_dir);
    if let Err(e) = std::fs::read_dir(dir) {
        let message = format!("`{}` is not a directory that can be read: {e}", dir.display());
        return Err(Failure::text(Kind::Usage, message).hint("create one with `watchdog init DIR`"));
    }
    let loaded = load(dir, catalog, &FromSystem::new(dir), None);
    let ok = loaded.errors() == 0;
    match write(&loaded, ok, look, out) {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => return Err(Failure::new(Kind::Internal, &e)),
        Ok(()) => {}
    }
    Ok(if ok { Answer::Good } else { Answer::Bad })
}

fn write(loaded: &Loaded, ok: bool, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let (files, monitors) = (loaded.files, loaded.config.monitors.len());
    if look.json {
        let dir = loaded.dir.display().to_string();
        let report = Report { ok, dir, files, monitors, problems: &loaded.problems };
        writeln!(out, "{}", json_safe(&serde_json::to_string_pretty(&report)?))?;
    } else {
        out.write_all(render::problems(&loaded.problems, look.colour, look.width).as_bytes())?;
        writeln!(out, "{}", render::summary(&loaded.problems, files, monitors))?;
    }
    out.flush()
}
