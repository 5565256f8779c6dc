//! The guide says what the program does: generated parts are compared with the code.

use std::fs;
use std::path::Path;

use watchdog::base::outcome::{NOT_OURS, OURS, Reason};
use watchdog::collect::kinds::{KINDS, markdown};

#[test]
fn the_guide_lists_the_keys_that_work() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/tui.md");
    let text = fs::read_to_string(&page).unwrap();
    let table = watchdog::tui::markdown();
    assert!(text.contains(table.trim()), "docs/guide/tui.md lacks this table:\n{table}");
}

/// The words in backticks of a text.
fn words(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_guide_says_who_speaks_for_each_class_that_is_unknown_and_not_ours() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/self.md");
    let text = fs::read_to_string(page).unwrap();
    let rows = text.lines().skip_while(|l| !l.starts_with("| why | class")).take_while(|l| l.starts_with('|'));
    let classes = rows.filter_map(|row| row.split('|').nth(2)).flat_map(words).filter(|class| *class != OURS);
    let (mut classes, mut all) = (classes.collect::<Vec<_>>(), NOT_OURS.to_vec());
    classes.sort_unstable();
    all.sort_unstable();
    assert_eq!(classes, all);
    // And which a monitor above may be the cause of.
    let sentence = text.split("A check that says it cannot judge (").nth(1).and_then(|t| t.split(')').next()).unwrap();
    let reason = |class: &&'static str| Reason { class: (*class).into(), message: String::new() }.may_be_parents();
    let mut may_be: Vec<&str> = words(sentence);
    may_be.sort_unstable();
    assert_eq!(may_be, all.into_iter().filter(reason).collect::<Vec<_>>());
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
