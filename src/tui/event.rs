//! The loop: waits for keys, the server, signals and the clock; feeds the reducer; runs effects; draws.
//!
//! The only place of the TUI with side effects besides `term`.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::client::Link;
use crate::task::supervisor::Supervisor;
use crate::tui::action::{Effect, Msg, Now, Request};
use crate::tui::screens;
use crate::tui::server::Server;
use crate::tui::state::{Overlay, State};
use crate::tui::term::{Picture, Terminal};
use crate::tui::theme::Theme;
use crate::tui::update::update;
use crate::tui::{ExitReason, TuiError};

/// Data is drawn at most this often; keys at once.
const FRAME: Duration = Duration::from_millis(33);
/// Reading on without drawing ends after this, so that a flood of data cannot hold back a key's frame.
const DRAIN: Duration = Duration::from_millis(4);
/// Time for tasks to end after the last screen.
const GRACE: Duration = Duration::from_millis(200);

/// The signals that end a program.
struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one. Cancel-safe.
    async fn recv(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.term.recv() => SignalKind::terminate(),
            _ = self.hup.recv() => SignalKind::hangup(),
            _ = self.int.recv() => SignalKind::interrupt(),
        }
    }
}

/// Everything that the loop owns.
struct Loop<'t, S: Server> {
    server: S,
    terminal: &'t mut Terminal,
    theme: Theme,
    state: State,
    clock: Clock,
    start: Instant,
    input: Option<EventStream>,
    tasks: Supervisor,
    replies: (mpsc::Sender<Msg>, mpsc::Receiver<Msg>),
    links: mpsc::Receiver<Link>,
    nudge: Arc<Notify>,
    /// Ways to give up the queries that are being answered.
    queries: HashMap<u64, CancellationToken>,
    drawn: Option<u64>,
    drawn_at: Instant,
    end: Option<ExitReason>,
}

/// Runs the screens until the person or a signal ends them.
pub(crate) async fn run<S: Server>(
    server: S,
    terminal: &mut Terminal,
    theme: Theme,
    mut state: State,
) -> Result<ExitReason, TuiError> {
    let mut signals = Signals::new()?;
    // The stream first: it listens for resizes, and one between the two would be lost the other way round.
    let input = EventStream::new();
    state.size = Terminal::size()?;
    let start = Instant::now();
    let mut this = Loop {
        server,
        terminal,
        theme,
        state,
        clock: Clock::system(),
        start,
        input: Some(input),
        tasks: Supervisor::new(&CancellationToken::new()),
        // Waits when full: a reply that cannot be taken in keeps its task, and nothing else, waiting.
        replies: mpsc::channel(64),
        // Replaced below, after the first picture.
        links: mpsc::channel(1).1,
        nudge: Arc::new(Notify::new()),
        queries: HashMap::new(),
        drawn: None,
        drawn_at: start,
        end: None,
    };
    // The first picture comes before the first byte to the server.
    this.feed_clock()?;
    this.draw()?;
    this.links = this.follow(Duration::ZERO);
    let reason = this.turn(&mut signals).await;
    let Loop { tasks, input, .. } = this;
    drop(input);
    tasks.stop(GRACE).await;
    reason
}

