//! What a registry says of a domain, and for how long that is believed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::time::Timestamp;
use crate::collect::fault::Fault;

/// Answers that are kept. With more domains the oldest are asked for again.
const MAX_ANSWERS: usize = 10_000;
/// How long an answer is judged when no newer one can be had: a week of a registry's silence is news.
pub const STALE_FOR: Duration = Duration::from_secs(7 * 86_400);
/// How long nobody asks again after one look-up without an answer; registries ban who asks too often.
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The shortest and longest pause that a registry may ask for.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

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

/// What is known of one question.
#[derive(Debug, Default)]
pub struct Place {
    /// Held while a registry is asked, so that monitors of the same domain ask once.
    pub turn: tokio::sync::Mutex<()>,
    /// Leaf data: held for a copy.
    memory: Mutex<Memory>,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    /// The last answer, and when it came.
    answer: Option<(Arc<Registration>, Instant)>,
    /// What the last look-up ended with, if not with an answer.
    ended: Option<Pause>,
}

#[derive(Clone, Debug)]
struct Pause {
    ended: Ended,
    /// When the registry may be asked again.
    until: Instant,
    /// How many look-ups in a row ended so.
    times: u32,
}

/// The end of a look-up that leaves nothing to judge.
#[derive(Clone, Debug)]
pub enum Ended {
    /// This source knows no such domain.
    NotRegistered(String),
    /// Nobody who must be asked answers.
    Failed(Fault),
}

/// What is judged.
#[derive(Debug)]
pub struct Known {
    /// What a registry said.
    pub registration: Arc<Registration>,
    /// How long ago.
    pub age: Duration,
    /// Why there is no newer answer.
    pub failed: Option<Fault>,
}

/// What is known in this process, whatever monitor asked. Leaf data: held for one look-up.
static PLACES: LazyLock<Mutex<HashMap<Question, Arc<Place>>>> = LazyLock::new(Mutex::default);

/// The place of the answer to this question.
pub fn place(question: &Question) -> Arc<Place> {
    let mut known = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = known.get(question) {
        return Arc::clone(place);
    }
    if known.len() >= MAX_ANSWERS {
        let oldest = known.iter().map(|(question, place)| (place.last_change(), question)).min();
        let oldest = oldest.map(|(_, question)| question.clone());
        oldest.and_then(|question| known.remove(&question));
    }
    let place = Arc::<Place>::default();
    known.insert(question.clone(), Arc::clone(&place));
    place
}

impl Place {
    /// What need not be asked for: an answer younger than `used_for`, or, while the registry may not be asked again,
    /// what it last said.
    pub fn recall(&self, used_for: Duration) -> Option<Result<Known, Ended>> {
        let memory = self.memory();
        let young = memory.answer.as_ref().filter(|(_, at)| at.elapsed() < used_for);
        if let Some((registration, at)) = young {
            return Some(Ok(Known { registration: Arc::clone(registration), age: at.elapsed(), failed: None }));
        }
        let pause = memory.ended.filter(|pause| Instant::now() < pause.until)?;
        Some(match pause.ended {
            Ended::NotRegistered(source) => Err(Ended::NotRegistered(source)),
            Ended::Failed(fault) => self.stale(fault),
        })
    }

    /// The last answer, where it is not too old, beside the fault that there is no newer one for.
    ///
    /// # Errors
    /// There is none.
    pub fn stale(&self, fault: Fault) -> Result<Known, Ended> {
        match self.memory().answer.filter(|(_, at)| at.elapsed() < STALE_FOR) {
            Some((registration, at)) => Ok(Known { registration, age: at.elapsed(), failed: Some(fault) }),
            None => Err(Ended::Failed(fault)),
        }
    }

    /// Remembers an answer.
    pub fn answered(&self, registration: Registration) -> Known {
        let registration = Arc::new(registration);
        *self.lock() = Memory { answer: Some((Arc::clone(&registration), Instant::now())), ended: None };
        Known { registration, age: Duration::ZERO, failed: None }
    }

    /// Remembers that there was none, and for how long nobody asks: as long as the registry wants, else longer with each
    /// time. What this machine did wrong no registry has seen, so it is not remembered.
    pub fn ended(&self, ended: &Ended, after: Option<Duration>) {
        if let Ended::Failed(fault) = ended
            && fault.is_before_peer()
        {
            return;
        }
        let mut memory = self.lock();
        let times = memory.ended.as_ref().map_or(1, |pause| pause.times.saturating_add(1));
        let pause = match after {
            Some(after) => after.clamp(RETRY_AFTER.0, RETRY_AFTER.1),
            None => FIRST_PAUSE * times.min(3),
        };
        if let Ended::NotRegistered(_) = ended {
            memory.answer = None;
        }
        memory.ended = Some(Pause { ended: ended.clone(), until: Instant::now() + pause, times });
    }

    /// Sets an answer of some hours ago.
    #[cfg(test)]
    pub(crate) fn answered_before(&self, registration: Registration, hours: u64) {
        let at = Instant::now() - Duration::from_secs(hours * 3_600);
        *self.lock() = Memory { answer: Some((Arc::new(registration), at)), ended: None };
    }

    fn last_change(&self) -> Option<Instant> {
        let memory = self.memory();
        memory.answer.map(|(_, at)| at).max(memory.ended.map(|pause| pause.until))
    }

    fn memory(&self) -> Memory {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_does_not_answer_is_left_alone_for_a_while() {
        let place = Place::default();
        let fault = || Ended::Failed(Fault::timeout("no answer"));
        let kept = |place: &Place| place.recall(Duration::from_secs(3_600)).is_some();
        let minutes = |n: u64| tokio::time::advance(Duration::from_secs(n * 60));
        for pause in [5, 10, 15, 15] {
            place.ended(&fault(), None);
            minutes(pause - 1).await;
            assert!(kept(&place), "{pause}");
            minutes(1).await;
            assert!(!kept(&place), "{pause}");
        }
        place.ended(&fault(), Some(Duration::from_secs(3_600)));
        minutes(59).await;
        assert!(kept(&place));
        minutes(1).await;
        assert!(!kept(&place));
        place.ended(&Ended::Failed(Fault::local("local_network", "no way")), None);
        assert!(!kept(&place), "no registry has seen this");
        place.ended(&Ended::NotRegistered("x".into()), None);
        assert!(matches!(place.recall(Duration::ZERO), Some(Err(Ended::NotRegistered(_)))));
    }

    #[tokio::test(start_paused = true)]
    async fn meanwhile_the_last_answer_is_judged_until_it_is_a_week_old() {
        let place = Place::default();
        let fault = || Fault::timeout("no answer");
        place.answered(Registration::default());
        tokio::time::advance(Duration::from_secs(7 * 3_600)).await;
        assert!(place.recall(Duration::from_secs(6 * 3_600)).is_none());
        place.ended(&Ended::Failed(fault()), None);
        let known = place.recall(Duration::from_secs(6 * 3_600)).unwrap().unwrap();
        assert_eq!((known.age, known.failed), (Duration::from_secs(7 * 3_600), Some(fault())));
        tokio::time::advance(STALE_FOR).await;
        assert!(place.stale(fault()).is_err());
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
