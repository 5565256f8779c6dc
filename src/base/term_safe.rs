//! The choke point for untrusted text on its way to a terminal or a log.
//!
//! A probed target controls bodies, headers, certificate names and banners. Printed raw they could
//! move the cursor, set the clipboard or reorder what a person reads.

use std::borrow::Cow;
use std::fmt::Write;

/// Replaces control, bidirectional, zero-width and tag characters by visible escapes like `\x1b`.
///
/// The result holds no byte below 0x20, no DEL, no C1 control and no character that is invisible or
/// changes the direction of text. Tabs and line breaks are escaped too: use [`lines`] to keep lines.
pub fn term_safe(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_hostile) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hostile(c) => {
                let code = u32::from(c);
                let done = if code < 0x100 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:x}}}") };
                debug_assert!(done.is_ok(), "writing to a String cannot fail");
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Splits `text` at line breaks and makes each line safe; tabs become four spaces.
pub fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|l| term_safe(&l.replace('\t', "    ")).into_owned())
}

/// Makes a text of several lines safe and keeps its line breaks and tabs.
pub fn block(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hostile(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    // A carriage return before a line feed is the other way to end a line.
    let safe = |line: &str| line.split('\t').map(term_safe).collect::<Vec<_>>().join("\t");
    let lines = text.split('\n').map(|line| safe(line.strip_suffix('\r').unwrap_or(line)));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// JSON text with the same values, in which hostile characters that JSON allows raw (DEL, C1 controls,
/// direction marks …) are written as `\u` escapes. Line breaks stay: inside JSON they are layout only.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    let hostile = |c: char| c != '\n' && is_hostile(c);
    if !json.contains(hostile) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let done = write!(out, "\\u{unit:04x}");
                debug_assert!(done.is_ok(), "writing to a String cannot fail");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    /// What may reach no terminal, by Unicode's own tables and without a look at the code: controls (Cc), soft hyphen,
    /// marks of direction and their isolates, what has no width, separators of lines and paragraphs, interlinear
    /// annotations, tags.
    const FORBIDDEN: [RangeInclusive<u32>; 12] = [
        0x00..=0x1f,
        0x7f..=0x9f,
        0xad..=0xad,
        0x061c..=0x061c,
        0x180e..=0x180e,
        0x200b..=0x200f,
        0x2028..=0x202e,
        0x2060..=0x2064,
        0x2066..=0x206f,
        0xfeff..=0xfeff,
        0xfff9..=0xfffb,
        0xe0000..=0xe007f,
    ];

    pub(crate) fn is_forbidden(c: char) -> bool {
        FORBIDDEN.iter().any(|range| range.contains(&u32::from(c)))
    }

    #[test]
    fn escape_sequences_become_text() {
        #[track_caller]
        fn check(raw: &str, safe: &str) {
            assert_eq!(term_safe(raw), safe);
        }
        check("plain, ünïcode, 店", "plain, ünïcode, 店");
        check("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07");
        check("\u{9b}2J", "\\x9b2J");
        check("a\u{202e}b", "a\\u{202e}b");
        check("a\tb\r\n", "a\\tb\\r\\n");
    }

    #[test]
    fn a_block_keeps_its_lines_and_tabs_and_nothing_else() {
        assert_eq!(block("a\tb\nc"), "a\tb\nc");
        assert_eq!(block("a\tb\r\n\x1bc\rd\n"), "a\tb\n\\x1bc\\rd\n");
    }

    #[test]
    fn json_keeps_its_values_and_loses_its_controls() {
        let value = "a\u{9b}2J \u{7f}\u{202e}\u{e0041} 店\n\x1b[2J";
        let raw = serde_json::to_string_pretty(&[value]).unwrap();
        let safe = json_safe(&raw);
        assert!(!safe.chars().any(|c| c != '\n' && is_forbidden(c)), "{safe}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [value]);
        assert!(matches!(json_safe("{\n  \"店\": 1\n}"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_hostile_survives_for_any_character() {
        assert!(['\u{200b}', '\u{2066}', '\u{2069}', '\u{e0041}', '\u{9b}'].into_iter().all(is_forbidden));
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(!term_safe(c.encode_utf8(&mut [0; 4])).chars().any(is_forbidden), "{c:?}");
        }
    }
}
