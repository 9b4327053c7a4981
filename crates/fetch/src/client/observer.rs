//! What a caller may watch while transfers run.
//!
//! Owns: the events, the function that is called with them.
//! Does not own: what is made of them.

use std::fmt;
use std::sync::Arc;

/// Something that happens in a transfer.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransferEvent {
    /// The length of a body became known. Once for each task: attempts that start over don't tell it again.
    Expected {
        /// The bytes to come, as they are transferred.
        bytes: u64,
    },
    /// A piece of a body arrived.
    Received {
        /// Its bytes, as they are transferred. Those of attempts that start over are told again.
        bytes: u64,
    },
}

/// A function that is called with each event, from the thread that runs the transfer. It must return soon. Clones share
/// the function.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Function>>);

type Function = dyn Fn(&TransferEvent) + Send + Sync;

impl Observer {
    /// Calls `function` with each event.
    pub fn new(function: impl Fn(&TransferEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    /// Calls the function, if there is one.
    pub(crate) fn tell(&self, event: &TransferEvent) {
        if let Some(function) = &self.0 {
            function(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer(..)" } else { "Observer(none)" })
    }
}
