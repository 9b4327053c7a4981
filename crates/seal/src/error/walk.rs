//! The error of a walk for one name.
//!
//! Owns: sharing the system's error among clones and sending it to other processes.
//! Does not own: walking ([`crate::walk`]).

use std::io;
use std::sync::Arc;

use haul_engine::wire;
use serde::{Deserialize, Serialize};

/// Why the walk couldn't examine a name. Clones share the system's error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WalkError(#[serde(with = "shared")] Arc<io::Error>);

impl WalkError {
    /// The system's error.
    pub fn cause(&self) -> &io::Error {
        &self.0
    }
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// [`wire::io_error`] in an `Arc`.
mod shared {
    use super::{Arc, io, wire};

    pub(super) fn serialize<S: serde::Serializer>(error: &Arc<io::Error>, to: S) -> Result<S::Ok, S::Error> {
        wire::io_error::serialize(error, to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<io::Error>, D::Error> {
        wire::io_error::deserialize(from).map(Arc::new)
    }
}
