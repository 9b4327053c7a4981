//! Why a file wasn't sealed or opened.
//!
//! Owns: the error of both jobs.
//! Does not own: the file's name (the task has it), exit codes.

use std::ops::Range;
use std::{fmt, io};

use haul_age_format::{
    ArmorError, CHUNK_BYTES, HeaderError, Layout, OpenError, SealError, StreamError, TAG_BYTES,
};
use haul_engine::wire;
use haul_io::reason;
use serde::{Deserialize, Serialize};

use crate::{PluginError, PluginProblem, WalkError};

/// Why a task failed. Reads after "cannot seal …:" or "cannot open …:".
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The system refused something.
    Io {
        /// What was being done.
        step: During,
        /// What the system said.
        #[serde(with = "wire::io_error")]
        source: io::Error,
    },
    /// The walk couldn't look at this name.
    Walk(WalkError),
    /// The source is a directory, pipe, socket or device.
    NotRegular,
    /// What is at the source's name isn't the file that the walk found.
    Exchanged,
    /// A symbolic link is where none is followed: it has taken the place of a file, or of a directory on the way.
    Link {
        /// What was being done.
        step: During,
    },
    /// The source was changed while it was read.
    SourceChanged,
    /// The result's name is taken, and replacing wasn't asked for.
    Exists,
    /// The name of the source lacks the suffix, so it gives no name for the result.
    NoTargetName,
    /// The recipients can't be sealed to.
    Recipients(SealError),
    /// The header gives no key.
    Header(OpenError),
    /// A plugin gave no key.
    Plugin(PluginError),
    /// The file ends too early, or too late.
    WrongLength,
    /// The payload ends before its last chunk. Everything in front of its end is authentic.
    CutShort,
    /// Something follows the last chunk, which is authentic as everything before it.
    AfterEnd,
    /// The armor is malformed.
    Armor(ArmorError),
    /// The file was being overwritten when the run ended or failed: a part of it is transformed, the rest isn't.
    HalfOverwritten,
    /// A chunk isn't authentic.
    Chunk {
        /// Its number, from 0.
        index: u64,
        /// The plaintext bytes that are lost.
        plain: Range<u64>,
        /// Where the chunk lies in the age file; in an armored one, in what it is the armor of.
        file: Range<u64>,
    },
}

/// What was being done when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What sort of failure it is, for callers that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No identity fits, or the passphrase is wrong.
    NoMatch,
    /// The source was damaged or tampered with.
    Damaged,
    /// There is no space, quota is used up, or the file would be too large.
    NoSpace,
    /// The run was cancelled.
    Cancelled,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn at(step: During) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists,
            _ if haul_io::is_link_in_the_way(&source) => Self::Link { step },
            _ => Self::Io { step, source },
        }
    }

    /// What `error` says of a chunk of `sealed_bytes` bytes whose payload begins at `payload_offset`.
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

    /// A failed read, which may carry what is wrong with armor.
    pub(crate) fn of_read(source: io::Error) -> Self {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<ArmorError>()) {
            Some(armor) => Self::Armor(*armor),
            None => Self::Io { step: During::Read, source },
        }
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Io { source, .. } if haul_io::is_cancelled(source) => Kind::Cancelled,
            Self::Plugin(PluginError { problem: PluginProblem::Cancelled, .. }) => Kind::Cancelled,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    Kind::NoSpace
                }
                _ => Kind::Other,
            },
            Self::Header(OpenError::NoMatch) => Kind::NoMatch,
            Self::Header(OpenError::Header(HeaderError::NotAge | HeaderError::WorkFactorTooHigh { .. })) => {
                Kind::Other
            }
            Self::Header(_)
            | Self::WrongLength
            | Self::CutShort
            | Self::AfterEnd
            | Self::Armor(_)
            | Self::HalfOverwritten
            | Self::Chunk { .. } => Kind::Damaged,
            _ => Kind::Other,
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
            Self::NoTargetName => f.write_str("its name doesn't end as names of sealed files do"),
            Self::Recipients(source) => source.fmt(f),
            Self::Header(source) => source.fmt(f),
            Self::Plugin(source) => source.fmt(f),
            Self::WrongLength => f.write_str("the file was cut short or lengthened"),
            Self::HalfOverwritten => f.write_str("the file is damaged: only a part of it was overwritten"),
            Self::CutShort => f.write_str("the end is missing: it was cut short"),
            Self::AfterEnd => f.write_str("something follows its end"),
            Self::Armor(source) => source.fmt(f),
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
            _ => None,
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
