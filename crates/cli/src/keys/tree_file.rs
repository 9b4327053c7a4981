//! A file called `haul-identity.age`: whether it may be believed.
//!
//! The file decides which key a tree is sealed to, so another user must not be able to provide it. It counts only if it
//! is a regular file (not a link), sealed with a passphrase alone, and owned by this user or by root.
//!
//! Owns: reading the file without following a link and without waiting for a pipe, the reasons against it.
//! Does not own: unlocking it, finding it ([`super::tree_identity`], [`super::tree_search`]).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use haul_io::{FileKind, Stat, reason};
use haul_seal::inspect;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The longest identity file of a tree, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads the identity file at `path`; `None` if nothing has that name.
///
/// # Errors
/// Why the file isn't believed, as the end of a sentence that begins with its name.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err("is a symbolic link".to_owned()),
        Err(Errno::NXIO) => return Err("is not a regular file".to_owned()),
        Err(error) => return Err(format!("cannot be read: {}", reason(&error.into()))),
    };
    let unreadable = |error: std::io::Error| format!("cannot be read: {}", reason(&error));
    let stat = fstat(&file).map_err(|error| unreadable(error.into()))?;
    match Stat::from(stat).kind {
        FileKind::Regular => {}
        FileKind::Directory => return Err("is a directory".to_owned()),
        _ => return Err("is not a regular file".to_owned()),
    }
    if ![0, geteuid().as_raw()].contains(&stat.st_uid) {
        return Err("belongs to another user".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    match inspect(&bytes[..], None) {
        Ok(facts) if facts.stanzas == [("scrypt".to_owned(), 1)] => Ok(Some(bytes)),
        Ok(_) => Err("is not sealed with a passphrase".to_owned()),
        Err(_) => Err("is not an age file".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use haul_seal::{Passphrase, Recipient, StreamOptions, X25519Identity, protected_file, seal_stream};
    use rustix::fs::mkfifoat;

    use super::*;
    use crate::run::random::system_random;

    #[test]
    fn only_a_regular_file_that_a_passphrase_seals_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let identity = X25519Identity::generate();
        let passphrase = Passphrase::new("correct horse".to_owned().into());
        let text = identity.to_secret_text();
        let sealed = protected_file(&text, &passphrase, &mut system_random()).unwrap();
        std::fs::write(path("sealed"), &sealed).unwrap();
        std::fs::write(path("plain"), text.as_bytes()).unwrap();
        std::fs::write(path("long"), vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        let mut to_a_key = Vec::new();
        let options = StreamOptions::new(haul_io::Cancel::new().unwrap());
        let recipient = Recipient::X25519(identity.to_recipient());
        seal_stream(text.as_bytes(), &mut to_a_key, &[recipient], &options).unwrap();
        std::fs::write(path("to-a-key"), &to_a_key).unwrap();
        symlink("sealed", path("link")).unwrap();
        mkfifoat(CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::create_dir(path("directory")).unwrap();
        assert_eq!(read(&path("sealed")), Ok(Some(sealed)));
        assert_eq!(read(&path("missing")), Ok(None));
        for (name, reason) in [
            ("plain", "is not an age file"),
            ("long", "is longer than 65536 bytes"),
            ("to-a-key", "is not sealed with a passphrase"),
            ("link", "is a symbolic link"),
            ("pipe", "is not a regular file"),
            ("directory", "is a directory"),
        ] {
            assert_eq!(read(&path(name)), Err(reason.to_owned()), "{name}");
        }
        if geteuid().is_root() {
            std::os::unix::fs::chown(path("sealed"), Some(12_345), None).unwrap();
            assert_eq!(read(&path("sealed")), Err("belongs to another user".to_owned()));
        }
    }
}
