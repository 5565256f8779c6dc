//! The key table. Dispatch, footer, help and the documentation's page all read it, so none can lie.

use std::fmt::Write;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::action::{Action, Explore};
use crate::tui::state::explore::editor::Motion;

/// Where a key is looked up. A context is tried in the order in which the screen lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    /// While the filter is typed. Keys not listed enter text.
    Typing,
    /// While a query is written. Keys not listed enter text.
    Editor,
    /// While completions or old queries are offered below it.
    Popup,
    /// While the sort menu is open.
    Menu,
    /// While the menu of ranges is open.
    Ranges,
    /// While help is open.
    Help,
    /// While the server is not heard.
    Offline,
    /// Overview.
    Overview,
    /// List of monitors.
    Monitors,
    /// One monitor.
    Detail,
    /// Chart and legend of queries.
    Explore,
    /// Configuration.
    Config,
    /// Moving about, on every screen.
    Move,
    /// Everywhere but in text.
    Global,
}

impl Context {
    /// All contexts, as help lists them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Overview,
        Self::Monitors,
        Self::Detail,
        Self::Explore,
        Self::Editor,
        Self::Popup,
        Self::Ranges,
        Self::Config,
        Self::Offline,
        Self::Typing,
        Self::Menu,
        Self::Help,
        Self::Move,
        Self::Global,
    ];

    /// Title in help.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Typing => "While typing a filter",
            Self::Editor => "While writing a query",
            Self::Popup => "Completions and old queries",
            Self::Ranges => "Menu of ranges",
            Self::Menu => "Sort menu",
            Self::Help => "Help",
            Self::Offline => "Not connected",
            Self::Overview => "Overview",
            Self::Monitors => "Monitors",
            Self::Detail => "One monitor",
            Self::Explore => "Explore: chart and legend",
            Self::Config => "Config",
            Self::Move => "Moving",
            Self::Global => "Everywhere",
        }
    }
}

/// One key press, or two in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// A key with a name.
    Named(KeyCode),
    /// A key with a name, or a character, with Alt.
    Alt(KeyCode),
    /// Two characters, one after the other.
    Pair(char, char),
}

impl Key {
    /// How help writes it.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            // What terminals send for it.
            Self::Ctrl('7') => "^_".to_owned(),
            Self::Ctrl(c) => format!("^{c}"),
            Self::Alt(code) => format!("Alt-{}", named(code)),
            Self::Pair(a, b) => format!("{a}{b}"),
            Self::Named(code) => named(code),
        }
    }

    fn matches(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match self {
            Self::Char(c) => !ctrl && !alt && event.code == KeyCode::Char(c),
            Self::Ctrl(c) => ctrl && !alt && event.code == KeyCode::Char(c),
            Self::Named(code) => !ctrl && !alt && event.code == code,
            Self::Alt(code) => !ctrl && alt && event.code == code,
            Self::Pair(..) => false,
        }
    }
}

