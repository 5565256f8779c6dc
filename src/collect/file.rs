//! `type: file`: a file or the files of a pattern: there or not, how old, how large, with which content.
//!
//! Nothing of a file's content reaches the outcome: a monitor says what is expected, not what is there.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Sample, TOO_MANY_FILES, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::time::Timestamp;
use crate::base::units::{Exact, Short};
use crate::collect::fault::Fault;
use crate::collect::files::{self, Given, Looks, Pattern, path_fault};
use crate::collect::judge::{Judge, TextCheck, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Bytes of content that expressions are looked for in.
const MAX_CONTENT: u64 = 1 << 20;
/// Bytes hashed before it is looked whether anybody still waits.
const CHUNK: usize = 64 * 1024;

/// A checked `file` monitor.
#[derive(Debug)]
struct FileProbe {
    pattern: Pattern,
    shown: String,
    follow: bool,
    expect: Expect,
    looks: Looks,
    mask: Mask,
}

/// What is expected.
#[derive(Clone, Debug, Default)]
struct Expect {
    /// As written; `None` means `true`.
    exists: Option<bool>,
    newest: Span,
    oldest: Span,
    size: [Option<(u64, String)>; 2],
    count: [Option<(u64, String)>; 2],
    sha256: Option<(String, String)>,
    content: Vec<TextCheck>,
}

/// Limits of an age.
#[derive(Clone, Debug, Default)]
struct Span {
    below: Option<(Duration, String)>,
    above: Option<(Duration, String)>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "file",
    about: "A file, or the files of a pattern.",
    operand: Some(Operand::One { path: "path", name: "PATH", help: "Absolute path; `*` and `?` make it a pattern." }),
    flags: &[&[
        Flag::new("absent", "expect.exists", Form::Switch("false"), "It must not be there."),
        Flag::new("age-below", "expect.age.below", Form::One("DURATION"), "It must have changed within this time."),
        Flag::new("age-above", "expect.age.above", Form::One("DURATION"), "It must not have changed for this time."),
        Flag::new("oldest-below", "expect.oldest.below", Form::One("DURATION"), "So must the oldest of a pattern."),
        Flag::new("size-above", "expect.size.above", Form::One("SIZE"), "It must be larger."),
        Flag::new("size-below", "expect.size.below", Form::One("SIZE"), "It must be smaller."),
        Flag::new("count-at-least", "expect.count.at_least", Form::One("COUNT"), "Files that a pattern must yield."),
        Flag::new("count-at-most", "expect.count.at_most", Form::One("COUNT"), "Files that it may yield."),
        Flag::new("sha256", "expect.sha256", Form::One("HEX"), "Hash of its content."),
        Flag::new("expect-contains", "expect.content.contains", Form::Many("TEXT"), "Text that it must contain."),
        Flag::new("expect-matches", "expect.content.matches", Form::Many("REGEX"), "Expression that it must match."),
        Flag::new("no-symlink", "symlinks", Form::Switch("refuse"), "It must not be a symbolic link."),
    ]],
    metrics: &[&[
        Metric::gauge("probe_file_exists", "1 where there is a file"),
        Metric::gauge("probe_file_count", "Files that were found"),
        Metric::gauge("probe_file_oldest_modified_timestamp_seconds", "When the oldest file was written, since 1970"),
        Metric::gauge("probe_file_modified_timestamp_seconds", "When the newest file was written, since 1970"),
        Metric::gauge("probe_file_size_bytes", "Size of the newest file"),
    ]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let pattern = Pattern::read(fields, "path", "write e.g. `path: /var/backups/shop-*.sql.gz`");
    let follow = fields.parse("symlinks", "write `symlinks: follow` or `symlinks: refuse`", |text| match text {
        "follow" => Ok(true),
        "refuse" => Ok(false),
        other => Err(format!("`{other}` is neither follow nor refuse")),
    });
    let mut expect = Expect::default();
    if let Some(mut own) = fields.nested_of("expect", "exists") {
        read_expect(&mut own, &mut expect);
        own.finish();
    }
    let (pattern, text) = pattern?;
    let mut mask = Mask::default();
    mask.add_text(&text);
    if fields.cx().error_count() > errors {
        return None;
    }
    let shown = text.shown().to_owned();
    let follow = follow.unwrap_or(true);
    let probe = FileProbe { pattern, shown: shown.clone(), follow, expect, looks: Looks::default(), mask };
    Some(Probe::new("file", shown, probe))
}

fn read_expect(own: &mut Fields<'_>, expect: &mut Expect) {
    expect.exists = own.bool("exists");
    expect.newest = Span::read(own, "age", "age");
    expect.oldest = Span::read(own, "oldest", "age of the oldest");
    if let Some(mut size) = own.nested_of("size", "above") {
        let limits = 0..=1 << 60;
        let above = size.size("above", limits.clone()).map(|n| (n, format!("size above {n} bytes")));
        let below = size.size("below", limits).map(|n| (n, format!("size below {n} bytes")));
        size.finish();
        expect.size = [above, below];
    }
    if let Some(mut count) = own.nested_of("count", "at_least") {
        let limits = 0..=i64::try_from(files::MAX_ENTRIES).unwrap_or(i64::MAX);
        let mut get = |key, words: &str| {
            let n = count.integer(key, limits.clone()).and_then(|n| u64::try_from(n).ok())?;
            Some((n, format!("{words} {n} files")))
        };
        expect.count = [get("at_least", "at least"), get("at_most", "at most")];
        count.finish();
    }
    expect.sha256 = own
        .parse("sha256", "write the 64 digits that `sha256sum` prints", |text| {
            let sound = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            sound.then(|| text.to_ascii_lowercase()).ok_or("this is not a SHA-256 hash")
        })
        .map(|hash| (format!("SHA-256 is {}…", &hash[..12]), hash));
    if let Some(mut content) = own.nested_of("content", "contains") {
        expect.content = TextCheck::read(&mut content, "content", true);
        content.finish();
    }
    let more = !expect.names().is_empty();
    if !expect.wanted() && more {
        let message = "`exists: false` leaves nothing else to expect";
        own.error(own.head(), Code::Conflict, message, "take the other lines out, or `exists`");
    }
}

impl Span {
    fn read(own: &mut Fields<'_>, key: &'static str, what: &str) -> Self {
        let Some(mut span) = own.nested_of(key, "below") else { return Self::default() };
        let limits = Duration::from_secs(1)..=Duration::from_secs(20 * 365 * 86_400);
        let below = span.duration("below", limits.clone()).map(|d| (d, format!("{what} below {}", Exact(d))));
        let above = span.duration("above", limits).map(|d| (d, format!("{what} above {}", Exact(d))));
        span.finish();
        Self { below, above }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.below.iter().chain(&self.above).map(|(_, name)| name.as_str())
    }

    fn judge(&self, modified: Timestamp, now: Timestamp, judge: &mut Judge) {
        // A file from the future is as young as can be; that clocks differ is another monitor's business.
        let age = Duration::from_millis(u64::try_from(now.millis() - modified.millis()).unwrap_or(0));
        if let Some((limit, name)) = &self.below {
            judge.hold("age", name, age < *limit, Short(age).to_string());
        }
        if let Some((limit, name)) = &self.above {
            judge.hold("age", name, age > *limit, Short(age).to_string());
        }
    }
}

impl Expect {
    /// Whether something must be there.
    fn wanted(&self) -> bool {
        self.exists != Some(false)
    }

    /// Whether nothing is expected but a number of files, which may be none.
    fn is_count_alone(&self) -> bool {
        let counts = self.count.iter().flatten().count();
        counts > 0 && self.exists.is_none() && self.names().len() == counts
    }

    /// All but those of the number of files.
    fn beside_count(&self) -> impl Iterator<Item = &str> {
        let counts = |name: &str| self.count.iter().flatten().any(|(_, count)| count == name);
        self.names().into_iter().filter(move |name| !counts(name))
    }

    fn names(&self) -> Vec<&str> {
        let numbers = self.size.iter().chain(&self.count).flatten().map(|(_, name)| name.as_str());
        let hash = self.sha256.iter().map(|(name, _)| name.as_str());
        let ages = self.newest.names().chain(self.oldest.names());
        ages.chain(numbers).chain(hash).chain(self.content.iter().map(TextCheck::name)).collect()
    }
}

/// What a look found. Size, hash and content are those of the newest file.
#[derive(Debug)]
struct Found {
    files: u64,
    /// There are more entries than are looked at: `files` is the least number, and nothing is known of the rest.
    more: bool,
    newest: Option<Newest>,
    oldest: Option<Timestamp>,
}

#[derive(Debug)]
struct Newest {
    path: PathBuf,
    modified: Timestamp,
    size: u64,
    sha256: Option<String>,
    /// Whether each expectation about the content holds.
    content: Vec<bool>,
    /// There was more content than was looked at.
    cut: bool,
}

impl Collector for FileProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        let (pattern, follow, expect) = (self.pattern.clone(), self.follow, self.expect.clone());
        let look = move |given: &Given| look(&pattern, follow, &expect, given);
        let judge = |found: Result<Found, Fault>| match found {
            Ok(found) if found.more => self.judge_part(&found),
            Ok(found) => self.judge(&found, cx.now),
            Err(fault) => Outcome { checks: unjudged(self.expect.names()), ..fault.outcome() },
        };
        Box::pin(files::probe(cx, &self.looks, (&self.shown, &self.mask), look, judge))
    }
}

