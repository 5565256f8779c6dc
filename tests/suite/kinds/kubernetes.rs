//! `kubernetes` against an API server made for the test: HTTPS, a token, pages, refusals.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{class, probe};

const LIMIT: Duration = Duration::from_secs(5);

/// Answers a path with its query: the status and the body.
type Says = fn(&str) -> (u16, String);

/// A cluster, and the kubeconfig that leads to it.
struct Cluster {
    dir: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Cluster {
    async fn start(says: Says) -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "cluster authority");
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                talks.spawn(talk(stream, says, Arc::clone(&log)));
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority-data: {}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: watch}}}},\n  \
             {{name: other, context: {{cluster: test, user: nobody}}}}]\n\
             users: [{{name: watch, user: {{token: right-word}}}}, {{name: nobody, user: {{token: wrong-word}}}}]\n",
            STANDARD.encode(ca_pem)
        );
        fs::write(dir.path().join("config"), text).unwrap();
        Self { dir, asked, _tasks: tasks }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    async fn probe(&self, more: &str) -> Outcome {
        let got = probe("kubernetes", &format!("{{kubeconfig: {}{more}}}", self.kubeconfig().display()), LIMIT).await;
        assert!(!format!("{got:?}").contains("-word"), "{got:?}");
        got
    }
}

