//! Everything that is tested from outside, in one binary: it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and that is its purpose")]

mod config;
