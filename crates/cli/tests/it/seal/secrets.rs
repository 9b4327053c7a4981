//! Secrets in the wrong place, names that aren't text, key files as editors and forges make them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use haul_testkit::{PluginFolder, peer};

use super::streams::StreamWorkdir;
use crate::workdir::Workdir;

#[test]
fn a_secret_in_the_wrong_place_is_never_repeated() {
    let workdir = Workdir::new();
    workdir.write("letter", "Dear Ada");
    workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0);
    workdir.run(&["keygen", "--pq", "-o", "pq.txt"]).expect_status(0);
    let secret_of = |name: &str| {
        let text = String::from_utf8(workdir.read(name)).unwrap();
        text.lines().last().unwrap().to_owned()
    };
    let base64 = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz";
    let ssh = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{base64}\n-----END OPENSSH PRIVATE KEY-----\n");
    let plugin = PluginFolder::IDENTITY.to_owned();
    let mut secrets = vec![secret_of("key.txt"), secret_of("pq.txt"), plugin, ssh];
    secrets.extend(secrets[..3].iter().map(|secret| secret.to_ascii_lowercase()).collect::<Vec<_>>());
    for secret in &secrets {
        workdir.write("list.txt", format!("# mine\n{secret}\n"));
        let is_ssh = secret.starts_with('-');
        let end = if is_ssh { &base64[..40] } else { &secret[secret.len() - 12..] };
        for args in [
            &["seal", "-r", secret, "letter"][..],
            &["seal", "-R", secret, "letter"],
            &["seal", "-R", "list.txt", "letter"],
            &["seal", "-i", secret, "letter"],
            &["seal", "-r", "age1x", secret],
            &["seal", "--json", "-i", "key.txt", secret],
            &["seal", "--dry-run", "-i", "key.txt", "letter", secret],
            &["seal", "--dry-run", "--json", "-i", "key.txt", "letter", secret],
            &["open", "-i", secret, "letter.age"],
            &["open", "-i", "key.txt", secret],
            &["open", "-i", "key.txt", "-o", secret, "letter"],
            &["verify", "-i", secret, "letter.age"],
            &["inspect", "--json", secret],
            &["keygen", secret],
            &["keygen", "-y", secret],
            &["keygen", "--passphrase-fd", secret],
            &["get", secret],
            &[secret],
        ] {
            let run = workdir.run(args);
            let said = format!("{}{}", run.stdout_text(), run.stderr_text()).to_ascii_lowercase();
            assert!(!said.contains(&end.to_ascii_lowercase()), "{args:?}: {said}");
        }
    }
    assert!(!workdir.path("letter.age").exists());
}

