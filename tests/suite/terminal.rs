//! The screens as a person has them: the real program in a real terminal, against a real server.
//!
//! A terminal emulator follows every byte; the tests wait for what it shows.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

use crate::server::{PATIENCE, Place};

/// One monitor that is well and one that is broken; both know it within a second.
const MONITORS: &str = r#"monitors:
  - {name: good, type: script, command: [echo, "all is well"], interval: 1s}
  - {name: broken, type: script, command: [sh, -c, "exit 2"], interval: 1s}
"#;

/// What reached the terminal.
struct Seen {
    raw: Vec<u8>,
    parser: Parser,
}

impl Seen {
    /// Whether the last picture has arrived to its end: pictures are synchronized updates.
    fn is_whole(&self) -> bool {
        let last = |mark: &[u8]| self.raw.windows(mark.len()).rposition(|w| w == mark);
        last(b"\x1b[?2026h") <= last(b"\x1b[?2026l")
    }

    /// How often the whole screen was written.
    fn pictures(&self) -> usize {
        String::from_utf8_lossy(&self.raw).matches("\x1b[2J").count()
    }
}

/// A terminal with a program in it.
struct Terminal {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// The terminal's modes before the program was started.
    modes: String,
}

impl Terminal {
    fn start(place: &Place, arguments: &[&str], rows: u16, columns: u16) -> Self {
        Self::start_with(place, arguments, rows, columns, &[])
    }

    fn start_with(place: &Place, arguments: &[&str], rows: u16, columns: u16, vars: &[(&str, &str)]) -> Self {
        let command = place.command();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let mut builder = CommandBuilder::from_argv(words.map(ToOwned::to_owned).collect());
        builder.args(arguments);
        Self::spawn(builder, &command, rows, columns, vars)
    }

