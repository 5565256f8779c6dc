//! The TUI's view of the server, so that everything but these lines is tested without one.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::client::{Client, ClientError, Link, follow, path_segment};
use crate::tui::action::{Failed, Reply, Request};

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
