//! Why a file was not sealed, opened, verified or transformed.
//!
//! What enters: errors of the system, the format, plugins and the walk. What leaves: one [`Error`] for a task, which
//! names the step and the cause. Other modules create the errors and never match on their texts; the file's name is in
//! the task.
//!
//! Owns: the errors of all jobs and streams, their texts, their kinds.
//! Does not own: the file's name, exit codes, advice to the user.

mod plugin;
mod walk;

use std::ops::Range;
use std::{fmt, io};

use haul_age_format::{
    ArmorError, CHUNK_BYTES, HeaderError, Layout, OpenError, SealError, StreamError, TAG_BYTES,
};
use haul_engine::wire;
use haul_io::reason;
use haul_pack::BadIndex;
use serde::{Deserialize, Serialize};

pub use self::plugin::{PluginError, PluginProblem};
pub use self::walk::WalkError;

/// Why a task failed. The text is meant to follow "cannot seal …:" or "cannot open …:".
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    Io {
        /// The step that failed.
        step: During,
        /// The system's error.
        #[serde(with = "wire::io_error")]
        source: io::Error,
    },
    /// The walk couldn't examine the name.
    Walk(WalkError),
    /// The source is not a regular file.
    NotRegular,
    /// The source's name now leads to another file than the one that the walk found.
    Exchanged,
    /// A symbolic link was found where links are not followed: it has replaced a file or a directory on the path.
    Link {
        /// The step that failed.
        step: During,
    },
    /// The source changed while it was read.
    SourceChanged,
    /// The result exists already, and replacing was not requested.
    Exists,
    /// The source's name lacks the suffix, so there is no name for the result.
    NoTargetName,
    /// The header can't be made for these recipients.
    Recipients(SealError),
    /// The header is malformed or no identity fits.
    Header(OpenError),
    /// A plugin failed, so there is no file key.
    Plugin(PluginError),
    /// The length of the file is impossible for an age file.
    WrongLength,
    /// The payload ends before its last chunk. All chunks before that are authentic.
    CutShort,
    /// Bytes follow the last chunk. All chunks are authentic.
    AfterEnd,
    /// The armor is malformed.
    Armor(ArmorError),
    /// The requested range begins at the end of the plaintext or behind it.
    OutOfRange {
        /// Length of the plaintext in bytes.
        plain_bytes: u64,
    },
    /// The run ended or failed while the file was being overwritten, so only a part of it is transformed.
    HalfOverwritten,
    /// A shard has no index that can be believed, or not the member that was asked for.
    Shard(BadIndex),
    /// A chunk is not authentic.
    Chunk {
        /// The chunk's number, from 0.
        index: u64,
        /// The plaintext bytes that are lost.
        plain: Range<u64>,
        /// The position of the chunk in the age file; for an armored file, in its decoded form.
        file: Range<u64>,
    },
}

/// The step of a task in which a system call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum During {
    /// Opening or examining the source.
    OpenSource,
    /// Reading the source.
    Read,
    /// Creating the result or its directory.
    Create,
    /// Writing the result.
    Write,
    /// Giving the complete result its name.
    Publish,
    /// Removing the source.
    Remove,
}

/// Kinds of errors, for exit codes and statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No identity fits, or the passphrase is wrong.
    NoMatch,
    /// The source is damaged or was tampered with.
    Damaged,
    /// The file system is full, a quota is exceeded, or the file would be too large.
    NoSpace,
    /// The run was cancelled.
    Cancelled,
    /// All other errors.
    Other,
}

