//! A domain's registration over WHOIS (RFC 3912), for registries without RDAP. Its answers have no common
//! form: what is looked for are lines whose key is known to mean an expiry, a state, a name server.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::base::outcome::REGISTRY;
use crate::base::probe::ProbeCx;
use crate::collect::dial::{self, Peer, Route};
use crate::collect::domain::rdap::Said;
use crate::collect::domain::registration::{Registration, date, epp, host};
use crate::collect::fault::Fault;
use crate::collect::judge::found;
use crate::collect::trace::{Trace, phase};

/// Who knows which server knows an ending.
const IANA: &str = "whois.iana.org";
/// Bytes of one answer.
const MAX_ANSWER: u64 = 64 * 1024;
/// Items of a list that are kept.
const MAX_ITEMS: usize = 64;
/// Endings whose server is kept: there are 1,500 in the root.
const MAX_REFERRALS: usize = 2_000;
const REFERRAL_MAX_AGE: Duration = Duration::from_secs(24 * 3_600);

type Referrals = HashMap<(String, String), (Option<Peer>, Instant)>;

/// Servers by who named them and for which ending; `None` where there is none. Leaf data: held for one look-up.
static REFERRALS: LazyLock<Mutex<Referrals>> = LazyLock::new(Mutex::default);

/// Keys that mean an expiry, in lower case without dots and brackets.
const EXPIRY: [&str; 19] = [
    "registry expiry date",
    "registrar registration expiration date",
    "expiry date",
    "expiration date",
    "expiration time",
    "expire date",
    "expires",
    "expires on",
    "expire",
    "expiration",
    "expiry",
    "paid-till",
    "renewal date",
    "valid until",
    "validity",
    "record expires on",
    "domain expires",
    "expire-date",
    "exp date",
];
const CREATED: [&str; 9] = [
    "creation date",
    "created",
    "created on",
    "registered on",
    "registered",
    "registration date",
    "registration time",
    "domain registered",
    "record created on",
];
const STATUS: [&str; 4] = ["domain status", "status", "state", "eppstatus"];
const SERVERS: [&str; 5] = ["name server", "nserver", "nameserver", "nameservers", "name servers"];
const REGISTRAR: [&str; 3] = ["registrar", "registrar name", "sponsoring registrar"];

/// States of a name that is free, as [`epp`] writes them.
const FREE: [&str; 5] = ["free", "available", "notregistered", "notfound", "noobjectfound"];
/// What servers say where they have found nothing, in lower case.
const NOTHING: [&str; 8] = [
    "no match",
    "not found",
    "no entries found",
    "no data found",
    "no object found",
    "nothing found",
    "no such domain",
    "domain not registered",
];
/// What they say of the name then. A service may be free and available, too, so these are no words for comments.
const FOR_SALE: [&str; 2] = ["is available for", "is free"];

/// Asks for `domain`, at `server` or at the one that IANA names; what is not said there is asked of the
/// registrar, if it is named.
///
/// # Errors
/// Nobody who must be asked answers.
pub async fn ask(
    domain: &str,
    server: Option<&Peer>,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
) -> Result<Said, Fault> {
    let server = match server {
        Some(server) => server.clone(),
        None => {
            let ending = domain.rsplit('.').next().unwrap_or(domain);
            let iana = Peer::new(IANA, 43).map_err(|e| Fault::target(REGISTRY, e.to_string()))?;
            match referral(&iana, ending, route, cx, trace).await? {
                Some(server) => server,
                None => return Ok(Said::NoServer),
            }
        }
    };
    let answer = exchange(&server, &question(&server, domain), route, cx, trace).await?;
    let mut registration = read(&answer, server.host());
    if is_free(&answer, &registration) {
        return Ok(Said::NotRegistered(format!("WHOIS {}", server.host())));
    }
    let referral = lines(&answer).find(|(key, _)| key == "registrar whois server").map(|(_, name)| name);
    if let (None, Some(name)) = (registration.expires, referral) {
        let second = peer(name)?;
        let answer = exchange(&second, domain, route, cx, trace).await?;
        registration.expires = read(&answer, second.host()).expires;
        registration.source += &format!(" and {}", second.host());
    }
    match is_empty(&registration) {
        true => {
            let first = answer.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("nothing");
            Err(Fault::target(REGISTRY, format!("{} answers: {}", server.host(), found(first))))
        }
        false => Ok(Said::Registered(registration)),
    }
}

