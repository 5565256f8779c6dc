//! Kinds of monitors against the real server of their protocol: good, refused, slow, broken.

pub mod daemon;
mod dns;
mod host;
mod http;
pub mod keys;
mod mqtt;
mod mysql;
mod ping;
mod postgres;
mod prometheus;
mod redis;
mod reports;
mod script;
mod tcp;
