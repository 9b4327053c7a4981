//! The opened ends of a stream.
//!
//! Owns: opening them, counting what is read, noticing a file that changes while it is read.
//! Does not own: which ends a stream has ([`crate::files::endpoints`]), staging of files.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use haul_io::{Cancel, FileKind, Stat, StreamReader, StreamWriter, check_stdout};
use haul_seal::{During, Error, Task};
use haul_store::ObjectReader;
use rustix::fs::OFlags;

use crate::files::endpoints::{Input, Output, is_descriptor};
use crate::run::device;
use crate::stores::objects;
use crate::stores::variables::StoreVariables;

/// Opens the input. What is read is counted in `bytes`.
pub(in crate::files) fn open_input(
    input: &Input,
    stores: &StoreVariables,
    cancel: &Cancel,
    bytes: Arc<AtomicU64>,
) -> Result<StreamSource, Error> {
    let opened = match input {
        Input::Stdin => io::stdin().as_fd().try_clone_to_owned(),
        Input::Named(path) if objects::is_object(path) => {
            let reader = Reader::Object(Box::new(objects::open(path, stores, cancel)?));
            return Ok(StreamSource { reader, bytes, file: None });
        }
        Input::Named(path) => {
            // Without O_NONBLOCK, opening a pipe would wait for its writer, which a signal couldn't end. The first read
            // waits.
            let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
            let opened = OpenOptions::new().read(true).custom_flags(flags as i32).open(path);
            opened.map(File::into)
        }
    };
    let error = |source| Error::Io { step: During::OpenSource, source };
    let fd = opened.map_err(error)?;
    let file = WatchedFile::of(&fd).map_err(error)?;
    Ok(StreamSource { reader: Reader::Descriptor(StreamReader::new(fd, cancel.clone())), bytes, file })
}

/// Opens an output that isn't a file or an object to be written; `None` for these, or if there is no output.
pub(in crate::files) fn open_output(
    output: &Output,
    cancel: &Cancel,
) -> Result<Option<Box<dyn Write + Send>>, Error> {
    let opened = match output {
        Output::Stdout => {
            check_stdout().map_err(|source| Error::Io { step: During::Write, source })?;
            io::stdout().as_fd().try_clone_to_owned()
        }
        Output::Special(path) if objects::is_object(path) => return Ok(None),
        Output::Special(path) if is_descriptor(path) => {
            let number = device::descriptor_number(path).ok_or_else(|| io::ErrorKind::NotFound.into());
            number.and_then(device::duplicate).map(File::into)
        }
        Output::Special(path) => {
            let flags = OFlags::NOCTTY.bits() as i32;
            OpenOptions::new().write(true).custom_flags(flags).open(path).map(File::into)
        }
        Output::File(_) | Output::Discard => return Ok(None),
    };
    let writer = opened.and_then(|fd| StreamWriter::new(fd, cancel.clone()));
    let writer = writer.map_err(|source| Error::Io { step: During::Create, source })?;
    Ok(Some(Box::new(writer)))
}

/// Whether the output is a terminal.
pub(in crate::files) fn is_terminal(output: &Output, stdout_is_terminal: bool) -> bool {
    match output {
        Output::Stdout => stdout_is_terminal,
        // Only character devices are opened: the reader of a pipe would see a writer come and go. O_NOCTTY keeps the
        // terminal from becoming the controlling one.
        Output::Special(path) => {
            if !path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device()) {
                return false;
            }
            let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
            let opened = OpenOptions::new().write(true).custom_flags(flags as i32).open(path);
            opened.is_ok_and(|file| file.is_terminal())
        }
        Output::File(_) | Output::Discard => false,
    }
}

/// The source of a stream.
pub(in crate::files) struct StreamSource {
    reader: Reader,
    bytes: Arc<AtomicU64>,
    /// `None` if the source isn't a regular file.
    file: Option<WatchedFile>,
}

enum Reader {
    Descriptor(StreamReader),
    /// It notices changes itself.
    Object(Box<ObjectReader>),
}

impl StreamSource {
    /// The source of `task`, which is a file.
    pub(in crate::files) fn of_task(task: &Task, cancel: &Cancel) -> Result<Self, Error> {
        let fd = task.open(cancel)?;
        let file = WatchedFile::of(&fd).map_err(|source| Error::Io { step: During::OpenSource, source })?;
        let reader = Reader::Descriptor(StreamReader::new(fd, cancel.clone()));
        Ok(Self { reader, bytes: Arc::default(), file })
    }

    /// The object that `reader` reads.
    pub(in crate::files) fn of_object(reader: ObjectReader) -> Self {
        Self { reader: Reader::Object(Box::new(reader)), bytes: Arc::default(), file: None }
    }

    /// The time of last modification of a file, or of what an object was made from if its metadata tell: seconds since
    /// the epoch, and nanoseconds.
    pub(in crate::files) fn modified(&self) -> Option<(i64, u32)> {
        match (&self.file, self.object()) {
            (Some(file), _) => Some(file.before.modified),
            (None, Some(stat)) => stat.modified.map(|seconds| (seconds, stat.modified_nanos)),
            (None, None) => None,
        }
    }

    /// What the store says of the source, if it is an object.
    pub(in crate::files) fn object(&self) -> Option<&haul_store::Stat> {
        match &self.reader {
            Reader::Descriptor(_) => None,
            Reader::Object(reader) => Some(reader.stat()),
        }
    }

    /// The length in bytes, if the source is a regular file or an object.
    pub(in crate::files) fn length(&self) -> Option<u64> {
        match &self.reader {
            Reader::Descriptor(_) => self.file.as_ref().map(|file| file.before.bytes),
            Reader::Object(reader) => Some(reader.stat().bytes),
        }
    }

    /// Whether the source can be read at any position: a regular file or an object.
    pub(in crate::files) fn is_seekable(&self) -> bool {
        self.length().is_some()
    }
}

impl Seek for StreamSource {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match &mut self.reader {
            Reader::Descriptor(reader) => reader.seek(position),
            Reader::Object(reader) => reader.seek(position),
        }
    }
}

/// A regular file that must be the same at the end of the stream as at its start.
struct WatchedFile {
    fd: OwnedFd,
    before: Stat,
}

impl WatchedFile {
    fn of(fd: &OwnedFd) -> io::Result<Option<Self>> {
        let before = Stat::from(rustix::fs::fstat(fd)?);
        Ok(match before.kind {
            FileKind::Regular => Some(Self { fd: fd.try_clone()?, before }),
            _ => None,
        })
    }

    fn check(&self) -> io::Result<()> {
        let now = Stat::from(rustix::fs::fstat(&self.fd)?);
        if self.before.same_version(&now) { Ok(()) } else { Err(io::Error::other(SourceChanged)) }
    }
}

/// The source file of a stream changed while it was read.
#[derive(Debug)]
pub(in crate::files) struct SourceChanged;

impl SourceChanged {
    /// Whether `error` wraps this error.
    pub(in crate::files) fn is_cause_of(error: &Error) -> bool {
        let Error::Io { source, .. } = error else { return false };
        source.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for SourceChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::SourceChanged.fmt(f)
    }
}

impl std::error::Error for SourceChanged {}

impl Read for StreamSource {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.reader {
            Reader::Descriptor(reader) => reader.read(out)?,
            Reader::Object(reader) => reader.read(out)?,
        };
        if count == 0 && !out.is_empty() {
            self.file.as_ref().map_or(Ok(()), WatchedFile::check)?;
        }
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
