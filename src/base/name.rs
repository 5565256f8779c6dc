//! Names that identify things: monitors, receivers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A monitor's unique name, the value of its `monitor` label.
///
/// Invariant: 1 to 200 bytes, no control or formatting characters, no white space at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorName(Arc<str>);

/// What is kept of each monitor. Its keys are random, as those of the standard library, and cost a third: every probe
/// looks several times into such a map.
pub type ByMonitor<V> = HashMap<MonitorName, V, ahash::RandomState>;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters.
    #[error("name is empty")]
    Empty,
    /// More than 200 bytes.
    #[error("name is longer than 200 bytes")]
    TooLong,
    /// Control, bidirectional or zero-width characters, or white space at an end.
    #[error("name has invisible characters or white space at an end")]
    Invisible,
}

impl MonitorName {
    /// Checks `text` against the invariant.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 200 {
            return Err(NameError::TooLong);
        }
        if text.trim() != text || crate::base::term_safe::term_safe(text) != text {
            return Err(NameError::Invisible);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for MonitorName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MonitorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for MonitorName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MonitorName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_refused() {
        assert_eq!(MonitorName::new(""), Err(NameError::Empty));
        assert_eq!(MonitorName::new(&"x".repeat(201)), Err(NameError::TooLong));
        for bad in [" a", "a\n", "a\u{202e}b", "a\x1b[0m"] {
            assert_eq!(MonitorName::new(bad), Err(NameError::Invisible), "{bad:?}");
        }
        assert!(MonitorName::new("shop / 店 (eu)").is_ok());
    }
}
