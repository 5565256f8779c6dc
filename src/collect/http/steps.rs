//! `steps:` of an `http` monitor: several requests in order, each judged by itself, in which later ones use what
//! earlier ones extracted.
//!
//! One deadline covers them all. The first step that is not up ends the probe; the checks of the others stay unjudged.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use tokio::time::timeout_at;

use crate::base::BoxFuture;
use crate::base::nearest::nearest;
use crate::base::outcome::{Check, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::fault::Fault;
use crate::collect::http::auth::Auth;
use crate::collect::http::content::{Body, Content, Line};
use crate::collect::http::exchange::{Answer, Client};
use crate::collect::http::expect::Expect;
use crate::collect::http::extract::{Extract, extract};
use crate::collect::http::hop::Hop;
use crate::collect::http::jar::Jar;
use crate::collect::http::request::{JUDGE_IN_PLACE, Request, Run, Session};
use crate::collect::http::spec::{Draft, read_compression, read_redirects, shown_url, userinfo};
use crate::collect::http::template::{Escape, Template, TemplateError, Values};
use crate::collect::judge::{Judge, Latency, unjudged};
use crate::collect::mask::Mask;
use crate::collect::trace::Trace;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Steps of one monitor.
const MAX_STEPS: usize = 32;

/// A checked `http` monitor of several steps.
#[derive(Debug)]
pub struct StepsProbe {
    /// How servers are reached.
    pub client: Client,
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether cookies are kept from step to step.
    pub cookies: bool,
    /// Of the whole.
    pub latency: Latency,
    /// What is hidden.
    pub mask: Mask,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    name: String,
    /// Without values: the first hop as far as it is known beforehand.
    request: Request,
    /// The address as written, for people.
    target: String,
    url: Template,
    /// Those with templates; all of them stay with their origin.
    headers: Vec<(HeaderName, Template)>,
    body: Option<Template>,
    extract: Arc<[Extract]>,
}

/// What the monitor says for all of its steps.
pub struct Shared<'a> {
    /// Steps with a path alone are asked here.
    pub base: Option<&'a Text>,
    /// Headers; the private ones go to the origin of the first step only.
    pub headers: &'a [Line],
    /// The same holds for this.
    pub auth: Option<&'a Arc<Auth>>,
    /// Redirects that are followed.
    pub max_redirects: usize,
}

