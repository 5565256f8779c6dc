//! `type: webhook`: other systems tell us what happens there; what is open is what is wrong.
//!
//! Nothing is probed. [`proof`] says who may tell, [`mapping`] takes the events out of a body, and each slot
//! judges what is open.

pub mod mapping;
pub mod preset;
pub mod proof;

use std::time::Duration;

use serde_json_path::JsonPath;

use crate::base::BoxFuture;
use crate::base::beat::{Incident, Report};
use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Call, Collector, ProbeCx, Refusal, WebhookTarget};
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::collect::kind::Kind;
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::collect::sender::{per_minute, token};
use crate::collect::webhook::mapping::{MAX_LABELS, Mapping, Paths};
use crate::collect::webhook::proof::{Proof, Signature, Stamped};
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// How often what is open is judged: events expire.
const JUDGED: Duration = Duration::from_secs(30);
/// How old a stamped call may be, where nothing is said.
const TOLERANCE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// A checked `webhook` monitor.
#[derive(Debug)]
struct Webhook {
    proof: Proof,
    mapping: Mapping,
    expire_after: Option<Duration>,
    per_minute: u32,
    mask: Mask,
}

/// The kind. Others report to it: nothing is probed.
pub const KIND: Kind = Kind {
    name: "webhook",
    about: "Events of other systems.",
    operand: None,
    flags: &[],
    metrics: &[&[
        Metric::gauge("watchdog_webhook_open_events", "Events that have begun and not ended, by severity"),
        Metric::gauge("watchdog_webhook_last_timestamp_seconds", "When the last event came, since 1970"),
    ]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let preset = fields.text("preset");
    let known = preset.as_ref().map(|name| (name, preset::mapping(name.value())));
    let base = match known {
        Some((name, None)) => {
            let message = format!("`{}` is not a preset", name.shown());
            fields.error(name.span, Code::BadValue, message, format!("write one of: {}", preset::NAMES.join(", ")));
            preset::words()
        }
        Some((_, Some(mapping))) => mapping,
        None => preset::words(),
    };
    let mut mask = Mask::default();
    let proof = proof(fields, preset.as_ref().map(Text::value), &mut mask);
    let mapping = mapping(fields, base);
    let expire_after = fields.duration("expire_after", Duration::from_secs(60)..=DAY * 365);
    let per_minute = per_minute(fields);
    fields.node("interval");
    if fields.cx().error_count() > errors {
        return None;
    }
    let target = preset.map_or_else(|| "events".to_owned(), |name| format!("events of {}", name.value()));
    let hook = Webhook { proof: proof?, mapping, expire_after, per_minute, mask };
    Some(Probe::new("webhook", target, hook).judged(JUDGED))
}

/// `token`, or `signature`. One of them must be there: whoever can reach the port can call.
fn proof(fields: &mut Fields<'_>, preset: Option<&str>, mask: &mut Mask) -> Option<Proof> {
    let signature = fields.nested("signature");
    let token_header = fields.text("token_header").map(|t| t.value().to_owned());
    let Some(mut own) = signature else {
        let token = token(fields, "token", "token: \"${env:HOOK_TOKEN}\"")?;
        mask.add(token.value());
        let gitlab = || (preset == Some("gitlab")).then(|| "x-gitlab-token".to_owned());
        return Some(Proof::Token { token: token.secret(), header: token_header.or_else(gitlab) });
    };
    if let Some(node) = fields.node("token") {
        let hint = "keep `signature`, which also protects the body";
        fields.error(node.span, Code::Conflict, "`token` and `signature` exclude each other", hint);
    }
    let secret = token(&mut own, "secret", "secret: \"${env:HOOK_SECRET}\"");
    let hub = preset == Some("github");
    let header = own.text("header").map(|t| t.value().to_owned());
    let header = header.or_else(|| hub.then(|| "x-hub-signature-256".to_owned()));
    if header.is_none() {
        own.missing("header", "write the header that holds the signature, e.g. `header: X-Hub-Signature-256`");
    }
    let one_of = |own: &mut Fields<'_>, key: &'static str, words: [&'static str; 2]| {
        let text = own.text(key)?;
        if !words.contains(&text.value()) {
            let message = format!("`{key}` is `{}`", text.shown());
            own.error(text.span, Code::BadValue, message, format!("write `{}` or `{}`", words[0], words[1]));
        }
        Some(text.value() == words[1])
    };
    let sha1 = one_of(&mut own, "algorithm", ["sha256", "sha1"]).unwrap_or(false);
    let base64 = one_of(&mut own, "encoding", ["hex", "base64"]).unwrap_or(false);
    let prefix = own.text("prefix").map(|t| t.value().to_owned());
    let prefix = prefix.unwrap_or_else(|| if hub { "sha256=".to_owned() } else { String::new() });
    let tolerance = own.duration("tolerance", Duration::from_secs(1)..=DAY);
    let time = own.text("timestamp_header").map(|t| t.value().to_owned());
    let stamped = own.text("signed").and_then(|signed| {
        let parts = signed.value().split_once("{timestamp}");
        let parts = parts.and_then(|(before, rest)| Some((before, rest.strip_suffix("{body}")?)));
        if parts.is_none() {
            let message = format!("`signed` is `{}`", signed.shown());
            own.error(signed.span, Code::BadValue, message, "write e.g. `signed: \"{timestamp}.{body}\"`");
        }
        let (before, between) = parts?;
        let (before, between) = (before.to_owned(), between.to_owned());
        Some(Stamped { before, between, header: time.clone(), tolerance: tolerance.unwrap_or(TOLERANCE) })
    });
    if stamped.is_none() && (tolerance.is_some() || time.is_some()) {
        let hint = "write what is signed, e.g. `signed: \"{timestamp}.{body}\"`";
        own.error(own.head(), Code::Conflict, "a time that is not signed proves nothing", hint);
    }
    own.finish();
    let secret = secret?;
    mask.add(secret.value());
    let secret = secret.secret();
    Some(Proof::Signature(Box::new(Signature { secret, header: header?, sha1, prefix, base64, stamped })))
}

/// `event: {…}`: where the parts are, over what a preset says.
fn mapping(fields: &mut Fields<'_>, mut mapping: Mapping) -> Mapping {
    let has_preset = !mapping.status.0.is_empty();
    let hint = "write where the events are, e.g. `event: {status: $.state, id: $.id, title: $.message}`";
    let Some(mut own) = fields.nested("event") else {
        if !has_preset {
            fields.missing("event", hint);
        }
        return mapping;
    };
    if let Some(list) = own.text("list") {
        mapping.events = path(&own, &list);
    }
    for (key, paths) in [
        ("id", &mut mapping.id),
        ("status", &mut mapping.status),
        ("severity", &mut mapping.severity),
        ("title", &mut mapping.title),
    ] {
        let texts = own.texts(key);
        if !texts.is_empty() {
            *paths = Paths(texts.iter().filter_map(|text| path(&own, text)).collect());
        }
    }
    let labels = own.pairs("labels");
    if let Some((entry, _)) = labels.get(MAX_LABELS) {
        own.error(entry.key_span, Code::TooLarge, format!("more than {MAX_LABELS} labels"), "keep the important ones");
    }
    if !labels.is_empty() {
        let read = |(entry, text): &(&crate::config::yaml::Entry, Text)| Some((entry.key.clone(), path(&own, text)?));
        mapping.labels = labels.iter().filter_map(read).collect();
    }
    for (key, words) in
        [("firing", &mut mapping.firing), ("resolved", &mut mapping.resolved), ("minor", &mut mapping.minor)]
    {
        let texts = own.texts(key);
        if !texts.is_empty() {
            *words = texts.iter().map(|t| t.value().to_lowercase()).collect();
        }
    }
    if mapping.status.0.is_empty() {
        own.missing("status", "write what says whether an event begins or ends, e.g. `status: $.state`");
    }
    own.finish();
    mapping
}

fn path(fields: &Fields<'_>, text: &Text) -> Option<JsonPath> {
    let parsed = JsonPath::parse(text.value());
    if parsed.is_err() {
        let message = format!("`{}` is not a JSON path", text.shown());
        fields.error(text.span, Code::BadValue, message, "write e.g. `$.labels.severity` or `$.alerts[*]`");
    }
    parsed.ok()
}

impl Collector for Webhook {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(self.judge(cx)))
    }

    fn webhook(&self) -> Option<&dyn WebhookTarget> {
        Some(self)
    }
}

