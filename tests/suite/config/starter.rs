//! `watchdog init` and `watchdog check`, called as the command line calls them.

use watchdog::cli::Answer;

use watchdog::base::failure::Kind;
use watchdog::cli::commands::check::{self, CheckArgs};
use watchdog::cli::commands::init::{self, FILES, InitArgs};
use watchdog::cli::ui::Look;

use crate::config::fake::{Kinds, Site, monitors};

const LOOK: Look = Look { colour: false, width: 100, json: false };

#[track_caller]
fn check(site: &Site, json: bool) -> (Answer, String) {
    let mut out = Vec::new();
    let args = CheckArgs { dir: Some(site.dir().to_owned()) };
    let code = check::run(&args, site.dir(), &Kinds, Look { json, ..LOOK }, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_sound_directory_is_one_line() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["a", "b"]));
    assert_eq!(check(&site, false), (Answer::Good, "no problems in 1 file, 2 monitors\n".to_owned()));
}

#[test]
fn warnings_alone_are_not_a_failure() {
    let site = Site::new();
    let (code, out) = check(&site, false);
    assert_eq!(code, Answer::Good);
    assert!(out.contains("warning[W016]: there is no configuration here"), "{out}");
}

#[test]
fn an_error_is_shown_with_its_place_and_ends_with_1() {
    let site = Site::new();
    site.write(
        "monitors.d/a.yaml",
        "monitors:\n  - name: shop\n    type: http\n    url: http://a\n    intervall: 5s\n",
    );
    let (code, out) = check(&site, false);
    assert_eq!(code, Answer::Bad);
    insta::assert_snapshot!(out, @r"
    error[W003]: `intervall` is not a key here
     --> monitors.d/a.yaml:5:5
      |
    5 |     intervall: 5s
      |     ^^^^^^^^^
      |
      = help: did you mean `interval`?

    1 error in 1 file, 0 monitors
    ");
}

#[test]
fn the_json_form_is_a_contract() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", "monitors: [{name: shop, type: htp}]\n");
    let (code, out) = check(&site, true);
    assert_eq!(code, Answer::Bad);
    insta::assert_snapshot!(out.replace(&site.dir().display().to_string(), "DIR"), @r#"
    {
      "ok": false,
      "dir": "DIR",
      "files": 1,
      "monitors": 0,
      "problems": [
        {
          "level": "error",
          "code": "W008",
          "file": "monitors.d/a.yaml",
          "line": 1,
          "column": 31,
          "length": 3,
          "message": "there is no monitor type `htp`",
          "hint": "did you mean `http`?",
          "snippet": "monitors: [{name: shop, type: htp}]"
        }
      ]
    }
    "#);
}

#[test]
fn a_directory_that_is_none_is_a_usage_error() {
    let site = Site::new();
    site.write("file", "");
    for name in ["file", "missing"] {
        let args = CheckArgs { dir: Some(site.path(name)) };
        let failure = check::run(&args, site.dir(), &Kinds, LOOK, &mut Vec::new()).unwrap_err();
        assert_eq!((failure.kind(), failure.kind().exit_code()), (Kind::Usage, 2));
    }
}

#[test]
fn init_writes_the_shipped_files_once() {
    let site = Site::new();
    let args = InitArgs { dir: Some(site.path("new/conf")) };
    let mut out = Vec::new();
    assert_eq!(init::run(&args, LOOK, &mut out).unwrap(), Answer::Good);
    let out = String::from_utf8(out).unwrap();
    for (path, text) in FILES {
        assert_eq!(std::fs::read_to_string(site.path("new/conf").join(path)).unwrap(), text);
        assert!(out.contains(path), "{out}");
    }
    assert!(out.contains("watchdog check"), "{out}");
    assert_eq!(init::run(&args, LOOK, &mut Vec::new()).unwrap_err().kind(), Kind::Bad);
}

#[test]
fn init_that_would_replace_one_file_writes_none() {
    let site = Site::new();
    site.write("watchdog.yaml", "mine: 1");
    let args = InitArgs { dir: Some(site.dir().to_owned()) };
    let failure = init::run(&args, LOOK, &mut Vec::new()).unwrap_err();
    assert!(failure.message().contains("watchdog.yaml"), "{}", failure.message());
    assert_eq!(std::fs::read_dir(site.dir()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(site.path("watchdog.yaml")).unwrap(), "mine: 1");
}

#[test]
fn every_shipped_file_of_the_folders_is_written_by_init() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shipped = Vec::new();
    let mut open = vec![root.join("monitors.d"), root.join("rules.d"), root.join("templates.d")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => shipped.push(entry.path().strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    for path in shipped {
        assert!(FILES.iter().any(|(known, _)| *known == path), "{path} is not in init's list");
    }
}
