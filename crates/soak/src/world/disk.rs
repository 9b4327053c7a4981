//! The file system of a step: a folder, a small tmpfs, or an image whose power can be cut.
//!
//! Owns: making, filling, cutting and removing it.
//! Does not own: what lies on it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use haul_testkit::{is_root, peer};

use crate::choice::Choice;
use crate::fault::{Checked, ensure};

/// The kinds of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Folder,
    Tmpfs,
    Ext4,
    Ext4WithoutJournal,
    Xfs,
}

/// A file system that lives as long as this value.
pub(crate) struct Disk {
    pub(crate) kind: Kind,
    /// Where it is mounted.
    pub(crate) root: PathBuf,
    image: PathBuf,
}

impl Kind {
    /// A kind that can be had here.
    pub(crate) fn choose(choice: &mut Choice) -> Self {
        let kind = *choice.pick(&[
            Self::Folder,
            Self::Folder,
            Self::Folder,
            Self::Tmpfs,
            Self::Ext4,
            Self::Ext4WithoutJournal,
            Self::Xfs,
        ]);
        if kind.is_possible() { kind } else { Self::Folder }
    }

    /// True where this machine and user can mount it.
    pub(crate) fn is_possible(self) -> bool {
        let image = |mkfs| is_root() && peer("xfs_io").is_some() && peer(mkfs).is_some();
        match self {
            Self::Folder => true,
            Self::Tmpfs => is_root(),
            Self::Ext4 | Self::Ext4WithoutJournal => image("mkfs.ext4"),
            Self::Xfs => image("mkfs.xfs"),
        }
    }

    fn mkfs(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Folder | Self::Tmpfs => None,
            Self::Ext4 => Some(("mkfs.ext4", &["-q"])),
            Self::Ext4WithoutJournal => Some(("mkfs.ext4", &["-q", "-O", "^has_journal"])),
            Self::Xfs => Some(("mkfs.xfs", &["-q"])),
        }
    }
}

impl Disk {
    /// Makes and mounts it below `dir`.
    pub(crate) fn make(kind: Kind, dir: &Path) -> Checked<Self> {
        let disk = Self { kind, root: dir.join("disk"), image: dir.join("image") };
        fs::create_dir(&disk.root)?;
        if kind == Kind::Tmpfs {
            succeed(
                Command::new("mount").args(["-t", "tmpfs", "-o", "size=128m", "haul-soak"]).arg(&disk.root),
            )?;
        } else if let Some((mkfs, options)) = kind.mkfs() {
            // xfs wants 300 MB; the image is sparse.
            File::create(&disk.image)?.set_len(320 << 20)?;
            let program = peer(mkfs).unwrap_or_else(|| PathBuf::from(mkfs));
            succeed(Command::new(program).args(options).arg(&disk.image))?;
            disk.mount()?;
        }
        Ok(disk)
    }

    /// True where the power can be cut.
    pub(crate) fn has_power(&self) -> bool {
        self.kind.mkfs().is_some()
    }

    /// Mounts it again after a cut, its log replayed and, where it has none, checked.
    pub(crate) fn restore_power(&self) -> Checked {
        let deadline = Instant::now() + Duration::from_secs(60);
        self.unmount()?;
        // A mount namespace of another program may hold the file system. It then stays without power, or writes to the
        // image while that is repaired.
        loop {
            let failure = match self.mount_repaired() {
                Ok(()) => match self.probe() {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        self.unmount()?;
                        format!("the soak itself: power doesn't return: {error}")
                    }
                },
                Err(fault) => fault.to_string(),
            };
            ensure!(Instant::now() < deadline, "{failure}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether files can be made on it.
    fn probe(&self) -> std::io::Result<()> {
        let probe = self.root.join("probe");
        File::create(&probe)?;
        fs::remove_file(&probe)
    }

    fn unmount(&self) -> Checked {
        succeed(Command::new("umount").arg(&self.root))
    }

    fn mount_repaired(&self) -> Checked {
        if self.kind == Kind::Ext4WithoutJournal {
            // Without a journal a check repairs what the cut left. Its exit code 1 says that it did.
            let fsck = peer("fsck.ext4").unwrap_or_else(|| PathBuf::from("fsck.ext4"));
            let output = Command::new(fsck).args(["-f", "-y"]).arg(&self.image).output()?;
            ensure!(output.status.code().is_some_and(|code| code < 4), "the soak itself: fsck: {output:?}");
        }
        self.mount()
    }

    /// Writes a file that leaves about `bytes` of space.
    pub(crate) fn fill(&self, bytes: u64) -> Checked<PathBuf> {
        let path = self.root.join("filler");
        let stat = rustix::fs::statvfs(&self.root)?;
        let left = (stat.f_bavail * stat.f_frsize).saturating_sub(bytes);
        let mut file = File::create(&path)?;
        let block = vec![0; 1 << 20];
        let mut written = 0;
        while written < left {
            let count = (left - written).min(block.len() as u64) as usize;
            file.write_all(&block[..count])?;
            written += count as u64;
        }
        Ok(path)
    }

    /// Copies what lies on it out of the mount, so that it can be examined after a fault.
    pub(crate) fn preserve(&self) {
        if self.kind != Kind::Folder {
            let copy = self.root.with_extension("copy");
            let _ = Command::new("cp").arg("-a").args([&self.root, &copy]).stderr(Stdio::null()).status();
        }
    }

    fn mount(&self) -> Checked {
        succeed(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.root]))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.kind != Kind::Folder {
            let _ = Command::new("umount").arg("-l").arg(&self.root).stderr(Stdio::null()).status();
        }
    }
}

fn succeed(command: &mut Command) -> Checked {
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the soak itself: {command:?}: {stderr}");
    Ok(())
}
