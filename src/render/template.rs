//! A person's own `title:` and `body:` in Jinja's language, bounded in work and size.
//!
//! Refuses includes and anything else that reads; what a template prints is text, never a template
//! again. Mistakes are found when it is read, with their place, by compiling it and rendering it once
//! with made-up alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};

use crate::base::labels::Labels;
use crate::base::message::Status;
use crate::base::notification::{Notification, NotifiedAlert, Reason};
use crate::base::time::Timestamp;
use crate::render::filters;
use crate::render::text::{Voice, command, title};

/// Instructions of one rendering: some 50 for every alert of a large group. 100,000 take a few ms.
const FUEL: u64 = 100_000;
/// Largest output in bytes; every channel takes less.
const MAX_OUTPUT: usize = 256 * 1024;
/// Largest template in bytes.
const MAX_SOURCE: usize = 64 * 1024;
/// What a template may name.
pub const NAMES: [&str; 18] = [
    "status",
    "receiver",
    "notifier",
    "reason",
    "severity",
    "group_labels",
    "common_labels",
    "common_annotations",
    "alerts",
    "firing",
    "resolved",
    "omitted",
    "external_url",
    "title",
    "command",
    "key",
    "thread",
    "group_key",
];

type Writes = fn(f64) -> String;

/// Filters that write a number for people.
const NUMBERS: [(&str, Writes); 5] = [
    ("duration", filters::duration),
    ("humanize", filters::humanize),
    ("percent", filters::percent),
    ("bytes", filters::bytes),
    ("number", filters::number),
];

/// A compiled template.
#[derive(Clone)]
pub struct Template {
    source: Arc<str>,
    environment: Arc<Environment<'static>>,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The source may hold what a reference resolved to.
        f.debug_struct("Template").field("bytes", &self.source.len()).finish_non_exhaustive()
    }
}

/// What is wrong with a template, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, without any of the template's text but names.
    pub message: String,
    /// Byte offset in the template's source.
    pub offset: usize,
}

impl Template {
    /// What was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Compiles `source` and renders it once for a made-up group.
    ///
    /// # Errors
    /// The first mistake.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            let message = format!("the template is larger than {} KiB", MAX_SOURCE / 1024);
            return Err(TemplateError { message, offset: 0 });
        }
        let mut environment = environment();
        environment.add_template_owned("text", source.to_owned()).map_err(|e| problem(&e, source))?;
        let template = Self { source: source.into(), environment: Arc::new(environment) };
        template.names(source)?;
        for n in samples() {
            template.run(&n, &Voice::default()).map_err(|e| problem(&e, source))?;
        }
        Ok(template)
    }

    /// Every name at the top must be one that is given.
    fn names(&self, source: &str) -> Result<(), TemplateError> {
        let Ok(compiled) = self.environment.get_template("text") else { return Ok(()) };
        let mut unknown: Vec<String> = compiled.undeclared_variables(false).into_iter().collect();
        unknown.retain(|n| !NAMES.contains(&n.as_str()) && !self.environment.globals().any(|(g, _)| g == n));
        unknown.sort();
        let Some(name) = unknown.first() else { return Ok(()) };
        let near = crate::base::nearest::nearest(name, NAMES);
        let hint = near.map_or_else(|| format!("there are {}", NAMES.join(", ")), |n| format!("did you mean `{n}`?"));
        let offset = word_at(source, name);
        Err(TemplateError { message: format!("nothing is called `{name}` here; {hint}"), offset })
    }

    /// The template filled in.
    ///
    /// # Errors
    /// It failed for this notification, or prints too much.
    pub fn render(&self, n: &Notification, voice: &Voice) -> Result<String, TemplateError> {
        self.run(n, voice).map_err(|e| problem(&e, &self.source))
    }

    fn run(&self, n: &Notification, voice: &Voice) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template("text")?;
        let mut out = Capped(Vec::new());
        let zone = voice.zone.iana_name().unwrap_or("UTC");
        template.render_captured_to(values(n, voice, zone), &mut out)?;
        // Pieces are written whole, so the bytes are text.
        Ok(String::from_utf8_lossy(&out.0).into_owned())
    }
}

/// Refuses to grow past the cap.
struct Capped(Vec<u8>);

