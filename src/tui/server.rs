//! The TUI's view of the server, so that everything but these lines is tested without one.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::base::labels::Labels;
use crate::client::{Client, ClientError, Link, follow, path_segment};
use crate::tui::action::{Failed, Order, Outcome, Reply, Request};
use crate::tui::state::explore::complete::{NAMES, NamesOf};
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
        && let Some(hint) = hints.first()
    {
        message.push_str(" (");
        message.push_str(hint);
        message.push(')');
    }
    Failed { message }
}
