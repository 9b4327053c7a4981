//! The whole CI, the same for developers and for machines.
//!
//! Owns: the steps and their order, quick ones first.
//! Does not own: preparing the machine (see `.ci/run`).

use std::process::Command;

use crate::mixture;
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
    step("test, as README.md says", || test(repository))?;
    step("test, with OpenSSL", || openssl(repository))?;
    step("test, without features", || featureless(repository))?;
    mixture::ci(repository)?;
    step("loom", || model(repository, "loom", &["--lib", "--test", "loom"]))?;
    step("shuttle", || model(repository, "shuttle", &["--test", "shuttle"]))
}

/// Runs the queues' models under a checker. It builds in a folder of its own, because the flag changes every crate.
fn model(repository: &Repository, checker: &str, tests: &[&str]) -> Result<(), String> {
    let folder = repository.root.join("target").join(checker);
    let arguments = [&["test", "--release", "--package", "haul-queue"], tests].concat();
    let mut command = cargo(&repository.root, &arguments);
    succeed(command.env("RUSTFLAGS", format!("--cfg {checker}")).env("CARGO_TARGET_DIR", folder))
}

/// Tests the format with OpenSSL if its headers are installed.
fn openssl(repository: &Repository) -> Result<(), String> {
    let found = Command::new("pkg-config").args(["--exists", "openssl"]).status();
    if !found.is_ok_and(|status| status.success()) {
        println!("SKIPPED: no headers of OpenSSL here");
        return Ok(());
    }
    let arguments = ["test", "--package", "haul-age-format", "--features", "openssl"];
    succeed(&mut cargo(&repository.root, &arguments))
}

/// Tests the libraries that have features without any.
fn featureless(repository: &Repository) -> Result<(), String> {
    for library in ["haul-age-format", "haul-seal", "haul-fetch"] {
        // Tests of other crates would add features.
        let arguments = ["test", "--package", library, "--no-default-features"];
        succeed(&mut cargo(&repository.root, &arguments))?;
    }
    Ok(())
}

fn test(repository: &Repository) -> Result<(), String> {
    let readme = repository.file("README.md").ok_or("README.md is missing")?;
    let script =
        block_under(&readme.text, "Test").ok_or("README.md has no block under a heading \"Test\"")?;
    print!("{script}");
    succeed(Command::new("sh").args(["-e", "-c", &script]).current_dir(&repository.root))
}
