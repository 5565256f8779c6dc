//! Undoes one content encoding, bounded in output and in ratio.
//!
//! A body of 2 MB can stand for 2 GiB. Nothing here produces more than the
//! monitor's `max_body`, and what looks like a bomb is named so instead of being judged.

use std::cell::Cell;
use std::io::{self, Read, Write};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::collect::fault::Fault;
use crate::collect::http::exchange::Answer;

/// Deflate cannot exceed 1032:1; a document that comes near that after this much output is a bomb.
const BOMB_RATIO: usize = 1000;
/// Output below which no ratio is suspicious: a page of spaces is harmless.
const BOMB_FROM: usize = 1 << 20;
/// At the limit of output, honest text is compressed 3 to 30 times; beyond this it is not honest.
const SUSPECT_RATIO: usize = 100;

/// The encodings that are undone, as RFC 9110, 7932 and 8878 name them.
pub const KNOWN: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

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
        "br" => brotli(&mut sink, input),
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
    (!KNOWN.contains(&one.as_str()) && one != "x-gzip").then_some(one)
}

/// The window is what a decoder keeps, up to 16 MiB, and it fills that before it gives a byte away. What lies beyond
/// the limit of the output is of no use, so a window that is larger is cut to that: it reaches back to the first byte all
/// the same, and the bytes up to the limit are what they were. But further on a reference may lead out of it, which is
/// damage to the decoder, and what it has not given away by then is lost: then the window is needed as it was.
fn brotli(sink: &mut Sink<'_>, input: &[u8]) -> io::Result<()> {
    let Some((first, rest)) = input.split_first() else { return Ok(()) };
    let enough = narrowed(*first, sink.limit);
    match brotli_by(enough, sink, rest) {
        Err(e) if enough != *first && sink.stop.is_none() && e.kind() == io::ErrorKind::InvalidData => {
            sink.output.clear();
            brotli_by(*first, sink, rest)
        }
        ended => ended,
    }
}

/// The same with `first` in place of the first byte.
fn brotli_by(first: u8, sink: &mut Sink<'_>, rest: &[u8]) -> io::Result<()> {
    let taken = sink.taken;
    taken.set(1);
    let head = [first];
    let mut decoder = Decompressor::new(head.chain(Bites { rest, taken }), 1024);
    // It is on by default, and lets a stream ask for a window of 1 GiB. The encoding `br` has none of that.
    decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
    let bad = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    io::copy(&mut decoder, sink).map_err(|e| io::Error::new(e.kind(), "it is damaged or cut off"))?;
    let more = decoder.read(&mut [0]).is_err() || decoder.get_mut().read(&mut [0])? > 0;
    if more { Err(bad("something follows its end")) } else { Ok(()) }
}

