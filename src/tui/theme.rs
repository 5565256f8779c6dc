//! Glyphs, words and styles by role. The only file that names a colour.
//!
//! State is shape, then word, then colour: the mono theme uses modifiers only, the ascii tier letters
//! only, and every state stays distinct. Backgrounds are never painted, ANSI blue and "grey" never used:
//! both vanish on common terminals. The pairs for dark and light were searched for contrast (≥ 4.6) and
//! for distance under the usual forms of colour blindness.

use ratatui::style::{Color, Modifier, Style};

use crate::base::message::Severity;
use crate::base::outcome::Verdict;
use crate::wire::alerting::{NotifierHealth, StepOutcome};
use crate::wire::board::{AlertState, DeliveryState, Event, EventKind, State};

/// When to use colour, as asked on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// As the environment says.
    #[default]
    Auto,
    /// Even when `NO_COLOR` is set.
    Always,
    /// Modifiers only.
    Never,
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: bold, dim and reverse only.
    #[default]
    Mono,
    /// The terminal's own palette.
    Ansi16,
    /// The xterm palette.
    Ansi256,
    /// 24 bits.
    True,
}

impl Depth {
    /// What `env` says about the terminal: `NO_COLOR` (when not empty), `CLICOLOR_FORCE`, `COLORTERM`, `TERM`.
    pub fn detect(mode: ColorMode, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).is_some_and(|v| !v.is_empty() && v != "0");
        let forced = mode == ColorMode::Always || (mode == ColorMode::Auto && set("CLICOLOR_FORCE"));
        let refused = mode == ColorMode::Never || (!forced && env("NO_COLOR").is_some_and(|v| !v.is_empty()));
        if refused {
            return Self::Mono;
        }
        let term = env("TERM").unwrap_or_default();
        let colorterm = env("COLORTERM").unwrap_or_default();
        if colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256") {
            Self::Ansi256
        } else if forced || !(term.is_empty() || term == "dumb" || term.starts_with("vt")) {
            Self::Ansi16
        } else {
            Self::Mono
        }
    }
}

/// Which characters the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Blocks, braille and box drawing.
    #[default]
    Unicode,
    /// Letters only.
    Ascii,
}

impl Glyphs {
    /// Ascii for a locale that is set and not UTF-8, and for the Linux console, whose fonts have no braille.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| env(n).filter(|v| !v.is_empty()));
        let utf8 = locale.is_none_or(|l| {
            let l = l.to_ascii_lowercase();
            l.contains("utf-8") || l.contains("utf8")
        });
        if utf8 && env("TERM").is_none_or(|t| t != "linux") { Self::Unicode } else { Self::Ascii }
    }
}

/// What a piece of text means. Decides its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Plain.
    Text,
    /// Present but not asking for attention.
    Dim,
    /// Worth a look.
    Strong,
    /// Title of a section.
    Heading,
    /// Title of the focused pane.
    Title,
    /// Fine. Dim on purpose: a calm screen is a dark one.
    Ok,
    /// Works, but worse than wanted.
    Degraded,
    /// Broken.
    Down,
    /// The same for bars and blocks, which reverse video would blank.
    DownBar,
    /// We do not know.
    Unknown,
    /// About to be something.
    Pending,
    /// Off, old or over.
    Quiet,
    /// A banner that must not be missed.
    Alarm,
    /// The part of a text that is wrong, and why.
    Mistake,
    /// A line of a chart.
    Series(Stroke),
    /// The line of a chart that the cursor is on.
    Picked(Stroke),
}

/// How a line of a chart differs from the others: by colour, and without colour by its dashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Stroke {
    /// Sky, solid.
    #[default]
    Solid,
    /// Orange, dashed.
    Dashed,
    /// Purple, dotted.
    Dotted,
    /// Green, sparse.
    Sparse,
    /// All beyond four: more colours in one chart cannot be told apart.
    Rest,
}

impl Stroke {
    /// Those that can be told apart.
    pub(crate) const DISTINCT: [Self; 4] = [Self::Solid, Self::Dashed, Self::Dotted, Self::Sparse];

    /// That of the line at a place in the legend.
    pub(crate) fn at(place: usize) -> Self {
        Self::DISTINCT.get(place).copied().unwrap_or(Self::Rest)
    }

    /// Whether the dot at `i` along the line is set.
    pub(crate) const fn is_on(self, i: usize) -> bool {
        match self {
            Self::Solid => true,
            Self::Dashed => i % 7 < 4,
            Self::Dotted => i % 4 < 2,
            Self::Sparse => i.is_multiple_of(4),
            Self::Rest => i.is_multiple_of(3),
        }
    }
}

