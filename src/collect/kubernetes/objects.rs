//! Objects of a cluster, as far as they are judged. Typed for ourselves: the API's full types are a hundred
//! times larger, and what is not read costs nothing. Everything here is untrusted.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::base::time::Timestamp;
use crate::collect::kubernetes::list::MAX_OBJECTS;

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Page<T> {
    /// Where the next page begins.
    #[serde(default)]
    pub metadata: PageMeta,
    /// The objects, as many as are looked at; `null` when there are none.
    #[serde(default = "Vec::new", deserialize_with = "some")]
    pub items: Vec<T>,
}

/// Reads a list and keeps its beginning: a server need not heed the number that it was asked for.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Items<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < MAX_OBJECTS {
                match items.next_element()? {
                    Some(item) => kept.push(item),
                    None => return Ok(kept),
                }
            }
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(kept)
        }
    }
    from.deserialize_any(Items(PhantomData))
}

/// What a page says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PageMeta {
    /// What to ask with for the next page; empty on the last.
    #[serde(rename = "continue")]
    pub next: Option<String>,
}

/// Declares structs of which every field may be missing.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field:meta])* $key:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub struct $name { $($(#[$field])* pub $key: $type,)* }
    )*};
}

objects! {
    /// What every object has.
    Meta {
        /// Its name.
        name: String,
        /// Its namespace; empty for nodes.
        namespace: String,
        /// When it was made.
        creation_timestamp: Option<String>,
        /// When somebody deleted it, while it still lingers.
        deletion_timestamp: Option<String>,
        /// What made it.
        owner_references: Vec<Owner>,
    }
    /// What made an object.
    Owner {
        /// `Job`, `ReplicaSet` …
        kind: String,
        /// Its name.
        name: String,
    }
    /// One condition of an object.
    Condition {
        /// `Ready`, `Failed` …
        r#type: String,
        /// `True`, `False`, `Unknown`.
        status: String,
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
        /// Since when.
        last_transition_time: Option<String>,
    }
    /// A node.
    Node {
        /// Its name.
        metadata: Meta,
        /// What is wanted.
        spec: NodeSpec,
        /// What is.
        status: NodeStatus,
    }
    /// What is wanted of a node.
    NodeSpec {
        /// Whether nothing new may run there.
        unschedulable: bool,
    }
    /// What a node is.
    NodeStatus {
        /// `Ready`, `MemoryPressure` …
        conditions: Vec<Condition>,
    }
    /// A pod.
    Pod {
        /// Its name.
        metadata: Meta,
        /// What it is.
        status: PodStatus,
    }
    /// What a pod is.
    PodStatus {
        /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
        phase: String,
        /// Why it failed: `Evicted` …
        reason: String,
        /// `Ready`, `PodScheduled` …
        conditions: Vec<Condition>,
        /// Its containers.
        container_statuses: Vec<Container>,
        /// Those that run before them.
        init_container_statuses: Vec<Container>,
    }
    /// A container of a pod.
    Container {
        /// Its name.
        name: String,
        /// How often it was started anew.
        restart_count: i64,
        /// What it is.
        state: ContainerState,
        /// How it ended the last time.
        last_state: ContainerState,
    }
    /// What a container is: one of these.
    ContainerState {
        /// It has not begun.
        waiting: Option<Waiting>,
        /// It has ended.
        terminated: Option<Terminated>,
    }
    /// Why a container has not begun.
    Waiting {
        /// `CrashLoopBackOff`, `ImagePullBackOff` …
        reason: String,
    }
    /// How a container ended.
    Terminated {
        /// `OOMKilled`, `Error` …
        reason: String,
        /// With which code.
        exit_code: i64,
    }
    /// A deployment or a stateful set.
    Workload {
        /// Its name.
        metadata: Meta,
        /// What is wanted.
        spec: WorkloadSpec,
        /// What is.
        status: WorkloadStatus,
    }
    /// What is wanted of a workload.
    WorkloadSpec {
        /// How many; one when nothing is said.
        replicas: Option<i64>,
    }
    /// What a workload is.
    WorkloadStatus {
        /// How many there are.
        replicas: i64,
        /// How many are ready.
        ready_replicas: i64,
        /// How many have been ready long enough.
        available_replicas: i64,
        /// How many are of the newest version.
        updated_replicas: i64,
        /// `Available`, `Progressing`; of deployments only.
        conditions: Vec<Condition>,
    }
    /// A daemon set.
    DaemonSet {
        /// Its name.
        metadata: Meta,
        /// What it is.
        status: DaemonStatus,
    }
    /// What a daemon set is.
    DaemonStatus {
        /// On how many nodes it should run.
        desired_number_scheduled: i64,
        /// On how many it is ready.
        number_ready: i64,
        /// On how many it runs though it should not.
        number_misscheduled: i64,
    }
    /// A job.
    Job {
        /// Its name.
        metadata: Meta,
        /// What it is.
        status: JobStatus,
    }
    /// What a job is.
    JobStatus {
        /// Pods that run.
        active: i64,
        /// Pods that succeeded.
        succeeded: i64,
        /// Pods that failed.
        failed: i64,
        /// `Complete`, `Failed`.
        conditions: Vec<Condition>,
    }
    /// A cron job.
    CronJob {
        /// Its name.
        metadata: Meta,
        /// What is wanted.
        spec: CronSpec,
        /// What is.
        status: CronStatus,
    }
    /// What is wanted of a cron job.
    CronSpec {
        /// Whether it is put aside.
        suspend: bool,
    }
    /// What a cron job did.
    CronStatus {
        /// When it last began a job.
        last_schedule_time: Option<String>,
        /// When one last succeeded.
        last_successful_time: Option<String>,
    }
    /// A secret with a certificate. Its key is not among the fields, so it is skipped while reading.
    TlsSecret {
        /// Its name.
        metadata: Meta,
        /// What is in it.
        data: TlsData,
    }
    /// The public half of such a secret.
    TlsData {
        /// Certificates in PEM, in Base64.
        #[serde(rename = "tls.crt")]
        cert: String,
    }
    /// A certificate of cert-manager.
    Certificate {
        /// Its name.
        metadata: Meta,
        /// What it is.
        status: CertificateStatus,
    }
    /// What such a certificate is.
    CertificateStatus {
        /// When it expires.
        not_after: Option<String>,
        /// `Ready`.
        conditions: Vec<Condition>,
    }
    /// An event.
    Event {
        /// Its name.
        metadata: Meta,
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
        /// What it is about.
        involved_object: Involved,
        /// When it was last seen, in the older form.
        last_timestamp: Option<String>,
        /// When it happened, in the newer one.
        event_time: Option<String>,
        /// How often.
        count: Option<i64>,
    }
    /// What an event is about.
    Involved {
        /// `Pod` …
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    }
}

impl Meta {
    /// `namespace/name`, or the name alone.
    pub fn path(&self) -> String {
        match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }

    /// Whether something of this kind made it.
    pub fn is_owned_by(&self, kind: &str) -> bool {
        self.owner_references.iter().any(|o| o.kind == kind)
    }
}

/// A time of the API's.
pub fn time(text: Option<&String>) -> Option<Timestamp> {
    Timestamp::parse(text?).ok()
}

/// Times by `namespace/name`.
pub type Times = BTreeMap<String, Timestamp>;
