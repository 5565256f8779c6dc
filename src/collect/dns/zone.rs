//! Records as zone files write them (RFC 1035, section 5.1), and with them `dig` and blackbox_exporter: hickory's own
//! form joins the strings of a text, decodes names from Punycode and writes what it does not know in Base64.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};
use hickory_proto::rr::rdata::{NAPTR, SOA, SVCB};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// A record as one line, its five parts between tabs.
pub fn line(record: &Record) -> String {
    let (owner, ttl, class) = (name(&record.name), record.ttl, record.dns_class);
    format!("{owner}\t{ttl}\t{class}\t{}\t{}", type_name(record.record_type()), data(&record.data))
}

/// A type's name; `TYPE65280` for one that has none (RFC 3597, section 5).
pub fn type_name(kind: RecordType) -> String {
    match kind {
        RecordType::Unknown(code) => format!("TYPE{code}"),
        known => known.to_string(),
    }
}

/// A name with a dot at its end. Labels are written as they are on the wire, so names of other alphabets in Punycode.
pub fn name(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        for &byte in label {
            match byte {
                b'.' | b'"' | b';' | b'\\' | b'(' | b')' | b'@' | b'$' => {
                    text.push('\\');
                    text.push(char::from(byte));
                }
                b'!'..=b'~' => text.push(char::from(byte)),
                other => decimal(&mut text, other),
            }
        }
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// What a record says.
pub fn data(data: &RData) -> String {
    match data {
        RData::CNAME(to) => name(to),
        RData::NS(to) => name(to),
        RData::PTR(to) => name(to),
        RData::ANAME(to) => name(to),
        RData::MX(mx) => format!("{} {}", mx.preference, name(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name(&srv.target)),
        RData::SOA(soa) => authority(soa),
        RData::NAPTR(naptr) => rewriting(naptr),
        RData::TXT(txt) => txt.txt_data.iter().map(|s| quoted(s)).collect::<Vec<_>>().join(" "),
        RData::HINFO(hinfo) => format!("{} {}", quoted(&hinfo.cpu), quoted(&hinfo.os)),
        RData::CAA(caa) => format!("{} {} {}", caa.flags(), caa.tag, quoted(&caa.value)),
        RData::SVCB(svcb) => service(svcb),
        RData::HTTPS(https) => service(&https.0),
        RData::SSHFP(f) => {
            format!("{} {} {}", u8::from(f.algorithm), u8::from(f.fingerprint_type), hex(&f.fingerprint))
        }
        RData::TLSA(t) => {
            let (usage, selector, matching) = (u8::from(t.cert_usage), u8::from(t.selector), u8::from(t.matching));
            format!("{usage} {selector} {matching} {}", hex(&t.cert_data))
        }
        RData::NULL(null) => unknown(&null.anything),
        // Any record without data.
        RData::Update0(_) => unknown(&[]),
        RData::Unknown { code, rdata } => signed(*code, &rdata.anything).unwrap_or_else(|| unknown(&rdata.anything)),
        RData::A(ip) => ip.to_string(),
        RData::AAAA(ip) => ip.to_string(),
        // The one that has no form at all, and may not be formatted.
        RData::OPT(_) => String::new(),
        other => other.to_string(),
    }
}

fn authority(soa: &SOA) -> String {
    let (server, person) = (name(&soa.mname), name(&soa.rname));
    format!("{server} {person} {} {} {} {} {}", soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum)
}

fn rewriting(n: &NAPTR) -> String {
    let (flags, services, expression) = (quoted(&n.flags), quoted(&n.services), quoted(&n.regexp));
    format!("{} {} {flags} {services} {expression} {}", n.order, n.preference, name(&n.replacement))
}

/// RFC 9460, section 2.1.
fn service(svcb: &SVCB) -> String {
    let mut text = format!("{} {}", svcb.svc_priority, name(&svcb.target_name));
    for (key, value) in &svcb.svc_params {
        let key_name = match key {
            SvcParamKey::Key(code) | SvcParamKey::Unknown(code) => format!("key{code}"),
            known => known.to_string(),
        };
        let value = match value {
            SvcParamValue::NoDefaultAlpn => None,
            SvcParamValue::Alpn(list) => Some(quoted(list.0.join(",").as_bytes())),
            SvcParamValue::Mandatory(keys) => Some(list(&keys.0)),
            SvcParamValue::Ipv4Hint(hint) => Some(list(&hint.0)),
            SvcParamValue::Ipv6Hint(hint) => Some(list(&hint.0)),
            SvcParamValue::EchConfigList(ech) => Some(STANDARD.encode(&ech.0)),
            SvcParamValue::Unknown(bytes) => Some(quoted(&bytes.0)),
            SvcParamValue::Port(port) => Some(port.to_string()),
        };
        text += &value.map_or_else(|| format!(" {key_name}"), |value| format!(" {key_name}={value}"));
    }
    text
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The records of DNSSEC that people compare (RFC 4034, sections 2.2 and 5.3); others in the form for all.
fn signed(kind: RecordType, bytes: &[u8]) -> Option<String> {
    match (kind, bytes) {
        (RecordType::DS | RecordType::CDS, [a, b, algorithm, digest, rest @ ..]) => {
            Some(format!("{} {algorithm} {digest} {}", u16::from_be_bytes([*a, *b]), hex(rest)))
        }
        (RecordType::DNSKEY | RecordType::CDNSKEY, [a, b, protocol, algorithm, rest @ ..]) => {
            Some(format!("{} {protocol} {algorithm} {}", u16::from_be_bytes([*a, *b]), STANDARD.encode(rest)))
        }
        _ => None,
    }
}

/// The form that any data can have (RFC 3597, section 5).
fn unknown(bytes: &[u8]) -> String {
    match bytes {
        [] => "\\# 0".to_owned(),
        some => format!("\\# {} {}", some.len(), hex(some)),
    }
}

/// A string between quotes (RFC 1035, section 5.1).
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b' '..=b'~' => text.push(char::from(byte)),
            other => decimal(&mut text, other),
        }
    }
    text.push('"');
    text
}

