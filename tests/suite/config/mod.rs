//! The configuration directory as its users meet it.

mod fake;
mod joining;
mod last_good;
mod links;
mod mistakes;
mod references;
mod scale;
mod starter;
mod yaml;
