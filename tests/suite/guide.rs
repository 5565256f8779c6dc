//! The guide says what the program does: generated parts are compared with the code.

use std::fs;
use std::path::Path;

#[test]
fn the_guide_lists_the_keys_that_work() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/tui.md");
    let text = fs::read_to_string(&page).unwrap();
    let table = watchdog::tui::markdown();
    assert!(text.contains(table.trim()), "docs/guide/tui.md lacks this table:\n{table}");
}
