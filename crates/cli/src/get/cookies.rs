//! The cookie file: read at the start, written at the end.
//!
//! Owns: when it is read and written, its mode.
//! Does not own: its grammar, cookies ([`haul_fetch::CookieJar`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use haul_fetch::CookieJar;
use haul_io::{Blocking, Cancel, Existing, Io, Preserve, Publish, Shortfall, reason, run_ready};
use rustix::fs::{Access, FlockOperation, access, flock};

use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::short_file::read_bytes;

/// The longest cookie file, in bytes: more than a full jar.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// The longest wait for another run that writes its cookies.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A cookie jar and its file.
pub(super) struct Cookies {
    jar: Arc<CookieJar>,
    path: PathBuf,
    /// The file as it was read; empty if there was none.
    before: Vec<u8>,
}

impl Cookies {
    /// Reads the file, if it exists, and checks that it can be written.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let problem = |error: io::Error| {
            Problem::usage(format!("cannot use cookies {}: {}", quoted(path), reason(&error)))
        };
        let jar = Arc::new(CookieJar::new(SystemTime::now));
        // The file is replaced at the end, not a link to it.
        let mut before = Vec::new();
        let path = match fs::canonicalize(path) {
            Ok(real) => {
                let file = read(&real).map_err(problem)?;
                jar.read(&file).map_err(|bad| {
                    let problem = Problem::usage(format!(
                        "line {} of cookies {} isn't a cookie",
                        bad.number,
                        quoted(path)
                    ));
                    problem.hint("a line has seven fields separated by tabs, as curl and wget write them")
                })?;
                before = file;
                real
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(problem(error)),
        };
        access(directory_of(&path), Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| problem(error.into()))?;
        Ok(Self { jar, path, before })
    }

    /// The jar for the client.
    pub(super) fn jar(&self) -> Arc<CookieJar> {
        self.jar.clone()
    }

    /// Replaces the file with the current cookies, readable by its owner only. Cookies that another run wrote meanwhile
    /// are kept, unless this run changed them too. Warns if the file system decides who can read the file.
    ///
    /// # Errors
    /// The message, if it could not be written.
    pub(super) fn write(self, voice: &Voice) -> Result<(), Problem> {
        let publish = Publish {
            existing: Existing::Replace,
            preserve: Preserve { mode: Some(0o600), ..Preserve::default() },
            ..Publish::new(self.path.clone())
        };
        let _lock = lock(directory_of(&self.path));
        let cookies = match read(&self.path) {
            // A file that became something else is replaced as a whole.
            Ok(now) if now != self.before => {
                self.jar.merged(&self.before, &now).unwrap_or_else(|_| self.jar.to_file())
            }
            _ => self.jar.to_file(),
        };
        // A cancellation of its own: an interrupted run keeps its cookies too.
        let written = Cancel::new()
            .and_then(|cancel| run_ready(Blocking::new(cancel).write_file(publish, cookies.into())).0);
        let path = quoted(&self.path);
        let published = written.map_err(|error| {
            Problem::unwritten(format!("cannot write cookies to {path}: {}", reason(&error)), &error)
        })?;
        if published.shortfalls.iter().any(|shortfall| shortfall == Shortfall::Mode) {
            voice.warning(format!(
                "others may be able to read the cookies in {path}: its file system doesn't keep permission bits"
            ));
        }
        Ok(())
    }
}

/// Locks `directory` against other runs that write cookies there. The lock is released when the file is dropped.
/// Returns `None` if the lock isn't free in time: then the last run to write wins.
fn lock(directory: &Path) -> Option<fs::File> {
    let file = fs::File::open(directory).ok()?;
    let started = Instant::now();
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if started.elapsed() > LOCK_WAIT {
            return None;
        }
        std::thread::sleep(LOCK_WAIT / 500);
    }
    Some(file)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    read_bytes(path, FILE_BYTES_MAX)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
