//! The two ends of a stream, and whether a command works on one.
//!
//! Owns: deciding by the names and kinds of inputs and output, messages about combinations that don't work.
//! Does not own: opening the ends ([`super::stream`]), what flows between them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::report::exit::Problem;
use crate::report::text::{last_name, quoted};
use crate::stores::objects::{is_object, is_prefix};

pub(super) use crate::run::device::is_descriptor;

/// The inputs and the output of a command, as the user named them.
#[derive(Debug)]
pub(super) struct Operands {
    pub(super) inputs: Vec<PathBuf>,
    pub(super) output: Option<PathBuf>,
    /// Sources are removed.
    pub(super) replace: bool,
    pub(super) passphrase_from_stdin: bool,
    /// Recipients or identities are read from stdin.
    pub(super) keys_from_stdin: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathKind {
    /// A regular file, or nothing.
    File,
    Directory,
    /// A pipe, a socket, a device, or an object of a store.
    Special,
}

/// Where a stream comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Stdin,
    Named(PathBuf),
}

/// Where a stream goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    /// An existing pipe or device, or an object of a store.
    Special(PathBuf),
    /// A file to be written.
    File(PathBuf),
    /// Nowhere: the stream is only authenticated.
    Discard,
}

/// Both ends of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) input: Input,
    pub(super) output: Output,
}

impl PathKind {
    /// The kind of the file at `path`.
    pub(super) fn of(path: &Path) -> Self {
        match path.metadata() {
            _ if is_prefix(path) => Self::Directory,
            _ if is_object(path) => Self::Special,
            Ok(metadata) if metadata.is_dir() => Self::Directory,
            Err(_) if path.as_os_str().as_bytes().ends_with(b"/") => Self::Directory,
            Ok(metadata) if !metadata.is_file() => Self::Special,
            // Links to descriptors, which may be regular files: a new file must never replace the link.
            Ok(_) if is_descriptor(path) => Self::Special,
            _ => Self::File,
        }
    }

    /// The kind to assume before any file is looked at. It finds the conflicts that names alone show.
    pub(super) fn by_name(_: &Path) -> Self {
        Self::File
    }
}

/// The only input, if it is a stream.
///
/// # Errors
/// If stdin is one of several inputs.
pub(super) fn input(inputs: &[PathBuf], kind: fn(&Path) -> PathKind) -> Result<Option<Input>, Problem> {
    match inputs {
        [only] if is_dash(only) || only == Path::new("/dev/stdin") => Ok(Some(Input::Stdin)),
        [only] if kind(only) == PathKind::Special => Ok(Some(Input::Named(only.clone()))),
        several if several.iter().any(|path| is_dash(path)) => {
            Err(Problem::usage("stdin can't be one of several inputs").hint("give it a command of its own"))
        }
        several if several.iter().any(|path| is_object(path)) && several.len() > 1 => {
            Err(Problem::usage("an object can't be one of several inputs")
                .hint("give it a command of its own"))
        }
        _ => Ok(None),
    }
}

/// Whether `path` stands for stdin or stdout.
pub(super) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

impl Operands {
    /// Both ends, if one of them is a stream.
    ///
    /// # Errors
    /// If the inputs, the output and the options don't fit each other.
    pub(super) fn endpoints(&self, kind: fn(&Path) -> PathKind) -> Result<Option<Endpoints>, Problem> {
        let is_stream =
            |path: &&PathBuf| is_dash(path) || is_descriptor(path) || kind(path) == PathKind::Special;
        let has_stream_output = self.output.as_ref().is_some_and(|path| is_stream(&path));
        let input = match (input(&self.inputs, kind)?, self.inputs.as_slice()) {
            (Some(input), _) => input,
            (None, _) if !has_stream_output => return Ok(None),
            (None, [only]) if kind(only) != PathKind::Directory => Input::Named(only.clone()),
            (None, _) => {
                return Err(Problem::usage("several files can't become one stream")
                    .hint("name a directory with -o, or one input"));
            }
        };
        if self.replace {
            return Err(Problem::usage("--replace works on files only, not on streams"));
        }
        if input == Input::Stdin {
            leave_stdin_to_data(self.passphrase_from_stdin, self.keys_from_stdin)?;
        }
        let output = match &self.output {
            None => Output::Stdout,
            Some(path) if is_dash(path) || path == Path::new("/dev/stdout") => Output::Stdout,
            Some(path) => match kind(path) {
                PathKind::Special => Output::Special(path.clone()),
                PathKind::File => Output::File(path.clone()),
                PathKind::Directory => {
                    return Err(Problem::usage(format!("the output {} is a directory", quoted(path)))
                        .hint("a stream has no name: name a file"));
                }
            },
        };
        Ok(Some(Endpoints { input, output }))
    }
}

