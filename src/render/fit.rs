//! Makes a text fit a channel: its markup, its escaping, its limit. Whole alerts are left out before
//! one is cut, and the last lines, which say how to go on, always stay.

use crate::render::text::{Block, Link, Text};

/// How a channel writes.
#[derive(Clone, Copy, Debug)]
pub struct Markup {
    /// Writes one character so that it stands for itself.
    pub escape: fn(char, &mut String),
    /// Around what is emphasised.
    pub strong: (&'static str, &'static str),
    /// Around a command to copy.
    pub code: (&'static str, &'static str),
    /// Writes a link; both parts are clean of markup.
    pub link: Option<fn(&str, &str) -> String>,
    /// Ends a line.
    pub newline: &'static str,
    /// What a character costs of the limit.
    pub cost: fn(char) -> usize,
    /// Whether the limit counts what a person sees rather than what is sent.
    pub counts_plain: bool,
}

impl Markup {
    /// No markup; the limit is in characters.
    pub const PLAIN: Self = Self {
        escape: |c, out| out.push(c),
        strong: ("", ""),
        code: ("", ""),
        link: None,
        newline: "\n",
        cost: one,
        counts_plain: false,
    };

    /// HTML as mail programs and chats understand it.
    pub const HTML: Self = Self {
        escape: html,
        strong: ("<b>", "</b>"),
        code: ("<code>", "</code>"),
        link: Some(|label, url| format!("<a href=\"{}\">{label}</a>", url.replace('&', "&amp;"))),
        ..Self::PLAIN
    };

    /// The same text in another unit.
    pub const fn in_bytes(self) -> Self {
        Self { cost: char::len_utf8, ..self }
    }

    /// A whole text escaped.
    pub fn escaped(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        text.chars().for_each(|c| (self.escape)(c, &mut out));
        out
    }

    fn size(&self, written: &str) -> usize {
        written.chars().map(self.cost).sum()
    }
}

fn one(_: char) -> usize {
    1
}

/// Escapes for HTML text and attributes in double quotes.
pub fn html(c: char, out: &mut String) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        c => out.push(c),
    }
}

/// Everything but the title, within `limit`.
pub fn body(text: &Text, markup: &Markup, limit: usize) -> String {
    let mut end = Writer::new(markup, limit);
    footer(&mut end, text);
    // Room for the line that counts what is left out.
    let reserve = end.used + 40;
    let mut out = Writer::new(markup, limit.saturating_sub(reserve));
    for line in &text.lead {
        out.line(line);
    }
    let mut left_out = text.omitted;
    for (n, block) in text.blocks.iter().enumerate() {
        let mut piece = Writer::new(markup, out.left());
        if n > 0 || !text.lead.is_empty() {
            piece.newline();
        }
        write_block(&mut piece, block);
        if piece.cut && n > 0 {
            left_out += text.blocks.len() - n;
            break;
        }
        out.append(&piece);
    }
    out.limit = limit;
    if out.cut {
        // What follows is not part of what was cut.
        out.cut = false;
        out.newline();
    }
    if left_out > 0 {
        out.newline();
        out.line(&text.language.more(left_out));
    }
    if !end.text.is_empty() {
        if !out.text.is_empty() {
            out.newline();
        }
        out.append(&end);
    }
    while out.text.ends_with(markup.newline) && !out.text.is_empty() {
        out.text.truncate(out.text.len() - markup.newline.len());
    }
    out.text
}

/// The title in the channel's markup, after its mark, within `limit`.
pub fn title(text: &Text, markup: &Markup, limit: usize) -> String {
    let mut out = Writer::new(markup, limit);
    out.raw(text.tone.mark(), 2);
    out.plain(" ");
    out.plain(&text.title);
    out.text
}

/// One text, escaped and cut to `limit`.
pub fn plain(text: &str, markup: &Markup, limit: usize) -> String {
    let mut out = Writer::new(markup, limit);
    out.plain(text);
    out.text
}

fn write_block(out: &mut Writer<'_>, block: &Block) {
    if let Some(head) = &block.head {
        out.wrapped(out.markup.strong, head);
        out.newline();
    }
    let links: usize = block.links.iter().map(|l| l.label.len() + l.url.len() + 40).sum();
    // Links are worth more than the end of a long description.
    let kept = if links < out.left() / 2 { links } else { 0 };
    out.limit -= kept;
    for line in &block.lines {
        out.line(line);
    }
    out.limit += kept;
    for link in &block.links {
        write_link(out, link);
    }
}

fn footer(out: &mut Writer<'_>, text: &Text) {
    if let Some(command) = &text.command {
        out.wrapped(out.markup.code, command);
        out.newline();
    }
    for link in &text.links {
        write_link(out, link);
    }
}

