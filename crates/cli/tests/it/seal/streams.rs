//! Streams, armor and `verify`, against age where it is installed.

use std::io::{Read, Write};
use std::ops::Deref;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

use haul_testkit::{Haul, Run, Tree, assert_same, check_golden, files_below, peer, seeded_bytes};

use crate::workdir::{Workdir, golden};

pub(super) struct StreamWorkdir {
    workdir: Workdir,
    pub(super) recipient: String,
}

impl Deref for StreamWorkdir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.workdir
    }
}

impl StreamWorkdir {
    pub(super) fn new() -> Self {
        let workdir = Workdir::new();
        let recipient =
            workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
        Self { workdir, recipient }
    }

    /// Runs with `bytes` on stdin.
    pub(super) fn fed(&self, bytes: &[u8], args: &[&str]) -> Run {
        Haul::new(env!("CARGO_BIN_EXE_haul")).dir(self.dir()).stdin(bytes).run(args)
    }

    pub(super) fn seal(&self, args: &[&str]) -> Run {
        self.run(&[["seal", "-r", &self.recipient].as_slice(), args].concat()).expect_status(0)
    }

    /// Runs `line` in a shell, with `$haul` as the program and `$to` as the recipient. Returns status, stdout and
    /// stderr.
    pub(super) fn shell(&self, line: &str) -> (i32, Vec<u8>, String) {
        let output = Command::new("bash")
            .args(["-c", line])
            .env("haul", env!("CARGO_BIN_EXE_haul"))
            .env("to", &self.recipient)
            .current_dir(self.dir())
            .output()
            .unwrap();
        let code = output.status.code().unwrap_or(-1);
        (code, output.stdout, String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    pub(super) fn says(&self, name: &str, args: &[&str]) {
        check_golden(golden(name), &self.run(args).hide(&self.recipient, "[RECIPIENT]"));
    }
}

#[test]
fn stdin_and_stdout_and_files_combine() {
    let workdir = StreamWorkdir::new();
    for bytes in [0, 5, 65_536, 3_000_000] {
        let plain = seeded_bytes(1, bytes);
        workdir.write("plain", &plain);
        let to = ["-r", &workdir.recipient];
        let to_stdout = workdir.fed(&plain, &["seal", to[0], to[1], "-"]).expect_status(0).stdout;
        let from_file = workdir.seal(&["-o", "-", "plain"]).stdout;
        workdir.fed(&plain, &["seal", to[0], to[1], "-o", "to-file.age", "-"]).expect_status(0);
        for sealed in [to_stdout, from_file, workdir.read("to-file.age")] {
            let open = ["open", "-i", "key.txt"];
            assert!(
                workdir.fed(&sealed, &[open.as_slice(), &["-"]].concat()).expect_status(0).stdout == plain
            );
            workdir.write("sealed", &sealed);
            assert!(
                workdir.run(&[open.as_slice(), &["-o", "-", "sealed"]].concat()).expect_status(0).stdout
                    == plain
            );
            workdir.fed(&sealed, &[open.as_slice(), &["-o", "copy", "-"]].concat()).expect_status(0);
            assert!(workdir.read("copy") == plain);
            std::fs::remove_file(workdir.path("copy")).unwrap();
        }
        assert_eq!(workdir.path("to-file.age").metadata().unwrap().permissions().mode() & 0o111, 0);
        std::fs::remove_file(workdir.path("to-file.age")).unwrap();
    }
}

#[test]
fn pipes_sockets_and_pipes_with_names_are_streams() {
    let workdir = StreamWorkdir::new();
    let plain = seeded_bytes(2, 2_000_000);
    workdir.write("plain", &plain);
    let (code, out, talk) =
        workdir.shell("cat plain | $haul seal -r $to - | $haul open -i key.txt - | $haul seal -a -r $to - | $haul open -i key.txt -");
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");
    let (code, out, talk) = workdir.shell(
        "mkfifo in out; cat plain > in & $haul seal -r $to -o out in & $haul open -i key.txt -o - out; code=$?; wait; exit $code",
    );
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");
    assert!(workdir.path("out").symlink_metadata().unwrap().file_type().is_fifo());
    let (code, out, talk) =
        workdir.shell("$haul seal -r $to -o /dev/stdout plain | $haul open -i key.txt <(cat)");
    assert!((code, out == plain, talk.as_str()) == (0, true, ""), "{talk}");

    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let end = || Stdio::from(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["seal", "-r", &workdir.recipient, "-"])
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
    assert!(workdir.fed(&sealed, &["open", "-i", "key.txt", "-"]).expect_status(0).stdout == plain);
}

#[test]
fn damage_ends_a_stream_after_its_authentic_part_and_never_leaves_a_file() {
    let workdir = StreamWorkdir::new();
    let plain = seeded_bytes(3, 1_000_000);
    workdir.write("plain", &plain);
    let sealed = workdir.seal(&["-o", "-", "plain"]).stdout;
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
        let run = workdir.fed(damaged, &["open", "-i", "key.txt", "-"]);
        assert!(run.stdout == plain[..released], "{name}: {} bytes", run.stdout.len());
        check_golden(golden(&format!("open-stream-{name}")), &Run { stdout: Vec::new(), ..run });
        let run = workdir.fed(damaged, &["open", "-i", "key.txt", "-o", "never", "-"]);
        assert_eq!(run.status, 4);
        let run = workdir.fed(damaged, &["verify", "-i", "key.txt", "-"]);
        check_golden(golden(&format!("verify-stream-{name}")), &run);
    }
    assert_eq!(files_below(workdir.dir()).unwrap().len(), 2, "the plaintext and the key");
    workdir.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    assert_eq!(workdir.fed(&sealed, &["open", "-i", "other.txt", "-"]).status, 3);
    assert_eq!(workdir.fed(b"hello", &["open", "-i", "key.txt", "-"]).status, 1);
}

#[test]
fn conflicting_options_are_refused() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", b"x");
    workdir.write("taken", b"precious");
    std::fs::create_dir(workdir.path("dir")).unwrap();
    let seal = ["seal", "-r", workdir.recipient.as_str()];
    let with = |rest: &[&'static str]| [seal.as_slice(), rest].concat();
    workdir.says("seal-stdin-and-file", &with(&["-", "letter"]));
    workdir.says("seal-many-to-stdout", &with(&["-o", "-", "letter", "taken"]));
    workdir.says("seal-tree-to-stdout", &with(&["-o", "-", "dir"]));
    workdir.says("seal-stdin-to-dir", &with(&["-o", "dir", "-"]));
    workdir.says("seal-stdin-to-existing", &with(&["-o", "taken", "-"]));
    workdir.says("seal-stdin-by-processes", &with(&["-e", "processes=2", "-"]));
    workdir.says("seal-stdin-json-to-stdout", &with(&["--json", "-"]));
    workdir.says("seal-missing-to-stdout", &with(&["-o", "-", "missing"]));
    workdir.says("seal-stdin-with-its-passphrase", &["seal", "--passphrase-fd", "0", "-"]);
    workdir.says("seal-stdin-dry-run", &with(&["--dry-run", "-o", "new", "-"]));
    workdir.says("verify-with-nothing", &["verify", "letter"]);
    workdir.says("verify-stdin-and-file", &["verify", "-i", "key.txt", "-", "letter"]);
    assert_eq!(workdir.read("taken"), b"precious");
    workdir.fed(b"new", &[&with(&["--force", "-o", "taken"])[..], &["-"]].concat()).expect_status(0);
    assert!(workdir.read("taken").starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(files_below(workdir.dir()).unwrap().len(), 3);
}

/// Runs `line` on its own terminal. Returns what the terminal showed, and the exit status.
fn on_terminal(workdir: &StreamWorkdir, line: &str) -> Option<(String, i32)> {
    let script = peer("script")?;
    let output = Command::new(script)
        .args(["-qec", &format!("bash -c '{line}'"), "/dev/null"])
        .env("haul", env!("CARGO_BIN_EXE_haul"))
        .env("to", &workdir.recipient)
        .env("NO_COLOR", "1")
        .current_dir(workdir.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1)))
}