fn named(code: KeyCode) -> String {
    match code {
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::Backspace => "Backspace".to_owned(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        other => other.to_string(),
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bind {
    /// Any of these; the first is shown in the footer.
    pub(crate) keys: &'static [Key],
    /// Where.
    pub(crate) context: Context,
    /// What it does.
    pub(crate) action: Action,
    /// Footer word; empty: not in the footer.
    pub(crate) short: &'static str,
    /// Sentence in help.
    pub(crate) help: &'static str,
    /// Changes something on the server: off without a connection, and when read only.
    pub(crate) writes: bool,
}

const fn bind(context: Context, keys: &'static [Key], action: Action, short: &'static str, help: &'static str) -> Bind {
    Bind { keys, context, action, short, help, writes: false }
}

const fn write(
    context: Context,
    keys: &'static [Key],
    action: Action,
    short: &'static str,
    help: &'static str,
) -> Bind {
    Bind { keys, context, action, short, help, writes: true }
}

const ENTER: Key = Key::Named(KeyCode::Enter);
const ESC: Key = Key::Named(KeyCode::Esc);
const TAB: Key = Key::Named(KeyCode::Tab);

/// Every key. Within a context the order is that of footer and help.
pub(crate) const BINDS: &[Bind] = &[
    bind(Context::Typing, &[ENTER], Action::Accept, "keep", "keep the filter and go back to the list"),
    bind(Context::Typing, &[ESC], Action::Back, "clear", "clear the filter"),
    bind(Context::Typing, &[Key::Named(KeyCode::Down)], Action::Down, "", "next row"),
    bind(Context::Typing, &[Key::Named(KeyCode::Up)], Action::Up, "", "previous row"),
    bind(
        Context::Typing,
        &[Key::Named(KeyCode::Backspace), Key::Ctrl('h')],
        Action::Erase,
        "",
        "delete the last character",
    ),
    bind(Context::Typing, &[Key::Ctrl('w')], Action::EraseWord, "", "delete the last word"),
    bind(Context::Typing, &[Key::Ctrl('u')], Action::EraseAll, "", "delete everything typed"),
    bind(Context::Typing, &[Key::Ctrl('c')], Action::Quit, "", "quit"),
    bind(Context::Popup, &[TAB], Action::Explore(Explore::Complete), "take", "take the marked one"),
    bind(Context::Popup, &[Key::Named(KeyCode::Down), Key::Ctrl('n')], Action::Down, "", "next one"),
    bind(Context::Popup, &[Key::Named(KeyCode::Up), Key::Ctrl('p')], Action::Up, "", "previous one"),
    bind(Context::Popup, &[Key::Named(KeyCode::PageDown)], Action::PageDown, "", "page down"),
    bind(Context::Popup, &[Key::Named(KeyCode::PageUp)], Action::PageUp, "", "page up"),
    bind(Context::Popup, &[ENTER], Action::Accept, "", "take the marked one, once it was moved to; else run the query"),
    bind(Context::Popup, &[ESC], Action::Back, "close", "close the list"),
    bind(Context::Editor, &[ENTER], Action::Explore(Explore::Run), "run", "run the query"),
    bind(
        Context::Editor,
        &[TAB, Key::Ctrl(' ')],
        Action::Explore(Explore::Complete),
        "complete",
        "offer what could come next",
    ),
    bind(Context::Editor, &[ESC], Action::Back, "results", "stop a query that is running, else go to the chart"),
    bind(
        Context::Editor,
        &[Key::Ctrl('j'), Key::Alt(KeyCode::Enter)],
        Action::Explore(Explore::NewLine),
        "",
        "begin a new line",
    ),
    bind(
        Context::Editor,
        &[Key::Ctrl('r')],
        Action::Explore(Explore::History),
        "history",
        "search the queries that were run",
    ),
    bind(
        Context::Editor,
        &[Key::Named(KeyCode::Up)],
        Action::Up,
        "",
        "line up; on the first line the query run before",
    ),
    bind(
        Context::Editor,
        &[Key::Named(KeyCode::Down)],
        Action::Down,
        "",
        "line down; on the last line the query run after",
    ),
    bind(Context::Editor, &[Key::Named(KeyCode::Left), Key::Ctrl('b')], Action::Go(Motion::Left), "", "character back"),
    bind(Context::Editor, &[Key::Named(KeyCode::Right), Key::Ctrl('f')], Action::Go(Motion::Right), "", "character on"),
    bind(
        Context::Editor,
        &[Key::Alt(KeyCode::Char('b')), Key::Alt(KeyCode::Left)],
        Action::Go(Motion::WordLeft),
        "",
        "word back",
    ),
    bind(
        Context::Editor,
        &[Key::Alt(KeyCode::Char('f')), Key::Alt(KeyCode::Right)],
        Action::Go(Motion::WordRight),
        "",
        "word on",
    ),
    bind(
        Context::Editor,
        &[Key::Ctrl('a'), Key::Named(KeyCode::Home)],
        Action::Go(Motion::Home),
        "",
        "start of the line",
    ),
    bind(Context::Editor, &[Key::Ctrl('e'), Key::Named(KeyCode::End)], Action::Go(Motion::End), "", "end of the line"),
    bind(
        Context::Editor,
        &[Key::Named(KeyCode::Backspace), Key::Ctrl('h')],
        Action::Delete(Motion::Left),
        "",
        "delete the character before",
    ),
    bind(
        Context::Editor,
        &[Key::Named(KeyCode::Delete), Key::Ctrl('d')],
        Action::Delete(Motion::Right),
        "",
        "delete the character after",
    ),
    bind(Context::Editor, &[Key::Ctrl('w')], Action::Delete(Motion::WordLeft), "", "delete the word before"),
    bind(
        Context::Editor,
        &[Key::Alt(KeyCode::Char('d'))],
        Action::Delete(Motion::WordRight),
        "",
        "delete the word after",
    ),
    bind(Context::Editor, &[Key::Ctrl('u')], Action::Delete(Motion::Home), "", "delete to the start of the line"),
    bind(Context::Editor, &[Key::Ctrl('k')], Action::Delete(Motion::End), "", "delete to the end of the line"),
    bind(
        Context::Editor,
        &[Key::Ctrl('7'), Key::Alt(KeyCode::Char('u'))],
        Action::Explore(Explore::Undo),
        "",
        "take the last change back",
    ),
    bind(
        Context::Editor,
        &[Key::Ctrl('y'), Key::Alt(KeyCode::Char('r'))],
        Action::Explore(Explore::Redo),
        "",
        "make it again",
    ),
    bind(Context::Editor, &[Key::Named(KeyCode::BackTab)], Action::Explore(Explore::PreviousPane), "", "previous pane"),
    bind(Context::Editor, &[Key::Named(KeyCode::F(1))], Action::Help, "help", "this list"),
    bind(Context::Editor, &[Key::Ctrl('l')], Action::Repaint, "", "draw the screen again"),
    bind(Context::Editor, &[Key::Ctrl('z')], Action::Suspend, "", "suspend; `fg` comes back"),
    bind(Context::Editor, &[Key::Ctrl('c')], Action::Quit, "", "quit"),
    bind(Context::Ranges, &[ENTER, Key::Char('t')], Action::Accept, "choose", "take the marked range"),
    bind(Context::Ranges, &[ESC], Action::Back, "cancel", "close the menu"),
    bind(Context::Menu, &[ENTER, Key::Char('o')], Action::Accept, "choose", "sort by the marked column"),
    bind(Context::Menu, &[ESC], Action::Back, "cancel", "close the menu"),
    bind(Context::Menu, &[Key::Char('O')], Action::SortReverse, "reverse", "turn the order round"),
    bind(Context::Help, &[ESC, Key::Char('?'), Key::Char('q')], Action::Back, "close", "close help"),
    bind(Context::Help, &[Key::Char('/')], Action::Filter, "search", "show only the lines that contain a text"),
    bind(Context::Offline, &[Key::Char('r')], Action::Retry, "retry now", "connect now instead of after the pause"),
    bind(
        Context::Overview,
        &[ENTER],
        Action::Open,
        "open",
        "open the monitor, or the list of the type, under the cursor",
    ),
    write(Context::Overview, &[Key::Char('r')], Action::Run, "run", "probe the monitor under the cursor now"),
    bind(
        Context::Overview,
        &[Key::Char('y')],
        Action::Copy,
        "copy",
        "copy the monitor's name to the terminal's clipboard",
    ),
    bind(Context::Monitors, &[ENTER], Action::Open, "detail", "open the monitor"),
    write(Context::Monitors, &[Key::Char('r')], Action::Run, "run", "probe the monitor now"),
    bind(
        Context::Monitors,
        &[Key::Char('/')],
        Action::Filter,
        "filter",
        "filter while typing: text, !text, label=value, state:down, type:http",
    ),
    bind(Context::Monitors, &[Key::Char('o')], Action::SortMenu, "sort", "choose the sort column"),
    bind(Context::Monitors, &[Key::Char('O')], Action::SortReverse, "", "turn the order round"),
    bind(Context::Monitors, &[Key::Char('>')], Action::SortNext, "", "sort by the next column"),
    bind(Context::Monitors, &[Key::Char('<')], Action::SortPrevious, "", "sort by the previous column"),
    bind(
        Context::Monitors,
        &[Key::Char('y')],
        Action::Copy,
        "copy",
        "copy the monitor's name to the terminal's clipboard",
    ),
    bind(Context::Detail, &[ESC], Action::Back, "back", "back to where it was opened"),
    write(Context::Detail, &[Key::Char('r')], Action::Run, "run", "probe the monitor now"),
    bind(Context::Detail, &[Key::Char('n')], Action::NextItem, "next", "next monitor of the list"),
    bind(Context::Detail, &[Key::Char('N')], Action::PreviousItem, "", "previous monitor of the list"),
    bind(
        Context::Detail,
        &[Key::Char('y')],
        Action::Copy,
        "copy",
        "copy the monitor's name to the terminal's clipboard",
    ),
    bind(
        Context::Explore,
        &[Key::Char('e'), Key::Char('i')],
        Action::Explore(Explore::Edit),
        "edit",
        "write the query",
    ),
    bind(Context::Explore, &[Key::Char('n')], Action::Explore(Explore::New), "new", "begin another query"),
    bind(Context::Explore, &[Key::Char('t')], Action::Explore(Explore::RangeMenu), "range", "choose the time range"),
    bind(
        Context::Explore,
        &[Key::Char('o')],
        Action::Explore(Explore::Table),
        "table",
        "list values instead of drawing them",
    ),
    bind(
        Context::Explore,
        &[Key::Char(' ')],
        Action::Explore(Explore::Hide),
        "hide",
        "draw the series under the cursor or not",
    ),
    bind(
        Context::Explore,
        &[ENTER],
        Action::Explore(Explore::Solo),
        "solo",
        "draw only the series under the cursor, or all again",
    ),
    bind(
        Context::Explore,
        &[Key::Char('v')],
        Action::Explore(Explore::Inspect),
        "inspect",
        "read the values at a time; again to leave",
    ),
    bind(
        Context::Explore,
        &[Key::Pair('y', 'q'), Key::Pair('y', 'y')],
        Action::Explore(Explore::CopyQuery),
        "copy",
        "copy the query to the terminal's clipboard",
    ),
    bind(
        Context::Explore,
        &[Key::Pair('y', 'c')],
        Action::Explore(Explore::CopyCommand),
        "",
        "copy the `watchdog query` that asks the same",
    ),
    bind(
        Context::Explore,
        &[Key::Pair('y', 'l')],
        Action::Explore(Explore::CopySeries),
        "",
        "copy the series under the cursor",
    ),
    bind(
        Context::Explore,
        &[Key::Char('h'), Key::Named(KeyCode::Left)],
        Action::Explore(Explore::InspectBack),
        "",
        "inspect an earlier time",
    ),
    bind(
        Context::Explore,
        &[Key::Char('l'), Key::Named(KeyCode::Right)],
        Action::Explore(Explore::InspectOn),
        "",
        "inspect a later time",
    ),
    bind(
        Context::Explore,
        &[Key::Char('+')],
        Action::Explore(Explore::ZoomIn),
        "",
        "half of the range, around the inspected time",
    ),
    bind(Context::Explore, &[Key::Char('-')], Action::Explore(Explore::ZoomOut), "", "twice the range"),
    bind(Context::Explore, &[Key::Char('[')], Action::Explore(Explore::PanBack), "", "half a range earlier"),
    bind(Context::Explore, &[Key::Char(']')], Action::Explore(Explore::PanOn), "", "half a range later"),
    bind(Context::Explore, &[Key::Char('=')], Action::Explore(Explore::Live), "", "follow the present"),
    bind(
        Context::Explore,
        &[Key::Char('Y')],
        Action::Explore(Explore::Scale),
        "",
        "value axis: from zero, fitting, logarithmic",
    ),
    bind(Context::Explore, &[Key::Char('r')], Action::Explore(Explore::Run), "", "run all queries again"),
    bind(Context::Explore, &[Key::Char('D')], Action::Explore(Explore::Drop), "", "drop the query written last"),
    bind(Context::Explore, &[TAB], Action::Explore(Explore::NextPane), "", "next pane: the queries, then the chart"),
    bind(
        Context::Explore,
        &[Key::Named(KeyCode::BackTab)],
        Action::Explore(Explore::PreviousPane),
        "",
        "previous pane",
    ),
    bind(
        Context::Explore,
        &[ESC],
        Action::Back,
        "",
        "stop a query that is running, else leave inspection, else show all series, else go back",
    ),
    write(Context::Config, &[Key::Char('r')], Action::Reload, "reload", "read the configuration directory again"),
    bind(Context::Config, &[Key::Char('y')], Action::Copy, "copy", "copy `file:line:column` of the problem"),
    bind(Context::Move, &[Key::Char('j'), Key::Named(KeyCode::Down)], Action::Down, "", "down"),
    bind(Context::Move, &[Key::Char('k'), Key::Named(KeyCode::Up)], Action::Up, "", "up"),
    bind(
        Context::Move,
        &[Key::Named(KeyCode::PageDown), Key::Ctrl('d'), Key::Ctrl('f')],
        Action::PageDown,
        "",
        "page down",
    ),
    bind(Context::Move, &[Key::Named(KeyCode::PageUp), Key::Ctrl('u'), Key::Ctrl('b')], Action::PageUp, "", "page up"),
    bind(Context::Move, &[Key::Pair('g', 'g'), Key::Named(KeyCode::Home)], Action::Top, "", "first row"),
    bind(Context::Move, &[Key::Char('G'), Key::Named(KeyCode::End)], Action::Bottom, "", "last row"),
    bind(Context::Global, &[Key::Char('1')], Action::GoOverview, "", "Overview: is anything wrong"),
    bind(Context::Global, &[Key::Char('3')], Action::GoMonitors, "", "Monitors: state and latency of each target"),
    bind(
        Context::Global,
        &[Key::Char('5')],
        Action::GoExplore,
        "",
        "Explore: queries in PromQL; from a monitor, how long its probes took",
    ),
    bind(Context::Global, &[Key::Char('0')], Action::GoConfig, "", "Config: what is loaded, what is wrong with it"),
    bind(Context::Global, &[Key::Char('?')], Action::Help, "help", "this list"),
    bind(
        Context::Global,
        &[ESC],
        Action::Back,
        "",
        "close what is open, else clear the filter, else go back; never quits",
    ),
    bind(Context::Global, &[Key::Ctrl('l')], Action::Repaint, "", "draw the screen again"),
    bind(Context::Global, &[Key::Ctrl('z')], Action::Suspend, "", "suspend; `fg` comes back"),
    bind(
        Context::Global,
        &[Key::Char('q'), Key::Ctrl('c')],
        Action::Quit,
        "quit",
        "leave the screens; a server of its own keeps running",
    ),
];

/// What a key press leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This row.
    Action(Action, bool),
    /// The first half of a double key.
    Half(char),
    /// Nothing.
    Nothing,
}

/// Looks `event` up in `contexts`, first match wins. `half` is the double key begun before.
pub(crate) fn look_up(event: &KeyEvent, contexts: &[Context], half: Option<char>) -> Found {
    if event.kind == KeyEventKind::Release {
        return Found::Nothing;
    }
    let plain = (event.modifiers - KeyModifiers::SHIFT).is_empty();
    let rows = || contexts.iter().flat_map(|context| BINDS.iter().filter(|b| b.context == *context));
    // A second half goes before what the key means by itself.
    if plain && let (Some(first), KeyCode::Char(second)) = (half, event.code) {
        let pair = Key::Pair(first, second);
        if let Some(row) = rows().find(|row| row.keys.contains(&pair)) {
            return Found::Action(row.action, row.writes);
        }
    }
    for row in rows() {
        for key in row.keys {
            match *key {
                Key::Pair(first, _) if plain && event.code == KeyCode::Char(first) => return Found::Half(first),
                key if key.matches(event) => return Found::Action(row.action, row.writes),
                _ => {}
            }
        }
    }
    Found::Nothing
}

/// The keys of a row, as help shows them.
pub(crate) fn labels(row: &Bind) -> String {
    row.keys.iter().map(|k| k.label()).collect::<Vec<_>>().join(" ")
}

/// The table as Markdown, for the documentation.
pub fn markdown() -> String {
    let mut out = String::new();
    for context in Context::ALL {
        let done = write!(out, "## {}\n\n| key | what it does |\n|---|---|\n", context.title());
        debug_assert!(done.is_ok(), "writing to a String cannot fail");
        for row in BINDS.iter().filter(|b| b.context == context) {
            let keys: Vec<String> = row.keys.iter().map(|k| format!("`{}`", k.label())).collect();
            let done = writeln!(out, "| {} | {} |", keys.join(" "), row.help.replace('|', "\\|"));
            debug_assert!(done.is_ok(), "writing to a String cannot fail");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings_in_one_context() {
        for context in Context::ALL {
            let mut seen = Vec::new();
            for key in BINDS.iter().filter(|b| b.context == context).flat_map(|b| b.keys) {
                assert!(!seen.contains(key), "{key:?} twice in {context:?}");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_row_explains_itself() {
        for row in BINDS {
            assert!(!row.help.is_empty() && !row.keys.is_empty(), "{row:?}");
            assert!(row.short.len() <= 10, "{row:?}");
        }
    }

    #[test]
    fn a_double_key_needs_both_halves() {
        let g = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::NONE);
        let contexts = [Context::Move, Context::Global];
        assert_eq!(look_up(&g, &contexts, None), Found::Half('g'));
        assert_eq!(look_up(&g, &contexts, Some('g')), Found::Action(Action::Top, false));
    }

    #[test]
    fn the_release_of_a_key_does_nothing() {
        let mut q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        q.kind = KeyEventKind::Release;
        assert_eq!(look_up(&q, &[Context::Global], None), Found::Nothing);
    }

    #[test]
    fn the_documentation_is_this_table() {
        insta::assert_snapshot!(markdown());
    }
}
