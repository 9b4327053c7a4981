//! Where a result and the files beside it lie.
//!
//! The directory of a name is opened at each step, beneath the root without following links, and the file is opened,
//! examined or removed in that open directory. So a link that another user puts in place of a directory at any moment
//! leads to an error, never out of the tree.
//!
//! Owns: these steps, the names of files beside a result.
//! Does not own: what the files hold ([`crate::kept::record`], [`crate::kept::partial`]).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use haul_io::{Directory, Existing, File, Io, Location, OpenMode, Publish, Staged, Stat, sync_directory_of};

use crate::Error;

/// The longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The name of a file, and the root beneath which no directory of the name may be a link.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// As in [`Publish`]: with `None`, the links in the name are followed.
    root_bytes: Option<usize>,
}

impl Place {
    /// The place of a result.
    pub(crate) fn of(publish: &Publish) -> Self {
        Self { path: publish.path.clone(), root_bytes: publish.root_bytes }
    }

    /// A name that the user wrote.
    #[cfg(test)]
    pub(crate) fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), root_bytes: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The place of the file beside this one whose name ends in `suffix`.
    pub(crate) fn sibling(&self, suffix: &str) -> Self {
        Self { path: sibling(&self.path, suffix), root_bytes: self.root_bytes }
    }

    /// How a file is published here that needs no metadata.
    pub(crate) fn publish(&self, existing: Existing) -> Publish {
        Publish { existing, root_bytes: self.root_bytes, ..Publish::new(self.path.clone()) }
    }

    /// Opens the file.
    pub(crate) async fn open(&self, io: &impl Io, mode: OpenMode) -> io::Result<File> {
        let directory = self.directory(io).await?;
        io.open(directory.as_ref(), self.name(directory.as_ref()), mode).await
    }

    /// Describes the file; a link is described itself.
    pub(crate) async fn stat(&self, io: &impl Io) -> io::Result<Stat> {
        let directory = self.directory(io).await?;
        io.stat_at(directory.as_ref(), self.name(directory.as_ref())).await
    }

    /// Makes the directories that are missing beneath the root.
    pub(crate) async fn make_directory(&self, io: &impl Io) -> io::Result<()> {
        match self.root_bytes {
            Some(root_bytes) => io.make_directory(Location::beneath(&self.path, root_bytes)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Makes the file, empty: see [`Staged::create_as`].
    pub(crate) async fn create(&self, io: &impl Io) -> io::Result<Staged> {
        Staged::create_as(io, self.path.clone(), self.root_bytes).await
    }

    /// Opens and locks the file: see [`Staged::reopen`].
    pub(crate) async fn reopen(&self, io: &impl Io) -> io::Result<Staged> {
        Staged::reopen(io, self.path.clone(), self.root_bytes).await
    }

    /// Describes what has the name of `staged` in the directory that `staged` lies in.
    pub(crate) async fn stat_beside(&self, io: &impl Io, staged: &Staged) -> io::Result<Stat> {
        io.stat_at(staged.directory(), self.name(staged.directory())).await
    }

    /// Removes the file, if it exists.
    pub(crate) async fn remove(&self, io: &impl Io) -> Result<(), Error> {
        let removed = async {
            let directory = self.directory(io).await?;
            io.remove(directory.as_ref(), self.name(directory.as_ref())).await
        };
        match removed.await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::write(error)),
            _ => Ok(()),
        }
    }

    /// Syncs the directory, so that its names survive a power cut.
    pub(crate) async fn sync_directory(&self, io: &impl Io) -> io::Result<()> {
        match self.directory(io).await? {
            Some(directory) => io.sync_directory(&directory).await,
            None => sync_directory_of(io, &self.path).await,
        }
    }

    /// The open directory; `None` if the whole name is resolved by each operation.
    async fn directory(&self, io: &impl Io) -> io::Result<Option<Directory>> {
        match self.root_bytes {
            Some(root_bytes) => io.directory(Location::beneath(&self.path, root_bytes)).await.map(Some),
            None => Ok(None),
        }
    }

    fn name(&self, directory: Option<&Directory>) -> &Path {
        if directory.is_some() { Location::named(&self.path).name() } else { &self.path }
    }
}

/// `result` with `suffix` at its end. A name that would become too long for file systems is cut, and told from others
/// that are cut by a hash.
pub(crate) fn sibling(result: &Path, suffix: &str) -> PathBuf {
    let name = result.file_name().unwrap_or_default();
    if name.len() + suffix.len() <= NAME_BYTES_MAX {
        let mut path = OsString::from(result);
        path.push(suffix);
        return PathBuf::from(path);
    }
    let hash = blake3::hash(name.as_encoded_bytes()).to_hex();
    let end = format!("~{}{suffix}", &hash[..16]);
    // As text: what isn't Unicode is in the hash.
    let mut cut = name.to_string_lossy().into_owned();
    let mut bytes = cut.len().min(NAME_BYTES_MAX - end.len());
    while !cut.is_char_boundary(bytes) {
        bytes -= 1;
    }
    cut.truncate(bytes);
    result.with_file_name(cut + &end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_leave_room_for_the_suffix() {
        let sibling = |name: &str| sibling(&Path::new("d").join(name), ".haul-part.from");
        assert_eq!(sibling(&"n".repeat(240)), Path::new("d").join("n".repeat(240) + ".haul-part.from"));
        let mut seen = std::collections::HashSet::new();
        for name in ["n".repeat(241), "n".repeat(255), "\u{e9}".repeat(127), "n".repeat(254) + "m"] {
            let path = sibling(&name);
            let found = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(found.len() <= 255 && found.ends_with(".haul-part.from"), "{found}");
            assert_eq!(path.parent(), Some(Path::new("d")));
            assert!(seen.insert(found), "{name}");
        }
    }
}
