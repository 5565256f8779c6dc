//! One file of `rules.d` → its groups of rules and its problems. Knows no other file.
//!
//! A file is in our own form (`rules:`), in Prometheus' (`groups:`), or both. Files named `*.test.yaml` hold tests of
//! rules and are passed over.

pub mod model;
mod own;
mod place;
mod prometheus;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::cx::{Cx, Resolver};
use crate::config::fields::Fields;
use crate::config::monitors::{Sheet, report_syntax};
use crate::config::report::{Code, Source};
use crate::config::yaml::{self, Value};

pub use crate::config::rules::model::{Alerting, Rule, RuleGroup, RuleKind, same};
pub use crate::config::rules::own::REASON;

/// Whether the file holds tests, not rules.
pub fn is_test(path: &str) -> bool {
    path.ends_with(".test.yaml") || path.ends_with(".test.yml")
}

/// Reads one file. With any error in it, [`Sheet::lossy`] is set: what it held before is better than a part of it.
pub fn read(source: &Arc<Source>, resolver: &dyn Resolver) -> Sheet {
    if is_test(source.path()) {
        return Sheet::default();
    }
    let cx = Cx::new(Arc::clone(source), resolver);
    let yaml::Parsed { root, errors, broken } = yaml::parse_partly(source.text());
    errors.iter().for_each(|e| report_syntax(&cx, e));
    let mut groups = Vec::new();
    match &root {
        Some(root) if !root.is_null() => {
            if let Value::Seq(_) = root.value {
                let hint = "put it under a `rules:` or `groups:` key";
                cx.error(root.mark(), Code::WrongType, "a list stands here alone", hint);
            } else if let Some(mut fields) = Fields::of(&cx, root) {
                let (theirs, ours) = (fields.node("groups"), fields.node("rules"));
                fields.unsupported(&["templates", "use"]);
                fields.finish();
                if let Some(node) = theirs {
                    prometheus::groups(&cx, node, &mut groups);
                }
                if let Some(node) = ours {
                    own::rules(&cx, node, &mut groups);
                }
            }
        }
        Some(_) | None => {}
    }
    let lossy = cx.error_count() > 0;
    if broken {
        groups.clear();
    }
    let groups = groups.into_iter().map(Arc::new).collect();
    Sheet { groups, lossy, problems: cx.into_problems(), ..Sheet::default() }
}
