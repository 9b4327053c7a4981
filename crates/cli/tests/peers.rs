//! What haul seals, the programs age and rage open, and the reverse: every type of key, armored and not, around every boundary.

use std::path::{Path, PathBuf};
use std::process::Command;

use haul_testkit::{Haul, Run, assert_same, peer, seeded_bytes, skip};

/// Lengths around the boundaries of chunks, and one of several segments.
const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 10 << 20];
/// Those of a chunk or two.
const SMALL_SIZES: [usize; 5] = [0, 1, 65_535, 65_536, 65_537];

struct Place {
    dir: tempfile::TempDir,
    haul: Haul,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pass"), "correct horse\n").unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let haul = haul.env("HAUL_PASSPHRASE_FILE", dir.path().join("pass"));
        Self { dir, haul }
    }

    /// A tree of one file for each of `sizes`.
    fn with_tree(sizes: &[usize]) -> Self {
        let place = Self::new();
        std::fs::create_dir(place.path("tree")).unwrap();
        for bytes in sizes {
            std::fs::write(place.path(&format!("tree/{bytes}")), seeded_bytes(7, *bytes)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args).expect_status(0)
    }

    /// Runs another program; whether it succeeded, and what it said.
    fn other(&self, program: &Path, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(program);
        // rage would ask in a window, where there is a program for that.
        command.args(args).current_dir(self.dir.path()).env("PINENTRY_PROGRAM", "");
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    #[track_caller]
    fn succeeds(&self, program: &Path, args: &[&str]) {
        let (succeeded, said) = self.other(program, args);
        assert!(succeeded, "{} {args:?}: {said}", program.display());
    }

    /// An identity file made by `haul keygen`, and its recipient.
    fn keygen(&self, name: &str, args: &[&str]) -> String {
        self.run(&[&["keygen", "-o", name], args].concat()).stdout_text().trim().to_owned()
    }

    /// A private key of ssh-keygen, and its public key.
    fn ssh_keygen(&self, name: &str, kind: &str) -> Option<String> {
        let program = peer("ssh-keygen")?;
        self.succeeds(&program, &["-q", "-t", kind, "-N", "", "-f", name]);
        Some(std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned())
    }

    /// Both ways with each size, binary and armored.
    #[track_caller]
    fn check(&self, program: &Path, recipient: &str, identity: &str) {
        let sizes = std::fs::read_dir(self.path("tree"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let sizes: Vec<String> = sizes.collect();
        for armor in [None, Some("-a")] {
            let seal: Vec<&str> =
                ["seal", "-r", recipient, "-o", "ours"].into_iter().chain(armor).chain(["tree"]).collect();
            self.run(&seal);
            for name in ["theirs", "opened"] {
                std::fs::create_dir(self.path(name)).unwrap();
            }
            for bytes in &sizes {
                // Neither program makes a file of an empty plaintext; that it is content is seen.
                std::fs::write(self.path(&format!("opened/{bytes}")), "").unwrap();
                let (sealed, opened) = (format!("ours/{bytes}.age"), format!("opened/{bytes}"));
                self.succeeds(program, &["-d", "-i", identity, "-o", &opened, &sealed]);
                let (plain, theirs) = (format!("tree/{bytes}"), format!("theirs/{bytes}.age"));
                let args: Vec<&str> =
                    armor.into_iter().chain(["-r", recipient, "-o", &theirs, &plain]).collect();
                self.succeeds(program, &args);
            }
            assert_same(&self.path("tree"), &self.path("opened"));
            self.run(&["open", "-i", identity, "-o", "again", "theirs"]);
            assert_same(&self.path("tree"), &self.path("again"));
            for name in ["ours", "theirs", "opened", "again"] {
                std::fs::remove_dir_all(self.path(name)).unwrap();
            }
        }
    }
}

fn check_keys(program: &str) {
    let Some(program) = peer(program) else { return };
    let place = Place::with_tree(&SIZES);
    let recipient = place.keygen("key.txt", &[]);
    place.check(&program, &recipient, "key.txt");
    let place = Place::with_tree(&SMALL_SIZES);
    for kind in ["ed25519", "rsa"] {
        let Some(public) = place.ssh_keygen(kind, kind) else { return };
        place.check(&program, &public, kind);
    }
}

fn check_post_quantum(program: &str) {
    let Some(program) = peer(program) else { return };
    let place = Place::with_tree(&SIZES);
    let recipient = place.keygen("pq.txt", &["--pq"]);
    if !place.other(&program, &["-r", &recipient, "-o", "try.age", "pass"]).0 {
        return skip(&format!("this {} knows no post-quantum keys", program.display()));
    }
    place.check(&program, &recipient, "pq.txt");
}

/// Passphrases are asked for on a terminal, which `script` gives.
fn check_passphrase(program: &str) {
    let (Some(program), Some(script)) = (peer(program), peer("script")) else { return };
    let place = Place::with_tree(&[65_537]);
    let on_terminal = |answers: &str, args: &str| {
        let (script, program) = (script.display(), program.display());
        let line = format!("printf '{answers}' | {script} -qec \"{program} {args}\" /dev/null");
        place.succeeds(Path::new("bash"), &["-c", &line]);
    };
    place.run(&["seal", "-p", "-o", "ours.age", "tree/65537"]);
    on_terminal("correct horse\\n", "-d -o opened ours.age");
    on_terminal("correct horse\\ncorrect horse\\n", "-p -a -o theirs.age tree/65537");
    place.run(&["open", "-p", "-o", "again", "theirs.age"]);
    for name in ["opened", "again"] {
        assert!(std::fs::read(place.path(name)).unwrap() == seeded_bytes(7, 65_537), "{name}");
    }
}

#[test]
fn age_and_haul_read_each_other() {
    check_keys("age");
}

#[test]
fn rage_and_haul_read_each_other() {
    check_keys("rage");
}

#[test]
fn age_and_haul_read_each_others_post_quantum_files() {
    check_post_quantum("age");
}

#[test]
fn rage_and_haul_read_each_others_post_quantum_files() {
    check_post_quantum("rage");
}

#[test]
fn age_and_haul_share_passphrases() {
    check_passphrase("age");
}

#[test]
fn rage_and_haul_share_passphrases() {
    check_passphrase("rage");
}
