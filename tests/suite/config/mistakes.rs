//! A directory full of planted mistakes: each is found, at its place, with a hint that fixes it.

use watchdog::config::{load, render};

use crate::config::fake::{Kinds, OneToken};

#[test]
fn every_planted_mistake_is_reported_at_its_place() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/config/bad/planted");
    let loaded = load(&dir, &Kinds, &OneToken(""), None);
    insta::assert_snapshot!(render::problems(&loaded.problems, false, 120));
}
