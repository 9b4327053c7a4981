//! The source and the result of a task, and how to reach them.
//!
//! Owns: opening the file that was found and no other, examining both names beneath their roots.
//! Does not own: tasks ([`crate::task`]), caching open directories ([`haul_io::Directory`]).

use std::io;
use std::path::Path;

use haul_io::{FileKind, HUGE_BYTES, Io, Location, OpenMode, Stat, find_features, spare_cache};

use super::found_file::FoundFile;
use super::source_file::SourceFile;
use crate::error::{During, Error};

/// The names of a task's source and result.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    source: &'a Path,
    target: &'a Path,
    found: Option<FoundFile>,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(source: &'a Path, target: &'a Path, found: Option<FoundFile>) -> Self {
        Self { source, target, found }
    }

    pub(crate) fn source(&self) -> Location<'a> {
        match self.found {
            Some(found) => Location::beneath(self.source, found.source_root_bytes),
            None => Location::named(self.source),
        }
    }

    pub(crate) fn target(&self) -> Location<'a> {
        match self.found {
            Some(found) => Location::beneath(self.target, found.target_root_bytes),
            None => Location::named(self.target),
        }
    }

    /// Returns what restricts the task to the file with `stat`, reached without following a link.
    pub(crate) async fn pinned(&self, io: &impl Io, stat: &Stat) -> Result<FoundFile, Error> {
        if !self.is_found(io, stat).await {
            return Err(Error::Exchanged);
        }
        Ok(FoundFile {
            source_root_bytes: self.source().root_bytes(),
            target_root_bytes: self.target().root_bytes(),
            is_link: false,
            is_named: !self.is_of_tree(),
            stat: *stat,
        })
    }

    /// Whether the source was found in a tree: the user hasn't named it.
    pub(crate) fn is_of_tree(&self) -> bool {
        self.found.is_some_and(|found| !found.is_named)
    }

    /// Whether `stat` belongs to the file that the walk found. Any file will do if the task was named directly.
    pub(crate) async fn is_found(&self, io: &impl Io, stat: &Stat) -> bool {
        match self.found {
            Some(found) if (found.stat.device, found.stat.inode) != (stat.device, stat.inode) => {
                self.is_same_without_inode(io, &found.stat, stat).await
            }
            _ => true,
        }
    }

    /// Whether `before` and `now`, seen under the source's name, describe the same content of the same file.
    pub(crate) async fn is_unchanged(&self, io: &impl Io, before: &Stat, now: &Stat) -> bool {
        before.same_content(now) || self.is_same_without_inode(io, before, now).await
    }

    /// Whether `before` and `now` describe the same file on a file system whose inode numbers change: everything else
    /// is the same, and nobody else can exchange names in its directory.
    async fn is_same_without_inode(&self, io: &impl Io, before: &Stat, now: &Stat) -> bool {
        if !before.same_version(now) {
            return false;
        }
        let Ok(directory) = io.directory(self.source()).await else { return false };
        if find_features(io, directory.file()).await.steady_inodes {
            return false;
        }
        io.stat(directory.file()).await.is_ok_and(|directory| directory.is_private_directory())
    }

    /// Opens the source for reading. It must be the file that was found, and regular.
    pub(crate) async fn open_source(&self, io: &impl Io) -> Result<SourceFile, Error> {
        self.open_source_as(io, OpenMode::Read { follow: self.follows() }).await
    }

    /// Opens the source for reading and writing; see [`open_source`](Self::open_source).
    pub(crate) async fn open_source_to_write(&self, io: &impl Io) -> Result<SourceFile, Error> {
        self.open_source_as(io, OpenMode::ReadWrite { follow: self.follows() }).await
    }

    /// Whether the last component may be a link: the user typed the name, or asked to follow links.
    fn follows(&self) -> bool {
        self.found.is_none_or(|found| found.is_link)
    }

    async fn open_source_as(&self, io: &impl Io, mode: OpenMode) -> Result<SourceFile, Error> {
        let location = self.source();
        let directory = io.directory(location).await.map_err(Error::at(During::OpenSource))?;
        let file = io.open(Some(&directory), location.name(), mode).await;
        let file = file.map_err(Error::at(During::OpenSource))?;
        let stat = io.stat(&file).await.map_err(Error::at(During::OpenSource))?;
        if !self.is_found(io, &stat).await {
            return Err(Error::Exchanged);
        }
        if stat.kind != FileKind::Regular {
            return Err(Error::NotRegular);
        }
        let is_unsteady = self.found.is_some_and(|found| found.stat.inode != stat.inode);
        let bytes = stat.bytes;
        let spares_cache = bytes >= HUGE_BYTES && spare_cache(io, &file, Some(bytes)).await;
        Ok(SourceFile { file, stat, is_unsteady, spares_cache })
    }

    /// Examines the source's name without following a link.
    pub(crate) async fn stat_source(&self, io: &impl Io) -> io::Result<Stat> {
        let directory = io.directory(self.source()).await?;
        io.stat_at(Some(&directory), self.source().name()).await
    }

    /// Examines the result's name without following a link.
    pub(crate) async fn stat_target(&self, io: &impl Io) -> io::Result<Stat> {
        stat_at(io, self.target()).await
    }
}

/// Describes what has the name `location`, in a directory that is reached without following a link beneath the root.
pub(crate) async fn stat_at(io: &impl Io, location: Location<'_>) -> io::Result<Stat> {
    let directory = io.directory(location).await?;
    io.stat_at(Some(&directory), location.name()).await
}
