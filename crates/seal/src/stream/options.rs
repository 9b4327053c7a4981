//! The options and the result of a stream.
//!
//! Owns: defaults.
//! Does not own: the work.

use std::num::NonZeroUsize;
use std::sync::Arc;

use haul_io::Cancel;

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
    /// observes it ([`haul_io::StreamReader`], [`haul_io::StreamWriter`]) stops waiting.
    pub cancel: Cancel,
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
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { workers, armored: false, plugins: None, cancel }
    }
}
