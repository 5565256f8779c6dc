//! Takes the samples of one answer: whose they are, whether they may be stored, and what they are stored as.

use std::borrow::Cow;

use crate::base::batch::Batch;
use crate::base::exposition::{LineError, Pair};
use crate::base::labels::{LabelsBuf, METRIC_NAME};
use crate::base::metadata::{Kind, Meta};
use crate::collect::prometheus::cache::refused::{Fault, Refused, cut};
use crate::collect::prometheus::cache::{Cache, Counts, Entry, Intake};
use crate::collect::prometheus::float;
use crate::collect::prometheus::relabel::{self, Draft};

/// Samples further ahead of our clock are not taken, in milliseconds.
const AHEAD_MS: i64 = 600_000;
/// Samples further behind it are not taken, either: Prometheus' store is closed to them by then.
pub(super) const BEHIND_MS: i64 = 3_600_000;
/// Longest encoded label set that the store takes, in bytes.
const LONGEST_LABELS: usize = 64 << 10;
/// The label that every scraped series has, unless somebody takes it away.
const JOB: &str = "job";
/// Descriptions that are remembered of one target.
const MOST_DESCRIBED: usize = 10_000;
/// Longest help or unit that is remembered, in bytes.
const LONGEST_HELP: usize = 1 << 10;

/// One thing that is said of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// Its type.
    Kind(Kind),
    /// What it means.
    Help(&'a str),
    /// Its unit.
    Unit(&'a str),
}

impl Said<'_> {
    fn is_in(self, meta: &Meta) -> bool {
        match self {
            Self::Kind(kind) => meta.kind == kind,
            Self::Help(help) => meta.help == short(help),
            Self::Unit(unit) => meta.unit == short(unit),
        }
    }
}

/// As much of a description as is remembered.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_HELP)]
}

/// Takes the samples of one answer.
pub struct Appender<'a> {
    intake: &'a Intake,
    cache: &'a mut Cache,
    batch: &'a mut Batch,
    now: i64,
    counts: Counts,
    /// Samples that count against the limit.
    taken: usize,
    news: Vec<(String, Meta)>,
    /// The type of the metrics that come now.
    kind: Kind,
    draft: Draft,
    labels: LabelsBuf,
}

impl<'a> Appender<'a> {
    /// Of an answer that came at `now`.
    pub fn new(intake: &'a Intake, cache: &'a mut Cache, batch: &'a mut Batch, now: i64) -> Self {
        Self {
            intake,
            cache,
            batch,
            now,
            counts: Counts::default(),
            taken: 0,
            news: Vec::new(),
            kind: Kind::Unknown,
            draft: Draft::default(),
            labels: LabelsBuf::default(),
        }
    }

    /// How much there was, how much of it counts against the limit, and what is new about metrics.
    pub fn done(self) -> (Counts, usize, Vec<(String, Meta)>) {
        (self.counts, self.taken, self.news)
    }

    /// Takes what is said of a metric. Mostly it is what was said before, which costs a look.
    pub fn describe(&mut self, metric: &str, said: Said<'_>) {
        let described = &mut self.cache.described;
        match described.get(metric) {
            Some(meta) if said.is_in(meta) => return,
            None if described.len() >= MOST_DESCRIBED => return,
            Some(_) | None => {}
        }
        let meta = described.entry(metric.into()).or_default();
        match said {
            Said::Kind(kind) => meta.kind = kind,
            Said::Help(help) => short(help).clone_into(&mut meta.help),
            Said::Unit(unit) => short(unit).clone_into(&mut meta.unit),
        }
        let meta = meta.clone();
        match self.news.iter_mut().rev().take(4).find(|(name, _)| name == metric) {
            Some((_, last)) => *last = meta,
            None => self.news.push((metric.to_owned(), meta)),
        }
    }

