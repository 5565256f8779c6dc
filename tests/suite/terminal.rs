//! The screens of the real binary in a real terminal: they come up, survive the server, and give the
//! terminal back.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::server::{Place, wait_for};

const MONITORS: &str = "monitors:
  - {name: refused, type: tcp, host: 127.0.0.1, port: 1, interval: 1s, timeout: 1s, alert: false}
  - {name: echo, type: script, command: [/bin/echo, all well], interval: 1s}
";

/// `watchdog tui` in a terminal, and what that terminal shows.
struct Screen {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shows: Arc<Mutex<vt100::Parser>>,
}

const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };

impl Screen {
    fn open(place: &Place) -> Self {
        let pair = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_watchdog"));
        command.args(["--socket", place.socket().to_str().unwrap(), "-c", place.config().to_str().unwrap()]);
        command.args(["--data-dir", place.data().to_str().unwrap(), "tui"]);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shows = Arc::new(Mutex::new(vt100::Parser::new(SIZE.rows, SIZE.cols, 0)));
        let parser = Arc::clone(&shows);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                parser.lock().unwrap().process(&bytes[..n]);
            }
        });
        Self { child, keys: pair.master.take_writer().unwrap(), master: pair.master, shows }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn resize(&self, rows: u16, cols: u16) {
        self.shows.lock().unwrap().screen_mut().set_size(rows, cols);
        self.master.resize(PtySize { rows, cols, ..SIZE }).unwrap();
    }

    fn text(&self) -> String {
        self.shows.lock().unwrap().screen().contents()
    }

    /// Waits until the screen shows all of `words`, and returns it.
    #[track_caller]
    fn shows(&self, words: &[&str]) -> String {
        wait_for(&format!("a screen with {words:?}"), || {
            let text = self.text();
            words.iter().all(|w| text.contains(w)).then_some(text)
        })
    }

    /// Waits for the end, and for the terminal to be as it was; returns the exit code.
    #[track_caller]
    fn ends(mut self) -> u32 {
        let code = self.child.wait().unwrap().exit_code();
        wait_for("the terminal to be given back", || {
            let parser = self.shows.lock().unwrap();
            let screen = parser.screen();
            let back = !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste();
            back.then_some(())
        });
        code
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write("monitors.d/a.yaml", MONITORS);
    place
}

#[test]
fn screens_come_up_with_what_is_true_and_keys_move_between_them() {
    let place = place();
    let server = place.serve();
    let mut screen = Screen::open(&place);
    screen.shows(&["[1 Overview", "live", "NOT OK 1 of 2", "DOWN", "refused"]);
    screen.press("3");
    screen.shows(&["[3 Monitors", "sort: state", "echo", "refused"]);
    screen.press("/echo\r\r");
    screen.shows(&["Monitors > echo", "runs", "LATENCY", "all well"]);
    screen.press("q");
    assert_eq!(screen.ends(), 0);
    server.stop();
}

#[test]
fn a_server_that_goes_leaves_old_data_marked_and_one_that_comes_is_found() {
    let place = place();
    let server = place.serve();
    let mut screen = Screen::open(&place);
    screen.press("3");
    screen.shows(&["✓ ok", "echo", "DOWN"]);
    server.kill();
    let text = screen.shows(&["NOT CONNECTED", "NOT current", "was down"]);
    assert!(!text.contains('✓'), "{text}");
    let server = place.serve();
    screen.shows(&["live", "✓ ok", "DOWN"]);
    screen.press("\x03");
    assert_eq!(screen.ends(), 0);
    server.stop();
}

#[test]
fn without_a_server_they_say_so_and_wait_for_one() {
    let place = place();
    let screen = Screen::open(&place);
    screen.shows(&["NOT CONNECTED", "No server answers", "watchdog serve"]);
    let server = place.serve();
    screen.shows(&["live", "refused"]);
    kill(Pid::from_raw(i32::try_from(screen.child.process_id().unwrap()).unwrap()), Signal::SIGTERM).unwrap();
    screen.ends();
    server.stop();
}

#[test]
fn any_size_is_drawn_and_a_hangup_gives_the_terminal_back() {
    let place = place();
    let server = place.serve();
    let screen = Screen::open(&place);
    screen.shows(&["live", "refused"]);
    for (rows, cols) in [(1, 1), (2, 7), (12, 40), (60, 200)] {
        screen.resize(rows, cols);
    }
    screen.shows(&["live", "ENGINE", "refused"]);
    kill(Pid::from_raw(i32::try_from(screen.child.process_id().unwrap()).unwrap()), Signal::SIGHUP).unwrap();
    screen.ends();
    server.stop();
}
