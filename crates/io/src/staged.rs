//! Files that appear whole or not at all.
//!
//! A result is written without a name (or, where the file system can't, under an unpredictable one) in the directory
//! it will live in, and gets its name when it is complete.
//!
//! Owns: the order of the steps: create, allocate, write, metadata, sync, publish, sync the directory; undoing them.
//! Does not own: what is written, whether the source is removed afterwards.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FlockOperation, Mode};

use crate::op::{Found, Offset, Op, OpenMode};
use crate::perform::open_flags;
use crate::{Attributes, Buf, Directory, File, Io, Location};

/// What to do when the name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Existing {
    /// Fail with `AlreadyExists` and leave it.
    Refuse,
    /// Replace it, atomically.
    Replace,
}

/// Whether a published file must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Durability {
    /// The system writes it back in its own time.
    Eventual,
    /// Content is synced before the name appears, and the directory after.
    Synced,
}

/// Metadata for the result. `None` leaves the time of writing, and mode 0600.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preserve {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Time of last modification, seconds and nanoseconds since the epoch.
    pub modified: Option<(i64, u32)>,
    /// Extended attributes. One that can't be set is no failure: see [`Published`].
    pub attributes: Attributes,
}

/// What there is to say of a file that was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Names of extended attributes that it should have, and has not: they couldn't be read or set.
    pub lost_attributes: Vec<OsString>,
}

/// Where and how a staged file will appear.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Its final name.
    pub path: PathBuf,
    /// How many bytes of the name are its root's: see [`Location::beneath`]. Beneath it no link is followed, and the directory of the
    /// file is held open from its creation to its publication. `None`: the name means at each step what it means then.
    pub root_bytes: Option<usize>,
    /// What to do when the name is taken.
    pub existing: Existing,
    /// Whether it must survive a power cut.
    pub durability: Durability,
    /// Its metadata.
    pub preserve: Preserve,
}

/// A file being written that nobody sees yet. Ends by [`publish`](Staged::publish) or [`discard`](Staged::discard).
#[derive(Debug)]
pub struct Staged {
    file: File,
    /// The directory it is in; `None` where names are followed.
    directory: Option<Directory>,
    /// `None` while the file has no name at all: then nothing is left of it even when the process is killed.
    temporary: Option<PathBuf>,
    /// Whether that name is one that other programs know, and may use for something else meanwhile.
    kept: bool,
}

