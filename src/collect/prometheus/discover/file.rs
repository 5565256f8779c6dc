//! `file_sd_configs`: lists of targets in files of JSON or YAML, read again as soon as they change.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::collect::fault::Fault;
use crate::collect::files::{self, Given, Looks, Pattern};
use crate::collect::prometheus::discover::Found;
use crate::collect::prometheus::job::ADDRESS;
use crate::collect::prometheus::relabel::Draft;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{self, Value};

/// Names the file on each of its targets.
const FILE_LABEL: &str = "__meta_filepath";
/// A larger file is no list of targets, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// How the name of a list of targets ends; as Prometheus has it, in one case throughout.
const ENDINGS: [&str; 6] = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];

/// The patterns of one entry.
#[derive(Debug)]
pub struct Files {
    patterns: Vec<Pattern>,
    /// As written, for people.
    shown: String,
    /// One look at a time: what hangs costs one thread.
    looks: Looks,
    /// What is known of each file. Held by the look.
    known: Arc<Mutex<BTreeMap<PathBuf, Known>>>,
}

/// A file as it was read.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Device, inode, size and time of the last change.
    stamp: Option<(u64, u64, u64, i64, i64)>,
    found: Vec<Draft>,
    trouble: Option<Fault>,
}

impl Files {
    /// Reads the option `files`.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let errors = fields.cx().error_count();
        let mut patterns = Vec::new();
        let texts = fields.texts("files");
        if texts.is_empty() {
            fields.missing("files", "write e.g. `files: [/etc/watchdog/targets/*.yaml]`");
        }
        let shown = texts.iter().map(|text| text.shown().to_owned()).collect::<Vec<_>>().join(", ");
        for text in texts {
            let (above, name) = text.value().rsplit_once('/').unwrap_or(("", text.value()));
            let known = ENDINGS.iter().any(|end| name.ends_with(end));
            let why = if !text.value().starts_with('/') {
                "is not an absolute path"
            } else if !known {
                "ends in none of `.json`, `.yml` and `.yaml`"
            } else if above.contains('*') {
                "may have `*` in the name of the file alone"
            } else {
                patterns.push(Pattern::new(text.value()));
                continue;
            };
            let hint = "write e.g. `/etc/watchdog/targets/*.yaml`";
            fields.error(text.span, Code::BadValue, format!("`{}` {why}", text.shown()), hint);
        }
        (fields.cx().error_count() == errors).then(|| Self {
            patterns,
            shown,
            looks: Looks::at_credentials(),
            known: Arc::default(),
        })
    }

    /// For people.
    pub fn describe(&self) -> String {
        self.shown.clone()
    }

    /// What the files say; nothing when none of them has changed. All are read when it is time to look `again`.
    ///
    /// # Errors
    /// Looking failed, which is a fault of this machine.
    pub async fn ask(&self, again: bool) -> Result<Option<Found>, Fault> {
        let (patterns, known) = (self.patterns.clone(), Arc::clone(&self.known));
        let look = move |given: &Given| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            look(&patterns, &mut known, again, given)
        };
        let failed = |fault: Fault| Fault::local("local_files", format!("{}: {}", self.shown, fault.message()));
        self.looks.run(look).await.map_err(failed)
    }
}

