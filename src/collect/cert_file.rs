//! `type: cert-file`: certificates in files: when the first of them expires, for which names, with which key.
//!
//! PEM and DER, single certificates, chains and bundles, and PKCS#7. Keystores that are encrypted
//! (PKCS#12, JKS) are named as such, not read. Private keys are compared and forgotten; no part of one is
//! in an outcome.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_parser::pem::Pem;

use crate::base::BoxFuture;
use crate::base::outcome::{Evidence, Outcome, Sample, Verdict};
use crate::base::probe::{Collector, ProbeCx};
use crate::base::time::Timestamp;
use crate::base::units::Exact;
use crate::collect::fault::Fault;
use crate::collect::files::{self, Given, Looks, Pattern, path_fault};
use crate::collect::judge::{Judge, found, unjudged};
use crate::collect::kind::{Flag, Form, Kind, Operand};
use crate::collect::mask::Mask;
use crate::collect::metric::Metric;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// A file larger than this holds no certificates; the system's own bundle has a quarter of a MiB.
const MAX_FILE: u64 = 4 << 20;
/// Certificates of one file that are looked at.
const MAX_CERTS: usize = 1_000;
/// Files that have a series of their own, and a line of evidence.
const MAX_SHOWN: usize = 100;

/// A checked `cert-file` monitor.
#[derive(Debug)]
struct CertFile {
    pattern: Pattern,
    shown: String,
    key: Option<PathBuf>,
    expect: Expect,
    looks: Looks,
    mask: Mask,
}

#[derive(Clone, Debug, Default)]
struct Expect {
    valid_for: Option<(Duration, String)>,
    names: Vec<(ServerName<'static>, String)>,
    chain: Option<&'static str>,
}

/// The kind.
pub const KIND: Kind = Kind {
    name: "cert-file",
    about: "Certificates in files: expiry, names, key.",
    operand: Some(Operand::One { path: "path", name: "PATH", help: "Absolute path; `*` and `?` make it a pattern." }),
    flags: &[&[
        Flag::new("valid-for", "expect.valid_for", Form::One("DURATION"), "Every certificate must be valid that long."),
        Flag::new("name", "expect.names", Form::Many("NAME"), "Name that the first certificate must be for."),
        Flag::new("chain", "expect.chain", Form::Switch("true"), "Each certificate must be issued by the next one."),
        Flag::new("key", "key", Form::Path("FILE"), "Private key that the first certificate must belong to."),
    ]],
    metrics: &[&[
        Metric::gauge(
            "probe_ssl_earliest_cert_expiry",
            "When the first of a target's certificates expires, since 1970",
        ),
        Metric::gauge("probe_cert_file_certificates", "Certificates that were found"),
        Metric::gauge("probe_cert_file_not_after_timestamp_seconds", "When a certificate expires, since 1970"),
    ]],
    read,
};

/// Reads the options.
pub fn read(fields: &mut Fields<'_>) -> Option<Probe> {
    let errors = fields.cx().error_count();
    let pattern = Pattern::read(fields, "path", "write e.g. `path: /etc/ssl/example.com/fullchain.pem`");
    let key = fields.text("key");
    if let Some(key) = &key {
        files::absolute(fields, "key", key);
    }
    let mut expect = Expect::default();
    if let Some(mut own) = fields.nested_of("expect", "valid_for") {
        let limits = Duration::from_secs(1)..=Duration::from_secs(10 * 365 * 86_400);
        let name = |d: Duration| format!("certificates valid for {}", Exact(d));
        expect.valid_for = own.duration("valid_for", limits).map(|d| (d, name(d)));
        for text in own.texts("names") {
            match ServerName::try_from(text.value().to_owned()) {
                Ok(wanted) => expect.names.push((wanted, format!("certificate is for `{}`", found(text.shown())))),
                Err(_) => {
                    let message = format!("`{}` is neither a host name nor an address", text.shown());
                    own.error(text.span, Code::BadValue, message, "write a name such as `www.example.com`");
                }
            }
        }
        let chain = "each certificate is issued by the next one";
        expect.chain = own.bool("chain").filter(|wanted| *wanted).map(|_| chain);
        own.finish();
    }
    let (pattern, text) = pattern?;
    if let Some(key) = key.as_ref().filter(|_| pattern.is_pattern()) {
        let message = "one `key` cannot belong to the certificates of several files";
        fields.error(key.span, Code::Conflict, message, "name one file in `path`");
    }
    let mut mask = Mask::default();
    mask.add_text(&text);
    if fields.cx().error_count() > errors {
        return None;
    }
    let shown = text.shown().to_owned();
    let key = key.map(|k| PathBuf::from(k.value()));
    let probe = CertFile { pattern, shown: shown.clone(), key, expect, looks: Looks::default(), mask };
    Some(Probe::new("cert-file", shown, probe))
}

/// What one file holds.
#[derive(Debug)]
struct Sheet {
    path: PathBuf,
    certs: Vec<CertificateDer<'static>>,
}

/// One certificate, as far as it is judged.
#[derive(Debug)]
struct Facts {
    path: PathBuf,
    subject: String,
    not_before: i64,
    not_after: i64,
}

/// What a look found.
#[derive(Debug)]
struct Found {
    files: usize,
    facts: Vec<Facts>,
    /// For each wanted name, the files whose first certificate is not for it.
    unnamed: Vec<Vec<PathBuf>>,
    /// Where a chain breaks.
    broken: Option<String>,
    /// Whether the key belongs to the certificate; else why not.
    key: Option<Result<(), String>>,
}

impl Collector for CertFile {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        let (pattern, key, expect) = (self.pattern.clone(), self.key.clone(), self.expect.clone());
        let look = move |given: &Given| look(&pattern, key.as_deref(), &expect, given);
        let judge = |found: Result<Found, Fault>| match found {
            Ok(found) => self.judge(&found, cx.now),
            Err(fault) => Outcome { checks: unjudged(self.names()), ..fault.outcome() },
        };
        Box::pin(files::probe(cx, &self.looks, (&self.shown, &self.mask), look, judge))
    }
}

