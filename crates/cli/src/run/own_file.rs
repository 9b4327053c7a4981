//! Opening a file that decides what is left undone, such as a marker or an index.
//!
//! Another user who can write into the directory of results could plant one, and what it names would never be fetched.
//!
//! Owns: whether such a file is believed.
//! Does not own: what it says.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Permission bits that a file which is believed doesn't have.
pub(crate) const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Opens the file, if nobody but this user or root can have written it. Follows no link, and waits for no pipe.
///
/// # Errors
/// If it can't be opened, or isn't believed.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    if is_own(&file.metadata()?) {
        return Ok(file);
    }
    Err(io::Error::other("another user may have written it"))
}

fn is_own(file: &Metadata) -> bool {
    file.is_file() && is_ours(file) && !is_writable_by_others(file)
}

/// Whether it belongs to this user or to root.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    [geteuid().as_raw(), 0].contains(&metadata.uid())
}

/// Whether somebody else than its owner could write it.
pub(crate) fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & WRITABLE_BY_OTHERS != 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn only_what_nobody_else_can_have_written_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let [own, link, pipe] = ["own", "link", "pipe"].map(|name| dir.path().join(name));
        fs::write(&own, "x").unwrap();
        symlink(&own, &link).unwrap();
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for mode in [0o600, 0o644, 0o444] {
            fs::set_permissions(&own, Permissions::from_mode(mode)).unwrap();
            assert!(open_own(&own).is_ok());
        }
        for planted in [link.as_path(), &pipe, dir.path(), &dir.path().join("nothing")] {
            assert!(open_own(planted).is_err(), "{planted:?}");
        }
        for mode in [0o664, 0o646] {
            fs::set_permissions(&own, Permissions::from_mode(mode)).unwrap();
            assert!(open_own(&own).is_err());
        }
        fs::set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
        if geteuid().is_root() {
            chown(&own, Some(1234), None).unwrap();
            assert!(open_own(&own).is_err());
        }
    }
}
