//! The content of a file that an earlier run completed, which may be encoded.
//!
//! Owns: its length, and reading it where that is possible.
//! Does not own: formats ([`haul_io::ChunkedFormat`]), what the content is compared with ([`crate::kept::existing`]).

use std::sync::Arc;

use haul_io::{Buf, ChunkedFile, ChunkedFormat, File, Io, Offset, OpenMode};
use zeroize::Zeroizing;

use crate::Error;
use crate::body::encoded::chunks::Chunks;
use crate::body::reread::reread;
use crate::kept::place::Place;

/// The bytes that are read first to find the end of a head; few heads are longer.
const HEAD_BYTES: usize = 4 * 1024;

/// How results are stored; `None` as they are.
pub(crate) type Format<'a> = Option<&'a Arc<dyn ChunkedFormat>>;

/// The content of a file.
pub(crate) struct Content {
    /// Its length in bytes.
    pub(crate) bytes: u64,
    form: Form,
}

enum Form {
    /// As it is. Its file is opened only to be read.
    Plain(Place),
    /// Encoded; without a key it can't be read.
    Encoded { stored: File, file: Option<Arc<dyn ChunkedFile>> },
}

impl Content {
    /// The content of the file in `place`, which has `stored_bytes` bytes; `None` if the file isn't of `format`.
    pub(crate) async fn of(
        io: &impl Io,
        place: &Place,
        stored_bytes: u64,
        format: Format<'_>,
    ) -> Result<Option<Self>, Error> {
        let Some(format) = format else {
            return Ok(Some(Self { bytes: stored_bytes, form: Form::Plain(place.clone()) }));
        };
        let stored = open(io, place).await?;
        let head = read_head(io, &stored, format).await?;
        let bytes = format.head_bytes(head.filled());
        let bytes = bytes.and_then(|head_bytes| format.content_bytes(head_bytes, stored_bytes));
        let file = bytes.and_then(|_| format.reopen(head.filled()));
        io.give_buf(head);
        Ok(bytes.map(|bytes| Self { bytes, form: Form::Encoded { stored, file } }))
    }

    /// Whether it can be read.
    pub(crate) fn is_readable(&self) -> bool {
        !matches!(self.form, Form::Encoded { file: None, .. })
    }

    /// The length of its chunks.
    ///
    /// # Panics
    /// If it isn't encoded, or can't be read.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.encoded().0.chunk_bytes()
    }

    /// Chunk `index` of the content.
    ///
    /// # Panics
    /// If it isn't encoded, or can't be read.
    pub(crate) async fn chunk(&self, io: &impl Io, index: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (file, stored) = self.encoded();
        let chunks = Chunks { file, stored, bytes: self.bytes, is_whole: true };
        let start = index * file.chunk_bytes() as u64;
        let bytes = (self.bytes - start).min(file.chunk_bytes() as u64);
        let mut chunk = Zeroizing::new(vec![0; bytes as usize]);
        chunks.chunk(io, index, &mut chunk, start + bytes == self.bytes).await?;
        Ok(chunk)
    }

    fn encoded(&self) -> (&Arc<dyn ChunkedFile>, &File) {
        match &self.form {
            Form::Encoded { stored, file: Some(file) } => (file, stored),
            _ => panic!("the content is encoded and readable"),
        }
    }

    /// Calls `each` with the content, piece by piece. Content that can't be read has no pieces.
    ///
    /// # Errors
    /// If the file can't be read, was changed, or is damaged.
    pub(crate) async fn read(&self, io: &impl Io, each: impl FnMut(&[u8])) -> Result<(), Error> {
        match &self.form {
            Form::Plain(place) => reread(io, &open(io, place).await?, self.bytes, each).await,
            Form::Encoded { stored, file: Some(file) } => {
                let chunks = Chunks { file, stored, bytes: self.bytes, is_whole: true };
                chunks.read(io, each).await
            }
            Form::Encoded { file: None, .. } => Ok(()),
        }
    }
}

async fn open(io: &impl Io, place: &Place) -> Result<File, Error> {
    place.open(io, OpenMode::Read { follow: true }).await.map_err(Error::write)
}

/// The start of `stored`, with its whole head if it is of `format`.
pub(crate) async fn read_head(
    io: &impl Io,
    stored: &File,
    format: &Arc<dyn ChunkedFormat>,
) -> Result<Buf, Error> {
    let mut bytes = HEAD_BYTES;
    loop {
        let (count, head) = io.read_full(stored, io.take_buf(bytes), bytes, Offset::At(0)).await;
        let count = count.map_err(Error::write)?;
        let is_complete = count < bytes || bytes >= format.head_bytes_max();
        if is_complete || format.head_bytes(head.filled()).is_some() {
            return Ok(head);
        }
        io.give_buf(head);
        bytes = format.head_bytes_max();
    }
}