/// Whether nothing of a registration was in the answer.
fn is_empty(seen: &Registration) -> bool {
    seen.expires.is_none() && seen.status.is_empty() && seen.nameservers.is_empty()
}

/// Whether an answer, of which this was read, says that nobody has the name. A state says it, or, where nothing could
/// be read, a sentence. Terms of use stand in comments and may hold any words, so a comment must begin with it:
/// `%ERROR:101: no entries found`.
fn is_free(answer: &str, seen: &Registration) -> bool {
    if seen.expires.is_some() {
        return false;
    }
    let says_so = |line: &str| {
        let line = line.trim().to_ascii_lowercase();
        match line.starts_with(['%', '#', '>']) {
            true => {
                let words = line.rsplit(':').next().unwrap_or(&line);
                let words = words.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
                NOTHING.iter().any(|nothing| words.starts_with(nothing))
            }
            false => NOTHING.iter().chain(&FOR_SALE).any(|words| line.contains(words)),
        }
    };
    seen.status.iter().any(|state| FREE.contains(&state.as_str())) || (is_empty(seen) && answer.lines().any(says_so))
}

/// A server named in an answer. Some write `whois://` before it, or a port behind.
fn peer(name: &str) -> Result<Peer, Fault> {
    let name = name.trim().trim_start_matches("whois://").trim_end_matches('/');
    let peer = Peer::parse(name).or_else(|_| Peer::new(name, 43));
    peer.map_err(|_| Fault::target(REGISTRY, format!("`{}` is no server", found(name))))
}

/// Some servers want more than the name.
fn question(server: &Peer, domain: &str) -> String {
    match server.host() {
        "whois.denic.de" => format!("-T dn,ace {domain}"),
        "whois.jprs.jp" => format!("{domain}/e"),
        "whois.verisign-grs.com" => format!("domain {domain}"),
        _ => domain.to_owned(),
    }
}

/// The server that `root` names for an ending. Endings are few and their servers stay, so the answer is kept for a day.
async fn referral(
    root: &Peer,
    ending: &str,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
) -> Result<Option<Peer>, Fault> {
    let key = (root.to_string(), ending.to_owned());
    {
        let known = REFERRALS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((server, _)) = known.get(&key).filter(|(_, at)| at.elapsed() < REFERRAL_MAX_AGE) {
            return Ok(server.clone());
        }
    }
    let answer = exchange(root, ending, route, cx, trace).await?;
    let named = lines(&answer).find(|(key, _)| ["whois", "refer"].contains(&key.as_str()));
    let server = named.map(|(_, name)| peer(name)).transpose()?;
    let mut known = REFERRALS.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MAX_REFERRALS {
        known.retain(|_, (_, at)| at.elapsed() < REFERRAL_MAX_AGE);
    }
    if known.len() < MAX_REFERRALS {
        known.insert(key, (server.clone(), Instant::now()));
    }
    Ok(server)
}

async fn exchange(
    server: &Peer,
    question: &str,
    route: &Route,
    cx: &ProbeCx,
    trace: &mut Trace,
) -> Result<String, Fault> {
    let mut stream = dial::open_by(server, route, cx, trace).await?;
    trace.begin(phase::PROCESSING);
    let ask = async {
        stream.write_all(format!("{question}\r\n").as_bytes()).await?;
        stream.flush().await
    };
    ask.await.map_err(|e| Fault::io("sending", &e))?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await.map_err(|e| Fault::io("reading the answer", &e))?;
    trace.end();
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The lines `key: value` and `[key] value`, keys in lower case. Comments are left out.
fn lines(answer: &str) -> impl Iterator<Item = (String, &str)> {
    answer.lines().filter(|l| !l.starts_with(['%', '#', '>'])).filter_map(|line| {
        let line = line.trim();
        let (key, value) = match line.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => line.split_once(':').or_else(|| line.split_once(" on ").filter(|(k, _)| k.len() < 20))?,
        };
        let key = key.trim().trim_end_matches('.').to_ascii_lowercase();
        let key = if line.contains(':') || line.starts_with('[') { key } else { format!("{key} on") };
        Some((key, value.trim()))
    })
}

