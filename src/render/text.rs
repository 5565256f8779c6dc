//! The built-in text of a notification: what is broken, where, since when, how bad, what to do, how
//! many more. Plain text; every piece that came from outside is made safe to print and bounded here.

use jiff::tz::TimeZone;

use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::notification::{Notification, NotifiedAlert};
use crate::base::term_safe;
use crate::render::filters;
use crate::render::words::Language;

/// Longest title in characters.
const MAX_TITLE: usize = 250;
/// Longest single value in characters.
const MAX_VALUE: usize = 200;
/// What one annotation may take, in characters and in lines.
const MAX_ANNOTATION: usize = 4_000;
const MAX_LINES: usize = 60;
/// Labels listed for one alert.
const MAX_LABELS: usize = 12;
/// Objects named in a title.
const MAX_NAMED: usize = 3;
/// Labels that say where, the first that is there counts.
const WHERE: [&str; 6] = ["monitor", "instance", "host", "pod", "service", "job"];

/// What is the same for all notifications of one notifier.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Of the built-in words.
    pub language: Language,
    /// Times are shown in it.
    pub zone: TimeZone,
    /// Where people reach this server, without a slash at the end.
    pub external_url: Option<String>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { language: Language::default(), zone: TimeZone::UTC, external_url: None }
    }
}

/// How bad it is, for marks and colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something critical fires.
    Critical,
    /// Something fires.
    Warning,
    /// Only what is good to know fires.
    Info,
    /// All is over.
    Resolved,
}

impl Tone {
    /// Of a notification as a whole.
    pub fn of(n: &Notification) -> Self {
        match n.status() {
            Status::Resolved => Self::Resolved,
            Status::Firing => Self::firing(n.severity()),
        }
    }

    const fn firing(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Info,
        }
    }

    /// A coloured circle: readable without knowing the language.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Critical => "\u{1f534}",
            Self::Warning => "\u{1f7e0}",
            Self::Info => "\u{1f535}",
            Self::Resolved => "\u{1f7e2}",
        }
    }

    /// The same as a number `0xRRGGBB`.
    pub const fn rgb(self) -> u32 {
        match self {
            Self::Critical => 0xd6_2728,
            Self::Warning => 0xff_7f0e,
            Self::Info => 0x1f_77b4,
            Self::Resolved => 0x2c_a02c,
        }
    }
}

/// A notification in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// How bad it is.
    pub tone: Tone,
    /// One line, without the mark.
    pub title: String,
    /// Lines above the alerts.
    pub lead: Vec<String>,
    /// The alerts, or one block of a person's own words.
    pub blocks: Vec<Block>,
    /// Alerts that are not among the blocks.
    pub omitted: usize,
    /// What opens the alert in a terminal.
    pub command: Option<String>,
    /// Links below everything: what they are, where they lead.
    pub links: Vec<Link>,
    /// Of the words that are added when it is cut.
    pub language: Language,
}

/// One alert in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// What and where, emphasised where a channel can.
    pub head: Option<String>,
    /// The rest.
    pub lines: Vec<String>,
    /// Runbook, dashboard, source.
    pub links: Vec<Link>,
}

/// An address and what it is. Only `http` and `https`, without blanks and control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub label: String,
    /// Where it leads.
    pub url: String,
}

impl Link {
    /// A link, if `url` is one that may be offered to a person.
    pub fn new(label: &str, url: &str) -> Option<Self> {
        let web = url.starts_with("https://") || url.starts_with("http://");
        let clean =
            url.len() <= 2_000 && url.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"'`|()[]{}\\^".contains(&b));
        (web && clean).then(|| Self { label: label.to_owned(), url: url.to_owned() })
    }
}

/// The built-in text.
pub fn built_in(n: &Notification, voice: &Voice) -> Text {
    let words = voice.language.words();
    let common = n.common_labels();
    let single = n.alerts.len() == 1;
    let mut lead = Vec::new();
    if !single && !n.alerts.is_empty() {
        lead.extend(labels_line(&common, |name| name != "alertname"));
    }
    let blocks = n.alerts.iter().map(|a| block(a, &common, single, voice)).collect();
    Text {
        tone: Tone::of(n),
        title: title(n, voice.language),
        lead,
        blocks,
        omitted: n.omitted,
        command: command(n),
        links: voice.external_url.iter().filter_map(|url| Link::new(words.open, url)).collect(),
        language: voice.language,
    }
}

