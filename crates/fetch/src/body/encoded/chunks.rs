//! Reading a file that is stored in a format of chunks.
//!
//! Owns: reading the chunks in order.
//! Does not own: the format ([`haul_io::ChunkedFormat`]), encoding ([`crate::body::encoded::encoder`]).

use std::io::ErrorKind;
use std::sync::Arc;

use haul_io::{ChunkedFile, File, Io, Offset};
use zeroize::Zeroizing;

use crate::Error;

/// The chunks at the start of a stored file.
pub(crate) struct Chunks<'a> {
    pub(crate) file: &'a Arc<dyn ChunkedFile>,
    pub(crate) stored: &'a File,
    /// Bytes of content in these chunks.
    pub(crate) bytes: u64,
    /// Whether the last of them is the last of the file.
    pub(crate) is_whole: bool,
}

impl Chunks<'_> {
    /// Calls `each` with the content of each chunk.
    ///
    /// # Errors
    /// If the file can't be read, is shorter, or was changed.
    pub(crate) async fn read(&self, io: &impl Io, mut each: impl FnMut(&[u8])) -> Result<(), Error> {
        let chunk_bytes = self.file.chunk_bytes() as u64;
        let count = self.bytes.div_ceil(chunk_bytes).max(u64::from(self.is_whole));
        let mut content = Zeroizing::new(vec![0; self.file.chunk_bytes()]);
        for index in 0..count {
            let content_bytes = (self.bytes - index * chunk_bytes).min(chunk_bytes) as usize;
            self.chunk(io, index, &mut content[..content_bytes], self.is_whole && index + 1 == count).await?;
            each(&content[..content_bytes]);
            io.yield_now().await;
        }
        Ok(())
    }

    /// Reads the content of chunk `index`.
    pub(crate) async fn chunk(
        &self,
        io: &impl Io,
        index: u64,
        content: &mut [u8],
        is_last: bool,
    ) -> Result<(), Error> {
        let changed = || Error::write(std::io::Error::other("the file was changed by another program"));
        let stored_bytes = content.len() + self.file.added_bytes();
        let buf = io.take_buf(self.file.stored_chunk_bytes().next_power_of_two());
        let offset = Offset::At(self.file.offset_of(index));
        let (count, buf) = io.read_full(self.stored, buf, stored_bytes, offset).await;
        let read = match count {
            Ok(count) if count < stored_bytes => Err(Error::write(ErrorKind::UnexpectedEof.into())),
            Ok(_) => self.file.decode(index, is_last, buf.filled(), content).map_err(|_| changed()),
            Err(error) => Err(Error::write(error)),
        };
        io.give_buf(buf);
        read
    }
}
