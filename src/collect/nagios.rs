//! The output of a Nagios plugin: first line, performance data. Pure.
//!
//! Format: "Monitoring Plugins Development Guidelines", sections 2.1 and 2.6:
//! `text | 'label'=value[UOM];[warn];[crit];[min];[max] …`, further text on further lines, and more
//! performance data behind a second `|`.

use crate::base::outcome::Sample;

/// Values read of one output; a plugin that checks every port of a switch has a few hundred.
const MAX_VALUES: usize = 1_000;
/// Longest label in bytes.
const MAX_LABEL: usize = 200;

/// What an output says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The first line, without performance data.
    pub summary: String,
    /// The values.
    pub values: Vec<Perf>,
    /// Pieces of performance data that were not understood, at most 10.
    pub rejected: Vec<String>,
}

/// One value of performance data.
#[derive(Clone, Debug, PartialEq)]
pub struct Perf {
    /// Its label.
    pub label: String,
    /// The value; `None` when the plugin says `U`, for unknown.
    pub value: Option<f64>,
    /// Unit as written: `s`, `%`, `B`, `c` for a counter, and whatever else plugins invent.
    pub unit: String,
    /// Outside (or inside) of which the plugin warns.
    pub warn: Option<Range>,
    /// The same for critical.
    pub crit: Option<Range>,
    /// Least possible value.
    pub min: Option<f64>,
    /// Greatest possible value.
    pub max: Option<f64>,
}

/// A range of values that are fine: `[@][start:][end]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Its lower end; `None` for `~`, no limit.
    pub low: Option<f64>,
    /// Its upper end; `None` where nothing stands.
    pub high: Option<f64>,
    /// With `@`, values in the range are the bad ones.
    pub inside: bool,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (inside, text) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
        let (low, high) = text.split_once(':').unwrap_or(("0", text));
        let low = match low {
            "~" => None,
            // `:10` is written although the guidelines leave the colon out then.
            "" => Some(0.0),
            low => Some(number(low)?),
        };
        let high = if high.is_empty() { None } else { Some(number(high)?) };
        (text.len() > 1 || high.is_some()).then_some(Self { low, high, inside })
    }

    /// What is drawn as the limit: the upper end, or the lower where that is the only one.
    fn limit(&self) -> Option<f64> {
        self.high.or(self.low)
    }

    /// The lower end where it is a limit of its own: below zero there is rarely anything.
    fn floor(&self) -> Option<f64> {
        self.high.and(self.low).filter(|low| *low != 0.0)
    }
}

/// Reads an output. Whatever it holds, this ends with something.
pub fn parse(output: &str) -> Report {
    let mut report = Report::default();
    let mut in_perf = false;
    for (i, line) in output.lines().enumerate() {
        let (text, perf) = if in_perf { ("", line) } else { line.split_once('|').unwrap_or((line, "")) };
        if i == 0 {
            text.trim().clone_into(&mut report.summary);
        } else if !in_perf && line.contains('|') {
            // On later lines a bar opens performance data that goes on to the end.
            in_perf = true;
        }
        report.read_perf(perf);
    }
    report
}

impl Report {
    fn read_perf(&mut self, text: &str) {
        let mut rest = text.trim_start();
        while !rest.is_empty() && self.values.len() < MAX_VALUES {
            let Some((label, after)) = split_label(rest) else {
                // What follows may be understood again.
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                self.reject(&rest[..end]);
                rest = rest[end..].trim_start();
                continue;
            };
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            let (value, next) = after.split_at(end);
            match parse_value(label, value) {
                // A second value of the same label would be the same series again.
                Some(perf) if !self.values.iter().any(|v| v.label == perf.label && v.unit == perf.unit) => {
                    self.values.push(perf);
                }
                Some(_) | None => self.reject(&rest[..rest.len() - next.len()]),
            }
            rest = next.trim_start();
        }
    }

    fn reject(&mut self, piece: &str) {
        if self.rejected.len() < 10 {
            self.rejected.push(crate::collect::judge::found(piece));
        }
    }

