//! Sizes of mounted file systems, asked where a hanging mount does no harm.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::statvfs::{FsFlags, statvfs};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::base::outcome::Sample;
use crate::collect::metric::Metric;

/// What is told of them.
pub const METRICS: &[Metric] = &[
    Metric::gauge("node_filesystem_size_bytes", "How much a file system can hold"),
    Metric::gauge("node_filesystem_free_bytes", "Room that is left in a file system, what only root may fill included"),
    Metric::gauge("node_filesystem_avail_bytes", "Room that is left in a file system for everybody"),
    Metric::gauge("node_filesystem_files", "How many files a file system can hold"),
    Metric::gauge("node_filesystem_files_free", "How many more files a file system can hold"),
    Metric::gauge("node_filesystem_readonly", "1 where nothing can be written to a file system"),
    Metric::gauge(
        "node_filesystem_device_error",
        "1 where a file system's size cannot be read, or is not told in time",
    ),
];

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

/// Threads of one monitor that may ask: all but one may hang in a mount each.
const MAX_THREADS: usize = 4;
/// The part of the time that one thread has before what it asks is taken for stuck.
const PATIENCE: u32 = 3;

/// The right to ask, within few threads, so that a hanging mount costs one and not one per probe; and what hangs in
/// mounts, which nobody else asks.
#[derive(Debug)]
pub struct Filesystems {
    turns: Arc<Semaphore>,
    /// The work of threads that were given up. Leaf data, locked for a look or a change, and never with one of them.
    stuck: Mutex<Vec<Arc<Mutex<Asking>>>>,
}

impl Default for Filesystems {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(MAX_THREADS)), stuck: Mutex::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Debug, Default)]
pub struct Usage {
    done: Vec<Answered>,
    /// Mounts that say that they cannot say.
    failed: Vec<Mount>,
    /// Mounts that have not answered.
    hanging: Vec<Mount>,
}

/// What one thread has come to. Leaf data shared with it, locked for a push or a copy.
#[derive(Debug, Default)]
struct Asking {
    usage: Usage,
    /// Those that it has not begun with, the next one last.
    left: Vec<Mount>,
    /// The one that it asks now.
    now: Option<Mount>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks a file system; nothing where it has no size.
type Ask = fn(Mount) -> Result<Option<Answered>, Mount>;

impl Filesystems {
    /// Asks every local mount, until `deadline`; what has answered by then is in the result.
    pub async fn ask(this: &Arc<Self>, deadline: Instant) -> Usage {
        // A file of `/proc` does not hang.
        Self::ask_these(this, mounts(), ask, deadline).await
    }

    async fn ask_these(this: &Arc<Self>, all: Vec<Mount>, ask: Ask, deadline: Instant) -> Usage {
        let mut usage = Usage::default();
        let stuck = this.still_stuck();
        let (hanging, mut left): (Vec<_>, Vec<_>) =
            all.into_iter().rev().partition(|mount| stuck.contains(&mount.point));
        usage.hanging.extend(hanging);
        while !left.is_empty() && Instant::now() < deadline {
            let Ok(turn) = Arc::clone(&this.turns).try_acquire_owned() else { break };
            let shared = Arc::new(Mutex::new(Asking { left: std::mem::take(&mut left), ..Asking::default() }));
            let asking = Arc::clone(&shared);
            let work = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by the probe.
                let _turn = turn;
                run(&asking, ask);
            });
            let patience = deadline.saturating_duration_since(Instant::now()) / PATIENCE;
            // Late or failed: what is there is there.
            let _ = timeout_at(Instant::now() + patience, work).await;
            let now = {
                let mut asking = lock(&shared);
                usage.done.append(&mut asking.usage.done);
                usage.failed.append(&mut asking.usage.failed);
                left = std::mem::take(&mut asking.left);
                asking.now.clone()
            };
            if let Some(mount) = now {
                lock(&this.stuck).push(shared);
                usage.hanging.push(mount);
            }
        }
        // No thread was left to ask them.
        usage.hanging.append(&mut left);
        usage
    }

    /// The mount points that threads hang on. Those that answer again are forgotten: they are to be asked.
    fn still_stuck(&self) -> BTreeSet<String> {
        let given_up = lock(&self.stuck).clone();
        let (stuck, back): (Vec<_>, Vec<_>) =
            given_up.into_iter().map(|asking| (point(&asking), asking)).partition(|(point, _)| point.is_some());
        lock(&self.stuck).retain(|asking| !back.iter().any(|(_, other)| Arc::ptr_eq(asking, other)));
        stuck.into_iter().filter_map(|(point, _)| point).collect()
    }
}

/// Where a thread is.
fn point(asking: &Mutex<Asking>) -> Option<String> {
    lock(asking).now.as_ref().map(|mount| mount.point.clone())
}

/// The work of one thread: until nothing is left, be it that somebody else has taken it over.
fn run(shared: &Mutex<Asking>, ask: Ask) {
    loop {
        let mount = {
            let mut asking = lock(shared);
            let next = asking.left.pop();
            asking.now.clone_from(&next);
            next
        };
        let Some(mount) = mount else { return };
        let answered = ask(mount);
        let mut asking = lock(shared);
        asking.now = None;
        match answered {
            Ok(answered) => asking.usage.done.extend(answered),
            Err(mount) => asking.usage.failed.push(mount),
        }
    }
}

