//! A stapled OCSP response (RFC 6960): what it says of a certificate, and whether it may say so.

use x509_parser::asn1_rs::{BitString, FromDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;
use x509_parser::verify::verify_signature;
use x509_parser::x509::AlgorithmIdentifier;

use crate::base::time::Timestamp;

/// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// Single answers of one response that are looked at; responders send one.
const MAX_SINGLE: usize = 100;

/// What a response says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not revoked.
    Good,
    /// Revoked, at this second since the epoch.
    Revoked(i64),
    /// The responder does not know it.
    Unknown,
}

/// A response that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What it says.
    pub status: Status,
    /// Since when that is known to be right, in seconds since the epoch.
    pub this_update: i64,
    /// When newer information will be there.
    pub next_update: Option<i64>,
}

/// Why a response is not one that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not DER, or not what RFC 6960 says.
    #[error("it is malformed")]
    Malformed,
    /// `tryLater` and the like.
    #[error("the responder failed with status {0}")]
    Failed(u8),
    /// About another certificate.
    #[error("it is about another certificate")]
    Other,
    /// The server did not send its issuer, so that nothing can be verified.
    #[error("its signature cannot be verified: the issuer's certificate was not sent")]
    NoIssuer,
    /// Signed by nobody who may.
    #[error("its signature is not the issuer's")]
    Signature,
}

/// Reads a response about the certificate `leaf` of `issuer`, both in DER, and verifies who signed it.
///
/// # Errors
/// It does not count.
pub fn read(response: &[u8], leaf: &[u8], issuer: Option<&[u8]>, now: Timestamp) -> Result<Response, Refusal> {
    let outer = Der::one(response, 0x30).ok_or(Refusal::Malformed)?;
    let (status, rest) = Der::first(outer.body, 0x0a).ok_or(Refusal::Malformed)?;
    match status.body {
        [0] => {}
        [code] => return Err(Refusal::Failed(*code)),
        _ => return Err(Refusal::Malformed),
    }
    let basic = parse_basic(rest).ok_or(Refusal::Malformed)?;
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|_| Refusal::Malformed)?;
    let singles = parse_singles(basic.data.body).ok_or(Refusal::Malformed)?;
    let about = singles.into_iter().find(|(serial, _)| *serial == leaf.raw_serial()).ok_or(Refusal::Other)?;
    let issuer = issuer.ok_or(Refusal::NoIssuer)?;
    let (_, issuer) = x509_parser::parse_x509_certificate(issuer).map_err(|_| Refusal::NoIssuer)?;
    if leaf.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(Refusal::NoIssuer);
    }
    if !basic.signed_by(&issuer) && !basic.signed_by_delegate(&issuer, now) {
        return Err(Refusal::Signature);
    }
    Ok(about.1)
}

impl Response {
    /// Why it says nothing about now, if so.
    pub fn out_of_date(&self, now: Timestamp) -> Option<&'static str> {
        let now = now.millis().div_euclid(1000);
        match self.next_update {
            // Clocks of responders run ahead by a little; browsers allow as much.
            _ if self.this_update > now + 300 => Some("not valid yet"),
            Some(next) if next < now => Some("expired"),
            Some(_) | None => None,
        }
    }
}

/// `BasicOCSPResponse`.
struct Basic<'a> {
    data: Der<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
    /// Certificates that came along.
    certs: &'a [u8],
}

fn parse_basic(bytes: &[u8]) -> Option<Basic<'_>> {
    let tagged = Der::one(bytes, 0xa0)?;
    let (kind, rest) = Der::first(Der::one(tagged.body, 0x30)?.body, 0x06)?;
    if kind.body != BASIC {
        return None;
    }
    let basic = Der::one(Der::one(rest, 0x04)?.body, 0x30)?;
    let (data, rest) = Der::first(basic.body, 0x30)?;
    let (algorithm, rest) = Der::first(rest, 0x30)?;
    let (signature, rest) = Der::first(rest, 0x03)?;
    let certs = match Der::first(rest, 0xa0) {
        Some((tagged, _)) => Der::one(tagged.body, 0x30)?.body,
        None => &[],
    };
    Some(Basic { data, algorithm: algorithm.whole, signature: signature.whole, certs })
}

