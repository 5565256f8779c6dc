//! Small files of `/proc`, `/sys` and `/run`, and samples with names that are made.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::base::outcome::Sample;

/// No file that is read here is larger: `/proc/interrupts` of 256 processors has 300 KiB.
const MAX_FILE: u64 = 1 << 20;

/// A file's text without the blanks around it; `None` where there is none.
pub fn text(path: impl AsRef<Path>) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// A file that holds one number, `0x` before hexadecimal ones.
pub fn number(path: impl AsRef<Path>) -> Option<f64> {
    let text = text(path)?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as f64),
        None => text.parse().ok(),
    }
}

/// What a directory holds, sorted.
pub fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A sample whose name is put together.
pub fn named(name: String, value: f64) -> Sample {
    Sample { name: Cow::Owned(name), labels: Vec::new(), value }
}

/// The same with a label.
pub fn labelled(name: String, value: f64, label: &'static str, of: &str) -> Sample {
    named(name, value).label(label, of)
}
