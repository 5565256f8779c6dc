//! Why a probe ended before it could judge anything, and whose fault that is.
//!
//! The rule of the house: what is broken on this machine gives `unknown`, never `down`, so that a
//! starved monitor does not page about healthy targets.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;

use crate::base::outcome::{BLOCKED_ADDRESS, Outcome, TIMEOUT};
use crate::collect::dial::has_way;
use crate::collect::tls::refusal::late_fault;

/// The class of a network that a router has no way to, or lets nobody into.
const UNREACHABLE: &str = "network_unreachable";

/// The end of a probe that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    local: bool,
    /// See [`Self::is_in_doubt`].
    doubt: bool,
    class: &'static str,
    message: String,
}

impl Fault {
    /// The target is broken.
    pub fn target(class: &'static str, message: impl Into<String>) -> Self {
        Self { local: false, doubt: false, class, message: message.into() }
    }

    /// The target did not answer in time.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::target(TIMEOUT, message)
    }

    /// The probe is broken, for a reason on this machine. By convention `class` begins with `local_`.
    pub fn local(class: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(class.starts_with("local_"), "{class}");
        Self { local: true, doubt: false, class, message: message.into() }
    }

    /// The policy of this machine does not let the probe go where its options send it.
    pub fn blocked(why: impl Into<String>) -> Self {
        Self { local: true, doubt: false, class: BLOCKED_ADDRESS, message: why.into() }
    }

    /// The same fault where the target chose the way: what it may not lead to is its own fault.
    #[must_use]
    pub fn led_by_target(self) -> Self {
        Self { local: self.local && self.class != BLOCKED_ADDRESS, ..self }
    }

    /// The target's fault, unless this machine's own name servers are broken.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { doubt: true, ..self }
    }

    /// Whether a look at our name servers is to decide whose fault it is.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt
    }

    /// Sorts the error of a connection that was not made.
    pub fn connecting(to: SocketAddr, err: &io::Error) -> Self {
        Self::towards(to.ip(), &format!("connecting to {to}"), err)
    }

    /// Sorts an error on the way to an address. Routers far away say in the same words as this machine that there is
    /// no way, or none that is allowed: its own tables tell whose word it is.
    pub fn towards(to: IpAddr, doing: &str, err: &io::Error) -> Self {
        match err.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENETUNREACH) if !has_way(to) => {
                Self::local("local_network", format!("{doing}: {}", describe(err)))
            }
            Some(Errno::EACCES) if has_way(to) => Self::target(UNREACHABLE, format!("{doing}: {}", describe(err))),
            _ => Self::io(doing, err),
        }
    }

    /// Sorts an operating system's error; `doing` opens the message: `connecting to 192.0.2.1:80`.
    pub fn io(doing: &str, err: &io::Error) -> Self {
        if let Some(class) = local_class(err) {
            return Self::local(class, format!("{doing}: {}", describe(err)));
        }
        if let Some(refused) = late_fault(err) {
            return refused;
        }
        let class = match err.kind() {
            // On a connection that stands, routers say so.
            io::ErrorKind::NetworkUnreachable => UNREACHABLE,
            io::ErrorKind::ConnectionRefused => "connection_refused",
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                "connection_reset"
            }
            io::ErrorKind::HostUnreachable => "host_unreachable",
            io::ErrorKind::TimedOut => TIMEOUT,
            io::ErrorKind::UnexpectedEof => "connection_closed",
            _ => "io",
        };
        Self::target(class, format!("{doing}: {}", describe(err)))
    }

    /// Whether the fault is on this machine.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Whether the peer that was to be asked has no part in it: it failed here, or the policy does not let it be asked.
    pub fn is_before_peer(&self) -> bool {
        self.local || self.class == BLOCKED_ADDRESS
    }

    /// Whether the peer did not answer in time.
    pub fn is_timeout(&self) -> bool {
        self.class == TIMEOUT
    }

    /// Whether routers found no way to the peer, which may come back.
    pub fn is_unreachable(&self) -> bool {
        !self.local && matches!(self.class, UNREACHABLE | "host_unreachable")
    }

    /// The stable word.
    pub fn class(&self) -> &'static str {
        self.class
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same fault with another sentence.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The verdict that this fault means.
    pub fn outcome(self) -> Outcome {
        match self.local {
            true => Outcome::unknown(self.class, self.message),
            false => Outcome::down(self.class, self.message),
        }
    }
}

/// The class of an error that only this machine can cause.
fn local_class(err: &io::Error) -> Option<&'static str> {
    match Errno::from_raw(err.raw_os_error()?) {
        Errno::EMFILE | Errno::ENFILE => Some("local_files"),
        Errno::ENETDOWN | Errno::EAFNOSUPPORT => Some("local_network"),
        Errno::EADDRNOTAVAIL | Errno::EADDRINUSE => Some("local_ports"),
        Errno::ENOMEM | Errno::ENOBUFS => Some("local_memory"),
        Errno::EACCES | Errno::EPERM => Some("local_denied"),
        _ => None,
    }
}

/// The error without Rust's ` (os error 111)`, which tells people nothing.
pub fn describe(err: &io::Error) -> String {
    match err.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_lowercase(),
        None => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_this_machine_is_never_down() {
        #[track_caller]
        fn check(errno: Errno, class: &str, local: bool) {
            let fault = Fault::io("connecting", &io::Error::from(errno));
            assert_eq!((fault.class(), fault.is_local()), (class, local), "{errno}");
        }
        check(Errno::EMFILE, "local_files", true);
        check(Errno::ENETDOWN, "local_network", true);
        check(Errno::EADDRNOTAVAIL, "local_ports", true);
        check(Errno::ECONNREFUSED, "connection_refused", false);
        check(Errno::ECONNRESET, "connection_reset", false);
        check(Errno::EHOSTUNREACH, "host_unreachable", false);
    }

    #[test]
    fn what_a_router_says_of_a_network_is_our_fault_only_without_a_route_of_our_own() {
        #[track_caller]
        fn check(to: &str, errno: Errno, class: &str, local: bool) {
            let fault = Fault::connecting(to.parse().unwrap(), &io::Error::from(errno));
            assert_eq!((fault.class(), fault.is_local()), (class, local), "{to}: {errno}");
        }
        check("127.0.0.1:80", Errno::ENETUNREACH, "network_unreachable", false);
        check("127.0.0.1:80", Errno::EACCES, "network_unreachable", false);
        check("127.0.0.1:80", Errno::EPERM, "local_denied", true);
        // No socket may be connected to a broadcast address: the kernel refuses it without asking anybody.
        check("255.255.255.255:80", Errno::ENETUNREACH, "local_network", true);
        check("255.255.255.255:80", Errno::EACCES, "local_denied", true);
    }

    #[test]
    fn what_the_policy_refuses_is_the_targets_fault_only_where_the_target_led_there() {
        let blocked = Fault::blocked("`policy.networks.deny` has it");
        assert_eq!(blocked.clone().outcome().verdict, crate::base::outcome::Verdict::Unknown);
        let led = blocked.led_by_target();
        assert_eq!((led.class(), led.is_local()), (BLOCKED_ADDRESS, false));
        assert!(Fault::local("local_files", "none left").led_by_target().is_local());
    }

    #[test]
    fn messages_have_no_error_numbers() {
        let fault = Fault::io("connecting to 127.0.0.1:1", &io::Error::from(Errno::ECONNREFUSED));
        assert_eq!(fault.message(), "connecting to 127.0.0.1:1: connection refused");
    }
}
