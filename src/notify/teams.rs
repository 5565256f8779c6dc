//! `type: teams`: an Adaptive Card posted to a Workflows webhook of Microsoft Teams.
//!
//! Workflows has no way to change a card later: the end is a card of its own.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Rate, Receipt};
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::notify::endpoint::{Endpoint, per_minute};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::Tone;

/// A card may have 28 KB with everything around it.
const MAX_BODY: usize = 16_000;
const MAX_TITLE: usize = 250;
const MARKUP: Markup = Markup {
    escape,
    strong: ("**", "**"),
    // A single line break is a blank in a card's Markdown.
    newline: "\n\n",
    ..Markup::PLAIN
}
.in_bytes();

fn escape(c: char, out: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '-' | '`' | '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}

#[derive(Debug)]
struct Teams {
    hook: Endpoint,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let hook = Endpoint::read(fields, "url", None);
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    Some(Arc::new(Teams { hook: hook?, wording }))
}

impl Notifier for Teams {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let card = self.card(delivery.notification);
            let reply = self.hook.send(self.hook.json(Method::POST, self.hook.url(), &card).await?).await?;
            self.hook.accepted(&reply)?;
            Ok(Receipt { remote: None, detail: Some(reply.status.to_string()) })
        })
    }

    fn default_rate(&self) -> Option<Rate> {
        // Four requests per second for all of a tenant's; flows are slower.
        per_minute(60)
    }
}

impl Teams {
    fn card(&self, said: &Notification) -> Value {
        let mut text = self.wording.text(said);
        let open = std::mem::take(&mut text.links);
        let actions: Vec<_> =
            open.iter().map(|l| json!({ "type": "Action.OpenUrl", "title": l.label, "url": l.url })).collect();
        let colour = match text.tone {
            Tone::Critical => "attention",
            Tone::Warning => "warning",
            Tone::Info => "accent",
            Tone::Resolved => "good",
        };
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": { "width": "Full" },
                    "fallbackText": fit::title(&text, &Markup::PLAIN, MAX_TITLE),
                    "body": [
                        {
                            "type": "TextBlock", "wrap": true, "weight": "Bolder", "size": "Medium", "color": colour,
                            "text": fit::title(&text, &MARKUP, MAX_TITLE * 4),
                        },
                        { "type": "TextBlock", "wrap": true, "text": fit::body(&text, &MARKUP, MAX_BODY) },
                    ],
                    "actions": actions,
                },
            }],
        })
    }
}
