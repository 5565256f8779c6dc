//! One target while its job runs: what is remembered of it, and one scrape.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{StatusCode, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::base::batch::Batch;
use crate::base::labels::{Labels, LabelsBuf, METRIC_NAME};
use crate::base::metadata::Meta;
use crate::base::probe::ProbeCx;
use crate::base::sample::STALE_NAN;
use crate::base::scraped::Target as Shown;
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;
use crate::collect::http::exchange::Answer;
use crate::collect::http::{decode, redirect};
use crate::collect::mask::Mask;
use crate::collect::prometheus::access::{authorize, from_file};
use crate::collect::prometheus::cache::{Cache, Counts};
use crate::collect::prometheus::format;
use crate::collect::prometheus::job::{Job, Place, tell_timeout};
use crate::collect::prometheus::round::{Limit, Span};
use crate::collect::trace::Trace;

/// What is written about every scrape, in Prometheus' order.
const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
/// Answers up to this size are read in place (0.1 ms); larger or compressed ones off the async threads.
const READ_IN_PLACE: usize = 32 << 10;
/// What is kept of an answer that was not understood, in bytes and headers.
const SHOWN_BYTES: usize = 4 << 10;
const SHOWN_HEADERS: usize = 50;
/// Scrapes of a round that start this soon after it have its time, as Prometheus has it.
const SAME_MOMENT: Duration = Duration::from_millis(2);
/// How long reading an answer may take beyond the deadline before it is left to end by itself.
const READ_GRACE: Duration = Duration::from_millis(50);

/// A target and its memory.
#[derive(Debug)]
pub struct Target {
    /// The labels it was found with.
    pub discovered: Labels,
    /// What it is.
    pub place: Place,
    /// The labels of its reports.
    reports: [Labels; 5],
    /// Held while an answer is read, on one thread at a time; nobody else but the API's reader waits for it.
    memory: Mutex<Memory>,
    /// What was not handed over yet: a probe that is dropped, or does not wait for its reading, leaves it to the next.
    /// Held for a push or a take.
    ready: Mutex<Ready>,
    /// Held by the scrape under way, on whatever thread: what it has not read yet must not be reported as missing.
    turn: Arc<Semaphore>,
    /// Held for a copy.
    shown: Mutex<Health>,
}

#[derive(Debug)]
struct Memory {
    cache: Cache,
    /// Scraped at least once, so that its reports are alive.
    reported: bool,
}

#[derive(Debug, Default)]
struct Ready {
    batch: Batch,
    described: Vec<(String, Meta)>,
    /// Series that are alive.
    live: usize,
}

#[derive(Clone, Debug, Default)]
struct Health {
    healthy: Option<bool>,
    error: String,
    last: Option<Timestamp>,
    took: Duration,
}

/// What a scrape gave.
#[derive(Debug)]
pub struct Scrape {
    /// Why it failed.
    pub fault: Option<Fault>,
    /// Series that are alive now.
    pub live: usize,
    /// Samples to be stored.
    pub batch: Batch,
    /// What is new about metrics.
    pub described: Vec<(String, Meta)>,
    /// Phases and addresses.
    pub trace: Trace,
    /// The start of the answer, when the scrape failed.
    pub answer: Option<Answer>,
    /// What no message may show of it: the job's secrets, and those that stood in files.
    pub mask: Mask,
}

impl Scrape {
    fn busy() -> Self {
        Self::none("the answer before is still being read on this machine")
    }

    /// Of a target that was not scraped: nothing is written about it.
    pub fn missed() -> Self {
        Self::none("this machine had no turn or no time for this target")
    }

    fn none(message: &str) -> Self {
        Self {
            fault: Some(Fault::local("local_busy", message)),
            live: 0,
            batch: Batch::default(),
            described: Vec::new(),
            trace: Trace::start(),
            answer: None,
            mask: Mask::default(),
        }
    }
}

