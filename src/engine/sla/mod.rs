//! How available monitors were: from the stored states, without the time that says nothing about them.

pub(crate) mod count;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::alert::maintenance::MaintenanceWindow;
use crate::alert::matchers::Matchers;
use crate::base::labels::Labels;
use crate::base::matcher::Matcher;
use crate::base::sample::{Column, is_stale};
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::config::slo::Slo;
use crate::engine::alerting::preview::labels_of;
use crate::engine::handle::EngineError;
use crate::engine::ingest::distance;
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::engine::sla::count::{Count, PAUSE, Span, count, joined};
use crate::engine::storage::outcome::STATE;
use crate::promql::source::{Resolution, Select, Source as _, Want};
use crate::promql::value::{Cancel, EvalError};
use crate::tsdb::Tsdb;
use crate::wire::sla::{Budget, SlaReport, SlaRow};

/// What a state of a monitor without a fixed interval speaks for: what a query looks back by.
const COVER: Duration = Duration::from_secs(300);
/// Longest time of a report.
const LONGEST: Duration = Duration::from_secs(5 * 366 * 86_400);
/// Occurrences of one maintenance window that are looked at.
const OCCURRENCES: usize = 100_000;
/// How long a report may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How time is counted, for whoever reads the report.
const METHOD: [&str; 4] = [
    "availability is the time up or degraded, divided by the time up, degraded or down",
    "not counted: maintenance as configured now, time in which this machine could not judge (unknown), time in which \
     a monitor above was down, pauses, and time without data",
    "a result speaks until the next one, for one and a half intervals at most; a downtime begins with the first result \
     that is down and ends with the first that is up or degraded",
    "the error budget is what the objective leaves of the counted time",
];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// `2026-10`, instead of `from` and `to`.
    pub month: Option<String>,
    /// First moment.
    pub from: Option<Timestamp>,
    /// First moment after it; now when it is left out.
    pub to: Option<Timestamp>,
    /// Whose month; the server's when it is left out.
    pub timezone: Option<String>,
    /// Which monitors, as Alertmanager writes matchers; all when it is left out.
    pub filter: Option<String>,
}

/// Makes the report.
///
/// # Errors
/// What is asked for does not exist, or the store does not answer.
pub async fn report(queries: &Queries, config: Arc<Config>, ask: Ask) -> Result<SlaReport, EngineError> {
    let now = queries.now();
    let zone_name = ask.timezone.as_deref().or(config.server.time_zone.as_deref()).unwrap_or("UTC").to_owned();
    let zone = TimeZone::get(&zone_name)
        .map_err(|_| EngineError::Refused(format!("`{zone_name}` is not a time zone: write e.g. `Europe/Berlin`")))?;
    let (from, until) = times(&ask, &zone, now)?;
    let to = until.min(now);
    if from >= to {
        return Err(EngineError::Refused("the time of the report has not begun, or is empty".to_owned()));
    }
    let filter = ask.filter.as_deref().map(Matchers::parse).transpose();
    let filter = filter.map_err(|e| EngineError::Refused(format!("the filter is not understood: {e}")))?;
    let within = (from.millis(), to.millis());
    let work = move |tsdb: &Tsdb, cancel: &Cancel| {
        let mut planned = Planned::new(&config.alerting.maintenance, within, cancel);
        let mut rows = Vec::new();
        let mut samples = Vec::new();
        for monitor in config.monitors.values() {
            let labels = labels_of(monitor);
            if filter.as_ref().is_some_and(|f| !f.matches(&labels)) {
                continue;
            }
            if cancel.cancelled() {
                return Err(EvalError::Cancelled.into());
            }
            read(tsdb, cancel, monitor, within, &mut samples)?;
            let counted = count(&samples, within, cover(monitor), planned.of(&labels));
            rows.push(row(monitor, config.objectives.get(&monitor.name).map(|o| o.slo), counted));
        }
        Ok(rows)
    };
    let (monitors, _) = queries.in_turn(Kind::Read, Some(PATIENCE), work).await.map_err(failed)?;
    Ok(SlaReport {
        from,
        to,
        partial: to < until,
        at: now,
        timezone: zone_name,
        method: METHOD.map(str::to_owned).into(),
        monitors,
    })
}

fn failed(e: QueryError) -> EngineError {
    match e {
        QueryError::Store(_) => EngineError::Busy,
        other => EngineError::NotSo(other.to_string()),
    }
}

