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

use haul_age_format::Identity;
use haul_io::is_temporary;
use rustix::fs::OFlags;

use super::entry::{ENTRY_BYTES_MAX, HiddenName, TITLE, is_list_name, is_random_name};
use super::records::{Records, SUFFIX};
use crate::error::{Error, ErrorKind};
use crate::stream::{Accepted, SealedFile, StreamOptions, accept};

/// The names of the sealed files in one directory. Memory: both names of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenNames {
    names: HashMap<OsString, PathBuf>,
    /// The lists and journals, which aren't results themselves.
    lists: HashSet<OsString>,
}

impl HiddenNames {
    /// Reads the lists in `directory` that one of `identities` opens, with the plugins of `options` if no other fits,
    /// and the journals of runs that were killed. A file that is no list, though it is called so, is left alone.
    ///
    /// Anybody who knows a recipient can have made a list, and a server can have one fetched. So a list that gives
    /// names to other files than those under random names is none, and a name that leads out of the directory, or that
    /// haul keeps for itself, isn't accepted.
    ///
    /// # Errors
    /// If the directory or a list can't be read, or a plugin fails.
    pub fn read(
        directory: &Path,
        suffix: &OsStr,
        identities: &[Identity],
        options: &StreamOptions,
    ) -> io::Result<Self> {
        let suffix = suffix.to_str().unwrap_or_default();
        Ok(Self::scan(directory, &Keys { identities, options, suffix })?.0)
    }

    /// The names of each directory in and below `root` that has lists.
    pub(crate) fn below(
        root: &Path,
        suffix: &OsStr,
        identities: &[Identity],
        options: &StreamOptions,
    ) -> io::Result<Vec<(PathBuf, Self)>> {
        let suffix = suffix.to_str().unwrap_or_default();
        let keys = Keys { identities, options, suffix };
        let (mut found, mut pending) = (Vec::new(), vec![root.to_owned()]);
        while let Some(directory) = pending.pop() {
            let (names, directories) = match Self::scan(&directory, &keys) {
                // The walk reports a directory that can't be read.
                Err(_) if directory != root && directory.read_dir().is_err() => continue,
                scanned => scanned?,
            };
            pending.extend(directories);
            if !names.is_empty() {
                found.push((directory, names));
            }
        }
        Ok(found)
    }

    /// The names in `directory`, and the directories in it.
    fn scan(directory: &Path, keys: &Keys<'_>) -> io::Result<(Self, Vec<PathBuf>)> {
        let (mut found, mut directories) = (Self::default(), Vec::new());
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
                continue;
            }
            let name = entry.file_name();
            let Some(text) = name.to_str() else { continue };
            let is_list = text.strip_suffix(keys.suffix).is_some_and(is_list_name);
            let is_journal = text.strip_suffix(SUFFIX).is_some_and(is_list_name);
            if !is_list && !is_journal {
                continue;
            }
            let Some(file) = open_regular(&directory.join(&name))? else { continue };
            let entries = if is_list { keys.read_list(file)? } else { keys.read_journal(file)? };
            if let Some(Entries { names, is_of_others: false, is_damaged }) = entries {
                found.names.extend(names);
                // One that is damaged is opened as a file, which tells the user.
                if !is_damaged {
                    found.lists.insert(name);
                }
            }
        }
        Ok((found, directories))
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
}

/// What opens lists.
struct Keys<'a> {
    identities: &'a [Identity],
    options: &'a StreamOptions,
    /// The suffix of sealed files.
    suffix: &'a str,
}

impl Keys<'_> {
    /// The entries of a list; `None` if no key opens the file, or it is no list.
    fn read_list(&self, file: File) -> io::Result<Option<Entries>> {
        let Some(opened) = unless_closed(SealedFile::open_with(file, self.identities, self.options))? else {
            return Ok(None);
        };
        let (mut lines, mut entries) = (BufReader::new(opened), Entries::default());
        match read_line(&mut lines) {
            Ok(line) if line.as_deref() == Some(TITLE.as_bytes()) => {}
            Err(error) if !is_damage(&error) => return Err(error),
            _ => return Ok(None),
        }
        loop {
            match read_line(&mut lines) {
                Ok(Some(line)) => entries.add(&line, self.suffix),
                Ok(None) => return Ok(Some(entries)),
                Err(error) if is_damage(&error) => return Ok(Some(Entries { is_damaged: true, ..entries })),
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`read_list`](Self::read_list), of a journal.
    fn read_journal(&self, mut file: File) -> io::Result<Option<Entries>> {
        let accepted = accept(&mut file, self.identities, Some(self.options));
        let Some(Accepted { payload, start }) = unless_closed(accepted)? else { return Ok(None) };
        let source = BufReader::new(start.as_slice().chain(file));
        let mut records = Records { source, key: &payload.key, next: 0 };
        if records.next_text()?.as_deref().map(trimmed) != Some(TITLE.as_bytes()) {
            return Ok(None);
        }
        let mut entries = Entries::default();
        while let Some(text) = records.next_text()? {
            entries.add(trimmed(&text), self.suffix);
        }
        Ok(Some(entries))
    }
}

/// What was opened; `None` if that isn't a file which a key opens.
fn unless_closed<T>(opened: Result<T, Error>) -> io::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(haul_io::cancelled()),
        Err(Error::Io { source, .. }) => Err(source),
        Err(error @ Error::Plugin(_)) => Err(io::Error::other(error.to_string())),
        Err(_) => Ok(None),
    }
}

/// Whether `error` says that a sealed file is damaged.
fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// The entries of a list.
#[derive(Default)]
struct Entries {
    /// Those that are accepted.
    names: Vec<(OsString, PathBuf)>,
    /// Whether it has one of a file that doesn't hide its name.
    is_of_others: bool,
    /// Whether entries may be missing, as the list is damaged.
    is_damaged: bool,
}

impl Entries {
    fn add(&mut self, line: &[u8], suffix: &str) {
        let Ok(HiddenName { file, name, .. }) = serde_json::from_slice(line) else { return };
        let path = PathBuf::from(name);
        if !file.strip_suffix(suffix).is_some_and(is_random_name) {
            self.is_of_others = true;
        } else if is_acceptable(&path) {
            self.names.push((file.into(), path));
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
