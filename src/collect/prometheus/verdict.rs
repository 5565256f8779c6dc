//! The verdict on a round of a job.
//!
//! Targets that are down and targets that could not be asked, for a reason on this machine, are two things. What is not
//! known counts for neither side: a job has failed when too few would be up even if all that were not asked are. Where none
//! is up it is down when no fewer are down than were not asked, and otherwise unknown: degraded would end an alert that
//! it is down, of which nothing was seen to come up.

use std::borrow::Cow;

use crate::base::outcome::{Check, Evidence, Outcome, Sample, Verdict};
use crate::collect::fault::Fault;

/// Targets that are not up, named one by one in checks.
const NAMED: usize = 50;
/// Those whose evidence is shown; of each sort no more is asked for.
pub const SHOWN: usize = 3;

/// What a round found.
#[derive(Debug)]
pub struct Tally<'a> {
    /// Targets in all.
    pub all: usize,
    /// Those that answered.
    pub up: usize,
    /// Series that are alive.
    pub series: usize,
    /// Share of targets, in percent, that must be up.
    pub expect_up: f64,
    /// Those that are down.
    pub down: Vec<Failed<'a>>,
    /// Those that could not be asked.
    pub unasked: Vec<Failed<'a>>,
    /// Why targets could not be looked up.
    pub troubles: &'a [Fault],
    /// Why what was found cannot be scraped.
    pub refused: &'a [String],
    /// Targets that relabelling dropped.
    pub dropped: usize,
}

/// A target that was not scraped.
#[derive(Debug)]
pub struct Failed<'a> {
    /// Its address, for people.
    pub url: &'a str,
    /// Its machine.
    pub host: &'a str,
    /// Why.
    pub fault: Fault,
    /// What was seen of it.
    pub evidence: Vec<(Cow<'static, str>, String)>,
}

impl Failed<'_> {
    fn why(&self) -> String {
        format!("{}: {}", self.url, self.fault.message())
    }
}

impl Tally<'_> {
    /// The verdict, with its reason, checks, samples and evidence.
    pub fn outcome(self) -> Outcome {
        let summary = self.summary();
        let (mut outcome, blamed) = self.judged(&summary);
        outcome.host = blamed.map(|one| one.host).filter(|host| !host.is_empty()).map(Into::into);
        outcome.checks = self.checks();
        outcome.samples = vec![
            Sample::new("probe_prometheus_targets", self.all as f64),
            Sample::new("probe_prometheus_targets_up", self.up as f64),
            Sample::new("probe_prometheus_targets_unasked", self.unasked.len() as f64),
            Sample::new("probe_prometheus_series", self.series as f64),
        ];
        outcome.summary = summary;
        if outcome.verdict != Verdict::Up {
            let shown = self.down.into_iter().chain(self.unasked).take(SHOWN);
            outcome.evidence = Some(Evidence { items: shown.flat_map(|one| one.evidence).collect() });
        }
        outcome
    }

    fn summary(&self) -> String {
        let unasked = match self.unasked.len() {
            0 => String::new(),
            n => format!(", {} not asked", thousands(n)),
        };
        let (up, all, series) = (thousands(self.up), thousands(self.all), thousands(self.series));
        format!("{up} of {all} targets up{unasked}, {series} series")
    }

    /// The verdict, and the target that it is about.
    fn judged(&self, summary: &str) -> (Outcome, Option<&Failed<'_>>) {
        let degraded =
            |class, why: &str| Outcome::up("").with_verdict(Verdict::Degraded, class, format!("{summary}; {why}"));
        // Whatever those would have said that were not asked.
        let has_failed = !self.is_enough(self.all - self.down.len());
        match (self.down.first(), self.unasked.first()) {
            _ if self.all == 0 => (self.nothing(), None),
            (Some(one), _) | (None, Some(one)) if self.all == 1 => (one.fault.clone().outcome(), Some(one)),
            (Some(one), _) if has_failed && self.up == 0 && self.down.len() >= self.unasked.len() => {
                (Outcome::down("targets_down", format!("{}; {}", self.count(), one.why())), Some(one))
            }
            (Some(_), Some(one)) if self.up == 0 => {
                (Outcome::unknown(one.fault.class(), format!("{}; {}", self.count(), one.why())), Some(one))
            }
            (None, Some(one)) if self.up == 0 => (Outcome::unknown(one.fault.class(), one.why()), Some(one)),
            (Some(one), _) if has_failed => (degraded("targets_down", &one.why()), Some(one)),
            (_, Some(one)) if !self.is_enough(self.up) => (degraded(one.fault.class(), &one.why()), Some(one)),
            _ => match self.amiss() {
                Some(why) => (Outcome::up("").with_verdict(Verdict::Degraded, "discovery", why), None),
                None => (Outcome::up(""), None),
            },
        }
    }

    fn is_enough(&self, up: usize) -> bool {
        up > 0 && up as f64 >= self.all as f64 * self.expect_up / 100.0
    }

    /// How many are down, where none is up.
    fn count(&self) -> String {
        let are = if self.down.len() == 1 { "is" } else { "are" };
        let (down, all) = (thousands(self.down.len()), thousands(self.all));
        match self.unasked.len() {
            0 => format!("all {all} targets are down"),
            1 => format!("{down} of {all} targets {are} down, 1 was not asked"),
            n => format!("{down} of {all} targets {are} down, {} were not asked", thousands(n)),
        }
    }

    /// There are no targets.
    fn nothing(&self) -> Outcome {
        let why = match (self.troubles.first(), self.amiss(), self.dropped) {
            (Some(fault), ..) if fault.is_local() => return fault.clone().outcome(),
            (_, Some(why), _) => why.to_owned(),
            (_, None, 0) => "no targets were found".to_owned(),
            (_, None, n) => format!("relabelling dropped all {n} targets"),
        };
        Outcome::down("no_targets", why)
    }

    /// What is wrong with the list of targets.
    fn amiss(&self) -> Option<&str> {
        self.troubles.first().map(Fault::message).or_else(|| self.refused.first().map(String::as_str))
    }

    fn checks(&self) -> Vec<Check> {
        let failed = |name: String, found: &str| Check { name, ok: Some(false), found: found.to_owned() };
        // The only one's reason is the monitor's.
        let named = if self.all > 1 { NAMED } else { 0 };
        let each = self.down.iter().chain(&self.unasked).take(named);
        let each = each.map(|one| failed(format!("{} is up", one.url), one.fault.message()));
        let troubles = self.troubles.iter().map(|fault| failed("targets can be looked up".into(), fault.message()));
        let refused = self.refused.iter().map(|why| failed("what was found can be scraped".into(), why));
        each.chain(troubles).chain(refused).collect()
    }
}

