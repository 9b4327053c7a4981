//! Sealing and opening on the file systems that people have, on every engine: results, refusals, interrupted runs, and
//! what each file system can't do, which is said once a run.
//!
//! Needs root. File systems come from the kernel, from FUSE programs, or from `haul-testkit`, with chosen faults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use haul_testkit::{Faults, Haul, Limits, Mount, Run, Watched, files_below, seeded_bytes};
use tempfile::TempDir;

const ENGINES: [&str; 4] = ["serial", "threads=2", "processes=2", "uring=1x4"];

/// What a warning is about, by a part of it.
const MODES: &str = "permission bits";
const TIMES: &str = "modification times";
const REFUSAL: &str = "no hard links";
const IDENTITY: &str = "inode numbers change";

/// A mounted file system with a key beside it.
struct Cell {
    mount: Mount,
    dir: TempDir,
    recipient: String,
    /// Its directory is below the root of the file system. Nothing is removed: FUSE keeps names of files that were open
    /// a little longer, so a directory may not be empty yet.
    stage: String,
    /// Everything that was warned of.
    warned: BTreeSet<String>,
    /// What the program may not do.
    limits: fn() -> Limits,
}

impl Cell {
    fn new(mount: Mount) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let recipient =
            haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
        let (stage, warned) = ("work".into(), BTreeSet::new());
        Self { mount, dir, recipient, stage, warned, limits: Limits::default }
    }

    fn work(&self) -> PathBuf {
        self.mount.path().join(&self.stage)
    }

    fn haul(&self) -> Haul {
        Haul::new(env!("CARGO_BIN_EXE_haul")).dir(self.work()).limits((self.limits)())
    }

    /// Runs `seal` or `open` with its key. Notes the warnings, none of which may come twice.
    fn run(&mut self, haul: &Haul, verb: &str, args: &[&str], status: i32) -> Run {
        let key = self.dir.path().join("key.txt").display().to_string();
        let recipient = self.recipient.clone();
        let keys = if verb == "seal" { ["-r", &recipient] } else { ["-i", &key] };
        let run = haul.run([verb].iter().chain(&keys).chain(args)).expect_status(status);
        let mut warned = BTreeSet::new();
        let is_warning =
            |line: &&str| line.starts_with("haul: warning: ") && !line.contains("there is nothing to");
        for line in run.stderr_text().lines().filter(is_warning) {
            assert!(warned.insert(line.to_owned()), "said twice: {}", run.stderr_text());
        }
        self.warned.extend(warned);
        run
    }

    /// Everything that seal and open do with `engine`.
    fn check(&mut self, engine: &str) {
        self.stage = engine.into();
        let (work, haul) = (self.work(), self.haul());
        std::fs::create_dir_all(work.join("tree/sub")).unwrap();
        let plain: BTreeMap<_, _> = [("small", 5), ("empty", 0), ("large", 1_200_000), ("sub/inner", 70_000)]
            .map(|(name, bytes)| (PathBuf::from(name), seeded_bytes(bytes as u64, bytes)))
            .into();
        for (name, content) in &plain {
            std::fs::write(work.join("tree").join(name), content).unwrap();
        }
        let e = ["-e", engine];
        let with = |rest: &[&'static str]| [&e[..], rest].concat();
        // Beside the sources: a new result, then one that exists, then one that is replaced.
        self.run(&haul, "seal", &with(&["tree"]), 0);
        plain.keys().for_each(|name| std::fs::remove_file(work.join("tree").join(name)).unwrap());
        self.run(&haul, "open", &with(&["tree"]), 0);
        check_contents(&work.join("tree"), &plain);
        self.run(&haul, "seal", &with(&["tree"]), 1);
        self.run(&haul, "seal", &with(&["--force", "tree"]), 0);
        // Into mirrors, with the sources removed.
        self.run(&haul, "seal", &with(&["--replace", "-o", "out", "tree"]), 0);
        assert!(
            plain.keys().all(|name| !work.join("tree").join(name).exists()),
            "{engine}: sources are removed"
        );
        self.run(&haul, "open", &with(&["--replace", "out"]), 0);
        check_contents(&work.join("out"), &plain);
        self.run(&haul, "seal", &with(&["-a", "-o", "armored", "out"]), 0);
        self.run(&haul, "open", &with(&["-o", "opened", "armored"]), 0);
        check_contents(&work.join("opened"), &plain);
        assert_eq!(temporary_names(&work), Vec::<PathBuf>::new(), "{engine}");
        for (dir, ending) in [("cut", Watched::kill as fn(&Watched)), ("stopped", Watched::interrupt)] {
            self.check_early_end(engine, dir, ending);
        }
    }

    /// A run that is killed or interrupted, and the next one.
    fn check_early_end(&mut self, engine: &str, dir: &str, ending: fn(&Watched)) {
        let (work, haul) = (self.work(), self.haul());
        let plain: BTreeMap<_, _> =
            (0..12).map(|index| (PathBuf::from(format!("f{index}")), seeded_bytes(index, 150_000))).collect();
        std::fs::create_dir(work.join(dir)).unwrap();
        plain.iter().for_each(|(name, content)| std::fs::write(work.join(dir).join(name), content).unwrap());
        let mut watched =
            haul.watch(["seal", "--json", "-q", "--replace", "-e", engine, "-r", &self.recipient, dir]);
        watched.next_line().unwrap();
        ending(&watched);
        let (status, said) = watched.finish();
        if dir == "stopped" {
            assert!([0, 130].contains(&status), "{engine}: {status} {said}");
            assert_eq!(temporary_names(&work), Vec::<PathBuf>::new(), "{engine}, interrupted");
        }
        self.run(&haul, "seal", &["-e", engine, "--replace", "--force", dir], 0);
        self.run(&haul, "open", &["-e", engine, "--force", dir], 0);
        check_contents(&work.join(dir), &plain);
        assert_eq!(temporary_names(&work), Vec::<PathBuf>::new(), "{engine}, {dir}");
    }

    fn check_streams(&mut self) {
        self.stage = "streams".into();
        std::fs::create_dir_all(self.work()).unwrap();
        let content = seeded_bytes(1, 300_000);
        let (haul, other) = (self.haul().stdin(content.clone()), self.haul().stdin("other"));
        self.run(&haul, "seal", &["-o", "stream.age", "-"], 0);
        assert!(self.run(&haul, "open", &["-o", "-", "stream.age"], 0).stdout == content);
        self.run(&haul, "seal", &["-a", "-o", "text.age", "-"], 0);
        assert!(self.run(&haul, "open", &["-o", "-", "text.age"], 0).stdout == content);
        self.run(&other, "seal", &["-o", "stream.age", "-"], 1);
        self.run(&other, "seal", &["--force", "-o", "stream.age", "-"], 0);
        assert_eq!(self.run(&haul, "open", &["-o", "-", "stream.age"], 0).stdout, b"other");
        assert_eq!(temporary_names(&self.work()), Vec::<PathBuf>::new());
    }
}

