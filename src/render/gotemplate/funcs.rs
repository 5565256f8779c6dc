//! The functions of templates: Go's own and Prometheus'.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use regex::Regex;

use crate::base::labels::Labels;
use crate::base::re2::rust_pattern;
use crate::render::gotemplate::value::{Sample, Value};
use crate::render::gotemplate::{Ask, Dialect, MAX_OUTPUT, Scope, float, hosts, humanize, printf};

/// Largest program of a regular expression in a template, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// A function. The names are Go's and Prometheus'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Func {
    pub(super) name: &'static str,
    least: usize,
    /// `usize::MAX` for any number.
    most: usize,
}

const ANY: usize = usize::MAX;

const fn func(name: &'static str, least: usize, most: usize) -> Func {
    Func { name, least, most }
}

const FUNCS: [Func; 45] = [
    func("and", 1, ANY),
    func("or", 1, ANY),
    func("not", 1, 1),
    func("eq", 1, ANY),
    func("ne", 2, 2),
    func("lt", 2, 2),
    func("le", 2, 2),
    func("gt", 2, 2),
    func("ge", 2, 2),
    func("len", 1, 1),
    func("index", 1, ANY),
    func("slice", 1, 4),
    func("print", 0, ANY),
    func("println", 0, ANY),
    func("printf", 1, ANY),
    func("html", 0, ANY),
    func("urlquery", 0, ANY),
    func("query", 1, 1),
    func("first", 1, 1),
    func("label", 2, 2),
    func("value", 1, 1),
    func("strvalue", 1, 1),
    func("args", 0, ANY),
    func("reReplaceAll", 3, 3),
    func("safeHtml", 1, 1),
    func("match", 2, 2),
    func("title", 1, 1),
    func("toUpper", 1, 1),
    func("toLower", 1, 1),
    func("graphLink", 1, 1),
    func("tableLink", 1, 1),
    func("sortByLabel", 2, 2),
    func("stripPort", 1, 1),
    func("stripDomain", 1, 1),
    func("humanize", 1, 1),
    func("humanize1024", 1, 1),
    func("humanizeDuration", 1, 1),
    func("humanizePercentage", 1, 1),
    func("humanizeTimestamp", 1, 1),
    func("toTime", 1, 1),
    func("toDuration", 1, 1),
    func("now", 0, 0),
    func("pathPrefix", 0, 0),
    func("externalURL", 0, 0),
    func("parseDuration", 1, 1),
];

/// What rules of our own form may write besides.
const FRIENDLY: [Func; 5] =
    [func("value", 0, 1), func("labels", 0, 0), func("duration", 1, 1), func("percent", 1, 1), func("bytes", 1, 1)];

impl Func {
    pub(super) fn named(name: &str, dialect: Dialect) -> Option<Self> {
        let own: &[Self] = if dialect == Dialect::Friendly { &FRIENDLY } else { &[] };
        own.iter().chain(&FUNCS).find(|f| f.name == name).copied()
    }

    /// Steps that it costs besides those of its arguments.
    pub(super) fn cost(self) -> usize {
        match self.name {
            "query" => 200,
            "match" | "reReplaceAll" => 50,
            _ => 0,
        }
    }

    /// Whether it looks at its arguments one by one and may stop early.
    pub(super) fn is_lazy(self) -> bool {
        matches!(self.name, "and" | "or")
    }

    /// Go's complaint about the number of arguments.
    pub(super) fn wrong_count(self, got: usize) -> Option<String> {
        let Self { name, least, most } = self;
        if (least..=most).contains(&got) {
            return None;
        }
        let want = if most == ANY { format!("at least {least}") } else { most.to_string() };
        Some(format!("wrong number of args for {name}: want {want} got {got}"))
    }
}

