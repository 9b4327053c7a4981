//! Write-ahead intents: before a step that must not be taken twice, or that leaves something behind, a worker records
//! what it is about to do. If the worker is killed, the next attempt finds the record.
//!
//! This makes a killed attempt repeatable. Before a worker creates a temporary file or gives a file its name, it
//! records the name and, in the second case, the file's identity. If the name leads to that file, the work is done;
//! if not, the next attempt removes the temporary file and begins anew. Without the record, `haul xor` would
//! transform a file twice. Where a file is overwritten in place, the record says that writing has begun, and the
//! attempt is not repeated.
//!
//! Owns: the kinds of intents, recording them before the operations concerned, examining what an attempt left behind.
//! Does not own: where intents are stored (the lease table; `queue/PROTOCOL.md`, part 2, lemma W).

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
use crate::processes::encoding::{from_bytes, to_bytes};
use crate::wire;

/// A step that is about to be taken.
#[derive(Serialize, Deserialize)]
enum Intent {
    /// A file is created under this name.
    Creating(Target),
    /// A file is given its name.
    Naming {
        target: Target,
        /// The file's previous name in the same directory; empty if it has none.
        #[serde(with = "wire::path")]
        from: PathBuf,
        file: Identity,
    },
    /// A write that can be neither undone nor repeated.
    Writing,
}

/// The name that a step creates, and how another process reaches it.
#[derive(Serialize, Deserialize)]
struct Target {
    #[serde(with = "wire::path")]
    path: PathBuf,
    /// The root of the path, as in [`Location::beneath`]; `None`: the path is used as it is.
    root_bytes: Option<usize>,
}

impl Target {
    fn new(dir: Option<&Directory>, path: &Path) -> Self {
        match dir {
            Some(dir) => Self { path: dir.path().join(path), root_bytes: Some(dir.root_bytes()) },
            None => Self { path: path.to_owned(), root_bytes: None },
        }
    }

    /// The directory to work in, unless the path is used as it is, and the name in it.
    async fn reach(&self, io: &impl Io) -> io::Result<(Option<Directory>, &Path)> {
        let Some(root_bytes) = self.root_bytes else { return Ok((None, &self.path)) };
        let location = Location::beneath(&self.path, root_bytes);
        Ok((Some(io.directory(location).await?), location.name()))
    }
}

/// Identifies a file. The inode number alone doesn't: the file system uses it again once the file is gone.
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

/// What an attempt left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, at least not any more: the work may be done again.
    Nothing,
    /// The published result.
    Published,
    /// Possibly a write that can't be repeated.
    HalfDone,
}

/// Examines what the attempt that recorded `intent` left behind, and removes its temporary files. `intent` is encoded;
/// empty bytes mean that none was recorded.
///
/// # Errors
/// If the system refuses to look. Then nothing is known, and the work must not be repeated.
pub(crate) async fn examine(io: &impl Io, intent: &[u8]) -> io::Result<Left> {
    if intent.is_empty() {
        return Ok(Left::Nothing);
    }
    let intent =
        from_bytes(intent).ok_or_else(|| io::Error::other("a dead worker's intent cannot be decoded"))?;
    let (target, from, file) = match intent {
        Intent::Writing => return Ok(Left::HalfDone),
        Intent::Creating(target) => (target, PathBuf::new(), None),
        Intent::Naming { target, from, file } => (target, from, Some(file)),
    };
    let (directory, name) = match target.reach(io).await {
        // A directory that doesn't exist has nothing left in it.
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

/// The operations of one attempt. Records an intent before each step that a later attempt must know about.
pub(crate) struct IntentIo<'a> {
    pub(crate) io: &'a Blocking,
    pub(crate) worker: &'a Worker,
    pub(crate) lease: &'a Lease,
    /// Whether the job's writes must not be repeated.
    pub(crate) writes_once: bool,
    pub(crate) wrote: Cell<bool>,
}

impl IntentIo<'_> {
    async fn intent_of(&self, op: &Op) -> io::Result<Option<Intent>> {
        Ok(match op {
            Op::Open { dir, path, mode: OpenMode::CreateNew } => {
                Some(Intent::Creating(Target::new(dir.as_ref(), path)))
            }
            Op::Link { file, dir, path } => {
                let file = Identity::from(&self.io.stat(file).await?);
                Some(Intent::Naming { target: Target::new(dir.as_ref(), path), from: PathBuf::new(), file })
            }
            Op::Rename { dir, from, to, .. } => {
                let file = Identity::from(&self.io.stat_at(dir.as_ref(), from).await?);
                Some(Intent::Naming { target: Target::new(dir.as_ref(), to), from: from.clone(), file })
            }
            Op::WriteAt { .. } if self.writes_once && !self.wrote.replace(true) => Some(Intent::Writing),
            _ => None,
        })
    }
}

impl Io for IntentIo<'_> {
    async fn submit(&self, op: Op) -> Completion {
        match self.intent_of(&op).await {
            // An intent that is too long has a path that the system will refuse as well.
            Ok(Some(intent)) => drop(self.worker.record_intent(self.lease, &to_bytes(&intent))),
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

impl Metered for IntentIo<'_> {
    fn take_meter(&self) -> Meter {
        self.io.take_meter()
    }
}
