//! `watchdog probe`: one probe of one target, without a server and without files.
//!
//! Flags become the same tree of options that a monitor's file yields, and are read by the same code:
//! what works here works in `monitors.d`, and mistakes get the same messages. [`flags`] makes that tree
//! from the kinds' own table, [`page`] draws the result.

mod flags;
mod page;
pub mod plugin;

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::failure::{Failure, Kind};
use crate::base::outcome::{Outcome, Verdict};
use crate::base::probe::ProbeCx;
use crate::base::term_safe::{json_safe, term_safe};
use crate::base::units::parse_duration;
use crate::cli::commands::probe::flags::Target;
use crate::cli::commands::probe::page::Page;
use crate::cli::ui::Look;
use crate::cli::{Answer, Done};
use crate::config::catalog::{Catalog, Probe};
use crate::config::fields::{Cx, Fields, Resolver};
use crate::config::report::Source;
use crate::config::yaml::Node;
use crate::engine::kinds::Kinds;
use crate::wire::api::ProbeResult;

/// Probes one target once, and prints what was found.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 up or degraded, 1 down or unknown, 2 wrong usage. \
    `${env:NAME}` works in values, so that secrets stay out of the shell's history. \
    With --nagios: 0 up, 1 degraded, 2 down, 3 unknown or wrong usage.")]
pub struct ProbeArgs {
    /// Give up after this long; covers name lookup, connection, TLS and answer.
    #[arg(long, global = true, default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// What bars are drawn with.
    #[arg(long, global = true, value_enum, default_value_t = Glyphs::Unicode)]
    glyphs: Glyphs,
    /// Behave as a Nagios plugin: one line with performance data, and Nagios' exit codes.
    #[arg(long, global = true)]
    nagios: bool,
    #[command(subcommand)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Glyphs {
    Unicode,
    Ascii,
}

/// Probes once.
///
/// # Errors
/// The flags do not make a probe, or nothing can be written.
pub async fn run(args: &ProbeArgs, look: Look, out: &mut dyn Write) -> Done {
    let built = args.target.options().and_then(|options| build(args.target.kind, &options));
    let probe = match built {
        Err(failure) if args.nagios => {
            let line = plugin::refusal(&failure);
            return write(out, &line, Answer::Code(plugin::UNKNOWN));
        }
        built => built?,
    };
    let at = Clock::system().now();
    let started = Instant::now();
    let outcome = probe.collector.probe(&ProbeCx::new(started + args.timeout, at)).await;
    let took = started.elapsed();
    let good = matches!(outcome.verdict, Verdict::Up | Verdict::Degraded);
    let answer = if good { Answer::Good } else { Answer::Bad };
    let page = Page { colour: look.colour, ascii: args.glyphs == Glyphs::Ascii };
    if args.nagios {
        let code = plugin::exit_code(outcome.verdict);
        return write(out, &plugin::line(probe.kind, &outcome.made_safe(), took), Answer::Code(code));
    }
    let text = match look.json {
        true => json(outcome, at, took)?,
        false => page.draw(probe.kind, &probe.target, &outcome, took),
    };
    write(out, &text, answer)
}

fn write(out: &mut dyn Write, text: &str, answer: Answer) -> Done {
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

fn build(kind: &str, root: &Node) -> Result<Probe, Failure> {
    let cx = Cx::new(Source::new("command line", ""), &Environment);
    let made = Fields::of(&cx, root).and_then(|mut fields| {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

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
        let refused = Cli::try_parse_from(["probe", "tcp", "db:1", "--insecure"]).unwrap_err();
        assert!(refused.to_string().contains("--tls"), "{refused}");
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
        check(call(&["tcp", "db:1", "--set", "port"]).await.0, "has no `=`", "--set");
        check(call(&["tcp", "db:1", "--set", "latency.belw=1s"]).await.0, "`belw` is not a key here", "`below`");
        check(call(&["host", "--below", "cpuu=9%"]).await.0, "`cpuu` is not a key here", "`cpu`");
        check(call(&["http", "http://${env:NOT_SET_ANYWHERE}/"]).await.0, "no variable", "set the variable");
    }
}