#[test]
fn names_that_are_not_text_stay_distinct() {
    let workdir = StreamWorkdir::new();
    std::fs::create_dir(workdir.path("tree")).unwrap();
    for name in [&b"a\xfe"[..], b"a\xff"] {
        std::fs::write(workdir.path("tree").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let args = ["seal", "-v", "--json", "-r", &workdir.recipient, "-o", "sealed", "tree"];
    let run = workdir.run(&args).expect_status(0);
    for (subject, target, shown) in [
        ("747265652f61fe", "7365616c65642f61fe2e616765", "\"tree/a\\xfe\" -> \"sealed/a\\xfe.age\""),
        ("747265652f61ff", "7365616c65642f61ff2e616765", "\"tree/a\\xff\" -> \"sealed/a\\xff.age\""),
    ] {
        let line = run.stdout_text().lines().find(|line| line.contains(subject)).unwrap().to_owned();
        assert!(line.contains(&format!("\"subject_hex\":\"{subject}\"")), "{line}");
        assert!(line.contains(&format!("\"target_hex\":\"{target}\"")), "{line}");
        assert!(run.stderr_text().contains(shown), "{}", run.stderr_text());
    }
}

#[test]
fn hostile_names_write_no_line_of_their_own() {
    let workdir = Workdir::new();
    for name in ["a\nhaul: error: forged", "\x1b[2J\u{9b}31m", "\u{202e}txt\u{2066}", "tab\tbell\x07"] {
        for args in
            [&["seal", "-r", "age1x", name][..], &["inspect", "--json", name], &["seal", name, name], &[name]]
        {
            let run = workdir.run(args);
            let said = format!("{}{}", run.stdout_text(), run.stderr_text());
            assert!(!said.lines().any(|line| line.starts_with("haul: error: forged")), "{said}");
            assert!(!said.contains(['\x1b', '\u{9b}', '\u{202e}', '\u{2066}', '\t', '\x07']), "{said:?}");
        }
    }
}

#[test]
fn key_files_of_editors_and_forges_are_read_or_named() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", "Dear Ada");
    let (key, recipient) = (workdir.read("key.txt"), workdir.recipient.clone());
    workdir.run(&["seal", "-r", &recipient, "letter"]).expect_status(0);
    workdir.run(&["seal", "-a", "-r", &recipient, "-o", "armored.age", "letter"]).expect_status(0);
    let mark = "\u{feff}".as_bytes();
    workdir.write("key-marked.txt", [mark, &key].concat());
    workdir.write("list-marked.txt", format!("\u{feff}{recipient}\r\n"));
    workdir.run(&["open", "-i", "key-marked.txt", "-o", "copy", "letter.age"]).expect_status(0);
    workdir.run(&["seal", "-R", "list-marked.txt", "-o", "marked.age", "letter"]).expect_status(0);
    let wide = |text: &[u8]| -> Vec<u8> {
        let units = text.iter().flat_map(|byte| [*byte, 0]);
        [0xff, 0xfe].into_iter().chain(units).collect()
    };
    workdir.write("key-wide.txt", wide(&key));
    workdir.write("wide.age", wide(&workdir.read("armored.age")));
    workdir.write("marked-armor.age", [mark, &workdir.read("armored.age")].concat());
    workdir.says("open-key-utf16", &["open", "-i", "key-wide.txt", "letter.age"]);
    for name in ["wide.age", "marked-armor.age"] {
        let run = workdir.run(&["open", "-i", "key.txt", "-o", "none", name]).expect_status(1);
        assert!(run.stderr_text().contains("byte order mark"), "{}", run.stderr_text());
    }
}

#[test]
fn keys_that_cannot_be_sealed_to_are_left_out_with_a_word() {
    let Some(ssh_keygen) = peer("ssh-keygen") else { return };
    let workdir = StreamWorkdir::new();
    workdir.write("letter", "Dear Ada");
    for kind in ["ed25519", "ecdsa"] {
        let args = ["-q", "-t", kind, "-C", "ada", "-N", "", "-f", kind];
        let status = std::process::Command::new(&ssh_keygen).args(args).current_dir(workdir.dir()).status();
        assert!(status.unwrap().success());
    }
    let both = [workdir.read("ecdsa.pub"), workdir.read("ed25519.pub")].concat();
    workdir.write("both.keys", &both);
    let run = workdir.run(&["seal", "-q", "-R", "both.keys", "letter"]).expect_status(0);
    assert!(run.stderr_text().contains("\"both.keys\", line 1: left out"), "{}", run.stderr_text());
    workdir.run(&["open", "-i", "ed25519", "-o", "copy", "letter.age"]).expect_status(0);
    let run = workdir.run(&["seal", "-R", "ecdsa.pub", "-o", "none.age", "letter"]).expect_status(2);
    assert!(run.stderr_text().contains("unsupported type"), "{}", run.stderr_text());
    let run = workdir.fed(&both, &["seal", "-R", "-", "-o", "by-stdin.age", "letter"]).expect_status(0);
    assert!(run.stderr_text().contains("line 1"));
    workdir
        .fed(&workdir.read("ed25519"), &["open", "-i", "-", "-o", "again", "by-stdin.age"])
        .expect_status(0);
    assert_eq!(workdir.read("again"), b"Dear Ada");
}

#[test]
fn a_wrong_passphrase_is_called_so() {
    let workdir = StreamWorkdir::new();
    workdir.write("letter", "Dear Ada");
    workdir.write("pass", "correct horse\n");
    workdir.write("wrong", "wrong horse\n");
    let with = |name: &str, args: &[&str]| {
        let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
        haul.env("HAUL_PASSPHRASE_FILE", workdir.path(name)).run(args)
    };
    with("pass", &["seal", "-p", "letter"]).expect_status(0);
    let run = with("wrong", &["open", "-p", "-o", "copy", "letter.age"]).expect_status(3);
    assert!(
        run.stderr_text().contains("cannot open \"letter.age\": wrong passphrase"),
        "{}",
        run.stderr_text()
    );
    let run = workdir.run(&["open", "-i", "key.txt", "-o", "copy", "letter.age"]).expect_status(3);
    assert!(run.stderr_text().contains("no identity matched"), "{}", run.stderr_text());
}

#[test]
fn hostile_work_factors_are_bounded() {
    let workdir = StreamWorkdir::new();
    workdir.write("pass", "correct horse\n");
    std::fs::create_dir(workdir.path("tree")).unwrap();
    let file = |log_n: u8| {
        let (salt, body, mac) = ("A".repeat(22), "A".repeat(43), "A".repeat(43));
        format!("age-encryption.org/v1\n-> scrypt {salt} {log_n}\n{body}\n--- {mac}\n{}", "0".repeat(32))
    };
    workdir.write("tree/high.age", file(21));
    workdir.write("higher.age", file(23));
    let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
    let haul = haul.env("HAUL_PASSPHRASE_FILE", workdir.path("pass"));
    let run = haul.run(["open", "-p", "-o", "opened", "tree"]).expect_status(1);
    assert!(run.stderr_text().contains("2^21 is above the limit of 2^20"), "{}", run.stderr_text());
    let run = haul.run(["open", "-p", "-o", "opened", "higher.age"]).expect_status(1);
    assert!(run.stderr_text().contains("2^23 is above the limit of 2^22"), "{}", run.stderr_text());
}

#[test]
fn inspect_never_waits_for_a_pipe() {
    let workdir = Workdir::with_sealed(100);
    std::fs::create_dir(workdir.path("tree")).unwrap();
    for name in ["pipe", "tree/pipe.age"] {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, workdir.path(name), mode).unwrap();
    }
    let run = workdir.run(&["inspect", "pipe", "letter.age"]).expect_status(1);
    assert!(
        run.stderr_text().contains("cannot inspect \"pipe\": not a regular file"),
        "{}",
        run.stderr_text()
    );
    assert!(run.stdout_text().contains("\"letter.age\""));
    workdir.run(&["inspect", "pipe"]).expect_status(1);
    let run = workdir.run(&["inspect", "tree"]);
    assert!(run.stdout_text().is_empty(), "{}", run.stdout_text());
    let left_alone = "\"tree/pipe.age\" was left alone: neither a file nor a directory";
    assert!(run.stderr_text().contains(left_alone), "{}", run.stderr_text());
}

