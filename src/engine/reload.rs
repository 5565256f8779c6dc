//! Keeps the running configuration equal to the files: load, check, diff, then hand out the new one.
//!
//! The only writer of the configuration. It runs when the watcher nudges, every 30 s in case nobody
//! watches, and when asked; loading is idempotent, so a nudge too many costs a look at the files'
//! times. What no longer stands on disk keeps its last good form (`config::load` sees to it); a tree
//! that vanishes as a whole is not believed at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::config::catalog::Catalog;
use crate::config::diff::{Diff, diff};
use crate::config::fields::Resolver;
use crate::config::load::{Loaded, load};
use crate::config::model::Config;
use crate::engine::handle::EngineError;
use crate::engine::metrics::Metrics;
use crate::engine::watcher::{FOLDERS, Watcher};
use crate::wire::api::{ConfigStatus, Level, Problem, Reloaded};

/// Files are read once no event came for this long …
const QUIET: Duration = Duration::from_millis(150);
/// … or, under steady writing, this long after the first.
const LONGEST: Duration = Duration::from_millis(1_000);
/// Without any event, files are looked at this often.
const RESCAN: Duration = Duration::from_secs(30);
/// While the directory itself is away, this often.
const AWAY: Duration = Duration::from_secs(1);
/// A `git` that is at work is waited for, but not longer than this.
const GIT_PATIENCE: Duration = Duration::from_secs(30);
/// Losing more than half of at least this many monitors at once is held back …
const GUARDED: usize = 10;
/// … for this long, in case the files come back.
const HOLD: Duration = Duration::from_secs(60);

/// What loading needs.
#[derive(Clone)]
pub struct Sources {
    /// The configuration directory, absolute.
    pub dir: PathBuf,
    /// The kinds that exist.
    pub catalog: Arc<dyn Catalog>,
    /// Resolves `${…}`.
    pub resolver: Arc<dyn Resolver>,
}

impl Sources {
    /// Loads the directory, reusing what `previous` knows. Blocking: reads files.
    pub fn load(&self, previous: Option<&Loaded>) -> Loaded {
        load(&self.dir, self.catalog.as_ref(), self.resolver.as_ref(), previous)
    }
}

/// A configuration that is to run now.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The configuration.
    pub config: Arc<Config>,
    /// What is loaded and what is wrong with it.
    pub status: Arc<ConfigStatus>,
}

/// Errors in the files, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// How many.
    pub errors: usize,
    /// The first: where and what. Untrusted.
    pub first: String,
}

impl Faults {
    /// Those of `status`; `None` when it has no errors.
    pub fn of(status: &ConfigStatus) -> Option<Self> {
        let mut errors = status.problems.iter().filter(|p| p.level == Level::Error);
        let p = errors.next()?;
        let place = if p.line > 0 { format!("{}:{}:{}", p.file, p.line, p.column) } else { p.file.clone() };
        Some(Self { errors: 1 + errors.count(), first: format!("{place}: {}", p.message) })
    }
}

/// A request to load now; the answer comes when the result runs.
pub type ReloadRequest = oneshot::Sender<Result<Reloaded, EngineError>>;

/// The actor.
pub struct Reloader {
    clock: Clock,
    metrics: Arc<Metrics>,
    sources: Sources,
    loaded: Arc<Loaded>,
    out: watch::Sender<Applied>,
    /// Since when a loss of most monitors has been held back.
    held: Option<Instant>,
    last_problems: usize,
}

/// The description of what `loaded` says, as the API gives it.
pub fn status_of(loaded: &Loaded, clock: &Clock) -> ConfigStatus {
    ConfigStatus {
        dir: loaded.dir.display().to_string(),
        loaded: clock.now(),
        files: loaded.files,
        monitors: loaded.config.monitors.values().filter(|m| !m.paused).count(),
        stale: loaded.stale.iter().map(ToString::to_string).collect(),
        problems: loaded.problems.clone(),
    }
}

