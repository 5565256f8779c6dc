//! `info`: adds labels of info metrics (`target_info`, whose value is always 1) to the series that have the
//! same `instance` and `job`.

use std::collections::{BTreeMap, BTreeSet};

use ahash::AHashMap;

use crate::base::labels::{Labels, METRIC_NAME};
use crate::base::matcher::Matcher;
use crate::promql::ast::Type;
use crate::promql::eval::call::argument;
use crate::promql::eval::evaluator::{Evaluator, Purpose, distance, shifted, unexpected};
use crate::promql::eval::meter::Meter;
use crate::promql::eval::plan::{Call, Kind, Node, Selector, When};
use crate::promql::eval::rows::{Head, Rows, present};
use crate::promql::eval::source::{Look, Make, Samples, What};
use crate::promql::eval::stream::Stream;
use crate::promql::func::window::Grid;
use crate::promql::source::Want;
use crate::promql::value::EvalError;

/// The info metric that is meant when none is named.
const TARGET_INFO: &str = "target_info";
/// The labels by which series and their info belong together.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// What the second argument asks for.
struct Asked<'m> {
    /// Conditions on the info metric's name.
    name: Vec<&'m Matcher>,
    /// Conditions on labels, which are also the only labels that are added, unless there are none.
    data: Vec<&'m Matcher>,
}

impl Asked<'_> {
    fn names_info(&self, name: &str) -> bool {
        match &*self.name {
            [] => false,
            matchers => matchers.iter().all(|m| m.matches(name)),
        }
    }

    fn adds(&self, label: &str) -> bool {
        label != METRIC_NAME && (self.data.is_empty() || self.data.iter().any(|m| m.name() == label))
    }
}

/// Rows of info series by name of the metric and identifying labels.
type BySignature = BTreeMap<String, AHashMap<Labels, Vec<usize>>>;

impl<'a> Evaluator<'a> {
    /// The value of `info`.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub(crate) fn info(&mut self, call: &'a Call<'a>, grid: Grid) -> Result<Stream<'a>, EvalError> {
        let base = self.rows(argument(call, 0)?, grid)?;
        let target_info = Matcher::equal(METRIC_NAME, TARGET_INFO);
        let asked = match call.args.get(1).map(Node::inner) {
            None => Asked { name: vec![&target_info], data: Vec::new() },
            Some(Node { kind: Kind::Instant(selector), .. }) => {
                let (name, data) = selector.matchers.iter().partition(|m| m.name() == METRIC_NAME);
                Asked { name, data }
            }
            Some(other) => return Err(unexpected(other, Type::Vector)),
        };
        let when = first_selector(argument(call, 0)?).unwrap_or(When { at: None, offset: 0 });
        // A series that is an info metric itself is left as it is.
        let plain: Vec<bool> = base.heads().iter().map(|h| asked.names_info(h.labels.metric_name())).collect();
        let info = self.info_rows(&base, &plain, &asked, &target_info, when, grid)?;
        let mut signatures = BySignature::new();
        for (i, head) in info.heads().iter().enumerate() {
            let of_name = signatures.entry(head.labels.metric_name().to_owned()).or_default();
            of_name.entry(identity(&head.labels)).or_default().push(i);
        }
        let mut out = Rows::new(grid.count, &self.meter);
        for ((head, row), plain) in base.iter().zip(&plain) {
            if *plain {
                out.push(head.clone(), row)?;
                continue;
            }
            enrich(&self.meter, &mut out, head, row, &info, &signatures, &asked)?;
        }
        drop((base, info));
        Ok(Stream::of(out.joined()?.counted()?))
    }

    /// Info series that any of the series may need; values are the times of their samples, in seconds.
    fn info_rows(
        &mut self,
        base: &Rows,
        plain: &[bool],
        asked: &Asked<'_>,
        target_info: &Matcher,
        when: When,
        grid: Grid,
    ) -> Result<Rows, EvalError> {
        let mut matchers: Vec<Matcher> = Vec::new();
        for label in IDENTIFYING {
            let series = base.heads().iter().zip(plain).filter(|(_, plain)| !**plain);
            let values: BTreeSet<&str> = series.filter_map(|(h, _)| h.labels.get(label)).collect();
            if !values.is_empty() {
                matchers.push(Matcher::one_of(label, values));
            }
        }
        if matchers.is_empty() {
            return Ok(Rows::new(grid.count, &self.meter));
        }
        matchers.extend(asked.data.iter().chain(&asked.name).map(|m| (*m).clone()));
        if asked.name.is_empty() {
            matchers.push(target_info.clone());
        }
        // Info belongs to the time of the samples: the selector's `@` and `offset` move both.
        let at = shifted(grid, when);
        let purpose = Purpose { step: distance(at), window: 0, want: Want::Last, reach: self.lookback, least: 2 };
        let (set, back) = self.select(&matchers, at, 0, purpose)?;
        let heads = (0..set.len()).map(|i| Head { labels: set.labels(i), unnamed: false }).collect();
        let mut rows = Rows::absent(grid.count, heads, &self.meter)?;
        let make = Make { samples: Samples::Store(set), what: What::Time(Look { at, back }) };
        let mut worker = make.worker(&self.meter)?;
        for i in 0..rows.len() {
            let head = rows.heads()[i].clone();
            worker.row(i, &head, rows.row_mut(i), &mut Vec::new())?;
        }
        Ok(rows)
    }
}

