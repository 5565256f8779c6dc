//! Why an answer of a target is not stored.

use crate::base::exposition::LineError;
use crate::base::protobuf::WireError;

/// Why nothing of a scrape is stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A line that is not understood.
    #[error("line {0}: {1}")]
    Line(usize, LineError),
    /// A message that is not understood.
    #[error("the answer is not protobuf as it should be: {0}")]
    Wire(#[from] WireError),
    /// OpenMetrics ends with `# EOF`.
    #[error("the answer does not end with `# EOF`: it may have been cut off")]
    NoEnd,
    /// Relabelling took the name.
    #[error("a series has no metric name after relabelling")]
    NoName,
    /// `sample_limit`.
    #[error("sample_limit exceeded: more than {0} samples")]
    Samples(usize),
    /// Another limit, and whose series it was.
    #[error("{limit} exceeded: {found} of `{metric}` (limit: {most})")]
    Label {
        /// The option's name.
        limit: &'static str,
        /// What was found: `12 labels`.
        found: String,
        /// The metric's name, shortened.
        metric: String,
        /// The limit.
        most: usize,
    },
}

/// Why a sample ends the reading of an answer.
#[derive(Debug)]
pub enum Fault {
    /// Its labels are not understood.
    Text(LineError),
    /// It is understood and refused.
    Refused(Refused),
}

impl From<LineError> for Fault {
    fn from(e: LineError) -> Self {
        Self::Text(e)
    }
}

impl From<Refused> for Fault {
    fn from(e: Refused) -> Self {
        Self::Refused(e)
    }
}

impl Fault {
    /// The refusal, of what stands in this line.
    pub fn in_line(self, n: usize) -> Refused {
        match self {
            Self::Text(e) => Refused::Line(n, e),
            Self::Refused(why) => why,
        }
    }
}

/// As much of a text as a message shows.
pub fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(50)].to_owned()
}
