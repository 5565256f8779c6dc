//! One binary for all integration tests: linking once is most of their cost.
#![expect(clippy::unwrap_used, reason = "tests")]

mod contract;
mod evil;
