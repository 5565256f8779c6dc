//! The samples of Prometheus' text format or OpenMetrics, as a program prints them. Times are left out: what a
//! program prints is what it sees now.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::base::exposition::{Format, Line, Parser, is_free_name};
use crate::base::labels::{LabelsBuf, METRIC_NAME};
use crate::base::metadata::Meta;
use crate::base::outcome::Sample;
use crate::collect::judge::found;

/// Reads all lines; the first that is not understood is told with its number and the reason.
pub fn read(text: &str, most: usize) -> (Vec<Sample>, Option<(usize, String)>) {
    let mut parser = Parser::new(format(text));
    let mut labels = LabelsBuf::default();
    let mut samples = Vec::new();
    let mut known = HashSet::new();
    let mut wrong = None;
    for (i, line) in text.lines().enumerate() {
        match parser.line(line, &mut labels) {
            Ok(Line::Sample(..)) if samples.len() >= most => {
                wrong.get_or_insert_with(|| (i + 1, format!("more than {most} samples")));
                break;
            }
            Ok(Line::Sample(value, _)) => {
                let sample = sample(&labels, value);
                let name = &sample.name;
                if !is_free_name(name) {
                    let why = || format!("`{}` is no name that a program may give a metric", found(name));
                    wrong.get_or_insert_with(|| (i + 1, why()));
                } else if !known.insert(labels.labels()) {
                    // The store would keep one of them, silently.
                    wrong.get_or_insert_with(|| (i + 1, format!("`{}` with these labels comes twice", found(name))));
                } else {
                    samples.push(sample);
                }
            }
            Ok(Line::Type(..) | Line::Help(..) | Line::Unit(..) | Line::End | Line::Nothing) => {}
            Err(why) => {
                wrong.get_or_insert_with(|| (i + 1, why.to_string()));
            }
        }
    }
    (samples, wrong)
}

/// What the text says of its metrics: type, help, unit. What is not understood, [`read`] tells.
pub fn described(text: &str, most: usize) -> Vec<(String, Meta)> {
    let mut parser = Parser::new(format(text));
    let mut labels = LabelsBuf::default();
    let mut found: BTreeMap<String, Meta> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let mut of = |name: &str, change: &dyn Fn(&mut Meta)| {
            if is_free_name(name) && (found.len() < most || found.contains_key(name)) {
                change(found.entry(name.to_owned()).or_default());
            }
        };
        match parser.line(line, &mut labels) {
            Ok(Line::Type(name, kind)) => of(name, &|meta| meta.kind = kind),
            Ok(Line::Help(name, help)) => of(name, &|meta| meta.help = help.clone().into_owned()),
            Ok(Line::Unit(name, unit)) => of(name, &|meta| unit.clone_into(&mut meta.unit)),
            Ok(Line::Sample(..) | Line::End | Line::Nothing) | Err(_) => {}
        }
    }
    found.into_iter().collect()
}

/// Only OpenMetrics ends with a mark of its end.
fn format(text: &str) -> Format {
    if text.trim_end().lines().next_back() == Some("# EOF") { Format::OpenMetrics } else { Format::Text }
}

fn sample(labels: &LabelsBuf, value: f64) -> Sample {
    let mut sample = Sample { name: Cow::Borrowed(""), labels: Vec::new(), value };
    for (name, own) in labels.iter() {
        match name {
            METRIC_NAME => sample.name = Cow::Owned(own.to_owned()),
            label => sample.labels.push((Cow::Owned(label.to_owned()), own.to_owned().into())),
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::metadata::Kind;

    #[test]
    fn what_a_program_says_of_its_metrics_is_kept() {
        let text = "# HELP a What it is.\n# TYPE a counter\na 1\n# TYPE probe_success gauge\n# TYPE b\n# HELP c C.\n";
        let got = described(text, 2);
        let a = Meta { kind: Kind::Counter, help: "What it is.".to_owned(), unit: String::new() };
        assert_eq!(got[0], ("a".to_owned(), a));
        assert_eq!((got.len(), got[1].1.kind), (2, Kind::Unknown));
        assert_eq!(described(text, 1).len(), 1);
        let open = described("# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n", 9);
        assert_eq!((open[0].1.kind, open[0].1.unit.as_str()), (Kind::Gauge, "seconds"));
    }

    #[test]
    fn both_formats_are_read_and_the_first_mistake_is_told() {
        let (samples, wrong) = read("# TYPE a gauge\na{b=\"}\"} -1e3 170\nc +Inf\n", 10);
        assert_eq!(samples[0], Sample::new("a", -1000.0).label("b", "}"));
        assert_eq!((samples[1].value, wrong), (f64::INFINITY, None));
        let (samples, wrong) = read("# TYPE a counter\na_total 1 1.5\n# EOF\n", 10);
        assert_eq!((samples, wrong), (vec![Sample::new("a_total", 1.0)], None));
        let (samples, wrong) = read("a 1\nb{c=1} 2\nd 3\ne\n", 10);
        assert_eq!((samples.len(), wrong.map(|w| w.0)), (2, Some(2)));
        let (samples, wrong) = read("a 1\nprobe_success 1\nwatchdog_monitor_state{monitor=\"x\"} 1\n", 9);
        assert_eq!((samples.len(), wrong.map(|w| w.0)), (1, Some(2)));
        let (samples, wrong) = read("a{b=\"1\",c=\"2\"} 1\na{b=\"2\"} 1\na{c=\"2\",b=\"1\"} 2\n", 9);
        assert_eq!((samples.len(), wrong), (2, Some((3, "`a` with these labels comes twice".to_owned()))));
        let (samples, wrong) = read("a 1\nb 2\n", 1);
        assert_eq!((samples.len(), wrong), (1, Some((2, "more than 1 samples".to_owned()))));
    }
}
