//! A vector whose rows are made one at a time, so that an aggregation over many series holds only groups.
//!
//! A stream is rows that are there already, or series of a store (or of a subquery) with what makes a row
//! of each; then come functions that change a row in place. Rows are made by several threads and handed
//! over in order, so that results do not depend on how many there are.

use std::ops::Range;
use std::slice::ChunksMut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::base::labels::Labels;
use crate::promql::ast::Span;
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::meter::Meter;
use crate::promql::eval::names;
use crate::promql::eval::rows::{Head, Rows, SAME_LABELS};
use crate::promql::eval::source::{Make, Worker};
use crate::promql::func::notes::{Note, NoteSink};
use crate::promql::value::EvalError;

/// Most series whose rows a thread makes before it hands them over, and most values that they are.
const CHUNK: (usize, usize) = (16, 32_768);

/// Less work than this, in units of [`Make::weight`] (about 4 ns), is not worth a second thread: starting
/// one costs as much as 20 to 50 µs of work.
const PARALLEL: usize = 40_000;

/// Changes a row in place; absent places stay absent.
pub(crate) type Map<'a> = Box<dyn Fn(&mut [f64]) + Send + Sync + 'a>;

/// Takes a row: the number of its series, and the values.
type Take<'t> = dyn FnMut(usize, &[f64]) -> Result<(), EvalError> + Send + 't;

/// A vector, row by row.
pub(crate) struct Stream<'a> {
    width: usize,
    origin: Origin<'a>,
    /// What is done to a row once it is made.
    maps: Vec<Map<'a>>,
    /// Whether metric names are to be taken off the heads; nobody may need the labels without them.
    dropped: bool,
    /// Whether the metric name is the same in all series, so that taking it off keeps them different.
    one_name: bool,
}

enum Origin<'a> {
    Rows(Rows),
    Made(Made<'a>),
}

/// Series from which rows are made.
struct Made<'a> {
    make: Make<'a>,
    heads: Vec<Head>,
    /// Where the notes of the making stand.
    span: &'a Span,
}

/// What becomes of series that are the same without their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Same {
    /// They are joined if no step has samples of two.
    Join,
    /// The query fails if two of them have samples at all.
    Refuse,
}

impl<'a> Stream<'a> {
    /// Rows that are there.
    pub(crate) fn of(rows: Rows) -> Self {
        Self { width: rows.width(), origin: Origin::Rows(rows), maps: Vec::new(), dropped: false, one_name: false }
    }

    /// Rows that `make` makes of each of some series.
    pub(crate) fn made(width: usize, labels: Vec<Labels>, make: Make<'a>, span: &'a Span, one_name: bool) -> Self {
        let heads = labels.into_iter().map(|labels| Head { labels, unnamed: false }).collect();
        Self::of_heads(width, heads, make, span, one_name)
    }

    /// The same with heads of their own.
    pub(crate) fn of_heads(width: usize, heads: Vec<Head>, make: Make<'a>, span: &'a Span, one_name: bool) -> Self {
        let origin = Origin::Made(Made { make, heads, span });
        Self { width, origin, maps: Vec::new(), dropped: false, one_name }
    }

    /// Has the notes that making rows gives stand elsewhere in the query.
    pub(crate) fn noted_at(mut self, span: &'a Span) -> Self {
        if let Origin::Made(made) = &mut self.origin {
            made.span = span;
        }
        self
    }

    /// The series. Their labels still have the metric name if [`dropped`](Self::dropped).
    pub(crate) fn heads(&self) -> &[Head] {
        match &self.origin {
            Origin::Rows(rows) => rows.heads(),
            Origin::Made(made) => &made.heads,
        }
    }

    /// Whether metric names must be taken off the labels of [`heads`](Self::heads).
    pub(crate) const fn dropped(&self) -> bool {
        self.dropped
    }

    /// Lets every row be changed by `map`.
    #[must_use]
    pub(crate) fn mapped(mut self, map: Map<'a>) -> Self {
        self.maps.push(map);
        self
    }

    /// Takes the metric names off the series.
    ///
    /// # Errors
    /// Some became the same, and `same` or the samples do not allow that.
    pub(crate) fn unnamed(mut self, ev: &mut Evaluator<'_>, same: Same) -> Result<Self, EvalError> {
        if self.dropped {
            return Ok(self);
        }
        if ev.delayed {
            let heads = match &mut self.origin {
                Origin::Rows(rows) => rows.heads_mut(),
                Origin::Made(made) => &mut made.heads,
            };
            heads.iter_mut().for_each(|h| h.unnamed = true);
            return Ok(self);
        }
        self.dropped = true;
        if self.one_name && self.heads().iter().all(|h| !names::has_type_or_unit(&h.labels)) {
            return Ok(self);
        }
        // Different names may have become the same: only the samples tell whether that is allowed.
        let rows = self.collect(ev)?;
        match same {
            Same::Refuse if rows.has_same_labels() => Err(EvalError::Execution(SAME_LABELS.to_owned())),
            Same::Join | Same::Refuse => Ok(Self::of(rows.joined()?)),
        }
    }

