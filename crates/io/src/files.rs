//! Files that appear whole or not at all.
//!
//! Enters: a [`crate::Publish`] and the content.
//! Leaves: a published file, or nothing.
//! Private: temporary names, and whether a staged file has one.

mod alike;
mod arrivals;
mod cache;
mod copying;
mod durable;
mod identity;
mod leftovers;
mod metadata;
mod naming;
pub(crate) mod sparse;
mod staged;
pub(crate) mod temporary;

pub use alike::{folded, probe_aliases};
pub use arrivals::move_arrived;
pub use cache::{drop_cached, spare_cache};
pub use copying::{Copying, copy_range};
pub use identity::StagedIdentity;
pub use leftovers::{Leftovers, remove_if_left, remove_leftover, sweep};
pub use metadata::{access_list, find_features, set_metadata};
pub use sparse::write_sparse;
pub use staged::{Staged, sync_directory_of, write_file};
pub use temporary::{is_temporary, probe_name};
