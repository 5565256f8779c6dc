//! Go's `text/template` with Prometheus' functions, as annotations and labels of rules use it.
//!
//! An evaluator of its own, so that rule files of Prometheus run unchanged: same texts, same numbers, same words when
//! something is wrong. It works on a budget of steps and bytes, and calls nothing but what [`Ask`] answers. Rules of our
//! own form may also write `{{ value | duration }}` and `{{ labels.x }}`: [`Dialect::Friendly`] adds a few names.
//!
//! | file | what |
//! |---|---|
//! | `lexer` | text → tokens |
//! | `parser`, `tree` | tokens → tree, with every name checked |
//! | `exec` | tree → text |
//! | `value` | what a pipeline passes on, and how Go prints it |
//! | `funcs`, `humanize`, `hosts` | the functions |
//! | `printf`, `float` | Go's `fmt` |

mod exec;
mod float;
mod funcs;
mod hosts;
mod humanize;
mod lexer;
mod parser;
mod printf;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::sync::Arc;

use crate::base::labels::Labels;
use crate::base::time::Timestamp;
use crate::render::gotemplate::tree::Tree;
pub use crate::render::gotemplate::value::Sample;

/// What Prometheus puts before every template of a rule. It stands in the text that is read, so that columns in
/// messages are Prometheus', too.
const PRELUDE: &str =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Longest text that a template may make, in bytes.
pub const MAX_OUTPUT: usize = 64 << 10;
/// Most steps of one expansion; a step is a node of the tree, an argument or an element of a list.
const MAX_STEPS: u32 = 100_000;

/// Which names a template may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus' own.
    Prometheus,
    /// Those, and `value`, `labels`, `duration`, `percent`, `bytes`.
    Friendly,
}

/// A template that was read. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Template {
    text: Arc<str>,
    /// `None` for a text without any action.
    tree: Option<Arc<Tree>>,
}

/// What a template is about.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The name that errors call the template by: `__alert_Name`.
    pub name: &'a str,
    /// Labels of the sample.
    pub labels: &'a Labels,
    /// Labels that this server adds to everything it sends.
    pub external_labels: &'a Labels,
    /// Where people reach this server.
    pub external_url: &'a str,
    /// The sample's value.
    pub value: f64,
    /// The time of the evaluation.
    pub now: Timestamp,
}

/// Answers the queries of a template.
pub trait Ask {
    /// The vector that a query gives at the time of the evaluation.
    ///
    /// # Errors
    /// Why there is none.
    fn query(&mut self, text: &str) -> Result<Vec<Sample>, String>;
}

/// Answers no query.
#[derive(Clone, Copy, Debug)]
pub struct NoQueries;

impl Ask for NoQueries {
    fn query(&mut self, _: &str) -> Result<Vec<Sample>, String> {
        Err("no queries here".to_owned())
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {message}")]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// Where in the text, in bytes.
    pub at: usize,
    /// Go's words.
    pub message: String,
}

/// Why a template gave no text: Go's words, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error executing template {name}: {message}")]
pub struct ExpandError {
    name: String,
    message: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(name: &str, text: &str, dialect: Dialect) -> Result<Self, ParseError> {
        if !text.contains("{{") {
            return Ok(Self { text: text.into(), tree: None });
        }
        let full: Arc<str> = [PRELUDE, text].concat().into();
        let tree = parser::parse(&full, dialect).map_err(|e| {
            let at = e.at.saturating_sub(PRELUDE.len()).min(text.len());
            let line = 1 + full.as_bytes().iter().take(e.at).filter(|b| **b == b'\n').count();
            ParseError { name: name.to_owned(), line, at, message: e.message }
        })?;
        Ok(Self { text: full, tree: Some(Arc::new(tree)) })
    }

    /// A text that stands for itself, whatever is in it.
    pub fn verbatim(text: &str) -> Self {
        Self { text: text.into(), tree: None }
    }

    /// The text of a template that is the same for every sample.
    pub fn fixed(&self) -> Option<&str> {
        self.tree.is_none().then_some(&*self.text)
    }

    /// The text as it was read.
    pub fn source(&self) -> &str {
        if self.tree.is_none() { &self.text } else { &self.text[PRELUDE.len()..] }
    }

    /// The text for one sample.
    ///
    /// # Errors
    /// Something in it cannot be evaluated.
    pub fn expand(&self, scope: &Scope<'_>, ask: &mut dyn Ask) -> Result<String, ExpandError> {
        let Some(tree) = &self.tree else { return Ok(String::from(&*self.text)) };
        exec::run(tree, &self.text, scope, ask).map_err(|message| ExpandError { name: scope.name.to_owned(), message })
    }

    /// The text for one sample, or what Prometheus puts in its place.
    pub fn expand_or_say(&self, scope: &Scope<'_>, ask: &mut dyn Ask) -> (String, Option<ExpandError>) {
        match self.expand(scope, ask) {
            Ok(text) => (text, None),
            Err(e) => (format!("<error expanding template: {e}>"), Some(e)),
        }
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
