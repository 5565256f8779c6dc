//! What is remembered of one target from scrape to scrape: its series by their text, which of them are alive, and
//! what it says of its metrics.
//!
//! The rules are Prometheus' (version 3), oddities included, so that both store the same: a series' labels are worked
//! out once per text; a series that the scrape before had and this one lacks gets a staleness marker; samples with a
//! time of their own are not followed; a scrape that fails half-way stores nothing and marks what it has not come to.
//!
//! A known series costs a hash of its text, a comparison, and a copy of its labels into the batch.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::base::batch::Batch;
use crate::base::exposition::{LineError, Pair};
use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::metadata::{Kind, Meta};
use crate::base::protobuf::WireError;
use crate::base::sample::STALE_NAN;
use crate::collect::prometheus::float;
use crate::collect::prometheus::relabel::{self, Draft, Rule};

/// Samples further ahead of our clock are not taken, in milliseconds.
const AHEAD_MS: i64 = 600_000;
/// Longest encoded label set that the store takes, in bytes.
const LONGEST_LABELS: usize = 64 << 10;
/// Descriptions that are remembered of one target.
const MOST_DESCRIBED: usize = 10_000;
/// Longest help or unit that is remembered, in bytes.
const LONGEST_HELP: usize = 4 << 10;
/// Scrapes that a text is remembered for which is not there any more while scrapes fail; see `finish`.
const GROWTH: usize = 1_000;

/// What a job's options say about samples.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// The target's own labels win over those of the target's configuration.
    pub honor_labels: bool,
    /// Times in the exposition are taken.
    pub honor_timestamps: bool,
    /// Series with times of their own get staleness markers, too.
    pub track_timestamps: bool,
    /// `metric_relabel_configs`.
    pub rules: Vec<Rule>,
    /// Samples after relabelling; 0 for no limit, as with those below.
    pub sample_limit: usize,
    /// Labels of a series.
    pub label_limit: usize,
    /// Length of a label's name.
    pub name_length: usize,
    /// Length of a label's value.
    pub value_length: usize,
}

/// Why nothing of a scrape is stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A line that is not understood.
    #[error("line {0}: {1}")]
    Line(usize, LineError),
    /// A message that is not understood.
    #[error("the answer is not protobuf as it should be: {0}")]
    Wire(#[from] WireError),
    /// OpenMetrics ends with `# EOF`.
    #[error("the answer does not end with `# EOF`: it may have been cut off")]
    NoEnd,
    /// Relabelling took the name.
    #[error("a series has no metric name after relabelling")]
    NoName,
    /// `sample_limit`.
    #[error("sample_limit exceeded: more than {0} samples")]
    Samples(usize),
    /// Another limit, and whose series it was.
    #[error("{limit} exceeded: {found} of `{metric}` (limit: {most})")]
    Label {
        /// The option's name.
        limit: &'static str,
        /// What was found: `12 labels`.
        found: String,
        /// The metric's name, shortened.
        metric: String,
        /// The limit.
        most: usize,
    },
}

/// What the target's exposition was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples in the answer.
    pub scraped: usize,
    /// Those that relabelling left.
    pub kept: usize,
    /// Those of series that were not there before.
    pub added: usize,
    /// Samples that were not taken: twice the same series, back in time, or far ahead.
    pub not_taken: usize,
}

#[derive(Debug)]
struct Entry {
    /// `None` for a series that relabelling drops.
    labels: Option<Labels>,
    /// The scrape that had it last.
    seen: u64,
    /// The scrape in which it was followed last.
    followed: u64,
    /// Its newest sample's time.
    newest: i64,
}

/// The memory of one target.
#[derive(Debug)]
pub struct Cache {
    /// The number of the scrape that is next or under way.
    scrape: u64,
    series: HashMap<Box<str>, Entry, ahash::RandomState>,
    described: HashMap<Box<str>, Meta>,
    /// How many texts there were after the last scrape that worked.
    successful: usize,
    /// Size of the last batch.
    room: (usize, usize),
    /// The labels of the target's own.
    target: Labels,
}

impl Cache {
    /// An empty memory for a target with these labels.
    pub fn new(target: Labels) -> Self {
        let series = HashMap::default();
        Self { scrape: 2, series, described: HashMap::new(), successful: 0, room: (0, 0), target }
    }

    /// Encoded labels of every series that is alive.
    pub fn live(&self, each: &mut dyn FnMut(&str)) {
        let last = self.scrape - 1;
        let alive = self.series.values().filter(|e| e.followed == last);
        alive.filter_map(|e| e.labels.as_ref()).for_each(|labels| each(labels.as_key()));
    }

    /// How many series are alive.
    pub fn live_count(&self) -> usize {
        let mut n = 0;
        self.live(&mut |_| n += 1);
        n
    }