impl WebhookTarget for Webhook {
    fn per_minute(&self) -> u32 {
        self.per_minute
    }

    fn take(&self, call: &Call<'_>, now: Timestamp) -> Result<Vec<Report>, Refusal> {
        if !self.proof.holds(call, now) {
            return Err(Refusal::Unproven);
        }
        let mut reports = self.mapping.reports(call.body, now).map_err(|e| Refusal::NotUnderstood(e.to_string()))?;
        for report in &mut reports {
            if let Report::Event(incident) = report {
                self.mask.hide(&mut incident.id);
                self.mask.hide(&mut incident.title);
                incident.labels.values_mut().for_each(|value| self.mask.hide(value));
            }
        }
        Ok(reports)
    }
}

impl Webhook {
    fn judge(&self, cx: &ProbeCx) -> Outcome {
        let Some(beat) = cx.told.as_ref().and_then(|told| told.beat.as_ref()) else {
            return Outcome::up("no event yet");
        };
        let is_open = |i: &&Incident| self.expire_after.is_none_or(|after| cx.now.since(i.at) <= after);
        let open: Vec<&Incident> = beat.open.iter().filter(is_open).collect();
        let severe = open.iter().filter(|i| i.severe).count();
        // The newest of the worst is told.
        let told = open.iter().rev().find(|i| i.severe).or(open.last());
        let mut outcome = match told {
            None => Outcome::up(format!("nothing open; last event {} ago", Short(cx.now.since(beat.at)))),
            Some(incident) => {
                let more = if open.len() > 1 { format!(" (and {} more)", open.len() - 1) } else { String::new() };
                let verdict = if severe > 0 { Verdict::Down } else { Verdict::Degraded };
                let mut outcome = Outcome::up("").with_verdict(verdict, "event", format!("{}{more}", incident.title));
                outcome.evidence = Some(evidence(&open, beat.stray.as_ref()));
                outcome
            }
        };
        for (severity, count) in [("severe", severe), ("minor", open.len() - severe)] {
            outcome.samples.push(Sample::new("watchdog_webhook_open_events", count as f64).label("severity", severity));
        }
        let last = beat.at.millis() as f64 / 1000.0;
        outcome.samples.push(Sample::new("watchdog_webhook_last_timestamp_seconds", last));
        outcome
    }
}

