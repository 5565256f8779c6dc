//! How a column of values is written, told from its first bytes.

use std::fmt;

use crate::tsdb::chunk::Corrupt;
use crate::tsdb::chunk::bits::Cursor;
use crate::tsdb::chunk::ints::{self, Packing};
use crate::tsdb::chunk::values::Kind;

/// The encoding of a column of values: a scale, and a packing of the integers that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encoding {
    scale: Kind,
    packing: Packing,
}

impl Encoding {
    /// Of a column as [`encode_values`](crate::tsdb::chunk::encode_values) wrote it; an empty one has none.
    ///
    /// # Errors
    /// The bytes are damaged.
    pub fn of(bytes: &[u8]) -> Result<Option<Self>, Corrupt> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut from = Cursor(bytes);
        let scale = Kind::of(from.byte()?);
        if scale == Kind::Binary {
            from.take(2)?;
        }
        Ok(Some(Self { scale, packing: ints::packing(from.byte()?)? }))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scale {
            Kind::Decimal => "decimal",
            Kind::Binary => "binary",
            Kind::Bits => "bits",
            Kind::Nearly => "nearly decimal",
        })?;
        f.write_str(match self.packing {
            Packing::None => ", even",
            Packing::Blocks => ", blocks",
            Packing::Bins => ", bins",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::chunk::{Effort, encode_values};

    #[test]
    fn an_encoding_is_told_from_the_first_bytes() {
        #[track_caller]
        fn check(value: impl Fn(i32) -> f64, effort: Effort, want: &str) {
            let mut bytes = Vec::new();
            encode_values(&(0..480).map(value).collect::<Vec<f64>>(), effort, &mut bytes);
            assert_eq!(Encoding::of(&bytes).unwrap().unwrap().to_string(), want);
        }
        check(|_| 1.5, Effort::Dense, "decimal, even");
        check(|i| f64::from(i) * 17.0, Effort::Fast, "decimal, even");
        check(|i| f64::from(i) / 5.0, Effort::Fast, "decimal, even");
        check(|i| f64::from(i) / 16.0, Effort::Fast, "decimal, even");
        check(|i| f64::from(i * i % 1_009), Effort::Fast, "decimal, blocks");
        check(|i| f64::from(u8::from(i % 97 == 0)), Effort::Dense, "decimal, bins");
        check(|i| (f64::from(i) + 0.1).sin() * 1e-7, Effort::Fast, "bits, blocks");
        check(|i| f64::from(i % 7) * 2.0_f64.powi(-80), Effort::Fast, "binary, blocks");
        assert_eq!(Encoding::of(&[]), Ok(None));
        assert_eq!(Encoding::of(&[0]), Err(Corrupt));
        assert_eq!(Encoding::of(&[0, 0xff]), Err(Corrupt));
    }
}
