//! Mirrored directories: empty ones too, with mode and time.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use haul_testkit::{Haul, files_below, seeded_bytes};

/// Every directory in `root`, including itself, with mode and time.
fn directories(root: &Path) -> BTreeMap<PathBuf, (u32, i64)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        let metadata = dir.metadata().unwrap();
        let name = dir.strip_prefix(root).unwrap().to_owned();
        found.insert(name, (metadata.mode() & 0o7777, metadata.mtime()));
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    found
}

/// The permission bits that new files of this process don't get.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(umask.trim(), 8).unwrap()
}

const MODES: [(&str, u32); 7] = [
    ("a/b/c", 0o755),
    ("a/b/empty", 0o700),
    ("a/b", 0o555),
    ("a", 0o750),
    ("empty/more/still", 0o711),
    ("empty/more", 0o755),
    ("empty", 0o777),
];

/// A tree whose directories differ in mode and time.
fn plant(root: &Path) {
    for (name, _) in MODES {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for (name, bytes) in [("a/one", 10), ("a/b/two", 3_000_000), ("a/b/c/three", 0), ("four", 70_000)] {
        fs::write(root.join(name), seeded_bytes(1, bytes)).unwrap();
    }
    symlink("four", root.join("a/link")).unwrap();
    for (index, (name, mode)) in MODES.into_iter().chain([("", 0o755)]).enumerate() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + index as u64);
        File::open(root.join(name)).unwrap().set_modified(time).unwrap();
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

fn workdir() -> (tempfile::TempDir, Haul, String) {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    plant(&dir.path().join("tree"));
    (dir, haul, recipient.trim().to_owned())
}

#[test]
fn a_tree_comes_back_with_its_directories_on_every_engine() {
    let (dir, haul, recipient) = workdir();
    let expected = directories(&dir.path().join("tree"));
    // What is opened has no bits that the umask forbids.
    let mut opened_expected = expected.clone();
    opened_expected.values_mut().for_each(|(mode, _)| *mode &= !umask());
    for engine in ["auto", "serial", "threads=3", "processes=2", "hybrid=2x2", "uring=2x8"] {
        let (sealed, opened) = (format!("sealed-{engine}"), format!("new/opened-{engine}"));
        let run = haul.run(["seal", "--json", "-e", engine, "-r", &recipient, "-o", &sealed, "tree"]);
        let counts = "\"skipped\":1,\"succeeded\":4";
        assert!(
            run.expect_status(0).stdout_text().contains(counts),
            "directories are no tasks, the link is skipped"
        );
        assert_eq!(directories(&dir.path().join(&sealed)), expected, "{engine}");
        haul.run(["open", "-q", "-e", engine, "-i", "key.txt", "-o", &opened, &sealed]).expect_status(0);
        assert_eq!(directories(&dir.path().join(&opened)), opened_expected, "{engine}");
        assert_eq!(files_below(&dir.path().join(&opened)).unwrap().len(), 4, "{engine}");
    }
}

#[test]
fn mirroring_follows_the_options() {
    let (dir, haul, recipient) = workdir();
    let seal = |options: &[&str]| {
        let args = ["seal", "-q", "-r", &recipient, "-o", "out"];
        haul.run(args.iter().chain(options)).expect_status(0);
        let found = directories(&dir.path().join("out"));
        fs::remove_dir_all(dir.path().join("out")).unwrap();
        found
    };
    let names = |found: BTreeMap<PathBuf, (u32, i64)>| {
        found.into_keys().map(|name| name.display().to_string()).collect::<Vec<_>>()
    };
    let plain = seal(&["--no-preserve", "tree"]);
    assert_eq!(plain.len(), 8);
    assert!(plain.values().all(|(mode, time)| *mode == plain[Path::new("")].0 && *time > 1_000_000_100));
    assert_eq!(names(seal(&["--include", "t*", "tree"])), ["", "a", "a/b", "a/b/c"], "no empty ones");
    assert_eq!(names(seal(&["--exclude", "b", "--exclude", "more", "tree"])), ["", "a", "empty"]);
    // Two inputs, one inside the other. The output itself mirrors neither.
    let several = seal(&["tree", "tree/a/b"]);
    assert_eq!(several[Path::new("tree")], (0o755, 1_000_000_007));
    assert_eq!(several[Path::new("b/empty")], (0o700, 1_000_000_001));
    assert!(several[Path::new("")].1 > 1_000_000_100);
    // An output inside the tree, which is created during the walk.
    haul.run(["seal", "-q", "-r", &recipient, "-o", "tree/empty/out", "tree"]).expect_status(0);
    let made = names(directories(&dir.path().join("tree/empty/out")));
    assert_eq!(made.len(), 8, "{made:?}");
}

#[test]
fn an_existing_output_keeps_its_attributes() {
    let (dir, haul, recipient) = workdir();
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::set_permissions(dir.path().join("out"), Permissions::from_mode(0o701)).unwrap();
    haul.run(["seal", "-q", "-r", &recipient, "-o", "out/", "tree/"]).expect_status(0);
    let found = directories(&dir.path().join("out"));
    assert_eq!(found[Path::new("")].0, 0o701);
    assert!(found[Path::new("")].1 > 1_000_000_100);
    assert_eq!(found[Path::new("a")], (0o750, 1_000_000_003), "those in it are mirrors");
    haul.run(["seal", "--dry-run", "-r", &recipient, "-o", "other", "tree"]).expect_status(0);
    assert!(!dir.path().join("other").exists());
    // A directory that can't be created is reported once.
    fs::create_dir(dir.path().join("third")).unwrap();
    fs::write(dir.path().join("third/empty"), "in the way").unwrap();
    let run = haul.run(["seal", "-r", &recipient, "-o", "third", "tree"]).expect_status(1);
    let refused = "haul: error: cannot seal \"tree/empty\": the directory that mirrors it, \
                   \"third/empty\": Not a directory\n";
    assert!(run.stderr_text().contains(refused), "{}", run.stderr_text());
}
