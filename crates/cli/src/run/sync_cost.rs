//! What it costs to sync a result, by the file system that it goes to.
//!
//! Owns: finding the file system of a path that needn't exist yet.
//! Does not own: what the kernel says about an ext4 ([`haul_io::Ext4`]), the engine that is chosen for it
//! ([`super::probe`]).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use haul_io::Ext4;
use rustix::fs::statfs;

/// Where the kernel shows devices and file systems.
const SYSFS: &str = "/sys";
/// tmpfs and ramfs in `statfs`: linux/magic.h.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// What a sync costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncCost {
    /// Nothing: files are in memory alone.
    Nothing,
    /// A write of the file itself: an ext4 without a journal. A ring, which has many syncs in flight on a few threads,
    /// gains nothing there over threads.
    OwnWrite,
    /// A wait that many syncs share. Assumed where the kernel doesn't say: in a container without sysfs, on an overlay,
    /// on another file system.
    SharedWait,
}

/// The cost of a sync of `path`.
pub(super) fn of(path: &Path) -> SyncCost {
    let Some((device, there)) = place(path) else { return SyncCost::SharedWait };
    if is_in_memory(there) {
        SyncCost::Nothing
    } else if lacks_journal(device, Path::new(SYSFS)) {
        SyncCost::OwnWrite
    } else {
        SyncCost::SharedWait
    }
}

/// The device of `path`, and what exists of it, which may be a directory above.
fn place(path: &Path) -> Option<(u64, &Path)> {
    path.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        Some((above.metadata().ok()?.dev(), above))
    })
}

fn is_in_memory(path: &Path) -> bool {
    statfs(path).is_ok_and(|system| IN_MEMORY.contains(&(system.f_type as u32)))
}

/// Whether `device` holds an ext4 without a journal.
fn lacks_journal(device: u64, sysfs: &Path) -> bool {
    Ext4::on(device, sysfs).is_ok_and(|ext4| ext4.journal_task == "<none>")
}

#[cfg(test)]
mod tests {
    use rustix::fs::{major, minor};

    use super::*;

    #[test]
    fn the_kernel_says_which_ext4_has_a_journal() {
        let (dir, sysfs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let device = dir.path().metadata().unwrap().dev();
        let check = |expected| {
            for name in ["", "new", "new/and/deeper"] {
                let (device, _) = place(&dir.path().join(name)).unwrap();
                assert_eq!(lacks_journal(device, sysfs.path()), expected, "{name}");
            }
        };
        // No sysfs, or not a block device.
        check(false);
        let (devices, disk) = (sysfs.path().join("dev/block"), sysfs.path().join("fs/ext4/disk1"));
        std::fs::create_dir_all(&devices).unwrap();
        let numbers = format!("{}:{}", major(device), minor(device));
        std::os::unix::fs::symlink("../../devices/virtual/block/disk1", devices.join(numbers)).unwrap();
        // Another file system than ext4.
        check(false);
        std::fs::create_dir_all(&disk).unwrap();
        std::fs::write(disk.join("journal_task"), "17494\n").unwrap();
        check(false);
        std::fs::write(disk.join("journal_task"), "<none>\n").unwrap();
        check(true);
        let (other, _) = place(Path::new("/proc/self")).unwrap();
        assert!(!lacks_journal(other, sysfs.path()), "another device");
    }

    #[test]
    fn a_relative_name_lies_in_the_working_directory() {
        let here = Path::new(".").metadata().unwrap().dev();
        assert_eq!(place(Path::new("a-name-that-does-not-exist")), Some((here, Path::new("."))));
    }

    #[test]
    fn a_sync_in_memory_costs_nothing() {
        let memory = Path::new("/dev/shm");
        let expected = if is_in_memory(memory) { SyncCost::Nothing } else { of(memory) };
        for name in ["", "new", "new/and/deeper"] {
            assert_eq!(of(&memory.join(name)), expected, "{name}");
        }
        assert_eq!(of(Path::new("/proc/self")), SyncCost::SharedWait);
        assert_eq!(of(Path::new("a-name-that-does-not-exist")), of(Path::new(".")));
    }
}