fn check_contents(dir: &Path, plain: &BTreeMap<PathBuf, Vec<u8>>) {
    for (name, content) in plain {
        let found = std::fs::read(dir.join(name)).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert!(found == *content, "{name:?} has another content");
    }
}

fn temporary_names(dir: &Path) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.to_string_lossy().contains(".haul-");
    files_below(dir).unwrap().into_iter().filter(is_temporary).collect()
}

/// Checks a file system of which a run warns as `expected`.
fn check(mount: Option<Mount>, expected: &[&str]) {
    check_limited(mount, Limits::default, expected);
}

/// As [`check`], for a program under limits.
fn check_limited(mount: Option<Mount>, limits: fn() -> Limits, expected: &[&str]) {
    let Some(mount) = mount else { return };
    let mut cell = Cell { limits, ..Cell::new(mount) };
    for engine in ENGINES {
        cell.check(engine);
    }
    cell.check_streams();
    let is_expected = |line: &&String| expected.iter().any(|part| line.contains(part));
    let others: Vec<_> = cell.warned.iter().filter(|line| !is_expected(line)).collect();
    assert_eq!(others, Vec::<&String>::new(), "warnings of what is not so");
    for part in expected {
        assert!(cell.warned.iter().any(|line| line.contains(part)), "not said: {part}; {:?}", cell.warned);
    }
}

#[test]
fn ext4() {
    check(Mount::image(&["mkfs.ext4", "-q", "-F"], 64), &[]);
}

#[test]
fn ext4_without_a_journal() {
    check(Mount::image(&["mkfs.ext4", "-q", "-F", "-O", "^has_journal"], 64), &[]);
}

#[test]
fn xfs() {
    check(Mount::image(&["mkfs.xfs", "-q"], 320), &[]);
}

