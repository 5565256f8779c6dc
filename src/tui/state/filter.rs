//! The filter line: `text`, `!text`, `label=value`, `state:down`, `type:http`, all of which must hold.

use crate::wire::board::{MonitorRow, State};

/// Longest filter that can be typed.
const MAX_CHARS: usize = 200;

/// A filter as typed, and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// In name, target or headline; lower case.
    Text(String),
    /// The state's word starts so.
    State(String),
    /// The type, or the severity, starts so.
    Type(String),
    /// The label's value starts so.
    Label(String, String),
}

impl Filter {
    /// A filter from text, as if it had been typed.
    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        let mut filter = Self::default();
        filter.push_str(text);
        filter
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether every row passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Appends what was typed or pasted, without what cannot be typed.
    pub(crate) fn push_str(&mut self, text: &str) {
        let room = MAX_CHARS.saturating_sub(self.text.chars().count());
        self.text.extend(text.chars().filter(|c| !c.is_control()).take(room));
        self.parse();
    }

    /// Deletes the last character.
    pub(crate) fn pop(&mut self) {
        self.text.pop();
        self.parse();
    }

    /// Deletes the last word.
    pub(crate) fn pop_word(&mut self) {
        let kept = self.text.trim_end().rfind(' ').map_or(0, |i| i + 1);
        self.text.truncate(kept);
        self.parse();
    }

    /// Deletes everything.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.terms.clear();
    }

    fn parse(&mut self) {
        self.terms = self.text.split_whitespace().filter_map(parse_term).collect();
    }

    /// Whether `row` passes.
    pub(crate) fn matches(&self, row: &impl Filtered) -> bool {
        self.terms.iter().all(|term| term.test.holds(row) != term.negated)
    }
}

fn parse_term(word: &str) -> Option<Term> {
    let (negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
    if word.is_empty() {
        return None;
    }
    let test = if let Some(state) = word.strip_prefix("state:") {
        let state = state.to_lowercase();
        Test::State(match state.as_str() {
            "ok" => State::Up.as_str().to_owned(),
            "slow" => State::Degraded.as_str().to_owned(),
            _ => state,
        })
    } else if let Some(kind) = word.strip_prefix("type:").or_else(|| word.strip_prefix("severity:")) {
        Test::Type(kind.to_lowercase())
    } else if let Some((label, value)) = word.split_once('=').filter(|(l, _)| crate::base::labels::is_label_name(l)) {
        Test::Label(label.to_owned(), value.to_owned())
    } else {
        Test::Text(word.to_lowercase())
    };
    Some(Term { negated, test })
}

impl Test {
    fn holds(&self, row: &impl Filtered) -> bool {
        match self {
            Self::Text(needle) => row.mentions(needle),
            Self::State(word) => row.is_state(word),
            Self::Type(word) => row.kind().starts_with(word.as_str()),
            Self::Label(name, value) => row.label(name).is_some_and(|v| v.starts_with(value.as_str())),
        }
    }
}

/// Lines that a filter can be applied to.
pub(crate) trait Filtered {
    /// Whether one of its texts contains the lower-case `needle`.
    fn mentions(&self, needle: &str) -> bool;
    /// Whether a word for its state starts so.
    fn is_state(&self, start: &str) -> bool;
    /// Its type, or its severity.
    fn kind(&self) -> &str;
    /// A label.
    fn label(&self, name: &str) -> Option<&str>;
}

impl Filtered for MonitorRow {
    fn mentions(&self, needle: &str) -> bool {
        contains(self.name.as_str(), needle) || contains(&self.target, needle) || contains(&self.headline, needle)
    }

    fn is_state(&self, start: &str) -> bool {
        self.state.as_str().starts_with(start)
    }

    fn kind(&self) -> &str {
        &self.r#type
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name)
    }
}

/// Whether `hay` contains the lower-case `needle`, whatever the case. Allocates for non-ASCII needles
/// only: a filter looks at every row at every key.
pub(crate) fn contains(hay: &str, needle: &str) -> bool {
    if !needle.is_ascii() {
        return hay.to_lowercase().contains(needle);
    }
    needle.is_empty() || hay.as_bytes().windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn terms() {
        let mut row = fixture::row("shop-eu", State::Down);
        row.labels = crate::base::labels::Labels::new([("team", "web")]);
        #[track_caller]
        fn check(row: &MonitorRow, filter: &str, passes: bool) {
            assert_eq!(Filter::new(filter).matches(row), passes, "{filter}");
        }
        check(&row, "", true);
        check(&row, "SHOP", true);
        check(&row, "!shop", false);
        check(&row, "state:down", true);
        check(&row, "state:do", true);
        check(&row, "state:ok", false);
        check(&row, "!state:ok", true);
        check(&row, "type:http", true);
        check(&row, "type:tcp", false);
        check(&row, "team=web", true);
        check(&row, "team=data", false);
        check(&row, "region=", false);
        check(&row, "shop team=web state:down", true);
        check(&row, "shop nowhere", false);
        check(&row, "!", true);
    }

    #[test]
    fn editing() {
        let mut f = Filter::new("team=web shop");
        f.pop_word();
        assert_eq!(f.text(), "team=web ");
        f.pop_word();
        assert_eq!(f.text(), "");
        f.push_str("a\x1b[2J\nb");
        assert_eq!(f.text(), "a[2Jb");
        f.push_str(&"x".repeat(5_000));
        assert_eq!(f.text().chars().count(), MAX_CHARS);
    }
}
