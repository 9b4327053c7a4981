//! Comparing a body, as it arrives, with the content of an encoded file that exists.
//!
//! Owns: how far the comparison came.
//! Does not own: reading the content ([`crate::kept::content`]), when only the content can tell
//! ([`crate::kept::existing`]).

use std::path::{Path, PathBuf};

use haul_io::Io;
use zeroize::Zeroizing;

use crate::Error;
use crate::kept::content::Content;
use crate::kept::partial::Partial;

/// A body is compared, and stored nowhere.
pub(crate) struct Comparison {
    content: Content,
    path: PathBuf,
    /// What a killed run may have left beside the file.
    partial: Partial,
    /// Bytes that were the same.
    same_bytes: u64,
    /// The chunk of the content that the next bytes belong to, and its number.
    chunk: Option<(u64, Zeroizing<Vec<u8>>)>,
}

impl Comparison {
    /// With the `content` of the file at `path`, which must be encoded and readable.
    pub(crate) fn new(content: Content, path: PathBuf, partial: Partial) -> Self {
        Self { content, path, partial, same_bytes: 0, chunk: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins again.
    pub(crate) fn start_over(&mut self) {
        (self.same_bytes, self.chunk) = (0, None);
    }

    /// Compares the next bytes.
    ///
    /// # Errors
    /// [`Error::Differs`]; that of reading the file.
    pub(crate) async fn take(&mut self, io: &impl Io, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.same_bytes >= self.content.bytes {
                return Err(Error::Differs);
            }
            let chunk_bytes = self.content.chunk_bytes() as u64;
            let (index, at) = (self.same_bytes / chunk_bytes, (self.same_bytes % chunk_bytes) as usize);
            if self.chunk.as_ref().is_none_or(|(number, _)| *number != index) {
                self.chunk = Some((index, self.content.chunk(io, index).await?));
            }
            let (_, chunk) = self.chunk.as_ref().expect("read above");
            let (now, rest) = bytes.split_at(bytes.len().min(chunk.len() - at));
            if now != &chunk[at..at + now.len()] {
                return Err(Error::Differs);
            }
            self.same_bytes += now.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Ends the comparison. What a killed run left beside a file that proved complete is removed.
    ///
    /// # Errors
    /// [`Error::Differs`] if the file is longer.
    pub(crate) async fn end(&self, io: &impl Io) -> Result<(), Error> {
        if self.same_bytes != self.content.bytes {
            return Err(Error::Differs);
        }
        self.partial.remove_leftovers(io).await;
        Ok(())
    }
}
