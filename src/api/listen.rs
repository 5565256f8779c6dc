//! Opens the sockets: a Unix socket that only its owner reaches, and loopback TCP.
//!
//! A live server's socket is never taken, a dead one's is replaced, and at the end it is removed only
//! if it is still the one that was made here.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::timeout;

use crate::base::failure::{Failure, Kind};

/// `sun_path` of unix(7) without its terminating zero.
const SOCKET_PATH: usize = 107;

/// Where to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// Path of the Unix socket.
    pub socket: Option<PathBuf>,
    /// TCP address; port 0 takes a free one.
    pub tcp: Option<SocketAddr>,
}

/// Open sockets that nobody answers yet.
#[derive(Debug)]
pub struct Bound {
    pub(super) unix: Option<UnixListener>,
    pub(super) tcp: Option<TcpListener>,
    pub(super) file: Option<SocketFile>,
}

impl Bound {
    /// The TCP address, with the real port.
    pub fn http(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|l| l.local_addr().ok())
    }
}

/// Opens what `listen` names.
///
/// # Errors
/// Another server answers at the socket, the address is not loopback or not free, or the operating
/// system refuses.
pub async fn bind(listen: &Listen) -> Result<Bound, Failure> {
    if let Some(address) = listen.tcp {
        check_listen(address)?;
    }
    let tcp = match listen.tcp {
        None => None,
        Some(address) => Some(TcpListener::bind(address).await.map_err(|e| tcp_failure(address, &e))?),
    };
    let Some(path) = &listen.socket else {
        return Ok(Bound { unix: None, tcp, file: None });
    };
    let (unix, file) = bind_socket(path).await?;
    Ok(Bound { unix: Some(unix), tcp, file: Some(file) })
}

/// Whether `address` may be listened on: loopback only, because whoever reaches it may do everything.
///
/// # Errors
/// It is reachable from other machines.
pub fn check_listen(address: SocketAddr) -> Result<(), Failure> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let message = format!("will not listen on {address}: other machines could reach it, and no users are set up");
    Err(Failure::text(Kind::Usage, message)
        .hint(format!("listen on this machine only: `--listen 127.0.0.1:{}`", address.port()))
        .hint(format!(
            "from elsewhere, tunnel to it: `ssh -L {0}:127.0.0.1:{0} HOST`",
            if address.port() == 0 { 8080 } else { address.port() }
        )))
}

fn tcp_failure(address: SocketAddr, err: &io::Error) -> Failure {
    let failure = Failure::text(Kind::Internal, format!("cannot listen on {address}: {err}"));
    match err.kind() {
        io::ErrorKind::AddrInUse => failure.hint("choose another port, or 0 for a free one"),
        io::ErrorKind::PermissionDenied => failure.hint("ports below 1024 need privileges; choose a higher one"),
        _ => failure,
    }
}

async fn bind_socket(path: &Path) -> Result<(UnixListener, SocketFile), Failure> {
    // It is made under a short name, so the kernel would not notice; but nobody could connect.
    if path.as_os_str().len() > SOCKET_PATH {
        let message = format!("`{}` is longer than the {SOCKET_PATH} bytes of a socket's path", path.display());
        return Err(Failure::text(Kind::Usage, message).hint("choose a shorter one with `--socket`"));
    }
    let refused = |what: &str, err: io::Error| {
        let failure = Failure::text(Kind::Internal, format!("cannot {what} `{}`: {err}", path.display()));
        failure.hint("choose another place with `--socket`")
    };
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| refused("create the directory of", e))?;
    // Between looking at an old socket and replacing it, another server could do the same. The lock
    // is on the directory itself, so nothing is left behind; where it cannot be had we go without.
    let lock = File::open(dir).ok().filter(|d| d.lock().is_ok());
    refuse_live(path).await?;
    // Made under another name and renamed when private: nobody can connect in between.
    let draft = dir.join(format!(".w{:x}-{:04x}", std::process::id(), fastrand::u16(..)));
    let listener = UnixListener::bind(&draft).map_err(|e| refused("make the socket", e))?;
    let placed = fs::set_permissions(&draft, Permissions::from_mode(0o600)).and_then(|()| fs::rename(&draft, path));
    if let Err(e) = placed {
        // The failure is already on its way; a draft that stays is harmless.
        let _ = fs::remove_file(&draft);
        return Err(refused("make the socket", e));
    }
    drop(lock);
    let made = fs::symlink_metadata(path).map_err(|e| refused("read", e))?;
    Ok((listener, SocketFile { path: path.to_owned(), id: (made.dev(), made.ino()) }))
}

/// Fails when a server answers at `path`, or something that is not a socket is there.
async fn refuse_live(path: &Path) -> Result<(), Failure> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        let message = format!("`{}` exists and is not a socket", path.display());
        return Err(Failure::text(Kind::Usage, message).hint("choose another place with `--socket`"));
    }
    // A server too busy to accept within a second is alive, too.
    let answer = timeout(Duration::from_secs(1), UnixStream::connect(path)).await;
    let dead = matches!(&answer, Ok(Err(e))
        if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound));
    if dead {
        return Ok(());
    }
    Err(Failure::text(Kind::InUse, format!("another server answers at `{}`", path.display()))
        .hint("see it with `watchdog status`")
        .hint("run a second one with its own `--socket` and `--data-dir`"))
}

/// The socket in the file system, known by its identity. Dropping it removes the file, unless somebody
/// has put another one in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.id);
        if ours && let Err(e) = fs::remove_file(&self.path) {
            tracing::warn!(error = %e, "the socket was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        #[track_caller]
        fn check(address: &str, ok: bool) {
            assert_eq!(check_listen(address.parse().unwrap()).is_ok(), ok, "{address}");
        }
        check("127.0.0.1:8080", true);
        check("127.9.9.9:0", true);
        check("[::1]:8080", true);
        check("[::ffff:127.0.0.1]:8080", true);
        check("0.0.0.0:8080", false);
        check("[::]:8080", false);
        check("192.0.2.1:8080", false);
        check("[::ffff:192.0.2.1]:8080", false);
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/w.sock");
        let listen = Listen { socket: Some(path.clone()), tcp: None };
        let first = bind(&listen).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = bind(&listen).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::InUse);
        std::mem::forget(first.file);
        drop(first.unix);
        assert!(path.exists(), "as after a crash");
        drop(bind(&listen).await.unwrap());
        assert!(!path.exists());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "no drafts are left");
    }

    #[tokio::test]
    async fn a_path_that_nobody_could_connect_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let listen = Listen { socket: Some(dir.path().join("x".repeat(100))), tcp: None };
        assert_eq!(bind(&listen).await.unwrap_err().kind(), Kind::Usage);
    }

    #[tokio::test]
    async fn what_is_not_our_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.sock");
        fs::write(&path, "precious").unwrap();
        let listen = Listen { socket: Some(path.clone()), tcp: None };
        assert_eq!(bind(&listen).await.unwrap_err().kind(), Kind::Usage);
        fs::remove_file(&path).unwrap();
        let bound = bind(&listen).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
