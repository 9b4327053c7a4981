//! What an attempt leaves for its successor, should its worker be killed: what it is about to do that must not be done twice
//! or would be left lying about.
//!
//! Owns: the notes, leaving them before the operations concerned, drawing the conclusion.
//! Does not own: where notes are kept (the lease table).

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_io::{
    Blocking, Buf, BufResult, Completion, Directory, DirectoryCache, Io, Location, Meter, Op, OpenMode,
    Publish, Published, Stat, is_temporary,
};
use haul_queue::lease::{Lease, Worker};
use serde::{Deserialize, Serialize};

use crate::execute::Metered;
use crate::order::{from_bytes, to_bytes};
use crate::wire;

/// One step that is about to be taken.
#[derive(Serialize, Deserialize)]
enum Note {
    /// A file is created.
    Creating(Place),
    /// A file is given its name.
    Naming {
        place: Place,
        /// The name it had before, in the same directory; empty for none.
        #[serde(with = "wire::path")]
        from: PathBuf,
        file: Identity,
    },
    /// Something is written where that can't be undone or repeated.
    Writing,
}

/// A name, and how it is reached.
#[derive(Serialize, Deserialize)]
struct Place {
    #[serde(with = "wire::path")]
    path: PathBuf,
    /// As with [`Location::beneath`]; `None`: by the name as it stands.
    root_bytes: Option<usize>,
}

impl Place {
    fn new(dir: Option<&Directory>, path: &Path) -> Self {
        match dir {
            Some(dir) => Self { path: dir.path().join(path), root_bytes: Some(dir.root_bytes()) },
            None => Self { path: path.to_owned(), root_bytes: None },
        }
    }

    /// The directory, where one is to be held, and the name in it.
    async fn reach(&self, io: &impl Io) -> io::Result<(Option<Directory>, &Path)> {
        let Some(root_bytes) = self.root_bytes else { return Ok((None, &self.path)) };
        let location = Location::beneath(&self.path, root_bytes);
        Ok((Some(io.directory(location).await?), location.name()))
    }
}

/// Tells a file from all others. More than the inode's number, which is used again when a file is gone.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, u32),
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Self {
        let Stat { device, inode, bytes, modified, .. } = *stat;
        Self { device, inode, bytes, modified }
    }
}

/// How far the attempt came that left a note.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing is left of it, or not any more: do it again.
    Nothing,
    /// Its result is published.
    Published,
    /// It may have written in a way that can't be repeated.
    HalfDone,
}

/// What `note` (its bytes; empty for none) means for the next attempt. Clears away what was left lying about.
///
/// # Errors
/// Whatever the system says of looking: then nothing is known, and nothing may be repeated.
pub(crate) async fn look(io: &impl Io, note: &[u8]) -> io::Result<Left> {
    if note.is_empty() {
        return Ok(Left::Nothing);
    }
    let note = from_bytes(note).ok_or_else(|| io::Error::other("a dead worker's note can't be read"))?;
    let (place, from, file) = match note {
        Note::Writing => return Ok(Left::HalfDone),
        Note::Creating(place) => (place, PathBuf::new(), None),
        Note::Naming { place, from, file } => (place, from, Some(file)),
    };
    let (directory, name) = match place.reach(io).await {
        // Nothing can be left in a directory that isn't there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::Nothing),
        result => result?,
    };
    if let Some(file) = file.filter(|_| !name.file_name().is_some_and(is_temporary)) {
        match io.stat_at(directory.as_ref(), name).await {
            Ok(stat) if Identity::from(&stat) == file => return Ok(Left::Published),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for name in [name, &from] {
        if name.file_name().is_some_and(is_temporary) {
            match io.remove(directory.as_ref(), name).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(Left::Nothing)
}

/// The operations of one attempt, with a note before each that its successor must know of.
pub(crate) struct Noted<'a> {
    pub(crate) io: &'a Blocking,
    pub(crate) worker: &'a Worker,
    pub(crate) lease: &'a Lease,
    /// Whether a write must not be repeated.
    pub(crate) writes_once: bool,
    pub(crate) wrote: Cell<bool>,
}

impl Noted<'_> {
    async fn note_of(&self, op: &Op) -> io::Result<Option<Note>> {
        Ok(match op {
            Op::Open { dir, path, mode: OpenMode::CreateNew } => {
                Some(Note::Creating(Place::new(dir.as_ref(), path)))
            }
            Op::Link { file, dir, path } => {
                let file = Identity::from(&self.io.stat(file).await?);
                Some(Note::Naming { place: Place::new(dir.as_ref(), path), from: PathBuf::new(), file })
            }
            Op::Rename { dir, from, to, .. } => {
                let file = Identity::from(&self.io.stat_at(dir.as_ref(), from).await?);
                Some(Note::Naming { place: Place::new(dir.as_ref(), to), from: from.clone(), file })
            }
            Op::WriteAt { .. } if self.writes_once && !self.wrote.replace(true) => Some(Note::Writing),
            _ => None,
        })
    }
}

impl Io for Noted<'_> {
    async fn submit(&self, op: Op) -> Completion {
        match self.note_of(&op).await {
            // A note that is too long is of a path that the system will refuse as well.
            Ok(Some(note)) => drop(self.worker.leave_note(self.lease, &to_bytes(&note))),
            Ok(None) => {}
            Err(error) => return Completion { result: Err(error), buf: None },
        }
        self.io.submit(op).await
    }

    fn now(&self) -> Duration {
        self.io.now()
    }

    fn random(&self, out: &mut [u8]) {
        self.io.random(out);
    }

    fn progress(&self, bytes: u64) {
        self.io.progress(bytes);
    }

    fn stages_by_name(&self) -> bool {
        true
    }

    fn directory_cache(&self) -> Option<&RefCell<DirectoryCache>> {
        self.io.directory_cache()
    }

    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        haul_io::write_file(self, publish, content).await
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        self.io.take_buf(capacity)
    }

    fn give_buf(&self, buf: Buf) {
        self.io.give_buf(buf);
    }
}

impl Metered for Noted<'_> {
    fn take_meter(&self) -> Meter {
        self.io.take_meter()
    }
}
