//! The configuration file on the disk.
//!
//! Owns: where it is, whether it is believed: only a regular file that belongs to this user or to root, and that nobody
//! else can write or replace. Otherwise another user could name the recipients of what this user seals.
//! Does not own: its content ([`super::text`]).
//!
//! Source: XDG Base Directory Specification, "Environment variables" (a relative path is ignored).

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use haul_io::reason;
use rustix::fs::OFlags;

use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::environment::Environment;
use crate::run::own_file::{is_ours, is_writable_by_others};

/// The longest configuration file, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// The permission bit of directories in which only owners remove files.
const STICKY: u32 = 0o1000;

/// Where the file is, if it is there; `None` if no variable says so.
pub(super) fn path(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| environment.variable(name).map(Path::new).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").map(Path::to_owned);
    let folder = folder.or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("haul/config.toml"))
}

/// The text of the file at `path`; `None` if there is none.
///
/// # Errors
/// If it is there and can't be read or believed.
pub(super) fn read(path: &Path) -> Result<Option<String>, Problem> {
    match read_believed(path) {
        Ok(text) => Ok(text),
        Err(Doubt::Io(error)) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(Doubt::Io(error)) if error.kind() == ErrorKind::PermissionDenied && is_out_of_reach(path) => {
            Ok(None)
        }
        Err(Doubt::Io(error)) => {
            let message = format!("cannot read the configuration file {}: {}", quoted(path), reason(&error));
            Err(Problem::usage(message).hint("--no-config goes without it"))
        }
        Err(Doubt::Reason(reason, hint)) => {
            let message = format!("the configuration file {} isn't believed: {reason}", quoted(path));
            Err(Problem::usage(message).hint(hint))
        }
    }
}

/// Whether this user may not even look for the file, as where the variables are those of another user: setpriv,
/// containers and some forms of sudo leave HOME as it was.
fn is_out_of_reach(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Why there is no text.
#[derive(Debug)]
enum Doubt {
    Io(io::Error),
    /// What is wrong, and what can be done.
    Reason(String, String),
}

impl From<io::Error> for Doubt {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn read_believed(path: &Path) -> Result<Option<String>, Doubt> {
    // A pipe is opened without waiting for its writer.
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let file = File::options().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Doubt::Reason(
            "it isn't a regular file".to_owned(),
            "--no-config goes without it".to_owned(),
        ));
    }
    check(&metadata, "it", path)?;
    let folder = path.parent().unwrap_or(path);
    let around = folder.metadata()?;
    if around.mode() & STICKY == 0 {
        check(&around, "its directory", folder)?;
    }
    let mut text = String::new();
    if file.take(BYTES_MAX + 1).read_to_string(&mut text)? as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("longer than {BYTES_MAX} bytes")).into());
    }
    Ok(Some(text))
}

/// Doubts what another user could have written.
fn check(metadata: &Metadata, what: &str, path: &Path) -> Result<(), Doubt> {
    if !is_ours(metadata) {
        let owner = metadata.uid();
        let reason = format!("{what} belongs to another user (number {owner})");
        return Err(Doubt::Reason(reason, "--no-config goes without it".to_owned()));
    }
    if is_writable_by_others(metadata) {
        let hint = format!("if its content is yours: chmod go-w {}", quoted(path));
        return Err(Doubt::Reason(format!("{what} can be written by other users"), hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown};

    use rustix::fs::{CWD, Mode, mkfifoat};
    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn the_file_is_where_the_variables_say() {
        for (variables, found) in [
            (&[("HOME", "/users/ada")][..], Some("/users/ada/.config/haul/config.toml")),
            (&[("HOME", "/users/ada"), ("XDG_CONFIG_HOME", "/x")], Some("/x/haul/config.toml")),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")], Some("/h/.config/haul/config.toml")),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "")], Some("/h/.config/haul/config.toml")),
            (&[("HOME", "h")], None),
            (&[], None),
        ] {
            assert_eq!(path(&Environment::of(variables)), found.map(PathBuf::from), "{variables:?}");
        }
    }

    #[test]
    fn only_what_nobody_else_can_write_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        assert!(read(&path).unwrap().is_none());
        std::fs::write(&path, "jobs = 5").unwrap();
        for (file, directory, is_believed) in [
            (0o644, 0o755, true),
            (0o600, 0o700, true),
            (0o664, 0o755, false),
            (0o646, 0o755, false),
            (0o644, 0o775, false),
            (0o644, 0o757, false),
            (0o644, 0o1777, true),
        ] {
            mode(&path, file);
            mode(folder.path(), directory);
            assert_eq!(read(&path).is_ok(), is_believed, "{file:o} {directory:o}");
        }
        mode(&path, 0o644);
        mode(folder.path(), 0o755);
        if geteuid().is_root() {
            chown(&path, Some(12_345), None).unwrap();
            assert!(read(&path).unwrap_err().message.ends_with("it belongs to another user (number 12345)"));
            chown(&path, Some(0), None).unwrap();
            chown(folder.path(), Some(12_345), None).unwrap();
            assert!(read(&path).unwrap_err().message.contains("its directory belongs to another user"));
            chown(folder.path(), Some(0), None).unwrap();
        }
        std::fs::remove_file(&path).unwrap();
        mkfifoat(CWD, &path, Mode::RUSR).unwrap();
        assert!(read(&path).unwrap_err().message.ends_with("it isn't a regular file"));
        assert!(read(&path.join("below")).unwrap().is_none());
    }
}
