//! Matchers and labels, given as words.

use unicode_width::UnicodeWidthStr;

use crate::alert::matchers::Matchers;
use crate::base::failure::{Failure, Kind};
use crate::base::labels::{Labels, is_label_name};
use crate::base::term_safe::term_safe;

/// Reads matchers; a first word without an operator names an alert.
///
/// # Errors
/// One of them is none: with its place.
pub fn matchers<W: AsRef<str>>(words: &[W]) -> Result<Matchers, Failure> {
    Matchers::of_words(words).map_err(|(i, bad)| {
        let word = words.get(i).map(AsRef::as_ref).unwrap_or_default();
        let before = term_safe(word.get(..bad.start).unwrap_or_default()).width();
        let marked = term_safe(word.get(bad.start..bad.end).unwrap_or_default()).width().max(1);
        let carets = format!("{}{}", " ".repeat(before), "^".repeat(marked));
        let failure = Failure::text(Kind::Usage, format!("`{word}` is not a matcher: {bad}"));
        failure
            .excerpt(vec![term_safe(word).into_owned(), carets])
            .hint("write `name=value`, `name!=value`, `name=~regex` or `name!~regex`, in quotes for the shell")
    })
}

/// One `name=value`.
///
/// # Errors
/// It is not of this form.
pub fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_label_name(name) => Ok((name.to_owned(), value.to_owned())),
        Some((name, _)) => Err(format!("`{name}` is not a label name")),
        None => Err("write `name=value`".to_owned()),
    }
}

/// The labels that these pairs make.
pub fn labels(pairs: &[(String, String)]) -> Labels {
    Labels::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_pointed_at() {
        let failure = matchers(&["DiskFull", "team=~(a"]).unwrap_err();
        assert!(failure.message().starts_with("`team=~(a` is not a matcher"), "{failure:?}");
        assert_eq!(failure.excerpt_lines().len(), 2);
        assert_eq!(failure.hints().len(), 1);
    }

    #[test]
    fn a_bare_first_word_names_an_alert() {
        let read = matchers(&["DiskFull", "team=web"]).unwrap();
        assert!(read.matches(&Labels::new([("alertname", "DiskFull"), ("team", "web")])));
        assert!(!read.matches(&Labels::new([("alertname", "DiskFull"), ("team", "db")])));
    }
}
