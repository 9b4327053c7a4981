//! A payload key that travels to other processes of the run.
//!
//! Owns: wrapping a payload key under the run key, so that shared memory holds no secret.
//! Does not own: the run key ([`crate::run_key`]), tokens ([`crate::jobs`]).

use haul_age_format::PayloadKey;
use serde::{Deserialize, Serialize};

use super::chunks::Payload;
use crate::run_key::SharedRunKey;

/// A [`Payload`] whose key is wrapped under the run key.
#[derive(Serialize, Deserialize)]
pub struct WrappedKey {
    wrapped: Vec<u8>,
    /// See [`Payload::offset`].
    offset: u64,
}

impl WrappedKey {
    pub(crate) fn wrap(payload: &Payload, run_key: &SharedRunKey, random: &mut dyn FnMut(&mut [u8])) -> Self {
        Self { wrapped: run_key.expect().wrap(&payload.key, random), offset: payload.offset }
    }

    /// # Panics
    /// If the key was wrapped in another run.
    pub(crate) fn unwrap(&self, run_key: &SharedRunKey) -> Payload {
        let key: Option<PayloadKey> = run_key.expect().unwrap(&self.wrapped);
        Payload { key: key.expect("tokens belong to this run"), offset: self.offset }
    }
}
