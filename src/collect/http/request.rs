//! One request with its redirects, and what its answer must be: a whole monitor, or one step of it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderValue};
use reqwest::Url;
use tokio::time::timeout_at;

use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::ProbeCx;
use crate::collect::cert::CertFacts;
use crate::collect::fault::{Fault, describe};
use crate::collect::files::{self, Looks};
use crate::collect::http::auth::Auth;
use crate::collect::http::exchange::{self, Answer, Client};
use crate::collect::http::expect::{Expect, Judgement};
use crate::collect::http::hop::Hop;
use crate::collect::http::jar::Jar;
use crate::collect::http::oauth::{OAuth2, Word};
use crate::collect::http::{decode, evidence, redirect};
use crate::collect::judge::{Judge, unjudged};
use crate::collect::mask::Mask;
use crate::collect::trace::{Trace, phase};

/// Bodies up to this size are judged in place (0.1 ms); larger or encoded ones off the async threads.
pub(super) const JUDGE_IN_PLACE: usize = 32 * 1024;
/// Bytes of a `body_file`.
const MAX_BODY_FILE: u64 = 16 << 20;

/// A checked request.
#[derive(Debug)]
pub struct Request {
    /// The first hop. Headers and body are complete, but for what is only known during the probe.
    pub first: Hop,
    /// A file that holds the body, read in every probe.
    pub body_file: Option<BodyFile>,
    /// What is answered to a challenge, or fetched first.
    pub auth: Option<Arc<Auth>>,
    /// Redirects that are followed.
    pub max_redirects: usize,
    /// What the answer must be.
    pub expect: Arc<Expect>,
}

/// A file that holds a body. One that hangs costs one thread.
#[derive(Debug)]
pub struct BodyFile {
    path: PathBuf,
    looks: Looks,
}

/// What the requests of one probe share.
#[derive(Debug)]
pub struct Session<'a> {
    /// How servers are reached.
    pub client: &'a Client,
    /// What is hidden; grows by tokens and extracted values.
    pub mask: Cow<'a, Mask>,
    /// `None` when cookies are not kept.
    pub jar: Option<Jar>,
}

/// How far a request came; survives the deadline.
#[derive(Debug)]
pub struct Run {
    /// Times and addresses.
    pub trace: Trace,
    /// The hop that was asked last, when it is not the first.
    pub hop: Option<Hop>,
    redirects: usize,
    /// What came back last.
    pub answer: Option<Answer>,
    /// Whether a challenge was answered.
    challenged: bool,
    token: Option<Word>,
}

impl Run {
    /// A request that has not begun; `hop` takes the place of the first.
    pub fn new(hop: Option<Hop>) -> Self {
        let trace = Trace::start();
        Self { trace, hop, redirects: 0, answer: None, challenged: false, token: None }
    }

    /// What was seen. Not masked yet.
    pub fn evidence(&self, request: &Request, session: &Session<'_>) -> Evidence {
        let hop = self.hop.as_ref().unwrap_or(&request.first);
        evidence::of(hop, &self.trace, self.answer.as_ref(), self.redirects, session.client)
    }
}

impl Request {
    /// Asks, judges and describes. The texts of the outcome are not masked yet.
    pub async fn run(&self, run: &mut Run, session: &mut Session<'_>, cx: &ProbeCx) -> Outcome {
        let ended = timeout_at(cx.deadline, self.follow(run, session, cx)).await;
        let mut outcome = match run.trace.settle(ended, cx.deadline) {
            Ok(()) => self.judge(cx, run, session.client.max_body).await,
            Err(fault) => {
                run.trace.fail();
                let mut outcome = fault.outcome();
                outcome.checks = unjudged(self.expect.names());
                outcome
            }
        };
        let hop = run.hop.as_ref().unwrap_or(&self.first);
        if outcome.verdict != Verdict::Up || cx.show {
            outcome.evidence = Some(run.evidence(self, session));
        }
        samples(run, hop, &mut outcome.samples);
        outcome.phases = run.trace.take_phases();
        outcome
    }