impl FileProbe {
    fn judge(&self, found: &Found, now: Timestamp) -> Outcome {
        let mut judge = Judge::default();
        let expect = &self.expect;
        let many = self.pattern.is_pattern();
        match (&found.newest, expect.wanted()) {
            (Some(newest), false) => {
                judge.hold("exists", "no such file", false, newest.path.display().to_string());
            }
            (None, true) if !expect.is_count_alone() => {
                let message = if many { "no file matches" } else { "the file does not exist" };
                judge.fail("absent", format!("{message}: `{}`", self.shown));
                expect.beside_count().for_each(|name| judge.skip(name));
            }
            (Some(_), true) | (None, _) => {}
        }
        let [least, most] = &expect.count;
        if let Some((n, name)) = least {
            judge.hold("count", name, found.files >= *n, found.files.to_string());
        }
        if let Some((n, name)) = most {
            judge.hold("count", name, found.files <= *n, found.files.to_string());
        }
        let mut summary = if expect.wanted() { "no file".to_owned() } else { "not there".to_owned() };
        if let Some(newest) = found.newest.as_ref().filter(|_| expect.wanted()) {
            expect.newest.judge(newest.modified, now, &mut judge);
            if let Some(oldest) = found.oldest {
                expect.oldest.judge(oldest, now, &mut judge);
            }
            let [above, below] = &expect.size;
            if let Some((n, name)) = above {
                judge.hold("size", name, newest.size > *n, format!("{} bytes", newest.size));
            }
            if let Some((n, name)) = below {
                judge.hold("size", name, newest.size < *n, format!("{} bytes", newest.size));
            }
            if let (Some((name, want)), Some(hash)) = (&expect.sha256, &newest.sha256) {
                judge.hold("hash", name, hash == want, format!("{}…", &hash[..12]));
            }
            for (check, ok) in expect.content.iter().zip(&newest.content) {
                judge.hold(
                    "content",
                    check.name(),
                    *ok,
                    if newest.cut { "only the first MiB was looked at" } else { "" },
                );
            }
            let age = Duration::from_millis(u64::try_from(now.millis() - newest.modified.millis()).unwrap_or(0));
            let files = if many { format!("{} files, the newest ", found.files) } else { String::new() };
            summary = format!("{files}{} bytes, changed {} ago", newest.size, Short(age));
        }
        let mut outcome = judge.outcome(summary);
        outcome.samples = samples(found, many);
        if let Some(newest) = &found.newest {
            let text = format!("{}\nchanged {}\n{} bytes", newest.path.display(), newest.modified, newest.size);
            outcome.evidence =
                Some(Evidence { items: vec![("newest".into(), text)] }).filter(|_| outcome.verdict != Verdict::Up);
        }
        outcome
    }

