//! Hidden names of sealed results: they are random, and a sealed list says which is which.
//!
//! Owns: random names, the journal of a run.
//! Does not own: the form of the list ([`haul_seal::NameJournal`]), the names that are hidden ([`super::naming`]).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use haul_fetch::Error;
use haul_io::reason;
use haul_seal::{ErrorKind, FileOptions, HiddenName, NameJournal, SealedFormat};

use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::run::random::system_random;

/// The hidden names of a run. Clones share the list.
#[derive(Clone)]
pub(super) struct Hidden(Arc<Mutex<Names>>);

struct Names {
    /// The list; `None` once it has ended.
    journal: Option<NameJournal>,
    /// Hashes of the names that were hidden: a name belongs to one task of the run.
    hidden: HashSet<u64>,
    hasher: RandomState,
    /// What a failure to write the list means for the run.
    exit: Exit,
}

impl Hidden {
    /// Begins the list in `directory`.
    pub(super) fn begin(directory: &Path, format: &SealedFormat) -> Result<Self, Problem> {
        let journal = NameJournal::create(directory, format, &mut system_random()).map_err(|error| {
            let (directory, reason) = (quoted(directory), reason(&error));
            let problem = Problem::usage(format!("cannot begin a list of names in {directory}: {reason}"));
            Problem { exit: Exit::Usage.max(Exit::of_write(&error)), ..problem }
        })?;
        let (hidden, hasher) = (HashSet::new(), RandomState::new());
        Ok(Self(Arc::new(Mutex::new(Names { journal: Some(journal), hidden, hasher, exit: Exit::Success }))))
    }

    /// A random name for the result that is called `name` and comes from `source`. The list has it when this returns.
    pub(super) fn hide(&self, name: &Path, source: &str) -> Result<PathBuf, String> {
        let mut random = [0; 16];
        system_random()(&mut random);
        let file = format!("{:032x}.age", u128::from_be_bytes(random));
        let name = name.to_string_lossy().into_owned();
        let entry = HiddenName { file: file.clone(), name, source: source.to_owned() };
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = names.hasher.hash_one(&entry.name);
        if !names.hidden.insert(hash) {
            return Err(Error::NameTaken.to_string());
        }
        let journal = names.journal.as_mut().ok_or("the list of names has ended")?;
        if let Err(error) = journal.append(&entry) {
            names.exit = Exit::of_write(&error);
            return Err(format!("cannot write the list of names: {}", reason(&error)));
        }
        Ok(file.into())
    }

    /// What failures to write the list mean for the run.
    pub(super) fn exit(&self) -> Exit {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).exit
    }

    /// Ends the list.
    pub(super) fn finish(&self, format: &SealedFormat, options: &FileOptions) -> Result<(), Problem> {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner).journal.take();
        let Some(journal) = journal else { return Ok(()) };
        let ended = journal.finish(format, options);
        ended.map(drop).map_err(|error| Problem {
            message: format!("the list of names stays a journal, as it can't be completed: {error}"),
            hint: None,
            exit: if error.kind() == ErrorKind::NoSpace { Exit::NoSpace } else { Exit::Failed },
        })
    }
}
