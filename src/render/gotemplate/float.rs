//! Numbers as Go writes and reads them.

/// More digits than these are not written: no number has more that mean something.
const MAX_DIGITS: usize = 1_000;

/// `%g`: the shortest digits that read back, or so many significant ones; an exponent where Go writes one.
pub(super) fn general(v: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let precision = precision.map(|p| p.clamp(1, MAX_DIGITS));
    let text = match precision {
        None => format!("{v:e}"),
        Some(p) => format!("{v:.*e}", p - 1),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Of the shortest digits Go decides as if there were six.
    let limit = precision.map_or(6, |p| i32::try_from(p).unwrap_or(i32::MAX));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    if exponent < -4 || exponent >= limit {
        return format!("{mantissa}e{}", signed(exponent));
    }
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest.replace('.', "")),
        None => ("", mantissa.replace('.', "")),
    };
    let point = exponent + 1;
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{sign}{digits}{}", "0".repeat(point - digits.len())),
        Ok(point) if point > 0 => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
    }
}

/// `%e`
pub(super) fn exponential(v: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let text = match precision {
        None => format!("{v:e}"),
        Some(p) => format!("{v:.*e}", p.min(MAX_DIGITS)),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{mantissa}e{}", signed(exponent.parse().unwrap_or(0)))
}

/// `%f`
pub(super) fn fixed(v: f64, precision: usize) -> String {
    special(v).map_or_else(|| format!("{v:.*}", precision.min(MAX_DIGITS)), str::to_owned)
}

fn special(v: f64) -> Option<&'static str> {
    match v {
        v if v.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

fn signed(exponent: i32) -> String {
    format!("{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

/// `strconv.ParseFloat`, without hexadecimal.
pub(super) fn parse(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    match unsigned.to_ascii_lowercase().as_str() {
        "nan" if unsigned == text => return Some(f64::NAN),
        "inf" | "infinity" => return text.parse().ok(),
        _ => {}
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok()
}
