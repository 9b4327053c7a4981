//! Files that appear whole or not at all.
//!
//! A result is written in the directory where it will live, without a name or, if the file system can't do that, under
//! an unpredictable one. It gets its name when it is complete.
//!
//! Owns: the order of the steps (create, allocate, write, flush, metadata, sync, publish, sync the directory) and
//! undoing them.
//! Does not own: what is written, whether the source is removed afterwards, the ways to give a file its name
//! ([`super::naming`]) and its metadata ([`super::metadata`]).

use std::io;
use std::path::{Path, PathBuf};

use super::durable::sync_names_above;
use super::identity::StagedIdentity;
use super::metadata::{features_of, find_features, is_refused, set_metadata};
use super::sparse::write_sparse;
use super::temporary::temporary_name;
use crate::{
    Buf, BufResult, Directory, Durability, File, Io, Location, Offset, Op, OpenMode, Publish, Published,
    Value,
};

/// The bytes that are copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// A file that is being written and that no other program sees yet. It ends by [`publish`](Staged::publish) or
/// [`discard`](Staged::discard).
#[derive(Debug)]
pub struct Staged {
    pub(super) file: File,
    /// The directory that it lies in; `None` if its names are resolved anew at each step.
    pub(super) directory: Option<Directory>,
    /// `None` while the file has no name at all; then the kernel removes it when the process dies.
    pub(super) temporary: Option<PathBuf>,
    /// Of a file that other processes join by its name, or that is published by it.
    pub(super) identity: Option<StagedIdentity>,
}