impl Usage {
    /// The mount point whose writable file system is fullest, with its percentage as `df` shows it.
    pub fn fullest(&self) -> Option<(&str, f64)> {
        let writable = self.done.iter().filter(|a| !a.read_only);
        let used = writable.filter_map(|a| Some((a.mount.point.as_str(), a.used()?)));
        used.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The mount points that did not answer; nothing when all did.
    pub fn hanging(&self) -> Option<String> {
        let points: Vec<&str> = self.hanging.iter().map(|mount| mount.point.as_str()).collect();
        (!points.is_empty()).then(|| points.join(", "))
    }

    /// node_exporter's series.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let troubled = self.failed.iter().chain(&self.hanging).map(|mount| (mount, 1.0));
        for (mount, error) in self.done.iter().map(|a| (&a.mount, 0.0)).chain(troubled) {
            out.push(mount.labels(Sample::new("node_filesystem_device_error", error)));
        }
        for a in &self.done {
            for (name, value) in [
                ("node_filesystem_size_bytes", a.size),
                ("node_filesystem_free_bytes", a.free),
                ("node_filesystem_avail_bytes", a.avail),
                ("node_filesystem_files", a.files),
                ("node_filesystem_files_free", a.files_free),
                ("node_filesystem_readonly", if a.read_only { 1.0 } else { 0.0 }),
            ] {
                out.push(a.mount.labels(Sample::new(name, value)));
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
        for mount in &self.hanging {
            let _ = writeln!(text, "no answer: {}", mount.point);
        }
        text
    }
}

impl Mount {
    fn labels(&self, sample: Sample) -> Sample {
        let sample = sample.label("device", self.device.clone()).label("fstype", self.kind.clone());
        sample.label("mountpoint", self.point.clone())
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

fn ask(mount: Mount) -> Result<Option<Answered>, Mount> {
    let Ok(stat) = statvfs(mount.point.as_str()) else { return Err(mount) };
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
    Ok((answered.size > 0.0).then_some(answered))
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
    use std::sync::Condvar;

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

    /// Whether mounts hang: those that do wait here.
    static HANGING: (Mutex<bool>, Condvar) = (Mutex::new(true), Condvar::new());

    fn fake(mount: Mount) -> Result<Option<Answered>, Mount> {
        if mount.point.starts_with("/hangs") {
            drop(HANGING.1.wait_while(lock(&HANGING.0), |hanging| *hanging).unwrap());
        }
        if mount.point == "/fails" {
            return Err(mount);
        }
        let (size, free, avail) = (100.0, 50.0, 50.0);
        Ok(Some(Answered { mount, size, free, avail, files: 0.0, files_free: 0.0, read_only: false }))
    }

    fn these(points: &[&str]) -> Vec<Mount> {
        let one = |point: &&str| Mount { device: "d".into(), point: (*point).to_owned(), kind: "ext4".into() };
        points.iter().map(one).collect()
    }

    #[tokio::test]
    async fn a_mount_that_hangs_costs_a_thread_and_no_other_mount_its_answer() {
        let all = Arc::new(Filesystems::default());
        let round = async |points: &[&str]| {
            let deadline = Instant::now() + std::time::Duration::from_secs(3);
            let usage = Filesystems::ask_these(&all, these(points), fake, deadline).await;
            let mut samples = Vec::new();
            usage.samples(&mut samples);
            let told: Vec<String> = samples
                .iter()
                .filter(|s| matches!(&*s.name, "node_filesystem_device_error" | "node_filesystem_size_bytes"))
                .map(|s| format!("{} {} {}", &s.name[16..], s.labels[2].1, s.value))
                .collect();
            (told, usage.hanging())
        };
        let want = [
            "device_error /a 0",
            "device_error /b 0",
            "device_error /fails 1",
            "device_error /hangs 1",
            "size_bytes /a 100",
            "size_bytes /b 100",
        ];
        for _ in 0..3 {
            let (told, hanging) = round(&["/a", "/hangs", "/b", "/fails"]).await;
            assert_eq!((told.as_slice(), hanging.as_deref()), (want.map(String::from).as_slice(), Some("/hangs")));
            assert_eq!(all.turns.available_permits(), MAX_THREADS - 1, "one thread, however often it is asked");
        }
        // More of them than threads: the rest is told, not waited for.
        let more = ["/hangs1", "/hangs2", "/hangs3", "/hangs4", "/a"];
        drop(round(&more).await);
        assert_eq!(all.turns.available_permits(), 0);
        assert!(round(&more).await.1.unwrap().contains("/a"));
        *lock(&HANGING.0) = false;
        HANGING.1.notify_all();
        // They answer again: the threads come back, and all is asked.
        let back = Arc::clone(&all.turns).acquire_many_owned(u32::try_from(MAX_THREADS).unwrap()).await.unwrap();
        drop(back);
        assert_eq!(round(&more).await.1, None);
    }
}
