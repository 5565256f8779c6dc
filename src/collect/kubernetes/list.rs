//! Lists of objects, page by page over one connection.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::fetch::Http;
use crate::collect::judge::found;
use crate::collect::kubernetes::access::Access;
use crate::collect::kubernetes::objects::Page;
use crate::collect::trace::Trace;

/// Objects of a page: some ten KiB each, most of it what we skip.
const PAGE: &str = "100";
/// Bytes of a page.
const MAX_PAGE: usize = 8 << 20;
/// Objects of one kind that are looked at.
pub const MAX_OBJECTS: usize = 10_000;

/// An API server over one connection.
pub struct Api<'a, S: AsyncRead + AsyncWrite + Unpin> {
    http: Http<S>,
    access: &'a Access,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// `/api/v1`.
    pub group: &'a str,
    /// `pods`.
    pub plural: &'a str,
    /// Namespaces; none for all, and for what is in none.
    pub namespaces: &'a [String],
    /// A selector of labels, or nothing.
    pub labels: &'a str,
    /// A selector of fields, or nothing.
    pub fields: &'a str,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Api<'a, S> {
    /// Speaks over this stream.
    ///
    /// # Errors
    /// See [`Http::over`].
    pub async fn over(stream: S, access: &'a Access) -> Result<Self, Fault> {
        Ok(Self { http: Http::over(stream).await?, access })
    }

    /// All objects of a kind; `None` when the server does not know it.
    ///
    /// # Errors
    /// The server refuses, or answers unusably.
    pub async fn list<T: DeserializeOwned>(
        &mut self,
        ask: Ask<'_>,
        trace: &mut Trace,
    ) -> Result<Option<Vec<T>>, Fault> {
        let mut all = Vec::new();
        let places: Vec<String> = match ask.namespaces {
            [] => vec![format!("{}/{}", ask.group, ask.plural)],
            some => some.iter().map(|n| format!("{}/namespaces/{n}/{}", ask.group, ask.plural)).collect(),
        };
        for place in places {
            if !self.pages(&place, ask, &mut all, trace).await? {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    async fn pages<T: DeserializeOwned>(
        &mut self,
        place: &str,
        ask: Ask<'_>,
        all: &mut Vec<T>,
        trace: &mut Trace,
    ) -> Result<bool, Fault> {
        let mut next = String::new();
        loop {
            let target = target(&format!("{}{place}", self.access.base), ask, &next)?;
            let mut request = Request::get(target)
                .header(header::HOST, self.access.peer.to_string())
                .header(header::ACCEPT, "application/json")
                .header(header::USER_AGENT, "watchdog");
            if let Some(bearer) = &self.access.bearer {
                request = request.header(header::AUTHORIZATION, bearer.reveal());
            }
            let request = request.body(Empty::<Bytes>::new());
            let request = request.map_err(|e| Fault::target("protocol_error", e.to_string()))?;
            let page = self.http.ask(request, MAX_PAGE, trace).await?;
            match page.status.as_u16() {
                200 => {}
                404 => return Ok(false),
                status => return Err(refused(status, ask.plural, &page.body)),
            }
            let bad = |e| Fault::target("protocol_error", format!("the list of {} is not understood: {e}", ask.plural));
            let page: Page<T> = serde_json::from_slice(&page.body).map_err(bad)?;
            all.extend(page.items.unwrap_or_default());
            match page.metadata.next {
                Some(token) if !token.is_empty() && all.len() < MAX_OBJECTS && token != next => next = token,
                Some(_) | None => return Ok(true),
            }
        }
    }
}

/// The path with its query, all parts encoded.
fn target(path: &str, ask: Ask<'_>, next: &str) -> Result<String, Fault> {
    let url = Url::parse(&format!("http://cluster{path}"));
    let mut url = url.map_err(|e| Fault::target("protocol_error", format!("`{path}` is no path: {e}")))?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", PAGE);
        for (key, text) in [("labelSelector", ask.labels), ("fieldSelector", ask.fields), ("continue", next)] {
            if !text.is_empty() {
                query.append_pair(key, text);
            }
        }
    }
    Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
}

/// The server says in a `Status` object why.
fn refused(status: u16, plural: &str, body: &[u8]) -> Fault {
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = said.as_ref().and_then(|s| s.get("message")?.as_str()).unwrap_or_default();
    let class = match status {
        401 | 403 => "auth",
        _ => "status",
    };
    let said = if said.is_empty() { String::new() } else { format!(": {}", found(said)) };
    Fault::target(class, format!("the list of {plural} is refused with status {status}{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_encoded() {
        let ask = Ask { group: "/api/v1", plural: "pods", namespaces: &[], labels: "app=a,tier!=b&c", fields: "" };
        let got = target("/k8s/api/v1/pods", ask, "to/ken==").unwrap();
        assert_eq!(got, "/k8s/api/v1/pods?limit=100&labelSelector=app%3Da%2Ctier%21%3Db%26c&continue=to%2Fken%3D%3D");
    }
}