/// Reads the option `steps`.
pub fn read(fields: &mut Fields<'_>, shared: &Shared<'_>, mask: &mut Mask) -> Vec<Step> {
    let nodes = fields.items("steps");
    if nodes.is_empty() || nodes.len() > MAX_STEPS {
        let message = format!("`steps` has {} steps, allowed are 1 to {MAX_STEPS}", nodes.len());
        fields.error(fields.head(), Code::OutOfRange, message, "write `steps: [{url: …}, {url: …}]`");
        return Vec::new();
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for (i, node) in nodes.into_iter().enumerate() {
        let Some(mut own) = Fields::of(fields.cx(), node) else { continue };
        let name = own.text("name").map_or_else(|| format!("step {}", i + 1), |t| t.shown().to_owned());
        if steps.iter().any(|s| s.name == name) {
            let message = format!("two steps are called `{name}`");
            own.error(own.head(), Code::Conflict, message, "give each a `name` of its own");
        }
        let home = steps.first().map(|s| s.request.first.clone());
        if let Some(step) = Step::read(&mut own, name, shared, home.as_ref(), &known, mask) {
            known.extend(step.extract.iter().map(|e| e.name.clone()));
            steps.push(step);
        }
        own.finish();
    }
    steps
}

impl Step {
    /// The machine of the address.
    pub fn host(&self) -> &str {
        self.request.first.peer.host()
    }

    /// The address as written.
    pub fn target(&self) -> &str {
        &self.target
    }

    fn read(
        own: &mut Fields<'_>,
        name: String,
        shared: &Shared<'_>,
        home: Option<&Hop>,
        known: &[String],
        mask: &mut Mask,
    ) -> Option<Self> {
        let url = own.need_text("url", "write the address, e.g. `url: https://example.com/login`");
        let own_auth = Auth::read(own, mask).map(Arc::new);
        let max_redirects = match own.node("redirects").is_some() || own.node("follow").is_some() {
            true => read_redirects(own),
            false => shared.max_redirects,
        };
        let mut content = Content::read(own, mask);
        let mut expect = Expect::read(own);
        read_compression(own, &mut content, &mut expect);
        let extract = Extract::read(own).into();
        let url = url?;
        mask.add_url(&url);
        let address = read_address(own, &url, shared.base)?;
        let mut first = match Hop::new(&address.sample(), content.method.clone(), Bytes::new()) {
            Ok(hop) => hop,
            Err(e) => {
                let hint = "write e.g. `https://example.com/login`, or a path alone when the monitor has a `url`";
                own.error(url.span, Code::BadValue, format!("`url` {e}"), hint);
                return None;
            }
        };
        // Credentials meant for one origin are not for another, and not for one that an answer chooses.
        let at_home = !address.chooses_host() && home.is_none_or(|h| h.url().origin() == first.url().origin());
        if let Some(home) = home {
            first.follow(home);
        }
        for line in shared.headers.iter().filter(|l| at_home || !l.private) {
            if !content.headers.iter().any(|l| l.name == line.name) {
                content.headers.push(line.clone());
            }
        }
        content.add_defaults();
        let auth = own_auth.or_else(|| shared.auth.filter(|_| at_home).cloned());
        let (headers, body) = take_templates(own, &mut content);
        let templates = headers.iter().map(|(_, t)| t).chain(&body).chain([&address]);
        for name in templates.flat_map(Template::names).filter(|name| !known.iter().any(|k| k == name)) {
            let message = format!("no step before this one extracts `{name}`");
            let hint = nearest(name, known.iter().map(String::as_str)).map_or_else(
                || format!("add `extract: {{{name}: …}}` to one"),
                |near| format!("did you mean `{near}`?"),
            );
            own.error(url.span, Code::BadValue, message, hint);
        }
        let target = shown_url(&url);
        let request = Draft { content, expect, auth, max_redirects }.request(own, first, url.span);
        Some(Self { name, target, request, url: address, headers, body, extract })
    }

    /// The first hop with values filled in; `None` when the one known beforehand will do.
    fn hop(&self, values: &Values) -> Result<Option<Hop>, Fault> {
        let is_open = self.url.names().next().is_some() || !self.headers.is_empty() || self.body.is_some();
        if !is_open {
            return Ok(None);
        }
        let unfit = |e: TemplateError| Fault::target("extract", e.to_string());
        let url = self.url.fill(values).map_err(unfit)?;
        // The message of the error may quote a value: it stays here.
        let hop = self.request.first.at(&url);
        let mut hop = hop.map_err(|_| Fault::target("extract", "the values make no address of http or https"))?;
        for (name, template) in &self.headers {
            let text = template.fill(values).map_err(unfit)?;
            let refuse = |_| Fault::target("extract", format!("a value may not stand in the header `{name}`"));
            let mut value = HeaderValue::try_from(text).map_err(refuse)?;
            value.set_sensitive(true);
            hop.set_header(name.clone(), value, true);
        }
        if let Some(body) = &self.body {
            hop.set_body(Bytes::from(body.fill(values).map_err(unfit)?), true);
        }
        Ok(Some(hop))
    }

    /// Runs the step, and gives its values to the later ones.
    async fn run(&self, session: &mut Session<'_>, values: &mut Values, cx: &ProbeCx) -> Outcome {
        let mut run = match self.hop(values) {
            Ok(hop) => Run::new(hop),
            Err(fault) => {
                let mut outcome = fault.outcome();
                outcome.checks = unjudged(self.checks());
                return outcome;
            }
        };
        let asked = run.hop.as_ref().unwrap_or(&self.request.first);
        if let Some(cookies) = session.jar.as_ref().and_then(|jar| jar.header(asked.url())) {
            run.hop.get_or_insert_with(|| self.request.first.clone()).set_cookies(Some(cookies));
        }
        let mut outcome = self.request.run(&mut run, session, cx).await;
        let hop = run.hop.as_ref().unwrap_or(&self.request.first);
        let good = matches!(outcome.verdict, Verdict::Up | Verdict::Degraded);
        let Some(answer) = run.answer.take_if(|_| good) else {
            outcome.checks.extend(unjudged(self.extract.iter().map(|e| e.check.as_str())));
            return outcome;
        };
        if let Some(jar) = &mut session.jar {
            jar.store(hop.url(), &answer.headers);
        }
        let (found, answer) = match self.take(hop, answer, session.jar.as_ref(), cx).await {
            Ok(taken) => taken,
            Err(fault) => return fault.outcome(),
        };
        run.answer = Some(answer);
        for (extract, result) in self.extract.iter().zip(found) {
            let (ok, seen) = match result {
                Ok(value) => {
                    session.mask.to_mut().add(&value);
                    values.insert(extract.name.clone(), value);
                    (true, String::new())
                }
                Err(why) => (false, why),
            };
            if !ok && outcome.verdict != Verdict::Down {
                let message = format!("expected: {}; found: {seen}", extract.check);
                outcome = outcome.with_verdict(Verdict::Down, "extract", message);
                outcome.evidence = Some(run.evidence(&self.request, session));
            }
            outcome.checks.push(Check { name: extract.check.clone(), ok: Some(ok), found: seen });
        }
        outcome
    }

    /// The values of an answer, and the answer. A large body is searched off the async threads.
    async fn take(
        &self,
        hop: &Hop,
        answer: Answer,
        jar: Option<&Jar>,
        cx: &ProbeCx,
    ) -> Result<(Vec<Result<String, String>>, Answer), Fault> {
        let cookies = jar.map_or_else(Vec::new, |jar| jar.values(hop.url()));
        if answer.body.len() <= JUDGE_IN_PLACE {
            return Ok((extract(&self.extract, &answer, &cookies), answer));
        }
        let all = Arc::clone(&self.extract);
        let work = tokio::task::spawn_blocking(move || (extract(&all, &answer, &cookies), answer));
        match timeout_at(cx.deadline + Duration::from_millis(50), work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) | Err(_) => Err(Fault::local("local_busy", "this machine had no time to search the answer")),
        }
    }

    fn checks(&self) -> impl Iterator<Item = &str> {
        self.request.expect.names().chain(self.extract.iter().map(|e| e.check.as_str()))
    }
}

