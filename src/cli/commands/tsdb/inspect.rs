//! `watchdog tsdb inspect`.

use clap::Args;
use serde::Serialize;

use crate::cli::commands::tsdb::{Place, size, when};
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done};
use crate::promql::source::Resolution;
use crate::tsdb::block::Used;
use crate::tsdb::chunk::Encoding;
use crate::tsdb::inspect::{self, BlockFile, Inspection, Segment};

/// Arguments of `tsdb inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    segments: Vec<SegmentLine>,
    series_definitions: Option<u64>,
    blocks: Vec<BlockLine>,
    deletions: usize,
    quarantine: usize,
    samples: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct SegmentLine {
    number: u64,
    records: u64,
    samples: u64,
    bytes: u64,
    min_time: Option<i64>,
    max_time: Option<i64>,
    damaged: bool,
}

#[derive(Serialize)]
struct BlockLine {
    file: String,
    resolution: Option<&'static str>,
    min_time: Option<i64>,
    max_time: Option<i64>,
    series: u64,
    samples: u64,
    chunks: u64,
    bytes: u64,
    index_bytes: u64,
    encodings: Vec<EncodingLine>,
    error: Option<String>,
}

/// How values are written.
#[derive(Serialize)]
struct EncodingLine {
    encoding: String,
    chunks: u64,
    bytes: u64,
}

/// Runs the command.
///
/// # Errors
/// There is no store, or it cannot be read.
pub fn run(_: &InspectArgs, ui: &mut Ui, cx: &Context) -> Done {
    let place = Place::find(ui, cx)?;
    let found = inspect::inspect(&place.dir).map_err(|e| place.failure(&e))?;
    let report = report(&found);
    if ui.is_json() {
        ui.value(&report)?;
        return Ok(Answer::Good);
    }
    let title = |ui: &mut Ui, text: &str| {
        let text = ui.paint(Role::Strong, text);
        ui.line(text);
    };
    let plural = if found.segments.len() == 1 { "" } else { "s" };
    title(ui, &format!("write-ahead log: {} segment{plural}", found.segments.len()));
    if !report.segments.is_empty() {
        segments(&report).print(ui);
    }
    title(ui, &format!("blocks: {}", found.blocks.len()));
    if !report.blocks.is_empty() {
        blocks(&report).print(ui);
    }
    if report.blocks.iter().any(|b| !b.encodings.is_empty()) {
        encodings(&report).print(ui);
    }
    let raw: Vec<&BlockLine> = report.blocks.iter().filter(|b| b.resolution == Some(Resolution::Raw.text())).collect();
    let (bytes, samples): (u64, u64) = (raw.iter().map(|b| b.bytes).sum(), raw.iter().map(|b| b.samples).sum());
    if samples > 0 {
        let per = per_sample(bytes, samples);
        ui.line(format_args!("raw blocks: {samples} samples in {}, {per} bytes each, index included", size(bytes)));
    }
    if let Some(log) = &found.series_log {
        ui.line(format_args!("series: {} definitions in {}", log.definitions, size(log.bytes)));
    }
    ui.line(format_args!("in all: {}", size(report.bytes)));
    if report.deletions > 0 {
        ui.line(format_args!("deletions not yet carried out in all blocks: {}", report.deletions));
    }
    for (path, bytes) in &found.quarantine {
        let line =
            ui.paint(Role::Warn, format!("set aside because it is damaged: {} ({})", path.display(), size(*bytes)));
        ui.line(line);
    }
    if let Some(clock) = found.clock {
        ui.line(format_args!("retention counts from {}", when(clock)));
    }
    Ok(Answer::Good)
}

fn per_sample(bytes: u64, samples: u64) -> String {
    if samples == 0 { "-".to_owned() } else { format!("{:.2}", bytes as f64 / samples as f64) }
}

fn report(found: &Inspection) -> Report {
    let segment = |s: &Segment| SegmentLine {
        number: s.number,
        records: s.records,
        samples: s.samples,
        bytes: s.bytes,
        min_time: s.times.map(|(from, _)| from),
        max_time: s.times.map(|(_, to)| to),
        damaged: s.damage.is_loss(),
    };
    let segments: Vec<SegmentLine> = found.segments.iter().map(segment).collect();
    let blocks: Vec<BlockLine> = found.blocks.iter().map(block).collect();
    let log = found.series_log.as_ref().map_or(0, |l| l.bytes);
    Report {
        series_definitions: found.series_log.as_ref().map(|l| l.definitions),
        deletions: found.tombstones.len(),
        quarantine: found.quarantine.len(),
        samples: segments.iter().map(|s| s.samples).sum::<u64>() + blocks.iter().map(|b| b.samples).sum::<u64>(),
        bytes: segments.iter().map(|s| s.bytes).sum::<u64>() + blocks.iter().map(|b| b.bytes).sum::<u64>() + log,
        segments,
        blocks,
    }
}

