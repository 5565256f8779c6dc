//! Texts without the escapes of JSON, HTML, addresses and forms, and where in them something stands, whole or cut off.
//!
//! What was escaped several times is read to its end, so that a text and all of its escaped forms read the same. That
//! is good for comparing, and for nothing else. Reading and finding take time in proportion to the text, whatever is in
//! it: the other side writes it.

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
    bytes: Cow<'t, [u8]>,
    /// Where in the text each of `bytes` begins, and the text's end; empty where they are the text's own. One that
    /// shares an escape with others begins with it, and ends with the last of them.
    at: Vec<usize>,
}

impl<'t> Plain<'t> {
    /// A text as it is written.
    pub fn written(text: &'t str) -> Self {
        Self { text, bytes: Cow::Borrowed(text.as_bytes()), at: Vec::new() }
    }

    /// Reads a text.
    pub fn of(text: &'t str) -> Self {
        if !text.bytes().any(|b| begins_escape(b) || b == b'+') {
            return Self::written(text);
        }
        let mut bytes = text.as_bytes().to_vec();
        let mut at: Vec<usize> = (0..=text.len()).collect();
        for _ in 0..MOST_LAYERS {
            if !undo(&mut bytes, &mut at) {
                break;
            }
        }
        // A form writes a space so, and what holds a plus sign is compared with what does, too.
        bytes.iter_mut().filter(|b| **b == b'+').for_each(|b| *b = b' ');
        Self { text, bytes: Cow::Owned(bytes), at }
    }

    /// Whether it reads as it is written.
    pub fn is_written(&self) -> bool {
        self.at.is_empty()
    }

    /// What it reads.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    fn place(&self, n: usize) -> usize {
        if self.is_written() { n } else { self.at[n] }
    }

    /// Where in the text `what` stands whole, and where it had begun, with at least so many bytes, when one of the `cuts`
    /// (places of the text, in order) came, be the last escape before it whole or not.
    pub fn find(&self, what: &Pattern, cuts: &[usize], least: usize, mut found: impl FnMut(Range<usize>)) {
        let mut cuts = cuts.iter().copied().peekable();
        let mut seen = 0;
        // How much of it stood before each of the last bytes.
        let mut begun = [0; LONGEST];
        for n in 0..=self.bytes.len() {
            begun[n % LONGEST] = seen;
            while let Some(cut) = cuts.next_if(|cut| *cut <= self.place(n)) {
                let goes_on = |byte: u8| begins_escape(byte) || byte == b'#' || byte.is_ascii_alphanumeric();
                // An escape that was cut off itself; of a pair it may be the second half.
                let last = (n.saturating_sub(LONGEST - 1)..n).rev().take_while(|at| goes_on(self.bytes[*at]));
                let ends = last.filter(|at| begins_escape(self.bytes[*at])).chain([n]);
                let starts = ends.filter(|at| begun[at % LONGEST] >= least).map(|at| at - begun[at % LONGEST]);
                if let Some(start) = starts.min() {
                    found(self.start(start)..cut);
                }
            }
            let Some(byte) = self.bytes.get(n) else { break };
            seen = what.step(seen, *byte);
            if seen > 0 && seen == what.bytes.len() {
                let shares = |next: &usize| *next < self.bytes.len() && self.place(*next) == self.place(n);
                let end = (n + 1..).find(|next| !shares(next)).unwrap_or(n + 1);
                // What is found need not be text, and what is cut out must be.
                found(self.start(n + 1 - seen)..self.text.ceil_char_boundary(self.place(end)));
            }
        }
    }

    fn start(&self, n: usize) -> usize {
        self.text.floor_char_boundary(self.place(n))
    }
}

/// Bytes to be found, with what makes one pass over a text enough (Knuth, Morris and Pratt).
#[derive(Clone, Debug)]
pub struct Pattern {
    bytes: Vec<u8>,
    /// How many of its first bytes are the last ones of what ends with each byte, without being all of that.
    borders: Vec<usize>,
}

impl Pattern {
    /// Whatever is to be found; of nothing, nothing is.
    pub fn new(bytes: &[u8]) -> Self {
        let mut made = Self { borders: Vec::with_capacity(bytes.len()), bytes: Vec::new() };
        let mut border = 0;
        for byte in bytes {
            // The first byte has nothing before it.
            if !made.borders.is_empty() {
                border = made.step(border, *byte);
            }
            made.borders.push(border);
            made.bytes.push(*byte);
        }
        made
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many of its bytes stand at the end of a text when `byte` is added, and `seen` stood there before.
    fn step(&self, mut seen: usize, byte: u8) -> usize {
        while self.bytes.get(seen) != Some(&byte) {
            match seen.checked_sub(1) {
                Some(last) => seen = self.borders[last],
                None => return 0,
            }
        }
        seen + 1
    }
}

fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&')
}

/// Undoes one layer, and returns whether there was any. No escape is shorter than what it stands for.
fn undo(bytes: &mut Vec<u8>, at: &mut Vec<usize>) -> bool {
    let (mut from, mut to) = (0, 0);
    while let Some(byte) = bytes.get(from).copied() {
        let place = at[from];
        let escape = Some(byte).filter(|b| begins_escape(*b)).and_then(|_| escape(&bytes[from..]));
        let (means, len) = escape.unwrap_or((Means::Byte(byte), 1));
        let mut room = [0; 4];
        let plain = match means {
            Means::Byte(byte) => {
                room[0] = byte;
                &room[..1]
            }
            Means::Char(c) => c.encode_utf8(&mut room).as_bytes(),
        };
        for byte in plain {
            (bytes[to], at[to]) = (*byte, place);
            to += 1;
        }
        from += len;
    }
    let any = to < from;
    at[to] = at[from];
    bytes.truncate(to);
    at.truncate(to + 1);
    any
}