impl Error {
    /// Returns a function that turns an I/O error of `step` into an [`Error`].
    pub(crate) fn at(step: During) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists,
            _ if haul_io::is_link_in_the_way(&source) => Self::Link { step },
            _ => Self::Io { step, source },
        }
    }

    /// Converts the error of a chunk with `sealed_bytes` bytes in a payload that begins at `payload_offset`.
    pub(crate) fn of_stream(error: StreamError, payload_offset: u64, sealed_bytes: usize) -> Self {
        match error {
            StreamError::Chunk { index } => {
                let plain = Layout::plain_offset(index);
                let file = payload_offset + Layout::sealed_offset(index);
                let plain_bytes = sealed_bytes.saturating_sub(TAG_BYTES).min(CHUNK_BYTES) as u64;
                Self::Chunk {
                    index,
                    plain: plain..plain + plain_bytes,
                    file: file..file + sealed_bytes as u64,
                }
            }
            StreamError::AfterEnd => Self::AfterEnd,
            _ => Self::CutShort,
        }
    }

    /// Converts the error of a read, which may contain an [`ArmorError`] or [`Shrunk`].
    pub(crate) fn of_read(source: io::Error) -> Self {
        let inner = source.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<ArmorError>()) {
            Some(armor) => Self::Armor(*armor),
            None if inner.is_some_and(|inner| inner.is::<Shrunk>()) => Self::SourceChanged,
            None => Self::Io { step: During::Read, source },
        }
    }

    /// Returns the kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if haul_io::is_cancelled(source) => ErrorKind::Cancelled,
            Self::Plugin(PluginError { problem: PluginProblem::Cancelled, .. }) => ErrorKind::Cancelled,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    ErrorKind::NoSpace
                }
                _ => ErrorKind::Other,
            },
            Self::Header(OpenError::NoMatch | OpenError::WrongPassphrase) => ErrorKind::NoMatch,
            Self::Header(OpenError::Header(
                HeaderError::NotAge
                | HeaderError::Converted
                | HeaderError::WorkFactorTooHigh { .. }
                | HeaderError::NoMemory { .. },
            )) => ErrorKind::Other,
            Self::Header(_)
            | Self::WrongLength
            | Self::CutShort
            | Self::AfterEnd
            | Self::Armor(_)
            | Self::HalfOverwritten
            | Self::Shard(BadIndex::Damaged | BadIndex::Content)
            | Self::Chunk { .. } => ErrorKind::Damaged,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { step: During::OpenSource, source } => f.write_str(&reason(source)),
            Self::Io { step, source } => write!(f, "{step}: {}", reason(source)),
            Self::Walk(error) => f.write_str(&reason(error.cause())),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Exchanged => f.write_str("another file has taken its place since it was found"),
            Self::Link { step: During::OpenSource } => f.write_str("a symbolic link is in its way"),
            Self::Link { step } => write!(f, "{step}: a symbolic link is in the way"),
            Self::SourceChanged => f.write_str("the file was changed while it was read"),
            Self::Exists => f.write_str("the result exists already"),
            Self::NoTargetName => {
                f.write_str("its name lacks the suffix of sealed files, so its result has no name")
            }
            Self::Recipients(source) => source.fmt(f),
            Self::Header(source) => source.fmt(f),
            Self::Plugin(source) => source.fmt(f),
            Self::WrongLength => f.write_str("the file was cut short or lengthened"),
            Self::OutOfRange { plain_bytes } => {
                write!(f, "the range begins behind the last byte: the plaintext has {plain_bytes} bytes")
            }
            Self::HalfOverwritten => f.write_str("the file is damaged: only a part of it was overwritten"),
            Self::CutShort => f.write_str("the end is missing: it was cut short"),
            Self::AfterEnd => f.write_str("something follows its end"),
            Self::Armor(source) => source.fmt(f),
            Self::Shard(source) => source.fmt(f),
            Self::Chunk { index, plain, file } => write!(
                f,
                "chunk {index} is damaged or was tampered with: {} bytes from {} of the plaintext, {} bytes from {} \
                 of the file",
                plain.end - plain.start,
                plain.start,
                file.end - file.start,
                file.start
            ),
        }
    }
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenSource => "opening",
            Self::Read => "reading",
            Self::Create => "creating the result",
            Self::Write => "writing the result",
            Self::Publish => "publishing the result",
            Self::Remove => "removing the source",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Walk(error) => Some(error.cause()),
            Self::Recipients(source) => Some(source),
            Self::Header(source) => Some(source),
            Self::Plugin(source) => Some(source),
            Self::Armor(source) => Some(source),
            Self::Shard(source) => Some(source),
            _ => None,
        }
    }
}

/// A file ended before the length that it had when it was opened.
#[derive(Debug)]
pub(crate) struct Shrunk;

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::SourceChanged.fmt(f)
    }
}

impl std::error::Error for Shrunk {}

impl From<Error> for io::Error {
    /// The system's error, or one of kind `InvalidData` around `error`.
    fn from(error: Error) -> Self {
        match error {
            Error::Io { source, .. } => source,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Header(error)
    }
}

impl From<HeaderError> for Error {
    fn from(error: HeaderError) -> Self {
        Self::Header(error.into())
    }
}
