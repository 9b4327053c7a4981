//! The names of results.
//!
//! Owns: the suffix, where results go, which names are left out because of their suffix.
//! Does not own: walking ([`super::walker`]), filters.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::hidden::HiddenNames;

/// The name of the identity that opens a tree sealed with a passphrase. Walks leave it out: sealed to itself it could
/// not be opened, and its plaintext is a secret.
pub const TREE_IDENTITY_NAME: &str = "haul-identity.age";

/// Whether the file name `name` may pass for [`TREE_IDENTITY_NAME`], on whatever file system: no result may have it.
pub fn is_identity_name(name: &OsStr) -> bool {
    let name = Path::new(name);
    haul_io::folded(name).map_or(name == TREE_IDENTITY_NAME, |folded| folded == TREE_IDENTITY_NAME)
}

/// How names change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The suffix is added. In trees, files that have it are left out.
    Seal,
    /// The suffix is removed. In trees, files without it are left out.
    Open,
    /// Names stay; results replace their sources.
    Replace,
    /// As [`Replace`](Self::Replace). In trees, files without the suffix are left out.
    Rekey,
}

impl Direction {
    /// Whether results have the names of their sources.
    pub(super) fn keeps_names(self) -> bool {
        matches!(self, Self::Replace | Self::Rekey)
    }
}

/// Where results go.
#[derive(Clone, Debug)]
pub struct Placement {
    /// How names change.
    pub direction: Direction,
    /// The suffix of sealed files, with its dot. Must not be empty.
    pub suffix: OsString,
    /// The result of a single file, or the directory that mirrors the inputs; `None`: results lie beside their sources.
    pub output: Option<PathBuf>,
}

/// Why results can't be named.
#[derive(Debug)]
#[non_exhaustive]
pub enum NameError {
    /// The suffix is empty or contains a slash.
    BadSuffix,
    /// There are several inputs, but the output is a file.
    OutputIsAFile(PathBuf),
    /// Two sources have the same result.
    SameResult(PathBuf),
    /// A result would take the place of a source.
    ResultIsSource(PathBuf),
    /// One input lies in another, so that its files would be taken twice.
    Nested(PathBuf),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSuffix => f.write_str("the suffix must be a part of a file name"),
            Self::OutputIsAFile(path) => {
                write!(f, "the output {path:?} is a file, but there are several inputs")
            }
            Self::SameResult(path) => write!(f, "two sources would become {path:?}"),
            Self::ResultIsSource(path) => {
                write!(f, "a result would become {path:?}, which is one of the sources")
            }
            Self::Nested(path) => write!(f, "the input {path:?} lies in another input"),
        }
    }
}

impl std::error::Error for NameError {}

/// A [`Placement`] that fits the inputs.
pub(super) struct Naming {
    placement: Placement,
    /// Whether each input gets a name of its own in the output directory.
    several: bool,
    /// The names of files in directories whose names are hidden.
    hidden: HashMap<PathBuf, HiddenNames>,
}

impl Naming {
    /// Checks `placement` for `input_count` inputs.
    pub(super) fn new(placement: Placement, input_count: usize) -> Result<Self, NameError> {
        if placement.suffix.is_empty() || placement.suffix.as_bytes().contains(&b'/') {
            return Err(NameError::BadSuffix);
        }
        let several = input_count > 1;
        let output = placement.output.as_deref();
        if let Some(output) = output.filter(|output| several && output.exists() && !output.is_dir()) {
            return Err(NameError::OutputIsAFile(output.to_owned()));
        }
        Ok(Self { placement, several, hidden: HashMap::new() })
    }

    /// Gives the files in `directory` the names that were hidden.
    pub(super) fn restore(&mut self, directory: PathBuf, names: HiddenNames) {
        self.hidden.insert(directory, names);
    }

    /// The names that were hidden in the directory of `path`.
    fn hidden_beside(&self, path: &Path) -> Option<&HiddenNames> {
        if self.hidden.is_empty() { None } else { self.hidden.get(path.parent()?) }
    }

    /// Whether `path` in a tree is a list of hidden names that was read.
    pub(super) fn is_list_of_names(&self, path: &Path) -> bool {
        let names = self.hidden_beside(path);
        names.zip(path.file_name()).is_some_and(|(names, file)| names.is_list(file))
    }

    /// `path`, a file of a tree, under the name that was hidden.
    fn with_hidden_name(&self, path: &Path) -> Option<PathBuf> {
        let name = self.hidden_beside(path)?.of(path.file_name()?)?;
        let is_allowed = !name.file_name().is_some_and(is_identity_name);
        is_allowed.then(|| path.with_file_name(name))
    }

    pub(super) fn direction(&self) -> Direction {
        self.placement.direction
    }

    pub(super) fn suffix(&self) -> &OsStr {
        &self.placement.suffix
    }

    pub(super) fn output(&self) -> Option<&Path> {
        self.placement.output.as_deref()
    }

