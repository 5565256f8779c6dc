//! Label sets: sorted, immutable, shared, one allocation each.
//!
//! A set is one string: for each pair the length of the name, the name, the length of the value, the
//! value. Lengths are base-64 varints of ASCII characters, so that the whole is valid UTF-8 and needs
//! no second table. A million series cost a million allocations of what their text needs plus a byte
//! or two per part. Equal sets are equal strings, which is what index and caches hash.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::fnv::Fnv;

/// The label that holds the name of a metric.
pub const METRIC_NAME: &str = "__name__";

/// A set of label names and values, sorted by name. Cloning shares the storage.
#[derive(Clone, PartialEq, Eq)]
pub struct Labels(Arc<str>);

/// A set under construction, reusable without allocating; pairs must be pushed in order of name, or
/// [`set`](Self::set) puts them in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelsBuf(String);

/// Payload bits of one length character; the seventh bit says that more follow.
const LENGTH_BITS: u32 = 6;

fn push_part(text: &mut String, part: &str) {
    let mut n = part.len();
    while n >= 1 << LENGTH_BITS {
        text.push(char::from((n & ((1 << LENGTH_BITS) - 1)) as u8 | 1 << LENGTH_BITS));
        n >>= LENGTH_BITS;
    }
    text.push(char::from(n as u8));
    text.push_str(part);
}

/// Splits the first part off. The text is one that [`push_part`] wrote.
fn split_part(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let (mut n, mut i) = (0, 0);
    while let Some(b) = bytes.get(i) {
        n |= usize::from(b & ((1 << LENGTH_BITS) - 1)) << (LENGTH_BITS as usize * i);
        i += 1;
        if b >> LENGTH_BITS == 0 {
            break;
        }
    }
    text[i..].split_at(n)
}

/// As [`split_part`], of text that anyone wrote.
fn checked_part(text: &str) -> Option<(&str, &str)> {
    let mut n = 0_usize;
    for (i, b) in text.bytes().enumerate().take(5) {
        if b >> (LENGTH_BITS + 1) != 0 {
            return None;
        }
        n |= usize::from(b & ((1 << LENGTH_BITS) - 1)) << (LENGTH_BITS as usize * i);
        if b >> LENGTH_BITS == 0 {
            return text[i + 1..].split_at_checked(n);
        }
    }
    None
}

/// Pairs of an encoded set.
struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (name, rest) = split_part(self.0);
        let (value, rest) = split_part(rest);
        self.0 = rest;
        Some((name, value))
    }
}

impl LabelsBuf {
    /// Removes all pairs, keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a pair whose name sorts after all names so far; an empty value adds nothing.
    pub fn push(&mut self, name: &str, value: &str) {
        debug_assert!(self.iter().last().is_none_or(|(last, _)| last < name), "labels out of order");
        if !value.is_empty() {
            push_part(&mut self.0, name);
            push_part(&mut self.0, value);
        }
    }

    /// Puts a pair in its place, over one of the same name; an empty value removes that.
    pub fn set(&mut self, name: &str, value: &str) {
        let room = self.0.len() + name.len() + value.len() + 8;
        let old = std::mem::replace(&mut self.0, String::with_capacity(room));
        let mut placed = false;
        for (n, v) in Pairs(&old) {
            if !placed && n >= name {
                self.push(name, value);
                placed = true;
            }
            if n != name {
                self.push(n, v);
            }
        }
        if !placed {
            self.push(name, value);
        }
    }

    /// Pairs in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Pairs(&self.0)
    }

    /// The encoded set, by which maps keyed by [`Labels`] can be asked without building one.
    pub fn as_key(&self) -> &str {
        &self.0
    }

    /// The finished set.
    pub fn labels(&self) -> Labels {
        Labels(Arc::from(self.0.as_str()))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl Labels {
    /// Builds a set; a later pair replaces an earlier one of the same name, an empty value removes it.
    pub fn new<K: Into<Box<str>>, V: Into<Box<str>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut map = std::collections::BTreeMap::new();
        for (k, v) in pairs {
            map.insert(k.into(), v.into());
        }
        let mut buf = LabelsBuf::default();
        for (k, v) in &map {
            buf.push(k, v);
        }
        buf.labels()
    }

    /// The value of one label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().take_while(|(k, _)| *k <= name).find(|(k, _)| *k == name).map(|(_, v)| v)
    }

    /// The value of `__name__`, or nothing.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or_default()
    }

    /// Pairs in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Pairs(&self.0)
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This set with `other` laid over it.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter()))
    }

    /// The pairs whose names `keep` accepts.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        let mut buf = LabelsBuf::default();
        self.iter().filter(|(k, _)| keep(k)).for_each(|(k, v)| buf.push(k, v));
        buf.labels()
    }

    /// A copy to be changed.
    pub fn to_buf(&self) -> LabelsBuf {
        LabelsBuf(String::from(&*self.0))
    }

    /// The encoded set: what [`LabelsBuf::as_key`] gives for the same pairs.
    pub fn as_key(&self) -> &str {
        &self.0
    }

    /// The set that [`as_key`](Self::as_key) was taken from. The text comes from there and nowhere else;
    /// one that does not gives a set of unspecified pairs.
    pub fn from_key(key: &str) -> Self {
        Self(Arc::from(key))
    }

    /// The set that a key read from outside stands for, or nothing if [`as_key`](Self::as_key) never gives that.
    pub fn checked_key(key: &str) -> Option<Self> {
        let (mut rest, mut last) = (key, None);
        while !rest.is_empty() {
            let (name, after) = checked_part(rest)?;
            let (value, after) = checked_part(after)?;
            if value.is_empty() || last.is_some_and(|last| last >= name) {
                return None;
            }
            (last, rest) = (Some(name), after);
        }
        Some(Self::from_key(key))
    }

    /// A 64-bit FNV-1a hash over names and values, the fingerprint that Alertmanager uses for the
    /// same purpose (`model.LabelSet.Fingerprint`): stable across restarts and machines.
    pub fn fingerprint(&self) -> u64 {
        const SEPARATOR: [u8; 1] = [255];
        let mut hash = Fnv::default();
        for (k, v) in self.iter() {
            hash.write(k.as_bytes());
            hash.write(&SEPARATOR);
            hash.write(v.as_bytes());
            hash.write(&SEPARATOR);
        }
        hash.finish()
    }
}

