//! `watchdog tui`, and `watchdog` alone.

use clap::{Args, ValueEnum};

use crate::base::failure::{Failure, Kind};
use crate::base::name::MonitorName;
use crate::cli::boot::{Plan, boot};
use crate::cli::commands::status::{self, StatusArgs};
use crate::cli::ui::{Color, Ui};
use crate::cli::{Answer, Context, Done, connect, logs};
use crate::client::{Client, Endpoint};
use crate::tui::{self, ExitReason, TuiError, TuiOptions};

/// Arguments of `tui`.
#[derive(Args, Debug, Default)]
pub struct TuiArgs {
    /// Open this monitor
    #[arg(value_name = "MONITOR")]
    pub monitor: Option<String>,
    /// Which characters to draw with
    #[arg(long, value_enum, default_value_t)]
    pub glyphs: Glyphs,
    /// Offer nothing that changes anything
    #[arg(long)]
    pub read_only: bool,
}

/// Which characters to draw with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Glyphs {
    /// As the locale says.
    #[default]
    Auto,
    /// Lines, blocks and dots of Unicode.
    Unicode,
    /// Nothing beyond ASCII.
    Ascii,
}

impl Glyphs {
    /// What was asked for, else `found`.
    pub const fn over(self, found: tui::Glyphs) -> tui::Glyphs {
        match self {
            Self::Auto => found,
            Self::Unicode => tui::Glyphs::Unicode,
            Self::Ascii => tui::Glyphs::Ascii,
        }
    }
}

/// Shows the interface of a running server, or waits for one to appear.
///
/// # Errors
/// The terminal broke.
pub fn run(args: &TuiArgs, ui: &mut Ui, cx: &Context) -> Done {
    let options = options(args, cx.color)?;
    let shown = connect::block_on_threads(show(connect::client(&cx.settings)?, options));
    end(shown, ui, cx)
}

/// Shows the interface, with an engine in this process when no server answers.
///
/// # Errors
/// The engine cannot start, or the terminal broke.
pub fn run_bare(ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let options = options(&TuiArgs::default(), cx.color)?;
    let shown = connect::block_on_threads(async {
        if client.get_text("/health/live").await.is_ok() {
            return show(client, options).await;
        }
        if !ui.is_terminal() {
            let failure =
                Failure::text(Kind::NoServer, "no server answers, and there is no terminal for the interface");
            return Err(failure
                .hint("run the engine with `watchdog serve`")
                .hint("see all commands with `watchdog help`"));
        }
        let plan = Plan::new(&cx.settings, false)?;
        let own = Client::new(Endpoint::Unix(plan.socket.clone()));
        let booted = boot(plan, |data| logs::start(data, false)).await?;
        let shown = show(own, options).await;
        ui.note("stopping the engine; probes under way get up to three seconds");
        booted.stop("shutting down (the terminal interface was left)").await;
        shown
    });
    end(shown, ui, cx)
}

async fn show(client: Client, options: TuiOptions) -> Result<Shown, Failure> {
    match tui::run(client, options).await {
        Ok(ExitReason::Quit) => Ok(Shown::Left),
        Ok(ExitReason::Signal(number)) => Ok(Shown::Killed(number)),
        Err(TuiError::NoTerminal) => Ok(Shown::Nowhere),
        Err(e @ (TuiError::InputClosed | TuiError::Terminal(_))) => Err(Failure::new(Kind::Internal, &e)),
    }
}

enum Shown {
    Left,
    Killed(i32),
    /// No terminal, or one that cannot move its cursor.
    Nowhere,
}

fn end(shown: Result<Shown, Failure>, ui: &mut Ui, cx: &Context) -> Done {
    match shown? {
        Shown::Left => Ok(Answer::Good),
        Shown::Killed(number) => Ok(Answer::Killed(number)),
        // The plain twin: the same facts, append-only.
        Shown::Nowhere => status::run(&StatusArgs::default(), ui, cx),
    }
}

fn options(args: &TuiArgs, color: Color) -> Result<TuiOptions, Failure> {
    let mut options = TuiOptions::detect(color.into(), |name| std::env::var(name).ok());
    options.glyphs = args.glyphs.over(options.glyphs);
    options.read_only = args.read_only;
    if let Some(name) = &args.monitor {
        let name = MonitorName::new(name).map_err(|e| Failure::new(Kind::Usage, &e))?;
        options.screen = tui::Screen::Monitors;
        options.monitor = Some(name);
    }
    Ok(options)
}