fn block(b: &BlockFile) -> BlockLine {
    let file = b.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bare = BlockLine {
        file,
        resolution: None,
        min_time: None,
        max_time: None,
        series: 0,
        samples: 0,
        chunks: 0,
        bytes: std::fs::metadata(&b.path).map_or(0, |m| m.len()),
        index_bytes: 0,
        encodings: Vec::new(),
        error: None,
    };
    match &b.content {
        Err(e) => BlockLine { error: Some(e.clone()), ..bare },
        Ok((meta, stats)) => BlockLine {
            resolution: Some(meta.resolution.text()),
            min_time: Some(stats.min_time),
            max_time: Some(stats.max_time),
            series: stats.series,
            samples: stats.samples,
            chunks: stats.chunks,
            bytes: stats.bytes,
            index_bytes: stats.index_bytes,
            encodings: encodings_of(b),
            ..bare
        },
    }
}

/// The encodings of a block's values, that with the most bytes first.
fn encodings_of(b: &BlockFile) -> Vec<EncodingLine> {
    let lines = b.encodings().into_iter();
    let line =
        |(e, used): (Encoding, Used)| EncodingLine { encoding: e.to_string(), chunks: used.chunks, bytes: used.bytes };
    let mut lines: Vec<EncodingLine> = lines.map(line).collect();
    lines.sort_by_key(|l| std::cmp::Reverse(l.bytes));
    lines
}

fn encodings(report: &Report) -> Table {
    let mut table = Table::new(&["BLOCK", "VALUES WRITTEN AS", "CHUNKS", "SIZE", "PART"], &[1]).dispensable(&[4]);
    for b in &report.blocks {
        let all: u64 = b.encodings.iter().map(|e| e.bytes).sum();
        for e in &b.encodings {
            table.row(vec![
                Cell::plain(&b.file),
                Cell::plain(&e.encoding),
                Cell::plain(e.chunks.to_string()),
                Cell::plain(size(e.bytes)),
                Cell::plain(format!("{:.0} %", e.bytes as f64 / all.max(1) as f64 * 100.0)),
            ]);
        }
    }
    table
}

fn segments(report: &Report) -> Table {
    let mut table =
        Table::new(&["SEGMENT", "FROM", "TO", "RECORDS", "SAMPLES", "SIZE", "STATE"], &[]).dispensable(&[1, 2]);
    for s in &report.segments {
        let state = if s.damaged { Cell::new(Role::Bad, "damaged") } else { Cell::new(Role::Good, "ok") };
        table.row(vec![
            Cell::plain(s.number.to_string()),
            Cell::plain(s.min_time.map_or_else(|| "-".to_owned(), when)),
            Cell::plain(s.max_time.map_or_else(|| "-".to_owned(), when)),
            Cell::plain(s.records.to_string()),
            Cell::plain(s.samples.to_string()),
            Cell::plain(size(s.bytes)),
            state,
        ]);
    }
    table
}

fn blocks(report: &Report) -> Table {
    let head = ["BLOCK", "STEP", "FROM", "TO", "SERIES", "SAMPLES", "SIZE", "INDEX", "B/SAMPLE", "STATE"];
    let mut table = Table::new(&head, &[9]).dispensable(&[7, 0, 2, 3]);
    for b in &report.blocks {
        let state = match &b.error {
            None => Cell::new(Role::Good, "ok"),
            Some(error) => Cell::new(Role::Bad, error),
        };
        table.row(vec![
            Cell::plain(&b.file),
            Cell::plain(b.resolution.unwrap_or("-")),
            Cell::plain(b.min_time.map_or_else(|| "-".to_owned(), when)),
            Cell::plain(b.max_time.map_or_else(|| "-".to_owned(), when)),
            Cell::plain(b.series.to_string()),
            Cell::plain(b.samples.to_string()),
            Cell::plain(size(b.bytes)),
            Cell::plain(size(b.index_bytes)),
            Cell::plain(per_sample(b.bytes, b.samples)),
            state,
        ]);
    }
    table
}