impl std::io::Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + piece.len() > MAX_OUTPUT {
            return Err(std::io::Error::other("more than 256 KiB of text"));
        }
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut e = Environment::new();
    e.set_fuel(Some(FUEL));
    e.set_recursion_limit(40);
    e.set_debug(true);
    e.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // A label that one alert lacks is an empty text, at any depth.
    e.set_undefined_behavior(UndefinedBehavior::Chainable);
    for (name, write) in NUMBERS {
        // What is not there is an empty text here too.
        e.add_filter(name, move |v: Option<f64>| v.map(write).unwrap_or_default());
    }
    e.add_filter("datetime", |state: &minijinja::State<'_, '_>, at: Option<&str>, zone: Option<&str>| {
        let wrong = |what: String| minijinja::Error::new(ErrorKind::InvalidOperation, what);
        let Some(at) = at else { return Ok(String::new()) };
        let own = state.lookup("_zone");
        let zone = zone.or_else(|| own.as_ref().and_then(Value::as_str)).unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| wrong(format!("`{}` is not a time zone", zone.escape_debug())))?;
        let at: jiff::Timestamp = at.parse().map_err(|_| wrong("not a time".to_owned()))?;
        Ok(filters::datetime(Timestamp::from_millis(at.as_millisecond()), &zone))
    });
    // Grows without bound, and nothing here needs it.
    e.remove_global("namespace");
    e
}

fn values(n: &Notification, voice: &Voice, zone: &str) -> Value {
    let all: Vec<Value> = n.alerts.iter().map(alert).collect();
    let of = |status| n.alerts.iter().filter(move |a| a.status == status).map(alert).collect::<Vec<Value>>();
    context! {
        status => n.status().as_str(),
        receiver => n.receiver.as_str(),
        notifier => n.notifier.as_str(),
        reason => reason(n.reason),
        severity => n.severity().as_str(),
        group_labels => labels(&n.group_labels),
        common_labels => labels(&n.common_labels()),
        common_annotations => labels(&n.common_annotations()),
        firing => of(Status::Firing),
        resolved => of(Status::Resolved),
        alerts => all,
        omitted => n.omitted,
        external_url => voice.external_url.as_deref().unwrap_or_default(),
        title => title(n, voice.language),
        command => command(n).unwrap_or_default(),
        key => n.key.as_str(),
        thread => n.thread.as_str(),
        group_key => n.group_key.as_str(),
        _zone => zone,
    }
}

fn alert(a: &NotifiedAlert) -> Value {
    let lasted = a.ends_at.map(|end| end.since(a.starts_at).as_secs_f64());
    context! {
        status => a.status.as_str(),
        severity => a.severity().as_str(),
        labels => labels(&a.labels),
        annotations => labels(&a.annotations),
        starts_at => a.starts_at.to_string(),
        ends_at => a.ends_at.map(|t| t.to_string()),
        duration => lasted,
        value => a.value,
        fingerprint => a.fingerprint.as_str(),
        generator_url => a.generator_url.as_deref().unwrap_or_default(),
    }
}

fn labels(labels: &Labels) -> Value {
    Value::from(labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<BTreeMap<_, _>>())
}

fn reason(reason: Reason) -> String {
    match reason {
        Reason::FirstTime => "first_time".to_owned(),
        Reason::GroupChanged => "group_changed".to_owned(),
        Reason::Resolved => "resolved".to_owned(),
        Reason::RepeatDue => "repeat_due".to_owned(),
        Reason::Escalated(step) => format!("escalated to step {step}"),
        Reason::Digest(groups) => format!("digest of {groups} groups"),
        Reason::Test => "test".to_owned(),
        Reason::Drill => "drill".to_owned(),
        Reason::Reminder => "reminder".to_owned(),
    }
}

fn problem(e: &minijinja::Error, source: &str) -> TemplateError {
    let what = match e.kind() {
        ErrorKind::OutOfFuel => "it runs too long".to_owned(),
        ErrorKind::WriteFailure => "it prints more than 256 KiB".to_owned(),
        kind => match e.detail() {
            Some(detail) => format!("{kind}: {}", detail.chars().take(200).collect::<String>()),
            None => kind.to_string(),
        },
    };
    let line = e.line().unwrap_or(1);
    let start = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let offset = e.range().map_or(start, |r| r.start).min(source.len());
    TemplateError { message: what, offset }
}

