//! `self:` of `watchdog.yaml`: how we tell whether it is us who do not work.

use std::hash::{Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::base::fnv::Fnv;
use crate::base::nearest::nearest;
use crate::config::catalog::{Catalog, Probe};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Node;

/// Shortest and longest distance between two looks.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Shortest and longest time that a reference may take to answer.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(30);
/// More references than this tell nothing more.
const MAX_REFERENCES: usize = 16;

/// What is looked at.
#[derive(Clone, Debug)]
pub struct SelfChecks {
    /// `references:`; something that always answers while our own connection works. We are cut off when none does.
    pub references: Vec<Probe>,
    /// How often they are asked while nothing fails. A failure asks them at once.
    pub interval: Duration,
    /// How long they may take.
    pub timeout: Duration,
    /// Whether losing the default route means that we are cut off.
    pub default_route: bool,
    /// Whether a name that does not resolve is blamed on our name servers when none of them answers.
    pub resolver: bool,
    /// Equal for equal settings.
    pub hash: u64,
}

impl Default for SelfChecks {
    fn default() -> Self {
        Self {
            references: Vec::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            default_route: true,
            resolver: true,
            hash: 0,
        }
    }
}

impl SelfChecks {
    /// Reads the mapping under `self`.
    pub fn read(parent: &mut Fields<'_>, catalog: &dyn Catalog) -> Arc<Self> {
        let node = parent.own("self");
        let Some(mut fields) = parent.nested("self") else { return Arc::default() };
        let cx = fields.cx();
        let mut hash = Fnv::default();
        if let Some(node) = node {
            cx.digest(node, &mut hash);
        }
        true.hash(&mut hash);
        let default = Self::default();
        let nodes = fields.items("references");
        if let Some(extra) = nodes.get(MAX_REFERENCES) {
            let message = format!("there are more than {MAX_REFERENCES} references");
            cx.error(extra.mark(), Code::TooLarge, message, "two or three are enough, in different networks");
        }
        let checks = Self {
            references: nodes.into_iter().take(MAX_REFERENCES).filter_map(|n| reference(&fields, n, catalog)).collect(),
            interval: fields.duration("interval", INTERVAL).unwrap_or(default.interval),
            timeout: fields.duration("timeout", TIMEOUT).unwrap_or(default.timeout),
            default_route: fields.bool("default_route").unwrap_or(true),
            resolver: fields.bool("resolver").unwrap_or(true),
            hash: hash.finish(),
        };
        fields.finish();
        Arc::new(checks)
    }
}

/// One entry of `references`: the options of a monitor, without those that every monitor has.
fn reference(parent: &Fields<'_>, node: &Node, catalog: &dyn Catalog) -> Option<Probe> {
    let cx = parent.cx();
    let before = cx.error_count();
    let mut fields = Fields::of(cx, node)?;
    let kinds = catalog.monitor_kinds();
    let hint = "write e.g. `{type: tcp, host: \"192.0.2.1:443\"}`";
    let kind = fields.need_text("type", hint)?;
    if !kinds.contains(&kind.value()) {
        let hint = match nearest(kind.value(), kinds.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of: {}", kinds.join(", ")),
        };
        cx.error(kind.span, Code::UnknownType, format!("there is no monitor type `{}`", kind.shown()), hint);
        fields.claim_rest();
        return None;
    }
    let probe = catalog.monitor(kind.value(), &mut fields);
    let head = fields.head();
    fields.finish();
    let probe = match probe {
        None if cx.error_count() == before => {
            cx.error(head, Code::BadValue, "the options of this reference do not stand", "compare them with the guide");
            None
        }
        found => found.filter(|_| cx.error_count() == before),
    }?;
    if probe.host.is_none() {
        let message = format!("`{}` says nothing about our connection", kind.shown());
        cx.error(kind.span, Code::BadValue, message, "take something that another machine answers: `tcp`, `http` …");
        return None;
    }
    Some(probe)
}
