//! The built-in kinds of notifiers: each sends one message once.
//!
//! [`kinds`] is the table of all of them, [`sending`] what they share over HTTP. Retry, rate, order
//! and recording belong to the engine's outbox.

pub mod kinds;
pub mod sending;
pub mod telegram;
pub mod webhook;
