//! What a query may use and has used. Shared by all threads that evaluate it.
//!
//! Samples count as in Prometheus. A dense row has a place for every step, whether there is a sample or not, so
//! memory is counted by places: whoever makes a buffer takes them before, and gives them back with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::promql::value::{Cancel, EvalError, Limits};

/// As many places as one of Prometheus' samples takes memory: series that come and go may be held too.
const PLACES_PER_SAMPLE: usize = 2;

/// Counts samples and places against the limits.
#[derive(Debug)]
pub(crate) struct Meter {
    max_samples: usize,
    cancel: Cancel,
    held: AtomicUsize,
    /// Of eight bytes each.
    places: AtomicUsize,
    peak: AtomicUsize,
    looked_at: AtomicU64,
    series: AtomicU64,
}

/// Samples and places in memory; dropping it says that they are gone.
#[derive(Debug)]
pub(crate) struct Held {
    meter: Arc<Meter>,
    samples: usize,
    places: usize,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max_samples: limits.max_samples,
            cancel: limits.cancel.clone(),
            held: AtomicUsize::new(0),
            places: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            looked_at: AtomicU64::new(0),
            series: AtomicU64::new(0),
        })
    }

    /// Nothing held yet.
    pub(crate) fn held(self: &Arc<Self>) -> Held {
        Held { meter: Arc::clone(self), samples: 0, places: 0 }
    }

    /// Takes places for a buffer.
    ///
    /// # Errors
    /// They are more than the limit allows.
    pub(crate) fn take(self: &Arc<Self>, places: usize) -> Result<Held, EvalError> {
        let mut held = self.held();
        held.take(places)?;
        Ok(held)
    }

    /// # Errors
    /// So many steps are more than a query may have places.
    pub(crate) fn allow(&self, steps: usize) -> Result<(), EvalError> {
        if steps > self.max_places() { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    const fn max_places(&self) -> usize {
        self.max_samples.saturating_mul(PLACES_PER_SAMPLE)
    }

    /// Counts samples that steps looked at.
    pub(crate) fn look(&self, samples: u64) {
        self.looked_at.fetch_add(samples, Ordering::Relaxed);
    }

    /// Counts the samples looked at since there were `before` as if so many steps had looked at them: a part
    /// that is evaluated once stands for all steps, and one whose results are looked at again for none.
    pub(crate) fn look_again(&self, before: u64, steps: u64) {
        let since = self.looked_at().saturating_sub(before);
        self.looked_at.store(before.saturating_add(since.saturating_mul(steps)), Ordering::Relaxed);
    }

    /// Counts selected series.
    pub(crate) fn select(&self, series: usize) {
        self.series.fetch_add(series as u64, Ordering::Relaxed);
    }

    /// Ends what works for the query.
    pub(crate) const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// # Errors
    /// The query was ended from outside.
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if self.cancel.cancelled() { Err(EvalError::Cancelled) } else { Ok(()) }
    }

    /// Samples that all steps looked at.
    pub(crate) fn looked_at(&self) -> u64 {
        self.looked_at.load(Ordering::Relaxed)
    }

    /// Most samples held at one time.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed) as u64
    }

    /// Series selected.
    pub(crate) fn series(&self) -> u64 {
        self.series.load(Ordering::Relaxed)
    }
}

impl Held {
    /// The meter that counts it.
    pub(crate) const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Takes more places, before they are allocated.
    ///
    /// # Errors
    /// They are more than the limit allows.
    pub(crate) fn take(&mut self, places: usize) -> Result<(), EvalError> {
        self.meter.allow(places)?;
        self.places += places;
        let now = self.meter.places.fetch_add(places, Ordering::Relaxed) + places;
        self.meter.allow(now)
    }

    /// Has at least so many places.
    ///
    /// # Errors
    /// They are more than the limit allows.
    pub(crate) fn take_to(&mut self, places: usize) -> Result<(), EvalError> {
        self.take(places.saturating_sub(self.places))
    }

    /// Gives all places back: what they were for is gone.
    pub(crate) fn give_back(&mut self) {
        self.meter.places.fetch_sub(std::mem::take(&mut self.places), Ordering::Relaxed);
    }

    /// Counts more samples.
    ///
    /// # Errors
    /// They are more than the limit allows.
    pub(crate) fn grow(&mut self, samples: usize) -> Result<(), EvalError> {
        self.samples += samples;
        let now = self.meter.held.fetch_add(samples, Ordering::Relaxed) + samples;
        self.meter.peak.fetch_max(now, Ordering::Relaxed);
        if now > self.meter.max_samples { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    /// Counts so many samples instead.
    ///
    /// # Errors
    /// They are more than the limit allows.
    pub(crate) fn set(&mut self, samples: usize) -> Result<(), EvalError> {
        if samples >= self.samples {
            return self.grow(samples - self.samples);
        }
        self.meter.held.fetch_sub(self.samples - samples, Ordering::Relaxed);
        self.samples = samples;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
        self.meter.held.fetch_sub(self.samples, Ordering::Relaxed);
    }
}
