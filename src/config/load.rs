//! The whole directory → one [`Loaded`]: every file read and checked, joined, with what was good
//! before standing in for what is broken now.
//!
//! Per file, a file that cannot be used keeps its last good content; per monitor, a definition that
//! no longer stands keeps its last good form. What is gone is gone. On a first load the valid rest
//! is used. The result depends on the files and the previous result only, and files that did not
//! change are not read again, so one changed file among 10,000 costs a walk over the directory.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::base::clock::Clock;
use crate::base::fnv;
use crate::base::name::MonitorName;
use crate::config::catalog::Catalog;
use crate::config::cx::Resolver;
use crate::config::depends;
use crate::config::files::{self, Found, MAIN_FILE, Part, Stamp, Tree};
use crate::config::main_file::{self, Main, MainSheet};
use crate::config::messages::{Messages, Named};
use crate::config::model::Config;
use crate::config::monitors::{self, Item, Sheet};
use crate::config::policy;
use crate::config::report::{self, Code, Mark, Source, whole_file};
use crate::config::rules::{self, RuleGroup};
use crate::config::slo;
use crate::wire::api::{Level, Problem};

/// Most problems that are listed; a directory of garbage must not fill the memory.
const MAX_PROBLEMS: usize = 10_000;
/// A file that changed less than this before it was read may change again without its times showing
/// it: the kernel's stamps advance in steps of up to 10 ms, some file systems' in whole seconds.
const SETTLED_MS: i64 = 2_000;
/// Threads that read files. Checking 10,000 monitors takes a processor half a second.
const MAX_WORKERS: usize = 4;
/// Fewer files than this are not worth a further thread.
const WORTH_A_THREAD: usize = 256;

/// The result of a load, and what the next one needs to know about this one.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub config: Arc<Config>,
    /// Everything that is wrong, in order of file, line and column.
    pub problems: Vec<Problem>,
    /// How many files were found.
    pub files: usize,
    /// Monitors that run on their last good form, in order of name.
    pub stale: Vec<MonitorName>,
    /// The configuration directory as given.
    pub dir: PathBuf,
    kept: BTreeMap<String, Kept>,
    main: Option<KeptMain>,
}

impl Loaded {
    /// Nothing loaded yet: what a first load may be compared with.
    pub fn empty(dir: &Path) -> Self {
        Self {
            config: Arc::default(),
            problems: Vec::new(),
            files: 0,
            stale: Vec::new(),
            dir: dir.to_owned(),
            kept: BTreeMap::new(),
            main: None,
        }
    }

    /// How many problems are errors.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.level == Level::Error).count()
    }
}

/// One file of the folders.
#[derive(Clone, Debug)]
struct Kept {
    /// `None` when the file must be read again in any case.
    stamp: Option<Stamp>,
    hash: u64,
    sheet: Arc<Sheet>,
    /// Monitors that run because of this file.
    running: Vec<MonitorName>,
    /// Groups of rules that run because of this file.
    rules: Vec<Arc<RuleGroup>>,
}

#[derive(Clone, Debug)]
struct KeptMain {
    stamp: Option<Stamp>,
    hash: u64,
    sheet: Arc<MainSheet>,
    good: Arc<Main>,
    /// What it was read with.
    messages: Messages,
}

