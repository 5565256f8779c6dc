//! `type: kubernetes`: what is wrong in a cluster, asked of its API server.
//!
//! [`access`] finds the server, [`list`] asks it, [`objects`] is what it says, [`review`] judges.

pub mod access;
pub mod list;
pub mod objects;
pub mod review;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::dial::Route;
use crate::collect::fault::Fault;
use crate::collect::files::{self, Looks};
use crate::collect::judge::{Judge, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand, ROUTE};
use crate::collect::kubernetes::access::{Access, Source, Wire};
use crate::collect::kubernetes::list::{Api, Ask};
use crate::collect::kubernetes::objects::{CronJob, Event, Job, Node, Pod, Times, TlsSecret, Workload};
use crate::collect::kubernetes::review::{Findings, Shortages};
use crate::collect::mask::Mask;
use crate::collect::metric::NETWORK;
use crate::collect::trace::Trace;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// How long credentials are used before their files are read again: tokens in pods change.
const ACCESS_MAX_AGE: Duration = Duration::from_secs(60);
/// Problems of one kind that are told.
const MAX_TOLD: usize = 3;
/// Problems of one kind that are evidence.
const MAX_SHOWN: usize = 50;

/// What is expected of `namespaces`.
const NAMESPACES: &str = "namespaces exist";

/// A checked `kubernetes` monitor.
#[derive(Debug)]
struct Kubernetes {
    source: Source,
    namespaces: Vec<String>,
    labels: String,
    subjects: Vec<Subject>,
    grace: Duration,
    valid_for: Duration,
    route: Route,
    looks: Looks,
    /// The access and when it was read. Leaf data, held for a copy and never across an await.
    access: Mutex<Option<(Instant, Arc<Access>)>>,
    /// Since when workloads have been short of replicas. Leaf data, too.
    short_since: Mutex<Times>,
    mask: Mask,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Nodes,
    Pods,
    Deployments,
    StatefulSets,
    DaemonSets,
    CronJobs,
    Jobs,
    Secrets,
    Certificates,
    Events,
}

impl Subject {
    const ALL: [(&'static str, Self); 10] = [
        ("nodes", Self::Nodes),
        ("pods", Self::Pods),
        ("deployments", Self::Deployments),
        ("statefulsets", Self::StatefulSets),
        ("daemonsets", Self::DaemonSets),
        ("cronjobs", Self::CronJobs),
        ("jobs", Self::Jobs),
        ("secrets", Self::Secrets),
        ("certificates", Self::Certificates),
        ("events", Self::Events),
    ];

    /// What is looked at unless the monitor says otherwise: neither secrets nor what comes and goes.
    const USUAL: [Self; 7] =
        [Self::Nodes, Self::Pods, Self::Deployments, Self::StatefulSets, Self::DaemonSets, Self::CronJobs, Self::Jobs];

    /// The class of its failures, and what is expected.
    const fn check(self) -> (&'static str, &'static str) {
        match self {
            Self::Nodes => ("node", "nodes are ready"),
            Self::Pods => ("pod", "pods run"),
            Self::Deployments => ("deployment", "deployments have their replicas"),
            Self::StatefulSets => ("statefulset", "stateful sets have their replicas"),
            Self::DaemonSets => ("daemonset", "daemon sets are ready on their nodes"),
            Self::CronJobs => ("cronjob", "cron jobs are listed"),
            Self::Jobs => ("job", "no job has failed"),
            Self::Secrets => ("cert", "certificates in secrets are valid"),
            Self::Certificates => ("cert", "cert-manager's certificates are valid"),
            Self::Events => ("event", "no warnings within the last hour"),
        }
    }

    /// Whether it is good that there is none.
    const fn comes_and_goes(self) -> bool {
        matches!(self, Self::Jobs | Self::Events)
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Nodes | Self::Pods | Self::Secrets | Self::Events => "/api/v1",
            Self::Deployments | Self::StatefulSets | Self::DaemonSets => "/apis/apps/v1",
            Self::CronJobs | Self::Jobs => "/apis/batch/v1",
            Self::Certificates => "/apis/cert-manager.io/v1",
        }
    }

