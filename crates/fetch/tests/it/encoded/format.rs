//! A format with chunks of 16 bytes, or as many as a test wants. It panics if a chunk of a file is encoded twice.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_engine::Engine;
use haul_fetch::{Algorithm, Checksum, Config, Destination, Expected, FetchJob, FetchTask};
use haul_io::{Armor, ChunkedFile, ChunkedFormat, Damaged, Publish};
use haul_testkit::{Workdir, by_job, outcomes};

pub(crate) const CHUNK: usize = 16;
const ADDED: usize = 4;
const HEAD: usize = 8;

/// The format; clones share the keys.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) chunk_bytes: usize,
    /// Whether files of other runs can be read.
    pub(crate) has_key: bool,
    pub(crate) files: Arc<AtomicU32>,
}

struct OneFile {
    head: [u8; HEAD],
    chunk_bytes: usize,
    /// The chunks that were encoded.
    encoded: Mutex<HashSet<u64>>,
}

impl Default for Format {
    fn default() -> Self {
        Self { chunk_bytes: CHUNK, has_key: false, files: Arc::default() }
    }
}

impl OneFile {
    fn new(id: u32, chunk_bytes: usize) -> Self {
        let mut head = *b"TOY1....";
        head[4..].copy_from_slice(&id.to_le_bytes());
        Self { head, chunk_bytes, encoded: Mutex::default() }
    }

    fn tag(&self, index: u64, is_last: bool) -> [u8; ADDED] {
        [index as u8, (index >> 8) as u8, u8::from(is_last), self.head[4]]
    }
}

impl ChunkedFormat for Format {
    fn suffix(&self) -> &str {
        ".toy"
    }

    fn begin(&self, _: &mut dyn FnMut(&mut [u8])) -> io::Result<Arc<dyn ChunkedFile>> {
        Ok(Arc::new(OneFile::new(self.files.fetch_add(1, Ordering::Relaxed), self.chunk_bytes)))
    }

    fn head_bytes_max(&self) -> usize {
        HEAD
    }

    fn head_bytes(&self, start: &[u8]) -> Option<u64> {
        (start.starts_with(b"TOY1") && start.len() >= HEAD).then_some(HEAD as u64)
    }

    fn reopen(&self, start: &[u8]) -> Option<Arc<dyn ChunkedFile>> {
        self.head_bytes(start).filter(|_| self.has_key)?;
        let id = u32::from_le_bytes(start[4..HEAD].try_into().unwrap());
        Some(Arc::new(OneFile::new(id, self.chunk_bytes)))
    }

    fn content_bytes(&self, head_bytes: u64, stored_bytes: u64) -> Option<u64> {
        let stored = stored_bytes.checked_sub(head_bytes)?;
        stored.checked_sub(stored.div_ceil((self.chunk_bytes + ADDED) as u64) * ADDED as u64)
    }
}

impl ChunkedFile for OneFile {
    fn head(&self) -> &[u8] {
        &self.head
    }

    fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    fn added_bytes(&self) -> usize {
        ADDED
    }

    fn encode(&self, index: u64, is_last: bool, content: &[u8], stored: &mut [u8]) {
        assert!(self.encoded.lock().unwrap().insert(index), "chunk {index} is encoded twice");
        assert!(is_last || content.len() == self.chunk_bytes, "chunk {index} is whole");
        let (bytes, tag) = stored.split_at_mut(content.len());
        bytes.copy_from_slice(content);
        bytes.iter_mut().take(CHUNK).for_each(|byte| *byte ^= 0xA5);
        tag.copy_from_slice(&self.tag(index, is_last));
    }

    fn decode(&self, index: u64, is_last: bool, stored: &[u8], content: &mut [u8]) -> Result<(), Damaged> {
        let (bytes, tag) = stored.split_at(stored.len() - ADDED);
        content.copy_from_slice(bytes);
        content.iter_mut().take(CHUNK).for_each(|byte| *byte ^= 0xA5);
        if tag == self.tag(index, is_last) { Ok(()) } else { Err(Damaged) }
    }

    fn armor(&self) -> Option<Box<dyn Armor>> {
        None
    }
}

/// The content of a whole file in the format, in chunks of 16 bytes.
#[track_caller]
pub(crate) fn decoded(stored: &[u8]) -> Vec<u8> {
    Format::default().decoded(stored)
}

impl Format {
    /// The content of a whole file.
    #[track_caller]
    pub(crate) fn decoded(&self, stored: &[u8]) -> Vec<u8> {
        let format = Format { has_key: true, ..self.clone() };
        let file = format.reopen(stored).expect("a head");
        let mut content = Vec::new();
        let chunks: Vec<_> = stored[HEAD..].chunks(self.chunk_bytes + ADDED).collect();
        for (index, chunk) in chunks.iter().enumerate() {
            let mut out = vec![0; chunk.len() - ADDED];
            file.decode(index as u64, index + 1 == chunks.len(), chunk, &mut out).expect("an intact chunk");
            content.extend_from_slice(&out);
        }
        content
    }
}

/// How a task ended: the attempts, whether the file was skipped, whether it started over for lack of a key.
pub(crate) type End = Result<(u32, bool, bool), String>;

pub(crate) fn config(format: &Format) -> Config {
    Config { format: Some(Arc::new(format.clone())), retry_pause: Duration::ZERO, ..Config::default() }
}

/// Fetches `url` into the file `x` in `dir`.
#[track_caller]
pub(crate) fn fetch_as(engine: Engine, dir: &Path, config: Config, url: &str, expected: Expected) -> End {
    let mut task = FetchTask::new(url, Destination::File(Publish::new(dir.join("x"))));
    task.expected = expected;
    let run = outcomes(&FetchJob::new(config), [task].into_iter(), engine, |settled| match by_job(settled) {
        Ok(fetched) => Ok((fetched.attempts, fetched.skipped, fetched.restarted)),
        Err(failed) => Err(format!("{:?}", failed.error)),
    });
    run.of_tasks.into_iter().next().unwrap()
}

#[track_caller]
pub(crate) fn fetch(dir: &Workdir, config: Config, url: &str) -> End {
    fetch_as(Engine::Serial, dir.dir(), config, url, Expected::default())
}

/// Expects `content` by its SHA-256.
pub(crate) fn sha256_of(content: &[u8]) -> Expected {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Expected { checksums: vec![Checksum::from_hex(Algorithm::Sha256, &hex).unwrap()], ..Expected::default() }
}
