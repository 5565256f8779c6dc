//! The evaluator itself over samples in memory.

use std::collections::BTreeMap;

use watchdog::base::labels::Labels;
use watchdog::base::sample::Column;
use watchdog::promql::eval::eval;
use watchdog::promql::parser::{Features, parse_query};
use watchdog::promql::source::{Reader, Resolution, Select, SeriesSet, Source, SourceError};
use watchdog::promql::value::{Cancel, Limits, Notes, Query, Times, Value};

use super::backend::{Backend, Samples};

/// Series in memory.
#[derive(Debug)]
pub struct Memory {
    series: BTreeMap<Labels, BTreeMap<i64, f64>>,
    /// Whether names stay until the end of a query.
    delayed: bool,
    /// How many threads evaluate.
    threads: usize,
}

impl Memory {
    pub fn new(delayed: bool, threads: usize) -> Self {
        Self { series: BTreeMap::new(), delayed, threads }
    }
}

struct Found(Vec<(Labels, Column)>);

impl Source for Memory {
    fn select<'a>(&'a self, select: &Select<'_>) -> Result<Box<dyn SeriesSet + 'a>, SourceError> {
        let wanted = |l: &Labels| select.matchers.iter().all(|m| m.matches(l.get(m.name()).unwrap_or_default()));
        let mut found = Vec::new();
        for (labels, samples) in self.series.iter().filter(|(l, _)| wanted(l)) {
            let mut column = Column::default();
            if select.start <= select.end {
                samples.range(select.start..=select.end).for_each(|(t, v)| column.push(*t, *v));
            }
            if !column.is_empty() {
                found.push((labels.clone(), column));
            }
        }
        if found.len() > select.max_series {
            return Err(SourceError::TooManySeries { limit: select.max_series });
        }
        Ok(Box::new(Found(found)))
    }
}

impl SeriesSet for Found {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, series: usize) -> Labels {
        self.0[series].0.clone()
    }

    fn resolution(&self) -> Resolution {
        Resolution::Raw
    }

    fn reader<'a>(&'a self) -> Box<dyn Reader + 'a> {
        Box::new(self)
    }
}

impl Reader for &Found {
    fn read(&mut self, series: usize, out: &mut Column) -> Result<(), SourceError> {
        out.clone_from(&self.0[series].1);
        Ok(())
    }
}

impl Backend for Memory {
    fn clear(&mut self) {
        self.series.clear();
    }

    fn load(&mut self, series: &[Samples]) {
        for (labels, samples) in series {
            // The first value of a time stays, as in a store.
            let all = self.series.entry(labels.clone()).or_default();
            samples.iter().for_each(|(t, v)| _ = all.entry(*t).or_insert(*v));
        }
    }

    fn query(&mut self, text: &str, at: Times) -> Result<(Value, Notes), String> {
        let expr = parse_query(text, Features::all()).map_err(|e| e.to_string())?;
        let query = Query {
            expr: &expr,
            text,
            at,
            lookback: 300_000,
            default_step: 60_000,
            resolution: None,
            delayed_name_removal: self.delayed,
        };
        let limits =
            Limits { max_samples: 1_000_000, max_series: 10_000, threads: self.threads, cancel: Cancel::default() };
        let answer = eval(&query, self, &limits).map_err(|e| e.to_string())?;
        Ok((answer.value, answer.notes))
    }
}
