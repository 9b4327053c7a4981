//! Processes of plugins in a build without the feature `plugins`: there are none.
//!
//! Owns: what stands in for the type of a build with it; it has no value.
//! Does not own: the error that callers see ([`super::sessions`]).

use std::convert::Infallible;
use std::path::Path;

use haul_age_format::{PluginReader, Stanza};
use haul_io::Cancel;

use super::ui::PluginLimits;
use crate::error::PluginProblem;

/// There is none.
pub(super) struct Process(Infallible);

impl Process {
    pub(super) fn start(
        _: &Path,
        _: &str,
        _: PluginReader,
        _: PluginLimits,
        _: &Cancel,
    ) -> Result<Self, PluginProblem> {
        Err(PluginProblem::NotBuilt)
    }

    pub(super) fn may_wait_for_user(&mut self) {
        match self.0 {}
    }

    pub(super) fn send(&mut self, _: &[u8]) -> Result<(), PluginProblem> {
        match self.0 {}
    }

    pub(super) fn receive(&mut self) -> Result<Stanza, PluginProblem> {
        match self.0 {}
    }

    pub(super) fn finish(self) -> Result<(), PluginProblem> {
        match self.0 {}
    }
}
