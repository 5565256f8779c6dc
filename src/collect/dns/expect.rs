//! What an answer must say.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use regex::Regex;

use crate::collect::dns::zone;
use crate::collect::judge::{Judge, Latency, TextCheck, bad_regex, found, regex};
use crate::config::fields::Fields;

/// Records that are looked at of one section; an answer of 64 KiB can hold 5,000.
const MAX_RECORDS: usize = 1_000;

/// Names of response codes, as in RFC 6895 and in zone files.
const RCODES: [(&str, ResponseCode); 11] = [
    ("NOERROR", ResponseCode::NoError),
    ("FORMERR", ResponseCode::FormErr),
    ("SERVFAIL", ResponseCode::ServFail),
    ("NXDOMAIN", ResponseCode::NXDomain),
    ("NOTIMP", ResponseCode::NotImp),
    ("REFUSED", ResponseCode::Refused),
    ("YXDOMAIN", ResponseCode::YXDomain),
    ("YXRRSET", ResponseCode::YXRRSet),
    ("NXRRSET", ResponseCode::NXRRSet),
    ("NOTAUTH", ResponseCode::NotAuth),
    ("NOTZONE", ResponseCode::NotZone),
];

/// A response code's name.
pub fn rcode_name(code: ResponseCode) -> String {
    match RCODES.iter().find(|(_, c)| *c == code) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("RCODE{}", u16::from(code)),
    }
}

/// The expectations of one monitor.
#[derive(Debug, Default)]
pub struct Expect {
    rcodes: Vec<ResponseCode>,
    sections: Vec<Section>,
    authenticated: Option<bool>,
    authoritative: Option<bool>,
    recursion_available: Option<bool>,
    /// Of the whole exchange.
    pub latency: Latency,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Answer,
    Authority,
    Additional,
}

#[derive(Debug)]
struct Section {
    part: Part,
    texts: Vec<TextCheck>,
    rules: Vec<Rule>,
}

/// One of blackbox_exporter's four rules on records.
#[derive(Debug)]
struct Rule {
    kind: RuleKind,
    regex: Regex,
    name: String,
}

#[derive(Clone, Copy, Debug)]
enum RuleKind {
    NoneMatches,
    NotAllMatch,
    AllMatch,
    SomeMatches,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Authority => "authority",
            Self::Additional => "additional",
        }
    }

    fn records(self, message: &Message) -> &[Record] {
        match self {
            Self::Answer => &message.answers,
            Self::Authority => &message.authorities,
            Self::Additional => &message.additionals,
        }
    }
}

impl RuleKind {
    fn option(self) -> &'static str {
        match self {
            Self::NoneMatches => "fail_if_matches_regexp",
            Self::NotAllMatch => "fail_if_all_match_regexp",
            Self::AllMatch => "fail_if_not_matches_regexp",
            Self::SomeMatches => "fail_if_none_matches_regexp",
        }
    }

    fn name(self, part: Part, regex: &str) -> String {
        let part = part.name();
        match self {
            Self::NoneMatches => format!("no {part} record matches /{regex}/"),
            Self::NotAllMatch => format!("not every {part} record matches /{regex}/"),
            Self::AllMatch => format!("every {part} record matches /{regex}/"),
            Self::SomeMatches => format!("some {part} record matches /{regex}/"),
        }
    }

    /// As in blackbox_exporter, the rules that need a record fail without any; the others hold.
    fn holds(self, regex: &Regex, lines: &[&str]) -> bool {
        match self {
            Self::NoneMatches => !lines.iter().any(|l| regex.is_match(l)),
            Self::NotAllMatch => lines.is_empty() || !lines.iter().all(|l| regex.is_match(l)),
            Self::AllMatch => lines.iter().all(|l| regex.is_match(l)),
            Self::SomeMatches => lines.iter().any(|l| regex.is_match(l)),
        }
    }
}

