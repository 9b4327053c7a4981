//! What failed, as a list that can be fetched again.
//!
//! Owns: the form of its lines, putting the file in its place at the end.
//! Does not own: what is a failure, reading lists ([`crate::list`]).

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use haul_fetch::FetchTask;
use haul_io::reason;
use tempfile::NamedTempFile;

use crate::exit::Problem;
use crate::list::{BadLine, Line};
use crate::voice::quoted;

/// The list under way. It replaces the file of its name only at the end, so that it may be the list that is being read.
pub(super) struct Failures {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    error: Option<std::io::Error>,
}

/// `line` as a list has it; one that can't be used is a comment that says why.
pub(super) fn kept(line: &Line) -> Box<str> {
    let text = match line {
        Ok(item) => serde_json::to_string(item).expect("items are plain text and numbers"),
        Err(BadLine { number, reason }) => format!("# line {number}: {}", reason.escape_debug()),
    };
    text.into()
}

impl Failures {
    pub(super) fn create(path: &Path) -> Result<Self, Problem> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        // The error of a temporary file names that file: what is said of the directory is clearer.
        let file = std::fs::metadata(directory).and_then(|_| NamedTempFile::new_in(directory));
        let file = file.map_err(|error| {
            Problem::usage(format!("cannot write failures to {}: {}", quoted(path), reason(&error)))
        })?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), error: None })
    }

    pub(super) fn add(&mut self, task: &FetchTask) {
        let Some(line) = &task.context else { return };
        if let Err(error) = writeln!(self.file, "{line}") {
            self.error.get_or_insert(error);
        }
    }

    /// Puts the list in its place; else says why not.
    pub(super) fn finish(self) -> Result<(), String> {
        let failed = |error: &std::io::Error| {
            format!("cannot write failures to {}: {}", quoted(&self.path), reason(error))
        };
        if let Some(error) = &self.error {
            return Err(failed(error));
        }
        let file = self.file.into_inner().map_err(|error| failed(error.error()))?;
        file.persist(&self.path).map(drop).map_err(|error| failed(&error.error))
    }
}
