//! `watchdog probe`: one probe of one target, without a server and without files.
//!
//! Flags become the same tree of options that a monitor's file yields, and are read by the same code:
//! what works here works in `monitors.d`, and mistakes get the same messages.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::failure::{Failure, Kind};
use crate::base::outcome::{Check, Outcome, Phase, Verdict};
use crate::base::probe::ProbeCx;
use crate::base::term_safe::{json_safe, lines, term_safe};
use crate::base::units::{Short, parse_duration};
use crate::cli::ui::Look;
use crate::cli::{Answer, Done};
use crate::config::catalog::{Catalog, Probe};
use crate::config::fields::{Cx, Fields, Resolver};
use crate::config::report::Source;
use crate::config::yaml::{Entry, Node, Span, Value};
use crate::engine::kinds::Kinds;
use crate::wire::api::ProbeResult;

/// Cells of a phase's bar.
const BAR: usize = 40;

/// Probes one target once, and prints what was found.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 up or degraded, 1 down or unknown, 2 wrong usage. \
    `${env:NAME}` works in values, so that secrets stay out of the shell's history.")]
pub struct ProbeArgs {
    /// Give up after this long; covers name lookup, connection, TLS and answer.
    #[arg(long, global = true, default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// What bars are drawn with.
    #[arg(long, global = true, value_enum, default_value_t = Glyphs::Unicode)]
    glyphs: Glyphs,
    #[command(subcommand)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Glyphs {
    Unicode,
    Ascii,
}

#[derive(Debug, Subcommand)]
enum Target {
    /// One HTTP request.
    Http(HttpArgs),
    /// One TCP connection.
    Tcp(TcpArgs),
    /// One run of a program, judged as Nagios does.
    Script(ScriptArgs),
    /// This machine.
    Host(HostArgs),
}

#[derive(Debug, Args)]
struct HttpArgs {
    /// Address, e.g. `https://example.com/health`.
    url: String,
    /// Request method.
    #[arg(long)]
    method: Option<String>,
    /// Request header, `Name: value`.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Request body.
    #[arg(long)]
    body: Option<String>,
    /// Status codes that are fine, e.g. `200-299,404`.
    #[arg(long, value_delimiter = ',')]
    expect_status: Vec<String>,
    /// Text that the body must contain.
    #[arg(long, value_name = "TEXT")]
    expect_contains: Vec<String>,
    /// Text that the body must not contain.
    #[arg(long, value_name = "TEXT")]
    expect_not_contains: Vec<String>,
    /// Regular expression that the body must match.
    #[arg(long, value_name = "REGEX")]
    expect_matches: Vec<String>,
    /// JSON path and the value it must have.
    #[arg(long, value_name = "PATH=VALUE")]
    expect_json: Vec<String>,
    /// Response header and its value, or a regular expression between slashes.
    #[arg(long, value_name = "NAME=VALUE")]
    expect_header: Vec<String>,
    /// Least time for which the certificate must still be valid, e.g. `14d`.
    #[arg(long, value_name = "DURATION")]
    cert_valid_for: Option<String>,
    /// Redirects followed; 0 takes the redirect as the answer.
    #[arg(long)]
    redirects: Option<u32>,
    /// Bytes of the body that are read, e.g. `64KiB`.
    #[arg(long, value_name = "SIZE")]
    max_body: Option<String>,
    #[command(flatten)]
    latency: LatencyArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(Debug, Args)]
struct TcpArgs {
    /// Target, `name:port`.
    host: String,
    /// Text to send.
    #[arg(long)]
    send: Option<String>,
    /// Text that the answer must contain.
    #[arg(long, value_name = "TEXT")]
    expect_contains: Vec<String>,
    /// Regular expression that the answer must match.
    #[arg(long, value_name = "REGEX")]
    expect_matches: Vec<String>,
    /// Speak TLS.
    #[arg(long)]
    tls: bool,
    #[command(flatten)]
    latency: LatencyArgs,
    #[command(flatten)]
    tls_options: TlsArgs,
}

