//! What a notifier says: the built-in text in its language and time zone, or a person's own template.

use jiff::tz::TimeZone;

use crate::base::nearest::nearest;
use crate::base::notification::Notification;
use crate::config::fields::Fields;
use crate::config::messages;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::render::template::Template;
use crate::render::text::{self, Text, Voice};
use crate::render::words::Language;

/// The checked keys `title`, `body`, `template`, `language`, `time_zone`.
#[derive(Clone, Debug)]
pub struct Wording {
    voice: Voice,
    title: Option<Template>,
    body: Option<Template>,
}

impl Wording {
    /// Reads them.
    pub fn read(server: &Server, fields: &mut Fields<'_>) -> Self {
        let mut title = messages::template(fields, "title");
        let mut body = messages::template(fields, "body");
        if let Some(name) = fields.text("template") {
            match server.messages.get(name.value()) {
                Some(named) => {
                    title = title.or_else(|| named.title.clone());
                    body = body.or_else(|| named.body.clone());
                }
                None => {
                    let known = || server.messages.keys().map(String::as_str);
                    let hint = match nearest(name.value(), known()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "name an entry of `messages:` in a file of `templates.d`".to_owned(),
                    };
                    let message = format!("no message template is named `{}`", name.shown());
                    fields.error(name.span, Code::UnknownReference, message, hint);
                }
            }
        }
        Self { voice: voice(server, fields), title, body }
    }

    /// The built-in texts only.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// The notification in words. A template that fails is replaced by the built-in text, which says so.
    pub fn text(&self, n: &Notification) -> Text {
        let render = |t: &Option<Template>| t.as_ref().map(|t| t.render(n, &self.voice)).transpose();
        match (render(&self.title), render(&self.body)) {
            (Ok(None), Ok(None)) => text::built_in(n, &self.voice),
            (Ok(title), Ok(body)) => text::own(n, &self.voice, title.as_deref(), body.as_deref()),
            (Err(e), _) | (_, Err(e)) => {
                tracing::warn!(notifier = n.notifier, error = %e, "a message template failed");
                let mut text = text::built_in(n, &self.voice);
                text.lead.insert(0, self.voice.language.fallback(&text::one_line(&e.message, 200)));
                text
            }
        }
    }
}

/// Reads `language` and `time_zone` only.
pub fn voice(server: &Server, fields: &mut Fields<'_>) -> Voice {
    let language = fields.parse("language", "write `en` or `zh`", |word| {
        Language::parse(word).ok_or_else(|| format!("`{word}` is not a language of the built-in texts"))
    });
    let zone = fields.parse("time_zone", "write a name such as `Europe/Berlin` or `UTC`", |name| {
        TimeZone::get(name).map_err(|_| format!("`{name}` is not a time zone"))
    });
    let zone = zone.or_else(|| TimeZone::get(server.time_zone.as_deref()?).ok());
    Voice {
        language: language.unwrap_or(server.language),
        zone: zone.unwrap_or(TimeZone::UTC),
        external_url: server.external_url.clone(),
    }
}