/// As the encoded text hashes, so that a map can be asked by [`LabelsBuf::as_key`].
impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Borrow<str> for Labels {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// By pairs, as Prometheus sorts series: not by the encoded text, whose lengths would decide first.
impl Ord for Labels {
    /// Looks for the first byte that differs, then for the part it is in: sets that are compared share most
    /// of their text.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (mut a, mut b) = (&*self.0, &*other.0);
        let mut same = common_prefix(a.as_bytes(), b.as_bytes());
        while !a.is_empty() && !b.is_empty() {
            let (part, rest) = split_part(a);
            let len = a.len() - rest.len();
            if same < len {
                return part.cmp(split_part(b).0);
            }
            same -= len;
            (a, b) = (rest, &b[len..]);
        }
        a.len().cmp(&b.len())
    }
}

/// How many bytes at the beginning are the same.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 16;
    let steps = a.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0).take_while(|(a, b)| a == b).count();
    let from = steps * STEP;
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether `name` may be a label name: `[a-zA-Z_][a-zA-Z0-9_]*`, not starting with `__`.
pub fn is_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with("__")
}

impl fmt::Display for Labels {
    /// Prometheus' notation: `{a="1", b="2"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (k, v)) in self.iter().enumerate() {
            write!(f, "{}{k}={v:?}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(d)?;
        Ok(Self::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_pairs_does_not_matter() {
        let a = Labels::new([("b", "2"), ("a", "1")]);
        let b = Labels::new([("a", "1"), ("b", "2"), ("c", "")]);
        assert_eq!(a, b);
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.get("b"), Some("2"));
        assert_eq!(a.to_string(), r#"{a="1", b="2"}"#);
    }

    #[test]
    fn fingerprint_separates_names_from_values() {
        assert_ne!(Labels::new([("a", "bc")]).fingerprint(), Labels::new([("ab", "c")]).fingerprint());
    }

    #[test]
    fn parts_of_any_length_come_back() {
        for n in [1, 63, 64, 65, 4_095, 4_096, 300_000] {
            let (name, value) = ("n".repeat(n), "ü".repeat(n));
            let set = Labels::new([(name.as_str(), value.as_str()), ("z", "last")]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [(name.as_str(), value.as_str()), ("z", "last")]);
        }
    }

    #[test]
    fn a_set_is_found_by_its_buffer() {
        let mut map = std::collections::HashMap::new();
        map.insert(Labels::new([("a", "1"), ("b", "2")]), 7);
        let mut buf = LabelsBuf::default();
        buf.push("a", "1");
        buf.push("b", "2");
        assert_eq!(map.get(buf.as_key()), Some(&7));
    }

    #[test]
    fn keys_from_outside_are_checked() {
        let set = Labels::new([("a".repeat(70).as_str(), "ü"), ("b", "x")]);
        assert_eq!(Labels::checked_key(set.as_key()), Some(set.clone()));
        assert_eq!(Labels::checked_key(""), Some(Labels::default()));
        for cut in 1..set.as_key().len() {
            if let Some(part) = set.as_key().get(..cut) {
                assert!(Labels::checked_key(part).is_none_or(|l| l.iter().count() == 1), "cut at {cut}");
            }
        }
        for bad in [
            "\u{1}b\u{1}x\u{1}a\u{1}x",
            "\u{1}a\0",
            "\u{1}",
            "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
            "ü",
            "\u{1}ü\u{1}x",
        ] {
            assert_eq!(Labels::checked_key(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_buffer_keeps_its_order() {
        let mut buf = LabelsBuf::default();
        for (k, v) in [("m", "1"), ("a", "2"), ("z", "3"), ("m", "4"), ("a", "")] {
            buf.set(k, v);
        }
        assert_eq!(buf.labels().to_string(), r#"{m="4", z="3"}"#);
    }

    #[test]
    fn sets_sort_as_their_pairs_do() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut word = move || ["", "a", "b", "aa", "ab", "b", "\u{1}", "ü"][rng.usize(..8)].repeat(rng.usize(1..40));
        let sets: Vec<Labels> =
            (0..200).map(|_| Labels::new([("a", word()), ("b", word()), ("bb", word()), ("c", word())])).collect();
        for a in &sets {
            for b in &sets {
                assert_eq!(a.cmp(b), a.iter().cmp(b.iter()), "{a} {b}");
            }
        }
    }

    #[test]
    fn sets_sort_by_pairs_not_by_length() {
        let long = Labels::new([("aaaa", "x")]);
        let short = Labels::new([("b", "x")]);
        assert!(long < short);
    }
}
