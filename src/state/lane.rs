//! One connection on one thread, fed through a bounded queue.
//!
//! Jobs that wait together share one transaction, each in a savepoint of its own: one that fails
//! undoes itself and nothing else. Replies go out only after the commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::state::{StateError, open};

/// Jobs that may wait. A caller beyond that waits for room: a disk that is too slow must push back,
/// not grow memory.
const QUEUE: usize = 256;

/// Jobs in one transaction. Bounds how long the first waits for the last.
const BATCH: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Lane {
    queue: mpsc::Sender<Order>,
}

enum Order {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Job(_) => "Job",
            Self::Close(_) => "Close",
        })
    }
}

trait Job: Send {
    fn work(&mut self, db: &Connection) -> rusqlite::Result<()>;
    fn reply(self: Box<Self>, outcome: Result<(), StateError>);
}

struct Task<F, T> {
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StateError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn work(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.result = Some((self.work)(db)?);
        Ok(())
    }

    fn reply(self: Box<Self>, outcome: Result<(), StateError>) {
        let Self { result, reply, .. } = *self;
        let answer = outcome.and_then(|()| result.ok_or(StateError::Closed));
        // A caller that no longer waits does not need the answer.
        let _ = reply.send(answer);
    }
}

impl Lane {
    /// Starts the thread. `reopen` is the file to open afresh after an I/O error.
    pub(crate) fn start(name: &str, db: Connection, reopen: Option<PathBuf>) -> Result<Self, StateError> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(db, reopen.as_deref(), inbox))
            .map_err(|e| StateError::Thread(Arc::new(e)))?;
        Ok(Self { queue })
    }

    /// Runs `work` in a transaction and returns its value once that is committed. Dropping the future
    /// does not undo it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let (reply, answer) = oneshot::channel();
        let job = Order::Job(Box::new(Task { work, result: None, reply }));
        self.queue.send(job).await.map_err(|_| StateError::Closed)?;
        answer.await.map_err(|_| StateError::Closed)?
    }

    /// Returns once everything queued is done and the connection is closed.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Order::Close(done)).await.is_ok() {
            // An error means that the thread is gone: closed as well.
            let _ = closed.await;
        }
    }
}

fn serve(mut db: Connection, reopen: Option<&Path>, mut inbox: mpsc::Receiver<Order>) {
    let mut closing = None;
    while closing.is_none()
        && let Some(first) = inbox.blocking_recv()
    {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Job(job) => batch.push(job),
                Order::Close(done) => closing = Some(done),
            }
            next = (batch.len() < BATCH && closing.is_none()).then(|| inbox.try_recv().ok()).flatten();
        }
        if let Err(code) = transact(&mut db, batch)
            && code == ErrorCode::SystemIoFailure
            && let Some(path) = reopen
        {
            // After a failed write or sync the connection's view of the file cannot be trusted, and
            // a second sync may report success for data that was lost. A fresh connection reads back
            // what really is there; callers repeat what was not committed.
            match open::connect(path) {
                Ok(fresh) => db = fresh,
                Err(e) => tracing::error!(error = %e, "cannot reopen the state database"),
            }
        }
    }
    inbox.close();
    if let Err((_, e)) = db.close() {
        tracing::warn!(error = %e, "the state database did not close cleanly");
    }
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Runs the batch and answers every job. The error is the commit's, or the first job's.
fn transact(db: &mut Connection, batch: Vec<Box<dyn Job>>) -> Result<(), ErrorCode> {
    let mut outcomes = Vec::with_capacity(batch.len());
    match run_all(db, batch, &mut outcomes) {
        Ok(()) => {
            let mut first = Ok(());
            for (job, outcome) in outcomes {
                if let Err(e) = &outcome {
                    first = first.and(Err(code(e)));
                }
                job.reply(outcome.map_err(StateError::from));
            }
            first
        }
        Err((left, e)) => {
            let found = code(&e);
            let shared = Arc::new(e);
            for job in outcomes.into_iter().map(|(job, _)| job).chain(left) {
                job.reply(Err(StateError::Sql(shared.clone())));
            }
            Err(found)
        }
    }
}

type Outcomes = Vec<(Box<dyn Job>, rusqlite::Result<()>)>;

fn run_all(
    db: &mut Connection,
    batch: Vec<Box<dyn Job>>,
    outcomes: &mut Outcomes,
) -> Result<(), (Vec<Box<dyn Job>>, rusqlite::Error)> {
    let writable = !db.is_readonly("main").unwrap_or(false);
    let behavior = if writable { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
    let mut tx = match db.transaction_with_behavior(behavior) {
        Ok(tx) => tx,
        Err(e) => return Err((batch, e)),
    };
    let mut waiting = batch.into_iter();
    while let Some(mut job) = waiting.next() {
        let outcome = tx.savepoint().and_then(|point| {
            job.work(&point)?;
            point.commit()
        });
        match outcome {
            // A full disk, or memory that ran out, undoes the whole transaction. To go on would be
            // worse than to fail: the next savepoint would commit on its own.
            Err(e) if tx.is_autocommit() => return Err((std::iter::once(job).chain(waiting).collect(), e)),
            outcome => outcomes.push((job, outcome)),
        }
    }
    tx.commit().map_err(|e| (Vec::new(), e))
}

fn code(e: &rusqlite::Error) -> ErrorCode {
    e.sqlite_error_code().unwrap_or(ErrorCode::Unknown)
}
