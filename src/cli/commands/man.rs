//! `watchdog man`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ui::Ui;
use crate::cli::{Answer, Done, generate};

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Prints the main page as roff, for `watchdog man | man -l -`, or writes all pages.
///
/// # Errors
/// The directory cannot be written.
pub fn run(args: &ManArgs, ui: &mut Ui) -> Done {
    let pages = generate::pages()?;
    match &args.dir {
        Some(dir) => generate::write(dir, pages)?,
        None => {
            for (_, page) in pages.into_iter().filter(|(name, _)| name == "watchdog.1") {
                ui.out(format_args!("{}", String::from_utf8_lossy(&page)));
            }
        }
    }
    Ok(Answer::Good)
}
