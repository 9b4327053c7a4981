//! The tree of files that a package installs.
//!
//! Owns: which files, where each kind of system wants them, their modes and times.
//! Does not own: the packages' own formats.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Program;
use super::facts::Facts;
use super::tools::{empty_folder, output};
use crate::steps::succeed;

/// Where files are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Debian,
    Rpm,
}

impl Layout {
    /// The program that makes the package.
    pub(super) fn packer(self) -> &'static str {
        match self {
            Self::Debian => "dpkg-deb",
            Self::Rpm => "rpmbuild",
        }
    }

    fn zsh_folder(self) -> &'static str {
        match self {
            Self::Debian => "usr/share/zsh/vendor-completions",
            Self::Rpm => "usr/share/zsh/site-functions",
        }
    }
}

/// A staged tree.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    /// Below the folder, in order.
    pub(super) files: Vec<String>,
}

impl Stage {
    pub(super) fn make(
        layout: Layout,
        program: &Program,
        facts: &Facts,
        notices: &str,
        root: &Path,
        out: &Path,
    ) -> Result<Self, String> {
        let folder = out.join(format!("stage-{layout:?}").to_lowercase());
        empty_folder(&folder)?;
        let mut stage = Self { folder, files: Vec::new() };
        let text = |result: io::Result<Vec<u8>>| result.map_err(|error| error.to_string());
        stage.add("usr/bin/haul", &text(fs::read(&program.path))?, 0o755)?;
        for (shell, path) in [
            ("bash", "usr/share/bash-completion/completions/haul".to_owned()),
            ("zsh", format!("{}/_haul", layout.zsh_folder())),
            ("fish", "usr/share/fish/vendor_completions.d/haul.fish".to_owned()),
        ] {
            let script = output(Command::new(&program.path).args(["completions", shell]))?;
            stage.add(&path, script.as_bytes(), 0o644)?;
        }
        let pages = stage.folder.join("usr/share/man/man1");
        succeed(Command::new(&program.path).args(["man", "-d"]).arg(&pages))?;
        let mut names = Vec::new();
        for page in fs::read_dir(&pages).map_err(|error| error.to_string())? {
            names.push(page.map_err(|error| error.to_string())?.path());
        }
        names.sort();
        // -n: without the time, which differs.
        succeed(Command::new("gzip").args(["-9", "-n"]).args(&names))?;
        let shown = |path: &PathBuf| {
            format!("usr/share/man/man1/{}.gz", path.file_name().unwrap_or_default().display())
        };
        stage.files.extend(names.iter().map(shown));
        for (name, path) in
            [("README.md", "README.md"), ("SECURITY.md", "SECURITY.md"), ("CHANGELOG.md", "CHANGELOG.md")]
        {
            stage.add(&format!("usr/share/doc/haul/{name}"), &text(fs::read(root.join(path)))?, 0o644)?;
        }
        stage.add("usr/share/doc/haul/copyright", notices.as_bytes(), 0o644)?;
        stage.files.sort();
        stage.set_times(facts)?;
        Ok(stage)
    }

    /// Adds a file.
    fn add(&mut self, path: &str, content: &[u8], mode: u32) -> Result<(), String> {
        let file = self.folder.join(path);
        let written = fs::create_dir_all(file.parent().unwrap_or(&self.folder))
            .and_then(|()| fs::write(&file, content))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(mode)));
        written.map_err(|error| format!("{path}: {error}"))?;
        self.files.push(path.to_owned());
        Ok(())
    }

    /// Gives every file and folder the mode that doesn't depend on the umask, and the time of the commit.
    fn set_times(&self, facts: &Facts) -> Result<(), String> {
        succeed(Command::new("chmod").args(["-R", "u+rwX,go+rX,go-w"]).arg(&self.folder))?;
        let mut find = Command::new("find");
        find.arg(&self.folder).args([
            "-exec",
            "touch",
            "--no-dereference",
            "--date",
            &format!("@{}", facts.epoch),
            "{}",
            "+",
        ]);
        succeed(&mut find)
    }
}
