//! `file_sd_configs`: lists of targets in files of JSON or YAML, read again as soon as they change.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
/// Files that one pattern may stand for.
const MAX_FILES: usize = 1_000;

/// The patterns of one entry.
#[derive(Debug)]
pub struct Files {
    patterns: Vec<PathBuf>,
    /// What is known of each file. Held on one blocking thread at a time.
    known: Arc<Mutex<BTreeMap<PathBuf, Known>>>,
}

/// A file as it was read.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Device, inode, size and time of the last change.
    stamp: Option<(u64, u64, u64, i64, i64)>,
    found: Vec<Draft>,
    trouble: Option<String>,
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
        for text in texts {
            let path = PathBuf::from(text.value());
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let known = [".json", ".yml", ".yaml"].iter().any(|end| name.ends_with(end));
            let stars = text.value().matches('*').count();
            let why = if !path.is_absolute() {
                "is not an absolute path"
            } else if !known {
                "ends in none of `.json`, `.yml` and `.yaml`"
            } else if stars > 1 || stars != name.matches('*').count() {
                "may have one `*`, in the name of the file"
            } else {
                patterns.push(path);
                continue;
            };
            let hint = "write e.g. `/etc/watchdog/targets/*.yaml`";
            fields.error(text.span, Code::BadValue, format!("`{}` {why}", text.shown()), hint);
        }
        (fields.cx().error_count() == errors).then(|| Self { patterns, known: Arc::default() })
    }

    /// For people.
    pub fn describe(&self) -> String {
        self.patterns.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// What the files say; nothing when none of them has changed. All are read when it is time to look `again`.
    ///
    /// # Errors
    /// Looking failed; a sentence.
    pub async fn ask(&self, again: bool) -> Result<Option<Found>, String> {
        let (patterns, known) = (self.patterns.clone(), Arc::clone(&self.known));
        let work = tokio::task::spawn_blocking(move || {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            look(&patterns, &mut known, again)
        });
        work.await.map_err(|e| format!("looking at files of targets crashed: {e}"))
    }
}

/// Looks at the files that there are now.
fn look(patterns: &[PathBuf], known: &mut BTreeMap<PathBuf, Known>, again: bool) -> Option<Found> {
    let mut there = BTreeMap::new();
    let mut changed = again;
    for path in patterns.iter().flat_map(|pattern| expanded(pattern)) {
        let before = known.get(&path).cloned().unwrap_or_default();
        let stamp = std::fs::metadata(&path).ok().map(|m| (m.dev(), m.ino(), m.size(), m.ctime(), m.ctime_nsec()));
        if stamp.is_some() && stamp == before.stamp && !again {
            there.insert(path, before);
            continue;
        }
        changed = true;
        let now = match read(&path) {
            Ok(found) => Known { stamp, found, trouble: None },
            // What it said last stands until it can be read again.
            Err(why) => Known { stamp, trouble: Some(format!("{}: {why}", path.display())), ..before },
        };
        there.insert(path, now);
    }
    changed |= there.len() != known.len();
    *known = there;
    changed.then(|| Found {
        targets: known.values().flat_map(|file| file.found.iter().cloned()).collect(),
        trouble: known.values().find_map(|file| file.trouble.clone()),
    })
}

/// The files that a pattern stands for. A name without a star stands for itself, there or not.
fn expanded(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (Some((start, end)), Some(dir)) = (name.split_once('*'), pattern.parent()) else {
        return vec![pattern.to_owned()];
    };
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let fits = |name: &str| {
        let long = name.len() >= start.len() + end.len();
        long && name.starts_with(start) && name.ends_with(end) && !name.starts_with('.')
    };
    let found = entries.flatten().filter(|entry| fits(&entry.file_name().to_string_lossy()));
    let mut all: Vec<PathBuf> = found.take(MAX_FILES).map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn read(path: &Path) -> Result<Vec<Draft>, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MiB", MAX_FILE >> 20));
    }
    let mut found = groups(&text)?;
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
        let patterns = [dir.path().join("t-*.yaml")];
        let mut known = BTreeMap::new();
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
        assert!(found.trouble.unwrap().contains("t-1.yaml"));
        std::fs::remove_file(dir.path().join("t-1.yaml")).unwrap();
        let found = look(&patterns, &mut known, false).unwrap();
        assert_eq!((addresses(&found.targets), found.trouble), (vec!["b"], None));
    }
}
