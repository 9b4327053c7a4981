//! `haul rekey`: new recipients on every engine, under kills, with the metadata and the exit codes of the other
//! commands.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use haul_testkit::{
    Haul, Mount, Run, Tree, assert_same, check_golden, files_below, is_root, peer, seeded_bytes, skip,
};
use serde_json::Value;

use crate::workdir::{Workdir, golden};

const ENGINES: [&str; 5] = ["serial", "threads=3", "processes=2", "hybrid=2x2", "uring=2x8"];

/// A directory with the identities `old.txt` and `new.txt`.
struct Fixture {
    workdir: Workdir,
    old: String,
    new: String,
}

impl std::ops::Deref for Fixture {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.workdir
    }
}

impl Fixture {
    fn new() -> Self {
        let workdir = Workdir::new();
        let [old, new] = ["old.txt", "new.txt"].map(|name| {
            workdir.run(&["keygen", "-o", name]).expect_status(0).stdout_text().trim().to_owned()
        });
        Self { workdir, old, new }
    }

    /// Seals `names` to the old recipient.
    fn seal(&self, args: &[&str]) {
        self.run(&[["seal", "-r", &self.old].as_slice(), args].concat()).expect_status(0);
    }

    /// Rekeys to the new recipient.
    fn rekey(&self, args: &[&str]) -> Run {
        self.run(&[["rekey", "-i", "old.txt", "-r", &self.new].as_slice(), args].concat())
    }

    /// The plaintext of a file that the new identity opens.
    fn opened(&self, name: &str) -> Vec<u8> {
        self.run(&["cat", "-i", "new.txt", name]).expect_status(0).stdout
    }
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), std::fs::read(dir.join(path)).unwrap());
    files_below(dir).unwrap().into_iter().map(read).collect()
}

#[test]
fn a_tree_gets_new_recipients_on_every_engine() {
    let fixture = Fixture::new();
    Tree::seeded(5).files(30).depth(2).write(&fixture.path("tree")).unwrap();
    fixture.write("tree/large", seeded_bytes(1, 6_000_000));
    fixture.write("tree/empty", "");
    let (mut opens, mut adds) = ("old.txt", fixture.new.clone());
    fixture.seal(&["-o", "sealed", "tree"]);
    fixture.write("sealed/other.txt", "not sealed");
    let modified = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let large = std::fs::File::options().write(true).open(fixture.path("sealed/large.age")).unwrap();
    large.set_modified(modified).unwrap();
    large.set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
    for engine in ENGINES {
        let before = contents(&fixture.path("sealed"));
        let run = fixture.run(&["rekey", "-i", opens, "-r", &adds, "-e", engine, "sealed"]).expect_status(0);
        let warning = "haul: warning: former recipients may have kept the file keys";
        assert_eq!(run.stderr_text().matches(warning).count(), 1, "{}", run.stderr_text());
        (opens, adds) = if opens == "old.txt" {
            ("new.txt", fixture.old.clone())
        } else {
            ("old.txt", fixture.new.clone())
        };
        fixture.run(&["open", "-i", opens, "-o", "opened", "sealed"]).expect_status(0);
        assert_same(&fixture.path("tree"), &fixture.path("opened"));
        std::fs::remove_dir_all(fixture.path("opened")).unwrap();
        let closed = if opens == "old.txt" { "new.txt" } else { "old.txt" };
        assert_eq!(fixture.run(&["verify", "-i", closed, "sealed"]).status, 3, "{engine}");
        let after = contents(&fixture.path("sealed"));
        assert!(after.keys().eq(before.keys()), "{engine}: the same names");
        assert_eq!(after[Path::new("other.txt")], b"not sealed");
        let payload = |file: &[u8]| file[file.len() - 6_000_000..].to_vec();
        let large = Path::new("large.age");
        assert!(after[large] != before[large] && payload(&after[large]) == payload(&before[large]));
        let metadata = fixture.path("sealed/large.age").metadata().unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.modified().unwrap()), (0o640, modified), "{engine}");
    }
}

#[test]
fn other_programs_open_the_results() {
    let fixture = Fixture::new();
    fixture.write("plain", seeded_bytes(2, 1_300_000));
    fixture.seal(&["-o", "binary.age", "plain"]);
    fixture.seal(&["-a", "-o", "armored.age", "plain"]);
    fixture.write("friends", format!("{}\n{}\n", fixture.new, fixture.old));
    fixture.run(&["rekey", "-i", "old.txt", "-R", "friends", "binary.age", "armored.age"]).expect_status(0);
    fixture
        .run(&["rekey", "-i", "new.txt", "-r", &fixture.new, "binary.age", "armored.age"])
        .expect_status(0);
    assert!(fixture.read("armored.age").starts_with(b"-----BEGIN AGE"));
    for program in ["age", "rage"].into_iter().filter_map(peer) {
        for name in ["binary.age", "armored.age"] {
            let open = |key| {
                let args = ["-d", "-i", key, name];
                Command::new(&program).args(args).current_dir(fixture.dir()).output().unwrap()
            };
            let opened = open("new.txt");
            assert!(opened.status.success() && opened.stdout == fixture.read("plain"), "{program:?} {name}");
            assert!(!open("old.txt").status.success(), "{program:?} {name}");
        }
    }
}

