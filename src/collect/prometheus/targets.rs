//! The targets of a job, from round to round: those that are scraped, those that are gone, those that were dropped.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::scraped::{ScrapeJob, Targets};
use crate::base::time::Timestamp;
use crate::collect::prometheus::discover::Discovery;
use crate::collect::prometheus::job::Job;
use crate::collect::prometheus::target::Target;

/// A target that is gone for so many rounds will not come back: its series end.
const ROUNDS_UNTIL_GONE: u32 = 2;
/// What was found and cannot be scraped, and is remembered for people.
const MOST_REFUSED: usize = 50;
/// Up to so many targets are worked out in place (a few ms).
const IN_PLACE: usize = 500;
/// Dropped targets that are remembered for people.
const MOST_DROPPED: usize = 1_000;

/// What makes two targets the same target.
type Key = (String, Labels);
/// A target of the round before, and since when and for how many rounds it is not found, if so.
type Before = (Arc<Target>, Option<(Timestamp, u32)>);

/// A job and its targets.
pub struct Scraping {
    /// What its targets have in common.
    pub job: Arc<Job>,
    /// Held for changes of the list and for copies of it.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of what was found when the list was made.
    version: Option<u64>,
    targets: Vec<Arc<Target>>,
    /// Targets that are not found any more: since when, and for how many rounds.
    gone: Vec<(Arc<Target>, Timestamp, u32)>,
    dropped: Vec<Labels>,
    dropped_count: usize,
    /// What was found and cannot be scraped.
    refused: Vec<String>,
}

/// Addresses and parameters may hold secrets, so neither is shown.
impl fmt::Debug for Scraping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraping").field("job", &self.job.name).finish_non_exhaustive()
    }
}

impl Scraping {
    /// A job whose targets are not known yet.
    pub fn new(job: Job) -> Self {
        Self { job: Arc::new(job), known: Mutex::default() }
    }

    /// The targets to scrape, and what was found and cannot be.
    pub fn now(&self) -> (Vec<Arc<Target>>, Vec<String>) {
        let known = self.known();
        (known.targets.clone(), known.refused.clone())
    }

    /// Whether there is none to scrape.
    pub fn is_empty(&self) -> bool {
        self.known().targets.is_empty()
    }

    /// How many targets relabelling dropped.
    pub fn dropped(&self) -> usize {
        self.known().dropped_count
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what was found is other than before, or targets are gone.
    fn is_behind(&self, discovery: &Discovery) -> bool {
        let known = self.known();
        known.version != Some(discovery.version()) || !known.gone.is_empty()
    }

    /// Takes what was found; targets that were there before keep their memory. Series of targets that are gone for
    /// good end in the batch. Called by one probe at a time; readers see the old list until the new one stands.
    fn update(&self, discovery: &Discovery, now: Timestamp) -> Batch {
        let mut batch = Batch::default();
        let mut fresh = Known { version: Some(discovery.version()), ..Known::default() };
        let mut before: HashMap<Key, Before> = HashMap::new();
        {
            let known = self.known();
            for target in &known.targets {
                before.insert(target.place.key(), (Arc::clone(target), None));
            }
            for (target, since, rounds) in &known.gone {
                before.insert(target.place.key(), (Arc::clone(target), Some((*since, *rounds))));
            }
        }
        let mut there: HashSet<Key> = HashSet::new();
        discovery.each(&mut |found| match self.job.make(found) {
            Err(why) => {
                if fresh.refused.len() < MOST_REFUSED {
                    fresh.refused.push(why);
                }
            }
            Ok(made) => match made.target {
                None => {
                    fresh.dropped_count += 1;
                    if fresh.dropped.len() < MOST_DROPPED {
                        fresh.dropped.push(made.discovered);
                    }
                }
                Some(place) => {
                    let key = place.key();
                    if !there.insert(key.clone()) {
                        // Found twice, scraped once.
                        return;
                    }
                    let target = match before.remove(&key) {
                        Some((target, _)) if target.discovered == made.discovered => target,
                        Some((target, _)) => match target.renewed(&made.discovered, place) {
                            Some(renewed) => renewed,
                            None => {
                                // Its answer is being read: it is renewed in the next round.
                                fresh.version = None;
                                target
                            }
                        },
                        None => Arc::new(Target::new(made.discovered, place)),
                    };
                    fresh.targets.push(target);
                }
            },
        });
        for (target, gone) in before.into_values() {
            let (since, rounds) = gone.unwrap_or((now, 0));
            if rounds >= ROUNDS_UNTIL_GONE {
                target.end(since.millis(), &mut batch);
            } else {
                fresh.gone.push((target, since, rounds + 1));
            }
        }
        // The old list is dropped where the lock is not held.
        drop(std::mem::replace(&mut *self.known(), fresh));
        batch
    }
}

/// Brings the list of targets up to date, off the async threads when that takes a while: relabelling costs some
/// microseconds for each target.
pub async fn update(scraping: &Arc<Scraping>, discovery: &Arc<Discovery>, now: Timestamp) -> Batch {
    if !scraping.is_behind(discovery) {
        return Batch::default();
    }
    if discovery.len() <= IN_PLACE {
        return scraping.update(discovery, now);
    }
    let (scraping, discovery) = (Arc::clone(scraping), Arc::clone(discovery));
    // It fails only when it panics, or at the end of the process.
    tokio::task::spawn_blocking(move || scraping.update(&discovery, now)).await.unwrap_or_default()
}

impl ScrapeJob for Scraping {
    fn live(&self, each: &mut dyn FnMut(&str)) {
        let all: Vec<Arc<Target>> = {
            let known = self.known();
            known.targets.iter().chain(known.gone.iter().map(|(target, ..)| target)).cloned().collect()
        };
        all.iter().for_each(|target| target.live(each));
    }

    fn targets(&self) -> Targets {
        let known = self.known();
        Targets {
            pool: self.job.name.clone(),
            active: known.targets.iter().map(|target| target.shown(&self.job)).collect(),
            dropped: known.dropped.iter().map(|labels| self.job.masked(labels)).collect(),
            dropped_count: known.dropped_count,
        }
    }
}
