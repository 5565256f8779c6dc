//! `expect:` of an `http` monitor: read once, judged on every answer.

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use http::header;

use crate::base::outcome::Outcome;
use crate::collect::http::cert::CertCheck;
use crate::collect::http::decode;
use crate::collect::http::exchange::Answer;
use crate::collect::http::header::HeaderCheck;
use crate::collect::http::json::{JsonCheck, parse_json};
use crate::collect::http::request::Seen;
use crate::collect::http::title::title;
use crate::collect::judge::{Judge, Latency, TextCheck, found};
use crate::collect::want::Want;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// What an answer must be. Its `Debug` form is the names of the checks: values may be secrets.
#[derive(Default)]
pub struct Expect {
    status: Statuses,
    headers: Vec<HeaderCheck>,
    encoding: Option<(String, String)>,
    final_url: Option<(Want, String)>,
    redirects: Option<(RangeInclusive<i64>, String)>,
    title: Option<(Want, String)>,
    body: Vec<TextCheck>,
    json: Vec<JsonCheck>,
    latency: Latency,
    cert: Vec<CertCheck>,
}

/// An answer on the bench.
pub struct Judgement<'a> {
    /// The answer, decoded.
    pub answer: &'a mut Answer,
    /// What else was seen of it.
    pub seen: &'a Seen<'a>,
    /// The checks so far.
    pub judge: Judge,
}

impl Judgement<'_> {
    /// The verdict.
    pub fn finish(self) -> Outcome {
        let size = size(self.answer.body.len(), self.answer.truncated);
        self.judge.outcome(format!("{}, {size}", self.answer.status_text()))
    }
}

fn size(bytes: usize, more: bool) -> String {
    let plus = if more { "+" } else { "" };
    match bytes {
        0..=1023 => format!("{bytes}{plus} B"),
        1024..=1_048_575 => format!("{:.1}{plus} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1}{plus} MiB", bytes as f64 / 1_048_576.0),
    }
}

impl std::fmt::Debug for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Expect {
    /// Reads `expect`; without it, any status from 200 to 299 will do.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let mut this = Self::default();
        let Some(mut own) = fields.nested("expect") else { return this };
        this.status = Statuses::read(&mut own);
        if let Some(mut body) = own.nested_of("body", "contains") {
            this.body = TextCheck::read(&mut body, "body", true);
            body.finish();
        }
        this.json = JsonCheck::read(&mut own);
        this.headers = HeaderCheck::read(&mut own);
        this.title = own.text("title").and_then(|text| {
            let want = Want::of(&own, &text)?;
            let name = want.name("title", &text);
            Some((want, name))
        });
        if let Some(redirects) = own.nested_of("redirects", "count") {
            this.read_redirects(redirects);
        }
        this.latency = Latency::read(&mut own);
        if let Some(cert) = own.nested_of("cert", "valid_for") {
            this.cert = CertCheck::read(cert);
        }
        own.finish();
        this
    }

    fn read_redirects(&mut self, mut own: Fields<'_>) {
        let count = own.integer("count", 0..=50);
        let at_most = own.integer("at_most", 0..=50);
        self.redirects = match (count, at_most) {
            (Some(n), None) => Some((n..=n, format!("redirects are {n}"))),
            (None, Some(n)) => Some((0..=n, format!("redirects are at most {n}"))),
            (Some(_), Some(_)) => {
                own.error(own.head(), Code::Conflict, "`count` and `at_most` say the same twice", "keep one of them");
                None
            }
            (None, None) => None,
        };
        self.final_url = own.text("final_url").and_then(|text| {
            let want = Want::of(&own, &text)?;
            let name = want.name("final URL", &text);
            Some((want, name))
        });
        own.finish();
    }

    /// The one that all monitors share that expect nothing in particular, if this is like it: each names all it asks.
    pub fn shared(self) -> Arc<Self> {
        static PLAIN: LazyLock<Arc<Expect>> = LazyLock::new(Arc::default);
        if self.names().eq(PLAIN.names()) { Arc::clone(&PLAIN) } else { Arc::new(self) }
    }

    /// Wants the body to be encoded this way: the option `compression`.
    pub fn want_encoding(&mut self, encoding: &str) {
        self.encoding = Some((encoding.to_owned(), format!("compression is {encoding}")));
    }

    /// Whether a certificate is asked for.
    pub fn wants_cert(&self) -> bool {
        !self.cert.is_empty()
    }

    /// Names of all checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.status.name.as_str())
            .chain(self.headers.iter().map(HeaderCheck::name))
            .chain(self.encoding.iter().map(|(_, name)| name.as_str()))
            .chain(self.redirects.iter().map(|(_, name)| name.as_str()))
            .chain(self.final_url.iter().map(|(_, name)| name.as_str()))
            .chain(self.body_names())
            .chain(self.latency.names())
            .chain(self.cert.iter().map(CertCheck::name))
    }

    fn body_names(&self) -> impl Iterator<Item = &str> {
        let title = self.title.iter().map(|(_, name)| name.as_str());
        title.chain(self.body.iter().map(TextCheck::name)).chain(self.json.iter().map(JsonCheck::name))
    }

    /// Judges everything; the body only when it could be decoded.
    pub fn judge(&self, case: &mut Judgement<'_>, decoded: bool) {
        let code = case.answer.status.as_u16();
        case.judge.hold("status", &self.status.name, self.status.allows(code), case.answer.status_text());
        for check in &self.headers {
            check.judge(case);
        }
        if let Some((want, name)) = &self.encoding {
            let seen = encoding(case.answer.headers.get(header::CONTENT_ENCODING));
            case.judge.hold("compression", name, seen == *want, seen);
        }
        if let Some((want, name)) = &self.redirects {
            let n = case.seen.redirects;
            let ok = i64::try_from(n).is_ok_and(|n| want.contains(&n));
            case.judge.hold("redirect", name, ok, n.to_string());
        }
        if let Some((want, name)) = &self.final_url {
            let url = case.seen.url.as_str();
            case.judge.hold("redirect", name, want.holds(url), found(url));
        }
        match decoded {
            true => self.judge_body(case),
            false => self.body_names().for_each(|name| case.judge.skip(name)),
        }
        if !self.status.allows(code) {
            // blackbox_exporter does not look at the body of an answer that failed already.
            case.answer.regex_failed = None;
        }
        self.latency.judge(case.seen.took, &mut case.judge);
        for check in &self.cert {
            check.judge(case.seen.facts, &mut case.judge);
        }
    }

    fn judge_body(&self, case: &mut Judgement<'_>) {
        if self.body.is_empty() && self.json.is_empty() && self.title.is_none() {
            return;
        }
        let answer = &mut *case.answer;
        if let Some(encoding) = decode::unknown(answer) {
            let why = format!("the body is encoded as `{}`, which is not decoded here", found(&encoding));
            case.judge.fail("decode", why);
            self.body_names().for_each(|name| case.judge.skip(name));
            return;
        }
        let text = String::from_utf8_lossy(&answer.body);
        if let Some((want, name)) = &self.title {
            let seen = title(&text);
            let ok = seen.as_deref().is_some_and(|t| want.holds(t));
            case.judge.hold("title", name, ok, seen.map_or_else(|| "no title".to_owned(), |t| found(&t)));
        }
        let mut regex_failed = answer.regex_failed;
        for check in &self.body {
            let ok = check.holds(&text) && !(answer.truncated && check.is_absence());
            if check.is_regex() {
                regex_failed = Some(regex_failed.unwrap_or(false) || !ok);
            }
            let seen = if ok { String::new() } else { excerpt(&text, answer.truncated) };
            case.judge.hold("body", check.name(), ok, seen);
        }
        if !self.json.is_empty() {
            let parsed = parse_json(&answer.body, answer.truncated);
            for check in &self.json {
                check.judge(&parsed, &mut case.judge);
            }
        }
        drop(text);
        answer.regex_failed = regex_failed;
    }
}