impl Staged {
    /// Creates an empty file, mode 0600, in the directory of `publish`, without a name if the file system supports
    /// that. Missing directories are made.
    ///
    /// # Errors
    /// The system's error of creating a file in that directory.
    pub async fn create(io: &impl Io, publish: &Publish) -> io::Result<Self> {
        let mut made = false;
        loop {
            let directory = anchor(io, publish).await?;
            if directory.as_ref().is_some_and(|directory| directory.learned().lacks_links()) {
                return Self::create_named(io, publish).await;
            }
            let name = if directory.is_some() { Path::new(".") } else { directory_of(&publish.path) };
            match io.open(directory.as_ref(), name, OpenMode::Unnamed).await {
                Ok(file) => {
                    let (temporary, identity) = (None, None);
                    return Ok(Self { file, directory, temporary, identity });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && !made => {
                    make_directory(io, publish).await?;
                    made = true;
                }
                Err(error) if cannot_be_unnamed(&error) => return Self::create_named(io, publish).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`create`](Self::create), with a temporary name by which other processes [`join`](Self::join).
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_named(io: &impl Io, publish: &Publish) -> io::Result<Self> {
        let mut made = false;
        loop {
            let directory = anchor(io, publish).await?;
            let temporary = temporary_name(io, &publish.path);
            let name = name_in(directory.as_ref(), &temporary);
            match io.open(directory.as_ref(), name, OpenMode::CreateNew).await {
                Ok(file) => {
                    let temporary = Some(temporary);
                    let mut staged = Self { file, directory, temporary, identity: None };
                    match staged.identify(io).await {
                        Ok(identity) => staged.identity = Some(identity),
                        Err(error) => {
                            staged.discard(io).await;
                            return Err(error);
                        }
                    }
                    return Ok(staged);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !made => {
                    make_directory(io, publish).await?;
                    made = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens the file that another process staged under the name `temporary`; `root_bytes` is as in [`Publish`].
    ///
    /// # Errors
    /// The system's error of opening it, or one that says that the name leads to a file of another `identity`.
    pub async fn join(
        io: &impl Io,
        temporary: &Path,
        root_bytes: Option<usize>,
        identity: StagedIdentity,
    ) -> io::Result<Self> {
        let directory = held_directory(io, temporary, root_bytes).await?;
        let name = name_in(directory.as_ref(), temporary);
        let file = io.open(directory.as_ref(), name, OpenMode::Staged).await?;
        let found = io.stat(&file).await?;
        let staged =
            Self { file, directory, temporary: Some(temporary.to_owned()), identity: Some(identity) };
        staged.check_joined(io, identity, &found).await?;
        Ok(staged)
    }

    /// Creates an empty file, mode 0600, under a name that outlives the process; `root_bytes` is as in [`Publish`].
    /// Missing directories are made.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken; else the system's error.
    pub async fn create_as(io: &impl Io, temporary: PathBuf, root_bytes: Option<usize>) -> io::Result<Self> {
        let publish = Publish { root_bytes, ..Publish::new(temporary) };
        let mut made = false;
        loop {
            let directory = anchor(io, &publish).await?;
            let name = name_in(directory.as_ref(), &publish.path);
            match io.open(directory.as_ref(), name, OpenMode::CreateNew).await {
                Ok(file) => {
                    return Ok(Self { file, directory, temporary: Some(publish.path), identity: None });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && !made => {
                    make_directory(io, &publish).await?;
                    made = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens the file that [`Staged::create_as`] made, perhaps in another process. The file is locked
    /// against others. Dropping it leaves the file in place.
    ///
    /// # Errors
    /// The system's error of opening it for reading and writing; symbolic links aren't followed. `WouldBlock` if
    /// another process works on it.
    pub async fn reopen(io: &impl Io, temporary: PathBuf, root_bytes: Option<usize>) -> io::Result<Self> {
        let directory = held_directory(io, &temporary, root_bytes).await?;
        let name = name_in(directory.as_ref(), &temporary);
        let file = io.open(directory.as_ref(), name, OpenMode::Locked).await?;
        Ok(Self { file, directory, temporary: Some(temporary), identity: None })
    }

    /// The directory that it lies in, if it is held open.
    pub fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// The file to write into.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its temporary name, if it has one.
    pub fn temporary(&self) -> Option<&Path> {
        self.temporary.as_deref()
    }

    /// What its temporary name must lead to; `None` for a file that has no name or one that outlives the run.
    pub fn identity(&self) -> Option<StagedIdentity> {
        self.identity
    }

    /// Removes the file that another process staged under the name `temporary`, if its process is gone or failed.
    /// Needs no descriptor if none is free.
    pub async fn remove_joinable(io: &impl Io, temporary: &Path, root_bytes: Option<usize>) {
        let directory = held_directory(io, temporary, root_bytes).await.unwrap_or(None);
        // A failure leaves the file to the next run, which removes leftovers.
        let _ = io.remove(directory.as_ref(), name_in(directory.as_ref(), temporary)).await;
    }

    /// Gives the complete file its metadata and its name. On failure the staged file is removed, and an existing file
    /// under that name is untouched. The exception is a failed sync of the directory, the last step: by then the file
    /// has appeared.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken and [`Existing::Refuse`](crate::Existing::Refuse) was asked for; else the
    /// system's error. A failed sync is never retried: the pages that it failed on may be gone.
    pub async fn publish(mut self, io: &impl Io, publish: &Publish) -> io::Result<Published> {
        match self.try_publish(io, publish).await {
            Ok(published) => Ok(published),
            Err(error) => {
                self.discard(io).await;
                Err(error)
            }
        }
    }

    async fn try_publish(&mut self, io: &impl Io, publish: &Publish) -> io::Result<Published> {
        let Publish { path, existing, durability, .. } = publish;
        let mut published = self.complete(io, publish).await?;
        let readable = match (durability, &self.directory) {
            (Durability::Eventual, _) => None,
            (Durability::Synced, Some(directory)) => {
                sync_names_above(io, directory).await?;
                None
            }
            (Durability::Synced, None) => Some(open_directory_of(io, path).await?),
        };
        let is_linked = match self.publish_as(io, path, *existing, &mut published.shortfalls).await {
            Err(error) if self.temporary.is_none() && is_refused(&error) => {
                self.copy_under_name(io, publish).await?;
                published = self.complete(io, publish).await?;
                self.publish_as(io, path, *existing, &mut published.shortfalls).await?
            }
            result => result?,
        };
        if is_linked && *durability == Durability::Synced && !self.directory_stores_links(io).await {
            // On the disk the number of links may still be 0, and a check would remove the file.
            io.sync(&self.file).await?;
        }
        match (durability, &self.directory, &readable) {
            (Durability::Synced, Some(directory), _) => io.sync_directory(directory).await?,
            (_, _, Some(readable)) => io.sync(readable).await?,
            _ => {}
        }
        Ok(published)
    }

    /// Whether syncing the directory also stores how many links the file has.
    async fn directory_stores_links(&self, io: &impl Io) -> bool {
        if let Some(known) = self.directory.as_ref().and_then(|directory| directory.learned().stores_links())
        {
            return known;
        }
        let asked = io.submit(Op::StoresLinks { file: self.file.clone() }).await.result;
        let stores = matches!(asked, Ok(Value::Flag(true)));
        match &self.directory {
            Some(directory) => directory.learned().learn_stores_links(stores),
            None => stores,
        }
    }

    /// Makes sure that the content is stored, and sets the metadata.
    async fn complete(&self, io: &impl Io, publish: &Publish) -> io::Result<Published> {
        let directory = self.directory.as_ref();
        let features = match directory {
            Some(directory) => features_of(io, directory).await,
            None => find_features(io, &self.file).await,
        };
        if features.reports_at_close {
            io.done(Op::Flush { file: self.file.clone() }).await?;
        }
        let published = set_metadata(io, &self.file, directory, &publish.preserve).await?;
        if publish.durability == Durability::Synced {
            io.sync(&self.file).await?;
        }
        Ok(published)
    }

    /// Copies the complete content of an unnamed file that can't be given a name into one that has a temporary name.
    async fn copy_under_name(&mut self, io: &impl Io, publish: &Publish) -> io::Result<()> {
        if let Some(directory) = &self.directory {
            directory.learned().learn_lacks_links();
        }
        let named = Self::create_named(io, publish).await?;
        let unnamed = std::mem::replace(self, named);
        let mut buf = io.take_buf(COPY_BYTES);
        let mut offset = Offset::At(0);
        loop {
            let (count, back) = io.read_full(&unnamed.file, buf, COPY_BYTES, offset).await;
            let count = count?;
            let (written, back) = io.write_all(&self.file, back, offset).await;
            written?;
            buf = back;
            offset = offset.plus(count);
            if count < COPY_BYTES {
                io.give_buf(buf);
                return Ok(());
            }
        }
    }

    pub(super) fn link(&self, path: &Path) -> Op {
        Op::Link { file: self.file.clone(), dir: self.directory.clone(), path: self.relative(path) }
    }

    /// `path`, which lies in the file's directory, as an operation takes it.
    pub(super) fn relative(&self, path: &Path) -> PathBuf {
        name_in(self.directory.as_ref(), path).to_owned()
    }

    /// Removes what was written so far.
    pub async fn discard(mut self, io: &impl Io) {
        self.remove_temporary(io).await;
    }

    pub(super) async fn remove_temporary(&mut self, io: &impl Io) {
        if let Some(temporary) = self.temporary.take() {
            let (directory, name) = (self.directory.as_ref(), self.relative(&temporary));
            // A second failure leaves the file to the next run, which removes leftovers.
            if io.remove(directory, &name).await.is_err() {
                let _ = io.remove(directory, &name).await;
            }
        }
    }
}

/// Opens the directory of a new file, if it is to be held open. Missing directories are made.
async fn anchor(io: &impl Io, publish: &Publish) -> io::Result<Option<Directory>> {
    let Some(root_bytes) = publish.root_bytes else { return Ok(None) };
    io.make_directory(Location::beneath(&publish.path, root_bytes)).await.map(Some)
}

/// Opens the directory of an existing file, if its names are resolved in an open one.
async fn held_directory(
    io: &impl Io,
    path: &Path,
    root_bytes: Option<usize>,
) -> io::Result<Option<Directory>> {
    match root_bytes {
        Some(root_bytes) => io.directory(Location::beneath(path, root_bytes)).await.map(Some),
        None => Ok(None),
    }
}

/// Makes the directory of a new file again, after it turned out to be missing.
async fn make_directory(io: &impl Io, publish: &Publish) -> io::Result<()> {
    if publish.root_bytes.is_none() {
        return io.make_directories(directory_of(&publish.path)).await;
    }
    if let Some(cache) = io.directory_cache() {
        cache.borrow_mut().clear();
    }
    anchor(io, publish).await.map(drop)
}

/// Writes `content` (its filled bytes) as a whole new file. On failure nothing is left of it.
///
/// # Errors
/// As [`Staged::create`] and [`Staged::publish`].
pub async fn write_file(io: &impl Io, publish: Publish, content: Buf) -> BufResult<Published> {
    let staged = match Staged::create(io, &publish).await {
        Ok(staged) => staged,
        Err(error) => return (Err(error), content),
    };
    let bytes = content.filled().len() as u64;
    let (mut result, content) = if publish.sparse {
        write_sparse(io, staged.file(), content, 0).await
    } else {
        io.write_all(staged.file(), content, Offset::At(0)).await
    };
    if publish.sparse && result.is_ok() {
        result = io.done(Op::SetLength { file: staged.file().clone(), bytes }).await;
    }
    let result = match result {
        Ok(()) => staged.publish(io, &publish).await,
        Err(error) => {
            staged.discard(io).await;
            Err(error)
        }
    };
    (result, content)
}

/// Syncs the directory of `path`, so that the names in it survive a power cut.
///
/// # Errors
/// The system's error of opening or syncing the directory.
pub async fn sync_directory_of(io: &impl Io, path: &Path) -> io::Result<()> {
    io.sync(&open_directory_of(io, path).await?).await
}

async fn open_directory_of(io: &impl Io, path: &Path) -> io::Result<File> {
    io.open(None, directory_of(path), OpenMode::Directory).await
}

/// `path` as it is named in an operation with this `directory`.
fn name_in<'a>(directory: Option<&Directory>, path: &'a Path) -> &'a Path {
    if directory.is_some() { Location::named(path).name() } else { path }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The errors of kernels and file systems without `O_TMPFILE`, and of filters of system calls: see open(2).
fn cannot_be_unnamed(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL, Errno::PERM, Errno::NOSYS]
        .map(Errno::raw_os_error)
        .contains(&error.raw_os_error().unwrap_or_default())
}
