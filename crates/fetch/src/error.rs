//! The errors of the crate, sorted by whose fault they are.
//!
//! Owns: one error type for every way to fetch.
//! Does not own: the URL in messages (the caller has it), retries (`list::retry`).

pub(crate) mod certificate_fault;
pub(crate) mod failed;
#[cfg(not(feature = "tls"))]
#[path = "error/no_tls.rs"]
pub(crate) mod tls;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::path::PathBuf;
use std::{fmt, io};

use haul_http1::{ProtocolError, RequestError};
use haul_io::reason;
use http::StatusCode;

use crate::error::tls::TlsError;
use crate::{CertificateFault, Checksum, CodingError, ProxyError, Response};

/// Why a fetch failed. Reads after "cannot fetch …:".
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The URL is malformed or can't be fetched.
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// A value can't be sent as JSON, or a body isn't the JSON that was expected.
    Json {
        /// What is wrong with it.
        reason: String,
    },
    /// The body isn't text in UTF-8.
    Text,
    /// The method can't be used to fetch.
    Method {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header field can't be sent.
    Header {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A user name, password or token can't be sent.
    Credentials {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The task has no request: see [`FetchTask::request`](crate::FetchTask::request).
    Task {
        /// Why it has none.
        reason: String,
    },
    /// The request can't be encoded.
    Request(RequestError),
    /// The host can't be looked up, or named in a TLS handshake.
    Host {
        /// What is wrong with it.
        reason: String,
    },
    /// The host has no address.
    Resolve(io::Error),
    /// The body of the request can't be read.
    Body(io::Error),
    /// The body of the request has been sent and can't be read again.
    BodySpent,
    /// No address accepted a connection.
    Connect(io::Error),
    /// The proxy can't be found or reached.
    ToProxy {
        /// The proxy's host and port.
        address: String,
        /// What failed: [`Error::Resolve`] or [`Error::Connect`].
        source: Box<Error>,
    },
    /// The proxy didn't provide a connection to the server.
    Proxy(ProxyError),
    /// The TLS handshake with the server failed, or its certificate was refused.
    Tls(TlsError),
    /// The TLS handshake with the proxy failed, or its certificate was refused.
    ProxyTls(TlsError),
    /// The trusted certificates can't be loaded.
    Trust(String),
    /// The client's own certificate or its key can't be used.
    ClientIdentity(String),
    /// The URL or its proxy needs a feature of this crate that the build lacks.
    NotBuilt {
        /// The feature: `tls` or `socks`.
        feature: &'static str,
    },
    /// The body arrived more slowly than allowed.
    TooSlow {
        /// The lowest rate allowed, in bytes per second.
        rate_min: u64,
    },
    /// The connection broke.
    Transport(io::Error),
    /// A time limit was reached.
    Timeout(Phase),
    /// The response violates the protocol, or ended early.
    Protocol(ProtocolError),
    /// The content can't be decompressed, or exceeds a limit when it is.
    Coding(CodingError),
    /// The status says that the request failed. The response has its head and the beginning of its body: at most 8 KiB
    /// of what arrives within 150 ms, as it was sent, with any content coding.
    Status(Box<Response>),
    /// More redirects than allowed, or a loop of redirects.
    TooManyRedirects,
    /// A redirect that must not be followed.
    Redirect {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The body is longer than the limit.
    TooLarge {
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// A partial response that wasn't requested, or whose length isn't the announced one.
    UnaskedPart,
    /// The server's content changed after part of it was passed on, and can't be taken back.
    PassedOn,
    /// The body doesn't have the expected length.
    Size {
        /// The expected length in bytes.
        expected: u64,
        /// The actual length in bytes.
        found: u64,
    },
    /// The body doesn't match its checksum.
    Checksum {
        /// The expected checksum.
        expected: Checksum,
        /// The actual checksum.
        found: Checksum,
    },
    /// A file with the result's name exists, and differs from the server's.
    Differs,
    /// A file with the result's name exists, and replacing it wasn't requested.
    Exists,
    /// A file with the result's name exists. Only its content could tell whether it is complete, and no key opens it.
    Unreadable,
    /// Another task of the same run has the result's name.
    NameTaken,
    /// The run itself uses a file of the result's name.
    NameReserved,
    /// Another process is fetching a file of the result's name.
    Busy,
    /// A file has a name that this client keeps its own files under, and isn't one of them: it is neither believed
    /// nor replaced.
    InTheWay {
        /// That file.
        path: PathBuf,
    },
    /// The server sent something that neither continues the partial file nor can be trusted to replace it. The
    /// partial file is kept.
    Untrusted {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The result can't be written.
    Write(io::Error),
    /// The request, the client or the run was cancelled.
    Cancelled,
    /// Code that ran on the worker panicked: the caller's own, such as the reader of a request's body, or this
    /// library's, which is a bug.
    WorkerPanicked,
}

/// What exceeded its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Connecting, TLS included.
    Connect,
    /// Waiting for the server to send data, or to accept it.
    Transfer,
    /// The whole request.
    Total,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The request itself can't succeed.
    Caller,
    /// The connection to the server, or the server's absence.
    Network,
    /// The server's response.
    Server,
    /// This machine: files, space, cancellation.
    Local,
}

impl Error {
    /// Whose fault the failure is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Url { .. } | Self::Method { .. } | Self::Header { .. } | Self::Credentials { .. } => {
                Fault::Caller
            }
            Self::Host { .. } | Self::Task { .. } | Self::Request(_) | Self::TooLarge { .. } => Fault::Caller,
            Self::NotBuilt { .. } => Fault::Caller,
            Self::Resolve(_) | Self::Connect(_) | Self::Transport(_) | Self::Timeout(_) => Fault::Network,
            Self::ToProxy { .. } | Self::Proxy(_) | Self::ProxyTls(_) | Self::TooSlow { .. } => {
                Fault::Network
            }
            Self::ClientIdentity(_) => Fault::Local,
            Self::Json { .. } | Self::Text => Fault::Server,
            Self::Tls(_) | Self::Protocol(_) | Self::Coding(_) | Self::Status(_) => Fault::Server,
            Self::UnaskedPart | Self::PassedOn | Self::Size { .. } | Self::Checksum { .. } => Fault::Server,
            Self::TooManyRedirects | Self::Redirect { .. } => Fault::Server,
            Self::Body(_) | Self::BodySpent => Fault::Local,
            Self::Trust(_) | Self::Differs | Self::Exists | Self::Write(_) | Self::Cancelled => Fault::Local,
            Self::NameTaken | Self::Busy | Self::InTheWay { .. } | Self::WorkerPanicked => Fault::Local,
            Self::Unreadable | Self::NameReserved => Fault::Local,
            Self::Untrusted { .. } => Fault::Server,
        }
    }

    /// What is wrong with the certificate of the server or the proxy, if that caused the failure.
    pub fn certificate_fault(&self) -> Option<CertificateFault> {
        match self {
            Self::Tls(source) | Self::ProxyTls(source) => source.certificate_fault(),
            _ => None,
        }
    }

    /// Whether the server answered with something that isn't TLS.
    pub fn is_not_tls(&self) -> bool {
        matches!(self, Self::Tls(source) if source.is_not_tls())
    }

    /// The status that says that the request failed.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(response) => Some(response.status),
            _ => None,
        }
    }

    /// Whether a name server failed, so that another attempt may succeed.
    pub fn is_name_server_failure(&self) -> bool {
        matches!(self, Self::Resolve(source) if haul_io::is_try_again(source))
    }

    /// The system's error, if the first hop can't be found or reached.
    pub(crate) fn of_first_hop(&self) -> Option<&io::Error> {
        match self {
            Self::Connect(error) | Self::Resolve(error) => Some(error),
            Self::ToProxy { source, .. } => source.of_first_hop(),
            _ => None,
        }
    }

    /// An error of the connection: cancellation, a timeout, TLS, or the transport itself.
    pub(crate) fn transport(error: io::Error, phase: Phase) -> Self {
        if haul_io::is_cancelled(&error) {
            return Self::Cancelled;
        }
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::Timeout(phase);
        }
        match TlsError::of(error) {
            Ok(tls) => Self::Tls(tls),
            Err(error) if phase == Phase::Connect => Self::Connect(error),
            Err(error) => Self::Transport(error),
        }
    }

    /// The same error, as one of the connection to a proxy.
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
            Self::Url { reason } | Self::Host { reason } | Self::Task { reason } => f.write_str(reason),
            Self::Method { reason } | Self::Header { reason } | Self::Credentials { reason } => {
                f.write_str(reason)
            }
            Self::Request(source) => source.fmt(f),
            Self::Resolve(source) => write!(f, "cannot resolve the host: {}", reason(source)),
            Self::Body(source) => write!(f, "cannot read the request's body: {}", reason(source)),
            Self::BodySpent => f.write_str("the request's body can't be sent again"),
            Self::Connect(source) => write!(f, "cannot connect: {}", reason(source)),
            Self::ToProxy { address, source } => match &**source {
                Self::Connect(source) => {
                    write!(f, "cannot connect to the proxy {address}: {}", reason(source))
                }
                Self::Resolve(source) => write!(f, "cannot resolve the proxy {address}: {}", reason(source)),
                other => write!(f, "the proxy {address}: {other}"),
            },
            Self::Proxy(source) => source.fmt(f),
            Self::Tls(source) => write!(f, "TLS: {}", source),
            Self::ProxyTls(source) => write!(f, "TLS to the proxy: {}", source),
            Self::Trust(reason) => write!(f, "cannot load trusted certificates: {reason}"),
            Self::ClientIdentity(reason) => write!(f, "cannot use the client's certificate: {reason}"),
            Self::NotBuilt { feature } => write!(f, "this needs the feature `{feature}` of haul-fetch"),
            Self::TooSlow { rate_min } => write!(f, "slower than {rate_min} bytes a second"),
            Self::Transport(source) => write!(f, "the connection broke: {}", reason(source)),
            Self::Timeout(Phase::Connect) => f.write_str("timed out while connecting"),
            Self::Timeout(Phase::Transfer) => f.write_str("timed out waiting for the server"),
            Self::Timeout(Phase::Total) => f.write_str("timed out"),
            Self::Protocol(source) => source.fmt(f),
            Self::Coding(source) => source.fmt(f),
            Self::Status(response) => write!(f, "the server answered {}", response.status),
            Self::Json { reason } => write!(f, "not the JSON that was expected: {reason}"),
            Self::Text => f.write_str("the body isn't text in UTF-8"),
            Self::TooManyRedirects => f.write_str("too many redirects"),
            Self::Redirect { reason } => f.write_str(reason),
            Self::TooLarge { bytes_max } => write!(f, "the body is longer than {bytes_max} bytes"),
            Self::UnaskedPart => f.write_str("a partial response that was not asked for"),
            Self::PassedOn => f.write_str("the content changed after part of it was passed on"),
            Self::Size { expected, found } => write!(f, "{found} bytes instead of {expected}"),
            Self::Checksum { expected, found } => {
                write!(f, "the content doesn't match its checksum: {found} instead of {expected}")
            }
            Self::Differs => f.write_str("the result exists already, and differs from the server's"),
            Self::Exists => f.write_str("the result exists already"),
            Self::Unreadable => {
                f.write_str("the result exists, and no key opens it to tell whether it is complete")
            }
            Self::NameTaken => f.write_str("another task of this run has the same file name"),
            Self::NameReserved => f.write_str("the run itself uses a file of this name"),
            Self::Busy => f.write_str("another process is fetching this file"),
            Self::InTheWay { path } => {
                write!(f, "{path:?} is in the way: it wasn't made by haul, or others may write to it")
            }
            Self::Untrusted { reason } => f.write_str(reason),
            Self::Write(source) => write!(f, "cannot write the result: {}", reason(source)),
            Self::Cancelled => f.write_str("cancelled"),
            Self::WorkerPanicked => f.write_str("the worker panicked"),
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
            Self::ToProxy { source, .. } => Some(source),
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
