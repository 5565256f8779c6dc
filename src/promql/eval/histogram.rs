//! Functions of classic histograms: series per bucket are gathered by their other labels.

use ahash::{AHashMap, AHashSet};

use crate::base::labels::{Labels, LabelsBuf};
use crate::promql::eval::call::{argument, text};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::meter::Meter;
use crate::promql::eval::names;
use crate::promql::eval::plan::{Call, Node};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::scalar::Scalar;
use crate::promql::eval::stream::Stream;
use crate::promql::func::Func;
use crate::promql::func::histogram::{self, Bucket};
use crate::promql::func::notes::{self, ForcedMonotonicity, MOST_NOTES, NoteSink};
use crate::promql::func::window::{ABSENT, Grid};
use crate::promql::value::EvalError;

/// The label that holds a bucket's upper bound.
const BUCKET: &str = "le";

/// The buckets of one histogram: upper bounds, and the rows with the counts.
struct Histogram {
    head: Head,
    /// Metric's name, for notes; empty where names are dropped.
    name: String,
    buckets: Vec<(f64, usize)>,
}

impl<'a> Evaluator<'a> {
    /// The value of `histogram_quantile`, `histogram_quantiles` or `histogram_fraction`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn histogram(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let out = match call.func {
            Func::HistogramFraction => {
                let (lower, upper) = (self.argument(call, 0, grid)?, self.argument(call, 1, grid)?);
                let (rows, histograms) = self.histograms(argument(call, 2)?, grid)?;
                let mut out = Rows::new(grid.count, &self.meter);
                for h in &histograms {
                    h.evaluate(&rows, out.add(h.head.clone())?, &self.meter, |k, buckets| {
                        histogram::fraction(lower.at(k), upper.at(k), buckets)
                    })?;
                }
                out
            }
            Func::HistogramQuantiles => {
                let label = text(call, 1)?;
                let mut out = Rows::new(grid.count, &self.meter);
                let qs = (2..call.args.len()).map(|i| self.argument(call, i, grid)).collect::<Result<Vec<_>, _>>()?;
                let (rows, histograms) = self.histograms(argument(call, 0)?, grid)?;
                for (i, q) in qs.iter().enumerate() {
                    self.check_quantile_argument(call, i + 2, q)?;
                    for h in &histograms {
                        let row = self.quantiles_of(h, &rows, q, argument(call, 1)?, grid)?;
                        labelled(&mut out, &h.head, label, q, &row)?;
                    }
                }
                out
            }
            _ => {
                let q = self.argument(call, 0, grid)?;
                let (rows, histograms) = self.histograms(argument(call, 1)?, grid)?;
                self.check_quantile_argument(call, 0, &q)?;
                let mut out = Rows::new(grid.count, &self.meter);
                for h in &histograms {
                    let row = self.quantiles_of(h, &rows, &q, argument(call, 1)?, grid)?;
                    out.push(h.head.clone(), &row)?;
                }
                out
            }
        };
        // Histograms of different names may have become the same.
        Ok(Stream::of(out.joined()?.counted()?))
    }

    /// Notes what is no quantile: after the notes of the other arguments, as Prometheus does.
    fn check_quantile_argument(&mut self, call: &'a Call<'a>, i: usize, q: &Scalar) -> Result<(), EvalError> {
        let mut book = self.book.at(argument(call, i)?.span);
        // The parameter may be another one at each step.
        let mut seen: AHashSet<u64> = AHashSet::new();
        for q in q.values().iter().filter(|q| !notes::is_quantile(**q)) {
            if seen.len() <= MOST_NOTES && seen.insert(q.to_bits()) {
                book.note(notes::invalid_quantile(*q));
            }
        }
        Ok(())
    }

    fn quantiles_of(
        &mut self,
        h: &Histogram,
        rows: &Rows,
        q: &Scalar,
        at: &Node<'_>,
        grid: Grid,
    ) -> Result<Vec<f64>, EvalError> {
        let mut row = vec![ABSENT; grid.count];
        let mut forced: Option<ForcedMonotonicity> = None;
        h.evaluate(rows, &mut row, &self.meter, |k, buckets| {
            let (value, fixed) = histogram::quantile(q.at(k), buckets);
            if let Some(fixed) = fixed {
                let this = ForcedMonotonicity::new(fixed, grid.at(k));
                forced = Some(forced.map_or(this, |f| f.merge(this)));
            }
            value
        })?;
        if let Some(forced) = forced {
            self.book.forced(at.span, &h.name, forced);
        }
        Ok(row)
    }

    /// Gathers series into histograms.
    fn histograms(&mut self, node: &'a Node<'a>, grid: Grid) -> Result<(Rows, Vec<Histogram>), EvalError> {
        let rows = self.rows(node, grid)?;
        let delayed = self.delayed;
        let mut book = self.book.at(node.span);
        let mut places: AHashMap<Labels, usize> = AHashMap::new();
        let mut found: Vec<Histogram> = Vec::new();
        let mut buf = LabelsBuf::default();
        for (i, (head, row)) in rows.iter().enumerate() {
            self.meter.check()?;
            if !row.iter().any(|v| present(*v)) {
                continue;
            }
            let name = if delayed { head.labels.metric_name() } else { "" };
            let le = head.labels.get(BUCKET).unwrap_or_default();
            let Some(upper) = histogram::parse_le(le) else {
                book.note(notes::bad_bucket_label(le, head.labels.metric_name()));
                continue;
            };
            buf.clear();
            head.labels.iter().filter(|(k, _)| *k != BUCKET).for_each(|(k, v)| buf.push(k, v));
            // The name tells histograms apart even where the result will not have it.
            let place = match places.get(buf.as_key()) {
                Some(place) => *place,
                None => {
                    let labels = buf.labels();
                    places.insert(labels.clone(), found.len());
                    let labels = if delayed { labels } else { names::without_name(&labels) };
                    let head = Head { labels, unnamed: delayed };
                    found.push(Histogram { head, name: name.to_owned(), buckets: Vec::new() });
                    found.len() - 1
                }
            };
            found[place].buckets.push((upper, i));
        }
        Ok((rows, found))
    }
}