/// Loads `dir`. Reads nothing outside it but what `resolver` reads, and opens no connection.
///
/// `previous` is the last result for the same directory: the source of last good content, and a
/// cache.
pub fn load(dir: &Path, catalog: &dyn Catalog, resolver: &dyn Resolver, previous: Option<&Loaded>) -> Loaded {
    let nothing = Loaded::empty(dir);
    let previous = previous.filter(|p| p.dir == dir).unwrap_or(&nothing);
    let mut tree = match files::scan(dir) {
        Ok(tree) => tree,
        Err(e) => {
            let message = format!("the configuration directory cannot be read: {e}");
            let problem = whole_file(Level::Error, ".", Code::BadFile, message, "create it with `watchdog init`");
            let stale = previous.config.monitors.keys().cloned().collect();
            return Loaded { problems: vec![problem], files: 0, stale, ..previous.clone() };
        }
    };
    let reader = Reader { tree: &tree, catalog, resolver, previous, now_ms: Clock::system().now().millis() };
    let (mains, others): (Vec<&Found>, Vec<&Found>) = tree.files.iter().partition(|f| f.part == Part::Main);
    let sheets = reader.files(&others);
    let paths = others.iter().map(|found| found.path.clone());
    let mut kept: BTreeMap<String, Kept> = paths.zip(sheets).filter_map(|(path, file)| Some((path, file?))).collect();
    let mut twice = Vec::new();
    let messages = named_messages(&kept, &mut twice);
    let mut main = mains.into_iter().find_map(|found| reader.main(found, &messages));
    if main.is_none() && tree.may_hold(MAIN_FILE) {
        main = previous.main.as_ref().map(|m| KeptMain { stamp: None, ..m.clone() });
    }
    for (path, before) in &previous.kept {
        if !kept.contains_key(path) && tree.may_hold(path) {
            let sheet = Arc::new(Sheet { lossy: true, ..Sheet::default() });
            let (running, rules) = (before.running.clone(), before.rules.clone());
            kept.insert(path.clone(), Kept { stamp: None, hash: 0, sheet, running, rules });
        }
    }
    let mut problems = std::mem::take(&mut tree.problems);
    problems.extend(twice);
    if kept.is_empty() && main.is_none() && problems.is_empty() {
        let hint = "run `watchdog init`, or name the right directory";
        problems.push(whole_file(Level::Warning, ".", Code::Suspicious, "there is no configuration here", hint));
    }
    let (mut monitors, stale) = join(&mut kept, previous, &mut problems);
    let items: Vec<&Item> = kept.values().flat_map(|k| &k.sheet.items).collect();
    let mentions = main.iter().flat_map(|m| &m.sheet.mentions);
    problems.extend(depends::check(&mut monitors, &items, mentions));
    let good = main.as_ref().map(|m| Arc::clone(&m.good)).unwrap_or_default();
    problems.extend(policy::check(&good.policy, items.iter().copied()));
    problems.extend(kept.values().flat_map(|k| k.sheet.problems.iter().cloned()));
    problems.extend(main.iter().flat_map(|m| m.sheet.problems.iter().cloned()));
    let said = items.iter().filter_map(|item| {
        let (slo, place) = item.slo.as_ref()?;
        Some((item.monitor.as_deref()?, *slo, place))
    });
    problems.extend(slo::check(said.clone(), good.storage.retention));
    let said = said.map(|(monitor, slo, _)| (&monitor.name, slo));
    let objectives = slo::objectives(&monitors, said, &stale, &previous.config.objectives);
    let of_objectives = objectives.values().flat_map(|o| o.groups.clone()).collect::<Vec<_>>().into_iter();
    let config = Config {
        server: good.server.clone(),
        storage: good.storage,
        query: good.query,
        intake: good.intake,
        heartbeat: good.heartbeat.clone(),
        policy: Arc::clone(&good.policy),
        probing: good.probing,
        itself: Arc::clone(&good.itself),
        receivers: good.receivers.clone(),
        alerting: Arc::clone(&good.alerting),
        monitors,
        rules: of_objectives.chain(kept.values().flat_map(|k| k.rules.iter().cloned())).collect(),
        objectives,
    };
    let files = tree.files.len();
    Loaded { config: Arc::new(config), problems: listed(problems), files, stale, dir: dir.to_owned(), kept, main }
}

