//! What probes may do on this machine and its networks: `policy:` of the main file.

use std::net::SocketAddr;

/// What is allowed. The default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Ports that may be connected to; empty for all.
    pub ports: Vec<u16>,
    /// Programs that may be run; `None` for all.
    pub programs: Option<Vec<String>>,
}

impl Policy {
    /// Why no connection may be made to this address, if so. Asked for the very address that is dialled, so
    /// that no name can lead elsewhere.
    pub fn refuses(&self, to: SocketAddr) -> Option<String> {
        let open = self.ports.is_empty() || self.ports.contains(&to.port());
        (!open).then(|| format!("`policy.ports` does not allow port {}", to.port()))
    }

    /// Why this program may not be run, if so.
    pub fn refuses_program(&self, program: &str) -> Option<String> {
        let allowed = self.programs.as_ref().is_none_or(|list| list.iter().any(|p| p == program));
        (!allowed).then(|| format!("`policy.programs` does not list `{program}`"))
    }
}