#[derive(Debug, Args)]
struct LatencyArgs {
    /// Down when the probe takes this long or longer.
    #[arg(long, value_name = "DURATION")]
    latency_below: Option<String>,
    /// Degraded when it takes longer than this.
    #[arg(long, value_name = "DURATION")]
    degraded_above: Option<String>,
}

#[derive(Debug, Args)]
struct TlsArgs {
    /// Do not verify the certificate.
    #[arg(long)]
    insecure: bool,
    /// Name that the certificate must be for.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// PEM file with the CA to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
}

#[derive(Debug, Args)]
struct ScriptArgs {
    /// Program and its arguments; no shell is involved.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Variable of the program's environment.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Directory to run it in.
    #[arg(long)]
    cwd: Option<String>,
}

#[derive(Debug, Args)]
struct HostArgs {
    /// Limit, e.g. `cpu=95%`, `memory=90%`, `disk=80%`, `swap=50%`, `load=2`.
    #[arg(long = "below", value_name = "WHAT=LIMIT")]
    below: Vec<String>,
}

/// Probes once.
///
/// # Errors
/// The flags do not make a probe, or nothing can be written.
pub async fn run(args: &ProbeArgs, look: Look, out: &mut dyn Write) -> Done {
    let probe = build(&args.target)?;
    let at = Clock::system().now();
    let started = Instant::now();
    let cx = ProbeCx { deadline: started + args.timeout, now: at, since: at, last_beat: None };
    let outcome = probe.collector.probe(&cx).await;
    let took = started.elapsed();
    let good = matches!(outcome.verdict, Verdict::Up | Verdict::Degraded);
    let answer = if good { Answer::Good } else { Answer::Bad };
    let text = match look.json {
        true => json(outcome, at, took)?,
        false => Page { colour: look.colour, ascii: args.glyphs == Glyphs::Ascii }.draw(&probe, &outcome, took),
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(Kind::Internal, &e)),
        // Whoever reads may have seen enough.
        Ok(()) | Err(_) => Ok(answer),
    }
}

fn json(outcome: Outcome, at: crate::base::time::Timestamp, took: Duration) -> Result<String, Failure> {
    let outcome = outcome.made_safe();
    let result = ProbeResult {
        at,
        verdict: outcome.verdict,
        reason: outcome.reason,
        summary: outcome.summary,
        took,
        attempt: 1,
        phases: outcome.phases,
        checks: outcome.checks,
        samples: outcome.samples,
        evidence: outcome.evidence,
    };
    let text = serde_json::to_string_pretty(&result).map_err(|e| Failure::new(Kind::Internal, &e))?;
    Ok(format!("{}\n", json_safe(&text)))
}

/// References on the command line: the environment, nothing else.
struct Environment;

impl Resolver for Environment {
    fn resolve(&self, scheme: &str, name: &str) -> Result<String, String> {
        match scheme {
            "env" => std::env::var(name).map_err(|_| format!("the environment has no variable `{name}`")),
            _ => Err(format!("`${{{scheme}:…}}` does not work on the command line")),
        }
    }
}

fn build(target: &Target) -> Result<Probe, Failure> {
    let (kind, options) = match target {
        Target::Http(args) => ("http", args.options()?),
        Target::Tcp(args) => ("tcp", args.options()?),
        Target::Script(args) => ("script", args.options()?),
        Target::Host(args) => ("host", args.options()?),
    };
    let root = options.node();
    let cx = Cx::new(Source::new("command line", ""), &Environment);
    let made = Fields::of(&cx, &root).and_then(|mut fields| {
        let made = Kinds.monitor(kind, &mut fields);
        fields.finish();
        made
    });
    let problems = cx.into_problems();
    match (made, problems.is_empty()) {
        (Some(probe), true) => Ok(probe),
        (_, _) => {
            let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
            let failure = Failure::text(Kind::Usage, term_safe(&messages.join("; ")).into_owned());
            Err(problems.iter().fold(failure, |f, p| f.hint(term_safe(&p.hint).into_owned())))
        }
    }
}

/// Options as the tree that a file would yield.
#[derive(Default)]
struct Options(Vec<Entry>);