/// The templates of messages of all files; a name that comes twice is its first file's.
fn named_messages(kept: &BTreeMap<String, Kept>, problems: &mut Vec<Problem>) -> Messages {
    let mut all = BTreeMap::new();
    for (path, file) in kept {
        for Named { name, message, place } in &file.sheet.messages {
            if all.contains_key(name) {
                let text = format!("a message template is named `{name}` already");
                let problem = whole_file(Level::Error, path, Code::DuplicateName, text, "give it another name");
                problems.push(Problem { line: place.0, column: place.1, ..problem });
                continue;
            }
            all.insert(name.clone(), message.clone());
        }
    }
    Arc::new(all)
}

fn listed(mut problems: Vec<Problem>) -> Vec<Problem> {
    report::sort(&mut problems);
    if problems.len() > MAX_PROBLEMS {
        let message = format!("{} more problems are not listed", problems.len() - MAX_PROBLEMS);
        problems.truncate(MAX_PROBLEMS);
        problems.push(whole_file(Level::Error, ".", Code::TooLarge, message, "fix those above, then check again"));
    }
    problems
}

struct Reader<'a> {
    tree: &'a Tree,
    catalog: &'a dyn Catalog,
    resolver: &'a dyn Resolver,
    previous: &'a Loaded,
    now_ms: i64,
}

impl Reader<'_> {
    /// The stamp, if equal times will mean equal content from now on.
    fn settled(&self, stamp: Stamp) -> Option<Stamp> {
        (self.now_ms - stamp.changed_ms() > SETTLED_MS).then_some(stamp)
    }

    /// Reads the files, several at a time when there are many. Files do not depend on each other.
    fn files(&self, list: &[&Found]) -> Vec<Option<Kept>> {
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS);
        let share = list.len().div_ceil(workers).max(WORTH_A_THREAD);
        let read = |share: &[&Found]| share.iter().map(|found| self.file(found)).collect::<Vec<_>>();
        thread::scope(|scope| {
            let mut shares = list.chunks(share);
            let own = shares.next().unwrap_or_default();
            let workers: Vec<_> = shares.map(|share| scope.spawn(move || read(share))).collect();
            let mut all = read(own);
            for worker in workers {
                all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            all
        })
    }

    /// `None` when the file vanished since it was listed.
    fn file(&self, found: &Found) -> Option<Kept> {
        let before = self.previous.kept.get(&found.path);
        if let Some(before) = before.filter(|b| b.stamp == Some(found.stamp) && !b.sheet.volatile) {
            return Some(before.clone());
        }
        let (stamp, text) = match self.tree.read(&found.path) {
            Ok(content) => content?,
            Err(problem) => {
                let sheet = Arc::new(Sheet { problems: vec![*problem], lossy: true, ..Sheet::default() });
                let rules = before.map(|b| b.rules.clone()).unwrap_or_default();
                return Some(Kept { stamp: None, hash: 0, sheet, running: Vec::new(), rules });
            }
        };
        let hash = fnv::of_text(&text);
        let sheet = match before.filter(|b| b.hash == hash && !b.sheet.volatile) {
            Some(before) => Arc::clone(&before.sheet),
            None => Arc::new(self.check(found, text)),
        };
        // A file of rules with a mistake keeps what it held, if it held anything.
        let good = before.filter(|b| sheet.lossy && !b.rules.is_empty()).map(|b| b.rules.clone());
        let rules = good.unwrap_or_else(|| sheet.groups.clone());
        Some(Kept { stamp: self.settled(stamp), hash, sheet, running: Vec::new(), rules })
    }

    fn check(&self, found: &Found, text: String) -> Sheet {
        let source = Source::new(found.path.clone(), text);
        match found.part {
            Part::Monitors => monitors::read(&source, self.catalog, self.resolver),
            Part::Templates => {
                let (messages, problems) = main_file::read_templates(&source, self.resolver);
                Sheet { messages, problems, ..Sheet::default() }
            }
            Part::Rules => rules::read(&source, self.resolver),
            Part::Main => Sheet { problems: main_file::read_unused(&source, self.resolver), ..Sheet::default() },
        }
    }

    fn main(&self, found: &Found, messages: &Messages) -> Option<KeptMain> {
        let before = self.previous.main.as_ref();
        // With other templates the same text may mean something else.
        let unchanged = before.is_some_and(|b| b.messages == *messages);
        if let Some(before) = before.filter(|b| unchanged && b.stamp == Some(found.stamp) && !b.sheet.volatile) {
            return Some(before.clone());
        }
        let good_before = before.map(|b| Arc::clone(&b.good));
        let (stamp, text) = match self.tree.read(&found.path) {
            Ok(content) => content?,
            Err(problem) => {
                let good = good_before.unwrap_or_default();
                let main = Arc::clone(&good);
                let problems = vec![*problem];
                let sheet = MainSheet { main, sound: false, problems, volatile: false, mentions: Vec::new() };
                let messages = Arc::clone(messages);
                return Some(KeptMain { stamp: None, hash: 0, sheet: Arc::new(sheet), good, messages });
            }
        };
        let hash = fnv::of_text(&text);
        let sheet = match before.filter(|b| unchanged && b.hash == hash && !b.sheet.volatile) {
            Some(before) => Arc::clone(&before.sheet),
            None => {
                let source = Source::new(found.path.clone(), text);
                Arc::new(main_file::read(&source, messages, self.catalog, self.resolver))
            }
        };
        let good = good_before.filter(|_| !sheet.sound).unwrap_or_else(|| Arc::clone(&sheet.main));
        Some(KeptMain { stamp: self.settled(stamp), hash, sheet, good, messages: Arc::clone(messages) })
    }
}

