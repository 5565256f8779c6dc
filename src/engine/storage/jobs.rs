//! The jobs that scrape, by monitor: whoever asks for targets asks them.
//!
//! A reload may read a definition again that did not change; what runs then is the older object. So these are the
//! jobs whose series were recorded, not those of the newest configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::base::name::MonitorName;
use crate::base::scraped::{ScrapeJob, Targets};

/// Written by the recorder alone.
#[derive(Debug, Default)]
pub struct ScrapeJobs {
    /// Held for a change or a clone.
    jobs: RwLock<BTreeMap<MonitorName, Arc<dyn ScrapeJob>>>,
}

impl ScrapeJobs {
    /// Notes what scrapes for a monitor.
    pub fn set(&self, monitor: &MonitorName, job: &Arc<dyn ScrapeJob>) {
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(monitor.clone(), Arc::clone(job));
    }

    /// Forgets a monitor.
    pub fn remove(&self, monitor: &MonitorName) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).remove(monitor);
    }

    /// The targets of every monitor that scrapes.
    pub fn targets(&self) -> Vec<(MonitorName, Targets)> {
        let jobs: Vec<_> = {
            let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
            jobs.iter().map(|(name, job)| (name.clone(), Arc::clone(job))).collect()
        };
        jobs.into_iter().map(|(name, job)| (name, job.targets())).collect()
    }
}
