//! Plugins: programs that wrap and unwrap file keys for recipients and identities of types of their own.
//!
//! A plugin is started once for many files ([`KeySource`] makes batches of a run's tasks), as starting one may mean that a
//! person types a PIN.
//!
//! Owns: finding the programs, one session for many files with each of them, what went wrong with them.
//! Does not own: what is said ([`haul_age_format::Wrapping`], [`haul_age_format::Unwrapping`]), the search path and the
//! person (arguments).
//!
//! Spec: C2SP age-plugin.md.

mod error;
mod process;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use haul_age_format::{
    FileKey, Header, Identity, PluginFault, PluginIdentity, PluginReader, Question, Recipient, Stanza, Turn,
    Unwrapped, Unwrapping, Wrapped, Wrapping, check_labels,
};
use haul_io::Cancel;

use self::process::Process;
use crate::task::Refusal;

pub use self::error::{PluginError, PluginProblem};
pub use self::source::{KeySource, Keying};

/// The person whom plugins talk to.
pub trait PluginUi: Send + Sync {
    /// Shows or asks what the plugin `program` wants; the text is foreign. `None`: nobody can be asked, nobody answered, or
    /// `cancel` was thrown, which must end the wait. What the answer to each question is, [`Question`] says.
    fn answer(
        &self,
        program: &str,
        question: &Question,
        cancel: &Cancel,
    ) -> Option<zeroize::Zeroizing<String>>;
}

/// How long plugins may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// A plugin that neither reads nor writes for so long has failed; once it has talked to a person it may take any time, as
    /// it may wait for a touch or a PIN. Defaults to five minutes.
    pub silence_max: Duration,
    /// How long a plugin may take to end when it is done; then it is killed. Defaults to two seconds.
    pub leave_max: Duration,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self { silence_max: Duration::from_secs(300), leave_max: Duration::from_secs(2) }
    }
}

/// The plugins on this machine.
pub struct Plugins {
    search_path: OsString,
    person: Box<dyn PluginUi>,
    limits: PluginLimits,
    /// Programs that broke down, with what they said. They aren't started again, so that nobody is asked in vain.
    broken: Mutex<BTreeMap<String, PluginError>>,
}

impl Plugins {
    /// Plugins in the directories of `search_path`, as `PATH` lists them, that talk to `person`.
    pub fn new(search_path: OsString, person: impl PluginUi + 'static, limits: PluginLimits) -> Self {
        Self { search_path, person: Box::new(person), limits, broken: Mutex::default() }
    }

