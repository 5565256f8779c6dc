//! What is remembered of one target from scrape to scrape: its series by their text, which of them are alive, and
//! what it says of its metrics.
//!
//! The rules are Prometheus' (version 3), oddities included, so that both store the same: a series' labels are worked
//! out once per text; a series that the scrape before had and this one lacks gets a staleness marker; samples with a
//! time of their own are not followed; a scrape that fails half-way stores nothing and marks what it has not come to.
//!
//! [`appender`] takes samples in, [`refused`] says why none are. A known series costs a hash of its text, a comparison,
//! and a copy of its labels into the batch.

mod appender;
mod refused;

use std::collections::{HashMap, HashSet};

use crate::base::batch::Batch;
use crate::base::labels::Labels;
use crate::base::metadata::Meta;
use crate::base::sample::STALE_NAN;
pub use crate::collect::prometheus::cache::appender::{Appender, Said};
pub use crate::collect::prometheus::cache::refused::Refused;
use crate::collect::prometheus::relabel::Rule;

/// Series that are gone whose newest time is remembered, for those with times of their own.
const MOST_TIMED: usize = 10_000;
/// Texts beyond twice as many as there were that are remembered while scrapes fail; see `finish`.
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
    /// That time was the target's.
    timed: bool,
}

/// The memory of one target.
#[derive(Debug)]
pub struct Cache {
    /// The number of the scrape that is next or under way.
    scrape: u64,
    series: HashMap<Box<str>, Entry, ahash::RandomState>,
    described: HashMap<Box<str>, Meta>,
    /// The newest time of series that are gone, where it was the target's: it must not go back when they return.
    timed: HashMap<Labels, i64, ahash::RandomState>,
    /// How many series are alive.
    alive: usize,
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
        let timed = HashMap::default();
        Self { scrape: 2, series, described: HashMap::new(), timed, alive: 0, successful: 0, room: (0, 0), target }
    }

    /// Encoded labels of every series that is alive.
    pub fn live(&self, each: &mut dyn FnMut(&str)) {
        let last = self.scrape - 1;
        let alive = self.series.values().filter(|e| e.followed == last);
        alive.filter_map(|e| e.labels.as_ref()).for_each(|labels| each(labels.as_key()));
    }

    /// How many series are alive.
    pub const fn live_count(&self) -> usize {
        self.alive
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
        let mut appender = Appender::new(intake, self, &mut samples, now);
        let mut done = read(&mut appender);
        let (counts, taken, news) = appender.done();
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
        let this = self.scrape;
        self.alive = 0;
        if worked || known > self.successful * 2 + GROWTH {
            let (timed, alive) = (&mut self.timed, &mut self.alive);
            self.series.retain(|_, entry| {
                *alive += usize::from(entry.followed == this);
                let there = entry.seen == this;
                if let Some(labels) = entry.labels.take_if(|_| !there && entry.timed)
                    && timed.len() < MOST_TIMED
                {
                    timed.insert(labels, entry.newest);
                }
                there
            });
        } else {
            self.alive = self.series.values().filter(|e| e.followed == this).count();
        }
        self.scrape += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::exposition::LineError;
    use crate::base::metadata::Kind;
    use crate::base::sample::is_stale;
    use crate::collect::prometheus::cache::appender::BEHIND_MS;
    use crate::collect::prometheus::format::{self, Protocol};
    use crate::collect::prometheus::relabel::tests::rules;

    struct Scraper {
        intake: Intake,
        cache: Cache,
        now: i64,
    }

    impl Scraper {
        fn new(intake: Intake) -> Self {
            let target = Labels::new([("instance", "i"), ("job", "j")]);
            let intake = Intake { honor_timestamps: true, ..intake };
            Self { intake, cache: Cache::new(target), now: 1_000_000 }
        }

        /// Scrapes a text a second later: samples as `labels value` with what the target's labels add left out.
        fn text(&mut self, text: &str) -> (Vec<String>, Counts, Result<(), String>) {
            self.now += 1_000;
            let mut batch = Batch::default();
            let read = |to: &mut Appender<'_>| format::read(text.as_bytes(), Protocol::Text004, to);
            let (counts, done) = self.cache.scraped(&self.intake, self.now, &mut batch, read);
            (self.told(&batch), counts, done.map(drop).map_err(|e| e.to_string()))
        }

        fn told(&self, batch: &Batch) -> Vec<String> {
            let mut all: Vec<String> = batch
                .iter()
                .flat_map(|(key, samples)| {
                    let labels = Labels::from_key(key).to_string().replace(r#"instance="i", job="j""#, "…");
                    samples.iter().map(move |(t, v)| {
                        let value = if is_stale(*v) { "end".to_owned() } else { v.to_string() };
                        let at = if *t == self.now { String::new() } else { format!(" at {t}") };
                        format!("{labels} {value}{at}")
                    })
                })
                .collect();
            all.sort();
            all
        }
    }

    #[test]
    fn series_that_an_answer_lacks_end_and_come_back() {
        let mut s = Scraper::new(Intake::default());
        let (stored, counts, _) = s.text("a 1\nb{x=\"y\"} 2\n");
        assert_eq!(stored, [r#"{__name__="a", …} 1"#, r#"{__name__="b", …, x="y"} 2"#]);
        assert_eq!((counts.scraped, counts.kept, counts.added), (2, 2, 2));
        let (stored, counts, _) = s.text("a 1\n");
        assert_eq!(stored, [r#"{__name__="a", …} 1"#, r#"{__name__="b", …, x="y"} end"#]);
        assert_eq!((counts.scraped, counts.added), (1, 0));
        let (stored, counts, _) = s.text("a 1\nb{x=\"y\"} 3\n");
        assert_eq!((stored.len(), counts.added), (2, 1), "ended once, and new again");
        assert_eq!(s.cache.live_count(), 2);
        // Another text for the same series: nothing ends.
        let (stored, ..) = s.text("a 1\nb{ x = \"y\" } 4\n");
        assert_eq!(stored, [r#"{__name__="a", …} 1"#, r#"{__name__="b", …, x="y"} 4"#]);
    }

    #[test]
    fn a_failed_scrape_ends_everything_once() {
        let mut s = Scraper::new(Intake::default());
        drop(s.text("a 1\nb 2\n"));
        let mut batch = Batch::default();
        s.cache.failed(s.now, &mut batch);
        assert_eq!(s.told(&batch), [r#"{__name__="a", …} end"#, r#"{__name__="b", …} end"#]);
        let mut batch = Batch::default();
        s.cache.failed(s.now, &mut batch);
        assert!(batch.is_empty() && s.cache.live_count() == 0);
        let (_, counts, _) = s.text("a 1\nb 2\n");
        assert_eq!(counts.added, 0, "still known");
        // Half of an answer: what was come to is left for the next failure to end, as in Prometheus.
        let (stored, counts, done) = s.text("a 1\n!\nb 2\n");
        assert_eq!(stored, [r#"{__name__="b", …} end"#]);
        assert_eq!((counts.scraped, done.unwrap_err().as_str()), (1, "line 2: `!` does not belong here"));
        let mut batch = Batch::default();
        s.cache.failed(s.now, &mut batch);
        assert_eq!(s.told(&batch), [r#"{__name__="a", …} end"#]);
    }

    #[test]
    fn times_of_the_targets_own_are_taken_within_reason() {
        let mut s = Scraper::new(Intake::default());
        let (stored, counts, _) = s.text("a 1 5\nb 1 99999999999\nc 1\n");
        assert_eq!(stored, [r#"{__name__="a", …} 1 at 5"#, r#"{__name__="c", …} 1"#]);
        assert_eq!((counts.kept, counts.not_taken), (3, 1));
        let (stored, counts, _) = s.text("a 1 4\nc 2\nc 3\n");
        assert_eq!(stored, [r#"{__name__="c", …} 2"#], "back in time, and the same twice");
        assert_eq!((counts.kept, counts.not_taken), (3, 2));
        let (stored, ..) = s.text("c 2\n");
        assert_eq!(stored, [r#"{__name__="c", …} 2"#], "a series with its own time is not followed");
        s.intake.track_timestamps = true;
        drop(s.text("a 1 7\n"));
        let (stored, ..) = s.text("c 2\n");
        assert_eq!(stored, [r#"{__name__="a", …} end"#, r#"{__name__="c", …} 2"#]);
        // Gone and back again, the newest time is still known.
        assert_eq!(s.text("b 1 1002000\n").0[0], r#"{__name__="b", …} 1 at 1002000"#);
        assert_eq!(s.text("b 2 1001999\n").1.not_taken, 1);
        drop(s.text("c 1\n"));
        assert_eq!(s.text("b 2 1001999\n").1, Counts { scraped: 1, kept: 1, added: 0, not_taken: 1 });
        assert_eq!(s.text("b 2 1002001\n").1.added, 1);
        s.now += 10 * BEHIND_MS;
        assert_eq!(s.text("d 1 1002002\n").1.not_taken, 1, "hours ago");
        s.intake.honor_timestamps = false;
        assert_eq!(s.text("a 1 7\nc 1\n").0[0], r#"{__name__="a", …} 1"#);
    }

    #[test]
    fn labels_of_the_target_win_unless_told_otherwise() {
        let text = "a{job=\"own\",exported_job=\"taken\",instance=\"\"} 1\n";
        let mut s = Scraper::new(Intake::default());
        let want = r#"{__name__="a", exported_exported_job="own", exported_job="taken", …} 1"#;
        assert_eq!(s.text(text).0, [want]);
        let mut s = Scraper::new(Intake { honor_labels: true, ..Intake::default() });
        assert_eq!(s.text(text).0, [r#"{__name__="a", exported_job="taken", job="own"} 1"#]);
    }

    #[test]
    fn a_target_cannot_send_a_marker() {
        let mut s = Scraper::new(Intake::default());
        assert_eq!(s.text("a NaN\n").0, [r#"{__name__="a", …} NaN"#]);
        let mut batch = Batch::default();
        let read = |to: &mut Appender<'_>| {
            to.sample("b", STALE_NAN, None, || Err(LineError::NotUtf8)).map_err(|f| f.in_line(1))
        };
        assert!(s.cache.scraped(&s.intake, 1, &mut batch, read).1.is_err());
        let read = |to: &mut Appender<'_>| {
            to.sample("a", STALE_NAN, None, || Err(LineError::NotUtf8)).map_err(|f| f.in_line(1))
        };
        drop(s.text("a 1\n"));
        s.cache.scraped(&s.intake, s.now + 1, &mut batch, read).1.unwrap();
        assert!(batch.iter().flat_map(|(_, samples)| samples).all(|(_, v)| !is_stale(*v)));
    }

    #[test]
    fn relabelling_and_bounds() {
        let text = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\n# TYPE s summary\ns{quantile=\"0.50\"} 2\n\
                    # TYPE g gauge\ng{le=\"1\"} 3\ngone 1\n";
        let rules = rules("[{source_labels: [__name__], regex: gone, action: drop}]").0;
        let mut s = Scraper::new(Intake { rules, ..Intake::default() });
        let (stored, counts, _) = s.text(text);
        let want = [
            r#"{__name__="g", …, le="1"} 3"#,
            r#"{__name__="h_bucket", …, le="1.0"} 1"#,
            r#"{__name__="s", …, quantile="0.5"} 2"#,
        ];
        assert_eq!(stored, want);
        assert_eq!((counts.scraped, counts.kept, counts.added), (4, 3, 3));
        assert_eq!(s.text(text).1, Counts { added: 0, ..counts });
    }

    #[test]
    fn bounds_of_gauges_stay_and_what_has_no_label_is_dropped() {
        let mut s = Scraper::new(Intake::default());
        let mut batch = Batch::default();
        let text = "# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_bucket{le=\"+Inf\"} 1\n# EOF\n";
        let read = |to: &mut Appender<'_>| format::read(text.as_bytes(), Protocol::OpenMetrics100, to);
        s.cache.scraped(&s.intake, s.now, &mut batch, read).1.unwrap();
        assert_eq!(s.told(&batch)[1], r#"{__name__="g_bucket", …, le="1"} 1"#);
        let rules = rules("[{regex: nothing, action: labelkeep}]").0;
        let mut s = Scraper::new(Intake { rules, ..Intake::default() });
        let (stored, counts, done) = s.text("a 1\n");
        assert!(done.is_ok() && stored.is_empty());
        assert_eq!((counts.scraped, counts.kept), (1, 0));
    }

    #[test]
    fn no_target_writes_into_a_monitors_own_series() {
        let text = "probe_success{monitor=\"m\",type=\"http\",instance=\"x\",job=\"\"} 1\na{job=\"\"} 1\n";
        let mut s = Scraper::new(Intake { honor_labels: true, ..Intake::default() });
        let want = [
            r#"{__name__="a", instance="i"} 1"#,
            r#"{__name__="probe_success", instance="x", job="j", monitor="m", type="http"} 1"#,
        ];
        assert_eq!(s.text(text).0, want);
    }

    #[test]
    fn limits_are_named() {
        #[track_caller]
        fn check(intake: Intake, text: &str, why: &str) {
            let mut s = Scraper::new(intake);
            drop(s.text("before 1\n"));
            let (stored, _, done) = s.text(text);
            assert_eq!(done.unwrap_err(), why, "{text}");
            assert_eq!(stored, [r#"{__name__="before", …} end"#]);
        }
        let none = Intake::default;
        check(Intake { sample_limit: 2, ..none() }, "a 1\nb 1\nc 1\n", "sample_limit exceeded: more than 2 samples");
        check(
            Intake { label_limit: 4, ..none() },
            "a{x=\"1\",y=\"2\"} 1\n",
            "label_limit exceeded: 5 labels of `a` (limit: 4)",
        );
        check(
            Intake { name_length: 10, ..none() },
            "a{eleven_char=\"1\"} 1\n",
            "label_name_length_limit exceeded: a label's name of 11 bytes of `a` (limit: 10)",
        );
        check(
            Intake { value_length: 10, ..none() },
            "a{x=\"12345678901\"} 1\n",
            "label_value_length_limit exceeded: a value of 11 bytes for `x` of `a` (limit: 10)",
        );
        let long = format!("a{{x=\"{}\"}} 1\n", "y".repeat(1 << 20));
        let mut s = Scraper::new(none());
        let why = s.text(&long).2.unwrap_err();
        assert!(why.starts_with("the store's limit of labels exceeded: 1048"), "{why}");
    }

    #[test]
    fn a_million_series_stay_within_the_limit() {
        let mut text = String::new();
        for n in 0..1_000_000 {
            text.push_str(&format!("a{{n=\"{n}\"}} 1\n"));
        }
        let mut s = Scraper::new(Intake { sample_limit: 10_000, ..Intake::default() });
        let (stored, counts, done) = s.text(&text);
        assert_eq!((stored.len(), counts.scraped, counts.added), (0, 1_000_000, 10_000));
        assert_eq!(done.unwrap_err(), "sample_limit exceeded: more than 10000 samples");
        assert!(s.cache.series.len() <= 10_000);
        // Texts that never become series do not pile up.
        let some = &text[..text.len() / 20];
        for n in 0..3 {
            let (.., done) = s.text(&some.replace("a{", &format!("a{n}{{")));
            assert!(done.is_err() && s.cache.series.len() <= 20_000 + GROWTH, "{}", s.cache.series.len());
        }
    }

    #[test]
    fn descriptions_are_told_when_they_change() {
        let mut s = Scraper::new(Intake::default());
        let mut describe = |text: &str| {
            let mut batch = Batch::default();
            let read = |to: &mut Appender<'_>| format::read(text.as_bytes(), Protocol::Text004, to);
            s.cache.scraped(&s.intake, s.now, &mut batch, read).1.unwrap()
        };
        let told = describe("# HELP a Things.\n# TYPE a counter\na 1\n");
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].0.as_str(), told[0].1.kind, told[0].1.help.as_str()), ("a", Kind::Counter, "Things."));
        assert!(describe("# HELP a Things.\n# TYPE a counter\na 1\n").is_empty());
        assert_eq!(describe("# HELP a Other.\n# TYPE a counter\na 1\n").len(), 1);
    }
}