#[test]
fn btrfs() {
    check(Mount::image(&["mkfs.btrfs", "-q"], 256), &[]);
}

#[test]
fn tmpfs() {
    check(Mount::kernel("tmpfs"), &[]);
}

/// Filters of system calls, as containers have them.
#[test]
fn where_links_are_forbidden() {
    check_limited(
        Mount::kernel("tmpfs"),
        || Limits::default().denying(&[libc::SYS_linkat], libc::EPERM),
        &[],
    );
    let calls = || Limits::default().denying(&[libc::SYS_linkat, libc::SYS_renameat2], libc::ENOSYS);
    check_limited(Mount::kernel("tmpfs"), calls, &[REFUSAL]);
}

#[test]
fn where_files_without_names_are_forbidden() {
    let opening = || Limits::default().denying_unnamed_files(libc::EOPNOTSUPP);
    check_limited(Mount::kernel("tmpfs"), opening, &[]);
    let all = || {
        let calls = [libc::SYS_linkat, libc::SYS_renameat2];
        Limits::default().denying_unnamed_files(libc::EPERM).denying(&calls, libc::EPERM)
    };
    check_limited(Mount::kernel("tmpfs"), all, &[REFUSAL]);
}

#[test]
fn overlayfs() {
    check(Mount::overlay(), &[]);
}

#[test]
fn vfat() {
    check(Mount::image(&["mkfs.vfat"], 64), &[MODES, REFUSAL]);
}

#[test]
fn exfat() {
    check(Mount::fuse_image(&["mkfs.exfat"], 64, &["mount.exfat-fuse"], true), &[MODES, REFUSAL]);
}

#[test]
fn ntfs() {
    let mkfs = ["mkfs.ntfs", "-F", "-Q", "-q"];
    check(Mount::fuse_image(&mkfs, 64, &["ntfs-3g"], false), &[MODES]);
}

#[test]
fn ntfs_that_ignores_case() {
    let mkfs = ["mkfs.ntfs", "-F", "-Q", "-q"];
    check(Mount::fuse_image(&mkfs, 64, &["lowntfs-3g", "-o", "ignore_case"], false), &[MODES]);
}

#[test]
fn bindfs_that_ignores_modes() {
    check(Mount::bindfs(&["--chmod-ignore", "--chown-ignore"]), &[MODES]);
}

#[test]
fn sshfs() {
    check(Mount::sshfs(), &[]);
}

#[test]
fn fuse() {
    check(Mount::faulty(Faults::default()), &[]);
}

#[test]
fn without_links_and_refusing_renames() {
    check(Mount::faulty(Faults { no_links: true, no_noreplace: true, ..Faults::default() }), &[REFUSAL]);
}

#[test]
fn without_links() {
    check(Mount::faulty(Faults { no_links: true, ..Faults::default() }), &[]);
}

#[test]
fn without_modes() {
    check(Mount::faulty(Faults { no_modes: true, ..Faults::default() }), &[MODES]);
}

#[test]
fn without_times() {
    check(Mount::faulty(Faults { no_times: true, ..Faults::default() }), &[TIMES]);
}

#[test]
fn with_changing_inode_numbers() {
    check(Mount::faulty(Faults { changing_inodes: true, ..Faults::default() }), &[IDENTITY]);
}

/// A run that was killed between the two names of a result left the temporary name beside it.
#[test]
fn a_temporary_name_beside_its_result_is_removed() {
    let changing = Faults { changing_inodes: true, ..Faults::default() };
    for mount in [Mount::kernel("tmpfs"), Mount::faulty(Faults::default()), Mount::faulty(changing)] {
        let Some(mount) = mount else { continue };
        let mut cell = Cell::new(mount);
        let (work, haul) = (cell.work(), cell.haul());
        std::fs::create_dir_all(work.join("tree")).unwrap();
        std::fs::write(work.join("tree/file"), "content").unwrap();
        cell.run(&haul, "seal", &["tree"], 0);
        let [result, left] = ["tree/file.age", "tree/.haul-0123456789abcdef.tmp"].map(|name| work.join(name));
        std::fs::hard_link(result, left).unwrap();
        cell.run(&haul, "seal", &["--force", "tree"], 0);
        let names = files_below(&work).unwrap();
        assert_eq!(names, ["tree/file", "tree/file.age"].map(PathBuf::from));
    }
}

