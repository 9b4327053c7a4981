//! The file of failures: a list of the tasks that failed, to be fetched again.
//!
//! Owns: the form of its lines, publishing it at the end.
//! Does not own: what counts as a failure, reading lists ([`super::list`]).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_fetch::{FetchTask, UrlLogin};
use haul_io::reason;
use tempfile::NamedTempFile;

use super::list::{BadLine, Item, Line};
use crate::report::exit::Problem;
use crate::report::redaction::{redacted, redacted_url};
use crate::report::text::{harmless, harmless_json, quoted};
use crate::run::device;

/// The list while it is written. It replaces a file of the same name only at the end, so it may be the list being read.
/// A device or a pipe is written to at once.
pub(crate) struct Failures {
    path: PathBuf,
    file: BufWriter<ListFile>,
    error: Option<std::io::Error>,
}

enum ListFile {
    Staged(NamedTempFile),
    Device(File),
}

impl Write for ListFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Staged(file) => file.write(bytes),
            Self::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `line` in the form of a list, its URL without a login; a line that can't be used becomes a comment with the reason.
pub(crate) fn to_list_line(line: &Line) -> Box<str> {
    let text = match line {
        Ok(item) => {
            let without_login = UrlLogin::take(&item.url).map(|(url, _)| url);
            let url = without_login.unwrap_or_else(|| redacted_url(&item.url).into_owned());
            let text = serde_json::to_string(&Item { url, ..item.clone() });
            harmless_json(&text.expect("items are plain text and numbers")).into_owned()
        }
        Err(BadLine { number, reason, .. }) => {
            let reason = redacted(reason).escape_debug().to_string();
            format!("# line {number}: {}", harmless(&reason))
        }
    };
    text.into()
}

impl Failures {
    /// Creates the list at `path`, if there is to be one.
    ///
    /// # Errors
    /// If it can't be created.
    pub(crate) fn create(path: Option<&Path>, timeout: Option<Duration>) -> Result<Option<Self>, Problem> {
        path.map(|path| Self::create_at(path, timeout)).transpose()
    }

    /// Creates the list beside its final name. A pipe that nobody reads is waited for, at most for `timeout`.
    fn create_at(path: &Path, timeout: Option<Duration>) -> Result<Self, Problem> {
        if let Some(device) = device::open(path, timeout)? {
            let file = BufWriter::new(ListFile::Device(device));
            return Ok(Self { path: path.to_owned(), file, error: None });
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        // An error about the directory is clearer than one about the temporary file.
        let file = std::fs::metadata(directory).and_then(|_| NamedTempFile::new_in(directory));
        let file = file.map_err(|error| {
            Problem::usage(format!("cannot write failures to {}: {}", quoted(path), reason(&error)))
        })?;
        let file = BufWriter::new(ListFile::Staged(file));
        Ok(Self { path: path.to_owned(), file, error: None })
    }

    /// Adds a task that failed.
    pub(crate) fn add(&mut self, task: &FetchTask) {
        let Some(line) = &task.context else { return };
        if let Err(error) = writeln!(self.file, "{line}") {
            self.error.get_or_insert(error);
        }
    }

    /// Publishes the list.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let failed = |error: &std::io::Error| {
            let message = format!("cannot write failures to {}: {}", quoted(&self.path), reason(error));
            Problem::unwritten(message, error)
        };
        if let Some(error) = &self.error {
            return Err(failed(error));
        }
        let file = self.file.into_inner().map_err(|error| failed(error.error()))?;
        match file {
            ListFile::Staged(file) => {
                file.persist(&self.path).map(drop).map_err(|error| failed(&error.error))
            }
            ListFile::Device(_) => Ok(()),
        }
    }
}
