//! Tells systemd how the service does: the `sd_notify(3)` protocol over `$NOTIFY_SOCKET`.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager's socket, when systemd started us with `Type=notify`.
#[derive(Clone, Debug)]
pub struct Systemd {
    socket: Option<OsString>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// From the values of `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn new(socket: Option<OsString>, watchdog_usec: Option<&str>) -> Self {
        let watchdog = watchdog_usec.and_then(|v| v.parse().ok()).map(Duration::from_micros);
        Self { socket: socket.filter(|s| !s.is_empty()), watchdog }
    }

    /// How often [`alive`](Self::alive) must be called: half of what the manager allows.
    pub fn ping_every(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.socket.is_some()).map(|d| d / 2)
    }

    /// The service is up; `status` is shown by `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// The service is still starting, and may take so long from now on.
    pub fn starting(&self, most: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", most.as_micros()));
    }

    /// All loops work.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The service is going down.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        let sent = UnixDatagram::unbound().and_then(|s| {
            let to = match socket.as_bytes().split_first() {
                Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
                _ => SocketAddr::from_pathname(socket)?,
            };
            s.send_to_addr(text.as_bytes(), &to)
        });
        if let Err(e) = sent {
            tracing::debug!(error = %e, "the service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_that_we_are_ready() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let s = Systemd::new(Some(path.into_os_string()), Some("30000000"));
        assert_eq!(s.ping_every(), Some(Duration::from_secs(15)));
        s.ready("3 monitors");
        let mut buf = [0; 100];
        let n = manager.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"READY=1\nSTATUS=3 monitors");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let s = Systemd::new(None, Some("30000000"));
        assert_eq!(s.ping_every(), None);
        s.ready("");
    }
}