impl Histogram {
    /// Computes a value from the buckets of each step that has any.
    ///
    /// # Errors
    /// The query was cancelled.
    fn evaluate(
        &self,
        rows: &Rows,
        out: &mut [f64],
        meter: &Meter,
        mut f: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
    ) -> Result<(), EvalError> {
        let mut buckets = Vec::with_capacity(self.buckets.len());
        for (k, place) in out.iter_mut().enumerate() {
            if k % 64 == 0 {
                meter.check()?;
            }
            buckets.clear();
            let counts = self.buckets.iter().map(|(upper, i)| Bucket { upper: *upper, count: rows.row(*i)[k] });
            buckets.extend(counts.filter(|b| present(b.count)));
            if !buckets.is_empty() {
                *place = f(k, &mut buckets);
            }
        }
        Ok(())
    }
}

/// Adds a row under the label of its quantile, which may be another one at each step.
///
/// # Errors
/// See [`Rows::add`].
fn labelled(out: &mut Rows, head: &Head, label: &str, q: &Scalar, row: &[f64]) -> Result<(), EvalError> {
    let mut places: AHashMap<u64, usize> = AHashMap::new();
    for (k, v) in row.iter().enumerate().filter(|(_, v)| present(**v)) {
        let q = q.at(k);
        let place = match places.get(&q.to_bits()) {
            Some(place) => *place,
            None => {
                let mut labels = head.labels.to_buf();
                labels.set(label, &open_metrics_float(q));
                out.add(Head { labels: labels.labels(), unnamed: head.unnamed })?;
                places.insert(q.to_bits(), out.len() - 1);
                out.len() - 1
            }
        };
        out.row_mut(place)[k] = *v;
    }
    Ok(())
}

/// OpenMetrics' canonical form: a number that looks whole gets `.0`.
fn open_metrics_float(v: f64) -> String {
    let text = notes::go_float(v);
    if v.is_finite() && !text.contains(['e', '.']) { text + ".0" } else { text }
}
