//! The built-in kinds of notifiers: each sends one notification once.
//!
//! [`kinds`] is the table of all of them, [`sending`] and [`endpoint`] what they share over HTTP,
//! [`wording`] what they say. Retry, rate, order and recording belong to the engine's outbox.

pub mod desktop;
pub mod dingtalk;
pub mod discord;
pub mod email;
pub mod endpoint;
pub mod feishu;
pub mod gotify;
pub mod kinds;
pub mod matrix;
pub mod mattermost;
pub mod ntfy;
pub mod opsgenie;
pub mod pagerduty;
pub mod program;
pub mod pushover;
pub mod script;
pub mod sending;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod webhook;
pub mod wecom;
pub mod wording;
