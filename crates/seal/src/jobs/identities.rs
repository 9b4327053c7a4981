//! The identities of a job that opens headers.
//!
//! Owns: what opening and verifying share: identities, the run key, their part of a job specification.
//! Does not own: finding the identity that fits ([`crate::payload::keys`]).

use haul_age_format::{Identity, Recipient};

use super::job_spec::JobSpec;
use crate::payload::keys::HeaderKeys;
use crate::plugin::KeyRequest;
use crate::run_key::SharedRunKey;
use crate::task::{FileOptions, Task};

/// The identities of a job and the key of its run.
pub(super) struct JobIdentities {
    identities: Vec<Identity>,
    pub(super) run_key: SharedRunKey,
}

impl JobIdentities {
    pub(super) fn new(identities: Vec<Identity>) -> Self {
        Self { identities, run_key: SharedRunKey::default() }
    }

    /// The keys for the header of the source of `task`.
    pub(super) fn keys(&self, task: &Task) -> HeaderKeys<'_> {
        HeaderKeys::of(task, &self.identities, &self.run_key)
    }

    pub(super) fn key_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        KeyRequest::to_open(&self.identities, || self.run_key.get_or_create(random))
    }

    /// As [`key_request`](Self::key_request), for a job that also makes headers for `recipients`.
    pub(super) fn rekey_request(
        &self,
        recipients: &[Recipient],
        random: &mut dyn FnMut(&mut [u8]),
    ) -> KeyRequest {
        KeyRequest::to_rekey(&self.identities, recipients, || self.run_key.get_or_create(random))
    }

    pub(super) fn job_spec(&self, options: FileOptions, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        let keys = self.identities.iter().map(Identity::to_secret_text).collect();
        JobSpec::new(keys, options, &self.run_key, random)
    }

    pub(super) fn from_job_spec(spec: &JobSpec) -> Result<Self, String> {
        let identities = spec.keys.iter().map(|key| Identity::from_secret_text(key));
        let identities = identities.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { identities, run_key: spec.shared_run_key() })
    }
}