impl Staged {
    /// An empty file, mode 0600, where `publish` will want it, without a name where the file system can. Missing directories
    /// are made.
    ///
    /// # Errors
    /// Whatever the system says of creating a file in that directory.
    pub async fn create(io: &impl Io, publish: &Publish) -> io::Result<Self> {
        let mut made = false;
        loop {
            let directory = publish.directory(io).await?;
            let place = if directory.is_some() { Path::new(".") } else { directory_of(&publish.path) };
            match io.open(directory.as_ref(), place, OpenMode::Unnamed).await {
                Ok(file) => return Ok(Self { file, directory, temporary: None, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !made => {
                    publish.make_directory(io).await?;
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
            let directory = publish.directory(io).await?;
            let temporary = temporary_name(io, &publish.path);
            let place = place_in(directory.as_ref(), &temporary);
            match io.open(directory.as_ref(), place, OpenMode::CreateNew).await {
                Ok(file) => return Ok(Self { file, directory, temporary: Some(temporary), kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !made => {
                    publish.make_directory(io).await?;
                    made = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The file that another process staged under the name `temporary`, whose root is `root_bytes` long as with [`Publish`].
    ///
    /// # Errors
    /// Whatever the system says of opening it.
    pub async fn join(io: &impl Io, temporary: &Path, root_bytes: Option<usize>) -> io::Result<Self> {
        let directory = match root_bytes {
            Some(root_bytes) => Some(io.directory(Location::beneath(temporary, root_bytes)).await?),
            None => None,
        };
        let place = place_in(directory.as_ref(), temporary);
        let file = io.open(directory.as_ref(), place, OpenMode::Staged).await?;
        Ok(Self { file, directory, temporary: Some(temporary.to_owned()), kept: false })
    }

    /// A new, empty file of mode 0600 under a name that is to outlive the process. Missing directories are made.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken; else what the system says.
    pub async fn create_as(io: &impl Io, temporary: PathBuf) -> io::Result<Self> {
        let file = match io.open(None, &temporary, OpenMode::CreateNew).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                io.make_directories(directory_of(&temporary)).await?;
                io.open(None, &temporary, OpenMode::CreateNew).await?
            }
            result => result?,
        };
        Ok(Self { file, directory: None, temporary: Some(temporary), kept: true })
    }

    /// The file that [`Staged::create_as`] made, perhaps in another process. Dropped, it stays.
    ///
    /// # Errors
    /// What the system says of opening it for reading and writing; symbolic links aren't followed.
    pub async fn reopen(io: &impl Io, temporary: PathBuf) -> io::Result<Self> {
        let file = io.open(None, &temporary, OpenMode::ReadWrite { follow: false }).await?;
        Ok(Self { file, directory: None, temporary: Some(temporary), kept: true })
    }

    /// The file to write into.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its temporary name, if it has one.
    pub fn temporary(&self) -> Option<&Path> {
        self.temporary.as_deref()
    }

    /// Gives the complete file its metadata and its name. On failure nothing is left of it and an existing file under
    /// that name is untouched, unless the last step failed: the sync of the directory, after the file has appeared.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken and [`Existing::Refuse`] was asked; else what the system says. A failed
    /// sync is never retried: the pages it failed on may be gone.
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
        let Publish { path, existing, durability, preserve, .. } = publish;
        // In front of the mode, which may forbid it.
        let lost_attributes = io.set_attributes(&self.file, &preserve.attributes).await;
        if let Some(mode) = preserve.mode {
            io.done(Op::SetMode { file: self.file.clone(), mode }).await?;
        }
        if let Some(modified) = preserve.modified {
            io.done(Op::SetModified { file: self.file.clone(), modified }).await?;
        }
        if *durability == Durability::Synced {
            io.sync(&self.file).await?;
        }
        self.name(io, path, *existing).await?;
        match (durability, &self.directory) {
            (Durability::Eventual, _) => {}
            (Durability::Synced, Some(directory)) => io.sync_directory(directory).await?,
            (Durability::Synced, None) => sync_directory_of(io, path).await?,
        }
        Ok(Published { lost_attributes })
    }

    async fn name(&mut self, io: &impl Io, path: &Path, existing: Existing) -> io::Result<()> {
        if self.kept && existing == Existing::Refuse && self.link_kept(io, path).await? {
            return Ok(());
        }
        if self.temporary.is_none() {
            match io.done(self.link(path)).await {
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {}
                result => return result,
            }
            // Only a rename replaces: the file gets a name of its own first.
            let temporary = temporary_name(io, path);
            io.done(self.link(&temporary)).await?;
            self.temporary = Some(temporary);
        }
        let from = self.place(self.temporary.as_deref().expect("named above"));
        let (dir, to, replace) = (self.directory.clone(), self.place(path), existing == Existing::Replace);
        io.done(Op::Rename { dir, from, to, replace }).await?;
        self.temporary = None;
        Ok(())
    }

    /// Names the open file itself, whatever its temporary name leads to now. False where the file system has no links.
    async fn link_kept(&mut self, io: &impl Io, path: &Path) -> io::Result<bool> {
        match io.done(self.link(path)).await {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        // It is one more name of a complete file at worst.
        self.remove_temporary(io).await;
        Ok(true)
    }

    fn link(&self, path: &Path) -> Op {
        Op::Link { file: self.file.clone(), dir: self.directory.clone(), path: self.place(path) }
    }

    /// `path`, which lies in the file's directory, as operations take it.
    fn place(&self, path: &Path) -> PathBuf {
        place_in(self.directory.as_ref(), path).to_owned()
    }

    /// Removes what was written so far.
    pub async fn discard(mut self, io: &impl Io) {
        self.remove_temporary(io).await;
    }

    async fn remove_temporary(&mut self, io: &impl Io) {
        if let Some(temporary) = self.temporary.take() {
            // Nothing better can be done about a failure here than what the next run does: clear it away.
            let _ = io.remove(self.directory.as_ref(), &self.place(&temporary)).await;
        }
    }
}

impl Publish {
    /// A new file under the name `path` as it stands: where the name is taken that is refused, no power cut need be survived, and it
    /// gets no metadata.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (existing, durability) = (Existing::Refuse, Durability::Eventual);
        Self { path: path.into(), root_bytes: None, existing, durability, preserve: Preserve::default() }
    }

    /// The directory of the file, where it is to be held open. What is missing of it is made.
    async fn directory(&self, io: &impl Io) -> io::Result<Option<Directory>> {
        let Some(root_bytes) = self.root_bytes else { return Ok(None) };
        io.make_directory(Location::beneath(&self.path, root_bytes)).await.map(Some)
    }

    /// Makes the directory, which is not there or not any more.
    async fn make_directory(&self, io: &impl Io) -> io::Result<()> {
        match self.root_bytes {
            Some(_) => {
                io.kept().into_iter().for_each(|kept| kept.borrow_mut().forget());
                self.directory(io).await.map(drop)
            }
            None => io.make_directories(directory_of(&self.path)).await,
        }
    }
}

/// Writes `content` (its filled bytes) as a whole new file. On failure nothing is left of it.
///
/// # Errors
/// As [`Staged::create`] and [`Staged::publish`].
pub async fn write_file(io: &impl Io, publish: Publish, content: Buf) -> Found<Published> {
    let staged = match Staged::create(io, &publish).await {
        Ok(staged) => staged,
        Err(error) => return (Err(error), content),
    };
    let (result, content) = io.write_all(staged.file(), content, Offset::At(0)).await;
    let result = match result {
        Ok(()) => staged.publish(io, &publish).await,
        Err(error) => {
            staged.discard(io).await;
            Err(error)
        }
    };
    (result, content)
}

/// Makes the names beside `path`, and its own, survive a power cut.
///
/// # Errors
/// Whatever the system says of opening or syncing the directory.
pub async fn sync_directory_of(io: &impl Io, path: &Path) -> io::Result<()> {
    let directory = io.open(None, directory_of(path), OpenMode::Directory).await?;
    io.sync(&directory).await
}

/// What the name of a temporary file begins with.
const TEMPORARY_PREFIX: &str = ".haul-";
/// What it ends in.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Whether a file of this name is staged, or was left by a run that was killed.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY_PREFIX.as_bytes()) && name.ends_with(TEMPORARY_SUFFIX.as_bytes())
}

/// Removes the temporary file `name` in `directory` if nobody works on it: what a run left that was killed.
///
/// # Errors
/// Whatever the system says of opening, locking or removing it; `WouldBlock` where somebody works on it.
pub fn remove_if_left(directory: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let file = fs::openat(directory, name, open_flags(OpenMode::ReadWrite { follow: false }), Mode::empty())?;
    fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(fs::unlinkat(directory, name, AtFlags::empty())?)
}

/// `path` as operations take it that are given `directory`.
fn place_in<'a>(directory: Option<&Directory>, path: &'a Path) -> &'a Path {
    if directory.is_some() { Location::named(path).name() } else { path }
}

fn temporary_name(io: &impl Io, path: &Path) -> PathBuf {
    let mut random = [0; 8];
    io.random(&mut random);
    let name =
        OsString::from(format!("{TEMPORARY_PREFIX}{:016x}{TEMPORARY_SUFFIX}", u64::from_ne_bytes(random)));
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What kernels and file systems without `O_TMPFILE` answer: see open(2).
fn cannot_be_unnamed(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL]
        .map(Errno::raw_os_error)
        .contains(&error.raw_os_error().unwrap_or_default())
}
