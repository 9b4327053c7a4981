//! Other programs.
//!
//! Owns: the folder of tools from PyPI.
//! Does not own: what they are used for.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::succeed;
pub(super) use crate::steps::{find, output};

/// A virtual environment of Python in `folder`, with `packages`. An existing one is used as it is.
pub(super) fn environment(folder: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let programs = folder.join("bin");
    // Pip is the last to be there.
    if !programs.join("pip").exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    }
    if !packages.is_empty() {
        let mut pip = Command::new(programs.join("pip"));
        succeed(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
    }
    Ok(programs)
}

/// The length of the file at `path`.
pub(super) fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// An empty folder at `path`.
pub(super) fn empty_folder(path: &Path) -> Result<(), String> {
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    std::fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}
