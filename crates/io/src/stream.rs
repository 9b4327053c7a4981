//! Interruptible streams: reading and writing in order, for code that isn't a job.
//!
//! Owns: waiting for a pipe, socket or terminal and for the run's cancellation at the same time.
//! Does not own: opening, staging, what is read or written.

use std::io::{self, IoSlice, Read, Seek, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::SeekFrom;
use rustix::io::{Errno, ReadWriteFlags};

use crate::files::sparse::split_hole;
use crate::{Cancel, File, FileKind, Stat, cancelled, flush};

/// Reads a file of any type from its current position. Triggering the switch ends a wait with the error of
/// [`is_cancelled`](crate::is_cancelled).
#[derive(Debug)]
pub struct StreamReader {
    file: File,
    cancel: Cancel,
    timeout: Option<Duration>,
    /// When the time since the first read is over.
    until: Option<Instant>,
}

/// Writes to a file of any type at its current position. Waits end as with [`StreamReader`].
#[derive(Debug)]
pub struct StreamWriter {
    file: File,
    cancel: Cancel,
    /// Writes to a regular file don't wait for a reader.
    is_regular: bool,
    /// Whether blocks of zeros become holes of a regular file.
    is_sparse: bool,
}

/// The number of bytes that a pipe takes without waiting once it is ready: PIPE_BUF.
const UNWAITED_BYTES: usize = 4_096;

impl StreamReader {
    /// Reads `file` until `cancel` is triggered.
    pub fn new(file: impl Into<File>, cancel: Cancel) -> Self {
        Self { file: file.into(), cancel, timeout: None, until: None }
    }

    /// Limits the time from the first read to the end of the last. What is late fails as `TimedOut`.
    pub fn within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }
}

impl StreamWriter {
    /// Writes to `file` until `cancel` is triggered.
    ///
    /// # Errors
    /// The system's error of examining the file.
    pub fn new(file: impl Into<File>, cancel: Cancel) -> io::Result<Self> {
        let file = file.into();
        let stat = Stat::from(rustix::fs::fstat(file.0.fd()?)?);
        Ok(Self { file, cancel, is_regular: stat.kind == FileKind::Regular, is_sparse: false })
    }

    /// Sets whether blocks of zeros become holes, for a new regular file that is written from its start. One at the end
    /// isn't part of the file until its length is set.
    pub fn sparse(self, is_sparse: bool) -> Self {
        Self { is_sparse, ..self }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let fd = self.file.0.fd()?;
        if self.until.is_none() {
            self.until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        }
        loop {
            wait_for(fd, PollFlags::IN, &self.cancel, self.until)?;
            match rustix::io::read(fd, &mut *buf) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                result => return Ok(result?),
            }
        }
    }
}

impl Seek for StreamReader {
    /// Fails for a pipe, a socket or a terminal.
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        let position = match position {
            io::SeekFrom::Start(offset) => SeekFrom::Start(offset),
            io::SeekFrom::End(offset) => SeekFrom::End(offset),
            io::SeekFrom::Current(offset) => SeekFrom::Current(offset),
        };
        Ok(rustix::fs::seek(self.file.0.fd()?, position)?)
    }
}

impl Write for StreamWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fd = self.file.0.fd()?;
        let mut bytes = bytes;
        if self.is_sparse && self.is_regular {
            let at = rustix::fs::tell(fd)?;
            let (hole, rest) = split_hole(bytes, at);
            if hole > 0 {
                rustix::fs::seek(fd, SeekFrom::Start(at + hole as u64))?;
                return Ok(hole);
            }
            bytes = rest;
        }
        write_some(fd, bytes, self.is_regular, &self.cancel)
    }

    /// Reports what closing the file would report.
    fn flush(&mut self) -> io::Result<()> {
        flush(self.file.0.fd()?)
    }
}

/// Writes at the current position of `fd` as much as fits, once something does, or until `cancel` is triggered.
pub(crate) fn write_some(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    is_regular: bool,
    cancel: &Cancel,
) -> io::Result<usize> {
    loop {
        wait_for(fd, PollFlags::OUT, cancel, None)?;
        let result = if is_regular { rustix::io::write(fd, bytes) } else { write_unwaited(fd, bytes) };
        match result {
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return Ok(result?),
        }
    }
}

/// Writes as much as fits without waiting.
fn write_unwaited(fd: BorrowedFd<'_>, bytes: &[u8]) -> rustix::io::Result<usize> {
    // This offset stands for the current position.
    match rustix::io::pwritev2(fd, &[IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
        // Terminals, and pipes of older kernels.
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
            rustix::io::write(fd, &bytes[..bytes.len().min(UNWAITED_BYTES)])
        }
        result => result,
    }
}

/// Waits until `fd` is ready, has failed or has ended, or until a moment.
fn wait_for(
    fd: BorrowedFd<'_>,
    readiness: PollFlags,
    cancel: &Cancel,
    until: Option<Instant>,
) -> io::Result<()> {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, readiness), PollFd::new(cancel, PollFlags::IN)];
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) if cancel.is_triggered() => return Err(cancelled()),
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn switch() -> Cancel {
        Cancel::new().unwrap()
    }

    /// A pipe's two ends, reader first.
    fn pipe() -> (File, File) {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        (reader.into(), writer.into())
    }

    fn socket_pair() -> (File, File) {
        let (a, b) = UnixStream::pair().unwrap();
        (std::os::fd::OwnedFd::from(a).into(), std::os::fd::OwnedFd::from(b).into())
    }

    #[test]
    fn more_than_a_pipe_or_socket_holds_goes_through() {
        let sent: Vec<u8> = (0..3_000_000_u32).map(|index| (index >> 5) as u8).collect();
        for (from, to) in [pipe(), socket_pair()] {
            let cancel = switch();
            let received = std::thread::scope(|scope| {
                scope.spawn(|| StreamWriter::new(to, cancel.clone()).unwrap().write_all(&sent).unwrap());
                let mut received = Vec::new();
                StreamReader::new(from, cancel.clone()).read_to_end(&mut received).unwrap();
                received
            });
            assert!(received == sent);
        }
    }

    #[test]
    fn the_switch_ends_both_waits() {
        for (from, to) in [pipe(), socket_pair()] {
            let cancel = switch();
            let (empty, _held) = pipe();
            let errors = std::thread::scope(|scope| {
                let reader = StreamReader::new(empty, cancel.clone());
                let reader = scope.spawn(|| { reader }.read(&mut [0; 10]).unwrap_err());
                let writer = scope.spawn(|| {
                    let mut writer = StreamWriter::new(to.clone(), cancel.clone()).unwrap();
                    loop {
                        if let Err(error) = writer.write(&[0; 100_000]) {
                            return error;
                        }
                    }
                });
                cancel.trigger();
                [reader.join().unwrap(), writer.join().unwrap()]
            });
            assert!(errors.iter().all(crate::is_cancelled), "{errors:?}");
            drop(from);
        }
    }

    #[test]
    fn a_wait_may_have_an_end() {
        let (empty, _held) = pipe();
        let mut reader = StreamReader::new(empty, switch()).within(Some(Duration::from_millis(20)));
        for _ in 0..2 {
            assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn a_closed_reader_is_an_error() {
        let (from, to) = pipe();
        drop(from);
        let error = StreamWriter::new(to, switch()).unwrap().write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
