//! The format in which a run or a client stores bodies.
//!
//! Owns: the format, together with the helpers that encode in it.
//! Does not own: encoding ([`crate::body::encoded::encoder`]).

use std::ops::Deref;
use std::sync::Arc;

use haul_io::ChunkedFormat;

use crate::body::encoded::helper::Helpers;

/// A format, and the helpers of all that is stored in it.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    format: Arc<dyn ChunkedFormat>,
    pub(crate) helpers: Helpers,
}

impl Encoding {
    pub(crate) fn new(format: Arc<dyn ChunkedFormat>) -> Self {
        Self { format, helpers: Helpers::default() }
    }
}

impl Deref for Encoding {
    type Target = Arc<dyn ChunkedFormat>;

    fn deref(&self) -> &Self::Target {
        &self.format
    }
}
