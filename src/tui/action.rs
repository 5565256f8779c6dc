//! What enters and leaves the reducer. Everything that is not deterministic comes in as a [`Msg`];
//! everything that touches the world goes out as an [`Effect`].

use std::time::Duration;

use crossterm::event::KeyEvent;

use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::client::Link;
use crate::tui::state::explore::catalog::Metric;
use crate::tui::state::explore::complete::NamesOf;
use crate::tui::state::explore::editor::Motion;
use crate::wire::api::{ConfigStatus, MonitorDetail, ProbeResult, Reloaded};
use crate::wire::query::{self, Ask};

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Msg {
    /// Time passed. Comes before every other message of a batch.
    Clock(Now),
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The stream said something.
    Link(Link),
    /// A request ended.
    Reply(Request, Result<Reply, Failed>),
    /// A task of the TUI's own died.
    TaskPanicked(String),
}

/// Both clocks: ages are measured by the steady one, times of day are read from the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since the TUI started; never goes back.
    pub(crate) steady: Duration,
    /// Time of day.
    pub(crate) wall: Timestamp,
}

/// A question to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// All about one monitor.
    Detail(MonitorName),
    /// What is loaded and what is wrong with it.
    Config,
    /// Probe now.
    Run(MonitorName),
    /// Read the configuration again.
    Reload,
    /// A question in PromQL.
    Query {
        /// Which; the answer to an older one is dropped.
        id: u64,
        /// The question.
        ask: Box<Ask>,
    },
    /// Names or values of labels, for completion.
    Names(NamesOf),
    /// Which metrics there are.
    Metrics,
}

/// The answer to the [`Request`] of the same name.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To `Detail`.
    Detail(Box<MonitorDetail>),
    /// To `Config`.
    Config(Box<ConfigStatus>),
    /// To `Run`.
    Ran(Box<ProbeResult>),
    /// To `Reload`.
    Reloaded(Box<Reloaded>),
    /// To `Query`.
    Queried(Box<query::Reply>),
    /// To `Names`. Untrusted.
    Names(Vec<String>),
    /// To `Metrics`. Untrusted.
    Metrics(Vec<Metric>),
}

/// Why there is no reply, for the person. Untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The error and its causes in one line.
    pub(crate) message: String,
}

/// Something to do outside of the reducer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the server; the answer comes back as [`Msg::Reply`].
    Ask(Request),
    /// Give up a [`Request::Query`]; no answer comes.
    Cancel(u64),
    /// Try to connect now instead of after the pause.
    Retry,
    /// Drop the stream and connect anew: a change was missed, or the peer went silent.
    Resync,
    /// Hand text to the terminal's clipboard.
    Copy(String),
    /// Give the terminal back to the shell until `fg`.
    Suspend,
    /// Write every cell again.
    Repaint,
    /// End.
    Quit,
}

/// What a key means. One row of the key table each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Go to a screen.
    GoOverview,
    /// Go to a screen.
    GoMonitors,
    /// Go to a screen.
    GoExplore,
    /// Go to a screen.
    GoConfig,
    /// Open or close the help.
    Help,
    /// End.
    Quit,
    /// Close what is open, else go back.
    Back,
    /// Write every cell again.
    Repaint,
    /// Give the terminal back to the shell.
    Suspend,
    /// Connect now.
    Retry,
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// One page down.
    PageDown,
    /// One page up.
    PageUp,
    /// First row.
    Top,
    /// Last row.
    Bottom,
    /// Open what the cursor is on.
    Open,
    /// Type a filter.
    Filter,
    /// Choose the sort column.
    SortMenu,
    /// Next sort column.
    SortNext,
    /// Previous sort column.
    SortPrevious,
    /// Turn the order round.
    SortReverse,
    /// Probe the monitor now.
    Run,
    /// Copy the name of what the cursor is on.
    Copy,
    /// Read the configuration again.
    Reload,
    /// Next monitor while a detail is open.
    NextItem,
    /// Previous monitor while a detail is open.
    PreviousItem,
    /// Accept what was typed or chosen.
    Accept,
    /// Delete the last character.
    Erase,
    /// Delete the last word.
    EraseWord,
    /// Delete all.
    EraseAll,
    /// Move in the text field.
    Go(Motion),
    /// Delete in the text field.
    Delete(Motion),
    /// On the screen that explores.
    Explore(Explore),
}

/// What a key means while exploring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Explore {
    /// Begin a line in the text field.
    NewLine,
    /// Take the last change back.
    Undo,
    /// Make it again.
    Redo,
    /// Offer what could come next, or take what is offered.
    Complete,
    /// Look through the queries that were run.
    History,
    /// Look through the metrics there are.
    Metrics,
    /// Ask for the query.
    Run,
    /// Next pane.
    NextPane,
    /// Previous pane.
    PreviousPane,
    /// Write the query.
    Edit,
    /// Begin another query.
    New,
    /// Drop the query.
    Drop,
    /// Draw the series or not.
    Hide,
    /// Draw only the series.
    Solo,
    /// List values instead of drawing them, or the other way round.
    Table,
    /// Choose a range.
    RangeMenu,
    /// Half of the range.
    ZoomIn,
    /// Twice the range.
    ZoomOut,
    /// Earlier.
    PanBack,
    /// Later.
    PanOn,
    /// Follow the present.
    Live,
    /// Another value axis.
    Scale,
    /// Read values at a time.
    Inspect,
    /// An earlier time.
    InspectBack,
    /// A later time.
    InspectOn,
    /// Copy the query.
    CopyQuery,
    /// Copy the command that asks the same.
    CopyCommand,
    /// Copy the name of the series.
    CopySeries,
}