fn decimal(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\{byte:03}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{MX, NULL, TXT};

    use super::*;

    #[test]
    fn records_are_written_as_in_zone_files() {
        #[track_caller]
        fn check(data: RData, want: &str) {
            let owner = Name::from_utf8("münchen.example.").unwrap();
            let got = line(&Record::from_rdata(owner, 60, data));
            assert_eq!(got, format!("xn--mnchen-3ya.example.\t60\tIN\t{want}"));
        }
        let host = || Name::from_utf8("bücher.example.").unwrap();
        check(RData::MX(MX::new(10, host())), "MX\t10 xn--bcher-kva.example.");
        check(RData::MX(MX::new(0, Name::root())), "MX\t0 .");
        check(
            RData::TXT(TXT::from_bytes(vec![b"v=spf1 -all", b"a \"b\" \\ \xff\n", b""])),
            "TXT\t\"v=spf1 -all\" \"a \\\"b\\\" \\\\ \\255\\010\" \"\"",
        );
        let unknown = |code: u16, bytes: &[u8]| RData::Unknown {
            code: RecordType::from(code),
            rdata: NULL::with(bytes.to_vec()),
        };
        check(unknown(65_280, b"\x01\xab"), "TYPE65280\t\\# 2 01AB");
        check(RData::Update0(RecordType::from(65_280)), "TYPE65280\t\\# 0");
        check(unknown(43, &[0x30, 0x39, 8, 2, 0xab]), "DS\t12345 8 2 AB");
        check(unknown(43, &[0x30]), "DS\t\\# 1 30");
        let odd = Name::from_labels([&b"a.b c"[..], b"example"]).unwrap();
        check(RData::MX(MX::new(1, odd)), "MX\t1 a\\.b\\032c.example.");
    }
}
