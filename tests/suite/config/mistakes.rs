//! A directory full of planted mistakes: each is found, at its place, with a hint that fixes it.

use watchdog::config::{load, render};

use crate::config::fake::{Kinds, OneToken};

#[test]
fn every_planted_mistake_is_reported_at_its_place() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/config/bad/planted");
    let loaded = load(&dir, &Kinds, &OneToken(""), None);
    insta::assert_snapshot!(render::problems(&loaded.problems, false, 120));
}

#[test]
fn every_code_is_explained_in_the_guide() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = std::fs::read_to_string(root.join("src/config/report.rs")).unwrap();
    let guide = std::fs::read_to_string(root.join("docs/guide/problems.md")).unwrap();
    let codes: Vec<&str> = code.match_indices("=> \"W").map(|(i, _)| &code[i + 4..i + 8]).collect();
    assert_eq!(codes.len(), 17);
    for code in codes {
        assert!(guide.contains(&format!("\n## {code} – ")), "{code} is not in docs/guide/problems.md");
    }
}
