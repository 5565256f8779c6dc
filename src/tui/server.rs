//! The TUI's view of the server, so that everything but these lines is tested without one.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::base::labels::Labels;
use crate::base::metadata::Kind;
use crate::client::{Client, ClientError, Link, follow, path_segment};
use crate::tui::action::{Failed, Order, Outcome, Reply, Request};
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::{NAMES, NamesOf};
use crate::wire::metrics::{Cardinality, Described, Metadata};
use crate::wire::query::Names;

/// Deliveries on one page.
const DELIVERIES: usize = 100;
/// Windows of maintenance that are asked for.
const MAINTENANCE: usize = 100;

/// Answers requests and follows the board.
pub(crate) trait Server: Clone + Send + 'static {
    /// Where it is, for the person.
    fn place(&self) -> String;

    /// Asks one question. Has a deadline of its own; may be dropped at any point.
    fn ask(&self, request: Request) -> impl Future<Output = Result<Reply, Failed>> + Send;

    /// Reports frames until `stop`; a nudge ends a pause between tries, or renews an open connection.
    fn follow(
        self,
        links: mpsc::Sender<Link>,
        nudge: Arc<Notify>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// The body of commands that need none.
#[derive(Serialize)]
struct Nothing {}

impl Server for Client {
    fn place(&self) -> String {
        self.endpoint().to_string()
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failed> {
        let reply = match request {
            Request::Detail(name) => {
                self.get(&format!("/api/v1/monitors/{}", path_segment(name.as_str()))).await.map(Reply::Detail)
            }
            Request::Config => self.get("/api/v1/config").await.map(Reply::Config),
            Request::Run(name) => {
                let path = format!("/api/v1/monitors/{}/run", path_segment(name.as_str()));
                self.post(&path, &Nothing {}).await.map(Reply::Ran)
            }
            Request::Query { ask, .. } => self
                .post_form(ask.path(), &ask.form())
                .await
                .and_then(|text| serde_json::from_str(&text).map_err(|e| ClientError::Reply(e.to_string())))
                .map(Reply::Queried),
            Request::Names(of) => self.get::<Names>(&names_path(&of)).await.map(|names| Reply::Names(names.data)),
            Request::Metrics => metrics(self).await.map(Reply::Metrics),
            Request::Reload => self.post("/api/v1/reload", &Nothing {}).await.map(Reply::Reloaded),
            Request::Alert(fingerprint) => {
                self.get(&format!("/api/v1/alerts/{}", path_segment(&fingerprint))).await.map(Reply::Alert)
            }
            Request::Silences => self.get("/api/v1/silences").await.map(Reply::Silences),
            Request::Preview { silence, .. } => {
                self.post("/api/v1/silences/preview", &*silence).await.map(Reply::Preview)
            }
            Request::Maintenance => {
                self.get(&format!("/api/v1/maintenance?limit={MAINTENANCE}")).await.map(Reply::Maintenance)
            }
            Request::Deliveries(before) => {
                let before = before.map(|id| format!("&before={id}")).unwrap_or_default();
                self.get(&format!("/api/v1/notifications?limit={DELIVERIES}{before}")).await.map(Reply::Deliveries)
            }
            Request::Notifiers => self.get("/api/v1/notifiers").await.map(Reply::Notifiers),
            Request::Routes => self.get("/api/v1/routes").await.map(Reply::Routes),
            Request::Route(labels) => {
                let labels = Labels::new(labels);
                self.post("/api/v1/routes/test", &labels).await.map(Reply::Route)
            }
            Request::Why(q) => {
                self.get(&format!("/api/v1/why?about={}&kind={}", path_segment(&q.about), q.kind)).await.map(Reply::Why)
            }
            Request::Do { order, .. } => carry_out(self, order).await.map(Reply::Done),
        };
        reply.map_err(|e| failed(&e))
    }

    fn follow(
        self,
        links: mpsc::Sender<Link>,
        nudge: Arc<Notify>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        follow(self, links, nudge, stop)
    }
}

/// The body of `{"ok":true}`, which says no more than its status.
#[derive(serde::Deserialize)]
struct Accepted {}

async fn carry_out(client: &Client, order: Order) -> Result<Outcome, ClientError> {
    let done = |_: Accepted| Outcome::Done;
    match order {
        Order::Ack(fingerprint, request) => {
            let path = format!("/api/v1/alerts/{}/ack", path_segment(&fingerprint));
            client.post(&path, &request).await.map(Outcome::Acked)
        }
        Order::Unack(fingerprint) => {
            client.delete(&format!("/api/v1/alerts/{}/ack", path_segment(&fingerprint))).await.map(done)
        }
        Order::Silence(request) => client.post("/api/v1/silences", &*request).await.map(Outcome::Silenced),
        Order::Expire(id) => client.delete(&format!("/api/v1/silences/{}", path_segment(&id))).await.map(done),
        Order::Resend(id) => client.post(&format!("/api/v1/notifications/{id}/resend"), &Nothing {}).await.map(done),
        Order::Test(name) => {
            let path = format!("/api/v1/notifiers/{}/test", path_segment(&name));
            client.post(&path, &Nothing {}).await.map(Outcome::Tested)
        }
    }
}

/// Which metrics there are. What tells more than their names may be missing: other servers do not tell it.
async fn metrics(client: &Client) -> Result<Vec<Metric>, ClientError> {
    let names: Names = client.get(&names_path(&NamesOf::Metrics)).await?;
    let described: Metadata = client.get(&format!("/api/v1/metadata?limit={NAMES}")).await.unwrap_or_default();
    let counted: Cardinality = client.get(&format!("/api/v1/status/tsdb?limit={NAMES}")).await.unwrap_or_default();
    let counts = counted.data.series_count_by_metric_name;
    let counts: HashMap<String, u64> = counts.into_iter().map(|count| (count.name, count.value)).collect();
    let metric = |name: String| {
        let told = described_as(&name, &described.data).cloned().unwrap_or_default();
        let series = counts.get(&name).copied();
        Metric { name, kind: told.r#type, help: told.help, unit: told.unit, series }
    };
    Ok(names.data.into_iter().map(metric).collect())
}

/// What was told of a metric, or of the one that it is a part of: a histogram's `_count` is told with the histogram.
fn described_as<'t>(name: &str, told: &'t HashMap<String, Vec<Described>>) -> Option<&'t Described> {
    let of = |name: &str| told.get(name)?.first();
    of(name).or_else(|| {
        let (whole, ending) = name.split_at(name.rfind('_')?);
        of(whole).filter(|told| Kind::from_word(&told.r#type).unwrap_or_default().endings().contains(&ending))
    })
}

/// Where a list of names is.
fn names_path(of: &NamesOf) -> String {
    let (path, selector) = match of {
        NamesOf::Metrics => ("/api/v1/label/__name__/values".to_owned(), &None),
        NamesOf::Labels(selector) => ("/api/v1/labels".to_owned(), selector),
        NamesOf::Values(label, selector) => {
            (format!("/api/v1/label/{}/values", path_segment(&label_path(label))), selector)
        }
    };
    let selector = selector.as_ref().map(|s| format!("&match[]={}", path_segment(s))).unwrap_or_default();
    format!("{path}?limit={NAMES}{selector}")
}

/// A label's name as Prometheus takes it in a path: names beyond its old alphabet are written in hex.
fn label_path(label: &str) -> String {
    let old = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if label.chars().all(old) && !label.starts_with(|c: char| c.is_ascii_digit()) {
        return label.to_owned();
    }
    let mut out = "U__".to_owned();
    for (i, c) in label.chars().enumerate() {
        match c {
            '_' => out.push_str("__"),
            c if c.is_ascii_alphanumeric() && (i > 0 || !c.is_ascii_digit()) => out.push(c),
            c => out.push_str(&format!("_{:x}_", u32::from(c))),
        }
    }
    out
}

fn failed(error: &ClientError) -> Failed {
    let mut message = Chain(error).to_string();
    if let ClientError::Refused { hints, .. } = error
        && !hints.is_empty()
    {
        message.push_str(&format!(" ({})", hints.join("; ")));
    }
    Failed { message }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::State;
    use axum::http::{Method, StatusCode, Uri};
    use axum::response::{IntoResponse, Response};
    use serde_json::{Value, json};

    use super::*;
    use crate::client::Endpoint;
    use crate::tui::action::Question;
    use crate::tui::fixture;
    use crate::wire::alerting::{AckRequest, Deliveries, SilenceRequest, TestResult};

    #[test]
    fn what_is_told_of_a_metric_is_told_of_its_parts() {
        let one = |kind: &str| vec![Described { r#type: kind.into(), ..Described::default() }];
        let told = [("jobs", "counter"), ("wait", "histogram"), ("size", "gauge"), ("size_sum", "unknown")];
        let told: HashMap<_, _> = told.map(|(name, kind)| (name.to_owned(), one(kind))).into();
        let kind = |name| described_as(name, &told).map_or("", |told| told.r#type.as_str());
        for (name, want) in [
            ("jobs_total", "counter"),
            ("jobs", "counter"),
            ("wait_bucket", "histogram"),
            ("wait_count", "histogram"),
            ("wait_total", ""),
            ("size_total", ""),
            ("size_sum", "unknown"),
            ("total", ""),
        ] {
            assert_eq!(kind(name), want, "{name}");
        }
    }

    type Heard = Arc<Mutex<Vec<String>>>;

    /// Answers as the routes in the header of `wire::alerting` say, and notes what was asked.
    async fn answer(State(heard): State<Heard>, method: Method, uri: Uri, body: Bytes) -> Response {
        heard.lock().unwrap().push(format!("{method} {uri} {}", String::from_utf8_lossy(&body)));
        let board = fixture::alerting();
        let to = |v: Result<Value, serde_json::Error>| v.unwrap();
        let value = match (method.as_str(), uri.path().trim_start_matches("/api/v1/")) {
            ("GET", "alerts/a%2Fb") => to(serde_json::to_value(fixture::alert_detail(&board.alerts[0]))),
            ("POST", "alerts/f/ack") => to(serde_json::to_value(&board.alerts[0].ack)),
            ("DELETE", "alerts/f/ack" | "silences/s") | ("POST", "notifications/8/resend") => json!({"ok": true}),
            ("GET", "silences") => to(serde_json::to_value(fixture::silences())),
            ("POST", "silences") => to(serde_json::to_value(&fixture::silences()[0])),
            ("POST", "silences/preview") => to(serde_json::to_value(fixture::preview())),
            ("GET", "maintenance") => to(serde_json::to_value(fixture::maintenance())),
            ("GET", "notifications") => {
                to(serde_json::to_value(Deliveries { deliveries: fixture::deliveries(), next: Some(5) }))
            }
            ("GET", "notifiers") => to(serde_json::to_value(fixture::notifiers())),
            ("POST", "notifiers/t/test") => to(serde_json::to_value(TestResult {
                notifier: "t".into(),
                ok: true,
                took: std::time::Duration::from_millis(4),
                detail: None,
            })),
            ("GET", "routes") => to(serde_json::to_value(fixture::routes())),
            ("POST", "routes/test") => to(serde_json::to_value(fixture::alert_detail(&board.alerts[0]).routes)),
            ("GET", "why") => to(serde_json::to_value(fixture::why())),
            _ => {
                let refusal =
                    json!({"status": "error", "errorType": "not_found", "error": "gone", "hints": ["a", "b"]});
                return (StatusCode::NOT_FOUND, axum::Json(refusal)).into_response();
            }
        };
        axum::Json(value).into_response()
    }

    #[tokio::test]
    async fn every_request_takes_the_route_that_the_api_gives_it() {
        let heard = Heard::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(Endpoint::Tcp(listener.local_addr().unwrap()));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let server = axum::serve(listener, app).into_future();
        let order = |order| Request::Do { batch: 1, order };
        let asks = async {
            for (request, line) in [
                (Request::Alert("a/b".into()), "GET /api/v1/alerts/a%2Fb "),
                (Request::Silences, "GET /api/v1/silences "),
                (
                    Request::Preview {
                        id: 1,
                        silence: Box::new(SilenceRequest {
                            matchers: vec!["a=\"b\"".into()],
                            ..SilenceRequest::default()
                        }),
                    },
                    "POST /api/v1/silences/preview {\"id\":null,\"matchers\":[\"a=\\\"b\\\"\"]",
                ),
                (Request::Maintenance, "GET /api/v1/maintenance?limit=100 "),
                (Request::Deliveries(None), "GET /api/v1/notifications?limit=100 "),
                (Request::Deliveries(Some(5)), "GET /api/v1/notifications?limit=100&before=5 "),
                (Request::Notifiers, "GET /api/v1/notifiers "),
                (Request::Routes, "GET /api/v1/routes "),
                (Request::Route(vec![("team".into(), "web".into())]), "POST /api/v1/routes/test {\"team\":\"web\"}"),
                (
                    Request::Why(Question { about: "a b".into(), kind: "rule" }),
                    "GET /api/v1/why?about=a%20b&kind=rule ",
                ),
                (order(Order::Ack("f".into(), AckRequest::default())), "POST /api/v1/alerts/f/ack {"),
                (order(Order::Unack("f".into())), "DELETE /api/v1/alerts/f/ack "),
                (order(Order::Silence(Box::default())), "POST /api/v1/silences {"),
                (order(Order::Expire("s".into())), "DELETE /api/v1/silences/s "),
                (order(Order::Resend(8)), "POST /api/v1/notifications/8/resend {}"),
                (order(Order::Test("t".into())), "POST /api/v1/notifiers/t/test {}"),
            ] {
                let reply = client.ask(request.clone()).await;
                assert!(reply.is_ok(), "{request:?}: {reply:?}");
                let asked = heard.lock().unwrap().pop().unwrap();
                assert!(asked.starts_with(line), "{asked}");
            }
            let failed = client.ask(Request::Alert("gone".into())).await.unwrap_err();
            assert!(failed.message.ends_with("gone (a; b)"), "{}", failed.message);
        };
        tokio::select! {
            end = server => panic!("the server ended: {end:?}"),
            () = asks => {}
        }
    }
}
