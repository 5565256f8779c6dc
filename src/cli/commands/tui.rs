//! `watchdog tui`, and `watchdog` alone.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::base::failure::{Failure, Kind};
use crate::base::name::MonitorName;
use crate::cli::boot::{Plan, boot};
use crate::cli::commands::status::{self, StatusArgs};
use crate::cli::times::{Time, length, time};
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect, logs};
use crate::client::{Client, Endpoint};
use crate::tui::{self, ExitReason, Exploration, TuiError, TuiOptions};

/// Arguments of `tui`.
#[derive(Args, Debug, Default)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TuiArgs {
    /// What to open.
    #[command(subcommand)]
    pub open: Option<Open>,
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

/// What to open.
#[derive(Debug, Subcommand)]
pub enum Open {
    /// Open the chart of a query in PromQL
    Explore(ExploreArgs),
}

/// Arguments of `tui explore`.
#[derive(Args, Debug)]
pub struct ExploreArgs {
    /// The query
    #[arg(value_name = "EXPR", allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub expr: String,
    /// Length of the range, such as `6h` [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub range: Option<Duration>,
    /// End of the range: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now, and follow it]
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub end: Option<Time>,
    /// Which characters to draw with
    #[arg(long, value_enum, default_value_t)]
    pub glyphs: Glyphs,
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
    let options = options(args, cx)?;
    let shown = connect::block_on_threads(show(connect::client(&cx.settings)?, options));
    end(shown, ui, cx)
}

/// Shows the interface, with an engine in this process when no server answers.
///
/// # Errors
/// The engine cannot start, or the terminal broke.
pub fn run_bare(ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let options = options(&TuiArgs::default(), cx)?;
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

fn options(args: &TuiArgs, cx: &Context) -> Result<TuiOptions, Failure> {
    let mut options = TuiOptions::detect(cx.color.into(), |name| std::env::var(name).ok());
    options.glyphs = args.glyphs.over(options.glyphs);
    if let Some(Open::Explore(x)) = &args.open {
        options.glyphs = x.glyphs.over(options.glyphs);
        let end = x.end.map(|t| t.resolve(cx.clock.now()));
        options.explore = Some(Exploration { query: x.expr.clone(), range: x.range, end });
    }
    options.read_only = args.read_only;
    if let Some(name) = &args.monitor {
        let name = MonitorName::new(name).map_err(|e| Failure::new(Kind::Usage, &e))?;
        options.screen = tui::Screen::Monitors;
        options.monitor = Some(name);
    }
    Ok(options)
}
