//! Why a body can't be decoded.
//!
//! Owns: the reasons and their texts.
//! Does not own: detecting them ([`super::decoder`], [`super::decoding`]).

use std::fmt;

/// Why a body can't be decoded. Reads after "cannot fetch …:".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodingError {
    /// An unknown coding, as the server names it.
    Unknown(String),
    /// More codings on top of each other than are decoded.
    TooMany {
        /// The limit.
        count_max: usize,
    },
    /// The bytes aren't valid for the coding.
    Damaged {
        /// The coding.
        coding: &'static str,
    },
    /// The body ended before the coding did.
    Incomplete,
    /// Extra bytes after the end of the coding.
    Trailing {
        /// The coding.
        coding: &'static str,
    },
    /// The coding needs a larger window than the body's codings may have together.
    Window {
        /// The limit for this coding.
        window_bytes_max: u64,
    },
    /// The body grows beyond the limit when it is decoded.
    Bomb {
        /// The limit: decoded bytes per encoded byte.
        ratio_max: u32,
    },
}

impl fmt::Display for CodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(coding) => write!(f, "the content coding {coding:?} isn't known"),
            Self::TooMany { count_max } => write!(f, "more than {count_max} content codings"),
            Self::Damaged { coding } => write!(f, "the content is damaged: not {coding}"),
            Self::Incomplete => f.write_str("the compressed content ends early"),
            Self::Trailing { coding } => write!(f, "bytes after the end of the {coding} content"),
            Self::Window { window_bytes_max } => {
                write!(f, "decoding the content takes a window of more than {window_bytes_max} bytes")
            }
            Self::Bomb { ratio_max } => {
                write!(f, "the content grows to more than {ratio_max} times its compressed length")
            }
        }
    }
}

impl std::error::Error for CodingError {}
