//! The terminal interface: a client of the API that shows what the server knows, and says so when it
//! no longer knows.
//!
//! Messages enter a pure reducer (`update`), which changes the `state` and returns effects; `screens`
//! draw the state into cells; `term` writes the cells that differ. A screen that does not change costs
//! no output. The terminal is held by a guard, which gives it back whatever happens.

mod action;
mod event;
mod keys;
mod print;
mod screens;
mod server;
mod state;
mod term;
mod theme;
mod update;
mod widgets;

#[cfg(test)]
mod fixture;

use std::io;
use std::time::Duration;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::client::Client;

pub use crate::tui::keys::markdown;
pub use crate::tui::print::{Chart, step as chart_step};
pub use crate::tui::state::Screen;
pub use crate::tui::theme::{ColorMode, Depth, Glyphs};

/// How the screens are to look and start.
#[derive(Clone, Debug, Default)]
pub struct TuiOptions {
    /// Colours to use; see [`Depth::detect`].
    pub depth: Depth,
    /// Characters to use; see [`Glyphs::detect`].
    pub glyphs: Glyphs,
    /// Dark text on a light background.
    pub light: bool,
    /// Nothing on the server is changed.
    pub read_only: bool,
    /// The person's name here: what others made is asked about before it is ended.
    pub user: String,
    /// First screen.
    pub screen: Screen,
    /// Monitor to open over it.
    pub monitor: Option<MonitorName>,
    /// Query to explore instead.
    pub explore: Option<Exploration>,
}

/// What the Explore screen starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exploration {
    /// A query in PromQL, run at once; empty for none.
    pub query: String,
    /// Length of the range; an hour if none is named.
    pub range: Option<Duration>,
    /// Its end; the present if none is named.
    pub end: Option<Timestamp>,
}

impl TuiOptions {
    /// What the environment says: colours by `mode`, `NO_COLOR`, `COLORTERM` and `TERM`, characters by the
    /// locale, the background by `COLORFGBG`.
    pub fn detect(mode: ColorMode, env: impl Fn(&str) -> Option<String>) -> Self {
        // `COLORFGBG` is `foreground;background` in palette numbers; 7 and 9 to 15 are light.
        let background = env("COLORFGBG").and_then(|v| v.rsplit(';').next().and_then(|b| b.parse::<u8>().ok()));
        Self {
            depth: Depth::detect(mode, &env),
            glyphs: Glyphs::detect(&env),
            user: ["USER", "LOGNAME"].iter().find_map(|name| env(name)).unwrap_or_default(),
            light: background.is_some_and(|b| b == 7 || (9..=15).contains(&b)),
            ..Self::default()
        }
    }
}

/// How the screens ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The person left.
    Quit,
    /// This signal came.
    Signal(i32),
}

/// Why there are no screens, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Standard input or output is no terminal, or one that cannot move its cursor (`TERM=dumb`). Plain
    /// output serves better there.
    #[error("the screens need a terminal on standard input and output")]
    NoTerminal,
    /// The terminal no longer gives keys.
    #[error("the terminal was closed")]
    InputClosed,
    /// The terminal cannot be read or written.
    #[error("the terminal does not work")]
    Terminal(#[from] io::Error),
}

/// Shows the screens until the person leaves or a signal comes. Losing the server does not end them.
///
/// # Errors
/// There is no usable terminal, or it broke.
pub async fn run(client: Client, options: TuiOptions) -> Result<ExitReason, TuiError> {
    if !term::is_usable(std::env::var("TERM").ok().as_deref()) {
        return Err(TuiError::NoTerminal);
    }
    let theme = theme::Theme::new(options.depth, options.glyphs, options.light);
    let place = server::Server::place(&client);
    let mut state = state::State::new(place, options.read_only, options.screen, options.monitor);
    state.user = options.user;
    if let Some(x) = &options.explore {
        update::explore_link(&mut state, &x.query, x.range, x.end);
    }
    let _hook = term::PanicHook::install();
    let mut terminal = term::Terminal::take()?;
    // On the heap: it holds everything that the screens show.
    term::marked(Box::pin(event::run(client, &mut terminal, theme, state))).await
}
