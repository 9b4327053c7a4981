//! A format that shows its chunks: each is reversed, with its number and whether it is the last before it.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};

use haul_io::{Armor, ChunkedFile, ChunkedFormat, Damaged};

const HEAD: &[u8] = b"toy";
const CHUNK_BYTES: usize = 1_000;
const ADDED_BYTES: usize = 9;

#[derive(Clone, Debug, Default)]
pub(crate) struct Toy {
    /// The number of the chunk that can't be encoded.
    pub(crate) panics_at: Option<u64>,
}

struct ToyFile {
    toy: Toy,
    /// The chunks so far: none is encoded twice.
    encoded: Mutex<HashSet<u64>>,
}

impl ChunkedFormat for Toy {
    fn suffix(&self) -> &str {
        ".toy"
    }

    fn begin(&self, _: &mut dyn FnMut(&mut [u8])) -> io::Result<Arc<dyn ChunkedFile>> {
        Ok(Arc::new(ToyFile { toy: self.clone(), encoded: Mutex::default() }))
    }

    fn head_bytes_max(&self) -> usize {
        HEAD.len()
    }

    fn head_bytes(&self, start: &[u8]) -> Option<u64> {
        start.starts_with(HEAD).then_some(HEAD.len() as u64)
    }

    fn reopen(&self, _: &[u8]) -> Option<Arc<dyn ChunkedFile>> {
        None
    }

    fn content_bytes(&self, _: u64, _: u64) -> Option<u64> {
        None
    }
}

impl ChunkedFile for ToyFile {
    fn head(&self) -> &[u8] {
        HEAD
    }

    fn chunk_bytes(&self) -> usize {
        CHUNK_BYTES
    }

    fn added_bytes(&self) -> usize {
        ADDED_BYTES
    }

    fn encode(&self, index: u64, is_last: bool, content: &[u8], stored: &mut [u8]) {
        assert!(self.toy.panics_at != Some(index), "as the test wants");
        assert!(self.encoded.lock().unwrap().insert(index), "chunk {index} is encoded twice");
        stored[..8].copy_from_slice(&index.to_be_bytes());
        stored[8] = u8::from(is_last);
        stored[9..].copy_from_slice(content);
        stored[9..].reverse();
    }

    fn decode(&self, index: u64, is_last: bool, stored: &[u8], content: &mut [u8]) -> Result<(), Damaged> {
        if stored[..8] != index.to_be_bytes() || stored[8] != u8::from(is_last) {
            return Err(Damaged);
        }
        content.copy_from_slice(&stored[9..]);
        content.reverse();
        Ok(())
    }

    fn armor(&self) -> Option<Box<dyn Armor>> {
        None
    }
}

/// The content of a stored file.
pub(crate) fn decoded(stored: &[u8]) -> Vec<u8> {
    let chunks: Vec<_> = stored.strip_prefix(HEAD).unwrap().chunks(CHUNK_BYTES + ADDED_BYTES).collect();
    let mut content = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk[..8], (index as u64).to_be_bytes());
        assert_eq!(chunk[8] == 1, index + 1 == chunks.len(), "only the last chunk is the last");
        content.extend(chunk[9..].iter().rev());
    }
    content
}
