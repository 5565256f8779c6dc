//! The table of notifier kinds. A further kind is one file and one row.

use std::sync::Arc;

use crate::base::message::Notifier;
use crate::config::fields::Fields;

/// One kind of notifier.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What `type:` says.
    pub name: &'static str,
    /// Reads the kind's options. Opens nothing; leaves `finish` to the caller, who reads the common keys.
    pub read: fn(&mut Fields<'_>) -> Option<Arc<dyn Notifier>>,
}

/// Every kind, in the order in which documentation lists them.
pub const KINDS: [Kind; 0] = [];
