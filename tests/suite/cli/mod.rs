//! The command line: every command against a server with a fake engine, and the program itself.

mod alerting;
mod generated;
mod process;
mod query;
mod session;
mod tsdb;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use watchdog::base::clock::Clock;
use watchdog::cli::settings::Environment;
use watchdog::cli::ui::Streams;

use crate::fake::{House, NOW};

/// A stream to look at afterwards.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Ran {
    code: u8,
    out: String,
    err: String,
}

/// Runs a command line as the program would, 100 columns wide, at the fake board's time.
async fn run(house: &House, arguments: &str) -> Ran {
    run_with(house, arguments, &[("COLUMNS", "100")]).await
}

async fn run_with(house: &House, arguments: &str, vars: &[(&str, &str)]) -> Ran {
    // Words are separated by blanks, `_` stands for a blank inside one.
    run_at(house.dir.path(), arguments.split(' ').map(|w| w.replace('_', " ").into()).collect(), vars).await
}

/// Runs a command against the server whose socket is in `dir`.
async fn run_at(dir: &Path, arguments: Vec<OsString>, vars: &[(&str, &str)]) -> Ran {
    let socket = dir.join("w.sock");
    let mut all = vec![("HOME", dir.to_str().unwrap()), ("WATCHDOG_SOCKET", socket.to_str().unwrap())];
    all.extend(vars);
    let environment = Environment::of(&all);
    let arguments: Vec<OsString> = std::iter::once("watchdog".into()).chain(arguments).collect();
    let (out, err) = (Captured::default(), Captured::default());
    let (o, e) = (out.clone(), err.clone());
    let work = move || {
        let streams = Streams {
            input: Box::new(io::empty()),
            out: Box::new(o),
            err: Box::new(e),
            input_is_terminal: false,
            out_is_terminal: false,
            err_is_terminal: false,
        };
        // Commands run on the thread that calls them and have a clock of their own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clock = runtime.block_on(async { Clock::starting_at(NOW) });
        watchdog::cli::run(arguments, &environment, clock, streams)
    };
    let code = tokio::task::spawn_blocking(work).await.unwrap();
    Ran { code, out: out.text(), err: err.text() }
}

/// What a person reads, with the exit code and what went to stderr.
fn shown(ran: &Ran) -> String {
    let err = if ran.err.is_empty() { String::new() } else { format!("--- stderr\n{}", ran.err) };
    // A command takes some milliseconds, which the two finest ages show.
    let ages = [(r"4\.\ds ago", "4.0s ago"), (r"next in 2\ds", "next in 26s")];
    let out = ages.iter().fold(ran.out.clone(), |text, (pattern, fixed)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *fixed).into_owned()
    });
    format!("exit {}\n{out}{err}", ran.code)
}

macro_rules! snapshots {
    ($($name:ident: $arguments:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let house = House::start().await;
                let ran = run(&house, $arguments).await;
                house.stop().await;
                insta::assert_snapshot!(shown(&ran));
            }
        )*
    };
}

