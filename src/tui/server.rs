//! The TUI's view of the server, so that everything but these lines is tested without one.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::client::{Client, ClientError, Link, follow, path_segment};
use crate::tui::action::{Failed, Reply, Request};
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::{NAMES, NamesOf};
use crate::wire::metrics::{Cardinality, Metadata};
use crate::wire::query::Names;

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

/// Which metrics there are. What tells more than their names may be missing: other servers do not tell it.
async fn metrics(client: &Client) -> Result<Vec<Metric>, ClientError> {
    let names: Names = client.get(&names_path(&NamesOf::Metrics)).await?;
    let mut described: Metadata = client.get(&format!("/api/v1/metadata?limit={NAMES}")).await.unwrap_or_default();
    let counted: Cardinality = client.get(&format!("/api/v1/status/tsdb?limit={NAMES}")).await.unwrap_or_default();
    let counts = counted.data.series_count_by_metric_name;
    let counts: HashMap<String, u64> = counts.into_iter().map(|count| (count.name, count.value)).collect();
    let metric = |name: String| {
        let told = described.data.remove(&name).and_then(|told| told.into_iter().next()).unwrap_or_default();
        let series = counts.get(&name).copied();
        Metric { name, kind: told.r#type, help: told.help, unit: told.unit, series }
    };
    Ok(names.data.into_iter().map(metric).collect())
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
