//! `type: http`: one request over a new connection, timed phase by phase and judged.
//!
//! [`spec`] reads the options, [`exchange`] makes one hop, [`redirect`] finds the next, [`decode`]
//! undoes one content encoding within limits, [`expect`] judges, [`evidence`] shows what was seen.
//! Connections are never reused: a probe measures what a new visitor gets.

pub mod decode;
pub mod evidence;
pub mod exchange;
pub mod expect;
pub mod redirect;
pub mod spec;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::http::exchange::Answer;
use crate::collect::http::expect::{Expect, Judgement};
use crate::collect::http::redirect::Hop;
use crate::collect::judge::unjudged;
use crate::collect::mask::Mask;
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};

/// Bodies up to this size are judged in place (0.1 ms); larger or encoded ones off the async threads.
const JUDGE_IN_PLACE: usize = 32 * 1024;

/// A checked `http` monitor.
#[derive(Debug)]
pub struct HttpProbe {
    first: Hop,
    tls: TlsSpec,
    max_redirects: usize,
    max_body: usize,
    expect: Arc<Expect>,
    mask: Mask,
}

/// How far a probe came; survives the deadline.
struct Run {
    trace: Trace,
    /// The hop that was asked last, when it is not the first.
    hop: Option<Hop>,
    redirects: usize,
    answer: Option<Answer>,
}

impl Collector for HttpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut run = Run { trace: Trace::start(), hop: None, redirects: 0, answer: None };
            let ended = timeout_at(cx.deadline, self.follow(cx, &mut run)).await;
            let mut outcome = match run.trace.settle(ended, cx.deadline) {
                Ok(()) => self.judge(cx, &mut run).await,
                Err(fault) => {
                    run.trace.fail();
                    let mut outcome = fault.outcome();
                    outcome.checks = unjudged(self.expect.names());
                    outcome
                }
            };
            self.describe(run, &mut outcome);
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }
}

impl HttpProbe {
    /// Asks, and follows redirects until an answer stands.
    async fn follow(&self, cx: &ProbeCx, run: &mut Run) -> Result<(), Fault> {
        let mut seen: Vec<String> = Vec::new();
        loop {
            run.answer = None;
            let hop = run.hop.as_ref().unwrap_or(&self.first);
            exchange::ask(hop, &self.tls, self.max_body, cx, &mut run.trace, &mut run.answer).await?;
            let Some(answer) = &run.answer else { return Ok(()) };
            if self.max_redirects == 0 {
                return Ok(());
            }
            let Some(next) = redirect::next(hop, answer, &self.mask)? else { return Ok(()) };
            seen.push(hop.identity());
            if seen.contains(&next.identity()) {
                return Err(Fault::target(
                    "redirect_loop",
                    format!("redirected in a circle, back to {}", next.shown()),
                ));
            }
            if run.redirects == self.max_redirects {
                let message = format!("more than {} redirects; the next would be {}", self.max_redirects, next.shown());
                return Err(Fault::target("redirect_limit", message));
            }
            run.redirects += 1;
            run.hop = Some(next);
        }
    }

    async fn judge(&self, cx: &ProbeCx, run: &mut Run) -> Outcome {
        let Some(mut answer) = run.answer.take() else {
            return Outcome::unknown("local_bug", "the probe ended without an answer");
        };
        let took = run.trace.elapsed();
        let facts = run.trace.cert.clone();
        let heavy = answer.body.len() > JUDGE_IN_PLACE || answer.is_encoded();
        let (outcome, answer) = if heavy {
            let expect = Arc::clone(&self.expect);
            let max_body = self.max_body;
            let work = tokio::task::spawn_blocking(move || {
                let outcome = judge(&expect, &mut answer, took, facts.as_ref(), max_body);
                (outcome, answer)
            });
            match timeout_at(cx.deadline + Duration::from_millis(50), work).await {
                Ok(Ok(done)) => done,
                Ok(Err(_)) | Err(_) => {
                    return Outcome::unknown("local_busy", "this machine had no time to judge the answer");
                }
            }
        } else {
            let outcome = judge(&self.expect, &mut answer, took, facts.as_ref(), self.max_body);
            (outcome, answer)
        };
        run.answer = Some(answer);
        outcome
    }

    /// Adds phases, series and, when something is wrong, evidence.
    fn describe(&self, mut run: Run, outcome: &mut Outcome) {
        let hop = run.hop.as_ref().unwrap_or(&self.first);
        if outcome.verdict != Verdict::Up {
            outcome.evidence = Some(evidence::of(hop, &run.trace, run.answer.as_ref(), run.redirects));
        }
        self.samples(&run, hop, &mut outcome.samples);
        outcome.phases = run.trace.take_phases();
    }

    fn samples(&self, run: &Run, hop: &Hop, out: &mut Vec<Sample>) {
        out.reserve(20);
        run.trace.network_samples(out);
        for name in phase::ALL {
            let took = run.trace.phases().iter().find(|p| p.name == name).map_or(0.0, |p| p.took.as_secs_f64());
            out.push(Sample {
                name: Cow::Borrowed("probe_http_duration_seconds"),
                labels: vec![(Cow::Borrowed("phase"), name.to_owned())],
                value: took,
            });
        }
        out.push(Sample::new("probe_http_redirects", run.redirects as f64));
        out.push(Sample::new("probe_http_ssl", if hop.is_tls() { 1.0 } else { 0.0 }));
        let Some(answer) = &run.answer else {
            out.push(Sample::new("probe_http_status_code", 0.0));
            return;
        };
        out.push(Sample::new("probe_http_status_code", f64::from(answer.status.as_u16())));
        out.push(Sample::new("probe_http_version", answer.version()));
        out.push(Sample::new("probe_http_content_length", answer.content_length().map_or(-1.0, |n| n as f64)));
        out.push(Sample::new("probe_http_uncompressed_body_length", answer.body.len() as f64));
        if answer.truncated {
            out.push(Sample::new("probe_http_body_truncated", 1.0));
        }
        if let Some(failed) = answer.regex_failed {
            out.push(Sample::new("probe_failed_due_to_regex", if failed { 1.0 } else { 0.0 }));
        }
    }
}

/// Decodes and judges: bounded work, linear in the size of the body.
fn judge(
    expect: &Expect,
    answer: &mut Answer,
    took: Duration,
    facts: Option<&crate::collect::cert::CertFacts>,
    max_body: usize,
) -> Outcome {
    let decoded = decode::decode(answer, max_body);
    let mut judgement = Judgement { answer, took, facts, judge: crate::collect::judge::Judge::default() };
    if let Err(fault) = &decoded {
        judgement.judge.fail(fault.class(), fault.message());
    }
    expect.judge(&mut judgement, decoded.is_ok());
    judgement.finish()
}
