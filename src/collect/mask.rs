//! Replaces secrets by `***` in whatever a probe shows: a target may echo what it was sent.
//!
//! Servers write what they echo in many ways: JSON with `\/` or `\u0026`, HTML with names or numbers, addresses with
//! percent signs in either case, one within the other. So a text is searched as it is, and as it reads without any of
//! that ([`Plain`]).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::base::BoxFuture;
use crate::base::metadata::Meta;
use crate::base::outcome::Outcome;
use crate::base::probe::{Collector, ProbeCx, PushTarget, WebhookTarget};
use crate::collect::plain::{Pattern, Plain};
use crate::config::fields::Text;

/// Shorter values are not masked: replacing every `1` of a page would hide the page, not a secret.
const MIN_SECRET: usize = 4;
/// What stands in a secret's place.
const STARS: &str = "***";

/// The secrets of one monitor, longest first. Its `Debug` form shows how many, not which.
#[derive(Clone, Default)]
pub struct Mask(Vec<Arc<Hidden>>);

/// A secret.
#[derive(Clone)]
struct Hidden {
    written: Pattern,
    /// Without escapes; nothing when that is too short to be told from other text.
    plain: Option<Pattern>,
    /// Tells it from the others where a name must stay one.
    number: usize,
    /// It may be no part of a label. A variable's value may: it is a host's name as often as a secret, and which series
    /// one is must not depend on what else is called so.
    in_labels: bool,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({})", self.0.len())
    }
}

impl Mask {
    /// Adds what references resolved to, and returns whether there was any.
    pub fn add_text(&mut self, text: &Text) -> bool {
        let found = resolved_parts(text.shown(), text.value());
        let any = !found.is_empty();
        for part in found {
            self.push(part, text.shown().contains("${file:"));
        }
        any
    }

    /// The same for an address, in which a secret may travel otherwise.
    pub fn add_url(&mut self, text: &Text) {
        self.add_text(text);
        for part in resolved_parts(text.shown(), text.value()) {
            let Ok(url) = reqwest::Url::parse(&format!("http://host/{part}?{part}")) else { continue };
            self.push(url.path().trim_start_matches('/'), false);
            self.push(url.query().unwrap_or(""), false);
        }
    }

    /// Adds one secret.
    pub fn add(&mut self, secret: &str) {
        self.push(secret, true);
    }

    fn push(&mut self, secret: &str, in_labels: bool) {
        for line in secret.lines().map(str::trim).filter(|l| l.len() >= MIN_SECRET) {
            if let Some(known) = self.0.iter_mut().find(|known| known.written.bytes() == line.as_bytes()) {
                Arc::make_mut(known).in_labels |= in_labels;
                continue;
            }
            let plain = Plain::of(line).into_bytes();
            let plain = (plain.len() >= MIN_SECRET).then(|| Pattern::new(&plain));
            let (written, number) = (Pattern::new(line.as_bytes()), self.0.len() + 1);
            self.0.push(Arc::new(Hidden { written, plain, number, in_labels }));
        }
        // Where a secret contains another one, its number is shown.
        self.0.sort_by_key(|s| std::cmp::Reverse(s.written.bytes().len()));
    }

