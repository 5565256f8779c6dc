//! Help: the key table, what works here first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::keys::{Bind, Context, binds, labels};
use crate::tui::state::explore::Focus;
use crate::tui::state::filter::contains;
use crate::tui::state::{Overlay, Screen, State};
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, rule};

enum Entry {
    Title(Context, bool),
    Key(&'static Bind),
    Nothing,
}

/// The contexts in the order in which help shows them: those that hold now first.
fn contexts(s: &State) -> Vec<(Context, bool)> {
    let here = match (&s.open, s.screen) {
        _ if s.form.is_some() => Context::Form,
        _ if s.why.is_some() => Context::Why,
        (Some(_), _) => Context::Detail,
        (None, Screen::Alerts) => Context::Alerts,
        (None, Screen::Silences) => Context::Silences,
        (None, Screen::Notifications) => Context::Notifications,
        (None, Screen::Overview) => Context::Overview,
        (None, Screen::Monitors) => Context::Monitors,
        (None, Screen::Explore) => Context::Explore,
        (None, Screen::Config) => Context::Config,
    };
    let mut order = Vec::new();
    if !s.is_fresh() {
        order.push((Context::Offline, true));
    }
    if here == Context::Explore && s.explore.focus == Focus::Editor {
        order.extend([(Context::Editor, true), (Context::Popup, true)]);
    }
    if here == Context::Form {
        order.extend([(here, true), (Context::FormChoice, true), (Context::Line, true)]);
    } else {
        order.extend([(here, true), (Context::Move, true), (Context::Global, true)]);
    }
    for context in Context::ALL {
        if !order.iter().any(|(c, _)| *c == context) {
            order.push((context, false));
        }
    }
    order
}

fn entries(s: &State, query: &str) -> Vec<Entry> {
    let needle = query.to_lowercase();
    let mut out = Vec::new();
    for (context, here) in contexts(s) {
        let rows: Vec<_> = binds()
            .filter(|b| b.context == context)
            .filter(|b| {
                contains(b.help, &needle) || contains(&labels(b), &needle) || contains(context.title(), &needle)
            })
            .collect();
        if !rows.is_empty() {
            out.push(Entry::Title(context, here));
            out.extend(rows.into_iter().map(Entry::Key));
        }
    }
    if out.is_empty() {
        out.push(Entry::Nothing);
    }
    out
}

/// How many lines there are to scroll through.
pub(super) fn lines(s: &State, query: &str) -> usize {
    entries(s, query).len() + 1
}

/// Draws the part that is scrolled to.
pub(super) fn draw(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer, scroll: usize, query: &str) {
    let columns = usize::from(area.width);
    let refused = crate::tui::update::refused(s);
    let typing = matches!(s.overlay, Overlay::Help { typing: true, .. });
    let title = if query.is_empty() || typing { "HELP".to_owned() } else { format!("HELP  /{query}") };
    rule(theme, columns, &title, "/ search  Esc close", true).draw(buf, theme, area, 0);
    let keys = 20.min(columns / 3);
    for (row, entry) in (1..area.height).zip(entries(s, query).iter().skip(scroll)) {
        let line = match entry {
            Entry::Title(context, here) => {
                let line = Line::new().add(Role::Heading, format!(" {}", context.title()));
                if *here { line } else { line.add(Role::Dim, "  (elsewhere)") }
            }
            Entry::Nothing => {
                Line::new().add(Role::Text, format!(" No key matches \"{query}\". Esc clears the search."))
            }
            Entry::Key(bind) => {
                let off = refused.filter(|_| bind.writes);
                let role = if off.is_some() { Role::Dim } else { Role::Text };
                let line = Line::new().add(Role::Text, "  ").col(Role::Strong, &labels(bind), keys, theme);
                let line = line.add(Role::Text, " ").add(role, bind.help);
                match off {
                    Some(reason) => line.add(Role::Dim, format!(" ({reason})")),
                    None => line,
                }
            }
        };
        line.draw(buf, theme, area, row);
    }
}
