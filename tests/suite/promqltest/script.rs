//! The language of query tests: `load`, `clear`, `eval`.
//!
//! What it cannot read fails the whole file; native histograms are read as such, so that who runs a script
//! can leave out what needs them.

use regex::Regex;
use watchdog::base::labels::Labels;
use watchdog::promql::parser::{parse_duration, parse_series_prefix};
use watchdog::promql::value::Times;

use super::sequence::{self, Place};

/// A command, with the number of its line.
#[derive(Debug)]
pub struct Command {
    pub line: usize,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Load(Load),
    Clear,
    Eval(Box<Eval>),
}

/// `load 5m`
#[derive(Debug)]
pub struct Load {
    /// Distance of the samples in milliseconds.
    pub step: i64,
    /// `load_with_nhcb`: classic histograms are loaded as native ones too.
    pub with_nhcb: bool,
    pub series: Vec<LoadSeries>,
}

#[derive(Debug)]
pub struct LoadSeries {
    pub labels: Labels,
    pub places: Vec<Place>,
    /// A line before it gave start timestamps.
    pub start_timestamps: bool,
}

/// `eval instant at 5m query`, with what is expected.
#[derive(Debug)]
pub struct Eval {
    pub query: String,
    pub at: Times,
    pub expect: Expect,
}

/// What a query is expected to answer.
#[derive(Debug, Default)]
pub struct Expect {
    pub fail: Option<Match>,
    pub warn: Vec<Match>,
    pub info: Vec<Match>,
    pub no_warn: bool,
    pub no_info: bool,
    pub ordered: bool,
    pub scalar: Option<f64>,
    pub string: Option<String>,
    /// Times of the samples of an instant range vector.
    pub range_vector: Option<Times>,
    pub series: Vec<(Labels, Vec<Place>)>,
}

/// A text that is expected.
#[derive(Debug)]
pub enum Match {
    Any,
    Text(String),
    Pattern(Regex),
}

impl Match {
    pub fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(t) => t == text,
            Self::Pattern(p) => p.is_match(text),
        }
    }
}

/// Reads a script.
pub fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text.lines().map(|l| if l.trim().starts_with('#') { "" } else { l.trim() }).collect();
    let mut commands = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let (line, first) = (i + 1, lines[i]);
        i += 1;
        if first.is_empty() {
            continue;
        }
        let word = first.split_whitespace().next().unwrap_or_default().to_lowercase();
        let body = &lines[i..i + lines[i..].iter().take_while(|l| !l.is_empty()).count()];
        let what = match word.as_str() {
            "clear" => Ok(What::Clear),
            w if w.starts_with("load") => {
                i += body.len();
                load(first, body).map(What::Load)
            }
            w if w.starts_with("eval") => {
                let (eval, used) = eval(first, body).map_err(|e| format!("line {line}: {e}"))?;
                i += used;
                Ok(What::Eval(Box::new(eval)))
            }
            _ => Err(format!("unknown command `{first}`")),
        };
        commands.push(Command { line, what: what.map_err(|e| format!("line {line}: {e}"))? });
    }
    Ok(commands)
}

fn load(first: &str, body: &[&str]) -> Result<Load, String> {
    let (word, step) = first.split_once(char::is_whitespace).ok_or("`load` without a step")?;
    let mut load = Load { step: duration(step.trim())?, with_nhcb: word == "load_with_nhcb", series: Vec::new() };
    let (mut start_timestamps, mut all_have_some) = (false, false);
    for line in body {
        let name = line.split_whitespace().next().unwrap_or_default();
        if name == "@st" {
            all_have_some = true;
        } else if name.ends_with("@st") {
            start_timestamps = true;
        } else {
            let (labels, places) = series(line)?;
            let start_timestamps = std::mem::take(&mut start_timestamps) || all_have_some;
            load.series.push(LoadSeries { labels, places, start_timestamps });
        }
    }
    Ok(load)
}

fn series(line: &str) -> Result<(Labels, Vec<Place>), String> {
    let (labels, rest) = parse_series_prefix(line).map_err(|e| format!("`{line}`: {e}"))?;
    Ok((labels, sequence::parse(&line[rest..])?))
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of ours")
}

