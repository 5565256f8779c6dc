//! What a person is told when something did not work: kind, cause, hints.
//!
//! Built at the edges only (`cli`, `api`). The kind decides the exit code and the HTTP status.

use std::error::Error;
use std::fmt;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thing asked about is bad: invalid configuration, a monitor that is down.
    Bad,
    /// The request itself is wrong.
    Usage,
    /// The thing asked for does not exist.
    NotFound,
    /// The caller may not do this.
    Forbidden,
    /// No server answers at the socket.
    NoServer,
    /// Too busy or not ready; trying again later may work.
    Unavailable,
    /// Another server holds the data directory.
    InUse,
    /// The configuration is refused at start.
    Config,
    /// The disk does not confirm what is written to it.
    Disk,
    /// Our own fault, or the operating system's.
    Internal,
}

impl Kind {
    /// The process exit code (70, 73, 74 and 78 as in `sysexits.h`).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Bad | Self::NotFound => 1,
            Self::Usage | Self::Forbidden => 2,
            Self::NoServer | Self::Unavailable => 3,
            Self::InUse => 73,
            Self::Disk => 74,
            Self::Config => 78,
            Self::Internal => 70,
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Bad => 422,
            Self::Usage | Self::Config => 400,
            Self::NotFound => 404,
            Self::Forbidden => 403,
            Self::NoServer | Self::Unavailable | Self::InUse => 503,
            Self::Disk | Self::Internal => 500,
        }
    }

    /// The `errorType` of an API error, Prometheus' word where it has one.
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Bad => "execution",
            Self::Usage | Self::Config => "bad_data",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::NoServer | Self::Unavailable | Self::InUse => "unavailable",
            Self::Disk | Self::Internal => "internal",
        }
    }

    /// The kind that an API error's `errorType` stands for.
    pub fn from_error_type(word: &str) -> Self {
        match word {
            "execution" => Self::Bad,
            "bad_data" => Self::Usage,
            "not_found" => Self::NotFound,
            "forbidden" => Self::Forbidden,
            "unavailable" => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

/// A failure as shown to a person.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    excerpt: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// A failure with the whole chain of `cause` as its message.
    pub fn new(kind: Kind, cause: &dyn Error) -> Self {
        Self::text(kind, Chain(cause).to_string())
    }

    /// A failure that has no underlying error value.
    pub fn text(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), excerpt: Vec::new(), hints: Vec::new() }
    }

    /// Adds something the person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Shows where in what the person wrote: lines to print as they are, one below the other.
    #[must_use]
    pub fn excerpt(mut self, lines: Vec<String>) -> Self {
        self.excerpt = lines;
        self
    }

    /// What sort of failure it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in what the person wrote.
    pub fn excerpt_lines(&self) -> &[String] {
        &self.excerpt
    }

    /// What can be done about it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// Shows an error and all its sources: `cannot read `x`: permission denied`.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(e) = next {
            write!(f, ": {e}")?;
            next = e.source();
        }
        Ok(())
    }
}
