//! Names that survive a power cut: a directory is synced, and so are the names of the directories above it.
//!
//! Owns: which directories above a result are synced, and remembering those that were.
//! Does not own: syncing the result itself ([`super::staged`]).
//!
//! Source: fsync(2): syncing a file doesn't sync the entry that names it.

use std::io;
use std::path::Path;

use crate::{Directory, Io, Location};

/// Syncs, once for each worker, the names that lead to `directory`: the run may have made these directories. Opens
/// `directory` for its own sync, which follows when a file has its name in it.
///
/// All descriptors are opened here, while the file has no name: a lack of them must not fail a task whose result has
/// appeared.
///
/// # Errors
/// The system's error of opening `directory`, or of opening or syncing one above it.
pub(super) async fn sync_names_above(io: &impl Io, directory: &Directory) -> io::Result<()> {
    io.readable_directory(directory).await?;
    for made in directory.path().ancestors() {
        if made.file_name().is_none() || is_known(io, made) {
            break;
        }
        match sync_directory_above(io, made).await {
            Ok(()) => remember(io, made),
            // A directory that can't be read, or a file system whose directories can't be synced.
            Err(error) if cannot_be_synced(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Syncs the directory that names `made`, once for all jobs of a ring that ask for it meanwhile.
async fn sync_directory_above(io: &impl Io, made: &Path) -> io::Result<()> {
    let above = io.directory(Location::named(made)).await?;
    io.sync_directory(&above).await
}

fn cannot_be_synced(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    [InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported].contains(&error.kind())
}

/// A function of its own, so that the cache isn't borrowed across an `await`.
fn is_known(io: &impl Io, directory: &Path) -> bool {
    io.directory_cache().is_some_and(|cache| cache.borrow().is_name_synced(directory))
}

fn remember(io: &impl Io, directory: &Path) {
    if let Some(cache) = io.directory_cache() {
        cache.borrow_mut().name_synced(directory);
    }
}
