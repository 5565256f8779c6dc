//! A conversation that a person wrote: sends, waits, encrypts, and judges what came.
//!
//! One engine for streams and datagrams: a [`Medium`] hears more and says whether what it heard last is complete.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::outcome::{Outcome, Sample};
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;
use crate::collect::judge::{Judge, Latency, TextCheck, found, unjudged};
use crate::collect::mask::Mask;
use crate::collect::talk::step::{Expect, Known, Pattern, Payload, Step, piece};
use crate::collect::talk::wire::{Heard, MAX_HEARD, Wire};
use crate::collect::tls::TlsSpec;
use crate::collect::trace::{Trace, phase};
use crate::config::fields::Fields;
use crate::config::report::Code;

/// What a script speaks over.
pub trait Medium {
    /// Whether what comes at once is whole, without a line's end.
    const WHOLE: bool;

    /// What was heard.
    fn heard(&mut self) -> &mut Heard;

    /// Waits for more; 0 at the end.
    fn hear(&mut self) -> impl Future<Output = Result<usize, Fault>> + Send;

    /// Sends; `binary` is of interest to those that tell text and bytes apart.
    fn send(&mut self, bytes: &[u8], binary: bool) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Encrypts what follows.
    fn encrypt(
        &mut self,
        tls: &TlsSpec,
        host: &str,
        now: Timestamp,
        trace: &mut Trace,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Medium for Wire<'_, S> {
    const WHOLE: bool = false;

    fn heard(&mut self) -> &mut Heard {
        self.heard
    }

    async fn hear(&mut self) -> Result<usize, Fault> {
        Wire::hear(self).await
    }

    async fn send(&mut self, bytes: &[u8], _: bool) -> Result<(), Fault> {
        Wire::send(self, bytes).await
    }

    async fn encrypt(&mut self, tls: &TlsSpec, host: &str, now: Timestamp, trace: &mut Trace) -> Result<(), Fault> {
        Wire::encrypt(self, tls, host, now, trace).await
    }
}

/// How a step encrypts.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The options; `None` where the kind has no TLS.
    pub tls: Option<&'a TlsSpec>,
    /// Whom the certificate must be for.
    pub host: &'a str,
    /// The time of the probe.
    pub now: Timestamp,
}

/// The options of a conversation.
#[derive(Debug)]
pub struct Script {
    send: Option<Payload>,
    expect: Vec<TextCheck>,
    steps: Vec<Step>,
    latency: Latency,
}

/// How far a script came.
#[derive(Debug, Default)]
pub struct Spoken {
    /// What the peer said.
    pub heard: Heard,
    /// What each step with an expectation found.
    found: Vec<String>,
    /// Labels that steps extracted.
    labels: Vec<(String, String)>,
    /// Whether an expression did not match, where one was tried.
    regex_failed: Option<bool>,
}