/// # Errors
/// If something else than the data is read from stdin.
pub(super) fn leave_stdin_to_data(has_passphrase: bool, has_keys: bool) -> Result<(), Problem> {
    let other = match (has_passphrase, has_keys) {
        (true, _) => "passphrase",
        (false, true) => "keys",
        (false, false) => return Ok(()),
    };
    Err(Problem::usage(format!("stdin can't carry both the data and the {other}")))
}

impl Input {
    /// The name in messages.
    pub(super) fn subject(&self) -> &OsStr {
        match self {
            Self::Stdin => OsStr::new("-"),
            Self::Named(path) => path.as_os_str(),
        }
    }

    /// The path, if the input is a regular file.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Named(path) => Some(path.as_path()).filter(|path| path.is_file()),
            Self::Stdin => None,
        }
    }

    /// The name in the progress.
    pub(super) fn short_name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::Named(path) => last_name(path.as_os_str()),
        }
    }
}

impl Output {
    /// The path, if the output has one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Special(path) | Self::File(path) => Some(path),
            Self::Stdout | Self::Discard => None,
        }
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.input {
            Input::Stdin => f.write_str("stdin")?,
            Input::Named(path) => f.write_str(&quoted(path))?,
        }
        match &self.output {
            Output::Stdout => f.write_str(" -> stdout"),
            Output::Special(path) | Output::File(path) => write!(f, " -> {}", quoted(path)),
            Output::Discard => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names tell the kinds: `dir…` is a directory, `pipe…` a named pipe.
    fn kind(path: &Path) -> PathKind {
        match path.to_str() {
            Some(name) if name.starts_with("dir") => PathKind::Directory,
            Some(name) if name.starts_with("pipe") => PathKind::Special,
            _ => PathKind::File,
        }
    }

    fn found(inputs: &[&str], output: Option<&str>, kind: fn(&Path) -> PathKind) -> String {
        let inputs = inputs.iter().map(PathBuf::from).collect();
        let operands = Operands {
            inputs,
            output: output.map(PathBuf::from),
            replace: false,
            passphrase_from_stdin: false,
            keys_from_stdin: false,
        };
        match operands.endpoints(kind) {
            Ok(None) => "tasks".to_owned(),
            Ok(Some(endpoints)) => endpoints.to_string(),
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn streams_are_recognized_by_their_ends() {
        for (inputs, output, expected) in [
            (&["a"][..], None, "tasks"),
            (&["a"], Some("b"), "tasks"),
            (&["a", "b"], Some("dir"), "tasks"),
            (&["-"], None, "stdin -> stdout"),
            (&["-"], Some("b"), "stdin -> \"b\""),
            (&["a"], Some("-"), "\"a\" -> stdout"),
            (&["pipe"], None, "\"pipe\" -> stdout"),
            (&["a"], Some("pipe"), "\"a\" -> \"pipe\""),
            (&["-", "a"], None, "stdin can't be one of several inputs"),
            (&["a", "b"], Some("-"), "several files can't become one stream"),
            (&["dir"], Some("-"), "several files can't become one stream"),
            (&["-"], Some("dir"), "the output \"dir\" is a directory"),
        ] {
            assert_eq!(found(inputs, output, kind), expected, "{inputs:?} {output:?}");
        }
    }

    #[test]
    fn names_alone_show_no_pipes_and_no_directories() {
        assert_eq!(found(&["pipe"], None, PathKind::by_name), "tasks");
        assert_eq!(found(&["-"], Some("dir"), PathKind::by_name), "stdin -> \"dir\"");
        assert_eq!(found(&["-", "a"], None, PathKind::by_name), "stdin can't be one of several inputs");
    }
}
