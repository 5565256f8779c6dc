//! The options of `type: prometheus`: one address, or Prometheus' own words for a job.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::collect::http::spec::shown_url;
use crate::collect::kind::{Flag, Form, Kind, Operand, TLS};
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::collect::prometheus::PrometheusProbe;
use crate::collect::prometheus::access::{self, Access};
use crate::collect::prometheus::cache::Intake;
use crate::collect::prometheus::discover::Discovery;
use crate::collect::prometheus::format::{self, Protocol};
use crate::collect::prometheus::job::{ADDRESS, Job, PATH, SCHEME};
use crate::collect::prometheus::relabel::{self, Draft};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// Bytes of an answer unless the job says otherwise; Prometheus has no limit.
const DEFAULT_BODY: u64 = 64 << 20;
/// Most that it may say.
const MAX_BODY: u64 = 1 << 30;
/// Samples of a scrape unless the job says otherwise; Prometheus has no limit.
const DEFAULT_SAMPLES: usize = 1_000_000;
/// As every monitor has it that does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
/// As every monitor has it that does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind.
pub const KIND: Kind = Kind {
    name: "prometheus",
    about: "One scrape of Prometheus metrics.",
    operand: Some(Operand::One { path: "url", name: "URL", help: "Address, e.g. `http://127.0.0.1:9100/metrics`." }),
    flags: &[
        &[
            Flag::new("user", "basic_auth.username", Form::One("NAME"), "User to log in as."),
            Flag::new("password", "basic_auth.password", Form::One("PASSWORD"), "The user's password.").needs("user"),
            Flag::new("bearer", "authorization.credentials", Form::One("TOKEN"), "Token to show."),
            Flag::new("sample-limit", "sample_limit", Form::One("N"), "Most samples of an answer."),
        ],
        TLS,
    ],
    metrics: &[&[
        Metric::gauge("probe_prometheus_targets", "Targets of the job"),
        Metric::gauge("probe_prometheus_targets_up", "Targets that were scraped"),
        Metric::gauge("probe_prometheus_targets_unasked", "Targets that this machine could not ask"),
        Metric::gauge("probe_prometheus_series", "Series that the scrapes brought"),
    ]],
    read,
};

/// Options of Prometheus that are not part of this version.
const UNSUPPORTED: &[&str] = &[
    "oauth2",
    "http_headers",
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "scrape_native_histograms",
    "convert_classic_histograms_to_nhcb",
    "scrape_failure_log_file",
    "keep_dropped_targets",
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "ionos_sd_configs",
    "kubernetes_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "openstack_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
    "vultr_sd_configs",
];

