//! Writes answers as Prometheus does, byte by byte: no tree is built, no number passes through a float
//! twice.

use std::io::Write as _;

use crate::base::labels::Labels;
use crate::engine::query::Done;
use crate::promql::source::Resolution;
use crate::promql::value::{Value, VectorSample};

/// What every answer begins with.
pub(super) const SUCCESS: &[u8] = br#"{"status":"success","data":"#;

/// The warning of an answer that the `limit` of the request cut.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// Most warnings, and most infos, that an answer tells; Prometheus' number.
const MOST_NOTES: usize = 10;

/// An answer to a query, whole; `stats` says whether with what it cost.
pub(super) fn answer(done: &Done, limit: usize, stats: bool) -> Vec<u8> {
    let value = &done.answer.value;
    let points = match value {
        Value::Scalar(..) | Value::String(..) => 1,
        Value::Vector(all) => all.len() * 4,
        Value::Matrix(all) => all.iter().take(limit).map(|s| s.points.len() + 4).sum(),
    };
    let mut out = Vec::with_capacity(256 + points * 32);
    out.extend_from_slice(SUCCESS);
    let cut = data(&mut out, value, limit);
    if let Some(coarse) = done.answer.stats.resolution.filter(|r| *r != Resolution::Raw) {
        out.extend_from_slice(b",\"resolution\":");
        string(&mut out, coarse.text());
    }
    if stats {
        self::stats(&mut out, done);
    }
    out.push(b'}');
    let notes = &done.answer.notes;
    let cut = cut.then_some(TRUNCATED);
    some_notes(&mut out, "warning", cut.into_iter().chain(notes.warnings.iter().map(String::as_str)));
    some_notes(&mut out, "info", notes.infos.iter().map(String::as_str));
    out.push(b'}');
    out
}

/// The first notes of a kind, and how many more there are.
fn some_notes<'a>(out: &mut Vec<u8>, kind: &str, notes: impl Iterator<Item = &'a str> + Clone) {
    let more = notes.clone().skip(MOST_NOTES).count();
    let more = (more > 0).then(|| format!("{more} more {kind} annotations omitted"));
    let mut told: Vec<&str> = notes.take(MOST_NOTES).collect();
    told.extend(more.as_deref());
    texts(out, &format!("{kind}s"), told);
}