    /// Whether two files of trees may have one result: in a mirror, and where lists say what files are called.
    pub(super) fn may_share_names(&self) -> bool {
        self.output().is_some() || !self.hidden.is_empty()
    }

    /// The name of the result of an input that is a file; `None` if it lacks the suffix.
    pub(super) fn target_of_file(&self, source: &Path) -> Option<PathBuf> {
        match self.output() {
            Some(output) if !self.several && !is_directory(output) => Some(output.to_owned()),
            Some(output) => {
                self.renamed(Path::new(source.file_name().unwrap_or_default())).map(|name| output.join(name))
            }
            None => self.renamed(source),
        }
    }

    /// Whether the result of `source`, a file of a tree or an input, would be called "." or "..", which no path shows.
    pub(super) fn is_dots(&self, source: &Path, is_input: bool) -> bool {
        let is_named_by_output = |output: &Path| is_input && !self.several && !is_directory(output);
        let name = source.file_name().and_then(|name| self.result_name(name));
        !self.output().is_some_and(is_named_by_output) && name.is_some_and(|name| name == "." || name == "..")
    }

    /// The name of the result of `path` in the tree at `root`; `None` if it lacks the suffix.
    pub(super) fn target_in_tree(&self, root: &Path, path: &Path) -> Option<PathBuf> {
        match self.with_hidden_name(path) {
            Some(named) => Some(self.mirrored(root, &named)),
            None => Some(self.mirrored(root, &self.renamed(path)?)),
        }
    }

    /// Whether a file with this name is left out of trees.
    pub(super) fn leaves_out(&self, name: &OsStr) -> bool {
        let suffix = &self.placement.suffix;
        // On a file system that ignores case, the result of "a" could take the place of a source "A.AGE".
        let looks_sealed = self.output().is_none() && has_suffix_in_other_case(name, suffix);
        let is_sealed = has_suffix(name, suffix);
        let is_identity = is_identity_name(name);
        match self.placement.direction {
            Direction::Seal => is_sealed || is_identity || looks_sealed,
            Direction::Open | Direction::Rekey => !is_sealed || is_identity,
            Direction::Replace => false,
        }
    }

    /// The name of the file beside `path`, a file of a tree, whose result would be called so.
    pub(super) fn source_beside<'a>(&self, path: &'a Path) -> Option<&'a OsStr> {
        if self.output().is_some() || self.placement.direction != Direction::Seal {
            return None;
        }
        path.file_name()?.as_bytes().strip_suffix(self.suffix().as_bytes()).map(OsStr::from_bytes)
    }

    /// Where `path` in the tree at `root` is in the output.
    pub(super) fn mirrored(&self, root: &Path, path: &Path) -> PathBuf {
        let Some(output) = self.output() else { return path.to_owned() };
        let relative = path.strip_prefix(root).expect("entries lie below their root");
        if self.several { output.join(name_of(root)).join(relative) } else { output.join(relative) }
    }

    /// Adds or removes the suffix; `None` if there is none to remove.
    fn renamed(&self, path: &Path) -> Option<PathBuf> {
        let renamed = self.result_name(path.file_name()?)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        Some(if directory.as_os_str().is_empty() { renamed.into() } else { directory.join(renamed) })
    }

    /// Adds the suffix to `name` or removes it; `None` if there is none to remove.
    fn result_name(&self, name: &OsStr) -> Option<OsString> {
        let suffix = self.placement.suffix.as_os_str();
        Some(match self.placement.direction {
            Direction::Seal => [name, suffix].into_iter().collect(),
            Direction::Replace | Direction::Rekey => name.to_owned(),
            Direction::Open if !has_suffix(name, suffix) => return None,
            Direction::Open => {
                let bytes = name.as_bytes();
                OsStr::from_bytes(&bytes[..bytes.len() - suffix.len()]).to_owned()
            }
        })
    }
}

/// Whether `output` is a directory, or is written like one.
fn is_directory(output: &Path) -> bool {
    output.as_os_str().as_bytes().ends_with(b"/") || output.is_dir()
}

fn has_suffix(name: &OsStr, suffix: &OsStr) -> bool {
    name.len() > suffix.len() && name.as_bytes().ends_with(suffix.as_bytes())
}

/// Whether `name` ends with `suffix` in other letters.
fn has_suffix_in_other_case(name: &OsStr, suffix: &OsStr) -> bool {
    let lower = |name: &OsStr| -> OsString { name.to_ascii_lowercase() };
    let (lower_name, lower_suffix) = (lower(name), lower(suffix));
    lower_name.len() > lower_suffix.len()
        && lower_name.as_bytes().ends_with(lower_suffix.as_bytes())
        && !name.as_bytes().ends_with(suffix.as_bytes())
}

/// The name of an input, even if it is written as `.` or `dir/..`.
fn name_of(root: &Path) -> OsString {
    let canonical = || root.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    root.file_name().map(OsStr::to_owned).or_else(canonical).unwrap_or_default()
}
