//! Answers questions about series: PromQL, and which series, labels and values there are.
//!
//! At most as many at a time as the configuration allows; further ones wait their turn, and the wait
//! counts against their deadline. Evaluation runs on blocking threads; those that serve connections
//! answer only what takes no longer than asking another thread. When the asker goes away, or time is up, the evaluation ends within a millisecond or so.

pub mod metrics;
pub mod names;
pub mod select;
mod tiny;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::base::clock::Clock;
use crate::config::storage::QueryLimits;
use crate::engine::query::metrics::{Kind, QueryMetrics};
use crate::engine::storage::{Store, StoreError};
use crate::promql::ast::{Expr, Type};
use crate::promql::eval::eval;
use crate::promql::parser::{self, Features};
use crate::promql::source::{Resolution, SourceError};
use crate::promql::value::{Answer, Cancel, EvalError, Limits, Query, Times};
use crate::tsdb::Tsdb;

/// Longest text of a query, or of all selectors of a request, in bytes.
pub const MAX_TEXT: usize = 64 << 10;
/// Up to here reading a text is not worth another thread: it takes about 20 µs.
const SHORT_TEXT: usize = 1 << 10;

/// A question in PromQL.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The query.
    pub text: String,
    /// When.
    pub at: Times,
    /// How far instant selectors look back, if not as configured.
    pub lookback: Option<Duration>,
    /// Longest time, if shorter than configured.
    pub timeout: Option<Duration>,
    /// The resolution to read, or the store's choice.
    pub resolution: Option<Resolution>,
}

/// The answer to a question in PromQL.
#[derive(Debug)]
pub struct Done {
    /// The value and what it cost.
    pub answer: Answer,
    /// Waiting for a turn.
    pub queued: Duration,
    /// Reading the text.
    pub parsing: Duration,
    /// Evaluation.
    pub evaluation: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not a query.
    #[error(transparent)]
    Text(parser::QueryError),
    /// The text is longer than [`MAX_TEXT`].
    #[error("the text has {0} bytes, more than {MAX_TEXT}")]
    TooLong(usize),
    /// A query whose value has no steps, over a range.
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    NoRange(&'static str),
    /// There is no store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Time was up.
    #[error("query timed out in {0}")]
    Timeout(&'static str),
    /// Too much, or not computable, or the store failed.
    #[error(transparent)]
    Evaluation(#[from] EvalError),
    /// A mistake of ours.
    #[error("the evaluation crashed")]
    Crashed,
}

impl From<SourceError> for QueryError {
    fn from(e: SourceError) -> Self {
        Self::Evaluation(e.into())
    }
}

/// Everything that can be asked of the store.
#[derive(Debug)]
pub struct Queries {
    clock: Clock,
    store: Arc<Store>,
    metrics: QueryMetrics,
    threads: usize,
    active: ArcSwap<Active>,
    /// The turn of what changes the store.
    changing: Arc<Semaphore>,
}

/// The limits in force, and the turns they allow. Queries of before a change keep their turns.
#[derive(Debug)]
struct Active {
    limits: QueryLimits,
    turns: Arc<Semaphore>,
}

impl Active {
    fn new(limits: QueryLimits) -> Self {
        Self { limits, turns: Arc::new(Semaphore::new(limits.concurrency)) }
    }
}

/// Ends a query when whoever waits for it goes away, or time is up.
struct Waiter<'a> {
    cancel: Cancel,
    metrics: &'a QueryMetrics,
    /// Somebody heard how it ended.
    told: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.cancel.cancel();
        if !self.told {
            self.metrics.abandoned();
        }
    }
}

impl Queries {
    /// A service for `store`.
    pub fn new(clock: Clock, store: Arc<Store>, metrics: QueryMetrics) -> Self {
        Self {
            clock,
            store,
            metrics,
            threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            active: ArcSwap::from_pointee(Active::new(QueryLimits::default())),
            changing: Arc::new(Semaphore::new(1)),
        }
    }