/// A new result and a stream of content that a file system takes and loses.
#[test]
fn content_that_is_lost_at_close_is_an_error() {
    let Some(mount) = Mount::faulty(Faults { full_at_close: true, ..Faults::default() }) else { return };
    let mut cell = Cell::new(mount);
    std::fs::create_dir(cell.work()).unwrap();
    std::fs::write(cell.dir.path().join("small"), "x").unwrap();
    std::fs::write(cell.dir.path().join("large"), seeded_bytes(1, 9_000_000)).unwrap();
    let sources = ["small", "large"].map(|name| cell.dir.path().join(name).display().to_string());
    let haul = cell.haul().stdin("x");
    for engine in ENGINES {
        for source in &sources {
            cell.run(&haul, "seal", &["-e", engine, "-o", "result", source], 5);
        }
    }
    cell.run(&haul, "seal", &["-o", "result", "-"], 5);
    assert_eq!(files_below(&cell.work()).unwrap(), Vec::<PathBuf>::new());
    // What is overwritten in place: the file says nothing else.
    std::fs::write(cell.dir.path().join("xor.key"), "key").unwrap();
    let key = cell.dir.path().join("xor.key").display().to_string();
    for engine in ENGINES {
        for (name, bytes) in [("small", 10), ("large", 9_000_000)] {
            std::fs::write(cell.work().join(name), seeded_bytes(2, bytes)).unwrap();
            let run = cell.haul().run(["xor", "--overwrite", "-e", engine, "--key-file", &key, name]);
            assert!(run.expect_status(4).stderr_text().contains("the file is damaged"), "{engine} {name}");
        }
    }
    // The same on standard output.
    for args in [&["seal", "-r", &cell.recipient, "-"][..], &["keygen"]] {
        let stdout = std::fs::File::create(cell.work().join("redirected")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_haul"));
        let mut child =
            command.args(args).stdin(std::process::Stdio::piped()).stdout(stdout).spawn().unwrap();
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(5), "{args:?}");
    }
}

/// A file whose length isn't known before its end, sealed and opened, binary and armored.
#[test]
fn files_that_seem_empty_are_read_to_their_end() {
    let Some(mount) = Mount::faulty(Faults { no_lengths: true, ..Faults::default() }) else { return };
    let mut cell = Cell::new(mount);
    std::fs::create_dir(cell.work()).unwrap();
    let haul = cell.haul();
    // A whole piece is also read as the last one.
    for bytes in [1, 65_536, 262_144, 262_145, 1_500_000] {
        let content = seeded_bytes(7, bytes);
        std::fs::write(cell.work().join("plain"), &content).unwrap();
        for (engine, armor) in ENGINES.into_iter().zip([false, true].into_iter().cycle()) {
            let armor: &[&str] = if armor { &["-a"] } else { &[] };
            let args = ["-e", engine, "--force", "-o", "sealed", "plain"];
            cell.run(&haul, "seal", &[&args, armor].concat(), 0);
            // From this file system too, and on to one whose lengths are true.
            let opened = cell.dir.path().join("opened").display().to_string();
            cell.run(&haul, "open", &["-e", engine, "--force", "-o", &opened, "sealed"], 0);
            assert!(std::fs::read(&opened).unwrap() == content, "{bytes} {engine} {armor:?}");
        }
    }
}

/// Two names that the file system of the results can't tell apart: one of them fails, and nothing is lost.
#[test]
fn names_that_a_file_system_merges_share_no_result() {
    let Some(mount) = Mount::faulty(Faults { ignores_case: true, ..Faults::default() }) else { return };
    let mut cell = Cell::new(mount);
    let tree = cell.dir.path().join("tree");
    for engine in ENGINES {
        cell.stage = engine.into();
        std::fs::create_dir(cell.work()).unwrap();
        std::fs::create_dir(&tree).unwrap();
        let names = ["readme", "README", "Readme"];
        names.iter().for_each(|name| std::fs::write(tree.join(name), name).unwrap());
        let source = tree.display().to_string();
        let haul = cell.haul();
        cell.run(&haul, "seal", &["-e", engine, "--force", "--replace", "-o", "out", &source], 1);
        cell.run(&haul, "open", &["-e", engine, "out"], 0);
        let mut left: Vec<String> = [tree.clone(), cell.work().join("out")]
            .iter()
            .flat_map(|dir| files_below(dir).unwrap().into_iter().map(|name| dir.join(name)))
            .filter(|path| path.extension().is_none())
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["README", "Readme", "readme"], "{engine}");
        std::fs::remove_dir_all(&tree).unwrap();
    }
}
