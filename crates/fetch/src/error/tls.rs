//! The error of TLS, without the types of the library that speaks it.
//!
//! Owns: hiding them.
//! Does not own: which errors of TLS have a meaning of their own ([`crate::route::tls::certificate`]).

use std::{fmt, io};

use super::certificate_fault::CertificateFault;
use crate::route::tls::certificate;

/// Why TLS failed. Its source is the error of the TLS library, which may be another one in a later version.
#[derive(Debug)]
pub struct TlsError(pub(crate) rustls::Error);

impl TlsError {
    /// What is wrong with the peer's certificate, if that is why.
    pub(crate) fn certificate_fault(&self) -> Option<CertificateFault> {
        CertificateFault::of(&self.0)
    }

    /// Whether the peer answered with something that isn't TLS.
    pub(crate) fn is_not_tls(&self) -> bool {
        matches!(self.0, rustls::Error::InvalidMessage(_))
    }

    /// The error of TLS inside `error`, or that if there is none.
    pub(crate) fn of(error: io::Error) -> Result<Self, io::Error> {
        error.downcast::<rustls::Error>().map(Self)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&certificate::describe(&self.0))
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
