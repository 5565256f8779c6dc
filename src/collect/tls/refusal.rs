//! Why a handshake or a certificate did not stand, as classes that stay stable.

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::collect::fault::Fault;

/// The error of TLS within an error of a stream, if there is one.
pub fn tls_error(err: &std::io::Error) -> Option<&rustls::Error> {
    err.get_ref()?.downcast_ref()
}

/// The fault of a handshake that failed. `asked`: the peer wanted a client certificate; `shown`: it got one.
pub fn handshake_fault(err: &std::io::Error, name: &ServerName<'_>, asked: bool, shown: bool) -> Fault {
    let Some(tls) = tls_error(err) else {
        return match err.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Fault::target("tls_handshake", "the peer closed the connection during the TLS handshake")
            }
            _ => Fault::io("TLS handshake", err),
        };
    };
    match tls {
        rustls::Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge
            | InvalidMessage::HandshakePayloadTooLarge
            | InvalidMessage::MessageTooLarge,
        ) => Fault::target("cert_too_large", "the peer's certificates are larger than 64 KiB"),
        rustls::Error::InvalidMessage(_) => {
            Fault::target("tls_protocol", "the peer does not speak TLS on this port, or speaks it wrongly")
        }
        rustls::Error::AlertReceived(alert) => alert_fault(*alert, asked, shown),
        rustls::Error::PeerIncompatible(why) => {
            Fault::target("tls_version", format!("the peer's TLS is too old or has no common cipher: {why:?}"))
        }
        rustls::Error::NoApplicationProtocol => {
            Fault::target("tls_alpn", "the peer speaks none of the protocols offered (ALPN)")
        }
        rustls::Error::InvalidCertificate(_) => cert_fault(tls, name),
        other => Fault::target("tls_handshake", format!("TLS handshake: {other}")),
    }
}

/// The fault of an alert, which may also come when the handshake seemed done: TLS 1.3 refuses a client
/// certificate only then.
pub fn alert_fault(alert: AlertDescription, asked: bool, shown: bool) -> Fault {
    let class = match alert {
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => "tls_version",
        AlertDescription::NoApplicationProtocol => "tls_alpn",
        AlertDescription::UnrecognisedName => "tls_name",
        AlertDescription::CertificateRequired => "tls_client_cert",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        // Our proof of owning the key does not fit the certificate that the peer knows.
        | AlertDescription::DecryptError
        | AlertDescription::HandshakeFailure
            if asked =>
        {
            "tls_client_cert"
        }
        _ => "tls_handshake",
    };
    let message = match (class, shown) {
        ("tls_client_cert", false) => {
            format!("the peer asks for a client certificate, and `cert_file` is not set ({alert:?})")
        }
        ("tls_client_cert", true) => format!("the peer refused our client certificate: {alert:?}"),
        _ => format!("the peer refused the TLS handshake: {alert:?}"),
    };
    Fault::target(class, message)
}

/// The fault of an alert that came after the handshake, when `err` is one. TLS 1.3 refuses client certificates so.
pub fn late_fault(err: &std::io::Error) -> Option<Fault> {
    let alert = match tls_error(err)? {
        rustls::Error::AlertReceived(alert) => *alert,
        _ => return None,
    };
    // Whether the peer asked for a certificate, and was shown one, is not known here.
    let refused = || format!("the peer ended TLS over our client certificate, or the lack of one: {alert:?}");
    Some(match alert {
        AlertDescription::CertificateRequired => alert_fault(alert, true, false),
        _ if alert_fault(alert, true, true).class() == "tls_client_cert" => Fault::target("tls_client_cert", refused()),
        _ => Fault::target("tls_alert", format!("the peer ended TLS: {alert:?}")),
    })
}

/// The fault of a certificate that is not to be trusted.
pub fn cert_fault(err: &rustls::Error, name: &ServerName<'_>) -> Fault {
    let host = name.to_str();
    let rustls::Error::InvalidCertificate(why) = err else {
        return Fault::target("cert_invalid", format!("the certificate is not valid: {err}"));
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Fault::target("cert_expired", "the certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Fault::target("cert_not_yet_valid", "the certificate is not valid yet")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::target("cert_name", format!("the certificate is not for `{host}`"))
        }
        CertificateError::UnknownIssuer => {
            Fault::target("cert_untrusted", "the certificate's issuer is not trusted here")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Fault::target("cert_purpose", "the certificate is not for servers")
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Fault::target(
            "cert_signature",
            "the certificate's signature is of a kind that is not trusted, such as SHA-1",
        ),
        CertificateError::BadSignature => {
            Fault::target("cert_signature", "a signature of the certificate chain is wrong")
        }
        CertificateError::Revoked => Fault::target("cert_revoked", "the certificate is revoked"),
        other => Fault::target("cert_invalid", format!("the certificate is not valid: {other}")),
    }
}
