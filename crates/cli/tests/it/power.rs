//! Power cuts on real file systems: a loop-mounted image is shut down without flushing its log after a chosen number of
//! events, mounted again and examined.
//!
//! Needs root, loop devices, mkfs of each file system, and xfs_io, whose "shutdown" is the ioctl FS_IOC_SHUTDOWN of
//! ext4 too.
#![allow(clippy::print_stdout, reason = "long tests say what they found")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_testkit::{Haul, Tree, files_below, is_root, peer, seeded_bytes, skip};
use serde_json::Value;
use tempfile::TempDir;

/// A file system in an image file, mounted as long as this lives.
struct Disk {
    image: PathBuf,
    mountpoint: PathBuf,
}

impl Disk {
    /// Formats and mounts an image. `None`, and a SKIPPED message, if that is impossible here.
    fn format(dir: &Path, mkfs: &str) -> Option<Self> {
        if !is_root() {
            skip("not root");
            return None;
        }
        peer("xfs_io")?;
        let mkfs = peer(mkfs)?;
        let (image, mountpoint) = (dir.join("image"), dir.join("mnt"));
        std::fs::File::create(&image).unwrap().set_len(400 << 20).unwrap();
        std::fs::create_dir(&mountpoint).unwrap();
        succeed(Command::new(mkfs).arg("-q").arg(&image));
        let disk = Self { image, mountpoint };
        disk.mount();
        Some(disk)
    }

    fn mount(&self) {
        succeed(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.mountpoint]));
    }

    fn cut_power(&self) {
        succeed(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.mountpoint));
    }

    fn unmount(&self) {
        succeed(Command::new("umount").arg(&self.mountpoint));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.mountpoint)
            .stderr(std::process::Stdio::null())
            .status();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), std::fs::read(dir.join(path)).unwrap());
    files_below(dir).unwrap().into_iter().map(read).collect()
}

/// Seals a tree in place, cuts the power after `after` files and checks what is left. Returns whether the cut hit the
/// run.
fn survives_a_cut(mkfs: &str, engine: &str, options: &[&str], after: usize) -> Option<bool> {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let disk = Disk::format(dir.path(), mkfs)?;
    let work = disk.mountpoint.join("work");
    Tree::seeded(after as u64).files(150).sizes(0..=30_000).depth(2).write(&work).unwrap();
    std::fs::write(work.join("large"), seeded_bytes(9, 9_000_000)).unwrap();
    let plain = contents(&work);
    rustix::fs::sync();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let args = ["seal", "--json", "-qq", "-e", engine, "-r", recipient.trim()];
    let mut watched = haul.watch(args.iter().chain(options).map(OsStr::new).chain([work.as_os_str()]));
    let mut done = Vec::new();
    let mut cut = false;
    while let Some(line) = watched.next_line() {
        let event: Value = serde_json::from_str(&line).unwrap();
        // Events after the cut don't count: after a real one nobody would read them, and xfs lets syncs of directories
        // succeed.
        if event["event"] == "done" && !cut {
            let path = Path::new(event["subject"].as_str().unwrap());
            done.push(path.strip_prefix(&work).unwrap().to_owned());
        }
        if done.len() == after && !cut {
            disk.cut_power();
            cut = true;
        }
    }
    let (status, stderr) = watched.finish();
    disk.unmount();
    disk.mount();
    let left = contents(&work);
    let results = dir.path().join("results");
    for path in left.keys().filter(|path| path.extension() == Some(OsStr::new("age"))) {
        let copy = results.join(path);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(work.join(path), copy).unwrap();
    }
    std::fs::create_dir_all(&results).unwrap();
    haul.run(["open", "-i", "key.txt", "-o", "opened", "results"]).expect_status(0);
    std::fs::create_dir_all(dir.path().join("opened")).unwrap();
    let opened = contents(&dir.path().join("opened"));
    for (path, content) in &plain {
        let (source, result) = (left.get(path), opened.get(path));
        assert!(source.is_none_or(|source| source == content), "{path:?}: the source was changed");
        assert!(result.is_none_or(|result| result == content), "{path:?}: another result");
        assert!(
            source.or(result).is_some(),
            "{mkfs} {engine} after {after}: {path:?} is lost; {status} {stderr}"
        );
    }
    for path in &done {
        assert!(opened.contains_key(path), "{mkfs} {engine} after {after}: {path:?} was reported durable");
    }
    Some(cut && status != 0)
}

#[test]
fn a_power_cut_costs_nothing_that_was_reported() {
    for mkfs in ["mkfs.ext4", "mkfs.xfs"] {
        survives_a_cut(mkfs, "threads=2", &["--replace"], 40);
        survives_a_cut(mkfs, "uring=1x32", &["--replace"], 70);
        survives_a_cut(mkfs, "processes=2", &["--durable", "always"], 20);
    }
}

#[test]
#[ignore = "soak: sixty power cuts"]
fn sixty_power_cuts_cost_nothing_that_was_reported() {
    let mut cuts = 0;
    for mkfs in ["mkfs.ext4", "mkfs.xfs"] {
        for (index, engine) in
            ["serial", "threads=3", "processes=2", "hybrid=2x2", "uring=2x16"].into_iter().enumerate()
        {
            for round in 0..3 {
                let after = 1 + (index * 31 + round * 53) % 148;
                for options in [&["--replace"][..], &["--durable", "always"]] {
                    cuts += usize::from(survives_a_cut(mkfs, engine, options, after) == Some(true));
                }
            }
        }
    }
    println!("{cuts} cuts in the middle of a run");
    assert!(cuts >= 50);
}
