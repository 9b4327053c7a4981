//! `haul seal --pack tar` and `haul open --only`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use haul_testkit::{assert_same, peer, seeded_bytes};

use super::{ENGINES, contents, shards, unpack};
use crate::workdir::Workdir;

/// A recipient whose identity nobody needs.
const RECIPIENT: &str = "age13fcdt4fgjdpemlq0lg0ant7pglvwqw8fcwateue6zef3wc9mda0qj9v8x0";

struct Fixture {
    workdir: Workdir,
    recipient: String,
}

impl Fixture {
    /// A tree with all that a name and a file can be.
    fn new() -> Self {
        let workdir = Workdir::new();
        let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
        let name = |bytes: &[u8]| Path::new("tree").join(OsStr::from_bytes(bytes));
        let long = [b"d/".as_slice(), &[b'n'; 130]].concat();
        let foreign = [b"d/\xff".as_slice(), &[b'n'; 130]].concat();
        let split = [[b'p'; 120].as_slice(), b"/", &[b'n'; 90]].concat();
        let accents = "\u{e9}".repeat(70);
        let names = [
            b"a".as_slice(),
            b"d/e/f.txt",
            b"sp ace\n",
            b"\xfe",
            &long,
            &foreign,
            &split,
            accents.as_bytes(),
        ];
        for (number, bytes) in names.into_iter().enumerate() {
            workdir.write(name(bytes), seeded_bytes(number as u64, number * 5_000));
        }
        workdir.write("tree/large", seeded_bytes(99, 3_000_000));
        let tree = workdir.path("tree");
        std::fs::create_dir(tree.join("empty")).unwrap();
        symlink("a", tree.join("link")).unwrap();
        std::fs::set_permissions(tree.join("a"), PermissionsExt::from_mode(0o640)).unwrap();
        let times = [(1_000_000_000, 123_456_789), (7, 0)];
        for (name, (seconds, nanoseconds)) in ["a", "d/e/f.txt"].into_iter().zip(times) {
            let file = std::fs::File::open(tree.join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::new(seconds, nanoseconds)).unwrap();
        }
        let directory = std::fs::File::open(tree.join("d/e")).unwrap();
        directory.set_modified(UNIX_EPOCH + Duration::new(12_345, 6)).unwrap();
        std::fs::set_permissions(tree.join("d/e"), PermissionsExt::from_mode(0o555)).unwrap();
        Self { workdir, recipient: recipient.trim().to_owned() }
    }

    fn seal(&self, output: &str, options: &[&str]) -> haul_testkit::Run {
        let args = ["seal", "-r", &self.recipient, "-o", output];
        self.workdir.haul.run(args.iter().chain(options).chain(&["tree"]))
    }

    /// Opens the shards in `from`, and unpacks them.
    fn unpack(&self, from: &str, into: &str) {
        let plain = format!("{into}-shards");
        self.workdir.run(&["open", "-i", "key.txt", "-o", &plain, from]).expect_status(0);
        unpack(&shards(&self.workdir.path(plain)), &self.workdir.path(into));
    }
}