type Monitors = BTreeMap<MonitorName, Arc<crate::config::model::Monitor>>;

/// Joins the files: names are unique, the first in order of path has it; then what is broken gets
/// its last good form, unless the name is in use by now.
fn join(
    kept: &mut BTreeMap<String, Kept>,
    previous: &Loaded,
    problems: &mut Vec<Problem>,
) -> (Monitors, Vec<MonitorName>) {
    let mut monitors = Monitors::new();
    let mut owners: HashMap<&MonitorName, &Mark> = HashMap::new();
    let mut running: Vec<(Vec<MonitorName>, Vec<MonitorName>)> = Vec::with_capacity(kept.len());
    for file in kept.values() {
        let (mut mine, mut broken) = (Vec::with_capacity(file.sheet.items.len()), Vec::new());
        for item in &file.sheet.items {
            if let Some(owner) = owners.get(&item.name) {
                problems.push(clash(item, owner));
                continue;
            }
            owners.insert(&item.name, &item.name_at);
            match &item.monitor {
                Some(monitor) => {
                    monitors.insert(item.name.clone(), Arc::clone(monitor));
                    mine.push(item.name.clone());
                }
                None => broken.push(item.name.clone()),
            }
        }
        running.push((mine, broken));
    }
    let mut stale = Vec::new();
    for ((path, file), (mine, broken)) in kept.iter().zip(&mut running) {
        let mut keep = |name: &MonitorName| match previous.config.monitors.get(name) {
            Some(monitor) if !monitors.contains_key(name) => {
                monitors.insert(name.clone(), Arc::clone(monitor));
                stale.push(name.clone());
                true
            }
            Some(_) | None => false,
        };
        mine.extend(broken.drain(..).filter(|name| keep(name)));
        if file.sheet.lossy {
            let before = previous.kept.get(path).map(|b| b.running.as_slice()).unwrap_or_default();
            let lost = before.iter().filter(|name| !owners.contains_key(*name));
            mine.extend(lost.filter(|name| keep(name)).cloned());
        }
    }
    drop(owners);
    kept.values_mut().zip(running).for_each(|(file, (mine, _))| file.running = mine);
    stale.sort();
    (monitors, stale)
}

fn clash(item: &Item, owner: &Mark) -> Problem {
    let (path, at) = (owner.path(), owner.position());
    let message = format!("the name `{}` is taken by the monitor at {path}:{}:{}", item.name, at.line, at.column);
    item.name_at.problem(Level::Error, Code::DuplicateName, message, "give one of the two another name")
}
