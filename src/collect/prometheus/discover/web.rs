//! `http_sd_configs`: a list of targets in JSON at an address.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::http::content::USER_AGENT;
use crate::collect::http::exchange::Client;
use crate::collect::http::hop::Hop;
use crate::collect::http::spec::shown_url;
use crate::collect::http::{decode, redirect};
use crate::collect::judge::found as short;
use crate::collect::mask::Mask;
use crate::collect::prometheus::access::{self, Access, authorize};
use crate::collect::prometheus::discover::{Found, MOST_TARGETS};
use crate::collect::prometheus::job::ADDRESS;
use crate::collect::prometheus::relabel::Draft;
use crate::collect::trace::Trace;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Names the address on each of its targets.
const URL_LABEL: &str = "__meta_url";
/// Tells the address how often it is asked.
const REFRESH_HEADER: HeaderName = HeaderName::from_static("x-prometheus-refresh-interval-seconds");
/// A larger answer is no list of targets, in bytes.
const MAX_BODY: usize = 16 << 20;

/// One address.
#[derive(Debug)]
pub struct Web {
    hop: Hop,
    /// As written, without credentials and what references resolved to.
    shown: String,
    access: Access,
    client: Client,
    redirects: bool,
    mask: Mask,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Web {
    /// Reads `url` and what says who asks, of which nothing is shown by the whole job.
    pub fn read(fields: &mut Fields<'_>, every: Duration, mask: &mut Mask) -> Option<Self> {
        let errors = fields.cx().error_count();
        let url = fields.need_text("url", "write e.g. `url: https://inventory.example.com/targets`");
        let mut access = access::read(fields, mask);
        let redirects = fields.bool("follow_redirects").unwrap_or(true);
        let client = access::read_client(fields, MAX_BODY, mask);
        let url = url?;
        mask.add_url(&url);
        if let Some(given) = reqwest::Url::parse(url.value().trim()).ok().and_then(|url| access::of_url(&url, mask)) {
            access = given;
        }
        let mut hop = match Hop::new(url.value().trim(), Method::GET, Bytes::new()) {
            Ok(hop) => hop,
            Err(e) => {
                let hint = "write e.g. `https://inventory.example.com/targets`";
                fields.error(url.span, Code::BadValue, format!("`url` {e}"), hint);
                return None;
            }
        };
        let every = every.as_secs_f64().to_string();
        let headers = [
            (header::ACCEPT, "application/json"),
            (header::ACCEPT_ENCODING, "gzip"),
            (header::CONNECTION, "close"),
            (header::USER_AGENT, USER_AGENT),
            (REFRESH_HEADER, every.as_str()),
        ];
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                hop.set_header(name, value, false);
            }
        }
        if let Access::Header(value) = &access {
            authorize(&mut hop, value.clone());
        }
        let (shown, mask) = (shown_url(&url), mask.clone());
        (fields.cx().error_count() == errors).then_some(Self { hop, shown, access, client: client?, redirects, mask })
    }

    /// For people.
    pub fn describe(&self) -> String {
        self.shown.clone()
    }

    /// Asks the address.
    ///
    /// # Errors
    /// There is no list by then.
    pub async fn ask(&self, cx: &ProbeCx, deadline: Instant) -> Result<Found, Fault> {
        // With what files say now.
        let (mut mask, mut trace) = (self.mask.clone(), Trace::start());
        let ended = timeout_at(deadline, self.fetch(cx, &mut trace, &mut mask)).await;
        let targets = trace.settle(ended, deadline).map_err(|fault| {
            let mut text = format!("{}: {}", self.shown, fault.message());
            mask.hide(&mut text);
            fault.with_message(text)
        })?;
        Ok(Found { targets, trouble: None })
    }

    async fn fetch(&self, cx: &ProbeCx, trace: &mut Trace, mask: &mut Mask) -> Result<Vec<Draft>, Fault> {
        let wrong = |why: String| Fault::target("discovery", why);
        let mut hop = self.hop.clone();
        if let Some(value) = access::from_file(&self.access, mask).await? {
            authorize(&mut hop, value);
        }
        let mut slot = None;
        redirect::follow(&self.client, hop, self.redirects, mask, cx, trace, &mut slot).await?;
        let mut answer = slot.ok_or_else(|| wrong("no answer".to_owned()))?;
        if answer.status != StatusCode::OK {
            return Err(wrong(format!("server returned HTTP status {}", answer.status_text())));
        }
        let content = answer.headers.get(header::CONTENT_TYPE);
        let content = content.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).unwrap_or_default();
        let media = content.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(wrong(format!("the answer is `{}`, not `application/json`", short(&content))));
        }
        let work = tokio::task::spawn_blocking(move || {
            decode::decode(&mut answer, MAX_BODY)?;
            if answer.truncated {
                return Err(wrong(format!("the list is larger than {} MiB", MAX_BODY >> 20)));
            }
            serde_json::from_slice::<Vec<Group>>(&answer.body)
                .map_err(|e| wrong(format!("the list is not understood: {e}")))
        });
        let groups = work.await.map_err(|e| Fault::local("local_bug", format!("reading the list crashed: {e}")))??;
        let mut targets = Vec::new();
        for group in groups {
            let mut labels = Draft::default();
            group.labels.iter().flatten().for_each(|(name, value)| labels.set(name, value));
            labels.set(URL_LABEL, &self.shown);
            for address in group.targets.iter().take(MOST_TARGETS - targets.len()) {
                let mut draft = labels.clone();
                draft.set(ADDRESS, address);
                targets.push(draft);
            }
        }
        Ok(targets)
    }
}