impl Basic<'_> {
    fn signed_by(&self, cert: &X509Certificate<'_>) -> bool {
        let (Ok((_, algorithm)), Ok((_, signature))) =
            (AlgorithmIdentifier::from_der(self.algorithm), BitString::from_der(self.signature))
        else {
            return false;
        };
        verify_signature(cert.public_key(), &algorithm, &signature, self.data.whole).is_ok()
    }

    /// Section 4.2.2.2: the issuer may have signed a certificate for responses, with the purpose said in it.
    fn signed_by_delegate(&self, issuer: &X509Certificate<'_>, now: Timestamp) -> bool {
        let Ok(now) = ASN1Time::from_timestamp(now.millis().div_euclid(1000)) else { return false };
        // One is the rule; a flood of them would be work for nothing.
        let mut rest = self.certs;
        for _ in 0..4 {
            let Ok((after, cert)) = x509_parser::parse_x509_certificate(rest) else { return false };
            rest = after;
            let may = matches!(cert.extended_key_usage(), Ok(Some(usage)) if usage.value.ocsp_signing);
            let ours = cert.issuer().as_raw() == issuer.subject().as_raw();
            let may = may && cert.validity().is_valid_at(now);
            if may && ours && self.signed_by(&cert) && cert.verify_signature(Some(issuer.public_key())).is_ok() {
                return true;
            }
        }
        false
    }
}

/// The answers in `ResponseData`, each with the serial number that it is about.
fn parse_singles(data: &[u8]) -> Option<Vec<(&[u8], Response)>> {
    let mut rest = data;
    // The version, when it is not the first; the responder's name or key; when it was made.
    loop {
        let (element, after) = Der::any(rest)?;
        rest = after;
        if element.tag == 0x18 {
            break;
        }
    }
    let (list, _) = Der::first(rest, 0x30)?;
    let mut singles = Vec::new();
    let mut rest = list.body;
    while !rest.is_empty() && singles.len() < MAX_SINGLE {
        let (single, after) = Der::first(rest, 0x30)?;
        rest = after;
        singles.push(parse_single(single.body)?);
    }
    Some(singles)
}

fn parse_single(single: &[u8]) -> Option<(&[u8], Response)> {
    let (id, rest) = Der::first(single, 0x30)?;
    let (_, id) = Der::first(id.body, 0x30)?;
    let (_, id) = Der::first(id, 0x04)?;
    let (_, id) = Der::first(id, 0x04)?;
    let serial = Der::one(id, 0x02)?.body;
    let (status, rest) = Der::any(rest)?;
    let status = match status.tag {
        0x80 => Status::Good,
        0xa1 => Status::Revoked(time(Der::first(status.body, 0x18)?.0.body)?),
        0x82 => Status::Unknown,
        _ => return None,
    };
    let (this, rest) = Der::first(rest, 0x18)?;
    let next_update = match Der::first(rest, 0xa0) {
        Some((tagged, _)) => Some(time(Der::one(tagged.body, 0x18)?.body)?),
        None => None,
    };
    Some((serial, Response { status, this_update: time(this.body)?, next_update }))
}

/// `20260101120000Z`.
fn time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// One element of DER: tags of one byte, lengths that are definite.
#[derive(Clone, Copy)]
struct Der<'a> {
    tag: u8,
    body: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// The first element and what follows it.
    fn any(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = input.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                (bytes.iter().fold(0, |n, b| (n << 8) | usize::from(*b)), rest)
            }
            _ => return None,
        };
        let (body, rest) = rest.split_at_checked(length)?;
        Some((Self { tag, body, whole: &input[..input.len() - rest.len()] }, rest))
    }

    /// The same, when it has this tag.
    fn first(input: &'a [u8], tag: u8) -> Option<(Self, &'a [u8])> {
        Self::any(input).filter(|(element, _)| element.tag == tag)
    }

    /// The only element, when it has this tag.
    fn one(input: &'a [u8], tag: u8) -> Option<Self> {
        Self::first(input, tag).filter(|(_, rest)| rest.is_empty()).map(|(element, _)| element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_response_does_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let key = rcgen::KeyPair::generate().unwrap();
            let leaf = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            let _ = read(&bytes, leaf.der(), None, Timestamp::EPOCH);
            let _ = parse_singles(&bytes);
        }
    }

    #[test]
    fn a_responder_that_fails_says_how() {
        assert_eq!(read(&[0x30, 3, 0x0a, 1, 3], b"", None, Timestamp::EPOCH), Err(Refusal::Failed(3)));
        assert_eq!(read(&[0x30, 3, 0x0a, 1, 0], b"", None, Timestamp::EPOCH), Err(Refusal::Malformed));
        assert_eq!(read(b"", b"", None, Timestamp::EPOCH), Err(Refusal::Malformed));
    }

    #[test]
    fn times_and_their_ends() {
        assert_eq!(time(b"20260101120000Z"), Some(1_767_268_800));
        assert_eq!(time(b"20260101"), None);
        let response = Response { status: Status::Good, this_update: 1_000, next_update: Some(2_000) };
        for (now, want) in [(699, Some("not valid yet")), (1_500, None), (2_001, Some("expired"))] {
            assert_eq!(response.out_of_date(Timestamp::from_millis(now * 1000)), want);
        }
    }
}
