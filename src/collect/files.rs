//! Looking at files without ever hanging on them.
//!
//! A system call on a mount whose server is gone returns when it likes. So each look happens on a
//! thread of the blocking pool; a monitor has one look at a time, all monitors together have a bounded
//! number, and whoever does not get its turn soon says so instead of waiting with another thread.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};

use crate::base::outcome::{Outcome, Verdict};
use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::mask::Mask;
use crate::collect::trace::Trace;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Looks at a time, of all monitors. Each occupies a thread while a mount hangs.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(32)));
/// Those at what other monitors need to ask at all: files that are watched take no turn from them.
static TURNS_AT_CREDENTIALS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(32)));

/// How long a look waits for others to end: on a file system that answers, many do within that.
const WAITS: Duration = Duration::from_millis(500);
/// How long others wait for what a file says: one that answers at all does within that.
const SOON: Duration = Duration::from_secs(1);
/// How long a look that was given up may take to notice.
const ENDS: Duration = Duration::from_millis(200);
/// Entries of directories that one pattern looks at.
pub const MAX_ENTRIES: usize = 100_000;
/// Files of one pattern that are read.
pub const MAX_FILES: usize = 10_000;

/// The right of one monitor to look: once at a time.
#[derive(Clone, Debug)]
pub struct Looks {
    own: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Looks {
    fn default() -> Self {
        Self { own: Arc::new(Semaphore::new(1)), turns: Arc::clone(&TURNS) }
    }
}

/// Tells a look that nobody waits for it any longer.
#[derive(Clone, Debug, Default)]
pub struct Given(Arc<AtomicBool>);

impl Given {
    /// Whether to stop.
    pub fn up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives the look up when the probe is dropped.
struct OnDrop(Given);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Looks {
    /// At what a request needs before it can be sent.
    pub fn at_credentials() -> Self {
        Self { turns: Arc::clone(&TURNS_AT_CREDENTIALS), ..Self::default() }
    }

    /// Runs `look` off the async threads, and gives it up soon: for files of ours, without which nobody can be asked. A
    /// probe that waited for one to its deadline would blame its target.
    ///
    /// # Errors
    /// The file system does not answer, or does not take one more look. Always a fault of this machine: the file is not
    /// what is watched.
    pub async fn run_soon<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Given) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let local = |why: &str| Fault::local("local_files", why);
        let ended = timeout(SOON, self.run(look)).await.map_err(|_| local("the file system does not answer"))?;
        ended.map_err(|fault| local(fault.message()))
    }

    /// Runs `look` off the async threads.
    ///
    /// # Errors
    /// The look before this one still hangs, or too many others do.
    pub async fn run<T: Send + 'static>(&self, look: impl FnOnce(&Given) -> T + Send + 'static) -> Result<T, Fault> {
        // One that was given up ends by itself, if the file system answers.
        let Ok(Ok(own)) = timeout(ENDS, Arc::clone(&self.own).acquire_owned()).await else {
            let message = "an earlier look at this path has not returned: the file system does not answer";
            return Err(Fault::timeout(message));
        };
        let Ok(Ok(turn)) = timeout(WAITS, Arc::clone(&self.turns).acquire_owned()).await else {
            let message = "no turn at the file system: the looks of many monitors have not returned";
            return Err(Fault::local("local_files", message));
        };
        let given = OnDrop(Given::default());
        let told = given.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the probe: a probe that is dropped leaves the look running.
            let _held = (own, turn);
            look(&told)
        });
        done.await.map_err(|e| Fault::local("local_files", format!("the look did not run: {e}")))
    }
}

/// A path, or a pattern of paths: `*` and `?` stand for anything but `/`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    path: PathBuf,
    /// The components that hold a wildcard and all that follow; none for a plain path.
    rest: Vec<String>,
    /// Entries to look at.
    limit: usize,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A reference in the path may have resolved to a secret.
        f.debug_struct("Pattern").field("wild", &!self.rest.is_empty()).finish_non_exhaustive()
    }
}

