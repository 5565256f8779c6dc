//! Everything that is tested from outside, in one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod alerts;
