//! Where a contest is held: the program, a file system, sources that several contests read.
//!
//! Owns: making a source once, keys for the programs.
//! Does not own: the contests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::options::Options;
use super::server::Server;
use super::sources;

/// The password of programs that know no public keys.
pub(super) const PASSWORD: &str = "a-password";
/// The same, as rclone obscures it.
pub(super) const OBSCURED: &str = "1D09aTPqt0YKWIRA_Pd9F2tO9ng";

/// A root on a file system, and what is measured there.
pub(super) struct Field<'a> {
    pub(super) haul: &'a Path,
    pub(super) options: &'a Options<'a>,
    /// None where nothing is fetched.
    pub(super) server: Option<&'a Server>,
    pub(super) root: &'a Path,
}

impl Field<'_> {
    /// The tree of small files.
    pub(super) fn tree(&self) -> Result<PathBuf, String> {
        let tree = self.root.join("tree");
        if !tree.exists() {
            sources::tree(&tree, self.options.files)?;
        }
        Ok(tree)
    }

    /// The large file.
    pub(super) fn large(&self) -> Result<PathBuf, String> {
        let large = self.root.join("large");
        if !large.exists() {
            sources::file(&large, self.large_bytes() as usize)?;
        }
        Ok(large)
    }

    pub(super) fn large_bytes(&self) -> u64 {
        (self.options.large_mib as u64) << 20
    }

    /// An identity in the folder, and its recipient.
    pub(super) fn key(&self) -> Result<(PathBuf, String), String> {
        let key = self.root.join("key");
        if !key.exists() {
            self.output(Command::new(self.haul).args(["keygen", "-q", "-o"]).arg(&key))?;
        }
        let recipient = self.output(Command::new(self.haul).args(["keygen", "-y"]).arg(&key))?;
        Ok((key, recipient.trim().to_owned()))
    }

    /// Makes a source by a script of the shell, in which `$0` is `name` in the root. Returns its path, or none if
    /// `program` isn't installed.
    pub(super) fn prepared(
        &self,
        name: &str,
        program: &str,
        script: &str,
    ) -> Result<Option<PathBuf>, String> {
        let path = self.root.join(name);
        if !super::peers::has(program.as_ref()) {
            return Ok(None);
        }
        if !path.exists() {
            self.output(Command::new("sh").args(["-ec", script]).arg(&path))?;
        }
        Ok(Some(path))
    }

    fn output(&self, command: &mut Command) -> Result<String, String> {
        let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `gpg` with a folder of its own, which asks nothing and starts no agent.
    pub(super) fn gpg(&self) -> String {
        let home = self.root.join("gpg");
        let home = home.display();
        format!(
            "mkdir -p -m 700 {home}; gpg --homedir {home} --batch --quiet --yes --no-tty --no-autostart \
             --pinentry-mode loopback --passphrase {PASSWORD} --cipher-algo AES256 --s2k-count 65536 \
             --compress-algo none"
        )
    }

    /// rclone's encrypting remote in the folder `folder`, which may be an expression of the shell.
    pub(super) fn crypt(folder: &str) -> String {
        format!("\":crypt,remote=\\\"{folder}\\\",password={OBSCURED},filename_encryption=off:\"")
    }
}