    const fn fields(self) -> &'static str {
        match self {
            Self::Secrets => "type=kubernetes.io/tls",
            Self::Events => "type=Warning",
            _ => "",
        }
    }
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "kubernetes",
    about: "The nodes and workloads of a Kubernetes cluster.",
    operand: Some(Operand::Nothing),
    flags: &[
        &[
            Flag::new("kubeconfig", "kubeconfig", Form::Path("FILE"), "Kubeconfig; without it the pod's own account."),
            Flag::new("context", "context", Form::One("NAME"), "Context in it."),
            Flag::new("namespace", "namespaces", Form::Many("NAME"), "Namespace to look at; all without."),
            Flag::new("selector", "selector", Form::One("SELECTOR"), "Selector of labels, e.g. `app=shop,tier!=test`."),
            Flag::new("watch", "watch", Form::List("WHAT"), "What to look at: `nodes`, `pods`, `deployments` …"),
            Flag::new("grace", "grace", Form::One("DURATION"), "How long pods and workloads may take to begin."),
            Flag::new("valid-for", "valid_for", Form::One("DURATION"), "How long certificates must still be valid."),
        ],
        ROUTE,
    ],
    metrics: &[NETWORK, review::METRICS],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let kubeconfig = fields.text("kubeconfig");
    if let Some(path) = &kubeconfig {
        files::absolute(fields, "kubeconfig", path);
    }
    let context = fields.text("context");
    let mut namespaces = Vec::new();
    for text in fields.texts("namespaces") {
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.value().is_empty() || text.value().len() > 63 || !text.value().chars().all(sound) {
            let message = format!("`{}` is no name of a namespace", text.shown());
            fields.error(text.span, Code::BadValue, message, "use lower-case letters, digits and `-`");
        }
        mask.add_text(&text);
        namespaces.push(text.value().to_owned());
    }
    let labels = fields.text("selector");
    let mut subjects = Vec::new();
    for text in fields.texts("watch") {
        match Subject::ALL.iter().find(|(name, _)| *name == text.value()) {
            Some((_, subject)) => subjects.push(*subject),
            None => {
                let all: Vec<&str> = Subject::ALL.iter().map(|(name, _)| *name).collect();
                let message = format!("`{}` cannot be watched", text.shown());
                fields.error(text.span, Code::BadValue, message, format!("write some of: {}", all.join(", ")));
            }
        }
    }
    if subjects.is_empty() {
        subjects = Subject::USUAL.to_vec();
    }
    // Cron jobs first: whether a job's failure is history hangs on them.
    subjects.sort_unstable();
    subjects.dedup();
    let limits = Duration::from_secs(1)..=Duration::from_secs(86_400);
    let grace = fields.duration("grace", limits).unwrap_or(Duration::from_secs(300));
    let limits = Duration::from_secs(3_600)..=Duration::from_secs(10 * 365 * 86_400);
    let valid_for = fields.duration("valid_for", limits).unwrap_or(Duration::from_secs(14 * 86_400));
    let route = Route::read(fields);
    for text in [&kubeconfig, &context, &labels].into_iter().flatten() {
        mask.add_text(text);
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let shown = match (&kubeconfig, &context) {
        (_, Some(context)) => context.shown().to_owned(),
        (Some(file), None) => file.shown().to_owned(),
        (None, None) => "in-cluster".to_owned(),
    };
    let source = Source {
        kubeconfig: kubeconfig.map(|t| PathBuf::from(t.value())),
        context: context.map(|t| t.value().to_owned()),
    };
    let labels = labels.map_or_else(String::new, |t| t.value().to_owned());
    let (looks, access, short_since) = (Looks::at_credentials(), Mutex::default(), Mutex::default());
    let probe =
        Kubernetes { source, namespaces, labels, subjects, grace, valid_for, route, looks, access, short_since, mask };
    Some(Probe::new("kubernetes", shown, probe))
}

/// What one probe learnt: of each subject how many objects there are, and what is wrong.
#[derive(Debug, Default)]
struct Seen {
    /// Namespaces that are not there; `None` when that was not looked at.
    missing: Option<Vec<String>>,
    subjects: Vec<(Subject, usize, Findings)>,
    access: Option<Arc<Access>>,
}

