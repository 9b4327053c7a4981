//! What all uploads of a run share.
//!
//! Owns: the limits on memory, the end of what is under way.
//! Does not own: single uploads ([`super::running`]).

use std::io;
use std::sync::OnceLock;

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

/// The uploads of a run, whose tools are made when the first one begins. When this is dropped, nothing is under way any
/// more.
#[derive(Default)]
pub(crate) struct Uploads(OnceLock<io::Result<UploadTools>>);

impl Uploads {
    /// # Errors
    /// If the process had no descriptor left when the first upload began.
    pub(crate) fn tools(&self) -> io::Result<UploadTools> {
        let tools = |offload| UploadTools {
            offload,
            parts: PartPermits::new(PARTS_MAX),
            paused: PartPermits::new(PAUSED_PARTS_MAX),
        };
        match self.0.get_or_init(|| Offload::new().map(tools)) {
            Ok(tools) => Ok(tools.clone()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if let Some(Ok(tools)) = self.0.get() {
            tools.offload.close();
        }
    }
}
