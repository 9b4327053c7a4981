//! The list of a run that goes on: each entry is sealed and written before the file that it names is begun.
//!
//! Entries are flushed to the disk by a thread, at most a moment after they were written: the file that an entry names
//! arrives there no sooner than it is complete.
//!
//! Owns: the journal of a run, making a list of it.
//! Does not own: the form of entries ([`super::entry`]) and of journals ([`super::records`]), opening lists
//! ([`super::restore`]).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use haul_age_format::{PayloadKey, SealedHeader, TAG_BYTES};
use haul_io::{Cancel, ChunkedFormat, Durability, Existing};

use super::entry::{HiddenName, TITLE, list_name};
use super::records::{Records, SUFFIX};
use crate::error::{During, Error};
use crate::format::SealedFormat;
use crate::stream::into_file;
use crate::task::FileOptions;

/// The most lists of one directory.
const LISTS_MAX: u32 = 1_000_000;

/// The journal of a run.
pub struct NameJournal {
    file: File,
    path: PathBuf,
    key: PayloadKey,
    head_bytes: u64,
    /// Where the next record begins: after the last one that was written whole.
    end: u64,
    /// The number of the next record.
    next: u64,
    /// A record that couldn't be written. Its number is its own, so that it goes before all others.
    unwritten: Vec<u8>,
    number: u32,
    flusher: Option<Flusher>,
}

/// The thread that flushes what was written.
struct Flusher {
    wake: mpsc::SyncSender<()>,
    has_failed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl NameJournal {
    /// Begins a journal in `directory`, which is made if it is missing.
    ///
    /// # Errors
    /// The system's, and those of the recipients of `format`.
    pub fn create(
        directory: &Path,
        format: &SealedFormat,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let header = format.header(random)?;
        for number in 1..LISTS_MAX {
            if directory.join(list_name(number) + format.suffix()).symlink_metadata().is_ok() {
                continue;
            }
            let path = directory.join(list_name(number) + SUFFIX);
            let mut options = OpenOptions::new();
            let file = match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            return Self::begin(file, path.clone(), header, number).inspect_err(|_| {
                let _ = std::fs::remove_file(&path);
            });
        }
        Err(io::Error::other("the directory has too many lists of names"))
    }

    /// Begins the list with this number in the new `file` at `path`.
    fn begin(mut file: File, path: PathBuf, header: SealedHeader, number: u32) -> io::Result<Self> {
        file.write_all(&header.bytes)?;
        file.sync_all()?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        let (head_bytes, key) = (header.bytes.len() as u64, header.payload_key);
        let flusher = Some(Flusher::start(file.try_clone()?)?);
        let (end, next, unwritten) = (head_bytes, 0, Vec::new());
        let mut journal = Self { file, path, key, head_bytes, end, next, unwritten, number, flusher };
        journal.write(&format!("{TITLE}\n"))?;
        Ok(journal)
    }

    /// Appends an entry. The process may be killed from now on.
    ///
    /// # Errors
    /// The system's, also of an earlier flush.
    pub fn append(&mut self, entry: &HiddenName) -> io::Result<()> {
        self.write(&entry.to_line())
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.flusher.as_ref().is_some_and(|flusher| flusher.has_failed.load(Ordering::Relaxed)) {
            return Err(io::Error::other("the list of names can't be flushed to the disk"));
        }
        self.write_sealed()?;
        let sealed_bytes = text.len() + TAG_BYTES;
        let mut record = vec![0; 4 + sealed_bytes];
        record[..4].copy_from_slice(&u32::try_from(sealed_bytes).expect("entries are short").to_le_bytes());
        self.key.seal_chunk(self.next, false, text.as_bytes(), &mut record[4..]);
        self.next += 1;
        self.unwritten = record;
        self.write_sealed()?;
        if let Some(flusher) = &self.flusher {
            // It is full if the thread has yet to begin: it then flushes this record too.
            let _ = flusher.wake.try_send(());
        }
        Ok(())
    }

    /// Writes the record that was sealed, if there is one. It takes the place of what an attempt that failed has left
    /// of it, which would hide all that comes after it.
    fn write_sealed(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.unwritten, self.end)?;
        self.end += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }

    /// Ends the run: the journal becomes a list, which any age program opens. Returns its path.
    ///
    /// # Errors
    /// Those of reading the journal and of writing the list. The journal then stays; opening understands it as well.
    pub fn finish(mut self, format: &SealedFormat, options: &FileOptions) -> Result<PathBuf, Error> {
        if let Some(Flusher { wake, thread, .. }) = self.flusher.take() {
            drop(wake);
            let _ = thread.join();
        }
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let list = directory.join(list_name(self.number) + format.suffix());
        let existing = Existing::Refuse;
        let options = FileOptions { existing, durability: Durability::Synced, ..*options };
        let at_read = |error| Error::at(During::Read)(error);
        self.file.seek(SeekFrom::Start(self.head_bytes)).map_err(at_read)?;
        let cancel = Cancel::new().map_err(at_read)?;
        let records = Records { source: io::BufReader::new(&self.file), key: &self.key, next: 0 };
        into_file(&list, None, &options, &cancel, |sink| format.seal_stream(records.text(), sink, &cancel))?;
        std::fs::remove_file(&self.path).map_err(Error::at(During::Publish))?;
        Ok(list)
    }
}

impl Flusher {
    fn start(file: File) -> io::Result<Self> {
        let (wake, woken) = mpsc::sync_channel(1);
        let has_failed = Arc::new(AtomicBool::new(false));
        let failed = has_failed.clone();
        let flush = move || {
            while woken.recv().is_ok() {
                if file.sync_data().is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
            }
        };
        let thread = std::thread::Builder::new().name("names".to_owned()).spawn(flush)?;
        Ok(Self { wake, has_failed, thread })
    }
}

#[cfg(test)]
mod tests {
    use haul_age_format::{Recipient, X25519Identity};

    use super::*;
    use crate::hidden::HiddenNames;
    use crate::stream::StreamOptions;

    /// A full disk takes a part of a record, or nothing of it, and has room again later.
    #[test]
    fn entries_after_one_that_could_not_be_written_are_found() {
        for left_bytes in [0, 3, 40] {
            let dir = tempfile::tempdir().unwrap();
            let identity = X25519Identity::generate();
            let format = SealedFormat::new(vec![Recipient::X25519(identity.to_recipient())]).unwrap();
            let mut random = |out: &mut [u8]| out.fill(3);
            let mut journal = NameJournal::create(dir.path(), &format, &mut random).unwrap();
            let entry = |number: u8| {
                let (file, name) = (format!("{number:032x}.age"), format!("file {number}"));
                HiddenName { file, name, source: "https://example.org/".into() }
            };
            journal.append(&entry(0)).unwrap();
            let file = std::mem::replace(&mut journal.file, File::open(&journal.path).unwrap());
            for number in 1..3 {
                assert!(journal.append(&entry(number)).is_err(), "{number} can't be written");
            }
            file.write_all_at(&vec![7; left_bytes], journal.end).unwrap();
            journal.file = file;
            journal.append(&entry(3)).unwrap();
            let (options, identities) = (StreamOptions::default(), [identity.into()]);
            let check = || {
                let found = HiddenNames::read(dir.path(), ".age".as_ref(), &identities, &options).unwrap();
                for (number, is_there) in [(0, true), (2, false), (3, true)] {
                    let HiddenName { file, name, .. } = entry(number);
                    let expected = is_there.then(|| PathBuf::from(name));
                    assert_eq!(found.of(file.as_ref()), expected.as_deref(), "{number}, {left_bytes}");
                }
            };
            check();
            journal.finish(&format, &FileOptions::default()).unwrap();
            check();
        }
    }
}
