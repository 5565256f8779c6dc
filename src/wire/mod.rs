//! What crosses the API: the board, its changes, details, problems, errors.
//!
//! Plain serde types, the same on both sides. Times are RFC 3339, durations are seconds.
//!
//! | route | body → reply |
//! |---|---|
//! | `GET /api/v1/board` | → [`board::Board`] |
//! | `GET /api/v1/stream` | WebSocket of [`stream::Frame`] |
//! | `GET /api/v1/monitors` | → array of [`board::MonitorRow`] |
//! | `GET /api/v1/monitors/{name}` | → [`api::MonitorDetail`] |
//! | `GET /api/v1/monitors/{name}/history?limit=` | → array of [`api::HistoryPoint`], oldest first |
//! | `POST /api/v1/monitors/{name}/run` | → [`api::ProbeResult`] |
//! | `GET /api/v1/events?before=&limit=&kind=&subject=` | → [`api::Events`] |
//! | `GET /api/v1/alerts` | → Prometheus' shape |
//! | `GET /api/v1/config` | → [`api::ConfigStatus`] |
//! | `POST /api/v1/reload` | → [`api::Reloaded`] |
//! | `POST, GET /api/v1/push/{name}` | [`api::Push`] or `?status=&msg=`; token as bearer or `?token=` → `{"ok":true}` |
//! | `POST /api/v1/query`, `/api/v1/query_range` | [`query::Ask`] as a form → [`query::Reply`] |
//! | `GET /api/v1/metadata`, `/api/v1/status/tsdb` | → [`metrics::Metadata`], [`metrics::Cardinality`] |
//! | `GET /metrics`, `/health`, `/health/live`, `/health/ready` | ourselves |
//!
//! Names in paths are percent-encoded. Errors are [`api::ErrorBody`].

pub mod alerting;
pub mod alertmanager;
pub mod api;
pub mod board;
pub mod metrics;
pub mod query;
pub mod sla;
pub mod stream;
