//! File formats that store content in chunks, each encoded by itself: the contract between a job that receives content
//! and a format that it knows nothing of.
//!
//! A file is its head, then its chunks. Every chunk holds the same number of bytes of content except the last one,
//! which may hold fewer; empty content is one empty chunk. So the place of every chunk is known, and chunks can be
//! encoded in any order.
//!
//! Owns: this contract, the places of chunks.
//! Does not own: any format.

use std::fmt::Debug;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A format of files, with the keys to write and perhaps to read it.
pub trait ChunkedFormat: Debug + Send + Sync {
    /// What is appended to the name of a file in this format, such as `.age`.
    fn suffix(&self) -> &str;

    /// The path of the file that stores the content called `path`: with the suffix, unless the name ends in it already.
    fn stored_path(&self, path: &Path) -> PathBuf {
        suffixed(path, self.suffix())
    }

    /// Begins a file, under keys of its own if the format has keys. `random` fills a buffer with random bytes.
    ///
    /// # Errors
    /// If the format can't be written.
    fn begin(&self, random: &mut dyn FnMut(&mut [u8])) -> io::Result<Arc<dyn ChunkedFile>>;

    /// The most bytes that [`ChunkedFormat::head_bytes`] and [`ChunkedFormat::reopen`] need to see of a file.
    fn head_bytes_max(&self) -> usize;

    /// The length of the head of the file that begins with `start`; `None` if `start` isn't of this format. Needs no
    /// keys.
    fn head_bytes(&self, start: &[u8]) -> Option<u64>;

    /// Opens the file that begins with `start`, to read it; `None` if `start` isn't of this format, or if no key fits.
    fn reopen(&self, start: &[u8]) -> Option<Arc<dyn ChunkedFile>>;

    /// The length of the content of a file of `stored_bytes` bytes with a head of `head_bytes` bytes; `None` if no file
    /// has that length.
    fn content_bytes(&self, head_bytes: u64, stored_bytes: u64) -> Option<u64>;
}

/// One file in a [`ChunkedFormat`].
pub trait ChunkedFile: Send + Sync {
    /// The bytes before the first chunk.
    fn head(&self) -> &[u8];

    /// Bytes of content in every chunk but the last.
    fn chunk_bytes(&self) -> usize;

    /// Bytes that encoding adds to each chunk.
    fn added_bytes(&self) -> usize;

    /// Encodes chunk `index` into `stored`, which is longer by [`ChunkedFile::added_bytes`]. Callers encode no chunk of
    /// a file again with other content.
    fn encode(&self, index: u64, is_last: bool, content: &[u8], stored: &mut [u8]);

    /// Decodes chunk `index` into `content`, which is shorter by [`ChunkedFile::added_bytes`].
    ///
    /// # Errors
    /// If it isn't the chunk that was encoded with this index and flag.
    fn decode(&self, index: u64, is_last: bool, stored: &[u8], content: &mut [u8]) -> Result<(), Damaged>;

    /// The text form of the file, if it has one. Its bytes then depend on all bytes before them, so that the file is
    /// written from its start to its end.
    fn armor(&self) -> Option<Box<dyn Armor>>;
}

/// A text form of a file, in order.
pub trait Armor: Send {
    /// Appends the text of `bytes` to `text`.
    fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>);

    /// Appends the end of the text.
    fn finish(self: Box<Self>, text: &mut Vec<u8>);
}

/// A chunk was changed, or belongs elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl dyn ChunkedFile {
    /// Stored bytes of every chunk but the last.
    pub fn stored_chunk_bytes(&self) -> usize {
        self.chunk_bytes() + self.added_bytes()
    }

    /// The number of whole chunks in `bytes` bytes of content.
    pub fn whole_chunks(&self, bytes: u64) -> u64 {
        bytes / self.chunk_bytes() as u64
    }

    /// The place in the file of chunk `index`.
    pub fn offset_of(&self, index: u64) -> u64 {
        self.head().len() as u64 + index * self.stored_chunk_bytes() as u64
    }

    /// The length of a file with `bytes` bytes of content, unless it is armored.
    pub fn stored_bytes(&self, bytes: u64) -> u64 {
        let chunks = bytes.div_ceil(self.chunk_bytes() as u64).max(1);
        self.head().len() as u64 + bytes + chunks * self.added_bytes() as u64
    }
}

/// `path` with `suffix` at its end, unless its name is longer than the suffix and ends in it already, in any case.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let start = name.len().saturating_sub(suffix.len());
    if start > 0 && name[start..].eq_ignore_ascii_case(suffix.as_bytes()) {
        return path.to_owned();
    }
    let mut stored = path.as_os_str().to_owned();
    stored.push(suffix);
    stored.into()
}