/// Writes `{"resultType":…,"result":…`, without the closing brace; says whether the limit cut it.
fn data(out: &mut Vec<u8>, value: &Value, limit: usize) -> bool {
    match value {
        Value::Scalar(t, v) => {
            out.extend_from_slice(br#"{"resultType":"scalar","result":"#);
            point(out, *t, *v);
            false
        }
        Value::String(t, text) => {
            out.extend_from_slice(br#"{"resultType":"string","result":["#);
            timestamp(out, *t);
            out.push(b',');
            string(out, text);
            out.push(b']');
            false
        }
        Value::Vector(all) => {
            out.extend_from_slice(br#"{"resultType":"vector","result":["#);
            for (i, VectorSample { labels: set, t, v }) in all.iter().take(limit).enumerate() {
                out.extend_from_slice(if i > 0 { br#",{"metric":"# } else { br#"{"metric":"# });
                labels(out, set);
                out.extend_from_slice(br#","value":"#);
                point(out, *t, *v);
                out.push(b'}');
            }
            out.push(b']');
            all.len() > limit
        }
        Value::Matrix(all) => {
            out.extend_from_slice(br#"{"resultType":"matrix","result":["#);
            for (i, series) in all.iter().take(limit).enumerate() {
                out.extend_from_slice(if i > 0 { br#",{"metric":"# } else { br#"{"metric":"# });
                labels(out, &series.labels);
                out.extend_from_slice(br#","values":["#);
                for (i, (t, v)) in series.points.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    point(out, *t, *v);
                }
                out.extend_from_slice(b"]}");
            }
            out.push(b']');
            all.len() > limit
        }
    }
}

fn stats(out: &mut Vec<u8>, done: &Done) {
    let stats = &done.answer.stats;
    let (eval, queue, parse) = (done.evaluation.as_secs_f64(), done.queued.as_secs_f64(), done.parsing.as_secs_f64());
    // Prometheus' words. Sorting and preparation are part of the evaluation here.
    let written = write!(
        out,
        ",\"stats\":{{\"timings\":{{\"evalTotalTime\":{eval},\"resultSortTime\":0,\"queryPreparationTime\":{parse},\
         \"innerEvalTime\":{eval},\"execQueueTime\":{queue},\"execTotalTime\":{}}},\"samples\":{{\
         \"totalQueryableSamples\":{},\"peakSamples\":{}}}}}",
        eval + queue + parse,
        stats.samples,
        stats.peak_samples,
    );
    debug_assert!(written.is_ok(), "a vector takes everything");
}

/// A list of texts under `key`, preceded by a comma; nothing when there are none.
pub(super) fn texts<'a>(out: &mut Vec<u8>, key: &str, list: impl IntoIterator<Item = &'a str>) {
    let mut any = false;
    for text in list {
        if any {
            out.push(b',');
        } else {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":[");
        }
        any = true;
        string(out, text);
    }
    if any {
        out.push(b']');
    }
}

/// `{"a":"1"}`
pub(super) fn labels(out: &mut Vec<u8>, set: &Labels) {
    out.push(b'{');
    for (i, (name, value)) in set.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// `[1435781451.781,"1"]`
fn point(out: &mut Vec<u8>, t: i64, v: f64) {
    out.push(b'[');
    timestamp(out, t);
    out.extend_from_slice(b",\"");
    float(out, v);
    out.extend_from_slice(b"\"]");
}

/// Seconds, with three digits of a fraction where there is one.
pub(super) fn timestamp(out: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        out.push(b'-');
    }
    let ms = ms.unsigned_abs();
    integer(out, ms / 1_000);
    let fraction = (ms % 1_000) as u16;
    if fraction != 0 {
        let digit = |n: u16| b'0' + (n % 10) as u8;
        out.extend_from_slice(&[b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
    }
}

/// The numbers from 0 to 99 in two digits each: half as many divisions as digit by digit.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + n as u8 / 10, b'0' + n as u8 % 10];
        n += 1;
    }
    pairs
};

fn integer(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while n >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if n > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + n as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// A float as Go writes it: the shortest text that reads back, with an exponent only for what is very
/// large or very small.
pub(super) fn float(out: &mut Vec<u8>, v: f64) {
    let size = v.abs();
    if v.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if v.is_infinite() {
        return out.extend_from_slice(if v > 0.0 { b"+Inf" } else { b"-Inf" });
    }
    // Most values are counts; writing those takes a tenth of the time.
    if size < 9e15 && size.fract() == 0.0 {
        if v.is_sign_negative() {
            out.push(b'-');
        }
        return integer(out, size as u64);
    }
    // What all but a few others are. `zmij` writes the shortest text five times as fast as the standard library, and
    // rounds to an even last digit where two are as near, as Go does; but it goes over to exponents elsewhere.
    if (1e-4..9e15).contains(&size) {
        return out.extend_from_slice(zmij::Buffer::new().format_finite(v).as_bytes());
    }
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{v:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |e| ("-", e));
        // Writing to a vector cannot fail.
        let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
        return;
    }
    let _ = write!(out, "{v}");
}

/// A text in quotes.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (i, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..i]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(escape);
        }
        from = i + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        #[track_caller]
        fn check(v: f64, text: &str) {
            let mut out = Vec::new();
            float(&mut out, v);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(100.0, "100");
        check(6_789.0, "6789");
        check(0.000_1, "0.0001");
        check(0.000_099, "0.000099");
        // Halfway between two shortest texts: as Prometheus 2.42 answers.
        check(2_787_501_315_655_557.0 / 4.0, "696875328913889.2");
        check(2_787_501_315_655_559.0 / 4.0, "696875328913889.8");
        check(9e15, "9000000000000000");
        check(-17.0, "-17");
        check(0.1, "0.1");
        check(1_435_781_451.781, "1435781451.781");
        check(1e15, "1000000000000000");
        check(123_456_789_012_345_680_000.0, "123456789012345680000");
        check(1e21, "1e+21");
        check(1.5e300, "1.5e+300");
        check(0.000_001, "0.000001");
        check(0.000_000_1, "1e-07");
        check(-2.5e-10, "-2.5e-10");
        check(5e-324, "5e-324");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn texts_are_as_short_as_they_can_be_and_read_back() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200_000 {
            // Of every magnitude that is written without an exponent, with many digits and with few.
            let scale = 10_f64.powi(rng.i32(-5..17));
            let v = [rng.f64() * scale, f64::from(rng.u32(..100_000)) / scale][rng.usize(..2)];
            let v = if rng.bool() { v } else { -v };
            if v != 0.0 && !(1e-6..1e21).contains(&v.abs()) {
                continue;
            }
            let mut out = Vec::new();
            float(&mut out, v);
            let text = String::from_utf8(out).unwrap();
            assert_eq!((text.parse(), text.len()), (Ok(v), v.to_string().len()), "{text} is not {v}");
        }
    }

    #[test]
    fn timestamps_have_a_fraction_or_none() {
        #[track_caller]
        fn check(ms: i64, text: &str) {
            let mut out = Vec::new();
            timestamp(&mut out, ms);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        check(1_435_781_451_781, "1435781451.781");
        check(1_435_781_451_000, "1435781451");
        check(1_500, "1.500");
        check(-1_007, "-1.007");
        check(0, "0");
    }

    #[test]
    fn ten_notes_of_a_kind_are_told() {
        #[track_caller]
        fn check(n: usize, want: &str) {
            let all: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            let mut out = Vec::new();
            some_notes(&mut out, "info", all.iter().map(String::as_str));
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        let ten = r#","infos":["0","1","2","3","4","5","6","7","8","9""#;
        check(0, "");
        check(10, &format!("{ten}]"));
        check(12, &format!("{ten},\"2 more info annotations omitted\"]"));
    }

    #[test]
    fn texts_read_back_as_json() {
        for text in ["", "plain", "q\"b\\n\nt\tr\r", "\u{0}\u{1f}\u{7f}ü店"] {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