/// A person's own words in place of the built-in ones. The last lines stay: what opens the alert.
pub fn own(n: &Notification, voice: &Voice, title: Option<&str>, body: Option<&str>) -> Text {
    let mut text = built_in(n, voice);
    if let Some(title) = title {
        text.title = one_line(title, MAX_TITLE);
    }
    if let Some(body) = body {
        let lines = term_safe::lines(body.trim_end()).collect();
        text.lead = Vec::new();
        text.blocks = vec![Block { lines, ..Block::default() }];
        text.omitted = 0;
    }
    text
}

/// `watchdog tui alert/<fingerprint>` for the first alert.
pub fn command(n: &Notification) -> Option<String> {
    let first = n.alerts.first()?;
    Some(format!("watchdog tui alert/{}", one_line(&first.fingerprint, 64)))
}

/// `MonitorDown – shop, db`, after what happens to them: one line without a mark.
pub fn title(n: &Notification, language: Language) -> String {
    let words = language.words();
    let (firing, resolved) = (n.firing().count(), n.resolved().count());
    let mut out = String::new();
    if let Some(prefix) = language.prefix(n.reason) {
        out.push_str(&prefix);
        out.push_str(" · ");
    }
    out.push_str(&language.state(firing, resolved, n.reason));
    out.push_str(words.colon);
    let common = n.common_labels();
    let name = common.get("alertname").or_else(|| n.group_labels.get("alertname"));
    match name {
        Some(name) => out.push_str(&one_line(name, MAX_VALUE)),
        None => {
            let mut names: Vec<&str> = n.alerts.iter().filter_map(|a| a.labels.get("alertname")).collect();
            names.sort_unstable();
            names.dedup();
            out.push_str(&listed(&names, words.alert));
        }
    }
    // What still fires is what matters; when nothing does, what is over.
    let shown = |a: &&NotifiedAlert| firing == 0 || a.status == Status::Firing;
    let mut places: Vec<&str> = n.alerts.iter().filter(shown).filter_map(place).map(|(_, value)| value).collect();
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|p| seen.insert(*p));
    if !places.is_empty() {
        out.push_str(" – ");
        out.push_str(&listed(&places, ""));
    }
    one_line(&out, MAX_TITLE)
}

fn listed(names: &[&str], otherwise: &str) -> String {
    let mut out = names.iter().take(MAX_NAMED).map(|n| one_line(n, 80)).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        out.push_str(otherwise);
    }
    if names.len() > MAX_NAMED {
        out.push_str(&format!(" +{}", names.len() - MAX_NAMED));
    }
    out
}

/// The label that says where, and what it says.
fn place(a: &NotifiedAlert) -> Option<(&'static str, &str)> {
    WHERE.into_iter().find_map(|name| Some((name, a.labels.get(name).filter(|v| !v.is_empty())?)))
}

fn block(a: &NotifiedAlert, common: &Labels, single: bool, voice: &Voice) -> Block {
    let words = voice.language.words();
    let mut lines = Vec::new();
    let head = (!single).then(|| head(a, common, words.alert));
    for name in ["summary", "description", "message"] {
        let Some(text) = a.annotations.get(name).filter(|t| !t.trim().is_empty()) else { continue };
        if name == "description" && a.annotations.get("summary") == Some(text) {
            continue;
        }
        if single && !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(text_lines(text));
    }
    if single && !lines.is_empty() {
        lines.push(String::new());
    }
    if let Some(value) = a.value {
        lines.push(format!("{}{}{}", words.value, words.colon, filters::number(value)));
    }
    let since = filters::datetime(a.starts_at, &voice.zone);
    lines.push(format!("{} {since}", words.since));
    if let Some(end) = a.ends_at.filter(|_| a.status == Status::Resolved) {
        let lasted = filters::duration(end.since(a.starts_at).as_secs_f64());
        lines.push(format!("{} {} ({lasted})", words.until, filters::datetime(end, &voice.zone)));
    }
    // In a group, what all share stands above.
    let known = place(a).map(|(name, _)| name);
    let unsaid = |name: &str| name != "alertname" && Some(name) != known && (single || common.get(name).is_none());
    lines.extend(labels_line(&a.labels, unsaid));
    let annotation = |name| a.annotations.get(name).map(str::trim);
    let links = [
        (words.runbook, annotation("runbook_url").or_else(|| annotation("runbook"))),
        (words.dashboard, annotation("dashboard_url")),
        (words.source, a.generator_url.as_deref()),
    ];
    let links = links.into_iter().filter_map(|(label, url)| Link::new(label, url?)).collect();
    Block { head, lines, links }
}

