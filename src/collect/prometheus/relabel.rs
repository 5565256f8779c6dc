//! Relabelling as Prometheus 3 does it: rules that change, keep or drop sets of labels.
//!
//! The words and their meaning are those of `relabel_configs` and `metric_relabel_configs`; expressions are anchored
//! at both ends and `.` takes line breaks. Texts of rules are taken as they stand: `${1}` is a group here, not a
//! reference. <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use regex::{Regex, RegexBuilder};

use crate::base::labels::{Labels, LabelsBuf};
use crate::base::re2::{expand, rust_pattern};
use crate::config::fields::Fields;
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// Compiled size of one expression: lists of some thousand names fit.
const REGEX_SIZE: usize = 8 << 20;

/// Labels while they are being changed. A label without a value is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft(BTreeMap<String, String>);

impl Draft {
    /// The value of a label; nothing where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.0.remove(name);
            return;
        }
        match self.0.get_mut(name) {
            Some(old) => value.clone_into(old),
            None => drop(self.0.insert(name.to_owned(), value.to_owned())),
        }
    }

    /// Sets a label that is not there.
    pub fn fill(&mut self, name: &str, value: &str) {
        if self.get(name).is_empty() {
            self.set(name, value);
        }
    }

    /// Keeps the labels whose names are wanted.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| wanted(name));
    }

    /// Names and values in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Writes the labels into a buffer.
    pub fn write(&self, buf: &mut LabelsBuf) {
        buf.clear();
        self.iter().for_each(|(name, value)| buf.push(name, value));
    }

    /// The finished labels.
    pub fn labels(&self) -> Labels {
        let mut buf = LabelsBuf::default();
        self.write(&mut buf);
        buf.labels()
    }

    /// Removes all labels.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Draft {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut draft = Self::default();
        pairs.into_iter().for_each(|(name, value)| draft.set(name, value));
        draft
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    action: Action,
    source: Vec<String>,
    separator: String,
    /// `None` for `(.*)`, which takes everything.
    regex: Option<Regex>,
    modulus: u64,
    target: String,
    replacement: String,
}

/// Applies rules in order, and says whether the set is kept.
pub fn apply(rules: &[Rule], labels: &mut Draft) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    /// Changes the labels; `false` drops the set.
    fn apply(&self, labels: &mut Draft) -> bool {
        let mut value = String::new();
        for (i, name) in self.source.iter().enumerate() {
            if i > 0 {
                value.push_str(&self.separator);
            }
            value.push_str(labels.get(name));
        }
        match self.action {
            Action::Keep => return self.matches(&value),
            Action::Drop => return !self.matches(&value),
            Action::KeepEqual => return labels.get(&self.target) == value,
            Action::DropEqual => return labels.get(&self.target) != value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => labels.set(&self.target, &value.to_lowercase()),
            Action::Uppercase => labels.set(&self.target, &value.to_uppercase()),
            Action::HashMod => labels.set(&self.target, &(hash(&value) % self.modulus).to_string()),
            Action::LabelMap => {
                let all: Vec<(String, String)> = labels.0.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
                for (name, value) in all {
                    if let Some(to) = self.expanded(&name, &self.replacement) {
                        labels.set(&to, &value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|name| !self.matches(name)),
            Action::LabelKeep => labels.retain(|name| self.matches(name)),
        }
        true
    }

    fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }

    fn replace(&self, value: &str, labels: &mut Draft) {
        let Some(target) = self.expanded(value, &self.target).filter(|name| !name.is_empty()) else { return };
        if let Some(replaced) = self.expanded(value, &self.replacement) {
            labels.set(&target, &replaced);
        }
    }

    /// The template with the groups of a text that matches; nothing for one that does not.
    fn expanded(&self, text: &str, template: &str) -> Option<String> {
        let everything;
        let regex = match &self.regex {
            Some(regex) => regex,
            None if !template.contains('$') => return Some(template.to_owned()),
            None if template == "$1" || template == "${1}" => return Some(text.to_owned()),
            None => {
                everything = compiled("(.*)").ok()?;
                &everything
            }
        };
        let captures = regex.captures(text)?;
        let mut out = String::new();
        expand(template, &captures, &mut out);
        Some(out)
    }
}

/// The last eight bytes of MD5, which is what shards of other servers are counted by.
fn hash(value: &str) -> u64 {
    let digest: [u8; 16] = Md5::digest(value.as_bytes()).into();
    digest.last_chunk::<8>().map_or(0, |last| u64::from_be_bytes(*last))
}

fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = rust_pattern(pattern);
    // Compiled alone too, so that `a)(b` does not close our own group.
    RegexBuilder::new(&pattern).size_limit(REGEX_SIZE).build()?;
    RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(REGEX_SIZE).build()
}