/// Modes and times of all that is below `directory`.
fn metadata(directory: &Path) -> Vec<(PathBuf, u32, i64, i64)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            }
            let name = entry.path().strip_prefix(directory).unwrap().to_owned();
            found.push((name, meta.mode(), meta.mtime(), meta.mtime_nsec()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_engine_packs_a_tree_as_files_mode_mirrors_it() {
    let fixture = Fixture::new();
    let workdir = &fixture.workdir;
    fixture.seal("files", &[]).expect_status(0);
    workdir.run(&["open", "-i", "key.txt", "-o", "opened", "files"]).expect_status(0);
    let opened = workdir.path("opened");
    for (number, engine) in ENGINES.into_iter().chain(["processes=2", "hybrid=2x2"]).enumerate() {
        let (packed, unpacked) = (format!("packed-{number}"), format!("unpacked-{number}"));
        let run = fixture.seal(&packed, &["-e", engine, "-v", "--pack", "tar", "--pack-size", "30k"]);
        let said = run.expect_status(0).stderr_text();
        let stays = format!("instead of {engine}: this kind of task stays in one process");
        assert_eq!(said.contains(&stays), number >= ENGINES.len(), "{engine}: {said}");
        assert!(said.contains("\"tree/link\" was left alone: a symbolic link"), "{said}");
        let shards = shards(&workdir.path(&packed));
        assert!(shards.len() > 2, "{engine}: {shards:?}");
        fixture.unpack(&packed, &unpacked);
        let unpacked = workdir.path(unpacked);
        assert_same(&opened, &unpacked);
        assert_eq!(contents(&opened), contents(&unpacked), "{engine}");
        assert_eq!(metadata(&opened), metadata(&unpacked), "{engine}");
        assert!(unpacked.join("empty").is_dir());
    }
}

#[test]
fn age_and_rage_open_shards_for_tar() {
    let fixture = Fixture::new();
    let workdir = &fixture.workdir;
    fixture.seal("packed", &["--pack", "tar"]).expect_status(0);
    for program in ["age", "rage"] {
        let Some(program) = peer(program) else { continue };
        let into = workdir.path(program.file_name().unwrap());
        std::fs::create_dir(&into).unwrap();
        for shard in shards(&workdir.path("packed")) {
            let mut age = Command::new(&program);
            age.arg("-d").arg("-i").arg(workdir.path("key.txt")).arg(shard).stdout(Stdio::piped());
            let mut age = age.spawn().unwrap();
            let piped = age.stdout.take().unwrap();
            let tar = Command::new("tar").args(["xp", "-C"]).arg(&into).stdin(piped).status().unwrap();
            assert!(tar.success() && age.wait().unwrap().success(), "{program:?}");
        }
        std::fs::remove_file(workdir.path("tree/link")).ok();
        assert_eq!(contents(&workdir.path("tree")), contents(&into), "{program:?}");
    }
}

#[test]
fn one_member_is_read_alone() {
    let fixture = Fixture::new();
    let workdir = &fixture.workdir;
    fixture.seal("packed", &["--pack", "tar"]).expect_status(0);
    workdir.run(&["open", "-i", "key.txt", "-o", "plain", "packed"]).expect_status(0);
    let shards = [shards(&workdir.path("packed")), shards(&workdir.path("plain"))].concat();
    let mut found = 0;
    for shard in &shards {
        let shard = shard.to_str().unwrap();
        for name in ["d/e/f.txt", "large", "a"] {
            let only = ["open", "-i", "key.txt", "--only", name, "-o", "-", shard];
            let run = workdir.run(&only);
            if run.status == 0 {
                assert_eq!(run.stdout, workdir.read(format!("tree/{name}")));
                found += 1;
                let file = format!("{name}-{found}").replace('/', "-");
                let args = ["open", "-i", "key.txt", "--only", name, "-o", &file, shard];
                workdir.run(&args).expect_status(0);
                assert_eq!(workdir.read(&file), run.stdout);
                workdir.run(&args).expect_status(1);
            }
        }
    }
    assert_eq!(found, 6, "each member once sealed and once plain");
    workdir.run(&["open", "--only", "d/e/f.txt", "-o", "-", "tree/large"]).expect_status(1);
}

#[test]
fn a_damaged_member_is_told_from_its_neighbours() {
    let fixture = Fixture::new();
    let workdir = &fixture.workdir;
    fixture.seal("packed", &["-e", "serial", "--pack", "tar"]).expect_status(0);
    workdir.run(&["open", "-i", "key.txt", "-o", "plain", "packed"]).expect_status(0);
    let large = seeded_bytes(99, 3_000_000);
    for (kind, shard) in [("sealed", "packed/shard-000000.tar.age"), ("plain", "plain/shard-000000.tar")] {
        workdir.change(shard, |bytes| {
            let middle = match kind {
                "plain" => bytes.windows(64).position(|window| *window == large[..64]).unwrap() + 1_500_000,
                _ => bytes.len() / 2,
            };
            bytes[middle] ^= 1;
        });
        let only = |name: &str| workdir.run(&["open", "-i", "key.txt", "--only", name, "-o", "out", shard]);
        let statuses = ["large", "a", "d/e/f.txt"].map(|name| {
            let run = only(name);
            let _ = std::fs::remove_file(workdir.path("out"));
            run.status
        });
        assert!(statuses.contains(&4) && statuses.contains(&0), "{kind}: {statuses:?}");
        workdir.change(shard, |bytes| bytes.truncate(bytes.len() - 1));
        let cut = only("a").status;
        assert_eq!(cut, if kind == "sealed" { 4 } else { 1 }, "{kind}");
    }
}

/// Unpacking would let one take the place of the other.
#[test]
fn two_sources_share_no_member() {
    let workdir = Workdir::new();
    for (name, content) in [("a/t/f", "first"), ("b/t/f", "second"), ("b/t/F", "third")] {
        workdir.write(name, content);
    }
    let seal = |inputs: &[&str], more: &[&str]| {
        let args = ["seal", "-i", "key.txt", "--pack", "tar", "-o", "packed"];
        workdir.haul.run(args.iter().chain(inputs).chain(more))
    };
    workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0);
    seal(&["a/t/f", "b/t/f"], &[]).expect_status(2);
    for (engine, dry_run) in ENGINES.iter().flat_map(|engine| [(engine, true), (engine, false)]) {
        let more: &[&str] = if dry_run { &["-e", engine, "--dry-run"] } else { &["-e", engine] };
        let _ = std::fs::remove_dir_all(workdir.path("packed"));
        let run = seal(&["a/t", "b/t"], more).expect_status(1);
        assert!(run.stderr_text().contains("another source has the same result"), "{}", run.stderr_text());
    }
    let opened = |name: &str| {
        let args = ["open", "-i", "key.txt", "--only", name, "-o", "-", "packed/shard-000000.tar.age"];
        workdir.run(&args).expect_status(0).stdout_text()
    };
    assert_eq!((opened("t/f"), opened("t/F")), ("first".to_owned(), "third".to_owned()));
}

#[test]
fn options_that_need_a_result_for_each_file_are_refused() {
    let fixture = Fixture::new();
    let workdir = &fixture.workdir;
    for option in ["--replace", "--update", "--force", "--xattrs", "--armor"] {
        let refused = fixture.seal("packed", &["--pack", "tar", option]).expect_status(2).stderr_text();
        assert!(refused.contains(option), "{refused}");
        assert!(!workdir.path("packed").exists());
    }
    workdir.refuses("pack-output", &["seal", "-r", RECIPIENT, "--pack", "tar", "tree"]);
    workdir.refuses("pack-size", &["seal", "-r", RECIPIENT, "--pack-size", "1G", "-o", "x", "tree"]);
    for (name, options) in [
        ("pack-get-output", &["-o", "x", "--pack", "tar"][..]),
        ("pack-get-force", &["--force", "--pack", "tar"]),
        ("pack-get-hidden", &["-r", RECIPIENT, "--name", "hidden", "--pack", "tar"]),
        ("pack-get-ring", &["-e", "uring", "-d", "s3://bucket/x", "--pack", "tar"]),
    ] {
        workdir.refuses(name, &[&["get", "http://127.0.0.1:9/x"], options].concat());
    }
    workdir.refuses(
        "pack-get-fleet",
        &["get", "--fleet", "redis://127.0.0.1:9/run", "--pack", "tar", "--pack-size", "1MiB"],
    );
    fixture.seal("packed", &["--pack", "tar"]).expect_status(0);
    let before = contents(&workdir.path("packed"));
    let refused = fixture.seal("packed", &["--pack", "tar"]).expect_status(2).stderr_text();
    assert!(refused.contains("there are shards already"), "{refused}");
    assert_eq!(contents(&workdir.path("packed")), before);
}
