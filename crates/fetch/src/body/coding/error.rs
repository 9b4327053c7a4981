//! Why a body can't be decoded.
//!
//! Owns: the reasons and their words.
//! Does not own: finding them.

use std::fmt;

/// Why a body can't be decoded. Reads after "cannot fetch …:".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodingError {
    /// A coding that isn't known, as the server names it.
    Unknown(String),
    /// More codings, one over the other, than are undone.
    TooMany {
        /// The limit.
        count_max: usize,
    },
    /// The bytes aren't what the coding makes.
    Damaged {
        /// The coding.
        coding: &'static str,
    },
    /// The body ended, and the coding's end had not come.
    Incomplete,
    /// Bytes behind the coding's end.
    Trailing {
        /// The coding.
        coding: &'static str,
    },
    /// So few bytes make so many that only malice explains it.
    Bomb {
        /// How many times as many are taken.
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
            Self::Trailing { coding } => write!(f, "bytes behind the end of the {coding} content"),
            Self::Bomb { ratio_max } => {
                write!(f, "the content grows to more than {ratio_max} times its compressed length")
            }
        }
    }
}

impl std::error::Error for CodingError {}
