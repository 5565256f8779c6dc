//! What a person writes for a conversation: what to wait for, what to say.

use regex::Regex;

use crate::base::secret::Secret;
use crate::collect::judge::{bad_regex, found, regex};
use crate::collect::mask::Mask;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// Steps of one script.
const MAX_STEPS: usize = 100;
/// Compiled size of an expression over bytes, as for those over text.
const REGEX_SIZE: usize = 1 << 20;
/// Longest piece of a peer's words that goes into what is sent or shown, in bytes.
const MAX_GROUP: usize = 1024;

/// One step: first it waits, then it sends, then it encrypts.
#[derive(Debug)]
pub struct Step {
    /// What must come.
    pub expect: Option<Expect>,
    /// Names for pieces of what came: labels, and variables of later steps.
    pub extract: Vec<(String, String)>,
    /// What is sent.
    pub send: Option<Payload>,
    /// Whether a handshake follows.
    pub starttls: bool,
}

/// Something to wait for.
#[derive(Debug)]
pub struct Expect {
    /// As shown among the checks.
    pub name: String,
    /// The expression.
    pub pattern: Pattern,
}

/// What an expression is held against.
#[derive(Debug)]
pub enum Pattern {
    /// Lines, one after the other, until one matches.
    Line(Regex),
    /// All that was not understood yet, be it lines or not.
    Bytes(regex::bytes::Regex),
}

/// Something to send.
#[derive(Debug)]
pub enum Payload {
    /// Text as it is.
    Text(Secret<String>),
    /// Text in which `$1` and `${name}` stand for pieces of what came.
    Template(Secret<String>),
    /// Bytes.
    Hex(Secret<Vec<u8>>),
}

impl Payload {
    /// Reads `send`, `send_line` or `send_hex`, of which one may be there.
    pub fn read(fields: &mut Fields<'_>, mask: &mut Mask, template: bool) -> Option<Self> {
        let (text, line, hex) = (fields.text("send"), fields.text("send_line"), fields.text("send_hex"));
        for known in [&text, &line, &hex].into_iter().flatten() {
            mask.add_text(known);
        }
        if [&text, &line, &hex].into_iter().flatten().count() > 1 {
            let message = "`send`, `send_line` and `send_hex` are three ways to say one thing";
            fields.error(fields.head(), Code::Conflict, message, "keep one of them, or make steps of them");
            return None;
        }
        if let Some(hex) = hex {
            return match unhex(hex.value()) {
                Some(bytes) => Some(Self::Hex(Secret::new(bytes))),
                None => {
                    let message = "`send_hex` is not pairs of hexadecimal digits";
                    fields.error(hex.span, Code::BadValue, message, "write e.g. `send_hex: 00 ff 1a`");
                    None
                }
            };
        }
        let text = match (text, line) {
            (Some(text), _) => text.secret(),
            (None, Some(line)) => Secret::new(format!("{}\r\n", line.value())),
            (None, None) => return None,
        };
        Some(if template { Self::Template(text) } else { Self::Text(text) })
    }

    /// Whether it is bytes rather than text, for protocols that tell them apart.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Hex(_))
    }

    /// The bytes to send, with pieces of what came put in.
    pub fn bytes(&self, known: &Known) -> Vec<u8> {
        match self {
            Self::Hex(bytes) => bytes.reveal().clone(),
            Self::Text(text) => text.reveal().clone().into_bytes(),
            Self::Template(text) => known.expand(text.reveal()).into_bytes(),
        }
    }
}

impl Step {
    /// Reads `steps`.
    pub fn read_all(fields: &mut Fields<'_>, mask: &mut Mask) -> Vec<Self> {
        let nodes = fields.items("steps");
        if nodes.len() > MAX_STEPS {
            let message = format!("{} steps, allowed are {MAX_STEPS}", nodes.len());
            fields.error(nodes[MAX_STEPS].span, Code::TooLarge, message, "split the conversation");
            return Vec::new();
        }
        let mut steps = Vec::new();
        for (i, node) in nodes.into_iter().enumerate() {
            let Some(mut own) = Fields::of(fields.cx(), node) else { continue };
            let step = Self::read(&mut own, i + 1, mask);
            if step.expect.is_none() && step.send.is_none() && !step.starttls {
                let hint = "write `expect`, `send` or `starttls: true`";
                own.error(node.mark(), Code::MissingKey, "a step that neither waits nor says anything", hint);
            }
            own.finish();
            steps.push(step);
        }
        steps
    }