    /// `nagios_perf{label,uom}` and its limits.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for perf in &self.values {
            for (name, value) in [
                ("nagios_perf", perf.value),
                ("nagios_perf_warn", perf.warn.and_then(|r| r.limit())),
                ("nagios_perf_warn_low", perf.warn.and_then(|r| r.floor())),
                ("nagios_perf_crit", perf.crit.and_then(|r| r.limit())),
                ("nagios_perf_crit_low", perf.crit.and_then(|r| r.floor())),
                ("nagios_perf_min", perf.min),
                ("nagios_perf_max", perf.max),
            ] {
                let Some(value) = value else { continue };
                out.push(Sample::new(name, value).label("label", &perf.label).label("uom", &perf.unit));
            }
        }
    }
}

/// `label=rest` or `'quoted ''label'''=rest`; in quotes, two quotes are one.
fn split_label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        // A piece at a time: looking further would cost the whole text for each piece.
        let piece = &text[..text.find(char::is_whitespace).unwrap_or(text.len())];
        let label = piece.split_once('=')?.0;
        let is_label = !label.is_empty() && label.len() <= MAX_LABEL;
        return is_label.then(|| (label.to_owned(), &text[label.len() + 1..]));
    };
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('\'').filter(|end| label.len() + end <= MAX_LABEL)?;
        label.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => break,
        }
    }
    let rest = rest.strip_prefix('=')?;
    (!label.is_empty() && label.len() <= MAX_LABEL).then_some((label, rest))
}

fn parse_value(label: String, text: &str) -> Option<Perf> {
    let mut fields = text.split(';');
    let first = fields.next()?;
    let (value, unit) = if let Some(unit) = first.strip_prefix('U') {
        (None, unit)
    } else {
        let end = number_end(first);
        (Some(number(&first[..end])?), &first[end..])
    };
    let mut limit = || fields.next();
    let warn = limit().and_then(Range::parse);
    let crit = limit().and_then(Range::parse);
    let min = limit().and_then(number);
    let max = limit().and_then(number);
    Some(Perf { label, value, unit: unit.chars().take(20).collect(), warn, crit, min, max })
}