#[test]
fn a_terminal_is_shown_text_only() {
    let workdir = StreamWorkdir::new();
    workdir.write("text", "Grüße\n".as_bytes());
    workdir.write("binary", b"a\0b");
    workdir.seal(&["text", "binary"]);
    let refused =
        "haul: error: binary data isn't written to a terminal\r\nhaul: hint: name a file with -o, or ";
    let Some((shown, status)) = on_terminal(&workdir, "$haul seal -r $to - < text") else { return };
    assert_eq!((shown, status), (format!("{refused}make text with -a\r\n"), 2));
    let (shown, status) = on_terminal(&workdir, "$haul seal -a -r $to - < text").unwrap();
    assert!(status == 0 && shown.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\r\n"), "{shown}");
    let (shown, status) = on_terminal(&workdir, "$haul open -i key.txt -o - text.age").unwrap();
    assert_eq!((shown.as_str(), status), ("Grüße\r\n", 0));
    let (shown, status) = on_terminal(&workdir, "$haul open -i key.txt -o - binary.age").unwrap();
    assert_eq!((shown, status), (format!("{refused}pipe it into a program\r\n"), 2));
}

#[test]
fn a_closed_pipe_ends_the_stream_quietly() {
    let workdir = StreamWorkdir::new();
    workdir.write("plain", seeded_bytes(4, 5_000_000));
    workdir.seal(&["plain"]);
    let (_, out, talk) = workdir.shell("$haul open -i key.txt -o - plain.age | head -c 10");
    assert_eq!((out.as_slice(), talk.as_str()), (&seeded_bytes(4, 5_000_000)[..10], ""));
    let (code, _, talk) =
        workdir.shell("$haul seal -r $to - < /dev/zero | head -c 100000 > /dev/null; exit ${PIPESTATUS[0]}");
    assert_eq!((code, talk.as_str()), (1, ""));
}

#[test]
fn an_interrupted_stream_leaves_no_file() {
    let workdir = StreamWorkdir::new();
    for (signal, output) in [(2, "out"), (15, "out"), (2, "-")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_haul"))
            .args(["seal", "-q", "-r", &workdir.recipient, "-o", output, "-"])
            .current_dir(workdir.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // More than a pipe holds, so when this returns, haul has read some of it and handles signals. Less than two
        // workers read while nothing reads their output.
        stdin.write_all(&[0; 200_000]).unwrap();
        let kill =
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        drop(stdin);
        assert_eq!(files_below(workdir.dir()).unwrap().len(), 1, "the key alone");
    }
}

#[test]
fn json_lines_report_a_stream() {
    let workdir = StreamWorkdir::new();
    let run = workdir
        .fed(b"hello", &["seal", "--json", "-r", &workdir.recipient, "-o", "out", "-"])
        .expect_status(0);
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["event"].as_str(), lines[0]["plain_bytes"].as_u64()), (Some("done"), Some(5)));
    assert_eq!(lines[0]["sealed_bytes"].as_u64(), Some(workdir.read("out").len() as u64));
    assert_eq!((lines[1]["event"].as_str(), lines[1]["exit"].as_u64()), (Some("report"), Some(0)));
    let run = workdir.fed(&workdir.read("out")[..100], &["verify", "--json", "-q", "-i", "key.txt", "-"]);
    let lines: Vec<serde_json::Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["event"].as_str(), lines[1]["exit"].as_u64()), (Some("failed"), Some(4)));
    assert_eq!(run.status, 4);
}

