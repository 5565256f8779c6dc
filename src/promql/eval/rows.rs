//! The value of a vector expression at all steps: one dense row of numbers per series.
//!
//! All rows lie in one buffer, a row has one place per step, and a place without a sample holds
//! [`ABSENT`]. No two series have the same labels.

use std::sync::Arc;

use ahash::AHashMap;

use crate::base::labels::Labels;
use crate::base::sample::is_stale;
use crate::promql::eval::meter::{Held, Meter};
use crate::promql::func::window::ABSENT;
use crate::promql::value::EvalError;

/// What Prometheus says when two series of a result would be the same.
pub(crate) const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// Whether a place has a sample.
#[inline]
pub(crate) const fn present(v: f64) -> bool {
    !is_stale(v)
}

/// A series of a vector.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Its labels.
    pub(crate) labels: Labels,
    /// Whether its name goes away at the end of the query; only with delayed name removal.
    pub(crate) unnamed: bool,
}

/// A vector at all steps.
#[derive(Debug)]
pub(crate) struct Rows {
    width: usize,
    heads: Vec<Head>,
    values: Vec<f64>,
    /// What these rows count for among what the query holds.
    held: Held,
}

impl Rows {
    /// A vector without series over so many steps.
    pub(crate) fn new(width: usize, meter: &Arc<Meter>) -> Self {
        Self { width, heads: Vec::new(), values: Vec::new(), held: meter.held() }
    }

    /// Series whose values are all still absent.
    ///
    /// # Errors
    /// They are more than the query may hold.
    pub(crate) fn absent(width: usize, heads: Vec<Head>, meter: &Arc<Meter>) -> Result<Self, EvalError> {
        let held = meter.take(width.saturating_mul(heads.len()))?;
        let values = vec![ABSENT; width * heads.len()];
        Ok(Self { width, heads, values, held })
    }

    /// How many series, those without samples included.
    pub(crate) const fn len(&self) -> usize {
        self.heads.len()
    }

    /// How many steps.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// The series.
    pub(crate) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The series, to be changed so that they stay different from each other.
    pub(crate) fn heads_mut(&mut self) -> &mut [Head] {
        &mut self.heads
    }

    /// The values of a series.
    pub(crate) fn row(&self, series: usize) -> &[f64] {
        &self.values[series * self.width..][..self.width]
    }

    /// The values of a series, to be changed.
    pub(crate) fn row_mut(&mut self, series: usize) -> &mut [f64] {
        &mut self.values[series * self.width..][..self.width]
    }

    /// All values, row after row, to be changed.
    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// Series with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Head, &[f64])> {
        self.heads.iter().enumerate().map(|(i, head)| (head, self.row(i)))
    }

    /// Adds a series without samples and gives its row.
    ///
    /// # Errors
    /// It is more than the query may hold, or the query was cancelled.
    pub(crate) fn add(&mut self, head: Head) -> Result<&mut [f64], EvalError> {
        self.take_row()?;
        let from = self.values.len();
        self.heads.push(head);
        self.values.resize(from + self.width, ABSENT);
        Ok(&mut self.values[from..])
    }

    /// Adds a series.
    ///
    /// # Errors
    /// It is more than the query may hold, or the query was cancelled.
    pub(crate) fn push(&mut self, head: Head, row: &[f64]) -> Result<(), EvalError> {
        debug_assert_eq!(row.len(), self.width, "one place per step");
        self.take_row()?;
        self.heads.push(head);
        self.values.extend_from_slice(row);
        Ok(())
    }

    fn take_row(&mut self) -> Result<(), EvalError> {
        self.held.meter().check()?;
        self.held.take(self.width)
    }

    /// How many places have a sample.
    pub(crate) fn samples(&self) -> usize {
        self.values.iter().filter(|v| present(**v)).count()
    }

    /// Lets the samples of these rows count as held until they are dropped.
    ///
    /// # Errors
    /// They are more than the query may hold.
    pub(crate) fn counted(mut self) -> Result<Self, EvalError> {
        let samples = self.samples();
        self.held.set(samples)?;
        Ok(self)
    }

    /// The same value at every one of `width` steps, where this has one.
    ///
    /// # Errors
    /// They are more than the query may hold.
    pub(crate) fn repeated(mut self, width: usize) -> Result<Self, EvalError> {
        if self.width == width {
            return Ok(self);
        }
        self.held.take(width.saturating_mul(self.values.len()))?;
        debug_assert_eq!(self.width, 1, "only what was evaluated once can be repeated");
        let values = self.values.iter().flat_map(|v| std::iter::repeat_n(*v, width)).collect();
        Ok(Self { width, heads: self.heads, values, held: self.held })
    }

    /// Makes the series different again after their labels changed: those that became the same are joined
    /// if no step has samples of two.
    ///
    /// # Errors
    /// A step has.
    pub(crate) fn joined(self) -> Result<Self, EvalError> {
        let Some(target) = self.collisions() else { return Ok(self) };
        let Self { width, heads, values, held } = self;
        let mut out = Self::new(width, held.meter());
        for ((head, row), to) in heads.into_iter().zip(values.chunks_exact(width)).zip(target) {
            if to == out.len() {
                out.push(head, row)?;
                continue;
            }
            for (place, v) in out.row_mut(to).iter_mut().zip(row).filter(|(_, v)| present(**v)) {
                if present(*place) {
                    return Err(EvalError::Execution(SAME_LABELS.to_owned()));
                }
                *place = *v;
            }
        }
        drop((values, held));
        out.counted()
    }

    /// For each series the place among the different ones of the first with the same labels; nothing when
    /// all are different.
    fn collisions(&self) -> Option<Vec<usize>> {
        let mut seen: AHashMap<&str, usize> = AHashMap::with_capacity(self.heads.len());
        let mut target = Vec::with_capacity(self.heads.len());
        for head in &self.heads {
            let next = seen.len();
            target.push(*seen.entry(head.labels.as_key()).or_insert(next));
        }
        (seen.len() < self.heads.len()).then_some(target)
    }

    /// Whether two series that have samples have the same labels.
    pub(crate) fn has_same_labels(&self) -> bool {
        let Some(target) = self.collisions() else { return false };
        let mut seen = vec![false; target.len()];
        target
            .iter()
            .enumerate()
            .filter(|(i, _)| self.row(*i).iter().any(|v| present(*v)))
            .any(|(_, &to)| std::mem::replace(&mut seen[to], true))
    }
}
