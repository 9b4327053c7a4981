//! A fresh file system in an image, mounted for as long as the value lives.
//!
//! Owns: making, mounting and removing it.
//! Does not own: what happens on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::succeed;

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSystem {
    /// The one that holds the folder, for those who aren't root.
    Here,
    Tmpfs,
    Ext4,
    Ext4WithoutJournal,
    Xfs,
    Btrfs,
}

/// The length of an image, which is sparse.
const IMAGE_BYTES: u64 = 8 << 30;

impl FileSystem {
    pub(super) const ALL: [Self; 5] =
        [Self::Tmpfs, Self::Ext4, Self::Ext4WithoutJournal, Self::Xfs, Self::Btrfs];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "ext4",
            Self::Ext4WithoutJournal => "ext4-without-journal",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().chain([Self::Here]).find(|one| one.name() == name);
        known.ok_or_else(|| format!("not a file system to measure: {name:?}"))
    }

    /// The command that makes it in an image; none for one without an image.
    fn make(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Here | Self::Tmpfs => None,
            Self::Ext4 => Some(&["mkfs.ext4", "-q", "-F"]),
            Self::Ext4WithoutJournal => Some(&["mkfs.ext4", "-q", "-F", "-O", "^has_journal"]),
            Self::Xfs => Some(&["mkfs.xfs", "-q", "-f"]),
            Self::Btrfs => Some(&["mkfs.btrfs", "-q", "-f"]),
        }
    }
}

/// A mounted file system. Dropping it removes everything.
pub(super) struct Mount {
    image: Option<PathBuf>,
    point: PathBuf,
    is_mounted: bool,
}

impl Mount {
    /// Makes a file system and mounts it as `name` in `dir`. Needs root, except for [`FileSystem::Here`].
    pub(super) fn named(name: &str, system: FileSystem, dir: &Path) -> Result<Self, String> {
        let point = dir.join(name);
        fs::create_dir(&point).map_err(|e| format!("{}: {e}", point.display()))?;
        let mut mount = Self { image: None, point, is_mounted: false };
        if system == FileSystem::Here {
            return Ok(mount);
        }
        let mut command = Command::new("mount");
        if let Some([program, options @ ..]) = system.make() {
            let image = dir.join(name.to_owned() + ".img");
            let made = fs::File::create_new(&image).and_then(|file| file.set_len(IMAGE_BYTES));
            mount.image = Some(image.clone());
            made.map_err(|e| format!("{}: {e}", image.display()))?;
            succeed(Command::new(program).args(options).arg(&image))?;
            command.args(["-o", "loop"]).arg(&image);
        } else {
            command.args(["-t", "tmpfs", "-o", "size=8g", "none"]);
        }
        succeed(command.arg(&mount.point))?;
        mount.is_mounted = true;
        Ok(mount)
    }

    pub(super) fn path(&self) -> &Path {
        &self.point
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted
            && let Err(failure) = succeed(Command::new("umount").arg(&self.point))
        {
            eprintln!("xtask: {failure}");
            return;
        }
        // Of a file system of its own, only the empty mount point is left.
        let _ = fs::remove_dir_all(&self.point);
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}