/// Options of Prometheus that change nothing here: names may be UTF-8, and classic histograms are always taken.
const WITHOUT_EFFECT: [&str; 4] = [
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
    "always_scrape_classic_histograms",
    "scrape_classic_histograms",
];

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let own = fields.own("name").and_then(Node::as_str).map(str::to_owned);
    let name = fields.text("job_name").map(|text| text.value().to_owned()).or(own);
    let name = name.unwrap_or_else(|| "probe".to_owned());
    let times_of_day = fields.node("schedule").is_some() && fields.own("interval").is_none();
    let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let interval = fields.duration("interval", shortest..=longest).unwrap_or(DEFAULT_INTERVAL);
    let timeout = fields.duration("timeout", Duration::from_millis(1)..=longest);
    for (theirs, ours) in [("scrape_interval", "interval"), ("scrape_timeout", "timeout")] {
        if let Some(node) = fields.own(theirs) {
            let message = format!("`{theirs}` is called `{ours}` here, as with every monitor");
            fields.error(node.span, Code::UnknownKey, message, format!("write `{ours}:`"));
        }
    }
    let url = fields.text("url");
    let found = Discovery::read(fields, &mut mask);
    let path = fields.text("metrics_path");
    path.iter().for_each(|path| mask.add_url(path));
    let scheme = fields.parse("scheme", "write `http` or `https`", |text| match text {
        "http" | "https" => Ok(text.to_owned()),
        other => Err(format!("`{other}` is not spoken here")),
    });
    let mut params = read_params(fields, &mut mask);
    let mut access = access::read(fields, &mut mask);
    let accept = read_protocols(fields);
    let fallback = fields.parse("fallback_scrape_protocol", &format!("write one of: {}", Protocol::words()), |text| {
        Protocol::from_word(text).ok_or_else(|| format!("`{text}` is no scrape protocol"))
    });
    let intake = read_intake(fields);
    let compression = fields.bool("enable_compression").unwrap_or(true);
    let redirects = fields.bool("follow_redirects").unwrap_or(true);
    let body = fields.size("body_size_limit", 0..=MAX_BODY).unwrap_or(DEFAULT_BODY);
    let body_limit = usize::try_from(if body == 0 { MAX_BODY } else { body }).unwrap_or(usize::MAX);
    // One byte less: an answer that reaches the limit is too large already.
    let client = access::read_client(fields, body_limit.saturating_sub(1), &mut mask);
    let target_limit = count(fields, "target_limit").unwrap_or(0);
    let rules = relabel::read(fields, "relabel_configs");
    let mut expect_up = 100.0;
    if let Some(mut own) = fields.nested_of("expect", "up") {
        expect_up = own.number("up", 0.0..=100.0).unwrap_or(expect_up);
        own.finish();
    }
    for key in WITHOUT_EFFECT {
        fields.node(key);
    }
    fields.unsupported(UNSUPPORTED);
    let discovery = match &url {
        Some(url) => {
            for (key, _) in [("scheme", scheme.is_some()), ("metrics_path", path.is_some())].iter().filter(|p| p.1) {
                let message = format!("`{key}` is part of `url` already");
                fields.error(url.span, Code::Conflict, message, format!("take `{key}` out, or write `static_configs`"));
            }
            if !found.is_empty() {
                let message = "`url` is one target, and others are named beside it";
                fields.error(url.span, Code::Conflict, message, "put it into `static_configs`, too");
            }
            mask.add_url(url);
            address(fields, url, &mut params, &mut access, &mut mask).map(Discovery::of)
        }
        None if found.is_empty() => {
            fields.missing("url", "write `url: http://host:9100/metrics`, or `static_configs` and the like");
            None
        }
        None => Some(found),
    };
    let (discovery, client) = (discovery?, client?);
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = match &url {
        Some(url) => shown_url(url),
        // Of many, the job's name: how many they are may change, and the monitor stays the same.
        None => {
            let mut one = discovery.describe().unwrap_or_else(|| name.clone());
            mask.hide(&mut one);
            one
        }
    };
    let host = url.as_ref().and_then(|url| reqwest::Url::parse(url.value().trim()).ok()?.host_str().map(str::to_owned));
    let job = Job {
        name,
        interval: if times_of_day { Duration::ZERO } else { interval },
        timeout: timeout.unwrap_or_else(|| DEFAULT_TIMEOUT.min(interval)),
        path: path.map_or_else(|| "/metrics".to_owned(), |text| text.value().to_owned()),
        scheme: scheme.unwrap_or_else(|| "http".to_owned()),
        params,
        rules,
        intake,
        accept,
        fallback,
        compression,
        redirects,
        body_limit,
        target_limit,
        access,
        client,
        expect_up,
        mask,
    };
    let probe = Probe::new("prometheus", target, PrometheusProbe::new(job, discovery)).in_rounds();
    Some(match host {
        Some(host) => probe.at(&host),
        None => probe,
    })
}

fn count(fields: &mut Fields<'_>, key: &'static str) -> Option<usize> {
    fields.integer(key, 0..=1_000_000_000).and_then(|n| usize::try_from(n).ok())
}