const KEY_CHECK: &str = "key belongs to the certificate";

impl CertFile {
    fn names(&self) -> impl Iterator<Item = &str> {
        let valid = self.expect.valid_for.iter().map(|(_, n)| n.as_str());
        let names = self.expect.names.iter().map(|(_, n)| n.as_str());
        valid.chain(names).chain(self.expect.chain).chain(self.key.iter().map(|_| KEY_CHECK))
    }

    fn judge(&self, found: &Found, now: Timestamp) -> Outcome {
        let mut judge = Judge::default();
        let now = now.millis().div_euclid(1000);
        let first = found.facts.iter().min_by_key(|f| f.not_after);
        let in_days = |f: &Facts| {
            let days = (f.not_after - now).div_euclid(86_400);
            match f.not_after <= now {
                true => format!("{}: {} has expired", f.path.display(), f.subject),
                false => format!("{}: {} expires in {days} days", f.path.display(), f.subject),
            }
        };
        match first {
            Some(first) if first.not_after <= now => judge.fail("cert_expired", in_days(first)),
            Some(_) | None => {}
        }
        if let Some(early) = found.facts.iter().find(|f| f.not_before > now) {
            let message = format!("{}: {} is not valid yet", early.path.display(), early.subject);
            judge.fail("cert_not_yet_valid", message);
        }
        if let (Some((limit, name)), Some(first)) = (&self.expect.valid_for, first) {
            let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
            judge.hold("cert", name, first.not_after.saturating_sub(now) >= limit, in_days(first));
        }
        for ((_, name), missing) in self.expect.names.iter().zip(&found.unnamed) {
            let seen = missing.first().map_or_else(String::new, |path| format!("not in {}", path.display()));
            judge.hold("cert_name", name, missing.is_empty(), seen);
        }
        if let Some(name) = self.expect.chain {
            judge.hold("chain", name, found.broken.is_none(), found.broken.clone().unwrap_or_default());
        }
        if let Some(key) = &found.key {
            let seen = key.as_ref().err().cloned().unwrap_or_default();
            judge.hold("key", KEY_CHECK, key.is_ok(), seen);
        }
        let certs = found.facts.len();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let mut summary = format!("{certs} certificate{}", plural(certs));
        if self.pattern.is_pattern() {
            summary += &format!(" in {} file{}", found.files, plural(found.files));
        }
        if let Some(first) = first {
            summary += &format!(", the first expires in {} days", (first.not_after - now).div_euclid(86_400));
        }
        let mut outcome = judge.outcome(summary);
        if let Some(first) = first {
            outcome.samples.push(Sample::new("probe_ssl_earliest_cert_expiry", first.not_after as f64));
        }
        outcome.samples.push(Sample::new("probe_cert_file_certificates", certs as f64));
        for (path, at) in per_file(&found.facts) {
            let sample = Sample::new("probe_cert_file_not_after_timestamp_seconds", at as f64);
            outcome.samples.push(sample.label("path", path.display().to_string()));
        }
        if outcome.verdict != Verdict::Up {
            let lines: Vec<String> = found.facts.iter().take(MAX_SHOWN).map(in_days).collect();
            outcome.evidence = Some(Evidence { items: vec![("certificates".into(), lines.join("\n"))] });
        }
        outcome
    }
}