/// The address as a template; a path alone is joined to the monitor's.
fn read_address(fields: &Fields<'_>, url: &Text, base: Option<&Text>) -> Option<Template> {
    let text = url.value().trim();
    let whole = match base {
        Some(base) if text.starts_with('/') => match Hop::new(base.value().trim(), Method::GET, Bytes::new()) {
            Ok(hop) => format!("{}{text}", hop.url().origin().ascii_serialization()),
            Err(e) => {
                fields.error(base.span, Code::BadValue, format!("`url` {e}"), "write e.g. `https://example.com`");
                return None;
            }
        },
        Some(_) | None => text.to_owned(),
    };
    let template = match Template::parse_url(&whole) {
        Ok(template) => template,
        Err(e) => {
            fields.error(url.span, Code::BadValue, format!("`url`: {e}"), "write e.g. `{{ token }}`");
            return None;
        }
    };
    for (place, text) in [(Some(url), &whole), (base, &base.map_or_else(String::new, |b| b.value().to_owned()))] {
        if let Some(place) = place.filter(|_| userinfo(text).is_some()) {
            fields.error(place.span, Code::BadValue, "`url` holds a user", "write `auth: {basic: USER:PASSWORD}`");
        }
    }
    Some(template)
}

/// Takes out of the content what holds templates; what is left needs no values.
fn take_templates(fields: &Fields<'_>, content: &mut Content) -> (Vec<(HeaderName, Template)>, Option<Template>) {
    let hint = "write e.g. `{{ token }}`";
    let mut headers = Vec::new();
    for line in content.headers.extract_if(.., |l| l.value.contains("{{")) {
        match Template::parse(&line.value, Escape::Nothing) {
            Ok(template) => {
                line.check(fields, &template.sample());
                headers.push((line.name, template));
            }
            Err(e) => fields.error(line.span, Code::BadValue, format!("`{}`: {e}", line.name), hint),
        }
    }
    content.headers.iter().for_each(|line| line.check(fields, &line.value));
    let mut body = None;
    if let Body::Text { text, span, .. } = &content.body
        && text.contains("{{")
    {
        let content_type = content.headers.iter().find(|l| l.name == header::CONTENT_TYPE);
        let escape = content_type.map_or(Escape::Nothing, |l| Escape::of_type(&l.value));
        match Template::parse(text, escape) {
            Ok(template) => body = Some(template),
            Err(e) => fields.error(*span, Code::BadValue, format!("the body: {e}"), hint),
        }
        content.body = Body::Nothing;
    }
    (headers, body)
}