    /// Judges what is sure although not all files were looked at: the newest of them may be any other.
    fn judge_part(&self, found: &Found) -> Outcome {
        let (mut judge, expect) = (Judge::default(), &self.expect);
        let seen = format!("{} or more", found.files);
        let mut sure = expect.is_count_alone() || (expect.wanted() && found.files > 0);
        if !expect.wanted() && found.files > 0 {
            judge.hold("exists", "no such file", false, format!("{seen} files"));
        }
        let [least, most] = &expect.count;
        let at_least = least.iter().map(|(n, name)| (name, (found.files >= *n).then_some(true)));
        let at_most = most.iter().map(|(n, name)| (name, (found.files > *n).then_some(false)));
        for (name, holds) in at_least.chain(at_most) {
            sure &= holds.is_some();
            match holds {
                Some(ok) => judge.hold("count", name, ok, seen.clone()),
                None => judge.skip(name),
            }
        }
        for name in expect.beside_count() {
            sure = false;
            judge.skip(name);
        }
        let mut outcome = judge.outcome(format!("{seen} files"));
        if outcome.verdict == Verdict::Up && !sure {
            let most = files::MAX_ENTRIES;
            let message = format!("not all files were looked at: their directories have more than {most} entries");
            outcome = outcome.with_verdict(Verdict::Unknown, TOO_MANY_FILES, message);
        }
        if found.files > 0 {
            outcome.samples.push(Sample::new("probe_file_exists", 1.0));
        }
        outcome.samples.push(Sample::new("probe_file_count", found.files as f64));
        outcome
    }
}

