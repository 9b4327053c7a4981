//! The specification of a job for worker processes.
//!
//! Owns: what a worker needs to do the same job, secrets included; it travels through a pipe.
//! Does not own: worker processes ([`haul_engine::run_portable`]).

use haul_age_format::RunKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::xor::XorMode;
use crate::run_key::SharedRunKey;
use crate::task::FileOptions;

/// The specification of a job that seals, opens or verifies.
#[derive(Serialize, Deserialize)]
pub struct JobSpec {
    /// The recipients or identities, as text.
    pub(super) keys: Vec<Zeroizing<String>>,
    pub(super) options: FileOptions,
    pub(super) armored: bool,
    pub(super) run_key: Zeroizing<[u8; 32]>,
}

/// The specification of an XOR job.
#[derive(Serialize, Deserialize)]
pub struct XorJobSpec {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) mode: XorMode,
}

impl JobSpec {
    /// Describes a job with binary results; creates its run key if there is none.
    pub(super) fn new(
        keys: Vec<Zeroizing<String>>,
        options: FileOptions,
        run_key: &SharedRunKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        let run_key = run_key.get_or_create(random);
        Self { keys, options, armored: false, run_key: Zeroizing::new(*run_key.secret()) }
    }

    pub(super) fn shared_run_key(&self) -> SharedRunKey {
        RunKey::from_secret(self.run_key.clone()).into()
    }
}