impl Collector for StepsProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let trace = Trace::start();
            let jar = self.cookies.then(Jar::default);
            let mut session = Session { client: &self.client, mask: Cow::Borrowed(&self.mask), jar };
            let mut values = Values::new();
            let mut whole = Outcome::up("");
            let mut ended = false;
            for step in &self.steps {
                if ended {
                    whole.checks.extend(named(step, unjudged(step.checks())));
                    continue;
                }
                let at = trace.elapsed();
                let outcome = step.run(&mut session, &mut values, cx).await;
                ended = !matches!(outcome.verdict, Verdict::Up | Verdict::Degraded);
                let took = trace.elapsed().saturating_sub(at).as_secs_f64();
                whole.samples.push(
                    Sample::new("probe_http_step_success", f64::from(u8::from(!ended))).label("step", &step.name),
                );
                whole.samples.push(Sample::new("probe_http_step_duration_seconds", took).label("step", &step.name));
                join(&mut whole, step, outcome);
            }
            let mut judge = Judge::default();
            self.latency.judge(trace.elapsed(), &mut judge);
            let latency = judge.outcome("");
            whole.checks.extend(latency.checks);
            if whole.verdict == Verdict::Up || (whole.verdict == Verdict::Degraded && latency.verdict == Verdict::Down)
            {
                whole.verdict = latency.verdict;
                whole.reason = latency.reason.or(whole.reason);
            }
            // Checks and labels hold names that the monitor gives: what an answer had may be the same by chance.
            session.mask.hide_in_words(&mut whole);
            self.mask.hide_in_names(&mut whole);
            whole
        })
    }
}

/// Adds what a step gave to the whole, each part with the step's name.
fn join(whole: &mut Outcome, step: &Step, mut outcome: Outcome) {
    let name = &step.name;
    for phase in &mut outcome.phases {
        phase.name = format!("{name} {}", phase.name).into();
    }
    for sample in &mut outcome.samples {
        sample.labels.push((Cow::Borrowed("step"), name.clone().into()));
    }
    whole.phases.append(&mut outcome.phases);
    whole.samples.append(&mut outcome.samples);
    whole.checks.extend(named(step, outcome.checks));
    if let Some(evidence) = outcome.evidence {
        let items = evidence.items.into_iter().map(|(title, text)| (format!("{name}: {title}").into(), text));
        whole.evidence.get_or_insert_default().items.extend(items);
    }
    whole.summary = format!("{name}: {}", outcome.summary);
    // A later step that is down outweighs an earlier one that is degraded.
    if outcome.verdict != Verdict::Up && (whole.verdict == Verdict::Up || outcome.verdict != Verdict::Degraded) {
        whole.verdict = outcome.verdict;
        whole.reason = outcome.reason.map(|mut reason| {
            reason.message = format!("{name}: {}", reason.message);
            reason
        });
    }
}

fn named(step: &Step, checks: Vec<Check>) -> impl Iterator<Item = Check> {
    checks.into_iter().map(|check| Check { name: format!("{}: {}", step.name, check.name), ..check })
}
