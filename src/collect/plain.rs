//! Texts without the escapes of JSON, HTML, addresses and forms, and where each part of them stood.
//!
//! What was escaped several times is read to its end, so that a text and all of its escaped forms read the same. That
//! is good for comparing, and for nothing else.

use std::borrow::Cow;
use std::ops::Range;

/// Escapes within escapes are undone this often.
const MOST_LAYERS: usize = 4;
/// Bytes of the longest escape that is known: `&#x10FFFF;`, and a pair of code units of UTF-16.
const LONGEST: usize = 12;

/// A text as bytes, each with the place it had.
#[derive(Debug)]
pub struct Plain<'t> {
    text: &'t str,
    bytes: Vec<u8>,
    /// The places of `bytes` in the text.
    at: Vec<(usize, usize)>,
}

impl<'t> Plain<'t> {
    /// Whether a text may read otherwise than it is written.
    pub fn differs(text: &str) -> bool {
        text.bytes().any(|b| matches!(b, b'\\' | b'%' | b'&' | b'+'))
    }

    /// Reads a text.
    pub fn of(text: &'t str) -> Self {
        let mut read = Self { text, bytes: text.into(), at: (0..text.len()).map(|n| (n, n + 1)).collect() };
        for _ in 0..MOST_LAYERS {
            if !read.undo() {
                break;
            }
        }
        // A form writes a space so, and what holds a plus sign is compared with what does, too.
        read.bytes.iter_mut().filter(|b| **b == b'+').for_each(|b| *b = b' ');
        read
    }

    /// What it reads.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Undoes one layer, and returns whether there was any.
    fn undo(&mut self) -> bool {
        let room = self.bytes.len();
        let mut undone = Self { text: self.text, bytes: Vec::with_capacity(room), at: Vec::with_capacity(room) };
        let (mut n, mut any) = (0, false);
        while let Some(byte) = self.bytes.get(n) {
            let (plain, len) = match escape(&self.bytes[n..(n + LONGEST).min(self.bytes.len())]) {
                Some((plain, len)) => (plain, len),
                None => (Cow::Owned(vec![*byte]), 1),
            };
            any |= len > 1;
            let place = (self.at[n].0, self.at[n + len - 1].1);
            undone.at.extend(plain.iter().map(|_| place));
            undone.bytes.extend_from_slice(&plain);
            n += len;
        }
        *self = undone;
        any
    }

    /// Where in the text the bytes of `what` stand, in order and apart.
    pub fn find(&self, what: &[u8]) -> Vec<Range<usize>> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(n) = self.bytes[from..].windows(what.len().max(1)).position(|part| part == what) {
            let (first, last) = (from + n, from + n + what.len() - 1);
            // A secret need not be text, and what is cut out must be.
            let start = self.text.floor_char_boundary(self.at[first].0);
            let end = self.text.ceil_char_boundary(self.at[last].1);
            // Half of an escape belongs to the range before.
            if found.last().is_none_or(|before: &Range<usize>| before.end <= start) {
                found.push(start..end);
            }
            from = last + 1;
        }
        found
    }

    /// Where at the end of `text` the beginning of `what` stands, of at least so many bytes, be the last escape whole
    /// or not.
    pub fn start_at_end(text: &'t str, what: &[u8], least: usize) -> Option<usize> {
        // No more than this of it can be a beginning.
        let mut from = text.len().saturating_sub(what.len() * LONGEST);
        from = text.floor_char_boundary(from);
        let tail = &text[from..];
        if !Self::differs(tail) {
            return None;
        }
        let read = Plain::of(tail);
        let is_begun = |at: &usize| {
            let rest = tail.as_bytes()[at + 1..].iter();
            tail.len() - at < LONGEST && rest.copied().all(|b| b == b'#' || b.is_ascii_alphanumeric())
        };
        let broken = tail.rfind(['\\', '%', '&']).filter(is_begun);
        let whole = [Some(tail.len()), broken].into_iter().flatten();
        for end in whole {
            let n = read.at.partition_point(|(_, last)| *last <= end);
            let seen = &read.bytes[..n];
            if let Some(len) = (least..what.len()).rev().find(|len| seen.ends_with(&what[..*len])) {
                return Some(text.floor_char_boundary(from + read.at[n - len].0));
            }
        }
        None
    }
}

