//! What a registry says of a domain, and for how long that is believed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::time::Timestamp;

/// Answers that are kept. With more domains the oldest are asked for again.
const MAX_ANSWERS: usize = 10_000;

/// What a registry says of a domain. Texts are untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// When it ends, unless it is renewed.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// States in EPP's words, as [`epp`] writes them: `clienthold`.
    pub status: Vec<String>,
    /// Name servers, in lower case without a dot at the end.
    pub nameservers: Vec<String>,
    /// Who sold it.
    pub registrar: Option<String>,
    /// Who says all this: `RDAP rdap.example`, `WHOIS whois.example`.
    pub source: String,
}

/// A state as it is compared: RDAP writes `client hold` (RFC 8056), WHOIS `clientHold https://…`, people
/// `clientHold`.
pub fn epp(text: &str) -> String {
    let text = text.split("http").next().unwrap_or_default();
    let mut word: String = text.chars().filter(char::is_ascii_alphabetic).take(64).collect();
    word.make_ascii_lowercase();
    word
}

/// A host name as it is compared.
pub fn host(text: &str) -> String {
    text.trim().trim_end_matches('.').to_ascii_lowercase()
}

/// Whom was asked for what: domain, RDAP's server or bootstrap, WHOIS' server.
pub type Question = (String, String, String);

/// One answer, or the place for it. The lock is held while a registry is asked, so that monitors of the same
/// domain ask once.
pub type Place = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// An answer and when it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was said.
    pub registration: Arc<Registration>,
    /// When.
    pub at: Instant,
}

/// Answers of this process, whatever monitor asked. Leaf data: held for one look-up.
static ANSWERS: LazyLock<Mutex<HashMap<Question, Place>>> = LazyLock::new(Mutex::default);

/// The place of the answer to this question.
pub fn place(question: &Question) -> Place {
    let mut known = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = known.get(question) {
        return Arc::clone(place);
    }
    if known.len() >= MAX_ANSWERS {
        let oldest = |place: &Place| place.try_lock().ok().map(|a| a.as_ref().map(|a| a.at));
        let key = known.iter().filter_map(|(k, p)| Some((oldest(p)?, k))).min().map(|(_, k)| k.clone());
        key.and_then(|key| known.remove(&key));
    }
    let place = Place::default();
    known.insert(question.clone(), Arc::clone(&place));
    place
}

impl Answer {
    /// How old it is.
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

/// Reads a date in any of the forms that registries use. Without a time of day it is the day's beginning in UTC.
///
/// Where only numbers stand and the year is last, the day is first: all registries that write dates so do.
pub fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = Timestamp::parse(text) {
        return Some(at);
    }
    const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let tokens = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|t| !t.is_empty());
    let is_weekday = |t: &&str| t.get(..3).is_some_and(|s| WEEKDAYS.iter().any(|w| s.eq_ignore_ascii_case(w)));
    let mut tokens = tokens.filter(|t| !is_weekday(t));
    let first = tokens.next()?;
    let number = |t: &str| -> Option<i64> {
        let digits: &str = &t[..t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len())];
        digits.parse().ok()
    };
    let (year, month, day) = match number(first) {
        Some(all) if first.len() >= 8 => (all / 10_000, all / 100 % 100, all % 100),
        Some(year) if first.len() == 4 => (year, month(tokens.next()?)?, number(tokens.next()?)?),
        Some(day) => {
            let month = month(tokens.next()?)?;
            (number(tokens.find(|t| t.len() == 4 && number(t).is_some())?)?, month, day)
        }
        None => {
            let month = month(first)?;
            let day = number(tokens.next()?)?;
            (number(tokens.find(|t| t.len() == 4 && number(t).is_some())?)?, month, day)
        }
    };
    Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z")).ok()
}

fn month(text: &str) -> Option<i64> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let start = text.get(..3)?.to_ascii_lowercase();
    NAMES.iter().position(|n| *n == start).and_then(|i| i64::try_from(i + 1).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_registries() {
        #[track_caller]
        fn check(text: &str, want: Option<&str>) {
            assert_eq!(
                date(text).map(|t| t.to_string()),
                want.map(|w| Timestamp::parse(w).unwrap().to_string()),
                "{text}"
            );
        }
        for text in [
            "2027-08-31T00:00:00Z", // com, net, org
            "2027-08-31",           // se, dk, it, eu
            "2027-08-31 00:00:00",  // id
            "2027/08/31",           // jp
            "2027.08.31 14:00:00",  // pl
            "2027. 08. 31.",        // kr
            "2027-Aug-31.",         // tr
            "31-Aug-2027",          // uk
            "31.8.2027 13:08:46",   // fi
            "31.08.2027",           // cz
            "31-08-2027",           // hk
            "31/08/2027",           // fr, before RDAP
            "20270831",             // br
            "Aug 31 2027",          // ve
            "Tue Aug 31 23:59:59 GMT 2027",
            "August 31, 2027",
        ] {
            check(text, Some("2027-08-31T00:00:00Z"));
        }
        check("2027-08-31T12:30:00+02:00", Some("2027-08-31T10:30:00Z"));
        for text in ["", "never", "2027", "2027-13-01", "31.02.2027", "99999999", "1234567890123456789012"] {
            check(text, None);
        }
    }

    #[test]
    fn states_are_compared_in_one_spelling() {
        for text in ["clientHold", "client hold", "clientHold https://icann.org/epp#clientHold", "CLIENT-HOLD"] {
            assert_eq!(epp(text), "clienthold");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,60}") {
            let _ = date(&text);
            let _ = epp(&text);
        }
    }
}
