//! The names of a directory with hidden names, for opening it.
//!
//! Owns: finding lists and journals, which names are accepted.
//! Does not own: their form ([`super::entry`], [`super::journal`]), names of results ([`crate::walk`]).

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use haul_age_format::{Header, Identity, NONCE_BYTES, Parsed, PayloadKey, open_header};
use haul_io::is_temporary;
use rustix::fs::OFlags;

use super::entry::{ENTRY_BYTES_MAX, HiddenName, TITLE, is_list_name};
use super::records::{Records, SUFFIX};
use crate::stream::SealedFile;

/// The names of the sealed files in one directory. Memory: both names of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenNames {
    names: HashMap<OsString, PathBuf>,
    /// The lists and journals, which aren't results themselves.
    lists: HashSet<OsString>,
}

impl HiddenNames {
    /// Reads the lists in `directory` that one of `identities` opens, and the journals of runs that were killed. A file
    /// that is no list, though it is called so, is left alone. Anybody who knows a recipient can have made a list: a
    /// name in it that leads out of the directory, or that haul keeps for itself, isn't accepted.
    ///
    /// # Errors
    /// If the directory or a list can't be read.
    pub fn read(directory: &Path, suffix: &OsStr, identities: &[Identity]) -> io::Result<Self> {
        let mut found = Self::default();
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            let Some(text) = name.to_str() else { continue };
            let is_list =
                suffix.to_str().and_then(|suffix| text.strip_suffix(suffix)).is_some_and(is_list_name);
            let is_journal = text.strip_suffix(SUFFIX).is_some_and(is_list_name);
            if !is_list && !is_journal {
                continue;
            }
            let Some(file) = open_regular(&directory.join(&name))? else { continue };
            let is_read = if is_list {
                found.read_list(file, identities)?
            } else {
                found.read_journal(file, identities)?
            };
            if is_read {
                found.lists.insert(name);
            }
        }
        Ok(found)
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.lists.is_empty()
    }

    /// The name that the file called `file` gets.
    pub(crate) fn of(&self, file: &OsStr) -> Option<&Path> {
        self.names.get(file).map(PathBuf::as_path)
    }

    /// Whether the file called `file` is a list.
    pub(crate) fn is_list(&self, file: &OsStr) -> bool {
        self.lists.contains(file)
    }

    /// Returns false if the file is no list that one of `identities` opens.
    fn read_list(&mut self, file: File, identities: &[Identity]) -> io::Result<bool> {
        let Ok(opened) = SealedFile::open(file, identities) else { return Ok(false) };
        let mut lines = BufReader::new(opened);
        if read_line(&mut lines)?.as_deref() != Some(TITLE.as_bytes()) {
            return Ok(false);
        }
        while let Some(line) = read_line(&mut lines)? {
            self.add(&line);
        }
        Ok(true)
    }

    fn read_journal(&mut self, mut file: File, identities: &[Identity]) -> io::Result<bool> {
        let Some(key) = read_head(&mut file, identities)? else { return Ok(false) };
        let mut records = Records { source: BufReader::new(file), key: &key, next: 0 };
        if records.next_text()?.as_deref().map(trimmed) != Some(TITLE.as_bytes()) {
            return Ok(false);
        }
        while let Some(text) = records.next_text()? {
            self.add(trimmed(&text));
        }
        Ok(true)
    }

    fn add(&mut self, line: &[u8]) {
        let Ok(HiddenName { file, name, .. }) = serde_json::from_slice(line) else { return };
        let path = PathBuf::from(name);
        if is_acceptable(&path) && !file.contains('/') {
            self.names.insert(file.into(), path);
        }
    }
}

/// Whether a file may get this name, from whomever it came.
fn is_acceptable(path: &Path) -> bool {
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let name = path.file_name().unwrap_or_default();
    is_plain && !name.is_empty() && !is_temporary(name)
}

/// Opens a regular file, not through a link; `None` for anything else.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(_) if !path.is_file() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the header of a journal and opens it; leaves `file` at its first record.
fn read_head(file: &mut File, identities: &[Identity]) -> io::Result<Option<PayloadKey>> {
    let mut start = Vec::new();
    file.take((Header::BYTES_MAX + NONCE_BYTES) as u64).read_to_end(&mut start)?;
    let Ok(Parsed::Complete { header, len }) = Header::parse(&start) else { return Ok(None) };
    let Some(nonce) = start.get(len..len + NONCE_BYTES) else { return Ok(None) };
    let nonce = nonce.try_into().expect("cut to its length");
    io::Seek::seek(file, io::SeekFrom::Start((len + NONCE_BYTES) as u64))?;
    Ok(open_header(&header, nonce, identities).ok())
}

/// The next line without its end; `None` at the end. A longer line than any entry ends the list.
fn read_line(source: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    source.take(ENTRY_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
    Ok(if line.is_empty() || line.len() > ENTRY_BYTES_MAX { None } else { Some(trimmed(&line).to_vec()) })
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_not_accepted() {
        for (name, accepted) in [
            ("a", true),
            ("d/a.txt", true),
            ("../a", false),
            ("/a", false),
            ("d/../a", false),
            ("", false),
            (".haul-0123456789abcdef.tmp", false),
        ] {
            assert_eq!(is_acceptable(Path::new(name)), accepted, "{name}");
        }
    }

    #[test]
    fn lists_are_known_by_their_names() {
        for (name, is_list) in [
            ("names", true),
            ("names-2", true),
            ("names-17", true),
            ("names-1", false),
            ("names-02", false),
            ("names-", false),
            ("name", false),
        ] {
            assert_eq!(is_list_name(name), is_list, "{name}");
        }
    }
}
