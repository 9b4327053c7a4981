//! The objects of a prefix as tasks.
//!
//! Owns: which objects are taken, the names of their results.
//! Does not own: listing ([`haul_store`]), the work on the objects ([`super::job`]).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use haul_io::Existing;
use haul_seal::{Direction, FileOptions, Filter, Placement, Tally, Task, is_identity_name};
use haul_store::{Bucket, Error as StoreError, Listing, Store};

use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::stores::objects::{address, is_object};

/// Objects below a prefix that are to be sealed, or that are sealed.
pub(in crate::files) struct Listed {
    input: PathBuf,
    bucket: Bucket,
    direction: Direction,
    suffix: OsString,
    /// The directory or prefix for results; `None` if there are none.
    output: Option<PathBuf>,
    filter: Filter,
    tally: Tally,
}

/// The tasks for them.
pub(in crate::files) struct ListedTasks {
    listed: Listed,
    listing: Listing,
}

impl Listed {
    /// Those below `input`, whose results `placement` names.
    ///
    /// # Errors
    /// If results have no place, or could replace each other.
    pub(in crate::files) fn new(
        input: &Path,
        placement: &Placement,
        options: FileOptions,
    ) -> Result<Self, Problem> {
        let Some(output) = &placement.output else {
            return Err(Problem::usage("the objects of a prefix need a directory for their files")
                .hint("name it with -o"));
        };
        if options.existing == Existing::Replace && !is_object(output) {
            let problem = Problem::usage(
                "--force could replace a file that this run has made: keys can differ where names don't",
            );
            return Err(problem.hint("open into a new directory"));
        }
        let listed = Self::of(input, placement.direction, &placement.suffix)?;
        Ok(Self { output: Some(output.join("")), ..listed })
    }

    /// Those below `input`, which are to be replaced.
    ///
    /// # Errors
    /// If `input` isn't the address of a prefix.
    pub(in crate::files) fn to_replace(input: &Path, suffix: &OsStr) -> Result<Self, Problem> {
        Self::of(input, Direction::Rekey, suffix)
    }

    /// Those below `input`, without results.
    ///
    /// # Errors
    /// If `input` isn't the address of a prefix.
    pub(in crate::files) fn to_check(input: &Path, suffix: &OsStr) -> Result<Self, Problem> {
        Self::of(input, Direction::Open, suffix)
    }

    fn of(input: &Path, direction: Direction, suffix: &OsStr) -> Result<Self, Problem> {
        let bucket = address(input).map_err(|error| Problem::usage(format!("{error}")))?;
        let (input, suffix) = (input.to_owned(), suffix.to_owned());
        let (filter, tally) = (Filter::default(), Tally::default());
        Ok(Self { input, bucket, direction, suffix, output: None, filter, tally })
    }

    /// Only those whose keys, below the prefix, `filter` takes.
    pub(in crate::files) fn filtered(self, filter: &Filter) -> Self {
        Self { filter: filter.clone(), ..self }
    }

    pub(super) fn filter(&self) -> Filter {
        self.filter.clone()
    }

    /// The counts of the listing.
    pub(in crate::files) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    pub(super) fn problem(&self, error: &StoreError) -> Problem {
        problem("list", &self.input, error)
    }

    /// The tasks for the objects in `store`.
    pub(in crate::files) fn in_store(self, store: &Store) -> ListedTasks {
        let listing = store.list(&self.bucket);
        ListedTasks { listed: self, listing }
    }

    /// The task for the object `key`; `None` if it is left out.
    fn task(&self, key: &str) -> Option<Task> {
        let below = key.strip_prefix(self.bucket.prefix())?;
        if self.tally.exclude(!self.filter.takes_from_listing(Path::new(below))) {
            return None;
        }
        let Some(name) = self.result_name(below) else {
            self.tally.leave_out();
            return None;
        };
        self.tally.take();
        let source = PathBuf::from(format!("s3://{}/{key}", self.bucket.name()));
        match &self.output {
            None if self.direction == Direction::Rekey => Some(Task::file(source.clone(), source)),
            None => Some(Task::check(source)),
            Some(output) if is_safe(&name) => Some(Task::file(source, output.join(name))),
            Some(_) => {
                let error = io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "its key is no name for a file in a directory",
                );
                Some(Task::Bad { source, error: Some(error.into()) })
            }
        }
    }
}

