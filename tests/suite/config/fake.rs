//! Kinds of monitors and notifiers that do nothing, and a directory to write files into.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use watchdog::base::BoxFuture;
use watchdog::base::message::DeliveryError;
use watchdog::base::name::MonitorName;
use watchdog::base::notification::{Delivery, Notifier, Receipt};
use watchdog::base::outcome::Outcome;
use watchdog::base::probe::{Collector, ProbeCx};
use watchdog::config::catalog::{Catalog, Probe};
use watchdog::config::fields::{Fields, Resolver};
use watchdog::config::model::Server;
use watchdog::config::{Loaded, load};

/// Kinds `http` and `tcp` with some of their options, notifier `webhook`.
pub struct Kinds;

#[derive(Debug)]
struct Nothing;

impl Collector for Nothing {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::up("") })
    }
}

impl Notifier for Nothing {
    fn deliver<'a>(&'a self, _: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async { Ok(Receipt::default()) })
    }
}

impl Catalog for Kinds {
    fn monitor_kinds(&self) -> Vec<&'static str> {
        vec!["http", "tcp"]
    }

    fn notifier_kinds(&self) -> Vec<&'static str> {
        vec!["webhook"]
    }

    fn monitor(&self, kind: &str, fields: &mut Fields<'_>) -> Option<Probe> {
        let (kind, target) = match kind {
            "http" => {
                let target = fields.need_text("url", "write the address: `url: https://example.com/health`");
                fields.pairs("headers");
                if let Some(mut expect) = fields.nested("expect") {
                    expect.texts("status");
                    if let Some(mut latency) = expect.nested("latency") {
                        latency.duration("below", Duration::from_millis(1)..=Duration::from_secs(300));
                        latency.finish();
                    }
                    expect.finish();
                }
                ("http", target)
            }
            _ => {
                fields.integer("port", 1..=65_535);
                ("tcp", fields.need_text("host", "write a name or address: `host: db.example.com`"))
            }
        };
        Some(Probe::new(kind, target?.shown().to_owned(), Nothing))
    }

    fn notifier(&self, _: &str, _: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
        fields.need_text("url", "write the address: `url: http://127.0.0.1:9000/hook`")?;
        Some(Arc::new(Nothing))
    }
}

/// Knows `${env:TOKEN}` alone.
pub struct OneToken(pub &'static str);

impl Resolver for OneToken {
    fn resolve(&self, scheme: &str, name: &str) -> Result<String, String> {
        match (scheme, name) {
            ("env", "TOKEN") => Ok(self.0.to_owned()),
            _ => Err(format!("`{scheme}:{name}` is not there")),
        }
    }
}

/// A configuration directory.
pub struct Site(tempfile::TempDir);

impl Site {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir().join(path)
    }

    /// Writes a file and the directories above it.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.path(path)).unwrap();
        self
    }

    pub fn link(&self, path: &str, target: impl AsRef<Path>) -> &Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub fn load(&self) -> Loaded {
        load(self.dir(), &Kinds, &OneToken("t0ken"), None)
    }

    pub fn reload(&self, previous: &Loaded) -> Loaded {
        load(self.dir(), &Kinds, &OneToken("t0ken"), Some(previous))
    }
}

/// A file with one sound monitor per name.
pub fn monitors(names: &[&str]) -> String {
    let mut text = String::from("monitors:\n");
    for name in names {
        text.push_str(&format!("  - {{name: {name}, type: http, url: http://{name}.test/}}\n"));
    }
    text
}

/// The names that run, in order.
pub fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.config.monitors.keys().map(MonitorName::as_str).collect()
}

/// The names that run on their last good form.
pub fn stale(loaded: &Loaded) -> Vec<&str> {
    loaded.stale.iter().map(MonitorName::as_str).collect()
}

/// Each problem as `file:line:column code message`.
pub fn said(loaded: &Loaded) -> Vec<String> {
    let line =
        |p: &watchdog::wire::api::Problem| format!("{}:{}:{} {} {}", p.file, p.line, p.column, p.code, p.message);
    loaded.problems.iter().map(line).collect()
}
