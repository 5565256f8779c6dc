//! "My fault" is a state: whether a probe failed because of this machine, and whether that goes for many.
//!
//! A failure of a network monitor is looked into before it counts: the default route, the name servers if a name did
//! not resolve, and the references of `self:`, asked after the probe failed. Many failures share one look.
//! What is ours becomes `unknown` with a class that begins with `local_`, and one alert speaks for all of them.

mod fresh;
mod pulse;
mod resolver;
mod route;
mod tally;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::FutureExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::base::clock::Clock;
use crate::base::outcome::{Outcome, Verdict};
use crate::base::probe::ProbeCx;
use crate::config::catalog::Probe;
use crate::config::itself::SelfChecks;
use crate::config::model::Monitor;
use crate::engine::itself::fresh::Look;
pub use crate::engine::itself::pulse::{Pulse, rounds};
use crate::engine::itself::resolver::Resolver;
use crate::engine::itself::tally::Tally;

/// A look that began this long before a probe failed tells of it, too. Bounds how often references are asked.
const FRESH: Duration = Duration::from_secs(2);
/// What a probe that failed in this phase, or for this reason, is looked into for.
const RESOLVE: &str = "resolve";
const DNS: &str = "dns";
const TIMEOUT: &str = "timeout";

/// How we stand. One value, shared by all probes.
#[derive(Debug)]
pub struct Itself {
    clock: Clock,
    /// Held while the pointer is copied.
    looks: Mutex<Arc<Looks>>,
    /// When the process last stood still. Held while it is copied.
    stall: Mutex<Option<(Instant, Instant)>>,
    tally: Tally,
}

/// What is looked at under one configuration, and what was seen.
#[derive(Debug, Default)]
struct Looks {
    settings: Arc<SelfChecks>,
    uplink: Look,
    route: Look,
    names: Look,
    resolver: Resolver,
    /// There was a default route: a machine that never has one is not cut off.
    routed: AtomicBool,
}

impl Itself {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, looks: Mutex::default(), stall: Mutex::default(), tally: Tally::default() }
    }

    /// Looks at what this says from now on. Unchanged settings keep what was seen.
    pub fn configure(&self, settings: &Arc<SelfChecks>) {
        if let Ok(mut looks) = self.looks.lock()
            && looks.settings.hash != settings.hash
        {
            *looks = Arc::new(Looks { settings: Arc::clone(settings), ..Looks::default() });
        }
    }

    /// A probe started this late.
    pub fn started(&self, late: Duration) {
        self.tally.started(late);
    }

    /// A probe never started.
    pub fn starved(&self, outcome: &Outcome) {
        self.tally.ended(outcome);
    }

    /// The outcome as it is to be judged. Waits for a look where a network monitor is down, but no longer than
    /// `self.timeout`.
    pub async fn judge(&self, monitor: &Monitor, outcome: Outcome, started: Instant) -> Outcome {
        let outcome = match self.culprit(monitor, &outcome, started).await {
            Some((class, why)) => {
                let message = format!("{why}; found: {}", outcome.headline());
                outcome.with_verdict(Verdict::Unknown, class, message)
            }
            None => outcome,
        };
        self.tally.ended(&outcome);
        outcome
    }

    async fn culprit(&self, monitor: &Monitor, outcome: &Outcome, started: Instant) -> Option<(&'static str, String)> {
        if outcome.verdict != Verdict::Down {
            return None;
        }
        let class = outcome.reason.as_ref().map_or("", |r| r.class.as_ref());
        let stall = self.stall.lock().ok().and_then(|s| *s);
        if class == TIMEOUT && stall.is_some_and(|(_, end)| end >= started) {
            return Some(("local_starved", "this machine stood still meanwhile".to_owned()));
        }
        let host = monitor.probe.host.as_deref().or(outcome.host.as_deref());
        if !host.is_some_and(is_elsewhere) {
            return None;
        }
        let looks = self.looks();
        let not_before = Instant::now().checked_sub(FRESH).unwrap_or(started);
        if let Some(why) = looks.route(started, not_before).await {
            return Some(("local_route", why));
        }
        let unresolved = class == DNS || outcome.phases.last().is_some_and(|p| p.failed && p.name == RESOLVE);
        if unresolved && let Some(why) = looks.names(started, not_before).await {
            return Some(("local_resolver", why));
        }
        looks.uplink(self.clock, started, not_before).await.map(|why| ("local_uplink", why))
    }

    fn looks(&self) -> Arc<Looks> {
        self.looks.lock().map(|looks| Arc::clone(&looks)).unwrap_or_default()
    }
}

impl Looks {
    async fn route(&self, since: Instant, not_before: Instant) -> Option<String> {
        if !self.settings.default_route {
            return None;
        }
        let look = async || match route::default_route() {
            Some(true) => {
                self.routed.store(true, Ordering::Relaxed);
                None
            }
            Some(false) if self.routed.load(Ordering::Relaxed) => {
                Some("this machine has lost its default route".to_owned())
            }
            Some(false) | None => None,
        };
        self.route.trouble(since, not_before, look).await
    }

    async fn names(&self, since: Instant, not_before: Instant) -> Option<String> {
        if !self.settings.resolver {
            return None;
        }
        self.names.trouble(since, not_before, || self.resolver.trouble(self.settings.timeout)).await
    }

    async fn uplink(&self, clock: Clock, since: Instant, not_before: Instant) -> Option<String> {
        if self.settings.references.is_empty() {
            return None;
        }
        self.uplink.trouble(since, not_before, || ask(&self.settings, clock)).await
    }

    /// What the newest looks found.
    fn trouble(&self) -> Option<String> {
        self.route.known().or_else(|| self.uplink.known()).or_else(|| self.names.known())
    }
}

/// Asks all references at once; the first that answers ends it.
async fn ask(settings: &SelfChecks, clock: Clock) -> Option<String> {
    let cx = ProbeCx::new(Instant::now() + settings.timeout, clock.now());
    let mut asked: FuturesUnordered<_> = settings.references.iter().map(|r| asked(r, &cx)).collect();
    let mut failures = Vec::new();
    while let Some(answer) = asked.next().await {
        failures.push(answer?);
    }
    failures.sort();
    Some(format!("none of our references answers ({})", failures.join("; ")))
}

/// Why this reference does not answer, if so.
async fn asked(reference: &Probe, cx: &ProbeCx) -> Option<String> {
    let guarded = AssertUnwindSafe(async { reference.collector.probe(cx).await }).catch_unwind();
    let found = match timeout_at(cx.deadline, guarded).await {
        Ok(Ok(outcome)) if matches!(outcome.verdict, Verdict::Up | Verdict::Degraded) => return None,
        Ok(Ok(outcome)) => outcome.made_safe().headline().to_owned(),
        Ok(Err(_)) => "the check crashed".to_owned(),
        Err(_) => "no answer".to_owned(),
    };
    Some(format!("`{}`: {found}", reference.target))
}

/// Whether reaching this host takes more than this machine.
fn is_elsewhere(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(ip) => !ip.to_canonical().is_loopback() && !ip.is_unspecified(),
        Err(_) => {
            let top = bare.rsplit('.').next().unwrap_or(bare);
            !top.eq_ignore_ascii_case("localhost")
        }
    }
}

#[cfg(test)]
mod tests;
