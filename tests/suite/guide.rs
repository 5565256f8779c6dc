//! The guide says what the program does: generated parts are compared with the code.

use std::fs;
use std::path::Path;

use watchdog::collect::kinds::{KINDS, markdown};

#[test]
fn the_guide_lists_the_keys_that_work() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/tui.md");
    let text = fs::read_to_string(&page).unwrap();
    let table = watchdog::tui::markdown();
    assert!(text.contains(table.trim()), "docs/guide/tui.md lacks this table:\n{table}");
}

fn monitors(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/monitors").join(page);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_guide_lists_the_kinds_of_monitors() {
    let table = markdown();
    assert!(monitors("README.md").contains(table.trim()), "docs/guide/monitors/README.md lacks this table:\n{table}");
}

#[test]
fn each_kind_has_a_page_that_names_what_the_command_line_can_set() {
    for kind in KINDS {
        let page = monitors(&format!("{}.md", kind.name));
        assert!(page.contains("```yaml"), "{}.md has no example", kind.name);
        for flag in kind.flags.iter().copied().flatten() {
            let option = flag.path.rsplit('.').find(|level| *level != "*").unwrap();
            assert!(page.contains(option), "{}.md does not tell of `{}`", kind.name, flag.path);
        }
    }
}
