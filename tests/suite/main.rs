//! Integration tests, one binary: each module drives the library or the program from outside.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod cli;
mod fake;
