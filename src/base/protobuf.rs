//! Reads and writes the wire format of Protocol Buffers, as far as remote write and read use it.
//!
//! The reader borrows: nothing is copied, and a length is compared with what is left before it is used.
//! <https://protobuf.dev/programming-guides/encoding/>

/// Why a message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A value or a declared length reaches beyond the end.
    #[error("the message breaks off")]
    Truncated,
    /// A varint of more than ten bytes.
    #[error("a number of the message has no end")]
    LongVarint,
    /// Field number zero, or one that does not fit.
    #[error("a field of the message has an impossible number")]
    BadField,
    /// Groups, which nobody has used for fifteen years, and wire types that do not exist.
    #[error("a field of the message has an unknown wire type")]
    BadType,
    /// More texts that others refer to than any sender has.
    #[error("the message has more than a million symbols")]
    TooManySymbols,
    /// A field that is there in another form than its type's.
    #[error("a field of the message is not of its type")]
    WrongType,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// Integers and enums.
    Varint(u64),
    /// `double`, `fixed64`.
    Fixed64(u64),
    /// Texts, bytes, messages, packed lists.
    Bytes(&'a [u8]),
    /// `float`, `fixed32`.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// A text, a message or a packed list.
    ///
    /// # Errors
    /// It is something else.
    pub const fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Fixed64(_) | Self::Fixed32(_) => Err(WireError::WrongType),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// It is something else.
    pub const fn varint(self) -> Result<u64, WireError> {
        match self {
            Self::Varint(n) => Ok(n),
            Self::Bytes(_) | Self::Fixed64(_) | Self::Fixed32(_) => Err(WireError::WrongType),
        }
    }

    /// A `double`, with every bit of a NaN.
    ///
    /// # Errors
    /// It is something else.
    pub const fn double(self) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            Self::Bytes(_) | Self::Varint(_) | Self::Fixed32(_) => Err(WireError::WrongType),
        }
    }
}

/// Fields of a message, one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `message`.
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Whether everything was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field and its number; `None` at the end.
    ///
    /// # Errors
    /// The message is not well formed.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Field<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|n| (1..1 << 29).contains(n)).ok_or(WireError::BadField)?;
        let value = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError::BadType),
        };
        Ok(Some((number, value)))
    }

    /// A number in base 128, least significant part first.
    ///
    /// # Errors
    /// It breaks off, or never ends.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut n = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            // Bits beyond the 64th are dropped, as every other reader does.
            n |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(n);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::LongVarint })
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends a field of bytes: a text or a message.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an integer field.
pub fn put_int(out: &mut Vec<u8>, number: u32, n: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, n);
}

/// Appends a `double` field.
pub fn put_double(out: &mut Vec<u8>, number: u32, v: f64) {
    put_varint(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&v.to_bits().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut reader: Reader<'_>) -> Result<usize, WireError> {
        let mut n = 0;
        while reader.field()?.is_some() {
            n += 1;
        }
        Ok(n)
    }

    #[test]
    fn fields_come_back_as_written() {
        let mut out = Vec::new();
        put_int(&mut out, 1, 300);
        put_bytes(&mut out, 2, b"text");
        put_double(&mut out, 3, -1.5);
        put_int(&mut out, 4, u64::MAX);
        let mut r = Reader::new(&out);
        assert_eq!(r.field(), Ok(Some((1, Field::Varint(300)))));
        assert_eq!(r.field(), Ok(Some((2, Field::Bytes(b"text")))));
        assert_eq!(r.field().unwrap().unwrap().1.double(), Ok(-1.5));
        assert_eq!(r.field(), Ok(Some((4, Field::Varint(u64::MAX)))));
        assert_eq!(r.field(), Ok(None));
        for cut in 1..out.len() {
            // A prefix is either a message of fewer fields or an error, never a panic.
            let _ = all(Reader::new(&out[..cut]));
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        #[track_caller]
        fn check(bytes: &[u8], want: WireError) {
            assert_eq!(all(Reader::new(bytes)), Err(want), "{bytes:x?}");
        }
        check(&[0x80], WireError::Truncated);
        check(&[0x08], WireError::Truncated);
        check(&[0xff; 11], WireError::LongVarint);
        check(&[0x00, 0x00], WireError::BadField);
        check(&[0x0b], WireError::BadType);
        check(&[0x0f], WireError::BadType);
        check(&[0x0a, 0x05, b'a'], WireError::Truncated);
        // A length of 10^9 and of 2^64 - 1, neither of which is reserved.
        check(&[0x0a, 0x80, 0x94, 0xeb, 0xdc, 0x03], WireError::Truncated);
        check(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], WireError::Truncated);
        check(&[0x09, 1, 2, 3], WireError::Truncated);
        check(&[0x0d, 1, 2, 3], WireError::Truncated);
    }
}
