//! A conversation that a person wrote: sends, waits, encrypts, and judges what came.
//!
//! One engine for streams and datagrams: a [`Medium`] hears more and says whether what it heard last is complete.

use futures_util::FutureExt;
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

    /// Waits for more; 0 at the end. Dropped while it waits, it has lost nothing.
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
    /// Bytes heard when the last step that holds had found what it waited for.
    understood: usize,
}

/// Bytes that may be searched again whenever the peer pauses, in all of one conversation: a few milliseconds of work.
const SEARCHED_IN_PAUSES: usize = 16 << 20;

/// When a text that grows is searched again. A peer that drips must not make us search the same text for each byte:
/// it has to grow by an eighth, or the peer to pause, and a peer may pause only so often.
#[derive(Debug, Default)]
struct Search {
    /// Length of the text that was searched last.
    searched: Option<usize>,
    in_pauses: usize,
}

impl Search {
    fn is_due(&mut self, length: usize, pause: bool) -> bool {
        let due = match self.searched {
            None => true,
            Some(before) if before == length => false,
            Some(before) if length >= before + before / 8 => true,
            Some(_) => {
                self.in_pauses += if pause { length } else { 0 };
                pause && self.in_pauses <= SEARCHED_IN_PAUSES
            }
        };
        if due {
            self.searched = Some(length);
        }
        due
    }
}

/// What hearing gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// There is more.
    More,
    /// Nothing is there at once.
    Pause,
    /// Nothing will come.
    End,
}