/// The names of a JSON object's members.
fn members(object: &serde_json::Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn streams_and_tasks_report_the_same_members() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", b"hello");
    let seal = ["seal", "--json", "-r", &workdir.recipient, "-o"];
    let task = workdir.run(&[&seal[..], &["task.age", "letter"]].concat()).expect_status(0);
    let stream = workdir.fed(b"hello", &[&seal[..], &["stream.age", "-"]].concat()).expect_status(0);
    let lines = |run: &Run| -> Vec<serde_json::Value> {
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (task, stream) = (lines(&task), lines(&stream));
    assert_eq!((task.len(), stream.len()), (2, 2));
    for (task, stream) in task.iter().zip(&stream) {
        assert_eq!(members(task), members(stream));
    }
    assert_eq!(stream[0]["target"], "stream.age");
    assert!(task[0]["compute_us"].is_u64() && stream[0]["compute_us"].is_null());
    assert_eq!((&stream[1]["unchanged"], &stream[1]["bytes"]), (&0.into(), &5.into()));
    assert!(stream[1]["cpu_s"].is_f64() && stream[1]["context_switches"].is_u64());
    let failed =
        |input: &str| lines(&workdir.run(&["verify", "--json", "-q", "-i", "key.txt", input])).remove(0);
    assert_eq!(
        members(&failed("missing.age")),
        members(&{
            let run = workdir.fed(b"damaged", &["verify", "--json", "-q", "-i", "key.txt", "-"]);
            lines(&run).remove(0)
        })
    );
}

const ENGINES: [&str; 6] = ["auto", "serial", "threads=3", "processes=2", "hybrid=2x2", "uring=1x8"];

fn tree(workdir: &StreamWorkdir) {
    let plain = workdir.path("plain");
    Tree::seeded(5).files(30).sizes(0..=90_000).depth(2).write(&plain).unwrap();
    std::fs::write(plain.join("large"), seeded_bytes(6, 9_000_000)).unwrap();
}

#[test]
fn armored_trees_are_made_opened_and_verified_by_every_engine() {
    let workdir = StreamWorkdir::new();
    tree(&workdir);
    for engine in ENGINES {
        let (sealed, opened) = (format!("sealed-{engine}"), format!("opened-{engine}"));
        workdir.seal(&["-a", "-e", engine, "-o", &sealed, "plain"]);
        let large = workdir.read(format!("{sealed}/large.age"));
        assert!(large.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), "{engine}");
        workdir.run(&["verify", "-e", engine, "-i", "key.txt", &sealed]).expect_status(0);
        workdir.run(&["open", "-e", engine, "-i", "key.txt", "-o", &opened, &sealed]).expect_status(0);
        assert_same(&workdir.path("plain"), &workdir.path(&opened));
    }
}

