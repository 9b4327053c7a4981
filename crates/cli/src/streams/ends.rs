//! Where a stream comes from and where it goes.
//!
//! Owns: telling from the names, opening both ends.
//! Does not own: staging of files, what flows.

use std::borrow::Cow;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use haul_io::{Cancel, FileKind, Stat, StreamReader, StreamWriter};
use haul_seal::{During, Error};
use rustix::fs::OFlags;

use crate::args::FileArgs;
use crate::exit::Problem;
use crate::voice::quoted;

/// Where a stream comes from.
#[derive(Debug)]
pub(crate) enum Input {
    Stdin,
    Named(PathBuf),
}

/// Where a stream goes.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout,
    /// What is there already and isn't a file: a pipe, a device.
    Special(PathBuf),
    /// A file to be made.
    File(PathBuf),
    Nowhere,
}

/// Both ends.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) input: Input,
    pub(crate) output: Output,
}

/// The one input, if it is a stream.
pub(crate) fn input(paths: &[PathBuf]) -> Result<Option<Input>, Problem> {
    match paths {
        [only] if is_dash(only) => Ok(Some(Input::Stdin)),
        [only] if is_special(only) => Ok(Some(Input::Named(only.clone()))),
        many if many.iter().any(|path| is_dash(path)) => {
            Err(Problem::usage("stdin can't be one of several inputs").hint("give it a command of its own"))
        }
        _ => Ok(None),
    }
}

/// Both ends, if one of them is a stream.
pub(crate) fn ends(args: &FileArgs) -> Result<Option<Ends>, Problem> {
    let input = input(&args.paths)?;
    let is_stream = |path: &&PathBuf| is_dash(path) || is_special(path);
    let streamed_output = args.output.as_ref().filter(is_stream);
    let input = match (input, args.paths.as_slice()) {
        (Some(input), _) => input,
        (None, _) if streamed_output.is_none() => return Ok(None),
        (None, [only]) if !only.is_dir() => Input::Named(only.clone()),
        (None, _) => {
            return Err(Problem::usage("several files can't become one stream")
                .hint("name a directory with -o, or one input"));
        }
    };
    if args.replace {
        return Err(Problem::usage("a source isn't removed when its result is a stream, or when it is one"));
    }
    if args.secret.passphrase_fd == Some(0) && matches!(input, Input::Stdin) {
        return Err(Problem::usage("stdin has the data, so that it can't have the passphrase"));
    }
    let output = match &args.output {
        None => Output::Stdout,
        Some(path) if is_dash(path) => Output::Stdout,
        Some(path) if is_special(path) => Output::Special(path.clone()),
        Some(path) if path.is_dir() => {
            return Err(Problem::usage(format!("the output {} is a directory", quoted(path)))
                .hint("a stream has no name: name a file"));
        }
        Some(path) => Output::File(path.clone()),
    };
    Ok(Some(Ends { input, output }))
}

/// Whether `path` is what stands for stdin and stdout.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether `path` leads to something that is neither a file nor a directory.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

impl Input {
    /// What messages call it.
    pub(crate) fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Stdin => "-".into(),
            Self::Named(path) => path.to_string_lossy(),
        }
    }

    /// Opens it. What is read is counted.
    pub(super) fn open(&self, cancel: &Cancel, bytes: Arc<AtomicU64>) -> Result<Reader, Error> {
        let opened = match self {
            Self::Stdin => io::stdin().as_fd().try_clone_to_owned(),
            Self::Named(path) => {
                // Waiting for a pipe's writer is left to the first read, which a signal can end.
                let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
                let opened = OpenOptions::new().read(true).custom_flags(flags as i32).open(path);
                opened.map(File::into)
            }
        };
        let refused = |source| Error::Io { step: During::OpenSource, source };
        let fd = opened.map_err(refused)?;
        let file = KnownFile::of(&fd).map_err(refused)?;
        Ok(Reader { reader: StreamReader::new(fd, cancel.clone()), bytes, file })
    }
}

impl Output {
    pub(crate) fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            // Looked at without making it the controlling terminal. Nothing else is opened for this: who reads from a pipe would
            // take that for a writer who has come and gone.
            Self::Special(path) => {
                if !path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device()) {
                    return false;
                }
                let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
                let opened = OpenOptions::new().write(true).custom_flags(flags as i32).open(path);
                opened.is_ok_and(|file| file.is_terminal())
            }
            Self::File(_) | Self::Nowhere => false,
        }
    }

    /// Its name, if it has one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Special(path) | Self::File(path) => Some(path),
            Self::Stdout | Self::Nowhere => None,
        }
    }

    /// Opens what isn't a file to be made.
    pub(super) fn open_special(&self, cancel: &Cancel) -> Result<Option<Box<dyn Write + Send>>, Error> {
        let opened = match self {
            Self::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Self::Special(path) => {
                let flags = OFlags::NOCTTY.bits() as i32;
                OpenOptions::new().write(true).custom_flags(flags).open(path).map(File::into)
            }
            Self::File(_) | Self::Nowhere => return Ok(None),
        };
        let writer = opened.and_then(|fd| StreamWriter::new(fd, cancel.clone()));
        let writer = writer.map_err(|source| Error::Io { step: During::Create, source })?;
        Ok(Some(Box::new(writer)))
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.input {
            Input::Stdin => f.write_str("stdin")?,
            Input::Named(path) => f.write_str(&quoted(path))?,
        }
        match &self.output {
            Output::Stdout => f.write_str(" -> stdout"),
            Output::Special(path) | Output::File(path) => write!(f, " -> {}", quoted(path)),
            Output::Nowhere => Ok(()),
        }
    }
}

/// A source whose bytes are counted for the progress line.
pub(super) struct Reader {
    reader: StreamReader,
    bytes: Arc<AtomicU64>,
    /// `None` for a pipe and the like, which is what is read from it.
    file: Option<KnownFile>,
}

/// A file that is read as a stream, and must be the same at its end.
struct KnownFile {
    fd: OwnedFd,
    before: Stat,
}

impl KnownFile {
    fn of(fd: &OwnedFd) -> io::Result<Option<Self>> {
        let before = Stat::from(rustix::fs::fstat(fd)?);
        Ok(match before.kind {
            FileKind::Regular => Some(Self { fd: fd.try_clone()?, before }),
            _ => None,
        })
    }

    fn check(&self) -> io::Result<()> {
        let now = Stat::from(rustix::fs::fstat(&self.fd)?);
        if self.before.same_content(&now) { Ok(()) } else { Err(io::Error::other(Changed)) }
    }
}

/// The file of a stream was changed while it was read.
#[derive(Debug)]
pub(super) struct Changed;

impl Changed {
    /// Whether `error` says so.
    pub(super) fn is_cause_of(error: &Error) -> bool {
        let Error::Io { source, .. } = error else { return false };
        source.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::SourceChanged.fmt(f)
    }
}

impl std::error::Error for Changed {}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        if count == 0 && !out.is_empty() {
            self.file.as_ref().map_or(Ok(()), KnownFile::check)?;
        }
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
