//! Exposition as Protocol Buffers: metric families, each after its length, become the samples that the same metrics
//! have as text.
//!
//! Native histograms are not stored: of one that is native alone come its count, its sum and the bucket `+Inf`, as
//! Prometheus has it while it does not scrape them.
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>

use std::borrow::Cow;

use crate::base::exposition::{LineError, Pair};
use crate::base::labels::METRIC_NAME;
use crate::base::metadata::Kind;
use crate::base::protobuf::{Reader, WireError};
use crate::collect::prometheus::cache::{Appender, Refused};
use crate::collect::prometheus::float;

/// Gives every sample to `to`.
///
/// # Errors
/// The message is not well formed, or refused.
pub fn read(body: &[u8], to: &mut Appender<'_>) -> Result<(), Refused> {
    let mut reader = Reader::new(body);
    let mut key = String::new();
    while !reader.is_empty() {
        let length = usize::try_from(reader.varint()?).map_err(|_| WireError::Truncated)?;
        let (family, after) = reader.rest().split_at_checked(length).ok_or(WireError::Truncated)?;
        reader = Reader::new(after);
        Family::read(family, to, &mut key)?;
    }
    Ok(())
}

struct Family<'a, 'k> {
    name: &'a str,
    key: &'k mut String,
}

fn text(bytes: &[u8]) -> Result<&str, Refused> {
    std::str::from_utf8(bytes).map_err(|_| WireError::WrongType.into())
}

impl<'a, 'k> Family<'a, 'k> {
    fn read(message: &'a [u8], to: &mut Appender<'_>, key: &'k mut String) -> Result<(), Refused> {
        let (mut name, mut help, mut unit, mut kind) = ("", "", "", Kind::Counter);
        let mut fields = Reader::new(message);
        while let Some((number, value)) = fields.field()? {
            match number {
                1 => name = text(value.bytes()?)?,
                2 => help = text(value.bytes()?)?,
                3 => {
                    kind = match value.varint()? {
                        0 => Kind::Counter,
                        1 => Kind::Gauge,
                        2 => Kind::Summary,
                        4 => Kind::Histogram,
                        5 => Kind::GaugeHistogram,
                        _ => Kind::Unknown,
                    }
                }
                5 => unit = text(value.bytes()?)?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err(Refused::NoName);
        }
        to.kind(kind);
        to.describe(name, |meta| {
            meta.kind = kind;
            help.clone_into(&mut meta.help);
            unit.clone_into(&mut meta.unit);
        });
        let mut family = Self { name, key };
        let mut fields = Reader::new(message);
        while let Some((number, value)) = fields.field()? {
            if number == 4 {
                family.metric(value.bytes()?, kind, to)?;
            }
        }
        Ok(())
    }

    fn metric(&mut self, message: &'a [u8], kind: Kind, to: &mut Appender<'_>) -> Result<(), Refused> {
        let mut labels: Vec<(&str, &str)> = Vec::new();
        let (mut time, mut body) = (None, None);
        let mut fields = Reader::new(message);
        while let Some((number, value)) = fields.field()? {
            match (number, kind) {
                (1, _) => labels.push(label(value.bytes()?)?),
                (6, _) => time = Some(value.varint()?.cast_signed()).filter(|t| *t != 0),
                (2, Kind::Gauge) | (3, Kind::Counter) | (5, Kind::Unknown) => body = Some(value.bytes()?),
                (4, Kind::Summary) | (7, Kind::Histogram | Kind::GaugeHistogram) => body = Some(value.bytes()?),
                _ => {}
            }
        }
        let body = body.unwrap_or_default();
        let mut one = |suffix: &str, extra: Option<(&str, String)>, value: f64| {
            self.sample(suffix, &labels, extra, value, time, to)
        };
        match kind {
            Kind::Summary => summary(body, &mut one),
            Kind::Histogram | Kind::GaugeHistogram => histogram(body, &mut one),
            _ => one("", None, simple(body)?),
        }
    }

    fn sample(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        extra: Option<(&str, String)>,
        value: f64,
        time: Option<i64>,
        to: &mut Appender<'_>,
    ) -> Result<(), Refused> {
        // There is no text to know the series by, so one is made; the bytes between cannot stand in UTF-8 names.
        let key = &mut *self.key;
        key.clear();
        for part in [self.name, suffix] {
            key.push_str(part);
        }
        let extra_pair = extra.as_ref().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in labels.iter().copied().chain(extra_pair) {
            for part in ["\u{1}", name, "\u{2}", value] {
                key.push_str(part);
            }
        }
        let mut pairs: Vec<Pair<'_>> = Vec::new();
        let done = to.sample(key, value, time, || {
            let name = Cow::Owned(format!("{}{suffix}", self.name));
            pairs.push((Cow::Borrowed(METRIC_NAME), name));
            let rest = labels.iter().copied().chain(extra_pair);
            pairs.extend(rest.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))));
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            match pairs.windows(2).find(|two| two[0].0 == two[1].0) {
                Some(twice) => Err(LineError::Twice(twice[0].0.chars().take(40).collect())),
                None => Ok(&pairs),
            }
        });
        done.map_err(|fault| fault.in_line(0))
    }
}