impl Script {
    /// Reads `send`, `send_line`, `send_hex`, `expect`, `steps` and `latency`.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask) -> Self {
        Self::read_with(fields, mask, |_| {})
    }

    /// The same, with what else a kind takes below `expect`.
    pub fn read_with(fields: &mut Fields<'_>, mask: &mut Mask, more: impl FnOnce(&mut Fields<'_>)) -> Self {
        let send = Payload::read(fields, mask, false);
        let mut expect = Vec::new();
        if let Some(mut own) = fields.nested_of("expect", "contains") {
            expect = TextCheck::read(&mut own, "answer", true);
            more(&mut own);
            own.finish();
        }
        let steps = Step::read_all(fields, mask);
        if !steps.is_empty() && (send.is_some() || !expect.is_empty()) {
            let message = "`steps` beside `send` or `expect`: which comes first?";
            fields.error(fields.head(), Code::Conflict, message, "make steps of them");
        }
        let latency = Latency::read(fields);
        Self { send, expect, steps, latency }
    }

    /// Whether a step encrypts.
    pub fn has_starttls(&self) -> bool {
        self.steps.iter().any(|s| s.starttls)
    }

    /// Whether anything is said.
    pub fn sends(&self) -> bool {
        self.send.is_some() || self.steps.iter().any(|s| s.send.is_some())
    }

    /// Whether any answer is waited for.
    pub fn expects(&self) -> bool {
        !self.expect.is_empty() || self.steps.iter().any(|s| s.expect.is_some())
    }

    /// Speaks.
    ///
    /// # Errors
    /// The conversation broke. What did not come as expected is no error here: [`judge`](Self::judge) says so.
    pub async fn speak<M: Medium>(
        &self,
        medium: &mut M,
        spoken: &mut Progress<'_>,
        handshake: Handshake<'_>,
        trace: &mut Trace,
    ) -> Result<(), Fault> {
        if self.send.is_none() && self.expect.is_empty() && self.steps.is_empty() {
            return Ok(());
        }
        trace.begin(phase::PROCESSING);
        if self.steps.is_empty() {
            self.exchange(medium).await?;
        } else {
            let mut known = Known::default();
            for step in &self.steps {
                if !step_once(step, medium, spoken, &mut known, handshake, trace).await? {
                    break;
                }
            }
        }
        trace.end();
        Ok(())
    }

    /// Sends, and reads until everything expected has come, the peer is done, or the limit is reached.
    async fn exchange<M: Medium>(&self, medium: &mut M) -> Result<(), Fault> {
        if let Some(send) = &self.send {
            medium.send(&send.bytes(&Known::default()), send.is_binary()).await?;
        }
        let mut judged_at = 0;
        while !self.expect.is_empty() {
            // Something may have been heard already. A peer that drips must not make us search the same text again
            // for each byte.
            let bytes = &medium.heard().bytes;
            if !bytes.is_empty() && bytes.len() >= judged_at + judged_at / 8 {
                judged_at = bytes.len();
                if self.holds(bytes) {
                    break;
                }
            }
            if bytes.len() >= MAX_HEARD || medium.hear().await? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.expect.iter().all(|c| c.holds(&text))
    }

    /// Judges what came.
    pub fn judge(&self, trace: &Trace, spoken: &Spoken) -> Outcome {
        let text = String::from_utf8_lossy(&spoken.heard.bytes);
        let mut judge = Judge::default();
        for check in &self.expect {
            let ok = check.holds(&text);
            let seen = match (ok, text.is_empty()) {
                (true, _) => String::new(),
                (false, true) => "the peer closed without a word".to_owned(),
                (false, false) => found(&text),
            };
            judge.hold("answer", check.name(), ok, seen);
        }
        let waits = self.steps.iter().filter_map(|s| s.expect.as_ref());
        for (i, expect) in waits.enumerate() {
            match spoken.found.get(i) {
                Some(seen) => judge.hold("answer", &expect.name, true, found(seen)),
                // One step that fails leaves those after it unsaid; only the first is a failure.
                None if i == spoken.found.len() => judge.hold("answer", &expect.name, false, last_words(&spoken.heard)),
                None => judge.skip(&expect.name),
            }
        }
        self.latency.judge(trace.elapsed(), &mut judge);
        let first = text.lines().next().map(str::trim).filter(|l| !l.is_empty());
        judge.outcome(first.map_or_else(|| "connected".to_owned(), found))
    }

    /// A deadline while waiting for an answer is judged by what came: the answer may be there, unread
    /// only because the expression wants more.
    pub fn failed(&self, trace: &Trace, spoken: &Spoken, fault: Fault) -> Outcome {
        if !self.expect.is_empty() && !spoken.heard.bytes.is_empty() && self.holds(&spoken.heard.bytes) {
            return self.judge(trace, spoken);
        }
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.checks());
        for (check, seen) in outcome.checks.iter_mut().zip(&spoken.found) {
            check.ok = Some(true);
            check.found = found(seen);
        }
        outcome
    }

    /// Names of all checks; those of steps come first.
    pub fn checks(&self) -> Vec<&str> {
        let steps = self.steps.iter().filter_map(|s| s.expect.as_ref()).map(|e| e.name.as_str());
        steps.chain(self.expect.iter().map(TextCheck::name)).chain(self.latency.names()).collect()
    }

    /// blackbox_exporter's series.
    pub fn samples(&self, spoken: &Spoken, out: &mut Vec<Sample>) {
        let text =
            |checks: &[TextCheck]| checks.iter().any(TextCheck::is_regex).then(|| !self.holds(&spoken.heard.bytes));
        if let Some(failed) = spoken.regex_failed.or_else(|| text(&self.expect)) {
            out.push(Sample::new("probe_failed_due_to_regex", f64::from(u8::from(failed))));
        }
        if !spoken.labels.is_empty() {
            let mut info = Sample::new("probe_expect_info", 1.0);
            for (name, value) in &spoken.labels {
                info.labels.push((name.clone().into(), value.clone()));
            }
            out.push(info);
        }
    }
}

