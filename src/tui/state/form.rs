//! The silence dialog: what is being written, and what the server says it would do.

use std::time::Duration;

use crate::base::matcher::{MatchOp, Matcher};
use crate::base::time::Timestamp;
use crate::base::units::parse_duration;
use crate::tui::state::explore::editor::Editor;
use crate::wire::alerting::{SilencePreview, SilenceRequest, SilenceRow};
use crate::wire::board::AlertRow;

/// Lengths to choose from; after them comes one of one's own.
pub(crate) const LENGTHS: [(&str, Duration); 5] = [
    ("30m", Duration::from_secs(1_800)),
    ("1h", Duration::from_secs(3_600)),
    ("2h", Duration::from_secs(7_200)),
    ("4h", Duration::from_secs(14_400)),
    ("24h", Duration::from_secs(86_400)),
];
/// Pause in typing after which the server is asked what the silence would do.
const DEBOUNCE: Duration = Duration::from_millis(120);
/// The preview is asked for anew at most this often when alerts change.
const EVERY: Duration = Duration::from_secs(1);
/// Labels that say what an alert is about, in the order in which the dialog lists them.
const IDENTITY: [&str; 7] = ["alertname", "monitor", "instance", "service", "job", "host", "cluster"];
/// More values than this make a matcher that nobody can read.
const VALUES: usize = 12;
/// Matchers in the dialog.
const MATCHERS: usize = 24;

/// What the keys are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A matcher.
    Matcher(usize),
    /// The line that adds one.
    Add,
    /// The choice of lengths.
    Length,
    /// A length or time of one's own.
    Custom,
    /// Whether it also ends with what it mutes.
    UntilResolved,
    /// Why.
    Reason,
}

/// A matcher as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// `alertname="X"`.
    pub(crate) text: Editor,
    /// Whether it counts.
    pub(crate) used: bool,
}

/// The dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// The silence that is changed; `None` for a new one.
    pub(crate) id: Option<String>,
    /// Its start, where it has not begun.
    starts_at: Option<Timestamp>,
    /// The matchers.
    pub(crate) parts: Vec<Part>,
    /// Alerts that were marked for it.
    pub(crate) marked: Vec<String>,
    /// Place in [`LENGTHS`]; behind them, one's own.
    pub(crate) length: usize,
    /// A length (`90m`), a time of day (`08:00`) or a moment (RFC 3339).
    pub(crate) custom: Editor,
    /// Whether it also ends with what it mutes.
    pub(crate) until_resolved: bool,
    /// Why.
    pub(crate) reason: Editor,
    /// Whose it is; empty: the peer of the socket.
    created_by: String,
    /// Place among the fields.
    focus: usize,
    /// Whether keys enter text into the matcher.
    pub(crate) writing: bool,
    /// Whether anything was changed by hand.
    pub(crate) edited: bool,
    /// What the server says it would do.
    pub(crate) preview: Option<Box<SilencePreview>>,
    /// Why it does not say.
    pub(crate) error: Option<String>,
    /// Why it was not made. Untrusted.
    pub(crate) refusal: Option<String>,
    /// The batch that makes it.
    pub(crate) sent: Option<u64>,
    asked: Option<(u64, SilenceRequest, u64)>,
    asked_at: Option<Duration>,
    changed_at: Duration,
}

/// Whether to ask for a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Now, under this number.
    Ask(u64, Box<SilenceRequest>),
    /// Not before this, on the steady clock.
    At(Duration),
    /// It is known, or under way, or what is written cannot be asked about.
    Nothing,
}

