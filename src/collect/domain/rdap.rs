//! A domain's registration over RDAP (RFC 9082, RFC 9083), at the server that IANA's list names (RFC 9224).

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::header;
use reqwest::Url;
use serde_json::Value;
use tokio::time::Instant;

use crate::base::outcome::REGISTRY;
use crate::base::probe::ProbeCx;
use crate::base::retry_after;
use crate::collect::dial::Route;
use crate::collect::domain::registration::{Registration, date, epp, host};
use crate::collect::fault::Fault;
use crate::collect::fetch::{self, Page};
use crate::collect::judge::found;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::Trace;

/// IANA's list of the registries' servers.
pub const BOOTSTRAP: &str = "https://data.iana.org/rdap/dns.json";

/// Bytes of the list; it has less than a tenth of that.
const MAX_LIST: usize = 1 << 20;
/// Bytes of one answer.
const MAX_ANSWER: usize = 256 * 1024;
/// The list changes a few times a month.
const LIST_MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// Redirects followed: registries send on to their operators.
const MAX_HOPS: usize = 3;
/// Items of a list that are kept.
const MAX_ITEMS: usize = 64;

/// Pairs of endings and addresses, of one list.
type Services = Arc<Vec<(Vec<String>, Vec<String>)>>;

/// The lists that were read, by address; in practice one. Leaf data: held for one look-up.
static LISTS: LazyLock<Mutex<Vec<(String, Instant, Services)>>> = LazyLock::new(Mutex::default);

/// What a server said.
#[derive(Debug)]
pub enum Said {
    /// The domain is registered.
    Registered(Registration),
    /// It is not.
    NotRegistered(String),
    /// It is not, or there was no registry: a 404 that says nothing more. Registries may say so little (RFC 7480,
    /// section 5.3), and so may any server in front of one.
    Bare(String),
    /// There is no server for such domains.
    NoServer,
}

/// Why a registry gave no answer.
#[derive(Debug)]
pub struct Refused {
    /// What went wrong.
    pub fault: Fault,
    /// When it wants to be asked again, if it says so.
    pub after: Option<Duration>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, after: None }
    }
}

/// Asks for `domain`, at `server` or at the one that the list at `bootstrap` names.
///
/// # Errors
/// Nobody who must be asked answers in a usable way.
pub async fn ask(
    domain: &str,
    server: Option<&Url>,
    bootstrap: &Url,
    tls: &TlsSpec,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
) -> Result<Said, Refused> {
    // Who we are, and whom to expect, is for the monitor's own server: whom a registry names gets neither.
    let (strangers, home) = (tls.for_strangers(), server.and_then(Url::host_str));
    let base = match server {
        Some(server) => server.clone(),
        None => {
            let services = list(bootstrap, &strangers, route, cx, trace).await?;
            match find(&services, domain) {
                Some(base) => base,
                None => return Ok(Said::NoServer),
            }
        }
    };
    let mut url = base.clone();
    url.set_path(&format!("{}/domain/{domain}", base.path().trim_end_matches('/')));
    for _ in 0..=MAX_HOPS {
        let tls = if url.host_str() == home { tls } else { &strangers };
        let page = fetch::get(&url, "application/rdap+json", MAX_ANSWER, tls, route, cx, trace).await?;
        let who = url.host_str().unwrap_or_default().to_owned();
        match page.status.as_u16() {
            200 => return Ok(Said::Registered(read(&page, &who)?)),
            404 if is_registry(&page) => return Ok(Said::NotRegistered(format!("RDAP {who}"))),
            404 if page.body.is_empty() && !page.headers.contains_key(header::CONTENT_TYPE) => {
                return Ok(Said::Bare(format!("RDAP {who}")));
            }
            404 => {
                let message = format!("{who} answers with status 404, and not as a registry does");
                return Err(Fault::target(REGISTRY, message).into());
            }
            301 | 302 | 303 | 307 | 308 => url = next(&url, &page)?,
            status => {
                let after = page.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
                let after = after.and_then(|text| retry_after::parse(text, cx.now));
                let fault = match status {
                    429 => Fault::target("rate_limited", format!("{who} asks us to come back later")),
                    _ => Fault::target(REGISTRY, format!("{who} answers with status {status}")),
                };
                return Err(Refused { fault, after });
            }
        }
    }
    Err(Fault::target(REGISTRY, "the registry redirects too often").into())
}

/// Where a redirect leads; never from https to http.
fn next(from: &Url, page: &Page) -> Result<Url, Fault> {
    let to = page.headers.get(header::LOCATION).and_then(|v| from.join(v.to_str().ok()?).ok());
    match to {
        Some(to) if to.scheme() == "https" || to.scheme() == from.scheme() => Ok(to),
        Some(_) | None => Err(Fault::target(REGISTRY, "the registry redirects to no usable address")),
    }
}

