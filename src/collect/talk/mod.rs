//! What kinds share that connect, speak a protocol and judge: one deadline, one trace, one shape of evidence.
//!
//! [`endpoint`] is whom to talk to, [`security`] is whether to encrypt and who logs in, [`starttls`] asks for TLS in
//! eight protocols. [`wire`] reads and writes within bounds; client crates that do so themselves get a [`capped`] stream,
//! and [`linger`] ends what they started. [`http2`] asks once, [`script`] sends and expects what a person wrote.

pub mod capped;
pub mod endpoint;
pub mod http2;
pub mod linger;
pub mod script;
pub mod security;
pub mod starttls;
pub mod step;
#[cfg(test)]
pub(crate) mod testing;
pub mod wire;

use std::borrow::Cow;

use tokio::time::timeout_at;

use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::judge::unjudged;
use crate::collect::mask::Mask;
use crate::collect::trace::Trace;

/// Bytes of a peer's words that are kept as evidence.
pub const MAX_EVIDENCE: usize = 4 * 1024;

/// Titled texts, as evidence holds them.
pub type Items = Vec<(Cow<'static, str>, String)>;

/// A kind that talks.
pub trait Talk {
    /// What is known so far. It outlives the conversation, which the deadline may cut anywhere.
    type Said: Default + Send;

    /// Connects and speaks until everything that is asked for was heard.
    fn talk(
        &self,
        cx: &ProbeCx,
        trace: &mut Trace,
        said: &mut Self::Said,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Judges a conversation that came to its end.
    fn judge(&self, trace: &Trace, said: &Self::Said) -> Outcome;

    /// Names of all checks.
    fn checks(&self) -> Vec<&str>;

    /// Judges one that did not.
    fn failed(&self, _: &Trace, _: &Self::Said, fault: Fault) -> Outcome {
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.checks());
        outcome
    }

    /// Series beyond those of every connection.
    fn samples(&self, _: &Trace, _: &Self::Said, _: &mut Vec<Sample>) {}

    /// What was seen, beyond addresses and certificate.
    fn evidence(&self, said: &Self::Said, items: &mut Items);

    /// Whom it talks to, for people.
    fn target(&self) -> String;

    /// What must not be shown.
    fn mask(&self) -> &Mask;
}

/// Probes once.
pub async fn run<T: Talk>(kind: &T, cx: &ProbeCx) -> Outcome {
    let mut trace = Trace::start();
    let mut said = T::Said::default();
    let ended = timeout_at(cx.deadline, kind.talk(cx, &mut trace, &mut said)).await;
    let mut outcome = match trace.settle(ended, cx.deadline) {
        Ok(()) => kind.judge(&trace, &said),
        Err(fault) => {
            trace.fail();
            kind.failed(&trace, &said, fault)
        }
    };
    trace.network_samples(&mut outcome.samples);
    kind.samples(&trace, &said, &mut outcome.samples);
    if outcome.verdict != Verdict::Up || cx.show {
        let mut items = vec![("target".into(), kind.target())];
        if !trace.tried.is_empty() {
            let list: Vec<String> = trace.tried.iter().map(ToString::to_string).collect();
            items.push(("addresses tried".into(), list.join(", ")));
        }
        if let Some(cert) = &trace.cert {
            items.push(("certificate".into(), cert.describe()));
        }
        kind.evidence(&said, &mut items);
        outcome.evidence = Some(Evidence { items });
    }
    outcome.phases = trace.take_phases();
    kind.mask().hide_in(&mut outcome);
    outcome
}

/// The beginning of a peer's words, with a title that says how many there were.
pub fn words(bytes: &[u8]) -> Option<(Cow<'static, str>, String)> {
    if bytes.is_empty() {
        return None;
    }
    let shown = &bytes[..bytes.len().min(MAX_EVIDENCE)];
    Some((format!("answer ({} bytes)", bytes.len()).into(), String::from_utf8_lossy(shown).into_owned()))
}
