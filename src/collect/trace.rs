//! What is known of a running probe: its phases and whom it talked to.
//!
//! The deadline drops a probe's future in the middle of anything. A trace is lent to that future and
//! outlives it, so that the outcome can say how far the probe came and how long each part took.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::base::outcome::{Phase, Sample};
use crate::base::units::Short;
use crate::collect::cert::CertFacts;
use crate::collect::fault::Fault;

/// The phases of a network probe, in blackbox_exporter's words.
pub mod phase {
    /// Looking up the name.
    pub const RESOLVE: &str = "resolve";
    /// TCP's handshake.
    pub const CONNECT: &str = "connect";
    /// TLS' handshake.
    pub const TLS: &str = "tls";
    /// From the request's first byte to the answer's head.
    pub const PROCESSING: &str = "processing";
    /// The answer's body.
    pub const TRANSFER: &str = "transfer";
    /// Proving to the peer who we are.
    pub const AUTH: &str = "auth";
    /// Asking somebody else for a word that the target wants to be told.
    pub const TOKEN: &str = "token";
    /// From a query's first byte to the end of its answer.
    pub const QUERY: &str = "query";

    /// Those of HTTP, in order.
    pub const ALL: [&str; 5] = [RESOLVE, CONNECT, TLS, PROCESSING, TRANSFER];
}

/// The log of one probe.
#[derive(Debug)]
pub struct Trace {
    started: Instant,
    phases: Vec<Phase>,
    open: Option<(&'static str, Instant)>,
    /// Who else is asked, while the phase that runs stands for all that begin in it.
    within: Option<String>,
    /// While this machine's name servers look up a name: whether any has answered anything so far.
    pub heard: Option<Arc<AtomicBool>>,
    /// What the network said within the phase that runs, and what may pass: the fault if nothing better comes until the
    /// deadline.
    pub told: Option<Fault>,
    /// Addresses tried on the current hop, in order.
    pub tried: Vec<SocketAddr>,
    /// The address that answered.
    pub peer: Option<SocketAddr>,
    /// What the peer's certificates say.
    pub cert: Option<CertFacts>,
}

impl Trace {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            phases: Vec::with_capacity(phase::ALL.len()),
            open: None,
            within: None,
            heard: None,
            told: None,
            tried: Vec::new(),
            peer: None,
            cert: None,
        }
    }

    /// Ends the phase that runs and begins another.
    pub fn begin(&mut self, name: &'static str) {
        if self.within.is_some() {
            return;
        }
        let now = Instant::now();
        self.close(now, false);
        self.told = None;
        self.open = Some((name, now));
    }

    /// Ends the phase that runs.
    pub fn end(&mut self) {
        if self.within.is_some() {
            return;
        }
        self.close(Instant::now(), false);
        self.told = None;
    }

    /// Ends the phase that runs as of some time ago.
    pub fn end_at(&mut self, at: Instant) {
        if self.within.is_none() {
            self.close(at, false);
        }
    }

    /// Ends the phase that runs as the one in which the probe failed.
    pub fn fail(&mut self) {
        self.close(Instant::now(), true);
    }

    /// A probe that follows redirects passes the same phase several times; the times add up.
    fn close(&mut self, now: Instant, failed: bool) {
        let Some((name, since)) = self.open.take() else { return };
        let took = now.saturating_duration_since(since);
        match self.phases.iter_mut().find(|p| p.name == name) {
            Some(known) => {
                known.took += took;
                known.failed |= failed;
            }
            None => self.phases.push(Phase { name: Cow::Borrowed(name), took, failed }),
        }
    }

    /// Begins a phase in which other phases do not count by themselves: what is fetched on the way to a target is not
    /// the target's own time. `whom` is asked.
    pub fn enter(&mut self, name: &'static str, whom: String) {
        self.begin(name);
        self.within = Some(whom);
    }

    /// Ends such a phase.
    pub fn leave(&mut self) {
        self.within = None;
        self.end();
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time of all phases that ended.
    pub fn elapsed_phases(&self) -> Duration {
        self.phases.iter().map(|p| p.took).sum()
    }

    /// The phase that runs.
    pub fn current(&self) -> Option<&'static str> {
        self.open.map(|(name, _)| name)
    }

    /// The fault of a probe whose deadline passed.
    pub fn timed_out(&mut self, deadline: Instant) -> Fault {
        let limit = Short(deadline.saturating_duration_since(self.started));
        let at = self.current();
        self.fail();
        if self.heard.take().is_some_and(|heard| !heard.load(Ordering::Relaxed)) {
            return Fault::local("local_resolver", format!("no name server answered anything within {limit}"));
        }
        if let Some(told) = self.told.take() {
            return told;
        }
        let whom = self.peer.or(self.tried.last().copied()).map_or_else(String::new, |a| format!(" ({a})"));
        if let (Some(name), Some(from)) = (at, &self.within) {
            return Fault::target("oauth2", format!("no {name} from {from}{whom} within {limit}"));
        }
        let doing = match at {
            Some(phase::RESOLVE) => "the name was not resolved".to_owned(),
            Some(phase::CONNECT) => format!("no connection{whom}"),
            Some(phase::TLS) => format!("the TLS handshake did not finish{whom}"),
            Some(phase::PROCESSING) => format!("no answer{whom}"),
            Some(phase::TRANSFER) => format!("the answer did not end{whom}"),
            Some(phase::AUTH) => format!("the login did not finish{whom}"),
            Some(phase::QUERY) => format!("the query was not answered{whom}"),
            Some(_) | None => "not finished".to_owned(),
        };
        Fault::timeout(format!("{doing} within {limit}"))
    }

    /// The end of a probe's work: what timed out, or failed because of it, is told as a timeout. What failed on this
    /// machine is none, however late.
    ///
    /// # Errors
    /// The fault of the probe.
    pub fn settle<T>(&mut self, ended: Result<Result<T, Fault>, Elapsed>, deadline: Instant) -> Result<T, Fault> {
        match ended {
            Ok(Err(fault)) if !fault.is_local() && Instant::now() >= deadline => Err(self.timed_out(deadline)),
            Ok(result) => result,
            Err(Elapsed { .. }) => Err(self.timed_out(deadline)),
        }
    }

    /// The phases so far.
    pub fn take_phases(&mut self) -> Vec<Phase> {
        std::mem::take(&mut self.phases)
    }

    /// The phases so far.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The series that every kind with a name and a connection has.
    pub fn network_samples(&self, out: &mut Vec<Sample>) {
        if let Some(resolve) = self.phases.iter().find(|p| p.name == phase::RESOLVE) {
            out.push(Sample::new("probe_dns_lookup_time_seconds", resolve.took.as_secs_f64()));
        }
        if let Some(peer) = self.peer.or(self.tried.last().copied()) {
            out.push(Sample::new("probe_ip_protocol", if peer.is_ipv4() { 4.0 } else { 6.0 }));
            out.push(Sample::new("probe_ip_addr_hash", f64::from(address_hash(peer.ip()))));
        }
        if let Some(cert) = &self.cert {
            cert.samples(out);
        }
    }
}

