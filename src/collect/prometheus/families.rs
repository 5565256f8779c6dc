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
use crate::collect::prometheus::cache::{Appender, Refused, Said};
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
        for said in [Said::Kind(kind), Said::Help(help), Said::Unit(unit)] {
            to.describe(name, said);
        }
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
        let mut one = |suffix: &str, extra: Option<(&str, &str)>, value: f64| {
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
        extra: Option<(&str, &str)>,
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
        for (name, value) in labels.iter().copied().chain(extra) {
            for part in ["\u{1}", name, "\u{2}", value] {
                key.push_str(part);
            }
        }
        let mut pairs: Vec<Pair<'_>> = Vec::new();
        let done = to.sample(key, value, time, || {
            let name = Cow::Owned(format!("{}{suffix}", self.name));
            pairs.push((Cow::Borrowed(METRIC_NAME), name));
            let rest = labels.iter().copied().chain(extra);
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

type Give<'g> = dyn FnMut(&str, Option<(&str, &str)>, f64) -> Result<(), Refused> + 'g;

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
            give("", Some(("quantile", &float::written(quantile))), at)?;
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
            give("_bucket", Some(("le", &float::written(bound))), below)?;
        }
    }
    if complete { Ok(()) } else { give("_bucket", Some(("le", &float::written(f64::INFINITY))), count) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::batch::Batch;
    use crate::base::labels::Labels;
    use crate::base::protobuf::{put_bytes, put_double, put_int, put_varint};
    use crate::collect::prometheus::cache::{Cache, Intake};

    fn message(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out);
        out
    }

    fn family(name: &str, kind: u64, metrics: &[Vec<u8>]) -> Vec<u8> {
        let family = message(|m| {
            put_bytes(m, 1, name.as_bytes());
            put_bytes(m, 2, b"Helps.");
            put_int(m, 3, kind);
            metrics.iter().for_each(|metric| put_bytes(m, 4, metric));
        });
        message(|m| {
            put_varint(m, family.len() as u64);
            m.extend_from_slice(&family);
        })
    }

    fn metric(field: u32, value: &[u8]) -> Vec<u8> {
        message(|m| {
            put_bytes(
                m,
                1,
                &message(|l| {
                    put_bytes(l, 1, b"x");
                    put_bytes(l, 2, b"y");
                }),
            );
            put_bytes(m, field, value);
        })
    }

    fn stored(body: &[u8]) -> Result<Vec<String>, Refused> {
        let mut cache = Cache::new(Labels::default());
        let mut batch = Batch::default();
        let intake = Intake { honor_timestamps: true, ..Intake::default() };
        cache.scraped(&intake, 1_000, &mut batch, |to| read(body, to)).1?;
        let text = |(key, samples): (&str, &[(i64, f64)])| format!("{} {:?}", Labels::from_key(key), samples[0]);
        Ok(batch.iter().map(text).collect())
    }

    #[test]
    fn every_type_gives_the_samples_it_has_as_text() {
        let simple = |v: f64| message(|m| put_double(m, 1, v));
        let mut timed = metric(2, &simple(2.0));
        put_int(&mut timed, 6, 77);
        let quantile = message(|m| {
            put_double(m, 1, 0.5);
            put_double(m, 2, 3.0);
        });
        let summary = message(|m| {
            put_int(m, 1, 4);
            put_double(m, 2, 5.0);
            put_bytes(m, 3, &quantile);
        });
        let bucket = |n: u64, bound: f64| {
            message(|m| {
                put_int(m, 1, n);
                put_double(m, 2, bound);
            })
        };
        let histogram = message(|m| {
            put_int(m, 1, 6);
            put_double(m, 2, 7.0);
            put_bytes(m, 3, &bucket(2, 1.0));
        });
        let native = message(|m| {
            put_int(m, 1, 8);
            put_double(m, 2, 9.0);
            put_int(m, 5, 6);
        });
        let body = [
            family("c_total", 0, &[metric(3, &simple(1.0))]),
            family("g", 1, &[timed]),
            family("s", 2, &[metric(4, &summary)]),
            family("u", 3, &[metric(5, &simple(-1.0))]),
            family("h", 4, &[metric(7, &histogram)]),
            family("n", 4, &[metric(7, &native)]),
        ]
        .concat();
        let want = [
            r#"{__name__="c_total", x="y"} (1000, 1.0)"#,
            r#"{__name__="g", x="y"} (77, 2.0)"#,
            r#"{__name__="s_count", x="y"} (1000, 4.0)"#,
            r#"{__name__="s_sum", x="y"} (1000, 5.0)"#,
            r#"{__name__="s", quantile="0.5", x="y"} (1000, 3.0)"#,
            r#"{__name__="u", x="y"} (1000, -1.0)"#,
            r#"{__name__="h_count", x="y"} (1000, 6.0)"#,
            r#"{__name__="h_sum", x="y"} (1000, 7.0)"#,
            r#"{__name__="h_bucket", le="1.0", x="y"} (1000, 2.0)"#,
            r#"{__name__="h_bucket", le="+Inf", x="y"} (1000, 6.0)"#,
            r#"{__name__="n_count", x="y"} (1000, 8.0)"#,
            r#"{__name__="n_sum", x="y"} (1000, 9.0)"#,
            r#"{__name__="n_bucket", le="+Inf", x="y"} (1000, 8.0)"#,
        ];
        assert_eq!(stored(&body).unwrap(), want);
        // A body that breaks off stores nothing, and harms nobody.
        for cut in 1..body.len() {
            if let Ok(part) = stored(&body[..cut]) {
                assert_eq!(part, want[..part.len()], "cut at {cut}, between two families");
            }
        }
    }
}