/// Looks at the files that there are now.
fn look(patterns: &[Pattern], known: &mut BTreeMap<PathBuf, Known>, again: bool, given: &Given) -> Option<Found> {
    let mut there = BTreeMap::new();
    let mut changed = again;
    let mut trouble = None;
    for pattern in patterns {
        let paths = match pattern.expand(given) {
            Ok((mut paths, whole)) => {
                if !whole || paths.len() > files::MAX_FILES {
                    paths.truncate(files::MAX_FILES);
                    let message = "there are more files of targets than are looked at";
                    trouble.get_or_insert_with(|| Fault::target("discovery", message));
                }
                paths
            }
            // A directory that is not there has no files.
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            // What its files said last stands until they can be read again.
            Err(e) => {
                trouble.get_or_insert_with(|| Fault::io("a directory of files of targets", &e));
                known.keys().filter(|path| pattern.is_above(path)).cloned().collect()
            }
        };
        for path in paths {
            let before = known.get(&path).cloned().unwrap_or_default();
            let stamp = std::fs::metadata(&path).map(|m| (m.dev(), m.ino(), m.size(), m.ctime(), m.ctime_nsec()));
            // It is gone, and so are its targets. What cannot be looked at is not.
            let is_gone = stamp.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound);
            let stamp = stamp.ok();
            if stamp.is_some() && stamp == before.stamp && !again {
                there.insert(path, before);
                continue;
            }
            changed = true;
            let now = match read(&path) {
                Ok(found) => Known { stamp, found, trouble: None },
                Err(fault) if is_gone => Known { stamp, trouble: Some(fault), found: Vec::new() },
                // What it said last stands until it can be read again.
                Err(fault) => Known { stamp, trouble: Some(fault), ..before },
            };
            there.insert(path, now);
        }
    }
    changed |= there.len() != known.len() || trouble.is_some();
    *known = there;
    changed.then(|| Found {
        targets: known.values().flat_map(|file| file.found.iter().cloned()).collect(),
        trouble: trouble.or_else(|| known.values().find_map(|file| file.trouble.clone())),
    })
}