impl Options {
    fn put(&mut self, key: &str, value: Value) {
        let span = Span::default();
        self.0.push(Entry { key: key.to_owned(), key_span: span, value: Node { value, span }, merged: false });
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(text) = value {
            self.put(key, scalar(text));
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let items = values.iter().map(|t| Node { value: scalar(t), span: Span::default() }).collect();
            self.put(key, Value::Seq(items));
        }
    }

    /// Nothing is put for an empty mapping.
    fn nested(&mut self, key: &str, inner: Self) {
        if !inner.0.is_empty() {
            self.put(key, Value::Map(inner.0));
        }
    }

    fn pairs(values: &[String], flag: &str, separator: char) -> Result<Self, Failure> {
        let mut pairs = Self::default();
        for text in values {
            let Some((name, value)) = text.split_once(separator) else {
                let message = format!("`{}` has no `{separator}`", term_safe(text));
                return Err(Failure::text(Kind::Usage, message).hint(format!("write `{flag}`")));
            };
            // Without quotes, so that `5` may be a number of JSON.
            let value = Value::Scalar { text: value.trim().to_owned(), plain: true };
            pairs.put(name.trim(), value);
        }
        Ok(pairs)
    }

    fn node(self) -> Node {
        Node { value: Value::Map(self.0), span: Span::default() }
    }
}

/// Quoted, so that nothing a person types is taken for "no value".
fn scalar(text: &str) -> Value {
    Value::Scalar { text: text.to_owned(), plain: false }
}

/// Files need absolute paths; a shell's user means the directory where the shell is.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |p| p.to_string_lossy().into_owned())
}

impl LatencyArgs {
    fn options(&self) -> Options {
        let mut own = Options::default();
        own.text("below", self.latency_below.as_deref());
        own.text("degraded_above", self.degraded_above.as_deref());
        own
    }
}

impl TlsArgs {
    fn options(&self) -> Options {
        let mut own = Options::default();
        own.text("verify", self.insecure.then_some("false"));
        own.text("server_name", self.server_name.as_deref());
        own.text("ca_file", self.ca_file.as_deref().map(absolute).as_deref());
        own
    }
}

impl HttpArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut all = Options::default();
        all.text("url", Some(&self.url));
        all.text("method", self.method.as_deref());
        all.nested("headers", Options::pairs(&self.headers, "--header 'Name: value'", ':')?);
        all.text("body", self.body.as_deref());
        let mut expect = Options::default();
        expect.list("status", &self.expect_status);
        let mut body = Options::default();
        body.list("contains", &self.expect_contains);
        body.list("not_contains", &self.expect_not_contains);
        body.list("matches", &self.expect_matches);
        expect.nested("body", body);
        expect.nested("json", Options::pairs(&self.expect_json, "--expect-json '$.path=value'", '=')?);
        expect.nested("header", Options::pairs(&self.expect_header, "--expect-header 'Name=value'", '=')?);
        expect.nested("latency", self.latency.options());
        let mut cert = Options::default();
        cert.text("valid_for", self.cert_valid_for.as_deref());
        expect.nested("cert", cert);
        all.nested("expect", expect);
        all.text("redirects", self.redirects.map(|n| n.to_string()).as_deref());
        all.text("max_body", self.max_body.as_deref());
        all.nested("tls", self.tls.options());
        Ok(all)
    }
}

impl TcpArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut all = Options::default();
        all.text("host", Some(&self.host));
        all.text("send", self.send.as_deref());
        let mut expect = Options::default();
        expect.list("contains", &self.expect_contains);
        expect.list("matches", &self.expect_matches);
        all.nested("expect", expect);
        all.nested("latency", self.latency.options());
        let tls = self.tls_options.options();
        match (self.tls, tls.0.is_empty()) {
            (true, true) => all.text("tls", Some("true")),
            (true, false) => all.nested("tls", tls),
            (false, true) => {}
            (false, false) => {
                let failure = Failure::text(Kind::Usage, "options of TLS are given, but not TLS itself");
                return Err(failure.hint("add `--tls`"));
            }
        }
        Ok(all)
    }
}

