//! What the store says of itself, for `/metrics` and for people.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::labels::METRIC_NAME;
use crate::promql::source::Resolution;
use crate::promql::value::Cancel;
use crate::tsdb::batch::Appended;
use crate::tsdb::db::Tsdb;
use crate::tsdb::fs::Space;
use crate::tsdb::wal::replay::Damage;
use crate::tsdb::wal::sync::Fsyncs;

/// Numbers of the store. Counters are since the start.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Series in memory.
    pub series: u64,
    /// Samples taken into memory since the last flush began.
    pub fresh_samples: u64,
    /// Time of the newest sample that was taken in.
    pub newest: Option<i64>,
    /// What became of samples.
    pub appended: Appended,
    /// Appends refused because the disk is full.
    pub disk_full: u64,
    /// Appends that failed otherwise.
    pub failed: u64,
    /// Bytes of the write-ahead log's segments.
    pub wal_bytes: u64,
    /// Segments of the write-ahead log.
    pub wal_segments: u64,
    /// Bytes ever written to it.
    pub wal_written: u64,
    /// Bytes of the log of series.
    pub series_log_bytes: u64,
    /// Definitions in the log of series.
    pub series_log_definitions: u64,
    /// How fsyncs went.
    pub fsyncs: Fsyncs,
    /// Flushes of memory into blocks.
    pub flushes: u64,
    /// Merges of blocks.
    pub merges: u64,
    /// Roll-ups computed.
    pub rollups: u64,
    /// Blocks removed because of age or size.
    pub retired: u64,
    /// Parts of blocks that upkeep found damaged.
    pub damaged: u64,
    /// Blocks that could not be opened, in words.
    pub lost_blocks: Vec<String>,
    /// What the start found damaged in the logs.
    pub recovered: Damage,
    /// Blocks by resolution.
    pub blocks: [(Resolution, BlockStats); 3],
    /// Deletions that blocks still hold samples of.
    pub tombstones: u64,
    /// Bytes of decoded indexes of blocks in memory.
    pub index_cache_bytes: u64,
    /// Room on the disk, if it can be told.
    pub space: Option<Space>,
}

/// Blocks of one resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockStats {
    /// How many.
    pub blocks: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Of these, index.
    pub index_bytes: u64,
    /// Samples, or buckets of roll-ups.
    pub samples: u64,
    /// Time of the first.
    pub min_time: Option<i64>,
    /// Time of the last.
    pub max_time: Option<i64>,
}

/// What the series in memory are, for those who look for the label that has too many values.
#[derive(Clone, Debug, Default)]
pub struct Cardinality {
    /// Series.
    pub series: u64,
    /// Distinct pairs of label and value.
    pub label_pairs: u64,
    /// Compressed chunks and open buffers.
    pub chunks: u64,
    /// Time of the oldest sample in memory.
    pub min_time: Option<i64>,
    /// Time of the newest sample in memory.
    pub max_time: Option<i64>,
    /// Metrics with the most series.
    pub series_by_metric: Vec<(Box<str>, u64)>,
    /// Labels with the most values.
    pub values_by_label: Vec<(Box<str>, u64)>,
    /// Labels whose values take the most bytes.
    pub bytes_by_label: Vec<(Box<str>, u64)>,
    /// Pairs, as `label=value`, with the most series.
    pub series_by_pair: Vec<(Box<str>, u64)>,
}