/// The first expiry of each file; facts of one file stand together.
fn per_file(facts: &[Facts]) -> impl Iterator<Item = (&Path, i64)> {
    let files = facts.chunk_by(|a, b| a.path == b.path);
    files.filter_map(|f| Some((f.first()?.path.as_path(), f.iter().map(|c| c.not_after).min()?))).take(MAX_SHOWN)
}

/// Reads the files; runs on a thread of its own.
fn look(pattern: &Pattern, key: Option<&Path>, expect: &Expect, given: &Given) -> Result<Found, Fault> {
    let (paths, whole) = pattern.expand(given).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Fault::target("absent", "the pattern's directory does not exist"),
        _ => Fault::io("reading the directory", &e),
    })?;
    if !whole || paths.len() > files::MAX_FILES {
        return Err(Fault::target("too_many_files", "the pattern names too many files"));
    }
    let mut found =
        Found { files: 0, facts: Vec::new(), unnamed: vec![Vec::new(); expect.names.len()], broken: None, key: None };
    for path in paths {
        if given.up() {
            return Err(Fault::timeout("the look was given up"));
        }
        let sheet = match read_sheet(&path) {
            Ok(sheet) => sheet,
            // Gone since the directory was read.
            Err(fault) if pattern.is_pattern() && fault.class() == "absent" => continue,
            Err(fault) => return Err(fault),
        };
        found.files += 1;
        take(&sheet, expect, &mut found)?;
        if let Some(key) = key {
            found.key = Some(belongs(key, &sheet.certs)?);
        }
    }
    match found.files {
        0 => Err(Fault::target("absent", "no file matches")),
        _ => Ok(found),
    }
}