impl Form {
    /// A dialog for alerts: what they share, and which of their names they have.
    pub(crate) fn of_alerts(alerts: &[&AlertRow]) -> Self {
        let mut names: Vec<&str> = alerts.iter().flat_map(|a| a.labels.iter().map(|(name, _)| name)).collect();
        let rank = |name: &str| IDENTITY.iter().position(|i| *i == name).unwrap_or(IDENTITY.len());
        names.sort_unstable_by_key(|name| (rank(name), *name));
        names.dedup();
        let mut parts = Vec::new();
        for name in names {
            let mut values: Vec<&str> = alerts.iter().filter_map(|a| a.labels.get(name)).collect();
            if values.len() < alerts.len() {
                continue;
            }
            values.sort_unstable();
            values.dedup();
            let (text, used) = match values.as_slice() {
                [value] => (matcher(name, MatchOp::Equal, value), true),
                many if many.len() <= VALUES => {
                    let any = many.iter().map(|v| regex::escape(v)).collect::<Vec<_>>().join("|");
                    (matcher(name, MatchOp::Regex, &any), rank(name) < IDENTITY.len())
                }
                _ => continue,
            };
            parts.push(Part { text: Editor::new(&text), used });
        }
        parts.truncate(MATCHERS);
        let marked = alerts.iter().map(|a| a.fingerprint.clone()).collect();
        let reason = Self { parts, marked, length: 1, ..Self::default() };
        let focus = reason.fields().iter().position(|f| *f == Field::Reason).unwrap_or(0);
        Self { focus, ..reason }
    }

    /// A dialog for a monitor.
    pub(crate) fn of_monitor(name: &str) -> Self {
        let part = Part { text: Editor::new(&matcher("monitor", MatchOp::Equal, name)), used: true };
        Self { parts: vec![part], length: 1, ..Self::default() }
    }

    /// An empty dialog.
    pub(crate) fn empty() -> Self {
        Self { parts: vec![Part { used: true, ..Part::default() }], length: 1, writing: true, ..Self::default() }
    }

    /// A dialog that changes a silence.
    pub(crate) fn of_silence(row: &SilenceRow, now: Timestamp) -> Self {
        let parts = row.matchers.iter().map(|m| Part { text: Editor::new(m), used: true }).collect();
        let form = Self {
            id: Some(row.id.clone()),
            starts_at: (row.starts_at > now).then_some(row.starts_at),
            parts,
            // Unless another is chosen its end stays.
            length: LENGTHS.len(),
            custom: Editor::new(&row.ends_at.to_string()),
            until_resolved: row.until_resolved,
            reason: Editor::new(&row.comment),
            created_by: row.created_by.clone(),
            ..Self::default()
        };
        let focus = form.fields().iter().position(|f| *f == Field::Length).unwrap_or(0);
        Self { focus, ..form }
    }

