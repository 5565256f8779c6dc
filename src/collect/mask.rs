//! Replaces secrets by `***` in whatever a probe shows: a target may echo what it was sent.

use std::sync::Arc;

use crate::base::BoxFuture;
use crate::base::outcome::Outcome;
use crate::base::probe::{Collector, ProbeCx, PushTarget, WebhookTarget};
use crate::collect::http::oauth::urlencoded;
use crate::collect::http::template::Escape;
use crate::config::fields::Text;

/// Shorter values are not masked: replacing every `1` of a page would hide the page, not a secret.
const MIN_SECRET: usize = 4;

/// The secrets of one monitor, longest first. Its `Debug` form shows how many, not which.
#[derive(Clone, Default)]
pub struct Mask(Vec<String>);

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
            self.add(part);
        }
        any
    }

    /// The same for an address, in which a secret may travel encoded.
    pub fn add_url(&mut self, text: &Text) {
        self.add_text(text);
        for part in resolved_parts(text.shown(), text.value()) {
            let Ok(mut url) = reqwest::Url::parse(&format!("http://host/{part}?{part}")) else { continue };
            self.add(url.path().trim_start_matches('/'));
            self.add(url.query().unwrap_or(""));
            // As a parameter of a form.
            url.query_pairs_mut().clear().append_key_only(part);
            self.add(url.query().unwrap_or(""));
        }
    }

    /// Adds one secret, and the forms in which it may be echoed: within JSON, HTML, an address or a form.
    pub fn add(&mut self, secret: &str) {
        for line in secret.lines().map(str::trim).filter(|l| l.len() >= MIN_SECRET) {
            self.push(line);
            for escape in [Escape::Percent, Escape::Json, Escape::Xml] {
                if let Ok(written) = escape.write("", line) {
                    self.push(&written);
                }
            }
            self.push(urlencoded(&[("", line.to_owned())]).trim_start_matches('='));
        }
        // A secret that contains another one must go first, or its rest would stay.
        self.0.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }

    fn push(&mut self, form: &str) {
        if !self.0.iter().any(|s| s == form) {
            self.0.push(form.to_owned());
        }
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
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), "***");
            }
            hide_cut(text, secret);
        }
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
        for (_, value) in outcome.samples.iter_mut().flat_map(|s| &mut s.labels) {
            self.hide(value);
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
    /// Hides these.
    pub fn new(inner: Arc<dyn Collector>, mask: Mask) -> Self {
        Self { inner, mask }
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

    fn push(&self) -> Option<&dyn PushTarget> {
        self.inner.push()
    }

    fn webhook(&self) -> Option<&dyn WebhookTarget> {
        self.inner.webhook()
    }
}

/// Texts are cut to their limits before they are masked: a cut may have left the secret's beginning. It leaves an
/// ellipsis, wherever in a sentence that then stands, or a text of at least a certain length, perhaps with half a
/// character at its end.
fn hide_cut(text: &mut String, secret: &str) {
    const LEAST_CUT: usize = 500;
    let mut ends: Vec<usize> = text.match_indices('…').map(|(at, _)| at).collect();
    if text.len() >= LEAST_CUT {
        ends.push(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    }
    for end in ends.into_iter().rev() {
        let is_left = |len: &usize| secret.get(..*len).is_some_and(|start| text[..end].ends_with(start));
        if let Some(len) = (MIN_SECRET..secret.len()).rev().find(is_left) {
            text.replace_range(end - len..end, "***");
        }
    }
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
        let mut mask = Mask::default();
        mask.add("p\"ss w<rd&/é");
        for echo in [
            "p\"ss w<rd&/é",
            "p\\\"ss w<rd&/é",
            "p&quot;ss w&lt;rd&amp;/é",
            "p%22ss%20w%3Crd%26%2F%C3%A9",
            "p%22ss+w%3Crd%26%2F%C3%A9",
        ] {
            let mut text = format!("[{echo}]");
            mask.hide(&mut text);
            assert_eq!(text, "[***]", "{echo}");
        }
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
