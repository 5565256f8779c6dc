//! Before there is a board: where the server is looked for, why it does not answer, what to do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::state::State;
use crate::tui::state::link::Health;
use crate::tui::theme::{Role, Theme};
use crate::tui::widgets::text::{Line, age, wrap};
use crate::wire::stream::PROTOCOL;

/// Draws the explanation.
pub(super) fn draw(s: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let mut lines = vec![Line::new()];
    let columns = usize::from(area.width).saturating_sub(2);
    let mut say = |role: Role, text: &str| {
        lines.extend(wrap(text, columns).into_iter().map(|l| Line::new().add(Role::Text, " ").add(role, l)));
    };
    match s.health() {
        Health::Incompatible { protocol, version } => {
            say(Role::Strong, "The server speaks another protocol than these screens.");
            say(Role::Text, &format!("server    watchdog {version}, protocol {protocol}"));
            say(Role::Text, &format!("screens   watchdog {}, protocol {PROTOCOL}", env!("CARGO_PKG_VERSION")));
            say(Role::Text, "");
            let fix = if protocol > PROTOCOL {
                "Use the server's version of `watchdog` here."
            } else {
                "Restart the server with this version: stop it, then `watchdog serve`."
            };
            say(Role::Text, fix);
            say(Role::Dim, "Monitoring goes on in the server meanwhile. q leaves.");
        }
        Health::Down(lost) => {
            say(Role::Strong, "No server answers.");
            say(Role::Text, &format!("asked     {}", s.endpoint));
            say(Role::Text, &format!("answer    {}", lost.reason));
            say(Role::Text, "");
            say(Role::Text, "start it          watchdog serve");
            say(Role::Text, "or in one         watchdog");
            say(Role::Text, "another socket    watchdog tui --socket PATH");
            say(Role::Text, "");
            say(Role::Dim, "These screens keep trying, and wake up by themselves when it answers.");
        }
        // Nothing for the first moments: a line that flashes by tells nobody anything.
        _ if s.now.steady.as_millis() < 150 => {}
        _ => {
            let since =
                if s.now.steady.as_secs() >= 2 { format!(", for {}", age(s.now.steady)) } else { String::new() };
            say(Role::Text, &format!("connecting to {}{since}", s.endpoint));
        }
    }
    for (row, line) in (0u16..).zip(&lines) {
        line.draw(buf, theme, area, row);
    }
}