/// Takes what one file says into `found`.
fn take(sheet: &Sheet, expect: &Expect, found: &mut Found) -> Result<(), Fault> {
    let unreadable = |why: &str| {
        let message = format!("`{}`: a certificate is not readable: {why}", sheet.path.display());
        Fault::target("cert_invalid", message)
    };
    let mut issuer: Option<Vec<u8>> = None;
    for der in &sheet.certs {
        let (_, cert) = x509_parser::parse_x509_certificate(der).map_err(|e| unreadable(&e.to_string()))?;
        let subject = crate::collect::judge::found(&cert.subject().to_string());
        if let Some(issuer) = &issuer
            && issuer != cert.subject().as_raw()
            && found.broken.is_none()
        {
            found.broken = Some(format!("{}: {subject} did not issue the one before it", sheet.path.display()));
        }
        issuer = Some(cert.issuer().as_raw().to_vec());
        found.facts.push(Facts {
            path: sheet.path.clone(),
            subject,
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
        });
    }
    let Some(first) = sheet.certs.first() else { return Ok(()) };
    for ((name, _), missing) in expect.names.iter().zip(&mut found.unnamed) {
        let parsed = ParsedCertificate::try_from(first);
        if parsed.and_then(|cert| verify_server_name(&cert, name)).is_err() {
            missing.push(sheet.path.clone());
        }
    }
    Ok(())
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Fault> {
    files::read(path, MAX_FILE).map_err(|e| match e.kind() {
        std::io::ErrorKind::FileTooLarge => {
            Fault::target("cert_invalid", format!("`{}` has more than 4 MiB", path.display()))
        }
        _ => path_fault("reading", path, &e),
    })
}

fn read_sheet(path: &Path) -> Result<Sheet, Fault> {
    let bytes = read_bounded(path)?;
    let certs = certificates(&bytes);
    if certs.is_empty() {
        let why = match bytes.as_slice() {
            [0xfe, 0xed, 0xfe, 0xed, ..] => "a Java keystore, which is not read",
            // PFX: a sequence that begins with version 3 (RFC 7292, section 4).
            [0x30, ..] if bytes.windows(3).take(8).any(|w| w == [2, 1, 3]) => {
                "a PKCS#12 keystore, which is encrypted and not read"
            }
            _ => "no certificate in it",
        };
        return Err(Fault::target("cert_invalid", format!("`{}`: {why}", path.display())));
    }
    Ok(Sheet { path: path.to_owned(), certs })
}

/// The certificates of a file, whatever its form. A file with a broken one has none: half a chain must
/// not pass for a whole.
fn certificates(bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let own = |der: &[u8]| CertificateDer::from(der.to_vec());
    let is_pem = bytes.windows(11).any(|w| w == b"-----BEGIN ");
    if !is_pem {
        return match x509_parser::parse_x509_certificate(bytes) {
            Ok((rest, _)) => vec![own(&bytes[..bytes.len() - rest.len()])],
            Err(_) => pkcs7(bytes).unwrap_or_default().into_iter().map(own).collect(),
        };
    }
    let mut certs = Vec::new();
    for pem in Pem::iter_from_buffer(bytes) {
        let Ok(pem) = pem else { return Vec::new() };
        match pem.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => certs.push(own(&pem.contents)),
            // What openssl trusts it for stands behind the certificate.
            "TRUSTED CERTIFICATE" => match element(&pem.contents, 0x30) {
                Some((whole, _, _)) => certs.push(own(whole)),
                None => return Vec::new(),
            },
            "PKCS7" | "CMS" => certs.extend(pkcs7(&pem.contents).unwrap_or_default().into_iter().map(own)),
            _ => {}
        }
        if certs.len() >= MAX_CERTS {
            break;
        }
    }
    certs
}

/// The certificates of PKCS#7's signed data (RFC 2315, section 9.1): version, digests and content stand
/// before them.
fn pkcs7(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    let (_, outer, _) = element(bytes, 0x30)?;
    let (_, oid, rest) = element(outer, 0x06)?;
    if oid != SIGNED_DATA {
        return None;
    }
    let (_, content, _) = element(rest, 0xa0)?;
    let (_, signed, _) = element(content, 0x30)?;
    let (_, _, rest) = element(signed, 0x02)?;
    let (_, _, rest) = element(rest, 0x31)?;
    let (_, _, rest) = element(rest, 0x30)?;
    let (_, mut list, _) = element(rest, 0xa0)?;
    let mut certs = Vec::new();
    while !list.is_empty() && certs.len() < MAX_CERTS {
        let (whole, _, rest) = element(list, 0x30)?;
        certs.push(whole);
        list = rest;
    }
    Some(certs)
}

/// One DER element with this tag: whole, its content, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8], &[u8])> {
    let (&[seen, first], rest) = bytes.split_first_chunk::<2>()?;
    if seen != tag {
        return None;
    }
    let (length, body) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, body) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), body)
        }
        _ => return None,
    };
    let (content, after) = body.split_at_checked(length)?;
    Some((&bytes[..bytes.len() - after.len()], content, after))
}