impl Listed {
    /// The name of the result for the object `below` the prefix; `None` if the object is left out: it is no file, has
    /// the suffix already, or lacks it.
    fn result_name(&self, below: &str) -> Option<OsString> {
        let is_file = !below.is_empty() && !below.ends_with('/');
        let is_identity = is_identity_name(OsStr::new(below.rsplit('/').next().unwrap_or(below)));
        if !is_file || is_identity {
            return None;
        }
        let stem = below.as_bytes().strip_suffix(self.suffix.as_bytes());
        match (self.direction, stem) {
            (Direction::Rekey, Some(stem)) if !stem.is_empty() => Some(OsStr::new(below).to_owned()),
            (Direction::Open, Some(stem)) if !stem.is_empty() => Some(OsStr::from_bytes(stem).to_owned()),
            (Direction::Seal, None) => {
                let mut name = OsString::from(below);
                name.push(&self.suffix);
                Some(name)
            }
            _ => None,
        }
    }
}

/// The problem with the store at `path`.
pub(super) fn problem(verb: &str, path: &Path, error: &StoreError) -> Problem {
    Problem { message: format!("cannot {verb} {}: {error}", quoted(path)), hint: None, exit: Exit::Failed }
}

/// Whether `name` stays in the directory that it is joined to, is written as it is, and passes for no file that later
/// runs believe.
fn is_safe(name: &OsStr) -> bool {
    let is_name = |part: &[u8]| {
        !matches!(part, b"" | b"." | b"..")
            && !part.contains(&0)
            && !haul_io::is_temporary(OsStr::from_bytes(part))
            && !is_identity_name(OsStr::from_bytes(part))
    };
    name.as_bytes().split(|&byte| byte == b'/').all(is_name)
}

impl Iterator for ListedTasks {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        loop {
            match self.listing.next()? {
                Ok(object) => {
                    if let Some(task) = self.listed.task(&object.key) {
                        return Some(task);
                    }
                }
                // The run ends anyway.
                Err(StoreError::Cancelled) => return None,
                Err(error) => {
                    self.listed.tally.take();
                    let error = Some(io::Error::from(error).into());
                    return Some(Task::Bad { source: self.listed.input.clone(), error });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names_below_the_output_or_fail() {
        let placement = |output: &str| Placement {
            direction: Direction::Open,
            suffix: ".age".into(),
            output: Some(output.into()),
        };
        let listed = Listed::new(Path::new("s3://bucket/in/"), &placement("out"), FileOptions::default());
        let listed = listed.unwrap_or_else(|problem| panic!("{}", problem.message));
        for (key, target) in [
            ("in/a.age", Some("out/a")),
            ("in/d/\u{e9} b.age", Some("out/d/\u{e9} b")),
            ("in/a.txt", None),
            ("in/.age", None),
            ("in/haul-identity.age", None),
            ("in/d/", None),
            ("in//a.age", Some("bad")),
            ("in/../a.age", Some("bad")),
            ("in/d/../../a.age", Some("bad")),
            ("in/...age", Some("bad")),
            ("in/d/.haul-0123456789abcdef.tmp.age", Some("bad")),
            ("in/d/haul-identity.age.age", Some("bad")),
            ("in/Haul-Identity.age.age", Some("bad")),
        ] {
            let found = match listed.task(key) {
                Some(Task::File { target, .. }) => Some(target),
                Some(Task::Bad { .. }) => Some("bad".into()),
                Some(other) => panic!("{other:?}"),
                None => None,
            };
            assert_eq!(found.as_deref(), target.map(Path::new), "{key}");
        }
        assert_eq!((listed.tally().taken(), listed.tally().left_out()), (9, 4));
        let seal = Placement { direction: Direction::Seal, ..placement("s3://bucket/out/") };
        let listed = Listed::new(Path::new("s3://bucket"), &seal, FileOptions::default());
        let listed = listed.unwrap_or_else(|problem| panic!("{}", problem.message));
        let target = |key: &str| match listed.task(key) {
            Some(Task::File { target, .. }) => Some(target),
            _ => None,
        };
        assert_eq!(target("d/a").as_deref(), Some(Path::new("s3://bucket/out/d/a.age")));
        assert_eq!((target("d/a.age"), target("d/")), (None, None));
        assert!(matches!(listed.task("d/haul-identity"), Some(Task::Bad { .. })));
        let force = FileOptions { existing: Existing::Replace, ..FileOptions::default() };
        assert!(Listed::new(Path::new("s3://bucket/in/"), &placement("out"), force).is_err());
        assert!(Listed::new(Path::new("s3://bucket/in/"), &placement("s3://bucket/out/"), force).is_ok());
    }
}
