//! Opening directories step by step.
//!
//! Owns: where a way begins, the error for a symbolic link beneath its root, making what is missing.
//! Does not own: where the root of a name ends ([`Location`]), the cache ([`crate::DirectoryCache`]).

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::io::DIRECTORY_MODE;
use crate::{Directory, File, FileKind, Io, Location, OpenMode};

/// Opens the directory of `location`, starting at the nearest cached directory above it, or at its root.
pub(crate) async fn reach(io: &impl Io, location: Location<'_>, make: bool) -> io::Result<Directory> {
    let root_bytes = location.root_bytes();
    let mut directory = match nearest(io, location) {
        Some(directory) => directory,
        None => {
            let file = io.open(None, location.root(), OpenMode::Anchor { follow: true }).await?;
            keep(io, Directory::new(file, location.root_path(), root_bytes))
        }
    };
    for (name, path) in location.steps_from(directory.path()) {
        let file = match step(io, &directory, name).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                match io.make_one_directory(Some(&directory), name, DIRECTORY_MODE).await {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => step(io, &directory, name).await?,
                }
            }
            result => result?,
        };
        directory = keep(io, Directory::new(file, path, root_bytes));
    }
    Ok(directory)
}

/// The nearest cached directory above `location`. A function of its own, so that the cache isn't borrowed across an
/// `await`.
fn nearest(io: &impl Io, location: Location<'_>) -> Option<Directory> {
    let mut cache = io.directory_cache()?.borrow_mut();
    location.ancestors().find_map(|ancestor| cache.find(ancestor, location.root_bytes()))
}

fn keep(io: &impl Io, directory: Directory) -> Directory {
    if let Some(cache) = io.directory_cache() {
        cache.borrow_mut().keep(directory.clone());
    }
    directory
}

/// Opens the directory `name` in `directory`; a symbolic link is an error.
async fn step(io: &impl Io, directory: &Directory, name: &Path) -> io::Result<File> {
    if name == Path::new("..") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name leads out of its root"));
    }
    match io.open(Some(directory), name, OpenMode::Anchor { follow: false }).await {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            match io.stat_at(Some(directory), name).await {
                Ok(stat) if stat.kind == FileKind::Symlink => Err(Errno::LOOP.into()),
                _ => Err(error),
            }
        }
        result => result,
    }
}
