//! The terminal: taken, written to, given back. The only file that talks to it.
//!
//! Whoever holds a [`Terminal`] has it in raw mode on the alternate screen; dropping it, and a panic on
//! the thread that draws, give it back. Nothing here waits for an answer of the terminal: a query could
//! stall, or eat keys.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic::PanicHookInfo;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Position;

/// Longest text handed to the terminal's clipboard: xterm's limit of 100,000 characters, less the frame of
/// the sequence, in base64.
pub(crate) const CLIPBOARD_BYTES: usize = 74_994;
/// Large enough for a full frame of a large terminal, so that a frame is one write.
const BUFFER_BYTES: usize = 64 << 10;

/// Whether the terminal is ours now. There is one terminal per process.
static TAKEN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is running the screens right now.
    static DRAWS: Cell<bool> = const { Cell::new(false) };
}

/// Whether screens can be shown at all: both ends are a terminal that can move its cursor.
pub(crate) fn is_usable(term: Option<&str>) -> bool {
    term != Some("dumb") && io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// One drawn screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Its cells.
    pub(crate) cells: Buffer,
    /// Where the cursor belongs.
    pub(crate) cursor: Option<Position>,
    /// Whether it is shown: in text fields only.
    pub(crate) caret: bool,
}

/// Writes pictures, and only what differs from the one before.
#[derive(Debug)]
pub(crate) struct Painter<W: Write> {
    out: W,
    shown: Option<Picture>,
}

impl<W: Write> Painter<W> {
    /// A painter that knows nothing of what the terminal shows.
    pub(crate) fn new(out: W) -> Self {
        Self { out, shown: None }
    }

    /// Shows `next`; returns false when the terminal shows just that already, and then writes nothing.
    pub(crate) fn show(&mut self, next: Picture) -> io::Result<bool> {
        if self.shown.as_ref() == Some(&next) {
            return Ok(false);
        }
        // Taken: after an error nobody knows what the terminal shows.
        let before = self.shown.take().filter(|p| p.cells.area == next.cells.area);
        queue!(self.out, BeginSynchronizedUpdate, Hide)?;
        let blank;
        let old = match &before {
            Some(picture) => &picture.cells,
            None => {
                queue!(self.out, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
                blank = Buffer::empty(next.cells.area);
                &blank
            }
        };
        CrosstermBackend::new(&mut self.out).draw(old.diff_iter(&next.cells))?;
        if let Some(Position { x, y }) = next.cursor {
            queue!(self.out, MoveTo(x, y))?;
        }
        if next.caret {
            queue!(self.out, Show)?;
        }
        queue!(self.out, EndSynchronizedUpdate)?;
        self.out.flush()?;
        self.shown = Some(next);
        Ok(true)
    }

    /// Forgets what the terminal shows, so that the next picture is written whole.
    pub(crate) fn forget(&mut self) {
        self.shown = None;
    }

    /// Hands `text` to the terminal's clipboard (OSC 52), through the same writer as the pictures.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<()> {
        if text.len() <= CLIPBOARD_BYTES {
            queue!(self.out, Print(format_args!("\x1b]52;c;{}\x07", base64(text.as_bytes()))))?;
        }
        self.out.flush()
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let six = (word >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= group.len() { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    out
}

/// The terminal in our hands.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Writes to it.
    pub(crate) painter: Painter<BufWriter<Stdout>>,
}

impl Terminal {
    /// Takes the terminal.
    pub(crate) fn take() -> io::Result<Self> {
        // Our theme knows about NO_COLOR. crossterm's own way of obeying it resets bold and reverse too.
        crossterm::style::force_color_output(true);
        let terminal = Self { painter: Painter::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())) };
        enter()?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub(crate) fn size() -> io::Result<(u16, u16)> {
        // A terminal that was never told its size (some containers') says 0x0.
        crossterm::terminal::size().map(|(c, r)| if c == 0 || r == 0 { (80, 24) } else { (c, r) })
    }

    /// Gives the terminal back, stops the job, and takes it again when the shell continues it. The caller
    /// has dropped its event stream, and writes a whole picture next.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        leave();
        // The whole job, as the terminal itself would do it: a parent such as `cargo run` must stop too,
        // or the shell does not come back.
        kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        // The stop reaches a process of many threads a moment after the call returns. Where nobody could
        // continue us (no job control) the kernel ignores it, and this is a short pause.
        std::thread::sleep(Duration::from_millis(50));
        enter()?;
        self.painter.forget();
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, EnableBracketedPaste, Hide)
}

/// Gives the terminal back, once. Errors are of no use here: it may be gone.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            DisableBracketedPaste,
            EnableLineWrap,
            SetAttribute(Attribute::Reset),
            Show,
            LeaveAlternateScreen
        );
        let _ = disable_raw_mode();
    }
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// While it lives, a panic in the screens gives the terminal back before it is reported, and a panic
/// elsewhere is logged and leaves the screens alone.
pub(crate) struct PanicHook(Arc<Hook>);

