//! The TLS room: from a wire to one that is encrypted, to a peer whose certificate was checked.
//!
//! Enters: a wire, the name of the host at its other end, the client's settings for trust.
//! Leaves: another wire. A build without the feature `tls` has none.
//! Not to be touched from outside: the types of the library that speaks TLS.

#[cfg(feature = "tls")]
pub(crate) mod certificate;
#[cfg(not(feature = "tls"))]
#[path = "tls/no_session.rs"]
pub(crate) mod session;
#[cfg(feature = "tls")]
pub(crate) mod session;
#[cfg(feature = "tls")]
mod trust;
