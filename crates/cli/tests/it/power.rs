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

use haul_io::{Blocking, Cancel, Io, Op, run_ready};
use haul_testkit::{Faults, Haul, Mount, Tree, files_below, is_root, peer, seeded_bytes, skip};
use serde_json::Value;
use tempfile::TempDir;

/// A file system in an image file, mounted as long as this lives.
struct Disk {
    image: PathBuf,
    mountpoint: PathBuf,
}

impl Disk {
    /// Formats and mounts an image. `None`, and a SKIPPED message, if that is impossible here.
    fn format(dir: &Path, mkfs: &[&str]) -> Option<Self> {
        if !is_root() {
            skip("not root");
            return None;
        }
        peer("xfs_io")?;
        let (program, options) = (peer(mkfs[0])?, &mkfs[1..]);
        let (image, mountpoint) = (dir.join("image"), dir.join("mnt"));
        std::fs::File::create(&image).unwrap().set_len(400 << 20).unwrap();
        std::fs::create_dir(&mountpoint).unwrap();
        succeed(Command::new(program).args(options).arg("-q").arg(&image));
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

    /// Leaves on the image only what the file system has written to it so far.
    fn cut_off(&self) {
        let copy = self.image.with_extension("copy");
        succeed(Command::new("cp").args(["--sparse=always"]).args([&self.image, &copy]));
        self.unmount();
        std::fs::rename(copy, &self.image).unwrap();
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
    let disk = Disk::format(dir.path(), &[mkfs])?;
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

/// Seals durably and looks at what is on the disk a moment later.
fn is_stored_when_reported(mkfs: &[&str], check: &[&str]) {
    for engine in ["threads=2", "uring=1x32"] {
        for options in [&[][..], &["--force"]] {
            let dir: TempDir = tempfile::tempdir().unwrap();
            let Some(disk) = Disk::format(dir.path(), mkfs) else { return };
            let (tree, work) = (dir.path().join("tree"), disk.mountpoint.join("work"));
            Tree::seeded(5).files(40).sizes(0..=200_000).depth(2).write(&tree).unwrap();
            let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
            let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
            let args = ["seal", "-e", engine, "--durable", "always", "-r", recipient.trim()];
            let (tree_name, work_name) = (tree.as_os_str(), work.as_os_str());
            let seal = || {
                let paths = [OsStr::new("-o"), work_name, tree_name];
                haul.run(args.iter().chain(options).map(OsStr::new).chain(paths)).expect_status(0)
            };
            if !options.is_empty() {
                seal();
            }
            seal();
            disk.cut_off();
            if let [program, options @ ..] = check {
                // It ends with 1 after it repaired something.
                let _ = Command::new(program).args(options).arg(&disk.image).output().unwrap();
            }
            disk.mount();
            let open = ["open", "-i", "key.txt", "-o", "opened"].map(OsStr::new);
            haul.run(open.into_iter().chain([work_name])).expect_status(0);
            assert!(contents(&dir.path().join("opened")) == contents(&tree), "{mkfs:?} {engine} {options:?}");
            disk.unmount();
        }
    }
}

#[test]
fn what_was_reported_durable_is_on_the_disk() {
    is_stored_when_reported(&["mkfs.ext4"], &[]);
    is_stored_when_reported(&["mkfs.ext4", "-O", "^has_journal"], &["e2fsck", "-f", "-y"]);
    is_stored_when_reported(&["mkfs.ext4", "-O", "fast_commit"], &[]);
    is_stored_when_reported(&["mkfs.xfs"], &[]);
    is_stored_when_reported(&["mkfs.btrfs"], &[]);
}

/// Where a file needs no second sync after it got its name.
#[test]
fn file_systems_whose_directories_store_links_are_known() {
    let io = Blocking::new(Cancel::new().unwrap());
    let image = |mkfs: &[&str]| Mount::image(mkfs, 320);
    for (mount, expected) in [
        (image(&["mkfs.ext4", "-q", "-F"]), true),
        (image(&["mkfs.ext4", "-q", "-F", "-O", "^has_journal"]), false),
        (image(&["mkfs.ext4", "-q", "-F", "-O", "fast_commit"]), false),
        (image(&["mkfs.ext2", "-q", "-F"]), false),
        (image(&["mkfs.xfs", "-q"]), true),
        (image(&["mkfs.btrfs", "-q"]), false),
        (image(&["mkfs.vfat"]), false),
        (Mount::kernel("tmpfs"), true),
        (Mount::overlay(), false),
        (Mount::faulty(Faults::default()), false),
    ] {
        let Some(mount) = mount else { continue };
        let file = std::fs::File::open(mount.path()).unwrap().into();
        let answer = run_ready(io.submit(Op::StoresLinks { file })).result.unwrap();
        assert!(
            matches!(answer, haul_io::Value::Flag(stores) if stores == expected),
            "{mount:?}: {answer:?}"
        );
    }
}