impl Pattern {
    /// Takes an absolute path apart.
    pub fn new(text: &str) -> Self {
        let is_wild = |part: &str| part.contains(['*', '?']);
        let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty()).collect();
        let plain = parts.iter().position(|p| is_wild(p)).unwrap_or(parts.len());
        let mut path = PathBuf::from("/");
        path.extend(&parts[..plain]);
        let rest = parts[plain..].iter().map(|p| (*p).to_owned()).collect();
        Self { path, rest, limit: MAX_ENTRIES }
    }

    /// Reads an option that names one or several files.
    pub fn read(fields: &mut Fields<'_>, key: &'static str, hint: &str) -> Option<(Self, Text)> {
        let text = fields.need_text(key, hint)?;
        absolute(fields, key, &text)?;
        Some((Self::new(text.value()), text))
    }

    /// Whether it may name several.
    pub fn is_pattern(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Whether this path is one that it may yield.
    pub fn is_above(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    /// The paths that exist, sorted; `false` beside them when not all were looked at: each matches, but others may, too.
    ///
    /// # Errors
    /// A directory above the wildcards cannot be read.
    pub fn expand(&self, given: &Given) -> io::Result<(Vec<PathBuf>, bool)> {
        let (mut found, mut whole, mut seen) = (vec![self.path.clone()], true, 0);
        for (depth, part) in self.rest.iter().enumerate() {
            let mut next = Vec::new();
            'listing: for dir in &found {
                if !part.contains(['*', '?']) {
                    next.push(dir.join(part));
                    continue;
                }
                let entries = match std::fs::read_dir(dir) {
                    Ok(entries) => entries,
                    // What lies beside need not be a directory, or readable.
                    Err(_) if depth > 0 => continue,
                    Err(e) => return Err(e),
                };
                for entry in entries {
                    seen += 1;
                    if seen > self.limit || given.up() {
                        whole = false;
                        break 'listing;
                    }
                    let entry = entry?;
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    // As shells do: what begins with a dot is named or not meant.
                    let hidden = name.starts_with('.') && !part.starts_with('.');
                    if !hidden && matches(part, &name) {
                        next.push(entry.path());
                    }
                }
            }
            found = next;
        }
        if self.rest.last().is_some_and(|part| !part.contains(['*', '?'])) {
            found.retain(|path| !given.up() && path.symlink_metadata().is_ok());
        }
        found.sort_unstable();
        Ok((found, whole))
    }
}

