//! Undoes one content encoding, bounded in output and in ratio.
//!
//! A body of 2 MB can stand for 2 GiB. Nothing here produces more than the
//! monitor's `max_body`, and what looks like a bomb is named so instead of being judged.

use std::cell::Cell;
use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::collect::fault::Fault;
use crate::collect::http::exchange::Answer;

/// Deflate cannot exceed 1032:1; a document that comes near that after this much output is a bomb.
const BOMB_RATIO: usize = 1000;
/// Output below which no ratio is suspicious: a page of spaces is harmless.
const BOMB_FROM: usize = 1 << 20;
/// At the limit of output, honest text is compressed 3 to 30 times; beyond this it is not honest.
const SUSPECT_RATIO: usize = 100;

/// Replaces `answer.body` by its decoded form. Encodings that are not known here stay as they are.
///
/// # Errors
/// The body is nested, is a bomb, or is not what its header says.
pub fn decode(answer: &mut Answer, max_body: usize) -> Result<(), Fault> {
    // Answers to HEAD, 204 and 304 name the encoding of a body that they do not have.
    if !answer.is_encoded() || answer.body.is_empty() {
        return Ok(());
    }
    let encodings = answer.encodings();
    let encoding = match encodings.as_slice() {
        [] => return Ok(()),
        [one] => one.as_str(),
        several => {
            let message = format!("the body is encoded {} times ({})", several.len(), several.join(", "));
            return Err(Fault::target("decode_limit", crate::collect::judge::found(&message)));
        }
    };
    let input = answer.body.as_slice();
    let taken = Cell::new(0);
    let mut sink = Sink { output: Vec::new(), limit: max_body, taken: &taken, stop: None };
    let result = match encoding {
        "gzip" | "x-gzip" => feed(MultiGzDecoder::new(&mut sink), input, &taken).and_then(|mut d| d.try_finish()),
        // RFC 9110 means zlib; half of the servers that say `deflate` send it without zlib's head.
        "deflate" if is_zlib(input) => {
            feed(ZlibDecoder::new(&mut sink), input, &taken).and_then(|mut d| d.try_finish())
        }
        "deflate" => feed(DeflateDecoder::new(&mut sink), input, &taken).and_then(|mut d| d.try_finish()),
        "zstd" => zstd(&mut sink, input, &taken),
        _ => return Ok(()),
    };
    match (sink.stop, result) {
        (Some(Stop::Bomb), _) => {
            let (read, wrote) = (taken.get(), sink.output.len());
            let message = format!("{read} bytes of {encoding} grow to more than {wrote}; not read further");
            return Err(Fault::target("decode_limit", message));
        }
        (Some(Stop::Full), _) => answer.truncated = true,
        // What is missing was cut by our own limit.
        (None, Err(_)) if answer.truncated => {}
        (None, Err(e)) => {
            return Err(Fault::target("decode", format!("the body is not valid {encoding}: {e}")));
        }
        (None, Ok(())) => {}
    }
    answer.body = sink.output;
    Ok(())
}

/// The encoding that [`decode`] has left as it was, if any.
pub fn unknown(answer: &Answer) -> Option<String> {
    let one = answer.encodings().into_iter().next().filter(|_| !answer.body.is_empty())?;
    (!["gzip", "x-gzip", "deflate", "zstd"].contains(&one.as_str())).then_some(one)
}

/// RFC 9659 allows windows of 8 MiB, which is what a decoder may have to keep.
fn zstd(sink: &mut Sink<'_>, input: &[u8], taken: &Cell<usize>) -> io::Result<()> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(Bites { rest: input, taken })?;
    decoder.window_log_max(23)?;
    io::copy(&mut decoder, sink)?;
    Ok(())
}

/// The same small bites, for a decoder that asks for them.
struct Bites<'a> {
    rest: &'a [u8],
    taken: &'a Cell<usize>,
}

impl io::Read for Bites<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = io::Read::read(&mut io::BufRead::fill_buf(self)?, out)?;
        io::BufRead::consume(self, n);
        Ok(n)
    }
}

impl io::BufRead for Bites<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.rest[..self.rest.len().min(1024)])
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n..];
        self.taken.set(self.taken.get() + n);
    }
}

/// Feeds small bites, so that `taken` stays near what was really decoded.
fn feed<D: Write>(mut decoder: D, input: &[u8], taken: &Cell<usize>) -> io::Result<D> {
    for bite in input.chunks(1024) {
        taken.set(taken.get() + bite.len());
        decoder.write_all(bite)?;
    }
    Ok(decoder)
}

