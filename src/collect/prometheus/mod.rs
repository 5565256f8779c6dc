//! `type: prometheus`: one scrape job, whose series are stored as Prometheus (version 3) stores them.
//!
//! [`spec`] reads the options, [`discover`] finds targets, [`job`] makes them of what was found, [`relabel`] changes
//! labels, [`targets`] is the list of them, [`round`] scrapes all and [`target`] one, [`format`] and [`families`] read
//! what it says, [`cache`] remembers its series, [`verdict`] judges the round. The series bear the target's labels and nothing of the monitor's; the
//! monitor's own verdict is about the job. One probe is one round.

pub mod access;
pub mod cache;
pub mod discover;
pub mod families;
pub mod float;
pub mod format;
pub mod job;
pub mod relabel;
pub mod round;
pub mod spec;
pub mod target;
pub mod targets;
pub mod verdict;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::join;
use tokio::time::{Instant, timeout_at};

use crate::base::BoxFuture;
use crate::base::batch::Batch;
use crate::base::outcome::Outcome;
use crate::base::probe::{Collector, ProbeCx};
use crate::base::scraped::Scraped;
use crate::collect::fault::Fault;
use crate::collect::prometheus::discover::Discovery;
use crate::collect::prometheus::job::Job;
use crate::collect::prometheus::target::{Scrape, Target};
use crate::collect::prometheus::targets::Scraping;
use crate::collect::prometheus::verdict::{Failed, Tally};

/// A checked `prometheus` monitor.
pub struct PrometheusProbe {
    scraping: Arc<Scraping>,
    discovery: Arc<Discovery>,
}

/// Addresses and parameters may hold secrets, so neither is shown.
impl fmt::Debug for PrometheusProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scraping.fmt(f)
    }
}

impl Collector for PrometheusProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let began = Instant::now();
            let mut refresh = pin!(self.discovery.refresh(cx));
            let patience = self.discovery.patience(cx, self.scraping.job.timeout);
            let mut early = timeout_at(patience, &mut refresh).await.ok();
            let mut ended = targets::update(&self.scraping, &self.discovery, cx.now).await;
            if early.is_none() && self.scraping.is_empty() {
                // There is nothing to do but to wait for them.
                early = Some((&mut refresh).await);
                ended.extend(&targets::update(&self.scraping, &self.discovery, cx.now).await);
            }
            let (targets, refused) = self.scraping.now();
            // What a slow source says counts from the next round on.
            let late = async {
                match early {
                    Some(troubles) => troubles,
                    None => refresh.await,
                }
            };
            let (scrapes, troubles) = join(round::run(&self.scraping.job, &targets, cx, began), late).await;
            self.judge(&targets, scrapes, ended, &refused, &troubles)
        })
    }
}

impl PrometheusProbe {
    /// A job that was not scraped yet.
    pub fn new(job: Job, discovery: Discovery) -> Self {
        Self { scraping: Arc::new(Scraping::new(job)), discovery: Arc::new(discovery) }
    }