fn head(a: &NotifiedAlert, common: &Labels, otherwise: &str) -> String {
    let tone = match a.status {
        Status::Firing => Tone::firing(a.severity()),
        Status::Resolved => Tone::Resolved,
    };
    let name = a.labels.get("alertname").filter(|_| common.get("alertname").is_none());
    let what = match (name, place(a)) {
        (Some(name), Some((_, place))) => format!("{name} – {place}"),
        (Some(name), None) => name.to_owned(),
        (None, Some((_, place))) => place.to_owned(),
        (None, None) => labels_line(&a.labels, |n| n != "alertname" && common.get(n).is_none())
            .unwrap_or_else(|| otherwise.to_owned()),
    };
    format!("{} {}", tone.mark(), one_line(&what, MAX_VALUE))
}

/// `severity: critical · team: web`.
fn labels_line(labels: &Labels, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let all: Vec<_> = labels.iter().filter(|(name, _)| wanted(name)).collect();
    if all.is_empty() {
        return None;
    }
    let shown = all.iter().take(MAX_LABELS).map(|(n, v)| format!("{}: {}", one_line(n, 80), one_line(v, MAX_VALUE)));
    let mut line = shown.collect::<Vec<_>>().join(" · ");
    if all.len() > MAX_LABELS {
        line.push_str(&format!(" · +{}", all.len() - MAX_LABELS));
    }
    Some(line)
}

fn text_lines(text: &str) -> impl Iterator<Item = String> {
    let end = text.char_indices().nth(MAX_ANNOTATION).map_or(text.len(), |(at, _)| at);
    let cut = end < text.len();
    let mut lines: Vec<_> = term_safe::lines(text[..end].trim()).take(MAX_LINES).collect();
    if let Some(last) = lines.last_mut().filter(|_| cut) {
        last.push('…');
    }
    lines.into_iter()
}

