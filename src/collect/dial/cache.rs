//! Names to addresses, remembered as long as their records say.
//!
//! A lookup costs more than a whole probe of an address, so what was found is kept for its time to
//! live, but never so long that it hides a change for more than a minute. Failures are not kept: each
//! probe finds out for itself. Probes that ask for the same name at the same time share one lookup,
//! which ends when the last of them stops waiting.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use tokio::time::Instant;

use crate::collect::dial::lookup::{self, Asked, Servers};
use crate::collect::fault::Fault;

/// The longest that an answer is believed, whatever its time to live.
const MAX_TTL: Duration = Duration::from_secs(60);
/// Names kept of one resolver; 10,000 monitors with a name each fit.
const MAX_NAMES: usize = 20_000;

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Both.
    Both,
}

/// Addresses in the order in which they are to be tried; at least one.
pub(super) type Addresses = Arc<[IpAddr]>;

/// Whether any server has answered during a lookup.
pub(super) type Heard = Arc<AtomicBool>;

type Finding = Pin<Box<dyn Future<Output = Result<Addresses, Fault>> + Send>>;

/// One resolver, the system's or a monitor's own, and what it said.
pub(super) struct Names {
    servers: Servers,
    /// Leaf data: nothing else is locked or awaited while it is held.
    known: Mutex<[HashMap<Box<str>, Known>; 3]>,
}

enum Known {
    Found { addresses: Addresses, until: Instant },
    Asking { lookup: WeakShared<Finding>, heard: Heard },
}

/// What is to be done for a name.
enum Step {
    Take(Addresses),
    Wait(Shared<Finding>, Heard),
}

/// The resolvers of monitors that have their own, by their servers.
static OWN: LazyLock<Mutex<HashMap<Vec<SocketAddr>, Weak<Names>>>> = LazyLock::new(Mutex::default);
/// The system's.
static SYSTEM: LazyLock<Arc<Names>> = LazyLock::new(|| Arc::new(Names::new(Servers::system())));

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Names").field(&self.servers).finish()
    }
}

impl Names {
    fn new(servers: Servers) -> Self {
        Self { servers, known: Mutex::default() }
    }

