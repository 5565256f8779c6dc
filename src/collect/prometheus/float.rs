//! Floats as Prometheus writes them into labels.

/// `le` and `quantile` in their one form: `1` is `1.0`, `0.50` is `0.5`, `1000000` is `1e+06`; what is no number
/// stays as it is. Since version 3 Prometheus does this to all formats, so that they give the same series.
pub fn normalized(value: &str) -> Option<String> {
    value.parse::<f64>().ok().map(written)
}

/// A float in OpenMetrics' form.
pub fn written(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if v == 0.0 {
        return "0.0".to_owned();
    }
    let shortest = format!("{v:e}");
    let Some((digits, exponent)) = shortest.split_once('e') else { return shortest };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // The bounds of `%g` for the shortest digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = v.to_string();
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_one_form() {
        for (text, want) in [
            ("1", "1.0"),
            ("0", "0.0"),
            ("-1", "-1.0"),
            ("0.50", "0.5"),
            ("25", "25.0"),
            ("1e-5", "1e-05"),
            ("0.0001", "0.0001"),
            ("100000", "100000.0"),
            ("1000000", "1e+06"),
            ("1234567.5", "1.2345675e+06"),
            ("1.5e300", "1.5e+300"),
            ("+Inf", "+Inf"),
            ("-inf", "-Inf"),
            ("nan", "NaN"),
        ] {
            assert_eq!(normalized(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(normalized("x"), None);
    }
}
