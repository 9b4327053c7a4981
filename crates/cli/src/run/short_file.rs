//! Reading and creating the small files that options name: keys, passphrases, tokens, lists of checksums.
//!
//! Owns: the limit on their length, the mode of private files.
//! Does not own: their content, messages about them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// Room that suffices for most secrets. All of it is wiped afterwards, so more would cost time at every start.
const SECRET_BYTES_USUAL: usize = 4096;

/// Reads a whole file of at most `bytes_max` bytes.
///
/// # Errors
/// If the file can't be read or is longer.
pub(crate) fn read_bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    check_length(count, bytes_max)?;
    Ok(bytes)
}

/// Reads a whole file of at most `bytes_max` bytes that holds a secret. The bytes are wiped when they are dropped.
///
/// # Errors
/// If the file can't be read or is longer.
pub(crate) fn read_secret(path: &Path, bytes_max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    read_secret_from(File::open(path)?, bytes_max)
}

/// As [`read_secret`], from `source`.
///
/// # Errors
/// If `source` can't be read or gives more than `bytes_max` bytes.
pub(crate) fn read_secret_from(source: impl Read, bytes_max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut source = source.take(bytes_max + 1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_USUAL));
    loop {
        let room = (bytes.capacity() - bytes.len()) as u64;
        // Never more than there is room for: a vector that grows by itself leaves a copy of the secret behind.
        if source.by_ref().take(room).read_to_end(&mut bytes)? as u64 != room {
            break;
        }
        let mut larger = Zeroizing::new(Vec::with_capacity(4 * bytes.capacity()));
        larger.extend_from_slice(&bytes);
        bytes = larger;
    }
    check_length(bytes.len(), bytes_max)?;
    Ok(bytes)
}

/// Reads a whole text file of at most `bytes_max` bytes.
///
/// # Errors
/// If the file can't be read, is longer or isn't UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    let count = File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    check_length(count, bytes_max)?;
    Ok(text)
}

fn check_length(count: usize, bytes_max: u64) -> io::Result<()> {
    if count as u64 > bytes_max {
        return Err(io::Error::other(format!("longer than {bytes_max} bytes")));
    }
    Ok(())
}

/// Creates a file that only its owner may read, and flushes it to the disk, its name as well.
///
/// # Errors
/// If the file exists or can't be written. It is then removed: half a key file opens nothing but looks like one.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_name(path));
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

/// Flushes the directory of `path`, unless it may not be read or its file system can't do that.
fn sync_name(path: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    let directory = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if [InvalidInput, PermissionDenied, Unsupported].contains(&error.kind()) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most 1000 bytes a call, as a pipe may.
    struct Pieces<'a>(&'a [u8]);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = room.len().min(1000);
            (&mut self.0).read(&mut room[..count])
        }
    }

    #[test]
    fn secrets_of_any_length_are_read_whole() {
        let usual = SECRET_BYTES_USUAL;
        for count in [0, 1, usual - 1, usual, usual + 1, 4 * usual, 4 * usual + 1, 100_000] {
            let secret: Vec<u8> = (0..count).map(|index| (index % 251) as u8).collect();
            assert_eq!(*read_secret_from(Pieces(&secret), 100_000).unwrap(), secret);
            assert_eq!(*read_secret_from(&*secret, count as u64).unwrap(), secret);
            assert!(count == 0 || read_secret_from(&*secret, count as u64 - 1).is_err());
        }
    }
}
