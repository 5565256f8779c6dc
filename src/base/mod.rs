//! The words every other module speaks: time, units, names, labels, samples, outcomes, secrets.
//!
//! Nothing here does I/O, starts a task or knows what the words are used for. Wall-clock time is
//! read in [`clock`] and nowhere else.

pub mod batch;
pub mod beat;
pub mod clock;
pub mod exposition;
pub mod failure;
pub mod fnv;
pub mod heard;
pub mod labels;
pub mod matcher;
pub mod message;
pub mod metadata;
pub mod name;
pub mod nearest;
pub mod notification;
pub mod outcome;
pub mod policy;
pub mod probe;
pub mod protobuf;
pub mod re2;
pub mod retry_after;
pub mod sample;
pub mod scraped;
pub mod secret;
pub mod term_safe;
pub mod time;
pub mod units;

/// A boxed future that may be sent between threads; what object-safe async traits return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
