//! A running server, watched from outside through `/proc` and its directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Processor seconds so far, user and system.
pub fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_else(|e| panic!("process {pid}: {e}"));
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // Linux counts in hundredths of seconds on every machine that this runs on.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Largest resident memory so far, in bytes.
pub fn peak(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Bytes that the directory takes on the disk, as `du` counts them.
pub fn disk(dir: &Path) -> u64 {
    // Files come and go while a server compacts.
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .filter_map(|e| Some((e.path(), e.metadata().ok()?)))
        .map(|(path, meta)| meta.blocks() * 512 + if meta.is_dir() { disk(&path) } else { 0 })
        .sum()
}

/// SIGTERM, then waits until the process is gone.
pub fn stop(pid: u32) {
    let target = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    nix::sys::signal::kill(target, nix::sys::signal::Signal::SIGTERM).unwrap();
    let gone = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| s.contains(") Z "));
    while !gone(pid) {
        thread::sleep(Duration::from_millis(50));
    }
}