fn samples(found: &Found, many: bool) -> Vec<Sample> {
    let seconds = |at: Timestamp| at.millis() as f64 / 1000.0;
    let exists = f64::from(u8::from(found.newest.is_some()));
    let mut out = vec![Sample::new("probe_file_exists", exists)];
    if many {
        out.push(Sample::new("probe_file_count", found.files as f64));
        out.extend(found.oldest.map(|at| Sample::new("probe_file_oldest_modified_timestamp_seconds", seconds(at))));
    }
    if let Some(newest) = &found.newest {
        out.push(Sample::new("probe_file_modified_timestamp_seconds", seconds(newest.modified)));
        out.push(Sample::new("probe_file_size_bytes", newest.size as f64));
    }
    out
}

/// Looks at the files; runs on a thread of its own.
fn look(pattern: &Pattern, follow: bool, expect: &Expect, given: &Given) -> Result<Found, Fault> {
    let (paths, whole) = match pattern.expand(given) {
        // Where there is no directory, there are no files in it.
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            (Vec::new(), true)
        }
        expanded => expanded.map_err(|e| Fault::io("reading the directory", &e))?,
    };
    let mut found = Found { files: 0, more: !whole, newest: None, oldest: None };
    for path in paths {
        if given.up() {
            return Err(Fault::timeout("the look was given up"));
        }
        let facts = match follow {
            true => std::fs::metadata(&path),
            false => std::fs::symlink_metadata(&path),
        };
        let facts = match facts {
            Ok(facts) => facts,
            // Gone since the directory was read, or never there; or a link that leads nowhere.
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => continue,
            Err(e) => return Err(path_fault("looking at", &path, &e)),
        };
        if facts.is_symlink() {
            let message = format!("`{}` is a symbolic link", path.display());
            return Err(Fault::target("symlink", message));
        }
        // A pattern means files; whoever means a directory names it.
        if pattern.is_pattern() && !facts.is_file() {
            continue;
        }
        found.files += 1;
        if !whole {
            continue;
        }
        let modified = facts.modified().map_err(|e| path_fault("looking at", &path, &e))?;
        let modified = stamp(modified);
        found.oldest = Some(found.oldest.map_or(modified, |o| if modified < o { modified } else { o }));
        if found.newest.as_ref().is_none_or(|n| n.modified <= modified) {
            found.newest =
                Some(Newest { path, modified, size: facts.len(), sha256: None, content: Vec::new(), cut: false });
        }
    }
    if let Some(newest) = &mut found.newest
        && expect.wanted()
    {
        content(newest, follow, expect, given)?;
    }
    Ok(found)
}

