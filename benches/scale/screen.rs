//! `watchdog tui` on a pseudo-terminal: how long a key takes to its first byte on the screen.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Nothing on the screen for so long: it has settled.
const QUIET: Duration = Duration::from_millis(20);
/// A screen that is drawn all the time is not waited for any longer.
const RESTLESS: Duration = Duration::from_millis(200);
/// A key that shows nothing by then counts as this long.
const LOST: Duration = Duration::from_secs(2);

/// A terminal with the program in it; dropping it ends both.
pub struct Screen {
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Receiver<()>,
    child: Box<dyn Child + Send + Sync>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    /// Opens the list of monitors.
    pub fn open(socket: &Path) -> Self {
        let size = PtySize { rows: 40, cols: 140, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_watchdog"));
        command.arg("tui");
        command.arg("--socket");
        command.arg(socket);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (mut from, keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (tell, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 64 << 10];
            while from.read(&mut bytes).is_ok_and(|n| n > 0) && tell.send(()).is_ok() {}
        });
        let mut screen = Self { _master: pair.master, keys, shown, child };
        assert!(screen.shown.recv_timeout(LOST).is_ok(), "the screen stayed empty");
        screen.press("3");
        screen
    }

    /// Presses a key on a screen that is quiet, or has been drawn for a while, and waits for what it changes.
    pub fn press(&mut self, key: &str) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < RESTLESS && self.shown.recv_timeout(QUIET).is_ok() {}
        let pressed = Instant::now();
        self.keys.write_all(key.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        let _ = self.shown.recv_timeout(LOST);
        pressed.elapsed()
    }
}
