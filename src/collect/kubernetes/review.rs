//! What is wrong with the objects of a cluster, and their series under the names of kube-state-metrics.
//! Pure: objects in, findings out.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::collect::cert::CertFacts;
use crate::collect::judge::found;
use crate::collect::kubernetes::objects::{
    Certificate, Condition, Container, CronJob, DaemonSet, Event, Job, Meta, Node, Pod, Times, TlsSecret, Workload,
    time,
};
use crate::collect::metric::Metric;

/// What is told of a cluster, in kube-state-metrics' names and types.
pub const METRICS: &[Metric] = &[
    Metric::gauge("kube_node_spec_unschedulable", "1 where a node takes no further pods"),
    Metric::gauge("kube_node_status_condition", "1 for what a condition of a node is: true, false or unknown"),
    Metric::gauge("kube_pod_status_phase", "1 for the phase that a pod is in, 0 for the others"),
    Metric::gauge("kube_pod_status_ready", "1 for whether a pod is ready"),
    Metric::counter("kube_pod_container_status_restarts_total", "How often a container was restarted"),
    Metric::gauge("kube_pod_container_status_waiting_reason", "1 for what a container waits for"),
    Metric::gauge("kube_deployment_spec_replicas", "Pods that a deployment should have"),
    Metric::gauge("kube_deployment_status_replicas", "Pods that a deployment has"),
    Metric::gauge("kube_deployment_status_replicas_available", "Pods of a deployment that work"),
    Metric::gauge("kube_deployment_status_replicas_updated", "Pods of a deployment that are as it now wants them"),
    Metric::gauge("kube_statefulset_replicas", "Pods that a stateful set should have"),
    Metric::gauge("kube_statefulset_status_replicas", "Pods that a stateful set has"),
    Metric::gauge("kube_statefulset_status_replicas_ready", "Pods of a stateful set that are ready"),
    Metric::gauge("kube_daemonset_status_desired_number_scheduled", "Nodes that should run a pod of a daemon set"),
    Metric::gauge("kube_daemonset_status_number_ready", "Nodes whose pod of a daemon set is ready"),
    Metric::gauge("kube_daemonset_status_number_misscheduled", "Nodes that run a pod of a daemon set and should not"),
    Metric::gauge("kube_job_status_active", "Pods of a job that run"),
    Metric::gauge("kube_job_status_succeeded", "Pods of a job that have done their work"),
    Metric::gauge("kube_job_status_failed", "Pods of a job that have failed"),
    Metric::gauge("kube_cronjob_spec_suspend", "1 where a cron job is suspended"),
    Metric::gauge("kube_cronjob_status_last_schedule_time", "When a cron job was last started, since 1970"),
    Metric::gauge("kube_cronjob_status_last_successful_time", "When a cron job last did its work, since 1970"),
    Metric::gauge(
        "probe_kubernetes_secret_not_after_timestamp_seconds",
        "When the certificate in a secret expires, since 1970",
    ),
    Metric::gauge("probe_kubernetes_warning_events", "Warnings of late, by reason"),
];

/// Series of one probe; a cluster beyond that has a monitoring of its own, or several monitors by namespace.
const MAX_SAMPLES: usize = 20_000;
/// Phases of a pod, each a series as kube-state-metrics has it.
const PHASES: [&str; 5] = ["Pending", "Succeeded", "Failed", "Unknown", "Running"];
/// Reasons of waiting that pass by themselves.
const STARTING: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];
/// Reasons of failed pods that linger though others took their place.
const LEFT_OVER: [&str; 4] = ["Evicted", "Shutdown", "NodeAffinity", "Terminated"];
/// How far back events are counted; API servers forget them after an hour.
const EVENTS_SINCE: Duration = Duration::from_secs(3_600);

/// What a review found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Series.
    pub samples: Vec<Sample>,
}

impl Findings {
    fn problem(&mut self, meta: &Meta, what: impl std::fmt::Display) {
        self.problems.push(format!("{}: {what}", found(&meta.path())));
    }