/// Reads the newest file, as far as something is expected of its content.
fn content(newest: &mut Newest, follow: bool, expect: &Expect, given: &Given) -> Result<(), Fault> {
    if expect.content.is_empty() && expect.sha256.is_none() {
        return Ok(());
    }
    let fail = |e: &std::io::Error, path: &PathBuf| path_fault("reading", path, e);
    let (mut file, _) = files::open(&newest.path, follow).map_err(|e| fail(&e, &newest.path))?;
    let mut start = Vec::new();
    (&mut file).take(MAX_CONTENT).read_to_end(&mut start).map_err(|e| fail(&e, &newest.path))?;
    if !expect.content.is_empty() {
        let text = String::from_utf8_lossy(&start);
        newest.cut = file.metadata().is_ok_and(|facts| facts.len() > MAX_CONTENT);
        newest.content = expect.content.iter().map(|c| c.holds(&text)).collect();
    }
    if expect.sha256.is_some() {
        let mut hash = Context::new(&SHA256);
        hash.update(&start);
        let mut chunk = vec![0; CHUNK];
        loop {
            if given.up() {
                return Err(Fault::timeout("the look was given up"));
            }
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => hash.update(&chunk[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(fail(&e, &newest.path)),
            }
        }
        newest.sha256 = Some(hash.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect());
    }
    Ok(())
}

/// A file's time. One before 1970 counts as then.
fn stamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::collect::kinds::testing::{outcome, problems};

    async fn class(text: &str) -> String {
        let got = outcome("file", text).await;
        got.reason.map_or_else(String::new, |r| r.class.into_owned())
    }

    #[tokio::test]
    async fn a_file_is_judged_by_age_size_hash_and_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        fs::write(&path, "backup done\n").unwrap();
        let path = path.display();
        // sha256sum of this very line.
        let hash = "83b77a5f0ef2a653b8339653d923a044a94411eebf2713eae81a6572b68cda1e";
        for (expect, want) in [
            ("{}", ""),
            ("{exists: false}", "exists"),
            ("{age: {below: 1h}}", ""),
            ("{age: {above: 1h}}", "age"),
            ("{size: {above: 5}}", ""),
            ("{size: {above: 1KiB}}", "size"),
            ("{content: {contains: done}}", ""),
            ("{content: {matches: '^backup \\w+\\s*$'}}", ""),
            ("{content: {not_contains: done}}", "content"),
            (&format!("{{sha256: {hash}}}"), ""),
            (&format!("{{sha256: {}}}", "0".repeat(64)), "hash"),
        ] {
            assert_eq!(class(&format!("{{path: {path}, expect: {expect}}}")).await, want, "{expect}");
        }
        assert_eq!(class(&format!("{{path: {path}x}}")).await, "absent");
        assert_eq!(class(&format!("{{path: {path}x, expect: {{exists: false}}}}")).await, "");
    }

    #[tokio::test]
    async fn of_a_pattern_the_newest_and_the_number_count() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, age: u64, size: usize| {
            let path = dir.path().join(name);
            fs::write(&path, vec![b'x'; size]).unwrap();
            let time = fs::metadata(&path).unwrap().modified().unwrap() - Duration::from_secs(age);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        at("a.gz", 90_000, 10);
        at("b.gz", 60, 2_000);
        fs::create_dir(dir.path().join("c.gz")).unwrap();
        let glob = format!("{}/*.gz", dir.path().display());
        for (expect, want) in [
            ("{age: {below: 1h}, size: {above: 1000}, count: {at_least: 2, at_most: 2}}", ""),
            ("{oldest: {below: 1d}}", "age"),
            ("{count: {at_least: 3}}", "count"),
        ] {
            assert_eq!(class(&format!("{{path: '{glob}', expect: {expect}}}")).await, want, "{expect}");
        }
        let got = outcome("file", &format!("{{path: '{glob}'}}")).await;
        assert!(got.samples.iter().any(|s| s.name == "probe_file_count" && s.value == 2.0), "{:?}", got.samples);
        let none = |expect: &str| format!("{{path: '{}/*.zip', expect: {expect}}}", dir.path().display());
        for (expect, want) in [
            ("{count: {at_most: 0}}", ""),
            ("{count: {at_least: 1}}", "count"),
            ("{count: {at_most: 30}, age: {below: 26h}}", "absent"),
            ("{count: {at_most: 30}, oldest: {below: 26h}}", "absent"),
            ("{count: {at_most: 30}, size: {above: 1}}", "absent"),
            ("{count: {at_most: 30}, content: {contains: x}}", "absent"),
            ("{count: {at_most: 30}, exists: true}", "absent"),
        ] {
            assert_eq!(class(&none(expect)).await, want, "{expect}");
        }
        let nowhere = |expect: &str| format!("{{path: '{}/none/*', expect: {expect}}}", dir.path().display());
        for (expect, want) in [
            ("{exists: false}", ""),
            ("{count: {at_most: 0}}", ""),
            ("{count: {at_least: 1}}", "count"),
            ("{}", "absent"),
        ] {
            assert_eq!(class(&nowhere(expect)).await, want, "{expect}");
        }
        let got = outcome("file", &none("{count: {at_most: 30}, age: {below: 26h}}")).await;
        let checks: Vec<_> = got.checks.iter().map(|c| (c.name.as_str(), c.ok)).collect();
        assert_eq!(checks, [("age below 1d2h", None), ("at most 30 files", Some(true))]);
    }

    #[test]
    fn of_files_that_were_not_all_looked_at_only_what_is_sure_is_said() {
        #[track_caller]
        fn check(files: u64, lines: impl FnOnce(&mut Expect), want: Verdict, class: &str) {
            let mut expect = Expect::default();
            lines(&mut expect);
            let probe = FileProbe {
                pattern: Pattern::new("/x/*"),
                shown: "/x/*".into(),
                follow: true,
                expect,
                looks: Looks::default(),
                mask: Mask::default(),
            };
            let got = probe.judge_part(&Found { files, more: true, newest: None, oldest: None });
            let seen = got.reason.map_or_else(String::new, |r| r.class.into_owned());
            assert_eq!((got.verdict, seen.as_str()), (want, class));
        }
        let limit = |n: u64| Some((n, format!("{n}")));
        let age = || Span { below: Some((Duration::from_secs(60), "age".into())), above: None };
        let unsure = "too_many_files";
        check(50, |_| {}, Verdict::Up, "");
        check(0, |_| {}, Verdict::Unknown, unsure);
        check(50, |e| e.newest = age(), Verdict::Unknown, unsure);
        check(50, |e| e.oldest = age(), Verdict::Unknown, unsure);
        check(50, |e| e.count = [limit(50), None], Verdict::Up, "");
        check(50, |e| e.count = [limit(51), None], Verdict::Unknown, unsure);
        check(50, |e| e.count = [None, limit(50)], Verdict::Unknown, unsure);
        check(50, |e| e.count = [None, limit(49)], Verdict::Down, "count");
        let both = |e: &mut Expect| (e.count, e.newest) = ([None, limit(49)], age());
        check(50, both, Verdict::Down, "count");
        check(50, |e| e.exists = Some(false), Verdict::Down, "exists");
        check(0, |e| e.exists = Some(false), Verdict::Unknown, unsure);
    }

    #[tokio::test]
    async fn links_and_pipes_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let (link, pipe) = (dir.path().join("link"), dir.path().join("pipe"));
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(class(&format!("{{path: {}, symlinks: refuse}}", link.display())).await, "symlink");
        assert_eq!(class(&format!("{{path: {}, expect: {{content: {{contains: x}}}}}}", pipe.display())).await, "io");
        let looped = dir.path().join("loop");
        std::os::unix::fs::symlink(&looped, &looped).unwrap();
        assert_ne!(class(&format!("{{path: {}}}", looped.display())).await, "");
    }

    #[tokio::test]
    async fn it_is_said_that_only_the_beginning_was_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for (size, want) in [(1 << 20, ""), ((1 << 20) + 1, "only the first MiB was looked at")] {
            let path = dir.path().join(size.to_string());
            fs::write(&path, vec![b'x'; size]).unwrap();
            let text = format!("{{path: {}, expect: {{content: {{not_contains: y}}}}}}", path.display());
            let got = outcome("file", &text).await;
            assert_eq!((got.verdict, got.checks[0].found.as_str()), (Verdict::Up, want));
        }
    }

    #[tokio::test]
    async fn content_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        fs::write(&path, "top-secret-word").unwrap();
        let got = outcome("file", &format!("{{path: {}, expect: {{content: {{contains: x}}}}}}", path.display())).await;
        assert!(!format!("{got:?}").contains("top-secret-word"));
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("file", "{path: backup.gz}")[0].contains("not an absolute path"));
        assert!(problems("file", "{path: /x, expect: {sha256: abc}}")[0].contains("not a SHA-256"));
        assert!(problems("file", "{path: /x, expect: {exists: false, age: {below: 1h}}}")[0].contains("nothing else"));
    }
}
