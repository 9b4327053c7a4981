//! Source and result of a task, and the ways to them.
//!
//! Owns: opening the source that was found and no other, looking at both names beneath their roots.
//! Does not own: tasks ([`crate::task`]), directories that are held open ([`haul_io::Directory`]).

use std::io;
use std::path::Path;

use haul_io::{File, FileKind, Io, Location, OpenMode, Stat};

use crate::task::Found;
use crate::{During, Error, Task};

/// Source and result of a task.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    source: &'a Path,
    target: &'a Path,
    found: Option<Found>,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(source: &'a Path, target: &'a Path, found: Option<Found>) -> Self {
        Self { source, target, found }
    }

    /// Of a task that is known to have them.
    pub(crate) fn of(task: &'a Task) -> Self {
        match task.pair() {
            Ok(Ok(pair)) => pair,
            _ => unreachable!("only files are worked on"),
        }
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

    /// What pins the task to the file that `stat` is of, which is reached without following a link.
    pub(crate) fn pinned(&self, stat: &Stat) -> Result<Found, Error> {
        if !self.is_found(stat) {
            return Err(Error::Exchanged);
        }
        let found = Found {
            source_root_bytes: self.source().root_bytes(),
            target_root_bytes: self.target().root_bytes(),
            is_link: false,
            device: stat.device,
            inode: stat.inode,
        };
        Ok(found)
    }

    /// Whether `stat` is of the file that was found.
    pub(crate) fn is_found(&self, stat: &Stat) -> bool {
        self.found.is_none_or(|found| (found.device, found.inode) == (stat.device, stat.inode))
    }

    /// Opens the source, which must be a regular file, and the one that was found.
    pub(crate) async fn open_source(&self, io: &impl Io) -> Result<(File, Stat), Error> {
        self.open_source_as(io, OpenMode::Read { follow: self.follows() }).await
    }

    /// As [`open_source`](Self::open_source), to write into it.
    pub(crate) async fn open_source_to_write(&self, io: &impl Io) -> Result<(File, Stat), Error> {
        self.open_source_as(io, OpenMode::ReadWrite { follow: self.follows() }).await
    }

    /// Whether the name itself may be a link: the user wrote it, or wants links to be followed.
    fn follows(&self) -> bool {
        self.found.is_none_or(|found| found.is_link)
    }

    async fn open_source_as(&self, io: &impl Io, mode: OpenMode) -> Result<(File, Stat), Error> {
        let location = self.source();
        let directory = io.directory(location).await.map_err(Error::at(During::OpenSource))?;
        let file = io.open(Some(&directory), location.name(), mode).await;
        let file = file.map_err(Error::at(During::OpenSource))?;
        let stat = io.stat(&file).await.map_err(Error::at(During::OpenSource))?;
        match stat.kind {
            _ if !self.is_found(&stat) => Err(Error::Exchanged),
            FileKind::Regular => Ok((file, stat)),
            _ => Err(Error::NotRegular),
        }
    }

    /// What is known of the name of the source itself.
    pub(crate) async fn stat_source(&self, io: &impl Io) -> io::Result<Stat> {
        let directory = io.directory(self.source()).await?;
        io.stat_at(Some(&directory), self.source().name()).await
    }

    /// What is known of the result.
    pub(crate) async fn stat_target(&self, io: &impl Io) -> io::Result<Stat> {
        let directory = io.directory(self.target()).await?;
        io.stat_at(Some(&directory), self.target().name()).await
    }
}