/// The beginning of a text as one line that is safe to print.
pub fn one_line(text: &str, max: usize) -> String {
    let end = text.char_indices().nth(max).map_or(text.len(), |(at, _)| at);
    let words = text[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = term_safe::term_safe(&words).into_owned();
    if end < text.len() {
        line.push('…');
    }
    line
}

/// What the tests of texts tell of.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::base::time::Timestamp;

    /// An alert of a rule about one host.
    pub fn alert(status: Status, host: &str, severity: &str) -> NotifiedAlert {
        NotifiedAlert {
            status,
            fingerprint: format!("{:016x}", host.len()),
            labels: Labels::new([
                ("alertname", "DiskFull"),
                ("instance", host),
                ("severity", severity),
                ("team", "web"),
            ]),
            annotations: Labels::new([
                ("summary", format!("/var on {host} is full")),
                ("runbook_url", "https://wiki.example.com/disk".to_owned()),
            ]),
            starts_at: Timestamp::from_millis(1_763_900_000_120),
            ends_at: (status == Status::Resolved).then(|| Timestamp::from_millis(1_763_900_900_000)),
            value: Some(0.97),
            generator_url: None,
        }
    }

    /// A group of such alerts.
    pub fn group(alerts: Vec<NotifiedAlert>) -> Notification {
        let first = alerts[0].clone();
        let mut n = Notification::single("key".into(), "thread".into(), "ops", first);
        n.group_labels = Labels::new([("alertname", "DiskFull")]);
        n.alerts = alerts;
        n
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{alert, group};
    use super::*;
    use crate::base::notification::Reason;
    use crate::render::fit::{Markup, body};

    fn shown(n: &Notification, voice: &Voice) -> String {
        let text = built_in(n, voice);
        format!("{} {}\n\n{}", text.tone.mark(), text.title, body(&text, &Markup::PLAIN, 4_000))
    }

    fn voice(language: Language) -> Voice {
        Voice { language, external_url: Some("https://watchdog.example.com".into()), ..Voice::default() }
    }

    #[test]
    fn one_alert_in_english() {
        let n = group(vec![alert(Status::Firing, "db-1", "critical")]);
        insta::assert_snapshot!(shown(&n, &voice(Language::En)), @r"
        🔴 FIRING: DiskFull – db-1

        /var on db-1 is full

        value: 0.97
        since 2025-11-23 12:13:20 UTC
        severity: critical · team: web
        Runbook: https://wiki.example.com/disk

        watchdog tui alert/0000000000000004
        Open Watchdog: https://watchdog.example.com
        ");
    }

    #[test]
    fn a_group_in_english() {
        let mut n = group(vec![
            alert(Status::Firing, "db-1", "critical"),
            alert(Status::Firing, "db-22", "warning"),
            alert(Status::Resolved, "db-333", "warning"),
        ]);
        n.omitted = 7;
        insta::assert_snapshot!(shown(&n, &voice(Language::En)), @r"
        🔴 2 FIRING, 1 resolved: DiskFull – db-1, db-22

        team: web

        🔴 db-1
        /var on db-1 is full
        value: 0.97
        since 2025-11-23 12:13:20 UTC
        severity: critical
        Runbook: https://wiki.example.com/disk

        🟠 db-22
        /var on db-22 is full
        value: 0.97
        since 2025-11-23 12:13:20 UTC
        severity: warning
        Runbook: https://wiki.example.com/disk

        🟢 db-333
        /var on db-333 is full
        value: 0.97
        since 2025-11-23 12:13:20 UTC
        until 2025-11-23 12:28:20 UTC (14m)
        severity: warning
        Runbook: https://wiki.example.com/disk

        … and 7 more

        watchdog tui alert/0000000000000004
        Open Watchdog: https://watchdog.example.com
        ");
    }

    #[test]
    fn its_end_in_chinese() {
        let n = group(vec![alert(Status::Resolved, "db-1", "critical"), alert(Status::Resolved, "db-22", "critical")]);
        insta::assert_snapshot!(shown(&n, &voice(Language::Zh)), @r"
        🟢 2 条已恢复：DiskFull – db-1, db-22

        severity: critical · team: web

        🟢 db-1
        /var on db-1 is full
        当前值：0.97
        开始于 2025-11-23 12:13:20 UTC
        恢复于 2025-11-23 12:28:20 UTC (14m)
        处理手册: https://wiki.example.com/disk

        🟢 db-22
        /var on db-22 is full
        当前值：0.97
        开始于 2025-11-23 12:13:20 UTC
        恢复于 2025-11-23 12:28:20 UTC (14m)
        处理手册: https://wiki.example.com/disk

        watchdog tui alert/0000000000000004
        打开 Watchdog: https://watchdog.example.com
        ");
    }

    #[test]
    fn a_title_says_what_is_special() {
        let mut n = group(vec![alert(Status::Firing, "db-1", "critical")]);
        let mut titles = Vec::new();
        for reason in [Reason::Escalated(2), Reason::Digest(12), Reason::Drill, Reason::Test, Reason::RepeatDue] {
            n.reason = reason;
            titles.push(title(&n, Language::En));
            titles.push(title(&n, Language::Zh));
        }
        insta::assert_snapshot!(titles.join("\n"), @r"
        ESCALATION 2 · FIRING: DiskFull – db-1
        第 2 级升级 · 告警：DiskFull – db-1
        DIGEST of 12 groups · FIRING: DiskFull – db-1
        12 组汇总 · 告警：DiskFull – db-1
        DRILL · FIRING: DiskFull – db-1
        演练 · 告警：DiskFull – db-1
        TEST · FIRING: DiskFull – db-1
        测试 · 告警：DiskFull – db-1
        STILL FIRING: DiskFull – db-1
        仍在告警：DiskFull – db-1
        ");
    }

    #[test]
    fn hostile_texts_stay_text_and_bounded() {
        let mut a = alert(Status::Firing, "db-1", "critical");
        a.labels = Labels::new([("alertname", "X\u{1b}[2J\n\u{202e}evil"), ("host", &"h".repeat(100_000))]);
        a.annotations = Labels::new([
            ("summary", "s\u{7}".repeat(500_000)),
            ("description", "line\n".repeat(200_000)),
            ("runbook_url", "javascript:alert(1)".to_owned()),
        ]);
        let text = built_in(&group(vec![a]), &Voice::default());
        assert!(text.title.chars().count() <= MAX_TITLE + 1);
        assert!(text.blocks[0].links.is_empty());
        let all: String = text.blocks[0].lines.concat() + &text.title;
        assert!(all.len() < 40_000 && !all.chars().any(|c| c.is_control() || c == '\u{202e}'), "{}", all.len());
    }

    #[test]
    fn a_link_is_only_what_a_browser_may_open() {
        for bad in ["ftp://x/", "https://x/ y", "https://x/<b>", "https://x/)x", "", "http://\u{202e}x", "https://x/`"]
        {
            assert_eq!(Link::new("x", bad), None, "{bad}");
        }
        assert!(Link::new("x", "https://wiki.example.com/a?b=c&d=%20#e").is_some());
    }
}