    /// Sets other limits from now on.
    pub fn configure(&self, limits: QueryLimits) {
        if self.active.load().limits != limits {
            self.active.store(Arc::new(Active::new(limits)));
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> QueryLimits {
        self.active.load().limits
    }

    /// What the parser understands.
    pub fn features(&self) -> Features {
        if self.limits().experimental { Features::all() } else { Features::stable() }
    }

    /// Answers a question in PromQL. Dropping the future ends the evaluation.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&self, ask: Ask) -> Result<Done, QueryError> {
        self.answer(ask, |done| done).await
    }

    /// The same, and makes something of the answer where it was found: on a blocking thread, unless both are small.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn answer<T: Send + 'static>(
        &self,
        ask: Ask,
        make: impl FnOnce(Done) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let kind = match ask.at {
            Times::Instant(_) => Kind::Instant,
            Times::Range { .. } => Kind::Range,
        };
        let Ask { text, at, lookback, timeout, resolution } = ask;
        let (features, limits) = (self.features(), self.limits());
        let lookback = millis(lookback.unwrap_or(limits.lookback));
        let threads = self.threads;
        let began = Instant::now();
        let answer = async {
            let read = Text { text, kind, features }.read_if_short()?;
            let tsdb = self.store.open()?;
            let evaluate = move |Parsed { text, expr, .. }: &Parsed, tsdb: &Tsdb, within: &Limits| {
                let query = Query {
                    expr,
                    text,
                    at,
                    lookback,
                    default_step: millis(limits.default_step),
                    resolution,
                    delayed_name_removal: limits.experimental,
                };
                eval(&query, tsdb, within)
            };
            let within = move |cancel: &Cancel| Limits {
                max_samples: limits.max_samples,
                max_series: limits.max_series,
                threads,
                cancel: cancel.clone(),
            };
            if let Ok(parsed) = &read
                && tiny::may_be_tried(&parsed.expr, at, lookback, &tsdb)
                && let Some(_turn) = self.turn_at_once()
            {
                let running = self.metrics.running(kind);
                let tried = evaluate(parsed, &tsdb, &tiny::limits(&within(&Cancel::default())));
                drop(running);
                if !tried.as_ref().is_err_and(tiny::was_too_large) {
                    let queued = Duration::ZERO;
                    self.metrics.queued(queued);
                    let answer = tried?;
                    let samples = answer.stats.samples;
                    let (parsing, evaluation) = (parsed.took, began.elapsed().saturating_sub(parsed.took));
                    return Ok((make(Done { answer, queued, parsing, evaluation }), samples));
                }
            }
            let work = move |cancel: &Cancel, queued| {
                let parsed = read.or_else(Text::read)?;
                let began = Instant::now();
                let answer = evaluate(&parsed, &tsdb, &within(cancel))?;
                let (parsing, evaluation) = (parsed.took, began.elapsed());
                let samples = answer.stats.samples;
                Ok((make(Done { answer, queued, parsing, evaluation }), samples))
            };
            self.run(began, kind, timeout, work).await.map(|(made, _)| made)
        };
        let done = answer.await;
        self.metrics.ended(kind, began.elapsed(), done.as_ref().err());
        done.map(|(made, samples)| {
            self.metrics.samples(samples);
            made
        })
    }

    /// A turn, if it is free.
    fn turn_at_once(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.active.load().turns).try_acquire_owned().ok()
    }