    /// Takes in one answer of the target: `read` gives its samples. Everything goes into `batch`, or nothing but
    /// staleness markers.
    pub fn scraped(
        &mut self,
        intake: &Intake,
        now: i64,
        batch: &mut Batch,
        read: impl FnOnce(&mut Appender<'_>) -> Result<(), Refused>,
    ) -> (Counts, Result<Vec<(String, Meta)>, Refused>) {
        let mut samples = Batch::with_room_of(self.room.0, self.room.1);
        let mut appender = Appender {
            intake,
            cache: self,
            batch: &mut samples,
            now,
            counts: Counts::default(),
            taken: 0,
            news: Vec::new(),
            kind: Kind::Unknown,
            draft: Draft::default(),
            labels: LabelsBuf::default(),
        };
        let mut done = read(&mut appender);
        let Appender { counts, taken, news, .. } = appender;
        if done.is_ok() && intake.sample_limit > 0 && taken > intake.sample_limit {
            done = Err(Refused::Samples(intake.sample_limit));
        }
        match done {
            Ok(()) => {
                self.room = (samples.key_bytes(), samples.len());
                self.end_stale(&mut samples, now);
                self.finish(true);
                *batch = samples;
                (counts, Ok(news))
            }
            Err(why) => {
                self.failed(now, batch);
                (counts, Err(why))
            }
        }
    }

    /// Takes in that there was no answer, or an empty one: every series ends.
    pub fn failed(&mut self, now: i64, batch: &mut Batch) {
        self.end_stale(batch, now);
        self.finish(false);
    }

    /// Marks the series that the scrape before had and this one has not.
    fn end_stale(&self, batch: &mut Batch, now: i64) {
        let (last, this) = (self.scrape - 1, self.scrape);
        let mut gone = self.series.values().filter(|e| e.followed == last).filter_map(|e| e.labels.as_ref()).peekable();
        if gone.peek().is_none() {
            return;
        }
        // Another text may stand for the same series, and two of the gone ones for one.
        let there = self.series.values().filter(|e| e.followed == this).filter_map(|e| e.labels.as_ref());
        let mut done: HashSet<&Labels> = there.collect();
        for labels in gone {
            if done.insert(labels) {
                batch.series_of(labels.as_key());
                batch.push(now, STALE_NAN);
            }
        }
    }

    /// Ends a scrape. Texts that a scrape which worked did not have are forgotten; while scrapes fail, only when
    /// they have become many more than there were.
    fn finish(&mut self, worked: bool) {
        let known = self.series.len() + self.described.len();
        if worked {
            self.successful = known;
        }
        if worked || known > self.successful * 2 + GROWTH {
            let this = self.scrape;
            self.series.retain(|_, entry| entry.seen == this);
        }
        self.scrape += 1;
    }
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

impl Appender<'_> {
    /// Takes what is said of a metric.
    pub fn describe(&mut self, metric: &str, change: impl FnOnce(&mut Meta)) {
        let described = &mut self.cache.described;
        if !described.contains_key(metric) && described.len() >= MOST_DESCRIBED {
            return;
        }
        let known = described.get(metric).cloned().unwrap_or_default();
        let mut meta = known.clone();
        change(&mut meta);
        for text in [&mut meta.help, &mut meta.unit] {
            text.truncate(text.floor_char_boundary(LONGEST_HELP));
        }
        if meta == known && described.contains_key(metric) {
            return;
        }
        described.insert(metric.into(), meta.clone());
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
            if t < entry.newest || t > self.now + AHEAD_MS {
                self.counts.not_taken += 1;
                return Ok(());
            }
            entry.newest = t;
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
        let entry = |labels, followed| Entry { labels, seen: this, followed, newest: t };
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
        if t > self.now + AHEAD_MS {
            self.counts.not_taken += 1;
            return Ok(());
        }
        let labels = self.labels.labels();
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
            Kind::Histogram | Kind::GaugeHistogram => "le",
            Kind::Summary => "quantile",
            Kind::Unknown | Kind::Counter | Kind::Gauge | Kind::Info | Kind::StateSet => "",
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
        relabel::apply(&self.intake.rules, draft)
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

/// Why a sample ends the reading of an answer.
#[derive(Debug)]
pub enum Fault {
    /// Its labels are not understood.
    Text(LineError),
    /// It is understood and refused.
    Refused(Refused),
}

impl From<LineError> for Fault {
    fn from(e: LineError) -> Self {
        Self::Text(e)
    }
}

impl From<Refused> for Fault {
    fn from(e: Refused) -> Self {
        Self::Refused(e)
    }
}

impl Fault {
    /// The refusal, of what stands in this line.
    pub fn in_line(self, n: usize) -> Refused {
        match self {
            Self::Text(e) => Refused::Line(n, e),
            Self::Refused(why) => why,
        }
    }
}

/// As much of a text as a message shows.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(50)].to_owned()
}