#[test]
fn refusals_leave_every_file_as_it_was() {
    let fixture = Fixture::new();
    fixture.write("letter", "Dear Ada");
    fixture.seal(&["letter"]);
    fixture.run(&["seal", "-r", &fixture.new, "-o", "theirs.age", "letter"]).expect_status(0);
    std::fs::copy(fixture.path("letter.age"), fixture.path("damaged.age")).unwrap();
    fixture.change("damaged.age", |bytes| {
        let mac = bytes.windows(5).position(|window| window == b"\n--- ").unwrap() + 9;
        bytes[mac] = if bytes[mac] == b'A' { b'B' } else { b'A' };
    });
    symlink("letter.age", fixture.path("link.age")).unwrap();
    let before = contents(fixture.dir());
    let says = |name: &str, args: &[&str]| {
        let run = fixture.run(&[["rekey"].as_slice(), args].concat());
        check_golden(golden(name), &run.hide(&fixture.new, "[NEW]"));
    };
    says("rekey-to-nobody", &["-i", "old.txt", "letter.age"]);
    says("rekey-with-nothing", &["-r", &fixture.new, "letter.age"]);
    says("rekey-wrong-identity", &["-i", "old.txt", "-r", &fixture.new, "theirs.age"]);
    says("rekey-damaged", &["-i", "old.txt", "-r", &fixture.new, "damaged.age"]);
    says("rekey-link", &["-i", "old.txt", "-r", &fixture.new, "link.age"]);
    says("rekey-not-age", &["-i", "old.txt", "-r", &fixture.new, "letter"]);
    says("rekey-key", &["-i", "old.txt", "-r", &fixture.new, "old.txt"]);
    says("rekey-stdin", &["-i", "old.txt", "-r", &fixture.new, "-"]);
    says("rekey-tree-to-passphrase", &["-i", "old.txt", "--new-passphrase", "."]);
    says("rekey-dry-run", &["-i", "old.txt", "-r", &fixture.new, "--dry-run", "letter.age"]);
    assert!(contents(fixture.dir()) == before);
    check_golden(golden("help-rekey"), &fixture.run(&["rekey", "--help"]));
}

#[test]
fn events_and_remarks_are_those_of_other_commands() {
    let fixture = Fixture::new();
    fixture.write("letter", "Dear Ada");
    fixture.seal(&["letter"]);
    std::fs::hard_link(fixture.path("letter.age"), fixture.path("other-name")).unwrap();
    let run = fixture.rekey(&["--json", "-e", "serial", "letter.age"]).expect_status(0);
    let events: Vec<Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["target"]), (&"done".into(), &"letter.age".into()));
    assert_eq!((&events[0]["plain_bytes"], &events[0]["other_names"]), (&8.into(), &1.into()));
    assert_eq!((&events[1]["event"], &events[1]["succeeded"]), (&"report".into(), &1.into()));
    assert!(run.stderr_text().contains("\"letter.age\" has 1 other name (hard links)"));
    assert_eq!(fixture.opened("letter.age"), b"Dear Ada");
    fixture.run(&["cat", "-i", "old.txt", "other-name"]).expect_status(0);
}

#[test]
fn a_passphrase_is_replaced_by_another_and_by_a_key() {
    let fixture = Fixture::new();
    fixture.write("letter", "Dear Ada");
    for (name, text) in [("one", "correct horse\n"), ("two", "battery staple\n")] {
        fixture.write(name, text);
    }
    let with = |old: &str, args: &[&str]| {
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(fixture.dir());
        let haul = haul.env("HAUL_PASSPHRASE_FILE", fixture.path(old));
        haul.env("HAUL_NEW_PASSPHRASE_FILE", fixture.path("two")).run(args)
    };
    with("one", &["seal", "-p", "letter"]).expect_status(0);
    with("one", &["rekey", "-p", "--new-passphrase", "letter.age"]).expect_status(0);
    assert_eq!(fixture.read("letter.age").windows(10).filter(|line| line == b"-> scrypt ").count(), 1);
    assert_eq!(with("one", &["rekey", "-p", "-r", &fixture.new, "letter.age"]).status, 3);
    with("two", &["rekey", "-p", "-r", &fixture.new, "letter.age"]).expect_status(0);
    assert_eq!(fixture.opened("letter.age"), b"Dear Ada");
}