    fn read(own: &mut Fields<'_>, number: usize, mask: &mut Mask) -> Self {
        let line = own.text("expect");
        let bytes = own.text("expect_bytes");
        if let (Some(_), Some(second)) = (&line, &bytes) {
            let message = "`expect` and `expect_bytes` in one step";
            own.error(second.span, Code::Conflict, message, "make two steps of them");
        }
        let expect = match (&line, &bytes) {
            (Some(text), _) => match regex(text.value()) {
                Ok(re) => Some(Expect { name: name(number, text), pattern: Pattern::Line(re) }),
                Err(e) => {
                    bad_regex(own, text, &e);
                    None
                }
            },
            (None, Some(text)) => {
                let built = regex::bytes::RegexBuilder::new(text.value())
                    .size_limit(REGEX_SIZE)
                    .dfa_size_limit(REGEX_SIZE)
                    .dot_matches_new_line(true)
                    .build();
                match built {
                    Ok(re) => Some(Expect { name: name(number, text), pattern: Pattern::Bytes(re) }),
                    Err(e) => {
                        bad_regex(own, text, &e);
                        None
                    }
                }
            }
            (None, None) => None,
        };
        let mut extract = Vec::new();
        for (entry, text) in own.pairs("extract") {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let starts = entry.key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts || !entry.key.chars().all(plain) || entry.key.starts_with("__") {
                let message = format!("`{}` is not a label's name", entry.key);
                own.error(entry.key_span, Code::BadValue, message, "use letters, digits and `_`");
                continue;
            }
            extract.push((entry.key.clone(), text.value().to_owned()));
        }
        if !extract.is_empty() && line.is_none() && bytes.is_none() {
            own.missing("expect", "`extract` takes pieces of what `expect` found");
        }
        let send = Payload::read(own, mask, true);
        Self { expect, extract, send, starttls: own.bool("starttls").unwrap_or(false) }
    }
}

fn name(number: usize, text: &Text) -> String {
    format!("step {number} hears /{}/", found(text.shown()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect()
}

/// Pieces of what a peer said, by name.
#[derive(Debug, Default)]
pub struct Known {
    /// The groups of the last match, by number; `None` for those that took no part.
    groups: Vec<Option<String>>,
    named: Vec<(String, String)>,
}

impl Known {
    /// Takes the groups of a match. The named ones stay known, the numbered until the next match.
    pub fn matched<'t>(&mut self, names: impl Iterator<Item = Option<&'t str>>, groups: Vec<Option<String>>) {
        for (name, group) in names.zip(&groups) {
            if let (Some(name), Some(text)) = (name, group) {
                self.set(name, text.clone());
            }
        }
        self.groups = groups;
    }

    /// Gives a piece a name.
    pub fn set(&mut self, name: &str, text: String) {
        match self.named.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = text,
            None => self.named.push((name.to_owned(), text)),
        }
    }

    /// `template` with `$1`, `${1}`, `$name` and `${name}` replaced; `$$` is a dollar. What is not known is empty, as
    /// blackbox_exporter has it.
    pub fn expand(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let braced = rest.strip_prefix('{').and_then(|inner| Some((&inner[..inner.find('}')?], inner)));
            let (name, after) = match braced {
                Some((name, inner)) => (name, &inner[name.len() + 1..]),
                None => {
                    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                    rest.split_at(end)
                }
            };
            if name.is_empty() {
                out.push('$');
                continue;
            }
            out.push_str(self.get(name).unwrap_or(""));
            rest = after;
        }
        out + rest
    }

    fn get(&self, name: &str) -> Option<&str> {
        if let Ok(number) = name.parse::<usize>() {
            return self.groups.get(number)?.as_deref();
        }
        self.named.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

/// A piece of a peer's words as it may be kept.
pub fn piece(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_GROUP)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_in() {
        let mut known = Known::default();
        let names = [None, None, Some("host")];
        known.matched(names.into_iter(), vec![Some("all".into()), Some("one".into()), Some("h".into())]);
        known.matched([None].into_iter(), vec![Some("next".into())]);
        #[track_caller]
        fn check(known: &Known, template: &str, want: &str) {
            assert_eq!(known.expand(template), want, "{template}");
        }
        check(&known, "USER ${host}$0x", "USER h");
        check(&known, "${0}x $$1 $ 5% $host.", "nextx $1 $ 5% h.");
        check(&known, "$1${2}${none}", "");
        check(&known, "${open", "${open");
        check(&known, "é$host$", "éh$");
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(unhex("00 fF\n1a"), Some(vec![0, 255, 26]));
        assert_eq!((unhex("0"), unhex("0g"), unhex("")), (None, None, Some(Vec::new())));
    }
}
