//! ICMP echo messages as bytes (RFC 792, RFC 4443).

/// Bytes before the payload.
pub const HEADER: usize = 8;
/// Largest payload that fits into a packet of IPv4 with its header.
pub const MAX_PAYLOAD: usize = 65_507;

const ECHO_REQUEST_4: u8 = 8;
const ECHO_REPLY_4: u8 = 0;
const ECHO_REQUEST_6: u8 = 128;
const ECHO_REPLY_6: u8 = 129;

/// An echo request. In IPv6 the kernel fills in the checksum, which covers addresses that are not known here.
pub fn request(v6: bool, ident: u16, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend([if v6 { ECHO_REQUEST_6 } else { ECHO_REQUEST_4 }, 0, 0, 0]);
    bytes.extend(ident.to_be_bytes());
    bytes.extend(seq.to_be_bytes());
    bytes.extend(payload);
    if !v6 {
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// An echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Of the sender; a datagram socket's kernel has checked it.
    pub ident: u16,
    /// The request's number.
    pub seq: u16,
    /// What was sent back.
    pub payload: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads a message without its IP header; `None` when it is no echo reply.
    pub fn read(v6: bool, bytes: &'a [u8]) -> Option<Self> {
        let (head, payload) = bytes.split_at_checked(HEADER)?;
        let kind = if v6 { ECHO_REPLY_6 } else { ECHO_REPLY_4 };
        let ident = u16::from_be_bytes([head[4], head[5]]);
        let seq = u16::from_be_bytes([head[6], head[7]]);
        (head[0] == kind && head[1] == 0).then_some(Self { ident, seq, payload })
    }
}

/// The TTL of an IPv4 header, and what follows it.
pub fn strip_ipv4(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let first = *bytes.first()?;
    let length = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || length < 20 {
        return None;
    }
    Some((bytes[..].get(8).copied()?, bytes.get(length..)?))
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    // At most 32,768 words: the sum cannot overflow.
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sums_up_and_its_reply_is_read() {
        let mut bytes = request(false, 0x1234, 7, b"abc");
        assert_eq!(checksum(&bytes), 0);
        assert_eq!(Reply::read(false, &bytes), None);
        bytes[0] = ECHO_REPLY_4;
        assert_eq!(Reply::read(false, &bytes), Some(Reply { ident: 0x1234, seq: 7, payload: b"abc" }));
        let six = request(true, 1, 2, b"");
        assert_eq!(six, [128, 0, 0, 0, 0, 1, 0, 2]);
    }

    #[test]
    fn a_header_of_ipv4_is_taken_off_and_junk_is_none() {
        let mut packet = vec![0x46; 24];
        packet[8] = 57;
        packet.push(9);
        assert_eq!(strip_ipv4(&packet), Some((57, &[9][..])));
        for junk in
            [&b""[..], b"\x45", b"\x60aaaaaaaaaaaaaaaaaaaaaaaa", b"\x41aaaaaaaaaaaaaaaaaaaaaaaa", b"\x4faaaaaaaaaaaa"]
        {
            assert_eq!(strip_ipv4(junk), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(0u8.., 0..80)) {
            let _ = (Reply::read(false, &bytes), Reply::read(true, &bytes), strip_ipv4(&bytes));
        }
    }
}
