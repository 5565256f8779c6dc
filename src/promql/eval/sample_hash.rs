//! The place of a series among all, by which `limit_ratio` chooses: Prometheus' hash of its labels.
//!
//! Prometheus hashes its own encoding of a label set with XXH64, whose constants and steps are those of the
//! specification at <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.

use crate::base::labels::Labels;

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// From 0 to 1, spread evenly over label sets, and always the same for the same one.
pub(crate) fn share(labels: &Labels) -> f64 {
    let mut bytes = Vec::with_capacity(labels.as_key().len() + 16);
    for part in labels.iter().flat_map(|(k, v)| [k, v]) {
        // Prometheus' lengths: one byte, or 255 and three bytes.
        match part.len() {
            n @ 0..255 => bytes.push(n as u8),
            n => bytes.extend([255, n as u8, (n >> 8) as u8, (n >> 16) as u8]),
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh64(&bytes) as f64 / u64::MAX as f64
}

/// XXH64 with seed zero.
fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, mut tail) = bytes.as_chunks::<32>();
    let mut h = if stripes.is_empty() {
        P5
    } else {
        let mut lanes = [P1.wrapping_add(P2), P2, 0, 0_u64.wrapping_sub(P1)];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks::<8>().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let mixed = lanes.iter().zip([1, 7, 12, 18]).fold(0_u64, |h, (l, r)| h.wrapping_add(l.rotate_left(r)));
        lanes.iter().fold(mixed, |h, lane| (h ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4))
    };
    h = h.wrapping_add(bytes.len() as u64);
    while let Some((word, rest)) = tail.split_first_chunk::<8>() {
        h = (h ^ round(0, u64::from_le_bytes(*word))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        tail = rest;
    }
    if let Some((word, rest)) = tail.split_first_chunk::<4>() {
        let word = u64::from(u32::from_le_bytes(*word));
        h = (h ^ word.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        tail = rest;
    }
    for byte in tail {
        h = (h ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    h = (h ^ (h >> 33)).wrapping_mul(P2);
    h = (h ^ (h >> 29)).wrapping_mul(P3);
    h ^ (h >> 32)
}

const fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(xxh64(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(xxh64(b"a"), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(xxh64(b"abc"), 0x44BC_2CF5_AD77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xFBCE_A83C_8A37_8BF1);
    }
}
