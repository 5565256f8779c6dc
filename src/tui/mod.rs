//! The terminal interface: a client of the API that shows what the server knows, and says so when it
//! no longer knows.
//!
//! Messages enter a pure reducer (`update`), which changes the `state` and returns effects; `screens`
//! draw the state into cells; `term` writes the cells that differ. A screen that does not change costs
//! no output. The terminal is held by a guard, which gives it back whatever happens.

mod action;
mod keys;
mod screens;
mod state;
mod theme;
mod update;
mod widgets;

#[cfg(test)]
mod fixture;

pub use crate::tui::keys::markdown;
pub use crate::tui::state::Screen;
pub use crate::tui::theme::{ColorMode, Depth, Glyphs, Theme};
mod term { pub(crate) const CLIPBOARD_BYTES: usize = 74_994; }
