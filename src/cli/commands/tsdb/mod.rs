//! `watchdog tsdb`: looks into the store of samples, with or without a server, and deletes from a running one.
//!
//! Looking changes no file. While a server runs, files may grow or go between two looks.

mod delete;
mod dump;
mod inspect;
mod verify;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use clap::Subcommand;

use crate::base::failure::{Failure, Kind};
use crate::base::time::Timestamp;
use crate::cli::ui::Ui;
use crate::cli::{Context, Done};
use crate::engine::start::METRICS_DIR;

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum TsdbCommand {
    /// List the files of the store and what is in them; needs no server
    Inspect(inspect::InspectArgs),
    /// Check every file; exit code 1 when one is damaged; needs no server
    Verify(verify::VerifyArgs),
    /// Print the samples of series; needs no server
    Dump(dump::DumpArgs),
    /// Delete samples of a running server; tells first how many series it would be
    Delete(delete::DeleteArgs),
}

/// Runs the command.
///
/// # Errors
/// Those of each command.
pub fn run(command: &TsdbCommand, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        TsdbCommand::Inspect(args) => inspect::run(args, ui, cx),
        TsdbCommand::Verify(args) => verify::run(args, ui, cx),
        TsdbCommand::Dump(args) => dump::run(args, ui, cx),
        TsdbCommand::Delete(args) => delete::run(args, ui, cx),
    }
}

/// Where the files are.
struct Place {
    dir: PathBuf,
    /// A server holds the directory now.
    in_use: bool,
}

impl Place {
    fn find(ui: &mut Ui, cx: &Context) -> Result<Self, Failure> {
        let data = cx.settings.data_dir()?;
        // Looking at the lock takes it for a moment, and gives it back at once.
        let locked = File::open(data.join("lock")).is_ok_and(|file| file.try_lock().is_err());
        if locked {
            ui.note("a server is running: what it writes meanwhile may be missing");
        }
        Ok(Self { dir: data.join(METRICS_DIR), in_use: locked })
    }

    fn failure(&self, err: &io::Error) -> Failure {
        let dir = self.dir.display();
        if err.kind() == io::ErrorKind::NotFound {
            return Failure::text(Kind::NotFound, format!("there is no store in `{dir}`"))
                .hint("name the state directory of the server with `--data-dir DIR`");
        }
        Failure::text(Kind::Internal, format!("cannot read the store in `{dir}`: {err}"))
    }
}

/// A time, or `-` for one at the edge of time.
fn when(ms: i64) -> String {
    if ms == i64::MIN || ms == i64::MAX { "-".to_owned() } else { Timestamp::from_millis(ms).to_string() }
}

/// Bytes for people: `17.4 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    unit.map_or_else(|| format!("{bytes} B"), |(unit, word)| format!("{:.1} {word}", bytes as f64 / *unit as f64))
}
