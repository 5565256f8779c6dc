//! Samples of one series from several places, made one.

use crate::base::sample::Column;
use crate::promql::source::SourceError;
use crate::tsdb::chunk;
use crate::tsdb::head::series::{Chunk, Data, Sample};

/// Samples of one series from several places, each rising, made one.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    /// Where the samples of each place end in the column.
    ends: Vec<usize>,
    sorted: Vec<(i64, f64)>,
}

impl Merge {
    /// Begins a series.
    pub(crate) fn begin(&mut self) {
        self.ends.clear();
    }

    /// Notes that all in `out` after what was there at the last call came from one place. Places come in the
    /// order in which their samples were written.
    pub(crate) fn part(&mut self, out: &Column) {
        if self.ends.last() != Some(&out.len()) && !out.is_empty() {
            self.ends.push(out.len());
        }
    }

    /// Makes `out` rise, each time once with the value written first, and within the time.
    pub(crate) fn finish(&mut self, out: &mut Column, start: i64, end: i64) {
        let rising = self.ends.iter().all(|at| *at >= out.len() || *at == 0 || out.t[*at - 1] < out.t[*at]);
        if !rising {
            self.sorted.clear();
            self.sorted.extend(out.iter());
            // Stable, so that of equal times the first written stays first; fast, because it is made of runs.
            self.sorted.sort_by_key(|s| s.0);
            self.sorted.dedup_by_key(|s| s.0);
            out.clear();
            self.sorted.iter().for_each(|(t, v)| out.push(*t, *v));
        }
        let to = out.t.partition_point(|t| *t <= end);
        out.t.truncate(to);
        out.v.truncate(to);
        let from = out.t.partition_point(|t| *t < start);
        if from > 0 {
            out.t.drain(..from);
            out.v.drain(..from);
        }
    }
}

/// Adds what a part of memory holds of a time.
pub(crate) fn read_data(
    data: &Data,
    start: i64,
    end: i64,
    merge: &mut Merge,
    out: &mut Column,
) -> Result<(), SourceError> {
    let chunks = |chunks: &[Chunk], out: &mut Column, merge: &mut Merge| {
        for chunk in chunks.iter().filter(|c| c.overlaps(start, end)) {
            chunk::decode(&chunk.bytes, out).map_err(|e| SourceError::Store(Box::new(e)))?;
            merge.part(out);
        }
        Ok(())
    };
    if let Some(sealed) = &data.sealed {
        chunks(sealed, out, merge)?;
    }
    let within = |s: &Sample| s.0 >= start && s.0 <= end;
    data.open.iter().filter(within).for_each(|(t, v)| out.push(t, v));
    merge.part(out);
    if let Some(late) = &data.late {
        chunks(&late.sealed, out, merge)?;
        raw(&late.recent, start, end, out);
        merge.part(out);
    }
    Ok(())
}

fn raw(samples: &[Sample], start: i64, end: i64, out: &mut Column) {
    let to = samples.partition_point(|s| s.0 <= end);
    let from = samples[..to].partition_point(|s| s.0 < start);
    samples[from..to].iter().for_each(|(t, v)| out.push(*t, *v));
}