fn label(message: &[u8]) -> Result<(&str, &str), Refused> {
    let (mut name, mut value) = ("", "");
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.field()? {
        match number {
            1 => name = text(field.bytes()?)?,
            2 => value = text(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// `Gauge`, `Counter` and `Untyped` have their value in the same place.
fn simple(message: &[u8]) -> Result<f64, Refused> {
    let mut found = 0.0;
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        if number == 1 {
            found = value.double()?;
        }
    }
    Ok(found)
}

type Give<'g> = dyn FnMut(&str, Option<(&str, String)>, f64) -> Result<(), Refused> + 'g;

fn summary(message: &[u8], give: &mut Give<'_>) -> Result<(), Refused> {
    let (mut count, mut sum) = (0.0, 0.0);
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        match number {
            1 => count = value.varint()? as f64,
            2 => sum = value.double()?,
            _ => {}
        }
    }
    give("_count", None, count)?;
    give("_sum", None, sum)?;
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        if number == 3 {
            let (mut quantile, mut at) = (0.0, 0.0);
            let mut own = Reader::new(value.bytes()?);
            while let Some((number, value)) = own.field()? {
                match number {
                    1 => quantile = value.double()?,
                    2 => at = value.double()?,
                    _ => {}
                }
            }
            give("", Some(("quantile", float::written(quantile))), at)?;
        }
    }
    Ok(())
}

fn histogram(message: &[u8], give: &mut Give<'_>) -> Result<(), Refused> {
    let (mut count, mut float_count, mut sum) = (0.0, 0.0, 0.0);
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        match number {
            1 => count = value.varint()? as f64,
            2 => sum = value.double()?,
            4 => float_count = value.double()?,
            _ => {}
        }
    }
    let count = if float_count > 0.0 { float_count } else { count };
    give("_count", None, count)?;
    give("_sum", None, sum)?;
    let mut complete = false;
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.field()? {
        if number == 3 {
            let (mut below, mut float_below, mut bound) = (0.0, 0.0, 0.0);
            let mut own = Reader::new(value.bytes()?);
            while let Some((number, value)) = own.field()? {
                match number {
                    1 => below = value.varint()? as f64,
                    2 => bound = value.double()?,
                    4 => float_below = value.double()?,
                    _ => {}
                }
            }
            complete |= bound == f64::INFINITY;
            let below = if float_below > 0.0 { float_below } else { below };
            give("_bucket", Some(("le", float::written(bound))), below)?;
        }
    }
    if complete { Ok(()) } else { give("_bucket", Some(("le", float::written(f64::INFINITY))), count) }
}
