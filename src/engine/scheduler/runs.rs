//! The runs under way, whose ends are learned of many at a time.
//!
//! A run's end is one entry in a list that is taken as a whole. A `JoinSet` would lock and wake for each, and copy each
//! task's memory once more to read a result that nobody needs: a tenth of what a ping costs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::engine::scheduler::entries::Place;

/// All runs under way.
#[derive(Debug, Default)]
pub(super) struct Runs {
    tasks: TaskTracker,
    ends: Arc<Ends>,
}

/// A run under way; dropped, it is aborted.
#[derive(Debug)]
pub(super) struct Run(AbortHandle);

/// A run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) place: Place,
    /// Outside of its collector, whose panics the runner catches.
    pub(super) panicked: bool,
}

#[derive(Debug, Default)]
struct Ends {
    list: Mutex<List>,
    news: Notify,
}

#[derive(Debug, Default)]
struct List {
    ended: Vec<Ended>,
    /// Somebody waits for the next one.
    awaited: bool,
}

/// Notes the end of a run, however it ends, by being dropped then: it belongs into the run.
pub(super) struct Note {
    ends: Arc<Ends>,
    place: Place,
}

impl Drop for Note {
    fn drop(&mut self) {
        let mut list = self.ends.list();
        list.ended.push(Ended { place: self.place, panicked: std::thread::panicking() });
        if list.awaited {
            self.ends.news.notify_one();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ends {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    /// Starts one for the monitor at this place. It holds its note itself: another future around it would need its
    /// memory twice.
    pub(super) fn start<F>(&self, place: Place, work: impl FnOnce(Note) -> F) -> Run
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let note = Note { ends: Arc::clone(&self.ends), place };
        Run(self.tasks.spawn(work(note)).abort_handle())
    }

    /// Takes those that ended; leaves `into`, which is empty, in their place. `awaited`: the next ends are told by
    /// [`ended`](Self::ended).
    pub(super) fn take(&self, into: &mut Vec<Ended>, awaited: bool) {
        let mut list = self.ends.list();
        list.awaited = awaited;
        std::mem::swap(&mut list.ended, into);
    }

    /// From now on ends are told, also one that nobody has taken yet.
    pub(super) fn wait(&self) {
        let mut list = self.ends.list();
        list.awaited = true;
        if !list.ended.is_empty() {
            self.ends.news.notify_one();
        }
    }

    /// Waits for an end, while they are told. Cancel-safe.
    pub(super) async fn ended(&self) {
        self.ends.news.notified().await;
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until none is under way; none may be started any more.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
