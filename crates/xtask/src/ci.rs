//! The whole CI, the same for developers and for machines.
//!
//! Owns: the steps and their order, quick ones first.
//! Does not own: preparing the machine (see `.ci/run`).

use std::process::Command;

use crate::bench;
use crate::mixture;
use crate::package;
use crate::readme::block_under;
use crate::repository::Repository;
use crate::steps::{cargo, step, succeed, target_folder};
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
    // All libraries, in the order of their dependencies.
    let publish = ["publish", "--dry-run", "--workspace", "--no-verify", "--allow-dirty"];
    step("publishing, tried", || succeed(&mut cargo(root, &publish)))?;
    step("packages", || package::run(repository, &package::Options::for_ci()))?;
    step("scoreboard, tiny", || {
        let haul = target_folder(root).join("debug/haul");
        bench::scoreboard(bench::Options::for_ci(haul)?)
    })?;
    mixture::ci(repository)?;
    step("loom, queues", || model(repository, "loom", "haul-queue", &["--lib", "--test", "loom"]))?;
    step("loom, parking and cancelling", || model(repository, "loom", "haul-io", &["--lib", "modelled"]))?;
    step("shuttle", || model(repository, "shuttle", "haul-queue", &["--test", "shuttle"]))
}

/// Runs the models of a package under a checker. It builds in a folder of its own, because the flag changes every
/// crate.
fn model(repository: &Repository, checker: &str, package: &str, tests: &[&str]) -> Result<(), String> {
    let folder = repository.root.join("target").join(checker);
    let arguments = [&["test", "--release", "--package", package], tests].concat();
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

/// Makes the picture of the terminal anew.
pub(crate) fn picture(repository: &Repository) -> Result<(), String> {
    let arguments = ["test", "--package", "haul-cli", "--test", "it", "guides::picture"];
    succeed(cargo(&repository.root, &arguments).env("HAUL_BLESS", "1"))
}

fn test(repository: &Repository) -> Result<(), String> {
    let readme = repository.file("README.md").ok_or("README.md is missing")?;
    let script =
        block_under(&readme.text, "Test").ok_or("README.md has no block under a heading \"Test\"")?;
    print!("{script}");
    succeed(Command::new("sh").args(["-e", "-c", &script]).current_dir(&repository.root))
}
