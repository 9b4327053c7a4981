//! What a job needs plugins for.
//!
//! Owns: deciding whether plugins are needed.
//! Does not own: asking them ([`super::batch`]).

use haul_age_format::{Identity, Recipient, RunKey};

/// What plugins must do for the tasks of a job.
#[derive(Clone)]
pub struct KeyRequest(pub(super) PluginWork);

/// The work of plugins for one job.
#[derive(Clone)]
pub(super) enum PluginWork {
    Nothing,
    Wrap(Vec<Recipient>, RunKey),
    Unwrap(Vec<Identity>, RunKey),
    /// Unwrap with identities, and wrap for recipients.
    Rewrap(Vec<Identity>, Vec<Recipient>, RunKey),
}

impl KeyRequest {
    /// The request of a job without keys.
    pub const NOTHING: Self = Self(PluginWork::Nothing);

    pub(crate) fn to_seal(recipients: &[Recipient], run_key: impl FnOnce() -> RunKey) -> Self {
        if recipients.iter().any(|recipient| recipient.plugin().is_some()) {
            Self(PluginWork::Wrap(recipients.to_vec(), run_key()))
        } else {
            Self::NOTHING
        }
    }

    pub(crate) fn to_open(identities: &[Identity], run_key: impl FnOnce() -> RunKey) -> Self {
        if identities.iter().any(|identity| matches!(identity, Identity::Plugin(_))) {
            Self(PluginWork::Unwrap(identities.to_vec(), run_key()))
        } else {
            Self::NOTHING
        }
    }

    pub(crate) fn to_rekey(
        identities: &[Identity],
        recipients: &[Recipient],
        run_key: impl FnOnce() -> RunKey,
    ) -> Self {
        let has_plugin = identities.iter().any(|identity| matches!(identity, Identity::Plugin(_)));
        if has_plugin || recipients.iter().any(|recipient| recipient.plugin().is_some()) {
            Self(PluginWork::Rewrap(identities.to_vec(), recipients.to_vec(), run_key()))
        } else {
            Self::NOTHING
        }
    }
}
