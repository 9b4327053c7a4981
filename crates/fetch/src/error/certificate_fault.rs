//! What is wrong with a peer's certificate.
//!
//! Owns: the kinds of faults that callers can tell apart.
//! Does not own: which error of TLS is which of them (`route::tls::certificate`).

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
    /// It has no names at all, apart from its subject, which isn't one (RFC 9110, section 4.3.4).
    Nameless,
    /// It is not signed by a trusted authority.
    Untrusted,
    /// It is malformed, or not of X.509 version 3.
    Malformed,
    /// Any other fault.
    Other,
}