    /// The metrics that come now are of this type.
    pub fn kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Takes one sample. `text` is the series as the target wrote it; for one that is new, `labels` reads them.
    ///
    /// # Errors
    /// The whole answer is refused.
    #[inline]
    pub fn sample<'t, 'p>(
        &mut self,
        text: &str,
        value: f64,
        time: Option<i64>,
        labels: impl FnOnce() -> Result<&'p [Pair<'t>], LineError>,
    ) -> Result<(), Fault>
    where
        't: 'p,
    {
        self.counts.scraped += 1;
        let time = time.filter(|_| self.intake.honor_timestamps);
        let (t, this) = (time.unwrap_or(self.now), self.cache.scrape);
        // A marker of ours is nothing that a target may send.
        let value = if value.is_nan() { f64::NAN } else { value };
        let limit = self.intake.sample_limit;
        let follow = time.is_none() || self.intake.track_timestamps;
        if let Some(entry) = self.cache.series.get_mut(text) {
            let again = std::mem::replace(&mut entry.seen, this) == this;
            let Some(labels) = &entry.labels else { return Ok(()) };
            self.counts.kept += 1;
            if again && time.is_none() {
                self.counts.not_taken += 1;
                return Ok(());
            }
            self.taken += 1;
            if limit > 0 && self.taken > limit {
                return Ok(());
            }
            if t < entry.newest || !(self.now - BEHIND_MS..=self.now + AHEAD_MS).contains(&t) {
                self.counts.not_taken += 1;
                return Ok(());
            }
            (entry.newest, entry.timed) = (t, time.is_some());
            if follow {
                entry.followed = this;
            }
            self.batch.series_of(labels.as_key());
            self.batch.push(t, value);
            return Ok(());
        }
        self.new_series(text, value, time, labels()?)
    }

    #[cold]
    fn new_series(&mut self, text: &str, value: f64, time: Option<i64>, pairs: &[Pair<'_>]) -> Result<(), Fault> {
        let (t, this) = (time.unwrap_or(self.now), self.cache.scrape);
        let limit = self.intake.sample_limit;
        let follow = time.is_none() || self.intake.track_timestamps;
        let entry = |labels, followed| Entry { labels, seen: this, followed, newest: t, timed: time.is_some() };
        if !self.relabelled(pairs) {
            self.cache.series.insert(text.into(), entry(None, 0));
            return Ok(());
        }
        self.check_limits()?;
        self.draft.write(&mut self.labels);
        if self.labels.as_key().len() > LONGEST_LABELS {
            let found = format!("{} bytes of labels", self.labels.as_key().len());
            return Err(self.limit("the store's limit of labels", found, LONGEST_LABELS).into());
        }
        self.counts.kept += 1;
        self.taken += 1;
        if limit > 0 && self.taken > limit {
            return Ok(());
        }
        let known = self.cache.timed.get(self.labels.as_key()).copied().unwrap_or(i64::MIN);
        if t < known || !(self.now - BEHIND_MS..=self.now + AHEAD_MS).contains(&t) {
            self.counts.not_taken += 1;
            return Ok(());
        }
        let labels = self.labels.labels();
        self.cache.timed.remove(&labels);
        self.batch.series_of(labels.as_key());
        self.batch.push(t, value);
        self.cache.series.insert(text.into(), entry(Some(labels), if follow { this } else { 0 }));
        self.counts.added += 1;
        Ok(())
    }

    /// Works the stored labels out of those the target wrote; `false` when relabelling drops the series.
    fn relabelled(&mut self, pairs: &[Pair<'_>]) -> bool {
        let draft = &mut self.draft;
        draft.clear();
        let bound = match self.kind {
            Kind::Histogram => "le",
            Kind::Summary => "quantile",
            // Prometheus leaves the bounds of a histogram of gauges as they are.
            Kind::GaugeHistogram | Kind::Unknown | Kind::Counter | Kind::Gauge | Kind::Info | Kind::StateSet => "",
        };
        for (name, value) in pairs {
            let value = match name == bound {
                true => float::normalized(value).map_or(Cow::Borrowed(&**value), Cow::Owned),
                false => Cow::Borrowed(&**value),
            };
            draft.set(name, &value);
        }
        let target = &self.cache.target;
        if self.intake.honor_labels {
            // An empty label of the target's counts: it says that there shall be none.
            for (name, value) in target.iter().filter(|(name, _)| !pairs.iter().any(|(n, _)| n == name)) {
                draft.set(name, value);
            }
        } else {
            let mut conflicts: Vec<(String, String)> = Vec::new();
            for (name, value) in target.iter() {
                let exposed = draft.get(name);
                if !exposed.is_empty() {
                    conflicts.push((name.to_owned(), exposed.to_owned()));
                }
                draft.set(name, value);
            }
            conflicts.sort_by_key(|(name, _)| name.len());
            for (name, value) in conflicts {
                let mut free = format!("exported_{name}");
                while !draft.get(&free).is_empty() {
                    free.insert_str(0, "exported_");
                }
                draft.set(&free, &value);
            }
        }
        // One that has no label left is dropped; one without a name alone is a mistake.
        if !relabel::apply(&self.intake.rules, draft) || draft.iter().next().is_none() {
            return false;
        }
        // A monitor's own series have these labels and no job: no target may add to them, whatever it is allowed.
        if ["monitor", "type"].iter().all(|own| !draft.get(own).is_empty()) && draft.get(JOB).is_empty() {
            draft.set(JOB, target.get(JOB).filter(|job| !job.is_empty()).unwrap_or("scraped"));
        }
        true
    }

    fn check_limits(&self) -> Result<(), Refused> {
        if self.draft.get(METRIC_NAME).is_empty() {
            return Err(Refused::NoName);
        }
        let Intake { label_limit, name_length, value_length, .. } = *self.intake;
        let count = self.draft.iter().count();
        if label_limit > 0 && count > label_limit {
            return Err(self.limit("label_limit", format!("{count} labels"), label_limit));
        }
        for (name, value) in self.draft.iter() {
            if name_length > 0 && name.len() > name_length {
                let found = format!("a label's name of {} bytes", name.len());
                return Err(self.limit("label_name_length_limit", found, name_length));
            }
            if value_length > 0 && value.len() > value_length {
                let found = format!("a value of {} bytes for `{}`", value.len(), cut(name));
                return Err(self.limit("label_value_length_limit", found, value_length));
            }
        }
        Ok(())
    }

    fn limit(&self, limit: &'static str, found: String, most: usize) -> Refused {
        Refused::Label { limit, found, metric: cut(self.draft.get(METRIC_NAME)), most }
    }
}
