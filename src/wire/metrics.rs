//! Which metrics there are, as Prometheus' HTTP API tells it.
//!
//! | route | reply |
//! |---|---|
//! | `GET /api/v1/metadata?limit=` | [`Metadata`] |
//! | `GET /api/v1/status/tsdb?limit=` | [`Cardinality`] |

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What was told of metrics by those who send them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// By metric. Untrusted.
    pub data: HashMap<String, Vec<Described>>,
}

/// A metric, described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Described {
    /// `counter`, `gauge` …
    pub r#type: String,
    /// What it counts or measures.
    pub help: String,
    /// In which unit.
    pub unit: String,
}

/// Where the series in memory come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cardinality {
    /// The numbers.
    pub data: Counts,
}

/// Numbers of series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// By metric, the largest first.
    pub series_count_by_metric_name: Vec<Count>,
}

/// A number of something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Of what. Untrusted.
    pub name: String,
    /// How many.
    pub value: u64,
}
