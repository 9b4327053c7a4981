//! The options and the result of a stream.
//!
//! Owns: defaults.
//! Does not own: the work.

use std::num::NonZeroUsize;
use std::sync::Arc;

use haul_io::Cancel;

use crate::error::{During, Error};
use crate::plugin::Plugins;

/// How a stream is transformed.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The number of threads that transform chunks. Defaults to the number of cores.
    pub workers: NonZeroUsize,
    /// Whether the sealed stream is armored. Defaults to not.
    pub armored: bool,
    /// The plugins to ask if recipients or identities need them. Defaults to none.
    pub plugins: Option<Arc<Plugins>>,
    /// Cancels the work when triggered. The work itself triggers it as soon as it fails, so that a source or sink that
    /// observes it ([`StreamReader`](crate::StreamReader), [`StreamWriter`](crate::StreamWriter)) stops waiting.
    /// Defaults to none.
    pub cancel: Option<Cancel>,
}

/// The lengths of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Length of the plaintext in bytes.
    pub plain_bytes: u64,
    /// Length of the age file in bytes, without armor.
    pub sealed_bytes: u64,
}

impl StreamOptions {
    /// Returns the defaults with `cancel`.
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel: Some(cancel), ..Self::default() }
    }

    /// The caller's switch, or one that nobody triggers.
    pub(super) fn switch(&self) -> Result<Cancel, Error> {
        self.cancel.clone().map_or_else(Cancel::new, Ok).map_err(Error::at(During::OpenSource))
    }
}

impl Default for StreamOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { workers, armored: false, plugins: None, cancel: None }
    }
}
