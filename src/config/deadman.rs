//! `heartbeat:` of `watchdog.yaml`: whom we tell that we live, so that our own death is noticed.

use std::time::Duration;

use crate::base::secret::Secret;
use crate::config::fields::Fields;

/// How often, where it is not said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// Shortest and longest distance between two signs of life.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// A dead-man's switch outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadman {
    /// Whoever knows it can pretend that we live.
    pub url: Secret<String>,
    /// Time between two signs of life.
    pub interval: Duration,
    /// `POST` instead of `GET`.
    pub post: bool,
}

impl Deadman {
    /// Reads the mapping under `heartbeat`.
    pub fn read(parent: &mut Fields<'_>) -> Option<Self> {
        let mut fields = parent.nested("heartbeat")?;
        let hint = "write the address that the service gave you: `https://…`";
        let known = fields.own("url").is_some();
        if !known {
            fields.missing("url", hint);
        }
        let url = fields.parse("url", hint, |text| match reqwest::Url::parse(text.trim()) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Secret::new(url.into())),
            Ok(_) | Err(_) => Err("is not an address that begins with `http://` or `https://`"),
        });
        let interval = fields.duration("interval", INTERVAL.0..=INTERVAL.1).unwrap_or(DEFAULT_INTERVAL);
        let post = fields.parse("method", "write `GET` or `POST`", |text| match text {
            "GET" => Ok(false),
            "POST" => Ok(true),
            _ => Err("is neither `GET` nor `POST`"),
        });
        fields.finish();
        Some(Self { url: url?, interval, post: post.unwrap_or(false) })
    }
}
