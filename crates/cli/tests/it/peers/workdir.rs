//! A tree of files, keys to seal them with, and the check that haul and another program read each other's files.
//!
//! Owns: the lengths, generating keys, sealing and opening by haul, the comparison.
//! Does not own: how the other program is called.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_io::Cancel;
use haul_seal::{Passphrase, Recipient, StreamOptions, seal_stream};
use haul_testkit::{Haul, Run, assert_same, peer, seeded_bytes};

use crate::peers::program::Program;

/// Lengths around chunk boundaries, and one of several segments.
pub(crate) const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 10 << 20];
pub(crate) const PASSPHRASE: &str = "correct horse";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Armor {
    None,
    Text,
}

/// The key of the files.
pub(crate) enum Key {
    /// A recipient, and the name of its identity file.
    Pair { recipient: String, identity: String },
    /// [`PASSPHRASE`], which is also in the file `pass`.
    Passphrase,
}

/// A folder with a tree of files that are named after their lengths.
pub(crate) struct PeerWorkdir {
    dir: tempfile::TempDir,
    haul: Haul,
    sizes: Vec<usize>,
}

impl PeerWorkdir {
    /// A tree with a file for each of `sizes`.
    pub(crate) fn with_tree(sizes: &[usize]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pass"), format!("{PASSPHRASE}\n")).unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        for bytes in sizes {
            fs::write(dir.path().join(format!("tree/{bytes}")), seeded_bytes(7, *bytes)).unwrap();
        }
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let haul = haul.env("HAUL_PASSPHRASE_FILE", dir.path().join("pass"));
        Self { dir, haul, sizes: sizes.to_vec() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args).expect_status(0)
    }

    /// Runs another program. Returns whether it succeeded, and its output.
    pub(crate) fn other(&self, program: &Path, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(program);
        // Without this, rage would ask in a pinentry window.
        command.args(args).current_dir(self.dir.path()).env("PINENTRY_PROGRAM", "");
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, program: &Path, args: &[&str]) {
        let (succeeded, said) = self.other(program, args);
        assert!(succeeded, "{} {args:?}: {said}", program.display());
    }

    /// An identity file made by `haul keygen`.
    pub(crate) fn keygen(&self, identity: &str, args: &[&str]) -> Key {
        let recipient =
            self.run(&[&["keygen", "-o", identity], args].concat()).stdout_text().trim().to_owned();
        Key::Pair { recipient, identity: identity.to_owned() }
    }

    /// A key pair of ssh-keygen.
    pub(crate) fn ssh_keygen(&self, kind: &str) -> Option<Key> {
        let program = peer("ssh-keygen")?;
        self.succeeds(&program, &["-q", "-t", kind, "-N", "", "-f", kind]);
        let public = fs::read_to_string(self.path(&format!("{kind}.pub"))).unwrap();
        Some(Key::Pair { recipient: public.trim().to_owned(), identity: kind.to_owned() })
    }

    /// Checks that haul and `program` read each other's files.
    #[track_caller]
    pub(crate) fn check(&self, program: &Program, key: &Key, armors: &[Armor]) {
        for armor in armors {
            for name in ["ours", "theirs", "opened"] {
                fs::create_dir(self.path(name)).unwrap();
            }
            self.seal(key, *armor);
            self.check_armor("ours", *armor);
            // The placeholders show whether the program wrote a file. Not every program writes one for an empty
            // plaintext.
            self.sizes
                .iter()
                .for_each(|bytes| fs::write(self.path(&format!("opened/{bytes}")), "?").unwrap());
            if self.sizes.contains(&0) {
                fs::write(self.path("opened/0"), "").unwrap();
            }
            program.open(self, key, &self.pairs(("ours", ".age"), ("opened", "")));
            assert_same(&self.path("tree"), &self.path("opened"));
            program.seal(self, key, *armor, &self.pairs(("tree", ""), ("theirs", ".age")));
            self.check_armor("theirs", *armor);
            match key {
                Key::Pair { identity, .. } => self.run(&["open", "-i", identity, "-o", "again", "theirs"]),
                Key::Passphrase => self.run(&["open", "-p", "-o", "again", "theirs"]),
            };
            assert_same(&self.path("tree"), &self.path("again"));
            for name in ["ours", "theirs", "opened", "again"] {
                fs::remove_dir_all(self.path(name)).unwrap();
            }
        }
    }

    /// Seals the tree into the folder `ours`.
    fn seal(&self, key: &Key, armor: Armor) {
        match key {
            Key::Pair { recipient, .. } => {
                let armor = Some("-a").filter(|_| armor == Armor::Text);
                let args = ["seal", "-r", recipient, "-o", "ours"].into_iter().chain(armor).chain(["tree"]);
                self.run(&args.collect::<Vec<_>>());
            }
            // By the library, which allows a low scrypt work factor. The program would seal a tree to an identity
            // instead.
            Key::Passphrase => {
                let passphrase = Passphrase::with_work_factor(PASSPHRASE.to_owned().into(), 10);
                let recipients = [Recipient::Passphrase(passphrase)];
                let cancel = Cancel::new().unwrap();
                let options = StreamOptions { armored: armor == Armor::Text, ..StreamOptions::new(cancel) };
                for (from, to) in self.pairs(("tree", ""), ("ours", ".age")) {
                    let source = File::open(self.path(&from)).unwrap();
                    let sink = File::create(self.path(&to)).unwrap();
                    seal_stream(source, sink, &recipients, &options).unwrap();
                }
            }
        }
    }

    /// The names of each file in two folders, each with a suffix.
    fn pairs(&self, from: (&str, &str), to: (&str, &str)) -> Vec<(String, String)> {
        let name = |(folder, ending): (&str, &str), bytes: &usize| format!("{folder}/{bytes}{ending}");
        self.sizes.iter().map(|bytes| (name(from, bytes), name(to, bytes))).collect()
    }

    /// Checks that all sealed files are armored or not, as asked.
    #[track_caller]
    fn check_armor(&self, folder: &str, armor: Armor) {
        for (name, _) in self.pairs((folder, ".age"), ("", "")) {
            let is_armored = fs::read(self.path(&name)).unwrap().starts_with(b"-----BEGIN AGE");
            assert_eq!(is_armored, armor == Armor::Text, "{name}");
        }
    }
}
