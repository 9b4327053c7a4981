//! What all uploads of a run share.
//!
//! Owns: the limits on memory, the end of what is under way.
//! Does not own: single uploads ([`super::running`]).

use std::io;

use crate::uploads::offload::Offload;
use crate::uploads::permits::PartPermits;

/// Parts in memory, over all uploads of a run: those that are being collected, and those that are being sent.
const PARTS_MAX: usize = 24;
/// Unfinished parts that uploads keep while their tasks are paused.
const PAUSED_PARTS_MAX: usize = 8;

/// The tools of uploads; clones share them.
#[derive(Clone)]
pub(crate) struct UploadTools {
    pub(crate) offload: Offload,
    pub(crate) parts: PartPermits,
    pub(crate) paused: PartPermits,
}

/// The uploads of a run. When this is dropped, nothing is under way any more.
pub(crate) struct Uploads(io::Result<UploadTools>);

impl Default for Uploads {
    fn default() -> Self {
        let tools = |offload| UploadTools {
            offload,
            parts: PartPermits::new(PARTS_MAX),
            paused: PartPermits::new(PAUSED_PARTS_MAX),
        };
        Self(Offload::new().map(tools))
    }
}

impl Uploads {
    /// # Errors
    /// If the process had no descriptor left when the run began.
    pub(crate) fn tools(&self) -> io::Result<UploadTools> {
        match &self.0 {
            Ok(tools) => Ok(tools.clone()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if let Ok(tools) = &self.0 {
            tools.offload.close();
        }
    }
}