impl<S: Server> Loop<'_, S> {
    async fn turn(&mut self, signals: &mut Signals) -> Result<ExitReason, TuiError> {
        loop {
            if let Some(reason) = self.end {
                return Ok(reason);
            }
            let wake = self.wake();
            // Every arm is cancel-safe: streams, channels, signals and timers lose nothing when dropped.
            let urgent = tokio::select! {
                biased;
                kind = signals.recv() => return Ok(ExitReason::Signal(kind.as_raw_value())),
                event = next(&mut self.input) => self.take(event)?,
                Some(reply) = self.replies.1.recv() => { self.take_reply(reply)?; false }
                link = self.links.recv() => { self.take_link(link)?; false }
                Some(end) = self.tasks.ended() => {
                    if let Err(e) = end && e.is_panic() {
                        tracing::error!(error = %e, "a task of the screens panicked");
                        self.feed(Msg::TaskPanicked("see the log".to_owned()))?;
                    }
                    false
                }
                () = sleep_until(wake) => { self.feed_clock()?; false }
            };
            let urgent = self.drain().await? || urgent;
            if self.drawn != Some(self.state.rev) && (urgent || self.drawn_at.elapsed() >= FRAME) {
                self.draw()?;
            }
        }
    }

    /// Takes in what is there already, so that a burst costs one picture.
    async fn drain(&mut self) -> Result<bool, TuiError> {
        let start = Instant::now();
        let mut urgent = false;
        while self.end.is_none() && start.elapsed() < DRAIN {
            if let Poll::Ready(event) = ready(&mut self.input).await {
                urgent |= self.take(event)?;
            } else if let Ok(reply) = self.replies.1.try_recv() {
                self.take_reply(reply)?;
            } else if let Ok(link) = self.links.try_recv() {
                self.take_link(Some(link))?;
            } else {
                break;
            }
        }
        Ok(urgent)
    }

    fn take_reply(&mut self, reply: Msg) -> Result<(), TuiError> {
        if let Msg::Reply(Request::Query { id, .. }, _) = &reply {
            self.queries.remove(id);
        }
        self.feed(reply)
    }

    fn take_link(&mut self, link: Option<Link>) -> Result<(), TuiError> {
        let link = link.unwrap_or_else(|| {
            // It runs until it is stopped, so it crashed. What is shown is old from now on; begin anew.
            let retry_in = Duration::from_secs(3);
            self.links = self.follow(retry_in);
            Link::Lost {
                reason: "the task that follows the server crashed; see the log".to_owned(),
                attempt: 0,
                retry_in,
            }
        });
        self.feed(Msg::Link(link))
    }

    /// Starts to follow the server after a pause.
    fn follow(&mut self, pause: Duration) -> mpsc::Receiver<Link> {
        // Waits when full: the client reads no further frames from its socket, and the server drops those
        // that a slow reader misses for a fresh snapshot.
        let (links, from_server) = mpsc::channel(64);
        let (server, nudge) = (self.server.clone(), Arc::clone(&self.nudge));
        self.tasks.add("link", |stop| async move {
            sleep(pause).await;
            server.follow(links, nudge, stop).await;
        });
        from_server
    }

    /// Takes in an event of the terminal; returns whether a person waits for the picture.
    fn take(&mut self, event: Option<io::Result<Event>>) -> Result<bool, TuiError> {
        let msg = match event.ok_or(TuiError::InputClosed)?? {
            Event::Key(key) => Msg::Key(key),
            Event::Paste(text) => Msg::Paste(text),
            Event::Resize(columns, rows) => {
                // On the way to a size and back a terminal may lose what it showed.
                self.terminal.painter.forget();
                Msg::Resize(columns, rows)
            }
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => return Ok(false),
        };
        let urgent = !matches!(msg, Msg::Resize(..));
        self.feed(msg)?;
        Ok(urgent)
    }

    fn feed_clock(&mut self) -> Result<(), TuiError> {
        let now = Now { steady: self.start.elapsed(), wall: self.clock.now() };
        let effects = update(&mut self.state, Msg::Clock(now));
        self.perform(effects)
    }

    fn feed(&mut self, msg: Msg) -> Result<(), TuiError> {
        self.feed_clock()?;
        let effects = update(&mut self.state, msg);
        self.perform(effects)
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), TuiError> {
        for effect in effects {
            match effect {
                Effect::Ask(request) => self.ask(request),
                Effect::Cancel(id) => {
                    // Dropping the request closes its connection, which ends the work at the server.
                    if let Some(query) = self.queries.remove(&id) {
                        query.cancel();
                    }
                }
                Effect::Retry | Effect::Resync => self.nudge.notify_one(),
                Effect::Copy(text) => self.terminal.painter.copy(&text)?,
                Effect::Repaint => {
                    self.terminal.painter.forget();
                    self.drawn = None;
                }
                Effect::Suspend => self.suspend()?,
                Effect::Quit => self.end = Some(ExitReason::Quit),
            }
        }
        Ok(())
    }

    fn ask(&mut self, request: Request) {
        let (server, replies) = (self.server.clone(), self.replies.0.clone());
        let given_up = CancellationToken::new();
        if let Request::Query { id, .. } = &request {
            self.queries.insert(*id, given_up.clone());
        }
        self.tasks.add("request", |stop| async move {
            let answer = server.ask(request.clone());
            tokio::select! {
                () = stop.cancelled() => {}
                () = given_up.cancelled() => {}
                result = answer => {
                    // Nobody to tell: the screens have ended.
                    let _ = replies.send(Msg::Reply(request, result)).await;
                }
            }
        });
    }

    fn suspend(&mut self) -> Result<(), TuiError> {
        // Its thread reads the terminal, and would take keys from the shell.
        self.input = None;
        self.terminal.suspend()?;
        self.input = Some(EventStream::new());
        self.drawn = None;
        let (columns, rows) = Terminal::size()?;
        let effects = update(&mut self.state, Msg::Resize(columns, rows));
        self.perform(effects)
    }

    fn wake(&self) -> Instant {
        let wake = self.start + self.state.wake();
        if self.drawn == Some(self.state.rev) { wake } else { wake.min(self.drawn_at + FRAME) }
    }

    fn draw(&mut self) -> Result<(), TuiError> {
        let (columns, rows) = self.state.size;
        let area = Rect::new(0, 0, columns, rows);
        let mut cells = Buffer::empty(area);
        let cursor = screens::draw(&self.state, &self.theme, area, &mut cells);
        let caret = self.state.is_editing()
            || matches!(self.state.overlay, Overlay::Typing | Overlay::Metrics(_) | Overlay::Help { typing: true, .. });
        self.terminal.painter.show(Picture { cells, cursor, caret })?;
        self.drawn = Some(self.state.rev);
        self.drawn_at = Instant::now();
        Ok(())
    }
}

/// Looks whether there is an event, without waiting. The task's own waker must be used: an event stream keeps
/// the first one that it is polled with, and would wake nobody later if that were a dummy.
async fn ready(input: &mut Option<EventStream>) -> Poll<Option<io::Result<Event>>> {
    poll_fn(|cx| {
        Poll::Ready(match input {
            Some(stream) => stream.poll_next_unpin(cx),
            None => Poll::Pending,
        })
    })
    .await
}

async fn next(input: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match input {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}