/// Reports a path that depends on where the service was started.
pub fn absolute(fields: &Fields<'_>, key: &str, text: &Text) -> Option<()> {
    if text.value().contains('\0') {
        fields.error(text.span, Code::BadValue, format!("`{key}` holds a NUL byte"), "remove it");
        return None;
    }
    if !text.value().starts_with('/') {
        let message = format!("`{key}` is `{}`, which is not an absolute path", text.shown());
        fields.error(text.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
        return None;
    }
    Some(())
}

/// Whether `name` is what `pattern` describes. Time grows with the product of both lengths, no faster.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // The last `*` takes one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Opens a regular file to read it: never waits for the other end of a pipe, and follows a link at the path's
/// end only if `follow`.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub fn open(path: &Path, follow: bool) -> io::Result<(File, Metadata)> {
    let mut flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    flags.set(OFlag::O_NOFOLLOW, !follow);
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let facts = file.metadata()?;
    match facts.is_file() {
        true => Ok((file, facts)),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// Reads a regular file of at most `max` bytes: not more of it, even if it grows meanwhile.
///
/// # Errors
/// As of [`open`], or it is larger: [`io::ErrorKind::FileTooLarge`].
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let (file, facts) = open(path, true)?;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {} KiB", max >> 10));
    if facts.len() > max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// One probe of a kind that looks at files: the phase `read`. `judge` gets what was found, or the fault.
pub async fn probe<T: Send + 'static>(
    cx: &ProbeCx,
    looks: &Looks,
    (shown, mask): (&str, &Mask),
    look: impl FnOnce(&Given) -> Result<T, Fault> + Send + 'static,
    judge: impl FnOnce(Result<T, Fault>) -> Outcome,
) -> Outcome {
    let mut trace = Trace::start();
    trace.begin("read");
    let look = looks.run(look);
    let ended = timeout_at(cx.deadline, async {
        // What is polled before the clock would be in time though there was none.
        if cx.remaining().is_zero() {
            std::future::pending::<()>().await;
        }
        look.await.and_then(|found| found)
    });
    let ended = ended.await;
    let found = trace.settle(ended, cx.deadline);
    match &found {
        Ok(_) => trace.end(),
        Err(_) => trace.fail(),
    }
    let mut outcome = judge(found);
    if outcome.verdict != Verdict::Up {
        outcome.evidence.get_or_insert_default().items.insert(0, ("path".into(), shown.to_owned()));
    }
    outcome.phases = trace.take_phases();
    mask.hide_in(&mut outcome);
    outcome
}

/// The fault of a path that cannot be looked at.
pub fn path_fault(doing: &str, path: &Path, err: &io::Error) -> Fault {
    let fault = Fault::io(&format!("{doing} `{}`", path.display()), err);
    match err.kind() {
        io::ErrorKind::NotFound => Fault::target("absent", format!("`{}` does not exist", path.display())),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        #[track_caller]
        fn check(pattern: &str, name: &str, want: bool) {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
        check("*", "", true);
        check("a*c", "abc", true);
        check("a*c", "abcd", false);
        check("*.sql.gz", "shop-2026.sql.gz", true);
        check("?", "é", true);
        check("a?", "a", false);
        check("a**b*", "axxb", true);
        let (evil, long) = ("*a".repeat(40), "b".repeat(255));
        check(&evil, &long, false);
    }

    #[test]
    fn patterns_name_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x.log", "a/.hidden.log", "b/x.log", "b/y.txt"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let expand = |text: &str| {
            let pattern = Pattern::new(&format!("{}/{text}", dir.path().display()));
            let (found, whole) = pattern.expand(&Given::default()).unwrap();
            assert!(whole);
            found.iter().map(|p| p.strip_prefix(dir.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(expand("*/x.log"), ["a/x.log", "b/x.log"]);
        assert_eq!(expand("?/*.log"), ["a/x.log", "b/x.log"]);
        assert_eq!(expand("*/y.txt"), ["b/y.txt"]);
        assert_eq!(expand("a/.*"), ["a/.hidden.log"]);
        assert!(expand("*/none").is_empty());
        assert!(Pattern::new("/no/such/*").expand(&Given::default()).is_err());
    }

    #[test]
    fn beyond_the_limit_nothing_is_named_that_does_not_match_to_the_end() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..20 {
            std::fs::write(dir.path().join(format!("f{i}")), "").unwrap();
        }
        let count = |text: &str, limit: usize| {
            let pattern = Pattern { limit, ..Pattern::new(&format!("{}/{text}", dir.path().display())) };
            let (found, whole) = pattern.expand(&Given::default()).unwrap();
            (found.len(), whole)
        };
        assert_eq!(count("*", 20), (20, true));
        assert_eq!(count("*", 10), (10, false));
        for inner in ["*/done.ok", "*/*", "*/*/x"] {
            assert_eq!(count(inner, 10), (0, false), "{inner}");
        }
    }

    #[test]
    fn no_more_of_a_file_is_read_than_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap(), [7; 10]);
        assert_eq!(read(&path, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        // It has no size beforehand, and would never end.
        assert!(read(Path::new("/dev/zero"), 10).is_err());
        assert_eq!(read(Path::new("/proc/self/maps"), 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let pipe = dir.path().join("p");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&pipe, 10).is_err());
    }

    #[tokio::test]
    async fn a_look_that_others_wait_for_is_given_up_soon() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let looks = Looks::at_credentials();
        let given_up = looks.run_soon(move |_| wait.recv().is_err()).await.unwrap_err();
        assert_eq!(given_up.class(), "local_files");
        // The next one finds it hanging: no fault of the target either.
        let refused = looks.run_soon(|_| 1).await.unwrap_err();
        assert_eq!((refused.class(), refused.is_local()), ("local_files", true));
        drop(release);
        assert_eq!(looks.run_soon(|_| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_look_that_hangs_keeps_one_thread_however_often_it_is_repeated() {
        let looks = Looks::default();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let mut first = Box::pin(looks.run(move |_| wait.recv().is_err()));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        let second = looks.run(|_| ()).await.unwrap_err();
        assert_eq!(second.class(), "timeout");
        drop(release);
    }
}