/// A state as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// One column.
    pub(crate) glyph: &'static str,
    /// Up to eight columns; capitals ask for attention.
    pub(crate) word: &'static str,
    /// Style of both.
    pub(crate) role: Role,
}

/// The look of everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Theme {
    depth: Depth,
    glyphs: Glyphs,
    light: bool,
}

impl Theme {
    /// The theme for a terminal; `light` means dark text on a light background.
    pub fn new(depth: Depth, glyphs: Glyphs, light: bool) -> Self {
        Self { depth, glyphs, light }
    }

    /// Without colour, with all glyphs.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    /// The style of a role.
    pub(crate) fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        match role {
            Role::Text => plain,
            Role::Dim | Role::Ok | Role::Quiet => plain.add_modifier(Modifier::DIM),
            Role::Strong | Role::Heading => plain.add_modifier(Modifier::BOLD),
            Role::Title => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Role::Alarm => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Role::Degraded => self.paint([(0xF0, 0xC8, 0x3C), (0x8C, 0x6C, 0x00)], [221, 94], Color::Yellow, true),
            Role::Down if self.depth == Depth::Mono => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Role::Down | Role::DownBar => {
                self.paint([(0xE6, 0x64, 0x32), (0x8C, 0x14, 0x00)], [202, 88], Color::Red, true)
            }
            Role::Unknown => self.paint([(0xF0, 0x46, 0xF0), (0xB9, 0x14, 0xC3)], [207, 127], Color::Magenta, true),
            Role::Pending => self.paint([(0x5A, 0xAF, 0xD7), (0x00, 0x4B, 0x6E)], [74, 23], Color::Cyan, false),
            Role::Mistake => self.style(Role::DownBar).add_modifier(Modifier::UNDERLINED),
            Role::Series(stroke) => self.stroke(stroke),
            Role::Picked(stroke) => self.stroke(stroke).remove_modifier(Modifier::DIM).add_modifier(Modifier::BOLD),
        }
    }

    /// The numbers of the escape sequence that selects a role's style, for plain output; empty for the plain one.
    pub(crate) fn codes(&self, role: Role) -> String {
        let style = self.style(role);
        let mut codes = Vec::new();
        for (modifier, code) in
            [(Modifier::BOLD, "1"), (Modifier::DIM, "2"), (Modifier::UNDERLINED, "4"), (Modifier::REVERSED, "7")]
        {
            if style.add_modifier.contains(modifier) {
                codes.push(code.to_owned());
            }
        }
        match style.fg {
            Some(Color::Rgb(r, g, b)) => codes.push(format!("38;2;{r};{g};{b}")),
            Some(Color::Indexed(n)) => codes.push(format!("38;5;{n}")),
            Some(Color::Red) => codes.push("31".to_owned()),
            Some(Color::Yellow) => codes.push("33".to_owned()),
            Some(Color::Magenta) => codes.push("35".to_owned()),
            Some(Color::Cyan) => codes.push("36".to_owned()),
            // No role has another; the terminal's own colour needs no code.
            _ => {}
        }
        codes.join(";")
    }

    /// The cursor row's style, laid over the row's own.
    pub(crate) fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED).remove_modifier(Modifier::DIM)
    }

    /// Colours that people who see no red or no green still tell apart (Okabe and Ito).
    fn stroke(&self, stroke: Stroke) -> Style {
        match stroke {
            Stroke::Solid => self.paint([(0x56, 0xB4, 0xE9), (0x00, 0x5F, 0x94)], [74, 25], Color::Cyan, false),
            Stroke::Dashed => self.paint([(0xE6, 0x9F, 0x00), (0x8C, 0x5A, 0x00)], [214, 94], Color::Yellow, false),
            Stroke::Dotted => self.paint([(0xCC, 0x79, 0xA7), (0x8C, 0x32, 0x64)], [175, 89], Color::Magenta, false),
            Stroke::Sparse => self.paint([(0x28, 0xC8, 0x96), (0x00, 0x64, 0x46)], [36, 22], Color::Reset, false),
            Stroke::Rest => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// The sign of a line of a chart, in its legend.
    pub(crate) fn swatch(&self, stroke: Stroke) -> char {
        match stroke {
            Stroke::Solid => self.pick('─', '-'),
            Stroke::Dashed => self.pick('╌', '='),
            Stroke::Dotted => self.pick('┄', ':'),
            Stroke::Sparse => self.pick('·', '.'),
            Stroke::Rest => ',',
        }
    }

    /// The character of a chart that holds these dots of that line. In letters the lines keep apart by their
    /// sign, and a character is one dot.
    pub(crate) fn ink(&self, bits: u8, stroke: Stroke) -> char {
        match self.glyphs {
            Glyphs::Unicode => self.dots(bits),
            Glyphs::Ascii if bits == 0 => ' ',
            Glyphs::Ascii => self.swatch(stroke),
        }
    }

    /// Whether dashes are drawn: in letters the signs differ instead.
    pub(crate) fn has_dashes(&self) -> bool {
        self.glyphs == Glyphs::Unicode
    }

    fn paint(&self, rgb: [(u8, u8, u8); 2], xterm: [u8; 2], ansi: Color, bold: bool) -> Style {
        let side = usize::from(self.light);
        let style = match self.depth {
            Depth::Mono => Style::new(),
            Depth::Ansi16 => Style::new().fg(ansi),
            Depth::Ansi256 => Style::new().fg(Color::Indexed(xterm[side])),
            Depth::True => Style::new().fg(Color::Rgb(rgb[side].0, rgb[side].1, rgb[side].2)),
        };
        if bold { style.add_modifier(Modifier::BOLD) } else { style }
    }

    fn pick<T>(&self, unicode: T, ascii: T) -> T {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }

    fn mark(&self, unicode: &'static str, ascii: &'static str, word: &'static str, role: Role) -> Mark {
        Mark { glyph: self.pick(unicode, ascii), word, role }
    }

    /// A monitor's state. Without `fresh` data nothing is claimed: the glyph says that we do not know.
    pub(crate) fn state(&self, state: State, fresh: bool) -> Mark {
        if !fresh {
            let word = match state {
                State::Down => "was down",
                State::Degraded => "was degr",
                State::Unknown => "was unkn",
                State::Pending | State::Up | State::Paused => "old",
            };
            return Mark { glyph: "?", word, role: Role::Quiet };
        }
        match state {
            State::Down => self.mark("✗", "X", "DOWN", Role::Down),
            State::Degraded => self.mark("▴", "!", "DEGRADED", Role::Degraded),
            State::Unknown => self.mark("?", "?", "UNKNOWN", Role::Unknown),
            State::Pending => self.mark("◌", "o", "pending", Role::Pending),
            State::Up => self.mark("✓", ".", "ok", Role::Ok),
            State::Paused => self.mark("-", "-", "paused", Role::Quiet),
        }
    }

    /// The judgement of one probe. What has happened stays true on an old screen, but only quietly.
    pub(crate) fn verdict(&self, verdict: Verdict, fresh: bool) -> Mark {
        let mark = self.state(State::from(verdict), true);
        if fresh {
            mark
        } else {
            Mark { glyph: "?", role: Role::Quiet, word: self.state(State::from(verdict), false).word }
        }
    }

    /// An alert's severity and where it stands.
    pub(crate) fn alert(&self, severity: Severity, state: AlertState, fresh: bool) -> Mark {
        let mark = match (state, severity) {
            (AlertState::Pending, _) => self.mark("◌", "o", "pend", Role::Pending),
            (AlertState::Resolved, _) => self.mark("✓", ".", "over", Role::Quiet),
            (AlertState::Firing, Severity::Critical) => self.mark("✗", "X", "CRIT", Role::Down),
            (AlertState::Firing, Severity::Warning) => self.mark("▴", "!", "WARN", Role::Degraded),
            (AlertState::Firing, Severity::Info) => self.mark("i", "i", "info", Role::Text),
        };
        if fresh { mark } else { Mark { glyph: "?", role: Role::Quiet, ..mark } }
    }

    /// How far a message got.
    pub(crate) fn delivery(&self, state: DeliveryState, attempts: u32, fresh: bool) -> Mark {
        if !fresh && state == DeliveryState::Owed {
            return Mark { glyph: "?", word: "owed", role: Role::Quiet };
        }
        match state {
            DeliveryState::Delivered if fresh => self.mark("✓", ".", "delivered", Role::Ok),
            DeliveryState::Delivered => self.mark("⇢", ">", "delivered", Role::Quiet),
            DeliveryState::Owed if attempts == 0 => self.mark("⇢", ">", "sending", Role::Pending),
            DeliveryState::Owed => self.mark("↻", "r", "retrying", Role::Degraded),
            DeliveryState::Dead => self.mark("✗", "X", "NOT DELIVERED", Role::Down),
        }
    }

    /// Somebody has it.
    pub(crate) fn acked(&self) -> Mark {
        self.mark("◉", "@", "acked", Role::Pending)
    }

    /// Kept from being told.
    pub(crate) fn muted(&self) -> Mark {
        self.mark("⊘", "z", "muted", Role::Quiet)
    }

    /// A window of maintenance.
    pub(crate) fn maintenance(&self) -> &'static str {
        self.pick("◒", "m")
    }

    /// What is to come.
    pub(crate) fn planned(&self) -> &'static str {
        self.pick("⇢", ">")
    }

    /// How a step of `why` went. Without `fresh` data nothing is said to be well.
    pub(crate) fn step(&self, outcome: StepOutcome, fresh: bool) -> Mark {
        match outcome {
            _ if !fresh => Mark { glyph: "?", word: "old", role: Role::Quiet },
            StepOutcome::Pass => self.mark("✓", ".", "ok", Role::Ok),
            StepOutcome::Waiting => self.mark("◌", "o", "waits", Role::Pending),
            StepOutcome::Stop => self.mark("✗", "X", "stops", Role::Down),
            StepOutcome::Skipped => self.mark("-", "-", "", Role::Quiet),
        }
    }

    /// How a notifier does.
    pub(crate) fn notifier(&self, health: NotifierHealth, fresh: bool) -> Mark {
        match health {
            _ if !fresh => Mark { glyph: "?", word: "old", role: Role::Quiet },
            NotifierHealth::Ok => self.mark("✓", ".", "ok", Role::Ok),
            NotifierHealth::Failing => self.mark("↻", "r", "failing", Role::Degraded),
            NotifierHealth::Open => self.mark("✗", "X", "open", Role::Down),
        }
    }

    /// An event in the life of an alert. What has happened stays true on an old screen, but only quietly.
    pub(crate) fn event(&self, event: &Event, severity: Severity, fresh: bool) -> Mark {
        let mark = match (event.kind, event.what.as_str()) {
            (EventKind::Alert, "pending") => self.mark("◌", "o", "", Role::Pending),
            (EventKind::Alert, "firing") => self.alert(severity, AlertState::Firing, true),
            (EventKind::Alert, "resolved") => self.mark("∙", "*", "", Role::Ok),
            (EventKind::Alert, "acked" | "acknowledged") => self.acked(),
            (EventKind::Alert, "silenced" | "muted" | "inhibited") => self.muted(),
            (EventKind::Delivery, "delivered") => self.delivery(DeliveryState::Delivered, 1, fresh),
            (EventKind::Delivery, "dead" | "failed") => self.delivery(DeliveryState::Dead, 1, fresh),
            (EventKind::Delivery, _) => self.delivery(DeliveryState::Owed, 1, true),
            (EventKind::State, "down") => self.mark("✗", "X", "", Role::Down),
            (EventKind::State, "degraded") => self.mark("▴", "!", "", Role::Degraded),
            (EventKind::State | EventKind::Alert | EventKind::Config | EventKind::Server, _) => {
                self.mark("∙", "*", "", Role::Text)
            }
        };
        if fresh { mark } else { Mark { role: Role::Quiet, ..mark } }
    }

    /// Something that is wrong with us, not with a target.
    pub(crate) fn warning(&self) -> Mark {
        self.mark("▴", "!", "warning", Role::Degraded)
    }

    /// An error in a file, or a failed action.
    pub(crate) fn error(&self) -> Mark {
        self.mark("✗", "X", "error", Role::Down)
    }

    /// Everything is fine; only for data that is being received.
    pub(crate) fn good(&self) -> Mark {
        self.mark("✓", ".", "ok", Role::Ok)
    }

    /// One cell of a strip.
    pub(crate) fn cell(&self, c: char) -> (char, Role) {
        match c {
            'u' => (self.pick('▂', '.'), Role::Ok),
            'g' => (self.pick('▅', 'o'), Role::Degraded),
            'd' => (self.pick('█', 'X'), Role::DownBar),
            'k' => (self.pick('∙', '?'), Role::Unknown),
            'p' => (self.pick('-', '-'), Role::Quiet),
            _ => (' ', Role::Quiet),
        }
    }

    /// Mark of the cursor row.
    pub(crate) fn cursor(&self) -> &'static str {
        self.pick("›", ">")
    }

    /// Mark of the live link.
    pub(crate) fn dot(&self) -> &'static str {
        self.pick("∙", "*")
    }

    /// Separates things in one line.
    pub(crate) fn bar(&self) -> &'static str {
        self.pick("│", "|")
    }

    /// One column of a rule.
    pub(crate) fn rule(&self) -> &'static str {
        self.pick("─", "-")
    }

    /// Marks a cut.
    pub(crate) fn ellipsis(&self) -> char {
        self.pick('…', '~')
    }

    /// Marks the sort column: descending or ascending.
    pub(crate) fn arrow(&self, reversed: bool) -> &'static str {
        if reversed { "^" } else { "v" }
    }

    /// A bar of `part` of `columns`, in eighths of a column.
    pub(crate) fn gauge(&self, part: f64, columns: usize) -> String {
        const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        // Rounded up, so that what is not zero is seen.
        let eighths = (part.clamp(0.0, 1.0) * columns as f64 * 8.0).ceil() as usize;
        match self.glyphs {
            Glyphs::Ascii => "#".repeat(eighths.div_ceil(8)),
            Glyphs::Unicode => {
                let mut bar = "█".repeat(eighths / 8);
                bar.extend((eighths % 8).checked_sub(1).and_then(|i| EIGHTHS.get(i)));
                bar
            }
        }
    }

    /// The character for a set of braille dots (bit order of Unicode).
    pub(crate) fn dots(&self, bits: u8) -> char {
        match self.glyphs {
            Glyphs::Unicode if bits == 0 => ' ',
            Glyphs::Unicode => char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' '),
            Glyphs::Ascii => {
                const UPPER: u8 = 0b0001_1011;
                match (bits & UPPER != 0, bits & !UPPER != 0) {
                    (true, true) => ':',
                    (true, false) => '\'',
                    (false, true) => '.',
                    (false, false) => ' ',
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn depth_follows_flag_then_no_color_then_the_terminal() {
        #[track_caller]
        fn check(mode: ColorMode, pairs: &'static [(&'static str, &'static str)], depth: Depth) {
            assert_eq!(Depth::detect(mode, env(pairs)), depth, "{pairs:?}");
        }
        check(ColorMode::Auto, &[("TERM", "xterm-256color")], Depth::Ansi256);
        check(ColorMode::Auto, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True);
        check(ColorMode::Auto, &[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::Mono);
        check(ColorMode::Auto, &[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Ansi256);
        check(ColorMode::Always, &[("TERM", "xterm"), ("NO_COLOR", "1")], Depth::Ansi16);
        check(ColorMode::Never, &[("COLORTERM", "truecolor")], Depth::Mono);
        check(ColorMode::Auto, &[("TERM", "vt100")], Depth::Mono);
        check(ColorMode::Auto, &[("TERM", "vt100"), ("CLICOLOR_FORCE", "1")], Depth::Ansi16);
    }

    #[test]
    fn glyphs_follow_the_locale() {
        assert_eq!(Glyphs::detect(env(&[])), Glyphs::Unicode);
        assert_eq!(Glyphs::detect(env(&[("LANG", "de_DE.utf8")])), Glyphs::Unicode);
        assert_eq!(Glyphs::detect(env(&[("LC_ALL", "C"), ("LANG", "de_DE.utf8")])), Glyphs::Ascii);
        assert_eq!(Glyphs::detect(env(&[("TERM", "linux")])), Glyphs::Ascii);
    }

    #[test]
    fn every_state_is_distinct_without_colour_and_without_unicode() {
        let theme = Theme::new(Depth::Mono, Glyphs::Ascii, false);
        let glyphs: HashSet<_> = State::ALL.iter().map(|s| theme.state(*s, true).glyph).collect();
        let words: HashSet<_> = State::ALL.iter().map(|s| theme.state(*s, true).word).collect();
        assert_eq!((glyphs.len(), words.len()), (State::ALL.len(), State::ALL.len()));
        let cells: HashSet<_> = "ugdkp.".chars().map(|c| theme.cell(c).0).collect();
        assert_eq!(cells.len(), 6);
    }

    #[test]
    fn old_data_is_never_fine() {
        let theme = Theme::plain();
        for state in State::ALL {
            let mark = theme.state(state, false);
            assert_eq!((mark.glyph, mark.role), ("?", Role::Quiet), "{state:?}");
            assert_ne!(mark.word, "ok");
        }
        for s in [DeliveryState::Owed, DeliveryState::Delivered, DeliveryState::Dead] {
            assert_ne!(theme.delivery(s, 1, false).glyph, "✓");
        }
    }

    #[test]
    fn blocks_are_never_reversed() {
        for depth in [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True] {
            let theme = Theme::new(depth, Glyphs::Unicode, false);
            for cell in "ugdkp.".chars() {
                assert!(!theme.style(theme.cell(cell).1).add_modifier.contains(Modifier::REVERSED));
            }
        }
    }

    #[test]
    fn a_small_part_still_shows_and_a_whole_fills() {
        let theme = Theme::plain();
        assert_eq!(theme.gauge(0.001, 10), "▏");
        assert_eq!(theme.gauge(1.0, 3), "███");
        assert_eq!(theme.gauge(0.0, 3), "");
    }
}