impl Expect {
    /// Reads the option `expect`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let mut expect = Self::default();
        if let Some(mut own) = fields.nested_of("expect", "rcode") {
            for text in own.texts("rcode") {
                match RCODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.value())) {
                    Some((_, code)) => expect.rcodes.push(*code),
                    None => {
                        let message = format!("`rcode`: `{}` is no response code", text.shown());
                        let all: Vec<&str> = RCODES.iter().map(|(name, _)| *name).collect();
                        let hint = format!("write one of {}", all.join(", "));
                        own.error(text.span, crate::config::report::Code::BadValue, message, hint);
                    }
                }
            }
            for (key, part) in
                [("answer", Part::Answer), ("authority", Part::Authority), ("additional", Part::Additional)]
            {
                if let Some(section) = Section::read(&mut own, key, part) {
                    expect.sections.push(section);
                }
            }
            expect.authenticated = own.bool("authenticated");
            expect.authoritative = own.bool("authoritative");
            expect.recursion_available = own.bool("recursion_available");
            expect.latency = Latency::read(&mut own);
            own.finish();
        }
        if expect.rcodes.is_empty() {
            expect.rcodes.push(ResponseCode::NoError);
        }
        expect
    }

    /// Whether the answer must say that it was verified.
    pub fn needs_dnssec(&self) -> bool {
        self.authenticated.is_some()
    }

    /// Judges a message; `of` opens the names where several servers are asked.
    pub fn judge(&self, message: &Message, of: &str, judge: &mut Judge) {
        let got = rcode_name(message.metadata.response_code);
        let wanted: Vec<String> = self.rcodes.iter().map(|c| rcode_name(*c)).collect();
        let name = format!("{of}rcode is {}", wanted.join(" or "));
        judge.hold("rcode", &name, wanted.contains(&got), got);
        for section in &self.sections {
            section.judge(message, of, judge);
        }
        let flags = [
            (self.authenticated, "authenticated", message.metadata.authentic_data),
            (self.authoritative, "authoritative", message.metadata.authoritative),
            (self.recursion_available, "recursion_available", message.metadata.recursion_available),
        ];
        for (wanted, name, got) in flags {
            if let Some(wanted) = wanted {
                judge.hold("flags", &format!("{of}{name} is {wanted}"), wanted == got, got.to_string());
            }
        }
    }

    /// Names of the checks, for a probe without an answer.
    pub fn names(&self) -> Vec<String> {
        let wanted: Vec<String> = self.rcodes.iter().map(|c| rcode_name(*c)).collect();
        let mut names = vec![format!("rcode is {}", wanted.join(" or "))];
        for section in &self.sections {
            names.extend(section.texts.iter().map(|t| t.name().to_owned()));
            names.extend(section.rules.iter().map(|r| r.name.clone()));
        }
        names.extend(self.latency.names().map(str::to_owned));
        names
    }
}

impl Section {
    fn read(fields: &mut Fields<'_>, key: &'static str, part: Part) -> Option<Self> {
        let mut own = fields.nested_of(key, "contains")?;
        let texts = TextCheck::read(&mut own, part.name(), true);
        let mut rules = Vec::new();
        for kind in [RuleKind::NoneMatches, RuleKind::NotAllMatch, RuleKind::AllMatch, RuleKind::SomeMatches] {
            for text in own.texts(kind.option()) {
                match regex(text.value()) {
                    Ok(regex) => rules.push(Rule { kind, regex, name: kind.name(part, &found(text.shown())) }),
                    Err(e) => bad_regex(&own, &text, &e),
                }
            }
        }
        own.finish();
        Some(Self { part, texts, rules })
    }

    fn judge(&self, message: &Message, of: &str, judge: &mut Judge) {
        let lines: Vec<String> = self.part.records(message).iter().take(MAX_RECORDS).map(zone::line).collect();
        let seen = match lines.first() {
            None => "no records".to_owned(),
            Some(first) if lines.len() == 1 => found(first),
            Some(first) => format!("{} (and {} more)", found(first), lines.len() - 1),
        };
        let shown = |ok: bool| if ok { String::new() } else { seen.clone() };
        for check in &self.texts {
            let ok = check.holds_among(&lines);
            judge.hold(self.part.name(), &format!("{of}{}", check.name()), ok, shown(ok));
        }
        let refs: Vec<&str> = lines.iter().map(String::as_str).collect();
        for rule in &self.rules {
            let ok = rule.kind.holds(&rule.regex, &refs);
            judge.hold(self.part.name(), &format!("{of}{}", rule.name), ok, shown(ok));
        }
    }
}

/// The serial number of a zone that an answer states.
pub fn serial(message: &Message) -> Option<u32> {
    message.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blackbox_exporters_rules_mean_what_they_mean_there() {
        #[track_caller]
        fn check(kind: RuleKind, lines: &[&str], want: bool) {
            assert_eq!(kind.holds(&Regex::new("127").unwrap(), lines), want, "{kind:?} {lines:?}");
        }
        let (hit, miss) = ("a.\t60\tIN\tA\t127.0.0.1", "a.\t60\tIN\tA\t192.0.2.1");
        check(RuleKind::NoneMatches, &[hit, miss], false);
        check(RuleKind::NoneMatches, &[miss], true);
        check(RuleKind::NotAllMatch, &[hit, hit], false);
        check(RuleKind::NotAllMatch, &[hit, miss], true);
        check(RuleKind::AllMatch, &[hit, miss], false);
        check(RuleKind::AllMatch, &[hit, hit], true);
        check(RuleKind::SomeMatches, &[miss, miss], false);
        check(RuleKind::SomeMatches, &[miss, hit], true);
        check(RuleKind::SomeMatches, &[], false);
        check(RuleKind::NoneMatches, &[], true);
    }

    #[test]
    fn codes_without_a_name_are_numbers() {
        assert_eq!(rcode_name(ResponseCode::NXDomain), "NXDOMAIN");
        assert_eq!(rcode_name(ResponseCode::Unknown(99)), "RCODE99");
    }
}