#[test]
fn a_full_disk_leaves_the_old_files() {
    let fixture = Fixture::new();
    fixture.write("plain", seeded_bytes(1, 3_000_000));
    fixture.seal(&["plain"]);
    let before = fixture.read("plain.age");
    let haul = env!("CARGO_BIN_EXE_haul");
    let limited = format!("ulimit -f 2000; exec {haul} rekey -i old.txt -r {} plain.age", fixture.new);
    let output = Command::new("bash").args(["-c", &limited]).current_dir(fixture.dir()).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fixture.read("plain.age") == before);
    if !is_root() {
        return skip("only root can mount a small file system");
    }
    let small = fixture.path("small");
    std::fs::create_dir(&small).unwrap();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&small).status().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs"]).success() {
        return skip("mounting is not permitted");
    }
    std::fs::copy(fixture.path("plain.age"), small.join("plain.age")).unwrap();
    let run = fixture.rekey(&["small"]);
    let left = contents(&small);
    assert!(mount(&["umount"]).success());
    assert_eq!(run.status, 5, "{}", run.stderr_text());
    assert!(left.len() == 1 && left[Path::new("plain.age")] == before);
}

/// On a file system that is more than half full, a copy doesn't fit and a clone does.
#[test]
fn blocks_are_shared_where_a_file_system_can_do_it() {
    for (mkfs, mib) in [(&["mkfs.xfs", "-q"][..], 320), (&["mkfs.btrfs", "-q"], 400)] {
        // The helper says if it is skipped.
        let Some(mount) = Mount::image(mkfs, mib) else { continue };
        let fixture = Fixture::new();
        let plain = vec![7; mib as usize * 600_000];
        fixture.write("plain", &plain);
        let file = mount.path().join("x.age").display().to_string();
        fixture.seal(&["-o", &file, "plain"]);
        for engine in ["processes=2", "uring=1x4"] {
            fixture.rekey(&["-e", engine, &file]).expect_status(0);
            assert!(fixture.opened(&file) == plain, "{mkfs:?} {engine}");
            let back = ["rekey", "-e", engine, "-i", "new.txt", "-r", &fixture.old, &file];
            fixture.run(&back).expect_status(0);
        }
        let before = std::fs::read(&file).unwrap();
        let run = fixture.rekey(&["-r", &fixture.old, &file]);
        assert_eq!(run.status, 5, "a header of another length needs a copy: {}", run.stderr_text());
        assert!(std::fs::read(&file).unwrap() == before, "{mkfs:?}");
        assert_eq!(files_below(&mount.path()).unwrap(), [PathBuf::from("x.age")], "{mkfs:?}");
    }
}

/// Rekeys a tree whose workers, or the program itself, are killed. Whatever happens, each file opens with one of the
/// keys, those that were reported with the new one.
fn survives_kills(engine: &str, kills_program: bool) {
    let fixture = Fixture::new();
    Tree::seeded(11).files(300).sizes(1..=4_000).depth(1).write(&fixture.path("tree")).unwrap();
    for index in 0..4 {
        fixture.write(format!("tree/large{index}"), seeded_bytes(index, 3_000_000));
    }
    fixture.seal(&["-o", "sealed", "tree"]);
    let names: Vec<_> = contents(&fixture.path("sealed")).into_keys().collect();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(fixture.dir());
    let args =
        ["rekey", "--json", "-q", "--durable", "never", "-e", engine, "-i", "old.txt", "-r", &fixture.new];
    let mut watched = haul.watch(args.iter().chain(&["sealed"]));
    let (mut done, mut failed, mut killed) = (Vec::new(), 0, 0);
    while let Some(line) = watched.next_line() {
        let event: Value = serde_json::from_str(&line).unwrap();
        match event["event"].as_str() {
            Some("done") => done.push(event["subject"].as_str().unwrap().to_owned()),
            Some("failed") => failed += 1,
            _ => continue,
        }
        if kills_program && done.len() == 100 {
            watched.kill();
            break;
        }
        if !kills_program && done.len() >= 25 * (killed + 1) && watched.kill_worker(killed) {
            killed += 1;
        }
    }
    let (_, stderr) = watched.finish();
    assert!(kills_program || killed >= 8 && done.len() + failed == names.len(), "{killed} kills, {stderr}");
    fixture.write("both.txt", [fixture.read("old.txt"), fixture.read("new.txt")].concat());
    fixture.run(&["verify", "-q", "-i", "both.txt", "sealed"]).expect_status(0);
    let reported = done.iter().map(String::as_str);
    let args: Vec<_> = ["verify", "-q", "-i", "new.txt"].into_iter().chain(reported).collect();
    fixture.run(&args).expect_status(0);
    // What was not rekeyed is rekeyed by the next run, which also removes what the killed one has left.
    let rest: Vec<_> = names
        .iter()
        .map(|name| format!("sealed/{}", name.display()))
        .filter(|name| fixture.run(&["verify", "-qq", "-i", "new.txt", name]).status == 3)
        .collect();
    if !rest.is_empty() {
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        fixture.rekey(&rest).expect_status(0);
    }
    fixture.run(&["open", "-q", "-i", "new.txt", "-o", "opened", "sealed"]).expect_status(0);
    assert_same(&fixture.path("tree"), &fixture.path("opened"));
}

#[test]
fn killed_workers_leave_every_file_whole() {
    survives_kills("processes=3", false);
    survives_kills("hybrid=2x2", false);
}

#[test]
fn a_killed_program_leaves_every_file_whole() {
    survives_kills("threads=2", true);
    survives_kills("processes=2", true);
}