    /// All rows.
    ///
    /// # Errors
    /// Series could not be read, or a limit was reached.
    pub(crate) fn collect(self, ev: &mut Evaluator<'_>) -> Result<Rows, EvalError> {
        let Self { width, origin, maps, dropped, .. } = self;
        let mut rows = match origin {
            Origin::Rows(mut rows) => {
                for i in 0..rows.len() {
                    maps.iter().for_each(|map| map(rows.row_mut(i)));
                }
                rows
            }
            Origin::Made(made) => made.collect(width, &maps, ev)?,
        };
        if dropped {
            rows.heads_mut().iter_mut().for_each(|h| h.labels = names::without_name(&h.labels));
        }
        Ok(rows)
    }

    /// Hands over all rows in order.
    ///
    /// # Errors
    /// Series could not be read, a limit was reached, or `take` failed.
    pub(crate) fn for_each(&self, ev: &mut Evaluator<'_>, take: &mut Take<'_>) -> Result<(), EvalError> {
        match &self.origin {
            Origin::Rows(rows) if self.maps.is_empty() => (0..rows.len()).try_for_each(|i| take(i, rows.row(i))),
            Origin::Rows(rows) => {
                let _held = ev.meter.take(self.width)?;
                let mut row = vec![0.0; self.width];
                (0..rows.len()).try_for_each(|i| {
                    row.copy_from_slice(rows.row(i));
                    self.maps.iter().for_each(|map| map(&mut row));
                    take(i, &row)
                })
            }
            Origin::Made(made) if made.threads(self.width, ev) > 1 => {
                made.for_each_in_threads(self.width, &self.maps, ev, take)
            }
            Origin::Made(made) => {
                let notes = made.for_each(self.width, &self.maps, &ev.meter, take)?;
                made.note(ev, notes);
                Ok(())
            }
        }
    }
}

