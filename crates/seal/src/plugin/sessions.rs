//! Sessions with plugins.
//!
//! Owns: finding the programs, one session with each for many files, remembering the programs that failed.
//! Does not own: the protocol ([`haul_age_format::Wrapping`], [`haul_age_format::Unwrapping`]), processes
//! ([`super::process`]).
//!
//! Spec: C2SP age-plugin.md.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use haul_age_format::{
    FileKey, Header, Identity, PluginFault, PluginIdentity, PluginReader, Recipient, Stanza, Turn, Unwrapped,
    Unwrapping, Wrapped, Wrapping, check_labels,
};
use haul_io::Cancel;

use super::process::Process;
use super::ui::{PluginLimits, PluginUi};
use crate::error::{PluginError, PluginProblem};
use crate::task::Refusal;

/// The plugins on a search path. Any thread may use them; each session starts a process of its own, which ends with it.
/// Without the feature `plugins`, every session fails with [`PluginProblem::NotBuilt`].
pub struct Plugins {
    search_path: OsString,
    ui: Box<dyn PluginUi>,
    limits: PluginLimits,
    /// The errors of programs that failed. These aren't started again, so that the user isn't asked in vain.
    failed: Mutex<BTreeMap<String, PluginError>>,
}

/// How a session begins.
struct Opening<'a> {
    program: &'a str,
    /// The argument that selects the plugin's state machine.
    argument: &'static str,
    /// The first message to the plugin.
    request: &'a [u8],
    /// The number of files that the session is about.
    file_count: usize,
    cancel: &'a Cancel,
}

impl Plugins {
    /// Uses the plugins in the directories of `search_path`, which has the form of `PATH`; entries
    /// that aren't absolute are ignored. They talk to the user through `ui`.
    pub fn new(search_path: OsString, ui: impl PluginUi + 'static, limits: PluginLimits) -> Self {
        Self { search_path, ui: Box::new(ui), limits, failed: Mutex::default() }
    }

    /// Finds `program` on the search path.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        // An empty or relative entry would run what lies in the working directory.
        let directories = std::env::split_paths(&self.search_path).filter(|entry| entry.is_absolute());
        directories.map(|directory| directory.join(program)).find(is_program)
    }

    /// Wraps `file_keys` with the plugins of `recipients`. Returns the stanzas of all plugins for each file key, in
    /// order.
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

    /// Unwraps the file keys of `headers` with the plugins of `identities`. Returns for each header, in order, the file
    /// key, `None` if no plugin found one, or a plugin's error.
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
                // If this plugin finds nothing, the error of another plugin is kept.
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
        let (mut wrapping, request) = Wrapping::new(recipients, file_keys);
        let argument = Wrapping::ARGUMENT;
        let opening = Opening { program, argument, request: &request, file_count: file_keys.len(), cancel };
        self.converse(opening, |stanza| wrapping.receive(stanza))?;
        wrapping.finish().map_err(|fault| PluginError::new(program, fault.into()))
    }

    fn unwrap_by(
        &self,
        program: &str,
        identities: &[&PluginIdentity],
        headers: &[&Header],
        cancel: &Cancel,
    ) -> Vec<Result<Option<FileKey>, PluginError>> {
        let (mut unwrapping, request) = Unwrapping::new(identities, headers);
        let argument = Unwrapping::ARGUMENT;
        let opening = Opening { program, argument, request: &request, file_count: headers.len(), cancel };
        if let Err(error) = self.converse(opening, |stanza| unwrapping.receive(stanza)) {
            return headers.iter().map(|_| Err(error.clone())).collect();
        }
        let answers: Unwrapped = unwrapping.finish();
        let failed = |fault: PluginFault| PluginError::new(program, fault.into());
        answers.into_iter().map(|answer| answer.map_err(failed)).collect()
    }

    /// Holds one session, unless the program failed before. `hear` gets each stanza of the plugin.
    fn converse(
        &self,
        opening: Opening<'_>,
        hear: impl FnMut(Stanza) -> Result<Turn, PluginFault>,
    ) -> Result<(), PluginError> {
        let program = opening.program;
        if let Some(error) = self.failed().get(program) {
            return Err(error.clone());
        }
        self.session(opening, hear).map_err(|problem| {
            let error = PluginError::new(program, problem);
            if !matches!(error.problem, PluginProblem::Cancelled) {
                self.failed().insert(program.to_owned(), error.clone());
            }
            error
        })
    }

    fn session(
        &self,
        opening: Opening<'_>,
        mut hear: impl FnMut(Stanza) -> Result<Turn, PluginFault>,
    ) -> Result<(), PluginProblem> {
        let Opening { program, argument, request, file_count, cancel } = opening;
        if cfg!(not(feature = "plugins")) {
            return Err(PluginProblem::NotBuilt);
        }
        let path = self.find(program).ok_or(PluginProblem::Missing)?;
        let reader = PluginReader::new(file_count);
        let mut process = Process::start(&path, argument, reader, self.limits, cancel)?;
        process.send(request)?;
        loop {
            match hear(process.receive()?)? {
                Turn::Reply(reply) => process.send(&reply)?,
                Turn::Ask(question) => {
                    process.may_wait_for_user();
                    let answer = self.ui.answer(program, &question, cancel);
                    process.send(&question.reply(answer.as_ref().map(|text| text.as_str())))?;
                }
                Turn::End => return process.finish(),
            }
        }
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PluginError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugins").field("search_path", &self.search_path).finish_non_exhaustive()
    }
}
