//! Finds targets: those written down, and those that files, names or an address tell of.
//!
//! Each source is asked again when it is due, beside a round's scrapes unless it answers at once. What it said last
//! stays until it says something else: a source that fails takes no target away.

pub mod file;
pub mod names;
pub mod web;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::base::probe::ProbeCx;
use crate::base::units::Short;
use crate::collect::fault::Fault;
use crate::collect::mask::Mask;
use crate::collect::prometheus::discover::file::Files;
use crate::collect::prometheus::discover::names::Names;
use crate::collect::prometheus::discover::web::Web;
use crate::collect::prometheus::job::ADDRESS;
use crate::collect::prometheus::relabel::Draft;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// Targets that one source may tell of.
pub const MOST_TARGETS: usize = 100_000;
/// The part of a round's time, and the longest time, that scraping waits for sources which have been asked before, and
/// that is left of a round when they must have answered.
const MOMENT: (u32, Duration) = (20, Duration::from_millis(250));
/// Shortest and longest `refresh_interval`.
const REFRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// All sources of a job.
#[derive(Debug, Default)]
pub struct Discovery {
    fixed: Vec<Draft>,
    sources: Vec<Source>,
    /// Grows whenever a source says something else.
    version: AtomicU64,
}

#[derive(Debug)]
struct Source {
    kind: Kind,
    every: Duration,
    /// Held for a change or a walk over it.
    state: Mutex<State>,
}

#[derive(Debug)]
enum Kind {
    Files(Files),
    Names(Box<Names>),
    Web(Box<Web>),
}

#[derive(Debug, Default)]
struct State {
    found: Vec<Draft>,
    asked: Option<Instant>,
    /// It could not be asked last time.
    failed: bool,
    trouble: Option<Fault>,
}

impl Discovery {
    /// One target, written down.
    pub fn of(target: Draft) -> Self {
        Self { fixed: vec![target], ..Self::default() }
    }

    /// Reads `static_configs`, `file_sd_configs`, `dns_sd_configs` and `http_sd_configs`.
    ///
    /// What references in written targets and labels resolved to goes into `mask`: it may become a part of addresses.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask) -> Self {
        let mut fixed = Vec::new();
        each_of(fields, "static_configs", &mut |own| group(own, &mut fixed, mask));
        let mut sources = Vec::new();
        let mut add = |kind: Option<Kind>, every| {
            sources.extend(kind.map(|kind| Source { kind, every, state: Mutex::default() }));
        };
        each_of(fields, "file_sd_configs", &mut |own| {
            let every = refresh(own, Duration::from_secs(300));
            add(Files::read(own).map(Kind::Files), every);
        });
        each_of(fields, "dns_sd_configs", &mut |own| {
            let every = refresh(own, Duration::from_secs(30));
            add(Names::read(own).map(|names| Kind::Names(Box::new(names))), every);
        });
        each_of(fields, "http_sd_configs", &mut |own| {
            let every = refresh(own, Duration::from_secs(60));
            add(Web::read(own, every, mask).map(|web| Kind::Web(Box::new(web))), every);
        });
        Self { fixed, sources, version: AtomicU64::new(0) }
    }

    /// Whether there is no source at all.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.sources.is_empty()
    }

    /// The only source, for people; nothing where there are several.
    pub fn describe(&self) -> Option<String> {
        match (self.fixed.as_slice(), self.sources.as_slice()) {
            ([one], []) => Some(one.get(ADDRESS).to_owned()),
            ([], [one]) => Some(one.kind.describe()),
            _ => None,
        }
    }

    /// Grows whenever there is something else to be found.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Until when a round that begins now waits for sources before it scrapes what is known: for those that were never
    /// asked as long as its scrapes still have their `timeout`, or half of it, for others a moment.
    pub fn patience(&self, cx: &ProbeCx, timeout: Duration) -> Instant {
        let left = cx.remaining();
        let known = self.sources.iter().all(|source| {
            let state = source.state();
            state.asked.is_some() || state.failed
        });
        Instant::now() + if known { moment(left) } else { left.saturating_sub(timeout).max(left / 2) }
    }

    /// Asks the sources that are due, which have the whole round to answer, and says what is wrong with any.
    pub async fn refresh(&self, cx: &ProbeCx) -> Vec<Fault> {
        let left = cx.remaining();
        let deadline = Instant::now() + left.saturating_sub(moment(left));
        let changed = join_all(self.sources.iter().map(|source| source.refresh(cx, deadline))).await;
        if changed.contains(&true) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        self.sources.iter().filter_map(|s| s.state().trouble.clone()).collect()
    }

    /// How many sets of labels are found now.
    pub fn len(&self) -> usize {
        self.fixed.len() + self.sources.iter().map(|source| source.state().found.len()).sum::<usize>()
    }

    /// Gives everything that is found now.
    pub fn each(&self, give: &mut dyn FnMut(&Draft)) {
        self.fixed.iter().for_each(&mut *give);
        for source in &self.sources {
            source.state().found.iter().for_each(&mut *give);
        }
    }
}

