//! `type: script`: runs a program and judges it as Nagios does.
//!
//! No shell, no inherited environment, no standard input, limits of time, output and processes, and nothing
//! that the program starts outlives its run: [`keeper`] says how. [`report`] reads what it prints.

pub mod exposition;
pub mod keeper;
pub mod report;
pub mod run;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::unistd::{User, geteuid};

use crate::base::BoxFuture;
use crate::base::metadata::Meta;
use crate::base::outcome::{Evidence, Outcome, Verdict};
use crate::base::policy::Launch;
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::collect::fault::Fault;
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::collect::script::exposition::{Described, Said};
use crate::collect::script::keeper::{End, Order};
use crate::collect::script::report::{Format, judge};
use crate::collect::script::run::{Output, not_started, run};
use crate::collect::trace::Trace;
use crate::config::catalog::Probe;
use crate::config::fields::{Fields, Text};
use crate::config::policy::located;
use crate::config::report::Code;
use crate::config::yaml::Value;

/// Bytes kept of each of the two outputs, where nothing else is said.
const MAX_OUTPUT: usize = 64 * 1024;
/// The same when the output is metrics: node_exporter prints 100 KiB.
const MAX_METRICS: usize = 1 << 20;
/// Bytes of each shown as evidence.
const MAX_EVIDENCE: usize = 4 * 1024;
/// Bytes of a description that the store keeps.
const MAX_DESCRIPTION: usize = 1_024;
/// What is passed on of our own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];
/// A program with the C library has some 3 MiB of addresses, a shell with another below it not twice as much.
const LEAST_MEMORY: u64 = 16 << 20;
/// Processes that a program may have at a time.
const MAX_PROCESSES: u64 = 256;

/// A checked `script` monitor.
#[derive(Debug)]
struct Script {
    argv: Vec<Secret<String>>,
    shown: String,
    env: Vec<(String, Secret<String>)>,
    inherit: Vec<String>,
    cwd: Option<PathBuf>,
    user: Option<String>,
    format: Format,
    max_output: usize,
    max_processes: u64,
    max_memory: Option<u64>,
    mask: Mask,
    told: Mutex<Told>,
}