#[test]
fn every_engine_verifies_and_names_the_damage() {
    let workdir = StreamWorkdir::new();
    tree(&workdir);
    workdir.seal(&["-o", "sealed", "plain"]);
    let large = workdir.path("sealed/large.age");
    let intact = std::fs::read(&large).unwrap();
    let before = files_below(workdir.dir()).unwrap();
    for engine in ENGINES {
        std::fs::write(&large, &intact).unwrap();
        let run =
            workdir.run(&["verify", "--json", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        let report: serde_json::Value =
            serde_json::from_str(run.stdout_text().lines().last().unwrap()).unwrap();
        assert_eq!(report["succeeded"].as_u64(), Some(31), "{engine}");
        let mut damaged = intact.clone();
        damaged[5_000_000] ^= 1;
        std::fs::write(&large, damaged).unwrap();
        let run = workdir.run(&["verify", "-q", "-e", engine, "-i", "key.txt", "sealed"]);
        let golden_run = Run { args: ["verify", "-e", "[ENGINE]", "sealed"].map(Into::into).into(), ..run };
        check_golden(golden("verify-flipped-bit"), &golden_run);
        assert_eq!(files_below(workdir.dir()).unwrap(), before, "{engine} writes nothing");
    }
}

#[test]
fn verify_takes_any_name_and_a_wrong_key_has_its_own_code() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", b"Dear Ada");
    workdir.seal(&["-o", "odd-name", "letter"]);
    let mut run = workdir.run(&["verify", "-v", "-i", "key.txt", "odd-name"]);
    // The summary has figures of time.
    let summary = run.stderr_text().find("haul: 1 file verified, 8 B in ").expect("a summary");
    run.stderr.truncate(summary);
    check_golden(golden("verify-detail"), &run);
    workdir.says("verify-dry-run", &["verify", "--dry-run", "-i", "key.txt", "odd-name"]);
    workdir.says("verify-not-age", &["verify", "-i", "key.txt", "letter"]);
    workdir.says("verify-missing", &["verify", "-i", "key.txt", "missing"]);
    workdir.run(&["keygen", "-o", "other.txt"]).expect_status(0);
    workdir.says("verify-wrong-identity", &["verify", "-i", "other.txt", "odd-name"]);
}

#[test]
fn the_age_program_and_haul_read_each_others_streams_and_armor() {
    let Some(age) = peer("age") else { return };
    let workdir = StreamWorkdir::new();
    workdir.write("plain", seeded_bytes(8, 1_234_567));
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
            let (code, out, talk) = workdir.shell(&line);
            assert!(code == 0 && out == workdir.read("plain"), "{line}: {talk}");
        }
    }
}