    /// Adds the value of a header that carries credentials, and the credentials in it.
    pub fn add_credentials(&mut self, value: &str) {
        self.add(value);
        for part in value.split([' ', ';', ',']) {
            // `name=value`, but base64 ends in `=`, too.
            let part = match part.trim_end_matches('=').split_once('=') {
                Some((name, _)) => &part[name.len() + 1..],
                None => part,
            };
            let part = part.trim_matches('"').trim_end_matches('=');
            // `Bearer` and `Basic` are words of the protocol, not secrets.
            if part.len() >= 8 {
                self.add(part);
            }
        }
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hides every secret in `text`.
    pub fn hide(&self, text: &mut String) {
        self.replace(text, false);
    }

    /// Hides every secret in every text of an outcome.
    pub fn hide_in(&self, outcome: &mut Outcome) {
        self.hide_in_words(outcome);
        self.hide_in_names(outcome);
    }

    /// The same in what names it: checks and labels.
    pub fn hide_in_names(&self, outcome: &mut Outcome) {
        if self.0.is_empty() {
            return;
        }
        for check in &mut outcome.checks {
            self.hide(&mut check.name);
        }
        self.hide_in_labels(outcome);
    }

    /// The same in what tells series apart: two of them do not become one.
    fn hide_in_labels(&self, outcome: &mut Outcome) {
        if !self.0.iter().any(|secret| secret.in_labels) {
            return;
        }
        for (_, value) in outcome.samples.iter_mut().flat_map(|s| &mut s.labels) {
            // A borrowed one is a word of this program.
            if let Cow::Owned(value) = value {
                self.replace(value, true);
            }
        }
    }

    /// The same in all other texts.
    pub fn hide_in_words(&self, outcome: &mut Outcome) {
        if self.0.is_empty() {
            return;
        }
        self.hide(&mut outcome.summary);
        if let Some(reason) = &mut outcome.reason {
            self.hide(&mut reason.message);
        }
        for check in &mut outcome.checks {
            self.hide(&mut check.found);
        }
        for (_, text) in outcome.evidence.iter_mut().flat_map(|e| &mut e.items) {
            self.hide(text);
        }
    }

    /// Puts stars in the place of secrets: where one stands as it is written, as it reads, or cut off.
    fn replace(&self, text: &mut String, in_label: bool) {
        if self.0.is_empty() {
            return;
        }
        let (written, plain, cuts) = (Plain::written(text), Plain::of(text), cuts(text));
        let mut found: Vec<(Range<usize>, &Hidden)> = Vec::new();
        for secret in self.0.iter().filter(|secret| secret.in_labels || !in_label) {
            written.find(&secret.written, &cuts, MIN_SECRET, |range| found.push((range, secret)));
            let is_new = |read: &&Pattern| !plain.is_written() || read.bytes() != secret.written.bytes();
            if let Some(read) = secret.plain.as_ref().filter(is_new) {
                plain.find(read, &cuts, MIN_SECRET, |range| found.push((range, secret)));
            }
        }
        if found.is_empty() {
            return;
        }
        // In the order of the text; of those that begin together the longest secret first.
        found.sort_by_key(|(range, _)| range.start);
        let (mut hidden, mut shown_to) = (String::with_capacity(text.len()), 0);
        for (range, secret) in found {
            // What overlaps another one is hidden with it.
            if range.start >= shown_to {
                hidden.push_str(&text[shown_to..range.start]);
                hidden.push_str(STARS);
                if in_label {
                    hidden.push_str(&secret.number.to_string());
                }
            }
            shown_to = shown_to.max(range.end);
        }
        hidden.push_str(&text[shown_to..]);
        *text = hidden;
    }
}

/// A collector whose outcomes hold no secret of its options.
pub struct Masked {
    inner: Arc<dyn Collector>,
    mask: Mask,
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Masked {
    /// Hides what the references in these resolved to; the collector itself, where there are none.
    pub fn of(inner: Arc<dyn Collector>, texts: &[Text]) -> Arc<dyn Collector> {
        let mut mask = Mask::default();
        for text in texts {
            mask.add_text(text);
        }
        match mask.is_empty() {
            true => inner,
            false => Arc::new(Self { inner, mask }),
        }
    }
}

impl Collector for Masked {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut outcome = self.inner.probe(cx).await;
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }

    fn take_described(&self) -> Vec<(String, Meta)> {
        let mut described = self.inner.take_described();
        for (_, meta) in &mut described {
            self.mask.hide(&mut meta.help);
            self.mask.hide(&mut meta.unit);
        }
        described
    }

    fn push(&self) -> Option<&dyn PushTarget> {
        self.inner.push()
    }