#[test]
fn patterns_that_match_nothing_and_what_is_left_out_are_said() {
    let workdir = StreamWorkdir::new();
    std::fs::create_dir_all(workdir.path("tree/keep")).unwrap();
    for name in ["tree/a.txt", "tree/b.age", "tree/keep/x"] {
        workdir.write(name, if name.ends_with("age") { "age-encryption.org/v1\n" } else { "x" });
    }
    std::os::unix::fs::symlink("a.txt", workdir.path("tree/link")).unwrap();
    let options =
        ["--exclude", "keep/", "--exclude", "*.tx", "-r", &workdir.recipient, "-o", "sealed", "tree"];
    let run = workdir.run(&[&["seal", "--dry-run"][..], &options].concat()).expect_status(0);
    for line in [
        "--exclude \"*.tx\" matched nothing",
        "left out: 1 file, sealed already",
        "left out: 1 file or directory, by --include and --exclude",
        "skipped: 1 file, a symbolic link",
    ] {
        assert!(run.stderr_text().contains(line), "{line}: {}", run.stderr_text());
    }
    assert!(!run.stderr_text().contains("keep/"));
    let run = workdir.run(&[&["seal"][..], &options].concat()).expect_status(0);
    assert!(
        run.stderr_text().contains("warning: --exclude \"*.tx\" matched nothing"),
        "{}",
        run.stderr_text()
    );
    let args = ["seal", "--dry-run", "--json", "--exclude", "keep", "-r", &workdir.recipient, "tree"];
    let report = workdir.run(&args).expect_status(0).stdout_text().lines().last().unwrap().to_owned();
    assert!(report.contains("\"left_out\":1") && report.contains("\"excluded\":1"), "{report}");
}

#[test]
fn streams_remove_what_killed_runs_left() {
    let workdir = StreamWorkdir::new();
    let leftover = ".haul-0123456789abcdef.tmp";
    for (own, name) in [(true, leftover), (false, ".haul-0123.tmp"), (false, ".haul-0123456789ABCDEF.tmp")] {
        workdir.write(name, "PLAIN");
        workdir
            .fed(b"Dear Ada", &["seal", "--force", "-r", &workdir.recipient, "-o", "s.age", "-"])
            .expect_status(0);
        assert_eq!(workdir.path(name).exists(), !own, "{name}");
    }
    workdir.write(leftover, "PLAIN");
    let run = workdir.fed(&workdir.read("s.age"), &["open", "-i", "key.txt", "-o", "copy", "-"]);
    run.expect_status(0);
    assert!(!workdir.path(leftover).exists());
}

#[test]
fn a_key_file_is_never_overwritten() {
    let workdir = Workdir::new();
    workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0);
    let before = workdir.read("key.txt");
    for args in [&["keygen", "-o", "key.txt"][..], &["keygen", "--force", "-o", "key.txt"]] {
        let run = workdir.run(args).expect_status(2);
        assert!(
            run.stderr_text().contains("\"key.txt\" exists and isn't overwritten"),
            "{}",
            run.stderr_text()
        );
        assert_eq!(workdir.read("key.txt"), before);
    }
}
