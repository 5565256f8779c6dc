//! Why a probe ended before it could judge anything, and whose fault that is.
//!
//! The rule of the house: what is broken on this machine gives `unknown`, never `down`, so that a
//! starved monitor does not page about healthy targets.

use std::io;

use nix::errno::Errno;

use crate::base::outcome::Outcome;
use crate::collect::tls::refusal::late_fault;

/// The end of a probe that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    local: bool,
    class: &'static str,
    message: String,
}

impl Fault {
    /// The target is broken.
    pub fn target(class: &'static str, message: impl Into<String>) -> Self {
        Self { local: false, class, message: message.into() }
    }

    /// The probe is broken, for a reason on this machine. By convention `class` begins with `local_`.
    pub fn local(class: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(class.starts_with("local_"), "{class}");
        Self { local: true, class, message: message.into() }
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
            io::ErrorKind::ConnectionRefused => "connection_refused",
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                "connection_reset"
            }
            io::ErrorKind::HostUnreachable => "host_unreachable",
            io::ErrorKind::TimedOut => "timeout",
            io::ErrorKind::UnexpectedEof => "connection_closed",
            _ => "io",
        };
        Self::target(class, format!("{doing}: {}", describe(err)))
    }

    /// Whether the fault is on this machine.
    pub fn is_local(&self) -> bool {
        self.local
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
        Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EAFNOSUPPORT => Some("local_network"),
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
        check(Errno::ENETUNREACH, "local_network", true);
        check(Errno::EADDRNOTAVAIL, "local_ports", true);
        check(Errno::ECONNREFUSED, "connection_refused", false);
        check(Errno::ECONNRESET, "connection_reset", false);
        check(Errno::EHOSTUNREACH, "host_unreachable", false);
    }

    #[test]
    fn messages_have_no_error_numbers() {
        let fault = Fault::io("connecting to 127.0.0.1:1", &io::Error::from(Errno::ECONNREFUSED));
        assert_eq!(fault.message(), "connecting to 127.0.0.1:1: connection refused");
    }
}
