//! Notifications in words: a person's own template, or a text that reads well on a phone at 3 a.m.
//!
//! Pure: no file is read, no clock is asked, and whatever was rendered is never rendered again. Texts
//! come out plain; what a channel makes of them (HTML, Markdown, cut to its limits) is decided by a
//! [`fit::Markup`].

pub mod filters;
pub mod fit;
pub mod gotemplate;
pub mod template;
pub mod text;
pub mod words;
