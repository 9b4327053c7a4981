//! What the kernel says of an ext4 file system.
//!
//! Owns: finding it by the number of its device.
//! Does not own: what follows for syncs and engines.
//!
//! Source: sysfs(5), the kernel's Documentation/ABI/testing/sysfs-fs-ext4.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::fs::{major, minor};

/// A mounted ext4.
#[derive(Debug)]
pub struct Ext4 {
    /// The name of its block device.
    pub name: OsString,
    /// The number of the thread that writes its journal, which is 0 if the thread lies outside of this process's
    /// namespace; `<none>` without a journal.
    pub journal_task: String,
}

impl Ext4 {
    /// The file system on the block device with the number `device`. The kernel shows it below `sysfs`, as a rule
    /// `/sys`.
    ///
    /// # Errors
    /// If it isn't an ext4, or there is no sysfs. Drivers of ext2 show no such files.
    pub fn on(device: u64, sysfs: &Path) -> io::Result<Self> {
        let numbers = format!("{}:{}", major(device), minor(device));
        let node = std::fs::read_link(sysfs.join("dev/block").join(numbers))?;
        let name = node.file_name().ok_or(io::ErrorKind::NotFound)?.to_owned();
        let task = std::fs::read_to_string(sysfs.join("fs/ext4").join(&name).join("journal_task"))?;
        Ok(Self { name, journal_task: task.trim().to_owned() })
    }
}
