//! Kinds of monitors against the real server of their protocol: good, refused, slow, broken.

pub mod daemon;
mod host;
mod reports;
mod script;
mod tcp;
