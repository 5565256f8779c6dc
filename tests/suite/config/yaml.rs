//! Our reader against the maintained serde one, and against texts made to break it.

use proptest::prelude::*;
use watchdog::config::yaml::{Node, SyntaxKind, Value, parse, parse_partly};

use crate::config::fake::{Site, said};

/// A tree without positions, as both readers see it.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Scalar(String),
    Null,
    Seq(Vec<Plain>),
    Map(Vec<(String, Plain)>),
}

fn ours(node: &Node) -> Plain {
    match &node.value {
        Value::Scalar { .. } if node.is_null() => Plain::Null,
        Value::Scalar { text, .. } => Plain::Scalar(text.clone()),
        Value::Seq(items) => Plain::Seq(items.iter().map(ours).collect()),
        Value::Map(entries) => Plain::Map(entries.iter().map(|e| (e.key.clone(), ours(&e.value))).collect()),
    }
}

fn theirs(value: &serde_yaml::Value) -> Plain {
    match value {
        serde_yaml::Value::Null => Plain::Null,
        serde_yaml::Value::Bool(b) => Plain::Scalar(b.to_string()),
        serde_yaml::Value::Number(n) => Plain::Scalar(n.to_string()),
        serde_yaml::Value::String(s) => Plain::Scalar(s.clone()),
        serde_yaml::Value::Sequence(items) => Plain::Seq(items.iter().map(theirs).collect()),
        serde_yaml::Value::Mapping(map) => {
            Plain::Map(map.iter().map(|(k, v)| (k.as_str().unwrap().to_owned(), theirs(v))).collect())
        }
        serde_yaml::Value::Tagged(tagged) => theirs(&tagged.value),
    }
}

/// Any document whose keys are texts; texts of every sort, line breaks and quotes among them.
fn document() -> impl Strategy<Value = serde_yaml::Value> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "[a-z]{1,8}",
        "\\PC{0,6}",
        "[a-z \n\t:#'\"\\\\-]{0,16}",
        "(true|null|~|0x1f|1e3|<<|-)"
    ];
    let leaf = prop_oneof![
        Just(serde_yaml::Value::Null),
        any::<bool>().prop_map(serde_yaml::Value::from),
        any::<i64>().prop_map(serde_yaml::Value::from),
        text.prop_map(serde_yaml::Value::from),
    ];
    let key = prop_oneof!["[a-z_]{1,8}", "[ -~]{1,8}"].prop_filter("merge keys mean something", |k| k != "<<");
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_yaml::Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| { serde_yaml::Value::Mapping(map.into_iter().map(|(k, v)| (k.into(), v)).collect()) }),
        ]
    })
}

