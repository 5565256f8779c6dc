//! The metrics that the server has: to browse through, and to tell what a query would read.

use std::time::Duration;

use crate::base::labels::METRIC_NAME;
use crate::base::matcher::MatchOp;
use crate::promql::ast::{Expr, ExprKind, VectorSelector};
use crate::tui::action::{Failed, Request};
use crate::tui::state::explore::{Explore, QueryBox};
use crate::tui::state::filter::contains;

/// The catalog is asked for again after this.
const FRESH: Duration = Duration::from_secs(60);
/// Longest text to search for.
const FILTER_CHARS: usize = 60;

/// A metric. Untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Its name.
    pub(crate) name: String,
    /// `counter`, `gauge` …; empty when nobody told.
    pub(crate) kind: String,
    /// What it is.
    pub(crate) help: String,
    /// In which unit.
    pub(crate) unit: String,
    /// Its series in memory, when they were counted.
    pub(crate) series: Option<u64>,
}

/// All that are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// By name.
    pub(crate) metrics: Vec<Metric>,
    /// Why there are none.
    pub(crate) error: Option<String>,
    /// Whether an answer is awaited.
    pub(crate) waiting: bool,
    asked: Option<Duration>,
    wanted: bool,
}

/// The list of metrics over the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Browser {
    /// What is searched for.
    pub(crate) filter: String,
    /// The marked row of those that fit.
    pub(crate) at: usize,
    /// First one shown.
    pub(crate) top: usize,
}

impl Browser {
    /// Enters text behind what is searched for.
    pub(crate) fn push(&mut self, text: &str) {
        let room = FILTER_CHARS.saturating_sub(self.filter.chars().count());
        self.filter.extend(text.chars().filter(|c| !c.is_control()).take(room));
        (self.at, self.top) = (0, 0);
    }

    /// Deletes the last character, the last word, or everything.
    pub(crate) fn erase(&mut self, word: bool, all: bool) {
        if all {
            self.filter.clear();
        } else if word {
            let kept = self.filter.trim_end().rfind(' ').map_or(0, |i| i + 1);
            self.filter.truncate(kept);
        } else {
            self.filter.pop();
        }
        (self.at, self.top) = (0, 0);
    }
}

impl Catalog {
    /// Lets it be asked for, unless it is fresh.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// What has to be asked for.
    pub(crate) fn request(&mut self, steady: Duration) -> Option<Request> {
        if !std::mem::take(&mut self.wanted) || self.waiting {
            return None;
        }
        if self.asked.is_some_and(|at| steady.saturating_sub(at) < FRESH) {
            return None;
        }
        (self.asked, self.waiting) = (Some(steady), true);
        Some(Request::Metrics)
    }

    /// Takes in an answer. What was known stays when there is none.
    pub(crate) fn take(&mut self, metrics: Result<Vec<Metric>, Failed>) {
        self.waiting = false;
        match metrics {
            Ok(mut metrics) => {
                metrics.sort_by(|a, b| a.name.cmp(&b.name));
                (self.metrics, self.error) = (metrics, None);
            }
            Err(failed) => (self.error, self.asked) = (Some(failed.message), None),
        }
    }

    /// Forgets that it was asked for.
    pub(crate) fn forget_request(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.asked = None;
        }
    }

    /// A metric by name.
    pub(crate) fn find(&self, name: &str) -> Option<&Metric> {
        self.metrics.binary_search_by(|m| m.name.as_str().cmp(name)).ok().and_then(|i| self.metrics.get(i))
    }

    /// The metrics that have all words of `filter` in name, help or type: first those whose name begins with it.
    pub(crate) fn fitting(&self, filter: &str) -> Vec<&Metric> {
        let filter = filter.trim().to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        let has = |m: &Metric, w: &str| contains(&m.name, w) || contains(&m.help, w) || contains(&m.kind, w);
        let all = self.metrics.iter().filter(|m| words.iter().all(|w| has(m, w)));
        let begins = |m: &Metric| m.name.get(..filter.len()).is_some_and(|head| head.eq_ignore_ascii_case(&filter));
        let (mut first, rest): (Vec<_>, Vec<_>) = all.partition(|m| begins(m));
        first.extend(rest);
        first
    }
}