/// An argument of a type that the function does not take; other errors carry the function's name in front.
pub(super) enum Refusal {
    Type(String),
    Call(String),
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Call(message)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

fn wrong<T>(expected: &str, got: &Value) -> Result<T> {
    Err(Refusal::Type(match got {
        Value::Nil => format!("invalid value; expected {expected}"),
        got => format!("wrong type for value; expected {expected}; got {}", got.type_name()),
    }))
}

fn text(value: &Value) -> Result<&str> {
    if let Value::Text(text) = value { Ok(text) } else { wrong("string", value) }
}

fn sample(value: &Value) -> Result<&Rc<Sample>> {
    if let Value::Sample(sample) = value { Ok(sample) } else { wrong("*template.sample", value) }
}

fn samples(value: &Value) -> Result<&Rc<[Rc<Sample>]>> {
    if let Value::Samples(samples) = value { Ok(samples) } else { wrong("template.queryResult", value) }
}

fn regex(pattern: &str) -> std::result::Result<Regex, String> {
    regex::RegexBuilder::new(&rust_pattern(pattern))
        .size_limit(MAX_REGEX)
        .build()
        .map_err(|_| format!("error parsing regexp: `{pattern}`"))
}

/// Calls a function; the number of arguments is right.
pub(super) fn call(func: Func, args: &[Value], scope: &Scope<'_>, ask: &mut dyn Ask) -> Result<Value> {
    Ok(match (func.name, args) {
        ("not", [v]) => Value::Bool(!v.truth()),
        ("eq", [_]) => return Err(Refusal::Call("missing argument for comparison".to_owned())),
        ("eq", [a, rest @ ..]) => {
            let mut any = false;
            for b in rest {
                any |= equal(a, b)?;
            }
            Value::Bool(any)
        }
        ("ne", [a, b]) => Value::Bool(!equal(a, b)?),
        ("lt", [a, b]) => Value::Bool(order(a, b)? == Some(Ordering::Less)),
        ("le", [a, b]) => Value::Bool(matches!(order(a, b)?, Some(Ordering::Less | Ordering::Equal))),
        ("gt", [a, b]) => Value::Bool(order(a, b)? == Some(Ordering::Greater)),
        ("ge", [a, b]) => Value::Bool(matches!(order(a, b)?, Some(Ordering::Greater | Ordering::Equal))),
        ("len", [v]) => Value::Int(length(v)?),
        ("index", [v, keys @ ..]) => keys.iter().try_fold(v.clone(), |v, key| index(&v, key))?,
        ("slice", [v, bounds @ ..]) => slice(v, bounds)?,
        ("print", args) => Value::text(printf::sprint(args)),
        ("println", args) => Value::text(printf::sprintln(args)),
        ("printf", [format, args @ ..]) => Value::text(printf::sprintf(text(format)?, args, MAX_OUTPUT)),
        ("html", args) => Value::text(hosts::html_escape(&printf::sprint(args))),
        ("urlquery", args) => Value::text(hosts::query_escape(&printf::sprint(args))),
        ("query", [query]) => {
            let answer = ask.query(text(query)?)?;
            Value::Samples(answer.into_iter().map(Rc::new).collect())
        }
        ("first", [v]) => match samples(v)?.first() {
            Some(first) => Value::Sample(Rc::clone(first)),
            None => return Err(Refusal::Call("first() called on vector with no elements".to_owned())),
        },
        ("label", [name, v]) => Value::text(sample(v)?.labels.get(text(name)?).unwrap_or_default()),
        ("value", []) => Value::Float(scope.value),
        ("value", [v]) => Value::Float(sample(v)?.value),
        ("labels", []) => Value::Labels(scope.labels.clone()),
        ("strvalue", [v]) => Value::text(sample(v)?.labels.get("__value__").unwrap_or_default()),
        ("args", args) => {
            // Each of them may hold the one before twice, and be printed.
            let nested = |v: &Value| matches!(v, Value::Map(map) if map.values().any(|v| matches!(v, Value::Map(_))));
            if args.iter().any(nested) {
                return Err(Refusal::Call("too many maps within each other".to_owned()));
            }
            let named = args.iter().enumerate().map(|(i, arg)| (format!("arg{i}"), arg.clone()));
            Value::Map(Rc::new(named.collect::<BTreeMap<_, _>>()))
        }
        ("reReplaceAll", [pattern, with, v]) => {
            let (pattern, with, v) = (text(pattern)?, text(with)?, text(v)?);
            replace_all(&regex(pattern)?, with, v)?
        }
        ("match", [pattern, v]) => Value::Bool(regex(text(pattern)?)?.is_match(text(v)?)),
        ("safeHtml", [v]) => Value::text(text(v)?),
        ("title", [v]) => Value::text(title(text(v)?)),
        ("toUpper", [v]) => Value::text(text(v)?.to_uppercase()),
        ("toLower", [v]) => Value::text(text(v)?.to_lowercase()),
        ("graphLink", [v]) => Value::text(format!("/graph?g0.expr={}&g0.tab=0", hosts::query_escape(text(v)?))),
        ("tableLink", [v]) => Value::text(format!("/graph?g0.expr={}&g0.tab=1", hosts::query_escape(text(v)?))),
        ("sortByLabel", [label, v]) => {
            let label = text(label)?;
            let mut sorted: Vec<Rc<Sample>> = samples(v)?.to_vec();
            sorted.sort_by(|a, b| a.labels.get(label).unwrap_or("").cmp(b.labels.get(label).unwrap_or("")));
            Value::Samples(sorted.into())
        }
        ("stripPort", [v]) => Value::text(hosts::strip_port(text(v)?)),
        ("stripDomain", [v]) => Value::text(hosts::strip_domain(text(v)?)),
        ("humanize", [v]) => Value::text(humanize::decimal(v.number()?)),
        ("humanize1024", [v]) => Value::text(humanize::binary(v.number()?)),
        ("bytes", [v]) => Value::text(format!("{}B", humanize::binary(v.number()?).replace("ki", "Ki"))),
        ("humanizeDuration" | "duration", [v]) => Value::text(humanize::duration(v.number()?)),
        ("humanizePercentage" | "percent", [v]) => Value::text(humanize::percentage(v.number()?)),
        ("humanizeTimestamp", [v]) => {
            let v = v.number()?;
            match humanize::nanos(v)? {
                Some(nanos) => Value::text(Value::Time(nanos).show()),
                None => Value::text(float::general(v, Some(4))),
            }
        }
        ("toTime", [v]) => match humanize::nanos(v.number()?)? {
            Some(nanos) => Value::Time(nanos),
            None => return Err(Refusal::Call("value is NaN or Inf".to_owned())),
        },
        ("toDuration", [v]) => Value::Span((v.number()? * 1e9) as i64),
        ("now", []) => Value::Float(scope.now.millis() as f64 / 1e3),
        ("externalURL", []) => Value::text(scope.external_url),
        ("pathPrefix", []) => Value::text(path_of(scope.external_url)),
        ("parseDuration", [v]) => Value::Float(seconds(text(v)?)?),
        (name, _) => return Err(Refusal::Call(format!("`{name}` cannot be called here"))),
    })
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |i| rest[i..].trim_end_matches('/'))
}

