//! One binary for everything that needs more than one module: the real command, real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests from outside use the system's clock and threads")]

mod api;
mod config;
mod crash;
mod fake;
mod server;
