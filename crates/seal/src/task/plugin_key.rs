//! The file key that plugins contribute to a task.
//!
//! Owns: carrying a file key in a task, wrapped under the run key; why plugins gave none.
//! Does not own: sessions with plugins ([`crate::plugin`]), the run key ([`crate::run_key`]).

use haul_age_format::{FileKey, RunKey, SealError, Stanza};
use serde::{Deserialize, Serialize};

use crate::error::{Error, PluginError};

/// A file key that plugins wrapped (for sealing) or unwrapped (for opening). Tasks may lie in shared memory, so the key
/// is wrapped under the run key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PluginKey {
    file_key: Vec<u8>,
    /// The plugins' stanzas for a new header; empty for opening.
    pub(crate) stanzas: Vec<Stanza>,
}

/// Why plugins gave no key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// A plugin failed.
    Plugin(PluginError),
    /// The recipients can't be combined.
    Recipients(SealError),
}

impl PluginKey {
    pub(crate) fn new(
        file_key: &FileKey,
        stanzas: Vec<Stanza>,
        run_key: &RunKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        Self { file_key: run_key.wrap_file_key(file_key, random), stanzas }
    }

    /// Unwraps the file key with the job's run key.
    ///
    /// # Panics
    /// If the task belongs to another run.
    pub(crate) fn file_key(&self, run_key: Option<&RunKey>) -> FileKey {
        let file_key = run_key.and_then(|run_key| run_key.unwrap_file_key(&self.file_key));
        file_key.expect("file keys in tasks are wrapped under the run key")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Plugin(error) => Self::Plugin(error),
            Refusal::Recipients(error) => Self::Recipients(error),
        }
    }
}
