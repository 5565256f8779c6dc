//! Regular expressions as Prometheus understands them: Go's RE2 syntax, written for Rust's engine.
//!
//! Both engines share nearly everything. Where they differ, a pattern of Go's is rewritten so that it means here what it
//! means there: classes like `\d` know only ASCII, a brace that opens no repetition is itself (`/users/{id}`), a bracket
//! within brackets is itself, `\Q…\E` quotes. What neither understands is left for the engine to refuse.

use std::borrow::Cow;
use std::fmt::Write as _;

use regex::Captures;

/// ASCII digits, words and spaces: what stands between brackets for `\d`, `\w`, `\s`.
const CLASSES: [(char, &str); 3] = [('d', "0-9"), ('w', "0-9A-Za-z_"), ('s', r"\t\n\x0c\r ")];

/// A pattern for [`regex`] that matches what Go's `regexp` matches with this one.
pub fn rust_pattern(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains(['\\', '[', '{']) {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(&mut out, rest),
            '[' => rest = class(&mut out, rest),
            '{' if !opens_repetition(rest) => out.push_str(r"\{"),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether `n}`, `n,}` or `n,m}` follows.
fn opens_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match inside.split_once(',') {
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
        None => digits(inside),
    }
}

/// Rewrites what follows a backslash outside brackets, and returns the rest.
fn escape<'a>(out: &mut String, rest: &'a str) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    let tail = &rest[c.len_utf8()..];
    match c {
        'Q' => {
            let (text, tail) = tail.split_once(r"\E").unwrap_or((tail, ""));
            out.push_str(&regex::escape(text));
            return tail;
        }
        'b' => out.push_str(r"(?-u:\b)"),
        // Here these are the edges of words.
        '<' | '>' => out.push(c),
        '0'..='7' => return octal(out, rest),
        _ => match CLASSES.iter().find(|(name, _)| c.eq_ignore_ascii_case(name)) {
            Some((_, members)) if c.is_ascii_uppercase() => push(out, format_args!("[^{members}]")),
            Some((_, members)) => push(out, format_args!("[{members}]")),
            None => push(out, format_args!("\\{c}")),
        },
    }
    tail
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let done = out.write_fmt(text);
    debug_assert!(done.is_ok(), "writing to a String cannot fail");
}

/// `\012`: up to three digits. A single digit but zero would name a group, which neither engine has.
fn octal<'a>(out: &mut String, rest: &'a str) -> &'a str {
    let digits = rest.bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
    let (number, tail) = rest.split_at(digits);
    match u32::from_str_radix(number, 8) {
        Ok(code) if digits > 1 || code == 0 => push(out, format_args!("\\x{{{code:x}}}")),
        _ => push(out, format_args!("\\{number}")),
    }
    tail
}

/// Rewrites what follows an opening bracket, the closing one included, and returns the rest.
fn class<'a>(out: &mut String, rest: &'a str) -> &'a str {
    out.push('[');
    let mut rest = rest;
    if let Some(tail) = rest.strip_prefix('^') {
        out.push('^');
        rest = tail;
    }
    // Right behind the opening, a closing bracket is itself.
    if let Some(tail) = rest.strip_prefix(']') {
        out.push_str(r"\]");
        rest = tail;
    }
    let mut last = '[';
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        rest = match c {
            ']' => {
                out.push(']');
                return tail;
            }
            '\\' => class_escape(out, tail),
            '[' => match named_class(tail) {
                Some(len) => {
                    push(out, format_args!("[{}", &tail[..len]));
                    &tail[len..]
                }
                // A bracket would open another set here.
                None => {
                    out.push_str(r"\[");
                    tail
                }
            },
            // Doubled, these are operators between sets here.
            '&' | '~' => {
                push(out, format_args!("\\{c}"));
                tail
            }
            '-' if last == '-' => {
                out.push_str(r"\-");
                tail
            }
            _ => {
                out.push(c);
                tail
            }
        };
        last = c;
    }
    rest
}

/// The length of `:name:]`, if that follows.
fn named_class(rest: &str) -> Option<usize> {
    let (name, _) = rest.strip_prefix(':')?.split_once(":]")?;
    let known = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'^');
    known.then_some(name.len() + ":".len() + ":]".len())
}

