//! The repository as text: the files that git tracks or would add.
//!
//! Owns: finding the root, listing and reading files.
//! Does not own: judging them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a repository.
pub(crate) struct Repository {
    /// The folder with the workspace's manifest.
    pub(crate) root: PathBuf,
    /// In the order of their paths.
    pub(crate) files: Vec<TextFile>,
}

/// A file that is text.
pub(crate) struct TextFile {
    /// Below the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Repository {
    /// The repository that this program was built from.
    pub(crate) fn here() -> Result<Self, String> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).ok_or("the crate lies two folders below the root")?;
        let mut files = Vec::new();
        for path in list(root)? {
            // Binary files have no lines to check; a listed file that is missing was just deleted.
            if let Ok(text) = fs::read_to_string(root.join(&path)) {
                files.push(TextFile { path, text });
            }
        }
        Ok(Self { root: root.to_owned(), files })
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl TextFile {
    /// True for Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The name of its crate's folder below `crates/`, and its path inside.
    pub(crate) fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}

/// True for Markdown written in this project. Below `tests/` there is Markdown of other projects, as test data.
pub(crate) fn is_document(path: &str) -> bool {
    path.ends_with(".md") && !path.contains("/tests/")
}

fn list(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        // The checkout may belong to a different user, for example in a container.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cannot run git: {e}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let mut paths: Vec<String> =
        names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}