impl Made<'_> {
    /// How many threads are worth it.
    fn threads(&self, width: usize, ev: &Evaluator<'_>) -> usize {
        let work = self.heads.len().saturating_mul(self.make.weight(width));
        if work < PARALLEL { 1 } else { ev.threads.min(self.heads.len()) }
    }

    /// How many series a thread takes at a time.
    fn chunk(&self, width: usize, threads: usize) -> usize {
        let (series, values) = CHUNK;
        (self.heads.len() / (4 * threads)).min(series).min(values / width.max(1)).max(1)
    }

    fn note(&self, ev: &mut Evaluator<'_>, notes: Vec<Note>) {
        let mut sink = ev.book.at(self.span);
        notes.into_iter().for_each(|n| sink.note(n));
    }

    fn collect(self, width: usize, maps: &[Map<'_>], ev: &mut Evaluator<'_>) -> Result<Rows, EvalError> {
        let threads = self.threads(width, ev);
        let per_chunk = self.chunk(width, threads);
        let mut rows = Rows::absent(width, self.heads.clone(), &ev.meter)?;
        // One lock per chunk; each chunk is written by the thread that took it.
        let chunks = Mutex::new(rows.values_mut().chunks_mut((per_chunk * width).max(1)).enumerate());
        let run = || -> Result<Vec<(usize, Note)>, EvalError> {
            let mut found = Vec::new();
            let mut worker = self.make.worker(&ev.meter)?;
            loop {
                let next = lock(&chunks).next();
                let Some((c, chunk)) = next else { return Ok(found) };
                let mut notes: Vec<Note> = Vec::new();
                for (i, row) in (c * per_chunk..).zip(chunk.chunks_mut(width.max(1))) {
                    worker.row(i, &self.heads[i], row, &mut notes)?;
                    maps.iter().for_each(|map| map(row));
                }
                found.extend(notes.into_iter().map(|n| (c, n)));
            }
        };
        let mut notes = in_threads(threads, &run)?.concat();
        notes.sort_by_key(|(c, _)| *c);
        self.note(ev, notes.into_iter().map(|(_, n)| n).collect());
        rows.counted()
    }

    fn for_each(
        &self,
        width: usize,
        maps: &[Map<'_>],
        meter: &Arc<Meter>,
        take: &mut Take<'_>,
    ) -> Result<Vec<Note>, EvalError> {
        let _held = meter.take(width)?;
        let mut row = vec![0.0; width];
        let mut notes: Vec<Note> = Vec::new();
        let mut worker = self.make.worker(meter)?;
        for (i, head) in self.heads.iter().enumerate() {
            worker.row(i, head, &mut row, &mut notes)?;
            maps.iter().for_each(|map| map(&mut row));
            take(i, &row)?;
        }
        Ok(notes)
    }

    fn for_each_in_threads(
        &self,
        width: usize,
        maps: &[Map<'_>],
        ev: &mut Evaluator<'_>,
        take: &mut Take<'_>,
    ) -> Result<(), EvalError> {
        let n = self.heads.len();
        let threads = self.threads(width, ev);
        let per_chunk = self.chunk(width, threads);
        let next = AtomicUsize::new(0);
        let handover = Handover::new(take);
        let run = || -> Result<(), EvalError> {
            let _guard = StopOnPanic(&handover);
            let _held = ev.meter.take(per_chunk * width)?;
            let mut buffer = vec![0.0; per_chunk * width];
            let mut worker = self.make.worker(&ev.meter)?;
            loop {
                let c = next.fetch_add(1, Ordering::Relaxed);
                let series = c * per_chunk..n.min((c + 1) * per_chunk);
                if series.is_empty() {
                    return Ok(());
                }
                let mut notes = Vec::new();
                let made = self.fill(series.clone(), &mut worker, maps, buffer.chunks_mut(width.max(1)), &mut notes);
                if !handover.pass(c, made.map(|()| ChunkRows { series, values: &buffer, width, notes }))? {
                    return Ok(());
                }
            }
        };
        in_threads(threads, &run)?;
        let notes = handover.state.into_inner().unwrap_or_else(PoisonError::into_inner).notes;
        self.note(ev, notes);
        Ok(())
    }

    fn fill(
        &self,
        series: Range<usize>,
        worker: &mut Worker<'_>,
        maps: &[Map<'_>],
        rows: ChunksMut<'_, f64>,
        notes: &mut Vec<Note>,
    ) -> Result<(), EvalError> {
        for (i, row) in series.zip(rows) {
            worker.row(i, &self.heads[i], row, notes)?;
            maps.iter().for_each(|map| map(row));
        }
        Ok(())
    }
}

/// Where threads hand their rows over, chunk after chunk in order of the series.
struct Handover<'t> {
    /// Protects the taker and the order; held while a chunk is taken.
    state: Mutex<State<'t>>,
    /// Rung when a chunk was taken, or nothing more will be.
    taken: Condvar,
}

/// Some rows on their way.
struct ChunkRows<'b> {
    series: Range<usize>,
    values: &'b [f64],
    width: usize,
    notes: Vec<Note>,
}

struct State<'t> {
    /// The chunk whose turn it is.
    turn: usize,
    /// A thread failed: nobody waits any more.
    stopped: bool,
    take: &'t mut Take<'t>,
    notes: Vec<Note>,
}

impl<'t> Handover<'t> {
    fn new(take: &'t mut Take<'t>) -> Self {
        let state = State { turn: 0, stopped: false, take, notes: Vec::new() };
        Self { state: Mutex::new(state), taken: Condvar::new() }
    }

    /// Hands a chunk over once it is its turn. False if another thread failed meanwhile.
    fn pass(&self, chunk: usize, made: Result<ChunkRows<'_>, EvalError>) -> Result<bool, EvalError> {
        let mut state = lock(&self.state);
        while made.is_ok() && state.turn != chunk && !state.stopped {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let result = match made {
            Ok(_) if state.stopped => Ok(false),
            Ok(rows) => state.take(rows).map(|()| true),
            Err(err) => Err(err),
        };
        state.stopped |= result.is_err();
        drop(state);
        self.taken.notify_all();
        result
    }
}

impl State<'_> {
    fn take(&mut self, rows: ChunkRows<'_>) -> Result<(), EvalError> {
        for (i, row) in rows.series.zip(rows.values.chunks(rows.width.max(1))) {
            (self.take)(i, row)?;
        }
        rows.notes.into_iter().for_each(|n| self.notes.note(n));
        self.turn += 1;
        Ok(())
    }
}

/// A panic of one thread must reach the caller, not leave the others waiting for its turn.
struct StopOnPanic<'h, 't>(&'h Handover<'t>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).stopped = true;
            self.0.taken.notify_all();
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the same work in so many threads, of which this is one, and gives what each returned.
fn in_threads<T: Send>(threads: usize, run: &(impl Fn() -> Result<T, EvalError> + Sync)) -> Result<Vec<T>, EvalError> {
    if threads <= 1 {
        return Ok(vec![run()?]);
    }
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = vec![run()];
        for other in others {
            all.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all.into_iter().collect()
    })
}