impl Reloader {
    /// Starts from what was loaded first. The receiver always holds the configuration that runs.
    pub fn new(
        clock: Clock,
        metrics: Arc<Metrics>,
        sources: Sources,
        first: Loaded,
    ) -> (Self, watch::Receiver<Applied>) {
        let applied = Applied { config: Arc::clone(&first.config), status: Arc::new(status_of(&first, &clock)) };
        let (out, receiver) = watch::channel(applied);
        let mut reloader = Self { clock, metrics, sources, loaded: Arc::new(first), out, held: None, last_problems: 0 };
        reloader.count();
        (reloader, receiver)
    }

    /// Works until `stop`. `requests` full: the asker is refused (see `Handle::reload`).
    pub async fn run(mut self, mut requests: mpsc::Receiver<ReloadRequest>, stop: CancellationToken) {
        let (mut watcher, mut nudges) = Watcher::new(&self.sources.dir);
        // What was saved between the first load and the first watch.
        self.reload(false).await;
        loop {
            let wait = self.next_look();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(request) = requests.recv() => {
                    // Requests that wait already are answered by the same load.
                    let mut askers = vec![request];
                    while let Ok(more) = requests.try_recv() {
                        askers.push(more);
                    }
                    let reloaded = self.reload(true).await;
                    for asker in askers {
                        let _ = asker.send(Ok(reloaded.clone()));
                    }
                }
                Some(()) = nudges.recv() => {
                    if stop.run_until_cancelled(self.settle(&mut nudges)).await.is_none() {
                        return;
                    }
                    self.reload(false).await;
                }
                () = time::sleep_until(wait) => {
                    self.reload(false).await;
                }
            }
            while watcher.arm() {
                self.reload(false).await;
            }
        }
    }

    /// When to load although nobody asks. A hold that is over and still stands (the directory stays
    /// away) is looked at no more often than anything else.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        if !self.sources.dir.is_dir() {
            // Nothing is left to be watched until it is back.
            return now + AWAY;
        }
        let rescan = now + RESCAN;
        self.held.map(|since| since + HOLD).filter(|over| *over > now).map_or(rescan, |over| over.min(rescan))
    }

    /// Waits until the writing stops.
    async fn settle(&self, nudges: &mut mpsc::Receiver<()>) {
        let latest = Instant::now() + LONGEST;
        while let Ok(Some(())) = time::timeout_at((Instant::now() + QUIET).min(latest), nudges.recv()).await {
            if Instant::now() >= latest {
                break;
            }
        }
        let patience = Instant::now() + GIT_PATIENCE;
        while git_at_work(&self.sources.dir) && Instant::now() < patience {
            time::sleep(QUIET).await;
        }
    }

    async fn reload(&mut self, asked: bool) -> Reloaded {
        let (sources, previous) = (self.sources.clone(), Arc::clone(&self.loaded));
        let work = tokio::task::spawn_blocking(move || sources.load(Some(&previous)));
        let Ok(loaded) = work.await else {
            tracing::error!("loading the configuration crashed; the running one stays");
            return Reloaded { problems: self.loaded.problems.clone(), ..Reloaded::default() };
        };
        let diff = diff(&self.loaded.config, &loaded.config);
        let was_held = self.held.is_some();
        if let Some(why) = self.holds_back(&diff, asked) {
            let mut status = status_of(&self.loaded, &self.clock);
            status.problems.push(held_back(why, diff.removed.len()));
            let problems = status.problems.clone();
            if !was_held {
                tracing::warn!(why, removed = diff.removed.len(), "most monitors vanished; they run on for now");
                self.metrics.config_ok.set(0);
                let config = Arc::clone(&self.loaded.config);
                self.out.send_replace(Applied { config, status: Arc::new(status) });
            }
            return Reloaded { unchanged: self.loaded.config.monitors.len(), problems, ..Reloaded::default() };
        }
        self.held = None;
        let reloaded = Reloaded {
            added: diff.added.iter().map(ToString::to_string).collect(),
            changed: diff.changed.iter().map(ToString::to_string).collect(),
            removed: diff.removed.iter().map(ToString::to_string).collect(),
            unchanged: diff.unchanged,
            problems: loaded.problems.clone(),
        };
        let same = diff.is_empty() && loaded.problems == self.loaded.problems && loaded.stale == self.loaded.stale;
        self.loaded = Arc::new(loaded);
        if same && !was_held {
            if asked {
                // Whoever sent the signal waits for an answer.
                tracing::info!(problems = reloaded.problems.len(), "configuration loaded: nothing changed");
            }
            return reloaded;
        }
        self.metrics.reloads.inc();
        self.count();
        tracing::info!(
            added = reloaded.added.len(),
            changed = reloaded.changed.len(),
            removed = reloaded.removed.len(),
            unchanged = reloaded.unchanged,
            problems = reloaded.problems.len(),
            "configuration loaded"
        );
        let status = Arc::new(status_of(&self.loaded, &self.clock));
        self.out.send_replace(Applied { config: Arc::clone(&self.loaded.config), status });
        reloaded
    }

    /// Why a load that loses most monitors is not applied yet.
    fn holds_back(&mut self, diff: &Diff, asked: bool) -> Option<&'static str> {
        let had = self.loaded.config.monitors.len();
        if diff.removed.len() * 2 <= had {
            return None;
        }
        let since = *self.held.get_or_insert_with(Instant::now);
        if !self.sources.dir.join(FOLDERS[0]).is_dir() {
            return Some("the directory is gone");
        }
        let waited = since.elapsed() >= HOLD;
        (had >= GUARDED && !asked && !waited).then_some("the folder lost more than half of its monitors")
    }

    fn count(&mut self) {
        let errors: Vec<_> = self.loaded.problems.iter().filter(|p| p.level == Level::Error).collect();
        self.metrics.config_ok.set(i64::from(errors.is_empty()));
        self.metrics.config_problems.set(i64::try_from(errors.len()).unwrap_or(i64::MAX));
        self.metrics.config_loaded.set(self.clock.now().millis() as f64 / 1e3);
        if errors.len() != self.last_problems {
            for p in errors.iter().take(20) {
                tracing::warn!(file = %p.file, line = p.line, column = p.column, code = %p.code, "{}", p.message);
            }
            self.last_problems = errors.len();
        }
    }
}

