//! Owned tasks: every spawned future has a supervisor that can stop it and learns how it ended.

pub mod backoff;
pub mod supervisor;
pub mod timer;