/// What the peer said last, for whoever expected something else.
fn last_words(heard: &Heard) -> String {
    let text = String::from_utf8_lossy(&heard.bytes);
    match text.trim_end().lines().next_back() {
        Some(line) if !line.is_empty() => found(line),
        Some(_) | None => "the peer closed without a word".to_owned(),
    }
}

/// Where a script notes how far it came, apart from what was heard: that is the medium's.
#[derive(Debug)]
pub struct Progress<'a> {
    found: &'a mut Vec<String>,
    labels: &'a mut Vec<(String, String)>,
    regex_failed: &'a mut Option<bool>,
}

impl Spoken {
    /// What the medium writes to, and what the script does.
    pub fn split(&mut self) -> (&mut Heard, Progress<'_>) {
        let progress =
            Progress { found: &mut self.found, labels: &mut self.labels, regex_failed: &mut self.regex_failed };
        (&mut self.heard, progress)
    }
}

/// One step; false when what was expected did not come.
async fn step_once<M: Medium>(
    step: &Step,
    medium: &mut M,
    spoken: &mut Progress<'_>,
    known: &mut Known,
    handshake: Handshake<'_>,
    trace: &mut Trace,
) -> Result<bool, Fault> {
    if let Some(expect) = &step.expect {
        *spoken.regex_failed = Some(true);
        let Some(seen) = wait(expect, medium, known).await? else { return Ok(false) };
        *spoken.regex_failed = Some(false);
        spoken.found.push(seen);
        for (name, template) in &step.extract {
            let text = piece(&known.expand(template));
            known.set(name, text.clone());
            match spoken.labels.iter_mut().find(|(label, _)| label == name) {
                Some((_, old)) => *old = text,
                None => spoken.labels.push((name.clone(), text)),
            }
        }
    }
    if let Some(send) = &step.send {
        medium.send(&send.bytes(known), send.is_binary()).await?;
    }
    if step.starttls {
        let Some(tls) = handshake.tls else { return Err(Fault::target("starttls", "this kind speaks no TLS")) };
        medium.encrypt(tls, handshake.host, handshake.now, trace).await?;
        trace.begin(phase::PROCESSING);
    }
    Ok(true)
}

/// Hears until the expression matches; gives what matched, or nothing when the peer is done.
async fn wait<M: Medium>(expect: &Expect, medium: &mut M, known: &mut Known) -> Result<Option<String>, Fault> {
    let mut ended = false;
    let mut judged_at = 0;
    loop {
        match &expect.pattern {
            Pattern::Line(re) => {
                while let Some(line) = next_line(medium.heard(), M::WHOLE || ended) {
                    if let Some(groups) = re.captures(&line) {
                        let texts = groups.iter().map(|g| g.map(|m| piece(m.as_str()))).collect();
                        known.matched(re.capture_names(), texts);
                        return Ok(Some(line));
                    }
                }
            }
            Pattern::Bytes(re) => {
                let rest = medium.heard().rest();
                // As above: no text is searched again for each byte that is added.
                if ended || rest.len() >= judged_at + judged_at / 8 {
                    judged_at = rest.len();
                    if let Some(groups) = re.captures(rest) {
                        let lossy = |m: regex::bytes::Match<'_>| piece(&String::from_utf8_lossy(m.as_bytes()));
                        let texts: Vec<Option<String>> = groups.iter().map(|g| g.map(lossy)).collect();
                        let end = groups.get(0).map_or(0, |m| m.end());
                        let whole = texts.first().cloned().flatten().unwrap_or_default();
                        known.matched(re.capture_names(), texts);
                        medium.heard().take(end);
                        return Ok(Some(whole));
                    }
                }
            }
        }
        if ended || medium.heard().bytes.len() >= MAX_HEARD {
            return Ok(None);
        }
        ended = medium.hear().await? == 0;
    }
}

/// The next line; the rest counts as one when nothing will be added to it.
fn next_line(heard: &mut Heard, whole: bool) -> Option<String> {
    if let Some(line) = heard.line() {
        return Some(line);
    }
    let rest = heard.rest();
    if !whole || rest.is_empty() {
        return None;
    }
    let line = String::from_utf8_lossy(rest).into_owned();
    heard.take(rest.len());
    Some(line)
}