/// The seconds of a length of time as Prometheus writes it.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric());
    match crate::base::units::parse_duration(text) {
        Ok(d) if plain && !text.is_empty() => Ok(d.as_secs_f64()),
        _ if text.is_empty() => Err("empty duration string".to_owned()),
        _ => Err(format!("not a valid duration string: {text:?}")),
    }
}

/// Every word with its first letter as in titles.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    out
}

/// Bounded, because what is put in may be longer than what is taken out.
fn replace_all(regex: &Regex, with: &str, v: &str) -> Result<Value> {
    let mut out = String::new();
    let mut last = 0;
    for found in regex.captures_iter(v) {
        let Some(all) = found.get(0) else { continue };
        out.push_str(&v[last..all.start()]);
        found.expand(with, &mut out);
        last = all.end();
        if out.len() > MAX_OUTPUT {
            return Err(Refusal::Call("the text is too long".to_owned()));
        }
    }
    out.push_str(&v[last..]);
    Ok(Value::text(out))
}

fn length(v: &Value) -> Result<i64> {
    let n = match v {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.iter().count(),
        Value::Map(map) => map.len(),
        Value::Samples(samples) => samples.len(),
        Value::Nil => return Err(Refusal::Call("len of nil pointer".to_owned())),
        other => return Err(Refusal::Call(format!("len of type {}", other.type_name()))),
    };
    Ok(i64::try_from(n).unwrap_or(i64::MAX))
}

