//! The table of routes.

mod alerting;
pub(super) mod board;
mod commands;
mod health;
mod sla;
pub(super) mod stream;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, delete, get, post};

use crate::api::guard::guard;
use crate::api::problem::{no_head, no_method, no_route};
use crate::api::prometheus;
use crate::api::{App, alertmanager};

/// The hand-kept description of these routes; a test compares it with the table.
const OPENAPI: &str = include_str!("../openapi.json");

/// Path, methods, handlers.
pub(super) type Route = (&'static str, &'static [&'static str], MethodRouter<App>);

fn table() -> Vec<Route> {
    let mut own: Vec<Route> = vec![
        ("/api/v1/board", &["get"], get(board::board)),
        ("/api/v1/stream", &["get"], get(stream::stream)),
        ("/api/v1/monitors", &["get"], get(board::monitors)),
        ("/api/v1/monitors/{name}", &["get"], get(board::monitor)),
        ("/api/v1/monitors/{name}/history", &["get"], get(board::history)),
        ("/api/v1/monitors/{name}/run", &["post"], post(commands::run)),
        ("/api/v1/events", &["get"], get(board::events)),
        ("/api/v1/alerts", &["get"], get(board::alerts)),
        ("/api/v1/config", &["get"], get(board::config)),
        ("/api/v1/reload", &["post"], post(commands::reload)),
        // A report by `GET` changes something, so a link preview's `HEAD` must not make one.
        ("/api/v1/push/{name}", &["get", "post"], get(commands::push_query).post(commands::push).head(no_head)),
        (
            "/api/v1/push/{name}/{word}",
            &["get", "post"],
            get(commands::push_word).post(commands::push_word).head(no_head),
        ),
        ("/api/v1/webhook/{name}", &["post"], post(commands::webhook)),
        ("/api/v1/openapi.json", &["get"], get(health::openapi)),
        ("/metrics", &["get"], get(health::metrics)),
        ("/health", &["get"], get(health::health)),
        ("/health/live", &["get"], get(health::live)),
        ("/health/ready", &["get"], get(health::ready)),
        ("/api/v1/alerts/{name}", &["get"], get(alerting::detail)),
        ("/api/v1/alerts/{name}/ack", &["post", "delete"], post(alerting::acknowledge).delete(alerting::unacknowledge)),
        ("/api/v1/silences", &["get", "post"], get(alerting::silences).post(alerting::set_silence)),
        ("/api/v1/silences/preview", &["post"], post(alerting::preview)),
        ("/api/v1/silences/{name}", &["delete"], delete(alerting::expire)),
        ("/api/v1/maintenance", &["get"], get(alerting::maintenance)),
        ("/api/v1/notifications", &["get"], get(alerting::deliveries)),
        ("/api/v1/notifications/{name}/resend", &["post"], post(alerting::resend)),
        ("/api/v1/notifiers", &["get"], get(alerting::notifiers)),
        ("/api/v1/notifiers/{name}/test", &["post"], post(alerting::test)),
        ("/api/v1/drill", &["post"], post(alerting::drill)),
        ("/api/v1/routes", &["get"], get(alerting::routes)),
        ("/api/v1/routes/test", &["post"], post(alerting::route_test)),
        ("/api/v1/why", &["get"], get(alerting::why)),
        ("/api/v1/sla", &["get"], get(sla::sla)),
    ];
    own.extend(prometheus::table());
    own.extend(alertmanager::table());
    own
}

/// Every route behind the guard.
pub(super) fn router(app: App) -> Router {
    let mut router = Router::new();
    for (path, _, handlers) in table() {
        router = router.route(path, handlers);
    }
    router.method_not_allowed_fallback(no_method).fallback(no_route).layer(from_fn(guard)).with_state(app)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_lists_exactly_the_routes() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|m| (path.clone(), m.clone())))
            .filter(|(_, m)| m != "parameters")
            .collect();
        let served = table()
            .into_iter()
            .flat_map(|(path, methods, _)| methods.iter().map(|m| (path.to_owned(), (*m).to_owned())))
            .collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            if let Some(target) = value.get("$ref").and_then(serde_json::Value::as_str) {
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
            }
            match value {
                serde_json::Value::Array(items) => open.extend(items),
                serde_json::Value::Object(items) => open.extend(items.values()),
                _ => {}
            }
        }
    }
}
