//! `type: script`: runs a program and judges it as Nagios does.
//!
//! No shell, no inherited environment, a process group of its own that is killed as a whole when the
//! deadline passes or the probe is dropped. Output is read to its end but kept only up to a limit, so
//! that a chatty program is neither blocked nor able to fill memory.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout, timeout_at};

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::secret::Secret;
use crate::base::units::Short;
use crate::collect::fault::{Fault, describe};
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::collect::mask::Mask;
use crate::collect::nagios;
use crate::collect::trace::Trace;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::Value;

/// Bytes kept of each of the two outputs.
const MAX_OUTPUT: usize = 64 * 1024;
/// Bytes of each shown as evidence.
const MAX_EVIDENCE: usize = 4 * 1024;
/// What is passed on of our own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];
/// Time between the polite and the hard end of a program that overran.
const TERM_GRACE: Duration = Duration::from_millis(200);

/// A checked `script` monitor.
#[derive(Debug)]
struct Script {
    argv: Vec<Secret<String>>,
    shown: String,
    env: Vec<(String, Secret<String>)>,
    cwd: Option<PathBuf>,
    mask: Mask,
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
        Flag::new("cwd", "cwd", Form::Path("DIR"), "Directory to run it in."),
    ]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let hint = "write a list, e.g. `command: [/usr/lib/nagios/plugins/check_disk, -w, 10%]`";
    let argv = match fields.node("command") {
        None => {
            fields.missing("command", hint);
            Vec::new()
        }
        Some(node) => {
            if let Value::Scalar { text, .. } = &node.value
                && text.trim().contains(char::is_whitespace)
            {
                let words: Vec<&str> = text.split_whitespace().collect();
                let message = "`command` is one text with blanks; no shell takes it apart";
                let list = format!("write a list: `command: [{}]`", words.join(", "));
                fields.error(node.span, Code::WrongType, message, list);
            }
            fields.texts("command")
        }
    };
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
    let mut env = Vec::new();
    for (entry, text) in fields.pairs("env") {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let message = format!("`{}` is not a name of a variable", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `_`");
        }
        mask.add_text(&text);
        env.push((entry.key.clone(), text.secret()));
    }
    let cwd = fields.text("cwd");
    if let Some(dir) = cwd.as_ref().filter(|d| !d.value().starts_with('/')) {
        let message = format!("`cwd` is `{}`, which is not an absolute path", dir.shown());
        fields.error(dir.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
    }
    let cwd = cwd.map(|t| PathBuf::from(t.value()));
    if fields.cx().error_count() > errors || argv.is_empty() {
        return None;
    }
    let shown = argv.iter().map(crate::config::fields::Text::shown).collect::<Vec<_>>().join(" ");
    let program = argv.first().map(|text| text.value().to_owned()).unwrap_or_default();
    let argv = argv.into_iter().map(crate::config::fields::Text::secret).collect();
    let collector = Script { argv, shown: shown.clone(), env, cwd, mask };
    Some(Probe::new("script", shown, collector).runs(&program))
}

