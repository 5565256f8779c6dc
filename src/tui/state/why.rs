//! Why something is as it is: the page with the steps from the file to the phone.

use crate::tui::action::Question;
use crate::tui::state::fetch::Fetch;
use crate::wire::alerting::Why;

/// The page.
#[derive(Clone, Debug)]
pub(crate) struct WhyView {
    /// What was asked about.
    pub(crate) question: Question,
    /// Its name, for the title.
    pub(crate) title: String,
    /// The answer.
    pub(crate) answer: Fetch<String, Box<Why>>,
    /// The step under the cursor; `None`: the one that stops it.
    pub(crate) at: Option<usize>,
    /// First line shown.
    pub(crate) top: usize,
}

impl WhyView {
    /// A page without an answer yet.
    pub(crate) fn new(question: Question, title: impl Into<String>) -> Self {
        Self { question, title: title.into(), answer: Fetch::default(), at: None, top: 0 }
    }

    /// The answer, if it has come.
    pub(crate) fn why(&self) -> Option<&Why> {
        self.answer.get(&self.question.about).map(AsRef::as_ref)
    }

    /// The step under the cursor.
    pub(crate) fn step(&self) -> usize {
        let Some(why) = self.why() else { return 0 };
        let last = why.steps.len().saturating_sub(1);
        self.at.or(why.stops_at).unwrap_or(last).min(last)
    }
}
