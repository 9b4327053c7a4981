//! The error of TLS in a build without the feature `tls`: there is none.
//!
//! Owns: what stands in for the type of a build with it.
//! Does not own: refusing what needs TLS ([`crate::Error::NotBuilt`]).

use std::convert::Infallible;
use std::{fmt, io};

use super::certificate_fault::CertificateFault;

/// Why TLS failed. In a build without the feature `tls`, there is no such error.
#[derive(Debug)]
pub struct TlsError(Infallible);

impl TlsError {
    pub(crate) fn certificate_fault(&self) -> Option<CertificateFault> {
        match self.0 {}
    }

    pub(crate) fn is_not_tls(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn of(error: io::Error) -> Result<Self, io::Error> {
        Err(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl std::error::Error for TlsError {}
