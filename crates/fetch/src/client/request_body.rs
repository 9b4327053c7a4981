//! What a request carries.
//!
//! Owns: bodies from memory, files and readers; which can be sent twice.
//! Does not own: sending them ([`crate::transfer::send`]), when a request may be repeated.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use haul_io::{File, FileKind, Io, OpenMode};

use crate::Error;

/// What a request carries; nothing by default. Clones share it.
#[derive(Clone, Default)]
pub struct RequestBody(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Nothing,
    Bytes(Arc<[u8]>),
    File(PathBuf),
    Reader(Arc<Mutex<Option<Reader>>>),
}

pub(crate) type Reader = Box<dyn Read + Send>;

/// A body about to be sent.
pub(crate) enum OutgoingBody {
    Nothing,
    Bytes(Arc<[u8]>),
    /// This many bytes of a file.
    File(File, u64),
    Reader(Reader),
}

impl OutgoingBody {
    /// Whether nothing follows the head.
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
    /// These bytes, sent with their length.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Bytes(bytes.into().into()))
    }

    /// What the regular file at `path` has when the request is sent; read as it goes, sent with its length.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// What `reader` gives, in chunks. It is read on the thread that fetches, which a slow reader holds up, and only
    /// once: such a request is not made again once its body was begun.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Kind::Reader(Arc::new(Mutex::new(Some(Box::new(reader))))))
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.0, Kind::Nothing)
    }

    /// Whether it can be sent from its beginning, now.
    pub(crate) fn can_be_sent(&self) -> bool {
        match &self.0 {
            Kind::Reader(reader) => reader.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
            _ => true,
        }
    }

    /// Takes back what [`RequestBody::open`] gave and of which nothing was sent.
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
    /// Its kind only: what it holds may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Nothing => f.write_str("nothing"),
            Kind::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Kind::File(path) => write!(f, "the file {path:?}"),
            Kind::Reader(_) => f.write_str("a reader"),
        }
    }
}