/// What an escape stands for.
enum Means {
    Byte(u8),
    Char(char),
}

/// The escape that a text begins with: what it stands for, and how long it is.
fn escape(text: &[u8]) -> Option<(Means, usize)> {
    let point = |code| char::from_u32(code).map(Means::Char);
    match text {
        [b'%', rest @ ..] => Some((Means::Byte(u8::try_from(hex(rest.get(..2)?)?).ok()?), 3)),
        [b'\\', b'u', rest @ ..] => {
            let unit = hex(rest.get(..4)?)?;
            if let (0xd800..0xdc00, Some([b'\\', b'u'])) = (unit, rest.get(4..6))
                && let Some(low) = hex(rest.get(6..10)?).filter(|low| (0xdc00..0xe000).contains(low))
            {
                return Some((point(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?, 12));
            }
            Some((point(unit)?, 6))
        }
        [b'\\', b'x', rest @ ..] => Some((point(hex(rest.get(..2)?)?)?, 4)),
        [b'\\', c @ (b'/' | b'"' | b'\'' | b'\\'), ..] => Some((Means::Byte(*c), 2)),
        [b'\\', b'n', ..] => Some((Means::Byte(b'\n'), 2)),
        [b'\\', b't', ..] => Some((Means::Byte(b'\t'), 2)),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(LONGEST - 1).position(|b| *b == b';')?;
            let plain = match &rest[..end] {
                [b'#', b'x' | b'X', digits @ ..] => point(hex(digits)?)?,
                [b'#', digits @ ..] => point(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
                b"amp" => Means::Byte(b'&'),
                b"lt" => Means::Byte(b'<'),
                b"gt" => Means::Byte(b'>'),
                b"quot" => Means::Byte(b'"'),
                b"apos" => Means::Byte(b'\''),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What of the text is found, whole or before one of the cuts.
    fn found<'t>(text: &'t str, what: &str, cuts: &[usize]) -> Vec<&'t str> {
        let mut all = Vec::new();
        Plain::of(text).find(&Pattern::new(what.as_bytes()), cuts, 1, |range| all.push(&text[range]));
        all
    }

    #[test]
    fn what_is_escaped_reads_as_what_is_not() {
        for (text, want) in [
            (r"a\/b\u0026c\ud83d\ude00", "a/b&c😀"),
            ("%2f%C3%A9%2541", "/éA"),
            ("&lt;&#34;&#x22;&amp;lt;&#x10FFFF;&#1114111;", "<\"\"<\u{10ffff}\u{10ffff}"),
            ("a+b", "a b"),
            // No escapes.
            (r"\ud83d \u00 \q %4 %zz &nosuch; &#xFFFFFFFF; &", r"\ud83d \u00 \q %4 %zz &nosuch; &#xFFFFFFFF; &"),
        ] {
            assert_eq!(String::from_utf8(Plain::of(text).into_bytes()).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_is_found_is_cut_out_whole() {
        assert_eq!(found("[%2541bc] [Abc]", "Abc", &[]), ["%2541bc", "Abc"]);
        // Half of an escape is none.
        assert_eq!(found(r"x\u00e9\u00e9", "\u{e9}", &[]), [r"\u00e9", r"\u00e9"]);
        assert_eq!(found("abababab", "abab", &[]), ["abab", "abab", "abab"]);
        assert!(found("abc", "", &[]).is_empty());
    }

    #[test]
    fn what_has_begun_before_a_cut_is_found() {
        for (text, what, want) in [
            ("x abc", "abcd", "abc"),
            ("x %61%6", "abcd", "%61%6"),
            ("x %61%256", "abcd", "%61%256"),
            (r"x a\ud83d\ude", "a😀b", r"a\ud83d\ude"),
            ("x a&#x1F60", "a😀b", "a&#x1F60"),
            ("x ab%61b%", "ababc", "ab%61b%"),
        ] {
            assert_eq!(found(text, what, &[text.len()]).first(), Some(&want), "{text}");
        }
        assert!(found("a % b", "abcd", &[5]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_is_what_a_slow_search_finds(text in "[ab]{0,40}", what in "[ab]{1,6}") {
            let slow: Vec<usize> = (0..text.len()).filter(|n| text[*n..].starts_with(&what)).collect();
            let mut fast = Vec::new();
            Plain::written(&text).find(&Pattern::new(what.as_bytes()), &[], 1, |range| fast.push(range.start));
            proptest::prop_assert_eq!(fast, slow);
        }

        #[test]
        fn every_range_lies_in_the_text(text in "[\\\\u%&#x;0-9a-fé+lt/…]{0,60}", what in "[a-f0-9é/]{1,4}") {
            let cuts: Vec<usize> = text.match_indices('…').map(|(at, _)| at).chain([text.len()]).collect();
            Plain::of(&text).find(&Pattern::new(what.as_bytes()), &cuts, 1, |range| {
                assert!(range.start < range.end && text.get(range).is_some());
            });
        }
    }
}