    /// Asks, and follows redirects until an answer stands.
    async fn follow(&self, run: &mut Run, session: &mut Session<'_>, cx: &ProbeCx) -> Result<(), Fault> {
        if self.body_file.is_some() || self.auth.is_some() {
            Box::pin(self.prepare(run, session, cx)).await?;
        }
        // Whom the credentials are for: whoever else asks for them does not get them.
        let home = self.auth.is_some().then(|| run.hop.as_ref().unwrap_or(&self.first).url().origin());
        let mut seen: Vec<String> = Vec::new();
        loop {
            run.answer = None;
            let hop = run.hop.as_ref().unwrap_or(&self.first);
            let asked = exchange::ask(session.client, hop, cx, &mut run.trace, &mut run.answer).await;
            asked.map_err(|fault| if run.redirects > 0 { fault.led_by_target() } else { fault })?;
            if let Some(auth) = &self.auth
                && home.as_ref() == Some(&hop.url().origin())
                && let Some(mut next) = Box::pin(self.challenged(auth, run, session, cx)).await?
            {
                if let (Some(jar), Some(answer)) = (&mut session.jar, &run.answer) {
                    jar.store(next.url(), &answer.headers);
                    next.set_cookies(jar.header(next.url()));
                }
                run.challenged = true;
                run.hop = Some(next);
                continue;
            }
            let hop = run.hop.as_ref().unwrap_or(&self.first);
            let Some(answer) = &run.answer else { return Ok(()) };
            if self.max_redirects == 0 {
                return Ok(());
            }
            let Some(mut next) = redirect::next(hop, answer, &session.mask)? else { return Ok(()) };
            if let Some(jar) = &mut session.jar {
                jar.store(hop.url(), &answer.headers);
                next.set_cookies(jar.header(next.url()));
            }
            if let Some(Auth::Digest(_)) = self.auth.as_deref() {
                // The answer was for one address; the next asks anew.
                next.remove_header(&header::AUTHORIZATION);
                run.challenged = false;
            }
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

    /// What must be fetched before the first request can be sent.
    async fn prepare(&self, run: &mut Run, session: &mut Session<'_>, cx: &ProbeCx) -> Result<(), Fault> {
        if let Some(file) = &self.body_file {
            let body = file.read().await?;
            let hop = run.hop.get_or_insert_with(|| self.first.clone());
            hop.set_body(body, true);
        }
        if let Some(Auth::OAuth2(oauth)) = self.auth.as_deref() {
            let value = bearer(oauth, run, session, cx).await?;
            let hop = run.hop.get_or_insert_with(|| self.first.clone());
            hop.set_header(header::AUTHORIZATION, value, true);
        }
        Ok(())
    }

    /// The next request after a `401`, when there is an answer to it. A token that was refused is forgotten; if it
    /// was an old one, a new one may do.
    async fn challenged(
        &self,
        auth: &Auth,
        run: &mut Run,
        session: &mut Session<'_>,
        cx: &ProbeCx,
    ) -> Result<Option<Hop>, Fault> {
        let hop = run.hop.as_ref().unwrap_or(&self.first);
        let Some(answer) = run.answer.as_ref().filter(|a| a.status == StatusCode::UNAUTHORIZED) else {
            return Ok(None);
        };
        let mut next = hop.clone();
        let value = match auth {
            Auth::Digest(digest) if !run.challenged => {
                let cnonce = format!("{:032x}", fastrand::u128(..));
                let uri = hop.target().to_string();
                digest.answer(&answer.headers, hop.method().as_str(), &uri, &cnonce)
            }
            Auth::OAuth2(oauth) => {
                let Some(word) = &run.token else { return Ok(None) };
                oauth.forget(&word.text).await;
                match word.was_kept && !run.challenged {
                    true => Some(bearer(oauth, run, session, cx).await?),
                    false => None,
                }
            }
            Auth::Digest(_) | Auth::Header(_) => None,
        };
        Ok(value.map(|value| {
            next.set_header(header::AUTHORIZATION, value, true);
            next
        }))
    }

    async fn judge(&self, cx: &ProbeCx, run: &mut Run, max_body: usize) -> Outcome {
        let Some(mut answer) = run.answer.take() else {
            return Outcome::unknown("local_bug", "the probe ended without an answer");
        };
        let hop = run.hop.as_ref().unwrap_or(&self.first);
        let (took, redirects) = (run.trace.elapsed(), run.redirects);
        let heavy = answer.body.len() > JUDGE_IN_PLACE || answer.is_encoded();
        let (outcome, answer) = if heavy {
            let expect = Arc::clone(&self.expect);
            let (url, facts) = (hop.url().clone(), run.trace.cert.clone());
            let work = tokio::task::spawn_blocking(move || {
                let seen = Seen { url: &url, redirects, took, facts: facts.as_ref() };
                let outcome = judge(&expect, &mut answer, &seen, max_body);
                (outcome, answer)
            });
            match timeout_at(cx.deadline + Duration::from_millis(50), work).await {
                Ok(Ok(done)) => done,
                Ok(Err(_)) | Err(_) => {
                    return Outcome::unknown("local_busy", "this machine had no time to judge the answer");
                }
            }
        } else {
            let seen = Seen { url: hop.url(), redirects, took, facts: run.trace.cert.as_ref() };
            let outcome = judge(&self.expect, &mut answer, &seen, max_body);
            (outcome, answer)
        };
        run.answer = Some(answer);
        outcome
    }
}

/// A token as a header's value. Tokens that no header may have were refused.
async fn bearer(oauth: &OAuth2, run: &mut Run, session: &mut Session<'_>, cx: &ProbeCx) -> Result<HeaderValue, Fault> {
    let word = oauth.token(session.client, cx, &mut run.trace).await?;
    session.mask.to_mut().add(&word.text);
    let mut value = HeaderValue::try_from(format!("Bearer {}", word.text))
        .map_err(|_| Fault::target("oauth2", "the token has characters that none may have"))?;
    value.set_sensitive(true);
    run.token = Some(word);
    Ok(value)
}

impl BodyFile {
    /// Of this path.
    pub fn new(path: PathBuf) -> Self {
        Self { path, looks: Looks::at_credentials() }
    }

    async fn read(&self) -> Result<Bytes, Fault> {
        let refuse = |why: &str| Fault::local("local_body_file", format!("`{}`: {why}", self.path.display()));
        let path = self.path.clone();
        match self.looks.run_soon(move |_| files::read(&path, MAX_BODY_FILE)).await {
            Ok(Ok(body)) => Ok(Bytes::from(body)),
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::FileTooLarge => Err(refuse("not a file of at most 16 MiB")),
            Ok(Err(e)) => Err(refuse(&describe(&e))),
            Err(fault) => Err(refuse(fault.message())),
        }
    }
}

/// What else was seen of an answer.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Where it came from in the end.
    pub url: &'a Url,
    /// After how many redirects.
    pub redirects: usize,
    /// From the start of the probe to the end of the body.
    pub took: Duration,
    /// What the certificates say, on TLS.
    pub facts: Option<&'a CertFacts>,
}

/// Decodes and judges: bounded work, linear in the size of the body.
fn judge(expect: &Expect, answer: &mut Answer, seen: &Seen<'_>, max_body: usize) -> Outcome {
    let decoded = decode::decode(answer, max_body);
    let mut judgement = Judgement { answer, seen, judge: Judge::default() };
    if let Err(fault) = &decoded {
        judgement.judge.fail(fault.class(), fault.message());
    }
    expect.judge(&mut judgement, decoded.is_ok());
    judgement.finish()
}

fn samples(run: &Run, hop: &Hop, out: &mut Vec<Sample>) {
    out.reserve(15);
    run.trace.network_samples(out);
    for name in phase::ALL {
        let took = run.trace.phases().iter().find(|p| p.name == name).map_or(0.0, |p| p.took.as_secs_f64());
        out.push(Sample::new("probe_http_duration_seconds", took).word("phase", name));
    }
    out.push(Sample::new("probe_http_redirects", run.redirects as f64));
    out.push(Sample::new("probe_http_ssl", if hop.is_tls() && run.answer.is_some() { 1.0 } else { 0.0 }));
    // blackbox_exporter has these as 0 without an answer, and the others below not at all.
    let answer = run.answer.as_ref();
    let of = |value: fn(&Answer) -> f64| answer.map_or(0.0, value);
    out.push(Sample::new("probe_http_status_code", of(|a| f64::from(a.status.as_u16()))));
    out.push(Sample::new("probe_http_version", of(Answer::version)));
    out.push(Sample::new("probe_http_content_length", of(|a| a.content_length().map_or(-1.0, |n| n as f64))));
    out.push(Sample::new("probe_http_uncompressed_body_length", of(|a| a.body.len() as f64)));
    out.push(Sample::new("probe_failed_due_to_regex", of(|a| if a.regex_failed == Some(true) { 1.0 } else { 0.0 })));
    if let Some(at) = answer.and_then(Answer::last_modified) {
        out.push(Sample::new("probe_http_last_modified_timestamp_seconds", at as f64));
    }
    if answer.is_some_and(|a| a.truncated) {
        out.push(Sample::new("probe_http_body_truncated", 1.0));
    }
}
