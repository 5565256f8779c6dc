//! What becomes an alert, when, and who is told: pure steps over values.
//!
//! Results fold into a [`monitor::MonitorStatus`]; a [`rule::Rule`] turns its counters into the phase
//! of an [`instance::Instance`]; the [`dispatch::Dispatcher`] says who hears of it and why. A [`policy::Policy`] holds what files say
//! about that: the [`route`] tree, [`inhibit`]ion, [`silence`]s, time [`window`]s, [`maintenance`], [`oncall`] and
//! [`escalate`], all in Alertmanager's [`matchers`]. Nothing here does I/O or reads a clock: the caller owns time
//! and storage.

pub mod ack;
pub mod dispatch;
pub mod escalate;
pub mod evaluation;
pub mod files;
pub mod flap;
pub mod impaired;
pub mod inhibit;
pub mod instance;
pub mod maintenance;
pub mod matchers;
pub mod monitor;
pub mod oncall;
pub mod own;
pub mod policy;
pub mod route;
pub mod rule;
pub mod silence;
pub mod window;
