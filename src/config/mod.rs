//! The configuration directory → a checked [`model::Config`] and a report of every problem.
//!
//! Raw text becomes a tree with positions ([`yaml`]), the tree is read through [`fields::Fields`],
//! which never stops at the first mistake, and what stands becomes immutable values. Knows no kind
//! of collector or notifier: those come in through [`catalog::Catalog`].

pub mod catalog;
pub mod fields;
pub mod model;
pub mod report;
pub mod yaml;