/// Tells whoever looks at the files' problems why what is on disk does not run.
fn held_back(why: &str, removed: usize) -> Problem {
    Problem {
        level: Level::Error,
        code: "W012".to_owned(),
        file: FOLDERS[0].to_owned(),
        line: 0,
        column: 0,
        length: 1,
        message: format!("{why}: what it held runs on (monitors: {removed})"),
        hint: "put the files back; if the monitors are to go, keep the folder and run `watchdog reload`".to_owned(),
        snippet: String::new(),
    }
}

/// Whether git holds the index of the work tree that `dir` belongs to: a checkout is half done.
fn git_at_work(dir: &Path) -> bool {
    dir.ancestors().find(|d| d.join(".git").is_dir()).is_some_and(|d| d.join(".git/index.lock").exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolve::FromSystem;
    use crate::engine::kinds::Kinds;

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_stays_away_is_looked_for_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("monitors.d");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.yaml"), "monitors: [{name: m, type: script, command: [\"true\"]}]").unwrap();
        let resolver = Arc::new(FromSystem::new(dir.path()));
        let sources = Sources { dir: dir.path().to_owned(), catalog: Arc::new(Kinds), resolver };
        let first = sources.load(None);
        assert_eq!(first.config.monitors.len(), 1);
        let (mut reloader, config) = Reloader::new(Clock::system(), Arc::default(), sources, first);
        std::fs::rename(&folder, dir.path().join("away")).unwrap();
        for _ in 0..5 {
            reloader.reload(false).await;
            assert_eq!(config.borrow().config.monitors.len(), 1);
            let wait = reloader.next_look() - Instant::now();
            assert!(wait >= Duration::from_secs(5) && wait <= RESCAN, "{wait:?}");
            time::advance(Duration::from_secs(25)).await;
            let faults = Faults::of(&config.borrow().status).unwrap();
            assert_eq!(faults.first, "monitors.d: the directory is gone: what it held runs on (monitors: 1)");
        }
        std::fs::rename(dir.path().join("away"), &folder).unwrap();
        reloader.reload(false).await;
        assert_eq!(Faults::of(&config.borrow().status), None);
    }
}