/// Ends the whole process group when the probe ends, however it ends. `kill_on_drop` alone would leave
/// grandchildren running.
struct Group {
    leader: Option<Pid>,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // A group that is gone is what we want.
            let _ = killpg(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

#[derive(Debug, Default)]
struct Output {
    kept: Vec<u8>,
    total: usize,
}

impl Collector for Script {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (mut out, mut err) = (Output::default(), Output::default());
            let mut trace = Trace::start();
            trace.begin("run");
            let mut outcome = match self.run(cx, &mut out, &mut err).await {
                Ok(status) => judge(status, &out, &err),
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
}

impl Script {
    fn command(&self) -> Option<Command> {
        let (program, args) = self.argv.split_first()?;
        let mut command = Command::new(program.reveal());
        command.args(args.iter().map(Secret::reveal)).env_clear();
        let inherited = INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        command.envs(inherited);
        command.envs(self.env.iter().map(|(name, value)| (name, value.reveal())));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        Some(command)
    }

    async fn run(&self, cx: &ProbeCx, out: &mut Output, err: &mut Output) -> Result<ExitStatus, Fault> {
        let mut child = self.spawn().await?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let mut group = Group { leader };
        let limit = cx.remaining() - TERM_GRACE.min(cx.remaining() / 4);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        // A grandchild may hold the pipes open after the program has ended: the program's end decides,
        // and what it wrote is drained without waiting for more.
        let finished = timeout(limit, async {
            let reading = async { tokio::join!(read_all(stdout, out), read_all(stderr, err)) };
            tokio::pin!(reading);
            let mut pipes_open = true;
            loop {
                tokio::select! {
                    biased;
                    _ = &mut reading, if pipes_open => pipes_open = false,
                    status = child.wait() => {
                        if pipes_open {
                            // Reading ends at once when nobody else holds the pipes.
                            let _ = timeout(Duration::from_millis(20), &mut reading).await;
                        }
                        return status;
                    }
                }
            }
        })
        .await;
        match finished {
            Ok(Ok(status)) => {
                // What it left behind in the background would pile up with every probe. Numbers of
                // processes are handed out in order, so this one cannot be somebody else's already.
                group.signal(Signal::SIGKILL);
                group.leader = None;
                Ok(status)
            }
            Ok(Err(e)) => Err(Fault::local("local_exec", format!("waiting for the program: {}", describe(&e)))),
            Err(_) => {
                group.signal(Signal::SIGTERM);
                let _ = timeout_at(cx.deadline, child.wait()).await;
                // In steps of 10 ms, so that the same failure reads the same every time.
                let limit = Short(Duration::from_secs_f64((limit.as_secs_f64() * 100.0).ceil() / 100.0));
                Err(Fault::target("timeout", format!("the program did not end within {limit} and was stopped")))
            }
        }
    }

    async fn spawn(&self) -> Result<Child, Fault> {
        let mut tries = 0;
        loop {
            let Some(mut command) = self.command() else {
                return Err(Fault::local("local_exec", "there is no program to run"));
            };
            let failed = match command.spawn() {
                Ok(child) => return Ok(child),
                Err(e) => e,
            };
            // Another thread that forks at the wrong moment inherits a file being written (golang/go#22315
            // describes the race); it is over in a moment.
            if failed.raw_os_error() == Some(Errno::ETXTBSY as i32) && tries == 0 {
                tries += 1;
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            let program = self.shown.split(' ').next().unwrap_or("");
            let what = match &self.cwd {
                Some(cwd) if !cwd.is_dir() => format!("the directory `{}` does not exist", cwd.display()),
                _ => format!("cannot run `{program}`: {}", describe(&failed)),
            };
            return Err(Fault::local("local_exec", what));
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

/// Reads to the end, keeps the beginning.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>, output: &mut Output) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 4096];
    // An error ends the reading like an end does: the exit code is what is judged.
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let room = MAX_OUTPUT - output.kept.len();
        output.kept.extend_from_slice(&buffer[..n.min(room)]);
        output.total += n;
    }
}

fn judge(status: ExitStatus, out: &Output, err: &Output) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    let report = nagios::parse(&String::from_utf8_lossy(&out.kept));
    let said = match report.summary.as_str() {
        "" => String::from_utf8_lossy(&err.kept).lines().next().unwrap_or("").trim().to_owned(),
        summary => summary.to_owned(),
    };
    let said = said.chars().take(500).collect::<String>();
    let or = |other: String| if said.is_empty() { other } else { said.clone() };
    let mut outcome = match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::up(or("exit code 0".to_owned())),
        (Some(code), _) => {
            let class = match code {
                1 => "warning",
                2 => "critical",
                3 => "unknown",
                _ => "exit_code",
            };
            let text = match code {
                1..=3 => or(format!("exit code {code}, no output")),
                126 | 127 => format!("exit code {code}: the program could not run something: {said}"),
                _ => format!("exit code {code}, which plugins do not use: {said}"),
            };
            Outcome::up("").with_verdict(nagios::verdict(code), class, text.trim_end_matches([':', ' ']))
        }
        (None, signal) => {
            let name = signal.and_then(|s| Signal::try_from(s).ok()).map_or("a signal", Signal::as_str);
            Outcome::unknown("signal", format!("the program was ended by {name}"))
        }
    };
    report.samples(&mut outcome.samples);
    if !report.rejected.is_empty() {
        tracing::debug!(pieces = report.rejected.len(), "performance data that is not understood");
    }
    outcome
}

#[cfg(test)]
mod tests {
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
