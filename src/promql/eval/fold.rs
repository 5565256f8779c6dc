//! How the rows of a group become one row. Values are added in the order of the series, with the same
//! operations as in Prometheus, so that results are the same to the last bit.

use std::sync::Arc;

use crate::promql::eval::meter::Meter;
use crate::promql::eval::rows::present;
use crate::promql::eval::scalar::Scalar;
use crate::promql::func::kahan;
use crate::promql::func::quantile::quantile;
use crate::promql::func::window::ABSENT;

/// Folds rows into groups.
pub(crate) trait Fold: Send {
    /// How many places of eight bytes it has per group and step, besides what [`take`](Self::take) adds.
    fn weight(&self) -> usize {
        1
    }

    /// Makes room for so many groups of so many steps.
    fn begin(&mut self, groups: usize, width: usize);

    /// Adds the row of a series to its group.
    fn take(&mut self, group: usize, row: &[f64]);

    /// How many samples it holds.
    fn held(&self) -> usize;

    /// The values of all groups, one row after the other.
    fn finish(self: Box<Self>) -> Vec<f64>;
}

/// `sum`
#[derive(Default)]
pub(crate) struct Sum {
    width: usize,
    /// The sum is absent before the first value.
    sums: Vec<kahan::Sum>,
}

const NOTHING: kahan::Sum = kahan::Sum { sum: ABSENT, lost: 0.0 };

impl Fold for Sum {
    fn weight(&self) -> usize {
        size_of::<kahan::Sum>() / 8
    }

