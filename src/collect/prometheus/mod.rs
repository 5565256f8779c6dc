//! `type: prometheus`: one scrape job, whose series are stored as Prometheus (version 3) stores them.
//!
//! [`spec`] reads the options, [`discover`] finds targets, [`job`] makes them of what was found, [`relabel`] changes
//! labels, [`target`] scrapes one, [`format`] and [`families`] read what it says, [`cache`] remembers its series. The
//! series bear the target's labels and nothing of the monitor's; the monitor's own verdict is about the job.
//!
//! One probe is one round: targets are looked up where they may have changed, then all are scraped at once, within a
//! bound, each at its own distance from the round's start.

pub mod access;
pub mod cache;
pub mod discover;
pub mod families;
pub mod float;
pub mod format;
pub mod job;
pub mod relabel;
pub mod spec;
pub mod target;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, sleep};

use crate::base::BoxFuture;
use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::outcome::{Check, Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::scraped::{ScrapeJob, Scraped, Targets};
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;
use crate::collect::prometheus::discover::Discovery;
use crate::collect::prometheus::job::Job;
use crate::collect::prometheus::target::{Scrape, Target};

/// Scrapes at a time.
const AT_ONCE: usize = 256;
/// Up to so many targets are scraped at once; more begin at distances of their own.
const TOGETHER: usize = 8;
/// The part of the timeout over which beginnings are spread, and how much each target adds to it.
const SPREAD: (u32, Duration) = (4, Duration::from_millis(10));
/// A target that is gone for so many rounds will not come back: its series end.
const ROUNDS_UNTIL_GONE: u32 = 2;
/// Targets that are down, named one by one in checks and evidence.
const NAMED: usize = 50;
/// Those whose evidence is kept.
const SHOWN: usize = 3;
/// Dropped targets that are remembered for people.
const MOST_DROPPED: usize = 1_000;

/// A checked `prometheus` monitor.
#[derive(Debug)]
pub struct PrometheusProbe {
    scraping: Arc<Scraping>,
    discovery: Discovery,
}

/// A job and its targets.
#[derive(Debug)]
struct Scraping {
    job: Arc<Job>,
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

impl Scraping {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was found; targets that were there before keep their memory. Series of targets that are gone for
    /// good end in `batch`.
    fn update(&self, discovery: &Discovery, now: Timestamp, batch: &mut Batch) {
        let mut known = self.known();
        let version = Some(discovery.version());
        if known.version == version && known.gone.is_empty() {
            return;
        }
        let mut fresh = Known { version, ..Known::default() };
        let old = std::mem::take(&mut *known);
        type Key = (String, Labels);
        let mut before: HashMap<Key, (Arc<Target>, Option<(Timestamp, u32)>)> = HashMap::new();
        for target in old.targets {
            before.insert(target.place.key(), (target, None));
        }
        for (target, since, rounds) in old.gone {
            before.insert(target.place.key(), (target, Some((since, rounds))));
        }
        let mut there: HashMap<Key, ()> = HashMap::new();
        discovery.each(&mut |found| match self.job.make(found) {
            Err(why) => {
                if fresh.refused.len() < NAMED {
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
                    if there.insert(key.clone(), ()).is_some() {
                        // Found twice, scraped once.
                        return;
                    }
                    let target = match before.remove(&key) {
                        Some((target, _)) if target.discovered == made.discovered => target,
                        Some((target, _)) => target.renewed(made.discovered, place),
                        None => Arc::new(Target::new(made.discovered, place)),
                    };
                    fresh.targets.push(target);
                }
            },
        });
        for (target, gone) in before.into_values() {
            let (since, rounds) = gone.unwrap_or((now, 0));
            if rounds >= ROUNDS_UNTIL_GONE {
                target.end(since.millis(), batch);
            } else {
                fresh.gone.push((target, since, rounds + 1));
            }
        }
        *known = fresh;
    }
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
            dropped: known.dropped.clone(),
            dropped_count: known.dropped_count,
        }
    }
}

impl Collector for PrometheusProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let began = Instant::now();
            let troubles = self.discovery.refresh(cx).await;
            let mut ended = Batch::default();
            self.scraping.update(&self.discovery, cx.now, &mut ended);
            let (targets, refused) = {
                let known = self.scraping.known();
                (known.targets.clone(), known.refused.clone())
            };
            let job = &self.scraping.job;
            let over = (job.target_limit > 0 && targets.len() > job.target_limit).then(|| {
                let (found, most) = (targets.len(), job.target_limit);
                Fault::target("target_limit", format!("target_limit exceeded (targets: {found}, limit: {most})"))
            });
            let spread = match targets.len() {
                0..=TOGETHER => Duration::ZERO,
                n => (cx.remaining() / SPREAD.0).min(SPREAD.1 * u32::try_from(n).unwrap_or(u32::MAX)),
            };
            let forced = over.as_ref();
            let mut work: Vec<BoxFuture<'_, Scrape>> = Vec::with_capacity(targets.len());
            for target in &targets {
                work.push(Box::pin(async move {
                    sleep(spread.mul_f64(place(&target.place.url))).await;
                    target.scrape(job, cx, began, forced).await
                }));
            }
            // In the order of the targets, not of their answers.
            let scrapes: Vec<Scrape> = stream::iter(work).buffered(AT_ONCE).collect().await;
            self.judge(&targets, scrapes, ended, &refused, troubles)
        })
    }
}

