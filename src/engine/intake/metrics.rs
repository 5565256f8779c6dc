//! What `/metrics` says about samples that others push.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::engine::intake::{Encoding, IntakeError, Taken};

/// Counters about intake; clones share them.
#[derive(Clone, Debug, Default)]
pub struct IntakeMetrics {
    requests: Family<RequestLabels, Counter>,
    samples: Family<PathLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
    histograms: Counter,
    exemplars: Counter,
    lost: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

const fn path(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::RemoteWrite1 => "remote_write_1",
        Encoding::RemoteWrite2 => "remote_write_2",
        Encoding::Text { .. } => "import",
    }
}

impl IntakeMetrics {
    /// Adds `watchdog_intake_*` to a registry whose prefix is `watchdog`.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("intake");
        r.register("requests", "Pushes by outcome: stored, partial, refused, failed", self.requests.clone());
        r.register("samples", "Pushed samples that were stored", self.samples.clone());
        r.register("refused_samples", "Pushed samples that were refused, by reason", self.refused.clone());
        let help = "Pushed native histograms, which are not supported and refused";
        r.register("refused_native_histograms", help, self.histograms.clone());
        r.register("lost_samples", "Samples of our own that could not be stored", self.lost.clone());
        r.register("ignored_exemplars", "Pushed exemplars, which are not kept", self.exemplars.clone());
    }

    /// Counts samples of the engine's own that are stored.
    pub fn recorded(&self, n: u64) {
        self.samples.get_or_create(&PathLabels { path: "engine" }).inc_by(n);
    }

    /// Counts samples of other programs' series that are stored.
    pub fn scraped(&self, n: u64) {
        self.samples.get_or_create(&PathLabels { path: "scrape" }).inc_by(n);
    }

    /// Counts samples of the engine's own that could not be stored.
    pub fn lost(&self, n: u64) {
        self.lost.inc_by(n);
    }

    pub(super) fn count(&self, encoding: Encoding, taken: &Result<Taken, IntakeError>) {
        let path = path(encoding);
        let outcome = match taken {
            Ok(taken) => {
                self.samples.get_or_create(&PathLabels { path }).inc_by(taken.stored);
                for (why, n) in &taken.refused {
                    self.refused.get_or_create(&ReasonLabels { reason: why.word() }).inc_by(*n);
                }
                self.histograms.inc_by(taken.histograms);
                self.exemplars.inc_by(taken.exemplars);
                if taken.is_partial() { "partial" } else { "stored" }
            }
            Err(IntakeError::TooLarge | IntakeError::Snappy(_) | IntakeError::Gzip(_) | IntakeError::Protobuf(_)) => {
                "refused"
            }
            Err(IntakeError::Overloaded | IntakeError::Store(_) | IntakeError::Append(_) | IntakeError::Crashed) => {
                "failed"
            }
        };
        self.requests.get_or_create(&RequestLabels { path, outcome }).inc();
    }
}