/// What the program says of its metrics. Held for a moment.
#[derive(Default)]
struct Told {
    /// Hash of what it said last.
    hash: u64,
    /// The same, until somebody takes it; secrets are not hidden yet.
    news: Vec<(String, Meta)>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.news.len())
    }
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "script",
    about: "One run of a program, judged as Nagios does.",
    operand: Some(Operand::Rest {
        path: "command",
        name: "COMMAND",
        help: "Program and its arguments; no shell is involved.",
    }),
    flags: &[&[
        Flag::new("env", "env.*", Form::Pairs('=', "NAME=VALUE"), "Variable of the program's environment."),
        Flag::new("inherit", "inherit", Form::List("NAME"), "Variable to pass on beside PATH, HOME and LANG."),
        Flag::new("cwd", "cwd", Form::Path("DIR"), "Directory to run it in."),
        Flag::new("user", "user", Form::One("NAME"), "Run it as this user; only root can."),
        Flag::new("output", "output", Form::One("FORMAT"), "What it prints: `nagios`, `prometheus` or `json`."),
    ]],
    metrics: &[&[
        Metric::gauge("nagios_perf", "A value that the plugin measured"),
        Metric::gauge("nagios_perf_warn", "Above this the plugin warns"),
        Metric::gauge("nagios_perf_warn_low", "Below this the plugin warns"),
        Metric::gauge("nagios_perf_crit", "Above this the plugin is critical"),
        Metric::gauge("nagios_perf_crit_low", "Below this the plugin is critical"),
        Metric::gauge("nagios_perf_min", "Least that a value of the plugin can be"),
        Metric::gauge("nagios_perf_max", "Most that a value of the plugin can be"),
    ]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let argv = command(fields, &mut mask);
    let mut env = Vec::new();
    for (entry, text) in fields.pairs("env") {
        if !is_variable(&entry.key) {
            let message = format!("`{}` is not a name of a variable", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `_`");
        }
        mask.add_text(&text);
        env.push((entry.key.clone(), text.secret()));
    }
    let mut inherit = Vec::new();
    for text in fields.texts("inherit") {
        if !is_variable(text.value()) {
            let message = format!("`{}` is not a name of a variable", text.shown());
            fields.error(text.span, Code::BadValue, message, "write names, e.g. `inherit: [HTTP_PROXY]`");
        }
        inherit.push(text.value().to_owned());
    }
    let cwd = fields.text("cwd");
    if let Some(dir) = cwd.as_ref().filter(|d| !d.value().starts_with('/')) {
        let message = format!("`cwd` is `{}`, which is not an absolute path", dir.shown());
        fields.error(dir.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
    }
    let cwd = cwd.map(|t| PathBuf::from(t.value()));
    let user = fields.text("user").map(|t| t.value().to_owned());
    let hint = "write `output: nagios`, `output: prometheus` or `output: json`";
    let format = fields.parse("output", hint, Format::parse).unwrap_or_default();
    let most = if format == Format::Nagios { MAX_OUTPUT } else { MAX_METRICS };
    let max_output = fields.size("max_output", 1024..=16 << 20);
    let max_output = max_output.map_or(most, |n| usize::try_from(n).unwrap_or(most));
    let max_processes = fields.integer("max_processes", 1..=100_000);
    let max_memory = fields.size("max_memory", LEAST_MEMORY..=1 << 40);
    if fields.cx().error_count() > errors || argv.is_empty() {
        return None;
    }
    let shown = argv.iter().map(Text::shown).collect::<Vec<_>>().join(" ");
    let program = argv.first().map(|text| text.value().into()).unwrap_or_default();
    let passed = inherit.iter().filter(|name| !INHERITED.contains(&name.as_str()));
    let variables = env.iter().map(|(name, _)| name).chain(passed).map(|name| name.as_str().into()).collect();
    let argv = argv.into_iter().map(Text::secret).collect();
    let max_processes = max_processes.map_or(MAX_PROCESSES, i64::unsigned_abs);
    let shape = Script {
        argv,
        shown: shown.clone(),
        env,
        inherit,
        cwd,
        user,
        format,
        max_output,
        max_processes,
        max_memory,
        mask,
        told: Mutex::default(),
    };
    Some(Probe::new("script", shown, shape).runs(Launch { program, variables }))
}

/// The program and its arguments.
fn command(fields: &mut Fields<'_>, mask: &mut Mask) -> Vec<Text> {
    let hint = "write a list, e.g. `command: [/usr/lib/nagios/plugins/check_disk, -w, 10%]`";
    let Some(node) = fields.node("command") else {
        fields.missing("command", hint);
        return Vec::new();
    };
    if let Value::Scalar { text, .. } = &node.value
        && text.trim().contains(char::is_whitespace)
    {
        let words: Vec<&str> = text.split_whitespace().collect();
        let message = "`command` is one text with blanks; no shell takes it apart";
        let list = format!("write a list: `command: [{}]`", words.join(", "));
        fields.error(node.span, Code::WrongType, message, list);
    }
    let argv = fields.texts("command");
    if let Some(first) = argv.first()
        && first.value().trim().is_empty()
    {
        fields.error(first.span, Code::BadValue, "the program's name is empty", hint);
    }
    for text in &argv {
        mask.add_text(text);
        if text.value().contains('\0') {
            fields.error(text.span, Code::BadValue, "an argument holds a NUL byte", "remove it");
        }
    }
    argv
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

impl Collector for Script {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (mut out, mut err) = (Output::new(self.max_output), Output::new(self.max_output));
            let mut trace = Trace::start();
            trace.begin("run");
            let ended = match self.order(cx) {
                Ok(order) => run(&order, cx, &mut out, &mut err).await.and_then(|end| self.ended(&order, end)),
                Err(fault) => Err(fault),
            };
            let mut outcome = match ended {
                Ok(end) => judge(self.format, end, &out, &err, |described| self.hear(described)),
                Err(fault) => {
                    trace.fail();
                    fault.outcome()
                }
            };
            trace.end();
            outcome.phases = trace.take_phases();
            if outcome.verdict != Verdict::Up {
                outcome.evidence = Some(self.evidence(&out, &err));
            }
            self.mask.hide_in(&mut outcome);
            outcome
        })
    }

    fn take_described(&self) -> Vec<(String, Meta)> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner).news)
    }
}

impl Script {
    /// Keeps what the program says of its metrics, where that is not what it said last.
    fn hear(&self, described: &Described<'_>) {
        if described.is_empty() {
            return;
        }
        let mut hasher = DefaultHasher::new();
        described.hash(&mut hasher);
        let hash = hasher.finish();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.hash != hash {
            let short = |text: &str| text[..text.floor_char_boundary(MAX_DESCRIPTION)].to_owned();
            let meta = |said: &Said<'_>| Meta { kind: said.kind, help: short(&said.help), unit: short(said.unit) };
            *told =
                Told { hash, news: described.iter().map(|(name, said)| ((*name).to_owned(), meta(said))).collect() };
        }
    }

