//! What a caller may watch while transfers run.
//!
//! Owns: the events, the function that is called with them.
//! Does not own: what is made of them.

use std::fmt;
use std::net::SocketAddr;
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
    /// A step of an attempt, in words without secrets. Only for [`Observer::of_details`].
    Detail {
        /// The host that the step concerns.
        host: String,
        /// What happened.
        what: Detail,
    },
}

/// A step of an attempt. Logins, cookies, queries of URLs and the values of fields that may hold secrets are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// The addresses of the host, or of its proxy.
    Addresses(Vec<SocketAddr>),
    /// A connection was made, to the named peer.
    Connected {
        /// The host and port, or the proxy.
        peer: String,
    },
    /// A TLS handshake succeeded.
    Secured {
        /// The version and the cipher suite.
        parameters: String,
    },
    /// The head of a request, line by line.
    Request(Vec<String>),
    /// The head of a response, line by line.
    Response(Vec<String>),
}

/// A function that is called with each event, from the thread that runs the transfer. It must return soon. Clones share
/// the function.
#[derive(Clone, Default)]
pub struct Observer {
    function: Option<Arc<Function>>,
    wants_details: bool,
}

type Function = dyn Fn(&TransferEvent) + Send + Sync;

impl Observer {
    /// Calls `function` with each event.
    pub fn new(function: impl Fn(&TransferEvent) + Send + Sync + 'static) -> Self {
        Self { function: Some(Arc::new(function)), wants_details: false }
    }

    /// As [`Observer::new`], with [`TransferEvent::Detail`].
    pub fn of_details(function: impl Fn(&TransferEvent) + Send + Sync + 'static) -> Self {
        Self { wants_details: true, ..Self::new(function) }
    }

    /// Calls the function with the detail that `event` makes, if it wants details.
    pub(crate) fn tell_detail(&self, event: impl FnOnce() -> TransferEvent) {
        if self.wants_details {
            self.tell(&event());
        }
    }

    /// Calls the function, if there is one.
    pub(crate) fn tell(&self, event: &TransferEvent) {
        if let Some(function) = &self.function {
            function(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.function.is_some() { "Observer(..)" } else { "Observer(none)" })
    }
}
