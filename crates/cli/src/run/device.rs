//! Devices, pipes and open descriptors as outputs: they are written to, and never replaced by a file.
//!
//! Owns: recognising them by their paths, opening them.
//! Does not own: what is written.
//!
//! Source: fifo(7).

use std::fs::{self, File, FileType};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use haul_io::{Cancel, reason};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::signals::SignalWatch;
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;

/// How often a pipe that nobody reads is looked at.
const PIPE_INTERVAL: Duration = Duration::from_millis(10);

/// Whether `path` names an open descriptor of this process. It may lead to a regular file.
pub(crate) fn is_descriptor(path: &Path) -> bool {
    let parents = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    let names = ["/dev/stdin", "/dev/stdout", "/dev/stderr"].map(Path::new);
    names.contains(&path) || path.parent().is_some_and(|parent| parents.contains(&parent))
}

/// The number of the descriptor that `path` names.
pub(crate) fn descriptor_number(path: &Path) -> Option<u32> {
    let standard = ["/dev/stdin", "/dev/stdout", "/dev/stderr"].map(Path::new);
    match standard.iter().position(|name| *name == path) {
        Some(number) => u32::try_from(number).ok(),
        None => path.file_name()?.to_str()?.parse().ok().filter(|_| is_descriptor(path)),
    }
}

/// A duplicate of the open descriptor `number`. Opening `/dev/fd/N` instead would start a file from its beginning, and
/// fail for a socket or a file that may not be opened again.
///
/// # Errors
/// The system's, if there is no such descriptor.
pub(crate) fn duplicate(number: u32) -> io::Result<File> {
    let name = i32::try_from(number).map_err(io::Error::other)?;
    let this_process = pidfd_open(getpid(), PidfdFlags::empty());
    match this_process.and_then(|pidfd| pidfd_getfd(&pidfd, name, PidfdGetfdFlags::empty())) {
        Ok(fd) => Ok(fd.into()),
        // Before Linux 5.6. It may be open for writing alone, or for reading.
        Err(Errno::NOSYS | Errno::PERM) => {
            let path = format!("/dev/fd/{number}");
            File::open(&path).or_else(|_| fs::OpenOptions::new().append(true).open(path))
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens `path` if it is a device or a pipe, or duplicates the descriptor that it names. A pipe that nobody reads is
/// waited for, at most for `timeout` or until a signal.
pub(crate) fn open(path: &Path, timeout: Option<Duration>) -> Result<Option<File>, Problem> {
    let is_device = |kind: FileType| kind.is_char_device() || kind.is_block_device() || kind.is_fifo();
    let failed =
        |error: io::Error| Problem::usage(format!("cannot write to {}: {}", quoted(path), reason(&error)));
    if let Some(number) = descriptor_number(path) {
        return duplicate(number).map(Some).map_err(failed);
    }
    if !fs::metadata(path).is_ok_and(|metadata| is_device(metadata.file_type())) {
        return Ok(None);
    }
    let (began, cancel) = (Instant::now(), Cancel::new()?);
    let _watch = SignalWatch::start(cancel.clone())?;
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    loop {
        match fs::OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(opened) => {
                // Only opening must not wait: writing does, and can be ended.
                let flags = fcntl_getfl(&opened).map_err(io::Error::from)?;
                fcntl_setfl(&opened, flags - OFlags::NONBLOCK).map_err(io::Error::from)?;
                return Ok(Some(opened));
            }
            // A pipe without a reader: see fifo(7).
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if cancel.is_triggered() {
                    let message = format!("interrupted while waiting for a reader of {}", quoted(path));
                    return Err(Problem { exit: Exit::Interrupted, ..Problem::usage(message) });
                }
                if timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
                    let problem = Problem::usage(format!("nobody reads the pipe {}", quoted(path)));
                    return Err(problem.hint("start its reader first, or wait longer with --max-time"));
                }
                std::thread::sleep(PIPE_INTERVAL);
            }
            Err(error) => return Err(failed(error)),
        }
    }
}