/// The escape that a text begins with: what it stands for, and how long it is.
fn escape(text: &[u8]) -> Option<(Cow<'static, [u8]>, usize)> {
    match text {
        [b'%', rest @ ..] => Some((Cow::Owned(vec![u8::try_from(hex(rest.get(..2)?)?).ok()?]), 3)),
        [b'\\', b'u', rest @ ..] => {
            let unit = hex(rest.get(..4)?)?;
            if let (0xd800..0xdc00, Some([b'\\', b'u'])) = (unit, rest.get(4..6))
                && let Some(low) = hex(rest.get(6..10)?).filter(|low| (0xdc00..0xe000).contains(low))
            {
                return Some((utf8(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?, 12));
            }
            Some((utf8(unit)?, 6))
        }
        [b'\\', b'x', rest @ ..] => Some((utf8(hex(rest.get(..2)?)?)?, 4)),
        [b'\\', c @ (b'/' | b'"' | b'\'' | b'\\'), ..] => Some((Cow::Owned(vec![*c]), 2)),
        [b'\\', b'n', ..] => Some((Cow::Borrowed(b"\n"), 2)),
        [b'\\', b't', ..] => Some((Cow::Borrowed(b"\t"), 2)),
        [b'&', rest @ ..] => {
            let end = rest.iter().position(|b| *b == b';')?;
            let plain = match &rest[..end] {
                [b'#', b'x' | b'X', digits @ ..] => utf8(hex(digits)?)?,
                [b'#', digits @ ..] => utf8(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
                b"amp" => Cow::Borrowed(&b"&"[..]),
                b"lt" => Cow::Borrowed(&b"<"[..]),
                b"gt" => Cow::Borrowed(&b">"[..]),
                b"quot" => Cow::Borrowed(&b"\""[..]),
                b"apos" => Cow::Borrowed(&b"'"[..]),
                _ => return None,
            };
            Some((plain, end + 2))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    u32::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| all)?, 16).ok()
}

fn utf8(code: u32) -> Option<Cow<'static, [u8]>> {
    Some(Cow::Owned(char::from_u32(code)?.to_string().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_reads_as_what_is_not() {
        for (text, want) in [
            (r"a\/b\u0026c\ud83d\ude00", "a/b&c😀"),
            ("%2f%C3%A9%2541", "/éA"),
            ("&lt;&#34;&#x22;&amp;lt;", "<\"\"<"),
            ("a+b", "a b"),
            // No escapes.
            (r"\ud83d \u00 \q %4 %zz &nosuch; &#xFFFFFFFF; &", r"\ud83d \u00 \q %4 %zz &nosuch; &#xFFFFFFFF; &"),
        ] {
            assert_eq!(String::from_utf8(Plain::of(text).into_bytes()).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_is_found_is_cut_out_whole() {
        let text = "[%2541bc] [Abc]";
        let found = Plain::of(text).find(b"Abc");
        assert_eq!(found.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(), ["%2541bc", "Abc"]);
    }

    proptest::proptest! {
        #[test]
        fn every_range_lies_in_the_text(text in "[\\\\u%&#x;0-9a-fé+lt/…]{0,60}", what in "[a-f0-9é/]{1,4}") {
            for range in Plain::of(&text).find(what.as_bytes()) {
                proptest::prop_assert!(range.start < range.end && range.end <= text.len());
            }
            if let Some(start) = Plain::start_at_end(&text, what.as_bytes(), 1) {
                proptest::prop_assert!(text.is_char_boundary(start));
            }
        }
    }
}
