//! The table of monitor kinds. A further kind is one file and one row.

use crate::collect::kind::Kind;
use crate::collect::mask::Masked;
use crate::collect::metric::Metric;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// Every kind, in the order in which documentation lists them.
pub const KINDS: &[Kind] = &[
    crate::collect::http::spec::KIND,
    crate::collect::tcp::KIND,
    crate::collect::udp::KIND,
    crate::collect::ping::KIND,
    crate::collect::dns::KIND,
    crate::collect::unix::KIND,
    crate::collect::tls::kind::KIND,
    crate::collect::grpc::KIND,
    crate::collect::websocket::KIND,
    crate::collect::smtp::KIND,
    crate::collect::imap::KIND,
    crate::collect::ssh::KIND,
    crate::collect::ntp::KIND,
    crate::collect::redis::KIND,
    crate::collect::postgres::KIND,
    crate::collect::mysql::KIND,
    crate::collect::mqtt::KIND,
    crate::collect::domain::KIND,
    crate::collect::file::KIND,
    crate::collect::cert_file::KIND,
    crate::collect::docker::KIND,
    crate::collect::kubernetes::KIND,
    crate::collect::script::KIND,
    crate::collect::host::KIND,
    crate::collect::heartbeat::KIND,
    crate::collect::webhook::KIND,
    crate::collect::prometheus::spec::KIND,
];

/// Reads the options of a kind. What references in them resolve to is hidden in all that its probes bring back,
/// whatever the options are for: a target may say what it is expected to say, too.
pub fn read(kind: &str, fields: &mut Fields<'_>) -> Option<Probe> {
    let found = KINDS.iter().find(|k| k.name == kind)?;
    let cx = fields.cx();
    drop(cx.take_referring());
    let mut probe = (found.read)(fields)?;
    probe.collector = Masked::of(probe.collector, &cx.take_referring());
    Some(probe)
}

/// What a metric of a kind is; `None` for those that only a target can name.
pub fn metric(kind: &str, name: &str) -> Option<&'static Metric> {
    let found = KINDS.iter().find(|k| k.name == kind)?;
    found.metrics.iter().copied().flatten().find(|metric| metric.is(name))
}

/// The kinds as a table in Markdown, each with the page of the guide that says all about it.
pub fn markdown() -> String {
    let rows =
        KINDS.iter().map(|kind| format!("| [`{0}`]({0}.md) | {1} |\n", kind.name, kind.about.trim_end_matches('.')));
    "| `type` | what is checked |\n|---|---|\n".to_owned() + &rows.collect::<String>()
}

/// What the tests of all kinds need: options as YAML text, an outcome in return.
#[cfg(test)]
pub(crate) mod testing {
    use std::time::Duration;

    use tokio::time::Instant;

    use crate::base::outcome::Outcome;
    use crate::base::probe::ProbeCx;
    use crate::config::catalog::Probe;
    use crate::config::fields::{Cx, Fields, Resolver};
    use crate::config::report::Source;
    use crate::config::yaml;

    /// Resolves `${env:NAME}` to `resolved-NAME`.
    struct Fake;

