//! The whole CI, for people and machines alike.
//!
//! Owns: which steps there are and their order: the quick ones first.
//! Does not own: preparing the machine (see `.ci/run`).

use std::process::Command;

use crate::readme::block_under;
use crate::repository::Repository;
use crate::steps::{cargo, step, succeed};
use crate::tidy;

pub(crate) fn run(repository: &Repository) -> Result<(), String> {
    let root = &repository.root;
    step("fmt", || succeed(&mut cargo(root, &["fmt", "--all", "--check"])))?;
    step("tidy", || tidy::run(repository))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step("clippy", || succeed(&mut cargo(root, &clippy)))?;
    let docs = ["doc", "--workspace", "--no-deps"];
    step("docs", || succeed(cargo(root, &docs).env("RUSTDOCFLAGS", "-D warnings")))?;
    step("test, as README.md says", || test(repository))
}

fn test(repository: &Repository) -> Result<(), String> {
    let readme = repository.file("README.md").ok_or("README.md is missing")?;
    let script =
        block_under(&readme.text, "Test").ok_or("README.md has no block under a heading \"Test\"")?;
    print!("{script}");
    succeed(Command::new("sh").args(["-e", "-c", &script]).current_dir(&repository.root))
}
