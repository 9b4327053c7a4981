//! Files that appear whole or not at all.
//!
//! Enters: a [`crate::Publish`] and the content.
//! Leaves: a published file, or nothing.
//! Private: temporary names, and whether a staged file has one.

mod creation;
mod durable;
mod identity;
mod staged;
pub(crate) mod temporary;

pub use identity::StagedIdentity;
pub use staged::{Staged, sync_directory_of, write_file};
pub use temporary::{is_temporary, remove_if_left};
