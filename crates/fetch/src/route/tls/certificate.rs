//! What the errors of TLS mean.
//!
//! Owns: which of them are faults of a certificate, their texts.
//! Does not own: checking certificates (rustls does), whose certificate it is ([`crate::Error`]).

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use crate::error::certificate_fault::CertificateFault;

/// How many names of a certificate a message lists; a certificate may have thousands.
const NAMES_LISTED_MAX: usize = 3;

impl CertificateFault {
    /// The fault of the certificate, if `error` is about one.
    pub(crate) fn of(error: &rustls::Error) -> Option<Self> {
        let rustls::Error::InvalidCertificate(reason) = error else { return None };
        Some(match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                Self::Nameless
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::BadEncoding => Self::Malformed,
            CertificateError::Other(other) => match webpki_error(other) {
                Some(webpki::Error::CaUsedAsEndEntity) => Self::Untrusted,
                Some(webpki::Error::UnsupportedCertVersion) => Self::Malformed,
                Some(error) if is_malformed(error) => Self::Malformed,
                _ => Self::Other,
            },
            // The signature reveals an authority that only bears the name of a trusted one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            _ => Self::Other,
        })
    }
}

/// The text of `error` in messages.
pub(crate) fn describe(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => describe_certificate(reason),
        rustls::Error::InvalidMessage(_) => {
            "the peer doesn't speak TLS, or sent a corrupt message".to_owned()
        }
        rustls::Error::InappropriateMessage { .. } | rustls::Error::InappropriateHandshakeMessage { .. } => {
            "the peer sent an unexpected message".to_owned()
        }
        rustls::Error::PeerMisbehaved(_) => "the peer violated the protocol".to_owned(),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the peer supports neither TLS 1.2 nor TLS 1.3".to_owned(),
        rustls::Error::PeerIncompatible(_) => {
            "the peer and this client have no algorithm in common".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the peer sent the alert {:?}", words(*alert)),
        rustls::Error::NoCertificatesPresented => "the peer presented no certificate".to_owned(),
        rustls::Error::InvalidCertRevocationList(_) => "malformed revocation list".to_owned(),
        rustls::Error::InvalidEncryptedClientHello(_) => "the encrypted client hello failed".to_owned(),
        rustls::Error::InconsistentKeys(_) => "the key doesn't belong to the certificate".to_owned(),
        // The texts of the others are sentences.
        _ => error.to_string(),
    }
}

/// The name of `alert` in words, as in RFC 8446, section 6.
fn words(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::Unknown(number) => return format!("number {number}"),
        known => format!("{known:?}"),
    };
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn describe_certificate(reason: &CertificateError) -> String {
    let fixed = match reason {
        CertificateError::ExpiredContext { not_after, .. } => {
            return format!("the certificate was valid until {}", date(*not_after));
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            return format!("the certificate is valid from {}", date(*not_before));
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = names(presented);
            return format!("the certificate is not for {:?}, but for {names}", expected.to_str());
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate is not signed by a trusted authority"
        }
        CertificateError::BadEncoding => "the certificate is malformed",
        CertificateError::Expired => "the certificate has expired",
        CertificateError::NotValidYet => "the certificate is not valid yet",
        CertificateError::NotValidForName => "the certificate is for another name",
        CertificateError::Revoked => "the certificate was revoked",
        CertificateError::UnhandledCriticalExtension => "the certificate has an unknown critical extension",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => UNSUPPORTED_SIGNATURE,
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }
        | CertificateError::InvalidOcspResponse => "it isn't known whether the certificate was revoked",
        CertificateError::Other(other) => webpki_error(other).map_or(REFUSED, describe_webpki),
        _ => REFUSED,
    };
    fixed.to_owned()
}

const REFUSED: &str = "the certificate was refused";
const UNSUPPORTED_SIGNATURE: &str = "the certificate is signed with an unsupported algorithm";

/// The error of webpki that rustls has no name for.
pub(crate) fn webpki_error(other: &OtherError) -> Option<&webpki::Error> {
    other.0.downcast_ref()
}

/// The text of an error that rustls has no name for.
fn describe_webpki(error: &webpki::Error) -> &'static str {
    use webpki::Error;
    match error {
        Error::CaUsedAsEndEntity => "the certificate is an authority's, and not among the trusted ones",
        Error::UnsupportedCertVersion => "the certificate isn't of X.509 version 3",
        Error::EndEntityUsedAsCa => "the certificate is signed by one that isn't an authority's",
        Error::PathLenConstraintViolated | Error::NameConstraintViolation => {
            "the certificate is signed by an authority that isn't allowed to"
        }
        Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => "the certificate's chain is too long",
        Error::UnsupportedCriticalExtension => "the certificate has an unknown critical extension",
        Error::EmptyEkuExtension => "the certificate is not for servers",
        Error::CertDistrusted => "the certificate's authority isn't trusted any more",
        error if is_malformed(error) => "the certificate is malformed",
        _ => REFUSED,
    }
}

