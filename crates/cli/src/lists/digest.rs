//! The digest of a list: what tells one list from another.
//!
//! Owns: hashing what is read of a list, or the whole of it.
//! Does not own: opening lists ([`super::reader`]), what the digest is compared with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};

use crate::report::text::hex;

/// Bytes that are hashed at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// The SHA-256 of what has been read so far. Clones share it.
#[derive(Clone)]
pub(crate) struct ListDigest(Arc<Mutex<Context>>);

/// A reader whose bytes are hashed, if there is a digest.
pub(crate) struct Digested<R> {
    pub(super) reader: R,
    pub(super) digest: Option<ListDigest>,
}

impl ListDigest {
    /// That of nothing.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Context::new(&SHA256))))
    }

    /// That of the whole file at `path`.
    pub(crate) fn of_file(path: &Path) -> io::Result<String> {
        let (mut file, digest) = (File::open(path)?, Self::new());
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(digest.hex()),
                count => digest.add(&block[..count]),
            }
        }
    }

    fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
    }

    /// In hexadecimal digits, as sha256sum prints it.
    pub(crate) fn hex(&self) -> String {
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hex(context.finish().as_ref())
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(digest) = &self.digest {
            digest.add(&buffer[..count]);
        }
        Ok(count)
    }
}