snapshots! {
    status_leads_with_the_verdict: "status";
    status_as_json: "status --json";
    monitors_are_listed_worst_first: "monitor list";
    monitors_as_json: "monitor list --json";
    a_monitor_that_is_down_is_shown_in_full: "monitor show db";
    a_monitor_that_is_up_is_shown_in_full: "monitor show shop_/_店_(eu)";
    a_monitor_as_json: "monitor show db --json";
    a_probe_now_fails_with_its_reason: "monitor run db";
    a_probe_now_succeeds: "monitor run evil";
    a_probe_now_as_json: "monitor run evil --json";
    a_history_as_json: "monitor history db --limit 2 --json";
    an_unknown_monitor_gets_a_suggestion: "monitor show dbb";
    a_refusal_as_json: "monitor show dbb --json";
    a_paused_monitor_is_not_probed: "monitor run nightly";
    alerts_are_listed: "alert list";
    alerts_as_json: "alert list --json";
    a_reload_tells_what_changed: "reload";
    a_reload_as_json: "reload --json";
    a_state_that_does_not_exist: "monitor list --state dwon";
    a_label_without_value: "monitor list --label team";
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_room_the_first_failure_stands_beside_the_last_success() {
    let house = House::start().await;
    let wide = run_with(&house, "monitor show db", &[("COLUMNS", "140")]).await;
    house.stop().await;
    let begin = wide.out.find("how it failed first").unwrap();
    let end = wide.out.find("\nhistory").unwrap();
    insta::assert_snapshot!(&wide.out[begin..end]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_state_type_and_label() {
    let house = House::start().await;
    let names = async |arguments: &str| -> Vec<String> {
        let ran = run(&house, &format!("monitor list --json {arguments}")).await;
        let rows: Vec<watchdog::wire::board::MonitorRow> = serde_json::from_str(&ran.out).unwrap();
        rows.into_iter().map(|r| r.name.to_string()).collect()
    };
    assert_eq!(names("--state down,up").await, ["db", "shop / 店 (eu)"]);
    assert_eq!(names("--type heartbeat").await, ["nightly"]);
    assert_eq!(names("--label team=web --state down").await, ["db"]);
    assert_eq!(names("--label absent= --label team=ops").await, ["nightly"]);
    assert_eq!(names("--label team=none").await, [""; 0]);
    let none = run(&house, "monitor list --label team=none").await;
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("none of 4 monitors matches"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal_and_nothing_foreign_reaches_it() {
    use unicode_width::UnicodeWidthStr;
    let house = House::start().await;
    for columns in ["60", "80", "120"] {
        let ran = run_with(&house, "monitor list", &[("COLUMNS", columns)]).await;
        let widest = ran.out.lines().map(UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{columns}: {widest}\n{}", ran.out);
    }
    for arguments in ["monitor list", "monitor show db", "monitor show evil", "status", "alert list"] {
        let ran = run(&house, arguments).await;
        assert!(!ran.out.contains(['\x1b', '\x07']), "{arguments}: {:?}", ran.out);
        let colored = run_with(&house, &format!("{arguments} --color always"), &[]).await;
        let foreign = colored.out.split('\x1b').skip(1).find(|s| !s.starts_with('[') || !s.contains('m'));
        assert_eq!(foreign, None);
        assert!(!colored.out.contains("\x1b[2J") && !colored.out.contains('\x07'));
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_a_line_per_result() {
    let house = House::start().await;
    let ran = run(&house, "monitor history db --limit 3").await;
    assert_eq!(ran.out.lines().count(), 4, "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().contains("down"), "newest last: {}", ran.out);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_prints_every_change_as_one_json_line_until_the_reader_goes() {
    /// Fails like a closed pipe after two lines.
    struct Two(usize, tokio::sync::mpsc::Sender<String>);
    impl Write for Two {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            if self.0 == 2 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0 += buf.iter().filter(|b| **b == b'\n').count();
            self.1.try_send(String::from_utf8_lossy(buf).into_owned()).unwrap();
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let house = House::start().await;
    let (tx, mut seen) = tokio::sync::mpsc::channel(16);
    let environment = Environment::of(&[("HOME", "/"), ("WATCHDOG_SOCKET", house.socket().to_str().unwrap())]);
    let arguments = ["watchdog", "status", "--watch", "--json"].map(OsString::from);
    let work = move || {
        let streams = Streams {
            input: Box::new(io::empty()),
            out: Box::new(Two(0, tx)),
            err: Box::new(io::sink()),
            input_is_terminal: false,
            out_is_terminal: false,
            err_is_terminal: false,
        };
        watchdog::cli::run(arguments, &environment, Clock::system(), streams)
    };
    let watching = tokio::task::spawn_blocking(work);
    for rev in 1..=2 {
        let mut line = String::new();
        while !line.ends_with('\n') {
            line.push_str(&seen.recv().await.unwrap());
        }
        let status: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(status["board"]["rev"], rev);
        house.change(|_| {});
    }
    assert_eq!(watching.await.unwrap(), 0, "a closed pipe is success");
    house.stop().await;
}
