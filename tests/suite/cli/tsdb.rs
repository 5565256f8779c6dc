//! `tsdb inspect`, `verify` and `dump` on a store without a server.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use watchdog::base::labels::Labels;
use watchdog::base::sample::STALE_NAN;
use watchdog::tsdb::{Ack, Batch, Options, Tsdb};

use super::{Ran, run_at};
use crate::fake::NOW;

/// A state directory with a store of two series and 120 samples.
fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("metrics");
    let db = Tsdb::open(&store, Options::default(), NOW).unwrap();
    let mut batch = Batch::default();
    for (monitor, scale) in [("shop", 1.0), ("store \"2\"", 0.5)] {
        batch.series(&Labels::new([("__name__", "probe_duration_seconds"), ("monitor", monitor)]).to_buf());
        for i in 0..60_u32 {
            let v = if i == 59 { STALE_NAN } else { f64::from(i) * scale };
            batch.push(NOW.millis() - i64::from(59 - i) * 15_000, v);
        }
    }
    assert_eq!(db.append(&batch, Ack::Synced, NOW).unwrap().stored, 120);
    db.close().unwrap();
    dir
}

async fn run(dir: &Path, arguments: &[&str]) -> Ran {
    let all = [&["tsdb"], arguments, &["--data-dir", dir.to_str().unwrap()]].concat();
    run_at(dir, all.into_iter().map(Into::into).collect(), &[]).await
}

/// The newest segment of the write-ahead log.
fn segment(dir: &Path) -> PathBuf {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(dir.join("metrics/wal")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.into_iter().max_by_key(|p| std::fs::metadata(p).unwrap().len()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_store_are_listed() {
    let dir = place();
    let ran = run(dir.path(), &["inspect"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("2025-11-23T11:58:35.000Z") && ran.out.contains("120"), "{}", ran.out);
    let ran = run(dir.path(), &["inspect", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((report["samples"].as_u64(), report["series_definitions"].as_u64()), (Some(120), Some(2)), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_the_values_of_a_block_are_written_is_told() {
    let dir = place();
    Tsdb::open(&dir.path().join("metrics"), Options::default(), NOW).unwrap().flush().unwrap();
    let ran = run(dir.path(), &["inspect", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let block = &report["blocks"][0];
    let all = block["encodings"].as_array().unwrap();
    let chunks: u64 = all.iter().map(|e| e["chunks"].as_u64().unwrap()).sum();
    assert_eq!((chunks, block["chunks"].as_u64()), (2, Some(2)), "{report}");
    let decimal = all.iter().all(|e| e["encoding"].as_str().unwrap().starts_with("decimal, "));
    assert!(decimal && all.iter().all(|e| e["bytes"].as_u64() > Some(0)), "{report}");
    let ran = run(dir.path(), &["inspect"]).await;
    assert!(ran.out.contains("VALUES WRITTEN AS") && ran.out.contains("decimal, "), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_is_exit_code_1() {
    let dir = place();
    let ran = run(dir.path(), &["verify"]).await;
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.starts_with("ok: "), "{}", ran.out);
    let path = segment(dir.path());
    let before = std::fs::read(&path).unwrap();
    let mut bytes = before.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    let ran = run(dir.path(), &["verify"]).await;
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains(path.to_str().unwrap()) && ran.out.contains("1 problem"), "{}", ran.out);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "looking changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_printed_series_by_series() {
    let dir = place();
    let ran = run(dir.path(), &["dump"]).await;
    assert_eq!((ran.code, ran.out.lines().count()), (0, 120), "{}", ran.err);
    let first = "probe_duration_seconds{monitor=\"shop\"} 0 1763899115000";
    assert_eq!(ran.out.lines().next(), Some(first));
    let ran = run(dir.path(), &["dump", r#"{monitor=~"store.*"}"#, "--start", "2025-11-23T12:13:00Z"]).await;
    let name = r#"probe_duration_seconds{monitor="store \"2\""}"#;
    let lines = [format!("{name} 29 1763899985000"), format!("# stale {name} 1763900000000")];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), lines);
    let ran = run(dir.path(), &["dump", r#"{monitor="shop"}"#, "--json"]).await;
    let series: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(series["times"].as_array().unwrap().len(), 60);
    assert_eq!((series["values"][1].as_str(), series["values"][59].as_str()), (Some("1"), Some("stale")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_store_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["inspect", "verify", "dump"] {
        let ran = run(dir.path(), &[command]).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{command}");
        assert!(ran.err.contains("there is no store") && ran.err.contains("--data-dir"), "{}", ran.err);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    assert_eq!(run(dir.path(), &["dump", "sum(x)"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_read_and_said_to_be() {
    let dir = place();
    let lock = std::fs::File::create(dir.path().join("lock")).unwrap();
    lock.try_lock().unwrap();
    let ran = run(dir.path(), &["verify"]).await;
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.err.contains("a server is running"), "{}", ran.err);
}