fn read(path: &Path) -> Result<Vec<Draft>, Fault> {
    let shown = path.display().to_string();
    let wrong = |why: String| Fault::target("discovery", format!("{shown}: {why}"));
    let (file, _) = files::open(path, true).map_err(|e| Fault::io(&shown, &e))?;
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|e| Fault::io(&shown, &e))?;
    if text.len() as u64 > MAX_FILE {
        return Err(wrong(format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    let mut found = groups(&text).map_err(wrong)?;
    found.iter_mut().for_each(|draft| draft.set(FILE_LABEL, &path.to_string_lossy()));
    Ok(found)
}

/// Reads a list of `{targets: […], labels: {…}}`; JSON is YAML, too.
///
/// # Errors
/// It is something else; a sentence.
pub fn groups(text: &str) -> Result<Vec<Draft>, String> {
    let (root, errors) = yaml::parse(text);
    if let Some(error) = errors.first() {
        return Err(error.kind.to_string());
    }
    let Some(root) = root.filter(|root| !root.is_null()) else { return Ok(Vec::new()) };
    let Value::Seq(items) = &root.value else {
        return Err("it is not a list of `{targets: […], labels: {…}}`".to_owned());
    };
    let mut found = Vec::new();
    for item in items {
        let Value::Map(entries) = &item.value else { return Err("an entry is not a mapping".to_owned()) };
        if let Some(entry) = entries.iter().find(|e| !matches!(e.key.as_str(), "targets" | "labels")) {
            return Err(format!("`{}` is no key of an entry", entry.key));
        }
        let value = |key: &str| entries.iter().find(|e| e.key == key).map(|e| &e.value).filter(|v| !v.is_null());
        let mut labels = Draft::default();
        match value("labels").map(|labels| &labels.value) {
            None => {}
            Some(Value::Map(pairs)) => {
                for pair in pairs {
                    let text = pair.value.as_str().ok_or_else(|| format!("the label `{}` is no text", pair.key))?;
                    labels.set(&pair.key, text);
                }
            }
            Some(_) => return Err("`labels` is not a mapping".to_owned()),
        }
        match value("targets").map(|targets| &targets.value) {
            None => {}
            Some(Value::Seq(targets)) => {
                for target in targets {
                    let address = target.as_str().ok_or("a target is no text")?;
                    let mut draft = labels.clone();
                    draft.set(ADDRESS, address);
                    found.push(draft);
                }
            }
            Some(_) => return Err("`targets` is not a list".to_owned()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(found: &[Draft]) -> Vec<&str> {
        found.iter().map(|draft| draft.get(ADDRESS)).collect()
    }

    #[test]
    fn lists_are_json_or_yaml() {
        for text in [
            r#"[{"targets": ["a:1", "b:2"], "labels": {"env": "prod", "__meta_x": "y"}}]"#,
            "- targets: ['a:1', 'b:2']\n  labels: {env: prod, __meta_x: y}\n",
        ] {
            let found = groups(text).unwrap();
            assert_eq!(addresses(&found), ["a:1", "b:2"]);
            assert_eq!((found[1].get("env"), found[1].get("__meta_x")), ("prod", "y"));
        }
        assert_eq!(groups("").unwrap(), []);
        for (text, why) in [
            ("{targets: []}", "it is not a list"),
            ("[a]", "an entry is not a mapping"),
            ("[{target: [a]}]", "`target` is no key"),
            ("[{targets: a}]", "`targets` is not a list"),
            ("[{targets: [a], labels: {b: [c]}}]", "the label `b` is no text"),
        ] {
            assert!(groups(text).unwrap_err().starts_with(why), "{text}");
        }
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_keeps_its_targets() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join("new"), text).unwrap();
            std::fs::rename(dir.path().join("new"), dir.path().join(name)).unwrap();
        };
        let of = |name: &str| Pattern::new(&dir.path().join(name).to_string_lossy());
        let patterns = [of("t-*.y*ml")];
        let mut known = BTreeMap::new();
        let look = |patterns: &[Pattern], known: &mut BTreeMap<PathBuf, Known>, again: bool| {
            look(patterns, known, again, &Given::default())
        };
        assert!(look(&patterns, &mut known, true).unwrap().targets.is_empty());
        write("t-1.yaml", "[{targets: [a]}]");
        write("other.yaml", "[{targets: [x]}]");
        let found = look(&patterns, &mut known, false).unwrap();
        assert_eq!(addresses(&found.targets), ["a"]);
        assert_eq!(found.targets[0].get(FILE_LABEL), dir.path().join("t-1.yaml").to_string_lossy());
        assert!(look(&patterns, &mut known, false).is_none(), "nothing has changed");
        write("t-2.yaml", "[{targets: [b]}]");
        write("t-1.yaml", "[{targets: [a, c]}]");
        assert_eq!(addresses(&look(&patterns, &mut known, false).unwrap().targets), ["a", "c", "b"]);
        write("t-1.yaml", "[{targets: [a");
        let found = look(&patterns, &mut known, false).unwrap();
        assert_eq!(addresses(&found.targets), ["a", "c", "b"]);
        assert!(found.trouble.unwrap().message().contains("t-1.yaml"));
        // A directory that cannot be looked at has what it had: this link leads to itself.
        let (aside, shown) = (dir.path().with_extension("aside"), dir.path());
        std::fs::rename(shown, &aside).unwrap();
        std::os::unix::fs::symlink(shown, shown).unwrap();
        let found = look(&patterns, &mut known, false).unwrap();
        assert_eq!(addresses(&found.targets), ["a", "c", "b"]);
        assert!(found.trouble.is_some());
        std::fs::remove_file(shown).unwrap();
        std::fs::rename(&aside, shown).unwrap();
        std::fs::remove_file(dir.path().join("t-1.yaml")).unwrap();
        let found = look(&patterns, &mut known, false).unwrap();
        assert_eq!((addresses(&found.targets), found.trouble), (vec!["b"], None));
        // One that is named is missed, and has no targets.
        let (patterns, mut known) = ([of("one.json")], BTreeMap::new());
        write("one.json", "[{\"targets\": [\"a\"]}]");
        assert_eq!(addresses(&look(&patterns, &mut known, false).unwrap().targets), ["a"]);
        std::fs::remove_file(dir.path().join("one.json")).unwrap();
        let found = look(&patterns, &mut known, false).unwrap();
        assert!(found.targets.is_empty() && found.trouble.unwrap().message().contains("one.json"));
        // What is no file is not waited for.
        nix::unistd::mkfifo(&dir.path().join("one.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(look(&patterns, &mut known, false).unwrap().trouble.unwrap().message().contains("not a regular file"));
    }
}