/// Whether the key in a file is that of the first certificate.
fn belongs(path: &Path, certs: &[CertificateDer<'static>]) -> Result<Result<(), String>, Fault> {
    let bytes = read_bounded(path)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).or_else(|_| PrivateKeyDer::try_from(bytes.clone()).map_err(|_| ()));
    let Ok(key) = key else {
        return Ok(Err(format!("`{}` holds no private key that is not encrypted", path.display())));
    };
    let Ok(key) = any_supported_type(&key) else {
        // Curves that are not spoken here, P-521 above all: openssl writes the public half into the key's file.
        let public = certs.first().and_then(|der| x509_parser::parse_x509_certificate(der).ok());
        let holds = public.map(|(_, cert)| {
            let public = &cert.public_key().subject_public_key.data;
            !public.is_empty() && key.secret_der().windows(public.len()).any(|w| w == public.as_ref())
        });
        return Ok(match holds {
            Some(true) => Ok(()),
            Some(false) | None => Err(format!("`{}` holds a key that does not show whose it is", path.display())),
        });
    };
    let pair = CertifiedKey::new(certs.to_vec(), key);
    Ok(pair.keys_match().map_err(|_| format!("`{}` is the key of another certificate", path.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;
    use crate::collect::kinds::testing::{outcome, problems};

    /// A chain of two for `a.example`, and the key of its first.
    fn chain(until: i32) -> (Vec<CertificateDer<'static>>, String, String) {
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "authority");
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let cert = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        let pem = format!("{}{}", cert.pem(), ca_cert.pem());
        (vec![cert.der().clone(), ca_cert.der().clone()], pem, key.serialize_pem())
    }

    async fn class(text: &str) -> String {
        let got = outcome("cert-file", text).await;
        got.reason.map_or_else(String::new, |r| r.class.into_owned())
    }

    #[tokio::test]
    async fn certificates_are_judged_in_every_form() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let (ders, pem, key) = chain(2999);
        let (_, old, other) = chain(2021);
        let (first, second) = pem.split_at(pem.rfind("-----BEGIN").unwrap());
        let swapped = format!("{second}{first}");
        for (name, text) in [("good.pem", &pem), ("old.pem", &old), ("key.pem", &key), ("other.pem", &other)] {
            fs::write(path(name), text).unwrap();
        }
        fs::write(path("swapped.pem"), swapped).unwrap();
        fs::write(path("good.der"), &ders[0]).unwrap();
        fs::write(path("cut.pem"), &pem[..pem.len() - 60]).unwrap();
        fs::write(path("store.p12"), [0x30, 0x82, 0x09, 0xf4, 0x02, 0x01, 0x03, 0x30]).unwrap();
        for (file, more, want) in [
            ("good.pem", String::new(), ""),
            ("good.der", ", expect: {names: [a.example]}".to_owned(), ""),
            ("good.pem", ", expect: {valid_for: 30d, chain: true}".to_owned(), ""),
            ("good.pem", ", expect: {names: [a.example, b.example]}".to_owned(), "cert_name"),
            ("good.pem", format!(", key: {}", path("key.pem")), ""),
            ("good.pem", format!(", key: {}", path("other.pem")), "key"),
            ("good.pem", format!(", key: {}", path("good.pem")), "key"),
            ("swapped.pem", ", expect: {chain: true}".to_owned(), "chain"),
            ("old.pem", String::new(), "cert_expired"),
            ("cut.pem", String::new(), "cert_invalid"),
            ("key.pem", String::new(), "cert_invalid"),
            ("store.p12", String::new(), "cert_invalid"),
            ("none.pem", String::new(), "absent"),
            ("g*.*", String::new(), ""),
            ("o*.pem", String::new(), "cert_invalid"),
        ] {
            let text = format!("{{path: '{}'{more}}}", path(file));
            assert_eq!(class(&text).await, want, "{text}: {:?}", outcome("cert-file", &text).await);
        }
        let got = outcome("cert-file", &format!("{{path: '{}', key: {}}}", path("good.pem"), path("key.pem"))).await;
        assert!(got.samples.iter().any(|s| s.name == "probe_ssl_earliest_cert_expiry"));
        assert!(!format!("{got:?}").contains("PRIVATE"));
    }

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    }

    #[test]
    fn pkcs7_holds_certificates() {
        let (ders, _, _) = chain(2999);
        let list = der(0xa0, &[&ders[0], &ders[1]]);
        let signed = der(0x30, &[&[2, 1, 1], &[0x31, 0], &[0x30, 0], &list]);
        let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
        let whole = der(0x30, &[&oid, &der(0xa0, &[&signed])]);
        assert_eq!(certificates(&whole), ders);
        for cut in 0..whole.len() {
            assert!(certificates(&whole[..cut]).len() < 2);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_file_breaks_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = certificates(&bytes);
            let _ = certificates(&[b"-----BEGIN CERTIFICATE-----\n".as_slice(), &bytes].concat());
        }
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        assert!(problems("cert-file", "{path: x.pem}")[0].contains("not an absolute path"));
        assert!(problems("cert-file", "{path: '/x/*', key: /k}")[0].contains("several files"));
        assert!(problems("cert-file", "{path: /x, expect: {names: ['a b']}}")[0].contains("neither a host name"));
    }
}
