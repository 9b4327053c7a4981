//! What a fleet needs of a server: to run a script, whole or not at all.
//!
//! Owns: calls, answers, failures.
//! Does not own: connections ([`crate::connection`]).

use std::fmt;

use crate::scripts::Script;

/// A call of a script for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is to be done.
    pub script: Script,
    /// The arguments.
    pub arguments: Vec<Vec<u8>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// Text or bytes.
    Bytes(Vec<u8>),
    /// Several answers.
    List(Vec<Reply>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server wasn't reached, or the connection was lost: the script may have run or not.
    Lost(String),
    /// The server refused: the script changed nothing.
    Refused(String),
}

/// A server that has the states of one run.
pub trait Server: Send {
    /// Runs a script.
    ///
    /// # Errors
    /// See [`Failure`].
    fn call(&mut self, call: &Call) -> Result<Reply, Failure>;
}

impl Call {
    /// A call with these arguments.
    pub fn new<A: Into<Vec<u8>>>(script: Script, arguments: impl IntoIterator<Item = A>) -> Self {
        Self { script, arguments: arguments.into_iter().map(Into::into).collect() }
    }
}

impl Reply {
    /// The text `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bytes(text.into().into_bytes())
    }

    /// The number, also if it was sent as text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The bytes, if it is text.
    pub fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text.
    pub fn str(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The answers in it; none if it is no list.
    pub fn list(&self) -> &[Reply] {
        if let Self::List(list) = self { list } else { &[] }
    }

    /// The answers in pairs of texts.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &Reply)> {
        self.list().chunks_exact(2).filter_map(|pair| Some((pair[0].str()?, &pair[1])))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Failure {}
