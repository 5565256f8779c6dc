//! Small files that are replaced as a whole: one frame each, so that damage shows.

use std::io;
use std::path::Path;

use tracing::warn;

use crate::tsdb::frame::{self, Frames, Header, Step};
use crate::tsdb::fs::Fs;
use crate::tsdb::wal::replay::contain;

/// The only number of such a file.
const NUMBER: u64 = 1;

/// The file's bytes for a payload.
pub(crate) fn encode(magic: [u8; 8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame::header(magic, NUMBER).to_vec();
    for piece in payload.chunks(frame::LONGEST) {
        let at = frame::begin(&mut bytes);
        bytes.extend_from_slice(piece);
        frame::end(&mut bytes, at, NUMBER, 0);
    }
    bytes
}

/// The payload of a file's bytes, if it is whole.
///
/// # Errors
/// It is of a newer version.
pub(crate) fn decode(magic: [u8; 8], bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    match frame::read_header(bytes, magic) {
        Header::Good(NUMBER) => {}
        Header::Version(v) => return Err(io::Error::new(io::ErrorKind::Unsupported, format!("a file of version {v}"))),
        Header::Good(_) | Header::Bad => return Ok(None),
    }
    let mut payload = Vec::new();
    for step in Frames::new(bytes, NUMBER) {
        match step {
            Step::Record(range) => payload.extend_from_slice(&bytes[range]),
            Step::Damaged(_) | Step::Torn(_) => return Ok(None),
        }
    }
    Ok(Some(payload))
}

/// Reads a file: nothing if there is none, or if it is damaged, which keeps a copy and says so.
///
/// # Errors
/// It cannot be read, or is of a newer version.
pub(crate) fn read(fs: &dyn Fs, path: &Path, magic: [u8; 8], quarantine: &Path) -> io::Result<(Option<Vec<u8>>, bool)> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok((None, false)),
        Err(err) => return Err(err),
    };
    let payload = decode(magic, &bytes)?;
    if payload.is_none() {
        warn!(file = %path.display(), "a damaged file is not used");
        contain(fs, path, &bytes, &[Step::Damaged(0..bytes.len())], quarantine);
    }
    let damaged = payload.is_none();
    Ok((payload, damaged))
}
