//! The key table. Dispatch, footer, help and the documentation's page all read it, so none can lie.

use std::fmt::Write;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::action::Action;

/// Where a key is looked up. A context is tried in the order in which the screen lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    /// While the filter is typed. Keys not listed enter text.
    Typing,
    /// While the sort menu is open.
    Menu,
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
    /// Configuration.
    Config,
    /// Moving about, on every screen.
    Move,
    /// Everywhere but in text.
    Global,
}

impl Context {
    /// All contexts, as help lists them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Overview,
        Self::Monitors,
        Self::Detail,
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
            Self::Menu => "Sort menu",
            Self::Help => "Help",
            Self::Offline => "Not connected",
            Self::Overview => "Overview",
            Self::Monitors => "Monitors",
            Self::Detail => "One monitor",
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
    /// The same character twice.
    Twice(char),
}

impl Key {
    /// How help writes it.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("^{c}"),
            Self::Twice(c) => format!("{c}{c}"),
            Self::Named(code) => match code {
                KeyCode::PageDown => "PgDn".to_owned(),
                KeyCode::PageUp => "PgUp".to_owned(),
                KeyCode::Backspace => "Backspace".to_owned(),
                other => other.to_string(),
            },
        }
    }

    fn matches(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match self {
            Self::Char(c) => !ctrl && !alt && event.code == KeyCode::Char(c),
            Self::Ctrl(c) => ctrl && !alt && event.code == KeyCode::Char(c),
            Self::Named(code) => !ctrl && !alt && event.code == code,
            Self::Twice(_) => false,
        }
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
    bind(Context::Move, &[Key::Twice('g'), Key::Named(KeyCode::Home)], Action::Top, "", "first row"),
    bind(Context::Move, &[Key::Char('G'), Key::Named(KeyCode::End)], Action::Bottom, "", "last row"),
    bind(Context::Global, &[Key::Char('1')], Action::GoOverview, "", "Overview: is anything wrong"),
    bind(Context::Global, &[Key::Char('3')], Action::GoMonitors, "", "Monitors: state and latency of each target"),
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
    for context in contexts {
        for row in BINDS.iter().filter(|b| b.context == *context) {
            for key in row.keys {
                match *key {
                    Key::Twice(c) if plain && event.code == KeyCode::Char(c) => {
                        return if half == Some(c) { Found::Action(row.action, row.writes) } else { Found::Half(c) };
                    }
                    key if key.matches(event) => return Found::Action(row.action, row.writes),
                    _ => {}
                }
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
