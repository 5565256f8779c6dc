//! The words of the built-in texts, per language.

use crate::base::notification::Reason;

/// A language of the built-in texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// All of them, by what `language:` says.
    pub const ALL: [(&'static str, Self); 2] = [("en", Self::En), ("zh", Self::Zh)];

    /// The language that `language:` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, language)| language)
    }

    /// What a group does: `2 FIRING, 1 resolved`.
    pub fn state(self, firing: usize, resolved: usize, reason: Reason) -> String {
        let still = reason == Reason::RepeatDue;
        match (self, firing, resolved) {
            (Self::En, 0, 0 | 1) => "RESOLVED".to_owned(),
            (Self::En, 0, n) => format!("{n} RESOLVED"),
            (Self::En, 1, 0) => if still { "STILL FIRING" } else { "FIRING" }.to_owned(),
            (Self::En, n, 0) => format!("{n} {}", if still { "STILL FIRING" } else { "FIRING" }),
            (Self::En, n, over) => format!("{n} FIRING, {over} resolved"),
            (Self::Zh, 0, 0 | 1) => "已恢复".to_owned(),
            (Self::Zh, 0, n) => format!("{n} 条已恢复"),
            (Self::Zh, 1, 0) => if still { "仍在告警" } else { "告警" }.to_owned(),
            (Self::Zh, n, 0) => format!("{n} 条{}", if still { "仍在告警" } else { "告警" }),
            (Self::Zh, n, over) => format!("{n} 条告警，{over} 条已恢复"),
        }
    }

    /// What is special about a message: that it escalates, that it is a test.
    pub fn prefix(self, reason: Reason) -> Option<String> {
        let zh = self == Self::Zh;
        let word = |en: &str, in_zh: &str| Some(if zh { in_zh } else { en }.to_owned());
        match reason {
            Reason::FirstTime | Reason::GroupChanged | Reason::Resolved | Reason::RepeatDue => None,
            Reason::Escalated(step) if zh => Some(format!("第 {step} 级升级")),
            Reason::Escalated(step) => Some(format!("ESCALATION {step}")),
            Reason::Digest(groups) if zh => Some(format!("{groups} 组汇总")),
            Reason::Digest(groups) => Some(format!("DIGEST of {groups} groups")),
            Reason::Test => word("TEST", "测试"),
            Reason::Drill => word("DRILL", "演练"),
            Reason::Reminder => word("REMINDER", "提醒"),
        }
    }

    /// `and 12 more`.
    pub fn more(self, n: usize) -> String {
        match self {
            Self::En => format!("… and {n} more"),
            Self::Zh => format!("……另有 {n} 条"),
        }
    }

    /// Said when a template of one's own failed.
    pub fn fallback(self, why: &str) -> String {
        match self {
            Self::En => format!("(the template failed, this is the built-in text: {why})"),
            Self::Zh => format!("（模板出错，使用内置文本：{why}）"),
        }
    }

    /// The single words.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        }
    }
}

/// Single words and how a pair of them is joined.
#[derive(Debug)]
pub struct Words {
    /// What an alert without a name is called.
    pub alert: &'static str,
    /// Start of the episode.
    pub since: &'static str,
    /// Its end.
    pub until: &'static str,
    /// What the expression gave.
    pub value: &'static str,
    /// What to do.
    pub runbook: &'static str,
    /// Where the numbers are.
    pub dashboard: &'static str,
    /// Where the alert comes from.
    pub source: &'static str,
    /// The server's own page.
    pub open: &'static str,
    /// Between a word and what it says.
    pub colon: &'static str,
}

const EN: Words = Words {
    alert: "alert",
    since: "since",
    until: "until",
    value: "value",
    runbook: "Runbook",
    dashboard: "Dashboard",
    source: "Source",
    open: "Open Watchdog",
    colon: ": ",
};

const ZH: Words = Words {
    alert: "告警",
    since: "开始于",
    until: "恢复于",
    value: "当前值",
    runbook: "处理手册",
    dashboard: "仪表盘",
    source: "来源",
    open: "打开 Watchdog",
    colon: "：",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_counted_in_words() {
        #[track_caller]
        fn check(firing: usize, resolved: usize, reason: Reason, en: &str, zh: &str) {
            assert_eq!(Language::En.state(firing, resolved, reason), en);
            assert_eq!(Language::Zh.state(firing, resolved, reason), zh);
        }
        check(1, 0, Reason::FirstTime, "FIRING", "告警");
        check(3, 0, Reason::FirstTime, "3 FIRING", "3 条告警");
        check(3, 0, Reason::RepeatDue, "3 STILL FIRING", "3 条仍在告警");
        check(2, 1, Reason::GroupChanged, "2 FIRING, 1 resolved", "2 条告警，1 条已恢复");
        check(0, 1, Reason::Resolved, "RESOLVED", "已恢复");
        check(0, 4, Reason::Resolved, "4 RESOLVED", "4 条已恢复");
    }
}
