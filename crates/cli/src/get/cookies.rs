//! The file of cookies: read at the start, written at the end.
//!
//! Owns: when it is read and written, and how it stays private.
//! Does not own: its grammar, cookies ([`haul_fetch::CookieJar`]).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use haul_fetch::CookieJar;
use haul_io::{Blocking, Cancel, Existing, Io, Preserve, Publish, reason, run_ready};
use rustix::fs::{Access, access};

use crate::exit::Problem;
use crate::voice::quoted;

/// The longest file, in bytes: more than a full jar.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Cookies, and the file that they are kept in.
pub(super) struct Cookies {
    jar: Arc<CookieJar>,
    path: PathBuf,
}

impl Cookies {
    /// Reads the file, if it is there; checks that it can be written.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let problem = |error: io::Error| {
            Problem::usage(format!("cannot use cookies {}: {}", quoted(path), reason(&error)))
        };
        let jar = Arc::new(CookieJar::new(SystemTime::now));
        // What is replaced at the end is the file, not a link to it.
        let path = match fs::canonicalize(path) {
            Ok(real) => {
                let file = read(&real).map_err(problem)?;
                jar.read(&file).map_err(|bad| {
                    let problem = Problem::usage(format!(
                        "line {} of cookies {} is not a cookie",
                        bad.number,
                        quoted(path)
                    ));
                    problem.hint("a line has seven fields between tabs, as curl and wget write them")
                })?;
                real
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(problem(error)),
        };
        access(directory_of(&path), Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| problem(error.into()))?;
        Ok(Self { jar, path })
    }

    /// For the client.
    pub(super) fn jar(&self) -> Arc<CookieJar> {
        self.jar.clone()
    }

    /// Replaces the file by what there is now, for its owner's eyes only; else says why not.
    pub(super) fn write(self) -> Result<(), String> {
        let publish = Publish {
            existing: Existing::Replace,
            preserve: Preserve { mode: Some(0o600), ..Preserve::default() },
            ..Publish::new(self.path.clone())
        };
        // A switch of its own: what an interrupted run has learned is kept.
        let written = Cancel::new().and_then(|cancel| {
            run_ready(Blocking::new(cancel).write_file(publish, self.jar.to_file().into())).0
        });
        written
            .map(drop)
            .map_err(|error| format!("cannot write cookies to {}: {}", quoted(&self.path), reason(&error)))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut file = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut file)?;
    match file.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes"))),
        false => Ok(file),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