/// Where the number at the start of `text` ends. An `e` belongs to it only before digits: `5e3`, not `5eur`.
fn number_end(text: &str) -> usize {
    let digits = |from: usize| text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |i| from + i);
    let sign = usize::from(text.starts_with(['-', '+']));
    let mut end = digits(sign);
    // Plugins in some locales write a decimal comma.
    if text[end..].starts_with(['.', ',']) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let exponent = end + 1 + usize::from(text[end + 1..].starts_with(['-', '+']));
        let after = digits(exponent);
        if after > exponent {
            end = after;
        }
    }
    end
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust would also read `inf`, `nan` and the like, which no plugin means.
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-' | b'+' | b'e' | b'E')) {
        return None;
    }
    text.replace(',', ".").parse::<f64>().ok().filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn perf(label: &str, value: f64, unit: &str, limits: [Option<f64>; 4]) -> Perf {
        let [warn, crit, min, max] = limits;
        let upto = |high: Option<f64>| high.map(|high| Range { low: Some(0.0), high: Some(high), inside: false });
        let (warn, crit) = (upto(warn), upto(crit));
        Perf { label: label.into(), value: Some(value), unit: unit.into(), warn, crit, min, max }
    }

    #[test]
    fn performance_data_that_plugins_print() {
        #[track_caller]
        fn check(line: &str, want: &[Perf]) {
            assert_eq!(parse(line).values, want, "{line}");
        }
        let none = [None; 4];
        check("OK", &[]);
        check("PING OK|rta=0.80ms;100;500;0;", &[perf("rta", 0.8, "ms", [Some(100.0), Some(500.0), Some(0.0), None])]);
        check(
            "OK | 'C: used'=5GB;;;0;100 load1=0.1",
            &[perf("C: used", 5.0, "GB", [None, None, Some(0.0), Some(100.0)]), perf("load1", 0.1, "", none)],
        );
        check("OK|'it''s'=1c", &[perf("it's", 1.0, "c", none)]);
        check("OK|a=1;;;;;; b=2", &[perf("a", 1.0, "", none), perf("b", 2.0, "", none)]);
        check("OK|a=-1,5e3s", &[perf("a", -1500.0, "s", none)]);
        check("OK|a=5eur", &[perf("a", 5.0, "eur", none)]);
        // One bad piece does not take the others with it.
        check(
            "OK|a=1 what is this b=2 'c d'=3 'e f",
            &[perf("a", 1.0, "", none), perf("b", 2.0, "", none), perf("c d", 3.0, "", none)],
        );
        check("OK|a=U", &[Perf { value: None, ..perf("a", 0.0, "", none) }]);
    }

    #[test]
    fn ranges_are_read_whole() {
        #[track_caller]
        fn check(text: &str, want: Option<(Option<f64>, Option<f64>, bool)>) {
            assert_eq!(Range::parse(text).map(|r| (r.low, r.high, r.inside)), want, "{text}");
        }
        check("10", Some((Some(0.0), Some(10.0), false)));
        check("10:", Some((Some(10.0), None, false)));
        check("~:10", Some((None, Some(10.0), false)));
        check("10:20", Some((Some(10.0), Some(20.0), false)));
        check("@10:20", Some((Some(10.0), Some(20.0), true)));
        check("-5,5:-1.5", Some((Some(-5.5), Some(-1.5), false)));
        check(":7", Some((Some(0.0), Some(7.0), false)));
        for wrong in ["", "@", "x", "1:x", "@~:x"] {
            check(wrong, None);
        }
        let mut samples = Vec::new();
        parse("OK|a=5%;@10:20;~:30 b=1;10:").samples(&mut samples);
        let seen: Vec<_> = samples.iter().map(|s| (&*s.name, s.value)).collect();
        assert_eq!(
            seen,
            [
                ("nagios_perf", 5.0),
                ("nagios_perf_warn", 20.0),
                ("nagios_perf_warn_low", 10.0),
                ("nagios_perf_crit", 30.0),
                ("nagios_perf", 1.0),
                ("nagios_perf_warn", 10.0),
            ]
        );
    }

    #[test]
    fn data_on_later_lines_belongs_to_it() {
        let report = parse("DISK OK - free | /=2643MB\n/ 15272 MB\n/boot 68 MB | /boot=68MB\n/home=69357MB\n");
        assert_eq!(report.summary, "DISK OK - free");
        let labels: Vec<_> = report.values.iter().map(|v| v.label.as_str()).collect();
        assert_eq!(labels, ["/", "/boot", "/home"]);
    }

    #[test]
    fn what_is_not_understood_is_kept_aside() {
        let report = parse("OK|a=x b=2 junk");
        assert_eq!(report.values, [perf("b", 2.0, "", [None; 4])]);
        assert_eq!(report.rejected, ["a=x", "junk"]);
        assert!(parse("OK|'open=1").values.is_empty());
        assert!(parse("OK|a=inf b=NaN c=1e999").values.is_empty());
    }

    proptest! {
        #[test]
        fn no_output_makes_it_fail(text in ".{0,400}") {
            let report = parse(&text);
            prop_assert!(report.values.len() <= MAX_VALUES && report.rejected.len() <= 10);
            prop_assert!(report.values.iter().all(|v| v.value.is_none_or(f64::is_finite)));
        }

        #[test]
        fn nor_does_one_that_looks_like_data(text in r"OK\|[a'=;:@~U0-9.,eE %|\n-]{0,80}") {
            parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(
            label in "[ -~]{1,30}",
            value in -1e12..1e12f64,
            limits in proptest::array::uniform4(proptest::option::of(-1e6..1e6f64)),
        ) {
            let text = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
            let [warn, crit, min, max] = limits;
            let quoted = label.replace('\'', "''");
            let line = format!(
                "OK|'{quoted}'={value}ms;{};{};{};{}", text(warn), text(crit), text(min), text(max)
            );
            prop_assert_eq!(parse(&line).values, [perf(&label, value, "ms", limits)]);
        }
    }
}