impl ScriptArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut all = Options::default();
        all.list("command", &self.command);
        all.nested("env", Options::pairs(&self.env, "--env NAME=VALUE", '=')?);
        all.text("cwd", self.cwd.as_deref().map(absolute).as_deref());
        Ok(all)
    }
}

impl HostArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut expect = Options::default();
        for entry in Options::pairs(&self.below, "--below cpu=95%", '=')?.0 {
            let mut limit = Options::default();
            limit.text("below", entry.value.as_str());
            expect.nested(&entry.key, limit);
        }
        let mut all = Options::default();
        all.nested("expect", expect);
        Ok(all)
    }
}

/// Draws a result for a person. Everything of the target's goes through `term_safe`.
struct Page {
    colour: bool,
    ascii: bool,
}

impl Page {
    fn draw(&self, probe: &Probe, outcome: &Outcome, took: Duration) -> String {
        let mut text = String::new();
        let word = match outcome.verdict {
            Verdict::Up => self.paint("UP", "32"),
            Verdict::Degraded => self.paint("DEGRADED", "33"),
            Verdict::Down => self.paint("DOWN", "1;31"),
            Verdict::Unknown => self.paint("UNKNOWN", "35"),
        };
        let target = term_safe(&probe.target);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{word}  {}  {target}  {}", probe.kind, Short(took));
        let _ = writeln!(text, "    {}", term_safe(outcome.headline()));
        if let Some(reason) = &outcome.reason {
            let _ = writeln!(text, "    class: {}", term_safe(&reason.class));
        }
        self.draw_phases(&mut text, &outcome.phases);
        self.draw_checks(&mut text, &outcome.checks);
        for (title, body) in outcome.evidence.iter().flat_map(|e| &e.items) {
            let _ = writeln!(text, "\n{}", self.paint(&term_safe(title), "1"));
            for line in lines(body) {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }

    fn draw_phases(&self, text: &mut String, phases: &[Phase]) {
        let all: Duration = phases.iter().map(|p| p.took).sum();
        if all.is_zero() {
            return;
        }
        text.push('\n');
        for phase in phases {
            let share = phase.took.as_secs_f64() / all.as_secs_f64();
            let bar = self.bar(share);
            let mark = if phase.failed { self.paint("  failed here", "31") } else { String::new() };
            let line = format!("    {:<11} {:>6}  {bar}", term_safe(&phase.name), Short(phase.took));
            let _ = writeln!(text, "{}{mark}", line.trim_end());
        }
    }

    /// A bar of eighths of a cell; anything that took time shows at least one.
    fn bar(&self, share: f64) -> String {
        const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let eighths = ((share * (BAR * 8) as f64).round() as usize).clamp(usize::from(share > 0.0), BAR * 8);
        if self.ascii {
            return "#".repeat(eighths.div_ceil(8));
        }
        let mut bar = "█".repeat(eighths / 8);
        if eighths % 8 > 0 {
            bar.push(EIGHTHS[eighths % 8]);
        }
        bar
    }

    fn draw_checks(&self, text: &mut String, checks: &[Check]) {
        if checks.is_empty() {
            return;
        }
        text.push('\n');
        for check in checks {
            let word = match check.ok {
                Some(true) => self.paint("ok  ", "32"),
                Some(false) => self.paint("FAIL", "31"),
                None => "-   ".to_owned(),
            };
            let name = term_safe(&check.name);
            match check.found.as_str() {
                "" => {
                    let _ = writeln!(text, "    {word}  {name}");
                }
                found => {
                    let _ = writeln!(text, "    {word}  {name}: {}", term_safe(found));
                }
            }
        }
    }

    fn paint(&self, text: &str, sgr: &str) -> String {
        if self.colour { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use clap::Parser;

    use super::*;
    use crate::base::outcome::Evidence;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        probe: ProbeArgs,
        /// The program's own.
        #[arg(long, global = true)]
        json: bool,
    }

    async fn call(words: &[&str]) -> (Done, String) {
        let cli = Cli::try_parse_from(std::iter::once(&"probe").chain(words)).unwrap();
        let mut out = Vec::new();
        let look = Look { colour: false, width: 80, json: words.contains(&"--json") };
        let code = run(&cli.probe, look, &mut out).await;
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[tokio::test]
    async fn a_closed_port_gives_one_and_says_where_it_failed() {
        let at = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let (code, text) = call(&["tcp", &at, "--timeout", "2s"]).await;
        assert_eq!(code.unwrap(), Answer::Bad);
        assert!(text.starts_with(&format!("DOWN  tcp  {at}")), "{text}");
        assert!(text.contains("connection refused") && text.contains("failed here"), "{text}");
    }

    #[tokio::test]
    async fn scripts_need_no_shell_and_json_is_the_apis() {
        let (code, text) = call(&["script", "--json", "--", "/bin/echo", "OK | a=1s"]).await;
        assert_eq!(code.unwrap(), Answer::Good);
        let result: ProbeResult = serde_json::from_str(&text).unwrap();
        assert_eq!((result.verdict, result.summary.as_str()), (Verdict::Up, "OK"));
        assert_eq!(result.samples.len(), 1);
    }

    #[tokio::test]
    async fn mistakes_get_the_messages_of_the_files() {
        #[track_caller]
        fn check(got: Done, message: &str, hint: &str) {
            let failure = got.unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage);
            assert!(failure.message().contains(message), "{}", failure.message());
            assert!(failure.hints().iter().any(|h| h.contains(hint)), "{:?}", failure.hints());
        }
        check(call(&["http", "example.com"]).await.0, "`url` is not a URL", "http://example.com");
        check(call(&["http", "http://x/", "--header", "nope"]).await.0, "has no `:`", "--header");
        check(call(&["http", "http://x/", "--expect-matches", "("]).await.0, "not a regular expression", "quote");
        check(call(&["tcp", "db"]).await.0, "has no port", "PORT");
        check(call(&["tcp", "db:1", "--insecure"]).await.0, "not TLS itself", "--tls");
        check(call(&["host", "--below", "cpuu=9%"]).await.0, "`cpuu` is not a key here", "`cpu`");
        check(call(&["http", "http://${env:NOT_SET_ANYWHERE}/"]).await.0, "no variable", "set the variable");
    }

    #[test]
    fn what_a_person_sees() {
        let probe = build(&Target::Script(ScriptArgs { command: vec!["x".into()], env: vec![], cwd: None })).unwrap();
        let phase =
            |name: &'static str, ms, failed| Phase { name: name.into(), took: Duration::from_millis(ms), failed };
        let mut outcome = Outcome::down("status", "expected: status is 200-299; found: 500 \x1b[2J");
        outcome.phases = vec![phase("resolve", 1, false), phase("connect", 11, false), phase("processing", 60, true)];
        outcome.checks = vec![
            Check { name: "status is 200-299".into(), ok: Some(false), found: "500".into() },
            Check { name: "latency below 1s".into(), ok: Some(true), found: "72ms".into() },
            Check { name: "json $.a is `up`".into(), ok: None, found: String::new() },
        ];
        outcome.evidence = Some(Evidence { items: vec![(Cow::Borrowed("body"), "one\ttwo\nthr\u{202e}ee".into())] });
        let took = Duration::from_millis(72);
        insta::assert_snapshot!(Page { colour: false, ascii: false }.draw(&probe, &outcome, took), @r"
        DOWN  script  x  72ms
            expected: status is 200-299; found: 500 \x1b[2J
            class: status

            resolve        1ms  ▌
            connect       11ms  ██████▏
            processing    60ms  █████████████████████████████████▍  failed here

            FAIL  status is 200-299: 500
            ok    latency below 1s: 72ms
            -     json $.a is `up`

        body
            one    two
            thr\u{202e}ee
        ");
        let ascii = Page { colour: false, ascii: true }.draw(&probe, &outcome, took);
        assert!(ascii.is_ascii(), "{ascii}");
        let coloured = Page { colour: true, ascii: false }.draw(&probe, &outcome, took);
        assert_eq!(coloured.matches('\x1b').count(), 10, "{coloured:?}");
    }
}