    fn order(&self, cx: &ProbeCx) -> Result<Order, Fault> {
        let mut argv: Vec<String> = self.argv.iter().map(|text| text.reveal().clone()).collect();
        // Whoever starts probes has asked the policy, and asked it about this very file.
        if let Some(program) = argv.first_mut().filter(|_| cx.policy.programs.is_some()) {
            *program = located(program).into_owned();
        }
        let passed = INHERITED.into_iter().chain(self.inherit.iter().map(String::as_str));
        // What is not text cannot be meant: names and paths are.
        let passed = passed.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.reveal().clone()));
        Ok(Order {
            argv,
            env: passed.chain(own).collect(),
            cwd: self.cwd.clone(),
            ids: self.user.as_deref().map(ids).transpose()?.flatten(),
            max_processes: self.max_processes,
            max_memory: self.max_memory,
        })
    }

    /// Ends that are not the program's own.
    fn ended(&self, order: &Order, end: End) -> Result<End, Fault> {
        match end {
            End::Code(_) | End::Signal(_) => Ok(end),
            End::Refused(errno) => Err(not_started(order, &Errno::from_raw(errno).into())),
            End::Barred => {
                let user = self.user.as_deref().unwrap_or_default();
                let message =
                    format!("`{user}` may not run Watchdog's own file, as `max_memory` needs: give it mode 755");
                Err(Fault::local("local_exec", message))
            }
            End::Crowded => {
                let message = format!("the program had more than {} processes and was stopped", self.max_processes);
                Err(Fault::target("process_limit", message))
            }
        }
    }

    fn evidence(&self, out: &Output, err: &Output) -> Evidence {
        let mut items = vec![("command".into(), self.shown.clone())];
        for (name, output) in [("stdout", out), ("stderr", err)] {
            if output.total == 0 {
                continue;
            }
            let shown = &output.kept[..output.kept.len().min(MAX_EVIDENCE)];
            let title = match shown.len() < output.total {
                true => format!("{name} (first {} of {} bytes)", shown.len(), output.total),
                false => name.to_owned(),
            };
            items.push((title.into(), String::from_utf8_lossy(shown).into_owned()));
        }
        Evidence { items }
    }
}