/// Adds a series with the labels of its info series, which may be others at each step.
fn enrich(
    meter: &Meter,
    out: &mut Rows,
    head: &Head,
    row: &[f64],
    info: &Rows,
    signatures: &BySignature,
    asked: &Asked<'_>,
) -> Result<(), EvalError> {
    let identity = identity(&head.labels);
    let candidates: Vec<&[usize]> =
        signatures.values().filter_map(|of_name| of_name.get(&identity)).map(Vec::as_slice).collect();
    let bare_is_wanted = asked.data.iter().all(|m| m.matches(""));
    let mut places: AHashMap<Vec<usize>, usize> = AHashMap::new();
    for (k, v) in row.iter().enumerate().filter(|(_, v)| present(**v)) {
        if k % 64 == 0 {
            meter.check()?;
        }
        let mut chosen = Vec::with_capacity(candidates.len());
        for series in &candidates {
            chosen.extend(newest(info, series, k)?);
        }
        if chosen.is_empty() && !bare_is_wanted {
            continue;
        }
        let place = match places.get(&chosen) {
            Some(place) => *place,
            None => {
                let labels = with_info(&head.labels, &chosen, info, asked)?;
                out.add(Head { labels, unnamed: head.unnamed })?;
                places.insert(chosen, out.len() - 1);
                out.len() - 1
            }
        };
        out.row_mut(place)[k] = *v;
    }
    Ok(())
}

/// Of several info series with the same signature, the one with the newest sample.
fn newest(info: &Rows, series: &[usize], step: usize) -> Result<Option<usize>, EvalError> {
    let mut best: Option<usize> = None;
    for &i in series.iter().filter(|i| present(info.row(**i)[step])) {
        let Some(old) = best else {
            best = Some(i);
            continue;
        };
        let (was, is) = (info.row(old)[step], info.row(i)[step]);
        if was == is {
            let (a, b) = (&info.heads()[old].labels, &info.heads()[i].labels);
            let ms = (is * 1000.0).round();
            return Err(EvalError::Execution(format!(
                "found duplicate series for info metric: existing {a} @ {ms}, new {b} @ {ms}"
            )));
        }
        if is > was {
            best = Some(i);
        }
    }
    Ok(best)
}

fn with_info(base: &Labels, chosen: &[usize], info: &Rows, asked: &Asked<'_>) -> Result<Labels, EvalError> {
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    for &i in chosen {
        for (name, value) in info.heads()[i].labels.iter().filter(|(name, _)| asked.adds(name)) {
            if added.get(name).is_some_and(|v| *v != value) {
                return Err(EvalError::Execution(format!("conflicting label: {name}")));
            }
            // What the series says itself counts more.
            if base.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let mut labels = base.to_buf();
    added.iter().for_each(|(name, value)| labels.set(name, value));
    Ok(labels.labels())
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING.contains(&name))
}

/// The modifiers of the first selector within an expression.
fn first_selector(node: &Node<'_>) -> Option<When> {
    match &node.kind {
        Kind::Instant(Selector { when, .. }) => Some(*when),
        Kind::Range(range) => Some(range.selector.when),
        Kind::Subquery(s) => first_selector(&s.expr),
        Kind::Call(call) => call.args.iter().find_map(first_selector),
        Kind::Aggregate(a) => first_selector(&a.expr),
        Kind::Binary(b) => first_selector(&b.lhs).or_else(|| first_selector(&b.rhs)),
        Kind::Sign(_, inner) | Kind::Once(inner) => first_selector(inner),
        Kind::Number(_) | Kind::Text(_) => None,
    }
}
