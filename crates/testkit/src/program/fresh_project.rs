//! Programs in a project of their own, outside the workspace: what somebody has who only knows the crate's name.
//!
//! Owns: the project and its manifest, building and running its programs, counting their lines.
//! Does not own: the programs, which are examples of a crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The line before the first line of a program that counts.
const BEGIN: &str = "// The program.\n";
/// The line after the last.
const END: &str = "// Its end.";

/// A project with programs, built. It is removed when this is dropped.
pub struct FreshProject {
    dir: TempDir,
    programs: PathBuf,
}

impl FreshProject {
    /// Builds the examples `programs` of the crate in `crate_dir` with the crates `dependencies` of its workspace, in
    /// their versions of the workspace's lock file. What is built is kept in `scratch`, for other projects.
    ///
    /// # Panics
    /// If they don't build.
    #[track_caller]
    pub fn build<'a>(
        crate_dir: &str,
        scratch: &str,
        dependencies: &[&str],
        programs: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
        let (crates, dir) = (Path::new(crate_dir).join(".."), tempfile::tempdir().unwrap());
        let bins = dir.path().join("src/bin");
        fs::create_dir_all(&bins).unwrap();
        for name in programs {
            fs::copy(example(crate_dir, name), bins.join(name).with_extension("rs")).unwrap();
        }
        let mut manifest =
            "[package]\nname = \"fresh\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n"
                .to_owned();
        for name in dependencies {
            let path = crates.join(name.trim_start_matches("haul-"));
            manifest += &format!("{name} = {{ path = {path:?} }}\n");
        }
        fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
        fs::copy(crates.join("../Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
        let target = Path::new(scratch).join("fresh");
        let built = Command::new(cargo)
            .args(["build", "--offline", "--quiet", "--bins"])
            .current_dir(dir.path())
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .status()
            .unwrap();
        assert!(built.success(), "the project doesn't build");
        // Projects that are built later have programs of the same names.
        let programs = dir.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for file in fs::read_dir(&bins).unwrap() {
            let name = file.unwrap().path().file_stem().unwrap().to_owned();
            fs::copy(target.join("debug").join(&name), programs.join(&name)).unwrap();
        }
        Self { dir, programs }
    }

    /// A directory for the programs' files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, args: &[String]) -> Output {
        Command::new(self.programs.join(program)).args(args).output().unwrap()
    }

    /// Runs a program, which must succeed, and end its output with `end`.
    #[track_caller]
    pub fn check(&self, program: &str, args: &[String], end: &str) {
        let output = self.run(program, args);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.ends_with(end), "{program}: {output:?}");
    }
}

/// Asserts that each example of the crate in `crate_dir` has at most so many lines between its marks.
#[track_caller]
pub fn check_program_lines(crate_dir: &str, programs: &[(&str, usize)]) {
    for (name, lines_max) in programs {
        let text = fs::read_to_string(example(crate_dir, name)).unwrap();
        let program = text.split(BEGIN).nth(1).and_then(|rest| rest.split(END).next());
        let lines = program.expect("a program has marks").trim().lines().count();
        assert!(lines <= *lines_max, "{name} has {lines} lines");
    }
}

fn example(crate_dir: &str, name: &str) -> PathBuf {
    Path::new(crate_dir).join("examples").join(name).with_extension("rs")
}
