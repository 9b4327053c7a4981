//! The result of an operation.
//!
//! Owns: completions and their values.
//! Does not own: how an operation completes.

use std::io;
use std::net::SocketAddr;

use crate::{Attributes, Buf, Features, File, Published, Socket, Stat};

/// The result of an operation, with its buffer.
#[derive(Debug)]
pub struct Completion {
    /// The value that the variant of [`Op`](crate::Op) names, or the system's error.
    pub result: io::Result<Value>,
    /// The buffer that moved in, if the operation has one.
    pub buf: Option<Buf>,
}

/// The value of a successful operation.
#[derive(Debug)]
pub enum Value {
    /// Success without a value.
    Done,
    /// Bytes read or written.
    Count(usize),
    /// The opened file.
    File(File),
    /// The connected socket.
    Socket(Socket),
    /// The metadata of a file.
    Stat(Stat),
    /// Extended attributes.
    Attributes(Attributes),
    /// The value of an extended attribute, if the file has it.
    Attribute(Option<Vec<u8>>),
    /// An answer.
    Flag(bool),
    /// Features of a directory.
    Features(Features),
    /// The outcome of a publication.
    Published(Published),
    /// Addresses, in the resolver's order.
    Addresses(Vec<SocketAddr>),
}

/// A result, and the buffer that comes back with it in either case.
pub type BufResult<T> = (io::Result<T>, Buf);

impl Completion {
    /// The metadata of a file, from an operation that asks for it.
    pub(crate) fn stat(self) -> io::Result<Stat> {
        match self.result? {
            Value::Stat(stat) => Ok(stat),
            other => panic!("expected a stat, got {other:?}"),
        }
    }

    pub(crate) fn new(result: io::Result<Value>) -> Self {
        Self { result, buf: None }
    }

    pub(crate) fn counted(result: io::Result<usize>, buf: Buf) -> Self {
        Self { result: result.map(Value::Count), buf: Some(buf) }
    }

    /// The count and the buffer.
    ///
    /// # Panics
    /// If the operation has neither: an error in an implementation of [`crate::Io`].
    pub(crate) fn into_counted(self) -> BufResult<usize> {
        let result = self.result.map(|value| match value {
            Value::Count(count) => count,
            other => panic!("expected a count, got {other:?}"),
        });
        (result, self.buf.expect("an operation gives its buffer back"))
    }
}
