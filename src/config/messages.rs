//! Templates of messages: inline in a notifier, or named in `templates.d` under `messages:`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::cx::{Cx, Text};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Node, Span, Value};
use crate::render::template::Template;

/// One entry of `messages:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Replaces the first line.
    pub title: Option<Template>,
    /// Replaces what stands between title and the last lines.
    pub body: Option<Template>,
}

/// One of them as it stands in a file.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it says.
    pub message: Message,
    /// Where its name stands: line and column, from 1.
    pub place: (usize, usize),
}

/// All of them by name.
pub type Messages = Arc<BTreeMap<String, Message>>;

/// Reads a template; a mistake is reported where it stands.
pub fn template(fields: &mut Fields<'_>, key: &'static str) -> Option<Template> {
    let text = fields.text(key)?;
    match Template::new(text.value()) {
        Ok(template) => Some(template),
        Err(e) => {
            let place = place(fields.cx(), &text, e.offset);
            let hint = "the guide lists what a template may name: docs/guide/notifications.md";
            fields.error(place, Code::BadValue, format!("`{key}`: {}", e.message), hint);
            None
        }
    }
}

/// Reads the `messages:` of a file in `templates.d`.
pub fn read(fields: &mut Fields<'_>) -> Vec<Named> {
    let cx = fields.cx();
    let items = match fields.node("messages") {
        None => return Vec::new(),
        Some(Node { value: Value::Seq(items), .. }) => items,
        Some(other) => {
            let message = format!("`messages` takes a list, not {}", other.kind_name());
            cx.error(other.mark(), Code::WrongType, message, "begin each message with `- name: …`");
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for node in items {
        let before = cx.error_count();
        let Some(mut fields) = Fields::of(cx, node) else { continue };
        let name = fields.need_text("name", "write a name that no other message has: `name: short`");
        let message = Message { title: template(&mut fields, "title"), body: template(&mut fields, "body") };
        if message == Message::default() && cx.error_count() == before {
            let head = fields.head();
            fields.error(head, Code::MissingKey, "neither `title` nor `body` is there", "write at least one of them");
        }
        fields.finish();
        if let Some(name) = name.filter(|_| cx.error_count() == before) {
            let at = cx.source().position(name.span.start);
            found.push(Named { name: name.value().to_owned(), message, place: (at.line, at.column) });
        }
    }
    found
}

/// Where byte `offset` of the text stands in the file, whatever style the YAML has.
fn place(cx: &Cx<'_>, text: &Text, offset: usize) -> Span {
    let value = text.value();
    let (Some(before), Some(slice)) = (value.get(..offset), cx.source().text().get(text.span.start..text.span.end))
    else {
        return text.span;
    };
    if text.is_reference() {
        return text.span;
    }
    let (line, column) = (before.matches('\n').count(), offset - before.rfind('\n').map_or(0, |at| at + 1));
    // Lines of a block stand in the file as they are but for their indentation, in order.
    let mut from = 0;
    for (n, wanted) in value.lines().take(line + 1).enumerate() {
        let Some(at) = slice.get(from..).and_then(|rest| rest.find(wanted)) else { return text.span };
        from += at;
        if n == line {
            let start = text.span.start + from + column;
            let rest = &wanted[column.min(wanted.len())..];
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()).max(1);
            return Span { start, end: (start + word).min(text.span.end) };
        }
        from += wanted.len();
    }
    text.span
}
