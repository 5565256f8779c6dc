//! The samples of Prometheus' text format or OpenMetrics, as a program prints them, and what it says of their metrics.
//! Times are left out: what a program prints is what it sees now.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::base::exposition::{Format, Line, Parser, is_free_name};
use crate::base::labels::{LabelsBuf, METRIC_NAME};
use crate::base::metadata::Kind;
use crate::base::outcome::Sample;
use crate::collect::judge::found;

/// What a text holds.
#[derive(Debug, Default)]
pub struct Printed<'t> {
    /// Its samples.
    pub samples: Vec<Sample>,
    /// What it says of their metrics.
    pub described: Described<'t>,
    /// Number of the first line that is not understood, and the reason.
    pub wrong: Option<(usize, String)>,
}

/// Descriptions by metric.
pub type Described<'t> = BTreeMap<&'t str, Said<'t>>;

/// What is said of one metric.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Said<'t> {
    /// Its type.
    pub kind: Kind,
    /// What it means.
    pub help: Cow<'t, str>,
    /// Its unit.
    pub unit: &'t str,
}

/// Reads all lines, with at most `most` samples and as many descriptions.
pub fn read(text: &str, most: usize) -> Printed<'_> {
    let mut parser = Parser::new(format(text));
    let mut labels = LabelsBuf::default();
    let mut samples = Vec::new();
    let mut known = HashSet::new();
    let mut wrong = None;
    let mut described = Described::new();
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
            Ok(Line::Type(name, kind)) => {
                if let Some(said) = said_of(&mut described, name, most) {
                    said.kind = kind;
                }
            }
            Ok(Line::Help(name, help)) => {
                if let Some(said) = said_of(&mut described, name, most) {
                    said.help = help;
                }
            }
            Ok(Line::Unit(name, unit)) => {
                if let Some(said) = said_of(&mut described, name, most) {
                    said.unit = unit;
                }
            }
            Ok(Line::End | Line::Nothing) => {}
            Err(why) => {
                wrong.get_or_insert_with(|| (i + 1, why.to_string()));
            }
        }
    }
    // Of a metric that it does not print it knows nothing: somebody else may.
    if !described.is_empty() {
        let names: HashSet<&str> = samples.iter().map(|sample| &*sample.name).collect();
        let has = |name: &str, end: &str| names.contains(format!("{name}{end}").as_str());
        described.retain(|name, said| names.contains(name) || said.kind.endings().iter().any(|end| has(name, end)));
    }
    Printed { samples, described, wrong }
}

/// Where to note what is said of a metric, while there is room.
fn said_of<'d, 't>(described: &'d mut Described<'t>, name: &'t str, most: usize) -> Option<&'d mut Said<'t>> {
    let is_wanted = is_free_name(name) && (described.len() < most || described.contains_key(name));
    is_wanted.then(|| described.entry(name).or_default())
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
    fn what_a_program_says_of_metrics_that_it_prints_is_kept() {
        let text = "# HELP a What it is.\n# TYPE a counter\na 1\n# TYPE probe_success gauge\nprobe_success 1\n# TYPE b gauge\nb 2\n";
        let got = read(text, 2).described;
        let a = Said { kind: Kind::Counter, help: "What it is.".into(), unit: "" };
        assert_eq!((got.get("a"), got.len(), got["b"].kind), (Some(&a), 2, Kind::Gauge));
        assert_eq!(read(text, 1).described.len(), 1);
        let open = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n";
        assert_eq!(read(open, 9).described["a_seconds"], Said { kind: Kind::Gauge, help: "".into(), unit: "seconds" });
    }

    #[test]
    fn what_a_program_says_of_metrics_that_it_does_not_print_is_not() {
        #[track_caller]
        fn check(text: &str, want: &[&str]) {
            assert_eq!(read(text, 9).described.into_keys().collect::<Vec<_>>(), want);
        }
        check("# HELP node_load1 LIE\n# TYPE node_load1 counter\nliar 1\n", &[]);
        check("b 1\n# HELP b B.\n", &["b"]);
        // Samples that have the metric's name and more.
        check("# TYPE jobs counter\njobs_total 1\n# EOF\n", &["jobs"]);
        check("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n# TYPE s summary\ns_count 1\n", &["h", "s"]);
        check("# TYPE a gauge\na_total 1\n# HELP b B.\nb_sum 1\n", &[]);
        // One that was refused is none.
        check("# TYPE a gauge\na{b=1} 2\n", &[]);
    }

    #[test]
    fn both_formats_are_read_and_the_first_mistake_is_told() {
        let Printed { samples, wrong, .. } = read("# TYPE a gauge\na{b=\"}\"} -1e3 170\nc +Inf\n", 10);
        assert_eq!(samples[0], Sample::new("a", -1000.0).label("b", "}"));
        assert_eq!((samples[1].value, wrong), (f64::INFINITY, None));
        let Printed { samples, wrong, .. } = read("# TYPE a counter\na_total 1 1.5\n# EOF\n", 10);
        assert_eq!((samples, wrong), (vec![Sample::new("a_total", 1.0)], None));
        let Printed { samples, wrong, .. } = read("a 1\nb{c=1} 2\nd 3\ne\n", 10);
        assert_eq!((samples.len(), wrong.map(|w| w.0)), (2, Some(2)));
        let Printed { samples, wrong, .. } = read("a 1\nprobe_success 1\nwatchdog_monitor_state{monitor=\"x\"} 1\n", 9);
        assert_eq!((samples.len(), wrong.map(|w| w.0)), (1, Some(2)));
        let Printed { samples, wrong, .. } = read("a{b=\"1\",c=\"2\"} 1\na{b=\"2\"} 1\na{c=\"2\",b=\"1\"} 2\n", 9);
        assert_eq!((samples.len(), wrong), (2, Some((3, "`a` with these labels comes twice".to_owned()))));
        let Printed { samples, wrong, .. } = read("a 1\nb 2\n", 1);
        assert_eq!((samples.len(), wrong), (1, Some((2, "more than 1 samples".to_owned()))));
    }
}
