//! The key that all processes of one run share.
//!
//! Owns: creating the key once and giving it to jobs, worker processes and key sources.
//! Does not own: what is wrapped under it ([`crate::payload`], [`crate::task`]).

use std::sync::OnceLock;

use haul_age_format::RunKey;

/// The run key of a job. It stays unset in a run with one process and without plugins, which doesn't need it.
#[derive(Default)]
pub(crate) struct SharedRunKey(OnceLock<RunKey>);

impl SharedRunKey {
    /// Returns the key if it was created or received.
    pub(crate) fn get(&self) -> Option<&RunKey> {
        self.0.get()
    }

    /// Returns the key and creates it first if necessary.
    pub(crate) fn get_or_create(&self, random: &mut dyn FnMut(&mut [u8])) -> RunKey {
        self.0.get_or_init(|| RunKey::generate_with(random)).clone()
    }

    /// Returns the key of a run with several processes.
    ///
    /// # Panics
    /// If the job was never described for a worker process; an engine does that before it starts one.
    pub(crate) fn expect(&self) -> &RunKey {
        self.get().expect("a job in several processes has a job specification")
    }
}

impl From<RunKey> for SharedRunKey {
    fn from(key: RunKey) -> Self {
        Self(key.into())
    }
}