fn is_malformed(error: &webpki::Error) -> bool {
    use webpki::Error;
    matches!(
        error,
        Error::BadDer
            | Error::BadDerTime
            | Error::TrailingData(_)
            | Error::ExtensionValueInvalid
            | Error::InvalidCertValidity
            | Error::InvalidNetworkMaskConstraint
            | Error::InvalidSerialNumber
            | Error::MalformedDnsIdentifier
            | Error::MalformedExtensions
            | Error::MalformedNameConstraint
            | Error::SignatureAlgorithmMismatch
            | Error::UnsupportedNameType
    )
}

fn date(time: UnixTime) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    time.map_or("a date out of range".to_owned(), httpdate::fmt_http_date)
}

/// The first names of a certificate. rustls wraps each in its kind.
fn names(presented: &[String]) -> String {
    let mut names = String::new();
    for name in presented.iter().take(NAMES_LISTED_MAX) {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        let separator = if names.is_empty() { "" } else { ", " };
        let _ = write!(names, "{separator}{:?}", inner.trim_matches('"'));
    }
    match presented.len() {
        0 => "no name at all".to_owned(),
        count if count > NAMES_LISTED_MAX => format!("{names} and {} more", count - NAMES_LISTED_MAX),
        _ => names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    fn other_names(presented: &[&str]) -> String {
        describe(&rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("a.example").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        }))
    }

    #[test]
    fn names_are_listed_within_bounds_and_escaped() {
        let start = "the certificate is not for \"a.example\", but for";
        assert_eq!(other_names(&[]), format!("{start} no name at all"));
        assert_eq!(other_names(&["DnsName(\"b\")", "c"]), format!("{start} \"b\", \"c\""));
        assert_eq!(
            other_names(&["a", "b", "c", "d", "e"]),
            format!("{start} \"a\", \"b\", \"c\" and 2 more")
        );
        assert_eq!(other_names(&["x\u{1b}[31m"]), format!("{start} \"x\\u{{1b}}[31m\""));
    }

    fn of_certificate(reason: CertificateError) -> (String, CertificateFault) {
        let error = rustls::Error::InvalidCertificate(reason);
        (describe(&error), CertificateFault::of(&error).expect("a fault of the certificate"))
    }

    /// No text is the name of a variant, such as `Other(OtherError(UnsupportedCertVersion))`.
    #[track_caller]
    fn is_sentence(text: &str) {
        let starts = text.starts_with("the ") || text.starts_with("it isn't known");
        assert!(starts && !text.contains(['{', '(', '_']), "{text}");
        let has_inner_capital = text.split(' ').any(|word| {
            let known = ["TLS", "X.509"].contains(&word.trim_end_matches(','));
            !known && word.chars().skip(1).any(char::is_uppercase)
        });
        assert!(!has_inner_capital, "{text}");
    }

    #[test]
    fn faults_of_certificates_are_sentences() {
        use webpki::Error as W;
        let other = |error: W| CertificateError::Other(OtherError(std::sync::Arc::new(error)));
        for (error, fault) in [
            (other(W::CaUsedAsEndEntity), CertificateFault::Untrusted),
            (other(W::UnsupportedCertVersion), CertificateFault::Malformed),
            (other(W::MalformedExtensions), CertificateFault::Malformed),
            (other(W::InvalidSerialNumber), CertificateFault::Malformed),
            (CertificateError::BadEncoding, CertificateFault::Malformed),
            (CertificateError::Expired, CertificateFault::Expired),
            (CertificateError::NotValidYet, CertificateFault::NotYetValid),
            (CertificateError::NotValidForName, CertificateFault::OtherName),
            (other(W::EndEntityUsedAsCa), CertificateFault::Other),
            (other(W::PathLenConstraintViolated), CertificateFault::Other),
            (other(W::NameConstraintViolation), CertificateFault::Other),
            (other(W::MaximumPathDepthExceeded), CertificateFault::Other),
            (other(W::EmptyEkuExtension), CertificateFault::Other),
            (other(W::UnsupportedCrlVersion), CertificateFault::Other),
            (CertificateError::InvalidPurpose, CertificateFault::Other),
            (CertificateError::UnhandledCriticalExtension, CertificateFault::Other),
            (CertificateError::UnknownRevocationStatus, CertificateFault::Other),
            (CertificateError::ApplicationVerificationFailure, CertificateFault::Other),
        ] {
            let (text, found) = of_certificate(error);
            is_sentence(&text);
            assert_eq!(found, fault, "{text}");
        }
    }

    #[test]
    fn faults_of_the_protocol_are_sentences() {
        use rustls::{Error, InvalidMessage, PeerMisbehaved};
        for error in [
            Error::InvalidMessage(InvalidMessage::InvalidContentType),
            Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Error::AlertReceived(AlertDescription::CertificateRequired),
            Error::AlertReceived(AlertDescription::Unknown(200)),
            Error::NoCertificatesPresented,
        ] {
            is_sentence(&describe(&error));
        }
        let alert = describe(&Error::AlertReceived(AlertDescription::HandshakeFailure));
        assert_eq!(alert, "the peer sent the alert \"handshake failure\"");
    }

    #[test]
    fn other_errors_keep_their_text() {
        let error = rustls::Error::DecryptError;
        assert_eq!((describe(&error), CertificateFault::of(&error)), (error.to_string(), None));
        let revoked = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        assert_eq!(CertificateFault::of(&revoked), Some(CertificateFault::Other));
    }
}
