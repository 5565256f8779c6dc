//! Numbers, durations and strings as they are written.

use crate::promql::lexer;

/// Why a duration does not stand, in Prometheus' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing is written.
    #[error("empty duration string")]
    Empty,
    /// There is no such unit.
    #[error("unknown unit {} in duration {}", lexer::quote(.0), lexer::quote(.1))]
    Unit(String, String),
    /// Not numbers with units, the largest unit first.
    #[error("not a valid duration string: {}", lexer::quote(.0))]
    Syntax(String),
    /// More than about 292 years.
    #[error("duration out of range")]
    Range,
}

/// Units of durations and their milliseconds, in the order in which they must be written.
const UNITS: [(&str, i64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Prometheus keeps durations in nanoseconds, in 63 bits.
const MOST_MILLIS: i64 = i64::MAX / 1_000_000;

/// Reads a duration such as `1h30m`, in milliseconds.
///
/// # Errors
/// The text is no duration.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let wrong = || DurationError::Syntax(text.to_owned());
    let (mut rest, mut total, mut units) = (text, 0_i64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let place = match units.iter().position(|(name, _)| *name == unit) {
            Some(place) => place,
            None if unit.is_empty() || UNITS.iter().any(|(name, _)| *name == unit) => return Err(wrong()),
            None => return Err(DurationError::Unit(unit.to_owned(), text.to_owned())),
        };
        let millis = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(units[place].1);
        total = total.saturating_add(millis);
        if total > MOST_MILLIS {
            return Err(DurationError::Range);
        }
        units = &units[place + 1..];
        rest = tail;
    }
    Ok(total)
}

/// Writes milliseconds as Prometheus writes durations: `1h30m`.
pub fn duration_text(millis: i64) -> String {
    use std::fmt::Write as _;
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
    }
    let mut rest = millis.unsigned_abs();
    for (i, (unit, size)) in UNITS.iter().enumerate() {
        let size = size.unsigned_abs();
        // Years and weeks are written only when nothing smaller remains: 90d is easier to read than 12w6d.
        let whole = i < 2;
        if rest < size || whole && !rest.is_multiple_of(size) {
            continue;
        }
        let done = write!(out, "{}{unit}", rest / size);
        debug_assert!(done.is_ok(), "writing to a String cannot fail");
        rest %= size;
    }
    out
}

/// Milliseconds as seconds, rounded as Go's `Duration.Seconds`.
pub(super) fn seconds(millis: i64) -> f64 {
    (millis / 1_000) as f64 + ((millis % 1_000) * 1_000_000) as f64 / 1e9
}

/// Reads a number as Go reads it: decimal, hexadecimal, octal with a leading zero, with `_` between digits.
pub(super) fn parse_number(word: &str) -> Result<f64, String> {
    if word.eq_ignore_ascii_case("inf") {
        return Ok(f64::INFINITY);
    }
    if word.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    let wrong = |why: &str| format!("error parsing number: strconv.ParseFloat: parsing {}: {why}", lexer::quote(word));
    if !underscores_stand(word) {
        return Err(wrong("invalid syntax"));
    }
    let plain = word.replace('_', "");
    let integer = match plain.as_bytes() {
        [b'0', b'x' | b'X', ..] => i64::from_str_radix(&plain[2..], 16).ok(),
        [b'0', _, ..] => i64::from_str_radix(&plain[1..], 8).ok(),
        _ => plain.parse::<i64>().ok(),
    };
    if let Some(n) = integer {
        return Ok(n as f64);
    }
    match plain.parse::<f64>() {
        Ok(f) if f.is_finite() => Ok(f),
        Ok(_) => Err(wrong("value out of range")),
        Err(_) => Err(wrong("invalid syntax")),
    }
}

/// Underscores stand between digits, or between a prefix and a digit.
fn underscores_stand(word: &str) -> bool {
    let bytes = word.as_bytes();
    let hex = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let digit = |b: u8| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(i, _)| {
        let before = i > 0 && (digit(bytes[i - 1]) || hex && i == 2);
        before && bytes.get(i + 1).is_some_and(|b| digit(*b))
    })
}

/// The text that a string token means. The lexer has checked its escapes; bytes that are no UTF-8 are replaced.
pub(super) fn unquote(token: &str) -> String {
    let Some(inner) = token.get(1..token.len().saturating_sub(1)) else { return String::new() };
    if token.starts_with('`') || !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut out: Vec<u8> = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else { break };
        let (skip, digits, base) = match c {
            'x' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='7' => (0, 3, 8),
            _ => (c.len_utf8(), 0, 0),
        };
        rest = &rest[skip..];
        if digits == 0 {
            let simple = match c {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                other => other,
            };
            out.extend_from_slice(simple.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some(code) = rest.get(..digits).and_then(|d| u32::from_str_radix(d, base).ok()) else { break };
        rest = &rest[digits..];
        match (c, u8::try_from(code)) {
            // `\x` and octal escapes are bytes, not characters.
            ('x' | '0'..='7', Ok(byte)) => out.push(byte),
            _ => {
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// A token's text in a message: quoted, and cut when long.
pub(super) fn quote_short(word: &str) -> String {
    const MOST: usize = 10;
    if word.len() <= MOST {
        return lexer::quote(word);
    }
    let cut: String = word.chars().take(MOST).collect();
    format!("{}...", lexer::quote(&cut))
}
