//! What `haul --version` says: the version, the commit that it was built from, the features.
//!
//! The commit is that of the variable `HAUL_COMMIT`, of an archive that git made (which fills in `commit.txt`), or of
//! the checkout. Elsewhere the version names none. The same commit gives the same text, so builds stay reproducible.

use std::path::Path;
use std::process::Command;

/// Digits of the commit that are shown.
const DIGITS: usize = 7;

fn main() {
    let features = if std::env::var_os("CARGO_FEATURE_OPENSSL").is_some() { "openssl" } else { "none" };
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let details = match commit() {
        Some(commit) => format!("{commit}, features: {features}"),
        None => format!("features: {features}"),
    };
    println!("cargo:rustc-env=HAUL_VERSION={version} ({details})");
    println!("cargo:rerun-if-env-changed=HAUL_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=commit.txt");
}

fn commit() -> Option<String> {
    let given = std::env::var("HAUL_COMMIT").ok();
    let archived = || std::fs::read_to_string("commit.txt").ok().and_then(|text| shortened(&text));
    given.and_then(|text| shortened(&text)).or_else(archived).or_else(of_checkout)
}

/// The first digits of `text` if it is a commit.
fn shortened(text: &str) -> Option<String> {
    let text = text.trim();
    let is_commit = text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| text[..DIGITS].to_owned())
}

fn of_checkout() -> Option<String> {
    // The repository of another project, in which this one lies as vendored sources, would give its own commit.
    if !Path::new("../../.git").exists() {
        return None;
    }
    // The log grows with every commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    shortened(&git(&["rev-parse", "HEAD"])?)
}

fn git(args: &[&str]) -> Option<String> {
    // The checkout may belong to a different user, for example in a container.
    let output = Command::new("git").args(["-c", "safe.directory=*"]).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
