//! What a store refused, and what its codes mean.
//!
//! Owns: the kinds of refusals, their sentences, which of them are transient.
//! Does not own: what is done about them (`call::send`), the answers that they are read from (`call::refused`).
//!
//! Source: Amazon S3 API reference, "Error responses".

use std::{fmt, io};

use haul_fetch::Fault;

/// A refusal: the store's code, and what kind of refusal it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub kind: Kind,
    /// The HTTP status.
    pub status: u16,
    /// The store's code, for instance `SlowDown`; empty if it gave none.
    pub code: String,
    /// The store's own words; empty if it gave none. Control characters are left out.
    pub message: String,
    /// The identification of the request that the store's support asks for.
    pub request_id: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The access key is unknown, or its secret is wrong.
    WrongKey,
    /// The session of the keys has expired.
    Expired,
    /// The keys don't allow this.
    Denied,
    /// The bucket doesn't exist.
    NoBucket,
    /// The object doesn't exist.
    NoObject,
    /// The upload doesn't exist: it was completed or aborted.
    NoUpload,
    /// A checksum didn't match: bytes were damaged on their way.
    BadDigest,
    /// A part isn't as it was uploaded.
    InvalidPart,
    /// A condition wasn't met.
    Condition,
    /// Another request for the same object was in progress.
    Conflict,
    /// The store asks for fewer requests.
    SlowDown,
    /// This machine's clock differs too much from the store's.
    ClockSkew,
    /// The bucket is in another region, or at another endpoint.
    Elsewhere,
    /// The range lies beyond the object's end.
    Range,
    /// The store doesn't have this operation.
    NotImplemented,
    /// The store failed.
    Server,
    /// Anything else.
    Other,
}

impl Kind {
    pub(crate) fn of(status: u16, code: &str) -> Self {
        match code {
            "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "AuthorizationHeaderMalformed" => Self::WrongKey,
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken" => {
                Self::Expired
            }
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Self::Denied,
            "NoSuchBucket" => Self::NoBucket,
            "NoSuchKey" => Self::NoObject,
            "NoSuchUpload" => Self::NoUpload,
            "BadDigest"
            | "InvalidDigest"
            | "XAmzContentSHA256Mismatch"
            | "XAmzContentChecksumMismatch"
            | "IncompleteBody" => Self::BadDigest,
            "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => Self::InvalidPart,
            "PreconditionFailed" => Self::Condition,
            "ConditionalRequestConflict" | "OperationAborted" => Self::Conflict,
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequests" => Self::SlowDown,
            "RequestTimeTooSkewed" => Self::ClockSkew,
            "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
                Self::Elsewhere
            }
            "InvalidRange" => Self::Range,
            "NotImplemented" | "MethodNotAllowed" => Self::NotImplemented,
            "InternalError" | "ServiceUnavailable" | "RequestTimeout" => Self::Server,
            _ => Self::of_status(status),
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::Elsewhere,
            401 | 403 => Self::Denied,
            404 => Self::NoObject,
            405 | 501 => Self::NotImplemented,
            409 => Self::Conflict,
            412 => Self::Condition,
            416 => Self::Range,
            429 | 503 => Self::SlowDown,
            408 | 500..600 => Self::Server,
            _ => Self::Other,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(self) -> bool {
        matches!(self, Self::SlowDown | Self::Server | Self::BadDigest | Self::Conflict)
    }

    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::WrongKey | Self::Expired | Self::Denied | Self::NoBucket | Self::Elsewhere => Fault::Caller,
            Self::Range => Fault::Caller,
            Self::ClockSkew | Self::Condition => Fault::Local,
            Self::BadDigest => Fault::Network,
            _ => Fault::Server,
        }
    }

    pub(crate) fn io_kind(self) -> io::ErrorKind {
        match self {
            Self::NoBucket | Self::NoObject | Self::NoUpload => io::ErrorKind::NotFound,
            Self::WrongKey | Self::Expired | Self::Denied => io::ErrorKind::PermissionDenied,
            Self::Condition => io::ErrorKind::AlreadyExists,
            Self::NotImplemented => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        }
    }

    /// What happened, and what to do about it.
    fn sentence(self) -> &'static str {
        match self {
            Self::WrongKey => {
                "the store doesn't accept the access key: check its ID, its secret and the region"
            }
            Self::Expired => "the session of the access key has expired: get new credentials",
            Self::Denied => "access denied: the credentials don't allow this, or there are none",
            Self::NoBucket => "there is no such bucket: check its name and the endpoint",
            Self::NoObject => "there is no such object",
            Self::NoUpload => "the upload no longer exists: another run completed or aborted it",
            Self::BadDigest => "the bytes were damaged on the way: the store computed another checksum",
            Self::InvalidPart => {
                "a part of the upload isn't as it was sent: another run wrote to it, start over"
            }
            Self::Condition => "the object isn't in the state that was expected",
            Self::Conflict => "another request for this object was in progress: try again",
            Self::SlowDown => "the store asks for fewer requests: use fewer connections, or try again later",
            Self::ClockSkew => "this machine's clock differs too much from the store's: set it right",
            Self::Elsewhere => "the bucket is elsewhere: set AWS_REGION or AWS_ENDPOINT_URL to where it is",
            Self::Range => "the range lies beyond the end of the object",
            Self::NotImplemented => "the store doesn't have this operation",
            Self::Server => "the store failed: try again later",
            Self::Other => "the store refused the request",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.sentence())?;
        match (self.code.as_str(), self.message.as_str()) {
            ("", _) => write!(f, " (status {})", self.status),
            (code, "") => write!(f, " ({code})"),
            (code, message) => write!(f, " ({code}: {message})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_statuses() {
        for (status, code, kind) in [
            (403, "SignatureDoesNotMatch", Kind::WrongKey),
            (400, "ExpiredToken", Kind::Expired),
            (403, "RequestTimeTooSkewed", Kind::ClockSkew),
            (403, "", Kind::Denied),
            (503, "SlowDown", Kind::SlowDown),
            (503, "", Kind::SlowDown),
            (500, "unheard", Kind::Server),
            (404, "NoSuchUpload", Kind::NoUpload),
            (404, "", Kind::NoObject),
            (412, "", Kind::Condition),
            (400, "BadDigest", Kind::BadDigest),
            (301, "PermanentRedirect", Kind::Elsewhere),
            (418, "", Kind::Other),
        ] {
            assert_eq!(Kind::of(status, code), kind, "{status} {code}");
        }
    }
}
