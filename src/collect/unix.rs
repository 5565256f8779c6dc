//! `type: unix`: a conversation over a socket of this machine's file system.

use std::path::PathBuf;

use tokio::net::UnixStream;

use crate::base::BoxFuture;
use crate::base::outcome::{Outcome, Sample};
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::dial::Bounded;
use crate::collect::fault::Fault;
use crate::collect::kind::{Kind, LATENCY, Operand, SCRIPT};
use crate::collect::mask::Mask;
use crate::collect::metric::CONVERSATION;
use crate::collect::talk::script::{Handshake, Script, Spoken};
use crate::collect::talk::wire::{Stream, Wire};
use crate::collect::talk::{self, Items, Talk};
use crate::collect::trace::{Trace, phase};
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// Longest path that fits into an address: 108 bytes with the NUL (`unix(7)`).
const MAX_PATH: usize = 107;

/// A checked `unix` monitor.
struct UnixProbe {
    path: PathBuf,
    script: Script,
    mask: Mask,
}

impl std::fmt::Debug for UnixProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A reference in the path may have resolved to a secret.
        f.debug_struct("UnixProbe").field("script", &self.script).finish_non_exhaustive()
    }
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "unix",
    about: "One connection to a Unix socket.",
    operand: Some(Operand::One { path: "path", name: "PATH", help: "The socket, e.g. `/run/docker.sock`." }),
    flags: &[SCRIPT, LATENCY],
    metrics: &[CONVERSATION],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let mut mask = Mask::default();
    let path = fields.need_text("path", "write e.g. `path: /run/php/php-fpm.sock`");
    if let Some(path) = &path {
        mask.add_text(path);
        if !path.value().starts_with('/') || path.value().len() > MAX_PATH {
            let message = format!("`path` is `{}`, which is not an absolute path of at most 107 bytes", path.shown());
            fields.error(path.span, Code::BadValue, message, "begin it with `/`");
        }
    }
    let script = Script::read(fields, &mut mask);
    if script.has_starttls() {
        fields.error(fields.head(), Code::Conflict, "`starttls` on a Unix socket", "take the step out");
    }
    if fields.cx().error_count() > errors {
        return None;
    }
    let path = path?;
    Some(Probe::new("unix", path.shown(), UnixProbe { path: PathBuf::from(path.value()), script, mask }))
}

impl Collector for UnixProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(talk::run(self, cx))
    }
}

impl Talk for UnixProbe {
    type Said = Spoken;

    async fn talk(&self, cx: &ProbeCx, trace: &mut Trace, said: &mut Spoken) -> Result<(), Fault> {
        if let Some(why) = cx.policy.refuses_socket(&self.path.to_string_lossy()) {
            return Err(Fault::blocked(why));
        }
        trace.begin(phase::CONNECT);
        let stream = UnixStream::connect(&self.path).await.map_err(|e| self.refused(&e))?;
        trace.end();
        let (heard, mut progress) = said.split();
        let mut wire = Wire::new(Stream::Plain(Bounded::new(stream, cx)), heard);
        let handshake = Handshake { tls: None, host: "", now: cx.now };
        self.script.speak(&mut wire, &mut progress, handshake, trace).await
    }

    fn judge(&self, trace: &Trace, said: &Spoken) -> Outcome {
        self.script.judge(trace, said)
    }

    fn failed(&self, trace: &Trace, said: &Spoken, fault: Fault) -> Outcome {
        self.script.failed(trace, said, fault)
    }

    fn checks(&self) -> Vec<&str> {
        self.script.checks()
    }

    fn samples(&self, _: &Trace, said: &Spoken, out: &mut Vec<Sample>) {
        self.script.samples(said, out);
    }

    fn evidence(&self, said: &Spoken, items: &mut Items) {
        items.extend(talk::words(&said.heard.bytes));
    }

    fn target(&self) -> String {
        self.path.display().to_string()
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }
}

impl UnixProbe {
    /// A socket that is not there belongs to a program that is not running: the target is down.
    fn refused(&self, err: &std::io::Error) -> Fault {
        let doing = format!("connecting to {}", self.path.display());
        match err.kind() {
            std::io::ErrorKind::NotFound => Fault::target("no_socket", format!("{doing}: no such socket")),
            // EAGAIN: the queue of connections that wait is full.
            std::io::ErrorKind::WouldBlock => Fault::target("busy", format!("{doing}: its queue is full")),
            _ => Fault::io(&doing, err),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use std::sync::Arc;
    use std::time::Duration;

    use crate::base::outcome::Verdict;
    use crate::base::policy::{PathPattern, Policy};
    use crate::collect::kinds::testing::{build, context, outcome, problems};

    #[tokio::test]
    async fn a_socket_that_answers_is_up_and_one_that_is_gone_down() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut s, _)) = listener.accept().await {
                let mut line = [0; 6];
                let _ = s.read_exact(&mut line).await;
                let _ = s.write_all(if &line == b"stat\r\n" { b"OK 7\r\n" } else { b"what?\n" }).await;
            }
        });
        let steps = "steps: [{send_line: stat}, {expect: '^OK (?P<n>[0-9]+)', extract: {queue: \"$n\"}}]";
        let good = outcome("unix", &format!("{{path: {}, {steps}}}", path.display())).await;
        assert_eq!((good.verdict, good.summary.as_str()), (Verdict::Up, "OK 7"), "{good:?}");
        let info = good.samples.iter().find(|s| s.name == "probe_expect_info").unwrap();
        assert_eq!(info.labels, [("queue".into(), "7".into())]);
        tasks.shutdown().await;
        let refused = outcome("unix", &format!("{{path: {}}}", path.display())).await;
        assert_eq!(refused.reason.unwrap().class, "connection_refused");
        let gone = outcome("unix", &format!("{{path: {}/other}}", dir.path().display())).await;
        assert_eq!((gone.verdict, &*gone.reason.unwrap().class), (Verdict::Down, "no_socket"));
    }

    #[tokio::test]
    async fn a_socket_that_the_policy_does_not_allow_is_not_connected_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let (probe, _) = build("unix", &format!("{{path: {}}}", path.display()));
        let probe = probe.unwrap();
        let mut cx = context(Duration::from_secs(5));
        for (sockets, class) in [(None, "blocked_address"), (Some(vec![PathPattern::new(path.to_str().unwrap())]), "")]
        {
            cx.policy = Arc::new(Policy { public_only: true, sockets, ..Policy::default() });
            let got = probe.collector.probe(&cx).await;
            assert_eq!(got.reason.map_or(String::new(), |r| r.class.into_owned()), class);
            let came = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
            assert_eq!(came.is_ok(), class.is_empty());
        }
    }

    #[test]
    fn paths_are_checked() {
        assert!(problems("unix", "{path: run/x}")[0].contains("not an absolute path"));
        assert!(problems("unix", "{}")[0].contains("`path` is missing"));
    }
}
