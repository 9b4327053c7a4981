//! Leaves that every execution needs: cancellation, deadlines, errors, shortages, randomness, the allocator's limit.
//!
//! Enters: timeouts and descriptors.
//! Leaves: the switch that cancels a run, waiting that it interrupts, the wording of errors.
//! Private: the flag and the descriptor behind [`Cancel`]. Nothing here knows an operation.

#[cfg_attr(loom, path = "system/modelled_bell.rs")]
pub(crate) mod bell;
mod cancel;
pub(crate) mod close;
pub(crate) mod deadline;
mod error;
mod ext4;
mod heaps;
mod interface;
pub(crate) mod page_cache;
pub(crate) mod random;
pub(crate) mod room;
pub(crate) mod shortage;
mod standard;
pub(crate) mod sync;

pub use cancel::Cancel;
pub use close::flush;
pub use error::{cancelled, is_cancelled, is_link_in_the_way, reason};
pub(crate) use error::{is_ring_broken, ring_broke};
pub use ext4::Ext4;
pub use heaps::limit_heaps;
pub use interface::interface_index;
pub use page_cache::HUGE_BYTES;
pub use room::Room;
pub use shortage::{Patience, Patient, is_shortage};
pub use standard::check_stdout;