async fn talk(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, says: Says, log: Arc<Mutex<Vec<String>>>) {
    let mut told = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(n @ 1..) => told.extend_from_slice(&piece[..n]),
            _ => return,
        }
        if !told.ends_with(b"\r\n\r\n") {
            continue;
        }
        let question = String::from_utf8(std::mem::take(&mut told)).unwrap();
        let path = question.split(' ').nth(1).unwrap().to_owned();
        let known = question.to_lowercase().contains("authorization: bearer right-word");
        log.lock().unwrap().push(path.clone());
        let (status, body) = match known {
            true => says(&path),
            false => (401, r#"{"kind": "Status", "message": "Unauthorized"}"#.to_owned()),
        };
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn list(items: &str) -> (u16, String) {
    (200, format!(r#"{{"kind": "List", "metadata": {{"resourceVersion": "1"}}, "items": [{items}]}}"#))
}

const READY: &str = r#"{"metadata": {"name": "one"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#;

fn sound(path: &str) -> (u16, String) {
    let run = |name: &str| {
        format!(
            r#"{{"metadata": {{"namespace": "shop", "name": "{name}", "managedFields": [{{"x": 1}}]}}, "spec": {{"nodeName": "one"}},
               "status": {{"phase": "Running", "conditions": [{{"type": "Ready", "status": "True"}}]}}}}"#
        )
    };
    match path.split('?').next().unwrap() {
        "/api/v1/nodes" => list(READY),
        // Two pages.
        "/api/v1/pods" if path.contains("continue=more%2Fof") => list(&run("web-2")),
        "/api/v1/pods" => (200, format!(r#"{{"metadata": {{"continue": "more/of"}}, "items": [{}]}}"#, run("web-1"))),
        "/api/v1/namespaces/shop/pods" => list(&run("web-1")),
        "/apis/apps/v1/deployments" => list(
            r#"{"metadata": {"namespace": "shop", "name": "web"}, "spec": {"replicas": 2}, "status": {"availableReplicas": 2}}"#,
        ),
        "/apis/cert-manager.io/v1/certificates" => (404, "404 page not found".to_owned()),
        "/api/v1/secrets" => (403, r#"{"kind": "Status", "message": "secrets is forbidden"}"#.to_owned()),
        _ => (200, r#"{"metadata": {}, "items": null}"#.to_owned()),
    }
}

fn broken(path: &str) -> (u16, String) {
    match path.split('?').next().unwrap() {
        "/api/v1/nodes" => list(
            r#"{"metadata": {"name": "two"}, "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]}}"#,
        ),
        "/api/v1/pods" => list(
            r#"{"metadata": {"namespace": "shop", "name": "web-1"}, "status": {"phase": "Running", "containerStatuses":
               [{"name": "web", "restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}"#,
        ),
        "/apis/apps/v1/deployments" => list(
            r#"{"metadata": {"namespace": "shop", "name": "web"}, "spec": {"replicas": 2}, "status": {"availableReplicas": 1,
               "conditions": [{"type": "Available", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}}"#,
        ),
        "/apis/batch/v1/jobs" => list(
            r#"{"metadata": {"namespace": "shop", "name": "backup"}, "status": {"failed": 1, "conditions": [{"type": "Failed",
               "status": "True", "reason": "BackoffLimitExceeded"}]}}"#,
        ),
        "/api/v1/events" => (200, "{\"items\": 7}".to_owned()),
        _ => list(""),
    }
}

#[tokio::test]
async fn a_sound_cluster_is_up_page_by_page() {
    let cluster = Cluster::start(sound).await;
    let good = cluster.probe("").await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    assert!(good.summary.starts_with("1 nodes, 2 pods, 1 deployments"), "{}", good.summary);
    for name in ["kube_node_status_condition", "kube_pod_status_phase", "kube_deployment_status_replicas_available"] {
        assert!(good.samples.iter().any(|s| s.name == name), "{name}");
    }
    assert!(good.samples.iter().any(|s| s.name == "probe_ssl_earliest_cert_expiry"));
    let phases: Vec<&str> = good.phases.iter().map(|p| &*p.name).collect();
    assert_eq!(phases, ["resolve", "connect", "tls", "processing", "transfer"]);
    cluster.asked.lock().unwrap().clear();
    let some = cluster.probe(", watch: [pods], namespaces: [shop], selector: 'app=shop,tier!=test'").await;
    assert_eq!(some.verdict, Verdict::Up, "{some:?}");
    let asked = cluster.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        ["/api/v1/namespaces/shop", "/api/v1/namespaces/shop/pods?limit=100&labelSelector=app%3Dshop%2Ctier%21%3Dtest"]
    );
}

fn scarce(path: &str) -> (u16, String) {
    match path.split('?').next().unwrap() {
        "/api/v1/namespaces/prodution" => (404, r#"{"kind": "Status", "message": "not found"}"#.to_owned()),
        "/api/v1/namespaces/secluded" => (403, r#"{"kind": "Status", "message": "forbidden"}"#.to_owned()),
        "/api/v1/namespaces/secluded/pods" => list(READY),
        // Pages without an end, and none of them says the same as the one before.
        "/apis/apps/v1/deployments" => {
            let next = if path.contains("continue=a") { "b" } else { "a" };
            (200, format!(r#"{{"metadata": {{"continue": "{next}"}}, "items": []}}"#))
        }
        _ => list(""),
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_well() {
    let cluster = Cluster::start(scarce).await;
    let check = async |more: &str, want: (Verdict, &str)| {
        let got = cluster.probe(more).await;
        assert_eq!((got.verdict, class(&got)), want, "{more}: {got:?}");
        got.headline().to_owned()
    };
    let typo = check(", namespaces: [prodution], watch: [pods]", (Verdict::Down, "namespace")).await;
    assert_eq!(typo, "expected: namespaces exist; found: prodution");
    check(", namespaces: [secluded], watch: [pods]", (Verdict::Up, "")).await;
    check(", watch: [pods, secrets]", (Verdict::Degraded, "empty")).await;
    check(", watch: [jobs, events]", (Verdict::Up, "")).await;
    check(", watch: [deployments]", (Verdict::Down, "protocol_error")).await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let cluster = Cluster::start(broken).await;
    let bad = cluster.probe("").await;
    assert_eq!((bad.verdict, class(&bad)), (Verdict::Down, "node"), "{bad:?}");
    let found = |name: &str| bad.checks.iter().find(|c| c.name == name).unwrap().found.clone();
    assert_eq!(found("nodes are ready"), "two: NotReady (KubeletNotReady)");
    assert_eq!(found("pods run"), "shop/web-1: container web is in CrashLoopBackOff");
    assert_eq!(found("deployments have their replicas"), "shop/web: 1 of 2 replicas available");
    assert_eq!(found("no job has failed"), "shop/backup: Failed (BackoffLimitExceeded)");
    let evidence = bad.evidence.unwrap();
    assert!(evidence.items.iter().any(|(title, _)| title == "pods run"), "{evidence:?}");
    assert_eq!(class(&cluster.probe(", watch: [events]").await), "protocol_error");
}

#[tokio::test]
async fn refusals_and_strangers_have_their_class() {
    let cluster = Cluster::start(sound).await;
    assert_eq!(class(&cluster.probe(", watch: [secrets]").await), "auth");
    assert_eq!(class(&cluster.probe(", watch: [certificates]").await), "absent");
    assert_eq!(class(&cluster.probe(", context: other").await), "auth");
    assert_eq!(class(&cluster.probe(", context: nosuch").await), "local_kubeconfig");
    // Another cluster's authority of the same name did not sign this server.
    let stranger = Cluster::start(sound).await;
    let server = |text: &str| text.split("server: '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let (own, other) =
        (fs::read_to_string(cluster.kubeconfig()).unwrap(), fs::read_to_string(stranger.kubeconfig()).unwrap());
    fs::write(cluster.kubeconfig(), own.replace(&server(&own), &server(&other))).unwrap();
    assert_eq!(class(&cluster.probe("").await), "cert_signature");
    let skip = own.replace(&server(&own), &server(&other));
    let data = skip.split("certificate-authority-data: ").nth(1).unwrap().split('}').next().unwrap();
    let skip = skip.replace(&format!("certificate-authority-data: {data}"), "insecure-skip-tls-verify: true");
    fs::write(cluster.kubeconfig(), skip).unwrap();
    assert_eq!(cluster.probe("").await.verdict, Verdict::Up);
}

#[tokio::test]
async fn an_answer_without_end_is_too_large() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b' '; 1 << 16]).await.is_ok() {}
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let text = format!(
        "current-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{at}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: []\n"
    );
    fs::write(&file, text).unwrap();
    let got = probe("kubernetes", &format!("{{kubeconfig: {}}}", file.display()), LIMIT).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "too_large"), "{got:?}");
}

#[tokio::test]
async fn a_silent_cluster_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let text = format!(
        "current-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{at}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: []\n"
    );
    fs::write(&file, text).unwrap();
    let text = format!("{{kubeconfig: {}}}", file.display());
    let slow = probe("kubernetes", &text, Duration::from_millis(300)).await;
    assert_eq!(class(&slow), "timeout", "{slow:?}");
    drop(listener);
    assert_eq!(class(&probe("kubernetes", &text, LIMIT).await), "connection_refused");
}