impl Collector for Kubernetes {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut trace = Trace::start();
            let mut seen = Seen::default();
            let ended = timeout_at(cx.deadline, Box::pin(self.talk(cx, &mut trace, &mut seen))).await;
            let mut outcome = match trace.settle(ended, cx.deadline) {
                Ok(()) => judge(&seen),
                Err(fault) => {
                    trace.fail();
                    let mut outcome = fault.outcome();
                    let spaces = (!self.namespaces.is_empty()).then_some(NAMESPACES);
                    outcome.checks = unjudged(spaces.into_iter().chain(self.subjects.iter().map(|s| s.check().1)));
                    outcome
                }
            };
            if seen.access.is_some() {
                trace.network_samples(&mut outcome.samples);
            }
            let findings = seen.subjects.iter_mut();
            let samples: Vec<Sample> = findings.flat_map(|(_, _, f)| std::mem::take(&mut f.samples)).collect();
            outcome.samples.extend(samples);
            if outcome.verdict != Verdict::Up {
                outcome.evidence = Some(evidence(&trace, &seen));
            }
            outcome.phases = trace.take_phases();
            let mut mask = self.mask.clone();
            for secret in seen.access.iter().flat_map(|a| a.secrets.reveal()) {
                mask.add(secret);
            }
            mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl Kubernetes {
    async fn access(&self) -> Result<Arc<Access>, Fault> {
        {
            let known = self.access.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, access)) = &*known
                && at.elapsed() < ACCESS_MAX_AGE
            {
                return Ok(Arc::clone(access));
            }
        }
        let source = self.source.clone();
        let access = Arc::new(self.looks.run_soon(move |_| Access::load(&source)).await??);
        let mut known = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), Arc::clone(&access)));
        Ok(access)
    }

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault> {
        let access = self.access().await?;
        seen.access = Some(Arc::clone(&access));
        match access.open(&self.route, cx, trace).await? {
            Wire::Plain(stream) => self.look(Api::over(stream, &access).await?, cx, trace, seen).await,
            Wire::Tls(stream) => self.look(Api::over(*stream, &access).await?, cx, trace, seen).await,
        }
    }

    async fn look<S>(&self, mut api: Api<'_, S>, cx: &ProbeCx, trace: &mut Trace, seen: &mut Seen) -> Result<(), Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for namespace in &self.namespaces {
            if let Some(there) = api.has_namespace(namespace, trace).await? {
                let missing = seen.missing.get_or_insert_default();
                missing.extend((!there).then(|| namespace.clone()));
            }
        }
        let before = self.short_since.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut shortages = Shortages::new(before, self.grace, cx.now);
        let mut succeeded = Times::new();
        for &subject in &self.subjects {
            let (count, findings) = match subject {
                Subject::Nodes => reviewed(&self.list::<Node, S>(subject, &mut api, trace).await?, review::nodes),
                Subject::Pods => {
                    let list = self.list::<Pod, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |pods| review::pods(pods, self.grace, cx.now))
                }
                Subject::Deployments => {
                    let list = self.list::<Workload, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |list| review::deployments(list, &mut shortages))
                }
                Subject::StatefulSets => {
                    let list = self.list::<Workload, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |list| review::stateful_sets(list, &mut shortages))
                }
                Subject::DaemonSets => {
                    let list = self.list(subject, &mut api, trace).await?;
                    reviewed(&list, |list| review::daemon_sets(list, &mut shortages))
                }
                Subject::CronJobs => {
                    let list = self.list::<CronJob, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |jobs| {
                        let (findings, times) = review::cron_jobs(jobs);
                        succeeded = times;
                        findings
                    })
                }
                Subject::Jobs => {
                    let list = self.list::<Job, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |jobs| review::jobs(jobs, &succeeded))
                }
                Subject::Secrets => {
                    let list = self.list::<TlsSecret, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |secrets| review::tls_secrets(secrets, self.valid_for, cx.now))
                }
                Subject::Certificates => {
                    let list = self.list(subject, &mut api, trace).await?;
                    reviewed(&list, |certs| review::certificates(certs, self.valid_for, cx.now))
                }
                Subject::Events => {
                    let list = self.list::<Event, S>(subject, &mut api, trace).await?;
                    reviewed(&list, |events| review::events(events, cx.now))
                }
            };
            seen.subjects.push((subject, count, findings));
        }
        *self.short_since.lock().unwrap_or_else(PoisonError::into_inner) = shortages.into_times();
        Ok(())
    }

    async fn list<T, S>(&self, subject: Subject, api: &mut Api<'_, S>, trace: &mut Trace) -> Result<Vec<T>, Fault>
    where
        T: DeserializeOwned,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let plural = Subject::ALL.iter().find(|(_, s)| *s == subject).map_or("", |(name, _)| name);
        // Nodes are in no namespace, and have labels of another sort.
        let (namespaces, labels) = match subject {
            Subject::Nodes => (&[][..], ""),
            _ => (self.namespaces.as_slice(), self.labels.as_str()),
        };
        let ask = Ask { group: subject.group(), plural, namespaces, labels, fields: subject.fields() };
        match api.list(ask, trace).await? {
            Some(list) => Ok(list),
            None if subject == Subject::Certificates => {
                Err(Fault::target("absent", "the cluster has no cert-manager: take `certificates` out of `watch`"))
            }
            None => Err(Fault::target("protocol_error", format!("the server knows no {plural}"))),
        }
    }
}

fn reviewed<T>(list: &[T], review: impl FnOnce(&[T]) -> Findings) -> (usize, Findings) {
    (list.len(), review(list))
}