    /// The system's resolver.
    pub(super) fn system() -> &'static Arc<Self> {
        &SYSTEM
    }

    /// The resolver that asks these servers; monitors with the same ones share it.
    pub(super) fn of(servers: &[SocketAddr]) -> Arc<Self> {
        let mut all = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = all.get(servers).and_then(Weak::upgrade) {
            return names;
        }
        all.retain(|_, weak| weak.strong_count() > 0);
        let names = Arc::new(Self::new(Servers::these(servers.to_vec())));
        all.insert(servers.to_vec(), Arc::downgrade(&names));
        names
    }

    /// The servers, when they are a monitor's own.
    pub(super) fn servers(&self) -> &[SocketAddr] {
        self.servers.own()
    }

    /// What is known of `host`, if it is still to be believed.
    pub(super) fn known(&self, host: &str, families: Families) -> Option<Addresses> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known[families as usize].get(host) {
            Some(Known::Found { addresses, until }) if Instant::now() < *until => Some(Arc::clone(addresses)),
            Some(Known::Found { .. } | Known::Asking { .. }) | None => None,
        }
    }

    /// Looks `host` up, or waits for who does. `on_heard` is told whom to ask whether a server answered.
    pub(super) async fn find(
        self: &Arc<Self>,
        host: &str,
        families: Families,
        on_heard: impl FnOnce(Heard),
    ) -> Result<Addresses, Fault> {
        match self.step(host, families) {
            Step::Take(addresses) => Ok(addresses),
            Step::Wait(lookup, heard) => {
                on_heard(heard);
                lookup.await
            }
        }
    }

    fn step(self: &Arc<Self>, host: &str, families: Families) -> Step {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut known[families as usize];
        match known.get(host) {
            Some(Known::Found { addresses, until }) if Instant::now() < *until => {
                return Step::Take(Arc::clone(addresses));
            }
            Some(Known::Asking { lookup, heard }) => {
                if let Some(lookup) = lookup.upgrade() {
                    return Step::Wait(lookup, Arc::clone(heard));
                }
            }
            Some(Known::Found { .. }) | None => {}
        }
        if known.len() >= MAX_NAMES && !known.contains_key(host) {
            let now = Instant::now();
            known.retain(|_, k| match k {
                Known::Found { until, .. } => now < *until,
                Known::Asking { lookup, .. } => lookup.upgrade().is_some(),
            });
            if known.len() >= MAX_NAMES {
                known.retain(|_, k| matches!(k, Known::Asking { .. }));
            }
        }
        let heard = Heard::default();
        let lookup = Arc::clone(self).ask(host.into(), families, Arc::clone(&heard)).boxed().shared();
        if let Some(weak) = lookup.downgrade()
            && known.len() < MAX_NAMES
        {
            known.insert(host.into(), Known::Asking { lookup: weak, heard: Arc::clone(&heard) });
        }
        Step::Wait(lookup, heard)
    }

    async fn ask(self: Arc<Self>, host: Box<str>, families: Families, heard: Heard) -> Result<Addresses, Fault> {
        let asked = lookup::ask(&self.servers, &host, families, &heard).await;
        heard.store(true, Ordering::Relaxed);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut known[families as usize];
        // The place is this lookup's own: it stands there until it is done, and none begins meanwhile.
        known.remove(&host);
        let Asked { addresses, ttl } = asked?;
        if !ttl.is_zero() {
            let until = Instant::now() + ttl.min(MAX_TTL);
            known.insert(host, Known::Found { addresses: Arc::clone(&addresses), until });
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::collect::dial::testing::{NameServer, Says};

    async fn find(names: &Arc<Names>, host: &str) -> Result<Addresses, Fault> {
        names.find(host, Families::Both, |_| {}).await
    }

    #[tokio::test]
    async fn what_was_found_is_kept_as_long_as_its_record_says() {
        let server = NameServer::start(|name| match name {
            "kept.example." => Says::A("192.0.2.1", 60),
            "brief.example." => Says::A("192.0.2.2", 0),
            _ => Says::NoName,
        })
        .await;
        let names = Names::of(&[server.at]);
        for (host, want) in [("kept.example", 2), ("brief.example", 6), ("none.example", 6)] {
            for _ in 0..3 {
                let found = find(&names, host).await;
                assert_eq!(found.is_ok(), host != "none.example", "{found:?}");
            }
            // Each lookup asks for both versions of IP.
            assert_eq!(server.asked(&format!("{host}.")), want, "{host}");
        }
        assert_eq!(names.known("kept.example", Families::Both).unwrap().len(), 1);
        assert!(names.known("kept.example", Families::V4).is_none());
        assert!(names.known("brief.example", Families::Both).is_none());
    }

    #[tokio::test]
    async fn those_who_ask_for_one_name_at_once_share_the_lookup() {
        let server = NameServer::start(|_| Says::A("192.0.2.1", 0)).await;
        let names = Names::of(&[server.at]);
        let found = join_all((0..50).map(|_| find(&names, "a.example"))).await;
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(server.asked("a.example."), 2);
    }

    #[tokio::test]
    async fn a_lookup_that_nobody_waits_for_any_more_leaves_no_trace() {
        let server = NameServer::start(|_| Says::Nothing).await;
        let names = Names::of(&[server.at]);
        drop(names.find("a.example", Families::Both, |_| {}).now_or_never());
        let Step::Wait(..) = names.step("a.example", Families::Both) else { panic!("nothing was found") };
        let known = names.known.lock().unwrap();
        let Known::Asking { lookup, .. } = &known[Families::Both as usize]["a.example"] else { panic!("asking") };
        assert!(lookup.upgrade().is_none());
    }

    #[test]
    fn monitors_with_the_same_servers_share_what_is_known() {
        let (a, b) = ("127.0.0.1:5301".parse().unwrap(), "127.0.0.1:5302".parse().unwrap());
        let first = Names::of(&[a, b]);
        assert!(Arc::ptr_eq(&first, &Names::of(&[a, b])));
        assert!(!Arc::ptr_eq(&first, &Names::of(&[b, a])));
    }
}
