//! Tells somebody outside, at a steady distance, that this engine can still page: the sign of life goes out only
//! after the evaluator and the outbox have answered. When it stays away, that somebody raises the alarm.
//!
//! A sign that does not get out is complained about on the board and is no alert: the path that would carry it may
//! be what is broken, and the other side notices by itself. The address may hold a secret and is never shown.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::base::failure::Chain;
use crate::base::message::DeliveryError;
use crate::config::deadman::Deadman as Settings;
use crate::engine::board::Report;
use crate::engine::evaluator::{EvalInput, Job};
use crate::engine::outbox::OutboxInput;
use crate::engine::reload::Applied;
use crate::notify::sending::{MAX_TIMEOUT, client, send};

/// The evaluator and the outbox answer within this, or something is wrong with them.
const PATIENCE: Duration = Duration::from_secs(15);
/// A sign that did not get out is tried again after this, if the next one is not due before.
const AGAIN: Duration = Duration::from_secs(10);
/// Signs that stay away before it is complained: one may be lost.
const BEARABLE: u32 = 2;

/// The actor.
pub struct Deadman {
    /// Where the settings come from.
    pub config: watch::Receiver<Applied>,
    /// The evaluator's inbox.
    pub evaluator: mpsc::Sender<EvalInput>,
    /// The outbox's inbox.
    pub outbox: mpsc::Sender<OutboxInput>,
    /// Told when nobody hears us.
    pub board: mpsc::Sender<Report>,
}

impl Deadman {
    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        // Ended where it stands: a sign of life from an engine that stops would be a lie.
        stop.run_until_cancelled(self.signs()).await;
    }

    async fn signs(&mut self) {
        let mut failures = 0;
        let mut complained = false;
        loop {
            let settings = self.config.borrow_and_update().config.heartbeat.clone();
            let due = Instant::now();
            let failed = match &settings {
                Some(settings) => self.sign(settings).await.err(),
                None => None,
            };
            failures = if failed.is_some() { failures + 1 } else { 0 };
            if let Some(why) = &failed {
                tracing::warn!(why, failures, "the sign of life did not get out");
            }
            if complained != (failures >= BEARABLE) {
                complained = !complained;
                let what = failed.as_ref().filter(|_| complained);
                let what = what.map(|why| format!("the sign of life (`heartbeat:`) does not get out: {why}"));
                // The board outlives this actor.
                let _ = self.board.send(Report::Complaint { part: "heartbeat", what }).await;
            }
            let pause = settings.map(|s| if failed.is_some() { s.interval.min(AGAIN) } else { s.interval });
            let changed = tokio::select! {
                changed = self.config.changed() => changed,
                () = until(pause.map(|pause| due + pause)) => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Looks whether we live, and says so.
    async fn sign(&self, settings: &Settings) -> Result<(), String> {
        self.lives().await?;
        let http = client().await.map_err(said)?;
        let url = settings.url.reveal();
        let request = if settings.post { http.post(url) } else { http.get(url) };
        let reply = send(request, MAX_TIMEOUT).await.map_err(said)?;
        // The answer may repeat the address, or the part of it that is the secret.
        let parts = url.split(['/', '?', '&', '=']).filter(|part| part.len() >= 8);
        let secrets: Vec<&str> = std::iter::once(url.as_str()).chain(parts).collect();
        reply.accepted(reply.excerpt(&secrets), None).map_err(said)
    }

    /// Whether those work without whom nobody is paged.
    async fn lives(&self) -> Result<(), String> {
        let (reply, evaluator) = oneshot::channel();
        let job = EvalInput::Job(Job::new(move |_| {
            // Whoever asked may have lost patience.
            let _ = reply.send(());
        }));
        let (health, outbox) = oneshot::channel();
        let ask = async {
            let sent = self.evaluator.send(job).await;
            sent.is_ok() && evaluator.await.is_ok()
        };
        if !timeout(PATIENCE, ask).await.unwrap_or(false) {
            return Err("the evaluator does not answer".to_owned());
        }
        let ask = async {
            let sent = self.outbox.send(OutboxInput::Health(health)).await;
            sent.is_ok() && outbox.await.is_ok()
        };
        if !timeout(PATIENCE, ask).await.unwrap_or(false) {
            return Err("the outbox does not answer".to_owned());
        }
        Ok(())
    }
}

/// Until then, or for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn said(e: DeliveryError) -> String {
    match e {
        DeliveryError::Retry { err, .. } | DeliveryError::Permanent(err) => Chain(&*err).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::secret::Secret;
    use crate::base::time::Timestamp;
    use crate::config::model::Config;
    use crate::wire::api::ConfigStatus;

    fn applied(url: Option<&str>) -> Applied {
        let interval = Duration::from_secs(60);
        let heartbeat = url.map(|url| Settings { url: Secret::new(url.to_owned()), interval, post: false });
        let status = ConfigStatus {
            dir: String::new(),
            loaded: Timestamp::from_millis(0),
            files: 1,
            monitors: 0,
            stale: Vec::new(),
            problems: Vec::new(),
        };
        Applied { config: Arc::new(Config { heartbeat, ..Config::default() }), status: Arc::new(status) }
    }

    #[tokio::test(start_paused = true)]
    async fn an_evaluator_that_does_not_answer_keeps_the_sign_back_and_is_complained_about_once() {
        // Nobody listens there; the address is never reached for.
        let (_keep, config) = watch::channel(applied(Some("http://127.0.0.1:1/secret-part")));
        let (evaluator, _unread) = mpsc::channel(16);
        let (outbox, _untouched) = mpsc::channel(1);
        let (board, mut reports) = mpsc::channel(8);
        let deadman = Deadman { config, evaluator, outbox, board };
        let stop = CancellationToken::new();
        let running = deadman.run(stop.clone());
        let watching = async {
            let Some(Report::Complaint { part, what: Some(what) }) = reports.recv().await else {
                panic!("expected a complaint")
            };
            assert_eq!(part, "heartbeat");
            assert!(what.contains("the evaluator does not answer") && !what.contains("secret-part"), "{what}");
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert!(reports.try_recv().is_err(), "said once");
            stop.cancel();
        };
        tokio::join!(running, watching);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_address_nothing_happens() {
        let (keep, config) = watch::channel(applied(None));
        let (evaluator, mut inbox) = mpsc::channel(1);
        let (outbox, _) = mpsc::channel(1);
        let (board, mut reports) = mpsc::channel(8);
        let deadman = Deadman { config, evaluator, outbox, board };
        let ended = timeout(Duration::from_secs(3_600), deadman.run(CancellationToken::new())).await;
        assert!(ended.is_err(), "it waits for settings");
        drop(keep);
        assert!(inbox.try_recv().is_err() && reports.try_recv().is_err());
    }
}