impl Target {
    /// A target that was not scraped yet.
    pub fn new(discovered: Labels, place: Place) -> Self {
        let report = |name: &str| {
            let mut buf: LabelsBuf = place.labels.to_buf();
            buf.set(METRIC_NAME, name);
            buf.labels()
        };
        let memory = Mutex::new(Memory { cache: Cache::new(place.labels.clone()), reported: false });
        let (reports, turn) = (REPORTS.map(report), Arc::new(Semaphore::new(1)));
        Self { discovered, reports, memory, ready: Mutex::default(), turn, shown: Mutex::default(), place }
    }

    /// The same target, found with other labels: what it remembers stays. Nothing while an answer is being read.
    pub fn renewed(&self, discovered: &Labels, place: Place) -> Option<Arc<Self>> {
        let _turn = self.turn.try_acquire().ok()?;
        let renewed = Self::new(discovered.clone(), place);
        std::mem::swap(&mut *renewed.memory(), &mut *self.memory());
        std::mem::swap(&mut *renewed.ready(), &mut *self.ready());
        let health = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *renewed.shown.lock().unwrap_or_else(PoisonError::into_inner) = health;
        Some(Arc::new(renewed))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encoded labels of every series that is alive.
    pub fn live(&self, each: &mut dyn FnMut(&str)) {
        let memory = self.memory();
        memory.cache.live(each);
        if memory.reported {
            self.reports.iter().for_each(|labels| each(labels.as_key()));
        }
    }

    /// Ends every series, for a target that is gone since `t`.
    pub fn end(&self, t: i64, batch: &mut Batch) {
        self.live(&mut |key| {
            batch.series_of(key);
            batch.push(t, STALE_NAN);
        });
    }

    /// For people.
    pub fn shown(&self, job: &Job) -> Shown {
        let Health { healthy, error, last, took } = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut url = self.place.url.clone();
        job.mask.hide(&mut url);
        Shown {
            discovered: job.masked(&self.discovered),
            labels: job.masked(&self.place.labels),
            url,
            healthy,
            error,
            last,
            took,
            interval: job.interval,
            timeout: self.place.timeout,
        }
    }

    /// Scrapes once, at a moment of a round. Whatever happens, the reports say so, unless it had too little time to tell.
    pub async fn scrape(
        self: &Arc<Self>,
        job: &Arc<Job>,
        cx: &ProbeCx,
        (span, limit): (Span, Limit),
        forced: Option<&Fault>,
    ) -> Scrape {
        let started = Instant::now();
        // Times a moment apart would cost space, and say nothing.
        let late = started.saturating_duration_since(span.began);
        let at = if late < SAME_MOMENT { cx.now } else { cx.now.plus(late) };
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return self.handed_over() };
        let deadline = limit.at;
        let mut trace = Trace::start();
        let mut answer = None;
        let mut mask = job.mask.clone();
        let fetched = match forced {
            Some(fault) => Err(fault.clone()),
            None => {
                let fetched = self.fetch(job, cx, limit, &mut trace, (&mut answer, &mut mask));
                let ended = timeout_at(deadline, fetched).await;
                trace.settle(ended, deadline)
            }
        };
        if limit.is_short && fetched.is_err() && Instant::now() >= deadline {
            return Scrape { trace, mask, ..Scrape::missed() };
        }
        let body = match (fetched, &mut answer) {
            (Ok(()), Some(answer)) => Ok((std::mem::take(&mut answer.body), answer.is_encoded())),
            (Ok(()), None) => Err(Fault::local("local_bug", "the scrape ended without an answer")),
            (Err(fault), _) => {
                trace.fail();
                Err(fault)
            }
        };
        let small = body.as_ref().is_ok_and(|(body, encoded)| body.len() <= READ_IN_PLACE && !encoded);
        let head = answer.as_ref().map(without_body);
        let (target, job) = (Arc::clone(self), Arc::clone(job));
        let (fault, seen) = if small || body.is_err() {
            target.take(&job, &mask, body.map(|(body, _)| (body, head)), at, started)
        } else {
            let mask = mask.clone();
            let work = tokio::task::spawn_blocking(move || {
                let _held = turn;
                target.take(&job, &mask, body.map(|(body, _)| (body, head)), at, started)
            });
            match timeout_at(span.ends + READ_GRACE, work).await {
                Ok(Ok(done)) => done,
                Ok(Err(_)) => (Some(Fault::local("local_bug", "reading the answer crashed")), None),
                // It goes on, and the next scrape hands its samples over.
                Err(_) => {
                    let message = "this machine had no time to read the answer";
                    (Some(Fault::local("local_busy", message)), None)
                }
            }
        };
        match (&mut answer, seen) {
            (Some(answer), Some(seen)) => answer.body = seen,
            (Some(answer), None) => show_body(answer),
            (None, _) => {}
        }
        let answer = answer.filter(|_| fault.is_some());
        Scrape { fault, trace, answer, mask, ..self.handed_over() }
    }

