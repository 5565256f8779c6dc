//! `probing:` of `watchdog.yaml`: how hard one machine of the network may be probed.

use crate::config::fields::Fields;
use crate::config::main_file::rate;
use crate::config::model::RateLimit;

/// What is allowed towards one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// `per_host:`; probes of one host under way at the same time.
    pub per_host: usize,
    /// `per_host_rate:`; probes of one host that begin in some time, evenly spread.
    pub per_host_rate: Option<RateLimit>,
}

impl Default for Probing {
    /// Four at once are what a browser opens; a server that does not bear that does not bear its users.
    fn default() -> Self {
        Self { per_host: 4, per_host_rate: None }
    }
}

impl Probing {
    /// Reads the mapping under `probing`.
    pub fn read(parent: &mut Fields<'_>) -> Self {
        let default = Self::default();
        let Some(mut fields) = parent.nested("probing") else { return default };
        let per_host = fields.integer("per_host", 1..=10_000).and_then(|n| usize::try_from(n).ok());
        let hint = "write how many probes in which time: `50/1s`";
        let per_host_rate = fields.parse("per_host_rate", hint, rate);
        fields.finish();
        Self { per_host: per_host.unwrap_or(default.per_host), per_host_rate }
    }
}