/// `3,456`
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round with so many targets that are up, down and not asked, of which so many percent must be up.
    fn round(up: usize, down: usize, unasked: usize, expect_up: f64) -> Outcome {
        let failed = |n: usize, url: &'static str, fault: fn() -> Fault| {
            (0..n).map(move |_| Failed {
                url,
                host: url,
                fault: fault(),
                evidence: vec![("target".into(), url.into())],
            })
        };
        let tally = Tally {
            all: up + down + unasked,
            up,
            series: 0,
            expect_up,
            down: failed(down, "gone", || Fault::target("connection_refused", "refused")).collect(),
            unasked: failed(unasked, "far", || Fault::local("local_resolver", "no resolver")).collect(),
            troubles: &[],
            refused: &[],
            dropped: 0,
        };
        tally.outcome()
    }

    #[test]
    fn what_was_not_asked_counts_for_neither_side() {
        #[track_caller]
        fn check((up, down, unasked, expect_up): (usize, usize, usize, f64), want: (Verdict, &str, &str)) {
            let got = round(up, down, unasked, expect_up);
            let reason = got.reason.unwrap();
            assert_eq!((got.verdict, &*reason.class, reason.message.as_str()), want);
        }
        use Verdict::{Degraded, Down, Unknown};
        check((0, 20, 0, 80.0), (Down, "targets_down", "all 20 targets are down; gone: refused"));
        check((0, 19, 1, 80.0), (Down, "targets_down", "19 of 20 targets are down, 1 was not asked; gone: refused"));
        // It could be all others that are up.
        let why = "1 of 20 targets is down, 19 were not asked; far: no resolver";
        check((0, 1, 19, 80.0), (Unknown, "local_resolver", why));
        check((0, 0, 20, 80.0), (Unknown, "local_resolver", "far: no resolver"));
        // No more than one is known to be down. It is one too many, but none is known to be up that could end an alert.
        check((0, 1, 19, 100.0), (Unknown, "local_resolver", why));
        let why = "1 of 3 targets is down, 2 were not asked; far: no resolver";
        check((0, 1, 2, 100.0), (Unknown, "local_resolver", why));
        check((0, 1, 1, 100.0), (Down, "targets_down", "1 of 2 targets is down, 1 was not asked; gone: refused"));
        check(
            (1, 1, 18, 100.0),
            (Degraded, "targets_down", "1 of 20 targets up, 18 not asked, 0 series; gone: refused"),
        );
        let why = "1 of 20 targets up, 18 not asked, 0 series; far: no resolver";
        check((1, 1, 18, 80.0), (Degraded, "local_resolver", why));
        check((15, 5, 0, 80.0), (Degraded, "targets_down", "15 of 20 targets up, 0 series; gone: refused"));
        // One target's reason is the job's.
        check((0, 1, 0, 100.0), (Down, "connection_refused", "refused"));
        check((0, 0, 1, 100.0), (Unknown, "local_resolver", "no resolver"));
        for enough in [(16, 4, 0, 80.0), (16, 0, 4, 80.0), (16, 2, 2, 80.0), (1, 0, 0, 100.0)] {
            assert_eq!(round(enough.0, enough.1, enough.2, enough.3).verdict, Verdict::Up, "{enough:?}");
        }
    }

    #[test]
    fn those_that_are_down_are_shown_before_those_that_were_not_asked() {
        let got = round(0, 2, 60, 100.0);
        let shown: Vec<String> = got.evidence.unwrap().items.into_iter().map(|(_, url)| url).collect();
        assert_eq!(shown, ["gone", "gone", "far"]);
        assert_eq!(
            (got.checks.len(), got.checks[1].name.as_str(), got.checks[2].name.as_str()),
            (50, "gone is up", "far is up")
        );
        // Whom the reason is about.
        assert_eq!(got.host.as_deref(), Some("far"));
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(n), text);
        }
    }
}