/// A user's numbers; `None` for the one that we are.
fn ids(name: &str) -> Result<Option<(u32, u32)>, Fault> {
    let user = User::from_name(name).ok().flatten();
    let Some(user) = user else {
        return Err(Fault::local("local_user", format!("this machine has no user `{name}`")));
    };
    let (own, uid) = (geteuid(), user.uid);
    if uid == own {
        return Ok(None);
    }
    if !own.is_root() {
        return Err(Fault::local("local_user", format!("only root can run a program as `{name}`")));
    }
    Ok(Some((uid.as_raw(), user.gid.as_raw())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    fn sh(script: &str) -> String {
        format!("{{command: [/bin/sh, -c, {}]}}", serde_json::to_string(script).unwrap())
    }

    #[tokio::test]
    async fn exit_codes_are_those_of_nagios() {
        #[track_caller]
        fn check(got: &Outcome, verdict: Verdict, class: &str, text: &str) {
            assert_eq!(got.verdict, verdict, "{got:?}");
            assert_eq!(got.reason.as_ref().map_or("", |r| &*r.class), class);
            assert_eq!(got.headline(), text);
        }
        check(&outcome("script", &sh("echo 'OK - fine | a=1'")).await, Verdict::Up, "", "OK - fine");
        check(&outcome("script", &sh("echo late; exit 1")).await, Verdict::Degraded, "warning", "late");
        check(&outcome("script", &sh("echo broken >&2; exit 2")).await, Verdict::Down, "critical", "broken");
        check(&outcome("script", &sh("exit 3")).await, Verdict::Unknown, "unknown", "exit code 3, no output");
        let got = outcome("script", &sh("echo refused >&2; exit 7")).await;
        check(&got, Verdict::Down, "exit_code", "exit code 7: refused");
        let got = outcome("script", &sh("exec 2>&-; /does/not/exist")).await;
        check(&got, Verdict::Unknown, "local_exec", "exit code 127: the program could not run something");
        let got = outcome("script", &sh("kill -9 $$")).await;
        check(&got, Verdict::Unknown, "signal", "the program was ended by SIGKILL");
        let got = outcome("script", "{command: [/does/not/exist]}").await;
        check(&got, Verdict::Unknown, "local_exec", "cannot run `/does/not/exist`: no such file or directory");
    }

    #[tokio::test]
    async fn the_environment_is_what_is_listed() {
        let got = outcome("script", "{command: [/usr/bin/env], env: {ONE: \"${env:X}\"}}").await;
        assert_eq!(got.verdict, Verdict::Up);
        let got = outcome("script", &sh("env | cut -d= -f1 | sort | tr '\\n' ' '")).await;
        for word in got.summary.split_whitespace() {
            assert!(["PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"].contains(&word), "{word}");
        }
    }

    /// A script that prints what `print` says, with a secret in `$K`.
    fn printing(print: &str) -> Arc<dyn Collector> {
        let command = serde_json::to_string(&["/bin/sh", "-c", print]).unwrap();
        let text = format!("{{command: {command}, output: prometheus, max_output: 2KiB, env: {{K: \"${{env:K}}\"}}}}");
        let (probe, problems) = build("script", &text);
        assert_eq!(problems, Vec::<String>::new());
        probe.unwrap().collector
    }

    async fn told(collector: &dyn Collector) -> Vec<(String, Meta)> {
        let got = collector.probe(&context(Duration::from_secs(20))).await;
        assert!(!got.samples.is_empty(), "{got:?}");
        collector.take_described()
    }

    #[tokio::test]
    async fn what_it_says_of_its_metrics_is_told_without_secrets() {
        // The context's secret is `resolved-K`.
        let script = printing("echo \"# HELP a Of $K.\n# UNIT a $K\na 1\n# EOF\"");
        assert_eq!(script.take_described(), []);
        let meta = Meta { kind: Default::default(), help: "Of ***.".to_owned(), unit: "***".to_owned() };
        assert_eq!(told(&*script).await, [("a".to_owned(), meta)]);
        // Half a line is none; half a secret would not be known for one.
        let script = printing("echo b 1; printf '# %02015d\n' 0; echo \"# HELP b Of the token $K\"");
        assert_eq!(told(&*script).await, []);
        // One that is cut off where the store would cut it.
        let script = printing("printf '# HELP c %01016d' 0; echo \"$K and more\"; echo c 1");
        let help = told(&*script).await.remove(0).1.help;
        assert!(help.ends_with("0***") && help.len() <= MAX_DESCRIPTION, "{help}");
    }

    #[tokio::test]
    async fn what_it_says_of_its_metrics_is_told_once_and_again_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metrics");
        let script = printing(&format!("cat {}", file.display()));
        let told = async |text: &str| {
            std::fs::write(&file, text).unwrap();
            told(&*script).await.into_iter().map(|(name, meta)| (name, meta.help)).collect::<Vec<_>>()
        };
        let a = |help: &str| vec![("a".to_owned(), help.to_owned())];
        assert_eq!(told("a 1\n").await, []);
        assert_eq!(told("# HELP a A.\na 2\n").await, a("A."));
        assert_eq!(told("# HELP a A.\na 3\n").await, []);
        assert_eq!(told("a 3\n").await, [], "silence takes nothing back");
        assert_eq!(told("# HELP a Another.\na 3\n").await, a("Another."));
        assert!(!format!("{script:?}").contains("Another"));
    }

    #[tokio::test]
    async fn secrets_do_not_come_back() {
        let got =
            outcome("script", "{command: [/bin/sh, -c, 'echo $K; echo $K >&2; exit 2'], env: {K: \"${env:KEY}\"}}")
                .await;
        assert!(!format!("{got:?}").contains("resolved-KEY"));
        assert_eq!(got.headline(), "***");
    }

    #[tokio::test]
    async fn a_deadline_ends_the_whole_family() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        // The grandchild ignores the polite signal and does not hold the pipes.
        let script =
            format!("(trap '' TERM; sleep 100 >/dev/null 2>&1 & echo $! > {}; wait); sleep 100", pid.display());
        let (probe, _) = build("script", &sh(&script));
        let cx = context(Duration::from_millis(400));
        let got = probe.unwrap().collector.probe(&cx).await;
        let reason = got.reason.unwrap();
        assert_eq!(reason.class, "timeout");
        // The rest of the 400 ms is for ending it.
        assert_eq!(reason.message, "the program did not end within 300ms and was stopped");
        let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        // Killed, and reaped by init or still a zombie: either way no longer running.
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z") {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_chatty_program_is_cut_not_blocked() {
        let got = outcome("script", &sh("head -c 5000000 /dev/zero | tr '\\0' x; exit 2")).await;
        assert_eq!(got.verdict, Verdict::Down);
        let items = got.evidence.unwrap().items;
        assert!(
            items.iter().any(|(t, _)| t.contains("4096 of 5000000")),
            "{:?}",
            items.iter().map(|i| &i.0).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_background_process_that_keeps_the_pipe_does_not_delay_the_result() {
        let cx = context(Duration::from_secs(20));
        let (probe, _) = build("script", &sh("sleep 100 & echo OK"));
        let got = probe.unwrap().collector.probe(&cx).await;
        assert_eq!(got.headline(), "OK");
        assert!(cx.remaining() > Duration::from_secs(10));
    }

    #[test]
    fn a_command_line_is_refused_with_the_list_to_write() {
        let got = problems("script", "{command: check_disk -w 10%}");
        assert!(got[0].contains("command: [check_disk, -w, 10%]"), "{got:?}");
        assert!(problems("script", "{env: {A: b}}")[0].contains("`command` is missing"));
    }
}
