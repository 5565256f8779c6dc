//! "My fault" is a state: whether a probe failed because of this machine, and whether that goes for many.
//!
//! A failure of a network monitor is looked into before it counts: the route to the address that was dialled, the name
//! servers of this machine if they failed at a name, and the references of `self:`, asked after the probe failed. Many
//! failures share one look. What is ours becomes `unknown` with a class that begins with `local_`, and one alert for
//! each class speaks for all of them.

mod fresh;
mod pulse;
mod resolver;
mod route;
mod standing;
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
use crate::base::outcome::{Outcome, Reason, TIMEOUT, Verdict};
use crate::base::probe::{ProbeCx, Way};
use crate::collect::dial::has_way;
use crate::config::catalog::Probe;
use crate::config::itself::SelfChecks;
use crate::config::model::{Config, Monitor};
use crate::engine::itself::fresh::Look;
pub use crate::engine::itself::pulse::{Pulse, rounds};
use crate::engine::itself::resolver::Resolver;
use crate::engine::itself::standing::Standing;
use crate::engine::itself::tally::Tally;

/// The classes of what this machine's way to others is to blame for.
const ROUTE: &str = "local_route";
const RESOLVER: &str = "local_resolver";
const UPLINK: &str = "local_uplink";

/// How we stand. One value, shared by all probes.
#[derive(Debug)]
pub struct Itself {
    clock: Clock,
    /// Held while the pointer is copied.
    looks: Mutex<Arc<Looks>>,
    /// When the process last stood still. Held while it is copied.
    stall: Mutex<Option<(Instant, Instant)>>,
    tally: Tally,
    standing: Standing,
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
        Self {
            clock,
            looks: Mutex::default(),
            stall: Mutex::default(),
            tally: Tally::default(),
            standing: Standing::default(),
        }
    }

    /// Looks at what this says from now on. Unchanged settings keep what was seen.
    pub fn configure(&self, config: &Config) {
        self.standing.configure(config);
        let settings = &config.itself;
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

    /// Takes note of the result of a slot.
    pub fn note(&self, monitor: &Monitor, verdict: Verdict, reason: Option<&Reason>) {
        self.standing.note(monitor, verdict, reason);
    }

    /// The outcome as it is to be judged; its texts are safe. Waits for a look where a network monitor is down: for
    /// one that goes on, and if that finds all well for another, so no longer than twice `self.timeout` and the
    /// distance of two looks.
    pub async fn judge(&self, monitor: &Monitor, outcome: Outcome, way: &Way, started: Instant) -> Outcome {
        match self.culprit(monitor, &outcome, way, started).await {
            Some((class, why)) => {
                let message = format!("{why}; found: {}", outcome.headline());
                outcome.with_verdict(Verdict::Unknown, class, message)
            }
            None => outcome,
        }
    }

    async fn culprit(
        &self,
        monitor: &Monitor,
        outcome: &Outcome,
        way: &Way,
        started: Instant,
    ) -> Option<(&'static str, String)> {
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
        if looks.settings.default_route
            && let Some(to) = cut_off(&way.dialled())
        {
            return Some((ROUTE, format!("this machine has no route to {to}")));
        }
        let names = async {
            match way.is_lookup_in_doubt() {
                true => looks.names(started).await,
                false => None,
            }
        };
        let (names, uplink) = tokio::join!(names, looks.uplink(self.clock, started));
        names.map(|why| (RESOLVER, why)).or_else(|| uplink.map(|why| (UPLINK, why)))
    }

    fn looks(&self) -> Arc<Looks> {
        self.looks.lock().map(|looks| Arc::clone(&looks)).unwrap_or_default()
    }
}

/// One of these addresses if this machine has a way to none of them.
fn cut_off(dialled: &[IpAddr]) -> Option<IpAddr> {
    dialled.first().copied().filter(|_| !dialled.iter().any(|ip| has_way(*ip)))
}

impl Looks {
    async fn route(&self, since: Instant) -> Option<String> {
        if !self.settings.default_route {
            return None;
        }
        let look = async || {
            // The table of a router has a million lines.
            match tokio::task::spawn_blocking(route::default_route).await.ok().flatten() {
                Some(true) => {
                    self.routed.store(true, Ordering::Relaxed);
                    None
                }
                Some(false) if self.routed.load(Ordering::Relaxed) => {
                    Some("this machine has lost its default route".to_owned())
                }
                Some(false) | None => None,
            }
        };
        self.route.trouble(since, look).await
    }

    async fn names(&self, since: Instant) -> Option<String> {
        if !self.settings.resolver {
            return None;
        }
        self.names.trouble(since, || self.resolver.trouble(self.settings.timeout)).await
    }

    async fn uplink(&self, clock: Clock, since: Instant) -> Option<String> {
        if self.settings.references.is_empty() {
            return None;
        }
        self.uplink.trouble(since, || ask(&self.settings, clock)).await
    }

    /// What the newest looks found: the classes of what fails for it, each in words.
    fn trouble(&self) -> impl Iterator<Item = (String, String)> {
        let all = [(ROUTE, &self.route), (UPLINK, &self.uplink), (RESOLVER, &self.names)];
        all.into_iter().filter_map(|(class, look)| Some((class.to_owned(), look.known()?)))
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
