//! One binary for everything that needs more than one module: the real command, real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests from outside use the system's clock and threads")]

mod alerting;
mod alertmanager;
mod alerts;
mod api;
mod blame;
mod channels;
mod cli;
mod config;
mod contract;
mod crash;
mod evil;
mod fake;
mod fuzz;
mod guide;
mod hostile;
mod kinds;
mod mail;
mod needs;
mod peer;
mod policy;
mod prometheus;
mod promqltest;
mod reload;
mod scenarios;
mod server;
mod sla;
mod storage;
mod terminal;
