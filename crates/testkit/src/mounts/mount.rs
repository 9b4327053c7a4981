//! A mounted file system, which is unmounted when it is dropped.
//!
//! Owns: its directory, image, loop device and FUSE session.
//! Does not own: what FUSE file systems of tests do wrong (see [`super::faulty`]).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fuser::{BackgroundSession, MountOption, SessionACL};
use tempfile::TempDir;

use super::faulty::{Faults, FaultyFiles};
use crate::program::peer::{is_root, peer, skip};

/// A mounted file system of its own for one test. All constructors return `None`, and report that the test was skipped,
/// where they lack root, a program or a file system.
#[derive(Debug)]
pub struct Mount {
    dir: TempDir,
    loop_device: Option<PathBuf>,
    session: Option<BackgroundSession>,
}

/// Where sftp-server lies on Debian.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

impl Mount {
    /// A file system of the kernel on a new image of `mib` MiB, formatted by `mkfs` with its arguments.
    pub fn image(mkfs: &[&str], mib: u64) -> Option<Self> {
        let mount = Self::formatted(mkfs, mib)?;
        Self::mounted(
            Command::new("mount").args(["-o", "loop"]).arg(mount.image_path()).arg(mount.path()),
            mount,
        )
    }

    /// A FUSE file system on a new image of `mib` MiB, formatted by `mkfs` and mounted by `program`, each with its
    /// arguments. Some programs want a block device.
    pub fn fuse_image(mkfs: &[&str], mib: u64, program: &[&str], on_device: bool) -> Option<Self> {
        peer(program[0])?;
        let mut mount = Self::formatted(mkfs, mib)?;
        let mut image = mount.image_path();
        if on_device {
            let output = Command::new("losetup").args(["-f", "--show"]).arg(&image).output().ok()?;
            image = String::from_utf8_lossy(&output.stdout).trim().into();
            mount.loop_device = Some(image.clone());
        }
        Self::mounted(Command::new(program[0]).args(&program[1..]).arg(image).arg(mount.path()), mount)
    }

    /// A file system without an image, of the type `kind`.
    pub fn kernel(kind: &str) -> Option<Self> {
        let mount = Self::new()?;
        Self::mounted(Command::new("mount").args(["-t", kind, kind]).arg(mount.path()), mount)
    }

    /// An overlay of two directories of a tmpfs.
    pub fn overlay() -> Option<Self> {
        let mount = Self::new()?;
        let back = mount.dir.path().join("back");
        let tmpfs = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&back).status().ok()?;
        if !tmpfs.success() {
            skip("mounting is not permitted");
            return None;
        }
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| back.join(name));
        for directory in [&lower, &upper, &work] {
            std::fs::create_dir(directory).expect("an empty file system");
        }
        let [lower, upper, work] = [lower, upper, work].map(|path| path.display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let mut command = Command::new("mount");
        Self::mounted(command.args(["-t", "overlay", "-o", &options, "overlay"]).arg(mount.path()), mount)
    }

    /// Another view of a directory, by bindfs with `options`.
    pub fn bindfs(options: &[&str]) -> Option<Self> {
        peer("bindfs")?;
        let mount = Self::new()?;
        let back = mount.dir.path().join("back");
        Self::mounted(Command::new("bindfs").args(options).arg(back).arg(mount.path()), mount)
    }

    /// A directory by SFTP, without a network.
    pub fn sshfs() -> Option<Self> {
        peer("sshfs")?;
        if !Path::new(SFTP_SERVER).exists() {
            skip("no sftp-server here");
            return None;
        }
        let mount = Self::new()?;
        let script = mount.dir.path().join("ssh");
        std::fs::write(&script, format!("#!/bin/sh\nexec {SFTP_SERVER}\n")).expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).expect("our own file");
        let remote = format!("here:{}", mount.dir.path().join("back").display());
        let option = format!("ssh_command={}", script.display());
        Self::mounted(Command::new("sshfs").args(["-o", &option, &remote]).arg(mount.path()), mount)
    }

    /// A FUSE file system in memory with these faults. It lives in the test's own process.
    pub fn faulty(faults: Faults) -> Option<Self> {
        let mut mount = Self::new()?;
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("faulty".into()), MountOption::DefaultPermissions];
        config.acl = SessionACL::All;
        match fuser::spawn_mount(FaultyFiles::new(faults), mount.path(), &config) {
            Ok(session) => mount.session = Some(session),
            Err(error) => {
                skip(&format!("no FUSE here: {error}"));
                return None;
            }
        }
        Some(mount)
    }

    /// Its root directory.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    fn new() -> Option<Self> {
        if !is_root() {
            skip("only root can mount file systems");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        for name in ["mnt", "back"] {
            std::fs::create_dir(dir.path().join(name)).expect("an empty directory");
        }
        Some(Self { dir, loop_device: None, session: None })
    }

    fn formatted(mkfs: &[&str], mib: u64) -> Option<Self> {
        let program = peer(mkfs[0])?;
        let mount = Self::new()?;
        let image = File::create(mount.image_path()).expect("an image");
        image.set_len(mib << 20).expect("a sparse image");
        let output = Command::new(program).args(&mkfs[1..]).arg(mount.image_path()).output().ok()?;
        assert!(output.status.success(), "{mkfs:?}: {}", String::from_utf8_lossy(&output.stderr));
        Some(mount)
    }

    /// The file that holds a file system on an image.
    pub fn image_path(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// `mount`, mounted by `command`.
    fn mounted(command: &mut Command, mount: Self) -> Option<Self> {
        let output = command.stdin(Stdio::null()).output().ok()?;
        if output.status.success() {
            return Some(mount);
        }
        skip(&format!("cannot mount: {}", String::from_utf8_lossy(&output.stderr).trim()));
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let run = |program: &str, arguments: &[&Path]| {
            let _ = Command::new(program).args(arguments).stderr(Stdio::null()).status();
        };
        for name in ["mnt", "back"] {
            run("umount", &[Path::new("-l"), &self.dir.path().join(name)]);
        }
        drop(self.session.take());
        if let Some(device) = &self.loop_device {
            run("losetup", &[Path::new("-d"), device]);
        }
    }
}