fn read_intake(fields: &mut Fields<'_>) -> Intake {
    Intake {
        honor_labels: fields.bool("honor_labels").unwrap_or(false),
        honor_timestamps: fields.bool("honor_timestamps").unwrap_or(true),
        track_timestamps: fields.bool("track_timestamps_staleness").unwrap_or(false),
        rules: relabel::read(fields, "metric_relabel_configs"),
        sample_limit: count(fields, "sample_limit").unwrap_or(DEFAULT_SAMPLES),
        label_limit: count(fields, "label_limit").unwrap_or(0),
        name_length: count(fields, "label_name_length_limit").unwrap_or(0),
        value_length: count(fields, "label_value_length_limit").unwrap_or(0),
    }
}

fn read_protocols(fields: &mut Fields<'_>) -> String {
    let mut wanted: Vec<Protocol> = Vec::new();
    for text in fields.texts("scrape_protocols") {
        match Protocol::from_word(text.value()) {
            Some(protocol) if wanted.contains(&protocol) => {
                let message = format!("`{}` stands here twice", text.shown());
                fields.error(text.span, Code::BadValue, message, "keep one of the two");
            }
            Some(protocol) => wanted.push(protocol),
            None => {
                let message = format!("`{}` is no scrape protocol", text.shown());
                fields.error(text.span, Code::BadValue, message, format!("write some of: {}", Protocol::words()));
            }
        }
    }
    format::accept(if wanted.is_empty() { &format::DEFAULT } else { &wanted })
}

/// `params: {module: [http_2xx]}`
fn read_params(fields: &mut Fields<'_>, mask: &mut Mask) -> BTreeMap<String, Vec<String>> {
    let mut params = BTreeMap::new();
    let Some(node) = fields.node("params") else { return params };
    let Value::Map(entries) = &node.value else {
        let message = format!("`params` takes `name: [value]` lines, not {}", node.kind_name());
        fields.error(node.mark(), Code::WrongType, message, "write `params: {module: [http_2xx]}`");
        return params;
    };
    for entry in entries {
        let items: Vec<&Node> = match &entry.value.value {
            Value::Seq(items) => items.iter().collect(),
            Value::Scalar { .. } | Value::Map(_) => vec![&entry.value],
        };
        let values: Vec<Text> = items.into_iter().filter_map(|item| fields.cx().text(item)).collect();
        values.iter().for_each(|text| mask.add_url(text));
        params.insert(entry.key.clone(), values.iter().map(|text| text.value().to_owned()).collect());
    }
    params
}

/// Takes an address apart into what a target is made of.
fn address(
    fields: &Fields<'_>,
    url: &Text,
    params: &mut BTreeMap<String, Vec<String>>,
    access: &mut Access,
    mask: &mut Mask,
) -> Option<Draft> {
    const EXAMPLE: &str = "write e.g. `http://127.0.0.1:9100/metrics`";
    let refuse = |why: String, hint: String| fields.error(url.span, Code::BadValue, format!("`url` {why}"), hint);
    if !url.value().contains("://") {
        refuse("has no scheme".to_owned(), format!("write `http://{}`", url.shown()));
        return None;
    }
    let parsed = match reqwest::Url::parse(url.value().trim()) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => parsed,
        Ok(parsed) => {
            refuse(format!("begins with `{}:`, only http and https are scraped", parsed.scheme()), EXAMPLE.to_owned());
            return None;
        }
        Err(e) => {
            refuse(format!("is not a URL: {e}"), EXAMPLE.to_owned());
            return None;
        }
    };
    let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8_lossy().into_owned();
    let host = parsed.host_str()?;
    if let Some(given) = access::of_url(&parsed, mask) {
        *access = given;
    }
    for (name, value) in parsed.query_pairs() {
        params.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    let mut draft = Draft::default();
    draft.set(ADDRESS, &parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
    draft.set(SCHEME, parsed.scheme());
    draft.set(PATH, &decode(parsed.path()));
    Some(draft)
}
