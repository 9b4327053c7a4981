//! What packages say about themselves.
//!
//! Owns: the version, the time of the commit, the descriptions.
//! Does not own: the content of packages.

use std::path::Path;
use std::process::Command;

use super::tools::output;

/// Facts about this version.
pub(super) struct Facts {
    pub(super) version: String,
    /// Seconds since 1970 of the commit: the time of every file in a package, so that the same commit gives the same
    /// package.
    pub(super) epoch: String,
}

pub(super) const SUMMARY: &str = "fetches many URLs at once, and seals files in the age format";
pub(super) const DESCRIPTION: &str = "\
haul fetches thousands of URLs at once, and encrypts and decrypts whole trees of
files on all cores, in the standard age format. What it fetches it can seal on
the way, so that no plaintext reaches the disk. A file appears whole or not at
all, whatever breaks.";
pub(super) const MAINTAINER: &str = "The haul project <haul@localhost>";

impl Facts {
    pub(super) fn gather(root: &Path) -> Result<Self, String> {
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).map_err(|error| error.to_string())?;
        let version = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
        let version = version.and_then(|rest| rest.strip_suffix('"')).ok_or("Cargo.toml has no version")?;
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "log", "-1", "--format=%ct"]).current_dir(root);
        Ok(Self { version: version.to_owned(), epoch: output(&mut git)?.trim().to_owned() })
    }
}
