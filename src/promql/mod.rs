//! PromQL: text → tree → checked tree → values, over any source of series.
//!
//! Prometheus 3.x semantics. Nothing here does I/O or reads a clock: samples come through
//! [`source::Source`], which the store implements, and time is an argument.

pub mod ast;
pub mod caret;
pub mod check;
pub mod complete;
pub mod eval;
pub mod func;
pub mod lexer;
pub mod parser;
pub mod printer;
pub mod source;
pub mod tree_json;
pub mod value;