/// Everything that is open, newest first; then what ended without having begun, which may mean one of them.
fn evidence(open: &[&Incident], stray: Option<&Incident>) -> Evidence {
    let of = |incident: &&Incident| {
        let mut text = format!("{} {}", incident.at, incident.title);
        for (name, value) in &incident.labels {
            text += &format!("\n{name}: {value}");
        }
        let id = if incident.id.is_empty() { "event".to_owned() } else { incident.id.clone() };
        (id.into(), text)
    };
    let mut items: Vec<_> = open.iter().rev().take(20).map(of).collect();
    items.extend(stray.map(|stray| {
        let text = format!("{} {}\nno event with the id `{}` is open", stray.at, stray.title, stray.id);
        ("ended, but had not begun".into(), text)
    }));
    Evidence { items }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::base::beat::Beat;
    use crate::base::probe::Told;
    use crate::collect::kinds::testing::{build, problems};

    const OWN: &str = "{token: 0123456789, expire_after: 1h, event: {id: $.id, status: $.state, severity: $.level, \
        title: $.text, labels: {host: $.host}}}";

    fn call<'a>(body: &'a str, headers: &'a [(&'a str, &'a str)]) -> Call<'a> {
        Call { headers, token: Some("0123456789"), body: body.as_bytes() }
    }

    fn context(beat: Option<Beat>, now: Timestamp) -> ProbeCx {
        let told = Some(Arc::new(Told { beat, ..Told::default() }));
        ProbeCx { told, ..ProbeCx::new(Instant::now(), now) }
    }

    #[tokio::test]
    async fn what_is_open_is_what_is_wrong() {
        let (probe, found) = build("webhook", OWN);
        assert_eq!(found, Vec::<String>::new());
        let collector = probe.unwrap().collector;
        let now = Timestamp::from_millis(1_000_000);
        let mut beat = None;
        for (body, verdict, text) in [
            (
                r#"{"id": 1, "state": "open", "level": "warning", "text": "slow", "host": "a"}"#,
                Verdict::Degraded,
                "slow",
            ),
            (r#"{"id": 2, "state": "OPEN", "text": "gone"}"#, Verdict::Down, "gone (and 1 more)"),
            (r#"{"id": 3, "state": "new", "text": "what"}"#, Verdict::Down, "gone (and 1 more)"),
            (r#"{"id": 2, "state": "closed"}"#, Verdict::Degraded, "slow"),
            (r#"{"id": 1, "state": "ok"}"#, Verdict::Up, "nothing open; last event 0.0ms ago"),
            (r#"{"id": 4, "state": "open", "text": "left"}"#, Verdict::Down, "left"),
        ] {
            for report in collector.webhook().unwrap().take(&call(body, &[]), now).unwrap() {
                beat = Some(Beat::after(beat.as_ref(), report, now));
            }
            let cx = context(beat.clone(), now);
            let got = collector.probe(&cx).await;
            assert_eq!((got.verdict, got.headline()), (verdict, text), "{body}");
        }
        let later = now.plus(Duration::from_secs(3_601));
        let got = collector.probe(&context(beat, later)).await;
        assert_eq!(got.verdict, Verdict::Up, "nobody said that it is over, but it has expired");
    }

    #[tokio::test]
    async fn an_end_that_ends_nothing_is_told_with_what_is_open() {
        let text = "{token: 0123456789, event: {id: [$.host, $.check], status: $.state, title: $.m}}";
        let collector = build("webhook", text).0.unwrap().collector;
        let mut beat = None;
        // Without an id the title stands for it, and this one holds a value.
        for body in [r#"{"state": "down", "m": "disk 92%"}"#, r#"{"state": "ok", "m": "disk 50%"}"#] {
            for report in collector.webhook().unwrap().take(&call(body, &[]), Timestamp::EPOCH).unwrap() {
                beat = Some(Beat::after(beat.as_ref(), report, Timestamp::EPOCH));
            }
        }
        let cx = context(beat, Timestamp::EPOCH);
        let got = collector.probe(&cx).await;
        assert_eq!((got.verdict, got.headline()), (Verdict::Down, "disk 92%"));
        let told = got.evidence.unwrap().items.pop().unwrap();
        assert!(told.0.contains("had not begun") && told.1.contains("`disk 50%`"), "{told:?}");
    }

    #[test]
    fn who_proves_nothing_is_told_nothing() {
        let (probe, _) = build("webhook", OWN);
        let collector = probe.unwrap().collector;
        assert!(!format!("{collector:?}").contains("0123456789"));
        let hook = collector.webhook().unwrap();
        let wrong = Call { token: Some("wrong"), ..call("x", &[]) };
        assert_eq!(hook.take(&wrong, Timestamp::EPOCH), Err(Refusal::Unproven));
        assert!(matches!(hook.take(&call("x", &[]), Timestamp::EPOCH), Err(Refusal::NotUnderstood(_))));
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let found = problems("webhook", text);
            assert!(found.iter().any(|p| p.contains(part)), "{text}: {found:?}");
        }
        check("{preset: github}", "`token` is missing");
        check("{preset: other, token: 0123456789}", "not a preset");
        check("{token: 0123456789}", "`event` is missing");
        check("{token: 0123456789, event: {id: $.id}}", "`status` is missing");
        check("{token: 0123456789, event: {status: 'a b'}}", "not a JSON path");
        check("{preset: github, token: 0123456789, signature: {secret: 0123456789}}", "exclude each other");
        check("{preset: grafana, signature: {secret: 0123456789}}", "`header` is missing");
        check("{preset: github, signature: {secret: short}}", "fewer than 8");
        check("{preset: github, signature: {secret: 0123456789, algorithm: md5}}", "`algorithm` is `md5`");
        check("{preset: github, signature: {secret: 0123456789, tolerance: 1m}}", "proves nothing");
        check("{preset: github, signature: {secret: 0123456789, signed: body}}", "`signed` is `body`");
        assert!(problems("webhook", "{preset: github, signature: {secret: 0123456789}}").is_empty());
        let stripe = "{preset: grafana, signature: {secret: 0123456789, header: Stripe-Signature, prefix: v1=, \
            signed: '{timestamp}.{body}', tolerance: 5m}}";
        assert_eq!(problems("webhook", stripe), Vec::<String>::new());
    }
}