    /// The fields in order.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = (0..self.parts.len()).map(Field::Matcher).collect();
        fields.extend([Field::Add, Field::Length]);
        if self.length >= LENGTHS.len() {
            fields.push(Field::Custom);
        }
        fields.extend([Field::UntilResolved, Field::Reason]);
        fields
    }

    /// The field that the keys are about.
    pub(crate) fn focus(&self) -> Field {
        self.fields().get(self.focus).copied().unwrap_or(Field::Reason)
    }

    /// Goes to another field, going round.
    pub(crate) fn step(&mut self, by: isize) {
        self.writing = false;
        let len = self.fields().len();
        self.focus = self.focus.min(len - 1).saturating_add_signed(by.rem_euclid(len as isize)) % len;
    }

    /// The text that keys enter, if any.
    pub(crate) fn text(&mut self) -> Option<&mut Editor> {
        match self.focus() {
            Field::Matcher(i) if self.writing => self.parts.get_mut(i).map(|p| &mut p.text),
            Field::Custom => Some(&mut self.custom),
            Field::Reason => Some(&mut self.reason),
            Field::Matcher(_) | Field::Add | Field::Length | Field::UntilResolved => None,
        }
    }

    /// Whether keys enter text.
    pub(crate) fn is_text(&self) -> bool {
        match self.focus() {
            Field::Matcher(_) => self.writing,
            Field::Custom | Field::Reason => true,
            Field::Add | Field::Length | Field::UntilResolved => false,
        }
    }

    /// Something was changed by hand.
    pub(crate) fn touch(&mut self, now: Duration) {
        (self.edited, self.changed_at, self.refusal) = (true, now, None);
    }

    /// Enter: writes the matcher, ends writing it, adds one, or goes on.
    pub(crate) fn enter(&mut self) {
        match self.focus() {
            Field::Matcher(i) if self.writing => {
                self.writing = false;
                if self.parts.get(i).is_some_and(|p| p.text.text().trim().is_empty()) && self.parts.len() > 1 {
                    self.parts.remove(i);
                }
            }
            Field::Matcher(_) => self.writing = true,
            Field::Add if self.parts.len() < MATCHERS => {
                self.parts.push(Part { used: true, ..Part::default() });
                (self.focus, self.writing) = (self.parts.len() - 1, true);
            }
            Field::UntilResolved => self.until_resolved = !self.until_resolved,
            Field::Add | Field::Length | Field::Custom | Field::Reason => self.step(1),
        }
    }

    /// Space: uses a matcher or not, takes a choice or not.
    pub(crate) fn toggle(&mut self) {
        match self.focus() {
            Field::Matcher(i) => {
                if let Some(part) = self.parts.get_mut(i) {
                    part.used = !part.used;
                }
            }
            Field::UntilResolved => self.until_resolved = !self.until_resolved,
            Field::Length => self.choose(1),
            Field::Add => self.enter(),
            Field::Custom | Field::Reason => {}
        }
    }

    /// Another length.
    pub(crate) fn choose(&mut self, by: isize) {
        match self.focus() {
            Field::Length => {
                let len = LENGTHS.len() + 1;
                self.length = self.length.saturating_add_signed(by.rem_euclid(len as isize)) % len;
            }
            Field::UntilResolved => self.until_resolved = !self.until_resolved,
            Field::Matcher(_) | Field::Add | Field::Custom | Field::Reason => {}
        }
    }

    /// What is asked of the server.
    ///
    /// # Errors
    /// What is written makes no silence; for the person.
    pub(crate) fn request(&self, now: Timestamp) -> Result<SilenceRequest, String> {
        let mut matchers = Vec::new();
        let mut narrows = false;
        for part in self.parts.iter().filter(|p| p.used && !p.text.text().trim().is_empty()) {
            let text = part.text.text().trim();
            let (name, op, value) =
                split(text).ok_or_else(|| format!("`{text}` is no matcher: write name=\"value\""))?;
            let parsed = Matcher::new(name, op, value.as_str()).map_err(|e| format!("`{text}`: {e}"))?;
            narrows |= !parsed.matches("");
            matchers.push(matcher(name, op, &value));
        }
        if matchers.is_empty() {
            return Err("no matcher is used: it would mute everything".to_owned());
        }
        if !narrows {
            return Err("these matchers also match alerts without labels: it would mute everything".to_owned());
        }
        let (length, ends_at) = match LENGTHS.get(self.length) {
            Some((_, length)) => (Some(*length), None),
            None => custom(self.custom.text().trim(), now)?,
        };
        Ok(SilenceRequest {
            id: self.id.clone(),
            matchers,
            starts_at: self.starts_at,
            ends_at,
            length,
            until_resolved: self.until_resolved,
            created_by: self.created_by.clone(),
            comment: self.reason.text().trim().to_owned(),
        })
    }

    /// Whether to ask what it would do; `stamp` changes with the alerts.
    pub(crate) fn wish(&mut self, server_now: Timestamp, now: Duration, stamp: u64) -> Wish {
        let Ok(mut request) = self.request(server_now) else { return Wish::Nothing };
        // The reason changes nothing but the warning that there is none.
        if !request.comment.is_empty() {
            "x".clone_into(&mut request.comment);
        }
        let same = self.asked.as_ref().is_some_and(|(_, asked, _)| *asked == request);
        let old = self.asked.as_ref().is_some_and(|(_, _, seen)| *seen != stamp);
        if same && !old {
            return Wish::Nothing;
        }
        let settled = match (same, self.asked_at) {
            (true, Some(at)) => at + EVERY,
            (false, None) => now,
            (false, Some(_)) | (true, None) => self.changed_at + DEBOUNCE,
        };
        if settled > now {
            return Wish::At(settled);
        }
        let id = self.asked.as_ref().map_or(1, |(id, ..)| id + 1);
        (self.asked, self.asked_at) = (Some((id, request.clone(), stamp)), Some(now));
        Wish::Ask(id, Box::new(request))
    }

    /// Takes in what it would do, if nothing newer was asked.
    pub(crate) fn answered(&mut self, id: u64, answer: Result<Box<SilencePreview>, String>) {
        if self.asked.as_ref().is_none_or(|(asked, ..)| *asked != id) {
            return;
        }
        match answer {
            Ok(preview) => (self.preview, self.error) = (Some(preview), None),
            Err(error) => (self.preview, self.error) = (None, Some(error)),
        }
    }

    /// Whether what is shown is about what is written.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let comment = |r: &SilenceRequest| r.comment.is_empty();
        match (&self.asked, self.request(now)) {
            (Some((_, asked, _)), Ok(request)) => {
                comment(asked) == comment(&request)
                    && SilenceRequest { comment: String::new(), ..asked.clone() }
                        == SilenceRequest { comment: String::new(), ..request }
            }
            _ => false,
        }
    }

    /// When it would end.
    pub(crate) fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let request = self.request(now).ok()?;
        request.ends_at.or_else(|| request.length.map(|l| request.starts_at.unwrap_or(now).plus(l)))
    }
}

