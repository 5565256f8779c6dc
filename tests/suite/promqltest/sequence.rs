//! The notation for samples at equal distances: `1 2+3x4 _ _x3 stale NaN`.

use watchdog::base::sample::STALE_NAN;

/// One place of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// `_`
    Missing,
    /// A number, or `stale`.
    Value(f64),
    /// `{{…}}`
    Histogram,
}

/// Reads a sequence.
pub fn parse(text: &str) -> Result<Vec<Place>, String> {
    let mut places = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        rest = item(rest, &mut places).ok_or_else(|| format!("`{rest}` is not a sequence"))?.trim_start();
    }
    Ok(places)
}

/// Reads one item and gives what follows.
fn item<'t>(text: &'t str, places: &mut Vec<Place>) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix('_') {
        let (n, rest) = times(rest).unwrap_or((1, rest));
        places.extend(std::iter::repeat_n(Place::Missing, n));
        return Some(rest);
    }
    if text.starts_with("{{") {
        let rest = after_histogram(text)?;
        let grown = rest.strip_prefix(['+', '-']).filter(|r| r.starts_with("{{"));
        let rest = grown.map_or(Some(rest), after_histogram)?;
        let (n, rest) = times(rest).map_or((1, rest), |(n, rest)| (n + 1, rest));
        places.extend(std::iter::repeat_n(Place::Histogram, n));
        return Some(rest);
    }
    let (first, rest) = match text.strip_prefix("stale") {
        Some(rest) => (STALE_NAN, rest),
        None => number(text)?,
    };
    if let Some((n, rest)) = times(rest) {
        places.extend(std::iter::repeat_n(Place::Value(first), n + 1));
        return Some(rest);
    }
    if let Some((step, after)) = rest.starts_with(['+', '-']).then(|| number(rest)).flatten() {
        let (n, rest) = times(after)?;
        let mut v = first;
        for _ in 0..=n {
            places.push(Place::Value(v));
            v += step;
        }
        return Some(rest);
    }
    places.push(Place::Value(first));
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(rest)
}

fn after_histogram(text: &str) -> Option<&str> {
    text.find("}}").map(|end| &text[end + 2..])
}

/// `x4`
fn times(text: &str) -> Option<(usize, &str)> {
    let text = text.strip_prefix('x')?;
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The number at the front. An `x` never belongs to it: it repeats.
fn number(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    let mut end = usize::from(text.starts_with(['+', '-']));
    let word = text[end..].bytes().take_while(u8::is_ascii_alphabetic).count();
    if word > 0 {
        end += word;
    } else {
        while let Some(b) = bytes.get(end) {
            let sign = matches!(b, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E');
            if !(b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E') || sign) {
                break;
            }
            end += 1;
        }
    }
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[test]
fn sequences_expand() {
    #[track_caller]
    fn check(text: &str, want: &[f64]) {
        let got: Vec<f64> = parse(text)
            .unwrap()
            .into_iter()
            .map(|p| match p {
                Place::Missing => -999.0,
                Place::Histogram => -888.0,
                Place::Value(v) => v,
            })
            .collect();
        assert_eq!(got, want, "{text}");
    }
    check("1 2 -3", &[1.0, 2.0, -3.0]);
    check("1+2x3", &[1.0, 3.0, 5.0, 7.0]);
    check("5-1x2 _ 7x1 _x2", &[5.0, 4.0, 3.0, -999.0, 7.0, 7.0, -999.0, -999.0]);
    check("0x2", &[0.0, 0.0, 0.0]);
    check("1e2 2.5E-1 .5 Inf -Inf", &[100.0, 0.25, 0.5, f64::INFINITY, f64::NEG_INFINITY]);
    check("1e-1+1e-1x1", &[0.1, 0.2]);
    check("{{schema:0 sum:1}} {{count:1}}+{{count:2}}x1", &[-888.0, -888.0, -888.0]);
    assert!(matches!(*parse("stale").unwrap(), [Place::Value(v)] if v.to_bits() == STALE_NAN.to_bits()));
    for bad in ["1+2", "abc", "1x", "1y"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
