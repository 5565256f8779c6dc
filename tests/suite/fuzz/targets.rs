//! One function per reader of foreign bytes: it takes any, and asserts what must hold for all.

use std::str::from_utf8;

use watchdog::base::exposition::{Format, Parser};
use watchdog::base::labels::{Labels, LabelsBuf};
use watchdog::base::sample::Column;
use watchdog::base::time::Timestamp;
use watchdog::collect::prometheus::cache::{Cache, Intake};
use watchdog::collect::prometheus::format::{Protocol, read};
use watchdog::engine::intake::series::Admission;
use watchdog::engine::intake::{unsnap, write};
use watchdog::promql::parser::{Features, parse};
use watchdog::tsdb::Batch;
use watchdog::tsdb::chunk::{MAX_SAMPLES, decode};

/// PromQL: problems stand inside the text; what is printed is read again as the same.
pub fn query(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for features in [Features::all(), Features::stable()] {
        let parsed = parse(&text, features);
        assert!(parsed.expr.is_some() || !parsed.problems.is_empty(), "no query and no problem");
        for problem in &parsed.problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?} stands outside");
            assert!(!problem.message.is_empty());
        }
        let Some(expr) = parsed.expr else { continue };
        assert!(text.get(expr.span.clone()).is_some(), "{:?} stands outside", expr.span);
        if parsed.problems.is_empty() {
            let printed = expr.to_string();
            let again = parse(&printed, features);
            assert!(again.problems.is_empty(), "{printed}: {:?}", again.problems);
            assert_eq!(again.expr.map(|e| e.to_string()).as_ref(), Some(&printed));
        }
    }
}

/// Prometheus' text format and OpenMetrics: an error quotes little of what it found.
pub fn exposition(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for format in [Format::Text, Format::OpenMetrics] {
        let (mut parser, mut labels) = (Parser::new(format), LabelsBuf::default());
        for line in text.split('\n') {
            if let Err(why) = parser.line(line, &mut labels) {
                assert!(why.to_string().len() < 256, "{why}");
            }
        }
    }
}

/// Both versions of remote write, decompressed: no more samples than bytes and limits allow.
pub fn remote_write(input: &[u8]) {
    const MOST: usize = 1_000;
    let (mut scratch, mut batch) = (write::Scratch::default(), Batch::default());
    for decode in [write::version_1, write::version_2] {
        batch.clear();
        let mut admit = Admission::new(Timestamp::from_millis(1_800_000_000_000), MOST, None);
        let _ = decode(input, &mut scratch, &mut admit, &mut batch);
        // A sample takes two bytes at least.
        assert!(batch.len() <= MOST.min(input.len() / 2), "{} samples of {} bytes", batch.len(), input.len());
        assert!(batch.iter().all(|(key, _)| from_utf8(key.as_bytes()).is_ok()));
    }
}

/// Snappy: what comes out is in proportion to what went in.
pub fn snappy(input: &[u8]) {
    let mut out = Vec::new();
    let _ = unsnap(input, &mut out);
    // Three bytes of input make 64 of output at most.
    assert!(out.capacity() <= 64 * (input.len() + 1), "{} of {}", out.capacity(), input.len());
}

/// A chunk: times rise, and there are no more than a chunk may have.
pub fn chunk(input: &[u8]) {
    let mut column = Column::default();
    if decode(input, &mut column).is_ok() {
        assert!(column.len() <= MAX_SAMPLES);
        assert!(column.t.is_sorted_by(|a, b| a < b));
        assert_eq!(column.t.len(), column.v.len());
    } else {
        assert!(column.is_empty());
    }
}

/// An answer of a target in each format: what is stored is well formed, and a refusal quotes little.
pub fn scrape(input: &[u8]) {
    let intake = Intake { honor_timestamps: true, ..Intake::default() };
    for protocol in [Protocol::Protobuf, Protocol::Text004, Protocol::OpenMetrics100] {
        let mut cache = Cache::new(Labels::new([("instance", "i"), ("job", "j")]));
        // The second time every series is known.
        for now in [1_000, 2_000] {
            let mut batch = Batch::default();
            let (counts, done) = cache.scraped(&intake, now, &mut batch, |to| read(input, protocol, to));
            assert!(counts.kept <= counts.scraped && batch.len() <= counts.scraped);
            assert!(batch.iter().all(|(key, _)| Labels::checked_key(key).is_some()), "a key that is none");
            if let Err(why) = done {
                assert!(why.to_string().len() < 512, "{why}");
            }
        }
    }
}