    /// A scrape with what there is to hand over.
    fn handed_over(&self) -> Scrape {
        let mut ready = self.ready();
        let (batch, described) = (std::mem::take(&mut ready.batch), std::mem::take(&mut ready.described));
        Scrape { batch, described, live: ready.live, ..Scrape::busy() }
    }

    async fn fetch(
        &self,
        job: &Job,
        cx: &ProbeCx,
        limit: Limit,
        trace: &mut Trace,
        (slot, mask): (&mut Option<Answer>, &mut Mask),
    ) -> Result<(), Fault> {
        let mut hop = self.place.hop.clone().map_err(|why| Fault::target("target", why))?;
        if let Some(value) = from_file(&job.access, mask).await? {
            authorize(&mut hop, value);
        }
        // An exporter that asks in our name divides its time by what it is told.
        if limit.time < self.place.timeout {
            tell_timeout(&mut hop, limit.time);
        }
        redirect::follow(&job.client, hop, job.redirects, mask, cx, trace, slot).await?;
        match slot {
            Some(answer) if answer.status != StatusCode::OK => {
                let status = answer.status_text();
                Err(Fault::target("status", format!("server returned HTTP status {status}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes an answer in, or that there is none, and writes the reports. Returns the start of what was not
    /// understood, too.
    fn take(
        &self,
        job: &Job,
        mask: &Mask,
        answer: Result<(Vec<u8>, Option<Answer>), Fault>,
        at: Timestamp,
        started: Instant,
    ) -> (Option<Fault>, Option<Vec<u8>>) {
        let t = at.millis();
        let mut memory = self.memory();
        let Memory { cache, reported } = &mut *memory;
        let mut described = Vec::new();
        let mut counts = Counts::default();
        let mut seen = None;
        let mut stored = Batch::default();
        // The report's duration covers the reading, too, where there is an answer to read.
        let mut took = started.elapsed();
        let read = answer.and_then(|(body, head)| {
            let mut answer = head.ok_or_else(|| Fault::local("local_bug", "an answer without a head"))?;
            answer.body = body;
            decode::decode(&mut answer, job.body_limit.saturating_sub(1))?;
            if answer.truncated {
                let message = format!("body_size_limit exceeded: the answer has {} bytes or more", job.body_limit);
                return Err(Fault::target("body_size_limit", message));
            }
            Ok(answer)
        });
        let fault = match read {
            Ok(answer) if answer.body.is_empty() => {
                cache.failed(t, &mut stored);
                None
            }
            Ok(answer) => {
                let content = answer.headers.get(header::CONTENT_TYPE).map(|v| String::from_utf8_lossy(v.as_bytes()));
                let content = content.unwrap_or_default();
                let (found, result) = match format::of(content.trim(), job.fallback) {
                    Ok(protocol) => {
                        let (found, result) =
                            cache.scraped(&job.intake, t, &mut stored, |to| format::read(&answer.body, protocol, to));
                        (found, result.map_err(|why| Fault::target("exposition", why.to_string())))
                    }
                    Err(why) => {
                        cache.failed(t, &mut stored);
                        (Counts::default(), Err(Fault::target("content_type", why)))
                    }
                };
                counts = found;
                took = started.elapsed();
                match result {
                    Ok(news) => {
                        described = news;
                        None
                    }
                    Err(fault) => {
                        let mut body = answer.body;
                        body.truncate(SHOWN_BYTES);
                        seen = Some(body);
                        Some(fault)
                    }
                }
            }
            Err(fault) => {
                cache.failed(t, &mut stored);
                Some(fault)
            }
        };
        let values = [
            if fault.is_none() { 1.0 } else { 0.0 },
            took.as_secs_f64(),
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
        ];
        for (labels, value) in self.reports.iter().zip(values) {
            stored.series_of(labels.as_key());
            stored.push(t, value);
        }
        *reported = true;
        let live = cache.live_count();
        drop(memory);
        let mut ready = self.ready();
        match ready.batch.is_empty() {
            true => ready.batch = stored,
            false => ready.batch.extend(&stored),
        }
        ready.described.extend(described);
        ready.live = live;
        drop(ready);
        let error = fault.as_ref().map_or_else(String::new, |f| {
            let mut text = f.message().to_owned();
            mask.hide(&mut text);
            text
        });
        let health = Health { healthy: Some(fault.is_none()), error, last: Some(at), took };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = health;
        (fault, seen)
    }
}

/// Makes the beginning of a body that was not read fit to be shown.
fn show_body(answer: &mut Answer) {
    // Decoded in place: what is large is not, and a part of it says nothing.
    let readable = !answer.is_encoded() || answer.body.len() <= READ_IN_PLACE;
    if !readable || decode::decode(answer, READ_IN_PLACE).is_err() {
        answer.body.clear();
    }
    answer.body.truncate(SHOWN_BYTES);
}

/// The head of an answer.
fn without_body(answer: &Answer) -> Answer {
    Answer {
        status: answer.status,
        reason: answer.reason.clone(),
        http_version: answer.http_version,
        headers: answer.headers.clone(),
        body: Vec::new(),
        truncated: answer.truncated,
        regex_failed: None,
    }
}

/// What was seen of a target that is down.
pub fn evidence(
    target: &Target,
    trace: &Trace,
    answer: Option<&Answer>,
    fault: &Fault,
) -> Vec<(Cow<'static, str>, String)> {
    let mut items: Vec<(Cow<'static, str>, String)> = vec![("target".into(), target.place.url.clone())];
    items.push(("error".into(), fault.message().to_owned()));
    match (trace.peer, trace.tried.as_slice()) {
        (Some(peer), _) => items.push(("address".into(), peer.to_string())),
        (None, []) => {}
        (None, tried) => {
            let list: Vec<String> = tried.iter().map(ToString::to_string).collect();
            items.push(("addresses tried".into(), list.join(", ")));
        }
    }
    if let Some(cert) = &trace.cert {
        items.push(("certificate".into(), cert.describe()));
    }
    if let Some(answer) = answer {
        let mut head = format!("HTTP/{:.1} {}\n", answer.version(), answer.status_text());
        for (name, value) in answer.headers.iter().take(SHOWN_HEADERS) {
            head += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
        }
        head.truncate(head.floor_char_boundary(SHOWN_BYTES));
        items.push(("response".into(), head));
        if !answer.body.is_empty() {
            let shown = &answer.body[..answer.body.len().min(SHOWN_BYTES)];
            items.push(("body (its first 4 KiB)".into(), String::from_utf8_lossy(shown).into_owned()));
        }
    }
    items
}
