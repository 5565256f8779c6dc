//! One job as its options say: what its targets have in common, and how a found set of labels becomes a target.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};

use crate::base::labels::Labels;
use crate::base::units::{Exact, parse_duration};
use crate::collect::http::content::USER_AGENT;
use crate::collect::http::exchange::Client;
use crate::collect::http::hop::Hop;
use crate::collect::mask::Mask;
use crate::collect::prometheus::access::{Access, authorize};
use crate::collect::prometheus::cache::Intake;
use crate::collect::prometheus::format::Protocol;
use crate::collect::prometheus::relabel::{self, Draft, Rule};

/// The address that is scraped.
pub const ADDRESS: &str = "__address__";
/// `http` or `https`.
pub const SCHEME: &str = "__scheme__";
/// The path that is asked for.
pub const PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAMETER: &str = "__param_";
const META: &str = "__meta_";
const HIDDEN: &str = "__";

/// Tells exporters how long they have.
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// The options that all targets of a job share.
#[derive(Debug)]
pub struct Job {
    /// The label `job`.
    pub name: String,
    /// `interval`; zero for a job that runs at times of day.
    pub interval: Duration,
    /// `timeout`.
    pub timeout: Duration,
    /// `metrics_path`.
    pub path: String,
    /// `scheme`.
    pub scheme: String,
    /// `params`.
    pub params: BTreeMap<String, Vec<String>>,
    /// `relabel_configs`.
    pub rules: Vec<Rule>,
    /// What becomes of samples.
    pub intake: Intake,
    /// `scrape_protocols`, as the header `Accept`.
    pub accept: String,
    /// `fallback_scrape_protocol`.
    pub fallback: Option<Protocol>,
    /// `enable_compression`.
    pub compression: bool,
    /// `follow_redirects`.
    pub redirects: bool,
    /// `body_size_limit`, in bytes.
    pub body_limit: usize,
    /// `target_limit`; 0 for none.
    pub target_limit: usize,
    /// Credentials.
    pub access: Access,
    /// Trust.
    pub client: Client,
    /// Share of targets, in percent, that must be up for the job to be.
    pub expect_up: f64,
    /// What no message may show.
    pub mask: Mask,
}

/// What a found set of labels became.
#[derive(Clone, Debug)]
pub struct Made {
    /// The labels as found, with the job's defaults.
    pub discovered: Labels,
    /// What relabelling made of it: nothing when it was dropped.
    pub target: Option<Place>,
}

/// A target.
#[derive(Clone, Debug)]
pub struct Place {
    /// The labels of its series.
    pub labels: Labels,
    /// The request; a sentence when there can be none.
    pub hop: Result<Hop, String>,
    /// The address, for people.
    pub url: String,
    /// The machine that is asked.
    pub host: Box<str>,
    /// The limit of one scrape.
    pub timeout: Duration,
}

impl Place {
    /// What makes two targets the same target.
    pub fn key(&self) -> (String, Labels) {
        (self.url.clone(), self.labels.clone())
    }
}

impl Job {
    /// Labels without secrets.
    pub fn masked(&self, labels: &Labels) -> Labels {
        if self.mask.is_empty() {
            return labels.clone();
        }
        Labels::new(labels.iter().map(|(name, value)| {
            let mut value = value.to_owned();
            self.mask.hide(&mut value);
            (name, value)
        }))
    }

    /// Works out what becomes of a found set of labels.
    ///
    /// # Errors
    /// Relabelling left something that cannot be scraped; a sentence.
    pub fn make(&self, found: &Draft) -> Result<Made, String> {
        let mut labels = found.clone();
        let interval = if self.interval.is_zero() { Duration::from_secs(60) } else { self.interval };
        labels.fill("job", &self.name);
        labels.fill(INTERVAL, &Exact(interval).to_string());
        labels.fill(TIMEOUT, &Exact(self.timeout).to_string());
        labels.fill(PATH, &self.path);
        labels.fill(SCHEME, &self.scheme);
        for (name, values) in &self.params {
            if let Some(first) = values.first() {
                labels.fill(&format!("{PARAMETER}{name}"), first);
            }
        }
        let discovered = labels.labels();
        if !relabel::apply(&self.rules, &mut labels) {
            return Ok(Made { discovered, target: None });
        }
        let address = labels.get(ADDRESS).to_owned();
        if address.is_empty() {
            return Err("a target has no address after relabelling (`__address__` is empty)".to_owned());
        }
        if address.contains('/') {
            return Err(format!("`{address}` is no address of a target: write `host:port`, without scheme and path"));
        }
        let timeout = parse_duration(labels.get(TIMEOUT))
            .map_err(|e| format!("`{TIMEOUT}` of `{address}` is not understood: {e}"))?
            .min(self.timeout);
        parse_duration(labels.get(INTERVAL))
            .map_err(|e| format!("`{INTERVAL}` of `{address}` is not understood: {e}"))?;
        let url = self.url(&labels, &address);
        labels.retain(|name| !name.starts_with(META));
        labels.fill("instance", &address);
        labels.retain(|name| !name.starts_with(HIDDEN));
        let hop = self.hop(&url, timeout);
        let host = hop.as_ref().ok().and_then(|hop| hop.url().host_str()).unwrap_or_default().into();
        let place = Place { labels: labels.labels(), hop, url, host, timeout };
        Ok(Made { discovered, target: Some(place) })
    }

    fn url(&self, labels: &Draft, address: &str) -> String {
        let mut params = self.params.clone();
        for (name, value) in labels.iter() {
            if let Some(name) = name.strip_prefix(PARAMETER) {
                match params.get_mut(name).and_then(|values| values.first_mut()) {
                    Some(first) => value.clone_into(first),
                    None => drop(params.insert(name.to_owned(), vec![value.to_owned()])),
                }
            }
        }
        let path = labels.get(PATH).replace('?', "%3F").replace('#', "%23");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let base = format!("{}://{address}{slash}{path}", labels.get(SCHEME));
        let Ok(mut url) = reqwest::Url::parse(&base) else { return base };
        if params.values().any(|values| !values.is_empty()) {
            let mut query = url.query_pairs_mut();
            for (name, values) in &params {
                for value in values {
                    query.append_pair(name, value);
                }
            }
        }
        url.to_string()
    }

    fn hop(&self, url: &str, timeout: Duration) -> Result<Hop, String> {
        let mut hop = Hop::new(url, Method::GET, Bytes::new()).map_err(|e| format!("`{url}` {e}"))?;
        let fixed = [
            (header::ACCEPT, self.accept.as_str()),
            (header::ACCEPT_ENCODING, if self.compression { "gzip" } else { "identity" }),
            (header::USER_AGENT, USER_AGENT),
            (header::CONNECTION, "close"),
        ];
        for (name, value) in fixed {
            if let Ok(value) = HeaderValue::try_from(value) {
                hop.set_header(name, value, false);
            }
        }
        tell_timeout(&mut hop, timeout);
        if let Access::Header(value) = &self.access {
            authorize(&mut hop, value.clone());
        }
        Ok(hop)
    }
}

/// Says in a request how long its answer is waited for.
pub fn tell_timeout(hop: &mut Hop, timeout: Duration) {
    if let Ok(value) = HeaderValue::try_from(timeout.as_secs_f64().to_string()) {
        hop.set_header(TIMEOUT_HEADER, value, false);
    }
}