#[derive(Clone, Copy)]
enum Stop {
    Full,
    Bomb,
}

/// Takes decoded bytes up to a limit, then refuses, which stops the decoder.
struct Sink<'a> {
    output: Vec<u8>,
    limit: usize,
    taken: &'a Cell<usize>,
    stop: Option<Stop>,
}

impl Write for Sink<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let fits = data.len().min(self.limit - self.output.len());
        self.output.extend_from_slice(&data[..fits]);
        let ratio = self.output.len() / self.taken.get().max(1);
        if self.output.len() > BOMB_FROM && ratio > BOMB_RATIO {
            self.stop = Some(Stop::Bomb);
        } else if fits < data.len() {
            self.stop = Some(if ratio > SUSPECT_RATIO { Stop::Bomb } else { Stop::Full });
        }
        match self.stop {
            None => Ok(data.len()),
            Some(_) => Err(io::Error::other("the limit of the output is reached")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        e.write_all(data).unwrap();
        e.finish().unwrap()
    }

    fn answer(encoding: &'static str, body: Vec<u8>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        Answer {
            status: StatusCode::OK,
            reason: String::new(),
            http_version: http::Version::HTTP_11,
            headers,
            body,
            truncated: false,
            regex_failed: None,
        }
    }

    #[test]
    fn one_encoding_is_undone() {
        let mut a = answer("gzip", gzip(b"hello"));
        decode(&mut a, 1024).unwrap();
        assert_eq!(a.body, b"hello");
        let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        z.write_all(b"hello").unwrap();
        let mut a = answer("deflate", z.finish().unwrap());
        decode(&mut a, 1024).unwrap();
        assert_eq!(a.body, b"hello");
        let mut a = answer("zstd", zstd::encode_all(&b"hello"[..], 3).unwrap());
        decode(&mut a, 1024).unwrap();
        assert_eq!(a.body, b"hello");
        let mut d = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        d.write_all(b"hello").unwrap();
        let mut a = answer("deflate", d.finish().unwrap());
        decode(&mut a, 1024).unwrap();
        assert_eq!(a.body, b"hello");
    }

    #[test]
    fn no_body_needs_no_decoding() {
        for encoding in ["gzip", "deflate", "gzip, gzip"] {
            assert_eq!(decode(&mut answer(encoding, Vec::new()), 1024), Ok(()), "{encoding}");
        }
    }

    #[test]
    fn bombs_and_nests_are_named() {
        #[track_caller]
        fn check(encoding: &'static str, body: Vec<u8>, class: &str) {
            assert_eq!(decode(&mut answer(encoding, body), 1 << 20).err().map(|f| f.class()), Some(class));
        }
        check("gzip", gzip(&vec![0; 8 << 20]), "decode_limit");
        check("gzip, gzip", gzip(b"x"), "decode_limit");
        check("gzip", b"not gzip".to_vec(), "decode");
        check("zstd", zstd::encode_all(&vec![0; 8 << 20][..], 3).unwrap(), "decode_limit");
        check("zstd", b"not zstd".to_vec(), "decode");
        let mut cut = zstd::encode_all(&b"hello hello hello"[..], 3).unwrap();
        cut.truncate(cut.len() - 3);
        check("zstd", cut, "decode");
        let mut cut = gzip(b"hello hello hello");
        cut.truncate(cut.len() - 9);
        check("gzip", cut, "decode");
    }

    #[test]
    fn honest_text_beyond_the_limit_is_cut_not_refused() {
        let text: String = (0..200_000).map(|i| format!("{i},")).collect();
        let mut a = answer("gzip", gzip(text.as_bytes()));
        decode(&mut a, 64 * 1024).unwrap();
        assert!(a.truncated);
        assert_eq!(a.body, &text.as_bytes()[..64 * 1024]);
    }

    #[test]
    fn other_encodings_are_left_alone() {
        let mut a = answer("br", b"raw".to_vec());
        decode(&mut a, 1024).unwrap();
        assert_eq!((a.body.as_slice(), unknown(&a).as_deref()), (&b"raw"[..], Some("br")));
        assert_eq!(unknown(&answer("br", Vec::new())), None);
        assert_eq!(unknown(&answer("gzip", gzip(b"x"))), None);
    }
}