/// The first moment and the one after the last.
fn times(ask: &Ask, zone: &TimeZone, now: Timestamp) -> Result<(Timestamp, Timestamp), EngineError> {
    let refuse = |why: &str| Err(EngineError::Refused(why.to_owned()));
    let (from, to) = match (&ask.month, ask.from) {
        (Some(_), Some(_)) => return refuse("give a month or `from`, not both"),
        (Some(_), None) if ask.to.is_some() => return refuse("give a month or `to`, not both"),
        (None, None) if ask.to.is_some() => return refuse("`to` needs `from`"),
        (Some(month), None) => month_of(month, zone)
            .ok_or_else(|| EngineError::Refused(format!("`{month}` is not a month: write e.g. `2026-10`")))?,
        (None, Some(from)) => (from, ask.to.unwrap_or(now)),
        (None, None) => {
            let today = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default().to_zoned(zone.clone());
            let (year, month) = (today.year(), today.month());
            month_of(&format!("{year}-{month}"), zone).unwrap_or((now.minus(COVER), now))
        }
    };
    if to.since(from) > LONGEST {
        return refuse("the time of the report is longer than five years");
    }
    Ok((from, to))
}

/// A month by the clock of a zone: it may begin or end with a change of the clocks.
fn month_of(text: &str, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let (year, month) = text.split_once('-')?;
    let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
    let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
    let at = |date: Date| Some(Timestamp::from_millis(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()));
    Some((at(first)?, at(next)?))
}

/// When planned work was done within the time of the report. A cron expression is followed once, however many monitors
/// it is about.
struct Planned<'a> {
    windows: Vec<(&'a MaintenanceWindow, Vec<Span>)>,
    /// Of the windows with these numbers, sorted and disjoint: most monitors have the same.
    joined: HashMap<Vec<usize>, Vec<Span>>,
}

impl<'a> Planned<'a> {
    fn new(windows: &'a [MaintenanceWindow], within: Span, cancel: &Cancel) -> Self {
        let begin = Timestamp::from_millis(within.0);
        let spans = |window: &MaintenanceWindow| {
            let all = window.occurrences(begin).take(OCCURRENCES).take_while(|_| !cancel.cancelled());
            let all = all.take_while(|o| o.starts_at.millis() < within.1);
            all.map(|o| (o.starts_at.millis(), o.ends_at.millis())).collect::<Vec<_>>()
        };
        Self { windows: windows.iter().map(|w| (w, spans(w))).collect(), joined: HashMap::new() }
    }

    /// When it touched a monitor whose alert has these labels.
    fn of(&mut self, labels: &Labels) -> &[Span] {
        let covering = self.windows.iter().enumerate().filter(|(_, (w, _))| w.covers(labels));
        let covering: Vec<usize> = covering.map(|(i, _)| i).collect();
        let spans = |of: &Vec<usize>| joined(of.iter().flat_map(|i| self.windows[*i].1.iter().copied()).collect());
        self.joined.entry(covering).or_insert_with_key(spans)
    }
}

/// How long one result speaks, in milliseconds.
fn cover(monitor: &Monitor) -> i64 {
    let cover = match &monitor.schedule {
        Schedule::Every(_) => distance(monitor) * 3 / 2 + monitor.timeout,
        // The time between two slots varies.
        Schedule::Cron { .. } => distance(monitor),
    };
    i64::try_from(cover.as_millis()).unwrap_or(i64::MAX)
}

/// The states of the monitor, whatever other labels it had meanwhile.
fn read(
    tsdb: &Tsdb,
    cancel: &Cancel,
    monitor: &Monitor,
    within: Span,
    samples: &mut Vec<(i64, f64)>,
) -> Result<(), QueryError> {
    samples.clear();
    let matchers = [Matcher::equal("__name__", STATE), Matcher::equal("monitor", monitor.name.as_str())];
    let select = Select {
        matchers: &matchers,
        start: within.0.saturating_sub(cover(monitor).max(PAUSE)),
        end: within.1,
        step: 0,
        window: 0,
        want: Want::Last,
        resolution: Some(Resolution::Raw),
        max_series: 10_000,
        cancel: Some(cancel),
    };
    let set = tsdb.select(&select)?;
    let mut reader = set.reader();
    let mut column = Column::default();
    for i in 0..set.len() {
        reader.read(i, &mut column)?;
        samples.extend(column.iter());
    }
    if set.len() > 1 {
        // Where one series ends and another begins, what begins is what holds.
        samples.sort_by_key(|(t, v)| (*t, !is_stale(*v)));
        samples.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 = later.1;
            }
            same
        });
    }
    Ok(())
}