    fn begin(&mut self, groups: usize, width: usize) {
        (self.width, self.sums) = (width, vec![NOTHING; groups * width]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        for (sum, v) in self.sums[group * self.width..].iter_mut().zip(row) {
            if !present(*v) {
                continue;
            }
            if present(sum.sum) {
                sum.add(*v);
            } else {
                sum.sum = *v;
            }
        }
    }

    fn held(&self) -> usize {
        self.sums.len()
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        self.sums.iter().map(|s| if present(s.sum) { s.sum + s.lost } else { ABSENT }).collect()
    }
}

/// `avg`: the sum by the count, or, once the sum would overflow, a mean that is corrected value by value.
#[derive(Default)]
pub(crate) struct Avg {
    width: usize,
    places: Vec<Mean>,
}

#[derive(Clone, Copy)]
struct Mean {
    /// Of the values, or their mean if `incremental`.
    sum: kahan::Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    fn add(&mut self, v: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = kahan::Sum { sum: v, lost: 0.0 };
            return;
        }
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(v);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.lost /= self.count - 1.0;
        }
        let before = (self.count - 1.0) / self.count;
        self.sum = kahan::Sum { sum: before * self.sum.sum, lost: before * self.sum.lost };
        self.sum.add(v / self.count);
    }

    fn value(&self) -> f64 {
        if self.count == 0.0 {
            ABSENT
        } else if self.incremental {
            self.sum.sum + self.sum.lost
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}

impl Fold for Avg {
    fn weight(&self) -> usize {
        size_of::<Mean>() / 8
    }

    fn begin(&mut self, groups: usize, width: usize) {
        let empty = Mean { sum: kahan::Sum::default(), count: 0.0, incremental: false };
        (self.width, self.places) = (width, vec![empty; groups * width]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        let places = self.places[group * self.width..].iter_mut().zip(row);
        places.filter(|(_, v)| present(**v)).for_each(|(place, v)| place.add(*v));
    }

    fn held(&self) -> usize {
        self.places.len()
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        self.places.iter().map(Mean::value).collect()
    }
}

/// `max`, and `min` if not `MAX`: NaN only if there is nothing else.
#[derive(Default)]
pub(crate) struct Extreme<const MAX: bool> {
    width: usize,
    values: Vec<f64>,
}

impl<const MAX: bool> Fold for Extreme<MAX> {
    fn begin(&mut self, groups: usize, width: usize) {
        (self.width, self.values) = (width, vec![ABSENT; groups * width]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        for (old, v) in self.values[group * self.width..].iter_mut().zip(row) {
            // What is absent is a NaN too.
            let beats = if MAX { *v > *old } else { *v < *old };
            if present(*v) && (beats || old.is_nan()) {
                *old = *v;
            }
        }
    }

    fn held(&self) -> usize {
        self.values.len()
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        self.values
    }
}

/// `count`, and `group`, which is 1 where there is anything.
pub(crate) struct Count {
    width: usize,
    values: Vec<f64>,
    more: f64,
}

impl Count {
    pub(crate) const fn counting() -> Self {
        Self { width: 0, values: Vec::new(), more: 1.0 }
    }

    pub(crate) const fn presence() -> Self {
        Self { width: 0, values: Vec::new(), more: 0.0 }
    }
}

impl Fold for Count {
    fn begin(&mut self, groups: usize, width: usize) {
        (self.width, self.values) = (width, vec![ABSENT; groups * width]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        let places = self.values[group * self.width..].iter_mut().zip(row);
        for (n, _) in places.filter(|(_, v)| present(**v)) {
            *n = if present(*n) { *n + self.more } else { 1.0 };
        }
    }

    fn held(&self) -> usize {
        self.values.len()
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        self.values
    }
}

/// `stdvar` and `stddev`, by Welford's method.
#[derive(Default)]
pub(crate) struct Variance {
    width: usize,
    places: Vec<Moments>,
    root: bool,
}

#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
}

impl Variance {
    pub(crate) fn deviation() -> Self {
        Self { root: true, ..Self::default() }
    }
}

impl Fold for Variance {
    fn weight(&self) -> usize {
        size_of::<Moments>() / 8
    }

    fn begin(&mut self, groups: usize, width: usize) {
        (self.width, self.places) = (width, vec![Moments::default(); groups * width]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        let places = self.places[group * self.width..].iter_mut().zip(row);
        for (m, v) in places.filter(|(_, v)| present(**v)) {
            m.count += 1.0;
            if m.count == 1.0 {
                m.mean = *v;
                m.squares = if v.is_finite() { 0.0 } else { f64::NAN };
                continue;
            }
            let delta = v - m.mean;
            m.mean += delta / m.count;
            m.squares += delta * (v - m.mean);
        }
    }

    fn held(&self) -> usize {
        self.places.len()
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        let value = |m: &Moments| match m.squares / m.count {
            _ if m.count == 0.0 => ABSENT,
            variance if self.root => variance.sqrt(),
            variance => variance,
        };
        self.places.iter().map(value).collect()
    }
}

/// `quantile`: all rows of a group are needed at once.
pub(crate) struct Quantile {
    q: Arc<Scalar>,
    threads: usize,
    meter: Arc<Meter>,
    width: usize,
    /// Rows of each group, one after the other.
    rows: Vec<Vec<f64>>,
    held: usize,
}

/// Fewer values than this are not worth a second thread.
const PARALLEL_VALUES: usize = 20_000;

impl Quantile {
    pub(crate) const fn new(q: Arc<Scalar>, threads: usize, meter: Arc<Meter>) -> Self {
        Self { q, threads, meter, width: 0, rows: Vec::new(), held: 0 }
    }

    /// Computes the steps of a group from `first` on, or not all of them if the query was cancelled.
    fn steps(&self, group: usize, first: usize, out: &mut [f64]) {
        // Some steps at a time, so that what a row has in one line of the cache is used at once.
        const TOGETHER: usize = 8;
        let rows = &self.rows[group];
        let mut columns: [Vec<f64>; TOGETHER] = std::array::from_fn(|_| Vec::with_capacity(rows.len() / self.width));
        for (block, places) in out.chunks_mut(TOGETHER).enumerate() {
            if self.meter.check().is_err() {
                return;
            }
            let from = first + block * TOGETHER;
            columns.iter_mut().for_each(Vec::clear);
            for row in rows.chunks_exact(self.width) {
                let values = columns.iter_mut().zip(&row[from..][..places.len()]);
                values.filter(|(_, v)| present(**v)).for_each(|(column, v)| column.push(*v));
            }
            for ((k, place), values) in (from..).zip(places).zip(&mut columns) {
                if !values.is_empty() {
                    *place = quantile(self.q.at(k), values);
                }
            }
        }
    }
}

impl Fold for Quantile {
    fn weight(&self) -> usize {
        0
    }

    fn begin(&mut self, groups: usize, width: usize) {
        (self.width, self.rows) = (width, vec![Vec::new(); groups]);
    }

    fn take(&mut self, group: usize, row: &[f64]) {
        self.rows[group].extend_from_slice(row);
        self.held += row.len();
    }

    fn held(&self) -> usize {
        self.held
    }

    fn finish(self: Box<Self>) -> Vec<f64> {
        let mut out = vec![ABSENT; self.rows.len() * self.width];
        let threads = if self.held >= PARALLEL_VALUES { self.threads } else { 1 };
        let chunk = self.width.div_ceil(threads).max(1);
        let this = &*self;
        // Each thread takes the same part of every group's steps.
        let mut parts: Vec<Vec<(usize, usize, &mut [f64])>> = (0..threads).map(|_| Vec::new()).collect();
        for (group, row) in out.chunks_mut(self.width.max(1)).enumerate() {
            for (part, (i, steps)) in parts.iter_mut().zip(row.chunks_mut(chunk).enumerate()) {
                part.push((group, i * chunk, steps));
            }
        }
        let run = |part: Vec<(usize, usize, &mut [f64])>| {
            part.into_iter().for_each(|(group, first, steps)| this.steps(group, first, steps));
        };
        std::thread::scope(|scope| {
            let mine = parts.pop();
            parts.into_iter().for_each(|part| {
                scope.spawn(|| run(part));
            });
            mine.into_iter().for_each(run);
        });
        out
    }
}