    fn webhook(&self) -> Option<&dyn WebhookTarget> {
        self.inner.webhook()
    }
}

/// Where `text` may have been cut. Texts are cut to their limits before they are masked, perhaps within a secret. That
/// leaves an ellipsis, wherever in a sentence that then stands, or a text of at least a certain length, perhaps with half
/// a character at its end.
fn cuts(text: &str) -> Vec<usize> {
    const LEAST_CUT: usize = 500;
    let end = (text.len() >= LEAST_CUT).then(|| text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    text.match_indices('…').map(|(at, _)| at).chain(end).collect()
}

/// The parts of `value` that stand where `shown` has `${…}`.
fn resolved_parts<'v>(shown: &str, value: &'v str) -> Vec<&'v str> {
    let mut parts = Vec::new();
    if shown == value {
        return parts;
    }
    let (mut rest_shown, mut rest) = (shown, value);
    while let Some(start) = rest_shown.find("${") {
        let after = rest_shown[start..].find('}').map_or("", |end| &rest_shown[start + end + 1..]);
        rest = rest.get(start..).unwrap_or("");
        let literal = after.find("${").map_or(after, |next| &after[..next]);
        let is_last = literal.len() == after.len();
        let end = if literal.is_empty() && is_last {
            Some(rest.len())
        } else if is_last {
            rest.strip_suffix(literal).map(str::len)
        } else {
            rest.find(literal).filter(|_| !literal.is_empty())
        };
        // Two references side by side cannot be told apart: both are hidden as one.
        let end = end.unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = &rest[end..];
        rest_shown = after;
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::Sample;

    #[test]
    fn only_what_came_through_a_reference_is_secret() {
        assert_eq!(resolved_parts("Bearer ${env:T}", "Bearer abcd"), ["abcd"]);
        assert_eq!(resolved_parts("https://${env:U}:${env:P}@h/", "https://user:pa:ss@h/"), ["user", "pa:ss"]);
        assert_eq!(resolved_parts("${env:A}${env:B}", "aabb"), ["aabb"]);
        assert!(resolved_parts("plain", "plain").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn what_was_resolved_is_found_again(a in "[a-z:/@]{0,8}", s in "\\PC{1,12}", b in "[a-z:/@]{0,8}") {
            proptest::prop_assume!(!s.contains("${"));
            let (shown, value) = (format!("{a}${{env:X}}{b}"), format!("{a}{s}{b}"));
            if shown != value {
                proptest::prop_assert_eq!(resolved_parts(&shown, &value), [s.as_str()]);
            }
        }

        #[test]
        fn hiding_never_fails_and_leaves_nothing(secret in "\\PC{4,20}", before in "\\PC{0,600}", cut in 0..20usize) {
            let mut mask = Mask::default();
            mask.add(&secret);
            let kept: String = secret.chars().take(cut).collect();
            let mut text = format!("{before}{secret}{before}{kept}…");
            mask.hide(&mut text);
            proptest::prop_assert!(secret.trim().len() < MIN_SECRET || !text.contains(secret.trim()) || "***".contains(secret.trim()));
        }
    }

    #[test]
    fn the_longer_secret_is_hidden_first() {
        let mut mask = Mask::default();
        mask.add("secret");
        mask.add("secret-and-more");
        let mut text = "echo: secret-and-more, secret, xy".to_owned();
        mask.hide(&mut text);
        assert_eq!(text, "echo: ***, ***, xy");
        assert!(!format!("{mask:?}").contains("secret"));
    }

    #[test]
    fn a_secret_that_was_cut_is_hidden_too() {
        let mut mask = Mask::default();
        mask.add("abcdefghij");
        for (raw, want) in [
            ("x abcdefghi…", "x ***…"),
            ("x abcd…", "x ***…"),
            ("x abc…", "x abc…"),
            ("x abcd", "x abcd"),
            ("found: x abcdefgh… (and 2 more)", "found: x ***… (and 2 more)"),
            ("abcde… and …, abcdef……", "***… and …, ***……"),
        ] {
            let mut text = raw.to_owned();
            mask.hide(&mut text);
            assert_eq!(text, want);
        }
    }

    #[test]
    fn credentials_are_hidden_without_their_scheme() {
        for (value, secret) in [
            ("Bearer abcdefgh12", "abcdefgh12"),
            ("Basic dXNlcjpwYXNzdw==", "dXNlcjpwYXNzdw=="),
            ("Basic dXNlcjpwYXNzdw==", "dXNlcjpwYXNzdw"),
            ("sid=abcdefgh==; theme=dark", "abcdefgh=="),
            ("Digest response=\"abcdefgh\", qop=auth", "abcdefgh"),
        ] {
            let mut mask = Mask::default();
            mask.add_credentials(value);
            let mut text = format!("you sent {secret} as Bearer");
            mask.hide(&mut text);
            assert!(!text.contains("abcdefgh") && !text.contains("dXNl") && text.ends_with("as Bearer"), "{text}");
        }
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_echoed() {
        #[track_caller]
        fn check(secret: &str, echo: &str) {
            let mut mask = Mask::default();
            mask.add(secret);
            let mut text = format!("[{echo}]");
            mask.hide(&mut text);
            assert_eq!(text, "[***]", "{echo}");
        }
        let key = "wJalr/K7MDENG+bPxRfi=";
        for echo in [
            key,
            // PHP's json_encode, and the same within HTML.
            r"wJalr\/K7MDENG+bPxRfi=",
            r"wJalr\u002fK7MDENG\u002BbPxRfi\u003d",
            // Addresses in either case, and one within another.
            "wJalr%2FK7MDENG%2BbPxRfi%3D",
            "wJalr%2fK7MDENG%2bbPxRfi%3d",
            "wJalr%252FK7MDENG%252BbPxRfi%253D",
            // Python's html.escape leaves it, JavaScript's libraries do not.
            "wJalr&#x2F;K7MDENG&#x2B;bPxRfi&#x3D;",
            "wJalr&#47;K7MDENG&#43;bPxRfi&#61;",
        ] {
            check(key, echo);
        }
        let words = "pass&w<\"é'x y";
        for echo in [
            words,
            // Go's encoding/json and html/template, Python's json, Ruby's CGI, browsers' forms.
            r#"pass\u0026w\u003c\"é'x y"#,
            "pass&amp;w&lt;&#34;é&#39;x y",
            r#"pass&w<\"\u00e9'x y"#,
            "pass&amp;w&lt;&quot;é&apos;x y",
            "pass%26w%3C%22%C3%A9%27x+y",
            "pass%26w%3c%22%c3%a9%27x%20y",
        ] {
            check(words, echo);
        }
        // Beside what only looks like an escape, and one that has such things itself.
        check(r"corp\new%41", r"corp\new%41");
        check(r"corp\new%41", r"corp\\new%41");
        check(r"corp\new%41", r"corp%5Cnew%2541");
        // A secret that is written with escapes, echoed without or with others.
        check("abcd%2Fefgh%3D", "abcd/efgh=");
        check("abcd%2Fefgh%3D", r"abcd\/efgh\u003d");
        check("pass+word", "pass word");
    }

    #[test]
    fn of_a_secret_that_was_cut_within_an_escape_nothing_stays() {
        let mut mask = Mask::default();
        mask.add("abcd/efgh/ijkl");
        for (raw, want) in [
            ("x abcd%2Fefg…", "x ***…"),
            ("x abcd%2Fefgh%2…", "x ***…"),
            (r"x abcd\u002fefgh\u00…", "x ***…"),
            ("x abcd&#x2F;efgh&#x…", "x ***…"),
            ("x 100%…", "x 100%…"),
        ] {
            let mut text = raw.to_owned();
            mask.hide(&mut text);
            assert_eq!(text, want);
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_each_other() {
        let mut mask = Mask::default();
        mask.add("abcdef");
        mask.add("defghi");
        let mut text = "x abcdefghi y".to_owned();
        mask.hide(&mut text);
        assert_eq!(text, "x *** y");
    }

    #[test]
    fn what_a_peer_writes_is_hidden_in_time_in_proportion_to_it() {
        let mut mask = Mask::default();
        // A secret and a text that are a slow search's worst case, and as many escapes and cuts as a text can have: with
        // a look back at each, this would take hours.
        mask.add(&format!("{}b", "a".repeat(1_200)));
        mask.add(&format!("{}%2F", "%".repeat(1_200)));
        for (unit, is_hidden) in [("a", true), ("%61", true), ("aaaa…", true), ("%…", false), ("&…\\", false)] {
            let text = unit.repeat((256 << 10) / unit.len());
            let mut hidden = text.clone();
            mask.hide(&mut hidden);
            assert_eq!(hidden != text, is_hidden, "{unit}");
        }
    }

    #[test]
    fn series_that_differ_by_their_secrets_alone_stay_different() {
        let mut mask = Mask::default();
        mask.add("web1");
        mask.add("web2");
        let mut outcome = Outcome::up("");
        outcome.samples = ["web1", "web2", "db-web2"]
            .map(|name| Sample { labels: vec![("label".into(), name.to_owned().into())], ..Sample::new("x", 1.0) })
            .into();
        mask.hide_in(&mut outcome);
        let labels: Vec<&str> = outcome.samples.iter().map(|s| s.labels[0].1.as_ref()).collect();
        assert_eq!(labels, ["***1", "***2", "db-***2"]);
    }

    #[tokio::test]
    async fn a_variable_in_a_label_leaves_series_what_they_are() {
        use crate::collect::kinds::testing::outcome;
        let text = "{command: [/bin/echo, 'OK ${env:TOKEN} | resolved-TOKEN=1 resolved-TOKEN2=2']}";
        let got = outcome("script", text).await;
        assert!(!got.summary.contains("resolved"), "{}", got.summary);
        let labels: Vec<&str> = got.samples.iter().flat_map(|s| &s.labels).map(|(_, v)| v.as_ref()).collect();
        assert!(labels.contains(&"resolved-TOKEN") && labels.contains(&"resolved-TOKEN2"), "{labels:?}");
    }

    #[tokio::test]
    async fn references_are_hidden_whatever_option_they_stand_in() {
        use crate::collect::kinds::testing::outcome;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut s, b"you are resolved-TOKEN").await;
            }
        });
        for options in [
            "expect: {contains: \"${env:TOKEN}-x\"}",
            "expect: {matches: \"^${env:TOKEN}\"}",
            "steps: [{expect: \"^${env:TOKEN}\"}]",
        ] {
            let got = outcome("tcp", &format!("{{host: \"{at}\", {options}}}")).await;
            assert_eq!(got.verdict, crate::base::outcome::Verdict::Down);
            assert!(!format!("{got:?}").contains("resolved-TOKEN"), "{got:?}");
        }
    }
}