    fn judge(
        &self,
        targets: &[Arc<Target>],
        scrapes: Vec<Scrape>,
        ended: Batch,
        refused: &[String],
        troubles: &[Fault],
    ) -> Outcome {
        let job = &self.scraping.job;
        let (mut batches, mut described, mut phases) = (vec![ended], Vec::new(), Vec::new());
        let mut tally = Tally {
            all: targets.len(),
            up: 0,
            series: 0,
            expect_up: job.expect_up,
            down: Vec::new(),
            unasked: Vec::new(),
            troubles,
            refused,
            dropped: self.scraping.dropped(),
        };
        for (target, scrape) in targets.iter().zip(scrapes) {
            let Scrape { fault, live, batch, described: news, mut trace, answer, mask } = scrape;
            batches.push(batch);
            described.extend(news);
            tally.series += live;
            if targets.len() == 1 {
                phases = trace.take_phases();
            }
            let Some(fault) = fault else {
                tally.up += 1;
                continue;
            };
            // Files may say something else for the next target: what this one was told is hidden at once.
            let mut message = fault.message().to_owned();
            mask.hide(&mut message);
            let fault = fault.with_message(message);
            let list = if fault.is_local() { &mut tally.unasked } else { &mut tally.down };
            let mut evidence = Vec::new();
            if list.len() < verdict::SHOWN {
                evidence = target::evidence(target, &trace, answer.as_ref(), &fault);
                evidence.iter_mut().for_each(|(_, text)| mask.hide(text));
            }
            list.push(Failed { url: &target.place.url, host: &target.place.host, fault, evidence });
        }
        let mut outcome = tally.outcome();
        outcome.phases = phases;
        job.mask.hide_in(&mut outcome);
        let scraping = Arc::clone(&self.scraping);
        outcome.series = Some(Scraped { batches, described, job: scraping });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::base::labels::Labels;
    use crate::base::outcome::Verdict;
    use crate::base::policy::Policy;
    use crate::base::sample::is_stale;
    use crate::base::time::Timestamp;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    /// A target that answers with what it is told to, or closes the connection at once.
    struct Exporter {
        at: String,
        says: Arc<Mutex<Option<String>>>,
        asked: Arc<Mutex<String>>,
        _task: JoinSet<()>,
    }

    impl Exporter {
        async fn start(text: &str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap().to_string();
            let says = Arc::new(Mutex::new(Some(text.to_owned())));
            let asked = Arc::<Mutex<String>>::default();
            let (answer, log) = (Arc::clone(&says), Arc::clone(&asked));
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut head = vec![0; 8192];
                    let n = stream.read(&mut head).await.unwrap_or(0);
                    *log.lock().unwrap() = String::from_utf8_lossy(&head[..n]).into_owned();
                    let Some(text) = answer.lock().unwrap().clone() else { continue };
                    if text.starts_with("HTTP/") {
                        let _ = stream.write_all(text.as_bytes()).await;
                        continue;
                    }
                    let kind = if text.starts_with('[') { "application/json" } else { "text/plain" };
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", text.len());
                    let _ = stream.write_all((head + &text).as_bytes()).await;
                }
            });
            Self { at, says, asked, _task: tasks }
        }

        fn says(&self, text: Option<&str>) {
            *self.says.lock().unwrap() = text.map(str::to_owned);
        }
    }

    /// One round of a probe, a second after the last.
    struct Rounds {
        probe: crate::config::catalog::Probe,
        now: Timestamp,
    }

    impl Rounds {
        fn of(text: &str) -> Self {
            let (probe, problems) = build("prometheus", text);
            assert!(problems.is_empty(), "{problems:?}");
            Self { probe: probe.unwrap(), now: Timestamp::from_millis(1_763_900_000_000) }
        }

        async fn round(&mut self) -> Outcome {
            self.now = self.now.plus(Duration::from_secs(1));
            let cx = ProbeCx { now: self.now, ..context(Duration::from_secs(15)) };
            self.probe.collector.probe(&cx).await
        }
    }

    /// Series of an outcome but for reports: `name instance value`.
    fn told(outcome: &Outcome) -> Vec<String> {
        let batches = &outcome.series.as_ref().unwrap().batches;
        let mut all: Vec<String> = batches
            .iter()
            .flat_map(Batch::iter)
            .map(|(key, samples)| (Labels::from_key(key), samples[0].1))
            .filter(|(labels, _)| !labels.metric_name().starts_with("scrape_"))
            .map(|(labels, v)| {
                let value = if is_stale(v) { "end".to_owned() } else { v.to_string() };
                format!("{} {} {value}", labels.metric_name(), labels.get("instance").unwrap_or("-"))
            })
            .collect();
        all.sort();
        all
    }

    #[tokio::test]
    async fn one_address_is_one_target() {
        let exporter = Exporter::start("a 1\n").await;
        let text =
            format!("{{name: n, url: \"http://u:secret-pw@{}/some/path?b=2&a=x y\", interval: 15s}}", exporter.at);
        let mut rounds = Rounds::of(&text);
        let got = rounds.round().await;
        assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "1 of 1 targets up, 1 series"));
        assert_eq!(told(&got), [format!("a {} 1", exporter.at), format!("up {} 1", exporter.at)]);
        let asked = exporter.asked.lock().unwrap().clone();
        assert!(asked.starts_with("GET /some/path?a=x+y&b=2 HTTP/1.1\r\n"), "{asked}");
        for header in [
            "accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,",
            "accept-encoding: gzip",
            "authorization: basic ",
            "x-prometheus-scrape-timeout-seconds: 10\r\n",
        ] {
            assert!(asked.to_lowercase().contains(header), "{header}: {asked}");
        }
        let shown = &got.series.unwrap().job.targets();
        let (target, labels) = (&shown.active[0], Labels::new([("instance", exporter.at.as_str()), ("job", "n")]));
        assert_eq!((shown.pool.as_str(), &target.labels, target.healthy), ("n", &labels, Some(true)));
        let want = [
            ("__address__", exporter.at.as_str()),
            ("__metrics_path__", "/some/path"),
            ("__param_a", "x y"),
            ("__param_b", "2"),
            ("__scheme__", "http"),
            ("__scrape_interval__", "15s"),
            ("__scrape_timeout__", "10s"),
            ("job", "n"),
        ];
        assert_eq!(target.discovered.iter().collect::<Vec<_>>(), want);
    }

    #[tokio::test]
    async fn what_a_target_says_beside_an_error_is_shown() {
        let exporter = Exporter::start("HTTP/1.1 503 Oh\r\nContent-Length: 12\r\n\r\nout of order").await;
        let got = outcome("prometheus", &format!("{{name: n, url: \"http://{}/\"}}", exporter.at)).await;
        assert_eq!(got.reason.unwrap().message, "server returned HTTP status 503 Oh");
        let items = got.evidence.unwrap().items;
        assert!(items.iter().any(|(name, text)| name.starts_with("body") && text == "out of order"), "{items:?}");
    }

    #[tokio::test]
    async fn relabelling_makes_drops_and_refuses_targets() {
        let text = "{name: n, metrics_path: /probe, params: {module: [m]}, static_configs: [
            {targets: [a, 'b:1', 'gone:1', 'none:1', 'bad:1'], labels: {__meta_x: y, env: prod}}], relabel_configs: [
            {source_labels: [__address__], target_label: __param_target}, {source_labels: [__meta_x], target_label: x},
            {source_labels: [__address__], regex: 'gone.*', action: drop},
            {source_labels: [__address__], regex: 'none.*', target_label: __address__, replacement: ''},
            {source_labels: [__address__], regex: 'bad.*', target_label: __address__, replacement: a/b},
            {target_label: __scheme__, replacement: https}]}";
        let (probe, problems) = build("prometheus", text);
        assert!(problems.is_empty(), "{problems:?}");
        let got = probe.unwrap().collector.probe(&context(Duration::from_millis(1))).await;
        let shown = got.series.as_ref().unwrap().job.targets();
        let urls: Vec<&str> = shown.active.iter().map(|t| t.url.as_str()).collect();
        assert_eq!(urls, ["https://a/probe?module=m&target=a", "https://b:1/probe?module=m&target=b%3A1"]);
        let want = [("env", "prod"), ("instance", "b:1"), ("job", "n"), ("x", "y")];
        assert_eq!(shown.active[1].labels.iter().collect::<Vec<_>>(), want);
        assert_eq!((shown.dropped_count, shown.dropped[0].get("__address__")), (1, Some("gone:1")));
        let refused: Vec<&str> = got.checks.iter().filter(|c| c.name.starts_with("what")).map(|c| &*c.found).collect();
        assert!(refused[0].contains("no address") && refused[1].contains("`a/b`"), "{refused:?}");
    }

    #[tokio::test]
    async fn the_verdict_is_about_all_targets() {
        let (one, two) = (Exporter::start("a 1\n").await, Exporter::start("a 1\nb 1\n").await);
        let list = format!("static_configs: [{{targets: [\"{}\", \"{}\"]}}]", one.at, two.at);
        let mut rounds = Rounds::of(&format!("{{name: n, {list}}}"));
        assert_eq!(rounds.round().await.summary, "2 of 2 targets up, 3 series");
        one.says(None);
        let got = rounds.round().await;
        assert_eq!((got.verdict, got.checks.len()), (Verdict::Degraded, 1));
        assert_eq!(got.checks[0].name, format!("http://{}/metrics is up", one.at));
        let (a, b) = (&one.at, &two.at);
        let mut want = vec![
            format!("a {a} end"),
            format!("a {b} 1"),
            format!("b {b} 1"),
            format!("up {a} 0"),
            format!("up {b} 1"),
        ];
        want.sort();
        assert_eq!(told(&got), want);
        two.says(None);
        let got = rounds.round().await;
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Down, "targets_down"));
        one.says(Some("a 1\n"));
        let mut rounds = Rounds::of(&format!("{{name: n, {list}, expect: {{up: 50%}}}}"));
        assert_eq!(rounds.round().await.verdict, Verdict::Up, "half is enough");
        let closed = Exporter::start("").await;
        closed.says(None);
        let sources = format!("http_sd_configs: [{{url: \"http://{}/\"}}]", closed.at);
        let mut rounds = Rounds::of(&format!("{{name: n, {list}, expect: {{up: 50%}}, {sources}}}"));
        let got = rounds.round().await;
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Degraded, "discovery"));
        let mut rounds = Rounds::of(&format!("{{name: n, {list}, target_limit: 1}}"));
        let got = rounds.round().await;
        assert!(got.reason.unwrap().message.contains("target_limit exceeded (targets: 2, limit: 1)"));
    }

    #[tokio::test]
    async fn lists_at_an_address_are_followed_and_outlive_its_failures() {
        let (one, two) = (Exporter::start("a 1\n").await, Exporter::start("a 1\n").await);
        let list = |targets: &[&str]| format!("[{{\"targets\": {targets:?}, \"labels\": {{\"env\": \"x\"}}}}]");
        let web = Exporter::start(&list(&[&one.at, &two.at])).await;
        let text = format!("{{name: n, http_sd_configs: [{{url: \"http://{}/t\", refresh_interval: 1s}}]}}", web.at);
        let mut rounds = Rounds::of(&text);
        let got = rounds.round().await;
        assert_eq!(got.summary, "2 of 2 targets up, 2 series", "{got:?}");
        let shown = got.series.unwrap().job.targets();
        assert_eq!(shown.active[0].discovered.get("__meta_url"), Some(format!("http://{}/t", web.at).as_str()));
        assert_eq!(shown.active[0].labels.get("env"), Some("x"));
        web.says(None);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        let got = rounds.round().await;
        assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Degraded, "2 of 2 targets up, 2 series"));
        assert_eq!(got.reason.unwrap().class, "discovery");
        web.says(Some(&list(&[&two.at])));
        let mut ends = Vec::new();
        for _ in 0..4 {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(2)).await;
            tokio::time::resume();
            let got = rounds.round().await;
            assert_eq!(got.summary, "1 of 1 targets up, 1 series");
            ends.push(told(&got).iter().filter(|series| series.ends_with("end")).count());
        }
        // `a`, `up` and, not shown here, the other four: two rounds after the one that lacked the target.
        assert_eq!(ends, [0, 0, 2, 0]);
    }

    #[tokio::test]
    async fn a_list_is_asked_for_with_the_addresss_own_login_and_through_redirects() {
        let one = Exporter::start("a 1\n").await;
        let list = Exporter::start(&format!("[{{\"targets\": [\"{}\"]}}]", one.at)).await;
        let first = Exporter::start(&format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{}/list\r\nContent-Length: 0\r\n\r\n",
            list.at
        ))
        .await;
        let text = format!("{{name: n, http_sd_configs: [{{url: \"http://u:p-secret@{}/\"}}]}}", first.at);
        assert_eq!(outcome("prometheus", &text).await.summary, "1 of 1 targets up, 1 series");
        // `u:p-secret`, to whom it is meant for alone.
        let login = "authorization: basic dtpwlxnly3jlda==";
        assert!(first.asked.lock().unwrap().to_lowercase().contains(login), "{:?}", first.asked);
        assert!(!list.asked.lock().unwrap().to_lowercase().contains("authorization"), "{:?}", list.asked);
        let text = text.replace("}]}", ", follow_redirects: false}]}");
        let got = outcome("prometheus", &text).await;
        assert!(got.reason.unwrap().message.contains("302"));
    }

    #[tokio::test]
    async fn a_lists_password_is_shown_nowhere() {
        let one = Exporter::start("a 1\n").await;
        let list = Exporter::start(&format!("[{{\"targets\": [\"{}\"]}}]", one.at)).await;
        let text = format!("{{name: n, http_sd_configs: [{{url: \"http://u:p-secret-pw@{}/\"}}]}}", list.at);
        let probe = build("prometheus", &text).0.unwrap();
        assert_eq!(probe.target, format!("http://{}/", list.at));
        let got = probe.collector.probe(&context(Duration::from_secs(15))).await;
        assert_eq!(got.verdict, Verdict::Up, "{got:?}");
        let shown = got.series.as_ref().unwrap().job.targets();
        let all = format!("{got:?} {:?} {probe:?}", shown.active[0].discovered);
        assert!(!all.contains("p-secret-pw"), "{all}");
        list.says(Some("HTTP/1.1 401 Not u:p-secret-pw\r\nContent-Length: 0\r\n\r\n"));
        let got = outcome("prometheus", &text).await;
        assert!(got.verdict == Verdict::Down && !format!("{got:?}").contains("p-secret-pw"), "{got:?}");
    }

    #[tokio::test]
    async fn without_targets_a_fault_of_this_machine_blames_no_target() {
        let list = Exporter::start("[]").await;
        let of = |more: &str| format!("{{name: n, http_sd_configs: [{{url: \"http://{}/\", {more}}}]}}", list.at);
        let got = outcome("prometheus", &of("authorization: {credentials_file: /does/not/exist}")).await;
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Unknown, "local_credentials"));
        // Where nothing can be said, nobody is asked without.
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "one\ntwo").unwrap();
        let got = outcome("prometheus", &of(&format!("bearer_token_file: '{}'", token.display()))).await;
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Unknown, "local_credentials"));
        assert!(list.asked.lock().unwrap().is_empty());
        let policy = Policy { deny: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() };
        let cx = ProbeCx { policy: Arc::new(policy), ..context(Duration::from_secs(5)) };
        let got = build("prometheus", &of("bearer_token: abc")).0.unwrap().collector.probe(&cx).await;
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Unknown, "blocked_address"));
    }

    #[tokio::test]
    async fn where_a_target_leads_past_the_policy_is_its_own_fault() {
        let led =
            Exporter::start("HTTP/1.1 302 Oh\r\nLocation: http://127.0.0.9:1/\r\nContent-Length: 0\r\n\r\n").await;
        let policy = Arc::new(Policy { deny: vec!["127.0.0.9/32".parse().unwrap()], ..Policy::default() });
        for text in [
            format!("{{name: n, url: \"http://{}/\"}}", led.at),
            format!("{{name: n, http_sd_configs: [{{url: \"http://{}/\"}}]}}", led.at),
        ] {
            let cx = ProbeCx { policy: Arc::clone(&policy), ..context(Duration::from_secs(5)) };
            let got = build("prometheus", &text).0.unwrap().collector.probe(&cx).await;
            assert_eq!(got.verdict, Verdict::Down, "{got:?}");
        }
    }

    #[tokio::test]
    async fn a_list_has_the_whole_round_to_answer() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = format!("{{name: n, http_sd_configs: [{{url: \"http://{}/\"}}]}}", silent.local_addr().unwrap());
        let probe = build("prometheus", &text).0.unwrap();
        let got = probe.collector.probe(&context(Duration::from_millis(900))).await;
        let message = got.reason.unwrap().message;
        let (_, limit) = message.rsplit_once("within ").unwrap();
        let limit: u32 = limit.strip_suffix("ms").unwrap().parse().unwrap();
        assert!((450..900).contains(&limit), "{message}");
    }

    #[tokio::test]
    async fn a_job_that_finds_nothing_is_down() {
        let got = outcome("prometheus", "{name: n, file_sd_configs: [{files: [/does/not/exist/*.yaml]}]}").await;
        assert_eq!(got.reason.unwrap().message, "no targets were found");
        let text = "{name: n, static_configs: [{targets: [a, b]}], relabel_configs: [{action: drop}]}";
        assert_eq!(outcome("prometheus", text).await.reason.unwrap().message, "relabelling dropped all 2 targets");
    }

    #[test]
    fn mistakes_in_the_options_are_named() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            let found = problems("prometheus", text);
            assert!(found.iter().any(|p| p.contains(want)), "{text}: {found:?}");
        }
        check("{name: n}", "`url` is missing");
        check("{url: '127.0.0.1:9100'}", "write `http://127.0.0.1:9100`");
        check("{url: 'ftp://x'}", "only http and https are scraped");
        check("{url: 'http://x', scheme: https}", "`scheme` is part of `url` already");
        check("{url: 'http://x', static_configs: [{targets: [a]}]}", "others are named beside it");
        check("{static_configs: [{targets: ['http://a']}]}", "is no address of a target");
        check("{url: 'http://x', scrape_interval: 5s}", "write `interval:`");
        check("{url: 'http://x', consul_sd_configs: []}", "not part of this version");
        check("{url: 'http://x', scrape_protocols: [Xml]}", "`Xml` is no scrape protocol");
        check("{file_sd_configs: [{files: [a.yaml]}]}", "is not an absolute path");
        check("{file_sd_configs: [{files: [/a/*/b.yaml]}]}", "may have `*` in the name of the file alone");
        check("{file_sd_configs: [{files: [/a/b.txt]}]}", "ends in none of");
        check("{dns_sd_configs: [{names: [a], type: A}]}", "needs a `port`");
        check("{url: 'http://x', basic_auth: {username: a, password: b}, bearer_token: c}", "only once who asks");
        check("{url: 'http://x', tls_config: {insecure_skip_verify: true, ca_file: /x}}", "`ca_file` has no effect");
        check("{url: 'http://x', bearer_token: \"a\\nb\"}", "characters that no header may have");
        check("{url: 'http://x', authorization: {credentials: \"a\\nb\"}}", "characters that no header may have");
        check("{url: 'http://x', authorization: {type: \"a\\nb\", credentials: c}}", "`type` has characters");
        check("{url: 'http://x', metric_relabel_configs: [{action: what}]}", "no relabelling action `what`");
    }
}