fn read(answer: &str, who: &str) -> Registration {
    let mut registration = Registration { source: format!("WHOIS {who}"), ..Registration::default() };
    for (key, value) in lines(answer) {
        let is = |keys: &[&str]| keys.contains(&key.as_str()) && !value.is_empty();
        if is(&EXPIRY) && registration.expires.is_none() {
            registration.expires = date(value);
        } else if is(&CREATED) && registration.created.is_none() {
            registration.created = date(value);
        } else if is(&STATUS) && registration.status.len() < MAX_ITEMS {
            registration.status.extend(value.split(',').map(epp).filter(|s| !s.is_empty()));
        } else if is(&SERVERS) && registration.nameservers.len() < MAX_ITEMS {
            registration.nameservers.extend(value.split_whitespace().next().map(host));
        } else if is(&REGISTRAR) && registration.registrar.is_none() {
            registration.registrar = Some(found(value));
        }
    }
    registration
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::context;

    #[test]
    fn answers_of_several_forms() {
        let com = "   Domain Name: EXAMPLE.COM\r\n   Registry Expiry Date: 2027-08-13T04:00:00Z\r\n   Registrar: Some \
            Registrar, Inc.\r\n   Domain Status: clientHold https://icann.org/epp#clientHold\r\n   Name Server: \
            A.EXAMPLE.NET\r\n>>> Last update of whois database: 2026-01-01T00:00:00Z <<<\r\n";
        let got = read(com, "w");
        assert_eq!(got.expires.unwrap().to_string(), date("2027-08-13T04:00:00Z").unwrap().to_string());
        assert_eq!((got.status, got.nameservers), (vec!["clienthold".to_owned()], vec!["a.example.net".to_owned()]));
        assert_eq!(got.registrar.as_deref(), Some("Some Registrar, Inc."));
        for text in [
            "[Expires on]                    2027/08/13\n[Status]  Active\n",
            "domain:   x.br\nexpires:     20270813\n",
            "expires............: 13.8.2027 00:00:00\n",
            "paid-till:     2027-08-13T00:00:00Z\n",
            "% comment: 2020-01-01\n    Expiry date:  13-Aug-2027\n",
            "renewal date:           2027.08.13 14:00:00\n",
            "Record expires on 2027-08-13 (YYYY-MM-DD)\n",
        ] {
            let day = read(text, "w").expires.map(|t| t.to_string());
            assert_eq!(day, date("2027-08-13").map(|t| t.to_string()), "{text}");
        }
    }

    #[test]
    fn a_name_is_free_by_its_state_or_by_what_is_said_where_nothing_is_known() {
        #[track_caller]
        fn check(answer: &str, want: bool) {
            assert_eq!(is_free(answer, &read(answer, "w")), want, "{answer}");
        }
        check("Domain:\tx.be\nStatus:\tAVAILABLE\n", true);
        check("Domain: x.de\nStatus: free\n", true);
        check("Domain:\tx.be\nStatus:\tNOT AVAILABLE\n", false);
        check("Domain: x.nl\nStatus: active\n% This service is free of charge.\n", false);
        check("nserver: ns.example\nremarks: contact not found\n", false);
        check("domain: x\nexpires: 2027-01-01\nstatus: available\n", false);
        check("x.nl is free\n", true);
        check("No match for \"X.COM\".\r\n>>> Last update of whois database: 2026-01-01T00:00:00Z <<<\r\n", true);
        check("%% NOT FOUND\n", true);
        check("%ERROR:101: no entries found\n%\n% No entries found.\n", true);
        check("% nothing found\n", true);
        check("% This whois service is free and is available for everybody\n", false);
        check("% If it is not found, ask again\nquota exceeded\n", false);
    }

    #[tokio::test]
    async fn the_server_of_an_ending_is_asked_for_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = Peer::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            for says in ["domain: TEST\nwhois: whois.test\n", "% nothing about that\n"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 64]).await;
                let _ = stream.write_all(says.as_bytes()).await;
            }
        });
        let cx = context(Duration::from_secs(5));
        for (ending, want) in [("test", Some("whois.test:43")), ("none", None)] {
            for _ in 0..2 {
                let got = referral(&root, ending, &Route::default(), &cx, &mut Trace::start()).await.unwrap();
                assert_eq!(got.map(|p| p.to_string()).as_deref(), want);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_breaks_the_reader(text in "\\PC{0,80}\n\\PC{0,80}") {
            let _ = read(&text, "w");
        }
    }
}