/// Hears what is there at once; after a pause, waits.
async fn hear<M: Medium>(medium: &mut M, last: News) -> Result<News, Fault> {
    let heard = match last {
        News::Pause => medium.hear().await?,
        News::More | News::End => match medium.hear().now_or_never() {
            Some(heard) => heard?,
            None => return Ok(News::Pause),
        },
    };
    Ok(if heard == 0 { News::End } else { News::More })
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
        let (mut search, mut news) = (Search::default(), News::More);
        while !self.expect.is_empty() {
            // Something may have been heard already.
            let bytes = &medium.heard().bytes;
            if !bytes.is_empty() && search.is_due(bytes.len(), news == News::Pause) && self.is_decided(bytes) {
                break;
            }
            if bytes.len() >= MAX_HEARD || news == News::End {
                break;
            }
            news = hear(medium, news).await?;
        }
        Ok(())
    }

    /// Whether everything holds, or something was said that must not be.
    fn is_decided(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.expect.iter().all(|c| c.holds(&text)) || self.expect.iter().any(|c| c.is_lost(&text))
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.expect.iter().all(|c| c.holds(&text))
    }

    /// Judges what came.
    pub fn judge(&self, trace: &Trace, spoken: &Spoken) -> Outcome {
        self.judge_with(trace, spoken, None)
    }

    /// The same, when `last` was found after what the steps have noted.
    fn judge_with(&self, trace: &Trace, spoken: &Spoken, last: Option<&str>) -> Outcome {
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
            match spoken.found.get(i).map(String::as_str).or(last.filter(|_| i == spoken.found.len())) {
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

    /// Judges a conversation that broke. A deadline is judged by what came, if anything did: a wrong answer is not the
    /// same as none, and what came may hold even though more was waited for.
    pub fn failed(&self, trace: &Trace, spoken: &Spoken, fault: Fault) -> Outcome {
        let heard = &spoken.heard;
        let late = fault.class() == "timeout" && !fault.is_local();
        let said = heard.bytes.len() > spoken.understood;
        if said && !self.expect.is_empty() && (late || self.holds(&heard.bytes)) {
            return self.judge(trace, spoken);
        }
        let waiting = self.waiting(spoken).filter(|_| said && late);
        let late_find = waiting.and_then(|step| Self::find_late(step, spoken));
        match (waiting, &late_find) {
            (Some(_), None) => return self.judge(trace, spoken),
            // Nothing was left to say.
            (Some(step), Some(seen)) if self.is_last(step) => return self.judge_with(trace, spoken, Some(seen)),
            (Some(_) | None, _) => {}
        }
        let mut outcome = fault.outcome();
        outcome.checks = unjudged(self.checks());
        for (check, seen) in outcome.checks.iter_mut().zip(spoken.found.iter().chain(&late_find)) {
            check.ok = Some(true);
            check.found = found(seen);
        }
        outcome
    }

    /// The step whose expectation was not met so far.
    fn waiting(&self, spoken: &Spoken) -> Option<&Step> {
        self.steps.iter().filter(|s| s.expect.is_some()).nth(spoken.found.len())
    }

    /// What matches in all that came since the step before, now that no more is waited for.
    fn find_late(step: &Step, spoken: &Spoken) -> Option<String> {
        step.expect.as_ref()?.find(spoken.heard.bytes.get(spoken.understood..)?)
    }

    fn is_last(&self, step: &Step) -> bool {
        let last = self.steps.last().is_some_and(|s| std::ptr::eq(s, step));
        last && step.send.is_none() && step.extract.is_empty() && !step.starttls
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
        let late = || self.waiting(spoken).is_some_and(|step| Self::find_late(step, spoken).is_some());
        let in_steps = spoken.regex_failed.map(|failed| failed && !late());
        if let Some(failed) = in_steps.or_else(|| text(&self.expect)) {
            out.push(Sample::new("probe_failed_due_to_regex", f64::from(u8::from(failed))));
        }
        if !spoken.labels.is_empty() {
            let mut info = Sample::new("probe_expect_info", 1.0);
            for (name, value) in &spoken.labels {
                info.labels.push((name.clone().into(), value.clone().into()));
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
    understood: &'a mut usize,
}

impl Spoken {
    /// What the medium writes to, and what the script does.
    pub fn split(&mut self) -> (&mut Heard, Progress<'_>) {
        let progress = Progress {
            found: &mut self.found,
            labels: &mut self.labels,
            regex_failed: &mut self.regex_failed,
            understood: &mut self.understood,
        };
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
        let heard = medium.heard();
        *spoken.understood = heard.bytes.len() - heard.rest().len();
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
    let (mut search, mut news) = (Search::default(), News::More);
    loop {
        let ended = news == News::End;
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
                let full = medium.heard().bytes.len() >= MAX_HEARD;
                let rest = medium.heard().rest();
                if (ended || full || search.is_due(rest.len(), news == News::Pause))
                    && let Some(groups) = re.captures(rest)
                {
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
        if ended || medium.heard().bytes.len() >= MAX_HEARD {
            return Ok(None);
        }
        news = hear(medium, news).await?;
    }
}

impl Expect {
    /// What matches in all that came, when no more is waited for: an end of a line that is missing does not count.
    fn find(&self, bytes: &[u8]) -> Option<String> {
        match &self.pattern {
            Pattern::Line(re) => {
                let text = String::from_utf8_lossy(bytes);
                text.lines().find(|line| re.is_match(line)).map(str::to_owned)
            }
            Pattern::Bytes(re) => Some(piece(&String::from_utf8_lossy(re.find(bytes)?.as_bytes()))),
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout_at};

    use super::*;
    use crate::base::outcome::Verdict;
    use crate::config::fields::{Cx, Resolver};
    use crate::config::report::Source;
    use crate::config::yaml;

    struct NoSecrets;

    impl Resolver for NoSecrets {
        fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
            Ok(name.to_owned())
        }
    }

    /// Says one part after the other, with a pause before each, and then stays.
    struct Parts<'a> {
        parts: std::slice::Iter<'a, &'a str>,
        heard: &'a mut Heard,
    }

    impl Medium for Parts<'_> {
        const WHOLE: bool = false;

        fn heard(&mut self) -> &mut Heard {
            self.heard
        }

        async fn hear(&mut self) -> Result<usize, Fault> {
            tokio::task::yield_now().await;
            let Some(part) = self.parts.next() else { return std::future::pending().await };
            self.heard.bytes.extend_from_slice(part.as_bytes());
            Ok(part.len())
        }

        async fn send(&mut self, _: &[u8], _: bool) -> Result<(), Fault> {
            Ok(())
        }

        async fn encrypt(&mut self, _: &TlsSpec, _: &str, _: Timestamp, _: &mut Trace) -> Result<(), Fault> {
            Err(Fault::target("starttls", "no"))
        }
    }

    /// The outcome and whether the deadline ended it.
    async fn spoken(options: &str, parts: &[&str]) -> (Outcome, bool) {
        let root = yaml::parse(options).0.unwrap();
        let cx = Cx::new(Source::new("test.yaml", options), &NoSecrets);
        let mut fields = Fields::of(&cx, &root).unwrap();
        let script = Script::read(&mut fields, &mut Mask::default());
        fields.finish();
        assert_eq!(cx.into_problems(), [], "{options}");
        let (mut trace, mut spoken) = (Trace::start(), Spoken::default());
        let deadline = Instant::now() + Duration::from_secs(5);
        let (heard, mut progress) = spoken.split();
        let mut medium = Parts { parts: parts.iter(), heard };
        let handshake = Handshake { tls: None, host: "", now: Timestamp::from_millis(0) };
        let talk = script.speak(&mut medium, &mut progress, handshake, &mut trace);
        let ended = timeout_at(deadline, talk).await;
        let late = ended.is_err();
        let outcome = match trace.settle(ended, deadline) {
            Ok(()) => script.judge(&trace, &spoken),
            Err(fault) => script.failed(&trace, &spoken, fault),
        };
        (outcome, late)
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_is_judged_as_soon_as_the_peer_pauses_and_at_the_deadline() {
        let long = "x".repeat(800);
        #[track_caller]
        fn check(options: &str, got: &(Outcome, bool), verdict: Verdict, reason: &str, late: bool) {
            let message = got.0.reason.as_ref().map_or_else(String::new, |r| format!("{}: {}", r.class, r.message));
            assert_eq!((got.0.verdict, message.as_str(), got.1), (verdict, reason, late), "{options}: {:?}", got.0);
        }
        let up = |late| (Verdict::Up, "", late);
        let refused = "answer: expected: answer matches /^250/; found: 554 go away";
        for (options, parts, (verdict, reason, late)) in [
            ("expect: {contains: 'login: '}", vec![long.as_str(), "login: "], up(false)),
            ("steps: [{expect_bytes: 'login: $'}]", vec![&long, "login: "], up(false)),
            ("steps: [{expect_bytes: b, send: x}, {expect_bytes: 'c+'}]", vec!["a", "b", "c"], up(false)),
            ("steps: [{expect: ^login}]", vec!["login: "], up(true)),
            ("expect: {matches: '^250'}", vec!["554 go away"], (Verdict::Down, refused, true)),
            (
                "expect: {contains: ok, not_contains: ERROR}",
                vec!["an ERROR"],
                (Verdict::Down, "answer: expected: answer contains `ok`; found: an ERROR (and 1 more)", false),
            ),
            (
                "steps: [{expect: ^220, send: x}, {expect: ^250}]",
                vec!["220 hi\n", "554 go away\n"],
                (Verdict::Down, "answer: expected: step 2 hears /^250/; found: 554 go away", true),
            ),
            (
                "steps: [{expect_bytes: '220', send: x}, {expect_bytes: '250'}]",
                vec!["220", "554 go"],
                (Verdict::Down, "answer: expected: step 2 hears /250/; found: 220554 go", true),
            ),
            (
                "steps: [{expect: ^220, send: x}, {expect: ^250}]",
                vec!["220 hi\n"],
                (Verdict::Down, "timeout: no answer within 5.0s", true),
            ),
            ("expect: {contains: x}", vec![], (Verdict::Down, "timeout: no answer within 5.0s", true)),
        ] {
            let got = spoken(&format!("{{{options}}}"), &parts).await;
            check(options, &got, verdict, reason, late);
        }
    }

    #[test]
    fn a_peer_that_drips_is_searched_a_bounded_number_of_times() {
        let (mut search, mut work) = (Search::default(), 0);
        for length in 0..=MAX_HEARD {
            work += if search.is_due(length, true) { length } else { 0 };
        }
        assert!(work < SEARCHED_IN_PAUSES + 20 * MAX_HEARD, "{work}");
    }
}
