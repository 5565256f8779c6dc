//! The configuration directory as its users meet it.

mod fake;
mod joining;
mod last_good;
mod links;
mod mistakes;
mod starter;
mod yaml;