/// A matcher as it is written.
fn matcher(name: &str, op: MatchOp, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}{}\"{escaped}\"", op.text())
}

/// Name, operator and value of a matcher; the value with or without quotes.
fn split(text: &str) -> Option<(&str, MatchOp, String)> {
    let at = text.find(['=', '!'])?;
    let (name, rest) = text.split_at(at);
    let ops = [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    let (op, value) = ops.iter().find_map(|(sign, op)| rest.strip_prefix(sign).map(|value| (*op, value.trim())))?;
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    let Some(quoted) = value.strip_prefix('"') else { return Some((name, op, value.to_owned())) };
    let mut out = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some((name, op, out)),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                c @ ('"' | '\\') => out.push(c),
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
}

type Span = (Option<Duration>, Option<Timestamp>);

/// A length, a time of day yet to come, or a moment.
fn custom(text: &str, now: Timestamp) -> Result<Span, String> {
    let text = text.strip_prefix("until ").unwrap_or(text).trim();
    if text.is_empty() {
        return Err("write how long: 90m, 3d, until 08:00".to_owned());
    }
    if let Ok(length) = parse_duration(text) {
        return if length.is_zero() {
            Err("a silence of no length mutes nothing".to_owned())
        } else {
            Ok((Some(length), None))
        };
    }
    let at = match Timestamp::parse(text) {
        Ok(at) => at,
        Err(_) => next_time(text, now).ok_or_else(|| {
            format!("`{text}` is neither a length (90m, 3d) nor a time (08:00, 2026-01-31T08:00:00Z)")
        })?,
    };
    if at <= now { Err("it would end in the past".to_owned()) } else { Ok((None, Some(at))) }
}

/// The next time at which clocks here show `text`, `08:00`.
fn next_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (hour, minute) = text.split_once(':')?;
    if hour.is_empty() || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let time = jiff::civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    let zone = jiff::tz::TimeZone::system();
    let here = jiff::Timestamp::from_millisecond(now.millis()).ok()?.to_zoned(zone.clone());
    let on = |date: jiff::civil::Date| {
        let at = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
        Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
    };
    on(here.date()).filter(|at| *at > now).or_else(|| on(here.date().tomorrow().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    fn texts(form: &Form) -> Vec<(&str, bool)> {
        form.parts.iter().map(|p| (p.text.text(), p.used)).collect()
    }

    #[test]
    fn one_alert_is_matched_by_all_its_labels_and_its_name_first() {
        let board = fixture::alerting();
        let alert = board.alerts.iter().find(|a| a.name == "CheckoutDown").unwrap();
        let form = Form::of_alerts(&[alert]);
        assert_eq!(
            texts(&form),
            [
                ("alertname=\"CheckoutDown\"", true),
                ("monitor=\"api-checkout\"", true),
                ("service=\"shop\"", true),
                ("team=\"payments\"", true)
            ]
        );
        assert_eq!(form.focus(), Field::Reason);
    }

    #[test]
    fn several_alerts_are_matched_by_what_they_share_and_by_which_they_are() {
        let board = fixture::alerting();
        let find = |name: &str| &**board.alerts.iter().find(|a| a.name == name).unwrap();
        let form = Form::of_alerts(&[find("CheckoutDown"), find("ErrorBudgetBurn")]);
        assert_eq!(
            texts(&form),
            [
                ("alertname=~\"CheckoutDown|ErrorBudgetBurn\"", true),
                ("service=\"shop\"", true),
                ("team=~\"payments|shop\"", false)
            ]
        );
    }

    #[test]
    fn what_would_mute_everything_is_refused() {
        let now = fixture::now();
        let mut form = Form::empty();
        assert!(form.request(now).unwrap_err().contains("no matcher"));
        for (text, word) in
            [("team=~\".*\"", "everything"), ("x", "no matcher"), ("a=~\"(\"", "a=~"), ("team!=\"x\"", "everything")]
        {
            form.parts[0].text = Editor::new(text);
            assert!(form.request(now).unwrap_err().contains(word), "{text}");
        }
        form.parts[0].text = Editor::new(" team = web ");
        assert_eq!(form.request(now).unwrap().matchers, ["team=\"web\""]);
    }

    #[test]
    fn matchers_keep_what_is_quoted() {
        for text in [
            r#"a="b\"c\\d""#,
            r#"a=~"x|\\.y""#,
            r#"a!="""#,
            r#"a="b
c""#,
        ] {
            let (name, op, value) = split(text).unwrap();
            let (again_name, again_op, again) = {
                let t = matcher(name, op, &value);
                let (n, o, v) = split(&t).unwrap();
                (n.to_owned(), o, v)
            };
            assert_eq!((name, op, value), (again_name.as_str(), again_op, again));
        }
        assert_eq!(split("a=\"b\" c"), None);
        assert_eq!(split("=b"), None);
    }

    #[test]
    fn an_end_is_a_length_a_time_of_day_or_a_moment() {
        let now = fixture::now();
        assert_eq!(custom("90m", now), Ok((Some(Duration::from_secs(5_400)), None)));
        let at = custom("until 08:00", now).unwrap().1.unwrap();
        assert_eq!(at.local("%H:%M:%S"), "08:00:00");
        assert!(at > now && at.since(now) <= Duration::from_secs(25 * 3_600));
        assert!(custom("2026-11-24T00:00:00Z", now).unwrap().1.is_some());
        assert!(custom("2020-01-01T00:00:00Z", now).unwrap_err().contains("past"));
        for bad in ["", "soon", "25:00", "8:0", "0"] {
            assert!(custom(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_server_is_asked_once_typing_pauses_and_only_the_newest_answer_counts() {
        let (now, ms) = (fixture::now(), Duration::from_millis);
        let mut form = Form::of_monitor("db");
        assert!(matches!(form.wish(now, ms(1_000), 1), Wish::Ask(1, _)));
        assert_eq!(form.wish(now, ms(1_001), 1), Wish::Nothing);
        form.parts[0].text = Editor::new("monitor=\"dbx\"");
        form.touch(ms(1_050));
        assert_eq!(form.wish(now, ms(1_060), 1), Wish::At(ms(1_170)));
        assert!(matches!(form.wish(now, ms(1_170), 1), Wish::Ask(2, _)));
        form.answered(1, Err("old".into()));
        assert_eq!(form.error, None);
        form.answered(2, Err("new".into()));
        assert_eq!(form.error.as_deref(), Some("new"));
        // New alerts change what it would hit.
        assert_eq!(form.wish(now, ms(1_200), 2), Wish::At(ms(2_170)));
        assert!(matches!(form.wish(now, ms(2_170), 2), Wish::Ask(3, _)));
    }
}