/// The first byte of a stream of Brotli, with a window that is not larger than the first `limit` bytes need (RFC 7932,
/// section 9.1: windows of 2¹⁸ to 2²⁴ bytes are a one and three bits, and the last 16 bytes are out of reach).
fn narrowed(first: u8, limit: usize) -> u8 {
    let (is_large, bits) = (first & 1 == 1, first >> 1 & 7);
    if !is_large || bits == 0 {
        return first;
    }
    let enough = (1..bits).find(|n| (1 << (17 + n)) - 16 > limit).unwrap_or(bits);
    first & 0xf0 | enough << 1 | 1
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

    /// A stream of Brotli that says `data` as it is (RFC 7932, section 9.2: meta-blocks without compression), with the
    /// window that its first byte asks for.
    fn stored(window: u8, data: &[u8]) -> Vec<u8> {
        let (mut out, mut bits, mut count) = (Vec::new(), u64::from(window & 0xf), 4);
        for block in data.chunks(1 << 16) {
            // Not the last; four nibbles of the length less one; not compressed; the rest of the byte is padding.
            bits |= ((block.len() as u64 - 1) << 3 | 1 << 19) << count;
            out.extend(&bits.to_le_bytes()[..usize::div_ceil(count + 20, 8)]);
            out.extend(block);
            (bits, count) = (0, 0);
        }
        // The last, and empty.
        bits |= 3 << count;
        out.push(bits as u8);
        out
    }

    /// 64 MiB of zeros, by the program `brotli` with its largest window.
    const BOMB: &[u8] =
        b"\xcf\xff\xff\x7f\xf8\x27\x00\xe2\xb1\x40\x20\xf7\xfe\x9f\xff\xff\xff\x04\xf0\x0c\x46\x10\x18\x0e\xef\xd3\
        \xff\xff\xff\xe1\x9f\x00\x88\xc3\x22\x00\xdd\xfb\x7f\xfe\xff\xff\xc3\x3f\x01\x10\x87\x05\x00\xba\xf7\xff\x03";

    #[test]
    fn brotli_is_undone() {
        let mut a = answer("br", b"\x0f\x02\x80hello\x03".to_vec());
        decode(&mut a, 1024).unwrap();
        assert_eq!((a.body.as_slice(), unknown(&a)), (&b"hello"[..], None));
        // Beyond any window that fits the limit: what was cut off from the window is not missed.
        let text: String = (0..200_000).map(|i| format!("{i},")).collect();
        for window in [0b0011, 0b0111, 0b1111] {
            for limit in [1, 64 << 10, (1 << 18) - 16, 1 << 20, text.len(), 16 << 20] {
                let mut a = answer("br", stored(window, text.as_bytes()));
                decode(&mut a, limit).unwrap();
                assert_eq!(a.body, &text.as_bytes()[..limit.min(text.len())], "{window:b} {limit}");
                assert_eq!(a.truncated, limit < text.len(), "{window:b} {limit}");
            }
        }
    }

    /// A stream with the largest window: `head` as it is, its last byte again and again up to `turn` bytes, and from there
    /// the first 3,000 bytes once more (RFC 7932, section 9.2: one meta-block of two copies).
    fn far_back(head: &[u8], turn: u64) -> Vec<u8> {
        let mut out = stored(0b1111, head);
        out.pop();
        let run = turn - head.len() as u64;
        // Least significant bit first.
        let fields = [
            // The last meta-block, not empty; its length less one in five nibbles.
            (0b0_1, 2),
            (1, 2),
            (run + 3000 - 1, 20),
            // One type of block of each sort, no postfix, no direct distances, one context mode, one tree of each sort.
            (0, 3 + 2 + 4 + 2 + 2),
            // Trees of one symbol: the literal 0, which does not come; 391, which inserts none and copies 2118 and more.
            (0b00_01, 4),
            (0, 8),
            (0b00_01, 4),
            (391, 10),
            // A tree of two: distances from 1, and from 196,605.
            (0b01_01, 4),
            (16, 6),
            (47, 6),
            // Each copy: its length, which distance, and what to add.
            (run - 2118, 24),
            (0, 1),
            (0, 1),
            (3000 - 2118, 24),
            (1, 1),
            (turn - 196_605, 16),
        ];
        let bits: Vec<u8> =
            fields.into_iter().flat_map(|(value, width)| (0..width).map(move |at| (value >> at & 1) as u8)).collect();
        out.extend(bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | bit)));
        out
    }

    #[test]
    fn a_reference_out_of_a_window_that_was_cut_costs_nothing_before_it() {
        let head: String = (0..1000).map(|i| format!("{i},")).collect();
        let head = head.as_bytes();
        // Behind the reach of the smallest large window, and within the bytes that it keeps.
        let turn = (1 << 18) - 9;
        let text = [head, &vec![b','; turn - head.len()], &head[..3000]].concat();
        let stream = far_back(head, turn as u64);
        for limit in [1000, 100_000, 262_000, (1 << 18) - 17, (1 << 18) - 16, text.len() - 1, text.len(), 16 << 20] {
            let mut a = answer("br", stream.clone());
            decode(&mut a, limit).unwrap();
            assert!(a.body == text[..limit.min(text.len())], "{limit}");
            assert_eq!(a.truncated, limit < text.len(), "{limit}");
        }
    }

    #[test]
    fn what_was_cut_at_any_byte_is_damaged_unless_it_was_cut_here() {
        let whole = [stored(0b1111, b"hello hello hello"), BOMB.to_vec(), b"\x0f\x02\x80hello\x03".to_vec()];
        for (stream, cut) in whole.iter().flat_map(|s| (1..s.len()).map(move |cut| (s, cut))) {
            let got = decode(&mut answer("br", stream[..cut].to_vec()), 1 << 26);
            assert!(matches!(got.as_ref().map_err(Fault::class), Err("decode" | "decode_limit")), "{cut}: {got:?}");
            let mut ours = Answer { truncated: true, ..answer("br", stream[..cut].to_vec()) };
            let got = decode(&mut ours, 1 << 26);
            assert!(got.is_ok() || got.is_err_and(|f| f.class() == "decode_limit"), "{cut}");
        }
    }

    #[test]
    fn a_window_is_no_larger_than_the_limit_asks_for() {
        #[track_caller]
        fn check(first: u8, limit: usize, want: u8) {
            assert_eq!(narrowed(first, limit), want, "{first:#b} {limit}");
        }
        // 16 bits, 17 bits, 10 bits: small as they are.
        check(0b1010_0000, 1, 0b1010_0000);
        check(0b0000_0001, 1, 0b0000_0001);
        check(0b1010_0001, 1, 0b1010_0001);
        check(0xcf, 1, 0xc3);
        check(0xcf, (1 << 18) - 17, 0xc3);
        check(0xcf, (1 << 18) - 16, 0xc5);
        check(0xcf, 1 << 20, 0xc9);
        check(0xcf, 16 << 20, 0xcf);
        check(0xc3, 16 << 20, 0xc3);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_do_harm(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            encoding in proptest::sample::select(&KNOWN[..]),
            limit in 1..100_000_usize,
        ) {
            let mut a = answer(encoding, body);
            if decode(&mut a, limit).is_ok() {
                proptest::prop_assert!(a.body.len() <= limit);
            }
        }
    }

    #[test]
    fn no_body_needs_no_decoding() {
        for encoding in ["gzip", "deflate", "br", "gzip, gzip"] {
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
        check("br", BOMB.to_vec(), "decode_limit");
        check("gzip, br", BOMB.to_vec(), "decode_limit");
        check("br", b"not br".to_vec(), "decode");
        check("br", [&stored(0b1111, b"hello"), &b"x"[..]].concat(), "decode");
        // A window of 1 GiB, which only the extension of Brotli has that is no content encoding.
        check("br", b"\x11\x1e\x02\x80hello\x03".to_vec(), "decode");
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
        let mut a = answer("compress", b"raw".to_vec());
        decode(&mut a, 1024).unwrap();
        assert_eq!((a.body.as_slice(), unknown(&a).as_deref()), (&b"raw"[..], Some("compress")));
        assert_eq!(unknown(&answer("compress", Vec::new())), None);
        assert_eq!(unknown(&answer("gzip", gzip(b"x"))), None);
    }
}
