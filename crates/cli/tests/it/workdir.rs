//! A folder to run the program in.
//!
//! Owns: its files, golden files of refusals.

use std::path::{Path, PathBuf};

use haul_testkit::{Haul, Run, check_golden, files_below, seeded_bytes};

/// The path of a golden file.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

/// A temporary folder in which the program runs.
pub(crate) struct Workdir {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) haul: Haul,
}

impl Workdir {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        Self { dir, haul }
    }

    /// A folder with the identity `key.txt`, the plaintext `letter` and the sealed `letter.age`.
    pub(crate) fn with_sealed(bytes: usize) -> Self {
        let workdir = Self::new();
        let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
        workdir.write("letter", &seeded_bytes(1, bytes));
        workdir.run(&["seal", "-r", recipient.trim(), "letter"]).expect_status(0);
        workdir
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        self.write(name, &bytes);
    }

    /// The names of all files in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = files_below(self.dir.path()).unwrap();
        files.into_iter().map(|name| name.display().to_string()).collect()
    }

    /// Checks that the program refuses `args` as the golden file `name` says, and leaves no file.
    #[track_caller]
    pub(crate) fn refuses(&self, name: &str, args: &[&str]) {
        let before = self.names();
        let run = self.run(args);
        check_golden(golden(name), &run);
        assert_ne!(run.status, 0);
        assert_eq!(self.names(), before, "a refusal leaves nothing behind");
    }
}
