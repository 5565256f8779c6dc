//! One file per command.

pub mod probe;
