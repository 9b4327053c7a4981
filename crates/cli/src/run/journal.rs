//! Whether results go to an ext4 file system without a journal, where every sync writes the file itself: a ring, which
//! has many syncs in flight on a few threads, gains nothing there over threads.
//!
//! Owns: finding the device of a path.
//! Does not own: what the kernel says about its file system ([`haul_io::Ext4`]), the engine that is chosen for it
//! ([`super::probe`]).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use haul_io::Ext4;

/// Where the kernel shows devices and file systems.
pub(super) const SYSFS: &str = "/sys";

/// Whether `path`, which need not exist yet, lies on an ext4 without a journal. False where the kernel doesn't say: in
/// a container without sysfs, on an overlay, on another file system.
pub(super) fn is_absent(path: &Path, sysfs: &Path) -> bool {
    let device = path.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        above.metadata().ok().map(|metadata| metadata.dev())
    });
    device.is_some_and(|device| Ext4::on(device, sysfs).is_ok_and(|ext4| ext4.journal_task == "<none>"))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{major, minor};

    use super::*;

    #[test]
    fn the_kernel_says_which_ext4_has_a_journal() {
        let (dir, sysfs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let check = |expected| {
            for name in ["", "new", "new/and/deeper"] {
                assert_eq!(is_absent(&dir.path().join(name), sysfs.path()), expected, "{name}");
            }
        };
        // No sysfs, or not a block device.
        check(false);
        let device = dir.path().metadata().unwrap().dev();
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
        assert!(!is_absent(Path::new("/proc/self"), sysfs.path()), "another device");
    }

    #[test]
    fn a_relative_name_lies_in_the_working_directory() {
        let here = Path::new(".").metadata().unwrap().dev();
        let sysfs = Path::new(SYSFS);
        let says_none = Ext4::on(here, sysfs).is_ok_and(|ext4| ext4.journal_task == "<none>");
        assert_eq!(is_absent(Path::new("a-name-that-does-not-exist"), sysfs), says_none);
    }
}
