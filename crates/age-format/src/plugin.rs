//! The protocol between this program and a plugin, as states without I/O.
//!
//! Enters: keys that the plugin serves, file keys or headers, the bytes that the plugin writes.
//! Leaves: the bytes to send to the plugin, [`Turn`]s, and at the end stanzas ([`Wrapped`]) or file keys
//! ([`Unwrapped`]).
//! Not for use from outside: the encoding of commands.
//!
//! Spec: C2SP age-plugin.md.

pub(crate) mod fault;
mod ipc;
mod unwrapping;
mod wrapping;

pub use fault::PluginFault;
pub use ipc::{PluginReader, Question, Turn};
pub use unwrapping::{Unwrapped, Unwrapping};
pub use wrapping::{Wrapped, Wrapping};
