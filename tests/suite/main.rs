//! One binary for everything that needs more than one module: the real command, real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests from outside use the system's clock and threads")]
#![allow(missing_docs, clippy::allow_attributes, clippy::allow_attributes_without_reason)]

mod crash;
mod server;