/// Where `word` stands by itself.
fn word_at(source: &str, word: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let alone = |at: usize| {
        let (before, after) = (&source[..at], &source[at + word.len()..]);
        !before.ends_with(part) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    source.match_indices(word).map(|(at, _)| at).find(|at| alone(*at)).unwrap_or(0)
}

/// Groups that a template is tried with: one that fires, one that is over.
fn samples() -> [Notification; 2] {
    let alert = |status, ends_at| NotifiedAlert {
        status,
        fingerprint: "0123456789abcdef".to_owned(),
        labels: Labels::new([("alertname", "DiskFull"), ("instance", "db-1"), ("severity", "critical")]),
        annotations: Labels::new([("summary", "the disk is full"), ("description", "97% of /var")]),
        starts_at: Timestamp::from_millis(1_763_900_000_000),
        ends_at,
        value: Some(0.97),
        generator_url: None,
    };
    let end = Some(Timestamp::from_millis(1_763_900_900_000));
    [alert(Status::Firing, None), alert(Status::Resolved, end)]
        .map(|a| Notification::single("key".to_owned(), "thread".to_owned(), "ops", a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::testing::{alert, group};

    fn render(source: &str) -> String {
        let n = group(vec![alert(Status::Firing, "db-1", "critical"), alert(Status::Resolved, "db-22", "warning")]);
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let voice = Voice { zone, external_url: Some("https://w.example".into()), ..Voice::default() };
        Template::new(source).unwrap().render(&n, &voice).unwrap()
    }

    #[test]
    fn alertmanagers_words_are_there() {
        #[track_caller]
        fn check(source: &str, want: &str) {
            assert_eq!(render(source), want, "{source}");
        }
        check("{{ status }} {{ receiver }} {{ severity }} {{ reason }}", "firing ops critical first_time");
        check("{{ common_labels.alertname }}/{{ group_labels.alertname }}", "DiskFull/DiskFull");
        check("{{ alerts|length }} {{ firing|length }} {{ resolved|length }} {{ omitted }}", "2 1 1 0");
        check("{% for a in alerts %}{{ a.labels.instance }}={{ a.value|percent }};{% endfor %}", "db-1=97%;db-22=97%;");
        check("{{ alerts[0].labels.nothing.at.all }}{{ alerts[9].labels.x }}", "");
        check("{{ alerts[1].duration|duration }}", "14m");
        check("{{ alerts[0].starts_at|datetime }}", "2025-11-23 20:13:20 CST");
        check("{{ alerts[0].starts_at|datetime('Europe/Berlin') }}", "2025-11-23 13:13:20 CET");
        check("{{ 1536|bytes }} {{ 1500|humanize }}", "1.5 KiB 1.5k");
        check("{{ title }}", "1 FIRING, 1 resolved: DiskFull – db-1");
        check("{{ external_url }} {{ command }}", "https://w.example watchdog tui alert/0000000000000004");
    }

    #[test]
    fn what_was_rendered_is_not_rendered_again_nor_escaped() {
        let mut n = group(vec![alert(Status::Firing, "db-1", "critical")]);
        n.alerts[0].annotations = Labels::new([("summary", "{{ 7 * 7 }} <b> {% raw %}")]);
        let template = Template::new("{{ alerts[0].annotations.summary }}").unwrap();
        assert_eq!(template.render(&n, &Voice::default()).unwrap(), "{{ 7 * 7 }} <b> {% raw %}");
    }

    #[test]
    fn mistakes_are_found_before_anything_fires() {
        #[track_caller]
        fn check(source: &str, message: &str, offset: usize) {
            let e = Template::new(source).unwrap_err();
            assert!(e.message.contains(message), "{source}: {}", e.message);
            assert_eq!(e.offset, offset, "{source}: {}", e.message);
        }
        check("a\n{{ status | upcase }}", "upcase", 14);
        check("{% if status %}", "syntax error", 13);
        check("x {{ stauts }}", "did you mean `status`", 5);
        check("{{ status.nope() }}", "no method", 9);
        check("{{ nope() }}", "nothing is called `nope`", 3);
        check("{% include 'x' %}", "", 3);
        check("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "too long", 39);
        check(&"x".repeat(MAX_SOURCE + 1), "larger than", 0);
        check("{{ alerts[0].starts_at|datetime('Mars/Base') }}", "not a time zone", 23);
    }

    #[test]
    fn output_is_capped() {
        let template = Template::new("{% for a in alerts %}{{ a.annotations.summary }}{% endfor %}").unwrap();
        let mut one = alert(Status::Firing, "db-1", "critical");
        one.annotations = Labels::new([("summary", "x".repeat(100_000))]);
        let e = template.render(&group(vec![one; 3]), &Voice::default()).unwrap_err();
        assert_eq!(e.message, "it prints more than 256 KiB");
    }
}