fn judge(seen: &Seen) -> Outcome {
    let mut judge = Judge::default();
    let mut counts = Vec::new();
    if let Some(missing) = &seen.missing {
        judge.hold("namespace", NAMESPACES, missing.is_empty(), missing.join(", "));
    }
    let lasting = seen.subjects.iter().any(|(subject, ..)| !subject.comes_and_goes());
    if lasting && seen.subjects.iter().all(|(_, count, _)| *count == 0) {
        judge.prefer("empty", "there is something to look at", false, "no object of any sort");
    }
    for (subject, count, findings) in &seen.subjects {
        let (class, name) = subject.check();
        let problems = &findings.problems;
        let mut told = problems.iter().take(MAX_TOLD).cloned().collect::<Vec<_>>().join("; ");
        if problems.len() > MAX_TOLD {
            told += &format!("; and {} more", problems.len() - MAX_TOLD);
        }
        judge.hold(class, name, problems.is_empty(), told);
        let plural = Subject::ALL.iter().find(|(_, s)| s == subject).map_or("", |(name, _)| name);
        let more = if *count >= list::MAX_OBJECTS { " or more" } else { "" };
        counts.push(format!("{count}{more} {plural}"));
    }
    judge.outcome(counts.join(", "))
}

fn evidence(trace: &Trace, seen: &Seen) -> Evidence {
    let mut items = Vec::new();
    if let Some(access) = &seen.access {
        items.push(("target".into(), format!("{}{}", access.peer, access.base)));
    }
    if !trace.tried.is_empty() {
        let list: Vec<String> = trace.tried.iter().map(ToString::to_string).collect();
        items.push(("addresses tried".into(), list.join(", ")));
    }
    if let Some(cert) = &trace.cert {
        items.push(("certificate".into(), cert.describe()));
    }
    for (subject, _, findings) in seen.subjects.iter().filter(|(_, _, f)| !f.problems.is_empty()) {
        let lines: Vec<&str> = findings.problems.iter().take(MAX_SHOWN).map(String::as_str).collect();
        items.push((subject.check().1.into(), lines.join("\n")));
    }
    Evidence { items }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::base::outcome::Verdict;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_our_own_fault() {
        let got = outcome("kubernetes", "{kubeconfig: /no/such/file}").await;
        assert_eq!(got.reason.unwrap().class, "local_kubeconfig");
    }

    #[tokio::test]
    async fn a_kubeconfig_whose_file_system_hangs_says_nothing_of_the_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let probe = build("kubernetes", &format!("{{kubeconfig: {}}}", file.display())).0.unwrap();
        let cx = context(Duration::from_secs(30));
        let (first, second) = (probe.collector.probe(&cx).await, probe.collector.probe(&cx).await);
        // The look that hangs is let go.
        std::fs::write(&file, "").unwrap();
        for got in [first, second] {
            assert_eq!((got.verdict, &*got.reason.unwrap().class), (Verdict::Unknown, "local_files"));
        }
    }

    #[tokio::test]
    async fn programs_of_a_kubeconfig_are_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let (file, trace) = (dir.path().join("config"), dir.path().join("ran"));
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \
             'https://127.0.0.1:1'}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, \
             user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{}']}}}}}}]\n",
            trace.display()
        );
        std::fs::write(&file, text).unwrap();
        let got = outcome("kubernetes", &format!("{{kubeconfig: {}}}", file.display())).await;
        assert!(got.reason.unwrap().message.contains("is not run here"));
        assert!(!trace.exists());
    }

    #[tokio::test]
    async fn what_a_kubeconfig_asks_for_beyond_a_login_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        for (cluster, user, want) in [
            ("", ", as: admin", "acts as somebody else"),
            ("", ", as-groups: ['system:masters']", "acts as somebody else"),
            (", proxy-url: 'http://127.0.0.1:1'", "", "leads through a proxy"),
        ] {
            let text = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \
                 'https://127.0.0.1:1'{cluster}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
                 users: [{{name: u, user: {{token: t{user}}}}}]\n",
            );
            std::fs::write(&file, text).unwrap();
            let got = outcome("kubernetes", &format!("{{kubeconfig: {}}}", file.display())).await;
            assert!(got.reason.as_ref().unwrap().message.contains(want), "{got:?}");
        }
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("kubernetes", "{kubeconfig: config}")[0].contains("not an absolute path"));
        assert!(problems("kubernetes", "{watch: [pods, cats]}")[0].contains("cannot be watched"));
        assert!(problems("kubernetes", "{namespaces: ['../x']}")[0].contains("no name of a namespace"));
    }
}
