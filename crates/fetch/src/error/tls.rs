//! The error of TLS, without the types of the library that speaks it.
//!
//! Owns: hiding them.
//! Does not own: which errors of TLS have a meaning of their own ([`crate::route::certificate`]).

use std::fmt;

use crate::route::certificate;

/// Why TLS failed. Its source is the error of the TLS library, which may be another one in a later version.
#[derive(Debug)]
pub struct TlsError(pub(crate) rustls::Error);

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
