//! Streams, armor, `verify` and `inspect` through the real binary, beside the age program where it is installed.

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use haul_testkit::{Haul, Run, Tree, assert_same, check_golden, files_below, peer, seeded_bytes};

struct Place {
    dir: tempfile::TempDir,
    haul: Haul,
    recipient: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let recipient =
            haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
        Self { dir, haul, recipient }
    }

    fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args)
    }

    /// Runs with `bytes` on stdin.
    fn fed(&self, bytes: &[u8], args: &[&str]) -> Run {
        Haul::new(env!("CARGO_BIN_EXE_haul")).dir(self.dir.path()).stdin(bytes).run(args)
    }

    fn seal(&self, args: &[&str]) -> Run {
        self.run(&[["seal", "-r", &self.recipient].as_slice(), args].concat()).expect_status(0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// What a shell makes of `line`, in which `$haul` is the program and `$to` the recipient.
    fn shell(&self, line: &str) -> (i32, Vec<u8>, String) {
        let output = Command::new("bash")
            .args(["-c", line])
            .env("haul", env!("CARGO_BIN_EXE_haul"))
            .env("to", &self.recipient)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let code = output.status.code().unwrap_or(-1);
        (code, output.stdout, String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    fn says(&self, name: &str, args: &[&str]) {
        check_golden(golden(name), &self.run(args).hide(&self.recipient, "[RECIPIENT]"));
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

#[test]
fn stdin_and_stdout_and_files_combine() {
    let place = Place::new();
    for bytes in [0, 5, 65_536, 3_000_000] {
        let plain = seeded_bytes(1, bytes);
        place.write("plain", &plain);
        let to = ["-r", &place.recipient];
        let to_stdout = place.fed(&plain, &["seal", to[0], to[1], "-"]).expect_status(0).stdout;
        let from_file = place.seal(&["-o", "-", "plain"]).stdout;
        place.fed(&plain, &["seal", to[0], to[1], "-o", "to-file.age", "-"]).expect_status(0);
        for sealed in [to_stdout, from_file, place.read("to-file.age")] {
            let open = ["open", "-i", "key.txt"];
            assert!(place.fed(&sealed, &[open.as_slice(), &["-"]].concat()).expect_status(0).stdout == plain);
            place.write("sealed", &sealed);
            assert!(
                place.run(&[open.as_slice(), &["-o", "-", "sealed"]].concat()).expect_status(0).stdout
                    == plain
            );
            place.fed(&sealed, &[open.as_slice(), &["-o", "copy", "-"]].concat()).expect_status(0);
            assert!(place.read("copy") == plain);
            std::fs::remove_file(place.path("copy")).unwrap();
        }
        assert_eq!(place.path("to-file.age").metadata().unwrap().permissions().mode() & 0o111, 0);
        std::fs::remove_file(place.path("to-file.age")).unwrap();
    }
}

#[test]
fn pipes_sockets_and_pipes_with_names_are_streams() {
    let place = Place::new();
    let plain = seeded_bytes(2, 2_000_000);
    place.write("plain", &plain);
    let (code, out, talk) =
        place.shell("cat plain | $haul seal -r $to - | $haul open -i key.txt - | $haul seal -a -r $to - | $haul open -i key.txt -");
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");
    let (code, out, talk) = place.shell(
        "mkfifo in out; cat plain > in & $haul seal -r $to -o out in & $haul open -i key.txt -o - out; code=$?; wait; exit $code",
    );
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");
    assert!(place.path("out").symlink_metadata().unwrap().file_type().is_fifo());
    let (code, out, talk) =
        place.shell("$haul seal -r $to -o /dev/stdout plain | $haul open -i key.txt <(cat)");
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");

    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let end = || Stdio::from(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["seal", "-r", &place.recipient, "-"])
        .stdin(end())
        .stdout(end())
        .spawn()
        .unwrap();
    drop(theirs);
    let mut sending = ours.try_clone().unwrap();
    let feeder = std::thread::spawn({
        let plain = plain.clone();
        move || {
            sending.write_all(&plain).unwrap();
            sending.shutdown(std::net::Shutdown::Write).unwrap();
        }
    });
    let mut sealed = Vec::new();
    ours.read_to_end(&mut sealed).unwrap();
    feeder.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(place.fed(&sealed, &["open", "-i", "key.txt", "-"]).expect_status(0).stdout == plain);
}

#[test]
fn damage_ends_a_stream_after_what_is_authentic_and_never_makes_a_file() {
    let place = Place::new();
    let plain = seeded_bytes(3, 1_000_000);
    place.write("plain", &plain);
    let sealed = place.seal(&["-o", "-", "plain"]).stdout;
    let payload = sealed.len() - 1_000_000 - 16 * 16;
    let mut flipped = sealed.clone();
    flipped[payload + 9 * 65_552 + 1] ^= 1;
    let longer = [sealed.as_slice(), b"x"].concat();
    for (name, damaged, released) in [
        ("flipped", flipped.as_slice(), 9 * 65_536),
        ("cut", &sealed[..payload + 6 * 65_552], 6 * 65_536),
        ("longer", &longer, 15 * 65_536),
        ("header", &sealed[..40], 0),
    ] {
        let run = place.fed(damaged, &["open", "-i", "key.txt", "-"]);
        assert!(run.stdout == plain[..released], "{name}: {} bytes", run.stdout.len());
        check_golden(golden(&format!("open-stream-{name}")), &Run { stdout: Vec::new(), ..run });
        let run = place.fed(damaged, &["open", "-i", "key.txt", "-o", "never", "-"]);
        assert_eq!(run.status, 4);
        let run = place.fed(damaged, &["verify", "-i", "key.txt", "-"]);
        check_golden(golden(&format!("verify-stream-{name}")), &run);
    }
    assert_eq!(files_below(place.dir.path()).unwrap().len(), 2, "the plaintext and the key");
    place.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    assert_eq!(place.fed(&sealed, &["open", "-i", "other.txt", "-"]).status, 3);
    assert_eq!(place.fed(b"hello", &["open", "-i", "key.txt", "-"]).status, 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    place.write("letter", b"x");
    place.write("taken", b"precious");
    std::fs::create_dir(place.path("dir")).unwrap();
    let seal = ["seal", "-r", place.recipient.as_str()];
    let with = |rest: &[&'static str]| [seal.as_slice(), rest].concat();
    place.says("seal-stdin-and-file", &with(&["-", "letter"]));
    place.says("seal-many-to-stdout", &with(&["-o", "-", "letter", "taken"]));
    place.says("seal-tree-to-stdout", &with(&["-o", "-", "dir"]));
    place.says("seal-stdin-to-dir", &with(&["-o", "dir", "-"]));
    place.says("seal-stdin-to-existing", &with(&["-o", "taken", "-"]));
    place.says("seal-stdin-by-processes", &with(&["-e", "processes=2", "-"]));
    place.says("seal-stdin-json-to-stdout", &with(&["--json", "-"]));
    place.says("seal-missing-to-stdout", &with(&["-o", "-", "missing"]));
    place.says("seal-stdin-with-its-passphrase", &["seal", "--passphrase-fd", "0", "-"]);
    place.says("seal-stdin-dry-run", &with(&["--dry-run", "-o", "new", "-"]));
    place.says("verify-with-nothing", &["verify", "letter"]);
    place.says("verify-stdin-and-file", &["verify", "-i", "key.txt", "-", "letter"]);
    assert_eq!(place.read("taken"), b"precious");
    place.fed(b"new", &[&with(&["--force", "-o", "taken"])[..], &["-"]].concat()).expect_status(0);
    assert!(place.read("taken").starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(files_below(place.dir.path()).unwrap().len(), 3);
}

/// Runs `line` on a terminal of its own; what that showed, and the exit status.
fn on_terminal(place: &Place, line: &str) -> Option<(String, i32)> {
    let script = peer("script")?;
    let output = Command::new(script)
        .args(["-qec", &format!("bash -c '{line}'"), "/dev/null"])
        .env("haul", env!("CARGO_BIN_EXE_haul"))
        .env("to", &place.recipient)
        .current_dir(place.dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1)))
}

#[test]
fn a_terminal_is_shown_text_only() {
    let place = Place::new();
    place.write("text", "Grüße\n".as_bytes());
    place.write("binary", b"a\0b");
    place.seal(&["text", "binary"]);
    let refused =
        "haul: error: binary data isn't written to a terminal\r\nhaul: hint: name a file with -o, or ";
    let Some((shown, status)) = on_terminal(&place, "$haul seal -r $to - < text") else { return };
    assert_eq!((shown, status), (format!("{refused}make text with -a\r\n"), 2));
    let (shown, status) = on_terminal(&place, "$haul seal -a -r $to - < text").unwrap();
    assert!(status == 0 && shown.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\r\n"), "{shown}");
    let (shown, status) = on_terminal(&place, "$haul open -i key.txt -o - text.age").unwrap();
    assert_eq!((shown.as_str(), status), ("Grüße\r\n", 0));
    let (shown, status) = on_terminal(&place, "$haul open -i key.txt -o - binary.age").unwrap();
    assert_eq!((shown, status), (format!("{refused}pass it on to a program\r\n"), 2));
}

#[test]
fn a_reader_that_goes_away_ends_the_stream_quietly() {
    let place = Place::new();
    place.write("plain", &seeded_bytes(4, 5_000_000));
    place.seal(&["plain"]);
    let (_, out, talk) = place.shell("$haul open -i key.txt -o - plain.age | head -c 10");
    assert_eq!((out.as_slice(), talk.as_str()), (&seeded_bytes(4, 5_000_000)[..10], ""));
    let (code, _, talk) =
        place.shell("$haul seal -r $to - < /dev/zero | head -c 100000 > /dev/null; exit ${PIPESTATUS[0]}");
    assert_eq!((code, talk.as_str()), (1, ""));
}

#[test]
fn an_interrupted_stream_leaves_no_file() {
    let place = Place::new();
    for (signal, output) in [(2, "out"), (15, "out"), (2, "-")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
            .args(["seal", "-q", "-r", &place.recipient, "-o", output, "-"])
            .current_dir(place.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // More than a pipe holds: when this returns, some was read, and the signals are watched. Less than two workers take
        // in, though nobody reads what they write.
        stdin.write_all(&[0; 200_000]).unwrap();
        let kill =
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        drop(stdin);
        assert_eq!(files_below(place.dir.path()).unwrap().len(), 1, "the key alone");
    }
}

#[test]
fn json_lines_tell_of_a_stream() {
    let place = Place::new();
    let run =
        place.fed(b"hello", &["seal", "--json", "-r", &place.recipient, "-o", "out", "-"]).expect_status(0);
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["event"].as_str(), lines[0]["plain_bytes"].as_u64()), (Some("done"), Some(5)));
    assert_eq!(lines[0]["sealed_bytes"].as_u64(), Some(place.read("out").len() as u64));
    assert_eq!((lines[1]["event"].as_str(), lines[1]["exit"].as_u64()), (Some("report"), Some(0)));
    let run = place.fed(&place.read("out")[..100], &["verify", "--json", "-q", "-i", "key.txt", "-"]);
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["event"].as_str(), lines[1]["exit"].as_u64()), (Some("failed"), Some(4)));
    assert_eq!(run.status, 4);
}

const ENGINES: [&str; 6] = ["auto", "serial", "threads=3", "processes=2", "hybrid=2x2", "uring=1x8"];

fn tree(place: &Place) {
    let plain = place.path("plain");
    Tree::seeded(5).files(30).sizes(0..=90_000).depth(2).write(&plain).unwrap();
    std::fs::write(plain.join("large"), seeded_bytes(6, 9_000_000)).unwrap();
}

#[test]
fn armored_trees_are_made_opened_and_verified_by_every_engine() {
    let place = Place::new();
    tree(&place);
    for engine in ENGINES {
        let (sealed, opened) = (format!("sealed-{engine}"), format!("opened-{engine}"));
        place.seal(&["-a", "-e", engine, "-o", &sealed, "plain"]);
        let large = place.read(&format!("{sealed}/large.age"));
        assert!(large.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), "{engine}");
        place.run(&["verify", "-e", engine, "-i", "key.txt", &sealed]).expect_status(0);
        place.run(&["open", "-e", engine, "-i", "key.txt", "-o", &opened, &sealed]).expect_status(0);
        assert_same(&place.path("plain"), &place.path(&opened));
    }
}

#[test]
fn every_engine_verifies_and_names_the_damage() {
    let place = Place::new();
    tree(&place);
    place.seal(&["-o", "sealed", "plain"]);
    let large = place.path("sealed/large.age");
    let intact = std::fs::read(&large).unwrap();
    let before = files_below(place.dir.path()).unwrap();
    for engine in ENGINES {
        std::fs::write(&large, &intact).unwrap();
        let run = place.run(&["verify", "--json", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        let report: serde_json::Value =
            serde_json::from_str(run.stdout_text().lines().last().unwrap()).unwrap();
        assert_eq!(report["succeeded"].as_u64(), Some(31), "{engine}");
        let mut damaged = intact.clone();
        damaged[5_000_000] ^= 1;
        std::fs::write(&large, damaged).unwrap();
        let run = place.run(&["verify", "-q", "-e", engine, "-i", "key.txt", "sealed"]);
        let golden_run = Run { args: ["verify", "-e", "[ENGINE]", "sealed"].map(Into::into).into(), ..run };
        check_golden(golden("verify-flipped-bit"), &golden_run);
        assert_eq!(files_below(place.dir.path()).unwrap(), before, "{engine} writes nothing");
    }
}

#[test]
fn verify_takes_any_name_and_a_wrong_key_has_its_own_code() {
    let place = Place::new();
    place.write("letter", b"Dear Ada");
    place.seal(&["-o", "odd-name", "letter"]);
    place.says("verify-detail", &["verify", "-v", "-i", "key.txt", "odd-name"]);
    place.says("verify-dry-run", &["verify", "--dry-run", "-i", "key.txt", "odd-name"]);
    place.says("verify-not-age", &["verify", "-i", "key.txt", "letter"]);
    place.says("verify-missing", &["verify", "-i", "key.txt", "missing"]);
    place.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    place.says("verify-wrong-identity", &["verify", "-i", "other.txt", "odd-name"]);
}

#[test]
fn inspect_tells_what_the_header_says() {
    let place = Place::new();
    place.write("letter", &seeded_bytes(7, 100_000));
    place.run(&["keygen", "--pq", "-o", "pq.txt"]).expect_status(0);
    let hybrid = place.run(&["keygen", "-y", "pq.txt"]).stdout_text().trim().to_owned();
    place.seal(&["-r", &place.recipient, "-o", "classic.age", "letter"]);
    place.seal(&["-a", "-o", "armored.age", "letter"]);
    place.run(&["seal", "-r", &hybrid, "-o", "hybrid.age", "letter"]).expect_status(0);
    place.says("inspect", &["inspect", "classic.age", "armored.age", "hybrid.age"]);
    place.says("inspect-json", &["inspect", "--json", "classic.age", "armored.age", "hybrid.age"]);
    let by_stdin = place.fed(&place.read("classic.age"), &["inspect", "-"]).expect_status(0).stdout_text();
    let by_name = place.run(&["inspect", "classic.age"]).stdout_text();
    assert_eq!(by_stdin.split_once('\n').unwrap().1, by_name.split_once('\n').unwrap().1);
    let classic = place.read("classic.age");
    let mut malformed = classic.clone();
    malformed[25] = b'!';
    malformed[24] = b'!';
    place.write("malformed", &malformed);
    place.write("cut-in-header", &classic[..100]);
    place.write("no-length", &classic[..classic.len() - 34_464 - 10]);
    place.says("inspect-damaged", &["inspect", "malformed", "cut-in-header", "no-length"]);
    place.says("inspect-not-age", &["inspect", "letter"]);
    place.says("inspect-missing", &["inspect", "missing"]);
}

#[test]
fn the_age_program_and_haul_read_each_others_streams_and_armor() {
    let Some(age) = peer("age") else { return };
    let place = Place::new();
    place.write("plain", &seeded_bytes(8, 1_234_567));
    let age = age.display();
    for armor in ["", "-a"] {
        for line in [
            format!("$haul seal {armor} -r $to - < plain | {age} -d -i key.txt"),
            format!("{age} {armor} -r $to < plain | $haul open -i key.txt -"),
            format!(
                "{age} {armor} -r $to -o theirs{armor}.age plain; $haul open -i key.txt -o - theirs{armor}.age"
            ),
            format!(
                "$haul seal {armor} -r $to -o ours{armor}.age plain; {age} -d -i key.txt ours{armor}.age"
            ),
        ] {
            let (code, out, talk) = place.shell(&line);
            assert!(code == 0 && out == place.read("plain"), "{line}: {talk}");
        }
    }
}
