//! Keys of every type, against age, age-keygen and ssh-keygen where they are installed.

use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use haul_testkit::{Haul, Run, Tree, assert_same, check_golden, files_below, peer};

use crate::workdir::{Workdir, golden};

/// A folder with a letter, a file with the passphrase and one with a wrong passphrase.
struct KeyWorkdir {
    workdir: Workdir,
}

impl Deref for KeyWorkdir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.workdir
    }
}

impl KeyWorkdir {
    fn new() -> Self {
        let workdir = Workdir::new();
        for (name, text) in [("letter", "Dear Ada"), ("pass", "correct horse\n"), ("wrong", "wrong horse\n")]
        {
            workdir.write(name, text);
        }
        Self { workdir }
    }

    /// Runs with the passphrase in the file `name`.
    fn run_with_passphrase(&self, name: &str, args: &[&str]) -> Run {
        Haul::new(env!("CARGO_BIN_EXE_haul"))
            .dir(self.dir())
            .env("HAUL_PASSPHRASE_FILE", self.path(name))
            .run(args)
    }

    /// Runs another program, which must succeed. Returns its stdout.
    #[track_caller]
    fn other(&self, program: &Path, args: &[&str]) -> Vec<u8> {
        let output = Command::new(program).args(args).current_dir(self.dir()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {args:?}: {stderr}", program.display());
        output.stdout
    }

    /// Generates the SSH key pair `name`, `name.pub`. Returns false if ssh-keygen is not installed.
    fn ssh_keygen(&self, kind: &str, passphrase: &str, name: &str) -> bool {
        let Some(ssh_keygen) = peer("ssh-keygen") else { return false };
        let args = ["-q", "-t", kind, "-b", "2048", "-a", "1", "-C", "ada", "-N", passphrase, "-f", name];
        self.other(&ssh_keygen, &args);
        true
    }

    /// Checks that a file sealed to `recipient` opens with the identity file alone.
    #[track_caller]
    fn check_seals_and_opens(&self, recipient: &str, identity: &str) {
        let sealed = format!("{identity}.letter.age");
        self.run(&["seal", "-r", recipient, "-o", &sealed, "letter"]).expect_status(0);
        self.check_opens(identity, &sealed);
        // Worker processes get keys of every type.
        let args =
            ["seal", "-e", "processes=2", "-r", recipient, "-o", "by-process.age", "--force", "letter"];
        self.run(&args).expect_status(0);
        let args =
            ["open", "-e", "processes=2", "-i", identity, "-o", "by-process", "--force", "by-process.age"];
        self.run_with_passphrase("pass", &args).expect_status(0);
        assert_eq!(std::fs::read(self.path("by-process")).unwrap(), b"Dear Ada");
    }

    #[track_caller]
    fn check_opens(&self, identity: &str, sealed: &str) {
        let copy = format!("{sealed}.copy");
        self.run_with_passphrase("pass", &["open", "-i", identity, "-o", &copy, sealed]).expect_status(0);
        assert_eq!(std::fs::read(self.path(&copy)).unwrap(), b"Dear Ada");
    }

    fn first_line(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap().lines().next().unwrap().to_owned()
    }
}

#[test]
fn post_quantum_identities_are_made_sealed_to_and_opened_with() {
    let workdir = KeyWorkdir::new();
    let recipient = workdir.run(&["keygen", "--pq", "-o", "pq.txt"]).expect_status(0).stdout_text();
    let recipient = recipient.trim();
    assert!(recipient.starts_with("age1pq1"));
    let file = std::fs::read_to_string(workdir.path("pq.txt")).unwrap();
    assert!(file.contains(&format!("# public key: {recipient}\nAGE-SECRET-KEY-PQ-1")));
    assert_eq!(workdir.run(&["keygen", "-y", "pq.txt"]).expect_status(0).stdout_text().trim(), recipient);
    workdir.check_seals_and_opens(recipient, "pq.txt");
    std::fs::write(workdir.path("friends"), format!("# friends\n{recipient}\n")).unwrap();
    workdir.run(&["seal", "-R", "friends", "-o", "listed.age", "letter"]).expect_status(0);
    workdir.check_opens("pq.txt", "listed.age");
    let classic = workdir.run(&["keygen", "-o", "classic.txt"]).expect_status(0).stdout_text();
    std::fs::write(workdir.path("both"), format!("{recipient}\n{classic}")).unwrap();
    check_golden(golden("seal-mixed-post-quantum"), &workdir.run(&["seal", "-R", "both", "letter"]));
}

/// What is sealed to a key that a power cut takes away opens with nothing.
#[test]
fn a_key_is_announced_once_its_name_is_on_the_disk_too() {
    let Some(strace) = peer("strace") else { return };
    let workdir = KeyWorkdir::new();
    std::fs::create_dir(workdir.path("keys")).unwrap();
    let haul = env!("CARGO_BIN_EXE_haul");
    let args = ["-f", "-y", "-e", "trace=fsync,write", "-o", "trace", haul, "keygen", "-o", "keys/key.txt"];
    let traced = Command::new(strace).args(args).current_dir(workdir.dir()).output().unwrap();
    if !traced.status.success() && !workdir.path("keys/key.txt").exists() {
        return haul_testkit::skip("tracing is not permitted");
    }
    let trace = String::from_utf8(workdir.read("trace")).unwrap();
    let place = |what: &str| trace.find(what).unwrap_or_else(|| panic!("no {what} in {trace}"));
    let (content, name, told) = (place("/keys/key.txt>)"), place("/keys>)"), place("\"age1"));
    assert!(content < name && name < told, "{trace}");
}

#[test]
fn identity_files_are_sealed_with_a_passphrase() {
    let workdir = KeyWorkdir::new();
    let run = workdir.run_with_passphrase("pass", &["keygen", "-p", "-o", "key.age"]).expect_status(0);
    let recipient = run.stdout_text().trim().to_owned();
    assert_eq!(workdir.first_line("key.age"), "-----BEGIN AGE ENCRYPTED FILE-----");
    let again = workdir.run_with_passphrase("pass", &["keygen", "-y", "key.age"]).expect_status(0);
    assert_eq!(again.stdout_text().trim(), recipient);
    workdir.check_seals_and_opens(&recipient, "key.age");
    let sealed = "key.age.letter.age";
    let open = ["open", "-i", "key.age", "-o", "copy", sealed];
    check_golden(golden("open-wrong-passphrase-of-key"), &workdir.run_with_passphrase("wrong", &open));
    let command =
        format!("{} open --passphrase-fd 3 -i key.age -o by-fd {sealed} 3< pass", env!("CARGO_BIN_EXE_haul"));
    workdir.other(Path::new("bash"), &["-c", &command]);
    let shown = workdir.run_with_passphrase("pass", &["keygen", "-p", "--pq"]).expect_status(0);
    assert!(shown.stdout_text().starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert!(shown.stderr_text().starts_with("haul: the recipient is age1pq1"));
    std::fs::write(workdir.path("cut.age"), &std::fs::read(workdir.path("key.age")).unwrap()[..200]).unwrap();
    let open = ["open", "-i", "cut.age", "-o", "copy", sealed];
    check_golden(golden("open-cut-key"), &workdir.run_with_passphrase("pass", &open));
}

#[test]
fn ssh_keys_are_sealed_to_and_opened_with() {
    let workdir = KeyWorkdir::new();
    for (kind, passphrase, name) in
        [("ed25519", "", "ed"), ("rsa", "", "rsa"), ("ed25519", "correct horse", "protected")]
    {
        if !workdir.ssh_keygen(kind, passphrase, name) {
            return;
        }
        let public = workdir.first_line(&format!("{name}.pub"));
        workdir.check_seals_and_opens(&public, name);
        let args = ["seal", "-R", &format!("{name}.pub"), "-o", &format!("{name}.listed.age"), "letter"];
        workdir.run(&args).expect_status(0);
        workdir.check_opens(name, &format!("{name}.listed.age"));
        let printed = workdir.run_with_passphrase("pass", &["keygen", "-y", name]).expect_status(0);
        assert_eq!(format!("{} ada", printed.stdout_text().trim()), public);
    }
    let open = ["open", "-i", "protected", "-o", "copy", "protected.listed.age"];
    check_golden(golden("open-wrong-passphrase-of-ssh-key"), &workdir.run_with_passphrase("wrong", &open));
}

#[test]
fn identities_are_sealed_to() {
    let workdir = KeyWorkdir::new();
    for (args, name) in [(&["-o", "key.txt"][..], "key.txt"), (&["--pq", "-o", "pq.txt"], "pq.txt")] {
        workdir.run(&[&["keygen"], args].concat()).expect_status(0);
        workdir.run(&["seal", "-i", name, "-o", "to.age", "--force", "letter"]).expect_status(0);
        workdir.check_opens(name, "to.age");
        std::fs::remove_file(workdir.path("to.age.copy")).unwrap();
    }
    workdir.run_with_passphrase("pass", &["keygen", "-p", "-o", "key.age"]).expect_status(0);
    // The passphrase that unlocks the identity does not also seal the files.
    let seal = ["seal", "-i", "key.age", "-i", "key.txt", "-o", "both.age", "letter"];
    workdir.run_with_passphrase("pass", &seal).expect_status(0);
    for (name, copy) in [("key.age", "one"), ("key.txt", "two")] {
        let open = ["open", "-i", name, "-o", copy, "both.age"];
        workdir.run_with_passphrase("pass", &open).expect_status(0);
        assert_eq!(std::fs::read(workdir.path(copy)).unwrap(), b"Dear Ada");
    }
    check_golden(
        golden("seal-wrong-passphrase-of-key"),
        &workdir.run_with_passphrase("wrong", &["seal", "-i", "key.age", "letter"]),
    );
    check_golden(golden("seal-identity-missing"), &workdir.run(&["seal", "-i", "nobody.txt", "letter"]));
    if workdir.ssh_keygen("ed25519", "", "ed") {
        workdir.run(&["seal", "-i", "ed", "-o", "ed.age", "letter"]).expect_status(0);
        workdir.check_opens("ed", "ed.age");
    }
}

#[test]
fn unsupported_keys_are_refused_by_name() {
    let workdir = KeyWorkdir::new();
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFliOyIZs1gxGF3fmDxFykQhE88wy6AKDGFBfn0R6ZuvRmENABZQa9+pj9hMki+LX0qDJbmHTiWDbYv/cmFt/Q=";
    check_golden(golden("seal-unsupported-ssh-key"), &workdir.run(&["seal", "-r", ecdsa, "letter"]));
    std::fs::write(workdir.path("bad.pem"), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n").unwrap();
    check_golden(golden("open-bad-ssh-key"), &workdir.run(&["open", "-i", "bad.pem", "letter.age"]));
}

#[test]
fn the_age_program_reads_keys_and_files_of_every_type_it_knows() {
    let (Some(age), Some(age_keygen)) = (peer("age"), peer("age-keygen")) else { return };
    let workdir = KeyWorkdir::new();
    let recipient =
        workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    assert_eq!(workdir.other(&age_keygen, &["-y", "key.txt"]).trim_ascii(), recipient.as_bytes());
    let mut keys = vec![(recipient, "key.txt")];
    for (kind, name) in [("ed25519", "ed"), ("rsa", "rsa")] {
        if workdir.ssh_keygen(kind, "", name) {
            keys.push((workdir.first_line(&format!("{name}.pub")), name));
        }
    }
    for (recipient, identity) in keys {
        let ours = format!("{identity}.ours.age");
        workdir.run(&["seal", "-r", &recipient, "-o", &ours, "letter"]).expect_status(0);
        assert_eq!(workdir.other(&age, &["-d", "-i", identity, &ours]), b"Dear Ada", "{identity}");
        let theirs = format!("{identity}.theirs.age");
        workdir.other(&age, &["-r", &recipient, "-o", &theirs, "letter"]);
        workdir.check_opens(identity, &theirs);
    }
}

#[test]
fn identity_files_under_a_passphrase_are_the_age_programs_own() {
    let (Some(age), Some(script)) = (peer("age"), peer("script")) else { return };
    let workdir = KeyWorkdir::new();
    // age asks only on a terminal, which `script` provides.
    let on_terminal = |answers: &str, command: &str| {
        let line = format!("printf '{answers}' | {} -qec \"{command}\" /dev/null", script.display());
        workdir.other(Path::new("bash"), &["-c", &line])
    };
    let age = age.display();
    let recipient =
        workdir.run(&["keygen", "-o", "plain.txt"]).expect_status(0).stdout_text().trim().to_owned();
    on_terminal("correct horse\\ncorrect horse\\n", &format!("{age} -p -o theirs.age plain.txt"));
    on_terminal("correct horse\\ncorrect horse\\n", &format!("{age} -p -a -o theirs-armored.age plain.txt"));
    for file in ["theirs.age", "theirs-armored.age"] {
        workdir.check_seals_and_opens(&recipient, file);
    }
    let run = workdir.run_with_passphrase("pass", &["keygen", "-p", "-o", "ours.age"]).expect_status(0);
    workdir.run(&["seal", "-r", run.stdout_text().trim(), "letter"]).expect_status(0);
    on_terminal("correct horse\\n", &format!("{age} -d -i ours.age -o copy letter.age"));
    assert_eq!(std::fs::read(workdir.path("copy")).unwrap(), b"Dear Ada");
}

#[test]
fn a_passphrase_seals_a_tree_by_an_identity_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let pass = dir.path().join("pass");
    std::fs::write(&pass, "correct horse\n").unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).env("HAUL_PASSPHRASE_FILE", &pass);
    let tree = dir.path().join("tree");
    Tree::seeded(7).files(6).depth(1).write(&tree).unwrap();
    haul.run(["seal", "-p", "--dry-run", "tree"]).expect_status(0);
    assert!(!tree.join("haul-identity.age").exists());
    let run = haul.run(["seal", "-p", "-o", "sealed", "tree"]).expect_status(0);
    assert!(
        run.stderr_text().contains("the passphrase seals \"sealed/haul-identity.age\""),
        "{}",
        run.stderr_text()
    );
    let header = |name: &std::path::Path| std::fs::read(dir.path().join("sealed").join(name)).unwrap();
    for name in files_below(&dir.path().join("sealed")).unwrap() {
        let is_identity = name.as_os_str() == "haul-identity.age";
        let by_key = header(&name).windows(9).any(|window| window == b"-> X25519");
        assert!(by_key != is_identity, "{name:?}");
    }
    // More files later, with the same identity.
    let before = header("haul-identity.age".as_ref());
    std::fs::write(dir.path().join("more"), "more").unwrap();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    haul.run(["seal", "-p", "-o", "sealed", "more", "empty"]).expect_status(0);
    assert!(header("haul-identity.age".as_ref()) == before);
    haul.run(["open", "-p", "-o", "opened", "sealed"]).expect_status(0);
    std::fs::remove_file(dir.path().join("opened/more")).unwrap();
    assert_same(&tree, &dir.path().join("opened"));
    // The identity file also works with -i.
    haul.run(["open", "-i", "sealed/haul-identity.age", "-o", "alone", "sealed/more.age"]).expect_status(0);
    // With --replace, the identity stays.
    haul.run(["seal", "-p", "--replace", "--suffix", ".x", "tree"]).expect_status(0);
    assert!(tree.join("haul-identity.age").exists());
    haul.run(["open", "-p", "--replace", "--suffix", ".x", "tree"]).expect_status(0);
    std::fs::remove_file(tree.join("haul-identity.age")).unwrap();
    assert_same(&tree, &dir.path().join("opened"));
    std::fs::write(&pass, "wrong horse\n").unwrap();
    haul.run(["open", "-p", "-o", "opened2", "sealed"]).expect_status(3);
    haul.run(["seal", "-p", "-o", "sealed", "--force", "more"]).expect_status(0);
}
