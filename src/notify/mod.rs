//! The built-in kinds of notifiers: each sends one message once.
//!
//! [`kinds`] is the table of all of them, [`sending`] what they share. Retry, rate, order and
//! recording belong to the engine's outbox.

pub mod kinds;