/// Where in a round a target stands, from 0 to 1: always the same.
fn place(url: &str) -> f64 {
    let mut hash = std::hash::DefaultHasher::new();
    url.hash(&mut hash);
    (hash.finish() >> 32) as f64 / f64::from(u32::MAX)
}

impl PrometheusProbe {
    /// A job that was not scraped yet.
    pub fn new(job: Job, discovery: Discovery) -> Self {
        Self { scraping: Arc::new(Scraping { job: Arc::new(job), known: Mutex::default() }), discovery }
    }

    fn judge(
        &self,
        targets: &[Arc<Target>],
        scrapes: Vec<Scrape>,
        ended: Batch,
        refused: &[String],
        troubles: Vec<String>,
    ) -> Outcome {
        let job = &self.scraping.job;
        let all = targets.len();
        let (mut batches, mut described, mut checks) = (vec![ended], Vec::new(), Vec::new());
        let (mut up, mut live, mut local) = (0, 0, 0);
        let mut faults: Vec<(&Target, Fault)> = Vec::new();
        let mut evidence = Evidence::default();
        let mut phases = Vec::new();
        for (target, scrape) in targets.iter().zip(scrapes) {
            let Scrape { fault, live: series, batch, described: news, mut trace, answer, .. } = scrape;
            batches.push(batch);
            described.extend(news);
            live += series;
            if all == 1 {
                phases = trace.take_phases();
            }
            match fault {
                None => up += 1,
                Some(fault) => {
                    local += usize::from(fault.is_local());
                    if faults.len() < SHOWN {
                        evidence.items.extend(target::evidence(target, &trace, answer.as_ref(), &fault));
                    }
                    if checks.len() < NAMED {
                        let name = format!("{} is up", target.place.url);
                        checks.push(Check { name, ok: Some(false), found: fault.message().to_owned() });
                    }
                    faults.push((target, fault));
                }
            }
        }
        for trouble in troubles {
            checks.push(Check { name: "targets can be looked up".to_owned(), ok: Some(false), found: trouble });
        }
        for why in refused {
            checks.push(Check {
                name: "what was found can be scraped".to_owned(),
                ok: Some(false),
                found: why.clone(),
            });
        }
        let summary = format!("{} of {} targets up, {} series", thousands(up), thousands(all), thousands(live));
        let enough = up > 0 && up as f64 >= all as f64 * job.expect_up / 100.0;
        let mut outcome = match faults.first() {
            _ if all == 0 => {
                let dropped = self.scraping.known().dropped_count;
                let why = match (checks.first(), dropped) {
                    (Some(check), _) => check.found.clone(),
                    (None, 0) => "no targets were found".to_owned(),
                    (None, n) => format!("relabelling dropped all {n} targets"),
                };
                Outcome::down("no_targets", why)
            }
            Some((_, fault)) if all == 1 => fault.clone().outcome(),
            Some((target, fault)) if up == 0 && local == all => {
                Outcome::unknown(fault.class(), format!("{}: {}", target.place.url, fault.message()))
            }
            Some((target, fault)) if up == 0 => {
                let message = format!("all {all} targets are down; {}: {}", target.place.url, fault.message());
                Outcome::down("targets_down", message)
            }
            Some((target, fault)) if !enough => {
                let message = format!("{summary}; {}: {}", target.place.url, fault.message());
                Outcome::up("").with_verdict(Verdict::Degraded, "targets_down", message)
            }
            _ => match checks.iter().find(|check| check.ok == Some(false)).filter(|_| faults.is_empty()) {
                Some(check) => Outcome::up("").with_verdict(Verdict::Degraded, "discovery", check.found.clone()),
                None => Outcome::up(""),
            },
        };
        outcome.summary = summary;
        outcome.checks = checks;
        outcome.phases = phases;
        outcome.samples = vec![
            Sample::new("probe_prometheus_targets", all as f64),
            Sample::new("probe_prometheus_targets_up", up as f64),
            Sample::new("probe_prometheus_series", live as f64),
        ];
        if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(evidence);
        }
        job.mask.hide_in(&mut outcome);
        let scraping = Arc::clone(&self.scraping);
        outcome.series = Some(Scraped { batches, described, job: scraping });
        outcome
    }
}

/// `3,456`
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
