//! Huge files that weren't cached leave the page cache as it was; those that were cached stay.
//!
//! Needs root, loop devices, mkfs of each file system, and fincore.

use std::path::Path;
use std::process::Command;

use haul_testkit::{Answer, Haul, Mount, Server, files_below, peer, seeded_bytes};
use rustix::fs::{Advice, fadvise};

const MIB: u64 = 1 << 20;
const BYTES: u64 = 128 * MIB;
/// What may be left of a file: what is dropped behind lies this far behind, and workers read ahead.
const LEFT_MAX: u64 = 48 * MIB;

/// The cached bytes of a file.
fn cached(path: &Path) -> u64 {
    let output = Command::new("fincore").args(["-b", "-n", "-o", "RES"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// How often the kernel is asked to drop a file.
const DROPS_MAX: usize = 200;

/// Stores a file, and drops it from the page cache. The kernel leaves pages that it uses itself at that moment, so it
/// is asked again.
fn drop_cached(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    let is_dropped = (0..DROPS_MAX).any(|_| {
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        cached(path) == 0
    });
    assert!(is_dropped, "{}: {} bytes stay", path.display(), cached(path));
}

fn store(path: &Path) {
    std::fs::File::open(path).unwrap().sync_all().unwrap();
}

/// Whether `path`, stored meanwhile, is cached or not.
#[track_caller]
fn check(path: &Path, is_cached: bool, case: &str) {
    store(path);
    let bytes = cached(path);
    let is_as_expected = if is_cached { bytes > BYTES * 9 / 10 } else { bytes <= LEFT_MAX };
    assert!(is_as_expected, "{case}: {} MiB of {} are cached", bytes / MIB, path.display());
}

fn check_on(mount: Option<Mount>) {
    let Some(mount) = mount else { return };
    if peer("fincore").is_none() {
        return;
    }
    let dir = mount.path();
    let (source, sealed, opened) = (dir.join("source"), dir.join("sealed"), dir.join("opened"));
    std::fs::write(&source, seeded_bytes(1, BYTES as usize)).unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(&dir);
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    for engine in ["threads=2", "processes=2", "uring=1x4"] {
        let seal = || {
            let args = ["seal", "--force", "-e", engine, "-r", recipient.trim(), "-o", "sealed", "source"];
            haul.run(args).expect_status(0);
        };
        std::fs::read(&source).unwrap();
        seal();
        check(&source, true, engine);
        check(&sealed, true, engine);
        drop_cached(&source);
        seal();
        check(&source, false, engine);
        check(&sealed, false, engine);
        drop_cached(&sealed);
        haul.run(["verify", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        check(&sealed, false, engine);
        drop_cached(&sealed);
        let args = ["open", "--force", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"];
        haul.run(args).expect_status(0);
        check(&sealed, false, engine);
        check(&opened, false, engine);
        assert!(std::fs::read(&opened).unwrap() == std::fs::read(&source).unwrap(), "{engine}");
    }
    std::fs::remove_file(&sealed).unwrap();
    std::fs::remove_file(&opened).unwrap();
    check_fetching(&haul, &dir);
}

fn check_fetching(haul: &Haul, dir: &Path) {
    let body = seeded_bytes(2, BYTES as usize);
    let expected = body.clone();
    let server = Server::start(move |request| Answer::ranged(request, &body, "\"1\""));
    for mode in [&[][..], &["-c"], &["--segments", "3"]] {
        let args = [&["get", "-o", "got"], mode].concat();
        haul.run(args.into_iter().chain([server.url("/x").as_str()])).expect_status(0);
        check(&dir.join("got"), false, &format!("get {mode:?}"));
        assert!(std::fs::read(dir.join("got")).unwrap() == expected, "{mode:?}");
        std::fs::remove_file(dir.join("got")).unwrap();
    }
    assert_eq!(files_below(dir).unwrap().len(), 2, "the source and the key");
}

#[test]
fn ext4() {
    check_on(Mount::image(&["mkfs.ext4", "-q", "-F"], 700));
}

#[test]
fn xfs() {
    check_on(Mount::image(&["mkfs.xfs", "-q"], 700));
}
