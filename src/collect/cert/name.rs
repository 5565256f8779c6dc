//! Distinguished names as Go writes them, so that labels agree with blackbox_exporter's: RFC 2253, with the
//! attributes in a fixed order and unknown ones in hexadecimal at the end.

use std::fmt::Write as _;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Attributes in the order in which they are written, with their short names: the last arc of 2.5.4.
const KNOWN: [(u64, &str); 9] = [
    (5, "SERIALNUMBER"),
    (3, "CN"),
    (17, "POSTALCODE"),
    (9, "STREET"),
    (8, "ST"),
    (7, "L"),
    (11, "OU"),
    (10, "O"),
    (6, "C"),
];

/// Attributes that there may be only one of; of several the last counts.
const SINGLE: [u64; 2] = [3, 5];

/// Attributes looked at; real names have three to eight.
const MAX_ATTRIBUTES: usize = 64;

/// The name in one line. Untrusted text, not capped.
pub fn shown(name: &X509Name<'_>) -> String {
    let attributes: Vec<&AttributeTypeAndValue<'_>> = name.iter_attributes().take(MAX_ATTRIBUTES).collect();
    let mut text = String::new();
    for (arc, short) in KNOWN {
        let mut values: Vec<String> =
            attributes.iter().filter(|a| known_arc(a) == Some(arc)).map(|a| value(a)).collect();
        if SINGLE.contains(&arc) {
            values.drain(..values.len().saturating_sub(1));
        }
        for (i, value) in values.iter().enumerate() {
            let between = match (text.is_empty(), i) {
                (true, _) => "",
                (false, 0) => ",",
                (false, _) => "+",
            };
            text += between;
            text += short;
            text.push('=');
            escape(value, &mut text);
        }
    }
    for other in attributes.iter().rev().filter(|a| known_arc(a).is_none()) {
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{}=#", other.attr_type());
        hex(&reencoded(&value(other)), &mut text);
    }
    text
}

fn known_arc(attribute: &AttributeTypeAndValue<'_>) -> Option<u64> {
    let arcs: Vec<u64> = attribute.attr_type().iter()?.take(5).collect();
    match arcs.as_slice() {
        [2, 5, 4, last] if KNOWN.iter().any(|(arc, _)| arc == last) => Some(*last),
        _ => None,
    }
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    match attribute.as_str() {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(attribute.as_slice()).into_owned(),
    }
}

/// RFC 2253, section 2.4.
fn escape(value: &str, out: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (c == ' ' && (i == 0 || i == last))
            || (c == '#' && i == 0);
        if special {
            out.push('\\');
        }
        out.push(c);
    }
}

/// The value as Go writes it back: a PrintableString where its characters allow, else UTF-8.
fn reencoded(value: &str) -> Vec<u8> {
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let tag = if value.chars().all(printable) { 0x13 } else { 0x0c };
    let len = value.len();
    let mut out = vec![tag];
    match len {
        0..=0x7f => out.push(len as u8),
        _ => {
            let bytes = len.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(value.as_bytes());
    out
}

/// Lower case, two digits a byte.
pub fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[track_caller]
    fn check(attributes: &[(DnType, &str)], want: &str) {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let cert = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(cert.der()).unwrap();
        assert_eq!(shown(parsed.subject()), want);
    }

    #[test]
    fn names_are_written_as_go_writes_them() {
        check(&[], "");
        check(
            &[
                (DnType::CountryName, "DE"),
                (DnType::OrganizationName, "A, Inc."),
                (DnType::CommonName, "www.example.com"),
                (DnType::LocalityName, " Ulm "),
            ],
            r"CN=www.example.com,L=\ Ulm\ ,O=A\, Inc.,C=DE",
        );
        let mail = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
        check(&[(mail, "a@b"), (DnType::CommonName, "#1")], r"CN=\#1,1.2.840.113549.1.9.1=#0c03614062");
    }
}
