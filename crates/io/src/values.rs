//! The nouns of this crate: what operations take and what they give back.
//!
//! Enters: descriptors, paths, bytes and settings.
//! Leaves: owned values that can be kept across an `await`.
//! Private: the descriptor inside a [`File`] or [`Socket`]; only the executions of this crate look at it.

pub(crate) mod access;
mod attributes;
mod buf;
mod directory;
mod features;
pub(crate) mod handle;
mod meter;
mod pipe;
mod publish;
mod shortfalls;

pub use access::{Access, AccessList};
pub use attributes::Attributes;
pub use buf::Buf;
pub use directory::{Directory, DirectoryCache, Location};
pub use features::Features;
pub use handle::{File, FileKind, Socket, Stat};
pub use meter::Meter;
pub use pipe::Pipe;
pub use publish::{Durability, Existing, Preserve, Publish, Published};
pub use shortfalls::{Shortfall, Shortfalls};
