//! The labels that say what a series measures, and go away when a function measures something else.

use crate::base::labels::{Labels, METRIC_NAME};

/// Prometheus' experimental label for the type of a metric.
const TYPE: &str = "__type__";
/// Prometheus' experimental label for the unit of a metric.
const UNIT: &str = "__unit__";

/// Whether a label goes away with the metric name.
pub(crate) fn is_metadata(label: &str) -> bool {
    label.starts_with("__") && matches!(label, METRIC_NAME | TYPE | UNIT)
}

/// Labels without the metric name, and type and unit which belong to it.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    if labels.iter().take_while(|(k, _)| *k <= UNIT).any(|(k, _)| is_metadata(k)) {
        labels.filtered(|k| !is_metadata(k))
    } else {
        labels.clone()
    }
}

/// Whether there are labels that go away with the metric name besides it.
pub(crate) fn has_type_or_unit(labels: &Labels) -> bool {
    labels.iter().take_while(|(k, _)| *k <= UNIT).any(|(k, _)| k == TYPE || k == UNIT)
}