async fn list(url: &Url, tls: &TlsSpec, route: &Route, cx: &ProbeCx, trace: &mut Trace) -> Result<Services, Fault> {
    {
        let lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.iter().find(|(at, read, _)| at == url.as_str() && read.elapsed() < LIST_MAX_AGE);
        if let Some((_, _, services)) = known {
            return Ok(Arc::clone(services));
        }
    }
    let page = fetch::get(url, "application/json", MAX_LIST, tls, route, cx, trace).await?;
    let services = match page.status.as_u16() {
        200 => services(&page.body),
        _ => None,
    };
    let Some(services) = services else {
        let message = format!("`{url}` answers with status {} and no list of registries", page.status.as_u16());
        return Err(Fault::target(REGISTRY, message));
    };
    let services = Arc::new(services);
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    lists.retain(|(at, read, _)| at != url.as_str() && read.elapsed() < LIST_MAX_AGE);
    lists.push((url.as_str().to_owned(), Instant::now(), Arc::clone(&services)));
    Ok(services)
}

/// RFC 9224, section 3: `{"services": [[[endings], [addresses]], …]}`.
fn services(body: &[u8]) -> Option<Vec<(Vec<String>, Vec<String>)>> {
    let root: Value = serde_json::from_slice(body).ok()?;
    let texts = |v: &Value| {
        let items = v.as_array().into_iter().flatten().filter_map(Value::as_str);
        items.map(str::to_owned).collect::<Vec<_>>()
    };
    // Of endings case says nothing, of paths it does.
    let endings = |v: &Value| texts(v).into_iter().map(|ending| ending.to_ascii_lowercase()).collect();
    let rows = root.get("services")?.as_array()?;
    Some(rows.iter().filter_map(|row| Some((endings(row.get(0)?), texts(row.get(1)?)))).collect())
}

/// The address for the longest ending of `domain` that is listed; https is preferred.
fn find(services: &[(Vec<String>, Vec<String>)], domain: &str) -> Option<Url> {
    let mut ending = domain;
    while let Some((_, rest)) = ending.split_once('.') {
        ending = rest;
        let row = services.iter().find(|(endings, _)| endings.iter().any(|e| e == ending));
        if let Some((_, addresses)) = row {
            let secure = addresses.iter().find(|a| a.starts_with("https:")).or(addresses.first());
            return secure.and_then(|a| Url::parse(a).ok());
        }
    }
    None
}

/// Whether it is a registry that knows nothing of a name: any server says 404 of a path that it does not have.
fn is_registry(page: &Page) -> bool {
    let content = page.headers.get(header::CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or_default());
    let media = content.split(';').next().unwrap_or_default().trim();
    let code = || serde_json::from_slice::<Value>(&page.body).ok()?.get("errorCode")?.as_u64();
    media.eq_ignore_ascii_case("application/rdap+json") || code() == Some(404)
}

fn read(page: &Page, who: &str) -> Result<Registration, Fault> {
    let root: Value = serde_json::from_slice(&page.body)
        .map_err(|e| Fault::target(REGISTRY, format!("{who} answers with something else than JSON: {e}")))?;
    if root.get("objectClassName").and_then(Value::as_str) != Some("domain") {
        return Err(Fault::target(REGISTRY, format!("{who} answers with something else than a domain")));
    }
    let items = |v: &Value, key: &str| v.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let event = |action: &str| {
        let events = items(&root, "events");
        let found = events.iter().find(|e| e.get("eventAction").and_then(Value::as_str) == Some(action))?;
        date(found.get("eventDate")?.as_str()?)
    };
    let nameservers = items(&root, "nameservers");
    let is_registrar = |e: &&Value| items(e, "roles").iter().any(|r| r.as_str() == Some("registrar"));
    Ok(Registration {
        expires: event("expiration").or_else(|| event("soft expiration")),
        created: event("registration"),
        status: items(&root, "status").iter().filter_map(Value::as_str).take(MAX_ITEMS).map(epp).collect(),
        nameservers: nameservers.iter().filter_map(|n| n.get("ldhName")?.as_str()).take(MAX_ITEMS).map(host).collect(),
        registrar: items(&root, "entities").iter().find(is_registrar).and_then(full_name),
        source: format!("RDAP {who}"),
    })
}

/// `["vcard", [["fn", {}, "text", "Example Registrar"], …]]` (RFC 7095).
fn full_name(entity: &Value) -> Option<String> {
    let lines = entity.get("vcardArray")?.get(1)?.as_array()?;
    let name = lines.iter().find(|l| l.get(0).and_then(Value::as_str) == Some("fn"))?;
    name.get(3)?.as_str().map(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_names_the_server() {
        let list =
            br#"{"services": [[["Com"], ["http://a/", "https://b/RDAP/v1/"]], [["co.uk"], ["https://c/"]], [[], []], 7]}"#;
        let services = services(list).unwrap();
        assert_eq!(find(&services, "example.com").unwrap().as_str(), "https://b/RDAP/v1/");
        assert_eq!(find(&services, "example.co.uk").unwrap().as_str(), "https://c/");
        assert!(find(&services, "example.org").is_none());
        assert!(find(&services, "com").is_none());
    }
}