fn excerpt(text: &str, truncated: bool) -> String {
    match (text, truncated) {
        ("", _) => "an empty body".to_owned(),
        (text, false) => found(text),
        (text, true) => format!("only the first part was read: {}", found(text)),
    }
}

/// The value of `Content-Encoding`; the words for a body that has none are those of the option.
fn encoding(value: Option<&http::HeaderValue>) -> String {
    match value {
        None => "identity".to_owned(),
        Some(value) => found(&String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase()),
    }
}

/// A set of status codes.
#[derive(Debug)]
struct Statuses {
    ranges: Vec<RangeInclusive<u16>>,
    name: String,
}

impl Default for Statuses {
    fn default() -> Self {
        Self { ranges: vec![200..=299], name: "status is 200-299".to_owned() }
    }
}

impl Statuses {
    fn read(fields: &mut Fields<'_>) -> Self {
        let texts = fields.texts("status");
        if texts.is_empty() {
            return Self::default();
        }
        let mut ranges = Vec::new();
        for text in &texts {
            match parse_status(text.value()) {
                Some(range) => ranges.push(range),
                None => {
                    let message = format!("`{}` is neither a status code nor a range of them", text.shown());
                    fields.error(text.span, Code::BadValue, message, "write e.g. `status: [200-299, 404]`");
                }
            }
        }
        let words: Vec<&str> = texts.iter().map(crate::config::fields::Text::shown).collect();
        Self { ranges, name: format!("status is {}", words.join(", ")) }
    }

    fn allows(&self, code: u16) -> bool {
        self.ranges.iter().any(|r| r.contains(&code))
    }
}

/// `200`, `200-299` or `2xx`.
fn parse_status(text: &str) -> Option<RangeInclusive<u16>> {
    let code = |t: &str| t.trim().parse::<u16>().ok().filter(|c| (100..=999).contains(c));
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let first = code(&format!("{class}00"))?;
        return Some(first..=first + 99);
    }
    match text.split_once('-') {
        Some((low, high)) => {
            let (low, high) = (code(low)?, code(high)?);
            (low <= high).then_some(low..=high)
        }
        None => code(text).map(|c| c..=c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_sets() {
        #[track_caller]
        fn check(text: &str, low: u16, high: u16) {
            assert_eq!(parse_status(text), Some(low..=high), "{text}");
        }
        check("200", 200, 200);
        check("200-299", 200, 299);
        check("2xx", 200, 299);
        check("200 - 204", 200, 204);
        for bad in ["", "20", "1000", "299-200", "ok", "-200", "200-", "xx", "0xx", "12xx"] {
            assert_eq!(parse_status(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(17, false), "17 B");
        assert_eq!(size(1229, false), "1.2 KiB");
        assert_eq!(size(1 << 20, true), "1.0+ MiB");
    }
}