    /// Reads a text of `length` bytes: a short one at once, a longer one on a blocking thread in its turn.
    ///
    /// # Errors
    /// It is too long, or those of `read`.
    pub async fn reading<T: Send + 'static>(
        &self,
        length: usize,
        read: impl FnOnce() -> Result<T, parser::QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let began = Instant::now();
        let read = || read().map_err(QueryError::Text);
        let done = match length {
            ..=SHORT_TEXT => read(),
            n if n <= MAX_TEXT => self.run(began, Kind::Text, None, move |_, _| read()).await.map(|(done, _)| done),
            _ => Err(QueryError::TooLong(length)),
        };
        self.metrics.ended(Kind::Text, began.elapsed(), done.as_ref().err());
        done
    }

    /// Runs `work` on a blocking thread once it is its turn. Gives how long that took, too.
    ///
    /// # Errors
    /// Time was up, there is no store, or those of `work`.
    pub async fn in_turn<T: Send + 'static>(
        &self,
        kind: Kind,
        patience: Option<Duration>,
        work: impl FnOnce(&Tsdb, &Cancel) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<(T, Duration), QueryError> {
        let began = Instant::now();
        let done = match self.store.open() {
            Ok(tsdb) => self.run(began, kind, patience, move |cancel, _| work(&tsdb, cancel)).await,
            Err(e) => Err(e.into()),
        };
        self.metrics.ended(kind, began.elapsed(), done.as_ref().err());
        done
    }

    /// Changes the store on a blocking thread: one after another, as long as it takes, beside the queries.
    async fn alone(
        &self,
        change: impl FnOnce(&Tsdb) -> Result<(), QueryError> + Send + 'static,
    ) -> Result<(), QueryError> {
        let began = Instant::now();
        let done = async {
            let tsdb = self.store.open()?;
            // Never closed.
            let turn = Arc::clone(&self.changing).acquire_owned().await.map_err(|_| QueryError::Crashed)?;
            let running = self.metrics.running(Kind::Admin);
            let job = spawn_blocking(move || {
                let (_turn, _running) = (turn, running);
                change(&tsdb)
            });
            job.await.map_err(|_| QueryError::Crashed)?
        };
        let done = done.await;
        self.metrics.ended(Kind::Admin, began.elapsed(), done.as_ref().err());
        done
    }

    /// Gives `work` how long it waited.
    async fn run<T: Send + 'static>(
        &self,
        began: Instant,
        kind: Kind,
        patience: Option<Duration>,
        work: impl FnOnce(&Cancel, Duration) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<(T, Duration), QueryError> {
        let active = self.active.load_full();
        let most = active.limits.timeout;
        let deadline = began + patience.map_or(most, |asked| asked.min(most));
        let cancel = Cancel::default();
        let mut waiter = Waiter { cancel: cancel.clone(), metrics: &self.metrics, told: false };
        let waiting = self.metrics.waiting();
        let turn: OwnedSemaphorePermit = match timeout_at(deadline, Arc::clone(&active.turns).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            // Never closed: only time can have been up.
            Ok(Err(_)) | Err(_) => {
                waiter.told = true;
                return Err(QueryError::Timeout("query queue"));
            }
        };
        drop(waiting);
        let queued = began.elapsed();
        self.metrics.queued(queued);
        let running = self.metrics.running(kind);
        let job = spawn_blocking(move || {
            // Held until the work has really ended, not only until nobody waits for it.
            let (_turn, _running) = (turn, running);
            work(&cancel, queued)
        });
        let ended = timeout_at(deadline, job).await;
        waiter.told = true;
        match ended {
            Ok(Ok(done)) => Ok((done?, queued)),
            Ok(Err(_)) => Err(QueryError::Crashed),
            Err(_) => Err(QueryError::Timeout("expression evaluation")),
        }
    }

    /// Now, by the engine's clock.
    pub fn now(&self) -> crate::base::time::Timestamp {
        self.clock.now()
    }
}

/// A query that was not read yet.
struct Text {
    text: String,
    kind: Kind,
    features: Features,
}

struct Parsed {
    text: String,
    expr: Expr,
    took: Duration,
}

impl Text {
    /// Reads a short text, gives a longer one back.
    fn read_if_short(self) -> Result<Result<Parsed, Self>, QueryError> {
        match self.text.len() {
            ..=SHORT_TEXT => self.read().map(Ok),
            n if n <= MAX_TEXT => Ok(Err(self)),
            length => Err(QueryError::TooLong(length)),
        }
    }