impl PanicHook {
    /// Puts ours before the present hook.
    pub(crate) fn install() -> Self {
        let previous: Arc<Hook> = Arc::from(std::panic::take_hook());
        let next = Arc::clone(&previous);
        std::panic::set_hook(Box::new(move |info| {
            if DRAWS.get() {
                leave();
                next(info);
            } else if TAKEN.load(Ordering::SeqCst) {
                tracing::error!(panic = %info, "a task panicked while the screens were shown");
            } else {
                next(info);
            }
        }));
        Self(previous)
    }
}

impl Drop for PanicHook {
    fn drop(&mut self) {
        // A panicking thread may not change the hook; the process is about to end anyway.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.0);
            std::panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}

/// Runs `work`, marking each thread that polls it for as long as it does: that is where a panic concerns
/// the terminal. A runtime may poll it on another thread each time.
pub(crate) async fn marked<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        struct Mark;
        impl Drop for Mark {
            fn drop(&mut self) {
                DRAWS.set(false);
            }
        }
        DRAWS.set(true);
        let _mark = Mark;
        work.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::{Modifier, Style};

    use super::*;
    use crate::tui::theme::{Depth, Glyphs, Role, Theme};

    fn picture(text: &str) -> Picture {
        let mut cells = Buffer::empty(Rect::new(0, 0, 20, 3));
        cells.set_string(0, 1, text, Style::new().add_modifier(Modifier::BOLD));
        Picture { cells, cursor: None, caret: false }
    }

    #[test]
    fn a_picture_that_is_shown_already_costs_no_byte() {
        let mut painter = Painter::new(Vec::new());
        assert!(painter.show(picture("one")).unwrap());
        let written = painter.out.len();
        assert!(!painter.show(picture("one")).unwrap());
        assert_eq!(painter.out.len(), written);
        assert!(painter.show(picture("onf")).unwrap());
        assert!(painter.out.len() - written < 80, "{}", painter.out.len() - written);
    }

    #[test]
    fn every_picture_is_one_synchronized_update() {
        let mut painter = Painter::new(Vec::new());
        painter.show(picture("one")).unwrap();
        let text = String::from_utf8(painter.out).unwrap();
        assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"), "{text:?}");
        assert_eq!(text.matches("\x1b[?2026h").count(), 1);
    }

    #[test]
    fn another_size_and_a_forgotten_screen_are_written_whole() {
        let mut painter = Painter::new(Vec::new());
        painter.show(picture("one")).unwrap();
        let mut other = picture("one");
        other.cells = Buffer::empty(Rect::new(0, 0, 21, 3));
        painter.out.clear();
        painter.show(other.clone()).unwrap();
        assert!(String::from_utf8_lossy(&painter.out).contains("\x1b[2J"));
        painter.out.clear();
        painter.forget();
        assert!(painter.show(other).unwrap());
        assert!(String::from_utf8_lossy(&painter.out).contains("\x1b[2J"));
    }

    #[test]
    fn a_terminal_that_follows_the_writes_shows_the_picture() {
        let mut painter = Painter::new(Vec::new());
        let mut screen = vt100::Parser::new(3, 20, 0);
        for text in ["first", "店 wide", "x", "完", "last one is long"] {
            painter.show(picture(text)).unwrap();
            screen.process(&std::mem::take(&mut painter.out));
            let row = screen.screen().rows(0, 20).nth(1).unwrap();
            assert_eq!(row.trim_end(), text);
        }
    }

    #[test]
    fn colour_is_written_as_asked_whatever_the_environment() {
        crossterm::style::force_color_output(true);
        let mut painter = Painter::new(Vec::new());
        let mut red = picture("");
        let style = Theme::new(Depth::Ansi16, Glyphs::Unicode, false).style(Role::Down);
        red.cells.set_string(0, 0, "x", style);
        painter.show(red).unwrap();
        assert!(
            String::from_utf8_lossy(&painter.out).contains("\x1b[38;5;1"),
            "{:?}",
            String::from_utf8_lossy(&painter.out)
        );
    }

    #[test]
    fn base64_of_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_clipboard_gets_the_whole_text_or_nothing() {
        let mut painter = Painter::new(Vec::new());
        painter.copy("shop").unwrap();
        assert_eq!(painter.out, b"\x1b]52;c;c2hvcA==\x07");
        painter.out.clear();
        painter.copy(&"x".repeat(CLIPBOARD_BYTES + 1)).unwrap();
        assert!(painter.out.is_empty());
    }

    #[tokio::test]
    async fn only_the_thread_that_polls_the_screens_is_marked() {
        assert!(!DRAWS.get());
        marked(async { assert!(DRAWS.get()) }).await;
        assert!(!DRAWS.get());
    }
}
