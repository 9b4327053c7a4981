//! The body of a request.
//!
//! Owns: bodies from memory, files and readers; which of them can be sent twice.
//! Does not own: sending (`transfer::send`), when a request is repeated.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use haul_io::{File, FileKind, Io, OpenMode};

use crate::Error;

/// The body of a request; empty by default. Clones share it.
#[derive(Clone, Default)]
pub struct RequestBody(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Nothing,
    /// Not as a slice, which would be a copy.
    Bytes(Arc<Vec<u8>>),
    File(PathBuf),
    Reader(Arc<Mutex<Option<Reader>>>),
}

pub(crate) type Reader = Box<dyn Read + Send>;

/// A body about to be sent.
pub(crate) enum OutgoingBody {
    Nothing,
    Bytes(Arc<Vec<u8>>),
    /// The first so many bytes of a file.
    File(File, u64),
    Reader(Reader),
}

impl OutgoingBody {
    /// Whether there is no content.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(_, bytes) => *bytes == 0,
            Self::Reader(_) => false,
        }
    }
}

impl RequestBody {
    /// A body of these bytes, sent with Content-Length.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Bytes(Arc::new(bytes.into())))
    }

    /// The content of the regular file at `path` when the request is sent; read piece by piece, sent with
    /// Content-Length.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// The bytes that `reader` yields, in chunks. They are read on the thread that fetches, which a slow reader blocks,
    /// and only once: the request is not repeated after reading has begun.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Kind::Reader(Arc::new(Mutex::new(Some(Box::new(reader))))))
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.0, Kind::Nothing)
    }

    /// Whether the body can be sent from its beginning.
    pub(crate) fn can_be_sent(&self) -> bool {
        match &self.0 {
            Kind::Reader(reader) => reader.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
            _ => true,
        }
    }

    /// Takes back an opened body of which nothing was sent.
    pub(crate) fn put_back(&self, opened: OutgoingBody) {
        if let (Kind::Reader(slot), OutgoingBody::Reader(reader)) = (&self.0, opened) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        }
    }

    pub(crate) async fn open(&self, io: &impl Io) -> Result<OutgoingBody, Error> {
        match &self.0 {
            Kind::Nothing => Ok(OutgoingBody::Nothing),
            Kind::Bytes(bytes) => Ok(OutgoingBody::Bytes(bytes.clone())),
            Kind::File(path) => {
                let file = io.open(None, path, OpenMode::Read { follow: true }).await;
                let file = file.map_err(Error::body)?;
                let stat = io.stat(&file).await.map_err(Error::body)?;
                if stat.kind != FileKind::Regular {
                    return Err(Error::body(std::io::Error::other("not a regular file")));
                }
                Ok(OutgoingBody::File(file, stat.bytes))
            }
            Kind::Reader(reader) => {
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
                reader.map(OutgoingBody::Reader).ok_or(Error::BodySpent)
            }
        }
    }
}

impl fmt::Debug for RequestBody {
    /// The kind of the body only: its content may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Nothing => f.write_str("nothing"),
            Kind::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Kind::File(path) => write!(f, "the file {path:?}"),
            Kind::Reader(_) => f.write_str("a reader"),
        }
    }
}