impl Kind {
    fn describe(&self) -> String {
        match self {
            Self::Files(files) => files.describe(),
            Self::Names(names) => names.describe(),
            Self::Web(web) => web.describe(),
        }
    }
}

impl Source {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it says something else than before.
    async fn refresh(&self, cx: &ProbeCx, deadline: Instant) -> bool {
        let again = {
            let state = self.state();
            let failed = state.failed && matches!(self.kind, Kind::Files(_));
            failed || state.asked.is_none_or(|at| at.elapsed() >= self.every)
        };
        let asked = async {
            match &self.kind {
                // Looked at every time, which costs a look at their dates.
                Kind::Files(files) => files.ask(again).await,
                _ if !again => Ok(None),
                Kind::Names(names) => names.ask().await.map(Some),
                Kind::Web(web) => web.ask(cx, deadline).await.map(Some),
            }
        };
        let began = Instant::now();
        let answer = match timeout_at(deadline, asked).await {
            Ok(answer) => answer,
            Err(_) => {
                let limit = Short(deadline.saturating_duration_since(began));
                let message = format!("{}: no answer within {limit}", self.kind.describe());
                Err(match &self.kind {
                    Kind::Files(_) => Fault::local("local_files", message),
                    Kind::Names(_) => Fault::local("local_resolver", message),
                    Kind::Web(_) => Fault::target("timeout", message),
                })
            }
        };
        let mut state = self.state();
        match answer {
            Ok(None) => false,
            Ok(Some(mut found)) => {
                found.targets.truncate(MOST_TARGETS);
                (state.asked, state.failed) = (Some(Instant::now()), false);
                state.trouble = found.trouble;
                let other = state.found != found.targets;
                if other {
                    state.found = found.targets;
                }
                other
            }
            Err(why) => {
                (state.trouble, state.failed) = (Some(why), true);
                // One that has answered before is not asked more often because it fails.
                state.asked = state.asked.map(|_| Instant::now());
                false
            }
        }
    }
}

/// What a source said.
#[derive(Debug, Default)]
pub struct Found {
    /// Sets of labels, one for each target.
    pub targets: Vec<Draft>,
    /// What is wrong with a part of it.
    pub trouble: Option<Fault>,
}

/// A small part of a time.
fn moment(of: Duration) -> Duration {
    (of / MOMENT.0).min(MOMENT.1)
}

fn refresh(fields: &mut Fields<'_>, default: Duration) -> Duration {
    fields.duration("refresh_interval", REFRESH.0..=REFRESH.1).unwrap_or(default)
}

/// Reads each mapping of a list.
fn each_of<'a>(fields: &mut Fields<'a>, key: &'static str, read: &mut dyn FnMut(&mut Fields<'a>)) {
    let cx = fields.cx();
    match fields.node(key) {
        None => {}
        Some(Node { value: Value::Seq(items), .. }) => {
            for item in items {
                if let Some(mut own) = Fields::of(cx, item) {
                    read(&mut own);
                    own.finish();
                }
            }
        }
        Some(other) => {
            let message = format!("`{key}` takes a list, not {}", other.kind_name());
            fields.error(other.mark(), Code::WrongType, message, "begin each entry with `- `");
        }
    }
}

/// Reads `targets` and `labels` of one entry.
fn group(fields: &mut Fields<'_>, found: &mut Vec<Draft>, mask: &mut Mask) {
    let targets = fields.texts("targets");
    targets.iter().for_each(|text| mask.add_url(text));
    if targets.is_empty() {
        fields.missing("targets", "write the addresses: `targets: [\"db1:9100\", \"db2:9100\"]`");
    }
    let labels = fields.pairs("labels");
    labels.iter().for_each(|(_, text)| mask.add_url(text));
    for text in targets {
        if text.value().contains('/') || text.value().trim().is_empty() {
            let message = format!("`{}` is no address of a target", text.shown());
            let hint = "write `host:port`; scheme and path stand in `scheme:` and `metrics_path:`";
            fields.error(text.span, Code::BadValue, message, hint);
            continue;
        }
        let mut draft = Draft::default();
        labels.iter().for_each(|(entry, value)| draft.set(&entry.key, value.value()));
        draft.set(ADDRESS, text.value());
        found.push(draft);
    }
}