/// FNV-1a of an address's bytes: a series cannot hold the address, but shows when it changes. Same as
/// blackbox_exporter's.
fn address_hash(ip: IpAddr) -> u32 {
    let add = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().iter().fold(0x811c_9dc5, add),
        IpAddr::V6(ip) => ip.octets().iter().fold(0x811c_9dc5, add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn times_of_a_repeated_phase_add_up_and_the_failed_one_is_marked() {
        let mut trace = Trace::start();
        for _ in 0..2 {
            trace.begin(phase::CONNECT);
            tokio::time::advance(Duration::from_millis(10)).await;
            trace.begin(phase::PROCESSING);
            tokio::time::advance(Duration::from_millis(5)).await;
        }
        let fault = trace.timed_out(Instant::now());
        assert_eq!((fault.class(), fault.is_local()), ("timeout", false));
        assert_eq!(fault.message(), "no answer within 30ms");
        let phases: Vec<_> = trace.take_phases().into_iter().map(|p| (p.name, p.took.as_millis(), p.failed)).collect();
        assert_eq!(phases, [("connect".into(), 20, false), ("processing".into(), 10, true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn phases_of_a_request_on_the_way_count_as_one() {
        let mut trace = Trace::start();
        let pass = async |trace: &mut Trace, name, ms| {
            trace.begin(name);
            tokio::time::advance(Duration::from_millis(ms)).await;
            trace.end();
        };
        pass(&mut trace, phase::CONNECT, 1).await;
        trace.enter(phase::TOKEN, "http://login.example/".to_owned());
        pass(&mut trace, phase::CONNECT, 10).await;
        pass(&mut trace, phase::TRANSFER, 5).await;
        trace.leave();
        trace.enter(phase::TOKEN, "http://login.example/".to_owned());
        pass(&mut trace, phase::RESOLVE, 3).await;
        let fault = trace.timed_out(Instant::now());
        assert_eq!((fault.class(), fault.message()), ("oauth2", "no token from http://login.example/ within 19ms"));
        let phases = trace.take_phases().into_iter().map(|p| (p.name, p.took.as_millis(), p.failed));
        assert_eq!(phases.collect::<Vec<_>>(), [("connect".into(), 1, false), ("token".into(), 18, true)]);
    }

    #[test]
    fn addresses_hash_as_in_blackbox_exporter() {
        assert_eq!(address_hash([127, 0, 0, 1].into()), 3_668_918_509);
    }

    #[test]
    fn a_fault_of_this_machine_stays_one_at_the_deadline() {
        let settled = |fault| Trace::start().settle::<()>(Ok(Err(fault)), Instant::now()).unwrap_err();
        let local = Fault::local("local_files", "none left");
        assert_eq!(settled(local.clone()), local);
        assert_eq!(settled(Fault::target("connection_reset", "reset")).class(), "timeout");
    }

    #[tokio::test]
    async fn a_resolver_that_says_nothing_is_our_own_fault_and_one_that_is_slow_with_a_name_is_not() {
        for heard in [false, true] {
            let mut trace = Trace::start();
            trace.begin(phase::RESOLVE);
            trace.heard = Some(Arc::new(AtomicBool::new(heard)));
            assert_eq!(trace.timed_out(Instant::now()).is_local(), !heard);
        }
    }
}
