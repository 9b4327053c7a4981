//! The space that a file takes, on the disk and in the page cache.
//!
//! Owns: how far ahead space is allocated, which files stay out of the page cache.
//! Does not own: writing ([`crate::body::file_sink`]).

use haul_io::{File, HUGE_BYTES, Io, spare_cache};

use crate::Error;

/// Space is allocated this far ahead of the bytes that have arrived: an announced length is no promise. Large enough
/// that the file system lays the file out in long extents and the calls cost nothing beside the writes.
const ALLOCATED_AHEAD_BYTES: u64 = 64 << 20;

/// The space of one file.
#[derive(Default)]
pub(crate) struct Space {
    /// Length of the file, if known.
    pub(crate) expected_bytes: Option<u64>,
    allocated_bytes: u64,
    /// Whether it is settled if the open file stays in the page cache.
    cache_is_settled: bool,
}

impl Space {
    /// Another file begins, of the same length.
    pub(crate) fn start_over(&mut self) {
        (self.allocated_bytes, self.cache_is_settled) = (0, false);
    }

    /// The file is opened anew.
    pub(crate) fn reopen(&mut self) {
        self.cache_is_settled = false;
    }

    /// The file will be read again at once, so that it stays in the page cache.
    pub(crate) fn keep_cached(&mut self) {
        self.cache_is_settled = true;
    }

    /// Allocates space for the first `needed_bytes` bytes and some more, if the length of the file is known.
    pub(crate) async fn allocate(
        &mut self,
        io: &impl Io,
        file: &File,
        needed_bytes: u64,
    ) -> Result<(), Error> {
        let Some(expected_bytes) = self.expected_bytes else { return Ok(()) };
        if needed_bytes <= self.allocated_bytes {
            return Ok(());
        }
        let bytes = expected_bytes.min(needed_bytes.saturating_add(ALLOCATED_AHEAD_BYTES));
        if bytes > self.allocated_bytes {
            io.allocate(file, bytes).await.map_err(Error::write)?;
            self.allocated_bytes = bytes;
        }
        Ok(())
    }

    /// Keeps a huge file out of the page cache.
    pub(crate) async fn spare_cache(&mut self, io: &impl Io, file: &File) {
        let is_huge = self.expected_bytes.is_some_and(|bytes| bytes >= HUGE_BYTES);
        if is_huge && !self.cache_is_settled {
            self.cache_is_settled = true;
            spare_cache(io, file, None).await;
        }
    }
}
