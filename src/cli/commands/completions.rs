//! `watchdog completions`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::cli::ui::Ui;
use crate::cli::{Answer, Done, generate};

/// Arguments of `completions`.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Option<Shell>,
    /// Write those of bash, zsh and fish into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The directory cannot be written.
pub fn run(args: &CompletionsArgs, ui: &mut Ui) -> Done {
    if let Some(dir) = &args.dir {
        generate::write(dir, generate::completions())?;
    }
    if let Some(shell) = args.shell {
        let script = generate::completion(shell);
        ui.out(format_args!("{}", String::from_utf8_lossy(&script)));
    }
    Ok(Answer::Good)
}