fn check_spans(node: &Node, text: &str) {
    assert!(node.span.start <= node.span.end && text.get(node.span.start..node.span.end).is_some(), "{node:?}");
    match &node.value {
        Value::Scalar { .. } => {}
        Value::Seq(items) => items.iter().for_each(|n| check_spans(n, text)),
        Value::Map(entries) => entries.iter().for_each(|e| {
            assert!(text.get(e.key_span.start..e.key_span.end).is_some(), "{e:?}");
            check_spans(&e.value, text);
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn our_tree_equals_that_of_serde(document in document()) {
        let text = serde_yaml::to_string(&document).unwrap();
        let (root, errors) = parse(&text);
        prop_assert_eq!(&errors, &vec![], "{}", text);
        let root = root.unwrap();
        check_spans(&root, &text);
        prop_assert_eq!(ours(&root), theirs(&serde_yaml::from_str(&text).unwrap()), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "[a-z \n\t:#'\"\\\\\\[\\]{},&*!|>%@?é店-]{0,200}") {
        let parsed = parse_partly(&text);
        if let Some(root) = &parsed.root {
            check_spans(root, &text);
        }
        for error in &parsed.errors {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
        }
    }
}

const WHOLE: &str = include_str!("good/whole.yaml");

#[test]
fn a_valid_file_cut_at_any_byte_is_only_ever_reported() {
    let site = Site::new();
    for end in 0..=WHOLE.len() {
        site.write("monitors.d/a.yaml", &WHOLE.as_bytes()[..end]);
        let loaded = site.load();
        for p in &loaded.problems {
            assert!(!p.message.is_empty() && !p.hint.is_empty() && p.column > 0 && p.length > 0, "{p:?}");
        }
    }
    assert_eq!(said(&site.load()), Vec::<String>::new());
}

#[test]
fn bytes_flipped_anywhere_are_only_ever_reported() {
    let site = Site::new();
    for at in 0..WHOLE.len() {
        let mut bytes = WHOLE.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        site.write("monitors.d/a.yaml", bytes);
        site.load();
    }
}

#[test]
fn texts_made_to_exhaust_are_refused_in_time() {
    #[track_caller]
    fn check(text: &str) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", text);
        let loaded = site.load();
        assert_eq!(loaded.config.monitors.len(), 0);
        assert!(loaded.errors() > 0);
    }
    check(&"[".repeat(100_000));
    check(&"{a: ".repeat(100_000));
    check(&"- ".repeat(100_000));
    check(&format!("monitors: {}", "[".repeat(100_000)));
    check(&"x".repeat(4 << 20));
    check(&"x".repeat(10 << 20));
    check(&format!("\"{}\": 1", "x".repeat(1 << 20)));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    check(&bomb);
    // Each level keeps a copy of all below it.
    let nested = format!("{}{}{}", "&a [".repeat(60), "x, ".repeat(100_000), "]".repeat(60));
    check(&nested);
}

#[test]
fn a_mapping_of_100_000_keys_is_read_in_one_pass() {
    let mut text: String = (0..100_000).map(|i| format!("key{i}: {i}\n")).collect();
    let (root, errors) = parse(&text);
    assert_eq!(errors, []);
    assert!(matches!(root.unwrap().value, Value::Map(entries) if entries.len() == 100_000));
    text.push_str("key99999: again\n");
    assert_eq!(parse(&text).1[0].kind, SyntaxKind::Duplicate("key99999".into()));
}

#[test]
fn a_file_of_garbage_lists_a_thousand_problems_and_counts_the_rest() {
    let site = Site::new();
    let text: String = (0..100_000).map(|i| format!("k{i}: 1\n")).collect();
    site.write("monitors.d/a.yaml", text);
    let loaded = site.load();
    assert_eq!(loaded.problems.len(), 1_001);
    let counted = "99000 more problems in this file are not listed";
    assert_eq!(loaded.problems.iter().filter(|p| p.message == counted).count(), 1);
}

#[test]
fn what_stands_before_a_syntax_error_is_checked_too() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors:\n- {name: a, type: tcp, hots: x}\n- {name: b, type: tcp\n- {name: c}\n");
    let codes: Vec<_> = site.load().problems.iter().map(|p| (p.line, p.code.clone())).collect();
    assert!(codes.contains(&(2, "W003".to_owned())) && codes.iter().any(|(_, c)| c == "W001"), "{codes:?}");
}

#[test]
fn merged_keys_keep_their_place_and_an_own_key_replaces_them() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n\
         - &base {name: a, type: tcp, host: x, interval: 5}\n\
         - {<<: *base, name: b, interval: 5s}\n\
         - {<<: 3, name: c, type: tcp, host: x}\n",
    );
    assert_eq!(
        said(&site.load()),
        [
            "monitors.d/a.yaml:2:49 W006 `interval` is `5`, which has no unit",
            "monitors.d/a.yaml:4:8 W005 `<<` takes a mapping or a list of mappings",
        ]
    );
}

#[test]
fn a_column_far_to_the_right_is_exact_and_its_snippet_shows_it() {
    let site = Site::new();
    let filler = "店".repeat(5_000);
    site.write("monitors.d/a.yaml", format!("monitors: [{{name: a, type: tcp, host: {filler}, prot: 1}}]\n"));
    let loaded = site.load();
    let p = &loaded.problems[0];
    assert_eq!((p.line, p.column, p.message.as_str()), (1, 5_041, "`prot` is not a key here"));
    assert_eq!(p.snippet.chars().skip(p.caret()).take(p.length).collect::<String>(), "prot");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "\u{feff}monitors:\r\n- name: a\r\n  type: tcp\r\n  host: x\r\n  prot: 1\r\n");
    let loaded = site.load();
    assert_eq!(said(&loaded), ["monitors.d/a.yaml:5:3 W003 `prot` is not a key here"]);
    assert_eq!(loaded.problems[0].snippet, "  prot: 1");
}

#[test]
fn the_usual_mistakes_in_yaml_are_explained() {
    #[track_caller]
    fn check(text: &str, line: usize, column: usize, message: &str) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", text);
        let loaded = site.load();
        let found: Vec<_> = loaded.problems.iter().filter(|p| p.code == "W001").collect();
        assert_eq!((found.len(), found[0].line, found[0].column), (1, line, column), "{text:?} {found:?}");
        assert!(found[0].message.contains(message), "{text:?} {found:?}");
    }
    check("monitors:\n\t- name: a\n", 2, 2, "a tab stands where blanks belong");
    check("monitors:\n  - name: a\n    type tcp\n    host: x\n", 3, 5, "a key without its colon");
    check("monitors:\n  - name: a\n   type: tcp\n", 3, 4, "not indented like its neighbours");
    check("a: b: c\n", 1, 5, "a colon stands where none can");
    check("a: @foo\n", 1, 4, "cannot begin with this character");
    check("a: *nope\n", 1, 4, "no anchor of this name");
    check("a: &a [*a]\n", 1, 8, "an anchor cannot hold itself");
    check("a: \"\\d+\"\n", 1, 4, "a backslash escape that YAML does not have");
    check("a: 'it's'\n", 1, 8, "text follows the closing quote");
    check("a: {b: 1\n", 1, 4, "`{` is never closed");
    check("a: - b\n", 1, 4, "a list item cannot begin here");
    check("a: \"x\ny: 1\n", 1, 4, "the closing quote is missing");
    check("url: {{ x }}\n", 1, 7, "a key must be a plain word");
}

#[test]
fn an_item_cut_short_by_a_mistake_is_not_said_to_lack_anything() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors:\n  - name: a\n   type: tcp\n   host: x\n");
    assert_eq!(site.load().problems.len(), 1);
}
