//! A text that something must be, or, between slashes, an expression that it must match.

use regex::Regex;

use crate::collect::judge::{bad_regex, found, regex};
use crate::config::fields::{Fields, Text};

/// What a text must be.
#[derive(Clone)]
pub enum Want {
    /// This.
    Equals(String),
    /// Something that matches.
    Matches(Regex),
}

impl std::fmt::Debug for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is wanted may be a secret.
        f.write_str(match self {
            Self::Equals(_) => "Equals",
            Self::Matches(_) => "Matches",
        })
    }
}

impl Want {
    /// From a text: `up`, or `/^u/`. A malformed expression is reported.
    pub fn of(fields: &Fields<'_>, text: &Text) -> Option<Self> {
        let pattern = text.value().strip_prefix('/').and_then(|t| t.strip_suffix('/'));
        match pattern.map(regex) {
            None => Some(Self::Equals(text.value().to_owned())),
            Some(Ok(re)) => Some(Self::Matches(re)),
            Some(Err(e)) => {
                bad_regex(fields, text, &e);
                None
            }
        }
    }

    /// Whether it holds.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equals(want) => text == want,
            Self::Matches(re) => re.is_match(text),
        }
    }

    /// The name of a check of `what`: ``title is `Shop` ``.
    pub fn name(&self, what: &str, text: &Text) -> String {
        let verb = match self {
            Self::Equals(_) => "is",
            Self::Matches(_) => "matches",
        };
        format!("{what} {verb} `{}`", found(text.shown()))
    }
}
