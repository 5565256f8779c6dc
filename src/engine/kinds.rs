//! The catalog that configuration is checked against: every kind of monitor and notifier there is.

use std::sync::Arc;

use crate::base::notification::Notifier;
use crate::collect::kinds::{self, KINDS};
use crate::config::catalog::{Catalog, Probe};
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::kinds::KINDS as NOTIFIERS;

/// The built-in kinds. Lives here because `collect` and `notify` do not know each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kinds;

impl Catalog for Kinds {
    fn monitor_kinds(&self) -> Vec<&'static str> {
        KINDS.iter().map(|k| k.name).collect()
    }

    fn notifier_kinds(&self) -> Vec<&'static str> {
        NOTIFIERS.iter().map(|k| k.name).collect()
    }

    fn monitor(&self, kind: &str, fields: &mut Fields<'_>) -> Option<Probe> {
        kinds::read(kind, fields)
    }

    fn notifier(&self, kind: &str, server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
        let found = NOTIFIERS.iter().find(|k| k.name == kind)?;
        (found.read)(server, fields)
    }
}