impl Tsdb {
    /// Numbers of the store; cheap.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let c = &shared.counters;
        let writer = shared.writer();
        let (wal_bytes, wal_segments) = (writer.wal.bytes(), writer.wal.segments() as u64);
        let (wal_written, log) = (writer.wal.written(), (writer.log.bytes(), writer.log.definitions()));
        drop(writer);
        let head = shared.head();
        let (series, fresh_samples, newest) = (head.len() as u64, head.fresh, head.newest);
        drop(head);
        let catalog = shared.catalog();
        let blocks = [Resolution::Raw, Resolution::FiveMinutes, Resolution::Hour].map(|resolution| {
            let mut sum = BlockStats::default();
            for stats in catalog.of(resolution).map(|b| b.stats()) {
                sum.blocks += 1;
                sum.bytes += stats.bytes;
                sum.index_bytes += stats.index_bytes;
                sum.samples += stats.samples;
                if stats.samples > 0 {
                    sum.min_time = Some(sum.min_time.map_or(stats.min_time, |t| t.min(stats.min_time)));
                    sum.max_time = sum.max_time.max(Some(stats.max_time));
                }
            }
            (resolution, sum)
        });
        Stats {
            series,
            fresh_samples,
            newest,
            appended: Appended {
                stored: c.stored.load(Relaxed),
                out_of_order: c.out_of_order.load(Relaxed),
                duplicates: c.duplicates.load(Relaxed),
                too_old: c.too_old.load(Relaxed),
                over_limit: c.over_limit.load(Relaxed),
            },
            disk_full: c.disk_full.load(Relaxed),
            failed: c.failed.load(Relaxed),
            wal_bytes,
            wal_segments,
            wal_written,
            series_log_bytes: log.0,
            series_log_definitions: log.1,
            fsyncs: shared.syncer.fsyncs(),
            flushes: c.flushes.load(Relaxed),
            merges: c.merges.load(Relaxed),
            rollups: c.rollups.load(Relaxed),
            retired: c.retired.load(Relaxed),
            damaged: c.damaged.load(Relaxed),
            lost_blocks: catalog.lost.clone(),
            recovered: shared.damage.clone(),
            blocks,
            tombstones: shared.tombstones().len() as u64,
            index_cache_bytes: shared.cache.bytes() as u64,
            space: shared.fs.space(&shared.dir).ok(),
        }
    }

    /// How fsyncs of the log went. Waits for nobody, not even for a disk that stalls.
    pub fn fsyncs(&self) -> Fsyncs {
        self.shared().syncer.fsyncs()
    }

    /// What the series in memory are, with the `most` greatest of each kind. Goes through all of them, and ends
    /// early, with what was counted, when it is cancelled.
    pub fn cardinality(&self, most: usize, cancel: &Cancel) -> Cardinality {
        let shared = self.shared();
        let head = shared.head();
        let mut all = Cardinality { series: head.len() as u64, ..Cardinality::default() };
        for series in head.slots().take_while(|_| !cancel.cancelled()).filter_map(|slot| head.get(slot)) {
            for data in series.frozen.as_deref().into_iter().chain([&series.live]) {
                all.chunks += data.chunks().count() as u64 + u64::from(!data.open.is_empty());
                all.max_time = all.max_time.max(data.newest());
                all.min_time = [all.min_time, data.oldest()].into_iter().flatten().min();
            }
        }
        let postings = head.postings();
        let mut pairs: Vec<(&str, &str, u64)> = Vec::new();
        for (name, values, bytes) in postings.cardinality().take_while(|_| !cancel.cancelled()) {
            all.label_pairs += values as u64;
            all.values_by_label.push((name.into(), values as u64));
            all.bytes_by_label.push((name.into(), bytes as u64));
            for (value, series) in postings.values_of(name).take_while(|_| !cancel.cancelled()) {
                if name == METRIC_NAME {
                    all.series_by_metric.push((value.into(), series as u64));
                }
                pairs.push((name, value, series as u64));
            }
            // Never more than needed: a label may have a million values.
            pairs.sort_unstable_by(|a, b| b.2.cmp(&a.2).then(a.cmp(b)));
            pairs.truncate(most);
        }
        all.series_by_pair = pairs.iter().map(|(n, v, series)| (format!("{n}={v}").into(), *series)).collect();
        drop(head);
        for list in [&mut all.series_by_metric, &mut all.values_by_label, &mut all.bytes_by_label] {
            list.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list.truncate(most);
        }
        all
    }
}
