//! What the guide shows works: every example in it is checked as a person's own file would be.

use std::path::{Path, PathBuf};

use watchdog::collect::kinds::KINDS;
use watchdog::config::fields::Resolver;
use watchdog::config::load;
use watchdog::engine::kinds::Kinds;

use crate::config::fake::{Site, said};

/// Resolves every reference to an address where its name says so, else to what a bot's token may be.
struct Anything;

impl Resolver for Anything {
    fn resolve(&self, _: &str, name: &str) -> Result<String, String> {
        match name.ends_with("_URL") {
            true => Ok("https://hooks.example.com/resolved".to_owned()),
            false => Ok("123456789:AAFresolvedresolved".to_owned()),
        }
    }
}

fn pages(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        match entry.is_dir() {
            true => found.extend(pages(&entry)),
            // That page shows what is wrong, on purpose.
            false if entry.ends_with("problems.md") => {}
            false => found.push(entry),
        }
    }
    found
}

/// The fenced examples of a page in YAML.
fn examples(page: &str) -> impl Iterator<Item = &str> {
    page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

/// Keys that an example of the main file begins with.
const MAIN: [&str; 13] = [
    "notifiers:",
    "server:",
    "storage:",
    "query:",
    "intake:",
    "heartbeat:",
    "self:",
    "probing:",
    "policy:",
    "inhibit:",
    "time_windows:",
    "maintenance:",
    "silences:",
];

/// The file of the directory that an example belongs into.
fn file(example: &str) -> &'static str {
    let has = |key: &str| example.lines().any(|line| line.starts_with(key));
    match has("monitors:") || has("defaults:") {
        true => "monitors.d/example.yaml",
        false if has("rules:") || has("groups:") => "rules.d/example.yaml",
        false if MAIN.into_iter().any(has) => "watchdog.yaml",
        false if has("messages:") => "templates.d/example.yaml",
        false => panic!("where does this belong?\n{example}"),
    }
}

#[test]
fn every_example_of_the_guide_passes_the_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    for page in pages(&root.join("docs/guide")) {
        let text = std::fs::read_to_string(&page).unwrap();
        for example in examples(&text) {
            let site = Site::new();
            site.write(file(example), example);
            let loaded = load(site.dir(), &Kinds, &Anything, None);
            assert_eq!(said(&loaded), Vec::<String>::new(), "{}:\n{example}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[test]
fn every_shipped_file_passes_the_check() {
    let site = Site::new();
    for (path, text) in watchdog::cli::commands::init::FILES {
        site.write(path, text);
    }
    let loaded = load(site.dir(), &Kinds, &Anything, None);
    assert_eq!(said(&loaded), Vec::<String>::new());
    for kind in ["http", "tcp", "script", "host", "heartbeat"] {
        assert!(loaded.config.monitors.values().any(|m| m.probe.kind == kind), "{kind} has no example");
    }
}

#[test]
fn a_single_value_where_a_mapping_belongs_is_shown_as_it_should_be_written() {
    #[track_caller]
    fn check(options: &str, hint: &str) {
        let site = Site::new();
        site.write("monitors.d/a.yaml", format!("monitors:\n- {{name: a, {options}}}\n"));
        let loaded = load(site.dir(), &Kinds, &Anything, None);
        let hints: Vec<&str> = loaded.problems.iter().map(|p| p.hint.as_str()).collect();
        assert_eq!(hints, [hint], "{options}");
    }
    check("type: host, expect: {cpu: 90%}", "write `cpu: {below: 90%}`");
    check("type: http, url: http://x, expect: {latency: 2s}", "write `latency: {below: 2s}`");
    check("type: http, url: https://x, expect: {cert: 14d}", "write `cert: {valid_for: 14d}`");
    check("type: http, url: http://x, expect: {body: ok}", "write `body: {contains: ok}`");
    check("type: tcp, host: \"x:1\", expect: SSH-", "write `expect: {contains: SSH-}`");
    check(
        "type: tcp, host: \"http://x:80\"",
        "write the host alone, `name:port`; for web addresses there is `type: http`",
    );
    // Without a type nothing is known about the options, so nothing is said about them.
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    check("url: http://x", &format!("write one of: {}", kinds.join(", ")));
    check("tpye: http, url: http://x", "did you mean `type`?");
}