/// Rewrites what follows a backslash within brackets, and returns the rest.
fn class_escape<'a>(out: &mut String, rest: &'a str) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    match CLASSES.iter().find(|(name, _)| c.eq_ignore_ascii_case(name)) {
        Some((_, members)) if c.is_ascii_uppercase() => push(out, format_args!("[^{members}]")),
        Some((_, members)) => out.push_str(members),
        None if matches!(c, '<' | '>') => out.push(c),
        None => push(out, format_args!("\\{c}")),
    }
    &rest[c.len_utf8()..]
}

/// Go's templates: `$1`, `$name`, `${1}`, `${name}`; the longest name that can be read; `$$` is a dollar, and
/// so is one that begins no reference. What is not a group, or did not match, is nothing.
pub fn expand(template: &str, captures: &Captures<'_>, out: &mut String) {
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            out.push_str(group(name, captures));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
}

/// The name after a dollar, and what follows.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let text = braced.unwrap_or(text);
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = if braced.is_some() { rest.strip_prefix('}')? } else { rest };
    (!name.is_empty()).then_some((name, rest))
}

fn group<'t>(name: &str, captures: &Captures<'t>) -> &'t str {
    let found = if name.bytes().all(|b| b.is_ascii_digit()) {
        // A leading zero makes it a name, and no group has such a name.
        if name.len() > 1 && name.starts_with('0') {
            return "";
        }
        name.parse().ok().and_then(|n| captures.get(n))
    } else {
        captures.name(name)
    };
    found.map_or("", |m| m.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matches: &[&str], refuses: &[&str]) {
        let regex = regex::Regex::new(&format!("^(?s:{})$", rust_pattern(pattern))).unwrap();
        for text in matches {
            assert!(regex.is_match(text), "{pattern} matches {text}: {regex}");
        }
        for text in refuses {
            assert!(!regex.is_match(text), "{pattern} refuses {text}: {regex}");
        }
    }

    #[test]
    fn classes_know_only_ascii() {
        check(r"\d+", &["12"], &["١٢", "a"]);
        check(r"\w\W\s\S", &["a-\tx"], &["ä-\tx", "a-\u{a0}x"]);
        check(r"[\d.]+", &["1.2"], &["١", "a"]);
        check(r"[^\s\D]", &["1"], &["a", " "]);
        check(r"a\b.*", &["a", "aä"], &["ab"]);
    }

    #[test]
    fn braces_that_repeat_nothing_are_themselves() {
        check("/users/{id}/.*", &["/users/{id}/x"], &["/users//x"]);
        check("a{2}b{1,}c{0,2}", &["aabcc", "aabb"], &["ab"]);
        check("{", &["{"], &[""]);
        check("a{,2}", &["a{,2}"], &["aa"]);
        check("}x{", &["}x{"], &[]);
    }

    #[test]
    fn brackets_within_brackets_are_themselves() {
        check("[[a]+", &["[a["], &["]"]);
        check("[]a]+", &["]a"], &["b"]);
        check("[^]a]", &["b"], &["]", "a"]);
        check("[a&&b]+", &["&ab"], &["c"]);
        check("[+--]+", &["+,-"], &["."]);
        check("[[:alpha:]_]+", &["a_"], &["1", ":"]);
        check(r"[\]\\]+", &["]\\"], &["a"]);
        check("[a-c]x[d]", &["bxd"], &["dxd"]);
    }

    #[test]
    fn escapes_mean_what_they_mean_in_go() {
        check(r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb*"]);
        check(r"\<a\>", &["<a>"], &["a"]);
        check(r"\101\x41\x{42}\0", &["AAB\0"], &[]);
        check(r"a\.b\-\/", &["a.b-/"], &["axb-/"]);
        check("(?i)ab", &["AB"], &["b"]);
    }

    #[test]
    fn what_is_no_pattern_stays_none() {
        for pattern in ["(", ")", "[", "[a", "*", r"\", r"\1", "a{2", r"[\", r"\Q("] {
            let rust = rust_pattern(pattern);
            let stands = ["a{2", r"\Q("].contains(&pattern);
            assert_eq!(regex::Regex::new(&rust).is_ok(), stands, "{pattern} → {rust}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_rewritten(pattern in r"(\\\PC|[\[\]{}\\^&~:,0-9dQE-]|\PC){0,12}") {
            drop(regex::Regex::new(&rust_pattern(&pattern)));
        }
    }
}
