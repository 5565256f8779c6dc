//! How available monitors were: from the stored states, without the time that says nothing about them.

pub(crate) mod count;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::alert::maintenance::MaintenanceWindow;
use crate::alert::matchers::Matchers;
use crate::base::matcher::Matcher;
use crate::base::sample::{Column, is_stale};
use crate::base::time::Timestamp;
use crate::config::model::{Config, Monitor, Schedule};
use crate::config::slo::Slo;
use crate::engine::alerting::preview::labels_of;
use crate::engine::handle::EngineError;
use crate::engine::query::metrics::Kind;
use crate::engine::query::{Queries, QueryError};
use crate::engine::sla::count::{Count, Span, count, joined};
use crate::engine::storage::outcome::STATE;
use crate::promql::source::{Resolution, Select, Source as _, Want};
use crate::promql::value::EvalError;
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

/// One monitor that is reported on.
struct Subject {
    monitor: Arc<Monitor>,
    slo: Option<Slo>,
    maintenance: Vec<Span>,
}

/// Makes the report.
///
/// # Errors
/// What is asked for does not exist, or the store does not answer.
pub async fn report(queries: &Queries, config: &Config, ask: Ask) -> Result<SlaReport, EngineError> {
    let now = queries.now();
    let zone_name = ask.timezone.as_deref().or(config.server.time_zone.as_deref()).unwrap_or("UTC");
    let zone = TimeZone::get(zone_name)
        .map_err(|_| EngineError::Refused(format!("`{zone_name}` is not a time zone: write e.g. `Europe/Berlin`")))?;
    let (from, until) = times(&ask, &zone, now)?;
    let to = until.min(now);
    if from >= to {
        return Err(EngineError::Refused("the time of the report has not begun, or is empty".to_owned()));
    }
    let filter = ask.filter.as_deref().map(Matchers::parse).transpose();
    let filter = filter.map_err(|e| EngineError::Refused(format!("the filter is not understood: {e}")))?;
    let within = (from.millis(), to.millis());
    let wanted = |m: &&Arc<Monitor>| filter.as_ref().is_none_or(|f| f.matches(&labels_of(m)));
    let subjects: Vec<Subject> = config
        .monitors
        .values()
        .filter(wanted)
        .map(|monitor| Subject {
            monitor: Arc::clone(monitor),
            slo: config.objectives.get(&monitor.name).map(|o| o.slo),
            maintenance: maintenance(monitor, &config.alerting.maintenance, within),
        })
        .collect();
    let work = move |tsdb: &crate::tsdb::Tsdb, cancel: &crate::promql::value::Cancel| {
        let mut rows = Vec::with_capacity(subjects.len());
        let mut samples = Vec::new();
        for subject in &subjects {
            if cancel.cancelled() {
                return Err(EvalError::Cancelled.into());
            }
            read(tsdb, cancel, &subject.monitor, within, &mut samples)?;
            let counted = count(&samples, within, cover(&subject.monitor), &subject.maintenance);
            rows.push(row(subject, counted));
        }
        Ok(rows)
    };
    let (monitors, _) = queries.in_turn(Kind::Read, Some(PATIENCE), work).await.map_err(failed)?;
    Ok(SlaReport {
        from,
        to,
        partial: to < until,
        at: now,
        timezone: zone_name.to_owned(),
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
    let (from, to) = match (&ask.month, ask.from) {
        (Some(_), Some(_)) => return Err(EngineError::Refused("give a month or `from`, not both".to_owned())),
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
        return Err(EngineError::Refused("the time of the report is longer than five years".to_owned()));
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

/// When planned work touched the monitor.
fn maintenance(monitor: &Monitor, windows: &[MaintenanceWindow], within: Span) -> Vec<Span> {
    let labels = labels_of(monitor);
    let begin = Timestamp::from_millis(within.0);
    let of = |window: &MaintenanceWindow| {
        let all = window.occurrences(begin).take(OCCURRENCES).take_while(|o| o.starts_at.millis() < within.1);
        all.map(|o| (o.starts_at.millis(), o.ends_at.millis())).collect::<Vec<_>>()
    };
    joined(windows.iter().filter(|w| w.covers(&labels)).flat_map(of).collect())
}

/// How long one result speaks, in milliseconds.
fn cover(monitor: &Monitor) -> i64 {
    let cover = match &monitor.schedule {
        Schedule::Every(interval) => *interval * 3 / 2 + monitor.timeout,
        // The time between two slots varies; a cron monitor's result speaks for an hour elsewhere, too.
        Schedule::Cron { .. } => Duration::from_secs(3_600),
    };
    i64::try_from(cover.as_millis()).unwrap_or(i64::MAX)
}

/// The states of the monitor, whatever other labels it had meanwhile.
fn read(
    tsdb: &crate::tsdb::Tsdb,
    cancel: &crate::promql::value::Cancel,
    monitor: &Monitor,
    within: Span,
    samples: &mut Vec<(i64, f64)>,
) -> Result<(), QueryError> {
    samples.clear();
    let matchers = [Matcher::equal("__name__", STATE), Matcher::equal("monitor", monitor.name.as_str())];
    let select = Select {
        matchers: &matchers,
        start: within.0.saturating_sub(cover(monitor)),
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

fn row(subject: &Subject, counted: Count) -> SlaRow {
    let Count { up, degraded, down, excluded, outages, recovered, downtimes, .. } = counted;
    let whole = up + down;
    let availability = (!whole.is_zero()).then(|| up.as_secs_f64() / whole.as_secs_f64());
    let budget = subject.slo.filter(|_| !whole.is_zero()).map(|slo| {
        let allowed = whole.as_secs_f64() * (1.0 - slo.target());
        let left = allowed - down.as_secs_f64();
        Budget { allowed: Duration::from_secs_f64(allowed), left, left_ratio: left / allowed }
    });
    SlaRow {
        monitor: subject.monitor.name.to_string(),
        objective: subject.slo.map(Slo::target),
        availability,
        met: subject.slo.zip(availability).map(|(slo, found)| found >= slo.target()),
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
}
