//! A directory to run the program in.
//!
//! Owns: running the program there, golden files of refusals.
//! Does not own: the files ([`haul_testkit::Workdir`]).

use std::ops::Deref;
use std::path::{Path, PathBuf};

use haul_testkit::{Haul, Run, check_golden, seeded_bytes};

/// The path of a golden file.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

/// A temporary directory in which the program runs.
pub(crate) struct Workdir {
    files: haul_testkit::Workdir,
    pub(crate) haul: Haul,
}

impl Deref for Workdir {
    type Target = haul_testkit::Workdir;

    fn deref(&self) -> &Self::Target {
        &self.files
    }
}

impl Workdir {
    pub(crate) fn new() -> Self {
        let files = haul_testkit::Workdir::new();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(files.dir());
        Self { files, haul }
    }

    /// A directory with the identity `key.txt`, the plaintext `letter` and the sealed `letter.age`.
    pub(crate) fn with_sealed(bytes: usize) -> Self {
        let workdir = Self::new();
        let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
        workdir.write("letter", seeded_bytes(1, bytes));
        workdir.run(&["seal", "-r", recipient.trim(), "letter"]).expect_status(0);
        workdir
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args)
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