fn write_link(out: &mut Writer<'_>, link: &Link) {
    let written = match out.markup.link {
        Some(write) => write(&out.markup.escaped(&link.label), &link.url),
        None => format!("{}: {}", link.label, link.url),
    };
    let cost = out.markup.size(&written);
    if cost <= out.left() {
        out.raw(&written, cost);
        out.newline();
    }
}

/// Never over its limit, never cut within an entity or between a mark and its end.
struct Writer<'a> {
    markup: &'a Markup,
    text: String,
    used: usize,
    limit: usize,
    cut: bool,
}

impl<'a> Writer<'a> {
    fn new(markup: &'a Markup, limit: usize) -> Self {
        Self { markup, text: String::new(), used: 0, limit, cut: false }
    }

    fn left(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    fn raw(&mut self, written: &str, cost: usize) {
        self.text.push_str(written);
        self.used += cost;
    }

    fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.used += other.used;
        self.cut |= other.cut;
    }

    fn newline(&mut self) {
        let cost = self.markup.size(self.markup.newline);
        if cost <= self.left() && !self.cut {
            self.raw(self.markup.newline, cost);
        }
    }

    fn line(&mut self, text: &str) {
        self.plain(text);
        self.newline();
    }

    fn wrapped(&mut self, (open, close): (&'static str, &'static str), text: &str) {
        let cost = |mark| if self.markup.counts_plain { 0 } else { self.markup.size(mark) };
        let (opening, closing) = (cost(open), cost(close));
        if opening + closing >= self.left() {
            self.cut = true;
            return;
        }
        self.raw(open, opening);
        self.limit -= closing;
        self.plain(text);
        self.limit += closing;
        self.raw(close, closing);
    }

    fn plain(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let mut written = String::new();
        let ellipsis = (self.markup.cost)('…');
        for (at, c) in text.char_indices() {
            written.clear();
            (self.markup.escape)(c, &mut written);
            let cost = if self.markup.counts_plain { (self.markup.cost)(c) } else { self.markup.size(&written) };
            let last = text.len() == at + c.len_utf8();
            let need = if last { cost } else { cost + ellipsis };
            if need > self.left() {
                if ellipsis <= self.left() {
                    self.raw("…", ellipsis);
                }
                self.cut = true;
                return;
            }
            self.raw(&written, cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::message::Status;
    use crate::render::text::testing::{alert, group};
    use crate::render::text::{Voice, built_in};

    #[test]
    fn whole_alerts_are_left_out_and_the_end_stays() {
        let hosts = (0..50).map(|n| alert(Status::Firing, &format!("db-{n}"), "critical")).collect();
        let text = built_in(&group(hosts), &Voice::default());
        let short = body(&text, &Markup::PLAIN, 1_000);
        assert!(short.chars().count() <= 1_000, "{}", short.len());
        assert!(short.ends_with("\n… and 42 more\n\nwatchdog tui alert/0000000000000004"), "{short}");
    }

    #[test]
    fn a_text_that_is_cut_is_set_off_from_what_follows() {
        let mut one = alert(Status::Firing, "db-1", "critical");
        one.annotations = crate::base::labels::Labels::new([("summary", "x".repeat(9_000))]);
        let text = built_in(&group(vec![one; 3]), &Voice::default());
        let short = body(&text, &Markup::PLAIN, 500);
        assert!(short.chars().count() <= 500);
        assert!(short.ends_with("x…\n\n… and 2 more\n\nwatchdog tui alert/0000000000000004"), "{short}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_too_long_or_broken(
            summary in "[a&<>\u{1f600}\n]{0,3000}", host in "\\PC{0,60}", n in 1usize..6, limit in 120usize..4000,
        ) {
            let mut one = alert(Status::Firing, &host, "critical");
            one.annotations = crate::base::labels::Labels::new([("summary", summary)]);
            let text = built_in(&group(vec![one; n]), &Voice::default());
            let html = body(&text, &Markup::HTML.in_bytes(), limit);
            prop_assert!(html.len() <= limit, "{} > {limit}", html.len());
            for (open, close) in [("<b>", "</b>"), ("<code>", "</code>")] {
                prop_assert_eq!(html.matches(open).count(), html.matches(close).count());
            }
            let bare = ["<b>", "</b>", "<code>", "</code>"].iter().fold(html, |t, tag| t.replace(tag, ""));
            prop_assert!(!bare.contains(['<', '>']), "{bare}");
            prop_assert!(bare.split('&').skip(1).all(|rest| rest.contains(';')));
            prop_assert!(bare.contains("watchdog tui alert/"));
        }
    }
}
