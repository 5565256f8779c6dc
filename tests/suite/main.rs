//! One binary for everything that needs more than one module: the real command, real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests from outside use the system's clock and threads")]

mod crash;
mod reload;
mod server;
