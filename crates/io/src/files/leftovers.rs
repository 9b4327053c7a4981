//! Removing the temporary files of killed runs.
//!
//! Owns: which files are leftovers, the lock that tells a leftover from a file in use.
//! Does not own: the names ([`super::temporary`]), which directories are swept.
//!
//! Source: flock(2).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode};

use super::temporary::has_own_form;
use crate::{FileKind, Io, Location, OpenMode, Stat};

/// Removes the leftovers in the directory of `location`. A directory that is missing or can't be read has nothing to
/// remove, a simulated one neither. Blocks while the directory is read.
pub async fn sweep(io: &impl Io, location: Location<'_>) {
    let Ok(directory) = io.directory(location).await else { return };
    let Ok(readable) = io.open(Some(&directory), Path::new("."), OpenMode::Directory).await else { return };
    if let Ok(readable) = readable.0.fd() {
        // What couldn't be read is left for the next run.
        let _ = sweep_directory(readable);
    }
}

fn sweep_directory(directory: BorrowedFd<'_>) -> io::Result<()> {
    let mut leftovers = Leftovers::default();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if has_own_form(name)
            && let Ok(stat) = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            && leftovers.contains(directory, name, &stat.into())
        {
            remove_leftover(directory, name);
        }
    }
    Ok(())
}

/// Tells leftovers from other files. A directory is looked through for second names once, however many there are.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// What is the same under two names, by device and inode of the directory.
    twins: HashMap<(u64, u64), HashSet<Version>>,
}

/// Device, length and the times of the last changes, in nanoseconds. The last one can't be set. Some FUSE file systems
/// give a file another inode number at each look, so that it says nothing.
type Version = (u64, u64, (i64, u32), (i64, u32));

/// How many directories are remembered.
const DIRECTORIES_MAX: usize = 256;

impl Leftovers {
    /// Whether the file `name` with `stat` in `directory` is a temporary file of this program: it has 16 hexadecimal
    /// digits and is a regular file with one name. A user's own file may have a similar name. A run that was killed
    /// right after it published a result may have left the temporary name beside it.
    pub fn contains(&mut self, directory: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> bool {
        has_own_form(name)
            && stat.kind == FileKind::Regular
            && (stat.links == 1 || stat.links == 2 && self.has_twin(directory, stat).unwrap_or(false))
    }

    /// Whether the file with `stat` has two names in `directory`.
    fn has_twin(&mut self, directory: BorrowedFd<'_>, stat: &Stat) -> io::Result<bool> {
        let own = Stat::from(fs::fstat(directory)?);
        let key = (own.device, own.inode);
        if !self.twins.contains_key(&key) {
            if self.twins.len() >= DIRECTORIES_MAX {
                self.twins.clear();
            }
            self.twins.insert(key, twins(directory)?);
        }
        Ok(self.twins[&key].contains(&version(stat)))
    }
}

/// The files that have both of their names in `directory`.
fn twins(directory: BorrowedFd<'_>) -> io::Result<HashSet<Version>> {
    let (mut seen, mut twins) = (HashSet::new(), HashSet::new());
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let Ok(stat) = fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let stat = Stat::from(stat);
        if stat.kind == FileKind::Regular && stat.links == 2 && !seen.insert(version(&stat)) {
            twins.insert(version(&stat));
        }
    }
    Ok(twins)
}

fn version(stat: &Stat) -> Version {
    (stat.device, stat.bytes, stat.modified, stat.changed)
}

/// Removes the temporary file `name` in `directory` if it belongs to the user of this process and no run owns it.
pub fn remove_leftover(directory: BorrowedFd<'_>, name: &OsStr) {
    let is_own = |stat: fs::Stat| stat.st_uid == rustix::process::geteuid().as_raw();
    if fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_own) {
        // A file that can't be removed belongs to a run or is left for the next one.
        let _ = remove_if_left(directory, Path::new(name));
    }
}

/// Removes the temporary file `name` in `directory` if no process holds its lock, which means that a killed run left
/// it.
///
/// # Errors
/// The system's error of opening, locking or removing it; `WouldBlock` if a process works on it.
pub fn remove_if_left(directory: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let file = fs::openat(directory, name, OpenMode::ReadWrite { follow: false }.flags(), Mode::empty())?;
    fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // Another process may have removed it before it was locked here, and a run may have a new file of that name.
    if fs::fstat(file.as_fd())?.st_nlink == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(fs::unlinkat(directory, name, AtFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of the directory that are leftovers.
    fn found(leftovers: &mut Leftovers, directory: &Path) -> Vec<String> {
        let open = std::fs::File::open(directory).unwrap();
        let mut found = Vec::new();
        for entry in directory.read_dir().unwrap() {
            let name = entry.unwrap().file_name();
            let stat = fs::statat(&open, &name, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            if leftovers.contains(open.as_fd(), &name, &stat.into()) {
                found.push(name.into_string().unwrap());
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_second_name_counts_in_the_same_directory_only() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        for directory in [&here, &there] {
            std::fs::create_dir(directory).unwrap();
        }
        let name = |number: u64| format!(".haul-{number:016x}.tmp");
        for (number, others) in
            [vec![], vec![here.join("a")], vec![there.join("b")], vec![here.join("c"), here.join("d")]]
                .into_iter()
                .enumerate()
        {
            std::fs::write(here.join(name(number as u64)), "x".repeat(number)).unwrap();
            others
                .iter()
                .for_each(|other| std::fs::hard_link(here.join(name(number as u64)), other).unwrap());
        }
        let mut leftovers = Leftovers::default();
        for _ in 0..2 {
            assert_eq!(found(&mut leftovers, &here), [name(0), name(1)]);
            assert_eq!(found(&mut leftovers, &there), [""; 0]);
        }
        assert_eq!(
            leftovers.twins.len(),
            1,
            "each directory is looked through once, and only if it has to be"
        );
    }
}
