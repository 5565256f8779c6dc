//! Texts and characters in quotes, as Go prints them: messages and expressions must look the same.

/// As Go's `%q` prints a character.
pub(super) fn quote_char(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        _ => {
            let quoted = quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// As Go's `%#U` prints a character.
pub(super) fn code_point(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { format!("U+{:04X} '{c}'", u32::from(c)) }
}

/// As Go's `%q` and `strconv.Quote` print a text: how Prometheus writes every string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// [`quote`], into a buffer.
pub fn push_quoted(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            _ => {
                let code = u32::from(c);
                let done = if code < 0x80 {
                    write!(out, "\\x{code:02x}")
                } else if is_printable(c) {
                    write!(out, "{c}")
                } else if code < 0x1_0000 {
                    write!(out, "\\u{code:04x}")
                } else {
                    write!(out, "\\U{code:08x}")
                };
                debug_assert!(done.is_ok(), "writing to a String cannot fail");
            }
        }
    }
    out.push('"');
}

/// Whether Go's `strconv.IsPrint` accepts a character beyond ASCII. `escape_debug` has the same idea of what can be
/// seen, but also escapes combining marks, which Go prints.
fn is_printable(c: char) -> bool {
    if c.is_whitespace() {
        return false;
    }
    // Two characters: combining marks are escaped only at the front of a string.
    let pair = ['a', c];
    let text: String = pair.iter().collect();
    text.escape_debug().count() == 2
}
