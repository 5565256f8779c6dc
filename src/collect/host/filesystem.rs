//! Sizes of mounted file systems, asked where a hanging mount does no harm.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::statvfs::{FsFlags, statvfs};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::base::outcome::Sample;

/// Mounts looked at; a machine with more is a container host gone wild.
const MAX_MOUNTS: usize = 512;

/// node_exporter's default: what holds no files of anybody's.
const SKIPPED_TYPES: [&str; 23] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// A server that is gone makes these hang for minutes; monitor the server instead.
const REMOTE_TYPES: [&str; 11] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "afs", "lustre", "ncpfs"];

/// The right to ask: one thread at a time, so that a hanging mount costs one thread and not one per probe.
#[derive(Debug)]
pub struct Filesystems(Arc<Semaphore>);

impl Default for Filesystems {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

#[derive(Clone, Debug)]
struct Mount {
    device: String,
    point: String,
    kind: String,
}

#[derive(Clone, Debug)]
struct Answered {
    mount: Mount,
    size: f64,
    free: f64,
    avail: f64,
    files: f64,
    files_free: f64,
    read_only: bool,
}

/// What is known when the time is up.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    done: Vec<Answered>,
    /// The mount that is being asked.
    asking: Option<String>,
}

impl Filesystems {
    /// Asks every local mount, until `deadline`; what has answered by then is in the result.
    pub async fn ask(this: &Arc<Self>, deadline: Instant) -> Usage {
        let Ok(turn) = Arc::clone(&this.0).try_acquire_owned() else {
            return Usage { done: Vec::new(), asking: Some("a mount asked earlier".to_owned()) };
        };
        // Leaf data shared with the thread, locked for a push or a copy.
        let shared = Arc::new(Mutex::new(Usage::default()));
        let writer = Arc::clone(&shared);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            for mount in mounts() {
                writer.lock().unwrap_or_else(PoisonError::into_inner).asking = Some(mount.point.clone());
                let answered = ask(mount);
                let mut usage = writer.lock().unwrap_or_else(PoisonError::into_inner);
                usage.asking = None;
                usage.done.extend(answered);
            }
        });
        // Late or failed: what is there is there.
        let _ = timeout_at(deadline, work).await;
        let usage = shared.lock().unwrap_or_else(PoisonError::into_inner);
        usage.clone()
    }
}

impl Usage {
    /// The mount point whose writable file system is fullest, with its percentage as `df` shows it.
    pub fn fullest(&self) -> Option<(&str, f64)> {
        let writable = self.done.iter().filter(|a| !a.read_only);
        let used = writable.filter_map(|a| Some((a.mount.point.as_str(), a.used()?)));
        used.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// A mount that did not answer.
    pub fn hanging(&self) -> Option<&str> {
        self.asking.as_deref()
    }

    /// node_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for a in &self.done {
            for (name, value) in [
                ("node_filesystem_size_bytes", a.size),
                ("node_filesystem_free_bytes", a.free),
                ("node_filesystem_avail_bytes", a.avail),
                ("node_filesystem_files", a.files),
                ("node_filesystem_files_free", a.files_free),
                ("node_filesystem_readonly", if a.read_only { 1.0 } else { 0.0 }),
            ] {
                let sample = Sample::new(name, value).label("device", a.mount.device.clone());
                out.push(sample.label("fstype", a.mount.kind.clone()).label("mountpoint", a.mount.point.clone()));
            }
        }
    }

    /// Lines for a person, as `df` writes them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for a in self.done.iter().take(40) {
            let gib = |v: f64| v / f64::from(1 << 30);
            let used = a.used().unwrap_or(0.0);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{used:>3.0}% of {:>8.1} GiB  {}", gib(a.size), a.mount.point);
        }
        if let Some(point) = &self.asking {
            let _ = writeln!(text, "no answer: {point}");
        }
        text
    }
}

impl Answered {
    /// Reserved blocks count neither as used nor as available.
    fn used(&self) -> Option<f64> {
        let used = self.size - self.free;
        (used + self.avail > 0.0).then(|| used * 100.0 / (used + self.avail))
    }
}

fn mounts() -> Vec<Mount> {
    let mut seen = BTreeSet::new();
    let all = procfs::mounts().unwrap_or_default().into_iter();
    all.map(|m| Mount { device: unescape(&m.fs_spec), point: unescape(&m.fs_file), kind: m.fs_vfstype })
        .filter(|m| is_wanted(&m.point, &m.kind))
        .filter(|m| seen.insert((m.device.clone(), m.point.clone())))
        .take(MAX_MOUNTS)
        .collect()
}

/// The root is wanted even in a container, where it is an overlay.
fn is_wanted(point: &str, kind: &str) -> bool {
    if REMOTE_TYPES.contains(&kind) || kind.starts_with("fuse.") {
        return false;
    }
    if point == "/" {
        return true;
    }
    let below = |dir: &str| point == dir || point.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    let inside = |dir: &str| point.strip_prefix(dir).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    !SKIPPED_TYPES.contains(&kind)
        && kind != "selinuxfs"
        && !["/dev", "/proc", "/sys"].into_iter().any(below)
        && !["/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"].into_iter().any(inside)
}

fn ask(mount: Mount) -> Option<Answered> {
    let stat = statvfs(mount.point.as_str()).ok()?;
    let unit = stat.fragment_size() as f64;
    let answered = Answered {
        size: stat.blocks() as f64 * unit,
        free: stat.blocks_free() as f64 * unit,
        avail: stat.blocks_available() as f64 * unit,
        files: stat.files() as f64,
        files_free: stat.files_free() as f64,
        read_only: stat.flags().contains(FsFlags::ST_RDONLY),
        mount,
    };
    (answered.size > 0.0).then_some(answered)
}

/// The kernel writes blanks and backslashes in names as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\\'
            && let Some(digits) = after.get(..3)
            && let Some(code) = std::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, 8).ok())
        {
            out.push(code);
            rest = &after[3..];
        } else {
            out.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_that_are_asked() {
        for (point, kind) in
            [("/", "ext4"), ("/", "overlay"), ("/home", "xfs"), ("/run", "tmpfs"), ("/var/lib/docker", "ext4")]
        {
            assert!(is_wanted(point, kind), "{point} {kind}");
        }
        for (point, kind) in [
            ("/", "nfs4"),
            ("/mnt", "fuse.sshfs"),
            ("/proc", "proc"),
            ("/dev/shm", "tmpfs"),
            ("/var/lib/docker/overlay2/x/merged", "ext4"),
            ("/snap/x", "squashfs"),
        ] {
            assert!(!is_wanted(point, kind), "{point} {kind}");
        }
    }

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(unescape("/mnt/a\\040b\\134c"), "/mnt/a b\\c");
        assert_eq!(unescape("\\9"), "\\9");
    }

    #[tokio::test]
    async fn a_hanging_mount_costs_one_thread() {
        let all = Arc::new(Filesystems::default());
        let _hanging = Arc::clone(&all.0).acquire_owned().await.unwrap();
        let usage = Filesystems::ask(&all, Instant::now()).await;
        assert!(usage.fullest().is_none());
        assert!(usage.hanging().is_some());
    }
}