/// Reads a list of rules.
pub fn read(fields: &mut Fields<'_>, key: &'static str) -> Vec<Rule> {
    let cx = fields.cx();
    let mut rules = Vec::new();
    match fields.node(key) {
        None => {}
        Some(Node { value: Value::Seq(items), .. }) => {
            for item in items {
                if let Some(mut own) = Fields::of(cx, item) {
                    let rule = rule(&mut own);
                    own.finish();
                    rules.extend(rule);
                }
            }
        }
        Some(other) => {
            let message = format!("`{key}` takes a list of rules, not {}", other.kind_name());
            fields.error(other.mark(), Code::WrongType, message, "begin each rule with `- `");
        }
    }
    rules
}

/// A text as it stands: what looks like a reference is a group of the expression.
fn raw<'a>(fields: &mut Fields<'a>, key: &'static str) -> Option<&'a str> {
    let node = fields.node(key)?;
    let text = node.as_str();
    if text.is_none() {
        fields.error(node.mark(), Code::WrongType, format!("`{key}` is a text"), "write one value, in quotes");
    }
    text
}

fn rule(fields: &mut Fields<'_>) -> Option<Rule> {
    let errors = fields.cx().error_count();
    let action = match fields.text("action") {
        None => Action::Replace,
        Some(text) => {
            let word = text.value().to_ascii_lowercase();
            let found = ACTIONS.iter().find(|(name, _)| *name == word).map(|(_, action)| *action);
            if found.is_none() {
                let message = format!("there is no relabelling action `{}`", text.shown());
                let all: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
                fields.error(text.span, Code::BadValue, message, format!("write one of: {}", all.join(", ")));
            }
            match found {
                Some(action) => action,
                // Which keys it takes is not known then.
                None => {
                    fields.claim_rest();
                    return None;
                }
            }
        }
    };
    let source: Vec<String> = fields.texts("source_labels").iter().map(|t| t.value().to_owned()).collect();
    let separator = raw(fields, "separator");
    let pattern = raw(fields, "regex");
    let span = fields.node("regex").map_or_else(|| fields.head(), |n| n.span);
    let target = raw(fields, "target_label");
    let replacement = raw(fields, "replacement");
    let modulus = fields.integer("modulus", 1..=i64::MAX);
    let word = ACTIONS.iter().find(|(_, a)| *a == action).map_or("", |(name, _)| name);
    let head = fields.head();
    let needs_target =
        !matches!(action, Action::Keep | Action::Drop | Action::LabelMap | Action::LabelDrop | Action::LabelKeep);
    if needs_target && target.is_none_or(str::is_empty) {
        let hint = "write the label that is set or compared, e.g. `target_label: instance`";
        fields.error(head, Code::MissingKey, format!("`{word}` needs a `target_label`"), hint);
    }
    if action == Action::HashMod && modulus.is_none() {
        fields.error(head, Code::MissingKey, "`hashmod` needs a `modulus`", "write e.g. `modulus: 4`");
    }
    let only = |given: &[(&str, bool)]| {
        for (key, _) in given.iter().filter(|(_, there)| *there) {
            let message = format!("`{key}` has no meaning with `{word}`");
            fields.error(head, Code::Conflict, message, format!("take `{key}` out"));
        }
    };
    match action {
        Action::LabelDrop | Action::LabelKeep => only(&[
            ("source_labels", !source.is_empty()),
            ("separator", separator.is_some()),
            ("target_label", target.is_some()),
            ("replacement", replacement.is_some()),
            ("modulus", modulus.is_some()),
        ]),
        Action::KeepEqual | Action::DropEqual => only(&[
            ("separator", separator.is_some()),
            ("regex", pattern.is_some()),
            ("replacement", replacement.is_some()),
            ("modulus", modulus.is_some()),
        ]),
        Action::Lowercase | Action::Uppercase => only(&[("replacement", replacement.is_some())]),
        Action::Replace | Action::Keep | Action::Drop | Action::HashMod | Action::LabelMap => {}
    }
    let regex = match pattern.filter(|p| *p != "(.*)").map(compiled) {
        None => None,
        Some(Ok(regex)) => Some(regex),
        Some(Err(e)) => {
            let why = e.to_string();
            let why = why.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
            let message = format!("`regex` is not a regular expression: {why}");
            fields.error(span, Code::BadValue, message, "expressions are those of Go (RE2); quote them with `'`");
            None
        }
    };
    (fields.cx().error_count() == errors).then(|| Rule {
        action,
        source,
        separator: separator.unwrap_or(";").to_owned(),
        regex,
        modulus: modulus.and_then(|n| u64::try_from(n).ok()).unwrap_or(1),
        target: target.unwrap_or_default().to_owned(),
        replacement: replacement.unwrap_or("$1").to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::fields::{Cx, Resolver};
    use crate::config::report::Source;
    use crate::config::yaml;

    struct Nothing;

    impl Resolver for Nothing {
        fn resolve(&self, _: &str, _: &str) -> Result<String, String> {
            Err("there is nothing".to_owned())
        }
    }

    /// Rules from YAML, with what is wrong.
    pub(crate) fn rules(text: &str) -> (Vec<Rule>, Vec<String>) {
        with_fields(&format!("{{r: {text}}}"), |fields| read(fields, "r"))
    }

    /// What is read of YAML, with what is wrong.
    pub(crate) fn with_fields<T>(text: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> (T, Vec<String>) {
        let root = yaml::parse(text).0.unwrap();
        let cx = Cx::new(Source::new("t", text), &Nothing);
        let mut fields = Fields::of(&cx, &root).unwrap();
        let found = read(&mut fields);
        fields.finish();
        (found, cx.into_problems().into_iter().map(|p| p.message).collect())
    }

    #[track_caller]
    fn check(rule: &str, want: Option<&str>) {
        let (rules, problems) = rules(rule);
        assert!(problems.is_empty(), "{rule}: {problems:?}");
        let mut labels: Draft = [("a", "foo"), ("b", "Bar"), ("c", "baz"), ("__meta_x", "1")].into_iter().collect();
        let kept = apply(&rules, &mut labels);
        let text = labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
        assert_eq!(kept.then_some(text.as_str()), want, "{rule}");
    }

    #[test]
    fn every_action_does_what_prometheus_documents() {
        check("[]", Some("__meta_x=1 a=foo b=Bar c=baz"));
        check("[{source_labels: [a], target_label: d}]", Some("__meta_x=1 a=foo b=Bar c=baz d=foo"));
        check(
            "[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: '${2}-$1$$'}]",
            Some("__meta_x=1 a=Ba-oo$ b=Bar c=baz"),
        );
        check(
            "[{source_labels: [a], regex: 'fo', target_label: a, replacement: x}]",
            Some("__meta_x=1 a=foo b=Bar c=baz"),
        );
        check(
            "[{source_labels: [a], regex: '(f).*', target_label: 'x_${1}', replacement: y}]",
            Some("__meta_x=1 a=foo b=Bar c=baz x_f=y"),
        );
        check("[{source_labels: [none], target_label: a, replacement: ''}]", Some("__meta_x=1 b=Bar c=baz"));
        check("[{target_label: a, replacement: fixed}]", Some("__meta_x=1 a=fixed b=Bar c=baz"));
        check(
            "[{source_labels: [a, b], separator: '', regex: fooBar, action: keep}]",
            Some("__meta_x=1 a=foo b=Bar c=baz"),
        );
        check("[{source_labels: [a], regex: oo, action: keep}]", None);
        check("[{source_labels: [a], regex: 'f.*', action: Drop}]", None);
        check("[{source_labels: [a], regex: '', action: drop}]", Some("__meta_x=1 a=foo b=Bar c=baz"));
        check("[{source_labels: [a], target_label: b, action: keepequal}]", None);
        check("[{source_labels: [a], target_label: b, action: dropequal}]", Some("__meta_x=1 a=foo b=Bar c=baz"));
        check("[{source_labels: [none], target_label: none, action: dropequal}]", None);
        check("[{source_labels: [b], target_label: b, action: lowercase}]", Some("__meta_x=1 a=foo b=bar c=baz"));
        check("[{source_labels: [b], target_label: b, action: uppercase}]", Some("__meta_x=1 a=foo b=BAR c=baz"));
        check("[{regex: '__meta_(.*)', action: labelmap}]", Some("__meta_x=1 a=foo b=Bar c=baz x=1"));
        check(
            "[{regex: '(b.*)', action: labelmap, replacement: 'x_${1}'}]",
            Some("__meta_x=1 a=foo b=Bar c=baz x_b=Bar"),
        );
        check("[{regex: '[ab]', action: labeldrop}]", Some("__meta_x=1 c=baz"));
        check("[{regex: '[ab]', action: labelkeep}]", Some("a=foo b=Bar"));
    }

    #[test]
    fn shards_are_those_of_other_servers() {
        // `printf foo | md5sum` gives acbd18db4cc2f85cedef654fccc4a4d8.
        assert_eq!(hash("foo"), 0xedef_654f_ccc4_a4d8);
        check(
            "[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]",
            Some(&format!("__meta_x=1 a=foo b=Bar c=baz d={}", hash("baz") % 1000)),
        );
    }

    #[test]
    fn a_dot_takes_line_breaks_and_the_expression_is_anchored() {
        let (rules, _) = rules(r#"[{source_labels: [a], regex: 'x|y.z', action: keep}]"#);
        for (value, kept) in [("x", true), ("y\nz", true), ("xx", false), ("ay.z", false)] {
            assert_eq!(apply(&rules, &mut [("a", value)].into_iter().collect()), kept, "{value:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (rule, want) in [
            ("[{action: nope}]", "there is no relabelling action `nope`"),
            ("[{source_labels: [a]}]", "`replace` needs a `target_label`"),
            ("[{source_labels: [a], target_label: b, action: hashmod}]", "`hashmod` needs a `modulus`"),
            ("[{regex: a, target_label: b, action: labeldrop}]", "`target_label` has no meaning with `labeldrop`"),
            (
                "[{source_labels: [a], regex: b, target_label: b, action: keepequal}]",
                "`regex` has no meaning with `keepequal`",
            ),
            ("[{regex: '(', action: labeldrop}]", "`regex` is not a regular expression: unclosed group"),
            ("[{regex: 'a)(b', action: labeldrop}]", "`regex` is not a regular expression: unopened group"),
            ("{regex: a}", "`r` takes a list of rules, not a mapping"),
        ] {
            assert_eq!(rules(rule).1.first().map(String::as_str), Some(want), "{rule}");
        }
    }
}