    /// `arguments` as a job of a shell, which tells when it was stopped, waits for a line and continues it.
    fn start_as_job(place: &Place, arguments: &[&str]) -> Self {
        let command = place.command();
        let mut builder = CommandBuilder::new("/bin/sh");
        builder.args(["-c", r#"set -m; "$@"; echo "STOPPED $?"; read go; fg; echo "ENDED $?""#, "sh"]);
        builder.arg(command.get_program());
        builder.args(command.get_args());
        builder.args(arguments);
        Self::spawn(builder, &command, 24, 80, &[])
    }

    fn spawn(mut builder: CommandBuilder, like: &Command, rows: u16, columns: u16, vars: &[(&str, &str)]) -> Self {
        for name in ["NO_COLOR", "COLORTERM", "COLORFGBG", "LC_ALL", "LC_CTYPE", "COLUMNS", "LINES"] {
            builder.env_remove(name);
        }
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")].iter().chain(vars) {
            builder.env(name, value);
        }
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let modes = format!("{:?}", pair.master.get_termios().unwrap());
        let child = pair.slave.spawn_command(builder).unwrap();
        // Held here, it would keep the reader from ever seeing the end.
        drop(pair.slave);
        let seen =
            Arc::new((Mutex::new(Seen { raw: Vec::new(), parser: Parser::new(rows, columns, 0) }), Condvar::new()));
        let mut bytes = pair.master.try_clone_reader().unwrap();
        let to = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux reports the end of a terminal as an error.
            while let Ok(n @ 1..) = bytes.read(&mut buffer) {
                // A test that failed while it looked has said why.
                let Ok(mut seen) = to.0.lock() else { return };
                seen.raw.extend_from_slice(&buffer[..n]);
                seen.parser.process(&buffer[..n]);
                to.1.notify_all();
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { seen, master: pair.master, keys, child, modes }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn resize(&self, rows: u16, columns: u16) {
        // The emulator first: what comes after is drawn for the new size.
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        self.master.resize(size(rows, columns)).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.process_id().unwrap().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until the screen is as `is` says; gives its text.
    #[track_caller]
    fn until(&self, what: &str, mut is: impl FnMut(&Screen) -> bool) -> String {
        self.waits(what, |seen| is(seen.parser.screen()))
    }

    #[track_caller]
    fn waits(&self, what: &str, mut is: impl FnMut(&Seen) -> bool) -> String {
        let mut seen = self.seen.0.lock().unwrap();
        let end = Instant::now() + PATIENCE;
        while !(seen.is_whole() && is(&seen)) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; there is\n{}", seen.parser.screen().contents());
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
        seen.parser.screen().contents()
    }

    /// Waits until the screen shows all of `texts`; gives its text.
    #[track_caller]
    fn shows(&self, texts: &[&str]) -> String {
        self.until(&format!("{texts:?}"), |s| {
            let all = s.contents();
            texts.iter().all(|t| all.contains(t))
        })
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.0.lock().unwrap().raw).into_owned()
    }

    /// Waits for the end of the program; gives its exit code.
    fn ended(&mut self) -> u32 {
        self.child.wait().unwrap().exit_code()
    }

    /// The terminal is as it was found, its cursor and its main screen included.
    #[track_caller]
    fn assert_restored(&self) {
        self.until("the main screen", |s| !s.alternate_screen() && !s.hide_cursor() && !s.bracketed_paste());
        assert_eq!(format!("{:?}", self.master.get_termios().unwrap()), self.modes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn place(monitors: &str) -> Place {
    let place = Place::new();
    place.write("monitors.d/m.yaml", monitors);
    place
}

#[test]
fn the_screens_are_live_and_follow_the_keys() {
    let place = place(MONITORS);
    let server = place.serve();
    let mut terminal = Terminal::start(&place, &["tui"], 24, 80);
    let overview = terminal.shows(&["[1 Overview", "broken is down", "∙ live"]);
    assert!(overview.contains("✗1 ✓1"), "{overview}");
    terminal.press("3");
    let list = terminal.shows(&["[3 Monitors", "✓ ok       good", "✗ DOWN     broken"]);
    assert!(!list.contains("broken is down"), "{list}");
    terminal.press("/goo");
    terminal.until("only what matches", |s| {
        let all = s.contents();
        all.contains("ok       good") && !all.contains("broken")
    });
    terminal.press("\r\r");
    terminal.shows(&["Monitors > good", "all is well"]);
    terminal.press("\x1b");
    terminal.until("the list again", |s| !s.contents().contains("Monitors > good"));
    terminal.press("?");
    terminal.shows(&["─ HELP", "probe the monitor now"]);
    terminal.press("\x1b");
    terminal.until("no help", |s| !s.contents().contains("─ HELP"));
    terminal.resize(20, 60);
    let small = terminal.until("a picture for the new size", |s| {
        let rows: Vec<String> = s.rows(0, 60).collect();
        rows[1].contains("[3 Monitors") && rows[19].contains("Enter detail")
    });
    assert!(small.contains("good"), "{small}");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.assert_restored();
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_link_explores_what_the_probes_left_and_stays_live() {
    let place = place(MONITORS);
    let server = place.serve();
    let mut terminal = Terminal::start(&place, &["tui", "explore", "probe_success", "--range", "1m"], 24, 80);
    terminal.shows(&["[5 Explore]", "SERIES 2", "echo all is well", "sh -c exit 2"]);
    terminal.press("e\x15sum(prob");
    terminal.shows(&["─ COMPLETE", "probe_duration_seconds"]);
    terminal.press("\t)\r");
    terminal.shows(&["sum(probe_duration_seconds)", "SERIES 1"]);
    terminal.press("\x1b");
    terminal.shows(&["e edit"]);
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    assert_eq!(server.stop(), 0);
}

#[test]
fn without_colours_the_cursor_is_seen_all_the_same() {
    let place = place(MONITORS);
    let _server = place.serve();
    let mut terminal = Terminal::start_with(&place, &["tui"], 24, 80, &[("NO_COLOR", "1")]);
    terminal.shows(&["broken is down"]);
    terminal.press("3");
    terminal.shows(&["[3 Monitors", "broken"]);
    terminal.until("one row in reverse", |s| {
        let reversed = |row: u16| s.cell(row, 2).is_some_and(vt100::Cell::inverse);
        (4..22).filter(|row| reversed(*row)).count() == 1
    });
    let raw = terminal.raw();
    let sgr = regex::Regex::new(r"\x1b\[([0-9;:]*)m").unwrap();
    for found in sgr.captures_iter(&raw) {
        // 39 and 49 are the terminal's own colours.
        let colour = |c: &str| matches!(c.parse(), Ok(30..=38 | 40..=48 | 58 | 90..=107));
        assert!(!found[1].split([';', ':']).any(colour), "{:?}", &found[0]);
    }
}

#[test]
fn a_lost_server_is_told_within_a_second_and_found_again() {
    let place = place(MONITORS);
    let server = place.serve();
    let terminal = Terminal::start(&place, &["tui"], 24, 80);
    terminal.shows(&["∙ live", "✓1"]);
    let before = Instant::now();
    server.kill();
    let lost = terminal.shows(&["NOT CONNECTED"]);
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    assert!(!lost.contains('✓') && !lost.contains("∙ live"), "{lost}");
    assert!(lost.contains("NOT current"), "{lost}");
    let server = place.serve();
    terminal.until("live again", |s| {
        let all = s.contents();
        all.contains("∙ live") && all.contains("broken is down") && !all.contains("NOT CONNECTED")
    });
    assert_eq!(server.stop(), 0);
    let left = terminal.shows(&["NOT CONNECTED", "shutting down (SIGTERM)"]);
    assert!(!left.contains('✓'), "{left}");
}

#[test]
fn without_a_server_they_say_so_and_wait_for_one() {
    let place = place(MONITORS);
    let mut terminal = Terminal::start(&place, &["tui"], 24, 80);
    terminal.shows(&["NOT CONNECTED", "No server answers", "watchdog serve"]);
    let _server = place.serve();
    terminal.shows(&["∙ live", "broken is down"]);
    terminal.press("\x03");
    assert_eq!(terminal.ended(), 0);
    terminal.assert_restored();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let place = place(MONITORS);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let mut terminal = Terminal::start(&place, &["tui"], 24, 80);
        terminal.until("the screens", |s| s.alternate_screen() && s.contents().contains("NOT CONNECTED"));
        assert_ne!(format!("{:?}", terminal.master.get_termios().unwrap()), terminal.modes);
        terminal.signal(signal);
        assert_eq!(terminal.ended(), code, "{signal}");
        terminal.assert_restored();
    }
}

#[test]
fn a_stopped_job_gives_the_terminal_back_and_takes_it_again() {
    let place = place(MONITORS);
    let _server = place.serve();
    let mut terminal = Terminal::start_as_job(&place, &["tui"]);
    terminal.shows(&["∙ live", "broken is down"]);
    terminal.press("\x1a");
    let shell = terminal.until("the shell", |s| s.contents().contains("STOPPED 1"));
    assert!(!shell.contains("∙ live"), "{shell}");
    terminal.assert_restored();
    terminal.press("\n");
    terminal.until("the screens again", |s| s.alternate_screen() && s.contents().contains("∙ live"));
    terminal.press("3");
    terminal.shows(&["[3 Monitors"]);
    terminal.press("q");
    terminal.shows(&["ENDED 0"]);
    terminal.assert_restored();
}

#[test]
fn nothing_that_a_target_says_commands_the_terminal() {
    let hostile = r#"monitors:
  - name: evil
    type: script
    command: [printf, 'title \033]0;pwned\007 region \033[5;7r clip \033]52;c;aGk=\033\\ c1 \302\2332J query \033[6n\n\033c']
    interval: 1s
"#;
    let place = place(hostile);
    let _server = place.serve();
    let mut terminal = Terminal::start(&place, &["tui", "evil"], 40, 120);
    terminal.shows(&["Monitors > evil", "pwned"]);
    terminal.press("3");
    terminal.shows(&["[3 Monitors"]);
    terminal.press("1");
    terminal.shows(&["[1 Overview"]);
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.assert_restored();
    let raw = terminal.raw();
    for sequence in ["\x1b]", "\x07", "\x1b[5;7r", "\x1b[6n", "\x1bc", "\x1b\\", "\u{9b}", "\u{9d}"] {
        assert!(!raw.contains(sequence), "{sequence:?} reached the terminal");
    }
}

#[test]
fn any_size_is_a_size() {
    let place = place(MONITORS);
    let _server = place.serve();
    let mut terminal = Terminal::start(&place, &["tui"], 1, 1);
    terminal.shows(&["…"]);
    terminal.resize(12, 40);
    let small = terminal.shows(&["broken is down", "✗1"]);
    assert!(small.lines().count() <= 12, "{small}");
    terminal.press("3");
    terminal.shows(&["broken", "good"]);
    for (rows, columns) in [(1, 40), (12, 1), (1, 1), (200, 300), (2, 2)] {
        let before = terminal.seen.0.lock().unwrap().pictures();
        terminal.resize(rows, columns);
        terminal.waits("a picture for the new size", |seen| seen.pictures() > before);
    }
    terminal.resize(12, 40);
    terminal.shows(&["broken", "good"]);
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.assert_restored();
}

#[test]
fn alone_it_is_engine_and_screens_in_one_process() {
    let place = place(MONITORS);
    let mut terminal = Terminal::start(&place, &[], 24, 80);
    terminal.shows(&["∙ live", "broken is down"]);
    assert!(place.socket().exists());
    let status = place.command().arg("status").output().unwrap();
    assert_eq!(status.status.code(), Some(1), "others reach it, too");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.assert_restored();
    assert!(!place.socket().exists());
    // The data directory is free, and whole.
    assert_eq!(place.serve().stop(), 0);
}
