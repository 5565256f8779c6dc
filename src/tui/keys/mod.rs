//! The key table. Dispatch, footer, help and the documentation's page all read it, so none can lie.

mod binds;

use std::fmt::Write;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::action::Action;

pub(crate) use crate::tui::keys::binds::BINDS;

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
    /// While the metrics are looked through. Keys not listed enter text.
    Metrics,
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
    pub(crate) const ALL: [Self; 15] = [
        Self::Overview,
        Self::Monitors,
        Self::Detail,
        Self::Explore,
        Self::Editor,
        Self::Popup,
        Self::Metrics,
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
            Self::Metrics => "List of metrics",
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
