//! Lists of objects, page by page over one connection.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::fetch::{self, Http};
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
/// Pages that follow others: twice as many as the objects need.
const MAX_PAGES: usize = 200;
/// Bytes of all pages of one kind: 10,000 objects of 13 KiB.
const MAX_BYTES: usize = 128 << 20;

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
        let mut left = Left { pages: MAX_PAGES, bytes: MAX_BYTES };
        for place in places {
            if !self.pages(&place, ask, &mut all, &mut left, trace).await? {
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
        left: &mut Left,
        trace: &mut Trace,
    ) -> Result<bool, Fault> {
        let mut next = String::new();
        loop {
            let target = target(&format!("{}{place}", self.access.base), ask, &next)?;
            let page = self.get(target, trace).await?;
            match page.status.as_u16() {
                200 => {}
                404 => return Ok(false),
                status => return Err(refused(status, &format!("the list of {}", ask.plural), &page.body)),
            }
            left.bytes = left.bytes.checked_sub(page.body.len()).ok_or_else(|| {
                let message =
                    format!("the list of {} has more than 128 MiB: make a monitor for each namespace", ask.plural);
                Fault::target("too_large", message)
            })?;
            let bad = |e| Fault::target("protocol_error", format!("the list of {} is not understood: {e}", ask.plural));
            let page: Page<T> = serde_json::from_slice(&page.body).map_err(bad)?;
            all.extend(page.items);
            match page.metadata.next {
                Some(token) if !token.is_empty() && all.len() < MAX_OBJECTS => next = token,
                Some(_) | None => return Ok(true),
            }
            left.pages = left
                .pages
                .checked_sub(1)
                .ok_or_else(|| Fault::target("protocol_error", format!("the list of {} does not end", ask.plural)))?;
        }
    }

    /// Whether there is a namespace of this name; `None` when the account may not know.
    ///
    /// # Errors
    /// The server does not let the account in, or answers unusably.
    pub async fn has_namespace(&mut self, name: &str, trace: &mut Trace) -> Result<Option<bool>, Fault> {
        let page = self.get(format!("{}/api/v1/namespaces/{name}", self.access.base), trace).await?;
        match page.status.as_u16() {
            200 => Ok(Some(true)),
            404 => Ok(Some(false)),
            403 => Ok(None),
            status => Err(refused(status, "the namespace", &page.body)),
        }
    }

    async fn get(&mut self, target: String, trace: &mut Trace) -> Result<fetch::Page, Fault> {
        let mut request = Request::get(target)
            .header(header::HOST, self.access.peer.to_string())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "watchdog");
        if let Some(bearer) = &self.access.bearer {
            request = request.header(header::AUTHORIZATION, bearer.reveal());
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|e| Fault::target("protocol_error", e.to_string()))?;
        self.http.ask(request, MAX_PAGE, trace).await
    }
}

/// What may still be read of one list.
struct Left {
    pages: usize,
    bytes: usize,
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
fn refused(status: u16, what: &str, body: &[u8]) -> Fault {
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = said.as_ref().and_then(|s| s.get("message")?.as_str()).unwrap_or_default();
    let class = match status {
        401 | 403 => "auth",
        _ => "status",
    };
    let said = if said.is_empty() { String::new() } else { format!(": {}", found(said)) };
    Fault::target(class, format!("{what} is refused with status {status}{said}"))
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