/// Reads an evaluation and gives how many lines of the body belong to it.
fn eval(first: &str, body: &[&str]) -> Result<(Eval, usize), String> {
    let instant = pattern(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$");
    let range = pattern(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$");
    let (mode, at, query) = if let Some(c) = instant.captures(first) {
        let at = c.get(2).map_or(Ok(0), |m| duration(m.as_str()))?;
        (c.get(1), Times::Instant(at), c[3].to_owned())
    } else if let Some(c) = range.captures(first) {
        let at = Times::Range { start: duration(&c[2])?, end: duration(&c[3])?, step: duration(&c[4])? };
        (c.get(1), at, c[5].to_owned())
    } else {
        return Err(format!("`{first}` is not an evaluation"));
    };
    let mut expect = Expect::default();
    match mode.map(|m| m.as_str()) {
        Some("fail") => expect.fail = Some(Match::Any),
        Some("warn") => expect.warn.push(Match::Any),
        Some("info") => expect.info.push(Match::Any),
        Some("ordered") => expect.ordered = true,
        _ => {}
    }
    let mut used = 0;
    for line in body {
        used += 1;
        if expectation(line, &mut expect)? {
            break;
        }
    }
    Ok((Eval { query, at, expect }, used))
}

/// Reads a line below an evaluation. True if nothing may follow it.
fn expectation(line: &str, expect: &mut Expect) -> Result<bool, String> {
    if let Some(text) = line.strip_prefix("expected_fail_message") {
        expect.fail = Some(Match::Text(text.trim().to_owned()));
        return Ok(true);
    }
    if let Some(text) = line.strip_prefix("expected_fail_regexp") {
        expect.fail = Some(Match::Pattern(Regex::new(text.trim()).map_err(|e| e.to_string())?));
        return Ok(true);
    }
    if let Some(times) = line.strip_prefix("expect range vector") {
        let parts = pattern(r"^\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$");
        let c = parts.captures(times).ok_or_else(|| format!("`{line}` is not a range"))?;
        let (start, end, step) = (duration(&c[1])?, duration(&c[2])?, duration(&c[3])?);
        expect.range_vector = Some(Times::Range { start, end, step });
        return Ok(false);
    }
    if let Some(text) = line.strip_prefix("expect string") {
        expect.string = Some(unquoted(text.trim()).ok_or_else(|| format!("`{line}` has no text"))?);
        return Ok(false);
    }
    if line.split(' ').next() == Some("expect") {
        let parts = pattern(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$");
        let c = parts.captures(line).ok_or_else(|| format!("`{line}` is not an expectation"))?;
        let matcher = match (c.get(2).map(|m| m.as_str()), c.get(3).map(|m| m.as_str().trim())) {
            (Some("msg"), Some(text)) => Match::Text(text.to_owned()),
            (Some("regex"), Some(text)) => Match::Pattern(Regex::new(text).map_err(|e| e.to_string())?),
            _ => Match::Any,
        };
        match &c[1] {
            "fail" => expect.fail = Some(matcher),
            "warn" => expect.warn.push(matcher),
            "info" => expect.info.push(matcher),
            "no_warn" => expect.no_warn = true,
            "no_info" => expect.no_info = true,
            _ => expect.ordered = true,
        }
        return Ok(false);
    }
    if let Some(v) = number(line) {
        expect.scalar = Some(v);
        return Ok(true);
    }
    expect.series.push(series(line)?);
    Ok(false)
}

fn duration(text: &str) -> Result<i64, String> {
    parse_duration(text).map_err(|e| e.to_string())
}

/// A number alone on a line, whole ones in any base.
fn number(text: &str) -> Option<f64> {
    let hex = text.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
    hex.map(|n| n as f64).or_else(|| text.parse().ok())
}

/// A text in quotes: `"…"` with escapes, or between backquotes as it is.
fn unquoted(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`') {
        return raw.strip_suffix('`').map(str::to_owned);
    }
    text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten()
}