    /// Where `program` is.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let places = std::env::split_paths(&self.search_path).map(|place| place.join(program));
        // It isn't started in this directory.
        places.filter_map(|path| std::path::absolute(path).ok()).find(is_program)
    }

    /// What the plugins of `recipients` make of `file_keys`: for each, in order, the stanzas of all.
    pub(crate) fn wrap(
        &self,
        recipients: &[Recipient],
        file_keys: &[FileKey],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Stanza>>, Refusal> {
        let mut by_program: BTreeMap<&str, Vec<&Recipient>> = BTreeMap::new();
        for recipient in recipients {
            if let Some(program) = recipient.plugin() {
                by_program.entry(program).or_default().push(recipient);
            }
        }
        let mut stanzas = vec![Vec::new(); file_keys.len()];
        let mut labels: Vec<BTreeSet<String>> = Vec::new();
        for (program, recipients) in by_program {
            let wrapped = self.wrap_by(program, &recipients, file_keys, cancel).map_err(Refusal::Plugin)?;
            stanzas.iter_mut().zip(wrapped.stanzas).for_each(|(all, more)| all.extend(more));
            labels.push(wrapped.labels);
        }
        check_labels(recipients, &labels).map_err(Refusal::Recipients)?;
        Ok(stanzas)
    }

    /// The keys that the plugins of `identities` find in `headers`, in order, or none, or what a plugin said of that.
    pub(crate) fn unwrap(
        &self,
        identities: &[Identity],
        headers: &[Header],
        cancel: &Cancel,
    ) -> Vec<Result<Option<FileKey>, PluginError>> {
        let mut by_program: BTreeMap<&str, Vec<&PluginIdentity>> = BTreeMap::new();
        for identity in identities {
            if let Identity::Plugin(identity) = identity {
                by_program.entry(identity.program()).or_default().push(identity);
            }
        }
        let mut results: Vec<Result<Option<FileKey>, PluginError>> =
            headers.iter().map(|_| Ok(None)).collect();
        for (program, identities) in by_program {
            let open = |index: &usize| !matches!(results[*index], Ok(Some(_)));
            let left: Vec<usize> = (0..headers.len()).filter(open).collect();
            let asked: Vec<&Header> = left.iter().map(|index| &headers[*index]).collect();
            if asked.is_empty() {
                break;
            }
            let answers = self.unwrap_by(program, &identities, &asked, cancel);
            for (index, answer) in left.into_iter().zip(answers) {
                // Where a plugin finds nothing, what another says of it remains.
                if !matches!(answer, Ok(None)) {
                    results[index] = answer;
                }
            }
        }
        results
    }

    fn wrap_by(
        &self,
        program: &str,
        recipients: &[&Recipient],
        file_keys: &[FileKey],
        cancel: &Cancel,
    ) -> Result<Wrapped, PluginError> {
        let (mut wrapping, said) = Wrapping::new(recipients, file_keys);
        self.converse(program, Wrapping::ARGUMENT, (&said, file_keys.len()), cancel, |stanza| {
            wrapping.receive(stanza)
        })?;
        wrapping.finish().map_err(|fault| PluginError::new(program, fault.into()))
    }

    fn unwrap_by(
        &self,
        program: &str,
        identities: &[&PluginIdentity],
        headers: &[&Header],
        cancel: &Cancel,
    ) -> Vec<Result<Option<FileKey>, PluginError>> {
        let (mut unwrapping, said) = Unwrapping::new(identities, headers);
        let conversed =
            self.converse(program, Unwrapping::ARGUMENT, (&said, headers.len()), cancel, |stanza| {
                unwrapping.receive(stanza)
            });
        if let Err(error) = conversed {
            return headers.iter().map(|_| Err(error.clone())).collect();
        }
        let answers: Unwrapped = unwrapping.finish();
        let told = |fault: PluginFault| PluginError::new(program, fault.into());
        answers.into_iter().map(|answer| answer.map_err(told)).collect()
    }

    /// One session with `program`: `said` goes first, for so many files, and `hear` takes what comes, up to its end.
    fn converse(
        &self,
        program: &str,
        argument: &str,
        (said, file_count): (&[u8], usize),
        cancel: &Cancel,
        hear: impl FnMut(Stanza) -> Result<Turn, PluginFault>,
    ) -> Result<(), PluginError> {
        if let Some(error) = self.broken().get(program) {
            return Err(error.clone());
        }
        let result = self.session(program, argument, (said, file_count), cancel, hear);
        result.map_err(|problem| {
            let error = PluginError::new(program, problem);
            if !matches!(error.problem, PluginProblem::Cancelled) {
                self.broken().insert(program.to_owned(), error.clone());
            }
            error
        })
    }

    fn session(
        &self,
        program: &str,
        argument: &str,
        (said, file_count): (&[u8], usize),
        cancel: &Cancel,
        mut hear: impl FnMut(Stanza) -> Result<Turn, PluginFault>,
    ) -> Result<(), PluginProblem> {
        let path = self.find(program).ok_or(PluginProblem::Missing)?;
        let reader = PluginReader::new(file_count);
        let mut process = Process::start(&path, argument, reader, self.limits, cancel)?;
        process.send(said)?;
        loop {
            match hear(process.receive()?)? {
                Turn::Reply(reply) => process.send(&reply)?,
                Turn::Ask(question) => {
                    process.may_take_any_time();
                    let answer = self.person.answer(program, &question, cancel);
                    process.send(&question.reply(answer.as_ref().map(|text| text.as_str())))?;
                }
                Turn::End => return process.leave(),
            }
        }
    }

    fn broken(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PluginError>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugins").field("search_path", &self.search_path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_as_documented() {
        let PluginLimits { silence_max, leave_max } = PluginLimits::default();
        assert_eq!((silence_max.as_secs(), leave_max.as_secs()), (300, 2));
    }
}