/// The names of the metrics that a query reads, once each; `None` when one of its selectors names none.
pub(crate) fn metrics_of(expr: &Expr) -> Option<Vec<String>> {
    let mut names = Vec::new();
    gather(expr, &mut names)?;
    names.sort_unstable();
    names.dedup();
    Some(names)
}

fn gather(expr: &Expr, names: &mut Vec<String>) -> Option<()> {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => Some(()),
        ExprKind::Vector(selector) => name_of(selector).map(|name| names.push(name)),
        ExprKind::Matrix(matrix) => name_of(&matrix.selector).map(|name| names.push(name)),
        ExprKind::Subquery(subquery) => gather(&subquery.expr, names),
        ExprKind::Call(call) => call.args.iter().try_for_each(|arg| gather(arg, names)),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.as_deref().map_or(Some(()), |param| gather(param, names))?;
            gather(&aggregate.expr, names)
        }
        ExprKind::Binary(binary) => {
            gather(&binary.lhs, names)?;
            gather(&binary.rhs, names)
        }
        ExprKind::Unary(unary) => gather(&unary.expr, names),
        ExprKind::Paren(inner) => gather(inner, names),
    }
}

fn name_of(selector: &VectorSelector) -> Option<String> {
    let named = selector.matchers.iter().find(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal);
    named.map(|m| m.value().to_owned())
}

/// What a query would look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preview {
    /// Series in memory of the metrics it names: its other matchers leave fewer.
    pub(crate) series: u64,
    /// Times at which it is evaluated.
    pub(crate) steps: u64,
}

impl Explore {
    /// What running a query that was not yet run would look at, when that can be told without asking.
    pub(crate) fn preview(&self, query: &QueryBox) -> Option<Preview> {
        if query.problem.is_some() || query.is_blank() || query.editor.text().trim() == query.asked {
            return None;
        }
        let counts = query.reads.as_ref()?.iter().map(|name| self.catalog.find(name).and_then(|m| m.series));
        let series = counts.sum::<Option<u64>>()?;
        let step = u64::try_from(self.step()).unwrap_or(1).max(1);
        let span = u64::try_from(self.range.span.as_millis()).unwrap_or(u64::MAX);
        (series > 0).then_some(Preview { series, steps: span / step + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{Features, parse};

    #[test]
    fn a_query_names_the_metrics_it_reads_or_not_all_of_them() {
        #[track_caller]
        fn check(query: &str, want: Option<&[&str]>) {
            let found = metrics_of(&parse(query, Features::all()).expr.unwrap());
            assert_eq!(
                found.as_deref(),
                want.map(|w| w.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).as_deref()
            );
        }
        check("up", Some(&["up"]));
        check(r#"{__name__="up"} + rate(b[5m]) + up"#, Some(&["b", "up"]));
        check("topk(scalar(n), -(max_over_time(sum by (x) (a)[1h:1m])))", Some(&["a", "n"]));
        check("1 + vector(2)", Some(&[]));
        check(r#"up + {__name__=~"a.*"}"#, None);
        check(r#"{job="x"}"#, None);
    }

    #[test]
    fn what_begins_so_comes_first_and_help_is_searched_too() {
        let metric = |name: &str, help: &str| Metric { name: name.into(), help: help.into(), ..Metric::default() };
        let mut catalog = Catalog::default();
        catalog.take(Ok(vec![metric("http_up", ""), metric("up", "Whether it answers."), metric("down", "Not UP.")]));
        let names = |filter: &str| catalog.fitting(filter).iter().map(|m| m.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(""), ["down", "http_up", "up"]);
        assert_eq!(names(" Up"), ["up", "down", "http_up"]);
        assert_eq!(names("up http"), ["http_up"]);
        assert_eq!(names("é"), [""; 0]);
        catalog.take(Err(Failed { message: "no".into() }));
        assert_eq!(catalog.metrics.len(), 3, "what was known stays");
    }
}