    impl Resolver for Fake {
        fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
            Ok(format!("resolved-{name}"))
        }
    }

    /// Builds a probe from its options, with every problem as `message (hint)`.
    pub fn build(kind: &str, text: &str) -> (Option<Probe>, Vec<String>) {
        let (root, errors) = yaml::parse(text);
        assert!(errors.is_empty(), "{errors:?}");
        let root = root.unwrap();
        let cx = Cx::new(Source::new("test.yaml", text), &Fake);
        let mut fields = Fields::of(&cx, &root).unwrap();
        let probe = super::read(kind, &mut fields);
        fields.node("interval");
        fields.finish();
        let problems = cx.into_problems().into_iter().map(|p| format!("{} ({})", p.message, p.hint)).collect();
        (probe, problems)
    }

    /// The problems alone.
    pub fn problems(kind: &str, text: &str) -> Vec<String> {
        let (probe, problems) = build(kind, text);
        // An unknown key does not keep the probe from standing; every other problem does.
        assert!(probe.is_some() || !problems.is_empty(), "{text}");
        problems
    }

    /// Probes once with a deadline of 5 s.
    pub async fn outcome(kind: &str, text: &str) -> Outcome {
        let (probe, problems) = build(kind, text);
        assert!(problems.is_empty(), "{problems:?}");
        let outcome = probe.unwrap().collector.probe(&context(Duration::from_secs(5))).await;
        for sample in &outcome.samples {
            // Programs name their metrics as they like.
            let known = kind == "script" || super::metric(kind, &sample.name).is_some();
            assert!(known, "no row of `metrics` says what {} of {kind} is", sample.name);
        }
        outcome
    }

    /// A context whose deadline is `limit` away.
    pub fn context(limit: Duration) -> ProbeCx {
        let now = crate::base::clock::Clock::system().now();
        ProbeCx::new(Instant::now() + limit, now)
    }
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use super::testing::build;
    use crate::base::metadata::Kind;

    #[test]
    fn every_metric_is_described_in_words_and_no_row_is_hidden_by_another() {
        for kind in KINDS {
            let rows: Vec<_> = kind.metrics.iter().copied().flatten().collect();
            for (i, row) in rows.iter().enumerate() {
                let first = rows.iter().position(|other| other.is(&row.name.replace('*', "x")));
                assert_eq!(first, Some(i), "{}: {}", kind.name, row.name);
                assert!(row.help.len() > 5 && !row.help.ends_with('.'), "{}: {}", kind.name, row.name);
                // Prometheus' rule of names.
                let counts = row.name.ends_with("_total");
                assert!(!counts || row.kind == Kind::Counter, "{}: {}", kind.name, row.name);
            }
        }
    }

    #[test]
    fn kinds_that_share_a_metric_say_the_same_of_it() {
        let mut said = std::collections::HashMap::new();
        for row in KINDS.iter().flat_map(|kind| kind.metrics.iter().copied().flatten()) {
            assert_eq!(said.entry(row.name).or_insert(row), &row, "{}", row.name);
        }
    }

    /// Each is shown alone.
    #[test]
    fn no_description_leans_on_the_one_above() {
        for row in KINDS.iter().flat_map(|kind| kind.metrics.iter().copied().flatten()) {
            let leans = ["Its ", "The same", "How many it ", "How hard it ", "What it ", "When it ", "Pods that it "];
            let leans = leans.iter().any(|start| row.help.starts_with(start));
            let within =
                [" that signal", " that proof", " that frequency", " of it "].iter().any(|w| row.help.contains(w));
            assert!(!leans && !within, "{}: {}", row.name, row.help);
        }
    }

    /// What limits per machine count by, and whose way is looked at when it fails.
    #[test]
    fn every_kind_that_dials_names_its_host() {
        let dialling = [
            ("http", "{url: 'https://h/x'}"),
            ("tcp", "{host: 'h:1'}"),
            ("udp", "{host: 'h:1', send: x}"),
            ("ping", "{host: h}"),
            ("dns", "{query_name: a.example, servers: h}"),
            ("tls", "{host: 'h:1'}"),
            ("grpc", "{host: 'h:1'}"),
            ("websocket", "{url: 'wss://h/x'}"),
            ("smtp", "{host: h}"),
            ("imap", "{host: h}"),
            ("ssh", "{host: h}"),
            ("ntp", "{host: h}"),
            ("redis", "{host: h}"),
            ("postgres", "{host: h, user: u}"),
            ("mysql", "{host: h, user: u}"),
            ("mqtt", "{host: h}"),
            ("domain", "{domain: a.example, server: 'https://h/rdap/'}"),
            ("docker", "{host: 'tcp://h'}"),
            ("prometheus", "{url: 'http://h/metrics'}"),
        ];
        for (kind, text) in dialling {
            let (probe, problems) = build(kind, text);
            let probe = probe.unwrap_or_else(|| panic!("{kind}: {problems:?}"));
            assert_eq!(probe.host.as_deref(), Some("h"), "{kind}");
        }
        // A cluster's address is known when its kubeconfig is read, which is at each probe.
        let others = ["unix", "file", "cert-file", "kubernetes", "script", "host", "heartbeat", "webhook"];
        for kind in KINDS {
            let listed = others.contains(&kind.name) || dialling.iter().any(|(name, _)| *name == kind.name);
            assert!(listed, "{} is in neither list", kind.name);
        }
    }
}
