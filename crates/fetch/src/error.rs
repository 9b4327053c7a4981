//! Why a fetch failed, by whose fault.
//!
//! Owns: the error of every way in.
//! Does not own: the URL (the caller has it), retries.

use std::{fmt, io};

use haul_http1::{ProtocolError, RequestError};
use haul_io::reason;
use http::StatusCode;

use crate::route::certificate;
use crate::{CertificateFault, Checksum, CodingError, ProxyError, Times};

/// Why a fetch failed. Reads after "cannot fetch …:".
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The text isn't a URL that can be fetched.
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The request can't be written down.
    Request(RequestError),
    /// The host has no address.
    Resolve(io::Error),
    /// The body of the request can't be read.
    Body(io::Error),
    /// The body of the request was sent already, and can't be had again.
    BodySpent,
    /// No address could be connected to.
    Connect(io::Error),
    /// A proxy leads nowhere.
    Proxy(ProxyError),
    /// The certificate or the handshake was refused, by us or by the peer.
    Tls(rustls::Error),
    /// The same, of a proxy.
    ProxyTls(rustls::Error),
    /// The roots of trust can't be read.
    Trust(String),
    /// The client's own certificate or its key can't be used.
    ClientIdentity(String),
    /// The body came more slowly than allowed.
    TooSlow {
        /// Bytes a second that it must have.
        rate_min: u64,
    },
    /// The connection broke.
    Transport(io::Error),
    /// Time ran out.
    Timeout(Phase),
    /// The response breaks the protocol, or ended early.
    Protocol(ProtocolError),
    /// The content can't be decompressed, or may not be.
    Coding(CodingError),
    /// The status says that the request failed.
    Status(StatusCode),
    /// More redirects than allowed, or a loop of them.
    TooManyRedirects,
    /// A redirect leads nowhere that may be followed.
    Redirect {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The body is longer than the limit.
    TooLarge {
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// A partial response that wasn't asked for, or of another length than it says.
    UnaskedPart,
    /// What was handed on already can't be taken back, and the server has something else now.
    PassedOn,
    /// The body has another length than it must have.
    Size {
        /// Bytes it must have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// The body hashes to something else than it must.
    Checksum {
        /// What it must hash to.
        expected: Checksum,
        /// What it hashes to.
        found: Checksum,
    },
    /// A file is there, and it isn't what the server has.
    Differs,
    /// The result's name is taken, and replacing wasn't asked for.
    Exists,
    /// The result can't be written.
    Write(io::Error),
    /// The request, the client or the run was cancelled.
    Cancelled,
    /// The worker that had the request panicked: an error in this library.
    WorkerPanicked,
}

/// Why a task failed, after so many attempts. Reads after "cannot fetch …:".
#[derive(Debug)]
pub struct Failed {
    /// What the last attempt failed with.
    pub error: Error,
    /// Attempts that were made.
    pub attempts: u32,
    /// Where the time of the last attempt went.
    pub times: Times,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match self.attempts {
            0 | 1 => Ok(()),
            attempts => write!(f, " (after {attempts} attempts)"),
        }
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// What the time ran out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connecting, TLS included.
    Connect,
    /// Waiting for bytes of the response, or for the peer to take those of the request.
    Transfer,
    /// The whole request.
    Total,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request can't succeed as it is asked.
    Caller,
    /// The way to the server, or its absence.
    Network,
    /// The server's answer.
    Server,
    /// This machine: files, space, cancellation.
    Local,
}

impl Error {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Url { .. } | Self::Request(_) | Self::TooLarge { .. } => Fault::Caller,
            Self::Resolve(_) | Self::Connect(_) | Self::Transport(_) | Self::Timeout(_) => Fault::Network,
            Self::Proxy(_) | Self::ProxyTls(_) | Self::TooSlow { .. } => Fault::Network,
            Self::ClientIdentity(_) => Fault::Local,
            Self::Tls(_) | Self::Protocol(_) | Self::Coding(_) | Self::Status(_) => Fault::Server,
            Self::UnaskedPart | Self::PassedOn | Self::Size { .. } | Self::Checksum { .. } => Fault::Server,
            Self::TooManyRedirects | Self::Redirect { .. } => Fault::Server,
            Self::Body(_) | Self::BodySpent => Fault::Local,
            Self::Trust(_) | Self::Differs | Self::Exists | Self::Write(_) | Self::Cancelled => Fault::Local,
            Self::WorkerPanicked => Fault::Local,
        }
    }

    /// What is wrong with the certificate of the server, or of the proxy, if that is what failed.
    pub fn certificate_fault(&self) -> Option<CertificateFault> {
        match self {
            Self::Tls(source) | Self::ProxyTls(source) => CertificateFault::of(source),
            _ => None,
        }
    }

    /// An error of the connection, sorted by what it really says.
    pub(crate) fn transport(error: io::Error, phase: Phase) -> Self {
        if haul_io::is_cancelled(&error) {
            return Self::Cancelled;
        }
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::Timeout(phase);
        }
        match error.downcast::<rustls::Error>() {
            Ok(tls) => Self::Tls(tls),
            Err(error) if phase == Phase::Connect => Self::Connect(error),
            Err(error) => Self::Transport(error),
        }
    }

    /// The error, where it is a proxy that it came from.
    pub(crate) fn at_proxy(self) -> Self {
        match self {
            Self::Tls(source) => Self::ProxyTls(source),
            other => other,
        }
    }

    /// An error of the request's body.
    pub(crate) fn body(error: io::Error) -> Self {
        if haul_io::is_cancelled(&error) { Self::Cancelled } else { Self::Body(error) }
    }

    /// An error of the result's file.
    pub(crate) fn write(error: io::Error) -> Self {
        match error.kind() {
            _ if haul_io::is_cancelled(&error) => Self::Cancelled,
            io::ErrorKind::AlreadyExists => Self::Exists,
            _ => Self::Write(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { reason } => f.write_str(reason),
            Self::Request(source) => source.fmt(f),
            Self::Resolve(source) => write!(f, "cannot resolve the host: {}", reason(source)),
            Self::Body(source) => write!(f, "cannot read the request's body: {}", reason(source)),
            Self::BodySpent => f.write_str("the request's body can't be sent again"),
            Self::Connect(source) => write!(f, "cannot connect: {}", reason(source)),
            Self::Proxy(source) => source.fmt(f),
            Self::Tls(source) => write!(f, "TLS: {}", certificate::words(source)),
            Self::ProxyTls(source) => write!(f, "TLS to the proxy: {}", certificate::words(source)),
            Self::Trust(reason) => write!(f, "cannot load trusted certificates: {reason}"),
            Self::ClientIdentity(reason) => write!(f, "cannot use the client's certificate: {reason}"),
            Self::TooSlow { rate_min } => write!(f, "slower than {rate_min} bytes a second"),
            Self::Transport(source) => write!(f, "the connection broke: {}", reason(source)),
            Self::Timeout(Phase::Connect) => f.write_str("timed out while connecting"),
            Self::Timeout(Phase::Transfer) => f.write_str("timed out waiting for the server"),
            Self::Timeout(Phase::Total) => f.write_str("timed out"),
            Self::Protocol(source) => source.fmt(f),
            Self::Coding(source) => source.fmt(f),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::TooManyRedirects => f.write_str("too many redirects"),
            Self::Redirect { reason } => f.write_str(reason),
            Self::TooLarge { bytes_max } => write!(f, "the body is longer than {bytes_max} bytes"),
            Self::UnaskedPart => f.write_str("a partial response that was not asked for"),
            Self::PassedOn => f.write_str("the content changed after part of it was passed on"),
            Self::Size { expected, found } => write!(f, "{found} bytes instead of {expected}"),
            Self::Checksum { expected, found } => {
                write!(f, "the content doesn't match its checksum: {found} instead of {expected}")
            }
            Self::Differs => f.write_str("the result exists already, and is not what the server has"),
            Self::Exists => f.write_str("the result exists already"),
            Self::Write(source) => write!(f, "cannot write the result: {}", reason(source)),
            Self::Cancelled => f.write_str("cancelled"),
            Self::WorkerPanicked => f.write_str("internal error: the worker panicked"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(source) => Some(source),
            Self::Body(source)
            | Self::Resolve(source)
            | Self::Connect(source)
            | Self::Transport(source)
            | Self::Write(source) => Some(source),
            Self::Tls(source) | Self::ProxyTls(source) => Some(source),
            Self::Protocol(source) => Some(source),
            Self::Proxy(source) => Some(source),
            Self::Coding(source) => Some(source),
            _ => None,
        }
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<CodingError> for Error {
    fn from(error: CodingError) -> Self {
        Self::Coding(error)
    }
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}