fn row(monitor: &Monitor, slo: Option<Slo>, counted: Count) -> SlaRow {
    let Count { up, degraded, down, excluded, outages, recovered, downtimes, .. } = counted;
    let whole = up + down;
    let availability = (!whole.is_zero()).then(|| up.as_secs_f64() / whole.as_secs_f64());
    let budget = slo.filter(|_| !whole.is_zero()).map(|slo| {
        let allowed = whole.as_secs_f64() * (1.0 - slo.target());
        let left = allowed - down.as_secs_f64();
        Budget { allowed: Duration::from_secs_f64(allowed), left, left_ratio: left / allowed }
    });
    SlaRow {
        monitor: monitor.name.to_string(),
        objective: slo.map(Slo::target),
        availability,
        met: slo.zip(availability).map(|(slo, found)| found >= slo.target()),
        up,
        degraded,
        down,
        excluded,
        budget,
        outages,
        mttr: u32::try_from(recovered.0).ok().filter(|n| *n > 0).map(|n| recovered.1 / n),
        downtimes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_follows_the_clock_of_its_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = month_of("2026-10", &zone).unwrap();
        assert_eq!(from, Timestamp::parse("2026-09-30T22:00:00Z").unwrap());
        assert_eq!(to, Timestamp::parse("2026-10-31T23:00:00Z").unwrap());
        assert_eq!(to.since(from), Duration::from_secs((31 * 24 + 1) * 3_600));
        for bad in ["2026", "2026-13", "2026-0", "x-1", "2026-10-01"] {
            assert_eq!(month_of(bad, &zone), None, "{bad}");
        }
    }

    #[test]
    fn a_time_is_a_month_or_has_a_beginning() {
        let (now, zone) = (Timestamp::parse("2026-11-20T12:00:00Z").unwrap(), TimeZone::UTC);
        let day = |text: &str| Some(Timestamp::parse(&format!("{text}T00:00:00Z")).unwrap());
        let month = || Some("2026-10".to_owned());
        let of = |ask: Ask| times(&ask, &zone, now).map_err(|e| e.to_string());
        let october = (day("2026-10-01").unwrap(), day("2026-11-01").unwrap());
        assert_eq!(of(Ask { month: month(), ..Ask::default() }), Ok(october));
        assert_eq!(of(Ask { from: day("2026-11-01"), ..Ask::default() }), Ok((day("2026-11-01").unwrap(), now)));
        for bad in [
            Ask { month: month(), from: day("2026-10-01"), ..Ask::default() },
            Ask { month: month(), to: day("2026-10-02"), ..Ask::default() },
            Ask { to: day("2026-10-02"), ..Ask::default() },
            Ask { from: day("2020-10-02"), ..Ask::default() },
        ] {
            assert!(of(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_window_is_followed_once_and_monitors_with_the_same_ones_share_what_is_joined() {
        use crate::alert::maintenance::{Occurrence, Schedule};
        let window = |name: &str, monitors: &[&str], hours: (i64, i64)| MaintenanceWindow {
            name: name.to_owned(),
            matchers: Matchers::default(),
            monitors: monitors.iter().map(|m| (*m).to_owned()).collect(),
            schedule: Schedule::Once(Occurrence {
                starts_at: Timestamp::from_millis(hours.0 * 3_600_000),
                ends_at: Timestamp::from_millis(hours.1 * 3_600_000),
            }),
            comment: String::new(),
            source: String::new(),
        };
        let windows = [window("all", &[], (1, 3)), window("a", &["a"], (2, 4)), window("later", &[], (200, 300))];
        let cancel = Cancel::default();
        let mut planned = Planned::new(&windows, (0, 100 * 3_600_000), &cancel);
        let of = |planned: &mut Planned<'_>, name: &str| planned.of(&Labels::new([("monitor", name)])).to_vec();
        assert_eq!(of(&mut planned, "a"), [(3_600_000, 4 * 3_600_000)]);
        for name in ["b", "c", "d"] {
            assert_eq!(of(&mut planned, name), [(3_600_000, 3 * 3_600_000)]);
        }
        assert_eq!(planned.joined.len(), 2);
    }
}