    fn read(self) -> Result<Parsed, QueryError> {
        let began = Instant::now();
        let expr = parser::parse_query(&self.text, self.features).map_err(QueryError::Text)?;
        if self.kind == Kind::Range && !matches!(expr.ty(), Type::Scalar | Type::Vector) {
            return Err(QueryError::NoRange(expr.ty().text()));
        }
        Ok(Parsed { text: self.text, expr, took: began.elapsed() })
    }
}

pub(super) fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::promql::value::Value;
    use crate::tsdb::Options;

    fn service(concurrency: usize) -> (Queries, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let (store, clock) = (Arc::<Store>::default(), Clock::system());
        let tsdb = Tsdb::open(dir.path(), Options::default(), clock.now()).unwrap();
        drop(store.set(Ok(Arc::new(tsdb))));
        let queries = Queries::new(clock, store, QueryMetrics::default());
        queries.configure(QueryLimits { concurrency, ..QueryLimits::default() });
        (queries, dir)
    }

    #[tokio::test]
    async fn a_query_whose_asker_goes_away_ends() {
        let (queries, _dir) = service(1);
        let ((begun, has_begun), (ended, has_ended)) = (mpsc::channel(), mpsc::channel());
        let work = move |_: &Tsdb, cancel: &Cancel| {
            begun.send(()).unwrap();
            while !cancel.cancelled() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
            Ok(())
        };
        {
            let mut asking = std::pin::pin!(queries.in_turn(Kind::Instant, None, work));
            while has_begun.try_recv().is_err() {
                assert!(futures_util::poll!(asking.as_mut()).is_pending());
                tokio::task::yield_now().await;
            }
        }
        spawn_blocking(move || has_ended.recv()).await.unwrap().unwrap();
        assert_eq!(queries.metrics.failed("cancelled"), 1);
        let next = queries.in_turn(Kind::Instant, None, |_, _| Ok(7)).await;
        assert_eq!(next.unwrap().0, 7, "its turn is free again");
    }

    #[tokio::test]
    async fn a_tiny_query_is_answered_at_once_and_a_larger_one_in_its_turn() {
        let (queries, _dir) = service(1);
        let tsdb = queries.store.open().unwrap();
        let now = queries.now().millis();
        let mut batch = crate::tsdb::Batch::default();
        for n in 0..10 {
            let i = if n == 9 { "b" } else { "a" };
            let labels = [("__name__", "m"), ("i", i), ("job", "j"), ("n", &n.to_string())];
            batch.series(&crate::base::labels::Labels::new(labels).to_buf());
            batch.push(now - 31_000, f64::from(n));
            batch.push(now - 1_000, f64::from(n));
        }
        tsdb.append(&batch, crate::tsdb::Ack::Written, queries.now()).unwrap();
        let ask = |text: &str, at| Ask { text: text.to_owned(), at, lookback: None, timeout: None, resolution: None };
        let range = Times::Range { start: now - 60_000, end: now, step: 15_000 };
        let text = r#"m{i="b"}"#;
        let mut tiny = std::pin::pin!(queries.answer(ask(text, range), |done| done.answer.value));
        let std::task::Poll::Ready(at_once) = futures_util::poll!(tiny.as_mut()) else { panic!("it waits") };
        let in_turn = queries.ask(ask(r#"m{i=~"b.*"}"#, range)).await.unwrap();
        let at_once = at_once.unwrap();
        assert_eq!(at_once, in_turn.answer.value);
        let Value::Matrix(all) = at_once else { panic!("no matrix") };
        assert_eq!(all[0].points.len(), 3);
        // Small by its looks only: what was tried at once gives its turn back and begins anew.
        let larger = queries.ask(ask(r#"count(m{job="j"})"#, Times::Instant(now))).await.unwrap();
        let Value::Vector(all) = larger.answer.value else { panic!("no vector") };
        assert_eq!(all[0].v, 10.0);
    }

    #[tokio::test]
    async fn one_too_many_waits_until_its_time_is_up() {
        let (queries, _dir) = service(1);
        let (release, held) = mpsc::channel::<()>();
        let first = queries.in_turn(Kind::Range, None, move |_, _| {
            // Ends when the sender is dropped.
            let _ = held.recv();
            Ok(())
        });
        let second = async {
            while queries.metrics.active(Kind::Range) == 0 {
                tokio::task::yield_now().await;
            }
            let patience = Some(Duration::from_millis(20));
            let late = queries.in_turn(Kind::Range, patience, |_, _| Ok(())).await;
            assert!(matches!(late, Err(QueryError::Timeout("query queue"))), "{late:?}");
            drop(release);
        };
        let (first, ()) = tokio::join!(first, second);
        first.unwrap();
    }

    #[tokio::test]
    async fn who_leaves_the_queue_and_what_is_no_query_count() {
        let (queries, _dir) = service(1);
        let (release, held) = mpsc::channel::<()>();
        let mut first = std::pin::pin!(queries.in_turn(Kind::Range, None, move |_, _| {
            // Ends when the sender is dropped.
            let _ = held.recv();
            Ok(())
        }));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        {
            let mut second = std::pin::pin!(queries.in_turn(Kind::Range, None, |_, _| Ok(())));
            assert!(futures_util::poll!(second.as_mut()).is_pending());
        }
        assert_eq!(queries.metrics.failed("cancelled"), 1);
        drop(release);
        first.await.unwrap();
        let range = Times::Range { start: 0, end: 1, step: 1 };
        let long = |text: &str, len: usize| text.to_owned() + &" ".repeat(len);
        let bad = [
            ("up +".to_owned(), Times::Instant(0)),
            ("up[5m]".to_owned(), range),
            (long("up +", SHORT_TEXT), Times::Instant(0)),
            (long("up[5m]", SHORT_TEXT), range),
            (long("up", MAX_TEXT), range),
        ];
        for (text, at) in bad {
            let ask = Ask { text, at, lookback: None, timeout: None, resolution: None };
            queries.ask(ask).await.unwrap_err();
        }
        assert_eq!((queries.metrics.failed("text"), queries.metrics.failed("cancelled")), (5, 1));
    }

    #[tokio::test]
    async fn deletion_waits_for_no_query() {
        let (queries, _dir) = service(1);
        let (release, held) = mpsc::channel::<()>();
        let mut query = std::pin::pin!(queries.in_turn(Kind::Range, None, move |_, _| {
            // Ends when the sender is dropped.
            let _ = held.recv();
            Ok(())
        }));
        assert!(futures_util::poll!(query.as_mut()).is_pending());
        let all = crate::promql::parser::parse_series_selectors(&["{__name__!=''}"]).unwrap();
        queries.delete(all, 0, 1).await.unwrap();
        queries.clean_tombstones().await.unwrap();
        drop(release);
        query.await.unwrap();
    }

    #[tokio::test]
    async fn time_that_is_up_ends_the_work() {
        let (queries, _dir) = service(1);
        let (ended, has_ended) = mpsc::channel();
        let work = move |_: &Tsdb, cancel: &Cancel| {
            while !cancel.cancelled() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
            Ok(())
        };
        let late = queries.in_turn(Kind::Range, Some(Duration::from_millis(20)), work).await;
        assert_eq!(late.unwrap_err().to_string(), "query timed out in expression evaluation");
        spawn_blocking(move || has_ended.recv()).await.unwrap().unwrap();
        assert_eq!(queries.metrics.failed("cancelled"), 0, "it was told so");
    }

    #[tokio::test]
    async fn without_a_store_the_reason_is_told() {
        let store = Arc::<Store>::default();
        let queries = Queries::new(Clock::system(), Arc::clone(&store), QueryMetrics::default());
        let ask = || async { queries.in_turn(Kind::Names, None, |_, _| Ok(())).await.unwrap_err().to_string() };
        assert_eq!(ask().await, "the series store is being opened");
        drop(store.set(Err(StoreError::Broken("no space".into()))));
        assert_eq!(ask().await, "the series store could not be opened: no space");
    }
}
