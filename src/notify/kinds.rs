//! The table of notifier kinds. A further kind is one file and one row.

use std::sync::Arc;

use crate::base::notification::Notifier;
use crate::config::fields::Fields;
use crate::config::model::Server;

/// One kind of notifier.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What `type:` says.
    pub name: &'static str,
    /// Reads the kind's options. Opens nothing; leaves `finish` to the caller, who reads the common keys.
    pub read: fn(&Server, &mut Fields<'_>) -> Option<Arc<dyn Notifier>>,
}

/// Every kind, in the order in which documentation lists them.
pub const KINDS: [Kind; 18] = [
    Kind { name: "telegram", read: crate::notify::telegram::read },
    Kind { name: "email", read: crate::notify::email::read },
    Kind { name: "webhook", read: crate::notify::webhook::read },
    Kind { name: "slack", read: crate::notify::slack::read },
    Kind { name: "discord", read: crate::notify::discord::read },
    Kind { name: "teams", read: crate::notify::teams::read },
    Kind { name: "wecom", read: crate::notify::wecom::read },
    Kind { name: "feishu", read: crate::notify::feishu::read },
    Kind { name: "dingtalk", read: crate::notify::dingtalk::read },
    Kind { name: "ntfy", read: crate::notify::ntfy::read },
    Kind { name: "gotify", read: crate::notify::gotify::read },
    Kind { name: "pushover", read: crate::notify::pushover::read },
    Kind { name: "pagerduty", read: crate::notify::pagerduty::read },
    Kind { name: "opsgenie", read: crate::notify::opsgenie::read },
    Kind { name: "matrix", read: crate::notify::matrix::read },
    Kind { name: "mattermost", read: crate::notify::mattermost::read },
    Kind { name: "script", read: crate::notify::script::read },
    Kind { name: "desktop", read: crate::notify::desktop::read },
];

/// What the tests of all kinds need.
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, StatusCode, Uri};

    use super::KINDS;
    use crate::base::labels::Labels;
    use crate::base::message::{DeliveryError, Status};
    use crate::base::notification::{Delivery, Notification, NotifiedAlert, Notifier, Receipt};
    use crate::base::time::Timestamp;
    use crate::config::fields::{Cx, Fields, Resolver};
    use crate::config::model::Server;
    use crate::config::report::Source;
    use crate::config::yaml;

    struct Fake;

    impl Resolver for Fake {
        fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
            Ok(format!("resolved-{name}"))
        }
    }

    /// Builds a notifier from its options, with every problem.
    pub fn build(kind: &str, text: &str) -> (Option<Arc<dyn Notifier>>, Vec<String>) {
        let root = yaml::parse(text).0.unwrap();
        let cx = Cx::new(Source::new("test.yaml", text), &Fake);
        let mut fields = Fields::of(&cx, &root).unwrap();
        let read = KINDS.iter().find(|k| k.name == kind).unwrap().read;
        let server = Server { external_url: Some("https://watchdog.example.com".into()), ..Server::default() };
        let notifier = read(&server, &mut fields);
        fields.finish();
        (notifier, cx.into_problems().into_iter().map(|p| p.message).collect())
    }

    /// A firing one about one alert.
    pub fn firing() -> Notification {
        let alert = NotifiedAlert {
            status: Status::Firing,
            fingerprint: "fe6993caee5e5b46".into(),
            labels: Labels::new([("alertname", "MonitorDown"), ("monitor", "shop"), ("severity", "critical")]),
            annotations: Labels::new([("summary", "shop is down"), ("description", "got <b>500</b> & more")]),
            starts_at: Timestamp::from_millis(1_763_900_000_120),
            ends_at: None,
            value: None,
            generator_url: None,
        };
        Notification::single("shop-1-firing-ops".into(), "shop-1-ops".into(), "ops", alert)
    }

    /// Its end, a quarter of an hour later.
    pub fn resolved() -> Notification {
        let mut n = firing();
        n.key = "shop-1-resolved-ops".into();
        n.alerts[0].status = Status::Resolved;
        n.alerts[0].ends_at = Some(Timestamp::from_millis(1_763_900_900_000));
        n
    }

    /// Delivers the first of its thread.
    pub async fn deliver(to: &dyn Notifier, notification: &Notification) -> Result<Receipt, DeliveryError> {
        to.deliver(Delivery { notification, previous: None }).await
    }

    /// One request that a receiver got.
    #[derive(Clone, Debug)]
    pub struct Got {
        pub path: String,
        pub headers: BTreeMap<String, String>,
        /// How often each of them came.
        pub header_lines: BTreeMap<String, usize>,
        pub body: serde_json::Value,
    }

    /// A receiver that answers everything alike and remembers what came.
    pub struct Receiver {
        pub url: String,
        pub got: Arc<Mutex<Vec<Got>>>,
        _tasks: tokio::task::JoinSet<()>,
    }

    /// Starts one on a free port.
    pub async fn receiver(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> Receiver {
        let got = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&got);
        let app = Router::new().fallback(move |uri: Uri, given: HeaderMap, payload: Bytes| async move {
            let text = |v: &axum::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
            let headers_in = given.iter().map(|(k, v)| (k.to_string(), text(v))).collect();
            let lines = given.keys().map(|k| (k.to_string(), given.get_all(k).iter().count())).collect();
            let body_in = serde_json::from_slice(&payload).unwrap_or_default();
            writer.lock().unwrap().push(Got {
                path: uri.path().to_owned(),
                headers: headers_in,
                header_lines: lines,
                body: body_in,
            });
            let mut out = HeaderMap::new();
            for (name, value) in headers {
                out.insert(*name, value.parse().unwrap());
            }
            (StatusCode::from_u16(status).unwrap(), out, body)
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Receiver { url, got, _tasks: tasks }
    }
}