fn index(v: &Value, key: &Value) -> Result<Value> {
    let place = |len: usize| match key {
        Value::Int(n) => usize::try_from(*n)
            .ok()
            .filter(|n| *n < len)
            .ok_or_else(|| Refusal::Call(format!("index out of range: {n}"))),
        other => Err(Refusal::Call(format!("cannot index slice/array with type {}", other.type_name()))),
    };
    match (v, key) {
        (Value::Labels(labels), Value::Text(name)) => Ok(Value::text(labels.get(name).unwrap_or_default())),
        (Value::Map(map), Value::Text(name)) => Ok(map.get(&**name).cloned().unwrap_or(Value::Nil)),
        (Value::Labels(_) | Value::Map(_), other) => {
            Err(Refusal::Call(format!("value has type {}; should be string", other.type_name())))
        }
        (Value::Samples(samples), _) => Ok(Value::Sample(Rc::clone(&samples[place(samples.len())?]))),
        (Value::Text(text), _) => Ok(Value::Int(i64::from(text.as_bytes()[place(text.len())?]))),
        (Value::Nil, _) => Err(Refusal::Call("index of untyped nil".to_owned())),
        (other, _) => Err(Refusal::Call(format!("can't index item of type {}", other.type_name()))),
    }
}

fn slice(v: &Value, bounds: &[Value]) -> Result<Value> {
    let bound = |i: usize, otherwise: usize, len: usize| match bounds.get(i) {
        None => Ok(otherwise),
        Some(Value::Int(n)) => usize::try_from(*n)
            .ok()
            .filter(|n| *n <= len)
            .ok_or_else(|| Refusal::Call(format!("index out of range: {n}"))),
        Some(other) => Err(Refusal::Call(format!("cannot index slice/array with type {}", other.type_name()))),
    };
    match v {
        Value::Text(text) => {
            let (from, to) = (bound(0, 0, text.len())?, bound(1, text.len(), text.len())?);
            let part = text.get(from..to);
            part.map(Value::text).ok_or_else(|| Refusal::Call(format!("invalid slice index: {from} > {to}")))
        }
        Value::Samples(samples) => {
            let (from, to) = (bound(0, 0, samples.len())?, bound(1, samples.len(), samples.len())?);
            let part = samples.get(from..to);
            part.map(|p| Value::Samples(p.into()))
                .ok_or_else(|| Refusal::Call(format!("invalid slice index: {from} > {to}")))
        }
        other => Err(Refusal::Call(format!("can't slice item of type {}", other.type_name()))),
    }
}

fn incompatible<T>() -> Result<T> {
    Err(Refusal::Call("incompatible types for comparison".to_owned()))
}

fn equal(a: &Value, b: &Value) -> Result<bool> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Span(a), Value::Span(b) | Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Labels(_) | Value::Map(_) | Value::Samples(_), _) => {
            return Err(Refusal::Call(format!("non-comparable type {}: {}", a.show(), a.type_name())));
        }
        _ => return incompatible(),
    })
}

fn order(a: &Value, b: &Value) -> Result<Option<Ordering>> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) | (Value::Span(a), Value::Span(b) | Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Span(_), Value::Bool(_) | Value::Nil)
        | (Value::Int(_), Value::Float(_) | Value::Text(_))
        | (Value::Float(_), Value::Int(_) | Value::Text(_))
        | (Value::Text(_), Value::Int(_) | Value::Float(_)) => incompatible(),
        _ => Err(Refusal::Call("invalid type for comparison".to_owned())),
    }
}

/// A field of a value: of a map its key, of a sample and of the data what they have.
pub(super) fn field(v: &Value, name: &str, scope: &Scope<'_>) -> std::result::Result<Value, String> {
    Ok(match (v, name) {
        (Value::Data, "Labels") => Value::Labels(scope.labels.clone()),
        (Value::Data, "ExternalLabels") => Value::Labels(scope.external_labels.clone()),
        (Value::Data, "ExternalURL") => Value::text(scope.external_url),
        (Value::Data, "Value") => Value::Float(scope.value),
        (Value::Sample(sample), "Labels") => Value::Labels(Labels::clone(&sample.labels)),
        (Value::Sample(sample), "Value") => Value::Float(sample.value),
        (Value::Labels(labels), name) => Value::text(labels.get(name).unwrap_or_default()),
        (Value::Map(map), name) => map.get(name).cloned().unwrap_or(Value::Nil),
        (Value::Nil, name) => return Err(format!("nil data; no entry for key {name:?}")),
        (other, name) => return Err(format!("can't evaluate field {name} in type {}", other.type_name())),
    })
}
