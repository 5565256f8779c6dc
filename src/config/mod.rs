//! Reads the configuration directory: YAML with positions → checked, immutable [`model::Config`].
//!
//! Never stops at the first mistake: every problem is collected with file, line, column and a hint.
//! Knows no kind of monitor or notifier; [`catalog::Catalog`] tells it which exist.
//!
//! ```text
//! files (find, read) → yaml (tree) → monitors / main_file (check, through fields and cx) → load (join) → diff
//! ```

pub mod alerting;
pub mod catalog;
pub mod cx;
pub mod deadman;
pub mod depends;
pub mod diff;
pub mod fields;
pub mod files;
pub mod general;
pub mod itself;
pub mod jobs;
pub mod load;
pub mod main_file;
pub mod messages;
pub mod model;
pub mod monitors;
pub mod policy;
pub mod probing;
pub mod render;
pub mod report;
pub mod resolve;
pub mod rules;
pub mod slo;
pub mod storage;
pub mod syntax;
pub mod yaml;

pub use crate::config::diff::{Diff, diff};
pub use crate::config::load::{Loaded, load};
