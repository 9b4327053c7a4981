//! What is wrong with a peer's certificate.
//!
//! Owns: the kinds of faults that callers can tell apart, the texts of TLS errors.
//! Does not own: checking certificates (rustls does), whose certificate it is ([`crate::Error`]).

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

/// How many names of a certificate a message lists; a certificate may have thousands.
const NAMES_LISTED_MAX: usize = 3;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is for other names or addresses.
    OtherName,
    /// It is not signed by a trusted authority.
    Untrusted,
    /// Any other fault.
    Other,
}

impl CertificateFault {
    /// The fault of the certificate, if `error` is about one.
    pub(crate) fn of(error: &rustls::Error) -> Option<Self> {
        let rustls::Error::InvalidCertificate(reason) = error else { return None };
        Some(match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            // The signature reveals an authority that only bears the name of a trusted one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            _ => Self::Other,
        })
    }
}

/// The text of `error` in messages.
pub(crate) fn describe(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(reason) = error else { return error.to_string() };
    match reason {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate was valid until {}", date(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is valid from {}", date(*not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("the certificate is not for {:?}, but for {}", expected.to_str(), names(presented))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate is not signed by a trusted authority".to_owned()
        }
        _ => error.to_string(),
    }
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

    #[test]
    fn other_errors_keep_their_text() {
        let error = rustls::Error::DecryptError;
        assert_eq!((describe(&error), CertificateFault::of(&error)), (error.to_string(), None));
        let revoked = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        assert_eq!(CertificateFault::of(&revoked), Some(CertificateFault::Other));
    }
}
