//! The fuzzer's door to `tests/suite/fuzz/targets.rs`: `FUZZ_TARGET` names the function.

#![no_main]

use std::sync::LazyLock;

#[path = "../suite/fuzz/targets.rs"]
mod targets;

type Target = fn(&[u8]);

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let all: [(&str, Target); 6] = [
        ("query", targets::query),
        ("exposition", targets::exposition),
        ("scrape", targets::scrape),
        ("remote_write", targets::remote_write),
        ("snappy", targets::snappy),
        ("chunk", targets::chunk),
    ];
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = all.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {:?}", all.map(|(known, _)| known))).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