    fn sample(&mut self, name: &'static str, value: f64, labels: &[(&'static str, &str)]) {
        if self.samples.len() < MAX_SAMPLES {
            let sample = Sample::new(name, value);
            self.samples.push(labels.iter().fold(sample, |s, (key, text)| s.label(key, found(text))));
        }
    }

    fn moment(&mut self, name: &'static str, at: Option<Timestamp>, labels: &[(&'static str, &str)]) {
        if let Some(at) = at {
            self.sample(name, (at.millis() / 1000) as f64, labels);
        }
    }
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn condition<'a>(list: &'a [Condition], name: &str) -> Option<&'a Condition> {
    list.iter().find(|c| c.r#type == name)
}

/// Whether something is older than this; what has no time is.
fn older(at: Option<&String>, than: Duration, now: Timestamp) -> bool {
    time(at).is_none_or(|at| now.since(at) >= than)
}

/// `reason: message`, as far as there is one.
fn why(condition: &Condition) -> String {
    match (condition.reason.as_str(), condition.message.as_str()) {
        ("", "") => String::new(),
        ("", text) | (text, "") => format!(" ({})", found(text)),
        (reason, message) => format!(" ({}: {})", found(reason), found(message)),
    }
}

/// Nodes must be ready and under no pressure.
pub fn nodes(nodes: &[Node]) -> Findings {
    let mut out = Findings::default();
    for node in nodes {
        let name = node.metadata.name.as_str();
        out.sample("kube_node_spec_unschedulable", flag(node.spec.unschedulable), &[("node", name)]);
        for c in &node.status.conditions {
            for status in ["true", "false", "unknown"] {
                let labels = [("node", name), ("condition", c.r#type.as_str()), ("status", status)];
                out.sample("kube_node_status_condition", flag(c.status.eq_ignore_ascii_case(status)), &labels);
            }
            match (c.r#type.as_str(), c.status.as_str()) {
                ("Ready", "True") => {}
                ("Ready", _) => out.problem(&node.metadata, format!("NotReady{}", why(c))),
                ("MemoryPressure" | "DiskPressure" | "PIDPressure" | "NetworkUnavailable", "True") => {
                    out.problem(&node.metadata, found(&c.r#type));
                }
                _ => {}
            }
        }
        if condition(&node.status.conditions, "Ready").is_none() {
            out.problem(&node.metadata, "NotReady (it has never said anything)");
        }
    }
    out
}

/// Pods must run, or have succeeded. `grace` is how long one may take to begin.
pub fn pods(pods: &[Pod], grace: Duration, now: Timestamp) -> Findings {
    let mut out = Findings::default();
    for pod in pods {
        let meta = &pod.metadata;
        let (namespace, name) = (meta.namespace.as_str(), meta.name.as_str());
        let labels = [("namespace", namespace), ("pod", name)];
        for phase in PHASES {
            let labels = [labels[0], labels[1], ("phase", phase)];
            out.sample("kube_pod_status_phase", flag(pod.status.phase == phase), &labels);
        }
        let ready = condition(&pod.status.conditions, "Ready");
        let is_ready = ready.is_some_and(|c| c.status == "True");
        for (status, holds) in [("true", is_ready), ("false", !is_ready)] {
            out.sample("kube_pod_status_ready", flag(holds), &[labels[0], labels[1], ("condition", status)]);
        }
        let containers = || pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
        for c in &pod.status.container_statuses {
            let labels = [labels[0], labels[1], ("container", c.name.as_str())];
            out.sample("kube_pod_container_status_restarts_total", c.restart_count as f64, &labels);
            if let Some(waiting) = c.state.waiting.as_ref().filter(|w| !w.reason.is_empty()) {
                let labels = [labels[0], labels[1], labels[2], ("reason", waiting.reason.as_str())];
                out.sample("kube_pod_container_status_waiting_reason", 1.0, &labels);
            }
        }
        // One sentence per pod: the first of these that holds.
        if meta.deletion_timestamp.is_some() {
            continue;
        }
        if let Some(stuck) = containers().find_map(stuck) {
            out.problem(meta, stuck);
        } else if pod.status.phase == "Failed" {
            // A job counts the failures of its pods itself.
            if !meta.is_owned_by("Job") && !LEFT_OVER.contains(&pod.status.reason.as_str()) {
                out.problem(meta, format!("Failed {}", found(&pod.status.reason)).trim_end().to_owned());
            }
        } else if pod.status.phase == "Pending" && older(meta.creation_timestamp.as_ref(), grace, now) {
            let reason = condition(&pod.status.conditions, "PodScheduled").filter(|c| c.status == "False");
            out.problem(meta, format!("Pending{}", reason.map(why).unwrap_or_default()));
        } else if pod.status.phase == "Running"
            && let Some(c) = ready.filter(|c| c.status != "True")
            && older(c.last_transition_time.as_ref(), grace, now)
        {
            out.problem(meta, format!("not ready{}", why(c)));
        }
    }
    out
}

/// `web is in CrashLoopBackOff (OOMKilled, code 137)`.
fn stuck(c: &Container) -> Option<String> {
    let waiting = c.state.waiting.as_ref()?;
    if STARTING.contains(&waiting.reason.as_str()) {
        return None;
    }
    let last = c.last_state.terminated.as_ref();
    let last = last.map_or_else(String::new, |t| format!(" ({}, code {})", found(&t.reason), t.exit_code));
    Some(format!("container {} is in {}{last}", found(&c.name), found(&waiting.reason)))
}

/// Since when workloads have been short of what they want. Every update makes them short for a while, so that counts
/// only if it lasts; how long it has lasted most of them do not say.
#[derive(Debug)]
pub struct Shortages {
    /// What was known before, by kind, namespace and name.
    before: Times,
    /// What is known now.
    still: Times,
    grace: Duration,
    now: Timestamp,
}

impl Shortages {
    /// With what is known from the probe before.
    pub fn new(before: Times, grace: Duration, now: Timestamp) -> Self {
        Self { before, still: Times::new(), grace, now }
    }

    /// Whether this shortage lasts too long; `since` is when it began, where that is known.
    fn lasts(&mut self, kind: &str, meta: &Meta, since: Option<Timestamp>) -> bool {
        let key = format!("{kind} {}", meta.path());
        let seen = self.before.get(&key).copied().unwrap_or(self.now);
        let began = since.map_or(seen, |since| since.min(seen));
        self.still.insert(key, began);
        self.now.since(began) >= self.grace
    }

    /// What is to be known at the next probe.
    pub fn into_times(self) -> Times {
        self.still
    }
}

/// Deployments must have the replicas that they want, and their rollouts must get on.
pub fn deployments(list: &[Workload], shortages: &mut Shortages) -> Findings {
    let mut out = Findings::default();
    for d in list {
        let labels = [("namespace", d.metadata.namespace.as_str()), ("deployment", d.metadata.name.as_str())];
        let (want, have) = (d.spec.replicas.unwrap_or(1), d.status.available_replicas);
        out.sample("kube_deployment_spec_replicas", want as f64, &labels);
        out.sample("kube_deployment_status_replicas", d.status.replicas as f64, &labels);
        out.sample("kube_deployment_status_replicas_available", have as f64, &labels);
        out.sample("kube_deployment_status_replicas_updated", d.status.updated_replicas as f64, &labels);
        // Kubernetes has a deadline of its own for a rollout, and says when it has passed.
        let stuck = condition(&d.status.conditions, "Progressing").filter(|c| c.status == "False");
        let unavailable = condition(&d.status.conditions, "Available").filter(|c| c.status == "False");
        let since = unavailable.and_then(|c| time(c.last_transition_time.as_ref()));
        let lasts = have < want && shortages.lasts("deployment", &d.metadata, since);
        if lasts || (have < want && stuck.is_some()) {
            out.problem(
                &d.metadata,
                format!("{have} of {want} replicas available{}", stuck.map(why).unwrap_or_default()),
            );
        } else if let Some(stuck) = stuck {
            out.problem(&d.metadata, format!("the rollout is stuck{}", why(stuck)));
        }
    }
    out
}

/// Stateful sets as well.
pub fn stateful_sets(list: &[Workload], shortages: &mut Shortages) -> Findings {
    let mut out = Findings::default();
    for s in list {
        let labels = [("namespace", s.metadata.namespace.as_str()), ("statefulset", s.metadata.name.as_str())];
        let (want, have) = (s.spec.replicas.unwrap_or(1), s.status.ready_replicas);
        out.sample("kube_statefulset_replicas", want as f64, &labels);
        out.sample("kube_statefulset_status_replicas", s.status.replicas as f64, &labels);
        out.sample("kube_statefulset_status_replicas_ready", have as f64, &labels);
        if have < want && shortages.lasts("statefulset", &s.metadata, None) {
            out.problem(&s.metadata, format!("{have} of {want} replicas ready"));
        }
    }
    out
}

/// Daemon sets must be ready on every node that they are for.
pub fn daemon_sets(list: &[DaemonSet], shortages: &mut Shortages) -> Findings {
    let mut out = Findings::default();
    for d in list {
        let labels = [("namespace", d.metadata.namespace.as_str()), ("daemonset", d.metadata.name.as_str())];
        let (want, have) = (d.status.desired_number_scheduled, d.status.number_ready);
        out.sample("kube_daemonset_status_desired_number_scheduled", want as f64, &labels);
        out.sample("kube_daemonset_status_number_ready", have as f64, &labels);
        let astray = d.status.number_misscheduled;
        out.sample("kube_daemonset_status_number_misscheduled", astray as f64, &labels);
        if have < want && shortages.lasts("daemonset", &d.metadata, None) {
            out.problem(&d.metadata, format!("ready on {have} of {want} nodes"));
        }
    }
    out
}

/// Jobs must not have failed. `since` has, by cron job, when one of its jobs last succeeded: a failure
/// before that is history.
pub fn jobs(list: &[Job], since: &Times) -> Findings {
    let mut out = Findings::default();
    for job in list {
        let meta = &job.metadata;
        let labels = [("namespace", meta.namespace.as_str()), ("job_name", meta.name.as_str())];
        out.sample("kube_job_status_active", job.status.active as f64, &labels);
        out.sample("kube_job_status_succeeded", job.status.succeeded as f64, &labels);
        out.sample("kube_job_status_failed", job.status.failed as f64, &labels);
        let Some(failed) = condition(&job.status.conditions, "Failed").filter(|c| c.status == "True") else { continue };
        let cron = meta.owner_references.iter().find(|o| o.kind == "CronJob");
        let better = cron.and_then(|o| since.get(&format!("{}/{}", meta.namespace, o.name)));
        let when = time(failed.last_transition_time.as_ref());
        if better.zip(when).is_none_or(|(better, when)| *better < when) {
            out.problem(meta, format!("Failed{}", why(failed)));
        }
    }
    out
}

/// Cron jobs have times; whether one is late, a rule over these series can say.
pub fn cron_jobs(list: &[CronJob]) -> (Findings, Times) {
    let (mut out, mut times) = (Findings::default(), Times::new());
    for c in list {
        let labels = [("namespace", c.metadata.namespace.as_str()), ("cronjob", c.metadata.name.as_str())];
        let succeeded = time(c.status.last_successful_time.as_ref());
        out.sample("kube_cronjob_spec_suspend", flag(c.spec.suspend), &labels);
        let began = time(c.status.last_schedule_time.as_ref());
        out.moment("kube_cronjob_status_last_schedule_time", began, &labels);
        out.moment("kube_cronjob_status_last_successful_time", succeeded, &labels);
        times.extend(succeeded.map(|at| (c.metadata.path(), at)));
    }
    (out, times)
}

/// Certificates in secrets must be valid that long.
pub fn tls_secrets(list: &[TlsSecret], valid_for: Duration, now: Timestamp) -> Findings {
    let mut out = Findings::default();
    for secret in list {
        let pem = STANDARD.decode(secret.data.cert.trim()).unwrap_or_default();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).map_while(Result::ok).collect();
        let Some(ends) = CertFacts::of(&chain, now).earliest_expiry() else {
            out.problem(&secret.metadata, "holds no readable certificate");
            continue;
        };
        let labels = [("namespace", secret.metadata.namespace.as_str()), ("secret", secret.metadata.name.as_str())];
        let ends = Timestamp::from_millis(ends.saturating_mul(1000));
        out.moment("probe_kubernetes_secret_not_after_timestamp_seconds", Some(ends), &labels);
        expiry(&mut out, &secret.metadata, ends, valid_for, now);
    }
    out
}

/// Certificates of cert-manager must be ready and valid that long.
pub fn certificates(list: &[Certificate], valid_for: Duration, now: Timestamp) -> Findings {
    let mut out = Findings::default();
    for c in list {
        let labels = [("namespace", c.metadata.namespace.as_str()), ("name", c.metadata.name.as_str())];
        let ends = time(c.status.not_after.as_ref());
        out.moment("certmanager_certificate_expiration_timestamp_seconds", ends, &labels);
        let ready = condition(&c.status.conditions, "Ready");
        for status in ["True", "False", "Unknown"] {
            let holds = flag(ready.map_or("Unknown", |r| r.status.as_str()) == status);
            let labels = [labels[0], labels[1], ("condition", status)];
            out.sample("certmanager_certificate_ready_status", holds, &labels);
        }
        if let Some(ready) = ready.filter(|r| r.status == "False") {
            out.problem(&c.metadata, format!("not ready{}", why(ready)));
        } else if let Some(ends) = ends {
            expiry(&mut out, &c.metadata, ends, valid_for, now);
        }
    }
    out
}

fn expiry(out: &mut Findings, meta: &Meta, ends: Timestamp, valid_for: Duration, now: Timestamp) {
    let left = ends.millis() - now.millis();
    if left <= 0 {
        out.problem(meta, "the certificate has expired");
    } else if left < i64::try_from(valid_for.as_millis()).unwrap_or(i64::MAX) {
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        out.problem(meta, format!("the certificate expires in {}", Short(left)));
    }
}

/// Warnings of the last hour, each once however often it was repeated.
pub fn events(list: &[Event], now: Timestamp) -> Findings {
    let mut out = Findings::default();
    let mut reasons = std::collections::BTreeMap::<&str, i64>::new();
    for event in list {
        let at = time(event.last_timestamp.as_ref()).or_else(|| time(event.event_time.as_ref()));
        if at
            .or_else(|| time(event.metadata.creation_timestamp.as_ref()))
            .is_some_and(|at| now.since(at) > EVENTS_SINCE)
        {
            continue;
        }
        let about = &event.involved_object;
        let meta = Meta { name: about.name.clone(), namespace: about.namespace.clone(), ..Meta::default() };
        let text = format!("{} {}: {}", found(&about.kind), found(&event.reason), found(&event.message));
        out.problem(&meta, text);
        *reasons.entry(event.reason.as_str()).or_default() += event.count.unwrap_or(1).max(1);
    }
    for (reason, count) in reasons {
        out.sample("probe_kubernetes_warning_events", count as f64, &[("reason", reason)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(300);

    fn now() -> Timestamp {
        Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
    }

    fn list<T: serde::de::DeserializeOwned>(json: &str) -> Vec<T> {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn check(findings: &Findings, want: &[&str]) {
        assert_eq!(findings.problems, want);
    }

    #[test]
    fn nodes_that_are_not_ready_or_under_pressure() {
        let found = nodes(&list(
            r#"[{"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
                {"metadata": {"name": "b"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown",
                 "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}},
                {"metadata": {"name": "c"}, "spec": {"unschedulable": true}, "status": {"conditions": [
                 {"type": "DiskPressure", "status": "True"}, {"type": "Ready", "status": "True"}]}},
                {"metadata": {"name": "d"}}]"#,
        ));
        check(
            &found,
            &[
                "b: NotReady (NodeStatusUnknown: Kubelet stopped posting node status.)",
                "c: DiskPressure",
                "d: NotReady (it has never said anything)",
            ],
        );
        let sample = |node: &str, status: &str| {
            let is = |s: &&Sample| {
                let has = |key: &str, text: &str| s.labels.iter().any(|(k, v)| k == key && v == text);
                s.name == "kube_node_status_condition"
                    && has("node", node)
                    && has("status", status)
                    && has("condition", "Ready")
            };
            found.samples.iter().find(is).unwrap().value
        };
        assert_eq!((sample("a", "true"), sample("b", "true"), sample("b", "unknown")), (1.0, 0.0, 1.0));
    }

    #[test]
    fn pods_that_do_not_run() {
        let pod = |name: &str, status: &str, more: &str| {
            format!(
                r#"{{"metadata": {{"namespace": "shop", "name": "{name}", "creationTimestamp": "2026-06-01T10:00:00Z"{more}}}, "status": {{{status}}}}}"#
            )
        };
        let waiting = r#""phase": "Running", "containerStatuses": [{"name": "web", "restartCount": 7, "state": {"waiting":
            {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]"#;
        let creating = r#""phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]"#;
        let unready = r#""phase": "Running", "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-06-01T11:58:00Z"}]"#;
        let json = [
            pod("crash", waiting, ""),
            pod("gone", waiting, r#", "deletionTimestamp": "2026-06-01T11:00:00Z""#),
            pod("stuck", creating, ""),
            pod("failed", r#""phase": "Failed", "reason": "DeadlineExceeded""#, ""),
            pod("evicted", r#""phase": "Failed", "reason": "Evicted""#, ""),
            pod("of-job", r#""phase": "Failed""#, r#", "ownerReferences": [{"kind": "Job", "name": "j"}]"#),
            pod("done", r#""phase": "Succeeded""#, ""),
            pod("young", unready, ""),
            pod("old", &unready.replace("11:58", "11:00"), ""),
        ]
        .join(",");
        let found = pods(&list(&format!("[{json}]")), GRACE, now());
        check(
            &found,
            &[
                "shop/crash: container web is in CrashLoopBackOff (OOMKilled, code 137)",
                "shop/stuck: Pending",
                "shop/failed: Failed DeadlineExceeded",
                "shop/old: not ready",
            ],
        );
        let restarts = found.samples.iter().find(|s| s.name == "kube_pod_container_status_restarts_total").unwrap();
        assert_eq!(restarts.value, 7.0);
    }

    #[test]
    fn workloads_may_be_short_of_replicas_for_a_while() {
        let some = r#"[{"metadata": {"namespace": "shop", "name": "web"}, "spec": {"replicas": 3},
            "status": {"replicas": 3, "availableReplicas": 2, "readyReplicas": 2}},
            {"metadata": {"namespace": "shop", "name": "off"}, "spec": {"replicas": 0}}]"#;
        let daemon = r#"[{"metadata": {"namespace": "kube-system", "name": "proxy"},
            "status": {"desiredNumberScheduled": 2, "numberReady": 1}}]"#;
        let whole = some.replace(r#""availableReplicas": 2"#, r#""availableReplicas": 3"#);
        let mut known = Times::new();
        for (seconds, deployment, want) in
            [(0, some, false), (299, some, false), (300, some, true), (400, &whole, false), (500, some, false)]
        {
            let mut shortages = Shortages::new(known, GRACE, now().plus(Duration::from_secs(seconds)));
            let found = deployments(&list(deployment), &mut shortages);
            check(&found, if want { &["shop/web: 2 of 3 replicas available"] } else { &[] });
            let found = stateful_sets(&list(some), &mut shortages);
            check(&found, if seconds >= 300 { &["shop/web: 2 of 3 replicas ready"] } else { &[] });
            let found = daemon_sets(&list(daemon), &mut shortages);
            check(&found, if seconds >= 300 { &["kube-system/proxy: ready on 1 of 2 nodes"] } else { &[] });
            known = shortages.into_times();
        }
    }

    #[test]
    fn deployments_say_since_when_they_are_short_and_that_a_rollout_is_stuck() {
        #[track_caller]
        fn deployment(available: i64, conditions: &str, want: &[&str]) {
            let json = format!(
                r#"[{{"metadata": {{"namespace": "shop", "name": "web"}}, "spec": {{"replicas": 2}},
                "status": {{"availableReplicas": {available}, "conditions": [{conditions}]}}}}]"#
            );
            check(&deployments(&list(&json), &mut Shortages::new(Times::new(), GRACE, now())), want);
        }
        let condition = |kind: &str, status: &str, at: &str| {
            format!(
                r#"{{"type": "{kind}", "status": "{status}", "reason": "Why", "lastTransitionTime": "2026-06-01T{at}Z"}}"#
            )
        };
        deployment(1, &condition("Available", "False", "11:54:00"), &["shop/web: 1 of 2 replicas available"]);
        deployment(1, &condition("Available", "False", "11:56:00"), &[]);
        deployment(1, &condition("Available", "True", "11:00:00"), &[]);
        deployment(1, &condition("Progressing", "False", "11:59:00"), &["shop/web: 1 of 2 replicas available (Why)"]);
        deployment(2, &condition("Progressing", "False", "11:59:00"), &["shop/web: the rollout is stuck (Why)"]);
        deployment(2, &condition("Progressing", "True", "11:59:00"), &[]);
    }

    #[test]
    fn a_failed_job_counts_until_a_later_one_of_its_cron_job_succeeds() {
        let failed = r#"[{"metadata": {"namespace": "shop", "name": "b-1", "ownerReferences": [{"kind": "CronJob", "name": "b"}]},
            "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": "2026-06-01T03:00:00Z"}]}}]"#;
        let cron = |at: &str| {
            list::<CronJob>(&format!(
                r#"[{{"metadata": {{"namespace": "shop", "name": "b"}}, "status": {{"lastSuccessfulTime": "{at}"}}}}]"#
            ))
        };
        let before = cron_jobs(&cron("2026-06-01T02:00:00Z")).1;
        check(&jobs(&list(failed), &before), &["shop/b-1: Failed (BackoffLimitExceeded)"]);
        check(&jobs(&list(failed), &cron_jobs(&cron("2026-06-01T04:00:00Z")).1), &[]);
        check(&jobs(&list(failed), &Times::new()), &["shop/b-1: Failed (BackoffLimitExceeded)"]);
    }

    #[test]
    fn certificates_near_their_end() {
        let two = Duration::from_secs(14 * 86_400);
        let managed = r#"[{"metadata": {"namespace": "shop", "name": "a"}, "status": {"notAfter": "2026-06-03T12:00:00Z",
            "conditions": [{"type": "Ready", "status": "True"}]}},
            {"metadata": {"namespace": "shop", "name": "b"}, "status": {"notAfter": "2027-06-03T12:00:00Z"}},
            {"metadata": {"namespace": "shop", "name": "c"}, "status": {"conditions": [{"type": "Ready", "status": "False",
            "reason": "Failed"}]}}]"#;
        let want = ["shop/a: the certificate expires in 2d0h", "shop/c: not ready (Failed)"];
        assert_eq!(certificates(&list(managed), two, now()).problems, want);
        let params = |year: i32| {
            let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            STANDARD.encode(params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem())
        };
        let secret = |name: &str, data: &str| {
            format!(
                r#"{{"metadata": {{"namespace": "shop", "name": "{name}"}}, "data": {{"tls.crt": "{data}", "tls.key": "c2VjcmV0"}}}}"#
            )
        };
        let all = [secret("old", &params(2026)), secret("new", &params(2999)), secret("junk", "!")].join(",");
        let found = tls_secrets(&list(&format!("[{all}]")), two, now());
        check(&found, &["shop/old: the certificate has expired", "shop/junk: holds no readable certificate"]);
    }

    #[test]
    fn warnings_of_the_last_hour() {
        let events_json = r#"[{"reason": "BackOff", "message": "Back-off restarting", "lastTimestamp": "2026-06-01T11:59:00Z", "count": 4,
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web"}},
            {"reason": "Old", "lastTimestamp": "2026-06-01T09:00:00Z"}]"#;
        let found = events(&list(events_json), now());
        check(&found, &["shop/web: Pod BackOff: Back-off restarting"]);
        assert_eq!(found.samples[0].value, 4.0);
    }
}
